/*
 * The metrics of a pass over the data, as --task.metric_computation_mode says: over all samples (epochwise), or of every batch,
 * averaged over the batches (stepwise). A batch for which a metric is undefined (AUROC of one class) does not count in its mean.
 *
 *   gv_scores *s;  gv_scores_open(&s, config, GV_SUBTASK_MULTICLASS, 10, &err);
 *   gv_scores_add(s, logits, n, labels, NULL, &err);        // batch after batch
 *   gv_scores_values(s, each, arg, &err);                   // "Accuracy" 0.87
 *
 * The state is exact: a pass that is saved, loaded and gone on with gives the values of one that was never interrupted.
 */
#ifndef GV_SESSION_SCORES_H
#define GV_SESSION_SCORES_H

#include "config/config.h"
#include "metric/metric.h"

typedef struct gv_scores gv_scores;

int gv_scores_open(gv_scores **s, const gv_config *c, int subtask, int64_t classes, gv_err *err) GV_MUST_USE;
void gv_scores_close(gv_scores *s);
void gv_scores_reset(gv_scores *s);
/* One batch; as gv_metric_set_add. */
int gv_scores_add(gv_scores *s, const float *logits, int64_t n, const int64_t *labels, const float *targets, gv_err *err) GV_MUST_USE;
int gv_scores_values(const gv_scores *s, gv_metric_each *each, void *arg, gv_err *err) GV_MUST_USE;
/* The value of one key as it stands, for the eye. NaN: no such key, or none yet. */
double gv_scores_value(const gv_scores *s, const char *key);
int gv_scores_save(const gv_scores *s, gv_buf *out, gv_err *err) GV_MUST_USE;
/* GV_EDATA: the bytes are of other metrics or another mode. */
int gv_scores_load(gv_scores *s, const void *bytes, size_t n, gv_err *err) GV_MUST_USE;

#endif
