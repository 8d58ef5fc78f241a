/* choices: what a training configuration comes to: rate of an epoch, the metric that decides, a seed. */
#include "session/session.h"
#include "nn/optim/optim.h"
#include <sys/random.h>

double gv_session_lr_factor(const gv_config *c, int64_t epoch)
{
    static const gv_schedule_kind kinds[] = { GV_COSINE_ANNEAL, GV_STEP, GV_MULTI_STEP };
    gv_schedule_kind k = c->optimizer.scheduler < 0 ? GV_NO_SCHEDULE : kinds[c->optimizer.scheduler];
    return gv_schedule(k, epoch, c->training.epochs, c->optimizer.warmup_epochs);
}

int gv_session_draw_seed(uint32_t *seed, gv_err *err)
{
    if (getrandom(seed, sizeof *seed, 0) != sizeof *seed)
        return gv_fail_sys(err, "cannot draw a seed");
    return GV_OK;
}
