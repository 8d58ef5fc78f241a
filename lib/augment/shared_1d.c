/* shared_1d: policies every data set of series can use. The changes and their usual numbers are those of Um et al. 2017 and Iwana & Uchida
 * 2021 (arXiv:2007.15951, sections 4 and 6: window slice and window warp help most, permutation can hurt where order matters); how often each
 * is applied is ours. Deviations are for series whose own is 1: the data set normalises before. */
#include "augment/augment.h"

#define JITTER "jitter=0.5 jitter_std=0.03 scaling=0.5 scaling_std=0.1 "
#define WARPS "magnitude_warp=0.3 magnitude_std=0.2 magnitude_knots=4 time_warp=0.3 time_std=0.2 time_knots=4 window_slice=0.3 slice_ratio=0.9 "

static const gv_policy_step level_1[] = {
    { "crop_series", "size=$crop" },
    { NULL, NULL },
};

#define STEPS_2 \
    { "crop_series", "size=$crop random=true" }, \
    { "jitter", "std=$jitter_std p=$jitter" }, \
    { "scaling", "std=$scaling_std p=$scaling" }
#define STEPS_3 \
    STEPS_2, \
    { "magnitude_warp", "std=$magnitude_std knots=$magnitude_knots p=$magnitude_warp" }, \
    { "time_warp", "std=$time_std knots=$time_knots p=$time_warp" }, \
    { "window_slice", "ratio=$slice_ratio p=$window_slice" }

static const gv_policy_step level_2[] = { STEPS_2, { NULL, NULL } };
static const gv_policy_step level_3[] = { STEPS_3, { NULL, NULL } };
static const gv_policy_step level_4[] = {
    STEPS_3,
    { "window_warp", "ratio=$window_ratio shrink=$window_shrink stretch=$window_stretch p=$window_warp" },
    { "permutation", "segments=$segments p=$permutation" },
    { "channel_drop", "p=$channel_drop" },
    { NULL, NULL },
};

static const gv_policy policies[] = {
    { .name = "default", .summary = "as it is, or its middle", .keys = "crop=0", .steps = level_1 },
    { .name = "shared_default_1d", .summary = "as it is, or its middle", .keys = "crop=0", .steps = level_1 },
    { .name = "default_1d_1", .summary = "the same as shared_default_1d", .keys = "crop=0", .steps = level_1 },
    { .name = "default_1d_2", .summary = "random crop, jitter, scaling", .keys = "crop=0 " JITTER, .steps = level_2 },
    { .name = "default_1d_3", .summary = "also magnitude warp, time warp, window slice", .keys = "crop=0 " JITTER WARPS, .steps = level_3 },
    { .name = "default_1d_4", .summary = "also window warp, permutation, channel drop",
      .keys = "crop=0 " JITTER WARPS "window_warp=0.3 window_ratio=0.1 window_shrink=0.5 window_stretch=2 permutation=0.2 segments=5 channel_drop=0.1", .steps = level_4 },
    { .name = NULL },
};

const gv_policy_set gv_policies_shared_1d = { .datasets = NULL, .spatial_dims = 1, .policies = policies };
