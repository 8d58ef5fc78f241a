/* volumes: drawing by the channel, and the numbers several units draw alike. */
#include "augment/volumes.h"
#include <math.h>

const char *const gv_dummy_2d_names[] = { "never", "anisotropic", "always", NULL };

enum { ANISOTROPIC = 3 }; /* nnU-Net's ANISO_THRESHOLD */

int gv_augment_channels(gv_sample *x, double p, double p_channel, gv_channel_change *change, const void *params, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    int r = gv_sample_to_float(x, scratch, err); /* changed or not: a stream has one type */
    if (gv_rng_uniform(rng) >= p)
        return r;
    int64_t channels = x->shape[x->ndim - 1];
    for (int64_t c = 0; c < channels && r == GV_OK; c++) {
        gv_volume v;
        size_t mark = scratch->used;
        if (gv_rng_uniform(rng) >= p_channel)
            continue;
        if ((r = gv_volume_of(x, c, &v, scratch, err)) < 0 || (r = change(params, &v, rng, scratch, err)) < 0)
            return r;
        gv_volume_back(&v, x, c);
        if (channels > 1) /* its numbers are back in the sample */
            gv_arena_rewind(scratch, mark);
    }
    return r;
}

double gv_rng_balanced(gv_rng *rng, double lo, double hi)
{
    bool below = gv_rng_uniform(rng) < 0.5 && lo < 1;
    return below ? gv_rng_range(rng, lo, 1) : gv_rng_range(rng, lo > 1 ? lo : 1, hi);
}

void gv_draw_bump(const gv_volume *v, gv_rng *rng, gv_bump *b)
{
    for (int a = 0; a < GV_VOLUME_AXES; a++) {
        double n = (double)v->n[a], least = floor(n / 6) > 1 ? floor(n / 6) : 1;
        if (a < GV_VOLUME_AXES - v->axes)
            continue;
        b->centre[a] = gv_rng_range(rng, -0.5, 1.5) * n;
        b->scale[a] = exp(gv_rng_range(rng, log(least), log(n)));
    }
}

int gv_equal_axes(const gv_sample *x, int axis[GV_MAX_DIMS])
{
    int axes = x->ndim - 1, most = 1, n = 0, alike[GV_MAX_DIMS] = { 0 };
    for (int a = 0; a < axes; a++) {
        for (int b = 0; b < axes; b++)
            alike[a] += x->shape[a] == x->shape[b];
        most = alike[a] > most ? alike[a] : most;
    }
    for (int a = 0; a < axes && most > 1; a++)
        if (alike[a] == most)
            axis[n++] = a;
    return n;
}

void gv_quarter_turns(int axes, int quarters, int a, int b, int order[GV_MAX_DIMS], bool flip[GV_MAX_DIMS])
{
    for (int i = 0; i < axes; i++)
        order[i] = i;
    if (quarters & 1) {
        order[a] = b;
        order[b] = a;
    }
    flip[a] = quarters == 2 || quarters == 3;
    flip[b] = quarters == 1 || quarters == 2;
}

bool gv_dummy_2d(int when, int axes, const int64_t *side)
{
    int64_t longest = 0;
    for (int a = 0; a < axes; a++)
        longest = side[a] > longest ? side[a] : longest;
    return axes == 3 && (when == GV_DUMMY_2D_ALWAYS || (when == GV_DUMMY_2D_ANISOTROPIC && longest > ANISOTROPIC * side[0]));
}
