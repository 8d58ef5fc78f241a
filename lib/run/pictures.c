/* pictures: one glovita-plot at a time for the epochs of a run. */
#include "run/pictures.h"
#include "common/file.h"
#include "common/log.h"
#include "run/spawn.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void gv_pictures_open(gv_pictures *p, const char *run_dir, bool regression)
{
    *p = (gv_pictures){ .regression = regression, .due = true }; /* those of a run that was killed are drawn too */
    snprintf(p->dir, sizeof p->dir, "%s", run_dir);
}

void gv_pictures_due(gv_pictures *p)
{
    p->due = true;
}

/* The first of the JSON files by name. */
static bool next_of(gv_pictures *p)
{
    char dir[4200];
    snprintf(dir, sizeof dir, "%s/plots", p->dir);
    p->drawing[0] = 0;
    DIR *d = opendir(dir);
    if (!d)
        return false;
    const struct dirent *e;
    while ((e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (n > 5 && n < sizeof p->drawing && !strcmp(e->d_name + n - 5, ".json") && (!p->drawing[0] || strcmp(e->d_name, p->drawing) < 0))
            memcpy(p->drawing, e->d_name, n + 1);
    }
    closedir(d);
    return p->drawing[0];
}

static void draw(const gv_pictures *p, const char *json, const char *png)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    static const int stops[] = { SIGINT, SIGTERM, SIGUSR1, SIGHUP }; /* the driver decides */
    for (size_t i = 0; i < GV_COUNT(stops); i++)
        signal(stops[i], SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
        _exit(4);
    unsetenv("GLOVITA_EVENTS");
    if (nice(10) == -1) { /* -1 may be the niceness itself */
    }
    char program[4200];
    snprintf(program, sizeof program, "%s/glovita-plot", gv_self_dir());
    execl(program, program, p->regression ? "--scatter" : "--confusion", "--to", png, json, p->second ? "--absolute" : (char *)NULL, (char *)NULL);
    _exit(4);
}

static void start(gv_pictures *p)
{
    char json[4400], png[4400];
    if (!p->second && !next_of(p)) {
        p->due = false;
        return;
    }
    const char *epoch = strstr(p->drawing, "_epoch_");
    int name = epoch ? (int)(epoch - p->drawing) : (int)strlen(p->drawing) - 5;
    snprintf(json, sizeof json, "%s/plots/%s", p->dir, p->drawing);
    snprintf(png, sizeof png, "%s/plots/%.*s%s%.*s.png", p->dir, name, p->drawing, p->second ? "_absolute" : "", (int)strlen(p->drawing) - 5 - name, p->drawing + name);
    p->child = fork();
    if (p->child == 0)
        draw(p, json, png);
    if (p->child < 0)
        p->child = 0, p->given_up = true;
}

static void ended(gv_pictures *p, int status)
{
    char json[4400];
    snprintf(json, sizeof json, "%s/plots/%s", p->dir, p->drawing);
    p->child = 0;
    if (status == 0 && !p->regression && !p->second)
        p->second = true; /* the same as counts */
    else if (status == 0) {
        p->second = false;
        unlink(json);
    }
    else if (!p->given_up) {
        p->given_up = true; /* one line, not one an epoch; what they are drawn from stays */
        gv_log(GV_WARNING, "pictures of epochs are left out, the first: 'glovita-plot %s %s' tells why", p->regression ? "--scatter" : "--confusion", json);
    }
}

void gv_pictures_tick(gv_pictures *p)
{
    int status;
    if (p->child > 0 && waitpid(p->child, &status, WNOHANG) == p->child)
        ended(p, status);
    if (!p->child && p->due && !p->given_up)
        start(p);
}

void gv_pictures_close(gv_pictures *p, double seconds)
{
    const struct timespec pause = { 0, 10000000 };
    for (double t = 0; t < seconds && !p->given_up; t += 0.01) {
        gv_pictures_tick(p);
        if (!p->child && !p->due)
            return;
        nanosleep(&pause, NULL);
    }
    if (p->child > 0) {
        kill(p->child, SIGKILL);
        waitpid(p->child, NULL, 0);
        p->child = 0;
    }
    if (seconds > 0 && p->due && !p->given_up)
        gv_log(GV_WARNING, "not all pictures of epochs are drawn yet; '%s/plots' holds what they are drawn from", p->dir);
}

/* GV_ESAVED: a signal came; whatever else hinders a picture is warned of. */
static int picture(const char *dir, const char *kind, const char *from, const char *to, bool again)
{
    char in[4300], out[4300];
    snprintf(in, sizeof in, "%s/%s", dir, from);
    snprintf(out, sizeof out, "%s/%s", dir, to);
    if (!gv_file_exists(in) || (!again && gv_file_exists(out)))
        return GV_OK;
    gv_arena a;
    gv_err err = { 0 };
    if (gv_arena_init(&a, "plot", 1 << 24, &err) < 0)
        return GV_OK;
    gv_pipeline_plan p;
    gv_pipe_init(&p, &a);
    int status = 0, n = gv_pipe_stage(&p, "plot", "plot", &err);
    if (n >= 0 && gv_pipe_option(&p, n, kind, NULL, &err) == GV_OK && gv_pipe_option(&p, n, "--to", out, &err) == GV_OK && gv_pipe_option(&p, n, in, NULL, &err) == GV_OK &&
        gv_pipe_run(&p, &(gv_run_options){ .lock_fd = -1, .dirs = (const char *const[]){ dir, NULL } }, &status, &err) < 0 && err.code != GV_ESAVED)
        gv_log(GV_WARNING, "no picture '%s': %s", out, err.text); /* a picture never fails a run */
    gv_pipe_release(&p);
    gv_arena_release(&a);
    return err.code == GV_ESAVED ? GV_ESAVED : GV_OK;
}

int gv_pictures_last(const char *dir, bool regression, bool again, gv_err *err)
{
    int r = picture(dir, "--curves", "metrics.jsonl", "curves.png", again);
    if (r == GV_OK)
        r = picture(dir, regression ? "--scatter" : "--confusion", "val_results.json", regression ? "predicted_against_true.png" : "confusion_matrix.png", again);
    return r == GV_OK ? r : gv_fail(err, GV_ESAVED, "stopped at the end of the run: its last pictures are not all drawn");
}
