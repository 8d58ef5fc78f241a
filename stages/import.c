/* import: a table of another program's predictions as a stream, for glovita-eval to score.
 *
 * A row is a case: its id, perhaps its label, and a value for each class (probabilities, or logits) or output of a regression. Labels
 * may come from a stream that has them (--truth): then a case of it that is not in the table has an error record, so that what
 * was not answered is counted. Tables of glovita-eval --csv and glovita-export are read as they are. */
#include "common/csv.h"
#include "common/file.h"
#include "common/log.h"
#include "stage/stage.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

struct import {
    const char *input, *id, *label, *truth;
    gv_strs columns;
    int values;
};

enum { PROBABILITIES, LOGITS };
static const char *const value_kinds[] = { "probabilities", "logits", NULL };
static const gv_field fields[] = {
    GV_OPT_STR(struct import, input, "the table: a CSV file with a line of names, or -; None: stdin", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct import, id, "column of the ids; None: id, case_id, or the first"),
    GV_OPT_STR(struct import, label, "column of the labels, numbers or class names; None: label, where there is one"),
    GV_STRS(struct import, columns, "", NULL, "columns of the values, in the order of the classes; none: those that begin with prob_, else all that are left"),
    GV_ENUM(struct import, values, PROBABILITIES, value_kinds, "what the values are; those of a regression are taken as they are"),
    GV_OPT_STR(struct import, truth, "a stream whose records tell the label of each id, and its header the names of the classes", .takes = GV_TAKES_FILE),
    GV_END
};

enum { CAP = 1 << 30, MAX_CLASSES = 4096, TINY = -745 }; /* e^-745 is the smallest number above 0 */

/* A case of --truth. */
struct known { const char *id; gv_item y; bool seen; };

struct run {
    gv_stage_ctx *st;
    const struct import *o;
    const char *name;
    gv_arena keep;              /* truth and names */
    struct known *known;        /* by id */
    size_t n_known;
    gv_buf list;
    int subtask;                /* of data.subtask, or of the truth's header */
    size_t columns;             /* of the table */
    int64_t id, label, error;   /* columns, -1: none */
    int64_t *value, k;          /* columns of the values */
    const char **class_names;   /* [k], or NULL */
    int64_t rows, unknown;
    double *logits;
};

/* ---- truth ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->id, ((const struct known *)b)->id);
}

static struct known *find(const struct run *r, const char *id)
{
    return r->n_known ? bsearch(&(struct known){ .id = id }, r->known, r->n_known, sizeof *r->known, by_id) : NULL;
}

static int take_truth(struct run *r, const gv_record *rec, gv_err *err)
{
    gv_record y, copy;
    const char *id = gv_get_text(rec, "id");
    const gv_item *v = gv_get(rec, "y");
    if (!id)
        return rec->kind == GV_BATCH ? gv_fail(err, GV_EDATA, "it holds batches; labels are read from samples, tensors or predictions") : GV_OK;
    gv_record_init(&y, GV_SAMPLE);
    if (gv_set_text(&y, "id", id, err) < 0 || (v && gv_set(&y, "y", *v, err) < 0) || gv_record_copy(&copy, &y, &r->keep, err) < 0)
        return err->code;
    struct known one = { .id = gv_get_text(&copy, "id") };
    if (v)
        one.y = *gv_get(&copy, "y");
    return gv_buf_add(&r->list, &one, sizeof one, err);
}

static int truth_header(struct run *r, const gv_record *h, gv_err *err)
{
    static const char *const tasks[] = { "multiclass", "multilabel", "regression" };
    const char *task = gv_get_text(h, "task");
    const gv_item *names = gv_get(h, "class_names");
    for (int i = 0; task && i < (int)GV_COUNT(tasks); i++)
        if (!strcmp(task, tasks[i]) && !gv_config_typed(r->st->config, "data.subtask") && !gv_config_typed(r->st->config, "data.task"))
            r->subtask = i;
    if (!names || names->type != GV_ARRAY || !names->array.n)
        return GV_OK;
    r->k = (int64_t)names->array.n;
    if (!(r->class_names = gv_arena_alloc(&r->keep, names->array.n * sizeof *r->class_names, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < r->k; i++)
        if (!(r->class_names[i] = gv_arena_strdup(&r->keep, names->array.v[i].type == GV_TEXT ? names->array.v[i].text.s : "?", err)))
            return GV_ESYS;
    return GV_OK;
}

static int read_truth(struct run *r, gv_err *err)
{
    gv_reader *in;
    gv_record rec;
    int e = gv_open_input(r->o->truth, &in, err);
    if (e < 0)
        return e;
    e = truth_header(r, gv_reader_header(in), err);
    while (e >= 0 && (e = gv_next(in, &rec, err)) > 0)
        if (take_truth(r, &rec, err) < 0)
            e = gv_fail_in(err, "stream '%s'", r->o->truth);
    gv_reader_close(in);
    r->n_known = r->list.len / sizeof *r->known;
    r->known = (struct known *)(void *)r->list.data;
    if (r->n_known)
        qsort(r->known, r->n_known, sizeof *r->known, by_id);
    return e;
}

/* ---- the line of names ---- */

