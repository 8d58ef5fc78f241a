/* The text of wgrad_winograd.c for one instruction set (vectors.h). */
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"
#include "nn/onednn/winograd.h"

#undef PANEL
#define PANEL (VL * TILE_VECTORS) /* channels of v that lie together, or fewer in the last of them */

/* ---- tiles ---- */

/* z[16] = A dy A' of the channels [o, o + VL); A = [1 0; 1 1; 1 -1; 0 -1] */
VFN VINLINE void F(turn_dy)(V z[E], const T *const pixel[4], int64_t o)
{
    V d[4], s[4][2];
    VUNROLL for (int i = 0; i < 4; i++)
        d[i] = pixel[i] ? F(vget)(pixel[i] + o) : VSET(0);
    VUNROLL for (int k = 0; k < 2; k++) {
        s[0][k] = d[k];
        s[1][k] = d[k] + d[2 + k];
        s[2][k] = d[k] - d[2 + k];
        s[3][k] = -d[2 + k];
    }
    VUNROLL for (int r = 0; r < 4; r++) {
        z[4 * r] = s[r][0];
        z[4 * r + 1] = s[r][0] + s[r][1];
        z[4 * r + 2] = s[r][0] - s[r][1];
        z[4 * r + 3] = -s[r][1];
    }
}

static void F(dy_pixels)(const T *pixel[4], const struct job *j, const struct tile *t)
{
    for (int i = 0; i < 4; i++) {
        int64_t y = 2 * t->row + i / 2, k = 2 * t->col + i % 2;
        pixel[i] = y < j->OH && k < j->OW ? (const T *)j->dy + ((t->image * j->OH + y) * j->OW + k) * j->O : NULL;
    }
}

/* Units [begin, end) of the block: PER tiles each; those that are not there get zeros. */
VFN static void F(winograd_turn)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    struct tile at = tile_at(j->first + PER * begin, j->down, j->across);
    for (int64_t u = begin; u < end; u++) {
        const T *x[PER][E] = { { NULL } }, *dy[PER][4] = { { NULL } };
        bool whole[PER] = { false };
        for (int i = 0; i < PER && PER * u + i < j->n; i++, tile_next(&at, j->down, j->across)) {
            whole[i] = F(tile_pixels)(x[i], j->x, &at, j->pad, j->H, j->W, j->C);
            F(dy_pixels)(dy[i], j, &at);
        }
        for (int64_t c = 0; c < j->C; c += VL) {
            V d[PER][E];
            int64_t panel = c / PANEL * PANEL, wide = dn_min(PANEL, j->C - panel);
            unit *to = j->v + panel * j->room + u * wide + c - panel;
            for (int i = 0; i < PER; i++)
                F(turn_pixels)(d[i], x[i], whole[i], c);
            VUNROLL for (int e = 0; e < E; e++)
                F(put_units)(to + e * j->v_e, d[0][e], d[PER - 1][e]);
        }
        for (int64_t o = 0; o < j->O; o += VL) {
            V d[PER][E];
            unit *to = j->z + (o / LANES * j->room + u) * LANES + o % LANES;
            for (int i = 0; i < PER; i++)
                F(turn_dy)(d[i], dy[i], o);
            VUNROLL for (int e = 0; e < E; e++)
                F(put_units)(to + e * j->z_e, d[0][e], d[PER - 1][e]);
        }
    }
}

/* ---- products ---- */

/* Pieces [begin, end): piece i is element i / cuts and that part of the output channels. */
static void F(winograd_products)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t i = begin; i < end; i++) {
        int64_t e = i / j->cuts, part = i % j->cuts, all = j->O / LANES;
        const unit *v = j->v + e * j->v_e, *z = j->z + e * j->z_e;
        for (int64_t c = 0; c < j->C; c += PANEL) {
            int64_t wide = dn_min(PANEL, j->C - c);
            for (int64_t o = all * part / j->cuts * LANES; o < all * (part + 1) / j->cuts * LANES; o += LANES)
                F(product)(LANES, wide / VL, j->units, z + o * j->room, 1, LANES, v + c * j->room, wide, j->s + (e * j->O + o) * j->C + c, j->C, true);
        }
    }
}

/* ---- weights ---- */

/* One axis of G' s: [1 1/2 1/2 0; 0 1/2 -1/2 0; 0 1/2 1/2 1] */
#undef TURN_SUMS
#define TURN_SUMS(t0, t1, t2, a, b, c, d) \
    do {                                  \
        V p_ = half * ((b) + (c));        \
        t0 = (a) + p_;                    \
        t1 = half * ((b) - (c));          \
        t2 = p_ + (d);                    \
    } while (0)

VFN static void F(winograd_collect)(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    const V half = VSET(0.5f);
    for (int64_t o = begin; o < end; o++)
        for (int64_t c = 0; c < j->C; c += VL) {
            V s[E], t[3][4];
            float g[9][VL];
            for (int e = 0; e < E; e++)
                s[e] = VLD(j->s + (e * j->O + o) * j->C + c);
            for (int k = 0; k < 4; k++)
                TURN_SUMS(t[0][k], t[1][k], t[2][k], s[k], s[4 + k], s[8 + k], s[12 + k]);
            for (int r = 0; r < 3; r++) {
                V w[3];
                TURN_SUMS(w[0], w[1], w[2], t[r][0], t[r][1], t[r][2], t[r][3]);
                for (int k = 0; k < 3; k++)
                    VST(g[3 * r + k], w[k]);
            }
            float *to = j->dw + (o * j->C + c) * 9;
            for (int i = 0; i < VL; i++)
                for (int k = 0; k < 9; k++)
                    to[9 * i + k] = g[k][i];
        }
}

/* ---- the whole ---- */

static void F(winograd)(struct job *j)
{
    memset(j->s, 0, s_bytes(j));
    for (j->first = 0; j->first < j->tiles; j->first += PER * j->room) {
        j->n = dn_min(PER * j->room, j->tiles - j->first);
        j->units = dn_ceil_div(j->n, PER);
        gv_parallel(j->units, 8, F(winograd_turn), j);
        gv_parallel(16 * j->cuts, 1, F(winograd_products), j);
    }
    gv_parallel(j->O, dn_max(1, 4096 / j->C), F(winograd_collect), j);
}
