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
#include <sys/types.h>

typedef struct gv_out { int fd; char path[4096], part[4128]; } gv_out;
int gv_out_open(gv_out *o, const char *path, gv_err *err) GV_MUST_USE;
int gv_out_write(gv_out *o, const void *p, size_t n, gv_err *err) GV_MUST_USE;
int gv_out_commit(gv_out *o, gv_err *err) GV_MUST_USE;
void gv_out_abort(gv_out *o);

/* Remove the part files that process `pid` left in a folder; 0: those of every process of this machine that is no more. The
 * caller holds the folder's lock, or knows the process for its own. */
void gv_parts_remove(const char *dir, pid_t pid);

/* Open /dev/null in place of a closed stdin, stdout or stderr (unwritable), so that no file of ours gets its number. First thing in main. */
void gv_hold_standard_fds(void);

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
