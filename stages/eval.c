/* eval: score predictions; average the views of a case and the folds of an ensemble; write tables. */
#include "common/file.h"
#include "common/log.h"
#include "json/json.h"
#include "metric/cases.h"
#include "stage/bag_scores.h"
#include "stage/stage.h"
#include <inttypes.h>

struct eval {
    gv_strs input;
    const char *json, *csv, *predictions, *results, *attention;
};

static const gv_field fields[] = {
    GV_OPT_STRS(struct eval, input, NULL, "streams of predictions: paths, - or fd:N; several are an ensemble, averaged by case; None: stdin", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct eval, json, "where the metrics go, as JSON; None: stdout", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct eval, csv, "write a table: case, label, answer and probabilities, one row a case", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct eval, predictions, "write preds, labels, probs and case_ids as JSON", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct eval, attention, "write the attention of bags, which 'glovita-forward --attention' gives: id, instance, x, y, score, one row an instance", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct eval, results, "write what glovita-plot draws: the confusion matrix, or true and predicted numbers", .takes = GV_TAKES_FILE),
    GV_END
};

static const char *const blocks[] = { "data.task", "data.subtask", "data.num_classes", "task.metrics", NULL };
static const char *const task_names[] = { "multiclass", "multilabel", "regression", "framewise" };

typedef struct state {
    gv_stage_ctx *st;
    const struct eval *o;
    int subtask, inputs;
    int64_t classes;            /* 0 until the first prediction */
    const char *const *names;   /* of classes, or NULL */
    gv_cases *cases;
    int64_t failed, labelled, predicted, uneven;
    gv_metric_set *metrics;
    gv_bag_scores attention;
} state;

/* ---- reading ---- */

static int read_facts(state *w, const gv_record *h, const char *name, gv_err *err)
{
    const char *task = gv_get_text(h, "task");
    const gv_item *names = gv_get(h, "class_names");
    int subtask = w->st->config->data.subtask;
    if (!gv_config_typed(w->st->config, "data.subtask") && !gv_config_typed(w->st->config, "data.task") && task)
        for (int i = 0; i < (int)GV_COUNT(task_names); i++)
            if (!strcmp(task, task_names[i]))
                subtask = i;
    subtask = gv_subtask_of_answers(subtask); /* the answers for frames are cases of their own */
    if (w->subtask >= 0 && w->subtask != subtask)
        return gv_fail(err, GV_EDATA, "'%s' is of a %s task, the input before it of %s", name, task_names[subtask], task_names[w->subtask]);
    w->subtask = subtask;
    if (w->names || !names || names->type != GV_ARRAY || !names->array.n)
        return GV_OK;
    const char **v = gv_arena_alloc(&w->st->run, (names->array.n + 1) * sizeof *v, err);
    for (size_t i = 0; v && i < names->array.n; i++)
        if (!(v[i] = gv_arena_strdup(&w->st->run, names->array.v[i].type == GV_TEXT ? names->array.v[i].text.s : "?", err)))
            v = NULL;
    w->names = v;
    return v ? GV_OK : GV_ESYS;
}

static int set_classes(state *w, int64_t k, gv_err *err)
{
    int64_t wanted = w->st->config->data.num_classes;
    if (!k || (wanted != GV_NONE_I64 && wanted != k))
        return gv_fail(err, GV_EDATA, "the logits have %" PRId64 " values where %" PRId64 " classes are expected", k, wanted == GV_NONE_I64 ? 1 : wanted);
    w->classes = k;
    return gv_cases_open(&w->cases, w->subtask, k, err);
}

