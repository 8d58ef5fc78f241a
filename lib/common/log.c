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

bool gv_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");
    if (no && *no)
        return false;
    if (force && *force && strcmp(force, "0"))
        return true;
    return isatty(fd) && term && *term && strcmp(term, "dumb");
}

size_t gv_log_paint(char *out, size_t size, const char *line, size_t n)
{
    static const struct { const char *level, *on; } paint[] = { { "error:", "\033[1;31m" }, { "warning:", "\033[1;33m" } };
    size_t at = 0;
    int len = -1;
    while (at + 1 < n && line[at] != ' ' && !(line[at] == ':' && line[at + 1] == ' '))
        at++;
    at += 2; /* behind the program's name */
    for (size_t i = 0; i < sizeof paint / sizeof *paint && len < 0; i++) {
        size_t k = strlen(paint[i].level);
        if (at + k <= n && line[at - 2] == ':' && !strncmp(line + at, paint[i].level, k))
            len = snprintf(out, size, "%.*s%s%s\033[0m%.*s", (int)at, line, paint[i].on, paint[i].level, (int)(n - at - k), line + at + k);
    }
    if (len < 0)
        len = snprintf(out, size, "%.*s", (int)n, line);
    return (size_t)len < size ? (size_t)len : size - 1;
}

void gv_log(gv_level l, const char *fmt, ...)
{
    if (l > level)
        return;
    char line[4096], painted[4160]; /* one write, so that lines of several programs do not mix */
    int n = snprintf(line, sizeof line, "%s: %s: ", program, names[l]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)n + (size_t)(m < 0 ? 0 : m);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    const char *said = line;
    if (l <= GV_WARNING && gv_colour(STDERR_FILENO)) {
        len = gv_log_paint(painted, sizeof painted - 1, line, len);
        said = painted;
        painted[len++] = '\n';
    } else
        line[len++] = '\n';
    if (write(STDERR_FILENO, said, len) < 0)
        return; /* nobody to tell */
}