static int64_t column(char **cell, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(cell[i], name))
            return (int64_t)i;
    return -1;
}

static int named(const struct run *r, char **cell, size_t n, const char *name, const char *option, int64_t *at, gv_err *err)
{
    *at = column(cell, n, name);
    return *at >= 0 ? GV_OK : gv_fail(err, GV_EUSAGE, "'%s' has no column '%s' (--%s); its first is '%s'", r->name, name, option, cell[0]);
}

static int value_columns(struct run *r, char **cell, size_t n, gv_err *err)
{
    const gv_strs *want = &r->o->columns;
    bool prob = false;
    int64_t k = 0;
    for (size_t i = 0; i < n; i++)
        prob |= !strncmp(cell[i], "prob_", 5);
    if (!(r->value = gv_arena_alloc(&r->keep, (n + want->n) * sizeof *r->value, err)))
        return GV_ESYS;
    for (size_t i = 0; i < want->n; i++)
        if (named(r, cell, n, want->v[i], "columns", &r->value[k++], err) < 0)
            return err->code;
    for (int64_t i = 0; !want->n && i < (int64_t)n; i++)
        if (i != r->id && i != r->label && (prob ? !strncmp(cell[i], "prob_", 5) : strcmp(cell[i], "pred") != 0 && i != r->error))
            r->value[k++] = i;
    if (!k || k > MAX_CLASSES)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " columns of values; 1 to %d are read", r->name, k, MAX_CLASSES);
    if (r->class_names && k != r->k)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " columns of values, but '%s' names %" PRId64 " classes", r->name, k, r->o->truth, r->k);
    r->k = k;
    int64_t given = r->st->config->data.num_classes;
    if (given != GV_NONE_I64 && given != k)
        return gv_fail(err, GV_EUSAGE, "'%s' has %" PRId64 " columns of values; data.num_classes is %" PRId64, r->name, k, given);
    for (int64_t i = 0; !r->class_names && i < k; i++)
        if (strncmp(cell[r->value[i]], "prob_", 5))
            return GV_OK; /* names of columns alone name no classes */
    if (r->class_names)
        return GV_OK;
    if (!(r->class_names = gv_arena_alloc(&r->keep, (size_t)k * sizeof *r->class_names, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < k; i++)
        if (!(r->class_names[i] = gv_arena_strdup(&r->keep, cell[r->value[i]] + 5, err)))
            return GV_ESYS;
    return GV_OK;
}

static int head(struct run *r, char **cell, size_t n, gv_err *err)
{
    static const char *const tasks[] = { "multiclass", "multilabel", "regression" };
    gv_stage_ctx *st = r->st;
    r->columns = n;
    r->id = column(cell, n, "id") >= 0 ? column(cell, n, "id") : column(cell, n, "case_id") >= 0 ? column(cell, n, "case_id") : 0;
    r->label = column(cell, n, "label");
    r->error = column(cell, n, "error");
    if ((r->o->id && named(r, cell, n, r->o->id, "id", &r->id, err) < 0) || (r->o->label && named(r, cell, n, r->o->label, "label", &r->label, err) < 0) || value_columns(r, cell, n, err) < 0)
        return err->code;
    if (gv_writer_fact(st->out, "task", gv_item_text(tasks[r->subtask]), err) < 0 || gv_writer_fact(st->out, "num_classes", gv_item_i64(r->k), err) < 0)
        return err->code;
    if (r->class_names && r->subtask != 2) {
        gv_item names = gv_item_texts(r->class_names, (size_t)r->k, &r->keep, err);
        if (names.type == GV_NIL || gv_writer_fact(st->out, "class_names", names, err) < 0)
            return err->code;
    }
    if (!(r->logits = gv_arena_alloc(&r->keep, (size_t)r->k * sizeof *r->logits, err)))
        return GV_ESYS;
    return gv_stage_start(st, err);
}

/* ---- rows ---- */

/* A number that is the whole cell. */
static bool number(const char *s, double *v)
{
    char *end;
    while (*s == ' ')
        s++;
    *v = strtod(s, &end);
    while (*end == ' ')
        end++;
    return *s && !*end;
}

static double log_of(double p)
{
    double v = p > 0 ? log(p) : TINY;
    return v < TINY ? TINY : v;
}

/* The values of a row as logits: 1, or 0 with a reason when one is missing. */
static int values(struct run *r, char **cell, const char **missing, gv_err *err)
{
    double sum = 0, v;
    for (int64_t i = 0; i < r->k; i++) {
        const char *s = cell[r->value[i]];
        if (!*s) {
            *missing = "a value is missing in the table";
            return 0;
        }
        if (!number(s, &v))
            return gv_fail(err, GV_EDATA, "'%.60s' is no number", s);
        if (!isfinite(v)) {
            *missing = "a value in the table is not finite";
            return 0;
        }
        bool probability = r->subtask != 2 && r->o->values == PROBABILITIES;
        if (probability && (v < -1e-6 || v > 1 + 1e-6))
            return gv_fail(err, GV_EDATA, "%.60s is no probability (--values logits takes others)", s);
        sum += v;
        r->logits[i] = !probability ? v : r->subtask ? log_of(v) - log_of(1 - v) : log_of(v);
    }
    if (!r->subtask && r->o->values == PROBABILITIES && (sum < 0.98 || sum > 1.02))
        return gv_fail(err, GV_EDATA, "the probabilities add up to %.4g; those of classes that exclude each other to 1 (--data.subtask multilabel for others)", sum);
    return 1;
}

static int label(struct run *r, gv_record *rec, const char *text, gv_err *err)
{
    double v;
    if (!*text)
        return GV_OK;
    if (r->subtask == 2 && number(text, &v))
        return gv_set_f64(rec, "y", v, err);
    for (int64_t i = 0; r->class_names && i < r->k; i++)
        if (!strcmp(r->class_names[i], text))
            return gv_set_i64(rec, "y", i, err);
    if (!number(text, &v) || v != floor(v) || v < -1 || v >= (double)r->k)
        return gv_fail(err, GV_EDATA, "the label '%.60s' is neither one of %" PRId64 " classes nor a class name", text, r->k);
    return v < 0 ? GV_OK : gv_set_i64(rec, "y", (int64_t)v, err);
}

static int failed(struct run *r, gv_record *rec, const char *reason, gv_err *err)
{
    gv_err why = { 0 };
    gv_fail(&why, GV_EDATA, "%s", reason);
    if (gv_record_to_error(rec, "import", &why, &r->st->scratch) < 0)
        return gv_fail(err, GV_ESYS, "%s", why.text);
    return gv_put(r->st->out, rec, err);
}

static int row(struct run *r, char **cell, gv_err *err)
{
    gv_record rec;
    const char *missing = NULL;
    struct known *known = find(r, cell[r->id]);
    gv_arena_reset(&r->st->scratch);
    gv_record_init(&rec, GV_PREDICTION);
    if (gv_set_i64(&rec, "index", r->rows++, err) < 0 || gv_set_text(&rec, "id", cell[r->id], err) < 0)
        return err->code;
    r->unknown += r->o->truth && !known;
    if (known)
        known->seen = true;
    if (r->error >= 0 && *cell[r->error] && !*cell[r->value[0]])
        return failed(r, &rec, cell[r->error], err);
    int got = values(r, cell, &missing, err);
    if (got < 0)
        return got;
    if (!got)
        return failed(r, &rec, missing, err);
    if (known && known->y.type != GV_NIL ? gv_set(&rec, "y", known->y, err) < 0 : !r->o->truth && r->label >= 0 && label(r, &rec, cell[r->label], err) < 0)
        return err->code;
    if (gv_set_tensor(&rec, "logits", GV_F64T, &r->k, 1, r->logits, err) < 0)
        return err->code;
    return gv_put(r->st->out, &rec, err);
}

static int line(void *arg, char **cell, size_t n, size_t number, gv_err *err)
{
    struct run *r = arg;
    if (!r->columns)
        return head(r, cell, n, err);
    if (n != r->columns)
        return gv_fail(err, GV_EDATA, "'%s', line %zu: it has %zu cells, the line of names %zu", r->name, number, n, r->columns);
    gv_stage_done(r->st, 1);
    return row(r, cell, err) < 0 ? gv_fail_in(err, "'%s', line %zu", r->name, number) : GV_OK;
}

/* Cases nobody answered. */
static int rest(struct run *r, gv_err *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->n_known; i++) {
        gv_record rec;
        if (r->known[i].seen)
            continue;
        n++;
        gv_arena_reset(&r->st->scratch);
        gv_record_init(&rec, GV_PREDICTION);
        if (gv_set_i64(&rec, "index", r->rows++, err) < 0 || gv_set_text(&rec, "id", r->known[i].id, err) < 0 || failed(r, &rec, "it is not in the table", err) < 0)
            return err->code;
    }
    if (n)
        gv_log(GV_WARNING, "%" PRId64 " of %zu cases of '%s' are not in '%s'", n, r->n_known, r->o->truth, r->name);
    if (r->unknown)
        gv_log(GV_WARNING, "%" PRId64 " of %" PRId64 " rows of '%s' have an id that '%s' does not know: they have no label", r->unknown, r->rows - n, r->name, r->o->truth);
    return GV_OK;
}

