/*
 * clam: attention over a bag of instances, with an instance loss and a consistency loss. x [N,L,D], mask [N,L] -> [N,classes].
 * Output "attention" [N,B,L] in evaluation: weights over the instances of a bag, zero behind the last, sum 1; B is 1 (sb) or the classes (mb).
 *
 *   h = relu(W prep(x)), a = c (tanh(V h) * sigmoid(U h)) [N,B,L], M = softmax(a) h [N,B,H]; sb: logits = C M_0, mb: logit_c = C_c M_c
 *   prep: layer norm, then unit length. C: linear, or scale times the cosine of M and a weight.
 *
 * Losses of its own, while training:
 *   instances    of the k_sample with the most attention of the true class's branch a two-way classifier of that class shall say 1, of those
 *                with the least 0; with subtyping the classifiers of the other classes 0 of the most attended, and the sum is divided by the
 *                number of classes; the mean over bags. A bag shorter than k_sample gives what it has, so a bag shorter than 2 k_sample has
 *                instances on both sides; preset original takes at most half of a bag on each, and at least one.
 *   consistency  logits from the topk_k most attended instances with noise on their features against the logits of the whole bag. (Two branches
 *                that choose the same instance draw noise of their own; each logit sees one branch, so the loss has the same mean.)
 *
 * Padding has no influence: its attention is exactly zero, and it is never among the instances chosen. The indices in the keys depend on the
 * options as they do in the originals, because they count modules.
 *
 * Sources: Lu et al. 2021, "Data-efficient and weakly supervised computational pathology on whole-slide images", arXiv:2004.09666 (preset
 * original); GloViTa's Python, models/heads/mil/clam.py (preset glovita); Berrada et al. 2018, arXiv:1802.07595 (smooth top-1 SVM).
 */
#include "nn/heads/clam.h"
#include "nn/layers/layers.h"
#include "nn/ops/op.h"

/* ---- pieces ---- */

/* x / |x| along the last axis. The square of torch's 1e-12 stands under the root, so that zeros stay zeros and pass no infinite gradient. */
static gv_val unit(gv_graph *g, gv_val x)
{
    gv_val s = gv_reduce(g, GV_SUM, gv_unary(g, GV_SQUARE, x), 1u << (gv_ndim(g, x) - 1), true, GV_CLASS_STAT);
    return gv_mul(g, x, gv_unary(g, GV_RSQRT, gv_affine(g, s, 1, 1e-24)));
}

/* 0 where keep is 1, below every attention logit where it is 0: what is left out of the attention, and padding below that. */
static const double left_out = 1e9, padding = 1e12;
static gv_val barred(gv_graph *g, gv_val keep, double depth)
{
    return gv_affine(g, keep, depth, -depth);
}

/* 0, 1, …, k-1 as STAT [1,k]: the places of equal numbers in their order. */
static gv_val counted(gv_graph *g, int64_t k)
{
    return gv_cast(g, gv_topk(g, gv_constant(g, 0, GV_CLASS_STAT, (int64_t[]){ 1, k }, 2), k), GV_CLASS_STAT);
}

/* x cut to 0 … 1. */
static gv_val cut01(gv_graph *g, gv_val x)
{
    return gv_sub(g, gv_relu(g, x), gv_relu(g, gv_affine(g, x, 1, -1)));
}

static gv_val sum_all(gv_graph *g, gv_val x)
{
    return gv_reshape(g, gv_reduce(g, GV_SUM, x, (1u << gv_ndim(g, x)) - 1, false, GV_CLASS_STAT), (int64_t[]){ 1 }, 1);
}

/* ---- the bag ---- */

struct bag {
    const struct gv_clam *o;
    int64_t n, l, hidden, branches, classes;
    gv_val h;      /* [N,L,H] projected instances */
    gv_val mask;   /* [N,1,L] 1 or 0 */
    gv_val a;      /* [N,B,L] attention logits, padding barred */
    gv_val low;    /* [N,B,L] their negatives, padding barred */
    gv_val size;   /* [N,1] STAT instances of each bag */
};

