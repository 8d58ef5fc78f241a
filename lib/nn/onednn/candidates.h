/*
 * Which kernel computes a call: a static table for each op that has a choice, in the order in which the rules try them. Without --tune the
 * first that serves and whose rule takes it; --tune measures all that serve (nn/tune.h).
 *
 * A kernel's name says which one it is: no two of a table that serve the same call have the same.
 */
#ifndef GV_NN_ONEDNN_CANDIDATES_H
#define GV_NN_ONEDNN_CANDIDATES_H

#include "nn/onednn/onednn.h"

typedef struct dn_candidate {
    gv_onednn_compile *make;           /* GV_UNSUPPORTED: it cannot compute this */
    bool (*taken)(const gv_call *c);   /* is it the faster one, as far as is known (tests/bench/LOG.md)? NULL: wherever it serves */
} dn_candidate;

/* Tables end with a row without `make`. */
extern const dn_candidate dn_conv_candidates[], dn_conv_dgrad_candidates[], dn_conv_wgrad_candidates[], dn_matmul_candidates[], dn_matmul_wgrad_candidates[];

int dn_by_rules(const dn_candidate *table, gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
/* gv_backend.candidate */
int dn_candidate_at(void *ctx, const gv_call *c, int n, gv_kernel *k, gv_err *err);

#endif
