/* train: forward, backward, optimizer; metrics and checkpoints of a run. The end of the flow: it reads batches and writes files. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "json/json.h"
#include "metric/metric.h"
#include "nn/optim/optim.h"
#include "session/journal.h"
#include "session/lock.h"
#include "session/session.h"
#include "stage/stage.h"
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

struct train {
    const char *run, *val;
    bool resume;
    int64_t lock_fd, samples;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct train, run, "directory of the run: checkpoints, metrics"),
    GV_OPT_STR(struct train, val, "stream of validation batches (a path, a FIFO, fd:N); one epoch of it is read after each of training"),
    GV_BOOL(struct train, resume, false, "go on from checkpoints/resume.safetensors"),
    GV_I64(struct train, lock_fd, -1, -1, 1 << 20, "", "descriptor that holds the run's lock already"),
    GV_I64(struct train, samples, 0, 0, INT64_MAX, "samples", "training samples of an epoch, for progress alone"),
    GV_END,
};

static const char *const blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "optimizer", "training", "task", "dataloading.batch_size", NULL };

typedef struct trainer {
    gv_stage_ctx *st;
    const gv_config *c;
    const struct train *o;
    gv_facts facts;
    gv_reader *train, *val;
    gv_store *store;
    gv_plans plans, eval;
    gv_optimizer *opt;
    gv_metric_set *metrics, *val_metrics;
    gv_train_state t;
    gv_journal journal;
    double loss;            /* of the last batch */
    int64_t micro;          /* batches whose gradients are accumulated */
    int nan_row;            /* bad losses in a row */
    double began, epoch_began, saved, shown, waited;
    int64_t save_steps, steps_unsaved;
    double save_seconds;
    bool stopped;
} trainer;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- start ---- */

/* Before the first plan: parameters, then the optimizer's state, then what a resumed run had. */
static int prepare(void *arg, gv_network *net, gv_err *err)
{
    trainer *w = arg;
    gv_buf note = { 0 };
    char path[4200];
    snprintf(path, sizeof path, "%s/checkpoints/resume.safetensors", w->o->run ? w->o->run : "");
    bool goes_on = w->o->resume && gv_file_exists(path); /* not so when it was killed before its first save: it begins again */
    int r = goes_on ? gv_store_init(w->store, net->graph, w->c->training.seed, err) : gv_network_init(net, w->store, w->c, w->c->training.seed, &note, err);
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
    if (r < 0 || !goes_on)
        return r;
    r = gv_state_read(&w->t, w->store, path, err);
    if (r == GV_OK && w->t.accumulated.len)
        r = gv_metric_set_load(w->metrics, w->t.accumulated.data, w->t.accumulated.len, err);
    return r;
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
    if (r == GV_OK && w->o->val)
        r = gv_open_input(w->o->val, &w->val, err);
    if (r == GV_OK && w->val && gv_reader_header(w->val)->kind != GV_BATCH)
        r = gv_fail(err, GV_EDATA, "'--val' '%s' holds %s records; glovita-train reads batch", w->o->val, gv_kind_name(gv_reader_header(w->val)->kind));
    return r;
}

static int open_metrics(trainer *w, gv_err *err)
{
    int r = gv_metric_set_open(&w->metrics, &w->c->task.metrics, w->facts.subtask, w->facts.num_classes, err);
    return r == GV_OK ? gv_metric_set_open(&w->val_metrics, &w->c->task.metrics, w->facts.subtask, w->facts.num_classes, err) : r;
}

/* ---- saving ---- */

