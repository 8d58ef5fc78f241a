/* classes: what the metrics share: averages over classes, and curves from sorted scores. */
#include "metric/internal.h"

double gv_metric_macro(const gv_metric_data *d, gv_class_score *score)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t c = 0; c < d->classes; c++) {
        if (d->subtask == GV_METRIC_MULTICLASS && d->tp[c] + d->fp[c] + d->fn[c] == 0)
            continue;
        sum += score((double)d->tp[c], (double)d->fp[c], (double)d->fn[c]);
        n++;
    }
    return n ? sum / (double)n : NAN;
}

/* Sort keys, largest first, by four passes over bytes: scores are probabilities, and floats >= 0 order as their bits do. The
 * lowest bit of the 64 tells a positive; scores stand in bits 32 to 63. */
static uint64_t *sort_scores(uint64_t *a, uint64_t *b, int64_t n)
{
    for (int shift = 32; shift < 64; shift += 8) {
        int64_t at[257] = { 0 };
        for (int64_t i = 0; i < n; i++)
            at[1 + (255 - (a[i] >> shift & 255))]++;
        for (int i = 0; i < 256; i++)
            at[i + 1] += at[i];
        for (int64_t i = 0; i < n; i++)
            b[at[255 - (a[i] >> shift & 255)]++] = a[i];
        uint64_t *t = a;
        a = b;
        b = t;
    }
    return a; /* an even number of passes: in the caller's first array again */
}

static bool is_positive(const gv_metric_data *d, int64_t row, int64_t c)
{
    return d->subtask == GV_METRIC_MULTICLASS ? d->labels[row] == c : d->positive[row * d->classes + c] != 0;
}

int gv_metric_curves(const gv_metric_data *d, gv_curve *curve, double *mean, gv_err *err)
{
    int64_t n = d->rows;
    uint64_t *a = gv_alloc((size_t)n * sizeof *a + 8, err), *b = a ? gv_alloc((size_t)n * sizeof *b + 8, err) : NULL;
    int64_t *pos = b ? gv_alloc((size_t)n * sizeof *pos + 8, err) : NULL, *neg = pos ? gv_alloc((size_t)n * sizeof *neg + 8, err) : NULL;
    int r = neg ? GV_OK : GV_ESYS;
    double sum = 0;
    int64_t counted = 0;
    bool only_zero = d->subtask == GV_METRIC_MULTICLASS;
    for (int64_t i = 0; i < n && only_zero; i++)
        only_zero = d->labels[i] == 0;
    for (int64_t c = 0; r == GV_OK && n && c < d->classes; c++) {
        int64_t groups = 0, all_pos = 0;
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            bool p = is_positive(d, i, c);
            memcpy(&bits, &d->scores[i * d->classes + c], sizeof bits);
            a[i] = (uint64_t)bits << 32 | p;
            all_pos += p;
        }
        uint64_t *s = sort_scores(a, b, n);
        for (int64_t i = 0; i < n; i++) {
            if (!i || s[i] >> 32 != s[i - 1] >> 32) {
                pos[groups] = neg[groups] = 0;
                groups++;
            }
            (s[i] & 1 ? pos : neg)[groups - 1]++;
        }
        double v = curve(pos, neg, groups, all_pos, n - all_pos, only_zero || (d->subtask == GV_METRIC_MULTILABEL && !all_pos));
        if (!isnan(v)) {
            sum += v;
            counted++;
        }
    }
    *mean = counted ? sum / (double)counted : NAN;
    gv_free(a);
    gv_free(b);
    gv_free(pos);
    gv_free(neg);
    return r;
}
