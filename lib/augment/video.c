/* video: how video networks are trained. All frames of a clip are changed alike: a policy for images does the same to a clip.
 * Source: PyTorchVideo's training recipe for Kinetics (short side 256 to 320, crop 224, flip). Testing: shared_default_2d. */
#include "augment/augment.h"

static const gv_policy_step steps[] = {
    { "random_short_side", "size=$resize_size growth=$growth interpolation=$interpolation" },
    { "random_crop", "size=$image_size" },
    { "hflip", "p=$hflip" },
    { NULL, NULL },
};
static const gv_policy policies[] = {
    { .name = "default_video", .summary = "shorter side from resize_size to growth times as much, random crop, flip",
      .keys = "image_size=224 resize_size=256 interpolation=linear growth=1.25 hflip=0.5 mean=0.485,0.456,0.406 std=0.229,0.224,0.225", .steps = steps },
    { .name = NULL },
};
static const char *const datasets[] = { "generic_video_dataset", NULL };

const gv_policy_set gv_policies_video = { .datasets = datasets, .policies = policies };
