/* train: forward, backward, optimizer; metrics and checkpoints of a run. The end of the flow: it reads batches and writes files. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "json/json.h"
#include "nn/optim/optim.h"
#include "session/journal.h"
#include "session/lock.h"
#include "session/pace.h"
#include "session/results.h"
#include "session/session.h"
#include "session/undo.h"
#include "stage/stage.h"
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

struct train {
    const char *run, *val, *sanity;
    bool resume;
    int64_t lock_fd, samples, val_samples;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct train, run, "directory of the run: checkpoints, metrics"),
    GV_OPT_STR(struct train, val, "stream of validation batches (a path, a FIFO, fd:N); one epoch of it is read after each of training"),
    GV_OPT_STR(struct train, sanity, "another stream of validation batches: training.num_sanity_val_steps of it are tried before the first step"),
    GV_BOOL(struct train, resume, false, "go on from checkpoints/resume.safetensors"),
    GV_I64(struct train, lock_fd, -1, -1, 1 << 20, "", "descriptor that holds the run's lock already"),
    GV_I64(struct train, samples, 0, 0, INT64_MAX, "samples", "training samples of an epoch, for progress alone"),
    GV_I64(struct train, val_samples, 0, 0, INT64_MAX, "samples", "validation samples of an epoch, for progress alone"),
    GV_END,
};

static const char *const blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "optimizer", "training", "task", "dataloading.batch_size", "dataloading.eval_batch_size", "dataloading.drop_last_train", "dataloading.drop_last_eval", NULL };

enum { BAD_IN_A_ROW = 3 };

typedef struct trainer {
    gv_stage_ctx *st;
    const gv_config *c;
    const struct train *o;
    gv_facts facts;
    gv_reader *train, *val;
    gv_store *store;
    gv_plans plans, eval;
    gv_optimizer *opt;
    gv_undo undo;
    gv_scores *scores, *val_scores;
    gv_results results, val_results;
    gv_train_state t;
    gv_journal journal;
    double loss;            /* of the last batch */
    int64_t micro;          /* batches whose gradients are accumulated */
    int64_t count;          /* samples of an epoch, as the stream says; -1: it does not */
    int64_t limit;          /* batches of an epoch that are trained; INT64_MAX: all */
    double epoch_began, saved, shown;
    gv_pace pace;
    double metric, metric_at;
    int64_t save_steps, steps_unsaved;
    double save_seconds;
    bool resumed, stopped;
} trainer;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void state_path(const trainer *w, char *path, size_t size)
{
    snprintf(path, size, "%s/checkpoints/resume.safetensors", w->o->run);
}

/* ---- start ---- */

/* Before the first plan: parameters, then the optimizer's state, then what a resumed run had. */
static int prepare(void *arg, gv_network *net, gv_err *err)
{
    trainer *w = arg;
    gv_buf note = { 0 };
    int r = w->resumed ? gv_store_init(w->store, net->graph, w->c->training.seed, err) : gv_network_init(net, w->store, w->c, w->c->training.seed, &note, err);
    if (r == GV_OK && note.len)
        gv_note(note.data);
    gv_buf_release(&note);
    if (r < 0)
        return r;
    gv_optim_hyper h = gv_optim_defaults();
    h.weight_decay = w->c->optimizer.weight_decay;
    h.nesterov = w->c->optimizer.nesterov;
    h.clip = w->c->training.gradient_clip_val;
    gv_optim_groups groups = { w->c->optimizer.undecay_norm, w->c->optimizer.layer_wise_lr_decay };
    r = gv_optimizer_open(&w->opt, gv_optimizer_names[w->c->optimizer.name], &h, &groups, w->store, net->graph, err);
    if (r == GV_OK)
        r = gv_undo_open(&w->undo, net->graph, w->store, err);
    if (r < 0 || !w->resumed)
        return r;
    char path[4200];
    state_path(w, path, sizeof path);
    gv_state_release(&w->t); /* the numbers that were looked at first */
    r = gv_state_read(&w->t, w->store, path, err);
    if (r == GV_OK && w->t.accumulated.len)
        r = gv_scores_load(w->scores, w->t.accumulated.data, w->t.accumulated.len, err);
    return r == GV_OK && w->t.results.len ? gv_results_load(&w->results, w->t.results.data, w->t.results.len, err) : r;
}

