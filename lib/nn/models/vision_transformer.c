/* vision_transformer: the plain ViTs of timm's vision_transformer.py, with its names: tiny to gigantic, patches of 8 to 32
 * pixels, augreg, CLIP, DINOv2, registers (`_reg`), average pooling (`_gap`). images [N,H,W,C] -> tokens [N,L,D].
 *
 *   patch_embed   a convolution with stride = kernel; without bias when a norm follows (`pre_norm`, CLIP)
 *   tokens        class token, register tokens, patches; pos_embed covers the patches alone with `no_embed_class`
 *   blocks.i      x += ls1(attn(norm1 x)); x += ls2(mlp(norm2 x))
 *   norm          after the blocks, or `fc_norm` behind the pooling; none with `no_norm`
 *
 * Any image size that the patch divides builds; pos_embed gets its size from the image, and published weights are resampled
 * (adapt.h). vit_base_patch16_224 has 86,567,656 parameters with its classifier `head` of 1,000 classes.
 * Initialised as timm does: linear weights and pos_embed normal with deviation 0.02, tokens 1e-6, biases 0. timm lets a SwiGLU gate start near zero; here it starts as the rest.
 *
 * Left out: pooling by attention (SigLIP with `map`), RMS norm (AIMv2, xp), parallel and differential blocks, RADIO, FlexiViT.
 *
 * Sources: Dosovitskiy et al. 2020 arXiv:2010.11929; Steiner et al. 2021 arXiv:2106.10270; Oquab et al. 2023 arXiv:2304.07193;
 * Darcet et al. 2023 arXiv:2309.16588; Radford et al. 2021 arXiv:2103.00020. Names, widths, initialisation: timm 1.0.31. */
#include "nn/layers/layers.h"
#include "nn/models/models.h"
#include <string.h>

typedef struct variant {
    const char *name;
    int patch, width, depth, heads;
    int hidden;          /* of the MLP; 0: 4 width. SwiGLU: of gate and value together */
    bool no_class;
    int registers;
    bool no_embed_class; /* pos_embed covers the patches alone */
    bool fc_norm, no_norm, pre_norm;
    double eps;          /* of the norms; 0: 1e-6 */
    double layer_scale;  /* 0: none */
    bool no_qkv_bias, scale_norm, swiglu;
    gv_activation act;
    bool cut;            /* pixels beyond the last whole patch are left out */
} variant;

