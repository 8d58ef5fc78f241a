/* check: what no single row can say. Untouched defaults follow what was typed; required fields; contradictions; and the one
 * place that refuses typed values without an implementation. */
#include "config/internal.h"
#include <ctype.h>

int gv_save_every(const char *text, int64_t *steps, double *seconds, gv_err *err)
{
    *steps = 0;
    *seconds = 0;
    if (!text)
        return GV_OK;
    char *end;
    double v = isdigit((unsigned char)*text) ? strtod(text, &end) : -1;
    bool in_seconds = v > 0 && !strcmp(end, "s");
    if (!(v > 0) || !isfinite(v) || v > 1e15 || (!in_seconds && (*end || v != (double)(int64_t)v)))
        return gv_fail(err, GV_EUSAGE, "'--training.save_every' is '%s'; a number of steps (5) or of seconds (30s) is wanted", text);
    if (in_seconds)
        *seconds = v;
    else
        *steps = (int64_t)v;
    return GV_OK;
}

static bool is_variant(const gv_variant *v, const char *name)
{
    return v && !strcmp(v->name, name);
}

static int set_default(gv_config *c, const char *path, const char *const *words, size_t n, gv_err *err)
{
    return gv_config_typed(c, path) ? GV_OK : gv_config_set(c, path, words, n, false, err);
}

/* What the head's preset says of the fields that were not given. */
static int adapt_head(gv_config *c, gv_err *err)
{
    const char *const *v = c->model.head && c->model.head->adapted ? c->model.head->adapted(c->model.head_params) : NULL;
    int r = GV_OK;
    for (; v && *v && r == GV_OK; v += 2) {
        char path[128];
        snprintf(path, sizeof path, "model.head.%s", v[0]);
        r = set_default(c, path, v + 1, 1, err);
    }
    return r;
}

int gv_config_settle(gv_config *c, gv_err *err)
{
    static const char *const framewise[] = { "framewise_decoder_1d" }, *const regression[] = { "regression" }, *const task[] = { "Regression" }, *const one[] = { "1" }, *const metrics[] = { "mse", "mae" },
        *const precomputed[] = { "precomputed" }, *const clam[] = { "clam" };
    int r = GV_OK;
    if (c->data.subtask == GV_SUBTASK_REGRESSION && gv_config_typed(c, "data.subtask"))
        r = set_default(c, "data.task", task, 1, err);
    if (r == GV_OK && c->data.task == GV_TASK_REGRESSION) {
        r = set_default(c, "data.subtask", regression, 1, err);
        r = r == GV_OK ? set_default(c, "data.num_classes", one, 1, err) : r;
        r = r == GV_OK ? set_default(c, "task.metrics", metrics, 2, err) : r;
        r = r == GV_OK ? set_default(c, "model.head.head_type", regression, 1, err) : r;
    }
    if (r == GV_OK && c->data.subtask == GV_SUBTASK_FRAMEWISE)
        r = set_default(c, "model.head.head_type", framewise, 1, err);
    bool slides = is_variant(c->data.dataset, "clam_dataset");
    if (r == GV_OK && (slides || is_variant(c->data.dataset, "precomputed_features")))
        r = set_default(c, "model.encoder.encoder_type", precomputed, 1, err);
    if (r == GV_OK && slides)
        r = set_default(c, "model.head.head_type", clam, 1, err);
    if (r == GV_OK)
        r = adapt_head(c, err);
    if (r == GV_OK && c->data.task == GV_TASK_REGRESSION && is_variant(c->model.head, "regression") && c->data.num_classes != GV_NONE_I64) {
        char outputs[24];
        const char *word = outputs;
        snprintf(outputs, sizeof outputs, "%lld", (long long)c->data.num_classes);
        r = set_default(c, "model.head.out_dim", &word, 1, err);
    }
    return r;
}

/* ---- required ---- */

