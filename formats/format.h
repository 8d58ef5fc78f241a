/*
 * File formats: one per file, named on formats.def, chosen by the first bytes (never by the suffix).
 *
 *   gv_sample x;
 *   gv_decode_options o = { .channels = 3 };
 *   if (gv_decode_file("cats/0012.jpg", &x, arena, &o, err) < 0)
 *       return gv_fail_in(err, "record %" PRIu64, i);        // "record 12: cannot decode 'cats/0012.jpg': JPEG ends after 900 bytes"
 *
 * Pixels equal Pillow's Image.open(path).convert("RGB") for 8-bit files: no EXIF rotation, alpha dropped without
 * compositing, palettes looked up, 1-bit as 0 and 255, first frame of an animation. 16-bit files keep 16 bits (Pillow
 * clips grey ones at 255). A file that ends early is GV_EDATA, never a part of an image.
 * Everything claimed by a header is checked against the limits before memory is taken.
 */
#ifndef GV_FORMATS_FORMAT_H
#define GV_FORMATS_FORMAT_H

#include "sample/sample.h"

typedef struct gv_decode_info {
    const char *format;   /* name of the format */
    int64_t full_h, full_w; /* size in the file's header */
    bool cropped;         /* only `region` was kept */
    gv_region region;
} gv_decode_info;

typedef struct gv_decode_options {
    size_t max_input;     /* bytes of the file; 0: 512 MiB */
    size_t max_output;    /* bytes of the pixels, and of any one allocation on the way; 0: 1 GiB */
    int64_t channels;     /* 0: as stored; otherwise converted as gv_sample_channels does */
    /* Called with the size in the header: 1 and a region inside the image, or 0 for all of it. The pixels are those of
     * decoding everything and cropping; JPEG decodes little more than the region. */
    int (*crop)(void *arg, int64_t h, int64_t w, gv_region *region);
    void *crop_arg;
    const gv_region *region; /* the same without a call; crop goes first */
    gv_decode_info *info;    /* filled when not NULL */
} gv_decode_options;

enum { GV_MAX_INPUT = 512 << 20, GV_MAX_OUTPUT = 1 << 30 };

struct gv_scan;
struct gv_scan_options;
struct gv_series;
struct gv_series_options;

typedef struct gv_format {
    const char *name, *summary;
    const char *const *suffixes; /* ".jpg" …, NULL-terminated, lower case */
    bool (*sniff)(const uint8_t *p, size_t n);
    /* dtype and shape as decode would give them, data NULL; nothing is decoded. */
    int (*header)(const uint8_t *p, size_t n, gv_sample *shape, gv_err *err);
    /* All of it, or part->h x part->w of it when part is not NULL and the format can (`parts`). The shape has been checked. */
    int (*decode)(const uint8_t *p, size_t n, gv_sample *out, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err);
    bool parts;
    /* The most bytes of pixels (after conversion) that a byte of file can hold, a bit generously; 0: no such bound. A file
     * below it is refused before memory is taken. */
    int64_t ratio;
    /* The same as a volume [D,H,W,C] with what the file says of its place (formats/scan.h); NULL: it holds none. A format of
     * volumes alone has neither header nor decode. */
    int (*volume)(const uint8_t *p, size_t n, const struct gv_scan_options *o, struct gv_scan *out, gv_arena *arena, gv_err *err);
    /* The same as a series [T,C] (formats/series.h); NULL: it holds none. A format of series alone has neither header nor decode. */
    int (*series)(const uint8_t *p, size_t n, const struct gv_series_options *o, struct gv_series *out, gv_arena *arena, gv_err *err);
    /* A whole file of it, appended; NULL when only read. */
    int (*encode)(const gv_sample *x, gv_buf *out, gv_err *err);
} gv_format;

#define GV_FORMAT(n) extern const gv_format gv_format_##n;
#include "formats/formats.def"
#undef GV_FORMAT

/* All formats, NULL-terminated; by name; by first bytes. NULL when there is none. */
const gv_format *const *gv_formats(void);
const gv_format *gv_format_find(const char *name);
const gv_format *gv_format_sniff(const uint8_t *p, size_t n);
/* True if the path ends in a suffix of some format (any case). */
bool gv_format_suffix(const char *path);

/* The bytes of a regular file, opened without blocking, within max_input. They live in arena. */
typedef struct gv_bytes { const uint8_t *p; size_t n; } gv_bytes;
int gv_bytes_load(const char *path, gv_bytes *b, size_t max_input, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Decode from memory or from a file. The pixels live in arena. GV_EDATA for content that is not an image, is cut or is too
 * large; GV_ESYS for a file that cannot be read and a full arena. */
int gv_decode_bytes(gv_bytes b, gv_sample *out, gv_arena *arena, const gv_decode_options *o, gv_err *err) GV_MUST_USE;
int gv_decode_file(const char *path, gv_sample *out, gv_arena *arena, const gv_decode_options *o, gv_err *err) GV_MUST_USE;

/* A shape within every limit: sides of the spatial axes, channels, bytes. Used by decoders before they take memory. */
int gv_shape_check(const gv_sample *s, size_t max_output, gv_err *err) GV_MUST_USE;

#endif
