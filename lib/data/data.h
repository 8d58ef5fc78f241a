/*
 * Data sets: which samples there are, in which split, with which label. Nothing here looks inside an image.
 *
 *   gv_data d;
 *   gv_data_open(&c, &(gv_data_want){ .splits = 1 << GV_SPLIT_TRAIN }, &arena, &d, &err);
 *   for (int64_t i = 0; i < d.split[GV_SPLIT_TRAIN].n; i++)
 *       use(gv_entry_id(&d, GV_SPLIT_TRAIN, i, buf), d.split[GV_SPLIT_TRAIN].v[i].path);
 *
 * A data set is one file here (loader and the gv_variant with its own fields) and one line in datasets.def. A listing costs
 * 40 bytes a sample beside its names and lives in the caller's arena. Paths are relative to the data root.
 * What was asked for and is not there (a directory, a split, a label) is GV_EUSAGE; a listing that cannot be parsed GV_EDATA.
 */
#ifndef GV_DATA_DATA_H
#define GV_DATA_DATA_H

#include "common/arena.h"
#include "common/dtype.h"
#include "config/config.h"
#include <jansson.h>

enum { GV_SPLITS = 3 };                  /* GV_SPLIT_TRAIN, _VAL, _TEST of config.h */
extern const char *const gv_split_names[]; /* "train" "val" "test", NULL */
#define GV_SPLITS_ALL ((1u << GV_SPLITS) - 1)

typedef enum gv_target { GV_TARGET_CLASS, GV_TARGET_MULTILABEL, GV_TARGET_REGRESSION, GV_TARGET_FRAMEWISE } gv_target;

typedef struct gv_entry {
    const char *id;    /* what tables call it: a relative path, or "train/00012" */
    const char *path;  /* relative to the root, or absolute */
    int64_t row;       /* a row of the container `path`; -1: the file is the sample */
    int64_t label;     /* the class; for other targets a row of gv_data.values or .frames; -1: unlabelled */
    const char *group; /* samples of one group stay together in folds; NULL: a group of its own */
} gv_entry;

typedef struct gv_split { int64_t n; gv_entry *v; } gv_split; /* n -1: the data set has no such split */

typedef struct gv_data {
    const struct gv_dataset *set;
    const char *root;             /* the directory paths are relative to */
    gv_split split[GV_SPLITS];
    bool test_is_val;             /* no test split of its own */
    gv_target target;
    int64_t num_classes;          /* classes, labels, or outputs of a regression */
    const char **class_names;     /* num_classes of them, or NULL */
    const struct gv_frame_labels { int64_t n; const int64_t *v; } *frames; /* framewise: the classes of a video's frames, -1 unknown */
    const float *values;          /* multilabel, regression: num_classes values a row */
    int64_t native_size;          /* side of every image; 0: they differ or are no images */
    const double *mean, *std;     /* of its own, three each, of pixels in 0 … 1; NULL: none */
    const char *content;          /* the kind of its samples, see gv_content; set->content unless open says otherwise */
    int64_t length;               /* frames of a clip, points of a series, as they are decoded; 0: they differ, or there are none */
    const struct gv_clip_plan *clips; /* videos: [2], of training and of testing; NULL: no videos */
    int64_t channels;             /* of a series, where `prepare` has told; 0: not known */
    int64_t feature_dim;          /* D of vectors and bags, else 0 */
    const struct gv_scan_plan *volume; /* how volumes are read; NULL: as decode does without being told */
    int64_t skipped;              /* listed but without file or label, where strict is off */
    /* Folds. */
    bool fixed;                   /* comes with a validation split of its own: no folds can be drawn */
    size_t nfolds;                /* 0: none */
    const char **fold_names;
    const char *fold;             /* the one these splits belong to, or NULL */
    bool folds_drawn;             /* drawn here (gv_folds_json), not read from a file */
    gv_split pool;                /* what was drawn from, and the fold that validates each of it */
    const int32_t *fold_of;
    bool fraction_applied;
    int64_t train_whole;          /* size of the training split before data_fraction */
} gv_data;

