/*
 * Model families: a builder made of layers, a table of variants under their published names, and the facts about the
 * weights that were published for them.
 *
 *   gv_model_ref m;
 *   if (gv_model_find("resnet50.a1_in1k", &m, err) < 0) …        // nearest names in the message
 *   gv_features f = gv_model_build(g, &m, NULL, x);              // x [N,H,W,C], already normalised
 *   gv_val v = gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, &used);  // [N,D]
 *   gv_val logits = gv_head_build(g, "classification", v, …);    // heads/heads.h
 *
 * An encoder ends in features; pooling and the classifier are built on them, the classifier under the published name
 * (m.classifier: "fc", "head"), so that a whole model has exactly the keys of the published file.
 * A family is one file and one line in models.def. Everything lent here is static.
 */
#ifndef GV_NN_MODELS_MODELS_H
#define GV_NN_MODELS_MODELS_H

#include "common/field.h"
#include "nn/nn.h"

/* One published set of weights. The image is resized to round(input_size / crop_pct), then cropped. */
typedef struct gv_pretrained_cfg {
    const char *arch, *tag;      /* "resnet50", "a1_in1k" */
    const char *hub, *hub_file;  /* Hugging Face repository and file; NULL: timm/<arch>.<tag>, the usual file names; "": none */
    const char *url;             /* as torch.hub caches it, with the first digits of its SHA-256 in the name; NULL: none */
    int input_size;
    double mean[3], std[3];
    const char *interpolation;   /* "bicubic" "bilinear" */
    double crop_pct;
    int num_classes;             /* 0: published without a classifier */
    int frames;                  /* of a clip, at `fps` frames a second; 0: images */
    double fps;
    int resized[2];              /* height and width that frames are resized to before the crop; 0 0: by their short side */
} gv_pretrained_cfg;

/* What model_kwargs may change. */
typedef struct gv_model_options {
    double drop_path_rate;
    double pos_drop_rate, proj_drop_rate, attn_drop_rate; /* transformers */
    bool qk_norm;                                         /* transformers */
    int64_t img_size;                                     /* side of the images; 0: what comes */
    int64_t spatial_size, temporal_size;                  /* side and frames of the clips that positions are made for; 0: the published ones */
    const void *params;                                   /* the fields of the encoder in the configuration, for families with such of their own */
} gv_model_options;
extern const gv_field gv_model_option_fields[];

typedef struct gv_model {
    const char *name, *summary, *source;
    const char *encoder;         /* the kind of encoder (model.encoder.encoder_type) its variants are chosen by; NULL: "timm" */
    unsigned axes;               /* spatial axes it takes, time counts as one: bits 1 << 1 to 1 << 3; 0: two */
    const void *variants;        /* each begins with `const char *name` */
    size_t variant_size, variant_count;
    const gv_pretrained_cfg *cfgs;
    size_t cfg_count;            /* those of one architecture stand together, its default first */
    const char *classifier;      /* "fc", "head" */
    int classifier_axes;         /* it is a convolution over that many axes (gv_head_in.axes); 0: a linear layer */
    const char *first_conv;      /* of most variants: "conv1", "patch_embed.proj"; where several modules see the input, all of them, with spaces */
    int64_t (*num_features)(const void *variant);              /* NULL: the graph tells */
    int64_t (*patch_size)(const void *variant);                /* NULL: none */
    const char *(*first_conv_of)(const void *variant);         /* NULL: first_conv */
    const char *(*classifier_of)(const void *variant);         /* NULL: classifier */
    gv_features (*build)(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x);
    gv_val (*pooled)(gv_graph *g, const void *variant, gv_val x); /* after pooling, before the classifier; NULL: nothing */
    int (*pos_prefix)(const void *variant);                    /* prefix tokens that pos_embed covers; NULL: no pos_embed */
    const char *(*unused_prefix)(const void *variant);         /* of published tensors that have no use here, or NULL */
    bool any_channels;           /* weights come with any number of input channels, not with 3 alone */
    bool transformer;
    bool made_for_clips;         /* its positions have the size that spatial_size and temporal_size give */
} gv_model;

#define GV_MODEL(n) extern const gv_model gv_model_##n;
#include "nn/models/models.def"
#undef GV_MODEL

/* A family, one of its variants, and its weights. */
typedef struct gv_model_ref {
    const gv_model *family;
    const void *variant;
    const char *arch;
    const gv_pretrained_cfg *cfg; /* NULL: none were published */
    const char *first_conv;       /* module whose weight sees the input channels */
    const char *classifier;       /* module of the published classifier */
    int64_t num_features, patch_size; /* patch_size 0: none */
    char hub[128];                /* "timm/resnet50.a1_in1k"; "" when there is none */
} gv_model_ref;

/* "arch" or "arch.tag", split at the first '.'; without a tag the architecture's default one; timm's older names ("tv_resnet50") stand
 * for theirs. GV_EUSAGE: an unknown
 * architecture with the nearest names, an unknown tag with those that exist, an architecture known but not built. */
int gv_model_find_in(const char *encoder, const char *name, gv_model_ref *out, gv_err *err) GV_MUST_USE;
int gv_model_find(const char *name, gv_model_ref *out, gv_err *err) GV_MUST_USE; /* in "timm" */
/* The architectures of a kind of encoder in order, for lists and completion; NULL behind the last. */
const char *gv_model_arch_in(const char *encoder, int i);
const char *gv_model_arch(int i); /* in "timm" */

/* x [N,s…,C] REAL with a number of spatial axes that the family takes. options NULL: none. */
gv_features gv_model_build(gv_graph *g, const gv_model_ref *m, const gv_model_options *o, gv_val x);

typedef enum gv_aggregation { GV_AGG_CLS_TOKEN, GV_AGG_AVG, GV_AGG_SUM, GV_AGG_MEAN_ALL, GV_AGG_JOINT } gv_aggregation;
extern const char *const gv_aggregation_names[]; /* NULL-terminated, in that order */

/* Features to one vector per sample, [N,D] (joint of tokens: [N,2D], class token first). avg, sum and joint leave out every
 * prefix token; the family's norm behind the pooling (fc_norm) is applied as timm does. Maps are averaged over space and
 * vectors pass through, whatever the method. On tokens without a class token, cls_token and joint fail the graph when
 * `typed` by the user; an untouched default becomes avg. *used (may be NULL) tells what was done. m may be NULL. */
gv_val gv_pool(gv_graph *g, const gv_model_ref *m, const gv_features *f, gv_aggregation method, bool typed, gv_aggregation *used);
gv_val gv_aggregate(gv_graph *g, const gv_features *f, gv_aggregation method, bool typed, gv_aggregation *used);

#endif
