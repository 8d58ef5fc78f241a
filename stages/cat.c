/* cat: show, count, check, slice and picture streams. */
#include "common/file.h"
#include "formats/png.h"
#include "sample/sheet.h"
#include "stage/convert.h"
#include "stage/stage.h"
#include <inttypes.h>
#include <unistd.h>

struct cat {
    bool count, check, raw, header, json, stats;
    int64_t head, tail, tile, columns;
    const char *slice, *id, *picture;
};

enum { INLINE_JSON = 256, INLINE_TEXT = 8, TILE = 128, TILES = 64 };

static const gv_field fields[] = {
    GV_BOOL(struct cat, count, false, "print the number of records alone"),
    GV_BOOL(struct cat, check, false, "print nothing but the result of checking count and digest"),
    GV_OPT_I64(struct cat, head, 0, INT64_MAX, "records", "the first N records"),
    GV_OPT_I64(struct cat, tail, 0, 100000, "records", "the last N records"),
    GV_OPT_STR(struct cat, slice, "records A:B, counted from 0, B not included; either may be left out"),
    GV_OPT_STR(struct cat, id, "records with this id, or batches that hold it"),
    GV_BOOL(struct cat, raw, false, "write the records as a stream again, with a good end record; several streams become one"),
    GV_BOOL(struct cat, header, false, "print the header alone, as JSON"),
    GV_BOOL(struct cat, json, false, "print records as JSON, one a line; tensors of more than 256 values by type and shape"),
    GV_BOOL(struct cat, stats, false, "print smallest, largest and mean value of x, and how often each class of y comes"),
    GV_OPT_STR(struct cat, picture, "draw the samples of tensor and batch records as tiles of this file, .png or .ppm, with class and id below; the first 64 unless a part is asked for", .takes = GV_TAKES_FILE),
    GV_I64(struct cat, tile, TILE, 16, 2048, "pixel", "side of a picture's tile; smaller samples are enlarged by a whole factor, larger ones shrunk"),
    GV_I64(struct cat, columns, 0, 0, 4096, "tile", "tiles in a row of the picture; 0: about as many as rows"),
    GV_END
};

struct stats {
    uint64_t records;   /* with an x */
    double count, sum, min, max;
    gv_dtype dtype;
    bool mixed;
    uint64_t labelled, unlabelled;
    int64_t nclasses;
    uint64_t *classes;  /* [nclasses], in st->run */
    double ycount, ysum, ymin, ymax; /* y that is no class */
};

struct view { /* what one input is asked for */
    const struct cat *o;
    const char *name;
    int64_t from, to;
    uint64_t kinds[2];  /* records of the stream's kind, error records */
    struct stats stats;
    gv_sheet sheet;
};

/* Text without control characters: a stream may come from anywhere, and a terminal obeys them. */
static void put_text(const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            printf("\\x%02x", *p);
        else
            putchar(*p);
}

static void put_item(const gv_item *v)
{
    switch (v->type) {
    case GV_NIL: fputs("nil", stdout); break;
    case GV_ITEM_BOOL: fputs(v->b ? "true" : "false", stdout); break;
    case GV_INT: printf("%" PRId64, v->i); break;
    case GV_UINT: printf("%" PRIu64, v->u); break;
    case GV_FLOAT: printf("%.6g", v->f); break;
    case GV_TEXT: put_text(v->text.s); break;
    case GV_BIN: printf("(%zu bytes)", v->text.n); break;
    case GV_MAPPING: printf("{%zu keys}", v->map.n); break;
    case GV_ARRAY:
        putchar('[');
        for (size_t i = 0; i < v->array.n && i < INLINE_TEXT; i++) {
            if (i)
                putchar(',');
            put_item(&v->array.v[i]);
        }
        printf(v->array.n > INLINE_TEXT ? ",… %zu]" : "]", v->array.n);
        break;
    case GV_TENSOR_ITEM: {
        const gv_tensor *t = &v->tensor;
        int64_t n = gv_shape_count(t->shape, t->ndim);
        size_t size = gv_dtype_of(t->dtype)->size;
        printf("%s[", gv_dtype_of(t->dtype)->name);
        for (int i = 0; i < t->ndim; i++)
            printf(i ? ",%" PRId64 : "%" PRId64, t->shape[i]);
        putchar(']');
        for (int64_t i = 0; n <= INLINE_TEXT && i < n; i++) {
            double f;
            gv_to_f64(t->dtype, (const char *)t->data + (size_t)i * size, &f, 1);
            printf(i ? ",%.6g" : "(%.6g", f);
        }
        if (n && n <= INLINE_TEXT)
            putchar(')');
    }
    }
}

