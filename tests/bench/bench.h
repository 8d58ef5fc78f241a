/*
 * What the programs of tests/bench share: one JSON object a line, {"name", "value", "unit", "roof_share", …}, on stdout.
 *
 *   bench_line("ops/conv 3x3 64-64 @56 bf16", 1.25, "ms", 0.91, "\"threads\":2");
 *
 * roof_share: the part of the measured roof that was reached, NaN (null) where none is defined. `more`: further members, or NULL.
 */
#ifndef GV_TESTS_BENCH_BENCH_H
#define GV_TESTS_BENCH_BENCH_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Processor seconds of this process and of its children that have ended: other load on the machine does not count. */
static inline double bench_cpu(void)
{
    struct rusage a, b;
    getrusage(RUSAGE_SELF, &a);
    getrusage(RUSAGE_CHILDREN, &b);
    return (double)(a.ru_utime.tv_sec + a.ru_stime.tv_sec + b.ru_utime.tv_sec + b.ru_stime.tv_sec) +
           1e-6 * (double)(a.ru_utime.tv_usec + a.ru_stime.tv_usec + b.ru_utime.tv_usec + b.ru_stime.tv_usec);
}

static inline int bench_order(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

/* Sorts t. */
static inline double bench_median(double *t, int n)
{
    qsort(t, (size_t)n, sizeof *t, bench_order);
    return n ? (t[(n - 1) / 2] + t[n / 2]) / 2 : NAN;
}

static inline void bench_line(const char *name, double value, const char *unit, double roof_share, const char *more)
{
    printf("{\"name\":\"%s\",\"value\":", name);
    if (isfinite(value))
        printf("%.6g", value);
    else
        printf("null");
    printf(",\"unit\":\"%s\",\"roof_share\":", unit);
    if (isfinite(roof_share))
        printf("%.4f", roof_share);
    else
        printf("null");
    printf("%s%s}\n", more ? "," : "", more ? more : "");
    fflush(stdout);
}

#endif
