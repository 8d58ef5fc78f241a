/* pickle: the instructions. Values live in one arena whose size follows from the pickle's; stack, marks and memo are capped. */
#include "weights/pickle.h"

enum { PICKLE_MOST = 64 << 20, VALUES_MOST = 4 << 20, MARKS_MOST = 4096 };

static gv_pk_value none = { .kind = GV_PK_NONE }, yes = { .kind = GV_PK_BOOL, .i = 1 }, no = { .kind = GV_PK_BOOL };

int gv_pickle_init(struct gv_pickle *k, size_t bytes, gv_err *err)
{
    if (bytes > PICKLE_MOST)
        return gv_fail(err, GV_EDATA, "the pickle has %zu bytes; at most %d are read", bytes, PICKLE_MOST);
    /* A value takes 64 bytes and at least one instruction; a list's room at most doubles. */
    size_t room = 256 * bytes + 65536, most = (size_t)1 << 30;
    return gv_arena_init(&k->arena, "pickle", room < most ? room : most, err);
}

void gv_pickle_release(struct gv_pickle *k)
{
    gv_buf_release(&k->stack);
    gv_buf_release(&k->marks);
    gv_buf_release(&k->memo);
    gv_buf_release(&k->storages);
    gv_names_release(&k->keys);
    gv_arena_release(&k->arena);
}

gv_pk_value *gv_pk_new(struct gv_pickle *k, gv_pk_kind kind, gv_err *err)
{
    if (++k->values > VALUES_MOST) {
        gv_fail(err, GV_EDATA, "the pickle makes more than %d values", VALUES_MOST);
        return NULL;
    }
    gv_pk_value *v = gv_arena_alloc(&k->arena, sizeof *v, err);
    if (v)
        v->kind = kind;
    return v;
}

int gv_pk_push(struct gv_pickle *k, gv_pk_value *l, gv_pk_value *item, gv_err *err)
{
    if (l->list.n == l->list.cap) {
        size_t cap = l->list.cap ? 2 * l->list.cap : 8;
        gv_pk_value **v = gv_arena_alloc_dirty(&k->arena, cap * sizeof *v, err);
        if (!v)
            return GV_ESYS;
        if (l->list.n)
            memcpy(v, l->list.v, l->list.n * sizeof *v);
        l->list.v = v;
        l->list.cap = cap;
    }
    l->list.v[l->list.n++] = item;
    return GV_OK;
}

gv_pk_value *gv_pk_get(const gv_pk_value *dict, const char *key)
{
    for (size_t i = 0; i + 1 < dict->list.n; i += 2)
        if (dict->list.v[i]->kind == GV_PK_TEXT && !strcmp(dict->list.v[i]->text.s, key))
            return dict->list.v[i + 1];
    return NULL;
}

/* ---- the machine ---- */

static size_t depth(const struct gv_pickle *k)
{
    return k->stack.len / sizeof(gv_pk_value *);
}

static gv_pk_value **top(const struct gv_pickle *k)
{
    return (gv_pk_value **)k->stack.data + depth(k);
}

/* The lowest stack place an instruction may touch: that of the last mark. */
static size_t floor_of(const struct gv_pickle *k)
{
    return k->marks.len ? ((size_t *)k->marks.data)[k->marks.len / sizeof(size_t) - 1] : 0;
}

static int push(struct gv_pickle *k, gv_pk_value *v, gv_err *err)
{
    return v ? gv_buf_add(&k->stack, &v, sizeof v, err) : err ? err->code : GV_EDATA;
}

static int want(const struct gv_pickle *k, size_t n, gv_err *err)
{
    if (depth(k) - floor_of(k) < n)
        return gv_fail(err, GV_EDATA, "the pickle's stack is empty where it needs %zu values", n);
    return GV_OK;
}

static void drop(struct gv_pickle *k, size_t n)
{
    k->stack.len -= n * sizeof(gv_pk_value *);
}

/* The values above the last mark: *v and the count, and the mark is gone. The values stay until drop(). */
static int above_mark(struct gv_pickle *k, gv_pk_value ***v, size_t *n, gv_err *err)
{
    if (!k->marks.len)
        return gv_fail(err, GV_EDATA, "the pickle has no mark where it needs one");
    size_t at = floor_of(k);
    k->marks.len -= sizeof at;
    *v = (gv_pk_value **)k->stack.data + at;
    *n = depth(k) - at;
    return GV_OK;
}

