/* pretrained: initial values of a network: drawn, then published or given weights on top; and checkpoints read back. */
#include "nn/models/adapt.h"
#include "session/session.h"
#include "weights/weights.h"
#include <inttypes.h>

/* The original registers its modules twice: encoder.model.* and model.*, cls_head.* and head.*; a compiled model adds _orig_mod. in
 * front. Both names mean one tensor; the first is taken, the alias dropped. The head is cls_head.fc.fc (a timm ClassifierHead), or
 * cls_head.net.1 in regression; runs of older versions had one fc less. */
static const char *published_name(const char *name, const char *classifier, gv_arena *arena, bool *alias, gv_err *err)
{
    static const char *const heads[] = { "cls_head.fc.fc.", "cls_head.fc.", "cls_head.net.1." };
    static const char *const aliases[] = { "model.", "head.fc.fc.", "head.fc.", "head.net.1." };
    *alias = false;
    if (!strncmp(name, "_orig_mod.", 10))
        name += 10;
    if (!strncmp(name, "encoder.model.", 14))
        return name + 14;
    for (size_t i = 0; i < GV_COUNT(heads); i++)
        if (!strncmp(name, heads[i], strlen(heads[i])))
            return gv_arena_printf(arena, err, "%s.%s", classifier, name + strlen(heads[i]));
    for (size_t i = 0; i < GV_COUNT(aliases); i++)
        *alias |= !strncmp(name, aliases[i], strlen(aliases[i]));
    return name;
}

/* A model that the Python library peft has wrapped: base_model.model.<module>.base_layer.weight, <module>.lora_A.default.weight. */
const char *gv_adapter_name(const char *name, gv_arena *arena, gv_err *err)
{
    static const char *const wraps[][2] = { { "base_model.model.", "" }, { ".base_layer.", "." }, { "_A.default.", "_A." }, { "_B.default.", "_B." }, { "_magnitude_vector.default.weight", "_magnitude_vector" } };
    for (size_t i = 0; name && i < GV_COUNT(wraps); i++) {
        const char *at = strstr(name, wraps[i][0]);
        if (at)
            name = gv_arena_printf(arena, err, "%.*s%s%s", (int)(at - name), name, wraps[i][1], at + strlen(wraps[i][0]));
    }
    return name;
}

/* The tensors of a file under published names. Files of other tools keep theirs: only one with encoder.model.* keys is rewritten. */
static gv_load_tensor *tensors_of(const gv_weights *w, const char *classifier, size_t *n, gv_arena *arena, gv_err *err)
{
    size_t count = gv_weights_count(w);
    bool original = false;
    for (size_t i = 0; i < count; i++)
        original |= !strncmp(gv_weights_at(w, i)->name, "encoder.model.", 14) || !strncmp(gv_weights_at(w, i)->name, "_orig_mod.encoder.model.", 24);
    gv_load_tensor *t = gv_arena_alloc(arena, (count + 1) * sizeof *t, err);
    *n = 0;
    for (size_t i = 0; i < count && t; i++) {
        const gv_named *from = gv_weights_at(w, i);
        bool alias = false;
        const char *name = original ? published_name(from->name, classifier, arena, &alias, err) : from->name;
        name = gv_adapter_name(name, arena, err);
        if (!name)
            return NULL;
        if (alias)
            continue;
        t[*n] = (gv_load_tensor){ name, from->dtype, from->ndim, { 0 }, from->data };
        memcpy(t[(*n)++].shape, from->shape, sizeof from->shape);
    }
    return t;
}

static bool has_head(const gv_network *net)
{
    const char *key = net->own_head ? "head" : net->classifier;
    size_t n = strlen(key);
    for (int i = 0; i < gv_param_count(net->graph); i++) {
        const char *name = gv_param_at(net->graph, i)->name;
        if (!strncmp(name, key, n) && name[n] == '.')
            return true;
    }
    return false;
}

/* The shape of the volumes a pretraining of nnssl recommends, which is that of its own. */
static void trained_shape(const gv_weights *w, int64_t shape[3])
{
    for (int i = 0; i < 3; i++) {
        char key[80];
        snprintf(key, sizeof key, "nnssl_adaptation_plan.recommended_downstream_patchsize.%d", i);
        const char *v = gv_weights_meta(w, key);
        shape[i] = v ? strtoll(v, NULL, 10) : 0;
        shape[i] = shape[i] > 0 && shape[i] < 1 << 16 ? shape[i] : 0;
    }
}

