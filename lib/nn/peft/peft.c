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

const gv_peft *gv_peft_of_type(const char *type)
{
    for (size_t i = 0; i < GV_COUNT(methods); i++)
        if (methods[i]->files && !strcmp(methods[i]->files->type, type))
            return methods[i];
    return NULL;
}

bool gv_peft_has_mark(const char *mark, const char *label)
{
    return mark && !strcmp(mark, label);
}

bool gv_peft_trainable(const gv_peft *method, const void *params, const gv_graph *g, const gv_param_info *p)
{
    return !p->buffer && (gv_peft_has_mark(p->mark, "classifier") || gv_peft_has_mark(p->mark, "adapter") || method->trainable(params, g, p));
}

bool gv_peft_trains(const char *name, void *choice)
{
    const gv_peft_choice *c = choice;
    for (int i = 0; i < gv_param_count(c->graph); i++) {
        const gv_param_info *p = gv_param_at(c->graph, i);
        if (!strcmp(p->name, name))
            return gv_peft_trainable(c->method, c->params, c->graph, p);
    }
    return false;
}

/* A graph that fails under a method has failed for the caller too. */
static int failed(int r, const gv_graph *g, gv_err *err)
{
    const gv_err *e = gv_graph_error(g);
    return r == GV_OK && e ? gv_fail(err, e->code, "%s", e->text) : r;
}

int gv_peft_prepare(const gv_peft *method, const void *params, gv_graph *g, gv_err *err)
{
    return failed(method->prepare && !gv_graph_error(g) ? method->prepare(params, g, err) : GV_OK, g, err);
}

int gv_peft_adapt(const gv_peft *method, const void *params, gv_graph *g, gv_err *err)
{
    return failed(method->adapt && !gv_graph_error(g) ? method->adapt(params, g, err) : GV_OK, g, err);
}

int gv_peft_settle(const gv_peft *method, const void *params, const gv_graph *g, gv_store *s, gv_err *err)
{
    return method->settle ? method->settle(params, g, s, err) : GV_OK;
}

/* `module` is `target`, or ends in it behind a dot. */
static bool ends_in(const char *module, size_t n, const char *target, size_t m)
{
    return m && n >= m && !memcmp(module + n - m, target, m) && (n == m || module[n - m - 1] == '.');
}

bool gv_peft_targets(const gv_strs *targets, const char *module, const char *mark)
{
    static const char *const parts[] = { "q_proj", "k_proj", "v_proj" };
    size_t n = strlen(module);
    bool fused = gv_peft_has_mark(mark, "attention") && ends_in(module, n, "qkv", 3);
    for (size_t i = 0; i < targets->n; i++) {
        const char *t = targets->v[i];
        size_t m = strlen(t);
        if (ends_in(module, n, t, m))
            return true;
        for (size_t k = 0; fused && k < GV_COUNT(parts); k++) { /* attn.q_proj: attn and what stands before qkv are the same */
            size_t l = strlen(parts[k]);
            if (!ends_in(t, m, parts[k], l))
                continue;
            if (m == l || ends_in(module, n - 4, t, m - l - 1))
                return true;
        }
    }
    return false;
}
