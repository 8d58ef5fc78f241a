/* export: features or predictions to a file: HDF5, CSV or NPY, by the name's ending. */
#include "common/file.h"
#include "common/log.h"
#include "formats/hdf5_library.h"
#include "json/json.h"
#include "stage/convert.h"
#include "stage/parts.h"
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

struct export {
    gv_strs input;
    const char *to, *attributes, *errors;
    int precision; /* 0: 16 bits, 1: 32 */
    int64_t compression;
};

static const char *const precisions[] = { "16", "32", NULL };
static const gv_field fields[] = {
    GV_OPT_STRS(struct export, input, NULL, "streams to read: paths, - or fd:N; several are the parts of one, in their order; None: stdin", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct export, to, "file to write: .h5 or .hdf5, .csv, .npy; it appears when it is whole", .takes = GV_TAKES_FILE),
    GV_ENUM(struct export, precision, 0, precisions, "bits of the floating point numbers in HDF5 and NPY files"),
    GV_I64(struct export, compression, 4, 0, 9, "gzip level", "compression of HDF5 files; 0: none"),
    GV_OPT_STR(struct export, attributes, "a JSON object; its members become attributes of the HDF5 file"),
    GV_OPT_STR(struct export, errors, "where failed samples are listed; None: beside the file, ending in .errors.csv", .takes = GV_TAKES_FILE),
    GV_END
};

enum { BLOCK_BYTES = 1 << 20, CHUNK_BYTES = 64 << 10, MAX_ATTRIBUTE = 1 << 20 };

typedef struct sink sink;
typedef struct state {
    gv_stage_ctx *st;
    const struct export *o;
    gv_parts in;
    const sink *sink;
    const char *key;            /* "x" or "logits" */
    gv_out file;
    int64_t width, rows;        /* D, rows written or waiting */
    size_t size;                /* of a number in the file: 2, 4 */
    char *block;                /* rows waiting, as they stand in the file */
    int64_t per_block, waiting;
    int target;                 /* 0 unknown yet, 'i' classes, 'b' labels [N,K], 'f' numbers [N,K] */
    int64_t target_width, labelled;
    gv_buf labels;              /* int64 or float, [rows, target_width] */
    gv_buf ids;                 /* NUL-terminated, one behind the other */
    gv_buf failed;              /* errors.csv */
    uint64_t infinite, nfailed;
    hid_t h5, h5_rows, h5_type; /* HDF5 */
} state;

struct sink {
    int (*begin)(state *w, gv_err *err);
    int (*rows)(state *w, gv_err *err);  /* w->waiting rows of w->block */
    int (*end)(state *w, gv_err *err);
};

/* ---- HDF5 ---- */

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *out)
{
    (void)n;
    snprintf(out, 200, "%s", e->desc ? e->desc : "");
    return 0;
}

static int h5_failed(state *w, const char *what, gv_err *err)
{
    char why[200] = "";
    gv_h5.H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, why);
    return gv_fail(err, GV_ESYS, "cannot %s in '%s': %s", what, w->o->to, *why ? why : "HDF5 does not say why");
}

/* Half floats as NumPy and h5py know them. */
static hid_t h5_half(void)
{
    hid_t t = gv_h5.H5Tcopy(gv_h5.H5T_IEEE_F32LE_g);
    if (t < 0 || gv_h5.H5Tset_fields(t, 15, 10, 5, 0, 10) < 0 || gv_h5.H5Tset_size(t, 2) < 0 || gv_h5.H5Tset_ebias(t, 15) < 0)
        return -1;
    return t;
}

static hid_t h5_text(void)
{
    hid_t t = gv_h5.H5Tcopy(gv_h5.H5T_C_S1_g);
    if (t < 0 || gv_h5.H5Tset_size(t, H5T_VARIABLE) < 0 || gv_h5.H5Tset_cset(t, H5T_CSET_UTF8) < 0)
        return -1;
    return t;
}

