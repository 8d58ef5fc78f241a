/* flow: the stages from a listing to batches. */
#include "run/run.h"
#include <inttypes.h>

/* The blocks each stage takes; what is at its default is not printed. */
static const char *const index_blocks[] = { "data", "training.seed", "training.cv_folds", "dataloading.balanced_sampling", NULL };
/* decode draws the leading crop of the policy, augment draws it again: both need the same. */
static const char *const decode_blocks[2][10] = {
    { "data.dataset", "data.data_root_dir", "data.approximate_decode", "data.eight_bit", "data.max_sample", "data.augmentation.test_policy", "data.augmentation.test_kwargs", "model.encoder.input_channels", "training.seed", NULL },
    { "data.dataset", "data.data_root_dir", "data.approximate_decode", "data.eight_bit", "data.max_sample", "data.augmentation.train_policy", "data.augmentation.train_kwargs", "model.encoder.input_channels", "training.seed", NULL },
};
static const char *const augment_blocks[2][8] = {
    { "data.dataset", "data.augmentation.test_policy", "data.augmentation.test_kwargs", "model.encoder.input_channels", "training.seed", NULL },
    { "data.dataset", "data.augmentation.train_policy", "data.augmentation.train_kwargs", "model.encoder.input_channels", "training.seed", NULL },
};
static const char *const batch_blocks[] = { "dataloading.batch_size", "dataloading.eval_batch_size", "dataloading.drop_last_train", "dataloading.drop_last_eval", "task.mixup", "task.mixup_alpha", "training.seed", "on_error", NULL };

static int stage(gv_pipeline_plan *p, const gv_config *c, const char *name, const char *label, const char *const *blocks, gv_err *err)
{
    int n = gv_pipe_stage(p, name, label, err);
    if (n < 0)
        return n;
    int r = gv_config_args(c, blocks, &p->node[n].words, err);
    return r < 0 ? r : n;
}

/* The decoder, with the fields of the data set's own that it needs. */
static int decoder(gv_pipeline_plan *p, const gv_config *c, const gv_dataset *set, const char *label, bool train, gv_err *err)
{
    const char *blocks[64] = { NULL };
    size_t n = 0;
    for (; decode_blocks[train][n]; n++)
        blocks[n] = decode_blocks[train][n];
    for (const char *const *f = set ? set->decode_fields : NULL; f && *f && n + 1 < GV_COUNT(blocks); f++)
        blocks[n++] = *f;
    return stage(p, c, "decode", label, blocks, err);
}

static int strand(gv_pipeline_plan *p, const gv_config *c, const gv_flow *f, int i, int n, gv_err *err)
{
    char label[64], text[64];
    bool train = !strcmp(f->augment, "train");
    snprintf(label, sizeof label, "%s/index", f->label);
    int a = stage(p, c, "index", label, index_blocks, err);
    if (a < 0 || gv_pipe_option(p, a, "--split", f->split, err) < 0)
        return err->code;
    snprintf(text, sizeof text, "%" PRId64 ":%" PRId64, f->start_epoch, f->start_pos);
    if ((f->start_epoch || f->start_pos) && gv_pipe_option(p, a, "--start", text, err) < 0)
        return err->code;
    snprintf(text, sizeof text, "%" PRId64, f->epochs);
    if (gv_pipe_option(p, a, "--epochs", text, err) < 0 || gv_pipe_option(p, a, f->shuffle ? "--shuffle" : "--no_shuffle", NULL, err) < 0)
        return err->code;
    snprintf(text, sizeof text, "%" PRId64, f->limit);
    if (f->limit && gv_pipe_option(p, a, "--limit", text, err) < 0)
        return err->code;
    if (f->unlabelled && gv_pipe_option(p, a, "--unlabelled", NULL, err) < 0)
        return err->code;
    snprintf(text, sizeof text, "%d/%d", i, n);
    if (n > 1 && gv_pipe_option(p, a, "--shard", text, err) < 0)
        return err->code;
    snprintf(label, sizeof label, "%s/decode%s%.0d", f->label, n > 1 ? " " : "", n > 1 ? i + 1 : 0);
    const gv_dataset *set = c->data.dataset ? gv_dataset_find(c->data.dataset->name) : NULL;
    int b = decoder(p, c, set, label, train, err);
    if (b < 0 || gv_pipe_option(p, b, "--split", f->augment, err) < 0 || gv_pipe_connect(p, a, b, NULL, err) < 0)
        return err->code;
    if (!set || !set->train_policy)
        return b; /* stored features are not changed */
    snprintf(label, sizeof label, "%s/augment%s%.0d", f->label, n > 1 ? " " : "", n > 1 ? i + 1 : 0);
    int d = stage(p, c, "augment", label, augment_blocks[train], err);
    if (d < 0 || gv_pipe_option(p, d, "--split", f->augment, err) < 0 || gv_pipe_connect(p, b, d, NULL, err) < 0)
        return err->code;
    return d;
}

int gv_flow_add(gv_pipeline_plan *p, const gv_config *c, const gv_flow *f, gv_err *err)
{
    int n = f->workers ? f->workers : c->dataloading.num_workers > 0 ? (int)c->dataloading.num_workers : 1, last[GV_PIPE_STAGES];
    if (n > GV_PIPE_STAGES / 4)
        return gv_fail(err, GV_EUSAGE, "'--dataloading.num_workers' is %d; the largest allowed is %d", n, GV_PIPE_STAGES / 4);
    for (int i = 0; i < n; i++)
        if ((last[i] = strand(p, c, f, i, n, err)) < 0)
            return last[i];
    char label[64];
    snprintf(label, sizeof label, "%s/batch", f->label);
    int b = stage(p, c, "batch", label, batch_blocks, err);
    if (b < 0 || gv_pipe_option(p, b, "--split", f->batch, err) < 0)
        return err->code;
    if (f->pass_errors && gv_pipe_option(p, b, "--pass_errors", NULL, err) < 0)
        return err->code;
    for (int i = 0; i < n; i++)
        if (gv_pipe_connect(p, last[i], b, n > 1 ? "--input" : NULL, err) < 0)
            return err->code;
    return b;
}
