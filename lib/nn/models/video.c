/* What the families of networks on clips share; see video.h.
 * Names, initialisation and the order of operations: pytorchvideo 0.1.5, models/{resnet,stem,head,x3d}.py.
 * Sources: He et al. 2015 arXiv:1512.03385; Tran et al. 2018 arXiv:1711.11248; Feichtenhofer 2020 arXiv:2004.04730. */
#include "nn/models/video.h"
#include "nn/models/slowfast.h"

static int64_t one(int64_t v)
{
    return v > 0 ? v : 1;
}

gv_val gv_video_conv_build(gv_graph *g, gv_val x, const char *name, const struct gv_video_conv *o)
{
    struct gv_convnd c = { .dims = 3, .out = o->out, .groups = o->groups, .bias = o->bias, .bias_init = o->bias_init,
                           .init = o->init ? o->init : "kaiming_normal_fan_out" };
    for (int i = 0; i < 3; i++) {
        c.kernel[i] = one(o->kernel[i]);
        c.stride[i] = one(o->stride[i]);
        c.padding[i] = c.kernel[i] / 2;
    }
    return gv_layer_build(g, &gv_layer_convnd, x, name, &c);
}

gv_val gv_video_max_pool_build(gv_graph *g, gv_val x, const struct gv_video_pool *o)
{
    gv_window w = { .dims = 3, .groups = 1 };
    for (int i = 0; i < 3; i++) {
        w.kernel[i] = one(o->kernel[i]);
        w.stride[i] = one(o->stride[i]);
        w.pad[i] = w.pad_end[i] = o->no_padding ? 0 : w.kernel[i] / 2;
        w.dilation[i] = 1;
    }
    return gv_maxpool(g, x, &w).y;
}

gv_val gv_video_window_mean(gv_graph *g, gv_val x, const int64_t kernel[3])
{
    gv_window w = { .dims = 3, .groups = 1 };
    bool whole = true;
    if (gv_graph_error(g))
        return GV_NO_VAL;
    for (int i = 0; i < 3; i++) {
        int64_t side = gv_dim(g, x, 1 + i);
        w.kernel[i] = kernel[i] < side ? kernel[i] : side;
        w.stride[i] = w.dilation[i] = 1;
        whole &= w.kernel[i] == side;
    }
    return whole ? gv_reduce(g, GV_MEAN, x, 14, true, GV_CLASS_REAL) : gv_avgpool(g, x, &w);
}

/* Channel attention under the names of fvcore: block.0, block.2. */
static gv_val excited(gv_graph *g, gv_val x)
{
    int64_t c = gv_dim(g, x, -1);
    gv_val s = gv_global_avgpool(g, x, .keep = true); /* [N,1,1,1,C] */
    s = gv_relu(g, gv_video_conv(g, s, "block.0", .out = gv_round_width((double)c, 0.0625), .bias = true, .bias_init = "zeros"));
    s = gv_video_conv(g, s, "block.2", .out = c, .bias = true, .bias_init = "zeros");
    return gv_mul(g, x, gv_sigmoid(g, s));
}

/* conv_b with its norm and activation. */
static gv_val middle(gv_graph *g, gv_val x, const struct gv_video_stage *o, const int64_t s[3], bool attend)
{
    const int64_t *k = o->kernel_b;
    if (o->split) {
        gv_enter(g, "conv_b");
        x = gv_video_conv(g, x, "conv_t", .out = o->inner, .kernel = { k[0] }, .stride = { s[0] });
        x = gv_relu(g, gv_batch_norm(g, x, "norm"));
        x = gv_video_conv(g, x, "conv_xy", .out = o->inner, .kernel = { 1, k[1], k[2] }, .stride = { 1, s[1], s[2] });
        gv_leave(g);
    } else
        x = gv_video_conv(g, x, "conv_b", .out = o->inner, .kernel = { k[0], k[1], k[2] }, .stride = { s[0], s[1], s[2] }, .groups = o->groups);
    if (!o->excite)
        return gv_relu(g, gv_batch_norm(g, x, "norm_b"));
    x = gv_batch_norm(g, x, "norm_b.0");
    if (attend) {
        gv_enter(g, "norm_b.1");
        x = excited(g, x);
        gv_leave(g);
    }
    return gv_silu(g, x);
}

static gv_val block(gv_graph *g, gv_val x, const struct gv_video_stage *o, int i)
{
    int64_t c = gv_dim(g, x, -1), s[3], frames = one(o->kernel_a[i % 2 && o->kernel_a[1] ? 1 : 0]);
    for (int d = 0; d < 3; d++)
        s[d] = i ? 1 : one(o->stride[d]);
    bool moves = s[0] * s[1] * s[2] > 1;
    gv_mark(g, "block");
    gv_val y = x;
    gv_enter(g, "branch2");
    y = gv_relu(g, gv_batch_norm(g, gv_video_conv(g, y, "conv_a", .out = o->inner, .kernel = { frames }), "norm_a"));
    y = middle(g, y, o, s, i % 2 == 0);
    y = gv_batch_norm(g, gv_video_conv(g, y, "conv_c", .out = o->out), "norm_c", .zero_weight = true);
    gv_leave(g);
    y = gv_drop_path(g, y, "drop_path", .p = o->drop_path[0] + o->drop_path[1] * i);
    if (c != o->out || moves) {
        x = gv_video_conv(g, x, "branch1_conv", .out = o->out, .stride = { s[0], s[1], s[2] });
        if (c != o->out || !o->excite)
            x = gv_batch_norm(g, x, "branch1_norm");
    }
    return gv_relu(g, gv_add(g, x, y));
}

gv_val gv_video_stage_build(gv_graph *g, gv_val x, const struct gv_video_stage *o)
{
    for (int i = 0; i < o->depth; i++) {
        gv_enter(g, "res_blocks.%d", i);
        x = block(g, x, o, i);
        gv_leave(g);
    }
    return x;
}

int64_t gv_round_width(double width, double factor)
{
    double want = width * factor;
    int64_t w = (int64_t)(want + 4) / 8 * 8;
    w = w < 8 ? 8 : w;
    return (double)w < 0.9 * want ? w + 8 : w;
}

void gv_video_pathways(gv_graph *g, const gv_model_options *o, const char *name, bool two)
{
    const struct gv_pytorchvideo_encoder *e = o->params;
    if (e && e->pathway_mode == (two ? GV_PATHWAY_SINGLE : GV_PATHWAY_SLOWFAST))
        gv_graph_fail(g, "'%s' has %s; --model.encoder.pathway_mode %s does not fit it (auto does)", name, two ? "two pathways" : "one pathway", two ? "single" : "slowfast");
}

void gv_keep(gv_features *f, const char *name, gv_val v)
{
    if (f->stages < GV_MAX_STAGES) {
        f->stage[f->stages].name = name;
        f->stage[f->stages++].value = v;
    }
}

const char *gv_block_name(int i)
{
    static const char *const names[] = { "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6", "blocks.7",
                                         "blocks.8", "blocks.9", "blocks.10", "blocks.11", "blocks.12", "blocks.13", "blocks.14", "blocks.15" };
    return i >= 0 && i < (int)GV_COUNT(names) ? names[i] : NULL;
}