static void put_line(const gv_record *r)
{
    fputs(gv_kind_name(r->kind), stdout);
    for (size_t i = 0; i < r->n; i++) {
        putchar(' ');
        put_text(r->field[i].key);
        putchar('=');
        put_item(&r->field[i].value);
    }
    putchar('\n');
}

static int put_json(const json_t *j, bool pretty, gv_err *err)
{
    char *s = j ? json_dumps(j, (pretty ? JSON_INDENT(2) : JSON_COMPACT) | JSON_ENSURE_ASCII) : NULL;
    if (!s)
        return gv_fail(err, GV_ESYS, "out of memory");
    puts(s);
    free(s);
    return GV_OK;
}

static int put_header(const gv_record *h, gv_err *err)
{
    json_t *j = json_object(), *facts = gv_json_of_record(h, INLINE_JSON);
    int r = GV_OK;
    if (j && facts) {
        json_object_del(facts, "kind");
        json_object_set_new(j, "format", json_string("glovita-stream"));
        json_object_set_new(j, "version", json_integer(1));
        json_object_set_new(j, "stream", json_string(gv_kind_name(h->kind)));
        json_object_update(j, facts);
    }
    r = put_json(facts ? j : NULL, true, err);
    json_decref(facts);
    json_decref(j);
    return r;
}

static bool has_id(const gv_record *r, const char *id)
{
    const gv_item *v = gv_get(r, "id");
    if (v && v->type == GV_TEXT)
        return !strcmp(v->text.s, id);
    for (size_t i = 0; v && v->type == GV_ARRAY && i < v->array.n; i++)
        if (v->array.v[i].type == GV_TEXT && !strcmp(v->array.v[i].text.s, id))
            return true;
    return false;
}

static int count_class(struct stats *s, int64_t c, gv_arena *a, gv_err *err)
{
    if (c < 0 || c >= 1 << 20) { /* -1: a frame without a label */
        s->unlabelled++;
        return GV_OK;
    }
    if (c >= s->nclasses) {
        int64_t n = c < 1024 ? 1024 : 1 << 20;
        uint64_t *more = gv_arena_alloc(a, (size_t)n * sizeof *more, err);
        if (!more)
            return GV_ESYS;
        if (s->nclasses)
            memcpy(more, s->classes, (size_t)s->nclasses * sizeof *more);
        s->classes = more;
        s->nclasses = n;
    }
    s->classes[c]++;
    s->labelled++;
    return GV_OK;
}

static void add_values(const gv_tensor *t, double *count, double *sum, double *min, double *max)
{
    double part[512];
    int64_t n = gv_shape_count(t->shape, t->ndim);
    size_t size = gv_dtype_of(t->dtype)->size;
    for (int64_t i = 0; i < n; i += 512) {
        size_t k = n - i < 512 ? (size_t)(n - i) : 512;
        gv_to_f64(t->dtype, (const char *)t->data + (size_t)i * size, part, k);
        for (size_t j = 0; j < k; j++) {
            *min = part[j] < *min ? part[j] : *min;
            *max = part[j] > *max ? part[j] : *max;
            *sum += part[j];
        }
    }
    *count += (double)n;
}

static int add_stats(struct stats *s, const gv_record *r, gv_arena *a, gv_err *err)
{
    const gv_tensor *x = gv_get_tensor(r, "x"), *y = gv_get_tensor(r, "y");
    int64_t c;
    if (r->kind == GV_ERROR_RECORD)
        return GV_OK;
    if (x) {
        if (!s->records++) {
            s->dtype = x->dtype;
            s->min = s->ymin = INFINITY;
            s->max = s->ymax = -INFINITY;
        }
        s->mixed |= s->dtype != x->dtype;
        add_values(x, &s->count, &s->sum, &s->min, &s->max);
    }
    if (gv_get_i64(r, "y", &c))
        return count_class(s, c, a, err);
    if (!y)
        s->unlabelled++;
    else if (y->ndim == 1 && (y->dtype == GV_I64T || y->dtype == GV_I32)) {
        for (int64_t i = 0; i < y->shape[0]; i++)
            if (count_class(s, y->dtype == GV_I64T ? ((const int64_t *)y->data)[i] : ((const int32_t *)y->data)[i], a, err) < 0)
                return GV_ESYS;
    } else
        add_values(y, &s->ycount, &s->ysum, &s->ymin, &s->ymax);
    return GV_OK;
}

