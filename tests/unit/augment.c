/* augment: policies resolve as documented, and what they do to a sample follows from its numbers alone. */
#include "augment/random_resized_crop.h"
#include "formats/format.h"
#include "tests/unit/picture.h"
#include "tests/unit/tap.h"
#include <inttypes.h>
#include <math.h>

static gv_arena run, scratch;
static gv_err err;

static gv_pipeline *resolve(const gv_policy_request *q)
{
    gv_pipeline *p = NULL;
    gv_err_clear(&err);
    gv_arena_reset(&run);
    return gv_policy_resolve(q, &p, &run, &err) == GV_OK ? p : NULL;
}

static const char *text(const gv_pipeline *p)
{
    static char out[600];
    gv_buf b = { 0 };
    if (!p || gv_pipeline_text(p, &b, &err) < 0)
        return err.text;
    snprintf(out, sizeof out, "%s", b.data);
    gv_buf_release(&b);
    return out;
}

static void says(const gv_policy_request *q, const char *want)
{
    const char *got = text(resolve(q));
    ok(!strcmp(got, want), "%s", want);
    if (strcmp(got, want))
        printf("# got %s\n", got);
}

static void refuses(const gv_policy_request *q, const char *want)
{
    gv_pipeline *p = resolve(q);
    ok(!p && err.code == GV_EUSAGE && !strcmp(err.text, want), "%s", want);
    if (p || strcmp(err.text, want))
        printf("# got %s\n", text(p));
}

#define STATS ", mean 0.485,0.456,0.406, std 0.229,0.224,0.225"
#define CIFAR ", mean 0.4914,0.4822,0.4465, std 0.2023,0.1994,0.2010"

