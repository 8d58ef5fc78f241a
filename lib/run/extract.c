/* extract: an encoder's features of each split, as HDF5 files under the original's names. */
#include "common/file.h"
#include "common/log.h"
#include "json/json.h"
#include "run/runs.h"
#include "run/spawn.h"
#include "session/session.h"
#include <inttypes.h>
#include <libgen.h>
#include <unistd.h>

static const char *const split_names[] = { "train", "val", "test" };

/* checkpoint_path is RUN/checkpoints/NAME.safetensors: the run's configuration applies. */
static int base_config(gv_config *c, const gv_config *user, int argc, char **argv, gv_arena *arena, gv_err *err)
{
    const struct gv_extract_options *o = user->own;
    if (!o->checkpoint_path) {
        int r = gv_config_copy(c, user, arena, err);
        c->own = user->own;
        return r;
    }
    if (!gv_file_exists(o->checkpoint_path))
        return gv_fail(err, GV_EUSAGE, "'--checkpoint_path' is '%s', which does not exist", o->checkpoint_path);
    char *path = gv_arena_strdup(arena, o->checkpoint_path, err), *dir = path ? dirname(dirname(path)) : NULL;
    if (!dir)
        return GV_ESYS;
    return gv_runs_config(c, user->command, dir, argc, argv, arena, err);
}

static int apply_options(gv_config *c, const gv_config *user, const struct gv_extract_options *o, gv_err *err)
{
    static const int precisions[] = { GV_PRECISION_NO, GV_PRECISION_BF16, GV_PRECISION_FP64 };
    c->training.precision = precisions[o->compute_precision];
    c->training.backend = o->backend;
    c->training.threads = o->threads;
    c->on_error = o->on_error;
    c->dataloading.shuffle_train = c->dataloading.shuffle_eval = false;
    if (c->training.seed == GV_NONE_U64)
        c->training.seed = 0;
    if (o->checkpoint_path)
        gv_config_no_weights(c);
    /* An untouched joint becomes the mean where there is no class token; a typed one is an error there. */
    const char *word = gv_aggregations[o->method];
    return gv_config_set(c, "model.feature_aggregation_method", &word, 1, gv_config_typed(user, "method"), err);
}

static int add_name(gv_buf *b, const char *template, const char *const (*keys)[2], size_t n, gv_err *err)
{
    int r = GV_OK;
    for (const char *s = template; *s && r == GV_OK;) {
        const char *end = *s == '{' ? strchr(s, '}') : NULL;
        size_t k = 0;
        while (end && k < n && (strlen(keys[k][0]) != (size_t)(end - s - 1) || strncmp(keys[k][0], s + 1, (size_t)(end - s - 1))))
            k++;
        if (end && k == n)
            return gv_fail(err, GV_EUSAGE, "'--output_filename' has '%.*s'; known are {method} {model} {dataset} {split} {imgsize} {precision} {checkpoint}", (int)(end - s + 1), s);
        r = end ? gv_buf_add(b, keys[k][1], strlen(keys[k][1]), err) : gv_buf_add(b, s, 1, err);
        s = end ? end + 1 : s + 1;
    }
    return r;
}

/* agg_{method}_{model}_{dataset}_{split}_size{imgsize}_float{precision}[_{checkpoint}].h5 */
static char *file_name(const gv_resolved *r, const struct gv_extract_options *o, int split, gv_arena *arena, gv_err *err)
{
    char size[24], ckpt[256] = "", model[256];
    snprintf(size, sizeof size, "%" PRId64, r->c.augmentation.image_size == GV_NONE_I64 ? 0 : r->c.augmentation.image_size);
    if (o->checkpoint_path) {
        const char *b = strrchr(o->checkpoint_path, '/');
        snprintf(ckpt, sizeof ckpt, "%s", b ? b + 1 : o->checkpoint_path);
        char *dot = strrchr(ckpt, '.');
        if (dot)
            *dot = 0;
    }
    snprintf(model, sizeof model, "%s", gv_config_encoder(&r->c).type);
    for (char *p = model; *p; p++)
        if (*p == '/')
            *p = '_';
    const char *const keys[][2] = { { "method", gv_aggregations[o->method] }, { "model", model }, { "dataset", r->c.data.dataset->name }, { "split", split_names[split] },
                                    { "imgsize", size }, { "precision", o->precision ? "32" : "16" }, { "checkpoint", ckpt } };
    const char *template = o->output_filename ? o->output_filename : *ckpt ? "agg_{method}_{model}_{dataset}_{split}_size{imgsize}_float{precision}_{checkpoint}.h5" : "agg_{method}_{model}_{dataset}_{split}_size{imgsize}_float{precision}.h5";
    gv_buf b = { 0 };
    char *path = NULL;
    if (add_name(&b, template, keys, GV_COUNT(keys), err) == GV_OK)
        path = gv_arena_printf(arena, err, "%s/%s", o->output_dir, b.data);
    gv_buf_release(&b);
    return path;
}