/* No times in the file: the same features are the same bytes. */
static hid_t h5_plain(void)
{
    hid_t p = gv_h5.H5Pcreate(gv_h5.H5P_CLS_DATASET_CREATE_ID_g);
    if (p >= 0)
        gv_h5.H5Pset_obj_track_times(p, 0);
    return p;
}

static int h5_begin(state *w, gv_err *err)
{
    if (gv_hdf5_load(err) < 0)
        return err->code;
    hid_t fapl = gv_h5.H5Pcreate(gv_h5.H5P_CLS_FILE_ACCESS_ID_g), fcpl = gv_h5.H5Pcreate(gv_h5.H5P_CLS_FILE_CREATE_ID_g);
    gv_h5.H5Pset_obj_track_times(fcpl, 0); /* of the root group */
    gv_h5.H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_LATEST); /* attributes may be longer than 64 KiB */
    w->h5 = gv_h5.H5Fcreate(w->file.part[0] ? w->file.part : w->file.path, H5F_ACC_TRUNC, fcpl, fapl);
    gv_h5.H5Pclose(fapl);
    gv_h5.H5Pclose(fcpl);
    if (w->h5 < 0)
        return h5_failed(w, "create a file", err);
    w->h5_type = w->size == 2 ? h5_half() : gv_h5.H5Tcopy(gv_h5.H5T_IEEE_F32LE_g);
    hsize_t dims[2] = { 0, (hsize_t)w->width }, max[2] = { H5S_UNLIMITED, (hsize_t)w->width };
    hsize_t row = (hsize_t)w->width * w->size, chunk[2] = { row < CHUNK_BYTES ? CHUNK_BYTES / row : 1, (hsize_t)w->width };
    hid_t space = gv_h5.H5Screate_simple(2, dims, max), plist = h5_plain();
    bool good = w->h5_type >= 0 && space >= 0 && plist >= 0 && gv_h5.H5Pset_chunk(plist, 2, chunk) >= 0;
    if (good && w->o->compression)
        good = gv_h5.H5Pset_shuffle(plist) >= 0 && gv_h5.H5Pset_deflate(plist, (unsigned)w->o->compression) >= 0;
    if (good)
        w->h5_rows = gv_h5.H5Dcreate2(w->h5, strcmp(w->key, "x") ? w->key : "features", w->h5_type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    gv_h5.H5Sclose(space);
    gv_h5.H5Pclose(plist);
    return good && w->h5_rows >= 0 ? GV_OK : h5_failed(w, "create a data set", err);
}

static int h5_put_rows(state *w, gv_err *err)
{
    hsize_t dims[2] = { (hsize_t)w->rows, (hsize_t)w->width }, count[2] = { (hsize_t)w->waiting, (hsize_t)w->width };
    hsize_t from[2] = { (hsize_t)(w->rows - w->waiting), 0 };
    bool good = gv_h5.H5Dset_extent(w->h5_rows, dims) >= 0;
    hid_t space = good ? gv_h5.H5Dget_space(w->h5_rows) : -1, mem = good ? gv_h5.H5Screate_simple(2, count, NULL) : -1;
    good = space >= 0 && mem >= 0 && gv_h5.H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) >= 0 &&
           gv_h5.H5Dwrite(w->h5_rows, w->h5_type, mem, space, H5P_DEFAULT, w->block) >= 0;
    if (space >= 0)
        gv_h5.H5Sclose(space);
    if (mem >= 0)
        gv_h5.H5Sclose(mem);
    return good ? GV_OK : h5_failed(w, "write rows", err);
}

