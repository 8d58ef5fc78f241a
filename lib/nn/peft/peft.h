/*
 * Ways to fine-tune: which parameters train, and what is added to the graph. One file and one line in peft.def.
 *
 *   const gv_peft *p = gv_peft_find("lora");
 *   r = gv_peft_prepare(p, params, g, &err);                     // before the encoder is built
 *   r = gv_peft_adapt(p, params, g, &err);                       // when the whole graph is built, before it is differentiated
 *   r = gv_differentiate(g, loss, gv_peft_trains, &(gv_peft_choice){ p, params, g }, &err);
 *   r = gv_peft_settle(p, params, g, store, &err);               // when the encoder has its weights, at the start of a training
 *
 * A classifier (the mark "classifier") and what a method adds (the mark "adapter") train under every method. Modules are addressed by
 * path, with peft's rule: a target is a whole path or its end behind a dot. Blocks, norms and sequences of tokens are found by their marks.
 */
#ifndef GV_NN_PEFT_PEFT_H
#define GV_NN_PEFT_PEFT_H

#include "common/variant.h"
#include "nn/graph.h"

/* How the Python library peft keeps an adapter of this method. */
typedef struct gv_peft_files {
    const char *type;                /* "LORA" */
    const char *(*keys)[2];          /* its key, our field; ends with a NULL */
    const char *leaf;                /* ".lora_A.weight": every adapted module has one */
    const char *targets;             /* our field that names modules; NULL: the method has its own */
    const char *part[2];             /* a further list of modules: its key, and how their tensors end; or NULL */
    const char *rest;                /* further lines of adapter_config.json, or "" */
} gv_peft_files;

typedef struct gv_peft {
    const gv_variant *variant; /* gv_peft_variant_<name>: its choice in the config, with its fields */
    bool (*trainable)(const void *params, const gv_graph *g, const gv_param_info *p); /* a parameter of the encoder */
    int (*prepare)(const void *params, gv_graph *g, gv_err *err); /* before the encoder is built; NULL: nothing is to be done */
    int (*adapt)(const void *params, gv_graph *g, gv_err *err); /* adds branches and their parameters; NULL: nothing is added */
    /* First values that follow from other tensors; those that a file gave stay. NULL: there are none. */
    int (*settle)(const void *params, const gv_graph *g, gv_store *s, gv_err *err);
    const gv_peft_files *files; /* NULL: the library has no such method */
} gv_peft;

#define GV_PEFT(n) extern const gv_variant gv_peft_variant_##n; extern const gv_peft gv_peft_##n;
#include "nn/peft/peft.def"
#undef GV_PEFT

typedef struct gv_peft_choice { const gv_peft *method; const void *params; const gv_graph *graph; } gv_peft_choice;

const gv_peft *gv_peft_find(const char *name); /* NULL when there is none */
const gv_peft *gv_peft_of_type(const char *type); /* by the library's name; NULL when there is none */
/* For gv_differentiate; choice is a gv_peft_choice. */
bool gv_peft_trains(const char *name, void *choice);
bool gv_peft_trainable(const gv_peft *method, const void *params, const gv_graph *g, const gv_param_info *p);
/* params: the method's fields. GV_EUSAGE: no module has one of the targets, or the encoder has not what the method works on. */
int gv_peft_prepare(const gv_peft *method, const void *params, gv_graph *g, gv_err *err) GV_MUST_USE;
int gv_peft_adapt(const gv_peft *method, const void *params, gv_graph *g, gv_err *err) GV_MUST_USE;
int gv_peft_settle(const gv_peft *method, const void *params, const gv_graph *g, gv_store *s, gv_err *err) GV_MUST_USE;

/* Does a target address the module of that path? A linear layer with the mark "attention" that ends in qkv has the names of its parts too
 * (q_proj, k_proj, v_proj). */
bool gv_peft_targets(const gv_strs *targets, const char *module, const char *mark);
bool gv_peft_has_mark(const char *mark, const char *label);

/* ---- for methods: modules.c ---- */

/* A linear layer or a convolution of the encoder, y = x w' + b, or a layer norm. */
typedef struct gv_peft_module {
    const char *name, *mark;
    gv_node *node;
    gv_val x, w, b, y;         /* b: GV_NO_VAL where there is none */
    const gv_window *window;   /* of a convolution; NULL: linear */
} gv_peft_module;

typedef struct gv_peft_rewrite {
    const char *field;         /* that names the targets, for messages; NULL: the method has its own, and this is its name: */
    const char *method;
    const gv_strs *targets;
    bool convolutions, norms;  /* can be adapted too */
    /* What all that used y reads instead, with the module's path entered; new nodes run behind the module. */
    gv_val (*change)(const void *params, gv_graph *g, const gv_peft_module *m);
    const void *params;
} gv_peft_rewrite;
/* Change every module that is addressed; the classifier never is. GV_EUSAGE: there is none, with those that could have been named. */
int gv_peft_change(const gv_peft_rewrite *c, gv_graph *g, gv_err *err) GV_MUST_USE;

/* A tensor of the adapter, <path>.<name>; below the path `module` ("" for none): <path>.<module>.<name>. */
gv_val gv_peft_param(gv_graph *g, const char *module, const char *name, const int64_t *shape, int ndim, const char *init);
/* x times the module's weight, or w in its place, without bias. */
gv_val gv_peft_again(gv_graph *g, const gv_peft_module *m, gv_val x, gv_val w);
/* y + x w' with the update w [O,I k…] of the weight. While training it is left out as a whole with chance p, and each of its rows with chance rows,
 * where the others are scaled up if `scaled`. */
gv_val gv_peft_update(gv_graph *g, const gv_peft_module *m, gv_val w, double p, double rows, bool scaled);

#endif
