/* shared_2d: policies every data set of images can use. Numbers are those of GloViTa's Python original (ImageNet's mean and
 * deviation); "linear" is the resampling of albumentations, which these policies were written with. */
#include "augment/augment.h"

#define IMAGENET "mean=0.485,0.456,0.406 std=0.229,0.224,0.225"
#define SIZES "image_size=224 resize_size=256 interpolation=linear "

static const gv_policy_step level_1[] = {
    { "smallest_max_size", "size=$resize_size interpolation=$interpolation" },
    { "center_crop", "size=$image_size" },
    { NULL, NULL },
};

static const gv_policy_step level_2[] = {
    { "smallest_max_size", "size=$resize_size interpolation=$interpolation" },
    { "random_crop", "size=$image_size" },
    { "hflip", "p=$hflip" },
    { "vflip", "p=$vflip" },
    { "rotate", "limit=$rotate_limit p=$rotate" },
    { NULL, NULL },
};

static const gv_policy_step level_4[] = {
    { "random_resized_crop", "size=$image_size interpolation=$interpolation scale_min=$scale_min scale_max=$scale_max ratio_min=$ratio_min ratio_max=$ratio_max" },
    { "hflip", "p=$hflip" },
    { "vflip", "p=$vflip" },
    { "rotate", "limit=$rotate_limit p=$rotate" },
    { "color_jitter", "brightness=$brightness contrast=$contrast saturation=$saturation hue=$hue p=$color_jitter" },
    { "gaussian_blur", "size_min=$blur_min size_max=$blur_max p=$blur" },
    { "gauss_noise", "std_min=$noise_min std_max=$noise_max p=$noise" },
    { NULL, NULL },
};

static const gv_policy policies[] = {
    { .name = "default", .summary = "shorter side to resize_size, central crop", .keys = SIZES IMAGENET, .steps = level_1 },
    { .name = "shared_default_2d", .summary = "shorter side to resize_size, central crop", .keys = SIZES IMAGENET, .steps = level_1 },
    { .name = "default_2d_1", .summary = "the same as shared_default_2d", .keys = SIZES IMAGENET, .steps = level_1 },
    { .name = "default_2d_2", .summary = "random crop, flips, small rotations",
      .keys = SIZES "hflip=0.5 vflip=0.2 rotate=0.3 rotate_limit=20 " IMAGENET, .steps = level_2 },
    { .name = "default_2d_4", .summary = "random resized crop, flips, rotations, colours, blur, noise",
      .keys = "image_size=224 interpolation=linear scale_min=0.7 scale_max=1 ratio_min=0.8 ratio_max=1.25 hflip=0.5 vflip=0.5 rotate=0.5 rotate_limit=90 "
              "color_jitter=0.6 brightness=0.2 contrast=0.2 saturation=0.2 hue=0.03 blur=0.15 blur_min=3 blur_max=5 noise=0.15 noise_min=0.01 noise_max=0.04 " IMAGENET,
      .steps = level_4 },
    { .name = NULL },
};

const gv_policy_set gv_policies_shared_2d = { .datasets = NULL, .spatial_dims = 2, .policies = policies };
