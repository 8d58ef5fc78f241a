/* The fields of precomputed_features. Apart from what reads the files, so that a program that takes the fields alone links no HDF5. */
#include "data/data.h"

static const gv_field fields[] = {
    GV_OPT_STR(struct gv_precomputed_features, train_features_file, "HDF5 file with the training features and labels", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct gv_precomputed_features, val_features_file, "HDF5 file with the validation features and labels", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct gv_precomputed_features, test_features_file, "HDF5 file with the test features and labels", .takes = GV_TAKES_FILE),
    GV_END
};
static const char *const required[] = { "num_classes", "train_features_file", "val_features_file", NULL };

const gv_variant gv_dataset_variant_precomputed_features = {
    .name = "precomputed_features", .class_name = "PrecomputedFeaturesConfig", .summary = "features in HDF5 files, one vector or one bag a sample",
    .fields = fields, .params_size = sizeof(struct gv_precomputed_features), .required = required, .built = true,
};