/* y of one record as a label or a target of K floats. */
static int target_of(state *w, const gv_record *rec, int64_t *label, float **target, gv_err *err)
{
    const gv_item *y = gv_get(rec, "y");
    double one;
    *label = GV_NO_LABEL;
    *target = NULL;
    if (!y || y->type == GV_NIL)
        return GV_OK;
    if (w->subtask == GV_METRIC_MULTICLASS) {
        if (!gv_item_i64_of(y, label))
            return gv_fail(err, GV_EDATA, "its 'y' is no class");
        if (*label < 0)
            *label = GV_NO_LABEL;
        if (*label != GV_NO_LABEL && *label >= w->classes)
            return gv_fail(err, GV_EDATA, "its label is %" PRId64 " where there are %" PRId64 " classes", *label, w->classes);
        return GV_OK;
    }
    if (!(*target = gv_arena_alloc_dirty(&w->st->scratch, (size_t)w->classes * sizeof **target, err)))
        return GV_ESYS;
    if (y->type == GV_TENSOR_ITEM && gv_shape_count(y->tensor.shape, y->tensor.ndim) == w->classes)
        gv_to_f32(y->tensor.dtype, y->tensor.data, *target, (size_t)w->classes);
    else if (w->classes == 1 && gv_item_f64_of(y, &one))
        **target = (float)one;
    else
        return gv_fail(err, GV_EDATA, "its 'y' does not have %" PRId64 " values", w->classes);
    for (int64_t i = 0; i < w->classes; i++)
        if (isnan((*target)[i])) { /* a target that is not known */
            *target = NULL;
            break;
        }
    return GV_OK;
}

static int add_prediction(state *w, int input, const gv_record *rec, const char *id, int64_t index, gv_err *err)
{
    const gv_tensor *logits = gv_get_tensor(rec, "logits");
    if (!logits || logits->ndim != 1)
        return gv_fail(err, GV_EDATA, "it has no 'logits' of one dimension");
    if (!w->classes && set_classes(w, logits->shape[0], err) < 0)
        return err->code;
    if (logits->shape[0] != w->classes)
        return gv_fail(err, GV_EDATA, "its logits have %" PRId64 " values, those before %" PRId64, logits->shape[0], w->classes);
    double *x = gv_arena_alloc_dirty(&w->st->scratch, (size_t)w->classes * sizeof *x, err);
    float *target;
    int64_t label;
    if (!x || target_of(w, rec, &label, &target, err) < 0)
        return err->code;
    gv_to_f64(logits->dtype, logits->data, x, (size_t)w->classes);
    return gv_cases_add(w->cases, input, id, index, x, label, target, err);
}

static int read_input(state *w, int input, const char *path, gv_err *err)
{
    gv_reader *in;
    gv_record rec;
    int r = gv_open_input(path, &in, err);
    if (r < 0)
        return r;
    const char *name = path ? path : "stdin";
    if (gv_reader_header(in)->kind != GV_PREDICTION)
        r = gv_fail(err, GV_EDATA, "'%s' holds %s records; predictions are scored", name, gv_kind_name(gv_reader_header(in)->kind));
    else
        r = read_facts(w, gv_reader_header(in), name, err);
    while (r >= 0 && (r = gv_next(in, &rec, err)) > 0) {
        char row[32];
        int64_t index = -1;
        const char *id = gv_get_text(&rec, "id");
        gv_arena_reset(&w->st->scratch);
        if (!gv_get_i64(&rec, "index", &index) || index < 0)
            index = -1;
        snprintf(row, sizeof row, "%" PRIu64, index >= 0 ? (uint64_t)index : gv_reader_records(in) - 1);
        id = id ? id : gv_get_text(&rec, "path") ? gv_get_text(&rec, "path") : row;
        if (rec.kind != GV_ERROR_RECORD) {
            r = add_prediction(w, input, &rec, id, index, err);
            w->attention.names = w->names;
            if (r >= 0 && w->o->attention)
                r = gv_bag_scores_add(&w->attention, id, &rec, err);
        }
        else if (!w->classes && w->st->config->data.num_classes == GV_NONE_I64 && !gv_get_i64(gv_reader_header(in), "num_classes", &w->classes))
            r = gv_fail(err, GV_EDATA, "the first record is an error and nothing tells the number of classes (give --data.num_classes)");
        else {
            if (!w->cases)
                r = set_classes(w, w->classes ? w->classes : w->st->config->data.num_classes, err);
            if (r >= 0)
                r = gv_cases_fail(w->cases, input, id, index, gv_get_text(&rec, "stage"), gv_get_text(&rec, "reason"), err);
        }
        if (r < 0)
            r = gv_fail_in(err, "stream '%s': record %" PRIu64, name, gv_reader_records(in));
        gv_stage_done(w->st, 1);
    }
    gv_reader_close(in);
    return r;
}

