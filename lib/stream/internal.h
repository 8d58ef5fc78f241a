/* What the files of lib/stream share. */
#ifndef GV_STREAM_INTERNAL_H
#define GV_STREAM_INTERNAL_H

#include "stream/stream.h"
#include <msgpack.h>

enum {
    GV_MAX_NESTING = 16,       /* msgpack-c itself stops at 32 */
    GV_MAX_ITEMS = 1 << 20,    /* values and keys in one record */
    GV_MAX_TEXT = 16 << 20,    /* bytes of one str */
};
#define GV_MAX_BIN 0xffffffffull /* msgpack's own limit: 4 GiB - 1 */

/* Kinds that never leave the reader. */
#define GV_KIND_HEADER ((gv_kind)(1 << 30))
#define GV_KIND_END ((gv_kind)(1 << 29))

/* Bytes one record may have: 4 GiB - 1, or less by GLOVITA_MAX_RECORD. */
size_t gv_stream_max_record(void);

/* A walk over the tags of one record, so that its size is known and bounded before anything is built from it. It goes on where
 * it stopped when more bytes have come: every byte is looked at once, however the record arrives. */
typedef struct gv_scan {
    size_t pos;                     /* bytes walked over, from the record's first */
    size_t need;                    /* bytes the record has at least */
    uint32_t items;
    int depth;
    uint32_t left[GV_MAX_NESTING + 1]; /* values still to come on each level */
} gv_scan;

void gv_scan_init(gv_scan *s);
/* 1: the record is complete and has s->pos bytes; 0: more are needed, s->need at least in all; < 0: err says why. */
int gv_scan_more(gv_scan *s, const unsigned char *p, size_t n, size_t max, gv_err *err) GV_MUST_USE;

/* Build a record from a map that gv_scan_more has passed. Writes into the map's own bytes (NULs, aligned tensors), and needs one
 * writable byte behind them. Arrays and maps go to `a`. */
int gv_record_build(gv_record *rec, const msgpack_object *map, gv_arena *a, gv_err *err) GV_MUST_USE;

/* Append a value as msgpack. Tensor data and bytes of at least `splice_from` are not copied but noted in `cuts`. */
typedef struct gv_cut { size_t at; const void *data; size_t bytes; } gv_cut;
typedef struct gv_pack { gv_buf buf; gv_cut cut[16]; int ncuts; gv_err *err; } gv_pack;
enum { GV_SPLICE_FROM = 16 << 10 };
int gv_pack_item(gv_pack *p, const gv_item *v, gv_err *err) GV_MUST_USE;
int gv_pack_text(gv_pack *p, const char *s, gv_err *err) GV_MUST_USE;
int gv_pack_map(gv_pack *p, size_t n, gv_err *err) GV_MUST_USE;
int gv_pack_array(gv_pack *p, size_t n, gv_err *err) GV_MUST_USE;

/* Between a reader and the writer it is tied to: bytes that lie in the reader's buffer may go into the writer's pipe as they are. A writer knows one reader. */
struct gv_pages;
void gv_writer_reader(gv_writer *w, gv_reader *r, struct gv_pages *g); /* r, g: NULL, no longer */
void gv_reader_untie(gv_reader *r);   /* the writer is closing */
void gv_reader_unknown(gv_reader *r); /* the writer knows another one now */
/* These n bytes lie where another process put them: *piece says where (begin and end are the caller's), and they stay there until as many bytes of the tied
 * writer's stream have been taken as gv_reader_passed says. */
struct gv_piece;
bool gv_reader_piece(const gv_reader *r, const void *p, size_t n, struct gv_piece *piece);
void gv_reader_passed(gv_reader *r, uint64_t until);
bool gv_writer_taken(const gv_writer *w, uint64_t *bytes); /* by the reader of its pipe; false: nobody knows */

/* Waiting, in nanoseconds, added to the process-wide counters. */
uint64_t gv_stream_now(void);
void gv_stream_add_wait(int writing, uint64_t since);

#endif
