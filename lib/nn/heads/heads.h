/*
 * Heads: what stands on the pooled features. One file and one line in heads.def.
 *
 *   gv_val y = gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = 10 });
 *
 * A linear head's parameters carry the encoder's own classifier name (fc.weight, head.weight), so that a checkpoint has
 * the published keys; an encoder without one uses "head". They are marked "classifier": every PEFT method trains them.
 */
#ifndef GV_NN_HEADS_HEADS_H
#define GV_NN_HEADS_HEADS_H

#include "common/variant.h"
#include "nn/nn.h"

/* Common to all heads. A head with options of its own has a struct that begins with these two members. */
typedef struct gv_head_options {
    int64_t out_dim; /* classes, or values to predict */
    double dropout;  /* chance, before the linear layer */
} gv_head_options;

typedef struct gv_head {
    const gv_variant *variant; /* gv_head_variant_<name>: its choice in the config, with fields of gv_head_options */
    gv_val (*build)(gv_graph *g, gv_val x, const gv_head_options *o); /* x [N,D] -> [N,out]; o of variant->params_size bytes */
} gv_head;

#define GV_HEAD(n) extern const gv_variant gv_head_variant_##n; extern const gv_head gv_head_##n;
#include "nn/heads/heads.def"
#undef GV_HEAD

const gv_head *gv_head_find(const char *name); /* NULL when there is none */
/* classifier: the name its parameters get; NULL or "": "head". */
gv_val gv_head_build(gv_graph *g, const gv_head *head, gv_val x, const char *classifier, const gv_head_options *o);

#endif
