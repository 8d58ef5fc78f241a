/*
 * depthwise: forward pass and data gradient of a 2-D convolution with one filter for each channel, at stride 1, 3x3 to 7x7.
 *
 *   y[n,h,w,c]  = b[c] + sum over i,j of x[n, h + i - pad, w + j - pad, c] k[c,i,j]
 *   dx[n,h,w,c] = the same with dy for x, k turned by half a circle, and kernel - 1 - pad for pad
 *
 * A part of the work is an image and a block of channels as wide as a vector; the rows of x that a band of rows of y needs are laid out
 * as f32 vectors with zeros at both ends. Up to 14 pixels of a row of y stay in registers while the rows of taps go by: each pixel of x is
 * loaded once for all taps of a row. oneDNN's takes up to twice as long (tests/bench/LOG.md).
 */
#ifndef VEC
#include "nn/onednn/depthwise.h"
#include "nn/onednn/own.h"
#include "nn/onednn/simd.h"
#include "nn/ops/attr.h"

#ifdef DN_SIMD
enum { BAND = 192 << 10, MANY = 14, FEW = 7 };

struct job {
    const gv_call *c;
    bool turned;
    int64_t n, h, w, oh, ow, channels, kernel, pad[2];
    int64_t blocks, threads, rows, wide, span; /* rows of y in a band; columns of a laid row; pixels of y at a time */
    float *taps, *bias;                      /* [blocks][kernel][kernel] and [blocks] vectors */
    size_t part_bytes;
    char *part;
};

#define GV_SIMD "nn/onednn/depthwise.c"
#include "nn/onednn/simd.h"

static struct job describe(const gv_call *c, int64_t threads, bool turned)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *y = &c->out[0];
    int64_t lanes = dn_isa() == DN_AVX2 ? 8 : 16, k = win->kernel[0];
    struct job j = { .c = c, .turned = turned, .n = x->shape[0], .h = x->shape[1], .w = x->shape[2], .oh = y->shape[1], .ow = y->shape[2],
                     .channels = x->shape[3], .kernel = k };
    for (int i = 0; i < 2; i++)
        j.pad[i] = turned ? k - 1 - win->pad[i] : win->pad[i];
    j.blocks = (j.channels + lanes - 1) / lanes;
    j.threads = dn_max(1, dn_min(threads, dn_min(j.n * j.blocks, x->count / 4096)));
    j.span = lanes == 8 || (j.ow + FEW - 1) / FEW * FEW < (j.ow + MANY - 1) / MANY * MANY ? FEW : MANY;
    j.wide = (j.ow + j.span - 1) / j.span * j.span + k - 1;
    size_t row = (size_t)(j.wide * lanes) * sizeof(float);
    j.rows = dn_max(1, dn_min(j.oh, (int64_t)(BAND / row) - k));
    j.part_bytes = dn_round(row * (size_t)(j.rows + k));
    return j;
}

static size_t taps_bytes(const struct job *j)
{
    return (size_t)(j->blocks * 16 * (j->kernel * j->kernel + 1)) * sizeof(float);
}

