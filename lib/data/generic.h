/*
 * Data sets made of files, of any kind: where the files lie, which split and which label each has. Such a data set is one small file
 * (generic_image_dataset.c): a table of fields that begins with GV_GENERIC_FIELDS, and gv_generic_open. Fields of its own stand behind,
 * in a struct that begins with gv_generic_fields.
 */
#ifndef GV_DATA_GENERIC_H
#define GV_DATA_GENERIC_H

#include "data/internal.h"

enum { GV_SPLITS_JSON, GV_SPLITS_SUBDIRS };
enum { GV_LABELS_FOLDER, GV_LABELS_JSON, GV_LABELS_CSV };
typedef struct gv_generic_fields {
    const char *dir;
    int split_source, label_source; /* GV_SPLITS_*, GV_LABELS_* */
    const char *split_file, *labels_file, *path_column, *label_column;
    const char *train_split_name, *val_split_name, *test_split_name;
    gv_strs allowed_exts, class_names; /* class_names.v NULL: from the data */
    bool strict;
    const char *frame_column; /* NULL: no labels of frames */
} gv_generic_fields;

/* dir_field: the name of `dir` in the configuration, "images_dir", with its default; what: "images"; exts: blank-separated endings. */
#define GV_GENERIC_FIELDS(dir_field, dir_default, what, exts)                                                                                                \
    GV_STR_AS(gv_generic_fields, dir, dir_field, dir_default, "folder of the " what " under data_root_dir", .takes = GV_TAKES_NAME),                         \
    GV_ENUM(gv_generic_fields, split_source, GV_SPLITS_JSON, gv_split_sources, "splits from a JSON file, or from the folders train, val and test"),          \
    GV_ENUM(gv_generic_fields, label_source, GV_LABELS_JSON, gv_label_sources, "labels from class folders, a JSON file, or a CSV table"),                    \
    GV_STR(gv_generic_fields, split_file, "splits.json", "file of the splits, under data_root_dir", .takes = GV_TAKES_NAME),                                 \
    GV_STR(gv_generic_fields, labels_file, "labels.json", "file of the labels, under data_root_dir", .takes = GV_TAKES_NAME),                                \
    GV_STR(gv_generic_fields, path_column, "path", "column of the paths of the " what " in a CSV table"),                                                    \
    GV_STR(gv_generic_fields, label_column, "label", "column (or key) of the labels; several, comma-separated, for several outputs"),                        \
    GV_STR(gv_generic_fields, train_split_name, "train", "name of the training split"),                                                                      \
    GV_STR(gv_generic_fields, val_split_name, "val", "name of the validation split"),                                                                        \
    GV_STR(gv_generic_fields, test_split_name, "test", "name of the test split; where it is missing the validation split stands in"),                        \
    GV_STRS(gv_generic_fields, allowed_exts, exts, NULL, "endings of the files that are " what),                                                             \
    GV_OPT_STRS(gv_generic_fields, class_names, NULL, "class names in the order of their indices; None: sorted names of the data"),                          \
    GV_BOOL(gv_generic_fields, strict, true, "stop at a missing file or label instead of leaving the entry out")
extern const char *const gv_split_sources[], *const gv_label_sources[];

int gv_generic_open(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err) GV_MUST_USE; /* gv_dataset.open */

/* Samples that are rows of one file: its path below the root, and the row of each id. */
typedef struct gv_generic_rows { const char *path; gv_textmap of_id; } gv_generic_rows;
int gv_generic_open_rows(const gv_config *c, const gv_data_want *want, const gv_generic_rows *rows, gv_arena *arena, gv_data *d, gv_err *err) GV_MUST_USE;

typedef struct gv_generic {
    const gv_config *c;
    const gv_generic_fields *o;
    const gv_data_want *want;
    const gv_generic_rows *rows; /* NULL: a file each */
    gv_arena *arena;
    gv_data *d;
    const char *root, *images, *images_full; /* images: that folder without "./", "" for the root itself, may be absolute */
    const char *split_name[GV_SPLITS];
    json_t *splits;        /* split_file, or NULL */
    gv_textmap classes;    /* class name to index */
    gv_textmap labels;     /* key of labels_file to an index of `label` */
    gv_buf label;          /* struct gv_generic_label[] */
    gv_buf values;         /* float[]: num_classes a row */
    gv_buf frames;         /* struct gv_frame_labels each */
} gv_generic;

typedef struct gv_generic_label {
    const char *text, *group; /* text NULL: number, or values row */
    int64_t number, values;
    int64_t frame, before;    /* framewise: of that frame; the label read before it of the same video, -1: none */
} gv_generic_label;

/* Read labels_file (json, csv). Nothing to do for folders. */
int gv_generic_labels_read(gv_generic *g, gv_err *err) GV_MUST_USE;
/* The label of a sample: fills e->label and e->group. 1 found, 0 left out (counted), < 0 an error. `path` is relative to the root
 * or absolute; id may be NULL. */
int gv_generic_label_find(gv_generic *g, int split, const char *path, const char *id, gv_entry *e, gv_err *err) GV_MUST_USE;
/* Class names in sorted order become d->class_names and g->classes; checked against num_classes. */
int gv_generic_classes_set(gv_generic *g, const char **names, size_t n, const char *from, gv_err *err) GV_MUST_USE;

/* `path` below the directory `dir` ("" is the root): what follows "dir/", or NULL. */
const char *gv_below(const char *dir, const char *path);
/* Where the suffix of the last component begins: at one of the allowed endings (".nii.gz"), else at its last dot, else at the end:
 * ".hidden" and "name." have none. allowed: it is one of those endings, in any case; may be NULL. */
size_t gv_suffix_at(const gv_generic *g, const char *path, bool *allowed);

#endif
