/* The fields of clam_dataset; clam_dataset.c reads the folders. */
#ifndef GV_DATA_CLAM_DATASET_H
#define GV_DATA_CLAM_DATASET_H

#include "data/data.h"

enum { GV_CLAM_FILES_AUTO, GV_CLAM_FILES_H5, GV_CLAM_FILES_PT };
struct gv_clam_dataset {
    const char *labels_file, *splits_dir, *label_column;
    gv_strs class_names;
    int features;
    bool strict;
};

#endif
