/* The pickles of CIFAR's Python batches (protocols 2 and 3): dictionaries of texts, numbers, lists and one NumPy array.
 * Instructions are a closed set; the only names known are those NumPy writes for an array. An array's bytes are not copied: the
 * answer says where they lie. Sources: Python's pickletools; numpy/core/src/multiarray/methods.c, __reduce__, as behaviour. */
#include "data/cifar.h"
#include <inttypes.h>

enum { MARK, NONE, INT, TEXT, TUPLE, LIST, DICT, NAME, DTYPE, ARRAY };
enum { DEEPEST = 1 << 18, MOST = 1 << 21 };

/* v: INT the number, NAME 1 _reconstruct, 2 ndarray, 3 dtype; TUPLE, LIST, DICT the index of its items; TEXT p, n */
struct value { int type; int64_t v; const uint8_t *p; size_t n; };
struct items { gv_buf v; };

struct machine {
    const char *name;
    const uint8_t *base, *p, *end;
    gv_buf stack, memo, boxes; /* struct value[], struct value[], struct items[] */
    size_t stored;             /* values in boxes, capped */
    gv_err *err;
};

static int bad(struct machine *m, const char *what)
{
    return gv_fail(m->err, GV_EDATA, "'%s': byte %zu of the pickle: %s", m->name, (size_t)(m->p - m->base), what);
}

static size_t depth(const struct machine *m) { return m->stack.len / sizeof(struct value); }
static struct value *top(const struct machine *m, size_t i) { return (struct value *)(void *)m->stack.data + depth(m) - 1 - i; }
static struct items *box(const struct machine *m, int64_t i) { return (struct items *)(void *)m->boxes.data + i; }
static size_t count(const struct machine *m, const struct value *v) { return box(m, v->v)->v.len / sizeof(struct value); }
static struct value *item(const struct machine *m, const struct value *v, size_t i) { return (struct value *)(void *)box(m, v->v)->v.data + i; }

static int push(struct machine *m, struct value v)
{
    if (depth(m) >= DEEPEST)
        return bad(m, "its stack is too deep");
    return gv_buf_add(&m->stack, &v, sizeof v, m->err);
}

static int push_box(struct machine *m, int type)
{
    struct items none = { 0 };
    struct value v = { .type = type, .v = (int64_t)(m->boxes.len / sizeof none) };
    if (v.v >= MOST)
        return bad(m, "too many lists");
    return gv_buf_add(&m->boxes, &none, sizeof none, m->err) < 0 ? GV_ESYS : push(m, v);
}

/* Move the n topmost values into the box of v. */
static int store(struct machine *m, const struct value *v, size_t n)
{
    struct value to = *v;
    if ((m->stored += n) > MOST)
        return bad(m, "too many values");
    if (n && gv_buf_add(&box(m, to.v)->v, top(m, n - 1), n * sizeof to, m->err) < 0)
        return GV_ESYS;
    m->stack.len -= n * sizeof to;
    return GV_OK;
}

/* Values above the last mark; the mark itself is counted out. */
static int64_t marked(struct machine *m)
{
    for (size_t i = 0; i < depth(m); i++)
        if (top(m, i)->type == MARK)
            return (int64_t)i;
    return bad(m, "no mark on the stack");
}

static int take(struct machine *m, size_t n, const uint8_t **out)
{
    if ((size_t)(m->end - m->p) < n)
        return gv_fail(m->err, GV_EDATA, "'%s' is cut: its pickle ends after %zu bytes", m->name, (size_t)(m->end - m->base));
    *out = m->p;
    m->p += n;
    return GV_OK;
}

static int number(struct machine *m, size_t bytes, int64_t *out)
{
    const uint8_t *p = NULL;
    uint32_t v = 0;
    if (take(m, bytes, &p) < 0)
        return m->err->code;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * i;
    *out = bytes == 4 ? (int32_t)v : (int64_t)v;
    return GV_OK;
}

static int text(struct machine *m, size_t length_bytes)
{
    struct value v = { .type = TEXT };
    int64_t n = 0;
    if (number(m, length_bytes, &n) < 0)
        return m->err->code;
    if (n < 0)
        return bad(m, "a text of negative length");
    v.n = (size_t)n;
    return take(m, v.n, &v.p) < 0 ? m->err->code : push(m, v);
}

static int tuple(struct machine *m, size_t n)
{
    if (depth(m) < n)
        return bad(m, "its stack is too short");
    if (push_box(m, TUPLE) < 0)
        return m->err->code;
    struct value t = *top(m, 0);
    m->stack.len -= sizeof t;
    return store(m, &t, n) < 0 ? m->err->code : push(m, t);
}

