/* load: published tensors into the store, strictly. Rules: adapt.h. */
#include "nn/models/adapt.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 8, SHAPE_TEXT = 128 };

/* Names that do not fit, as they will stand in the message. */
struct list { char text[1200]; int count; };

struct job {
    const gv_load_tensor *t;
    size_t n;
    const gv_load_options *o;
    gv_load_report *report;
    bool *used;
    bool head_kept;
    int64_t patch[3]; /* sides of the first convolution's kernel, where it has three */
    struct list missing, unused, shapes;
};

gv_load_options gv_model_load_options(const gv_model_ref *m)
{
    gv_load_options o = { .pos_prefix = -1 };
    if (m && m->family) {
        o.first_conv = m->first_conv;
        o.classifier = m->classifier;
        o.any_channels = m->family->any_channels;
        if (m->family->pos_prefix)
            o.pos_prefix = m->family->pos_prefix(m->variant);
        if (m->family->unused_prefix)
            o.unused_prefix = m->family->unused_prefix(m->variant);
        if (m->cfg && !strcmp(m->cfg->tag, "fcmae")) /* ConvNeXt V2's masked autoencoders were published without the norm behind the pooling */
            o.absent_prefix = "head.norm.";
    }
    return o;
}

static void listed(struct list *l, const char *name, const char *more)
{
    size_t at = strlen(l->text);
    if (l->count++ < SHOWN)
        snprintf(l->text + at, sizeof l->text - at, "%s'%s'%s", at ? ", " : "", name, more);
}

static bool inside(const char *name, const char *module)
{
    size_t n = module ? strlen(module) : 0;
    return n && !strncmp(name, module, n) && name[n] == '.';
}

/* Of the head: below the encoder's own classifier, or below the name of a head that has one. */
static bool decides(const gv_load_options *o, const char *name)
{
    return inside(name, o->classifier) || inside(name, o->head);
}

static const char *shape_text(const int64_t *shape, int ndim, char out[SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(out, SHAPE_TEXT, "[");
    for (int i = 0; i < ndim && at < SHAPE_TEXT - 24; i++)
        at += (size_t)snprintf(out + at, SHAPE_TEXT - at, "%s%" PRId64, i ? "," : "", shape[i]);
    snprintf(out + at, SHAPE_TEXT - at, "]");
    return out;
}

/* Equal, or a single element in both: a counter is a scalar in files; or a matrix where a 1x1 convolution stands. */
static bool same_shape(const gv_load_tensor *t, const gv_param_info *p)
{
    if (gv_shape_count(t->shape, t->ndim) == 1 && gv_shape_count(p->shape, p->ndim) == 1)
        return true;
    if (t->ndim == 2 && p->ndim == 4 && p->shape[2] == 1 && p->shape[3] == 1)
        return t->shape[0] == p->shape[0] && t->shape[1] == p->shape[1];
    return t->ndim == p->ndim && !memcmp(t->shape, p->shape, (size_t)p->ndim * sizeof *p->shape);
}

/* The weight of a module that sees the input's channels; more than one is a list with spaces. */
static bool is_first_conv(const struct job *j, const gv_param_info *p)
{
    for (const char *m = j->o->first_conv; m && *m;) {
        size_t n = strcspn(m, " ");
        if (!strncmp(p->name, m, n) && !strcmp(p->name + n, ".weight"))
            return true;
        m += n + (m[n] == ' ');
    }
    return false;
}

/* A first convolution that differs in its input channels alone, and was published for 3 (or was itself adapted: 1) or for any number. */
static bool other_channels(const struct job *j, const gv_load_tensor *t, const gv_param_info *p)
{
    return is_first_conv(j, p) && t->ndim == p->ndim && p->ndim > 2 && t->shape[0] == p->shape[0] && (t->shape[1] == 3 || (j->o->any_channels && t->shape[1] > 0)) &&
           !memcmp(t->shape + 2, p->shape + 2, (size_t)(p->ndim - 2) * sizeof *p->shape);
}

/* A patch embedding stored as a linear layer [O,I*k*k]. */
static bool flat_patches(const struct job *j, const gv_load_tensor *t, const gv_param_info *p)
{
    return is_first_conv(j, p) && t->ndim == 2 && t->shape[0] == p->shape[0] && gv_shape_count(t->shape, 2) == gv_shape_count(p->shape, p->ndim);
}

static bool square(int64_t n, int64_t *side)
{
    *side = (int64_t)(sqrt((double)n) + 0.5);
    return n > 0 && *side * *side == n;
}

static bool is_pos_embed(const char *name)
{
    const char *last = strrchr(name, '.');
    return !strcmp(last ? last + 1 : name, "pos_embed");
}

/* The file's grid of three axes: what it was trained on by patches, or a cube. patch: sides of the first convolution's kernel. */
static bool grid_3d(const struct job *j, int64_t n, const int64_t patch[3], int64_t old[3])
{
    int64_t side = (int64_t)(cbrt((double)n) + 0.5);
    for (int i = 0; i < 3; i++)
        old[i] = j->o->shape[i] > 0 && patch[i] > 0 ? j->o->shape[i] / patch[i] : 0;
    if (n > 0 && old[0] * old[1] * old[2] == n)
        return true;
    old[0] = old[1] = old[2] = side;
    return n > 0 && side * side * side == n;
}

/* old, new: the grids of a pos_embed in file and graph; the third axis is 1 where there are two. */
static bool other_grid(const struct job *j, const gv_load_tensor *t, const gv_param_info *p, int64_t old[3], int64_t new[3])
{
    if (j->o->pos_prefix < 0 || !is_pos_embed(p->name) || t->ndim != 3 || p->ndim != 3 || t->shape[0] != 1 || t->shape[2] != p->shape[2])
        return false;
    int64_t n = p->shape[1] - j->o->pos_prefix, was = t->shape[1] - j->o->pos_prefix;
    memcpy(new, j->o->grid, 3 * sizeof *new);
    if (new[2])
        return new[0] * new[1] * new[2] == n && grid_3d(j, was, j->patch, old);
    old[2] = new[2] = 1;
    if (!square(was, &old[0]))
        return false;
    old[1] = old[0];
    if (new[0] * new[1] != n) {
        if (!square(n, &new[0]))
            return false;
        new[1] = new[0];
    }
    return true;
}

static void noted(struct job *j, const char *fmt, ...) GV_PRINTF(2, 3);
static void noted(struct job *j, const char *fmt, ...)
{
    size_t at = j->report ? strlen(j->report->note) : 0;
    if (!j->report)
        return;
    if (at)
        at += (size_t)snprintf(j->report->note + at, sizeof j->report->note - at, "; ");
    if (at >= sizeof j->report->note)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(j->report->note + at, sizeof j->report->note - at, fmt, ap);
    va_end(ap);
}

static const gv_load_tensor *source(struct job *j, const char *name)
{
    for (size_t i = 0; i < j->n; i++)
        if (!j->used[i] && !strcmp(j->t[i].name, name)) {
            j->used[i] = true;
            return &j->t[i];
        }
    return NULL;
}

/* The head's tensors fit all, or none is taken. */
static bool head_fits(struct job *j, const gv_graph *g)
{
    int in_graph = 0, fit = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        if (!decides(j->o, p->name))
            continue;
        in_graph++;
        for (size_t k = 0; k < j->n; k++)
            fit += !strcmp(j->t[k].name, p->name) && same_shape(&j->t[k], p);
    }
    return in_graph > 0 && in_graph == fit;
}

