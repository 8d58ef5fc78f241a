/* reader: records from a descriptor. One buffer is filled by read(2), but for payloads that stay where their writer put them (desk.h); scan bounds a record,
 * msgpack-c unpacks it in place. */
#include "common/fault.h"
#include "stream/hash.h"
#include "stream/internal.h"
#include "stream/lend.h"
#include "stream/shown.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BIG = 64 << 10, BEYOND = 64, CHUNK = 256 << 10, FIRST_CAP = 512 << 10, HEADER_MAX = 64 << 20, HEADER_ITEMS = 16 << 20 };
#ifdef GV_SANITIZED /* poisoning costs an eighth of it, for every reader */
#define ITEMS_MAX ((size_t)16 << 20)
#else
#define ITEMS_MAX ((size_t)GV_MAX_ITEMS * (sizeof(gv_pair) + 64) + (1 << 20))
#endif

struct gv_reader {
    int fd;
    char name[256];
    gv_pages pages;        /* what has been read: pages.buf from start to end */
    size_t start, end;
    size_t record;         /* bytes of the record lent out, at start; 0: none */
    char saved;            /* the byte behind it, where its last text's NUL may stand */
    size_t last;           /* bytes of the record before: the likely size of the next */
    uint64_t offset, records;
    size_t max;
    bool ended, checked;
    gv_err err;
    gv_kind kind;
    gv_record header;
    char *header_bytes;
    gv_arena header_items, items;
    msgpack_unpacked unpacked, header_unpacked;
    gv_hash *hash;
    gv_writer *tied;
    gv_shown shown;        /* payloads that are not read; shown.desk NULL: all are */
    bool known;            /* the tied writer knows it, and may lend what lies in pages */
};

static atomic_ullong waited[2];
static atomic_int stop_fd = -1;
static atomic_bool borrows;

void gv_stream_borrows(void)
{
    atomic_store(&borrows, true);
}

uint64_t gv_stream_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void gv_stream_add_wait(int writing, uint64_t since)
{
    atomic_fetch_add_explicit(&waited[writing], gv_stream_now() - since, memory_order_relaxed);
}

void gv_stream_waits(double *in, double *out)
{
    *in = 1e-9 * (double)atomic_load_explicit(&waited[0], memory_order_relaxed);
    *out = 1e-9 * (double)atomic_load_explicit(&waited[1], memory_order_relaxed);
}

void gv_stream_stop_fd(int fd)
{
    atomic_store(&stop_fd, fd);
}

size_t gv_stream_max_record(void)
{
    const char *wish = getenv("GLOVITA_MAX_RECORD");
    unsigned long long n = wish ? strtoull(wish, NULL, 10) : 0;
    return n && n < GV_MAX_BIN ? (size_t)n : (size_t)GV_MAX_BIN;
}

/* Room for `want` bytes behind `end`. Bytes move to the front before the buffer grows; it at most doubles, so that a claimed
 * size costs nothing until its bytes have come (all: it grows until there is room). */
