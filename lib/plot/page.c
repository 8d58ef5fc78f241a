/* page: one HTML file with the points in it: zoom, move, names and pictures under the pointer, classes that can be hidden. Numbers travel as base64 of their
 * bytes, so that a page of 70,000 points is a few MB. */
#include "plot/points.h"
#include "common/file.h"
#include "plot/page_text.h"
#include <inttypes.h>
#include <math.h>

enum { STEPS = 33 }; /* colours of a scale of numbers */

static int base64(gv_buf *b, const void *data, size_t n, gv_err *err)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    if (gv_buf_reserve(b, n / 3 * 4 + 8, err) < 0)
        return GV_ESYS;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? (uint32_t)p[i + 2] : 0);
        char four[4] = { digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=', i + 2 < n ? digit[v & 63] : '=' };
        if (gv_buf_add(b, four, 4, err) < 0)
            return GV_ESYS;
    }
    return GV_OK;
}

static int numbers(gv_buf *b, const char *name, const void *data, size_t n, gv_err *err)
{
    int r = gv_buf_printf(b, err, "\"%s\":\"", name);
    r = r < 0 ? r : base64(b, data, n, err);
    return r < 0 ? r : gv_buf_add(b, "\",\n", 3, err);
}

/* A JSON text that may stand in a script: < and what is not UTF-8 as escapes. */
static int text(gv_buf *b, const char *s, gv_err *err)
{
    int r = gv_buf_add(b, "\"", 1, err);
    for (const unsigned char *p = (const unsigned char *)s; *p && r == GV_OK; p++) {
        int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
        for (int k = 1; k <= more; k++)
            more = (p[k] & 0xc0) == 0x80 ? more : -1;
        if (*p < 0x20 || *p == '"' || *p == '\\' || *p == '<' || *p == 0x7f || more < 0 || (more == 2 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)))
            r = gv_buf_printf(b, err, "\\u%04x", more < 0 ? 0xfffdu : more == 2 ? (p[2] == 0xa8 ? 0x2028u : 0x2029u) : (unsigned)*p);
        else
            r = gv_buf_add(b, p, (size_t)more + 1, err);
        p += more > 0 ? more : 0;
    }
    return r < 0 ? r : gv_buf_add(b, "\"", 1, err);
}

static int texts(gv_buf *b, const char *name, const char *const *v, int64_t n, gv_err *err)
{
    int r = gv_buf_printf(b, err, "\"%s\":[", name);
    for (int64_t i = 0; i < n && r == GV_OK; i++) {
        r = i ? gv_buf_add(b, ",", 1, err) : GV_OK;
        r = r < 0 ? r : text(b, v[i], err);
    }
    return r < 0 ? r : gv_buf_add(b, "],\n", 3, err);
}

static int colours(gv_buf *b, const gv_points *p, gv_err *err)
{
    int64_t n = p->value ? STEPS : p->group && p->groups ? p->groups : 1;
    int r = gv_buf_printf(b, err, "\"colours\":[");
    for (int64_t i = 0; i < n && r == GV_OK; i++)
        r = gv_buf_printf(b, err, "%s\"#%06" PRIx32 "\"", i ? "," : "", gv_points_colour(i, n));
    return r < 0 ? r : gv_buf_add(b, "],\n", 3, err);
}

static int pictures(gv_buf *b, const gv_thumbs *t, int64_t n, gv_err *err)
{
    int r = GV_OK;
    if (t)
        r = numbers(b, "place", t->place, (size_t)n * 4, err);
    r = r < 0 ? r : gv_buf_printf(b, err, "\"side\":%d,\"per_row\":%d,\"sheets\":[", t ? t->side : 0, GV_THUMBS_PER_ROW);
    for (int64_t s = 0; t && s < t->sheets && r == GV_OK; s++) {
        r = gv_buf_printf(b, err, "%s\"", s ? "," : "");
        r = r < 0 ? r : base64(b, t->sheet[s].data, t->sheet[s].len, err);
        r = r < 0 ? r : gv_buf_add(b, "\"", 1, err);
    }
    return r < 0 ? r : gv_buf_add(b, "]\n", 2, err);
}

static int fill(gv_buf *b, const gv_points *p, const gv_thumbs *t, gv_err *err)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < p->n && p->value; i++)
        if (isfinite(p->value[i])) {
            least = fmin(least, (double)p->value[i]);
            most = fmax(most, (double)p->value[i]);
        }
    int r = gv_buf_add(b, page_head, sizeof page_head - 1, err);
    r = r < 0 ? r : gv_buf_printf(b, err, "<script>\nconst data = {\n\"title\":");
    r = r < 0 ? r : text(b, p->title, err);
    r = r < 0 ? r : gv_buf_printf(b, err, ",\n\"note\":");
    r = r < 0 ? r : text(b, p->note, err);
    r = r < 0 ? r : gv_buf_printf(b, err, ",\n\"least\":%.9g,\"most\":%.9g,\n", most >= least ? least : 0, most >= least ? most : 0);
    r = r < 0 ? r : numbers(b, "xy", p->xy, (size_t)p->n * 8, err);
    if (p->value)
        r = r < 0 ? r : numbers(b, "value", p->value, (size_t)p->n * 4, err);
    else if (p->group)
        r = r < 0 ? r : numbers(b, "group", p->group, (size_t)p->n * 4, err);
    r = r < 0 ? r : texts(b, "names", p->name, p->group ? p->groups : 0, err);
    r = r < 0 ? r : texts(b, "ids", p->id, p->n, err);
    r = r < 0 ? r : colours(b, p, err);
    r = r < 0 ? r : pictures(b, t, p->n, err);
    r = r < 0 ? r : gv_buf_printf(b, err, "};\n");
    r = r < 0 ? r : gv_buf_add(b, page_script, sizeof page_script - 1, err);
    return r < 0 ? r : gv_buf_printf(b, err, "</script>\n</html>\n");
}

int gv_points_page(const gv_points *p, const gv_thumbs *t, const char *to, gv_err *err)
{
    gv_buf b = { 0 };
    int r = fill(&b, p, t, err);
    r = r < 0 ? r : gv_file_write(to, b.data, b.len, err);
    gv_buf_release(&b);
    return r;
}