static int save_state(trainer *w, gv_err *err)
{
    if (!w->o->run || !w->c->training.enable_checkpointing)
        return GV_OK;
    char path[4200];
    snprintf(path, sizeof path, "%s/checkpoints/resume.safetensors", w->o->run);
    w->t.accumulated.len = 0;
    int r = w->t.epoch_batches ? gv_metric_set_save(w->metrics, &w->t.accumulated, err) : GV_OK;
    if (r == GV_OK)
        r = gv_state_write(&w->t, w->store, path, err);
    w->saved = now();
    w->steps_unsaved = 0;
    return r;
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

/* Everything an epoch's end publishes, from the state alone: after a kill between these writes it is done again, to the same bytes. */
static int publish_epoch(trainer *w, const gv_network *net, gv_err *err)
{
    if (!w->o->run)
        return GV_OK;
    int64_t e = w->t.epoch - 1;
    int r = gv_journal_put(&w->journal, w->t.metrics_bytes, w->t.line, err);
    if (r == GV_OK && w->t.picture.len)
        r = gv_journal_results(&w->journal, w->t.picture.data, w->t.picture.len, err);
    if (r < 0 || !w->c->training.enable_checkpointing)
        return r;
    char name[32];
    snprintf(name, sizeof name, "epoch_%04" PRId64, e);
    int64_t keep = w->c->training.keep_epochs;
    if (keep == GV_NONE_I64 || keep > 0)
        r = write_checkpoint(w, net, name, err);
    for (int64_t old = e - keep; r == GV_OK && keep != GV_NONE_I64 && old >= 0 && old > e - keep - 2; old--) {
        char path[4200];
        snprintf(name, sizeof name, "epoch_%04" PRId64, old);
        gv_checkpoint_path(w->c, w->o->run, name, path, sizeof path);
        unlink(path);
    }
    if (r == GV_OK && w->t.is_best)
        r = write_checkpoint(w, net, "best", err);
    return r == GV_OK ? write_checkpoint(w, net, "last", err) : r;
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

/* --training.write_gradients: of the first optimizer step, with the logits and loss that gave them. */
static int write_gradients(trainer *w, const gv_plan *plan, gv_err *err)
{
    int n = gv_store_count(w->store);
    gv_named *t = gv_alloc((size_t)(n + 2) * sizeof *t, err);
    if (!t)
        return GV_ESYS;
    size_t k = 0;
    for (int i = 0; i < n; i++) {
        const gv_stored *s = gv_store_at(w->store, i);
        if (strncmp(s->name, "grad.", 5))
            continue;
        t[k] = (gv_named){ s->name + 5, s->dtype, s->ndim, { 0 }, s->data, s->bytes };
        memcpy(t[k++].shape, s->shape, sizeof s->shape);
    }
    static const char *const outputs[][2] = { { "logits", "output.logits" }, { "loss", "output.loss" } };
    for (int i = 0; i < 2; i++) {
        const gv_stored *s = gv_plan_output(plan, outputs[i][0]);
        t[k] = (gv_named){ outputs[i][1], s->dtype, s->ndim, { 0 }, s->data, s->bytes };
        memcpy(t[k++].shape, s->shape, sizeof s->shape);
    }
    int r = gv_safetensors_write(w->c->training.write_gradients, t, k, NULL, 0, err);
    gv_free(t);
    return r;
}

static int optimizer_step(trainer *w, const gv_plan *plan, gv_err *err)
{
    if (w->t.step == 0 && w->c->training.write_gradients && write_gradients(w, plan, err) < 0)
        return err->code;
    double lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, w->t.epoch), norm;
    int r = gv_optimizer_step(w->opt, lr, &norm, err);
    if (r == GV_ENAN) { /* the loss was finite, a gradient was not: the same policy */
        if (++w->nan_row >= 3)
            return gv_fail_in(err, "3 steps in a row at step %" PRId64, w->t.step);
        gv_log(GV_WARNING, "step %" PRId64 " is left out: %s", w->t.step, err->text);
        gv_err_clear(err);
        r = GV_OK;
    }
    gv_optimizer_zero_grads(w->opt);
    w->micro = 0;
    w->t.step++;
    w->steps_unsaved++;
    return r;
}

static void progress(trainer *w, bool validation, int64_t done, int64_t of)
{
    double t = now();
    if (t - w->shown < 0.1)
        return;
    w->shown = t;
    double spent = t - w->epoch_began, rate = spent > 0 ? (double)w->t.epoch_seen / spent : 0;
    int64_t all = w->c->training.epochs * w->o->samples, seen = w->t.epoch * w->o->samples + w->t.epoch_seen;
    gv_event("progress", "\"epoch\":%" PRId64 ",\"epochs\":%" PRId64 ",\"validation\":%s,\"step\":%" PRId64 ",\"steps\":%" PRId64 ",\"done\":%" PRId64 ",\"per_s\":%.2f,\"loss\":%.6g,\"eta\":%.1f,\"wait_in\":%.3f,\"wait_out\":0",
             w->t.epoch, w->c->training.epochs, validation ? "true" : "false", done, of, w->t.epoch_seen, rate, w->loss, rate > 0 ? (double)(all - seen) / rate : 0, w->waited);
}

static int bad_loss(trainer *w, gv_err *err)
{
    gv_optimizer_zero_grads(w->opt);
    w->micro = 0;
    if (++w->nan_row >= 3)
        return gv_fail(err, GV_ENAN, "the loss was not finite in 3 batches in a row, the last one number %" PRId64 " of epoch %" PRId64 "; lower optimizer.lr or set training.gradient_clip_val", w->t.epoch_batches, w->t.epoch);
    gv_log(GV_WARNING, "the loss of batch %" PRId64 " in epoch %" PRId64 " is not finite: it is left out", w->t.epoch_batches, w->t.epoch);
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
        r = gv_plans_for(&w->plans, b.n, w->plans.n ? NULL : prepare, w, &net, &plan, err);
    if (r == GV_OK)
        r = gv_plan_run(plan, b.feed, b.feeds, (uint64_t)w->t.batch, err);
    if (r < 0)
        return r;
    w->loss = loss_of(plan);
    w->t.batch++;
    w->t.epoch_batches++;
    w->t.epoch_seen += b.n;
    bool bad = !isfinite(w->loss);
    if (bad)
        r = bad_loss(w, err);
    else {
        w->nan_row = 0;
        w->t.loss_sum += w->loss;
        const float *logits = logits_of(w, plan, err);
        r = logits ? gv_metric_set_add(w->metrics, logits, b.n, b.labels, b.targets, err) : err->code;
        w->micro++;
    }
    if (r == GV_OK && w->micro && (w->micro == w->c->training.gradient_accumulation_steps || ends))
        r = optimizer_step(w, plan, err);
    int64_t batch = w->c->dataloading.batch_size;
    progress(w, false, w->t.epoch_batches, (w->o->samples + batch - 1) / batch);
    return r;
}

/* ---- validation ---- */

static int validate(trainer *w, double *loss, gv_err *err)
{
    double sum = 0;
    int64_t batches = 0, seen = 0, steps = w->c->training.val_steps_per_epoch;
    bool ended = false;
    gv_record rec;
    int r = GV_OK;
    gv_metric_set_reset(w->val_metrics);
    gv_results_begin(&w->journal, &w->facts);
    while (!ended && (r = gv_next(w->val, &rec, err)) > 0) {
        gv_arena_reset(&w->st->batch);
        gv_batch b;
        gv_network *net;
        gv_plan *plan;
        const gv_item *e = gv_get(&rec, "ends_epoch");
        ended = e && e->type == GV_ITEM_BOOL && e->b;
        if (steps != GV_NONE_I64 && batches >= steps) /* the rest of the epoch is read, so that the stream stays in step */
            continue;
        r = gv_batch_read(&b, &rec, &w->facts, false, &w->st->batch, err);
        if (r == GV_OK && !b.labels && !b.targets)
            r = gv_fail(err, GV_EDATA, "a validation batch has no targets");
        if (r == GV_OK)
            r = gv_plans_for(&w->eval, b.n, NULL, NULL, &net, &plan, err);
        if (r == GV_OK)
            r = gv_plan_run(plan, b.feed, b.feeds, 0, err);
        const float *logits = r == GV_OK ? logits_of(w, plan, err) : NULL;
        if (!logits)
            return gv_fail_in(err, "validation batch %" PRId64, batches);
        sum += loss_of(plan);
        batches++;
        seen += b.n;
        r = gv_metric_set_add(w->val_metrics, logits, b.n, b.labels, b.targets, err);
        if (r == GV_OK)
            r = gv_results_add(&w->journal, logits, &b, &w->facts, err);
        if (r < 0)
            return r;
        progress(w, true, batches, 0);
    }
    if (r < 0)
        return r;
    if (!ended)
        return gv_fail(err, GV_EDATA, "the validation stream ended before its epoch did, after %" PRId64 " samples", seen);
    *loss = batches ? sum / (double)batches : NAN;
    w->t.picture.len = 0;
    return gv_results_end(&w->journal, &w->facts, &w->t.picture, err);
}

/* ---- the end of an epoch ---- */

/* Both streams must end well before the last epoch is published. */
static int read_ends(trainer *w, gv_err *err)
{
    gv_record rec;
    int r = gv_next(w->train, &rec, err);
    if (r == 0 && w->val)
        r = gv_next(w->val, &rec, err);
    if (r > 0)
        return gv_fail(err, GV_EDATA, "more epochs came in than the %" PRId64 " of training.epochs", w->c->training.epochs);
    return r;
}

static int end_epoch(trainer *w, gv_err *err)
{
    int64_t e = w->t.epoch;
    double val_loss = NAN, train_loss = w->t.epoch_batches ? w->t.loss_sum / (double)w->t.epoch_batches : NAN;
    gv_epoch_line line = { .epoch = e, .step = w->t.step, .lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, e), .train_loss = train_loss, .val_loss = NAN };
    gv_hold_signals(true); /* an epoch's end is all or nothing: a signal waits for it */
    int r = w->val ? validate(w, &val_loss, err) : GV_OK;
    if (r == GV_OK && e + 1 >= w->c->training.epochs)
        r = read_ends(w, err);
    gv_hold_signals(false);
    line.val_loss = val_loss;
    if (r == GV_OK)
        r = gv_epoch_line_values(&line, "train_", w->metrics, err);
    if (r == GV_OK && w->val)
        r = gv_epoch_line_values(&line, "val_", w->val_metrics, err);
    if (r < 0)
        return r;
    const char *key = gv_session_best_metric(w->c);
    double v = gv_epoch_line_find(&line, key);
    bool better = isfinite(v) && (!isfinite(w->t.best) || (gv_session_higher_is_better(key) ? v > w->t.best : v < w->t.best));
    if (!w->val) /* nothing to compare: the latest is the best */
        better = true;
    w->t.is_best = better;
    w->t.stale_epochs = better ? 0 : w->t.stale_epochs + 1;
    if (better) {
        w->t.best = v;
        w->t.best_epoch = e;
    }
    bool patience = w->c->training.patience != GV_NONE_I64 && w->t.stale_epochs >= w->c->training.patience;
    bool last = e + 1 >= w->c->training.epochs;
    w->t.epoch = e + 1;
    w->t.pos = 0;
    w->t.epoch_batches = w->t.epoch_seen = 0;
    w->t.loss_sum = 0;
    w->t.epoch_end = true;
    w->t.finished = last || patience;
    gv_metric_set_reset(w->metrics);
    gv_free(w->t.line);
    w->t.line = gv_epoch_line_json(&line, err);
    if (!w->t.line)
        return err->code;
    w->t.metrics_bytes = w->journal.bytes;
    r = save_state(w, err);
    if (r == GV_OK)
        r = publish_epoch(w, w->plans.v[0].net, err);
    if (r == GV_OK) {
        gv_buf text = { 0 };
        r = gv_epoch_line_text(&line, w->c->training.epochs, now() - w->epoch_began, better && w->val, &text, err);
        if (r == GV_OK) {
            if (getenv("GLOVITA_EVENTS"))
                gv_event("epoch", "\"text\":\"%s\"", text.data);
            else
                gv_log(GV_INFO, "%s", text.data);
        }
        gv_buf_release(&text);
        if (patience)
            gv_log(GV_WARNING, "stopped early: %s has not improved for %" PRId64 " epochs", key, w->t.stale_epochs);
    }
    w->t.epoch_end = false; /* what is saved from here on lies inside an epoch */
    w->epoch_began = now();
    return r;
}

