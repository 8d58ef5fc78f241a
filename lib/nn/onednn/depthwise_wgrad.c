/*
 * depthwise_wgrad: x [N,H,W,C], dy [N,H',W',C] -> dw [C,1,kh,kw] f32, of a convolution with one filter for each channel.
 *
 *   dw[c,i,j] = sum over n,h,w of dy[n,h,w,c] x[n, h stride + i dilation - pad, w stride + j dilation - pad, c]
 *
 * A part of the work is an image and a block of channels as wide as a vector. Its pixels are laid out as f32 vectors, row by row with
 * zeros around, in pieces that fit the second cache; then up to four rows of taps at a time stay in registers while the kernel walks
 * over the pixels: one load of dy and one load of x for each product. Sums are f32 over a piece, and added to the thread's own sum;
 * those of the threads are added in order, so the bytes depend on the number of threads and the instruction set alone.
 *
 * 7x7 of 96 channels at 56 x 56 took oneDNN 8 to 60 times as long as its forward pass (tests/bench/LOG.md).
 */
#ifndef VL
#include "nn/onednn/depthwise.h"
#include "nn/onednn/own.h"
#include "nn/onednn/simd.h"
#include "nn/ops/attr.h"

#ifdef DN_SIMD

enum { WIDEST = 16, MOST_ROWS = 4, MOST_COLUMNS = 8, PIECE = 384 << 10 };

/* A part's sums: behind them come its pixels. A vector that lies across two lines of the cache takes two loads. */
#define PART(j, part) ((float *)((((uintptr_t)(j)->c->scratch + 63) & ~(uintptr_t)63) + (size_t)(part) * ((j)->sums + (j)->images)))

/* What stays the same in one call. */
struct job {
    const gv_call *c;
    int64_t n, h, w, channels, oh, ow, kh, kw;
    int64_t stride[2], pad[2], dilation[2];
    int64_t blocks, parts;      /* blocks of channels; parts: threads */
    int64_t rows, wide, tall;   /* output rows of a piece; columns and rows of x that they see */
    size_t sums, images;        /* bytes of a thread's sums; of its pixels */
};

/* Taps [rows][columns] over a piece. */
struct tile {
    const float *x, *dy;
    float *sum;                                   /* [rows][kw] vectors */
    int64_t tap, row, step, rows, columns, width; /* floats from tap row to tap row, from output row to output row, from pixel to pixel in x; kw */
};

#define GV_PASTE3_(a, b) a##b
#define GV_PASTE3(a, b) GV_PASTE3_(a, b)
#define V(name) GV_PASTE3(name, VL)

#define VL 16
#define VEC __m512
#define TARGET DN_V4
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define MULADD _mm512_fmadd_ps
#define WIDEN(p) dn_widen16(_mm256_loadu_si256((const void *)(p)))
#define REGISTERS 28
#include "nn/onednn/depthwise_wgrad.c"

#define VL 8
#define VEC __m256
#define TARGET DN_V3
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define MULADD _mm256_fmadd_ps
#define WIDEN(p) dn_widen8(_mm_loadu_si128((const void *)(p)))
#define REGISTERS 12
#include "nn/onednn/depthwise_wgrad.c"

static struct job describe(const gv_call *c, int64_t threads, int64_t lanes)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    int d = win->dims, last = d - 1;
    struct job j = {
        .c = c, .n = x->shape[0], .h = d > 1 ? x->shape[1] : 1, .w = x->shape[d], .channels = x->shape[d + 1],
        .oh = d > 1 ? dy->shape[1] : 1, .ow = dy->shape[d], .kh = d > 1 ? win->kernel[0] : 1, .kw = win->kernel[last],
        .stride = { d > 1 ? win->stride[0] : 1, win->stride[last] }, .pad = { d > 1 ? win->pad[0] : 0, win->pad[last] },
        .dilation = { d > 1 ? win->dilation[0] : 1, win->dilation[last] },
    };
    j.blocks = (j.channels + lanes - 1) / lanes;
    j.parts = dn_max(1, dn_min(threads, dn_min(j.n * j.blocks, x->count / 16384)));
    j.wide = (j.ow - 1) * j.stride[1] + (j.kw - 1) * j.dilation[1] + 1;
    size_t pixel = (size_t)lanes * sizeof(float), row = pixel * (size_t)(j.wide * j.stride[0] + j.ow);
    j.rows = dn_max(1, dn_min(j.oh, (int64_t)(PIECE / row)));
    j.tall = (j.rows - 1) * j.stride[0] + (j.kh - 1) * j.dilation[0] + 1;
    j.sums = dn_round(pixel * (size_t)(j.blocks + 1) * (size_t)(j.kh * j.kw)); /* and one block more: those of the piece at hand */
    j.images = dn_round(pixel * (size_t)(j.wide * j.tall + j.ow * j.rows));
    return j;
}

