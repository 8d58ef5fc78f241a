/*
 * reduce: sums and means of columns, x [O,R,C] -> [O,C] (R stands for all reduced axes, which lie together in front of others): gradients of
 * biases and of layer scale, global pooling. One pass over x: four rows at a time are added to float sums in the first cache, blocks
 * of rows to sums in double; a part of the work is a range of rows of all images, and parts are joined in order.
 * Other reductions are the plain kernel's.
 */
#ifndef VEC
#include "nn/onednn/own.h"
#include "nn/onednn/simd.h"
#include "nn/ops/attr.h"

enum { BLOCK = 64 };

/* Axes as O reduced R kept C; false for any other pattern. */
static bool columns(const gv_call *c, int64_t *O, int64_t *R, int64_t *C)
{
    const gv_reduce_attr *a = c->attr;
    const gv_desc *x = &c->in[0];
    int state = 0;
    *O = *R = *C = 1;
    for (int i = 0; i < x->ndim; i++) {
        bool gone = a->axes & 1u << i;
        if (x->shape[i] == 1)
            continue;
        if (gone && state == 2)
            return false;
        state = gone ? 1 : state ? 2 : 0;
        *(gone ? R : state ? C : O) *= x->shape[i];
    }
    return *R > 1 && *C > 1;
}

#ifdef DN_SIMD
/* sum [C] += the rows, at most BLOCK */
typedef void sum_rows(const void *x, int64_t rows, int64_t C, float *sum);

#define GV_SIMD "nn/onednn/reduce.c"
#include "nn/onednn/simd.h"

struct job {
    const gv_call *c;
    int64_t O, R, C, parts; /* parts: of the R rows of each of O */
};

static size_t part_bytes(int64_t C)
{
    return dn_round((size_t)C * sizeof(double)) + dn_round((size_t)C * sizeof(float));
}

/* Units [begin, end) of O * parts: the sums in double of part k of rows stand in its piece of scratch. */
static void units(void *p, int64_t begin, int64_t end)
{
    static sum_rows *const rows[DN_ISAS][2] = DN_EACH(sum_rows);
    const struct job *j = p;
    bool bf16 = j->c->in[0].dtype == GV_BF16;
    sum_rows *f = rows[dn_isa()][bf16];
    size_t size = bf16 ? 2 : 4;
    for (int64_t u = begin; u < end; u++) {
        int64_t o = u / j->parts, k = u % j->parts, r = j->R * k / j->parts, last = j->R * (k + 1) / j->parts;
        double *sum = (double *)((char *)j->c->scratch + (size_t)u * part_bytes(j->C));
        float *block = (float *)((char *)sum + dn_round((size_t)j->C * sizeof(double)));
        memset(sum, 0, (size_t)j->C * sizeof *sum);
        for (; r < last; r += BLOCK) {
            memset(block, 0, (size_t)j->C * sizeof *block);
            f((const char *)j->c->x[0] + (size_t)((o * j->R + r) * j->C) * size, dn_min(BLOCK, last - r), j->C, block);
            for (int64_t i = 0; i < j->C; i++)
                sum[i] += (double)block[i];
        }
    }
}

static void shape(struct job *j, const gv_call *c)
{
    j->c = c;
    columns(c, &j->O, &j->R, &j->C);
    j->parts = dn_max(1, dn_min(DN_PARTS / j->O, dn_min(j->R, j->R * j->C / 16384)));
}

static int run(const gv_call *c)
{
    struct job j;
    shape(&j, c);
    gv_parallel(j.O * j.parts, dn_max(1, 16384 / dn_max(1, j.R / j.parts * j.C)), units, &j);
    double scale = ((const gv_reduce_attr *)c->attr)->kind == GV_MEAN ? 1 / (double)j.R : 1;
    for (int64_t o = 0; o < j.O; o++)
        for (int64_t i = 0; i < j.C; i++) {
            double s = 0;
            for (int64_t k = 0; k < j.parts; k++)
                s += ((const double *)((const char *)c->scratch + (size_t)(o * j.parts + k) * part_bytes(j.C)))[i];
            if (c->out[0].dtype == GV_F32T)
                ((float *)c->y[0])[o * j.C + i] = (float)(s * scale);
            else
                ((uint16_t *)c->y[0])[o * j.C + i] = gv_f32_to_bf16((float)(s * scale));
        }
    return GV_OK;
}

int gv_onednn_reduce(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    struct job j;
    if (dn_isa() < 0 || !dn_real(&c->in[0]) || !dn_real(&c->out[0]) || !c->in[0].count || ((const gv_reduce_attr *)c->attr)->kind == GV_MAX ||
        !columns(c, &j.O, &j.R, &j.C) || j.C < 8)
        return GV_UNSUPPORTED;
    shape(&j, c);
    dn_own(ctx, k, run, (size_t)(j.O * j.parts) * part_bytes(j.C));
    k->in_place[0] = 0;
    return GV_OK;
}
#else
int gv_onednn_reduce(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}
#endif
#else

TARGET static void F(sum_rows)(const void *x, int64_t rows, int64_t C, float *sum)
{
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const T *a = (const T *)x + r * C, *b = a + C, *c = b + C, *d = c + C;
        int64_t i = 0;
        for (; i + VL <= C; i += VL) {
            AHEAD(a + 4 * i, 4 * VL); /* four rows are one piece of memory */
            STOREF(sum + i, ADD(LOADF(sum + i), ADD(ADD(LOAD(a + i), LOAD(b + i)), ADD(LOAD(c + i), LOAD(d + i)))));
        }
        if (i < C)
            STORENF(sum + i, ADD(LOADNF(sum + i, C - i), ADD(ADD(LOADN(a + i, C - i), LOADN(b + i, C - i)), ADD(LOADN(c + i, C - i), LOADN(d + i, C - i)))), C - i);
    }
    for (; r < rows; r++) {
        const T *a = (const T *)x + r * C;
        int64_t i = 0;
        for (; i + VL <= C; i += VL)
            STOREF(sum + i, ADD(LOADF(sum + i), LOAD(a + i)));
        if (i < C)
            STORENF(sum + i, ADD(LOADNF(sum + i, C - i), LOADN(a + i, C - i)), C - i);
    }
}
#endif
