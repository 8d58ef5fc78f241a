/* describe: a program's options as JSON, for people and scripts. */
#include "config/internal.h"
#include "json/json.h"

static const char *const type_names[] = { "bool", "int", "uint", "float", "str", "choice", "strs", "ints", "floats", "dict" };

/* [low, high], null where there is no bound. */
static json_t *range(const gv_field *f)
{
    switch (f->type) {
    case GV_TYPE_I64:
    case GV_TYPE_INTS: return json_pack("[o,o]", json_integer(f->lo.i), f->hi.i == INT64_MAX ? json_null() : json_integer(f->hi.i));
    case GV_TYPE_F64:
    case GV_TYPE_F64S: return json_pack("[o,o]", isinf(f->lo.f) ? json_null() : json_real(f->lo.f), isinf(f->hi.f) ? json_null() : json_real(f->hi.f));
    case GV_TYPE_U64: {
        char lo[24], hi[24];
        snprintf(lo, sizeof lo, "%llu", (unsigned long long)f->lo.u);
        snprintf(hi, sizeof hi, "%llu", (unsigned long long)f->hi.u);
        return json_pack("[s,s]", lo, hi);
    }
    default: return json_null();
    }
}

static json_t *choices(const gv_field *f)
{
    json_t *a = f->choices ? json_array() : json_null();
    for (size_t i = 0; f->choices && f->choices[i]; i++)
        json_array_append_new(a, json_string(f->choices[i]));
    return a;
}

/* The choices without an implementation: those of a plain field by its table of built ones, those of a union by its variants. */
static json_t *unbuilt(const gv_field *f, const gv_built *built, const gv_union *uni)
{
    json_t *a = json_array();
    for (size_t i = 0; f->choices && f->choices[i]; i++)
        if (uni ? !uni->variants[i]->built : !gv_choice_built(built, f->name, f->choices[i]))
            json_array_append_new(a, json_string(f->choices[i]));
    return a;
}

static int put_row(json_t *list, const char *path, const gv_field *f, const void *params, bool required, const gv_variant *of, json_t *missing, gv_err *err)
{
    json_t *def = params ? gv_field_json(f, params, err) : json_null();
    json_t *o = json_pack("{s:s,s:s,s:o,s:b,s:b,s:o,s:o,s:o,s:b,s:s,s:s}", "name", path, "type", type_names[f->type], "default", def, "optional", f->optional,
        "required", required, "range", range(f), "choices", choices(f), "unbuilt", missing, "built", !of || of->built, "unit", f->unit, "help", f->help);
    if (o && of)
        json_object_set_new(o, "of", json_string(of->name));
    return o && !json_array_append_new(list, o) ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
}

static int put_rows(json_t *list, const gv_config *c, const gv_command *cmd, const gv_block *b, const gv_field *f, const void *params, const gv_variant *of, gv_err *err)
{
    int r = GV_OK;
    for (; f && f->type != GV_TYPE_END && r == GV_OK; f++) {
        char path[GV_PATH_MAX];
        gv_slot_path(b, f->name, path);
        if (gv_takes(cmd, b, f->name))
            r = put_row(list, path, f, params, of ? gv_in_list(of->required, f->name) : gv_slot_required(c, b, f->name), of, unbuilt(f, b->built, NULL), err);
    }
    return r;
}

/* The discriminator, and the own fields of every variant with their defaults. */
static int put_union(json_t *list, const gv_config *c, const gv_command *cmd, const gv_block *b, gv_err *err)
{
    const char *names[GV_VARIANTS_MAX];
    gv_field row = gv_union_row(b->uni, names, GV_VARIANTS_MAX);
    char path[GV_PATH_MAX];
    int place = -1, r;
    for (size_t i = 0; b->uni->def && names[i]; i++)
        if (!strcmp(names[i], b->uni->def))
            place = (int)i;
    gv_slot_path(b, b->uni->field, path);
    r = put_row(list, path, &row, &place, !b->uni->def, NULL, unbuilt(&row, NULL, b->uni), err);
    for (size_t i = 0; b->uni->variants[i] && r == GV_OK; i++) {
        const gv_variant *v = b->uni->variants[i];
        void *params = v->fields ? gv_arena_alloc(c->arena, v->params_size, err) : NULL;
        if (v->fields)
            r = params ? gv_fields_default(v->fields, params, c->arena, err) : GV_ESYS;
        if (r == GV_OK)
            r = put_rows(list, c, cmd, b, v->fields, params, v, err);
    }
    return r;
}

static int put_all(json_t *list, const gv_config *c, const gv_command *cmd, gv_err *err)
{
    struct gv_front front = { 0 };
    struct gv_driver_options driver = { .progress = true };
    int r = put_rows(list, c, NULL, &gv_block_root, gv_front_fields, &front, NULL, err);
    if (r == GV_OK && cmd)
        r = put_rows(list, c, NULL, &gv_block_root, cmd->driver, &driver, NULL, err);
    for (const gv_field *f = cmd ? cmd->fields : NULL; f && f->type != GV_TYPE_END && r == GV_OK; f++)
        r = put_row(list, f->name, f, c->own, gv_in_list(cmd->required, f->name), NULL, unbuilt(f, cmd->choices, NULL), err);
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        if (b->uni && gv_takes(cmd, b, b->uni->field))
            r = put_union(list, c, cmd, b, err);
        if (r == GV_OK)
            r = put_rows(list, c, cmd, b, b->fields, gv_block_params(c, b), NULL, err);
    }
    return r;
}

json_t *gv_config_describe(const gv_config *c, const gv_command *cmd, gv_err *err)
{
    cmd = cmd ? cmd : c->command;
    json_t *fields = json_array();
    json_t *o = json_pack("{s:s,s:s,s:s?,s:s?,s:s?,s:s?}", "name", gv_config_program(c, cmd), "version", GV_VERSION, "summary", cmd ? cmd->summary : NULL,
        "positional", c->positional, "reads", c->reads, "writes", c->writes);
    int r = o && fields && !json_object_set(o, "fields", fields) ? put_all(fields, c, cmd, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(fields);
    if (r == GV_OK)
        return o;
    json_decref(o);
    return NULL;
}
