/*
 * A field is one row: name, type, default, range, unit, help. From the rows come the command line, --help, config files,
 * --describe, the OPTIONS of a man page and the resolved config beside each run.
 *
 *   struct hflip { double p; };
 *   static const gv_field fields[] = {
 *       GV_F64(struct hflip, p, 0.5, 0.0, 1.0, "probability", "chance that a sample is mirrored"),
 *       GV_END
 *   };
 *
 * The macros check at compile time that the member has the type of the row. Optional fields (GV_OPT_*) have the default
 * None: GV_NONE_I64, GV_NONE_U64, NaN or NULL in the struct, the word None on the command line, null in JSON.
 */
#ifndef GV_COMMON_FIELD_H
#define GV_COMMON_FIELD_H

#include "common/arena.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define GV_NONE_I64 INT64_MIN
#define GV_NONE_U64 UINT64_MAX
/* Bounds of open ranges: the number itself is outside. */
#define GV_ABOVE_0 0x1p-1074
#define GV_BELOW_1 0x1.fffffffffffffp-1

typedef enum gv_type {
    GV_TYPE_BOOL, /* bool */
    GV_TYPE_I64,  /* int64_t */
    GV_TYPE_U64,  /* uint64_t */
    GV_TYPE_F64,  /* double */
    GV_TYPE_STR,  /* const char * */
    GV_TYPE_ENUM, /* int, an index into choices; -1 is None */
    GV_TYPE_STRS, /* gv_strs; choices, if there are any, bound each word */
    GV_TYPE_INTS, /* gv_ints */
    GV_TYPE_F64S, /* gv_f64s */
    GV_TYPE_DICT, /* gv_dict: `k v k v` or one JSON object; values are kept as JSON text */
    GV_TYPE_END,
} gv_type;

/* What the words of a text field name, for completion on the command line. */
typedef enum gv_naming {
    GV_TAKES_TEXT,
    GV_TAKES_FILE,
    GV_TAKES_DIR,
    GV_TAKES_RUN,        /* a run's directory */
    GV_TAKES_RUNS,       /* the same, or the directory of its folds */
    GV_TAKES_CHECKPOINT, /* a file of weights, such as those of a run */
    GV_TAKES_NAME,       /* one of the names that the program knows: gv_config.names */
} gv_naming;

typedef struct gv_strs { size_t n; const char **v; } gv_strs;
typedef struct gv_ints { size_t n; int64_t *v; } gv_ints;
typedef struct gv_f64s { size_t n; double *v; } gv_f64s;
typedef struct gv_dict { size_t n; const char **key, **json; } gv_dict;

typedef struct gv_field {
    const char *name;
    gv_type type;
    size_t offset;
    bool optional;
    union { bool b; int64_t i; uint64_t u; double f; const char *s; } def; /* s: also the words of a list, blank-separated */
    union { int64_t i; uint64_t u; double f; } lo, hi;
    const char *const *choices; /* ENUM, STRS; NULL-terminated */
    const char *unit;           /* "" when it has none */
    const char *help;
    gv_naming takes;            /* STR, STRS */
} gv_field;

#define GV_FIELD_OF(T, m, ctype) (offsetof(T, m) + 0 * sizeof(struct { _Static_assert(_Generic(((T *)0)->m, ctype: 1, default: 0), "field '" #m "' is not of type " #ctype); int x; }))

