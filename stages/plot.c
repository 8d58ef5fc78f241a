/* plot: learning curves, confusion matrices, predicted against true numbers. */
#include "common/file.h"
#include "plot/plot.h"
#include "stage/stage.h"

struct plot {
    bool curves, confusion, scatter, table, absolute, terminal;
    const char *to, *title, *metric;
};

static const gv_field fields[] = {
    GV_BOOL(struct plot, curves, false, "loss and metrics over the epochs, of runs or metrics.jsonl files; done when no other picture is asked for"),
    GV_BOOL(struct plot, confusion, false, "the confusion matrix, row-normalised, of a run, its val_results.json, or a table of glovita-eval"),
    GV_BOOL(struct plot, scatter, false, "predicted against true numbers, of the same"),
    GV_BOOL(struct plot, table, false, "no picture but a table on stdout: of each run the epochs, and the best value of each metric of val with its epoch"),
    GV_OPT_STR(struct plot, to, "picture to write, .png or .svg; None: curves.png, confusion_matrix.png or predicted_against_true.png in the run", .takes = GV_TAKES_FILE),
    GV_BOOL(struct plot, absolute, false, "of a confusion matrix: cases, not shares of the row"),
    GV_OPT_STR(struct plot, metric, "of the curves: this one, loss or Accuracy; None: all, but for single classes'"),
    GV_BOOL(struct plot, terminal, false, "draw with characters on stdout"),
    GV_OPT_STR(struct plot, title, "title of the picture; None: what is drawn"),
    GV_END
};

/* Beside what is drawn: in the run, or in the directory of the file. */
static const char *beside(gv_stage_ctx *st, const char *from, const char *name, gv_err *err)
{
    char dir[4200];
    snprintf(dir, sizeof dir, "%s/.", from);
    if (gv_file_exists(dir))
        return gv_arena_printf(&st->run, err, "%s/%s", from, name);
    const char *slash = strrchr(from, '/');
    return slash ? gv_arena_printf(&st->run, err, "%.*s/%s", (int)(slash - from), from, name) : name;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct plot *o = st->params;
    if (o->curves + o->confusion + o->scatter + o->table > 1)
        return gv_fail(err, GV_EUSAGE, "only one of --curves, --confusion, --scatter and --table can be made at a time");
    if (o->table && (o->to || o->title || o->terminal || o->metric))
        return gv_fail(err, GV_EUSAGE, "--table is no picture: it goes to stdout, and --to, --title, --terminal and --metric are not of it");
    if (o->absolute && !o->confusion)
        return gv_fail(err, GV_EUSAGE, "--absolute is of --confusion");
    if (o->metric && (o->confusion || o->scatter))
        return gv_fail(err, GV_EUSAGE, "--metric is of --curves");
    if (!st->nargs)
        return gv_fail(err, GV_EUSAGE, "nothing to draw is named: a run's directory, or a file");
    if ((o->confusion || o->scatter) && st->nargs > 1)
        return gv_fail(err, GV_EUSAGE, "one run or file makes this picture; %d are given", st->nargs);
    if (o->to && o->terminal)
        return gv_fail(err, GV_EUSAGE, "--terminal writes no file; leave --to out");
    for (int i = 0; i < st->nargs; i++)
        if (!gv_file_exists(st->args[i]))
            return gv_fail(err, GV_EUSAGE, "'%s' does not exist", st->args[i]);
    if (o->table)
        return gv_plot_summary(st->args, st->nargs, err);
    gv_plot p = { .to = o->to, .title = o->title, .counts = o->absolute, .only = o->metric };
    if (!o->to && !o->terminal &&
        !(p.to = beside(st, st->args[0], o->confusion ? "confusion_matrix.png" : o->scatter ? "predicted_against_true.png" : "curves.png", err)))
        return err->code;
    if (o->confusion)
        return gv_plot_confusion(st->args[0], &p, err);
    if (o->scatter)
        return gv_plot_scatter(st->args[0], &p, err);
    return gv_plot_curves(st->args, st->nargs, &p, err);
}

const gv_stage gv_this_stage = {
    .name = "plot", .summary = "draw learning curves, confusion matrices, predicted against true numbers",
    .fields = fields, .params_size = sizeof(struct plot), .positional = "RUN...", .text_output = true, .run = run,
};