/* The resolved configuration without paths and transport: an attribute of the file. */
static int attributes(const gv_resolved *r, gv_buf *out, gv_err *err)
{
    json_t *j = gv_config_json(&r->c, err);
    if (!j)
        return err->code;
    static const char *const away[] = { "typed", "exp_dir", "dataloading", "logger", "add_log", "training", "optimizer", "task", "on_error" };
    for (size_t i = 0; i < GV_COUNT(away); i++)
        json_object_del(j, away[i]);
    json_t *data = json_object_get(j, "data");
    json_object_del(data, "data_root_dir");
    json_object_del(data, "command");
    json_object_del(json_object_get(json_object_get(j, "model"), "encoder"), "weights");
    int code = gv_json_text(j, out, err);
    json_decref(j);
    return code;
}

/* ---- shards ---- */

typedef struct shard { int64_t i, n; } shard; /* n 0: all of a split */

static int parse_shard(const struct gv_extract_options *o, shard *s, gv_err *err)
{
    if (!o->shard)
        return GV_OK;
    if (o->merge != GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "'--shard' makes a part, '--merge' puts all of them together: one at a time");
    const char *t = o->shard;
    char *end;
    s->i = strtoll(t, &end, 10);
    bool good = *t >= '0' && *t <= '9' && *end == '/' && end[1] >= '0' && end[1] <= '9';
    s->n = good ? strtoll(end + 1, &end, 10) : 0;
    return good && !*end && s->i < s->n && s->n <= GV_MAX_SHARDS ? GV_OK : gv_fail(err, GV_EUSAGE, "'--shard' is '%s'; it is i/n with i from 0 to n-1 and n up to %d", t, GV_MAX_SHARDS);
}

/* A shard begins with a batch of the whole, so its batches, and with them every bit of its features, are those of the whole. */
static gv_range range_of(const gv_resolved *r, int split, bool train, shard s)
{
    const struct gv_dataloading_config *d = &r->c.dataloading;
    int64_t total = r->data.split[split].n, size = d->eval_batch_size == GV_NONE_I64 ? d->batch_size : d->eval_batch_size;
    int64_t views = gv_data_views(&r->data, train), each = views <= size ? size / views : 1; /* samples of a batch */
    int64_t batches = (total + each - 1) / each, to = batches * (s.i + 1) / s.n * each;
    return (gv_range){ batches * s.i / s.n * each, to < total ? to : total };
}

static char *shard_name(const char *path, shard s, gv_arena *arena, gv_err *err)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    int stem = dot && (!slash || dot > slash) ? (int)(dot - path) : (int)strlen(path);
    return gv_arena_printf(arena, err, "%.*s.shard-%" PRId64 "-of-%" PRId64 ".gv", stem, path, s.i, s.n);
}

/* The shards of one file, in their order, as inputs of export. */
static int merge_inputs(gv_pipeline_plan *p, int e, const gv_resolved *r, int split, bool train, int64_t n, const char *path, gv_arena *arena, gv_err *err)
{
    int code = GV_OK;
    for (shard s = { 0, n }; s.i < n && code == GV_OK; s.i++) {
        gv_range part = range_of(r, split, train, s);
        if (part.from == part.to)
            continue; /* fewer batches than shards */
        char *name = shard_name(path, s, arena, err);
        if (!name)
            return GV_ESYS;
        if (!gv_file_exists(name))
            return gv_fail(err, GV_EUSAGE, "'--merge %" PRId64 "': '%s' is missing; the same command with --shard %" PRId64 "/%" PRId64 " makes it", n, name, s.i, n);
        code = gv_pipe_option(p, e, "--input", name, err);
    }
    return code;
}

/* ---- a split ---- */

static int export_options(gv_pipeline_plan *p, int e, const gv_resolved *r, const struct gv_extract_options *o, const char *path, gv_err *err)
{
    gv_buf attrs = { 0 };
    char level[8];
    snprintf(level, sizeof level, "%d", (int)o->compression);
    int code = gv_pipe_option(p, e, "--to", path, err);
    if (code == GV_OK)
        code = gv_pipe_option(p, e, "--precision", o->precision ? "32" : "16", err);
    if (code == GV_OK)
        code = gv_pipe_option(p, e, "--compression", level, err);
    if (code == GV_OK)
        code = attributes(r, &attrs, err);
    if (code == GV_OK)
        code = gv_pipe_option(p, e, "--attributes", attrs.data, err);
    gv_buf_release(&attrs);
    return code;
}

