/* Values of the forward pass that are made again for the backward pass: two steps with dropout and drop path give the same bytes as when all is
 * kept (loss, logits, gradients, running statistics, counters), in a smaller arena, and whatever changes state runs once. */
#include "nn/backend.h"
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { CLASSES = 5, BATCH = 2, SIDE = 64 };

static const struct model { const char *name; double drop_path, drop; bool norms; } models[] = {
    { "test_resnet", 0.2, 0, true }, { "resnet18", 0, 0, true }, { "resnet50d", 0.2, 0, true }, { "seresnext26t_32x4d", 0.2, 0, true },
    { "vit_tiny_patch16_224", 0.2, 0.1, false }, { "convnext_atto", 0.2, 0, false },
};

struct outcome { gv_arena arena; gv_graph *g; gv_store *s; gv_plan *p; gv_buf text; };

static void run(struct outcome *o, const struct model *c, gv_recompute_level level, gv_precision precision, const char *backend, bool guard)
{
    static double x[BATCH * SIDE * SIDE * 3];
    static const int64_t y[BATCH] = { 1, 3 };
    gv_err err = { 0 };
    gv_model_ref m;
    memset(o, 0, sizeof *o);
    int r = gv_arena_init(&o->arena, "graph", (size_t)1 << 28, &err);
    r = r < 0 ? r : gv_model_find(c->name, &m, &err);
    o->g = r < 0 ? NULL : gv_graph_new(&o->arena, GV_TRAIN, &err);
    if (o->g) {
        gv_val in = gv_input(o->g, "x", GV_CLASS_REAL, (int64_t[]){ BATCH, SIDE, SIDE, 3 }, 4), t = gv_input(o->g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
        gv_features f = gv_model_build(o->g, &m, &(gv_model_options){ .drop_path_rate = c->drop_path, .proj_drop_rate = c->drop, .pos_drop_rate = c->drop, .img_size = m.family->transformer ? SIDE : 0 }, in);
        gv_val v = gv_pool(o->g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
        v = gv_head_build(o->g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
        gv_output(o->g, "logits", v);
        gv_loss_inputs li = { .target = t, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
        gv_val loss = gv_loss_find("cross_entropy")->build(o->g, v, &li, &(gv_loss_options){ 0 });
        gv_output(o->g, "loss", loss);
        for (int i = 0; i < BATCH * SIDE * SIDE * 3; i++)
            x[i] = formula_uniform(gv_hash_name("x"), i);
        r = gv_store_open(&o->s, precision, &err);
        r = r < 0 ? r : gv_store_init(o->s, o->g, 1, &err);
        r = r < 0 ? r : gv_differentiate(o->g, loss, NULL, NULL, &err);
        gv_plan_options po = { .precision = precision, .backend = backend, .threads = 2, .keep_grads = true, .grad_scale = 1, .overwrite_grads = true, .recompute = level, .guard = guard, .seed = 7 };
        r = r < 0 ? r : gv_plan_make(&o->p, o->g, o->s, &po, &err);
        gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
        for (uint64_t k = 0; k < 2; k++)
            r = r < 0 ? r : gv_plan_run(o->p, feeds, 2, k, &err);
        r = r < 0 ? r : gv_plan_describe(o->p, &o->text, &err);
    }
    if (!o->p || r < 0) {
        printf("Bail out! %s: %s\n", c->name, err.text);
        exit(1);
    }
}

static void drop(struct outcome *o)
{
    gv_buf_release(&o->text);
    gv_plan_close(o->p);
    gv_store_close(o->s);
    gv_arena_release(&o->arena);
}

static int count(const struct outcome *o, const char *word)
{
    int n = 0;
    for (const char *t = o->text.data; (t = strstr(t, word)); t++)
        n++;
    return n;
}

static bool same(const gv_stored *a, const gv_stored *b) { return a && b && a->bytes == b->bytes && !memcmp(a->data, b->data, a->bytes); }

static void compare(const struct model *c, const struct outcome *kept, const struct outcome *again, const char *what, bool smaller)
{
    int all = 0, equal = 0;
    const char *which = "";
    for (int i = 0; i < gv_store_count(kept->s); i++) {
        const gv_stored *a = gv_store_at(kept->s, i), *b = gv_store_find(again->s, a->name);
        all++;
        if (same(a, b))
            equal++;
        else
            which = a->name;
    }
    bool outputs = same(gv_plan_output(kept->p, "loss"), gv_plan_output(again->p, "loss")) && same(gv_plan_output(kept->p, "logits"), gv_plan_output(again->p, "logits"));
    ok(outputs && all == equal && all == gv_store_count(again->s), "%s, %s: loss, logits and the store are the same bytes (%d of %d; %s)", c->name, what, equal, all, which);
    int updates = count(kept, "\"op\":\"update\""), counts = count(kept, "\"op\":\"count\"");
    ok(gv_plan_nodes(again->p) > gv_plan_nodes(kept->p) && count(again, "\"op\":\"update\"") == updates && count(again, "\"op\":\"count\"") == counts,
       "%s, %s: %d nodes were %d, and no state changes twice", c->name, what, gv_plan_nodes(again->p), gv_plan_nodes(kept->p));
    if (smaller)
        ok(gv_plan_bytes(again->p) < gv_plan_bytes(kept->p), "%s, %s: %zu bytes were %zu", c->name, what, gv_plan_bytes(again->p), gv_plan_bytes(kept->p));
}

int main(void)
{
    static const struct { gv_precision p; const char *backend, *name; } how[] = { { GV_FP64, "reference", "fp64" }, { GV_FP32, "onednn", "fp32" }, { GV_MIXED_BF16, "onednn", "bf16" } };
    for (size_t i = 0; i < GV_COUNT(models); i++)
        for (size_t k = 0; k < GV_COUNT(how); k++) {
            const struct model *c = &models[i];
            struct outcome kept, cheap, blocks, none;
            char what[64];
            if (k && (!gv_backend_known("onednn") || (how[k].p == GV_MIXED_BF16 && !gv_backend_find("onednn")->has_bf16()))) {
                ok(true, "%s: # SKIP this processor or build has no %s", c->name, how[k].name);
                continue;
            }
            run(&kept, c, GV_RECOMPUTE_NO, how[k].p, how[k].backend, false);
            run(&cheap, c, GV_RECOMPUTE_CHEAP, how[k].p, how[k].backend, false);
            snprintf(what, sizeof what, "%s, cheap", how[k].name);
            compare(c, &kept, &cheap, what, c->norms);
            drop(&cheap);
            run(&blocks, c, GV_RECOMPUTE_BLOCKS, how[k].p, how[k].backend, false);
            snprintf(what, sizeof what, "%s, blocks", how[k].name);
            compare(c, &kept, &blocks, what, true);
            drop(&blocks);
            run(&none, c, GV_RECOMPUTE_AUTO, how[k].p, how[k].backend, false);
            ok(gv_plan_nodes(none.p) == gv_plan_nodes(kept.p), "%s, %s: auto leaves a small step alone", c->name, how[k].name);
            drop(&none);
            if (!k) { /* nothing is written outside its place: same bytes, each value with memory of its own */
                struct outcome guarded;
                run(&guarded, c, GV_RECOMPUTE_BLOCKS, how[k].p, how[k].backend, true);
                ok(same(gv_plan_output(guarded.p, "loss"), gv_plan_output(kept.p, "loss")), "%s, guarded: the same loss", c->name);
                drop(&guarded);
            }
            drop(&kept);
        }
    return done();
}
