/* encoder: the fields that many kinds of encoder have, read by their names, so that nobody asks which kind it is. */
#include "config/internal.h"

static const void *place(const gv_config *c, const char *name, gv_type type)
{
    const gv_field *f = c->model.encoder && c->model.encoder->fields ? gv_field_find(c->model.encoder->fields, name, strlen(name)) : NULL;
    return f && f->type == type ? (const char *)c->model.encoder_params + f->offset : NULL;
}

gv_encoder gv_config_encoder(const gv_config *c)
{
    gv_encoder e = { .input_channels = 3 };
    if (!c->model.encoder)
        return e;
    const char *const *text;
    const int64_t *channels = place(c, "input_channels", GV_TYPE_I64);
    const bool *pretrained = place(c, "pretrained", GV_TYPE_BOOL);
    const gv_ints *shape = place(c, "input_shape", GV_TYPE_INTS);
    e.name = c->model.encoder->name;
    e.type = (text = place(c, "type", GV_TYPE_STR)) ? *text : e.name;
    e.weights = (text = place(c, "weights", GV_TYPE_STR)) ? *text : NULL;
    e.pretrained = pretrained && *pretrained;
    e.input_channels = channels ? *channels : 3;
    e.input_shape = shape ? *shape : (gv_ints){ 0 };
    e.model_kwargs = place(c, "model_kwargs", GV_TYPE_DICT);
    e.params = c->model.encoder_params;
    e.stored = !strcmp(e.name, "precomputed");
    return e;
}

void gv_config_no_weights(gv_config *c)
{
    const char **text = (const char **)(uintptr_t)place(c, "weights", GV_TYPE_STR);
    if (text)
        *text = NULL;
}
