/* points: a scatter of many points, drawn by gnuplot with the sizes and colours of the original: 7 x 6 inches, no axes, points of 6 square pt. */
#include "plot/points.h"
#include "common/file.h"
#include "plot/internal.h"
#include <inttypes.h>
#include <math.h>

enum { TAB = 20, LEGEND = 20, ALPHA = 0x66 /* gnuplot counts transparency: 0.4 */ };

/* matplotlib's tab20; tab10 is every other of it. */
static const uint32_t tab20[TAB] = {
    0x1f77b4, 0xaec7e8, 0xff7f0e, 0xffbb78, 0x2ca02c, 0x98df8a, 0xd62728, 0xff9896, 0x9467bd, 0xc5b0d5,
    0x8c564b, 0xc49c94, 0xe377c2, 0xf7b6d2, 0x7f7f7f, 0xc7c7c7, 0xbcbd22, 0xdbdb8d, 0x17becf, 0x9edae5,
};

static uint32_t channel(double v)
{
    return v <= 0 ? 0 : v >= 1 ? 255 : (uint32_t)(v * 255 + 0.5);
}

/* Source: the polynomials of Mikhailov's "Turbo, an improved rainbow colormap", 2019. */
static uint32_t turbo(double x)
{
    double r = 0.13572138 + x * (4.61539260 + x * (-42.66032258 + x * (132.13108234 + x * (-152.94239396 + x * 59.28637943))));
    double g = 0.09140261 + x * (2.19418839 + x * (4.84296658 + x * (-14.18503333 + x * (4.27729857 + x * 2.82956604))));
    double b = 0.10667330 + x * (12.64194608 + x * (-60.58204836 + x * (110.36276771 + x * (-89.90310912 + x * 27.34824973))));
    return channel(r) << 16 | channel(g) << 8 | channel(b);
}

/* Of a palette of ten or twenty that is to have n colours, matplotlib takes those at equal distances. */
uint32_t gv_points_colour(int64_t i, int64_t n)
{
    double at = n > 1 ? (double)i / (double)(n - 1) : 0;
    if (i < 0)
        return 0x999999;
    if (n > TAB)
        return turbo(at);
    int colours = n <= TAB / 2 ? TAB / 2 : TAB, k = (int)(at * colours);
    k = k < colours ? k : colours - 1;
    return tab20[colours == TAB ? k : 2 * k];
}

typedef struct drawing { const gv_points *p; gv_buf script; double lo[2], hi[2]; bool legend, bar; double least, most; int64_t seen; uint8_t *has; } drawing;

static void ranges(drawing *d)
{
    const gv_points *p = d->p;
    d->lo[0] = d->lo[1] = d->least = INFINITY;
    d->hi[0] = d->hi[1] = d->most = -INFINITY;
    for (int64_t i = 0; i < p->n; i++) {
        for (int a = 0; a < 2; a++) {
            d->lo[a] = fmin(d->lo[a], (double)p->xy[2 * i + a]);
            d->hi[a] = fmax(d->hi[a], (double)p->xy[2 * i + a]);
        }
        if (p->value && isfinite(p->value[i])) {
            d->least = fmin(d->least, (double)p->value[i]);
            d->most = fmax(d->most, (double)p->value[i]);
        }
        if (p->group && p->group[i] >= 0 && !d->has[p->group[i]])
            d->has[p->group[i]] = 1, d->seen++;
    }
    for (int a = 0; a < 2; a++) { /* matplotlib's margins; a single point lies in the middle */
        double room = d->hi[a] > d->lo[a] ? 0.05 * (d->hi[a] - d->lo[a]) : 1;
        d->lo[a] -= room;
        d->hi[a] += room;
    }
}

static uint32_t colour_of(const drawing *d, int64_t i)
{
    const gv_points *p = d->p;
    if (p->value)
        return isfinite(p->value[i]) ? turbo(d->most > d->least ? ((double)p->value[i] - d->least) / (d->most - d->least) : 0.5) : 0x999999;
    return p->group ? gv_points_colour(p->group[i], p->groups) : gv_points_colour(0, 1);
}

static int write_points(drawing *d, gv_err *err)
{
    gv_buf *b = &d->script;
    int r = gv_buf_printf(b, err, "$p << EOD\n");
    for (int64_t i = 0; i < d->p->n && r == GV_OK; i++)
        r = gv_buf_printf(b, err, "%.7g %.7g %" PRIu32 "\n", (double)d->p->xy[2 * i], (double)d->p->xy[2 * i + 1], (uint32_t)ALPHA << 24 | colour_of(d, i));
    return r < 0 ? r : gv_buf_printf(b, err, "EOD\n");
}

/* One entry a class that has points, drawn with nothing but its key. */
static int write_legend(drawing *d, double size, gv_err *err)
{
    gv_buf *b = &d->script;
    int r = GV_OK;
    for (int64_t g = 0; g < d->p->groups && r == GV_OK; g++) {
        if (!d->has[g])
            continue;
        r = gv_buf_printf(b, err, ", NaN with points pt 7 ps %.4g lc rgb '#%06" PRIx32 "' title ", size, gv_points_colour(g, d->p->groups));
        r = r < 0 ? r : gv_gnuplot_quote(b, d->p->name[g], 24, err);
    }
    return r;
}

/* Sizes follow from dpi: text of 12 pt, points of sqrt(6) pt across. A point of size 1 is 6.1 pixels across in gnuplot's cairo pictures, 9.8 units in SVG,
 * and a font's 4/3 pixels are one of its points in the former; SVG's unit is 1/72 inch. */
