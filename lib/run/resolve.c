/* resolve: values that follow from data, encoder and machine, set once and passed on explicitly. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "json/json.h"
#include "run/run.h"
#include "session/session.h"
#include "weights/weights.h"
#include <cpuid.h>
#include <inttypes.h>
#include <libgen.h>
#include <unistd.h>

bool gv_cpu_has_bf16(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d))
        return false;
    bool avx512_bf16 = a >> 5 & 1;
    bool amx_bf16 = __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 22 & 1;
    return avx512_bf16 || amx_bf16;
}

int gv_config_copy(gv_config *to, const gv_config *c, gv_arena *arena, gv_err *err)
{
    gv_config all = *c; /* every block, also those that the command does not take */
    all.command = NULL;
    json_t *j = gv_config_json(&all, err), *typed = json_object_get(j, "typed");
    if (!j)
        return err->code;
    for (size_t i = json_array_size(typed); i-- > 0;) { /* the command's own fields stay with the command */
        const char *name = json_string_value(json_array_get(typed, i));
        if (name && c->command && gv_field_find(c->command->fields, name, strlen(name)))
            json_array_remove(typed, i);
    }
    int r = gv_config_init(to, arena, err);
    if (r == GV_OK)
        r = gv_config_load_json(to, j, "the configuration", err);
    json_decref(j);
    to->driver = c->driver;
    to->own = c->own;
    return r;
}

static int set(gv_config *c, const char *path, const char *word, gv_err *err)
{
    return gv_config_set(c, path, &word, 1, false, err);
}

/* What a user does where a download is not possible. */
static int tell_where(const gv_config *c, const gv_archive *a, const char *why, bool root_there, gv_err *err)
{
    gv_err_clear(err);
    return gv_fail(err, root_there ? GV_ESYS : GV_EUSAGE, "'--data.data_root_dir' is '%s', which %s, and the published file cannot be fetched: %s. Elsewhere: curl -LO %s; then copy it to '%s'", c->data.data_root_dir,
                   root_there ? "lacks files of the data set" : "does not exist", why, a->url, a->path);
}

/* Published archives that are not there. A directory made for them goes again when the first cannot be had. */
static int fetch_missing(const gv_config *c, gv_arena *arena, gv_err *err)
{
    const gv_archive *list;
    size_t n;
    int r = gv_dataset_missing(c, arena, &list, &n, err);
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        char *dir = gv_arena_strdup(arena, list[i].path, err), *digest = gv_arena_printf(arena, err, "md5:%s", list[i].md5);
        if (!dir || !digest)
            return GV_ESYS;
        bool root_there = gv_file_exists(c->data.data_root_dir), dir_there;
        dir = dirname(dir);
        dir_there = gv_file_exists(dir);
        if (gv_offline() || c->driver.dry_run || c->driver.print_pipeline)
            return tell_where(c, &list[i], gv_offline() ? "HF_HUB_OFFLINE forbids it" : "a dry run fetches nothing", root_there, err);
        r = gv_mkdirs(dir, err);
        if (r == GV_OK)
            r = gv_download(list[i].url, list[i].path, digest, NULL, err);
        if (r < 0 && !dir_there) { /* as it was before: empty directories that this call made */
            rmdir(dir);
            if (!root_there)
                rmdir(dirname(dir)), rmdir(c->data.data_root_dir);
        }
        if (r == GV_ESYS) {
            char why[512];
            snprintf(why, sizeof why, "%.500s", err->text);
            return tell_where(c, &list[i], why, root_there, err);
        }
    }
    return r;
}

