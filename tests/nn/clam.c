/* The bag heads against a computation in float64 that knows no padding (scripts/golden/clam.py): logits, loss, attention, gradients; and the
 * same whatever stands behind the last instance of a bag. */
#include "nn/heads/clam.h"
#include "nn/losses/losses.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

enum { N = 3, D = 12 };
static const int64_t lengths[N] = { 5, 1, 13 }, labels[N] = { 2, 0, 1 };

struct mil { int64_t out_dim; double dropout; int64_t hidden; };

static const struct example { const char *key, *head; int64_t classes; struct gv_clam o; bool attention; } examples[] = {
#define GLOVITA .gate = true, .feature_prep = true, .l2_normalize_features = true, .cosine_head = true, .bag_loss_weight = 1
    { "mb", "clam", 3, { .variant = GV_CLAM_MB, GLOVITA } },
    { "sb", "clam", 3, { .variant = GV_CLAM_SB, .size_arg = 1, GLOVITA } },
    { "mb_all", "clam", 3, { .variant = GV_CLAM_MB, GLOVITA, .instance_eval = true, .subtyping = true, .stochastic_topk = true, .topk_k = 3, .instance_loss_weight = 0.5 } },
    { "sb_all", "clam", 3, { .variant = GV_CLAM_SB, GLOVITA, .instance_eval = true, .stochastic_topk = true, .topk_k = 2, .instance_loss_weight = 1 } },
    { "plain", "clam", 3, { .variant = GV_CLAM_SB } },
    { "original", "clam", 3, { .preset = GV_CLAM_ORIGINAL, .variant = GV_CLAM_SB, .gate = true, .instance_eval = true, .bag_loss_weight = 0.7, .instance_loss_weight = 0.3 } },
    { "original_mb", "clam", 3, { .preset = GV_CLAM_ORIGINAL, .variant = GV_CLAM_MB, .gate = true, .instance_eval = true, .subtyping = true, .bag_loss_weight = 0.7,
                                  .instance_loss_weight = 0.3, .instance_loss = GV_CLAM_SVM, .bag_loss = GV_CLAM_SVM } },
    { "original_ungated", "clam", 3, { .preset = GV_CLAM_ORIGINAL, .variant = GV_CLAM_SB } },
    { "mil_mean", "mil_mean", 3, { 0 } },
    { "mil_max", "mil_max", 3, { 0 } },
    { "mil_max_two", "mil_max", 2, { 0 } },
};

static golden gold;
static gv_arena arena;

struct made { gv_graph *g; gv_store *s; gv_plan *p; gv_err err; };

static gv_val total(gv_graph *g, const gv_head *h, const gv_head_options *o, gv_val logits, gv_val y)
{
    gv_loss_inputs in = { .target = y, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    const char *unit = h->loss ? h->loss(o) : NULL;
    gv_val v = gv_loss_find(unit ? unit : "cross_entropy")->build(g, logits, &in, &(gv_loss_options){ 0 }), aux = gv_find_output(g, "aux_loss");
    return aux == GV_NO_VAL ? v : gv_add(g, gv_affine(g, v, h->loss_weight ? h->loss_weight(o) : 1, 0), aux);
}

/* Bags padded to `longest` with `junk`. */
static int make(struct made *m, const struct example *e, gv_phase phase, int64_t longest, double junk)
{
    static double x[N * 64 * D], mask[N * 64];
    union { struct gv_clam clam; struct mil mil; gv_head_options head; } o = { .clam = e->o };
    o.clam.k_sample = 8;
    o.clam.layer_norm_eps = 1e-6;
    o.clam.cosine_scale = 20;
    o.clam.topk_tau = 0.25;
    o.clam.topk_consistency_weight = 1;
    if (strcmp(e->head, "clam"))
        o.mil = (struct mil){ .hidden = 32 };
    o.head.out_dim = e->classes;
    int64_t y[N];
    for (int i = 0; i < N; i++) {
        char name[8];
        snprintf(name, sizeof name, "bag%d", i);
        y[i] = labels[i] % e->classes;
        for (int64_t k = 0; k < longest * D; k++)
            x[i * longest * D + k] = k < lengths[i] * D ? formula_uniform(gv_hash_name(name), k) : junk;
        for (int64_t k = 0; k < longest; k++)
            mask[i * longest + k] = k < lengths[i];
    }
    *m = (struct made){ 0 };
    gv_arena_reset(&arena);
    const gv_head *h = gv_head_find(e->head);
    gv_graph *g = m->g = gv_graph_new(&arena, phase, &m->err);
    gv_head_in in = { .x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ N, longest, D }, 3), .mask = gv_input(g, "mask", GV_CLASS_REAL, (int64_t[]){ N, longest }, 2),
                      .target = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ N }, 1), .one_class = true, .aux = phase == GV_TRAIN };
    gv_val target = in.target, logits = gv_head_build_on(g, h, &in, "fc", &o.head), loss;
    gv_output(g, "logits", logits);
    gv_output(g, "loss", loss = total(g, h, &o.head, logits, target));
    int r = phase == GV_TRAIN ? gv_differentiate(g, loss, NULL, NULL, &m->err) : GV_OK;
    if (r < 0 || (r = gv_store_open(&m->s, GV_FP64, &m->err)) < 0 || (r = gv_store_init(m->s, g, 1, &m->err)) < 0)
        return r;
    formula_store(m->s, g);
    r = gv_plan_make(&m->p, g, m->s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = phase == GV_TRAIN, .grad_scale = 1, .guard = true }, &m->err);
    gv_feed feeds[3] = { { "x", x, GV_F64T }, { "mask", mask, GV_F64T }, { "y", y, GV_I64T } };
    return r == GV_OK ? gv_plan_run(m->p, feeds, 3, 1, &m->err) : r;
}

