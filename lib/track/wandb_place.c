/* wandb_place: where the run directory of W&B stands, and what W&B's own variables say. */
#include "track/wandb.h"
#include "common/file.h"
#include "common/log.h"
#include <errno.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PROJECT_MAX = 128, NETRC_MAX = 1 << 20 };

static const char *variable(const char *name)
{
    const char *s = name ? getenv(name) : NULL;
    return s && *s ? s : NULL;
}

const char *gv_wandb_setting(const gv_delivery *d, const char *option, const char *name, const char *otherwise)
{
    const char *s = option ? gv_delivery_option(d, option) : NULL;
    s = s && *s ? s : variable(name);
    return s ? s : otherwise;
}

const char *gv_wandb_project(const gv_delivery *d)
{
    return gv_wandb_setting(d, "project", "WANDB_PROJECT", *d->run->dataset ? d->run->dataset : "glovita");
}

static bool mode_is(const char *a, const char *b)
{
    const char *s = variable("WANDB_MODE");
    return s && (!strcmp(s, a) || !strcmp(s, b));
}

bool gv_wandb_offline(const gv_delivery *d)
{
    return mode_is("offline", "dryrun") || json_is_true(json_object_get(d->run->options, "offline"));
}

/* ---- the key ---- */

/* "https://api.wandb.ai/x" -> "api.wandb.ai". */
static void host_of(const char *url, char *out, size_t size)
{
    const char *s = strstr(url, "://");
    s = s ? s + 3 : url;
    snprintf(out, size, "%.*s", (int)strcspn(s, "/:"), s);
}

static bool netrc_has(const char *path, const char *host)
{
    gv_buf b = { 0 };
    bool machine = false, has = false;
    char *save = NULL;
    if (gv_file_exists(path) && gv_file_read(path, NETRC_MAX, &b, &(gv_err){ 0 }) == GV_OK && b.data)
        for (const char *word = strtok_r(b.data, " \t\r\n", &save); word; word = strtok_r(NULL, " \t\r\n", &save)) {
            has |= machine && !strcmp(word, host);
            machine = !strcmp(word, "machine");
        }
    gv_buf_release(&b);
    return has;
}

bool gv_wandb_has_key(void)
{
    char host[300], path[4200];
    const char *home = variable("HOME"), *url = variable("WANDB_BASE_URL"), *netrc = variable("NETRC");
    if (variable("WANDB_API_KEY"))
        return true;
    host_of(url ? url : "https://api.wandb.ai", host, sizeof host);
    if (netrc)
        return netrc_has(netrc, host);
    snprintf(path, sizeof path, "%.4000s/.netrc", home ? home : "");
    if (netrc_has(path, host))
        return true;
    snprintf(path, sizeof path, "%.4000s/_netrc", home ? home : "");
    return netrc_has(path, host);
}

/* ---- the directory ---- */

static int check_project(const char *name, gv_err *err)
{
    size_t bad = strcspn(name, "/\\#?%:");
    if (name[bad])
        return gv_fail(err, GV_EUSAGE, "the project '%s' has a '%c': W&B takes none of / \\ # ? %% : there (--logger.project, WANDB_PROJECT)", name, name[bad]);
    return strlen(name) > PROJECT_MAX ? gv_fail(err, GV_EUSAGE, "the project's name '%.40s…' has %zu bytes; W&B takes %d (--logger.project, WANDB_PROJECT)", name, strlen(name), PROJECT_MAX)
                                      : GV_OK;
}

