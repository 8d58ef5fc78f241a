/* decode: open what sample records name and decode it. A sample that cannot be decoded goes on as an error record.
 *
 * Images become uint8 (or uint16) [H,W,C] with model.encoder.input_channels channels, gray repeated; rows of IDX and CIFAR
 * files the same; rows of HDF5 files float32 [D] or [N,D]; files of features (HDF5, torch) that are a bag each [N,D], with the places
 * of the instances in `coords` [N,2] where the file tells them. Videos become clips [T,H,W,C], or [V,T,H,W,C] with several to a sample,
 * as the header's `clips` says. Volumes become float32 [D,H,W,C], turned, resampled and normalised as the header's `volume` says, with
 * `spacing` [3] and `affine` [4,4] where the file knows them. For images, with the augmentation that follows (--split,
 * data.augmentation), a leading crop is drawn from the size in the file's header and only that part of a JPEG is decoded: then `region`
 * and `full` tell augment so, and its output is the same bytes. */
#include "augment/augment.h"
#include "common/file.h"
#include "data/clips.h"
#include "data/data.h"
#include "data/decoders.h"
#include "data/open.h"
#include "data/rows.h"
#include "data/scan.h"
#include "formats/format.h"
#include "data/policy.h"
#include "stage/stage.h"
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_ROWS = 64 };

struct decode { int split; gv_strs root; };

static const char *const kinds[] = { "train", "test", NULL };
static const gv_field fields[] = {
    GV_ENUM(struct decode, split, 0, kinds, "whose leading crop to decode: that of the train or of the test policy"),
    GV_STRS(struct decode, root, "", NULL, "further directories files may lie in, beside the data root and GLOVITA_ROOTS", .takes = GV_TAKES_DIR),
    GV_END
};

struct run {
    gv_stage_ctx *st;
    const gv_decoder *own; /* of the data set, where it has one */
    gv_roots roots;
    gv_pipeline *policy; /* NULL: everything is decoded */
    int64_t channels;
    size_t most;         /* bytes of one sample */
    bool bags;           /* files are bags of features */
    uint64_t seed;
    bool videos, volumes;
    gv_clip_plan clips;
    gv_scan_plan plan;
    gv_arena big;        /* videos and volumes: reset per record, as scratch is */
    struct { char *name; gv_rows *rows; uint64_t used; } open[OPEN_ROWS]; /* containers, kept open */
    uint64_t clock;
};

/* ---- rows ---- */

static int rows_of(struct run *r, const char *file, gv_rows **out, gv_err *err)
{
    int at = 0;
    for (int i = 0; i < OPEN_ROWS; i++) {
        if (r->open[i].name && !strcmp(r->open[i].name, file)) {
            r->open[i].used = ++r->clock;
            *out = r->open[i].rows;
            return GV_OK;
        }
        if (r->open[i].used < r->open[at].used)
            at = i;
    }
    int fd = gv_roots_open(&r->roots, file, 0, err);
    if (fd < 0)
        return fd;
    gv_rows_close(r->open[at].rows);
    r->open[at].rows = NULL;
    gv_free(r->open[at].name);
    size_t n = strlen(file) + 1;
    r->open[at].name = gv_alloc(n, err);
    if (!r->open[at].name) {
        close(fd);
        return GV_ESYS;
    }
    memcpy(r->open[at].name, file, n);
    if ((r->own ? r->own->rows(r->st->config, fd, file, &r->open[at].rows, err) : gv_rows_open(&r->open[at].rows, fd, file, err)) < 0) {
        gv_free(r->open[at].name);
        r->open[at].name = NULL;
        return err->code;
    }
    r->open[at].used = ++r->clock;
    *out = r->open[at].rows;
    return GV_OK;
}

/* Where the instances of a bag come from, beside them in the record. */
static int coords_of(struct run *r, gv_record *rec, gv_rows *rows, int64_t row, gv_err *err)
{
    gv_sample c;
    int have = gv_rows_coords(rows, row, &c, &r->st->scratch, err);
    return have > 0 ? gv_set_tensor(rec, "coords", c.dtype, c.shape, c.ndim, c.data, err) : have;
}

/* A file that is a bag. */
static int decode_bag(struct run *r, gv_record *rec, const char *path, gv_sample *x, gv_err *err)
{
    gv_rows *rows;
    int fd = gv_roots_open(&r->roots, path, 0, err);
    if (fd < 0)
        return fd;
    int code = gv_rows_open(&rows, fd, path, err);
    if (code < 0)
        return code;
    code = gv_rows_bag(rows, x, &r->st->scratch, err);
    if (code == GV_OK)
        code = coords_of(r, rec, rows, -1, err);
    gv_rows_close(rows);
    return code < 0 ? gv_fail_in(err, "cannot read the bag '%s'", path) : code;
}