static int open_streams(trainer *w, gv_err *err)
{
    int r = gv_open_input("-", &w->train, err);
    if (r == GV_OK && gv_reader_header(w->train)->kind != GV_BATCH)
        r = gv_fail(err, GV_EDATA, "stream 'stdin' holds %s records; glovita-train reads batch", gv_kind_name(gv_reader_header(w->train)->kind));
    if (r == GV_OK)
        r = gv_facts_read(&w->facts, gv_reader_header(w->train), &w->st->run, err);
    if (r == GV_OK && w->c->data.num_classes != GV_NONE_I64 && w->facts.num_classes == 0)
        w->facts.num_classes = w->c->data.num_classes;
    if (r == GV_OK && w->facts.num_classes < 1)
        r = gv_fail(err, GV_EUSAGE, "neither the stream nor --data.num_classes tells the number of classes");
    w->count = -1;
    if (r == GV_OK)
        (void)gv_get_i64(gv_reader_header(w->train), "count", &w->count);
    if (r == GV_OK && w->o->val)
        r = gv_open_input(w->o->val, &w->val, err);
    if (r == GV_OK && w->val && gv_reader_header(w->val)->kind != GV_BATCH)
        r = gv_fail(err, GV_EDATA, "'--val' '%s' holds %s records; glovita-train reads batch", w->o->val, gv_kind_name(gv_reader_header(w->val)->kind));
    return r;
}

static int open_scores(trainer *w, gv_err *err)
{
    w->results.f = w->val_results.f = &w->facts;
    int r = gv_scores_open(&w->scores, w->c, w->facts.subtask, w->facts.num_classes, err);
    return r == GV_OK ? gv_scores_open(&w->val_scores, w->c, w->facts.subtask, w->facts.num_classes, err) : r;
}

/* ---- saving ---- */

static int save_state(trainer *w, gv_err *err)
{
    w->saved = now();
    w->steps_unsaved = 0;
    if (!w->o->run || !w->c->training.enable_checkpointing)
        return GV_OK;
    char path[4200];
    state_path(w, path, sizeof path);
    w->t.dtype = w->facts.dtype;
    w->t.ndim = w->facts.ndim;
    memcpy(w->t.shape, w->facts.shape, sizeof w->facts.shape);
    w->t.accumulated.len = w->t.results.len = 0;
    int r = w->t.epoch_batches ? gv_scores_save(w->scores, &w->t.accumulated, err) : GV_OK;
    if (r == GV_OK && w->t.epoch_batches && w->c->task.result_plot == GV_RESULT_PLOT_ALL)
        r = gv_results_save(&w->results, &w->t.results, err);
    return r == GV_OK ? gv_state_write(&w->t, w->store, path, err) : r;
}

static int tell_stopped(trainer *w, gv_err *err)
{
    return gv_fail(err, GV_ESAVED, "stopped at epoch %" PRId64 ", sample %" PRId64 "; %s", w->t.epoch, w->t.pos,
                   w->c->training.enable_checkpointing && w->o->run ? "the state is saved" : "nothing is saved, because checkpoints are off");
}

static int write_checkpoint(trainer *w, const gv_network *net, const char *name, gv_err *err)
{
    char path[4200];
    gv_checkpoint_path(w->c, w->o->run, name, path, sizeof path);
    int64_t e = w->t.epoch - 1;
    double lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, e);
    return w->c->training.checkpoint_format == GV_CHECKPOINT_PT ? gv_checkpoint_write_pt(net, w->store, w->opt, w->c, path, e, lr, err)
                                                                  : gv_checkpoint_write(net, w->store, path, e, w->t.step, err);
}

static int publish_results(trainer *w, int64_t e, gv_err *err)
{
    const char *kind = w->facts.subtask == GV_SUBTASK_REGRESSION ? "predicted_against_true" : "confusion_matrix";
    char name[64];
    int r = gv_journal_results(&w->journal, &w->t.picture, err);
    snprintf(name, sizeof name, "val_%s", kind);
    if (r == GV_OK && w->c->task.result_plot != GV_RESULT_PLOT_NONE)
        r = gv_journal_to_draw(&w->journal, name, e, &w->t.picture, err);
    snprintf(name, sizeof name, "train_%s", kind);
    return r == GV_OK ? gv_journal_to_draw(&w->journal, name, e, &w->t.train_picture, err) : r;
}

