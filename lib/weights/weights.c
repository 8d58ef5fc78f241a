/* weights: open a file of weights by its first bytes; the list of tensors and texts every reader fills. */
#include "weights/internal.h"
#include "common/file.h"
#include "common/rng.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

static size_t slot_of(const gv_names *t, const char *name)
{
    size_t i = (size_t)gv_hash_name(name) & (t->cap - 1);
    while (t->slot[i].name && strcmp(t->slot[i].name, name))
        i = (i + 1) & (t->cap - 1);
    return i;
}

int gv_names_add(gv_names *t, const char *name, size_t *index, gv_err *err)
{
    if (2 * (t->n + 1) > t->cap) {
        gv_names u = { .cap = t->cap ? 2 * t->cap : 64, .n = t->n };
        u.slot = gv_alloc(u.cap * sizeof *u.slot, err);
        if (!u.slot)
            return err ? err->code : GV_ESYS;
        for (size_t i = 0; i < t->cap; i++)
            if (t->slot[i].name)
                u.slot[slot_of(&u, t->slot[i].name)] = t->slot[i];
        gv_free(t->slot);
        *t = u;
    }
    size_t i = slot_of(t, name);
    if (t->slot[i].name) {
        *index = t->slot[i].index;
        return 0;
    }
    t->slot[i] = (struct gv_name_slot){ name, *index };
    t->n++;
    return 1;
}

int64_t gv_names_find(const gv_names *t, const char *name)
{
    if (!t->cap)
        return -1;
    size_t i = slot_of(t, name);
    return t->slot[i].name ? (int64_t)t->slot[i].index : -1;
}

void gv_names_release(gv_names *t)
{
    gv_free(t->slot);
    *t = (gv_names){ 0 };
}

/* ---- what readers add ---- */

static size_t total(const gv_weights *w)
{
    return w->tensors.len / sizeof(gv_named);
}

int gv_weights_add(gv_weights *w, const gv_named *t, gv_err *err)
{
    gv_named n = *t;
    size_t i = total(w);
    n.name = gv_arena_strdup(&w->arena, t->name, err);
    if (!n.name)
        return GV_ESYS;
    int r = gv_names_add(&w->by_name, n.name, &i, err);
    if (r < 0)
        return r;
    if (!r)
        return gv_fail(err, GV_EDATA, "the tensor '%s' occurs twice", n.name);
    return gv_buf_add(&w->tensors, &n, sizeof n, err);
}

int gv_weights_add_meta(gv_weights *w, const char *key, const char *value, gv_err *err)
{
    gv_meta m = { gv_arena_strdup(&w->arena, key, err), NULL };
    size_t i = w->metas.len / sizeof m;
    if (!m.key || !(m.value = gv_arena_strdup(&w->arena, value, err)))
        return GV_ESYS;
    int r = gv_names_add(&w->by_key, m.key, &i, err);
    if (r < 0)
        return r;
    return r ? gv_buf_add(&w->metas, &m, sizeof m, err) : GV_OK; /* the first one stands */
}

void *gv_weights_copy_space(gv_weights *w, size_t bytes, const char *what, gv_err *err)
{
    size_t most = w->size < SIZE_MAX / 32 ? 16 * w->size + ((size_t)64 << 20) : SIZE_MAX / 2;
    if (bytes > most - w->copied) {
        gv_fail(err, GV_EDATA, "'%s' needs %zu bytes more, and a file of %zu bytes may unfold to %zu at most", what, bytes, w->size, most);
        return NULL;
    }
    void *p = gv_alloc(bytes ? bytes : 1, err);
    if (!p || gv_buf_add(&w->copies, &p, sizeof p, err) < 0) {
        gv_free(p);
        return NULL;
    }
    w->copied += bytes;
    return p;
}

/* ---- opening ---- */

/* Containers we can name but do not read; `at` is where the bytes stand. */
static const struct known { const char *bytes; size_t n, at; const char *is; } known[] = {
    { "ustar", 5, 257, "a tar archive (PyTorch before 0.4, or a packed folder): load it with an old PyTorch and save it again, or unpack it" },
    { "7z\xBC\xAF\x27\x1C", 6, 0, "a 7z archive: unpack it first" },
    { "\x1F\x8B", 2, 0, "gzip-compressed: unpack it first (gunzip)" },
    { "\xFD" "7zXZ", 5, 0, "xz-compressed: unpack it first (unxz)" },
    { "\x28\xB5\x2F\xFD", 4, 0, "zstd-compressed: unpack it first (unzstd)" },
    { "BZh", 3, 0, "bzip2-compressed: unpack it first (bunzip2)" },
    { "Rar!", 4, 0, "a RAR archive: unpack it first" },
    { "\x89HDF", 4, 0, "an HDF5 file (Keras weights?): convert it to safetensors first" },
    { "GGUF", 4, 0, "a GGUF file: convert it to safetensors first" },
    { "version https://git-lfs", 23, 0, "a Git LFS pointer, not the weights: run 'git lfs pull' where it came from" },
    { "<!DOCTYPE", 9, 0, "an HTML page, so a download went wrong: fetch it again" },
    { "<html", 5, 0, "an HTML page, so a download went wrong: fetch it again" },
    { "PYTORCH1", 8, 0, "an early PyTorch archive: load it with an old PyTorch and save it again" },
};