/* ---- scoring ---- */

static int score(state *w, gv_err *err)
{
    static const char *const numbers[] = { "mse", "mae" };
    gv_strs names = w->st->config->task.metrics;
    if (w->subtask == GV_METRIC_REGRESSION && !gv_config_typed(w->st->config, "task.metrics"))
        names = (gv_strs){ 2, (const char **)numbers };
    int r = gv_metric_set_open(&w->metrics, &names, w->subtask, w->classes, err);
    float *x = r == GV_OK ? gv_alloc((size_t)w->classes * sizeof *x, err) : NULL;
    r = r == GV_OK && !x ? GV_ESYS : r;
    for (int64_t i = 0; r == GV_OK && i < gv_cases_count(w->cases); i++) {
        const gv_case *v = gv_cases_at(w->cases, i);
        w->failed += !v->predictions;
        w->predicted += v->predictions > 0;
        w->uneven += v->predictions && v->inputs < w->inputs;
        if (!v->predictions || (w->subtask == GV_METRIC_MULTICLASS ? v->label == GV_NO_LABEL : !v->target))
            continue;
        gv_case_logits(w->cases, v, x);
        r = gv_metric_set_add(w->metrics, x, 1, &v->label, v->target, err);
        w->labelled++;
    }
    gv_free(x);
    if (w->uneven)
        gv_log(GV_WARNING, "%" PRId64 " of %" PRId64 " cases are not in every input; they are averaged over those that have them", w->uneven, w->predicted);
    if (w->failed)
        gv_log(GV_WARNING, "%" PRId64 " case%s failed; the tables keep every row, with the reason", w->failed, w->failed == 1 ? "" : "s");
    return r;
}

static void put_value(void *arg, const char *key, double value, bool higher)
{
    (void)higher;
    json_object_set_new(arg, key, isfinite(value) ? json_real(value) : json_null());
}

static int write_json(const json_t *j, const char *path, gv_err *err)
{
    if (!j)
        return gv_fail(err, GV_ESYS, "out of memory");
    if (path && strcmp(path, "-"))
        return gv_json_write(path, j, err);
    gv_buf b = { 0 };
    int r = gv_json_pretty(j, &b, err);
    if (r == GV_OK && fwrite(b.data, 1, b.len, stdout) != b.len)
        r = gv_fail_sys(err, "cannot write 'stdout'");
    gv_buf_release(&b);
    return r;
}

static int write_metrics(state *w, gv_err *err)
{
    json_t *j = json_object(), *m = json_object();
    int r = j && m ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    if (r == GV_OK && w->labelled)
        r = gv_metric_set_values(w->metrics, put_value, m, err);
    if (r == GV_OK) {
        json_object_set_new(j, "cases", json_integer(gv_cases_count(w->cases)));
        json_object_set_new(j, "labelled", json_integer(w->labelled));
        json_object_set_new(j, "failed", json_integer(w->failed));
        json_object_set_new(j, "inputs", json_integer(w->inputs));
        json_object_set(j, "metrics", w->labelled ? m : json_null());
        r = write_json(j, w->o->json, err);
    }
    if (!w->labelled)
        gv_log(GV_WARNING, "no case has a label: there are predictions, but no metrics");
    json_decref(j);
    json_decref(m);
    return r;
}

/* ---- tables ---- */

