/* Methods of fine-tuning against PyTorch in float64, LoRA and its kin against the Python library peft (scripts/golden/finetuning.py): logits, loss,
 * which tensors train and under which names, their gradients, and their values after three steps of AdamW. How modules are addressed, how adapters
 * start, and what is said where a method finds nothing to work on. */
#include "nn/graph.h"
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "nn/optim/optim.h"
#include "nn/peft/peft.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

enum { CLASSES = 10, BATCH = 2, SIDE = 32, PIXELS = BATCH * SIDE * SIDE * 3, WORDS = 4 };

/* Fields by name, as a configuration would set them. first: where the backward pass ends; NULL: not looked at (it reaches the first module, or a weight is used more than once). */
struct set { const char *name, *words[WORDS]; };
#define NO_DROPOUT { "lora_dropout", { "0" } }
static const struct one { const char *file, *method, *arch, *first; struct set set[7]; } cases[] = {
    { "lora_default", "lora", "test_vit", "blocks.0.attn", { NO_DROPOUT } },
    { "lora_rslora", "lora", "test_vit", "blocks.0.mlp", { NO_DROPOUT, { "lora_rank", { "4" } }, { "lora_alpha", { "8" } }, { "use_rslora", { "true" } }, { "lora_bias", { "lora_only" } }, { "lora_target_modules", { "mlp.fc1", "blocks.2.attn.v_proj" } } } },
    { "lora_bias", "lora", "test_vit", NULL, { NO_DROPOUT, { "lora_rank", { "2" } }, { "lora_alpha", { "3" } }, { "lora_bias", { "all" } }, { "lora_target_modules", { "attn.proj", "fc2" } } } },
    { "lora_dora", "lora", "test_vit", NULL, { NO_DROPOUT, { "lora_rank", { "2" } }, { "lora_alpha", { "3" } }, { "use_dora", { "true" } }, { "lora_bias", { "lora_only" } }, { "lora_target_modules", { "blocks.1.attn.qkv", "blocks.4.mlp.fc2", "patch_embed.proj" } } } },
    { "lora_conv", "lora", "test_resnet", NULL, { NO_DROPOUT, { "lora_rank", { "2" } }, { "lora_alpha", { "3" } }, { "lora_target_modules", { "conv2", "layer2.0.downsample.1" } } } },
    { "lora_dora_conv", "lora", "test_resnet", NULL, { NO_DROPOUT, { "lora_rank", { "2" } }, { "lora_alpha", { "5" } }, { "use_dora", { "true" } }, { "use_rslora", { "true" } }, { "lora_target_modules", { "layer1.0.conv1", "layer3.0.conv2" } } } },
    { "lora_groups", "lora", "test_convnext", NULL, { NO_DROPOUT, { "lora_rank", { "24" } }, { "lora_alpha", { "7" } }, { "lora_target_modules", { "stages.0.blocks.0.conv_dw", "stages.3.blocks.1.mlp.fc2" } } } },
    { "loha", "loha", "test_vit", NULL, { { "loha_rank", { "2" } }, { "loha_alpha", { "3" } }, { "loha_target_modules", { "blocks.1.attn.proj", "mlp.fc2", "patch_embed.proj" } } } },
    { "lokr", "lokr", "test_vit", NULL, { { "lokr_rank", { "2" } }, { "lokr_alpha", { "3" } }, { "lokr_target_modules", { "attn.k_proj", "patch_embed.proj" } } } },
    { "lokr_whole", "lokr", "test_vit", NULL, { { "lokr_rank", { "8" } }, { "lokr_alpha", { "3" } }, { "lokr_decompose_factor", { "4" } }, { "lokr_target_modules", { "blocks.2.attn.proj", "blocks.3.mlp.fc2" } } } },
    { "ia3", "ia3", "test_vit", NULL, { { NULL } } },
    { "ssf", "ssf", "test_vit", "blocks.0.norm1", { { NULL } } },
    { "difffit", "difffit", "test_vit", NULL, { { NULL } } },
    { "bitfit", "bitfit", "test_vit", NULL, { { NULL } } },
    { "ln_tuning", "ln_tuning", "test_vit", "blocks.0.norm1", { { NULL } } },
    { "partial_finetuning", "partial_finetuning", "test_vit", "blocks.4", { { "num_frozen_layers", { "4" } } } },
    { "vpt_deep", "visual_prompt_tuning", "test_vit", "blocks.0", { { "num_tokens", { "3" } } } },
    { "vpt_shallow", "visual_prompt_tuning", "test_vit2", "blocks.0", { { "num_tokens", { "4" } }, { "deep", { "false" } }, { "project_dim", { "5" } } } },
    { "vpt_some", "visual_prompt_tuning", "test_vit", NULL, { { "num_tokens", { "2" } }, { "project_dim", { "7" } }, { "deep_layers", { "2", "5" } } } },
};

