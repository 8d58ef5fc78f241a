/*
 * The engine: a static graph, made once per (model, shapes, phase), then only executed.
 *
 *   gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
 *   gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 8, 32, 32, 3 }, 4);
 *   gv_val h = gv_relu(g, gv_conv2d(g, x, "conv1", .out = 64, .kernel = 3, .padding = 1));    // a layer, see layers/
 *   gv_output(g, "logits", h);
 *   gv_differentiate(g, loss, …);                       // appends the backward nodes
 *   gv_plan_make(&plan, g, store, &options, &err);      // rewrites, types, memory, kernels
 *   gv_plan_run(plan, feeds, n, &err);                  // allocates nothing
 *
 * A graph that has failed stays failed: builders carry no checks, and gv_graph_error() tells at the end what went wrong
 * first, with the module path. Values are small integers; GV_NO_VAL stands for "none" and for "failed".
 *
 * Layout: activations are channels-last ([N,C], [N,T,C], [N,H,W,C], [N,D,H,W,C]; tokens [N,L,D]); parameters keep the
 * shapes of PyTorch (conv [O,I/groups,k…], linear [out,in]). Dimensions are int64_t, byte counts size_t.
 */
#ifndef GV_NN_NN_H
#define GV_NN_NN_H

#include "common/arena.h"
#include "common/dtype.h"
#include <stdbool.h>

typedef int32_t gv_val;
#define GV_NO_VAL (-1)

typedef struct gv_graph gv_graph;
typedef struct gv_store gv_store;
typedef struct gv_plan gv_plan;

typedef enum gv_phase { GV_EVAL, GV_TRAIN } gv_phase;

/* What a value is; the plan turns it into a number type (gv_precision):
 *   REAL  activations and their gradients: f32, bf16 or f64
 *   STAT  parameters, their gradients, statistics, losses, optimizer state: f32, or f64 in double precision
 *   the rest are fixed: raw input pixels, class indices, masks, counters. */
typedef enum gv_class { GV_CLASS_REAL, GV_CLASS_STAT, GV_CLASS_U8, GV_CLASS_U16, GV_CLASS_I16, GV_CLASS_I32, GV_CLASS_I64, GV_CLASS_F32 } gv_class;

typedef enum gv_precision { GV_FP32, GV_MIXED_BF16, GV_FP64 } gv_precision;

enum { GV_MAX_IN = 8, GV_MAX_OUT = 4 };

/* ---- building ------------------------------------------------------------------------------------------------- */

gv_graph *gv_graph_new(gv_arena *arena, gv_phase phase, gv_err *err);
gv_phase gv_graph_phase(const gv_graph *g);
/* The first failure, or NULL. */
const gv_err *gv_graph_error(const gv_graph *g);
/* Fail the graph (for builders: "image size 30 is no multiple of patch 16"). Returns GV_NO_VAL. */
gv_val gv_graph_fail(gv_graph *g, const char *fmt, ...) GV_PRINTF(2, 3);

/* The module path, as PyTorch names modules: gv_enter(g, "layer1.%d", i); … gv_leave(g). Every node carries it; the key of a
 * parameter is path + "." + name. gv_mark puts a label on a path ("block", "tokens", "attention", "classifier", "norm") which
 * PEFT methods and weight-decay rules look for instead of model names. */
void gv_enter(gv_graph *g, const char *fmt, ...) GV_PRINTF(2, 3);
void gv_leave(gv_graph *g);
const char *gv_path(const gv_graph *g);
void gv_mark(gv_graph *g, const char *label);

/* The blocks that builders marked ("block"), numbered in the order they were made; gv_block_of: the one that a module or tensor stands in, -1: none. */
int gv_block_count(const gv_graph *g);
int gv_block_of(const gv_graph *g, const char *name);

/* Sequences of tokens are marked by asking: each block of a transformer asks for its input first of all, with its path entered, and behind
 * the last block comes gv_blocks_end. Without a method that changes tokens both are x; with one, x may grow behind the `front` class tokens by
 * gv_tokens_added, which positions given inside of blocks leave out, and gv_blocks_end is as long as it was before. */
gv_val gv_block_tokens(gv_graph *g, gv_val x, int front);
gv_val gv_blocks_end(gv_graph *g, gv_val x);
int64_t gv_tokens_added(const gv_graph *g);

