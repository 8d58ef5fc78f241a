#include "formats/hdf5_set.h"

int gv_hdf5_open_set(hid_t file, const char *what, const char *name, size_t cache, hid_t *out, gv_err *err)
{
    H5L_info_t link;
    *out = -1;
    if (gv_h5.H5Lexists(file, name, H5P_DEFAULT) <= 0)
        return 0;
    if (gv_h5.H5Lget_info(file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
        return gv_fail(err, GV_EDATA, "'%s': '%s' is a link, which is not followed", what, name);
    hid_t access = gv_h5.H5Pcreate(gv_h5.H5P_CLS_DATASET_ACCESS_ID_g);
    if (access >= 0)
        gv_h5.H5Pset_chunk_cache(access, 12421, cache, 0.75);
    hid_t set = gv_h5.H5Dopen2(file, name, access < 0 ? H5P_DEFAULT : access);
    if (access >= 0)
        gv_h5.H5Pclose(access);
    if (set < 0)
        return gv_fail(err, GV_EDATA, "'%s': '%s' is no readable data set", what, name);
    hid_t made = gv_h5.H5Dget_create_plist(set);
    bool elsewhere = made < 0 || gv_h5.H5Pget_external_count(made) != 0 || gv_h5.H5Pget_layout(made) == H5D_VIRTUAL;
    if (made >= 0)
        gv_h5.H5Pclose(made);
    if (elsewhere) {
        gv_h5.H5Dclose(set);
        return gv_fail(err, GV_EDATA, "'%s': '%s' lies in other files, which are not read", what, name);
    }
    *out = set;
    return 1;
}

int gv_hdf5_shape(hid_t set, int64_t shape[GV_MAX_DIMS])
{
    hsize_t dims[GV_MAX_DIMS];
    hid_t space = gv_h5.H5Dget_space(set);
    int n = space < 0 ? -1 : gv_h5.H5Sget_simple_extent_ndims(space);
    if (n > GV_MAX_DIMS || (n > 0 && gv_h5.H5Sget_simple_extent_dims(space, dims, NULL) < 0))
        n = -1;
    if (space >= 0)
        gv_h5.H5Sclose(space);
    for (int i = 0; i < n; i++)
        shape[i] = dims[i] > INT64_MAX ? -1 : (int64_t)dims[i];
    return n;
}

int gv_hdf5_dtype(hid_t set)
{
    hid_t type = gv_h5.H5Dget_type(set);
    if (type < 0)
        return -1;
    H5T_class_t class = gv_h5.H5Tget_class(type);
    size_t size = gv_h5.H5Tget_size(type);
    bool sign = class == H5T_INTEGER && gv_h5.H5Tget_sign(type) != H5T_SGN_NONE;
    gv_h5.H5Tclose(type);
    if (class == H5T_FLOAT)
        return size == 2 || size == 4 ? GV_F32T : size == 8 ? GV_F64T : -1;
    if (class != H5T_INTEGER)
        return -1;
    switch (size) {
    case 1: return sign ? GV_I8 : GV_U8;
    case 2: return sign ? GV_I16 : GV_U16;
    case 4: return sign ? GV_I32 : GV_U32;
    case 8: return sign ? GV_I64T : GV_U64T;
    default: return -1;
    }
}

hid_t gv_hdf5_native(gv_dtype t)
{
    switch (t) {
    case GV_U8: return gv_h5.H5T_NATIVE_UINT8_g;
    case GV_I8: return gv_h5.H5T_NATIVE_INT8_g;
    case GV_U16: return gv_h5.H5T_NATIVE_UINT16_g;
    case GV_I16: return gv_h5.H5T_NATIVE_INT16_g;
    case GV_U32: return gv_h5.H5T_NATIVE_UINT32_g;
    case GV_I32: return gv_h5.H5T_NATIVE_INT32_g;
    case GV_U64T: return gv_h5.H5T_NATIVE_UINT64_g;
    case GV_I64T: return gv_h5.H5T_NATIVE_INT64_g;
    case GV_F64T: return gv_h5.H5T_NATIVE_DOUBLE_g;
    default: return gv_h5.H5T_NATIVE_FLOAT_g;
    }
}
