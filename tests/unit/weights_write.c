/* weights: what is written comes back, equal input gives equal bytes, and the safetensors writer's are the official library's. */
#include "tests/unit/tap.h"
#include "common/file.h"
#include "weights/weights.h"
#include <unistd.h>

static char made_here[] = "/tmp/gv-weights-XXXXXX", *dir = made_here;

static const char *in_dir(const char *name)
{
    static char path[4][200];
    static int i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
    return path[i];
}

static int same_file(const char *a, const char *b)
{
    gv_buf x = { 0 }, y = { 0 };
    gv_err err = { 0 };
    int same = gv_file_read(a, 1 << 20, &x, &err) == GV_OK && gv_file_read(b, 1 << 20, &y, &err) == GV_OK && x.len == y.len && !memcmp(x.data, y.data, x.len);
    gv_buf_release(&x);
    gv_buf_release(&y);
    return same;
}

static int same_tensor(const gv_named *a, const gv_named *b)
{
    return a && b && a->dtype == b->dtype && a->ndim == b->ndim && !memcmp(a->shape, b->shape, sizeof a->shape[0] * (size_t)a->ndim) &&
           a->bytes == b->bytes && !memcmp(a->data, b->data, a->bytes);
}

static void safetensors(void)
{
    gv_weights *w = NULL, *v = NULL;
    gv_err err = { 0 };
    if (!ok(gv_weights_open(&w, "tests/fixtures/weights/types.safetensors", &err) == GV_OK, "the fixture opens"))
        return;
    size_t n = gv_weights_count(w);
    gv_named t[32];
    for (size_t i = 0; i < n; i++) /* another order than the file's */
        t[i] = *gv_weights_at(w, n - 1 - i);
    ok(gv_safetensors_write(in_dir("a.safetensors"), t, n, NULL, 0, &err) == GV_OK, "written %s", err.text);
    ok(same_file("tests/fixtures/weights/types.safetensors", in_dir("a.safetensors")), "the same bytes as the official library's");
    gv_meta meta[] = { { "place", "epoch 3, \"quoted\"\n\x01 and \xc3\xbc" }, { "empty", "" } };
    ok(gv_safetensors_write(in_dir("b.safetensors"), t, n, meta, 2, &err) == GV_OK, "with texts");
    ok(gv_weights_open(&v, in_dir("b.safetensors"), &err) == GV_OK, "and read %s", err.text);
    int good = v && gv_weights_count(v) == n;
    for (size_t i = 0; i < n && good; i++)
        good = same_tensor(&t[i], gv_weights_find(v, t[i].name)) && gv_weights_find(v, t[i].name)->data != t[i].data;
    ok(good, "every tensor comes back");
    ok(v && !strcmp(gv_weights_meta(v, "place"), meta[0].value) && !strcmp(gv_weights_meta(v, "empty"), "") && !strcmp(gv_weights_meta(v, "format"), "pt"),
       "and every text");
    gv_weights_close(v);
    v = NULL;
    t[1] = t[0];
    ok(gv_safetensors_write(in_dir("c.safetensors"), t, 2, NULL, 0, &err) == GV_EUSAGE && strstr(err.text, "twice"), "a name that occurs twice is refused");
    err = (gv_err){ 0 };
    t[1].name = "\xff";
    ok(gv_safetensors_write(in_dir("c.safetensors"), t, 2, NULL, 0, &err) == GV_EUSAGE && strstr(err.text, "UTF-8"), "a name that is not UTF-8 too");
    err = (gv_err){ 0 };
    ok(!gv_file_exists(in_dir("c.safetensors")), "and no file appears");
    ok(gv_safetensors_write(in_dir("c.safetensors"), NULL, 0, NULL, 0, &err) == GV_OK && gv_weights_open(&v, in_dir("c.safetensors"), &err) == GV_OK &&
       !gv_weights_count(v), "no tensors at all");
    gv_weights_close(v);
    v = NULL;
    ok(gv_safetensors_write("/dev/full/x", t, 1, NULL, 0, &err) == GV_ESYS && strstr(err.text, "/dev/full/x"), "a place that cannot be written is named");
    gv_weights_close(w);
}