static gv_val dropped(gv_graph *g, gv_val x, double p)
{
    return p > 0 ? gv_dropout(g, x, p, false) : x;
}

/* h -> attention logits [N,L,B]. */
static gv_val attend(gv_graph *g, const struct gv_clam *o, gv_val h, int64_t width, int64_t branches)
{
    double p = o->preset == GV_CLAM_ORIGINAL && o->dropout > 0 ? 0.25 : o->dropout;
    if (!o->gate) {
        const char *list = o->preset == GV_CLAM_ORIGINAL ? "module" : "net";
        gv_enter(g, "%s", list);
        h = dropped(g, gv_tanh(g, gv_linear(g, h, "0", .out = width, .bias = true)), p);
        h = gv_linear(g, h, p > 0 ? "3" : "2", .out = branches, .bias = true);
        gv_leave(g);
        return h;
    }
    gv_val a = dropped(g, gv_tanh(g, gv_linear(g, h, "attention_a.0", .out = width, .bias = true)), p);
    gv_val b = dropped(g, gv_sigmoid(g, gv_linear(g, h, "attention_b.0", .out = width, .bias = true)), p);
    return gv_linear(g, gv_mul(g, a, b), "attention_c", .out = branches, .bias = true);
}

/* Attention logits are left out with chance attn_drop, never the largest of a bag. */
static gv_val drop_attention(gv_graph *g, const struct bag *b, gv_val a)
{
    double p = b->o->attn_drop;
    if (p == 0 || gv_graph_phase(g) != GV_TRAIN)
        return a;
    gv_val ones = gv_constant(g, 1, GV_CLASS_REAL, gv_shape(g, a), 3);
    gv_val kept = gv_affine(g, gv_dropout(g, ones, p, false), 1 - p, 0);
    gv_val most = gv_reduce(g, GV_MAX, gv_detach(g, gv_add(g, a, barred(g, b->mask, padding))), 1u << 2, true, GV_CLASS_REAL);
    gv_val behind = gv_sub(g, most, gv_detach(g, a));                /* 0 for the largest */
    gv_val first = gv_affine(g, cut01(g, gv_affine(g, behind, 1e30, 0)), -1, 1);
    kept = cut01(g, gv_add(g, kept, first));
    return gv_add(g, a, barred(g, kept, left_out));
}

static void project(gv_graph *g, struct bag *b, const gv_head_in *in)
{
    static const int64_t widths[][2] = { { 256, 128 }, { 512, 256 }, { 512, 384 } };
    const struct gv_clam *o = b->o;
    gv_val x = in->x;
    int at = 0;
    gv_enter(g, "attention_net");
    if (o->feature_prep) {
        gv_enter(g, "%d", at++);
        x = gv_layer_norm(g, x, "layer_norm", .eps = o->layer_norm_eps);
        x = o->l2_normalize_features ? unit(g, x) : x;
        gv_leave(g);
    }
    char name[16];
    snprintf(name, sizeof name, "%d", at);
    b->hidden = widths[o->size_arg][0];
    b->h = dropped(g, gv_relu(g, gv_linear(g, x, name, .out = b->hidden, .bias = true)), o->dropout); /* [N,L,H] */
    at += o->dropout > 0 || o->preset == GV_CLAM_ORIGINAL ? 3 : 2;
    gv_enter(g, "%d", at);
    gv_val a = gv_permute(g, attend(g, o, b->h, widths[o->size_arg][1], b->branches), (int[]){ 0, 2, 1 }); /* [N,B,L] */
    gv_leave(g);
    gv_leave(g);
    gv_val mask = in->mask == GV_NO_VAL ? gv_constant(g, 1, GV_CLASS_REAL, (int64_t[]){ b->n, b->l }, 2) : in->mask;
    b->mask = gv_reshape(g, mask, (int64_t[]){ b->n, 1, b->l }, 3);
    b->size = gv_reduce(g, GV_SUM, mask, 2, true, GV_CLASS_STAT);
    a = drop_attention(g, b, a);
    b->a = gv_add(g, a, barred(g, b->mask, padding));
    b->low = gv_add(g, gv_affine(g, a, -1, 0), barred(g, b->mask, padding));
}

