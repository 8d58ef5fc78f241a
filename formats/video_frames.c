/* video_frames: the frames that are wanted, from the nearest keyframe, as upright RGB. */
#include "formats/video_lav.h"
#include <inttypes.h>
#include <libavutil/pixdesc.h>

/* ---- pixels ---- */

static bool full_range(const AVFrame *f)
{
    return f->color_range == AVCOL_RANGE_JPEG || f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_YUVJ422P || f->format == AV_PIX_FMT_YUVJ444P ||
        f->format == AV_PIX_FMT_YUVJ440P || f->format == AV_PIX_FMT_YUVJ411P;
}

/* Into planes: into packed pixels swscale 5 and 6 take the nearest or the mean of two chroma rows instead of weighting them. */
static int to_rgb(struct gv_lav *l, int w, int h, gv_err *err)
{
    const AVFrame *f = l->frame;
    const AVPixFmtDescriptor *d = gv_av.av_pix_fmt_desc_get(f->format);
    if (!d || d->flags & AV_PIX_FMT_FLAG_HWACCEL || !gv_av.sws_isSupportedInput(f->format))
        return gv_fail(err, GV_EDATA, "its pixel format '%s' is not read", d ? d->name : "unknown");
    l->sws = gv_av.sws_getCachedContext(l->sws, f->width, f->height, f->format, w, h, AV_PIX_FMT_GBRP,
                                  SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT, NULL, NULL, NULL);
    if (!l->sws)
        return gv_fail(err, GV_EDATA, "frames of %d x %d in '%s' cannot be converted%s", f->width, f->height, d->name, gv_lav_why(0));
    if (!(d->flags & AV_PIX_FMT_FLAG_RGB) && d->nb_components > 2) {
        const int *from = gv_av.sws_getCoefficients(f->colorspace == AVCOL_SPC_UNSPECIFIED || f->colorspace > AVCOL_SPC_BT2020_CL ? SWS_CS_DEFAULT : (int)f->colorspace);
        gv_av.sws_setColorspaceDetails(l->sws, from, full_range(f), gv_av.sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    }
    if (!l->rgb->data[0]) {
        l->rgb->format = AV_PIX_FMT_GBRP;
        l->rgb->width = w;
        l->rgb->height = h;
        if (gv_av.av_frame_get_buffer(l->rgb, 64) < 0) /* padded rows: swscale writes whole vectors */
            return gv_fail(err, GV_ESYS, "out of memory for a frame of %d x %d", w, h);
    }
    if (gv_av.sws_scale(l->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, l->rgb->data, l->rgb->linesize) != h)
        return gv_fail(err, GV_EDATA, "a frame of %d x %d cannot be converted%s", f->width, f->height, gv_lav_why(0));
    return GV_OK;
}

/* Planes to pixels. Source column and row change places first (transposed), then the mirrors. */
static void put_upright(const struct gv_lav *l, int64_t w, int64_t h, uint8_t *out)
{
    int64_t ow = l->transpose ? h : w, oh = l->transpose ? w : h, row = l->rgb->linesize[0], step = l->transpose ? row : 1;
    const uint8_t *const *p = (const uint8_t *const *)l->rgb->data; /* green, blue, red; av_frame_get_buffer gives them equal rows */
    for (int64_t r = 0; r < oh; r++, out += ow * 3) {
        int64_t y = l->flip_y ? oh - 1 - r : r, at = l->transpose ? y : y * row, by = step;
        if (l->flip_x) {
            at += (ow - 1) * step;
            by = -step;
        }
        for (int64_t c = 0; c < ow; c++, at += by) {
            out[3 * c] = p[2][at];
            out[3 * c + 1] = p[0][at];
            out[3 * c + 2] = p[1][at];
        }
    }
}

static int take(gv_video *v, int64_t slot, uint8_t *out, gv_err *err)
{
    struct gv_lav *l = v->state;
    int64_t w = l->transpose ? v->info.h : v->info.w, h = l->transpose ? v->info.w : v->info.h;
    if (l->frame->decode_error_flags || l->frame->flags & AV_FRAME_FLAG_CORRUPT)
        return gv_fail(err, GV_EDATA, "the frame at %.3f s is damaged%s", (double)(gv_lav_time(l->frame) - l->first) * av_q2d(gv_lav_stream(l)->time_base), gv_lav_why(0));
    if (to_rgb(l, (int)w, (int)h, err) < 0)
        return err ? err->code : GV_EDATA;
    put_upright(l, w, h, out + (size_t)slot * (size_t)(w * h * 3));
    return GV_OK;
}

/* ---- places ---- */

/* The keyframe from which frame p can be decoded: the last one before it, or the one before that where p is shown before it. */
static int64_t key_of(const struct gv_lav *l, int64_t p)
{
    for (int64_t k = p; k > 0; k--)
        if (l->table[k].key && l->table[k].pts <= l->table[p].pts)
            return k;
    return 0;
}

/* Seek, and read on to packet k. False where the packets that come are not those of the table. */
static bool jump(struct gv_lav *l, int64_t k)
{
    int64_t at = -1;
    l->held = false;
    if (gv_av.av_seek_frame(l->fmt, l->stream, l->table[k].seek, AVSEEK_FLAG_BACKWARD) < 0)
        return false;
    while (gv_lav_packet(l) > 0) {
        int64_t i = gv_lav_find(l, l->packet->pts, l->packet->pos);
        if (i < 0 || i > k || (at >= 0 && i != at))
            return false;
        if (i == k) {
            l->held = true;
            l->next = k;
            return true;
        }
        at = i + 1;
    }
    return false;
}

/* The next packet to decode is k. */
static int go_to(gv_video *v, int64_t k, gv_err *err)
{
    struct gv_lav *l = v->state;
    gv_av.avcodec_flush_buffers(l->codec);
    l->drained = false;
    if (!v->info.rewound && jump(l, k))
        return GV_OK;
    v->info.rewound = true;
    if (gv_lav_restart(v, err) < 0)
        return err ? err->code : GV_EDATA;
    for (int64_t i = 0; i <= k; i++)
        if (gv_lav_packet(l) <= 0 || l->packet->pts != l->table[i].pts)
            return gv_fail(err, GV_EDATA, "packet %" PRId64 " is not what it was when the file was opened", i);
    l->held = true;
    l->next = k;
    return GV_OK;
}

/* ---- reading ---- */

/* By the table. 0: it was wrong. */
static int sparse(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err)
{
    struct gv_lav *l = v->state;
    l->next = -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t p = l->shown[want[i].frame], k = key_of(l, p), pts = l->table[p].pts, t;
        if ((l->next < 0 || k > l->next) && go_to(v, k, err) < 0)
            return err ? err->code : GV_EDATA;
        do {
            int r = gv_lav_frame(v, err);
            if (r <= 0)
                return r;
            t = gv_lav_time(l->frame);
        } while (t < pts);
        if (t > pts)
            return 0;
        if (take(v, want[i].slot, out, err) < 0)
            return err ? err->code : GV_EDATA;
    }
    return 1;
}

