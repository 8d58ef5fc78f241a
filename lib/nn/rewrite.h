/*
 * Rewrites: passes over a finished graph, run in the order of the table in rewrite.c before memory and kernels are chosen. A pass changes
 * nodes in place, replaces values, or makes the list of execution anew:
 *
 *   int n = r->g->norder, *old = gv_order_take(r, err);          // the list is empty now
 *   for (int i = 0; i < n; i++)
 *       … gv_node_new / builders append new nodes here …  gv_order_push(r->g, old[i]);
 *
 * Fusion, layouts and recompute are further rows of the table; a pass that needs a kernel of the backend asks gv_rewrite_supported.
 */
#ifndef GV_NN_REWRITE_H
#define GV_NN_REWRITE_H

#include "nn/backend.h"
#include "nn/internal.h"

typedef struct gv_rewrite_ctx {
    gv_graph *g;
    gv_store *store;
    const gv_plan_options *o;
    const gv_backend *backend;
    void *backend_ctx;
} gv_rewrite_ctx;

typedef struct gv_rewrite {
    const char *name;
    int (*apply)(gv_rewrite_ctx *r, gv_err *err);
    bool fusion; /* left out of unfused plans */
} gv_rewrite;

/* All passes. */
int gv_rewrite_all(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;

/* The list of execution, which is empty afterwards; NULL when memory is out. */
int *gv_order_take(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;
void gv_order_push(gv_graph *g, int node);

/* What a kernel sees of a node: shapes, types, attributes; no pointers. */
void gv_call_describe(gv_call *c, gv_graph *g, const gv_node *n, const gv_plan_options *o);
/* The backend has a kernel for this node as it stands. */
bool gv_rewrite_supported(gv_rewrite_ctx *r, const gv_node *n);

#endif
