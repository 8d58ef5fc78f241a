/* stream_lend: pages lent to a pipe are used again only when nobody can see them any more. */
#include "stream/stream.h"
#include "stream/lend.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS = 200, MOST = 700000 };
static uint8_t *data;
static bool alike, borrows;

/* Record i: a size of its own around pages and pieces (alike: nearly the same, as augment's are), and bytes that no other record has. */
static size_t size_of(int i)
{
    if (alike)
        return 150528 + (size_t)(i * 37 % 100);
    static const size_t sizes[] = { 150528, 16384, 4096 * 16, 4096 * 16 + 1, 100, 262144, 650001, 20000 };
    return sizes[i % 8] - (size_t)i % 3;
}

static void fill(int i)
{
    uint32_t x = (uint32_t)i * 2654435761u + 1;
    for (size_t k = 0; k < size_of(i); k++) {
        x = x * 1664525u + 1013904223u;
        data[k] = (uint8_t)(x >> 24);
    }
}

/* How the records come into the pipe: from memory that is overwritten, from buffers that change (as batch's), or passed on by a filter. */
enum { COPIED, OWN, PASSED, PASSED3, WAYS };
static const char *const ways[] = { "", ", from buffers of its own", ", passed on", ", passed on three times" };

/* Write all records; between them the same memory is overwritten. Bytes that were lent, or -1. */
static int64_t write_all(int fd, bool own, gv_err *err)
{
    gv_writer *w;
    gv_record rec;
    gv_pages g = { .shown = borrows };
    if (gv_writer_open(&w, fd, "w", GV_TENSOR, err) < 0 || gv_writer_start(w, err) < 0)
        return -1;
    for (int i = 0; i < RECORDS; i++) {
        int64_t shape[1] = { (int64_t)size_of(i) };
        if (own) {
            if (gv_pages_fresh(&g, MOST, NULL, 0, err) < 0)
                return -1;
            data = (uint8_t *)g.buf;
            gv_writer_source(w, &g);
        }
        fill(i);
        gv_record_init(&rec, GV_TENSOR);
        if (gv_set_i64(&rec, "pos", i, err) < 0 || gv_set_tensor(&rec, "x", GV_U8, shape, 1, data, err) < 0 || gv_put(w, &rec, err) < 0)
            return -1;
    }
    int64_t lent = (int64_t)gv_writer_lent(w);
    gv_pages_release(&g);
    return gv_writer_close(&w, true, err) < 0 ? -1 : lent;
}

/* Pass on what comes from `in`, as a filter does. Bytes that were lent, or -1. */
static int64_t pass_all(int in, int fd, gv_err *err)
{
    gv_reader *r;
    gv_writer *w;
    gv_record rec;
    int got;
    if (gv_reader_open(&r, in, "in", err) < 0 || gv_writer_open(&w, fd, "w", GV_TENSOR, err) < 0)
        return -1;
    gv_reader_tie(r, w);
    if (gv_writer_start(w, err) < 0)
        return -1;
    while ((got = gv_next(r, &rec, err)) > 0)
        if (gv_put(w, &rec, err) < 0)
            return -1;
    int64_t lent = (int64_t)gv_writer_lent(w);
    got = got < 0 || gv_writer_close(&w, true, err) < 0 ? -1 : 0;
    gv_reader_close(r);
    return got < 0 ? -1 : lent;
}

/* A process that writes all records, or passes on those from `in`; where they come out. */
static int begin(int in, pid_t *pid, int fd, int back)
{
    gv_err err = { 0 };
    int m[2];
    if (pipe2(m, O_CLOEXEC) < 0 || (*pid = fork()) < 0)
        return -1;
    if (!*pid) {
        close(m[0]), close(fd), close(back);
        _exit((in < 0 ? write_all(m[1], false, &err) : pass_all(in, m[1], &err)) < 0);
    }
    close(m[1]);
    if (in >= 0)
        close(in);
    return m[0];
}

/* In a process of its own: the records into fd, as they are made or passed on; then how many bytes were lent into `back`. */
static _Noreturn void source(int fd, int back, int way)
{
    gv_err err = { 0 };
    int filters = way == PASSED ? 1 : way == PASSED3 ? 3 : 0, in = -1, bad = 0, status;
    pid_t pid[3];
    int64_t lent = -1;
    usleep(20000); /* the reader is there */
    for (int i = 0; i < filters; i++)
        if ((in = begin(in, pid + i, fd, back)) < 0)
            _exit(1);
    lent = filters ? pass_all(in, fd, &err) : write_all(fd, way == OWN, &err);
    for (int i = 0; i < filters; i++)
        bad |= waitpid(pid[i], &status, 0) < 0 || status;
    _exit(bad || write(back, &lent, sizeof lent) != sizeof lent);
}

