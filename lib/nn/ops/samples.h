/* A norm that takes every sample by itself is the norm of a batch of one, as often as there are samples: the part of a call that is one. */
#ifndef GV_NN_OPS_SAMPLES_H
#define GV_NN_OPS_SAMPLES_H

#include "nn/backend.h"

static inline void *gv_sample_part(gv_desc *d, void *p, int64_t k, int64_t samples, int64_t channels)
{
    if (d->ndim < 0 || d->count <= channels) /* weight and bias hold for all */
        return p;
    d->count /= samples;
    return p ? (char *)p + (size_t)(k * d->count) * gv_dtype_of(d->dtype)->size : NULL;
}

/* Sample k: its part of each tensor, statistics [N*C] too. A kernel that looks at counts and at the last axis alone may run it. */
static inline gv_call gv_sample_call(const gv_call *c, int64_t k)
{
    gv_call o = *c;
    int64_t n = c->in[0].shape[0], channels = c->in[0].shape[c->in[0].ndim - 1];
    for (int i = 0; i < c->nin; i++)
        o.x[i] = gv_sample_part(&o.in[i], c->x[i], k, n, channels);
    for (int i = 0; i < c->nout; i++)
        o.y[i] = gv_sample_part(&o.out[i], c->y[i], k, n, channels);
    return o;
}

/* run(call, whether it comes behind another) for the whole batch, or for each sample in turn. */
static inline int gv_samples(const gv_call *c, bool each, int (*run)(const gv_call *c, bool further))
{
    if (!each)
        return run(c, false);
    int r = GV_OK;
    for (int64_t k = 0; k < c->in[0].shape[0] && r == GV_OK; k++) {
        gv_call o = gv_sample_call(c, k);
        r = run(&o, k > 0);
    }
    return r;
}

#endif
