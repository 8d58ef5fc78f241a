/* dtype: names, sizes and conversions of number types. */
#include "common/dtype.h"

static const gv_dtype_info info[GV_DTYPES] = {
    [GV_U8] = { "uint8", "|u1", "U8", 1 },      [GV_I8] = { "int8", "|i1", "I8", 1 },
    [GV_U16] = { "uint16", "<u2", "U16", 2 },   [GV_I16] = { "int16", "<i2", "I16", 2 },
    [GV_U32] = { "uint32", "<u4", "U32", 4 },   [GV_I32] = { "int32", "<i4", "I32", 4 },
    [GV_U64T] = { "uint64", "<u8", "U64", 8 },  [GV_I64T] = { "int64", "<i8", "I64", 8 },
    [GV_F16] = { "float16", "<f2", "F16", 2 },  [GV_BF16] = { "bfloat16", "<u2", "BF16", 2 },
    [GV_F32T] = { "float32", "<f4", "F32", 4 }, [GV_F64T] = { "float64", "<f8", "F64", 8 },
    [GV_BOOLT] = { "bool", "|b1", "BOOL", 1 },
};

const gv_dtype_info *gv_dtype_of(gv_dtype t)
{
    return &info[t];
}

int gv_dtype_from_numpy(const char *s)
{
    for (int i = 0; i < GV_DTYPES; i++)
        if (i != GV_BF16 && !strcmp(info[i].numpy, s))
            return i;
    return -1;
}

int gv_dtype_from_safetensors(const char *s)
{
    for (int i = 0; i < GV_DTYPES; i++)
        if (!strcmp(info[i].safetensors, s))
            return i;
    return -1;
}

float gv_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 1023, u;
    if (exp == 31)
        u = sign | 0x7f800000u | man << 13;
    else if (exp)
        u = sign | (exp + 112) << 23 | man << 13;
    else if (!man)
        u = sign;
    else { /* subnormal: shift until the leading one is implicit */
        exp = 113;
        while (!(man & 1024)) {
            man <<= 1;
            exp--;
        }
        u = sign | exp << 23 | (man & 1023) << 13;
    }
    float f;
    memcpy(&f, &u, 4);
    return f;
}

uint16_t gv_f32_to_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    u &= 0x7fffffff;
    if (u > 0x7f800000)
        return sign | 0x7e00;
    if (u >= 0x477ff000) /* rounds to 65520 or more */
        return sign | 0x7c00;
    if (u < 0x38800000) { /* subnormal or zero: the float adder does the rounding */
        float v, magic;
        uint32_t m = 0x3f000000; /* 0.5: one ulp of it is 2^-24 */
        memcpy(&v, &u, 4);
        memcpy(&magic, &m, 4);
        v += magic;
        memcpy(&u, &v, 4);
        return sign | (uint16_t)(u - m);
    }
    u += 0xfff + (u >> 13 & 1);
    return sign | (uint16_t)((u - 0x38000000) >> 13);
}

#define EACH(T, to) do { const T *s = src; for (size_t i = 0; i < n; i++) dst[i] = (to)s[i]; } while (0)
#define CONVERT(to) \
    switch (t) { \
    case GV_U8: case GV_BOOLT: EACH(uint8_t, to); break; \
    case GV_I8: EACH(int8_t, to); break; \
    case GV_U16: EACH(uint16_t, to); break; \
    case GV_I16: EACH(int16_t, to); break; \
    case GV_U32: EACH(uint32_t, to); break; \
    case GV_I32: EACH(int32_t, to); break; \
    case GV_U64T: EACH(uint64_t, to); break; \
    case GV_I64T: EACH(int64_t, to); break; \
    case GV_F32T: EACH(float, to); break; \
    case GV_F64T: EACH(double, to); break; \
    case GV_F16: { const uint16_t *s = src; for (size_t i = 0; i < n; i++) dst[i] = (to)gv_f16_to_f32(s[i]); break; } \
    case GV_BF16: { const uint16_t *s = src; for (size_t i = 0; i < n; i++) dst[i] = (to)gv_bf16_to_f32(s[i]); break; } \
    default: break; \
    }

void gv_to_f64(gv_dtype t, const void *src, double *dst, size_t n)
{
    CONVERT(double)
}

void gv_to_f32(gv_dtype t, const void *src, float *dst, size_t n)
{
    CONVERT(float)
}

#define BACK(T) do { T *d = dst; for (size_t i = 0; i < n; i++) d[i] = (T)src[i]; } while (0)

void gv_from_f64(gv_dtype t, const double *src, void *dst, size_t n)
{
    switch (t) {
    case GV_U8: case GV_BOOLT: BACK(uint8_t); break;
    case GV_I8: BACK(int8_t); break;
    case GV_U16: BACK(uint16_t); break;
    case GV_I16: BACK(int16_t); break;
    case GV_U32: BACK(uint32_t); break;
    case GV_I32: BACK(int32_t); break;
    case GV_U64T: BACK(uint64_t); break;
    case GV_I64T: BACK(int64_t); break;
    case GV_F32T: BACK(float); break;
    case GV_F64T: BACK(double); break;
    case GV_F16: { uint16_t *d = dst; for (size_t i = 0; i < n; i++) d[i] = gv_f32_to_f16((float)src[i]); break; }
    case GV_BF16: { uint16_t *d = dst; for (size_t i = 0; i < n; i++) d[i] = gv_f32_to_bf16((float)src[i]); break; }
    default: break;
    }
}

int64_t gv_shape_count(const int64_t *shape, int ndim)
{
    int64_t n = 1;
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(n, shape[i], &n))
            return -1;
    return n;
}