static int h5_dataset(state *w, const char *name, hid_t type, int ndim, const hsize_t *dims, const void *data, gv_err *err)
{
    hid_t space = gv_h5.H5Screate_simple(ndim, dims, NULL), plist = h5_plain();
    hid_t d = space >= 0 && plist >= 0 ? gv_h5.H5Dcreate2(w->h5, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT) : -1;
    bool good = d >= 0 && (!dims[0] || gv_h5.H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    if (d >= 0)
        good &= gv_h5.H5Dclose(d) >= 0;
    gv_h5.H5Sclose(space);
    gv_h5.H5Pclose(plist);
    return good ? GV_OK : h5_failed(w, "write a data set", err);
}

static int h5_texts(state *w, const char *name, const char *const *v, hsize_t n, gv_err *err)
{
    hid_t t = h5_text();
    int r = t >= 0 ? h5_dataset(w, name, t, 1, &n, v, err) : h5_failed(w, "make a text", err);
    gv_h5.H5Tclose(t);
    return r;
}

static int h5_attribute(state *w, const char *name, hid_t type, const void *data, gv_err *err)
{
    hid_t space = gv_h5.H5Screate(H5S_SCALAR);
    hid_t a = space >= 0 ? gv_h5.H5Acreate2(w->h5, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    bool good = a >= 0 && gv_h5.H5Awrite(a, type, data) >= 0;
    if (a >= 0)
        gv_h5.H5Aclose(a);
    gv_h5.H5Sclose(space);
    return good ? GV_OK : h5_failed(w, "write an attribute", err);
}

static int h5_text_attribute(state *w, const char *name, const char *s, gv_err *err)
{
    hid_t t = h5_text();
    int r = t >= 0 ? h5_attribute(w, name, t, &s, err) : h5_failed(w, "make a text", err);
    gv_h5.H5Tclose(t);
    return r;
}

/* A JSON value: numbers and texts as they are, everything else as JSON text. */
static int h5_json_attribute(state *w, const char *name, const json_t *v, gv_err *err)
{
    if (gv_h5.H5Aexists(w->h5, name) > 0 || json_is_null(v))
        return GV_OK;
    if (json_is_string(v))
        return h5_text_attribute(w, name, json_string_value(v), err);
    if (json_is_integer(v)) {
        int64_t i = json_integer_value(v);
        return h5_attribute(w, name, gv_h5.H5T_NATIVE_INT64_g, &i, err);
    }
    if (json_is_real(v)) {
        double d = json_real_value(v);
        return h5_attribute(w, name, gv_h5.H5T_NATIVE_DOUBLE_g, &d, err);
    }
    gv_buf b = { 0 };
    int r = gv_json_text(v, &b, err);
    if (r == GV_OK && b.len > MAX_ATTRIBUTE)
        r = gv_fail(err, GV_EUSAGE, "attribute '%s' has %zu bytes; at most %d are written", name, b.len, MAX_ATTRIBUTE);
    if (r == GV_OK)
        r = h5_text_attribute(w, name, b.data, err);
    gv_buf_release(&b);
    return r;
}

static int h5_attributes(state *w, gv_err *err)
{
    static const char *const told[] = { "data_set", "split", "fold", "task", "num_classes", "history" };
    const char *key;
    json_t *v, *given = w->o->attributes ? gv_json_parse(w->o->attributes, strlen(w->o->attributes), "--attributes", err) : NULL;
    int r = w->o->attributes && !given ? err->code : h5_text_attribute(w, "glovita_version", GV_VERSION, err);
    if (r == GV_OK)
        json_object_foreach(given, key, v)
            if (r == GV_OK)
                r = h5_json_attribute(w, key, v, err);
    json_decref(given);
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(told); i++) {
        const gv_item *fact = gv_get(gv_parts_header(&w->in), told[i]);
        json_t *j = fact ? gv_json_of_item(fact, 64) : NULL;
        if (j)
            r = h5_json_attribute(w, told[i], j, err);
        json_decref(j);
    }
    return r;
}

static const char **id_list(state *w, gv_err *err)
{
    const char **v = gv_alloc(((size_t)w->rows + 1) * sizeof *v, err), *p = w->ids.data;
    for (int64_t i = 0; v && i < w->rows; i++, p += strlen(p) + 1)
        v[i] = p;
    return v;
}

static int h5_end(state *w, gv_err *err)
{
    int r = gv_h5.H5Dclose(w->h5_rows) >= 0 ? GV_OK : h5_failed(w, "write rows", err);
    w->h5_rows = -1;
    hsize_t dims[2] = { (hsize_t)w->rows, (hsize_t)w->target_width };
    int ndim = w->target_width > 1 || w->target == 'b' ? 2 : 1;
    if (r == GV_OK && w->labelled)
        r = h5_dataset(w, "labels", w->target == 'f' ? gv_h5.H5T_IEEE_F32LE_g : gv_h5.H5T_STD_I64LE_g, ndim, dims, w->labels.data, err);
    const char **ids = r == GV_OK ? id_list(w, err) : NULL;
    if (r == GV_OK)
        r = ids ? h5_texts(w, "ids", ids, (hsize_t)w->rows, err) : GV_ESYS;
    gv_free(ids);
    const gv_item *names = gv_get(gv_parts_header(&w->in), "class_names");
    if (r == GV_OK && names && names->type == GV_ARRAY && names->array.n) {
        const char **v = gv_alloc(names->array.n * sizeof *v, err);
        for (size_t i = 0; v && i < names->array.n; i++)
            v[i] = names->array.v[i].type == GV_TEXT ? names->array.v[i].text.s : "?";
        r = v ? h5_texts(w, "class_names", v, names->array.n, err) : GV_ESYS;
        gv_free(v);
    }
    if (r == GV_OK)
        r = h5_attributes(w, err);
    if (gv_h5.H5Fclose(w->h5) < 0 && r == GV_OK)
        r = h5_failed(w, "finish writing", err);
    w->h5 = -1;
    return r;
}

/* ---- CSV ---- */

static int csv_text(gv_buf *b, const char *s, gv_err *err)
{
    if (!strpbrk(s, ",\"\r\n"))
        return gv_buf_printf(b, err, "%s", s);
    int r = gv_buf_add(b, "\"", 1, err);
    for (; r == GV_OK && *s; s++)
        r = gv_buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1, err);
    return r == GV_OK ? gv_buf_add(b, "\"", 1, err) : r;
}

