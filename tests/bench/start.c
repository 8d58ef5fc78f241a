/*
 * start: how long programs take that do nothing: from fork to their end, and the processor time of it.
 *
 *   build/gcc/tests/bench/start [FOLDER]        (bin)
 *
 * JSON lines (bench.h): "start/PROGRAM OPTION" in ms, the median of 21; best; cpu_ms: the median of their processor time.
 */
#include "tests/bench/bench.h"
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 21 };

static int one(const char *folder, const char *program, const char *option)
{
    char path[4096], name[200], more[100];
    double wall[TIMES], cpu[TIMES];
    snprintf(path, sizeof path, "%s/%s", folder, program);
    for (int i = 0; i < TIMES; i++) {
        double t = bench_now(), c = bench_cpu();
        pid_t pid = fork();
        if (!pid) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (null < 0 || dup2(null, 1) < 0)
                _exit(126);
            execl(path, path, option, (char *)NULL);
            _exit(127);
        }
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
            fprintf(stderr, "start: error: '%s %s' did not end well: make all\n", path, option);
            return 1;
        }
        wall[i] = bench_now() - t;
        cpu[i] = bench_cpu() - c;
    }
    double median = bench_median(wall, TIMES);
    snprintf(name, sizeof name, "start/%s %s", program, option);
    snprintf(more, sizeof more, "\"best\":%.3f,\"cpu_ms\":%.3f", 1e3 * wall[0], 1e3 * bench_median(cpu, TIMES));
    bench_line(name, 1e3 * median, "ms", NAN, more);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const what[][2] = { { "glovita_train", "--help" }, { "glovita-run", "--version" }, { "glovita-index", "--version" }, { "glovita-decode", "--version" },
                                           { "glovita-batch", "--version" }, { "glovita-train", "--version" }, { "glovita-forward", "--version" } };
    int bad = 0;
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        bad |= one(argc > 1 ? argv[1] : "bin", what[i][0], what[i][1]);
    return bad;
}
