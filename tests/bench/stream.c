/*
 * stream: one hop of tensor records (digests at both ends) against a bare pipe whose ends read every byte once, both in this run.
 *
 *   build/gcc/tests/bench/stream [BYTES …]        (784 12288 150528 602112 8388608)
 *
 * JSON lines (bench.h): "stream/BYTES/bare" and "stream/BYTES/records" in GB/s, best of five in turns; roof_share of the records is their
 * rate over the bare pipe's; cpu_us: processor time of both ends for a record.
 */
#include "stream/stream.h"
#include "tests/bench/bench.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>

/* What the bare pipe's ends do with the bytes: read each once, as a digest must. */
GV_HOT static uint64_t stream_look(const char *p, size_t n)
{
    uint64_t sum[8] = { 0 }, v[8];
    for (size_t i = 0; i + sizeof v <= n; i += sizeof v) {
        memcpy(v, p + i, sizeof v);
        for (int k = 0; k < 8; k++)
            sum[k] += v[k];
    }
    return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}
static volatile uint64_t seen;

/* Seconds until `n` records of `size` bytes have gone through a pipe: written and read as they are, or as records. */
static double hop(size_t size, int n, bool records, char *data, char *space)
{
    gv_err err = { 0 };
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0 || fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0)
        abort();
    double start = bench_now();
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
                    seen += stream_look(data + at, (size_t)got);
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
        gv_stream_borrows(); /* as every stage does */
        if (gv_reader_open(&r, p[0], "r", &err) < 0)
            abort();
        while (gv_next(r, &rec, &err) > 0)
            k++;
        if (k != n || err.code != GV_OK)
            abort();
        gv_reader_close(r);
    } else {
        ssize_t got;
        while ((got = read(p[0], space, 256 << 10)) > 0)
            seen += stream_look(space, (size_t)got);
        close(p[0]);
    }
    int status;
    waitpid(pid, &status, 0);
    return bench_now() - start;
}

int main(int argc, char **argv)
{
    enum { MOST = 8 << 20, TIMES = 5 };
    size_t sizes[32] = { 784, 12288, 150528, 602112, MOST };
    int count = 5;
    gv_err err = { 0 };
    char *data = gv_alloc(MOST, &err), *space = gv_alloc(1 << 20, &err), name[64], more[128];
    if (!data || !space)
        return 1;
    for (int i = 1; i < argc && i <= 32; i++) {
        sizes[i - 1] = strtoull(argv[i], NULL, 10);
        count = i;
        if (sizes[i - 1] < 64 || sizes[i - 1] > MOST) {
            fprintf(stderr, "stream: error: '%s' bytes; the range is 64 to %d\n", argv[i], MOST);
            return 2;
        }
    }
    for (int i = 0; i < count; i++) {
        int n = (int)((size_t)1500000000 / (sizes[i] + 2000));
        double b = INFINITY, r = INFINITY, bc = INFINITY, rc = INFINITY, bytes = 1e-9 * (double)sizes[i] * n;
        for (int k = 0; k < TIMES; k++) { /* in turn, so that both see the same machine */
            double c = bench_cpu(), t = hop(sizes[i], n, false, data, space), c2 = bench_cpu(), t2 = hop(sizes[i], n, true, data, space), c3 = bench_cpu();
            b = fmin(b, t), r = fmin(r, t2), bc = fmin(bc, c2 - c), rc = fmin(rc, c3 - c2);
        }
        snprintf(name, sizeof name, "stream/%zu/bare", sizes[i]);
        snprintf(more, sizeof more, "\"cpu_us\":%.3f", 1e6 * bc / n);
        bench_line(name, bytes / b, "GB/s", 1, more);
        snprintf(name, sizeof name, "stream/%zu/records", sizes[i]);
        snprintf(more, sizeof more, "\"cpu_us\":%.3f,\"per_s\":%.1f", 1e6 * rc / n, n / r);
        bench_line(name, bytes / r, "GB/s", b / r, more);
    }
    return 0;
}
