/* video: frame times and pixels against PyAV (scripts/golden/video.py), sparse against whole reading, files that lie or are cut. */
#include "formats/video.h"
#include "tap.h"
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static gv_arena arena;
static gv_err err;

struct gold { int frames, h, w, npixels, pixel[8]; double times[64]; uint8_t *rgb; };

static bool gold_read(const char *name, struct gold *g)
{
    char path[200];
    snprintf(path, sizeof path, "tests/golden/video/%s.txt", name);
    FILE *f = fopen(path, "r");
    *g = (struct gold){ 0 };
    if (!f || fscanf(f, "frames %d height %d width %d", &g->frames, &g->h, &g->w) != 3 || g->frames > 64)
        return false;
    for (int i = 0; i < g->frames; i++)
        if (fscanf(f, "%lf", &g->times[i]) != 1)
            return false;
    if (fscanf(f, " pixels") < 0)
        return false;
    while (g->npixels < 8 && fscanf(f, "%d", &g->pixel[g->npixels]) == 1)
        g->npixels++;
    fclose(f);
    size_t n = (size_t)(g->npixels * g->h * g->w * 3);
    snprintf(path, sizeof path, "tests/golden/video/%s.rgb", name);
    f = fopen(path, "rb");
    g->rgb = gv_arena_alloc(&arena, n, &err);
    bool good = f && g->rgb && fread(g->rgb, 1, n, f) == n;
    if (f)
        fclose(f);
    return good;
}