static bool given(const gv_field *f, const void *params)
{
    const char *at = (const char *)params + f->offset;
    switch (f->type) {
    case GV_TYPE_I64: return *(const int64_t *)at != GV_NONE_I64;
    case GV_TYPE_F64: return !isnan(*(const double *)at);
    case GV_TYPE_STR: return *(const char *const *)at;
    case GV_TYPE_ENUM: return *(const int *)at >= 0;
    default: return ((const gv_strs *)at)->v;
    }
}

static int required_of_block(const gv_config *c, const gv_block *b, gv_err *err)
{
    const gv_variant *v = gv_union_chosen(c, b);
    if (!v && b->uni) {
        if (b == &gv_block_data && c->command && c->command->data_optional)
            return GV_OK;
        return gv_fail(err, GV_EUSAGE, "'--%s.%s' is required ('--help' lists the choices)", b->path, b->uni->field);
    }
    for (size_t i = 0; v && v->required && v->required[i]; i++) {
        char path[GV_PATH_MAX];
        gv_slot s;
        gv_slot_path(b, v->required[i], path);
        if (gv_slot_find(c, path, false, &s) && s.field && s.params && !given(s.field, s.params))
            return gv_fail(err, GV_EUSAGE, "'--%s' is required with '--%s.%s %s'", path, b->path, b->uni->field, v->name);
    }
    return GV_OK;
}

static int required(const gv_config *c, gv_err *err)
{
    int r = GV_OK;
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++)
        if (gv_blocks[i]->uni && gv_takes(c->command, gv_blocks[i], gv_blocks[i]->uni->field))
            r = required_of_block(c, gv_blocks[i], err);
    for (size_t i = 0; r == GV_OK && c->command && c->command->required && c->command->required[i]; i++) {
        const gv_field *f = gv_field_find(c->command->fields, c->command->required[i], strlen(c->command->required[i]));
        if (f && !given(f, c->own))
            return gv_fail(err, GV_EUSAGE, "'--%s' is required", f->name);
    }
    return r;
}

/* ---- contradictions ---- */

/* Lists with a fixed number of words, checked where the field exists. */
static const struct fixed { const char *path; size_t n; } fixed[] = {
    { "model.encoder.input_shape", 3 }, { "model.encoder.patch_embed_size", 3 }, { "optimizer.muon_ns_coefficients", 3 },
};

static int check_lists(const gv_config *c, gv_err *err)
{
    for (size_t i = 0; i < GV_COUNT(fixed); i++) {
        gv_slot s;
        if (!gv_slot_find(c, fixed[i].path, false, &s) || !gv_takes(c->command, s.block, s.field->name))
            continue;
        const gv_strs *l = (const gv_strs *)((const char *)s.params + s.field->offset);
        if (l->v && l->n != fixed[i].n)
            return gv_fail(err, GV_EUSAGE, "'--%s' has %zu values; %zu are wanted", fixed[i].path, l->n, fixed[i].n);
    }
    const struct gv_augmentation_config *a = &c->augmentation;
    if (a->mean.v && a->std.v && a->mean.n != a->std.n)
        return gv_fail(err, GV_EUSAGE, "'--data.augmentation.mean' has %zu values and '--data.augmentation.std' has %zu; they must be as many", a->mean.n, a->std.n);
    return GV_OK;
}

/* Options that ask how often a class occurs. */
static int check_balance(const gv_config *c, gv_err *err)
{
    if (c->data.subtask == GV_SUBTASK_MULTICLASS || !(c->task.class_weights.n || c->dataloading.balanced_sampling))
        return GV_OK;
    return gv_fail(err, GV_EUSAGE, "'--%s' is for samples of one class each, not for data.subtask %s", c->task.class_weights.n ? "task.class_weights" : "dataloading.balanced_sampling",
                   c->data.subtask == GV_SUBTASK_MULTILABEL ? "multilabel" : "regression");
}

