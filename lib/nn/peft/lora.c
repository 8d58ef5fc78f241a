/* lora: a linear layer W x + b gets a branch beside it, s B A drop(x), with A [r,I] and B [O,r] trained and W frozen.
 * s is alpha / r, or alpha / sqrt(r) with use_rslora. A starts as torch's Linear, B as zeros, so that training begins with the encoder
 * as it was; without init_lora_weights B starts as torch's Linear too.
 * The new tensors are <module>.lora_A.weight and <module>.lora_B.weight; lora_bias lets biases of the encoder train as well.
 * Source: Hu et al. 2021, arXiv:2106.09685, section 4.1; rsLoRA: Kalajdzievski 2023, arXiv:2312.03732. */
#include "nn/internal.h"
#include "nn/ops/attr.h"
#include "nn/peft/peft.h"
#include "nn/rewrite.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NONE, ALL, LORA_ONLY }; /* lora_bias */
static const char *const biases[] = { "none", "all", "lora_only", NULL };

struct lora {
    int64_t lora_rank;
    double lora_alpha, lora_dropout;
    gv_strs lora_target_modules;
    bool use_dora, use_rslora, init_lora_weights;
    int lora_bias;
};

static const gv_field fields[] = {
    GV_I64(struct lora, lora_rank, 8, 1, 1 << 16, "", "rank of the update"),
    GV_F64(struct lora, lora_alpha, 16, GV_ABOVE_0, INFINITY, "", "scale of the update, times rank"),
    GV_F64(struct lora, lora_dropout, 0.01, 0.0, GV_BELOW_1, "probability", "dropout before the update"),
    GV_STRS(struct lora, lora_target_modules, "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1_g mlp.fc1_x mlp.fc2", NULL, "modules to adapt, by the end of their path"),
    GV_BOOL(struct lora, use_dora, false, "split the weight into size and direction (DoRA); not built yet"),
    GV_BOOL(struct lora, use_rslora, false, "scale by the root of the rank"),
    GV_BOOL(struct lora, init_lora_weights, true, "start as the unchanged encoder"),
    GV_ENUM(struct lora, lora_bias, 0, biases, "biases that are trained"),
    GV_END
};

static bool trainable(const void *params, const char *name, const char *mark)
{
    const struct lora *o = params;
    size_t n = strlen(name);
    if (o->lora_bias == ALL)
        return strstr(name, "bias");
    char module[GV_PATH_MAX];
    if (o->lora_bias != LORA_ONLY || n < 6 || n - 5 >= sizeof module || strcmp(name + n - 5, ".bias"))
        return false;
    snprintf(module, sizeof module, "%.*s", (int)(n - 5), name);
    return gv_peft_targets(&o->lora_target_modules, module, mark);
}

/* The path of the linear layer that a node is: x times a weight of its own, transposed. */
static const char *linear_of(const gv_graph *g, const gv_node *n, char module[GV_PATH_MAX])
{
    const gv_matmul_attr *a = n->attr;
    if (n->op != GV_OP_matmul || a->ta || !a->tb || n->in[1] == GV_NO_VAL)
        return NULL;
    const gv_value *w = g->value[n->in[1]];
    size_t len = w->kind == GV_VALUE_PARAM ? strlen(w->name) : 0;
    if (len < 8 || len - 7 >= GV_PATH_MAX || strcmp(w->name + len - 7, ".weight"))
        return NULL;
    snprintf(module, GV_PATH_MAX, "%.*s", (int)(len - 7), w->name);
    return module;
}

static const char *mark_of_weight(const gv_graph *g, gv_val w)
{
    for (int i = 0; i < gv_param_count(g); i++)
        if (g->param[i]->value == w)
            return gv_param_at(g, i)->mark;
    return NULL;
}

/* One factor, <module>.<name>.weight [out,in]. */
static gv_val factor(gv_graph *g, const char *name, int64_t out, int64_t in, const char *init)
{
    gv_enter(g, "%s", name);
    gv_mark(g, "adapter");
    gv_val w = gv_param(g, "weight", (int64_t[]){ out, in }, 2, init);
    gv_leave(g);
    return w;
}

/* y + s B A drop(x), in the place of y. */
static void branch(const struct lora *o, gv_graph *g, gv_node *linear, const char *module)
{
    gv_val x = linear->in[0], y = linear->out[0];
    double s = o->lora_alpha / (o->use_rslora ? sqrt((double)o->lora_rank) : (double)o->lora_rank);
    gv_graph_set_path(g, "");
    gv_enter(g, "%s", module);
    gv_enter(g, "lora_dropout");
    x = o->lora_dropout > 0 ? gv_dropout(g, x, o->lora_dropout, false) : x;
    gv_leave(g);
    gv_val a = factor(g, "lora_A", o->lora_rank, gv_dim(g, x, -1), "kaiming_uniform_a5");
    gv_val h = gv_matmul(g, x, a, GV_NO_VAL, false, true, 1); /* [N…,r] */
    gv_val b = factor(g, "lora_B", gv_dim(g, y, -1), o->lora_rank, o->init_lora_weights ? "zeros" : "kaiming_uniform_a5");
    gv_val sum = gv_add(g, y, gv_matmul(g, h, b, GV_NO_VAL, false, true, s)); /* [N…,O] */
    gv_leave(g);
    if (gv_graph_error(g))
        return;
    gv_graph_replace(g, y, sum);
    g->node[g->value[sum]->node]->in[0] = y;
}

