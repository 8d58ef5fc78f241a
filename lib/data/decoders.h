/*
 * How samples of a data set are read that are more than an image, where it has rules of its own. Apart from gv_dataset, so that only
 * glovita-decode links what opens files. One file and one line in decoders.def.
 */
#ifndef GV_DATA_DECODERS_H
#define GV_DATA_DECODERS_H

#include "data/data.h"
#include "data/rows.h"
#include "sample/sample.h"

typedef struct gv_decoder {
    const char *dataset;
    /* The bytes of a file (64 zeros stand behind them) as x. */
    int (*decode)(const gv_config *c, const uint8_t *p, size_t n, gv_sample *x, gv_arena *arena, gv_err *err);
    /* The container of `file` and `row`; fd is taken over. */
    int (*rows)(const gv_config *c, int fd, const char *name, gv_rows **out, gv_err *err);
} gv_decoder;

#define GV_DECODER(n) extern const gv_decoder gv_decoder_##n;
#include "data/decoders.def"
#undef GV_DECODER

const gv_decoder *gv_decoder_find(const char *dataset); /* NULL: images; a container by its first bytes */

#endif
