/* A metric as its file declares it, and what a set gathers for all of them. */
#ifndef GV_METRIC_INTERNAL_H
#define GV_METRIC_INTERNAL_H

#include "metric/metric.h"

enum { GV_FOR_MULTICLASS = 1 << GV_METRIC_MULTICLASS, GV_FOR_MULTILABEL = 1 << GV_METRIC_MULTILABEL, GV_FOR_REGRESSION = 1 << GV_METRIC_REGRESSION };

enum { GV_NEEDS_SCORES = 1 }; /* keeps every row's probabilities: rows * classes * 4 bytes */

/* What has been seen so far. Counts are per class: of rows answered with it (argmax; sigmoid > 0.5). */
typedef struct gv_metric_data {
    int subtask;
    int64_t classes, rows;
    const int64_t *tp, *fp, *fn;  /* [classes] */
    const float *scores;          /* [rows, classes]: softmax or sigmoid; NULL unless needed */
    const int32_t *labels;        /* [rows], multiclass */
    const uint8_t *positive;      /* [rows, classes], multilabel */
    double squared, absolute;     /* sums over rows and outputs of a regression */
} gv_metric_data;

typedef struct gv_metric {
    const char *name, *unit, *summary;
    const char *const *keys;      /* NULL-terminated; a key that ends with "_" comes once for each class, with its number */
    unsigned tasks, needs;
    bool higher_is_better;
    size_t state_size;            /* a state of its own: plain data, zeroed at first; 0: the counts are enough */
    void (*add)(void *state, const float *logits, int64_t classes, int64_t label);  /* one row of a multiclass task */
    void (*merge)(void *state, const void *other);
    /* One number for each key (or class). GV_ESYS when memory is out. */
    int (*value)(const gv_metric_data *d, const void *state, double *out, gv_err *err);
} gv_metric;

extern const gv_metric *const gv_metrics[]; /* NULL-terminated */

/* a / b, and 0 for 0 / 0 as torchmetrics has it. */
static inline double gv_ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* The mean over classes of a score made from their counts: a multiclass class that neither came nor was answered is left out;
 * labels never are. NaN when nothing is left. */
typedef double gv_class_score(double tp, double fp, double fn);
double gv_metric_macro(const gv_metric_data *d, gv_class_score *score);

/* Calls curve(…) for each class with its rows' positives sorted by falling score, ties as groups: group g has pos[g] and neg[g].
 * The answers are averaged, NaN left out. */
typedef double gv_curve(const int64_t *pos, const int64_t *neg, int64_t groups, int64_t all_pos, int64_t all_neg, bool recall_is_one);
int gv_metric_curves(const gv_metric_data *d, gv_curve *curve, double *mean, gv_err *err) GV_MUST_USE;

#endif
