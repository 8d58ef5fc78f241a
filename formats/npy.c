/* npy: NumPy's .npy, versions 1 to 3, C or Fortran order, either byte order; any shape of up to 8 axes, kept as it is. An array of
 * shape [n] or [h,w] gets a last axis of one channel; as a volume [D,H,W] does.
 * Source: NumPy Enhancement Proposal 1 and numpy.lib.format. */
#include "formats/scan.h"
#include "formats/series.h"
#include <ctype.h>
#include <inttypes.h>

struct head { gv_sample shape; int axes; size_t at; bool swap, fortran; }; /* axes: of the file */

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
    h->fortran = !strncmp(f, "True", 4);
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
    h->axes = h->shape.ndim;
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

/* Values with the first axis fastest to ones with the last axis fastest. */
static void from_fortran(const uint8_t *in, const gv_sample *x, int axes, size_t e)
{
    int64_t at[GV_MAX_DIMS] = { 0 }, stride[GV_MAX_DIMS];
    size_t n = gv_sample_bytes(x) / e, from = 0;
    uint8_t *out = x->data;
    for (int64_t k = 0, s = 1; k < axes; s *= x->shape[k++])
        stride[k] = s;
    for (size_t i = 0; i < n; i++, out += e) {
        memcpy(out, in + from * e, e);
        for (int k = axes - 1; k >= 0; k--) {
            from += (size_t)stride[k];
            if (++at[k] < x->shape[k])
                break;
            from -= (size_t)(stride[k] * x->shape[k]);
            at[k] = 0;
        }
    }
}

static int values(const uint8_t *p, size_t n, const struct head *h, gv_sample *s, gv_arena *arena, gv_err *err)
{
    gv_sample x;
    int r = gv_sample_init(&x, h->shape.dtype, h->shape.ndim, h->shape.shape, arena, err);
    if (r < 0)
        return r;
    size_t bytes = gv_sample_bytes(&x), e = gv_dtype_of(x.dtype)->size;
    if (n - h->at < bytes)
        return gv_fail(err, GV_EDATA, "NPY ends after %zu bytes; its header claims %zu", n, h->at + bytes);
    if (h->fortran && h->axes > 1)
        from_fortran(p + h->at, &x, h->axes, e);
    else
        memcpy(x.data, p + h->at, bytes);
    if (h->swap)
        gv_swap_bytes(x.data, bytes / e, e);
    *s = x;
    return GV_OK;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct head h;
    (void)part;
    (void)max_output;
    int r = parse(p, n, &h, err);
    return r < 0 ? r : values(p, n, &h, s, arena, err);
}

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *v, gv_arena *arena, gv_err *err)
{
    struct head h;
    int r = parse(p, n, &h, err);
    if (r < 0)
        return r;
    h.shape.ndim = h.axes;
    if ((r = gv_scan_axes(&h.shape, "the array", err)) < 0 || (r = gv_shape_check(&h.shape, o->max_output, err)) < 0)
        return r;
    return values(p, n, &h, &v->x, arena, err);
}

/* [T,C], or [T]; both have got an axis of one channel. */
static int series(const uint8_t *p, size_t n, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    gv_sample shape, a;
    int r = header(p, n, &shape, err);
    if (r == GV_OK && gv_sample_bytes(&shape) > n)
        r = gv_fail(err, GV_EDATA, "NPY of %zu bytes cannot hold the values its header claims", n);
    if (r < 0 || (r = decode(p, n, &a, NULL, n, arena, err)) < 0)
        return r;
    a.ndim -= a.ndim == 3 && a.shape[2] == 1;
    return gv_series_array(&a, o, &out->x, arena, err);
}

const gv_format gv_format_npy = {
    .name = "npy", .summary = "NumPy array",
    .suffixes = (const char *const[]){ ".npy", NULL },
    .sniff = sniff, .header = header, .decode = decode, .volume = volume, .series = series,
};