/* "module\nname\n": one of three. */
static int name(struct machine *m)
{
    static const struct { const char *text; int v; } known[] = {
        { "numpy.core.multiarray\n_reconstruct\n", 1 }, { "numpy._core.multiarray\n_reconstruct\n", 1 }, { "numpy\nndarray\n", 2 }, { "numpy\ndtype\n", 3 },
    };
    size_t left = (size_t)(m->end - m->p), n;
    for (size_t i = 0; i < GV_COUNT(known); i++)
        if ((n = strlen(known[i].text)) <= left && !memcmp(m->p, known[i].text, n)) {
            m->p += n;
            return push(m, (struct value){ .type = NAME, .v = known[i].v });
        }
    char shown[80];
    for (n = 0; n < left && n < sizeof shown - 1 && m->p[n] >= ' ' - 22; n++)
        shown[n] = m->p[n] == '\n' ? ' ' : (char)m->p[n];
    shown[n] = 0;
    return gv_fail(m->err, GV_EDATA, "'%s' names '%s', which no CIFAR batch does; it is refused", m->name, shown);
}

static bool is(const struct value *v, const char *s)
{
    return v->type == TEXT && v->n == strlen(s) && !memcmp(v->p, s, v->n);
}

/* callable, arguments -> object */
static int reduce(struct machine *m)
{
    if (depth(m) < 2 || top(m, 1)->type != NAME || top(m, 0)->type != TUPLE)
        return bad(m, "a call of something that is no name");
    struct value args = *top(m, 0), out = { .type = top(m, 1)->v == 1 ? ARRAY : DTYPE };
    if (top(m, 1)->v == 2 || !count(m, &args))
        return bad(m, "a call no array makes");
    if (out.type == DTYPE) {
        const struct value *t = item(m, &args, 0);
        if (!is(t, "u1") && !is(t, "|u1"))
            return bad(m, "an array that is not of unsigned bytes");
    }
    m->stack.len -= 2 * sizeof out;
    return push(m, out);
}

/* object, state -> object: an array takes its shape and bytes. */
static int build(struct machine *m)
{
    if (depth(m) < 2 || top(m, 0)->type != TUPLE || (top(m, 1)->type != ARRAY && top(m, 1)->type != DTYPE))
        return bad(m, "a state for something that is no array");
    struct value state = *top(m, 0), *x = top(m, 1);
    m->stack.len -= sizeof state;
    if (x->type == DTYPE)
        return GV_OK;
    if (count(m, &state) != 5)
        return bad(m, "an array's state that has not 5 parts");
    const struct value *shape = item(m, &state, 1), *type = item(m, &state, 2), *fortran = item(m, &state, 3), *bytes = item(m, &state, 4);
    if (shape->type != TUPLE || count(m, shape) != 2 || type->type != DTYPE || fortran->type != INT || fortran->v || bytes->type != TEXT)
        return bad(m, "an array that is not [n,3072] of bytes in C order");
    const struct value *n = item(m, shape, 0), *w = item(m, shape, 1);
    if (n->type != INT || w->type != INT || w->v != GV_CIFAR_PIXELS || n->v < 1 || n->v > 1 << 20 || bytes->n != (size_t)n->v * GV_CIFAR_PIXELS)
        return bad(m, "an array whose shape and bytes differ, or that is not [n,3072]");
    x = top(m, 0);
    x->v = n->v;
    x->p = bytes->p;
    x->n = bytes->n;
    return GV_OK;
}

static int memo_put(struct machine *m, size_t bytes)
{
    int64_t at = 0;
    if (number(m, bytes, &at) < 0)
        return m->err->code;
    if (!depth(m) || at < 0 || at > MOST)
        return bad(m, "a memo that cannot be");
    size_t want = ((size_t)at + 1) * sizeof(struct value);
    if (m->memo.len < want) {
        size_t more = want - m->memo.len;
        if (gv_buf_reserve(&m->memo, more, m->err) < 0)
            return GV_ESYS;
        memset(m->memo.data + m->memo.len, 0, more); /* MARK: nothing there */
        m->memo.len = want;
    }
    ((struct value *)(void *)m->memo.data)[at] = *top(m, 0);
    return GV_OK;
}

static int memo_get(struct machine *m, size_t bytes)
{
    int64_t at = 0;
    if (number(m, bytes, &at) < 0)
        return m->err->code;
    if (at < 0 || (size_t)at >= m->memo.len / sizeof(struct value) || ((struct value *)(void *)m->memo.data)[at].type == MARK)
        return bad(m, "a memo that was not set");
    return push(m, ((struct value *)(void *)m->memo.data)[at]);
}

