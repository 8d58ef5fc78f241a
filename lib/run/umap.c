/* umap: glovita_plot_umap. One stage; where the file says which data set its features are of and the data is at hand, its samples are decoded too
 * and small pictures of them go into the page. */
#include "common/file.h"
#include "common/log.h"
#include "data/feature_table.h"
#include "json/json.h"
#include "run/runs.h"
#include "run/spawn.h"
#include <inttypes.h>

enum { MOST_DECODED = 100000 };

/* What the file says of its data, before the command line: a help, so that what is wrong with it is no error. Where the data lies, and programs to
 * run, are never taken from a file. */
void gv_umap_preload(gv_config *c, const char *h5_path)
{
    gv_err quiet = { 0 };
    const char *data, *split;
    if (gv_feature_table_facts(h5_path, &data, &split, c->arena, &quiet) < 0 || !data)
        return;
    static const char *const away[] = { "data_root_dir", "command", "augmentation", "train_features_file", "val_features_file", "test_features_file" };
    json_t *block = gv_json_parse(data, strlen(data), "attribute 'data'", &quiet), *root = block ? json_pack("{s:o}", "data", block) : NULL;
    for (size_t i = 0; i < GV_COUNT(away); i++)
        json_object_del(block, away[i]);
    gv_config tried; /* half of a strange attribute is not wanted */
    if (root && gv_config_init(&tried, c->arena, &quiet) == GV_OK) {
        bool fine = gv_config_load_json(&tried, root, h5_path, &quiet) == GV_OK;
        gv_config_release(fine ? c : &tried);
        if (fine)
            *c = tried;
    }
    json_decref(root);
}

enum { ALL = GV_SPLITS, NO_PICTURES = -1, FAILED = -2 };

/* Whether the samples of this split (ALL: of every one) are images that can be decoded. */
static int check_images(const gv_config *c, int split, gv_err *err)
{
    gv_data d;
    gv_data_want want = split == ALL ? (gv_data_want){ .optional = GV_SPLITS_ALL, .unlabelled = true } : (gv_data_want){ .splits = 1u << split, .unlabelled = true };
    int r = gv_data_open(c, &want, c->arena, &d, err);
    if (r < 0)
        return r;
    int64_t n = 0;
    for (int s = 0; s < GV_SPLITS; s++)
        n += (s == split || split == ALL) && d.split[s].n > 0 ? d.split[s].n : 0;
    if (!d.content || strcmp(d.content, "image"))
        return gv_fail(err, GV_EUSAGE, "the samples of '%s' are no images", c->data.dataset->name);
    if (n > MOST_DECODED)
        return gv_fail(err, GV_EUSAGE, "there are %" PRId64 " samples; pictures are made of at most %d", n, MOST_DECODED);
    return GV_OK;
}

/* The split whose samples become pictures: that of the file, or all. What is missing is an error only where pictures were asked for. */
static int find_split(const gv_config *c, const struct gv_umap_options *o, gv_err *err)
{
    const char *data, *name;
    bool asked = gv_config_typed(c, "thumbnails") || c->data.data_root_dir;
    int split = ALL;
    gv_err why = { 0 };
    if (!o->thumbnails || !o->html)
        return NO_PICTURES;
    if (gv_feature_table_facts(o->h5_path, &data, &name, c->arena, err) < 0)
        return FAILED;
    for (int s = 0; s < GV_SPLITS && name; s++)
        if (!strcmp(name, gv_split_names[s]))
            split = s;
    int r = GV_OK;
    if (!c->data.dataset)
        r = gv_fail(&why, GV_EUSAGE, "'%s' does not say which data set its features are of; give --data.dataset and --data.data_root_dir", o->h5_path);
    else if (!c->data.data_root_dir)
        r = gv_fail(&why, GV_EUSAGE, "where data set '%s' lies is not given (--data.data_root_dir)", c->data.dataset->name);
    else
        r = check_images(c, split, &why);
    if (r == GV_OK)
        return split;
    if (!asked) {
        gv_log(GV_INFO, "no pictures in the page: %s", why.text);
        return NO_PICTURES;
    }
    gv_fail(err, why.code, "no pictures for the page (--no_thumbnails does without): %s", why.text);
    return FAILED;
}