/* Behind the help of a text or a list of texts may stand ".takes = GV_TAKES_FILE". */
#define GV_BOOL(T, m, d, h) { .name = #m, .type = GV_TYPE_BOOL, .offset = GV_FIELD_OF(T, m, bool), .def.b = (d), .unit = "", .help = (h) }
#define GV_I64(T, m, d, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_I64, .offset = GV_FIELD_OF(T, m, int64_t), .def.i = (d), .lo.i = (lo_), .hi.i = (hi_), .unit = (u_), .help = (h) }
#define GV_U64(T, m, d, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_U64, .offset = GV_FIELD_OF(T, m, uint64_t), .def.u = (d), .lo.u = (lo_), .hi.u = (hi_), .unit = (u_), .help = (h) }
#define GV_F64(T, m, d, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_F64, .offset = GV_FIELD_OF(T, m, double), .def.f = (d), .lo.f = (lo_), .hi.f = (hi_), .unit = (u_), .help = (h) }
#define GV_STR(T, m, d, ...) { .name = #m, .type = GV_TYPE_STR, .offset = GV_FIELD_OF(T, m, const char *), .def.s = (d), .unit = "", .help = __VA_ARGS__ }
#define GV_STR_AS(T, m, as, d, ...) { .name = (as), .type = GV_TYPE_STR, .offset = GV_FIELD_OF(T, m, const char *), .def.s = (d), .unit = "", .help = __VA_ARGS__ } /* under another name */
#define GV_ENUM(T, m, d, c, h) { .name = #m, .type = GV_TYPE_ENUM, .offset = GV_FIELD_OF(T, m, int), .def.i = (d), .choices = (c), .unit = "", .help = (h) }
#define GV_STRS(T, m, d, c, ...) { .name = #m, .type = GV_TYPE_STRS, .offset = GV_FIELD_OF(T, m, gv_strs), .def.s = (d), .choices = (c), .unit = "", .help = __VA_ARGS__ }
#define GV_INTS(T, m, d, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_INTS, .offset = GV_FIELD_OF(T, m, gv_ints), .def.s = (d), .lo.i = (lo_), .hi.i = (hi_), .unit = (u_), .help = (h) }
#define GV_F64S(T, m, d, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_F64S, .offset = GV_FIELD_OF(T, m, gv_f64s), .def.s = (d), .lo.f = (lo_), .hi.f = (hi_), .unit = (u_), .help = (h) }
#define GV_DICT(T, m, h) { .name = #m, .type = GV_TYPE_DICT, .offset = GV_FIELD_OF(T, m, gv_dict), .unit = "", .help = (h) }
/* None by default. A list (STRS, INTS, F64S) that is None has v == NULL and n == 0. */
#define GV_OPT_I64(T, m, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_I64, .optional = true, .offset = GV_FIELD_OF(T, m, int64_t), .def.i = GV_NONE_I64, .lo.i = (lo_), .hi.i = (hi_), .unit = (u_), .help = (h) }
#define GV_OPT_U64(T, m, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_U64, .optional = true, .offset = GV_FIELD_OF(T, m, uint64_t), .def.u = GV_NONE_U64, .lo.u = (lo_), .hi.u = (hi_), .unit = (u_), .help = (h) }
#define GV_OPT_F64(T, m, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_F64, .optional = true, .offset = GV_FIELD_OF(T, m, double), .def.f = NAN, .lo.f = (lo_), .hi.f = (hi_), .unit = (u_), .help = (h) }
#define GV_OPT_STR(T, m, ...) { .name = #m, .type = GV_TYPE_STR, .optional = true, .offset = GV_FIELD_OF(T, m, const char *), .unit = "", .help = __VA_ARGS__ }
#define GV_OPT_ENUM(T, m, c, h) { .name = #m, .type = GV_TYPE_ENUM, .optional = true, .offset = GV_FIELD_OF(T, m, int), .def.i = -1, .choices = (c), .unit = "", .help = (h) }
#define GV_OPT_STRS(T, m, c, ...) { .name = #m, .type = GV_TYPE_STRS, .optional = true, .offset = GV_FIELD_OF(T, m, gv_strs), .choices = (c), .unit = "", .help = __VA_ARGS__ }
#define GV_OPT_INTS(T, m, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_INTS, .optional = true, .offset = GV_FIELD_OF(T, m, gv_ints), .lo.i = (lo_), .hi.i = (hi_), .unit = (u_), .help = (h) }
#define GV_OPT_F64S(T, m, lo_, hi_, u_, h) { .name = #m, .type = GV_TYPE_F64S, .optional = true, .offset = GV_FIELD_OF(T, m, gv_f64s), .lo.f = (lo_), .hi.f = (hi_), .unit = (u_), .help = (h) }
#define GV_END { .type = GV_TYPE_END }

/* Write every default of the table into params. Lists are made in the arena. */
int gv_fields_default(const gv_field *fields, void *params, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The row of that name ('-' and '_' are alike), or NULL. */
const gv_field *gv_field_find(const gv_field *fields, const char *name, size_t len);

/* Set one field from its words on the command line: one word for a scalar, any number for a list or dict. `shown` is how
 * messages name it ("--training.seed"). Returns GV_OK or GV_EUSAGE naming the field, the value and what is allowed. */
int gv_field_set(const gv_field *f, void *params, const char *shown, const char *const *words, size_t n, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The value as the words gv_field_set takes back, blank-separated and quoted for the shell where needed; None for none. */
int gv_field_text(const gv_field *f, const void *params, gv_buf *out, gv_err *err) GV_MUST_USE;

/* What the range of a number allows, as a clause for messages and help: "the range is 0 to 9", "it must be above 0", "the
 * smallest allowed is 1"; nothing for other types and for a range without bounds. */
int gv_field_range(const gv_field *f, gv_buf *out, gv_err *err) GV_MUST_USE;

/* True if the value in params is that of the other struct (of the same table). */
bool gv_field_equal(const gv_field *f, const void *a, const void *b);

/* Append a word to a shell command line, quoted where a shell would change it. */
int gv_shell_quote(gv_buf *out, const char *word, gv_err *err) GV_MUST_USE;

/* The known name nearest to a misspelt one (Damerau-Levenshtein, at most a third of its length), or NULL. */
const char *gv_nearest(const char *word, const char *const *names, size_t n);

#endif
