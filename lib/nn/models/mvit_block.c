/* Multiscale vision transformers on clips; see mvit_block.h. */
#include "nn/models/mvit_block.h"
#include "nn/models/video.h"
#include "nn/ops/op.h"
#include <math.h>
#include <stdio.h>

enum { BLOCKS = 16, HEAD = 96 };
static const char init[] = "trunc_normal 0.02";

static int64_t heads_of(int i)
{
    return i < 1 ? 1 : i < 3 ? 2 : i < 14 ? 4 : 8;
}

static bool shrinks(int i)
{
    return i == 1 || i == 3 || i == 14;
}

#define linear(g, x, name, width) gv_linear(g, x, name, .out = (width), .bias = true, .init = init, .bias_init = "zeros")

/* ---- positions ---- */

/* Room for n numbers of `size` bytes that live as long as the graph; NULL: the graph has failed. */
static void *room(gv_graph *g, int64_t n, size_t size)
{
    gv_err err = { 0 };
    void *v = gv_graph_error(g) ? NULL : gv_arena_alloc(gv_graph_arena(g), (size_t)n * size, &err);
    if (!v)
        gv_graph_fail(g, "%s", err.text);
    return v;
}

/* Rows i = 0 … n-1 of the matrix [n,from] that takes from values to n by linear interpolation, ends held; place[i]: which of the n. */
static gv_val interpolation(gv_graph *g, int64_t from, int64_t n, const int64_t *place, int64_t rows)
{
    double *m = room(g, rows * from, sizeof *m), scale = (double)from / (double)n;
    if (!m)
        return GV_NO_VAL;
    for (int64_t i = 0; i < rows; i++) {
        double at = fmax(((double)(place ? place[i] : i) + 0.5) * scale - 0.5, 0);
        int64_t lo = gv_min64((int64_t)at, from - 1), hi = gv_min64(lo + 1, from - 1);
        for (int64_t k = 0; k < from; k++)
            m[i * from + k] = 0;
        m[i * from + lo] += 1 - (at - (double)lo);
        m[i * from + hi] += at - (double)lo;
    }
    return gv_table(g, m, GV_CLASS_REAL, (int64_t[]){ rows, from }, 2);
}

/* v [from,D…] -> [n,D…] along its first axis. */
static gv_val stretched(gv_graph *g, gv_val v, int64_t n)
{
    int64_t from = gv_dim(g, v, 0);
    return from == n ? v : gv_matmul(g, interpolation(g, from, n, NULL, n), v, GV_NO_VAL, false, false, 1);
}

static gv_val parameter(gv_graph *g, const gv_mvit_names *names, const char *name, int64_t rows, int64_t d)
{
    const int64_t shape[3] = { 1, rows, d };
    const int64_t *s = names->lead ? shape : rows > 1 ? shape + 1 : shape + 2;
    return gv_reshape(g, gv_param(g, name, s, names->lead ? 3 : rows > 1 ? 2 : 1, init), shape + 1, 2);
}

/* The positions of all patches [t*h*w,D]. */
static gv_val positions(gv_graph *g, const gv_mvit *m, const gv_mvit_names *names, const int64_t grid[3], int64_t d)
{
    int64_t side = m->side / 4, h = grid[1], w = grid[2];
    gv_val space = parameter(g, names, names->space, side * side, d), time = parameter(g, names, names->time, m->frames / 2, d);
    if (side != h || side != w) {
        space = stretched(g, gv_reshape(g, space, (int64_t[]){ side, side * d }, 2), h);         /* [h,side*D] */
        space = gv_permute(g, gv_reshape(g, space, (int64_t[]){ h, side, d }, 3), (int[]){ 1, 0, 2 }); /* [side,h,D] */
        space = stretched(g, gv_reshape(g, space, (int64_t[]){ side, h * d }, 2), w);            /* [w,h*D] */
        space = gv_permute(g, gv_reshape(g, space, (int64_t[]){ w, h, d }, 3), (int[]){ 1, 0, 2 });    /* [h,w,D] */
    }
    time = gv_reshape(g, stretched(g, time, grid[0]), (int64_t[]){ grid[0], 1, d }, 3);
    return gv_reshape(g, gv_add(g, time, gv_reshape(g, space, (int64_t[]){ 1, h * w, d }, 3)), (int64_t[]){ grid[0] * h * w, d }, 2);
}