/* ",prefix_NAME" for every class. */
static int csv_columns(state *w, gv_buf *b, const char *prefix, gv_err *err)
{
    int r = GV_OK;
    char name[600];
    for (int64_t k = 0; r == GV_OK && k < w->classes; k++) {
        if (w->names)
            snprintf(name, sizeof name, "%s_%.500s", prefix, w->names[k]);
        else
            snprintf(name, sizeof name, "%s_%" PRId64, prefix, k);
        r = gv_buf_add(b, ",", 1, err);
        r = r == GV_OK ? gv_csv_text(b, name, err) : r;
    }
    return r;
}

static int64_t best_of(const double *p, int64_t k)
{
    int64_t best = 0;
    for (int64_t i = 1; i < k; i++)
        if (p[i] > p[best])
            best = i;
    return best;
}

static int csv_row(state *w, gv_buf *b, const gv_case *v, double *p, gv_err *err)
{
    bool one = w->subtask == GV_METRIC_MULTICLASS, labels = w->subtask == GV_METRIC_MULTILABEL;
    int64_t k = w->classes;
    int r = gv_csv_text(b, v->id, err);
    if (v->predictions)
        gv_case_answer(w->cases, v, p);
    if (one) {
        r |= v->label != GV_NO_LABEL ? gv_buf_printf(b, err, ",%" PRId64, v->label) : gv_buf_add(b, ",", 1, err);
        r |= v->predictions ? gv_buf_printf(b, err, ",%" PRId64, best_of(p, k)) : gv_buf_add(b, ",", 1, err);
    }
    for (int64_t i = 0; !one && i < k; i++)
        r |= v->target ? gv_buf_printf(b, err, labels ? ",%.0f" : ",%.9g", v->target[i]) : gv_buf_add(b, ",", 1, err);
    for (int64_t i = 0; !one && i < k; i++)
        r |= !v->predictions ? gv_buf_add(b, ",", 1, err) : labels ? gv_buf_printf(b, err, ",%d", p[i] > 0.5) : gv_buf_printf(b, err, ",%.9g", p[i]);
    for (int64_t i = 0; (one || labels) && i < k; i++)
        r |= v->predictions ? gv_buf_printf(b, err, ",%.9g", p[i]) : gv_buf_add(b, ",", 1, err);
    r |= gv_buf_add(b, ",", 1, err);
    if (!v->predictions && v->reason) {
        gv_buf why = { 0 };
        r |= gv_buf_printf(&why, err, "%s: %s", v->stage, v->reason);
        r |= r == GV_OK ? gv_csv_text(b, why.data, err) : r;
        gv_buf_release(&why);
    }
    r |= gv_buf_add(b, "\n", 1, err);
    return r ? err->code : GV_OK;
}

static int write_csv(state *w, gv_err *err)
{
    gv_out o;
    gv_buf b = { 0 };
    double *p = gv_alloc((size_t)w->classes * sizeof *p, err);
    int r = p ? gv_out_open(&o, w->o->csv, err) : GV_ESYS;
    if (r < 0) {
        gv_free(p);
        return r;
    }
    bool one = w->subtask == GV_METRIC_MULTICLASS;
    r = gv_buf_printf(&b, err, one ? "case_id,label,pred" : "case_id");
    if (!one)
        r = r < 0 ? r : csv_columns(w, &b, "label", err) | csv_columns(w, &b, "pred", err);
    if (w->subtask != GV_METRIC_REGRESSION)
        r = r < 0 ? r : csv_columns(w, &b, "prob", err);
    r = r < 0 ? r : gv_buf_printf(&b, err, ",error\n");
    for (int64_t i = 0; r == GV_OK && i < gv_cases_count(w->cases); i++) {
        r = csv_row(w, &b, gv_cases_at(w->cases, i), p, err);
        if (r == GV_OK && (b.len > 1 << 20 || i + 1 == gv_cases_count(w->cases))) {
            r = gv_out_write(&o, b.data, b.len, err);
            b.len = 0;
        }
    }
    if (r == GV_OK && b.len)
        r = gv_out_write(&o, b.data, b.len, err);
    if (r == GV_OK)
        r = gv_out_commit(&o, err);
    gv_out_abort(&o);
    gv_buf_release(&b);
    gv_free(p);
    return r;
}

