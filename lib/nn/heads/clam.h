/* The options of the head clam; heads.h has what all heads have. */
#ifndef GV_NN_HEADS_CLAM_H
#define GV_NN_HEADS_CLAM_H

#include "nn/heads/heads.h"

enum { GV_CLAM_GLOVITA, GV_CLAM_ORIGINAL };
enum { GV_CLAM_SB, GV_CLAM_MB };
enum { GV_CLAM_CE, GV_CLAM_SVM };

struct gv_clam {
    int64_t out_dim; /* the first two are those of gv_head_options */
    double dropout;
    int preset, variant;
    bool gate;
    int size_arg;
    int64_t k_sample;
    bool subtyping, feature_prep, l2_normalize_features;
    double layer_norm_eps;
    bool cosine_head;
    double cosine_scale;
    bool instance_eval;
    int instance_loss, bag_loss;
    double bag_loss_weight, instance_loss_weight, attn_drop;
    int64_t topk_k;
    double topk_tau;
    bool stochastic_topk;
    double topk_noise_std, topk_consistency_weight;
};

#endif
