#include "data/hdf5.h"
#include "data/rows.h"
#include "formats/hdf5_set.h"
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

enum { MOST_DIM = 1 << 20, MOST_ROWS = 1 << 30, CHUNK_CACHE = 64 << 20 };
static const size_t most_bytes = (size_t)1 << 30; /* of one sample */

static int open_set(const gv_features_file *f, const char *file, const char *name, hid_t *out, gv_err *err)
{
    return gv_hdf5_open_set(f->file, file, name, CHUNK_CACHE, out, err); /* rows come in any order */
}

static int shape_of(hid_t set, hsize_t shape[3])
{
    hid_t space = gv_h5.H5Dget_space(set);
    int n = space < 0 ? -1 : gv_h5.H5Sget_simple_extent_ndims(space);
    if (n > 3 || (n > 0 && gv_h5.H5Sget_simple_extent_dims(space, shape, NULL) < 0))
        n = -1;
    if (space >= 0)
        gv_h5.H5Sclose(space);
    return n;
}

int gv_features_numbers(const gv_features_file *f, const char *name, double **v, int64_t shape[2], gv_arena *arena, gv_err *err)
{
    hid_t set;
    hsize_t dims[3] = { 0, 1, 1 };
    int r = open_set(f, "features", name, &set, err);
    if (r <= 0)
        return r;
    int n = shape_of(set, dims);
    size_t bytes;
    hid_t type = gv_h5.H5Dget_type(set);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : gv_h5.H5Tget_class(type);
    if (type >= 0)
        gv_h5.H5Tclose(type);
    if (n < 1 || n > 2 || (class != H5T_INTEGER && class != H5T_FLOAT))
        r = gv_fail(err, GV_EDATA, "'%s' is no list of numbers", name);
    else if (dims[0] > MOST_ROWS || dims[1] > MOST_DIM || gv_mul_size((size_t)dims[0] * sizeof **v, (size_t)dims[1], &bytes) < 0)
        r = gv_fail(err, GV_EDATA, "'%s' claims %llu rows of %llu", name, (unsigned long long)dims[0], (unsigned long long)dims[1]);
    else if (!(*v = gv_arena_alloc(arena, bytes + 1, err)))
        r = GV_ESYS;
    else if (gv_h5.H5Dread(set, gv_h5.H5T_NATIVE_DOUBLE_g, H5S_ALL, H5S_ALL, H5P_DEFAULT, *v) < 0)
        r = gv_fail(err, GV_EDATA, "'%s' cannot be read", name);
    shape[0] = (int64_t)dims[0];
    shape[1] = (int64_t)dims[1];
    gv_h5.H5Dclose(set);
    return r;
}

int gv_features_texts(const gv_features_file *f, const char *name, const char ***v, int64_t *n, gv_arena *arena, gv_err *err)
{
    hid_t set, space, type, mem;
    hsize_t dims[3] = { 0 };
    int r = open_set(f, "features", name, &set, err);
    if (r <= 0)
        return r;
    space = gv_h5.H5Dget_space(set);
    type = gv_h5.H5Dget_type(set);
    if (shape_of(set, dims) != 1 || dims[0] > MOST_ROWS || gv_h5.H5Tget_class(type) != H5T_STRING)
        r = gv_fail(err, GV_EDATA, "'%s' is no list of texts", name);
    *n = (int64_t)dims[0];
    if (r > 0 && !(*v = gv_arena_alloc(arena, (size_t)*n * sizeof **v + 1, err)))
        r = GV_ESYS;
    if (r > 0 && gv_h5.H5Tis_variable_str(type) > 0) {
        char **text = gv_arena_alloc(arena, (size_t)*n * sizeof *text + 1, err);
        mem = gv_h5.H5Tcopy(gv_h5.H5T_C_S1_g);
        gv_h5.H5Tset_size(mem, H5T_VARIABLE);
        gv_h5.H5Tset_cset(mem, gv_h5.H5Tget_cset(type));
        if (!text)
            r = GV_ESYS;
        else if (gv_h5.H5Dread(set, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0)
            r = gv_fail(err, GV_EDATA, "'%s' cannot be read", name);
        else {
            for (int64_t i = 0; i < *n && r > 0; i++)
                if (!((*v)[i] = gv_arena_strdup(arena, text[i] ? text[i] : "", err)))
                    r = GV_ESYS;
            gv_h5.H5Dvlen_reclaim(mem, space, H5P_DEFAULT, text);
        }
        gv_h5.H5Tclose(mem);
    } else if (r > 0) {
        size_t size = gv_h5.H5Tget_size(type), bytes;
        char *all = size && size < 65536 && gv_mul_size(size, (size_t)*n, &bytes) == 0 ? gv_arena_alloc(arena, bytes + 1, err) : NULL;
        if (!all)
            r = gv_fail(err, GV_EDATA, "'%s' claims texts of %zu bytes", name, size);
        else if (gv_h5.H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) < 0)
            r = gv_fail(err, GV_EDATA, "'%s' cannot be read", name);
        for (int64_t i = 0; i < *n && r > 0; i++)
            if (!((*v)[i] = gv_arena_strndup(arena, all + (size_t)i * size, strnlen(all + (size_t)i * size, size), err)))
                r = GV_ESYS;
    }
    gv_h5.H5Tclose(type);
    gv_h5.H5Sclose(space);
    gv_h5.H5Dclose(set);
    return r;
}

