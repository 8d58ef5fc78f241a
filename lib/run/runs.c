/* runs: find folds and their checkpoints, read their configurations, add their forward pass to a pipeline. */
#include "run/runs.h"
#include "common/file.h"
#include "json/json.h"
#include <dirent.h>

static const char *checkpoint_in(const char *dir, const char *name, gv_arena *arena, gv_err *err)
{
    static const char *const ends[] = { "safetensors", "pt" };
    for (int i = 0; i < 2; i++) {
        char *path = gv_arena_printf(arena, err, "%s/checkpoints/%s.%s", dir, name, ends[i]);
        if (path && gv_file_exists(path))
            return path;
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const char *x = ((const gv_found_run *)a)->fold, *y = ((const gv_found_run *)b)->fold;
    size_t n = strlen(x), m = strlen(y);
    return n != m && strspn(x, "0123456789") == n && strspn(y, "0123456789") == m ? (n < m ? -1 : 1) : strcmp(x, y);
}

int gv_runs_find(const char *exp_dir, const char *fold, const char *name, gv_found_run **runs, size_t *n, gv_arena *arena, gv_err *err)
{
    enum { MAX_FOLDS = 100 };
    *n = 0;
    gv_found_run *v = *runs = gv_arena_alloc(arena, MAX_FOLDS * sizeof *v, err);
    if (!v)
        return GV_ESYS;
    const char *own = fold ? NULL : checkpoint_in(exp_dir, name, arena, err);
    if (own) {
        v[(*n)++] = (gv_found_run){ gv_arena_strdup(arena, exp_dir, err), "0", own };
        return err->code;
    }
    DIR *d = opendir(exp_dir);
    if (!d)
        return gv_fail(err, GV_EUSAGE, "'--exp_dir' is '%s', which is no directory", exp_dir);
    const struct dirent *e;
    while ((e = readdir(d)) && err->code == GV_OK) {
        if (*e->d_name == '.' || (fold && strcmp(fold, e->d_name)))
            continue;
        char *dir = gv_arena_printf(arena, err, "%s/%s", exp_dir, e->d_name);
        const char *path = dir ? checkpoint_in(dir, name, arena, err) : NULL;
        if (path && *n < MAX_FOLDS)
            v[(*n)++] = (gv_found_run){ dir, gv_arena_strdup(arena, e->d_name, err), path };
    }
    closedir(d);
    if (err->code == GV_OK && !*n)
        return gv_fail(err, GV_EUSAGE, "no checkpoints/%s.safetensors or .pt in '%s'%s%s%s; '--exp_dir' takes a run (…/<data set>/<group>/<fold>) or its group", name, exp_dir, fold ? " for fold '" : " or a folder of it",
                       fold ? fold : "", fold ? "'" : "");
    qsort(v, *n, sizeof *v, by_name);
    return err->code;
}

/* A text, a number, or a list of them as words; NULL (n 0) for anything else. */
static const char **words_of(const json_t *j, size_t *n, gv_arena *arena, gv_err *err)
{
    bool list = json_is_array(j);
    *n = list ? json_array_size(j) : 1;
    const char **word = gv_arena_alloc(arena, (*n + 1) * sizeof *word, err);
    for (size_t i = 0; word && i < *n; i++) {
        const json_t *v = list ? json_array_get(j, i) : j;
        word[i] = json_is_string(v) ? gv_arena_strdup(arena, json_string_value(v), err) : json_is_integer(v) ? gv_arena_printf(arena, err, "%" JSON_INTEGER_FORMAT, json_integer_value(v)) :
                  json_is_real(v) ? gv_arena_printf(arena, err, "%.17g", json_real_value(v)) : NULL;
        if (!word[i])
            *n = 0;
    }
    return word;
}

/* What a run learned from its data and other data need not tell: the classes, and what the data set names. */
static int learned(gv_config *c, const char *dir, gv_err *err)
{
    char path[4200], field[128];
    const gv_dataset *set = c->data.dataset ? gv_dataset_find(c->data.dataset->name) : NULL;
    const char *names[16] = { "class_names" };
    size_t k = 1;
    snprintf(path, sizeof path, "%s/resolved_config.json", dir);
    for (const char *const *l = set ? set->learned : NULL; l && *l && k < GV_COUNT(names); l++)
        names[k++] = *l;
    if (!gv_file_exists(path) || !c->data.dataset || !c->data.dataset->fields)
        return GV_OK;
    json_t *j = gv_json_read(path, 64 << 20, err);
    int r = j ? GV_OK : err->code;
    for (size_t i = 0; i < k && r == GV_OK; i++) {
        const json_t *v = json_object_get(json_object_get(j, "data"), names[i]);
        size_t n;
        if (!v || json_is_null(v) || !gv_field_find(c->data.dataset->fields, names[i], strlen(names[i])))
            continue;
        const char **word = words_of(v, &n, c->arena, err);
        snprintf(field, sizeof field, "data.%s", names[i]);
        r = err->code ? err->code : n ? gv_config_set(c, field, word, n, false, err) : GV_OK;
    }
    json_decref(j);
    return r;
}

/* A run that began with an adapter (--peft.adapter) has its fields since, and its tensors in the checkpoints: the folder is not wanted again. */
static int adapter_fields(gv_config *c, const char *dir, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/resolved_config.json", dir);
    if (!c->peft.adapter || !gv_file_exists(path))
        return GV_OK;
    json_t *j = gv_json_read(path, 64 << 20, err), *fields = json_object_get(j, "peft"), *part = fields ? json_pack("{s:O}", "peft", fields) : NULL;
    int r = part ? gv_config_load_json(c, part, path, err) : j ? GV_OK : err->code;
    c->peft.adapter = NULL;
    json_decref(part);
    json_decref(j);
    return r;
}

int gv_runs_config(gv_config *c, const gv_command *cmd, const char *dir, int argc, char **argv, gv_arena *arena, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/config.json", dir);
    if (!gv_file_exists(path))
        return gv_fail(err, GV_EUSAGE, "'%s' has no config.json: it is no run directory", dir);
    int r = gv_config_init(c, arena, err);
    if (r == GV_OK)
        r = gv_config_load(c, path, err);
    if (r == GV_OK)
        r = learned(c, dir, err);
    if (r == GV_OK)
        r = adapter_fields(c, dir, err);
    if (r == GV_OK)
        r = gv_config_parse(c, cmd, argc, argv, err);
    return r;
}

static const char *const forward_blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "training.precision", "training.backend", "training.threads", "training.seed", NULL };

