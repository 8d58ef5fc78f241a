/* fractions and folds. Golden values: scikit-learn's StratifiedShuffleSplit(n_splits=1, train_size=f, random_state=42) and
 * numpy.random.seed(42); numpy.random.choice(n, k, replace=False). */
#include "data/internal.h"
#include "tests/unit/tap.h"
#include <unistd.h>

static gv_arena arena;
static gv_err err;
static char names[4096][16];

static gv_data make(int64_t n, int64_t classes)
{
    gv_data d = { .target = GV_TARGET_CLASS, .num_classes = classes, .split = { { .n = n }, { .n = -1 }, { .n = -1 } } };
    d.split[0].v = gv_arena_alloc(&arena, (size_t)n * sizeof(gv_entry), &err);
    for (int64_t i = 0; i < n; i++)
        d.split[0].v[i].row = i;
    return d;
}

static gv_data small(void)
{
    gv_data d = make(97, 5);
    for (int64_t i = 0; i < 97; i++)
        d.split[0].v[i].label = i % 11 ? (i * i + i / 7) % 5 : 4;
    return d;
}

static int is(const gv_data *d, const int *want, int64_t n)
{
    int good = d->split[0].n == n;
    for (int64_t i = 0; good && i < n; i++)
        good = d->split[0].v[i].row == want[i];
    return good;
}

static void fractions(void)
{
    static const int tenth[] = { 3, 4, 35, 61, 70, 76, 85, 86, 89 };
    static const int third[] = { 0, 5, 7, 9, 10, 14, 15, 19, 21, 24, 29, 30, 32, 35, 36, 37, 39, 44, 46, 48, 49, 51, 52, 62, 63, 69, 72, 74, 79, 83, 87, 94 };
    static const int half[] = { 0, 3, 4, 5, 7, 8, 9, 10, 17, 20, 21, 22, 28, 29, 32, 35, 36, 37, 39, 40, 44, 46, 47, 48, 52, 54, 57, 60, 61, 62, 63, 66, 69, 72, 74, 75, 76, 77, 79, 84, 85, 86, 88, 89, 91, 92, 95, 96 };
    static const int plain[] = { 0, 4, 9, 10, 11, 12, 15, 18, 22, 26, 30, 31, 33, 39, 40, 42, 44, 47, 49, 62, 64, 65, 68, 70, 73, 75, 80, 81, 83, 89, 93, 95 };
    gv_data d = small();
    ok(gv_split_fraction(&d, 0.1, true, &arena, &err) == GV_OK && is(&d, tenth, 9), "a stratified tenth is scikit-learn's");
    d = small();
    ok(gv_split_fraction(&d, 0.33, true, &arena, &err) == GV_OK && is(&d, third, 32), "a stratified third is scikit-learn's");
    d = small();
    ok(gv_split_fraction(&d, 0.5, true, &arena, &err) == GV_OK && is(&d, half, 48), "a stratified half is scikit-learn's");
    d = small();
    ok(gv_split_fraction(&d, 0.33, false, &arena, &err) == GV_OK && is(&d, plain, 32), "a plain third is NumPy's choice");

    d = make(60000, 10);
    int64_t sum = 0, mix = 0;
    for (int64_t i = 0; i < 60000; i++)
        d.split[0].v[i].label = i * 7919 % 10;
    ok(gv_split_fraction(&d, 1.0 / 6, true, &arena, &err) == GV_OK && d.split[0].n == 10000, "a sixth of 60000 is 10000");
    for (int64_t i = 0; i < d.split[0].n; i++) {
        sum += d.split[0].v[i].row;
        mix += i * d.split[0].v[i].row;
    }
    ok(sum == 299196440 && mix % 1000003 == 575657, "and holds scikit-learn's samples");

    d = small();
    ok(gv_split_fraction(&d, 0.03, true, &arena, &err) == GV_EUSAGE && strstr(err.text, "5 classes"), "too few for every class is refused: %s", err.text);
    gv_err_clear(&err);
    d = small();
    ok(gv_split_fraction(&d, 0.005, false, &arena, &err) == GV_EUSAGE, "no sample at all is refused: %s", err.text);
    gv_err_clear(&err);
}

