/* What each op keeps beside its inputs. Backends read these; an op without a struct here has no attributes. */
#ifndef GV_NN_OPS_ATTR_H
#define GV_NN_OPS_ATTR_H

#include "nn/nn.h"

typedef struct gv_conv_attr { gv_window window; bool relu; } gv_conv_attr; /* conv, conv_dgrad, conv_wgrad; kernel filled, strides, dilation, groups >= 1; relu: of conv, by a rewrite */
typedef struct gv_pool_attr { gv_window window; } gv_pool_attr;   /* maxpool, avgpool and their gradients */
typedef struct gv_matmul_attr { bool ta, tb; double alpha; } gv_matmul_attr;
#define GV_LEAK 0.01 /* what leaky relu leaves of values below 0, torch's default */
typedef struct gv_unary_attr { gv_unary_kind kind; } gv_unary_attr; /* unary, unary_grad */
typedef struct gv_affine_attr { double scale, shift; } gv_affine_attr;
typedef struct gv_norm_attr { double eps; } gv_norm_attr;          /* layernorm */
/* batchnorm_train, batchnorm_eval. relu, slope (what it leaves of values below 0), given: by rewrites; each: every sample by itself */
typedef struct gv_batchnorm_attr { double eps; bool relu, given, each; double slope; } gv_batchnorm_attr;
typedef struct gv_batchnorm_grad_attr { bool relu, each; double slope; } gv_batchnorm_grad_attr;
typedef struct gv_attention_attr { int64_t heads; double scale; } gv_attention_attr; /* attention, attention_grad */
typedef struct gv_reduce_attr { gv_reduce_kind kind; unsigned axes; bool keepdims; } gv_reduce_attr;
typedef struct gv_permute_attr { int axes[GV_MAX_DIMS]; } gv_permute_attr; /* output axis i is input axis axes[i] */
typedef struct gv_slice_attr { int axis; int64_t start, len; } gv_slice_attr;
typedef struct gv_pad_attr { int axis; int64_t before, after; } gv_pad_attr;
typedef struct gv_concat_attr { int axis; } gv_concat_attr;
typedef struct gv_constant_attr { double value; const double *table; } gv_constant_attr; /* table: a value for each element, NULL: one for all */
typedef struct gv_dropout_attr { double p; bool per_sample; uint64_t key; } gv_dropout_attr; /* key: hash of the module path */
typedef struct gv_noise_attr { double std; uint64_t key; } gv_noise_attr;
enum { GV_ROTARY_MOST = 512 }; /* channels of a head */
typedef struct gv_rotary_attr { int64_t heads, width, grid[3]; int axes; double base; bool back; } gv_rotary_attr; /* back: the other way round, of the gradient */
typedef struct gv_normalize_attr { int channels; const double *mul, *add; } gv_normalize_attr; /* y = x * mul[c] + add[c]; channels 1: for all */
typedef struct gv_one_hot_attr { double smoothing; } gv_one_hot_attr;
typedef struct gv_update_attr { double a, b; } gv_update_attr;

#endif