/* STRICT: a checkpoint. ENCODER: without its head. START: what a training begins with; adapters may be new. ADAPTER: adapters alone. */
typedef enum purpose { STRICT, ENCODER, START, ADAPTER } purpose;

static int load(gv_network *net, gv_store *s, const char *path, purpose why, gv_buf *note, gv_err *err)
{
    gv_weights *w;
    int r = gv_weights_open(&w, path, err);
    if (r < 0)
        return r;
    size_t n, mark = net->arena.used;
    gv_load_tensor *t = tensors_of(w, net->classifier, &n, &net->arena, err);
    const gv_load_tensor *converted = t;
    r = t ? gv_convert_dinov2(t, n, &converted, &n, &net->arena, err) : err->code;
    gv_load_options o = gv_model_load_options(net->encoder ? &net->model : NULL);
    o.classifier = net->classifier;
    o.head = net->own_head ? "head" : NULL;
    memcpy(o.grid, net->grid, sizeof o.grid);
    trained_shape(w, o.shape);
    o.allow_head = why != STRICT;
    o.allow_new = why == START;
    o.adapters_alone = why == ADAPTER;
    gv_load_report report = { 0 };
    if (r == GV_OK)
        r = gv_model_load(s, net->graph, converted, n, &o, &report, err);
    if (r < 0)
        gv_fail_in(err, "'%s'", path);
    else if (note && report.loaded) /* stored features have no encoder */
        r = gv_buf_printf(note, err, why == ADAPTER ? "\nadapter      %d tensors of '%s'%s%s%s" : "weights      %d tensors of '%s'%s%s%s", report.loaded, path, !has_head(net) ? "" : report.head_kept ? "; the head is new" : "; its classifier is taken", *report.note ? "; " : "", report.note);
    gv_arena_rewind(&net->arena, mark);
    gv_weights_close(w);
    return r;
}

int gv_checkpoint_load(gv_network *net, gv_store *s, const char *path, gv_err *err)
{
    int r = gv_store_init(s, net->graph, 0, err);
    return r == GV_OK ? load(net, s, path, STRICT, NULL, err) : r;
}

int gv_checkpoint_load_encoder(gv_network *net, gv_store *s, const char *path, gv_buf *note, gv_err *err)
{
    int r = gv_store_init(s, net->graph, 0, err);
    return r == GV_OK ? load(net, s, path, ENCODER, note, err) : r;
}

int gv_pretrained_find(const gv_config *c, const gv_model_ref *model, bool fetch, gv_arena *arena, const char **path, gv_err *err)
{
    gv_encoder e = gv_config_encoder(c);
    gv_source source = { .path = e.weights };
    *path = NULL;
    if (e.weights) { /* given by hand: used even with no_pretrained */
        int r = gv_weights_locate(&source, arena, path, err);
        return r < 0 ? gv_fail_in(err, "'--model.encoder.weights'") : r;
    }
    if (!e.pretrained)
        return GV_OK;
    if (!model->cfg)
        return gv_fail(err, GV_EUSAGE, "no weights were published for '%s'; give --model.encoder.weights PATH or --model.encoder.no_pretrained", e.type);
    if (!fetch)
        return GV_OK;
    source = (gv_source){ .hf_repo = *model->hub ? model->hub : NULL, .url = model->cfg->url };
    int r = gv_weights_locate(&source, arena, path, err);
    return r < 0 ? gv_fail_in(err, "the pretrained weights of '%s' (--model.encoder.no_pretrained starts without)", e.type) : r;
}

int gv_network_init(gv_network *net, gv_store *s, const gv_config *c, uint64_t seed, gv_buf *note, gv_err *err)
{
    const char *path;
    int r = gv_store_init(s, net->graph, seed, err);
    if (r < 0 || !net->encoder)
        return r;
    r = gv_pretrained_find(c, &net->model, true, &net->arena, &path, err);
    if (r < 0)
        return r;
    if (path)
        r = load(net, s, path, START, note, err);
    else if (note)
        r = gv_buf_printf(note, err, "weights      initial ones, drawn from seed %" PRIu64, seed);
    char file[GV_ADAPTER_PATH];
    if (r == GV_OK && c->peft.adapter)
        r = gv_adapter_file(c->peft.adapter, file, err);
    if (r == GV_OK && c->peft.adapter)
        r = load(net, s, file, ADAPTER, note, err);
    return r == GV_OK ? gv_peft_settle(net->method, net->method_params, net->graph, s, err) : r;
}
