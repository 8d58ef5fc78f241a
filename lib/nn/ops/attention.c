/* attention: softmax(scale q k') v for each sample and head, q, k and v side by side in one tensor.
 * qkv [N,L,3D], its last axis [3,H,D/H] -> y [N,L,D], its last axis [H,D/H]; lse [N,H,L] (STAT): the logarithm of each row's sum of
 * exponentials, from which the backward pass makes the probabilities again.
 * Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; lse: Dao et al. 2022, arXiv:2205.14135, algorithm 1 and 4. */
#ifndef T
#include "nn/ops/math.h"
#include "nn/ops/op.h"

gv_val gv_self_attention(gv_graph *g, gv_val qkv, int64_t heads, double scale)
{
    if (!gv_op_ready(g, GV_OP_attention, &qkv, 1) || !gv_is_float(g, GV_OP_attention, qkv))
        return GV_NO_VAL;
    char t[GV_SHAPE_TEXT];
    if (gv_ndim(g, qkv) != 3 || heads < 1 || gv_dim(g, qkv, 2) % (3 * heads))
        return gv_graph_fail(g, "attention of %s with %" PRId64 " heads: [N,L,3D] is wanted, with D a multiple of the heads", gv_shape_text(g, qkv, t), heads);
    int64_t n = gv_dim(g, qkv, 0), l = gv_dim(g, qkv, 1), d = gv_dim(g, qkv, 2) / 3;
    gv_attention_attr o = { heads, scale };
    int node = gv_node_new(g, GV_OP_attention, &o, &qkv, 1);
    gv_val y = gv_node_out(g, node, gv_class_of(g, qkv), (int64_t[]){ n, l, d }, 3);
    gv_node_out(g, node, GV_CLASS_STAT, (int64_t[]){ n, heads, l }, 3);
    return y;
}

gv_val gv_self_attention_grad(gv_graph *g, gv_val qkv, gv_val lse, gv_val dy, const gv_attention_attr *o)
{
    gv_val in[3] = { qkv, lse, dy };
    if (!gv_op_ready(g, GV_OP_attention_grad, in, 3))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_attention_grad, o, in, 3, gv_class_of(g, qkv), gv_shape(g, qkv), 3);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    if (dy[0] != GV_NO_VAL)
        dx[0] = gv_self_attention_grad(g, n->in[0], n->out[1], dy[0], n->attr);
}

/* One row of probabilities for each head of each sample. */
static size_t scratch(const gv_call *c)
{
    return (size_t)c->out[1].count * (c->in[0].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/attention.c"
#include "nn/ops/types.h"

const gv_op gv_op_attention = {
    .name = "attention", .attr_size = sizeof(gv_attention_attr), .wants = "o",
    .gradient = gradient, GV_PLAIN(attention_run), .scratch = scratch,
};
#else
GV_HOT static void F(attention_heads)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_attention_attr *o = c->attr;
    int64_t L = c->in[0].shape[1], D = c->in[0].shape[2] / 3, H = o->heads, d = D / H;
    A scale = (A)o->scale;
    for (int64_t at = begin; at < end; at++) {
        const T *q = (const T *)c->x[0] + at / H * L * 3 * D + at % H * d, *k = q + D, *v = k + D;
        T *y = (T *)c->y[0] + at / H * L * D + at % H * d;
        A *row = (A *)c->scratch + at * L;
        for (int64_t i = 0; i < L; i++) {
            A most = 0, sum = 0;
            for (int64_t j = 0; j < L; j++) {
                A s = 0;
                for (int64_t e = 0; e < d; e++)
                    s += LD(q[i * 3 * D + e]) * LD(k[j * 3 * D + e]);
                row[j] = s * scale;
                most = !j || row[j] > most ? row[j] : most;
            }
            for (int64_t j = 0; j < L; j++)
                sum += row[j] = gv_exp_of(row[j] - most);
            for (int64_t e = 0; e < d; e++) {
                A s = 0;
                for (int64_t j = 0; j < L; j++)
                    s += row[j] * LD(v[j * 3 * D + e]);
                y[i * D + e] = ST(s / sum);
            }
            ((S *)c->y[1])[at * L + i] = (S)(most + gv_log_of(sum));
        }
    }
}

static int F(attention_run)(const gv_call *c)
{
    return gv_over(c, c->in[0].shape[0] * ((const gv_attention_attr *)c->attr)->heads, 1, F(attention_heads));
}
#endif
