/* peft: which parameters are trained and what is added to the encoder. Methods with a unit come from nn/peft/peft.def; the
 * others are declared here with the fields and defaults of the Python GloViTa, and move to their unit when they get one. */
#include "config/internal.h"

#define LINEAR_TARGETS "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1_g mlp.fc1_x mlp.fc2"
#define MLP_TARGETS "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1 mlp.fc2"
#define RANK(T, m, d) GV_I64(T, m, d, 1, 1 << 16, "", "rank of the update")
#define ALPHA(T, m, d) GV_F64(T, m, d, GV_ABOVE_0, INFINITY, "", "scale of the update, times rank")
#define DROPOUT(T, m, d) GV_F64(T, m, d, 0.0, GV_BELOW_1, "probability", "dropout before the update")
#define TARGETS(T, m, d) GV_STRS(T, m, d, NULL, "modules to adapt, by the end of their path")
#define COUNT(T, m, d, h) GV_I64(T, m, d, 1, 1 << 24, "", h)
#define RSLORA(T) GV_BOOL(T, use_rslora, false, "scale by the root of the rank")
#define INIT_LORA(T) GV_BOOL(T, init_lora_weights, true, "start as the unchanged encoder")
#define LORA_BIAS(T, c) GV_ENUM(T, lora_bias, 0, c, "biases that are trained")
#define FREEZE(T) GV_BOOL(T, freeze_backbone, true, "train only adapters and head")

