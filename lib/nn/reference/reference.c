/* reference: the plain kernels of ops/ and nothing else; the oracle of the tests, and the backend of double precision. */
#include "nn/backend.h"

static int open(void **ctx, int threads, gv_err *err)
{
    (void)threads;
    (void)err;
    *ctx = NULL;
    return GV_OK;
}

static void close(void *ctx)
{
    (void)ctx;
}

static int compile(void *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    (void)ctx;
    (void)c;
    (void)k;
    (void)err;
    return GV_UNSUPPORTED;
}

static bool has_bf16(void)
{
    return true; /* computed in float: slow and right everywhere */
}

const gv_backend gv_backend_reference = {
    .version = GV_BACKEND_VERSION, .name = "reference", .summary = "plain C, float, double and bf16",
    .open = open, .close = close, .compile = compile, .has_bf16 = has_bf16,
};
