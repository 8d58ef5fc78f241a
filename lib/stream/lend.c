/* lend: a ring of pages that go into a pipe as they are (lend.h says when that is safe). */
#include "stream/lend.h"
#include "common/fault.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, SPARE = 1 << 20, SHOWN = 2 << 20, PIPE_MOST = 8 << 20 };

bool gv_lend_allow(int fd, int desk)
{
    struct stat st;
    struct flock k = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = desk + 1 }; /* refused: the writer copies */
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(fd, F_SETLK, &k) == 0;
}

/* The process that allows it now, or 0, and the number of its desk. A lock of this process itself does not show. */
static pid_t reader_of(int fd, int *desk)
{
    struct flock k = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_GETLK, &k) < 0 || k.l_type != F_RDLCK || k.l_pid <= 0)
        return 0;
    *desk = k.l_start > 0 && k.l_start < 1 << 20 ? (int)k.l_start - 1 : -1;
    return k.l_pid;
}

void gv_lend_init(gv_lend *l, int fd)
{
    *l = (gv_lend){ .fd = fd };
    int pipe = fcntl(fd, F_GETPIPE_SZ);
    l->able = pipe > 0 && pipe <= PIPE_MOST && sysconf(_SC_PAGESIZE) == PAGE;
    l->size = l->able ? (size_t)pipe + SPARE : 0; /* a full pipe, and always room for the next piece */
}

void gv_lend_stop(gv_lend *l)
{
    if (l->ring)
        munmap(l->ring, l->size); /* pages in the pipe live until they are read, and the file's as long as a reader has mapped it */
    if (l->desk) {
        munmap(l->desk, sizeof *l->desk);
        close(l->file.fd);
    }
    l->ring = NULL;
    l->desk = NULL;
    l->able = false;
    l->n = 0;
}

/* A file of memory that says where it is; NULL: the system has none. */
static void *new_file(size_t size, gv_piece *file)
{
    struct stat st;
    void *p;
    int fd = gv_desk_file(size, &p);
    if (fd >= 0 && fstat(fd, &st) < 0) {
        munmap(p, size);
        close(fd);
        fd = -1;
    }
    *file = (gv_piece){ 0 };
    if (fd >= 0)
        *file = (gv_piece){ .pid = getpid(), .fd = fd, .file = st.st_ino };
    return fd >= 0 ? p : NULL;
}

/* The reader's desk, and a ring that it can map. */
static void *start_desk(gv_lend *l, int desk)
{
    size_t size;
    uint64_t file;
    gv_desk *d = desk < 0 ? NULL : gv_desk_map(l->reader, desk, true, sizeof *d, &size, &file);
    void *ring = d && size == sizeof *d ? new_file(l->size + SHOWN, &l->file) : NULL;
    if (ring) {
        l->size += SHOWN; /* filters hold what lies in the pipes behind them, too */
        l->desk = d;
    } else if (d)
        munmap(d, size);
    return ring;
}

static bool start(gv_lend *l)
{
    int desk;
    if (!(l->reader = reader_of(l->fd, &desk)))
        return false;
    if ((l->ring = start_desk(l, desk)))
        return true;
    void *p = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        l->able = false;
        return false;
    }
    (void)madvise(p, l->size, MADV_DONTFORK);
    l->ring = p;
    return true;
}

bool gv_lend_taken(const gv_lend *l, uint64_t *bytes)
{
    int unread, desk;
    if (l->desk) { /* what it has taken it may still look at; when it has gone, this stays as it is, and nothing is used again */
        *bytes = atomic_load_explicit(&l->desk->released, memory_order_acquire);
        return *bytes <= l->sent;
    }
    if (!l->ring || ioctl(l->fd, FIONREAD, &unread) < 0 || unread < 0 || reader_of(l->fd, &desk) != l->reader)
        return false;
    /* Bytes that others wrote into the same pipe can only make it less. */
    *bytes = (uint64_t)unread < l->sent ? l->sent - (uint64_t)unread : 0;
    return true;
}

