/* train: the end of the flow: reads batches, trains, and writes the files of a run. Its pieces are in lib/trainer. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "session/lock.h"
#include "trainer/trainer.h"
#include <inttypes.h>
#include <unistd.h>

static const gv_field fields[] = {
    GV_OPT_STR(struct gv_train_options, run, "directory of the run: checkpoints, metrics", .takes = GV_TAKES_RUN),
    GV_OPT_STR(struct gv_train_options, val, "stream of validation batches (a path, a FIFO, fd:N); one epoch of it is read after each of training", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct gv_train_options, sanity, "another stream of validation batches: training.num_sanity_val_steps of it are tried before the first step", .takes = GV_TAKES_FILE),
    GV_BOOL(struct gv_train_options, resume, false, "go on from checkpoints/resume.safetensors"),
    GV_BOOL(struct gv_train_options, profile, false, "time every node of a training step and print a table at the end"),
    GV_BOOL(struct gv_train_options, tune, false, "measure which kernels are fastest on this machine before the first step, and keep the answers for later runs"),
    GV_I64(struct gv_train_options, lock_fd, -1, -1, 1 << 20, "", "descriptor that holds the run's lock already"),
    GV_I64(struct gv_train_options, samples, 0, 0, INT64_MAX, "samples", "training samples of an epoch, for progress alone"),
    GV_I64(struct gv_train_options, val_samples, 0, 0, INT64_MAX, "samples", "validation samples of an epoch, for progress alone"),
    GV_END,
};

static const char *const blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "optimizer", "training", "task", "dataloading.batch_size", "dataloading.eval_batch_size", "dataloading.drop_last_train", "dataloading.drop_last_eval", NULL };

/* Before the first plan: parameters, then the optimizer's state, then what a resumed run had. */
static int prepare(void *arg, gv_network *net, gv_err *err)
{
    gv_trainer *w = arg;
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
    gv_trainer_state_path(w, path, sizeof path);
    gv_state_release(&w->t); /* the numbers that were looked at first */
    r = gv_state_read(&w->t, w->store, path, err);
    if (r == GV_OK && w->t.accumulated.len)
        r = gv_scores_load(w->scores, w->t.accumulated.data, w->t.accumulated.len, err);
    return r == GV_OK && w->t.results.len ? gv_results_load(&w->results, w->t.results.data, w->t.results.len, err) : r;
}

static int open_streams(gv_trainer *w, gv_err *err)
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

static int open_scores(gv_trainer *w, gv_err *err)
{
    w->results.f = w->val_results.f = &w->facts;
    int r = gv_scores_open(&w->scores, w->c, w->facts.subtask, w->facts.num_classes, err);
    return r == GV_OK ? gv_scores_open(&w->val_scores, w->c, w->facts.subtask, w->facts.num_classes, err) : r;
}

static bool save_due(const gv_trainer *w)
{
    if (w->micro) /* only at an optimizer step's boundary */
        return false;
    return (w->save_steps && w->steps_unsaved >= w->save_steps) || (w->save_seconds > 0 && w->steps_unsaved && gv_trainer_now() - w->saved >= w->save_seconds);
}

static int one_record(gv_trainer *w, const gv_record *rec, gv_err *err)
{
    const gv_item *e = gv_get(rec, "ends_epoch"), *next = gv_get(rec, "next");
    int64_t epoch, n;
    bool ends = e && e->type == GV_ITEM_BOOL && e->b;
    if (!gv_get_i64(rec, "epoch", &epoch) || !next || next->type != GV_ARRAY || next->array.n != 2)
        return gv_fail(err, GV_EDATA, "a batch lacks 'epoch' or 'next'");
    if (epoch != w->t.epoch)
        return gv_fail(err, GV_EDATA, "a batch of epoch %" PRId64 " came in epoch %" PRId64, epoch, w->t.epoch);
    int r = w->t.epoch_batches >= w->limit ? GV_OK : gv_trainer_batch(w, rec, ends || w->t.epoch_batches + 1 == w->limit, err);
    if (r < 0)
        return r;
    if (gv_get_i64(rec, "skipped", &n))
        w->t.skipped += n;
    if (ends)
        r = gv_trainer_end_epoch(w, err);
    else {
        if (!gv_item_i64_of(&next->array.v[0], &w->t.epoch) || !gv_item_i64_of(&next->array.v[1], &w->t.pos))
            return gv_fail(err, GV_EDATA, "'next' holds no numbers");
        if (save_due(w))
            r = gv_trainer_save(w, err);
    }
    if (r == GV_OK && gv_stop_requested() && !w->micro && !w->t.finished) {
        w->stopped = true;
        if (w->steps_unsaved)
            r = gv_trainer_save(w, err);
    }
    return r;
}

/* plan.json: the kernels of a whole batch's plan, and all measured choices, those for other batch sizes too. */
static int write_plan(gv_trainer *w, gv_err *err)
{
    gv_buf text = { 0 };
    char path[4200];
    snprintf(path, sizeof path, "%s/plan.json", w->o->run);
    int r = gv_plan_describe(w->plans.v[0].plan, w->tuning, &text, err);
    if (r == GV_OK)
        r = gv_file_write(path, text.data, text.len, err);
    gv_buf_release(&text);
    return r;
}

/* A plan has added to the table: kept before the plan runs. */
static int keep_measured(void *arg, gv_err *err)
{
    gv_trainer *w = arg;
    int r = gv_tuned_save(w->tuning, err);
    return r == GV_OK && w->o->run ? write_plan(w, err) : r;
}


/* What samples look like is known, and n of them: make everything; then, on resume, what the last epoch should have published is
 * published again. */