static int new_id(gv_delivery *d, gv_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    const char *given = variable("WANDB_RUN_ID");
    unsigned char r[8];
    char id[9] = "", name[256];
    struct tm tm;
    time_t t = (time_t)d->run->started;
    if (given && (strlen(given) > 128 || given[strcspn(given, ":;,#?/'")] || *given == ' ' || given[strlen(given) - 1] == ' '))
        return gv_fail(err, GV_EUSAGE, "WANDB_RUN_ID is '%.140s': W&B takes none of : ; , # ? / ' there, no blank at its ends, and 128 bytes at most", given);
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        return gv_fail_sys(err, "cannot draw an id");
    for (int i = 0; i < 8; i++)
        id[i] = letters[r[i] % 36];
    if (!localtime_r(&t, &tm))
        tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
    snprintf(name, sizeof name, "offline-run-%04d%02d%02d_%02d%02d%02d-%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, given ? given : id);
    if (json_object_set_new(d->memory, "id", json_string(given ? given : id)) < 0 || json_object_set_new(d->memory, "name", json_string(name)) < 0)
        return gv_fail(err, GV_ESYS, "cannot keep the run's id (is WANDB_RUN_ID UTF-8?)");
    return GV_OK;
}

/* The folder "wandb" of a place; ".wandb" where that is there already, as W&B does. */
static int folder(const char *place, char out[4300], gv_err *err)
{
    snprintf(out, 4300, "%.4000s/.wandb", place);
    if (!gv_file_exists(out))
        snprintf(out, 4300, "%.4000s/wandb", place);
    int r = gv_mkdirs(out, err);
    return r == GV_OK && access(out, W_OK | X_OK) < 0 ? gv_fail_sys(err, "cannot write in '%s'", out) : r;
}

/* latest-run beside it names the newest; others may do the same at this moment, and it is a convenience. */
static void link_latest(const char *wandb, const char *name)
{
    char to[4400], part[4450];
    snprintf(to, sizeof to, "%.4300s/latest-run", wandb);
    snprintf(part, sizeof part, "%s.%d", to, (int)getpid());
    if (symlink(name, part) == 0 && rename(part, to) < 0)
        unlink(part);
}

/* A new one: the place that --to, WANDB_DIR or the run gives; where WANDB_DIR cannot be written, the run. */
static int make(gv_delivery *d, char wandb[4300], gv_err *err)
{
    const char *place = d->to ? d->to : variable("WANDB_DIR");
    gv_err why = { 0 };
    int r = new_id(d, err);
    if (r < 0)
        return r;
    if (place && folder(place, wandb, &why) < 0) {
        if (d->to)
            return gv_fail(err, why.code, "%s", why.text);
        gv_log(GV_WARNING, "%s; the run directory takes what WANDB_DIR cannot", why.text);
        place = NULL;
    }
    char *whole = place ? realpath(place, NULL) : NULL; /* delivery goes on from another directory too */
    json_object_set_new(d->memory, "place", place ? json_string(whole ? whole : place) : json_null());
    free(whole);
    r = place ? GV_OK : folder(d->run->dir, wandb, err);
    return r == GV_OK ? gv_delivery_keep(d, err) : r; /* a directory is made once its name is kept */
}

int gv_wandb_place(gv_delivery *d, gv_wandb *w, gv_err *err)
{
    static const char *const parts[] = { "", "/files", "/logs", NULL };
    char wandb[4300], path[4500];
    if (mode_is("disabled", "disabled")) {
        d->off = true;
        return GV_OK;
    }
    int r = check_project(gv_wandb_project(d), err);
    const char *name = json_string_value(json_object_get(d->memory, "name")), *place = json_string_value(json_object_get(d->memory, "place"));
    bool known = json_is_string(json_object_get(d->memory, "id")) && name && !strchr(name, '/');
    r = r < 0 ? r : known ? folder(place ? place : d->run->dir, wandb, err) : make(d, wandb, err);
    if (r < 0)
        return r;
    name = json_string_value(json_object_get(d->memory, "name"));
    snprintf(w->id, sizeof w->id, "%s", json_string_value(json_object_get(d->memory, "id")));
    snprintf(w->dir, sizeof w->dir, "%.4100s/%.255s", wandb, name);
    for (int i = 0; parts[i] && r == GV_OK; i++) {
        snprintf(path, sizeof path, "%s%s", w->dir, parts[i]);
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            r = gv_fail_sys(err, "cannot make '%s'", path);
    }
    if (!known && r == GV_OK)
        link_latest(wandb, name);
    snprintf(d->path, sizeof d->path, "%.4200s/run-%.130s.wandb", w->dir, w->id);
    return r;
}