static void put_stats(const struct view *v, const gv_record *header)
{
    const struct stats *s = &v->stats;
    const gv_item *names = gv_get(header, "class_names");
    if (s->records)
        printf("x: %s, %" PRIu64 " records, %.0f values, min %.6g, max %.6g, mean %.6g\n", s->mixed ? "several types" : gv_dtype_of(s->dtype)->name, s->records,
               s->count, s->min, s->max, s->count > 0 ? s->sum / s->count : NAN);
    else
        puts("x: none");
    for (int64_t c = 0; c < s->nclasses; c++)
        if (s->classes[c]) {
            printf("y: class %" PRId64, c);
            if (names && names->type == GV_ARRAY && (size_t)c < names->array.n && names->array.v[c].type == GV_TEXT) {
                fputs(" (", stdout);
                put_text(names->array.v[c].text.s);
                putchar(')');
            }
            printf(": %" PRIu64 "\n", s->classes[c]);
        }
    if (s->ycount > 0)
        printf("y: %.0f values, min %.6g, max %.6g, mean %.6g\n", s->ycount, s->ymin, s->ymax, s->ysum / s->ycount);
    if (s->unlabelled)
        printf("y: none in %" PRIu64 "\n", s->unlabelled);
}

/* ---- the picture ---- */

static void name_class(char *to, size_t n, const gv_item *names, int64_t c)
{
    if (names && names->type == GV_ARRAY && c >= 0 && (size_t)c < names->array.n && names->array.v[c].type == GV_TEXT)
        snprintf(to, n, "%s", names->array.v[c].text.s);
    else
        snprintf(to, n, c < 0 ? "no label" : "class %" PRId64, c);
}

/* The target of row `row` of y (row -1: y is that of one sample) as text: a class, the labels that are set, or numbers. */
static void target_text(char *to, size_t n, const gv_item *y, int64_t row, const gv_item *names)
{
    int64_t c;
    *to = 0;
    if (gv_item_i64_of(y, &c)) {
        name_class(to, n, names, c);
        return;
    }
    if (!y || y->type != GV_TENSOR_ITEM)
        return;
    const gv_tensor *t = &y->tensor;
    int64_t all = gv_shape_count(t->shape, t->ndim), k = row < 0 ? all : t->ndim && t->shape[0] > 0 ? all / t->shape[0] : 0, at = row < 0 ? 0 : row * k;
    size_t size = gv_dtype_of(t->dtype)->size, used = 0;
    for (int64_t i = 0; i < k && at + i < all && used + 24 < n; i++) {
        double v;
        char name[64];
        gv_to_f64(t->dtype, (const char *)t->data + (size_t)(at + i) * size, &v, 1);
        if (t->dtype == GV_U8 && !(v > 0))
            continue;
        if (t->dtype == GV_F32T || t->dtype == GV_F64T)
            snprintf(name, sizeof name, "%.4g", v);
        else
            name_class(name, sizeof name, names, t->dtype == GV_U8 ? i : (int64_t)v);
        used += (size_t)snprintf(to + used, n - used, used ? " %s" : "%s", name);
    }
}

static int64_t tile_limit(const struct cat *o)
{
    return o->head != GV_NONE_I64 || o->tail != GV_NONE_I64 || o->slice || o->id ? GV_SHEET_TILES : TILES;
}

static int draw_batch(gv_stage_ctx *st, struct view *v, const gv_record *r, const gv_tensor *x, const gv_item *names, gv_err *err)
{
    const gv_item *ids = gv_get(r, "id"), *y = gv_get(r, "y");
    const gv_tensor *perm = gv_get_tensor(r, "perm");
    double lam = 1;
    bool mixed = perm && perm->dtype == GV_I32 && perm->ndim == 1 && perm->shape[0] == x->shape[0] && gv_item_f64_of(gv_get(r, "lam"), &lam);
    gv_sample one = { .dtype = x->dtype, .ndim = x->ndim - 1 };
    memcpy(one.shape, x->shape + 1, (size_t)one.ndim * sizeof *one.shape);
    for (int64_t i = 0; i < x->shape[0] && v->sheet.n < tile_limit(v->o); i++) {
        char label[600], other[256];
        one.data = (char *)(uintptr_t)x->data + (size_t)i * gv_sample_bytes(&one);
        target_text(label, 256, y, i, names);
        int64_t with = mixed ? ((const int32_t *)perm->data)[i] : i;
        if (mixed && with >= 0 && with < x->shape[0]) {
            target_text(other, sizeof other, y, with, names);
            size_t n = strlen(label);
            snprintf(label + n, sizeof label - n, " + %.2f %s", 1 - lam, other);
        }
        bool named = ids && ids->type == GV_ARRAY && (size_t)i < ids->array.n && ids->array.v[i].type == GV_TEXT;
        gv_arena_reset(&st->scratch);
        if (gv_sheet_add(&v->sheet, &one, label, named ? ids->array.v[i].text.s : "", &st->scratch, err) < 0)
            return named ? gv_fail_in(err, "sample '%s'", ids->array.v[i].text.s) : err->code;
    }
    return GV_OK;
}

