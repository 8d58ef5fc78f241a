/* mvit_base: pytorchvideo's multiscale vision transformers on clips, with its names; see mvit_block.h. clips [N,T,H,W,C] -> tokens [N,1+L,768].
 * mvit_base_16x4 has 36,610,672 parameters with its classifier `head.proj` of 400 classes; the 32 frames of mvit_base_32x3 add eight positions in time.
 * Named intermediates as those of mvit.c. Names, widths: pytorchvideo 0.1.5, models/hub/vision_transformers.py. */
#include "nn/models/mvit_block.h"

typedef struct variant { const char *name; gv_mvit base; } variant;
static const variant variants[] = {
    { "mvit_base_16x4", { 16, 224, false } },
    { "mvit_base_32x3", { 32, 224, false } },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/mvit_base_table.inc"
};

static const gv_mvit_names names = {
    .patch = "patch_embed.patch_model", .position = "cls_positional_encoding", .class_token = "cls_token", .class_pos = "pos_embed_class",
    .space = "pos_embed_spatial", .time = "pos_embed_temporal", .lead = true, .pool = "pool_%c", .pool_norm = "norm_%c", .split = true,
    .project = "proj", .fc1 = "fc1", .fc2 = "fc2", .widen = "proj", .norm = "norm_embed", .pool_eps = 1e-5,
};

static gv_features build(gv_graph *g, const void *v, const gv_model_options *o, gv_val x)
{
    return gv_mvit_build(g, &((const variant *)v)->base, &names, o, x);
}

static int64_t num_features(const void *v)
{
    (void)v;
    return GV_MVIT_WIDTH;
}

const gv_model gv_model_mvit_base = {
    .name = "mvit_base", .summary = "multiscale vision transformers on clips", .source = "pytorchvideo/models/hub/vision_transformers.py",
    .encoder = "pytorchvideo", .axes = 1u << 3, .transformer = true, .made_for_clips = true,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "head.proj", .first_conv = "patch_embed.patch_model",
    .num_features = num_features, .build = build,
};
