/* hdf5: a file for each sample, with a data set of numbers [D,H,W] or [D,H,W,C]. Which one is an option; without it the file must hold
 * just one of 3 or 4 axes (sub-groups are not looked into). The attribute "spacing" (or, as h5py users of ITK write it,
 * "element_size_um" in micrometres) of three numbers, z, y, x, gives the sides of voxels.
 * The file is read from memory: the library opens no path.
 * Source: HDF5 File Format Specification 3.0, by the HDF5 library. */
#include "formats/hdf5_set.h"
#include "formats/scan.h"
#include "formats/series.h"
#include <inttypes.h>

enum { CACHE = 16 << 20, MOST_LINKS = 4096 };

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 8 && !memcmp(p, "\211HDF\r\n\032\n", 8);
}

static int open_image(const uint8_t *p, size_t n, hid_t *file, gv_err *err)
{
    *file = -1;
    if (gv_hdf5_load(err) < 0)
        return err->code;
    hid_t access = gv_h5.H5Pcreate(gv_h5.H5P_CLS_FILE_ACCESS_ID_g);
    if (access >= 0 && gv_h5.H5Pset_fapl_core(access, 1 << 20, 0) >= 0 && gv_h5.H5Pset_file_image(access, (void *)(uintptr_t)p, n) >= 0)
        *file = gv_h5.H5Fopen("memory", H5F_ACC_RDONLY, access);
    if (access >= 0)
        gv_h5.H5Pclose(access);
    return *file >= 0 ? GV_OK : gv_fail(err, GV_EDATA, "HDF5 file of %zu bytes is cut or damaged", n);
}

/* ---- which data set ---- */

struct search { hid_t file; int fewest, most; char name[256], other[256]; int found, links; };

static herr_t look(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    struct search *s = arg;
    int64_t shape[GV_MAX_DIMS];
    hid_t set;
    (void)group;
    if (++s->links > MOST_LINKS)
        return 1;
    if (info->type != H5L_TYPE_HARD || gv_hdf5_open_set(s->file, "", name, CACHE, &set, NULL) <= 0)
        return 0;
    int axes = gv_hdf5_shape(set, shape);
    if (axes >= s->fewest && axes <= s->most && gv_hdf5_dtype(set) >= 0)
        snprintf(s->found++ ? s->other : s->name, sizeof s->name, "%s", name);
    gv_h5.H5Dclose(set);
    return 0;
}

/* fewest to most: axes that it may have. */
static int open_numbers(hid_t file, const char *want, int fewest, int most, hid_t *set, gv_err *err)
{
    struct search s = { .file = file, .fewest = fewest, .most = most };
    if (want) {
        int r = gv_hdf5_open_set(file, "the file", want, CACHE, set, err);
        return r ? r : gv_fail(err, GV_EDATA, "HDF5 has no data set '%s' (data.hdf5_dataset)", want);
    }
    gv_h5.H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, look, &s);
    if (s.found != 1)
        return s.found ? gv_fail(err, GV_EDATA, "HDF5 has %d data sets of %d or %d axes, '%s' and '%s' among them (data.hdf5_dataset names one)", s.found, fewest, most, s.name, s.other)
                       : gv_fail(err, GV_EDATA, "HDF5 has no data set of numbers with %d or %d axes (data.hdf5_dataset names one of a group)", fewest, most);
    return gv_hdf5_open_set(file, "the file", s.name, CACHE, set, err);
}

/* ---- reading ---- */

static bool attribute(hid_t set, const char *name, double v[3])
{
    if (gv_h5.H5Aexists(set, name) <= 0)
        return false;
    hid_t a = gv_h5.H5Aopen(set, name, H5P_DEFAULT), space = a < 0 ? -1 : gv_h5.H5Aget_space(a), type = a < 0 ? -1 : gv_h5.H5Aget_type(a);
    bool good = space >= 0 && type >= 0 && gv_h5.H5Sget_simple_extent_npoints(space) == 3 && (gv_h5.H5Tget_class(type) == H5T_FLOAT || gv_h5.H5Tget_class(type) == H5T_INTEGER) &&
                gv_h5.H5Aread(a, gv_h5.H5T_NATIVE_DOUBLE_g, v) >= 0;
    if (type >= 0)
        gv_h5.H5Tclose(type);
    if (space >= 0)
        gv_h5.H5Sclose(space);
    if (a >= 0)
        gv_h5.H5Aclose(a);
    for (int i = 0; i < 3; i++)
        good = good && v[i] > 0 && v[i] < 1e9;
    return good;
}

