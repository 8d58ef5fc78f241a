/* generic_image_dataset: images in folders, with labels from folders, JSON or CSV. Facts: GloViTa's own data set of that name (Apache-2.0). */
#include "data/generic.h"

static const gv_field fields[] = { GV_GENERIC_FIELDS("images_dir", "images", "images", ".jpg .jpeg .png .bmp .tif .tiff"), GV_END };
static const char *const required[] = { "data_root_dir", "num_classes", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_2d_2", "augmentation.test_policy", "shared_default_2d", NULL };

const gv_variant gv_dataset_variant_generic_image_dataset = {
    .name = "generic_image_dataset", .class_name = "GenericImageDatasetConfig", .summary = "images in folders with labels from folders, JSON or CSV",
    .fields = fields, .params_size = sizeof(gv_generic_fields), .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_generic_image_dataset = {
    .name = "generic_image_dataset", .content = "image", .variant = &gv_dataset_variant_generic_image_dataset,
    .train_policy = "default_2d_2", .test_policy = "shared_default_2d", .open = gv_generic_open,
};