static int check_task(const gv_config *c, gv_err *err)
{
    if (check_balance(c, err) < 0)
        return err->code;
    const struct gv_data_config *d = &c->data;
    bool regression = d->task == GV_TASK_REGRESSION;
    if (regression && d->subtask != GV_SUBTASK_REGRESSION)
        return gv_fail(err, GV_EUSAGE, "'--data.task Regression' goes with '--data.subtask regression'");
    if (!regression && d->subtask == GV_SUBTASK_REGRESSION)
        return gv_fail(err, GV_EUSAGE, "'--data.subtask regression' goes with '--data.task Regression'");
    if (d->subtask == GV_SUBTASK_FRAMEWISE && c->task.mixup)
        return gv_fail(err, GV_EUSAGE, "'--task.mixup' mixes whole samples; '--data.subtask framewise' has labels of single frames");
    return GV_OK;
}

static int check_model(const gv_config *c, gv_err *err)
{
    bool regression = c->data.task == GV_TASK_REGRESSION, stored = is_variant(c->data.dataset, "precomputed_features") || is_variant(c->data.dataset, "clam_dataset");
    if (!gv_takes(c->command, &gv_block_head, NULL) || !c->data.dataset)
        return GV_OK;
    if (!regression && is_variant(c->model.head, "regression")) /* the other way round is the same linear layer */
        return gv_fail(err, GV_EUSAGE, "'--model.head.head_type %s' does not go with '--data.task %s'", c->model.head->name, "Classification");
    gv_slot s;
    if (gv_slot_find(c, "model.head.out_dim", false, &s) && *(const int64_t *)((const char *)s.params + s.field->offset) != c->data.num_classes)
        return gv_fail(err, GV_EUSAGE, "'--model.head.out_dim' is not '--data.num_classes' (%lld)", (long long)c->data.num_classes);
    if (stored != is_variant(c->model.encoder, "precomputed"))
        return gv_fail(err, GV_EUSAGE, "'--model.encoder.encoder_type %s' does not go with '--data.dataset %s'", c->model.encoder->name, c->data.dataset->name);
    return GV_OK;
}

/* The original's metrics of the other task are refused by name; what newer ones take is lib/metric's to say. */
static int check_metrics(const gv_config *c, const gv_strs *metrics, const char *path, gv_err *err)
{
    static const char *const of_numbers[] = { "mse", "mae", NULL };
    static const char *const of_classes[] = { "acc", "balanced_acc", "f1", "f1_per_class", "pr", "top5acc", "auroc", "ap", NULL };
    bool regression = c->data.task == GV_TASK_REGRESSION;
    if (!c->data.dataset)
        return GV_OK;
    if (!metrics->n)
        return gv_fail(err, GV_EUSAGE, "'--%s' is empty; at least one metric is wanted", path);
    for (size_t i = 0; i < metrics->n; i++)
        if (gv_in_list(regression ? of_classes : of_numbers, metrics->v[i]))
            return gv_fail(err, GV_EUSAGE, "'--%s' has '%s', which is not defined for '--data.task %s'", path, metrics->v[i], regression ? "Regression" : "Classification");
    return GV_OK;
}

/* What W&B takes for a project's name, asked before anything runs; WANDB_PROJECT is the tracker's own matter. */
static int check_logger(const gv_config *c, gv_err *err)
{
    if (!c->logger.backend || strcmp(c->logger.backend->name, "wandb") || !gv_takes(c->command, &gv_block_logger, NULL))
        return GV_OK;
    const char *name = ((const struct gv_wandb_logger *)c->logger.params)->project;
    if (name && name[strcspn(name, "/\\#?%:")])
        return gv_fail(err, GV_EUSAGE, "'--logger.project' is '%s'; W&B takes none of / \\ # ? %% : in it", name);
    return name && strlen(name) > 128 ? gv_fail(err, GV_EUSAGE, "'--logger.project' has %zu bytes; W&B takes 128", strlen(name)) : GV_OK;
}

