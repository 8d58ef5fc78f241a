/* cases: a table of cases by id, and the mean of their predictions. */
#include "metric/cases.h"

struct gv_cases {
    int subtask;
    int64_t classes;
    gv_arena arena;
    gv_case **all;      /* pages of cases, so that they do not move */
    int64_t n;
    int *slot;          /* hash table of chains: index + 1 of the first case; 0: empty */
    int64_t slots;
};

enum { PAGE = 4096, MAX_PAGES = 1 << 18 };

#ifdef GV_SANITIZED
#define ROOM ((size_t)256 << 20)
#else
#define ROOM ((size_t)32 << 30) /* addresses; pages come with use */
#endif

int gv_cases_open(gv_cases **out, int subtask, int64_t classes, gv_err *err)
{
    gv_cases *c = gv_alloc(sizeof *c, err);
    *out = NULL;
    if (!c)
        return GV_ESYS;
    c->subtask = subtask;
    c->classes = classes;
    c->slots = 1 << 12;
    int r = gv_arena_init(&c->arena, "cases", ROOM, err);
    if (r == GV_OK && (!(c->all = gv_alloc(MAX_PAGES * sizeof *c->all, err)) || !(c->slot = gv_alloc((size_t)c->slots * sizeof *c->slot, err))))
        r = GV_ESYS;
    if (r < 0)
        gv_cases_close(c);
    else
        *out = c;
    return r;
}

void gv_cases_close(gv_cases *c)
{
    if (!c)
        return;
    gv_arena_release(&c->arena);
    gv_free(c->all);
    gv_free(c->slot);
    gv_free(c);
}

static gv_case *at(const gv_cases *c, int64_t i)
{
    return &c->all[i / PAGE][i % PAGE];
}

static uint64_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    while (*s)
        h = (h ^ (unsigned char)*s++) * 0x100000001b3u;
    return h ^ h >> 32;
}

static int grow(gv_cases *c, gv_err *err)
{
    int64_t slots = c->slots * 4;
    int *slot = gv_alloc((size_t)slots * sizeof *slot, err);
    if (!slot)
        return GV_ESYS;
    for (int64_t i = c->n; i--;) { /* backwards: a chain keeps its oldest case in front */
        gv_case *v = at(c, i);
        uint64_t s = hash(v->id) & (uint64_t)(slots - 1);
        v->next = slot[s];
        slot[s] = (int)i + 1;
    }
    gv_free(c->slot);
    c->slot = slot;
    c->slots = slots;
    return GV_OK;
}

static gv_case *make(gv_cases *c, const char *id, int64_t index, gv_err *err)
{
    if (c->n == (int64_t)PAGE * MAX_PAGES) {
        gv_fail(err, GV_EDATA, "more than %lld cases cannot be kept", (long long)c->n);
        return NULL;
    }
    if (c->n >= c->slots && grow(c, err) < 0)
        return NULL;
    if (!c->all[c->n / PAGE] && !(c->all[c->n / PAGE] = gv_arena_alloc(&c->arena, PAGE * sizeof(gv_case), err)))
        return NULL;
    gv_case *v = at(c, c->n);
    if (!(v->id = gv_arena_strdup(&c->arena, id, err)))
        return NULL;
    v->index = index;
    v->label = GV_NO_LABEL;
    v->last = -1;
    int *end = &c->slot[hash(id) & (uint64_t)(c->slots - 1)];
    while (*end)
        end = &at(c, *end - 1)->next;
    *end = (int)++c->n;
    return v;
}

/* The case of this id and index; another index is another case, unless this input has not told of that id's only case yet. */
static gv_case *find(gv_cases *c, int input, const char *id, int64_t index, gv_err *err)
{
    gv_case *same = NULL;
    int with_id = 0;
    for (int i = c->slot[hash(id) & (uint64_t)(c->slots - 1)]; i;) {
        gv_case *v = at(c, i - 1);
        if (!strcmp(v->id, id)) {
            if (v->index == index || index < 0 || v->index < 0)
                return v;
            with_id++;
            same = v;
        }
        i = v->next;
    }
    if (with_id == 1 && same->last != input)
        return same;
    return make(c, id, index, err);
}

static void activate(const gv_cases *c, const double *x, double *out)
{
    double top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < c->classes; k++) {
        if (c->subtask == GV_METRIC_MULTILABEL)
            out[k] = 1 / (1 + exp(-x[k]));
        else if (c->subtask == GV_METRIC_REGRESSION)
            out[k] = x[k];
        else
            top = x[k] > top ? x[k] : top;
    }
    if (c->subtask != GV_METRIC_MULTICLASS)
        return;
    for (int64_t k = 0; k < c->classes; k++)
        sum += out[k] = exp(x[k] - top);
    for (int64_t k = 0; k < c->classes; k++)
        out[k] /= sum;
}

