/* infer: score a run, or the mean of its folds, and write its predictions. */
#include "common/file.h"
#include "common/log.h"
#include "run/runs.h"
#include "run/spawn.h"
#include <unistd.h>

static const char *const split_names[] = { "train", "val", "test" };

/* What the command says over what the run says. */
static int apply_options(gv_config *c, const struct gv_infer_options *o, gv_err *err)
{
    static const int precisions[] = { GV_PRECISION_NO, GV_PRECISION_BF16, GV_PRECISION_FP64 };
    c->training.precision = precisions[o->compute_precision];
    c->training.backend = o->backend;
    c->training.threads = o->threads;
    c->on_error = o->on_error;
    gv_config_no_weights(c);
    if (c->training.seed == GV_NONE_U64)
        c->training.seed = 0; /* nothing is drawn */
    if (gv_config_typed(c, "metrics"))
        c->task.metrics = o->metrics;
    return err->code;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = s ? strlen(s) : 0, k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static bool one_file(const char *pred_output)
{
    return ends_with(pred_output, ".csv") || ends_with(pred_output, ".json");
}

/* eval's outputs: where the metrics, the table and the JSON go. */
static int eval_words(gv_pipeline_plan *p, int n, const gv_config *c, const struct gv_infer_options *o, const char *base, gv_err *err)
{
    static const char *const eval_blocks[] = { "data.task", "data.subtask", "data.num_classes", "task.metrics", NULL };
    const char *csv = NULL, *json = NULL, *stem = o->pred_output ? o->pred_output : base;
    bool only_csv = ends_with(o->pred_output, ".csv"), only_json = ends_with(o->pred_output, ".json");
    if (!only_json && !(csv = gv_arena_printf(p->arena, err, "%s%s", stem, only_csv ? "" : ".csv")))
        return GV_ESYS;
    if (!only_csv && !(json = gv_arena_printf(p->arena, err, "%s%s", stem, only_json ? "" : ".json")))
        return GV_ESYS;
    int r = gv_config_args(c, eval_blocks, &p->node[n].words, err);
    if (r == GV_OK && csv)
        r = gv_pipe_option(p, n, "--csv", csv, err);
    if (r == GV_OK && json)
        r = gv_pipe_option(p, n, "--predictions", json, err);
    return r;
}

static int print_file(const char *path, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_file_read(path, (size_t)64 << 20, &b, err);
    if (r == GV_OK)
        fwrite(b.data, 1, b.len, stdout);
    gv_buf_release(&b);
    return r == GV_OK && fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : r;
}

/* Where a file goes, "." without one. */
static const char *folder_of(const char *path, gv_arena *arena, gv_err *err)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? gv_arena_printf(arena, err, "%.*s", (int)(slash - path + 1), path) : ".";
}

/* The pipeline of all folds: each its own flow, since folds may differ in their preprocessing. */
static int plan(gv_pipeline_plan *p, const gv_command *cmd, const gv_found_run *runs, size_t n, const struct gv_infer_options *o, const char *base, const char *metrics, gv_resolved *r, int argc, char **argv, gv_arena *arena, gv_err *err)
{
    const char *split = split_names[o->split];
    int forward[128], code = GV_OK;
    for (size_t k = 0; k < n && code == GV_OK; k++) {
        gv_config c = { 0 };
        code = gv_runs_config(&c, cmd, runs[k].dir, argc, argv, arena, err);
        if (code == GV_OK)
            code = apply_options(&c, c.own, err);
        if (code == GV_OK)
            code = gv_config_check(&c, err);
        if (code == GV_OK)
            code = gv_resolve(&r[k], &c, &(gv_data_want){ .splits = 1u << o->split, .unlabelled = true }, arena, err);
        gv_config_release(&c);
        if (code < 0)
            return gv_fail_in(err, "fold '%s'", runs[k].fold);
        char label[64];
        snprintf(label, sizeof label, "%s%s%s", split, n > 1 ? " fold " : "", n > 1 ? runs[k].fold : "");
        forward[k] = gv_runs_forward(p, &r[k].c, label, split, NULL, "test", runs[k].checkpoint, false, err);
        if (forward[k] < 0)
            return forward[k];
    }
    int e = gv_pipe_stage(p, "eval", "eval", err);
    if (e < 0)
        return e;
    code = eval_words(p, e, &r[0].c, o, base, err);
    for (size_t k = 0; k < n && code == GV_OK; k++)
        code = gv_pipe_connect(p, forward[k], e, n > 1 ? "--input" : NULL, err);
    if (code == GV_OK && o->attention && n > 1)
        code = gv_fail(err, GV_EUSAGE, "'--attention' is that of one run, and there are %zu folds (--fold NAME)", n);
    if (code == GV_OK && o->attention)
        code = gv_pipe_option(p, forward[0], "--attention", NULL, err);
    if (code == GV_OK && o->attention)
        code = gv_pipe_option(p, e, "--attention", o->attention, err);
    return code == GV_OK ? gv_pipe_option(p, e, "--json", metrics, err) : code;
}

int gv_driver_infer(gv_config *c, int argc, char **argv, gv_err *err)
{
    static const char *const names[] = { "last", "best" };
    const struct gv_infer_options *o = c->own;
    gv_arena *arena = c->arena;
    gv_found_run *runs;
    size_t n;
    int status = 0, r = gv_config_check_built(c, err);
    if (r == GV_OK)
        r = gv_runs_find(o->exp_dir, o->fold, names[o->checkpoint], &runs, &n, arena, err);
    if (r < 0)
        return gv_exit_status(r);
    char base[4200], metrics[4300];
    snprintf(base, sizeof base, "%.4000s/predictions_%s", o->exp_dir, split_names[o->split]);
    snprintf(metrics, sizeof metrics, "%.4000s/metrics_%s.json", o->exp_dir, split_names[o->split]);
    gv_pipeline_plan *p = gv_alloc(sizeof *p, err);
    gv_resolved *resolved = gv_alloc(n * sizeof *resolved, err);
    if (p && resolved) {
        gv_pipe_init(p, arena);
        r = plan(p, c->command, runs, n, o, base, metrics, resolved, argc, argv, arena, err);
        if (r == GV_OK && (c->driver.print_pipeline || c->driver.dry_run)) {
            gv_buf text = { 0 };
            r = gv_pipe_print(p, &text, err);
            if (r == GV_OK)
                fwrite(text.data, 1, text.len, stdout);
            gv_buf_release(&text);
        } else if (r == GV_OK) {
            int64_t total = 0;
            for (size_t k = 0; k < n; k++) {
                fprintf(stderr, "fold         %s: %s\n", runs[k].fold, runs[k].checkpoint);
                total += resolved[k].data.split[o->split].n;
            }
            gv_resolved_tell(&resolved[0], "test");
            r = gv_pipe_run(p, &(gv_run_options){ .lock_fd = -1, .quiet = !c->driver.progress, .what = "predicting", .dirs = (const char *const[]){ o->exp_dir, folder_of(o->pred_output, arena, err), NULL }, .total = total }, &status, err);
            if (r == GV_OK)
                r = print_file(metrics, err);
            if (r == GV_OK)
                fprintf(stderr, one_file(o->pred_output) ? "predictions  %s\n" : "predictions  %s.csv and .json\n", o->pred_output ? o->pred_output : base);
        }
        gv_pipe_release(p);
        for (size_t k = 0; k < n; k++)
            gv_resolved_release(&resolved[k]);
    }
    gv_free(p);
    gv_free(resolved);
    return r == GV_OK ? 0 : status ? status : gv_exit_status(r);
}
