/* What the files of UMAP share. */
#ifndef GV_UMAP_INTERNAL_H
#define GV_UMAP_INTERNAL_H

#include "umap/umap.h"
#include <string.h>

/* Purposes of random numbers here, behind those of common/rng.h. */
enum { GV_RNG_UMAP_BASIS = 41, GV_RNG_UMAP_TREE = 42, GV_RNG_UMAP_DESCENT = 43, GV_RNG_UMAP_START = 44, GV_RNG_UMAP_LAYOUT = 45, GV_RNG_UMAP_CHECK = 46 };

static inline void gv_umap_tell(const gv_umap_progress *p, const char *what, double share)
{
    if (p && p->tell)
        p->tell(p->arg, what, share);
}

/* A candidate: the bits of a distance that is not negative, then the index, so that candidates are ordered as numbers and equal distances by index. */
static inline uint64_t gv_near_key(float distance, int32_t index)
{
    uint32_t u;
    distance = distance > 0 ? distance : 0;
    memcpy(&u, &distance, sizeof u);
    return (uint64_t)u << 32 | (uint32_t)index;
}

static inline float gv_near_distance(uint64_t key)
{
    uint32_t u = (uint32_t)(key >> 32);
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* Puts a key into an ascending list of m; the largest falls out. */
static inline void gv_near_put(uint64_t *list, int m, uint64_t key)
{
    int lo = 0, hi = m - 1;
    if (key >= list[hi])
        return;
    while (lo < hi) { /* the first that is larger */
        int mid = (lo + hi) / 2;
        if (list[mid] > key)
            hi = mid;
        else
            lo = mid + 1;
    }
    memmove(list + lo + 1, list + lo, (size_t)(m - 1 - lo) * sizeof *list);
    list[lo] = key;
}

/* Distances of the m candidates of point i from differences, and the k best of them; of the keys only the indices count. */
void gv_near_refine(const float *x, int64_t d, int64_t i, const uint64_t *list, int m, int k, int32_t *index, float *distance2);
/* The k nearest of point i by looking at all. */
void gv_near_all(const float *x, int64_t n, int64_t d, int64_t i, int k, int32_t *index, float *distance2);

/* x [n,d] in an orthonormal basis of q directions that hold most of its variance -> y [n,q+1]: the last number is the length of what the
 * basis leaves out. Directions come from a fixed sample. q is at most 256. */
int gv_umap_project(const float *x, int64_t n, int64_t d, int64_t q, gv_arena *arena, float **y, gv_err *err) GV_MUST_USE;

/* Points in an order in which those that are near have near numbers -> order[n], sorted [n,d]. */
int gv_umap_sort(const float *x, int64_t n, int64_t d, gv_arena *arena, int32_t **order, float **sorted, gv_err *err) GV_MUST_USE;
enum { GV_BOX = 32, GV_UMAP_SORT_FROM = 4096 }; /* directions of the boxes around blocks; fewer points are not sorted */

/* Sums and products over all points, in fixed pieces. */
enum { GV_UMAP_PIECE = 4096 };

#endif
