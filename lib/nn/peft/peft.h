/*
 * Ways to fine-tune: which parameters train, and what is added to the graph. One file and one line in peft.def.
 *
 *   const gv_peft *p = gv_peft_find("linear_probing");
 *   r = gv_differentiate(g, loss, gv_peft_trains, &(gv_peft_choice){ p, g }, &err);
 *
 * A classifier (the mark "classifier") trains under every method.
 */
#ifndef GV_NN_PEFT_PEFT_H
#define GV_NN_PEFT_PEFT_H

#include "common/variant.h"
#include "nn/nn.h"

typedef struct gv_peft {
    const gv_variant *variant; /* gv_peft_variant_<name>: its choice in the config, with its fields */
    bool (*trainable)(const char *name, const char *mark); /* a parameter of the encoder; mark may be NULL */
} gv_peft;

#define GV_PEFT(n) extern const gv_variant gv_peft_variant_##n; extern const gv_peft gv_peft_##n;
#include "nn/peft/peft.def"
#undef GV_PEFT

typedef struct gv_peft_choice { const gv_peft *method; const gv_graph *graph; } gv_peft_choice;

const gv_peft *gv_peft_find(const char *name); /* NULL when there is none */
/* For gv_differentiate; choice is a gv_peft_choice. */
bool gv_peft_trains(const char *name, void *choice);
bool gv_peft_trainable(const gv_peft *method, const char *name, const char *mark);

#endif
