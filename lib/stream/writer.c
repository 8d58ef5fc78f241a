/* writer: header, records and end record to a descriptor. Small records are gathered; big payloads go by writev, or as pages lent
 * to the pipe where its reader is ours. */
#include "common/fault.h"
#include "common/file.h"
#include "stream/hash.h"
#include "stream/internal.h"
#include "stream/lend.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FLUSH_AT = 64 << 10, PIPE_SIZE = 1 << 20, MAX_HISTORY = 64 };

struct gv_writer {
    int fd;
    gv_out file; /* of gv_writer_create; file.fd is -1 otherwise */
    char name[256];
    gv_kind kind;
    bool started;
    gv_err err; /* the first failure; it stays */
    gv_record facts;
    gv_item history[MAX_HISTORY];
    gv_pair entry[MAX_HISTORY][3]; /* program, version, options of own history entries */
    size_t nhistory;
    gv_pack pack;
    size_t flushed_cuts;
    gv_hash *hash;
    gv_lend lend;
    gv_reader *reader; /* the one tied last; NULL: none */
    gv_pages *source;  /* what lies in its buffer may be lent; NULL: none */
    uint64_t records;
};

void gv_writer_source(gv_writer *w, gv_pages *g)
{
    w->source = g;
}

void gv_writer_reader(gv_writer *w, gv_reader *r, gv_pages *g)
{
    gv_reader *was = w->reader;
    w->reader = r;
    w->source = g;
    if (was && was != r)
        gv_reader_unknown(was);
}

int gv_writer_open(gv_writer **out, int fd, const char *name, gv_kind kind, gv_err *err)
{
    gv_writer *w = gv_alloc(sizeof *w, err);
    *out = w;
    if (!w)
        return GV_ESYS;
    w->fd = fd;
    w->file.fd = -1;
    snprintf(w->name, sizeof w->name, "%s", name);
    w->kind = kind;
    if (!(w->hash = gv_hash_open(err))) {
        gv_free(w);
        *out = NULL;
        return GV_ESYS;
    }
    gv_record_init(&w->facts, kind);
    /* A pipe still at the kernel's default grows, if the user's limit allows; one that was sized on purpose stays.
     * GLOVITA_PIPE_SIZE=0 leaves all of them alone. */
    struct stat st;
    const char *wish = getenv("GLOVITA_PIPE_SIZE");
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(fd, F_GETPIPE_SZ) == 65536) {
        long size = wish ? strtol(wish, NULL, 10) : PIPE_SIZE;
        if (size > 65536 && size <= 1 << 30)
            (void)fcntl(fd, F_SETPIPE_SZ, (int)size); /* EPERM at the limit: the pipe keeps its size */
    }
    gv_lend_init(&w->lend, fd);
    return GV_OK;
}

int gv_writer_create(gv_writer **out, const char *path, gv_kind kind, gv_err *err)
{
    gv_out file;
    *out = NULL;
    int r = gv_out_open(&file, path, err);
    if (r == GV_OK && (r = gv_writer_open(out, file.fd, path, kind, err)) == GV_OK)
        (*out)->file = file;
    else
        gv_out_abort(&file);
    return r;
}

int gv_writer_fact(gv_writer *w, const char *key, gv_item v, gv_err *err)
{
    static const char *const own[] = { "kind", "format", "version", "stream", "history" };
    if (w->started)
        return gv_fail(err, GV_EINTERNAL, "fact '%s' comes after the header of '%s'", key, w->name);
    for (size_t i = 0; i < GV_COUNT(own); i++)
        if (!strcmp(key, own[i]))
            return gv_fail(err, GV_EINTERNAL, "'%s' is not a fact", key);
    if (v.type == GV_NIL) {
        gv_unset(&w->facts, key);
        return GV_OK;
    }
    return gv_set(&w->facts, key, v, err);
}

int gv_writer_inherit(gv_writer *w, const gv_record *header, gv_err *err)
{
    for (size_t i = 0; i < header->n; i++) {
        const gv_pair *p = &header->field[i];
        if (strcmp(p->key, "history")) {
            if (gv_writer_fact(w, p->key, p->value, err) < 0)
                return err->code;
            continue;
        }
        for (size_t k = 0; p->value.type == GV_ARRAY && k < p->value.array.n; k++) {
            if (w->nhistory == MAX_HISTORY)
                return gv_fail(err, GV_EDATA, "the history of '%s' is longer than %d programs", w->name, MAX_HISTORY);
            w->history[w->nhistory++] = p->value.array.v[k];
        }
    }
    return GV_OK;
}

