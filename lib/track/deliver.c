/* deliver: from a run to a sink, exactly once. The sink's file is cut to what the record says before anything is added: bytes behind
 * it were written by a delivery that died before it could say so. */
#include "track/internal.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum { STEP_MAX = 4 << 20, HELD_S = 3 }; /* bytes of metrics.jsonl in a round; seconds a line waits */

/* Open the sink's file when it has named one, and cut it. */
static int open_file(gv_track *t, gv_err *err)
{
    struct stat st;
    if (!t->d.path[0] || t->fd >= 0)
        return GV_OK;
    t->fd = open(t->d.path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->fd < 0 || fstat(t->fd, &st) < 0)
        return gv_fail_sys(err, "cannot open '%s'", t->d.path);
    if (!S_ISREG(st.st_mode))
        return gv_fail(err, GV_EUSAGE, "'%s' is no regular file", t->d.path);
    if (st.st_size < t->done.bytes) { /* somebody cut it: all of it again */
        t->done = (gv_track_done){ 0 };
        json_object_clear(t->files);
    }
    return ftruncate(t->fd, t->done.bytes) < 0 ? gv_fail_sys(err, "cannot cut '%s'", t->d.path) : GV_OK;
}

static int lock(gv_track *t, gv_err *err)
{
    char path[4300];
    snprintf(path, sizeof path, "%.4000s/log/%s.lock", t->run.dir, t->d.sink->name);
    t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->lock < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    if (flock(t->lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? gv_fail(err, GV_EBUSY, "another process delivers '%s' to %s", t->run.dir, t->d.sink->name) : gv_fail_sys(err, "cannot lock '%s'", path);
    return GV_OK;
}

int gv_track_open(gv_track **out, const char *run, const gv_sink *sink, const char *to, bool live, int (*stopped)(void), gv_err *err)
{
    char path[4300];
    *out = NULL;
    gv_track *t = gv_alloc(sizeof *t, err);
    if (!t)
        return GV_ESYS;
    t->d = (gv_delivery){ .sink = sink, .run = &t->run, .to = to, .live = live, .stopped = stopped, .repeats = true, .memory = json_object() };
    t->fd = t->lock = -1;
    t->files = json_object();
    t->seen = json_object();
    snprintf(t->state, sizeof t->state, "%.4000s/log/%s.json", run, sink->name);
    snprintf(path, sizeof path, "%.4000s/log", run);
    int r = t->d.memory && t->files && t->seen ? gv_mkdirs(path, err) : gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? gv_run_facts_open(&t->run, run, sink->name, err) : r;
    r = r == GV_OK ? lock(t, err) : r;
    r = r == GV_OK ? gv_track_record_read(t, err) : r;
    r = r == GV_OK && sink->open ? sink->open(&t->d, err) : r;
    if (t->d.afresh) {
        t->done = (gv_track_done){ 0 };
        json_object_clear(t->files);
    }
    r = r == GV_OK ? open_file(t, err) : r;
    if (r < 0)
        gv_track_close(t);
    else
        *out = t;
    return r;
}

void gv_track_close(gv_track *t)
{
    if (!t)
        return;
    if (t->d.sink->close && t->d.self)
        t->d.sink->close(&t->d);
    if (t->fd >= 0)
        close(t->fd);
    if (t->lock >= 0)
        close(t->lock);
    json_decref(t->d.memory);
    json_decref(t->memory);
    json_decref(t->files);
    json_decref(t->seen);
    gv_run_facts_close(&t->run);
    gv_buf_release(&t->d.out);
    gv_free(t->time);
    gv_free(t);
}

bool gv_track_off(const gv_track *t)
{
    return t->d.off;
}

int gv_track_look(gv_track *t, gv_err *err)
{
    return gv_run_facts_state(&t->run, err);
}

int64_t gv_track_lines(const gv_track *t)
{
    return t->done.lines;
}

const gv_run_facts *gv_track_run(const gv_track *t)
{
    return &t->run;
}

const char *gv_track_where(gv_track *t)
{
    const char *s = t->d.sink->where ? t->d.sink->where(&t->d) : t->d.path;
    return s && *s ? s : NULL;
}

const char *gv_track_hint(gv_track *t, gv_arena *a)
{
    return t->d.sink->hint ? t->d.sink->hint(&t->d, a) : NULL;
}

int gv_delivery_keep(gv_delivery *d, gv_err *err)
{
    return gv_track_record_write((gv_track *)((char *)d - offsetof(gv_track, d)), err);
}

/* The file still begins with what was delivered. 1: yes; 0: it is shorter now, a run was resumed and will write it again. */
static int verify(gv_track *t, const char *path, gv_err *err)
{
    gv_buf b = { 0 };
    int64_t size = gv_track_read_from(path, 0, (size_t)t->done.offset, &b, err);
    int r = size < 0 ? (int)size : (int64_t)b.len == t->done.offset;
    if (r == 1 && t->done.offset && XXH3_64bits(b.data, b.len) != t->done.digest)
        r = gv_fail(err, GV_EDATA, "'%s' no longer begins with the %" PRId64 " bytes that were delivered; remove '%s' to deliver from the start", path, t->done.offset, t->state);
    gv_buf_release(&b);
    t->verified = r == 1;
    return r;
}

static int digest(gv_track_done *now, const char *path, gv_err *err)
{
    gv_buf all = { 0 };
    int r = GV_OK;
    if (gv_track_read_from(path, 0, (size_t)now->offset, &all, err) < 0 || (int64_t)all.len != now->offset)
        r = err->code != GV_OK ? err->code : gv_fail(err, GV_EDATA, "'%s' became shorter while it was read", path);
    else
        now->digest = XXH3_64bits(all.data, all.len);
    gv_buf_release(&all);
    return r;
}

/* The driver tells of an epoch's end a moment after the trainer wrote its line: while the run goes on the line waits for its time. */
static bool waits_for_time(gv_track *t, int64_t epoch)
{
    struct timespec now;
    if (!t->d.live || !t->events_at || t->run.state != GV_RUN_GOING || (epoch >= 0 && epoch < t->ntimes && !isnan(t->time[epoch])))
        return false;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (t->held_epoch != epoch || !t->held_since) {
        t->held_epoch = epoch;
        t->held_since = now.tv_sec;
    }
    return now.tv_sec - t->held_since < HELD_S;
}

/* The whole lines that are new. *rest: there are more. */
static int lines(gv_track *t, gv_track_done *now, const char *path, bool *rest, gv_err *err)
{
    gv_buf in = { 0 };
    size_t taken = 0;
    int n = 0;
    int64_t size = gv_track_read_from(path, now->offset, STEP_MAX, &in, err);
    int r = size < 0 ? (int)size : GV_OK;
    for (char *nl; r == GV_OK && in.len && (nl = memchr(in.data + taken, '\n', in.len - taken)); taken = (size_t)(nl - in.data) + 1, n++) {
        json_t *j = gv_json_parse(in.data + taken, (size_t)(nl - in.data) - taken, path, err);
        if (!j) {
            r = err->code;
            break;
        }
        const json_t *epoch = json_object_get(j, "epoch");
        int64_t e = json_is_integer(epoch) ? json_integer_value(epoch) : now->lines + n;
        if (waits_for_time(t, e)) {
            json_decref(j);
            break;
        }
        if (t->d.sink->line)
            r = t->d.sink->line(&t->d, j, e, e >= 0 && e < t->ntimes ? t->time[e] : NAN, err);
        json_decref(j);
    }
    *rest = in.len == STEP_MAX;
    if (r == GV_OK && *rest && !taken)
        r = gv_fail(err, GV_EDATA, "'%s' has a line of more than %d bytes", path, STEP_MAX);
    gv_buf_release(&in);
    now->offset += (int64_t)taken;
    now->lines += n;
    return r == GV_OK && n ? digest(now, path, err) : r;
}

/* Everything that is new, handed to the sink. Returns how much it was. */
static int hand_over(gv_track *t, gv_track_done *now, json_t *files, gv_err *err)
{
    char path[4200];
    const gv_sink *s = t->d.sink;
    bool rest = false, again = now->begun;
    int64_t said = now->said, before = now->lines;
    int n = 0, k;
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", t->run.dir);
    int r = t->verified ? 1 : verify(t, path, err);
    if (r != 1)
        return r;
    r = GV_OK;
    if (!now->begun || (now->ended != GV_RUN_GOING && t->run.state == GV_RUN_GOING)) {
        r = s->begin ? s->begin(&t->d, again, err) : GV_OK;
        now->begun = true;
        now->ended = GV_RUN_GOING;
        n++;
    }
    r = r < 0 ? r : (k = gv_track_artifacts(t, false, files, err)) < 0 ? k : (n += k, GV_OK);
    r = r < 0 ? r : gv_track_events(t, now, err);
    r = r < 0 ? r : lines(t, now, path, &rest, err);
    n += now->said != said || now->lines != before;
    r = r < 0 ? r : (k = gv_track_pictures(t, now->lines, files, err)) < 0 ? k : (n += k, GV_OK);
    if (r == GV_OK && !rest && t->run.state != GV_RUN_GOING && t->run.state != now->ended) {
        r = (k = gv_track_artifacts(t, true, files, err)) < 0 ? k : GV_OK;
        now->end_at = t->d.at + (int64_t)t->d.out.len;
        r = r == GV_OK && s->end ? s->end(&t->d, err) : r;
        now->ended = t->run.state;
        n++;
    }
    return r < 0 ? r : n;
}

/* What the sink appended becomes part of its file; then the record says so. */
static int settle(gv_track *t, gv_track_done *now, json_t *files, gv_err *err)
{
    int r = t->d.sink->flush ? t->d.sink->flush(&t->d, err) : GV_OK;
    r = r == GV_OK ? open_file(t, err) : r;
    if (r == GV_OK && t->fd >= 0 && t->d.out.len) {
        if (lseek(t->fd, t->done.bytes, SEEK_SET) < 0 || gv_write_full(t->fd, t->d.out.data, t->d.out.len, err) < 0 || fdatasync(t->fd) < 0) {
            gv_fail_sys(err, "cannot write '%s'", t->d.path);
            if (ftruncate(t->fd, t->done.bytes) < 0) /* the next opening cuts it */
                return gv_fail_in(err, "a part of what was delivered stays");
            return err->code;
        }
        now->bytes = t->done.bytes + (int64_t)t->d.out.len;
    }
    if (r < 0)
        return r;
    t->done = *now;
    json_object_update(t->files, files);
    r = gv_track_record_write(t, err);
    if (r == GV_OK && t->d.sink->settled)
        t->d.sink->settled(&t->d);
    return r;
}

/* The end is taken off the file: a run that had ended goes on, ended otherwise, or has more to tell. The record says so first: what is
 * behind it is cut at every opening. */
static int take_back_end(gv_track *t, gv_err *err)
{
    if (t->fd < 0 || t->done.ended == GV_RUN_GOING || t->done.end_at == t->done.bytes)
        return GV_OK;
    t->done.bytes = t->done.end_at;
    int r = gv_track_record_write(t, err);
    return r == GV_OK && ftruncate(t->fd, t->done.bytes) < 0 ? gv_fail_sys(err, "cannot cut '%s'", t->d.path) : r;
}

/* What a round was told is told again by the next. */
static int undo(gv_track *t, gv_err *err)
{
    t->events_at = t->done.said;
    json_object_clear(t->seen);
    return gv_track_forget(t, err);
}

/* *behind: what is new would stand behind the end; nothing was written. */
static int a_round(gv_track *t, bool *behind, gv_err *err)
{
    json_t *files = json_copy(t->files);
    gv_track_done now = t->done;
    t->d.out.len = 0;
    t->d.round++;
    t->d.at = t->done.bytes;
    int n = files ? hand_over(t, &now, files, err) : gv_fail(err, GV_ESYS, "out of memory");
    *behind = n > 0 && t->d.out.len && t->done.ended != GV_RUN_GOING && now.ended == t->done.ended && t->done.end_at < t->done.bytes;
    if (n > 0 && !*behind) {
        int r = settle(t, &now, files, err);
        n = r < 0 ? r : n;
    }
    t->d.repeats = n < 0;
    if ((n < 0 || *behind) && undo(t, &(gv_err){ 0 }) < 0)
        n = gv_fail(err, GV_ESYS, "out of memory");
    json_decref(files);
    return n;
}

int gv_track_deliver(gv_track *t, gv_err *err)
{
    char path[4200];
    struct stat st;
    bool behind = false;
    if (t->d.off)
        return 0;
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", t->run.dir);
    if (stat(path, &st) == 0 && st.st_size < t->done.offset)
        t->verified = false;
    int n = t->run.state == t->done.ended ? GV_OK : take_back_end(t, err);
    n = n < 0 ? n : a_round(t, &behind, err);
    if (n > 0 && behind) {
        n = take_back_end(t, err);
        t->done.ended = GV_RUN_GOING;
        n = n < 0 ? n : a_round(t, &behind, err);
    }
    return n;
}

int gv_track_usage(gv_track *t, const gv_usage *u, gv_err *err)
{
    if (t->d.off || !t->d.sink->usage || !t->done.begun)
        return GV_OK;
    json_t *none = json_object();
    gv_track_done now = t->done;
    t->d.out.len = 0;
    t->d.round++;
    t->d.at = t->done.bytes;
    int r = none ? t->d.sink->usage(&t->d, u, err) : gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? settle(t, &now, none, err) : r;
    if (r < 0 && gv_track_forget(t, &(gv_err){ 0 }) < 0)
        r = gv_fail(err, GV_ESYS, "out of memory");
    json_decref(none);
    return r;
}
