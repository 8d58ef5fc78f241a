/* What the families of encoder_type timeseries share: the fields of model.encoder, of which each takes those it says, and none else. */
#ifndef GV_NN_MODELS_TIMESERIES_H
#define GV_NN_MODELS_TIMESERIES_H

#include "nn/models/models.h"

typedef struct gv_timeseries_encoder {
    const char *type;
    int64_t input_channels;
    const char *weights;
    gv_ints widths, kernels;           /* v NULL: the published ones */
    int64_t width, depth;              /* GV_NONE_I64: the published ones, as below */
    int64_t patch_length, patch_stride, heads, hidden;
    double dropout;                    /* NaN: the published one */
    bool residual, bottleneck, class_token, mix_channels;
} gv_timeseries_encoder;

#define GV_TIMESERIES_TAKES(field) (1u << GV_TIMESERIES_##field)
enum {
    GV_TIMESERIES_WIDTHS, GV_TIMESERIES_KERNELS, GV_TIMESERIES_WIDTH, GV_TIMESERIES_DEPTH, GV_TIMESERIES_PATCH_LENGTH, GV_TIMESERIES_PATCH_STRIDE,
    GV_TIMESERIES_HEADS, GV_TIMESERIES_HIDDEN, GV_TIMESERIES_DROPOUT, GV_TIMESERIES_RESIDUAL, GV_TIMESERIES_BOTTLENECK, GV_TIMESERIES_CLASS_TOKEN,
    GV_TIMESERIES_MIX_CHANNELS,
};

/* The options of the configuration, or the published ones without one. A field that is set and not among `takes` fails the graph. */
gv_timeseries_encoder gv_timeseries_options(gv_graph *g, const gv_model_options *o, const char *family, unsigned takes);
/* An option, or its published value. */
static inline int64_t gv_timeseries_or(int64_t v, int64_t published) { return v == GV_NONE_I64 ? published : v; }

#endif
