/* attention: multi-head self-attention with q, k and v from one matrix or from three. x [N,L,D] -> [N,L,D].
 * trained: qkv [3D,D] (or q_proj, k_proj, v_proj [D,D]), proj [D,D] and their biases; q_norm, k_norm [D/heads] with qk_norm; norm [D] with scale_norm.
 * Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; qk-norm: Dehghani et al. 2023, arXiv:2302.05442;
 * three matrices, k without bias, rotary positions: timm's EvaAttention. */
#include "nn/layers/layers.h"
#include <inttypes.h>
#include <math.h>

/* Part i of qkv [3,N,H,L,d] as [N,H,L,d]. */
static gv_val part(gv_graph *g, gv_val qkv, int i, const int64_t *shape)
{
    return gv_reshape(g, gv_slice(g, qkv, 0, i, 1), shape, 4);
}

/* Queries, keys and values of all heads side by side, [N,L,3D]. */
static gv_val projected(gv_graph *g, const struct gv_attention *o, gv_val x)
{
    int64_t d = gv_dim(g, x, 2);
    const char *b = o->init ? "zeros" : NULL;
    if (!o->separate)
        return gv_linear(g, x, "qkv", .out = 3 * d, .bias = !o->no_qkv_bias, .init = o->init, .bias_init = b);
    gv_val part[3] = { gv_linear(g, x, "q_proj", .out = d, .bias = !o->no_qkv_bias, .init = o->init, .bias_init = b), gv_linear(g, x, "k_proj", .out = d, .init = o->init),
                       gv_linear(g, x, "v_proj", .out = d, .bias = !o->no_qkv_bias, .init = o->init, .bias_init = b) };
    return gv_concat(g, part, 3, 2);
}

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_attention *o = params;
    int64_t n = gv_dim(g, x, 0), l = gv_dim(g, x, 1), d = gv_dim(g, x, 2), h = o->heads, hd = h > 0 ? d / h : 0;
    const char *b = o->init ? "zeros" : NULL;
    if (h < 1 || d % h)
        return gv_graph_fail(g, "a width of %" PRId64 " does not divide into %" PRId64 " heads", d, h);
    gv_mark(g, "attention");
    if (o->qk_norm && o->grid[0])
        return gv_graph_fail(g, "rotary positions behind a norm of queries and keys are not built");
    gv_val qkv = projected(g, o, x); /* [N,L,3D] */
    if (o->grid[0])
        qkv = gv_rotary(g, qkv, o->keep ? *o->keep : GV_NO_VAL, 2 * h, hd, o->grid, 10000);
    qkv = gv_reshape(g, qkv, (int64_t[]){ n, l, 3, h, hd }, 5);
    qkv = gv_permute(g, qkv, (int[]){ 2, 0, 3, 1, 4 }); /* [3,N,H,L,d] */
    const int64_t shape[4] = { n, h, l, hd };
    gv_val q = part(g, qkv, 0, shape), k = part(g, qkv, 1, shape), v = part(g, qkv, 2, shape);
    if (o->qk_norm) {
        q = gv_layer_norm(g, q, "q_norm", .eps = o->eps);
        k = gv_layer_norm(g, k, "k_norm", .eps = o->eps);
    }
    gv_val a = gv_softmax(g, gv_matmul(g, q, k, GV_NO_VAL, false, true, 1 / sqrt((double)hd))); /* [N,H,L,L] */
    gv_enter(g, "attn_drop");
    a = o->attn_drop > 0 ? gv_dropout(g, a, o->attn_drop, false) : a;
    gv_leave(g);
    x = gv_matmul(g, a, v, GV_NO_VAL, false, false, 1);                                  /* [N,H,L,d] */
    x = gv_reshape(g, gv_permute(g, x, (int[]){ 0, 2, 1, 3 }), (int64_t[]){ n, l, d }, 3); /* [N,L,D] */
    if (o->scale_norm)
        x = gv_layer_norm(g, x, "norm", .eps = o->eps);
    x = gv_linear(g, x, "proj", .out = d, .bias = !o->no_proj_bias, .init = o->proj_init ? o->proj_init : o->init, .bias_init = b);
    gv_enter(g, "proj_drop");
    x = o->proj_drop > 0 ? gv_dropout(g, x, o->proj_drop, false) : x;
    gv_leave(g);
    return x;
}

const gv_layer gv_layer_attention = {
    .name = "attention", .summary = "multi-head self-attention", .params_size = sizeof(struct gv_attention), .build = build,
};