static json_t *numbers(const double *v, int64_t n, bool whole)
{
    json_t *a = json_array();
    for (int64_t i = 0; a && i < n; i++)
        json_array_append_new(a, whole ? json_integer((json_int_t)v[i]) : isfinite(v[i]) ? json_real(v[i]) : json_null());
    return a;
}

/* One value, or the list of K, as preds and labels hold them. */
static json_t *answer(const state *w, const double *p, double *scratch)
{
    if (w->subtask == GV_METRIC_MULTICLASS)
        return json_integer(best_of(p, w->classes));
    if (w->subtask == GV_METRIC_REGRESSION)
        return w->classes == 1 ? (isfinite(*p) ? json_real(*p) : json_null()) : numbers(p, w->classes, false);
    for (int64_t k = 0; k < w->classes; k++)
        scratch[k] = p[k] > 0.5;
    return numbers(scratch, w->classes, true);
}

static json_t *truth(const state *w, const gv_case *v, double *scratch)
{
    if (w->subtask == GV_METRIC_MULTICLASS)
        return v->label == GV_NO_LABEL ? json_null() : json_integer(v->label);
    if (!v->target)
        return json_null();
    for (int64_t k = 0; k < w->classes; k++)
        scratch[k] = v->target[k];
    return w->subtask == GV_METRIC_REGRESSION && w->classes == 1 ? json_real(*scratch) : numbers(scratch, w->classes, w->subtask == GV_METRIC_MULTILABEL);
}

static int write_predictions(state *w, gv_err *err)
{
    json_t *j = json_object(), *preds = json_array(), *labels = json_array(), *probs = json_array(), *logits = json_array(), *ids = json_array(), *errors = json_array();
    double *p = gv_alloc(2 * (size_t)w->classes * sizeof *p, err), *scratch = p ? p + w->classes : NULL;
    int r = j && preds && labels && probs && logits && ids && errors && p ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    for (int64_t i = 0; r == GV_OK && i < gv_cases_count(w->cases); i++) {
        const gv_case *v = gv_cases_at(w->cases, i);
        json_t *id = json_string(v->id);
        json_array_append_new(ids, id ? id : json_string_nocheck(v->id));
        json_array_append_new(labels, truth(w, v, scratch));
        if (!v->predictions) {
            json_array_append_new(preds, json_null());
            json_array_append_new(probs, json_null());
            json_array_append_new(logits, json_null());
        } else {
            gv_case_answer(w->cases, v, p);
            json_array_append_new(preds, answer(w, p, scratch));
            json_array_append_new(probs, numbers(p, w->classes, false));
            json_array_append_new(logits, v->predictions == 1 ? numbers(v->logits, w->classes, false) : json_null()); /* a mean of probabilities has none */
        }
        json_array_append_new(errors, v->predictions ? json_null() : json_sprintf("%s: %s", v->stage ? v->stage : "", v->reason ? v->reason : ""));
    }
    if (r == GV_OK) {
        json_object_set(j, "preds", preds);
        json_object_set(j, "labels", labels);
        if (w->subtask != GV_METRIC_REGRESSION)
            json_object_set(j, "probs", probs);
        json_object_set(j, "logits", logits);
        json_object_set(j, "case_ids", ids);
        if (w->failed)
            json_object_set(j, "errors", errors);
        if (w->names) {
            json_t *names = json_array();
            for (int64_t k = 0; k < w->classes; k++)
                json_array_append_new(names, json_string(w->names[k]));
            json_object_set_new(j, "class_names", names);
        }
        r = write_json(j, w->o->predictions, err);
    }
    json_decref(j);
    json_decref(preds);
    json_decref(labels);
    json_decref(probs);
    json_decref(logits);
    json_decref(ids);
    json_decref(errors);
    gv_free(p);
    return r;
}

