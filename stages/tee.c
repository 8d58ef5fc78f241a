/* tee: one stream to several readers, none of which waits for another.
 *
 * tee(1) writes each piece to one reader after the other. Where these meet again behind it (training reads its own stream to the end
 * of an epoch, then the validation stream), one waits for bytes that tee will not send before the other has taken its own: nothing
 * moves any more. Here each reader has a thread and its own place in a ring of --memory MiB; one that lags further is served from
 * a file in --spill DIR, or, without that, holds up the others, and after half a minute the program says who it is.
 * The bytes pass as they come. A file appears when the stream that came was whole. */
#include "common/file.h"
#include "common/log.h"
#include "stage/stage.h"
#include "stream/lend.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct tee { const char *input, *spill; int64_t memory; };

static const gv_field fields[] = {
    GV_OPT_STR(struct tee, input, "stream to read: a path, - or fd:N; None: stdin", .takes = GV_TAKES_FILE),
    GV_I64(struct tee, memory, 64, 1, 1 << 20, "MiB", "how far readers may lag behind each other in memory"),
    GV_OPT_STR(struct tee, spill, "folder for temporary files, in which readers may lag further, as far as the disk goes; None: the others wait", .takes = GV_TAKES_DIR),
    GV_END
};

enum { PIECE = 1 << 20, MAX_OUTPUTS = 64, PIPE_SIZE = 1 << 20, TAIL = 80 };

typedef struct gv_output {
    struct run *r;
    const char *path, *name;
    pthread_t thread;
    int fd;
    bool started, ended;   /* ended: has all, or takes no more */
    gv_err err;            /* of code GV_EPIPE: its reader has gone */
    uint64_t pos;          /* bytes of the stream before what it has from the ring */
    int spill;             /* its file of bytes between from and to, which come before pos; -1: none yet */
    uint64_t from, to, freed;
    char *piece;           /* what is being written */
    gv_out file;
    bool is_file;
} gv_output;

struct run {
    const struct tee *o;
    int fd, n;
    const char *name;
    char *ring;
    size_t size;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t head;         /* bytes that have come */
    bool over, whole;      /* no more will come; it was a whole stream */
    char tail[TAIL];
    gv_output out[MAX_OUTPUTS];
};

/* ---- a reader's thread ---- */

static int open_output(gv_output *o)
{
    struct stat st;
    if (!strcmp(o->path, "-"))
        return STDOUT_FILENO;
    if (!strncmp(o->path, "fd:", 3))
        return o->fd; /* looked at before the start */
    if (stat(o->path, &st) < 0 || S_ISREG(st.st_mode)) {
        if (gv_out_open(&o->file, o->path, &o->err) < 0)
            return -1;
        o->is_file = true;
        return o->file.fd;
    }
    int fd;
    do
        fd = open(o->path, O_WRONLY | O_CLOEXEC); /* a FIFO: waits for its reader, and only this thread does */
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        gv_fail_sys(&o->err, "cannot open '%s'", o->path);
    return fd;
}

/* Bytes for it into o->piece, under the lock; 0: there are none now. */
static size_t take(gv_output *o)
{
    struct run *r = o->r;
    if (o->from < o->to) {
        size_t n = o->to - o->from < PIECE ? (size_t)(o->to - o->from) : PIECE;
        ssize_t got = pread(o->spill, o->piece, n, (off_t)o->from);
        if (got <= 0) {
            gv_fail_sys(&o->err, "cannot read the temporary file of '%s'", o->name);
            return 0;
        }
        o->from += (uint64_t)got;
        if (o->from == o->to && ftruncate(o->spill, 0) == 0)
            o->from = o->to = o->freed = 0;
        else if (o->from - o->freed > 64 << 20 && fallocate(o->spill, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)o->freed, (off_t)(o->from - o->freed)) == 0)
            o->freed = o->from; /* its room on the disk is given back */
        return (size_t)got;
    }
    size_t at = (size_t)(o->pos % r->size), n = (size_t)(r->head - o->pos);
    n = n < PIECE ? n : PIECE;
    n = n < r->size - at ? n : r->size - at;
    memcpy(o->piece, r->ring + at, n);
    o->pos += n;
    if (n)
        pthread_cond_broadcast(&r->moved); /* there is room */
    return n;
}