static int fixture(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "tests/fixtures/videos/%s", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int worst(const uint8_t *a, const uint8_t *b, size_t n)
{
    int most = 0;
    for (size_t i = 0; i < n; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

/* Read frames, choosing again where the table was wrong. */
static int read_again(gv_video *v, const int64_t *frame, int64_t n, gv_sample *x)
{
    int r = gv_video_read(v, frame, n, x, &arena, &err);
    return r ? r : gv_video_read(v, frame, n, x, &arena, &err);
}

/* PyAV's times and pixels; any few frames equal those of reading all, and cost less. */
static void agrees(const char *name)
{
    struct gold g;
    gv_video *v = NULL;
    gv_sample all, some;
    int64_t every[64], few[8], last[1];
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    ok(gold_read(name, &g), "%s: golden values are there", name);
    bool opened = gv_video_open(&v, fixture(name), NULL, &err) == GV_OK;
    ok(opened, "%s opens %s", name, err.text);
    if (!opened)
        return;
    const gv_video_info *i = gv_video_facts(v);
    double off = 0;
    for (int k = 0; k < g.frames && i->frames == g.frames; k++)
        off = fmax(off, fabs(i->times[k] - g.times[k]));
    ok(i->frames == g.frames && i->h == g.h && i->w == g.w, "%s: %" PRId64 " frames of %" PRId64 " x %" PRId64 "%s", name, i->frames, i->h, i->w, i->by_decoding ? ", by decoding" : "");
    ok(off < 1e-6, "%s: times are PyAV's (%.1e)", name, off);
    for (int k = 0; k < g.npixels; k++)
        few[k] = g.pixel[g.npixels - 1 - k]; /* backwards */
    for (int k = 0; k < g.frames; k++)
        every[k] = k;
    size_t each = (size_t)(g.h * g.w * 3);
    bool read = read_again(v, few, g.npixels, &some) == 1;
    int most = 0;
    for (int k = 0; read && k < g.npixels; k++)
        { int one = worst((uint8_t *)some.data + (size_t)k * each, g.rgb + (size_t)(g.npixels - 1 - k) * each, each); most = one > most ? one : most; }
    ok(read && most <= 2, "%s: pixels are PyAV's (%d) %s", name, most, err.text);
    int64_t before = i->decoded;
    ok(read && read_again(v, every, g.frames, &all) == 1, "%s: all frames are read %s", name, err.text);
    most = 0;
    for (int k = 0; read && k < g.npixels; k++)
        { int one = worst((uint8_t *)some.data + (size_t)k * each, (uint8_t *)all.data + (size_t)few[k] * each, each); most = one > most ? one : most; }
    ok(read && !most, "%s: few frames are the same bytes as among all", name);
    before = i->decoded;
    last[0] = g.frames - 1;
    ok(read && read_again(v, last, 1, &some) == 1 && !worst(some.data, (uint8_t *)all.data + (size_t)(g.frames - 1) * each, each), "%s: the last frame", name);
    if (!i->by_decoding)
        ok(i->decoded - before <= 16 && !i->rewound, "%s: %" PRId64 " frames decoded for it", name, i->decoded - before);
    gv_video_close(v);
}

/* ---- files that are not what they say ---- */

static uint8_t bytes[1 << 16];

static size_t load(const char *name)
{
    int fd = fixture(name);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static int file_of(const void *p, size_t n)
{
    int fd = memfd_create("video", MFD_CLOEXEC);
    return write(fd, p, n) == (ssize_t)n ? fd : -1;
}

static uint8_t *find(size_t n, const char *mark, size_t len)
{
    return memmem(bytes, n, mark, len);
}

/* Open and read every frame: the number of frames, or the error in err. */
static int64_t all_of(const void *p, size_t n, const gv_video_options *o, gv_video_info *info)
{
    gv_video *v = NULL;
    gv_sample x;
    int64_t every[64], frames = -1;
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    *info = (gv_video_info){ 0 };
    if (gv_video_open(&v, file_of(p, n), o, &err) < 0)
        return -1;
    for (int r = 0, tries = 0; !r && tries < 2; tries++) {
        frames = gv_video_facts(v)->frames;
        for (int64_t i = 0; i < frames && i < 64; i++)
            every[i] = i;
        r = gv_video_read(v, every, frames < 64 ? frames : 64, &x, &arena, &err);
        if (r < 0)
            frames = -1;
    }
    *info = *gv_video_facts(v);
    gv_video_close(v);
    return frames;
}

static void cut(const char *name, double share, const char *says)
{
    gv_video_info i;
    size_t n = load(name), keep = (size_t)((double)n * share);
    int64_t got = all_of(bytes, keep, NULL, &i);
    ok(got < 0 && err.code == GV_EDATA && strstr(err.text, says), "%s, %.0f %% of it: %s", name, share * 100, err.text);
    got = all_of(bytes, keep, &(gv_video_options){ .allow_cut = true }, &i);
    ok(!strstr(says, "frames") || (got > 0 && got < 40 && *i.cut), "%s, %.0f %%, if allowed: %" PRId64 " frames (%s) %s", name, share * 100, got, i.cut, err.text);
}

static void lies(void)
{
    gv_video_info i;
    size_t n = load("packed.avi");
    uint8_t *p = find(n, "avih", 4);
    memcpy(p + 8 + 16, "\xe7\x03\0", 4); /* dwTotalFrames */
    memcpy(find(n, "strh", 4) + 8 + 32, "\xe7\x03\0", 4);
    int64_t all = all_of(bytes, n, NULL, &i);
    ok(all == 40, "an AVI that claims 999 frames has %" PRId64, i.frames);
    n = load("bframes.mp4");
    p = find(n, "stss", 4); /* 1 13 25 37 are keyframes */
    p[12 + 4 * 1 + 3] = 9;
    p[12 + 4 * 2 + 3] = 30;
    gv_video *v;
    gv_sample x, y;
    bool good = gv_video_open(&v, file_of(bytes, n), NULL, &err) == GV_OK && read_again(v, (int64_t[]){ 10, 31 }, 2, &x) == 1;
    gv_video_close(v);
    good = good && gv_video_open(&v, fixture("bframes.mp4"), NULL, &err) == GV_OK && read_again(v, (int64_t[]){ 10, 31 }, 2, &y) == 1;
    ok(good && !worst(x.data, y.data, 2 * 48 * 64 * 3), "an index of keyframes that lies costs time, not pixels %s", err.text);
    gv_video_close(v);
    n = load("vp9.webm");
    p = find(n, "\x1c\x53\xbb\x6b", 4); /* Cues, CueTime is 0xb3 */
    good = p != NULL;
    for (uint8_t *q = p; q && q + 3 < bytes + n; q++)
        if (q[0] == 0xb3 && q[1] == 0x82)
            q[2] = q[3] = 0; /* all at time 0: later clusters are taken for early ones */
    good = good && gv_video_open(&v, file_of(bytes, n), NULL, &err) == GV_OK && read_again(v, (int64_t[]){ 20, 33 }, 2, &x) == 1;
    gv_video_close(v);
    good = good && gv_video_open(&v, fixture("vp9.webm"), NULL, &err) == GV_OK && read_again(v, (int64_t[]){ 20, 33 }, 2, &y) == 1;
    ok(good && !worst(x.data, y.data, 2 * 48 * 64 * 3), "nor do cues that lead elsewhere %s", err.text);
    gv_video_close(v);
}

static void refuses(const char *what, const void *p, size_t n, const gv_video_options *o, const char *says)
{
    gv_video_info i;
    int64_t got = all_of(p, n, o, &i);
    ok(got < 0 && err.code == GV_EDATA && strstr(err.text, says), "%s: %s", what, err.text);
}

static void bad(void)
{
    static const char hls[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    static const char sdp[] = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n";
    static const char concat[] = "ffconcat version 1.0\nfile 'tests/fixtures/videos/bframes.mp4'\n";
    static const char text[] = "this is a text and no video, whatever its name says, and it goes on for a while";
    refuses("an empty file", "", 0, NULL, "the file is empty");
    refuses("a text", text, sizeof text - 1, NULL, "no known video format");
    refuses("a playlist", hls, sizeof hls - 1, NULL, "hls");
    refuses("a session", sdp, sizeof sdp - 1, NULL, "sdp");
    refuses("a list of files", concat, sizeof concat - 1, NULL, "concat");
    refuses("sound alone", bytes, load("sound.mp4"), NULL, "holds no video");
    refuses("too many frames", bytes, load("bframes.mp4"), &(gv_video_options){ .max_frames = 39 }, "more than 39 frames");
    refuses("frames too large", bytes, load("bframes.mp4"), &(gv_video_options){ .max_pixels = 1000 }, "at most 1000 pixels");
    refuses("too much at once", bytes, load("bframes.mp4"), &(gv_video_options){ .max_output = 100000 }, "are decoded at once");
    size_t n = load("bframes.mp4");
    refuses("too long", bytes, n, &(gv_video_options){ .max_cpu = 1e-9 }, "processor time");
    memset(find(n, "mdat", 4) + 900, 0x55, 1500);
    gv_video_info i;
    int64_t got = all_of(bytes, n, NULL, &i);
    ok(got < 0 && err.code == GV_EDATA && strstr(err.text, "damaged"), "damaged pictures: %s", err.text);
}

static void folder(void)
{
    gv_video *v = NULL;
    gv_sample x;
    int fd = open("tests/fixtures/videos/folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gv_err_clear(&err);
    bool good = gv_video_open_folder(&v, fd, &(gv_video_options){ .folder_fps = 10 }, &err) == GV_OK;
    const gv_video_info *i = good ? gv_video_facts(v) : NULL;
    ok(good && i->frames == 3 && i->times[2] == 0.2 && i->h == 6 && i->w == 8, "a folder of 3 pictures is a video of 3 frames %s", err.text);
    good = good && gv_video_read(v, (int64_t[]){ 2, 0, 2 }, 3, &x, &arena, &err) == 1;
    const uint8_t *p = good ? x.data : NULL;
    ok(good && p[0] == 20 && p[6 * 8 * 3] == 0 && p[2 * 6 * 8 * 3] == 20, "by order of names, frames repeated %s", err.text);
    gv_video_close(v);
    fd = open("tests/fixtures/weights", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok(gv_video_open_folder(&v, fd, NULL, &err) == GV_EDATA && strstr(err.text, "holds no picture"), "a folder without pictures: %s", err.text);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 1ull << 30, &err) < 0)
        return 70;
    static const char *const files[] = { "bframes.mp4", "opengop.mkv", "vfr.mp4", "vp9.webm", "vp8.webm", "packed.avi", "bt709.ts", "turned.mp4", "edited.mp4" };
    for (size_t i = 0; i < GV_COUNT(files); i++)
        agrees(files[i]);
    lies();
    cut("bframes.mp4", 0.5, "no index");
    cut("first.mp4", 0.7, "frames");
    cut("vp9.webm", 0.6, "frames");
    cut("packed.avi", 0.6, "frames");
    bad();
    folder();
    gv_arena_release(&arena);
    return done();
}