static int start(gv_trainer *w, int64_t n, gv_err *err)
{
    gv_plan_options o = gv_session_plan_options(w->c);
    w->eval = (gv_plans){ .c = w->c, .f = &w->facts, .phase = GV_EVAL, .what = GV_NET_LOSS, .options = o };
    o.keep_grads = true;
    o.overwrite_grads = w->c->training.gradient_accumulation_steps == 1;
    o.grad_scale = 1.0 / (double)w->c->training.gradient_accumulation_steps;
    w->plans = (gv_plans){ .profile = w->profile, .c = w->c, .f = &w->facts, .phase = GV_TRAIN, .what = GV_NET_LOSS | (w->c->task.mixup ? GV_NET_MIX : 0), .options = o };
    gv_threads_set(o.threads);
    int r = gv_tuned_open(&w->tuning, &o, w->resumed ? w->o->run : NULL, err);
    if (r == GV_OK && w->o->tune)
        gv_tuned_measure(w->tuning);
    w->plans.tuning = w->eval.tuning = w->tuning;
    w->plans.measured = w->eval.measured = keep_measured;
    w->plans.measured_arg = w->eval.measured_arg = w;
    if (r == GV_OK)
        r = gv_store_open(&w->store, o.precision, err);
    w->plans.store = w->eval.store = w->store;
    gv_network *net;
    gv_plan *plan;
    if (r == GV_OK)
        r = gv_plans_for(&w->plans, n, w->facts.bags ? w->facts.shape[0] : 0, prepare, w, &net, &plan, err);
    if (r == GV_OK)
        r = gv_journal_open(&w->journal, w->o->run, w->resumed, &w->t, err);
    if (r == GV_OK && w->t.epoch_end)
        r = gv_trainer_publish(w, net, err);
    w->t.epoch_end = false;
    if (r == GV_OK && w->o->run)
        r = write_plan(w, err);
    if (r == GV_OK && w->o->sanity && w->c->training.num_sanity_val_steps && !w->t.step && !w->t.epoch)
        r = gv_trainer_sanity(w, err);
    w->saved = w->epoch_began = gv_trainer_now();
    gv_trainer_begin_pass(w, GV_PACE_TRAIN);
    return r;
}

static int first_record(gv_trainer *w, const gv_record *rec, gv_err *err)
{
    int r = gv_facts_from_batch(&w->facts, rec, err);
    if (r == GV_OK)
        r = start(w, gv_get_tensor(rec, "x")->shape[0], err);
    int64_t epoch, pos;
    if (r == GV_OK && w->resumed && gv_get_i64(rec, "epoch", &epoch) && gv_get_i64(rec, "pos", &pos) && (epoch != w->t.epoch || pos != w->t.pos))
        r = gv_fail(err, GV_EDATA, "the run stands at epoch %" PRId64 ", sample %" PRId64 ", but the stream starts at epoch %" PRId64 ", sample %" PRId64, w->t.epoch, w->t.pos, epoch, pos);
    return r;
}

static int loop(gv_trainer *w, gv_err *err)
{
    gv_record rec;
    int r = GV_OK;
    bool first = true;
    w->epoch_began = w->saved = gv_trainer_now();
    if (w->t.validating || w->t.finished) { /* a signal came in a validation, or death between the last save and its checkpoints */
        r = gv_facts_sample(&w->facts, w->t.dtype, w->t.ndim, w->t.shape, err);
        if (r == GV_OK)
            r = start(w, w->c->dataloading.batch_size, err);
        if (r == GV_OK && w->t.validating)
            r = gv_trainer_end_epoch(w, err);
        if (r < 0)
            return r;
        first = false;
    }
    while (!w->t.finished) {
        gv_hold_signals(w->micro > 0); /* a group of accumulated batches is not cut in two */
        double began = gv_trainer_began(w);
        r = gv_next(w->train, &rec, err);
        gv_trainer_took(w, "wait for a batch", "", began);
        if (r == GV_ESAVED && !first) { /* stopped while it waited: at a boundary, so all of it can be kept */
            gv_err_clear(err);
            r = gv_trainer_save(w, err);
            return r < 0 ? r : gv_trainer_stopped(w, err);
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
            return gv_trainer_stopped(w, err);
    }
    if (r == 0 && !w->t.finished)
        r = gv_fail(err, GV_EDATA, first ? "no batch came in" : "the stream ended in epoch %" PRId64 " of %" PRId64, w->t.epoch, w->c->training.epochs);
    return w->t.finished ? GV_OK : r;
}

/* Where the run stands, before anything is made. A run that was killed before its first save begins again. */
static int look_back(gv_trainer *w, gv_err *err)
{
    w->t.seed = w->c->training.seed;
    w->t.best = NAN;
    w->t.best_epoch = -1;
    char path[4200];
    if (w->o->run)
        gv_trainer_state_path(w, path, sizeof path);
    w->resumed = w->o->resume && w->o->run && gv_file_exists(path);
    return w->resumed ? gv_state_peek(&w->t, path, err) : GV_OK;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    gv_trainer *w = gv_arena_alloc(&st->run, sizeof *w, err);
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
            snprintf(path, sizeof path, "%s/log", w->o->run);
            gv_parts_remove(path, 0);
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
    if (r == GV_OK && w->o->profile)
        r = gv_profile_open(&w->profile, err);
    if (r == GV_OK)
        r = loop(w, err);
    if (r == GV_OK && w->profile)
        r = gv_trainer_profile(w, err);
    gv_plans_close(&w->plans);
    gv_profile_close(w->profile);
    gv_plans_close(&w->eval);
    gv_tuning_close(w->tuning);
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
    .reads = GV_BATCH, .writes = 0, .blocks = blocks, .fields = fields, .params_size = sizeof(struct gv_train_options), .names = gv_session_names,
    .manual_streams = true, .text_output = true, .run = run,
};