static int read_table(struct run *r, gv_buf *text, gv_err *err)
{
    bool std = !r->o->input || !strcmp(r->o->input, "-");
    int fd = std ? STDIN_FILENO : open(r->o->input, O_RDONLY | O_CLOEXEC), e = GV_OK;
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        gv_fail_sys(err, "cannot open '%s'", r->o->input);
        return err->code = missing ? GV_EUSAGE : err->code;
    }
    for (int64_t got = 1; e == GV_OK && got > 0;) {
        e = gv_buf_reserve(text, 1 << 20, err);
        got = e == GV_OK ? gv_read_full(fd, text->data + text->len, 1 << 20, err) : -1;
        if (e == GV_OK && got < 0)
            e = gv_fail_in(err, "cannot read '%s'", r->name);
        text->len += got > 0 ? (size_t)got : 0;
        if (e == GV_OK && text->len > CAP)
            e = gv_fail(err, GV_EDATA, "'%s' has more than %d bytes", r->name, CAP);
    }
    if (!std)
        close(fd);
    return e;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    struct run r = { .st = st, .o = st->params, .subtask = st->config->data.task == GV_TASK_REGRESSION ? 2 : st->config->data.subtask == GV_SUBTASK_MULTILABEL };
    gv_buf text = { 0 };
    r.name = r.o->input && strcmp(r.o->input, "-") ? r.o->input : "stdin";
    int e = gv_arena_init(&r.keep, "truth", 4ull << 30, err);
    if (e == GV_OK && r.o->truth && r.o->label)
        e = gv_fail(err, GV_EUSAGE, "'--label' and '--truth' both tell the labels; give one of them");
    if (e == GV_OK && r.o->truth)
        e = read_truth(&r, err);
    if (e == GV_OK)
        e = read_table(&r, &text, err);
    if (e == GV_OK)
        e = gv_csv_lines(&text, r.name, line, &r, err);
    if (e == GV_OK && !r.columns)
        e = gv_fail(err, GV_EDATA, "'%s' is empty: not even a line of names is there", r.name);
    if (e == GV_OK)
        e = rest(&r, err);
    gv_buf_release(&text);
    gv_buf_release(&r.list);
    gv_arena_release(&r.keep);
    return e;
}

static const char *const blocks[] = { "data.task", "data.subtask", "data.num_classes", NULL };

const gv_stage gv_this_stage = {
    .name = "import", .summary = "read a table of another program's predictions",
    .writes = GV_PREDICTION, .blocks = blocks, .fields = fields, .params_size = sizeof(struct import), .run = run,
};