static const unsigned char *take(struct gv_pickle *k, size_t n, gv_err *err)
{
    if (n > k->n - k->at) {
        gv_fail(err, GV_EDATA, "the pickle ends inside an instruction (byte %zu)", k->at);
        return NULL;
    }
    k->at += n;
    return k->p + k->at - n;
}

static int make_int(struct gv_pickle *k, int64_t i, gv_err *err)
{
    gv_pk_value *v = gv_pk_new(k, GV_PK_INT, err);
    if (v)
        v->i = i;
    return push(k, v, err);
}

static int make_text(struct gv_pickle *k, size_t n, gv_err *err)
{
    const unsigned char *p = take(k, n, err);
    gv_pk_value *v = p ? gv_pk_new(k, GV_PK_TEXT, err) : NULL;
    if (v && !(v->text.s = gv_arena_strndup(&k->arena, (const char *)p, n, err)))
        v = NULL;
    if (v)
        v->text.n = n;
    return push(k, v, err);
}

static int make_tuple(struct gv_pickle *k, gv_pk_value **from, size_t n, gv_err *err)
{
    gv_pk_value *v = gv_pk_new(k, GV_PK_TUPLE, err);
    for (size_t i = 0; i < n && v; i++)
        if (gv_pk_push(k, v, from[i], err) < 0)
            v = NULL;
    drop(k, n);
    return push(k, v, err);
}

static int make_long(struct gv_pickle *k, gv_err *err)
{
    const unsigned char *n = take(k, 1, err), *p = n ? take(k, *n, err) : NULL;
    if (!p)
        return GV_EDATA;
    if (*n > 8)
        return gv_fail(err, GV_EDATA, "the pickle holds an integer of %d bytes; at most 8 are read", *n);
    uint64_t u = *n && p[*n - 1] & 0x80 ? ~(uint64_t)0 : 0;
    for (int i = *n - 1; i >= 0; i--)
        u = u << 8 | p[i];
    return make_int(k, (int64_t)u, err);
}

static int make_float(struct gv_pickle *k, gv_err *err)
{
    const unsigned char *p = take(k, 8, err);
    gv_pk_value *v = p ? gv_pk_new(k, GV_PK_FLOAT, err) : NULL;
    if (v) {
        uint64_t u = 0;
        for (int i = 0; i < 8; i++)
            u = u << 8 | p[i];
        memcpy(&v->f, &u, 8);
    }
    return push(k, v, err);
}

static int put(struct gv_pickle *k, size_t i, gv_err *err)
{
    if (want(k, 1, err) < 0)
        return GV_EDATA;
    if (i >= k->n || i >= VALUES_MOST)
        return gv_fail(err, GV_EDATA, "the pickle fills slot %zu of its memo; it has %zu bytes, and at most %d slots are kept", i, k->n, VALUES_MOST);
    size_t need = (i + 1) * sizeof(gv_pk_value *);
    if (need > k->memo.len) {
        int r = gv_buf_reserve(&k->memo, need - k->memo.len, err);
        if (r < 0)
            return r;
        memset(k->memo.data + k->memo.len, 0, need - k->memo.len);
        k->memo.len = need;
    }
    ((gv_pk_value **)k->memo.data)[i] = top(k)[-1];
    return GV_OK;
}

static int get(struct gv_pickle *k, size_t i, gv_err *err)
{
    gv_pk_value *v = i < k->memo.len / sizeof v ? ((gv_pk_value **)k->memo.data)[i] : NULL;
    return v ? push(k, v, err) : gv_fail(err, GV_EDATA, "the pickle takes slot %zu of its memo, which is empty", i);
}

static int append(struct gv_pickle *k, gv_pk_value **v, size_t n, gv_err *err)
{
    if (want(k, n + 1, err) < 0)
        return GV_EDATA;
    gv_pk_value *l = v[-1];
    if (l->kind != GV_PK_LIST)
        return gv_fail(err, GV_EDATA, "the pickle appends to something that is not a list");
    for (size_t i = 0; i < n; i++)
        if (gv_pk_push(k, l, v[i], err) < 0)
            return GV_ESYS;
    drop(k, n);
    return GV_OK;
}

