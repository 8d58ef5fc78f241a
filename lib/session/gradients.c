/* gradients: what --training.write_gradients leaves. */
#include "session/session.h"

int gv_gradients_write(gv_store *store, const gv_plan *plan, const char *path, gv_err *err)
{
    int n = gv_store_count(store);
    gv_named *t = gv_alloc((size_t)(n + 2) * sizeof *t, err);
    if (!t)
        return GV_ESYS;
    size_t k = 0;
    for (int i = 0; i < n; i++) {
        const gv_stored *s = gv_store_at(store, i);
        if (strncmp(s->name, "grad.", 5))
            continue;
        t[k] = (gv_named){ s->name + 5, s->dtype, s->ndim, { 0 }, s->data, s->bytes };
        memcpy(t[k++].shape, s->shape, sizeof s->shape);
    }
    static const char *const outputs[][2] = { { "logits", "output.logits" }, { "loss", "output.loss" } };
    for (int i = 0; i < 2; i++) {
        const gv_stored *s = gv_plan_output(plan, outputs[i][0]);
        t[k] = (gv_named){ outputs[i][1], s->dtype, s->ndim, { 0 }, s->data, s->bytes };
        memcpy(t[k++].shape, s->shape, sizeof s->shape);
    }
    int r = gv_safetensors_write(path, t, k, NULL, 0, err);
    gv_free(t);
    return r;
}