/* Everything an epoch's end publishes, from the state alone: after a kill between these writes it is done again, to the same bytes. */
static int publish_epoch(trainer *w, const gv_network *net, gv_err *err)
{
    if (!w->o->run)
        return GV_OK;
    int64_t e = w->t.epoch - 1;
    int r = gv_journal_put(&w->journal, w->t.metrics_bytes, w->t.line, err);
    if (r == GV_OK)
        r = publish_results(w, e, err);
    if (r < 0 || !w->c->training.enable_checkpointing)
        return r;
    char name[32];
    snprintf(name, sizeof name, "epoch_%04" PRId64, e);
    int64_t keep = w->c->training.keep_epochs;
    if (keep == GV_NONE_I64 || keep > 0)
        r = write_checkpoint(w, net, name, err);
    for (int64_t old = keep == GV_NONE_I64 ? -1 : e - keep; r == GV_OK && old >= 0 && old > e - keep - 2; old--) {
        char path[4200];
        snprintf(name, sizeof name, "epoch_%04" PRId64, old);
        gv_checkpoint_path(w->c, w->o->run, name, path, sizeof path);
        unlink(path);
    }
    if (r == GV_OK && w->t.is_best)
        r = write_checkpoint(w, net, "best", err);
    return r == GV_OK ? write_checkpoint(w, net, "last", err) : r;
}

/* ---- progress ---- */

/* The value of the first metric as it stands, looked at so rarely that it costs a hundredth of the time at most. */
static double metric_now(trainer *w, const gv_scores *s, const char *key, double t)
{
    if (t >= w->metric_at) {
        w->metric = gv_scores_value(s, key);
        w->metric_at = t + 0.3 + 100 * (now() - t);
    }
    return w->metric;
}

static int64_t batches_of(int64_t samples, int64_t size, bool drop_last, int64_t limit)
{
    int64_t n = drop_last ? samples / size : (samples + size - 1) / size;
    return n < limit ? n : limit;
}

static void number(char *to, size_t size, const char *format, double v)
{
    if (isfinite(v))
        snprintf(to, size, format, v);
    else
        snprintf(to, size, "null");
}

static void progress(trainer *w, bool validation, int64_t done)
{
    double t = now();
    if (t - w->shown < 0.1)
        return;
    w->shown = t;
    const struct gv_training_config *o = &w->c->training;
    int64_t size = w->c->dataloading.batch_size, eval_size = w->c->dataloading.eval_batch_size == GV_NONE_I64 ? size : w->c->dataloading.eval_batch_size;
    int64_t steps = batches_of(w->o->samples, size, w->c->dataloading.drop_last_train, w->limit);
    int64_t val_steps = batches_of(w->o->val_samples, eval_size, w->c->dataloading.drop_last_eval, o->val_steps_per_epoch == GV_NONE_I64 ? INT64_MAX : o->val_steps_per_epoch);
    int64_t epochs = o->epochs - w->t.epoch, samples = steps * size < w->o->samples ? steps * size : w->o->samples;
    int64_t val = w->val ? (val_steps * eval_size < w->o->val_samples ? val_steps * eval_size : w->o->val_samples) : 0;
    double left = gv_pace_left(&w->pace, epochs * samples - w->t.epoch_seen, epochs * val - (validation ? w->pace.seen : 0), t);
    const char *key = w->c->task.metrics.n ? gv_metric_first_key(w->c->task.metrics.v[0]) : NULL;
    char loss[32], eta[32], value[32];
    number(loss, sizeof loss, "%.6g", w->loss);
    number(eta, sizeof eta, "%.1f", left < 0 ? NAN : left);
    number(value, sizeof value, "%.6g", key ? metric_now(w, validation ? w->val_scores : w->scores, key, t) : NAN);
    double in, out;
    gv_stream_waits(&in, &out);
    gv_event("progress", "\"epoch\":%" PRId64 ",\"epochs\":%" PRId64 ",\"validation\":%s,\"step\":%" PRId64 ",\"steps\":%" PRId64 ",\"done\":%" PRId64 ",\"per_s\":%.2f,\"loss\":%s,\"metric\":\"%s\",\"value\":%s,\"eta\":%s,\"wait_in\":%.3f,\"wait_out\":0",
             w->t.epoch, o->epochs, validation ? "true" : "false", done, validation ? val_steps : steps, validation ? w->pace.seen : w->t.epoch_seen,
             gv_pace_rate(&w->pace, validation ? GV_PACE_VAL : GV_PACE_TRAIN, t), loss, key ? key : "", value, eta, in);
}

