/* Inside the backend. */
#ifndef GV_NN_ONEDNN_INTERNAL_H
#define GV_NN_ONEDNN_INTERNAL_H

#include "nn/onednn/chain.h"

struct gv_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int threads;
    void (*set_threads)(int); /* omp_set_num_threads of the OpenMP library that oneDNN brought; NULL: built without */
};

/* The processor multiplies bf16 in tiles (Intel AMX). */
bool gv_onednn_has_amx(void);

/* How long OpenMP's threads spin (spin.c). */
extern const int gv_onednn_spins;

#endif