int gv_runs_forward(gv_pipeline_plan *p, const gv_config *c, const char *label, const char *split, const gv_range *part, const char *augment, const char *checkpoint, bool features, gv_err *err)
{
    gv_flow f = { .label = label, .split = split, .augment = augment, .batch = "eval", .epochs = 1, .pass_errors = c->on_error == GV_ON_ERROR_SKIP, .unlabelled = true };
    char name[64];
    if (part) {
        f.start_pos = part->from;
        f.limit = part->to;
    }
    snprintf(name, sizeof name, "%s/forward", label);
    int b = gv_flow_add(p, c, &f, err), n = b < 0 ? b : gv_pipe_stage(p, "forward", name, err);
    if (n < 0)
        return n;
    int r = gv_config_args(c, forward_blocks, &p->node[n].words, err);
    if (r == GV_OK && checkpoint)
        r = gv_pipe_option(p, n, "--checkpoint", checkpoint, err);
    if (r == GV_OK && features)
        r = gv_pipe_option(p, n, "--features", NULL, err);
    if (r == GV_OK && c->driver.profile)
        r = gv_pipe_option(p, n, "--profile", NULL, err);
    if (r == GV_OK && c->driver.tune)
        r = gv_pipe_option(p, n, "--tune", NULL, err);
    if (r == GV_OK)
        r = gv_pipe_connect(p, b, n, NULL, err);
    return r < 0 ? r : n;
}
