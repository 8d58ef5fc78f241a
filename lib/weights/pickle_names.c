/* pickle_names: the names a torch file may use, and what we make of a call to each. */
#include "weights/pickle.h"

#define STORAGE(n, t, s) { "torch", n "Storage", GV_CALL_STORAGE, t, s }
#define DTYPE(n, t, s) { "torch", n, GV_CALL_DTYPE, t, s }

static const gv_pk_symbol symbols[] = {
    { "collections", "OrderedDict", GV_CALL_ORDERED_DICT },
    { "collections", "Counter", GV_CALL_COUNTER },
    { "torch._utils", "_rebuild_tensor", GV_CALL_TENSOR_V1 },
    { "torch._utils", "_rebuild_tensor_v2", GV_CALL_TENSOR_V2 },
    { "torch._utils", "_rebuild_tensor_v3", GV_CALL_TENSOR_V3 },
    { "torch._utils", "_rebuild_parameter", GV_CALL_PARAMETER },
    { "torch._utils", "_rebuild_parameter_with_state", GV_CALL_PARAMETER },
    { "torch.nn.parameter", "Parameter", GV_CALL_PARAMETER },
    { "torch._tensor", "_rebuild_from_type_v2", GV_CALL_FROM_TYPE },
    { "torch", "Tensor", GV_CALL_CLASS },
    { "torch", "Size", GV_CALL_SIZE },
    { "torch", "device", GV_CALL_OPAQUE },
    { "torch.serialization", "_get_layout", GV_CALL_OPAQUE },
    { "_codecs", "encode", GV_CALL_OPAQUE },
    { "builtins", "set", GV_CALL_OPAQUE },
    { "builtins", "bytearray", GV_CALL_OPAQUE },
    { "builtins", "complex", GV_CALL_OPAQUE },
    { "numpy.core.multiarray", "scalar", GV_CALL_OPAQUE }, /* numbers of a training's log beside its weights, as nnU-Net keeps them */
    { "numpy._core.multiarray", "scalar", GV_CALL_OPAQUE },
    { "numpy", "dtype", GV_CALL_OPAQUE },
    STORAGE("Float", GV_F32T, 4), STORAGE("Double", GV_F64T, 8), STORAGE("Half", GV_F16, 2), STORAGE("BFloat16", GV_BF16, 2),
    STORAGE("Long", GV_I64T, 8), STORAGE("Int", GV_I32, 4), STORAGE("Short", GV_I16, 2), STORAGE("Char", GV_I8, 1),
    STORAGE("Byte", GV_U8, 1), STORAGE("Bool", GV_BOOLT, 1), STORAGE("ComplexFloat", -1, 8), STORAGE("ComplexDouble", -1, 16),
    STORAGE("Untyped", GV_U8, 1), { "torch.storage", "UntypedStorage", GV_CALL_STORAGE, GV_U8, 1 },
    DTYPE("float32", GV_F32T, 4), DTYPE("float64", GV_F64T, 8), DTYPE("float16", GV_F16, 2), DTYPE("bfloat16", GV_BF16, 2),
    DTYPE("int64", GV_I64T, 8), DTYPE("int32", GV_I32, 4), DTYPE("int16", GV_I16, 2), DTYPE("int8", GV_I8, 1),
    DTYPE("uint8", GV_U8, 1), DTYPE("uint16", GV_U16, 2), DTYPE("uint32", GV_U32, 4), DTYPE("uint64", GV_U64T, 8),
    DTYPE("bool", GV_BOOLT, 1), DTYPE("complex32", -1, 4), DTYPE("complex64", -1, 8), DTYPE("complex128", -1, 16),
    DTYPE("float8_e4m3fn", -1, 1), DTYPE("float8_e5m2", -1, 1), DTYPE("float8_e4m3fnuz", -1, 1), DTYPE("float8_e5m2fnuz", -1, 1),
    DTYPE("float8_e8m0fnu", -1, 1),
};

const gv_pk_symbol *gv_pk_symbol_find(const char *module, const char *name)
{
    size_t n = strlen(name);
    if (!strcmp(module, "__builtin__")) /* Python 2 */
        module = "builtins";
    if (!strcmp(module, "torch.cuda") && n > 7 && !strcmp(name + n - 7, "Storage")) /* where it lived does not matter */
        module = "torch";
    for (size_t i = 0; i < GV_COUNT(symbols); i++)
        if (!strcmp(symbols[i].module, module) && !strcmp(symbols[i].name, name))
            return &symbols[i];
    return NULL;
}

/* ---- storages ---- */

