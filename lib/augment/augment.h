/*
 * Augmentation: units (one change of one sample), policies (tables of units), and pipelines (a policy with its numbers).
 *
 *   gv_policy_request q = { .dataset = "cifar10", .train = true, .policy = "baseline", .native_size = 32, .channels = 3 };
 *   gv_pipeline *p;
 *   gv_policy_resolve(&q, &p, run_arena, &err);
 *   gv_pipeline_apply(p, &x, seed, epoch, index, draw, scratch, &err);      // x's new pixels live in scratch
 *
 * The draws of step k are those of gv_rng_init(seed, GV_RNG_AUGMENT | k << 8, index, epoch, draw): the same sample is
 * changed in the same way by any worker, in any order. Means and deviations are only carried: the engine normalises.
 */
#ifndef GV_AUGMENT_AUGMENT_H
#define GV_AUGMENT_AUGMENT_H

#include "common/field.h"
#include "common/rng.h"
#include "sample/sample.h"

/* ---- units ---- */

typedef struct gv_augment {
    const char *name, *summary;
    const gv_field *fields;
    size_t params_size;
    /* Draw a part to keep from the size alone: 1 and the region, or 0 for all. It may reach outside the image, where 0 is
     * filled in. The pipeline cuts it out, then calls apply with the same rng. NULL for units that do not crop. */
    int (*crop)(const void *params, int64_t h, int64_t w, gv_rng *rng, gv_region *region);
    bool looks; /* apply writes into no pixel it is given: it makes new ones or leaves all as they are */
    /* NULL for units that only crop. New pixels are made in scratch. */
    int (*apply)(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err);
    /* NULL but where the unit picks one of the *of steps behind it: which, from 0. Without rng only *of is wanted. */
    int64_t (*choose)(const void *params, gv_rng *rng, int64_t *of);
} gv_augment;

#define GV_AUGMENT(n) extern const gv_augment gv_augment_##n;
#include "augment/augments.def"
#undef GV_AUGMENT

/* All units, NULL-terminated; by name, NULL when there is none. */
const gv_augment *const *gv_augments(void);
const gv_augment *gv_augment_find(const char *name);

/* ---- policies ---- */

/* One step: a unit and its parameters, "size=$image_size padding=4"; $name takes the value of a key of the policy. */
typedef struct gv_policy_step { const char *unit, *params; } gv_policy_step;

typedef struct gv_policy {
    const char *name, *summary;
    /* What can be set, with its default: "image_size=224 resize_size=256 mean=0.485,0.456,0.406 std=…". A key that is not
     * here is one the policy does not use. Lists are comma-separated. */
    const char *keys;
    /* Crops from images at the data set's own size. Where image_size exceeds that, images are resized first and the
     * untouched keys named in `pixels` grow with them. */
    bool native;
    const char *pixels;
    const gv_policy_step *steps; /* ends with { NULL } */
} gv_policy;

/* The policies of a data set (or several), or of every data set with that many spatial axes. */
typedef struct gv_policy_set {
    const char *const *datasets; /* NULL: shared by spatial_dims */
    int spatial_dims;
    const gv_policy *policies;   /* ends with { .name = NULL } */
} gv_policy_set;

#define GV_POLICIES(n) extern const gv_policy_set gv_policies_##n;
#include "augment/policies.def"
#undef GV_POLICIES

/* ---- pipelines ---- */

/* Zero means unset throughout (sizes also GV_NONE_I64), so that a request starts from { 0 }. */
typedef struct gv_policy_request {
    const char *dataset;
    int spatial_dims;           /* 0: 2 */
    const gv_policy *own;       /* more policies of the data set, looked through first; ends with { .name = NULL } */
    bool train;
    const char *policy;
    const char *other_policy;   /* that of the other split kind: fields used there alone are no error here */
    /* data.augmentation, as typed */
    int64_t image_size, resize_size, crop_size, cutout_size;
    gv_ints patch_size;         /* a number an axis, or one for all */
    gv_f64s mean, std;
    gv_dict kwargs;             /* train_kwargs or test_kwargs: any key of the policy */
    /* what the encoder was trained with */
    struct { int64_t image_size, resize_size; gv_ints patch_size; gv_f64s mean, std; const char *interpolation; } encoder;
    int64_t native_size;        /* side of the data set's images; 0: they vary */
    int64_t channels;           /* mean and std are brought to that many; 0: as they are */
} gv_policy_request;

typedef struct gv_step { const gv_augment *unit; void *params; } gv_step;

typedef struct gv_pipeline {
    const gv_policy *policy;
    size_t n;
    gv_step *steps;
    /* The resolved keys and their values, in the policy's order, for printing and for resolved_config.json. */
    size_t keys;
    const char **key, **value;
    int axes;                           /* spatial axes of what comes out; 0: a size that varies */
    int64_t side[GV_MAX_DIMS];          /* and their sizes */
    int64_t image_size;                 /* the side of images; 0 for others */
    int64_t resize_size, crop_size;     /* 0: the policy has none */
    const char *interpolation;          /* NULL: the policy has none */
    gv_f64s mean, std;
} gv_pipeline;

/*
 * Later wins: the policy's defaults, the encoder, typed fields, kwargs. An encoder's "bilinear" does not replace a policy's
 * own "linear" (OpenCV's); its "bicubic" does. GV_EUSAGE for an unknown policy (naming those of the data set and the nearest),
 * and for a typed field, key or value the policy does not use.
 */
int gv_policy_resolve(const gv_policy_request *q, gv_pipeline **out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The names of the policies a data set can use (own, its sets, shared), into the arena; the number of them, < 0 on error. */
int64_t gv_policy_names(const gv_policy_request *q, const char ***names, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The policy that q names, or NULL. */
const gv_policy *gv_policy_find(const gv_policy_request *q);

/* One line: "default_2d_2: image_size 224, resize_size 256, …". */
int gv_pipeline_text(const gv_pipeline *p, gv_buf *out, gv_err *err) GV_MUST_USE;

/* The whole pipeline on one sample; with full = { h, w } of the image in its file, without the leading crop, which decoding
 * has applied (gv_pipeline_crop with the same numbers). */
int gv_pipeline_apply(const gv_pipeline *p, gv_sample *x, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_arena *scratch, gv_err *err) GV_MUST_USE;
int gv_pipeline_apply_cropped(const gv_pipeline *p, const int64_t *full, gv_sample *x, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_arena *scratch, gv_err *err) GV_MUST_USE;

/* The leading crop for an image of h x w: 1 and a region inside it, to be decoded alone and then passed on with the full size;
 * 0 when the first step is no crop, keeps all, or reaches outside. */
int gv_pipeline_crop(const gv_pipeline *p, int64_t h, int64_t w, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_region *region);

#endif
