/* scan: choosing the format, gzip around it, and turning to the axes of the world. */
#include "formats/scan.h"
#include "formats/gzip.h"
#include <inttypes.h>
#include <math.h>

enum { HEADROOM = 64 << 20 }; /* headers and extensions beside the values */

/* ---- the nearest axes of the world ---- */

/* The inverse of the transpose; false for a matrix without one. */
static bool inverse_transpose(const double m[3][3], double out[3][3])
{
    double det = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
            out[i][j] = m[a][c] * m[b][d] - m[a][d] * m[b][c];
        }
    for (int j = 0; j < 3; j++)
        det += m[0][j] * out[0][j];
    for (int i = 0; i < 9; i++)
        out[i / 3][i % 3] /= det;
    return isfinite(1 / det) && fabs(det) > 1e-12;
}

/* The orthogonal matrix next to the directions of the columns of a (Higham 1986: the polar factor by Newton's iteration). */
static bool nearest_rotation(const gv_scan *v, double r[3][3])
{
    double next[3][3];
    for (int j = 0; j < 3; j++) {
        double norm = hypot(hypot(v->affine[0][j], v->affine[1][j]), v->affine[2][j]);
        for (int i = 0; i < 3; i++)
            r[i][j] = v->affine[i][j] / norm;
    }
    for (int k = 0; k < 60; k++) {
        if (!inverse_transpose((const double(*)[3])r, next))
            return false;
        for (int i = 0; i < 9; i++)
            r[i / 3][i % 3] = (r[i / 3][i % 3] + next[i / 3][i % 3]) / 2;
    }
    return true;
}

/* world[j]: the axis of the world that axis j of the array goes along most, each taken once, the clearest first; back[j]: against it.
 * Source of the rule: nibabel's io_orientation, as behaviour. */
static int orientation(const gv_scan *v, int world[3], bool back[3], gv_err *err)
{
    double r[3][3] = { { 0 } };
    bool taken[3] = { false }, done[3] = { false };
    if (!nearest_rotation(v, r))
        return gv_fail(err, GV_EDATA, "its axes cannot be turned to RAS: its affine matrix has no inverse");
    for (int n = 0; n < 3; n++) {
        int best = 0;
        double most = -1;
        for (int j = 2; j >= 0; j--) { /* x, y, z: in the file's order, for ties */
            double m = 0;
            for (int i = 0; i < 3; i++)
                m = fmax(m, fabs(r[i][j]));
            if (!done[j] && m > most + 1e-12) {
                most = m;
                best = j;
            }
        }
        int to = !taken[0] ? 0 : !taken[1] ? 1 : 2;
        for (int i = 0; i < 3; i++)
            if (!taken[i] && fabs(r[i][best]) > fabs(r[to][best]))
                to = i;
        done[best] = taken[to] = true;
        world[best] = to;
        back[best] = r[to][best] < 0;
    }
    return GV_OK;
}

/* Axis k of the array becomes what was axis order[k], mirrored where back says so. */
static int to_ras(gv_scan *v, gv_arena *arena, gv_err *err)
{
    int world[3], order[3];
    bool back[3], flip[3];
    gv_scan old = *v;
    int r = orientation(v, world, back, err);
    if (r < 0)
        return r;
    for (int j = 0; j < 3; j++)
        order[2 - world[j]] = j; /* W right, H anterior, D superior */
    for (int k = 0; k < 3; k++)
        flip[k] = back[order[k]];
    if ((r = gv_sample_turn(&v->x, order, flip, arena, err)) < 0)
        return r;
    for (int k = 0; k < 3; k++) {
        int j = order[k];
        v->spacing[k] = old.spacing[j];
        for (int i = 0; i < 3; i++) {
            v->affine[i][k] = flip[k] ? -old.affine[i][j] : old.affine[i][j];
            if (flip[k])
                v->affine[i][3] += old.affine[i][j] * (double)(old.x.shape[j] - 1);
        }
    }
    return GV_OK;
}

/* ---- decoding ---- */

int gv_scan_decode(gv_bytes b, const gv_scan_options *given, gv_scan *out, gv_arena *arena, gv_err *err)
{
    gv_scan_options o = given ? *given : (gv_scan_options){ 0 };
    gv_scan v = { .spacing = { 1, 1, 1 }, .affine = { { 0, 0, 1, 0 }, { 0, 1, 0, 0 }, { 1, 0, 0, 0 } } };
    uint8_t *inflated = NULL;
    int r = GV_OK;
    if (!o.max_output)
        o.max_output = GV_MAX_OUTPUT;
    if (!o.max_input)
        o.max_input = o.max_output + HEADROOM;
    if (gv_is_gzip(b.p, b.n)) {
        if ((r = gv_gunzip(b.p, b.n, o.max_input, &inflated, &b.n, err)) < 0)
            return r;
        b.p = inflated;
    }
    const gv_format *f = gv_format_sniff(b.p, b.n);
    if (!f)
        r = gv_fail(err, GV_EDATA, "the first bytes are those of no known format of volumes (nifti, tiff, npy, hdf5, b2nd)");
    else if (!f->volume)
        r = gv_fail(err, GV_EDATA, "a %s file holds an image, not a volume", f->name);
    else
        r = f->volume(b.p, b.n, &o, &v, arena, err);
    gv_free(inflated);
    v.format = f ? f->name : NULL;
    if (r == GV_OK && o.ras && !v.turned)
        r = gv_fail(err, GV_EDATA, "its axes cannot be turned to RAS: the file does not say how they lie (orientation as_stored)");
    else if (r == GV_OK && o.ras)
        r = to_ras(&v, arena, err);
    if (r == GV_OK)
        *out = v;
    return r;
}
