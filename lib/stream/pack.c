/* pack: values as msgpack bytes; big payloads are noted, not copied. */
#include "stream/internal.h"
#include <inttypes.h>

static int append(void *to, const char *p, size_t n)
{
    gv_pack *k = to;
    return gv_buf_add(&k->buf, p, n, k->err) < 0 ? -1 : 0;
}

/* A packer that lives on the stack of one call: it holds a pointer and a function alone. */
static msgpack_packer packer(gv_pack *p, gv_err *err)
{
    p->err = err;
    msgpack_packer k;
    msgpack_packer_init(&k, p, append);
    return k;
}

static int done(int r, gv_err *err)
{
    return r < 0 ? (err && err->code ? err->code : gv_fail(err, GV_ESYS, "out of memory")) : GV_OK;
}

int gv_pack_text(gv_pack *p, const char *s, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    size_t n = strlen(s);
    if (n > GV_MAX_TEXT)
        return gv_fail(err, GV_EDATA, "a text of %zu bytes cannot be written; at most %d can", n, GV_MAX_TEXT);
    return done(msgpack_pack_str_with_body(&k, s, n), err);
}

int gv_pack_map(gv_pack *p, size_t n, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    return done(msgpack_pack_map(&k, n), err);
}

int gv_pack_array(gv_pack *p, size_t n, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    return done(msgpack_pack_array(&k, n), err);
}

static int pack_bin(gv_pack *p, const void *data, size_t n, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    if (n > GV_MAX_BIN)
        return gv_fail(err, GV_EDATA, "a tensor of %zu bytes cannot be written; at most %llu can", n, (unsigned long long)GV_MAX_BIN);
    int r = msgpack_pack_bin(&k, n);
    if (r == 0 && n >= GV_SPLICE_FROM && p->ncuts < (int)GV_COUNT(p->cut))
        p->cut[p->ncuts++] = (gv_cut){ p->buf.len, data, n };
    else if (r == 0 && n)
        r = msgpack_pack_bin_body(&k, data, n);
    return done(r, err);
}

static int pack_tensor(gv_pack *p, const gv_tensor *t, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    const gv_dtype_info *info = gv_dtype_of(t->dtype);
    int r = msgpack_pack_map(&k, t->dtype == GV_BF16 ? 6 : 5);
    r |= msgpack_pack_bin_with_body(&k, "nd", 2);
    r |= msgpack_pack_true(&k);
    r |= msgpack_pack_bin_with_body(&k, "type", 4);
    r |= msgpack_pack_str_with_body(&k, info->numpy, strlen(info->numpy));
    r |= msgpack_pack_bin_with_body(&k, "kind", 4);
    r |= msgpack_pack_bin(&k, 0);
    r |= msgpack_pack_bin_with_body(&k, "shape", 5);
    r |= msgpack_pack_array(&k, (size_t)t->ndim);
    for (int i = 0; i < t->ndim; i++)
        r |= msgpack_pack_int64(&k, t->shape[i]);
    r |= msgpack_pack_bin_with_body(&k, "data", 4);
    if (r)
        return done(-1, err);
    int e = pack_bin(p, t->data, t->bytes, err);
    if (e < 0 || t->dtype != GV_BF16)
        return e;
    k = packer(p, err);
    r = msgpack_pack_str_with_body(&k, "dtype", 5);
    r |= msgpack_pack_str_with_body(&k, "bf16", 4);
    return done(r ? -1 : 0, err);
}

int gv_pack_item(gv_pack *p, const gv_item *v, gv_err *err)
{
    msgpack_packer k = packer(p, err);
    switch (v->type) {
    case GV_NIL: return done(msgpack_pack_nil(&k), err);
    case GV_ITEM_BOOL: return done(v->b ? msgpack_pack_true(&k) : msgpack_pack_false(&k), err);
    case GV_INT: return done(msgpack_pack_int64(&k, v->i), err);
    case GV_UINT: return done(msgpack_pack_uint64(&k, v->u), err);
    case GV_FLOAT: return done(msgpack_pack_double(&k, v->f), err);
    case GV_TEXT:
        if (v->text.n > GV_MAX_TEXT)
            return gv_fail(err, GV_EDATA, "a text of %zu bytes cannot be written; at most %d can", v->text.n, GV_MAX_TEXT);
        return done(msgpack_pack_str_with_body(&k, v->text.s, v->text.n), err);
    case GV_BIN: return pack_bin(p, v->text.s, v->text.n, err);
    case GV_TENSOR_ITEM: return pack_tensor(p, &v->tensor, err);
    case GV_ARRAY: {
        int r = gv_pack_array(p, v->array.n, err);
        for (size_t i = 0; r == GV_OK && i < v->array.n; i++)
            r = gv_pack_item(p, &v->array.v[i], err);
        return r;
    }
    case GV_MAPPING: {
        int r = gv_pack_map(p, v->map.n, err);
        for (size_t i = 0; r == GV_OK && i < v->map.n; i++) {
            r = gv_pack_text(p, v->map.v[i].key, err);
            if (r == GV_OK)
                r = gv_pack_item(p, &v->map.v[i].value, err);
        }
        return r;
    }
    }
    return gv_fail(err, GV_EINTERNAL, "an item of unknown type %d", (int)v->type);
}
