/* tar: members of archives, one behind the other. */
#include "data/tar.h"
#include "common/fault.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512, READ = 256 << 10, MAX_NAME = 64 << 10, MAX_PAX = 1 << 20, PIECE = 4 << 20 };

/* Where fields lie in a header. */
enum { NAME = 0, SIZE = 124, CHECKSUM = 148, TYPE = 156, LINK = 157, MAGIC = 257, PREFIX = 345 };

struct gv_tar {
    int fd, failed;
    const char *text;       /* how messages call it */
    uint64_t at, left;      /* bytes behind us; of the member still to come, without padding */
    size_t pad;             /* bytes up to the next block behind them */
    bool inside;            /* an archive has begun and not ended */
    gv_buf name, link, pax; /* of the next member, from the entries before it */
    uint64_t size;          /* the same; UINT64_MAX: the header's own */
    bool sparse, renamed;   /* renamed: the path beside a sparse name is a made-up one */
    size_t from, to;
    uint8_t buf[READ];
};

int gv_tar_open(gv_tar **out, int fd, const char *name, gv_err *err)
{
    gv_tar *t = *out = gv_alloc(sizeof *t, err);
    if (!t) {
        close(fd);
        return GV_ESYS;
    }
    t->fd = fd;
    t->text = name;
    t->size = UINT64_MAX;
    return GV_OK;
}

void gv_tar_close(gv_tar *t)
{
    if (!t)
        return;
    close(t->fd);
    gv_buf_release(&t->name);
    gv_buf_release(&t->link);
    gv_buf_release(&t->pax);
    gv_free(t);
}

/* ---- bytes ---- */

/* Some bytes at *p, at most `most`; 0 at the end. */
static int64_t some(gv_tar *t, size_t most, const uint8_t **p, gv_err *err)
{
    if (t->from == t->to) {
        ssize_t n;
        do
            n = gv_fault("read") ? (errno = EIO, -1) : read(t->fd, t->buf, READ);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return n < 0 ? gv_fail_sys(err, "cannot read '%s'", t->text) : 0;
        t->from = 0;
        t->to = (size_t)n;
    }
    size_t n = t->to - t->from < most ? t->to - t->from : most;
    *p = t->buf + t->from;
    t->from += n;
    t->at += n;
    return (int64_t)n;
}

static int cut(const gv_tar *t, const char *where, gv_err *err)
{
    return gv_fail(err, GV_EDATA, "'%s' ends after %" PRIu64 " bytes, %s: it was cut", t->text, t->at, where);
}

/* n bytes into b (NULL: passed over). */
static int take(gv_tar *t, uint64_t n, gv_buf *b, const char *where, gv_err *err)
{
    while (n) {
        const uint8_t *p = NULL;
        int64_t got = some(t, n < PIECE ? (size_t)n : PIECE, &p, err);
        if (got <= 0)
            return got < 0 ? (int)got : cut(t, where, err);
        if (b && gv_buf_add(b, p, (size_t)got, err) < 0)
            return GV_ESYS;
        n -= (uint64_t)got;
    }
    return GV_OK;
}

/* A block: 1, or 0 at the end. */
static int block(gv_tar *t, uint8_t *h, gv_err *err)
{
    for (size_t n = 0; n < BLOCK;) {
        const uint8_t *p = NULL;
        int64_t got = some(t, BLOCK - n, &p, err);
        if (got < 0)
            return (int)got;
        if (!got)
            return n ? cut(t, "in the middle of a header", err) : 0;
        memcpy(h + n, p, (size_t)got);
        n += (size_t)got;
    }
    return 1;
}

/* ---- headers ---- */

static bool zeros(const uint8_t *h)
{
    for (int i = 0; i < BLOCK; i++)
        if (h[i])
            return false;
    return true;
}

/* Octal digits, or base 256 where the first bit is set. false: neither, or negative, or of more than 62 bits. */
static bool number(const uint8_t *p, int n, uint64_t *out)
{
    int i = 0;
    *out = 0;
    if (*p & 0x80) {
        uint64_t v = *p & 0x3f;
        if (*p & 0x40)
            return false;
        for (i = 1; i < n; i++) {
            if (v >> 54)
                return false;
            v = v << 8 | p[i];
        }
        *out = v;
        return true;
    }
    while (i < n && (p[i] == ' ' || !p[i]))
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    return i == n || p[i] == ' ' || !p[i];
}

