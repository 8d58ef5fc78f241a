/* augmentation: policies and explicit overrides. Policy names are checked by lib/augment, which knows those of a data set. */
#include "config/internal.h"

#define A struct gv_augmentation_config
static const gv_field fields[] = {
    GV_OPT_STR(A, train_policy, "policy in training; data sets bring a default", .takes = GV_TAKES_NAME),
    GV_OPT_STR(A, test_policy, "policy in validation and test; data sets bring a default", .takes = GV_TAKES_NAME),
    GV_OPT_I64(A, image_size, 1, 1 << 16, "pixel", "side of the image the model sees; None: from policy and encoder"),
    GV_OPT_I64(A, resize_size, 1, 1 << 16, "pixel", "side before cropping; None: from policy and encoder"),
    GV_OPT_I64(A, crop_size, 1, 1 << 16, "pixel", "side of the crop, for policies that tell it from image_size"),
    GV_OPT_I64(A, cutout_size, 1, 1 << 16, "pixel", "side of the square that cutout removes"),
    GV_OPT_INTS(A, patch_size, 1, 1 << 16, "pixel", "patch of the encoder or of a volume policy, a number an axis"),
    GV_OPT_F64S(A, mean, -INFINITY, INFINITY, "", "mean of each channel, on the scale 0 to 1; None: from data set or encoder"),
    GV_OPT_F64S(A, std, GV_ABOVE_0, INFINITY, "", "standard deviation of each channel, on the scale 0 to 1; None: from data set or encoder"),
    GV_DICT(A, train_kwargs, "further arguments of the training policy; an unknown key is an error"),
    GV_DICT(A, test_kwargs, "further arguments of the test policy; an unknown key is an error"),
    GV_END
};

const gv_block gv_block_augmentation = {
    .path = "data.augmentation", .summary = "random changes of the samples", .offset = offsetof(gv_config, augmentation), .fields = fields,
};
