/* jpeg_baseline: the entropy-coded blocks of a scan, and the whole of decoding.
 * Source: ITU-T T.81, annex F; looking up a code with its value: as in many decoders since. */
#include "formats/jpeg_baseline.h"

static bool enabled = true;

void gv_jpeg_baseline_enable(bool on)
{
    enabled = on;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define FAST __attribute__((target("avx2,bmi,bmi2")))
#define INLINE static inline __attribute__((always_inline))

/* The next bits stand highest; n of them are sure, behind them there are more of the same bytes. */
struct bits { uint64_t word; int n; const uint8_t *p, *end; };

enum { BEHIND = 4096 }; /* zeros behind the bytes: more than a group of blocks can take, so that the end is looked for once a group */

/* At least 56 bits. */
#define REFILL(b) \
    do { \
        uint64_t w_; \
        memcpy(&w_, (b).p, 8); \
        (b).word |= __builtin_bswap64(w_) >> (b).n; \
        (b).p += (63 - (b).n) >> 3; \
        (b).n |= 56; \
    } while (0)

/* Up to the next marker, without the zero behind each 0xff; *from moves to the marker. */
FAST static size_t unstuff(const uint8_t **from, const uint8_t *end, uint8_t *to)
{
    const uint8_t *p = *from;
    uint8_t *q = to;
    const __m256i ones = _mm256_set1_epi8(-1);
    for (;;) {
        while (end - p >= 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
            uint32_t found = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, ones));
            _mm256_storeu_si256((__m256i *)(void *)q, v);
            int n = found ? __builtin_ctz(found) : 32;
            p += n;
            q += n;
            if (found)
                break;
        }
        if (p == end)
            break;
        if (*p == 0xff && (end - p < 2 || p[1])) /* a marker */
            break;
        *q++ = *p;
        p += *p == 0xff ? 2 : 1;
    }
    *from = p;
    return (size_t)(q - to);
}

#define DROP(b, k) ((b).word <<= (k), (b).n -= (int)(k))

/* A code too long for a look: its symbol, or -1. */
static int long_code(const gv_jpeg_codes *t, uint64_t word, int *length)
{
    uint32_t v = (uint32_t)(word >> 48);
    int i = GV_JPEG_LOOK + 1;
    while (i <= 16 && v >= t->first[i])
        i++;
    *length = i;
    return i > 16 ? -1 : t->symbol[(t->offset[i] + (int)(v >> (16 - i))) & 255];
}

INLINE int extended(uint64_t word, int size)
{
    int v = (int)(word >> (64 - size));
    return v < 1 << (size - 1) ? v - (1 << size) + 1 : v;
}

/* What a look did not give: *e as if it had. 0 for no code. */
#define REST(b, t, e, class) \
    if ((e & 0x80) || !(e & 0xff)) { \
        int size_, step_; \
        if (e & 0x80) { \
            DROP(b, e & 0x1f); \
            size_ = (int)(e >> 16); \
            step_ = (int)(e >> 8 & 0xff); \
        } else { \
            int length_, symbol_ = long_code(t, (b).word, &length_); \
            if (symbol_ < 0) \
                return 0; \
            DROP(b, length_); \
            size_ = symbol_ & 15; \
            step_ = !(class) ? 0 : !size_ && symbol_ != 0xf0 ? 128 : (symbol_ >> 4) + 1; \
        } \
        int v_ = size_ ? extended((b).word, size_) : 0; \
        DROP(b, size_); \
        e = (uint32_t)v_ << 16 | (uint32_t)step_ << 8; \
    } else \
        DROP(b, e & 0x1f)

/* Places in the order of the file; behind them one for what is not kept. */
static const uint8_t place[256] = {
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    [64 ... 255] = 64,
};

enum { BLOCK = 80 }; /* coefficients, and the place behind them */

#define LOOK(t, b) ((t)->look[(b).word >> (64 - GV_JPEG_LOOK)])

/* One block; its coefficients into `to` where `keep`. Returns 0 from the caller for what is no block. b is full before and after.
 * Two codes of a look and the block's end are taken together, without asking how many there are: what is missing adds 0.
 * Near the block's last place they could be the next block's, so there codes are taken one by one. The next look is begun before
 * the bits are filled up again, so that it does not wait for them. */
