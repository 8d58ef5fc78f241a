/* framewise_decoder_1d against PyTorch's modules in double (scripts/golden/framewise.py): logits, and gradients of a cross-entropy with ignored
 * frames, for clips of 3 to 16 frames; keys as published; what does not fit is refused by name. */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <inttypes.h>

enum { N = 2, H = 2, W = 3, CLASSES = 3 };
static const int64_t width[4] = { 8, 16, 32, 64 };
static const char *const stages[4] = { "stem", "layer2", "layer3", "layer4" };
struct framewise { int64_t out_dim; double dropout; int64_t num_clip_frames; const char *stem_key, *layer2_key, *layer3_key, *layer4_key; };

static golden gold;
static gv_arena arena;

struct made { gv_graph *g; gv_store *s; gv_plan *p; gv_err err; gv_val map[4]; };

static gv_val logits_of(struct made *m, int64_t frames, const int64_t *times, struct framewise o, gv_phase phase)
{
    *m = (struct made){ 0 };
    gv_arena_reset(&arena);
    m->g = gv_graph_new(&arena, phase, &m->err);
    gv_features f = { .kind = GV_MAP, .stages = 4 };
    for (int i = 0; i < 4; i++) {
        m->map[i] = gv_param(m->g, stages[i], (int64_t[]){ N, times[i], H, W, width[i] }, 5, "zeros"); /* so that it has a gradient */
        f.stage[i].name = stages[i];
        f.value = f.stage[i].value = m->map[i];
    }
    gv_head_in in = { .x = f.value, .mask = GV_NO_VAL, .target = GV_NO_VAL, .features = &f, .frames = frames, .one_class = true };
    return gv_head_build_on(m->g, gv_head_find("framewise_decoder_1d"), &in, "fc", (const gv_head_options *)&o);
}

static int run(struct made *m, int64_t frames, const int64_t *times)
{
    static int64_t y[N * 64];
    for (int64_t i = 0; i < N * frames; i++)
        y[i] = (5 * i + i / 4) % 4 - 1;
    gv_val logits = logits_of(m, frames, times, (struct framewise){ CLASSES, 0, GV_NONE_I64, "stem", "layer2", "layer3", "layer4" }, GV_TRAIN);
    int64_t rows = N * frames;
    gv_loss_inputs in = { .target = gv_input(m->g, "y", GV_CLASS_I64, &rows, 1), .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    gv_val loss = gv_loss_find("cross_entropy")->build(m->g, logits, &in, &(gv_loss_options){ 0 });
    gv_output(m->g, "logits", logits);
    gv_output(m->g, "loss", loss);
    int r = gv_differentiate(m->g, loss, NULL, NULL, &m->err);
    if (r < 0 || (r = gv_store_open(&m->s, GV_FP64, &m->err)) < 0 || (r = gv_store_init(m->s, m->g, 1, &m->err)) < 0)
        return r;
    formula_store(m->s, m->g);
    for (int i = 0; i < 4; i++) { /* the maps are inputs of the original: plain formula values */
        gv_stored *t = gv_store_find(m->s, stages[i]);
        for (int64_t k = 0; k < gv_shape_count(t->shape, t->ndim); k++)
            ((double *)t->data)[k] = formula_uniform(gv_hash_name(stages[i]), k);
    }
    r = gv_plan_make(&m->p, m->g, m->s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1, .guard = true }, &m->err);
    gv_feed feed = { "y", y, GV_I64T };
    return r == GV_OK ? gv_plan_run(m->p, &feed, 1, 1, &m->err) : r;
}

static double apart(int64_t frames, const char *what, const double *have, int64_t n)
{
    static double want[1 << 14];
    char entry[128];
    double most = 0, size = 0;
    snprintf(entry, sizeof entry, "%" PRId64 ":%s", frames, what);
    if (golden_get(&gold, entry, want, 1 << 14) != n)
        return 1;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs(have[i] - want[i]));
        size = fmax(size, fabs(want[i]));
    }
    return size > 0 ? most / size : most;
}

