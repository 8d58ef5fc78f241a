/*
 * depthwise_nd: convolutions of clips and volumes with one filter for each channel, in all three directions, any kernel and stride. oneDNN computes
 * these channel by channel (2.6 and 3.2; tests/bench/LOG.md); here the channels, which lie side by side, are the vectors.
 *
 *   forward  y[o,c]  = b[c] + sum over taps t of x[o seen through t, c] w[c,t], then what a rewrite has added: a summand, ReLU
 *   dgrad    dx[i,c] = sum over taps t of dy[the o that sees i through t, c] w[c,t]
 *   wgrad    dw[c,t] = sum over o of x[o seen through t, c] dy[o,c]; each thread has sums of its own, added up at the end
 *
 * Sums are in f32. Weights are laid out tap by tap in every run; f32 weights of a bf16 convolution are rounded, as oneDNN's are.
 */
#ifndef T
#include "nn/onednn/depthwise_nd.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"
#include "nn/ops/window.h"

enum { LANES = 32, HALF = 16, MOST_TAPS = 1000 };
#define DN_INLINE static inline __attribute__((always_inline))

typedef struct job {
    const gv_call *c;
    gv_geometry q;
    int64_t C, parts;
    const int64_t *to, *from;   /* sides of what is written and of what is read, of the passes that gather */
    int32_t *seen[3];           /* seen[d][p * k + t]: the place along axis d that place p of `to` reads through tap t, -1: none */
    float *taps, *bias;         /* [nk,C], [C] */
    const void *x, *more;       /* more: what is added, or NULL */
    void *y;
    bool relu;
} job;

#define T float
#define LD(v) (v)
#define ST(v) (v)
#define F(name) name##_f32
#include "nn/onednn/depthwise_nd.c"
#undef T
#undef LD
#undef ST
#undef F
#define T uint16_t
#define LD(v) gv_bf16_to_f32(v)
#define ST(v) gv_f32_to_bf16(v)
#define F(name) name##_bf16
#include "nn/onednn/depthwise_nd.c"

static size_t seen_bytes(const gv_geometry *q, const int64_t to[3])
{
    return dn_round((size_t)(to[0] * q->k[0] + to[1] * q->k[1] + to[2] * q->k[2]) * sizeof(int32_t));
}

static size_t tap_bytes(const gv_geometry *q, int64_t C)
{
    return dn_round((size_t)((q->nk + 1) * C) * sizeof(float));
}

/* Which places see which: forwards from an output to the input, backwards from an input to the output. */
static void look(job *j, bool back, int32_t *at)
{
    const gv_geometry *q = &j->q;
    for (int d = 0; d < 3; d++) {
        j->seen[d] = at;
        for (int64_t p = 0; p < j->to[d]; p++)
            for (int64_t t = 0; t < q->k[d]; t++) {
                int64_t v = back ? p + q->pad[d] - t * q->dil[d] : p * q->stride[d] - q->pad[d] + t * q->dil[d];
                if (back)
                    v = v < 0 || v % q->stride[d] ? -1 : v / q->stride[d];
                *at++ = (int32_t)(v >= 0 && v < j->from[d] ? v : -1);
            }
    }
}

/* w [C,1,k…] of either type, tap by tap, and the bias. */
static void lay(job *j, const gv_desc *wd, const void *w, const float *b, bool round)
{
    for (int64_t c = 0; c < j->C; c++) {
        j->bias[c] = b ? b[c] : 0;
        for (int64_t t = 0; t < j->q.nk; t++) {
            float v = wd->dtype == GV_BF16 ? gv_bf16_to_f32(((const uint16_t *)w)[c * j->q.nk + t]) : ((const float *)w)[c * j->q.nk + t];
            j->taps[t * j->C + c] = round ? gv_bf16_to_f32(gv_f32_to_bf16(v)) : v;
        }
    }
}

