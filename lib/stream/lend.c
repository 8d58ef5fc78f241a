/* lend: a ring of pages that go into a pipe as they are (lend.h says when that is safe). */
#include "stream/lend.h"
#include "common/fault.h"
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, SPARE = 1 << 20, PIPE_MOST = 8 << 20 };

void gv_lend_allow(int fd)
{
    struct stat st;
    struct flock k = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
        (void)fcntl(fd, F_SETLK, &k); /* refused: the writer copies */
}

/* The process that allows it now, or 0. A lock of this process itself does not show. */
static pid_t reader_of(int fd)
{
    struct flock k = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(fd, F_GETLK, &k) == 0 && k.l_type == F_RDLCK && k.l_pid > 0 ? k.l_pid : 0;
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
        munmap(l->ring, l->size); /* pages in the pipe live until they are read */
    l->ring = NULL;
    l->able = false;
    l->n = 0;
}

static bool start(gv_lend *l)
{
    if (!(l->reader = reader_of(l->fd)))
        return false;
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
    int unread;
    if (!l->ring || ioctl(l->fd, FIONREAD, &unread) < 0 || unread < 0 || reader_of(l->fd) != l->reader)
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
    if (!l->able || n > GV_LEND_MOST || (!l->ring && !start(l)))
        return NULL;
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

int gv_pages_fresh(gv_pages *g, size_t cap, const char *from, size_t keep, gv_err *err)
{
    if (g->buf && !g->until && g->cap >= cap)
        return GV_OK;
    int use = -1;
    char *p;
    for (int i = g->naway - 1; i >= 0 && use < 0; i--)
        use = g->away[i].until <= g->taken && g->away[i].cap >= cap ? i : -1;
    if (use >= 0) {
        p = g->away[use].buf;
        cap = g->away[use].cap;
    } else {
        p = gv_fault("arena") ? MAP_FAILED : mmap(NULL, cap + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return gv_fail(err, GV_ESYS, "no memory for a buffer of %zu bytes", cap);
        gv_large_pages(p, cap);
        if (g->naway == GV_PAGES_AWAY) { /* its pages live in the pipe until they are read */
            munmap(g->away[0].buf, g->away[0].cap + 1);
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
        g->away[g->naway++].until = g->until;
    } else if (g->buf)
        munmap(g->buf, g->cap + 1);
    g->buf = p;
    g->cap = cap;
    g->until = 0;
    return GV_OK;
}

void gv_pages_release(gv_pages *g)
{
    if (g->buf)
        munmap(g->buf, g->cap + 1);
    for (int i = 0; i < g->naway; i++)
        munmap(g->away[i].buf, g->away[i].cap + 1);
    *g = (gv_pages){ 0 };
}
