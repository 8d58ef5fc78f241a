/* session: metrics by step and by epoch, results, pace, the metric that decides, and the lock of a run directory. */
#include "common/file.h"
#include "session/lock.h"
#include "session/pace.h"
#include "session/results.h"
#include "session/scores.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { K = 3, N = 4 };
/* Three batches: right answers 4 of 4, 2 of 4, and 1 of 2, where two rows count for nothing. */
static const int64_t truth[3][N] = { { 0, 1, 2, 0 }, { 0, 1, 2, 1 }, { 2, 2, -1, -1 } };
static const int64_t answer[3][N] = { { 0, 1, 2, 0 }, { 0, 1, 0, 2 }, { 2, 0, 0, 1 } };

static void logits_of(int b, float *x)
{
    for (int i = 0; i < N * K; i++)
        x[i] = i % K == answer[b][i / K] ? 2 : (float)(i % K) / 8;
}

static int feed(gv_scores *s, int from, int to, gv_err *err)
{
    float x[N * K];
    for (int b = from; b < to; b++) {
        logits_of(b, x);
        int r = gv_scores_add(s, x, N, truth[b], NULL, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

static void scores(const gv_config *base, int mode, double accuracy)
{
    static const char *names[] = { "acc", "f1", "auroc" };
    gv_config c = *base;
    gv_err err = { 0 };
    gv_scores *a, *b;
    gv_buf bytes = { 0 };
    c.task.metrics = (gv_strs){ .v = names, .n = 3 };
    c.task.metric_computation_mode = mode;
    const char *said = mode == GV_METRICS_STEPWISE ? "stepwise" : "epochwise";
    if (gv_scores_open(&a, &c, GV_SUBTASK_MULTICLASS, K, &err) < 0 || gv_scores_open(&b, &c, GV_SUBTASK_MULTICLASS, K, &err) < 0) {
        ok(0, "%s: %s", said, err.text);
        return;
    }
    ok(isnan(gv_scores_value(a, "Accuracy")), "%s: nothing seen, no value", said);
    ok(feed(a, 0, 3, &err) == GV_OK && fabs(gv_scores_value(a, "Accuracy") - accuracy) < 1e-12, "%s: Accuracy is %g", said, gv_scores_value(a, "Accuracy"));
    ok(isfinite(gv_scores_value(a, "AUROC")), "%s: a batch of one class does not take AUROC away", said);
    ok(isnan(gv_scores_value(a, "Recall")), "%s: a key that is not measured has no value", said);
    ok(feed(b, 0, 2, &err) == GV_OK && gv_scores_save(b, &bytes, &err) == GV_OK, "%s: the state is saved after two batches", said);
    gv_scores_reset(b);
    ok(isnan(gv_scores_value(b, "F1")), "%s: a reset forgets", said);
    ok(gv_scores_load(b, bytes.data, bytes.len, &err) == GV_OK && feed(b, 2, 3, &err) == GV_OK, "%s: loaded and gone on with", said);
    ok(gv_scores_value(a, "F1") == gv_scores_value(b, "F1") && gv_scores_value(a, "AUROC") == gv_scores_value(b, "AUROC"), "%s: the same values to the bit", said);
    ok(gv_scores_load(b, bytes.data, bytes.len - 1, &err) == GV_EDATA, "%s: a cut state is refused", said);
    gv_err_clear(&err);
    gv_buf_release(&bytes);
    gv_scores_close(a);
    gv_scores_close(b);
}

static void results(void)
{
    gv_err err = { 0 };
    gv_facts f = { .subtask = GV_SUBTASK_MULTICLASS, .num_classes = K };
    gv_results r = { .f = &f }, s = { .f = &f };
    gv_buf text = { 0 }, bytes = { 0 }, again = { 0 };
    float x[N * K];
    for (int b = 0; b < 3; b++) {
        logits_of(b, x);
        gv_batch batch = { .n = N, .rows = N, .labels = truth[b] };
        ok(gv_results_add(&r, x, &batch, &err) == GV_OK, "batch %d is counted", b);
    }
    int made = gv_results_json(&r, &text, &err);
    ok(made == GV_OK && strstr(text.data, "\"confusion\":[[3,0,0],[0,2,1],[2,0,2]]"), "rows are true classes: %s", text.data);
    ok(gv_results_save(&r, &bytes, &err) == GV_OK && gv_results_load(&s, bytes.data, bytes.len, &err) == GV_OK && gv_results_json(&s, &again, &err) == GV_OK && !strcmp(text.data, again.data),
       "saved and loaded it is the same");
    ok(gv_results_load(&s, bytes.data, bytes.len - 8, &err) == GV_EDATA, "bytes of another task are refused");
    gv_err_clear(&err);
    gv_facts g = { .subtask = GV_SUBTASK_REGRESSION, .num_classes = 2 };
    gv_results p = { .f = &g };
    gv_batch batch = { .n = 2, .rows = 2, .targets = (const float[]){ 1, 9, 2, 9 } };
    text.len = 0;
    made = gv_results_add(&p, (const float[]){ 1.5f, 0, NAN, 0 }, &batch, &err);
    made = made == GV_OK ? gv_results_json(&p, &text, &err) : made;
    ok(made == GV_OK && !strcmp(text.data, "{\"true\":[1,2],\"predicted\":[1.5,null]}\n"),
       "a regression shows its first output: %s", text.data);
    gv_results_release(&r);
    gv_results_release(&s);
    gv_results_release(&p);
    gv_buf_release(&text);
    gv_buf_release(&bytes);
    gv_buf_release(&again);
}

static void pace(void)
{
    gv_pace p = { 0 };
    ok(gv_pace_left(&p, 100, 100, 1) < 0, "before the first sample nothing is known");
    gv_pace_begin(&p, GV_PACE_TRAIN, 10);
    gv_pace_add(&p, 200);
    ok(gv_pace_left(&p, 300, 0, 12) == 3, "100 a second: 300 take 3 s");
    ok(gv_pace_left(&p, 300, 600, 12) == 5, "a validation that was not seen yet is three times as fast");
    gv_pace_end(&p, 12);
    gv_pace_begin(&p, GV_PACE_VAL, 12);
    gv_pace_add(&p, 1000);
    ok(gv_pace_left(&p, 300, 600, 14) == 3 + 1.2, "then it is measured, and training keeps its rate");
    gv_pace_end(&p, 14);
    gv_pace_begin(&p, GV_PACE_TRAIN, 14);
    gv_pace_add(&p, 1);
    ok(gv_pace_rate(&p, GV_PACE_TRAIN, 14.5) == 100, "a pass that has just begun is not judged");
}

static void deciding(const gv_config *base)
{
    static const struct { const char *typed, *key; bool higher; } rows[] = {
        { NULL, "val_Accuracy", true }, { "F1", "val_F1", true }, { "val_f1", "val_F1", true }, { "loss", "val_loss", false }, { "LOSS", "val_loss", false },
        { "train_loss", "train_loss", false }, { "train_Accuracy", "train_Accuracy", true }, { "mse", "val_MSE", false }, { "MAE", "val_MAE", false }, { "f1_class_2", "val_F1_class_2", true },
    };
    for (size_t i = 0; i < GV_COUNT(rows); i++) {
        gv_config c = *base;
        c.training.best_checkpoint_metric = rows[i].typed;
        const char *key = gv_session_best_metric(&c);
        ok(!strcmp(key, rows[i].key) && gv_session_higher_is_better(key) == rows[i].higher, "'%s' decides by %s, %s is better", rows[i].typed ? rows[i].typed : "None", key, rows[i].higher ? "higher" : "lower");
    }
}

/* A driver locks `dir`, leaves the lock to a stage that lives on for `us`, and is killed (or goes on living). */
static pid_t driver(const char *dir, useconds_t us, bool dies)
{
    int told[2];
    if (pipe(told) < 0)
        return -1;
    pid_t p = fork();
    if (!p) {
        gv_err err = { 0 };
        int fd;
        if (gv_dir_lock(dir, &fd, &err) < 0)
            _exit(1);
        if (!fork()) {
            close(told[0]);
            close(told[1]);
            usleep(us);
            _exit(0);
        }
        if (write(told[1], "", 1) != 1)
            _exit(1);
        if (dies)
            raise(SIGKILL);
        pause();
        _exit(0);
    }
    char c;
    close(told[1]);
    if (read(told[0], &c, 1) != 1)
        p = -1;
    close(told[0]);
    return p;
}

static void locks(void)
{
    char dir[] = "/tmp/glovita-lock.XXXXXX", path[64];
    gv_err err = { 0 };
    int fd = -1;
    if (!mkdtemp(dir)) {
        ok(0, "mkdtemp");
        return;
    }
    snprintf(path, sizeof path, "%s/.lock", dir);
    pid_t p = driver(dir, 300000, true);
    if (p > 0)
        waitpid(p, NULL, 0);
    ok(p > 0 && gv_dir_lock(dir, &fd, &err) == GV_OK, "the driver is dead and a stage of its run still ends: waited for (%s)", err.text);
    close(fd);
    p = driver(dir, 0, false);
    if (!ok(p > 0, "a driver that lives")) /* never a signal to process -1, which is every process */
        return;
    ok(gv_dir_lock(dir, &fd, &err) == GV_EBUSY && strstr(err.text, "in use by process"), "a driver that lives is not waited for: %s", err.text);
    kill(p, SIGKILL);
    waitpid(p, NULL, 0);
    ok(gv_dir_lock(dir, &fd, &err) == GV_OK, "a dead driver's lock is free");
    close(fd);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    gv_err err = { 0 };
    gv_arena arena;
    gv_config c;
    if (gv_arena_init(&arena, "test", (size_t)1 << 30, &err) < 0 || gv_config_init(&c, &arena, &err) < 0) {
        ok(0, "%s", err.text);
        return done();
    }
    scores(&c, GV_METRICS_EPOCHWISE, 0.7);
    scores(&c, GV_METRICS_STEPWISE, (1 + 0.5 + 0.5) / 3);
    results();
    pace();
    deciding(&c);
    locks();
    gv_config_release(&c);
    gv_arena_release(&arena);
    return done();
}
