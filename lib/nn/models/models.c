/* The families, and looking a name up in them. */
#include "nn/models/models.h"
#include <stdio.h>
#include <string.h>

static const gv_model *const families[] = {
#define GV_MODEL(n) &gv_model_##n,
#include "nn/models/models.def"
#undef GV_MODEL
};

const gv_field gv_model_option_fields[] = {
    GV_F64(gv_model_options, drop_path_rate, 0, 0, 0.99, "probability", "chance that the last residual branch is left out for a sample; rises linearly from 0 at the first"),
    GV_F64(gv_model_options, pos_drop_rate, 0, 0, 0.99, "probability", "dropout after the position embedding"),
    GV_F64(gv_model_options, proj_drop_rate, 0, 0, 0.99, "probability", "dropout after projections in attention and MLP"),
    GV_F64(gv_model_options, attn_drop_rate, 0, 0, 0.99, "probability", "dropout of attention weights"),
    GV_BOOL(gv_model_options, qk_norm, false, "a layer norm over each head's queries and keys"),
    GV_I64(gv_model_options, img_size, 0, 0, 65536, "pixel", "side of the images, as timm takes it; checked against those that come, whatever their size is without it"),
    GV_I64(gv_model_options, spatial_size, 0, 0, 65536, "pixel", "side of the clips that the positions of a mvit are made for, as torchvision takes it; 0: the published one. Other clips interpolate"),
    GV_I64(gv_model_options, temporal_size, 0, 0, 65536, "frame", "the same in time"),
    GV_END
};

static const struct { const char *old, *now; } aliases[] = {
#include "nn/models/alias_table.inc"
};

static const char *variant_name(const gv_model *f, size_t i)
{
    return *(const char *const *)((const char *)f->variants + i * f->variant_size);
}

static bool of_kind(const gv_model *f, const char *encoder)
{
    return !strcmp(f->encoder ? f->encoder : "timm", encoder);
}

const char *gv_model_arch_in(const char *encoder, int i)
{
    size_t k = i < 0 ? SIZE_MAX : (size_t)i;
    for (size_t f = 0; f < GV_COUNT(families); f++) {
        if (!of_kind(families[f], encoder))
            continue;
        if (k < families[f]->variant_count)
            return variant_name(families[f], k);
        k -= families[f]->variant_count;
    }
    return NULL;
}

const char *gv_model_arch(int i)
{
    return gv_model_arch_in("timm", i);
}

/* Up to three names that are near the misspelt one, "did you mean …". */
static int unknown_arch(const char *encoder, const char *arch, gv_err *err)
{
    enum { MOST = 1024 };
    const char *names[MOST];
    size_t n = 0;
    char near[256] = "";
    for (const char *a; n < MOST && (a = gv_model_arch_in(encoder, (int)n)); n++)
        names[n] = a;
    for (int k = 0; k < 3; k++) {
        const char *a = gv_nearest(arch, names, n);
        if (!a)
            break;
        size_t len = strlen(near);
        snprintf(near + len, sizeof near - len, "%s'%s'", k ? ", " : " (did you mean ", a);
        for (size_t i = 0; i < n; i++)
            if (names[i] == a)
                names[i] = names[--n];
    }
    if (!n)
        return gv_fail(err, GV_EUSAGE, "encoders of type '%s' are not built yet", encoder);
    return gv_fail(err, GV_EUSAGE, "'%s' is not a %s architecture that is built here%s%s", arch, encoder, near,
                   *near ? "?)" : strcmp(encoder, "timm") ? "" : ": resnet50, convnext_tiny, vit_base_patch16_224 and their families are");
}

static int unknown_tag(const gv_model *f, const char *arch, const char *tag, gv_err *err)
{
    char list[1500] = "";
    for (size_t i = 0; i < f->cfg_count; i++)
        if (!strcmp(f->cfgs[i].arch, arch) && *f->cfgs[i].tag) {
            size_t len = strlen(list);
            snprintf(list + len, sizeof list - len, "%s%s", *list ? ", " : "", f->cfgs[i].tag);
        }
    if (!*list)
        return gv_fail(err, GV_EUSAGE, "'%s.%s': no weights were published for '%s'; leave the tag out", arch, tag, arch);
    return gv_fail(err, GV_EUSAGE, "'%s.%s': '%s' has no weights named '%s'; there are: %s", arch, tag, arch, tag, list);
}