static char *aligned(const gv_call *c)
{
    return (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
}

static int gather(const gv_call *c, bool back)
{
    const gv_conv_attr *o = c->attr;
    job j = { .c = c, .C = o->window.groups, .x = c->x[0], .y = c->y[0], .relu = !back && o->relu };
    gv_geometry_make(&j.q, &o->window, back ? &c->out[0] : &c->in[0], back ? &c->in[0] : &c->out[0]);
    j.to = back ? j.q.i : j.q.o;
    j.from = back ? j.q.o : j.q.i;
    j.more = !back && c->nin > 3 && c->in[3].ndim >= 0 ? c->x[3] : NULL;
    char *at = aligned(c);
    look(&j, back, (int32_t *)(void *)at);
    j.taps = (float *)(void *)(at + seen_bytes(&j.q, j.to));
    j.bias = j.taps + j.q.nk * j.C;
    lay(&j, &c->in[1], c->x[1], !back && c->nin > 2 && c->in[2].ndim >= 0 ? c->x[2] : NULL, c->in[0].dtype == GV_BF16);
    int64_t rows = j.q.n * j.to[0] * j.to[1];
    gv_parallel(rows, gv_row_grain(j.to[2] * j.C * j.q.nk / 4), c->in[0].dtype == GV_BF16 ? depthwise_nd_rows_bf16 : depthwise_nd_rows_f32, &j);
    return GV_OK;
}

static int forward(const gv_call *c)
{
    return gather(c, false);
}

static int dgrad(const gv_call *c)
{
    return gather(c, true);
}

static int64_t parts_of(int64_t threads, const gv_geometry *q)
{
    return dn_max(1, dn_min(threads, q->n * q->o[0] * q->o[1]));
}

static int wgrad(const gv_call *c)
{
    const gv_conv_attr *o = c->attr;
    job j = { .c = c, .C = o->window.groups, .x = c->x[0], .more = c->x[1] };
    gv_geometry_make(&j.q, &o->window, &c->in[0], &c->in[1]);
    j.to = j.q.o;
    j.from = j.q.i;
    j.parts = parts_of(dn_threads(c), &j.q);
    char *at = aligned(c);
    look(&j, false, (int32_t *)(void *)at);
    j.taps = (float *)(void *)(at + seen_bytes(&j.q, j.to));
    int64_t n = j.q.nk * j.C;
    memset(j.taps, 0, (size_t)(j.parts * n) * sizeof(float));
    gv_parallel(j.parts, 1, c->in[0].dtype == GV_BF16 ? depthwise_nd_sums_bf16 : depthwise_nd_sums_f32, &j);
    float *dw = c->y[0];
    for (int64_t ch = 0; ch < j.C; ch++)
        for (int64_t t = 0; t < j.q.nk; t++) {
            float s = 0;
            for (int64_t p = 0; p < j.parts; p++)
                s += j.taps[p * n + t * j.C + ch];
            dw[ch * j.q.nk + t] = s;
        }
    return GV_OK;
}

/* x, y: what goes in and comes out of the convolution; w: its weight or the gradient of it. */
static bool serves(const gv_window *win, const gv_desc *x, const gv_desc *w, const gv_desc *y)
{
    int64_t taps = win->kernel[0] * win->kernel[1] * win->kernel[2];
    return win->dims == 3 && win->groups > 1 && x->shape[4] == win->groups && y->shape[4] == win->groups && x->count && y->count && taps <= MOST_TAPS &&
           dn_real(x) && x->dtype == y->dtype && dn_real(w);
}

static int made(gv_onednn *ctx, gv_kernel *k, int (*run)(const gv_call *c), size_t scratch)
{
    dn_own(ctx, k, run, 64 + scratch);
    k->in_place[0] = 0;
    return GV_OK;
}

int dn_depthwise_nd_forward(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    gv_geometry q;
    if (!serves(win, &c->in[0], &c->in[1], &c->out[0]) || (c->nin > 2 && !dn_f32_or_absent(&c->in[2])) ||
        (c->nin > 3 && c->in[3].ndim >= 0 && (c->in[3].dtype != c->out[0].dtype || c->in[3].count != c->out[0].count)))
        return GV_UNSUPPORTED;
    gv_geometry_make(&q, win, &c->in[0], &c->out[0]);
    return made(ctx, k, forward, seen_bytes(&q, q.o) + tap_bytes(&q, win->groups));
}

int dn_depthwise_nd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    gv_geometry q;
    if (!serves(win, &c->out[0], &c->in[1], &c->in[0]))
        return GV_UNSUPPORTED;
    gv_geometry_make(&q, win, &c->out[0], &c->in[0]);
    return made(ctx, k, dgrad, seen_bytes(&q, q.i) + tap_bytes(&q, win->groups));
}

