/* report: what the driver shows while stages run, and events.jsonl. */
#include "run/report.h"
#include "common/log.h"
#include "json/json.h"
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int gv_report_open(gv_report *r, const char *events_path, gv_err *err)
{
    memset(r, 0, sizeof *r);
    const char *term = getenv("TERM");
    r->terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    r->colour = gv_colour(STDERR_FILENO);
    r->started = r->last_plain = now();
    if (events_path && !(r->events = fopen(events_path, "ae")))
        return gv_fail_sys(err, "cannot open '%s'", events_path);
    if (r->events)
        setvbuf(r->events, NULL, _IOLBF, 0); /* who follows the file sees a line when it is one */
    return GV_OK;
}

void gv_report_stage(gv_report *r, int i, const char *label)
{
    if (i >= GV_REPORT_STAGES)
        return;
    snprintf(r->stage[i].label, sizeof r->stage[i].label, "%s", label);
    if (r->stages < i + 1)
        r->stages = i + 1;
}

void gv_report_clear(gv_report *r)
{
    if (r->line_shown && r->terminal)
        fputs("\r\033[K", stderr);
    r->line_shown = 0;
}

/* The stage that the others wait for: the last one in the flow that does not wait itself. */
static const char *bottleneck(const gv_report *r)
{
    double t = now();
    for (int i = r->stages - 1; i >= 0; i--)
        if (r->stage[i].at > 0 && t - r->stage[i].at < 3 && r->stage[i].share < 0.35)
            return r->stage[i].label;
    return NULL;
}

static double number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

static void span(char *out, size_t size, double s)
{
    if (s >= 3600)
        snprintf(out, size, "%dh%02dm", (int)(s / 3600), (int)(s / 60) % 60);
    else if (s >= 60)
        snprintf(out, size, "%dm%02ds", (int)(s / 60), (int)s % 60);
    else
        snprintf(out, size, "%.0fs", s);
}

static void train_progress(gv_report *r, const json_t *j)
{
    char eta[32] = "?", steps[32] = "";
    const json_t *left = json_object_get(j, "eta"), *value = json_object_get(j, "value"), *loss = json_object_get(j, "loss");
    if (json_is_number(left))
        span(eta, sizeof eta, json_number_value(left));
    if (number(j, "steps") > 0)
        snprintf(steps, sizeof steps, "/%.0f", number(j, "steps"));
    gv_buf b = { 0 };
    (void)!gv_buf_printf(&b, NULL, "epoch %.0f/%.0f  %s %.0f%s  %.0f samples/s", number(j, "epoch") + 1, number(j, "epochs"), json_is_true(json_object_get(j, "validation")) ? "val" : "step", number(j, "step"), steps, number(j, "per_s"));
    if (json_is_number(loss))
        (void)!gv_buf_printf(&b, NULL, "  loss %.4f", json_number_value(loss));
    if (json_is_number(value))
        (void)!gv_buf_printf(&b, NULL, "  %s %.4f", json_string_value(json_object_get(j, "metric")), json_number_value(value));
    (void)!gv_buf_printf(&b, NULL, "  ETA %s", eta);
    snprintf(r->train, sizeof r->train, "%s", b.data ? b.data : "");
    gv_buf_release(&b);
}

/* Of all forward stages together: one for each fold. */
static void forward_progress(gv_report *r, double t)
{
    double done = 0, spent = t - r->started;
    for (int i = 0; i < r->stages; i++)
        done += r->stage[i].done;
    double rate = spent > 0 ? done / spent : 0;
    char eta[32] = "?";
    if (rate > 0 && r->total > 0)
        span(eta, sizeof eta, (r->total - done) / rate);
    if (r->total > 0)
        snprintf(r->train, sizeof r->train, "%s %.0f/%.0f  %.1f/s  ETA %s", r->what ? r->what : "running", done, r->total, rate, eta);
    else
        snprintf(r->train, sizeof r->train, "%s %.0f  %.1f/s", r->what ? r->what : "running", done, rate);
}