static int draw(gv_stage_ctx *st, struct view *v, const gv_record *r, const gv_item *names, gv_err *err)
{
    const gv_tensor *x = gv_get_tensor(r, "x");
    const char *id = gv_get_text(r, "id"), *reason = gv_get_text(r, "reason");
    char label[256];
    if (r->kind == GV_BATCH && x && x->ndim > 1)
        return draw_batch(st, v, r, x, names, err);
    if (r->kind != GV_ERROR_RECORD && !x)
        return gv_fail(err, GV_EDATA, "record '%s' has no 'x': pictures are made of tensors and batches", id ? id : "?");
    gv_sample one = { 0 };
    if (x) {
        one = (gv_sample){ .dtype = x->dtype, .ndim = x->ndim, .data = (void *)(uintptr_t)x->data };
        memcpy(one.shape, x->shape, sizeof one.shape);
        target_text(label, sizeof label, gv_get(r, "y"), -1, names);
    } else
        snprintf(label, sizeof label, "%s", reason ? reason : "error");
    gv_arena_reset(&st->scratch);
    return gv_sheet_add(&v->sheet, x ? &one : NULL, label, id ? id : "", &st->scratch, err) < 0 ? gv_fail_in(err, "record '%s'", id ? id : "?") : GV_OK;
}

static int write_picture(gv_stage_ctx *st, struct view *v, gv_err *err)
{
    gv_buf b = { 0 };
    gv_sample picture = { 0 };
    gv_arena_reset(&st->scratch);
    int r = gv_sheet_finish(&v->sheet, v->o->columns, &picture, &st->scratch, err);
    const char *end = strrchr(v->o->picture, '.');
    if (r == GV_OK && !strcmp(end, ".png"))
        r = gv_png_encode(&picture, &b, err);
    else if (r == GV_OK) {
        r = gv_buf_printf(&b, err, "P6\n%" PRId64 " %" PRId64 "\n255\n", picture.shape[1], picture.shape[0]);
        r = r == GV_OK ? gv_buf_add(&b, picture.data, gv_sample_bytes(&picture), err) : r;
    }
    if (r == GV_OK)
        r = gv_file_write(v->o->picture, b.data, b.len, err);
    if (r == GV_OK)
        printf("%s: %" PRId64 " sample%s, %" PRId64 " x %" PRId64 " pixels\n", v->o->picture, v->sheet.n, v->sheet.n == 1 ? "" : "s", picture.shape[1], picture.shape[0]);
    gv_buf_release(&b);
    return r;
}

/* ---- records ---- */

static int show(gv_stage_ctx *st, struct view *v, const gv_record *r, const gv_item *names, gv_err *err)
{
    const struct cat *o = v->o;
    v->kinds[r->kind == GV_ERROR_RECORD]++;
    if (o->raw)
        return gv_put(st->out, r, err);
    if (o->stats)
        return add_stats(&v->stats, r, &st->run, err);
    if (o->picture)
        return draw(st, v, r, names, err);
    if (o->json) {
        json_t *j = gv_json_of_record(r, INLINE_JSON);
        int e = put_json(j, false, err);
        json_decref(j);
        if (e < 0)
            return e;
    } else if (!o->count && !o->check)
        put_line(r);
    if (ferror(stdout))
        return gv_fail_sys(err, "cannot write 'stdout'");
    return GV_OK;
}