static int nothing(state *w, gv_err *err)
{
    (void)w, (void)err;
    return GV_OK;
}

/* Rows are kept as float32 until the targets' width is known, so the head of the table is written with the first block. */
static int csv_rows(state *w, gv_err *err)
{
    gv_buf b = { 0 };
    int64_t first = w->rows - w->waiting, tw = w->target ? w->target_width : 0;
    const char *id = w->ids.data;
    int r = GV_OK;
    if (!first) {
        r = gv_buf_printf(&b, err, "id");
        for (int64_t k = 0; r == GV_OK && k < tw; k++)
            r = tw == 1 ? gv_buf_printf(&b, err, ",label") : gv_buf_printf(&b, err, ",label_%" PRId64, k);
        for (int64_t k = 0; r == GV_OK && k < w->width; k++)
            r = gv_buf_printf(&b, err, ",%c%" PRId64, *w->key == 'x' ? 'f' : 'l', k);
        r = r == GV_OK ? gv_buf_add(&b, "\n", 1, err) : r;
    }
    for (int64_t i = 0; i < first; i++)
        id += strlen(id) + 1;
    for (int64_t i = 0; r == GV_OK && i < w->waiting; i++, id += strlen(id) + 1) {
        r = csv_text(&b, id, err);
        for (int64_t k = 0; r == GV_OK && k < tw; k++) {
            size_t at = (size_t)((first + i) * tw + k);
            if (w->target == 'f')
                r = gv_buf_printf(&b, err, ",%.9g", ((const float *)(const void *)w->labels.data)[at]);
            else
                r = gv_buf_printf(&b, err, ",%" PRId64, ((const int64_t *)(const void *)w->labels.data)[at]);
        }
        const float *x = (const float *)(const void *)w->block + i * w->width;
        for (int64_t k = 0; r == GV_OK && k < w->width; k++)
            r = gv_buf_printf(&b, err, ",%.9g", x[k]);
        r = r == GV_OK ? gv_buf_add(&b, "\n", 1, err) : r;
    }
    if (r == GV_OK)
        r = gv_out_write(&w->file, b.data, b.len, err);
    gv_buf_release(&b);
    return r;
}