static bool may_be_absent(const struct job *j, const char *name)
{
    if (j->o->absent_prefix && !strncmp(name, j->o->absent_prefix, strlen(j->o->absent_prefix)))
        return true;
    size_t n = strlen(name), k = strlen("num_batches_tracked");
    return n >= k && !strcmp(name + n - k, "num_batches_tracked");
}

/* Check one tensor of the graph, or (write) fill it. */
static int one(struct job *j, gv_store *s, const gv_param_info *p, bool write, gv_err *err)
{
    int64_t old[3], new[3];
    char a[SHAPE_TEXT], b[SHAPE_TEXT], text[320];
    if (j->head_kept && decides(j->o, p->name))
        return GV_OK;
    const gv_load_tensor *t = source(j, p->name);
    if (!t) {
        bool adapter = p->mark && !strcmp(p->mark, "adapter");
        if (!may_be_absent(j, p->name) && !(adapter ? j->o->allow_new : j->o->adapters_alone))
            listed(&j->missing, p->name, "");
        return GV_OK;
    }
    bool same = same_shape(t, p) || flat_patches(j, t, p), channels = !same && other_channels(j, t, p);
    bool grid = other_grid(j, t, p, old, new) && memcmp(old, new, sizeof old) != 0;
    if (!same && !channels && !grid) {
        snprintf(text, sizeof text, " is %s, %s wanted", shape_text(t->shape, t->ndim, a), shape_text(p->shape, p->ndim, b));
        listed(&j->shapes, p->name, text);
        return GV_OK;
    }
    if (!write)
        return GV_OK;
    gv_stored *d = gv_store_find(s, p->name);
    if (!d)
        return gv_fail(err, GV_EINTERNAL, "'%s' is not in the store", p->name);
    size_t n = (size_t)gv_shape_count(p->shape, p->ndim), m = (size_t)gv_shape_count(t->shape, t->ndim);
    if (j->report)
        j->report->loaded++;
    if (!channels && !grid && t->dtype == d->dtype) {
        memcpy(d->data, t->data, d->bytes);
        return GV_OK;
    }
    /* through float where timm goes through float, through double otherwise */
    if (channels || grid) {
        float *src = gv_alloc(m * sizeof *src, err), *dst = gv_alloc(n * sizeof *dst, err);
        double *wide = gv_alloc(n * sizeof *wide, err);
        int r = src && dst && wide ? GV_OK : GV_ESYS;
        if (r == GV_OK) {
            gv_to_f32(t->dtype, t->data, src, m);
            if (channels) {
                int64_t area = gv_shape_count(p->shape + 2, p->ndim - 2);
                gv_adapt_input_conv(src, p->shape[0], t->shape[1], area, p->shape[1], dst);
                noted(j, "'%s' adapted from %" PRId64 " to %" PRId64 " input channels", p->name, t->shape[1], p->shape[1]);
            } else {
                bool three = j->o->grid[2] > 0;
                r = three ? gv_resample_pos_embed_3d(src, old, p->shape[2], new, dst, err) : gv_resample_pos_embed(src, j->o->pos_prefix, old[0], old[1], p->shape[2], new[0], new[1], dst, err);
                if (three)
                    noted(j, "'%s' resampled from %" PRId64 "x%" PRId64 "x%" PRId64 " to %" PRId64 "x%" PRId64 "x%" PRId64, p->name, old[0], old[1], old[2], new[0], new[1], new[2]);
                else
                    noted(j, "'%s' resampled from %" PRId64 "x%" PRId64 " to %" PRId64 "x%" PRId64, p->name, old[0], old[1], new[0], new[1]);
            }
            for (size_t i = 0; i < n; i++)
                wide[i] = dst[i];
            gv_from_f64(d->dtype, wide, d->data, n);
        }
        gv_free(src);
        gv_free(dst);
        gv_free(wide);
        return r;
    }
    double *wide = gv_alloc(n * sizeof *wide, err);
    if (!wide)
        return GV_ESYS;
    gv_to_f64(t->dtype, t->data, wide, n);
    gv_from_f64(d->dtype, wide, d->data, n);
    gv_free(wide);
    return GV_OK;
}