#define CLIP .pre_norm = true, .eps = 1e-5
#define QUICK .act = GV_ACT_QUICK_GELU
#define TANH .act = GV_ACT_GELU_TANH
#define GAP_REG(n) .no_class = true, .registers = n, .no_embed_class = true, .fc_norm = true, .layer_scale = 1e-5
static const variant variants[] = {
    { "beit3_base_patch16_224", 16, 768, 12, 12, .fc_norm = true, .eps = 1e-5, .scale_norm = true },
    { "beit3_giant_patch14_224", 14, 1408, 40, 16, .hidden = 6144, .fc_norm = true, .eps = 1e-5, .scale_norm = true },
    { "beit3_giant_patch14_336", 14, 1408, 40, 16, .hidden = 6144, .fc_norm = true, .eps = 1e-5, .scale_norm = true },
    { "beit3_large_patch16_224", 16, 1024, 24, 16, .fc_norm = true, .eps = 1e-5, .scale_norm = true },
    { "eva_large_patch14_196", 14, 1024, 24, 16, .fc_norm = true },
    { "eva_large_patch14_336", 14, 1024, 24, 16, .fc_norm = true },
    { "test_vit", 16, 64, 6, 2, .hidden = 192 },
    { "test_vit2", 16, 64, 8, 2, .hidden = 192, .no_class = true, .registers = 1, .fc_norm = true, .layer_scale = 1e-5 },
    { "vit_base_patch8_224", 8, 768, 12, 12 },
    { "vit_base_patch14_dinov2", 14, 768, 12, 12, .layer_scale = 1e-5 },
    { "vit_base_patch14_reg1_tipsv2", 14, 768, 12, 12, .registers = 1, .no_embed_class = true, .layer_scale = 1 },
    { "vit_base_patch14_reg4_dinov2", 14, 768, 12, 12, .registers = 4, .no_embed_class = true, .layer_scale = 1e-5 },
    { "vit_base_patch16_224", 16, 768, 12, 12 },
    { "vit_base_patch16_224_miil", 16, 768, 12, 12, .no_qkv_bias = true },
    { "vit_base_patch16_384", 16, 768, 12, 12 },
    { "vit_base_patch16_clip_224", 16, 768, 12, 12, CLIP },
    { "vit_base_patch16_clip_384", 16, 768, 12, 12, CLIP },
    { "vit_base_patch16_clip_quickgelu_224", 16, 768, 12, 12, CLIP, QUICK },
    { "vit_base_patch16_gap_224", 16, 768, 12, 16, .no_class = true },
    { "vit_base_patch16_plus_240", 16, 896, 12, 14, .layer_scale = 1e-5 },
    { "vit_base_patch16_plus_clip_240", 16, 896, 12, 14, CLIP },
    { "vit_base_patch16_reg4_gap_256", 16, 768, 12, 12, .no_class = true, .registers = 4, .no_embed_class = true, .fc_norm = true },
    { "vit_base_patch16_siglip_gap_224", 16, 768, 12, 12, .no_class = true },
    { "vit_base_patch16_siglip_gap_256", 16, 768, 12, 12, .no_class = true },
    { "vit_base_patch16_siglip_gap_384", 16, 768, 12, 12, .no_class = true },
    { "vit_base_patch16_siglip_gap_512", 16, 768, 12, 12, .no_class = true },
    { "vit_base_patch32_224", 32, 768, 12, 12 },
    { "vit_base_patch32_384", 32, 768, 12, 12 },
    { "vit_base_patch32_clip_224", 32, 768, 12, 12, CLIP },
    { "vit_base_patch32_clip_256", 32, 768, 12, 12, CLIP },
    { "vit_base_patch32_clip_384", 32, 768, 12, 12, CLIP },
    { "vit_base_patch32_clip_448", 32, 768, 12, 12, CLIP },
    { "vit_base_patch32_clip_quickgelu_224", 32, 768, 12, 12, CLIP, QUICK },
    { "vit_base_patch32_plus_256", 32, 896, 12, 14, .layer_scale = 1e-5 },
    { "vit_base_patch32_siglip_gap_256", 32, 768, 12, 12, .no_class = true, TANH },
    { "vit_betwixt_patch16_gap_256", 16, 640, 12, 10, .no_class = true, .layer_scale = 1e-6, .no_qkv_bias = true },
    { "vit_betwixt_patch16_reg1_gap_256", 16, 640, 12, 10, GAP_REG(1) },
    { "vit_betwixt_patch16_reg4_gap_256", 16, 640, 12, 10, GAP_REG(4) },
    { "vit_betwixt_patch16_reg4_gap_384", 16, 640, 12, 10, GAP_REG(4) },
    { "vit_betwixt_patch32_clip_224", 32, 640, 12, 10, CLIP },
    { "vit_giant_patch14_224", 14, 1408, 40, 16, .hidden = 6144 },
    { "vit_giant_patch14_clip_224", 14, 1408, 40, 16, .hidden = 6144, CLIP },
    { "vit_giant_patch14_dinov2", 14, 1536, 40, 24, .hidden = 8192, .layer_scale = 1e-5, .swiglu = true },
    { "vit_giant_patch14_reg1_tipsv2", 14, 1536, 40, 24, .hidden = 8192, .registers = 1, .no_embed_class = true, .layer_scale = 1, .swiglu = true },
    { "vit_giant_patch14_reg4_dinov2", 14, 1536, 40, 24, .hidden = 8192, .registers = 4, .no_embed_class = true, .layer_scale = 1e-5, .swiglu = true },
    { "vit_giant_patch16_gap_224", 16, 1408, 40, 16, .hidden = 6144, .no_class = true },
    { "vit_giantopt_patch16_siglip_gap_256", 16, 1536, 40, 16, .no_class = true, TANH },
    { "vit_giantopt_patch16_siglip_gap_384", 16, 1536, 40, 16, .no_class = true, TANH },
    { "vit_gigantic_patch14_224", 14, 1664, 48, 16, .hidden = 8192 },
    { "vit_gigantic_patch14_clip_224", 14, 1664, 48, 16, .hidden = 8192, CLIP },
    { "vit_gigantic_patch14_clip_378", 14, 1664, 48, 16, .hidden = 8192, CLIP },
    { "vit_gigantic_patch14_clip_quickgelu_224", 14, 1664, 48, 16, .hidden = 8192, CLIP, QUICK },
    { "vit_huge_patch14_224", 14, 1280, 32, 16 },
    { "vit_huge_patch14_clip_224", 14, 1280, 32, 16, CLIP },
    { "vit_huge_patch14_clip_336", 14, 1280, 32, 16, CLIP },
    { "vit_huge_patch14_clip_378", 14, 1280, 32, 16, CLIP },
    { "vit_huge_patch14_clip_quickgelu_224", 14, 1280, 32, 16, CLIP, QUICK },
    { "vit_huge_patch14_clip_quickgelu_378", 14, 1280, 32, 16, CLIP, QUICK },
    { "vit_huge_patch14_gap_224", 14, 1280, 32, 16, .no_class = true },
    { "vit_huge_patch16_gap_448", 16, 1280, 32, 16, .no_class = true },
    { "vit_intern300m_patch14_448", 14, 1024, 24, 16, .no_norm = true, .layer_scale = 0.1 },
    { "vit_large_patch14_224", 14, 1024, 24, 16 },
    { "vit_large_patch14_clip_224", 14, 1024, 24, 16, CLIP },
    { "vit_large_patch14_clip_336", 14, 1024, 24, 16, CLIP },
    { "vit_large_patch14_clip_quickgelu_224", 14, 1024, 24, 16, CLIP, QUICK },
    { "vit_large_patch14_clip_quickgelu_336", 14, 1024, 24, 16, CLIP, QUICK },
    { "vit_large_patch14_dinov2", 14, 1024, 24, 16, .layer_scale = 1e-5 },
    { "vit_large_patch14_reg1_tipsv2", 14, 1024, 24, 16, .registers = 1, .no_embed_class = true, .layer_scale = 1 },
    { "vit_large_patch14_reg4_dinov2", 14, 1024, 24, 16, .registers = 4, .no_embed_class = true, .layer_scale = 1e-5 },
    { "vit_large_patch16_224", 16, 1024, 24, 16 },
    { "vit_large_patch16_384", 16, 1024, 24, 16 },
    { "vit_large_patch16_siglip_gap_256", 16, 1024, 24, 16, .no_class = true },
    { "vit_large_patch16_siglip_gap_384", 16, 1024, 24, 16, .no_class = true },
    { "vit_large_patch16_siglip_gap_512", 16, 1024, 24, 16, .no_class = true, TANH },
    { "vit_large_patch32_224", 32, 1024, 24, 16 },
    { "vit_large_patch32_384", 32, 1024, 24, 16 },
    { "vit_little_patch16_reg1_gap_256", 16, 320, 14, 5, .hidden = 1792, GAP_REG(1) },
    { "vit_little_patch16_reg4_gap_256", 16, 320, 14, 5, .hidden = 1792, GAP_REG(4) },
    { "vit_medium_patch16_clip_224", 16, 512, 12, 8, CLIP },
    { "vit_medium_patch16_gap_240", 16, 512, 12, 8, .no_class = true, .layer_scale = 1e-6, .no_qkv_bias = true },
    { "vit_medium_patch16_gap_256", 16, 512, 12, 8, .no_class = true, .layer_scale = 1e-6, .no_qkv_bias = true },
    { "vit_medium_patch16_gap_384", 16, 512, 12, 8, .no_class = true, .layer_scale = 1e-6, .no_qkv_bias = true },
    { "vit_medium_patch16_reg1_gap_256", 16, 512, 12, 8, GAP_REG(1) },
    { "vit_medium_patch16_reg4_gap_256", 16, 512, 12, 8, GAP_REG(4) },
    { "vit_medium_patch32_clip_224", 32, 512, 12, 8, CLIP },
    { "vit_mediumd_patch16_reg4_gap_256", 16, 512, 20, 8, GAP_REG(4) },
    { "vit_mediumd_patch16_reg4_gap_384", 16, 512, 20, 8, GAP_REG(4) },
    { "vit_small_patch8_224", 8, 384, 12, 6 },
    { "vit_small_patch14_dinov2", 14, 384, 12, 6, .layer_scale = 1e-5 },
    { "vit_small_patch14_reg4_dinov2", 14, 384, 12, 6, .registers = 4, .no_embed_class = true, .layer_scale = 1e-5 },
    { "vit_small_patch16_36x1_224", 16, 384, 36, 6, .layer_scale = 1e-5 },
    { "vit_small_patch16_224", 16, 384, 12, 6 },
    { "vit_small_patch16_384", 16, 384, 12, 6 },
    { "vit_small_patch32_224", 32, 384, 12, 6 },
    { "vit_small_patch32_384", 32, 384, 12, 6 },
    { "vit_so150m2_patch16_reg1_gap_256", 16, 832, 21, 13, .hidden = 2176, .no_class = true, .registers = 1, .fc_norm = true, .layer_scale = 1e-5, .no_qkv_bias = true },
    { "vit_so150m2_patch16_reg1_gap_384", 16, 832, 21, 13, .hidden = 2176, .no_class = true, .registers = 1, .fc_norm = true, .layer_scale = 1e-5, .no_qkv_bias = true },
    { "vit_so150m2_patch16_reg1_gap_448", 16, 832, 21, 13, .hidden = 2176, .no_class = true, .registers = 1, .fc_norm = true, .layer_scale = 1e-5, .no_qkv_bias = true },
    { "vit_so150m_patch16_reg4_gap_256", 16, 896, 18, 14, .hidden = 2304, .no_class = true, .registers = 4 },
    { "vit_so150m_patch16_reg4_gap_384", 16, 896, 18, 14, .hidden = 2304, .no_class = true, .registers = 4 },
    { "vit_so400m_patch14_reg1_tipsv2", 14, 1152, 27, 16, .hidden = 4304, .registers = 1, .no_embed_class = true, .layer_scale = 1 },
    { "vit_so400m_patch14_siglip_gap_224", 14, 1152, 27, 16, .hidden = 4304, .no_class = true },
    { "vit_so400m_patch14_siglip_gap_378", 14, 1152, 27, 16, .hidden = 4304, .no_class = true },
    { "vit_so400m_patch14_siglip_gap_384", 14, 1152, 27, 16, .hidden = 4304, .no_class = true, .cut = true },
    { "vit_so400m_patch14_siglip_gap_448", 14, 1152, 27, 16, .hidden = 4304, .no_class = true },
    { "vit_so400m_patch14_siglip_gap_896", 14, 1152, 27, 16, .hidden = 4304, .no_class = true },
    { "vit_so400m_patch16_siglip_gap_256", 16, 1152, 27, 16, .hidden = 4304, .no_class = true, TANH },
    { "vit_so400m_patch16_siglip_gap_384", 16, 1152, 27, 16, .hidden = 4304, .no_class = true, TANH },
    { "vit_so400m_patch16_siglip_gap_512", 16, 1152, 27, 16, .hidden = 4304, .no_class = true, TANH },
    { "vit_tiny_patch16_224", 16, 192, 12, 3 },
    { "vit_tiny_patch16_384", 16, 192, 12, 3 },
    { "vit_wee_patch16_reg1_gap_256", 16, 256, 14, 4, .hidden = 1280, GAP_REG(1) },
    { "vit_xsmall_patch16_clip_224", 16, 256, 10, 4, CLIP },
};



