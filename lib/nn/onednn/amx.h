/*
 * Products of bf16 in AMX's tiles, for own kernels. A tile holds 16 rows of 64 bytes; a unit is a pair of bf16, as in vectors.h.
 *
 *   dn_amx_begin();                              once in each thread, before the first product; dn_amx_end() behind the last
 *   dn_amx_zero(rt, ct);                         rt x ct tiles of sums (1 or 2 each): 16 rt rows, 16 ct columns, all zero;
 *   dn_amx_load(rt, ct, c, ldc);                 or as they stand in memory
 *   dn_amx_steps(rt, ct, a, lda, b, ldb, apart, n);
 *                                                sums += a b over 16 n units: unit (m, k) of a at a[m lda + k], unit (k, j) of b at b[k ldb + j], where j < 16,
 *                                                and the other 16 columns `apart` further: 16 if they stand beside the first, 256 if b stands tile by tile
 *   dn_amx_store(rt, ct, c, ldc);                the sums, f32; all distances in units or floats
 *
 * Two by two tiles of sums and two each of a and b are all eight there are. What is measured on one core of the processor at hand
 * (tests/bench/LOG.md): 1.5 T multiply-adds/s from the first cache, 1.05 from the second; vdpbf16ps makes 0.036.
 * Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, chapter 20.
 */
#ifndef GV_NN_ONEDNN_AMX_H
#define GV_NN_ONEDNN_AMX_H

#include "nn/onednn/own.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 11)
#define DN_AMX
#include "nn/onednn/turn16.h"
#include <string.h>

typedef uint32_t amx_unit __attribute__((may_alias));
#define AMXFN __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define AMXINLINE static inline __attribute__((always_inline)) AMXFN

AMXINLINE void dn_amx_begin(void)
{
    struct { uint8_t palette, start, rest[14]; uint16_t bytes[16]; uint8_t rows[16]; } __attribute__((aligned(64))) c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int i = 0; i < 8; i++)
        c.bytes[i] = 64, c.rows[i] = 16;
    __asm__ volatile("" ::: "memory");
    _tile_loadconfig(&c);
}

AMXINLINE void dn_amx_end(void)
{
    _tile_release();
}

AMXINLINE void dn_amx_zero(const int rt, const int ct)
{
    _tile_zero(0);
    if (ct > 1)
        _tile_zero(1);
    if (rt > 1)
        _tile_zero(2);
    if (rt > 1 && ct > 1)
        _tile_zero(3);
}

AMXINLINE void dn_amx_load(const int rt, const int ct, const float *c, int64_t ldc)
{
    __asm__ volatile("" ::: "memory"); /* the compiler does not know that tiles are read from memory */
    _tile_loadd(0, c, ldc * 4);
    if (ct > 1)
        _tile_loadd(1, c + 16, ldc * 4);
    if (rt > 1)
        _tile_loadd(2, c + 16 * ldc, ldc * 4);
    if (rt > 1 && ct > 1)
        _tile_loadd(3, c + 16 * ldc + 16, ldc * 4);
}

/* What comes nearer to the second cache while tiles are multiplied: `left` lines, `per` of them with each call; rows of `lines`, `stride` bytes apart. */
typedef struct dn_fetch { const char *at; int64_t stride, lines, line, left, per; } dn_fetch;

AMXINLINE void dn_amx_fetch(dn_fetch *f)
{
    for (int64_t n = dn_min(f->per, f->left); n > 0; n--, f->left--) {
        __builtin_prefetch(f->at + f->line * 64, 0, 2);
        if (++f->line == f->lines)
            f->line = 0, f->at += f->stride;
    }
}

AMXINLINE void dn_amx_steps(const int rt, const int ct, const void *pa, int64_t lda, const void *pb, int64_t ldb, int64_t apart, int64_t steps)
{
    const amx_unit *a = pa, *b = pb;
    __asm__ volatile("" ::: "memory");
    for (int64_t s = 0; s < steps; s++, a += 16, b += 16 * ldb) {
        _tile_loadd(6, b, ldb * 4);
        _tile_loadd(4, a, lda * 4);
        _tile_dpbf16ps(0, 4, 6);
        if (ct > 1) {
            _tile_loadd(7, b + apart, ldb * 4);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (rt > 1) {
            _tile_loadd(5, a + 16 * lda, lda * 4);
            _tile_dpbf16ps(2, 5, 6);
            if (ct > 1)
                _tile_dpbf16ps(3, 5, 7);
        }
    }
}

AMXINLINE void dn_amx_store(const int rt, const int ct, float *c, int64_t ldc)
{
    _tile_stored(0, c, ldc * 4);
    if (ct > 1)
        _tile_stored(1, c + 16, ldc * 4);
    if (rt > 1)
        _tile_stored(2, c + 16 * ldc, ldc * 4);
    if (rt > 1 && ct > 1)
        _tile_stored(3, c + 16 * ldc + 16, ldc * 4);
    __asm__ volatile("" ::: "memory");
}

/* 32 numbers of two rows side by side: 16 units in *lo, 16 in *hi. */
AMXINLINE void dn_amx_pair(__m512i a, __m512i b, __m512i *lo, __m512i *hi)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    *lo = _mm512_permutex2var_epi16(a, first, b);
    *hi = _mm512_permutex2var_epi16(a, _mm512_add_epi16(first, _mm512_set1_epi16(16)), b);
}

#endif
#endif
