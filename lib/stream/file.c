/* file: the places of a file's records, found by walking over their tags in a private mapping, and records read from them. */
#include "stream/file.h"
#include "common/file.h"
#include "stream/internal.h"
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END_BYTES = 80, HEADER_BYTES = 64 << 20, FORGET = 64 << 20 };

struct gv_stream_file {
    int fd;
    char name[256];
    gv_kind kind;
    gv_buf start;            /* uint64 each: where records begin, and the end record */
    int64_t n;
    char *header_bytes;
    gv_record header;
    gv_arena items;          /* of the header, then of the record at hand */
    size_t header_items;
    msgpack_unpacked header_unpacked, unpacked;
};

static uint64_t place(const gv_stream_file *f, int64_t row)
{
    return ((const uint64_t *)(const void *)f->start.data)[row];
}

static int where(const gv_stream_file *f, int64_t row, uint64_t at, gv_err *err)
{
    return gv_fail_in(err, "stream '%s': record %" PRId64 " at byte %" PRIu64, f->name, row, at);
}

/* n bytes at p, one more behind them writable, as a record. */
static int build(msgpack_unpacked *u, char *p, size_t n, gv_record *rec, gv_arena *items, gv_err *err)
{
    size_t off = 0;
    if (msgpack_unpack_next(u, p, n, &off) != MSGPACK_UNPACK_SUCCESS || off != n)
        return gv_fail(err, GV_EDATA, "it is not msgpack");
    return gv_record_build(rec, &u->data, items, err);
}

static int take_header(gv_stream_file *f, const char *p, size_t n, gv_err *err)
{
    if (!(f->header_bytes = gv_alloc(n + 1, err)))
        return GV_ESYS;
    memcpy(f->header_bytes, p, n);
    if (build(&f->header_unpacked, f->header_bytes, n, &f->header, &f->items, err) < 0)
        return where(f, 0, 0, err);
    const char *format = gv_get_text(&f->header, "format"), *stream = gv_get_text(&f->header, "stream");
    int64_t version = 0;
    if (f->header.kind != GV_KIND_HEADER || !format || strcmp(format, "glovita-stream") || !stream || !(f->kind = gv_kind_find(stream)) || !gv_get_i64(&f->header, "version", &version) || version != 1)
        return gv_fail(err, GV_EDATA, "'%s' is not a glovita stream of version 1", f->name);
    f->header.kind = f->kind;
    f->header_items = f->items.used;
    return GV_OK;
}

/* A record in the mapping. Building writes into it, pages of our own, and puts a NUL behind it, where the next one begins. */
static int visit(gv_stream_file *f, char *p, size_t n, gv_stream_file_each *each, void *arg, gv_err *err)
{
    gv_record rec;
    char saved = p[n];
    gv_arena_rewind(&f->items, f->header_items);
    int r = build(&f->unpacked, p, n, &rec, &f->items, err);
    if (r == GV_OK && rec.kind != f->kind && rec.kind != GV_ERROR_RECORD)
        r = gv_fail(err, GV_EDATA, "a %s record in a stream of %s records", gv_kind_name(rec.kind), gv_kind_name(f->kind));
    if (r == GV_OK)
        r = each(arg, &f->header, f->n, &rec, err);
    p[n] = saved;
    return r;
}

/* 1: it is the end record, and right. */
static int is_end(gv_stream_file *f, const char *p, size_t n, gv_err *err)
{
    char copy[END_BYTES + 1];
    gv_record rec;
    int64_t count;
    if (n >= END_BYTES)
        return 0;
    memcpy(copy, p, n);
    gv_arena_rewind(&f->items, f->header_items);
    if (build(&f->unpacked, copy, n, &rec, &f->items, err) < 0)
        return err->code;
    if (rec.kind != GV_KIND_END)
        return 0;
    if (!gv_get_i64(&rec, "count", &count) || count != f->n)
        return gv_fail(err, GV_EDATA, "the end record counts otherwise: %" PRId64 " came", f->n);
    return 1;
}