static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/vit_table.inc"
};

static int64_t num_features(const void *v)
{
    return ((const variant *)v)->width;
}

static int64_t patch_size(const void *v)
{
    return ((const variant *)v)->patch;
}

static int pos_prefix(const void *variant_)
{
    const variant *v = variant_;
    return v->no_embed_class ? 0 : !v->no_class + v->registers;
}

/* The file of a model published with pooling by attention holds that pool too. */
static const char *unused_prefix(const void *v)
{
    return strstr(((const variant *)v)->name, "_siglip_gap_") ? "attn_pool." : NULL;
}

/* A trained token for every sample: name [1,n,D] -> [N,n,D]. */
static gv_val token(gv_graph *g, const char *name, int64_t batch, int64_t n, int64_t d)
{
    gv_val t = gv_param(g, name, (int64_t[]){ 1, n, d }, 3, "normal 1e-6");
    return gv_broadcast(g, t, (int64_t[]){ batch, n, d }, 3);
}

/* Patches [N,P,D] -> tokens [N,L,D] with positions. */
static gv_val embed(gv_graph *g, const variant *v, gv_val x)
{
    int64_t n = gv_dim(g, x, 0), d = v->width, len = gv_dim(g, x, 1) + pos_prefix(v);
    gv_val parts[3];
    int k = 0;
    if (!v->no_class)
        parts[k++] = token(g, "cls_token", n, 1, d);
    if (v->registers)
        parts[k++] = token(g, "reg_token", n, v->registers, d);
    gv_val pos = gv_param(g, "pos_embed", (int64_t[]){ 1, len, d }, 3, "trunc_normal 0.02");
    if (v->no_embed_class)
        x = gv_add(g, x, pos);
    parts[k++] = x;
    x = k > 1 ? gv_concat(g, parts, k, 1) : x;
    return v->no_embed_class ? x : gv_add(g, x, pos);
}

