/* cifar10, cifar100: 60,000 colour images of 32 x 32. Python or binary batches, in their published folders, in the root, or in
 * the published archives as they were downloaded. The official test set serves as val and test.
 * Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images"; MD5 sums as published there. */
#include "data/cifar.h"
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

struct layout { const char *dir, *const *files; }; /* files: the training ones, then the test one */

struct kind {
    const struct layout *layouts;
    const char *const *classes;
    int64_t num_classes;
    const char *archive, *binary, *md5;
};

static const char *const ten_py[] = { "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", NULL };
static const char *const ten_bin[] = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin", NULL };
static const char *const hundred_py[] = { "train", "test", NULL }, *const hundred_bin[] = { "train.bin", "test.bin", NULL };

static const struct layout ten_layouts[] = { { "cifar-10-batches-py", ten_py }, { "cifar-10-batches-bin", ten_bin }, { "", ten_py }, { "", ten_bin }, { NULL, NULL } };
static const struct layout hundred_layouts[] = { { "cifar-100-python", hundred_py }, { "cifar-100-binary", hundred_bin }, { "", hundred_py }, { "", hundred_bin }, { NULL, NULL } };

static const char *const ten_classes[] = { "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck" };
static const char *const hundred_classes[] = {
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can",
    "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant",
    "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
    "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain",
    "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail",
    "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train", "trout",
    "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
};
_Static_assert(GV_COUNT(ten_classes) == 10 && GV_COUNT(hundred_classes) == 100, "class names");

static const struct kind ten = { ten_layouts, ten_classes, 10, "cifar-10-python.tar.gz", "cifar-10-binary.tar.gz", "c58f30108f718f92721af3b95e74349a" };
static const struct kind hundred = { hundred_layouts, hundred_classes, 100, "cifar-100-python.tar.gz", "cifar-100-binary.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85" };
static const double mean[] = { 0.4914, 0.4822, 0.4465 }, std[] = { 0.2023, 0.1994, 0.2010 };

struct reading { const struct kind *k; const char *root; gv_arena *arena; gv_data *d; };

