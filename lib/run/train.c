/* train: the folds of a training run, each a pipeline with a directory of its own. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "json/json.h"
#include "nn/optim/groups.h"
#include "run/run.h"
#include "run/rundir.h"
#include "run/spawn.h"
#include "run/trackers.h"
#include "session/lock.h"
#include "session/session.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char *const train_blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "optimizer", "training", "task", "dataloading.batch_size", "dataloading.eval_batch_size", "dataloading.drop_last_train", "dataloading.drop_last_eval", NULL };

enum { TRACKERS_S = 30 }; /* that trackers get for what is left at the end */

typedef struct job { /* one fold */
    const gv_config *user;      /* as typed, with the fold and group chosen */
    gv_resolved r;
    char dir[4096];
    gv_run_progress at;         /* where it stands */
    bool resumed, one_of_many;  /* a fold of a cross-validation */
    gv_pipeline_plan plan;
    gv_pictures pictures;
    gv_trackers trackers;
    int argc;
    char **argv;
} job;

/* ---- the pipeline ---- */

/* Samples of an epoch that are used: 0 for all. Where samples may be skipped it is the trainer that counts. */
static int64_t used(const gv_config *c, int64_t batches, int64_t size)
{
    return batches == GV_NONE_I64 || c->on_error == GV_ON_ERROR_SKIP || batches > INT64_MAX / size ? 0 : batches * size;
}

static int number_option(gv_pipeline_plan *p, int node, const char *name, int64_t v, gv_err *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    return gv_pipe_option(p, node, name, text, err);
}

static int plan(job *j, gv_arena *arena, gv_err *err)
{
    const gv_config *c = &j->r.c;
    gv_pipeline_plan *p = &j->plan;
    gv_pipe_init(p, arena);
    int64_t left = c->training.epochs - j->at.epoch, size = c->dataloading.batch_size, eval_size = c->dataloading.eval_batch_size == GV_NONE_I64 ? size : c->dataloading.eval_batch_size;
    int64_t steps = c->training.train_steps_per_epoch, val_n = j->r.data.split[GV_SPLIT_VAL].n;
    gv_flow train = { .label = "train", .split = "train", .augment = "train", .batch = "train", .start_epoch = j->at.epoch, .start_pos = j->at.pos, .epochs = left, .shuffle = c->dataloading.shuffle_train };
    gv_flow val = { .label = "val", .split = "val", .augment = "test", .batch = "eval", .start_epoch = j->at.epoch, .epochs = left, .shuffle = c->dataloading.shuffle_eval };
    train.limit = used(c, steps == GV_NONE_I64 ? steps : steps * c->training.gradient_accumulation_steps, size);
    val.limit = used(c, c->training.val_steps_per_epoch, eval_size);
    gv_flow trial = { .label = "sanity", .split = "val", .augment = "test", .batch = "eval", .epochs = 1, .workers = 1 };
    bool try = c->training.num_sanity_val_steps > 0 && val_n > 0 && !j->at.step && !j->at.epoch;
    int s = -1, v = -1, t, n;
    if (c->dataloading.drop_last_train && j->r.data.split[GV_SPLIT_TRAIN].n < size)
        return gv_fail(err, GV_EUSAGE, "'--dataloading.drop_last_train' leaves no batch: an epoch has %" PRId64 " samples, a batch %" PRId64, j->r.data.split[GV_SPLIT_TRAIN].n, size);
    if (try && (s = gv_flow_add(p, c, &trial, err)) < 0)
        return s;
    if (val_n > 0 && (v = gv_flow_add(p, c, &val, err)) < 0)
        return v;
    if ((t = gv_flow_add(p, c, &train, err)) < 0 || (n = gv_pipe_stage(p, "train", "train", err)) < 0)
        return err->code;
    int r = gv_config_args(c, train_blocks, &p->node[n].words, err);
    if (r == GV_OK)
        r = gv_pipe_option(p, n, "--run", j->dir, err);
    if (r == GV_OK && j->resumed)
        r = gv_pipe_option(p, n, "--resume", NULL, err);
    if (r == GV_OK && c->driver.profile)
        r = gv_pipe_option(p, n, "--profile", NULL, err);
    if (r == GV_OK && c->driver.tune)
        r = gv_pipe_option(p, n, "--tune", NULL, err);
    if (r == GV_OK)
        r = number_option(p, n, "--samples", j->r.data.split[GV_SPLIT_TRAIN].n, err);
    if (r == GV_OK && v >= 0)
        r = number_option(p, n, "--val_samples", val_n, err);
    if (r == GV_OK)
        r = gv_pipe_connect(p, t, n, NULL, err);
    if (r == GV_OK && v >= 0)
        r = gv_pipe_connect(p, v, n, "--val", err);
    return r == GV_OK && s >= 0 ? gv_pipe_connect(p, s, n, "--sanity", err) : r;
}

