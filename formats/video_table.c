/* video_table: which frames there are and when. First from the packets, which costs no decoding; where they cannot tell, by
 * decoding everything. */
#include "formats/video_lav.h"
#include <inttypes.h>
#include <stdlib.h>

/* ---- sorting by time ---- */

struct stamp { int64_t pts, packet; };

static int by_pts(const void *a, const void *b)
{
    const struct stamp *x = a, *y = b;
    return x->pts != y->pts ? (x->pts > y->pts) - (x->pts < y->pts) : (x->packet > y->packet) - (x->packet < y->packet);
}

int64_t gv_lav_find(const struct gv_lav *l, int64_t pts, int64_t pos)
{
    int64_t lo = 0, hi = l->packets;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (l->table[l->by_time[mid]].pts < pts)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < l->packets && l->table[l->by_time[lo]].pts == pts; lo++) {
        int64_t i = l->by_time[lo];
        if (pos < 0 || l->table[i].pos < 0 || l->table[i].pos == pos)
            return i;
    }
    return -1;
}

/* ---- the packets ---- */

/* VP8 keeps frames for reference only in packets of their own: show_frame is bit 4 of the first byte (RFC 6386 section 9.1). */
static bool hidden(const struct gv_lav *l)
{
    const AVPacket *p = l->packet;
    return p->flags & AV_PKT_FLAG_DISCARD || p->size < 1 || (l->codec->codec_id == AV_CODEC_ID_VP8 && !(p->data[0] & 0x10));
}

/* Every packet into `packets` (struct gv_packet each). *last: how long the last frame lasts, in the stream's units. */
static int list_packets(gv_video *v, gv_buf *packets, int64_t *last, bool *plain, gv_err *err)
{
    struct gv_lav *l = v->state;
    int64_t newest = INT64_MIN;
    int r;
    while ((r = gv_lav_packet(l)) > 0) {
        const AVPacket *p = l->packet;
        if (p->flags & AV_PKT_FLAG_CORRUPT) {
            if (!*v->info.cut)
                snprintf(v->info.cut, sizeof v->info.cut, "packet %zu is cut or damaged", packets->len / sizeof(struct gv_packet));
            break;
        }
        struct gv_packet k = { .pts = p->pts, .seek = p->dts != AV_NOPTS_VALUE && p->dts < p->pts ? p->dts : p->pts, .pos = p->pos, .key = p->flags & AV_PKT_FLAG_KEY, .shown = !hidden(l) };
        *plain &= p->pts != AV_NOPTS_VALUE && (packets->len || k.key);
        if ((int64_t)(packets->len / sizeof k) >= v->o.max_frames)
            return gv_fail(err, GV_EDATA, "the video has more than %" PRId64 " frames", v->o.max_frames);
        if (k.shown && p->pts > newest) {
            newest = p->pts;
            *last = p->duration;
        }
        if (gv_buf_add(packets, &k, sizeof k, err) < 0)
            return GV_ESYS;
    }
    if (r < 0 && !*v->info.cut)
        snprintf(v->info.cut, sizeof v->info.cut, "reading stops behind packet %zu%s", packets->len / sizeof(struct gv_packet), gv_lav_why(r));
    return GV_OK;
}

/* Sort, and find what shows that the packets do not tell: equal times, pictures before the first keyframe. */
static int sort_packets(gv_video *v, bool *plain, gv_err *err)
{
    struct gv_lav *l = v->state;
    int64_t n = l->packets, m = 0;
    struct stamp *s = gv_alloc((size_t)n * sizeof *s, err);
    l->by_time = gv_alloc((size_t)n * sizeof *l->by_time, err);
    l->shown = gv_alloc((size_t)n * sizeof *l->shown, err);
    if (!s || !l->by_time || !l->shown) {
        gv_free(s);
        return GV_ESYS;
    }
    for (int64_t i = 0; i < n; i++)
        s[i] = (struct stamp){ l->table[i].pts, i };
    qsort(s, (size_t)n, sizeof *s, by_pts);
    for (int64_t i = 0; i < n; i++) {
        l->by_time[i] = s[i].packet;
        if (!l->table[s[i].packet].shown)
            continue;
        *plain &= !m || l->table[l->shown[m - 1]].pts < s[i].pts;
        l->shown[m++] = s[i].packet;
    }
    *plain &= m > 0 && s[0].packet == 0;
    v->info.frames = m;
    gv_free(s);
    return GV_OK;
}