/* What glovita-plot draws: {"class_names", "confusion"} or {"true", "predicted"} of the first output. */
static int write_results(state *w, gv_err *err)
{
    const int64_t *m = gv_metric_set_confusion(w->metrics);
    json_t *j = json_object();
    double *p = gv_alloc((size_t)w->classes * sizeof *p, err);
    int r = j && p ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    if (r == GV_OK && m) {
        json_t *rows = json_array(), *names = json_array();
        for (int64_t i = 0; i < w->classes; i++) {
            json_t *row = json_array();
            for (int64_t k = 0; k < w->classes; k++)
                json_array_append_new(row, json_integer(m[i * w->classes + k]));
            json_array_append_new(rows, row);
            json_array_append_new(names, w->names ? json_string(w->names[i]) : json_sprintf("%" PRId64, i));
        }
        json_object_set_new(j, "class_names", names);
        json_object_set_new(j, "confusion", rows);
    } else if (r == GV_OK && w->subtask == GV_METRIC_REGRESSION) {
        json_t *t = json_array(), *predicted = json_array();
        for (int64_t i = 0; i < gv_cases_count(w->cases); i++) {
            const gv_case *v = gv_cases_at(w->cases, i);
            if (!v->predictions || !v->target)
                continue;
            gv_case_answer(w->cases, v, p);
            json_array_append_new(t, json_real(v->target[0]));
            json_array_append_new(predicted, isfinite(*p) ? json_real(*p) : json_null());
        }
        json_object_set_new(j, "true", t);
        json_object_set_new(j, "predicted", predicted);
    } else if (r == GV_OK)
        r = gv_fail(err, GV_EUSAGE, "'--results' is for the confusion matrix of at most 1024 classes, or for a regression");
    if (r == GV_OK)
        r = write_json(j, w->o->results, err);
    json_decref(j);
    gv_free(p);
    return r;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    state w = { .st = st, .o = st->params, .subtask = -1 };
    w.inputs = w.o->input.n ? (int)w.o->input.n : 1;
    int r = w.o->attention && w.inputs > 1 ? gv_fail(err, GV_EUSAGE, "'--attention' is that of one input, not of %d", w.inputs) : GV_OK;
    if (r == GV_OK && w.o->attention)
        r = gv_bag_scores_open(&w.attention, w.o->attention, err);
    bool attention = r == GV_OK && w.o->attention;
    for (int i = 0; r == GV_OK && i < w.inputs; i++)
        r = read_input(&w, i, w.o->input.n ? w.o->input.v[i] : NULL, err);
    if (r == GV_OK && !w.cases)
        r = gv_fail(err, GV_EDATA, "there is no prediction to score");
    if (r == GV_OK)
        r = score(&w, err);
    if (r == GV_OK && w.names) /* names of another number of classes name nothing */
        for (int64_t k = 0; w.names && k < w.classes; k++)
            if (!w.names[k])
                w.names = NULL;
    if (r == GV_OK && w.o->csv)
        r = write_csv(&w, err);
    if (r == GV_OK && w.o->predictions)
        r = write_predictions(&w, err);
    if (r == GV_OK && w.o->results)
        r = write_results(&w, err);
    if (r == GV_OK)
        r = write_metrics(&w, err);
    if (attention && gv_bag_scores_close(&w.attention, r == GV_OK, err) < 0)
        r = err->code;
    gv_metric_set_close(w.metrics);
    gv_cases_close(w.cases);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "eval", .summary = "score predictions and write tables; several inputs are an ensemble",
    .reads = GV_PREDICTION, .blocks = blocks, .fields = fields, .params_size = sizeof(struct eval),
    .manual_streams = true, .text_output = true, .run = run,
};