/* ---- NPY ---- */

enum { NPY_HEAD = 128 };

static int npy_head(char head[NPY_HEAD], const char *type, int64_t rows, int64_t width, int ndim)
{
    char shape[64];
    snprintf(shape, sizeof shape, ndim == 2 ? "(%" PRId64 ", %" PRId64 ")" : "(%" PRId64 ",)", rows, width);
    memset(head, ' ', NPY_HEAD);
    memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes of text follow */
    int n = snprintf(head + 10, NPY_HEAD - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    head[10 + n] = ' ';
    head[NPY_HEAD - 1] = '\n';
    return n;
}

static int npy_begin(state *w, gv_err *err)
{
    char head[NPY_HEAD];
    npy_head(head, w->size == 2 ? "<f2" : "<f4", 0, w->width, 2);
    return gv_out_write(&w->file, head, sizeof head, err);
}

static int raw_rows(state *w, gv_err *err)
{
    return gv_out_write(&w->file, w->block, (size_t)w->waiting * (size_t)w->width * w->size, err);
}

/* STEM.labels.npy and STEM.ids.txt beside it; then the number of rows, which is known now. */
static int npy_end(state *w, gv_err *err)
{
    char head[NPY_HEAD], path[4200];
    int stem = (int)strlen(w->o->to) - 4;
    gv_buf b = { 0 };
    int r = GV_OK;
    if (w->labelled) {
        int ndim = w->target_width > 1 || w->target == 'b' ? 2 : 1;
        npy_head(head, w->target == 'f' ? "<f4" : "<i8", w->rows, w->target_width, ndim);
        snprintf(path, sizeof path, "%.*s.labels.npy", stem, w->o->to);
        r = gv_buf_add(&b, head, sizeof head, err);
        r = r < 0 ? r : gv_buf_add(&b, w->labels.data, w->labels.len, err);
        r = r < 0 ? r : gv_file_write(path, b.data, b.len, err);
    }
    b.len = 0;
    for (size_t i = 0; i < w->ids.len; i++) /* a line each; an id with a line feed has \n there */
        if (w->ids.data[i] != '\n')
            r = r < 0 ? r : gv_buf_add(&b, w->ids.data[i] ? &w->ids.data[i] : "\n", 1, err);
        else
            r = r < 0 ? r : gv_buf_add(&b, "\\n", 2, err);
    snprintf(path, sizeof path, "%.*s.ids.txt", stem, w->o->to);
    r = r < 0 ? r : gv_file_write(path, b.data, b.len, err);
    gv_buf_release(&b);
    npy_head(head, w->size == 2 ? "<f2" : "<f4", w->rows, w->width, 2);
    if (r == GV_OK && pwrite(w->file.fd, head, sizeof head, 0) != sizeof head)
        r = gv_fail_sys(err, "cannot write '%s'", w->o->to);
    return r;
}

static const sink h5_sink = { h5_begin, h5_put_rows, h5_end }, csv_sink = { nothing, csv_rows, nothing }, npy_sink = { npy_begin, raw_rows, npy_end };

/* ---- records ---- */

static int choose_sink(state *w, gv_err *err)
{
    const char *dot = w->o->to ? strrchr(w->o->to, '.') : NULL;
    if (!w->o->to)
        return gv_fail(err, GV_EUSAGE, "'--to' is not given: the file to write (.h5, .csv, .npy)");
    w->size = w->o->precision ? 4 : 2;
    if (dot && (!strcmp(dot, ".h5") || !strcmp(dot, ".hdf5")))
        w->sink = &h5_sink;
    else if (dot && !strcmp(dot, ".npy"))
        w->sink = &npy_sink;
    else if (dot && !strcmp(dot, ".csv")) {
        w->sink = &csv_sink;
        w->size = 4;
    } else
        return gv_fail(err, GV_EUSAGE, "'--to' is '%s'; it ends in .h5, .hdf5, .csv or .npy", w->o->to);
    return GV_OK;
}

static int first_row(state *w, const gv_tensor *x, gv_err *err)
{
    w->width = x->shape[0];
    if (w->width < 1)
        return gv_fail(err, GV_EDATA, "it has no values");
    size_t row = (size_t)w->width * w->size;
    w->per_block = row < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / row) : 1;
    if (!(w->block = gv_alloc((size_t)w->per_block * row, err)))
        return GV_ESYS;
    int r = gv_out_open(&w->file, w->o->to, err);
    return r == GV_OK ? w->sink->begin(w, err) : r;
}

