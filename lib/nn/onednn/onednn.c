/* The backend's table, its engine and its threads. */
#include "nn/onednn/onednn.h"
#include "common/log.h"
#include "common/threads.h"
#include "nn/onednn/candidates.h"
#include "nn/onednn/internal.h"
#include "nn/onednn/kernels.h"
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* What we call of the OpenMP library that oneDNN brings (libgomp, or libiomp5, which has the same names). It is looked up at run
 * time, so that nothing of ours is compiled with -fopenmp and a oneDNN without OpenMP works too. */
static struct {
    void (*parallel)(void (*fn)(void *), void *arg, unsigned threads, unsigned flags);
    int (*me)(void);
    int (*team)(void);
    void (*set)(int);
} omp;

struct job {
    int n;
    void (*fn)(void *arg, int i);
    void *arg;
};

static void member(void *p)
{
    const struct job *j = p;
    for (int i = omp.me(), step = omp.team(); i < j->n; i += step)
        j->fn(j->arg, i);
}

static void on_openmp(int n, void (*fn)(void *arg, int i), void *arg)
{
    struct job j = { n, fn, arg };
    omp.parallel(member, &j, (unsigned)n, 0);
}

static void find_openmp(void)
{
    *(void **)&omp.parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    *(void **)&omp.me = dlsym(RTLD_DEFAULT, "omp_get_thread_num");
    *(void **)&omp.team = dlsym(RTLD_DEFAULT, "omp_get_num_threads");
    *(void **)&omp.set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
}

static void shut(void *p)
{
    gv_onednn *ctx = p;
    if (!ctx)
        return;
    if (ctx->stream)
        dnnl_stream_destroy(ctx->stream);
    if (ctx->engine)
        dnnl_engine_destroy(ctx->engine);
    gv_free(ctx);
}

/* The system gives tiles to processes that ask for them: oneDNN does so when it looks for AMX, and whoever comes first asks for all. */
static void ask_for_tiles(void)
{
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    if (gv_onednn_has_amx())
        (void)syscall(SYS_arch_prctl, REQUEST, TILE_DATA);
#endif
}

static int start(void **out, int threads, gv_err *err)
{
    gv_onednn *ctx = gv_alloc(sizeof *ctx, err);
    if (!ctx)
        return GV_ESYS;
    if (!getenv("GOMP_SPINCOUNT") && !getenv("OMP_WAIT_POLICY"))
        gv_log(GV_DEBUG, "OpenMP's threads spin as long as they like: GOMP_SPINCOUNT=%d could not be set", gv_onednn_spins);
    ask_for_tiles();
    ctx->threads = threads > 0 ? threads : gv_threads_available();
    find_openmp();
    ctx->set_threads = omp.set;
    if (omp.set)
        omp.set(ctx->threads);
    if (omp.parallel && omp.me && omp.team)
        gv_threads_lend(on_openmp);
    if (dnnl_engine_create(&ctx->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&ctx->stream, ctx->engine, dnnl_stream_default_flags) != dnnl_success) {
        shut(ctx);
        return gv_fail(err, GV_ESYS, "oneDNN finds no CPU engine");
    }
    *out = ctx;
    return GV_OK;
}

static gv_onednn_compile *const compilers[GV_OPS] = {
#define GV_OP(n) [GV_OP_##n] = gv_onednn_##n,
#include "nn/ops/ops.def"
#undef GV_OP
};

static int compile(void *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return compilers[c->node->op](ctx, c, k, err);
}

bool gv_onednn_has_amx(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
#else
    return false;
#endif
}

static void machine(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d isa %x", v->major, v->minor, v->patch, (unsigned)dnnl_get_effective_cpu_isa());
}

/* Without avx512_bf16 or AMX oneDNN still takes bf16, but slower than f32. */
static bool has_bf16(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512bw")) /* also says that the system saves the registers */
        return false;
    bool avx512_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
    return avx512_bf16 || gv_onednn_has_amx();
#else
    return false;
#endif
}

/* Where tiles multiply, reading the weights takes longer than the products of few rows, and intermediates may go to memory: ResNet-50 and ViT-B are an
 * eighth faster so; elsewhere they are an eighth faster in the smaller pieces (tests/bench/LOG.md). */
static int64_t piece_bytes(void)
{
    return gv_onednn_has_amx() ? 128 << 20 : 20 << 20;
}

const gv_backend gv_backend_onednn = {
    .version = GV_BACKEND_VERSION,
    .name = "onednn",
    .summary = "oneDNN and own kernels, on the CPU",
    .open = start,
    .close = shut,
    .compile = compile,
    .candidate = dn_candidate_at,
    .machine = machine,
    .has_bf16 = has_bf16,
    .piece_bytes = piece_bytes,
};