static int is_int(const gv_pk_value *v, int64_t *i)
{
    *i = v->i;
    return v->kind == GV_PK_INT;
}

/* ("storage", type, key, place, elements[, view]), view: None or (key, offset, elements), from before 0.4. */
gv_pk_value *gv_pk_persistent(struct gv_pickle *k, const gv_pk_value *id, gv_err *err)
{
    gv_pk_value **a = id->kind == GV_PK_TUPLE ? id->list.v : NULL;
    int64_t count;
    if (!a || (id->list.n != 5 && id->list.n != 6) || a[0]->kind != GV_PK_TEXT || strcmp(a[0]->text.s, "storage") ||
        a[1]->kind != GV_PK_SYMBOL || a[1]->symbol->call != GV_CALL_STORAGE || a[2]->kind != GV_PK_TEXT || !is_int(a[4], &count)) {
        gv_fail(err, GV_EDATA, "the pickle refers to something outside of it that is not a storage");
        return NULL;
    }
    gv_pk_storage s = { .key = a[2]->text.s, .type = a[1]->symbol, .count = count };
    if (count < 0 || strlen(s.key) != a[2]->text.n || a[2]->text.n > 200 || gv_mul_size((size_t)count, s.type->size, &s.bytes) < 0) {
        gv_fail(err, GV_EDATA, "storage '%.60s' claims %lld elements", s.key, (long long)count);
        return NULL;
    }
    size_t index = k->storages.len / sizeof s;
    int r = gv_names_add(&k->keys, s.key, &index, err);
    if (r < 0 || (r > 0 && gv_buf_add(&k->storages, &s, sizeof s, err) < 0))
        return NULL;
    const gv_pk_storage *known = (const gv_pk_storage *)k->storages.data + index;
    if (known->type != s.type || known->count != s.count) {
        gv_fail(err, GV_EDATA, "storage '%s' is described in two ways", s.key);
        return NULL;
    }
    gv_pk_value *v = gv_pk_new(k, GV_PK_STORAGE, err);
    if (!v)
        return NULL;
    v->storage.index = index;
    v->storage.count = count;
    if (id->list.n == 6 && a[5]->kind != GV_PK_NONE) {
        int64_t offset, n;
        if (a[5]->kind != GV_PK_TUPLE || a[5]->list.n != 3 || !is_int(a[5]->list.v[1], &offset) || !is_int(a[5]->list.v[2], &n) ||
            offset < 0 || n < 0 || offset > count || n > count - offset) {
            gv_fail(err, GV_EDATA, "a view of storage '%s' lies outside of it", s.key);
            return NULL;
        }
        v->storage.offset = offset;
        v->storage.count = n;
    }
    return v;
}

/* ---- tensors ---- */

/* Every element lies within the storage: offset + sum of (size - 1) * stride < elements. */
static int check_bounds(const gv_pk_tensor *t, int64_t offset, int64_t have, const char *key, gv_err *err)
{
    int64_t count = gv_shape_count(t->shape, t->ndim), last = offset, d;
    int bad = count < 0 || offset < 0 || offset > have;
    for (int i = 0; i < t->ndim && !bad && count; i++)
        bad = t->stride[i] < 0 || __builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &d) || __builtin_add_overflow(last, d, &last);
    if (!bad && count)
        bad = last >= have;
    if (bad)
        return gv_fail(err, GV_EDATA, "a tensor reaches outside of its storage '%s', which has %lld elements", key, (long long)have);
    return GV_OK;
}

