/* rundir: names, locks and progress of run directories. */
#include "run/rundir.h"
#include "common/file.h"
#include "json/json.h"
#include "session/session.h"
#include "weights/weights.h"
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int gv_run_progress_read(const char *dir, gv_run_progress *p, gv_err *err)
{
    memset(p, 0, sizeof *p);
    char path[4200];
    snprintf(path, sizeof path, "%s/checkpoints/resume.safetensors", dir);
    if (!gv_file_exists(path))
        return GV_OK;
    gv_weights *w;
    int r = gv_weights_open(&w, path, err);
    if (r < 0)
        return gv_fail_in(err, "the run in '%s' cannot be resumed", dir);
    const char *text = gv_weights_meta(w, "state");
    json_t *j = text ? gv_json_parse(text, strlen(text), path, err) : NULL;
    if (j) {
        const json_t *next = json_object_get(j, "next");
        p->present = true;
        p->finished = json_is_true(json_object_get(j, "finished"));
        p->epoch = json_integer_value(json_array_get(next, 0));
        p->pos = json_integer_value(json_array_get(next, 1));
        p->step = json_integer_value(json_object_get(j, "step"));
        p->best_epoch = json_integer_value(json_object_get(j, "best_epoch"));
        p->best = json_number_value(json_object_get(j, "best"));
        p->skipped = json_integer_value(json_object_get(j, "skipped"));
        json_decref(j);
    } else
        r = gv_fail(err, GV_EDATA, "'%s' holds no state to resume from", path);
    gv_weights_close(w);
    return r;
}

/* `last` is the last of them to be written. */
bool gv_run_published(const gv_config *c, const char *dir, const gv_run_progress *p)
{
    char last[4200], state[4200];
    gv_checkpoint_path(c, dir, "last", last, sizeof last);
    if (c->training.checkpoint_format == GV_CHECKPOINT_PT) {
        struct stat a, b;
        snprintf(state, sizeof state, "%s/checkpoints/resume.safetensors", dir);
        if (stat(last, &a) < 0 || stat(state, &b) < 0)
            return false;
        return a.st_mtim.tv_sec > b.st_mtim.tv_sec || (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec >= b.st_mtim.tv_nsec);
    }
    gv_weights *w;
    gv_err quiet = { 0 };
    if (gv_weights_open(&w, last, &quiet) < 0)
        return false;
    const char *step = gv_weights_meta(w, "step");
    bool same = step && strtoll(step, NULL, 10) == p->step;
    gv_weights_close(w);
    return same;
}

static void lower_class(const char *class_name, char *out, size_t size)
{
    size_t n = strlen(class_name);
    if (n > 6 && !strcmp(class_name + n - 6, "Config"))
        n -= 6;
    size_t k = 0;
    for (size_t i = 0; i < n && k + 1 < size; i++)
        out[k++] = (char)tolower((unsigned char)class_name[i]);
    out[k] = 0;
}

