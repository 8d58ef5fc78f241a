/* video_lav: opening of a video file, its packets and its frames in the order they come.
 * The libraries read through our own functions on one descriptor: there is no protocol, and what a demuxer would open besides is refused. */
#include "formats/video_lav.h"
#include <inttypes.h>
#include <libavutil/display.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IO_BUFFER = 1 << 16 };

static int io_read(void *arg, uint8_t *p, int n)
{
    struct gv_lav *l = arg;
    ssize_t got = pread(l->fd, p, (size_t)n, l->at);
    if (got < 0)
        return AVERROR(EIO);
    l->at += got;
    return got ? (int)got : AVERROR_EOF;
}

static int64_t io_seek(void *arg, int64_t to, int whence)
{
    struct gv_lav *l = arg;
    if (whence & AVSEEK_SIZE)
        return l->size;
    whence &= ~AVSEEK_FORCE;
    if (whence == SEEK_CUR)
        to += l->at;
    else if (whence == SEEK_END)
        to += l->size;
    else if (whence != SEEK_SET)
        return AVERROR(EINVAL);
    return to < 0 ? AVERROR(EINVAL) : (l->at = to);
}

static int io_refuse(struct AVFormatContext *s, AVIOContext **pb, const char *url, int flags, AVDictionary **options)
{
    (void)s, (void)url, (void)flags, (void)options;
    *pb = NULL;
    return AVERROR(EACCES);
}

/* Formats that only name other files or addresses, and one that takes any text for a picture. */
static bool refused(const AVInputFormat *f)
{
    static const char *const names[] = { "hls", "dash", "concat", "sdp", "rtsp", "rtp", "imf", "webm_dash_manifest", "image2", "vobsub", "tty", "libopenmpt", "mpjpeg", "redir", "asx" };
    if (f->flags & AVFMT_NOFILE)
        return true;
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        size_t n = strlen(names[i]);
        for (const char *p = f->name; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
            if (!strncmp(p, names[i], n) && (!p[n] || p[n] == ','))
                return true;
    }
    return false;
}

static int open_container(struct gv_lav *l, gv_err *err)
{
    AVDictionary *options = NULL;
    const AVInputFormat *kind = NULL;
    uint8_t *buffer = gv_av.av_malloc(IO_BUFFER);
    l->at = 0;
    l->io = buffer ? gv_av.avio_alloc_context(buffer, IO_BUFFER, 0, l, io_read, NULL, io_seek) : NULL;
    l->fmt = l->io ? gv_av.avformat_alloc_context() : NULL;
    if (!l->fmt) {
        if (!l->io)
            gv_av.av_free(buffer);
        return gv_fail(err, GV_ESYS, "out of memory for a video's demuxer");
    }
#if LIBAVFORMAT_VERSION_MAJOR >= 59
    int e = gv_av.av_probe_input_buffer2(l->io, &kind, "", NULL, 0, 0);
#else
    int e = gv_av.av_probe_input_buffer2(l->io, (AVInputFormat **)(uintptr_t)&kind, "", NULL, 0, 0);
#endif
    if (e < 0)
        return gv_fail(err, GV_EDATA, "the first bytes are those of no known video format");
    if (refused(kind))
        return gv_fail(err, GV_EDATA, "its format '%s' is not read: it can name other files or addresses", kind->name);
    l->fmt->pb = l->io;
    l->fmt->flags |= AVFMT_FLAG_CUSTOM_IO;
    l->fmt->io_open = io_refuse;
    l->fmt->max_streams = 256;
    gv_av.av_dict_set(&options, "protocol_whitelist", "none", 0);
#if LIBAVFORMAT_VERSION_MAJOR >= 59
    e = gv_av.avformat_open_input(&l->fmt, "", kind, &options); /* frees fmt on failure */
#else
    e = gv_av.avformat_open_input(&l->fmt, "", (AVInputFormat *)(uintptr_t)kind, &options);
#endif
    gv_av.av_dict_free(&options);
    if (e < 0)
        return gv_fail(err, e == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "its %s container cannot be read%s", kind->name, gv_lav_why(e));
    return GV_OK;
}

