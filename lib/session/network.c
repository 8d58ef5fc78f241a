/* network: encoder, aggregation, head and loss of a configuration, as one graph. */
#include "session/session.h"
#include "json/json.h"
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"

gv_precision gv_session_precision(int p)
{
    return p == GV_PRECISION_FP64 ? GV_FP64 : p == GV_PRECISION_BF16 ? GV_MIXED_BF16 : GV_FP32;
}

static gv_class input_class(gv_dtype t, gv_err *err)
{
    switch (t) {
    case GV_U8: return GV_CLASS_U8;
    case GV_U16: return GV_CLASS_U16;
    case GV_I16: return GV_CLASS_I16;
    case GV_F32T: return GV_CLASS_F32;
    default: gv_fail(err, GV_EDATA, "samples of type %s are not taken by the engine; allowed are uint8, uint16, int16, float32", gv_dtype_of(t)->name); return GV_CLASS_F32;
    }
}

/* Raw values to normalised ones: (x * scale - mean) / std with the facts of the stream. */
static gv_val input(gv_network *net, const gv_facts *f, int64_t batch, unsigned what, gv_val *lam, gv_val *perm, gv_err *err)
{
    int64_t shape[GV_MAX_DIMS] = { batch };
    memcpy(shape + 1, f->shape, (size_t)f->ndim * sizeof *shape);
    gv_graph *g = net->graph;
    gv_val x = gv_input(g, "x", input_class(f->dtype, err), shape, f->ndim + 1);
    static const double zero = 0, one = 1;
    x = f->channels ? gv_normalize(g, x, f->scale, f->mean, f->std, f->channels) : gv_normalize(g, x, f->scale, &zero, &one, 1);
    *lam = *perm = GV_NO_VAL;
    if (what & GV_NET_MIX) {
        *lam = gv_input(g, "lam", GV_CLASS_F32, (int64_t[]){ 1 }, 1);
        *perm = gv_input(g, "perm", GV_CLASS_I32, &batch, 1);
        x = gv_mix(g, x, *lam, *perm);
    }
    return x;
}

static int model_options(const gv_dict *kwargs, gv_model_options *o, gv_arena *arena, gv_err *err)
{
    int r = gv_fields_default(gv_model_option_fields, o, arena, err);
    for (size_t i = 0; kwargs && i < kwargs->n && r == GV_OK; i++) {
        const gv_field *field = gv_field_find(gv_model_option_fields, kwargs->key[i], strlen(kwargs->key[i]));
        if (!field)
            return gv_fail(err, GV_EUSAGE, "unknown key '%s' in 'model.encoder.model_kwargs'", kwargs->key[i]);
        json_t *v = gv_json_parse(kwargs->json[i], strlen(kwargs->json[i]), "model.encoder.model_kwargs", err);
        r = v ? gv_field_set_json(field, o, "model.encoder.model_kwargs", v, arena, err) : err->code;
        json_decref(v);
    }
    return r;
}

/* What comes of the encoder; stored features as they are. */
static gv_features encode(gv_network *net, const gv_config *c, gv_val x, gv_err *err)
{
    if (!net->encoder)
        return (gv_features){ .kind = GV_VECTOR, .value = x };
    gv_encoder e = gv_config_encoder(c);
    gv_model_options o;
    if (model_options(e.model_kwargs, &o, &net->arena, err) < 0)
        return (gv_features){ .value = GV_NO_VAL };
    o.params = e.params;
    gv_features f = gv_model_build(net->graph, &net->model, &o, x);
    net->kind = f.kind;
    memcpy(net->grid, f.grid, sizeof net->grid);
    return f;
}

/* One vector a sample. */
static gv_val pool(gv_network *net, const gv_config *c, const gv_features *f)
{
    gv_graph *g = net->graph;
    gv_aggregation method = (gv_aggregation)c->model.feature_aggregation_method;
    if (net->encoder)
        return gv_pool(g, &net->model, f, method, gv_config_typed(c, "model.feature_aggregation_method"), &net->aggregation);
    if (!gv_graph_error(g) && gv_ndim(g, f->value) != 2)
        return gv_graph_fail(g, "stored features of %d dimensions need a head for bags (--model.head.head_type clam, mil_mean or mil_max)", gv_ndim(g, f->value) - 1);
    return gv_aggregate(g, f, method, false, &net->aggregation);
}

