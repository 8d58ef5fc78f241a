/* tensorboard: to come. */
#include "track/track.h"
const gv_sink gv_sink_tensorboard = { .name = "tensorboard", .summary = "TensorBoard's event files" };
