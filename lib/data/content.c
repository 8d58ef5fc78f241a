/* content: the kinds of samples there are, and all that depends on the kind alone. */
#include "data/data.h"
#include <string.h>

static const gv_content kinds[] = {
    { .name = "image", .axes = "[H,W,C]", .sides = 2, .side = 224, .policy_dims = 2, .dtype = GV_U8 },
    { .name = "volume", .axes = "[D,H,W,C]", .sides = 3, .side = 128, .policy_dims = 3, .dtype = GV_F32T },
    { .name = "video", .axes = "[T,H,W,C]", .clips = true, .folders = true, .sides = 2, .side = 224, .policy_dims = 2, .dtype = GV_U8 },
    { .name = "series", .axes = "[T,C]", .clips = true, .policy_dims = 1, .dtype = GV_F32T },
    { .name = "vector", .axes = "[D]", .dtype = GV_F32T },
    { .name = "bag", .axes = "[N,D]", .dtype = GV_F32T, .ragged = true },
};

const gv_content *gv_content_find(const char *name)
{
    for (size_t i = 0; name && i < GV_COUNT(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}
