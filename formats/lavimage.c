/* lavimage: one packet through an FFmpeg image decoder, and its frame as a sample. No demuxer, no protocol, one thread. */
#include "formats/lavimage.h"
#include "formats/lav.h"
#include <inttypes.h>
#include <libavutil/pixdesc.h>

/* Value of one component, as the pixel format describes where it lies. */
static inline uint32_t component(const uint8_t *p, const AVComponentDescriptor *c, bool wide, bool big)
{
    uint32_t v = wide ? (big ? (uint32_t)p[0] << 8 | p[1] : p[0] | (uint32_t)p[1] << 8) : p[0];
    return (v >> c->shift) & ((1u << c->depth) - 1);
}

/* Rows of any grey or RGB format without subsampling; missing depth is scaled as Pillow does (v * 255 / max). */
static void generic(const AVFrame *f, const AVPixFmtDescriptor *d, int comps, gv_sample *s)
{
    int64_t c = s->shape[2];
    bool big = d->flags & AV_PIX_FMT_FLAG_BE;
    for (int64_t y = 0; y < s->shape[0]; y++)
        for (int64_t k = 0; k < c; k++) {
            const AVComponentDescriptor *cd = &d->comp[comps == 1 ? 0 : k];
            bool wide = cd->shift + cd->depth > 8;
            const uint8_t *in = f->data[cd->plane] + y * f->linesize[cd->plane] + cd->offset;
            size_t at = (size_t)(y * s->shape[1] * c + k);
            uint32_t max = (1u << cd->depth) - 1;
            for (int64_t x = 0; x < s->shape[1]; x++, in += cd->step, at += (size_t)c) {
                uint32_t v = component(in, cd, wide, big);
                if (s->dtype == GV_U16)
                    ((uint16_t *)s->data)[at] = (uint16_t)(cd->depth == 16 ? v : v * 65535u / max);
                else
                    ((uint8_t *)s->data)[at] = (uint8_t)(cd->depth == 8 ? v : cd->depth > 8 ? v >> (cd->depth - 8) : v * 255u / max);
            }
        }
}

static void palette(const AVFrame *f, gv_sample *s)
{
    const uint32_t *table = (const uint32_t *)f->data[1]; /* 0xAARRGGBB in the machine's order */
    uint8_t *out = s->data;
    for (int64_t y = 0; y < s->shape[0]; y++) {
        const uint8_t *in = f->data[0] + y * f->linesize[0];
        for (int64_t x = 0; x < s->shape[1]; x++, out += s->shape[2]) {
            uint32_t v = table[in[x]];
            for (int64_t k = 0; k < s->shape[2]; k++)
                out[k] = (uint8_t)(v >> (16 - 8 * k));
        }
    }
}

static void bits(const AVFrame *f, gv_sample *s, bool ink_is_one)
{
    uint8_t *out = s->data;
    for (int64_t y = 0; y < s->shape[0]; y++) {
        const uint8_t *in = f->data[0] + y * f->linesize[0];
        for (int64_t x = 0; x < s->shape[1]; x++)
            for (int64_t k = 0; k < s->shape[2]; k++)
                *out++ = ((in[x >> 3] >> (7 - (x & 7))) & 1) != ink_is_one ? 255 : 0;
    }
}

GV_HOT static void drop_fourth(const uint8_t *restrict in, uint8_t *restrict out, int64_t w, int r, int b)
{
    for (int64_t x = 0; x < w; x++) {
        out[3 * x] = in[4 * x + r];
        out[3 * x + 1] = in[4 * x + 1];
        out[3 * x + 2] = in[4 * x + b];
    }
}

/* True if a quick loop knew the format. */
static bool common(const AVFrame *f, gv_sample *s)
{
    int64_t h = s->shape[0], w = s->shape[1], c = s->shape[2];
    uint8_t *out = s->data;
    bool rgba = f->format == AV_PIX_FMT_RGBA || f->format == AV_PIX_FMT_RGB0, bgra = f->format == AV_PIX_FMT_BGRA || f->format == AV_PIX_FMT_BGR0;
    bool plain = (f->format == AV_PIX_FMT_RGB24 && c == 3) || (f->format == AV_PIX_FMT_GRAY8 && c == 1);
    if (s->dtype != GV_U8 || !(plain || ((rgba || bgra) && c == 3)))
        return false;
    for (int64_t y = 0; y < h; y++, out += w * c) {
        const uint8_t *in = f->data[0] + y * f->linesize[0];
        if (plain)
            memcpy(out, in, (size_t)(w * c));
        else
            drop_fourth(in, out, w, rgba ? 0 : 2, rgba ? 2 : 0);
    }
    return true;
}