gv_val gv_input(gv_graph *g, const char *name, gv_class c, const int64_t *shape, int ndim);
/* A trained tensor / a kept one (running statistics, counters), class STAT unless said. init is one of
 *   "zeros" "ones" "constant V" "normal STD" "trunc_normal STD" (cut at -2 and 2, as timm's trunc_normal_) "uniform LO HI"
 *   "kaiming_normal_fan_out" (conv, relu) "kaiming_uniform_a5" (torch's default of Linear and Conv: bound 1/sqrt(fan_in))
 *   "xavier_uniform" "lecun_normal" "kaiming_normal_leaky" (fan in, slope 0.01)
 * and draws from Philox keyed by (seed, hash of the full name). */
gv_val gv_param(gv_graph *g, const char *name, const int64_t *shape, int ndim, const char *init);
gv_val gv_buffer(gv_graph *g, const char *name, const int64_t *shape, int ndim, const char *init, gv_class c);
/* Name a value so that it can be fetched after a run and survives optimisation. */
void gv_output(gv_graph *g, const char *name, gv_val v);
gv_val gv_find_output(const gv_graph *g, const char *name);

int gv_ndim(const gv_graph *g, gv_val v);
int64_t gv_dim(const gv_graph *g, gv_val v, int axis); /* negative axes count from the end */
const int64_t *gv_shape(const gv_graph *g, gv_val v);
gv_class gv_class_of(const gv_graph *g, gv_val v);

/* ---- ops: each is one node, one file in ops/, with shape, gradient and a plain kernel for float and double ------- */

typedef struct gv_window { /* of conv and pool; only the first `dims` entries count */
    int dims;              /* 1 to 3 */
    int64_t kernel[3], stride[3], pad[3], pad_end[3], dilation[3];
    int64_t groups;
    bool ceil_mode;         /* pool */
    bool count_include_pad; /* average pool */
} gv_window;

/* x [N,s…,C], w [O,C/groups,k…], b [O] or GV_NO_VAL -> [N,s'…,O]. window->kernel is read from w. */
gv_val gv_conv(gv_graph *g, gv_val x, gv_val w, gv_val b, const gv_window *window);
gv_val gv_conv_dgrad(gv_graph *g, gv_val dy, gv_val w, const gv_window *window, const int64_t *x_shape);
gv_val gv_conv_wgrad(gv_graph *g, gv_val x, gv_val dy, const gv_window *window, const int64_t *w_shape);

/* a [B…,M,K] (or [B…,K,M] with ta), b [B…,K,N] (or [B…,N,K] with tb), or b 2-D for every batch; bias [N] or GV_NO_VAL
 * -> [B…,M,N] * alpha + bias. A linear layer is gv_matmul(g, x, w, bias, false, true, 1). */
gv_val gv_matmul(gv_graph *g, gv_val a, gv_val b, gv_val bias, bool ta, bool tb, double alpha);
/* The weight gradient: a [R,M], b [R,N] (leading axes flattened into R) -> a' b [M,N], class STAT. */
gv_val gv_matmul_wgrad(gv_graph *g, gv_val a, gv_val b);

/* NumPy broadcasting; the result is STAT if both are STAT, else REAL. */
gv_val gv_add(gv_graph *g, gv_val a, gv_val b);
gv_val gv_sub(gv_graph *g, gv_val a, gv_val b);
gv_val gv_mul(gv_graph *g, gv_val a, gv_val b);
gv_val gv_div(gv_graph *g, gv_val a, gv_val b);

typedef enum gv_unary_kind {
    GV_RELU, GV_GELU, GV_GELU_TANH, GV_SILU, GV_SIGMOID, GV_TANH, GV_EXP, GV_LOG, GV_SQRT, GV_RSQRT, GV_SQUARE, GV_ABS,
    GV_HARD_SIGMOID, GV_LEAKY_RELU /* slope 0.01 */, GV_UNARY_KINDS,
} gv_unary_kind;
gv_val gv_unary(gv_graph *g, gv_unary_kind kind, gv_val x);
/* dy times the derivative at x (x is the input of the unary; for RELU, LEAKY_RELU, SIGMOID, TANH, EXP, SQRT its output y). */
gv_val gv_unary_grad(gv_graph *g, gv_unary_kind kind, gv_val x_or_y, gv_val dy);
gv_val gv_relu(gv_graph *g, gv_val x);
gv_val gv_gelu(gv_graph *g, gv_val x);
gv_val gv_sigmoid(gv_graph *g, gv_val x);
gv_val gv_silu(gv_graph *g, gv_val x);
gv_val gv_tanh(gv_graph *g, gv_val x);
gv_val gv_affine(gv_graph *g, gv_val x, double scale, double shift); /* x * scale + shift */

