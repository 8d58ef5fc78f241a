/* swin3d: transformers with attention inside shifted windows of a clip, with torchvision's names. clips [N,T,H,W,C] -> map [N,T/2,H/32,W/32,8*width].
 *
 *   patch_embed  2x4x4 patches and a norm
 *   features.2i  blocks: x += attn(norm1 x) in windows of 8x7x7 patches, shifted by half of one in every second block; x += mlp(norm2 x)
 *   features.1, .3, .5   four neighbours become one of twice the width
 *   norm
 *
 * Sides that do not divide are filled up with zeros, as torchvision does; a window is no larger than the clip, and then it is not shifted along that axis.
 * swin3d_t has 28,158,070 parameters with its classifier `head` of 400 classes, swin3d_s 49,816,678, swin3d_b 88,048,984. Named intermediates: features.0,
 * features.2, features.4, features.6. Initialised as torchvision does: linear weights normal with deviation 0.02 cut at 2, biases 0.
 * Sources: Liu et al. 2021 arXiv:2106.13230. Names, widths: torchvision 0.29, models/video/swin_transformer.py. */
#include "nn/models/video.h"
#include "nn/ops/op.h"
#include <math.h>

typedef struct variant { const char *name; int64_t width; int depth[4]; int64_t heads; /* of the first stage */ } variant;
static const variant variants[] = {
    { "swin3d_t", 96, { 2, 2, 6, 2 }, 3 },
    { "swin3d_s", 96, { 2, 2, 18, 2 }, 3 },
    { "swin3d_b", 128, { 2, 2, 18, 2 }, 4 },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/swin3d_table.inc"
};

enum { FRAMES = 8, SIDE = 7, VOLUME = FRAMES * SIDE * SIDE };
static const int64_t full[3] = { FRAMES, SIDE, SIDE };

/* How a stage is cut into windows; index and mask are made once for all of its blocks. */
typedef struct cut {
    int64_t size[3], window[3], shift[3], padded[3], count, volume; /* count: windows of a sample */
    bool shifts;
    gv_val index, mask; /* I32 [1,L*L], rows of the table of biases; [1,count,1,L,L], 0 or -100 */
} cut;

#define linear(g, x, name, width) gv_linear(g, x, name, .out = (width), .bias = true, .init = "trunc_normal 0.02", .bias_init = "zeros")

static double *room(gv_graph *g, int64_t n)
{
    gv_err err = { 0 };
    double *v = gv_graph_error(g) ? NULL : gv_arena_alloc(gv_graph_arena(g), (size_t)n * sizeof *v, &err);
    if (!v)
        gv_graph_fail(g, "%s", err.text);
    return v;
}

/* Rows of the table for each pair of places in a window. A smaller window takes the first places of the full one, as they are numbered there. */
static gv_val index_of(gv_graph *g, int64_t volume)
{
    double *v = room(g, volume * volume);
    for (int64_t i = 0; v && i < volume; i++)
        for (int64_t j = 0; j < volume; j++) {
            int64_t d = i / (SIDE * SIDE) - j / (SIDE * SIDE) + FRAMES - 1, h = i / SIDE % SIDE - j / SIDE % SIDE + SIDE - 1, w = i % SIDE - j % SIDE + SIDE - 1;
            v[i * volume + j] = (double)((d * (2 * SIDE - 1) + h) * (2 * SIDE - 1) + w);
        }
    return v ? gv_table(g, v, GV_CLASS_I32, (int64_t[]){ 1, volume * volume }, 2) : GV_NO_VAL;
}

/* -100 between places that stand side by side through the shift alone: those of different regions of the clip. */
static gv_val mask_of(gv_graph *g, const cut *c)
{
    double *id = room(g, c->count * c->volume);
    int64_t at = 0, n[3], p[3], q[3];
    if (!id)
        return GV_NO_VAL;
    for (int i = 0; i < 3; i++)
        n[i] = c->padded[i] / c->window[i];
    for (int64_t w = 0; w < c->count; w++)
        for (int64_t k = 0; k < c->volume; k++) {
            int64_t region = 0;
            p[0] = w / (n[1] * n[2]), p[1] = w / n[2] % n[1], p[2] = w % n[2];
            q[0] = k / (c->window[1] * c->window[2]), q[1] = k / c->window[2] % c->window[1], q[2] = k % c->window[2];
            for (int i = 0; i < 3; i++) {
                int64_t pos = p[i] * c->window[i] + q[i], end = c->padded[i];
                region = region * 3 + (!c->shift[i] ? 0 : pos < end - c->window[i] ? 0 : pos < end - c->shift[i] ? 1 : 2);
            }
            id[at++] = (double)region;
        }
    gv_val a = gv_table(g, id, GV_CLASS_REAL, (int64_t[]){ c->count, c->volume, 1 }, 3);
    gv_val d = gv_unary(g, GV_SQUARE, gv_sub(g, a, gv_reshape(g, a, (int64_t[]){ c->count, 1, c->volume }, 3)));
    d = gv_unary(g, GV_HARD_SIGMOID, gv_affine(g, d, 6, -3)); /* 0 stays, 1 and more become 1 */
    return gv_reshape(g, gv_affine(g, d, -100, 0), (int64_t[]){ 1, c->count, 1, c->volume, c->volume }, 5);
}

