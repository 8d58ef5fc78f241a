/* pb: protocol buffers, written: tags, varints, lengths. */
#include "track/pb.h"

enum { VARINT, FIXED64, LENGTH, FIXED32 = 5, VARINT_MAX = 10 };

static void add(gv_pb *m, const void *p, size_t n)
{
    if (m->r == GV_OK)
        m->r = gv_buf_add(&m->b, n ? p : "", n, m->err);
}

static size_t varint(uint64_t v, unsigned char out[VARINT_MAX])
{
    size_t n = 0;
    for (; v > 127; v >>= 7)
        out[n++] = (unsigned char)(v | 128);
    out[n++] = (unsigned char)v;
    return n;
}

static void number(gv_pb *m, uint64_t v)
{
    unsigned char s[VARINT_MAX];
    add(m, s, varint(v, s));
}

static void tag(gv_pb *m, int field, int wire)
{
    number(m, (uint64_t)field << 3 | (uint64_t)wire);
}

static void fixed(gv_pb *m, uint64_t v, int bytes)
{
    unsigned char s[8];
    for (int i = 0; i < bytes; i++)
        s[i] = (unsigned char)(v >> 8 * i);
    add(m, s, (size_t)bytes);
}

void gv_pb_int(gv_pb *m, int field, int64_t v)
{
    tag(m, field, VARINT);
    number(m, (uint64_t)v);
}

void gv_pb_f64(gv_pb *m, int field, double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    tag(m, field, FIXED64);
    fixed(m, u, 8);
}

void gv_pb_f32(gv_pb *m, int field, float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    tag(m, field, FIXED32);
    fixed(m, u, 4);
}

void gv_pb_bytes(gv_pb *m, int field, const void *p, size_t n)
{
    tag(m, field, LENGTH);
    number(m, n);
    add(m, p, n);
}

void gv_pb_text(gv_pb *m, int field, const char *s)
{
    if (s && *s)
        gv_pb_bytes(m, field, s, strlen(s));
}

void gv_pb_json(gv_pb *m, int field, const json_t *v)
{
    gv_buf text = { 0 };
    if (m->r == GV_OK)
        m->r = gv_json_text(v, &text, m->err);
    if (m->r == GV_OK)
        gv_pb_bytes(m, field, text.data, text.len);
    gv_buf_release(&text);
}

size_t gv_pb_open(gv_pb *m, int field)
{
    tag(m, field, LENGTH);
    return m->b.len;
}

/* The length stands before what was written since: it moves by as many bytes as the length takes. */
void gv_pb_close(gv_pb *m, size_t at)
{
    unsigned char s[VARINT_MAX];
    if (m->r != GV_OK)
        return;
    size_t len = m->b.len - at, n = varint(len, s);
    add(m, s, n);
    if (m->r != GV_OK)
        return;
    memmove(m->b.data + at + n, m->b.data + at, len);
    memcpy(m->b.data + at, s, n);
}

void gv_pb_time(gv_pb *m, int field, double seconds)
{
    if (!isfinite(seconds) || fabs(seconds) > 1e12)
        return;
    double whole = floor(seconds);
    size_t at = gv_pb_open(m, field);
    gv_pb_int(m, 1, (int64_t)whole);
    gv_pb_int(m, 2, (int64_t)((seconds - whole) * 1e9));
    gv_pb_close(m, at);
}
