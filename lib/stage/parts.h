/*
 * One stream in several files: parts that follow each other, as shards of a split leave them (glovita_extract_features --shard).
 *
 *   gv_parts p;
 *   gv_parts_open(&p, &options->input, GV_FEATURE | GV_PREDICTION, &err);      // no path: stdin
 *   while ((r = gv_parts_next(&p, &rec, &err)) > 0) …
 *   gv_parts_close(&p);
 *
 * The header is the first part's; the others must say the same, but for the count. Where records tell their `index`, the samples of a part
 * come behind those of the one before it, and the first of several begins with sample 0: a part that is missing, or given twice, is GV_EDATA
 * (at its end: within a part, error records may stand before or behind their place). Each part has its own end record, so one that was cut
 * is found too. Records are borrowed until the next call.
 */
#ifndef GV_STAGE_PARTS_H
#define GV_STAGE_PARTS_H

#include "stage/stage.h"

typedef struct gv_parts {
    const gv_strs *path;    /* n 0: stdin */
    unsigned kinds;         /* a set of gv_kind */
    size_t at;              /* the part being read */
    gv_reader *first, *now; /* first: kept for its header */
    int64_t low, high;      /* indices in the part being read; -1: none yet, or they tell none */
    int64_t before;         /* the highest of the part before it */
} gv_parts;

int gv_parts_open(gv_parts *p, const gv_strs *path, unsigned kinds, gv_err *err) GV_MUST_USE;
const gv_record *gv_parts_header(const gv_parts *p);
int gv_parts_next(gv_parts *p, gv_record *rec, gv_err *err) GV_MUST_USE;
/* Prepends the record's number, and its part where there are several. */
int gv_parts_fail_in(const gv_parts *p, gv_err *err);
void gv_parts_close(gv_parts *p);

#endif
