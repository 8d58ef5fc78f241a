/* gratings: videos of drifting gratings, a folder of BMP frames each. What is to be told lies in time alone: a single frame of a grating that
 * drifts to the left is one of a grating that drifts to the right.
 *
 *   gratings DIR COUNT SEED            DIR/videos/{train,val}/{left,right,up,down}/NNNN/FF.bmp: 12 frames of 32 x 32
 *   gratings DIR COUNT SEED starts     DIR/videos/NNNN/FF.bmp: 24 frames of a grating that starts to drift and stops again;
 *                                      DIR/labels.csv (path,frame,label: still or drifting), DIR/splits.json
 *
 * Luminance 128 + A sin(2 pi (x / period - phase)), period 7 to 12 pixels, phase moving by 0.1 to 0.2 a frame, A 40 to 100, Gaussian noise of
 * deviation 12. Of a grating that starts, frame t is drifting if it differs in phase from frame t - 1. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32 };

static uint64_t state;

static double uniform(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(4);
    }
    return f;
}

static void make(const char *path)
{
    if (mkdir(path, 0777) < 0) {
        struct stat st;
        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
            perror(path);
            exit(4);
        }
    }
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Grey as a BMP of 24 bits, rows from below. */
static void frame(const char *path, double period, double phase, double a, int vertical)
{
    uint8_t head[54] = "BM", px[SIDE * SIDE * 3];
    put32(head + 2, sizeof head + sizeof px);
    put32(head + 10, sizeof head);
    put32(head + 14, 40);
    put32(head + 18, SIDE);
    put32(head + 22, SIDE);
    head[26] = 1;
    head[28] = 24;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double at = vertical ? SIDE - 1 - y : x, v = 128 + a * sin(6.283185307179586 * (at / period - phase)) + 12 * normal();
            memset(px + (y * SIDE + x) * 3, v < 0 ? 0 : v > 255 ? 255 : (int)v, 3);
        }
    FILE *f = create(path);
    if (fwrite(head, 1, sizeof head, f) != sizeof head || fwrite(px, 1, sizeof px, f) != sizeof px || fclose(f) != 0) {
        perror(path);
        exit(4);
    }
}

/* frames pictures in dir; the grating drifts from frame `from` to before frame `to`, by sign. */
static void video(const char *dir, int frames, int from, int to, int sign, int vertical)
{
    char path[4096];
    double period = 7 + 5 * uniform(), speed = 0.1 + 0.1 * uniform(), phase = uniform(), a = 40 + 60 * uniform();
    make(dir);
    for (int t = 0; t < frames; t++) {
        phase += t >= from && t < to ? sign * speed : 0;
        snprintf(path, sizeof path, "%s/%02d.bmp", dir, t);
        frame(path, period, phase, a, vertical);
    }
}

static void directions(const char *root, int count)
{
    static const char *const names[] = { "left", "right", "up", "down" };
    char dir[4000];
    for (int i = 0; i < count; i++) {
        const char *split = i % 4 == 3 ? "val" : "train";
        int c = i / 4 % 4;
        snprintf(dir, sizeof dir, "%s/videos/%s", root, split);
        make(dir);
        snprintf(dir, sizeof dir, "%s/videos/%s/%s", root, split, names[c]);
        make(dir);
        snprintf(dir, sizeof dir, "%s/videos/%s/%s/%04d", root, split, names[c], i);
        video(dir, 12, 0, 12, c % 2 ? 1 : -1, c / 2);
    }
}

static void starts(const char *root, int count)
{
    char path[4000];
    snprintf(path, sizeof path, "%s/labels.csv", root);
    FILE *labels = create(path);
    fprintf(labels, "path,frame,label\n");
    for (int i = 0; i < count; i++) {
        int from = 2 + (int)(12 * uniform()), to = from + 4 + (int)(6 * uniform());
        snprintf(path, sizeof path, "%s/videos/%04d", root, i);
        video(path, 24, from, to, uniform() < 0.5 ? 1 : -1, uniform() < 0.5);
        for (int t = 0; t < 24; t++)
            fprintf(labels, "%04d,%d,%s\n", i, t, t >= from && t < to ? "drifting" : "still");
    }
    if (fclose(labels) != 0)
        exit(4);
    snprintf(path, sizeof path, "%s/splits.json", root);
    FILE *f = create(path);
    for (int s = 0; s < 2; s++) {
        const char *comma = "";
        fprintf(f, "%s\"%s\": [", s ? ", " : "{", s ? "val" : "train");
        for (int i = 0; i < count; i++)
            if ((i % 4 == 3) == s) {
                fprintf(f, "%s\"%04d\"", comma, i);
                comma = ", ";
            }
        fprintf(f, "]");
    }
    fprintf(f, "}\n");
    if (fclose(f) != 0)
        exit(4);
}

int main(int argc, char **argv)
{
    char dir[4000];
    if (argc < 4)
        return 2;
    state = strtoull(argv[3], NULL, 10);
    make(argv[1]);
    snprintf(dir, sizeof dir, "%s/videos", argv[1]);
    make(dir);
    if (argc > 4)
        starts(argv[1], (int)strtol(argv[2], NULL, 10));
    else
        directions(argv[1], (int)strtol(argv[2], NULL, 10));
    return 0;
}
