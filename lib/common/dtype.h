/* Number types of tensors, everywhere: stream, samples, weights, engine. */
#ifndef GV_COMMON_DTYPE_H
#define GV_COMMON_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { GV_MAX_DIMS = 8 };

typedef enum gv_dtype {
    GV_U8, GV_I8, GV_U16, GV_I16, GV_U32, GV_I32, GV_U64T, GV_I64T, GV_F16, GV_BF16, GV_F32T, GV_F64T, GV_BOOLT, GV_DTYPES,
} gv_dtype;

typedef struct gv_dtype_info {
    const char *name;         /* "uint8", as NumPy and PyTorch say */
    const char *numpy;        /* "|u1"; bf16 travels as "<u2" with a mark beside it */
    const char *safetensors;  /* "U8" */
    size_t size;
} gv_dtype_info;

const gv_dtype_info *gv_dtype_of(gv_dtype t);
int gv_dtype_from_numpy(const char *s);        /* -1: unknown */
int gv_dtype_from_safetensors(const char *s);  /* -1: unknown */

static inline float gv_bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t gv_f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

float gv_f16_to_f32(uint16_t h);
uint16_t gv_f32_to_f16(float f);

/* n values of any type to double or float. */
void gv_to_f64(gv_dtype t, const void *src, double *dst, size_t n);
void gv_to_f32(gv_dtype t, const void *src, float *dst, size_t n);
void gv_from_f64(gv_dtype t, const double *src, void *dst, size_t n);

/* Product of the dimensions times the element size, with overflow checks; -1 when a dimension is negative or it overflows. */
int64_t gv_shape_count(const int64_t *shape, int ndim);

#endif
