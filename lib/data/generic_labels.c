/* Labels of data sets made of files: class folders, a JSON object, or a CSV table, and the many names a sample may have there.
 *
 * JSON: {"a.png": 3} for classes; a class name; a list of num_classes numbers for several outputs or labels, or with a single 1 for a class; or an object
 * {"label": 3, "patient": "p7"} whose keys are data.label_column and data.group_column. CSV: columns path_column,
 * label_column (several, comma-separated, for several outputs), group_column. Classes are whole numbers, or names: then their
 * sorted order, or class_names, gives the index.
 * Tried in turn: the id, then the path relative to the root, to images_dir and to images_dir/split, each also without its
 * suffix, then the file's name, then its stem. */
#include "data/generic.h"
#include "json/json.h"
#include <errno.h>
#include <inttypes.h>

enum { CAP = 1 << 30, PATH = 4096, FRAMES = 1 << 24 };

const char *gv_below(const char *dir, const char *path)
{
    size_t n = strlen(dir);
    if (!n)
        return *path == '/' ? NULL : path;
    return !strncmp(dir, path, n) && path[n] == '/' ? path + n + 1 : NULL;
}

size_t gv_suffix_at(const gv_generic *g, const char *path, bool *allowed)
{
    const char *base = strrchr(path, '/'), *dot, *end = path + strlen(path);
    base = base ? base + 1 : path;
    size_t longest = 0;
    for (size_t i = 0; i < g->o->allowed_exts.n; i++) {
        size_t n = strlen(g->o->allowed_exts.v[i]);
        if (n > longest && (size_t)(end - base) > n && !strcasecmp(end - n, g->o->allowed_exts.v[i]))
            longest = n;
    }
    if (allowed)
        *allowed = longest;
    dot = longest ? end - longest : strrchr(base, '.');
    return dot && dot > base && dot[1] ? (size_t)(dot - path) : (size_t)(end - path);
}

static bool whole_number(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    while (end > s && (*end == ' ' || *end == '\t'))
        end++;
    *out = v;
    return end > s && !*end && !errno;
}

static bool number(const char *s, double *out)
{
    char *end;
    *out = strtod(s, &end);
    while (end > s && (*end == ' ' || *end == '\t'))
        end++;
    return end > s && !*end && isfinite(*out);
}

/* ---- reading ---- */

static int add_label(gv_generic *g, const char *key, const gv_generic_label *l, gv_err *err)
{
    int64_t index = (int64_t)(g->label.len / sizeof *l);
    gv_generic_label one = *l;
    if (!gv_textmap_get(&g->labels, key, &one.before))
        one.before = -1;
    if (gv_buf_add(&g->label, &one, sizeof one, err) < 0)
        return GV_ESYS;
    return gv_textmap_set(&g->labels, key, index, err);
}

static int add_value(gv_generic *g, double v, gv_err *err)
{
    float f = (float)v;
    return gv_buf_add(&g->values, &f, sizeof f, err);
}

static int64_t values_row(const gv_generic *g)
{
    return (int64_t)(g->values.len / sizeof(float)) / g->d->num_classes;
}

static int bad_label(const gv_generic *g, const char *key, const char *what, gv_err *err)
{
    return gv_fail(err, GV_EDATA, "'%s/%s': the label of '%s' %s", g->root, g->o->labels_file, key, what);
}

/* [0, 0, 1, 0]: the class is where the one stands. */
static int one_hot(gv_generic *g, const char *key, const json_t *v, gv_generic_label *l, gv_err *err)
{
    size_t i, ones = 0;
    json_t *x;
    json_array_foreach(v, i, x) {
        double f = json_is_boolean(x) ? json_is_true(x) : json_number_value(x);
        if ((!json_is_number(x) && !json_is_boolean(x)) || (f != 0 && f != 1))
            return bad_label(g, key, "is not a list of 0 and 1", err);
        if (f == 1) {
            ones++;
            l->number = (int64_t)i;
        }
    }
    if ((int64_t)json_array_size(v) != g->d->num_classes)
        return gv_fail(err, GV_EUSAGE, "'%s/%s': the label of '%s' is a list of %zu; data.num_classes is %" PRId64, g->root, g->o->labels_file, key, json_array_size(v), g->d->num_classes);
    if (ones != 1)
        return gv_fail(err, GV_EUSAGE, "'%s/%s': the label of '%s' names %zu classes, not one (data.subtask multilabel takes any number)", g->root, g->o->labels_file, key, ones);
    return GV_OK;
}

