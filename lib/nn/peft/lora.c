/* lora: a module W x + b gets a branch beside it, s B A drop(x), with A and B trained and W frozen. Linear: A [r,I], B [O,r]. Convolution: A
 * [r,I,k…] with the module's kernel, stride and padding, B [O,r/groups,1…]. s is alpha / r, or alpha / sqrt(r) with use_rslora. A starts as torch's
 * Linear, B as zeros, so that training begins with the encoder as it was; without init_lora_weights B starts as torch's Linear too.
 * use_dora: the output is m / |W + s B A| (W x + s B A x) + b; norms are taken over each output's weights and constant to the gradient, m (trained)
 * starts as they are. With dropout both W x and B A x in the difference to W x + b see what is left of x, as in the library peft.
 * The new tensors are <module>.lora_A.weight, <module>.lora_B.weight, <module>.lora_magnitude_vector; lora_bias lets biases of the encoder train too.
 * Sources: Hu et al. 2021, arXiv:2106.09685, section 4.1; rsLoRA: Kalajdzievski 2023, arXiv:2312.03732; DoRA: Liu et al. 2024, arXiv:2402.09353,
 * sections 4.1 and 4.3; convolutions, names: huggingface/peft 0.21. */
#include "nn/internal.h"
#include "nn/peft/peft.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NONE, ALL, LORA_ONLY }; /* lora_bias */
static const char *const biases[] = { "none", "all", "lora_only", NULL };

struct lora {
    int64_t lora_rank;
    double lora_alpha, lora_dropout;
    gv_strs lora_target_modules;
    bool use_dora, use_rslora, init_lora_weights;
    int lora_bias;
};

static const gv_field fields[] = {
    GV_I64(struct lora, lora_rank, 8, 1, 1 << 16, "", "rank of the update"),
    GV_F64(struct lora, lora_alpha, 16, GV_ABOVE_0, INFINITY, "", "scale of the update, times rank"),
    GV_F64(struct lora, lora_dropout, 0.01, 0.0, GV_BELOW_1, "probability", "dropout before the update"),
    GV_STRS(struct lora, lora_target_modules, "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1_g mlp.fc1_x mlp.fc2", NULL, "modules to adapt, by the end of their path"),
    GV_BOOL(struct lora, use_dora, false, "split the weight into size and direction (DoRA)"),
    GV_BOOL(struct lora, use_rslora, false, "scale by the root of the rank"),
    GV_BOOL(struct lora, init_lora_weights, true, "start as the unchanged encoder"),
    GV_ENUM(struct lora, lora_bias, 0, biases, "biases that are trained"),
    GV_END
};

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    const struct lora *o = params;
    size_t n = strlen(p->name);
    (void)g;
    if (o->lora_bias == ALL)
        return strstr(p->name, "bias");
    char module[GV_PATH_MAX];
    if (o->lora_bias != LORA_ONLY || n < 6 || n - 5 >= sizeof module || strcmp(p->name + n - 5, ".bias"))
        return false;
    snprintf(module, sizeof module, "%.*s", (int)(n - 5), p->name);
    return gv_peft_targets(&o->lora_target_modules, module, p->mark);
}

static double scale_of(const struct lora *o)
{
    return o->lora_alpha / (o->use_rslora ? sqrt((double)o->lora_rank) : (double)o->lora_rank);
}

