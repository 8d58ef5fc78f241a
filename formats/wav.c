/* wav: sound, WAV (RIFF, RF64) and FLAC, by FFmpeg's libraries, from memory: no path, no protocol. Samples of all channels as they are
 * stored, whole numbers divided by their largest (so within -1 … 1), at the file's rate.
 * Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991); RFC 9639; by libavformat and libavcodec. */
#include "formats/lav.h"
#include "formats/series.h"
#include <inttypes.h>

enum { IO_BYTES = 1 << 16 };

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 12 && (((!memcmp(p, "RIFF", 4) || !memcmp(p, "RF64", 4)) && !memcmp(p + 8, "WAVE", 4)) || !memcmp(p, "fLaC", 4));
}

static uint32_t le32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* The library plays what is there: a RIFF file that ends inside the chunk of its samples must be noticed here. */
static int whole(const uint8_t *p, size_t n, gv_err *err)
{
    if (memcmp(p, "RIFF", 4))
        return GV_OK;
    for (size_t at = 12; n - at >= 8 && at < n;) {
        uint64_t size = le32(p + at + 4);
        bool data = !memcmp(p + at, "data", 4);
        if (data && size == UINT32_MAX) /* written to a pipe: its length was not known */
            return GV_OK;
        if (size > n - at - 8)
            return gv_fail(err, GV_EDATA, "WAV ends after %zu of %" PRIu64 " bytes%s", n, at + 8 + size, data ? "" : ", before its samples");
        if (data)
            return GV_OK;
        at += 8 + size + (size & 1);
    }
    return gv_fail(err, GV_EDATA, "WAV of %zu bytes ends before its samples", n);
}

/* ---- the file as the library reads it ---- */

struct memory { const uint8_t *p; int64_t n, at; };

static int read_memory(void *arg, uint8_t *to, int n)
{
    struct memory *m = arg;
    int64_t left = m->n - m->at, k = n < left ? n : left;
    if (k <= 0)
        return AVERROR_EOF;
    memcpy(to, m->p + m->at, (size_t)k);
    m->at += k;
    return (int)k;
}

static int64_t seek_memory(void *arg, int64_t to, int whence)
{
    struct memory *m = arg;
    if (whence == AVSEEK_SIZE)
        return m->n;
    to += whence == SEEK_CUR ? m->at : whence == SEEK_END ? m->n : 0;
    if (to < 0 || to > m->n)
        return AVERROR(EINVAL);
    return m->at = to;
}

struct sound { AVFormatContext *f; AVIOContext *io; AVCodecContext *c; AVPacket *packet; AVFrame *frame; int stream; };

static void release(struct sound *s)
{
    gv_av.av_frame_free(&s->frame);
    gv_av.av_packet_free(&s->packet);
    gv_av.avcodec_free_context(&s->c);
    gv_av.avformat_close_input(&s->f);
    if (s->io)
        gv_av.av_freep(&s->io->buffer);
    gv_av.avio_context_free(&s->io);
}

static int open_sound(struct sound *s, struct memory *m, bool flac, gv_err *err)
{
    const AVInputFormat *kind = gv_av.av_find_input_format(flac ? "flac" : "wav");
    uint8_t *buffer = gv_av.av_malloc(IO_BYTES);
    int e = 0;
    s->f = gv_av.avformat_alloc_context();
    s->io = buffer ? gv_av.avio_alloc_context(buffer, IO_BYTES, 0, m, read_memory, NULL, seek_memory) : NULL;
    s->packet = gv_av.av_packet_alloc();
    s->frame = gv_av.av_frame_alloc();
    if (!kind)
        return gv_fail(err, GV_EDATA, "this FFmpeg reads no %s", flac ? "FLAC" : "WAV");
    if (!s->f || !s->io || !s->packet || !s->frame)
        return gv_fail(err, GV_ESYS, "out of memory for a sound file");
    s->f->pb = s->io;
    s->f->flags |= AVFMT_FLAG_CUSTOM_IO;
    if ((e = gv_av.avformat_open_input(&s->f, NULL, kind, NULL)) < 0 || (e = gv_av.avformat_find_stream_info(s->f, NULL)) < 0 ||
        (e = s->stream = gv_av.av_find_best_stream(s->f, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0)) < 0)
        return gv_fail(err, e == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "the sound file of %" PRId64 " bytes cannot be read (%s)", m->n, gv_lav_error(e));
    const AVCodecParameters *par = s->f->streams[s->stream]->codecpar;
    const AVCodec *codec = gv_av.avcodec_find_decoder(par->codec_id);
    s->c = codec ? gv_av.avcodec_alloc_context3(codec) : NULL;
    if (!codec)
        return gv_fail(err, GV_EDATA, "this FFmpeg cannot decode the sound file's '%s'", gv_av.avcodec_get_name(par->codec_id));
    if (!s->c || (e = gv_av.avcodec_parameters_to_context(s->c, par)) < 0)
        return gv_fail(err, GV_ESYS, "out of memory for a sound file");
    s->c->thread_count = 1;
    s->c->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    if ((e = gv_av.avcodec_open2(s->c, codec, NULL)) < 0)
        return gv_fail(err, GV_EDATA, "the sound file's '%s' cannot be decoded (%s)", gv_av.avcodec_get_name(par->codec_id), gv_lav_error(e));
    return GV_OK;
}

/* ---- samples ---- */

