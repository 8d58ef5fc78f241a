/*
 * Metrics, to torchmetrics' definitions. A metric merges, so that shards and processes add up to the same value. One file and one
 * line in metrics.def each.
 *
 *   gv_metric_set *m;
 *   gv_metric_set_open(&m, &config->task.metrics, GV_SUBTASK_MULTICLASS, 10, &err);      // "acc", "f1", …
 *   gv_metric_set_add(m, logits, n, labels, NULL, &err);                                 // batch after batch
 *   gv_metric_set_values(m, each, arg);                                                  // "Accuracy" 0.87 higher is better
 *
 * logits [n,K] are raw (softmax, sigmoid or nothing is applied by the metric that needs it). multiclass: labels [n], -1 ignored;
 * multilabel and regression: targets [n,K]. Keys are the original's without prefix: Accuracy, Balanced_Accuracy, F1, F1_class_i,
 * Precision, Recall, Accuracy_top5, AUROC, AP, MSE, MAE. An undefined value is NaN.
 */
#ifndef GV_METRIC_METRIC_H
#define GV_METRIC_METRIC_H

#include "common/field.h"

enum { GV_METRIC_MULTICLASS, GV_METRIC_MULTILABEL, GV_METRIC_REGRESSION }; /* as GV_SUBTASK_* of the configuration */

typedef struct gv_metric_set gv_metric_set;

/* GV_EUSAGE: an unknown name, or one that does not go with the task ("top5acc" of a regression). */
int gv_metric_set_open(gv_metric_set **m, const gv_strs *names, int subtask, int64_t classes, gv_err *err) GV_MUST_USE;
void gv_metric_set_close(gv_metric_set *m);
void gv_metric_set_reset(gv_metric_set *m);
int gv_metric_set_add(gv_metric_set *m, const float *logits, int64_t n, const int64_t *labels, const float *targets, gv_err *err) GV_MUST_USE;
/* Add another set's state (same names and classes). */
int gv_metric_set_merge(gv_metric_set *m, const gv_metric_set *other, gv_err *err) GV_MUST_USE;
int64_t gv_metric_set_seen(const gv_metric_set *m);
/* [classes, classes] rows by true class, columns by answer; NULL when not multiclass, or of more than 1024 classes. Borrowed. */
const int64_t *gv_metric_set_confusion(const gv_metric_set *m);
typedef void gv_metric_each(void *arg, const char *key, double value, bool higher_is_better);
/* Calls each(…) for every key, in the order of the names. */
int gv_metric_set_values(const gv_metric_set *m, gv_metric_each *each, void *arg, gv_err *err) GV_MUST_USE;
/* The whole state as bytes and back: exact, the same on every machine of one byte order. */
int gv_metric_set_save(const gv_metric_set *m, gv_buf *out, gv_err *err) GV_MUST_USE;
int gv_metric_set_load(gv_metric_set *m, const void *bytes, size_t n, gv_err *err) GV_MUST_USE;

/* The key a user means by "F1", "val_F1", "f1", "acc" or "Accuracy" (any case, with or without train_/val_): its canonical key
 * without prefix ("F1"), also "loss"; NULL: unknown. *higher: which direction is better. */
const char *gv_metric_key(const char *name, bool *higher);
/* The first key of a configured name: "acc" -> "Accuracy". */
const char *gv_metric_first_key(const char *name);

#endif