static int flush(state *w, gv_err *err)
{
    int r = w->waiting ? w->sink->rows(w, err) : GV_OK;
    w->waiting = 0;
    return r;
}

static int add_target(state *w, const gv_record *rec, gv_err *err)
{
    const gv_item *y = gv_get(rec, "y");
    const gv_tensor *t = y && y->type == GV_TENSOR_ITEM && y->tensor.ndim ? &y->tensor : NULL;
    int64_t label = -1;
    int kind = 0;
    if (y && gv_item_i64_of(y, &label))
        kind = 'i';
    else if (t)
        kind = t->dtype == GV_F16 || t->dtype == GV_F32T || t->dtype == GV_F64T || t->dtype == GV_BF16 ? 'f' : 'b';
    int64_t width = t ? gv_shape_count(t->shape, t->ndim) : 1;
    if (kind && w->target && (kind != w->target || width != w->target_width))
        return gv_fail(err, GV_EDATA, "its 'y' is of another kind than those before");
    if (kind && !w->target) { /* rows before it had none: -1, or NaN */
        w->target = kind;
        w->target_width = width;
        for (int64_t i = 0; i < (w->rows - 1) * width; i++) {
            int64_t none = -1;
            float nan = NAN;
            if (gv_buf_add(&w->labels, kind == 'f' ? (void *)&nan : (void *)&none, kind == 'f' ? sizeof nan : sizeof none, err) < 0)
                return GV_ESYS;
        }
    }
    w->labelled += kind != 0;
    for (int64_t i = 0; w->target && i < w->target_width; i++) {
        double v = NAN;
        if (t)
            gv_to_f64(t->dtype, (const char *)t->data + (size_t)i * gv_dtype_of(t->dtype)->size, &v, 1);
        int64_t n = kind == 'i' ? label : kind ? (int64_t)v : -1;
        float f = (float)v;
        if (gv_buf_add(&w->labels, w->target == 'f' ? (void *)&f : (void *)&n, w->target == 'f' ? sizeof f : sizeof n, err) < 0)
            return GV_ESYS;
    }
    return GV_OK;
}

static int add_row(state *w, const gv_record *rec, gv_err *err)
{
    const gv_tensor *x = gv_get_tensor(rec, w->key);
    if (!x || x->ndim != 1)
        return gv_fail(err, GV_EDATA, "it has no '%s' of one dimension", w->key);
    if (!w->block && first_row(w, x, err) < 0)
        return err->code;
    if (x->shape[0] != w->width)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " values, those before %" PRId64, w->key, x->shape[0], w->width);
    if (w->waiting == w->per_block && flush(w, err) < 0)
        return err->code;
    char *to = w->block + (size_t)w->waiting * (size_t)w->width * w->size;
    float *f = gv_arena_alloc_dirty(&w->st->scratch, (size_t)w->width * sizeof *f, err);
    if (!f)
        return GV_ESYS;
    gv_to_f32(x->dtype, x->data, f, (size_t)w->width);
    for (int64_t k = 0; w->size == 2 && k < w->width; k++) {
        uint16_t h = gv_f32_to_f16(f[k]);
        w->infinite += (h & 0x7fff) == 0x7c00 && isfinite(f[k]);
        memcpy(to + 2 * k, &h, 2);
    }
    if (w->size == 4)
        memcpy(to, f, (size_t)w->width * 4);
    w->waiting++;
    w->rows++;
    const char *id = gv_get_text(rec, "id");
    if (gv_buf_add(&w->ids, id ? id : "", id ? strlen(id) + 1 : 1, err) < 0)
        return GV_ESYS;
    return add_target(w, rec, err);
}

