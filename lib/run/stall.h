/* What is told when no stage has said anything for long: who is stopped, who computes, who waits for whom. */
#ifndef GV_RUN_STALL_H
#define GV_RUN_STALL_H

#include "run/pipeline.h"
#include <sys/types.h>

/* pid[i]: of stage i, 0 when it has ended. to_fd[e]: the descriptor of edge e in its reader. Takes a quarter of a second. */
void gv_stall_tell(const gv_pipeline_plan *p, const pid_t *pid, const int *to_fd, double seconds);
/* Seconds without a sign of life before the first report: GLOVITA_STALL, or 30. */
double gv_stall_after(void);

#endif
