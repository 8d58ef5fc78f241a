/* torch_zip: the zip form of torch.save (1.6 and later): data.pkl and one member for each storage.
 * Source: caffe2/serialize/inline_container.cc and torch/serialization.py. */
#include "weights/pickle.h"
#include "weights/zip.h"

struct archive { struct gv_zip zip; struct gv_pickle k; size_t prefix; const char *first; };

static const struct gv_zip_member *member(const struct archive *a, const char *rest)
{
    char name[512 + 256];
    if ((size_t)snprintf(name, sizeof name, "%.*s%s", (int)a->prefix, a->first, rest) >= sizeof name)
        return NULL;
    return gv_zip_find(&a->zip, name);
}

static int check_kind(struct archive *a, gv_err *err)
{
    const struct gv_zip_member *m = (const struct gv_zip_member *)a->zip.members.data;
    size_t n = a->zip.members.len / sizeof *m;
    if (!n)
        return gv_fail(err, GV_EDATA, "it is an empty zip archive");
    const char *slash = strchr(m->name, '/');
    a->first = m->name;
    a->prefix = slash ? (size_t)(slash - m->name) + 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const char *rest = m[i].name + (strncmp(m[i].name, a->first, a->prefix) ? 0 : a->prefix);
        if (!strcmp(rest, "constants.pkl") || !strncmp(rest, "code/", 5))
            return gv_fail(err, GV_EDATA, "it is a TorchScript archive, which holds a program: load it with torch.jit.load and save its state_dict() instead");
        size_t len = strlen(rest);
        if (len > 4 && !strcmp(rest + len - 4, ".npy"))
            return gv_fail(err, GV_EDATA, "it is a NumPy archive (.npz), not a file of torch.save");
    }
    if (!member(a, "data.pkl"))
        return gv_fail(err, GV_EDATA, "it is a zip archive without '%.*sdata.pkl', so not a file of torch.save: if it holds one, unpack it first", (int)a->prefix, a->first);
    return GV_OK;
}

/* The text of a small member, without the end of its line; "" when it is not there. */
static int small(struct archive *a, gv_weights *w, const char *rest, char *to, size_t most, gv_err *err)
{
    const struct gv_zip_member *m = member(a, rest);
    *to = 0;
    if (!m)
        return GV_OK;
    if (m->bytes >= most)
        return gv_fail(err, GV_EDATA, "'%s' has %llu bytes", m->name, (unsigned long long)m->bytes);
    const unsigned char *p = gv_zip_data(m, w, err);
    if (!p)
        return GV_EDATA;
    memcpy(to, p, (size_t)m->bytes);
    to[m->bytes] = 0;
    to[strcspn(to, "\r\n")] = 0;
    return GV_OK;
}

static int check_version(struct archive *a, gv_weights *w, int *big, gv_err *err)
{
    char text[32], *end;
    int r = small(a, w, "version", text, sizeof text, err);
    if (r == GV_OK && !*text)
        r = small(a, w, ".data/version", text, sizeof text, err);
    if (r < 0)
        return r;
    long v = strtol(text, &end, 10);
    if (!*text || *end || v < 1 || v > 10)
        return gv_fail(err, GV_EDATA, "its format has version '%s'; 1 to 10 are read", text);
    if ((r = small(a, w, "byteorder", text, sizeof text, err)) < 0)
        return r;
    *big = !strcmp(text, "big");
    if (*text && !*big && strcmp(text, "little"))
        return gv_fail(err, GV_EDATA, "its byte order is '%s'", text);
    return GV_OK;
}

static int find_storages(struct archive *a, gv_weights *w, gv_err *err)
{
    gv_pk_storage *s = (gv_pk_storage *)a->k.storages.data;
    for (size_t i = 0; i < a->k.storages.len / sizeof *s; i++) {
        char rest[256];
        snprintf(rest, sizeof rest, "data/%s", s[i].key);
        const struct gv_zip_member *m = member(a, rest);
        if (!m)
            return gv_fail(err, GV_EDATA, "storage '%s' is missing", s[i].key);
        if (m->bytes != s[i].bytes)
            return gv_fail(err, GV_EDATA, "storage '%s' has %llu bytes, and its tensors were promised %zu", s[i].key, (unsigned long long)m->bytes, s[i].bytes);
        if (!(s[i].data = gv_zip_data(m, w, err)))
            return GV_EDATA;
    }
    return GV_OK;
}

int gv_torch_zip_read(gv_weights *w, gv_err *err)
{
    struct archive a = { 0 };
    int big = 0;
    w->format = "torch zip";
    int r = gv_zip_open(&a.zip, w->map, w->size, err);
    if (r == GV_OK)
        r = check_kind(&a, err);
    if (r == GV_OK)
        r = check_version(&a, w, &big, err);
    const struct gv_zip_member *m = r == GV_OK ? member(&a, "data.pkl") : NULL;
    if (m)
        r = gv_pickle_init(&a.k, (size_t)m->bytes, err);
    const unsigned char *p = m && r == GV_OK ? gv_zip_data(m, w, err) : NULL;
    size_t used = 0;
    gv_pk_value *root = p ? gv_pickle_run(&a.k, p, (size_t)m->bytes, &used, err) : NULL;
    if (r == GV_OK && !root)
        r = err ? err->code : GV_EDATA;
    if (r == GV_OK && used != m->bytes)
        r = gv_fail(err, GV_EDATA, "%zu bytes follow the pickle", (size_t)m->bytes - used);
    if (r == GV_OK)
        r = find_storages(&a, w, err);
    if (r == GV_OK)
        r = gv_torch_expose(w, &a.k, root, big, err);
    gv_pickle_release(&a.k);
    gv_zip_close(&a.zip);
    return r;
}
