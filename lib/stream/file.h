/*
 * A stream in a regular file as a table: any record at once, by its number.
 *
 *   gv_stream_file *f;
 *   gv_stream_file_open(&f, fd, "train.gv", each, arg, &err);   // takes fd over; each(arg, row, record, err) for every record, or NULL
 *   gv_stream_file_read(f, 12, &rec, &arena, &err);             // the record and all it points to live in the arena
 *   gv_stream_file_close(f);
 *
 * Opening walks over the tags of all records and not over what they hold, so it costs a page a record. Count and end record are checked
 * as a reader does; the digest is not (glovita-cat --check does). Not for files that others still write.
 */
#ifndef GV_STREAM_FILE_H
#define GV_STREAM_FILE_H

#include "stream/stream.h"

typedef struct gv_stream_file gv_stream_file;
/* What the record points to is lent for the call. < 0 ends the walk. */
typedef int gv_stream_file_each(void *arg, const gv_record *header, int64_t row, const gv_record *rec, gv_err *err);

int gv_stream_file_open(gv_stream_file **f, int fd, const char *name, gv_stream_file_each *each, void *arg, gv_err *err) GV_MUST_USE;
const gv_record *gv_stream_file_header(const gv_stream_file *f);
int64_t gv_stream_file_count(const gv_stream_file *f);
int gv_stream_file_read(gv_stream_file *f, int64_t row, gv_record *rec, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_stream_file_close(gv_stream_file *f);

#endif