/* The marked values, or one (two), into the list (dictionary) below them. */
static int append(struct machine *m, int type, int64_t n, bool mark)
{
    if (n < 0)
        return m->err->code;
    if (depth(m) < (size_t)n + 1 + mark || top(m, (size_t)n + mark)->type != type || (type == DICT && n % 2))
        return bad(m, "items without their list");
    struct value to = *top(m, (size_t)n + mark);
    if (store(m, &to, (size_t)n) < 0)
        return m->err->code;
    m->stack.len -= mark * sizeof to;
    return GV_OK;
}

static int step(struct machine *m, int op)
{
    int64_t v = 0;
    switch (op) {
    case '(': return push(m, (struct value){ .type = MARK });
    case 'N': return push(m, (struct value){ .type = NONE });
    case 0x88: case 0x89: return push(m, (struct value){ .type = INT, .v = op == 0x88 });
    case 'K': return number(m, 1, &v) < 0 ? m->err->code : push(m, (struct value){ .type = INT, .v = v });
    case 'M': return number(m, 2, &v) < 0 ? m->err->code : push(m, (struct value){ .type = INT, .v = v });
    case 'J': return number(m, 4, &v) < 0 ? m->err->code : push(m, (struct value){ .type = INT, .v = v });
    case 'U': case 'C': return text(m, 1);
    case 'T': case 'X': case 'B': return text(m, 4);
    case ']': return push_box(m, LIST);
    case '}': return push_box(m, DICT);
    case ')': return push_box(m, TUPLE);
    case 0x85: case 0x86: case 0x87: return tuple(m, (size_t)(op - 0x84));
    case 't':
        if ((v = marked(m)) < 0 || tuple(m, (size_t)v) < 0)
            return m->err->code;
        *top(m, 1) = *top(m, 0);
        m->stack.len -= sizeof(struct value);
        return GV_OK;
    case 'a': return append(m, LIST, 1, false);
    case 'e': return append(m, LIST, marked(m), true);
    case 's': return append(m, DICT, 2, false);
    case 'u': return append(m, DICT, marked(m), true);
    case 'c': return name(m);
    case 'R': return reduce(m);
    case 'b': return build(m);
    case 'q': return memo_put(m, 1);
    case 'r': return memo_put(m, 4);
    case 'h': return memo_get(m, 1);
    case 'j': return memo_get(m, 4);
    }
    m->p--;
    char what[64];
    snprintf(what, sizeof what, "instruction 0x%02x, which no CIFAR batch has", op);
    return bad(m, what);
}

static int answer(struct machine *m, size_t *at, int64_t *rows, gv_buf *labels)
{
    const struct value *root = depth(m) == 1 ? top(m, 0) : NULL, *data = NULL, *y = NULL;
    if (!root || root->type != DICT)
        return bad(m, "it is no dictionary");
    for (size_t i = 0; i + 1 < count(m, root); i += 2) {
        const struct value *key = item(m, root, i);
        if (is(key, "data"))
            data = key + 1;
        if (is(key, "labels") || is(key, "fine_labels"))
            y = key + 1;
    }
    if (!data || data->type != ARRAY || !data->p || !y || y->type != LIST)
        return bad(m, "it has no 'data' and 'labels'");
    if ((int64_t)count(m, y) != data->v)
        return gv_fail(m->err, GV_EDATA, "'%s' has %" PRId64 " images and %zu labels", m->name, data->v, count(m, y));
    for (int64_t i = 0; i < data->v; i++) {
        const struct value *v = item(m, y, (size_t)i);
        uint8_t b = (uint8_t)v->v;
        if (v->type != INT || v->v < 0 || v->v > 255)
            return gv_fail(m->err, GV_EDATA, "'%s': label %" PRId64 " is no class", m->name, i);
        if (gv_buf_add(labels, &b, 1, m->err) < 0)
            return GV_ESYS;
    }
    *at = (size_t)(data->p - m->base);
    *rows = data->v;
    return GV_OK;
}

int gv_cifar_unpickle(const char *file, const uint8_t *p, size_t n, size_t *at, int64_t *rows, gv_buf *labels, gv_err *err)
{
    struct machine m = { .name = file, .base = p, .p = p, .end = p + n, .err = err };
    const uint8_t *op = p;
    int r = GV_OK;
    if (n < 3 || p[0] != 0x80 || p[1] < 2 || p[1] > 3)
        return gv_fail(err, GV_EDATA, "'%s' is no pickle of protocol 2 or 3", file);
    m.p += 2;
    while (r == GV_OK && (r = take(&m, 1, &op)) == GV_OK && *op != '.')
        r = step(&m, *op);
    if (r == GV_OK)
        r = answer(&m, at, rows, labels);
    for (size_t i = 0; i < m.boxes.len / sizeof(struct items); i++)
        gv_buf_release(&box(&m, (int64_t)i)->v);
    gv_buf_release(&m.boxes);
    gv_buf_release(&m.memo);
    gv_buf_release(&m.stack);
    return r;
}
