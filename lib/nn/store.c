/* store: named tensors that outlive a run, and the memory that its plans share. */
#include "nn/internal.h"
#include <inttypes.h>

/* Reserved at a time (what is not used is never touched): for parameters of LARGE_MODEL bytes or more at once so large that they get large pages,
 * else small at first. Through small pages a pass over weights that left the caches may be ten times slower in a virtual machine; a small
 * model's start need not wait for large ones. */
enum { SLAB = 64 << 20, SMALL_SLABS = 3, LARGE_SLAB = 256 << 20, LARGE_MODEL = 64 << 20 };

struct gv_store {
    gv_precision precision;
    gv_stored **tensor;
    int n, cap;
    gv_arena *slab; /* of tensors */
    int slabs;
    bool large; /* all slabs are */
    gv_arena work;
    char *base;
    unsigned generation;
};

gv_dtype gv_dtype_for(gv_precision p, gv_class c)
{
    switch (c) {
    case GV_CLASS_REAL: return p == GV_FP64 ? GV_F64T : p == GV_MIXED_BF16 ? GV_BF16 : GV_F32T;
    case GV_CLASS_STAT: return p == GV_FP64 ? GV_F64T : GV_F32T;
    case GV_CLASS_U8: return GV_U8;
    case GV_CLASS_U16: return GV_U16;
    case GV_CLASS_I16: return GV_I16;
    case GV_CLASS_I32: return GV_I32;
    case GV_CLASS_I64: return GV_I64T;
    case GV_CLASS_F32: return GV_F32T;
    }
    return GV_F32T;
}

int gv_store_open(gv_store **s, gv_precision p, gv_err *err)
{
    *s = gv_alloc(sizeof **s, err);
    if (!*s)
        return GV_ESYS;
    (*s)->precision = p;
    return GV_OK;
}

void gv_store_close(gv_store *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->slabs; i++)
        gv_arena_release(&s->slab[i]);
    gv_free(s->slab);
    gv_free(s->tensor);
    gv_arena_release(&s->work);
    gv_free(s);
}

gv_dtype gv_store_stat_type(const gv_store *s) { return gv_dtype_for(s->precision, GV_CLASS_STAT); }
int gv_store_count(const gv_store *s) { return s->n; }
gv_stored *gv_store_at(gv_store *s, int i) { return s->tensor[i]; }

gv_stored *gv_store_find(gv_store *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->tensor[i]->name, name))
            return s->tensor[i];
    return NULL;
}

static void shape_text(const int64_t *shape, int ndim, char *t, size_t size)
{
    size_t n = (size_t)snprintf(t, size, "[");
    for (int i = 0; i < ndim && n < size; i++)
        n += (size_t)snprintf(t + n, size - n, "%s%" PRId64, i ? "," : "", shape[i]);
    if (n < size)
        snprintf(t + n, size - n, "]");
}

/* Zeros, until the store is closed. */
static void *room(gv_store *s, size_t bytes, gv_err *err)
{
    const gv_arena *last = s->slabs ? &s->slab[s->slabs - 1] : NULL;
    if (!last || bytes + 64 > last->size - last->used) { /* it hands out multiples of 64 */
        gv_arena *more = gv_alloc((size_t)(s->slabs + 1) * sizeof *more, err);
        if (!more)
            return NULL;
        if (s->slabs)
            memcpy(more, s->slab, (size_t)s->slabs * sizeof *more);
        size_t least = s->slabs < SMALL_SLABS && !s->large ? SLAB : LARGE_SLAB;
        if (gv_arena_init(&more[s->slabs], "tensors", bytes + 64 > least ? bytes + 64 : least, err) < 0) {
            gv_free(more);
            return NULL;
        }
        gv_free(s->slab);
        s->slab = more;
        gv_large_pages(more[s->slabs].base, more[s->slabs].size);
        s->slabs++;
    }
    void *p = gv_arena_alloc(&s->slab[s->slabs - 1], bytes, err);
    if (p)
        gv_touch_pages(p, bytes);
    return p;
}