/* Patches [N,t,h,w,D] -> tokens [N,1+t*h*w,D]. */
static gv_val embed(gv_graph *g, const gv_mvit *m, const gv_mvit_names *names, const int64_t grid[3], gv_val x)
{
    int64_t n = gv_dim(g, x, 0), d = gv_dim(g, x, -1), len = grid[0] * grid[1] * grid[2];
    gv_enter(g, "%s", names->position);
    gv_val token = gv_reshape(g, parameter(g, names, names->class_token, 1, d), (int64_t[]){ 1, 1, d }, 3);
    gv_val all[2] = { gv_broadcast(g, token, (int64_t[]){ n, 1, d }, 3), gv_reshape(g, x, (int64_t[]){ n, len, d }, 3) };
    x = gv_concat(g, all, 2, 1);
    if (!m->second) {
        gv_val pos[2] = { parameter(g, names, names->class_pos, 1, d), positions(g, m, names, grid, d) };
        x = gv_add(g, x, gv_reshape(g, gv_concat(g, pos, 2, 0), (int64_t[]){ 1, len + 1, d }, 3));
    }
    gv_leave(g);
    return x;
}

/* ---- attention ---- */

/* v [N,H,1+L,d] without its class token, as [N*H,t,h,w,d]. */
static gv_val on_grid(gv_graph *g, gv_val v, const int64_t grid[3])
{
    int64_t n = gv_dim(g, v, 0) * gv_dim(g, v, 1), d = gv_dim(g, v, -1);
    v = gv_slice(g, v, 2, 1, gv_dim(g, v, 2) - 1);
    return gv_reshape(g, v, (int64_t[]){ n, grid[0], grid[1], grid[2], d }, 5);
}

/* Back to [N,H,1+L',d] with the class token of `from`; grid becomes the new one. */
static gv_val off_grid(gv_graph *g, gv_val v, gv_val from, int64_t grid[3])
{
    int64_t d = gv_dim(g, v, -1), len = 1;
    for (int i = 0; i < 3; i++)
        len *= grid[i] = gv_dim(g, v, 1 + i);
    gv_val both[2] = { gv_slice(g, from, 2, 0, 1), gv_reshape(g, v, (int64_t[]){ gv_dim(g, from, 0), gv_dim(g, from, 1), len, d }, 4) };
    return gv_concat(g, both, 2, 2);
}

/* The depthwise pool of queries, keys or values and its norm. */
static gv_val pooled(gv_graph *g, const gv_mvit_names *names, gv_val v, char which, int64_t stride, int64_t grid[3])
{
    char name[32];
    snprintf(name, sizeof name, names->pool, which);
    gv_val y = gv_video_conv(g, on_grid(g, v, grid), name, .out = HEAD, .kernel = { 3, 3, 3 }, .stride = { 1, stride, stride }, .groups = HEAD, .init = "kaiming_uniform_a5");
    if (gv_graph_error(g))
        return GV_NO_VAL;
    snprintf(name, sizeof name, names->pool_norm, which);
    return gv_layer_norm(g, off_grid(g, y, v, grid), name, .eps = names->pool_eps);
}

/* Along one axis: r [NH,t,h,w,d] with the position of its distance to each of k places -> [NH,t*h*w,k]. made: the length that the parameter is
 * made for. The arithmetic of the distance is torchvision's, in float. */
static gv_val distances(gv_graph *g, gv_val r, int axis, int64_t k, int64_t made, const char *name)
{
    int64_t q = gv_dim(g, r, axis), d = gv_dim(g, r, -1), nh = gv_dim(g, r, 0), len = 2 * gv_max64(q, k) - 1;
    int64_t *place = room(g, q * k, sizeof *place);
    if (!place)
        return GV_NO_VAL;
    float qr = (float)fmax((double)k / (double)q, 1), kr = (float)fmax((double)q / (double)k, 1);
    for (int64_t i = 0; i < q; i++)
        for (int64_t j = 0; j < k; j++)
            place[i * k + j] = (int64_t)((float)i * qr - ((float)j + (float)(1 - k)) * kr);
    gv_val table = gv_param(g, name, (int64_t[]){ made, d }, 2, init);
    table = gv_matmul(g, interpolation(g, made, len, place, q * k), table, GV_NO_VAL, false, false, 1); /* [q*k,d] */
    int to[5] = { axis, 0, 1, 2, 4 }, back[5] = { 1, 2, 3, 0, 4 }; /* the axis in front, and where it was again */
    if (axis == 1)
        to[2] = 2, to[3] = 3, back[1] = 0, back[2] = 2, back[3] = 3;
    else if (axis == 2)
        to[3] = 3, back[2] = 0, back[3] = 3;
    gv_val rows = gv_permute(g, r, to);
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t shape[5], rest = nh * gv_dim(g, r, 1) * gv_dim(g, r, 2) * gv_dim(g, r, 3);
    memcpy(shape, gv_shape(g, rows), sizeof shape);
    shape[4] = k;
    rows = gv_matmul(g, gv_reshape(g, rows, (int64_t[]){ q, rest / q, d }, 3), gv_reshape(g, table, (int64_t[]){ q, k, d }, 3), GV_NO_VAL, false, true, 1);
    rows = gv_permute(g, gv_reshape(g, rows, shape, 5), back); /* [NH,t,h,w,k] */
    return gv_reshape(g, rows, (int64_t[]){ nh, rest / nh, k }, 3);
}