static int machine(gv_resolved *r, gv_err *err)
{
    gv_config *c = &r->c;
    int cores = gv_threads_available();
    if (!gv_config_typed(c, "dataloading.num_workers") && c->dataloading.num_workers > cores)
        c->dataloading.num_workers = cores;
    if (c->training.precision == GV_PRECISION_BF16 && !gv_config_typed(c, "training.precision") && !gv_cpu_has_bf16()) {
        c->training.precision = GV_PRECISION_NO;
        if (gv_buf_printf(&r->notes, err, "precision    fp32: this processor has no bf16 instructions\n") < 0)
            return err->code;
    }
    if (c->training.seed == GV_NONE_U64)
        c->training.seed = 0; /* a command that draws nothing */
    return gv_buf_printf(&r->notes, err, "seed         %" PRIu64 "\n", c->training.seed);
}

static int classes(gv_resolved *r, gv_err *err)
{
    gv_config *c = &r->c;
    char n[24];
    if (r->data.num_classes > 0) {
        if (c->data.num_classes != GV_NONE_I64 && c->data.num_classes != r->data.num_classes)
            return gv_fail(err, GV_EUSAGE, "'--data.num_classes' is %" PRId64 ", but the data has %" PRId64 " %s", c->data.num_classes, r->data.num_classes,
                           r->data.target == GV_TARGET_REGRESSION ? "outputs" : "classes");
        snprintf(n, sizeof n, "%" PRId64, r->data.num_classes);
        return set(c, "data.num_classes", n, err);
    }
    if (c->data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "the number of classes of '%s' is not known: give --data.num_classes", c->data.dataset->name);
    return GV_OK;
}

static int encoder(gv_resolved *r, gv_err *err)
{
    gv_encoder e = gv_config_encoder(&r->c);
    if (e.stored)
        return GV_OK;
    int code = gv_model_find_in(e.name, e.type, &r->model, err);
    if (code < 0)
        return gv_fail_in(err, "'--model.encoder.type'");
    r->has_model = true;
    return GV_OK;
}

/* Clips as the encoder's weights were trained with, where nobody says otherwise: so many frames, so many a second. */
static int clips(gv_resolved *r, gv_err *err)
{
    static const char *const apart[] = { "data.sampling_rate", "data.frames_per_second", "data.clip_seconds" };
    const gv_pretrained_cfg *f = r->has_model && gv_config_encoder(&r->c).pretrained ? r->model.cfg : NULL;
    const gv_variant *set_of = r->c.data.dataset;
    char n[32];
    int code = GV_OK;
    if (!f || !f->frames || !set_of || !set_of->fields || !gv_field_find(set_of->fields, "frames_per_clip", strlen("frames_per_clip")))
        return GV_OK;
    snprintf(n, sizeof n, "%d", f->frames);
    if (!gv_config_typed(&r->c, "data.frames_per_clip"))
        code = set(&r->c, "data.frames_per_clip", n, err);
    for (size_t i = 0; i < GV_COUNT(apart); i++)
        if (gv_config_typed(&r->c, apart[i]))
            return code;
    snprintf(n, sizeof n, "%g", f->fps);
    return code == GV_OK && f->fps > 0 ? set(&r->c, "data.frames_per_second", n, err) : code;
}

/* What is learned from the samples: fields of the data set, and the channels of the network. */
static int prepare(gv_resolved *r, gv_arena *arena, gv_err *err)
{
    char n[24];
    int code = r->data.set->prepare(&r->c, &r->data, arena, err);
    if (code < 0 || !r->data.channels || gv_config_encoder(&r->c).stored)
        return code;
    snprintf(n, sizeof n, "%" PRId64, r->data.channels);
    if (!gv_config_typed(&r->c, "model.encoder.input_channels"))
        return set(&r->c, "model.encoder.input_channels", n, err);
    int64_t typed = gv_config_encoder(&r->c).input_channels;
    return typed == r->data.channels ? GV_OK : gv_fail(err, GV_EUSAGE, "'--model.encoder.input_channels' is %" PRId64 ", but the samples have %s channels", typed, n);
}

