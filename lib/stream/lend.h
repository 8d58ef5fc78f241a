/*
 * Pages lent to a pipe instead of copied into it. write(2) to a pipe takes a fresh page of the kernel for every 4 KiB, accounts for it
 * and gives it back when it is read, which costs three times the copying. vmsplice(2) puts our own pages into the pipe, and they
 * are used again once they have been read.
 *
 * Only safe towards a reader that takes bytes out by read(2): one that moves pages on (splice, tee: pv does) would later see what we
 * put there next. So a reader of ours says so by a read lock (fcntl) on its end of the pipe, which dies with it, and a writer lends
 * pages only while a process holds that lock, and uses a page again only when all bytes up to it have been read and the same process
 * still holds it (a reader that makes a desk says itself what it needs no more: desk.h). What lies in a buffer that the writer knows as its source (gv_writer_source: that of the reader it is tied to, a batch's samples) goes into the
 * pipe where it lies, and its owner goes on in another buffer meanwhile (gv_pages). In every other case (a filter of somebody else, a file, a kernel that refuses) bytes go by write(2) as ever.
 */
#ifndef GV_STREAM_LEND_H
#define GV_STREAM_LEND_H

#include "stream/desk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { GV_LEND_PIECES = 64, GV_LEND_MOST = 256 << 10, GV_LEND_DESK_MOST = 768 << 10 };

typedef struct gv_lend {
    int fd;
    bool able;
    pid_t reader; /* who holds the lock; 0: nobody seen yet */
    gv_desk *desk; /* the reader's; NULL: it has none */
    gv_piece file; /* of the ring, if there is a desk: pid, fd, file */
    char *ring;
    size_t size, at;
    uint64_t sent;  /* bytes of the stream in the pipe so far, lent or written */
    uint64_t bytes; /* of them lent */
    int first, n;   /* pieces that may still be in the pipe, oldest first */
    struct { size_t from, to; uint64_t end; } piece[GV_LEND_PIECES];
} gv_lend;

/* A buffer in hand, and those whose bytes may still be in the pipe. */
enum { GV_PAGES_AWAY = 16 };
typedef struct gv_pages {
    char *buf;       /* mapped, `cap` bytes and one spare; NULL: none yet */
    size_t cap;
    uint64_t until;  /* bytes of buf were lent: it is free when the pipe's reader has taken so many of the stream; 0: they were not */
    uint64_t taken;  /* that it had, when it was asked last */
    bool shown;      /* set by the owner: buffers are files of memory, which the reader may look into (desk.h) */
    gv_piece file;   /* buf's; file.file 0: it is none */
    struct { char *buf; size_t cap; uint64_t until; gv_piece file; } away[GV_PAGES_AWAY]; /* oldest first */
    int naway;
} gv_pages;

/* A buffer of at least `cap` bytes in hand that nobody else sees: the one there is, if it was not lent and is large enough, or the one that came back
 * last, since it is still in a cache, or a new one. The first `keep` bytes from `from` on come along. */
int gv_pages_fresh(gv_pages *g, size_t cap, const char *from, size_t keep, gv_err *err) GV_MUST_USE;
void gv_pages_release(gv_pages *g);
/* From now on tensors that lie in g->buf may be lent by gv_put, which then sets g->until; gv_pages_fresh comes before the next byte is written there. One source
 * for a writer: the last that was named, a tied reader's or this. NULL: none. */
void gv_writer_source(gv_writer *w, gv_pages *g);

/* The reader's word, on the pipe's reading end; nothing happens for anything but a pipe. desk: the number of the desk's file, -1: none. False: it
 * was not heard. */
bool gv_lend_allow(int fd, int desk);

/* For a pipe's writing end. */
void gv_lend_init(gv_lend *l, int fd);
/* Room for n (at most GV_LEND_MOST, with a desk GV_LEND_DESK_MOST) bytes that no reader can still see, to be filled and sent by vmsplice; NULL: use write(2). */
void *gv_lend_room(gv_lend *l, size_t n);
/* The n bytes of the last room are in the pipe, and l->sent counts them. */
void gv_lend_sent(gv_lend *l, size_t n);
/* How much of the stream the pipe's reader has taken out. False: the reader is no longer the one that promised, and pages in the pipe must never
 * be written to again. */
bool gv_lend_taken(const gv_lend *l, uint64_t *bytes);
/* No more: the pages are left to the pipe. */
void gv_lend_stop(gv_lend *l);
/* Bytes that a writer has lent, and that a reader has looked at where they lay. */
uint64_t gv_writer_lent(const gv_writer *w);
uint64_t gv_reader_shown(const gv_reader *r);

#endif
