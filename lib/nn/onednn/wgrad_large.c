/*
 * a [R,M]' b [R,N] -> [M,N] for many sums (wgrad_large.h).
 *
 * The sums do not fit a cache, so they go by as seldom as possible: rows are taken in DEEP units at a time (units are pairs of bf16: vectors.h). For
 * each such block a thread packs its share of a in panels of TILE_ROWS columns, [panel][unit][6]; then, one after the other, panels of b of
 * 64 columns, [unit][64], which stay in the second cache while all panels of a pass. A tile of 6 x 64 sums lives in registers for the whole block, and
 * the sums of the next tile are on their way meanwhile.
 *
 * oneDNN's product reaches 70 to 80 % of the multiply-add rate here, because it turns a for each of its small blocks (tests/bench/LOG.md).
 */
#include "nn/onednn/wgrad_large.h"
#include "nn/onednn/own.h"

#if defined(__x86_64__)

enum { DEEP = 544, PANEL = 64, GROUP = 96, ROWS_LEAST = 512, SUMS_LEAST = 1 << 18, SIDE_LEAST = 192 };

typedef struct job { int64_t R, M, N, deep; const void *a, *b; float *y; char *scratch; size_t each; int64_t parts; bool by_m; } job;

/* per: numbers in a unit */
static job describe(const gv_onednn *ctx, const gv_call *c, int64_t per)
{
    job j = { .M = c->out[0].shape[0], .N = c->out[0].shape[1] };
    j.R = c->in[0].count / j.M;
    int64_t units = dn_ceil_div(j.R, per);
    j.deep = dn_ceil_div(units, dn_ceil_div(units, DEEP));
    j.by_m = j.M >= j.N;
    j.parts = ctx->threads;
    int64_t columns = j.by_m ? dn_ceil_div(dn_ceil_div(j.M, GROUP), j.parts) * GROUP : dn_ceil_div(j.M, GROUP) * GROUP;
    j.each = dn_round((size_t)((columns + PANEL) * j.deep + GROUP) * 4);
    return j;
}

#define GV_AVX512
#include "nn/onednn/wgrad_panels.h"
#undef GV_AVX512
#define GV_AVX512_BF16
#include "nn/onednn/wgrad_panels.h"
#undef GV_AVX512_BF16

int dn_wgrad_large(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    dn_set s = dn_best_set(c->in[0].dtype);
    bool bf16 = s == DN_SET_AVX512_BF16;
    if ((s != DN_SET_AVX512 && !bf16) || c->in[1].dtype != c->in[0].dtype || c->out[0].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    job j = describe(ctx, c, bf16 ? 2 : 1);
    if (j.R < ROWS_LEAST || j.M * j.N < SUMS_LEAST || j.M < SIDE_LEAST || j.N < SIDE_LEAST || j.N % 16)
        return GV_UNSUPPORTED;
    int r = dn_own(ctx, k, bf16 ? run_bf16 : run_avx512, 64 + j.each * (size_t)j.parts);
    k->name = bf16 ? "own:avx512_bf16" : "own:avx512";
    k->in_place[0] = 0;
    return r;
}

#else

int dn_wgrad_large(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
