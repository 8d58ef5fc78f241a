/* visual_prompt_tuning: num_tokens trained tokens go through the blocks beside those of the image, behind the class token; encoder and head see
 * the sequence as it is without them (they leave behind the last block). Shallow: they enter before the first block. Deep: every later block
 * (or those of deep_layers) gets a new set, in the place of what the block before made of the old one.
 *   <block>.prompt.tokens [1,num_tokens,D], or [1,num_tokens,project_dim] and one projection prompt_proj.weight [D,project_dim], .bias [D] for all
 * Tokens start uniform within init_scale sqrt(6 / (3 * 16 * 16 + width)), with 16 whatever the patch, as in the Python GloViTa. Dropout comes behind
 * the projection.
 * Source: Jia et al. 2022, arXiv:2203.12119, section 3.2. */
#include "nn/internal.h"
#include "nn/peft/peft.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct vpt { int64_t num_tokens; bool deep; int64_t project_dim; double dropout, init_scale; gv_ints deep_layers; };

static const gv_field fields[] = {
    GV_I64(struct vpt, num_tokens, 20, 1, 1 << 16, "token", "trained tokens"),
    GV_BOOL(struct vpt, deep, true, "new tokens in every block"),
    GV_OPT_I64(struct vpt, project_dim, 1, 1 << 20, "", "width before a projection"),
    GV_F64(struct vpt, dropout, 0, 0.0, GV_BELOW_1, "probability", "dropout of the tokens"),
    GV_F64(struct vpt, init_scale, 1, 0, 1e6, "", "scale at the start"),
    GV_OPT_INTS(struct vpt, deep_layers, 0, 1 << 16, "block", "blocks with new tokens; None: all"),
    GV_END
};

struct state { const struct vpt *o; gv_val weight, bias; }; /* of the projection, made by the first block */

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false;
}

/* Tokens of a width to the encoder's, [1,P,project_dim] -> [1,P,D]. */
static gv_val projected(struct state *s, gv_graph *g, gv_val t, int64_t d)
{
    char block[GV_PATH_MAX], bound[64];
    if (s->weight == GV_NO_VAL) {
        snprintf(block, sizeof block, "%s", gv_path(g));
        snprintf(bound, sizeof bound, "uniform %.17g %.17g", -1 / sqrt((double)s->o->project_dim), 1 / sqrt((double)s->o->project_dim));
        gv_graph_set_path(g, "");
        s->weight = gv_peft_param(g, "prompt_proj", "weight", (int64_t[]){ d, s->o->project_dim }, 2, "kaiming_normal_fan_out");
        s->bias = gv_peft_param(g, "prompt_proj", "bias", &d, 1, bound);
        gv_graph_set_path(g, block);
    }
    return gv_matmul(g, t, s->weight, s->bias, false, true, 1);
}

/* A set of tokens for each sample, [N,P,D]. */
static gv_val tokens(struct state *s, gv_graph *g, int64_t batch, int64_t d)
{
    const struct vpt *o = s->o;
    int64_t width = o->project_dim == GV_NONE_I64 ? d : o->project_dim;
    double bound = o->init_scale * sqrt(6 / (3 * 16 * 16 + (double)width));
    char init[64];
    snprintf(init, sizeof init, "uniform %.17g %.17g", -bound, bound);
    gv_val t = gv_peft_param(g, "prompt", "tokens", (int64_t[]){ 1, o->num_tokens, width }, 3, init);
    t = o->project_dim == GV_NONE_I64 ? t : projected(s, g, t, d);
    t = gv_broadcast(g, t, (int64_t[]){ batch, o->num_tokens, d }, 3);
    gv_enter(g, "prompt");
    t = o->dropout > 0 ? gv_dropout(g, t, o->dropout, false) : t;
    gv_leave(g);
    return t;
}

static bool renewed(const struct vpt *o, int block)
{
    bool in = !o->deep_layers.v;
    for (size_t i = 0; i < o->deep_layers.n; i++)
        in = in || o->deep_layers.v[i] == block;
    return block == 0 || (o->deep && in);
}

static gv_val enter(void *state, gv_graph *g, gv_val x, int block, int front)
{
    struct state *s = state;
    int64_t n = gv_dim(g, x, 0), l = gv_dim(g, x, 1), skip = front + (block ? s->o->num_tokens : 0);
    gv_val parts[3];
    int k = 0;
    if (!renewed(s->o, block))
        return x;
    if (front)
        parts[k++] = gv_slice(g, x, 1, 0, front);
    parts[k++] = tokens(s, g, n, gv_dim(g, x, 2));
    parts[k++] = gv_slice(g, x, 1, skip, l - skip);
    return gv_concat(g, parts, k, 1);
}

static int prepare(const void *params, gv_graph *g, gv_err *err)
{
    struct state *s = gv_arena_alloc(gv_graph_arena(g), sizeof *s, err);
    if (!s)
        return GV_ESYS;
    *s = (struct state){ params, GV_NO_VAL, GV_NO_VAL };
    g->tokens = (gv_token_method){ enter, s };
    return GV_OK;
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct vpt *o = params;
    if (!g->sequences)
        return gv_fail(err, GV_EUSAGE, "'--peft.method visual_prompt_tuning' adds tokens to those of a transformer, and this encoder has none; choose a vision transformer (--model.encoder.type vit_small_patch16_224), or a method that works on "
                       "every encoder: 'partial_finetuning', 'bitfit', 'lora' with the names of its convolutions, 'linear_probing'");
    for (size_t i = 0; i < o->deep_layers.n; i++)
        if (o->deep_layers.v[i] >= g->sequences)
            return gv_fail(err, GV_EUSAGE, "'--peft.deep_layers' has %" PRId64 ", and the encoder has blocks 0 to %d", o->deep_layers.v[i], g->sequences - 1);
    return GV_OK;
}

const gv_variant gv_peft_variant_visual_prompt_tuning = {
    .name = "visual_prompt_tuning", .class_name = "VisualPromptTuningConfig", .summary = "VPT: learned tokens beside those of the image", .fields = fields, .params_size = sizeof(struct vpt), .built = true,
};
const gv_peft gv_peft_visual_prompt_tuning = { .variant = &gv_peft_variant_visual_prompt_tuning, .trainable = trainable, .prepare = prepare, .adapt = adapt };