/* ---- files of the run directory ---- */

static json_t *runtime_info(const job *j)
{
    char cwd[4096];
    struct utsname u;
    json_t *argv = json_array(), *o = json_object();
    for (int i = 0; i < j->argc; i++)
        json_array_append_new(argv, json_string(j->argv[i]));
    json_object_set_new(o, "argv", argv);
    json_object_set_new(o, "cwd", json_string(getcwd(cwd, sizeof cwd) ? cwd : "?"));
    json_object_set_new(o, "version", json_string(GV_VERSION));
    if (uname(&u) == 0) {
        json_object_set_new(o, "platform", json_sprintf("%s %s %s", u.sysname, u.release, u.machine));
        json_object_set_new(o, "host", json_string(u.nodename));
    }
    json_object_set_new(o, "cores", json_integer(gv_threads_available()));
    json_object_set_new(o, "bf16", json_boolean(gv_cpu_has_bf16()));
    json_object_set_new(o, "resumed", json_boolean(j->resumed));
    return o;
}

/* The resolved configuration: what the original lists, then the rest. */
static json_t *resolved_json(const job *j, gv_err *err)
{
    json_t *o = gv_config_json(&j->r.c, err);
    if (!o)
        return NULL;
    json_object_del(o, "typed");
    json_t *pre = json_object();
    if (j->r.has_model && j->r.model.cfg) {
        const gv_pretrained_cfg *f = j->r.model.cfg;
        json_object_set_new(pre, "image_size", json_integer(f->input_size));
        json_object_set_new(pre, "crop_pct", json_real(f->crop_pct));
        json_object_set_new(pre, "interpolation", json_string(f->interpolation));
        json_object_set_new(pre, "mean", json_pack("[f,f,f]", f->mean[0], f->mean[1], f->mean[2]));
        json_object_set_new(pre, "std", json_pack("[f,f,f]", f->std[0], f->std[1], f->std[2]));
    }
    json_object_set_new(o, "encoder_preprocessing", pre);
    json_t *data = json_object_get(o, "data");
    if (j->r.data.class_names && json_object_get(data, "class_names")) { /* what infer counts by, whatever classes its data hold */
        json_t *names = json_array();
        for (int64_t i = 0; i < j->r.data.num_classes; i++)
            json_array_append_new(names, json_string(j->r.data.class_names[i]));
        json_object_set_new(data, "class_names", names);
    }
    return o;
}

