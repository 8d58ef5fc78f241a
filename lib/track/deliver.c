/* deliver: from metrics.jsonl to a sink, exactly once. The sink's file is cut to what the record says before anything is added:
 * bytes behind it were written by a delivery that died before it could say so. */
#include "track/track.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { STEP_MAX = 64 << 20, MAX_EPOCHS = 1 << 20 };

struct gv_track {
    const gv_sink *sink;
    char run[4096], file[4200], state[4200];
    const char *to;           /* a file of the caller's, or NULL: the record does not depend on where the run lies */
    int fd, lock;             /* the sink's file; -1: none */
    int64_t offset, lines, bytes;
    uint64_t digest;          /* of the first `offset` bytes of metrics.jsonl */
    bool verified;
    int64_t events_at;        /* events.jsonl is read so far */
    double *time;             /* [ntimes] by epoch; NaN: unknown */
    int64_t ntimes;
};

static int read_state(gv_track *t, gv_err *err)
{
    if (!gv_file_exists(t->state))
        return GV_OK;
    json_t *j = gv_json_read(t->state, 1 << 20, err);
    if (!j)
        return err->code;
    const char *to = json_string_value(json_object_get(j, "to")), *digest = json_string_value(json_object_get(j, "digest"));
    if (!digest)
        gv_fail(err, GV_EDATA, "'%s' does not say what was delivered; remove it to deliver from the start", t->state);
    else if (!strcmp(to ? to : "", t->to ? t->to : "")) { /* into another file: from the start */
        t->offset = json_integer_value(json_object_get(j, "offset"));
        t->lines = json_integer_value(json_object_get(j, "lines"));
        t->bytes = json_integer_value(json_object_get(j, "bytes"));
        t->digest = strtoull(digest, NULL, 16);
        if (t->offset < 0 || t->lines < 0 || t->bytes < 0)
            gv_fail(err, GV_EDATA, "'%s' has a negative number; remove it to deliver from the start", t->state);
    }
    json_decref(j);
    return err->code;
}

static int write_state(gv_track *t, gv_err *err)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, t->digest);
    json_t *j = json_pack("{s:s, s:s?, s:I, s:I, s:I, s:s}", "sink", t->sink->name, "to", t->to, "offset", (json_int_t)t->offset, "lines", (json_int_t)t->lines, "bytes",
                          (json_int_t)t->bytes, "digest", hex);
    int r = j ? gv_json_write(t->state, j, err) : gv_fail(err, GV_ESYS, "cannot make a record of the delivery (is '%s' UTF-8?)", t->to ? t->to : "");
    json_decref(j);
    return r;
}

static int open_file(gv_track *t, gv_err *err)
{
    if (!t->sink->suffix)
        return GV_OK;
    struct stat st;
    t->fd = open(t->file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->fd < 0 || fstat(t->fd, &st) < 0)
        return gv_fail_sys(err, "cannot open '%s'", t->file);
    if (!S_ISREG(st.st_mode))
        return gv_fail(err, GV_EUSAGE, "'%s' is no regular file", t->file);
    if (st.st_size < t->bytes) /* somebody cut it: all of it again */
        t->offset = t->lines = t->bytes = 0;
    if (ftruncate(t->fd, t->bytes) < 0)
        return gv_fail_sys(err, "cannot cut '%s'", t->file);
    return GV_OK;
}

