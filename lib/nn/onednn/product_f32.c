/*
 * y = a b in f32 by AVX2; a is the windows of images.
 *
 * b is packed first, by all threads, in the order in which it is read: [part of K][panel of 16 columns][of that part][16]; a constant b once for the life of
 * the kernel. Threads share blocks of rows. Of a block, DEEP columns at a time are laid in rows, which stay in the second cache while the panels of b
 * pass; 6 x 16 sums are in registers (products.h), and those of the next tile are asked for meanwhile. Sums over K go on in y itself,
 * or, where its rows do not lie so or something is to be added, in scratch, from where they are put to y. How K is cut depends on K alone, so results do not
 * depend on the number of threads.
 *
 * On AVX2 oneDNN 2.6 reaches 20 to 60 % of the multiply-add rate with windows. With matrices it is about as fast as this (tests/bench/LOG.md).
 */
#include "nn/onednn/product_f32.h"
#include "nn/onednn/own.h"
#include "nn/onednn/window_rows.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__)
#define GV_AVX2
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"

enum { PANEL = 16, DEEP = 1024, ROWS = 48, ROWS_LEAST = 24, BLOCKS = 4 /* a thread, if there are rows enough */, WORK_LEAST = 1 << 18, M_LEAST = 16, PIECE_LEAST = 32 /* numbers of a window's line: laying shorter ones costs more than is gained */ };

typedef struct self {
    gv_onednn *ctx;
    dn_product p;
    int64_t panels, rows, deep, ldv, ldm;
    int64_t channels, sn, sc; /* of b: channel c for column n stands at n sn + c sc, and its taps behind it */
    bool direct;              /* sums go on in y */
    void *memory;             /* of a constant b: */
    float *packed;
    bool filled;
} self;

typedef struct job { const self *s; const gv_call *c; float *b; char *scratch; } job;

static size_t b_bytes(const self *s)
{
    return dn_round((size_t)(s->panels * PANEL * s->p.K) * sizeof(float));
}

/* Of a thread: rows of a; sums, where they do not go on in y */
static size_t each_bytes(const self *s)
{
    return dn_round((size_t)(s->rows * s->ldv) * sizeof(float)) + dn_round((size_t)(s->direct ? 0 : s->rows * s->ldm) * sizeof(float));
}

/* ---- b ---- */

static void product_pack(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const self *s = j->s;
    const dn_product *p = &s->p;
    const float *b = j->c->x[p->b];
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t n0 = panel * PANEL, n = dn_min(PANEL, p->N - n0);
        for (int64_t t = 0; t < p->kh * p->kw; t++) {
            const float *from = b + n0 * s->sn + p->first + t / p->kw * p->ty + t % p->kw * p->tx;
            for (int64_t c = 0; c < s->channels; c++, from += s->sc) {
                int64_t k = t * s->channels + c, part = k / s->deep * s->deep;
                float *to = j->b + (part * s->panels + panel * dn_min(s->deep, p->K - part) + k - part) * PANEL;
                for (int64_t i = 0; i < PANEL; i++)
                    to[i] = i < n ? from[i * s->sn] : 0;
            }
        }
    }
}

/* ---- rows ---- */

/* A block's sums to y: row m of them, of rows `first` on, is a pixel of the output. */
VFN static void product_put(const job *j, const float *sums, int64_t ld, int64_t first, int64_t n)
{
    const self *s = j->s;
    const dn_product *p = &s->p;
    const float *bias = p->bias >= 0 ? j->c->x[p->bias] : NULL, *more = p->more >= 0 ? j->c->x[p->more] : NULL;
    float *y = j->c->y[0];
    int64_t pixels = p->oh * p->ow;
    if (s->direct && !bias && !p->relu)
        return;
    for (int64_t m = first; m < first + n; m++, sums += ld) {
        int64_t row = p->spread ? dn_row_of(p, m / pixels, m / p->ow % p->oh, m % p->ow) : m, i = 0;
        float *to = y + row * p->N;
        for (; i + VL <= p->N; i += VL) {
            V v = VLD(sums + i);
            if (bias)
                v = v + VLD(bias + i);
            if (more)
                v = v + VLD(more + row * p->N + i);
            VST(to + i, p->relu ? VMAX(VSET(0), v) : v); /* a NaN stays */
        }
        for (; i < p->N; i++) {
            float v = sums[i] + (bias ? bias[i] : 0) + (more ? more[row * p->N + i] : 0);
            to[i] = p->relu && v < 0 ? 0 : v;
        }
    }
}