int gv_lav_start(struct gv_lav *l, const gv_video_options *o, gv_err *err)
{
    if (open_container(l, err) < 0)
        return err ? err->code : GV_EDATA;
    int e = gv_av.avformat_find_stream_info(l->fmt, NULL);
    if (e < 0)
        return gv_fail(err, GV_EDATA, "its streams cannot be understood%s", gv_lav_why(e));
    l->stream = gv_av.av_find_best_stream(l->fmt, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (l->stream < 0 || gv_lav_stream(l)->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return gv_fail(err, GV_EDATA, "it holds no video (%u stream%s of other kinds, format %s)", l->fmt->nb_streams, l->fmt->nb_streams == 1 ? "" : "s", l->fmt->iformat->name);
    for (unsigned i = 0; i < l->fmt->nb_streams; i++)
        l->fmt->streams[i]->discard = (int)i == l->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    const AVCodecParameters *p = gv_lav_stream(l)->codecpar;
    if (p->width < 1 || p->height < 1)
        return gv_fail(err, GV_EDATA, "its video (%s) has no size%s", gv_av.avcodec_get_name(p->codec_id), gv_lav_why(0));
    if (p->width > GV_MAX_SIDE || p->height > GV_MAX_SIDE || (int64_t)p->width * p->height > o->max_pixels)
        return gv_fail(err, GV_EDATA, "it claims frames of %d x %d; at most %" PRId64 " pixels are decoded", p->width, p->height, o->max_pixels);
    return GV_OK;
}

void gv_lav_shut(struct gv_lav *l)
{
    gv_av.avformat_close_input(&l->fmt);
    if (l->io)
        gv_av.av_freep(&l->io->buffer);
    gv_av.avio_context_free(&l->io);
}

/* Where the display matrix sends the axes: a quarter turn swaps them, a negative entry mirrors. Other angles stay as they are. */
static void orientation(struct gv_lav *l)
{
    const AVStream *s = gv_lav_stream(l);
    const int32_t *m = NULL;
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *d = av_packet_side_data_get(s->codecpar->coded_side_data, s->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (d && d->size >= 9 * sizeof *m)
        m = (const int32_t *)(const void *)d->data;
#else
    size_t n = 0;
    const uint8_t *d = gv_av.av_stream_get_side_data(s, AV_PKT_DATA_DISPLAYMATRIX, &n);
    if (d && n >= 9 * sizeof *m)
        m = (const int32_t *)(const void *)d;
#endif
    if (!m)
        return;
    /* x' = m0 x + m3 y, y' = m1 x + m4 y (columns of three). */
    l->transpose = llabs((long long)m[3]) > llabs((long long)m[0]) && llabs((long long)m[1]) > llabs((long long)m[4]);
    l->flip_x = (l->transpose ? m[3] : m[0]) < 0;
    l->flip_y = (l->transpose ? m[1] : m[4]) < 0;
}

static int open_codec(struct gv_lav *l, const gv_video_options *o, gv_err *err)
{
    const AVCodecParameters *p = gv_lav_stream(l)->codecpar;
    const AVCodec *codec = gv_av.avcodec_find_decoder(p->codec_id);
    if (!codec)
        return gv_fail(err, GV_EDATA, "this FFmpeg has no decoder for its codec '%s'", gv_av.avcodec_get_name(p->codec_id));
    l->codec = gv_av.avcodec_alloc_context3(codec);
    l->packet = l->packet ? l->packet : gv_av.av_packet_alloc();
    l->frame = gv_av.av_frame_alloc();
    l->rgb = gv_av.av_frame_alloc();
    if (!l->codec || !l->packet || !l->frame || !l->rgb || gv_av.avcodec_parameters_to_context(l->codec, p) < 0)
        return gv_fail(err, GV_ESYS, "out of memory for the decoder '%s'", codec->name);
    l->codec->thread_count = 1; /* strands are the parallelism */
    l->codec->max_pixels = o->max_pixels + 128 * (GV_MAX_SIDE + 64); /* the libraries count lines filled up to whole 64 pixels */
    l->codec->pkt_timebase = gv_lav_stream(l)->time_base;
    int e = gv_av.avcodec_open2(l->codec, codec, NULL);
    if (e < 0)
        return gv_fail(err, e == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "the decoder '%s' does not take it%s", codec->name, gv_lav_why(e));
    return GV_OK;
}

int gv_lav_packet(struct gv_lav *l)
{
    if (l->held) {
        l->held = false;
        return 1;
    }
    for (;;) {
        gv_av.av_packet_unref(l->packet);
        int e = gv_av.av_read_frame(l->fmt, l->packet);
        if (e < 0)
            return e == AVERROR_EOF && !l->io->error ? 0 : e;
        if (l->packet->stream_index == l->stream)
            return 1;
    }
}

int gv_lav_restart(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    gv_lav_shut(l);
    if (gv_lav_start(l, &v->o, err) < 0)
        return err ? err->code : GV_EDATA;
    gv_av.avcodec_flush_buffers(l->codec);
    l->held = l->drained = false;
    l->next = 0;
    return GV_OK;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A frame that no other depends on is left out where it is not wanted. */
static bool skippable(const struct gv_lav *l, int64_t pts)
{
    int64_t lo = 0, hi = l->wanted ? l->nwanted : 0;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (l->wanted[mid] < pts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return l->wanted && (lo == l->nwanted || l->wanted[lo] != pts);
}

static int feed(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    int r = gv_lav_packet(l);
    if (r < 0 && !*v->info.cut)
        return gv_fail(err, GV_EDATA, "reading stops behind packet %" PRId64 "%s", l->next, gv_lav_why(r));
    if (r <= 0) {
        l->drained = true;
        return gv_av.avcodec_send_packet(l->codec, NULL) < 0 ? gv_fail(err, GV_EDATA, "the decoder fails at the end%s", gv_lav_why(0)) : GV_OK;
    }
    if (l->packet->flags & AV_PKT_FLAG_CORRUPT && *v->info.cut) { /* the rest of a cut file */
        l->drained = true;
        return gv_av.avcodec_send_packet(l->codec, NULL) < 0 ? gv_fail(err, GV_EDATA, "the decoder fails at the end%s", gv_lav_why(0)) : GV_OK;
    }
    l->codec->skip_frame = skippable(l, l->packet->pts) ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
    l->next++;
    r = gv_av.avcodec_send_packet(l->codec, l->packet);
    /* Before the first frame a stream may begin in the middle of something. */
    if (r < 0 && r != AVERROR(EAGAIN) && (v->info.decoded || r == AVERROR(ENOMEM)))
        return gv_fail(err, r == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "packet %" PRId64 " (at %.3f s) is damaged%s", l->next - 1,
                       (double)(l->packet->pts - l->first) * av_q2d(gv_lav_stream(l)->time_base), gv_lav_why(r));
    if (cpu_seconds() > v->o.max_cpu)
        return gv_fail(err, GV_EDATA, "decoding took more than %.0f s of processor time", v->o.max_cpu);
    return GV_OK;
}

int gv_lav_frame(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    for (;;) {
        int r = gv_av.avcodec_receive_frame(l->codec, l->frame);
        if (r >= 0) {
            v->info.decoded++;
            return 1;
        }
        if (r == AVERROR_EOF)
            return 0;
        if (r != AVERROR(EAGAIN))
            return gv_fail(err, r == AVERROR(ENOMEM) ? GV_ESYS : GV_EDATA, "a frame behind packet %" PRId64 " is damaged%s", l->next - 1, gv_lav_why(r));
        if (l->drained)
            return 0;
        if (feed(v, err) < 0)
            return err ? err->code : GV_EDATA;
    }
}

static void close_lav(gv_video *v)
{
    struct gv_lav *l = v->state;
    gv_lav_shut(l);
    gv_av.avcodec_free_context(&l->codec);
    gv_av.av_packet_free(&l->packet);
    gv_av.av_frame_free(&l->frame);
    gv_av.av_frame_free(&l->rgb);
    gv_av.sws_freeContext(l->sws);
    close(l->fd);
    gv_free(l->table);
    gv_free(l->by_time);
    gv_free(l->shown);
    gv_free(l);
}

static int begin(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    struct stat st;
    char cut[sizeof v->info.cut] = "";
    if (fstat(l->fd, &st) < 0)
        return gv_fail_sys(err, "the video's file");
    if (!st.st_size)
        return gv_fail(err, GV_EDATA, "the file is empty");
    l->size = st.st_size;
    (void)gv_video_cut(l->fd, l->size, cut, sizeof cut);
    gv_lav_quiet();
    v->o.max_cpu += cpu_seconds();
    int r = (l->packet = gv_av.av_packet_alloc()) ? GV_OK : gv_fail(err, GV_ESYS, "out of memory for packets");
    if (r == GV_OK && (r = gv_lav_start(l, &v->o, err)) == GV_OK)
        r = open_codec(l, &v->o, err);
    if (r == GV_OK) {
        orientation(l);
        const AVCodecParameters *p = gv_lav_stream(l)->codecpar;
        v->info.h = l->transpose ? p->width : p->height;
        v->info.w = l->transpose ? p->height : p->width;
        v->info.container = l->fmt->iformat->name;
        v->info.codec = gv_av.avcodec_get_name(p->codec_id);
        memcpy(v->info.cut, cut, sizeof cut);
        r = gv_lav_scan(v, err);
    }
    if (r == GV_EDATA && *cut && !*v->info.cut)
        return gv_fail_in(err, "%s", cut);
    if (r == GV_OK && *v->info.cut && !v->o.allow_cut)
        return gv_fail(err, GV_EDATA, "%s; %" PRId64 " frames, %.3f s, can be read", v->info.cut, v->info.frames, v->info.duration);
    return r;
}

int gv_video_open(gv_video **out, int fd, const gv_video_options *o, gv_err *err)
{
    gv_video *v = gv_lav_load(err) < 0 ? NULL : gv_video_new(o, err);
    struct gv_lav *l = v ? gv_alloc(sizeof *l, err) : NULL;
    *out = NULL;
    if (!l) {
        gv_free(v);
        close(fd);
        return GV_ESYS;
    }
    l->fd = fd;
    l->next = -1;
    v->state = l;
    v->read = gv_lav_read;
    v->close = close_lav;
    int r = begin(v, err);
    if (r < 0) {
        gv_video_close(v);
        return r;
    }
    *out = v;
    return GV_OK;
}
