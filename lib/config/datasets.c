/* datasets: the choices of data.dataset. Data sets with a loader come from data/datasets.def, where each brings its row; the
 * others are declared here, and move to their loader when they get one.
 * Class counts, tasks and policies are those of the Python GloViTa; its data_fraction of 0.1 is not taken over. */
#include "config/internal.h"

#define NAMED(id, cls, classes, train, test, is_built, text) \
    static const char *const id##_defaults[] = { "num_classes", classes, "augmentation.train_policy", train, "augmentation.test_policy", test, NULL }; \
    static const gv_variant id = { .name = #id, .class_name = cls, .summary = text, .defaults = id##_defaults, .required = root_dir, .built = is_built }

static const char *const root_dir[] = { "data_root_dir", NULL };

NAMED(imagenet, "ImagenetConfig", "1000", "randaugment_448", "default_448", false, "ImageNet-1k");
NAMED(pcam, "PCamConfig", "2", "dataset_specific", "shared_default_2d", false, "PatchCamelyon: tumour in 96 px histology patches");
NAMED(rxrx1, "RxRx1Config", "1139", "dataset_specific", "shared_default_2d", false, "RxRx1: fluorescence microscopy, 1,139 perturbations");
NAMED(neudet, "NeuDetConfig", "6", "dataset_specific", "shared_default_2d", false, "NEU-DET: 6 kinds of steel surface defects");
NAMED(zooscannet, "ZooScanNetConfig", "20", "dataset_specific", "shared_default_2d", false, "ZooScanNet: plankton");
NAMED(aid, "AIDConfig", "30", "aid_large_crop", "default", false, "AID: aerial scenes, 30 classes");
NAMED(resisc45, "RESISC45Config", "45", "dataset_specific", "shared_default_2d", false, "RESISC45: remote sensing scenes, 45 classes");
NAMED(flowers102, "Flowers102Config", "102", "dataset_specific", "shared_default_2d", false, "Oxford Flowers, 102 classes");
NAMED(fgvc_aircraft, "FGVCAircraftConfig", "100", "dataset_specific", "shared_default_2d", false, "FGVC-Aircraft, 100 variants");
NAMED(diabetic_retina, "DiabeticRetinaConfig", "5", "dataset_specific", "shared_default_2d", false, "diabetic retinopathy, 5 grades");

static const char *const chest_defaults[] = { "num_classes", "14", "subtask", "multilabel", "augmentation.train_policy", "default_2d_2", "augmentation.test_policy", "shared_default_2d", NULL };
static const gv_variant chestxray14 = {
    .name = "chestxray14", .class_name = "ChestXRay14Config", .summary = "ChestX-ray14: 14 findings, any number of them in an image",
    .defaults = chest_defaults, .required = root_dir, .built = false,
};

#define GV_DATASET(n) extern const gv_variant gv_dataset_variant_##n;
#include "data/datasets.def"
#undef GV_DATASET
const gv_variant *const gv_datasets[] = {
#define GV_DATASET(n) &gv_dataset_variant_##n,
#include "data/datasets.def"
#undef GV_DATASET
    &imagenet, &pcam, &rxrx1, &neudet, &zooscannet, &aid,
    &chestxray14, &resisc45, &flowers102, &fgvc_aircraft, &diabetic_retina, NULL
};
