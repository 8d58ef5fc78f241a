/* volume_files: values, spacing and affine as nibabel, NumPy, Pillow, h5py and blosc2 give them; lies, cuts and damage refused. */
#include "formats/scan.h"
#include "common/rng.h"
#include "tests/unit/picture.h"
#include "tests/unit/tap.h"
#include <inttypes.h>
#include <math.h>

#define VOLUMES "tests/fixtures/volumes/"

static gv_arena arena;
static gv_err err;

static int load(const char *name, gv_bytes *b)
{
    char path[128];
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    snprintf(path, sizeof path, VOLUMES "%s", name);
    return gv_bytes_load(path, b, 0, &arena, &err);
}

static bool b2nd_built(void)
{
    gv_bytes b;
    gv_scan v;
    return load("case.b2nd", &b) == GV_OK && (gv_scan_decode(b, NULL, &v, &arena, &err) == GV_OK || !strstr(err.text, "c-blosc2"));
}

/* ---- golden ---- */

static void golden_line(char *text, bool b2nd)
{
    char name[64], type[16];
    long shape[4];
    unsigned long want;
    double n[15];
    int placed, at = 0, bad = 0;
    if (sscanf(text, "%63s %15s %ld %ld %ld %ld %lu %d%n", name, type, &shape[0], &shape[1], &shape[2], &shape[3], &want, &placed, &at) != 8) {
        ok(0, "golden line is read: %s", text);
        return;
    }
    char *p = text + at;
    for (int i = 0; i < 15; i++)
        n[i] = strtod(p, &p);
    bool ras = strstr(p, "ras") != NULL;
    gv_bytes b;
    gv_scan v;
    if (!b2nd && strstr(name, ".b2nd")) {
        ok(1, "%s # SKIP built without c-blosc2", name);
        return;
    }
    int r = load(name, &b);
    if (r == GV_OK)
        r = gv_scan_decode(b, &(gv_scan_options){ .ras = ras }, &v, &arena, &err);
    ok(r == GV_OK && v.x.ndim == 4 && v.x.shape[0] == shape[0] && v.x.shape[1] == shape[1] && v.x.shape[2] == shape[2] && v.x.shape[3] == shape[3] &&
       !strcmp(gv_dtype_of(v.x.dtype)->name, type) && digest(&v.x) == want, "%s%s has nibabel's values%s%s", name, ras ? " turned" : "", r < 0 ? ": " : "", r < 0 ? err.text : "");
    for (int i = 0; r == GV_OK && i < 15; i++) { /* both sides compute in double from the header's numbers: a few roundings */
        double have = i < 3 ? v.spacing[i] : v.affine[(i - 3) / 4][(i - 3) % 4];
        bad += !(fabs(have - n[i]) <= 1e-12 * (1 + fabs(n[i])));
        if (bad == 1)
            printf("# number %d is %.17g, not %.17g\n", i, have, n[i]);
    }
    ok(r == GV_OK && !bad && v.placed == placed, "and its spacing and affine");
}

static void golden(bool b2nd)
{
    char text[1024];
    FILE *f = fopen("tests/golden/volume_files.txt", "r");
    ok(f != NULL, "golden values are there");
    while (f && fgets(text, sizeof text, f))
        golden_line(text, b2nd);
    if (f)
        fclose(f);
}

/* ---- options ---- */

static void dataset(const char *name, const char *part)
{
    gv_bytes b;
    gv_scan v;
    gv_scan_options o = { .dataset = name };
    int r = load("two.h5", &b) == GV_OK ? gv_scan_decode(b, &o, &v, &arena, &err) : GV_ESYS;
    ok(part ? r == GV_EDATA && strstr(err.text, part) : r == GV_OK, "HDF5 data set %s: %s", name ? name : "of its own", r < 0 ? err.text : "read");
}

static void refuse(const char *name, const gv_scan_options *o, const char *part)
{
    gv_bytes b;
    gv_scan v;
    int r = load(name, &b) == GV_OK ? gv_scan_decode(b, o, &v, &arena, &err) : GV_ESYS;
    ok(r == GV_EDATA && strstr(err.text, part), "%s: %s", name, err.text);
}

static void options(void)
{
    dataset("a", NULL);
    dataset("g/b", NULL);
    dataset("c", "no data set 'c'");
    dataset("flat", "2 axes");
    dataset("out", "link");
    dataset(NULL, "2 data sets of 3 or 4 axes, 'a' and 'b'");
    refuse("dhw.npy", &(gv_scan_options){ .ras = true }, "does not say how they lie");
    refuse("i4_le.nii", &(gv_scan_options){ .max_output = 200 }, "at most");
    refuse("members.nii.gz", &(gv_scan_options){ .max_input = 300 }, "300");
    refuse("pages.tif", &(gv_scan_options){ .max_output = 100 }, "at most");
    gv_bytes b;
    gv_sample x;
    refuse("one.h5", &(gv_scan_options){ .ras = true }, "does not say how they lie");
    ok(load("u1_le.nii", &b) == GV_OK && gv_decode_bytes(b, &x, &arena, NULL, &err) == GV_EDATA && strstr(err.text, "generic_3d_dataset"), "as an image: %s", err.text);
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    ok(gv_bytes_load("tests/fixtures/images/rgb.png", &b, 0, &arena, &err) == GV_OK && gv_scan_decode(b, NULL, &(gv_scan){ 0 }, &arena, &err) == GV_EDATA && strstr(err.text, "holds an image"), "%s", err.text);
    ok(gv_format_suffix("a/b.nii.gz") && gv_format_suffix("X.NII") && !gv_format_suffix("a.gz"), "suffixes of two dots");
}

/* ---- lies: a header is changed; the answer comes before the memory does ---- */

