/*
 * A desk between the two ends of a pipe: what makes a large payload readable where its writer put it, without a copy out of the pipe.
 *
 * The reader makes a page of memory (memfd) and says which in the lock by which it lets pages be lent (lend.h): the lock begins at the descriptor's number plus one, and
 * /proc/PID/fd leads the writer there. A writer whose ring is a file of the same kind writes a piece on the desk (which bytes of the stream lie where in which
 * file), and then puts those bytes into the pipe as ever. A reader that finds a piece maps the file, throws the bytes out of the pipe unread (splice to /dev/null) and looks at
 * them where they lie; it writes on the desk up to where it needs the stream no more, and only then the ring is used again. So the bytes of a pipe are the same for
 * everybody, and whoever cannot open or map something reads it as ever. A filter passes on pieces of others as they are, and holds what it passed on until its own reader is done.
 * What is read is digested there: memory that was used again too early is an error of data, never a silent one.
 */
#ifndef GV_STREAM_DESK_H
#define GV_STREAM_DESK_H

#include "stream/stream.h"
#include <stdbool.h>
#include <stdint.h>

enum { GV_DESK_PIECES = 256 };

typedef struct gv_piece {
    uint64_t begin, end; /* bytes of the stream */
    int32_t pid, fd;     /* whose file it is, and its number there */
    uint64_t file;       /* its inode: the number may be another file's by now */
    uint64_t at;         /* where in it */
} gv_piece;

typedef struct gv_desk {
    _Atomic uint64_t released; /* the reader's: it needs no byte of the stream before this */
    _Atomic uint64_t written;  /* the writer's: pieces so far; number k lies at k % GV_DESK_PIECES */
    gv_piece piece[GV_DESK_PIECES];
} gv_desk;

/* A file of memory that keeps its size, mapped; -1 and NULL where the system has none. */
int gv_desk_file(size_t size, void **p);
/* The file that a process has under this number, mapped: one that keeps its size, of at least `least` bytes. NULL: none. *size, *file: its size and inode. */
void *gv_desk_map(int pid, int fd, bool writable, size_t least, size_t *size, uint64_t *file);
/* The writer: one more piece; nothing happens where the desk is full. */
void gv_desk_write(gv_desk *d, const gv_piece *p);
/* The reader: the first piece that ends behind byte `at`, into *p; *next goes on from call to call. */
bool gv_desk_find(gv_desk *d, uint64_t *next, uint64_t at, gv_piece *p);

#endif