#define ONE_BLOCK(b, dc, ac, last, keep, to) \
    do { \
        uint32_t e = LOOK(dc, b), k = 0, at; \
        REST(b, dc, e, 0); \
        uint64_t next = (b).word >> (64 - GV_JPEG_LOOK); \
        REFILL(b); \
        (last) += (int16_t)(e >> 16); \
        if (keep) \
            (to)[0] = (int16_t)(last); \
        for (;;) { \
            uint32_t two = (ac)->two[next], first = k + (two >> 5 & 31), second = first + (two >> 10 & 31); \
            at = second + (two & 16) * 8; \
            if (__builtin_expect(!(two & 15) || second >= 63, 0)) { \
                e = LOOK(ac, b); \
                REST(b, ac, e, 1); \
                at = k += e >> 8 & 0xff; \
                if (keep) \
                    (to)[place[k]] = (int16_t)(e >> 16); \
                next = (b).word >> (64 - GV_JPEG_LOOK); \
                REFILL(b); \
                if (at >= 63) \
                    break; \
                continue; \
            } \
            DROP(b, two & 15); \
            next = (b).word >> (64 - GV_JPEG_LOOK); \
            REFILL(b); \
            if (keep) { \
                (to)[place[first]] += (int8_t)(two >> 16); \
                (to)[place[second]] += (int8_t)(two >> 24); \
            } \
            if (at >= 63) \
                break; \
            k = at; \
        } \
        if (at > 63 && at < 128) \
            return 0; \
    } while (0)

/* The bits up to the next marker. */
static void begin(struct bits *b, const uint8_t **from, const uint8_t *end, uint8_t *space)
{
    size_t n = unstuff(from, end, space);
    memset(space + n, 0, BEHIND);
    *b = (struct bits){ .p = space, .end = space + n };
    REFILL(*b);
}

/* Bits that are left of those there are; below 0: some were made up. */
static int64_t left_over(const struct bits *b)
{
    return 8 * (b->end - b->p) + b->n;
}

static int restart(struct bits *b, const uint8_t **from, const uint8_t *end, uint8_t *space, int number)
{
    const uint8_t *p = *from;
    if (left_over(b) < 0 || left_over(b) >= 8)
        return 0;
    while (end - p >= 2 && p[0] == 0xff && p[1] == 0xff)
        p++;
    if (end - p < 2 || p[0] != 0xff || p[1] != 0xd0 + number)
        return 0;
    *from = p + 2;
    begin(b, from, end, space);
    return 1;
}

/* The blocks of one group: component, and place in the group. */
struct member { int k, x, y; };

FAST static void pixels(const gv_jpeg *j, const struct member *m, int n, int16_t (*c)[BLOCK], int64_t gx, int64_t gy)
{
    for (int i = 0; i < n; i += 2) {
        const gv_jpeg_plane *p[2];
        uint8_t *to[2];
        for (int s = 0; s < 2; s++) {
            const struct member *q = &m[i + s < n ? i + s : i];
            p[s] = &j->plane[q->k];
            to[s] = p[s]->data + ((gy - j->y0) * p[s]->v + q->y) * 8 * p[s]->stride + ((gx - j->x0) * p[s]->h + q->x) * 8;
        }
        gv_jpeg_idct2(c[i], j->quant[p[0]->table], to[0], p[0]->stride, c[i + 1 < n ? i + 1 : i], j->quant[p[1]->table], to[1], p[1]->stride);
    }
}

