/* format: the list, opening of files, limits, and decoding by first bytes. */
#include "formats/format.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const gv_format *const all[] = {
#define GV_FORMAT(n) &gv_format_##n,
#include "formats/formats.def"
#undef GV_FORMAT
    NULL,
};

const gv_format *const *gv_formats(void)
{
    return all;
}

const gv_format *gv_format_find(const char *name)
{
    for (size_t i = 0; all[i]; i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

const gv_format *gv_format_sniff(const uint8_t *p, size_t n)
{
    for (size_t i = 0; all[i]; i++)
        if (all[i]->sniff(p, n))
            return all[i];
    return NULL;
}

bool gv_format_suffix(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; all[i]; i++)
        for (const char *const *s = all[i]->suffixes; *s; s++)
            if (n > strlen(*s) && !strcasecmp(path + n - strlen(*s), *s)) /* ".nii.gz" has two dots */
                return true;
    return false;
}

int gv_bytes_load(const char *path, gv_bytes *b, size_t max_input, gv_arena *arena, gv_err *err)
{
    /* Not blocking: a FIFO or a device in a folder of images must not hang the reader. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    int r = GV_ESYS;
    struct stat st;
    uint8_t *p;
    if (!max_input)
        max_input = GV_MAX_INPUT;
    if (fstat(fd, &st) < 0)
        r = gv_fail_sys(err, "cannot stat '%s'", path);
    else if (!S_ISREG(st.st_mode))
        r = gv_fail(err, GV_EDATA, "'%s' is not a regular file", path);
    else if (!st.st_size)
        r = gv_fail(err, GV_EDATA, "'%s' is empty", path);
    else if ((uintmax_t)st.st_size > max_input)
        r = gv_fail(err, GV_EDATA, "'%s' has %jd bytes; at most %zu MiB are read", path, (intmax_t)st.st_size, max_input >> 20);
    else if ((p = gv_arena_alloc_dirty(arena, (size_t)st.st_size + 64, err))) {
        int64_t got = gv_read_full(fd, p, (size_t)st.st_size, err);
        if (got < 0)
            r = gv_fail_in(err, "'%s'", path);
        else {
            memset(p + got, 0, 64); /* decoders may look past the end in whole words */
            *b = (gv_bytes){ p, (size_t)got };
            r = GV_OK;
        }
    }
    close(fd);
    return r;
}

static bool inside(const gv_region *g, int64_t h, int64_t w)
{
    return g->h > 0 && g->w > 0 && g->y >= 0 && g->x >= 0 && g->h <= h - g->y && g->w <= w - g->x;
}

int gv_decode_bytes(gv_bytes b, gv_sample *out, gv_arena *arena, const gv_decode_options *o, gv_err *err)
{
    static const gv_decode_options plain;
    if (!o)
        o = &plain;
    size_t max = o->max_output ? o->max_output : GV_MAX_OUTPUT;
    const gv_format *f = gv_format_sniff(b.p, b.n);
    if (!f)
        return gv_fail(err, GV_EDATA, "the first bytes are those of no known format of images (jpeg, png, tiff, bmp, gif, webp, npy)");
    if (!f->decode)
        return gv_fail(err, GV_EDATA, "a %s file holds a %s, not an image (data.dataset %s reads it)", f->name, f->volume ? "volume" : "series", f->volume ? "generic_3d_dataset" : "generic_timeseries_dataset");
    gv_sample shape = { 0 }, x = { 0 };
    int r = f->header(b.p, b.n, &shape, err);
    if (r < 0 || (r = gv_shape_check(&shape, max, err)) < 0)
        return r;
    if (f->ratio && gv_sample_bytes(&shape) / (size_t)f->ratio > b.n)
        return gv_fail(err, GV_EDATA, "a %s file of %zu bytes cannot hold the %" PRId64 " x %" PRId64 " pixels its header claims", f->name, b.n, shape.shape[0], shape.shape[1]);
    int64_t h = shape.ndim > 2 ? shape.shape[shape.ndim - 3] : 1, w = shape.ndim > 1 ? shape.shape[shape.ndim - 2] : 1;
    gv_region part = { 0 };
    bool some = false;
    if (o->crop)
        some = o->crop(o->crop_arg, h, w, &part) == 1;
    else if (o->region) {
        part = *o->region;
        some = true;
    }
    if (some && !inside(&part, h, w))
        return gv_fail(err, GV_EDATA, "a region of %" PRId64 " x %" PRId64 " at row %" PRId64 ", column %" PRId64 " is not inside an image of %" PRId64 " x %" PRId64,
                       part.h, part.w, part.y, part.x, h, w);
    bool all_of_it = !some || (part.h == h && part.w == w);
    r = f->decode(b.p, b.n, &x, f->parts && !all_of_it ? &part : NULL, max, arena, err);
    if (r == GV_OK && !all_of_it && !f->parts)
        r = gv_sample_crop(&x, &part, arena, err);
    if (r == GV_OK && o->channels)
        r = gv_sample_channels(&x, o->channels, arena, err);
    if (r < 0)
        return r;
    if (o->info)
        *o->info = (gv_decode_info){ .format = f->name, .full_h = h, .full_w = w, .cropped = some, .region = part };
    *out = x;
    return GV_OK;
}

int gv_decode_file(const char *path, gv_sample *out, gv_arena *arena, const gv_decode_options *o, gv_err *err)
{
    gv_bytes b;
    int r = gv_bytes_load(path, &b, o ? o->max_input : 0, arena, err);
    if (r < 0)
        return r;
    if (gv_decode_bytes(b, out, arena, o, err) < 0)
        return gv_fail_in(err, "cannot decode '%s'", path);
    return GV_OK;
}
