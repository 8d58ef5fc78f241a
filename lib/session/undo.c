/* undo: a copy of a graph's buffers. */
#include "session/undo.h"

int gv_undo_open(gv_undo *u, const gv_graph *g, gv_store *s, gv_err *err)
{
    size_t bytes = 0;
    int all = gv_param_count(g);
    u->buffer = gv_alloc((size_t)(all + 1) * sizeof *u->buffer, err);
    for (int i = 0; u->buffer && i < all; i++) {
        gv_stored *b = gv_param_at(g, i)->buffer ? gv_store_find(s, gv_param_at(g, i)->name) : NULL;
        if (!b)
            continue;
        u->buffer[u->n++] = b;
        bytes += b->bytes;
    }
    u->copy = u->buffer ? gv_alloc(bytes + 1, err) : NULL;
    return u->copy ? GV_OK : GV_ESYS;
}

void gv_undo_close(gv_undo *u)
{
    gv_free(u->buffer);
    gv_free(u->copy);
    *u = (gv_undo){ 0 };
}

void gv_undo_keep(gv_undo *u)
{
    char *to = u->copy;
    for (int i = 0; i < u->n; to += u->buffer[i++]->bytes)
        memcpy(to, u->buffer[i]->data, u->buffer[i]->bytes);
}

void gv_undo_back(gv_undo *u)
{
    const char *from = u->copy;
    for (int i = 0; i < u->n; from += u->buffer[i++]->bytes)
        memcpy(u->buffer[i]->data, from, u->buffer[i]->bytes);
}
