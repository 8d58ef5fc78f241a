/* Fields of encoders that the configuration describes in full (lib/config/model.c has their names and defaults); their families read them
 * through gv_model_options.params. */
#ifndef GV_NN_MODELS_ENCODERS_H
#define GV_NN_MODELS_ENCODERS_H

#include "common/field.h"

enum { GV_RESENC_INSTANCE, GV_RESENC_BATCH };
enum { GV_RESENC_RELU, GV_RESENC_LEAKY_RELU, GV_RESENC_GELU };
enum { GV_RESENC_BASIC, GV_RESENC_BOTTLENECK };
enum { GV_RESENC_CONV, GV_RESENC_AVG, GV_RESENC_MAX };

/* Lists have one entry for each stage, or one for all; kernel_sizes and strides also one for each axis of each stage. */
struct gv_residual_encoder_encoder {
    int64_t input_channels, spatial_dim;
    gv_ints features_per_stage, kernel_sizes, strides, n_blocks_per_stage;
    bool conv_bias;
    int norm; /* GV_RESENC_INSTANCE, … */
    double dropout_p;
    int nonlinearity, block_type;
    gv_ints bottleneck_channels; /* v NULL: none */
    int64_t stem_channels;       /* GV_NONE_I64: features of the first stage */
    int pool_type;
    double stochastic_depth_p;
    bool squeeze_excitation;
    double squeeze_excitation_reduction_ratio;
    const char *weights; /* NULL: drawn */
};

enum { GV_PRIMUS_S, GV_PRIMUS_B, GV_PRIMUS_M, GV_PRIMUS_L };
struct gv_primus_encoder {
    int variant; /* GV_PRIMUS_S, … */
    int64_t input_channels;
    gv_ints input_shape, patch_embed_size; /* three sides each */
    double drop_path_rate, patch_drop_rate;
    const char *weights; /* NULL: drawn */
};

#endif
