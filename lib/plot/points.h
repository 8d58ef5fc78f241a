/*
 * Points in the plane, of classes or with a number each: a picture like the original's, and a page to look around in.
 *
 *   gv_points p = { .n = n, .xy = y, .group = group, .groups = 10, .name = names, .id = ids, .title = "val" };
 *   gv_points_draw(&p, "val.png", 200, true, &err);
 *   gv_points_page(&p, NULL, "val.html", &err);
 *
 * Colours are those of matplotlib that the original takes: tab10 up to 10 classes, tab20 up to 20, else turbo; a point without a class is grey.
 */
#ifndef GV_PLOT_POINTS_H
#define GV_PLOT_POINTS_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct gv_points {
    int64_t n;
    const float *xy;          /* [n,2] */
    const int32_t *group;     /* [n], -1: none; NULL: no classes */
    int64_t groups;
    const char *const *name;  /* [groups] */
    const float *value;       /* [n] instead of classes; NULL: none */
    const char *const *id;    /* [n] */
    const char *title, *note; /* first and second line */
} gv_points;

/* Pictures of the points, small, as JPEG files of many beside each other: point i is picture `place[i]` (-1: none) in cells of side x side, PER_ROW
 * in a row and in as many rows. */
enum { GV_THUMBS_PER_ROW = 32, GV_THUMBS_PER_SHEET = GV_THUMBS_PER_ROW * GV_THUMBS_PER_ROW };
typedef struct gv_thumbs {
    int side;
    int64_t count, room;
    int32_t *place;    /* [n] */
    gv_buf pixels;     /* of the sheet that is being filled, RGB */
    gv_buf *sheet;     /* finished ones */
    int64_t sheets;
} gv_thumbs;

/* 0xRRGGBB of class i of n. */
uint32_t gv_points_colour(int64_t i, int64_t n);
/* PNG or SVG by the path's ending, 7 x 6 inches. legend: name the classes, up to 20. GV_ESYS without gnuplot. */
int gv_points_draw(const gv_points *p, const char *to, int64_t dpi, bool legend, gv_err *err) GV_MUST_USE;
/* id, label (or value), x, y: a line a point. */
int gv_points_table(const gv_points *p, const char *to, gv_err *err) GV_MUST_USE;
/* One HTML file that needs nothing else. thumbs NULL: no pictures. */
int gv_points_page(const gv_points *p, const gv_thumbs *thumbs, const char *to, gv_err *err) GV_MUST_USE;

/* For the pictures of n points; the caller sets `side` before the first. */
int gv_thumbs_init(gv_thumbs *t, int64_t n, gv_err *err) GV_MUST_USE;
/* The picture of point i: pixels [h,w,c] of 8 bits, h and w at most `side`, c 1 or 3. */
int gv_thumbs_add(gv_thumbs *t, int64_t i, const uint8_t *pixels, int64_t h, int64_t w, int64_t c, gv_err *err) GV_MUST_USE;
/* After the last. */
int gv_thumbs_finish(gv_thumbs *t, gv_err *err) GV_MUST_USE;
void gv_thumbs_release(gv_thumbs *t);

#endif