void gv_report_event(gv_report *r, int i, const char *json, size_t n)
{
    gv_err err = { 0 };
    json_t *j = gv_json_parse(json, n, "event", &err);
    if (!j)
        return; /* telemetry cannot hurt */
    const char *kind = json_string_value(json_object_get(j, "event"));
    bool progress = kind && !strcmp(kind, "progress") && i < GV_REPORT_STAGES;
    double t = now();
    int validating = progress && json_is_true(json_object_get(j, "validation"));
    bool turned = progress && json_object_get(j, "validation") && validating != r->validating;
    if (r->events && (!progress || turned || t - r->stage[i].kept >= 10)) { /* ten times a second is for the eye, not for the file */
        if (progress)
            r->stage[i].kept = t;
        fwrite(json, 1, n, r->events);
        fputc('\n', r->events);
    }
    if (turned)
        r->validating = validating;
    if (progress) {
        double waits = number(j, "wait_in") + number(j, "wait_out");
        if (r->stage[i].at <= 0 || t - r->stage[i].at >= 1) {
            if (r->stage[i].at > 0)
                r->stage[i].share = (waits - r->stage[i].waits) / (t - r->stage[i].at);
            r->stage[i].at = t;
            r->stage[i].waits = waits;
        }
        if (json_object_get(j, "epochs"))
            train_progress(r, j);
        else if (strstr(r->stage[i].label, "/forward")) {
            r->stage[i].done = number(j, "done");
            forward_progress(r, t);
        } else if (json_is_string(json_object_get(j, "text")))
            snprintf(r->train, sizeof r->train, "%s", json_string_value(json_object_get(j, "text")));
    } else if (kind && (!strcmp(kind, "epoch") || !strcmp(kind, "note"))) { /* a finished epoch: one plain line, kept on a terminal too */
        const char *text = json_string_value(json_object_get(j, "text"));
        r->epochs += *kind == 'e';
        gv_report_clear(r);
        if (text)
            fprintf(stderr, "%s\n", text);
    }
    json_decref(j);
}

void gv_report_message(gv_report *r, const char *line, size_t n)
{
    char painted[4160];
    gv_report_clear(r);
    if (r->colour && n < sizeof painted - 32) {
        n = gv_log_paint(painted, sizeof painted, line, n);
        line = painted;
    }
    fwrite(line, 1, n, stderr);
    fputc('\n', stderr);
}

void gv_report_tick(gv_report *r)
{
    double t = now();
    if (!*r->train || r->quiet)
        return;
    if (r->terminal && t - r->last_shown >= 0.1) {
        struct winsize ws = { 0 };
        int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col - 1 : 100;
        const char *slow = bottleneck(r);
        char line[400];
        snprintf(line, sizeof line, "%s%s%s%s", r->train, slow ? "  [" : "", slow ? slow : "", slow ? "]" : "");
        int where = (int)strcspn(line, " "), all = (int)strlen(line);
        where += line[where] ? 1 + (int)strcspn(line + where + 1, " ") : 0; /* "epoch 3/20", "test 128/1000" */
        where = where < width ? where : width;
        all = all < width ? all : width;
        fprintf(stderr, r->colour ? "\r\033[K\033[1m%.*s\033[0m%.*s" : "\r\033[K%.*s%.*s", where, line, all - where, line + where);
        fflush(stderr);
        r->line_shown = 1;
        r->last_shown = t;
    } else if (!r->terminal && t - r->last_plain >= 30) {
        const char *slow = bottleneck(r);
        fprintf(stderr, "%s%s%s\n", r->train, slow ? "  bottleneck " : "", slow ? slow : "");
        r->last_plain = t;
    }
}

void gv_report_close(gv_report *r)
{
    gv_report_clear(r);
    if (r->events && fclose(r->events) != 0)
        gv_log(GV_WARNING, "events could not be written: %s", strerror(errno));
    r->events = NULL;
}
