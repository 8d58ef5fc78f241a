/* turn: exchange and mirror the spatial axes of a volume. */
#include "sample/sample.h"

int gv_sample_turn(gv_sample *x, const int order[3], const bool flip[3], gv_arena *arena, gv_err *err)
{
    gv_sample y;
    int64_t shape[4], stride[3] = { 0, 0, 0 };
    if (x->ndim != 4)
        return gv_fail(err, GV_EDATA, "turning axes takes a volume [D,H,W,C], not a sample of %d axes", x->ndim);
    bool same = true;
    for (int k = 0; k < 3; k++)
        same &= order[k] == k && !flip[k];
    if (same)
        return GV_OK;
    size_t voxel = (size_t)x->shape[3] * gv_dtype_of(x->dtype)->size;
    const int64_t of[3] = { x->shape[1] * x->shape[2], x->shape[2], 1 };
    const uint8_t *from = x->data;
    for (int k = 0; k < 3; k++) {
        shape[k] = x->shape[order[k]];
        stride[k] = flip[k] ? -of[order[k]] : of[order[k]];
        if (flip[k])
            from += (size_t)(of[order[k]] * (shape[k] - 1)) * voxel;
    }
    shape[3] = x->shape[3];
    int r = gv_sample_init(&y, x->dtype, 4, shape, arena, err);
    if (r < 0)
        return r;
    uint8_t *to = y.data;
    for (int64_t d = 0; d < shape[0]; d++)
        for (int64_t h = 0; h < shape[1]; h++) {
            const uint8_t *p = from + (d * stride[0] + h * stride[1]) * (int64_t)voxel;
            int64_t step = stride[2] * (int64_t)voxel;
            if (step == (int64_t)voxel)
                memcpy(to, p, (size_t)shape[2] * voxel);
            else
                for (int64_t w = 0; w < shape[2]; w++, p += step)
                    memcpy(to + (size_t)w * voxel, p, voxel);
            to += (size_t)shape[2] * voxel;
        }
    *x = y;
    return GV_OK;
}
