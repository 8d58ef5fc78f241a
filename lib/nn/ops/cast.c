/* cast: to another class; the numbers are rounded to nearest. Removed by the plan where the type stays. */
#include "nn/ops/op.h"

gv_val gv_cast(gv_graph *g, gv_val x, gv_class cls)
{
    if (!gv_op_ready(g, GV_OP_cast, &x, 1))
        return GV_NO_VAL;
    if (gv_class_of(g, x) == cls)
        return x;
    return gv_op1(g, GV_OP_cast, NULL, &x, 1, cls, gv_shape(g, x), gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_cast(g, dy[0], gv_class_of(g, n->in[0]));
}

GV_HOT static void cast_f32_to_bf16(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const float *x = c->x[0];
    uint16_t *y = c->y[0];
    for (int64_t at = begin, stop; at < end; at = stop) {
        stop = gv_min64(at + GV_PIECE, end);
        gv_ahead(x + at, GV_PIECE * sizeof *x);
        for (int64_t i = at; i < stop; i++)
            y[i] = gv_f32_to_bf16(x[i]);
    }
}

GV_HOT static void cast_bf16_to_f32(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const uint16_t *x = c->x[0];
    float *y = c->y[0];
    for (int64_t at = begin, stop; at < end; at = stop) {
        stop = gv_min64(at + GV_PIECE, end);
        gv_ahead(x + at, GV_PIECE * sizeof *x);
        for (int64_t i = at; i < stop; i++)
            y[i] = gv_bf16_to_f32(x[i]);
    }
}

GV_HOT static void cast_u8_to_f32(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const uint8_t *x = c->x[0];
    float *y = c->y[0];
    for (int64_t at = begin, stop; at < end; at = stop) {
        stop = gv_min64(at + GV_PIECE, end);
        gv_ahead(x + at, GV_PIECE * sizeof *x);
        for (int64_t i = at; i < stop; i++)
            y[i] = x[i];
    }
}

/* Any other pair, through double, a block at a time. */
static void cast_any(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    double block[512];
    size_t sx = gv_dtype_of(c->in[0].dtype)->size, sy = gv_dtype_of(c->out[0].dtype)->size;
    for (int64_t i = begin; i < end; i += 512) {
        size_t n = (size_t)gv_min64(512, end - i);
        gv_to_f64(c->in[0].dtype, (const char *)c->x[0] + (size_t)i * sx, block, n);
        gv_from_f64(c->out[0].dtype, block, (char *)c->y[0] + (size_t)i * sy, n);
    }
}

static int run(const gv_call *c)
{
    gv_dtype x = c->in[0].dtype, y = c->out[0].dtype;
    gv_body *b = x == GV_F32T && y == GV_BF16 ? cast_f32_to_bf16 : x == GV_BF16 && y == GV_F32T ? cast_bf16_to_f32
               : x == GV_U8 && y == GV_F32T ? cast_u8_to_f32 : cast_any;
    return gv_over(c, c->out[0].count, GV_GRAIN, b);
}

const gv_op gv_op_cast = { .name = "cast", .flags = GV_OP_ANY_TYPE, .wants = "a", .gradient = gradient, .plain_f32 = run };
