/*
 * A batch that is left out leaves nothing behind: the buffers a forward pass has changed (running statistics of batch norm) are put
 * back. Weights need none of this, because they change at steps alone.
 *
 *   gv_undo u = { 0 };  gv_undo_open(&u, graph, store, &err);
 *   gv_undo_keep(&u);   … run a batch …   if (bad) gv_undo_back(&u);
 */
#ifndef GV_SESSION_UNDO_H
#define GV_SESSION_UNDO_H

#include "nn/nn.h"

typedef struct gv_undo {
    gv_stored **buffer;
    char *copy;
    int n;
} gv_undo;

/* The graph's buffers must be in the store. */
int gv_undo_open(gv_undo *u, const gv_graph *g, gv_store *s, gv_err *err) GV_MUST_USE;
void gv_undo_close(gv_undo *u);
void gv_undo_keep(gv_undo *u);
void gv_undo_back(gv_undo *u);

#endif
