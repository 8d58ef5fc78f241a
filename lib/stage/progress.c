/* progress: how many records are done, for the driver and for people. */
#include "common/log.h"
#include "stage/stage.h"
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double clock_seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A line for people only where nobody else draws one: no driver, a terminal, and the end of the pipeline. */
static bool wants_line(void)
{
    struct stat st;
    return !getenv("GLOVITA_EVENTS") && isatty(STDERR_FILENO) && gv_log_on(GV_INFO) && !(fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)) &&
           !isatty(STDOUT_FILENO);
}

static void tell(gv_stage_ctx *st, double since, double now, bool line)
{
    double in, out, rate = now > since ? (double)st->done / (now - since) : 0;
    char total[40] = "";
    gv_stream_waits(&in, &out);
    if (st->total)
        snprintf(total, sizeof total, "\"total\":%llu,", (unsigned long long)st->total);
    gv_event("progress", "\"done\":%llu,%s\"unit\":\"record\",\"per_s\":%.1f,\"wait_in\":%.3f,\"wait_out\":%.3f,\"cpu\":%.3f", (unsigned long long)st->done, total,
             rate, in, out, clock_seconds(CLOCK_PROCESS_CPUTIME_ID));
    if (line && st->total)
        fprintf(stderr, "\r%s: %llu of %llu records, %.0f/s ", gv_log_program(), (unsigned long long)st->done, (unsigned long long)st->total, rate);
    else if (line)
        fprintf(stderr, "\r%s: %llu records, %.0f/s ", gv_log_program(), (unsigned long long)st->done, rate);
}

/* At most ten a second; the first at once, so that the driver knows that records flow. */
void gv_stage_done(gv_stage_ctx *st, uint64_t records)
{
    static double since, last;
    static int line = -1;
    st->done += records;
    double now = clock_seconds(CLOCK_MONOTONIC);
    if (line < 0) {
        line = wants_line();
        since = now;
    } else if (now - last < 0.1 && records)
        return;
    last = now;
    tell(st, since, now, line);
    if (!records && line) /* gv_stage_done(st, 0): the last word, by main() */
        fputc('\n', stderr);
}

void gv_stage_tell(const char *what, double share)
{
    static double last;
    static int line = -1;
    double now = clock_seconds(CLOCK_MONOTONIC);
    if (line < 0)
        line = !getenv("GLOVITA_EVENTS") && isatty(STDERR_FILENO) && gv_log_on(GV_INFO);
    else if (now - last < 0.1 && share < 1)
        return;
    last = now;
    gv_event("progress", "\"done\":%.0f,\"total\":100,\"unit\":\"percent\",\"text\":\"%s %.0f %%\",\"cpu\":%.3f", 100 * share, what, 100 * share, clock_seconds(CLOCK_PROCESS_CPUTIME_ID));
    if (line)
        fprintf(stderr, share < 1 ? "\r%s: %s %.0f %% \033[K" : "\r\033[K", gv_log_program(), what, 100 * share);
}
