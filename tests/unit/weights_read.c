/* weights: files made by PyTorch and safetensors (scripts/golden/weights.py) give the names, shapes and values they hold. */
#include "tests/unit/tap.h"
#include "weights/weights.h"
#include <math.h>

#define DIR "tests/fixtures/weights/"

static const struct { const char *name; gv_dtype t; int less; } types[] = {
    { "uint8", GV_U8, 0 }, { "int8", GV_I8, 5 }, { "uint16", GV_U16, 0 }, { "int16", GV_I16, 5 }, { "uint32", GV_U32, 0 }, { "int32", GV_I32, 5 },
    { "uint64", GV_U64T, 0 }, { "int64", GV_I64T, 5 }, { "float16", GV_F16, 5 }, { "bfloat16", GV_BF16, 5 }, { "float32", GV_F32T, 5 },
    { "float64", GV_F64T, 5 }, { "bool", GV_BOOLT, 0 },
};

static double value(int i, int k, int less)
{
    return (7 * i + 3 * k) % 11 - less;
}

static double at(const gv_named *t, size_t i)
{
    double v;
    gv_to_f64(t->dtype, (const char *)t->data + i * gv_dtype_of(t->dtype)->size, &v, 1);
    return v;
}

static gv_weights *open_ok(const char *file)
{
    gv_weights *w;
    gv_err err = { 0 };
    char path[200];
    snprintf(path, sizeof path, DIR "%s", file);
    ok(gv_weights_open(&w, path, &err) == GV_OK, "%s opens %s", file, err.text);
    return w;
}

static void all_types(const char *file, const char *format, int unsigned_too)
{
    gv_weights *w = open_ok(file);
    if (!w)
        return;
    ok(!strcmp(gv_weights_format(w), format), "%s is %s", file, gv_weights_format(w));
    size_t n = 0;
    int good = 1;
    for (int k = 0; k < (int)GV_COUNT(types); k++) {
        const gv_named *t = gv_weights_find(w, types[k].name);
        if (!unsigned_too && (types[k].t == GV_U16 || types[k].t == GV_U32 || types[k].t == GV_U64T))
            continue;
        n++;
        if (!t || t->dtype != types[k].t || t->ndim != 2 || t->shape[0] != 2 || t->shape[1] != 3 || t->bytes != 6 * gv_dtype_of(t->dtype)->size) {
            ok(0, "%s holds '%s' in its type and shape", file, types[k].name);
            continue;
        }
        for (int i = 0; i < 6; i++) {
            double want = types[k].t == GV_BOOLT ? (7 * i + 3 * k) % 11 % 2 : value(i, k, types[k].less);
            good &= at(t, (size_t)i) == want;
        }
        good &= (uintptr_t)t->data % gv_dtype_of(t->dtype)->size == 0;
    }
    ok(good, "%s: every value of %zu types is right and aligned", file, n);
    const gv_named *scalar = gv_weights_find(w, "scalar"), *empty = gv_weights_find(w, "empty");
    ok(scalar && scalar->ndim == 0 && scalar->bytes == 4 && at(scalar, 0) == value(0, 20, 5), "%s: a scalar", file);
    ok(empty && empty->ndim == 2 && empty->shape[0] == 0 && empty->shape[1] == 4 && empty->bytes == 0, "%s: an empty tensor", file);
    ok(gv_weights_count(w) == n + 2, "%s: %zu tensors", file, gv_weights_count(w));
    ok(!gv_weights_find(w, "nothing") && !gv_weights_meta(w, "nothing"), "%s: a name that is not there", file);
    gv_weights_close(w);
}

static void views(const char *file)
{
    gv_weights *w = open_ok(file);
    if (!w)
        return;
    const gv_named *whole = gv_weights_find(w, "whole"), *again = gv_weights_find(w, "again"), *rows = gv_weights_find(w, "rows"),
                   *t = gv_weights_find(w, "transposed"), *c = gv_weights_find(w, "columns"), *wide = gv_weights_find(w, "wide");
    if (ok(whole && again && rows && t && c && wide, "%s: six tensors", file)) {
        ok(whole->data == again->data, "%s: two names share one storage", file);
        ok(rows->shape[0] == 2 && rows->bytes == 48 && !memcmp(rows->data, (const float *)whole->data + 6, 48), "%s: a slice of rows", file);
        int good = t->shape[0] == 6 && t->shape[1] == 4 && c->shape[0] == 4 && c->shape[1] == 2 && wide->shape[0] == 3 && wide->shape[1] == 4;
        for (int i = 0; i < 24 && good; i++)
            good = at(t, (size_t)i) == value(i % 4 * 6 + i / 4, 0, 5);
        ok(good, "%s: a transposed tensor is made contiguous", file);
        for (int i = 0; i < 8 && good; i++)
            good = at(c, (size_t)i) == value(i / 2 * 6 + i % 2 + 2, 0, 5);
        ok(good, "%s: so are columns", file);
        for (int i = 0; i < 12 && good; i++)
            good = at(wide, (size_t)i) == value(i / 4, 1, 5);
        ok(good, "%s: and an expanded tensor", file);
    }
    gv_weights_close(w);
}

