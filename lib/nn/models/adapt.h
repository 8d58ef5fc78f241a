/*
 * Published weights into a graph's parameters: strictly by name, adapted where the image differs from the published one.
 *
 *   gv_load_options o = gv_model_load_options(&m);
 *   o.allow_head = true;                                   // another number of classes: the head stays as initialised
 *   r = gv_model_load(store, graph, tensors, n, &o, &report, &err);
 *
 * Every parameter and buffer of the graph must be found (num_batches_tracked may be absent) and every tensor must be used;
 * what is missing, left over or of another shape is named. Nothing is written unless all of it fits.
 */
#ifndef GV_NN_MODELS_ADAPT_H
#define GV_NN_MODELS_ADAPT_H

#include "nn/models/models.h"

/* A tensor of a file: C-contiguous, aligned; lent. */
typedef struct gv_load_tensor {
    const char *name;
    gv_dtype dtype;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    const void *data;
} gv_load_tensor;

typedef struct gv_load_options {
    const char *first_conv;    /* module whose input channels are adapted; NULL: none */
    const char *classifier;    /* module of the head; NULL: none */
    const char *head;          /* module of a head with a name of its own, beside which a file may hold the classifier; NULL: none */
    bool allow_head;           /* a head of another shape, or one that only the graph or only the file has, is left out */
    bool allow_new;            /* adapters (the mark "adapter") that the file has not stay as initialised */
    bool adapters_alone;       /* the other way round: all adapters must be there, and other parameters that are not keep their values */
    int pos_prefix;            /* tokens in front of the grid in pos_embed; -1: there is no pos_embed */
    int64_t grid[3];           /* the graph's patch grid; 0 0: square. Three axes: pos_embed is resampled trilinearly */
    int64_t shape[3];          /* of the samples that a file of three axes was trained on; 0: a cube */
    bool any_channels;         /* first_conv may come with any number of input channels, not 3 alone */
    const char *unused_prefix; /* tensors of this prefix have no use; NULL: none */
    const char *absent_prefix; /* parameters of this prefix may be missing, and stay as initialised; NULL: none */
} gv_load_options;

/* What follows from the model; for an encoder without published weights, all fields are NULL or -1. m may be NULL. */
gv_load_options gv_model_load_options(const gv_model_ref *m);

typedef struct gv_load_report {
    int loaded;        /* tensors of the graph that were filled */
    bool head_kept;    /* the head stays as it was initialised */
    char note[400];    /* what was adapted, for a line of the log; "" when nothing was */
} gv_load_report;

/* The store must hold the graph's tensors (gv_store_init). report may be NULL. GV_EDATA: names and shapes that do not fit, up to
 * eight of each kind, then their number. */
int gv_model_load(gv_store *s, const gv_graph *g, const gv_load_tensor *t, size_t n, const gv_load_options *o, gv_load_report *report, gv_err *err) GV_MUST_USE;

/* w [out,base,area] to dst [out,in,area], as timm's adapt_input_conv: one channel gets the sum of all; otherwise they are
 * repeated, cut, and scaled by base/in. area: product of the kernel's sides. */
void gv_adapt_input_conv(const float *w, int64_t out, int64_t base, int64_t area, int64_t in, float *dst);

/* pos [prefix + h*w, d] to dst [prefix + nh*nw, d], as timm's resample_abs_pos_embed: the prefix is copied, the grid resampled by
 * bicubic interpolation (a = -0.5) with antialiasing. GV_ESYS without memory. */
int gv_resample_pos_embed(const float *pos, int64_t prefix, int64_t h, int64_t w, int64_t d, int64_t nh, int64_t nw, float *dst, gv_err *err) GV_MUST_USE;

/* pos [h*w*d, c] on a grid of three axes to dst on another, linearly along each axis with the edges of places aligned (torch's trilinear
 * interpolation, align_corners false), as nnU-Net resizes what nnssl trained. GV_ESYS without memory. */
int gv_resample_pos_embed_3d(const float *pos, const int64_t from[3], int64_t c, const int64_t to[3], float *dst, gv_err *err) GV_MUST_USE;

/* DINOv2's own names to timm's, when `mask_token` is among them: register_tokens become reg_token, the class token takes up its
 * position, w12/w3 become fc1/fc2. *out and *m are t and n otherwise. Made in the arena. */
int gv_convert_dinov2(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The same for a ConvNeXt's own file (`downsample_layers.0.0.weight` is in it) and for OpenCLIP's with a ConvNeXt as image tower
 * (`visual.trunk.stem.0.weight`): the text tower is left out, and the projection becomes the classifier, with zeros for its bias. */
int gv_convert_convnext(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The same for files of nnU-Net and nnssl: the encoder in them under its own names, each tensor once, and nothing else. */
int gv_convert_nnunet(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
