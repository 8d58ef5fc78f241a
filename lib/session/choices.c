/* choices: what a training configuration comes to: rate of an epoch, the metric that decides, a seed. */
#include "session/session.h"
#include "metric/metric.h"
#include "nn/optim/optim.h"
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

double gv_session_lr_factor(const gv_config *c, int64_t epoch)
{
    static const gv_schedule_kind kinds[] = { GV_COSINE_ANNEAL, GV_STEP, GV_MULTI_STEP };
    gv_schedule_kind k = c->optimizer.scheduler < 0 ? GV_NO_SCHEDULE : kinds[c->optimizer.scheduler];
    return gv_schedule(k, epoch, c->training.epochs, c->optimizer.warmup_epochs);
}

int gv_session_draw_seed(uint32_t *seed, gv_err *err)
{
    if (getrandom(seed, sizeof *seed, 0) != sizeof *seed)
        return gv_fail_sys(err, "cannot draw a seed");
    return GV_OK;
}

const char *gv_session_best_metric(const gv_config *c)
{
    static char key[64];
    bool higher;
    const char *k = c->training.best_checkpoint_metric ? gv_metric_key(c->training.best_checkpoint_metric, &higher) : c->task.metrics.n ? gv_metric_first_key(c->task.metrics.v[0]) : "loss";
    bool train = c->training.best_checkpoint_metric && !strncasecmp(c->training.best_checkpoint_metric, "train_", 6);
    snprintf(key, sizeof key, "%s%s", train ? "train_" : "val_", k ? k : "loss");
    return key;
}

bool gv_session_higher_is_better(const char *key)
{
    bool higher = false;
    return gv_metric_key(key, &higher) && higher;
}

/* Does one of the configured metrics give this key? */
static bool is_logged(const gv_config *c, const char *key)
{
    for (size_t i = 0; i < c->task.metrics.n; i++) {
        const char *name = c->task.metrics.v[i], *first = gv_metric_first_key(name);
        if (first && !strcmp(first, key))
            return true;
        if (!strcasecmp(name, "pr") && (!strcmp(key, "Precision") || !strcmp(key, "Recall")))
            return true;
        if (!strcasecmp(name, "f1_per_class") && !strncmp(key, "F1_class_", 9)) /* classes that are not known yet are not counted */
            return c->data.num_classes == GV_NONE_I64 || strtoll(key + 9, NULL, 10) < c->data.num_classes;
    }
    return false;
}

int gv_session_class_weights(const gv_config *c, int64_t classes, gv_arena *arena, const double **out, gv_err *err)
{
    const gv_strs *words = &c->task.class_weights;
    *out = NULL;
    if (!words->n)
        return GV_OK;
    if (words->n == 1 && !strcmp(words->v[0], "auto"))
        return gv_fail(err, GV_EUSAGE, "'--task.class_weights' is auto, which glovita_train makes into numbers; here numbers are wanted");
    if ((int64_t)words->n != classes)
        return gv_fail(err, GV_EUSAGE, "'--task.class_weights' has %zu numbers; there are %lld classes", words->n, (long long)classes);
    double *w = gv_arena_alloc(arena, words->n * sizeof *w, err);
    for (size_t i = 0; w && i < words->n; i++) {
        char *end;
        w[i] = strtod(words->v[i], &end);
        if (*end || end == words->v[i] || !(w[i] > 0) || !isfinite(w[i]))
            return gv_fail(err, GV_EUSAGE, "'--task.class_weights' has '%s'; auto, or numbers above 0 are wanted", words->v[i]);
    }
    *out = w;
    return w ? GV_OK : GV_ESYS;
}

int gv_session_check(const gv_config *c, gv_err *err)
{
    gv_metric_set *m;
    int64_t classes = c->data.num_classes == GV_NONE_I64 ? 2 : c->data.num_classes;
    int r = gv_metric_set_open(&m, &c->task.metrics, gv_subtask_of_answers(c->data.subtask), classes, err); /* the names against the task */
    if (r < 0)
        return gv_fail_in(err, "'--task.metrics'");
    gv_metric_set_close(m);
    const char *best = c->training.best_checkpoint_metric;
    if (!best)
        return GV_OK;
    bool higher;
    const char *key = gv_metric_key(best, &higher);
    if (key && (!strcmp(key, "loss") || is_logged(c, key)))
        return GV_OK;
    char list[600] = "";
    for (size_t i = 0; i < c->task.metrics.n; i++) {
        const char *first = gv_metric_first_key(c->task.metrics.v[i]);
        snprintf(list + strlen(list), sizeof list - strlen(list), "val_%s, ", first ? first : "?");
    }
    return gv_fail(err, GV_EUSAGE, "'--training.best_checkpoint_metric' is '%s', which is %s; logged are %sval_loss", best, key ? "not among --task.metrics" : "no metric", list);
}

void gv_checkpoint_path(const gv_config *c, const char *run, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/checkpoints/%s.%s", run, name, c->training.checkpoint_format == GV_CHECKPOINT_PT ? "pt" : "safetensors");
}
