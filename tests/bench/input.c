/*
 * input: JPEG to the bytes of a batch on one core, in this process: header, leading crop, decoding of what it needs, the policy, the copy.
 *
 *   build/gcc/tests/bench/input [FILE.jpg …] [--policy baseline|randaugment_448|…] [--size S]        (64 made-up images, both, 224)
 *
 * Policies are those of imagenet. Without files, 64 images of 500 x 375 are made: smooth shapes with fine noise, quality 90, in no way photographs;
 * they cost what noise costs. JSON lines (bench.h): "input/POLICY" and its parts "decode", "augment", in img/s of processor time.
 */
#include "augment/augment.h"
#include "formats/format.h"
#include "tests/bench/bench.h"
#include <jpeglib.h>
#include <math.h>
#include <string.h>

enum { MADE = 64, H = 375, W = 500, MOST_FILES = 4096 };
static const double SECONDS = 1.5;

static gv_bytes file[MOST_FILES];
static int files;

static int make(gv_bytes *b, uint32_t seed, gv_arena *arena, gv_err *err)
{
    static uint8_t row[W * 3];
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *out = NULL;
    unsigned long size = 0;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &size);
    c.image_width = W, c.image_height = H, c.input_components = 3, c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 90, TRUE);
    jpeg_start_compress(&c, TRUE);
    uint32_t s = seed * 2654435761u + 1;
    for (int y = 0; y < H; y++) {
        for (int i = 0; i < W * 3; i++) {
            s = s * 1664525u + 1013904223u;
            row[i] = (uint8_t)(128 + 70 * sin(0.02 * (i / 3.0 + seed) + i % 3) * cos(0.03 * y + seed) + (double)(s >> 27) - 16);
        }
        JSAMPROW p = row;
        jpeg_write_scanlines(&c, &p, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    uint8_t *p = gv_arena_alloc(arena, size + 64, err);
    if (p)
        memcpy(p, out, size);
    free(out);
    *b = (gv_bytes){ p, size };
    return p ? GV_OK : GV_ESYS;
}

struct drawn { const gv_pipeline *p; int64_t index; };

static int crop(void *arg, int64_t h, int64_t w, gv_region *region)
{
    const struct drawn *d = arg;
    return gv_pipeline_crop(d->p, h, w, 1, 0, d->index, 0, region);
}

static int policy(const char *name, int64_t size, gv_arena *run, gv_arena *scratch, gv_err *err)
{
    gv_pipeline *p;
    gv_policy_request q = { .dataset = "imagenet", .train = true, .policy = name, .image_size = size, .channels = 3 };
    int r = gv_policy_resolve(&q, &p, run, err);
    uint8_t *batch = r == GV_OK ? gv_arena_alloc(run, (size_t)(32 * size * size * 3), err) : NULL;
    if (!batch)
        return err->code;
    double decode = 0, augment = 0, start = bench_cpu();
    int64_t n = 0;
    while (bench_cpu() - start < SECONDS || n < files) {
        gv_sample x;
        gv_decode_info info = { 0 };
        struct drawn d = { p, n };
        gv_decode_options o = { .channels = 3, .crop = crop, .crop_arg = &d, .info = &info };
        gv_arena_reset(scratch);
        double t = bench_cpu();
        r = gv_decode_bytes(file[n % files], &x, scratch, &o, err);
        double u = bench_cpu();
        const int64_t full[2] = { info.full_h, info.full_w };
        if (r == GV_OK)
            r = gv_pipeline_apply_cropped(p, info.cropped ? full : NULL, &x, 1, 0, n, 0, scratch, err);
        if (r == GV_OK && (x.dtype != GV_U8 || gv_sample_bytes(&x) != (size_t)(size * size * 3)))
            r = gv_fail(err, GV_EINTERNAL, "policy '%s' gave another shape than %d x %d x 3", name, (int)size, (int)size);
        if (r < 0)
            return r;
        memcpy(batch + n % 32 * size * size * 3, x.data, gv_sample_bytes(&x));
        augment += bench_cpu() - u;
        decode += u - t;
        n++;
    }
    char line[100];
    const struct { const char *what; double seconds; } parts[] = { { "", decode + augment }, { "/decode", decode }, { "/augment", augment } };
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "input/%s%s", name, parts[i].what);
        bench_line(line, (double)n / parts[i].seconds, "img/s", NAN, NULL);
    }
    return GV_OK;
}

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    gv_arena run = { 0 }, scratch = { 0 };
    const char *name = NULL;
    int64_t size = 224;
    int r = gv_arena_init(&run, "run", (size_t)4 << 30, &err);
    if (r == GV_OK)
        r = gv_arena_init(&scratch, "scratch", (size_t)1 << 30, &err);
    for (int i = 1; i < argc && r == GV_OK; i++) {
        if (!strcmp(argv[i], "--policy") && i + 1 < argc)
            name = argv[++i];
        else if (!strcmp(argv[i], "--size") && i + 1 < argc)
            size = strtoll(argv[++i], NULL, 10);
        else if (files < MOST_FILES)
            r = gv_bytes_load(argv[i], &file[files++], 0, &run, &err);
    }
    if (size < 1 || size > 4096)
        r = gv_fail(&err, GV_EUSAGE, "'--size' is out of range");
    for (; files < MADE && argc < 2 && r == GV_OK; files++)
        r = make(&file[files], (uint32_t)files, &run, &err);
    if (r == GV_OK && !files)
        for (; files < MADE && r == GV_OK; files++)
            r = make(&file[files], (uint32_t)files, &run, &err);
    if (r == GV_OK)
        r = policy(name ? name : "baseline", size, &run, &scratch, &err);
    if (r == GV_OK && !name)
        r = policy("randaugment_448", size, &run, &scratch, &err);
    if (r < 0)
        fprintf(stderr, "input: error: %s\n", err.text);
    gv_arena_release(&scratch);
    gv_arena_release(&run);
    return r < 0;
}