/* index and decode: the index of the latter. */
static int add_samples(gv_pipeline_plan *p, const gv_config *c, int split, gv_err *err)
{
    static const char *const blocks[] = { "data", NULL };
    int i = gv_pipe_stage(p, "index", "pictures/index", err);
    int r = i < 0 ? i : gv_config_args(c, blocks, &p->node[i].words, err);
    r = r < 0 ? r : gv_pipe_option(p, i, "--split", split == ALL ? "all" : gv_split_names[split], err);
    r = r < 0 ? r : gv_pipe_option(p, i, "--no_shuffle", NULL, err);
    r = r < 0 ? r : gv_pipe_option(p, i, "--unlabelled", NULL, err);
    int d = r < 0 ? r : gv_pipe_stage(p, "decode", "pictures/decode", err);
    r = d < 0 ? d : gv_pipe_connect(p, i, d, NULL, err);
    return r < 0 ? r : d;
}

/* The command's own options as the stage takes them: those that are not at their defaults. */
static int add_options(gv_pipeline_plan *p, const gv_config *c, int node, gv_err *err)
{
    struct gv_umap_options plain;
    int r = gv_fields_default(c->command->fields, &plain, c->arena, err);
    for (const gv_field *f = c->command->fields; r == GV_OK && f->type != GV_TYPE_END; f++) {
        if (!strcmp(f->name, "thumbnails") || gv_field_equal(f, c->own, &plain))
            continue;
        gv_buf b = { 0 };
        bool off = f->type == GV_TYPE_BOOL && !*(const bool *)((const char *)c->own + f->offset);
        r = gv_buf_printf(&b, err, " --%s%s", off ? "no_" : "", f->name);
        if (f->type != GV_TYPE_BOOL) {
            r = r < 0 ? r : gv_buf_add(&b, " ", 1, err);
            r = r < 0 ? r : gv_field_text(f, c->own, &b, err);
        }
        r = r < 0 ? r : gv_pipe_words(p, node, b.data, err);
        gv_buf_release(&b);
    }
    return r;
}

static int plan(gv_pipeline_plan *p, const gv_config *c, gv_err *err)
{
    const struct gv_umap_options *o = c->own;
    if (!gv_file_exists(o->h5_path))
        return gv_fail(err, GV_EUSAGE, "'--h5_path' is '%s', which does not exist", o->h5_path);
    int split = find_split(c, o, err);
    if (split == FAILED)
        return err->code;
    int d = split != NO_PICTURES ? add_samples(p, c, split, err) : -1;
    if (err->code != GV_OK)
        return err->code;
    int u = gv_pipe_stage(p, "umap", "umap", err), r = u < 0 ? u : add_options(p, c, u, err);
    return r == GV_OK && d >= 0 ? gv_pipe_connect(p, d, u, "--pictures", err) : r;
}

int gv_driver_umap(gv_config *c, int argc, char **argv, gv_err *err)
{
    (void)argc, (void)argv;
    int status = 0, r = gv_config_check_built(c, err);
    gv_config checked = *c;
    if (!c->data.data_root_dir)
        checked.data.dataset = NULL; /* named by the file alone, or for nothing: then there are no pictures */
    r = r < 0 ? r : gv_config_check(&checked, err);
    gv_pipeline_plan *p = r < 0 ? NULL : gv_alloc(sizeof *p, err);
    if (!p)
        return gv_exit_status(err->code);
    gv_pipe_init(p, c->arena);
    r = plan(p, c, err);
    if (r == GV_OK && (c->driver.print_pipeline || c->driver.dry_run)) {
        gv_buf text = { 0 };
        r = gv_pipe_print(p, &text, err);
        if (r == GV_OK)
            fwrite(text.data, 1, text.len, stdout);
        gv_buf_release(&text);
    } else if (r == GV_OK)
        r = gv_pipe_run(p, &(gv_run_options){ .lock_fd = -1, .quiet = !c->driver.progress, .show = true }, &status, err);
    gv_pipe_release(p);
    gv_free(p);
    return r == GV_OK ? 0 : status ? status : gv_exit_status(r);
}