static void pt(void)
{
    gv_weights *w = NULL, *v = NULL;
    gv_err err = { 0 };
    if (!ok(gv_weights_open(&w, "tests/fixtures/weights/types.pt", &err) == GV_OK, "the fixture opens"))
        return;
    size_t n = gv_weights_count(w);
    gv_named t[32];
    for (size_t i = 0; i < n; i++)
        t[i] = *gv_weights_at(w, i);
    t[n] = t[0]; /* a second name for the first */
    t[n++].name = "encoder.model.uint8";
    float step = 12, avg[6] = { 1, 2, 3, 4, 5, 6 };
    gv_named state[] = { { .name = "step", .dtype = GV_F32T, .data = &step, .bytes = 4 },
                         { .name = "exp_avg", .dtype = GV_F32T, .ndim = 2, .shape = { 2, 3 }, .data = avg, .bytes = 24 } };
    const double betas[] = { 0.9, 0.999 };
    const gv_pt_value settings[] = {
        { .key = "lr", .type = GV_PT_FLOAT, .f = 0.1 }, { .key = "betas", .type = GV_PT_FLOATS, .fs = betas, .nfs = 2 }, { .key = "amsgrad", .type = GV_PT_BOOL },
        { .key = "foreach", .type = GV_PT_NONE }, { .key = "big", .type = GV_PT_INT, .i = -5000000000 }, { .key = "kind", .type = GV_PT_STR, .s = "AdamW" },
    };
    const int64_t params[] = { 0, 300, 70000 };
    const gv_pt_state s[] = { { 0, state, 2 }, { 300, state, 2 } };
    const gv_pt_group g = { settings, GV_COUNT(settings), params, 3 };
    const gv_pt_optimizer o = { s, 2, &g, 1 };
    ok(gv_pt_write(in_dir("a.pt"), 41, t, n, &o, &err) == GV_OK, "written %s", err.text);
    ok(gv_pt_write(in_dir("b.pt"), 41, t, n, &o, &err) == GV_OK && same_file(in_dir("a.pt"), in_dir("b.pt")), "equal input gives equal bytes");
    if (!ok(gv_weights_open(&v, in_dir("a.pt"), &err) == GV_OK, "and read %s", err.text)) {
        gv_weights_close(w);
        return;
    }
    int good = gv_weights_count(v) == n && !strcmp(gv_weights_format(v), "torch zip");
    for (size_t i = 0; i < n; i++)
        good &= same_tensor(&t[i], gv_weights_find(v, t[i].name)) && !strcmp(gv_weights_at(v, i)->name, t[i].name);
    ok(good, "every tensor comes back, in its order");
    ok(gv_weights_find(v, "uint8")->data == gv_weights_find(v, "encoder.model.uint8")->data, "two names share one storage");
    good = 1;
    for (size_t i = 0; i < n; i++)
        good &= gv_weights_at(v, i)->bytes == 0 || ((const char *)gv_weights_at(v, i)->data - (const char *)gv_weights_at(v, 0)->data) % 64 == 0;
    ok(good, "data lies at multiples of 64");
    static const char *const want[][2] = {
        { "epoch", "41" }, { "optimizer.param_groups.0.amsgrad", "False" }, { "optimizer.param_groups.0.foreach", "None" },
        { "optimizer.param_groups.0.big", "-5000000000" }, { "optimizer.param_groups.0.kind", "AdamW" }, { "optimizer.param_groups.0.params.2", "70000" },
    };
    for (size_t i = 0; i < GV_COUNT(want); i++)
        ok(gv_weights_meta(v, want[i][0]) && !strcmp(gv_weights_meta(v, want[i][0]), want[i][1]), "%s is %s", want[i][0], want[i][1]);
    ok(strtod(gv_weights_meta(v, "optimizer.param_groups.0.betas.1"), NULL) == 0.999, "betas come back to the bit");
    ok(same_tensor(&state[1], gv_weights_find(v, "optimizer.state.300.exp_avg")), "a moment of the optimizer comes back");
    gv_weights_close(v);
    v = NULL;
    ok(gv_pt_write(in_dir("c.pt"), 0, t, 3, NULL, &err) == GV_OK && gv_weights_open(&v, in_dir("c.pt"), &err) == GV_OK && gv_weights_count(v) == 3,
       "without an optimizer");
    gv_weights_close(v);
    v = NULL;
    gv_weights_close(w);
}

/* With a folder as argument, the files stay there for readers in other languages (tests/cli/t50-weights-torch.sh). */
int main(int argc, char **argv)
{
    if (argc > 1)
        dir = argv[1];
    else if (!mkdtemp(dir))
        return 1;
    safetensors();
    pt();
    static const char *const made[] = { "a.safetensors", "b.safetensors", "c.safetensors", "a.pt", "b.pt", "c.pt" };
    for (size_t i = 0; i < GV_COUNT(made) && argc == 1; i++)
        unlink(in_dir(made[i]));
    ok(argc > 1 || rmdir(dir) == 0, "no other file was left");
    return done();
}