/* x [N,s…,C]; train: batch statistics (biased variance), outputs y, mean [C], invstd [C], var [C] (STAT; layernorm has no var); eval: running ones. The layer
 * adds the nodes that update running_mean / running_var (unbiased) / num_batches_tracked. w, b may be GV_NO_VAL. */
typedef struct gv_norm_out { gv_val y, mean, invstd, var; } gv_norm_out;
gv_norm_out gv_batchnorm_train(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps);
gv_val gv_batchnorm_eval(gv_graph *g, gv_val x, gv_val w, gv_val b, gv_val running_mean, gv_val running_var, double eps);
/* Outputs dx, dw, db. */
typedef struct gv_norm_grad { gv_val dx, dw, db; } gv_norm_grad;
gv_norm_grad gv_batchnorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy);
/* The same with the statistics of every sample (mean, invstd, var [N*C]), in training and evaluation. */
gv_norm_out gv_instancenorm(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps);
gv_norm_grad gv_instancenorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy);
/* Over the last axis. */
gv_norm_out gv_layernorm(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps);
gv_norm_grad gv_layernorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy);

gv_val gv_softmax(gv_graph *g, gv_val x); /* last axis */
gv_val gv_softmax_grad(gv_graph *g, gv_val y, gv_val dy);
/* softmax(scale q k') v for each head: qkv [N,L,3D], its last axis [3,heads,D/heads] -> [N,L,D]. The layer builds it from products and a
 * softmax, so that everything between can be looked at; a rewrite puts this in their place where nobody does. */
gv_val gv_self_attention(gv_graph *g, gv_val qkv, int64_t heads, double scale);

/* Max pooling: y, and the index of the maximum inside the input's spatial block (I32). First maximum wins, as in torch. */
typedef struct gv_pool_out { gv_val y, index; } gv_pool_out;
gv_pool_out gv_maxpool(gv_graph *g, gv_val x, const gv_window *window);
gv_val gv_maxpool_grad(gv_graph *g, gv_val dy, gv_val index, const gv_window *window, const int64_t *x_shape);
gv_val gv_avgpool(gv_graph *g, gv_val x, const gv_window *window);
gv_val gv_avgpool_grad(gv_graph *g, gv_val dy, const gv_window *window, const int64_t *x_shape);

typedef enum gv_reduce_kind { GV_SUM, GV_MEAN, GV_MAX } gv_reduce_kind;
/* Over the axes in the bit mask (bit i: axis i). out: REAL or STAT. */
gv_val gv_reduce(gv_graph *g, gv_reduce_kind kind, gv_val x, unsigned axes, bool keepdims, gv_class out);
gv_val gv_broadcast(gv_graph *g, gv_val x, const int64_t *shape, int ndim);

gv_val gv_reshape(gv_graph *g, gv_val x, const int64_t *shape, int ndim); /* one -1 allowed; costs nothing */
gv_val gv_permute(gv_graph *g, gv_val x, const int *axes);
gv_val gv_slice(gv_graph *g, gv_val x, int axis, int64_t start, int64_t len);
gv_val gv_pad(gv_graph *g, gv_val x, int axis, int64_t before, int64_t after); /* zeros */
gv_val gv_concat(gv_graph *g, const gv_val *x, int n, int axis);
gv_val gv_cast(gv_graph *g, gv_val x, gv_class c);
/* The places of the k largest along the last axis (I32 [.., k], the largest first; equal ones in their order); no gradient. With gather, x [N,L,…]
 * and places I32 [N,K] -> [N,K,…], which has one. */
gv_val gv_topk(gv_graph *g, gv_val x, int64_t k);
gv_val gv_gather(gv_graph *g, gv_val x, gv_val index);
/* Gradient stops here. */
gv_val gv_detach(gv_graph *g, gv_val x);

/* Zero with chance p and scale the rest by 1/(1-p); per_sample: whole samples (drop path). Drawn from Philox keyed by (seed, step,
 * module path), counted by element, so the backward node draws the same. In GV_EVAL it is the identity. */