/* ---- logits ---- */

/* x [R,H] -> [R,out]: linear, or cosines. */
static gv_val classify(gv_graph *g, const struct gv_clam *o, gv_val x, const char *name, int64_t out)
{
    if (!o->cosine_head)
        return gv_linear(g, x, name, .out = out, .bias = true);
    int64_t shape[2] = { out, gv_dim(g, x, -1) };
    gv_enter(g, "%s", name);
    gv_val w = gv_param(g, "weight", shape, 2, "normal 1");
    gv_leave(g);
    return gv_matmul(g, unit(g, x), unit(g, w), GV_NO_VAL, false, true, o->cosine_scale);
}

/* m [R,B,H] -> [R,classes]. */
static gv_val bag_logits(gv_graph *g, const struct bag *b, gv_val m)
{
    int64_t rows = gv_dim(g, m, 0), flat[2] = { rows, b->hidden };
    if (b->branches == 1 && b->o->variant == GV_CLAM_SB)
        return classify(g, b->o, gv_reshape(g, m, flat, 2), "classifiers", b->classes);
    gv_val all = GV_NO_VAL;
    for (int64_t c = 0; c < b->classes; c++) {
        char name[40];
        snprintf(name, sizeof name, "classifiers.%d", (int)c);
        gv_val one = classify(g, b->o, gv_reshape(g, gv_slice(g, m, 1, c, 1), flat, 2), name, 1);
        all = c ? gv_concat(g, (gv_val[]){ all, one }, 2, 1) : one;
    }
    return all;
}

/* What the topk_k most attended instances of each branch say, with noise on their features: [N,B,H]. As many as the shortest bag of the batch
 * has are used. */
static gv_val few(gv_graph *g, const struct bag *b)
{
    int64_t k = gv_min64(b->o->topk_k, b->l), rows = b->n * b->branches;
    gv_val at = gv_topk(g, b->a, k); /* [N,B,k] */
    gv_val p = gv_softmax(g, gv_affine(g, b->a, 1 / b->o->topk_tau, 0));
    p = gv_gather(g, gv_reshape(g, p, (int64_t[]){ rows, b->l }, 2), gv_reshape(g, at, (int64_t[]){ rows, k }, 2)); /* [N B,k] */
    gv_val shortest = gv_affine(g, gv_reduce(g, GV_MAX, gv_affine(g, b->size, -1, 0), 3, true, GV_CLASS_STAT), -1, 0);
    p = gv_mul(g, p, cut01(g, gv_sub(g, shortest, counted(g, k))));
    p = gv_div(g, p, gv_affine(g, gv_reduce(g, GV_SUM, p, 2, true, GV_CLASS_STAT), 1, 1e-8));
    gv_val x = gv_gather(g, b->h, gv_reshape(g, at, (int64_t[]){ b->n, b->branches * k }, 2)); /* [N,B k,H] */
    x = gv_reshape(g, gv_noise(g, x, b->o->topk_noise_std), (int64_t[]){ rows, k, b->hidden }, 3);
    x = gv_matmul(g, gv_reshape(g, p, (int64_t[]){ rows, 1, k }, 3), x, GV_NO_VAL, false, false, 1); /* [N B,1,H] */
    return gv_reshape(g, x, (int64_t[]){ b->n, b->branches, b->hidden }, 3);
}

/* ---- the instance loss ---- */