static void lies(void)
{
    static const struct { const char *name; size_t at; const char *bytes; size_t n; const char *part; } cases[] = {
        { "i2_le.nii", 42, "\xff\x7f\xff\x7f\xff\x7f", 6, "at most" }, { "i2_le.nii", 42, "\0\0", 2, "dimension of 0" }, { "i2_le.nii", 42, "\xff\xff", 2, "dimension of -1" },
        { "i2_le.nii", 40, "\x08\0", 2, "8 dimensions" }, { "i2_le.nii", 40, "\0\0", 2, "0 dimensions" }, { "i2_le.nii", 42, "\x40\0", 2, "header claims" },
        { "i2_le.nii", 72, "\x20\0", 2, "header says 32" }, { "i2_le.nii", 70, "\x20\0", 2, "complex" }, { "i2_le.nii", 70, "\x07\0", 2, "does not exist" },
        { "i2_le.nii", 108, "\0\0\0\0", 4, "begin at byte 0" }, { "i2_le.nii", 108, "\0\0\x7a\x47", 4, "begin at byte 64000" }, { "i2_le.nii", 108, "\0\0\xc0\x7f", 4, "begin at byte nan" },
        { "i2_le.nii", 344, "ni1", 3, ".img" }, { "i2_le.nii", 280, "\0\0\xc0\x7f", 4, "affine" }, { "scaled_be.nii", 116, "\x7f\xc0\0\0", 4, "no number" },
        { "dims5.nii", 40, "\7\0\xff\x7f\1\0\1\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f", 16, "volumes" },
        { "two_i2_le.nii", 24, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, "side of" }, { "two_i2_le.nii", 168, "\0\0\0\0\0\0\0\x80", 8, "begin at byte" },
        { "two_i2_le.nii", 24, "\0\xe0\0\0\0\0\0\0\0\xe0\0\0\0\0\0\0\0\xe0\0\0\0\0\0\0", 24, "at most" },
        { "qform.nii", 256, "\0\0\x80\x3f\0\0\x80\x3f", 8, "quaternion" }, { "swapped.nii", 280, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, "no inverse" },
    };
    for (size_t i = 0; i < GV_COUNT(cases); i++) {
        gv_bytes b;
        gv_scan v;
        int r = load(cases[i].name, &b);
        size_t before = arena.used;
        if (r == GV_OK) {
            memcpy((uint8_t *)(uintptr_t)b.p + cases[i].at, cases[i].bytes, cases[i].n);
            r = gv_scan_decode(b, &(gv_scan_options){ .max_output = 64 << 20, .ras = !strcmp(cases[i].name, "swapped.nii") }, &v, &arena, &err);
        }
        ok(r == GV_EDATA && strstr(err.text, cases[i].part) && arena.used - before < 4096, "%s: %s", cases[i].name, err.text);
    }
}

/* ---- cuts and damage ---- */

static const char *const whole[] = { "i2_le.nii", "u8_be.nii", "two_f4_le.nii", "scaled_i2.nii.gz", "members.nii.gz", "time_scaled.nii.gz", "dhwc.npy", "fortran.npy", "pages.tif", "pages16.tif", "imagej.tif" };

static void cut(void)
{
    for (size_t i = 0; i < GV_COUNT(whole); i++) {
        gv_bytes b;
        int flagged = 0, tried = 0;
        if (load(whole[i], &b) < 0) {
            ok(0, "%s", err.text);
            continue;
        }
        size_t end = b.n - (!strcmp(whole[i], "members.nii.gz") ? 38 : strstr(whole[i], ".tif") ? 12 : 1); /* padding may go */
        for (; tried < 150; tried++) {
            size_t mark = arena.used, n = end * (size_t)tried / 149;
            gv_scan v;
            gv_err e = { 0 };
            uint8_t *p = gv_arena_alloc(&arena, n + 64, &err);
            if (!p)
                break;
            memcpy(p, b.p, n);
            int r = gv_scan_decode((gv_bytes){ p, n }, NULL, &v, &arena, &e);
            flagged += r == GV_EDATA && e.text[0];
            if (r == GV_OK)
                printf("# %s cut after %zu of %zu bytes was accepted\n", whole[i], n, b.n);
            gv_arena_rewind(&arena, mark);
        }
        ok(flagged == tried && tried == 150, "%s: %d of %d cuts are refused", whole[i], flagged, tried);
    }
}

/* Bytes changed at random: any answer but a crash. Not HDF5 and b2nd, whose libraries fall over such files; decode is a process of its own. */
static void damage(void)
{
    gv_rng rng;
    int answers = 0, tried = 0;
    gv_rng_init(&rng, 13, GV_RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < GV_COUNT(whole); i++)
        for (int k = 0; k < 80; k++, tried++) {
            gv_bytes b;
            gv_scan v = { 0 };
            if (load(whole[i], &b) < 0)
                continue;
            for (uint64_t m = 0, n = 1 + gv_rng_below(&rng, 6); m < n; m++)
                ((uint8_t *)(uintptr_t)b.p)[gv_rng_below(&rng, k % 2 && b.n > 420 ? 420 : b.n)] = (uint8_t)gv_rng_u32(&rng);
            int r = gv_scan_decode(b, &(gv_scan_options){ .max_output = 8 << 20, .ras = k % 3 == 0 }, &v, &arena, &err);
            answers += r == GV_OK ? v.x.data != NULL : err.code == r && err.text[0];
        }
    ok(answers == tried, "%d of %d damaged files are answered", answers, tried);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 1ull << 30, &err) < 0)
        return 1;
    golden(b2nd_built());
    options();
    lies();
    cut();
    damage();
    gv_arena_release(&arena);
    return done();
}
