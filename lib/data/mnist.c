/* mnist, fashion_mnist: 70,000 gray images of 28 x 28, ten classes; IDX files, gzip or not, in the root or where torchvision
 * puts them. The official test set serves as val and test.
 * Sources: LeCun et al. 1998; Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747; MD5 sums as torchvision publishes them. */
#include "data/internal.h"
#include "formats/idx.h"
#include <inttypes.h>
#include <unistd.h>

enum { FILES = 4 };

static const char *const files[] = { "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", NULL };

struct kind {
    const char *const *subs;
    const char *const *classes;
    const char *mirror, *raw, *md5[FILES];
    double mean[3], std[3];
};

static const char *const digit_subs[] = { "", "raw", "MNIST/raw", "mnist", NULL };
static const char *const digits[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };
static const struct kind mnist = {
    .subs = digit_subs, .classes = digits, .raw = "MNIST/raw", .mirror = "https://ossci-datasets.s3.amazonaws.com/mnist",
    .md5 = { "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432", "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c" },
    .mean = { 0.1307, 0.1307, 0.1307 }, .std = { 0.3081, 0.3081, 0.3081 },
};

static const char *const fashion_subs[] = { "", "raw", "FashionMNIST/raw", "fashion-mnist", "fashion_mnist", NULL };
static const char *const clothes[] = { "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot" };
static const struct kind fashion = {
    .subs = fashion_subs, .classes = clothes, .raw = "FashionMNIST/raw", .mirror = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    .md5 = { "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe", "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310" },
    .mean = { 0.2860, 0.2860, 0.2860 }, .std = { 0.3530, 0.3530, 0.3530 },
};

static int read_split(const char *root, const char *dir, const char *const *pair, const char *name, gv_arena *arena, gv_split *out, gv_err *err)
{
    const char *images = gv_layout_path(root, dir, pair[0], arena, err), *labels = images ? gv_layout_path(root, dir, pair[1], arena, err) : NULL;
    char *full = labels ? gv_arena_printf(arena, err, "%s/%s", root, labels) : NULL;
    gv_listing l = { 0 };
    gv_idx x;
    if (!full)
        return err->code;
    int r = gv_idx_open(&x, full, err);
    if (r < 0)
        return r;
    if (x.ndim || x.dtype != GV_U8)
        r = gv_fail(err, GV_EDATA, "'%s' has %d dimensions of %s; labels have 1 of uint8", full, x.ndim + 1, gv_dtype_of(x.dtype)->name);
    for (int64_t i = 0; r == GV_OK && i < x.n; i++)
        if (x.data[i] > 9)
            r = gv_fail(err, GV_EDATA, "'%s': label %" PRId64 " is %d; the classes are 0 to 9", full, i, x.data[i]);
    if (r == GV_OK)
        r = gv_listing_rows(&l, name, 0, images, 0, x.data, x.n, arena, err);
    if (r == GV_OK)
        r = gv_listing_take(&l, arena, out, err);
    gv_buf_release(&l.v);
    gv_idx_close(&x);
    return r;
}

static int read_set(const struct kind *k, const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const char *root = gv_data_root(c, err);
    if (!root)
        return err->code;
    unsigned eval = 1u << GV_SPLIT_VAL | 1u << GV_SPLIT_TEST;
    bool train = want->splits & 1u << GV_SPLIT_TRAIN || !want->splits, test = want->splits & eval || !want->splits;
    const char *dir = gv_find_layout(root, k->subs, train && test ? files : train ? (const char *const[]){ files[0], files[1], NULL } : files + 2);
    if (!dir)
        return gv_fail(err, GV_EUSAGE, "data.data_root_dir '%s' holds no %s: looked for '%s' and its companions (with or without .gz) there and in '%s'", root, d->set->name, train ? files[0] : files[2], k->raw);
    if (train && read_split(root, dir, files, "train", arena, &d->split[GV_SPLIT_TRAIN], err) < 0)
        return err->code;
    if (test) {
        if (read_split(root, dir, files + 2, "test", arena, &d->split[GV_SPLIT_VAL], err) < 0)
            return err->code;
        d->split[GV_SPLIT_TEST] = d->split[GV_SPLIT_VAL];
        d->test_is_val = true;
    }
    d->root = root;
    d->num_classes = 10;
    d->class_names = (const char **)k->classes;
    d->native_size = 28;
    d->fixed = true;
    d->mean = k->mean;
    d->std = k->std;
    return GV_OK;
}

static int missing_set(const struct kind *k, const gv_config *c, gv_arena *arena, const gv_archive **list, size_t *n, gv_err *err)
{
    const char *root = c->data.data_root_dir;
    if (!root || gv_find_layout(root, k->subs, files))
        return GV_OK;
    gv_archive *v = gv_arena_alloc(arena, FILES * sizeof *v, err);
    for (size_t i = 0; v && i < FILES; i++) {
        char *url = gv_arena_printf(arena, err, "%s/%s.gz", k->mirror, files[i]), *path = gv_arena_printf(arena, err, "%s/%s/%s.gz", root, k->raw, files[i]);
        if (!url || !path)
            return GV_ESYS;
        if (access(path, R_OK) < 0)
            v[(*n)++] = (gv_archive){ url, k->md5[i], path };
    }
    *list = v;
    return v ? GV_OK : GV_ESYS;
}

static int open_mnist(const gv_config *c, const gv_data_want *w, gv_arena *a, gv_data *d, gv_err *e) { return read_set(&mnist, c, w, a, d, e); }
static int open_fashion(const gv_config *c, const gv_data_want *w, gv_arena *a, gv_data *d, gv_err *e) { return read_set(&fashion, c, w, a, d, e); }
static int missing_mnist(const gv_config *c, gv_arena *a, const gv_archive **l, size_t *n, gv_err *e) { return missing_set(&mnist, c, a, l, n, e); }
static int missing_fashion(const gv_config *c, gv_arena *a, const gv_archive **l, size_t *n, gv_err *e) { return missing_set(&fashion, c, a, l, n, e); }

static const char *const required[] = { "data_root_dir", NULL };
static const char *const defaults[] = { "num_classes", "10", "augmentation.train_policy", "baseline", "augmentation.test_policy", "default", NULL };

const gv_variant gv_dataset_variant_mnist = {
    .name = "mnist", .class_name = "MnistConfig", .summary = "MNIST: 28 px gray images of digits", .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_mnist = { .name = "mnist", .content = "image", .variant = &gv_dataset_variant_mnist, .train_policy = "baseline", .test_policy = "default", .open = open_mnist, .missing = missing_mnist };

const gv_variant gv_dataset_variant_fashion_mnist = {
    .name = "fashion_mnist", .class_name = "FashionMnistConfig", .summary = "Fashion-MNIST: 28 px gray images of clothes, 10 classes", .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_fashion_mnist = { .name = "fashion_mnist", .content = "image", .variant = &gv_dataset_variant_fashion_mnist, .train_policy = "baseline", .test_policy = "default", .open = open_fashion, .missing = missing_fashion };
