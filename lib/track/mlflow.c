/* mlflow: to come. */
#include "track/track.h"
const gv_sink gv_sink_mlflow = { .name = "mlflow", .summary = "MLflow" };
