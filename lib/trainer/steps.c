/* steps: a batch forward and backward, the optimizer, and losses that are not finite. */
#include "trainer/trainer.h"
#include "common/log.h"
#include <inttypes.h>

enum { BAD_IN_A_ROW = 3 };

/* Logits of a plan as floats in scratch. */
const float *gv_trainer_logits(gv_trainer *w, const gv_plan *plan, gv_err *err)
{
    const gv_stored *l = gv_plan_output(plan, "logits");
    int64_t n = gv_shape_count(l->shape, l->ndim);
    float *f = gv_arena_alloc_dirty(&w->st->batch, (size_t)n * sizeof *f, err);
    if (f)
        gv_to_f32(l->dtype, l->data, f, (size_t)n);
    return f;
}

double gv_trainer_loss(const gv_plan *plan)
{
    const gv_stored *l = gv_plan_output(plan, "loss");
    double v = NAN;
    gv_to_f64(l->dtype, l->data, &v, 1);
    return v;
}

static int optimizer_step(gv_trainer *w, const gv_plan *plan, gv_err *err)
{
    if (w->t.step == 0 && w->c->training.write_gradients && gv_gradients_write(w->store, plan, w->c->training.write_gradients, err) < 0)
        return err->code;
    double lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, w->t.epoch), norm, began = gv_trainer_began(w);
    int r = gv_optimizer_step(w->opt, lr, &norm, err);
    if (r == GV_OK)
        w->t.bad_steps = 0;
    else if (r == GV_ENAN) { /* the loss was finite, a gradient was not: the same policy */
        if (++w->t.bad_steps >= BAD_IN_A_ROW)
            return gv_fail_in(err, "the gradients of %d steps in a row were not finite; lower optimizer.lr or set training.gradient_clip_val", BAD_IN_A_ROW);
        gv_log(GV_WARNING, "step %" PRId64 " in epoch %" PRId64 " is left out: %s", w->t.step + 1, w->t.epoch + 1, err->text);
        gv_err_clear(err);
        r = GV_OK;
    }
    gv_trainer_took(w, "optimizer", gv_optimizer_names[w->c->optimizer.name], began);
    began = gv_trainer_began(w);
    if (w->c->training.gradient_accumulation_steps > 1) /* else every batch writes over them */
        gv_optimizer_zero_grads(w->opt);
    gv_trainer_took(w, "zero gradients", "", began);
    w->micro = 0;
    w->t.step++;
    w->steps_unsaved++;
    return r;
}

/* The batch is left out, with what was accumulated before it: its gradients are mixed with theirs. */
static int bad_loss(gv_trainer *w, const gv_batch *b, gv_err *err)
{
    char ids[300];
    gv_optimizer_zero_grads(w->opt);
    gv_undo_back(&w->undo);
    w->micro = 0;
    gv_batch_name(b, ids, sizeof ids);
    if (!w->t.bad_losses)
        snprintf(w->t.bad, sizeof w->t.bad, "batch %" PRId64 " of epoch %" PRId64 " (samples %s)", w->t.epoch_batches, w->t.epoch + 1, ids);
    if (++w->t.bad_losses >= BAD_IN_A_ROW)
        return gv_fail(err, GV_ENAN, "the loss was not finite in %d batches in a row, first in %s; look at these samples, lower optimizer.lr or set training.gradient_clip_val", BAD_IN_A_ROW, w->t.bad);
    gv_log(GV_WARNING, "the loss of batch %" PRId64 " in epoch %" PRId64 " is not finite: it is left out (samples %s)", w->t.epoch_batches, w->t.epoch + 1, ids);
    return GV_OK;
}

int gv_trainer_batch(gv_trainer *w, const gv_record *rec, bool ends, gv_err *err)
{
    gv_batch b;
    gv_network *net;
    gv_plan *plan;
    int r = gv_batch_read(&b, rec, &w->facts, w->c->task.mixup, &w->st->batch, err);
    if (r == GV_OK && !b.labels && !b.targets)
        r = gv_fail(err, GV_EDATA, "a training batch has no targets");
    if (r == GV_OK)
        r = gv_plans_for(&w->plans, b.n, b.length, NULL, NULL, &net, &plan, err);
    if (r < 0)
        return r;
    gv_undo_keep(&w->undo);
    r = gv_plan_run(plan, b.feed, b.feeds, (uint64_t)w->t.batch, err);
    if (r < 0)
        return r;
    w->loss = gv_trainer_loss(plan);
    w->t.batch++;
    w->t.epoch_batches++;
    w->t.epoch_seen += b.n;
    gv_pace_add(&w->pace, b.n);
    if (!isfinite(w->loss))
        r = bad_loss(w, &b, err);
    else {
        w->t.bad_losses = 0;
        w->t.loss_sum += w->loss;
        w->t.loss_batches++;
        w->micro++;
        double began = gv_trainer_began(w);
        const float *logits = gv_trainer_logits(w, plan, err);
        r = logits ? gv_scores_add(w->scores, logits, b.rows, b.labels, b.targets, err) : err->code;
        if (r == GV_OK && w->c->task.result_plot == GV_RESULT_PLOT_ALL)
            r = gv_results_add(&w->results, logits, &b, err);
        gv_trainer_took(w, "metrics", "", began);
    }
    if (r == GV_OK && w->micro && (w->micro == w->c->training.gradient_accumulation_steps || ends))
        r = optimizer_step(w, plan, err);
    gv_trainer_progress(w, false, w->t.epoch_batches);
    return r;
}