/* The head of the configuration and its options with the number of outputs; NULL: err is filled. */
static const gv_head *find_head(gv_network *net, const gv_config *c, const gv_facts *f, gv_head_options **o, gv_err *err)
{
    const gv_head *h = gv_head_find(c->model.head->name);
    if (!h) {
        gv_fail(err, GV_EUSAGE, "the head '%s' is not built yet", c->model.head->name);
        return NULL;
    }
    *o = gv_arena_alloc(&net->arena, h->variant->params_size, err); /* with what the head has of its own behind */
    if (!*o)
        return NULL;
    memcpy(*o, c->model.head_params, h->variant->params_size);
    (*o)->out_dim = f->num_classes;
    return h;
}

/* The instances of a bag and which of them are there. */
static void bags(gv_network *net, const gv_facts *f, int64_t batch, const char *head, gv_head_in *in)
{
    static const double zero = 0, one = 1;
    gv_graph *g = net->graph;
    if (net->encoder || !f->bags)
        gv_graph_fail(g, "the head '%s' takes bags of stored features; these are %s", head, net->encoder ? "samples of an encoder" : "single vectors (bag_ptr or bag_lengths make bags of them)");
    else
        in->mask = gv_normalize(g, gv_input(g, "mask", GV_CLASS_U8, (int64_t[]){ batch, f->shape[0] }, 2), 1, &zero, &one, 1);
}

static gv_val target(gv_network *net, const gv_facts *f, int64_t batch)
{
    int64_t rows = f->framewise ? batch * f->shape[0] : batch;
    if (f->subtask == GV_SUBTASK_MULTICLASS)
        return gv_input(net->graph, "y", GV_CLASS_I64, &rows, 1);
    return gv_input(net->graph, "y", GV_CLASS_F32, (int64_t[]){ batch, f->num_classes }, 2);
}

/* The loss of the logits, and that of the head's own beside it. */
static gv_val loss(gv_network *net, const gv_config *c, const gv_facts *f, const gv_head *h, const gv_head_options *o, gv_val logits, const gv_loss_inputs *in, gv_err *err)
{
    static const char *const units[] = { "cross_entropy", "bce", "mse" };
    gv_graph *g = net->graph;
    bool train = gv_graph_phase(g) == GV_TRAIN;
    const char *unit = h->loss && f->subtask == GV_SUBTASK_MULTICLASS ? h->loss(o) : NULL;
    /* Smoothing and weights belong to training: the validation loss is that of the plain targets. */
    gv_loss_options lo = { .label_smoothing = train ? c->task.label_smoothing : 0 };
    if (train && gv_session_class_weights(c, f->num_classes, &net->arena, &lo.class_weights, err) < 0)
        return GV_NO_VAL;
    gv_val v = gv_loss_find(unit ? unit : units[f->subtask])->build(g, logits, in, &lo);
    gv_val aux = gv_find_output(g, "aux_loss");
    if (aux == GV_NO_VAL)
        return v;
    return gv_add(g, gv_affine(g, v, h->loss_weight ? h->loss_weight(o) : 1, 0), aux);
}