/* task.class_weights auto: the share that each class of the training split would have if all had the same, over the one it has. */
static int class_weights(gv_resolved *r, const gv_data_want *want, gv_arena *arena, gv_err *err)
{
    gv_config *c = &r->c;
    const gv_strs *words = &c->task.class_weights;
    int64_t k = r->data.num_classes, total = 0, present = 0;
    if (words->n != 1 || strcmp(words->v[0], "auto") || !(want->splits & 1u << GV_SPLIT_TRAIN))
        return GV_OK;
    int64_t *counts = gv_data_counts(&r->data, GV_SPLIT_TRAIN, arena, err);
    const char **w = counts ? gv_arena_alloc(arena, (size_t)k * sizeof *w, err) : NULL;
    if (!w)
        return err->code ? err->code : gv_fail(err, GV_EUSAGE, "'--task.class_weights auto' needs classes to count");
    for (int64_t i = 0; i < k; i++) {
        total += counts[i];
        present += counts[i] > 0;
    }
    for (int64_t i = 0; i < k; i++) /* a class without samples is never met */
        if (!(w[i] = gv_arena_printf(arena, err, "%.9g", counts[i] ? (double)total / ((double)present * (double)counts[i]) : 1.0)))
            return GV_ESYS;
    int code = gv_config_set(c, "task.class_weights", w, (size_t)k, false, err);
    for (int64_t i = 0; i < k && i < 20 && code == GV_OK; i++)
        code = gv_buf_printf(&r->notes, err, "%s%s%s", i ? " " : "weights      ", w[i], i + 1 == k ? "\n" : i == 19 ? " …\n" : "");
    return code;
}

int gv_resolve(gv_resolved *r, const gv_config *user, const gv_data_want *want, gv_arena *arena, gv_err *err)
{
    memset(r, 0, sizeof *r);
    int code = gv_config_copy(&r->c, user, arena, err);
    if (code == GV_OK)
        code = encoder(r, err);
    if (code == GV_OK)
        code = clips(r, err);
    if (code == GV_OK)
        code = fetch_missing(&r->c, arena, err);
    if (code == GV_OK)
        code = gv_data_open(&r->c, want, arena, &r->data, err);
    if (code == GV_OK && r->data.set->prepare)
        code = prepare(r, arena, err);
    if (code == GV_OK)
        code = machine(r, err);
    if (code == GV_OK)
        code = classes(r, err);
    if (code == GV_OK)
        code = class_weights(r, want, arena, err);
    if (code == GV_OK)
        code = gv_adapter_resolve(&r->c, err);
    if (code == GV_OK && r->data.set->train_policy)
        code = gv_resolve_augmentation(r, arena, err);
    return code;
}

void gv_resolved_shape(const gv_resolved *r, gv_dtype *dtype, int *ndim, int64_t *shape)
{
    const gv_data *d = &r->data;
    const gv_content *k = gv_content_find(d->content);
    const struct gv_augmentation_config *a = &r->c.augmentation;
    int n = 0;
    *dtype = k->dtype;
    if (k->ragged)
        shape[n++] = 1; /* whatever a bag has */
    if (k->clips)
        shape[n++] = d->length ? d->length : 16;
    for (int i = 0; i < k->sides; i++)
        shape[n++] = a->patch_size.n == (size_t)k->sides ? a->patch_size.v[i] : a->image_size != GV_NONE_I64 ? a->image_size : k->side;
    shape[n++] = k->sides || k->clips ? gv_config_encoder(&r->c).input_channels : d->feature_dim;
    *ndim = n;
}

void gv_resolved_tell(const gv_resolved *r, const char *policy)
{
    size_t n = strlen(policy);
    for (const char *s = r->notes.data; s && *s;) {
        const char *end = strchr(s, '\n');
        if (!strncmp(s, policy, n) && s[n] == ' ')
            fprintf(stderr, "%.*s\n", end ? (int)(end - s) : (int)strlen(s), s);
        s = end ? end + 1 : NULL;
    }
}

void gv_resolved_release(gv_resolved *r)
{
    gv_config_release(&r->c);
    gv_buf_release(&r->notes);
}
