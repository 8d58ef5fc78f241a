/* What the two files of generic_image_dataset share: labels, and the names a sample goes by. */
#ifndef GV_DATA_GENERIC_H
#define GV_DATA_GENERIC_H

#include "data/internal.h"

typedef struct gv_generic {
    const gv_config *c;
    const struct gv_generic_image_dataset *o;
    const gv_data_want *want;
    gv_arena *arena;
    gv_data *d;
    const char *root, *images, *images_full; /* images: images_dir without "./", "" for the root itself, may be absolute */
    const char *split_name[GV_SPLITS];
    json_t *splits;        /* split_file, or NULL */
    gv_textmap classes;    /* class name to index */
    gv_textmap labels;     /* key of labels_file to an index of `label` */
    gv_buf label;          /* struct gv_generic_label[] */
    gv_buf values;         /* float[]: num_classes a row */
} gv_generic;

typedef struct gv_generic_label { const char *text, *group; int64_t number, values; } gv_generic_label; /* text NULL: number, or values row */

/* Read labels_file (json, csv). Nothing to do for folders. */
int gv_generic_labels_read(gv_generic *g, gv_err *err) GV_MUST_USE;
/* The label of a sample: fills e->label and e->group. 1 found, 0 left out (counted), < 0 an error. `path` is relative to the root
 * or absolute; id may be NULL. */
int gv_generic_label_find(gv_generic *g, int split, const char *path, const char *id, gv_entry *e, gv_err *err) GV_MUST_USE;
/* Class names in sorted order become d->class_names and g->classes; checked against num_classes. */
int gv_generic_classes_set(gv_generic *g, const char **names, size_t n, const char *from, gv_err *err) GV_MUST_USE;

/* `path` below the directory `dir` ("" is the root): what follows "dir/", or NULL. */
const char *gv_below(const char *dir, const char *path);
/* Where the suffix of the last component begins (at its dot), or the end: ".hidden" and "name." have none. */
size_t gv_suffix_at(const char *path);

#endif