static void resolution(void)
{
    double mean[3] = { 0.5, 0.25, 0.485 }, std[3] = { 0.5, 0.5, 0.125 };
    gv_policy_request shared = { .dataset = "generic_image_dataset", .train = true, .policy = "default_2d_2" }, q = shared;
    says(&q, "default_2d_2: image_size 224, resize_size 256, interpolation linear, hflip 0.5, vflip 0.2, rotate 0.3, rotate_limit 20" STATS);
    q.policy = "shared_default_2d";
    says(&q, "shared_default_2d: image_size 224, resize_size 256, interpolation linear" STATS);
    q.encoder.image_size = 384;
    q.encoder.interpolation = "bilinear";
    says(&q, "shared_default_2d: image_size 384, resize_size 439, interpolation linear" STATS);
    q.encoder.resize_size = 384;
    q.encoder.interpolation = "bicubic";
    q.encoder.mean = (gv_f64s){ 3, mean };
    q.encoder.std = (gv_f64s){ 3, std };
    says(&q, "shared_default_2d: image_size 384, resize_size 384, interpolation bicubic, mean 0.5,0.25,0.485, std 0.5,0.5,0.125");
    q.image_size = 448;
    says(&q, "shared_default_2d: image_size 448, resize_size 448, interpolation bicubic, mean 0.5,0.25,0.485, std 0.5,0.5,0.125");
    q = shared;
    q.image_size = 128;
    says(&q, "default_2d_2: image_size 128, resize_size 256, interpolation linear, hflip 0.5, vflip 0.2, rotate 0.3, rotate_limit 20" STATS);
    q.resize_size = 120;
    refuses(&q, "policy 'default_2d_2' cannot crop 128 pixels from a side of 120 (raise resize_size or lower image_size)");
    q = shared;
    q.kwargs = (gv_dict){ 2, (const char *[]){ "hflip", "interpolation" }, (const char *[]){ "0.25", "\"bicubic\"" } };
    says(&q, "default_2d_2: image_size 224, resize_size 256, interpolation bicubic, hflip 0.25, vflip 0.2, rotate 0.3, rotate_limit 20" STATS);
    q.kwargs = (gv_dict){ 1, (const char *[]){ "mean" }, (const char *[]){ "[0.1, 0.2, 0.3]" } };
    gv_pipeline *p = resolve(&q);
    ok(p && p->mean.n == 3 && p->mean.v[2] == 0.3 && p->std.v[0] == 0.229 && p->n == 5, "a list in train_kwargs");
    q.channels = 1;
    p = resolve(&q);
    ok(p && p->mean.n == 1 && p->mean.v[0] > 0.1999 && p->mean.v[0] < 0.2001, "three means for one channel become their mean");

    q = (gv_policy_request){ .dataset = "cifar10", .train = true, .policy = "baseline_cutout", .native_size = 32 };
    says(&q, "baseline_cutout: image_size 32, interpolation bilinear, padding 4, hflip 0.5, cutout_size 16" CIFAR);
    p = resolve(&q);
    ok(p && p->n == 3 && !strcmp(p->steps[0].unit->name, "random_crop"), "no resize at the images' own size");
    q.encoder.image_size = 224;
    q.encoder.interpolation = "bicubic";
    says(&q, "baseline_cutout: image_size 224, interpolation bicubic, padding 28, hflip 0.5, cutout_size 112" CIFAR);
    p = resolve(&q);
    ok(p && p->n == 4 && !strcmp(p->steps[0].unit->name, "resize") && p->image_size == 224, "a larger encoder: images are resized first");
    q.cutout_size = 20;
    says(&q, "baseline_cutout: image_size 224, interpolation bicubic, padding 28, hflip 0.5, cutout_size 20" CIFAR);
    q.policy = "default";
    refuses(&q, "'cutout_size' is not used by policy 'default'; it uses image_size, interpolation, mean, std");
    q.other_policy = "baseline_cutout";
    says(&q, "default: image_size 224, interpolation bicubic" CIFAR);
    q = (gv_policy_request){ .dataset = "cifar100", .policy = "default", .native_size = 32, .image_size = 24 };
    p = resolve(&q);
    ok(p && p->n == 1 && p->image_size == 24, "a smaller encoder crops");

    q = (gv_policy_request){ .dataset = "fashion_mnist", .train = true, .policy = "baseline", .native_size = 28, .channels = 3 };
    says(&q, "baseline: image_size 28, interpolation bilinear, padding 4, hflip 0.5, mean 0.2860, std 0.3530");
    p = resolve(&q);
    ok(p && p->mean.n == 3 && p->mean.v[2] == 0.2860, "one mean is repeated for the channels");
    q.dataset = "mnist";
    says(&q, "baseline: image_size 28, interpolation bilinear, padding 4, mean 0.1307, std 0.3081");

    q = shared;
    q.policy = "default_2d_22";
    refuses(&q, "data set 'generic_image_dataset' has no train policy 'default_2d_22' (did you mean 'default_2d_2'?); it has default, shared_default_2d, default_2d_1, default_2d_2, default_2d_4");
    q = shared;
    q.kwargs = (gv_dict){ 1, (const char *[]){ "hflp" }, (const char *[]){ "1" } };
    refuses(&q, "train_kwargs: 'hflp' is not used by policy 'default_2d_2' (did you mean 'hflip'?); it uses image_size, resize_size, interpolation, hflip, vflip, rotate, rotate_limit, mean, std");
    q = shared;
    q.patch_size = (gv_ints){ 1, (int64_t[]){ 5 } };
    refuses(&q, "'patch_size' is not used by policy 'default_2d_2'; it uses image_size, resize_size, interpolation, hflip, vflip, rotate, rotate_limit, mean, std");
    q = shared;
    q.kwargs = (gv_dict){ 1, (const char *[]){ "hflip" }, (const char *[]){ "1.5" } };
    ok(!resolve(&q) && err.code == GV_EUSAGE && strstr(err.text, "hflip") && strstr(err.text, "1.5"), "out of range: %s", err.text);
    q.kwargs = (gv_dict){ 1, (const char *[]){ "std" }, (const char *[]){ "0" } };
    refuses(&q, "'std' is '0'; numbers above 0 are wanted");
    q.kwargs = (gv_dict){ 1, (const char *[]){ "image_size" }, (const char *[]){ "\"big\"" } };
    ok(!resolve(&q) && err.code == GV_EUSAGE && strstr(err.text, "big"), "not a number: %s", err.text);

    static const gv_policy_step steps[] = { { "hflip", "p=1" }, { NULL, NULL } };
    static const gv_policy own[] = { { .name = "default", .summary = "own", .keys = "mean=0.5 std=0.5", .steps = steps }, { .name = NULL } };
    q = (gv_policy_request){ .dataset = "mine", .own = own, .policy = "default" };
    says(&q, "default: mean 0.5, std 0.5");
    q.policy = "default_2d_1";
    ok(resolve(&q) != NULL, "a data set with its own policies still has the shared ones");
    q.spatial_dims = 3;
    ok(!resolve(&q), "but not those for another number of axes");
}

