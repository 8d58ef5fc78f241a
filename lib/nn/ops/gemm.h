/* The matrix product of the plain kernels: rows of C from an A of any strides and a B packed as [K,N]. Included by types.h through the
 * files of matmul and matmul_wgrad, which define GEMM(name), the element GEMM_OUT and how it is written, GEMM_ST(v). */
typedef struct F(GEMM(args)) {
    int64_t M, N, K, batches;
    int64_t am, ak, ab;        /* steps of A: row, column, batch, in elements */
    int64_t bb;                /* step of B per batch; 0: one B for all */
    const T *a;
    const A *b;                /* [K,N] */
    GEMM_OUT *c;
    const S *bias;             /* [N] or NULL */
    A alpha;
} F(GEMM(args));

typedef A F(GEMM(vec)) GV_VECTOR(64);
enum { F(GEMM(MR)) = 4, F(GEMM(NR)) = 128 / sizeof(A) }; /* two vectors wide */

GV_HOT static void F(GEMM(body))(void *p, int64_t begin, int64_t end)
{
    const F(GEMM(args)) *o = p;
    int64_t blocks = (o->M + F(GEMM(MR)) - 1) / F(GEMM(MR)), N = o->N;
    for (int64_t at = begin; at < end; at++) {
        int64_t batch = at / blocks, m0 = at % blocks * F(GEMM(MR)), mr = gv_min64(F(GEMM(MR)), o->M - m0);
        const T *a = o->a + batch * o->ab + m0 * o->am;
        GEMM_OUT *c = o->c + (batch * o->M + m0) * N;
        for (int64_t n0 = 0; n0 < N; n0 += F(GEMM(NR))) {
            int64_t nr = gv_min64(F(GEMM(NR)), N - n0);
            A acc[F(GEMM(MR))][F(GEMM(NR))] = { { 0 } };
            const A *b = o->b + batch * o->bb + n0;
            if (mr == F(GEMM(MR)) && nr == F(GEMM(NR))) {
                F(GEMM(vec)) s[F(GEMM(MR))][2] = { { { 0 } } }, v0, v1;
                for (int64_t k = 0; k < o->K; k++, b += N) {
                    memcpy(&v0, b, sizeof v0);
                    memcpy(&v1, b + F(GEMM(NR)) / 2, sizeof v1);
                    for (int i = 0; i < F(GEMM(MR)); i++) {
                        A v = LD(a[i * o->am + k * o->ak]);
                        s[i][0] += v * v0;
                        s[i][1] += v * v1;
                    }
                }
                memcpy(acc, s, sizeof acc);
            } else {
                for (int64_t k = 0; k < o->K; k++, b += N)
                    for (int64_t i = 0; i < mr; i++) {
                        A v = LD(a[i * o->am + k * o->ak]);
                        for (int64_t j = 0; j < nr; j++)
                            acc[i][j] += v * b[j];
                    }
            }
            for (int64_t i = 0; i < mr; i++)
                for (int64_t j = 0; j < nr; j++) {
                    A v = acc[i][j] * o->alpha;
                    c[i * N + n0 + j] = GEMM_ST(o->bias ? v + o->bias[n0 + j] : v);
                }
        }
    }
}

static void F(GEMM(run))(const F(GEMM(args)) *o)
{
    int64_t blocks = (o->M + F(GEMM(MR)) - 1) / F(GEMM(MR));
    gv_parallel(o->batches * blocks, gv_row_grain(F(GEMM(MR)) * o->N * (o->K / 8 + 1)), F(GEMM(body)), (void *)(uintptr_t)o);
}