static int all(struct job *j, gv_store *s, const gv_graph *g, bool write, gv_err *err)
{
    memset(j->used, 0, j->n * sizeof *j->used);
    for (int i = 0; i < gv_param_count(g); i++) {
        int r = one(j, s, gv_param_at(g, i), write, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < j->n && !write; i++) {
        const char *name = j->t[i].name;
        bool head = j->o->allow_head && decides(j->o, name);
        bool known = j->o->unused_prefix && !strncmp(name, j->o->unused_prefix, strlen(j->o->unused_prefix));
        if (!j->used[i] && !head && !known)
            listed(&j->unused, name, "");
    }
    return GV_OK;
}

static void told(char *out, size_t size, const struct list *l, const char *what)
{
    size_t at = strlen(out);
    if (!l->count)
        return;
    if (l->count > SHOWN)
        snprintf(out + at, size - at, "%s%d %s: %s and %d more", at ? "; " : "", l->count, what, l->text, l->count - SHOWN);
    else
        snprintf(out + at, size - at, "%s%d %s: %s", at ? "; " : "", l->count, what, l->text);
}

int gv_model_load(gv_store *s, const gv_graph *g, const gv_load_tensor *t, size_t n, const gv_load_options *o, gv_load_report *report, gv_err *err)
{
    gv_arena arena = { 0 };
    struct job *j = gv_alloc(sizeof *j, err);
    int r = j ? gv_arena_init(&arena, "weights", (size_t)1 << 32, err) : GV_ESYS;
    if (report)
        *report = (gv_load_report){ 0 };
    if (r == GV_OK) {
        *j = (struct job){ .o = o, .report = report };
        r = gv_convert_dinov2(t, n, &j->t, &j->n, &arena, err);
    }
    if (r == GV_OK)
        r = gv_convert_convnext(j->t, j->n, &j->t, &j->n, &arena, err);
    if (r == GV_OK)
        r = gv_convert_nnunet(j->t, j->n, &j->t, &j->n, &arena, err);
    for (int i = 0; r == GV_OK && i < gv_param_count(g); i++)
        if (is_first_conv(j, gv_param_at(g, i)) && gv_param_at(g, i)->ndim == 5)
            memcpy(j->patch, gv_param_at(g, i)->shape + 2, sizeof j->patch);
    if (r == GV_OK && !(j->used = gv_arena_alloc(&arena, j->n + 1, err)))
        r = GV_ESYS;
    if (r == GV_OK) {
        j->head_kept = o->allow_head && o->classifier && !head_fits(j, g);
        r = all(j, s, g, false, err);
    }
    if (r == GV_OK && (j->missing.count || j->unused.count || j->shapes.count)) {
        char text[1800] = "";
        told(text, sizeof text, &j->missing, "missing");
        told(text, sizeof text, &j->unused, "without use");
        told(text, sizeof text, &j->shapes, "of another shape");
        r = gv_fail(err, GV_EDATA, "the weights do not fit the model: %s", text);
    }
    if (r == GV_OK) {
        r = all(j, s, g, true, err);
        if (report)
            report->head_kept = j->head_kept;
    }
    gv_arena_release(&arena);
    gv_free(j);
    return r;
}
