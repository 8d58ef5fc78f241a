/* timeseries: the options of the encoders of series, and which family takes which. */
#include "nn/models/timeseries.h"

gv_timeseries_encoder gv_timeseries_options(gv_graph *g, const gv_model_options *o, const char *family, unsigned takes)
{
    static const gv_timeseries_encoder published = {
        .width = GV_NONE_I64, .depth = GV_NONE_I64, .patch_length = GV_NONE_I64, .patch_stride = GV_NONE_I64, .heads = GV_NONE_I64, .hidden = GV_NONE_I64, .dropout = NAN,
        .residual = true, .bottleneck = true,
    };
    gv_timeseries_encoder e = o && o->params ? *(const gv_timeseries_encoder *)o->params : published;
    const struct { const char *name; bool set; unsigned bit; } fields[] = {
        { "widths", e.widths.v, GV_TIMESERIES_WIDTHS }, { "kernels", e.kernels.v, GV_TIMESERIES_KERNELS },
        { "width", e.width != GV_NONE_I64, GV_TIMESERIES_WIDTH }, { "depth", e.depth != GV_NONE_I64, GV_TIMESERIES_DEPTH },
        { "patch_length", e.patch_length != GV_NONE_I64, GV_TIMESERIES_PATCH_LENGTH }, { "patch_stride", e.patch_stride != GV_NONE_I64, GV_TIMESERIES_PATCH_STRIDE },
        { "heads", e.heads != GV_NONE_I64, GV_TIMESERIES_HEADS }, { "hidden", e.hidden != GV_NONE_I64, GV_TIMESERIES_HIDDEN },
        { "dropout", !isnan(e.dropout), GV_TIMESERIES_DROPOUT }, { "no_residual", !e.residual, GV_TIMESERIES_RESIDUAL },
        { "no_bottleneck", !e.bottleneck, GV_TIMESERIES_BOTTLENECK }, { "class_token", e.class_token, GV_TIMESERIES_CLASS_TOKEN },
        { "mix_channels", e.mix_channels, GV_TIMESERIES_MIX_CHANNELS },
    };
    for (size_t i = 0; i < GV_COUNT(fields); i++)
        if (fields[i].set && !(takes >> fields[i].bit & 1))
            gv_graph_fail(g, "model.encoder.%s is no option of '%s'", fields[i].name, family);
    return e;
}
