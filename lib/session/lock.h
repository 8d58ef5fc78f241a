/* A run's directory belongs to one run at a time, by a kernel lock that dies with its holder. */
#ifndef GV_SESSION_LOCK_H
#define GV_SESSION_LOCK_H
#include "common/err.h"
/* Lock the directory (made when it is not there). GV_EBUSY names the holder. Where the holder is dead and stages of its run are just
 * ending, it waits for them, 5 s at most: --resume works at once behind a kill -9. Closing the descriptor unlocks. */
int gv_dir_lock(const char *dir, int *fd, gv_err *err) GV_MUST_USE;
#endif
