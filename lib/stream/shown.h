/* What a reader keeps of the payloads that it looks at where their writer put them (desk.h): its desk, the files it has mapped, the payloads of the record in
 * hand, and the records whose payloads a filter has passed on. All zero before gv_shown_open. */
#ifndef GV_STREAM_SHOWN_H
#define GV_STREAM_SHOWN_H

#include "stream/desk.h"
#include "stream/hash.h"
#include "stream/internal.h"

enum { GV_SHOWN_HOLES = 4, GV_SHOWN_MAPS = 32, GV_SHOWN_PASSED = 64 };

typedef struct gv_shown {
    gv_desk *desk; /* NULL: there is none */
    int desk_fd, null;
    uint64_t next, bytes; /* the next piece; bytes looked at so far */
    /* Payloads of the record in hand: they lie in the reader's buffer only by their place (at: from the record's first byte). used: the record points to data. */
    struct { size_t at, bytes; const char *data; gv_piece piece; bool used; } hole[GV_SHOWN_HOLES];
    int nholes;
    struct { char *p; size_t size; uint64_t file; int pid; } map[GV_SHOWN_MAPS];
    int nmaps;
    /* Records whose payload was passed on: only the bytes before `from` are needed no more until the tied writer's reader has taken `until`. Oldest first. */
    struct { uint64_t from, until; } passed[GV_SHOWN_PASSED];
    int npassed;
} gv_shown;

/* A desk for the pipe's reading end, if it is wanted and there can be one. */
void gv_shown_open(gv_shown *s, int fd, bool wanted);
void gv_shown_close(gv_shown *s);
/* Where a piece lies in this process; NULL: it cannot be seen from here, or the record has too many. */
const char *gv_shown_see(gv_shown *s, const gv_piece *p);
/* One more payload of the record in hand, `at` bytes behind its first. */
void gv_shown_add(gv_shown *s, const gv_piece *p, const char *data, size_t at);
/* The record at p was unpacked: its tensors point to the payloads themselves. Others are brought into the buffer after all: what is no tensor of the record, and what does not lie
 * on a multiple of eight. */
void gv_shown_settle(gv_shown *s, char *p, const msgpack_object *map);
void gv_shown_hash(const gv_shown *s, gv_hash *h, const char *p, size_t n);
/* All bytes before `at` were read or have been handed back. */
void gv_shown_read(gv_shown *s, uint64_t at);
/* The record in hand is handed back, and the next one begins at `offset` of the stream. w: the tied writer, or NULL. */
void gv_shown_release(gv_shown *s, uint64_t offset, const gv_writer *w);
/* gv_reader_piece and gv_reader_passed; offset: of the record in hand. */
bool gv_shown_piece(const gv_shown *s, const void *p, size_t n, gv_piece *piece);
void gv_shown_passed(gv_shown *s, uint64_t offset, uint64_t until);

#endif
