/*
 * Layers: functions from values to values, made of ops, so that gradients and backends come for free.
 *
 *   x = gv_conv2d(g, x, "conv1", .out = 64, .kernel = 7, .stride = 2, .padding = 3);
 *   x = gv_relu(g, gv_batch_norm(g, x, "bn1"));
 *
 * The third argument is the module's name below the current path ("" for none): parameters get the published keys
 * ("conv1.weight"). What a struct leaves at zero has the default written beside it. A misspelt field does not compile.
 * A layer is one file and one line in layers.def; a failed graph stays failed, so nothing is checked by the caller.
 */
#ifndef GV_NN_LAYERS_LAYERS_H
#define GV_NN_LAYERS_LAYERS_H

#include "nn/nn.h"

typedef struct gv_layer {
    const char *name, *summary;
    size_t params_size;
    gv_val (*build)(gv_graph *g, const void *params, gv_val x);
} gv_layer;

#define GV_LAYER(n) extern const gv_layer gv_layer_##n;
#include "nn/layers/layers.def"
#undef GV_LAYER

/* Enter the path `name` (unless ""), build, leave. */
gv_val gv_layer_build(gv_graph *g, const gv_layer *layer, gv_val x, const char *name, const void *params);
/* The layer of that name, or NULL. */
const gv_layer *gv_layer_find(const char *name);

/* x [N,s…,C] -> [N,s'…,out]; weight [out,C/groups,k…], bias [out]. dims 1 to 3; entries of kernel, stride, padding, dilation
 * beyond dims are not read; a stride, dilation or groups of 0 is 1. init, bias_init: NULL is torch's default. same: padding is what keeps
 * the size at stride 1, with an even kernel one zero more behind than in front (TensorFlow's SAME, PyTorch's padding="same"). */
struct gv_convnd { int dims; int64_t out, kernel[3], stride[3], padding[3], dilation[3], groups; bool bias, same; const char *init, *bias_init; };
#define gv_convnd(g, x, name, ...) gv_layer_build(g, &gv_layer_convnd, x, name, &(struct gv_convnd){ __VA_ARGS__ })

/* The same for two equal dimensions: x [N,H,W,C] -> [N,H',W',out]. */
struct gv_conv2d { int64_t out, kernel, stride, padding, dilation, groups; bool bias; const char *init, *bias_init; };
#define gv_conv2d(g, x, name, ...) gv_layer_build(g, &gv_layer_conv2d, x, name, &(struct gv_conv2d){ __VA_ARGS__ })

/* x [N…,I] -> [N…,out]; weight [out,I], bias [out]. init as above (of the weight), bias_init of the bias (NULL: torch's default). */
struct gv_linear { int64_t out; bool bias; const char *init, *bias_init; };
#define gv_linear(g, x, name, ...) gv_layer_build(g, &gv_layer_linear, x, name, &(struct gv_linear){ __VA_ARGS__ })

/* x [N,s…,C] -> same; weight, bias, running_mean, running_var [C], num_batches_tracked [1]. eps 1e-5, momentum 0.1. */
struct gv_batch_norm { double eps, momentum; bool zero_weight; };
#define gv_batch_norm(g, x, name, ...) gv_layer_build(g, &gv_layer_batch_norm, x, name, &(struct gv_batch_norm){ __VA_ARGS__ })

/* x [N,s…,C] -> same, each sample by itself; weight, bias [C]. eps 1e-5. */
struct gv_instance_norm { double eps; };
#define gv_instance_norm(g, x, name, ...) gv_layer_build(g, &gv_layer_instance_norm, x, name, &(struct gv_instance_norm){ __VA_ARGS__ })

/* x [N…,C] -> same; weight, bias [C]. eps 1e-6. */
struct gv_layer_norm { double eps; };
#define gv_layer_norm(g, x, name, ...) gv_layer_build(g, &gv_layer_layer_norm, x, name, &(struct gv_layer_norm){ __VA_ARGS__ })

/* x [N…,C] -> same, not centred; weight [C]. eps 1e-6. deviation: by the standard deviation, not the root mean square. */
struct gv_rms_norm { double eps; bool deviation; };
#define gv_rms_norm(g, x, name, ...) gv_layer_build(g, &gv_layer_rms_norm, x, name, &(struct gv_rms_norm){ __VA_ARGS__ })

/* x [N,s…,C] -> same; weight, bias [C] from 0. */
struct gv_grn { char none; };
#define gv_grn(g, x, name) gv_layer_build(g, &gv_layer_grn, x, name, &(struct gv_grn){ 0 })

/* x [N,s…,C] -> [N,s'…,C], the same window in each of the 1 to 3 dimensions. stride 0: the kernel. */
struct gv_pool { int64_t kernel, stride, padding; bool ceil_mode, exclude_pad; };
#define gv_max_pool(g, x, ...) gv_layer_build(g, &gv_layer_max_pool, x, "", &(struct gv_pool){ __VA_ARGS__ })
#define gv_avg_pool(g, x, ...) gv_layer_build(g, &gv_layer_avg_pool, x, "", &(struct gv_pool){ __VA_ARGS__ })

/* x [N,H,W,C] -> [N,ceil(H/2),ceil(W/2),C]: the binomial 3x3 filter at stride 2 on a reflected border. */
struct gv_blur_pool { char none; };
#define gv_blur_pool(g, x) gv_layer_build(g, &gv_layer_blur_pool, x, "", &(struct gv_blur_pool){ 0 })