gv_val gv_dropout(gv_graph *g, gv_val x, double p, bool per_sample);
/* x plus normal numbers of that deviation, drawn in the same way; in GV_EVAL it is the identity. */
gv_val gv_noise(gv_graph *g, gv_val x, double std);

/* Rotary positions on the first heads * width channels of tokens x [N,L,W] of a grid of 1 to 3 axes (0: unused); keep: the places of the tokens
 * (I32 [N,L]), or GV_NO_VAL where all of the grid are there in order. */
gv_val gv_rotary(gv_graph *g, gv_val x, gv_val keep, int64_t heads, int64_t width, const int64_t grid[3], double base);

/* Raw pixels or features to REAL: (x * scale - mean[c]) / std[c], c the last axis; mean/std may have 1 entry. No gradient. */
gv_val gv_normalize(gv_graph *g, gv_val x, double scale, const double *mean, const double *std, int channels);
/* lam * x + (1 - lam) * x[perm] along the first axis; lam a scalar input (F32 [1]), perm I32 [N]. No gradient needed. */
gv_val gv_mix(gv_graph *g, gv_val x, gv_val lam, gv_val perm);
/* Class indices y (I64 [N]) to soft targets [N,K] (STAT): 1 - smoothing + smoothing/K for the label, smoothing/K elsewhere; a
 * negative label gives a row of zeros (ignored). */
gv_val gv_one_hot(gv_graph *g, gv_val y, int64_t classes, double smoothing);
/* Mean over the rows with a non-zero target of -sum t log softmax(logits); STAT [1]. */
gv_val gv_cross_entropy(gv_graph *g, gv_val logits, gv_val targets);
/* Mean over all elements of BCE with logits against targets (STAT, same shape); STAT [1]. */
gv_val gv_bce_logits(gv_graph *g, gv_val logits, gv_val targets);
/* Mean of squares of (a - b); STAT [1]. */
gv_val gv_mse(gv_graph *g, gv_val a, gv_val b);

/* ---- state changed in place: params, buffers, gradients, optimizer state (all STAT in the store) ------------------ */

/* target = a * target + b * value, in place. Executed once per run, also under recompute. `a`, `b` constants. */
void gv_update(gv_graph *g, gv_val target, double a, double b, gv_val value);
/* num_batches_tracked += 1 (I64 [1]). */
void gv_count(gv_graph *g, gv_val counter);

/* ---- features: what an encoder returns ----------------------------------------------------------------------------- */

enum { GV_MAX_STAGES = 12 };
typedef enum gv_feature_kind { GV_VECTOR, GV_MAP, GV_TOKENS } gv_feature_kind;
typedef struct gv_features {
    gv_feature_kind kind;
    gv_val value;         /* VECTOR [N,D]; MAP [N,s…,D]; TOKENS [N,L,D] */
    int prefix;           /* TOKENS: class and register tokens in front */
    bool has_class_token; /* the first prefix token is the class token */
    int64_t grid[3];      /* TOKENS: the patch grid, 0 where unused */
    /* Named intermediates, "stem" "layer1" …, for heads that look at more than the last map; static names. */
    int stages;
    struct { const char *name; gv_val value; } stage[GV_MAX_STAGES];
} gv_features;

/* ---- autodiff ------------------------------------------------------------------------------------------------------- */

/* Append the backward pass of `loss` (STAT [1]). trainable(name, arg) tells which parameters train (NULL: all). Nothing is computed
 * below the lowest trainable tensor or for a frozen weight. The gradient of each trained parameter is found with gv_grad_of. */
int gv_differentiate(gv_graph *g, gv_val loss, bool (*trainable)(const char *name, void *arg), void *arg, gv_err *err) GV_MUST_USE;
gv_val gv_grad_of(const gv_graph *g, gv_val param);

/* Parameters and buffers in the order they were made. */
typedef struct gv_param_info {
    const char *name; /* the published key */
    gv_val value;
    bool buffer, trained;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    gv_class cls;
    const char *init;
    const char *mark; /* the nearest label on its path, or NULL */
} gv_param_info;
int gv_param_count(const gv_graph *g);
const gv_param_info *gv_param_at(const gv_graph *g, int i);