static int make_room(gv_reader *r, size_t want, bool all, gv_err *err)
{
    if (r->start == r->end)
        r->start = r->end = 0;
    if (r->pages.cap - r->end >= want)
        return GV_OK;
    if (r->start) {
        memmove(r->pages.buf, r->pages.buf + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->pages.cap > r->end && (r->pages.cap - r->end >= want || (!all && r->end < r->pages.cap / 2)))
        return GV_OK;
    size_t cap = r->pages.cap ? r->pages.cap * 2 : FIRST_CAP;
    while (all && cap - r->end < want)
        cap *= 2;
    void *p = gv_fault("arena") ? MAP_FAILED
              : r->pages.buf    ? mremap(r->pages.buf, r->pages.cap + 1, cap + 1, MREMAP_MAYMOVE)
                                : mmap(NULL, cap + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return gv_fail(err, GV_ESYS, "no memory for a record of stream '%s': %zu bytes have come, %zu more wanted", r->name, r->end - r->start, want);
    r->pages.buf = p;
    r->pages.cap = cap;
    return GV_OK;
}

/* Another buffer takes the place of the one that was lent. What stood behind the record moves there. */
static int change_buffer(gv_reader *r, gv_err *err)
{
    size_t left = r->end - r->start;
    if (gv_pages_fresh(&r->pages, r->pages.cap, r->pages.buf + r->start, left, err) < 0)
        return gv_fail_in(err, "stream '%s'", r->name);
    r->start = 0;
    r->end = left;
    return GV_OK;
}

/* Until one of them has something to say; the time counts as waiting. */
static void wait_for(struct pollfd *p, nfds_t n)
{
    uint64_t t = gv_stream_now();
    while (poll(p, n, -1) < 0 && errno == EINTR)
        ;
    gv_stream_add_wait(0, t);
}

/* Before a wait: what is tied goes out, and a wish to stop is heard. */
static int about_to_wait(gv_reader *r, gv_err *err)
{
    if (r->tied) {
        int e = gv_writer_flush(r->tied, err);
        if (e < 0)
            return e;
    }
    int stop = atomic_load(&stop_fd);
    if (stop < 0)
        return GV_OK;
    struct pollfd p[2] = { { .fd = r->fd, .events = POLLIN }, { .fd = stop, .events = POLLIN } };
    wait_for(p, 2);
    if (p[1].revents && !p[0].revents)
        return gv_fail(err, GV_ESAVED, "stopped by a signal while waiting for stream '%s'", r->name);
    return GV_OK;
}

/* ---- payloads that stay where they are ---- */

static int cannot_read(const gv_reader *r, gv_err *err)
{
    return gv_fail_sys(err, "cannot read stream '%s' after record %" PRIu64 " at byte %" PRIu64, r->name, r->records, r->offset);
}

/* The bytes of a piece out of the pipe, unread. 1, 0: end of file, < 0 error. */
static int leave(gv_reader *r, const gv_piece *p, const char *data, gv_err *err)
{
    size_t n = (size_t)(p->end - p->begin);
    int e = make_room(r, n, true, err);
    if (e < 0)
        return e;
    for (size_t done = 0; done < n;) {
        uint64_t t = gv_stream_now();
        ssize_t k = splice(r->fd, NULL, r->shown.null, NULL, n - done, 0);
        gv_stream_add_wait(0, t);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EAGAIN) {
            wait_for(&(struct pollfd){ .fd = r->fd, .events = POLLIN }, 1);
            continue;
        }
        if (k < 0)
            return cannot_read(r, err);
        if (!k)
            return 0;
        done += (size_t)k;
    }
    gv_shown_add(&r->shown, p, data, r->end - r->start);
    r->end += n;
    return 1;
}

/* The next piece on the desk. The writer has written there by the time that bytes come, and a read that waits for them would take all: so this waits,
 * where a large payload is likely. */
static bool find(gv_reader *r, uint64_t at, gv_piece *p)
{
    if (gv_desk_find(r->shown.desk, &r->shown.next, at, p))
        return true;
    if (r->last < GV_SPLICE_FROM)
        return false;
    if (atomic_load(&stop_fd) < 0) /* about_to_wait has not done it */
        wait_for(&(struct pollfd){ .fd = r->fd, .events = POLLIN }, 1);
    return gv_desk_find(r->shown.desk, &r->shown.next, at, p);
}

/* The desk says how the stream goes on at this byte. 1, 0, < 0: a payload was left where it is, as fill answers; 2: read, *want bytes at most. body: bytes to
 * come of the value that the record has begun with; only such can be left. */
static int look(gv_reader *r, size_t body, size_t *want, gv_err *err)
{
    uint64_t at = r->offset + (r->end - r->start);
    gv_piece p;
    const char *data;
    if (!r->shown.desk || !find(r, at, &p))
        return 2;
    bool now = p.begin == at && p.end - at <= body && (data = gv_shown_see(&r->shown, &p));
    if (now)
        return leave(r, &p, data, err);
    uint64_t most = (p.begin > at ? p.begin : p.end) - at;
    *want = *want < most ? *want : (size_t)most;
    return 2;
}

/* Read once. 1: bytes came, 0: end of file, < 0 error. */
static int fill(gv_reader *r, size_t want, size_t body, gv_err *err)
{
    int e = about_to_wait(r, err);
    if (e < 0 || (e = look(r, body, &want, err)) < 2 || (e = make_room(r, want, false, err)) < 0)
        return e;
    size_t room = r->pages.cap - r->end;
    for (;;) {
        uint64_t t = gv_stream_now();
        ssize_t k;
        if (gv_fault("read")) {
            errno = EIO;
            k = -1;
        } else
            k = read(r->fd, r->pages.buf + r->end, want < room ? want : room);
        gv_stream_add_wait(0, t);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EAGAIN) {
            wait_for(&(struct pollfd){ .fd = r->fd, .events = POLLIN }, 1);
            continue;
        }
        if (k < 0)
            return cannot_read(r, err);
        r->end += (size_t)k;
        gv_shown_read(&r->shown, r->offset + (r->end - r->start));
        return k > 0;
    }
}

