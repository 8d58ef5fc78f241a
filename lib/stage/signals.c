/* signals: a wish to stop is kept until the stage looks, and wakes readers that wait. */
#include "stage/stage.h"
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static int wake = -1;

static void on_signal(int n)
{
    int saved = errno;
    uint64_t one = 1;
    stop = n;
    if (write(wake, &one, sizeof one) < 0)
        errno = saved; /* the flag is set all the same */
    errno = saved;
}

void gv_catch_signals(void)
{
    static const int wanted[] = { SIGTERM, SIGINT, SIGUSR1 };
    sigset_t waited;
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    gv_stream_stop_fd(wake);
    sigemptyset(&waited);
    for (size_t i = 0; i < GV_COUNT(wanted); i++) {
        struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, was;
        sigemptyset(&a.sa_mask);
        if (sigaction(wanted[i], NULL, &was) < 0 || was.sa_handler != SIG_IGN) /* who started us may have wished it ignored */
            sigaction(wanted[i], &a, NULL);
        sigaddset(&waited, wanted[i]);
    }
    sigprocmask(SIG_UNBLOCK, &waited, NULL); /* the driver lets them wait until here */
}

void gv_hold_signals(bool hold)
{
    gv_stream_stop_fd(hold ? -1 : wake);
}

int gv_stop_requested(void)
{
    return stop;
}
