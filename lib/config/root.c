/* root: fields outside any block, and the list of the blocks in the order of dump and help. */
#include "config/internal.h"

const char *const gv_on_error_names[] = { "fail", "skip", NULL };

static const gv_field fields[] = {
    GV_STR(gv_config, exp_dir, "./experiments", "folder of all runs; this one goes to exp_dir/DATASET/GROUP/FOLD", .takes = GV_TAKES_DIR),
    GV_ENUM(gv_config, on_error, GV_ON_ERROR_FAIL, gv_on_error_names, "a sample that cannot be read stops the run, or is left out, counted and reported"),
    GV_END
};

const gv_block gv_block_root = { .path = "", .summary = "the run", .offset = 0, .fields = fields };

const gv_block *const gv_blocks[] = {
    &gv_block_root, &gv_block_data, &gv_block_augmentation, &gv_block_model, &gv_block_encoder, &gv_block_head, &gv_block_peft, &gv_block_task,
    &gv_block_training, &gv_block_dataloading, &gv_block_optimizer, &gv_block_logger, NULL
};