static int cut(gv_reader *r, gv_err *err)
{
    uint64_t at = r->offset + (r->end - r->start);
    if (!at)
        return gv_fail(err, GV_EDATA, "stream '%s' is empty: its writer wrote nothing, not even a header", r->name);
    if (!r->kind)
        return gv_fail(err, GV_EDATA, "stream '%s' is cut: it ends inside the header at byte %" PRIu64, r->name, at);
    return gv_fail(err, GV_EDATA, "stream '%s' is cut: it ends after record %" PRIu64 " at byte %" PRIu64 " without an end record", r->name, r->records, at);
}

static int where(gv_reader *r, gv_err *err)
{
    if (!r->kind)
        return gv_fail_in(err, "'%s' is not a glovita stream: its header", r->name);
    return gv_fail_in(err, "stream '%s': record %" PRIu64 " at byte %" PRIu64, r->name, r->records + 1, r->offset);
}

/* Bring one whole record to `start`; its size goes to *len. 1, or 0 at a clean end of file. */
static int whole_record(gv_reader *r, size_t max, size_t *len, gv_err *err)
{
    gv_scan scan;
    gv_scan_init(&scan);
    for (;;) {
        size_t have = r->end - r->start;
        int got = have ? gv_scan_more(&scan, (unsigned char *)r->pages.buf + r->start, have, max, err) : 0;
        if (got < 0)
            return where(r, err);
        if (got > 0) {
            *len = scan.pos;
            return 1;
        }
        /* Big records are read to their end and hardly beyond (the next may have a longer name), so that the one behind starts a fresh buffer, on the
         * same place of a page as in the writer's, and next to nothing moves. */
        size_t want = scan.need > r->last ? scan.need : r->last;
        want = want > have ? want - have : 1;
        if (r->last >= BIG)
            want += BEYOND;
        else if (have + want < CHUNK)
            want = CHUNK;
        got = fill(r, want, scan.pos > have ? scan.pos - have : 0, err);
        if (got < 0)
            return got;
        if (!got)
            return r->end == r->start && r->ended ? 0 : cut(r, err);
    }
}

static int unpack(gv_reader *r, char *p, size_t n, msgpack_unpacked *u, gv_arena *a, gv_record *rec, gv_err *err)
{
    size_t off = 0;
    msgpack_unpack_return e = msgpack_unpack_next(u, p, n, &off);
    if (e != MSGPACK_UNPACK_SUCCESS || off != n) {
        if (e == MSGPACK_UNPACK_NOMEM_ERROR)
            gv_fail(err, GV_ESYS, "no memory for its values");
        else
            gv_fail(err, GV_EDATA, "it is not msgpack");
        return where(r, err);
    }
    gv_shown_settle(&r->shown, p, &u->data);
    if (gv_record_build(rec, &u->data, a, err) < 0)
        return where(r, err);
    return GV_OK;
}

