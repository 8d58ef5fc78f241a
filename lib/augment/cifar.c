/* cifar: policies of cifar10 and cifar100, 32 pixels a side. Numbers are those of GloViTa's Python original. */
#include "augment/augment.h"

#define STATS "mean=0.4914,0.4822,0.4465 std=0.2023,0.1994,0.2010"
#define CROP { "random_crop", "size=$image_size padding=$padding" }, { "hflip", "p=$hflip" }

static const gv_policy_step plain[] = { { "center_crop", "size=$image_size" }, { NULL, NULL } };
static const gv_policy_step baseline[] = { CROP, { NULL, NULL } };
static const gv_policy_step baseline_cutout[] = { CROP, { "cutout", "size=$cutout_size" }, { NULL, NULL } };
static const gv_policy_step randaugment[] = { CROP, { "randaugment", "p=$randaugment" }, { "cutout", "size=$cutout_size" }, { NULL, NULL } };

static const gv_policy policies[] = {
    { .name = "default", .summary = "as it is", .native = true, .keys = "image_size=32 interpolation=bilinear " STATS, .steps = plain },
    { .name = "baseline", .summary = "random crop with padding, mirror", .native = true, .pixels = "padding",
      .keys = "image_size=32 interpolation=bilinear padding=4 hflip=0.5 " STATS, .steps = baseline },
    { .name = "baseline_cutout", .summary = "baseline and cutout", .native = true, .pixels = "padding cutout_size",
      .keys = "image_size=32 interpolation=bilinear padding=4 hflip=0.5 cutout_size=16 " STATS, .steps = baseline_cutout },
    { .name = "randaugment", .summary = "baseline, two random operations, cutout", .native = true, .pixels = "padding cutout_size",
      .keys = "image_size=32 interpolation=bilinear padding=4 hflip=0.5 randaugment=0.5 cutout_size=16 " STATS, .steps = randaugment },
    { .name = NULL },
};

const gv_policy_set gv_policies_cifar = { .datasets = (const char *const[]){ "cifar10", "cifar100", NULL }, .policies = policies };
