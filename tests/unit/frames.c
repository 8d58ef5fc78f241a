/* frames: records of W&B's and TensorBoard's files, read back; and protocol buffers. */
#include "track/frames.h"
#include "tap.h"
#include "track/pb.h"
#include <libdeflate.h>
#include <string.h>

enum { BLOCK = 32768 };

static uint32_t le(const unsigned char *p, int n)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint32_t)p[i] << 8 * i;
    return v;
}

/* The next record of a whole file into b; 1, 0 at the end, -1 where the file is not as it should be. A reader written from the format, not from the writer. */
static int next(const unsigned char *d, size_t size, size_t *at, gv_buf *b)
{
    gv_err err = { 0 };
    b->len = 0;
    for (bool inside = false;;) {
        size_t left = BLOCK - *at % BLOCK;
        if (left < 7) {
            for (; left && *at < size; left--)
                if (d[(*at)++])
                    return -1;
            if (*at >= size)
                return inside || left ? -1 : 0;
            continue;
        }
        if (*at == size)
            return inside ? -1 : 0;
        if (*at + 7 > size)
            return -1;
        size_t n = le(d + *at + 4, 2);
        int type = d[*at + 6];
        if (n + 7 > left || *at + 7 + n > size || libdeflate_crc32(0, d + *at + 6, n + 1) != le(d + *at, 4))
            return -1;
        if (inside ? type != 3 && type != 4 : type != 1 && type != 2)
            return -1;
        if (n && gv_buf_add(b, d + *at + 7, n, &err) < 0)
            return -1;
        *at += 7 + n;
        inside = type == 2 || type == 3;
        if (!inside)
            return 1;
    }
}

static unsigned char letter(size_t record, size_t i)
{
    return (unsigned char)(record * 131 + i * 7 + (i >> 8));
}

/* Writes records of these sizes, all at once or each as a delivery of its own, and reads them back. */
static bool round_trip(const size_t *sizes, size_t count, bool apart)
{
    static unsigned char data[4 * BLOCK];
    gv_buf file = { 0 }, out = { 0 }, b = { 0 };
    gv_err err = { 0 };
    bool good = true;
    for (size_t k = 0; k < count && good; k++) {
        for (size_t i = 0; i < sizes[k]; i++)
            data[i] = letter(k, i);
        good = gv_frame_wandb(apart ? &out : &file, apart ? (int64_t)file.len : 0, data, sizes[k], &err) == GV_OK;
        if (apart) {
            good = good && gv_buf_add(&file, out.data, out.len, &err) == GV_OK;
            out.len = 0;
        }
    }
    size_t at = 7;
    good = good && file.len >= 7 && !memcmp(file.data, ":W&B\xe1\xbe\0", 7);
    for (size_t k = 0; k < count && good; k++) {
        good = next((unsigned char *)file.data, file.len, &at, &b) == 1 && b.len == sizes[k];
        for (size_t i = 0; i < b.len && good; i++)
            good = (unsigned char)b.data[i] == letter(k, i);
    }
    good = good && next((unsigned char *)file.data, file.len, &at, &b) == 0;
    gv_buf_release(&file);
    gv_buf_release(&out);
    gv_buf_release(&b);
    return good;
}

static void wandb(void)
{
    int bad = 0;
    /* the first record ends k bytes before the block's end, for every k that a head could straddle */
    for (size_t k = 0; k < 40; k++) {
        size_t sizes[4] = { BLOCK - 7 - 7 - k, 3, 2 * BLOCK + k, k };
        bad += !round_trip(sizes, 4, false) + !round_trip(sizes, 4, true);
    }
    ok(bad == 0, "wandb: records that end at every distance from a block's end are read back, at once and apart (%d of 80 were not)", bad);
    bad = 0;
    for (size_t n = 0; n < 16; n++) {
        size_t sizes[3] = { n, 0, 3 * BLOCK - 100 + n };
        bad += !round_trip(sizes, 3, n & 1);
    }
    ok(bad == 0, "wandb: empty records and records of several blocks");
    gv_buf cut = { 0 }, b = { 0 };
    gv_err err = { 0 };
    size_t at, whole = 0;
    static const unsigned char data[300] = { 1 };
    bool good = gv_frame_wandb(&cut, 0, data, sizeof data, &err) == GV_OK;
    for (size_t n = 7; n < cut.len && good; n++) {
        at = 7;
        whole += next((unsigned char *)cut.data, n, &at, &b) == 1;
    }
    ok(good && whole == 0, "wandb: a file cut inside a record has no such record");
    gv_buf_release(&cut);
    gv_buf_release(&b);
}

static void tfevents(void)
{
    /* {wall_time: 0, file_version: "brain.Event:2"}, as TensorBoard's own writer has it at time 0 */
    static const unsigned char event[] = { 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x0d, 'b', 'r', 'a', 'i', 'n', '.', 'E', 'v', 'e', 'n', 't', ':', '2' };
    gv_err err = { 0 };
    gv_buf b = { 0 };
    ok(gv_crc32c("123456789", 9) == 0xe3069283u && gv_crc32c("", 0) == 0, "crc32c of the published check text");
    ok(gv_frame_tfevents(&b, event, sizeof event, &err) == GV_OK && b.len == sizeof event + 16, "tfevents: 16 bytes around a record");
    const unsigned char *s = (const unsigned char *)b.data;
    ok(le(s, 4) == sizeof event && le(s + 8, 4) == 0x224b7fa3u && !memcmp(s + 12, event, sizeof event) && le(s + 12 + sizeof event, 4) == 0xa328dfeeu,
       "tfevents: length and sums are those of TensorBoard's own writer");
    gv_buf_release(&b);
}

static void pb(void)
{
    static const unsigned char want[] = { 0x08, 0x96, 0x01, 0x12, 7, 't', 'e', 's', 't', 'i', 'n', 'g', 0x1a, 3, 0x08, 0x96, 0x01, 0x25, 0, 0, 0x80, 0x3f, 0x29, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f };
    gv_err err = { 0 };
    gv_pb m = { .err = &err };
    gv_pb_int(&m, 1, 150); /* the examples of protobuf.dev */
    gv_pb_text(&m, 2, "testing");
    size_t at = gv_pb_open(&m, 3);
    gv_pb_int(&m, 1, 150);
    gv_pb_close(&m, at);
    gv_pb_f32(&m, 4, 1);
    gv_pb_f64(&m, 5, 1);
    gv_pb_text(&m, 6, "");
    ok(m.r == GV_OK && m.b.len == sizeof want && !memcmp(m.b.data, want, sizeof want), "pb: the published examples, bytes");
    m.b.len = 0;
    at = gv_pb_open(&m, 1);
    for (int i = 0; i < 300; i++)
        gv_pb_int(&m, 1, 1);
    gv_pb_close(&m, at);
    ok(m.b.len == 603 && (unsigned char)m.b.data[1] == 0xd8 && m.b.data[2] == 4 && m.b.data[3] == 8, "pb: a length of two bytes moves what it measures");
    m.b.len = 0;
    gv_pb_int(&m, 1, -1);
    ok(m.b.len == 11 && (unsigned char)m.b.data[10] == 1, "pb: a negative number takes ten bytes");
    gv_buf_release(&m.b);
}

int main(void)
{
    wandb();
    tfevents();
    pb();
    return done();
}