static void product_rows(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const self *s = j->s;
    const dn_product *p = &s->p;
    const float *a = j->c->x[p->a];
    float *v = (float *)(j->scratch + (size_t)gv_slot() * each_bytes(s)), *m = (float *)((char *)v + dn_round((size_t)(s->rows * s->ldv) * sizeof *v));
    for (int64_t block = begin; block < end; block++) {
        int64_t first = block * s->rows, n = dn_min(s->rows, p->M - first), ldc = s->direct ? p->N : s->ldm;
        float *sums = s->direct ? (float *)j->c->y[0] + first * p->N : m;
        for (int64_t k = 0; k < p->K; k += s->deep) {
            int64_t K = dn_min(s->deep, p->K - k);
            dn_window_rows(p, a, first, n, k, k + K, v, s->ldv);
            for (int64_t panel = 0; panel < s->panels; panel++) {
                const unit *b = (const unit *)(const void *)(j->b + (k * s->panels + panel * K) * PANEL);
                int64_t vectors = dn_min(PANEL / VL, (p->N - panel * PANEL + VL - 1) / VL);
                for (int64_t r = 0, h, left = dn_ceil_div(n, TILE_ROWS); left; r += h, left--) {
                    float *y = sums + r * ldc + panel * PANEL;
                    h = dn_ceil_div(n - r, left);
                    for (int64_t i = h; i < 2 * h && r + i < n; i++)
                        __builtin_prefetch(y + i * ldc, 1, 2);
                    product_avx2(h, vectors, K, (const unit *)(const void *)(v + r * s->ldv), s->ldv, 1, b, PANEL, y, ldc, k > 0);
                }
            }
        }
        product_put(j, sums, ldc, first, n);
    }
}

static void product_clear(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    memset((float *)j->c->y[0] + begin * j->s->p.N, 0, (size_t)((end - begin) * j->s->p.N) * sizeof(float));
}

static int run(const gv_call *c)
{
    self *s = c->self;
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    job j = { s, c, s->packed ? s->packed : (float *)(void *)scratch, scratch + (s->packed ? 0 : b_bytes(s)) };
    if (!s->packed || !s->filled)
        gv_parallel(s->panels, 1, product_pack, &j);
    s->filled = true;
    if (s->p.clear)
        gv_parallel(c->out[0].count / s->p.N, 1024, product_clear, &j);
    gv_parallel_slots(s->ctx->threads, dn_ceil_div(s->p.M, s->rows), 1, product_rows, &j);
    return GV_OK;
}

static void release(void *p)
{
    self *s = p;
    gv_free(s->memory);
    gv_free(s);
}

int dn_product_f32(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err)
{
    const gv_desc *a = &c->in[p->a], *b = &c->in[p->b], *y = &c->out[0];
    if (!p->windows || p->K / p->kh < PIECE_LEAST || dn_best_set(GV_F32T) != DN_SET_AVX2 || a->dtype != GV_F32T || b->dtype != GV_F32T || y->dtype != GV_F32T || (p->bias >= 0 && c->in[p->bias].dtype != GV_F32T) ||
        (p->more >= 0 && c->in[p->more].dtype != GV_F32T) || p->M < M_LEAST || p->M * p->N * p->K < WORK_LEAST)
        return GV_UNSUPPORTED;
    self *s = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    *s = (self){ .ctx = ctx, .p = *p, .channels = p->K / (p->kh * p->kw), .sc = p->turned ? p->taps : p->N * p->taps, .panels = dn_ceil_div(p->N, PANEL) };
    s->sn = p->turned ? s->channels * p->taps : p->taps;
    s->rows = dn_max(ROWS_LEAST, dn_min(ROWS, dn_up(dn_ceil_div(p->M, ctx->threads * BLOCKS), TILE_ROWS)));
    s->deep = dn_up(dn_ceil_div(p->K, dn_ceil_div(p->K, DEEP)), VL);
    s->ldv = s->deep + VL;
    s->ldm = dn_up(p->N, VL);
    s->direct = !p->spread && p->more < 0 && p->N % VL == 0;
    if (b->constant && !(s->memory = gv_alloc(b_bytes(s) + 63, err))) {
        gv_free(s);
        return GV_ESYS;
    }
    if (s->memory)
        s->packed = (float *)(((uintptr_t)s->memory + 63) & ~(uintptr_t)63);
    *k = (gv_kernel){ .name = "own:avx2", .run = run, .release = release, .self = s, .scratch_bytes = 64 + each_bytes(s) * (size_t)ctx->threads + (s->packed ? 0 : b_bytes(s)) };
    if (p->more >= 0)
        k->in_place[0] = (uint8_t)(1u << p->more); /* an element is read before it is written */
    return GV_OK;
}

#else

int dn_product_f32(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, const dn_product *p GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