static void golden(void)
{
    char line[128];
    long h, w, resize, size;
    unsigned long want;
    FILE *f = fopen("tests/golden/augment/default_2d_1.txt", "r");
    ok(f != NULL, "golden values are there");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%ld %ld %ld %ld %lu", &h, &w, &resize, &size, &want) != 5)
            break;
        gv_policy_request q = { .dataset = "x", .policy = "default_2d_1", .image_size = size, .resize_size = resize };
        gv_pipeline *p = resolve(&q);
        gv_sample x;
        gv_arena_reset(&scratch);
        ok(p && picture(&x, h, w, 3, &scratch, &err) == GV_OK && gv_pipeline_apply(p, &x, 1, 0, 0, 0, &scratch, &err) == GV_OK && digest(&x) == want,
           "default_2d_1 of %ld x %ld: albumentations' pixels %s", h, w, err.text);
    }
    if (f)
        fclose(f);
}

/* default_2d_2 by hand, from the documented streams. */
static int by_hand(gv_sample *x, uint64_t seed, int64_t epoch, int64_t index, int64_t draw)
{
    gv_rng r[5];
    for (uint32_t k = 0; k < 5; k++)
        gv_rng_init(&r[k], seed, GV_RNG_AUGMENT | k << 8, (uint64_t)index, (uint32_t)epoch, (uint32_t)draw);
    int64_t h = x->shape[0], w = x->shape[1];
    double s = 64.0 / (double)(h < w ? h : w);
    if (gv_sample_resize(x, (int64_t)rint((double)h * s), (int64_t)rint((double)w * s), GV_LINEAR, &scratch, &err) < 0)
        return -1;
    gv_region g = { .h = 56, .w = 56 };
    g.y = (int64_t)((double)(x->shape[0] - 55) * gv_rng_uniform(&r[1]));
    g.x = (int64_t)((double)(x->shape[1] - 55) * gv_rng_uniform(&r[1]));
    if (gv_sample_crop(x, &g, &scratch, &err) < 0 || (gv_rng_uniform(&r[2]) < 0.5 && gv_sample_flip(x, 1, &err) < 0) ||
        (gv_rng_uniform(&r[3]) < 0.2 && gv_sample_flip(x, 0, &err) < 0))
        return -1;
    if (gv_rng_uniform(&r[4]) < 0.3)
        return gv_sample_rotate_linear(x, -20 + 40 * gv_rng_uniform(&r[4]), GV_BORDER_REFLECT, &scratch, &err);
    return 0;
}

static void draws(void)
{
    gv_policy_request q = { .dataset = "x", .train = true, .policy = "default_2d_2", .image_size = 56, .resize_size = 64 };
    gv_pipeline *p = resolve(&q);
    int bad = 0, kinds = 0;
    uint32_t last = 0;
    for (int64_t i = 0; i < 60; i++) {
        gv_sample x, y;
        gv_arena_reset(&scratch);
        if (!p || picture(&x, 90, 120, 3, &scratch, &err) < 0 || gv_sample_copy(&x, &y, &scratch, &err) < 0)
            break;
        bad += gv_pipeline_apply(p, &x, 9, i % 3, i, i % 2, &scratch, &err) < 0 || by_hand(&y, 9, i % 3, i, i % 2) < 0 || digest(&x) != digest(&y);
        kinds += digest(&x) != last;
        last = digest(&x);
    }
    ok(!bad && kinds == 60, "default_2d_2 draws from (seed, step, index, epoch, draw): %d of 60 differ", bad);

    q = (gv_policy_request){ .dataset = "cifar10", .train = true, .policy = "randaugment", .native_size = 32 };
    p = resolve(&q);
    int seen = 0, changed = 0;
    for (int64_t i = 0; i < 500 && p; i++) {
        gv_sample x, before;
        gv_arena_reset(&scratch);
        if (picture(&x, 32, 32, 3, &scratch, &err) < 0 || gv_sample_copy(&x, &before, &scratch, &err) < 0)
            break;
        seen += gv_pipeline_apply(p, &x, 3, 0, i, 0, &scratch, &err) == GV_OK && x.shape[0] == 32 && x.shape[1] == 32 && x.shape[2] == 3;
        changed += digest(&x) != digest(&before);
    }
    ok(seen == 500 && changed > 490, "randaugment keeps 32 x 32 x 3 and changes %d of 500", changed);
    ok(p != NULL, "%s", text(p));
}