static int wide(const gv_call *c)
{
    struct job j = describe(c, dn_threads(c), 16);
    gv_parallel(j.parts, 1, parts16, &j);
    gv_parallel(j.blocks, dn_max(1, 16384 / (j.parts * j.kh * j.kw * 16)), total16, &j);
    return GV_OK;
}

static int narrow(const gv_call *c)
{
    struct job j = describe(c, dn_threads(c), 8);
    gv_parallel(j.parts, 1, parts8, &j);
    gv_parallel(j.blocks, dn_max(1, 16384 / (j.parts * j.kh * j.kw * 8)), total8, &j);
    return GV_OK;
}

int dn_depthwise_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0];
    int64_t channels = x->shape[x->ndim - 1];
    if (win->dims > 2 || win->groups != channels || channels < 2 || c->in[1].shape[win->dims + 1] != channels || !x->count || !c->in[1].count || !dn_real(x) ||
        c->in[1].dtype != x->dtype || c->out[0].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    if (dn_isa() < 0)
        return GV_UNSUPPORTED;
    bool is_wide = dn_isa() >= DN_AVX512;
    struct job j = describe(c, ctx->threads, is_wide ? 16 : 8);
    dn_own(ctx, k, is_wide ? wide : narrow, (size_t)j.parts * (j.sums + j.images) + 64);
    k->in_place[0] = 0;
    return GV_OK;
}
#else
int dn_depthwise_wgrad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED)
{
    return GV_UNSUPPORTED;
}
#endif
#else

DN_ALWAYS TARGET void V(taps)(const int rows, const int columns, const struct tile *t)
{
    VEC sum[MOST_ROWS][MOST_COLUMNS];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int k = 0; k < columns; k++)
            sum[i][k] = LOAD(t->sum + (i * t->width + k) * VL);
    const float *dy = t->dy;
    for (int64_t r = 0; r < t->rows; r++) {
        const float *x[MOST_ROWS];
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            x[i] = t->x + r * t->row + i * t->tap;
            __asm__("" : "+r"(x[i])); /* a pointer for each row of taps, not one for each tap: those would not fit the registers */
        }
        for (int64_t p = 0, at = 0; p < t->columns; p++, at += t->step, dy += VL) {
            VEC d = LOAD(dy);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
                for (int k = 0; k < columns; k++)
                    sum[i][k] = MULADD(d, LOAD(x[i] + at + k * VL), sum[i][k]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int k = 0; k < columns; k++)
            STORE(t->sum + (i * t->width + k) * VL, sum[i][k]);
}

#define TAPS(r, k) TARGET static void V(taps_##r##_##k##_)(const struct tile *t) { V(taps)(r, k, t); }
#define ALL(k) TAPS(1, k) TAPS(2, k) TAPS(3, k) TAPS(4, k)
ALL(1) ALL(2) ALL(3) ALL(4) ALL(5) ALL(6) ALL(7) ALL(8)
#undef TAPS
#undef ALL
#define ALL(k) { V(taps_1_##k##_), V(taps_2_##k##_), V(taps_3_##k##_), V(taps_4_##k##_) }
static void (*const V(kernels)[MOST_COLUMNS][MOST_ROWS])(const struct tile *t) = { ALL(1), ALL(2), ALL(3), ALL(4), ALL(5), ALL(6), ALL(7), ALL(8) };
#undef ALL

/* A row of pixels [width,C] from channel `at` on as f32 vectors. */
TARGET static void V(lay)(const struct job *j, const void *src, int64_t at, int64_t width, float *dst)
{
    int64_t C = j->channels, lanes = dn_min(VL, C - at);
    bool bf16 = j->c->in[0].dtype == GV_BF16;
    if (lanes == VL && bf16)
        for (int64_t i = 0; i < width; i++)
            STORE(dst + i * VL, WIDEN((const uint16_t *)src + i * C + at));
    else if (lanes == VL)
        for (int64_t i = 0; i < width; i++)
            STORE(dst + i * VL, LOAD((const float *)src + i * C + at));
    else
        for (int64_t i = 0; i < width; i++)
            for (int64_t k = 0; k < VL; k++)
                dst[i * VL + k] = k >= lanes ? 0 : bf16 ? gv_bf16_to_f32(((const uint16_t *)src)[i * C + at + k]) : ((const float *)src)[i * C + at + k];
}