gv_stored *gv_store_get(gv_store *s, const char *name, gv_dtype t, const int64_t *shape, int ndim, gv_err *err)
{
    gv_stored *p = gv_store_find(s, name);
    if (p) {
        char have[200], want[200];
        if (p->dtype == t && p->ndim == ndim && !memcmp(p->shape, shape, (size_t)ndim * sizeof *shape))
            return p;
        shape_text(p->shape, p->ndim, have, sizeof have);
        shape_text(shape, ndim, want, sizeof want);
        gv_fail(err, GV_EUSAGE, "tensor '%s' is %s %s; %s %s is wanted", name, gv_dtype_of(p->dtype)->name, have, gv_dtype_of(t)->name, want);
        return NULL;
    }
    int64_t count = ndim < 0 || ndim > GV_MAX_DIMS ? -1 : gv_shape_count(shape, ndim);
    size_t bytes, name_len = strlen(name) + 1;
    if (count < 0 || gv_mul_size((size_t)count, gv_dtype_of(t)->size, &bytes) < 0 || bytes > SIZE_MAX / 2) {
        gv_fail(err, GV_EDATA, "tensor '%s' is too large to be held", name);
        return NULL;
    }
    if (s->n == s->cap) {
        int cap = s->cap ? s->cap * 2 : 64;
        gv_stored **more = gv_alloc((size_t)cap * sizeof *more, err);
        if (!more)
            return NULL;
        if (s->n)
            memcpy(more, s->tensor, (size_t)s->n * sizeof *more);
        gv_free(s->tensor);
        s->tensor = more;
        s->cap = cap;
    }
    /* One piece: the struct, its name, and the data at the next multiple of 64. */
    p = room(s, sizeof *p + name_len + 64 + bytes, err);
    if (!p) {
        gv_fail_in(err, "tensor '%s'", name);
        return NULL;
    }
    char *text = (char *)(p + 1);
    memcpy(text, name, name_len);
    uintptr_t data = ((uintptr_t)(text + name_len) + 63) & ~(uintptr_t)63;
    *p = (gv_stored){ .name = text, .dtype = t, .ndim = ndim, .data = (void *)data, .bytes = bytes };
    memcpy(p->shape, shape, (size_t)ndim * sizeof *shape);
    s->tensor[s->n++] = p;
    return p;
}

static bool large_model(const gv_store *s, const gv_graph *g)
{
    double bytes = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        bytes += (double)gv_shape_count(p->shape, p->ndim) * (double)gv_dtype_of(gv_dtype_for(s->precision, p->cls))->size;
    }
    return bytes >= LARGE_MODEL;
}

int gv_store_init(gv_store *s, const gv_graph *g, uint64_t seed, gv_err *err)
{
    s->large = s->large || large_model(s, g);
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        bool there = gv_store_find(s, p->name) != NULL;
        gv_stored *t = gv_store_get(s, p->name, gv_dtype_for(s->precision, p->cls), p->shape, p->ndim, err);
        if (!t)
            return err ? err->code : GV_ESYS;
        int r = there ? GV_OK : gv_init_fill(p->name, p->init, seed, t, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

int gv_store_workspace(gv_store *s, size_t bytes, gv_err *err)
{
    if (s->base && bytes <= s->work.size)
        return GV_OK;
    gv_arena fresh;
    int r = gv_arena_init(&fresh, "plan", bytes ? bytes : 64, err);
    if (r < 0)
        return r;
    char *base = gv_arena_alloc_dirty(&fresh, fresh.size, err);
    if (!base) {
        gv_arena_release(&fresh);
        return GV_ESYS;
    }
    gv_large_pages(base, fresh.size);
    gv_arena_release(&s->work);
    s->work = fresh;
    s->base = base;
    s->generation++;
    return GV_OK;
}

char *gv_store_workspace_at(const gv_store *s, unsigned *generation)
{
    *generation = s->generation;
    return s->base;
}