static void *fields_of(const gv_peft *m, const struct set *set, size_t n, gv_arena *a, gv_err *err)
{
    void *p = gv_arena_alloc(a, m->variant->params_size + 1, err);
    int r = p && m->variant->fields ? gv_fields_default(m->variant->fields, p, a, err) : p ? GV_OK : -1;
    for (size_t i = 0; i < n && set[i].name && r == GV_OK; i++) {
        size_t words = 0;
        while (words < WORDS && set[i].words[words])
            words++;
        r = gv_field_set(gv_field_find(m->variant->fields, set[i].name, strlen(set[i].name)), p, set[i].name, set[i].words, words, a, err);
    }
    return r == GV_OK ? p : NULL;
}

static gv_graph *network(gv_arena *a, const gv_peft *method, const char *arch, gv_phase phase, const void *fields, gv_val *loss, gv_err *err)
{
    gv_model_ref m;
    gv_graph *g = gv_graph_new(a, phase, err);
    if (!g || !fields || gv_model_find(arch, &m, err) < 0 || gv_peft_prepare(method, fields, g, err) < 0)
        return NULL;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ BATCH, SIDE, SIDE, 3 }, 4);
    gv_val y = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
    gv_features f = gv_model_build(g, &m, NULL, x);
    gv_val v = gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    v = gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
    gv_output(g, "logits", v);
    *loss = gv_loss_find("cross_entropy")->build(g, v, &(gv_loss_inputs){ .target = y, .lam = GV_NO_VAL, .perm = GV_NO_VAL }, &(gv_loss_options){ 0 });
    gv_output(g, "loss", *loss);
    return gv_peft_adapt(method, fields, g, err) == GV_OK ? g : NULL;
}

static double compare(const golden *gold, const char *entry, const double *have)
{
    static double want[1 << 16];
    int64_t n = golden_get(gold, entry, want, 1 << 16);
    return n > 0 && have ? relative(have, want, n) : 1;
}

static const double *stored(gv_store *s, const char *prefix, const char *name)
{
    char key[256];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    const gv_stored *t = gv_store_find(s, key);
    return t ? t->data : NULL;
}

/* Every tensor of the golden file's list trains, and no other; their gradients, whole or as norms. */
static void gradients(const struct one *c, const golden *gold, gv_graph *g, gv_store *s)
{
    int trained = 0, listed = 0, wrong = 0, whole = 0;
    double worst = 0, want;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        const double *d = stored(s, "grad.", p->name);
        char entry[256];
        snprintf(entry, sizeof entry, "grad:%s", p->name);
        if (!p->trained) {
            wrong += d || golden_get(gold, entry, &want, 1) >= 0;
            continue;
        }
        trained++;
        int64_t n = gv_shape_count(p->shape, p->ndim);
        double sum = 0;
        for (int64_t k = 0; d && k < n; k++)
            sum += d[k] * d[k];
        sum = sqrt(sum);
        double e = compare(gold, entry, golden_get(gold, entry, &want, 1) == 1 ? &sum : d); /* a whole gradient has more than one element */
        whole += golden_get(gold, entry, &want, 1) < 0;
        worst = e > worst ? e : worst;
    }
    for (const char *l = gold->text; (l = strstr(l, "grad:")); l++)
        listed++;
    ok(trained == listed && !wrong, "%s: %d tensors train, under the names listed (%d)", c->file, trained, listed);
    ok(worst < 1e-9, "%s: their gradients (%.0e; %d of them whole)", c->file, worst, whole);
}

