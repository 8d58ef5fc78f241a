/* history: what a header tells about how its stream was made. */
#include "stage/convert.h"
#include "stage/stage.h"

/* Where the data lies and how the work is spread change no result, so they are not told: the header is the same for any number of
 * workers and on any machine. */
static bool told(const char *path)
{
    static const char *const quiet[] = {
        "exp_dir", "data.data_root_dir", "dataloading.num_workers", "dataloading.pin_memory", "dataloading.persistent_workers",
        "dataloading.prefetch_factor", "dataloading.timeout", "dataloading.use_worker_init_fn", "training.threads", "training.compile", "training.recompute",
        "training.save_every", "training.write_gradients", "training.cluster_progress_bar", "training.keep_epochs", "task.result_plot",
    };
    for (size_t i = 0; i < GV_COUNT(quiet); i++)
        if (!strcmp(path, quiet[i]))
            return false;
    return strncmp(path, "logger", 6) != 0 && strncmp(path, "add_log", 7) != 0;
}

/* "training.seed" in {"training": {"seed": …}}; NULL: not there. */
static const json_t *at_path(const json_t *j, const char *path)
{
    while (j) {
        size_t n = strcspn(path, ".");
        char key[128];
        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = 0;
        j = json_object_get(j, key);
        if (!path[n])
            return j;
        path += n + 1;
    }
    return NULL;
}

int gv_stage_history(gv_stage_ctx *st, gv_writer *w, gv_err *err)
{
    const gv_strs *typed = &st->config->typed;
    gv_pair *opt = gv_arena_alloc(&st->run, (typed->n + 1) * sizeof *opt, err);
    json_t *all = opt ? gv_config_json(st->config, err) : NULL;
    if (!all)
        return err->code;
    size_t n = 0;
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < typed->n; i++) {
        const json_t *j = told(typed->v[i]) ? at_path(all, typed->v[i]) : NULL;
        if (!j)
            continue;
        opt[n].key = typed->v[i];
        r = gv_item_of_json(j, &opt[n++].value, &st->run, err);
    }
    json_decref(all);
    char *name = r == GV_OK ? gv_arena_printf(&st->run, err, "glovita-%s", st->stage->name) : NULL;
    return name ? gv_writer_history(w, name, GV_VERSION, opt, n, err) : err->code;
}

int gv_stage_start(gv_stage_ctx *st, gv_err *err)
{
    int r = gv_stage_history(st, st->out, err);
    return r == GV_OK ? gv_writer_start(st->out, err) : r;
}
