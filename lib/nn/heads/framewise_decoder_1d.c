/* framewise_decoder_1d: one answer for each frame of a clip. Maps of an encoder's stages, finest first [N,T,H,W,64], 128, 256, 512 channels,
 * -> [N F,classes] with F frames of a clip; rows in the order of clips, then frames.
 *
 *   l4 = mean over space, in time by interpolation to F/3;  l3, l2, s = mean over space, in time by adaptive means to F/3, F/2, F
 *   y3 = double_conv_up3([l4, l3]);  y2 = double_conv_up2([up(y3, F/2), l2]);  y1 = double_conv_up1([up(y2, F), s]);  logits = conv_last(y1)
 *
 * up: linear interpolation with the corners aligned. double_conv: twice convolution 3, batch norm, ReLU; its four trained modules count as in
 * the original: dconv_up3.{0,1,3,4}. Trained: dconv_up3 [256,768,3] …, dconv_up2 [128,384,3], dconv_up1 [64,192,3] for the r3d family, conv_last
 * [classes,64,1]. Other widths and lengths work alike: a stage's width is what it is, halving stays; F is at least 3.
 * Source: GloViTa's Python, models/heads/video/framewise_decoder_1d.py, where the last stage must have one column in time. */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"

struct framewise { int64_t out_dim; double dropout; int64_t num_clip_frames; const char *stem_key, *layer2_key, *layer3_key, *layer4_key; };
_Static_assert(offsetof(struct framewise, num_clip_frames) == sizeof(gv_head_options), "what all heads have comes first");

#define STAGE_KEY(m, d) GV_STR(struct framewise, m, d, "name of that stage of the encoder")
static const gv_field fields[] = {
    GV_F64(struct framewise, dropout, 0, 0, GV_BELOW_1, "probability", "chance that a value before the last convolution is left out"),
    GV_OPT_I64(struct framewise, num_clip_frames, 3, 1 << 10, "frame", "frames of a clip; None: as many as the clips have"),
    STAGE_KEY(stem_key, "stem"), STAGE_KEY(layer2_key, "layer2"), STAGE_KEY(layer3_key, "layer3"), STAGE_KEY(layer4_key, "layer4"),
    GV_END
};

/* A stage's mean over space: [N,T,H,W,C] -> [N,T,C]. */
static gv_val column(gv_graph *g, const gv_features *f, const char *key)
{
    for (int i = 0; i < f->stages; i++)
        if (!strcmp(f->stage[i].name, key)) {
            gv_val x = f->stage[i].value;
            if (!gv_graph_error(g) && gv_ndim(g, x) != 5)
                return gv_graph_fail(g, "the head framewise_decoder_1d needs maps [N,T,H,W,C]; the encoder's '%s' has %d dimensions", key, gv_ndim(g, x));
            return gv_reduce(g, GV_MEAN, x, 1u << 2 | 1u << 3, false, GV_CLASS_REAL);
        }
    return gv_graph_fail(g, "the encoder has no stage '%s' for the head framewise_decoder_1d (model.head.stem_key, layer2_key, layer3_key, layer4_key)", key);
}

static gv_val joined(gv_graph *g, const gv_val *part, int64_t n)
{
    return n == 1 ? part[0] : gv_concat(g, part, (int)n, 1);
}

/* [N,T,C] -> [N,n,C], place i at i (T - 1) / (n - 1). */
static gv_val stretched(gv_graph *g, gv_val x, int64_t n)
{
    enum { MOST = 1 << 10 };
    gv_val part[MOST];
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t t = gv_dim(g, x, 1);
    if (t == n)
        return x;
    for (int64_t i = 0; i < n; i++) {
        int64_t all = n > 1 ? i * (t - 1) : 0, by = n > 1 ? n - 1 : 1, at = all / by;
        double right = (double)(all % by) / (double)by;
        part[i] = gv_slice(g, x, 1, at, 1);
        if (right > 0)
            part[i] = gv_add(g, gv_affine(g, part[i], 1 - right, 0), gv_affine(g, gv_slice(g, x, 1, at + 1, 1), right, 0));
    }
    return joined(g, part, n);
}