static void begin_pass(trainer *w, int pass)
{
    gv_pace_begin(&w->pace, pass, now());
    w->metric = NAN;
    w->metric_at = 0;
}

/* ---- steps ---- */

/* Logits of a plan as floats in scratch. */
static const float *logits_of(trainer *w, const gv_plan *plan, gv_err *err)
{
    const gv_stored *l = gv_plan_output(plan, "logits");
    int64_t n = gv_shape_count(l->shape, l->ndim);
    float *f = gv_arena_alloc_dirty(&w->st->batch, (size_t)n * sizeof *f, err);
    if (f)
        gv_to_f32(l->dtype, l->data, f, (size_t)n);
    return f;
}

static double loss_of(const gv_plan *plan)
{
    const gv_stored *l = gv_plan_output(plan, "loss");
    double v = NAN;
    gv_to_f64(l->dtype, l->data, &v, 1);
    return v;
}

static int optimizer_step(trainer *w, const gv_plan *plan, gv_err *err)
{
    if (w->t.step == 0 && w->c->training.write_gradients && gv_gradients_write(w->store, plan, w->c->training.write_gradients, err) < 0)
        return err->code;
    double lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, w->t.epoch), norm;
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
    gv_optimizer_zero_grads(w->opt);
    w->micro = 0;
    w->t.step++;
    w->steps_unsaved++;
    return r;
}

/* The batch is left out, with what was accumulated before it: its gradients are mixed with theirs. */
static int bad_loss(trainer *w, const gv_batch *b, gv_err *err)
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

static int train_batch(trainer *w, const gv_record *rec, bool ends, gv_err *err)
{
    gv_batch b;
    gv_network *net;
    gv_plan *plan;
    int r = gv_batch_read(&b, rec, &w->facts, w->c->task.mixup, &w->st->batch, err);
    if (r == GV_OK && !b.labels && !b.targets)
        r = gv_fail(err, GV_EDATA, "a training batch has no targets");
    if (r == GV_OK)
        r = gv_plans_for(&w->plans, b.n, NULL, NULL, &net, &plan, err);
    if (r < 0)
        return r;
    gv_undo_keep(&w->undo);
    r = gv_plan_run(plan, b.feed, b.feeds, (uint64_t)w->t.batch, err);
    if (r < 0)
        return r;
    w->loss = loss_of(plan);
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
        const float *logits = logits_of(w, plan, err);
        r = logits ? gv_scores_add(w->scores, logits, b.n, b.labels, b.targets, err) : err->code;
        if (r == GV_OK && w->c->task.result_plot == GV_RESULT_PLOT_ALL)
            r = gv_results_add(&w->results, logits, &b, err);
    }
    if (r == GV_OK && w->micro && (w->micro == w->c->training.gradient_accumulation_steps || ends))
        r = optimizer_step(w, plan, err);
    progress(w, false, w->t.epoch_batches);
    return r;
}

/* ---- validation ---- */

/* One batch through the network as it is. *logits [b->n, K] lie in the batch's arena. */
static int eval_batch(trainer *w, const gv_record *rec, gv_batch *b, const float **logits, double *loss, gv_err *err)
{
    gv_network *net;
    gv_plan *plan;
    int r = gv_batch_read(b, rec, &w->facts, false, &w->st->batch, err);
    if (r == GV_OK && !b->labels && !b->targets)
        r = gv_fail(err, GV_EDATA, "a validation batch has no targets");
    if (r == GV_OK)
        r = gv_plans_for(&w->eval, b->n, NULL, NULL, &net, &plan, err);
    if (r == GV_OK)
        r = gv_plan_run(plan, b->feed, b->feeds, 0, err);
    if (r < 0)
        return r;
    *loss = loss_of(plan);
    *logits = logits_of(w, plan, err);
    return *logits ? GV_OK : err->code;
}

