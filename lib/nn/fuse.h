/*
 * For rewrites that look for patterns: who makes a value, who reads it.
 *
 *   gv_uses u;
 *   r = gv_fuse_uses(&u, g, err);                           // of the nodes in the list of execution, as they are now
 *   gv_node *n = gv_fuse_maker(&u, v);                      // NULL for inputs and stored tensors
 *   gv_node *sole = gv_fuse_only(&u, v);                    // its reader, if that is all that wants v
 *
 * u.count[v] counts nodes that read v (twice where one reads it twice) and outputs. It is not kept up to date while nodes change.
 */
#ifndef GV_NN_FUSE_H
#define GV_NN_FUSE_H

#include "nn/rewrite.h"

typedef struct gv_uses {
    gv_graph *g;
    int values;
    int *count;
    int *first, *next, *reader; /* edges: the readers of a value in order */
} gv_uses;

int gv_fuse_uses(gv_uses *u, gv_graph *g, gv_err *err) GV_MUST_USE;
gv_node *gv_fuse_maker(const gv_uses *u, gv_val v);
/* The k-th reader of v that is an `op`, or NULL. */
gv_node *gv_fuse_reader(const gv_uses *u, gv_val v, gv_op_id op, int k);
gv_node *gv_fuse_only(const gv_uses *u, gv_val v);

/* Passes, for the table in rewrite.c. */
int gv_fuse_attention(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;
int gv_fuse_norm(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;
int gv_fuse_grads(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;

#endif