static const char *packed_with(const uint8_t *h)
{
    return h[0] == 0x1f && h[1] == 0x8b ? "gzip" : !memcmp(h, "BZh", 3) ? "bzip2" : !memcmp(h, "\xfd" "7zXZ", 5) ? "xz" : !memcmp(h, "\x28\xb5\x2f\xfd", 4) ? "zstd" : NULL;
}

static int check(const gv_tar *t, const uint8_t *h, gv_err *err)
{
    uint64_t want, at = t->at - BLOCK;
    int64_t sum = 0, other = 0; /* some old programs added signed bytes */
    for (int i = 0; i < BLOCK; i++) {
        uint8_t c = i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : h[i];
        sum += c;
        other += (int8_t)c;
    }
    if (number(h + CHECKSUM, 8, &want) && ((int64_t)want == sum || (int64_t)want == other))
        return GV_OK;
    if (!at && packed_with(h))
        return gv_fail(err, GV_EDATA, "'%s' is compressed: put '%s -dc' in front", t->text, packed_with(h));
    return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": this is no header of a tar archive (its bytes add up to %" PRId64 ")", t->text, at, sum);
}

/* ---- entries that speak of the next one ---- */

/* "27 path=some/long/name.jpg\n", one behind the other. */
static int pax(gv_tar *t, gv_err *err)
{
    const char *p = t->pax.data, *end = p + t->pax.len;
    while (p < end && *p) {
        char *after;
        uint64_t n = *p >= '1' && *p <= '9' ? strtoull(p, &after, 10) : 0;
        const char *key = n ? after + 1 : NULL, *next = n <= (uint64_t)(end - p) ? p + n : NULL;
        const char *is = key && next && *after == ' ' && key < next ? memchr(key, '=', (size_t)(next - key)) : NULL;
        if (!is || next[-1] != '\n')
            return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": an extended header is damaged", t->text, t->at);
        size_t k = (size_t)(is - key), len = (size_t)(next - 1 - (is + 1));
        bool real = k == 15 && !memcmp(key, "GNU.sparse.name", 15), path = k == 4 && !memcmp(key, "path", 4) && !t->renamed;
        gv_buf *text = real || path ? &t->name : k == 8 && !memcmp(key, "linkpath", 8) ? &t->link : NULL;
        t->renamed |= real;
        if (text) {
            text->len = 0;
            if (len > MAX_NAME)
                return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": a name has %zu bytes; at most %d are read", t->text, t->at, len, MAX_NAME);
            if (gv_buf_add(text, is + 1, len, err) < 0)
                return GV_ESYS;
        }
        if (k == 4 && !memcmp(key, "size", 4)) {
            t->size = strtoull(is + 1, &after, 10);
            if (is[1] < '0' || is[1] > '9' || after != next - 1 || t->size >> 62)
                return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": a size is not a number", t->text, t->at);
        }
        t->sparse |= k > 11 && !memcmp(key, "GNU.sparse.", 11);
        p = next;
    }
    return GV_OK;
}

/* 1: it was such an entry, and is read; 0: a member. */
static int speaks(gv_tar *t, char type, uint64_t size, gv_err *err)
{
    gv_buf *to = type == 'L' ? &t->name : type == 'K' ? &t->link : type == 'x' || type == 'g' ? &t->pax : NULL;
    if (!to)
        return 0;
    if (size > (to == &t->pax ? MAX_PAX : MAX_NAME))
        return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": an entry of type '%c' claims %" PRIu64 " bytes", t->text, t->at - BLOCK, type, size);
    to->len = 0;
    if (take(t, size, to, "in an extended header", err) < 0 || take(t, (BLOCK - size % BLOCK) % BLOCK, NULL, "in an extended header", err) < 0 || gv_buf_add(to, "", 1, err) < 0)
        return err->code;
    to->len--;
    if (type == 'x' && pax(t, err) < 0)
        return err->code;
    return 1;
}

