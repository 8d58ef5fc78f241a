/* adapt_convnext: the names of ConvNeXt's own files, and of OpenCLIP's whose image tower is one, to timm's. Facts: checkpoint_filter_fn of
 * timm 1.0.31's convnext.py. */
#include "nn/models/adapt.h"
#include <string.h>

static bool has(const gv_load_tensor *t, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name))
            return true;
    return false;
}

/* What follows the prefix in name, or NULL. */
static const char *after(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) ? NULL : name + n;
}

/* The image tower and its projection; "" for the text tower and the rest. */
static const char *of_clip(const char *name, gv_arena *arena, gv_err *err)
{
    static const char *const heads[][2] = {
        { "visual.head.proj.", "head.fc." }, { "visual.head.mlp.fc1.", "head.pre_logits.fc." }, { "visual.head.mlp.fc2.", "head.fc." },
    };
    const char *rest = after(name, "visual.trunk.");
    if (rest)
        return rest;
    for (size_t i = 0; i < GV_COUNT(heads); i++)
        if ((rest = after(name, heads[i][0])))
            return gv_arena_printf(arena, err, "%s%s", heads[i][1], rest);
    return "";
}

/* "0.2.pwconv1.bias" to "stages.0.blocks.2.mlp.fc1.bias"; norm and gamma keep their last part. */
static const char *of_block(const char *name, gv_arena *arena, gv_err *err)
{
    int stage = (int)strcspn(name, ".");
    const char *block = name + stage + (name[stage] == '.'), *rest, *r;
    int len = (int)strcspn(block, ".");
    rest = block + len + (block[len] == '.');
    if ((r = after(rest, "dwconv.")))
        return gv_arena_printf(arena, err, "stages.%.*s.blocks.%.*s.conv_dw.%s", stage, name, len, block, r);
    if ((r = after(rest, "pwconv")))
        return gv_arena_printf(arena, err, "stages.%.*s.blocks.%.*s.mlp.fc%s", stage, name, len, block, r);
    if (!strcmp(rest, "grn.gamma") || !strcmp(rest, "grn.beta"))
        return gv_arena_printf(arena, err, "stages.%.*s.blocks.%.*s.mlp.grn.%s", stage, name, len, block, rest[4] == 'g' ? "weight" : "bias");
    return gv_arena_printf(arena, err, "stages.%.*s.blocks.%.*s.%s", stage, name, len, block, rest);
}

/* "" for the heads of a distillation (EUPE). */
static const char *of_original(const char *name, gv_arena *arena, gv_err *err)
{
    const char *r;
    if (after(name, "projectors.") || after(name, "norms."))
        return "";
    if ((r = after(name, "downsample_layers.0.")))
        return gv_arena_printf(arena, err, "stem.%s", r);
    if ((r = after(name, "downsample_layers.")))
        return gv_arena_printf(arena, err, "stages.%.1s.downsample%s", r, *r ? r + 1 : r);
    if ((r = after(name, "stages.")))
        return of_block(r, arena, err);
    if ((r = after(name, "head.")))
        return gv_arena_printf(arena, err, "head.fc.%s", r);
    if ((r = after(name, "norm.")))
        return gv_arena_printf(arena, err, "head.norm.%s", r);
    return name;
}

/* OpenCLIP projects without a bias: zeros stand for it. */
static int projection_bias(gv_load_tensor *o, size_t *k, gv_arena *arena, gv_err *err)
{
    for (size_t i = 0; i < *k; i++)
        if (!strcmp(o[i].name, "head.fc.weight") && !has(o, *k, "head.fc.bias")) {
            float *zeros = gv_arena_alloc(arena, (size_t)o[i].shape[0] * sizeof *zeros, err);
            if (!zeros)
                return GV_ESYS;
            memset(zeros, 0, (size_t)o[i].shape[0] * sizeof *zeros);
            o[(*k)++] = (gv_load_tensor){ "head.fc.bias", GV_F32T, 1, { o[i].shape[0] }, zeros };
            return GV_OK;
        }
    return GV_OK;
}

int gv_convert_convnext(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err)
{
    bool clip = has(t, n, "visual.trunk.stem.0.weight"), original = !clip && has(t, n, "downsample_layers.0.0.weight");
    *out = t;
    *m = n;
    if (!clip && !original)
        return GV_OK;
    gv_load_tensor *o = gv_arena_alloc(arena, (n + 1) * sizeof *o, err);
    size_t k = 0;
    if (!o)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++) {
        o[k] = t[i];
        o[k].name = clip ? of_clip(t[i].name, arena, err) : of_original(t[i].name, arena, err);
        if (!o[k].name)
            return GV_ESYS;
        if (strstr(t[i].name, ".grn.") && t[i].ndim > 1) /* [1,1,1,C] */
            o[k].ndim = 1, o[k].shape[0] = gv_shape_count(t[i].shape, t[i].ndim);
        k += *o[k].name != 0;
    }
    int r = clip ? projection_bias(o, &k, arena, err) : GV_OK;
    *out = o;
    *m = k;
    return r;
}
