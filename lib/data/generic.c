/* Data sets made of files: below data_root_dir/<dir>, in splits given by a JSON file or by folders. Their fields: generic.h.
 *
 * splits.json: {"train":[ids],"val":[…],"test":[…]}; folds as {"0":{"train":…,"val":…}} or a list of such; {"0":[…],"1":[…]},
 * where fold k validates and the rest trains; or one list, from which training.cv_folds draws. A "test" beside folds stays
 * apart. An id resolves against the root, the folder and its split; without an allowed suffix each of them is tried.
 * Folders: <dir>/<split>/ is scanned, in the order of names at each level; links to directories are not followed.
 * Facts: GloViTa's own data set of that name (Apache-2.0), behaviour only; labels are in generic_labels.c. */
#include "data/generic.h"
#include "formats/video.h"
#include "common/log.h"
#include "json/json.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const gv_split_sources[] = { "splits_json", "subdirs", NULL }, *const gv_label_sources[] = { "folder", "json", "csv", NULL };

enum { SPLITS_CAP = 1 << 30, PATH = 4096, DEEPEST = 64 };

/* "./a//b/" -> "a/b"; "." -> "". */
static char *normal(const char *path, gv_arena *a, gv_err *err)
{
    char *out = gv_arena_strdup(a, path, err), *to = out;
    if (!out)
        return NULL;
    for (const char *p = path; *p;) {
        if (p[0] == '/' && (p[1] == '/' || !p[1]) && p > path)
            p++;
        else if (p[0] == '.' && (p[1] == '/' || !p[1]) && (p == path || p[-1] == '/'))
            p += 1 + (p[1] == '/');
        else
            *to++ = *p++;
    }
    while (to > out + 1 && to[-1] == '/')
        to--;
    *to = 0;
    return out;
}

static bool allowed(const gv_generic *g, const char *path)
{
    bool is;
    gv_suffix_at(g, path, &is);
    return is;
}

/* ---- ids to paths ---- */

static bool is_sample(const gv_generic *g, const char *folder)
{
    bool found = false;
    DIR *d = gv_content_find(g->d->content)->folders ? opendir(folder) : NULL;
    for (const struct dirent *e; d && !found && (e = readdir(d));)
        found = gv_video_picture(e->d_name);
    if (d)
        closedir(d);
    return found;
}

/* A regular file or, where such folders are samples, one with a picture in it. */
static bool is_file(const gv_generic *g, const char *path)
{
    char full[PATH * 2];
    struct stat st;
    snprintf(full, sizeof full, "%s%s%s", *path == '/' ? "" : g->root, *path == '/' ? "" : "/", path);
    return stat(full, &st) == 0 && (S_ISREG(st.st_mode) || (S_ISDIR(st.st_mode) && is_sample(g, full)));
}

/* base as it is, or with each suffix. 1 and the path in `out`, 0 no such file. */
static int with_suffixes(const gv_generic *g, const char *base, char out[PATH])
{
    bool suffixed = base[gv_suffix_at(g, base, NULL)] || gv_content_find(g->d->content)->folders;
    if (suffixed && snprintf(out, PATH, "%s", base) < PATH && is_file(g, out))
        return 1;
    if (allowed(g, base))
        return 0;
    for (size_t i = 0; i < g->o->allowed_exts.n; i++)
        if (snprintf(out, PATH, "%s%s", base, g->o->allowed_exts.v[i]) < PATH && is_file(g, out))
            return 1;
    return 0;
}

static int resolve(const gv_generic *g, int split, const char *id, char out[PATH])
{
    char base[PATH];
    const char *sep = *g->images ? "/" : "";
    if (*id == '/') {
        const char *below = gv_below(g->root, id);
        return with_suffixes(g, below ? below : id, out);
    }
    if (with_suffixes(g, id, out))
        return 1;
    if (snprintf(base, sizeof base, "%s%s%s", g->images, sep, id) < PATH && with_suffixes(g, base, out))
        return 1;
    return snprintf(base, sizeof base, "%s%s%s/%s", g->images, sep, g->split_name[split], id) < PATH && with_suffixes(g, base, out);
}

