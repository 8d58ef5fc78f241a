/*
 * A ZIP archive in memory, read strictly: one central directory that ends the file, plain names, none twice, members side by
 * side without overlap, sizes from the directory and local headers that agree. Stored or deflated. Only lib/weights includes this.
 *
 *   struct gv_zip z = {0};
 *   gv_zip_open(&z, map, size, &err);
 *   const struct gv_zip_member *m = gv_zip_find(&z, "archive/version");
 *   gv_zip_close(&z);
 *
 * Source: PKWARE APPNOTE 6.3, sections 4.3.7 to 4.3.16 and 4.5.3.
 */
#ifndef GV_WEIGHTS_ZIP_H
#define GV_WEIGHTS_ZIP_H

#include "weights/internal.h"

struct gv_zip_member {
    char *name;
    const unsigned char *data; /* as stored */
    uint64_t stored, bytes;    /* stored == bytes unless deflated */
    uint64_t header;           /* offset of the local header */
    uint32_t crc;
    int method, descriptor;    /* 0 stored, 8 deflated; sizes follow the data */
};

struct gv_zip {
    const unsigned char *p;
    size_t n;
    gv_buf members, text; /* gv_zip_member[] in the order of the file; the names */
    gv_names names;
};

int gv_zip_open(struct gv_zip *z, const unsigned char *p, size_t n, gv_err *err) GV_MUST_USE;
void gv_zip_close(struct gv_zip *z);
const struct gv_zip_member *gv_zip_find(const struct gv_zip *z, const char *name);
/* The bytes of a member, checked against its CRC: lent from the file when stored, else in space of w. NULL: err. */
const unsigned char *gv_zip_data(const struct gv_zip_member *m, gv_weights *w, gv_err *err) GV_MUST_USE;

#endif
