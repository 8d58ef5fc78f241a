/* bags: Fashion-MNIST as a task on bags. A bag is a handful of garments drawn without replacement; it is positive if one of them is an ankle
 * boot (class 9). The features of an instance are its pixels, 2 x 2 averaged to 14 x 14, in 0 to 1: no pretrained network has seen them.
 * Coordinates: the row of the picture in its file, and its class.
 *
 *   bags IMAGES LABELS OUT.h5 COUNT SEED        IMAGES, LABELS: IDX files, not compressed; bags of 5 to 20 instances, half of them positive
 */
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, D = 196, LEAST = 5, MOST = 20, BOOT = 9 };

static uint64_t state;

static uint32_t below(uint32_t n) /* splitmix64 */
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

static unsigned char *idx(const char *path, size_t header, size_t row, uint32_t *n)
{
    unsigned char h[16];
    FILE *f = fopen(path, "rb");
    if (!f || fread(h, 1, header, f) != header) {
        fprintf(stderr, "bags: cannot read '%s'\n", path);
        exit(2);
    }
    *n = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    unsigned char *v = *n <= 70000 ? malloc(*n * row) : NULL;
    if (!v || fread(v, row, *n, f) != *n) {
        fprintf(stderr, "bags: '%s' is no IDX file of %zu bytes a row\n", path, row);
        exit(2);
    }
    fclose(f);
    return v;
}

static void put(hid_t file, const char *name, hid_t type, hid_t native, int ndim, const hsize_t *shape, const void *data)
{
    hid_t space = H5Screate_simple(ndim, shape, NULL), plain = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(plain, 0); /* the same bytes at any time */
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plain, H5P_DEFAULT);
    if (set < 0 || H5Dwrite(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        fprintf(stderr, "bags: cannot write '%s'\n", name);
        exit(4);
    }
    H5Dclose(set);
    H5Pclose(plain);
    H5Sclose(space);
}

static void shrink(const unsigned char *p, float *to)
{
    for (int y = 0; y < SIDE; y += 2)
        for (int x = 0; x < SIDE; x += 2)
            *to++ = (float)(p[y * SIDE + x] + p[y * SIDE + x + 1] + p[(y + 1) * SIDE + x] + p[(y + 1) * SIDE + x + 1]) / 1020;
}

int main(int argc, char **argv)
{
    uint32_t n, labels;
    long count = argc == 6 ? strtol(argv[4], NULL, 10) : 0;
    if (count < 1 || count > 100000) {
        fprintf(stderr, "usage: bags IMAGES LABELS OUT.h5 COUNT SEED\n");
        return 2;
    }
    state = strtoull(argv[5], NULL, 10);
    unsigned char *image = idx(argv[1], 16, SIDE * SIDE, &n), *label = idx(argv[2], 8, 1, &labels);
    float *x = malloc((size_t)count * MOST * D * sizeof *x);
    int64_t *ptr = calloc((size_t)count + 1, sizeof *ptr), *y = malloc((size_t)count * sizeof *y), *at = malloc((size_t)count * MOST * 2 * sizeof *at);
    if (!x || !ptr || !y || !at || n != labels)
        return 4;
    for (long b = 0; b < count; b++) {
        int64_t size = LEAST + below(MOST - LEAST + 1), witness = below((uint32_t)size), from = ptr[b];
        y[b] = b & 1;
        for (int64_t i = 0; i < size; i++) {
            uint32_t k;
            int again;
            do { /* one boot for certain in a positive bag, and none in a negative one */
                k = below(n);
                again = y[b] ? i == witness && label[k] != BOOT : label[k] == BOOT;
                for (int64_t j = 0; j < i; j++)
                    again |= at[2 * (from + j)] == k;
            } while (again);
            shrink(image + (size_t)k * SIDE * SIDE, x + (from + i) * D);
            at[2 * (from + i)] = k;
            at[2 * (from + i) + 1] = label[k];
        }
        ptr[b + 1] = from + size;
    }
    hid_t file = H5Fcreate(argv[3], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t all = (hsize_t)ptr[count];
    put(file, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){ all, D }, x);
    put(file, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, 2, (hsize_t[]){ all, 2 }, at);
    put(file, "bag_ptr", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (hsize_t[]){ (hsize_t)count + 1 }, ptr);
    put(file, "labels", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (hsize_t[]){ (hsize_t)count }, y);
    return H5Fclose(file) < 0 ? 4 : 0;
}