/* training.num_sanity_val_steps: what would fail in the first validation fails before any training. Nothing of it is kept. */
static int sanity(trainer *w, gv_err *err)
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
            r = gv_scores_add(w->val_scores, logits, b.n, b.labels, b.targets, err);
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
static int validate(trainer *w, double *loss, gv_err *err)
{
    double sum = 0, one;
    int64_t batches = 0, seen = 0, steps = w->c->training.val_steps_per_epoch;
    bool ended = false;
    gv_record rec;
    int r = GV_OK;
    gv_scores_reset(w->val_scores);
    gv_results_reset(&w->val_results);
    begin_pass(w, GV_PACE_VAL);
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
        r = gv_scores_add(w->val_scores, logits, b.n, b.labels, b.targets, err);
        if (r == GV_OK)
            r = gv_results_add(&w->val_results, logits, &b, err);
        if (r < 0)
            return r;
        progress(w, true, batches);
    }
    gv_pace_end(&w->pace, now());
    if (r < 0)
        return r;
    if (!ended)
        return gv_fail(err, GV_EDATA, "the validation stream ended before its epoch did, after %" PRId64 " samples", seen);
    *loss = batches ? sum / (double)batches : NAN;
    w->t.picture.len = 0;
    return gv_results_json(&w->val_results, &w->t.picture, err);
}

/* ---- the end of an epoch ---- */

/* Both streams must end well before the last epoch is published. */
static int read_ends(trainer *w, gv_err *err)
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
static int stop_validating(trainer *w, gv_err *err)
{
    gv_err_clear(err);
    w->t.validating = true;
    w->t.pos = w->count;
    int r = save_state(w, err);
    return r < 0 ? r : tell_stopped(w, err);
}

/* Is this epoch the best so far? Without validation the latest is. What is not finite never is. */
static bool decide(trainer *w, const gv_epoch_line *line, const char *key)
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

static int tell_epoch(trainer *w, const gv_epoch_line *line, bool better, gv_err *err)
{
    gv_buf text = { 0 };
    int r = gv_epoch_line_text(line, w->c->training.epochs, now() - w->epoch_began, better && w->val, &text, err);
    if (r == GV_OK) {
        if (getenv("GLOVITA_EVENTS"))
            gv_event("epoch", "\"text\":\"%s\"", text.data);
        else
            gv_log(GV_INFO, "%s", text.data);
    }
    gv_buf_release(&text);
    return r;
}

static int end_epoch(trainer *w, gv_err *err)
{
    int64_t e = w->t.epoch;
    static gv_epoch_line line;
    line = (gv_epoch_line){ .epoch = e, .step = w->t.step, .lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, e), .val_loss = NAN,
        .train_loss = w->t.loss_batches ? w->t.loss_sum / (double)w->t.loss_batches : NAN };
    gv_pace_end(&w->pace, now());
    gv_hold_signals(w->count < 0); /* without a count there is no place to go on from: a signal waits for the end */
    int r = w->val ? validate(w, &line.val_loss, err) : GV_OK;
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
    r = save_state(w, err);
    if (r == GV_OK)
        r = publish_epoch(w, w->plans.v[0].net, err);
    if (r == GV_OK)
        r = tell_epoch(w, &line, better, err);
    if (r == GV_OK && patience)
        gv_log(GV_WARNING, "stopped early: %s has not improved for %" PRId64 " epochs", key, w->t.stale_epochs);
    w->t.epoch_end = false; /* what is saved from here on lies inside an epoch */
    w->epoch_began = now();
    begin_pass(w, GV_PACE_TRAIN);
    return r;
}

/* ---- the loop ---- */

static bool save_due(const trainer *w)
{
    if (w->micro) /* only at an optimizer step's boundary */
        return false;
    return (w->save_steps && w->steps_unsaved >= w->save_steps) || (w->save_seconds > 0 && w->steps_unsaved && now() - w->saved >= w->save_seconds);
}