static int load(const struct reading *r, const char *path, gv_cifar *c, gv_err *err)
{
    char full[4096];
    if (snprintf(full, sizeof full, "%s/%s", r->root, path) >= (int)sizeof full)
        return gv_fail(err, GV_EUSAGE, "'%s/%s' is too long a path", r->root, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", full);
    if (gv_cifar_open(c, fd, full, err) < 0)
        return err->code;
    for (int64_t i = 0; i < c->rows; i++)
        if ((uint8_t)c->labels.data[i] >= r->k->num_classes) {
            int label = (uint8_t)c->labels.data[i];
            gv_cifar_close(c);
            return gv_fail(err, GV_EDATA, "'%s': label %" PRId64 " is %d; the classes are 0 to %" PRId64, full, i, label, r->k->num_classes - 1);
        }
    return GV_OK;
}

static int read_archive(const struct reading *r, const char *path, gv_err *err)
{
    gv_listing l[2] = { 0 };
    gv_cifar c;
    if (load(r, path, &c, err) < 0)
        return err->code;
    const uint8_t *labels = (const uint8_t *)c.labels.data;
    int code = gv_listing_rows(&l[0], "train", 0, path, 0, labels, c.train, r->arena, err);
    if (code == GV_OK)
        code = gv_listing_rows(&l[1], "test", 0, path, c.train, labels + c.train, c.rows - c.train, r->arena, err);
    gv_cifar_close(&c);
    for (int s = 0; s < 2; s++) {
        if (code == GV_OK)
            code = gv_listing_take(&l[s], r->arena, &r->d->split[s], err);
        gv_buf_release(&l[s].v);
    }
    return code;
}

static int read_files(const struct reading *r, const struct layout *at, const char *const *files, const char *name, int split, gv_err *err)
{
    gv_listing l = { 0 };
    int64_t n = 0;
    int code = GV_OK;
    for (; code == GV_OK && *files && (split == GV_SPLIT_VAL || files[1]); files++) {
        gv_cifar c;
        char *path = gv_arena_printf(r->arena, err, "%s%s%s", at->dir, *at->dir ? "/" : "", *files);
        if (!path || load(r, path, &c, err) < 0) {
            code = err->code;
            break;
        }
        code = gv_listing_rows(&l, name, n, path, 0, (const uint8_t *)c.labels.data, c.rows, r->arena, err);
        n += c.rows;
        gv_cifar_close(&c);
    }
    if (code == GV_OK)
        code = gv_listing_take(&l, r->arena, &r->d->split[split], err);
    gv_buf_release(&l.v);
    return code;
}

static const struct layout *find(const struct kind *k, const char *root)
{
    for (const struct layout *l = k->layouts; l->dir; l++)
        if (gv_find_layout(root, (const char *const[]){ l->dir, NULL }, l->files))
            return l;
    return NULL;
}

static const char *find_archive(const struct kind *k, const char *root)
{
    char path[4096];
    const char *const names[] = { k->archive, k->binary };
    for (size_t i = 0; i < GV_COUNT(names); i++)
        if (snprintf(path, sizeof path, "%s/%s", root, names[i]) < (int)sizeof path && access(path, R_OK) == 0)
            return names[i];
    return NULL;
}

static int read_set(const struct kind *k, const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const char *root = gv_data_root(c, err);
    if (!root)
        return err->code;
    struct reading r = { k, root, arena, d };
    const struct layout *l = find(k, root);
    const char *archive = l ? NULL : find_archive(k, root);
    int code = GV_OK;
    if (!l && !archive)
        return gv_fail(err, GV_EUSAGE, "data.data_root_dir '%s' holds no %s: looked for '%s/%s', '%s/%s', '%s' and '%s'", root, d->set->name, k->layouts[0].dir, k->layouts[0].files[0],
            k->layouts[1].dir, k->layouts[1].files[0], k->archive, k->binary);
    if (archive)
        code = read_archive(&r, archive, err);
    else {
        size_t n = 0;
        while (l->files[n])
            n++;
        if (want->splits & 1u << GV_SPLIT_TRAIN)
            code = read_files(&r, l, l->files, "train", GV_SPLIT_TRAIN, err);
        if (code == GV_OK)
            code = read_files(&r, l, l->files + n - 1, "test", GV_SPLIT_VAL, err);
    }
    d->split[GV_SPLIT_TEST] = d->split[GV_SPLIT_VAL];
    d->test_is_val = d->fixed = true;
    d->root = root;
    d->num_classes = k->num_classes;
    d->class_names = (const char **)k->classes;
    d->native_size = 32;
    d->mean = mean;
    d->std = std;
    return code;
}

static int missing_set(const struct kind *k, const gv_config *c, gv_arena *arena, const gv_archive **list, size_t *n, gv_err *err)
{
    const char *root = c->data.data_root_dir;
    if (!root || find(k, root) || find_archive(k, root))
        return GV_OK;
    gv_archive *v = gv_arena_alloc(arena, sizeof *v, err);
    char *url = v ? gv_arena_printf(arena, err, "https://www.cs.toronto.edu/~kriz/%s", k->archive) : NULL, *path = url ? gv_arena_printf(arena, err, "%s/%s", root, k->archive) : NULL;
    if (!path)
        return GV_ESYS;
    *v = (gv_archive){ url, k->md5, path };
    *list = v;
    *n = 1;
    return GV_OK;
}

static int open_ten(const gv_config *c, const gv_data_want *w, gv_arena *a, gv_data *d, gv_err *e) { return read_set(&ten, c, w, a, d, e); }
static int open_hundred(const gv_config *c, const gv_data_want *w, gv_arena *a, gv_data *d, gv_err *e) { return read_set(&hundred, c, w, a, d, e); }
static int missing_ten(const gv_config *c, gv_arena *a, const gv_archive **l, size_t *n, gv_err *e) { return missing_set(&ten, c, a, l, n, e); }
static int missing_hundred(const gv_config *c, gv_arena *a, const gv_archive **l, size_t *n, gv_err *e) { return missing_set(&hundred, c, a, l, n, e); }

static const char *const required[] = { "data_root_dir", NULL };
static const char *const ten_defaults[] = { "num_classes", "10", "augmentation.train_policy", "randaugment", "augmentation.test_policy", "default", NULL };
static const char *const hundred_defaults[] = { "num_classes", "100", "augmentation.train_policy", "randaugment", "augmentation.test_policy", "default", NULL };

const gv_variant gv_dataset_variant_cifar10 = {
    .name = "cifar10", .class_name = "Cifar10Config", .summary = "CIFAR-10: 32 px colour images of 10 classes", .defaults = ten_defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_cifar10 = {
    .name = "cifar10", .content = "image", .variant = &gv_dataset_variant_cifar10, .train_policy = "randaugment", .test_policy = "default", .open = open_ten, .missing = missing_ten,
};

const gv_variant gv_dataset_variant_cifar100 = {
    .name = "cifar100", .class_name = "Cifar100Config", .summary = "CIFAR-100: 32 px colour images of 100 classes", .defaults = hundred_defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_cifar100 = {
    .name = "cifar100", .content = "image", .variant = &gv_dataset_variant_cifar100, .train_policy = "randaugment", .test_policy = "default", .open = open_hundred, .missing = missing_hundred,
};