static const char *id_text(const gv_generic *g, const json_t *v, gv_err *err)
{
    if (json_is_string(v))
        return normal(json_string_value(v), g->arena, err);
    if (json_is_integer(v))
        return gv_arena_printf(g->arena, err, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    gv_fail(err, GV_EDATA, "'%s/%s': an id is neither a text nor a whole number", g->root, g->o->split_file);
    return NULL;
}

static int read_list(gv_generic *g, int split, const json_t *ids, gv_split *out, gv_err *err)
{
    gv_listing l = { 0 };
    char path[PATH];
    size_t i;
    json_t *v;
    int r = GV_OK;
    json_array_foreach(ids, i, v) {
        gv_entry e = { .row = -1, .label = -1, .id = id_text(g, v, err) };
        if (!e.id) {
            r = err->code;
            break;
        }
        if (g->rows ? !gv_textmap_get(&g->rows->of_id, e.id, &e.row) : !resolve(g, split, e.id, path)) {
            g->d->skipped++;
            if (!g->o->strict)
                continue;
            if (g->rows) {
                r = gv_fail(err, GV_EUSAGE, "'%s' of split '%s' is not in '%s/%s' (data.no_strict leaves it out)", e.id, g->split_name[split], g->root, g->rows->path);
                break;
            }
            r = gv_fail(err, GV_EUSAGE, "no file for '%s' of split '%s': looked in '%s', '%s' and '%s/%s'%s", e.id, g->split_name[split], g->root, g->images_full, g->images_full, g->split_name[split],
                allowed(g, e.id) ? " (data.no_strict leaves it out)" : ", with each of data.allowed_exts (data.no_strict leaves it out)");
            break;
        }
        if (!(e.path = g->rows ? g->rows->path : !strcmp(path, e.id) ? e.id : gv_arena_strdup(g->arena, path, err)))
            r = GV_ESYS;
        else
            r = gv_generic_label_find(g, split, e.path, e.id, &e, err);
        if (r < 0 || (r > 0 && (r = gv_listing_add(&l, &e, err)) < 0))
            break;
        r = GV_OK;
    }
    if (r == GV_OK)
        r = gv_listing_take(&l, g->arena, out, err);
    gv_buf_release(&l.v);
    return r;
}

/* ---- splits.json ---- */

/* The lists of the chosen fold: borrowed, NULL where there is none. train is made where it is a sum of folds. */
struct lists { const json_t *list[GV_SPLITS]; json_t *made; };

static int keep_fold_names(gv_generic *g, const char **names, size_t n, gv_err *err)
{
    gv_data *d = g->d;
    const char *want = g->c->data.fold;
    d->fixed = true;
    d->nfolds = n;
    d->fold_names = names;
    d->fold = NULL;
    for (size_t i = 0; i < n && !d->fold; i++)
        if (!want || !strcmp(names[i], want))
            d->fold = names[i];
    if (!d->fold)
        return gv_fail(err, GV_EUSAGE, "data.fold is '%s'; the folds of '%s/%s' are '%s' to '%s'", want, g->root, g->o->split_file, names[0], names[n - 1]);
    return GV_OK;
}

static void take_lists(const gv_generic *g, const json_t *from, struct lists *out)
{
    for (int s = 0; s < GV_SPLITS; s++) {
        const json_t *v = json_object_get(from, g->split_name[s]);
        if (json_is_array(v))
            out->list[s] = v;
    }
}

static int list_folds(gv_generic *g, struct lists *out, gv_err *err)
{
    size_t n = json_array_size(g->splits);
    const char **names = gv_arena_alloc(g->arena, n * sizeof *names + 1, err);
    if (n && json_is_string(json_array_get(g->splits, 0))) { /* one list: all of it trains, folds are drawn */
        out->list[GV_SPLIT_TRAIN] = g->splits;
        return names ? GV_OK : GV_ESYS;
    }
    for (size_t i = 0; names && i < n; i++)
        if (!(names[i] = gv_arena_printf(g->arena, err, "%zu", i)))
            return GV_ESYS;
    if (!names)
        return GV_ESYS;
    if (!n || !json_is_object(json_array_get(g->splits, 0)))
        return gv_fail(err, GV_EDATA, "'%s/%s' is a list of neither folds nor ids", g->root, g->o->split_file);
    if (keep_fold_names(g, names, n, err) < 0)
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (names[i] == g->d->fold)
            take_lists(g, json_array_get(g->splits, i), out);
    return GV_OK;
}

static int dict_folds(gv_generic *g, struct lists *out, gv_err *err)
{
    const char **names = gv_arena_alloc(g->arena, json_object_size(g->splits) * sizeof *names + 1, err), *key;
    size_t n = 0;
    json_t *v;
    if (!names)
        return GV_ESYS;
    json_object_foreach(g->splits, key, v)
        if (strcmp(key, g->split_name[GV_SPLIT_TEST]) && (json_is_object(v) || json_is_array(v)) && !(names[n++] = gv_arena_strdup(g->arena, key, err)))
            return GV_ESYS;
    if (!n)
        return gv_fail(err, GV_EUSAGE, "'%s/%s' holds no split '%s' and no folds", g->root, g->o->split_file, g->split_name[GV_SPLIT_TRAIN]);
    if (keep_fold_names(g, names, n, err) < 0)
        return err->code;
    json_t *fold = json_object_get(g->splits, g->d->fold);
    if (json_is_object(fold)) {
        take_lists(g, fold, out);
    } else {
        out->list[GV_SPLIT_VAL] = fold;
        if (!(out->made = json_array()))
            return gv_fail(err, GV_ESYS, "out of memory for the splits");
        for (size_t i = 0; i < n; i++)
            if (names[i] != g->d->fold && json_array_extend(out->made, json_object_get(g->splits, names[i])) < 0)
                return gv_fail(err, GV_EDATA, "'%s/%s': fold '%s' is not a list, but fold '%s' is", g->root, g->o->split_file, names[i], g->d->fold);
        out->list[GV_SPLIT_TRAIN] = out->made;
    }
    v = json_object_get(g->splits, g->split_name[GV_SPLIT_TEST]);
    if (!out->list[GV_SPLIT_TEST] && json_is_array(v))
        out->list[GV_SPLIT_TEST] = v;
    return GV_OK;
}

static bool single(const gv_generic *g)
{
    for (int s = GV_SPLIT_TRAIN; s <= GV_SPLIT_VAL; s++)
        if (json_is_array(json_object_get(g->splits, g->split_name[s])))
            return true;
    return json_object_size(g->splits) == 1 && json_is_array(json_object_get(g->splits, g->split_name[GV_SPLIT_TEST]));
}

static int read_splits(gv_generic *g, gv_err *err)
{
    struct lists k = { 0 };
    int r = GV_OK;
    if (json_is_array(g->splits))
        r = list_folds(g, &k, err);
    else if (single(g))
        take_lists(g, g->splits, &k);
    else
        r = dict_folds(g, &k, err);
    g->d->fixed |= k.list[GV_SPLIT_VAL] != NULL;
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        bool stands_in = s == GV_SPLIT_VAL && !k.list[GV_SPLIT_TEST] && g->want->splits & 1u << GV_SPLIT_TEST;
        if (k.list[s] && (g->want->splits & 1u << s || stands_in))
            r = read_list(g, s, k.list[s], &g->d->split[s], err);
    }
    json_decref(k.made);
    return r;
}

