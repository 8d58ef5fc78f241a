/* The rows of layernorm.c with intrinsics. NULL where the processor has none of them: the loops there serve. w and b are never NULL here. */
#ifndef GV_NN_ONEDNN_LAYERNORM_ROWS_H
#define GV_NN_ONEDNN_LAYERNORM_ROWS_H

#include <stdbool.h>
#include <stdint.h>

/* x [rows,D] -> y, mean [rows], invstd [rows] */
typedef void dn_ln_rows(const void *x, void *y, int64_t rows, int64_t D, const float *w, const float *b, double eps, float *mean, float *invstd);
/* x, dy [rows,D] -> dx; dw [D] += sum dy xhat, db [D] += sum dy */
typedef void dn_ln_grad_rows(const void *x, const void *dy, void *dx, int64_t rows, int64_t D, const float *w, const float *mean, const float *invstd, float *dw, float *db);

dn_ln_rows *dn_ln_rows_of(bool bf16);
dn_ln_grad_rows *dn_ln_grad_rows_of(bool bf16);

#endif