/* Output rows [first, first + rows) of image n. */
TARGET static void V(piece)(const struct job *j, int64_t n, int64_t block, int64_t first, int64_t rows, float *sum, float *images)
{
    size_t size = j->c->in[0].dtype == GV_BF16 ? 2 : 4;
    int64_t at = block * VL, top = first * j->stride[0] - j->pad[0], tall = (rows - 1) * j->stride[0] + (j->kh - 1) * j->dilation[0] + 1, row = j->wide * VL;
    float *dy = images + j->wide * j->tall * VL;
    int64_t left = dn_max(0, j->pad[1]), used = dn_max(0, dn_min(j->w, j->wide - left)), right = dn_max(0, j->wide - left - used);
    int64_t lo = dn_max(0, -top), hi = dn_min(tall, j->h - top); /* rows of the piece that are in the image */
    for (int64_t r = lo; r < hi; r++) {
        float *d = images + r * row;
        memset(d, 0, (size_t)(dn_min(left, j->wide) * VL) * sizeof *d);
        V(lay)(j, (const char *)j->c->x[0] + (size_t)((n * j->h + top + r) * j->w * j->channels) * size, at, used, d + left * VL);
        memset(d + (left + used) * VL, 0, (size_t)(right * VL) * sizeof *d);
    }
    V(lay)(j, (const char *)j->c->x[1] + (size_t)((n * j->oh + first) * j->ow * j->channels) * size, at, rows * j->ow, dy);
    int64_t groups = j->dilation[1] == 1 ? (j->kw + MOST_COLUMNS - 1) / MOST_COLUMNS : j->kw, columns = (j->kw + groups - 1) / groups;
    for (int64_t k = 0; k < j->kw; k += columns) {
        int64_t width = dn_min(columns, j->kw - k), most = dn_max(1, dn_min(MOST_ROWS, REGISTERS / width));
        for (int64_t i = 0, count; i < j->kh; i += count) {
            count = dn_min(most, j->kh - i);
            /* output rows all of whose taps i … i + count - 1 lie in rows that were laid; the others take one row of taps at a time */
            int64_t r = 0;
            while (r < rows) {
                int64_t a = r * j->stride[0] + i * j->dilation[0], z = a + (count - 1) * j->dilation[0];
                struct tile t = { .sum = sum + (i * j->kw + k) * VL, .tap = j->dilation[0] * row, .row = j->stride[0] * row, .step = j->stride[1] * VL,
                                  .columns = j->ow, .width = j->kw, .dy = dy + r * j->ow * VL };
                if (a >= lo && z < hi) {
                    t.rows = dn_min(rows - r, (hi - 1 - z) / j->stride[0] + 1);
                    t.x = images + a * row + k * j->dilation[1] * VL;
                    V(kernels)[width - 1][count - 1](&t);
                    r += t.rows;
                    continue;
                }
                for (int64_t q = 0; q < count; q++) {
                    int64_t b = a + q * j->dilation[0];
                    if (b < lo || b >= hi)
                        continue;
                    t.rows = 1;
                    t.x = images + b * row + k * j->dilation[1] * VL;
                    t.sum = sum + ((i + q) * j->kw + k) * VL;
                    V(kernels)[width - 1][0](&t);
                }
                r++;
            }
        }
    }
}

/* Images of blocks [begin, end) of N * blocks, images fastest. */
static void V(parts)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    int64_t all = j->n * j->blocks, taps = j->kh * j->kw * VL;
    for (int64_t part = begin; part < end; part++) {
        float *sums = PART(j, part), *images = (float *)((char *)sums + j->sums), *one = sums + j->blocks * taps;
        int64_t first = all * part / j->parts, last = all * (part + 1) / j->parts;
        for (int64_t u = first; u < last; u++) {
            int64_t block = u / j->n, n = u % j->n;
            float *sum = sums + block * taps;
            if (u == first || n == 0)
                memset(sum, 0, (size_t)taps * sizeof *sum);
            for (int64_t r = 0; r < j->oh; r += j->rows) {
                memset(one, 0, (size_t)taps * sizeof *one);
                V(piece)(j, n, block, r, dn_min(j->rows, j->oh - r), one, images);
                for (int64_t i = 0; i < taps; i++)
                    sum[i] += one[i];
            }
        }
    }
}

/* The parts' sums of blocks [begin, end), in order, to dw. */
static void V(total)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    int64_t all = j->n * j->blocks, taps = j->kh * j->kw;
    float *dw = j->c->y[0];
    for (int64_t block = begin; block < end; block++)
        for (int64_t lane = 0; lane < dn_min(VL, j->channels - block * VL); lane++)
            for (int64_t t = 0; t < taps; t++) {
                double s = 0;
                for (int64_t part = 0; part < j->parts; part++) {
                    int64_t first = all * part / j->parts, last = all * (part + 1) / j->parts;
                    if (first < (block + 1) * j->n && last > block * j->n)
                        s += PART(j, part)[(block * taps + t) * VL + lane];
                }
                dw[(block * VL + lane) * taps + t] = (float)s;
            }
}
#undef VL
#undef VEC
#undef TARGET
#undef LOAD
#undef STORE
#undef MULADD
#undef WIDEN
#undef REGISTERS
#endif
