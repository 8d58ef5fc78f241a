/* TAP in twenty lines: ok(condition, "claim"); ends with return done(); */
#ifndef GV_TESTS_TAP_H
#define GV_TESTS_TAP_H
#include <stdarg.h>
#include <stdio.h>
static int tap_n, tap_bad;
__attribute__((format(printf, 4, 5), unused)) static int tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    printf("%sok %d - ", good ? "" : "not ", ++tap_n);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    if (!good) {
        tap_bad++;
        printf("# %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}
#define ok(c, ...) tap_ok(!!(c), __FILE__, __LINE__, __VA_ARGS__)
__attribute__((unused)) static int done(void)
{
    printf("1..%d\n", tap_n);
    return tap_bad ? 1 : 0;
}
#endif
