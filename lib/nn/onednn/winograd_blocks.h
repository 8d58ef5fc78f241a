/* The text of conv_winograd.c for one instruction set (vectors.h). */
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"
#include "nn/onednn/winograd.h"

#undef PANEL
#define PANEL (VL * TILE_VECTORS) /* output channels of u that lie together, or fewer in the last of them */

/* ---- weights ---- */

/* One axis of G g: [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1] */
#undef TURN_WEIGHT
#define TURN_WEIGHT(t0, t1, t2, t3, a, b, c)  \
    do {                                      \
        V s_ = (a) + (c);                     \
        t0 = a;                               \
        t1 = half * (s_ + (b));               \
        t2 = half * (s_ - (b));               \
        t3 = c;                               \
    } while (0)

/* u[16] of VL output channels from o and one input channel c. */
VFN VINLINE void F(turn_weights)(const struct job *j, int64_t o, int64_t c, V u[E])
{
    float g[9][VL];
    const V half = VSET(0.5f);
    for (int64_t i = 0; i < VL; i++) {
        int64_t at = ((o + i) * j->w_o + c * j->w_c) * 9;
        for (int t = 0; t < 9; t++) {
            int64_t from = at + (j->turned ? 8 - t : t);
            g[t][i] = j->w_is_bf16 ? gv_bf16_to_f32(((const uint16_t *)j->w)[from]) : ((const float *)j->w)[from];
        }
    }
    V t[4][3];
    VUNROLL for (int k = 0; k < 3; k++)
        TURN_WEIGHT(t[0][k], t[1][k], t[2][k], t[3][k], VLD(g[k]), VLD(g[3 + k]), VLD(g[6 + k]));
    VUNROLL for (int r = 0; r < 4; r++)
        TURN_WEIGHT(u[4 * r], u[4 * r + 1], u[4 * r + 2], u[4 * r + 3], t[r][0], t[r][1], t[r][2]);
}

/* Units of input channels [begin, end) for all output channels. */
VFN static void F(winograd_weights)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t c = begin; c < end; c++)
        for (int64_t o = 0; o < j->O; o += VL) {
            V u[PER][E];
            int64_t panel = o / PANEL * PANEL, wide = dn_min(PANEL, j->O - panel);
            for (int i = 0; i < PER; i++)
                F(turn_weights)(j, o, PER * c + i, u[i]);
            for (int e = 0; e < E; e++)
                F(put_units)(j->u + E * j->units * panel + (e * j->units + c) * wide + o - panel, u[0][e], u[PER - 1][e]);
        }
}

/* ---- tiles ---- */

/* Tiles [first, first + n): v[e][tile][C] */
VFN static void F(turn_input)(const struct job *j, int64_t first, int64_t n, T *v)
{
    struct tile at = tile_at(first, j->down, j->across);
    for (int64_t t = 0; t < n; t++, tile_next(&at, j->down, j->across)) {
        const T *pixel[E];
        bool whole = F(tile_pixels)(pixel, j->x, &at, j->pad, j->H, j->W, j->C);
        for (int64_t c = 0; c < j->C; c += VL) {
            V d[E];
            F(turn_pixels)(d, pixel, whole, c);
            VUNROLL for (int e = 0; e < E; e++)
                F(vput)(v + e * j->v_e + t * j->C + c, d[e]);
        }
    }
}

VFN VINLINE void F(put)(const struct job *j, V v, int64_t image, int64_t y, int64_t x, int64_t o, V bias)
{
    if (y >= j->OH || x >= j->OW)
        return;
    int64_t at = ((image * j->OH + y) * j->OW + x) * j->O + o;
    v = v + bias;
    if (j->more)
        v = v + F(vget)((const T *)j->more + at);
    if (j->relu)
        v = VMAX(VSET(0), v); /* NaN stays */
    F(vput)((T *)j->y + at, v);
}

/* Tiles [first, first + n), output channels [o, o + wide). A' = [1 1 1 0; 0 1 -1 -1] */
VFN static void F(turn_output)(const struct job *j, const float *m, int64_t first, int64_t n, int64_t o, int64_t wide)
{
    struct tile at = tile_at(first, j->down, j->across);
    for (int64_t t = 0; t < n; t++, tile_next(&at, j->down, j->across))
        for (int64_t k = 0; k < wide; k += VL) {
            V s[2][4], bias = j->bias32 ? VLD(j->bias32 + o + k) : j->bias ? F(vget)((const T *)j->bias + o + k) : VSET(0);
            VUNROLL for (int c = 0; c < 4; c++) {
                const float *p = m + t * CHUNK + k;
                V a = VLD(p + c * j->m_e), b = VLD(p + (4 + c) * j->m_e), d = VLD(p + (8 + c) * j->m_e), e = VLD(p + (12 + c) * j->m_e);
                s[0][c] = a + b + d;
                s[1][c] = b - d - e;
            }
            VUNROLL for (int r = 0; r < 2; r++) {
                F(put)(j, s[r][0] + s[r][1] + s[r][2], at.image, 2 * at.row + r, 2 * at.col, o + k, bias);
                F(put)(j, s[r][1] - s[r][2] - s[r][3], at.image, 2 * at.row + r, 2 * at.col + 1, o + k, bias);
            }
        }
}

/* ---- the whole ---- */

static void F(winograd_part)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t part = begin; part < end; part++) {
        T *v = (T *)(j->part + (size_t)part * j->part_bytes);
        float *m = (float *)((char *)v + v_bytes(j));
        for (int64_t b = j->blocks * part / j->parts; b < j->blocks * (part + 1) / j->parts; b++) {
            int64_t first = b * j->block, n = dn_min(j->block, j->tiles - first);
            F(turn_input)(j, first, n, v);
            for (int64_t o = 0; o < j->O; o += CHUNK) {
                int64_t wide = dn_min(CHUNK, j->O - o);
                for (int e = 0; e < E; e++)
                    for (int64_t k = 0; k < wide; k += PANEL) {
                        int64_t w = dn_min(PANEL, wide - k);
                        F(product)(n, w / VL, j->units, (const unit *)(v + e * j->v_e), j->units, 1, j->u + E * j->units * (o + k) + e * j->units * w, w, m + e * j->m_e + k, CHUNK, false);
                    }
                F(turn_output)(j, m, first, n, o, wide);
            }
        }
    }
}

static void F(winograd)(struct job *j)
{
    gv_parallel(j->units, dn_max(1, 1024 / j->O), F(winograd_weights), j);
    gv_parallel(j->parts, 1, F(winograd_part), j);
}
