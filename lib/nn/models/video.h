/*
 * What the families of networks on clips share. Clips are [N,T,H,W,C]; windows are given as { time, height, width }.
 *
 *   x = gv_video_conv(g, x, "conv", .out = 64, .kernel = { 3, 7, 7 }, .stride = { 1, 2, 2 });
 *   x = gv_video_stage(g, x, .depth = 3, .inner = 64, .out = 256, .kernel_b = { 1, 3, 3 });
 *   gv_keep(&f, "blocks.1", x);
 */
#ifndef GV_NN_MODELS_VIDEO_H
#define GV_NN_MODELS_VIDEO_H

#include "nn/layers/layers.h"
#include "nn/models/models.h"

/* A convolution in three dimensions; entries of kernel and stride that are 0 stand for 1, groups 0 for 1. It pads by half its kernel, so
 * that sides are kept at stride 1. Initialised as He et al. 2015 by the outputs, which torchvision and pytorchvideo both do. */
struct gv_video_conv { int64_t out, kernel[3], stride[3], groups; bool bias; const char *init, *bias_init; };
gv_val gv_video_conv_build(gv_graph *g, gv_val x, const char *name, const struct gv_video_conv *o);
#define gv_video_conv(g, x, name, ...) gv_video_conv_build(g, x, name, &(struct gv_video_conv){ __VA_ARGS__ })

/* Max pooling that pads by half its kernel, or not at all. */
struct gv_video_pool { int64_t kernel[3], stride[3]; bool no_padding; };
gv_val gv_video_max_pool_build(gv_graph *g, gv_val x, const struct gv_video_pool *o);
#define gv_video_max_pool(g, x, ...) gv_video_max_pool_build(g, x, &(struct gv_video_pool){ __VA_ARGS__ })

/* The pool of published heads: the mean of each window of that size at stride 1. Where the clip is smaller than the one the weights were
 * trained on, the window shrinks to what is there, so that every size has an answer and the published one has the published answer. */
gv_val gv_video_window_mean(gv_graph *g, gv_val x, const int64_t kernel[3]);

/* A stage of bottleneck blocks under the names of pytorchvideo ("res_blocks.0.branch2.conv_a"): conv_a over time alone, conv_b, conv_c 1x1x1.
 * x [N,T,H,W,C] -> [N,T',H',W',out]. */
struct gv_video_stage {
    int depth;
    int64_t inner, out;
    int64_t kernel_a[2];           /* frames that conv_a sees, in turns from block to block; 0: one, a second 0: as the first */
    int64_t kernel_b[3], stride[3]; /* of conv_b; the stride is that of the first block */
    int64_t groups;                /* of conv_b; 0: one */
    bool split;                    /* conv_b in two: over time, then over space, a norm between them (R(2+1)D) */
    bool excite;                   /* X3D: swish behind conv_b, squeeze and excitation in every other block */
    double drop_path[2];           /* chance in the first block, and how much more in each further one */
};
gv_val gv_video_stage_build(gv_graph *g, gv_val x, const struct gv_video_stage *o);
#define gv_video_stage(g, x, ...) gv_video_stage_build(g, x, &(struct gv_video_stage){ __VA_ARGS__ })

/* The widths of X3D: width times factor to a multiple of 8, not more than a tenth below it. */
int64_t gv_round_width(double width, double factor);

/* Fails the graph where the fields of the encoder ask for another number of pathways than the model `name` has. */
void gv_video_pathways(gv_graph *g, const gv_model_options *o, const char *name, bool two);

/* A named intermediate; name is static. */
void gv_keep(gv_features *f, const char *name, gv_val v);
/* "blocks.0" … "blocks.15" */
const char *gv_block_name(int i);

#endif