static int set_items(struct gv_pickle *k, gv_pk_value **v, size_t n, gv_err *err)
{
    if (want(k, n + 1, err) < 0)
        return GV_EDATA;
    gv_pk_value *d = v[-1];
    if (d->kind != GV_PK_DICT || n % 2)
        return gv_fail(err, GV_EDATA, d->kind == GV_PK_DICT ? "the pickle has a key without a value" : "the pickle sets items of something that is not a dictionary");
    for (size_t i = 0; i < n; i++)
        if (gv_pk_push(k, d, v[i], err) < 0)
            return GV_ESYS;
    drop(k, n);
    return GV_OK;
}

static const unsigned char *line(struct gv_pickle *k, char *to, size_t most, gv_err *err)
{
    const unsigned char *p = k->p + k->at, *e = memchr(p, '\n', k->n - k->at);
    if (!e || (size_t)(e - p) >= most || memchr(p, 0, (size_t)(e - p))) {
        gv_fail(err, GV_EDATA, "the pickle has a name without an end, or longer than %zu bytes", most - 1);
        return NULL;
    }
    memcpy(to, p, (size_t)(e - p));
    to[e - p] = 0;
    k->at += (size_t)(e - p) + 1;
    return p;
}

static int name(struct gv_pickle *k, gv_err *err)
{
    char module[200], name[200];
    if (!line(k, module, sizeof module, err) || !line(k, name, sizeof name, err))
        return GV_EDATA;
    const gv_pk_symbol *s = gv_pk_symbol_find(module, name);
    if (!s)
        return gv_fail(err, GV_EDATA, "it refers to '%s.%s', which is not a tensor or a plain value, and nothing from a file is executed: load it where it "
                       "was made and save the tensors alone (torch.save(model.state_dict(), …) or safetensors)", module, name);
    gv_pk_value *v = gv_pk_new(k, GV_PK_SYMBOL, err);
    if (v)
        v->symbol = s;
    return push(k, v, err);
}

/* REDUCE and NEWOBJ: a known name and a tuple of arguments. */
static int call(struct gv_pickle *k, int newobj, gv_err *err)
{
    if (want(k, 2, err) < 0)
        return GV_EDATA;
    const gv_pk_value *f = top(k)[-2], *args = top(k)[-1];
    if (f->kind != GV_PK_SYMBOL || args->kind != GV_PK_TUPLE)
        return gv_fail(err, GV_EDATA, "the pickle calls something that is not a name, or without arguments");
    if (newobj && f->symbol->call != GV_CALL_ORDERED_DICT && f->symbol->call != GV_CALL_PARAMETER)
        return gv_fail(err, GV_EDATA, "the pickle makes an object of '%s.%s'", f->symbol->module, f->symbol->name);
    gv_pk_value *v = gv_pk_reduce(k, f->symbol, args, err);
    drop(k, 2);
    return push(k, v, err);
}

/* BUILD: a module's _metadata on its OrderedDict, the state of a parameter, or that of something not used; none holds weights. */
static int build(struct gv_pickle *k, gv_err *err)
{
    if (want(k, 2, err) < 0)
        return GV_EDATA;
    if (top(k)[-2]->kind != GV_PK_DICT && top(k)[-2]->kind != GV_PK_OPAQUE)
        return gv_fail(err, GV_EDATA, "the pickle sets the state of something that is not a dictionary");
    drop(k, 1);
    return GV_OK;
}

static int mark(struct gv_pickle *k, gv_err *err)
{
    size_t at = depth(k);
    if (k->marks.len / sizeof at >= MARKS_MOST)
        return gv_fail(err, GV_EDATA, "the pickle is nested deeper than %d", MARKS_MOST);
    return gv_buf_add(&k->marks, &at, sizeof at, err);
}

static int persistent(struct gv_pickle *k, gv_err *err)
{
    if (want(k, 1, err) < 0)
        return GV_EDATA;
    gv_pk_value *v = gv_pk_persistent(k, top(k)[-1], err);
    drop(k, 1);
    return push(k, v, err);
}

