/* CIFAR's files, which the data sets list and decode reads: binary batches, Python batches, archives of either. */
#ifndef GV_DATA_CIFAR_H
#define GV_DATA_CIFAR_H

#include "data/internal.h"

enum { GV_CIFAR_PIXELS = 3072, GV_CIFAR_PARTS = 6 };

/* Rows of one batch: planes R, G, B of 32 x 32 bytes, row r at at + r * stride, in `mem` or else in the file fd. */
typedef struct gv_cifar_part { size_t at, stride; int64_t n; } gv_cifar_part;

typedef struct gv_cifar {
    int fd;              /* -1: in mem */
    uint8_t *mem;
    size_t size;         /* of mem */
    int parts;
    gv_cifar_part part[GV_CIFAR_PARTS];
    int64_t rows, train; /* of an archive: the first `train` rows are the training set; otherwise rows */
    gv_buf labels;       /* rows bytes; cifar100: the fine ones */
} gv_cifar;

/* Takes fd over. `name` decides between the kinds together with the first bytes. */
int gv_cifar_open(gv_cifar *c, int fd, const char *name, gv_err *err) GV_MUST_USE;
void gv_cifar_close(gv_cifar *c);
int gv_cifar_kind(const char *name, const unsigned char *head, size_t n, int64_t size); /* 0: none of them */

/* A batch as Python pickled it: a dictionary with "data" (uint8 [n,3072]) and "labels" or "fine_labels". Nothing is executed: a
 * closed set of instructions and names. Where the pixels lie in p, and n labels appended. */
int gv_cifar_unpickle(const char *name, const uint8_t *p, size_t n, size_t *at, int64_t *rows, gv_buf *labels, gv_err *err) GV_MUST_USE;

#endif