static int add_failed(state *w, const gv_record *rec, gv_err *err)
{
    static const char *const keys[] = { "id", "path", "stage", "reason" };
    int r = w->nfailed++ ? GV_OK : gv_buf_printf(&w->failed, err, "id,path,stage,reason\n");
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(keys); i++) {
        const char *s = gv_get_text(rec, keys[i]);
        r = i ? gv_buf_add(&w->failed, ",", 1, err) : GV_OK;
        r = r < 0 ? r : csv_text(&w->failed, s ? s : "", err);
    }
    return r < 0 ? r : gv_buf_add(&w->failed, "\n", 1, err);
}

static int finish(state *w, gv_err *err)
{
    if (!w->block)
        return gv_fail(err, GV_EDATA, "there is nothing to write: %" PRIu64 " samples failed and none came through", w->nfailed);
    int r = flush(w, err);
    if (r == GV_OK)
        r = w->sink->end(w, err);
    char path[4200];
    const char *dot = strrchr(w->o->to, '.');
    snprintf(path, sizeof path, "%.*s.errors.csv", (int)(dot - w->o->to), w->o->to);
    if (r == GV_OK && w->nfailed) {
        r = gv_file_write(w->o->errors ? w->o->errors : path, w->failed.data, w->failed.len, err);
        gv_log(GV_WARNING, "%" PRIu64 " sample%s failed; listed in '%s'", w->nfailed, w->nfailed == 1 ? "" : "s", w->o->errors ? w->o->errors : path);
    }
    if (r == GV_OK)
        r = gv_out_commit(&w->file, err);
    if (r == GV_OK && w->infinite)
        gv_log(GV_WARNING, "%" PRIu64 " values are beyond the range of 16 bits and became infinite (use --precision 32)", w->infinite);
    return r;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    state w = { .st = st, .o = st->params, .file.fd = -1, .h5 = -1, .h5_rows = -1, .h5_type = -1 };
    gv_record rec;
    int64_t count;
    int r = gv_parts_open(&w.in, &w.o->input, st->stage->reads, err);
    if (r == GV_OK) {
        w.key = gv_parts_header(&w.in)->kind == GV_PREDICTION ? "logits" : "x";
        if (w.o->input.n < 2 && gv_get_i64(gv_parts_header(&w.in), "count", &count) && count > 0)
            st->total = (uint64_t)count;
        r = choose_sink(&w, err);
    }
    while (r >= 0 && (r = gv_parts_next(&w.in, &rec, err)) > 0) {
        gv_arena_reset(&st->scratch);
        r = rec.kind == GV_ERROR_RECORD ? add_failed(&w, &rec, err) : add_row(&w, &rec, err);
        if (r < 0)
            r = gv_parts_fail_in(&w.in, err);
        gv_stage_done(st, 1);
    }
    if (r == GV_OK)
        r = finish(&w, err);
    if (w.h5_type >= 0)
        gv_h5.H5Tclose(w.h5_type);
    if (w.h5_rows >= 0)
        gv_h5.H5Dclose(w.h5_rows);
    if (w.h5 >= 0)
        gv_h5.H5Fclose(w.h5);
    gv_out_abort(&w.file);
    gv_parts_close(&w.in);
    gv_free(w.block);
    gv_buf_release(&w.labels);
    gv_buf_release(&w.ids);
    gv_buf_release(&w.failed);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "export", .summary = "write features or predictions to HDF5, CSV or NPY",
    .reads = GV_FEATURE | GV_PREDICTION, .fields = fields, .params_size = sizeof(struct export),
    .manual_streams = true, .text_output = true, .run = run,
};
