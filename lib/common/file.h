/*
 * Files that appear whole or not at all, and reading with a cap.
 *
 *   gv_out o;
 *   gv_out_open(&o, "run/config.json", &err);     // writes run/config.json.part-PID
 *   gv_out_write(&o, p, n, &err);
 *   gv_out_commit(&o, &err);                      // fdatasync, close, rename, sync of the directory
 *   gv_out_abort(&o);                             // after commit: does nothing; before: removes the part file
 * A path that is a device or FIFO (/dev/stdout) is written as it is.
 */
#ifndef GV_COMMON_FILE_H
#define GV_COMMON_FILE_H

#include "common/arena.h"
#include <stdint.h>

typedef struct gv_out { int fd; char path[4096], part[4128]; } gv_out;
int gv_out_open(gv_out *o, const char *path, gv_err *err) GV_MUST_USE;
int gv_out_write(gv_out *o, const void *p, size_t n, gv_err *err) GV_MUST_USE;
int gv_out_commit(gv_out *o, gv_err *err) GV_MUST_USE;
void gv_out_abort(gv_out *o);

/* The whole file appears with these bytes. */
int gv_file_write(const char *path, const void *p, size_t n, gv_err *err) GV_MUST_USE;
/* The whole file into b (appended), refused when larger than cap, not a regular file, or unreadable. */
int gv_file_read(const char *path, size_t cap, gv_buf *b, gv_err *err) GV_MUST_USE;
/* write(2) and read(2) until done, with EINTR. gv_read_full returns the bytes read, fewer only at the end; < 0 on error. */
int gv_write_full(int fd, const void *p, size_t n, gv_err *err) GV_MUST_USE;
int64_t gv_read_full(int fd, void *p, size_t n, gv_err *err) GV_MUST_USE;
/* mkdir -p. */
int gv_mkdirs(const char *path, gv_err *err) GV_MUST_USE;
int gv_file_exists(const char *path);
/* A file of that name in the directory of the running program, or in ../share/glovita of it. */
const char *gv_self_dir(void);

#endif
