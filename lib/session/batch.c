/* batch: a record of a batch stream as the feeds of a plan. */
#include "session/session.h"
#include <inttypes.h>

int gv_facts_sample(gv_facts *f, gv_dtype dtype, int ndim, const int64_t *shape, gv_err *err)
{
    f->dtype = dtype;
    f->ndim = ndim;
    memcpy(f->shape, shape, (size_t)ndim * sizeof *shape);
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 1)
            return gv_fail(err, GV_EDATA, "the first batch's 'x' has an empty dimension %d", i + 1);
    f->scale = dtype == GV_U8 ? 1.0 / 255 : dtype == GV_U16 ? 1.0 / 65535 : 1;
    int64_t c = shape[ndim - 1];
    if (f->channels > 1 && f->channels != c)
        return gv_fail(err, GV_EDATA, "samples have %" PRId64 " channels, the stream's mean has %d", c, f->channels);
    return GV_OK;
}

int gv_facts_from_batch(gv_facts *f, const gv_record *rec, gv_err *err)
{
    const gv_tensor *x = gv_get_tensor(rec, "x");
    if (!x || x->ndim < 2 || x->ndim > GV_MAX_DIMS - 1)
        return gv_fail(err, GV_EDATA, "the first batch has no tensor 'x' of 2 to %d dimensions", GV_MAX_DIMS - 1);
    int r = gv_facts_sample(f, x->dtype, x->ndim - 1, x->shape + 1, err);
    if (r == GV_OK && f->bags && f->ndim != 2)
        return gv_fail(err, GV_EDATA, "bags of %d dimensions came in; they are [instances,features]", f->ndim);
    if (r == GV_OK && f->bags)
        f->shape[0] = gv_bucket(f->shape[0]);
    return r;
}

int64_t gv_bucket(int64_t n)
{
    int64_t step = 1;
    while (step <= INT64_MAX / 16 && n > 8 * step)
        step *= 2;
    return (n + step - 1) / step * step;
}

/* The bags of a batch in their bucket, with their mask. What stands behind the last instance must be numbers: it is multiplied by zero. */
static int bags(gv_batch *b, const gv_record *rec, gv_arena *scratch, gv_err *err)
{
    const gv_tensor *m = gv_get_tensor(rec, "mask");
    int64_t have = b->x->shape[1], want = gv_bucket(have);
    size_t row = b->x->bytes / (size_t)(b->n * have), all;
    if (m && (m->dtype != GV_U8 || m->ndim != 2 || m->shape[0] != b->n || m->shape[1] != have))
        return gv_fail(err, GV_EDATA, "the 'mask' of a batch is not uint8 [%" PRId64 ",%" PRId64 "]", b->n, have);
    if (gv_mul_size((size_t)b->n * (size_t)want, row, &all) < 0)
        return gv_fail(err, GV_EDATA, "a batch of %" PRId64 " bags of %" PRId64 " instances does not fit", b->n, want);
    const uint8_t *x = b->x->data;
    uint8_t *mask = gv_arena_alloc(scratch, (size_t)(b->n * want), err), *to = want == have ? NULL : gv_arena_alloc(scratch, all, err);
    if (!mask || (want != have && !to))
        return GV_ESYS;
    for (int64_t i = 0; i < b->n; i++) {
        int64_t there = 0;
        for (int64_t k = 0; k < have; k++)
            there += mask[i * want + k] = m ? ((const uint8_t *)m->data)[i * have + k] != 0 : 1;
        if (!there)
            return gv_fail(err, GV_EDATA, "bag %" PRId64 " of a batch has no instance", i);
        if (to)
            memcpy(to + (size_t)(i * want) * row, x + (size_t)(i * have) * row, (size_t)have * row);
    }
    b->length = want;
    b->row[0] = (size_t)want * row;
    b->row[1] = (size_t)want;
    b->feed[0].data = to ? to : x;
    b->feed[b->feeds++] = (gv_feed){ "mask", mask, GV_U8 };
    return GV_OK;
}

static int targets(gv_batch *b, const gv_facts *f, gv_arena *scratch, gv_err *err)
{
    b->y = b->y && b->y->ndim ? b->y : NULL;
    if (!b->y)
        return GV_OK;
    if (b->y->shape[0] != b->n)
        return gv_fail(err, GV_EDATA, "the batch has %" PRId64 " samples and %" PRId64 " targets", b->n, b->y->shape[0]);
    if (f->subtask == GV_SUBTASK_MULTICLASS) {
        int ndim = f->framewise ? 2 : 1;
        if (b->y->ndim != ndim || b->y->dtype != GV_I64T || (f->framewise && b->y->shape[1] != f->shape[0]))
            return gv_fail(err, GV_EDATA, "the targets of a classification are int64 [N%s, not %s of %d dimensions", f->framewise ? ",frames]" : "]", gv_dtype_of(b->y->dtype)->name, b->y->ndim);
        b->labels = b->y->data;
        for (int64_t i = 0; i < b->rows; i++)
            if (b->labels[i] >= f->num_classes || b->labels[i] < -1)
                return gv_fail(err, GV_EDATA, "a label is %" PRId64 "; there are %" PRId64 " classes", b->labels[i], f->num_classes);
        return GV_OK;
    }
    int64_t k = b->y->ndim == 2 ? b->y->shape[1] : 1;
    if (k != f->num_classes)
        return gv_fail(err, GV_EDATA, "the targets have %" PRId64 " values, the task has %" PRId64, k, f->num_classes);
    if (b->y->dtype == GV_F32T)
        b->targets = b->y->data;
    else {
        float *t = gv_arena_alloc_dirty(scratch, (size_t)(b->n * k) * sizeof *t, err);
        if (!t)
            return GV_ESYS;
        gv_to_f32(b->y->dtype, b->y->data, t, (size_t)(b->n * k));
        b->targets = t;
    }
    return GV_OK;
}

