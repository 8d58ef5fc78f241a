/*
 * Ways to fine-tune: which parameters train, and what is added to the graph. One file and one line in peft.def.
 *
 *   const gv_peft *p = gv_peft_find("lora");
 *   r = gv_peft_adapt(p, params, g, &err);                       // when the whole graph is built, before it is differentiated
 *   r = gv_differentiate(g, loss, gv_peft_trains, &(gv_peft_choice){ p, params, g }, &err);
 *
 * A classifier (the mark "classifier") and what a method adds (the mark "adapter") train under every method. Modules are addressed by
 * path, with peft's rule: a target is a whole path or its end behind a dot.
 */
#ifndef GV_NN_PEFT_PEFT_H
#define GV_NN_PEFT_PEFT_H

#include "common/variant.h"
#include "nn/nn.h"

typedef struct gv_peft {
    const gv_variant *variant; /* gv_peft_variant_<name>: its choice in the config, with its fields */
    bool (*trainable)(const void *params, const char *name, const char *mark); /* a parameter of the encoder; mark may be NULL */
    int (*adapt)(const void *params, gv_graph *g, gv_err *err); /* adds branches and their parameters; NULL: nothing is added */
    /* adapter_config.json as the Python library peft reads it, of an adapted graph; NULL: the method has no adapters. */
    int (*config)(const void *params, const gv_graph *g, gv_buf *json, gv_err *err);
} gv_peft;

#define GV_PEFT(n) extern const gv_variant gv_peft_variant_##n; extern const gv_peft gv_peft_##n;
#include "nn/peft/peft.def"
#undef GV_PEFT

typedef struct gv_peft_choice { const gv_peft *method; const void *params; const gv_graph *graph; } gv_peft_choice;

const gv_peft *gv_peft_find(const char *name); /* NULL when there is none */
/* For gv_differentiate; choice is a gv_peft_choice. */
bool gv_peft_trains(const char *name, void *choice);
bool gv_peft_trainable(const gv_peft *method, const void *params, const char *name, const char *mark);
/* params: the method's fields. GV_EUSAGE: no module has one of the targets, or one that has cannot be adapted. */
int gv_peft_adapt(const gv_peft *method, const void *params, gv_graph *g, gv_err *err) GV_MUST_USE;

/* Does a target address the module of that path? A linear layer with the mark "attention" that ends in qkv has the names of its parts too
 * (q_proj, k_proj, v_proj). */
bool gv_peft_targets(const gv_strs *targets, const char *module, const char *mark);

#endif