/* Features to outputs. */
static void decide(gv_network *net, const gv_config *c, const gv_facts *f, int64_t batch, unsigned what, const gv_features *e, gv_loss_inputs *l, gv_err *err)
{
    gv_graph *g = net->graph;
    gv_head_options *o;
    const gv_head *h = find_head(net, c, f, &o, err);
    if (!h)
        return;
    gv_head_in in = { .x = e->value, .mask = GV_NO_VAL, .target = GV_NO_VAL, .features = e, .frames = f->ndim == 4 ? f->shape[0] : 0, .one_class = f->subtask == GV_SUBTASK_MULTICLASS,
                      .axes = net->encoder ? net->model.family->classifier_axes : 0 };
    if (h->framewise != f->framewise) {
        gv_graph_fail(g, f->framewise ? "the head '%s' gives one answer for a clip; labels of frames need framewise_decoder_1d (--model.head.head_type)"
                                      : "the head '%s' gives an answer for each frame; it needs labels of frames (--data.subtask framewise)", h->variant->name);
        return;
    }
    if (h->takes == GV_HEAD_BAG)
        bags(net, f, batch, h->variant->name, &in);
    else if (h->takes == GV_HEAD_VECTOR)
        in.x = pool(net, c, e);
    if (what & GV_NET_LOSS)
        l->target = target(net, f, batch);
    in.aux = what & GV_NET_LOSS && !(what & GV_NET_MIX) && gv_graph_phase(g) == GV_TRAIN;
    if (in.aux && f->subtask == GV_SUBTASK_MULTICLASS)
        in.target = l->target;
    net->features = gv_graph_error(g) ? 0 : gv_dim(g, in.x, -1);
    gv_val logits = gv_head_build_on(g, h, &in, net->classifier, o);
    gv_output(g, "logits", logits);
    if (what & GV_NET_LOSS) {
        net->loss = loss(net, c, f, h, o, logits, l, err);
        gv_output(g, "loss", net->loss);
    }
}

static int build(gv_network *net, const gv_config *c, const gv_facts *f, int64_t batch, unsigned what, gv_err *err)
{
    gv_graph *g = net->graph;
    net->classifier = "head";
    const gv_head *h = gv_head_find(c->model.head->name);
    net->own_head = h && h->own_name;
    gv_encoder e = gv_config_encoder(c);
    net->encoder = !e.stored;
    if (net->encoder) {
        int r = gv_model_find_in(e.name, e.type, &net->model, err);
        if (r < 0)
            return r;
        net->classifier = net->model.classifier;
    }
    net->method = gv_peft_find(c->peft.method->name);
    if (!net->method)
        return gv_fail(err, GV_EUSAGE, "the method '%s' is not built yet", c->peft.method->name);
    net->method_params = c->peft.params;
    int r = gv_peft_prepare(net->method, net->method_params, g, err);
    if (r < 0)
        return r;
    gv_loss_inputs l;
    gv_val x = input(net, f, batch, what, &l.lam, &l.perm, err);
    gv_features features = encode(net, c, x, err);
    if (err->code == GV_OK && !gv_graph_error(g)) {
        if (what & GV_NET_FEATURES) {
            gv_val v = pool(net, c, &features);
            net->features = gv_graph_error(g) ? 0 : gv_dim(g, v, -1);
            gv_output(g, "features", v);
        } else
            decide(net, c, f, batch, what, &features, &l, err);
    }
    return err->code ? err->code : gv_peft_adapt(net->method, net->method_params, g, err);
}

int gv_network_build(gv_network **out, const gv_config *c, const gv_facts *f, int64_t batch, gv_phase phase, unsigned what, gv_err *err)
{
    *out = NULL;
    gv_network *net = gv_alloc(sizeof *net, err);
    if (!net)
        return GV_ESYS;
    net->loss = GV_NO_VAL;
    int r = gv_arena_init(&net->arena, "network", (size_t)1 << 30, err);
    if (r == GV_OK && !(net->graph = gv_graph_new(&net->arena, phase, err)))
        r = err->code ? err->code : GV_ESYS;
    if (r == GV_OK)
        r = build(net, c, f, batch, what, err);
    if (r < 0) {
        gv_network_close(net);
        return r;
    }
    *out = net;
    return GV_OK;
}

void gv_network_close(gv_network *net)
{
    if (!net)
        return;
    gv_arena_release(&net->arena);
    gv_free(net);
}

int gv_network_differentiate(gv_network *net, gv_err *err)
{
    gv_peft_choice choice = { net->method, net->method_params, net->graph };
    return gv_differentiate(net->graph, net->loss, gv_peft_trains, &choice, err);
}

void gv_network_count(const gv_network *net, int64_t *all, int64_t *trained)
{
    *all = *trained = 0;
    for (int i = 0; i < gv_param_count(net->graph); i++) {
        const gv_param_info *p = gv_param_at(net->graph, i);
        if (p->buffer)
            continue;
        int64_t n = gv_shape_count(p->shape, p->ndim);
        *all += n;
        if (gv_peft_trainable(net->method, net->method_params, net->graph, p))
            *trained += n;
    }
}