static void release(struct made *m)
{
    gv_plan_close(m->p);
    gv_store_close(m->s);
}

static double compare(const struct example *e, const char *what, const double *have, int64_t n)
{
    double want[4096];
    char entry[128];
    snprintf(entry, sizeof entry, "%s:%s", e->key, what);
    if (golden_get(&gold, entry, want, 4096) != n)
        return 1;
    double size = 0;
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(want[i]));
    return size > 1e-12 ? relative(have, want, n) : fabs(have[0]); /* a shift of all attention logits changes nothing: rounding is left */
}

/* The largest difference of norm and products over all gradients. Every parameter must be in the golden file. */
static double gradients(const struct example *e, const struct made *m, int *count)
{
    double worst = 0;
    *count = 0;
    for (int i = 0; i < gv_param_count(m->g); i++) {
        char name[256], entry[256];
        double have[4] = { 0 };
        snprintf(name, sizeof name, "grad.%s", gv_param_at(m->g, i)->name);
        snprintf(entry, sizeof entry, "grad:%s", gv_param_at(m->g, i)->name);
        const gv_stored *t = gv_store_find(m->s, name);
        int64_t n = t ? gv_shape_count(t->shape, t->ndim) : 0;
        for (int64_t k = 0; k < n; k++) {
            double v = ((const double *)t->data)[k];
            have[0] += v * v;
            for (int p = 0; p < 3; p++) {
                char probe[8];
                snprintf(probe, sizeof probe, "probe%d", p);
                have[1 + p] += v * formula_uniform(gv_hash_name(probe), k);
            }
        }
        have[0] = sqrt(have[0]);
        double d = compare(e, entry, have, 4);
        worst = d > worst ? d : worst;
        ++*count;
    }
    return worst;
}

static void one(const struct example *e)
{
    struct made m;
    double first[9];
    int n;
    int r = make(&m, e, GV_TRAIN, 13, 0);
    ok(r == GV_OK, "%s runs %s", e->key, m.err.text);
    if (r == GV_OK) {
        const gv_stored *z = gv_plan_output(m.p, "logits");
        memcpy(first, z->data, z->bytes);
        double logits = compare(e, "logits", z->data, N * e->classes), loss = compare(e, "loss", gv_plan_output(m.p, "loss")->data, 1), grads = gradients(e, &m, &n);
        ok(logits < 1e-12 && loss < 1e-12 && grads < 1e-8, "%s: logits (%.0e), loss (%.0e), %d gradients (%.0e)", e->key, logits, loss, n, grads);
    }
    release(&m);
    r = make(&m, e, GV_TRAIN, 24, 7.5);
    if (r == GV_OK) {
        double logits = relative(gv_plan_output(m.p, "logits")->data, first, N * e->classes), loss = compare(e, "loss", gv_plan_output(m.p, "loss")->data, 1), grads = gradients(e, &m, &n);
        ok(logits < 1e-13 && loss < 1e-12 && grads < 1e-8, "%s: what stands behind the last instance changes nothing (%.0e %.0e %.0e)", e->key, logits, loss, grads);
    } else
        ok(false, "%s: padded %s", e->key, m.err.text);
    release(&m);
}