static int decode_row(struct run *r, gv_record *rec, const char *file, gv_sample *x, gv_err *err)
{
    int64_t row;
    gv_rows *rows = NULL;
    if (!gv_get_i64(rec, "row", &row))
        return gv_fail(err, GV_EDATA, "the sample names the file '%s' but no row of it", file);
    if (rows_of(r, file, &rows, err) < 0)
        return err->code;
    if (gv_rows_read(rows, row, x, &r->st->scratch, err) < 0)
        return gv_fail_in(err, "row %" PRId64 " of '%s'", row, file);
    if (coords_of(r, rec, rows, row, err) < 0)
        return gv_fail_in(err, "row %" PRId64 " of '%s'", row, file);
    if (x->ndim == 3 && x->dtype == GV_U8)
        return gv_sample_channels(x, r->channels, &r->st->scratch, err);
    return GV_OK;
}

/* ---- files ---- */

struct place { const struct run *r; int64_t epoch, index, draw; };

static int leading_crop(void *arg, int64_t h, int64_t w, gv_region *region)
{
    const struct place *p = arg;
    return gv_pipeline_crop(p->r->policy, h, w, p->r->seed, p->epoch, p->index, p->draw, region);
}

static int high_bytes(gv_sample *x, gv_arena *arena, gv_err *err)
{
    gv_sample y;
    if (gv_sample_init(&y, GV_U8, x->ndim, x->shape, arena, err) < 0)
        return err->code;
    const uint16_t *from = x->data;
    uint8_t *to = y.data;
    for (size_t i = 0, n = gv_sample_bytes(&y); i < n; i++)
        to[i] = (uint8_t)(from[i] >> 8);
    *x = y;
    return GV_OK;
}

/* The bytes of a file, in the arena; decoders may look past the end in whole words. */
static int file_bytes(const struct run *r, const char *path, size_t most, gv_arena *arena, gv_bytes *b, gv_err *err)
{
    struct stat st;
    int fd = gv_roots_open(&r->roots, path, most, err);
    if (fd < 0)
        return fd;
    uint8_t *bytes = fstat(fd, &st) == 0 ? gv_arena_alloc_dirty(arena, (size_t)st.st_size + 64, err) : NULL;
    int64_t n = bytes ? gv_read_full(fd, bytes, (size_t)st.st_size, err) : -1;
    close(fd);
    if (n < 0)
        return gv_fail_in(err, "cannot read '%s'", path);
    memset(bytes + n, 0, 64);
    *b = (gv_bytes){ bytes, (size_t)n };
    return GV_OK;
}

/* The bytes of a file that the record carries. */
static int record_bytes(const gv_item *v, gv_arena *arena, gv_bytes *b, gv_err *err)
{
    if (v->type != GV_BIN || v->text.n > GV_MAX_INPUT)
        return gv_fail(err, GV_EDATA, v->type != GV_BIN ? "its 'bytes' are not of msgpack's type bin" : "it has %zu bytes; at most %d are read", v->text.n, GV_MAX_INPUT);
    uint8_t *p = gv_arena_alloc_dirty(arena, v->text.n + 64, err);
    if (!p)
        return GV_ESYS;
    memcpy(p, v->text.s, v->text.n);
    memset(p + v->text.n, 0, 64);
    *b = (gv_bytes){ p, v->text.n };
    return GV_OK;
}

/* path NULL: the record has `bytes`. */
static int decode_image(struct run *r, const gv_record *rec, const char *path, gv_sample *x, gv_decode_info *info, gv_err *err)
{
    struct place p = { .r = r };
    gv_bytes b;
    if (path ? file_bytes(r, path, GV_MAX_INPUT, &r->st->scratch, &b, err) < 0 : record_bytes(gv_get(rec, "bytes"), &r->st->scratch, &b, err) < 0)
        return err->code;
    (void)gv_get_i64(rec, "epoch", &p.epoch);
    (void)gv_get_i64(rec, "index", &p.index);
    (void)gv_get_i64(rec, "draw", &p.draw);
    gv_decode_options o = { .channels = r->channels, .max_output = r->most, .crop = r->policy ? leading_crop : NULL, .crop_arg = &p, .info = info };
    if (gv_decode_bytes(b, x, &r->st->scratch, &o, err) < 0)
        return gv_fail_in(err, "cannot decode '%s'", path ? path : gv_get_text(rec, "id") ? gv_get_text(rec, "id") : "bytes");
    return x->dtype == GV_U16 && r->st->config->data.eight_bit ? high_bytes(x, &r->st->scratch, err) : GV_OK;
}

