/* nifti: NIfTI-1 and NIfTI-2 in one file, either byte order, every whole and floating type of up to 64 bits, RGB24 as 3 and RGBA32 as
 * 4 channels, slope and intercept. Axes behind the third become channels, the first of them fastest. Refused by name: complex and
 * 128-bit numbers, bits, headers whose voxels lie in a second file.
 *
 * Our own reader of the 348 and 540 bytes, not niftilib: that one opens paths, prints, trusts what the header claims (sizes are
 * multiplied unchecked, allocation comes before reading), and calls exit in places; here bytes come in, and every claim is checked
 * against them and against the limits first.
 *
 * The matrix is the sform, else the qform, else the voxels' sides about the middle with x to the left, as nibabel takes it; lengths
 * are taken as mm whatever xyzt_units says. A header that nibabel would repair (bitpix, qfac, negative sides) is refused or, for
 * qfac and sides, read as nibabel repairs it.
 * Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group; nibabel's nifti1.py and analyze.py, as behaviour. */
#include "formats/scan.h"
#include <inttypes.h>
#include <math.h>

struct head {
    bool swap, two;
    int64_t dim[8], offset;
    int type, bits, sform, qform;
    double pixdim[8], slope, inter, quatern[3], qoffset[3], srow[3][4];
};

static const struct code { int code; gv_dtype type; int channels; const char *refused; } codes[] = {
    { 2, GV_U8, 1, NULL },    { 4, GV_I16, 1, NULL },    { 8, GV_I32, 1, NULL },     { 16, GV_F32T, 1, NULL },  { 64, GV_F64T, 1, NULL },
    { 256, GV_I8, 1, NULL },  { 512, GV_U16, 1, NULL },  { 768, GV_U32, 1, NULL },   { 1024, GV_I64T, 1, NULL }, { 1280, GV_U64T, 1, NULL },
    { 128, GV_U8, 3, NULL },  { 2304, GV_U8, 4, NULL },
    { 1, 0, 0, "single bits" }, { 32, 0, 0, "complex numbers" }, { 1792, 0, 0, "complex numbers" }, { 2048, 0, 0, "complex numbers" }, { 1536, 0, 0, "numbers of 128 bits" },
};

/* ---- the header ---- */

static uint64_t bits_at(const struct head *h, const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)p[h->swap ? n - 1 - i : i] << 8 * i;
    return v;
}

static int64_t whole(const struct head *h, const uint8_t *p, int n)
{
    uint64_t v = bits_at(h, p, n);
    return n == 2 ? (int16_t)v : n == 4 ? (int32_t)v : (int64_t)v;
}

static double real(const struct head *h, const uint8_t *p, int n)
{
    uint64_t v = bits_at(h, p, n);
    uint32_t w = (uint32_t)v;
    float f;
    double d;
    memcpy(&f, &w, 4);
    memcpy(&d, &v, 8);
    return n == 4 ? (double)f : d;
}

static int size_of_header(const uint8_t *p, bool *swap)
{
    uint32_t v = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24, w = __builtin_bswap32(v);
    *swap = w == 348 || w == 540;
    return *swap ? (int)w : v == 348 || v == 540 ? (int)v : 0;
}

/* A cut header counts, so that the message is about NIfTI; a whole one must have its magic (ANALYZE's has none). */
static bool sniff(const uint8_t *p, size_t n)
{
    bool swap;
    int size = n < 4 ? 0 : size_of_header(p, &swap);
    if (!size)
        return false;
    const uint8_t *magic = p + (size == 348 ? 344 : 4);
    return n < (size == 348 ? 348u : 8u) || !memcmp(magic, "n+", 2) || !memcmp(magic, "ni", 2);
}

