/* generic_3d_dataset: volumes in files, with the splits and labels of the image data set. The number of classes and their names
 * may come from dataset.json: {"num_classes": 3}, {"class_names": ["a", "b"]}, or nnU-Net's {"labels": {"a": 0, "b": 1}}.
 * Facts: GloViTa's own data set of that name (Apache-2.0), behaviour only: nnU-Net's preprocessed .b2nd cases below images/. */
#include "data/generic.h"
#include "data/scan.h"
#include "json/json.h"
#include <unistd.h>

typedef struct volume_fields {
    gv_generic_fields files;
    int orientation;
    gv_f64s target_spacing;
    int resample_order, normalization;
    gv_f64s window;
    const char *hdf5_dataset;
} volume_fields;

enum { MOST_JSON = 64 << 20, MOST_CLASSES = 1 << 16 };
static const char *const orders[] = { "0", "1", "3", NULL };
static const int order_of[] = { 0, 1, 3 };

/* ---- the fields as a plan ---- */

static int make_plan(const volume_fields *o, gv_scan_plan *p, gv_err *err)
{
    bool window = o->normalization == GV_NORMALIZATION_WINDOW;
    *p = (gv_scan_plan){ .ras = o->orientation == GV_ORIENTATION_RAS, .resample = o->target_spacing.v != NULL, .order = order_of[o->resample_order], .normalization = o->normalization, .dataset = o->hdf5_dataset };
    if (p->resample && o->target_spacing.n != 3)
        return gv_fail(err, GV_EUSAGE, "'--data.target_spacing' has %zu numbers; it takes 3, the sides of a voxel along D, H and W in mm", o->target_spacing.n);
    if (p->resample)
        memcpy(p->spacing, o->target_spacing.v, sizeof p->spacing);
    if (!window && o->window.v)
        return gv_fail(err, GV_EUSAGE, "'--data.window' is used by '--data.normalization window' alone");
    if (window && (o->window.n != 2 || !(o->window.v[0] < o->window.v[1])))
        return gv_fail(err, GV_EUSAGE, "'--data.normalization window' takes '--data.window LOW HIGH', LOW below HIGH");
    if (window)
        memcpy(p->window, o->window.v, sizeof p->window);
    return GV_OK;
}

/* ---- dataset.json ---- */

/* Names by their index: a list, or an object name -> index that leaves no index out. NULL without err: it is neither. */
static const char **names_of(const json_t *v, size_t *n, gv_arena *arena, gv_err *err)
{
    const char *key;
    json_t *x;
    size_t i;
    *n = json_is_array(v) ? json_array_size(v) : json_object_size(v);
    if (!*n || *n > MOST_CLASSES)
        return NULL;
    const char **names = gv_arena_alloc(arena, *n * sizeof *names, err);
    if (!names)
        return NULL;
    if (json_is_array(v)) {
        json_array_foreach(v, i, x)
            if (!json_is_string(x) || !(names[i] = gv_arena_strdup(arena, json_string_value(x), err)))
                return NULL;
        return names;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, x) {
        json_int_t at = json_integer_value(x);
        if (!json_is_integer(x) || at < 0 || at >= (json_int_t)*n || names[at] || !(names[at] = gv_arena_strdup(arena, key, err)))
            return NULL;
    }
    return names;
}

/* What the file says where the fields do not; without the file nothing changes. */
static int read_facts(const char *root, gv_config *c, volume_fields *o, gv_arena *arena, gv_err *err)
{
    static const char *const keys[] = { "class_names", "labels" };
    char *path = gv_arena_printf(arena, err, "%s/dataset.json", root);
    if (!path)
        return GV_ESYS;
    if (access(path, R_OK) < 0)
        return GV_OK;
    json_t *j = gv_json_read(path, MOST_JSON, err);
    const json_t *n = json_object_get(j, "num_classes");
    if (c->data.num_classes == GV_NONE_I64 && json_is_integer(n) && json_integer_value(n) > 0)
        c->data.num_classes = json_integer_value(n);
    for (size_t i = 0; j && i < GV_COUNT(keys) && !err->code; i++) {
        size_t count = 0;
        const char **names = names_of(json_object_get(j, keys[i]), &count, arena, err);
        if (!names)
            continue;
        if (c->data.num_classes == GV_NONE_I64)
            c->data.num_classes = (int64_t)count;
        if (!o->files.class_names.v && c->data.num_classes == (int64_t)count)
            o->files.class_names = (gv_strs){ .n = count, .v = names };
        break;
    }
    json_decref(j);
    return err->code;
}

static int open_volumes(const gv_config *given, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    gv_config c = *given;
    volume_fields o = *(const volume_fields *)given->data.params;
    gv_scan_plan *plan = gv_arena_alloc(arena, sizeof *plan, err);
    const char *root = gv_data_root(given, err);
    if (!plan || !root || make_plan(&o, plan, err) < 0)
        return err->code;
    bool known = c.data.num_classes != GV_NONE_I64;
    int r = c.data.task == GV_TASK_CLASSIFICATION ? read_facts(root, &c, &o, arena, err) : GV_OK;
    if (r == GV_OK && !known && c.data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "the number of classes is not known: give --data.num_classes, or write \"num_classes\" or \"class_names\" into '%s/dataset.json'", root);
    c.data.params = &o;
    d->volume = plan;
    return r < 0 ? r : gv_generic_open(&c, want, arena, d, err);
}

static const gv_field fields[] = {
    GV_GENERIC_FIELDS("images_dir", "images", "volumes", ".nii .nii.gz .b2nd .npy .h5 .hdf5 .tif .tiff"),
    GV_ENUM(volume_fields, orientation, GV_ORIENTATION_AS_STORED, gv_orientations, "ras: axes are turned and mirrored so that W goes right, H anterior, D superior, as nearly as they can"),
    GV_OPT_F64S(volume_fields, target_spacing, GV_ABOVE_0, 1e6, "mm", "sides of a voxel along D, H and W that volumes are resampled to; None: as they are"),
    GV_ENUM(volume_fields, resample_order, 2, orders, "order of the splines of resampling"),
    GV_ENUM(volume_fields, normalization, GV_NORMALIZATION_AUTO, gv_normalizations, "of each channel of a volume: zscore by its mean and deviation, zscore_nonzero by those of values other than 0, window from data.window to the range 0 to 1; auto: zscore, but none for .b2nd files, which nnU-Net has normalised"),
    GV_OPT_F64S(volume_fields, window, -1e9, 1e9, "", "lowest and highest value of normalization window; what lies outside is cut off"),
    GV_OPT_STR(volume_fields, hdf5_dataset, "name of the data set in HDF5 files; None: their only one of 3 or 4 axes"),
    GV_END
};
static const char *const required[] = { "data_root_dir", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_nnunet", "augmentation.test_policy", "shared_default_3d", NULL };

const gv_variant gv_dataset_variant_generic_3d_dataset = {
    .name = "generic_3d_dataset", .class_name = "Generic3DDatasetConfig", .summary = "volumes (NIfTI, b2nd, NPY, HDF5, TIFF) with labels from folders, JSON or CSV",
    .fields = fields, .params_size = sizeof(volume_fields), .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_generic_3d_dataset = {
    .name = "generic_3d_dataset", .content = "volume", .variant = &gv_dataset_variant_generic_3d_dataset,
    .train_policy = "default_nnunet", .test_policy = "shared_default_3d", .open = open_volumes,
};
