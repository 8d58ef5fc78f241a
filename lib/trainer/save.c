/* save: the state of a run, and what follows from it. */
#include "trainer/trainer.h"
#include <inttypes.h>
#include <unistd.h>

void gv_trainer_state_path(const gv_trainer *w, char *path, size_t size)
{
    snprintf(path, size, "%s/checkpoints/resume.safetensors", w->o->run);
}

int gv_trainer_save(gv_trainer *w, gv_err *err)
{
    w->saved = gv_trainer_now();
    w->steps_unsaved = 0;
    if (!w->o->run || !w->c->training.enable_checkpointing)
        return GV_OK;
    char path[4200];
    gv_trainer_state_path(w, path, sizeof path);
    w->t.dtype = w->facts.dtype;
    w->t.ndim = w->facts.ndim;
    memcpy(w->t.shape, w->facts.shape, sizeof w->facts.shape);
    w->t.accumulated.len = w->t.results.len = 0;
    int r = w->t.epoch_batches ? gv_scores_save(w->scores, &w->t.accumulated, err) : GV_OK;
    if (r == GV_OK && w->t.epoch_batches && w->c->task.result_plot == GV_RESULT_PLOT_ALL)
        r = gv_results_save(&w->results, &w->t.results, err);
    return r == GV_OK ? gv_state_write(&w->t, w->store, path, err) : r;
}

int gv_trainer_stopped(gv_trainer *w, gv_err *err)
{
    return gv_fail(err, GV_ESAVED, "stopped at epoch %" PRId64 ", sample %" PRId64 "; %s", w->t.epoch, w->t.pos,
                   w->c->training.enable_checkpointing && w->o->run ? "the state is saved" : "nothing is saved, because checkpoints are off");
}

static int write_checkpoint(gv_trainer *w, const gv_network *net, const char *name, gv_err *err)
{
    char path[4200];
    gv_checkpoint_path(w->c, w->o->run, name, path, sizeof path);
    int64_t e = w->t.epoch - 1;
    double lr = w->c->optimizer.lr * gv_session_lr_factor(w->c, e);
    return w->c->training.checkpoint_format == GV_CHECKPOINT_PT ? gv_checkpoint_write_pt(net, w->store, w->opt, w->c, path, e, lr, err)
                                                                  : gv_checkpoint_write(net, w->store, path, e, w->t.step, err);
}

static int write_with_adapter(gv_trainer *w, const gv_network *net, const char *name, gv_err *err)
{
    char dir[4200];
    int r = write_checkpoint(w, net, name, err);
    snprintf(dir, sizeof dir, "%s/checkpoints/%s.adapter", w->o->run, name);
    return r == GV_OK ? gv_adapter_write(net, w->store, dir, err) : r;
}

static int publish_results(gv_trainer *w, int64_t e, gv_err *err)
{
    const char *kind = w->facts.subtask == GV_SUBTASK_REGRESSION ? "predicted_against_true" : "confusion_matrix";
    char name[64];
    int r = gv_journal_results(&w->journal, &w->t.picture, err);
    snprintf(name, sizeof name, "val_%s", kind);
    if (r == GV_OK && w->c->task.result_plot != GV_RESULT_PLOT_NONE)
        r = gv_journal_to_draw(&w->journal, name, e, &w->t.picture, err);
    snprintf(name, sizeof name, "train_%s", kind);
    return r == GV_OK ? gv_journal_to_draw(&w->journal, name, e, &w->t.train_picture, err) : r;
}

/* Everything an epoch's end publishes, from the state alone: after a kill between these writes it is done again, to the same bytes. */
int gv_trainer_publish(gv_trainer *w, const gv_network *net, gv_err *err)
{
    if (!w->o->run)
        return GV_OK;
    int64_t e = w->t.epoch - 1;
    int r = gv_journal_put(&w->journal, w->t.metrics_bytes, w->t.line, err);
    if (r == GV_OK)
        r = publish_results(w, e, err);
    if (r < 0 || !w->c->training.enable_checkpointing)
        return r;
    char name[32];
    snprintf(name, sizeof name, "epoch_%04" PRId64, e);
    int64_t keep = w->c->training.keep_epochs;
    if (keep == GV_NONE_I64 || keep > 0)
        r = write_checkpoint(w, net, name, err);
    for (int64_t old = keep == GV_NONE_I64 ? -1 : e - keep, missing = 0; r == GV_OK && old >= 0 && missing < 2; old--) { /* all older ones */
        char path[4200];
        snprintf(name, sizeof name, "epoch_%04" PRId64, old);
        gv_checkpoint_path(w->c, w->o->run, name, path, sizeof path);
        missing = unlink(path) < 0 ? missing + 1 : 0;
    }
    if (r == GV_OK && w->t.is_best)
        r = write_with_adapter(w, net, "best", err);
    return r == GV_OK ? write_with_adapter(w, net, "last", err) : r;
}
