/* stream: bytes as a whole stream. The seeds are tests/fixtures; a header is put in front so that the records are reached.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DGV_SANITIZED -fsanitize=fuzzer,address,undefined -Ilib -I. -include lib/common/banned.h -DGV_MAY_MALLOC \
 *       -DGV_WANTS_MSGPACK tests/fuzz/stream.c lib/stream/[a-z]*.c lib/common/[a-z]*.c -lmsgpackc -lm -o stream-fuzz
 *   ./stream-fuzz -max_len=2000 -rss_limit_mb=3000 CORPUS tests/fixtures
 */
#include "stream/stream.h"
#include <sys/mman.h>
#include <unistd.h>

static void read_all(const uint8_t *head, size_t h, const uint8_t *p, size_t n)
{
    gv_err err = { 0 };
    gv_reader *r;
    gv_record rec;
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, head, h) != (ssize_t)h || write(fd, p, n) != (ssize_t)n)
        abort();
    lseek(fd, 0, SEEK_SET);
    if (gv_reader_open(&r, fd, "fuzz", &err) < 0)
        return;
    while (gv_next(r, &rec, &err) > 0) {
        uint64_t sum = 0;
        for (size_t i = 0; i < rec.n; i++) {
            const gv_tensor *t = gv_get_tensor(&rec, rec.field[i].key);
            for (size_t k = 0; t && k < t->bytes; k++)
                sum += ((const uint8_t *)t->data)[k];
            if (t && (uintptr_t)t->data % gv_dtype_of(t->dtype)->size && t->bytes)
                abort();
        }
        __asm__ volatile("" ::"r"(sum));
    }
    gv_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char header[] = "\x84\xa4kind\xa6header\xa6""format\xaeglovita-stream\xa7version\x01\xa6stream\xa6tensor";
    if (setenv("GLOVITA_MAX_RECORD", "16777216", 1) < 0)
        abort();
    read_all(NULL, 0, p, n);
    read_all((const uint8_t *)header, sizeof header - 1, p, n);
    return 0;
}
