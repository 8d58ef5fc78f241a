/* Stored features in HDF5 files, as the original and CLAM's tools lay them out:
 *   one bag       features [N,D] (or [1,N,D]), coords [N,2]                            (a file of clam_dataset)
 *   instances     features [N,D]    labels [N]
 *   fixed bags    features [B,N,D]  labels [B]
 *   ragged bags   features [M,D]    labels [B], and bag_ptr [B+1] or bag_lengths [B]
 * Also read: ids [B] texts, class_names [K] texts, labels [B,K], coords [M,2] or [B,N,2], the place of each instance. Links to other files, virtual data sets and data outside the
 * file are not followed. */
#ifndef GV_DATA_HDF5_H
#define GV_DATA_HDF5_H

#include "formats/hdf5_library.h"
#include "sample/sample.h"

typedef struct gv_features_file {
    hid_t file, features;
    hid_t coords;          /* -1: not looked for, -2: there are none */
    bool bags;
    int64_t rows, dim;     /* samples; D */
    int64_t *begin;        /* ragged: rows + 1 places in features; NULL otherwise */
    int64_t fixed;         /* instances of every bag; 0: ragged or none */
    hid_t half;            /* the type of 16-bit numbers, which are converted here; -1: the library converts */
} gv_features_file;

/* Takes fd over (it stays open behind the library's own). */
int gv_features_open(gv_features_file *f, int fd, const char *name, gv_err *err) GV_MUST_USE;
void gv_features_close(gv_features_file *f); /* of one that is all zero, too, and of one that could not be opened */
/* [D], or [n,D] of a bag, float32. */
int gv_features_read(const gv_features_file *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* All rows of the file as one bag [n,D]. */
int gv_features_bag(const gv_features_file *f, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Instances of the whole file: rows, or those of all bags one behind the other. */
int64_t gv_features_count(const gv_features_file *f);
/* `n` of them from `from` -> to [n,D]. The arena lends memory. */
int gv_features_instances(const gv_features_file *f, int64_t from, int64_t n, float *to, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* A text attribute of the file; 0 (and NULL): there is none. */
int gv_features_attribute(const gv_features_file *f, const char *name, const char **text, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The places of a bag's instances, int64 [n,2]; row -1: of the whole file. 0: the file has none. */
int gv_features_coords(gv_features_file *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* A whole numeric data set as doubles with its shape (1 or 2 dimensions); 0: it is not there. */
int gv_features_numbers(const gv_features_file *f, const char *name, double **v, int64_t shape[2], gv_arena *arena, gv_err *err) GV_MUST_USE;
/* A whole data set of texts; 0: it is not there. */
int gv_features_texts(const gv_features_file *f, const char *name, const char ***v, int64_t *n, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
