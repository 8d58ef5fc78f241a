/* safetensors: the writer. Wider types come first, so that every tensor is aligned; equal types stand in the order of names. */
#include "weights/internal.h"
#include "common/file.h"
#include <jansson.h>

/* The order of types in the official library, which sorts from the last to the first. */
static int rank_of(gv_dtype t)
{
    static const unsigned char rank[GV_DTYPES] = {
        [GV_BOOLT] = 0, [GV_U8] = 1, [GV_I8] = 2, [GV_I16] = 3, [GV_U16] = 4, [GV_F16] = 5, [GV_BF16] = 6,
        [GV_I32] = 7, [GV_U32] = 8, [GV_F32T] = 9, [GV_F64T] = 10, [GV_I64T] = 11, [GV_U64T] = 12,
    };
    return rank[t];
}

static int in_order(const void *a, const void *b)
{
    const gv_named *x = *(const gv_named *const *)a, *y = *(const gv_named *const *)b;
    int d = rank_of(y->dtype) - rank_of(x->dtype);
    return d ? d : strcmp(x->name, y->name);
}

static int add_text(gv_buf *b, const char *s, gv_err *err)
{
    json_t *j = json_string(s);
    char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
    int r = text ? gv_buf_add(b, text, strlen(text), err) : gv_fail(err, GV_EUSAGE, "the text '%.60s' is not UTF-8", s);
    free(text);
    json_decref(j);
    return r;
}

static int add_metadata(gv_buf *b, const gv_meta *meta, size_t nmeta, gv_err *err)
{
    int r = gv_buf_printf(b, err, "{\"__metadata__\":{\"format\":\"pt\"");
    for (size_t i = 0; i < nmeta && r == GV_OK; i++) {
        if (!strcmp(meta[i].key, "format"))
            return gv_fail(err, GV_EUSAGE, "the key 'format' of __metadata__ is taken");
        for (size_t k = 0; k < i; k++)
            if (!strcmp(meta[k].key, meta[i].key))
                return gv_fail(err, GV_EUSAGE, "the key '%s' of __metadata__ occurs twice", meta[i].key);
        if ((r = gv_buf_add(b, ",", 1, err)) == GV_OK && (r = add_text(b, meta[i].key, err)) == GV_OK &&
            (r = gv_buf_add(b, ":", 1, err)) == GV_OK)
            r = add_text(b, meta[i].value, err);
    }
    return r == GV_OK ? gv_buf_add(b, "}", 1, err) : r;
}

static int add_entry(gv_buf *b, const gv_named *t, size_t *at, gv_err *err)
{
    int64_t count = gv_shape_count(t->shape, t->ndim);
    size_t bytes;
    if (count < 0 || gv_mul_size((size_t)count, gv_dtype_of(t->dtype)->size, &bytes) < 0 || bytes != t->bytes)
        return gv_fail(err, GV_EINTERNAL, "the tensor '%s' has %zu bytes, not those of its shape", t->name, t->bytes);
    int r = gv_buf_add(b, ",", 1, err);
    if (r == GV_OK)
        r = add_text(b, t->name, err);
    if (r == GV_OK)
        r = gv_buf_printf(b, err, ":{\"dtype\":\"%s\",\"shape\":[", gv_dtype_of(t->dtype)->safetensors);
    for (int i = 0; i < t->ndim && r == GV_OK; i++)
        r = gv_buf_printf(b, err, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    if (r == GV_OK)
        r = gv_buf_printf(b, err, "],\"data_offsets\":[%zu,%zu]}", *at, *at + bytes);
    *at += bytes;
    return r;
}

/* The sorted list into `order`, refusing names that could not be read back. */
static int arrange(const gv_named *t, size_t n, const gv_named **order, gv_err *err)
{
    gv_names seen = { 0 };
    int r = GV_OK;
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        size_t index = i;
        order[i] = &t[i];
        if (!strcmp(t[i].name, "__metadata__"))
            r = gv_fail(err, GV_EUSAGE, "a tensor cannot be named '__metadata__'");
        else if ((r = gv_names_add(&seen, t[i].name, &index, err)) == 0)
            r = gv_fail(err, GV_EUSAGE, "the tensor '%s' occurs twice", t[i].name);
        else if (r > 0)
            r = GV_OK;
    }
    gv_names_release(&seen);
    if (r == GV_OK)
        qsort(order, n, sizeof *order, in_order);
    return r;
}

int gv_safetensors_write(const char *path, const gv_named *t, size_t n, const gv_meta *meta, size_t nmeta, gv_err *err)
{
    gv_out out = { .fd = -1 };
    gv_buf head = { 0 };
    size_t at = 0;
    const gv_named **order = gv_alloc((n + 1) * sizeof *order, err);
    int r = order ? arrange(t, n, order, err) : GV_ESYS;
    unsigned char length[8] = { 0 };
    if (r == GV_OK && (r = gv_buf_add(&head, length, 8, err)) == GV_OK)
        r = add_metadata(&head, meta, nmeta, err);
    for (size_t i = 0; i < n && r == GV_OK; i++)
        r = add_entry(&head, order[i], &at, err);
    if (r == GV_OK)
        r = gv_buf_add(&head, "}", 1, err);
    while (r == GV_OK && head.len % 8)
        r = gv_buf_add(&head, " ", 1, err);
    if (r == GV_OK && head.len - 8 > 100000000)
        r = gv_fail(err, GV_EUSAGE, "the header would have %zu bytes; readers take at most 100000000", head.len - 8);
    if (r == GV_OK) {
        for (int i = 0; i < 8; i++)
            head.data[i] = (char)((uint64_t)(head.len - 8) >> 8 * i);
        r = gv_out_open(&out, path, err);
    }
    if (r == GV_OK)
        r = gv_out_write(&out, head.data, head.len, err);
    for (size_t i = 0; i < n && r == GV_OK; i++)
        r = gv_out_write(&out, order[i]->data, order[i]->bytes, err);
    if (r == GV_OK)
        r = gv_out_commit(&out, err);
    gv_out_abort(&out);
    gv_buf_release(&head);
    gv_free(order);
    return r < 0 && !strstr(err->text, path) ? gv_fail_in(err, "cannot write '%s'", path) : r; /* named once */
}
