/* results: confusion matrix, or pairs of numbers, of a pass. */
#include "session/results.h"
#include "json/json.h"
#include <inttypes.h>

enum { MAX_POINTS = 5000, MAX_CONFUSION = 2000 };

static bool draws_matrix(const gv_results *r)
{
    return r->f->subtask == GV_SUBTASK_MULTICLASS && r->f->num_classes <= MAX_CONFUSION;
}

static size_t matrix_bytes(const gv_results *r)
{
    return (size_t)(r->f->num_classes * r->f->num_classes) * sizeof *r->confusion;
}

static int make_room(gv_results *r, gv_err *err)
{
    if (draws_matrix(r) && !r->confusion && !(r->confusion = gv_alloc(matrix_bytes(r), err)))
        return GV_ESYS;
    if (r->f->subtask == GV_SUBTASK_REGRESSION && !r->points && !(r->points = gv_alloc(2 * MAX_POINTS * sizeof *r->points, err)))
        return GV_ESYS;
    return GV_OK;
}

void gv_results_reset(gv_results *r)
{
    r->npoints = 0;
    if (r->confusion)
        memset(r->confusion, 0, matrix_bytes(r));
}

void gv_results_release(gv_results *r)
{
    gv_free(r->confusion);
    gv_free(r->points);
    r->confusion = NULL;
    r->points = NULL;
}

int gv_results_add(gv_results *r, const float *logits, const gv_batch *b, gv_err *err)
{
    int64_t k = r->f->num_classes;
    if (make_room(r, err) < 0)
        return GV_ESYS;
    for (int64_t i = 0; r->confusion && i < b->rows; i++) {
        int64_t top = 0;
        for (int64_t c = 1; c < k; c++)
            if (logits[i * k + c] > logits[i * k + top])
                top = c;
        if (b->labels[i] >= 0)
            r->confusion[b->labels[i] * k + top]++;
    }
    for (int64_t i = 0; r->points && i < b->rows && r->npoints < MAX_POINTS; i++, r->npoints++) {
        r->points[2 * r->npoints] = b->targets[i * k];
        r->points[2 * r->npoints + 1] = logits[i * k];
    }
    return GV_OK;
}

static int matrix_json(const gv_results *r, gv_buf *out, gv_err *err)
{
    int64_t k = r->f->num_classes;
    json_t *names = json_array();
    for (int64_t c = 0; c < k; c++)
        json_array_append_new(names, r->f->class_names ? json_string(r->f->class_names[c]) : json_sprintf("%" PRId64, c));
    int e = gv_buf_printf(out, err, "{\"class_names\":");
    if (e == GV_OK)
        e = gv_json_text(names, out, err);
    json_decref(names);
    if (e == GV_OK)
        e = gv_buf_printf(out, err, ",\"confusion\":[");
    for (int64_t i = 0; i < k * k && e == GV_OK; i++)
        e = gv_buf_printf(out, err, "%s%" PRId64 "%s", i % k ? "," : i ? ",[" : "[", r->confusion[i], i % k == k - 1 ? "]" : "");
    return e == GV_OK ? gv_buf_printf(out, err, "]}\n") : e;
}

static int points_json(const gv_results *r, gv_buf *out, gv_err *err)
{
    int e = gv_buf_printf(out, err, "{\"true\":[");
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < r->npoints && e == GV_OK; i++)
            e = isfinite(r->points[2 * i + side]) ? gv_buf_printf(out, err, "%s%.9g", i ? "," : "", r->points[2 * i + side]) : gv_buf_printf(out, err, "%snull", i ? "," : "");
        if (e == GV_OK)
            e = gv_buf_printf(out, err, side ? "]}\n" : "],\"predicted\":[");
    }
    return e;
}

int gv_results_json(const gv_results *r, gv_buf *out, gv_err *err)
{
    return r->confusion ? matrix_json(r, out, err) : r->points ? points_json(r, out, err) : GV_OK;
}

int gv_results_save(const gv_results *r, gv_buf *out, gv_err *err)
{
    if (r->confusion)
        return gv_buf_add(out, r->confusion, matrix_bytes(r), err);
    return r->points ? gv_buf_add(out, r->points, 2 * (size_t)r->npoints * sizeof *r->points, err) : GV_OK;
}

int gv_results_load(gv_results *r, const void *bytes, size_t n, gv_err *err)
{
    if (make_room(r, err) < 0)
        return GV_ESYS;
    gv_results_reset(r);
    if (!n)
        return GV_OK;
    if (r->confusion ? n != matrix_bytes(r) : !r->points || n % (2 * sizeof *r->points) || n > 2 * MAX_POINTS * sizeof *r->points)
        return gv_fail(err, GV_EDATA, "the saved results have %zu bytes, which are not of this task", n);
    if (r->confusion)
        memcpy(r->confusion, bytes, n);
    else {
        memcpy(r->points, bytes, n);
        r->npoints = (int64_t)(n / (2 * sizeof *r->points));
    }
    return GV_OK;
}
