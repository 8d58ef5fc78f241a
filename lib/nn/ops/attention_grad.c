/* attention_grad: qkv [N,L,3D], lse [N,H,L], dy [N,L,D] -> dqkv [N,L,3D]. With p = e^(scale q k' - lse):
 *   dv = p' dy;  dp = dy v';  ds = p (dp - sum(p dp)) scale;  dq = ds k;  dk = ds' q
 * The builder stands in attention.c. Source: Dao et al. 2022, arXiv:2205.14135, algorithm 4. */
#ifndef T
#include "nn/ops/math.h"
#include "nn/ops/op.h"

/* For each head of each sample a row of p, one of dp, and dq, dk, dv. */
static size_t scratch(const gv_call *c)
{
    return ((size_t)c->in[1].count * 2 + (size_t)c->in[0].count) * (c->in[0].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/attention_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_attention_grad = {
    .name = "attention_grad", .attr_size = sizeof(gv_attention_attr), .wants = "oso", GV_PLAIN(attention_grad_run), .scratch = scratch,
};
#else
GV_HOT static void F(attention_grad_heads)(void *arg, int64_t begin, int64_t end)
{
    const gv_call *c = arg;
    const gv_attention_attr *o = c->attr;
    int64_t L = c->in[0].shape[1], D = c->in[0].shape[2] / 3, H = o->heads, d = D / H, per = 2 * L + 3 * L * d;
    A scale = (A)o->scale;
    for (int64_t at = begin; at < end; at++) {
        const T *q = (const T *)c->x[0] + at / H * L * 3 * D + at % H * d, *k = q + D, *v = k + D;
        const T *dy = (const T *)c->x[2] + at / H * L * D + at % H * d;
        const S *lse = (const S *)c->x[1] + at * L;
        T *to = (T *)c->y[0] + at / H * L * 3 * D + at % H * d;
        A *p = (A *)c->scratch + at * per, *dp = p + L, *dq = dp + L, *dk = dq + L * d, *dv = dk + L * d;
        memset(dq, 0, (size_t)(3 * L * d) * sizeof(A));
        for (int64_t i = 0; i < L; i++) {
            A sum = 0;
            for (int64_t j = 0; j < L; j++) {
                A s = 0, t = 0;
                for (int64_t e = 0; e < d; e++) {
                    s += LD(q[i * 3 * D + e]) * LD(k[j * 3 * D + e]);
                    t += LD(dy[i * D + e]) * LD(v[j * 3 * D + e]);
                }
                p[j] = gv_exp_of(s * scale - (A)lse[i]);
                dp[j] = t;
                sum += p[j] * t;
            }
            for (int64_t j = 0; j < L; j++) {
                A ds = p[j] * (dp[j] - sum) * scale;
                for (int64_t e = 0; e < d; e++) {
                    dq[i * d + e] += ds * LD(k[j * 3 * D + e]);
                    dk[j * d + e] += ds * LD(q[i * 3 * D + e]);
                    dv[j * d + e] += p[j] * LD(dy[i * D + e]);
                }
            }
        }
        for (int64_t part = 0; part < 3; part++)
            for (int64_t i = 0; i < L; i++)
                for (int64_t e = 0; e < d; e++)
                    to[i * 3 * D + part * D + e] = ST(dq[(part * L + i) * d + e]);
    }
}

static int F(attention_grad_run)(const gv_call *c)
{
    return gv_over(c, c->in[0].shape[0] * ((const gv_attention_attr *)c->attr)->heads, 1, F(attention_grad_heads));
}
#endif
