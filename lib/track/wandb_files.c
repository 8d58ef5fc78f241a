/* wandb_files: what stands beside W&B's log in its run directory: pictures, snapshots, what was said; and the best checkpoint as an artifact,
 * which stays where it is. */
#include "track/wandb.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { COPY_MAX = 256 << 20 };

/* Files appear whole with the record that they are there: one sync for all of a round, where one for each takes long. What a delivery left that
 * died before is written over. */
static int put_file(gv_wandb *w, const char *path, const void *p, size_t n, gv_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int r = fd < 0 ? gv_fail_sys(err, "cannot write '%s'", path) : gv_write_full(fd, p, n, err);
    if (fd >= 0 && close(fd) < 0 && r == GV_OK)
        r = gv_fail_sys(err, "cannot write '%s'", path);
    w->unsynced = true;
    return r < 0 ? gv_fail_in(err, "W&B's copies") : r;
}

static int put_json(gv_wandb *w, const char *path, const json_t *j, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_json_pretty(j, &b, err);
    r = r == GV_OK ? put_file(w, path, b.data ? b.data : "", b.len, err) : r;
    gv_buf_release(&b);
    return r;
}

int gv_wandb_copy(gv_wandb *w, const char *from, const char *name, gv_err *err)
{
    char to[4800];
    gv_buf b = { 0 };
    snprintf(to, sizeof to, "%s/files/%.300s", w->dir, name);
    int r = gv_file_read(from, COPY_MAX, &b, err);
    r = r == GV_OK ? put_file(w, to, b.data ? b.data : "", b.len, err) : r;
    gv_buf_release(&b);
    return r;
}

/* ---- the beginning: config.yaml, wandb-metadata.json, logs/debug.log ---- */

/* JSON is YAML: each value stands on a line of its own, as W&B's file has them by key. */
static int config_yaml(gv_wandb *w, const json_t *config, gv_err *err)
{
    char path[4500];
    const char *key;
    json_t *v;
    gv_buf b = { 0 };
    int r = GV_OK;
    json_object_foreach((json_t *)config, key, v) {
        r = r == GV_OK ? gv_buf_printf(&b, err, "%s:\n    value: ", key) : r;
        r = r == GV_OK ? gv_json_text(v, &b, err) : r;
        r = r == GV_OK ? gv_buf_add(&b, "\n", 1, err) : r;
    }
    snprintf(path, sizeof path, "%s/files/config.yaml", w->dir);
    r = r == GV_OK ? put_file(w, path, b.data ? b.data : "", b.len, err) : r;
    gv_buf_release(&b);
    return r;
}