int gv_model_find(const char *name, gv_model_ref *out, gv_err *err)
{
    return gv_model_find_in("timm", name, out, err);
}

int gv_model_find_in(const char *encoder, const char *name, gv_model_ref *out, gv_err *err)
{
    size_t len = strcspn(name, ".");
    const char *tag = name[len] == '.' ? name + len + 1 : NULL;
    char arch[128];
    memset(out, 0, sizeof *out);
    if (len == 0 || len >= sizeof arch)
        return gv_fail(err, GV_EUSAGE, "'%.200s' is not the name of a model", name);
    memcpy(arch, name, len);
    arch[len] = 0;
    for (size_t f = 0; f < GV_COUNT(families) && !out->family; f++)
        for (size_t i = 0; of_kind(families[f], encoder) && i < families[f]->variant_count; i++)
            if (!strcmp(variant_name(families[f], i), arch)) {
                out->family = families[f];
                out->variant = (const char *)families[f]->variants + i * families[f]->variant_size;
                out->arch = variant_name(families[f], i);
            }
    for (size_t i = 0; i < GV_COUNT(aliases) && !out->family; i++)
        if (!strcmp(aliases[i].old, name) && !strcmp(encoder, "timm"))
            return gv_model_find(aliases[i].now, out, err);
    if (!out->family)
        return unknown_arch(encoder, arch, err);
    const gv_model *m = out->family;
    for (size_t i = 0; i < m->cfg_count && !out->cfg; i++)
        if (!strcmp(m->cfgs[i].arch, arch) && (!tag || !*tag || !strcmp(m->cfgs[i].tag, tag)))
            out->cfg = &m->cfgs[i];
    if (tag && *tag && !out->cfg)
        return unknown_tag(m, arch, tag, err);
    out->num_features = m->num_features ? m->num_features(out->variant) : 0;
    out->patch_size = m->patch_size ? m->patch_size(out->variant) : 0;
    out->classifier = m->classifier_of ? m->classifier_of(out->variant) : m->classifier;
    out->first_conv = m->first_conv_of ? m->first_conv_of(out->variant) : m->first_conv;
    if (out->cfg && !out->cfg->hub)
        snprintf(out->hub, sizeof out->hub, *out->cfg->tag ? "timm/%s.%s" : "timm/%s", out->arch, out->cfg->tag);
    else if (out->cfg)
        snprintf(out->hub, sizeof out->hub, "%s", out->cfg->hub);
    return GV_OK;
}

gv_features gv_model_build(gv_graph *g, const gv_model_ref *m, const gv_model_options *o, gv_val x)
{
    static const gv_model_options none;
    static const char *const shapes[] = { "vectors [N,C]", "series [N,T,C]", "images [N,H,W,C]", "volumes or clips [N,D,H,W,C]" };
    unsigned axes = m->family->axes ? m->family->axes : 1u << 2;
    int have = gv_graph_error(g) ? 0 : gv_ndim(g, x) - 2;
    if (have < 0 || !(axes >> have & 1)) {
        gv_graph_fail(g, "'%s' takes %s; the samples have %d axes with their channels", m->arch, shapes[axes >> 3 & 1 ? 3 : axes >> 2 & 1 ? 2 : 1], have + 1);
        return (gv_features){ .value = GV_NO_VAL };
    }
    if (o && !m->family->transformer && (o->pos_drop_rate > 0 || o->proj_drop_rate > 0 || o->attn_drop_rate > 0 || o->qk_norm)) {
        gv_graph_fail(g, "'%s' is no transformer: of model_kwargs it takes drop_path_rate and img_size alone", m->arch);
        return (gv_features){ .value = GV_NO_VAL };
    }
    if (o && !m->family->made_for_clips && (o->spatial_size || o->temporal_size)) {
        gv_graph_fail(g, "'%s' has no positions of clips: of model_kwargs it does not take spatial_size and temporal_size", m->arch);
        return (gv_features){ .value = GV_NO_VAL };
    }
    if (o && o->img_size && have == 2 && (gv_dim(g, x, 1) != o->img_size || gv_dim(g, x, 2) != o->img_size)) {
        gv_graph_fail(g, "model_kwargs asks for img_size %d, and the images are %d x %d (see --data.augmentation.image_size)", (int)o->img_size, (int)gv_dim(g, x, 1), (int)gv_dim(g, x, 2));
        return (gv_features){ .value = GV_NO_VAL };
    }
    return m->family->build(g, m->variant, o ? o : &none, x);
}