/* ---- folders ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in a directory, sorted by bytes (as Python sorts the parts of a path), in `scratch`. */
static int sorted_names(const char *full, const char ***names, size_t *n, gv_arena *scratch, gv_err *err)
{
    DIR *d = opendir(full);
    gv_buf list = { 0 };
    const struct dirent *e;
    int r = d ? GV_OK : gv_fail_sys(err, "cannot list '%s'", full);
    while (r == GV_OK && (e = readdir(d))) {
        char *name = NULL;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        if (!(name = gv_arena_strdup(scratch, e->d_name, err)) || gv_buf_add(&list, &name, sizeof name, err) < 0)
            r = GV_ESYS;
    }
    if (d)
        closedir(d);
    *n = list.len / sizeof **names;
    *names = r == GV_OK ? gv_arena_alloc(scratch, list.len + 1, err) : NULL;
    if (*names && *n) {
        memcpy(*names, list.data, list.len);
        qsort(*names, *n, sizeof **names, by_text);
    }
    gv_buf_release(&list);
    return *names ? r : err->code;
}

/* `path`: the directory below the root, a buffer that is put back as it was. */
static int scan(gv_generic *g, int split, char path[PATH], int depth, gv_arena *scratch, gv_listing *l, gv_err *err)
{
    char full[PATH * 2];
    const char **names;
    size_t n, len = strlen(path), mark = scratch->used;
    int r;
    snprintf(full, sizeof full, "%s%s%s", *path == '/' ? "" : g->root, *path == '/' ? "" : "/", path);
    if (depth > DEEPEST)
        return gv_fail(err, GV_EUSAGE, "'%s' lies deeper than %d folders", full, DEEPEST);
    if ((r = sorted_names(full, &names, &n, scratch, err)) < 0)
        return r;
    size_t flen = strlen(full);
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        struct stat st;
        if (snprintf(path + len, PATH - len, "/%s", names[i]) >= (int)(PATH - len) || snprintf(full + flen, sizeof full - flen, "/%s", names[i]) >= (int)(sizeof full - flen))
            r = gv_fail(err, GV_EUSAGE, "'%s/%s' is longer than %d bytes", full, names[i], PATH);
        else if (lstat(full, &st) < 0)
            r = gv_fail_sys(err, "cannot look at '%s'", full);
        else if (S_ISDIR(st.st_mode) && !is_sample(g, full))
            r = scan(g, split, path, depth + 1, scratch, l, err);
        else if (S_ISLNK(st.st_mode) && gv_is_dir(full))
            gv_log(GV_WARNING, "'%s' is a symbolic link to a directory and is not followed", full);
        else if (S_ISDIR(st.st_mode) || (allowed(g, names[i]) && (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && is_file(g, path))))) {
            gv_entry e = { .row = -1, .label = -1, .path = gv_arena_strdup(g->arena, path, err) };
            r = e.path ? gv_generic_label_find(g, split, e.path, NULL, &e, err) : GV_ESYS;
            if (r > 0) {
                const char *id = gv_below(g->images, e.path);
                e.id = id ? id : e.path;
                r = gv_listing_add(l, &e, err);
            }
        }
        path[len] = full[flen] = 0;
    }
    gv_arena_rewind(scratch, mark);
    return r;
}

