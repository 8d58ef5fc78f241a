/*
 * Max pooling of bf16 gives the same maxima whether anybody reads their places or not (lib/nn/ops/maxpool_values.c): one to three dimensions, windows
 * over the edge, with steps and holes, odd numbers of channels, long lines, infinities, NaNs of both signs, zeros of both. Bytes around stay untouched.
 */
#include "tests/nn/onednn.h"
#include "nn/internal.h"
#include <inttypes.h>

static const struct row { const char *name; int dims; int64_t n, s[3], c; gv_window w; } rows[] = {
    { "3x3/2, 64 channels", 2, 2, { 13, 18 }, 64, { .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 } } },
    { "3x3/2, a line longer than a piece", 2, 1, { 5, 401 }, 64, { .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 } } },
    { "2x2/2, ceil mode, 5 channels", 2, 2, { 7, 9 }, 5, { .kernel = { 2, 2 }, .stride = { 2, 2 }, .ceil_mode = true } },
    { "5x4, holes, 300 channels", 2, 1, { 14, 11 }, 300, { .kernel = { 5, 4 }, .stride = { 1, 3 }, .pad = { 2, 1 }, .pad_end = { 2, 1 }, .dilation = { 1, 2 } } },
    { "1x1/2, 1 channel", 2, 3, { 6, 5 }, 1, { .kernel = { 1, 1 }, .stride = { 2, 2 } } },
    { "7 of a series", 1, 2, { 50 }, 33, { .kernel = { 7 }, .stride = { 3 }, .pad = { 3 }, .pad_end = { 3 } } },
    { "3x3x3/2 of a volume", 3, 2, { 6, 7, 8 }, 16, { .kernel = { 3, 3, 3 }, .stride = { 2, 2, 1 }, .pad = { 1, 1, 1 }, .pad_end = { 1, 1, 1 } } },
    { "17 wide: by the plain kernel", 1, 1, { 40 }, 8, { .kernel = { 17 }, .stride = { 2 }, .pad = { 8 }, .pad_end = { 8 } } },
};

static void check(const struct row *r)
{
    bench b = { .seed = 88172645463325252u };
    gv_err err = { 0 };
    gv_arena arena;
    static const uint16_t special[] = { 0x7f80, 0xff80, 0x0000, 0x8000, 0x7fc0, 0xffc0, 0x7f81, 0xff81, 0x7fff, 0xffff };
    int64_t shape[5] = { r->n }, out[5];
    for (int d = 0; d < r->dims; d++)
        shape[d + 1] = r->s[d];
    shape[r->dims + 1] = r->c;
    if (gv_arena_init(&arena, "test", 1 << 20, &err) < 0)
        abort();
    gv_graph *g = gv_graph_new(&arena, GV_EVAL, &err);
    gv_window w = r->w;
    w.dims = r->dims;
    gv_pool_out o = gv_maxpool(g, gv_input(g, "x", GV_CLASS_REAL, shape, r->dims + 2), &w);
    if (gv_graph_error(g)) {
        ok(0, "%s: %s", r->name, g->err.text);
        return gv_arena_release(&arena);
    }
    const gv_pool_attr *attr = g->node[0]->attr; /* with what is 1 where nothing is said */
    memcpy(out, gv_shape(g, o.y), sizeof out);
    bench_in(&b, GV_BF16, shape, r->dims + 2);
    bench_out(&b, GV_BF16, out, r->dims + 2), bench_out(&b, GV_I32, out, r->dims + 2);
    uint16_t *x = b.in[0].data, *y = b.out[0].data, *places = gv_alloc(b.out[0].bytes, NULL);
    for (int64_t i = 0; i < b.in[0].d.count; i++)
        if (draw(&b.seed) > 0.9)
            x[i] = special[i % (int64_t)GV_COUNT(special)];
    const gv_op *op = gv_op_of(GV_OP_maxpool);
    b.node = (gv_node){ .op = GV_OP_maxpool, .attr = attr, .nin = 1, .nout = 2, .path = "" };
    b.call.node = &b.node, b.call.attr = attr, b.call.run = &b.run;
    int e = op->plain_bf16(&b.call), nans = 0, apart = 0;
    memcpy(places, y, b.out[0].bytes);
    memset(y, 0xff, b.out[0].bytes), memset(b.out[1].data, 0xff, b.out[1].bytes);
    b.call.unread = 2;
    e = e == GV_OK ? op->plain_bf16(&b.call) : e;
    for (int64_t i = 0; i < b.out[0].d.count; i++) {
        float u = gv_bf16_to_f32(places[i]), v = gv_bf16_to_f32(y[i]);
        nans += u != u;
        apart += u != u ? v == v : u != v;
    }
    ok(e == GV_OK && !apart && nans && guarded(&b.out[0]) && guarded(&b.out[1]), "%s: the same maxima (%" PRId64 ", %d of them NaN, %d others)", r->name, b.out[0].d.count, nans, apart);
    gv_free(places);
    bench_drop(&b);
    gv_arena_release(&arena);
}

/* A window that lies in the padding on both sides of the input has no maximum. */
static void refused(void)
{
    gv_err err = { 0 };
    gv_arena arena;
    if (gv_arena_init(&arena, "test", 1 << 20, &err) < 0)
        abort();
    gv_graph *g = gv_graph_new(&arena, GV_EVAL, &err);
    gv_maxpool(g, gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 1, 3, 8 }, 3), &(gv_window){ .dims = 1, .kernel = { 2 }, .pad = { 1 }, .pad_end = { 1 }, .dilation = { 4 } });
    ok(gv_graph_error(g) && strstr(g->err.text, "nothing but padding"), "a window that sees nothing but padding is refused: %s", g->err.text);
    gv_arena_release(&arena);
}

int main(void)
{
    refused();
    for (size_t i = 0; i < GV_COUNT(rows); i++)
        check(&rows[i]);
    return done();
}
