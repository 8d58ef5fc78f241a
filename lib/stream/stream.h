/*
 * The record stream: one header, records, one end record, each a msgpack map (glovita-stream(5)).
 *
 *   gv_reader *in;  gv_writer *out;
 *   gv_reader_open(&in, 0, "stdin", &err);                       // reads the header
 *   gv_writer_open(&out, 1, "stdout", GV_TENSOR, &err);
 *   gv_header_copy(out, in, …); gv_writer_start(out, &err);      // header with history
 *   while ((r = gv_next(in, &rec, &err)) > 0)
 *       gv_put(out, &rec, &err);
 *   gv_writer_close(&out, r == 0, &err);                         // end record only after a good end
 *
 * Readers answer 1 a record, 0 the end (end record seen, count and digest right), < 0 an error, and stay failed. End of file
 * without an end record is GV_EDATA with record number and byte offset. What a record points to is borrowed from the reader's
 * buffer until the next gv_next. Claimed sizes are capped before they are believed: nesting 16, 1 Mi items a record, texts 16 MiB,
 * records and tensors 4 GiB - 1 (less with GLOVITA_MAX_RECORD, in bytes), and the buffer grows only as bytes arrive.
 * Tensors are aligned to their element: one that is not in the stream is moved by up to 7 bytes inside the reader's buffer,
 * over its own key, which has been read by then. Texts end with NUL the same way. So nothing is copied but by the kernel, and between processes of
 * gv_stream_borrows large tensors not even by that.
 */
#ifndef GV_STREAM_STREAM_H
#define GV_STREAM_STREAM_H

#include "common/arena.h"
#include "common/dtype.h"
#include <stdbool.h>

typedef enum gv_kind { /* also bits of a set */
    GV_SAMPLE = 1, GV_TENSOR = 2, GV_BATCH = 4, GV_PREDICTION = 8, GV_FEATURE = 16, GV_METRIC = 32, GV_ERROR_RECORD = 64,
} gv_kind;
const char *gv_kind_name(gv_kind k); /* "sample" "tensor" "batch" "prediction" "feature" "metric" "error" */
gv_kind gv_kind_find(const char *name); /* 0: no such kind */

typedef struct gv_tensor { gv_dtype dtype; int ndim; int64_t shape[GV_MAX_DIMS]; const void *data; size_t bytes; } gv_tensor;

typedef enum gv_item_type { GV_NIL, GV_ITEM_BOOL, GV_INT, GV_UINT, GV_FLOAT, GV_TEXT, GV_BIN, GV_TENSOR_ITEM, GV_ARRAY, GV_MAPPING } gv_item_type;

typedef struct gv_item {
    gv_item_type type;
    union {
        bool b;
        int64_t i;   /* INT: negative; every integer that fits is also readable through gv_get_i64 */
        uint64_t u;
        double f;
        struct { const char *s; size_t n; } text; /* TEXT: NUL-terminated; BIN: bytes */
        gv_tensor tensor;
        struct { struct gv_item *v; size_t n; } array;
        struct { struct gv_pair *v; size_t n; } map;
    };
} gv_item;

typedef struct gv_pair { const char *key; gv_item value; } gv_pair;

enum { GV_MAX_FIELDS = 64 };

typedef struct gv_record { /* the fields in the order they came, "kind" left out */
    gv_kind kind;
    size_t n;
    gv_pair field[GV_MAX_FIELDS];
} gv_record;

/* Reading fields. The getters answer NULL/false when the key is absent or of another type. */
const gv_item *gv_get(const gv_record *r, const char *key);
bool gv_get_i64(const gv_record *r, const char *key, int64_t *out);
bool gv_get_f64(const gv_record *r, const char *key, double *out);
const char *gv_get_text(const gv_record *r, const char *key);
const gv_tensor *gv_get_tensor(const gv_record *r, const char *key);

/* Setting fields: replaces or appends; the pointed-to bytes are borrowed until gv_put. More than GV_MAX_FIELDS: GV_EDATA. */
int gv_set(gv_record *r, const char *key, gv_item v, gv_err *err);
int gv_set_i64(gv_record *r, const char *key, int64_t v, gv_err *err);
int gv_set_f64(gv_record *r, const char *key, double v, gv_err *err);
int gv_set_text(gv_record *r, const char *key, const char *s, gv_err *err);
int gv_set_tensor(gv_record *r, const char *key, gv_dtype t, const int64_t *shape, int ndim, const void *data, gv_err *err);
void gv_unset(gv_record *r, const char *key);
void gv_record_init(gv_record *r, gv_kind k);
/* Turn a record into its error record (one input, one answer): keeps epoch pos index draw id path, adds stage and reason = err->text,
 * and clears err. `scratch` holds the texts. */
int gv_record_to_error(gv_record *r, const char *stage, gv_err *err, gv_arena *scratch);

typedef struct gv_reader gv_reader;
typedef struct gv_writer gv_writer;

