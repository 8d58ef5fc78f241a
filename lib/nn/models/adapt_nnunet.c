/* adapt: files of nnU-Net and nnssl (OpenMind) to the names of the encoders in them.
 *
 * A U-Net of nnU-Net holds its encoder as encoder.* (and once more as decoder.encoder.*); a pretraining of nnssl as encoder.*, online_encoder.*
 * or under no prefix. The part whose first layers are there is taken, the rest (decoders, projections, mask tokens) has no use. Convolution and
 * norm appear twice, as conv and norm and in a list as all_modules.0 and .1: the second names are left out.
 * Sources: nnU-Net's run/load_pretrained_weights.py and nnssl's AdaptationPlan (key_to_stem, key_to_encoder), for the names. */
#include "nn/models/adapt.h"
#include <string.h>

static const struct kind { const char *stem, *body, *own[2]; } kinds[] = {
    { "stem.convs.0.conv.weight", "stages.0.", { "stem.", "stages." } },
    { "down_projection.proj.weight", "eva.pos_embed", { "down_projection.", "eva." } },
};

static bool starts(const char *name, size_t skip, const char *with)
{
    return strlen(name) >= skip && !strncmp(name + skip, with, strlen(with));
}

/* How much a prefix is wanted, 0 most. */
static int rank(const char *name, size_t prefix)
{
    static const char *const best[] = { "", "encoder.", "online_encoder." };
    int r = 0;
    while (r < (int)GV_COUNT(best) && (prefix != strlen(best[r]) || strncmp(name, best[r], prefix)))
        r++;
    return r;
}

/* The tensor whose name is the wanted prefix and the kind's first layer; NULL: the file has none with a body behind it. */
static const char *first_layer(const gv_load_tensor *t, size_t n, const struct kind *k, size_t *prefix)
{
    const char *found = NULL;
    size_t tail = strlen(k->stem);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(t[i].name), at = len - tail;
        bool body = false;
        if (len < tail || strcmp(t[i].name + at, k->stem) || (at && t[i].name[at - 1] != '.') || (found && rank(found, *prefix) <= rank(t[i].name, at)))
            continue;
        for (size_t j = 0; j < n && !body; j++)
            body = !strncmp(t[j].name, t[i].name, at) && starts(t[j].name, at, k->body);
        if (body) {
            found = t[i].name;
            *prefix = at;
        }
    }
    return found;
}

int gv_convert_nnunet(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err)
{
    const struct kind *k = NULL;
    const char *first = NULL;
    size_t prefix = 0, kept = 0;
    *out = t;
    *m = n;
    for (size_t i = 0; i < GV_COUNT(kinds) && !first; i++)
        if ((first = first_layer(t, n, &kinds[i], &prefix)))
            k = &kinds[i];
    if (!first)
        return GV_OK;
    gv_load_tensor *o = gv_arena_alloc(arena, n * sizeof *o, err);
    for (size_t i = 0; o && i < n; i++) {
        const char *name = t[i].name;
        bool own = !strncmp(name, first, prefix) && (starts(name, prefix, k->own[0]) || starts(name, prefix, k->own[1]));
        bool other = prefix || starts(name, 0, "decoder.") || starts(name, 0, "up_projection.") || !strcmp(name, "mask_token");
        if (strstr(name, ".all_modules.") || (!own && other))
            continue;
        o[kept] = t[i];
        o[kept++].name = own ? name + prefix : name;
    }
    *out = o ? o : t;
    *m = kept;
    return o ? GV_OK : GV_ESYS;
}