/* What W&B shows of the machine and the command. */
static int metadata(const gv_delivery *d, gv_wandb *w, gv_err *err)
{
    const json_t *run = d->run->runtime, *argv = json_object_get(run, "argv"), *v;
    char path[4500], started[40] = "";
    struct tm tm;
    time_t t = (time_t)d->run->started;
    if (gmtime_r(&t, &tm))
        strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_t *args = json_array(), *j = json_object();
    for (size_t i = 1; i < json_array_size(argv); i++)
        json_array_append(args, json_array_get(argv, i));
    static const struct { const char *from, *to; } same[] = { { "platform", "os" }, { "host", "host" }, { "cwd", "root" }, { "cores", "cpu_count" } };
    for (size_t i = 0; i < GV_COUNT(same); i++)
        if ((v = json_object_get(run, same[i].from)))
            json_object_set(j, same[i].to, (json_t *)v);
    if ((v = json_array_get(argv, 0))) {
        json_object_set(j, "program", (json_t *)v);
        json_object_set(j, "executable", (json_t *)v);
    }
    json_object_set(j, "args", args);
    json_object_set_new(j, "startedAt", json_string(started));
    snprintf(path, sizeof path, "%s/files/wandb-metadata.json", w->dir);
    int r = args && j ? put_json(w, path, j, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(args);
    json_decref(j);
    return r;
}

int gv_wandb_begin_files(gv_delivery *d, gv_wandb *w, const json_t *config, gv_err *err)
{
    char path[4500];
    gv_buf b = { 0 };
    int r = config_yaml(w, config, err);
    r = r == GV_OK ? metadata(d, w, err) : r;
    r = r == GV_OK ? gv_wandb_file(d, "wandb-metadata.json", GV_WANDB_OWN, err) : r;
    snprintf(path, sizeof path, "%s/logs/debug.log", w->dir);
    r = r == GV_OK ? gv_buf_printf(&b, err, "written by glovita-log %s from '%s'\n", GV_VERSION, d->run->dir) : r;
    r = r == GV_OK ? put_file(w, path, b.data, b.len, err) : r;
    gv_buf_release(&b);
    return r;
}

/* ---- output.log, wandb-summary.json ---- */

static int summary(const gv_delivery *d, gv_wandb *w, gv_err *err)
{
    char path[4500];
    const json_t *j = json_object_get(d->memory, "summary");
    snprintf(path, sizeof path, "%s/files/wandb-summary.json", w->dir);
    return j ? put_json(w, path, j, err) : GV_OK;
}

/* What was said goes behind what the record says was written: a delivery that died in between is written over. */
static int console(gv_delivery *d, gv_wandb *w, gv_err *err)
{
    char path[4500];
    json_int_t at = json_integer_value(json_object_get(d->memory, "console"));
    int r = GV_OK;
    if (!gv_wandb_may_sync(d)) { /* W&B's own program writes that file itself */
        snprintf(path, sizeof path, "%s/files/output.log", w->dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0 || ftruncate(fd, at) < 0 || lseek(fd, at, SEEK_SET) < 0 || gv_write_full(fd, w->console.data, w->console.len, err) < 0)
            r = gv_fail_sys(err, "cannot write '%s'", path);
        if (fd >= 0)
            close(fd);
        w->unsynced = true;
    }
    if (r == GV_OK && json_object_set_new(d->memory, "console", json_integer(at + (json_int_t)w->console.len)) < 0)
        r = gv_fail(err, GV_ESYS, "out of memory");
    w->console.len = 0; /* what failed is said again */
    return r;
}

int gv_wandb_flush(gv_delivery *d, gv_wandb *w, gv_err *err)
{
    int r = d->run->state == GV_RUN_GOING ? GV_OK : summary(d, w, err);
    r = r == GV_OK && w->console.len && w->round == d->round ? console(d, w, err) : r;
    if (r < 0 || !w->unsynced)
        return r;
    int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 || syncfs(fd) < 0 ? gv_fail_sys(err, "cannot write '%s' to the disk", w->dir) : GV_OK;
    if (fd >= 0)
        close(fd);
    w->unsynced = r < 0;
    return r;
}

/* ---- digests ---- */

static void hex(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static int digest(const EVP_MD *kind, const void *p, size_t n, unsigned char out[EVP_MAX_MD_SIZE], unsigned int *len, gv_err *err)
{
    return EVP_Digest(p, n, out, len, kind, NULL) == 1 ? GV_OK : gv_fail(err, GV_ESYS, "cannot compute a digest");
}

/* ---- pictures ---- */

json_t *gv_wandb_image(gv_wandb *w, const gv_run_picture *p, gv_err *err)
{
    char name[400], path[4900], sum[2 * EVP_MAX_MD_SIZE + 1];
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    gv_buf b = { 0 };
    json_t *j = NULL;
    int64_t width, height;
    int channels, r = gv_delivery_png(p->path, &b, &width, &height, &channels, err);
    r = r == GV_OK ? digest(EVP_sha256(), b.data, b.len, md, &n, err) : r;
    if (r == GV_OK) {
        hex(md, n, sum);
        snprintf(name, sizeof name, "media/images/%.160s_%" PRId64 "_%.20s.png", p->key, p->step, sum);
        snprintf(path, sizeof path, "%s/files/%s", w->dir, name);
        *strrchr(path, '/') = 0; /* a key may have folders */
        r = gv_mkdirs(path, err);
        snprintf(path, sizeof path, "%s/files/%s", w->dir, name);
        r = r == GV_OK ? put_file(w, path, b.data, b.len, err) : r;
    }
    if (r == GV_OK && !(j = json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I}", "_type", "image-file", "sha256", sum, "size", (json_int_t)b.len, "path", name, "format", "png",
                                      "width", (json_int_t)width, "height", (json_int_t)height)))
        gv_fail(err, GV_ESYS, "out of memory");
    gv_buf_release(&b);
    return j;
}

/* ---- the artifact ---- */

