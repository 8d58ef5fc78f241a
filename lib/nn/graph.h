/*
 * Inside the graph: nodes, values and the table of ops. For ops/, backends and rewrites; models see nn.h alone.
 *
 * An op is one file and one line in ops/ops.def; its struct says shapes, gradient and plain kernels:
 *
 *   const gv_op gv_op_softmax = { .name = "softmax", .gradient = gradient, .plain_f32 = …, .plain_f64 = … };
 *
 * The builder (gv_softmax) checks shapes, then calls gv_node_new and returns its value.
 */
#ifndef GV_NN_GRAPH_H
#define GV_NN_GRAPH_H

#include "nn/nn.h"

typedef enum gv_op_id {
#define GV_OP(n) GV_OP_##n,
#include "nn/ops/ops.def"
#undef GV_OP
    GV_OPS,
} gv_op_id;

struct gv_call;

typedef struct gv_node {
    gv_op_id op;
    const void *attr;      /* of the op's own struct, in the graph's arena */
    int nin, nout;
    gv_val in[GV_MAX_IN];  /* GV_NO_VAL: an optional input that is absent */
    gv_val out[GV_MAX_OUT];
    const char *path;      /* module path */
    bool in_place;         /* changes in[0], a tensor of the store; has no output and runs once */
    bool dead;             /* removed by a rewrite */
} gv_node;

typedef enum gv_value_kind { GV_VALUE_INPUT, GV_VALUE_PARAM, GV_VALUE_BUFFER, GV_VALUE_NODE } gv_value_kind;

typedef struct gv_value {
    gv_value_kind kind;
    gv_class cls;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    int node, slot;        /* who makes it (GV_VALUE_NODE) */
    const char *name;      /* inputs, params, buffers: the key */
    bool detached;
} gv_value;

typedef struct gv_op {
    const char *name;
    size_t attr_size;
    unsigned flags;
    /* Gradient in ops: dy[i] is the gradient of output i or GV_NO_VAL; want[i] tells whether input i needs one. Fill dx[i] (GV_NO_VAL
     * where there is none). NULL: no gradient flows. */
    void (*gradient)(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx);
    /* What each input is turned into before the kernel sees it: 'r' REAL, 's' STAT, 'o' the class of output 0, 'a' as it is. The last
     * letter holds for all further inputs. */
    const char *wants;
    /* The plain kernels, from one text (ops/types.h): chosen by the REAL type. GV_OP_ANY_TYPE: plain_f32 serves all. */
    int (*plain_f32)(const struct gv_call *c);
    int (*plain_f64)(const struct gv_call *c);
    int (*plain_bf16)(const struct gv_call *c);
    size_t (*scratch)(const struct gv_call *c); /* bytes the plain kernel wants; NULL: none */
} gv_op;

enum {
    GV_OP_ELEMENTWISE = 1, /* output element i depends on element i (after broadcasting): may run in the place of an input that dies */
    GV_OP_VIEW = 2,        /* reshape: no bytes move */
    GV_OP_STATE = 4,       /* changes its first input in place */
    GV_OP_ANY_TYPE = 8,    /* the plain kernel looks at the types itself (cast, normalize, one_hot, …): one for all */
};

const gv_op *gv_op_of(gv_op_id id);

/* Add a node; outputs are made with gv_node_out in order. attr is copied. Returns the node's index, or -1 when the graph has failed. */
int gv_node_new(gv_graph *g, gv_op_id op, const void *attr, const gv_val *in, int nin);
gv_val gv_node_out(gv_graph *g, int node, gv_class cls, const int64_t *shape, int ndim);

int gv_node_count(const gv_graph *g);
gv_node *gv_node_at(gv_graph *g, int i);
int gv_value_count(const gv_graph *g);
gv_value *gv_value_at(gv_graph *g, gv_val v);
gv_arena *gv_graph_arena(gv_graph *g);

#endif
