/* mnist: policies of mnist and fashion_mnist, 28 pixels a side, grey; digits are not mirrored. Mean and deviation are those
 * of the training images of each. */
#include "augment/augment.h"

#define SIZE "image_size=28 interpolation=bilinear "
#define DIGITS "mean=0.1307 std=0.3081"
#define CLOTHES "mean=0.2860 std=0.3530"

static const gv_policy_step plain[] = { { "center_crop", "size=$image_size" }, { NULL, NULL } };
static const gv_policy_step crop[] = { { "random_crop", "size=$image_size padding=$padding" }, { NULL, NULL } };
static const gv_policy_step crop_flip[] = { { "random_crop", "size=$image_size padding=$padding" }, { "hflip", "p=$hflip" }, { NULL, NULL } };

static const gv_policy digits[] = {
    { .name = "default", .summary = "as it is", .native = true, .keys = SIZE DIGITS, .steps = plain },
    { .name = "baseline", .summary = "random crop with padding", .native = true, .pixels = "padding", .keys = SIZE "padding=4 " DIGITS, .steps = crop },
    { .name = NULL },
};

static const gv_policy clothes[] = {
    { .name = "default", .summary = "as it is", .native = true, .keys = SIZE CLOTHES, .steps = plain },
    { .name = "baseline", .summary = "random crop with padding, mirror", .native = true, .pixels = "padding",
      .keys = SIZE "padding=4 hflip=0.5 " CLOTHES, .steps = crop_flip },
    { .name = NULL },
};

const gv_policy_set gv_policies_mnist = { .datasets = (const char *const[]){ "mnist", NULL }, .policies = digits };
const gv_policy_set gv_policies_fashion_mnist = { .datasets = (const char *const[]){ "fashion_mnist", NULL }, .policies = clothes };