static void checkpoint(void)
{
    gv_weights *w = open_ok("checkpoint.pt");
    if (!w)
        return;
    const gv_named *c = gv_weights_find(w, "conv.weight"), *n = gv_weights_find(w, "bn.num_batches_tracked");
    ok(gv_weights_count(w) == 9, "checkpoint: nine tensors of the model");
    ok(c && c->ndim == 4 && at(c, 4) == value(4, 0, 5), "checkpoint: 'module.' is taken off");
    ok(n && n->dtype == GV_I64T && n->ndim == 0, "checkpoint: a counter is a 64-bit scalar");
    const char *e = gv_weights_meta(w, "epoch"), *loss = gv_weights_meta(w, "loss"), *lr = gv_weights_meta(w, "optimizer.param_groups.0.lr");
    ok(e && !strcmp(e, "7"), "checkpoint: epoch");
    ok(loss && strtod(loss, NULL) == 0.1, "checkpoint: a float comes back to the bit");
    ok(lr && strtod(lr, NULL) == 1e-3, "checkpoint: learning rate of a group");
    const char *b = gv_weights_meta(w, "optimizer.param_groups.0.betas.1"), *p = gv_weights_meta(w, "optimizer.param_groups.0.params.5");
    ok(b && strtod(b, NULL) == 0.999 && p && !strcmp(p, "5"), "checkpoint: members of a tuple and a list");
    const char *am = gv_weights_meta(w, "optimizer.param_groups.0.amsgrad"), *fo = gv_weights_meta(w, "optimizer.param_groups.0.foreach");
    ok(am && !strcmp(am, "False") && fo && !strcmp(fo, "None"), "checkpoint: truth values and None");
    const gv_named *avg = gv_weights_find(w, "optimizer.state.0.exp_avg"), *step = gv_weights_find(w, "optimizer.state.5.step");
    ok(avg && avg->ndim == 4 && avg->shape[0] == 2 && fabs(at(avg, 0) - 0.1) < 1e-7, "checkpoint: a moment of the optimizer");
    ok(step && step->ndim == 0 && at(step, 0) == 1, "checkpoint: the step of a parameter");
    gv_weights_close(w);
}

static void small_ones(void)
{
    gv_weights *w = open_ok("ema.pt");
    const gv_named *t = w ? gv_weights_find(w, "w") : NULL;
    ok(t && gv_weights_count(w) == 1 && at(t, 0) == value(0, 0, 5) + 1, "averaged weights come first, both prefixes off");
    ok(w && !strcmp(gv_weights_meta(w, "arch"), "resnet18"), "a text beside the weights");
    gv_weights_close(w);
    w = open_ok("tensor.pt");
    ok(w && gv_weights_find(w, "tensor") && gv_weights_count(w) == 1, "a lone tensor");
    gv_weights_close(w);
    w = open_ok("parameter.pt");
    t = w ? gv_weights_find(w, "w") : NULL;
    ok(t && at(t, 1) == value(1, 0, 5), "a parameter is its tensor");
    gv_weights_close(w);
    w = open_ok("nnssl.pt");
    t = w ? gv_weights_find(w, "encoder.stem.convs.0.all_modules.0.weight") : NULL;
    ok(t && gv_weights_count(w) == 3 && at(t, 1) == value(1, 0, 5), "network_weights of nnssl and nnU-Net, numbers of NumPy beside them");
    const char *stem = w ? gv_weights_meta(w, "nnssl_adaptation_plan.key_to_stem") : NULL, *side = w ? gv_weights_meta(w, "nnssl_adaptation_plan.recommended_downstream_patchsize.2") : NULL;
    ok(stem && !strcmp(stem, "encoder.stem") && side && !strcmp(side, "160"), "… and the plan for adapting them");
    gv_weights_close(w);
    w = open_ok("extras.pt");
    ok(w && gv_weights_count(w) == 1 && !strcmp(gv_weights_meta(w, "yes"), "True"), "sizes, devices, sets and bytes beside the weights do no harm");
    gv_weights_close(w);
}

static void refused(const char *file, const char *word)
{
    gv_weights *w;
    gv_err err = { 0 };
    char path[200];
    snprintf(path, sizeof path, DIR "%s", file);
    ok(gv_weights_open(&w, path, &err) == GV_EDATA && !w && strstr(err.text, word), "%s is refused for '%s'", file, word);
    if (!strstr(err.text, word))
        printf("# %s\n", err.text);
}

int main(void)
{
    all_types("types.safetensors", "safetensors", 1);
    all_types("types.pt", "torch zip", 1);
    all_types("types_big.pt", "torch zip", 1);
    all_types("types_deflated.pt", "torch zip", 1);
    all_types("types_zip64.pt", "torch zip", 1);
    all_types("types.pth", "torch legacy", 0);
    views("views.pt");
    views("views.pth");
    checkpoint();
    small_ones();
    refused("namespace.pt", "'argparse.Namespace'");
    refused("complex.pt", "'w' has type 'ComplexFloatStorage'");
    return done();
}