/* What a sample is: one row of the table in content.c. */
typedef struct gv_content {
    const char *name;    /* "image" "volume" "video" "series" "vector" "bag" */
    const char *axes;    /* "[H,W,C]" */
    bool clips;          /* an axis of time comes first */
    int sides;           /* spatial axes */
    int64_t side;        /* of them, where nobody says */
    int policy_dims;     /* which shared policies it takes: those for so many axes (a video's frames are changed alike); 0: none */
    gv_dtype dtype;      /* as decoded, mostly */
    bool folders;        /* a folder of pictures is a sample, too */
    bool ragged;         /* samples differ in their first axis: a batch pads them and has a mask */
} gv_content;
const gv_content *gv_content_find(const char *name); /* NULL: unknown */

typedef struct gv_data_want {
    unsigned splits;  /* bits 1 << GV_SPLIT_*: those that must be there; others may be left out */
    bool unlabelled;  /* samples without a label are listed, with label -1 */
    unsigned optional; /* bits of splits that may be missing, empty or unlabelled */
} gv_data_want;

typedef struct gv_archive { const char *url, *md5, *path; } gv_archive; /* path: where the file belongs */

typedef struct gv_dataset {
    const char *name;
    const char *content;       /* see gv_content; NULL: open tells */
    const gv_variant *variant; /* gv_dataset_variant_<name>: fields of its own, defaults of the block's, its policies among them */
    const char *train_policy, *test_policy; /* defaults; NULL: nothing is augmented (stored features) */
    const struct gv_policy *policies; /* of its own, looked through before the shared ones, ends with { .name = NULL }; NULL: none, or those of policies.def */
    /* Fill `out` (cleared; split[].n is -1): splits, labels, facts. Folds and fractions come afterwards. */
    int (*open)(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *out, gv_err *err);
    const char *const *decode_fields; /* "data.length": of its own fields, those that decoding needs; NULL: none */
    /* The driver, once the listing is open: what must be learned from the samples becomes fields; names of those (of data) in `learned`,
     * which inference takes from the run. NULL: nothing. */
    int (*prepare)(gv_config *c, gv_data *d, gv_arena *arena, gv_err *err);
    const char *const *learned;
    /* Published files that are not there yet, or NULL when it has none; see gv_dataset_missing. */
    int (*missing)(const gv_config *c, gv_arena *arena, const gv_archive **list, size_t *n, gv_err *err);
} gv_dataset;

#define GV_DATASET(n) extern const gv_dataset gv_dataset_##n; extern const gv_variant gv_dataset_variant_##n;
#include "data/datasets.def"
#undef GV_DATASET

const gv_dataset *gv_dataset_find(const char *name); /* NULL: no such, or not built */

/* The data set of the config: its listing, then the fold (data.fold, training.cv_folds), then data_fraction. */
int gv_data_open(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *out, gv_err *err) GV_MUST_USE;

/*
 * Published archives of the config's data set that are not on this machine: n 0 when the data is there, or when the data set
 * is not published as archives, or when neither data_root_dir nor the directory it would lie in exists. The driver fetches each to its path, checks the MD5, and opens the data set again.
 */
int gv_dataset_missing(const gv_config *c, gv_arena *arena, const gv_archive **list, size_t *n, gv_err *err) GV_MUST_USE;

/* Rows that a sample takes of a batch: the clips of a video. */
int64_t gv_data_views(const gv_data *d, bool train);

/* Samples per class of a split: num_classes counts, then the unlabelled. NULL for a regression. */
int64_t *gv_data_counts(const gv_data *d, int split, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* "train 6000 of 60000, val 10000, test 10000 (val)" and one line of counts per class and split. */
int gv_data_describe(const gv_data *d, gv_buf *out, gv_err *err) GV_MUST_USE;

/* Drawn folds as a splits file: {"0":{"train":[ids],"val":[ids]}, …}; NULL with err when memory is out. */
json_t *gv_folds_json(const gv_data *d, gv_err *err) GV_MUST_USE;

/* For completion (gv_config.names): what lies under the data root; and with the policies of the data set that is chosen and their keys. */
void gv_data_names_below(const gv_config *c, const char *path, gv_words *out);
void gv_data_names(const gv_config *c, const char *path, gv_words *out);

#endif
