/* What the readers of lib/weights share. Not for other folders. */
#ifndef GV_WEIGHTS_INTERNAL_H
#define GV_WEIGHTS_INTERNAL_H

#include "weights/weights.h"

/* Strings to indices, open addressing; the strings are borrowed. Start from {0}. */
typedef struct gv_names {
    struct gv_name_slot { const char *name; size_t index; } *slot;
    size_t cap, n;
} gv_names;
/* 1 added, 0 it was there (*index then holds the earlier one), < 0 out of memory. */
int gv_names_add(gv_names *t, const char *name, size_t *index, gv_err *err) GV_MUST_USE;
/* Index, or -1. */
int64_t gv_names_find(const gv_names *t, const char *name);
void gv_names_release(gv_names *t);

struct gv_weights {
    const char *path, *format;
    const unsigned char *map; /* the file, read-only */
    size_t size;
    gv_arena arena;           /* names, path */
    gv_buf tensors;           /* gv_named[]: the model's, then the optimizer's */
    size_t nmodel;
    gv_buf metas;             /* gv_meta[] */
    gv_names by_name, by_key;
    gv_buf copies;            /* void *[]: data that could not be lent from the map */
    size_t copied;            /* bytes of them */
};

/* Add a tensor (name copied into the arena; refused when it is there) or a text. */
int gv_weights_add(gv_weights *w, const gv_named *t, gv_err *err) GV_MUST_USE;
int gv_weights_add_meta(gv_weights *w, const char *key, const char *value, gv_err *err) GV_MUST_USE;
/* Memory that lives as long as w. The sum is capped at 16 times the file and 64 MiB: a small file cannot claim more. */
void *gv_weights_copy_space(gv_weights *w, size_t bytes, const char *what, gv_err *err) GV_MUST_USE;

int gv_safetensors_read(gv_weights *w, gv_err *err) GV_MUST_USE;
int gv_torch_zip_read(gv_weights *w, gv_err *err) GV_MUST_USE;
int gv_torch_legacy_read(gv_weights *w, gv_err *err) GV_MUST_USE;
/* True if the bytes are PROTO and the magic number of torch's stream form. */
int gv_torch_legacy_sniff(const unsigned char *p, size_t n);

#define GV_LE16(p) ((uint16_t)((p)[0] | (p)[1] << 8))
#define GV_LE32(p) ((uint32_t)(p)[0] | (uint32_t)(p)[1] << 8 | (uint32_t)(p)[2] << 16 | (uint32_t)(p)[3] << 24)
#define GV_LE64(p) ((uint64_t)GV_LE32(p) | (uint64_t)GV_LE32((p) + 4) << 32)

#endif
