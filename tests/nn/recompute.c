/* Values of the forward pass that are made again for the backward pass: two steps with dropout and drop path give the same bytes as when all is
 * kept (loss, logits, gradients, running statistics, counters), in a smaller arena, and whatever changes state runs once. */
#include "nn/backend.h"
#include "tests/nn/network.h"

static const struct model { const char *name; double drop_path, drop; bool norms; } models[] = {
    { "test_resnet", 0.2, 0, true }, { "resnet18", 0, 0, true }, { "resnet50d", 0.2, 0, true }, { "seresnext26t_32x4d", 0.2, 0, true },
    { "vit_tiny_patch16_224", 0.2, 0.1, false }, { "convnext_atto", 0.2, 0, false },
};

/* Two steps. */
static void run(struct outcome *o, const struct model *c, gv_recompute_level level, gv_precision precision, const char *backend, bool guard)
{
    bool transformer = strstr(c->name, "vit") != NULL;
    struct network w = { .name = c->name, .phase = GV_TRAIN, .runs = 2,
                         .options = { .drop_path_rate = c->drop_path, .proj_drop_rate = c->drop, .pos_drop_rate = c->drop, .img_size = transformer ? SIDE : 0 } };
    gv_plan_options po = { .precision = precision, .backend = backend, .threads = 2, .keep_grads = true, .grad_scale = 1, .overwrite_grads = true, .recompute = level, .guard = guard, .seed = 7 };
    network_run(o, &w, &po);
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

/* Large steps, planned only: auto makes sums, norms and ReLU of a ResNet again, as cheap does (there are no casts in float), and keeps a transformer's GELU. */
static void automatic(void)
{
    static const struct { const char *name; int batch, side; bool light; } large[] = { { "resnet18", 64, 224, true }, { "vit_tiny_patch16_224", 64, 224, false } };
    for (size_t i = 0; i < GV_COUNT(large); i++) {
        struct outcome o[3];
        for (int k = 0; k < 3; k++) {
            struct network w = { .name = large[i].name, .phase = GV_TRAIN, .batch = large[i].batch, .side = large[i].side };
            gv_plan_options po = { .precision = GV_FP32, .backend = "reference", .threads = 1, .keep_grads = true, .grad_scale = 1,
                                   .recompute = (gv_recompute_level[]){ GV_RECOMPUTE_NO, GV_RECOMPUTE_AUTO, GV_RECOMPUTE_CHEAP }[k] };
            network_run(&o[k], &w, &po);
        }
        bool less = gv_plan_bytes(o[1].p) < gv_plan_bytes(o[0].p), all = gv_plan_nodes(o[1].p) == gv_plan_nodes(o[2].p);
        ok(less == large[i].light && all == large[i].light && gv_plan_bytes(o[2].p) < gv_plan_bytes(o[0].p),
           "%s, %d of %d px: %zu bytes of intermediates, %zu with auto, %zu with cheap", large[i].name, large[i].batch, large[i].side, gv_plan_bytes(o[0].p), gv_plan_bytes(o[1].p),
           gv_plan_bytes(o[2].p));
        for (int k = 0; k < 3; k++)
            network_drop(&o[k]);
    }
}

int main(void)
{
    automatic();
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
            network_drop(&cheap);
            run(&blocks, c, GV_RECOMPUTE_BLOCKS, how[k].p, how[k].backend, false);
            snprintf(what, sizeof what, "%s, blocks", how[k].name);
            compare(c, &kept, &blocks, what, true);
            network_drop(&blocks);
            run(&none, c, GV_RECOMPUTE_AUTO, how[k].p, how[k].backend, false);
            ok(gv_plan_nodes(none.p) == gv_plan_nodes(kept.p), "%s, %s: auto leaves a small step alone", c->name, how[k].name);
            network_drop(&none);
            if (!k) { /* nothing is written outside its place: same bytes, each value with memory of its own */
                struct outcome guarded;
                run(&guarded, c, GV_RECOMPUTE_BLOCKS, how[k].p, how[k].backend, true);
                ok(same(gv_plan_output(guarded.p, "loss"), gv_plan_output(kept.p, "loss")), "%s, guarded: the same loss", c->name);
                network_drop(&guarded);
            }
            network_drop(&kept);
        }
    return done();
}
