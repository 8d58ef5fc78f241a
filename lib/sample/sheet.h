/*
 * A contact sheet: samples as tiles of one picture, with two lines of text below each.
 *
 *   gv_sheet s = { .tile = 128 };
 *   gv_sheet_add(&s, &x, "cat", "train/cat/1.jpg", &scratch, &err);   // scratch may be reset afterwards
 *   gv_sheet_finish(&s, columns, &picture, &arena, &err);             // uint8 [H,W,3]; columns 0: about square
 *   gv_sheet_release(&s);
 *
 * x is [H,W,C], or has more axes in front (frames, slices, views): then four of them, evenly spread, share the tile. Of 1 and 2
 * channels the first is shown grey, of 3 and more the first three as colours. uint8 values are shown as they are, uint16 from 0
 * to 65535, other types from the smallest to the largest of the sample. What is smaller than a tile is enlarged by a whole factor,
 * pixel by pixel; what is larger is shrunk (Pillow's BILINEAR). Text is ASCII, other characters a '?'; too long, it keeps its end.
 */
#ifndef GV_SAMPLE_SHEET_H
#define GV_SAMPLE_SHEET_H

#include "sample/sample.h"

enum { GV_SHEET_TILES = 4096 };

typedef struct gv_sheet {
    int64_t tile;  /* side of a tile in pixels, at least 16 */
    int64_t n;     /* tiles so far */
    gv_buf cells;  /* each gv_sheet_cell_bytes */
} gv_sheet;

/* x NULL: an empty tile (a sample that failed). GV_EDATA when no picture can be made of x (fewer than two spatial axes). */
int gv_sheet_add(gv_sheet *s, const gv_sample *x, const char *first, const char *second, gv_arena *scratch, gv_err *err) GV_MUST_USE;
int gv_sheet_finish(const gv_sheet *s, int64_t columns, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_sheet_release(gv_sheet *s);

/* ---- letters ---- */

/* 5 x 7 pixels, a byte a row, the left pixel is bit 4. */
extern const unsigned char gv_letters[95][7]; /* from ' ' to '~' */

#endif