static void *serve(void *arg)
{
    gv_output *o = arg;
    struct run *r = o->r;
    int fd = open_output(o);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(fd, F_GETPIPE_SZ) == 65536)
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE); /* EPERM at the user's limit: the pipe keeps its size */
    pthread_mutex_lock(&r->lock);
    while (fd >= 0 && o->err.code == GV_OK) {
        size_t n = take(o);
        if (!n && o->err.code == GV_OK && r->over)
            break;
        if (!n) {
            if (o->err.code == GV_OK)
                pthread_cond_wait(&r->moved, &r->lock);
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        if (gv_write_full(fd, o->piece, n, &o->err) < 0 && o->err.code != GV_EPIPE)
            gv_fail_in(&o->err, "cannot write '%s'", o->name);
        pthread_mutex_lock(&r->lock);
    }
    bool whole = r->whole;
    pthread_mutex_unlock(&r->lock);
    if (o->is_file && o->err.code == GV_OK && whole)
        (void)!gv_out_commit(&o->file, &o->err);
    if (o->is_file)
        gv_out_abort(&o->file);
    else if (fd >= 0 && close(fd) < 0 && o->err.code == GV_OK)
        gv_fail_sys(&o->err, "cannot write '%s'", o->name);
    pthread_mutex_lock(&r->lock);
    o->ended = true;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the stream ---- */

/* What the slowest reader still wants of the ring goes to its file, under the lock. */
static int spill(struct run *r, gv_output *o, gv_err *err)
{
    if (o->spill < 0) {
        char name[4200];
        snprintf(name, sizeof name, "%.4000s/glovita-tee.XXXXXX", r->o->spill);
        o->spill = mkostemp(name, O_CLOEXEC);
        if (o->spill < 0)
            return gv_fail_sys(err, "cannot make a temporary file in '%s'", r->o->spill);
        unlink(name);
    }
    while (o->pos < r->head) {
        size_t at = (size_t)(o->pos % r->size), n = (size_t)(r->head - o->pos);
        n = n < r->size - at ? n : r->size - at;
        ssize_t put = pwrite(o->spill, r->ring + at, n, (off_t)o->to);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return gv_fail_sys(err, "cannot write %" PRIu64 " bytes that wait for '%s' to a temporary file in '%s'", r->head - o->pos, o->name, r->o->spill);
        o->pos += (uint64_t)put;
        o->to += (uint64_t)put;
    }
    return GV_OK;
}

static gv_output *slowest(struct run *r)
{
    gv_output *s = NULL;
    for (int i = 0; i < r->n; i++)
        if (!r->out[i].ended && (!s || r->out[i].pos < s->pos))
            s = &r->out[i];
    return s;
}

/* Wait until something moves. After GLOVITA_STALL seconds, 30 unless given, without that: who holds up the others, once. */
static void wait_for_room(struct run *r, const gv_output *o, bool *said)
{
    const char *text = getenv("GLOVITA_STALL");
    double seconds = text ? strtod(text, NULL) : 30;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (!(seconds > 0 && seconds < 1e6))
        seconds = 30;
    t.tv_sec += (time_t)seconds;
    t.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    if (pthread_cond_timedwait(&r->moved, &r->lock, &t) == ETIMEDOUT && !*said) {
        gv_log(GV_WARNING, "'%s' takes nothing, and holds up the others: %" PRId64 " MiB wait for it; if its reader waits for one of them, nothing will move (--memory N, or --spill DIR, lets it lag further)", o->name, r->o->memory);
        *said = true;
    }
}

/* Room in the ring: bytes that can be read there at once; 0: nobody listens any more. */
static int64_t room(struct run *r, gv_err *err)
{
    bool said = false;
    size_t free;
    for (;;) {
        gv_output *o = slowest(r);
        if (!o)
            return 0;
        free = r->size - (size_t)(r->head - o->pos);
        if (free >= PIECE || free == r->size)
            break;
        if (r->o->spill) {
            if (spill(r, o, err) < 0)
                return err->code;
        } else if (!free)
            wait_for_room(r, o, &said);
        else
            break;
    }
    size_t at = (size_t)(r->head % r->size);
    free = free < r->size - at ? free : r->size - at;
    return (int64_t)(free < PIECE ? free : PIECE);
}

/* "kind": "end", the second in any of msgpack's forms of a text. That it is right is for its readers to see. */
static bool has_end(const char *p, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i++)
        for (size_t k = 1; k <= 5 && !memcmp(p + i, "kind", 4) && i + 4 + k + 3 <= n; k += k == 3 ? 2 : 1)
            if (!memcmp(p + i + 4 + k, "end", 3))
                return true;
    return false;
}

static int pump(struct run *r, gv_err *err)
{
    size_t kept = 0;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        int64_t n = room(r, err);
        char *to = r->ring + r->head % r->size;
        pthread_mutex_unlock(&r->lock);
        if (n <= 0)
            return (int)n;
        ssize_t got;
        do
            got = read(r->fd, to, (size_t)n);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return gv_fail_sys(err, "cannot read stream '%s'", r->name);
        if (!got)
            break;
        size_t last = (size_t)got < TAIL ? (size_t)got : TAIL, keep = kept < TAIL - last ? kept : TAIL - last;
        memmove(r->tail, r->tail + kept - keep, keep);
        memcpy(r->tail + keep, to + got - last, last);
        kept = keep + last;
        pthread_mutex_lock(&r->lock);
        r->head += (uint64_t)got;
        pthread_cond_broadcast(&r->moved);
        pthread_mutex_unlock(&r->lock);
    }
    r->whole = has_end(r->tail, kept);
    return r->whole ? GV_OK : gv_fail(err, GV_EDATA, "stream '%s' is cut: it ends after %" PRIu64 " bytes without an end record", r->name, r->head);
}

static void end(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    r->over = true;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n; i++)
        if (r->out[i].started)
            pthread_join(r->out[i].thread, NULL);
}

/* ---- the program ---- */