int gv_writer_history(gv_writer *w, const char *program, const char *version, const gv_pair *options, size_t n, gv_err *err)
{
    if (w->nhistory == MAX_HISTORY)
        return gv_fail(err, GV_EDATA, "the history of '%s' is longer than %d programs", w->name, MAX_HISTORY);
    gv_pair *e = w->entry[w->nhistory];
    e[0] = (gv_pair){ "program", gv_item_text(program) };
    e[1] = (gv_pair){ "version", gv_item_text(version) };
    e[2] = (gv_pair){ "options", { .type = GV_MAPPING, .map = { (gv_pair *)options, n } } };
    w->history[w->nhistory++] = (gv_item){ .type = GV_MAPPING, .map = { e, 3 } };
    return GV_OK;
}

/* Remember the first failure and say where. */
static int failed(gv_writer *w, gv_err *err)
{
    if (w->err.code == GV_OK && err)
        w->err = *err;
    return err ? err->code : GV_ESYS;
}

static void advance(struct iovec **v, int *n, size_t k)
{
    while (*n && k >= (*v)->iov_len) {
        k -= (*v)->iov_len;
        ++*v;
        --*n;
    }
    if (*n) {
        (*v)->iov_base = (char *)(*v)->iov_base + k;
        (*v)->iov_len -= k;
    }
}

/* lent: v holds pages of w->lend, which go into the pipe as they are; by write(2) after all if the kernel will not have them. */
static int write_all(gv_writer *w, struct iovec *v, int n, bool lent, gv_err *err)
{
    while (n) {
        uint64_t t = gv_stream_now();
        ssize_t k;
        if (gv_fault("io")) {
            errno = ENOSPC;
            k = -1;
        } else
            k = lent ? vmsplice(w->fd, v, (size_t)n, 0) : writev(w->fd, v, n);
        gv_stream_add_wait(1, t);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = w->fd, .events = POLLOUT };
            (void)poll(&p, 1, -1);
            continue;
        }
        if (k < 0 && lent && (errno == EINVAL || errno == ENOSYS || errno == EPERM || errno == ENOMEM)) {
            w->lend.able = lent = false;
            continue;
        }
        if (k < 0) {
            if (errno == EPIPE)
                return gv_fail(err, GV_EPIPE, "the reader of '%s' has gone", w->name);
            return gv_fail_sys(err, "cannot write '%s'", w->name);
        }
        w->lend.sent += (uint64_t)k;
        advance(&v, &n, (size_t)k);
    }
    return GV_OK;
}

static bool holds(const gv_pages *g, const struct iovec *v)
{
    const char *p = v->iov_base;
    return g && v->iov_len >= GV_SPLICE_FROM && p >= g->buf && p + v->iov_len <= g->buf + g->cap;
}

/* A record whose payload lies in the source's buffer, or where another process put it: that goes into the pipe where it lies, what stands around it by way of the
 * ring. False: this is no such record, or there is no room. */
static bool lend_passed(gv_writer *w, struct iovec **v, int *n, int *r, gv_err *err)
{
    struct iovec piece[2 * GV_COUNT(w->pack.cut) + 1];
    bool held[GV_COUNT(piece)], own = false, others = false;
    gv_piece where[GV_COUNT(piece)];
    size_t around = 0, at = 0, payload = 0;
    for (int i = 0; i < *n; i++) {
        piece[i] = (*v)[i];
        where[i].file = 0;
        bool mine = holds(w->source, piece + i), other = !mine && w->reader && gv_reader_piece(w->reader, piece[i].iov_base, piece[i].iov_len, where + i);
        if (mine && w->source->file.file) {
            where[i] = w->source->file;
            where[i].at = (uint64_t)((char *)piece[i].iov_base - w->source->buf);
        }
        own |= mine;
        others |= other;
        held[i] = mine || other;
        *(held[i] ? &payload : &around) += piece[i].iov_len;
    }
    char *p = payload && around && around <= GV_SPLICE_FROM ? gv_lend_room(&w->lend, around) : NULL;
    uint64_t taken;
    if (!p)
        return false;
    if (!gv_lend_taken(&w->lend, &taken)) {
        gv_lend_stop(&w->lend);
        return false;
    }
    uint64_t begin = w->lend.sent;
    for (int i = 0; i < *n; i++) {
        if (!held[i]) {
            memcpy(p + at, piece[i].iov_base, piece[i].iov_len);
            piece[i].iov_base = p + at;
            at += piece[i].iov_len;
        } else if (where[i].file && w->lend.desk) {
            where[i].begin = begin;
            where[i].end = begin + piece[i].iov_len;
            gv_desk_write(w->lend.desk, where + i);
        }
        begin += piece[i].iov_len;
    }
    *r = write_all(w, piece, *n, true, err);
    if (*r == GV_OK) {
        gv_lend_sent(&w->lend, around);
        w->lend.bytes += payload;
        if (own) {
            w->source->until = w->lend.sent;
            w->source->taken = taken;
        }
        if (others)
            gv_reader_passed(w->reader, w->lend.sent);
    }
    *n = 0;
    return true;
}