/* No gradient of a frozen weight, and nothing below the first adapted module. */
static void work(const struct one *c, gv_graph *g, const char *first)
{
    int frozen = 0, below = 0, seen = 0, weights = 0;
    bool reached = false;
    for (int i = 0; i < gv_node_count(g); i++) {
        const gv_node *n = gv_node_at(g, i);
        const char *op = gv_op_of(n->op)->name;
        bool embed = !strncmp(n->path, "patch_embed", 11);
        seen += embed;
        below += embed && reached;
        reached = reached || !strncmp(n->path, first, strlen(first));
        frozen += !strcmp(op, "conv_wgrad") || !strcmp(op, "conv_dgrad") || !strcmp(op, "matmul_wgrad");
    }
    for (int i = 0; i < gv_param_count(g); i++)
        weights += gv_param_at(g, i)->trained && gv_param_at(g, i)->ndim == 2;
    ok(seen && reached && !below && frozen == weights, "%s: nothing runs backwards below '%s', and %d weights of %d have gradients", c->file, first, frozen, weights);
}

static void one(gv_arena *a, const struct one *c, const golden *gold)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL, *q = NULL;
    gv_optimizer *opt = NULL;
    gv_val loss = GV_NO_VAL, unused;
    static double x[PIXELS];
    static const int64_t y[BATCH] = { 3, 7 };
    const gv_peft *m = gv_peft_find(c->method);
    void *o = fields_of(m, c->set, GV_COUNT(c->set), a, &err);
    for (int64_t i = 0; i < PIXELS; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
    gv_plan_options po = { .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1 };
    gv_graph *g = network(a, m, c->arch, GV_TRAIN, o, &loss, &err), *e = network(a, m, c->arch, GV_EVAL, o, &unused, &err);
    int r = g && e ? gv_differentiate(g, loss, gv_peft_trains, &(gv_peft_choice){ m, o, g }, &err) : -1;
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = gv_plan_make(&q, e, s, &po, &err);
    }
    r = r == GV_OK ? gv_plan_run(q, feeds, 2, 0, &err) : r;
    double l = r == GV_OK ? compare(gold, "eval_logits", gv_plan_output(q, "logits")->data) : 1;
    r = r == GV_OK ? gv_plan_make(&p, g, s, &po, &err) : r;
    gv_optim_hyper h = gv_optim_defaults();
    h.weight_decay = 0.05;
    r = r == GV_OK ? gv_optimizer_open(&opt, "AdamW", &h, &(gv_optim_groups){ 0 }, s, g, &err) : r;
    for (int step = 0; step < 3 && r == GV_OK; step++) {
        gv_optimizer_zero_grads(opt);
        r = gv_plan_run(p, feeds, 2, (uint64_t)step, &err);
        if (!step && r == GV_OK) {
            double t = compare(gold, "train_logits", gv_plan_output(p, "logits")->data), d = compare(gold, "loss", gv_plan_output(p, "loss")->data);
            ok(l < 1e-11 && t < 1e-11 && d < 1e-11, "%s: logits in evaluation (%.0e) and training (%.0e), loss (%.0e)", c->file, l, t, d);
            gradients(c, gold, g, s);
        }
        r = r == GV_OK ? gv_optimizer_step(opt, 0.01, NULL, &err) : r;
    }
    double worst = 0;
    int n = 0;
    for (int i = 0; r == GV_OK && i < gv_param_count(g); i++) {
        const gv_param_info *v = gv_param_at(g, i);
        char entry[256];
        snprintf(entry, sizeof entry, "after:%s", v->name);
        double d = v->trained ? compare(gold, entry, stored(s, "", v->name)) : 0;
        n += v->trained;
        worst = d > worst ? d : worst;
    }
    ok(r == GV_OK && n > 3 && worst < 1e-6, "%s: after three steps of AdamW (%.0e)%s%s", c->file, worst, r ? ": " : "", err.text);
    gv_optimizer_close(opt);
    gv_plan_close(p);
    gv_plan_close(q);
    gv_store_close(s);
    if (r == GV_OK && c->first)
        work(c, g, c->first);
}

