/* cat: show, count, check and slice streams. */
#include "stage/convert.h"
#include "stage/stage.h"
#include <inttypes.h>
#include <unistd.h>

struct cat {
    bool count, check, raw, header, json, stats;
    int64_t head, tail;
    const char *slice, *id;
};

static const gv_field fields[] = {
    GV_BOOL(struct cat, count, false, "print the number of records alone"),
    GV_BOOL(struct cat, check, false, "print nothing but the result of checking count and digest"),
    GV_OPT_I64(struct cat, head, 0, INT64_MAX, "records", "the first N records"),
    GV_OPT_I64(struct cat, tail, 0, 100000, "records", "the last N records"),
    GV_OPT_STR(struct cat, slice, "records A:B, counted from 0, B not included; either may be left out"),
    GV_OPT_STR(struct cat, id, "records with this id, or batches that hold it"),
    GV_BOOL(struct cat, raw, false, "write the records as a stream again, with a good end record"),
    GV_BOOL(struct cat, header, false, "print the header alone, as JSON"),
    GV_BOOL(struct cat, json, false, "print records as JSON, one a line; tensors of more than 256 values by type and shape"),
    GV_BOOL(struct cat, stats, false, "print smallest, largest and mean value of x, and how often each class of y comes"),
    GV_END
};

enum { INLINE_JSON = 256, INLINE_TEXT = 8 };

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

static int show(gv_stage_ctx *st, struct view *v, const gv_record *r, gv_err *err)
{
    const struct cat *o = v->o;
    v->kinds[r->kind == GV_ERROR_RECORD]++;
    if (o->raw)
        return gv_put(st->out, r, err);
    if (o->stats)
        return add_stats(&v->stats, r, &st->run, err);
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
        r = show(st, v, &ring[(at + n - held + i) % n], err);
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
    for (int64_t i = 0; i < v->to && (r = gv_next(in, &rec, err)) > 0; i++) {
        if (i >= v->from && (!v->o->id || has_id(&rec, v->o->id)) && (r = show(st, v, &rec, err)) < 0)
            return r;
        gv_stage_done(st, 1);
    }
    return r < 0 ? r : GV_OK;
}

/* The stream again; a part of it says so in its history, and no longer how many records there were. */
static int start_raw(gv_stage_ctx *st, const gv_record *header, const struct cat *o, gv_err *err)
{
    static gv_pair opt[4];
    size_t n = 0;
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

static int one(gv_stage_ctx *st, const char *path, struct view *v, gv_err *err)
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
        if (v->o->raw)
            r = start_raw(st, header, v->o, err);
        if (r == GV_OK)
            r = v->o->tail != GV_NONE_I64 ? show_tail(st, in, v, err) : show_slice(st, in, v, err);
        if (r == GV_OK && (v->o->count || v->o->check))
            summary(v, in, st->nargs > 1);
        if (r == GV_OK && v->o->stats)
            put_stats(v, header);
    }
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
    int modes = o->count + o->check + o->raw + o->header + o->json + o->stats;
    int parts = (o->head != GV_NONE_I64) + (o->tail != GV_NONE_I64) + (o->slice != NULL);
    if (modes > 1)
        return gv_fail(err, GV_EUSAGE, "only one of --count, --check, --raw, --header, --json and --stats can be asked for at a time");
    if (parts > 1)
        return gv_fail(err, GV_EUSAGE, "only one of --head, --tail and --slice can be given");
    if (o->check && (parts || o->id))
        return gv_fail(err, GV_EUSAGE, "--check looks at the whole stream; it takes no part of it");
    if (o->raw && st->nargs > 1)
        return gv_fail(err, GV_EUSAGE, "--raw takes one stream; %d are given", st->nargs);
    if (st->output && !o->raw)
        return gv_fail(err, GV_EUSAGE, "--output is for --raw; text goes to stdout");
    int r = GV_OK;
    for (int i = 0; r == GV_OK && (i < st->nargs || (!i && !st->nargs)); i++) {
        struct view v = { .o = o };
        r = parse_slice(o, &v, err);
        if (r == GV_OK)
            r = one(st, st->nargs ? st->args[i] : NULL, &v, err);
    }
    return r;
}

#define ALL (GV_SAMPLE | GV_TENSOR | GV_BATCH | GV_PREDICTION | GV_FEATURE | GV_METRIC)

const gv_stage gv_this_stage = {
    .name = "cat", .summary = "show, count, check and slice streams",
    .reads = ALL, .writes = ALL, .text_output = true, .positional = "[FILE...]",
    .fields = fields, .params_size = sizeof(struct cat),
    .run = run,
};
