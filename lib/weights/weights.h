/*
 * Weights on disk: reading, writing, finding and fetching them.
 *
 *   gv_weights *w;
 *   gv_weights_open(&w, "model.safetensors", &err);        // or .pt, .pth, .bin: the first bytes decide, not the name
 *   const gv_named *t = gv_weights_find(w, "fc.weight");   // lent until gv_weights_close
 *   gv_weights_close(w);
 *
 * Files come from strangers. Nothing in them is executed: a pickle runs on a closed set of instructions, knows a closed set
 * of names, and a file with any other is refused by that name, without a second try. Every size is checked before it is
 * believed. Tensor data is lent from the mapped file wherever it is contiguous, aligned and little-endian, copied otherwise.
 * Do not change a file in place while it is open: replace it (the writers here do).
 */
#ifndef GV_WEIGHTS_WEIGHTS_H
#define GV_WEIGHTS_WEIGHTS_H

#include "common/arena.h"
#include "common/dtype.h"

/* A tensor and its name: C-contiguous, little-endian, aligned to its element. bytes is the product of the shape times the
 * element size; ndim 0 is a scalar. Whoever made it owns name and data. */
typedef struct gv_named {
    const char *name;
    gv_dtype dtype;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    const void *data;
    size_t bytes;
} gv_named;

/* ---- reading ---- */

typedef struct gv_weights gv_weights;

/*
 * Open a file of weights. Read: safetensors; torch.save in its zip form (1.6 and later) and its stream form (before).
 * Refused by name, with advice: TorchScript archives, tar and 7z containers, other pickles, anything unknown.
 *
 * A torch file's root may be a tensor (named "tensor"), a dictionary of tensors, or a dictionary that holds one under
 * state_dict_ema, model_ema, state_dict, model or network_weights (the first of these that is there). Prefixes "module." and "_orig_mod." are
 * taken off. Tensors share storages as they did in the file; strided ones are made contiguous.
 *
 * Returns GV_OK, or GV_EDATA / GV_ESYS with the path and the reason; then *w is NULL.
 */
int gv_weights_open(gv_weights **w, const char *path, gv_err *err) GV_MUST_USE;
void gv_weights_close(gv_weights *w);

/* The model's tensors, in the file's order: i < count. */
size_t gv_weights_count(const gv_weights *w);
const gv_named *gv_weights_at(const gv_weights *w, size_t i);
/* By name, or NULL. Finds the model's tensors and, in a training checkpoint, those of its optimizer, which are not counted
 * above: "optimizer.state.0.exp_avg". */
const gv_named *gv_weights_find(const gv_weights *w, const char *name);
/* A text beside the tensors, or NULL: a key of safetensors' __metadata__; the scalars of a torch checkpoint as text, nested
 * ones with dots ("epoch", "optimizer.param_groups.0.lr", "optimizer.param_groups.0.betas.1"). Floats have 17 digits;
 * truth values are "True" and "False", nothing is "None". */
const char *gv_weights_meta(const gv_weights *w, const char *key);
/* "safetensors", "torch zip" or "torch legacy". */
const char *gv_weights_format(const gv_weights *w);
const char *gv_weights_path(const gv_weights *w);

/* ---- writing: the file appears whole, data is streamed, equal input gives equal bytes ---- */

typedef struct gv_meta { const char *key, *value; } gv_meta;

/* A safetensors file as the official library writes it: the same order, padding and header; __metadata__ holds "format":"pt"
 * and then `meta`. GV_EUSAGE for a name that occurs twice or is not UTF-8. */
int gv_safetensors_write(const char *path, const gv_named *t, size_t n, const gv_meta *meta, size_t nmeta, gv_err *err) GV_MUST_USE;

/* The optimizer of a .pt checkpoint, in the terms of torch.optim's state_dict. */
typedef enum gv_pt_type { GV_PT_NONE, GV_PT_BOOL, GV_PT_INT, GV_PT_FLOAT, GV_PT_FLOATS, GV_PT_STR } gv_pt_type;
typedef struct gv_pt_value {   /* "lr": 0.001; "betas": (0.9, 0.999) */
    const char *key;
    gv_pt_type type;
    int64_t i;                 /* BOOL, INT */
    double f;                  /* FLOAT */
    const double *fs;          /* FLOATS: a tuple of nfs */
    size_t nfs;
    const char *s;             /* STR */
} gv_pt_value;
typedef struct gv_pt_group {   /* one entry of param_groups: its settings, then "params": [indices] */
    const gv_pt_value *v;
    size_t n;
    const int64_t *params;
    size_t nparams;
} gv_pt_group;
typedef struct gv_pt_state {   /* state[param] = {"step": tensor, "exp_avg": tensor, …}; the names in t are these keys */
    int64_t param;
    const gv_named *t;
    size_t n;
} gv_pt_state;
typedef struct gv_pt_optimizer {
    const gv_pt_state *state;
    size_t nstate;
    const gv_pt_group *group;
    size_t ngroup;
} gv_pt_optimizer;

/* The original's checkpoint, {"epoch": e, "model": {name: tensor}, "optimizer": {"state", "param_groups"}}, in torch's zip
 * form: torch.load(weights_only=True) reads it. Tensors with the same data pointer and dtype share one storage, so a weight
 * with two names is written once. opt NULL writes an empty optimizer. */
int gv_pt_write(const char *path, int64_t epoch, const gv_named *model, size_t n, const gv_pt_optimizer *opt, gv_err *err) GV_MUST_USE;

/* ---- finding published weights ---- */

typedef struct gv_source {
    const char *hf_repo;     /* "timm/resnet18.a1_in1k", or NULL */
    const char *hf_revision; /* branch, tag or commit; NULL: main */
    const char *url;         /* torch hub address, or NULL */
    const char *sha256;      /* digest of the file (64 hex digits, or a prefix), or NULL; checked after a download */
    const char *path;        /* explicit file, or folder that holds one of the usual names, or NULL; tried first and alone */
} gv_source;

/*
 * The path of the file, from: `path`; the Hugging Face cache (HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME);
 * the torch hub cache (TORCH_HOME, XDG_CACHE_HOME); a download into the first of these caches that has an address. In a
 * repository the file is the first of model.safetensors, pytorch_model.bin, pytorch_model.pth, model.pth,
 * open_clip_model.safetensors, open_clip_pytorch_model.bin.
 * HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids the download; the message then gives the address, the path where the file is
 * looked for, and a command that copies it there. HF_ENDPOINT, HF_TOKEN, $HF_HOME/token and proxies are honoured.
 * *path lives in `arena`. Returns GV_OK, GV_EUSAGE (nothing found and no download allowed), GV_EDATA (digest), GV_ESYS.
 */
int gv_weights_locate(const gv_source *s, gv_arena *arena, const char **path, gv_err *err) GV_MUST_USE;

/*
 * Fetch url into dest_path, in a process of its own (glovita-fetch, beside the running program). http and https; the directory
 * must exist. The digest (hex of SHA-256 or its beginning, "md5:" and 32 digits, NULL: unchecked) is compared before the file appears under its name. The token is sent
 * to the address's own host alone, also when it redirects. Progress on a terminal. Nothing is resumed. gv_offline() is for the
 * caller to ask.
 */
int gv_download(const char *url, const char *dest_path, const char *sha256_or_prefix, const char *bearer_token_or_NULL, gv_err *err) GV_MUST_USE;

/* True when HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE says so (1, on, yes, true in any case). */
int gv_offline(void);

#endif
