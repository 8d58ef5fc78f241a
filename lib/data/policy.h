/* The augmentation a stage runs: the policy the configuration names, for the data set of a stream. */
#ifndef GV_DATA_POLICY_H
#define GV_DATA_POLICY_H

#include "augment/augment.h"
#include "config/config.h"
#include "stream/stream.h"

/*
 * The train or test policy, from the explicit fields alone (the driver resolves what follows from data and encoder and passes
 * it on) and what the header says: data_set, content, native_size. The pipeline lives in the arena.
 */
int gv_stage_policy(const gv_config *c, const gv_record *header, bool train, gv_pipeline **out, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
