#include "stage/bag_scores.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

int gv_csv_text(gv_buf *b, const char *s, gv_err *err)
{
    if (!strpbrk(s, ",\"\r\n"))
        return gv_buf_printf(b, err, "%s", s);
    int r = gv_buf_add(b, "\"", 1, err);
    for (; r == GV_OK && *s; s++)
        r = gv_buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1, err);
    return r == GV_OK ? gv_buf_add(b, "\"", 1, err) : r;
}

int gv_bag_scores_open(gv_bag_scores *t, const char *path, gv_err *err)
{
    t->branches = 0;
    t->rows = (gv_buf){ 0 };
    return gv_out_open(&t->out, path, err);
}

static int head(gv_bag_scores *t, int64_t branches, gv_err *err)
{
    int64_t named = 0;
    while (t->names && t->names[named])
        named++;
    int r = gv_buf_printf(&t->rows, err, "id,instance,x,y,score");
    for (int64_t k = 0; branches > 1 && k < branches && r == GV_OK; k++) {
        char name[600];
        if (named == branches)
            snprintf(name, sizeof name, "score_%.500s", t->names[k]);
        else
            snprintf(name, sizeof name, "score_%" PRId64, k);
        r = gv_buf_add(&t->rows, ",", 1, err);
        r = r == GV_OK ? gv_csv_text(&t->rows, name, err) : r;
    }
    t->branches = branches;
    return r == GV_OK ? gv_buf_add(&t->rows, "\n", 1, err) : r;
}

/* The branch of the class that was answered. */
static int64_t answered(const gv_record *rec, int64_t branches)
{
    const gv_tensor *z = gv_get_tensor(rec, "logits");
    int64_t best = 0;
    double v, most = -INFINITY;
    for (int64_t k = 0; z && z->ndim == 1 && z->shape[0] == branches && k < branches; k++) {
        gv_to_f64(z->dtype, (const char *)z->data + (size_t)k * gv_dtype_of(z->dtype)->size, &v, 1);
        if (v > most) {
            best = k;
            most = v;
        }
    }
    return best;
}

int gv_bag_scores_add(gv_bag_scores *t, const char *id, const gv_record *rec, gv_err *err)
{
    const gv_tensor *a = gv_get_tensor(rec, "attention"), *c = gv_get_tensor(rec, "coords");
    if (!a || a->ndim != 2 || a->dtype != GV_F32T || a->shape[0] < 1)
        return gv_fail(err, GV_EDATA, "it has no 'attention' (float32 [branches,instances]); 'glovita-forward --attention' writes it");
    int64_t n = a->shape[1], best = answered(rec, a->shape[0]);
    bool places = c && c->dtype == GV_I64T && c->ndim == 2 && c->shape[0] == n && c->shape[1] == 2;
    if (t->branches ? t->branches != a->shape[0] : head(t, a->shape[0], err) < 0)
        return err->code ? err->code : gv_fail(err, GV_EDATA, "its attention has %" PRId64 " branches, those before %" PRId64, a->shape[0], t->branches);
    const float *v = a->data;
    const int64_t *at = places ? c->data : NULL;
    for (int64_t i = 0; i < n; i++) {
        int r = gv_csv_text(&t->rows, id, err);
        r |= places ? gv_buf_printf(&t->rows, err, ",%" PRId64 ",%" PRId64 ",%" PRId64, i, at[2 * i], at[2 * i + 1]) : gv_buf_printf(&t->rows, err, ",%" PRId64 ",,", i);
        r |= gv_buf_printf(&t->rows, err, ",%.9g", (double)v[best * n + i]);
        for (int64_t k = 0; t->branches > 1 && k < t->branches; k++)
            r |= gv_buf_printf(&t->rows, err, ",%.9g", (double)v[k * n + i]);
        if (r | gv_buf_add(&t->rows, "\n", 1, err))
            return err->code;
    }
    if (t->rows.len < 1 << 20)
        return GV_OK;
    int r = gv_out_write(&t->out, t->rows.data, t->rows.len, err);
    t->rows.len = 0;
    return r;
}

int gv_bag_scores_close(gv_bag_scores *t, bool good, gv_err *err)
{
    int r = GV_OK;
    if (good && !t->branches)
        r = head(t, 1, err);
    if (good && r == GV_OK)
        r = gv_out_write(&t->out, t->rows.data, t->rows.len, err);
    if (good && r == GV_OK)
        r = gv_out_commit(&t->out, err);
    gv_out_abort(&t->out);
    gv_buf_release(&t->rows);
    return r;
}
