/* model: encoder, aggregation of its features, head. */
#include "config/internal.h"
#include "nn/models/encoders.h"
#include "nn/models/slowfast.h"
#include "nn/models/timeseries.h"

const char *const gv_aggregations[] = { "cls_token", "avg", "sum", "mean_all", "joint", NULL };

static const gv_field fields[] = {
    GV_ENUM(struct gv_model_config, feature_aggregation_method, GV_AGGREGATE_CLS_TOKEN, gv_aggregations, "how tokens become one vector; avg, sum and joint leave out prefix tokens. Untouched it is avg on a model without a class token"),
    GV_END
};

/* ---- encoders ---- */

#define PRETRAINED(T) GV_BOOL(T, pretrained, true, "start from published weights")
#define CHANNELS(T) GV_I64(T, input_channels, 3, 1, 1 << 16, "channel", "channels of the input; other numbers than the published one adapt the first layer")
#define KWARGS(T) GV_DICT(T, model_kwargs, "further arguments of the model; an unknown key is an error")
#define WEIGHTS(T) GV_OPT_STR(T, weights, "weights from this .safetensors, .pt or .pth file instead of the published ones", .takes = GV_TAKES_FILE)
#define TYPE(T, d) GV_STR(T, type, d, "name of the model", .takes = GV_TAKES_NAME)
#define ENCODER(id, cls, text, is_built, ...) \
    static const gv_field id##_fields[] = { __VA_ARGS__, GV_END }; \
    static const gv_variant id = { .name = #id, .class_name = cls, .summary = text, .fields = id##_fields, .params_size = sizeof(struct gv_##id##_encoder), .built = is_built }

struct gv_timm_encoder { const char *type; bool pretrained; int64_t input_channels; gv_dict model_kwargs; const char *weights; };
ENCODER(timm, "TimmEncoderConfig", "models of timm, by its names", true,
    GV_STR(struct gv_timm_encoder, type, "vit_base_patch16_224", "name of the model, with or without a tag: timm's ResNet, ConvNeXt and Vision Transformer families", .takes = GV_TAKES_NAME), PRETRAINED(struct gv_timm_encoder), CHANNELS(struct gv_timm_encoder), KWARGS(struct gv_timm_encoder),
    WEIGHTS(struct gv_timm_encoder));

struct gv_transformer_encoder { const char *type; bool pretrained; int64_t input_channels; gv_dict model_kwargs; };
ENCODER(transformer, "TransformerEncoderConfig", "vision models of Hugging Face transformers", false,
    TYPE(struct gv_transformer_encoder, "facebook/vit-mae-base"), PRETRAINED(struct gv_transformer_encoder), CHANNELS(struct gv_transformer_encoder),
    KWARGS(struct gv_transformer_encoder));

struct gv_torchvision_encoder { const char *type; bool pretrained; int64_t input_channels; double dropout, stochastic_depth_prob; gv_dict model_kwargs; };
ENCODER(torchvision, "TorchvisionEncoderConfig", "models of torchvision", false,
    TYPE(struct gv_torchvision_encoder, "convnext_tiny"), PRETRAINED(struct gv_torchvision_encoder), CHANNELS(struct gv_torchvision_encoder),
    GV_OPT_F64(struct gv_torchvision_encoder, dropout, 0, GV_BELOW_1, "probability", "dropout, where the model takes it"),
    GV_OPT_F64(struct gv_torchvision_encoder, stochastic_depth_prob, 0, GV_BELOW_1, "probability", "stochastic depth, where the model takes it"),
    KWARGS(struct gv_torchvision_encoder));

#define INTERMEDIATES(T) GV_BOOL(T, return_intermediates, false, "give named stages beside the last one"), \
    GV_STRS(T, intermediate_names, "", NULL, "names of the stages; empty: those of the model")

struct gv_torchvision_video_encoder { const char *type; bool pretrained; int64_t input_channels; bool return_intermediates; gv_strs intermediate_names; gv_dict model_kwargs; const char *weights; };
ENCODER(torchvision_video, "TorchvisionVideoEncoderConfig", "video models of torchvision", true,
    GV_STR(struct gv_torchvision_video_encoder, type, "r3d_18", "name of the model: r3d_18, mc3_18, r2plus1d_18, s3d, mvit_v1_b, mvit_v2_s, swin3d_t, swin3d_s, swin3d_b", .takes = GV_TAKES_NAME), PRETRAINED(struct gv_torchvision_video_encoder), CHANNELS(struct gv_torchvision_video_encoder),
    INTERMEDIATES(struct gv_torchvision_video_encoder), KWARGS(struct gv_torchvision_video_encoder), WEIGHTS(struct gv_torchvision_video_encoder));

static const char *const pathways[] = { "auto", "single", "slowfast", NULL };
ENCODER(pytorchvideo, "PytorchvideoEncoderConfig", "video models of PyTorchVideo", true,
    GV_STR(struct gv_pytorchvideo_encoder, type, "x3d_s", "name of the model: slow_r50, c2d_r50, i3d_r50, csn_r101, r2plus1d_r50, slowfast_r50, slowfast_r101, x3d_xs, x3d_s, x3d_m, x3d_l, mvit_base_16x4, mvit_base_32x3", .takes = GV_TAKES_NAME), PRETRAINED(struct gv_pytorchvideo_encoder), CHANNELS(struct gv_pytorchvideo_encoder),
    GV_ENUM(struct gv_pytorchvideo_encoder, pathway_mode, GV_PATHWAY_AUTO, pathways, "one pathway or two; auto: those of the model"),
    GV_I64(struct gv_pytorchvideo_encoder, slowfast_alpha, 4, 1, 1024, "", "frames of the fast pathway to one of the slow"),
    INTERMEDIATES(struct gv_pytorchvideo_encoder), KWARGS(struct gv_pytorchvideo_encoder), WEIGHTS(struct gv_pytorchvideo_encoder));

#define DINO(T, d) TYPE(T, d), PRETRAINED(T), GV_OPT_STR(T, weight_dir, "folder with TYPE.pth", .takes = GV_TAKES_DIR), CHANNELS(T)
struct gv_dinov2_encoder { const char *type; bool pretrained; const char *weight_dir; int64_t input_channels; };
ENCODER(dinov2, "Dinov2EncoderConfig", "DINOv2", false, DINO(struct gv_dinov2_encoder, "dinov2_vitb14"));
struct gv_dinov3_encoder { const char *type; bool pretrained; const char *weight_dir; int64_t input_channels; };
ENCODER(dinov3, "Dinov3EncoderConfig", "DINOv3", false, DINO(struct gv_dinov3_encoder, "dinov3_vitb16"));

static const char *const norms[] = { "instance", "batch", NULL };
static const char *const nonlinearities[] = { "relu", "leaky_relu", "gelu", NULL };
static const char *const block_types[] = { "basic", "bottleneck", NULL };
static const char *const pool_types[] = { "conv", "avg", "max", NULL };
#define R struct gv_residual_encoder_encoder
ENCODER(residual_encoder, "ResidualEncoderConfig", "nnU-Net's residual encoder", true,
    CHANNELS(R), GV_I64(R, spatial_dim, 3, 1, 3, "axis", "axes of the input: 1 time series, 2 images, 3 volumes"),
    GV_INTS(R, features_per_stage, "32 64 128 256 320 320", 1, 1 << 16, "channel", "channels of each stage"),
    GV_INTS(R, kernel_sizes, "3 3 3 3 3 3", 1, 255, "", "kernel of each stage, or of each axis of each stage"), GV_INTS(R, strides, "1 2 2 2 2 2", 1, 255, "", "stride of each stage, or of each axis of each stage"),
    GV_INTS(R, n_blocks_per_stage, "1 3 4 6 6 6", 1, 1024, "block", "residual blocks of each stage"),
    GV_BOOL(R, conv_bias, true, "biases in convolutions"), GV_ENUM(R, norm, 0, norms, "normalisation"),
    GV_F64(R, dropout_p, 0, 0, GV_BELOW_1, "probability", "dropout of whole channels, in the stem and the first wide convolution of a block"), GV_ENUM(R, nonlinearity, 1, nonlinearities, "activation"),
    GV_ENUM(R, block_type, 0, block_types, "kind of block"), GV_OPT_INTS(R, bottleneck_channels, 1, 1 << 16, "channel", "width of the bottleneck of each stage"),
    GV_OPT_I64(R, stem_channels, 1, 1 << 16, "channel", "channels of the stem"), GV_ENUM(R, pool_type, 0, pool_types, "how a stage shrinks its input"),
    GV_F64(R, stochastic_depth_p, 0, 0, GV_BELOW_1, "probability", "stochastic depth"), GV_BOOL(R, squeeze_excitation, false, "squeeze and excitation in the blocks, over the first two axes as in the original"),
    GV_F64(R, squeeze_excitation_reduction_ratio, 0.0625, GV_ABOVE_0, INFINITY, "", "width of squeeze and excitation, as a part of the channels"),
    GV_OPT_STR(R, weights, "weights from this .safetensors, .pt or .pth file: an encoder, a U-Net of nnU-Net or a pretraining of nnssl (OpenMind)", .takes = GV_TAKES_FILE));

static const char *const primus_variants[] = { "S", "B", "M", "L", NULL };
static const gv_field primus_fields[] = {
    GV_ENUM(struct gv_primus_encoder, variant, 0, primus_variants, "size"), CHANNELS(struct gv_primus_encoder),
    GV_OPT_INTS(struct gv_primus_encoder, input_shape, 1, 1 << 16, "voxel", "three sides of the input"),
    GV_INTS(struct gv_primus_encoder, patch_embed_size, "8 8 8", 1, 1 << 16, "voxel", "three sides of a patch"),
    GV_F64(struct gv_primus_encoder, drop_path_rate, 0, 0, GV_BELOW_1, "probability", "stochastic depth"),
    GV_F64(struct gv_primus_encoder, patch_drop_rate, 0, 0, GV_BELOW_1, "probability", "patches left out in training"),
    GV_OPT_STR(struct gv_primus_encoder, weights, "weights from this .safetensors, .pt or .pth file: an encoder, a U-Net of nnU-Net or a pretraining of nnssl (OpenMind)", .takes = GV_TAKES_FILE),
    GV_END
};
static const char *const primus_required[] = { "input_shape", NULL };
static const gv_variant primus = {
    .name = "primus", .class_name = "PrimusEncoderConfig", .summary = "Primus, a transformer for volumes",
    .fields = primus_fields, .params_size = sizeof(struct gv_primus_encoder), .required = primus_required, .built = true,
};

#define S struct gv_timeseries_encoder
ENCODER(timeseries, "TimeseriesEncoderConfig", "networks for series", true,
    GV_STR(S, type, "inception_time", "resnet1d, inception_time or patch_transformer", .takes = GV_TAKES_NAME),
    GV_I64(S, input_channels, 1, 1, 1 << 16, "channel", "channels of the series; a data set of series tells it where it is not given"),
    GV_OPT_STR(S, weights, "start from this .safetensors, .pt or .pth file", .takes = GV_TAKES_FILE),
    GV_OPT_INTS(S, widths, 1, 1 << 16, "channel", "resnet1d: channels of each block (64 128 128)"),
    GV_OPT_INTS(S, kernels, 1, 1 << 16, "point", "resnet1d, inception_time: kernels of a block's convolutions (8 5 3; 40 20 10)"),
    GV_OPT_I64(S, width, 1, 1 << 16, "channel", "inception_time: channels of each branch (32); patch_transformer: of a token (128)"),
    GV_OPT_I64(S, depth, 1, 1024, "block", "inception_time: modules (6); patch_transformer: blocks (3)"),
    GV_OPT_I64(S, patch_length, 1, 1 << 24, "point", "patch_transformer: points of a patch (16)"),
    GV_OPT_I64(S, patch_stride, 1, 1 << 24, "point", "patch_transformer: from one patch to the next (8)"),
    GV_OPT_I64(S, heads, 1, 1024, "", "patch_transformer: heads of attention (16)"),
    GV_OPT_I64(S, hidden, 1, 1 << 20, "", "patch_transformer: width between a block's two linear layers (256)"),
    GV_OPT_F64(S, dropout, 0, GV_BELOW_1, "probability", "patch_transformer: dropout (0.2)"),
    GV_BOOL(S, residual, true, "inception_time: shortcuts around every three modules"),
    GV_BOOL(S, bottleneck, true, "inception_time: a 1x1 convolution in front of a module's long ones"),
    GV_BOOL(S, class_token, false, "patch_transformer: a class token, for model.feature_aggregation_method cls_token"),
    GV_BOOL(S, mix_channels, false, "patch_transformer: a token holds all channels, instead of each channel going through the network by itself"));

ENCODER(precomputed, "PrecomputedEncoderConfig", "features as they are stored", true,
    GV_OPT_I64(struct gv_precomputed_encoder, feature_dim, 1, 1 << 24, "", "length of a stored feature; None: from the files"));

static const gv_variant *const encoders[] = {
    &timm, &transformer, &torchvision, &torchvision_video, &pytorchvideo, &dinov2, &dinov3, &residual_encoder, &primus, &timeseries, &precomputed, NULL
};
static const gv_union encoder_union = {
    .field = "encoder_type", .help = "family of the encoder", .variants = encoders, .def = "timm",
    .chosen = offsetof(struct gv_model_config, encoder), .params = offsetof(struct gv_model_config, encoder_params),
};

const gv_block gv_block_model = { .path = "model", .summary = "encoder, aggregation, head", .offset = offsetof(gv_config, model), .fields = fields };
const gv_block gv_block_encoder = { .path = "model.encoder", .summary = "encoder", .offset = offsetof(gv_config, model), .uni = &encoder_union };