/* The MD5 of a file in base64, as manifests have it. */
static int file_digest(const char *path, char out[64], int64_t *size, gv_err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    enum { PIECE = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    char *piece = gv_alloc(PIECE, err);
    int64_t got = 0;
    int r = fd < 0 ? gv_fail_sys(err, "cannot open '%s'", path) : piece && x && EVP_DigestInit_ex(x, EVP_md5(), NULL) == 1 ? GV_OK : gv_fail(err, GV_ESYS, "cannot compute an MD5");
    *size = 0;
    while (r == GV_OK && (got = gv_read_full(fd, piece, PIECE, err)) > 0) {
        *size += got;
        r = EVP_DigestUpdate(x, piece, (size_t)got) == 1 ? GV_OK : gv_fail(err, GV_ESYS, "cannot compute an MD5");
    }
    r = r == GV_OK && got < 0 ? (int)got : r;
    if (r == GV_OK)
        r = EVP_DigestFinal_ex(x, md, &n) == 1 && n == 16 ? GV_OK : gv_fail(err, GV_ESYS, "cannot compute an MD5");
    if (r == GV_OK)
        EVP_EncodeBlock((unsigned char *)out, md, 16);
    EVP_MD_CTX_free(x);
    gv_free(piece);
    if (fd >= 0)
        close(fd);
    return r;
}

/* An id of the client's own, unlike any other: 128 digits from what makes this artifact what it is. */
static int client_id(gv_pb *m, int field, const gv_wandb *w, const char *what, const char *sum, gv_err *err)
{
    char text[512], out[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    snprintf(text, sizeof text, "%s %.130s %.250s %.100s", what, w->id, strrchr(w->dir, '/'), sum);
    int r = digest(EVP_sha512(), text, strlen(text), md, &n, err);
    hex(md, n, out);
    gv_pb_text(m, field, out);
    return r;
}

int gv_wandb_artifact(gv_delivery *d, const gv_wandb *w, const char *name, gv_err *err)
{
    static const char head[] = "wandb-artifact-manifest-v1\n";
    char path[4400], sum[64], whole[600], md5[2 * EVP_MAX_MD_SIZE + 1] = "", model[200];
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    int64_t size = 0;
    const char *file = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    snprintf(path, sizeof path, "%.4000s/%.300s", d->run->dir, name);
    if (!gv_file_exists(path))
        return GV_OK; /* tidied away meanwhile */
    int r = file_digest(path, sum, &size, err);
    snprintf(whole, sizeof whole, "%s%.255s:%s\n", head, file, sum);
    r = r == GV_OK ? digest(EVP_md5(), whole, strlen(whole), md, &n, err) : r;
    char *absolute = r == GV_OK ? realpath(path, NULL) : NULL;
    if (r < 0 || !absolute)
        return r < 0 ? r : gv_fail_sys(err, "cannot find '%s'", path);
    hex(md, n, md5);
    snprintf(model, sizeof model, "model-%.130s", w->id);
    gv_pb m;
    gv_wandb_open_record(d, &m, err);
    size_t a = gv_pb_open(&m, GV_WB_ARTIFACT);
    gv_pb_text(&m, 1, w->id);
    gv_pb_text(&m, 2, gv_wandb_project(d));
    gv_pb_text(&m, 3, gv_wandb_setting(d, "entity", "WANDB_ENTITY", NULL));
    gv_pb_text(&m, 4, "model");
    gv_pb_text(&m, 5, model);
    gv_pb_text(&m, 6, md5);
    gv_pb_text(&m, 11, "latest");
    gv_pb_text(&m, 11, "best");
    size_t manifest = gv_pb_open(&m, 12);
    gv_pb_int(&m, 1, 1);
    gv_pb_text(&m, 2, "wandb-storage-policy-v1");
    size_t policy = gv_pb_open(&m, 3);
    gv_pb_text(&m, 1, "storageLayout");
    gv_pb_text(&m, 2, "\"V2\"");
    gv_pb_close(&m, policy);
    size_t entry = gv_pb_open(&m, 4);
    gv_pb_text(&m, 1, file);
    gv_pb_text(&m, 2, sum);
    gv_pb_int(&m, 4, size);
    gv_pb_text(&m, 6, absolute);
    gv_pb_int(&m, 8, 1); /* W&B's cache of artifacts needs no copy */
    gv_pb_close(&m, entry);
    gv_pb_close(&m, manifest);
    gv_pb_int(&m, 14, 1); /* whole */
    r = client_id(&m, 15, w, "artifact", md5, err);
    r = r == GV_OK ? client_id(&m, 16, w, "sequence", "", err) : r;
    gv_pb_text(&m, 20, "MANIFEST_MD5");
    gv_pb_close(&m, a);
    free(absolute);
    m.r = m.r < 0 ? m.r : r;
    return gv_wandb_close_record(d, &m, err);
}
