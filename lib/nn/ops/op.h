/* What every op's file uses: checks for builders, shape text for messages, and names for its kernels. */
#ifndef GV_NN_OPS_OP_H
#define GV_NN_OPS_OP_H

#include "nn/backend.h"
#include "nn/ops/attr.h"
#include "common/threads.h"
#include <inttypes.h>
#include <math.h>

enum { GV_SHAPE_TEXT = 200 };

/* "[8,32,32,3]" in t. */
const char *gv_shape_text(const gv_graph *g, gv_val v, char t[GV_SHAPE_TEXT]);

/* True when the graph has not failed and the first `required` inputs are there; names the op otherwise. */
bool gv_op_ready(gv_graph *g, gv_op_id op, const gv_val *in, int required);

/* One node with one output. */
gv_val gv_op1(gv_graph *g, gv_op_id op, const void *attr, const gv_val *in, int nin, gv_class cls, const int64_t *shape, int ndim);

bool gv_same_shape(const gv_graph *g, gv_val a, gv_val b);
/* REAL if any is REAL, else STAT; fails the graph (with the op's name) where one is neither. */
gv_class gv_join_class(gv_graph *g, gv_op_id op, const gv_val *in, int n);
/* Fails the graph unless v is REAL or STAT. */
bool gv_is_float(gv_graph *g, gv_op_id op, gv_val v);
/* Fails the graph unless v is GV_NO_VAL or has exactly n elements along its one axis. */
bool gv_is_vector(gv_graph *g, gv_op_id op, const char *what, gv_val v, int64_t n);

/* A tensor of one number. */
gv_val gv_constant(gv_graph *g, double value, gv_class cls, const int64_t *shape, int ndim);
/* A tensor of given numbers, which stay in the graph's arena (lent for its life). No gradient. */
gv_val gv_table(gv_graph *g, const double *values, gv_class cls, const int64_t *shape, int ndim);

/* The backward node of attention; lse is its second output. */
gv_val gv_self_attention_grad(gv_graph *g, gv_val qkv, gv_val lse, gv_val dy, const gv_attention_attr *o);

/* v summed over the axes along which `shape` was broadcast: the gradient of a broadcast operand, of class cls. */
gv_val gv_sum_to(gv_graph *g, gv_val v, const int64_t *shape, int ndim, gv_class cls);

/* The three kernels made from one text by types.h; F(run) in the text. */
#define GV_PLAIN(f) .plain_f32 = f##_f32, .plain_f64 = f##_f64, .plain_bf16 = f##_bf16
#define GV_DECLARE_PLAIN(f) static int f##_f32(const gv_call *c), f##_f64(const gv_call *c), f##_bf16(const gv_call *c)

/* The iterations of the next loop do not depend on each other, also where an output stands in the place of an input. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* loops that call libm in double stay scalar; that is no fault */
#define GV_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GV_IVDEP _Pragma("GCC ivdep")
#endif

/* Elements that are worth a thread's start. */
enum { GV_GRAIN = 16384 };

/* A pass over long arrays in pieces of GV_PIECE elements; before each piece it asks for what it reaches GV_AHEAD bytes later, since a
 * processor's own prefetchers stop at the end of a page and see little in several arrays read at once. It may ask for what is not there. */
enum { GV_PIECE = 256, GV_AHEAD = 4096 };
static inline void gv_ahead(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)((uintptr_t)p + GV_AHEAD + i));
}

static inline int64_t gv_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t gv_max64(int64_t a, int64_t b) { return a > b ? a : b; }
/* Rows (of `width` elements each) that are worth a thread's start. */
static inline int64_t gv_row_grain(int64_t width) { return gv_max64(1, GV_GRAIN / gv_max64(1, width)); }
/* A kernel's gv_parallel with the call as its argument. */
static inline int gv_over(const gv_call *c, int64_t n, int64_t grain, gv_body *body)
{
    gv_parallel(n, grain, body, (void *)(uintptr_t)c);
    return GV_OK;
}

#endif
