/* adapter: what a method of fine-tuning trains, in files that the Python library peft loads; and such files of the library.
 * adapter_model.safetensors holds base_model.model.<name>; the bias of an adapted module stands below its base_layer, as peft wraps it.
 * Source: huggingface/peft, docs/source/developer_guides/checkpoint.md. */
#include "common/file.h"
#include "json/json.h"
#include "session/session.h"
#include <errno.h>
#include <sys/stat.h>

/* <module>.lora_A.weight is there: the module is wrapped. */
static bool is_wrapped(const gv_graph *g, const char *module, size_t n)
{
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        if (gv_peft_has_mark(p->mark, "adapter") && !strncmp(p->name, module, n) && p->name[n] == '.')
            return true;
    }
    return false;
}

static int tensors(const gv_network *net, gv_store *s, const char *path, gv_arena *a, gv_err *err)
{
    int count = gv_param_count(net->graph);
    gv_named *t = gv_arena_alloc(a, (size_t)(count + 1) * sizeof *t, err);
    size_t n = 0;
    for (int i = 0; t && i < count; i++) {
        const gv_param_info *p = gv_param_at(net->graph, i);
        if (!gv_peft_trainable(net->method, net->method_params, net->graph, p))
            continue;
        const gv_stored *v = gv_store_find(s, p->name);
        const char *leaf = strrchr(p->name, '.');
        size_t module = leaf ? (size_t)(leaf - p->name) : 0;
        bool wrapped = leaf && !gv_peft_has_mark(p->mark, "adapter") && is_wrapped(net->graph, p->name, module);
        const char *name = wrapped ? gv_arena_printf(a, err, "base_model.model.%.*s.base_layer%s", (int)module, p->name, leaf) : gv_arena_printf(a, err, "base_model.model.%s", p->name);
        if (!v || !name)
            return v ? GV_ESYS : gv_fail(err, GV_EINTERNAL, "the store has no '%s'", p->name);
        t[n] = (gv_named){ name, v->dtype, v->ndim, { 0 }, v->data, v->bytes };
        memcpy(t[n++].shape, v->shape, sizeof v->shape);
    }
    return t ? gv_safetensors_write(path, t, n, NULL, 0, err) : GV_ESYS;
}

/* The modules of which `leaf` is a tensor with that mark, whose name ends in `end`. */
static json_t *modules(const gv_graph *g, const char *leaf, const char *end, const char *mark)
{
    json_t *list = json_array();
    size_t m = strlen(leaf), n = strlen(end);
    for (int i = 0; i < gv_param_count(g) && list; i++) {
        const gv_param_info *p = gv_param_at(g, i);
        size_t len = strlen(p->name);
        if (gv_peft_has_mark(p->mark, mark) && len > n && !strcmp(p->name + len - n, end))
            json_array_append_new(list, json_stringn(p->name, len - m));
    }
    return list;
}

/* adapter_config.json of an adapted graph. */
static json_t *description(const gv_network *net, gv_err *err)
{
    const gv_peft_files *f = net->method->files;
    char rest[512];
    snprintf(rest, sizeof rest, "{%s}", f->rest);
    json_t *j = json_pack("{s:s}", "peft_type", f->type), *more = gv_json_parse(rest, strlen(rest), "the method's own keys", err);
    for (const char *(*k)[2] = f->keys; j && (*k)[0]; k++) {
        const gv_field *field = gv_field_find(net->method->variant->fields, (*k)[1], strlen((*k)[1]));
        json_object_set_new(j, (*k)[0], gv_field_json(field, net->method_params, err));
    }
    json_object_set_new(j, "target_modules", modules(net->graph, f->leaf, f->leaf, "adapter"));
    json_object_set_new(j, "modules_to_save", modules(net->graph, ".weight", ".weight", "classifier"));
    if (f->part[0])
        json_object_set_new(j, f->part[0], modules(net->graph, f->leaf, f->part[1], "adapter"));
    json_object_update(j, more);
    json_decref(more);
    json_object_set_new(j, "base_model_name_or_path", json_null());
    json_object_set_new(j, "task_type", json_null());
    json_object_set_new(j, "inference_mode", json_true());
    if (err->code)
        json_decref(j);
    return err->code ? NULL : j;
}

int gv_adapter_write(const gv_network *net, gv_store *s, const char *dir, gv_err *err)
{
    if (!net->method->files)
        return GV_OK;
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return gv_fail_sys(err, "cannot make '%s'", dir);
    char path[4400];
    gv_arena a = { 0 };
    int r = gv_arena_init(&a, "adapter", (size_t)64 << 20, err);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    if (r == GV_OK)
        r = tensors(net, s, path, &a, err);
    json_t *j = r == GV_OK ? description(net, err) : NULL;
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    if (r == GV_OK)
        r = j ? gv_json_write(path, j, err) : err->code;
    json_decref(j);
    gv_arena_release(&a);
    return r;
}

/* ---- one that the library wrote ---- */

enum { MODULES_MAX = 4096, CONFIG_MAX = 1 << 20 };

int gv_adapter_file(const char *dir, char path[GV_ADAPTER_PATH], gv_err *err)
{
    static const char *const names[] = { "adapter_model.safetensors", "adapter_model.bin" };
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        snprintf(path, GV_ADAPTER_PATH, "%s/%s", dir, names[i]);
        if (gv_file_exists(path))
            return GV_OK;
    }
    return gv_fail(err, GV_EUSAGE, "'--peft.adapter' is '%s', which holds no %s", dir, names[0]);
}

