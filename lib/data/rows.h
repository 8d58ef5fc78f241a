/*
 * Containers: files that hold many samples, one a row. decode keeps them open and reads row by row.
 *
 *   gv_rows *f;
 *   gv_rows_open(&f, fd, "train-images-idx3-ubyte.gz", &err);   // takes fd over; the first bytes and the name decide
 *   gv_rows_read(f, 12, &x, &arena, &err);                      // x: [28,28,1] uint8
 *   gv_rows_close(f);
 *
 * A container is one file here (lib/data/<name>_rows.c) and one line in containers.def.
 */
#ifndef GV_DATA_ROWS_H
#define GV_DATA_ROWS_H

#include "sample/sample.h"

typedef struct gv_rows gv_rows;

typedef struct gv_container {
    const char *name;
    /* True if the file is of this kind: its name, first bytes and size. */
    bool (*sniff)(const char *name, const unsigned char *head, size_t n, int64_t size);
    int (*open)(int fd, const char *name, void **state, int64_t *rows, gv_err *err); /* takes fd over, in failure too */
    int (*read)(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err);
    /* All of the file as one bag [n,D]; NULL: it is no bag. */
    int (*bag)(void *state, gv_sample *out, gv_arena *arena, gv_err *err);
    /* Places of a row's instances, int64 [n,2] (row -1: of the file's): 1, or 0 when it tells none; NULL: never. */
    int (*coords)(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err);
    void (*close)(void *state);
} gv_container;

int gv_rows_open(gv_rows **f, int fd, const char *name, gv_err *err) GV_MUST_USE;
/* Rows by a container that is on no list. */
int gv_rows_wrap(gv_rows **f, const gv_container *kind, void *state, int64_t rows, const char *name, gv_err *err) GV_MUST_USE;
int64_t gv_rows_count(const gv_rows *f);
/* GV_EDATA for a row that is not there. The sample lives in the arena. */
int gv_rows_read(gv_rows *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
int gv_rows_bag(gv_rows *f, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
int gv_rows_coords(gv_rows *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_rows_close(gv_rows *f);

#endif
