/* video_cut: does a container claim more bytes than the file has? libav's demuxers end such files as if nothing were missing.
 * ISO base media (MP4, MOV, 3GP): the boxes of the top level; Matroska and WebM: the segment; AVI: the RIFF chunks.
 * Sources: ISO/IEC 14496-12 section 4.2; RFC 8794 and 9559; Microsoft's AVI RIFF reference. */
#include "formats/video_internal.h"
#include <inttypes.h>
#include <unistd.h>

static uint64_t be(const uint8_t *p, int n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* Bytes at a place; those behind the end are 0. How many there were. */
static ssize_t at(int fd, int64_t pos, uint8_t *p, size_t n)
{
    memset(p, 0, n);
    return pread(fd, p, n, pos);
}

static bool letters(const uint8_t *p)
{
    for (int i = 0; i < 4; i++)
        if (p[i] < 0x20 || p[i] > 0x7e)
            return false;
    return true;
}

static bool is_box(const uint8_t *head)
{
    static const char names[][5] = { "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx" };
    for (size_t i = 0; i < GV_COUNT(names); i++)
        if (!memcmp(head + 4, names[i], 4))
            return true;
    return false;
}

static bool boxes(int fd, int64_t size, char *text, size_t n)
{
    uint8_t h[16];
    bool index = false;
    for (int64_t pos = 0; pos + 8 <= size;) {
        if (at(fd, pos, h, sizeof h) < 8 || !letters(h + 4))
            return false; /* what follows is no box: trailing bytes of some writer */
        uint64_t len = be(h, 4);
        if (len == 1)
            len = be(h + 8, 8);
        index |= !memcmp(h + 4, "moov", 4);
        if (!len) /* to the end of the file */
            return false;
        if (len < 8)
            return false;
        if (len > (uint64_t)(size - pos)) {
            snprintf(text, n, "the file is cut: its box '%.4s' needs %" PRIu64 " bytes, %" PRId64 " are there%s", h + 4, len, size - pos,
                     index || !memcmp(h + 4, "moof", 4) ? "" : ", and no index (box 'moov') before it");
            return true;
        }
        pos += (int64_t)len;
    }
    return false;
}

/* An EBML number of 1 to 8 bytes, its marker taken off; *len 0 if it is none; all ones mean unknown. */
static uint64_t ebml(const uint8_t *p, int *len, bool *unknown)
{
    *len = *p ? __builtin_clz(*p) - 23 : 0;
    if (!*len)
        return 0;
    uint64_t v = be(p, *len) & ((1ull << 7 * *len) - 1);
    *unknown = v == (1ull << 7 * *len) - 1;
    return v;
}

static bool segment(int fd, int64_t size, char *text, size_t n)
{
    uint8_t h[16];
    int len;
    bool unknown = false;
    if (at(fd, 4, h, 8) < 1)
        return false;
    uint64_t skip = ebml(h, &len, &unknown);
    if (!len || unknown || skip > (uint64_t)size)
        return false;
    int64_t pos = 4 + len + (int64_t)skip;
    if (at(fd, pos, h, 12) < 5 || be(h, 4) != 0x18538067)
        return false;
    uint64_t need = ebml(h + 4, &len, &unknown);
    int64_t have = size - pos - 4 - len;
    if (!len || unknown || have < 0 || need <= (uint64_t)have)
        return false;
    snprintf(text, n, "the file is cut: its segment needs %" PRIu64 " bytes, %" PRId64 " are there", need, have);
    return true;
}

static bool riff(int fd, int64_t size, char *text, size_t n)
{
    uint8_t h[12];
    for (int64_t pos = 0; pos + 12 <= size;) {
        if (at(fd, pos, h, sizeof h) < 12 || memcmp(h, "RIFF", 4))
            return false;
        int64_t len = h[4] | (int64_t)h[5] << 8 | (int64_t)h[6] << 16 | (int64_t)h[7] << 24;
        if (len > size - pos - 8) {
            snprintf(text, n, "the file is cut: its RIFF chunk needs %" PRId64 " bytes, %" PRId64 " are there", len, size - pos - 8);
            return true;
        }
        if (!len)
            return false;
        pos += 8 + len + (len & 1);
    }
    return false;
}

bool gv_video_cut(int fd, int64_t size, char *text, size_t n)
{
    uint8_t h[12];
    if (at(fd, 0, h, sizeof h) < 12)
        return false;
    if (be(h, 4) == 0x1a45dfa3)
        return segment(fd, size, text, n);
    if (!memcmp(h, "RIFF", 4) && !memcmp(h + 8, "AVI ", 4))
        return riff(fd, size, text, n);
    return is_box(h) && boxes(fd, size, text, n);
}