/* A new adapter changes nothing until it is trained. */
static void starts_as_it_was(gv_arena *a)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_val loss;
    const gv_peft *m = gv_peft_find("lora");
    static const struct set both[] = { { "init_lora_weights", { "false" } } };
    int zeros = 0, others = 0, drawn = 0;
    for (size_t k = 0; k < 2; k++) {
        gv_graph *g = network(a, m, "test_vit", GV_TRAIN, fields_of(m, both, k, a, &err), &loss, &err);
        int r = g ? gv_store_open(&s, GV_FP32, &err) : -1;
        r = r == GV_OK ? gv_store_init(s, g, 1, &err) : r;
        for (int i = 0; r == GV_OK && i < gv_param_count(g); i++) {
            const gv_param_info *p = gv_param_at(g, i);
            bool is_b = strstr(p->name, "lora_B.weight");
            if (!p->mark || strcmp(p->mark, "adapter"))
                continue;
            const float *v = gv_store_find(s, p->name)->data;
            double top = 0;
            for (int64_t j = 0; j < gv_shape_count(p->shape, 2); j++)
                top = fabs(v[j]) > top ? fabs(v[j]) : top;
            double bound = 1 / sqrt((double)p->shape[1]);
            zeros += is_b && top == 0;
            drawn += top > 0.9 * bound && top <= bound;
            others += !is_b;
        }
        gv_store_close(s);
    }
    ok(zeros == 18 && others == 36 && drawn == 54 && !err.code, "B starts as zeros, A as torch's Linear; without init_lora_weights both (%d %d %d)%s", zeros, others, drawn, err.text);
}

static void addressing(void)
{
    const char *words[] = { "attn.q_proj", "fc2", "blocks.1.mlp.fc1" };
    gv_strs t = { 3, words };
    ok(gv_peft_targets(&t, "blocks.0.attn.qkv", "attention") && !gv_peft_targets(&t, "blocks.0.attn.qkv", NULL) && !gv_peft_targets(&t, "blocks.0.other.qkv", "attention"), "q_proj is part of an attention's qkv");
    ok(gv_peft_targets(&t, "blocks.0.mlp.fc2", NULL) && gv_peft_targets(&t, "fc2", NULL) && !gv_peft_targets(&t, "blocks.0.mlp.xfc2", NULL) && !gv_peft_targets(&t, "fc2.deep", NULL), "a target is the end of a path, behind a dot");
    ok(gv_peft_targets(&t, "blocks.1.mlp.fc1", NULL) && !gv_peft_targets(&t, "blocks.11.mlp.fc1", NULL), "or a whole path");
}

static bool refused(gv_arena *a, const char *method, const char *arch, const struct set *set, const char *text)
{
    gv_err err = { 0 };
    gv_val loss;
    const gv_peft *m = gv_peft_find(method);
    gv_graph *g = network(a, m, arch, GV_TRAIN, fields_of(m, set, set ? 1 : 0, a, &err), &loss, &err);
    gv_arena_reset(a);
    return ok(!g && err.code == GV_EUSAGE && strstr(err.text, text), "%s on %s: %s", method, arch, err.text);
}

static void refusals(gv_arena *a)
{
    static const struct set none[] = { { "lora_target_modules", { "attn.query" } } }, head[] = { { "lora_target_modules", { "head" } } }, grouped[] = { { "lora_target_modules", { "conv_dw" } } };
    static const struct set many[] = { { "num_frozen_layers", { "7" } } }, far[] = { { "deep_layers", { "2", "6" } } };
    refused(a, "lora", "test_vit", none, "'attn.query', which no module of the encoder is called; its linear layers are blocks.0.attn.qkv, blocks.0.attn.proj");
    refused(a, "lora", "test_vit", head, "which no module"); /* it is not adapted, it trains */
    refused(a, "lora", "test_convnext", grouped, "module 'stages.0.blocks.0.conv_dw': '--peft.lora_rank' is 8, no multiple of the 24 groups");
    refused(a, "lora", "test_resnet", NULL, "no linear layers, and its convolutions are conv1.0");
    refused(a, "lora", "test_resnet", NULL, "as in '--peft.lora_target_modules conv2'; '--peft.method partial_finetuning', 'bitfit' and 'linear_probing' work on every encoder");
    refused(a, "visual_prompt_tuning", "test_resnet", NULL, "this encoder has none; choose a vision transformer");
    refused(a, "ia3", "test_resnet", NULL, "'--peft.method ia3' changes the modules 'attn.k_proj attn.v_proj mlp.fc2', and the encoder has none that are called so");
    refused(a, "visual_prompt_tuning", "test_vit", far, "'--peft.deep_layers' has 6, and the encoder has blocks 0 to 5");
    refused(a, "partial_finetuning", "test_vit", many, "'--peft.num_frozen_layers' is 7, and the encoder has 6 blocks");
}

