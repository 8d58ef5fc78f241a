/* log: deliver what a run has to tell to its trackers, once or while it goes on. */
#include "common/file.h"
#include "common/log.h"
#include "plot/plot.h"
#include "stage/stage.h"
#include "track/track.h"
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SINKS = 8, MAX_CURVES = 16, NAP_NS = 300000000, USAGE_S = 15 };

struct log {
    const char *deliver, *sink, *to;
    bool follow;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct log, deliver, "the run's directory", .takes = GV_TAKES_RUN),
    GV_OPT_STR(struct log, sink, "tracker: wandb, mlflow, tensorboard, csv, jsonl, none; None: those the run names, csv where it names none", .takes = GV_TAKES_NAME),
    GV_OPT_STR(struct log, to, "file of csv and jsonl, folder of wandb and tensorboard, address of mlflow; None: what the run and the environment say", .takes = GV_TAKES_FILE),
    GV_BOOL(struct log, follow, false, "go on until the run has ended, or a signal comes"),
    GV_END
};

/* ---- pictures of the end ---- */

static void draw(int (*plot)(const char *, const gv_plot *, gv_err *), const char *from, const char *dir, const char *name, gv_plot p)
{
    char to[4500];
    gv_err err = { 0 };
    snprintf(to, sizeof to, "%.4200s/%s.png", dir, name);
    p.to = to;
    if (!gv_file_exists(to) && plot(from, &p, &err) < 0)
        gv_log(GV_DEBUG, "no picture '%s': %s", to, err.text); /* a regression has no confusion matrix, a machine no gnuplot */
}

static int curve(const char *run, const gv_plot *p, gv_err *err)
{
    return gv_plot_curves(&run, 1, p, err);
}

/* The curves of loss and metrics, a picture each. */
static void draw_curves(const char *run, const char *dir)
{
    char path[4200];
    const char *key;
    json_t *v;
    int n = 0;
    gv_buf b = { 0 };
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", run);
    const char *end = gv_file_read(path, (size_t)256 << 20, &b, &(gv_err){ 0 }) == GV_OK && b.data ? strchr(b.data, '\n') : NULL;
    json_t *first = end ? gv_json_parse(b.data, (size_t)(end - b.data), path, &(gv_err){ 0 }) : NULL;
    json_object_foreach(first, key, v) {
        const char *metric = !strncmp(key, "train_", 6) ? key + 6 : !strncmp(key, "val_", 4) ? key + 4 : NULL;
        if (metric && n < MAX_CURVES && !strchr(metric, '/') && !strstr(metric, "_class_")) {
            draw(curve, run, dir, metric, (gv_plot){ .only = metric });
            n++;
        }
    }
    json_decref(first);
    gv_buf_release(&b);
}

/* What has not been drawn of the end: log/pictures/KEY.png. The last epoch's picture in plots stands for the one made here. */
static void draw_last(const gv_run_facts *run, int64_t epochs)
{
    char dir[4200], curves[4300], path[4300], of_epoch[4300];
    snprintf(dir, sizeof dir, "%.4000s/log/pictures", run->dir);
    snprintf(curves, sizeof curves, "%s/curve", dir);
    snprintf(path, sizeof path, "%.4000s/val_results.json", run->dir);
    snprintf(of_epoch, sizeof of_epoch, "%.4000s/plots/val_confusion_matrix_epoch_%04" PRId64 ".png", run->dir, epochs - 1);
    const char *task = json_string_value(json_object_get(json_object_get(run->config, "data"), "task"));
    bool regression = task && !strcmp(task, "Regression");
    if (gv_mkdirs(curves, &(gv_err){ 0 }) < 0)
        return;
    if (gv_file_exists(path) && regression)
        draw(gv_plot_scatter, path, dir, "val_PredictedAgainstTrue", (gv_plot){ 0 });
    if (gv_file_exists(path) && !regression && !gv_file_exists(of_epoch)) {
        draw(gv_plot_confusion, path, dir, "val_ConfusionMatrix_normalized", (gv_plot){ 0 });
        draw(gv_plot_confusion, path, dir, "val_ConfusionMatrix_absolute", (gv_plot){ .counts = true });
    }
    draw_curves(run->dir, curves);
}

/* ---- deliveries ---- */

static void nap(double seconds)
{
    struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, NULL); /* a signal ends it early, which is as well */
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All there is; where the run has ended, its last pictures too. */
static int deliver(gv_track *t, gv_err *err)
{
    const gv_run_facts *run = gv_track_run(t);
    int n = 0, r;
    if (gv_track_look(t, err) < 0)
        return err->code;
    if (run->state == GV_RUN_FINISHED)
        draw_last(run, gv_run_epochs(run->dir));
    while ((r = gv_track_deliver(t, err)) > 0)
        n += r;
    return r < 0 ? r : n;
}

