/* video: bytes as a whole video file. The seeds are tests/fixtures/videos.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DGV_SANITIZED -fsanitize=fuzzer,address,undefined -Ilib -I. -include lib/common/banned.h -DGV_MAY_MALLOC \
 *       tests/fuzz/video.c formats/[a-z]*.c lib/sample/[a-z]*.c lib/common/[a-z]*.c -ljpeg -ltiff -ldeflate -ldl -lm -o video-fuzz
 *   ./video-fuzz -max_len=20000 -timeout=30 -rss_limit_mb=3000 CORPUS tests/fixtures/videos
 */
#include "formats/video.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static gv_arena arena;
    gv_err err = { 0 };
    gv_video *v;
    gv_sample x;
    int64_t frame[8];
    if (!arena.base && gv_arena_init(&arena, "fuzz", 64 << 20, &err) < 0)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    gv_video_options o = { .max_frames = 1000, .max_pixels = 1 << 18, .max_output = 16 << 20, .max_cpu = 5, .allow_cut = n & 1 };
    if (gv_video_open(&v, fd, &o, &err) < 0) {
        if (!err.text[0] || v)
            abort(); /* an error without a reason */
        return 0;
    }
    for (int tries = 0, r = 0; !r && tries < 2; tries++) {
        const gv_video_info *i = gv_video_facts(v);
        gv_arena_reset(&arena);
        if (i->frames < 1 || i->times[0] != 0)
            abort();
        for (int k = 0; k < 8; k++)
            frame[k] = i->frames * (7 - k) / 8;
        gv_err_clear(&err);
        r = gv_video_read(v, frame, 8, &x, &arena, &err);
        if (r < 0 && !err.text[0])
            abort();
        if (r > 0 && (x.shape[0] != 8 || x.shape[1] != i->h || x.shape[2] != i->w))
            abort();
    }
    gv_video_close(v);
    return 0;
}