static int read_folders(gv_generic *g, gv_err *err)
{
    gv_arena scratch = { 0 };
    bool there[GV_SPLITS], any = false;
    int r = gv_arena_init(&scratch, "scan", 4ull << 30, err);
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        char full[PATH * 2];
        snprintf(full, sizeof full, "%s/%s", g->images_full, g->split_name[s]);
        any |= there[s] = gv_is_dir(full);
    }
    g->d->fixed = r == GV_OK && there[GV_SPLIT_VAL];
    if (r == GV_OK && !any)
        r = gv_fail(err, GV_EUSAGE, "'%s' has none of the folders '%s', '%s' and '%s' (data.split_source subdirs)", g->images_full, g->split_name[0], g->split_name[1], g->split_name[2]);
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        bool stands_in = s == GV_SPLIT_VAL && !there[GV_SPLIT_TEST] && g->want->splits & 1u << GV_SPLIT_TEST;
        char path[PATH];
        gv_listing l = { 0 };
        if (!there[s] || !(g->want->splits & 1u << s || stands_in))
            continue;
        snprintf(path, sizeof path, "%s%s%s", g->images, *g->images ? "/" : "", g->split_name[s]);
        r = scan(g, s, path, 0, &scratch, &l, err);
        if (r == GV_OK)
            r = gv_listing_take(&l, g->arena, &g->d->split[s], err);
        gv_buf_release(&l.v);
    }
    gv_arena_release(&scratch);
    return r;
}

/* ---- classes by folder ---- */

static int note_class(gv_textmap *seen, gv_buf *list, const char *name, size_t len, gv_arena *a, gv_err *err)
{
    char *copy = gv_arena_strndup(a, name, len, err);
    int64_t there;
    if (!copy)
        return GV_ESYS;
    if (gv_textmap_get(seen, copy, &there))
        return GV_OK;
    return gv_textmap_set(seen, copy, 0, err) < 0 || gv_buf_add(list, &copy, sizeof copy, err) < 0 ? GV_ESYS : GV_OK;
}

/* The folder of an id that stands for a class, by its text alone: what follows images_dir and a split's name. */
static int class_of_id(const gv_generic *g, const json_t *v, gv_textmap *seen, gv_buf *list, gv_arena *a, gv_err *err)
{
    const char *id = json_is_string(v) ? normal(json_string_value(v), a, err) : NULL, *rest, *slash;
    if (!id)
        return json_is_string(v) ? GV_ESYS : GV_OK;
    if (*id == '/' && (rest = gv_below(g->root, id)))
        id = rest;
    if (*g->images && (rest = gv_below(g->images, id)))
        id = rest;
    for (int s = 0; s < GV_SPLITS; s++)
        if ((rest = gv_below(g->split_name[s], id))) {
            id = rest;
            break;
        }
    slash = strchr(id, '/');
    return slash && slash > id ? note_class(seen, list, id, (size_t)(slash - id), a, err) : GV_OK;
}

