/* spatial: the patch in the middle of a sample, turned by an angle an axis with chance p_rotation and scaled with chance p_scale, linear between
 * voxels, 0 outside. With neither it is cut out as it is (as float32 where a chance is above 0). A scale above 1 shrinks what is seen.
 * dummy_2d: the slices of a volume are turned and scaled in their plane alone; anisotropic: where the longest side of the patch is more than three
 * times the first.
 * Draws: rotation, scaling; where rotated, an angle an axis, then where p_axis is below 1 whether each is kept; where scaled, whether axes share
 * the scale, then it or one an axis.
 * Source: batchgeneratorsv2 transforms/spatial/spatial.py without elastic deformation; nnU-Net's ANISO_THRESHOLD (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct spatial { gv_ints size; double rotation, p_rotation, p_axis, scale_min, scale_max, p_scale, p_same; int dummy_2d; };

static const gv_field fields[] = {
    GV_INTS(struct spatial, size, "128", 1, GV_MAX_SIDE, "voxel", "the patch, a number an axis or one for all"),
    GV_F64(struct spatial, rotation, 0.5, 0, 7, "radian", "largest angle either way"),
    GV_F64(struct spatial, p_rotation, 0, 0, 1, "probability", "chance of turning"),
    GV_F64(struct spatial, p_axis, 1, 0, 1, "probability", "chance that an axis keeps its angle"),
    GV_F64(struct spatial, scale_min, 1, 0.01, 100, "", "smallest scale"),
    GV_F64(struct spatial, scale_max, 1, 0.01, 100, "", "largest scale"),
    GV_F64(struct spatial, p_scale, 0, 0, 1, "probability", "chance of scaling"),
    GV_F64(struct spatial, p_same, 1, 0, 1, "probability", "chance that all axes share the scale"),
    GV_ENUM(struct spatial, dummy_2d, GV_DUMMY_2D_NEVER, gv_dummy_2d_names, "turn and scale the slices of a volume in their plane alone"),
    GV_END
};

/* The matrix for `axes` axes; false where nothing was drawn that changes anything. */
static bool draw_matrix(const struct spatial *o, int axes, gv_rng *rng, double *m)
{
    double angle[GV_VOLUME_AXES] = { 0 }, scale[GV_VOLUME_AXES] = { 1, 1, 1 };
    bool turn = gv_rng_uniform(rng) < o->p_rotation, change = gv_rng_uniform(rng) < o->p_scale;
    for (int a = 0; a < axes && turn; a++)
        angle[a] = gv_rng_range(rng, -o->rotation, o->rotation);
    for (int a = 0; a < axes && turn && o->p_axis < 1; a++)
        angle[a] = gv_rng_uniform(rng) < o->p_axis ? angle[a] : 0;
    bool same = change && gv_rng_uniform(rng) < o->p_same;
    for (int a = 0; a < axes && change; a++)
        scale[a] = same && a ? scale[0] : gv_rng_range(rng, o->scale_min, o->scale_max);
    gv_affine_matrix(axes, angle, scale, m);
    return turn || change;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct spatial *o = params;
    int axes = x->ndim - 1;
    int64_t size[GV_VOLUME_AXES];
    double m[GV_VOLUME_AXES * GV_VOLUME_AXES];
    if (axes < 2 || axes > GV_VOLUME_AXES || (o->size.n != 1 && o->size.n != (size_t)axes))
        return gv_fail(err, GV_EDATA, "a patch of %zu sides is wanted of a sample of %d spatial axes; 2 or 3, and as many sides or one, are possible", o->size.n, axes);
    for (int a = 0; a < axes; a++)
        size[a] = o->size.v[o->size.n == 1 ? 0 : a];
    bool in_plane = gv_dummy_2d(o->dummy_2d, axes, size);
    if (!draw_matrix(o, in_plane ? 2 : axes, rng, m)) {
        int r = gv_sample_center(x, size, scratch, err);
        return r < 0 || (o->p_rotation <= 0 && o->p_scale <= 0) ? r : gv_sample_to_float(x, scratch, err); /* a stream has one type */
    }
    return gv_sample_affine(x, m, in_plane, size, scratch, err);
}

const gv_augment gv_augment_spatial = {
    .name = "spatial", .summary = "cut, turn and scale the patch in the middle",
    .fields = fields, .params_size = sizeof(struct spatial), .apply = apply,
};