/* The name in the header itself, of at most `n` bytes. */
static int own_text(gv_buf *b, const uint8_t *p, size_t n, gv_err *err)
{
    return gv_buf_add(b, p, strnlen((const char *)p, n), err);
}

static int own_name(gv_tar *t, const uint8_t *h, gv_err *err)
{
    bool posix = !memcmp(h + MAGIC, "ustar\0", 6);
    t->name.len = 0;
    if (posix && h[PREFIX] && (own_text(&t->name, h + PREFIX, 155, err) < 0 || gv_buf_add(&t->name, "/", 1, err) < 0))
        return GV_ESYS;
    return own_text(&t->name, h + NAME, 100, err);
}

static int member(gv_tar *t, const uint8_t *h, bool named, bool linked, uint64_t size, gv_tar_member *m, gv_err *err)
{
    uint64_t at = t->at - BLOCK;
    char type = h[TYPE] ? (char)h[TYPE] : '0';
    if (type == 'S' || type == 'M')
        return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": '%.100s' is %s: make the archive without that", t->text, at, (const char *)h, type == 'S' ? "stored sparsely" : "continued from another volume");
    if (!named && own_name(t, h, err) < 0)
        return GV_ESYS;
    if (!linked)
        t->link.len = 0;
    if (!linked && own_text(&t->link, h + LINK, 100, err) < 0)
        return GV_ESYS;
    if (gv_buf_add(&t->name, "", 1, err) < 0 || gv_buf_add(&t->link, "", 1, err) < 0)
        return GV_ESYS;
    const char *name = t->name.data;
    while (name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/';)
            name++;
    size_t n = strlen(name);
    type = type == '7' ? '0' : type == '0' && n && name[n - 1] == '/' ? '5' : type;
    if (type >= '1' && type <= '6')
        size = 0; /* links, devices and folders have no bytes, whatever the field says */
    *m = (gv_tar_member){ .name = name, .link = t->link.data, .type = type, .sparse = t->sparse, .size = size, .at = at };
    t->left = size;
    t->pad = (BLOCK - size % BLOCK) % BLOCK;
    return GV_TAR_MEMBER;
}

static int next(gv_tar *t, gv_tar_member *m, gv_err *err)
{
    uint8_t h[BLOCK];
    bool named = false, linked = false;
    if (take(t, t->left, NULL, "in the middle of a member", err) < 0 || take(t, t->pad, NULL, "behind a member", err) < 0)
        return err->code;
    t->left = t->pad = 0;
    t->size = UINT64_MAX;
    t->sparse = t->renamed = false;
    t->name.len = t->link.len = 0;
    for (int r; (r = block(t, h, err)) != 0;) {
        uint64_t size;
        if (r < 0)
            return r;
        if (zeros(h)) {
            if (!t->inside)
                continue; /* what fills up the last record */
            t->inside = false;
            return GV_TAR_ARCHIVE_ENDS;
        }
        t->inside = true;
        if (check(t, h, err) < 0)
            return err->code;
        if (!number(h + SIZE, 12, &size))
            return gv_fail(err, GV_EDATA, "'%s', byte %" PRIu64 ": the size of '%.100s' is not a number that can be", t->text, t->at - BLOCK, (const char *)h);
        r = speaks(t, (char)h[TYPE], size, err);
        if (r < 0)
            return r;
        if (!r)
            return member(t, h, named, linked, t->size != UINT64_MAX ? t->size : size, m, err);
        named |= t->name.len > 0;
        linked |= t->link.len > 0;
    }
    return t->inside ? cut(t, "without the end mark of an archive", err) : 0;
}

int gv_tar_next(gv_tar *t, gv_tar_member *m, gv_err *err)
{
    if (t->failed)
        return gv_fail(err, t->failed, "'%s' cannot be read on", t->text);
    int r = next(t, m, err);
    t->failed = r < 0 ? r : 0;
    return r;
}

int gv_tar_read(gv_tar *t, gv_buf *b, gv_err *err)
{
    uint64_t n = t->left;
    int r = t->failed ? gv_fail(err, t->failed, "'%s' cannot be read on", t->text) : take(t, n, b, "in the middle of a member", err);
    t->failed = r < 0 ? r : 0;
    t->left = 0;
    return r;
}
