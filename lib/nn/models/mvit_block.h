/*
 * Multiscale vision transformers on clips: what torchvision's and pytorchvideo's have in common. x [N,T,H,W,C] -> tokens [N,1+L,D], the class
 * token in front.
 *
 *   patches   3x7x7 convolution at stride (2,4,4); class token; positions of time and space, added up, or none
 *   blocks.i  queries, keys and values of each head are pooled by a depthwise 3x3x3 convolution over their grid; block 1, 3 and 14 halve
 *             height and width and double the heads
 *   norm
 *
 * Positions have the size of the clips that they are made for (16 frames of 224x224 unless said); for others they are interpolated linearly
 * along each axis, in the graph, so that weights load as they were published.
 *
 * Sources: Fan et al. 2021 arXiv:2104.11227; Li et al. 2022 arXiv:2112.01526 (version 2).
 */
#ifndef GV_NN_MODELS_MVIT_BLOCK_H
#define GV_NN_MODELS_MVIT_BLOCK_H

#include "nn/models/models.h"

typedef struct gv_mvit_names {
    const char *patch, *position;                       /* modules */
    const char *class_token, *class_pos, *space, *time; /* parameters of `position` */
    bool lead;                                          /* those have axes of 1 in front */
    const char *pool, *pool_norm;                       /* "pool_%c.pool", for q, k and v */
    bool split;                                         /* q, k and v by three matrices, not one */
    const char *project, *fc1, *fc2, *widen, *norm;
    double pool_eps;
} gv_mvit_names;

typedef struct gv_mvit {
    int64_t frames, side; /* that the positions are made for */
    bool second;          /* version 2: relative positions, pooled queries added to what attention gives, wider before attention */
} gv_mvit;

enum { GV_MVIT_WIDTH = 768 };
gv_features gv_mvit_build(gv_graph *g, const gv_mvit *m, const gv_mvit_names *names, const gv_model_options *o, gv_val x);

#endif
