/* schedule: the learning rate's factor by epoch, in closed form.
 *
 *   CosineAnneal  e < W: (e+1)/(W+1); then (1 + cos(pi (e-W)/(T-W)))/2, which is cosine to 0 over T epochs when W is 0
 *   Step          0.1 every max(1, T/4) epochs
 *   MultiStep     0.1 at T/2 and again at 3T/4
 * The closed forms equal torch's chained recurrences (CosineAnnealingLR, StepLR, MultiStepLR). */
#include "nn/optim/optim.h"
#include <math.h>

const char *const gv_schedule_names[] = { "None", "CosineAnneal", "Step", "MultiStep", NULL };

double gv_schedule(gv_schedule_kind kind, int64_t e, int64_t epochs, int64_t warmup)
{
    switch (kind) {
    case GV_NO_SCHEDULE: return 1;
    case GV_COSINE_ANNEAL:
        if (e < warmup)
            return (double)(e + 1) / (double)(warmup + 1);
        if (epochs <= warmup) /* the warm-up is the whole run */
            return 1;
        return (1 + cos(3.14159265358979323846 * (double)(e - warmup) / (double)(epochs - warmup))) / 2;
    case GV_STEP: {
        int64_t size = epochs / 4 > 1 ? epochs / 4 : 1;
        return pow(0.1, (double)(e / size));
    }
    case GV_MULTI_STEP: return pow(0.1, (e >= epochs / 2) + (e >= 3 * epochs / 4));
    }
    return 1;
}