static int mixing(gv_batch *b, const gv_record *rec, gv_arena *scratch, gv_err *err)
{
    float *lam = gv_arena_alloc(scratch, sizeof *lam, err);
    if (!lam)
        return GV_ESYS;
    double v;
    const gv_tensor *t = gv_get_tensor(rec, "lam"), *perm = gv_get_tensor(rec, "perm");
    if (gv_get_f64(rec, "lam", &v))
        *lam = (float)v;
    else if (t && t->dtype == GV_F32T && gv_shape_count(t->shape, t->ndim) == 1)
        *lam = *(const float *)t->data;
    else
        return gv_fail(err, GV_EDATA, "the batch has no 'lam' to mix with");
    if (!perm || perm->dtype != GV_I32 || perm->ndim != 1 || perm->shape[0] != b->n)
        return gv_fail(err, GV_EDATA, "the batch has no 'perm' (int32 [%" PRId64 "]) to mix with", b->n);
    const int32_t *p = perm->data;
    for (int64_t i = 0; i < b->n; i++)
        if (p[i] < 0 || p[i] >= b->n)
            return gv_fail(err, GV_EDATA, "'perm' has %d; the range is 0 to %" PRId64, p[i], b->n - 1);
    b->feed[b->feeds++] = (gv_feed){ "lam", lam, GV_F32T };
    b->feed[b->feeds++] = (gv_feed){ "perm", p, GV_I32 };
    return GV_OK;
}

int gv_batch_read(gv_batch *b, const gv_record *rec, const gv_facts *f, bool mix, gv_arena *scratch, gv_err *err)
{
    memset(b, 0, sizeof *b);
    b->x = gv_get_tensor(rec, "x");
    b->y = gv_get_tensor(rec, "y");
    b->ids = gv_get(rec, "id");
    int fixed = f->bags; /* the first axis of an element that must be that of the first batch */
    if (!b->x || b->x->ndim != f->ndim + 1 || b->x->dtype != f->dtype || b->x->shape[0] < 1 || (fixed && b->x->shape[1] < 1) ||
        memcmp(b->x->shape + 1 + fixed, f->shape + fixed, (size_t)(f->ndim - fixed) * sizeof *f->shape))
        return gv_fail(err, GV_EDATA, "a batch's 'x' has another shape or type than the first one's%s",
                       b->x && (b->x->dtype == GV_U16 || f->dtype == GV_U16) && b->x->dtype != f->dtype ? " (--data.eight_bit brings 16-bit images to 8 bits)" : "");
    b->n = b->x->shape[0];
    b->rows = f->framewise ? b->n * f->shape[0] : b->n;
    b->feed[b->feeds++] = (gv_feed){ "x", b->x->data, b->x->dtype };
    b->row[0] = b->x->bytes / (size_t)b->n;
    int r = f->bags ? bags(b, rec, scratch, err) : GV_OK;
    if (r == GV_OK)
        r = targets(b, f, scratch, err);
    if (r == GV_OK && b->labels)
        b->feed[b->feeds++] = (gv_feed){ "y", b->labels, GV_I64T };
    if (r == GV_OK && b->targets)
        b->feed[b->feeds++] = (gv_feed){ "y", b->targets, GV_F32T };
    if (r == GV_OK && mix)
        r = mixing(b, rec, scratch, err);
    return r;
}

void gv_batch_name(const gv_batch *b, char *out, size_t size)
{
    enum { SHOWN = 4 };
    size_t n = b->ids && b->ids->type == GV_ARRAY ? b->ids->array.n : 0, at = 0, shown = n < SHOWN ? n : SHOWN;
    *out = 0;
    for (size_t i = 0; i < shown; i++) {
        const gv_item *id = &b->ids->array.v[i];
        int k = snprintf(out + at, size - at, "%s'%.60s'", i ? ", " : "", id->type == GV_TEXT ? id->text.s : "?");
        at = k > 0 && (size_t)k < size - at ? at + (size_t)k : size - 1;
    }
    if (n > shown)
        snprintf(out + at, size - at, " and %zu more", n - shown);
    for (unsigned char *c = (unsigned char *)out; *c; c++)
        if (*c < ' ' || *c > '~') /* it is kept in JSON, and may be cut within a letter */
            *c = '?';
}