static cut cut_of(gv_graph *g, gv_val x, int depth)
{
    cut c = { .count = 1, .volume = 1, .index = GV_NO_VAL, .mask = GV_NO_VAL };
    for (int i = 0; i < 3 && !gv_graph_error(g); i++) {
        int64_t s = c.size[i] = gv_dim(g, x, 1 + i);
        c.window[i] = s <= full[i] ? s : full[i];
        c.shift[i] = s <= full[i] ? 0 : full[i] / 2;
        c.padded[i] = (s + c.window[i] - 1) / c.window[i] * c.window[i];
        c.count *= c.padded[i] / c.window[i];
        c.volume *= c.window[i];
        c.shifts |= c.shift[i] > 0;
    }
    c.index = index_of(g, c.volume);
    if (c.shifts && depth > 1)
        c.mask = mask_of(g, &c);
    return c;
}

/* Places move by `by` towards the front, and around. */
static gv_val rolled(gv_graph *g, gv_val x, int axis, int64_t by)
{
    if (gv_graph_error(g) || !by)
        return x;
    int64_t n = gv_dim(g, x, axis);
    gv_val both[2] = { gv_slice(g, x, axis, by, n - by), gv_slice(g, x, axis, 0, by) };
    return gv_concat(g, both, 2, axis);
}

/* [N,t,h,w,C] -> [N*count,volume,C], and back. */
static gv_val windows(gv_graph *g, gv_val x, const cut *c, bool back)
{
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t width = gv_dim(g, x, -1), n = back ? gv_dim(g, x, 0) / c->count : gv_dim(g, x, 0);
    const int64_t *w = c->window, m[3] = { c->padded[0] / w[0], c->padded[1] / w[1], c->padded[2] / w[2] };
    if (!back) {
        x = gv_reshape(g, x, (int64_t[]){ n, m[0], w[0], m[1], w[1], m[2], w[2], width }, 8);
        x = gv_permute(g, x, (int[]){ 0, 1, 3, 5, 2, 4, 6, 7 });
        return gv_reshape(g, x, (int64_t[]){ n * c->count, c->volume, width }, 3);
    }
    x = gv_reshape(g, x, (int64_t[]){ n, m[0], m[1], m[2], w[0], w[1], w[2], width }, 8);
    x = gv_permute(g, x, (int[]){ 0, 1, 4, 2, 5, 3, 6, 7 });
    return gv_reshape(g, x, (int64_t[]){ n, c->padded[0], c->padded[1], c->padded[2], width }, 5);
}

/* The bias of each pair of places [1,H,L,L]. */
static gv_val bias(gv_graph *g, const cut *c, int64_t heads)
{
    const int64_t rows = (2 * FRAMES - 1) * (2 * SIDE - 1) * (2 * SIDE - 1), index[2] = { VOLUME, VOLUME };
    gv_val t = gv_param(g, "relative_position_bias_table", (int64_t[]){ rows, heads }, 2, "trunc_normal 0.02");
    gv_buffer(g, "relative_position_index", index, 2, "window_index 8 7", GV_CLASS_I64); /* published with the weights */
    t = gv_gather(g, gv_reshape(g, t, (int64_t[]){ 1, rows, heads }, 3), c->index); /* [1,L*L,H] */
    t = gv_permute(g, t, (int[]){ 0, 2, 1 });
    return gv_reshape(g, t, (int64_t[]){ 1, heads, c->volume, c->volume }, 4);
}

/* Inside the windows: x [M,L,C] -> same, M = N*count. */
static gv_val attended(gv_graph *g, const gv_model_options *o, gv_val x, const cut *c, int64_t heads, bool shift)
{
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t m = gv_dim(g, x, 0), l = c->volume, d = gv_dim(g, x, 2), hd = d / heads;
    gv_val p[3], qkv = gv_reshape(g, linear(g, x, "qkv", 3 * d), (int64_t[]){ m, l, 3, heads, hd }, 5);
    qkv = gv_permute(g, qkv, (int[]){ 2, 0, 3, 1, 4 }); /* [3,M,H,L,d] */
    for (int i = 0; i < 3; i++)
        p[i] = gv_reshape(g, gv_slice(g, qkv, 0, i, 1), (int64_t[]){ m, heads, l, hd }, 4);
    gv_val a = gv_matmul(g, p[0], p[1], GV_NO_VAL, false, true, 1 / sqrt((double)hd));
    a = gv_add(g, a, bias(g, c, heads)); /* [M,H,L,L] */
    if (shift) {
        a = gv_add(g, gv_reshape(g, a, (int64_t[]){ m / c->count, c->count, heads, l, l }, 5), c->mask);
        a = gv_reshape(g, a, (int64_t[]){ m, heads, l, l }, 4);
    }
    a = gv_softmax(g, a);
    a = o->attn_drop_rate > 0 ? gv_dropout(g, a, o->attn_drop_rate, false) : a;
    a = gv_permute(g, gv_matmul(g, a, p[2], GV_NO_VAL, false, false, 1), (int[]){ 0, 2, 1, 3 });
    return linear(g, gv_reshape(g, a, (int64_t[]){ m, l, d }, 3), "proj", d);
}

