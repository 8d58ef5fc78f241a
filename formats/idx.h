/*
 * IDX files (MNIST and its kin), plain or gzip: the whole file in memory, rows by pointer.
 *
 *   gv_idx x;
 *   gv_idx_open(&x, "train-images-idx3-ubyte.gz", &err);               // x.n = 60000, x.shape = { 28, 28 }
 *   const uint8_t *row = gv_idx_row(&x, 17);                            // 784 bytes, in the machine's byte order
 *   gv_idx_close(&x);
 *
 * A plain file of bytes is mapped; others are inflated, or copied with their byte order turned, into memory of their own.
 * GV_EDATA for a header that lies about the length, an unknown type, more than 4 GiB; GV_ESYS when it cannot be read.
 * Source: LeCun, "The MNIST database", file formats.
 */
#ifndef GV_FORMATS_IDX_H
#define GV_FORMATS_IDX_H

#include "sample/sample.h"

typedef struct gv_idx {
    gv_dtype dtype;
    int64_t n;           /* rows: the first dimension */
    int ndim;            /* dimensions of a row; 0 for labels */
    int64_t shape[GV_MAX_DIMS];
    size_t row_bytes;
    const uint8_t *data; /* row 0 */
    void *map;           /* what close gives back: a mapping or memory */
    size_t map_size;
    bool mapped;
} gv_idx;

int gv_idx_open(gv_idx *x, const char *path, gv_err *err) GV_MUST_USE;
/* The same from a descriptor at its beginning, which stays the caller's; `path` is how messages call it. */
int gv_idx_open_fd(gv_idx *x, int fd, const char *path, gv_err *err) GV_MUST_USE;
void gv_idx_close(gv_idx *x);
static inline const uint8_t *gv_idx_row(const gv_idx *x, int64_t i)
{
    return i < 0 || i >= x->n ? NULL : x->data + (size_t)i * x->row_bytes;
}

/*
 * A whole file, inflated when it begins as gzip, into memory that gv_free frees. Refused above cap bytes (inflated), for
 * content that is cut, and for what is not a regular file.
 */
int gv_read_gz(const char *path, size_t cap, uint8_t **data, size_t *n, gv_err *err) GV_MUST_USE;
int gv_read_gz_fd(int fd, const char *path, size_t cap, uint8_t **data, size_t *n, gv_err *err) GV_MUST_USE;

#endif