static int descriptor(const char *path, gv_err *err)
{
    char *after;
    long n = strtol(path + 3, &after, 10);
    if (*after || after == path + 3 || n < 0 || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0)
        return gv_fail(err, GV_EUSAGE, "'%s' is not an open descriptor", path);
    return (int)n;
}

static int add_output(struct run *r, const char *path, gv_err *err)
{
    gv_output *o = &r->out[r->n];
    struct stat st;
    *o = (gv_output){ .r = r, .path = path, .name = strcmp(path, "-") ? path : "stdout", .spill = -1, .fd = STDOUT_FILENO };
    if (!strncmp(path, "fd:", 3) && (o->fd = descriptor(path, err)) < 0)
        return err->code;
    bool open_one = !strcmp(path, "-") || !strncmp(path, "fd:", 3);
    if (open_one && isatty(o->fd))
        return gv_fail(err, GV_EUSAGE, "'%s' is a terminal, and records are no text: send them to a file or a program (glovita-cat shows them)", o->name);
    if (!open_one && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return gv_fail(err, GV_EUSAGE, "'%s' is a directory, not a stream", path);
    if (!(o->piece = gv_alloc(PIECE, err)))
        return GV_ESYS;
    r->n++;
    return GV_OK;
}

static int open_stream(struct run *r, gv_err *err)
{
    const char *path = r->o->input;
    struct stat st;
    r->name = !path || !strcmp(path, "-") ? "stdin" : path;
    r->fd = !path || !strcmp(path, "-") ? STDIN_FILENO : !strncmp(path, "fd:", 3) ? descriptor(path, err) : open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 && err->code == GV_OK) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        gv_fail_sys(err, "cannot open '%s'", path);
        err->code = missing ? GV_EUSAGE : err->code;
    }
    if (r->fd >= 0 && isatty(r->fd))
        return gv_fail(err, GV_EUSAGE, "'%s' is a terminal; a stream is wanted", r->name);
    if (r->fd >= 0)
        (void)gv_lend_allow(r->fd, -1);
    if (r->o->spill && (stat(r->o->spill, &st) < 0 || !S_ISDIR(st.st_mode)))
        return gv_fail(err, GV_EUSAGE, "'--spill' is '%s', which is no folder", r->o->spill);
    return r->fd < 0 ? err->code : GV_OK;
}

/* What became of the readers: the first failure; or, where the stream was whole but nobody was left, that. */
static int answer(struct run *r, gv_err *err)
{
    int gone = 0;
    for (int i = 0; i < r->n; i++) {
        gone += r->out[i].err.code == GV_EPIPE;
        if (r->out[i].err.code != GV_OK && r->out[i].err.code != GV_EPIPE && err->code == GV_OK)
            *err = r->out[i].err;
    }
    if (gone == r->n && err->code == GV_OK)
        gv_fail(err, GV_EPIPE, "all readers have gone");
    return err->code;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    struct run *r = gv_alloc(sizeof *r, err);
    if (!r)
        return GV_ESYS;
    r->o = st->params;
    r->size = (size_t)r->o->memory << 20;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    signal(SIGPIPE, SIG_IGN); /* one reader may go, the others stay */
    int e = st->nargs < 1 ? gv_fail(err, GV_EUSAGE, "no other output is named: FIFOs, files or fd:N beside stdout") : GV_OK;
    if (e == GV_OK && st->nargs >= MAX_OUTPUTS)
        e = gv_fail(err, GV_EUSAGE, "%d outputs are named; at most %d are written", st->nargs, MAX_OUTPUTS - 1);
    e = e == GV_OK ? open_stream(r, err) : e;
    e = e == GV_OK ? add_output(r, "-", err) : e;
    for (int i = 0; i < st->nargs && e == GV_OK; i++)
        e = add_output(r, st->args[i], err);
    if (e == GV_OK && !(r->ring = gv_alloc(r->size, err)))
        e = GV_ESYS;
    for (int i = 0; i < r->n && e == GV_OK; i++) {
        r->out[i].started = !pthread_create(&r->out[i].thread, NULL, serve, &r->out[i]);
        e = r->out[i].started ? GV_OK : gv_fail(err, GV_ESYS, "cannot start a thread");
    }
    if (e == GV_OK)
        e = pump(r, err);
    if (e != GV_OK && e != GV_EDATA) { /* readers that wait for each other would never end: they are left, and see a cut stream */
        for (int i = 0; i < r->n; i++) {
            if (r->out[i].is_file)
                unlink(r->out[i].file.part);
            if (r->out[i].started)
                pthread_detach(r->out[i].thread);
        }
        return e;
    }
    end(r);
    e = answer(r, err);
    for (int i = 0; i < r->n; i++) {
        gv_free(r->out[i].piece);
        if (r->out[i].spill >= 0)
            close(r->out[i].spill);
    }
    gv_free(r->ring);
    gv_free(r);
    return e;
}

const gv_stage gv_this_stage = {
    .name = "tee", .summary = "copy a stream to several readers, none of which waits for another",
    .fields = fields, .params_size = sizeof(struct tee), .positional = "OUTPUT...", .manual_streams = true, .text_output = true, .run = run,
};
