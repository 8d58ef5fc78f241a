/* Framing of the trackers' own files: a record as the file takes it, appended to what goes behind its first `at` bytes. */
#ifndef GV_TRACK_FRAMES_H
#define GV_TRACK_FRAMES_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * W&B's .wandb file: blocks of 32768 bytes counted from the file's start, whose first 7 bytes say what it is. A record is cut into chunks
 * of 7 bytes of head (crc32 of type and data, length, type: whole, first, middle, last) and data; fewer than 7 bytes at a block's
 * end are zero. at: bytes of the file before `out`; at + out->len == 0: the file's head is written first.
 * Source: core/pkg/leveldb/record.go of wandb/wandb.
 */
int gv_frame_wandb(gv_buf *out, int64_t at, const void *p, size_t n, gv_err *err) GV_MUST_USE;

/*
 * TensorBoard's event files: length (8 bytes), its masked crc32c, data, its masked crc32c.
 * Source: tensorboard/compat/tensorflow_stub/pywrap_tensorflow.py, record_writer.py.
 */
int gv_frame_tfevents(gv_buf *out, const void *p, size_t n, gv_err *err) GV_MUST_USE;
/* CRC-32C (Castagnoli), as of iSCSI: of "123456789" 0xe3069283. */
uint32_t gv_crc32c(const void *p, size_t n);

#endif