static int classes_of_ids(const gv_generic *g, const json_t *v, gv_textmap *seen, gv_buf *list, gv_arena *a, gv_err *err)
{
    json_t *x;
    const char *key;
    size_t i;
    int r = GV_OK;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, x)
            if (r == GV_OK)
                r = classes_of_ids(g, x, seen, list, a, err);
        return r;
    }
    json_array_foreach(v, i, x)
        if (r == GV_OK)
            r = json_is_string(x) ? class_of_id(g, x, seen, list, a, err) : classes_of_ids(g, x, seen, list, a, err);
    return r;
}

static int classes_of_folders(const gv_generic *g, gv_textmap *seen, gv_buf *list, gv_arena *a, gv_err *err)
{
    int r = GV_OK;
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        char full[PATH * 2];
        const char **names;
        size_t n;
        snprintf(full, sizeof full, "%s/%s", g->images_full, g->split_name[s]);
        if (!gv_is_dir(full))
            continue;
        r = sorted_names(full, &names, &n, a, err);
        size_t len = strlen(full);
        for (size_t i = 0; i < n && r == GV_OK; i++) {
            snprintf(full + len, sizeof full - len, "/%s", names[i]);
            if (gv_is_dir(full))
                r = note_class(seen, list, names[i], strlen(names[i]), g->arena, err);
        }
    }
    return r;
}

static int find_classes(gv_generic *g, gv_err *err)
{
    gv_textmap seen = { 0 };
    gv_buf list = { 0 };
    gv_arena scratch = { 0 };
    int r;
    if (g->o->class_names.v) {
        const char **copy = gv_arena_alloc(g->arena, g->o->class_names.n * sizeof *copy + 1, err);
        if (!copy)
            return GV_ESYS;
        memcpy(copy, g->o->class_names.v, g->o->class_names.n * sizeof *copy);
        return gv_generic_classes_set(g, copy, g->o->class_names.n, "data.class_names", err);
    }
    if (g->o->label_source != GV_LABELS_FOLDER)
        return GV_OK;
    if ((r = gv_arena_init(&scratch, "classes", 4ull << 30, err)) == GV_OK)
        r = g->splits ? classes_of_ids(g, g->splits, &seen, &list, g->arena, err) : classes_of_folders(g, &seen, &list, &scratch, err);
    size_t n = list.len / sizeof(char *);
    if (r == GV_OK && !n && !g->want->unlabelled)
        r = gv_fail(err, GV_EUSAGE, "no class folders below '%s' (give data.class_names, or data.label_source json or csv)", g->images_full);
    if (r == GV_OK && n)
        r = gv_generic_classes_set(g, (const char **)(void *)list.data, n, "the folders", err);
    if (r == GV_OK && (int64_t)n < g->d->num_classes && n)
        gv_log(GV_WARNING, "data.num_classes is %" PRId64 ", but only %zu class folders were found", g->d->num_classes, n);
    gv_textmap_release(&seen);
    gv_buf_release(&list);
    gv_arena_release(&scratch);
    return r;
}

/* ---- the data set ---- */

static int read_all(gv_generic *g, gv_err *err)
{
    gv_data *d = g->d;
    if (g->o->split_source == GV_SPLITS_JSON) {
        char *path = gv_arena_printf(g->arena, err, "%s/%s", g->root, g->o->split_file);
        if (!path)
            return GV_ESYS;
        if (access(path, R_OK) < 0) {
            gv_fail_sys(err, "the splits cannot be read: '%s'", path);
            return err->code = GV_EUSAGE;
        }
        if (!(g->splits = gv_json_read(path, SPLITS_CAP, err)))
            return err->code;
        if (!json_is_object(g->splits) && !json_is_array(g->splits))
            return gv_fail(err, GV_EDATA, "'%s' holds neither an object nor a list of splits", path);
    }
    if (find_classes(g, err) < 0 || gv_generic_labels_read(g, err) < 0)
        return err->code;
    int r = g->splits ? read_splits(g, err) : read_folders(g, err);
    if (r < 0 || d->target == GV_TARGET_CLASS)
        return r;
    if (d->target == GV_TARGET_FRAMEWISE) {
        struct gv_frame_labels *f = gv_arena_alloc(g->arena, g->frames.len + 1, err);
        if (f && g->frames.len)
            memcpy(f, g->frames.data, g->frames.len);
        d->frames = f;
        return f ? GV_OK : GV_ESYS;
    }
    float *values = gv_arena_alloc(g->arena, g->values.len + 1, err);
    if (!values)
        return GV_ESYS;
    if (g->values.len)
        memcpy(values, g->values.data, g->values.len);
    d->values = values;
    return GV_OK;
}

