/* npy: NumPy's .npy, versions 1 to 3, C order, either byte order; any shape of up to 8 axes, kept as it is. An array of
 * shape [n] or [h,w] gets a last axis of one channel.
 * Source: NumPy Enhancement Proposal 1 and numpy.lib.format. */
#include "formats/format.h"
#include <ctype.h>
#include <inttypes.h>

struct head { gv_sample shape; size_t at; bool swap; };

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 10 && !memcmp(p, "\x93NUMPY", 6);
}

/* The text behind 'key': in the dictionary, or NULL. */
static const char *entry(const char *text, const char *key)
{
    const char *s = strstr(text, key);
    if (!s)
        return NULL;
    s += strlen(key);
    while (isspace((unsigned char)*s) || *s == ':')
        s++;
    return s;
}

static int parse(const uint8_t *p, size_t n, struct head *h, gv_err *err)
{
    char text[4096], descr[8] = "";
    size_t wide = p[6] >= 2 ? 4 : 2, len = p[8] | (size_t)p[9] << 8;
    if (p[6] < 1 || p[6] > 3)
        return gv_fail(err, GV_EDATA, "NPY of version %d is not read", p[6]);
    if (wide == 4 && n >= 12)
        len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (len >= sizeof text || 8 + wide + len > n)
        return gv_fail(err, GV_EDATA, "NPY ends inside its header (%zu bytes, %zu of header)", n, len);
    memcpy(text, p + 8 + wide, len);
    text[len] = 0;
    h->at = 8 + wide + len;
    const char *d = entry(text, "'descr'"), *f = entry(text, "'fortran_order'"), *s = entry(text, "'shape'");
    if (!d || !f || !s || *d != '\'' || *s != '(')
        return gv_fail(err, GV_EDATA, "NPY has a header without descr, fortran_order and shape");
    if (strncmp(f, "False", 5))
        return gv_fail(err, GV_EDATA, "NPY in Fortran order is not read");
    snprintf(descr, sizeof descr, "%.*s", (int)strcspn(d + 1, "'"), d + 1);
    h->swap = descr[0] == '>';
    if (h->swap)
        descr[0] = '<';
    int type = gv_dtype_from_numpy(descr);
    if (type < 0)
        return gv_fail(err, GV_EDATA, "NPY holds '%s', which is no plain number type", descr);
    h->shape = (gv_sample){ .dtype = (gv_dtype)type };
    for (s++; *s && *s != ')';) {
        char *end;
        long long v = strtoll(s, &end, 10);
        if (end == s || h->shape.ndim == GV_MAX_DIMS || v < 0)
            return gv_fail(err, GV_EDATA, "NPY has a shape that is not 0 to %d sizes", GV_MAX_DIMS);
        h->shape.shape[h->shape.ndim++] = v;
        s = end + strspn(end, ", L");
    }
    if (h->shape.ndim < 3 && h->shape.ndim < GV_MAX_DIMS)
        h->shape.shape[h->shape.ndim++] = 1;
    return GV_OK;
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    struct head h;
    int r = parse(p, n, &h, err);
    if (r == GV_OK)
        *s = h.shape;
    return r;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct head h;
    gv_sample x;
    (void)part;
    (void)max_output;
    int r = parse(p, n, &h, err);
    if (r < 0 || (r = gv_sample_init(&x, h.shape.dtype, h.shape.ndim, h.shape.shape, arena, err)) < 0)
        return r;
    size_t bytes = gv_sample_bytes(&x), e = gv_dtype_of(x.dtype)->size;
    if (n - h.at < bytes)
        return gv_fail(err, GV_EDATA, "NPY ends after %zu bytes; its header claims %zu", n, h.at + bytes);
    memcpy(x.data, p + h.at, bytes);
    uint8_t *q = x.data;
    for (size_t i = 0; h.swap && e > 1 && i < bytes; i += e)
        for (size_t k = 0; k < e / 2; k++) {
            uint8_t t = q[i + k];
            q[i + k] = q[i + e - 1 - k];
            q[i + e - 1 - k] = t;
        }
    *s = x;
    return GV_OK;
}

const gv_format gv_format_npy = {
    .name = "npy", .summary = "NumPy array",
    .suffixes = (const char *const[]){ ".npy", NULL },
    .sniff = sniff, .header = header, .decode = decode,
};