/* Where the fields of the two versions lie, and how wide whole numbers (dim, codes) and reals are. */
static int read_header(const uint8_t *p, size_t n, struct head *h, gv_err *err)
{
    *h = (struct head){ 0 };
    int size = size_of_header(p, &h->swap);
    if (n < (size_t)size)
        return gv_fail(err, GV_EDATA, "NIfTI ends after %zu bytes, inside its header of %d", n, size);
    h->two = size == 540;
    const char *magic = (const char *)p + (h->two ? 4 : 344);
    if (!memcmp(magic, "ni", 2))
        return gv_fail(err, GV_EDATA, "NIfTI header without voxels: they lie in a .img file, and pairs of files are not read (write it as .nii)");
    int w = h->two ? 8 : 2, f = h->two ? 8 : 4, c = h->two ? 4 : 2;
    const uint8_t *dim = p + (h->two ? 16 : 40), *pix = p + (h->two ? 104 : 76), *q = p + (h->two ? 352 : 256), *s = p + (h->two ? 400 : 280);
    for (int i = 0; i < 8; i++) {
        h->dim[i] = whole(h, dim + w * i, w);
        h->pixdim[i] = real(h, pix + f * i, f);
    }
    h->type = (int)whole(h, p + (h->two ? 12 : 70), 2);
    h->bits = (int)whole(h, p + (h->two ? 14 : 72), 2);
    double offset = h->two ? (double)whole(h, p + 168, 8) : real(h, p + 108, 4);
    h->slope = real(h, p + (h->two ? 176 : 112), f);
    h->inter = real(h, p + (h->two ? 184 : 116), f);
    h->qform = (int)whole(h, p + (h->two ? 344 : 252), c);
    h->sform = (int)whole(h, p + (h->two ? 348 : 254), c);
    for (int i = 0; i < 3; i++) {
        h->quatern[i] = real(h, q + f * i, f);
        h->qoffset[i] = real(h, q + f * (3 + i), f);
        for (int k = 0; k < 4; k++)
            h->srow[i][k] = real(h, s + f * (4 * i + k), f);
    }
    if (!(offset >= size + 4) || offset > (double)n)
        return gv_fail(err, GV_EDATA, "NIfTI says that its values begin at byte %g; they begin between %d and the end of the file at %zu", offset, size + 4, n);
    h->offset = (int64_t)offset;
    return GV_OK;
}

/* Shape [D,H,W,C] and type; `rest`: volumes that lie one behind another and become channels. */
static int shape_of(const struct head *h, gv_sample *s, int64_t *rest, gv_err *err)
{
    const struct code *c = NULL;
    for (size_t i = 0; i < GV_COUNT(codes); i++)
        if (codes[i].code == h->type)
            c = &codes[i];
    if (!c || c->refused)
        return gv_fail(err, GV_EDATA, "NIfTI of datatype %d (%s) is not read", h->type, c ? c->refused : "which does not exist");
    size_t bits = gv_dtype_of(c->type)->size * (size_t)c->channels * 8;
    if ((size_t)h->bits != bits)
        return gv_fail(err, GV_EDATA, "NIfTI of datatype %d has %zu bits a voxel, but its header says %d", h->type, bits, h->bits);
    if (h->dim[0] < 1 || h->dim[0] > 7)
        return gv_fail(err, GV_EDATA, "NIfTI has %" PRId64 " dimensions; 1 to 7 are read", h->dim[0]);
    *s = (gv_sample){ .dtype = c->type, .ndim = 4, .shape = { 1, 1, 1, c->channels } };
    *rest = 1;
    for (int i = 1; i <= h->dim[0]; i++) {
        if (h->dim[i] < 1)
            return gv_fail(err, GV_EDATA, "NIfTI has a dimension of %" PRId64, h->dim[i]);
        if (i <= 3)
            s->shape[3 - i] = h->dim[i];
        else if (h->dim[i] > GV_MAX_SIDE || (*rest *= h->dim[i]) > GV_MAX_SIDE)
            return gv_fail(err, GV_EDATA, "NIfTI has more than %d volumes", GV_MAX_SIDE);
    }
    if (*rest > 1 && c->channels > 1)
        return gv_fail(err, GV_EDATA, "NIfTI of datatype %d with %" PRId64 " volumes of colours is not read", h->type, *rest);
    s->shape[3] *= *rest;
    return GV_OK;
}

/* ---- where it lies ---- */

/* Columns x, y, z, origin. */
static int from_quaternion(const struct head *h, double m[3][4], gv_err *err)
{
    double b = h->quatern[0], c = h->quatern[1], d = h->quatern[2], aa = 1 - (b * b + c * c + d * d), limit = h->two ? 0x1p-52 * 3 : 0x1p-23 * 3;
    if (!(aa > -limit))
        return gv_fail(err, GV_EDATA, "NIfTI has a quaternion (%g, %g, %g) longer than 1", b, c, d);
    double a = aa < limit ? 0 : sqrt(aa), n = 2 / (a * a + b * b + c * c + d * d);
    const double r[3][3] = {
        { 1 - n * (c * c + d * d), n * (b * c - a * d), n * (b * d + a * c) },
        { n * (b * c + a * d), 1 - n * (b * b + d * d), n * (c * d - a * b) },
        { n * (b * d - a * c), n * (c * d + a * b), 1 - n * (b * b + c * c) },
    };
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            m[i][k] = r[i][k] * fabs(h->pixdim[k + 1]) * (k == 2 && h->pixdim[0] == -1 ? -1 : 1);
        m[i][3] = h->qoffset[i];
    }
    return GV_OK;
}