static int decode_volume(struct run *r, gv_record *rec, const char *path, gv_sample *x, gv_err *err)
{
    gv_bytes b;
    gv_scan v;
    gv_arena_reset(&r->big);
    if (file_bytes(r, path, r->most + (64 << 20), &r->big, &b, err) < 0)
        return err->code;
    double side[3];
    int beside = gv_scan_beside(&r->roots, path, side, err);
    if (beside < 0)
        return beside;
    if (gv_scan_load(&r->plan, b, beside ? side : NULL, r->channels, r->most, &v, &r->big, err) < 0)
        return gv_fail_in(err, "cannot decode '%s'", path);
    *x = v.x;
    if (!v.placed)
        return GV_OK;
    double *n = gv_arena_alloc(&r->big, 19 * sizeof *n, err); /* spacing, then the matrix with its last row */
    if (!n)
        return GV_ESYS;
    memcpy(n, v.spacing, sizeof v.spacing);
    memcpy(n + 3, v.affine, sizeof v.affine);
    n[18] = 1;
    if (gv_set_tensor(rec, "spacing", GV_F64T, (int64_t[]){ 3 }, 1, n, err) < 0 || !v.turned)
        return err->code;
    return gv_set_tensor(rec, "affine", GV_F64T, (int64_t[]){ 4, 4 }, 2, n + 3, err);
}

static int decode_clips(struct run *r, gv_record *rec, gv_sample *x, gv_err *err)
{
    gv_arena_reset(&r->big);
    return gv_clip_load(&r->clips, &r->roots, rec, r->seed, r->channels, x, &r->big, err);
}

/* What the data set itself makes of a file. */
static int decode_own(struct run *r, const char *path, gv_sample *x, gv_err *err)
{
    gv_bytes b;
    if (file_bytes(r, path, GV_MAX_INPUT, &r->st->scratch, &b, err) < 0)
        return err->code;
    return r->own->decode(r->st->config, b.p, b.n, x, &r->st->scratch, err) < 0 ? gv_fail_in(err, "cannot decode '%s'", path) : GV_OK;
}

static int decode(struct run *r, gv_record *rec, gv_err *err)
{
    static const char *const gone[] = { "path", "file", "row", "bytes" };
    gv_sample x = { 0 };
    gv_decode_info info = { 0 };
    const char *path = gv_get_text(rec, "path"), *file = gv_get_text(rec, "file");
    bool bytes = !path && !file && gv_get(rec, "bytes");
    if (!path && !file && !bytes)
        return gv_fail(err, GV_EDATA, "the sample has neither 'path' nor 'bytes' nor 'file' and 'row'");
    if (bytes && (r->bags || r->own || r->videos || r->volumes))
        return gv_fail(err, GV_EDATA, "the sample has 'bytes', which are read as images alone; those of this data set are something else");
    int code = bytes ? decode_image(r, rec, NULL, &x, &info, err) : !path ? decode_row(r, rec, file, &x, err) : r->bags ? decode_bag(r, rec, path, &x, err) : r->own ? decode_own(r, path, &x, err) : r->videos ? decode_clips(r, rec, &x, err) : r->volumes ? decode_volume(r, rec, path, &x, err) : decode_image(r, rec, path, &x, &info, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < GV_COUNT(gone); i++)
        gv_unset(rec, gone[i]);
    rec->kind = GV_TENSOR;
    if (gv_set_tensor(rec, "x", x.dtype, x.shape, x.ndim, x.data, err) < 0)
        return err->code;
    if (info.cropped) {
        gv_item region = gv_item_i64s((int64_t[]){ info.region.y, info.region.x, info.region.h, info.region.w }, 4, &r->st->scratch, err);
        gv_item full = gv_item_i64s((int64_t[]){ info.full_h, info.full_w }, 2, &r->st->scratch, err);
        if (region.type == GV_NIL || full.type == GV_NIL || gv_set(rec, "region", region, err) < 0 || gv_set(rec, "full", full, err) < 0)
            return err->code;
    }
    return GV_OK;
}

