/*
 * Memory. An arena is one reserved range, filled from the front and emptied at once; single objects are never freed.
 *
 *   gv_arena a = {0};
 *   gv_arena_init(&a, "batch", 2ull << 30, &err);        // reserves addresses; pages come with use
 *   float *x = gv_arena_alloc(&a, n * sizeof *x, &err);  // zeroed, 64-byte aligned; NULL when full (err filled)
 *   gv_arena_reset(&a);                                  // all of it is gone; poisoned under ASan
 *   gv_arena_release(&a);
 *
 * A function takes the arena it allocates from; what it returns lives until that arena's reset. An arena belongs to one
 * thread. Four lifetimes: run, epoch, batch, scratch (reset per record).
 * Growing things (a text, a list of unknown length) are gv_buf. gv_alloc is for the few objects that live alone.
 */
#ifndef GV_COMMON_ARENA_H
#define GV_COMMON_ARENA_H

#include "common/err.h"
#include <stddef.h>

typedef struct gv_arena {
    const char *name;
    char *base;
    size_t size, used, peak;
    size_t touched; /* bytes below this may be dirty */
} gv_arena;

int gv_arena_init(gv_arena *a, const char *name, size_t size, gv_err *err) GV_MUST_USE;
void gv_arena_release(gv_arena *a);
/* The whole large pages inside this memory as such, where the system gives them on request: fewer faults at the first touch, fewer misses
 * afterwards. For what will be used whole. */
void gv_large_pages(void *p, size_t bytes);
/* The pages of this memory now and in one call, as if each had been written to; what stands there stays. A page that is read first gets the system's page of zeros, and
 * when it is written to, every processor that runs the program must hear of the change. For what will be used whole. */
void gv_touch_pages(void *p, size_t bytes);
void *gv_arena_alloc(gv_arena *a, size_t bytes, gv_err *err) GV_MUST_USE;
/* The same without zeroing, for big buffers that are filled at once. */
void *gv_arena_alloc_dirty(gv_arena *a, size_t bytes, gv_err *err) GV_MUST_USE;
void gv_arena_reset(gv_arena *a);
/* Give back everything after a mark (a->used at that time). */
void gv_arena_rewind(gv_arena *a, size_t mark);
char *gv_arena_strdup(gv_arena *a, const char *s, gv_err *err) GV_MUST_USE;
char *gv_arena_strndup(gv_arena *a, const char *s, size_t n, gv_err *err) GV_MUST_USE;
char *gv_arena_printf(gv_arena *a, gv_err *err, const char *fmt, ...) GV_PRINTF(3, 4) GV_MUST_USE;

/* Zeroed memory of its own, NULL (err filled) when there is none; gv_free frees it. */
void *gv_alloc(size_t bytes, gv_err *err) GV_MUST_USE;
void gv_free(void *p);

/* A growing run of bytes. data is NUL-terminated behind len whenever it is not NULL. Start from {0}. */
typedef struct gv_buf {
    char *data;
    size_t len, cap;
} gv_buf;

int gv_buf_reserve(gv_buf *b, size_t more, gv_err *err) GV_MUST_USE;
int gv_buf_add(gv_buf *b, const void *p, size_t n, gv_err *err) GV_MUST_USE;
int gv_buf_printf(gv_buf *b, gv_err *err, const char *fmt, ...) GV_PRINTF(3, 4) GV_MUST_USE;
void gv_buf_release(gv_buf *b);

/* a*b and a+b in bytes with overflow checks: 0 and *out, or -1. */
int gv_mul_size(size_t a, size_t b, size_t *out) GV_MUST_USE;

#endif
