/* generic_timeseries_dataset: series in files, or all in one table, with the splits and labels of the other data sets of files. */
#include "data/series.h"
#include "common/file.h"
#include "data/open.h"
#include <fcntl.h>
#include <inttypes.h>

/* ---- listing ---- */

static int open_set(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const gv_series_fields *o = c->data.params;
    gv_generic_rows rows = { .path = o->table };
    gv_series_options how = gv_series_reading(o, true);
    gv_series_table *t = NULL;
    gv_roots roots = { 0 };
    if (!o->table)
        return gv_generic_open(c, want, arena, d, err);
    const char *root = gv_data_root(c, err);
    int r = root ? gv_roots_add(&roots, root, err) : err->code, fd = r < 0 ? r : gv_roots_open(&roots, o->table, 0, err);
    if (r == GV_OK && fd < 0)
        r = err->code = GV_EUSAGE;
    if (r == GV_OK)
        r = gv_series_table_open(&t, fd, o->table, &how, err);
    for (int64_t i = 0; r == GV_OK && i < gv_series_table_count(t); i++) {
        const char *id = gv_series_table_id(t, i), *key = id ? gv_arena_strdup(arena, id, err) : gv_arena_printf(arena, err, "%" PRId64, i);
        r = key ? gv_textmap_set(&rows.of_id, key, i, err) : GV_ESYS;
    }
    if (r == GV_OK)
        r = gv_generic_open_rows(c, want, &rows, arena, d, err);
    gv_textmap_release(&rows.of_id);
    gv_series_table_close(t);
    gv_roots_release(&roots);
    return r;
}

/* ---- fields ---- */

static const char *const resamplings[] = { "sinc", "linear", NULL }, *const crops[] = { "center", "start", "end", NULL }, *const pads[] = { "zero", "edge", NULL };
static const char *const normalizations[] = { "train", "sample", "none", NULL }, *const rules[] = { "fail", "zero", "interpolate", NULL };
#define S gv_series_fields
static const gv_field fields[] = {
    GV_GENERIC_FIELDS("series_dir", "series", "series", ".csv .tsv .txt .npy .h5 .hdf5 .wav .flac"),
    GV_OPT_STR(S, table, "one file under data_root_dir that holds all series: a CSV table with an id column, an array [N,T] or [N,T,C] (.npy), or features [N,T,C] (HDF5)", .takes = GV_TAKES_NAME),
    GV_OPT_STR(S, id_column, "column of the ids in that table; lines with the same id are a series"),
    GV_OPT_STR(S, time_column, "column of times in seconds in CSV files, ascending; uneven steps are made even"),
    GV_STRS(S, columns, "", NULL, "columns of the values in CSV files, by name or by number from 0 where there is no header; empty: all others"),
    GV_OPT_STR(S, hdf5_dataset, "data set in HDF5 files; None: the only one of numbers with 1 or 2 axes"),
    GV_BOOL(S, channels_first, false, "arrays are [C,T], not [T,C]"),
    GV_OPT_F64(S, sample_rate, GV_ABOVE_0, 1e12, "point/s", "resample to this rate"),
    GV_OPT_F64(S, source_rate, GV_ABOVE_0, 1e12, "point/s", "rate of files that do not tell theirs"),
    GV_OPT_I64(S, resample_length, 1, GV_SERIES_POINTS, "point", "resample each series to so many points, whatever its rate"),
    GV_ENUM(S, resampling, GV_RESAMPLE_SINC, resamplings, "band-limited, or on the line between neighbours"),
    GV_OPT_I64(S, length, 1, GV_SERIES_POINTS, "point", "cut or pad each series to so many points, after resampling"),
    GV_ENUM(S, crop, GV_FIT_CENTER, crops, "which part of a longer series is kept; a shorter one is padded on the other side, or on both"),
    GV_ENUM(S, pad, GV_PAD_ZERO, pads, "what a shorter series is padded with: zeros (after normalising), or its first and last values"),
    GV_ENUM(S, normalization, GV_NORMALIZE_TRAIN, normalizations, "mean 0 and deviation 1 of each channel: over the training split, in each series, or as it is"),
    GV_ENUM(S, missing, GV_MISSING_FAIL, rules, "a missing value (NaN, an empty cell): an error with its place, 0, or from its neighbours"),
    GV_OPT_I64(S, channels, 1, GV_SERIES_CHANNELS, "channel", "channels that each series must have; None: those of the first"),
    GV_OPT_F64S(S, channel_mean, -INFINITY, INFINITY, "", "mean of each channel for normalization train; None: computed from the training split"),
    GV_OPT_F64S(S, channel_std, GV_ABOVE_0, INFINITY, "", "deviation of each channel for normalization train; None: computed from the training split"),
    GV_END
};
static const char *const required[] = { "data_root_dir", "num_classes", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_1d_2", "augmentation.test_policy", "shared_default_1d", NULL };
static const char *const decode_fields[] = {
    "data.id_column", "data.time_column", "data.columns", "data.hdf5_dataset", "data.channels_first", "data.sample_rate", "data.source_rate", "data.resample_length", "data.resampling", "data.length",
    "data.crop", "data.pad", "data.normalization", "data.missing", "data.channels", "data.channel_mean", "data.channel_std", NULL
};
static const char *const learned[] = { "channels", "channel_mean", "channel_std", NULL };

const gv_variant gv_dataset_variant_generic_timeseries_dataset = {
    .name = "generic_timeseries_dataset", .class_name = "GenericTimeseriesDatasetConfig", .summary = "series from CSV, NumPy, HDF5 and WAV files, with labels from folders, JSON or CSV",
    .fields = fields, .params_size = sizeof(gv_series_fields), .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_generic_timeseries_dataset = {
    .name = "generic_timeseries_dataset", .content = "series", .variant = &gv_dataset_variant_generic_timeseries_dataset,
    .train_policy = "default_1d_2", .test_policy = "shared_default_1d", .open = open_set,
    .decode_fields = decode_fields, .prepare = gv_series_measure, .learned = learned,
};