/* `name` is how messages call the stream. Takes the descriptor over. Reads and checks the header. */
int gv_reader_open(gv_reader **r, int fd, const char *name, gv_err *err) GV_MUST_USE;
/* This process writes into nothing that a record points to: readers opened from now on may show large tensors where their writer put them (desk.h). */
void gv_stream_borrows(void);
/* The header's fields as a record (kind: the stream's kind): stream-wide facts such as shape dtype mean std class_names task count
 * data_set …, and "history" (array of maps). Lives until the reader closes. */
const gv_record *gv_reader_header(const gv_reader *r);
int gv_next(gv_reader *r, gv_record *rec, gv_err *err) GV_MUST_USE;
uint64_t gv_reader_records(const gv_reader *r); /* records read so far */
uint64_t gv_reader_offset(const gv_reader *r);  /* byte offset behind the last record */
bool gv_reader_digest_checked(const gv_reader *r);
void gv_reader_close(gv_reader *r); /* NULL is allowed */
/* Before r waits for input, w is flushed: a filter's small records never lie in its buffer while it sleeps. NULL: no longer. */
void gv_reader_tie(gv_reader *r, gv_writer *w);

int gv_writer_open(gv_writer **w, int fd, const char *name, gv_kind kind, gv_err *err) GV_MUST_USE;
/* A file that appears at `path` when the stream is closed well, and not at all otherwise. */
int gv_writer_create(gv_writer **w, const char *path, gv_kind kind, gv_err *err) GV_MUST_USE;
/* Before gv_writer_start: facts of the header; a fact given twice has the later value, nil removes it. gv_writer_inherit takes all
 * header fields and the history of an input. What keys and items point to is borrowed until gv_writer_start. */
int gv_writer_fact(gv_writer *w, const char *key, gv_item v, gv_err *err) GV_MUST_USE;
int gv_writer_inherit(gv_writer *w, const gv_record *header, gv_err *err) GV_MUST_USE;
/* Append to the history: program, version, and result-changing options as JSON-like pairs. */
int gv_writer_history(gv_writer *w, const char *program, const char *version, const gv_pair *options, size_t n, gv_err *err) GV_MUST_USE;
int gv_writer_start(gv_writer *w, gv_err *err) GV_MUST_USE;
int gv_put(gv_writer *w, const gv_record *rec, gv_err *err) GV_MUST_USE;
/* Push out what is buffered (batch does so before it waits). */
int gv_writer_flush(gv_writer *w, gv_err *err) GV_MUST_USE;
/* good: write the end record (count, XXH3-64 of all bytes before it). Reports the last error of the descriptor. Sets *w to NULL. */
int gv_writer_close(gv_writer **w, bool good, gv_err *err) GV_MUST_USE;
uint64_t gv_writer_records(const gv_writer *w);

/* Process-wide seconds spent in read(2) and write(2) of streams so far; progress events carry them. */
void gv_stream_waits(double *in, double *out);
/* A descriptor that becomes readable when the process shall stop (an eventfd written by a signal handler): readers that would
 * wait for input then return GV_ESAVED, and can be read on. -1: none. */
void gv_stream_stop_fd(int fd);

/* Many inputs merged in order: record k comes from reader k mod n, and its "pos" is checked to continue; at an epoch's end the
 * strands start the next epoch together. Strand i of n holds the positions with pos mod n = i; the stream may begin at any epoch
 * and position. One input alone need only grow: a filter may have dropped records. Headers, history included, must agree. */
typedef struct gv_merge gv_merge;
int gv_merge_open(gv_merge **m, gv_reader **r, int n, gv_err *err) GV_MUST_USE; /* takes the readers over */
const gv_record *gv_merge_header(const gv_merge *m);
int gv_merge_next(gv_merge *m, gv_record *rec, gv_err *err) GV_MUST_USE; /* borrowed until the next call */
void gv_merge_tie(gv_merge *m, gv_writer *w); /* gv_reader_tie for all of them */
void gv_merge_close(gv_merge *m);

bool gv_item_equal(const gv_item *a, const gv_item *b);
/* A copy with everything it points to in `a`. */
int gv_record_copy(gv_record *dst, const gv_record *src, gv_arena *a, gv_err *err) GV_MUST_USE;
/* Integers and 0-d tensors (what NumPy scalars become) alike. */
bool gv_item_i64_of(const gv_item *v, int64_t *out);
bool gv_item_f64_of(const gv_item *v, double *out);

/* Shorthands for items. */
gv_item gv_item_text(const char *s);
gv_item gv_item_i64(int64_t v);
gv_item gv_item_f64(double v);
gv_item gv_item_bool(bool v);
gv_item gv_item_tensor(gv_dtype t, const int64_t *shape, int ndim, const void *data);
/* Arrays in an arena; NULL-valued item (GV_NIL) when it is full (err filled). */
gv_item gv_item_i64s(const int64_t *v, size_t n, gv_arena *a, gv_err *err);
gv_item gv_item_f64s(const double *v, size_t n, gv_arena *a, gv_err *err);
gv_item gv_item_texts(const char *const *v, size_t n, gv_arena *a, gv_err *err);

#endif
