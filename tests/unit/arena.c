/* arena: memory is zero, pages that are asked for at once are there and hold what they held. */
#include "common/arena.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { BYTES = 1 << 20, PAGE = 4096, PAGES = BYTES / PAGE };

static int resident(void *p)
{
    unsigned char there[PAGES];
    int n = 0;
    if (mincore(p, BYTES, there) < 0)
        return -1;
    for (int i = 0; i < PAGES; i++)
        n += there[i] & 1;
    return n;
}

int main(void)
{
    gv_arena a;
    gv_err err = { 0 };
    if (gv_arena_init(&a, "test", 4 * BYTES, &err) < 0)
        return 1;
    char *p = gv_arena_alloc(&a, BYTES, &err), *q = gv_arena_alloc(&a, BYTES + 100, &err);
    ok(p && q && resident(p) == 0, "memory costs nothing before it is used");
    p[5] = 'x';
    q[0] = 'y';
    errno = 0;
    gv_touch_pages(p, BYTES);
    bool refused = errno != 0; /* Linux before 5.14 */
    ok(refused || resident(p) == PAGES, "all pages are there, %d of %d", resident(p), PAGES);
    int zeros = 0;
    for (int i = 0; i < BYTES; i++)
        zeros += p[i] == 0;
    ok(p[5] == 'x' && zeros == BYTES - 1 && q[0] == 'y', "what stood there stays");
    gv_touch_pages(q + 10, BYTES + 90); /* ends inside a page */
    ok(q[0] == 'y' && (refused || resident(q) == PAGES), "from and to places inside of pages");
    gv_arena_release(&a);
    return done();
}