static int run(const gv_call *c, bool turned)
{
    static gv_body *const packs[DN_ISAS][2] = DN_EACH(depthwise_taps), *const bodies[DN_ISAS][2] = DN_EACH(depthwise_blocks);
    struct job j = describe(c, dn_threads(c), turned);
    int isa = dn_isa();
    j.taps = (float *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.bias = j.taps + j.blocks * 16 * j.kernel * j.kernel;
    j.part = (char *)j.taps + dn_round(taps_bytes(&j));
    gv_parallel(j.blocks, dn_max(1, 4096 / (j.kernel * j.kernel * 16)), packs[isa][c->in[1].dtype == GV_BF16], &j);
    gv_parallel_slots(j.threads, j.n * j.blocks, 1, bodies[isa][c->in[0].dtype == GV_BF16], &j);
    return GV_OK;
}

static int run_forward(const gv_call *c)
{
    return run(c, false);
}

static int run_dgrad(const gv_call *c)
{
    return run(c, true);
}

/* Nothing but the window: what a rewrite adds to a convolution (an addition, an activation) is not done here. */
static bool alone(const gv_call *c)
{
    for (int i = 3; i < c->nin; i++)
        if (c->in[i].ndim >= 0)
            return false;
    return c->nout == 1 && !((const gv_conv_attr *)c->attr)->relu;
}

static int make(gv_onednn *ctx, const gv_call *c, gv_kernel *k, bool turned)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    if (dn_isa() < 0 || !alone(c) || win->dims != 2 || win->groups < 2 || x->shape[3] != win->groups || y->shape[3] != win->groups || !x->count || !y->count ||
        !dn_real(x) || y->dtype != x->dtype || !dn_real(w))
        return GV_UNSUPPORTED;
    if (!turned && c->nin > 2 && !dn_f32_or_absent(&c->in[2]))
        return GV_UNSUPPORTED;
    int64_t n = win->kernel[0];
    for (int i = 0; i < 2; i++)
        if (win->kernel[i] != n || win->stride[i] != 1 || win->dilation[i] != 1 || win->pad[i] < 0 || win->pad[i] > n - 1)
            return GV_UNSUPPORTED;
    if (n != 3 && n != 5 && n != 7)
        return GV_UNSUPPORTED;
    struct job j = describe(c, ctx->threads, turned);
    dn_own(ctx, k, turned ? run_dgrad : run_forward, 64 + dn_round(taps_bytes(&j)) + (size_t)j.threads * j.part_bytes);
    k->in_place[0] = 0;
    return GV_OK;
}

int dn_depthwise_forward(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    return make(ctx, c, k, false);
}

int dn_depthwise_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    return make(ctx, c, k, true);
}
#else
int dn_depthwise_forward(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
int dn_depthwise_dgrad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
#endif
#else

/* Blocks [begin, end) of w [C,1,k,k] (of type T) and of the bias. */
TARGET static void F(depthwise_taps)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    int64_t n = j->kernel * j->kernel;
    const float *b = !j->turned && j->c->nin > 2 && j->c->in[2].ndim >= 0 ? j->c->x[2] : NULL;
    for (int64_t block = begin; block < end; block++)
        for (int64_t lane = 0; lane < VL; lane++) {
            int64_t c = block * VL + lane;
            bool there = c < j->channels;
            j->bias[block * VL + lane] = there && b ? b[c] : 0;
            for (int64_t t = 0; t < n; t++) {
                const T *w = (const T *)j->c->x[1] + c * n + (j->turned ? n - 1 - t : t);
                float v = 0;
                if (there && sizeof(T) == 2)
                    v = gv_bf16_to_f32(*(const uint16_t *)(const void *)w);
                else if (there)
                    memcpy(&v, w, sizeof v);
                if (sizeof(T) == 4 && j->c->in[0].dtype == GV_BF16) /* f32 weights of a bf16 convolution are rounded, as oneDNN's are */
                    v = gv_bf16_to_f32(gv_f32_to_bf16(v));
                j->taps[(block * n + t) * VL + lane] = v;
            }
        }
}

/* P pixels side by side of a row of y, of which `count` are there: rows of taps, each K wide, over rows of x. */
DN_ALWAYS TARGET void F(span)(const int P, const int K, const float *x, int64_t row, int64_t rows, const float *taps, VEC first, T *y, int64_t C, int64_t count, int64_t lanes)
{
    VEC s[MANY], k[7];
#pragma GCC unroll 14
    for (int p = 0; p < P; p++)
        s[p] = first;
    for (int64_t i = 0; i < rows; i++, x += row, taps += K * VL) {
#pragma GCC unroll 7
        for (int t = 0; t < K; t++)
            k[t] = LOADF(taps + t * VL);
#pragma GCC unroll 20
        for (int c = 0; c < P + K - 1; c++) {
            VEC v = LOADF(x + c * VL);
#pragma GCC unroll 7
            for (int t = 0; t < K; t++)
                if (c - t >= 0 && c - t < P)
                    s[c - t] = MULADD(k[t], v, s[c - t]);
        }
    }
    if (lanes == VL && count == P) {
#pragma GCC unroll 14
        for (int p = 0; p < P; p++)
            STORE(y + p * C, s[p]);
        return;
    }
#pragma GCC unroll 14
    for (int p = 0; p < P; p++)
        if (p < count) {
            if (lanes == VL)
                STORE(y + p * C, s[p]);
            else
                STOREN(y + p * C, s[p], lanes);
        }
}

