/*
 * Tar archives, read from front to back: a pipe is enough. Names are texts here, nothing is ever opened or made by them.
 *
 *   gv_tar *t;
 *   gv_tar_open(&t, fd, "stdin", &err);                        // takes fd over
 *   while ((r = gv_tar_next(t, &m, &err)) > 0)
 *       if (r == GV_TAR_MEMBER && m.type == '0' && m.size <= cap)
 *           gv_tar_read(t, &bytes, &err);                      // appended; what is not read is passed over
 *   gv_tar_close(t);
 *
 * POSIX ustar and pax (path, linkpath, size), GNU long names, sizes in base 256, and the form of version 7. Several archives may
 * follow each other. A member stored sparsely or continued in another volume, a header whose checksum is wrong, and an archive that
 * ends without its end mark are GV_EDATA with the place in bytes: the sender has died. Claimed sizes are believed as bytes arrive.
 * Source: POSIX.1-2008, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar's manual, "Basic Tar Format".
 */
#ifndef GV_DATA_TAR_H
#define GV_DATA_TAR_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct gv_tar gv_tar;

typedef struct gv_tar_member {
    const char *name;  /* without "./" in front; lives until the next call */
    const char *link;  /* what it leads to, "" when it is no link */
    char type;         /* '0' a file, '1' a hard and '2' a symbolic link, '5' a folder, … */
    bool sparse;       /* pax: its bytes begin with a map of holes */
    uint64_t size, at; /* bytes; where its header begins */
} gv_tar_member;

enum { GV_TAR_MEMBER = 1, GV_TAR_ARCHIVE_ENDS = 2 };

int gv_tar_open(gv_tar **t, int fd, const char *name, gv_err *err) GV_MUST_USE;
/* GV_TAR_MEMBER; GV_TAR_ARCHIVE_ENDS behind the last member of each archive; 0 at the end; < 0 an error, which stays. */
int gv_tar_next(gv_tar *t, gv_tar_member *m, gv_err *err) GV_MUST_USE;
/* All bytes of the member, appended to b. */
int gv_tar_read(gv_tar *t, gv_buf *b, gv_err *err) GV_MUST_USE;
void gv_tar_close(gv_tar *t);

#endif
