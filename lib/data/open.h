/*
 * Opening paths that come in records. They are data, not commands: a path is opened below the data root or another root that
 * was named, never through "..", a link that leaves the root, or a magic link of /proc; opening never blocks, and only a
 * regular file is answered.
 *
 *   gv_roots r = { 0 };
 *   gv_roots_add(&r, "/data/set", &err);
 *   int fd = gv_roots_open(&r, "images/cat/1.jpg", 512 << 20, &err);    // < 0: err names the path and the reason
 *   gv_roots_release(&r);
 *
 * A relative path belongs to the first root; an absolute one to the root it begins with. A link of the first root may lead
 * into another one. Source of the rules: openat2(2), RESOLVE_BENEATH.
 */
#ifndef GV_DATA_OPEN_H
#define GV_DATA_OPEN_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum { GV_MAX_ROOTS = 32 };

typedef struct gv_roots { int n; struct gv_root { int fd; char path[4096]; } *root; } gv_roots;

/* The directory must be there (GV_EUSAGE). */
int gv_roots_add(gv_roots *r, const char *dir, gv_err *err) GV_MUST_USE;
/* Several, separated by ':'; NULL and "" are none. */
int gv_roots_add_list(gv_roots *r, const char *dirs, gv_err *err) GV_MUST_USE;
/* A descriptor for reading, or GV_EDATA / GV_ESYS. max: bytes of the file, 0 for any. */
int gv_roots_open(const gv_roots *r, const char *path, uint64_t max, gv_err *err) GV_MUST_USE;
/* The same for a regular file of any size or a directory. */
int gv_roots_open_any(const gv_roots *r, const char *path, bool *folder, gv_err *err) GV_MUST_USE;
void gv_roots_release(gv_roots *r);

#endif
