/* b2nd: arrays of c-blosc2 in one contiguous frame: [D,H,W], or [C,D,H,W] as nnU-Net's preprocessing writes its cases (the .pkl beside
 * them is not needed, and never opened). Built where c-blosc2 is there; otherwise such a file is refused with what to install.
 * The library checks what a frame claims less than we do: shape, type and chunk size are held against the limits before it unpacks.
 * Source: c-blosc2's README_CFRAME_FORMAT.rst and README_B2ND_METALAYER.rst; nnunetv2's blosc2 data sets, as behaviour. */
#include "formats/scan.h"
#ifdef GV_HAVE_BLOSC2
#include <b2nd.h>
#endif
#include <inttypes.h>

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 10 && (p[0] & 0xf0) == 0x90 && p[1] == 0xa8 && !memcmp(p + 2, "b2frame", 8);
}

#ifdef GV_HAVE_BLOSC2

static int type_of(const b2nd_array_t *a, bool *swap)
{
    char text[8];
    if (!a->dtype || a->dtype_format != DTYPE_NUMPY_FORMAT || strlen(a->dtype) >= sizeof text)
        return -1;
    snprintf(text, sizeof text, "%s", a->dtype);
    *swap = text[0] == '>';
    if (*swap)
        text[0] = '<';
    return gv_dtype_from_numpy(text);
}

/* The shape as the file has it, in s; [C,D,H,W] keeps its order. */
static int shape_of(const b2nd_array_t *a, gv_sample *s, bool *swap, size_t max, gv_err *err)
{
    int type = type_of(a, swap);
    if (type < 0)
        return gv_fail(err, GV_EDATA, "b2nd holds '%.40s', which is no plain number type", a->dtype ? a->dtype : "");
    if (a->ndim != 3 && a->ndim != 4)
        return gv_fail(err, GV_EDATA, "b2nd has %d axes; a volume has 3 or 4 ([D,H,W] or [C,D,H,W])", a->ndim);
    *s = (gv_sample){ .dtype = (gv_dtype)type, .ndim = 4, .shape = { 0, 0, 0, 1 } };
    const int64_t *dhw = a->shape + (a->ndim == 4);
    for (int i = 0; i < 3; i++)
        s->shape[i] = dhw[i];
    s->shape[3] = a->ndim == 4 ? a->shape[0] : 1;
    int r = gv_shape_check(s, max, err);
    size_t e = gv_dtype_of(s->dtype)->size, chunk = e;
    for (int i = 0; r == GV_OK && i < a->ndim; i++)
        if (a->extchunkshape[i] < 1 || gv_mul_size(chunk, (size_t)a->extchunkshape[i], &chunk) < 0 || chunk > 2 * max + (64 << 20))
            return gv_fail(err, GV_EDATA, "b2nd claims chunks above the limit of %zu MiB", max >> 20);
    if (r == GV_OK && (size_t)a->sc->typesize != e)
        return gv_fail(err, GV_EDATA, "b2nd has elements of %d bytes, but its type '%s' has %zu", a->sc->typesize, a->dtype, e);
    return r;
}

/* [C][n] to [n][C]. */
static void channels_last(const uint8_t *in, uint8_t *out, size_t n, size_t c, size_t e)
{
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < n; i++)
            memcpy(out + (i * c + k) * e, in + (k * n + i) * e, e);
}

static int read_array(const b2nd_array_t *a, size_t max, gv_sample *out, gv_arena *arena, gv_err *err)
{
    gv_sample x;
    bool swap = false;
    int r = shape_of(a, &x, &swap, max, err);
    if (r < 0 || (r = gv_sample_init(&x, x.dtype, 4, x.shape, arena, err)) < 0)
        return r;
    size_t bytes = gv_sample_bytes(&x), e = gv_dtype_of(x.dtype)->size, mark = arena->used;
    bool many = x.shape[3] > 1;
    uint8_t *to = many ? gv_arena_alloc_dirty(arena, bytes, err) : x.data;
    if (!to)
        return GV_ESYS;
    if (b2nd_to_cbuffer(a, to, (int64_t)bytes) < 0)
        return gv_fail(err, GV_EDATA, "the values of the b2nd file cannot be unpacked (cut, damaged, or by a codec that is not here)");
    if (many) {
        channels_last(to, x.data, bytes / e / (size_t)x.shape[3], (size_t)x.shape[3], e);
        gv_arena_rewind(arena, mark);
    }
    if (swap)
        gv_swap_bytes(x.data, bytes / e, e);
    *out = x;
    return GV_OK;
}

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *v, gv_arena *arena, gv_err *err)
{
    static bool started; /* stages decode on one thread */
    b2nd_array_t *a = NULL;
    if (!started)
        blosc2_init();
    started = true;
    if (b2nd_from_cframe((uint8_t *)(uintptr_t)p, (int64_t)n, false, &a) < 0 || !a)
        return gv_fail(err, GV_EDATA, "b2nd file of %zu bytes is cut, damaged, or no array", n);
    int r = read_array(a, o->max_output, &v->x, arena, err);
    b2nd_free(a);
    return r;
}

#else

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *v, gv_arena *arena, gv_err *err)
{
    (void)p;
    (void)n;
    (void)o;
    (void)v;
    (void)arena;
    return gv_fail(err, GV_EDATA, "b2nd files need c-blosc2, without which this was built (Debian 13: libblosc2-dev; elsewhere: pip install blosc2, then make BLOSC2_ROOT=…/site-packages/blosc2)");
}

#endif

const gv_format gv_format_b2nd = {
    .name = "b2nd", .summary = "blosc2 array, as nnU-Net keeps preprocessed cases",
    .suffixes = (const char *const[]){ ".b2nd", NULL },
    .sniff = sniff, .volume = volume,
};