int gv_track_open(gv_track **out, const char *run, const gv_sink *sink, const char *to, gv_err *err)
{
    char path[4300];
    *out = NULL;
    gv_track *t = gv_alloc(sizeof *t, err);
    if (!t)
        return GV_ESYS;
    t->sink = sink;
    t->fd = t->lock = -1;
    t->to = to;
    snprintf(t->run, sizeof t->run, "%s", run);
    snprintf(path, sizeof path, "%.4000s/log", run);
    int r = gv_mkdirs(path, err);
    snprintf(t->state, sizeof t->state, "%.4000s/log/%s.json", run, sink->name);
    if (to)
        snprintf(t->file, sizeof t->file, "%s", to);
    else
        snprintf(t->file, sizeof t->file, "%.4000s/log/metrics.%s", run, sink->suffix ? sink->suffix : "none");
    snprintf(path, sizeof path, "%.4000s/log/%s.lock", run, sink->name);
    if (r == GV_OK && (t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        r = gv_fail_sys(err, "cannot open '%s'", path);
    if (r == GV_OK && flock(t->lock, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? gv_fail(err, GV_EBUSY, "another process delivers '%s' to %s", run, sink->name) : gv_fail_sys(err, "cannot lock '%s'", path);
    r = r == GV_OK ? read_state(t, err) : r;
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
    if (t->fd >= 0)
        close(t->fd);
    if (t->lock >= 0)
        close(t->lock);
    gv_free(t->time);
    gv_free(t);
}

int64_t gv_track_lines(const gv_track *t)
{
    return t->lines;
}

const char *gv_track_file(const gv_track *t)
{
    return t->sink->suffix ? t->file : NULL;
}

/* From `from` to the end of the file, at most `max` bytes; a missing file is empty. Returns the file's size, < 0 on error. */
static int64_t read_from(const char *path, int64_t from, size_t max, gv_buf *b, gv_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    int64_t r = fstat(fd, &st) < 0 ? gv_fail_sys(err, "cannot stat '%s'", path) : st.st_size;
    size_t n = r > from ? (size_t)(r - from) : 0;
    n = n > max ? max : n;
    if (r >= 0 && n && gv_buf_reserve(b, n, err) < 0)
        r = GV_ESYS;
    for (size_t got = 0; r >= 0 && got < n;) {
        ssize_t k = pread(fd, b->data + b->len, n - got, from + (int64_t)got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            r = gv_fail_sys(err, "cannot read '%s'", path);
        if (k <= 0)
            break; /* cut meanwhile */
        got += (size_t)k;
        b->len += (size_t)k;
    }
    if (b->data)
        b->data[b->len] = 0;
    close(fd);
    return r;
}

static int keep_time(gv_track *t, int64_t epoch, double ts, gv_err *err)
{
    if (epoch < 0 || epoch >= MAX_EPOCHS)
        return GV_OK;
    if (epoch >= t->ntimes) {
        int64_t n = epoch + 1 < 256 ? 256 : 2 * (epoch + 1);
        double *more = gv_alloc((size_t)n * sizeof *more, err);
        if (!more)
            return GV_ESYS;
        for (int64_t i = 0; i < n; i++)
            more[i] = i < t->ntimes ? t->time[i] : NAN;
        gv_free(t->time);
        t->time = more;
        t->ntimes = n;
    }
    t->time[epoch] = ts;
    return GV_OK;
}

/* The end of an epoch is told by {"ts": …, "event": "epoch", "text": "epoch 3/20 …"}. Lines that are none, or broken, are passed over:
 * events are told, not promised. */
static int read_times(gv_track *t, gv_err *err)
{
    char path[4200];
    gv_buf b = { 0 };
    snprintf(path, sizeof path, "%.4000s/events.jsonl", t->run);
    for (bool more = true; more;) {
        b.len = 0;
        int64_t size = read_from(path, t->events_at, STEP_MAX, &b, err);
        size_t done = 0;
        int r = size < 0 ? (int)size : GV_OK;
        for (char *nl; r == GV_OK && b.len && (nl = memchr(b.data + done, '\n', b.len - done)); done = (size_t)(nl - b.data) + 1) {
            *nl = 0;
            if (!strstr(b.data + done, "\"event\":\"epoch\""))
                continue;
            json_t *j = json_loads(b.data + done, 0, NULL);
            const char *text = json_string_value(json_object_get(j, "text"));
            long long n;
            if (text && sscanf(text, "epoch %lld/", &n) == 1 && json_is_number(json_object_get(j, "ts")))
                r = keep_time(t, n - 1, json_number_value(json_object_get(j, "ts")), err);
            json_decref(j);
        }
        t->events_at += (int64_t)done;
        more = r == GV_OK && done && b.len == STEP_MAX;
        if (r < 0) {
            gv_buf_release(&b);
            return r;
        }
    }
    gv_buf_release(&b);
    return GV_OK;
}

/* The file still begins with what was delivered. 1: yes; 0: it is shorter now, a run was resumed and will write it again. */
static int verify(gv_track *t, const char *path, gv_err *err)
{
    gv_buf b = { 0 };
    int64_t size = read_from(path, 0, (size_t)t->offset, &b, err);
    int r = size < 0 ? (int)size : (int64_t)b.len == t->offset;
    if (r == 1 && t->offset && XXH3_64bits(b.data, b.len) != t->digest)
        r = gv_fail(err, GV_EDATA, "'%s' no longer begins with the %" PRId64 " bytes that were delivered; remove '%s' to deliver from the start", path, t->offset, t->state);
    gv_buf_release(&b);
    t->verified = r == 1;
    return r;
}

static int sink_lines(gv_track *t, gv_buf *in, gv_buf *out, const char *path, int64_t *taken, gv_err *err)
{
    size_t done = 0;
    int n = 0, r = t->bytes ? GV_OK : t->sink->begin(out, err);
    for (char *nl; r == GV_OK && (nl = memchr(in->data + done, '\n', in->len - done)); done = (size_t)(nl - in->data) + 1, n++) {
        json_t *j = gv_json_parse(in->data + done, (size_t)(nl - in->data) - done, path, err);
        if (!j)
            return err->code;
        const json_t *epoch = json_object_get(j, "epoch");
        int64_t e = json_is_integer(epoch) ? json_integer_value(epoch) : -1;
        r = t->sink->line(out, j, e >= 0 && e < t->ntimes ? t->time[e] : NAN, err);
        json_decref(j);
    }
    *taken = (int64_t)done;
    return r < 0 ? r : n;
}

int gv_track_deliver(gv_track *t, gv_err *err)
{
    char path[4200];
    gv_buf in = { 0 }, out = { 0 };
    int64_t taken = 0;
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", t->run);
    int64_t size = read_from(path, t->offset, STEP_MAX, &in, err);
    int r = size < 0 ? (int)size : GV_OK;
    if (r == GV_OK && size < t->offset)
        t->verified = false;
    if (r == GV_OK && (!t->verified && (r = verify(t, path, err)) != 1))
        goto out;
    r = GV_OK;
    if (!in.len || !memchr(in.data, '\n', in.len))
        goto out; /* nothing new, or a line that is being written */
    r = read_times(t, err);
    if (r == GV_OK)
        r = sink_lines(t, &in, &out, path, &taken, err);
    if (r <= 0)
        goto out;
    if (t->fd >= 0 && (lseek(t->fd, t->bytes, SEEK_SET) < 0 || gv_write_full(t->fd, out.data, out.len, err) < 0 || fdatasync(t->fd) < 0)) {
        gv_fail_sys(err, "cannot write '%s'", t->file);
        r = err->code;
        goto out;
    }
    int lines = r;
    gv_buf all = { 0 };
    if (read_from(path, 0, (size_t)(t->offset + taken), &all, err) < 0 || (int64_t)all.len != t->offset + taken)
        r = err->code != GV_OK ? err->code : gv_fail(err, GV_EDATA, "'%s' became shorter while it was read", path);
    else {
        t->digest = XXH3_64bits(all.data, all.len);
        t->offset += taken;
        t->lines += lines;
        t->bytes += (int64_t)out.len;
        r = write_state(t, err);
        r = r < 0 ? r : lines;
    }
    gv_buf_release(&all);
out:
    gv_buf_release(&in);
    gv_buf_release(&out);
    return r;
}