static int put_json(const job *j, const char *name, json_t *v, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", j->dir, name);
    int r = v ? gv_json_write(path, v, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(v);
    return r;
}

static int put_text(const char *dir, const char *name, const gv_buf *text, mode_t mode, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int r = gv_file_write(path, text->data ? text->data : "", text->len, err);
    if (r == GV_OK && chmod(path, mode) < 0)
        r = gv_fail_sys(err, "cannot set the mode of '%s'", path);
    return r;
}

static char *json_pretty(json_t *v)
{
    char *s = v ? json_dumps(v, JSON_INDENT(2)) : NULL;
    json_decref(v);
    return s;
}

/* The bash text of this run: a directory, its configuration, the stages. */
static int script(job *j, gv_buf *out, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/checkpoints", j->dir);
    j->plan.before.len = 0;
    int r = gv_pipe_dir_before(&j->plan, path, err);
    char *text = json_pretty(gv_config_json(j->user, err));
    snprintf(path, sizeof path, "%s/config.json", j->dir);
    if (r == GV_OK)
        r = text ? gv_pipe_file_before(&j->plan, path, text, err) : err->code;
    free(text);
    text = json_pretty(resolved_json(j, err));
    snprintf(path, sizeof path, "%s/resolved_config.json", j->dir);
    if (r == GV_OK)
        r = text ? gv_pipe_file_before(&j->plan, path, text, err) : err->code;
    free(text);
    return r == GV_OK ? gv_pipe_print(&j->plan, out, err) : r;
}

static int write_run(job *j, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/checkpoints", j->dir);
    int r = gv_mkdirs(path, err);
    if (r == GV_OK && !j->resumed)
        r = put_json(j, "config.json", gv_config_json(j->user, err), err);
    if (r == GV_OK)
        r = put_json(j, "resolved_config.json", resolved_json(j, err), err);
    if (r == GV_OK)
        r = put_json(j, "runtime_info.json", runtime_info(j), err);
    if (r == GV_OK && j->r.data.folds_drawn)
        r = put_json(j, "splits.json", gv_folds_json(&j->r.data, err), err);
    gv_buf text = { 0 };
    if (r == GV_OK)
        r = script(j, &text, err);
    if (r == GV_OK)
        r = put_text(j->dir, "pipeline.sh", &text, 0777 & ~022, err);
    gv_buf_release(&text);
    return r;
}

/* ---- what the user is told at the start ---- */

static int summary(job *j, gv_arena *arena, gv_err *err)
{
    gv_buf out = { 0 };
    const gv_config *c = &j->r.c;
    int r = gv_buf_printf(&out, err, "run          %s\n", j->dir);
    if (r == GV_OK)
        r = gv_buf_add(&out, j->r.notes.data ? j->r.notes.data : "", j->r.notes.len, err);
    if (r == GV_OK)
        r = gv_data_describe(&j->r.data, &out, err);
    size_t mark = arena->used;
    gv_facts f = { .task = c->data.task, .subtask = gv_subtask_of_answers(c->data.subtask), .framewise = c->data.subtask == GV_SUBTASK_FRAMEWISE, .num_classes = c->data.num_classes, .dtype = GV_U8, .scale = 1 };
    gv_resolved_shape(&j->r, &f.dtype, &f.ndim, f.shape);
    f.bags = gv_content_find(j->r.data.content)->ragged;
    gv_network *net = NULL;
    if (r == GV_OK)
        r = gv_network_build(&net, c, &f, 1, GV_EVAL, 0, err);
    if (r == GV_OK && c->optimizer.layer_wise_lr_decay > 0 && !gv_groups_blocks(net->graph))
        r = gv_fail(err, GV_EUSAGE, "'--optimizer.layer_wise_lr_decay' needs an encoder made of blocks, a vision transformer for example; this one has none");
    if (r == GV_OK) {
        int64_t all, trained;
        gv_network_count(net, &all, &trained);
        const char *name = gv_config_encoder(c).type;
        r = gv_buf_printf(&out, err, "model        %s, %" PRId64 " parameters, %" PRId64 " trained (%.2f %%), features %" PRId64 " (%s), %s\n", name, all, trained, all ? 100.0 * (double)trained / (double)all : 0.0,
                          net->features, net->kind == GV_TOKENS ? gv_aggregation_names[net->aggregation] : net->kind == GV_MAP ? "mean over the map" : "as stored", c->peft.method->name);
    }
    gv_network_close(net);
    gv_arena_rewind(arena, mark);
    double top = 0;
    for (int64_t e = 0; e < c->training.epochs; e++) {
        double v = c->optimizer.lr * gv_session_lr_factor(c, e);
        top = v > top ? v : top;
    }
    static const char *const precisions[] = { "fp32", "fp16", "bf16", "fp64" };
    if (r == GV_OK)
        r = gv_buf_printf(&out, err, "training     %" PRId64 " epochs, batch %" PRId64 ", %s lr %g, %s, %d threads, %" PRId64 " workers\n", c->training.epochs, c->dataloading.batch_size,
                          gv_optimizer_names[c->optimizer.name], c->optimizer.lr, precisions[c->training.precision], c->training.threads == GV_NONE_I64 ? gv_threads_available() : (int)c->training.threads, c->dataloading.num_workers);
    if (r == GV_OK)
        fwrite(out.data, 1, out.len, stderr);
    gv_buf_release(&out);
    if (r == GV_OK && c->optimizer.scheduler == GV_SCHEDULER_COSINE_ANNEAL && c->optimizer.warmup_epochs >= c->training.epochs)
        gv_log(GV_WARNING, "'--optimizer.warmup_epochs' is %" PRId64 " and there are %" PRId64 " epochs: the learning rate never rises above %.4g", c->optimizer.warmup_epochs, c->training.epochs, top);
    return r;
}

/* ---- after the end ---- */

static int finish(job *j, gv_err *err)
{
    gv_run_progress p;
    int r = gv_run_progress_read(j->dir, &p, err);
    if (r < 0)
        return r;
    gv_pictures_close(&j->pictures, gv_pipe_stopped() ? 0 : 60);
    r = gv_pictures_last(j->dir, j->r.c.data.task == GV_TASK_REGRESSION, true, err);
    if (r < 0)
        return r;
    gv_trackers_close(&j->trackers, GV_RUN_FINISHED, 0, TRACKERS_S, !j->user->driver.progress);
    const char *metric = gv_session_best_metric(&j->r.c);
    printf("run          %s\n", j->dir);
    if (!p.present)
        printf("checkpoints  none: --training.no_enable_checkpointing\n");
    else if (p.best_epoch >= 0)
        printf("best         %s %.4f in epoch %" PRId64 "\n", metric, p.best, p.best_epoch + 1);
    if (p.skipped)
        gv_log(GV_WARNING, "%" PRId64 " sample%s skipped; ids and reasons are in '%s/events.jsonl'", p.skipped, p.skipped == 1 ? " was" : "s were", j->dir);
    return fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : GV_OK;
}

/* The end of a run that did not finish, told to its trackers; little time is left where a signal stopped it. */
static void tell_trackers(job *j, int r, int status)
{
    if (r != GV_OK)
        gv_trackers_close(&j->trackers, r == GV_ESAVED ? GV_RUN_STOPPED : GV_RUN_FAILED, r == GV_ESAVED ? 75 : status ? status : gv_exit_status(r), r == GV_ESAVED ? 3 : TRACKERS_S, true);
}

/* A run that was killed between its end and telling of it. */
static int told_all(job *j, gv_err *err)
{
    gv_run_facts f = { 0 };
    snprintf(f.dir, sizeof f.dir, "%s", j->dir);
    int r = gv_run_facts_state(&f, err);
    if (r < 0 || f.state == GV_RUN_FINISHED)
        return r;
    r = gv_trackers_open(&j->trackers, j->dir, err);
    gv_trackers_close(&j->trackers, GV_RUN_FINISHED, 0, TRACKERS_S, !j->user->driver.progress);
    return r;
}

/* What to type to go on, after a signal. That is the whole message: a stop that was asked for is no error. */
static void tell_resume(const job *j, gv_err *err)
{
    const struct gv_training_config *o = &j->user->training;
    fprintf(stderr, "%s\n", err->text);
    gv_err_clear(err);
    const char *what = o->enable_checkpointing ? "saved       " : "stopped     ";
    if (!o->enable_checkpointing)
        fprintf(stderr, "%s checkpoints are off, so nothing was saved: --resume begins again\n", what);
    if (j->one_of_many)
        fprintf(stderr, "%s continue with the same command and --logger.group '%s' --resume\n", what, j->user->logger.group);
    else
        fprintf(stderr, "%s continue with: glovita_train --resume '%s'\n", what, j->dir);
}

/* ---- one fold ---- */

static int begin(job *j, int *lock, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/config.json", j->dir);
    bool exists = gv_file_exists(path);
    *lock = -1;
    if (exists || j->resumed) { /* a directory that lives: its lock tells more than its files */
        int r = gv_dir_lock(j->dir, lock, err);
        if (r < 0)
            return r;
    }
    int r = gv_run_progress_read(j->dir, &j->at, err);
    if (r < 0)
        return r;
    if (exists && !j->resumed) {
        if (j->at.finished)
            return gv_fail(err, GV_EUSAGE, "'%s' holds a finished run, which is never written into; choose another --logger.group", j->dir);
        return gv_fail(err, GV_EUSAGE, "'%s' holds a run that is not finished; continue it with --resume '%s', or choose another --logger.group", j->dir, j->dir);
    }
    return GV_OK;
}

/* A resumed run keeps the precision it began with, also on another machine. */
static int keep_precision(job *j, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/resolved_config.json", j->dir);
    if (!j->resumed || !gv_file_exists(path))
        return GV_OK;
    json_t *was = gv_json_read(path, 64 << 20, err);
    if (!was)
        return err->code;
    const char *p = json_string_value(json_object_get(json_object_get(was, "training"), "precision"));
    int r = p ? gv_config_set(&j->r.c, "training.precision", &p, 1, false, err) : GV_OK;
    json_decref(was);
    if (r == GV_OK && j->r.c.training.precision == GV_PRECISION_BF16 && !gv_cpu_has_bf16())
        gv_log(GV_WARNING, "the run began in bf16, for which this processor has no instructions: it goes on in bf16, slowly");
    return r;
}

static int run_fold(job *j, gv_arena *arena, int *status, gv_err *err)
{
    int lock = -1;
    bool dry = j->user->driver.dry_run, print = j->user->driver.print_pipeline;
    int r = GV_OK;
    if (!dry && !print)
        r = begin(j, &lock, err);
    else if (j->resumed)
        r = gv_run_progress_read(j->dir, &j->at, err);
    if (r == GV_OK && j->resumed && j->at.finished && gv_run_published(j->user, j->dir, &j->at)) {
        fprintf(stderr, "'%s' is finished: nothing to do\n", j->dir);
        if (!dry && !print) /* it may have been killed at its very end */
            r = gv_pictures_last(j->dir, j->user->data.task == GV_TASK_REGRESSION, false, err);
        if (r == GV_OK && !dry && !print)
            r = told_all(j, err);
        goto out;
    }
    if (r == GV_OK)
        r = gv_resolve(&j->r, j->user, &(gv_data_want){ .splits = GV_SPLITS_ALL, .optional = 1u << GV_SPLIT_TEST }, arena, err);
    if (r == GV_OK)
        r = keep_precision(j, err);
    const char *weights;
    if (r == GV_OK && j->r.has_model && !j->at.present) /* before anything is written; a resumed run holds its own */
        r = gv_pretrained_find(&j->r.c, &j->r.model, !dry && !print, arena, &weights, err);
    if (r == GV_OK)
        r = plan(j, arena, err);
    if (r == GV_OK && print) {
        gv_buf text = { 0 };
        r = script(j, &text, err);
        if (r == GV_OK)
            fwrite(text.data, 1, text.len, stdout);
        gv_buf_release(&text);
        goto out;
    }
    if (r == GV_OK)
        r = summary(j, arena, err);
    if (r == GV_OK && dry) {
        fprintf(stderr, "dry run      nothing was written; these stages would run:\n");
        gv_buf text = { 0 };
        r = gv_pipe_print(&j->plan, &text, err);
        if (r == GV_OK)
            fwrite(text.data, 1, text.len, stdout);
        gv_buf_release(&text);
        goto out;
    }
    if (r == GV_OK)
        gv_pipe_catch();
    if (r == GV_OK && lock < 0)
        r = gv_dir_lock(j->dir, &lock, err);
    if (r == GV_OK)
        r = write_run(j, err);
    if (r == GV_OK)
        r = gv_trackers_open(&j->trackers, j->dir, err);
    if (r == GV_OK) {
        if (j->resumed)
            fprintf(stderr, "resumed      at epoch %" PRId64 ", sample %" PRId64 " (step %" PRId64 ")\n", j->at.epoch, j->at.pos, j->at.step);
        char events[4200];
        snprintf(events, sizeof events, "%s/events.jsonl", j->dir);
        gv_pictures_open(&j->pictures, j->dir, j->r.c.data.task == GV_TASK_REGRESSION);
        char checkpoints[4200];
        snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", j->dir);
        const char *const dirs[] = { j->dir, checkpoints, NULL };
        r = gv_pipe_run(&j->plan, &(gv_run_options){ .events_path = events, .lock_fd = lock, .quiet = !j->user->driver.progress, .plain = j->user->training.cluster_progress_bar, .pictures = &j->pictures, .trackers = &j->trackers, .what = "training", .dirs = dirs }, status, err);
    }
    if (r == GV_OK)
        r = finish(j, err);
    tell_trackers(j, r, *status);
out:
    if (r == GV_ESAVED)
        tell_resume(j, err);
    if (lock >= 0)
        close(lock);
    gv_pipe_release(&j->plan);
    gv_resolved_release(&j->r);
    return r;
}

/* ---- all folds ---- */

/* --resume DIR: the run's own configuration below what is on this command line; a field that changes results is refused. */
static int reopen(gv_config *c, const char *dir, int argc, char **argv, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/config.json", dir);
    if (!gv_file_exists(path))
        return gv_fail(err, GV_EUSAGE, "'--resume' is '%s', which has no config.json: it is no run directory", dir);
    json_t *old = gv_json_read(path, 64 << 20, err);
    if (!old)
        return err->code;
    gv_arena *arena = c->arena;
    gv_config_release(c);
    int r = gv_config_init(c, arena, err);
    if (r == GV_OK)
        r = gv_config_load_json(c, old, path, err);
    if (r == GV_OK)
        r = gv_config_parse(c, gv_command_find("train"), argc, argv, err);
    json_t *now = r == GV_OK ? gv_config_json(c, err) : NULL;
    if (now)
        r = gv_run_same_results(old, now, err);
    json_decref(now);
    json_decref(old);
    return r;
}

/* The group in a file of a run is that run's; without one on the command line a new one is made. */
static bool group_on_line(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--logger", 8))
            continue;
        const char *s = argv[i] + 8;
        if (!strncmp(s, ".group", 6) && (!s[6] || s[6] == '='))
            return true;
    }
    return false;
}

