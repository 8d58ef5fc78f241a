/*
 * attention and attention_grad: qkv [N,L,3D] -> y [N,L,D], lse [N,H,L]; qkv, lse, dy -> dqkv.
 *
 * One head of one sample at a time, in one thread: its scores stay in the second cache, a block of rows after the other, and nothing of the size
 * L x L goes to memory. q, k, v, dy are read where they lie and y, dq, dk, dv are written where they belong, so no heads are copied apart.
 * The products are our own small ones (products.h): a library's call for each would cost about as much as the product. For tiles everything is laid
 * out with zeros to whole steps, and the backward pass is a text of its own (attention_columns.h).
 *
 * Source: Dao et al. 2022, arXiv:2205.14135, algorithms 1 and 4, with whole rows of scores instead of tiles.
 */
#include "nn/onednn/amx.h"
#include "nn/ops/attr.h"
#include <math.h>

#if defined(__x86_64__)

enum { BLOCK_BYTES = 256 << 10, BLOCK_MOST = 96, BLOCK_LEAST = 12, BLOCK_TILES = 32 }; /* rows whose scores are held at once */
enum { KEPT_BYTES = 1 << 20 }; /* p and ds between them, for tiles */

/* The sizes of a head, its scratch, and where things lie. Numbers of floats or units, which have the same size. */
typedef struct head_plan {
    int64_t N, L, D, H, d;
    int64_t wide, vl;  /* L and d in whole vectors of 16 */
    int64_t ld;        /* from row to row of scores: wide; for tiles L in whole steps of 32 */
    int64_t block;     /* rows of scores at once, even; for tiles 32 */
    int64_t kept;      /* rows whose p and ds are kept, for tiles, in whole steps of 32 */
    int64_t copy;      /* units in a row of a copy, where products want one (tiles), else 0 */
    double scale;
} head_plan;

static head_plan plan_of(const gv_call *c, bool tiles)
{
    const gv_attention_attr *o = c->attr;
    const gv_desc *x = &c->in[0];
    head_plan p = { x->shape[0], x->shape[1], x->shape[2] / 3, o->heads, x->shape[2] / 3 / o->heads, .scale = o->scale };
    p.wide = dn_up(p.L, 16);
    p.ld = dn_up(p.L, tiles ? 32 : 16);
    p.vl = dn_up(p.d, 16);
    int64_t most = dn_max(BLOCK_LEAST, dn_min(BLOCK_MOST, BLOCK_BYTES / (p.wide * 8))), blocks = (p.L + most - 1) / most;
    p.block = dn_up((p.L + blocks - 1) / blocks, BLOCK_LEAST);
    if (tiles) {
        p.block = BLOCK_TILES;
        p.kept = dn_max(32, dn_min(p.ld, KEPT_BYTES / (p.ld * 4) / 32 * 32));
        p.copy = dn_up(p.d, 32) / 2;
    }
    return p;
}

/* k turned, v in rows; a block of scores, one of probabilities, one of results, a number for each row, and a copy of q */
static size_t forward_floats(const head_plan *p)
{
    return (size_t)(dn_up(p->d, 16) * p->ld + p->ld * p->vl + 2 * p->block * p->ld + p->block * p->vl + dn_up(p->block, 16) + p->block * p->copy);
}

/* k and v turned; k, q, dy in rows; two blocks of scores and three of their likes; a block of dq; dk, dv */
static size_t backward_floats(const head_plan *p)
{
    return (size_t)(2 * dn_up(p->d, 16) * p->wide + 3 * p->wide * p->vl + 5 * p->block * p->wide + p->block * p->vl + 2 * p->wide * p->vl);
}

/* for tiles: k, v in rows; q, dy, k turned; q, dy in pairs; 32 columns of scores and dp; a block of dq, turned; dk, dv; p and ds of a block; 32 columns of
 * ds in pairs */
static size_t columns_floats(const head_plan *p)
{
    return (size_t)(5 * p->ld * p->copy + p->ld * p->vl + 64 * p->ld + 64 * p->copy + 2 * p->ld * p->vl + p->ld * p->kept + 16 * p->ld);
}

static int over_heads(const gv_call *c, gv_body *body)
{
    gv_parallel_slots(dn_threads(c), c->in[0].shape[0] * ((const gv_attention_attr *)c->attr)->heads, 1, body, (void *)(uintptr_t)c);
    return GV_OK;
}

#define GV_AVX2
#include "nn/onednn/attention_head.h"
#undef GV_AVX2
#define GV_AVX512
#include "nn/onednn/attention_head.h"
#undef GV_AVX512
#define GV_AVX512_BF16
#include "nn/onednn/attention_head.h"
#undef GV_AVX512_BF16
#if defined(DN_AMX)
#define GV_AMX
#include "nn/onednn/attention_head.h"
#undef GV_AMX
#else
#define forward_amx NULL
#define backward_amx NULL
#endif

static dn_set set_of(gv_dtype t)
{
    dn_set s = dn_best_set(t);
#if !defined(DN_AMX)
    s = s == DN_SET_AMX ? DN_SET_AVX512_BF16 : s;
#endif
    return s;
}

static bool fits(const gv_call *c)
{
    const gv_attention_attr *o = c->attr;
    const gv_desc *x = &c->in[0];
    return x->ndim == 3 && x->count && o->scale > 0 && (x->dtype == GV_F32T || x->shape[2] / 3 / o->heads % 2 == 0);
}

static const char *const names[] = { NULL, "own:avx2", "own:avx512", "own:avx512_bf16", "own:amx" };

int gv_onednn_attention(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    static int (*const run[])(const gv_call *) = { NULL, forward_avx2, forward_avx512, forward_bf16, forward_amx };
    dn_set s = set_of(c->in[0].dtype);
    if (!s || !fits(c) || c->out[0].dtype != c->in[0].dtype || c->out[1].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    head_plan p = plan_of(c, s == DN_SET_AMX);
    int r = dn_own(ctx, k, run[s], (size_t)ctx->threads * dn_round(forward_floats(&p) * sizeof(float)));
    k->name = names[s];
    return r;
}

int gv_onednn_attention_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    static int (*const run[])(const gv_call *) = { NULL, backward_avx2, backward_avx512, backward_bf16, backward_amx };
    dn_set s = set_of(c->in[0].dtype);
    if (!s || !fits(c) || c->in[2].dtype != c->in[0].dtype || c->out[0].dtype != c->in[0].dtype || c->in[1].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    head_plan p = plan_of(c, s == DN_SET_AMX);
    int r = dn_own(ctx, k, run[s], (size_t)ctx->threads * dn_round((s == DN_SET_AMX ? columns_floats(&p) : backward_floats(&p)) * sizeof(float)));
    k->name = names[s]; /* dqkv may stand in qkv's place: a head reads its rows before it writes them */
    return r;
}

#else

int gv_onednn_attention(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

int gv_onednn_attention_grad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