/* The pipeline of a split, or of a shard of it; *path becomes the file that it writes, *n its samples. */
static int plan(gv_pipeline_plan *p, const gv_resolved *r, const struct gv_extract_options *o, int split, bool train, shard s, char **path, int64_t *n, gv_arena *arena, gv_err *err)
{
    const char *name = split_names[split];
    gv_range part = { 0, r->data.split[split].n };
    int f = -1, code = GV_OK;
    if (s.n)
        part = range_of(r, split, train, s);
    *n = part.to - part.from;
    if (o->merge == GV_NONE_I64 && (f = gv_runs_forward(p, &r->c, name, name, s.n ? &part : NULL, train ? "train" : "test", o->checkpoint_path, true, err)) < 0)
        return f;
    if (s.n) {
        *path = shard_name(*path, s, arena, err);
        return *path ? gv_pipe_option(p, f, "--output", *path, err) : GV_ESYS;
    }
    int e = gv_pipe_stage(p, "export", "export", err);
    if (e < 0)
        return e;
    code = f < 0 ? merge_inputs(p, e, r, split, train, o->merge, *path, arena, err) : gv_pipe_connect(p, f, e, NULL, err);
    return code == GV_OK ? export_options(p, e, r, o, *path, err) : code;
}

static int print(const gv_pipeline_plan *p, gv_err *err)
{
    gv_buf text = { 0 };
    int code = gv_pipe_print(p, &text, err);
    if (code == GV_OK)
        fwrite(text.data, 1, text.len, stdout);
    gv_buf_release(&text);
    return code;
}

static int one_split(const gv_config *c, const struct gv_extract_options *o, int split, shard s, bool *told, int *status, gv_arena *arena, gv_err *err)
{
    gv_resolved r;
    gv_pipeline_plan *p = gv_alloc(sizeof *p, err);
    if (!p)
        return GV_ESYS;
    gv_pipe_init(p, arena);
    gv_data_want want = { .splits = 1u << split, .unlabelled = true, .optional = o->split < 0 ? 1u << split : 0 };
    bool train = split == GV_SPLIT_TRAIN && !o->use_eval_transform_for_train, dry = c->driver.print_pipeline || c->driver.dry_run;
    int code = gv_resolve(&r, c, &want, arena, err);
    char *path = NULL;
    int64_t n;
    if (code == GV_OK && (r.data.split[split].n <= 0 || (split == GV_SPLIT_TEST && r.data.test_is_val && o->split < 0)))
        goto out; /* no such split of its own: val holds the same samples */
    gv_range part = { 0, 1 };
    if (code == GV_OK && s.n && (part = range_of(&r, split, train, s), part.from == part.to)) {
        fprintf(stderr, "shard        %" PRId64 "/%" PRId64 " of %s is empty: there are fewer batches than shards\n", s.i, s.n, split_names[split]);
        goto out;
    }
    const char *weights;
    if (code == GV_OK && r.has_model && !o->checkpoint_path && o->merge == GV_NONE_I64)
        code = gv_pretrained_find(&r.c, &r.model, !dry, arena, &weights, err);
    if (code == GV_OK && !(path = file_name(&r, o, split, arena, err)))
        code = err->code;
    if (code == GV_OK && !dry)
        code = gv_mkdirs(o->output_dir, err);
    if (code == GV_OK)
        code = plan(p, &r, o, split, train, s, &path, &n, arena, err);
    if (code == GV_OK && dry)
        code = print(p, err);
    else if (code == GV_OK) {
        if (!*told && o->merge == GV_NONE_I64) {
            gv_resolved_tell(&r, train ? "train" : "test");
            *told = true;
        }
        code = gv_pipe_run(p, &(gv_run_options){ .lock_fd = -1, .quiet = !c->driver.progress, .what = "extracting", .dirs = (const char *const[]){ o->output_dir, NULL }, .total = n }, status, err);
        if (code == GV_OK)
            printf("%s\n", path);
    }
out:
    gv_pipe_release(p);
    gv_free(p);
    gv_resolved_release(&r);
    return code;
}

int gv_driver_extract(gv_config *user, int argc, char **argv, gv_err *err)
{
    const struct gv_extract_options *o = user->own;
    gv_config c;
    bool told = false;
    shard part = { 0, 0 };
    int status = 0, r = gv_config_check_built(user, err);
    if (r == GV_OK)
        r = parse_shard(o, &part, err);
    if (r == GV_OK)
        r = base_config(&c, user, argc, argv, user->arena, err);
    if (r < 0)
        return gv_exit_status(r);
    r = apply_options(&c, user, o, err);
    if (r == GV_OK)
        r = gv_config_check(&c, err);
    c.driver = user->driver;
    for (int split = 0; split < 3 && r == GV_OK; split++)
        if (o->split < 0 || o->split == split)
            r = one_split(&c, o, split, part, &told, &status, user->arena, err);
    if (r == GV_OK && fflush(stdout))
        r = gv_fail_sys(err, "cannot write to stdout");
    gv_config_release(&c);
    return r == GV_OK ? 0 : status ? status : gv_exit_status(r);
}
