/* shared_3d: policies every data set of volumes can use. Numbers are those of GloViTa's Python original, which built them on
 * batchgeneratorsv2 and nnU-Net (default_nnunet_DA5: nnU-Net's DA5 but for its rotation and scaling). */
#include "augment/augment.h"

#define PATCH "patch_size=128,128,128 "
#define SPATIAL "size=$patch_size rotation=$rotation p_rotation=$p_rotation scale_min=$scale_min scale_max=$scale_max p_scale=$p_scale dummy_2d=$dummy_2d"
#define NOISE { "noise", "sigma_max=$noise_max p=$noise" }
#define CONTRAST { "contrast", "factor_min=$contrast_min factor_max=$contrast_max p=$contrast" }
#define BLUR { "blur", "sigma_min=$blur_min sigma_max=$blur_max p=$blur" }
#define BRIGHTNESS { "brightness", "factor_min=$brightness_min factor_max=$brightness_max p=$brightness" }
#define LOW { "low_resolution", "scale_min=$low_min scale_max=$low_max p=$low dummy_2d=$dummy_2d" }
#define MIRROR { "mirror", "p=$mirror" }
#define END { NULL, NULL }

static const gv_policy_step level_1[] = { { "spatial", "size=$patch_size" }, END };
static const gv_policy_step level_2[] = { { "spatial", SPATIAL }, MIRROR, END };
static const gv_policy_step level_3[] = { { "spatial", SPATIAL }, NOISE, CONTRAST, MIRROR, END };
static const gv_policy_step level_4[] = { { "spatial", SPATIAL }, NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW, MIRROR, END };

static const gv_policy_step nnunet[] = {
    { "spatial", SPATIAL }, NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW,
    { "gamma", "gamma_min=$gamma_min gamma_max=$gamma_max p=$gamma" },
    { "gamma", "gamma_min=$gamma_min gamma_max=$gamma_max invert=true p=$gamma_inverted" },
    MIRROR,
    END,
};

static const gv_policy_step da5[] = {
    { "spatial", SPATIAL },
    { "rot90", "p=$rot90" },
    { "transpose_axes", "p=$transpose" },
    { "one_of", "of=2" },
    { "median_filter", "size_min=$median_min size_max=$median_max p=$median p_channel=$channel" },
    { "blur", "sigma_min=$blur_min sigma_max=$blur_max same_axes=true p=$blur p_channel=$channel" },
    NOISE,
    { "brightness_additive", "deviation=$brightness_deviation p=$brightness p_channel=$channel" },
    { "one_of", "of=2" },
    { "contrast", "factor_min=$contrast_min factor_max=$contrast_max preserve_range=true p=$contrast p_channel=$channel" },
    { "contrast", "factor_min=$contrast_min factor_max=$contrast_max preserve_range=false p=$contrast p_channel=$channel" },
    { "low_resolution", "scale_min=$low_min scale_max=$low_max p=$low p_channel=$channel dummy_2d=$dummy_2d" },
    { "gamma", "gamma_min=$gamma_min gamma_max=$gamma_max invert=true p=$gamma_inverted" }, /* twice, as it is there */
    { "gamma", "gamma_min=$gamma_min gamma_max=$gamma_max invert=true p=$gamma_inverted" },
    MIRROR,
    { "blank_rectangle", "count_max=$blank_max p=$blank p_channel=$channel" },
    { "brightness_gradient", "strength_min=$gradient_min strength_max=$gradient_max p=$gradient p_channel=$channel" },
    { "local_gamma", "p=$local_gamma p_channel=$channel" },
    { "sharpening", "strength_min=$sharpening_min strength_max=$sharpening_max p=$sharpening p_channel=$channel" },
    END,
};

static const gv_policy policies[] = {
    { .name = "shared_default_3d", .summary = "the patch in the middle", .keys = PATCH, .steps = level_1 },
    { .name = "default_3d_1", .summary = "the same as shared_default_3d", .keys = PATCH, .steps = level_1 },
    { .name = "default_3d_2", .summary = "small turns and scales, mirrors",
      .keys = PATCH "rotation=0.15 p_rotation=0.2 scale_min=0.95 scale_max=1.05 p_scale=0.15 dummy_2d=never mirror=0.5", .steps = level_2 },
    { .name = "default_3d_3", .summary = "turns, scales, noise, contrast, mirrors",
      .keys = PATCH "rotation=0.25 p_rotation=0.25 scale_min=0.9 scale_max=1.1 p_scale=0.2 dummy_2d=never noise=0.1 noise_max=0.05 contrast=0.1 contrast_min=0.85 contrast_max=1.15 mirror=0.5",
      .steps = level_3 },
    { .name = "default_3d_4", .summary = "the same with blur, brightness, low resolution",
      .keys = PATCH "rotation=0.35 p_rotation=0.3 scale_min=0.8 scale_max=1.2 p_scale=0.25 dummy_2d=never noise=0.12 noise_max=0.08 blur=0.15 blur_min=0.5 blur_max=1 "
              "brightness=0.15 brightness_min=0.8 brightness_max=1.2 contrast=0.15 contrast_min=0.8 contrast_max=1.2 low=0.2 low_min=0.6 low_max=1 mirror=0.5",
      .steps = level_4 },
    { .name = "default_nnunet", .summary = "nnU-Net's steps, with gentler turns",
      .keys = PATCH "rotation=0.5 p_rotation=0.35 scale_min=0.7 scale_max=1.4 p_scale=0.3 dummy_2d=never noise=0.15 noise_max=0.1 blur=0.2 blur_min=0.5 blur_max=1.2 "
              "brightness=0.15 brightness_min=0.75 brightness_max=1.25 contrast=0.15 contrast_min=0.75 contrast_max=1.25 low=0.25 low_min=0.5 low_max=1 "
              "gamma=0.25 gamma_inverted=0.1 gamma_min=0.7 gamma_max=1.5 mirror=0.5",
      .steps = nnunet },
    { .name = "default_nnunet_DA5", .summary = "nnU-Net's strongest steps",
      .keys = PATCH "rotation=0.5 p_rotation=0.4 scale_min=0.7 scale_max=1.43 p_scale=0.2 dummy_2d=anisotropic rot90=0.5 transpose=0.5 median=0.2 median_min=2 median_max=7 "
              "blur=0.2 blur_min=0.3 blur_max=1.5 noise=0.1 noise_max=0.1 brightness=0.1 brightness_deviation=0.5 contrast=0.2 contrast_min=0.5 contrast_max=2 "
              "low=0.15 low_min=0.25 low_max=1 gamma_inverted=0.1 gamma_min=0.7 gamma_max=1.5 mirror=0.5 blank=0.4 blank_max=4 gradient=0.3 gradient_min=1 gradient_max=5 "
              "local_gamma=0.3 sharpening=0.2 sharpening_min=0.1 sharpening_max=1 channel=0.5",
      .steps = da5 },
    { .name = NULL },
};

const gv_policy_set gv_policies_shared_3d = { .datasets = NULL, .spatial_dims = 3, .policies = policies };
