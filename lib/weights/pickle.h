/*
 * A pickle of torch.save, run on a closed set of instructions and names. Nothing is imported or called: the few names that
 * are known stand for values of ours, any other is refused by its name. Only lib/weights includes this.
 *
 *   struct gv_pickle k = {0};
 *   gv_pickle_init(&k, bytes_at_most, &err);
 *   gv_pk_value *root = gv_pickle_run(&k, p, n, &used, &err);     // NULL: err
 *   … k.storages: gv_pk_storage[], filled by the tensors that root refers to
 *   gv_pickle_release(&k);                                        // root is gone too
 *
 * Source: the instruction set that PyTorch's weights_only loader accepts; Python's pickletools for their meaning.
 */
#ifndef GV_WEIGHTS_PICKLE_H
#define GV_WEIGHTS_PICKLE_H

#include "weights/internal.h"

typedef enum gv_pk_kind {
    GV_PK_NONE, GV_PK_BOOL, GV_PK_INT, GV_PK_FLOAT, GV_PK_TEXT,
    GV_PK_TUPLE, GV_PK_LIST, GV_PK_DICT,
    GV_PK_SYMBOL,  /* a name from the closed set */
    GV_PK_STORAGE, /* a part of one storage */
    GV_PK_TENSOR,
    GV_PK_OPAQUE,  /* a device, a layout, bytes: parsed and not used */
} gv_pk_kind;

typedef enum gv_pk_call {
    GV_CALL_ORDERED_DICT, GV_CALL_COUNTER, GV_CALL_TENSOR_V1, GV_CALL_TENSOR_V2, GV_CALL_TENSOR_V3, GV_CALL_PARAMETER,
    GV_CALL_FROM_TYPE, GV_CALL_SIZE, GV_CALL_OPAQUE, GV_CALL_CLASS, /* classes: only as an argument */
    GV_CALL_STORAGE, GV_CALL_DTYPE,
} gv_pk_call;

typedef struct gv_pk_symbol {
    const char *module, *name;
    gv_pk_call call;
    int dtype;   /* STORAGE, DTYPE: gv_dtype, or -1 for types we do not compute with */
    size_t size; /* of an element, in bytes */
} gv_pk_symbol;

typedef struct gv_pk_value gv_pk_value;
typedef struct gv_pk_tensor {
    size_t storage;
    const gv_pk_symbol *type;
    int ndim;
    int64_t offset, shape[GV_MAX_DIMS], stride[GV_MAX_DIMS]; /* in elements of type, within the storage */
} gv_pk_tensor;

struct gv_pk_value {
    gv_pk_kind kind;
    union {
        int64_t i; /* BOOL, INT */
        double f;
        struct { const char *s; size_t n; } text;           /* ends in NUL, may hold NULs */
        struct { gv_pk_value **v; size_t n, cap; } list;    /* TUPLE, LIST; DICT: key, value, key, value … */
        const gv_pk_symbol *symbol;
        struct { size_t index; int64_t offset, count; } storage;
        const gv_pk_tensor *tensor;
    };
};

typedef struct gv_pk_storage {
    const char *key;
    const gv_pk_symbol *type;
    int64_t count;             /* elements */
    size_t bytes;
    const unsigned char *data; /* set by the container's reader */
} gv_pk_storage;

struct gv_pickle {
    gv_arena arena;
    gv_buf stack, marks, memo; /* gv_pk_value *[], size_t[], gv_pk_value *[] */
    gv_buf storages;           /* gv_pk_storage[] */
    gv_names keys;
    size_t values;
    const unsigned char *p;    /* the running pickle */
    size_t n, at;
};

int gv_pickle_init(struct gv_pickle *k, size_t pickle_bytes, gv_err *err) GV_MUST_USE;
gv_pk_value *gv_pickle_run(struct gv_pickle *k, const unsigned char *p, size_t n, size_t *used, gv_err *err) GV_MUST_USE;
void gv_pickle_release(struct gv_pickle *k);

/* For pickle_names.c: a new value, and what the names mean. NULL: err. */
gv_pk_value *gv_pk_new(struct gv_pickle *k, gv_pk_kind kind, gv_err *err) GV_MUST_USE;
int gv_pk_push(struct gv_pickle *k, gv_pk_value *list, gv_pk_value *item, gv_err *err) GV_MUST_USE;
const gv_pk_symbol *gv_pk_symbol_find(const char *module, const char *name);
gv_pk_value *gv_pk_reduce(struct gv_pickle *k, const gv_pk_symbol *f, const gv_pk_value *args, gv_err *err) GV_MUST_USE;
gv_pk_value *gv_pk_persistent(struct gv_pickle *k, const gv_pk_value *id, gv_err *err) GV_MUST_USE;

/* The value of a text key, or NULL. */
gv_pk_value *gv_pk_get(const gv_pk_value *dict, const char *key);

/* Give w the tensors and texts of a checkpoint; every storage has its data. big: the data is big-endian. */
int gv_torch_expose(gv_weights *w, const struct gv_pickle *k, const gv_pk_value *root, int big, gv_err *err) GV_MUST_USE;

#endif