#define METHOD_WITH(id, cls, text, ...) \
    static const gv_field id##_fields[] = { __VA_ARGS__, GV_END }; \
    static const gv_variant id = { .name = #id, .class_name = cls, .summary = text, .fields = id##_fields, .params_size = sizeof(struct id), .built = false }

static const char *const biases[] = { "none", "all", "lora_only", NULL };
static const char *const biases_oft[] = { "none", "all", NULL };
static const char *const modes[] = { "parallel", "sequential", NULL };
static const char *const inits[] = { "lora", "bert", NULL };
static const char *const layernorms[] = { "in", "out", "none", NULL };

struct adalora {
    int64_t adalora_rank, adalora_init_rank;
    double adalora_alpha, adalora_dropout;
    gv_strs adalora_target_modules;
    bool use_rslora, init_lora_weights;
    int lora_bias;
    double adalora_orth_reg_weight, adalora_beta1, adalora_beta2;
    int64_t adalora_tinit, adalora_deltaT;
};
METHOD_WITH(adalora, "AdaLoraConfig", "AdaLoRA: ranks given out by singular values",
    RANK(struct adalora, adalora_rank, 4), COUNT(struct adalora, adalora_init_rank, 12, "rank at the start"), ALPHA(struct adalora, adalora_alpha, 32),
    DROPOUT(struct adalora, adalora_dropout, 0), TARGETS(struct adalora, adalora_target_modules, MLP_TARGETS), RSLORA(struct adalora),
    INIT_LORA(struct adalora), LORA_BIAS(struct adalora, biases),
    GV_F64(struct adalora, adalora_orth_reg_weight, 0.5, -INFINITY, INFINITY, "", "weight of the orthogonality penalty"),
    GV_F64(struct adalora, adalora_beta1, 0.85, -INFINITY, INFINITY, "", "smoothing of the sensitivity"),
    GV_F64(struct adalora, adalora_beta2, 0.85, -INFINITY, INFINITY, "", "smoothing of the uncertainty"),
    GV_I64(struct adalora, adalora_tinit, 0, 0, INT64_MAX, "step", "steps before the ranks shrink"),
    GV_I64(struct adalora, adalora_deltaT, 1, 1, INT64_MAX, "step", "steps between two allocations"));

struct oft { int64_t oft_r; double oft_dropout; gv_strs oft_target_modules; bool oft_coft; double oft_eps; int oft_bias; bool oft_use_cayley_neumann; };
METHOD_WITH(oft, "OFTConfig", "OFT: orthogonal fine-tuning",
    RANK(struct oft, oft_r, 8), DROPOUT(struct oft, oft_dropout, 0), TARGETS(struct oft, oft_target_modules, MLP_TARGETS),
    GV_BOOL(struct oft, oft_coft, false, "constrained variant"), GV_F64(struct oft, oft_eps, 6e-5, -INFINITY, INFINITY, "", "bound of the constrained variant"),
    GV_ENUM(struct oft, oft_bias, 0, biases_oft, "biases that are trained"), GV_BOOL(struct oft, oft_use_cayley_neumann, true, "inverse by a Neumann series"));

struct boft { int64_t boft_block_size, boft_n_butterfly_factor; double boft_dropout; gv_strs boft_target_modules; int boft_bias; };
METHOD_WITH(boft, "BOFTConfig", "BOFT: orthogonal butterfly matrices",
    COUNT(struct boft, boft_block_size, 8, "side of a block"), COUNT(struct boft, boft_n_butterfly_factor, 1, "number of butterfly factors"),
    DROPOUT(struct boft, boft_dropout, 0), TARGETS(struct boft, boft_target_modules, MLP_TARGETS), GV_ENUM(struct boft, boft_bias, 0, biases_oft, "biases that are trained"));

struct vera { int64_t vera_rank; double vera_dropout; gv_strs vera_target_modules; int64_t vera_projection_prng_key; };
METHOD_WITH(vera, "VeRAConfig", "VeRA: shared random matrices, trained vectors",
    RANK(struct vera, vera_rank, 8), DROPOUT(struct vera, vera_dropout, 0.01), TARGETS(struct vera, vera_target_modules, LINEAR_TARGETS),
    GV_I64(struct vera, vera_projection_prng_key, 0, 0, INT64_MAX, "", "seed of the shared matrices"));

struct fourierft { int64_t fourierft_n_frequency; double fourierft_scaling; gv_strs fourierft_target_modules; };
METHOD_WITH(fourierft, "FourierFTConfig", "FourierFT: updates with few frequencies",
    COUNT(struct fourierft, fourierft_n_frequency, 1000, "frequencies"), GV_F64(struct fourierft, fourierft_scaling, 150, GV_ABOVE_0, INFINITY, "", "scale of the update"),
    TARGETS(struct fourierft, fourierft_target_modules, MLP_TARGETS));

struct adapt_former { int mode; int64_t bottleneck; double dropout; int init_option; double adapter_scalar; int adapter_layernorm_option; bool freeze_backbone; };
METHOD_WITH(adapt_former, "AdaptFormerConfig", "AdaptFormer: small MLPs beside those of the blocks",
    GV_ENUM(struct adapt_former, mode, 0, modes, "beside the MLP or behind it"), COUNT(struct adapt_former, bottleneck, 64, "hidden units"),
    DROPOUT(struct adapt_former, dropout, 0), GV_ENUM(struct adapt_former, init_option, 0, inits, "how the adapters start"),
    GV_F64(struct adapt_former, adapter_scalar, 1, -INFINITY, INFINITY, "", "scale of the adapter's output"),
    GV_ENUM(struct adapt_former, adapter_layernorm_option, 0, layernorms, "where a layer norm stands"), FREEZE(struct adapt_former));

struct convpass { int64_t bottleneck; double dropout; bool freeze_backbone; };
METHOD_WITH(convpass, "ConvpassConfig", "Convpass: convolutions around the blocks",
    COUNT(struct convpass, bottleneck, 64, "channels"), DROPOUT(struct convpass, dropout, 0), FREEZE(struct convpass));

struct rep_adapter { int64_t repadapter_bottleneck, repadapter_groups; double repadapter_scale_init; };
METHOD_WITH(rep_adapter, "RepAdapterConfig", "RepAdapter: adapters that fold into the weights",
    COUNT(struct rep_adapter, repadapter_bottleneck, 8, "hidden units"), COUNT(struct rep_adapter, repadapter_groups, 2, "groups"),
    GV_F64(struct rep_adapter, repadapter_scale_init, 0.001, -INFINITY, INFINITY, "", "scale at the start"));

struct fact { int64_t fact_r; };
METHOD_WITH(fact, "FacTConfig", "FacT: one tensor for all updates, in factors", RANK(struct fact, fact_r, 4));

struct gps { double gps_percent; };
METHOD_WITH(gps, "GPSConfig", "GPS: the weights with the largest gradients", GV_F64(struct gps, gps_percent, 1, GV_ABOVE_0, 100, "per cent", "share of the weights"));

#define GV_PEFT(n) extern const gv_variant gv_peft_variant_##n;
#include "nn/peft/peft.def"
#undef GV_PEFT
static const gv_variant *const variants[] = {
#define GV_PEFT(n) &gv_peft_variant_##n,
#include "nn/peft/peft.def"
#undef GV_PEFT
    &adalora, &oft, &boft, &vera, &fourierft, &adapt_former, &convpass, &rep_adapter, &fact, &gps, NULL
};
static const gv_union uni = {
    .field = "method", .help = "which parameters are trained, and what is added", .variants = variants, .def = "full_finetuning",
    .chosen = offsetof(struct gv_peft_config, method), .params = offsetof(struct gv_peft_config, params),
};

static const gv_field fields[] = {
    GV_OPT_STR(struct gv_peft_config, adapter, "folder of an adapter to begin with, as the Python library peft keeps it; it brings its method and fields", .takes = GV_TAKES_DIR),
    GV_END
};

const gv_block gv_block_peft = { .path = "peft", .summary = "fine-tuning method", .offset = offsetof(gv_config, peft), .fields = fields, .uni = &uni };