/* The views of the input before become its mean, and that one summand of the whole. */
static void fold(const gv_cases *c, gv_case *v)
{
    for (int64_t k = 0; k < c->classes; k++) {
        v->sum[k] += v->part[k] / (double)v->parts;
        v->part[k] = 0;
    }
    v->folded++;
    v->parts = 0;
}

static int target(gv_cases *c, gv_case *v, int64_t label, const float *t, gv_err *err)
{
    if (label != GV_NO_LABEL && v->label != GV_NO_LABEL && v->label != label)
        return gv_fail(err, GV_EDATA, "case '%s' has label %lld here and %lld before", v->id, (long long)label, (long long)v->label);
    if (label != GV_NO_LABEL)
        v->label = label;
    if (!t)
        return GV_OK;
    if (v->target && memcmp(v->target, t, (size_t)c->classes * sizeof *t))
        return gv_fail(err, GV_EDATA, "case '%s' has another target here than before", v->id);
    if (v->target)
        return GV_OK;
    float *copy = gv_arena_alloc_dirty(&c->arena, (size_t)c->classes * sizeof *t, err);
    if (!copy)
        return GV_ESYS;
    v->target = memcpy(copy, t, (size_t)c->classes * sizeof *t);
    return GV_OK;
}

int gv_cases_add(gv_cases *c, int input, const char *id, int64_t index, const double *logits, int64_t label, const float *t, gv_err *err)
{
    size_t k = (size_t)c->classes;
    gv_case *v = find(c, input, id, index, err);
    if (!v || target(c, v, label, t, err) < 0)
        return err->code;
    if (v->last != input)
        v->inputs++;
    if (!v->predictions) {
        double *copy = gv_arena_alloc_dirty(&c->arena, k * sizeof *copy, err);
        if (!copy)
            return GV_ESYS;
        v->logits = memcpy(copy, logits, k * sizeof *copy);
        v->parts = 1; /* stands for logits until a second one comes */
    } else {
        double *a = gv_alloc(k * sizeof *a, err);
        if (!a)
            return GV_ESYS;
        if (!v->sum) {
            v->sum = gv_arena_alloc(&c->arena, k * sizeof *v->sum, err);
            v->part = v->sum ? gv_arena_alloc(&c->arena, k * sizeof *v->part, err) : NULL;
            if (!v->part) {
                gv_free(a);
                return GV_ESYS;
            }
            activate(c, v->logits, v->part);
        }
        if (v->last != input && v->parts)
            fold(c, v);
        activate(c, logits, a);
        for (size_t i = 0; i < k; i++)
            v->part[i] += a[i];
        v->parts++;
        gv_free(a);
    }
    v->last = input;
    v->predictions++;
    return GV_OK;
}

int gv_cases_fail(gv_cases *c, int input, const char *id, int64_t index, const char *stage, const char *reason, gv_err *err)
{
    gv_case *v = find(c, input, id, index, err);
    if (!v)
        return err->code;
    if (v->reason)
        return GV_OK;
    v->stage = gv_arena_strdup(&c->arena, stage ? stage : "", err);
    v->reason = v->stage ? gv_arena_strdup(&c->arena, reason ? reason : "", err) : NULL;
    return v->reason ? GV_OK : GV_ESYS;
}

int64_t gv_cases_count(const gv_cases *c)
{
    return c->n;
}

const gv_case *gv_cases_at(const gv_cases *c, int64_t i)
{
    return at(c, i);
}

void gv_case_answer(const gv_cases *c, const gv_case *v, double *out)
{
    if (v->predictions == 1) {
        activate(c, v->logits, out);
        return;
    }
    double n = (double)v->folded + (v->parts > 0);
    for (int64_t k = 0; k < c->classes; k++)
        out[k] = (v->sum[k] + (v->parts ? v->part[k] / (double)v->parts : 0)) / n;
}

void gv_case_logits(const gv_cases *c, const gv_case *v, float *out)
{
    if (v->predictions == 1) {
        for (int64_t k = 0; k < c->classes; k++)
            out[k] = (float)v->logits[k];
        return;
    }
    for (int64_t k = 0; k < c->classes; k++) {
        double p = (v->sum[k] + (v->parts ? v->part[k] / (double)v->parts : 0)) / ((double)v->folded + (v->parts > 0));
        out[k] = (float)(c->subtask == GV_METRIC_MULTICLASS ? log(p) : c->subtask == GV_METRIC_MULTILABEL ? log(p / (1 - p)) : p);
    }
}