static int read_any(gv_weights *w, gv_err *err)
{
    const unsigned char *p = w->map;
    size_t n = w->size;
    if (n >= 4 && !memcmp(p, "PK\3\4", 4))
        return gv_torch_zip_read(w, err);
    if (gv_torch_legacy_sniff(p, n))
        return gv_torch_legacy_read(w, err);
    for (size_t i = 0; i < GV_COUNT(known); i++)
        if (n >= known[i].at + known[i].n && !memcmp(p + known[i].at, known[i].bytes, known[i].n))
            return gv_fail(err, GV_EDATA, "it is %s", known[i].is);
    const char *dot = strrchr(w->path, '.');
    if ((dot && !strcmp(dot, ".safetensors")) || (n > 8 && (p[8] == '{' || GV_LE64(p) <= n - 8)))
        return gv_safetensors_read(w, err);
    if (n >= 2 && p[0] == 0x80 && p[1] <= 5)
        return gv_fail(err, GV_EDATA, "it is a pickle, but not one that torch.save wrote: load it where it was made and save its tensors as safetensors");
    if (n < 8)
        return gv_fail(err, GV_EDATA, "it has %zu bytes, too few for any weights", n);
    return gv_fail(err, GV_EDATA, "it is neither safetensors nor a file of torch.save (it starts with %02x %02x %02x %02x)", p[0], p[1], p[2], p[3]);
}

static int map_file(gv_weights *w, gv_err *err)
{
    int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", w->path);
    struct stat st;
    int r = GV_OK;
    if (fstat(fd, &st) < 0)
        r = gv_fail_sys(err, "cannot stat '%s'", w->path);
    else if (!S_ISREG(st.st_mode))
        r = gv_fail(err, GV_EDATA, "'%s' is %s, not a file of weights", w->path, S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    else if (!st.st_size)
        r = gv_fail(err, GV_EDATA, "'%s' is empty", w->path);
    else {
        w->size = (size_t)st.st_size;
        void *p = mmap(NULL, w->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            r = gv_fail_sys(err, "cannot map '%s' (%zu bytes)", w->path, w->size);
        else
            w->map = p;
    }
    close(fd);
    return r;
}

int gv_weights_open(gv_weights **out, const char *path, gv_err *err)
{
    *out = NULL;
    gv_weights *w = gv_alloc(sizeof *w, err);
    if (!w)
        return GV_ESYS;
    w->path = path; /* until there is an arena, which needs the size */
    int r = map_file(w, err);
    /* Names and texts; those of an optimizer are made of several keys. Addresses only: pages come with use. */
    if (r == GV_OK)
        r = gv_arena_init(&w->arena, "weights", ((size_t)64 << 20) + (w->size < ((size_t)1 << 30) / 100 ? 100 * w->size : (size_t)1 << 30), err);
    if (r == GV_OK && !(w->path = gv_arena_strdup(&w->arena, path, err)))
        r = GV_ESYS;
    if (r == GV_OK && (r = read_any(w, err)) < 0)
        gv_fail_in(err, "cannot read the weights in '%s'", path);
    if (r < 0) {
        gv_weights_close(w);
        return r;
    }
    *out = w;
    return GV_OK;
}

void gv_weights_close(gv_weights *w)
{
    if (!w)
        return;
    void **copy = (void **)w->copies.data;
    for (size_t i = 0; i < w->copies.len / sizeof *copy; i++)
        gv_free(copy[i]);
    gv_buf_release(&w->copies);
    gv_buf_release(&w->tensors);
    gv_buf_release(&w->metas);
    gv_names_release(&w->by_name);
    gv_names_release(&w->by_key);
    gv_arena_release(&w->arena);
    if (w->map)
        munmap((void *)w->map, w->size);
    gv_free(w);
}

size_t gv_weights_count(const gv_weights *w)
{
    return w->nmodel;
}

const gv_named *gv_weights_at(const gv_weights *w, size_t i)
{
    return (const gv_named *)w->tensors.data + i;
}

const gv_named *gv_weights_find(const gv_weights *w, const char *name)
{
    int64_t i = gv_names_find(&w->by_name, name);
    return i < 0 ? NULL : gv_weights_at(w, (size_t)i);
}

const char *gv_weights_meta(const gv_weights *w, const char *key)
{
    int64_t i = gv_names_find(&w->by_key, key);
    return i < 0 ? NULL : ((const gv_meta *)w->metas.data)[i].value;
}

const char *gv_weights_format(const gv_weights *w)
{
    return w->format;
}

const char *gv_weights_path(const gv_weights *w)
{
    return w->path;
}
