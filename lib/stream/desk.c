/* desk: memory that both ends of a pipe see (desk.h). What the other end wrote is checked before it is believed. */
#include "stream/desk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOEXEC = 8 }; /* MFD_NOEXEC_SEAL, which the C library does not name yet */

int gv_desk_file(size_t size, void **p)
{
    int fd = memfd_create("glovita-stream", MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("glovita-stream", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *p = NULL;
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!*p || *p == MAP_FAILED) {
        *p = NULL;
        close(fd);
        return -1;
    }
    (void)madvise(*p, size, MADV_DONTFORK);
    return fd;
}

void *gv_desk_map(int pid, int fd, bool writable, size_t least, size_t *size, uint64_t *file)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    int f = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (f < 0)
        return NULL;
    int seals = fcntl(f, F_GET_SEALS); /* nothing but a file of memory has them, and nobody can cut it under us */
    void *p = NULL;
    if (seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(f, &st) == 0 && st.st_size > 0 && (size_t)st.st_size >= least) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, f, 0);
        p = p == MAP_FAILED ? NULL : p;
        *size = (size_t)st.st_size;
        *file = st.st_ino;
    }
    close(f);
    return p;
}

void gv_desk_write(gv_desk *d, const gv_piece *p)
{
    uint64_t k = atomic_load_explicit(&d->written, memory_order_relaxed);
    gv_piece *to = d->piece + k % GV_DESK_PIECES;
    if (k >= GV_DESK_PIECES && to->end > atomic_load_explicit(&d->released, memory_order_acquire))
        return;
    *to = *p;
    atomic_store_explicit(&d->written, k + 1, memory_order_release);
}

bool gv_desk_find(gv_desk *d, uint64_t *next, uint64_t at, gv_piece *p)
{
    uint64_t n = atomic_load_explicit(&d->written, memory_order_acquire);
    if (n < *next || n - *next > GV_DESK_PIECES)
        return false;
    for (; *next < n; ++*next) {
        *p = d->piece[*next % GV_DESK_PIECES];
        if (p->end > at)
            return p->begin < p->end;
    }
    return false;
}
