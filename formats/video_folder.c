/* video_folder: the pictures of a folder as the frames of a video, in byte order of their names, a frame every 1 / folder_fps seconds. */
#include "formats/format.h"
#include "formats/video_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct folder { int fd; char **name; int64_t n; gv_arena arena; };

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(gv_video *v, gv_err *err)
{
    struct folder *f = v->state;
    gv_buf names = { 0 };
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3), r = GV_OK;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        r = gv_fail_sys(err, "its folder cannot be listed");
        if (fd >= 0)
            close(fd);
        return r;
    }
    for (struct dirent *e; r == GV_OK && (e = readdir(d));) {
        char *name;
        if (!gv_video_picture(e->d_name))
            continue;
        if (++f->n > v->o.max_frames)
            r = gv_fail(err, GV_EDATA, "the folder has more than %" PRId64 " pictures", v->o.max_frames);
        else if (!(name = gv_alloc(strlen(e->d_name) + 1, err)))
            r = GV_ESYS;
        else {
            memcpy(name, e->d_name, strlen(e->d_name) + 1);
            if ((r = gv_buf_add(&names, &name, sizeof name, err)) < 0)
                gv_free(name);
        }
    }
    closedir(d);
    f->n = (int64_t)(names.len / sizeof *f->name);
    f->name = (char **)(void *)names.data; /* the buffer's memory is ours now */
    if (r == GV_OK && f->n)
        qsort(f->name, (size_t)f->n, sizeof *f->name, by_name);
    return r == GV_OK && !f->n ? gv_fail(err, GV_EDATA, "the folder holds no picture (.jpg .jpeg .png .bmp .tif .tiff .webp)") : r;
}

/* One picture; out NULL: only its size. */
static int picture(gv_video *v, int64_t i, uint8_t *out, gv_err *err)
{
    struct folder *f = v->state;
    gv_sample x = { 0 };
    gv_bytes b;
    char path[64];
    gv_arena_reset(&f->arena);
    int fd = openat(f->fd, f->name[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        gv_fail_sys(err, "frame '%s' cannot be opened", f->name[i]);
        return err ? err->code = GV_EDATA : GV_EDATA;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    gv_decode_options o = { .channels = 3, .max_output = (size_t)v->o.max_pixels * 8 };
    int r = gv_bytes_load(path, &b, 0, &f->arena, err);
    close(fd);
    if (r == GV_OK)
        r = gv_decode_bytes(b, &x, &f->arena, &o, err);
    if (r < 0)
        return gv_fail_in(err, "frame '%s'", f->name[i]);
    if (x.ndim != 3 || x.dtype != GV_U8)
        return gv_fail(err, GV_EDATA, "frame '%s' is no picture of 8 bits", f->name[i]);
    if (!out) {
        v->info.h = x.shape[0];
        v->info.w = x.shape[1];
        v->info.codec = gv_format_sniff(b.p, b.n)->name;
        return GV_OK;
    }
    v->info.decoded++;
    if (x.shape[0] != v->info.h || x.shape[1] != v->info.w)
        return gv_fail(err, GV_EDATA, "frame '%s' has %" PRId64 " x %" PRId64 " pixels; '%s' has %" PRId64 " x %" PRId64, f->name[i], x.shape[0], x.shape[1], f->name[0], v->info.h, v->info.w);
    memcpy(out, x.data, gv_sample_bytes(&x));
    return GV_OK;
}

static int read_folder(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (picture(v, want[i].frame, out + want[i].slot * v->info.h * v->info.w * 3, err) < 0)
            return err ? err->code : GV_EDATA;
    return 1;
}

static void close_folder(gv_video *v)
{
    struct folder *f = v->state;
    for (int64_t i = 0; i < f->n; i++)
        gv_free(f->name[i]);
    gv_free(f->name);
    close(f->fd);
    gv_arena_release(&f->arena);
    gv_free(f);
}

static int begin(gv_video *v, gv_err *err)
{
    struct folder *f = v->state;
    if (gv_arena_init(&f->arena, "frame", 4ull << 30, err) < 0 || list(v, err) < 0 || picture(v, 0, NULL, err) < 0)
        return err ? err->code : GV_EDATA;
    if (!(v->times = gv_alloc((size_t)f->n * sizeof *v->times, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < f->n; i++)
        v->times[i] = (double)i / v->o.folder_fps;
    v->info.times = v->times;
    v->info.frames = f->n;
    v->info.duration = (double)f->n / v->o.folder_fps;
    v->info.container = "folder";
    return GV_OK;
}

int gv_video_open_folder(gv_video **out, int dirfd, const gv_video_options *o, gv_err *err)
{
    gv_video *v = gv_video_new(o, err);
    struct folder *f = v ? gv_alloc(sizeof *f, err) : NULL;
    *out = NULL;
    if (!f) {
        gv_free(v);
        close(dirfd);
        return GV_ESYS;
    }
    f->fd = dirfd;
    v->state = f;
    v->read = read_folder;
    v->close = close_folder;
    int r = begin(v, err);
    if (r < 0) {
        gv_video_close(v);
        return r;
    }
    *out = v;
    return GV_OK;
}