/* ---- the stage ---- */

static int open_roots(struct run *r, gv_err *err)
{
    const struct decode *o = r->st->params;
    const char *root = r->st->config->data.data_root_dir;
    if (!root)
        root = gv_get_text(gv_reader_header(r->st->in), "data_root");
    if (gv_roots_add(&r->roots, root ? root : ".", err) < 0 || gv_roots_add_list(&r->roots, getenv("GLOVITA_ROOTS"), err) < 0)
        return err->code;
    for (size_t i = 0; i < o->root.n; i++)
        if (gv_roots_add(&r->roots, o->root.v[i], err) < 0)
            return err->code;
    return GV_OK;
}

/* Memory for what is larger than an image: addresses alone until used. */
static int start_big(struct run *r, size_t room, gv_err *err)
{
#ifdef GV_SANITIZED
    room = (size_t)256 << 20; /* poisoning costs an eighth of it */
#endif
    return gv_arena_init(&r->big, "big", room, err);
}

/* Videos: the header tells how their clips lie, and batch how many make one sample. */
static int start_videos(struct run *r, bool train, gv_err *err)
{
    int got = gv_clip_plan_read(&r->clips, gv_reader_header(r->st->in), train, err);
    if (got <= 0)
        return got;
    r->videos = true;
    if (r->clips.views > 1 && gv_writer_fact(r->st->out, "views", gv_item_i64(r->clips.views), err) < 0)
        return err->code;
    return start_big(r, (size_t)4 << 30, err); /* frames, and frames of other channels */
}

static int start_volumes(struct run *r, gv_err *err)
{
    const gv_record *h = gv_reader_header(r->st->in);
    const char *content = gv_get_text(h, "content");
    if (!content || strcmp(content, "volume"))
        return GV_OK;
    r->volumes = true;
    int code = gv_scan_plan_read(&r->plan, h, err); /* below: file, its values, floats, and one more for each axis that is resampled */
    return code < 0 ? code : start_big(r, 9 * r->most + ((size_t)256 << 20), err);
}

static int loop(struct run *r, gv_err *err)
{
    gv_stage_ctx *st = r->st;
    gv_record rec;
    int got;
    while ((got = gv_next(st->in, &rec, err)) > 0) {
        gv_arena_reset(&st->scratch);
        if (rec.kind == GV_SAMPLE && decode(r, &rec, err) < 0 && gv_record_to_error(&rec, "decode", err, &st->scratch) < 0)
            return err->code;
        if (gv_put(st->out, &rec, err) < 0)
            return err->code;
        gv_stage_done(st, 1);
    }
    return got;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    struct run r = { .st = st, .seed = st->config->training.seed == GV_NONE_U64 ? 0 : st->config->training.seed };
    const struct decode *o = st->params;
    bool train = o->split == 0;
    r.channels = gv_config_encoder(st->config).input_channels;
    r.most = (size_t)st->config->data.max_sample << 20;
    r.own = st->config->data.dataset ? gv_decoder_find(st->config->data.dataset->name) : NULL;
    const gv_content *content = gv_content_find(gv_get_text(gv_reader_header(st->in), "content"));
    r.bags = content && content->ragged;
    int code = open_roots(&r, err);
    if (code == GV_OK)
        code = start_videos(&r, train, err);
    if (code == GV_OK)
        code = start_volumes(&r, err);
    if (code == GV_OK && !r.videos && !r.volumes && (train ? st->config->augmentation.train_policy : st->config->augmentation.test_policy) && gv_config_typed(st->config, train ? "data.augmentation.train_policy" : "data.augmentation.test_policy"))
        code = gv_stage_policy(st->config, gv_reader_header(st->in), train, &r.policy, &st->run, err);
    if (code == GV_OK)
        code = gv_stage_start(st, err);
    if (code == GV_OK)
        code = loop(&r, err);
    for (int i = 0; i < OPEN_ROWS; i++) {
        gv_rows_close(r.open[i].rows);
        gv_free(r.open[i].name);
    }
    gv_roots_release(&r.roots);
    gv_arena_release(&r.big);
    return code;
}

static const char *const blocks[] = { "data", "data.augmentation", "model.encoder", "training.seed", NULL };

const gv_stage gv_this_stage = {
    .name = "decode", .summary = "decode the files that sample records name",
    .reads = GV_SAMPLE, .writes = GV_TENSOR, .blocks = blocks, .fields = fields, .params_size = sizeof(struct decode), .names = gv_data_names, .run = run,
};
