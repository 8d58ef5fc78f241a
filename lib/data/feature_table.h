/*
 * A whole feature file in memory, for programs that look at all of its points at once.
 *
 *   gv_feature_table t;
 *   gv_feature_table_read(&t, "val.h5", &(gv_feature_choice){ .max_samples = 5000, .max_per_class = 200, .seed = 42 }, arena, err);
 *
 * A file of instances has a point a row; a file of bags (data/hdf5.h) a point an instance, which has its bag's label, and as its name that of the bag
 * with /K behind. Numbers that are not finite are GV_ENAN with the row and the id.
 */
#ifndef GV_DATA_FEATURE_TABLE_H
#define GV_DATA_FEATURE_TABLE_H

#include "common/arena.h"
#include <stdint.h>

/* With more points than max_samples: at most max_per_class of each class (where there are labels), then at most max_samples of those. 0: no limit. */
typedef struct gv_feature_choice { int64_t max_samples, max_per_class; uint64_t seed; } gv_feature_choice;

typedef struct gv_feature_table {
    int64_t all, n, dim;  /* points of the file; those taken, in its order; D */
    float *x;             /* [n,dim] */
    const char **id;      /* [n] */
    int32_t *group;       /* [n] class; -1: none. NULL: the file has no classes */
    int64_t groups, seen; /* classes there could be, classes that points have */
    const char **name;    /* [groups] */
    float *value;         /* [n] of a regression; NULL: none */
    const char *data;     /* attribute `data`: a data block as JSON, or NULL */
    const char *split;    /* attribute `split`, or NULL */
} gv_feature_table;

int gv_feature_table_read(gv_feature_table *t, const char *path, const gv_feature_choice *choice, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Bytes an arena should have for it, from the file's size of numbers alone. */
int gv_feature_table_size(const char *path, int64_t *points, int64_t *dim, gv_err *err) GV_MUST_USE;
/* Those two attributes alone (NULL where there is none); a file that cannot be opened is an error. */
int gv_feature_table_facts(const char *path, const char **data, const char **split, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
