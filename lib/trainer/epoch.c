/* epoch: the end of an epoch. */
#include "trainer/trainer.h"
#include "common/log.h"
#include <inttypes.h>

/* Both streams must end well before the last epoch is published. */
static int read_ends(gv_trainer *w, gv_err *err)
{
    gv_record rec;
    gv_hold_signals(true);
    int r = gv_next(w->train, &rec, err);
    if (r == 0 && w->val)
        r = gv_next(w->val, &rec, err);
    gv_hold_signals(false);
    if (r > 0)
        return gv_fail(err, GV_EDATA, "more epochs came in than the %" PRId64 " of training.epochs", w->c->training.epochs);
    return r;
}

/* A signal during validation: the training of this epoch is kept, and a resumed run begins with the validation. */
static int stop_validating(gv_trainer *w, gv_err *err)
{
    gv_err_clear(err);
    w->t.validating = true;
    w->t.pos = w->count;
    int r = gv_trainer_save(w, err);
    return r < 0 ? r : gv_trainer_stopped(w, err);
}

/* Is this epoch the best so far? Without validation the latest is. What is not finite never is. */
static bool decide(gv_trainer *w, const gv_epoch_line *line, const char *key)
{
    double v = gv_epoch_line_find(line, key);
    bool finite = isfinite(v) && (!w->val || isfinite(line->val_loss));
    bool better = finite && (!w->val || !isfinite(w->t.best) || (gv_session_higher_is_better(key) ? v > w->t.best : v < w->t.best));
    if (!w->val && !isfinite(v))
        better = isfinite(line->train_loss);
    w->t.is_best = better;
    w->t.stale_epochs = better ? 0 : w->t.stale_epochs + 1;
    if (better) {
        w->t.best = v;
        w->t.best_epoch = line->epoch;
    }
    return better;
}

static int tell_epoch(gv_trainer *w, const gv_epoch_line *line, bool better, gv_err *err)
{
    gv_buf text = { 0 };
    int r = gv_epoch_line_text(line, w->c->training.epochs, gv_trainer_now() - w->epoch_began, better && w->val, &text, err);
    if (r == GV_OK) {
        if (getenv("GLOVITA_EVENTS"))
            gv_event("epoch", "\"text\":\"%s\"", text.data);
        else
            gv_log(GV_INFO, "%s", text.data);
    }
    gv_buf_release(&text);
    return r;
}

int gv_trainer_end_epoch(gv_trainer *w, gv_err *err)
{
    int64_t e = w->t.epoch;
    static gv_epoch_line line;
    line = (gv_epoch_line){ .epoch = e, .step = w->t.step, .lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, e), .val_loss = NAN,
        .train_loss = w->t.loss_batches ? w->t.loss_sum / (double)w->t.loss_batches : NAN };
    gv_pace_end(&w->pace, gv_trainer_now());
    gv_hold_signals(w->count < 0); /* without a count there is no place to go on from: a signal waits for the end */
    int r = w->val ? gv_trainer_validate(w, &line.val_loss, err) : GV_OK;
    gv_hold_signals(false);
    if (r == GV_ESAVED)
        return stop_validating(w, err);
    if (r == GV_OK && e + 1 >= w->c->training.epochs)
        r = read_ends(w, err);
    if (r == GV_OK)
        r = gv_epoch_line_values(&line, "train_", w->scores, err);
    if (r == GV_OK && w->val)
        r = gv_epoch_line_values(&line, "val_", w->val_scores, err);
    w->t.train_picture.len = 0;
    if (r == GV_OK && w->c->task.result_plot == GV_RESULT_PLOT_ALL)
        r = gv_results_json(&w->results, &w->t.train_picture, err);
    if (r < 0)
        return r;
    const char *key = gv_session_best_metric(w->c);
    bool better = decide(w, &line, key), patience = w->c->training.patience != GV_NONE_I64 && w->t.stale_epochs >= w->c->training.patience;
    w->t.epoch = e + 1;
    w->t.pos = 0;
    w->t.epoch_batches = w->t.epoch_seen = w->t.loss_batches = 0;
    w->t.loss_sum = 0;
    w->t.epoch_end = true;
    w->t.validating = false;
    w->t.finished = e + 1 >= w->c->training.epochs || patience;
    gv_scores_reset(w->scores);
    gv_results_reset(&w->results);
    gv_free(w->t.line);
    w->t.line = gv_epoch_line_json(&line, err);
    if (!w->t.line)
        return err->code;
    w->t.metrics_bytes = w->journal.bytes;
    r = gv_trainer_save(w, err);
    if (r == GV_OK)
        r = gv_trainer_publish(w, w->plans.v[0].net, err);
    if (r == GV_OK)
        r = tell_epoch(w, &line, better, err);
    if (r == GV_OK && patience)
        gv_log(GV_WARNING, "stopped early: %s has not improved for %" PRId64 " epochs", key, w->t.stale_epochs);
    w->t.epoch_end = false; /* what is saved from here on lies inside an epoch */
    w->epoch_began = gv_trainer_now();
    gv_trainer_begin_pass(w, GV_PACE_TRAIN);
    return r;
}