/* ---- the loop ---- */

static bool save_due(const trainer *w)
{
    if (w->micro) /* only at an optimizer step's boundary */
        return false;
    return gv_stop_requested() || (w->save_steps && w->steps_unsaved >= w->save_steps) || (w->save_seconds > 0 && now() - w->saved >= w->save_seconds);
}

static int one_record(trainer *w, const gv_record *rec, gv_err *err)
{
    const gv_item *e = gv_get(rec, "ends_epoch"), *next = gv_get(rec, "next");
    int64_t epoch, n;
    bool ends = e && e->type == GV_ITEM_BOOL && e->b;
    if (!gv_get_i64(rec, "epoch", &epoch) || !next || next->type != GV_ARRAY || next->array.n != 2)
        return gv_fail(err, GV_EDATA, "a batch lacks 'epoch' or 'next'");
    if (w->plans.n && epoch != w->t.epoch)
        return gv_fail(err, GV_EDATA, "a batch of epoch %" PRId64 " came in epoch %" PRId64, epoch, w->t.epoch);
    int64_t steps = w->c->training.train_steps_per_epoch;
    bool enough = steps != GV_NONE_I64 && w->t.epoch_batches >= steps;
    bool boundary = ends || (steps != GV_NONE_I64 && w->t.epoch_batches + 1 == steps);
    int r = enough ? GV_OK : train_batch(w, rec, boundary, err);
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

/* The first batch shapes everything; then, on resume, what the last epoch should have published is published again. */
static int start(trainer *w, const gv_record *rec, gv_err *err)
{
    int r = gv_facts_from_batch(&w->facts, rec, err);
    if (r < 0)
        return r;
    w->plans.options = w->eval.options = gv_session_plan_options(w->c);
    w->plans.options.keep_grads = true;
    w->plans.options.grad_scale = 1.0 / (double)w->c->training.gradient_accumulation_steps;
    r = gv_store_open(&w->store, w->plans.options.precision, err);
    if (r < 0)
        return r;
    gv_threads_set(w->plans.options.threads);
    w->plans = (gv_plans){ .c = w->c, .f = &w->facts, .store = w->store, .phase = GV_TRAIN, .what = GV_NET_LOSS | (w->c->task.mixup ? GV_NET_MIX : 0), .options = w->plans.options };
    w->eval = (gv_plans){ .c = w->c, .f = &w->facts, .store = w->store, .phase = GV_EVAL, .what = GV_NET_LOSS, .options = w->eval.options };
    const gv_tensor *x = gv_get_tensor(rec, "x");
    gv_network *net;
    gv_plan *plan;
    r = gv_plans_for(&w->plans, x->shape[0], prepare, w, &net, &plan, err);
    if (r < 0)
        return r;
    r = gv_journal_open(&w->journal, w->o->run, w->o->resume, &w->t, err);
    if (r == GV_OK && w->t.epoch_end)
        r = publish_epoch(w, net, err);
    w->t.epoch_end = false;
    int64_t epoch, pos;
    if (r == GV_OK && w->o->resume && gv_get_i64(rec, "epoch", &epoch) && gv_get_i64(rec, "pos", &pos) && (epoch != w->t.epoch || pos != w->t.pos))
        r = gv_fail(err, GV_EDATA, "the run stands at epoch %" PRId64 ", sample %" PRId64 ", but the stream starts at epoch %" PRId64 ", sample %" PRId64, w->t.epoch, w->t.pos, epoch, pos);
    if (r == GV_OK && w->o->run) {
        gv_buf plan_text = { 0 };
        char path[4200];
        snprintf(path, sizeof path, "%s/plan.json", w->o->run);
        r = gv_plan_describe(plan, &plan_text, err);
        if (r == GV_OK)
            r = gv_file_write(path, plan_text.data, plan_text.len, err);
        gv_buf_release(&plan_text);
    }
    return r;
}

static int loop(trainer *w, gv_err *err)
{
    gv_record rec;
    int r;
    bool first = true;
    w->began = w->epoch_began = w->saved = now();
    for (;;) {
        double t = now();
        r = gv_next(w->train, &rec, err);
        w->waited += now() - t;
        if (r == GV_ESAVED && !first && !w->micro) { /* stopped while it waited: at a boundary, so all of it can be kept */
            gv_err_clear(err);
            r = save_state(w, err);
            return r < 0 ? r : gv_fail(err, GV_ESAVED, "stopped at epoch %" PRId64 ", sample %" PRId64 "; the state is saved", w->t.epoch, w->t.pos);
        }
        if (r <= 0)
            break;
        gv_arena_reset(&w->st->batch);
        if (first && (r = start(w, &rec, err)) < 0)
            return r;
        first = false;
        if ((r = one_record(w, &rec, err)) < 0)
            return gv_fail_in(err, "record %" PRIu64, gv_reader_records(w->train) - 1);
        if (w->t.finished)
            return GV_OK;
        if (w->stopped)
            return gv_fail(err, GV_ESAVED, "stopped at epoch %" PRId64 ", sample %" PRId64 "; the state is saved", w->t.epoch, w->t.pos);
    }
    if (r == 0)
        r = gv_fail(err, GV_EDATA, first ? "no batch came in" : "the stream ended in epoch %" PRId64 " of %" PRId64, w->t.epoch, w->c->training.epochs);
    return r;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    trainer *w = gv_arena_alloc(&st->run, sizeof *w, err);
    if (!w)
        return GV_ESYS;
    w->st = st;
    w->c = st->config;
    w->o = st->params;
    w->t.seed = w->c->training.seed;
    w->t.best = NAN;
    w->t.best_epoch = -1;
    int lock = -1, r = gv_config_check_built(w->c, err);
    if (r == GV_OK)
        r = gv_session_check(w->c, err);
    if (r == GV_OK)
        r = gv_save_every(w->c->training.save_every, &w->save_steps, &w->save_seconds, err);
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
    if (r == GV_OK) {
        gv_catch_signals();
        r = open_streams(w, err);
    }
    if (r == GV_OK)
        r = open_metrics(w, err);
    if (r == GV_OK)
        r = loop(w, err);
    gv_plans_close(&w->plans);
    gv_plans_close(&w->eval);
    gv_optimizer_close(w->opt);
    gv_store_close(w->store);
    gv_metric_set_close(w->metrics);
    gv_metric_set_close(w->val_metrics);
    gv_state_release(&w->t);
    gv_journal_close(&w->journal);
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
