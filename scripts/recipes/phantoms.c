/* phantoms DIR N SEED: N scans of one body each, as NIfTI below DIR/images, with DIR/labels.json, splits.json and dataset.json.
 *
 * The body is a sphere, or a prolate ellipsoid with half-axes of 1 : 1 : 3, turned anyhow, of the same volume (radius 7 to 10 mm),
 * brighter than what lies around it; both in Gaussian noise, contrast to noise 3. The field of view is 48 mm a side; the scanner's
 * voxels are 2 x 2 x 2, 1 x 1 x 3, 1.5 x 1.5 x 4 or 3 x 1.5 x 1.5 mm, and its axes run left or right, so that a sphere looks like
 * an ellipsoid in every array that is not taken with its spacing. A voxel holds the mean over 2 x 2 x 2 places in it. Values are
 * int16 with a slope and an intercept, as scanners write them. The same SEED gives the same files. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t state;

static double uniform(void) /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double normal(void)
{
    return sqrt(-2 * log(1 - uniform())) * cos(2 * acos(-1) * uniform());
}

struct body { double centre[3], axis[3], r, stretch; }; /* mm; half-axes r, r, r * stretch along axis */

static struct body draw_body(int ellipsoid)
{
    struct body b = { .stretch = ellipsoid ? 3 : 1 };
    double n = 0, volume = 7 + 3 * uniform();
    for (int i = 0; i < 3; i++) {
        b.centre[i] = 24 + 6 * (uniform() - 0.5);
        b.axis[i] = normal();
        n += b.axis[i] * b.axis[i];
    }
    for (int i = 0; i < 3; i++)
        b.axis[i] /= sqrt(n);
    b.r = volume / cbrt(b.stretch); /* the same volume */
    return b;
}

static int inside(const struct body *b, const double p[3])
{
    double along = 0, all = 0;
    for (int i = 0; i < 3; i++) {
        double d = p[i] - b->centre[i];
        along += d * b->axis[i];
        all += d * d;
    }
    return (all - along * along) + along * along / (b->stretch * b->stretch) < b->r * b->r;
}

static void put(uint8_t *h, size_t at, const void *v, size_t n)
{
    memcpy(h + at, v, n);
}

/* The 348 bytes of NIfTI-1 and 4 of no extension. */
static void header(uint8_t h[352], const int n[3], const float side[3], int left)
{
    int32_t size = 348;
    int16_t dim[8] = { 3, (int16_t)n[0], (int16_t)n[1], (int16_t)n[2], 1, 1, 1, 1 }, type[2] = { 4, 16 }, sform = 1;
    float pix[8] = { 1, side[0], side[1], side[2], 0, 0, 0, 0 }, scale[3] = { 352, 0.01f, -20 };
    float x0 = side[0] / 2 - 24; /* the centre of the first voxel */
    float rows[12] = { left ? -side[0] : side[0], 0, 0, left ? -x0 : x0, 0, side[1], 0, side[1] / 2 - 24, 0, 0, side[2], side[2] / 2 - 24 };
    memset(h, 0, 352);
    put(h, 0, &size, 4);
    put(h, 40, dim, 16);
    put(h, 70, type, 4);
    put(h, 76, pix, 32);
    put(h, 108, scale, 12);
    h[123] = 2; /* mm */
    put(h, 254, &sform, 2);
    put(h, 280, rows, 48);
    put(h, 344, "n+1", 4);
}

static int write_scan(const char *path, int ellipsoid)
{
    static const float sides[4][3] = { { 2, 2, 2 }, { 1, 1, 3 }, { 1.5f, 1.5f, 4 }, { 3, 1.5f, 1.5f } };
    const float *side = sides[(int)(4 * uniform())];
    int n[3], left = uniform() < 0.5;
    uint8_t h[352];
    struct body b = draw_body(ellipsoid);
    FILE *f = fopen(path, "wb");
    for (int i = 0; i < 3; i++)
        n[i] = (int)lrint(48 / side[i]);
    header(h, n, side, left);
    if (!f || fwrite(h, 352, 1, f) != 1)
        return -1;
    for (int z = 0; z < n[2]; z++)
        for (int y = 0; y < n[1]; y++)
            for (int x = 0; x < n[0]; x++) {
                int hits = 0;
                for (int k = 0; k < 8; k++) {
                    double p[3] = { (x + 0.25 + 0.5 * (k & 1)) * (double)side[0], (y + 0.25 + 0.5 * (k >> 1 & 1)) * (double)side[1], (z + 0.25 + 0.5 * (k >> 2)) * (double)side[2] };
                    p[0] = left ? 48 - p[0] : p[0];
                    hits += inside(&b, p);
                }
                int16_t v = (int16_t)lrint((100 + 30 * hits / 8.0 + 10 * normal() + 20) * 100); /* stored * 0.01 - 20 */
                if (fwrite(&v, 2, 1, f) != 1)
                    return -1;
            }
    return fclose(f);
}

int main(int argc, char **argv)
{
    int many = argc == 4 ? atoi(argv[2]) : 0;
    char path[4096];
    if (many < 8) {
        fprintf(stderr, "usage: phantoms DIR N SEED, N at least 8\n");
        return 2;
    }
    state = strtoull(argv[3], NULL, 10);
    snprintf(path, sizeof path, "%s/images", argv[1]);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/labels.json", argv[1]);
    FILE *labels = fopen(path, "w");
    snprintf(path, sizeof path, "%s/dataset.json", argv[1]);
    FILE *facts = fopen(path, "w");
    if (!labels || !facts)
        return perror(argv[1]), 4;
    fprintf(facts, "{\"class_names\": [\"sphere\", \"ellipsoid\"]}\n");
    for (int i = 0; i < many; i++) {
        snprintf(path, sizeof path, "%s/images/scan%04d.nii", argv[1], i);
        if (write_scan(path, i % 2) < 0)
            return perror(path), 4;
        fprintf(labels, "%s\"scan%04d\": %d", i ? ", " : "{", i, i % 2);
    }
    fprintf(labels, "}\n");
    snprintf(path, sizeof path, "%s/splits.json", argv[1]); /* last: its presence says that all is there */
    FILE *splits = fopen(path, "w");
    for (int s = 0, at = 0; splits && s < 3; s++) {
        static const char *const names[] = { "train", "val", "test" };
        int end = s == 0 ? many * 2 / 3 : s == 1 ? many * 5 / 6 : many;
        fprintf(splits, "%s\"%s\": [", s ? ", " : "{", names[s]);
        for (int first = at; at < end; at++)
            fprintf(splits, "%s\"scan%04d\"", at > first ? ", " : "", at);
        fprintf(splits, "]");
    }
    if (fclose(labels) || fclose(facts) || !splits || fprintf(splits, "}\n") < 0 || fclose(splits))
        return perror(argv[1]), 4;
    return 0;
}