FAST int gv_jpeg_blocks(gv_jpeg *j, uint8_t *space)
{
    _Alignas(64) int16_t c[6][BLOCK];
    struct member m[6];
    int n = 0, last[3] = { 0 }, number = 0;
    for (int k = 0; k < j->n; k++)
        for (int y = 0; y < j->plane[k].v; y++)
            for (int x = 0; x < j->plane[k].h; x++)
                m[n++] = (struct member){ k, x, y };
    const uint8_t *from = j->data;
    struct bits b;
    begin(&b, &from, j->end, space);
    int64_t wide = (j->width + 8 * j->h_max - 1) / (8 * j->h_max), left = j->interval;
    for (int64_t gy = 0; gy < j->y1; gy++) {
        for (int64_t gx = 0; gx < wide; gx++) {
            if (j->interval && !left--) {
                if (!restart(&b, &from, j->end, space, number))
                    return 0;
                number = (number + 1) & 7;
                memset(last, 0, sizeof last);
                left = j->interval - 1;
            }
            if (gy == j->y1 - 1 && gx >= j->x1) /* nothing behind it is wanted */
                break;
            if (left_over(&b) < 0) /* more was read than there is */
                return 0;
            if (gy < j->y0 || gx < j->x0 || gx >= j->x1) {
                for (int i = 0; i < n; i++) {
                    const gv_jpeg_plane *p = &j->plane[m[i].k];
                    const gv_jpeg_codes *dc = j->codes[0][p->dc], *ac = j->codes[1][p->ac];
                    ONE_BLOCK(b, dc, ac, last[m[i].k], 0, c[i]);
                }
                continue;
            }
            memset(c, 0, (size_t)n * sizeof *c);
            for (int i = 0; i < n; i++) {
                const gv_jpeg_plane *p = &j->plane[m[i].k];
                const gv_jpeg_codes *dc = j->codes[0][p->dc], *ac = j->codes[1][p->ac];
                ONE_BLOCK(b, dc, ac, last[m[i].k], 1, c[i]);
            }
            pixels(j, m, n, c, gx, gy);
        }
        if (left_over(&b) < 0)
            return 0;
        for (int k = 0; k < 3; k++) /* a row adds less than 2^30 */
            if (last[k] > 1 << 29 || last[k] < -(1 << 29))
                return 0;
    }
    return 1;
}

/* Groups of blocks that the region needs, its neighbours for upsampling included. */
static void groups(gv_jpeg *j, const gv_region *g)
{
    int64_t gw = 8 * j->h_max, gh = 8 * j->v_max, mx = j->h_max > 1 ? 2 : 0, my = j->v_max > 1 ? 2 : 0;
    int64_t x0 = g->x - mx, y0 = g->y - my, x1 = g->x + g->w + mx, y1 = g->y + g->h + my;
    j->x0 = (x0 < 0 ? 0 : x0) / gw;
    j->y0 = (y0 < 0 ? 0 : y0) / gh;
    j->x1 = ((x1 > j->width ? j->width : x1) + gw - 1) / gw;
    j->y1 = ((y1 > j->height ? j->height : y1) + gh - 1) / gh;
}

static int planes(gv_jpeg *j, gv_arena *arena, gv_err *err)
{
    for (int k = 0; k < j->n; k++) {
        gv_jpeg_plane *p = &j->plane[k];
        p->x = j->x0 * 8 * p->h;
        p->y = j->y0 * 8 * p->v;
        p->stride = (j->x1 - j->x0) * 8 * p->h;
        p->data = gv_arena_alloc_dirty(arena, (size_t)(p->stride * (j->y1 - j->y0) * 8 * p->v) + 64, err);
        if (!p->data)
            return GV_ESYS;
    }
    return GV_OK;
}

int gv_jpeg_baseline(const uint8_t *p, size_t n, const gv_region *part, gv_sample *out, gv_arena *arena, gv_err *err)
{
    gv_jpeg j = { 0 };
    gv_sample x;
    if (!enabled || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") || !gv_jpeg_headers(&j, p, n) || !gv_jpeg_has_end(j.data, (size_t)(j.end - j.data)))
        return 0;
    gv_region all = { 0, 0, j.height, j.width };
    const gv_region *g = part ? part : &all;
    groups(&j, g);
    size_t before = arena->used;
    int r = gv_sample_init(&x, GV_U8, 3, (int64_t[]){ g->h, g->w, j.n }, arena, err);
    if (r < 0)
        return r;
    size_t mark = arena->used;
    uint8_t *space = planes(&j, arena, err) == GV_OK ? gv_arena_alloc_dirty(arena, 4 * (size_t)(g->w + 64), err) : NULL;
    if (!space)
        return GV_ESYS;
    uint8_t *bytes = gv_arena_alloc_dirty(arena, (size_t)(j.end - j.data) + BEHIND + 32, err);
    if (!bytes)
        return GV_ESYS;
    if (!gv_jpeg_blocks(&j, bytes)) {
        gv_arena_rewind(arena, before);
        return 0;
    }
    gv_jpeg_colours(&j, g, x.data, space);
    gv_arena_rewind(arena, mark);
    *out = x;
    return 1;
}

#else

int gv_jpeg_baseline(const uint8_t *p, size_t n, const gv_region *part, gv_sample *out, gv_arena *arena, gv_err *err)
{
    (void)p;
    (void)n;
    (void)part;
    (void)out;
    (void)arena;
    (void)err;
    return 0;
}

#endif