/* [N,T,C] -> [N,n,C], part i the mean of floor(i T / n) … ceil((i + 1) T / n) - 1. */
static gv_val averaged(gv_graph *g, gv_val x, int64_t n)
{
    enum { MOST = 1 << 10 };
    gv_val part[MOST];
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t t = gv_dim(g, x, 1);
    if (t == n)
        return x;
    for (int64_t i = 0; i < n; i++) {
        int64_t a = i * t / n, b = ((i + 1) * t + n - 1) / n;
        part[i] = gv_reduce(g, GV_MEAN, gv_slice(g, x, 1, a, b - a), 1u << 1, true, GV_CLASS_REAL);
    }
    return joined(g, part, n);
}

/* coarse, brought to the length of fine, beside it; then two convolutions to half the width of coarse. */
static gv_val merged(gv_graph *g, gv_val coarse, gv_val fine, const char *name, int64_t out)
{
    if (gv_graph_error(g))
        return GV_NO_VAL;
    gv_val x = gv_concat(g, (gv_val[]){ coarse, fine }, 2, 2);
    gv_enter(g, "%s", name);
    x = gv_convnd(g, x, "0", .dims = 1, .out = out, .kernel = { 3 }, .padding = { 1 }, .bias = true);
    x = gv_relu(g, gv_batch_norm(g, x, "1"));
    x = gv_convnd(g, x, "3", .dims = 1, .out = out, .kernel = { 3 }, .padding = { 1 }, .bias = true);
    x = gv_relu(g, gv_batch_norm(g, x, "4"));
    gv_leave(g);
    return x;
}

static gv_val build(gv_graph *g, const gv_head_in *in, const gv_head_options *options)
{
    const struct framewise *o = (const struct framewise *)options;
    int64_t n = in->frames;
    if (n < 3 || n > 1 << 10 || (o->num_clip_frames != GV_NONE_I64 && o->num_clip_frames != n))
        return o->num_clip_frames != GV_NONE_I64 && o->num_clip_frames != n
            ? gv_graph_fail(g, "model.head.num_clip_frames is %lld; the clips have %lld frames (data.frames_per_clip)", (long long)o->num_clip_frames, (long long)n)
            : gv_graph_fail(g, "the head framewise_decoder_1d takes clips of 3 to 1024 frames; these have %lld (data.frames_per_clip)", (long long)n);
    gv_val s = column(g, in->features, o->stem_key), l2 = column(g, in->features, o->layer2_key), l3 = column(g, in->features, o->layer3_key), l4 = column(g, in->features, o->layer4_key);
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t half = gv_dim(g, l3, 2), quarter = gv_dim(g, l2, 2), eighth = gv_dim(g, s, 2);
    gv_val x = merged(g, stretched(g, l4, n / 3), averaged(g, l3, n / 3), "dconv_up3", half);
    x = merged(g, stretched(g, x, n / 2), averaged(g, l2, n / 2), "dconv_up2", quarter);
    x = merged(g, stretched(g, x, n), averaged(g, s, n), "dconv_up1", eighth); /* [N,F,64] */
    if (o->dropout > 0)
        x = gv_dropout(g, x, o->dropout, false);
    x = gv_convnd(g, x, "conv_last", .dims = 1, .out = o->out_dim, .kernel = { 1 }, .bias = true);
    return gv_reshape(g, x, (int64_t[]){ -1, o->out_dim }, 2); /* [N F,classes] */
}

const gv_variant gv_head_variant_framewise_decoder_1d = {
    .name = "framewise_decoder_1d", .class_name = "FramewiseDecoder1DHeadConfig", .summary = "one answer for each frame of a clip, from several stages of the encoder",
    .fields = fields, .params_size = sizeof(struct framewise), .built = true,
};
const gv_head gv_head_framewise_decoder_1d = { .variant = &gv_head_variant_framewise_decoder_1d, .takes = GV_HEAD_MAPS, .own_name = true, .framewise = true, .build = build };
