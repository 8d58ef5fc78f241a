/*
 * Predictions by case: views of one sample, and folds of an ensemble, become one answer.
 *
 *   gv_cases *c;
 *   gv_cases_open(&c, GV_METRIC_MULTICLASS, 10, &err);
 *   gv_cases_add(c, 0, "cats/1.png", 17, logits, label, NULL, &err);   // input 0, and so on; then input 1
 *   const gv_case *v = gv_cases_at(c, i);  gv_case_answer(c, v, prob);
 *
 * Within one input the views of a case are averaged, then the inputs: softmax, sigmoid, or the numbers themselves of a regression.
 * A case is found by its id; two rows with the same id in one input are two cases when their index differs. Inputs come one
 * after the other. Cases keep the order in which they were first seen.
 */
#ifndef GV_METRIC_CASES_H
#define GV_METRIC_CASES_H

#include "metric/metric.h"

#define GV_NO_LABEL INT64_MIN

typedef struct gv_cases gv_cases;
typedef struct gv_case {
    const char *id;
    int64_t index;            /* -1: none */
    int64_t label;            /* multiclass; GV_NO_LABEL */
    const float *target;      /* [K] multilabel and regression; NULL */
    const double *logits;     /* [K] of the first prediction; NULL: all of them failed */
    const char *stage, *reason; /* of a failed one */
    int64_t predictions;      /* views and inputs together */
    int inputs;               /* how many inputs have it */
    /* private */
    double *part, *sum;
    int64_t parts;
    int last, folded, next;
} gv_case;

int gv_cases_open(gv_cases **c, int subtask, int64_t classes, gv_err *err) GV_MUST_USE;
void gv_cases_close(gv_cases *c);
/* Texts and numbers are copied. GV_EDATA when a case has another label than before. */
int gv_cases_add(gv_cases *c, int input, const char *id, int64_t index, const double *logits, int64_t label, const float *target, gv_err *err) GV_MUST_USE;
int gv_cases_fail(gv_cases *c, int input, const char *id, int64_t index, const char *stage, const char *reason, gv_err *err) GV_MUST_USE;
int64_t gv_cases_count(const gv_cases *c);
const gv_case *gv_cases_at(const gv_cases *c, int64_t i);
/* The averaged answer: probabilities, or numbers of a regression. out [K]. */
void gv_case_answer(const gv_cases *c, const gv_case *v, double *out);
/* The same as logits for a metric set: the case's own where there is one prediction alone. out [K]. */
void gv_case_logits(const gv_cases *c, const gv_case *v, float *out);

#endif
