/*
 * 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3): an output tile of 2x2 pixels comes from an input tile d of 4x4 pixels as
 * A' [(G g G') * (B' d B)] A, the * element by element, which takes 16 products for each pair of channels where the definition takes 36. For each of
 * the 16 elements the sums over channels are a product of matrices:
 *
 *   m[e][tile][o] = sum over c of v[e][tile][c] * u[e][c][o],      v = B' d B,  u = G g G'
 *
 * Blocks of tiles are turned, multiplied with 64 output channels at a time, and turned back while they lie in the second cache. v and u have the
 * type of the images. For bf16 they are rounded (the sums of at most four pixels, and of weights by quarters) and products are summed in f32: the
 * error of a result is about that of rounding inputs and outputs once more. For f32 it is about twice that of the definition.
 * The data gradient is the same of dy, with the taps running backward and the channels exchanged. The text is winograd_blocks.h.
 *
 * Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.1.
 */
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)

enum { TILES_LEAST = 256, TILES = 48, CHUNK = 64 };

struct job {
    const void *x, *w, *more, *bias; /* bias of the images' type, or */
    const float *bias32;
    void *y;
    bool w_is_bf16, relu, turned;
    int64_t N, H, W, C, OH, OW, O;  /* of x as it is read, of y as it is written */
    int64_t pad[2], down, across;   /* padding above and to the left; tiles of an image */
    int64_t tiles, block, blocks, parts;
    int64_t v_e, m_e;               /* from element to element of v and of m */
    int64_t w_o, w_c;               /* from output channel to output channel of w, and from input channel to input channel; in taps of nine */
    int64_t units;                  /* of 32 bits in C (vectors.h) */
    uint32_t *u;                    /* [O/PANEL][16][units][PANEL] */
    char *part;
    size_t part_bytes;
};

static size_t u_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->units * j->O) * 4);
}

static size_t v_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->v_e) * 4 / (size_t)(j->C / j->units));
}

static size_t m_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->m_e) * sizeof(float));
}

#define GV_AVX2
#include "nn/onednn/winograd_blocks.h"
#undef GV_AVX2
#define GV_AVX512
#include "nn/onednn/winograd_blocks.h"
#undef GV_AVX512
#define GV_AVX512_BF16
#include "nn/onednn/winograd_blocks.h"
#undef GV_AVX512_BF16

static const gv_desc *optional(const gv_call *c, int i)
{
    return c->nin > i && c->in[i].ndim >= 0 ? &c->in[i] : NULL;
}

static struct job describe(const gv_onednn *ctx, const gv_call *c, bool dgrad)
{
    const gv_conv_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *y = &c->out[0];
    struct job j = { .turned = dgrad, .w_is_bf16 = c->in[1].dtype == GV_BF16, .relu = !dgrad && a->relu, .N = x->shape[0], .H = x->shape[1], .W = x->shape[2], .C = x->shape[3],
                     .OH = y->shape[1], .OW = y->shape[2], .O = y->shape[3] };
    for (int i = 0; i < 2; i++)
        j.pad[i] = dgrad ? 2 - a->window.pad[i] : a->window.pad[i];
    j.w_o = dgrad ? 1 : j.C;
    j.w_c = dgrad ? j.O : 1;
    j.units = x->dtype == GV_BF16 ? j.C / 2 : j.C;
    j.down = dn_ceil_div(j.OH, 2);
    j.across = dn_ceil_div(j.OW, 2);
    j.tiles = j.N * j.down * j.across;
    j.block = TILES;
    j.blocks = dn_ceil_div(j.tiles, j.block);
    /* No multiple of 4096 bytes, or all elements of a tile would fall in one set of the cache. */
    j.v_e = j.block * j.C + 32;
    j.m_e = j.block * CHUNK + 16;
    j.parts = dn_max(1, dn_min(ctx->threads, j.blocks));
    j.part_bytes = v_bytes(&j) + m_bytes(&j);
    return j;
}

static void (*const run_by[])(struct job *) = { NULL, winograd_avx2, winograd_avx512, winograd_bf16, winograd_bf16 };
static const char *const names[] = { NULL, "winograd:avx2", "winograd:avx512", "winograd:avx512_bf16", "winograd:avx512_bf16" };

static int run_it(const gv_call *c, bool dgrad)
{
    struct job j = describe(c->self, c, dgrad);
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    const gv_desc *bias = dgrad ? NULL : optional(c, 2);
    j.x = c->x[0];
    j.w = c->x[1];
    j.y = c->y[0];
    j.bias32 = bias && bias->dtype == GV_F32T ? c->x[2] : NULL;
    j.bias = bias && bias->dtype != GV_F32T ? c->x[2] : NULL;
    j.more = !dgrad && optional(c, 3) ? c->x[3] : NULL;
    j.u = (uint32_t *)scratch;
    j.part = scratch + u_bytes(&j);
    run_by[dn_best_set(c->in[0].dtype)](&j);
    return GV_OK;
}

static int run(const gv_call *c)
{
    return run_it(c, false);
}

static int run_dgrad(const gv_call *c)
{
    return run_it(c, true);
}

static bool serves(const gv_call *c, bool dgrad)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *y = &c->out[0], *bias = dgrad ? NULL : optional(c, 2), *more = dgrad ? NULL : optional(c, 3);
    int64_t step = x->dtype == GV_BF16 ? 32 : 16;
    if (w->dims != 2 || w->groups != 1 || y->dtype != x->dtype || !dn_real(&c->in[1]) || (bias && bias->dtype != x->dtype && bias->dtype != GV_F32T) ||
        (more && (more->dtype != y->dtype || more->count != y->count)) || x->shape[3] % step || y->shape[3] % step || !x->count || !y->count)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1 || w->pad[i] > 2 || (!dgrad && y->shape[1 + i] > x->shape[1 + i] + 2) ||
            (dgrad && x->shape[1 + i] > y->shape[1 + i] + 2))
            return false;
    return true;
}

static int make(gv_onednn *ctx, const gv_call *c, bool dgrad, gv_kernel *k)
{
    dn_set s = dn_best_set(c->in[0].dtype);
    if (!run_by[s] || !serves(c, dgrad))
        return GV_UNSUPPORTED;
    struct job j = describe(ctx, c, dgrad);
    int r = dn_own(ctx, k, dgrad ? run_dgrad : run, 64 + u_bytes(&j) + j.part_bytes * (size_t)j.parts);
    k->name = names[s];
    k->in_place[0] = !dgrad && optional(c, 3) ? 1u << 3 : 0; /* an element of `more` is read right before that of y is written */
    return r;
}

/* Where tiles hang over the edges, or weights are turned for few of them, the definition is the faster one; also in bf16 by AMX, whose products cost less
 * than turning does. */
bool dn_winograd_pays(const gv_call *c)
{
    const gv_desc *y = c->node->op == GV_OP_conv_wgrad ? &c->in[1] : &c->out[0];
    if (y->ndim != 4 || (c->in[0].dtype == GV_BF16 && dn_best_set(GV_BF16) != DN_SET_AVX512_BF16))
        return false;
    int64_t pixels = y->shape[0] * y->shape[1] * y->shape[2], tiles = y->shape[0] * dn_ceil_div(y->shape[1], 2) * dn_ceil_div(y->shape[2], 2);
    return tiles >= TILES_LEAST && 16 * tiles * 4 <= 9 * pixels * 3;
}
#else
static int make(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, bool dgrad GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
bool dn_winograd_pays(const gv_call *c GV_UNUSED) { return false; }
#endif

int dn_winograd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return make(ctx, c, false, k);
}

int dn_winograd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return make(ctx, c, true, k);
}