/* x [N,s…,C] -> [N,C], or [N,1…,C] with keep. */
struct gv_global_avgpool { bool keep; };
#define gv_global_avgpool(g, x, ...) gv_layer_build(g, &gv_layer_global_avgpool, x, "", &(struct gv_global_avgpool){ __VA_ARGS__ })

typedef enum gv_activation { GV_ACT_GELU, GV_ACT_RELU, GV_ACT_GELU_TANH, GV_ACT_QUICK_GELU, GV_ACT_SILU } gv_activation;
gv_val gv_activate(gv_graph *g, gv_activation act, gv_val x);

/* x [N…,D] -> [N…,D] by hidden: fc1, activation, (norm or grn), fc2. drop: after the activation and at the end. conv: fc1 and fc2 are
 * 1x1 convolutions of x [N,H,W,D], which changes nothing but the shape of their weights. */
struct gv_mlp { int64_t hidden; gv_activation act; double drop; bool norm, grn, conv, no_bias; double eps; const char *init; };
#define gv_mlp(g, x, name, ...) gv_layer_build(g, &gv_layer_mlp, x, name, &(struct gv_mlp){ __VA_ARGS__ })

/* x [N,L,D] -> [N,L,D]: fc1 [hidden,D] gives gate and value (halves), silu(gate) * value, fc2 [D,hidden/2]. separate: fc1_g and fc1_x
 * [hidden/2,D] in place of fc1; norm: a layer norm before fc2. out_init: of fc2 (NULL: init). */
struct gv_swiglu { int64_t hidden; double drop; const char *init; bool separate, norm; double eps; const char *out_init; };
#define gv_swiglu(g, x, name, ...) gv_layer_build(g, &gv_layer_swiglu, x, name, &(struct gv_swiglu){ __VA_ARGS__ })

/* x [N,L,D] -> [N,L,D]: qkv [3D,D], softmax(q k' / sqrt(D/heads)) v, proj [D,D]. qk_norm: a layer norm over each head's q
 * and k (q_norm, k_norm); scale_norm: one over the heads' output (norm). separate: q_proj, k_proj (without bias) and v_proj [D,D] in place of
 * qkv. grid: rotary positions on q and k; keep: the places of the tokens, where not all of the grid are there. proj_init: of proj (NULL: init). */
struct gv_attention { int64_t heads; bool no_qkv_bias, no_proj_bias, qk_norm, scale_norm; double attn_drop, proj_drop, eps; const char *init;
                      bool separate; int64_t grid[3]; const gv_val *keep; const char *proj_init; };
#define gv_attention(g, x, name, ...) gv_layer_build(g, &gv_layer_attention, x, name, &(struct gv_attention){ __VA_ARGS__ })

/* x [N…,D] * gamma [D], which starts at init. */
struct gv_layer_scale { double init; };
#define gv_layer_scale(g, x, name, ...) gv_layer_build(g, &gv_layer_layer_scale, x, name, &(struct gv_layer_scale){ __VA_ARGS__ })

/* Whole samples to zero with chance p while training, the rest times 1/(1-p). */
struct gv_drop_path { double p; };
#define gv_drop_path(g, x, name, ...) gv_layer_build(g, &gv_layer_drop_path, x, name, &(struct gv_drop_path){ __VA_ARGS__ })

/* Whole channels of a sample to zero with chance p while training, the rest times 1/(1-p). */
struct gv_channel_dropout { double p; };
#define gv_channel_dropout(g, x, name, ...) gv_layer_build(g, &gv_layer_channel_dropout, x, name, &(struct gv_channel_dropout){ __VA_ARGS__ })

/* x [N,L,D] -> the places of tokens that stay, I32 [N,K], when the share p is left out; for gv_gather, in training. */
struct gv_kept_tokens { double p; };
#define gv_kept_tokens(g, x, name, ...) gv_layer_build(g, &gv_layer_kept_tokens, x, name, &(struct gv_kept_tokens){ __VA_ARGS__ })

/* x [N,s…,C] * sigmoid(fc2(relu(fc1(mean x)))); ratio 0: 1/16, rounded to a multiple of 8. axes: how many spatial axes, from the first on,
 * the mean is over (0: all). bias_init: NULL is torch's default. */
struct gv_squeeze_excite { double ratio; const char *init; int axes; const char *bias_init; };
#define gv_squeeze_excite(g, x, name, ...) gv_layer_build(g, &gv_layer_squeeze_excite, x, name, &(struct gv_squeeze_excite){ __VA_ARGS__ })

/* x [N,s…,C] * sigmoid(conv over channels of mean x). */
struct gv_eca { char none; };
#define gv_eca(g, x, name) gv_layer_build(g, &gv_layer_eca, x, name, &(struct gv_eca){ 0 })

/* x [N,H,W,C] -> tokens [N,H/p*W/p,out]; proj.weight [out,C,p,p]. cut: a rest beyond whole patches is left out, not an error. */
struct gv_patch_embed { int64_t out, patch; bool no_bias, cut; };
#define gv_patch_embed(g, x, name, ...) gv_layer_build(g, &gv_layer_patch_embed, x, name, &(struct gv_patch_embed){ __VA_ARGS__ })

/* "uniform -b b" with b = 1/sqrt(fan_in), torch's default for the bias of Linear and Conv. Returns text. */
enum { GV_INIT_TEXT = 64 };
const char *gv_init_bias(char text[GV_INIT_TEXT], int64_t fan_in);

#endif