/* One key of adapter_config.json to the field it stands for, unless that was typed. */
static int take(gv_config *c, const gv_peft *m, const char *const key[2], const json_t *v, gv_err *err)
{
    char path[256], text[64];
    const gv_field *f = gv_field_find(m->variant->fields, key[1], strlen(key[1]));
    snprintf(path, sizeof path, "peft.%s", key[1]);
    if (!v || json_is_null(v) || gv_config_typed(c, path) || (f->type == GV_TYPE_BOOL && !json_is_boolean(v))) /* "gaussian": how tensors started that the file holds */
        return GV_OK;
    snprintf(text, sizeof text, "%.17g", json_number_value(v));
    const char *word = json_is_string(v) ? json_string_value(v) : json_is_boolean(v) ? json_is_true(v) ? "true" : "false" : text;
    return gv_config_set(c, path, &word, 1, false, err);
}

/* target_modules may be a pattern; the tensors say which modules it met. */
static int take_targets(gv_config *c, const gv_peft *m, const char *file, gv_err *err)
{
    char path[256];
    snprintf(path, sizeof path, "peft.%s", m->files->targets ? m->files->targets : "");
    if (!m->files->targets || gv_config_typed(c, path))
        return GV_OK;
    gv_weights *w = NULL;
    gv_arena a = { 0 };
    int r = gv_weights_open(&w, file, err);
    r = r == GV_OK ? gv_arena_init(&a, "adapter", (size_t)16 << 20, err) : r;
    const char **words = r == GV_OK ? gv_arena_alloc(&a, MODULES_MAX * sizeof *words, err) : NULL;
    size_t n = 0, k = strlen(m->files->leaf);
    for (size_t i = 0; words && r == GV_OK && i < gv_weights_count(w); i++) {
        const char *name = gv_adapter_name(gv_weights_at(w, i)->name, &a, err);
        size_t len = name ? strlen(name) : 0;
        if (len <= k || strcmp(name + len - k, m->files->leaf))
            continue;
        if (n == MODULES_MAX)
            r = gv_fail(err, GV_EDATA, "'%s' has more than %d adapted modules", file, MODULES_MAX);
        else if (!(words[n++] = gv_arena_printf(&a, err, "%.*s", (int)(len - k), name)))
            r = GV_ESYS;
    }
    if (r == GV_OK && words && !n)
        r = gv_fail(err, GV_EDATA, "'%s' has no tensor whose name ends in '%s'", file, m->files->leaf);
    if (r == GV_OK && words)
        r = gv_config_set(c, path, words, n, false, err);
    gv_weights_close(w);
    gv_arena_release(&a);
    return words ? r : err->code;
}

/* Parts of an adapter that are left out here would make it another one. */
static int complete(const json_t *j, const char *path, gv_err *err)
{
    static const char *const away[] = { "rank_pattern", "alpha_pattern", "layer_replication", "target_parameters", "trainable_token_indices" };
    for (size_t i = 0; i < GV_COUNT(away); i++) {
        const json_t *v = json_object_get(j, away[i]);
        if (v && !json_is_null(v) && (json_object_size(v) || json_array_size(v)))
            return gv_fail(err, GV_EUSAGE, "'%s' has '%s', which is not read here: merge the adapter in Python and give --model.encoder.weights", path, away[i]);
    }
    return GV_OK;
}

int gv_adapter_resolve(gv_config *c, gv_err *err)
{
    const char *dir = c->peft.adapter;
    char path[GV_ADAPTER_PATH], file[GV_ADAPTER_PATH];
    if (!dir)
        return GV_OK;
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    if (!gv_file_exists(path))
        return gv_fail(err, GV_EUSAGE, "'--peft.adapter' is '%s', which holds no adapter_config.json", dir);
    json_t *j = gv_json_read(path, CONFIG_MAX, err);
    if (!j)
        return err->code;
    const char *type = json_string_value(json_object_get(j, "peft_type"));
    const gv_peft *m = type ? gv_peft_of_type(type) : NULL;
    int r = GV_OK;
    if (!m)
        r = gv_fail(err, GV_EUSAGE, "'%s' describes an adapter of type '%s', which is not built yet", path, type ? type : "");
    else if (gv_config_typed(c, "peft.method") && strcmp(c->peft.method->name, m->variant->name))
        r = gv_fail(err, GV_EUSAGE, "'--peft.method' is '%s', and '%s' describes one of '%s'", c->peft.method->name, path, m->variant->name);
    r = r == GV_OK ? complete(j, path, err) : r;
    r = r == GV_OK ? gv_adapter_file(dir, file, err) : r;
    r = r == GV_OK ? gv_config_set(c, "peft.method", &m->variant->name, 1, false, err) : r;
    for (const char *(*k)[2] = m ? m->files->keys : NULL; r == GV_OK && (*k)[0]; k++)
        r = take(c, m, (const char *const *)*k, json_object_get(j, (*k)[0]), err);
    r = r == GV_OK ? take_targets(c, m, file, err) : r;
    json_decref(j);
    return r;
}