int gv_config_check(const gv_config *c, gv_err *err)
{
    int64_t steps;
    double seconds;
    int r = required(c, err);
    if (r == GV_OK && gv_takes(c->command, &gv_block_data, NULL))
        r = check_task(c, err);
    if (r == GV_OK)
        r = check_model(c, err);
    if (r == GV_OK && gv_takes(c->command, &gv_block_task, NULL))
        r = check_metrics(c, &c->task.metrics, "task.metrics", err);
    if (r == GV_OK)
        r = check_lists(c, err);
    if (r == GV_OK)
        r = check_logger(c, err);
    if (r == GV_OK)
        r = gv_save_every(c->training.save_every, &steps, &seconds, err);
    if (r == GV_OK && c->training.precision == GV_PRECISION_FP64 && (c->training.backend == GV_BACKEND_ONEDNN || c->training.backend == GV_BACKEND_CUDA))
        r = gv_fail(err, GV_EUSAGE, "'--training.precision fp64' runs on '--training.backend reference', not on '%s'", gv_backend_names[c->training.backend]);
    return r;
}

/* ---- what is built ---- */

static int not_built(const char *path, const char *value, const char *const *built, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_buf_add(&b, "", 0, NULL);
    for (size_t i = 0; built[i] && r == GV_OK; i++)
        r = gv_buf_printf(&b, NULL, "%s%s", i ? ", " : "", built[i]);
    gv_fail(err, GV_EUSAGE, "'--%s' is '%s', which is not built yet; %s%s", path, value, built[0] ? "built are " : "none is", b.data && b.len ? b.data : "");
    gv_buf_release(&b);
    return GV_EUSAGE;
}

static int check_variant(const gv_config *c, const gv_block *b, gv_err *err)
{
    const gv_variant *v = gv_union_chosen(c, b);
    const char *built[GV_VARIANTS_MAX];
    char path[GV_PATH_MAX];
    size_t n = 0;
    gv_slot_path(b, b->uni->field, path);
    if (!v || v->built || !gv_takes(c->command, b, b->uni->field) || !gv_config_typed(c, path))
        return GV_OK;
    for (size_t i = 0; b->uni->variants[i] && n + 1 < GV_VARIANTS_MAX; i++)
        if (b->uni->variants[i]->built)
            built[n++] = b->uni->variants[i]->name;
    built[n] = NULL;
    return not_built(path, v->name, built, err);
}

static int check_choice(const gv_built *list, const char *path, const gv_field *f, const void *params, gv_err *err)
{
    const void *at = (const char *)params + f->offset;
    for (; list->field && strcmp(list->field, f->name); list++)
        ;
    if (!list->field)
        return GV_OK;
    if (f->type == GV_TYPE_ENUM && *(const int *)at >= 0 && !gv_in_list(list->values, f->choices[*(const int *)at]))
        return not_built(path, f->choices[*(const int *)at], list->values, err);
    const gv_strs *l = f->type == GV_TYPE_STRS ? at : NULL;
    for (size_t i = 0; l && i < l->n; i++)
        if (!gv_in_list(list->values, l->v[i]))
            return not_built(path, l->v[i], list->values, err);
    return GV_OK;
}

int gv_config_check_built(const gv_config *c, gv_err *err)
{
    const gv_command *cmd = c->command;
    int r = GV_OK;
    if (c->data.approximate_decode) /* off, it is what happens anyway, and complete configurations say so */
        return gv_fail(err, GV_EUSAGE, "'--data.approximate_decode' is not built yet");
    if (cmd && !cmd->built)
        return gv_fail(err, GV_EUSAGE, "'%s' is not built yet", cmd->program);
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        r = b->uni ? check_variant(c, b, err) : GV_OK;
        for (const gv_field *f = b->built ? b->fields : NULL; f && f->type != GV_TYPE_END && r == GV_OK; f++) {
            char path[GV_PATH_MAX];
            gv_slot_path(b, f->name, path);
            if (gv_takes(cmd, b, f->name) && gv_config_typed(c, path))
                r = check_choice(b->built, path, f, gv_block_params(c, b), err);
        }
    }
    for (const gv_field *f = cmd && cmd->choices ? cmd->fields : NULL; f && f->type != GV_TYPE_END && r == GV_OK; f++)
        if (gv_config_typed(c, f->name))
            r = check_choice(cmd->choices, f->name, f, c->own, err);
    return r;
}
