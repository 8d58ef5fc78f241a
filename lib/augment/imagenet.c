/* imagenet: policies of imagenet. Numbers are those of GloViTa's Python original, which uses torchvision's transforms. */
#include "augment/augment.h"

#define STATS "mean=0.485,0.456,0.406 std=0.229,0.224,0.225"
#define CROP "scale_min=0.08 scale_max=1 ratio_min=0.75 ratio_max=1.3333333333333333 "
#define RRC { "random_resized_crop", "size=$image_size scale_min=$scale_min scale_max=$scale_max ratio_min=$ratio_min ratio_max=$ratio_max interpolation=$interpolation" }

static const gv_policy_step baseline[] = { RRC, { "hflip", "p=$hflip" }, { NULL, NULL } };
static const gv_policy_step randaugment[] = { RRC, { "hflip", "p=$hflip" }, { "randaugment", "p=$randaugment" }, { NULL, NULL } };
static const gv_policy_step centre[] = { { "center_crop", "size=$image_size" }, { NULL, NULL } };

static const gv_policy policies[] = {
    { .name = "baseline", .summary = "random resized crop, mirror", .keys = "image_size=224 interpolation=bilinear " CROP "hflip=0.5 " STATS, .steps = baseline },
    { .name = "randaugment_448", .summary = "baseline at 448 pixels, two random operations",
      .keys = "image_size=448 interpolation=bilinear " CROP "hflip=0.5 randaugment=0.5 " STATS, .steps = randaugment },
    { .name = "default_448", .summary = "central crop of 448 pixels", .keys = "image_size=448 " STATS, .steps = centre },
    { .name = NULL },
};

const gv_policy_set gv_policies_imagenet = { .datasets = (const char *const[]){ "imagenet", NULL }, .policies = policies };
