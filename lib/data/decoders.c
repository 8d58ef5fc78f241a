/* The table of decoders. */
#include "data/decoders.h"

static const gv_decoder *const decoders[] = {
#define GV_DECODER(n) &gv_decoder_##n,
#include "data/decoders.def"
#undef GV_DECODER
};

const gv_decoder *gv_decoder_find(const char *dataset)
{
    for (size_t i = 0; i < GV_COUNT(decoders); i++)
        if (!strcmp(decoders[i]->dataset, dataset))
            return decoders[i];
    return NULL;
}