/* Read at most `most` records and compare them; how many were right. */
static int read_some(gv_reader *r, int from, int most, bool slow, gv_err *err)
{
    gv_record rec;
    for (int i = from; i < from + most; i++) {
        if (gv_next(r, &rec, err) <= 0)
            return i - from;
        const gv_tensor *x = gv_get_tensor(&rec, "x");
        fill(i);
        if (slow && i % 10 == 0)
            usleep(5000); /* the pipe fills, and what the record points to stays */
        if (!x || x->bytes != size_of(i) || memcmp(x->data, data, x->bytes))
            return -1;
    }
    return most;
}

/* The pages of pipe `from` moved to a pipe of their own, and read from there only when the writer has nothing left to write. */
static int mover(int from, int to)
{
    ssize_t k;
    while ((k = splice(from, NULL, to, NULL, 64 << 10, 0)) > 0)
        usleep(200);
    return k < 0;
}

static void own_reader(size_t pipe_size, int way)
{
    gv_err err = { 0 };
    int p[2], back[2], status;
    int64_t lent = -1;
    if (pipe2(p, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        return (void)ok(0, "no pipe");
    (void)fcntl(p[1], F_SETPIPE_SZ, (int)pipe_size);
    pid_t pid = fork();
    if (!pid) {
        close(p[0]);
        source(p[1], back[1], way);
    }
    close(p[1]), close(back[1]);
    gv_reader *r;
    gv_record rec;
    int good = gv_reader_open(&r, p[0], "r", &err) < 0 ? -1 : read_some(r, 0, RECORDS, true, &err);
    int end = good == RECORDS ? gv_next(r, &rec, &err) : -1;
    bool checked = end == 0 && gv_reader_digest_checked(r);
    int64_t shown = good < 0 ? -1 : (int64_t)gv_reader_shown(r);
    gv_reader_close(r);
    if (read(back[0], &lent, sizeof lent) != sizeof lent)
        lent = -1;
    waitpid(pid, &status, 0);
    ok(good == RECORDS && end == 0 && checked, "a pipe of %zu bytes%s: %d records of %d are right (%s)", pipe_size, ways[way], good, RECORDS, err.text);
    ok(lent > (int64_t)10 << 20, "%lld bytes went as lent pages", (long long)lent);
    ok(borrows ? shown > (int64_t)5 << 20 : !shown, "%lld bytes were looked at where they lay", (long long)shown);
    close(back[0]);
}

/* A reader of somebody else that moves pages on: none may be lent, or none be used again once ours has left (`first` records on). */
static void foreign_reader(int first, int way)
{
    gv_err err = { 0 };
    int p[2], q[2], back[2], status;
    int64_t lent = -1;
    if (pipe2(p, O_CLOEXEC) < 0 || pipe2(q, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        return (void)ok(0, "no pipe");
    (void)fcntl(p[1], F_SETPIPE_SZ, 1 << 16);
    (void)fcntl(q[1], F_SETPIPE_SZ, 1 << 20);
    pid_t writer = fork();
    if (!writer) {
        close(p[0]), close(q[0]), close(q[1]);
        source(p[1], back[1], way);
    }
    close(p[1]), close(back[1]);
    /* Bytes that ours takes, to be put before what the mover brings: the stream is checked as a whole. */
    char *head = NULL;
    size_t have = 0;
    if (first) {
        (void)gv_lend_allow(p[0], -1);
        head = gv_alloc(MOST * 8, &err);
        while (head && have < (size_t)first) {
            ssize_t k = read(p[0], head + have, (size_t)first - have);
            if (k <= 0)
                return (void)ok(0, "no bytes");
            have += (size_t)k;
        }
        close(dup(p[0])); /* a closed descriptor gives the lock up, as the end of the process does */
    }
    pid_t between = fork();
    if (!between) {
        close(q[0]);
        _exit(mover(p[0], q[1]));
    }
    close(p[0]), close(q[1]);
    usleep(200000); /* q fills with pages, and the writer goes on as far as it can */
    int z[2];
    if (pipe2(z, O_CLOEXEC) < 0)
        return (void)ok(0, "no pipe");
    pid_t joiner = fork();
    if (!joiner) { /* head, then what was moved, by plain writes */
        char buf[4096];
        ssize_t k = 0;
        close(z[0]);
        for (size_t at = 0; at < have && (k = write(z[1], head + at, have - at)) > 0;)
            at += (size_t)k;
        while ((k = read(q[0], buf, sizeof buf)) > 0)
            if (write(z[1], buf, (size_t)k) != k)
                _exit(1);
        _exit(0);
    }
    close(z[1]), close(q[0]);
    gv_reader *r;
    gv_record rec;
    int good = gv_reader_open(&r, z[0], "r", &err) < 0 ? -1 : read_some(r, 0, RECORDS, false, &err);
    int end = good == RECORDS ? gv_next(r, &rec, &err) : -1;
    gv_reader_close(r);
    if (read(back[0], &lent, sizeof lent) != sizeof lent)
        lent = -1;
    waitpid(writer, &status, 0);
    waitpid(between, &status, 0);
    waitpid(joiner, &status, 0);
    ok(good == RECORDS && end == 0, "pages moved on after %d bytes%s: %d records of %d are right (%s)", first, ways[way], good, RECORDS, err.text);
    if (first)
        ok(lent > 0 && lent < (int64_t)first + (3 << 20), "%lld bytes were lent, none after the reader had gone", (long long)lent);
    else
        ok(lent == 0, "nothing is lent to a reader that did not ask (%lld bytes)", (long long)lent);
    gv_free(head);
    close(back[0]);
}

/* Records of more than a ring holds at once are read as they come, and its pages are free again as they are read. */
static void large(void)
{
    enum { N = 6, LARGE = 9000001 };
    gv_err err = { 0 };
    int p[2], back[2], good = 0, status;
    int64_t lent = -1, shape[1] = { LARGE };
    uint8_t *x = gv_alloc(LARGE, &err);
    gv_reader *r;
    gv_record rec;
    if (!x || pipe2(p, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        return (void)ok(0, "no pipe");
    pid_t pid = fork();
    if (!pid) {
        gv_writer *w;
        close(p[0]);
        usleep(20000);
        int bad = gv_writer_open(&w, p[1], "w", GV_TENSOR, &err) < 0 || gv_writer_start(w, &err) < 0;
        for (int i = 0; i < N && !bad; i++) {
            memset(x, 65 + i, LARGE);
            gv_record_init(&rec, GV_TENSOR);
            bad = gv_set_tensor(&rec, "x", GV_U8, shape, 1, x, &err) < 0 || gv_put(w, &rec, &err) < 0;
        }
        lent = bad ? -1 : (int64_t)gv_writer_lent(w);
        _exit(bad || gv_writer_close(&w, true, &err) < 0 || write(back[1], &lent, sizeof lent) != sizeof lent);
    }
    close(p[1]), close(back[1]);
    int got = gv_reader_open(&r, p[0], "r", &err);
    for (; got == GV_OK && (got = gv_next(r, &rec, &err)) > 0; good++, got = GV_OK) {
        const gv_tensor *t = gv_get_tensor(&rec, "x");
        const uint8_t *v = t && t->bytes == LARGE ? t->data : NULL;
        if (!v || v[0] != 65 + good || memcmp(v, v + 1, LARGE - 1))
            break;
    }
    gv_reader_close(r);
    if (read(back[0], &lent, sizeof lent) != sizeof lent)
        lent = -1;
    waitpid(pid, &status, 0);
    close(back[0]);
    gv_free(x);
    ok(got == 0 && good == N, "%d of %d large records are right (%s)", good, N, err.text);
    ok(lent > (int64_t)N * LARGE * 9 / 10, "%lld bytes of them went as lent pages", (long long)lent);
}

int main(void)
{
    gv_err err = { 0 };
    alarm(120);
    if (!(data = gv_alloc(MOST, &err)))
        return 1;
    for (int i = 0; i < 4; i++) {
        alike = i & 1;
        if ((borrows = i > 1))
            gv_stream_borrows();
        for (int way = 0; way < WAYS; way++) {
            own_reader(1 << 20, way);
            own_reader(alike ? 1 << 16 : 1 << 17, way);
            own_reader(1 << 12, way);
            foreign_reader(0, way);
            foreign_reader(5 << 20, way);
        }
        large();
    }
    return done();
}
