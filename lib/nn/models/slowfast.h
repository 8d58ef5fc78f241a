/* The fields of model.encoder where its kind is pytorchvideo; lib/config has their table, and the families of that kind get them as
 * gv_model_options.params. */
#ifndef GV_NN_MODELS_SLOWFAST_H
#define GV_NN_MODELS_SLOWFAST_H

#include "common/field.h"

enum { GV_PATHWAY_AUTO, GV_PATHWAY_SINGLE, GV_PATHWAY_SLOWFAST };
struct gv_pytorchvideo_encoder { const char *type; bool pretrained; int64_t input_channels; int pathway_mode; int64_t slowfast_alpha; bool return_intermediates; gv_strs intermediate_names; gv_dict model_kwargs; const char *weights; };

#endif