/* Which tensors train when all blocks are frozen, or none: the ends of the rule. */
static void ends_of_partial(gv_arena *a)
{
    static const struct set all[] = { { "num_frozen_layers", { "6" } } }, zero[] = { { "num_frozen_layers", { "0" } } };
    const struct set *sets[] = { all, zero };
    for (size_t k = 0; k < 2; k++) {
        gv_err err = { 0 };
        gv_val loss;
        const gv_peft *m = gv_peft_find("partial_finetuning");
        void *o = fields_of(m, sets[k], 1, a, &err);
        gv_graph *g = network(a, m, "test_vit", GV_TRAIN, o, &loss, &err);
        int norm = 0, blocks = 0, before = 0;
        for (int i = 0; g && i < gv_param_count(g); i++) {
            const gv_param_info *p = gv_param_at(g, i);
            bool trains = gv_peft_trainable(m, o, g, p);
            norm += trains && !strncmp(p->name, "norm.", 5);
            blocks += trains && !strncmp(p->name, "blocks.", 7);
            before += trains && (!strncmp(p->name, "patch_embed", 11) || !strncmp(p->name, "pos_embed", 9) || !strncmp(p->name, "cls_token", 9));
        }
        ok(norm == 2 && blocks == (k ? 72 : 0) && !before, "%s blocks frozen: %d tensors of blocks train, the last norm, and nothing before the blocks (%d %d)%s", sets[k]->words[0], blocks, norm, before, err.text);
        gv_arena_reset(a);
    }
}

/* DoRA begins with the encoder as it was: the size of each row is that of the weight, or of weight and branch. */
static void dora_settles(gv_arena *a)
{
    static const struct set sets[] = { { "use_dora", { "true" } }, { "lora_target_modules", { "mlp.fc2", "patch_embed.proj" } }, { "init_lora_weights", { "false" } } };
    for (size_t k = 2; k <= 3; k++) {
        gv_err err = { 0 };
        gv_val loss;
        gv_store *s = NULL;
        const gv_peft *m = gv_peft_find("lora");
        void *o = fields_of(m, sets, k, a, &err);
        gv_graph *g = network(a, m, "test_vit", GV_EVAL, o, &loss, &err);
        int r = g ? gv_store_open(&s, GV_FP64, &err) : -1;
        r = r == GV_OK ? gv_store_init(s, g, 1, &err) : r;
        r = r == GV_OK ? gv_peft_settle(m, o, g, s, &err) : r;
        double worst = 1;
        if (r == GV_OK) {
            const double *w = stored(s, "", "blocks.3.mlp.fc2.weight"), *size = stored(s, "", "blocks.3.mlp.fc2.lora_magnitude_vector");
            const double *A = stored(s, "", "blocks.3.mlp.fc2.lora_A.weight"), *B = stored(s, "", "blocks.3.mlp.fc2.lora_B.weight");
            worst = 0;
            for (int i = 0; i < 64; i++) {
                double sum = 0;
                for (int j = 0; j < 192; j++) {
                    double v = w[i * 192 + j];
                    for (int n = 0; n < 8; n++)
                        v += 2 * B[i * 8 + n] * A[n * 192 + j];
                    sum += v * v;
                }
                worst = fmax(worst, fabs(size[i] - sqrt(sum)));
            }
            ok(worst < 1e-14, "DoRA: sizes start as the norms of the rows, %s (%.0e)", k == 2 ? "of the weight" : "of weight and branch", worst);
            ((double *)(uintptr_t)size)[5] = 3;
            r = gv_peft_settle(m, o, g, s, &err);
            ok(r == GV_OK && size[5] == 3, "DoRA: sizes that are there stay");
        } else
            ok(false, "DoRA: %s", err.text);
        gv_store_close(s);
        gv_arena_reset(a);
    }
}

int main(void)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
    ok(gv_arena_init(&a, "graph", (size_t)1 << 30, &err) == GV_OK, "arena");
    for (size_t i = 0; i < GV_COUNT(cases); i++) {
        golden gold;
        char path[256];
        snprintf(path, sizeof path, "tests/golden/models/%s.gold", cases[i].file);
        if (!ok(golden_open(&gold, path) == 0, "%s", path))
            continue;
        one(&a, &cases[i], &gold);
        gv_free(gold.text);
        gv_arena_reset(&a);
    }
    starts_as_it_was(&a);
    gv_arena_reset(&a);
    addressing();
    refusals(&a);
    ends_of_partial(&a);
    dora_settles(&a);
    gv_arena_release(&a);
    return done();
}