static int choose_run(gv_config *c, const char *fold, char *dir, size_t size, bool *resumed, gv_err *err)
{
    *resumed = false;
    if (!c->logger.group) {
        char group[256];
        int r = gv_run_auto_group(c, group, sizeof group, err);
        const char *word = group;
        if (r == GV_OK)
            r = gv_config_set(c, "logger.group", &word, 1, false, err);
        if (r < 0)
            return r;
    }
    snprintf(dir, size, "%s/%s/%s/%s", c->exp_dir, c->data.dataset->name, c->logger.group, fold);
    if (c->driver.resume.v) {
        char path[4200];
        snprintf(path, sizeof path, "%.4000s/config.json", dir);
        *resumed = gv_file_exists(path);
    }
    return GV_OK;
}

static int one(gv_config *c, const char *fold, const char *given_dir, bool one_of_many, int argc, char **argv, int *status, gv_err *err)
{
    gv_arena *arena = c->arena;
    job *j = gv_alloc(sizeof *j, err);
    if (!j)
        return GV_ESYS;
    j->argc = argc;
    j->argv = argv;
    j->one_of_many = one_of_many;
    int r = GV_OK;
    if (given_dir) {
        snprintf(j->dir, sizeof j->dir, "%s", given_dir);
        j->resumed = true;
    } else
        r = choose_run(c, fold, j->dir, sizeof j->dir, &j->resumed, err);
    if (r == GV_OK && j->resumed && !given_dir)
        r = reopen(c, j->dir, argc, argv, err);
    if (r == GV_OK && c->training.seed == GV_NONE_U64) { /* drawn once for all folds, kept in config.json */
        uint32_t seed = 0;
        r = gv_session_draw_seed(&seed, err);
        char text[24];
        snprintf(text, sizeof text, "%" PRIu32, seed);
        const char *word = text;
        if (r == GV_OK)
            r = gv_config_set(c, "training.seed", &word, 1, false, err);
    }
    const char *word = fold;
    if (r == GV_OK && !c->data.fold && c->training.cv_folds > 1)
        r = gv_config_set(c, "data.fold", &word, 1, false, err);
    j->user = c;
    if (r == GV_OK)
        r = run_fold(j, arena, status, err);
    gv_free(j);
    return r;
}