static float value(const uint8_t *p, enum AVSampleFormat f)
{
    switch (f) {
    case AV_SAMPLE_FMT_U8: return ((float)*p - 128) / 128;
    case AV_SAMPLE_FMT_S16: return (float)*(const int16_t *)(const void *)p / 32768;
    case AV_SAMPLE_FMT_S32: return (float)*(const int32_t *)(const void *)p / 2147483648.0f;
    case AV_SAMPLE_FMT_FLT: return *(const float *)(const void *)p;
    case AV_SAMPLE_FMT_DBL: return (float)*(const double *)(const void *)p;
    default: return NAN;
    }
}

static int take(const struct sound *s, int channels, size_t most, gv_buf *out, gv_err *err)
{
    const AVFrame *f = s->frame;
    enum AVSampleFormat packed = gv_av.av_get_packed_sample_fmt(f->format);
    bool planar = gv_av.av_sample_fmt_is_planar(f->format);
    int size = gv_av.av_get_bytes_per_sample(f->format), c = f->ch_layout.nb_channels;
    if (c != channels)
        return gv_fail(err, GV_EDATA, "the sound file goes on with %d channels; it began with %d", c, channels);
    if (packed == AV_SAMPLE_FMT_S64 || size < 1 || isnan(value((const uint8_t[16]){ 0 }, packed)))
        return gv_fail(err, GV_EDATA, "samples of type '%s' are not read", gv_av.av_get_sample_fmt_name(f->format));
    size_t n = (size_t)f->nb_samples * (size_t)c * sizeof(float);
    if (n > most - out->len)
        return gv_fail(err, GV_EDATA, "the sound file holds more than %zu MiB of samples", most >> 20);
    if (gv_buf_reserve(out, n, err) < 0)
        return GV_ESYS;
    float *to = (float *)(void *)(out->data + out->len);
    for (int i = 0; i < f->nb_samples; i++)
        for (int k = 0; k < c; k++)
            *to++ = value(planar ? f->extended_data[k] + i * size : f->extended_data[0] + (i * c + k) * size, packed);
    out->len += n;
    return GV_OK;
}

/* What the decoder has ready; 0 when it wants more. */
static int drain(struct sound *s, int channels, size_t most, gv_buf *out, gv_err *err)
{
    int e, r;
    while ((e = gv_av.avcodec_receive_frame(s->c, s->frame)) >= 0)
        if ((r = take(s, channels, most, out, err)) < 0)
            return r;
    return e == AVERROR(EAGAIN) || e == AVERROR_EOF ? GV_OK : gv_fail(err, GV_EDATA, "the sound file is damaged after %zu samples (%s)", out->len / sizeof(float) / (size_t)channels, gv_lav_error(e));
}

static int all_samples(struct sound *s, int channels, size_t most, gv_buf *out, gv_err *err)
{
    int e, r = GV_OK;
    while (r == GV_OK && (e = gv_av.av_read_frame(s->f, s->packet)) >= 0) {
        if (s->packet->stream_index == s->stream && (e = gv_av.avcodec_send_packet(s->c, s->packet)) < 0)
            r = gv_fail(err, GV_EDATA, "the sound file is damaged after %zu samples (%s)", out->len / sizeof(float) / (size_t)channels, gv_lav_error(e));
        gv_av.av_packet_unref(s->packet);
        r = r < 0 ? r : drain(s, channels, most, out, err);
    }
    if (r == GV_OK && e != AVERROR_EOF)
        r = gv_fail(err, GV_EDATA, "the sound file is damaged (%s)", gv_lav_error(e));
    if (r == GV_OK && gv_av.avcodec_send_packet(s->c, NULL) >= 0)
        r = drain(s, channels, most, out, err);
    return r;
}

static int series(const uint8_t *p, size_t n, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    struct memory m = { .p = p, .n = (int64_t)n };
    struct sound s = { 0 };
    gv_buf v = { 0 };
    bool flac = !memcmp(p, "fLaC", 4);
    int r = whole(p, n, err);
    if (r < 0 || (r = gv_lav_load(err)) < 0)
        return r;
    gv_lav_quiet();
    r = open_sound(&s, &m, flac, err);
    int c = r < 0 ? 0 : s.c->ch_layout.nb_channels;
    int64_t told = r < 0 ? 0 : s.f->streams[s.stream]->duration;
    if (r == GV_OK)
        r = gv_series_shape(1, c, o->max_output, err);
    if (r == GV_OK)
        r = all_samples(&s, c, o->max_output ? o->max_output : GV_MAX_OUTPUT, &v, err);
    int64_t t = c ? (int64_t)(v.len / sizeof(float)) / c : 0;
    if (r == GV_OK && !t)
        r = gv_fail(err, GV_EDATA, "the sound file holds no sample");
    if (r == GV_OK && flac && told > 0 && t < told)
        r = gv_fail(err, GV_EDATA, "FLAC ends after %" PRId64 " of %" PRId64 " samples", t, told);
    if (r == GV_OK)
        r = gv_series_shape(t, c, o->max_output, err);
    if (r == GV_OK && (r = gv_sample_init(&out->x, GV_F32T, 2, (int64_t[]){ t, c }, arena, err)) == GV_OK) {
        memcpy(out->x.data, v.data, v.len);
        out->rate = s.c->sample_rate;
    }
    gv_buf_release(&v);
    release(&s);
    return r;
}

const gv_format gv_format_wav = {
    .name = "wav", .summary = "sound: WAV, FLAC",
    .suffixes = (const char *const[]){ ".wav", ".flac", NULL },
    .sniff = sniff, .series = series,
};