static int read_header(gv_reader *r, gv_err *err)
{
    size_t n;
    int got = whole_record(r, HEADER_MAX < r->max ? HEADER_MAX : r->max, &n, err);
    if (got <= 0)
        return got < 0 ? got : cut(r, err);
    if (!(r->header_bytes = gv_alloc(n + 1, err)))
        return GV_ESYS;
    memcpy(r->header_bytes, r->pages.buf + r->start, n);
    gv_hash_add(r->hash, r->header_bytes, n);
    int e = unpack(r, r->header_bytes, n, &r->header_unpacked, &r->header_items, &r->header, err);
    if (e < 0)
        return e;
    gv_record *h = &r->header;
    const char *format = gv_get_text(h, "format"), *stream = gv_get_text(h, "stream");
    int64_t version;
    if (h->kind != GV_KIND_HEADER || !format || strcmp(format, "glovita-stream")) {
        gv_fail(err, GV_EDATA, "the first record is not {kind: header, format: glovita-stream}");
        return where(r, err);
    }
    if (!gv_get_i64(h, "version", &version) || version != 1)
        return gv_fail(err, GV_EDATA, "stream '%s' has a version that is not read here (this program reads 1)", r->name);
    gv_kind kind = stream ? gv_kind_find(stream) : 0;
    if (!kind)
        return gv_fail(err, GV_EDATA, "stream '%s' holds records of an unknown kind '%.40s'", r->name, stream ? stream : "(none)");
    static const char *const own[] = { "format", "version", "stream" };
    for (size_t i = 0; i < GV_COUNT(own); i++)
        gv_unset(h, own[i]);
    h->kind = r->kind = kind;
    r->start += n;
    r->offset += n;
    return GV_OK;
}

int gv_reader_open(gv_reader **out, int fd, const char *name, gv_err *err)
{
    gv_err mine = { 0 };
    gv_reader *r = gv_alloc(sizeof *r, &mine);
    *out = NULL;
    if (!r) {
        close(fd);
        return gv_fail(err, mine.code, "%s", mine.text);
    }
    r->fd = fd;
    r->max = gv_stream_max_record();
    snprintf(r->name, sizeof r->name, "%s", name);
    gv_shown_open(&r->shown, fd, atomic_load(&borrows));
    if (!r->shown.desk)
        (void)gv_lend_allow(fd, -1); /* bytes are taken by read(2) alone here */
    msgpack_unpacked_init(&r->unpacked);
    msgpack_unpacked_init(&r->header_unpacked);
    if (!(r->hash = gv_hash_open(&mine)))
        gv_fail(&mine, GV_ESYS, "out of memory");
    else if (isatty(fd))
        gv_fail(&mine, GV_EUSAGE, "'%s' is a terminal; records are read from a pipe or a file", name);
    else if (gv_arena_init(&r->items, "record", ITEMS_MAX, &mine) == GV_OK && gv_arena_init(&r->header_items, "header", HEADER_ITEMS, &mine) == GV_OK)
        (void)read_header(r, &mine);
    if (mine.code != GV_OK) {
        gv_reader_close(r);
        return gv_fail(err, mine.code, "%s", mine.text);
    }
    *out = r;
    return GV_OK;
}

const gv_record *gv_reader_header(const gv_reader *r)
{
    return &r->header;
}

static int check_end(gv_reader *r, const gv_record *rec, uint64_t digest, gv_err *err)
{
    int64_t count;
    const gv_item *d = gv_get(rec, "digest");
    for (size_t i = 0; i < rec->n; i++)
        if (strcmp(rec->field[i].key, "count") && strcmp(rec->field[i].key, "digest"))
            return gv_fail(err, GV_EDATA, "stream '%s': the end record at byte %" PRIu64 " has an unknown key '%.40s'", r->name, r->offset, rec->field[i].key);
    if (!gv_get_i64(rec, "count", &count) || count < 0)
        return gv_fail(err, GV_EDATA, "stream '%s': the end record at byte %" PRIu64 " has no count", r->name, r->offset);
    if ((uint64_t)count != r->records)
        return gv_fail(err, GV_EDATA, "stream '%s': the end record at byte %" PRIu64 " counts %" PRId64 " records; %" PRIu64 " came", r->name,
                       r->offset, count, r->records);
    if (d && d->type != GV_NIL) {
        char hex[17];
        snprintf(hex, sizeof hex, "%016" PRIx64, digest);
        if (d->type != GV_TEXT || strcmp(d->text.s, hex))
            return gv_fail(err, GV_EDATA, "stream '%s': the digest at byte %" PRIu64 " is '%.40s'; the bytes before it give '%s'", r->name, r->offset,
                           d->type == GV_TEXT ? d->text.s : "(not a str)", hex);
        r->checked = true;
    }
    return GV_OK;
}

