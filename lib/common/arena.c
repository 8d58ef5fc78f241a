/* arena: reserved ranges, growing buffers, and the only malloc of the project. */
#include "common/arena.h"
#include "common/fault.h"
#include <stdint.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define HAVE_ASAN
#elif defined(__has_feature)      /* clang */
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 64, LARGE = 256 << 20, TOUCH = 64 << 10 };

int gv_arena_init(gv_arena *a, const char *name, size_t size, gv_err *err)
{
    memset(a, 0, sizeof *a);
    a->name = name;
    size = (size + 4095) & ~(size_t)4095;
    void *p = gv_fault("arena") ? MAP_FAILED
                                : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return gv_fail_sys(err, "cannot reserve %zu MiB for arena '%s'", size >> 20, name);
    a->base = p;
    a->size = size;
    POISON(p, size);
    return GV_OK;
}

void gv_arena_release(gv_arena *a)
{
    if (a->base) {
        UNPOISON(a->base, a->size);
        munmap(a->base, a->size);
    }
    memset(a, 0, sizeof *a);
}

void gv_large_pages(void *p, size_t bytes)
{
    const uintptr_t page = (uintptr_t)2 << 20;
    if (bytes < LARGE) /* making large pages may take the system a second where memory is in pieces: not for a short run */
        return;
    uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1), to = ((uintptr_t)p + bytes) & ~(page - 1);
    if (to > from)
        (void)madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_HUGEPAGE); /* a refusal costs speed alone */
}

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones refuse it */
#define MADV_POPULATE_WRITE 23
#endif

void gv_touch_pages(void *p, size_t bytes)
{
    const uintptr_t page = 4096, from = (uintptr_t)p & ~(page - 1), to = ((uintptr_t)p + bytes + page - 1) & ~(page - 1);
    if (bytes >= TOUCH)
        (void)madvise((char *)p - ((uintptr_t)p - from), to - from, MADV_POPULATE_WRITE); /* a refusal costs speed alone */
}

void *gv_arena_alloc_dirty(gv_arena *a, size_t bytes, gv_err *err)
{
    size_t need = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need < bytes || need > a->size - a->used || gv_fault("arena")) {
        gv_fail(err, GV_ESYS, "arena '%s' is full: %.2f of %.2f GiB used, %.2f MiB more wanted", a->name ? a->name : "?",
                (double)a->used / (1 << 30), (double)a->size / (1 << 30), (double)bytes / (1 << 20));
        return NULL;
    }
    char *p = a->base + a->used;
    UNPOISON(p, bytes ? bytes : 1);
    a->used += need;
    if (a->used > a->peak)
        a->peak = a->used;
    if (a->used > a->touched)
        a->touched = a->used;
    return p;
}

void *gv_arena_alloc(gv_arena *a, size_t bytes, gv_err *err)
{
    size_t clean = a->touched;
    char *p = gv_arena_alloc_dirty(a, bytes, err);
    if (!p)
        return NULL;
    size_t start = (size_t)(p - a->base);
    if (start < clean) /* fresh pages are zero already */
        memset(p, 0, start + bytes > clean ? clean - start : bytes);
    return p;
}

void gv_arena_rewind(gv_arena *a, size_t mark)
{
    if (mark < a->used) {
        POISON(a->base + mark, a->used - mark);
        a->used = mark;
    }
}

void gv_arena_reset(gv_arena *a)
{
    gv_arena_rewind(a, 0);
}

char *gv_arena_strndup(gv_arena *a, const char *s, size_t n, gv_err *err)
{
    char *p = gv_arena_alloc_dirty(a, n + 1, err);
    if (p) {
        memcpy(p, s, n);
        p[n] = 0;
    }
    return p;
}

char *gv_arena_strdup(gv_arena *a, const char *s, gv_err *err)
{
    return gv_arena_strndup(a, s, strlen(s), err);
}

char *gv_arena_printf(gv_arena *a, gv_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = gv_arena_alloc_dirty(a, (size_t)(n < 0 ? 0 : n) + 1, err);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)(n < 0 ? 0 : n) + 1, fmt, ap);
    va_end(ap);
    return p;
}

void *gv_alloc(size_t bytes, gv_err *err)
{
    void *p = gv_fault("alloc") ? NULL : calloc(1, bytes ? bytes : 1);
    if (!p)
        gv_fail(err, GV_ESYS, "out of memory: %zu bytes wanted", bytes);
    return p;
}

void gv_free(void *p)
{
    free(p);
}

int gv_buf_reserve(gv_buf *b, size_t more, gv_err *err)
{
    if (more >= SIZE_MAX - b->len - 1)
        return gv_fail(err, GV_ESYS, "out of memory: a buffer of %zu bytes cannot grow by %zu", b->len, more);
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return GV_OK;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *p = gv_fault("alloc") ? NULL : realloc(b->data, cap);
    if (!p)
        return gv_fail(err, GV_ESYS, "out of memory: %zu bytes wanted", cap);
    b->data = p;
    b->cap = cap;
    return GV_OK;
}

int gv_buf_add(gv_buf *b, const void *p, size_t n, gv_err *err)
{
    int r = gv_buf_reserve(b, n, err);
    if (r < 0)
        return r;
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = 0;
    return GV_OK;
}

int gv_buf_printf(gv_buf *b, gv_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    int r = gv_buf_reserve(b, (size_t)(n < 0 ? 0 : n), err);
    if (r < 0)
        return r;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    b->len += (size_t)(n < 0 ? 0 : n);
    return GV_OK;
}

void gv_buf_release(gv_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

int gv_mul_size(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? -1 : 0;
}