/* The last N records in N arenas, oldest first when the end is known. */
static int show_tail(gv_stage_ctx *st, gv_reader *in, struct view *v, gv_err *err)
{
    size_t n = (size_t)v->o->tail, at = 0, held = 0;
    gv_record *ring = gv_alloc((n + 1) * sizeof *ring, err), rec;
    gv_arena *arena = ring ? gv_alloc((n + 1) * sizeof *arena, err) : NULL;
    int r = arena ? GV_OK : GV_ESYS;
    uint64_t before = gv_reader_offset(in);
    while (r == GV_OK && (r = gv_next(in, &rec, err)) > 0) {
        size_t wire = (size_t)(gv_reader_offset(in) - before); /* one byte may become an item in its array */
        before = gv_reader_offset(in);
        r = GV_OK;
        if (!n || (v->o->id && !has_id(&rec, v->o->id)))
            continue;
        gv_arena_release(&arena[at]);
        if ((r = gv_arena_init(&arena[at], "tail", wire * 160 + 65536, err)) == GV_OK && (r = gv_record_copy(&ring[at], &rec, &arena[at], err)) == GV_OK) {
            at = (at + 1) % n;
            held += held < n;
        }
    }
    for (size_t i = 0; r == GV_OK && i < held; i++)
        r = show(st, v, &ring[(at + n - held + i) % n], gv_get(gv_reader_header(in), "class_names"), err);
    for (size_t i = 0; arena && i < n; i++)
        gv_arena_release(&arena[i]);
    gv_free(arena);
    gv_free(ring);
    return r;
}

static int show_slice(gv_stage_ctx *st, gv_reader *in, struct view *v, gv_err *err)
{
    gv_record rec;
    int r = 1;
    const gv_item *names = gv_get(gv_reader_header(in), "class_names");
    for (int64_t i = 0; i < v->to && (!v->o->picture || v->sheet.n < tile_limit(v->o)) && (r = gv_next(in, &rec, err)) > 0; i++) {
        if (i >= v->from && (!v->o->id || has_id(&rec, v->o->id)) && (r = show(st, v, &rec, names, err)) < 0)
            return r;
        gv_stage_done(st, 1);
    }
    return r < 0 ? r : GV_OK;
}

/* A further stream of one output says the same of its records as the first. */
static int same_facts(const gv_record *first, const gv_record *h, const char *name, gv_err *err)
{
    static const char *const facts[] = { "content", "task", "num_classes", "class_names", "mean", "std", "shape", "dtype" };
    if (first->kind != h->kind)
        return gv_fail(err, GV_EDATA, "'%s' holds %s records, the stream before it %s", name, gv_kind_name(h->kind), gv_kind_name(first->kind));
    for (size_t i = 0; i < GV_COUNT(facts); i++) {
        const gv_item *a = gv_get(first, facts[i]), *b = gv_get(h, facts[i]);
        if ((a || b) && (!a || !b || !gv_item_equal(a, b)))
            return gv_fail(err, GV_EDATA, "'%s' has other %s than the stream before it; they are no parts of one", name, facts[i]);
    }
    return GV_OK;
}

/* The stream again; a part of it, or several, say so in the history, and no longer how many records there were. */
static int start_raw(gv_stage_ctx *st, const gv_record *header, const struct cat *o, gv_err *err)
{
    static gv_pair opt[5];
    size_t n = 0;
    if (st->nargs > 1)
        opt[n++] = (gv_pair){ "streams", gv_item_i64(st->nargs) };
    if (o->slice)
        opt[n++] = (gv_pair){ "slice", gv_item_text(o->slice) };
    if (o->head != GV_NONE_I64)
        opt[n++] = (gv_pair){ "head", gv_item_i64(o->head) };
    if (o->tail != GV_NONE_I64)
        opt[n++] = (gv_pair){ "tail", gv_item_i64(o->tail) };
    if (o->id)
        opt[n++] = (gv_pair){ "id", gv_item_text(o->id) };
    int r = gv_stage_output(st, header->kind, err);
    if (r == GV_OK)
        r = gv_writer_inherit(st->out, header, err);
    if (r == GV_OK && n)
        r = gv_writer_history(st->out, "glovita-cat", GV_VERSION, opt, n, err);
    if (r == GV_OK && n)
        r = gv_writer_fact(st->out, "count", (gv_item){ .type = GV_NIL }, err);
    return r == GV_OK ? gv_writer_start(st->out, err) : r;
}

static void summary(const struct view *v, const gv_reader *in, int several)
{
    const char *kind = gv_kind_name(gv_reader_header(in)->kind);
    if (several || v->o->check) {
        put_text(v->name);
        fputs(": ", stdout);
    }
    printf("%" PRIu64 " %s record%s", v->kinds[0], kind, v->kinds[0] == 1 ? "" : "s");
    if (v->kinds[1])
        printf(", %" PRIu64 " error record%s", v->kinds[1], v->kinds[1] == 1 ? "" : "s");
    if (v->o->check)
        fputs(gv_reader_digest_checked(in) ? ", count and digest are right" : ", count is right; the digest is nil, so the bytes are not checked", stdout);
    putchar('\n');
}

