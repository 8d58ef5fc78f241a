/*
 * The weight gradient of a convolution of images in f32, by AVX2: dw[o][k] = sum over output pixels r of dy[r][o] window[r][k].
 *
 * Pixels are cut in parts, by sizes alone, each with sums of its own, which are added in order; where the sums are many there is one part, and threads share
 * the output channels as well. DEEP pixels at a time: dy goes to panels of 6 channels, [panel][pixel][6], and the windows are laid in rows, WIDE numbers of
 * each at a time, for the second cache. 6 x 16 sums are in registers for DEEP pixels (products.h); those of the next tile are asked for meanwhile.
 *
 * On AVX2 oneDNN 2.6 reaches 30 % of the multiply-add rate with strides and wide windows, 50 % with 1x1 (tests/bench/LOG.md).
 */
#include "nn/onednn/wgrad_f32.h"
#include "nn/onednn/own.h"
#include "nn/onednn/wgrad_collect.h"
#include "nn/onednn/window_rows.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__)
#define GV_AVX2
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"

enum { PANEL = 16, DEEP = 192, WIDE = 256, LD = WIDE + PANEL /* an odd number of lines: rows fall into different sets of the first cache */, PARTS_MOST = 16,
       SUMS_MOST = 1 << 20 /* of all parts, but for one part */, CUT_LEAST = 8, CUT_MOST = 16 /* panels of dy */ };

typedef struct job {
    const gv_call *c;
    dn_product p;                  /* the windows: M pixels of dy, K numbers each; N output channels */
    int64_t ld, groups, parts, cuts;
    float *sums;                   /* [parts][N][ld] */
    char *scratch;
} job;

static size_t sums_bytes(const job *j)
{
    return dn_round((size_t)(j->parts * j->p.N * j->ld) * sizeof(float));
}

/* Of a thread: dy, windows */
static size_t each_bytes(void)
{
    return (size_t)(CUT_MOST * TILE_ROWS * DEEP + DEEP * LD) * sizeof(float);
}

static bool describe(const gv_onednn *ctx, const gv_call *c, job *j)
{
    *j = (job){ .c = c, .p = { .b = 1, .bias = -1, .more = -1, .turned = true } };
    if (!dn_product_windows(&j->p, &((const gv_conv_attr *)c->attr)->window, &c->in[0], &c->in[1]))
        return false;
    j->ld = dn_up(j->p.K, PANEL);
    j->groups = dn_ceil_div(j->p.N, TILE_ROWS);
    j->parts = dn_max(1, dn_min(dn_min(PARTS_MOST, SUMS_MOST / (j->p.N * j->ld)), j->p.M / (4 * DEEP)));
    j->cuts = dn_max(dn_ceil_div(j->groups, CUT_MOST), dn_min(j->groups / CUT_LEAST, dn_ceil_div(4 * ctx->threads, j->parts)));
    return true;
}

/* Channels [from, to) of n pixels of dy: [panel][DEEP][6]; in the last panel channels may be missing, which are zero. */
static void pack_dy(const job *j, int64_t first, int64_t n, int64_t from, int64_t to, float *y)
{
    const float *dy = (const float *)j->c->x[1] + first * j->p.N;
    for (int64_t r = 0; r < n; r++, dy += j->p.N, y += TILE_ROWS) {
        float *q = y;
        int64_t o = from;
        for (; o + TILE_ROWS <= to; o += TILE_ROWS, q += DEEP * TILE_ROWS)
            memcpy(q, dy + o, TILE_ROWS * sizeof *q);
        for (int i = 0; o < to && i < TILE_ROWS; i++)
            q[i] = o + i < to ? dy[o + i] : 0;
    }
}

/* Pieces [begin, end): piece i is part i / cuts of the pixels and that cut of the output channels. */
static void wgrad_pieces(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const dn_product *p = &j->p;
    float *y = (float *)(void *)(j->scratch + (size_t)gv_slot() * each_bytes()), *v = y + CUT_MOST * TILE_ROWS * DEEP;
    memset(v, 0, DEEP * LD * sizeof *v); /* what stands behind the last number of a row is multiplied, too */
    for (int64_t i = begin; i < end; i++) {
        int64_t part = i / j->cuts, cut = i % j->cuts, from = j->groups * cut / j->cuts * TILE_ROWS, to = dn_min(p->N, j->groups * (cut + 1) / j->cuts * TILE_ROWS);
        int64_t begin_r = p->M * part / j->parts, end_r = p->M * (part + 1) / j->parts;
        float *sums = j->sums + part * p->N * j->ld;
        for (int64_t r = begin_r, n, left = dn_ceil_div(end_r - begin_r, DEEP); left; r += n, left--) {
            n = dn_ceil_div(end_r - r, left);
            pack_dy(j, r, n, from, to, y);
            for (int64_t k = 0; k < p->K; k += WIDE) {
                int64_t wide = dn_min(WIDE, p->K - k);
                dn_window_rows(p, j->c->x[0], r, n, k, k + wide, v, LD);
                for (int64_t panel = 0; panel < wide; panel += PANEL)
                    for (int64_t o = from; o < to; o += TILE_ROWS) {
                        float *s = sums + o * j->ld + k + panel;
                        int64_t rows = dn_min(TILE_ROWS, to - o);
                        for (int64_t q = rows; q < 2 * rows && o + q < to; q++)
                            __builtin_prefetch(s + q * j->ld, 1, 2);
                        tiles_avx2[1][rows - 1]((const unit *)(const void *)(y + (o - from) * DEEP), 1, TILE_ROWS, (const unit *)(const void *)(v + panel), LD, n, s, j->ld,
                                                r > begin_r);
                    }
            }
        }
    }
}

static void wgrad_collect(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    int64_t taps = j->p.taps, C = j->p.K / taps;
    for (int64_t o = begin; o < end; o++)
        dn_wgrad_collect(j->sums + o * j->ld, (float *)j->c->y[0] + o * j->p.K, j->parts, j->p.N * j->ld, C, taps);
}

static int run(const gv_call *c)
{
    const gv_onednn *ctx = c->self;
    job j;
    describe(ctx, c, &j);
    j.sums = (float *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.scratch = (char *)j.sums + sums_bytes(&j);
    gv_parallel_slots(ctx->threads, j.parts * j.cuts, 1, wgrad_pieces, &j);
    gv_parallel(j.p.N, dn_max(1, 16384 / j.p.K), wgrad_collect, &j);
    return GV_OK;
}

int dn_wgrad_f32(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    job j;
    if (dn_best_set(GV_F32T) != DN_SET_AVX2 || c->in[0].dtype != GV_F32T || c->in[1].dtype != GV_F32T || c->out[0].dtype != GV_F32T || !describe(ctx, c, &j))
        return GV_UNSUPPORTED;
    int r = dn_own(ctx, k, run, 64 + sums_bytes(&j) + each_bytes() * (size_t)ctx->threads);
    k->name = "own:avx2";
    k->in_place[0] = 0;
    return r;
}

#else

int dn_wgrad_f32(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