static int one_record(trainer *w, const gv_record *rec, gv_err *err)
{
    const gv_item *e = gv_get(rec, "ends_epoch"), *next = gv_get(rec, "next");
    int64_t epoch, n;
    bool ends = e && e->type == GV_ITEM_BOOL && e->b;
    if (!gv_get_i64(rec, "epoch", &epoch) || !next || next->type != GV_ARRAY || next->array.n != 2)
        return gv_fail(err, GV_EDATA, "a batch lacks 'epoch' or 'next'");
    if (epoch != w->t.epoch)
        return gv_fail(err, GV_EDATA, "a batch of epoch %" PRId64 " came in epoch %" PRId64, epoch, w->t.epoch);
    int r = w->t.epoch_batches >= w->limit ? GV_OK : train_batch(w, rec, ends || w->t.epoch_batches + 1 == w->limit, err);
    if (r < 0)
        return r;
    if (gv_get_i64(rec, "skipped", &n))
        w->t.skipped += n;
    if (ends)
        r = end_epoch(w, err);
    else {
        if (!gv_item_i64_of(&next->array.v[0], &w->t.epoch) || !gv_item_i64_of(&next->array.v[1], &w->t.pos))
            return gv_fail(err, GV_EDATA, "'next' holds no numbers");
        if (save_due(w))
            r = save_state(w, err);
    }
    if (r == GV_OK && gv_stop_requested() && !w->micro && !w->t.finished) {
        w->stopped = true;
        if (w->steps_unsaved)
            r = save_state(w, err);
    }
    return r;
}

/* What samples look like is known, and n of them: make everything; then, on resume, what the last epoch should have published is
 * published again. */
static int start(trainer *w, int64_t n, gv_err *err)
{
    gv_plan_options o = gv_session_plan_options(w->c);
    w->eval = (gv_plans){ .c = w->c, .f = &w->facts, .phase = GV_EVAL, .what = GV_NET_LOSS, .options = o };
    o.keep_grads = true;
    o.grad_scale = 1.0 / (double)w->c->training.gradient_accumulation_steps;
    w->plans = (gv_plans){ .c = w->c, .f = &w->facts, .phase = GV_TRAIN, .what = GV_NET_LOSS | (w->c->task.mixup ? GV_NET_MIX : 0), .options = o };
    gv_threads_set(o.threads);
    int r = gv_store_open(&w->store, o.precision, err);
    w->plans.store = w->eval.store = w->store;
    gv_network *net;
    gv_plan *plan;
    if (r == GV_OK)
        r = gv_plans_for(&w->plans, n, prepare, w, &net, &plan, err);
    if (r == GV_OK)
        r = gv_journal_open(&w->journal, w->o->run, w->resumed, &w->t, err);
    if (r == GV_OK && w->t.epoch_end)
        r = publish_epoch(w, net, err);
    w->t.epoch_end = false;
    if (r == GV_OK && w->o->run) {
        gv_buf plan_text = { 0 };
        char path[4200];
        snprintf(path, sizeof path, "%s/plan.json", w->o->run);
        r = gv_plan_describe(plan, &plan_text, err);
        if (r == GV_OK)
            r = gv_file_write(path, plan_text.data, plan_text.len, err);
        gv_buf_release(&plan_text);
    }
    if (r == GV_OK && w->o->sanity && w->c->training.num_sanity_val_steps && !w->t.step && !w->t.epoch)
        r = sanity(w, err);
    w->saved = w->epoch_began = now();
    begin_pass(w, GV_PACE_TRAIN);
    return r;
}

static int first_record(trainer *w, const gv_record *rec, gv_err *err)
{
    int r = gv_facts_from_batch(&w->facts, rec, err);
    if (r == GV_OK)
        r = start(w, gv_get_tensor(rec, "x")->shape[0], err);
    int64_t epoch, pos;
    if (r == GV_OK && w->resumed && gv_get_i64(rec, "epoch", &epoch) && gv_get_i64(rec, "pos", &pos) && (epoch != w->t.epoch || pos != w->t.pos))
        r = gv_fail(err, GV_EDATA, "the run stands at epoch %" PRId64 ", sample %" PRId64 ", but the stream starts at epoch %" PRId64 ", sample %" PRId64, w->t.epoch, w->t.pos, epoch, pos);
    return r;
}