/* A number, a text or a list of them, by the target. */
static int json_label(gv_generic *g, const char *key, const json_t *v, gv_generic_label *l, gv_err *err)
{
    gv_data *d = g->d;
    if (d->target == GV_TARGET_CLASS) {
        if (json_is_string(v))
            return (l->text = gv_arena_strdup(g->arena, json_string_value(v), err)) ? GV_OK : GV_ESYS;
        if (json_is_array(v))
            return one_hot(g, key, v, l, err);
        double n = json_number_value(v);
        if (!json_is_number(v) || n != floor(n) || fabs(n) > 1e15)
            return bad_label(g, key, "is neither a whole number nor a class name", err);
        l->number = (int64_t)n;
        return GV_OK;
    }
    l->values = values_row(g);
    int64_t n = json_is_array(v) ? (int64_t)json_array_size(v) : 1;
    if (n != d->num_classes)
        return gv_fail(err, GV_EUSAGE, "'%s/%s': the label of '%s' has %" PRId64 " values; data.num_classes is %" PRId64, g->root, g->o->labels_file, key, n, d->num_classes);
    for (int64_t i = 0; i < n; i++) {
        const json_t *x = json_is_array(v) ? json_array_get(v, (size_t)i) : v;
        double f = json_number_value(x);
        if (!(json_is_number(x) || (json_is_string(x) && number(json_string_value(x), &f))))
            return bad_label(g, key, "is no number", err);
        if (d->target == GV_TARGET_MULTILABEL && f != 0 && f != 1)
            return bad_label(g, key, "is not a list of 0 and 1", err);
        if (add_value(g, f, err) < 0)
            return GV_ESYS;
    }
    return GV_OK;
}

static int read_json(gv_generic *g, const char *path, gv_err *err)
{
    json_t *all = gv_json_read(path, CAP, err), *v;
    const char *key;
    int r = all ? GV_OK : err->code;
    if (all && !json_is_object(all))
        r = gv_fail(err, GV_EDATA, "'%s' holds no JSON object of labels", path);
    if (r == GV_OK)
        json_object_foreach(all, key, v) {
            gv_generic_label l = { .values = -1 };
            char *k = gv_arena_strdup(g->arena, key, err);
            const json_t *label = json_is_object(v) ? json_object_get(v, g->o->label_column) : v;
            const json_t *group = json_is_object(v) && g->c->data.group_column ? json_object_get(v, g->c->data.group_column) : NULL;
            if (!k)
                r = GV_ESYS;
            else if (!label)
                r = gv_fail(err, GV_EDATA, "'%s': '%s' has no '%s'", path, key, g->o->label_column);
            else if (json_is_null(label))
                continue;
            else if ((r = json_label(g, key, label, &l, err)) == GV_OK && group) {
                gv_buf text = { 0 };
                if (json_is_string(group))
                    l.group = gv_arena_strdup(g->arena, json_string_value(group), err);
                else if (gv_json_text(group, &text, err) == GV_OK)
                    l.group = gv_arena_strdup(g->arena, text.data, err);
                gv_buf_release(&text);
                r = l.group ? GV_OK : GV_ESYS;
            }
            if (r < 0 || (r = add_label(g, k, &l, err)) < 0)
                break;
        }
    json_decref(all);
    return r;
}

struct columns { gv_generic *g; const char *path; size_t key, group, frame, label[64], nlabel, ncells; bool headed; };

static int column(const struct columns *k, char **cell, size_t n, const char *name, size_t len, size_t *at, gv_err *err)
{
    gv_buf have = { 0 };
    for (*at = 0; *at < n; ++*at)
        if (strlen(cell[*at]) == len && !memcmp(cell[*at], name, len))
            return GV_OK;
    for (size_t i = 0; i < n; i++)
        if (gv_buf_printf(&have, err, "%s'%s'", i ? ", " : "", cell[i]) < 0)
            break;
    gv_fail(err, GV_EUSAGE, "'%s' has no column '%.*s'; its columns are %s", k->path, (int)len, name, have.data ? have.data : "none");
    gv_buf_release(&have);
    return err->code;
}

/* Several labels are called what their columns are. */
static int labels_by_columns(const struct columns *k, char **cell, gv_err *err)
{
    const char **names = gv_arena_alloc(k->g->arena, k->nlabel * sizeof *names, err);
    for (size_t i = 0; names && i < k->nlabel; i++)
        if (!(names[i] = gv_arena_strdup(k->g->arena, cell[k->label[i]], err)))
            return GV_ESYS;
    k->g->d->class_names = names;
    return names ? GV_OK : GV_ESYS;
}

