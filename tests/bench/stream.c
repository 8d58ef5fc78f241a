/* stream: one hop of tensor records against the bare pipe, both in this run. Prints a line for each record size.
 * Build: make build/gcc/tests/bench/stream && build/gcc/tests/bench/stream */
#include "stream/stream.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Processor seconds of this process and its children: other load on the machine does not count. */
static double cpu(void)
{
    struct rusage a, b;
    getrusage(RUSAGE_SELF, &a);
    getrusage(RUSAGE_CHILDREN, &b);
    return (double)(a.ru_utime.tv_sec + a.ru_stime.tv_sec + b.ru_utime.tv_sec + b.ru_stime.tv_sec) +
           1e-6 * (double)(a.ru_utime.tv_usec + a.ru_stime.tv_usec + b.ru_utime.tv_usec + b.ru_stime.tv_usec);
}

/* Seconds until `n` records of `size` bytes have gone through a pipe: written and read as they are, or as records. */
static double hop(size_t size, int n, bool records, char *data, char *space)
{
    gv_err err = { 0 };
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0 || fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0)
        abort();
    double start = now();
    pid_t pid = fork();
    if (!pid) {
        close(p[0]);
        int64_t shape[1] = { (int64_t)size };
        gv_writer *w;
        gv_record rec;
        if (records && (gv_writer_open(&w, p[1], "w", GV_TENSOR, &err) < 0 || gv_writer_start(w, &err) < 0))
            abort();
        for (int i = 0; i < n; i++) {
            gv_record_init(&rec, GV_TENSOR);
            if (!records) {
                for (size_t at = 0; at < size;) {
                    size_t k = size - at < 128 << 10 ? size - at : 128 << 10;
                    ssize_t got = write(p[1], data + at, k);
                    if (got < 0)
                        abort();
                    at += (size_t)got;
                }
            } else if (gv_set_i64(&rec, "epoch", 0, &err) < 0 || gv_set_i64(&rec, "pos", i, &err) < 0 || gv_set_text(&rec, "id", "train/cat/000123.png", &err) < 0 ||
                       gv_set_tensor(&rec, "x", GV_U8, shape, 1, data, &err) < 0 || gv_set_i64(&rec, "y", 3, &err) < 0 || gv_put(w, &rec, &err) < 0)
                abort();
        }
        _exit(records && gv_writer_close(&w, true, &err) < 0);
    }
    close(p[1]);
    if (records) {
        gv_reader *r;
        gv_record rec;
        int k = 0;
        if (gv_reader_open(&r, p[0], "r", &err) < 0)
            abort();
        while (gv_next(r, &rec, &err) > 0)
            k++;
        if (k != n || err.code != GV_OK)
            abort();
        gv_reader_close(r);
    } else {
        while (read(p[0], space, 256 << 10) > 0)
            ;
        close(p[0]);
    }
    int status;
    waitpid(pid, &status, 0);
    return now() - start;
}

int main(void)
{
    static const size_t sizes[] = { 784, 12288, 150528, 602112, 8 << 20 };
    gv_err err = { 0 };
    char *data = gv_alloc(8 << 20, &err), *space = gv_alloc(1 << 20, &err);
    if (!data || !space)
        return 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int n = (int)((size_t)1500000000 / (sizes[i] + 2000));
        double b = 1e9, r = 1e9, bc = 1e9, rc = 1e9;
        for (int k = 0; k < 5; k++) { /* in turn, so that both see the same machine */
            double c = cpu(), t = hop(sizes[i], n, false, data, space), c2 = cpu(), t2 = hop(sizes[i], n, true, data, space), c3 = cpu();
            b = t < b ? t : b;
            r = t2 < r ? t2 : r;
            bc = c2 - c < bc ? c2 - c : bc;
            rc = c3 - c2 < rc ? c3 - c2 : rc;
        }
        printf("%8zu bytes: bare %6.2f GB/s  records %6.2f GB/s (%.2f of it)  %8.0f records/s; processor time a record, both ends: bare %.2f us, records %.2f us\n", sizes[i], 1e-9 * (double)sizes[i] * n / b,
               1e-9 * (double)sizes[i] * n / r, b / r, n / r, 1e6 * bc / n, 1e6 * rc / n);
        fflush(stdout);
    }
    return 0;
}