static int loop(trainer *w, gv_err *err)
{
    gv_record rec;
    int r = GV_OK;
    bool first = true;
    w->epoch_began = w->saved = now();
    if (w->t.validating || w->t.finished) { /* a signal came in a validation, or death between the last save and its checkpoints */
        r = gv_facts_sample(&w->facts, w->t.dtype, w->t.ndim, w->t.shape, err);
        if (r == GV_OK)
            r = start(w, w->c->dataloading.batch_size, err);
        if (r == GV_OK && w->t.validating)
            r = end_epoch(w, err);
        if (r < 0)
            return r;
        first = false;
    }
    while (!w->t.finished) {
        gv_hold_signals(w->micro > 0); /* a group of accumulated batches is not cut in two */
        r = gv_next(w->train, &rec, err);
        if (r == GV_ESAVED && !first) { /* stopped while it waited: at a boundary, so all of it can be kept */
            gv_err_clear(err);
            r = save_state(w, err);
            return r < 0 ? r : tell_stopped(w, err);
        }
        if (r <= 0)
            break;
        gv_arena_reset(&w->st->batch);
        if (first && (r = first_record(w, &rec, err)) < 0)
            return r;
        first = false;
        if ((r = one_record(w, &rec, err)) < 0)
            return r == GV_ESAVED ? r : gv_fail_in(err, "record %" PRIu64, gv_reader_records(w->train) - 1);
        if (w->stopped)
            return tell_stopped(w, err);
    }
    if (r == 0 && !w->t.finished)
        r = gv_fail(err, GV_EDATA, first ? "no batch came in" : "the stream ended in epoch %" PRId64 " of %" PRId64, w->t.epoch, w->c->training.epochs);
    return w->t.finished ? GV_OK : r;
}

/* Where the run stands, before anything is made. A run that was killed before its first save begins again. */
static int look_back(trainer *w, gv_err *err)
{
    w->t.seed = w->c->training.seed;
    w->t.best = NAN;
    w->t.best_epoch = -1;
    char path[4200];
    if (w->o->run)
        state_path(w, path, sizeof path);
    w->resumed = w->o->resume && w->o->run && gv_file_exists(path);
    return w->resumed ? gv_state_peek(&w->t, path, err) : GV_OK;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    trainer *w = gv_arena_alloc(&st->run, sizeof *w, err);
    if (!w)
        return GV_ESYS;
    w->st = st;
    w->c = st->config;
    w->o = st->params;
    const struct gv_training_config *o = &w->c->training;
    w->limit = o->train_steps_per_epoch == GV_NONE_I64 ? INT64_MAX : o->train_steps_per_epoch * o->gradient_accumulation_steps;
    int lock = -1, r = gv_config_check_built(w->c, err);
    if (r == GV_OK)
        r = gv_session_check(w->c, err);
    if (r == GV_OK)
        r = gv_save_every(o->save_every, &w->save_steps, &w->save_seconds, err);
    if (r == GV_OK && w->o->run) {
        char path[4200];
        snprintf(path, sizeof path, "%s/checkpoints", w->o->run);
        r = gv_mkdirs(path, err);
        if (r == GV_OK && w->o->lock_fd < 0)
            r = gv_dir_lock(w->o->run, &lock, err);
        if (r == GV_OK) { /* what a killed run had half written; the lock says that nobody writes it */
            gv_parts_remove(path, 0);
            gv_parts_remove(w->o->run, 0);
        }
    }
    if (r == GV_OK)
        r = look_back(w, err);
    if (r == GV_OK) {
        gv_catch_signals();
        r = open_streams(w, err);
    }
    if (r == GV_OK)
        r = open_scores(w, err);
    if (r == GV_OK)
        r = loop(w, err);
    gv_plans_close(&w->plans);
    gv_plans_close(&w->eval);
    gv_optimizer_close(w->opt);
    gv_undo_close(&w->undo);
    gv_store_close(w->store);
    gv_scores_close(w->scores);
    gv_scores_close(w->val_scores);
    gv_results_release(&w->results);
    gv_results_release(&w->val_results);
    gv_state_release(&w->t);
    if (w->train)
        gv_reader_close(w->train);
    if (w->val)
        gv_reader_close(w->val);
    if (lock >= 0)
        close(lock);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "train", .summary = "train a network on batches: forward, backward, optimizer, metrics, checkpoints",
    .reads = GV_BATCH, .writes = 0, .blocks = blocks, .fields = fields, .params_size = sizeof(struct train),
    .manual_streams = true, .text_output = true, .run = run,
};