static int csv_head(struct columns *k, char **cell, size_t n, gv_err *err)
{
    const gv_generic *g = k->g;
    k->headed = true;
    k->ncells = n;
    if (column(k, cell, n, g->o->path_column, strlen(g->o->path_column), &k->key, err) < 0)
        return err->code;
    if (g->c->data.group_column && column(k, cell, n, g->c->data.group_column, strlen(g->c->data.group_column), &k->group, err) < 0)
        return err->code;
    size_t at;
    if (g->d->target == GV_TARGET_FRAMEWISE && column(k, cell, n, g->o->frame_column, strlen(g->o->frame_column), &k->frame, err) < 0)
        return err->code;
    if (g->d->target == GV_TARGET_CLASS || g->d->target == GV_TARGET_FRAMEWISE || g->d->num_classes == 1) {
        k->nlabel = 1;
        return column(k, cell, n, g->o->label_column, strlen(g->o->label_column), &k->label[0], err);
    }
    for (const char *p = g->o->label_column; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        if (column(k, cell, n, p, len, &at, err) < 0)
            return err->code;
        if (k->nlabel == GV_COUNT(k->label))
            return gv_fail(err, GV_EUSAGE, "data.label_column names more than %zu columns", GV_COUNT(k->label));
        k->label[k->nlabel++] = at;
        p += len;
    }
    if ((int64_t)k->nlabel != g->d->num_classes)
        return gv_fail(err, GV_EUSAGE, "data.label_column names %zu columns; data.num_classes is %" PRId64, k->nlabel, g->d->num_classes);
    return g->d->target == GV_TARGET_MULTILABEL && !g->o->class_names.v ? labels_by_columns(k, cell, err) : GV_OK;
}

static int csv_line(void *arg, char **cell, size_t n, size_t line, gv_err *err)
{
    struct columns *k = arg;
    gv_generic *g = k->g;
    gv_generic_label l = { .values = -1 };
    if (!k->headed)
        return csv_head(k, cell, n, err);
    if (n != k->ncells)
        return gv_fail(err, GV_EDATA, "'%s', line %zu: %zu columns; the header has %zu", k->path, line, n, k->ncells);
    for (size_t i = 0; i < k->nlabel; i++)
        if (!*cell[k->label[i]])
            return GV_OK; /* an empty cell is no label */
    char *key = gv_arena_strdup(g->arena, cell[k->key], err);
    if (!key || (g->c->data.group_column && !(l.group = gv_arena_strdup(g->arena, cell[k->group], err))))
        return GV_ESYS;
    if (g->d->target == GV_TARGET_FRAMEWISE && (!whole_number(cell[k->frame], &l.frame) || l.frame < 0 || l.frame >= FRAMES))
        return gv_fail(err, GV_EDATA, "'%s', line %zu: frame '%s' is no whole number from 0 to %d", k->path, line, cell[k->frame], FRAMES - 1);
    if (g->d->target == GV_TARGET_CLASS || g->d->target == GV_TARGET_FRAMEWISE) {
        if (!(l.text = gv_arena_strdup(g->arena, cell[k->label[0]], err)))
            return GV_ESYS;
    } else {
        l.values = values_row(g);
        for (size_t i = 0; i < k->nlabel; i++) {
            double v;
            if (!number(cell[k->label[i]], &v) || (g->d->target == GV_TARGET_MULTILABEL && v != 0 && v != 1))
                return gv_fail(err, GV_EDATA, "'%s', line %zu: label '%s' is no %s", k->path, line, cell[k->label[i]], g->d->target == GV_TARGET_MULTILABEL ? "0 or 1" : "number");
            if (add_value(g, v, err) < 0)
                return GV_ESYS;
        }
    }
    return add_label(g, key, &l, err);
}