/* bag_ptr, or the sums of bag_lengths: rows + 1 places that do not go back and end within features. */
static int bag_places(gv_features_file *f, const char *name, int64_t instances, gv_err *err)
{
    gv_arena a = { 0 };
    double *v = NULL;
    int64_t shape[2] = { 0, 0 };
    bool lengths = false;
    int r = gv_arena_init(&a, "bags", (size_t)8 << 30, err);
    if (r == GV_OK && (r = gv_features_numbers(f, "bag_ptr", &v, shape, &a, err)) == 0) {
        lengths = true;
        r = gv_features_numbers(f, "bag_lengths", &v, shape, &a, err);
    }
    int64_t n = shape[0] - !lengths;
    if (r > 0 && (shape[1] != 1 || n < 1))
        r = gv_fail(err, GV_EDATA, "'%s': '%s' has %" PRId64 " rows of %" PRId64, name, lengths ? "bag_lengths" : "bag_ptr", shape[0], shape[1]);
    if (r > 0 && !(f->begin = gv_alloc((size_t)(n + 1) * sizeof *f->begin, err)))
        r = GV_ESYS;
    for (int64_t i = 0; r > 0 && i <= n; i++) {
        double at = lengths ? (i ? (double)f->begin[i - 1] + v[i - 1] : 0) : v[i];
        if (at != floor(at) || at < (i ? (double)f->begin[i - 1] : 0) || at > (double)instances)
            r = gv_fail(err, GV_EDATA, "'%s': bag %" PRId64 " begins at %g of %" PRId64 " instances", name, i, at, instances);
        else
            f->begin[i] = (int64_t)at;
    }
    gv_arena_release(&a);
    if (r > 0) {
        f->bags = true;
        f->rows = n;
    }
    return r;
}

/* IEEE half precision of this machine's byte order. The library converts it a bit at a time, through a buffer of a MiB that it clears for every
 * read: ten times what reading costs. */
static hid_t half_type(hid_t set)
{
    size_t sign, exponent, bits, mantissa, fraction;
    hid_t type = gv_h5.H5Dget_type(set);
    bool half = type >= 0 && gv_h5.H5Tget_class(type) == H5T_FLOAT && gv_h5.H5Tget_size(type) == 2 && gv_h5.H5Tget_order(type) == gv_h5.H5Tget_order(gv_h5.H5T_NATIVE_FLOAT_g) &&
                gv_h5.H5Tget_fields(type, &sign, &exponent, &bits, &mantissa, &fraction) >= 0 && sign == 15 && exponent == 10 && bits == 5 && mantissa == 0 && fraction == 10 &&
                gv_h5.H5Tget_ebias(type) == 15 && gv_h5.H5Tget_norm(type) == H5T_NORM_IMPLIED;
    if (half || type < 0)
        return type;
    gv_h5.H5Tclose(type);
    return -1;
}