/* Attention in evaluation, without the padding between the bags. */
static void attention(const struct example *e)
{
    struct made m;
    double have[19 * 3];
    int64_t n = 0, branches = e->o.variant == GV_CLAM_MB ? e->classes : 1, longest = 24;
    int r = make(&m, e, GV_EVAL, longest, 7.5);
    const gv_stored *a = r == GV_OK ? gv_plan_output(m.p, "attention") : NULL;
    double behind = 0;
    for (int64_t row = 0; a && row < N * branches; row++)
        for (int64_t k = 0; k < longest; k++) {
            double v = ((const double *)a->data)[row * longest + k];
            if (k < lengths[row / branches])
                have[n++] = v;
            else
                behind += fabs(v);
        }
    ok(a && compare(e, "attention", have, n) < 1e-12 && behind == 0, "%s: attention, exactly zero behind the last instance %s", e->key, m.err.text);
    release(&m);
}

/* Class weights in the cross-entropy: smoothed with a row left out, or mixed. */
static void weighted(bool mixed)
{
    static const double w[5] = { 0.5, 1, 2, 3, 4 };
    static const int32_t perm[4] = { 2, 0, 3, 1 };
    static const float lam[1] = { 0.75f };
    int64_t y[4] = { 1, 4, mixed ? 0 : -1, 2 };
    struct made m = { 0 };
    struct example e = { .key = mixed ? "weighted:mixed" : "weighted:smooth" };
    gv_arena_reset(&arena);
    gv_graph *g = m.g = gv_graph_new(&arena, GV_TRAIN, &m.err);
    gv_val z = gv_param(g, "z", (int64_t[]){ 4, 5 }, 2, "zeros");
    gv_loss_inputs in = { .target = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ 4 }, 1), .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    if (mixed) {
        in.lam = gv_input(g, "lam", GV_CLASS_F32, (int64_t[]){ 1 }, 1);
        in.perm = gv_input(g, "perm", GV_CLASS_I32, (int64_t[]){ 4 }, 1);
    }
    gv_val loss = gv_loss_find("cross_entropy")->build(g, z, &in, &(gv_loss_options){ .label_smoothing = mixed ? 0 : 0.2, .class_weights = w });
    gv_output(g, "loss", loss);
    int r = gv_differentiate(g, loss, NULL, NULL, &m.err);
    if (r == GV_OK && (r = gv_store_open(&m.s, GV_FP64, &m.err)) == GV_OK && (r = gv_store_init(m.s, g, 1, &m.err)) == GV_OK) {
        double *v = gv_store_find(m.s, "z")->data;
        for (int i = 0; i < 20; i++)
            v[i] = 3 * formula_uniform(gv_hash_name("logits"), i);
        r = gv_plan_make(&m.p, g, m.s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1 }, &m.err);
    }
    gv_feed feeds[] = { { "y", y, GV_I64T }, { "lam", lam, GV_F32T }, { "perm", perm, GV_I32 } };
    r = r == GV_OK ? gv_plan_run(m.p, feeds, mixed ? 3 : 1, 1, &m.err) : r;
    ok(r == GV_OK && compare(&e, "loss", gv_plan_output(m.p, "loss")->data, 1) < 1e-13 && compare(&e, "grad", gv_store_find(m.s, "grad.z")->data, 20) < 1e-13, "%s as torch has it %s", e.key, m.err.text);
    release(&m);
}

int main(void)
{
    gv_err err = { 0 };
    if (golden_open(&gold, "tests/golden/clam.gold") < 0 || gv_arena_init(&arena, "test", (size_t)256 << 20, &err) < 0) {
        printf("Bail out! no golden file %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < GV_COUNT(examples); i++) {
        one(&examples[i]);
        if (!strcmp(examples[i].head, "clam"))
            attention(&examples[i]);
    }
    weighted(false);
    weighted(true);
    gv_free(gold.text);
    gv_arena_release(&arena);
    return done();
}