static double gradient(const struct made *m, int64_t frames, const char *param, const char *as)
{
    char name[128], entry[128];
    snprintf(name, sizeof name, "grad.%s", param);
    snprintf(entry, sizeof entry, "grad:%s", as);
    const gv_stored *t = gv_store_find(m->s, name);
    return t ? apart(frames, entry, t->data, gv_shape_count(t->shape, t->ndim)) : 2;
}

static void one(int64_t frames, const int64_t *times)
{
    struct made m;
    int r = run(&m, frames, times);
    ok(r == GV_OK, "%" PRId64 " frames run %s", frames, m.err.text);
    if (r == GV_OK) {
        double worst = 0;
        int count = 0;
        ok(apart(frames, "logits", gv_plan_output(m.p, "logits")->data, N * frames * CLASSES) < 1e-12, "%" PRId64 " frames: logits", frames);
        ok(gradient(&m, frames, "head.conv_last.weight", "head.conv_last.weight") < 1e-10 && gradient(&m, frames, "head.dconv_up1.1.weight", "head.dconv_up1.1.weight") < 1e-10 &&
            gradient(&m, frames, "layer4", "layer4") < 1e-10, "%" PRId64 " frames: gradients of the last layer, of a norm, of the coarsest map", frames);
        for (int i = 0; i < gv_param_count(m.g); i++) {
            const gv_param_info *p = gv_param_at(m.g, i);
            if (p->buffer || strncmp(p->name, "head.", 5))
                continue;
            char name[128], entry[128];
            snprintf(name, sizeof name, "grad.%s", p->name);
            snprintf(entry, sizeof entry, "norm:%s", p->name);
            const gv_stored *t = gv_store_find(m.s, name);
            double norm = 0, d;
            for (int64_t k = 0; t && k < gv_shape_count(t->shape, t->ndim); k++)
                norm += ((const double *)t->data)[k] * ((const double *)t->data)[k];
            norm = sqrt(norm);
            /* a bias in front of a batch norm changes nothing: rounding is left */
            bool idle = strstr(p->name, "dconv") && strstr(p->name, ".bias") && (strstr(p->name, ".0.") || strstr(p->name, ".3."));
            d = idle ? norm : apart(frames, entry, &norm, 1);
            worst = fmax(worst, d);
            count++;
        }
        ok(worst < 1e-10 && count == 26, "%" PRId64 " frames: norms of all %d gradients under the published keys (%.1e)", frames, count, worst);
    }
    gv_plan_close(m.p);
    gv_store_close(m.s);
}

static void refused(int64_t frames, int64_t num_clip_frames, const char *stem, const char *says)
{
    struct made m;
    logits_of(&m, frames, (int64_t[]){ 4, 2, 1, 1 }, (struct framewise){ CLASSES, 0, num_clip_frames, stem, "layer2", "layer3", "layer4" }, GV_EVAL);
    const gv_err *e = gv_graph_error(m.g);
    const char *why = e ? e->text : NULL;
    ok(why && strstr(why, says), "refused: %s", why ? why : "nothing");
}

int main(void)
{
    gv_err err = { 0 };
    if (golden_open(&gold, "tests/golden/framewise.gold") < 0 || gv_arena_init(&arena, "test", (size_t)1 << 30, &err) < 0) {
        ok(0, "golden values are there");
        return done();
    }
    one(3, (int64_t[]){ 3, 2, 1, 1 });
    one(6, (int64_t[]){ 6, 3, 2, 1 });
    one(8, (int64_t[]){ 8, 4, 2, 1 });
    one(16, (int64_t[]){ 16, 8, 4, 2 });
    refused(2, GV_NONE_I64, "stem", "3 to 1024 frames");
    refused(4, 8, "stem", "num_clip_frames is 8; the clips have 4");
    refused(4, 4, "layer0", "no stage 'layer0'");
    gv_arena_release(&arena);
    gv_free(gold.text);
    return done();
}
