/* shell: a command whose output is a stream. */
#include "data/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int gv_shell_start(const char *command, const char *root, pid_t *pid, int *out, gv_err *err)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    char *argv[] = { "sh", "-c", (char *)(uintptr_t)command, NULL };
    sigset_t pipe_alone;
    if (setenv("GLOVITA_DATA_ROOT", root, 1) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return gv_fail_sys(err, "cannot start '%s'", command);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_init(&attr);
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &pipe_alone);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    int e = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(ends[1]);
    if (e) {
        close(ends[0]);
        errno = e;
        return gv_fail_sys(err, "cannot start '%s'", command);
    }
    *out = ends[0];
    return GV_OK;
}

int gv_shell_end(pid_t pid, int r, gv_err *err)
{
    int status = 0;
    if (r < 0)
        kill(pid, SIGKILL); /* it may go on writing for long; a driver's stages, and what they start, ignore SIGTERM */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status && (r == GV_OK || (WIFEXITED(status) && WEXITSTATUS(status)))) { /* its own failure is the cause of a cut stream */
        gv_err_clear(err);
        r = WIFEXITED(status) && WEXITSTATUS(status) == 127 ? gv_fail(err, GV_EUSAGE, "the shell does not find it") :
            WIFEXITED(status) ? gv_fail(err, GV_EDATA, "it ended with status %d", WEXITSTATUS(status)) : gv_fail(err, GV_EDATA, "it was killed by signal %d", WTERMSIG(status));
    }
    return r;
}
