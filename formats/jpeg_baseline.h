/*
 * Baseline JPEG decoded here instead of by libjpeg-turbo, to the same pixels: the usual photograph (one scan, 8 bits, grey or
 * YCbCr in 4:4:4, 4:2:2 or 4:2:0) on a processor with AVX2. Codes and their values come from one look at a table, blocks
 * outside the wanted part are passed over, and the part's pixels are made once, where they are to lie.
 *
 *   r = gv_jpeg_baseline(p, n, part, &x, arena, err);       // 1 done, 0 not for this decoder, < 0 no memory
 *
 * 0 also for anything odd on the way, damaged data included: libjpeg then starts afresh and is the only judge of it.
 */
#ifndef GV_FORMATS_JPEG_BASELINE_H
#define GV_FORMATS_JPEG_BASELINE_H

#include "sample/sample.h"

/* p, n: a whole file; part: NULL for all of it, otherwise inside the image. */
int gv_jpeg_baseline(const uint8_t *p, size_t n, const gv_region *part, gv_sample *out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* For tests: false sends everything to libjpeg. */
void gv_jpeg_baseline_enable(bool on);

/* ---- between its files ---- */

/* Whether the end marker comes at all (jpeg.c). */
bool gv_jpeg_has_end(const uint8_t *p, size_t n);

enum { GV_JPEG_LOOK = 11 }; /* bits of one look into a table */

/* A Huffman table. look: in the lowest byte the bits to drop, in the next the step to the place in the block (128: its end), above
 * it the value, for codes that fit with their value; 0x80 | bits of the code, step and size of the value where the value does not
 * fit; 0 for longer codes, which `first`, `offset` and `symbol` decode.
 * two (AC): up to two codes and the block's end behind them. From bit 0 on: 4 bits of how many to drop, 0 if nothing fits; 1 for
 * the block's end; 5 and 5 of the steps; from 16 on 8 and 8 of the values, 0 with step 0 for codes that are not there. */
typedef struct gv_jpeg_codes {
    bool set;
    uint8_t bits[17], symbol[256]; /* as in the file */
    uint32_t look[1 << GV_JPEG_LOOK];
    uint32_t two[1 << GV_JPEG_LOOK];
    uint32_t first[18]; /* codes of length i, at 16 bits, are below first[i]; [17] above all */
    int offset[17];
} gv_jpeg_codes;

typedef struct gv_jpeg_plane {
    int id, h, v, table;    /* sampling, quantisation table */
    int dc, ac;             /* Huffman tables of its scan */
    int64_t width, height;  /* samples that are the image's */
    uint8_t *data;          /* of the decoded blocks */
    int64_t x, y, stride;   /* place of data[0] in the component; bytes of a row */
} gv_jpeg_plane;

typedef struct gv_jpeg {
    int64_t width, height;
    int n;                        /* components: 1 or 3 */
    int h_max, v_max;
    gv_jpeg_plane plane[3];
    _Alignas(32) int16_t quant[4][64]; /* in rows, as the image */
    bool has_quant[4];
    gv_jpeg_codes *codes[2][4];   /* DC, AC; NULL: none */
    int64_t interval;             /* blocks' groups between restarts; 0: none */
    const uint8_t *data, *end;    /* of the scan */
    int64_t x0, x1, y0, y1;       /* groups of blocks to decode */
} gv_jpeg;

/* Tables, frame and scan up to the first entropy-coded byte. 1, or 0 for another decoder's file. */
int gv_jpeg_headers(gv_jpeg *j, const uint8_t *p, size_t n);
/* Decode the groups of blocks x0 … y1 into the planes. space: as many bytes as the scan has, and 4128. 1 or 0. */
int gv_jpeg_blocks(gv_jpeg *j, uint8_t *space);
/* Two blocks of coefficients, in rows, each with its quantisation, to 8 x 8 pixels. */
void gv_jpeg_idct2(const int16_t *a, const int16_t *qa, uint8_t *to_a, int64_t stride_a, const int16_t *b, const int16_t *qb, uint8_t *to_b, int64_t stride_b);
/* The region from the planes. space: 4 * (width + 64) bytes. */
void gv_jpeg_colours(const gv_jpeg *j, const gv_region *g, uint8_t *out, uint8_t *space);

#endif