/* Not what was packed. */
static bool is_payload(const gv_writer *w, const struct iovec *v)
{
    uintptr_t p = (uintptr_t)v->iov_base, buf = (uintptr_t)w->pack.buf.data;
    return p < buf || p >= buf + w->pack.buf.cap;
}

/* A whole record through a ring that its reader can look into: the first large payload lies on a multiple of 64 there, and the desk says where. False: there is no such
 * ring, or no room. */
static bool lend_shown(gv_writer *w, struct iovec **v, int *n, size_t bytes, int *r, gv_err *err)
{
    size_t before = 0, at = 0;
    int first = 0;
    while (first < *n && !is_payload(w, *v + first))
        before += (*v)[first++].iov_len;
    size_t shift = -before % 64;
    char *p = first < *n && bytes <= GV_LEND_DESK_MOST - 64 ? gv_lend_room(&w->lend, shift + bytes) : NULL;
    if (!p || !w->lend.desk)
        return false;
    for (int i = 0; i < *n; at += (*v)[i++].iov_len) {
        memcpy(p + shift + at, (*v)[i].iov_base, (*v)[i].iov_len);
        gv_piece piece = w->lend.file;
        piece.begin = w->lend.sent + at;
        piece.end = piece.begin + (*v)[i].iov_len;
        piece.at = (uint64_t)(p - w->lend.ring) + shift + at;
        if (is_payload(w, *v + i))
            gv_desk_write(w->lend.desk, &piece);
    }
    struct iovec all = { p + shift, bytes };
    *r = write_all(w, &all, 1, true, err);
    if (*r == GV_OK)
        gv_lend_sent(&w->lend, shift + bytes);
    *n = 0;
    return true;
}

/* Pieces through the ring for as long as there is room; what is left of v is for write(2). */
static int lend_all(gv_writer *w, struct iovec **v, int *n, size_t bytes, gv_err *err)
{
    int passed;
    if ((w->source || w->reader) && bytes >= GV_SPLICE_FROM && lend_passed(w, v, n, &passed, err))
        return passed;
    if (bytes >= GV_SPLICE_FROM && lend_shown(w, v, n, bytes, &passed, err))
        return passed;
    while (bytes >= GV_SPLICE_FROM) {
        size_t k = bytes < GV_LEND_MOST ? bytes : GV_LEND_MOST, have = 0;
        char *p = gv_lend_room(&w->lend, k);
        if (!p)
            return GV_OK;
        while (have < k) {
            size_t m = (*v)->iov_len < k - have ? (*v)->iov_len : k - have;
            memcpy(p + have, (*v)->iov_base, m);
            have += m;
            advance(v, n, m);
        }
        struct iovec piece = { p, k };
        int r = write_all(w, &piece, 1, true, err);
        if (r < 0)
            return r;
        gv_lend_sent(&w->lend, k);
        bytes -= k;
    }
    return GV_OK;
}

int gv_writer_flush(gv_writer *w, gv_err *err)
{
    if (w->err.code != GV_OK)
        return gv_fail(err, w->err.code, "%s", w->err.text);
    struct iovec vector[2 * GV_COUNT(w->pack.cut) + 1], *v = vector;
    int n = 0;
    size_t at = 0, bytes = 0;
    for (int i = 0; i <= w->pack.ncuts; i++) {
        size_t to = i < w->pack.ncuts ? w->pack.cut[i].at : w->pack.buf.len;
        if (to > at)
            v[n++] = (struct iovec){ w->pack.buf.data + at, to - at };
        if (i < w->pack.ncuts)
            v[n++] = (struct iovec){ (void *)w->pack.cut[i].data, w->pack.cut[i].bytes };
        at = to;
    }
    for (int i = 0; i < n; i++) {
        gv_hash_add(w->hash, v[i].iov_base, v[i].iov_len);
        bytes += v[i].iov_len;
    }
    w->pack.ncuts = 0;
    w->pack.buf.len = 0;
    gv_err mine = { 0 };
    err = err ? err : &mine;
    if (lend_all(w, &v, &n, bytes, err) < 0 || write_all(w, v, n, false, err) < 0)
        return failed(w, err);
    return GV_OK;
}

static int pack_field(gv_pack *p, const char *key, const gv_item *v, gv_err *err)
{
    int r = gv_pack_text(p, key, err);
    return r == GV_OK ? gv_pack_item(p, v, err) : r;
}