static int place(const struct head *h, gv_scan *v, gv_err *err)
{
    double m[3][4] = { { 0 } };
    int r = GV_OK;
    if (h->sform)
        memcpy(m, h->srow, sizeof m);
    else if (h->qform)
        r = from_quaternion(h, m, err);
    else
        for (int k = 0; k < 3; k++) {
            double side = h->dim[0] > k ? fabs(h->pixdim[k + 1]) : 1;
            m[k][k] = k ? side : -side;
            m[k][3] = -m[k][k] * (double)(v->x.shape[2 - k] - 1) / 2;
        }
    if (r < 0)
        return r;
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 3; i++)
            v->affine[i][2 - k] = m[i][k];
        v->affine[k][3] = m[k][3];
        v->spacing[2 - k] = hypot(hypot(m[0][k], m[1][k]), m[2][k]);
    }
    for (int i = 0; i < 12; i++)
        if (!isfinite(v->affine[i / 4][i % 4]))
            return gv_fail(err, GV_EDATA, "NIfTI has an affine matrix with entries that are no numbers");
    v->placed = v->turned = true;
    return GV_OK;
}

/* ---- values ---- */

/* Volumes one behind another to channels: [rest][n] to [n][rest]. */
static void to_channels(const uint8_t *in, uint8_t *out, size_t n, size_t rest, size_t e)
{
    for (size_t c = 0; c < rest; c++)
        for (size_t i = 0; i < n; i++)
            memcpy(out + (i * rest + c) * e, in + (c * n + i) * e, e);
}

static int scale(const struct head *h, gv_sample *x, gv_arena *arena, gv_err *err)
{
    gv_sample y;
    double chunk[1024];
    size_t n = gv_sample_bytes(x) / gv_dtype_of(x->dtype)->size, from = gv_dtype_of(x->dtype)->size;
    gv_dtype type = x->dtype == GV_F64T ? GV_F64T : GV_F32T;
    int r = gv_sample_init(&y, type, 4, x->shape, arena, err);
    if (r < 0)
        return r;
    size_t to = gv_dtype_of(type)->size;
    for (size_t i = 0; i < n; i += GV_COUNT(chunk)) {
        size_t k = n - i < GV_COUNT(chunk) ? n - i : GV_COUNT(chunk);
        gv_to_f64(x->dtype, (const uint8_t *)x->data + i * from, chunk, k);
        for (size_t j = 0; j < k; j++)
            chunk[j] = chunk[j] * h->slope + h->inter;
        gv_from_f64(type, chunk, (uint8_t *)y.data + i * to, k);
    }
    *x = y;
    return GV_OK;
}

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *out, gv_arena *arena, gv_err *err)
{
    struct head h;
    gv_scan v = *out;
    int64_t rest = 1;
    int r = read_header(p, n, &h, err);
    if (r < 0 || (r = shape_of(&h, &v.x, &rest, err)) < 0 || (r = gv_shape_check(&v.x, o->max_output, err)) < 0 || (r = place(&h, &v, err)) < 0)
        return r;
    bool scaled = isfinite(h.slope) && h.slope && (h.slope != 1 || h.inter) && h.type != 128 && h.type != 2304;
    if (scaled && !isfinite(h.inter))
        return gv_fail(err, GV_EDATA, "NIfTI scales by %g and then adds what is no number", h.slope);
    size_t bytes = gv_sample_bytes(&v.x), e = gv_dtype_of(v.x.dtype)->size;
    if (n - (size_t)h.offset < bytes)
        return gv_fail(err, GV_EDATA, "NIfTI ends after %zu bytes; its header claims %zu", n, (size_t)h.offset + bytes);
    if ((r = gv_sample_init(&v.x, v.x.dtype, 4, v.x.shape, arena, err)) < 0)
        return r;
    if (rest > 1)
        to_channels(p + h.offset, v.x.data, bytes / e / (size_t)rest, (size_t)rest, e);
    else
        memcpy(v.x.data, p + h.offset, bytes);
    if (h.swap)
        gv_swap_bytes(v.x.data, bytes / e, e);
    if (scaled && (r = scale(&h, &v.x, arena, err)) < 0)
        return r;
    *out = v;
    return GV_OK;
}

const gv_format gv_format_nifti = {
    .name = "nifti", .summary = "NIfTI-1 and NIfTI-2",
    .suffixes = (const char *const[]){ ".nii", ".nii.gz", NULL },
    .sniff = sniff, .volume = volume,
};