/* What relative positions add to the scores [N,H,1+Lq,1+Lk]. made: the grid at the block's input that parameters are made for. */
static gv_val relative(gv_graph *g, gv_val q, const int64_t qg[3], const int64_t kg[3], const int64_t made[3], int64_t q_stride, int64_t k_stride)
{
    gv_val r = on_grid(g, q, qg), sum;
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t nh = gv_dim(g, r, 0), lq = qg[0] * qg[1] * qg[2], space = 2 * gv_max64(made[1] / q_stride, made[1] / k_stride) - 1;
    gv_val h = gv_reshape(g, distances(g, r, 2, kg[1], space, "rel_pos_h"), (int64_t[]){ nh, lq, 1, kg[1], 1 }, 5);
    gv_val w = gv_reshape(g, distances(g, r, 3, kg[2], space, "rel_pos_w"), (int64_t[]){ nh, lq, 1, 1, kg[2] }, 5);
    gv_val t = gv_reshape(g, distances(g, r, 1, kg[0], 2 * made[0] - 1, "rel_pos_t"), (int64_t[]){ nh, lq, kg[0], 1, 1 }, 5);
    sum = gv_add(g, gv_add(g, h, w), t); /* [NH,Lq,kt,kh,kw] */
    sum = gv_reshape(g, sum, (int64_t[]){ gv_dim(g, q, 0), gv_dim(g, q, 1), lq, kg[0] * kg[1] * kg[2] }, 4);
    return gv_pad(g, gv_pad(g, sum, 2, 1, 0), 3, 1, 0); /* nothing for the class token */
}

/* Queries, keys and values [N,H,L,d] each. */
static void project(gv_graph *g, const gv_mvit_names *names, gv_val x, int64_t heads, gv_val out[3])
{
    static const char *const names3[3] = { "q", "k", "v" };
    if (gv_graph_error(g))
        return;
    int64_t n = gv_dim(g, x, 0), l = gv_dim(g, x, 1), width = heads * HEAD;
    gv_val all = names->split ? GV_NO_VAL : gv_reshape(g, linear(g, x, "qkv", 3 * width), (int64_t[]){ n, l, 3, heads, HEAD }, 5);
    all = names->split ? GV_NO_VAL : gv_permute(g, all, (int[]){ 2, 0, 3, 1, 4 }); /* [3,N,H,L,d] */
    for (int i = 0; i < 3; i++)
        out[i] = names->split ? gv_permute(g, gv_reshape(g, linear(g, x, names3[i], width), (int64_t[]){ n, l, heads, HEAD }, 4), (int[]){ 0, 2, 1, 3 })
                              : gv_reshape(g, gv_slice(g, all, 0, i, 1), (int64_t[]){ n, heads, l, HEAD }, 4);
}

/* x [N,1+L,C] -> [N,1+L',heads*d]; grid becomes the queries' one. */
static gv_val attention(gv_graph *g, const gv_mvit *m, const gv_mvit_names *names, const gv_model_options *o, gv_val x, int i, int64_t grid[3], const int64_t made[3])
{
    int64_t heads = heads_of(i), k_stride = 8 / heads, q_stride = shrinks(i) ? 2 : 1, kg[3] = { grid[0], grid[1], grid[2] }, vg[3] = { grid[0], grid[1], grid[2] };
    gv_val p[3] = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_mark(g, "attention");
    project(g, names, x, heads, p);
    gv_val k = pooled(g, names, p[1], 'k', k_stride, kg), v = pooled(g, names, p[2], 'v', k_stride, vg);
    gv_val q = m->second || q_stride > 1 ? pooled(g, names, p[0], 'q', q_stride, grid) : p[0];
    gv_val a = gv_matmul(g, q, k, GV_NO_VAL, false, true, 1 / sqrt((double)HEAD)); /* [N,H,1+Lq,1+Lk] */
    if (m->second)
        a = gv_add(g, a, relative(g, q, grid, kg, made, q_stride, k_stride));
    a = gv_softmax(g, a);
    a = o->attn_drop_rate > 0 ? gv_dropout(g, a, o->attn_drop_rate, false) : a;
    a = gv_matmul(g, a, v, GV_NO_VAL, false, false, 1);
    if (gv_graph_error(g))
        return GV_NO_VAL;
    int64_t n = gv_dim(g, a, 0), l = gv_dim(g, a, 2);
    if (m->second)
        a = gv_add(g, a, gv_pad(g, gv_slice(g, q, 2, 1, l - 1), 2, 1, 0)); /* the pooled queries, without the class token's */
    a = gv_reshape(g, gv_permute(g, a, (int[]){ 0, 2, 1, 3 }), (int64_t[]){ n, l, heads * HEAD }, 3);
    return linear(g, a, names->project, heads * HEAD);
}

