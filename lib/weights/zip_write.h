/*
 * Write a ZIP archive of stored members, each starting at a multiple of 64 as torch's do; no times, so equal input gives
 * equal bytes. Sizes are known before: data is only passed through. Only lib/weights includes this.
 *
 *   struct gv_zip_out z = { .out = &out };
 *   gv_zip_add(&z, "archive/data/0", p, n, &err);
 *   gv_zip_end(&z, &err);                         // then gv_out_commit
 *   gv_zip_out_release(&z);
 */
#ifndef GV_WEIGHTS_ZIP_WRITE_H
#define GV_WEIGHTS_ZIP_WRITE_H

#include "common/file.h"

struct gv_zip_out {
    gv_out *out;
    uint64_t at, count;
    gv_buf directory;
};

int gv_zip_add(struct gv_zip_out *z, const char *name, const void *p, size_t n, gv_err *err) GV_MUST_USE;
int gv_zip_end(struct gv_zip_out *z, gv_err *err) GV_MUST_USE;
void gv_zip_out_release(struct gv_zip_out *z);

#endif
