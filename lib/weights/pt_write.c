/* pt_write: a training checkpoint in torch's zip form. The pickle is built in memory, storages are passed through. */
#include "weights/internal.h"
#include "weights/zip_write.h"

/* A pickle under construction and the storages it has referred to. The first failure stays. */
struct pickle {
    gv_buf b, storages; /* storages: struct storage[] */
    gv_err *err;
    int status;
};

struct storage { const void *data; gv_dtype dtype; size_t bytes; };

static void raw(struct pickle *k, const void *p, size_t n)
{
    if (k->status == GV_OK)
        k->status = gv_buf_add(&k->b, p, n, k->err);
}

static void op(struct pickle *k, const char *ops)
{
    raw(k, ops, strlen(ops));
}

static void text(struct pickle *k, const char *s)
{
    size_t n = strlen(s);
    unsigned char h[5] = { 'X', (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16), (unsigned char)(n >> 24) };
    raw(k, h, 5);
    raw(k, s, n);
}

static void integer(struct pickle *k, int64_t v)
{
    unsigned char h[10] = { 0x8a, 8 };
    uint64_t u = (uint64_t)v;
    size_t n = 10, from = 2;
    if (v >= 0 && v < 256)
        h[0] = 'K', n = 2, from = 1;
    else if (v >= 0 && v < 65536)
        h[0] = 'M', n = 3, from = 1;
    else if (v >= INT32_MIN && v <= INT32_MAX)
        h[0] = 'J', n = 5, from = 1;
    for (size_t i = from; i < n; i++)
        h[i] = (unsigned char)(u >> 8 * (i - from));
    raw(k, h, n);
}

static void floating(struct pickle *k, double v)
{
    unsigned char h[9] = { 'G' };
    uint64_t u;
    memcpy(&u, &v, 8);
    for (int i = 0; i < 8; i++)
        h[1 + i] = (unsigned char)(u >> 8 * (7 - i));
    raw(k, h, 9);
}

/* torch's names: a storage class where there is one; the unsigned types came later and have untyped storages. */
static const char *storage_class(gv_dtype t)
{
    static const char *const name[GV_DTYPES] = {
        [GV_U8] = "ByteStorage", [GV_I8] = "CharStorage", [GV_I16] = "ShortStorage", [GV_I32] = "IntStorage", [GV_I64T] = "LongStorage",
        [GV_F16] = "HalfStorage", [GV_BF16] = "BFloat16Storage", [GV_F32T] = "FloatStorage", [GV_F64T] = "DoubleStorage", [GV_BOOLT] = "BoolStorage",
    };
    return name[t];
}

/* The storage of t: one for each data pointer and type, as long as its longest tensor. Sizes are settled before the pickle is. */
static size_t storage_of(struct pickle *k, gv_names *seen, gv_arena *arena, const gv_named *t)
{
    struct storage s = { t->data, t->dtype, t->bytes };
    size_t index = k->storages.len / sizeof s;
    if (t->bytes) {
        char *key = gv_arena_printf(arena, k->err, "%p %d", t->data, (int)t->dtype);
        int r = key ? gv_names_add(seen, key, &index, k->err) : GV_ESYS;
        if (r < 0)
            k->status = r;
        else if (r == 0) {
            struct storage *have = (struct storage *)k->storages.data + index;
            if (have->bytes < t->bytes)
                have->bytes = t->bytes;
            return index;
        }
    }
    if (k->status == GV_OK)
        k->status = gv_buf_add(&k->storages, &s, sizeof s, k->err);
    return index;
}

static void ints(struct pickle *k, const int64_t *v, int n)
{
    op(k, "(");
    for (int i = 0; i < n; i++)
        integer(k, v[i]);
    op(k, "t");
}

static void tensor(struct pickle *k, const gv_named *t, size_t index)
{
    if (k->status < 0)
        return;
    const struct storage *s = (const struct storage *)k->storages.data + index;
    const char *class = storage_class(t->dtype);
    int64_t stride[GV_MAX_DIMS], next = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        stride[i] = next;
        next *= t->shape[i] > 1 ? t->shape[i] : 1;
    }
    char key[32];
    snprintf(key, sizeof key, "%zu", index);
    op(k, class ? "ctorch._utils\n_rebuild_tensor_v2\n((" : "ctorch._utils\n_rebuild_tensor_v3\n((");
    text(k, "storage");
    if (class) {
        op(k, "ctorch\n");
        op(k, class);
        op(k, "\n");
    } else
        op(k, "ctorch.storage\nUntypedStorage\n");
    text(k, key);
    text(k, "cpu");
    integer(k, (int64_t)(class ? s->bytes / gv_dtype_of(t->dtype)->size : s->bytes));
    op(k, "tQ");
    integer(k, 0);
    ints(k, t->shape, t->ndim);
    ints(k, stride, t->ndim);
    op(k, "\x89" "ccollections\nOrderedDict\n)R");
    if (!class) {
        op(k, "ctorch\n");
        op(k, gv_dtype_of(t->dtype)->name);
        op(k, "\n");
    }
    op(k, "tR");
}

static void setting(struct pickle *k, const gv_pt_value *v)
{
    text(k, v->key);
    switch (v->type) {
    case GV_PT_NONE: op(k, "N"); break;
    case GV_PT_BOOL: op(k, v->i ? "\x88" : "\x89"); break;
    case GV_PT_INT: integer(k, v->i); break;
    case GV_PT_FLOAT: floating(k, v->f); break;
    case GV_PT_STR: text(k, v->s); break;
    case GV_PT_FLOATS:
        op(k, "(");
        for (size_t i = 0; i < v->nfs; i++)
            floating(k, v->fs[i]);
        op(k, "t");
        break;
    }
}