static gv_pk_value *rebuild(struct gv_pickle *k, const gv_pk_symbol *f, const gv_pk_value *args, gv_err *err)
{
    size_t need = f->call == GV_CALL_TENSOR_V1 ? 4 : f->call == GV_CALL_TENSOR_V2 ? 6 : 7, n = args->list.n;
    gv_pk_value **a = args->list.v;
    int64_t offset;
    if (n < need || n > need + (f->call != GV_CALL_TENSOR_V1) || a[0]->kind != GV_PK_STORAGE || !is_int(a[1], &offset) ||
        (a[2]->kind != GV_PK_TUPLE && a[2]->kind != GV_PK_LIST) || (a[3]->kind != GV_PK_TUPLE && a[3]->kind != GV_PK_LIST) ||
        a[2]->list.n != a[3]->list.n) {
        gv_fail(err, GV_EDATA, "a tensor is described wrongly");
        return NULL;
    }
    const gv_pk_storage *s = (const gv_pk_storage *)k->storages.data + a[0]->storage.index;
    gv_pk_tensor *t = gv_arena_alloc(&k->arena, sizeof *t, err);
    gv_pk_value *v = t ? gv_pk_new(k, GV_PK_TENSOR, err) : NULL;
    if (!v)
        return NULL;
    if (a[2]->list.n > GV_MAX_DIMS) {
        gv_fail(err, GV_EDATA, "a tensor has %zu dimensions; at most %d are read", a[2]->list.n, GV_MAX_DIMS);
        return NULL;
    }
    t->storage = a[0]->storage.index;
    t->type = s->type;
    t->ndim = (int)a[2]->list.n;
    for (int i = 0; i < t->ndim; i++)
        if (!is_int(a[2]->list.v[i], &t->shape[i]) || !is_int(a[3]->list.v[i], &t->stride[i])) {
            gv_fail(err, GV_EDATA, "a tensor's sizes are not integers");
            return NULL;
        }
    int64_t have = a[0]->storage.count, base = a[0]->storage.offset;
    if (f->call == GV_CALL_TENSOR_V3) { /* the storage counts bytes, the tensor elements */
        if (a[6]->kind != GV_PK_SYMBOL || a[6]->symbol->call != GV_CALL_DTYPE || s->type->size != 1 || base) {
            gv_fail(err, GV_EDATA, "a tensor of an untyped storage has no type");
            return NULL;
        }
        t->type = a[6]->symbol;
        have /= (int64_t)t->type->size;
    }
    if (check_bounds(t, offset, have, s->key, err) < 0)
        return NULL;
    t->offset = base + offset;
    v->tensor = t;
    return v;
}

/* ---- calls ---- */

/* OrderedDict() or, from Python 2, OrderedDict([[key, value], …]); Counter({…}). */
static gv_pk_value *ordered_dict(struct gv_pickle *k, const gv_pk_value *args, gv_err *err)
{
    gv_pk_value *d = gv_pk_new(k, GV_PK_DICT, err);
    const gv_pk_value *from = args->list.n == 1 ? args->list.v[0] : NULL;
    if (!d || !args->list.n)
        return d;
    if (!from || (from->kind != GV_PK_LIST && from->kind != GV_PK_DICT)) {
        gv_fail(err, GV_EDATA, "a dictionary is made from something else than pairs");
        return NULL;
    }
    for (size_t i = 0; i < from->list.n; i++) {
        const gv_pk_value *pair = from->list.v[i];
        if (from->kind == GV_PK_DICT) {
            if (gv_pk_push(k, d, from->list.v[i], err) < 0)
                return NULL;
        } else if ((pair->kind != GV_PK_LIST && pair->kind != GV_PK_TUPLE) || pair->list.n != 2) {
            gv_fail(err, GV_EDATA, "a dictionary is made from something else than pairs");
            return NULL;
        } else if (gv_pk_push(k, d, pair->list.v[0], err) < 0 || gv_pk_push(k, d, pair->list.v[1], err) < 0)
            return NULL;
    }
    return d;
}

gv_pk_value *gv_pk_reduce(struct gv_pickle *k, const gv_pk_symbol *f, const gv_pk_value *args, gv_err *err)
{
    gv_pk_value **a = args->list.v;
    size_t n = args->list.n;
    switch (f->call) {
    case GV_CALL_ORDERED_DICT: case GV_CALL_COUNTER:
        return ordered_dict(k, args, err);
    case GV_CALL_TENSOR_V1: case GV_CALL_TENSOR_V2: case GV_CALL_TENSOR_V3:
        return rebuild(k, f, args, err);
    case GV_CALL_PARAMETER:
        if (n >= 1 && n <= 4 && a[0]->kind == GV_PK_TENSOR)
            return a[0];
        break;
    case GV_CALL_FROM_TYPE: /* (rebuild, class, arguments, state): a tensor with attributes, which we leave */
        if (n == 4 && a[0]->kind == GV_PK_SYMBOL && a[2]->kind == GV_PK_TUPLE && a[0]->symbol->call >= GV_CALL_TENSOR_V1 &&
            a[0]->symbol->call <= GV_CALL_PARAMETER)
            return gv_pk_reduce(k, a[0]->symbol, a[2], err);
        break;
    case GV_CALL_SIZE:
        if (n == 1 && (a[0]->kind == GV_PK_TUPLE || a[0]->kind == GV_PK_LIST))
            return a[0];
        break;
    case GV_CALL_OPAQUE:
        return gv_pk_new(k, GV_PK_OPAQUE, err);
    default:
        break;
    }
    gv_fail(err, GV_EDATA, "the pickle calls '%s.%s' with arguments it does not take", f->module, f->name);
    return NULL;
}