static int convert(const AVFrame *f, const char *label, gv_sample *s, gv_err *err)
{
    const AVPixFmtDescriptor *d = gv_av.av_pix_fmt_desc_get(f->format);
    if (!d)
        return gv_fail(err, GV_EDATA, "%s decodes to an unknown pixel format", label);
    if (f->format == AV_PIX_FMT_PAL8 && s->dtype == GV_U8)
        palette(f, s);
    else if (f->format == AV_PIX_FMT_MONOBLACK || f->format == AV_PIX_FMT_MONOWHITE)
        bits(f, s, f->format == AV_PIX_FMT_MONOWHITE);
    else if ((f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVA420P) && s->shape[2] == 3 && s->dtype == GV_U8)
        gv_webp_rgb((const uint8_t *const *)f->data, f->linesize, s->data, s->shape[0], s->shape[1]);
    else if (common(f, s))
        ;
    else {
        bool rgb = d->flags & AV_PIX_FMT_FLAG_RGB;
        int comps = d->nb_components - (d->flags & AV_PIX_FMT_FLAG_ALPHA ? 1 : 0);
        if ((comps != 1 && !(rgb && comps == 3)) || (comps == 3 && s->shape[2] != 3) || d->log2_chroma_w || d->log2_chroma_h)
            return gv_fail(err, GV_EDATA, "%s with pixel format '%s' is not read", label, d->name);
        generic(f, d, comps, s);
    }
    return GV_OK;
}

static int receive(AVCodecContext *c, AVPacket *pkt, AVFrame *f)
{
    int r = gv_av.avcodec_send_packet(c, pkt);
    if (r >= 0 && (r = gv_av.avcodec_receive_frame(c, f)) == AVERROR(EAGAIN)) {
        (void)gv_av.avcodec_send_packet(c, NULL);
        r = gv_av.avcodec_receive_frame(c, f);
    }
    return r;
}

int gv_lav_image(enum AVCodecID id, const char *label, const uint8_t *p, size_t n, const gv_sample *shape, gv_sample *out, gv_arena *arena, gv_err *err)
{
    int r = GV_EDATA, e;
    if (gv_lav_load(err) < 0)
        return GV_ESYS;
    gv_lav_quiet();
    const AVCodec *codec = gv_av.avcodec_find_decoder(id);
    AVCodecContext *c = codec ? gv_av.avcodec_alloc_context3(codec) : NULL;
    AVPacket *pkt = gv_av.av_packet_alloc();
    AVFrame *f = gv_av.av_frame_alloc();
    gv_sample x;
    if (!codec)
        r = gv_fail(err, GV_EDATA, "this FFmpeg has no decoder for %s", label);
    else if (!c || !pkt || !f)
        r = gv_fail(err, GV_ESYS, "out of memory for the %s decoder", label);
    else if (n > INT32_MAX - 64)
        r = gv_fail(err, GV_EDATA, "%s of %zu bytes is too long", label, n);
    else {
        c->thread_count = 1;
        c->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
        c->max_pixels = (shape->shape[0] + 64) * (shape->shape[1] + 128); /* the libraries count lines filled up to whole 64 pixels */
        pkt->data = (uint8_t *)(uintptr_t)p; /* not reference counted: the decoder copies if it must keep it */
        pkt->size = (int)n;
        pkt->flags = AV_PKT_FLAG_KEY;
        if ((e = gv_av.avcodec_open2(c, codec, NULL)) < 0 || (e = receive(c, pkt, f)) < 0)
            r = gv_fail(err, e == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "%s of %zu bytes is damaged (%s)", label, n, gv_lav_error(e));
        else if (f->height != shape->shape[0] || f->width != shape->shape[1])
            r = gv_fail(err, GV_EDATA, "%s decodes to %d x %d pixels; its header says %" PRId64 " x %" PRId64, label, f->height, f->width, shape->shape[0], shape->shape[1]);
        else if (f->decode_error_flags)
            r = gv_fail(err, GV_EDATA, "%s of %zu bytes is damaged", label, n);
        else if ((r = gv_sample_init(&x, shape->dtype, 3, shape->shape, arena, err)) == GV_OK && (r = convert(f, label, &x, err)) == GV_OK)
            *out = x;
    }
    gv_av.av_frame_free(&f);
    gv_av.av_packet_free(&pkt);
    gv_av.avcodec_free_context(&c);
    return r;
}
