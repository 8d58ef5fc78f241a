/*
 * Heads: what stands on the features. One file and one line in heads.def.
 *
 *   gv_val y = gv_head_build(g, gv_head_find("classification"), v, m.classifier, &(gv_head_options){ .out_dim = 10 });
 *   gv_val y = gv_head_build_on(g, gv_head_find("clam"), &(gv_head_in){ .x = bags, .mask = mask, .target = y }, "head", &options.head);
 *
 * A head says what it takes: the pooled vector, a bag of instances with its mask, or the stages that the encoder names. It gives the logits,
 * and beside them what it names by gv_output: "attention" [N,branches,L] (scores over the instances of a bag), "aux_loss" (STAT [1],
 * weighted: added to the loss of the logits where in->aux says so).
 *
 * A linear head's parameters carry the encoder's own classifier name (fc.weight, head.weight), so that a checkpoint has
 * the published keys; an encoder without one, and heads that are more than linear, use "head". They are marked "classifier": every
 * PEFT method trains them.
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

typedef enum gv_head_takes { GV_HEAD_VECTOR, GV_HEAD_BAG, GV_HEAD_MAPS } gv_head_takes;

typedef struct gv_head_in {
    gv_val x;                    /* VECTOR: pooled features [N,D]; BAG: instances [N,L,D]; MAPS: the encoder's last value */
    gv_val mask;                 /* BAG: REAL [N,L], 1 for an instance and 0 behind the last one; GV_NO_VAL: all are instances */
    const gv_features *features; /* MAPS: the encoder's, with the stages it names */
    gv_val target;               /* class indices I64 [N], for losses of the head's own; GV_NO_VAL: none, or they are no classes */
    int64_t frames;              /* MAPS: of a clip; 0: samples are no clips */
    bool one_class;              /* exactly one class is right: no labels, no numbers */
    bool aux;                    /* build those losses: in training, while samples are not mixed */
    int axes;                    /* the encoder's published classifier is a convolution over that many axes: its weight has as many 1 behind */
} gv_head_in;

typedef struct gv_head {
    const gv_variant *variant; /* gv_head_variant_<name>: its choice in the config, with fields of gv_head_options */
    gv_head_takes takes;
    bool framewise;            /* gives a row for each frame of each clip [N F,out], not for each sample */
    bool own_name;             /* its parameters are below "head." whatever the encoder's classifier is called */
    gv_val (*build)(gv_graph *g, const gv_head_in *in, const gv_head_options *o); /* -> [N,out]; o of variant->params_size bytes */
    double (*loss_weight)(const gv_head_options *o);     /* of the loss of the logits beside aux_loss; NULL: 1 */
    const char *(*loss)(const gv_head_options *o);       /* its unit, for classes; NULL (or answers NULL): that of the task */
} gv_head;

#define GV_HEAD(n) extern const gv_variant gv_head_variant_##n; extern const gv_head gv_head_##n;
#include "nn/heads/heads.def"
#undef GV_HEAD

/* Dropout, then a linear layer to o->out_dim: weight [out,D] (with in->axes ones behind), bias [out], below the current path. */
gv_val gv_head_linear(gv_graph *g, const gv_head_in *in, const gv_head_options *o);

const gv_head *gv_head_find(const char *name); /* NULL when there is none */
/* classifier: the name its parameters get; NULL or "": "head". */
gv_val gv_head_build_on(gv_graph *g, const gv_head *head, const gv_head_in *in, const char *classifier, const gv_head_options *o);
/* The same on a pooled vector [N,D], without losses of its own. */
gv_val gv_head_build(gv_graph *g, const gv_head *head, gv_val x, const char *classifier, const gv_head_options *o);

#endif