int gv_run_auto_group(const gv_config *c, char *out, size_t size, gv_err *err)
{
    char stamp[32], encoder[64], head[64];
    time_t t = time(NULL);
    struct tm tm;
    localtime_r(&t, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d_%H%M%S", &tm);
    lower_class(c->model.encoder->class_name, encoder, sizeof encoder);
    lower_class(c->model.head->class_name, head, sizeof head);
    uint32_t bits;
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        return gv_fail_sys(err, "cannot draw a name");
    snprintf(out, size, "%s_%s_%s_%s_%08" PRIx32, stamp, encoder, head, c->peft.method->name, bits);
    return GV_OK;
}

/* Fields whose change leaves every result as it is, or only relocates files. */
static const char *const may_change[] = {
    "typed", "exp_dir", "logger", "add_log", "data.data_root_dir", "dataloading.num_workers", "dataloading.pin_memory", "dataloading.persistent_workers",
    "dataloading.prefetch_factor", "dataloading.timeout", "dataloading.use_worker_init_fn", "training.compile", "training.enable_checkpointing",
    "training.cluster_progress_bar", "training.save_every", "training.keep_epochs", "training.num_sanity_val_steps", "training.ddp_find_unused_parameters",
    "training.write_gradients", "training.recompute", "task.result_plot",
};

static int compare(const json_t *a, const json_t *b, const char *path, gv_err *err)
{
    for (size_t i = 0; i < GV_COUNT(may_change); i++)
        if (!strcmp(may_change[i], path))
            return GV_OK;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key;
        json_t *v;
        for (int side = 0; side < 2; side++)
            json_object_foreach((json_t *)(uintptr_t)(side ? b : a), key, v) {
                char sub[512];
                snprintf(sub, sizeof sub, "%s%s%s", path, *path ? "." : "", key);
                const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
                int r = compare(x, y, sub, err);
                if (r < 0)
                    return r;
            }
        return GV_OK;
    }
    if (a == b || (a && b && json_equal(a, b)))
        return GV_OK;
    gv_buf was = { 0 }, is = { 0 };
    if (a)
        (void)!gv_json_text(a, &was, NULL);
    if (b)
        (void)!gv_json_text(b, &is, NULL);
    gv_fail(err, GV_EUSAGE, "'%s' was %s when the run began and is %s now: the resumed run would not be the same; leave it, or start a new --logger.group", path,
            was.data ? was.data : "absent", is.data ? is.data : "absent");
    gv_buf_release(&was);
    gv_buf_release(&is);
    return GV_EUSAGE;
}

int gv_run_same_results(const json_t *old, const json_t *now, gv_err *err)
{
    return compare(old, now, "", err);
}

/* Of all folds of a group: one is missing, or not at its end. A damaged state is not this function's to report. */
static bool unfinished(const char *group_dir, const char *fold, int64_t folds)
{
    for (int64_t k = 0; k < folds; k++) {
        char dir[8400];
        gv_run_progress p;
        gv_err quiet = { 0 };
        if (folds > 1)
            snprintf(dir, sizeof dir, "%.8300s/%" PRId64, group_dir, k);
        else
            snprintf(dir, sizeof dir, "%.8000s/%.300s", group_dir, fold);
        if (gv_run_progress_read(dir, &p, &quiet) < 0 || !p.finished)
            return quiet.code == GV_OK;
    }
    return false;
}

/* An unset seed was drawn by that run, and a fold of a cross-validation chosen by it: neither is a difference. */
static bool same_config(json_t *old, json_t *now, const gv_config *c, int64_t folds)
{
    gv_err quiet = { 0 };
    if (c->training.seed == GV_NONE_U64) {
        json_object_del(json_object_get(old, "training"), "seed");
        json_object_del(json_object_get(now, "training"), "seed");
    }
    if (folds > 1) {
        json_object_del(json_object_get(old, "data"), "fold");
        json_object_del(json_object_get(now, "data"), "fold");
    }
    return gv_run_same_results(old, now, &quiet) == GV_OK;
}

int gv_run_find_unfinished(const gv_config *c, const char *fold, int64_t folds, gv_arena *arena, const char **group, gv_err *err)
{
    *group = NULL;
    char base[4096];
    snprintf(base, sizeof base, "%s/%s", c->exp_dir, c->data.dataset->name);
    DIR *d = opendir(base);
    if (!d)
        return GV_OK;
    json_t *now = gv_config_json(c, err);
    struct timespec newest = { 0 };
    const struct dirent *e;
    while (now && (e = readdir(d)) && err->code == GV_OK) {
        if (*e->d_name == '.')
            continue;
        char run[8300], file[8400];
        snprintf(run, sizeof run, "%s/%s", base, e->d_name);
        snprintf(file, sizeof file, "%s/%s/config.json", run, fold);
        struct stat st;
        if (stat(file, &st) < 0)
            continue;
        gv_err quiet = { 0 };
        json_t *old = gv_json_read(file, 64 << 20, &quiet);
        bool fits = old && same_config(old, now, c, folds) && unfinished(run, fold, folds);
        json_decref(old);
        if (!fits || st.st_mtim.tv_sec < newest.tv_sec || (st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec < newest.tv_nsec))
            continue;
        newest = st.st_mtim;
        *group = gv_arena_strdup(arena, e->d_name, err);
    }
    closedir(d);
    json_decref(now);
    return err->code;
}
