/* place: greedy best fit by size over live intervals. Source: Pisarchyk & Lee 2020, arXiv:2001.03288, "greedy by size for offset calculation". */
#include "nn/place.h"

enum { ALIGN = 64 };

static size_t up(size_t n) { return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1); }

static int by_size(const void *a, const void *b)
{
    const gv_interval *x = *(gv_interval *const *)a, *y = *(gv_interval *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* a fixed order */
}

int gv_place(gv_interval *v, int n, size_t gap, gv_arena *scratch, size_t *total, gv_err *err)
{
    size_t mark = scratch->used, end = 0;
    gv_interval **order = gv_arena_alloc(scratch, sizeof *order * (size_t)(n + 1), err);
    gv_interval **placed = gv_arena_alloc(scratch, sizeof *placed * (size_t)(n + 1), err); /* by offset */
    if (!order || !placed)
        return GV_ESYS;
    for (int i = 0; i < n; i++)
        order[i] = &v[i];
    qsort(order, (size_t)n, sizeof *order, by_size);
    for (int i = 0; i < n; i++) {
        gv_interval *x = order[i];
        size_t need = up(x->bytes ? x->bytes : 1) + gap, at = gap, best = SIZE_MAX, best_hole = SIZE_MAX;
        for (int k = 0; k < i; k++) {
            const gv_interval *p = placed[k];
            if (p->last < x->first || p->first > x->last)
                continue;
            if (p->offset >= at + need && p->offset - at < best_hole) {
                best = at;
                best_hole = p->offset - at;
            }
            size_t behind = p->offset + up(p->bytes ? p->bytes : 1) + gap;
            at = behind > at ? behind : at;
        }
        x->offset = best == SIZE_MAX ? at : best;
        if (x->offset + need > end)
            end = x->offset + need;
        int k = i;
        for (; k > 0 && placed[k - 1]->offset > x->offset; k--)
            placed[k] = placed[k - 1];
        placed[k] = x;
    }
    *total = end;
    gv_arena_rewind(scratch, mark);
    return GV_OK;
}