struct chosen {
    int64_t k;
    gv_val there;      /* [N,k] STAT 1: the bag has this one, 0: it is too short */
    gv_val share;      /* [N,k] STAT there / sum */
    gv_val hot;        /* [N,classes] STAT, zeros for a bag without label */
    gv_val labelled;   /* [N,1] STAT */
    gv_val bags;       /* [1] STAT labelled bags */
};

static struct chosen choose(gv_graph *g, const struct bag *b, gv_val target)
{
    struct chosen s = { .k = gv_min64(b->o->k_sample, b->l) };
    gv_val j = counted(g, s.k);
    if (b->o->preset == GV_CLAM_ORIGINAL) /* at most half of the bag, at least one: 0, 3, 5, 7 … instances must be beyond */
        j = gv_add(g, gv_affine(g, j, 2, 0), cut01(g, j));
    s.there = cut01(g, gv_sub(g, b->size, j));
    s.share = gv_div(g, s.there, gv_reduce(g, GV_SUM, s.there, 2, true, GV_CLASS_STAT));
    s.hot = gv_one_hot(g, target, b->classes, 0);
    s.labelled = gv_reduce(g, GV_SUM, s.hot, 2, true, GV_CLASS_STAT);
    s.bags = gv_affine(g, sum_all(g, s.labelled), 1, 1e-30);
    return s;
}

/* [N,k] twice -> [N,k,2], the columns of class 0 and 1. */
static gv_val columns(gv_graph *g, const struct chosen *s, int64_t n, gv_val zero, gv_val one)
{
    int64_t shape[3] = { n, s->k, 1 };
    return gv_concat(g, (gv_val[]){ gv_reshape(g, zero, shape, 3), gv_reshape(g, one, shape, 3) }, 2, 2);
}

/*
 * The loss of one class's classifier, summed over the bags: rows are the chosen instances, soft targets carry each row's share of the mean.
 * The cross-entropy op takes the mean over the rows whose target is not zero; times their number it is the sum.
 */
static gv_val of_class(gv_graph *g, const struct bag *b, const struct chosen *s, int64_t c)
{
    bool all = b->o->subtyping;
    int64_t branch = gv_min64(c, b->branches - 1), flat[2] = { b->n, b->l }, wide[2] = { b->n, s->k }, rows[2] = { 2 * b->n * s->k, 2 };
    gv_val top = gv_topk(g, gv_reshape(g, gv_slice(g, b->a, 1, branch, 1), flat, 2), s->k);
    gv_val bottom = gv_topk(g, gv_reshape(g, gv_slice(g, b->low, 1, branch, 1), flat, 2), s->k);
    gv_val x = gv_gather(g, b->h, gv_concat(g, (gv_val[]){ top, bottom }, 2, 1)); /* [N,2k,H] */
    char name[48];
    snprintf(name, sizeof name, "instance_classifiers.%d", (int)c);
    gv_val z = gv_linear(g, x, name, .out = 2, .bias = true); /* [N,2k,2] */
    gv_val in = gv_broadcast(g, gv_slice(g, s->hot, 1, c, 1), wide, 2), none = gv_affine(g, in, 0, 0);
    gv_val out = all ? gv_sub(g, gv_broadcast(g, s->labelled, wide, 2), in) : none, half = gv_affine(g, gv_mul(g, in, s->share), 0.5, 0);
    gv_val t = gv_concat(g, (gv_val[]){ columns(g, s, b->n, gv_mul(g, out, s->share), half), columns(g, s, b->n, half, none) }, 2, 1);
    if (b->o->instance_loss == GV_CLAM_SVM) { /* a margin of 1 on the other class */
        gv_val top_margin = columns(g, s, b->n, in, gv_affine(g, in, -1, 1)), bottom_margin = columns(g, s, b->n, none, gv_affine(g, none, 1, 1));
        z = gv_add(g, z, gv_concat(g, (gv_val[]){ top_margin, bottom_margin }, 2, 1));
    }
    gv_val count = sum_all(g, gv_mul(g, gv_add(g, gv_affine(g, in, 2, 0), out), s->there));
    return gv_mul(g, gv_cross_entropy(g, gv_reshape(g, z, rows, 2), gv_reshape(g, t, rows, 2)), count);
}