static void chances(void)
{
    gv_policy_request q = { .dataset = "cifar10", .train = true, .policy = "baseline", .native_size = 32 };
    gv_pipeline *p = resolve(&q);
    int at[9][9] = { { 0 } }, flips = 0, n = 8100, bad = 0;
    for (int64_t i = 0; i < n && p; i++) {
        gv_sample x;
        gv_arena_reset(&scratch);
        if (gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 32, 32, 3 }, &scratch, &err) < 0)
            break;
        uint8_t *v = x.data;
        for (int k = 0; k < 1024; k++) {
            v[3 * k] = (uint8_t)(k / 32 + 1);
            v[3 * k + 1] = (uint8_t)(k % 32 + 1);
            v[3 * k + 2] = 0;
        }
        bad += gv_pipeline_apply(p, &x, 5, 0, i, 0, &scratch, &err) < 0;
        v = (uint8_t *)x.data + (16 * 32 + 15) * 3; /* row 16, column 15: mirrored it is column 16 */
        int flipped = v[1] > v[1 + 3], dy = v[0] - 1 - 16 + 4, dx = flipped ? v[1] - 1 - 16 + 4 : v[1] - 1 - 15 + 4;
        if (dy < 0 || dy > 8 || dx < 0 || dx > 8)
            bad++;
        else
            at[dy][dx]++;
        flips += flipped;
    }
    double chi = 0;
    for (int k = 0; k < 81; k++)
        chi += (at[k / 9][k % 9] - n / 81.0) * (at[k / 9][k % 9] - n / 81.0) / (n / 81.0);
    ok(!bad && chi < 120, "random_crop: 81 offsets are equally likely (chi-square %.1f, 80 degrees of freedom)", chi);
    ok(flips > 3870 && flips < 4230, "hflip: %d of %d mirrored", flips, n);
}

struct given { double u[64]; int n, used; };

static double next_given(void *arg)
{
    struct given *g = arg;
    return g->used < g->n ? g->u[g->used++] : 0.5;
}

/* One line of tests/golden/augment/random_resized_crop.txt: torchvision's place for the numbers it drew, and the pixels. */
static void cut_as_torchvision(const char *line)
{
    gv_random_resized_crop o = { 0 };
    struct given u = { .n = 0 };
    long h, w, c, y, x, ph, pw;
    char how[16];
    unsigned long want;
    int at;
    if (sscanf(line, "%ld %ld %ld %ld %15s %lf %lf %lf %lf %ld %ld %ld %ld %lu %d%n", &h, &w, &c, &o.size, how, &o.scale_min, &o.scale_max, &o.ratio_min, &o.ratio_max,
               &y, &x, &ph, &pw, &want, &u.n, &at) != 15 || u.n > 64) {
        ok(0, "golden line is read: %s", line);
        return;
    }
    const char *p = line + at;
    for (int i = 0; i < u.n; i++) {
        char *end;
        u.u[i] = strtod(p, &end);
        p = end;
    }
    gv_region g;
    gv_random_resized_crop_place(&o, h, w, next_given, &u, &g);
    bool same = g.y == y && g.x == x && g.h == ph && g.w == pw;
    gv_sample s;
    gv_arena_reset(&scratch);
    for (o.interpolation = 0; gv_interpolation_names[o.interpolation] && strcmp(gv_interpolation_names[o.interpolation], how);)
        o.interpolation++;
    bool pixels = picture(&s, h, w, c, &scratch, &err) == GV_OK && gv_sample_crop(&s, &g, &scratch, &err) == GV_OK &&
                  gv_augment_random_resized_crop.apply(&o, &s, NULL, &scratch, &err) == GV_OK && digest(&s) == want;
    ok(same && pixels, "random_resized_crop of %ld x %ld: %ld x %ld at %ld, %ld to %ld, %s", h, w, ph, pw, y, x, (long)o.size, how);
    if (!same)
        printf("# got %" PRId64 " x %" PRId64 " at %" PRId64 ", %" PRId64 "\n", g.h, g.w, g.y, g.x);
}