/* One instruction that has no operand behind it. */
static int plain(struct gv_pickle *k, int op, gv_err *err)
{
    gv_pk_value **v = NULL;
    size_t n = 0;
    switch (op) {
    case 'N': return push(k, &none, err);
    case 0x88: return push(k, &yes, err);
    case 0x89: return push(k, &no, err);
    case ')': return push(k, gv_pk_new(k, GV_PK_TUPLE, err), err);
    case ']': case 0x8f: return push(k, gv_pk_new(k, GV_PK_LIST, err), err); /* a set is only parsed */
    case '}': return push(k, gv_pk_new(k, GV_PK_DICT, err), err);
    case '(': return mark(k, err);
    case 't': return above_mark(k, &v, &n, err) < 0 ? GV_EDATA : make_tuple(k, v, n, err);
    case 0x85: case 0x86: case 0x87:
        n = (size_t)(op - 0x84);
        return want(k, n, err) < 0 ? GV_EDATA : make_tuple(k, top(k) - n, n, err);
    case 'a': return want(k, 2, err) < 0 ? GV_EDATA : append(k, top(k) - 1, 1, err);
    case 'e': return above_mark(k, &v, &n, err) < 0 ? GV_EDATA : append(k, v, n, err);
    case 's': return want(k, 3, err) < 0 ? GV_EDATA : set_items(k, top(k) - 2, 2, err);
    case 'u': return above_mark(k, &v, &n, err) < 0 ? GV_EDATA : set_items(k, v, n, err);
    case 'R': return call(k, 0, err);
    case 0x81: return call(k, 1, err);
    case 'b': return build(k, err);
    case 'Q': return persistent(k, err);
    case 'c': return name(k, err);
    case 0x8a: return make_long(k, err);
    case 'G': return make_float(k, err);
    }
    return gv_fail(err, GV_EDATA, "the pickle uses instruction 0x%02x, which files of tensors do not need", op);
}

static int step(struct gv_pickle *k, int op, gv_err *err)
{
    static const struct { unsigned char op, bytes; } operand[] = {
        { 0x80, 1 }, { 'K', 1 }, { 'M', 2 }, { 'J', 4 }, { 'U', 1 }, { 'X', 4 }, { 'h', 1 }, { 'j', 4 }, { 'q', 1 }, { 'r', 4 },
    };
    const unsigned char *p = NULL;
    size_t u = 0;
    for (size_t i = 0; i < GV_COUNT(operand); i++)
        if (operand[i].op == op) {
            if (!(p = take(k, operand[i].bytes, err)))
                return GV_EDATA;
            u = operand[i].bytes == 4 ? GV_LE32(p) : operand[i].bytes == 2 ? GV_LE16(p) : p[0];
        }
    switch (op) {
    case 0x80: return u >= 2 && u <= 5 ? GV_OK : gv_fail(err, GV_EDATA, "the pickle has protocol %zu; 2 to 5 are read", u);
    case 'K': case 'M': return make_int(k, (int64_t)u, err);
    case 'J': return make_int(k, (int32_t)u, err);
    case 'U': case 'X': return make_text(k, u, err);
    case 'h': case 'j': return get(k, u, err);
    case 'q': case 'r': return put(k, u, err);
    }
    return plain(k, op, err);
}

gv_pk_value *gv_pickle_run(struct gv_pickle *k, const unsigned char *p, size_t n, size_t *used, gv_err *err)
{
    k->p = p;
    k->n = n;
    k->at = 0;
    k->stack.len = k->marks.len = k->memo.len = 0;
    for (;;) {
        const unsigned char *op = take(k, 1, err);
        if (!op)
            return NULL;
        if (*op == '.')
            break;
        if (step(k, *op, err) < 0)
            return NULL;
        if (k->at > PICKLE_MOST || depth(k) > VALUES_MOST) {
            gv_fail(err, GV_EDATA, "the pickle has more than %d bytes or %d values on its stack", PICKLE_MOST, VALUES_MOST);
            return NULL;
        }
    }
    if (k->marks.len || depth(k) != 1) {
        gv_fail(err, GV_EDATA, "the pickle ends with %zu values instead of one", depth(k));
        return NULL;
    }
    *used = k->at;
    return top(k)[-1];
}