static void folds(void)
{
    enum { N = 997, K = 5 };
    gv_data d = make(N, 3);
    int64_t count[K][3] = { 0 }, size[K] = { 0 };
    for (int64_t i = 0; i < N; i++)
        d.split[0].v[i].label = i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2;
    d.pool = d.split[0];
    ok(gv_folds_draw(&d, K, true, &arena, &err) == GV_OK && d.nfolds == K, "five folds of 997");
    for (int64_t i = 0; i < N; i++)
        count[d.fold_of[i]][d.pool.v[i].label]++;
    int even = 1;
    for (int f = 1; f < K; f++)
        for (int c = 0; c < 3; c++)
            even &= count[f][c] - count[0][c] <= 1 && count[0][c] - count[f][c] <= 1;
    ok(even, "each class is spread evenly, to one sample");
    ok(gv_folds_choose(&d, 2, &arena, &err) == GV_OK && d.split[0].n + d.split[1].n == N && !strcmp(d.fold, "2"), "fold 2 validates, the rest trains");
    int apart = 1;
    for (int64_t i = 0; i < d.split[1].n; i++)
        apart &= d.fold_of[d.split[1].v[i].row] == 2;
    ok(apart, "and holds its own samples");

    /* patients with 1 to 12 samples, mostly of one class */
    d = make(N, 3);
    for (int64_t i = 0, p = 0, left = 1; i < N; i++) {
        if (!left--) {
            p++;
            left = p * 7 % 12;
        }
        snprintf(names[p], sizeof names[p], "p%d", (int)p);
        d.split[0].v[i].group = names[p];
        d.split[0].v[i].label = p % 4 == 0 ? 1 : p % 9 == 1 ? 2 : 0;
    }
    d.pool = d.split[0];
    ok(gv_folds_draw(&d, K, true, &arena, &err) == GV_OK, "folds of groups");
    int whole = 1, balanced = 1;
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < N; i++) {
        whole &= !i || strcmp(d.pool.v[i].group, d.pool.v[i - 1].group) || d.fold_of[i] == d.fold_of[i - 1];
        count[d.fold_of[i]][d.pool.v[i].label]++;
        size[d.fold_of[i]]++;
    }
    ok(whole, "a group never crosses");
    for (int f = 0; f < K; f++)
        balanced &= size[f] > N / K * 85 / 100 && size[f] < N / K * 115 / 100;
    ok(balanced, "the folds are of like size: %d %d %d %d %d", (int)size[0], (int)size[1], (int)size[2], (int)size[3], (int)size[4]);
    for (int f = 0; f < K; f++)
        balanced &= count[f][1] > 0 && count[f][2] > 0;
    ok(balanced, "and each has every class");

    json_t *j = NULL;
    for (int64_t i = 0; i < N; i++)
        d.pool.v[i].id = "x";
    j = gv_folds_json(&d, &err);
    ok(j && json_object_size(j) == K && json_array_size(json_object_get(json_object_get(j, "0"), "val")) == (size_t)size[0], "folds go into a file as they were drawn");
    json_decref(j);

    d = make(4, 2);
    d.pool = d.split[0];
    ok(gv_folds_draw(&d, 5, true, &arena, &err) == GV_EUSAGE, "more folds than samples: %s", err.text);
    gv_err_clear(&err);
}

static int lines;
static int line(void *arg, char **cell, size_t n, size_t at, gv_err *e)
{
    (void)e;
    lines++;
    if (at == 3)
        *(int *)arg = n == 3 && !strcmp(cell[0], "a,\"b\"\nc") && !strcmp(cell[1], "") && !strcmp(cell[2], "x y");
    return GV_OK;
}

static void csv(void)
{
    static const char text[] = "\xef\xbb\xbfp,l,g\r\n\r\n\"a,\"\"b\"\"\nc\",,x y\r\nlast,1,2";
    char path[] = "/tmp/gv-csv-XXXXXX";
    int right = 0, fd = mkstemp(path);
    ok(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1, "a table with a mark, quotes and CRLF");
    ok(gv_csv_read(path, 1 << 20, line, &right, &err) == GV_OK && lines == 3 && right, "is read by RFC 4180");
    if (ftruncate(fd, 20) == 0)
        ok(gv_csv_read(path, 1 << 20, line, &right, &err) == GV_EDATA && strstr(err.text, "quote"), "an open quote: %s", err.text);
    close(fd);
    unlink(path);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 1u << 30, &err) < 0)
        return 2;
    fractions();
    folds();
    csv();
    gv_arena_release(&arena);
    return done();
}
