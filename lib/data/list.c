/* Listings under construction, texts to numbers, layouts on disk. */
#include "data/internal.h"
#include "common/file.h"
#include "common/rng.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

int gv_listing_add(gv_listing *l, const gv_entry *e, gv_err *err)
{
    return gv_buf_add(&l->v, e, sizeof *e, err);
}

int gv_listing_take(gv_listing *l, gv_arena *arena, gv_split *out, gv_err *err)
{
    out->n = (int64_t)(l->v.len / sizeof *out->v);
    out->v = gv_arena_alloc_dirty(arena, l->v.len + 1, err);
    if (out->v && l->v.len)
        memcpy(out->v, l->v.data, l->v.len);
    gv_buf_release(&l->v);
    l->v = (gv_buf){ 0 };
    return out->v ? GV_OK : GV_ESYS;
}

int gv_listing_rows(gv_listing *l, const char *name, int64_t first_id, const char *path, int64_t first_row, const uint8_t *labels, int64_t n, gv_arena *arena, gv_err *err)
{
    enum { WIDTH = 32, EACH = 128 }; /* the arena aligns to 64 bytes, so names are cut from pieces of 128 */
    char *piece = NULL;
    for (int64_t i = 0; i < n; i++) {
        gv_entry e = { .path = path, .row = first_row + i, .label = labels[i] };
        if (i % EACH == 0 && !(piece = gv_arena_alloc(arena, WIDTH * EACH, err)))
            return GV_ESYS;
        e.id = piece + i % EACH * WIDTH;
        snprintf(piece + i % EACH * WIDTH, WIDTH, "%s/%05" PRId64, name, first_id + i);
        if (gv_listing_add(l, &e, err) < 0)
            return GV_ESYS;
    }
    return GV_OK;
}

static struct gv_textmap_slot *slot_of(const gv_textmap *m, const char *key)
{
    size_t i = gv_hash_name(key) & (m->cap - 1);
    while (m->slot[i].key && strcmp(m->slot[i].key, key))
        i = (i + 1) & (m->cap - 1);
    return &m->slot[i];
}

int gv_textmap_set(gv_textmap *m, const char *key, int64_t value, gv_err *err)
{
    if (m->n * 2 >= m->cap) {
        gv_textmap bigger = { .cap = m->cap ? m->cap * 2 : 64 };
        bigger.slot = gv_alloc(bigger.cap * sizeof *bigger.slot, err);
        if (!bigger.slot)
            return GV_ESYS;
        for (size_t i = 0; i < m->cap; i++)
            if (m->slot[i].key)
                *slot_of(&bigger, m->slot[i].key) = m->slot[i];
        bigger.n = m->n;
        gv_free(m->slot);
        *m = bigger;
    }
    struct gv_textmap_slot *s = slot_of(m, key);
    m->n += !s->key;
    *s = (struct gv_textmap_slot){ key, value };
    return GV_OK;
}

bool gv_textmap_get(const gv_textmap *m, const char *key, int64_t *value)
{
    if (!m->cap)
        return false;
    const struct gv_textmap_slot *s = slot_of(m, key);
    if (s->key)
        *value = s->value;
    return s->key != NULL;
}

void gv_textmap_release(gv_textmap *m)
{
    gv_free(m->slot);
    *m = (gv_textmap){ 0 };
}

bool gv_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *dir, const char *sub, const char *name, const char *suffix)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s%s%s%s", dir, sub, *sub ? "/" : "", name, suffix);
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

const char *gv_find_layout(const char *root, const char *const *subs, const char *const *names)
{
    for (; *subs; subs++) {
        size_t i = 0;
        while (names[i] && (is_file(root, *subs, names[i], "") || is_file(root, *subs, names[i], ".gz")))
            i++;
        if (!names[i])
            return *subs;
    }
    return NULL;
}

const char *gv_layout_path(const char *root, const char *dir, const char *name, gv_arena *arena, gv_err *err)
{
    bool plain = is_file(root, dir, name, "");
    if (!plain && !is_file(root, dir, name, ".gz")) {
        gv_fail(err, GV_EUSAGE, "'%s/%s%s%s' is not there (looked for it with .gz, too)", root, dir, *dir ? "/" : "", name);
        return NULL;
    }
    return gv_arena_printf(arena, err, "%s%s%s%s", dir, *dir ? "/" : "", name, plain ? "" : ".gz");
}

const char *gv_data_root(const gv_config *c, gv_err *err)
{
    const char *root = c->data.data_root_dir;
    if (!root)
        gv_fail(err, GV_EUSAGE, "data.data_root_dir is not given: the directory that holds data set '%s' (--data.data_root_dir DIR)", c->data.dataset->name);
    else if (!gv_is_dir(root)) {
        struct stat st;
        int missing = stat(root, &st) < 0;
        gv_fail(err, GV_EUSAGE, "data.data_root_dir '%s' %s%s", root, missing ? "cannot be used: " : "is not a directory", missing ? strerror(errno) : "");
    } else
        return root;
    return NULL;
}
