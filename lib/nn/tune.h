/*
 * Measured choices of kernels: for an op that several kernels of a backend can compute, the one that was fastest on this machine.
 *
 *   gv_tuning *t;
 *   gv_tuning_open(&t, "onednn", threads, &err);
 *   gv_tuning_read(t, text, n, &err);              // the machine's cache, where there is one
 *   options.tuning = t;                            // plans take what it says, and the rules' choice where it says nothing
 *   gv_tuning_measure(t, told, arg);               // --tune: what it does not know is measured when a plan is made
 *   gv_tuning_text(t, &buf, &err);                 // to be written back
 *
 * The text: a first line with what the choices depend on (format, library and instruction set, threads; choices of another machine or
 * library are not read), then a line for each call: its key, a tab, the kernel's name. The key is op, attributes, types and shapes.
 * Choices change results by rounding. Whoever must compute the same again keeps the text.
 */
#ifndef GV_NN_TUNE_H
#define GV_NN_TUNE_H

#include "nn/backend.h"

typedef struct gv_tuning gv_tuning;

int gv_tuning_open(gv_tuning **t, const char *backend, int threads, gv_err *err) GV_MUST_USE;
void gv_tuning_close(gv_tuning *t);

/* The first line. */
const char *gv_tuning_machine(const gv_tuning *t);
/* Lines of a text of the same machine are taken over (later ones win); of another, nothing is and *other is true. GV_EDATA: no such text. */
int gv_tuning_read(gv_tuning *t, const char *text, size_t n, bool *other, gv_err *err) GV_MUST_USE;
/* Sorted by key. Keeps nothing but what gv_tuning_read and measuring gave. */
int gv_tuning_text(const gv_tuning *t, gv_buf *out, gv_err *err) GV_MUST_USE;
size_t gv_tuning_count(const gv_tuning *t);

/* From now on, measure. told (may be NULL): called behind each measurement with the kernels' names and their milliseconds, best first; by_rules: what
 * would run without it. */
typedef struct gv_tuned { const char *name; double ms; bool by_rules; } gv_tuned;
typedef void gv_tuning_told(void *arg, const char *key, const gv_tuned *best_first, int n);
void gv_tuning_measure(gv_tuning *t, gv_tuning_told *told, void *arg);
bool gv_tuning_measures(const gv_tuning *t);

/* For plans: the kernel of a call. GV_OK, or GV_UNSUPPORTED: nothing is known of it, the rules choose. */
int gv_tuning_choose(gv_tuning *t, const gv_backend *b, void *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
