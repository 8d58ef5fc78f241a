/*
 * For tests of what plans make of a whole network: a model of BATCH images with its classifier and loss, values of the store, one plan, and
 * some runs on the same images. It ends the test when something fails, since nothing can be told then.
 */
#ifndef GV_TESTS_NN_NETWORK_H
#define GV_TESTS_NN_NETWORK_H

#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { CLASSES = 5, BATCH = 2, SIDE = 64 };

struct outcome { gv_arena arena; gv_graph *g; gv_store *s; gv_plan *p; gv_buf text; }; /* text: of gv_plan_describe */

/* by_formula: weights and statistics from tests/golden/formula.h, else drawn. same_step: all runs have the number 1, else 0, 1, …
 * batch, side: where no run follows, in place of BATCH and SIDE. */
struct network { const char *name; gv_model_options options; gv_phase phase; bool by_formula, same_step; int runs, batch, side; };

static inline void network_run(struct outcome *o, const struct network *w, const gv_plan_options *po)
{
    static double x[BATCH * SIDE * SIDE * 3];
    static const int64_t y[BATCH] = { 1, 3 };
    gv_err err = { 0 };
    gv_model_ref m;
    memset(o, 0, sizeof *o);
    int batch = w->batch ? w->batch : BATCH, side = w->side ? w->side : SIDE;
    int r = gv_arena_init(&o->arena, "graph", (size_t)1 << 28, &err);
    r = r < 0 ? r : gv_model_find(w->name, &m, &err);
    o->g = r < 0 ? NULL : gv_graph_new(&o->arena, w->phase, &err);
    if (o->g) {
        gv_val in = gv_input(o->g, "x", GV_CLASS_REAL, (int64_t[]){ batch, side, side, 3 }, 4), t = gv_input(o->g, "y", GV_CLASS_I64, (int64_t[]){ batch }, 1);
        gv_features f = gv_model_build(o->g, &m, &w->options, in);
        gv_val v = gv_pool(o->g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
        v = gv_head_build(o->g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
        gv_output(o->g, "logits", v);
        gv_loss_inputs li = { .target = t, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
        gv_val loss = gv_loss_find("cross_entropy")->build(o->g, v, &li, &(gv_loss_options){ 0 });
        gv_output(o->g, "loss", loss);
        for (int i = 0; i < BATCH * SIDE * SIDE * 3; i++)
            x[i] = formula_uniform(gv_hash_name("x"), i);
        r = gv_store_open(&o->s, po->precision, &err);
        r = r < 0 ? r : gv_store_init(o->s, o->g, 1, &err);
        if (r == GV_OK && w->by_formula)
            formula_store(o->s, o->g);
        if (w->phase == GV_TRAIN)
            r = r < 0 ? r : gv_differentiate(o->g, loss, NULL, NULL, &err);
        r = r < 0 ? r : gv_plan_make(&o->p, o->g, o->s, po, &err);
        gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
        for (int k = 0; k < w->runs; k++)
            r = r < 0 ? r : gv_plan_run(o->p, feeds, 2, w->same_step ? 1 : (uint64_t)k, &err);
        r = r < 0 ? r : gv_plan_describe(o->p, NULL, &o->text, &err);
    }
    if (!o->p || r < 0) {
        printf("Bail out! %s: %s\n", w->name, err.text);
        exit(1);
    }
}

static inline void network_drop(struct outcome *o)
{
    gv_buf_release(&o->text);
    gv_plan_close(o->p);
    gv_store_close(o->s);
    gv_arena_release(&o->arena);
}

#endif
