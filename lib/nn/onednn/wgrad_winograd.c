/*
 * The weight gradient of 3x3 convolutions with stride 1 by the transpose of Winograd's F(2x2, 3x3) (conv_winograd.c). With v = B' d B of the 4x4 pixels
 * of x that a tile reads and z = A dy A' of its 2x2 pixels of dy,
 *
 *   dw = G' (sum over tiles of v * z) G
 *
 * where the * element by element, and each of the 16 elements is a product of matrices over all tiles: s[e][o][c] = sum over t of z[e][t][o] v[e][t][c].
 * Blocks of tiles are turned by all threads, then each thread multiplies its share of elements and output channels, so sums do not depend on the number
 * of threads. v and z have the type of the images: bf16 is rounded (sums of at most four values) and packed tile by tile in pairs; sums are f32. The text
 * is winograd_sums.h.
 *
 * Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.1, transposed.
 */
#include "nn/onednn/wgrad_winograd.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)

enum { LANES = 16, ROOM_MOST = 256, APART = 48 };

struct job {
    const void *x, *dy;
    float *dw, *s;                 /* s [16][O][C] */
    int64_t N, H, W, C, OH, OW, O, pad[2], down, across, tiles, cuts; /* cuts: parts of the output channels */
    uint32_t *v, *z;               /* of a block: [16][C/PANEL][room][PANEL], [16][O/LANES][room][LANES] */
    int64_t room, v_e, z_e;        /* units of a whole block; from element to element of v and z */
    int64_t first, n, units;       /* the block's tiles; one makes a unit of f32, two one of bf16 (vectors.h) */
};

static size_t v_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->v_e) * 4);
}

static size_t z_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->z_e) * 4);
}

static size_t s_bytes(const struct job *j)
{
    return dn_round((size_t)(16 * j->C * j->O) * sizeof(float));
}

#define GV_AVX2
#include "nn/onednn/winograd_sums.h"
#undef GV_AVX2
#define GV_AVX512
#include "nn/onednn/winograd_sums.h"
#undef GV_AVX512
#define GV_AVX512_BF16
#include "nn/onednn/winograd_sums.h"
#undef GV_AVX512_BF16

static struct job describe(const gv_onednn *ctx, const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    struct job j = { .N = x->shape[0], .H = x->shape[1], .W = x->shape[2], .C = x->shape[3], .OH = dy->shape[1], .OW = dy->shape[2], .O = dy->shape[3],
                     .pad = { a->window.pad[0], a->window.pad[1] } };
    j.down = dn_ceil_div(j.OH, 2);
    j.across = dn_ceil_div(j.OW, 2);
    j.tiles = j.N * j.down * j.across;
    /* Few channels: the block stays in the second cache. Many: the sums, which do not fit there, are read and written less often. */
    j.room = dn_min(ROOM_MOST, dn_max(64, j.C * j.O / 128));
    /* Not a power of two apart, or all elements of a unit would fall in one set of the cache. */
    j.v_e = j.room * j.C + APART;
    j.z_e = j.room * j.O + APART;
    j.cuts = dn_min(j.O / LANES, dn_ceil_div(ctx->threads, 16));
    return j;
}

static void (*const run_by[])(struct job *) = { NULL, winograd_avx2, winograd_avx512, winograd_bf16, winograd_bf16 };
static const char *const names[] = { NULL, "winograd:avx2", "winograd:avx512", "winograd:avx512_bf16", "winograd:avx512_bf16" };

static int run(const gv_call *c)
{
    struct job j = describe(c->self, c);
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.x = c->x[0];
    j.dy = c->x[1];
    j.dw = c->y[0];
    j.s = (float *)scratch;
    j.v = (uint32_t *)(scratch + s_bytes(&j));
    j.z = (uint32_t *)((char *)j.v + v_bytes(&j));
    run_by[dn_best_set(c->in[0].dtype)](&j);
    return GV_OK;
}

static bool serves(const gv_call *c)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    int64_t step = x->dtype == GV_BF16 ? 32 : 16;
    if (w->dims != 2 || w->groups != 1 || dy->dtype != x->dtype || c->out[0].dtype != GV_F32T || x->shape[3] % step || dy->shape[3] % step || !x->count || !dy->count)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1)
            return false;
    return true;
}

int dn_winograd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    dn_set s = dn_best_set(c->in[0].dtype);
    if (!run_by[s] || !serves(c))
        return GV_UNSUPPORTED;
    struct job j = describe(ctx, c);
    int r = dn_own(ctx, k, run, 64 + s_bytes(&j) + v_bytes(&j) + z_bytes(&j));
    k->name = names[s];
    k->in_place[0] = 0;
    return r;
}
#else
int dn_winograd_wgrad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED) { return GV_UNSUPPORTED; }
#endif
