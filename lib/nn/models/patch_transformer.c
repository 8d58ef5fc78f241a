/* patch_transformer: a transformer over pieces of a series, with PatchTST's tokens. series [N,T,C] -> tokens [N,L,C width], or
 * [N,L,width] with mix_channels.
 *
 *   tokens      the last point repeated patch_stride times behind the end, then pieces of patch_length points every patch_stride:
 *               L = (T - patch_length) / patch_stride + 2; each channel by itself through the same network, so that a token of the whole
 *               holds its channels side by side; with mix_channels a piece of all channels is one token
 *   positions   trained, uniform within 0.02; class_token: one more in front, per channel
 *   blocks.i    x = norm1(x + attn(x)); x = norm2(x + mlp(x)), GELU, the norms over batch and tokens (batch norm), as published
 *
 * Options: width (128), depth (3), heads (16), hidden (256), patch_length (16), patch_stride (8), dropout (0.2), class_token,
 * mix_channels. Left out: the residual attention of the authors' code, and normalising each series inside the network: here
 * the data set does that.
 * Source: Nie et al. 2023, arXiv:2211.14730, sections 3.1 and A.1.4; batch norm: Zerveas et al. 2021, arXiv:2010.02803. */
#include "nn/layers/layers.h"
#include "nn/models/timeseries.h"
#include <inttypes.h>

struct variant { const char *name; };
static const struct variant variants[] = { { "patch_transformer" } };

struct shape { int64_t width, depth, heads, hidden, length, stride; double drop; bool class_token; };

static gv_val dropout(gv_graph *g, gv_val x, const char *name, double p)
{
    gv_enter(g, "%s", name);
    x = p > 0 ? gv_dropout(g, x, p, false) : x;
    gv_leave(g);
    return x;
}

/* x [N,T,c] -> [N,L,width] with positions. */
static gv_val embed(gv_graph *g, const struct shape *s, gv_val x)
{
    int64_t n = gv_dim(g, x, 0), t = gv_dim(g, x, 1), c = gv_dim(g, x, 2);
    gv_val part[2] = { x, gv_broadcast(g, gv_slice(g, x, 1, t - 1, 1), (int64_t[]){ n, s->stride, c }, 3) };
    x = gv_concat(g, part, 2, 1); /* [N,T+stride,c] */
    x = gv_convnd(g, x, "patch_embed", .dims = 1, .out = s->width, .kernel = { s->length }, .stride = { s->stride }, .bias = true);
    if (s->class_token) {
        part[1] = x;
        part[0] = gv_broadcast(g, gv_param(g, "cls_token", (int64_t[]){ 1, 1, s->width }, 3, "uniform -0.02 0.02"), (int64_t[]){ n, 1, s->width }, 3);
        x = gv_concat(g, part, 2, 1);
    }
    x = gv_add(g, x, gv_param(g, "pos_embed", (int64_t[]){ 1, gv_dim(g, x, 1), s->width }, 3, "uniform -0.02 0.02"));
    return dropout(g, x, "pos_drop", s->drop);
}

static gv_val block(gv_graph *g, const struct shape *s, gv_val x)
{
    gv_mark(g, "block");
    gv_val y = gv_attention(g, x, "attn", .heads = s->heads, .proj_drop = s->drop);
    x = gv_batch_norm(g, gv_add(g, x, y), "norm1");
    y = gv_mlp(g, x, "mlp", .hidden = s->hidden, .act = GV_ACT_GELU, .drop = s->drop);
    return gv_batch_norm(g, gv_add(g, x, y), "norm2");
}

static gv_features build(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x)
{
    gv_timeseries_encoder e = gv_timeseries_options(g, o, "patch_transformer", GV_TIMESERIES_TAKES(WIDTH) | GV_TIMESERIES_TAKES(DEPTH) | GV_TIMESERIES_TAKES(HEADS) |
        GV_TIMESERIES_TAKES(HIDDEN) | GV_TIMESERIES_TAKES(PATCH_LENGTH) | GV_TIMESERIES_TAKES(PATCH_STRIDE) | GV_TIMESERIES_TAKES(DROPOUT) |
        GV_TIMESERIES_TAKES(CLASS_TOKEN) | GV_TIMESERIES_TAKES(MIX_CHANNELS));
    struct shape s = { .width = gv_timeseries_or(e.width, 128), .depth = gv_timeseries_or(e.depth, 3), .heads = gv_timeseries_or(e.heads, 16), .hidden = gv_timeseries_or(e.hidden, 256),
        .length = gv_timeseries_or(e.patch_length, 16), .stride = gv_timeseries_or(e.patch_stride, 8), .drop = isnan(e.dropout) ? 0.2 : e.dropout, .class_token = e.class_token };
    int64_t n = gv_dim(g, x, 0), t = gv_dim(g, x, 1), c = gv_dim(g, x, 2);
    gv_features f = { .kind = GV_TOKENS, .prefix = s.class_token, .has_class_token = s.class_token };
    (void)variant;
    if (s.length > t + s.stride) {
        gv_graph_fail(g, "a series of %" PRId64 " points is shorter than a patch of %" PRId64 " (model.encoder.patch_length, data.length)", t, s.length);
        return (gv_features){ .value = GV_NO_VAL };
    }
    bool apart = !e.mix_channels && c > 1;
    if (apart)
        x = gv_reshape(g, gv_permute(g, x, (int[]){ 0, 2, 1 }), (int64_t[]){ n * c, t, 1 }, 3); /* [N C,T,1] */
    gv_mark(g, "tokens");
    x = embed(g, &s, x);
    for (int64_t i = 0; i < s.depth; i++) {
        gv_enter(g, "blocks.%d", (int)i);
        x = block(g, &s, x);
        gv_leave(g);
    }
    int64_t l = gv_dim(g, x, 1);
    f.grid[0] = l - f.prefix;
    if (apart) { /* [N C,L,D] -> [N,L,C D] */
        x = gv_permute(g, gv_reshape(g, x, (int64_t[]){ n, c, l, s.width }, 4), (int[]){ 0, 2, 1, 3 });
        x = gv_reshape(g, x, (int64_t[]){ n, l, c * s.width }, 3);
    }
    f.value = x;
    return f;
}

const gv_model gv_model_patch_transformer = {
    .name = "patch_transformer", .summary = "transformer over pieces of a series (PatchTST's tokens)", .source = "arXiv:2211.14730",
    .encoder = "timeseries", .axes = 1u << 1,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .classifier = "head", .first_conv = "patch_embed", .build = build,
};