static void optimizer(struct pickle *k, const gv_pt_optimizer *o, const size_t *index)
{
    op(k, "}(");
    text(k, "state");
    op(k, "}(");
    for (size_t i = 0; i < o->nstate; i++) {
        integer(k, o->state[i].param);
        op(k, "}(");
        for (size_t j = 0; j < o->state[i].n; j++) {
            text(k, o->state[i].t[j].name);
            tensor(k, &o->state[i].t[j], *index++);
        }
        op(k, "u");
    }
    op(k, "u");
    text(k, "param_groups");
    op(k, "](");
    for (size_t i = 0; i < o->ngroup; i++) {
        op(k, "}(");
        for (size_t j = 0; j < o->group[i].n; j++)
            setting(k, &o->group[i].v[j]);
        text(k, "params");
        op(k, "](");
        for (size_t j = 0; j < o->group[i].nparams; j++)
            integer(k, o->group[i].params[j]);
        op(k, "eu");
    }
    op(k, "eu");
}

static int check_tensor(const gv_named *t, gv_err *err)
{
    int64_t count = t->ndim >= 0 && t->ndim <= GV_MAX_DIMS ? gv_shape_count(t->shape, t->ndim) : -1;
    size_t bytes;
    if (count < 0 || gv_mul_size((size_t)count, gv_dtype_of(t->dtype)->size, &bytes) < 0 || bytes != t->bytes)
        return gv_fail(err, GV_EINTERNAL, "the tensor '%s' has %zu bytes, not those of its shape", t->name, t->bytes);
    return GV_OK;
}

/* First pass: check every tensor and give it a storage; index[] holds them, the model's first. */
static int assign(struct pickle *k, const gv_named *model, size_t n, const gv_pt_optimizer *o, size_t total, size_t *index, gv_err *err)
{
    gv_arena arena = { 0 };
    gv_names seen = { 0 }, names = { 0 };
    int r = gv_arena_init(&arena, "storages", total * 64 + 4096, err);
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        size_t at = i;
        r = check_tensor(&model[i], err);
        if (r == GV_OK && (r = gv_names_add(&names, model[i].name, &at, err)) == 0)
            r = gv_fail(err, GV_EUSAGE, "the tensor '%s' occurs twice", model[i].name);
        else if (r > 0)
            r = GV_OK;
        if (r == GV_OK)
            *index++ = storage_of(k, &seen, &arena, &model[i]);
    }
    for (size_t i = 0; i < o->nstate && r == GV_OK; i++)
        for (size_t j = 0; j < o->state[i].n && r == GV_OK; j++)
            if ((r = check_tensor(&o->state[i].t[j], err)) == GV_OK)
                *index++ = storage_of(k, &seen, &arena, &o->state[i].t[j]);
    gv_names_release(&seen);
    gv_names_release(&names);
    gv_arena_release(&arena);
    return r == GV_OK ? k->status : r;
}

static int write_archive(const char *path, struct pickle *k, gv_err *err)
{
    gv_out out = { .fd = -1 };
    struct gv_zip_out z = { .out = &out };
    int r = gv_out_open(&out, path, err);
    if (r == GV_OK)
        r = gv_zip_add(&z, "archive/data.pkl", k->b.data, k->b.len, err);
    if (r == GV_OK)
        r = gv_zip_add(&z, "archive/.format_version", "1", 1, err);
    if (r == GV_OK)
        r = gv_zip_add(&z, "archive/.storage_alignment", "64", 2, err);
    if (r == GV_OK)
        r = gv_zip_add(&z, "archive/byteorder", "little", 6, err);
    for (size_t i = 0; i < k->storages.len / sizeof(struct storage) && r == GV_OK; i++) {
        const struct storage *s = (const struct storage *)k->storages.data + i;
        char name[64];
        snprintf(name, sizeof name, "archive/data/%zu", i);
        r = gv_zip_add(&z, name, s->data, s->bytes, err);
    }
    if (r == GV_OK)
        r = gv_zip_add(&z, "archive/version", "3\n", 2, err);
    if (r == GV_OK)
        r = gv_zip_end(&z, err);
    if (r == GV_OK)
        r = gv_out_commit(&out, err);
    gv_out_abort(&out);
    gv_zip_out_release(&z);
    return r;
}

int gv_pt_write(const char *path, int64_t epoch, const gv_named *model, size_t n, const gv_pt_optimizer *opt, gv_err *err)
{
    static const gv_pt_optimizer empty;
    const gv_pt_optimizer *o = opt ? opt : &empty;
    struct pickle k = { .err = err };
    size_t total = n;
    for (size_t i = 0; i < o->nstate; i++)
        total += o->state[i].n;
    size_t *index = gv_alloc((total + 1) * sizeof *index, err);
    int r = index ? assign(&k, model, n, o, total, index, err) : GV_ESYS;
    if (r == GV_OK) {
        op(&k, "\x80\x02}(");
        text(&k, "epoch");
        integer(&k, epoch);
        text(&k, "model");
        op(&k, "ccollections\nOrderedDict\n)R(");
        for (size_t i = 0; i < n; i++) {
            text(&k, model[i].name);
            tensor(&k, &model[i], index[i]);
        }
        op(&k, "u");
        text(&k, "optimizer");
        if (opt)
            optimizer(&k, o, index + n);
        else
            op(&k, "}");
        op(&k, "u.");
        r = k.status;
    }
    if (r == GV_OK)
        r = write_archive(path, &k, err);
    gv_free(index);
    gv_buf_release(&k.b);
    gv_buf_release(&k.storages);
    return r < 0 && !strstr(err->text, path) ? gv_fail_in(err, "cannot write '%s'", path) : r; /* named once */
}
