/* Writing PNG: uint8 [H,W,1] grey or [H,W,3] colour, the whole file appended to out. The same pixels are the same bytes. */
#ifndef GV_FORMATS_PNG_H
#define GV_FORMATS_PNG_H

#include "sample/sample.h"

int gv_png_encode(const gv_sample *x, gv_buf *out, gv_err *err) GV_MUST_USE;

#endif
