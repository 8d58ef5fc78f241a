/* The table of fine-tuning methods. */
#include "nn/peft/peft.h"
#include <string.h>

static const gv_peft *const methods[] = {
#define GV_PEFT(n) &gv_peft_##n,
#include "nn/peft/peft.def"
#undef GV_PEFT
};

const gv_peft *gv_peft_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(methods); i++)
        if (!strcmp(methods[i]->variant->name, name))
            return methods[i];
    return NULL;
}

bool gv_peft_trainable(const gv_peft *method, const char *name, const char *mark)
{
    return (mark && !strcmp(mark, "classifier")) || method->trainable(name, mark);
}

bool gv_peft_trains(const char *name, void *choice)
{
    const gv_peft_choice *c = choice;
    for (int i = 0; i < gv_param_count(c->graph); i++) {
        const gv_param_info *p = gv_param_at(c->graph, i);
        if (!strcmp(p->name, name))
            return !p->buffer && gv_peft_trainable(c->method, name, p->mark);
    }
    return false;
}