/* Forget the pieces that have been read. False: the reader is no longer the one that promised. */
static bool look(gv_lend *l)
{
    uint64_t out;
    if (!gv_lend_taken(l, &out))
        return false;
    while (l->n && l->piece[l->first].end <= out) {
        l->first = (l->first + 1) % GV_LEND_PIECES;
        l->n--;
    }
    return true;
}

static bool taken(const gv_lend *l, size_t from, size_t to)
{
    for (int i = 0; i < l->n; i++) {
        int k = (l->first + i) % GV_LEND_PIECES;
        if (from < l->piece[k].to && l->piece[k].from < to)
            return true;
    }
    return l->n == GV_LEND_PIECES;
}

void *gv_lend_room(gv_lend *l, size_t n)
{
    if (!l->able || (!l->ring && !start(l)) || n > (l->desk ? (size_t)GV_LEND_DESK_MOST : (size_t)GV_LEND_MOST))
        return NULL;
    if (l->desk && look(l) && !l->n)
        l->at = 0; /* nobody looks at anything: what was used last is still in a cache */
    if (l->size - l->at < n)
        l->at = 0;
    if (!taken(l, l->at, l->at + n))
        return l->ring + l->at;
    if (!look(l)) {
        gv_lend_stop(l);
        return NULL;
    }
    return taken(l, l->at, l->at + n) ? NULL : l->ring + l->at;
}

void gv_lend_sent(gv_lend *l, size_t n)
{
    int k = (l->first + l->n++) % GV_LEND_PIECES;
    size_t pages = (n + PAGE - 1) / PAGE * PAGE;
    l->piece[k].from = l->at;
    l->piece[k].to = l->at + pages;
    l->piece[k].end = l->sent;
    l->at += pages;
    l->bytes += n;
}

static void drop(char *buf, size_t cap, const gv_piece *file)
{
    munmap(buf, cap + 1);
    if (file->file)
        close(file->fd);
}

static int new_buffer(gv_pages *g, size_t cap, char **buf, gv_piece *file, gv_err *err)
{
    *file = (gv_piece){ 0 };
    void *p = gv_fault("arena") ? MAP_FAILED : g->shown ? new_file(cap + 1, file) : NULL;
    if (!p && (p = mmap(NULL, cap + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
        gv_large_pages(p, cap);
    *buf = p;
    return p == MAP_FAILED ? gv_fail(err, GV_ESYS, "no memory for a buffer of %zu bytes", cap) : GV_OK;
}

int gv_pages_fresh(gv_pages *g, size_t cap, const char *from, size_t keep, gv_err *err)
{
    if (g->buf && !g->until && g->cap >= cap)
        return GV_OK;
    int use = -1;
    char *p;
    gv_piece file;
    for (int i = g->naway - 1; i >= 0 && use < 0; i--)
        use = g->away[i].until <= g->taken && g->away[i].cap >= cap ? i : -1;
    if (use >= 0) {
        p = g->away[use].buf;
        cap = g->away[use].cap;
        file = g->away[use].file;
    } else {
        if (new_buffer(g, cap, &p, &file, err) < 0)
            return err ? err->code : GV_ESYS;
        if (g->naway == GV_PAGES_AWAY) { /* its pages live in the pipe until they are read, and for a reader who has mapped them */
            drop(g->away[0].buf, g->away[0].cap, &g->away[0].file);
            use = 0;
        }
    }
    if (use >= 0)
        memmove(g->away + use, g->away + use + 1, (size_t)(--g->naway - use) * sizeof *g->away);
    if (keep)
        memcpy(p, from, keep);
    if (g->buf && g->until) {
        g->away[g->naway].buf = g->buf;
        g->away[g->naway].cap = g->cap;
        g->away[g->naway].file = g->file;
        g->away[g->naway++].until = g->until;
    } else if (g->buf)
        drop(g->buf, g->cap, &g->file);
    g->buf = p;
    g->cap = cap;
    g->file = file;
    g->until = 0;
    return GV_OK;
}

void gv_pages_release(gv_pages *g)
{
    if (g->buf)
        drop(g->buf, g->cap, &g->file);
    for (int i = 0; i < g->naway; i++)
        drop(g->away[i].buf, g->away[i].cap, &g->away[i].file);
    *g = (gv_pages){ 0 };
}