int gv_writer_start(gv_writer *w, gv_err *err)
{
    if (w->started)
        return gv_fail(err, GV_EINTERNAL, "the header of '%s' is written already", w->name);
    w->started = true;
    const gv_pair own[] = {
        { "kind", gv_item_text("header") }, { "format", gv_item_text("glovita-stream") }, { "version", gv_item_i64(1) },
        { "stream", gv_item_text(gv_kind_name(w->kind)) },
    };
    gv_item history = { .type = GV_ARRAY, .array = { w->history, w->nhistory } };
    int r = gv_pack_map(&w->pack, GV_COUNT(own) + w->facts.n + 1, err);
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(own); i++)
        r = pack_field(&w->pack, own[i].key, &own[i].value, err);
    for (size_t i = 0; r == GV_OK && i < w->facts.n; i++)
        r = pack_field(&w->pack, w->facts.field[i].key, &w->facts.field[i].value, err);
    if (r == GV_OK)
        r = pack_field(&w->pack, "history", &history, err);
    if (r < 0)
        return failed(w, err);
    return gv_writer_flush(w, err); /* now: readers plan by it, and facts are borrowed no longer */
}

int gv_put(gv_writer *w, const gv_record *rec, gv_err *err)
{
    if (w->err.code != GV_OK)
        return gv_fail(err, w->err.code, "%s", w->err.text);
    if (!w->started)
        return gv_fail(err, GV_EINTERNAL, "a record for '%s' comes before its header", w->name);
    if (rec->kind != w->kind && rec->kind != GV_ERROR_RECORD)
        return gv_fail(err, GV_EINTERNAL, "a %s record does not belong into '%s', a stream of %s records", gv_kind_name(rec->kind),
                       w->name, gv_kind_name(w->kind));
    size_t mark = w->pack.buf.len;
    gv_item kind = gv_item_text(gv_kind_name(rec->kind));
    int r = gv_pack_map(&w->pack, rec->n + 1, err);
    if (r == GV_OK)
        r = pack_field(&w->pack, "kind", &kind, err);
    for (size_t i = 0; r == GV_OK && i < rec->n; i++)
        r = pack_field(&w->pack, rec->field[i].key, &rec->field[i].value, err);
    if (r < 0) { /* nothing of it is written: the caller may send an error record instead */
        w->pack.buf.len = mark;
        w->pack.ncuts = 0;
        return r;
    }
    w->records++;
    if (w->pack.ncuts || w->pack.buf.len >= FLUSH_AT)
        return gv_writer_flush(w, err);
    return GV_OK;
}

bool gv_writer_taken(const gv_writer *w, uint64_t *bytes)
{
    return gv_lend_taken(&w->lend, bytes);
}

uint64_t gv_writer_lent(const gv_writer *w)
{
    return w->lend.bytes;
}

uint64_t gv_writer_records(const gv_writer *w)
{
    return w->records;
}

static int put_end(gv_writer *w, gv_err *err)
{
    char hex[17];
    if (!w->started && gv_writer_start(w, err) < 0)
        return GV_ESYS;
    if (gv_writer_flush(w, err) < 0)
        return GV_ESYS;
    snprintf(hex, sizeof hex, "%016" PRIx64, gv_hash_value(w->hash));
    const gv_pair end[] = { { "kind", gv_item_text("end") }, { "count", gv_item_i64((int64_t)w->records) }, { "digest", gv_item_text(hex) } };
    int r = gv_pack_map(&w->pack, GV_COUNT(end), err);
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(end); i++)
        r = pack_field(&w->pack, end[i].key, &end[i].value, err);
    return r == GV_OK ? gv_writer_flush(w, err) : r;
}

int gv_writer_close(gv_writer **out, bool good, gv_err *err)
{
    gv_writer *w = *out;
    if (!w)
        return GV_OK;
    *out = NULL;
    gv_err mine = { 0 };
    if (good)
        (void)put_end(w, &mine);
    else if (w->started && w->err.code == GV_OK && gv_writer_flush(w, &mine) < 0)
        w->err = mine; /* it was to be whole records, so that the reader can name the last one */
    if (mine.code == GV_OK)
        mine = w->err;
    if (w->file.fd >= 0) {
        if (good && mine.code == GV_OK)
            (void)(gv_out_commit(&w->file, &mine) < 0);
        gv_out_abort(&w->file);
    } else if (close(w->fd) < 0 && mine.code == GV_OK)
        gv_fail_sys(&mine, "cannot close '%s'", w->name);
    gv_lend_stop(&w->lend);
    if (w->reader)
        gv_reader_untie(w->reader);
    gv_buf_release(&w->pack.buf);
    gv_hash_close(w->hash);
    gv_free(w);
    return mine.code == GV_OK ? GV_OK : gv_fail(err, mine.code, "%s", mine.text);
}