/* A bare --resume without a group: that of the newest unfinished run like this one. */
static int find_group(gv_config *c, const char *fold, int64_t folds, gv_err *err)
{
    const char *found;
    if (!c->driver.resume.v || c->driver.resume.n || c->logger.group)
        return GV_OK;
    int r = gv_run_find_unfinished(c, fold, folds, c->arena, &found, err);
    return r == GV_OK && found ? gv_config_set(c, "logger.group", &found, 1, false, err) : r;
}

static int all_folds(gv_config *c, int argc, char **argv, int *status, gv_err *err)
{
    int r = GV_OK;
    for (int64_t k = 0; k < c->training.cv_folds && r == GV_OK; k++) {
        char fold[24];
        snprintf(fold, sizeof fold, "%" PRId64, k);
        if (k && gv_pipe_stopped()) { /* between two folds, or too late for the one before */
            fprintf(stderr, "stopped      continue with the same command and --logger.group '%s' --resume\n", c->logger.group);
            return GV_ESAVED;
        }
        gv_config copy;
        r = gv_config_copy(&copy, c, c->arena, err);
        copy.logger.group = c->logger.group;
        if (r == GV_OK)
            r = one(&copy, fold, NULL, true, argc, argv, status, err);
        if (r == GV_OK) { /* all folds share the group and the seed of the first */
            c->logger.group = copy.logger.group;
            c->training.seed = copy.training.seed;
        }
        gv_config_release(&copy);
    }
    return r;
}