/* ---- classes ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int gv_generic_classes_set(gv_generic *g, const char **names, size_t n, const char *from, gv_err *err)
{
    gv_data *d = g->d;
    size_t kept = 0;
    if (!g->o->class_names.v) { /* given names keep their order */
        qsort(names, n, sizeof *names, by_text);
        for (size_t i = 0; i < n; i++)
            if (!kept || strcmp(names[kept - 1], names[i]))
                names[kept++] = names[i];
        n = kept;
    }
    if ((int64_t)n > d->num_classes || (g->o->class_names.v && (int64_t)n != d->num_classes))
        return gv_fail(err, GV_EUSAGE, "data.num_classes is %" PRId64 ", but there are %zu class names in %s ('%s'%s)", d->num_classes, n, from, n ? names[0] : "", n > 1 ? ", …" : "");
    const char **all = gv_arena_alloc(g->arena, (size_t)d->num_classes * sizeof *all, err);
    if (!all)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++) {
        int64_t there;
        all[i] = names[i];
        if (gv_textmap_get(&g->classes, names[i], &there))
            return gv_fail(err, GV_EUSAGE, "class name '%s' occurs twice in %s", names[i], from);
        if (gv_textmap_set(&g->classes, names[i], (int64_t)i, err) < 0)
            return GV_ESYS;
    }
    for (int64_t i = (int64_t)n; i < d->num_classes; i++)
        if (!(all[i] = gv_arena_printf(g->arena, err, "class %" PRId64, i)))
            return GV_ESYS;
    d->class_names = all;
    return GV_OK;
}

/* Texts become numbers: whole numbers as they are, or names by their sorted order over the whole file. */
static int number_classes(gv_generic *g, gv_err *err)
{
    gv_generic_label *l = (gv_generic_label *)(void *)g->label.data;
    size_t n = g->label.len / sizeof *l;
    bool names = false;
    int64_t v;
    for (size_t i = 0; i < n; i++)
        names |= l[i].text && !whole_number(l[i].text, &v);
    if (names && !g->o->class_names.v) {
        const char **seen = gv_arena_alloc(g->arena, n * sizeof *seen, err);
        size_t kept = 0;
        gv_textmap m = { 0 };
        int r = seen ? GV_OK : GV_ESYS;
        for (size_t i = 0; i < n && r == GV_OK; i++) {
            if (!l[i].text && !(l[i].text = gv_arena_printf(g->arena, err, "%" PRId64, l[i].number)))
                r = GV_ESYS;
            else if (!gv_textmap_get(&m, l[i].text, &v) && (r = gv_textmap_set(&m, l[i].text, 0, err)) == GV_OK)
                seen[kept++] = l[i].text;
        }
        gv_textmap_release(&m);
        if (r == GV_OK)
            r = gv_generic_classes_set(g, seen, kept, g->o->labels_file, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n; i++) {
        if (!l[i].text)
            continue;
        if (!gv_textmap_get(&g->classes, l[i].text, &l[i].number) && !whole_number(l[i].text, &l[i].number))
            return gv_fail(err, GV_EUSAGE, "'%s/%s': label '%s' is not among data.class_names", g->root, g->o->labels_file, l[i].text);
        l[i].text = NULL;
    }
    return GV_OK;
}

int gv_generic_labels_read(gv_generic *g, gv_err *err)
{
    if (g->o->label_source == GV_LABELS_FOLDER) {
        if (g->c->data.group_column)
            return gv_fail(err, GV_EUSAGE, "data.group_column is '%s', but data.label_source folder has no columns (use csv or json)", g->c->data.group_column);
        return GV_OK;
    }
    char *path = gv_arena_printf(g->arena, err, "%s/%s", g->root, g->o->labels_file);
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!path)
        return GV_ESYS;
    if (!f) {
        if (g->want->unlabelled && errno == ENOENT)
            return GV_OK;
        return gv_fail(err, GV_EUSAGE, "the labels cannot be read: '%s': %s (data.labels_file, data.label_source)", path, strerror(errno));
    }
    fclose(f);
    struct columns k = { .g = g, .path = path };
    int r = g->o->label_source == GV_LABELS_JSON ? read_json(g, path, err) : gv_csv_read(path, CAP, csv_line, &k, err);
    if (r == GV_OK && g->o->label_source == GV_LABELS_CSV && !k.headed)
        r = gv_fail(err, GV_EDATA, "'%s' is empty", path);
    return r < 0 || (g->d->target != GV_TARGET_CLASS && g->d->target != GV_TARGET_FRAMEWISE) ? r : number_classes(g, err);
}

/* ---- looking up ---- */

static bool try(const gv_generic *g, const char *key, int64_t *index)
{
    char cut[PATH];
    if (!key)
        return false;
    if (gv_textmap_get(&g->labels, key, index))
        return true;
    size_t n = gv_suffix_at(g, key, NULL);
    if (!key[n] || n >= sizeof cut)
        return false;
    memcpy(cut, key, n);
    cut[n] = 0;
    return gv_textmap_get(&g->labels, cut, index);
}

static bool lookup(const gv_generic *g, int split, const char *path, const char *id, int64_t *index)
{
    const char *images = gv_below(g->images, path), *base = strrchr(path, '/');
    return try(g, id, index) || try(g, path, index) || try(g, images, index) ||
        (images && try(g, gv_below(g->split_name[split], images), index)) || try(g, base ? base + 1 : path, index);
}