/* A failure is told once, and tried again after 1, 2, 4 … 60 s, while the run goes on. */
static int follow(gv_track *t, gv_err *err)
{
    gv_usage_before before = { 0 };
    gv_usage u;
    char told[300] = "";
    double wait = 0, next_usage = 0;
    gv_usage_now(&u, &before, 0);
    for (;;) {
        /* asked first: what is written before the end is delivered after it */
        bool last = gv_stop_requested() || gv_track_run(t)->state != GV_RUN_GOING || gv_track_off(t);
        int n = deliver(t, err);
        bool ended = gv_track_run(t)->state != GV_RUN_GOING;
        if (n >= 0 && !last && !ended && now() >= next_usage) {
            gv_usage_now(&u, &before, (int)getppid());
            if (gv_track_usage(t, &u, err) < 0)
                gv_err_clear(err); /* of the machine, not of the run */
            next_usage = now() + USAGE_S;
        }
        if (last && (n <= 0 || gv_stop_requested()))
            return n < 0 ? n : GV_OK;
        if (n < 0) {
            if (err->code == GV_EUSAGE || err->code == GV_EDATA)
                return n; /* waiting does not mend it */
            if (strncmp(told, err->text, 290)) {
                snprintf(told, sizeof told, "%.290s", err->text);
                gv_log(GV_WARNING, "%s; trying again", err->text);
            }
            gv_err_clear(err);
            wait = wait > 0 ? wait < 30 ? 2 * wait : 60 : 1;
            for (double until = now() + wait; now() < until && !gv_stop_requested() && !ended;) {
                nap(0.3);
                if (gv_track_look(t, err) < 0)
                    gv_err_clear(err);
                ended = gv_track_run(t)->state != GV_RUN_GOING;
            }
        } else if (!n && !ended) {
            wait = 0;
            nap(1e-9 * NAP_NS);
        }
    }
}

static int one(gv_stage_ctx *st, const struct log *o, const gv_sink *sink, gv_err *err)
{
    gv_track *t = NULL;
    int r = gv_track_open(&t, o->deliver, sink, o->to, o->follow, gv_stop_requested, err);
    if (r < 0)
        return r;
    int64_t before = gv_track_lines(t);
    r = o->follow ? follow(t, err) : deliver(t, err);
    if (r >= 0) {
        const char *where = gv_track_where(t), *hint = gv_track_hint(t, &st->run);
        printf("%" PRId64 " epochs delivered, %" PRId64 " of them now%s%s\n", gv_track_lines(t), gv_track_lines(t) - before, where ? ": " : "", where ? where : "");
        if (hint)
            printf("%s\n", hint);
    }
    gv_track_close(t);
    return r < 0 ? gv_fail_in(err, "%s", sink->name) : GV_OK;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct log *o = st->params;
    char path[4200];
    const gv_sink *v[MAX_SINKS] = { NULL };
    const char *names[MAX_SINKS];
    if (!o->deliver)
        return gv_fail(err, GV_EUSAGE, "'--deliver' is not given: the run whose metrics are delivered");
    int n = 1, r = GV_OK;
    if (o->sink && !(v[0] = gv_sink_find(o->sink, err)))
        return err->code;
    snprintf(path, sizeof path, "%.4000s/.", o->deliver);
    if (!gv_file_exists(path))
        return gv_fail(err, GV_EUSAGE, "'%s' is no directory", o->deliver);
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", o->deliver);
    if (!gv_file_exists(path) && !o->follow)
        return gv_fail(err, GV_EUSAGE, "'%s' is no run: it has no metrics.jsonl", o->deliver);
    if (!o->sink && (n = gv_trackers_of_run(o->deliver, names, MAX_SINKS, err)) < 0)
        return n;
    for (int i = 0; !o->sink && i < n; i++)
        v[i] = gv_sink_find(names[i], err);
    if (!o->sink && n == 0)
        v[n++] = gv_sink_find("csv", err);
    if (n > 1 && (o->to || o->follow))
        return gv_fail(err, GV_EUSAGE, "'%s' names %d trackers; %s takes one: --sink %s", o->deliver, n, o->to ? "--to" : "--follow", v[0]->name);
    gv_catch_signals();
    for (int i = 0; i < n; i++) { /* one that fails does not keep the others from it */
        gv_err mine = { 0 };
        if (one(st, o, v[i], &mine) < 0 && r == GV_OK) {
            *err = mine;
            r = mine.code;
        } else if (mine.code != GV_OK)
            gv_log(GV_ERROR, "%s", mine.text);
    }
    return r;
}

static void names(const gv_config *c, const char *path, gv_words *out)
{
    (void)c;
    for (size_t i = 0; gv_sinks[i] && !strcmp(path, "sink"); i++)
        gv_words_add(out, gv_sinks[i]->name, gv_sinks[i]->summary);
}

const gv_stage gv_this_stage = {
    .name = "log", .summary = "deliver what a run has to tell to its trackers",
    .fields = fields, .params_size = sizeof(struct log), .text_output = true, .names = names, .run = run,
};