static void random_resized_crop(void)
{
    char line[1000];
    FILE *f = fopen("tests/golden/augment/random_resized_crop.txt", "r");
    ok(f != NULL, "golden values are there");
    while (f && fgets(line, sizeof line, f))
        cut_as_torchvision(line);
    if (f)
        fclose(f);

    gv_policy_request q = { .dataset = "imagenet", .train = true, .policy = "baseline" };
    gv_pipeline *p = resolve(&q);
    says(&q, "baseline: image_size 224, interpolation bilinear, scale_min 0.08, scale_max 1, ratio_min 0.75, ratio_max 1.3333333333333333, hflip 0.5" STATS);
    int bad = 0, some = 0;
    double area = 0;
    for (int64_t i = 0; i < 200 && p; i++) { /* decoding the part alone changes nothing */
        gv_sample all, part;
        gv_region g;
        gv_arena_reset(&scratch);
        if (picture(&all, 300, 400, 3, &scratch, &err) < 0 || gv_sample_copy(&all, &part, &scratch, &err) < 0)
            break;
        int cut = gv_pipeline_crop(p, 300, 400, 7, i % 2, i, 0, &g);
        bad += cut && gv_sample_crop(&part, &g, &scratch, &err) < 0;
        bad += gv_pipeline_apply(p, &all, 7, i % 2, i, 0, &scratch, &err) < 0 ||
               gv_pipeline_apply_cropped(p, cut ? (int64_t[]){ 300, 400 } : NULL, &part, 7, i % 2, i, 0, &scratch, &err) < 0 || all.shape[0] != 224 || all.shape[1] != 224 || digest(&all) != digest(&part);
        some += cut;
        area += cut ? (double)(g.h * g.w) / 120000 : 1;
    }
    ok(p && !bad && some > 180, "baseline of imagenet: %d of 200 parts drawn before decoding give other pixels", bad);
    ok(area > 80 && area < 92, "their mean area is %.3f, torchvision's 0.430", area / 200);
}