#define SPAN(P, K)                                                                                                                                          \
    TARGET static void F(span_##P##_##K##_)(const float *x, int64_t row, int64_t rows, const float *taps, VEC first, T *y, int64_t C, int64_t count, int64_t lanes) \
    {                                                                                                                                                       \
        F(span)(P, K, x, row, rows, taps, first, y, C, count, lanes);                                                                                       \
    }
SPAN(7, 3) SPAN(7, 5) SPAN(7, 7)
#if VL_IS_16
SPAN(14, 3) SPAN(14, 5) SPAN(14, 7)
#endif
#undef SPAN

/* Rows [first, first + rows) of y of image n. */
TARGET static void F(band)(const struct job *j, int64_t n, int64_t block, int64_t first, int64_t rows, float *laid)
{
    int64_t C = j->channels, at = block * VL, lanes = dn_min(VL, C - at), top = first - j->pad[0], K = j->kernel, row = j->wide * VL;
    int64_t lo = dn_max(0, top), hi = dn_min(j->h, top + rows - 1 + K), left = j->pad[1], used = dn_max(0, dn_min(j->w, j->wide - left));
    for (int64_t r = lo; r < hi; r++) {
        const T *x = (const T *)j->c->x[0] + (n * j->h + r) * j->w * C + at;
        float *d = laid + (r - lo) * row;
        memset(d, 0, (size_t)(left * VL) * sizeof *d);
        d += left * VL;
        if (lanes == VL)
            for (int64_t i = 0; i < used; i++)
                STOREF(d + i * VL, LOAD(x + i * C));
        else
            for (int64_t i = 0; i < used; i++)
                STOREF(d + i * VL, LOADN(x + i * C, lanes));
        memset(d + used * VL, 0, (size_t)((j->wide - left - used) * VL) * sizeof *d);
    }
    VEC b = LOADF(j->bias + at);
    for (int64_t r = 0; r < rows; r++) {
        int64_t i0 = dn_max(0, -(top + r)), i1 = dn_min(K, j->h - (top + r));
        T *y = (T *)j->c->y[0] + (n * j->oh + first + r) * j->ow * C + at;
        const float *taps = j->taps + (block * K + i0) * K * VL, *x = laid + (top + r + i0 - lo) * row;
        for (int64_t w = 0; w < j->ow; w += j->span) {
            int64_t count = dn_min(j->span, j->ow - w), n_rows = dn_max(0, i1 - i0);
#define CALL(P, K) F(span_##P##_##K##_)(x + w * VL, row, n_rows, taps, b, y + w * C, C, count, lanes)
#if VL_IS_16
            if (j->span == MANY) {
                if (K == 7)
                    CALL(14, 7);
                else if (K == 5)
                    CALL(14, 5);
                else
                    CALL(14, 3);
                continue;
            }
#endif
            if (K == 7)
                CALL(7, 7);
            else if (K == 5)
                CALL(7, 5);
            else
                CALL(7, 3);
#undef CALL
        }
    }
}

TARGET static void F(depthwise_blocks)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t u = begin; u < end; u++)
        for (int64_t r = 0; r < j->oh; r += j->rows)
            F(band)(j, u / j->blocks, u % j->blocks, r, dn_min(j->rows, j->oh - r), (float *)(j->part + (size_t)gv_slot() * j->part_bytes));
}
#endif
