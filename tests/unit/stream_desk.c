/* stream_desk: what stands on a desk is checked before it is believed, and memory that does not hold the stream's bytes is an error of data. */
#include "common/arena.h"
#include "stream/lend.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS = 3, BYTES = 100000, APART = 1 << 17, FILE_SIZE = 1 << 20 };
enum { SHOWN = 10, READ = 11, DIGEST = 12, BAD = 13 }; /* what the reader says with its exit status */
static uint8_t data[BYTES];
static char *stream; /* a whole one, and where its payloads begin */
static size_t size, begin[RECORDS];

static void fill(int i)
{
    for (int k = 0; k < BYTES; k++)
        data[k] = (uint8_t)((uint32_t)(k + 1) * 2654435761u >> (8 + i));
}

static int make_stream(gv_err *err)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);
    int64_t shape[1] = { BYTES };
    gv_writer *w;
    gv_record rec;
    struct stat st;
    if (fd < 0 || gv_writer_open(&w, dup(fd), "w", GV_TENSOR, err) < 0 || gv_writer_start(w, err) < 0)
        return -1;
    for (int i = 0; i < RECORDS; i++) {
        fill(i);
        gv_record_init(&rec, GV_TENSOR);
        if (gv_set_i64(&rec, "pos", i, err) < 0 || gv_set_tensor(&rec, "x", GV_U8, shape, 1, data, err) < 0 || gv_set_i64(&rec, "y", i, err) < 0 || gv_put(w, &rec, err) < 0)
            return -1;
    }
    if (gv_writer_close(&w, true, err) < 0 || fstat(fd, &st) < 0 || !(stream = gv_alloc((size_t)st.st_size, err)) || pread(fd, stream, (size_t)st.st_size, 0) != st.st_size)
        return -1;
    size = (size_t)st.st_size;
    for (int i = 0; i < RECORDS; i++) {
        fill(i);
        char *p = memmem(stream, size, data, BYTES);
        if (!p)
            return -1;
        begin[i] = (size_t)(p - stream);
    }
    return close(fd);
}

static _Noreturn void reader(int fd)
{
    gv_err err = { 0 };
    gv_reader *r;
    gv_record rec;
    int got = gv_reader_open(&r, fd, "r", &err), i = 0;
    bool right = true;
    for (; got == GV_OK && (got = gv_next(r, &rec, &err)) > 0; i++, got = GV_OK) {
        const gv_tensor *x = gv_get_tensor(&rec, "x");
        int64_t y = -1;
        fill(i);
        right = right && x && x->bytes == BYTES && !memcmp(x->data, data, BYTES) && gv_get_i64(&rec, "y", &y) && y == i;
    }
    if (got < 0)
        _exit(err.code == GV_EDATA && strstr(err.text, "digest") ? DIGEST : BAD);
    _exit(!right || i != RECORDS || !gv_reader_digest_checked(r) ? BAD : gv_reader_shown(r) ? SHOWN : READ);
}

