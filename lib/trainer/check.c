/* check: validation batches through the network as it is. */
#include "trainer/trainer.h"
#include "common/log.h"
#include <inttypes.h>

/* One batch through the network as it is. *logits [b->n, K] lie in the batch's arena. */
static int eval_batch(gv_trainer *w, const gv_record *rec, gv_batch *b, const float **logits, double *loss, gv_err *err)
{
    gv_network *net;
    gv_plan *plan;
    int r = gv_batch_read(b, rec, &w->facts, false, &w->st->batch, err);
    if (r == GV_OK && !b->labels && !b->targets)
        r = gv_fail(err, GV_EDATA, "a validation batch has no targets");
    if (r == GV_OK)
        r = gv_plans_for(&w->eval, b->n, b->length, NULL, NULL, &net, &plan, err);
    if (r == GV_OK)
        r = gv_plan_run(plan, b->feed, b->feeds, 0, err);
    if (r < 0)
        return r;
    *loss = gv_trainer_loss(plan);
    *logits = gv_trainer_logits(w, plan, err);
    return *logits ? GV_OK : err->code;
}

/* training.num_sanity_val_steps: what would fail in the first validation fails before any training. Nothing of it is kept. */
int gv_trainer_sanity(gv_trainer *w, gv_err *err)
{
    gv_reader *in;
    gv_record rec;
    int64_t done = 0;
    int r = gv_open_input(w->o->sanity, &in, err);
    if (r < 0)
        return r;
    while (done < w->c->training.num_sanity_val_steps && (r = gv_next(in, &rec, err)) > 0) {
        gv_batch b;
        const float *logits;
        double loss;
        gv_arena_reset(&w->st->batch);
        if ((r = eval_batch(w, &rec, &b, &logits, &loss, err)) == GV_OK)
            r = gv_scores_add(w->val_scores, logits, b.rows, b.labels, b.targets, err);
        if (r < 0)
            break;
        if (!isfinite(loss))
            gv_log(GV_WARNING, "the loss of validation batch %" PRId64 " is not finite before any training", done + 1);
        done++;
    }
    gv_scores_reset(w->val_scores);
    gv_reader_close(in); /* its stages end when they find that nobody reads on */
    if (r < 0)
        return r == GV_ESAVED ? r : gv_fail_in(err, "before training, in validation batch %" PRId64, done + 1);
    if (!done)
        return gv_fail(err, GV_EDATA, "before training: the validation stream holds no batch");
    char text[100];
    snprintf(text, sizeof text, "trial        %" PRId64 " validation batch%s went through the network", done, done == 1 ? "" : "es");
    gv_note(text);
    return GV_OK;
}

/* One epoch of the validation stream. GV_ESAVED: a signal came; nothing has changed but the place in the stream. */
int gv_trainer_validate(gv_trainer *w, double *loss, gv_err *err)
{
    double sum = 0, one;
    int64_t batches = 0, seen = 0, steps = w->c->training.val_steps_per_epoch;
    bool ended = false;
    gv_record rec;
    int r = GV_OK;
    gv_scores_reset(w->val_scores);
    gv_results_reset(&w->val_results);
    gv_trainer_begin_pass(w, GV_PACE_VAL);
    while (!ended && (r = gv_next(w->val, &rec, err)) > 0) {
        gv_arena_reset(&w->st->batch);
        gv_batch b;
        const float *logits;
        const gv_item *e = gv_get(&rec, "ends_epoch");
        ended = e && e->type == GV_ITEM_BOOL && e->b;
        if (!ended && w->count >= 0 && gv_stop_requested())
            return gv_fail(err, GV_ESAVED, "stopped in a validation");
        if (steps != GV_NONE_I64 && batches >= steps) /* the rest of the epoch is read, so that the stream stays in step */
            continue;
        if (eval_batch(w, &rec, &b, &logits, &one, err) < 0)
            return gv_fail_in(err, "validation batch %" PRId64, batches + 1);
        sum += one;
        batches++;
        seen += b.n;
        gv_pace_add(&w->pace, b.n);
        r = gv_scores_add(w->val_scores, logits, b.rows, b.labels, b.targets, err);
        if (r == GV_OK)
            r = gv_results_add(&w->val_results, logits, &b, err);
        if (r < 0)
            return r;
        gv_trainer_progress(w, true, batches);
    }
    gv_pace_end(&w->pace, gv_trainer_now());
    if (r < 0)
        return r;
    if (!ended)
        return gv_fail(err, GV_EDATA, "the validation stream ended before its epoch did, after %" PRId64 " samples", seen);
    *loss = batches ? sum / (double)batches : NAN;
    w->t.picture.len = 0;
    return gv_results_json(&w->val_results, &w->t.picture, err);
}