static int one(gv_stage_ctx *st, const char *path, struct view *v, gv_record *first, gv_err *err)
{
    gv_reader *in;
    int r = gv_open_input(path, &in, err);
    if (r < 0)
        return r;
    v->name = path && strcmp(path, "-") ? path : "stdin";
    const gv_record *header = gv_reader_header(in);
    if (v->o->header)
        r = put_header(header, err);
    else {
        if (v->o->raw && first->n)
            r = same_facts(first, header, v->name, err);
        else if (v->o->raw && (r = start_raw(st, header, v->o, err)) == GV_OK && st->nargs > 1)
            r = gv_record_copy(first, header, &st->run, err);
        if (r == GV_OK)
            r = v->o->tail != GV_NONE_I64 ? show_tail(st, in, v, err) : show_slice(st, in, v, err);
        if (r == GV_OK && (v->o->count || v->o->check))
            summary(v, in, st->nargs > 1);
        if (r == GV_OK && v->o->stats)
            put_stats(v, header);
        if (r == GV_OK && v->o->picture)
            r = write_picture(st, v, err);
    }
    gv_sheet_release(&v->sheet);
    gv_reader_close(in);
    return r;
}

static int parse_slice(const struct cat *o, struct view *v, gv_err *err)
{
    v->from = 0;
    v->to = INT64_MAX;
    if (o->head != GV_NONE_I64)
        v->to = o->head;
    if (!o->slice)
        return GV_OK;
    const char *p = o->slice;
    char *end;
    if (*p >= '0' && *p <= '9') {
        v->from = strtoll(p, &end, 10);
        p = end;
    }
    if (*p++ == ':') {
        if (!*p)
            return GV_OK;
        if (*p >= '0' && *p <= '9') {
            v->to = strtoll(p, &end, 10);
            if (!*end)
                return GV_OK;
        }
    }
    return gv_fail(err, GV_EUSAGE, "'--slice' is '%s'; records are named A:B, counted from 0 (10:20, :5, 7:)", o->slice);
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct cat *o = st->params;
    int modes = o->count + o->check + o->raw + o->header + o->json + o->stats + (o->picture != NULL);
    int parts = (o->head != GV_NONE_I64) + (o->tail != GV_NONE_I64) + (o->slice != NULL);
    if (modes > 1)
        return gv_fail(err, GV_EUSAGE, "only one of --count, --check, --raw, --header, --json, --stats and --picture can be asked for at a time");
    const char *end = o->picture ? strrchr(o->picture, '.') : NULL;
    if (o->picture && (!end || (strcmp(end, ".png") && strcmp(end, ".ppm"))))
        return gv_fail(err, GV_EUSAGE, "'--picture' is '%s'; its name ends in .png or .ppm", o->picture);
    if (o->picture && st->nargs > 1)
        return gv_fail(err, GV_EUSAGE, "--picture takes one stream; %d are given", st->nargs);
    if (!o->picture && (o->tile != TILE || o->columns))
        return gv_fail(err, GV_EUSAGE, "--tile and --columns are for --picture");
    if (parts > 1)
        return gv_fail(err, GV_EUSAGE, "only one of --head, --tail and --slice can be given");
    if (o->check && (parts || o->id))
        return gv_fail(err, GV_EUSAGE, "--check looks at the whole stream; it takes no part of it");
    if (st->output && !o->raw)
        return gv_fail(err, GV_EUSAGE, "--output is for --raw; text goes to stdout");
    int r = GV_OK;
    gv_record first = { 0 }; /* header of the first of several */
    for (int i = 0; r == GV_OK && (i < st->nargs || (!i && !st->nargs)); i++) {
        struct view v = { .o = o, .sheet = { .tile = o->tile } };
        r = parse_slice(o, &v, err);
        if (r == GV_OK)
            r = one(st, st->nargs ? st->args[i] : NULL, &v, &first, err);
    }
    return r;
}

#define ALL (GV_SAMPLE | GV_TENSOR | GV_BATCH | GV_PREDICTION | GV_FEATURE | GV_METRIC)

const gv_stage gv_this_stage = {
    .name = "cat", .summary = "show, count, check, slice and picture streams",
    .reads = ALL, .writes = ALL, .text_output = true, .positional = "[FILE...]",
    .fields = fields, .params_size = sizeof(struct cat),
    .run = run,
};