/* From the first frame on, counting. */
static int linear(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err)
{
    int64_t i = 0;
    ((struct gv_lav *)v->state)->wanted = NULL;
    v->info.decoded = 0;
    int r = gv_lav_restart(v, err);
    for (int64_t at = 0; i < n && r == GV_OK; at++) {
        if ((r = gv_lav_frame(v, err)) <= 0)
            break;
        r = at == want[i].frame ? take(v, want[i++].slot, out, err) : GV_OK;
    }
    if (r == GV_OK && i < n)
        return gv_fail(err, GV_EDATA, "decoding gave frame %" PRId64 " once, and not again", want[i].frame);
    return r < 0 ? r : 1;
}

int gv_lav_read(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err)
{
    struct gv_lav *l = v->state;
    gv_lav_quiet();
    if (v->info.by_decoding)
        return linear(v, want, n, out, err);
    int64_t *pts = gv_alloc((size_t)n * sizeof *pts, err);
    if (!pts)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++)
        pts[i] = l->table[l->shown[want[i].frame]].pts;
    l->wanted = pts;
    l->nwanted = n;
    int r = sparse(v, want, n, out, err);
    l->wanted = NULL;
    gv_free(pts);
    return r ? r : gv_lav_count(v, err) < 0 ? err ? err->code : GV_EDATA : 0;
}