/* Times from time stamps, which are ascending. */
static int set_times(gv_video *v, const int64_t *stamps, int64_t last, gv_err *err)
{
    struct gv_lav *l = v->state;
    double unit = av_q2d(gv_lav_stream(l)->time_base);
    int64_t n = v->info.frames;
    gv_free(v->times);
    if (!(v->times = gv_alloc((size_t)n * sizeof *v->times, err)))
        return GV_ESYS;
    l->first = stamps[0];
    for (int64_t i = 0; i < n; i++)
        v->times[i] = (double)(stamps[i] - stamps[0]) * unit;
    v->info.times = v->times;
    v->info.start = (double)stamps[0] * unit;
    AVRational rate = gv_lav_stream(l)->avg_frame_rate;
    double tail = last > 0 ? (double)last * unit : n > 1 ? v->times[n - 1] / (double)(n - 1) : rate.num > 0 && rate.den > 0 ? 1 / av_q2d(rate) : 0.04;
    v->info.duration = v->times[n - 1] + tail;
    return isfinite(v->info.duration) ? GV_OK : gv_fail(err, GV_EDATA, "the video's times cannot be used");
}

int gv_lav_scan(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    gv_buf packets = { 0 };
    bool plain = true;
    int64_t last = 0;
    int r = list_packets(v, &packets, &last, &plain, err);
    l->packets = (int64_t)(packets.len / sizeof *l->table);
    if (r == GV_OK && l->packets && !(l->table = gv_alloc(packets.len, err)))
        r = GV_ESYS;
    if (r == GV_OK && l->packets)
        memcpy(l->table, packets.data, packets.len);
    gv_buf_release(&packets);
    if (r == GV_OK && !l->packets)
        r = gv_fail(err, GV_EDATA, "its video stream (%s) is empty: no packet%s%s", v->info.codec, *v->info.cut ? "; " : "", v->info.cut);
    if (r == GV_OK && plain)
        r = sort_packets(v, &plain, err);
    if (r < 0)
        return r;
    if (!plain)
        return gv_lav_count(v, err);
    int64_t *stamps = gv_alloc((size_t)v->info.frames * sizeof *stamps, err);
    if (!stamps)
        return GV_ESYS;
    for (int64_t i = 0; i < v->info.frames; i++)
        stamps[i] = l->table[l->shown[i]].pts;
    r = set_times(v, stamps, last, err);
    gv_free(stamps);
    return r;
}

/* ---- by decoding ---- */

static int64_t frame_length(const gv_video *v, const AVFrame *f)
{
    const AVStream *s = gv_lav_stream(v->state);
#if LIBAVUTIL_VERSION_MAJOR >= 58
    int64_t n = f->duration;
#else
    int64_t n = f->pkt_duration;
#endif
    if (n <= 0 && s->avg_frame_rate.num > 0 && s->avg_frame_rate.den > 0)
        n = gv_av.av_rescale_q(1, av_inv_q(s->avg_frame_rate), s->time_base);
    return n > 0 ? n : 1;
}

int gv_lav_count(gv_video *v, gv_err *err)
{
    struct gv_lav *l = v->state;
    gv_buf stamps = { 0 };
    int64_t last = 0, length = 0, n = 0;
    l->wanted = NULL;
    v->info.by_decoding = true;
    v->info.decoded = 0; /* a stream may begin in the middle of something: feed() asks */
    int r = gv_lav_restart(v, err);
    while (r == GV_OK && (r = gv_lav_frame(v, err)) > 0) {
        int64_t t = l->frame->best_effort_timestamp;
        if (t == AV_NOPTS_VALUE || (n && t <= last))
            t = n ? last + (length > 0 ? length : 1) : 0;
        length = frame_length(v, l->frame);
        last = t;
        if (++n > v->o.max_frames)
            r = gv_fail(err, GV_EDATA, "the video has more than %" PRId64 " frames", v->o.max_frames);
        else
            r = gv_buf_add(&stamps, &t, sizeof t, err);
    }
    if (r == GV_OK && !n)
        r = gv_fail(err, GV_EDATA, "its video stream (%s) gives no frame%s", v->info.codec, gv_lav_why(0));
    if (r == GV_OK) {
        v->info.frames = n;
        r = set_times(v, (const int64_t *)(const void *)stamps.data, length, err);
    }
    gv_buf_release(&stamps);
    l->next = -1;
    return r;
}