/* The classifiers are part of the network whether their loss is used or not, as in the published checkpoints. */
static void unused_classifiers(gv_graph *g, const struct bag *b)
{
    for (int64_t c = 0; c < b->classes; c++) {
        char bias[GV_INIT_TEXT];
        gv_enter(g, "instance_classifiers.%d", (int)c);
        gv_param(g, "weight", (int64_t[]){ 2, b->hidden }, 2, "kaiming_uniform_a5");
        gv_param(g, "bias", (int64_t[]){ 2 }, 1, gv_init_bias(bias, b->hidden));
        gv_leave(g);
    }
}

static gv_val instances(gv_graph *g, const struct bag *b, gv_val target)
{
    struct chosen s = choose(g, b, target);
    gv_val sum = GV_NO_VAL;
    for (int64_t c = 0; c < b->classes; c++) {
        gv_val one = of_class(g, b, &s, c);
        sum = c ? gv_add(g, sum, one) : one;
    }
    return gv_affine(g, gv_div(g, sum, s.bags), b->o->subtyping ? 1 / (double)b->classes : 1, 0);
}

/* ---- the head ---- */

static gv_val build(gv_graph *g, const gv_head_in *in, const gv_head_options *options)
{
    const struct gv_clam *o = (const struct gv_clam *)options;
    if (gv_graph_error(g))
        return GV_NO_VAL;
    if (gv_ndim(g, in->x) != 3)
        return gv_graph_fail(g, "a bag has the shape [N,L,D], not %d dimensions", gv_ndim(g, in->x));
    struct bag b = { .o = o, .n = gv_dim(g, in->x, 0), .l = gv_dim(g, in->x, 1), .classes = o->out_dim, .branches = o->variant == GV_CLAM_SB ? 1 : o->out_dim };
    project(g, &b, in);
    gv_val w = gv_softmax(g, b.a), m = gv_matmul(g, w, b.h, GV_NO_VAL, false, false, 1), aux = GV_NO_VAL, logits; /* [N,B,H] */
    if (gv_graph_phase(g) == GV_EVAL)
        gv_output(g, "attention", w);
    if (in->aux && o->stochastic_topk && o->topk_consistency_weight > 0) { /* both pass the same classifiers */
        gv_val both = bag_logits(g, &b, gv_concat(g, (gv_val[]){ m, few(g, &b) }, 2, 0));
        logits = gv_slice(g, both, 0, 0, b.n);
        aux = gv_affine(g, gv_mse(g, gv_slice(g, both, 0, b.n, b.n), gv_detach(g, logits)), o->topk_consistency_weight, 0);
    } else
        logits = bag_logits(g, &b, m);
    if (in->aux && in->target != GV_NO_VAL && o->instance_eval && o->instance_loss_weight > 0) {
        gv_val one = gv_affine(g, instances(g, &b, in->target), o->instance_loss_weight, 0);
        aux = aux == GV_NO_VAL ? one : gv_add(g, aux, one);
    } else
        unused_classifiers(g, &b);
    if (aux != GV_NO_VAL)
        gv_output(g, "aux_loss", aux);
    return logits;
}

static double loss_weight(const gv_head_options *o)
{
    return ((const struct gv_clam *)o)->bag_loss_weight;
}

static const char *loss(const gv_head_options *o)
{
    return ((const struct gv_clam *)o)->bag_loss == GV_CLAM_SVM ? "smooth_svm" : NULL;
}

const gv_head gv_head_clam = { .variant = &gv_head_variant_clam, .takes = GV_HEAD_BAG, .own_name = true, .build = build, .loss_weight = loss_weight, .loss = loss };