/* s B A x; a and b: the factors. */
static gv_val low_rank(const struct lora *o, gv_graph *g, const gv_peft_module *m, gv_val x, gv_val *a, gv_val *b)
{
    int64_t r = o->lora_rank, groups = m->window ? m->window->groups : 1;
    int dims = m->window ? m->window->dims : 0;
    int64_t down[GV_MAX_DIMS] = { r, gv_dim(g, x, -1) }, up[GV_MAX_DIMS] = { gv_dim(g, m->y, -1), r / groups, 1, 1, 1 };
    for (int i = 0; i < dims; i++)
        down[i + 2] = m->window->kernel[i];
    *a = gv_peft_param(g, "lora_A", "weight", down, dims + 2, "kaiming_uniform_a5");
    *b = gv_peft_param(g, "lora_B", "weight", up, dims + 2, o->init_lora_weights ? "zeros" : "kaiming_uniform_a5");
    if (!m->window)
        return gv_matmul(g, gv_matmul(g, x, *a, GV_NO_VAL, false, true, 1), *b, GV_NO_VAL, false, true, scale_of(o)); /* [N…,r], [N…,O] */
    gv_window first = *m->window, second = { .dims = dims, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 }, .groups = groups };
    first.groups = 1;
    return gv_affine(g, gv_conv(g, gv_conv(g, x, *a, GV_NO_VAL, &first), *b, GV_NO_VAL, &second), scale_of(o), 0);
}

/* m / |W + s B A|, [O]. */
static gv_val direction(const struct lora *o, gv_graph *g, const gv_peft_module *m, gv_val a, gv_val b)
{
    int64_t out = gv_dim(g, m->y, -1), flat[2] = { out, -1 }, shape[GV_MAX_DIMS] = { 1, out, 1, 1, 1 }, rank = o->lora_rank;
    a = gv_reshape(g, a, (int64_t[]){ rank, -1 }, 2);
    b = gv_permute(g, gv_reshape(g, b, (int64_t[]){ out, rank }, 2), (int[]){ 1, 0 });
    gv_val w = gv_add(g, gv_reshape(g, m->w, flat, 2), gv_affine(g, gv_matmul_wgrad(g, b, a), scale_of(o), 0)); /* [O,I…] */
    gv_val norm = gv_detach(g, gv_unary(g, GV_SQRT, gv_reduce(g, GV_SUM, gv_unary(g, GV_SQUARE, w), 1u << 1, false, GV_CLASS_STAT)));
    gv_val size = gv_peft_param(g, "", "lora_magnitude_vector", m->window ? shape : &out, m->window ? m->window->dims + 2 : 1, "zeros"); /* settle */
    return gv_div(g, gv_reshape(g, size, &out, 1), norm);
}

static gv_val branch(const void *params, gv_graph *g, const gv_peft_module *m)
{
    const struct lora *o = params;
    const gv_window *w = m->window;
    gv_val x = m->x, a, b;
    for (int i = 0; w && i < w->dims; i++)
        if (w->dilation[i] > 1)
            return gv_graph_fail(g, "it is a dilated convolution, which lora does not adapt ('--peft.lora_target_modules')");
    if (w && o->lora_rank % w->groups)
        return gv_graph_fail(g, "'--peft.lora_rank' is %" PRId64 ", no multiple of the %" PRId64 " groups of this convolution", o->lora_rank, w->groups);
    if (w && w->groups > 1 && o->use_dora)
        return gv_graph_fail(g, "'--peft.use_dora' does not adapt a convolution with groups, and this has %" PRId64, w->groups);
    bool drop = o->lora_dropout > 0 && gv_graph_phase(g) == GV_TRAIN;
    gv_enter(g, "lora_dropout");
    x = drop ? gv_dropout(g, x, o->lora_dropout, false) : x;
    gv_leave(g);
    gv_val d = low_rank(o, g, m, x, &a, &b);
    if (!o->use_dora)
        return gv_add(g, m->y, d);
    gv_val c = direction(o, g, m, a, b);
    if (drop)
        return gv_add(g, m->y, gv_add(g, gv_mul(g, gv_peft_again(g, m, x, GV_NO_VAL), gv_affine(g, c, 1, -1)), gv_mul(g, d, c)));
    m->node->in[2] = GV_NO_VAL; /* the bias comes last */
    gv_val y = gv_mul(g, gv_add(g, m->y, d), c);
    return m->b == GV_NO_VAL ? y : gv_add(g, y, m->b);
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct lora *o = params;
    return gv_peft_change(&(gv_peft_rewrite){ .field = "lora_target_modules", .targets = &o->lora_target_modules, .convolutions = true, .change = branch, .params = params }, g, err);
}

