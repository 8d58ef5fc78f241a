/*
 * Before main: make OpenMP's threads sleep soon when they wait.
 *
 * libgomp's threads spin for milliseconds at each end of a loop unless GOMP_SPINCOUNT or OMP_WAIT_POLICY says otherwise. That is fine on cores
 * of one's own; beside decode and augment stages on the same cores a spinning thread takes the core from the one it waits for, and
 * a convolution of 1 ms takes up to 16 (tests/bench/LOG.md). libgomp reads the environment once, when it is loaded, which is before any code
 * of ours and offers no call to change it: so the program starts itself once more with the variable set. Who sets one of the two
 * variables keeps it, and no second start happens.
 */
#include "nn/onednn/internal.h"
#include <errno.h>
#include <unistd.h>

enum { SPINS = 1000 }; /* tens of microseconds: the step to the next kernel, far less than a time slice */

__attribute__((constructor)) static void spin_less(int argc, char **argv)
{
    char path[4096], count[16];
    if (argc < 1 || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    int saved = errno;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    snprintf(count, sizeof count, "%d", SPINS);
    if (n > 0 && setenv("GOMP_SPINCOUNT", count, 0) == 0) {
        path[n] = 0;
        execv(path, argv); /* a failure costs speed alone */
    }
    errno = saved;
}

const int gv_onednn_spins = SPINS; /* named by onednn.c, so that this file is linked wherever the backend is */
