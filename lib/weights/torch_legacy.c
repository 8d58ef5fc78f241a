/* torch_legacy: the stream form of torch.save, before 1.6: pickles of magic number, protocol, system, object and storage keys,
 * then each storage as a count and its elements. Both are little-endian whatever the system pickle says: the writer swaps.
 * Source: torch/serialization.py. */
#include "weights/pickle.h"

static const unsigned char magic[] = { 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.' };

int gv_torch_legacy_sniff(const unsigned char *p, size_t n)
{
    return n >= 2 + sizeof magic && p[0] == 0x80 && p[1] <= 5 && !memcmp(p + 2, magic, sizeof magic);
}

static gv_pk_value *next(gv_weights *w, struct gv_pickle *k, size_t *at, const char *what, gv_err *err)
{
    size_t used = 0;
    gv_pk_value *v = gv_pickle_run(k, w->map + *at, w->size - *at, &used, err);
    if (!v)
        gv_fail_in(err, "%s", what);
    *at += used;
    return v;
}

static int read_storages(gv_weights *w, struct gv_pickle *k, const gv_pk_value *keys, size_t at, gv_err *err)
{
    gv_pk_storage *all = (gv_pk_storage *)k->storages.data;
    size_t n = k->storages.len / sizeof *all;
    if (keys->kind != GV_PK_LIST)
        return gv_fail(err, GV_EDATA, "it has no list of storages");
    for (size_t i = 0; i < keys->list.n; i++) {
        const gv_pk_value *key = keys->list.v[i];
        int64_t index = key->kind == GV_PK_TEXT ? gv_names_find(&k->keys, key->text.s) : -1;
        if (index < 0 || all[index].data)
            return gv_fail(err, GV_EDATA, "its list of storages names one that no tensor uses, or one twice");
        gv_pk_storage *s = &all[index];
        if (w->size - at < 8 || w->size - at - 8 < s->bytes)
            return gv_fail(err, GV_EDATA, "it is cut: storage '%s' needs %zu bytes and %zu are left", s->key, s->bytes + 8, w->size - at);
        if (GV_LE64(w->map + at) != (uint64_t)s->count)
            return gv_fail(err, GV_EDATA, "storage '%s' has %llu elements, and its tensors were promised %lld", s->key,
                           (unsigned long long)GV_LE64(w->map + at), (long long)s->count);
        s->data = w->map + at + 8;
        if ((uintptr_t)s->data % s->type->size) { /* copied once here, so that its tensors still share it */
            void *copy = gv_weights_copy_space(w, s->bytes, s->key, err);
            if (!copy)
                return GV_EDATA;
            memcpy(copy, s->data, s->bytes);
            s->data = copy;
        }
        at += 8 + s->bytes;
    }
    for (size_t i = 0; i < n; i++)
        if (!all[i].data)
            return gv_fail(err, GV_EDATA, "storage '%s' is missing", all[i].key);
    if (at != w->size)
        return gv_fail(err, GV_EDATA, "%zu bytes follow the last storage", w->size - at);
    return GV_OK;
}

int gv_torch_legacy_read(gv_weights *w, gv_err *err)
{
    struct gv_pickle k = { 0 };
    size_t at = 2 + sizeof magic;
    w->format = "torch legacy";
    /* The pickles' length is not written anywhere: the cap on their bytes stands in for it. */
    int r = gv_pickle_init(&k, w->size < (4u << 20) ? w->size : 4u << 20, err);
    const gv_pk_value *protocol = r == GV_OK ? next(w, &k, &at, "protocol", err) : NULL;
    if (protocol && (protocol->kind != GV_PK_INT || protocol->i != 1001))
        r = gv_fail(err, GV_EDATA, "it has another protocol than 1001");
    const gv_pk_value *system = protocol && r == GV_OK ? next(w, &k, &at, "system", err) : NULL;
    const gv_pk_value *root = system ? next(w, &k, &at, "object", err) : NULL;
    const gv_pk_value *keys = root ? next(w, &k, &at, "storage keys", err) : NULL;
    if (keys)
        r = read_storages(w, &k, keys, at, err);
    else if (r == GV_OK)
        r = err ? err->code : GV_EDATA;
    if (r == GV_OK)
        r = gv_torch_expose(w, &k, root, 0, err);
    gv_pickle_release(&k);
    return r;
}
