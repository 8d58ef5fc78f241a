/* normalize: raw pixels or features of any type to REAL, y = (x * scale - mean[c]) / std[c]. */
#include "nn/internal.h"
#include "nn/ops/op.h"

gv_val gv_normalize(gv_graph *g, gv_val x, double scale, const double *mean, const double *std, int channels)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_normalize, &x, 1))
        return GV_NO_VAL;
    if (channels != 1 && (channels < 1 || gv_ndim(g, x) < 1 || gv_dim(g, x, -1) != channels))
        return gv_graph_fail(g, "normalize: %d means for a tensor of shape %s; one, or one for each channel is wanted", channels, gv_shape_text(g, x, t));
    double *mul = gv_arena_alloc(g->arena, sizeof *mul * 2 * (size_t)channels, &g->err);
    if (!mul)
        return GV_NO_VAL;
    for (int i = 0; i < channels; i++) {
        if (!(std[i] > 0))
            return gv_graph_fail(g, "normalize: the deviation of channel %d is %g; it must be above 0", i, std[i]);
        mul[i] = scale / std[i];
        mul[channels + i] = -mean[i] / std[i];
    }
    gv_normalize_attr a = { channels, mul, mul + channels };
    return gv_op1(g, GV_OP_normalize, &a, &x, 1, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
}


/* Short channel counts are repeated into a table so that the inner loop is long. In double, rounded once: in float the rounded
 * factors shift a whole channel by the same amount, and that is the largest error of a network's first layers. */
GV_HOT static void normalize_row_f32(const float *restrict x, float *restrict y, const double *restrict mul, const double *restrict add, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(x[i] * mul[i] + add[i]);
}

enum { BLOCK = 480 }; /* a multiple of 1 … 6, 8, 10, 12, 15, 16, 20 */

static void body(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_normalize_attr *a = c->attr;
    gv_dtype tx = c->in[0].dtype, ty = c->out[0].dtype;
    size_t sx = gv_dtype_of(tx)->size, sy = gv_dtype_of(ty)->size;
    float in[BLOCK], out[BLOCK];
    double mul[BLOCK], add[BLOCK], wide[BLOCK];
    for (int64_t i = begin; i < end;) {
        int64_t first = i % a->channels, n = gv_min64(gv_min64(BLOCK, end - i), a->channels == 1 ? BLOCK : BLOCK / a->channels ? BLOCK / a->channels * a->channels : BLOCK);
        const void *x = (const char *)c->x[0] + (size_t)i * sx;
        void *y = (char *)c->y[0] + (size_t)i * sy;
        if (ty == GV_F64T) {
            gv_to_f64(tx, x, wide, (size_t)n);
            for (int64_t k = 0; k < n; k++)
                wide[k] = wide[k] * a->mul[(first + k) % a->channels] + a->add[(first + k) % a->channels];
            memcpy(y, wide, (size_t)n * sizeof *wide);
        } else {
            if (i == begin || BLOCK < a->channels) /* blocks begin at the same channel */
                for (int64_t k = 0; k < BLOCK; k++) {
                    mul[k] = a->mul[(first + k) % a->channels];
                    add[k] = a->add[(first + k) % a->channels];
                }
            gv_to_f32(tx, x, in, (size_t)n);
            normalize_row_f32(in, ty == GV_F32T ? y : out, mul, add, n);
            if (ty == GV_BF16)
                for (int64_t k = 0; k < n; k++)
                    ((uint16_t *)y)[k] = gv_f32_to_bf16(out[k]);
        }
        i += n;
    }
}

static int run(const gv_call *c)
{
    return gv_over(c, c->out[0].count, GV_GRAIN, body);
}

const gv_op gv_op_normalize = { .name = "normalize", .attr_size = sizeof(gv_normalize_attr), .flags = GV_OP_ANY_TYPE, .wants = "a", .plain_f32 = run };