int gv_features_open(gv_features_file *f, int fd, const char *name, gv_err *err)
{
    char path[64];
    hsize_t shape[3] = { 0 };
    *f = (gv_features_file){ .file = -1, .features = -1, .coords = -1, .half = -1 };
    if (gv_hdf5_load(err) < 0) {
        close(fd);
        return err->code;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    hid_t access = gv_h5.H5Pcreate(gv_h5.H5P_CLS_FILE_ACCESS_ID_g);
#if H5_VERSION_GE(1, 10, 7)
    gv_h5.H5Pset_file_locking(access, 0, 1); /* readers lock nothing: read-only and network file systems refuse it */
#endif
    f->file = gv_h5.H5Fopen(path, H5F_ACC_RDONLY, access);
    gv_h5.H5Pclose(access);
    close(fd);
    int r = f->file < 0 ? gv_fail(err, GV_EDATA, "'%s' is no readable HDF5 file (cut, damaged, or still being written)", name) : open_set(f, name, "features", &f->features, err);
    if (r == 0 && f->features < 0)
        r = gv_fail(err, GV_EDATA, "'%s' has no data set 'features'", name);
    int n = r > 0 ? shape_of(f->features, shape) : 0;
    if (r > 0 && (n < 2 || shape[0] > MOST_ROWS || shape[n - 1] > MOST_DIM || !shape[n - 1] || shape[1] > MOST_ROWS))
        r = gv_fail(err, GV_EDATA, "'%s': 'features' has %d dimensions (%llu, %llu, %llu); [N,D] and [B,N,D] are read", name, n, (unsigned long long)shape[0], (unsigned long long)shape[1], (unsigned long long)shape[2]);
    if (r > 0) {
        f->dim = (int64_t)shape[n - 1];
        f->rows = (int64_t)shape[0];
        f->bags = n == 3;
        f->fixed = n == 3 ? (int64_t)shape[1] : 0;
        f->half = half_type(f->features);
        r = n == 2 ? bag_places(f, name, f->rows, err) : 1;
    }
    if (r >= 0)
        return GV_OK;
    gv_features_close(f);
    return r;
}

void gv_features_close(gv_features_file *f)
{
    if (f->half > 0)
        gv_h5.H5Tclose(f->half);
    if (f->features > 0)
        gv_h5.H5Dclose(f->features);
    if (f->coords > 0)
        gv_h5.H5Dclose(f->coords);
    if (f->file > 0)
        gv_h5.H5Fclose(f->file);
    gv_free(f->begin);
    *f = (gv_features_file){ .file = -1, .features = -1, .coords = -1, .half = -1 };
}

/* A part of a data set of two axes, or (bag >= 0) of one of its bags, as numbers of `type`. */
static int read_part(hid_t set, int64_t bag, int64_t from, int64_t n, int64_t width, hid_t type, void *to, gv_err *err)
{
    hsize_t start[3] = { (hsize_t)bag, (hsize_t)from, 0 }, count[3] = { 1, (hsize_t)n, (hsize_t)width };
    int skip = bag < 0;
    hid_t space = gv_h5.H5Dget_space(set), mem = gv_h5.H5Screate_simple(3 - skip, count + skip, NULL);
    bool bad = space < 0 || mem < 0 || gv_h5.H5Sselect_hyperslab(space, H5S_SELECT_SET, start + skip, NULL, count + skip, NULL) < 0 || gv_h5.H5Dread(set, type, mem, space, H5P_DEFAULT, to) < 0;
    if (space >= 0)
        gv_h5.H5Sclose(space);
    if (mem >= 0)
        gv_h5.H5Sclose(mem);
    return bad ? gv_fail(err, GV_EDATA, "its numbers cannot be read") : GV_OK;
}

/* Where the instances of a row lie: in bag *bag (-1: the file has one axis of instances), from *from, *n of them. */
static int place_of(const gv_features_file *f, int64_t row, int64_t *bag, int64_t *from, int64_t *n, gv_err *err)
{
    *bag = f->fixed ? row : -1;
    *from = f->fixed ? 0 : f->begin ? f->begin[row] : row;
    *n = f->fixed ? f->fixed : f->begin ? f->begin[row + 1] - *from : 1;
    return *n ? GV_OK : gv_fail(err, GV_EDATA, "the bag has no instance");
}

static int read_instances(const gv_features_file *f, int64_t bag, int64_t from, int64_t n, bool as_bag, gv_sample *out, gv_arena *arena, gv_err *err)
{
    size_t bytes;
    if (gv_mul_size((size_t)n, (size_t)f->dim * 4, &bytes) < 0 || bytes > most_bytes)
        return gv_fail(err, GV_EDATA, "a bag of %" PRId64 " x %" PRId64 " numbers; at most 1 GiB is read", n, f->dim);
    *out = (gv_sample){ .dtype = GV_F32T, .ndim = as_bag ? 2 : 1, .shape = { as_bag ? n : f->dim, f->dim } };
    if (!(out->data = gv_arena_alloc_dirty(arena, bytes + 1, err)))
        return GV_ESYS;
    void *to = f->half >= 0 ? gv_arena_alloc_dirty(arena, bytes / 2, err) : out->data;
    if (!to)
        return GV_ESYS;
    int r = read_part(f->features, bag, from, n, f->dim, f->half >= 0 ? f->half : gv_h5.H5T_NATIVE_FLOAT_g, to, err);
    if (r == GV_OK && f->half >= 0)
        gv_to_f32(GV_F16, to, out->data, (size_t)(n * f->dim));
    return r;
}

int gv_features_read(const gv_features_file *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    int64_t bag, from, n;
    int r = place_of(f, row, &bag, &from, &n, err);
    return r < 0 ? r : read_instances(f, bag, from, n, f->bags, out, arena, err);
}

int gv_features_bag(const gv_features_file *f, gv_sample *out, gv_arena *arena, gv_err *err)
{
    bool one = f->fixed && f->rows == 1;
    if (f->bags && !one)
        return gv_fail(err, GV_EDATA, "it holds %" PRId64 " bags where it should be one (precomputed_features reads such files)", f->rows);
    if (!f->rows)
        return gv_fail(err, GV_EDATA, "the bag has no instance");
    return read_instances(f, one ? 0 : -1, 0, one ? f->fixed : f->rows, true, out, arena, err);
}

int gv_features_coords(gv_features_file *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    hsize_t shape[3] = { 0, 0, 0 };
    int64_t bag = -1, from = 0, n = f->fixed ? f->fixed : f->rows;
    if (f->coords == -1) {
        int r = open_set(f, "features", "coords", &f->coords, err);
        if (r < 0)
            return r;
        if (!r)
            f->coords = -2;
    }
    if (f->coords < 0 || (row >= 0 && !f->bags))
        return 0;
    if (row >= 0 && place_of(f, row, &bag, &from, &n, err) < 0)
        return err->code;
    int dims = shape_of(f->coords, shape);
    bag = dims == 3 ? (bag < 0 ? 0 : bag) : -1;
    hsize_t *last = shape + (dims == 3);
    if (dims < 2 || last[1] != 2 || (hsize_t)(from + n) > last[0] || (dims == 3 && (hsize_t)bag >= shape[0]) || ((dims == 3) != (f->fixed > 0) && f->rows > 1))
        return gv_fail(err, GV_EDATA, "'coords' has %d dimensions (%llu, %llu, %llu); two numbers for each instance are wanted", dims, (unsigned long long)shape[0], (unsigned long long)shape[1], (unsigned long long)shape[2]);
    *out = (gv_sample){ .dtype = GV_I64T, .ndim = 2, .shape = { n, 2 }, .data = gv_arena_alloc_dirty(arena, (size_t)n * 16, err) };
    if (!out->data)
        return GV_ESYS;
    return read_part(f->coords, bag, from, n, 2, gv_h5.H5T_NATIVE_INT64_g, out->data, err) < 0 ? err->code : 1;
}

int64_t gv_features_count(const gv_features_file *f)
{
    return f->fixed ? f->rows * f->fixed : f->begin ? f->begin[f->rows] : f->rows;
}

int gv_features_instances(const gv_features_file *f, int64_t from, int64_t n, float *to, gv_arena *arena, gv_err *err)
{
    size_t mark = arena->used;
    int r = GV_OK;
    while (n > 0 && r == GV_OK) {
        int64_t bag = f->fixed ? from / f->fixed : -1, first = f->fixed ? from % f->fixed : from;
        int64_t part = f->fixed && f->fixed - first < n ? f->fixed - first : n;
        size_t numbers = (size_t)(part * f->dim);
        void *block = f->half >= 0 ? gv_arena_alloc_dirty(arena, numbers * 2, err) : to;
        r = block ? read_part(f->features, bag, first, part, f->dim, f->half >= 0 ? f->half : gv_h5.H5T_NATIVE_FLOAT_g, block, err) : GV_ESYS;
        if (r == GV_OK && f->half >= 0)
            gv_to_f32(GV_F16, block, to, numbers);
        gv_arena_rewind(arena, mark);
        from += part;
        n -= part;
        to += numbers;
    }
    return r;
}

int gv_features_attribute(const gv_features_file *f, const char *name, const char **text, gv_arena *arena, gv_err *err)
{
    *text = NULL;
    if (gv_h5.H5Aexists(f->file, name) <= 0)
        return 0;
    hid_t a = gv_h5.H5Aopen(f->file, name, H5P_DEFAULT), type = a < 0 ? -1 : gv_h5.H5Aget_type(a), space = a < 0 ? -1 : gv_h5.H5Aget_space(a);
    size_t size = type < 0 ? 0 : gv_h5.H5Tget_size(type);
    int r = 0;
    if (type >= 0 && gv_h5.H5Tget_class(type) == H5T_STRING && space >= 0 && gv_h5.H5Sget_simple_extent_npoints(space) == 1) {
        if (gv_h5.H5Tis_variable_str(type) > 0) {
            char *s = NULL;
            if (gv_h5.H5Aread(a, type, &s) >= 0 && s)
                r = (*text = gv_arena_strdup(arena, s, err)) ? 1 : GV_ESYS;
            if (s)
                gv_h5.H5free_memory(s);
        } else if (size < 1 << 24) {
            char *s = gv_arena_alloc(arena, size + 1, err);
            if (!s)
                r = GV_ESYS;
            else if (gv_h5.H5Aread(a, type, s) >= 0) {
                *text = s;
                r = 1;
            }
        }
    }
    if (space >= 0)
        gv_h5.H5Sclose(space);
    if (type >= 0)
        gv_h5.H5Tclose(type);
    if (a >= 0)
        gv_h5.H5Aclose(a);
    return r;
}

/* ---- the container ---- */

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    (void)name;
    (void)size;
    return n >= 8 && !memcmp(h, "\211HDF\r\n\032\n", 8);
}

static int open_rows(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    gv_features_file *f = gv_alloc(sizeof *f, err);
    if (!f) {
        close(fd);
        return GV_ESYS;
    }
    if (gv_features_open(f, fd, name, err) < 0) {
        gv_free(f);
        return err->code;
    }
    *state = f;
    *rows = f->rows;
    return GV_OK;
}

static int read_row(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    return gv_features_read(state, row, out, arena, err);
}

static int read_bag(void *state, gv_sample *out, gv_arena *arena, gv_err *err)
{
    return gv_features_bag(state, out, arena, err);
}

static int read_coords(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    return gv_features_coords(state, row, out, arena, err);
}

static void close_rows(void *state)
{
    gv_features_close(state);
    gv_free(state);
}

extern const gv_container gv_container_hdf5;
const gv_container gv_container_hdf5 = { .name = "hdf5", .sniff = sniff, .open = open_rows, .read = read_row, .bag = read_bag, .coords = read_coords, .close = close_rows };
