/* dataloading: batches and the processes that make them. */
#include "config/internal.h"

#define D struct gv_dataloading_config
static const gv_field fields[] = {
    GV_I64(D, batch_size, 32, 1, 1 << 20, "sample", "samples in a training batch"),
    GV_OPT_I64(D, eval_batch_size, 1, 1 << 20, "sample", "samples in a validation or test batch; None: as batch_size"),
    GV_I64(D, num_workers, 12, 0, 1024, "", "strands of decoding and augmenting; untouched it is at most the cores this process may use. The results are the same with any number"),
    GV_BOOL(D, pin_memory, true, "accepted for compatibility: transfers to a GPU always use pinned memory here"),
    GV_BOOL(D, persistent_workers, true, "accepted for compatibility: the strands live for the whole run here"),
    { .name = "prefetch_factor", .type = GV_TYPE_I64, .optional = true, .offset = GV_FIELD_OF(D, prefetch_factor, int64_t), .def.i = 2, .lo.i = 1, .hi.i = 1024, .unit = "batch", .help = "accepted for compatibility: the pipes between the stages hold what is ready" },
    GV_F64(D, timeout, 0.0, 0.0, INFINITY, "second", "accepted for compatibility: a dead strand is noticed at once"),
    GV_BOOL(D, drop_last_train, false, "leave out the last training batch of an epoch when it is short"),
    GV_BOOL(D, drop_last_eval, false, "leave out the last validation or test batch when it is short"),
    GV_BOOL(D, shuffle_train, true, "draw a new order of the training samples in every epoch"),
    GV_BOOL(D, shuffle_eval, false, "shuffle validation and test samples too"),
    GV_BOOL(D, balanced_sampling, false, "an epoch draws as many training samples as there are, with replacement, each class with the same chance"),
    GV_BOOL(D, use_worker_init_fn, true, "accepted for compatibility: random numbers never depend on the worker"),
    GV_END
};

const gv_block gv_block_dataloading = {
    .path = "dataloading", .summary = "batches and strands", .offset = offsetof(gv_config, dataloading), .fields = fields,
};