static gv_val attention(gv_graph *g, const gv_model_options *o, gv_val x, const cut *c, int64_t heads, bool shift)
{
    gv_mark(g, "attention");
    for (int i = 0; i < 3; i++)
        x = rolled(g, gv_pad(g, x, 1 + i, 0, c->padded[i] - c->size[i]), 1 + i, shift ? c->shift[i] : 0);
    x = windows(g, attended(g, o, windows(g, x, c, false), c, heads, shift), c, true);
    for (int i = 0; i < 3; i++)
        x = gv_slice(g, rolled(g, x, 1 + i, shift && c->shift[i] ? c->padded[i] - c->shift[i] : 0), 1 + i, 0, c->size[i]);
    return x;
}

static gv_val block(gv_graph *g, const gv_model_options *o, gv_val x, const cut *c, int64_t heads, bool shift, double drop)
{
    int64_t d = gv_dim(g, x, -1);
    gv_mark(g, "block");
    gv_val y = gv_layer_norm(g, x, "norm1", .eps = 1e-5);
    gv_enter(g, "attn");
    y = attention(g, o, y, c, heads, shift);
    gv_leave(g);
    x = gv_add(g, x, gv_drop_path(g, y, "drop_path", .p = drop));
    y = gv_layer_norm(g, x, "norm2", .eps = 1e-5);
    gv_enter(g, "mlp");
    y = linear(g, gv_gelu(g, linear(g, y, "0", 4 * d)), "3", d);
    gv_leave(g);
    return gv_add(g, x, gv_drop_path(g, y, "drop_path2", .p = drop));
}

/* Four neighbours to one: [N,t,h,w,C] -> [N,t,h/2,w/2,2C]. */
static gv_val merged(gv_graph *g, gv_val x)
{
    x = gv_pad(g, gv_pad(g, x, 2, 0, gv_dim(g, x, 2) % 2), 3, 0, gv_dim(g, x, 3) % 2);
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t n = gv_dim(g, x, 0), t = gv_dim(g, x, 1), h = gv_dim(g, x, 2) / 2, w = gv_dim(g, x, 3) / 2, d = gv_dim(g, x, 4);
    x = gv_permute(g, gv_reshape(g, x, (int64_t[]){ n * t, h, 2, w, 2, d }, 6), (int[]){ 0, 1, 3, 4, 2, 5 });
    x = gv_layer_norm(g, gv_reshape(g, x, (int64_t[]){ n, t, h, w, 4 * d }, 5), "norm", .eps = 1e-5);
    return gv_linear(g, x, "reduction", .out = 2 * d, .init = "trunc_normal 0.02");
}

static gv_val patches(gv_graph *g, gv_val x, int64_t width)
{
    static const int64_t size[3] = { 2, 4, 4 };
    gv_enter(g, "patch_embed");
    for (int i = 0; i < 3 && !gv_graph_error(g); i++)
        x = gv_pad(g, x, 1 + i, 0, (size[i] - gv_dim(g, x, 1 + i) % size[i]) % size[i]);
    x = gv_convnd(g, x, "proj", .dims = 3, .out = width, .kernel = { 2, 4, 4 }, .stride = { 2, 4, 4 }, .bias = true);
    x = gv_layer_norm(g, x, "norm", .eps = 1e-5);
    gv_leave(g);
    return x;
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    static const char *const names[4] = { "features.0", "features.2", "features.4", "features.6" };
    const variant *v = variant_;
    gv_features f = { .kind = GV_MAP };
    int all = v->depth[0] + v->depth[1] + v->depth[2] + v->depth[3], done = 0;
    x = patches(g, x, v->width);
    for (int s = 0; s < 4; s++) {
        cut c = cut_of(g, x, v->depth[s]);
        for (int i = 0; i < v->depth[s] && !gv_graph_error(g); i++, done++) {
            gv_enter(g, "%s.%d", names[s], i);
            x = block(g, o, x, &c, v->heads << s, i % 2 && c.shifts, o->drop_path_rate * done / (all - 1));
            gv_leave(g);
        }
        gv_keep(&f, names[s], x);
        if (s < 3) {
            gv_enter(g, "features.%d", 2 * s + 1);
            x = merged(g, x);
            gv_leave(g);
        }
    }
    f.value = gv_layer_norm(g, x, "norm", .eps = 1e-5);
    return f;
}

static int64_t num_features(const void *v)
{
    return ((const variant *)v)->width * 8;
}

const gv_model gv_model_swin3d = {
    .name = "swin3d", .summary = "transformers with shifted windows on clips", .source = "torchvision/models/video/swin_transformer.py",
    .encoder = "torchvision_video", .axes = 1u << 3, .transformer = true,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "head", .first_conv = "patch_embed.proj",
    .num_features = num_features, .build = build,
};
