/* mvit: torchvision's multiscale vision transformers on clips, with its names; see mvit_block.h. clips [N,T,H,W,C] -> tokens [N,1+L,768].
 *
 *   mvit_v1_b  positions of space and time added to the patches        mvit_v2_s  relative positions in every block
 *
 * 36,610,672 and 34,537,744 parameters with the classifier `head.1` of 400 classes. Named intermediates, as maps without the class token: blocks.0,
 * blocks.2, blocks.13, blocks.15, the last ones of their resolution. Initialised as torchvision does: linear layers, tokens and positions normal with
 * deviation 0.02 cut at 2, biases 0. Names, widths: torchvision 0.29, models/video/mvit.py. */
#include "nn/models/mvit_block.h"

typedef struct variant { const char *name; gv_mvit base; } variant;
static const variant variants[] = {
    { "mvit_v1_b", { 16, 224, false } },
    { "mvit_v2_s", { 16, 224, true } },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/mvit_table.inc"
};

static const gv_mvit_names names = {
    .patch = "conv_proj", .position = "pos_encoding", .class_token = "class_token", .class_pos = "class_pos", .space = "spatial_pos", .time = "temporal_pos",
    .pool = "pool_%c.pool", .pool_norm = "pool_%c.norm_act.0", .project = "project.0", .fc1 = "0", .fc2 = "3", .widen = "project", .norm = "norm", .pool_eps = 1e-6,
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

const gv_model gv_model_mvit = {
    .name = "mvit", .summary = "multiscale vision transformers on clips", .source = "torchvision/models/video/mvit.py",
    .encoder = "torchvision_video", .axes = 1u << 3, .transformer = true, .made_for_clips = true,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "head.1", .first_conv = "conv_proj",
    .num_features = num_features, .build = build,
};