/* ---- blocks ---- */

/* The skip past a block that halves height and width: the largest of 1x3x3, [N,1+L,C] -> [N,1+L/4,C]. */
static gv_val skip(gv_graph *g, gv_val x, int i, const int64_t grid[3])
{
    if (!shrinks(i) || gv_graph_error(g))
        return x;
    int64_t s[3] = { grid[0], grid[1], grid[2] }, n = gv_dim(g, x, 0), d = gv_dim(g, x, 2);
    gv_val one = gv_reshape(g, x, (int64_t[]){ n, 1, gv_dim(g, x, 1), d }, 4);
    gv_val y = gv_video_max_pool(g, on_grid(g, one, s), .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 });
    y = off_grid(g, y, one, s);
    return gv_reshape(g, y, (int64_t[]){ n, gv_dim(g, y, 2), d }, 3);
}

static gv_val block(gv_graph *g, const gv_mvit *m, const gv_mvit_names *names, const gv_model_options *o, gv_val x, int i, int64_t grid[3], const int64_t made[3])
{
    int64_t in = gv_dim(g, x, -1), out = HEAD * heads_of(m->second ? i : i < BLOCKS - 1 ? i + 1 : i), hidden, before[3] = { grid[0], grid[1], grid[2] };
    double drop = o->drop_path_rate * i / (BLOCKS - 1);
    gv_mark(g, "block");
    gv_val y = gv_layer_norm(g, x, "norm1", .eps = 1e-6);
    if (m->second && in != out)
        x = linear(g, y, names->widen, out);
    gv_enter(g, "attn");
    y = attention(g, m, names, o, y, i, grid, made);
    gv_leave(g);
    x = gv_add(g, skip(g, x, i, before), gv_drop_path(g, y, "drop_path", .p = drop));
    y = gv_layer_norm(g, x, "norm2", .eps = 1e-6);
    if (!m->second && in != out)
        x = linear(g, y, names->widen, out);
    hidden = 4 * (m->second ? out : in);
    gv_enter(g, "mlp");
    y = linear(g, gv_gelu(g, linear(g, y, names->fc1, hidden)), names->fc2, out);
    gv_leave(g);
    return gv_add(g, x, gv_drop_path(g, y, "drop_path2", .p = drop));
}

gv_features gv_mvit_build(gv_graph *g, const gv_mvit *base, const gv_mvit_names *names, const gv_model_options *o, gv_val x)
{
    gv_mvit m = *base;
    m.side = o->spatial_size ? o->spatial_size : m.side;
    m.frames = o->temporal_size ? o->temporal_size : m.frames;
    gv_features f = { .kind = GV_TOKENS, .prefix = 1, .has_class_token = true, .value = GV_NO_VAL };
    int64_t made[3] = { m.frames / 2, m.side / 4, m.side / 4 }, grid[3];
    gv_mark(g, "tokens");
    x = gv_video_conv(g, x, names->patch, .out = HEAD, .kernel = { 3, 7, 7 }, .stride = { 2, 4, 4 }, .bias = true, .init = "kaiming_uniform_a5");
    if (gv_graph_error(g))
        return f;
    for (int i = 0; i < 3; i++)
        grid[i] = gv_dim(g, x, 1 + i);
    x = embed(g, &m, names, grid, x);
    for (int i = 0; i < BLOCKS && !gv_graph_error(g); i++) {
        gv_enter(g, "blocks.%d", i);
        x = block(g, &m, names, o, x, i, grid, made);
        gv_leave(g);
        if (shrinks(i))
            made[1] = made[2] = made[1] / 2;
        if (i == BLOCKS - 1 || shrinks(i + 1)) { /* the last block of its resolution */
            gv_val one = gv_graph_error(g) ? GV_NO_VAL : gv_reshape(g, x, (int64_t[]){ gv_dim(g, x, 0), 1, gv_dim(g, x, 1), gv_dim(g, x, 2) }, 4);
            gv_keep(&f, gv_block_name(i), on_grid(g, one, grid));
        }
    }
    f.value = gv_layer_norm(g, x, names->norm, .eps = 1e-6);
    memcpy(f.grid, grid, sizeof grid);
    return f;
}
