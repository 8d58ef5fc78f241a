/* log: lines for people on stderr. */
#include "common/log.h"
#include <stdarg.h>
#include <unistd.h>

static const char *program = "glovita";
static gv_level level = GV_WARNING;
static const char *const names[] = { "error", "warning", "info", "debug" };

void gv_log_init(const char *name, const char *spec)
{
    program = name;
    level = isatty(STDERR_FILENO) ? GV_INFO : GV_WARNING;
    if (!spec)
        spec = getenv("GLOVITA_LOG");
    if (!spec)
        return;
    size_t n = strcspn(spec, ",");
    for (int i = 0; i < 4; i++)
        if (strlen(names[i]) == n && !strncmp(spec, names[i], n))
            level = (gv_level)i;
}

const char *gv_log_program(void)
{
    return program;
}

int gv_log_on(gv_level l)
{
    return l <= level;
}

void gv_log(gv_level l, const char *fmt, ...)
{
    if (l > level)
        return;
    char line[4096]; /* one write, so that lines of several programs do not mix */
    int n = snprintf(line, sizeof line, "%s: %s: ", program, names[l]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)n + (size_t)(m < 0 ? 0 : m);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nobody to tell */
}