/* What the policy draws, told from its effect on flat images. */
static void level_4(void)
{
    static const gv_policy_step steps[] = { { "color_jitter", "p=$jitter contrast=0 saturation=0 hue=0" }, { "gauss_noise", "p=$noise" }, { NULL, NULL } };
    static const gv_policy own[] = { { .name = "part", .summary = "own", .keys = "jitter=0 noise=0", .steps = steps }, { .name = NULL } };
    gv_policy_request q = { .dataset = "mine", .own = own, .policy = "part", .kwargs = { 1, (const char *[]){ "jitter" }, (const char *[]){ "0.6" } } };
    gv_pipeline *p = resolve(&q);
    gv_sample x;
    int bad = 0, changed = 0, n = 4000, low = 255, high = 0;
    for (int64_t i = 0; i < n && p; i++) {
        gv_arena_reset(&scratch);
        if (gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 2, 2, 3 }, &scratch, &err) < 0)
            break;
        memset(x.data, 200, 12);
        bad += gv_pipeline_apply(p, &x, 5, 0, i, 0, &scratch, &err) < 0;
        int v = ((uint8_t *)x.data)[0];
        changed += v != 200;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    ok(!bad && changed > 2270 && changed < 2500, "color_jitter: %d of %d changed, 0.6 with a factor that shows", changed, n);
    ok(low == 160 && high == 239, "brightness from 0.8 to 1.2: 200 becomes %d to %d", low, high);

    q.kwargs = (gv_dict){ 1, (const char *[]){ "noise" }, (const char *[]){ "1" } };
    p = resolve(&q);
    double sum = 0, squares = 0, least = 9, most = 0, size = 100 * 100 * 3;
    for (int64_t i = 0; i < 200 && p; i++) {
        gv_arena_reset(&scratch);
        if (gv_sample_init(&x, GV_F32T, 3, (int64_t[]){ 100, 100, 3 }, &scratch, &err) < 0)
            break;
        for (int k = 0; k < 30000; k++)
            ((float *)x.data)[k] = 0.5f;
        bad += gv_pipeline_apply(p, &x, 5, 0, i, 0, &scratch, &err) < 0;
        double m = 0, s = 0;
        for (int k = 0; k < 30000; k++) {
            double d = (double)((float *)x.data)[k] - 0.5;
            m += d;
            s += d * d;
        }
        double deviation = sqrt(s / size);
        least = deviation < least ? deviation : least;
        most = deviation > most ? deviation : most;
        sum += m;
        squares += s;
    }
    /* The mean square of a deviation uniform in 0.01 … 0.04 is 7e-4; its own deviation over 200 samples is 3.1e-5. */
    ok(!bad && fabs(sum / (200 * size)) < 5e-5 && fabs(squares / (200 * size) - 7e-4) < 1e-4, "gauss_noise: mean %.2g, mean square %.3g", sum / (200 * size), squares / (200 * size));
    ok(least > 0.0098 && least < 0.012 && most < 0.0404 && most > 0.038, "its deviations go from %.4f to %.4f", least, most);

    /* A stack of two images: one noise, and a contrast about each image's own mean. */
    gv_arena_reset(&scratch);
    bad = gv_sample_init(&x, GV_U8, 4, (int64_t[]){ 2, 5, 7, 3 }, &scratch, &err) < 0;
    memset(x.data, 100, gv_sample_bytes(&x));
    bad += !p || gv_pipeline_apply(p, &x, 5, 0, 1, 0, &scratch, &err) < 0;
    ok(!bad && !memcmp(x.data, (char *)x.data + 105, 105), "the images of a stack share their noise");
    memset(x.data, 40, 105);
    memset((char *)x.data + 105, 80, 105);
    ok(gv_opencv_contrast(&x, 0.5, &err) == GV_OK && ((uint8_t *)x.data)[0] == 40 && ((uint8_t *)x.data)[105] == 80, "contrast is about each image's own mean");

    q = (gv_policy_request){ .dataset = "x", .train = true, .policy = "default_2d_4" };
    says(&q, "default_2d_4: image_size 224, interpolation linear, scale_min 0.7, scale_max 1, ratio_min 0.8, ratio_max 1.25, hflip 0.5, vflip 0.5, rotate 0.5, rotate_limit 90, "
             "color_jitter 0.6, brightness 0.2, contrast 0.2, saturation 0.2, hue 0.03, blur 0.15, blur_min 3, blur_max 5, noise 0.15, noise_min 0.01, noise_max 0.04" STATS);
    p = resolve(&q);
    uint32_t first = 0, last = 0;
    int kinds = 0;
    for (int64_t i = 0; i < 40 && p; i++) {
        gv_sample y;
        gv_region g;
        gv_arena_reset(&scratch);
        if (picture(&x, 300, 400, 3, &scratch, &err) < 0 || gv_sample_copy(&x, &y, &scratch, &err) < 0)
            break;
        int cut = gv_pipeline_crop(p, 300, 400, 7, 2, i, 0, &g);
        bad += cut && gv_sample_crop(&y, &g, &scratch, &err) < 0;
        bad += gv_pipeline_apply(p, &x, 7, 2, i, 0, &scratch, &err) < 0 || gv_pipeline_apply_cropped(p, cut ? (int64_t[]){ 300, 400 } : NULL, &y, 7, 2, i, 0, &scratch, &err) < 0 ||
               digest(&x) != digest(&y) || x.shape[0] != 224 || x.shape[1] != 224;
        kinds += !i || (digest(&x) != last && digest(&x) != first);
        last = digest(&x);
        first = i ? first : last;
    }
    ok(!bad && kinds == 40, "default_2d_4: 40 samples, all different, the same whether the part is cut before or after decoding (%d wrong)", bad);
}

static void cutout(void)
{
    gv_policy_request q = { .dataset = "cifar10", .train = true, .policy = "baseline_cutout", .native_size = 32, .cutout_size = 10,
                            .kwargs = { 2, (const char *[]){ "padding", "hflip" }, (const char *[]){ "0", "0" } } };
    gv_pipeline *p = resolve(&q);
    int most = 0, least = 1024, bad = 0;
    for (int64_t i = 0; i < 300 && p; i++) {
        gv_sample x;
        gv_arena_reset(&scratch);
        if (gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 32, 32, 3 }, &scratch, &err) < 0)
            break;
        memset(x.data, 7, 3072);
        bad += gv_pipeline_apply(p, &x, 5, 0, i, 0, &scratch, &err) < 0;
        int painted = 0;
        for (int k = 0; k < 1024; k++) {
            const uint8_t *v = (uint8_t *)x.data + 3 * k;
            bad += v[0] != 7 && (v[0] != 125 || v[1] != 122 || v[2] != 113);
            painted += v[0] == 125;
        }
        most = painted > most ? painted : most;
        least = painted < least ? painted : least;
    }
    ok(!bad && most == 100 && least >= 25 && least < 60, "cutout paints 10 x 10 pixels, fewer at the edge (%d to %d)", least, most);
}

