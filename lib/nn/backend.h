/*
 * A backend is one versioned table of functions: it compiles a node into a kernel, and the plan runs kernels in order.
 * `reference` is plain C (ops/), the oracle of the tests; `onednn` is the default; others are found by dlopen.
 *
 * A backend's compile answers GV_OK with a kernel, or GV_UNSUPPORTED: then the plain kernel of the op runs. Rewrites that need a kernel of a backend ask `supports` first.
 */
#ifndef GV_NN_BACKEND_H
#define GV_NN_BACKEND_H

#include "nn/graph.h"

enum { GV_BACKEND_VERSION = 4, GV_UNSUPPORTED = 1, GV_NO_CANDIDATE = 2, GV_ANY_INPUT = (1 << GV_MAX_IN) - 1 };

/* One tensor as a kernel sees it: dense, row-major in the logical (channels-last) shape. */
typedef struct gv_desc {
    gv_dtype dtype;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    int64_t count;
    bool constant; /* a stored tensor that does not change while the plan lives */
} gv_desc;

typedef struct gv_run { /* what changes from run to run */
    uint64_t seed, step;
    int threads;
} gv_run;

typedef struct gv_call { /* a node about to be executed; pointers may differ between runs (feeds; plans of one store share memory) */
    const gv_node *node;
    const void *attr;
    int nin, nout;
    gv_desc in[GV_MAX_IN], out[GV_MAX_OUT]; /* an absent optional input has ndim -1 */
    void *x[GV_MAX_IN], *y[GV_MAX_OUT];
    unsigned unread;     /* bit k: nobody reads output k, which may be left as it is; known when it runs */
    void *scratch;        /* scratch_bytes of the kernel, shared by all nodes of the plan */
    const gv_run *run;
    void *self;           /* the kernel's own */
} gv_call;

typedef struct gv_kernel {
    const char *name;                        /* "jit:avx512_core_bf16", "plain", …: shown by --profile and kept in plan.json */
    int (*run)(const gv_call *c);            /* GV_OK or a negative code */
    void (*release)(void *self);
    void *self;
    size_t scratch_bytes;
    uint8_t in_place[GV_MAX_OUT];            /* out[i] may stand in the place of in[k], if of its shape and type, where bit k is set */
} gv_kernel;

typedef struct gv_backend {
    uint32_t version;
    const char *name;
    const char *summary;
    int (*open)(void **ctx, int threads, gv_err *err);
    void (*close)(void *ctx);
    /* c has node, attr, in, out filled (no pointers). */
    int (*compile)(void *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
    /* The n-th kernel, from 0, of the ops that have a choice, whatever the rules of compile say: GV_OK; GV_UNSUPPORTED: it does not serve this call;
     * GV_NO_CANDIDATE: there are no more. NULL: there is never a choice. Kernels that serve one call differ by their names. */
    int (*candidate)(void *ctx, const gv_call *c, int n, gv_kernel *k, gv_err *err);
    void (*machine)(char *text, size_t size); /* library, version, instruction set: where measured choices hold; NULL: nowhere */
    bool (*has_bf16)(void); /* the processor multiplies bf16 */
    /* Bytes of intermediates at which inference is best parted: they stay in the last cache, but the weights are read anew for each piece. NULL: it is not. */
    int64_t (*piece_bytes)(void);
} gv_backend;

/* The registry: built from backends.def ("reference", "onednn"). NULL: no such backend. */
const gv_backend *gv_backend_find(const char *name);

#endif
