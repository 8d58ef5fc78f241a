/*
 * What our own kernels share: work is cut in parts, and each part has a piece of scratch of its own. Where parts are added up, they are cut
 * by the sizes alone (dn_count_parts), so that sums do not depend on the number of threads; kernels whose parts are as many as
 * there are threads say so.
 */
#ifndef GV_NN_ONEDNN_OWN_H
#define GV_NN_ONEDNN_OWN_H

#include "common/threads.h"
#include "nn/onednn/internal.h"
#include "nn/onednn/kernels.h"

/* REAL tensors all f32 or all bf16? (dtype of the first) */
static inline bool dn_real(const gv_desc *t)
{
    return t->dtype == GV_F32T || t->dtype == GV_BF16;
}

static inline bool dn_f32_or_absent(const gv_desc *t)
{
    return t->ndim < 0 || t->dtype == GV_F32T;
}

/* The widest vectors that kernels made with vectors.h may use for tensors of type t. What oneDNN may use is what we use: its limit
 * (ONEDNN_MAX_CPU_ISA) is ours too. */
typedef enum dn_set { DN_SET_NONE, DN_SET_AVX2, DN_SET_AVX512, DN_SET_AVX512_BF16, DN_SET_AMX } dn_set;
static inline dn_set dn_best_set(gv_dtype t)
{
#if defined(__x86_64__)
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
#define DN_HAS(name) ((isa & (unsigned)dnnl_cpu_isa_##name) == (unsigned)dnnl_cpu_isa_##name)
    if (t == GV_BF16)
        return DN_HAS(avx512_core_amx) ? DN_SET_AMX : DN_HAS(avx512_core_bf16) ? DN_SET_AVX512_BF16 : DN_SET_NONE;
    if (t == GV_F32T)
        return DN_HAS(avx512_core) ? DN_SET_AVX512 : DN_HAS(avx2) && __builtin_cpu_supports("fma") ? DN_SET_AVX2 : DN_SET_NONE;
#undef DN_HAS
#endif
    (void)t;
    return DN_SET_NONE;
}

static inline size_t dn_round(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static inline int64_t dn_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t dn_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* n in whole pieces of m: how many numbers, and how many pieces. */
static inline int64_t dn_up(int64_t n, int64_t m)
{
    return (n + m - 1) / m * m;
}

static inline int64_t dn_ceil_div(int64_t n, int64_t m)
{
    return (n + m - 1) / m;
}

/* The call and the number of parts, for bodies of gv_parallel over parts. */
typedef struct dn_parts { const gv_call *c; int64_t parts; } dn_parts;

static inline int64_t dn_threads(const gv_call *c)
{
    return ((const gv_onednn *)c->self)->threads;
}

/* Our own kernels keep nothing but the backend itself. Most of them read an element of their inputs for the last time before they write that
 * element of out[0], so it may stand in an input's place; one that does not takes that back (k->in_place[0]). */
static inline int dn_own(gv_onednn *ctx, gv_kernel *k, int (*run)(const gv_call *c), size_t scratch_bytes)
{
    *k = (gv_kernel){ .name = "own", .run = run, .self = ctx, .scratch_bytes = scratch_bytes, .in_place = { GV_ANY_INPUT } };
    return GV_OK;
}

/* How many parts `rows` of `width` elements make, whatever the number of threads: at most DN_PARTS, fewer when there is little to do. */
enum { DN_PARTS = 64 };
static inline int64_t dn_count_parts(int64_t rows, int64_t width)
{
    return dn_max(1, dn_min(DN_PARTS, dn_min(rows, rows * width / 16384)));
}

static inline int dn_over_parts(const gv_call *c, int64_t parts, gv_body *body)
{
    dn_parts p = { c, parts };
    gv_parallel(parts, 1, body, &p);
    return GV_OK;
}

#endif