static gv_val scaled(gv_graph *g, const variant *v, gv_val x, const char *ls, const char *drop, double p)
{
    if (v->layer_scale > 0)
        x = gv_layer_scale(g, x, ls, .init = v->layer_scale);
    return gv_drop_path(g, x, drop, .p = p);
}

static gv_val block(gv_graph *g, const variant *v, const gv_model_options *o, gv_val x, double drop)
{
    static const char init[] = "trunc_normal 0.02";
    gv_mark(g, "block");
    x = gv_block_tokens(g, x, !v->no_class);
    gv_val y = gv_layer_norm(g, x, "norm1", .eps = v->eps);
    y = gv_attention(g, y, "attn", .heads = v->heads, .no_qkv_bias = v->no_qkv_bias, .qk_norm = o->qk_norm, .scale_norm = v->scale_norm,
                     .attn_drop = o->attn_drop_rate, .proj_drop = o->proj_drop_rate, .eps = v->eps, .init = init);
    x = gv_add(g, x, scaled(g, v, y, "ls1", "drop_path1", drop));
    y = gv_layer_norm(g, x, "norm2", .eps = v->eps);
    int64_t hidden = v->hidden ? v->hidden : 4 * v->width;
    if (v->swiglu)
        y = gv_swiglu(g, y, "mlp", .hidden = hidden, .drop = o->proj_drop_rate, .init = init);
    else
        y = gv_mlp(g, y, "mlp", .hidden = hidden, .act = v->act, .drop = o->proj_drop_rate, .norm = v->scale_norm, .eps = v->eps, .init = init);
    return gv_add(g, x, scaled(g, v, y, "ls2", "drop_path2", drop));
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    gv_features f = { .kind = GV_TOKENS, .prefix = !v->no_class + v->registers, .has_class_token = !v->no_class };
    f.grid[0] = gv_dim(g, x, 1) / v->patch;
    f.grid[1] = gv_dim(g, x, 2) / v->patch;
    gv_mark(g, "tokens");
    x = gv_patch_embed(g, x, "patch_embed", .out = v->width, .patch = v->patch, .no_bias = v->pre_norm, .cut = v->cut);
    x = embed(g, v, x); /* [N,L,D] */
    gv_enter(g, "pos_drop");
    x = o->pos_drop_rate > 0 ? gv_dropout(g, x, o->pos_drop_rate, false) : x;
    gv_leave(g);
    if (v->pre_norm)
        x = gv_layer_norm(g, x, "norm_pre", .eps = v->eps);
    for (int i = 0; i < v->depth; i++) {
        gv_enter(g, "blocks.%d", i);
        x = block(g, v, o, x, o->drop_path_rate * i / (v->depth - 1));
        gv_leave(g);
    }
    x = gv_blocks_end(g, x);
    f.value = v->no_norm || v->fc_norm ? x : gv_layer_norm(g, x, "norm", .eps = v->eps);
    return f;
}

static gv_val pooled(gv_graph *g, const void *variant_, gv_val x)
{
    const variant *v = variant_;
    return v->fc_norm ? gv_layer_norm(g, x, "fc_norm", .eps = v->eps) : x;
}

const gv_model gv_model_vision_transformer = {
    .name = "vision_transformer", .summary = "plain vision transformers", .source = "timm/models/vision_transformer.py",
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs),
    .classifier = "head", .first_conv = "patch_embed.proj", .transformer = true,
    .num_features = num_features, .patch_size = patch_size, .pos_prefix = pos_prefix, .unused_prefix = unused_prefix,
    .build = build, .pooled = pooled,
};
