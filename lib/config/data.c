/* data: which data set, where it lies, how much of it. The data sets are in datasets.c. */
#include "config/internal.h"

static const char *const tasks[] = { "Classification", "Regression", NULL };
static const char *const subtasks[] = { "multiclass", "multilabel", "regression", "framewise", NULL };

static const gv_field fields[] = {
    GV_OPT_STR(struct gv_data_config, data_root_dir, "folder of the data set; all but 'command', 'stored_samples' and 'precomputed_features' need it", .takes = GV_TAKES_DIR),
    GV_OPT_I64(struct gv_data_config, num_classes, 1, 1 << 24, "", "number of classes, or of a regression's outputs. Known data sets bring their own"),
    GV_ENUM(struct gv_data_config, task, GV_TASK_CLASSIFICATION, tasks, "what is predicted"),
    GV_ENUM(struct gv_data_config, subtask, GV_SUBTASK_MULTICLASS, subtasks, "one class a sample, any number of labels a sample, numbers, or one class a frame of a video"),
    GV_OPT_F64(struct gv_data_config, data_fraction, GV_ABOVE_0, 1.0, "fraction", "train on this part of the training split only (the Python GloViTa takes 0.1 for most named data sets; here it is always all)"),
    GV_OPT_STR(struct gv_data_config, fold, "run this fold of the splits only"),
    GV_BOOL(struct gv_data_config, stratified, true, "keep the class shares when data_fraction draws a part"),
    GV_OPT_STR(struct gv_data_config, group_column, "column (or key) that names a group, such as a patient: drawn folds never split a group"),
    GV_BOOL(struct gv_data_config, approximate_decode, false, "decode JPEGs at a reduced scale where the policy shrinks them: faster, other pixels"),
    GV_BOOL(struct gv_data_config, eight_bit, false, "bring 16-bit images to 8 bits (their high byte), for folders that mix both; otherwise they keep their 16"),
    GV_I64(struct gv_data_config, max_sample, 1024, 1, 4095, "MiB", "largest sample that is decoded: what a file claims above it is refused, whatever memory there is"),
    GV_OPT_STR(struct gv_data_config, command, "with dataset 'command': the program and its arguments that write sample records"),
    GV_DICT(struct gv_data_config, dataset_kwargs, "further arguments of the data set; an unknown key is an error"),
    GV_END
};

static const gv_union uni = {
    .field = "dataset", .help = "the data set", .variants = gv_datasets, .def = NULL,
    .chosen = offsetof(struct gv_data_config, dataset), .params = offsetof(struct gv_data_config, params),
};

const gv_block gv_block_data = {
    .path = "data", .summary = "data set, split and task", .offset = offsetof(gv_config, data), .fields = fields, .uni = &uni,
};