/* The class folder: the first one below images_dir, a split's folder left out. */
static int folder_label(gv_generic *g, int split, const char *path, gv_entry *e, gv_err *err)
{
    const char *p = gv_below(g->images, path), *slash;
    char name[256];
    for (int s = 0; p && s < GV_SPLITS; s++) {
        const char *rest = gv_below(g->split_name[s], p);
        if (rest) {
            p = rest;
            break;
        }
    }
    slash = p ? strchr(p, '/') : NULL;
    if (slash && (size_t)(slash - p) < sizeof name) {
        memcpy(name, p, (size_t)(slash - p));
        name[slash - p] = 0;
        if (gv_textmap_get(&g->classes, name, &e->label))
            return 1;
    }
    if (g->want->unlabelled || g->want->optional & 1u << split)
        return 1;
    if (!g->o->strict) {
        g->d->skipped++;
        return 0;
    }
    if (!slash)
        return gv_fail(err, GV_EUSAGE, "'%s/%s' lies in no class folder (data.label_source folder)", g->root, path);
    return gv_fail(err, GV_EUSAGE, "'%s/%s': '%.*s' is not one of the %zu known classes", g->root, path, (int)(slash - p), p, g->classes.n);
}

/* The labels of a video's frames, from those of the table that lead back from `last`; e->label is their row. */
static int frame_labels(gv_generic *g, const char *path, int64_t last, gv_entry *e, gv_err *err)
{
    const gv_generic_label *all = (const gv_generic_label *)(const void *)g->label.data;
    struct gv_frame_labels f = { 0 };
    for (int64_t i = last; i >= 0; i = all[i].before)
        f.n = all[i].frame >= f.n ? all[i].frame + 1 : f.n;
    int64_t *v = gv_arena_alloc(g->arena, (size_t)f.n * sizeof *v, err);
    if (!v)
        return GV_ESYS;
    memset(v, 0xff, (size_t)f.n * sizeof *v); /* -1 */
    for (int64_t i = last; i >= 0; i = all[i].before) {
        if (all[i].number < 0 || all[i].number >= g->d->num_classes)
            return gv_fail(err, GV_EUSAGE, "'%s/%s': the label of frame %" PRId64 " of '%s' is %" PRId64 "; data.num_classes %" PRId64 " allows 0 to %" PRId64, g->root, g->o->labels_file, all[i].frame, path, all[i].number, g->d->num_classes, g->d->num_classes - 1);
        if (v[all[i].frame] >= 0 && v[all[i].frame] != all[i].number)
            return gv_fail(err, GV_EUSAGE, "'%s/%s': frame %" PRId64 " of '%s' has two labels", g->root, g->o->labels_file, all[i].frame, path);
        v[all[i].frame] = all[i].number;
    }
    f.v = v;
    e->label = (int64_t)(g->frames.len / sizeof f);
    return gv_buf_add(&g->frames, &f, sizeof f, err) < 0 ? GV_ESYS : 1;
}

int gv_generic_label_find(gv_generic *g, int split, const char *path, const char *id, gv_entry *e, gv_err *err)
{
    int64_t index;
    e->label = -1;
    if (g->o->label_source == GV_LABELS_FOLDER)
        return folder_label(g, split, path, e, err);
    if (!lookup(g, split, path, id, &index)) {
        if (g->want->unlabelled || g->want->optional & 1u << split)
            return 1;
        if (!g->o->strict) {
            g->d->skipped++;
            return 0;
        }
        return gv_fail(err, GV_EUSAGE, "no label for '%s' in '%s/%s': tried its id, its path below the root, '%s' and the split, its name, each with and without suffix", path, g->root, g->o->labels_file, g->o->dir);
    }
    const gv_generic_label *l = (const gv_generic_label *)(const void *)g->label.data + index;
    e->group = l->group;
    if (g->d->target == GV_TARGET_FRAMEWISE)
        return frame_labels(g, path, index, e, err);
    e->label = g->d->target == GV_TARGET_CLASS ? l->number : l->values;
    if (g->d->target == GV_TARGET_CLASS && (l->number < 0 || l->number >= g->d->num_classes))
        return gv_fail(err, GV_EUSAGE, "'%s/%s': the label of '%s' is %" PRId64 "; data.num_classes %" PRId64 " allows 0 to %" PRId64, g->root, g->o->labels_file, path, l->number, g->d->num_classes, g->d->num_classes - 1);
    return 1;
}