static int read_set(hid_t set, size_t max, gv_scan *v, gv_arena *arena, gv_err *err)
{
    double side[3];
    gv_sample x = { 0 };
    int type = gv_hdf5_dtype(set), r;
    x.ndim = gv_hdf5_shape(set, x.shape);
    if (type < 0 || x.ndim < 0)
        return gv_fail(err, GV_EDATA, "the HDF5 data set is no array of whole or floating numbers");
    x.dtype = (gv_dtype)type;
    if ((r = gv_scan_axes(&x, "the HDF5 data set", err)) < 0 || (r = gv_shape_check(&x, max, err)) < 0 || (r = gv_sample_init(&x, x.dtype, 4, x.shape, arena, err)) < 0)
        return r;
    if (gv_h5.H5Dread(set, gv_hdf5_native(x.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, x.data) < 0)
        return gv_fail(err, GV_EDATA, "the values of the HDF5 data set cannot be read (cut, damaged, or packed by a filter that is not here)");
    v->x = x;
    bool micro = attribute(set, "element_size_um", side);
    if (micro || attribute(set, "spacing", side)) {
        for (int k = 0; k < 3; k++)
            side[k] /= micro ? 1000 : 1;
        gv_scan_space(v, side);
    }
    return GV_OK;
}

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *v, gv_arena *arena, gv_err *err)
{
    hid_t file, set = -1;
    int r = open_image(p, n, &file, err);
    if (r < 0)
        return r;
    r = open_numbers(file, o->dataset, 3, 4, &set, err);
    if (r > 0)
        r = read_set(set, o->max_output, v, arena, err);
    if (set >= 0)
        gv_h5.H5Dclose(set);
    gv_h5.H5Fclose(file);
    return r;
}

/* A series [T,C] or [T]; with a chosen data set as it says, else the only one of 1 or 2 axes. */
static int series(const uint8_t *p, size_t n, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    hid_t file, set = -1;
    gv_sample x = { 0 };
    int r = open_image(p, n, &file, err);
    if (r < 0)
        return r;
    r = open_numbers(file, o->dataset, 1, 2, &set, err);
    int type = r > 0 ? gv_hdf5_dtype(set) : -1;
    x.ndim = r > 0 ? gv_hdf5_shape(set, x.shape) : 0;
    if (r > 0 && (type < 0 || x.ndim < 1 || x.ndim > 2))
        r = gv_fail(err, GV_EDATA, "the HDF5 data set is no array of numbers with 1 or 2 axes");
    if (r > 0) {
        bool turn = x.ndim == 2 && o->channels_first;
        r = gv_series_shape(x.shape[turn], x.ndim == 1 ? 1 : x.shape[!turn], o->max_output, err);
    }
    x.dtype = (gv_dtype)(type < 0 ? GV_F32T : type);
    if (r == GV_OK)
        r = gv_sample_init(&x, x.dtype, x.ndim, x.shape, arena, err);
    if (r == GV_OK && gv_h5.H5Dread(set, gv_hdf5_native(x.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, x.data) < 0)
        r = gv_fail(err, GV_EDATA, "the values of the HDF5 data set cannot be read (cut, damaged, or packed by a filter that is not here)");
    if (r == GV_OK)
        r = gv_series_array(&x, o, &out->x, arena, err);
    if (set >= 0)
        gv_h5.H5Dclose(set);
    gv_h5.H5Fclose(file);
    return r;
}

const gv_format gv_format_hdf5 = {
    .name = "hdf5", .summary = "HDF5, one data set",
    .suffixes = (const char *const[]){ ".h5", ".hdf5", NULL },
    .sniff = sniff, .volume = volume, .series = series,
};
