/* The table of layers, and what they share. */
#include "nn/layers/layers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const gv_layer *const layers[] = {
#define GV_LAYER(n) &gv_layer_##n,
#include "nn/layers/layers.def"
#undef GV_LAYER
};

const gv_layer *gv_layer_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(layers); i++)
        if (!strcmp(layers[i]->name, name))
            return layers[i];
    return NULL;
}

gv_val gv_layer_build(gv_graph *g, const gv_layer *layer, gv_val x, const char *name, const void *params)
{
    if (gv_graph_error(g))
        return GV_NO_VAL;
    bool named = name && *name;
    if (named)
        gv_enter(g, "%s", name);
    x = layer->build(g, params, x);
    if (named)
        gv_leave(g);
    return x;
}

const char *gv_init_bias(char text[GV_INIT_TEXT], int64_t fan_in)
{
    double b = 1 / sqrt((double)(fan_in > 0 ? fan_in : 1));
    snprintf(text, GV_INIT_TEXT, "uniform %.17g %.17g", -b, b);
    return text;
}

gv_val gv_activate(gv_graph *g, gv_activation act, gv_val x)
{
    switch (act) {
    case GV_ACT_GELU: return gv_gelu(g, x);
    case GV_ACT_RELU: return gv_relu(g, x);
    case GV_ACT_GELU_TANH: return gv_unary(g, GV_GELU_TANH, x);
    case GV_ACT_QUICK_GELU: return gv_mul(g, x, gv_sigmoid(g, gv_affine(g, x, 1.702, 0))); /* OpenAI's CLIP */
    case GV_ACT_SILU: return gv_silu(g, x);
    }
    return gv_graph_fail(g, "activation %d is not known", (int)act);
}
