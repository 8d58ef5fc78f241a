/* one_of: of the next `of` steps of a policy one is run, each with the same chance; its own chance counts then.
 * Draws: which. Each step draws from its own numbers.
 * Source: batchgeneratorsv2 transforms/utils/random.py (3cb4f07) as behaviour. */
#include "augment/augment.h"

struct one_of { int64_t of; };

static const gv_field fields[] = {
    GV_I64(struct one_of, of, 2, 1, 16, "step", "how many steps there are to choose from"),
    GV_END
};

static int64_t choose(const void *params, gv_rng *rng, int64_t *of)
{
    *of = ((const struct one_of *)params)->of;
    return rng ? (int64_t)gv_rng_below(rng, (uint64_t)*of) : 0;
}

const gv_augment gv_augment_one_of = {
    .name = "one_of", .summary = "run one of the steps that follow",
    .fields = fields, .params_size = sizeof(struct one_of), .choose = choose,
};
