/* The fields of clam_dataset. Apart from what reads the files, so that a program that takes the fields alone links no HDF5. */
#include "data/clam_dataset.h"

static const char *const kinds[] = { "auto", "h5", "pt", NULL };
#define S struct gv_clam_dataset
static const gv_field fields[] = {
    GV_STR(S, labels_file, "labels.csv", "table with the columns case_id, slide_id and the label, under data_root_dir", .takes = GV_TAKES_NAME),
    GV_STR(S, splits_dir, "splits", "folder of splits_0.csv, splits_1.csv and so on, under data_root_dir; data.fold chooses one", .takes = GV_TAKES_NAME),
    GV_STR(S, label_column, "label", "column of the labels"),
    GV_OPT_STRS(S, class_names, NULL, "labels in the order of their indices; None: sorted, numbers by value"),
    GV_ENUM(S, features, GV_CLAM_FILES_AUTO, kinds, "read h5_files/SLIDE.h5 or pt_files/SLIDE.pt; auto: h5, which has the coordinates, where it is there"),
    GV_BOOL(S, strict, true, "stop at a slide without label or features instead of leaving it out"),
    GV_END
};
static const char *const required[] = { "data_root_dir", NULL };

const gv_variant gv_dataset_variant_clam_dataset = {
    .name = "clam_dataset", .class_name = "ClamDatasetConfig", .summary = "bags as CLAM's tools leave them: h5_files/, pt_files/, a table of labels, splits_*.csv",
    .fields = fields, .params_size = sizeof(S), .required = required, .built = true,
};
