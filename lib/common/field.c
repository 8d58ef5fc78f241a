/* field: defaults, parsing, printing and comparing of typed rows. */
#include "common/field.h"
#include <errno.h>
#include <inttypes.h>

static void *at(const gv_field *f, const void *params)
{
    return (char *)(uintptr_t)params + f->offset;
}

static bool same_name(const char *a, const char *b, size_t len)
{
    if (strlen(a) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
            return false;
    return true;
}

const gv_field *gv_field_find(const gv_field *fields, const char *name, size_t len)
{
    for (const gv_field *f = fields; f && f->type != GV_TYPE_END; f++)
        if (same_name(f->name, name, len))
            return f;
    return NULL;
}

static bool is_none(const char *s)
{
    return !strcmp(s, "None") || !strcmp(s, "none") || !strcmp(s, "null");
}

/* Python's int(): sign, digits with single underscores between them, 0x. */
static bool parse_digits(const char *s, bool *negative, uint64_t *out)
{
    char clean[80];
    size_t n = 0;
    *negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    for (; *s; s++) {
        if (*s == '_' && n && s[1] && s[1] != '_')
            continue;
        if (n + 1 >= sizeof clean)
            return false;
        clean[n++] = *s;
    }
    clean[n] = 0;
    int base = clean[0] == '0' && (clean[1] == 'x' || clean[1] == 'X') ? 16 : 10;
    if (!((clean[0] >= '0' && clean[0] <= '9')))
        return false;
    char *end;
    errno = 0;
    *out = strtoull(clean, &end, base);
    return !*end && !errno;
}

static int add_f64(gv_buf *out, double v, gv_err *err);

/* One end of a range: "0", or "above 0" and "below 1" where the number itself is outside. */
static int add_bound(gv_buf *out, double v, gv_err *err)
{
    if (v == GV_ABOVE_0)
        return gv_buf_printf(out, err, "above 0");
    if (v == GV_BELOW_1)
        return gv_buf_printf(out, err, "below 1");
    return add_f64(out, v, err);
}

int gv_field_range(const gv_field *f, gv_buf *out, gv_err *err)
{
    int r = GV_OK;
    switch (f->type) {
    case GV_TYPE_I64:
    case GV_TYPE_INTS:
        if (f->hi.i != INT64_MAX)
            return gv_buf_printf(out, err, "the range is %" PRId64 " to %" PRId64, f->lo.i, f->hi.i);
        return f->lo.i > INT64_MIN + 1 ? gv_buf_printf(out, err, "the smallest allowed is %" PRId64, f->lo.i) : GV_OK;
    case GV_TYPE_U64: return gv_buf_printf(out, err, "the range is %" PRIu64 " to %" PRIu64, f->lo.u, f->hi.u);
    case GV_TYPE_F64:
    case GV_TYPE_F64S:
        if (!isinf(f->hi.f)) {
            r = gv_buf_printf(out, err, "the range is ");
            r = r == GV_OK ? add_bound(out, f->lo.f, err) : r;
            r = r == GV_OK ? gv_buf_printf(out, err, " to ") : r;
            return r == GV_OK ? add_bound(out, f->hi.f, err) : r;
        }
        if (isinf(f->lo.f))
            return GV_OK;
        r = gv_buf_printf(out, err, f->lo.f == GV_ABOVE_0 ? "it must be " : "the smallest allowed is ");
        return r == GV_OK ? add_bound(out, f->lo.f, err) : r;
    default: return GV_OK;
    }
}

static int out_of_range(const gv_field *f, const char *shown, const char *word, gv_err *err)
{
    gv_buf b = { 0 };
    if (gv_field_range(f, &b, NULL) != GV_OK || !b.data)
        gv_fail(err, GV_EUSAGE, "'%s' is %s, which is out of range", shown, word);
    else
        gv_fail(err, GV_EUSAGE, "'%s' is %s; %s", shown, word, b.data);
    gv_buf_release(&b);
    return GV_EUSAGE;
}

static int set_i64(const gv_field *f, int64_t *to, const char *shown, const char *word, gv_err *err)
{
    bool neg;
    uint64_t u;
    if (!parse_digits(word, &neg, &u) || u > (uint64_t)INT64_MAX)
        return gv_fail(err, GV_EUSAGE, "'%s' is '%s'; a whole number is wanted", shown, word);
    int64_t v = neg ? -(int64_t)u : (int64_t)u;
    if (v < f->lo.i || v > f->hi.i)
        return out_of_range(f, shown, word, err);
    *to = v;
    return GV_OK;
}

static int set_u64(const gv_field *f, uint64_t *to, const char *shown, const char *word, gv_err *err)
{
    bool neg;
    uint64_t u;
    if (!parse_digits(word, &neg, &u))
        return gv_fail(err, GV_EUSAGE, "'%s' is '%s'; a whole number is wanted", shown, word);
    if ((neg && u) || u < f->lo.u || u > f->hi.u)
        return out_of_range(f, shown, word, err);
    *to = u;
    return GV_OK;
}

static int set_f64(const gv_field *f, double *to, const char *shown, const char *word, gv_err *err)
{
    char *end;
    double v = strtod(word, &end);
    if (end == word || *end || !isfinite(v))
        return gv_fail(err, GV_EUSAGE, "'%s' is '%s'; a number is wanted", shown, word);
    if (v < f->lo.f || v > f->hi.f)
        return out_of_range(f, shown, word, err);
    *to = v;
    return GV_OK;
}

static int choice_of(const gv_field *f, const char *shown, const char *word, gv_err *err)
{
    size_t n = 0;
    for (; f->choices[n]; n++)
        if (same_name(f->choices[n], word, strlen(word)))
            return (int)n;
    gv_buf all = { 0 };
    int r = gv_buf_add(&all, "", 0, NULL);
    for (size_t i = 0; i < n && r == GV_OK; i++)
        r = gv_buf_printf(&all, NULL, "%s%s", i ? ", " : "", f->choices[i]);
    const char *near = gv_nearest(word, f->choices, n);
    gv_fail(err, GV_EUSAGE, "'%s' is '%s'; allowed are %s%s%s%s", shown, word, all.data ? all.data : "?", near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    gv_buf_release(&all);
    return GV_EUSAGE;
}

/* Words to JSON values for a dict: JSON if it reads as a number, literal or quoted text, else a string. */
static const char *json_word(const char *w, gv_arena *arena, gv_err *err)
{
    char *end;
    double d = strtod(w, &end);
    if (*w && !*end && isfinite(d) && strspn(w, "0123456789+-.eE") == strlen(w) && w[0] != '+' && w[0] != '.')
        return gv_arena_strdup(arena, w, err);
    static const char *const literal[][2] = { { "True", "true" }, { "true", "true" }, { "False", "false" }, { "false", "false" }, { "None", "null" }, { "null", "null" } };
    for (size_t i = 0; i < GV_COUNT(literal); i++)
        if (!strcmp(w, literal[i][0]))
            return gv_arena_strdup(arena, literal[i][1], err);
    if (*w == '[' || *w == '{' || *w == '"')
        return gv_arena_strdup(arena, w, err);
    gv_buf b = { 0 };
    int r = gv_buf_add(&b, "\"", 1, err);
    for (; *w && r == GV_OK; w++)
        r = (*w == '"' || *w == '\\') ? gv_buf_printf(&b, err, "\\%c", *w) : (unsigned char)*w < 32 ? gv_buf_printf(&b, err, "\\u%04x", *w) : gv_buf_add(&b, w, 1, err);
    if (r == GV_OK)
        r = gv_buf_add(&b, "\"", 1, err);
    const char *s = r == GV_OK ? gv_arena_strndup(arena, b.data, b.len, err) : NULL;
    gv_buf_release(&b);
    return s;
}

static int set_dict(gv_dict *d, const char *shown, const char *const *words, size_t n, gv_arena *arena, gv_err *err)
{
    if (n % 2)
        return gv_fail(err, GV_EUSAGE, "'%s' takes pairs of a key and a value; %zu words were given", shown, n);
    d->n = n / 2;
    d->key = gv_arena_alloc(arena, (d->n + 1) * sizeof *d->key, err);
    d->json = gv_arena_alloc(arena, (d->n + 1) * sizeof *d->json, err);
    if (!d->key || !d->json)
        return GV_ESYS;
    for (size_t i = 0; i < d->n; i++) {
        d->key[i] = gv_arena_strdup(arena, words[2 * i], err);
        d->json[i] = json_word(words[2 * i + 1], arena, err);
        if (!d->key[i] || !d->json[i])
            return GV_ESYS;
    }
    return GV_OK;
}

static int set_list(const gv_field *f, void *to, const char *shown, const char *const *words, size_t n, gv_arena *arena, gv_err *err)
{
    if (f->optional && n == 1 && is_none(words[0])) {
        memset(to, 0, f->type == GV_TYPE_STRS ? sizeof(gv_strs) : sizeof(gv_ints));
        return GV_OK;
    }
    void *v = gv_arena_alloc(arena, (n + 1) * 8, err);
    if (!v)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++) {
        int r = GV_OK;
        if (f->type == GV_TYPE_INTS)
            r = set_i64(f, (int64_t *)v + i, shown, words[i], err);
        else if (f->type == GV_TYPE_F64S)
            r = set_f64(f, (double *)v + i, shown, words[i], err);
        else if (f->choices) {
            r = choice_of(f, shown, words[i], err);
            if (r >= 0)
                ((const char **)v)[i] = f->choices[r];
        } else if (!(((const char **)v)[i] = gv_arena_strdup(arena, words[i], err)))
            r = GV_ESYS;
        if (r < 0)
            return r;
    }
    if (f->type == GV_TYPE_INTS)
        *(gv_ints *)to = (gv_ints){ n, v };
    else if (f->type == GV_TYPE_F64S)
        *(gv_f64s *)to = (gv_f64s){ n, v };
    else
        *(gv_strs *)to = (gv_strs){ n, v };
    return GV_OK;
}

int gv_field_set(const gv_field *f, void *params, const char *shown, const char *const *words, size_t n, gv_arena *arena, gv_err *err)
{
    void *to = at(f, params);
    switch (f->type) {
    case GV_TYPE_DICT: return set_dict(to, shown, words, n, arena, err);
    case GV_TYPE_STRS:
    case GV_TYPE_INTS:
    case GV_TYPE_F64S: return set_list(f, to, shown, words, n, arena, err);
    default: break;
    }
    if (n != 1)
        return gv_fail(err, GV_EUSAGE, "'%s' takes one value; %zu were given", shown, n);
    const char *w = words[0];
    bool none = f->optional && is_none(w);
    switch (f->type) {
    case GV_TYPE_BOOL: {
        static const char *const yes[] = { "true", "True", "1" }, *const no[] = { "false", "False", "0" };
        for (size_t i = 0; i < 3; i++) {
            if (!strcmp(w, yes[i]))
                return *(bool *)to = true, GV_OK;
            if (!strcmp(w, no[i]))
                return *(bool *)to = false, GV_OK;
        }
        return gv_fail(err, GV_EUSAGE, "'%s' is '%s'; true or false is wanted", shown, w);
    }
    case GV_TYPE_I64: return none ? (*(int64_t *)to = GV_NONE_I64, GV_OK) : set_i64(f, to, shown, w, err);
    case GV_TYPE_U64: return none ? (*(uint64_t *)to = GV_NONE_U64, GV_OK) : set_u64(f, to, shown, w, err);
    case GV_TYPE_F64: return none ? (*(double *)to = NAN, GV_OK) : set_f64(f, to, shown, w, err);
    case GV_TYPE_STR: {
        char *s = none ? NULL : gv_arena_strdup(arena, w, err);
        if (!none && !s)
            return GV_ESYS;
        *(const char **)to = s;
        return GV_OK;
    }
    case GV_TYPE_ENUM: {
        int c = none ? -1 : choice_of(f, shown, w, err);
        if (!none && c < 0)
            return c;
        *(int *)to = c;
        return GV_OK;
    }
    default: return gv_fail(err, GV_EINTERNAL, "field '%s' has no such type", f->name);
    }
}

int gv_fields_default(const gv_field *fields, void *params, gv_arena *arena, gv_err *err)
{
    for (const gv_field *f = fields; f && f->type != GV_TYPE_END; f++) {
        void *to = at(f, params);
        switch (f->type) {
        case GV_TYPE_BOOL: *(bool *)to = f->def.b; break;
        case GV_TYPE_I64: *(int64_t *)to = f->def.i; break;
        case GV_TYPE_U64: *(uint64_t *)to = f->def.u; break;
        case GV_TYPE_F64: *(double *)to = f->def.f; break;
        case GV_TYPE_STR: *(const char **)to = f->def.s; break;
        case GV_TYPE_ENUM: *(int *)to = (int)f->def.i; break;
        case GV_TYPE_DICT: memset(to, 0, sizeof(gv_dict)); break;
        default: {
            if (!f->def.s) {
                memset(to, 0, sizeof(gv_strs));
                break;
            }
            const char *words[64];
            size_t n = 0;
            char *copy = gv_arena_strdup(arena, f->def.s, err), *save = NULL;
            if (!copy)
                return GV_ESYS;
            for (char *w = strtok_r(copy, " ", &save); w && n < 64; w = strtok_r(NULL, " ", &save))
                words[n++] = w;
            int r = set_list(f, to, f->name, words, n, arena, err);
            if (r < 0)
                return r;
        }
        }
    }
    return GV_OK;
}

int gv_shell_quote(gv_buf *out, const char *word, gv_err *err)
{
    if (*word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%^")] == 0)
        return gv_buf_add(out, word, strlen(word), err);
    int r = gv_buf_add(out, "'", 1, err);
    for (; *word && r == GV_OK; word++)
        r = *word == '\'' ? gv_buf_add(out, "'\\''", 4, err) : gv_buf_add(out, word, 1, err);
    return r == GV_OK ? gv_buf_add(out, "'", 1, err) : r;
}

/* The shortest of %.15g, %.16g and %.17g that reads back to the same double. */
static int add_f64(gv_buf *out, double v, gv_err *err)
{
    char s[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    return gv_buf_add(out, s, strlen(s), err);
}

int gv_field_text(const gv_field *f, const void *params, gv_buf *out, gv_err *err)
{
    const void *p = at(f, params);
    int r = GV_OK;
    switch (f->type) {
    case GV_TYPE_BOOL: return gv_buf_printf(out, err, "%s", *(const bool *)p ? "true" : "false");
    case GV_TYPE_I64: return *(const int64_t *)p == GV_NONE_I64 ? gv_buf_add(out, "None", 4, err) : gv_buf_printf(out, err, "%" PRId64, *(const int64_t *)p);
    case GV_TYPE_U64: return f->optional && *(const uint64_t *)p == GV_NONE_U64 ? gv_buf_add(out, "None", 4, err) : gv_buf_printf(out, err, "%" PRIu64, *(const uint64_t *)p);
    case GV_TYPE_F64: return isnan(*(const double *)p) ? gv_buf_add(out, "None", 4, err) : add_f64(out, *(const double *)p, err);
    case GV_TYPE_STR: return *(const char *const *)p ? gv_shell_quote(out, *(const char *const *)p, err) : gv_buf_add(out, "None", 4, err);
    case GV_TYPE_ENUM: return *(const int *)p < 0 ? gv_buf_add(out, "None", 4, err) : gv_buf_printf(out, err, "%s", f->choices[*(const int *)p]);
    case GV_TYPE_STRS: {
        const gv_strs *l = p;
        if (!l->v && f->optional)
            return gv_buf_add(out, "None", 4, err);
        for (size_t i = 0; i < l->n && r == GV_OK; i++) {
            r = i ? gv_buf_add(out, " ", 1, err) : GV_OK;
            if (r == GV_OK)
                r = gv_shell_quote(out, l->v[i], err);
        }
        return r;
    }
    case GV_TYPE_INTS: {
        const gv_ints *l = p;
        if (!l->v && f->optional)
            return gv_buf_add(out, "None", 4, err);
        for (size_t i = 0; i < l->n && r == GV_OK; i++)
            r = gv_buf_printf(out, err, "%s%" PRId64, i ? " " : "", l->v[i]);
        return r;
    }
    case GV_TYPE_F64S: {
        const gv_f64s *l = p;
        if (!l->v && f->optional)
            return gv_buf_add(out, "None", 4, err);
        for (size_t i = 0; i < l->n && r == GV_OK; i++) {
            r = i ? gv_buf_add(out, " ", 1, err) : GV_OK;
            if (r == GV_OK)
                r = add_f64(out, l->v[i], err);
        }
        return r;
    }
    case GV_TYPE_DICT: {
        const gv_dict *d = p;
        for (size_t i = 0; i < d->n && r == GV_OK; i++) {
            r = i ? gv_buf_add(out, " ", 1, err) : GV_OK;
            if (r == GV_OK)
                r = gv_shell_quote(out, d->key[i], err);
            if (r == GV_OK)
                r = gv_buf_add(out, " ", 1, err);
            if (r == GV_OK)
                r = gv_shell_quote(out, d->json[i], err);
        }
        return r;
    }
    default: return gv_fail(err, GV_EINTERNAL, "field '%s' has no such type", f->name);
    }
}

static bool same_str(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool gv_field_equal(const gv_field *f, const void *pa, const void *pb)
{
    const void *a = at(f, pa), *b = at(f, pb);
    switch (f->type) {
    case GV_TYPE_BOOL: return *(const bool *)a == *(const bool *)b;
    case GV_TYPE_I64: return *(const int64_t *)a == *(const int64_t *)b;
    case GV_TYPE_U64: return *(const uint64_t *)a == *(const uint64_t *)b;
    case GV_TYPE_ENUM: return *(const int *)a == *(const int *)b;
    case GV_TYPE_STR: return same_str(*(const char *const *)a, *(const char *const *)b);
    case GV_TYPE_F64: return *(const double *)a == *(const double *)b || (isnan(*(const double *)a) && isnan(*(const double *)b));
    case GV_TYPE_STRS: {
        const gv_strs *x = a, *y = b;
        bool same = x->n == y->n && !x->v == !y->v;
        for (size_t i = 0; same && i < x->n; i++)
            same = same_str(x->v[i], y->v[i]);
        return same;
    }
    case GV_TYPE_INTS: {
        const gv_ints *x = a, *y = b;
        return x->n == y->n && !x->v == !y->v && (!x->n || !memcmp(x->v, y->v, x->n * sizeof *x->v));
    }
    case GV_TYPE_F64S: {
        const gv_f64s *x = a, *y = b;
        return x->n == y->n && !x->v == !y->v && (!x->n || !memcmp(x->v, y->v, x->n * sizeof *x->v));
    }
    case GV_TYPE_DICT: {
        const gv_dict *x = a, *y = b;
        bool same = x->n == y->n;
        for (size_t i = 0; same && i < x->n; i++)
            same = same_str(x->key[i], y->key[i]) && same_str(x->json[i], y->json[i]);
        return same;
    }
    default: return false;
    }
}

/* Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours; '-' equals '_', case is ignored. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 96 };
    size_t n = strlen(a), m = strlen(b), d[3][MAX + 1];
    if (n > MAX || m > MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            char x = a[i - 1] == '-' ? '_' : a[i - 1], y = b[j - 1] == '-' ? '_' : b[j - 1];
            size_t best = up[j - 1] + ((x | 32) != (y | 32));
            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return d[n % 3][m];
}

const char *gv_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 1;
    for (size_t i = 0; i < n; i++) {
        size_t d = names[i] ? distance(word, names[i]) : SIZE_MAX;
        if (d <= least && (!best || d < least)) {
            best = names[i];
            least = d;
        }
    }
    return best;
}
