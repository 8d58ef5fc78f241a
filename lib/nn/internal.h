/* Inside lib/nn: the graph's own memory. Ops and backends see graph.h. */
#ifndef GV_NN_INTERNAL_H
#define GV_NN_INTERNAL_H

#include "nn/graph.h"

enum { GV_PATH_MAX = 512, GV_PATH_DEPTH = 64 };

typedef struct gv_named { const char *name; gv_val value; } gv_named;

/* What a method of fine-tuning does to sequences of tokens: enter answers what block number `block` (of those that ask) reads. */
typedef struct gv_token_method {
    gv_val (*enter)(void *state, gv_graph *g, gv_val x, int block, int front);
    void *state;
} gv_token_method;

struct gv_graph {
    gv_arena *arena;
    gv_phase phase;
    gv_err err;
    gv_node **node;       /* pointers stay good while the lists grow */
    int nnode, node_cap;
    gv_value **value;
    int nvalue, value_cap;
    int *order;           /* nodes in the order of execution; passes put theirs in between */
    int norder, order_cap;
    gv_named *output;
    int noutput, output_cap;
    gv_param_info **param;
    int nparam, param_cap;
    gv_named *mark;       /* name: path, value: index of the label */
    const char **label;
    int nmark, mark_cap, label_cap;
    gv_val *grad;         /* by value, after gv_differentiate; grown lazily */
    int ngrad;
    gv_token_method tokens; /* what happens to sequences of tokens */
    int64_t tokens_added;
    int tokens_front, sequences; /* blocks that asked so far */
    int backward_begin, backward_end; /* nodes that gv_differentiate made; 0, 0 before it */
    char path[GV_PATH_MAX];
    size_t path_len, level[GV_PATH_DEPTH];
    int depth;
    const char *path_copy; /* the current path in the arena, made when a node wants it */
};

/* Room for one more element in a list that lives in the graph's arena. False: the graph has failed. */
bool gv_graph_grow(gv_graph *g, void *list, int n, int *cap, size_t size);
gv_val gv_graph_value(gv_graph *g, gv_value_kind kind, const char *full_name, gv_class cls, const int64_t *shape, int ndim);
/* Let every user of `from` use `to`: nodes, outputs, gradients. */
void gv_graph_replace(gv_graph *g, gv_val from, gv_val to);
/* Nodes made between save and restore carry this path. */
void gv_graph_set_path(gv_graph *g, const char *path);

/* The number type of a class. */
gv_dtype gv_dtype_for(gv_precision p, gv_class c);

/* Memory that all plans of a store share, since one runs at a time: at least `bytes`, 64-byte aligned. It may move when a later plan wants more:
 * *generation changes then. */
int gv_store_workspace(gv_store *s, size_t bytes, gv_err *err) GV_MUST_USE;
char *gv_store_workspace_at(const gv_store *s, unsigned *generation);

/* Fill a tensor from its init text. */
int gv_init_fill(const char *name, const char *init, uint64_t seed, gv_stored *t, gv_err *err) GV_MUST_USE;

#endif