int gv_driver_train(gv_config *c, int argc, char **argv, gv_err *err)
{
    int status = 0, r = GV_OK;
    const char *dir = c->driver.resume.v && c->driver.resume.n ? c->driver.resume.v[0] : NULL;
    if (dir)
        r = reopen(c, dir, argc, argv, err);
    if (r == GV_OK)
        r = gv_config_check(c, err);
    if (r == GV_OK)
        r = gv_config_check_built(c, err);
    if (r == GV_OK)
        r = gv_session_check(c, err);
    if (r == GV_OK && c->config_file && !dir && !group_on_line(argc, argv) && c->logger.group) {
        c->logger.group = NULL;
        fprintf(stderr, "config       '%s' is reproduced in a new group\n", c->config_file);
    }
    if (r < 0)
        return gv_exit_status(r);
    const char *fold = c->data.fold ? c->data.fold : "0";
    int64_t folds = c->data.fold ? 1 : c->training.cv_folds;
    r = find_group(c, fold, folds, err);
    if (r == GV_OK)
        r = dir || folds <= 1 ? one(c, fold, dir, false, argc, argv, &status, err) : all_folds(c, argc, argv, &status, err);
    return r == GV_OK ? 0 : r == GV_ESAVED ? 75 : status ? status : gv_exit_status(r);
}
