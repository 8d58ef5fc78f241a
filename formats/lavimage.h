/* One still image by an FFmpeg decoder: shared by bmp, gif and webp. */
#ifndef GV_FORMATS_LAVIMAGE_H
#define GV_FORMATS_LAVIMAGE_H

#include "formats/format.h"
#include "formats/lav.h"

/* Decode n bytes as one packet into a sample of `shape` (dtype, [H,W,C]); the frame must have exactly that size. p has
 * at least 64 readable bytes behind it. label names the format in messages. */
int gv_lav_image(enum AVCodecID id, const char *label, const uint8_t *p, size_t n, const gv_sample *shape, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* A lossy WebP frame (YUV 4:2:0) to RGB with libwebp's upsampling and arithmetic. */
void gv_webp_rgb(const uint8_t *const plane[3], const int stride[3], uint8_t *out, int64_t h, int64_t w);

static inline uint32_t gv_le16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static inline uint32_t gv_le24(const uint8_t *p) { return gv_le16(p) | (uint32_t)p[2] << 16; }
static inline uint32_t gv_le32(const uint8_t *p) { return gv_le24(p) | (uint32_t)p[3] << 24; }

#endif
