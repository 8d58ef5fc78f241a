/*
 * A kernel made of oneDNN primitives run one after another: usually reorders of weights around one convolution or product.
 *
 *   dn_chain *k = dn_chain_new(ctx, err);
 *   dn_place packed = dn_chain_pack(k, DN_IN(1), plain, wanted, err);  // reorder before, where wanted differs from plain
 *   dn_chain_prim(k, pd, err);                                        // pd stays the caller's
 *   dn_chain_arg(k, DNNL_ARG_SRC, x_md, DN_IN(0), err); …
 *   return dn_chain_finish(k, kernel, err);                           // GV_OK, or the first failure; k is freed then
 *
 * Every primitive is made here, when the plan is made; a run sets pointers and executes: it allocates nothing. Packed copies and
 * the primitives' own scratch live in the plan's shared scratch, at offsets fixed here.
 * A chain that has failed (or is NULL, because memory was short) stays failed: calls after the first failure do nothing.
 */
#ifndef GV_NN_ONEDNN_CHAIN_H
#define GV_NN_ONEDNN_CHAIN_H

#include "nn/onednn/onednn.h"
#include "nn/onednn/shim.h"

typedef enum dn_where { DN_AT_IN, DN_AT_OUT, DN_AT_SCRATCH, DN_AT_OWN } dn_where;
typedef struct dn_place { dn_where where; size_t at; } dn_place; /* index of the node's tensor, or offset in scratch or in the chain's own memory */

#define DN_IN(i) ((dn_place){ DN_AT_IN, i })
#define DN_OUT(i) ((dn_place){ DN_AT_OUT, i })

typedef struct dn_chain dn_chain;

dn_chain *dn_chain_new(gv_onednn *ctx, gv_err *err);
dn_place dn_chain_temp(dn_chain *k, size_t bytes);
void dn_chain_prim(dn_chain *k, dnnl_primitive_desc_t pd, gv_err *err);
void dn_chain_arg(dn_chain *k, int arg, dn_cmd md, dn_place p, gv_err *err);
void dn_chain_reorder(dn_chain *k, dn_place src, dn_cmd src_md, dn_place dst, dn_cmd dst_md, gv_err *err);
/* src itself when the two descriptors are equal, else a copy in scratch that a reorder fills. */
dn_place dn_chain_pack(dn_chain *k, dn_place src, dn_cmd src_md, dn_cmd wanted, gv_err *err);
/* The same for input i of the call, a weight: where it is constant, the copy is the chain's own and made in the first run alone. */
dn_place dn_chain_pack_weight(dn_chain *k, const gv_call *c, size_t i, dn_cmd plain, dn_cmd wanted, gv_err *err);
/* src to dst, both as md says; nothing happens in a run where they are the same place. */
void dn_chain_copy(dn_chain *k, dn_place src, dn_place dst, dn_cmd md, gv_err *err);
/* The kernel is called as the implementation oneDNN chose for `pd`. */
void dn_chain_name(dn_chain *k, dnnl_primitive_desc_t pd);
int dn_chain_finish(dn_chain *k, gv_kernel *kernel, gv_err *err);

/* GV_OK; GV_UNSUPPORTED when oneDNN has no such primitive; GV_ESYS when memory is short; GV_EINTERNAL otherwise. */
int dn_status(dnnl_status_t s, const char *what, gv_err *err);

/* The attribute that all our primitives share: scratch is ours. NULL on failure. */
dnnl_primitive_attr_t dn_attr(gv_err *err);

/* The type oneDNN calls it by: f32 and bf16; dnnl_data_type_undef for the rest, which plain kernels serve. */
dnnl_data_type_t dn_type(gv_dtype t);

#endif