/* ---- the store: named tensors that outlive a run and are shared by plans (train, eval, a short last batch) ---------- */

typedef struct gv_stored { const char *name; gv_dtype dtype; int ndim; int64_t shape[GV_MAX_DIMS]; void *data; size_t bytes; } gv_stored;

int gv_store_open(gv_store **s, gv_precision p, gv_err *err) GV_MUST_USE;
void gv_store_close(gv_store *s);
/* A tensor of that name; made (zeros) when it is not there. Fails when it exists with another shape or type. */
gv_stored *gv_store_get(gv_store *s, const char *name, gv_dtype t, const int64_t *shape, int ndim, gv_err *err) GV_MUST_USE;
gv_stored *gv_store_find(gv_store *s, const char *name); /* NULL when absent */
int gv_store_count(const gv_store *s);
gv_stored *gv_store_at(gv_store *s, int i); /* in the order they were made */
/* Make every parameter and buffer of the graph in the store and fill new ones from their init (seed, name). */
int gv_store_init(gv_store *s, const gv_graph *g, uint64_t seed, gv_err *err) GV_MUST_USE;
gv_dtype gv_store_stat_type(const gv_store *s);

/* ---- plans ------------------------------------------------------------------------------------------------------------ */

/* What the backward pass needs of the forward pass: kept, or made again (recompute.c). The results are the same bytes. */
typedef enum gv_recompute_level { GV_RECOMPUTE_NO, GV_RECOMPUTE_AUTO, GV_RECOMPUTE_CHEAP, GV_RECOMPUTE_BLOCKS } gv_recompute_level;

typedef struct gv_plan_options {
    gv_precision precision;
    const char *backend; /* "onednn", "reference" */
    int threads;         /* 0: as available */
    uint64_t seed;       /* of dropout */
    bool keep_grads;     /* accumulate gradients in the store: grad.<param> += gradient * grad_scale */
    double grad_scale;
    bool overwrite_grads; /* with keep_grads: grad.<param> = gradient * grad_scale instead (no zeroing between steps needed) */
    gv_recompute_level recompute;
    bool frozen;         /* the store's tensors stay as they are while the plan lives (inference): norms fold into convolutions, weights are packed once */
    bool unfused;        /* for tests: the graph as it was built, without the fusions of rewrite.h */
    bool guard;          /* for tests: no buffer shares memory, and bytes around each are checked after every node */
    struct gv_tuning *tuning; /* measured choices of kernels (tune.h); NULL: the rules alone. Lent while the plan is made */
    int candidate;       /* for tests: k > 0 takes the k-th kernel of the backend's tables where that serves */
} gv_plan_options;

typedef struct gv_feed { const char *name; const void *data; gv_dtype dtype; } gv_feed; /* shape as declared by gv_input; read during the run, not copied. REAL and STAT
 * inputs also take other floating types, which are converted. */

int gv_plan_make(gv_plan **p, gv_graph *g, gv_store *s, const gv_plan_options *o, gv_err *err) GV_MUST_USE;
void gv_plan_close(gv_plan *p);
/* One execution. step keys dropout. GV_ESYS/GV_EDATA when a feed is missing or has the wrong type. */
int gv_plan_run(gv_plan *p, const gv_feed *feeds, int n, uint64_t step, gv_err *err) GV_MUST_USE;
/* After a run: the value of a named output; valid until the next run of any plan of the same store (they share memory). */
const gv_stored *gv_plan_output(const gv_plan *p, const char *name);
/* For a summary: bytes of the arena of intermediates, number of nodes, and the kernels chosen as JSON text, with a table of measured ones (may be NULL)
 * behind them. */
size_t gv_plan_bytes(const gv_plan *p);
int gv_plan_nodes(const gv_plan *p);
/* How many of n samples to run at a time where they do not depend on each other (inference), told from a plan of `few` samples: as many as
 * leave the intermediates no larger than the backend asks for (gv_backend.piece_bytes), in pieces of one size if n has such a divisor; n where few samples
 * already need more. */
int64_t gv_plan_piece(const gv_plan *p, int64_t few, int64_t n);
int gv_plan_describe(const gv_plan *p, const struct gv_tuning *t, gv_buf *json, gv_err *err) GV_MUST_USE;

/* The backends that this program was linked with; NULL-terminated names. */
bool gv_backend_known(const char *name);

#endif
