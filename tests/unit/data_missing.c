/* what has to be fetched of a published data set, and the counts shown at a start */
#include "data/data.h"
#include "common/file.h"
#include "tests/unit/tap.h"
#include <sys/stat.h>
#include <unistd.h>

static gv_arena arena;
static gv_err err;
static char dir[64], path[256];

static size_t missing(const char *set, const char *root, const gv_archive **list)
{
    gv_config c;
    size_t n = 99;
    if (gv_config_init(&c, &arena, &err) < 0 || gv_config_set(&c, "data.dataset", &set, 1, true, &err) < 0 || gv_config_set(&c, "data.data_root_dir", &root, 1, true, &err) < 0 ||
        gv_dataset_missing(&c, &arena, list, &n, &err) < 0)
        printf("# %s\n", err.text);
    gv_config_release(&c);
    return n;
}

static const char *in(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void fetching(void)
{
    const gv_archive *a;
    ok(missing("cifar10", dir, &a) == 1 && !strcmp(a[0].url, "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz") && !strcmp(a[0].md5, "c58f30108f718f92721af3b95e74349a") &&
       strstr(a[0].path, dir) == a[0].path && strstr(a[0].path, "/cifar-10-python.tar.gz"), "an empty directory lacks cifar10's archive: %s", err.text);
    ok(gv_file_write(in("cifar-10-binary.tar.gz"), "x", 1, &err) == GV_OK && missing("cifar10", dir, &a) == 0, "the binary archive is as good");
    unlink(in("cifar-10-binary.tar.gz"));
    ok(missing("mnist", dir, &a) == 4 && strstr(a[0].path, "/MNIST/raw/train-images-idx3-ubyte.gz"), "mnist is four files");
    ok(gv_mkdirs(in("FashionMNIST/raw"), &err) == GV_OK && gv_file_write(in("FashionMNIST/raw/train-images-idx3-ubyte.gz"), "x", 1, &err) == GV_OK && missing("fashion_mnist", dir, &a) == 3,
       "of fashion_mnist one is there already");
    ok(missing("cifar100", in("new"), &a) == 1, "a new directory may be made in an old one");
    ok(missing("cifar100", in("no/such"), &a) == 0, "a path that cannot be meant is no download");
    ok(missing("generic_image_dataset", dir, &a) == 0, "what is not published is not fetched");
}

static void counts(void)
{
    static const char *names[] = { "ant", "bee" };
    gv_entry train[] = { { .id = "a", .label = 0 }, { .id = "b", .label = 1 }, { .id = "c", .label = 1 } }, val[] = { { .id = "d", .label = -1 }, { .id = "e", .label = 0 } };
    gv_data d = { .num_classes = 2, .class_names = names, .split = { { 3, train }, { 2, val }, { 2, val } }, .test_is_val = true, .train_whole = 30 };
    gv_buf out = { 0 };
    int64_t *n = gv_data_counts(&d, GV_SPLIT_VAL, &arena, &err);
    ok(n && n[0] == 1 && n[1] == 0 && n[2] == 1, "counts per class, and the unlabelled behind");
    int r = gv_data_describe(&d, &out, &err);
    ok(r == GV_OK &&
       !strcmp(out.data, "train 3 of 30, val 2, test 2 (val)\ntrain per class: ant 1, bee 2\nval per class: ant 1, bee 0, unlabelled 1\n"), "as they are shown");
    out.len = 0;
    d.split[GV_SPLIT_TRAIN].n = -1;
    r = gv_data_describe(&d, &out, &err);
    ok(r == GV_OK && !strncmp(out.data, "val 2, test 2 (val)\n", 20), "a split that was not asked for is not told of");
    gv_buf_release(&out);
}

int main(void)
{
    snprintf(dir, sizeof dir, "/tmp/gv-data-XXXXXX");
    if (!mkdtemp(dir) || gv_arena_init(&arena, "test", 1u << 28, &err) < 0)
        return 2;
    fetching();
    counts();
    unlink(in("FashionMNIST/raw/train-images-idx3-ubyte.gz"));
    rmdir(in("FashionMNIST/raw"));
    rmdir(in("FashionMNIST"));
    rmdir(dir);
    gv_arena_release(&arena);
    return done();
}