struct crop_of { const gv_pipeline *p; int64_t index; };

static int crop(void *arg, int64_t h, int64_t w, gv_region *g)
{
    const struct crop_of *c = arg;
    return gv_pipeline_crop(c->p, h, w, 4, 1, c->index, 0, g);
}

static void decoding(void)
{
    static const gv_policy_step steps[] = { { "random_crop", "size=$crop_size" }, { "hflip", "p=0.5" }, { "rotate", "p=0.5" }, { NULL, NULL } };
    static const gv_policy own[] = { { .name = "crop_first", .summary = "own", .keys = "crop_size=40", .steps = steps }, { .name = NULL } };
    gv_policy_request q = { .dataset = "mine", .own = own, .policy = "crop_first" };
    gv_pipeline *p = resolve(&q);
    int same = 0, cropped = 0;
    for (int64_t i = 0; i < 50 && p; i++) {
        gv_sample x, y;
        gv_decode_info info;
        struct crop_of c = { p, i };
        gv_decode_options o = { .crop = crop, .crop_arg = &c, .info = &info };
        gv_arena_reset(&scratch);
        if (gv_decode_file("tests/fixtures/images/rgb420.jpg", &x, &scratch, NULL, &err) < 0 || gv_decode_file("tests/fixtures/images/rgb420.jpg", &y, &scratch, &o, &err) < 0)
            break;
        int64_t full[2] = { info.full_h, info.full_w };
        cropped += info.cropped && y.shape[0] == 40;
        same += gv_pipeline_apply(p, &x, 4, 1, i, 0, &scratch, &err) == GV_OK && gv_pipeline_apply_cropped(p, full, &y, 4, 1, i, 0, &scratch, &err) == GV_OK && digest(&x) == digest(&y);
    }
    ok(same == 50 && cropped == 50, "cropping while decoding gives the bytes of decoding all (%d, %d of 50)", same, cropped);
    q = (gv_policy_request){ .dataset = "cifar10", .train = true, .policy = "baseline", .native_size = 32 };
    p = resolve(&q);
    int outside = 0;
    gv_region g;
    for (int64_t i = 0; i < 100 && p; i++)
        outside += !gv_pipeline_crop(p, 32, 32, 1, 0, i, 0, &g);
    ok(outside == 100, "a crop of the image's own size is never made while decoding");
    gv_sample x;
    q = (gv_policy_request){ .dataset = "x", .policy = "default_2d_1" };
    p = resolve(&q);
    gv_arena_reset(&scratch);
    ok(p && picture(&x, 30, 30, 3, &scratch, &err) == GV_OK && gv_pipeline_apply_cropped(p, (int64_t[]){ 60, 60 }, &x, 1, 0, 0, 0, &scratch, &err) == GV_EDATA &&
       strstr(err.text, "does not begin with a crop"), "%s", err.text);
}

static void units(void)
{
    int n = 0, bad = 0;
    for (const gv_augment *const *a = gv_augments(); *a; a++, n++) {
        bad += gv_augment_find((*a)->name) != *a || !(*a)->summary || (!(*a)->apply && !(*a)->crop && !(*a)->choose) || !(*a)->params_size;
        for (const gv_field *f = (*a)->fields; f->type != GV_TYPE_END; f++)
            bad += !f->help || f->offset >= (*a)->params_size;
    }
    ok(n >= 9 && !bad, "%d units are whole", n);
    const char **names;
    gv_policy_request q = { .dataset = "cifar10" };
    gv_arena_reset(&run);
    int64_t k = gv_policy_names(&q, &names, &run, &err);
    ok(k == 8 && !strcmp(names[3], "randaugment"), "cifar10 has its own policies first, %" PRId64 " in all", k);
}

int main(void)
{
    if (gv_arena_init(&run, "run", 1 << 20, &err) < 0 || gv_arena_init(&scratch, "scratch", 64 << 20, &err) < 0)
        return 1;
    units();
    resolution();
    golden();
    draws();
    chances();
    random_resized_crop();
    level_4();
    cutout();
    decoding();
    gv_arena_release(&run);
    gv_arena_release(&scratch);
    return done();
}