/* The reader's answer to a stream with these pieces on its desk; `jump` is added to their number. */
static int answer(const gv_piece *piece, int n, int jump)
{
    int p[2], status = 0;
    pid_t pid;
    struct flock k = { .l_start = 0 };
    if (pipe2(p, O_CLOEXEC) < 0 || fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0 || (pid = fork()) < 0)
        return -1;
    if (!pid) {
        close(p[1]);
        reader(p[0]);
    }
    close(p[0]);
    for (int i = 0; i < 2000 && !k.l_start; i++) { /* until it has said where its desk is */
        k = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (fcntl(p[1], F_GETLK, &k) < 0 || k.l_type != F_RDLCK)
            k.l_start = 0;
        usleep(1000);
    }
    size_t bytes, first = begin[0] + BYTES + 3; /* header and first record: large ones are to be expected from then on */
    uint64_t file;
    int unread = 1;
    bool sent = write(p[1], stream, first) == (ssize_t)first;
    while (sent && ioctl(p[1], FIONREAD, &unread) == 0 && unread)
        usleep(1000);
    gv_desk *d = k.l_start ? gv_desk_map(k.l_pid, (int)k.l_start - 1, true, sizeof *d, &bytes, &file) : NULL;
    for (int i = 1; d && i < n; i++)
        gv_desk_write(d, piece + i);
    if (d && jump)
        atomic_fetch_add(&d->written, (uint64_t)jump);
    sent = sent && d && write(p[1], stream + first, size - first) == (ssize_t)(size - first);
    close(p[1]);
    waitpid(pid, &status, 0);
    bool released = d && atomic_load(&d->released) <= size;
    if (d)
        munmap(d, bytes);
    return sent && released && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
    gv_err err = { 0 };
    void *p, *bare;
    struct stat st, bt;
    alarm(60);
    gv_stream_borrows();
    int fd = gv_desk_file(FILE_SIZE, &p), soft = memfd_create("soft", MFD_CLOEXEC);
    if (make_stream(&err) < 0 || fd < 0 || fstat(fd, &st) < 0 || soft < 0 || ftruncate(soft, FILE_SIZE) < 0 || fstat(soft, &bt) < 0)
        return !ok(0, "no stream: %s", err.text);
    gv_piece good[RECORDS], bad[RECORDS];
    bare = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, soft, 0);
    for (int i = 0; i < RECORDS; i++) {
        good[i] = (gv_piece){ begin[i], begin[i] + BYTES, getpid(), fd, st.st_ino, (uint64_t)i * APART };
        memcpy((char *)p + (size_t)i * APART, stream + begin[i], BYTES);
        memcpy((char *)bare + (size_t)i * APART, stream + begin[i], BYTES);
    }
#define WITH(...) do { for (int i = 0; i < RECORDS; i++) { gv_piece *b = bad + i; *b = good[i]; __VA_ARGS__; } } while (0)
    ok(answer(good, RECORDS, 0) == SHOWN, "right pieces are looked at where they lie");
    ok(answer(good, 0, 0) == READ, "without pieces the stream is read");
    WITH(b->file++);
    ok(answer(bad, RECORDS, 0) == READ, "another file under this number is not looked at");
    WITH(b->pid = 1);
    ok(answer(bad, RECORDS, 0) == READ, "nor another process's");
    WITH(b->fd = soft, b->file = bt.st_ino);
    ok(answer(bad, RECORDS, 0) == READ, "nor one that can be cut");
    WITH(b->fd = 1 << 19);
    ok(answer(bad, RECORDS, 0) == READ, "nor one that is not there");
    WITH(b->at = FILE_SIZE - 10);
    ok(answer(bad, RECORDS, 0) == READ, "nor what reaches behind the file's end");
    WITH(b->at = UINT64_MAX - 5);
    ok(answer(bad, RECORDS, 0) == READ, "nor what begins far behind it");
    WITH(b->end += 7);
    ok(answer(bad, RECORDS, 0) == READ, "nor a piece that is longer than the payload");
    WITH(b->end = UINT64_MAX);
    ok(answer(bad, RECORDS, 0) == READ, "nor one without end");
    WITH(b->end = b->begin);
    ok(answer(bad, RECORDS, 0) == READ, "nor an empty one");
    WITH(b->begin -= 40, b->end = b->begin + 60);
    ok(answer(bad, RECORDS, 0) == READ, "nor one that begins before the payload");
    ok(answer(good, RECORDS, 4000) == READ, "a desk whose number of pieces jumps is not used");
    WITH(b->end -= 1000);
    ok(answer(bad, RECORDS, 0) == READ, "of a payload in pieces the shown part is brought to the rest");
    WITH(b->begin += 1000, b->at += 1000);
    ok(answer(bad, RECORDS, 0) == READ, "also where it begins later");
    WITH(b->at += 3);
    memmove((char *)p + 3, p, FILE_SIZE - 3);
    ok(answer(bad, RECORDS, 0) == READ, "and what does not lie on a multiple of eight");
    ok(answer(good, RECORDS, 0) == DIGEST, "other bytes than the stream's are an error of data");
    gv_free(stream);
    return done();
}
