/*
 * What the pictures of a pass over the data are drawn from: the confusion matrix of a classification, true and predicted numbers of
 * a regression. A multilabel task has none.
 *
 *   gv_results r = { .f = &facts };
 *   gv_results_reset(&r);  gv_results_add(&r, logits, &batch, &err);  …  gv_results_json(&r, &text, &err);
 */
#ifndef GV_SESSION_RESULTS_H
#define GV_SESSION_RESULTS_H

#include "session/session.h"

typedef struct gv_results {
    const gv_facts *f;
    int64_t *confusion;  /* [K,K], rows are true classes; NULL until the first batch, and above 2000 classes */
    float *points;       /* pairs true, predicted of a regression's first output: of the first 5000 samples */
    int64_t npoints;
} gv_results;

void gv_results_reset(gv_results *r);
void gv_results_release(gv_results *r);
/* logits [b->n, K]. */
int gv_results_add(gv_results *r, const float *logits, const gv_batch *b, gv_err *err) GV_MUST_USE;
/* {"class_names", "confusion"} or {"true", "predicted"}, appended with a newline; nothing when there is nothing to draw. */
int gv_results_json(const gv_results *r, gv_buf *out, gv_err *err) GV_MUST_USE;
/* As bytes and back, exactly. */
int gv_results_save(const gv_results *r, gv_buf *out, gv_err *err) GV_MUST_USE;
int gv_results_load(gv_results *r, const void *bytes, size_t n, gv_err *err) GV_MUST_USE;

#endif