static int write_script(drawing *d, const char *to, int64_t dpi, char *part, gv_err *err)
{
    gv_buf *b = &d->script;
    size_t n = strlen(to);
    bool svg = n > 4 && !strcmp(to + n - 4, ".svg");
    double px = svg ? 1 : (double)dpi / 72, point = sqrt(6) * px / (svg ? 9.8 : 6.1);
    gv_plot p = { .to = to };
    int w = (int)(7 * 72 * px + 0.5), h = (int)(6 * 72 * px + 0.5);
    int r = gv_gnuplot_begin(b, &p, w, h, part, err);
    r = r < 0 ? r : write_points(d, err);
    r = r < 0 ? r : gv_buf_printf(b, err, "unset border\nunset tics\nset lmargin at screen 0.02\nset rmargin at screen %g\nset bmargin at screen 0.02\nset tmargin at screen 0.895\n", d->legend ? 0.78 : d->bar ? 0.88 : 0.98);
    double font = svg ? 12 : 12 * px * 0.75;
    r = r < 0 ? r : gv_buf_printf(b, err, "set label 1 ");
    r = r < 0 ? r : gv_gnuplot_quote(b, d->p->title, 100, err);
    r = r < 0 ? r : gv_buf_printf(b, err, " at screen 0.5,0.968 center font 'DejaVu Sans,%.3g'\nset label 2 ", font);
    r = r < 0 ? r : gv_gnuplot_quote(b, d->p->note, 100, err);
    r = r < 0 ? r : gv_buf_printf(b, err, " at screen 0.5,0.928 center font 'DejaVu Sans,%.3g'\nset xrange [%.7g:%.7g]\nset yrange [%.7g:%.7g]\n", font, d->lo[0], d->hi[0], d->lo[1], d->hi[1]);
    if (d->bar)
        r = r < 0 ? r : gv_buf_printf(b, err, "set colorbox user origin screen 0.9,0.2 size screen 0.02,0.6 noborder\nset cbrange [%.7g:%.7g]\nset cbtics font 'DejaVu Sans,%.3g' scale 0.3\n"
                                              "set palette defined (0 '#%06x', 0.125 '#%06x', 0.25 '#%06x', 0.375 '#%06x', 0.5 '#%06x', 0.625 '#%06x', 0.75 '#%06x', 0.875 '#%06x', 1 '#%06x')\n",
                                      d->least, d->most > d->least ? d->most : d->least + 1, font * 0.75, turbo(0), turbo(0.125), turbo(0.25), turbo(0.375), turbo(0.5), turbo(0.625), turbo(0.75), turbo(0.875), turbo(1));
    if (d->legend)
        r = r < 0 ? r : gv_buf_printf(b, err, "set key at screen 0.79,0.9 top left Left reverse samplen 0.6 spacing 1.15 font 'DejaVu Sans,%.3g' textcolor rgb '#333333'\n", font * 0.7);
    else
        r = r < 0 ? r : gv_buf_printf(b, err, "unset key\n");
    r = r < 0 ? r : gv_buf_printf(b, err, "plot $p using 1:2:3 notitle with points pt 7 ps %.4g lw 0 lc rgb variable", point);
    if (d->bar)
        r = r < 0 ? r : gv_buf_printf(b, err, ", NaN with points palette notitle");
    if (d->legend)
        r = r < 0 ? r : write_legend(d, point * 1.7, err);
    return r < 0 ? r : gv_buf_printf(b, err, "\n");
}

int gv_points_draw(const gv_points *p, const char *to, int64_t dpi, bool legend, gv_err *err)
{
    char part[4200] = "";
    drawing d = { .p = p };
    if (!(d.has = gv_alloc((size_t)p->groups + 1, err)))
        return GV_ESYS;
    ranges(&d);
    d.legend = legend && p->group && d.seen > 0 && d.seen <= LEGEND;
    d.bar = legend && p->value && d.most >= d.least;
    int r = write_script(&d, to, dpi, part, err);
    if (r == GV_OK)
        r = gv_gnuplot_run(&d.script, &(gv_plot){ .to = to }, part, err);
    else if (part[0])
        remove(part);
    gv_buf_release(&d.script);
    gv_free(d.has);
    return r;
}

static int csv_text(gv_buf *b, const char *s, gv_err *err)
{
    if (!strpbrk(s, ",\"\r\n"))
        return gv_buf_add(b, s, strlen(s), err);
    int r = gv_buf_add(b, "\"", 1, err);
    for (; r == GV_OK && *s; s++)
        r = gv_buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1, err);
    return r < 0 ? r : gv_buf_add(b, "\"", 1, err);
}

int gv_points_table(const gv_points *p, const char *to, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_buf_printf(&b, err, "id,%sx,y\n", p->value ? "value," : p->group ? "label," : "");
    for (int64_t i = 0; i < p->n && r == GV_OK; i++) {
        r = csv_text(&b, p->id[i], err);
        r = r < 0 ? r : gv_buf_add(&b, ",", 1, err);
        if (p->value)
            r = r < 0 ? r : gv_buf_printf(&b, err, "%.9g,", (double)p->value[i]);
        else if (p->group) {
            r = r < 0 ? r : csv_text(&b, p->group[i] < 0 ? "" : p->name[p->group[i]], err);
            r = r < 0 ? r : gv_buf_add(&b, ",", 1, err);
        }
        r = r < 0 ? r : gv_buf_printf(&b, err, "%.9g,%.9g\n", (double)p->xy[2 * i], (double)p->xy[2 * i + 1]);
    }
    r = r < 0 ? r : gv_file_write(to, b.data, b.len, err);
    gv_buf_release(&b);
    return r;
}
