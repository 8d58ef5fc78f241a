/* primus: a transformer for volumes with learned and rotary positions. x [N,D,H,W,C] -> tokens [N,D/p*H/p*W/p,width], without a class token.
 *
 *   patches (a convolution whose kernel is its stride), + pos_embed, patches left out, then blocks
 *   x + gamma_1 attn(norm1 x); x + gamma_2 mlp(norm2 x), where attn turns q and k by their places and norms the heads' output, and mlp is
 *   SwiGLU with a norm inside; a norm behind all
 *
 * S, B, M, L: 22.89, 90.95, 144.09, 322.28 million parameters with 1 input channel, without pos_embed.
 *
 * Sources: Wald et al. 2025, arXiv:2503.01835; dynamic-network-architectures 0.4, architectures/primus.py and building_blocks/eva.py;
 * blocks and rotary positions: timm 1.0.22, models/eva.py. */
#include "nn/layers/layers.h"
#include "nn/models/encoders.h"
#include "nn/models/models.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

typedef struct gv_primus_encoder params;

static const struct variant { const char *name; } variants[] = { { "primus" } };
static const struct size { int width, depth, heads; } sizes[] = {
    [GV_PRIMUS_S] = { 396, 12, 6 }, [GV_PRIMUS_B] = { 792, 12, 12 }, [GV_PRIMUS_M] = { 864, 16, 12 }, [GV_PRIMUS_L] = { 1056, 24, 16 },
};
static const double eps = 1e-5, scale = 0.1;

/* The patch grid, and what does not fit it. */
static bool grid_of(gv_graph *g, const params *p, gv_val x, int64_t grid[3])
{
    if (p->input_shape.n != 3 || p->patch_embed_size.n != 3) {
        gv_graph_fail(g, "'--model.encoder.input_shape' and '--model.encoder.patch_embed_size' have three sides each");
        return false;
    }
    const int64_t *s = p->input_shape.v, *k = p->patch_embed_size.v;
    for (int i = 0; i < 3; i++) {
        grid[i] = s[i] / k[i];
        if (s[i] % k[i] || !grid[i]) {
            gv_graph_fail(g, "'--model.encoder.input_shape' %" PRId64 " %" PRId64 " %" PRId64 " does not divide into patches of %" PRId64 " %" PRId64 " %" PRId64, s[0], s[1], s[2], k[0], k[1], k[2]);
            return false;
        }
    }
    for (int i = 0; i < 3; i++)
        if (gv_dim(g, x, 1 + i) != s[i]) {
            gv_graph_fail(g, "the samples are %" PRId64 " x %" PRId64 " x %" PRId64 ", and '--model.encoder.input_shape' is %" PRId64 " x %" PRId64 " x %" PRId64 " (see --data.augmentation.patch_size)", gv_dim(g, x, 1),
                          gv_dim(g, x, 2), gv_dim(g, x, 3), s[0], s[1], s[2]);
            return false;
        }
    return true;
}

static gv_val patches(gv_graph *g, const params *p, gv_val x, int64_t width)
{
    const int64_t *k = p->patch_embed_size.v;
    gv_enter(g, "down_projection");
    x = gv_convnd(g, x, "proj", .dims = 3, .out = width, .kernel = { k[0], k[1], k[2] }, .stride = { k[0], k[1], k[2] }, .bias = true, .init = "kaiming_normal_leaky", .bias_init = "zeros");
    gv_leave(g);
    return gv_reshape(g, x, (int64_t[]){ gv_dim(g, x, 0), -1, width }, 3);
}

/* x + gamma * y, the branch left out for whole samples with chance p. */
static gv_val sum(gv_graph *g, gv_val x, gv_val y, const char *gamma, const char *drop, double p)
{
    int64_t d = gv_dim(g, x, 2);
    char text[GV_INIT_TEXT];
    snprintf(text, sizeof text, "constant %.17g", scale);
    y = gv_mul(g, y, gv_param(g, gamma, &d, 1, text));
    return gv_add(g, x, gv_drop_path(g, y, drop, .p = p));
}

static gv_val block(gv_graph *g, const struct size *v, const int64_t *grid, const gv_val *keep, gv_val x, int depth, double drop)
{
    static const char init[] = "trunc_normal 0.02";
    char small[GV_INIT_TEXT]; /* of what ends a branch */
    snprintf(small, sizeof small, "trunc_normal %.17g", 0.02 / sqrt(2. * (depth + 1)));
    gv_mark(g, "block");
    gv_val y = gv_layer_norm(g, x, "norm1", .eps = eps);
    y = gv_attention(g, y, "attn", .heads = v->heads, .separate = true, .scale_norm = true, .grid = { grid[0], grid[1], grid[2] }, .keep = keep, .eps = eps, .init = init, .proj_init = small);
    x = sum(g, x, y, "gamma_1", "drop_path1", drop);
    y = gv_layer_norm(g, x, "norm2", .eps = eps);
    y = gv_swiglu(g, y, "mlp", .hidden = 2 * (v->width * 8 / 3), .separate = true, .norm = true, .eps = eps, .init = init, .out_init = small);
    return sum(g, x, y, "gamma_2", "drop_path2", drop);
}

static gv_features build(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x)
{
    const params *p = o->params;
    gv_features f = { .kind = GV_TOKENS, .value = GV_NO_VAL };
    (void)variant;
    if (!p) {
        gv_graph_fail(g, "primus without its options");
        return f;
    }
    const struct size *v = &sizes[p->variant];
    if (!grid_of(g, p, x, f.grid))
        return f;
    gv_mark(g, "tokens");
    x = patches(g, p, x, v->width); /* [N,L,D] */
    gv_enter(g, "eva");
    x = gv_add(g, x, gv_param(g, "pos_embed", (int64_t[]){ 1, gv_dim(g, x, 1), v->width }, 3, "trunc_normal 0.02"));
    gv_val kept = GV_NO_VAL;
    if (gv_graph_phase(g) == GV_TRAIN && p->patch_drop_rate > 0) {
        kept = gv_kept_tokens(g, x, "patch_drop", .p = p->patch_drop_rate);
        x = gv_gather(g, x, kept);
    }
    for (int i = 0; i < v->depth; i++) {
        gv_enter(g, "blocks.%d", i);
        x = block(g, v, f.grid, kept == GV_NO_VAL ? NULL : &kept, x, i, p->drop_path_rate * i / (v->depth - 1));
        gv_leave(g);
    }
    f.value = gv_layer_norm(g, x, "norm", .eps = eps);
    gv_leave(g);
    return f;
}

static int pos_prefix(const void *variant)
{
    (void)variant;
    return 0;
}

const gv_model gv_model_primus = {
    .name = "primus", .summary = "Primus, a transformer for volumes", .source = "dynamic_network_architectures/architectures/primus.py",
    .encoder = "primus", .axes = 1u << 3, .transformer = true,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .classifier = "head", .first_conv = "down_projection.proj", .any_channels = true, .pos_prefix = pos_prefix, .build = build,
};