/* Nothing was addressed: some of the modules that could have been. */
static int none_found(const struct lora *o, const gv_graph *g, gv_err *err)
{
    char targets[400] = "", modules[600] = "", module[GV_PATH_MAX];
    for (size_t i = 0; i < o->lora_target_modules.n; i++)
        snprintf(targets + strlen(targets), sizeof targets - strlen(targets), "%s%s", i ? " " : "", o->lora_target_modules.v[i]);
    int shown = 0;
    for (int i = 0; i < g->norder && shown < 8; i++) {
        const gv_node *n = g->node[g->order[i]];
        const char *m = linear_of(g, n, module), *mark = m ? mark_of_weight(g, n->in[1]) : NULL;
        if (m && !(mark && !strcmp(mark, "classifier")))
            snprintf(modules + strlen(modules), sizeof modules - strlen(modules), "%s%s", shown++ ? ", " : "", m);
    }
    return gv_fail(err, GV_EUSAGE, "'--peft.lora_target_modules' is '%s', which no linear layer of the encoder is called; it has %s%s", targets, shown ? modules : "none", shown == 8 ? " and more" : "");
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct lora *o = params;
    char module[GV_PATH_MAX];
    int n = g->norder, *old, adapted = 0;
    for (int i = 0; i < gv_param_count(g); i++) { /* convolutions by name are refused, not passed over */
        const gv_param_info *p = gv_param_at(g, i);
        size_t len = strlen(p->name);
        if (p->ndim < 3 || len < 8 || len - 7 >= sizeof module || strcmp(p->name + len - 7, ".weight"))
            continue;
        snprintf(module, sizeof module, "%.*s", (int)(len - 7), p->name);
        if (gv_peft_targets(&o->lora_target_modules, module, p->mark))
            return gv_fail(err, GV_EUSAGE, "'--peft.lora_target_modules' addresses '%s', a convolution; lora adapts linear layers", module);
    }
    if (!(old = gv_order_take(&(gv_rewrite_ctx){ .g = g }, err)))
        return GV_ESYS;
    for (int i = 0; i < n; i++) {
        gv_node *node = g->node[old[i]];
        gv_order_push(g, old[i]);
        const char *m = linear_of(g, node, module), *mark = m ? mark_of_weight(g, node->in[1]) : NULL;
        if (!m || (mark && !strcmp(mark, "classifier")) || !gv_peft_targets(&o->lora_target_modules, m, mark))
            continue;
        branch(o, g, node, m);
        adapted++;
    }
    gv_graph_set_path(g, "");
    return adapted || gv_graph_error(g) ? GV_OK : none_found(o, g, err);
}

/* ["a","b"]: the modules of which `leaf` is a tensor with that mark. */
static int list(const gv_graph *g, const char *leaf, const char *mark, gv_buf *json, gv_err *err)
{
    int r = gv_buf_printf(json, err, "["), n = 0;
    size_t m = strlen(leaf);
    for (int i = 0; i < gv_param_count(g) && r == GV_OK; i++) {
        const gv_param_info *p = gv_param_at(g, i);
        size_t len = strlen(p->name);
        if (p->mark && !strcmp(p->mark, mark) && len > m && !strcmp(p->name + len - m, leaf))
            r = gv_buf_printf(json, err, "%s\"%.*s\"", n++ ? ", " : "", (int)(len - m), p->name);
    }
    return r < 0 ? r : gv_buf_printf(json, err, "]");
}

static int config(const void *params, const gv_graph *g, gv_buf *json, gv_err *err)
{
    const struct lora *o = params;
    static const char *const word[] = { "false", "true" };
    int r = gv_buf_printf(json, err, "{\n  \"peft_type\": \"LORA\",\n  \"r\": %" PRId64 ",\n  \"lora_alpha\": %.17g,\n  \"lora_dropout\": %.17g,\n  \"bias\": \"%s\",\n  \"use_rslora\": %s,\n  \"init_lora_weights\": %s,\n  \"target_modules\": ",
                          o->lora_rank, o->lora_alpha, o->lora_dropout, biases[o->lora_bias], word[o->use_rslora], word[o->init_lora_weights]);
    r = r < 0 ? r : list(g, ".lora_A.weight", "adapter", json, err);
    r = r < 0 ? r : gv_buf_printf(json, err, ",\n  \"modules_to_save\": ");
    r = r < 0 ? r : list(g, ".weight", "classifier", json, err);
    return r < 0 ? r : gv_buf_printf(json, err, ",\n  \"fan_in_fan_out\": false,\n  \"use_dora\": false,\n  \"base_model_name_or_path\": null,\n  \"task_type\": null,\n  \"inference_mode\": true\n}\n");
}

const gv_variant gv_peft_variant_lora = {
    .name = "lora", .class_name = "LoraConfig", .summary = "LoRA: low-rank updates of linear layers", .fields = fields, .params_size = sizeof(struct lora), .built = true,
};
const gv_peft gv_peft_lora = { .variant = &gv_peft_variant_lora, .trainable = trainable, .adapt = adapt, .config = config };
