/* Whole models against golden files: what the tests of images and of clips share. */
#ifndef GV_TESTS_NN_WHOLE_H
#define GV_TESTS_NN_WHOLE_H

#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

static double whole_compare(const golden *gold, const char *entry, const gv_stored *have)
{
    static double want[1 << 20];
    int64_t n = golden_get(gold, entry, want, 1 << 20);
    if (!have || n < 1 || have->dtype != GV_F64T || gv_shape_count(have->shape, have->ndim) < n)
        return 1;
    return relative(have->data, want, n);
}

/* The norm of every gradient (and its product with the formula's values of its name, where the file has that too), and whole gradients. */
static void whole_gradients(const char *file, const golden *gold, gv_graph *g, gv_store *s)
{
    int wrong = 0, wholes = 0;
    double worst = 0, worst_whole = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        char name[256], entry[256];
        double want[2], sum = 0, dot = 0;
        if (p->buffer)
            continue;
        snprintf(name, sizeof name, "grad.%s", p->name);
        snprintf(entry, sizeof entry, "norm:%s", p->name);
        const gv_stored *t = gv_store_find(s, name);
        int64_t n = 0, count = gv_shape_count(p->shape, p->ndim);
        if (!t || (n = golden_get(gold, entry, want, 2)) < 1) {
            printf("# '%s' has no gradient\n", p->name);
            wrong++;
            continue;
        }
        for (int64_t k = 0; k < count; k++)
            sum += ((double *)t->data)[k] * ((double *)t->data)[k];
        for (int64_t k = 0; n > 1 && k < count; k++)
            dot += ((double *)t->data)[k] * formula_uniform(gv_hash_name(p->name), k);
        /* a gradient that is zero in theory (a bias before a norm) is rounding on both sides */
        double d = want[0] > 1e-12 ? fabs(sqrt(sum) - want[0]) / want[0] : sqrt(sum) < 1e-11 ? 0 : 1;
        double e = n > 1 && want[0] > 1e-12 ? fabs(dot - want[1]) / (want[0] * sqrt((double)count / 3)) : 0;
        d = e > d ? e : d;
        if (d > 1e-8)
            printf("# '%s': norm %.12g, golden %.12g\n", p->name, sqrt(sum), want[0]);
        worst = d > worst ? d : worst;
        snprintf(entry, sizeof entry, "grad:%s", p->name);
        double w = whole_compare(gold, entry, t);
        wholes += w < 1;
        worst_whole = w < 1 && w > worst_whole ? w : worst_whole;
    }
    ok(wrong == 0 && worst < 1e-8, "%s: the norm of every gradient (%.0e)", file, worst);
    int stored = 0;
    for (const char *l = gold->text; (l = strstr(l, "\ngrad:")); l++)
        stored++;
    ok(wholes == stored && stored > 0 && worst_whole < 1e-8, "%s: %d whole gradients (%.0e)", file, wholes, worst_whole);
}

#endif
