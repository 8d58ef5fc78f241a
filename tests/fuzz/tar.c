/* tar: bytes as archives, half of the members read. The seeds are tests/fixtures/tar.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DGV_SANITIZED -fsanitize=fuzzer,address,undefined -Ilib -I. -include lib/common/banned.h -DGV_MAY_MALLOC \
 *       tests/fuzz/tar.c lib/data/tar.c lib/common/[a-z]*.c -lm -o tar-fuzz
 *   ./tar-fuzz -max_len=20000 -rss_limit_mb=1000 CORPUS tests/fixtures/tar
 * The checksum of each header is made right, so that more than the first is reached.
 */
#include "data/tar.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void seal(uint8_t *h)
{
    unsigned sum = 8 * ' ';
    for (int i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? 0 : h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    gv_err err = { 0 };
    gv_tar *t;
    gv_tar_member m;
    uint8_t *copy = malloc(n + 1);
    int fd = memfd_create("fuzz", 0), r, k = 0;
    memcpy(copy, p, n);
    for (size_t at = 0; at + 512 <= n; at += 512)
        if (copy[at + 257] == 'u')
            seal(copy + at);
    if (fd < 0 || write(fd, copy, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0 || gv_tar_open(&t, fd, "fuzz", &err) < 0)
        abort();
    while ((r = gv_tar_next(t, &m, &err)) > 0)
        if (r == GV_TAR_MEMBER && (strlen(m.name) + strlen(m.link)) % 2 == 0 && k++ < 1000) {
            gv_buf b = { 0 };
            if (gv_tar_read(t, &b, &err) == GV_OK && b.len != m.size)
                abort();
            gv_buf_release(&b);
        }
    gv_tar_close(t);
    free(copy);
    return 0;
}
