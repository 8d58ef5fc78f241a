/* init: first values of parameters. Drawn by pieces of 64 Ki elements keyed by (seed, name, piece), so neither the number of threads nor the
 * order of the parameters matters. Sources: torch.nn.init (fans, kaiming, xavier); timm.layers.weight_init (trunc_normal_, lecun_normal_). */
#include "nn/internal.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>

enum { PIECE = 65536 };

typedef enum kind { CONSTANT, NORMAL, UNIFORM, CUT } kind;

/* CONSTANT a; NORMAL of deviation a; UNIFORM from a to b; CUT: normal of deviation a with draws beyond b (absolute) drawn again. */
typedef struct fill { kind kind; double a, b; uint64_t seed, hash; gv_stored *t; int64_t count; } fill;

/* Up to GV_RNG_MANY values, as many as the next draws give; their number. */
static size_t draw(const fill *f, gv_rng *r, double v[GV_RNG_MANY])
{
    size_t n = 0;
    if (f->kind == UNIFORM) {
        gv_rng_uniforms(r, v);
        for (int i = 0; i < GV_RNG_MANY; i++)
            v[i] = f->a + (f->b - f->a) * v[i];
        return GV_RNG_MANY;
    }
    gv_rng_normals(r, v);
    double cut = f->kind == CUT ? f->b : INFINITY;
    for (int i = 0; i < GV_RNG_MANY; i++) {
        double x = v[i] * f->a;
        v[n] = x;
        n += fabs(x) <= cut; /* the others are drawn again */
    }
    return n;
}

static void body(void *p, int64_t begin, int64_t end)
{
    const fill *f = p;
    size_t size = gv_dtype_of(f->t->dtype)->size;
    for (int64_t piece = begin; piece < end; piece++) {
        double v[GV_RNG_MANY];
        gv_rng r;
        gv_rng_init(&r, f->seed, GV_RNG_INIT, f->hash, (uint32_t)piece, 0);
        int64_t last = (piece + 1) * PIECE < f->count ? (piece + 1) * PIECE : f->count;
        for (int i = 0; i < GV_RNG_MANY; i++)
            v[i] = f->a;
        for (int64_t i = piece * PIECE; i < last;) {
            size_t n = f->kind == CONSTANT ? GV_RNG_MANY : draw(f, &r, v);
            n = (int64_t)n < last - i ? n : (size_t)(last - i);
            gv_from_f64(f->t->dtype, v, (char *)f->t->data + (size_t)i * size, n);
            i += (int64_t)n;
        }
    }
}

/* For each pair of places in a window of frames x side x side, the row of their difference among all (2 frames - 1)(2 side - 1)^2: [V,V] I64. */
static int window_index(gv_stored *t, int64_t frames, int64_t side, gv_err *err)
{
    int64_t v = frames * side * side, area = side * side, wide = 2 * side - 1, *to = t->data;
    if (t->dtype != GV_I64T || t->ndim != 2 || t->shape[0] != v || t->shape[1] != v)
        return gv_fail(err, GV_EINTERNAL, "tensor '%s' is no index of a window of %d x %d x %d", t->name, (int)frames, (int)side, (int)side);
    for (int64_t i = 0; i < v; i++)
        for (int64_t j = 0; j < v; j++)
            *to++ = ((i / area - j / area + frames - 1) * wide + i / side % side - j / side % side + side - 1) * wide + i % side - j % side + side - 1;
    return GV_OK;
}

int gv_init_fill(const char *name, const char *init, uint64_t seed, gv_stored *t, gv_err *err)
{
    char word[64] = "";
    double a = 0, b = 0;
    int n = init ? sscanf(init, "%63s %lf %lf", word, &a, &b) : 0;
    double area = 1, in = t->ndim > 1 ? (double)t->shape[1] : 0, out = t->ndim > 1 ? (double)t->shape[0] : 0;
    for (int i = 2; i < t->ndim; i++)
        area *= (double)t->shape[i];
    in *= area;
    out *= area;
    fill f = { .seed = seed, .hash = gv_hash_name(name), .t = t, .count = gv_shape_count(t->shape, t->ndim) };
    static const struct { const char *name; int words; bool fans; } known[] = {
        { "zeros", 1, false }, { "ones", 1, false }, { "constant", 2, false }, { "normal", 2, false }, { "trunc_normal", 2, false }, { "uniform", 3, false },
        { "kaiming_normal_fan_out", 1, true }, { "kaiming_uniform_a5", 1, true }, { "xavier_uniform", 1, true }, { "lecun_normal", 1, true }, { "kaiming_normal_leaky", 1, true },
        { "window_index", 3, false },
    };
    size_t k = 0;
    while (k < GV_COUNT(known) && strcmp(word, known[k].name))
        k++;
    if (k == GV_COUNT(known) || n != known[k].words)
        return gv_fail(err, GV_EINTERNAL, "tensor '%s': no initialiser '%s'", name, init ? init : "");
    if (known[k].fans && t->ndim < 2)
        return gv_fail(err, GV_EINTERNAL, "tensor '%s': '%s' needs two or more dimensions, this has %d", name, word, t->ndim);
    switch (k) {
    case 0: return GV_OK; /* new tensors are zero */
    case 1: f.kind = CONSTANT; f.a = 1; break;
    case 2: f.kind = CONSTANT; f.a = a; break;
    case 3: f.kind = NORMAL; f.a = a; break;
    case 4: f.kind = CUT; f.a = a; f.b = 2; break;
    case 5: f.kind = UNIFORM; f.a = a; f.b = b; break;
    case 6: f.kind = NORMAL; f.a = sqrt(2 / out); break;
    case 7: f.kind = UNIFORM; f.b = 1 / sqrt(in); f.a = -f.b; break;
    case 8: f.kind = UNIFORM; f.b = sqrt(6 / (in + out)); f.a = -f.b; break;
    case 10: f.kind = NORMAL; f.a = sqrt(2 / (1 + 0.01 * 0.01) / in); break;
    case 11: return window_index(t, (int64_t)a, (int64_t)b, err);
    default: f.kind = CUT; f.a = sqrt(1 / in) / .87962566103423978; f.b = 2 * f.a; break; /* the deviation of a normal cut at 2 */
    }
    gv_parallel((f.count + PIECE - 1) / PIECE, 1, body, &f);
    return GV_OK;
}
