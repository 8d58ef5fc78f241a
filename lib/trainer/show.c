/* show: progress of a training run as events. */
#include "trainer/trainer.h"
#include "metric/metric.h"
#include <inttypes.h>
#include <time.h>

double gv_trainer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The value of the first metric as it stands, looked at so rarely that it costs a hundredth of the time at most. */
static double metric_now(gv_trainer *w, const gv_scores *s, const char *key, double t)
{
    if (t >= w->metric_at) {
        w->metric = gv_scores_value(s, key);
        w->metric_at = t + 0.3 + 100 * (gv_trainer_now() - t);
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

void gv_trainer_progress(gv_trainer *w, bool validation, int64_t done)
{
    double t = gv_trainer_now();
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

void gv_trainer_begin_pass(gv_trainer *w, int pass)
{
    gv_pace_begin(&w->pace, pass, gv_trainer_now());
    w->metric = NAN;
    w->metric_at = 0;
}

double gv_trainer_began(const gv_trainer *w)
{
    return w->profile ? gv_profile_now() : 0;
}

void gv_trainer_took(gv_trainer *w, const char *what, const char *how, double began)
{
    if (w->profile)
        gv_profile_other(w->profile, what, how, began, 0, 0);
}

int gv_trainer_profile(gv_trainer *w, gv_err *err)
{
    gv_buf text = { 0 };
    int r = gv_plans_profile_table(&w->plans, &text, err);
    if (r == GV_OK && text.len)
        fwrite(text.data, 1, text.len, stderr);
    gv_buf_release(&text);
    return r;
}