static int next(gv_reader *r, gv_record *rec, gv_err *err)
{
    size_t n;
    int got = whole_record(r, r->max, &n, err);
    if (got < 0)
        return got;
    char *p = r->pages.buf + r->start;
    uint64_t digest = 0;
    /* Only the end record is shorter than this, and the digest is of what stands before it. */
    if (n < 80)
        digest = gv_hash_value(r->hash);
    gv_shown_hash(&r->shown, r->hash, p, n); /* before build changes the bytes */
    r->saved = p[n];
    r->record = n;
    gv_arena_reset(&r->items);
    int e = unpack(r, p, n, &r->unpacked, &r->items, rec, err);
    if (e < 0)
        return e;
    if (rec->kind == GV_KIND_HEADER) {
        gv_fail(err, GV_EDATA, "a second header; streams cannot be joined by cat(1)");
        return where(r, err);
    }
    if (rec->kind != GV_KIND_END) {
        if (rec->kind != r->kind && rec->kind != GV_ERROR_RECORD) {
            gv_fail(err, GV_EDATA, "a %s record in a stream of %s records", gv_kind_name(rec->kind), gv_kind_name(r->kind));
            return where(r, err);
        }
        r->records++;
        return 1;
    }
    if (n >= 80) {
        gv_fail(err, GV_EDATA, "the end record has %zu bytes; count and digest need no more than 79", n);
        return where(r, err);
    }
    if (check_end(r, rec, digest, err) < 0)
        return GV_EDATA;
    p[n] = r->saved;
    r->record = 0;
    r->start += n;
    r->offset += n;
    r->ended = true;
    if (r->start < r->end || fill(r, 1, 0, err) > 0)
        return gv_fail(err, GV_EDATA, "stream '%s' goes on after its end record at byte %" PRIu64, r->name, r->offset);
    return err && err->code ? err->code : 0;
}

int gv_next(gv_reader *r, gv_record *rec, gv_err *err)
{
    if (r->err.code != GV_OK)
        return gv_fail(err, r->err.code, "%s", r->err.text);
    if (r->ended)
        return 0;
    if (r->record) { /* hand the last record back */
        r->pages.buf[r->start + r->record] = r->saved;
        r->start += r->record;
        r->offset += r->record;
        r->last = r->record;
        r->record = 0;
        gv_shown_release(&r->shown, r->offset, r->tied);
    }
    gv_err mine = { 0 };
    int e = r->pages.until ? change_buffer(r, &mine) : GV_OK;
    if (e == GV_OK)
        e = next(r, rec, &mine);
    if (e >= 0)
        return e;
    if (mine.code != GV_ESAVED) /* a stop can be taken back: no byte was lost */
        r->err = mine;
    return gv_fail(err, mine.code, "%s", mine.text);
}

uint64_t gv_reader_records(const gv_reader *r)
{
    return r->records;
}

uint64_t gv_reader_offset(const gv_reader *r)
{
    return r->offset + r->record;
}

bool gv_reader_digest_checked(const gv_reader *r)
{
    return r->checked;
}

void gv_reader_tie(gv_reader *r, gv_writer *w)
{
    if (r->known)
        gv_writer_reader(r->tied, NULL, NULL);
    r->tied = w;
    if (w)
        gv_writer_reader(w, r, &r->pages);
    r->known = w != NULL;
}

void gv_reader_untie(gv_reader *r)
{
    r->known = false;
    r->tied = NULL;
}

void gv_reader_unknown(gv_reader *r)
{
    r->known = false;
}

uint64_t gv_reader_shown(const gv_reader *r)
{
    return r->shown.bytes;
}

bool gv_reader_piece(const gv_reader *r, const void *p, size_t n, gv_piece *piece)
{
    return gv_shown_piece(&r->shown, p, n, piece);
}

void gv_reader_passed(gv_reader *r, uint64_t until)
{
    gv_shown_passed(&r->shown, r->offset, until);
}

void gv_reader_close(gv_reader *r)
{
    if (!r)
        return;
    close(r->fd);
    gv_shown_close(&r->shown);
    if (r->known)
        gv_writer_reader(r->tied, NULL, NULL);
    gv_pages_release(&r->pages);
    msgpack_unpacked_destroy(&r->unpacked);
    msgpack_unpacked_destroy(&r->header_unpacked);
    gv_arena_release(&r->items);
    gv_arena_release(&r->header_items);
    gv_hash_close(r->hash);
    gv_free(r->header_bytes);
    gv_free(r);
}