static int walk(gv_stream_file *f, char *map, size_t size, gv_stream_file_each *each, void *arg, gv_err *err)
{
    size_t at = 0, forgotten = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    for (bool first = true;; first = false) {
        gv_scan s;
        gv_scan_init(&s);
        int got = at < size ? gv_scan_more(&s, (unsigned char *)map + at, size - at, first ? HEADER_BYTES : gv_stream_max_record(), err) : 0;
        if (got < 0)
            return where(f, f->n, at, err);
        if (!got)
            return gv_fail(err, GV_EDATA, "stream '%s' is cut: it ends after record %" PRId64 " at byte %zu without an end record", f->name, f->n, size);
        if (first)
            got = take_header(f, map + at, s.pos, err);
        else {
            uint64_t here = at;
            if (gv_buf_add(&f->start, &here, sizeof here, err) < 0)
                return GV_ESYS;
            got = is_end(f, map + at, s.pos, err);
            if (got > 0)
                return at + s.pos == size ? GV_OK : gv_fail(err, GV_EDATA, "stream '%s': %zu bytes follow its end record", f->name, size - at - s.pos);
            if (!got && at + s.pos == size)
                return gv_fail(err, GV_EDATA, "stream '%s' is cut: it ends after record %" PRId64 " at byte %zu without an end record", f->name, f->n + 1, size);
            if (!got && each)
                got = visit(f, map + at, s.pos, each, arg, err);
            if (got < 0)
                return where(f, f->n, at, err);
            f->n++;
        }
        if (got < 0)
            return got;
        at += s.pos;
        if (at - forgotten > FORGET) { /* pages that were looked at, and those of our own, are given back */
            size_t to = at / page * page;
            madvise(map + forgotten, to - forgotten, MADV_DONTNEED);
            forgotten = to;
        }
    }
}

int gv_stream_file_open(gv_stream_file **out, int fd, const char *name, gv_stream_file_each *each, void *arg, gv_err *err)
{
    struct stat st;
    gv_stream_file *f = *out = gv_alloc(sizeof *f, err);
    if (!f) {
        close(fd);
        return GV_ESYS;
    }
    f->fd = fd;
    snprintf(f->name, sizeof f->name, "%s", name);
    msgpack_unpacked_init(&f->header_unpacked);
    msgpack_unpacked_init(&f->unpacked);
    int r = gv_arena_init(&f->items, "records of a file", (size_t)512 << 20, err);
    if (r == GV_OK && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        r = gv_fail(err, GV_EUSAGE, "'%s' is not a file: records are looked up in it, so a pipe will not do", name);
    if (r == GV_OK && !st.st_size)
        r = gv_fail(err, GV_EDATA, "stream '%s' is empty: its writer wrote nothing, not even a header", name);
    if (r == GV_OK) {
        char *map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
        if (map == MAP_FAILED)
            r = gv_fail_sys(err, "cannot read '%s'", name);
        else {
            madvise(map, (size_t)st.st_size, MADV_RANDOM); /* what the records hold is not wanted */
            r = walk(f, map, (size_t)st.st_size, each, arg, err);
            munmap(map, (size_t)st.st_size);
        }
    }
    if (r < 0) {
        gv_stream_file_close(f);
        *out = NULL;
    }
    return r;
}

const gv_record *gv_stream_file_header(const gv_stream_file *f)
{
    return &f->header;
}

int64_t gv_stream_file_count(const gv_stream_file *f)
{
    return f->n;
}

int gv_stream_file_read(gv_stream_file *f, int64_t row, gv_record *rec, gv_arena *arena, gv_err *err)
{
    if (row < 0 || row >= f->n)
        return gv_fail(err, GV_EDATA, "stream '%s' has %" PRId64 " records, and no number %" PRId64, f->name, f->n, row);
    uint64_t at = place(f, row);
    size_t n = (size_t)(place(f, row + 1) - at), got = 0;
    char *p = gv_arena_alloc_dirty(arena, n + 1, err);
    if (!p)
        return GV_ESYS;
    while (got < n) {
        ssize_t k = pread(f->fd, p + got, n - got, (off_t)(at + got));
        if (k < 0)
            return gv_fail_sys(err, "cannot read '%s'", f->name);
        if (!k)
            return gv_fail(err, GV_EDATA, "stream '%s' has become shorter", f->name);
        got += (size_t)k;
    }
    gv_scan s; /* the file may have changed since: nothing is built that was not bounded */
    gv_scan_init(&s);
    int whole = gv_scan_more(&s, (unsigned char *)p, n, n, err);
    if (whole == 0 || (whole > 0 && s.pos != n))
        gv_fail(err, GV_EDATA, "it is not the record that was there");
    if (err->code != GV_OK || build(&f->unpacked, p, n, rec, arena, err) < 0)
        return where(f, row, at, err);
    return GV_OK;
}

void gv_stream_file_close(gv_stream_file *f)
{
    if (!f)
        return;
    close(f->fd);
    msgpack_unpacked_destroy(&f->unpacked);
    msgpack_unpacked_destroy(&f->header_unpacked);
    gv_buf_release(&f->start);
    gv_arena_release(&f->items);
    gv_free(f->header_bytes);
    gv_free(f);
}
