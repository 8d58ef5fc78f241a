/* adapter: what a method of fine-tuning trains, in files that the Python library peft loads.
 * adapter_model.safetensors holds base_model.model.<name>; the bias of an adapted module stands below its base_layer, as peft wraps it.
 * Source: huggingface/peft, docs/source/developer_guides/checkpoint.md. */
#include "common/file.h"
#include "session/session.h"
#include <errno.h>
#include <sys/stat.h>

/* <module>.lora_A.weight is there: the module is wrapped. */
static bool is_wrapped(const gv_graph *g, const char *module, size_t n)
{
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        if (p->mark && !strcmp(p->mark, "adapter") && !strncmp(p->name, module, n) && p->name[n] == '.')
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
        if (p->buffer || !gv_peft_trainable(net->method, net->method_params, p->name, p->mark))
            continue;
        const gv_stored *v = gv_store_find(s, p->name);
        const char *leaf = strrchr(p->name, '.');
        size_t module = leaf ? (size_t)(leaf - p->name) : 0;
        bool wrapped = leaf && !(p->mark && !strcmp(p->mark, "adapter")) && is_wrapped(net->graph, p->name, module);
        const char *name = wrapped ? gv_arena_printf(a, err, "base_model.model.%.*s.base_layer%s", (int)module, p->name, leaf) : gv_arena_printf(a, err, "base_model.model.%s", p->name);
        if (!v || !name)
            return v ? GV_ESYS : gv_fail(err, GV_EINTERNAL, "the store has no '%s'", p->name);
        t[n] = (gv_named){ name, v->dtype, v->ndim, { 0 }, v->data, v->bytes };
        memcpy(t[n++].shape, v->shape, sizeof v->shape);
    }
    return t ? gv_safetensors_write(path, t, n, NULL, 0, err) : GV_ESYS;
}

int gv_adapter_write(const gv_network *net, gv_store *s, const char *dir, gv_err *err)
{
    if (!net->method->config)
        return GV_OK;
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return gv_fail_sys(err, "cannot make '%s'", dir);
    char path[4400];
    gv_arena a = { 0 };
    gv_buf json = { 0 };
    int r = gv_arena_init(&a, "adapter", (size_t)64 << 20, err);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    if (r == GV_OK)
        r = tensors(net, s, path, &a, err);
    if (r == GV_OK)
        r = net->method->config(net->method_params, net->graph, &json, err);
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    if (r == GV_OK)
        r = gv_file_write(path, json.data, json.len, err);
    gv_buf_release(&json);
    gv_arena_release(&a);
    return r;
}