/* <module>.<leaf> of the store in double. */
static double *values(gv_store *s, const char *module, const char *leaf, gv_stored **t, gv_err *err)
{
    char name[2 * GV_PATH_MAX];
    snprintf(name, sizeof name, "%s.%s", module, leaf);
    *t = gv_store_find(s, name);
    size_t n = *t ? (size_t)gv_shape_count((*t)->shape, (*t)->ndim) : 0;
    double *v = *t ? gv_alloc(n * sizeof *v, err) : NULL;
    if (!*t)
        gv_fail(err, GV_EINTERNAL, "'%s' is not in the store", name);
    if (v)
        gv_to_f64((*t)->dtype, (*t)->data, v, n);
    return v;
}

/* |W + s B A| of each row. */
static void norms(const struct lora *o, const gv_stored *weight, const double *w, const double *a, const double *b, double *m)
{
    int64_t out = weight->shape[0], in = gv_shape_count(weight->shape, weight->ndim) / out, r = o->lora_rank;
    double s = scale_of(o);
    for (int64_t i = 0; i < out; i++) {
        double sum = 0;
        for (int64_t k = 0; k < in; k++) {
            double v = 0;
            for (int64_t j = 0; j < r && !o->init_lora_weights; j++) /* B is zero otherwise */
                v += b[i * r + j] * a[j * in + k];
            v = w[i * in + k] + s * v;
            sum += v * v;
        }
        m[i] = sqrt(sum);
    }
}

static int settle(const void *params, const gv_graph *g, gv_store *s, gv_err *err)
{
    static const char leaf[] = ".lora_magnitude_vector";
    int r = GV_OK;
    for (int i = 0; i < gv_param_count(g) && r == GV_OK; i++) {
        const char *name = gv_param_at(g, i)->name;
        size_t n = strlen(name), k = sizeof leaf - 1;
        char module[GV_PATH_MAX];
        if (n <= k || n - k >= sizeof module || strcmp(name + n - k, leaf))
            continue;
        snprintf(module, sizeof module, "%.*s", (int)(n - k), name);
        gv_stored *size, *weight, *t;
        double *m = values(s, module, leaf + 1, &size, err), *w = values(s, module, "weight", &weight, err);
        double *a = values(s, module, "lora_A.weight", &t, err), *b = values(s, module, "lora_B.weight", &t, err);
        r = m && w && a && b ? GV_OK : err->code;
        bool given = false;
        size_t count = r == GV_OK ? (size_t)gv_shape_count(size->shape, size->ndim) : 0;
        for (size_t j = 0; j < count; j++)
            given = given || m[j] != 0;
        if (r == GV_OK && !given) {
            norms(params, weight, w, a, b, m);
            gv_from_f64(size->dtype, m, size->data, count);
        }
        gv_free(m), gv_free(w), gv_free(a), gv_free(b);
    }
    return r;
}

static const char *keys[][2] = {
    { "r", "lora_rank" }, { "lora_alpha", "lora_alpha" }, { "lora_dropout", "lora_dropout" }, { "bias", "lora_bias" }, { "use_rslora", "use_rslora" },
    { "use_dora", "use_dora" }, { "init_lora_weights", "init_lora_weights" }, { NULL, NULL },
};
static const gv_peft_files files = { "LORA", keys, ".lora_A.weight", "lora_target_modules", { NULL, NULL }, "\"fan_in_fan_out\": false" };

const gv_variant gv_peft_variant_lora = {
    .name = "lora", .class_name = "LoraConfig", .summary = "LoRA: low-rank updates of linear layers and convolutions", .fields = fields, .params_size = sizeof(struct lora), .built = true,
};
const gv_peft gv_peft_lora = { .variant = &gv_peft_variant_lora, .trainable = trainable, .adapt = adapt, .settle = settle, .files = &files };
