/* weights: bytes as a whole file of weights. The seeds are tests/fixtures/weights. A checksum guards each member of a zip
 * archive, so the pickles are also reached by the stream form: bytes that are no archive get its first pickles in front.
 * Build: clang -fsanitize=fuzzer,address,undefined; run with -rss_limit_mb=2048. */
#include "weights/weights.h"
#include <sys/mman.h>
#include <unistd.h>

static void read_all(const uint8_t *head, size_t h, const uint8_t *p, size_t n)
{
    gv_err err = { 0 };
    gv_weights *w;
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, head, h) != (ssize_t)h || write(fd, p, n) != (ssize_t)n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int r = gv_weights_open(&w, path, &err);
    if ((r != GV_OK) != (w == NULL) || (r < 0 && !err.text[0]))
        abort();
    for (size_t i = 0; w && i < gv_weights_count(w); i++) {
        const gv_named *t = gv_weights_at(w, i);
        uint64_t sum = 0;
        for (size_t k = 0; k < t->bytes; k++)
            sum += ((const uint8_t *)t->data)[k];
        __asm__ volatile("" ::"r"(sum));
        if (((uintptr_t)t->data % gv_dtype_of(t->dtype)->size && t->bytes) || gv_weights_find(w, t->name) != t)
            abort();
    }
    gv_weights_close(w);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t head[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}";
    read_all(p, 0, p, n);
    if (n && p[0] != 'P')
        read_all(head, sizeof head - 1, p, n); /* the first byte ends the third pickle, or not */
    return 0;
}