int dn_depthwise_nd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    gv_geometry q;
    if (!serves(win, &c->in[0], &c->out[0], &c->in[1]) || c->out[0].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    gv_geometry_make(&q, win, &c->in[0], &c->in[1]);
    return made(ctx, k, wgrad, seen_bytes(&q, q.o) + dn_round((size_t)(parts_of(ctx->threads, &q) * q.nk * win->groups) * sizeof(float)));
}
#else
/* m channels from c0 on of one place: sums over its taps. Inlined where m is a constant, so that they stay in registers. */
DN_INLINE void F(depthwise_nd_place)(const job *j, const T *image, const int64_t at[3], int64_t c0, int64_t out, int64_t m)
{
    const int64_t *k = j->q.k, C = j->C;
    float s[LANES];
    for (int64_t c = 0; c < m; c++)
        s[c] = j->bias[c0 + c];
    for (int64_t t0 = 0; t0 < k[0]; t0++)
        for (int64_t t1 = 0; t1 < k[1]; t1++) {
            int64_t i0 = j->seen[0][at[0] * k[0] + t0], i1 = j->seen[1][at[1] * k[1] + t1];
            if (i0 < 0 || i1 < 0)
                continue;
            const T *line = image + (i0 * j->from[1] + i1) * j->from[2] * C + c0;
            const float *taps = j->taps + (t0 * k[1] + t1) * k[2] * C + c0;
            for (int64_t t2 = 0; t2 < k[2]; t2++) {
                int64_t i2 = j->seen[2][at[2] * k[2] + t2];
                if (i2 < 0)
                    continue;
                const T *x = line + i2 * C;
                const float *w = taps + t2 * C;
                for (int64_t c = 0; c < m; c++)
                    s[c] += LD(x[c]) * w[c];
            }
        }
    T *y = (T *)j->y + out;
    for (int64_t c = 0; c < m; c++) {
        float v = s[c] + (j->more ? LD(((const T *)j->more)[out + c]) : 0);
        y[c] = ST(j->relu && !(v > 0) ? 0 : v);
    }
}

/* Rows [begin, end) of what is written, each along the last axis. A rest of channels is done with those before it, once more. */
GV_HOT static void F(depthwise_nd_rows)(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    int64_t C = j->C, inside = j->from[0] * j->from[1] * j->from[2];
    for (int64_t row = begin; row < end; row++) {
        int64_t at[3] = { row / j->to[1] % j->to[0], row % j->to[1], 0 };
        const T *image = (const T *)j->x + row / j->to[1] / j->to[0] * inside * C;
        for (; at[2] < j->to[2]; at[2]++) {
            int64_t out = (row * j->to[2] + at[2]) * C, c = 0;
            for (; c + LANES <= C; c += LANES)
                F(depthwise_nd_place)(j, image, at, c, out + c, LANES);
            for (; c < C && C >= HALF; c += HALF) {
                int64_t from = c + HALF <= C ? c : C - HALF;
                F(depthwise_nd_place)(j, image, at, from, out + from, HALF);
            }
            if (c < C)
                F(depthwise_nd_place)(j, image, at, c, out + c, C - c);
        }
    }
}

/* Sums over one row of outputs for m channels from c0 on; the first `skip` of them have been added before. */
DN_INLINE void F(depthwise_nd_line)(const job *j, const T *line, const T *dy, int64_t t2, int64_t c0, int64_t skip, float *to, int64_t m)
{
    const int64_t C = j->C, k = j->q.k[2];
    float s[LANES] = { 0 };
    for (int64_t p2 = 0; p2 < j->q.o[2]; p2++) {
        int64_t i2 = j->seen[2][p2 * k + t2];
        if (i2 < 0)
            continue;
        const T *x = line + i2 * C + c0, *d = dy + p2 * C + c0;
        for (int64_t c = 0; c < m; c++)
            s[c] += LD(x[c]) * LD(d[c]);
    }
    for (int64_t c = skip; c < m; c++)
        to[c0 + c] += s[c];
}

/* The sums of parts [begin, end), each over rows of its own. */
GV_HOT static void F(depthwise_nd_sums)(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    const gv_geometry *q = &j->q;
    int64_t C = j->C, rows = q->n * q->o[0] * q->o[1];
    for (int64_t part = begin; part < end; part++)
        for (int64_t row = rows * part / j->parts; row < rows * (part + 1) / j->parts; row++) {
            int64_t p1 = row % q->o[1], p0 = row / q->o[1] % q->o[0], n = row / q->o[1] / q->o[0];
            const T *dy = (const T *)j->more + row * q->o[2] * C;
            for (int64_t t = 0; t < q->nk; t++) {
                int64_t t2 = t % q->k[2], i0 = j->seen[0][p0 * q->k[0] + t / q->k[2] / q->k[1]], i1 = j->seen[1][p1 * q->k[1] + t / q->k[2] % q->k[1]], c = 0;
                if (i0 < 0 || i1 < 0)
                    continue;
                const T *line = (const T *)j->x + ((n * q->i[0] + i0) * q->i[1] + i1) * q->i[2] * C;
                float *to = j->taps + (part * q->nk + t) * C;
                for (; c + LANES <= C; c += LANES)
                    F(depthwise_nd_line)(j, line, dy, t2, c, 0, to, LANES);
                for (; c < C && C >= HALF; c += HALF) {
                    int64_t from = c + HALF <= C ? c : C - HALF;
                    F(depthwise_nd_line)(j, line, dy, t2, from, c - from, to, HALF);
                }
                if (c < C)
                    F(depthwise_nd_line)(j, line, dy, t2, c, 0, to, C - c);
            }
        }
}
#endif
