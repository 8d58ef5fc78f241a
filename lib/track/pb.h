/*
 * Protocol buffers, written: what the event files of W&B and TensorBoard are made of. A message that has failed stays failed, so
 * writers carry no checks; defaults (0, "") may be left out or written, readers take both.
 *
 *   gv_pb m = { .err = err };
 *   gv_pb_text(&m, 2, "loss");
 *   size_t at = gv_pb_open(&m, 5);         // a message in field 5
 *   gv_pb_int(&m, 1, 42);
 *   gv_pb_close(&m, at);
 *   … m.b, if m.r == GV_OK …
 *   gv_buf_release(&m.b);
 *
 * Source: protobuf.dev/programming-guides/encoding.
 */
#ifndef GV_TRACK_PB_H
#define GV_TRACK_PB_H

#include "json/json.h"

typedef struct gv_pb {
    gv_buf b;
    gv_err *err;
    int r;
} gv_pb;

void gv_pb_int(gv_pb *m, int field, int64_t v);        /* int32, int64, bool, enum */
void gv_pb_f64(gv_pb *m, int field, double v);
void gv_pb_f32(gv_pb *m, int field, float v);
void gv_pb_text(gv_pb *m, int field, const char *s);   /* NULL or "": nothing */
void gv_pb_bytes(gv_pb *m, int field, const void *p, size_t n);
void gv_pb_json(gv_pb *m, int field, const json_t *v); /* a text: the value as JSON */
size_t gv_pb_open(gv_pb *m, int field);
void gv_pb_close(gv_pb *m, size_t at);                 /* at: what the open gave */
/* seconds = 1, nanos = 2, as google.protobuf.Timestamp; NaN: nothing. */
void gv_pb_time(gv_pb *m, int field, double seconds);

#endif