/* Folders of splits may lie in the root itself, where images_dir is left at its default and there is none. */
static int find_images(gv_generic *g, gv_err *err)
{
    char full[PATH * 2], typed[128];
    snprintf(typed, sizeof typed, "data.%s", g->c->data.dataset->fields[0].name);
    if (!(g->images = normal(g->o->dir, g->arena, err)))
        return GV_ESYS;
    g->images_full = *g->images == '/' ? g->images : gv_arena_printf(g->arena, err, "%s%s%s", g->root, *g->images ? "/" : "", g->images);
    if (!g->images_full)
        return GV_ESYS;
    if (g->o->split_source != GV_SPLITS_SUBDIRS || gv_is_dir(g->images_full))
        return GV_OK;
    bool here = false;
    for (int s = 0; s < GV_SPLITS; s++) {
        snprintf(full, sizeof full, "%s/%s", g->root, g->split_name[s]);
        here |= gv_is_dir(full);
    }
    if (gv_config_typed(g->c, typed) || !here)
        return gv_fail(err, GV_EUSAGE, "%s: '%s' is not a directory, and '%s' holds no folder '%s', '%s' or '%s'", typed, g->images_full, g->root, g->split_name[0], g->split_name[1], g->split_name[2]);
    g->images = "";
    g->images_full = g->root;
    return GV_OK;
}

int gv_generic_open(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    return gv_generic_open_rows(c, want, NULL, arena, d, err);
}

int gv_generic_open_rows(const gv_config *c, const gv_data_want *want, const gv_generic_rows *rows, gv_arena *arena, gv_data *d, gv_err *err)
{
    gv_generic g = { .c = c, .o = c->data.params, .want = want, .rows = rows, .arena = arena, .d = d };
    const char *root = gv_data_root(c, err);
    if (!root)
        return err->code;
    if (c->data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "data.num_classes is not given (--data.num_classes N)");
    if (rows && (g.o->split_source == GV_SPLITS_SUBDIRS || g.o->label_source == GV_LABELS_FOLDER))
        return gv_fail(err, GV_EUSAGE, "'%s' holds all samples: folders give neither splits (data.split_source splits_json) nor labels (data.label_source json or csv)", rows->path);
    d->num_classes = c->data.num_classes;
    d->target = c->data.task == GV_TASK_REGRESSION ? GV_TARGET_REGRESSION : c->data.subtask == GV_SUBTASK_MULTILABEL ? GV_TARGET_MULTILABEL : c->data.subtask == GV_SUBTASK_FRAMEWISE ? GV_TARGET_FRAMEWISE : GV_TARGET_CLASS;
    if (d->target == GV_TARGET_FRAMEWISE && (!g.o->frame_column || g.o->label_source != GV_LABELS_CSV))
        return gv_fail(err, GV_EUSAGE, "'--data.subtask framewise' takes a data set of videos and labels of frames in a table (--data.label_source csv)");
    if (d->target != GV_TARGET_CLASS && g.o->label_source == GV_LABELS_FOLDER)
        return gv_fail(err, GV_EUSAGE, "'--data.label_source folder' gives one class a sample; '--data.subtask %s' takes labels from json or csv", d->target == GV_TARGET_REGRESSION ? "regression" : "multilabel");
    d->root = g.root = root;
    g.split_name[GV_SPLIT_TRAIN] = g.o->train_split_name;
    g.split_name[GV_SPLIT_VAL] = g.o->val_split_name;
    g.split_name[GV_SPLIT_TEST] = g.o->test_split_name;
    if (find_images(&g, err) < 0)
        return err->code;
    int r = read_all(&g, err);
    json_decref(g.splits);
    gv_textmap_release(&g.classes);
    gv_textmap_release(&g.labels);
    gv_buf_release(&g.label);
    gv_buf_release(&g.values);
    gv_buf_release(&g.frames);
    return r;
}
