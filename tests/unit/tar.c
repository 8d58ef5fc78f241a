/* Tar archives: what is read, and what is refused with its place. */
#include "data/tar.h"
#include "tap.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gv_err err;
static uint8_t file[64 << 10];
static size_t len;

/* A header at the end of `file`; size as text, 12 bytes. */
static uint8_t *header(const char *name, char type, const char *size)
{
    uint8_t *h = file + len;
    memset(h, 0, 512);
    memcpy(h, name, strlen(name));
    memcpy(h + 124, size, strlen(size));
    h[156] = (uint8_t)type;
    memcpy(h + 257, "ustar\0" "00", 8);
    len += 512;
    return h;
}

static void seal(uint8_t *h)
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static void add(const char *name, char type, const char *text)
{
    char size[32];
    size_t n = strlen(text);
    snprintf(size, sizeof size, "%011zo", n);
    seal(header(name, type, size));
    memset(file + len, 0, (n + 511) / 512 * 512);
    memcpy(file + len, text, n);
    len += (n + 511) / 512 * 512;
}

static void finish(void)
{
    memset(file + len, 0, 1024);
    len += 1024;
}

static gv_tar *begin(size_t n)
{
    gv_tar *t;
    int fd = memfd_create("tar", 0);
    if (fd < 0 || write(fd, file, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0 || gv_tar_open(&t, fd, "f", &err) < 0)
        exit(70);
    return t;
}

/* Everything of it: the last answer, and the number of members. */
static int walk(size_t n, int *members, bool read)
{
    gv_tar *t = begin(n);
    gv_tar_member m;
    int r;
    *members = 0;
    gv_err_clear(&err);
    while ((r = gv_tar_next(t, &m, &err)) > 0)
        if (r == GV_TAR_MEMBER) {
            gv_buf b = { 0 };
            ++*members;
            if (read && gv_tar_read(t, &b, &err) < 0)
                r = err.code;
            gv_buf_release(&b);
        }
    if (r < 0) {
        gv_err again = { 0 };
        r = gv_tar_next(t, &m, &again) < 0 ? r : 99; /* an error stays */
    }
    gv_tar_close(t);
    return r;
}

static void good(void)
{
    gv_tar_member m;
    gv_buf b = { 0 };
    len = 0;
    add("./a/1.jpg", '0', "hello");
    add("a/", '5', "");
    add("long", 'x', "27 path=some/long/name.jpg\n");
    add("short", '0', "twelve bytes");
    add("old/", 0, "");
    seal(header("hard", '1', "00000000777"));
    finish();
    gv_tar *t = begin(len);
    ok(gv_tar_next(t, &m, &err) == GV_TAR_MEMBER && !strcmp(m.name, "a/1.jpg") && m.size == 5 && m.type == '0' && m.at == 0, "a file, without ./");
    ok(gv_tar_read(t, &b, &err) == GV_OK && b.len == 5 && !memcmp(b.data, "hello", 5), "its bytes");
    ok(gv_tar_next(t, &m, &err) == GV_TAR_MEMBER && m.type == '5', "a folder");
    ok(gv_tar_next(t, &m, &err) == GV_TAR_MEMBER && !strcmp(m.name, "some/long/name.jpg") && m.size == 12, "a name from an extended header");
    ok(gv_tar_next(t, &m, &err) == GV_TAR_MEMBER && m.type == '5', "an old folder ends in a slash");
    ok(gv_tar_next(t, &m, &err) == GV_TAR_MEMBER && m.type == '1' && m.size == 0, "a link has no bytes, whatever its size says");
    ok(gv_tar_next(t, &m, &err) == GV_TAR_ARCHIVE_ENDS && gv_tar_next(t, &m, &err) == 0, "the end of the archive, and of the file");
    gv_tar_close(t);
    gv_buf_release(&b);
    size_t one = len;
    memmove(file + one + 2048, file, one);
    memset(file + one, 0, 2048);
    len = 2 * one + 2048;
    int members;
    ok(walk(len, &members, true) == 0 && members == 10, "two archives, with zeros between them");
    uint8_t *h = (len = 0, header("big", '0', ""));
    memcpy(h + 124, "\x80\0\0\0\0\0\0\0\0\0\0\x03", 12);
    seal(h);
    memcpy(file + len, "xyz", 3);
    len += 512;
    finish();
    ok(walk(len, &members, true) == 0 && members == 1, "a size in base 256");
}

static void refused(const char *claim, const char *text, size_t n)
{
    int members, r = walk(n, &members, true);
    ok(r == GV_EDATA && strstr(err.text, text), "%s: %s", claim, err.text);
    gv_err_clear(&err);
}

static void bad(void)
{
    int members;
    len = 0;
    add("a.jpg", '0', "hello");
    size_t whole = len;
    finish();
    for (size_t n = 1; n < whole; n += 97)
        if (walk(n, &members, n & 1) != GV_EDATA)
            break;
    ok(err.code == GV_EDATA && strstr(err.text, "it was cut"), "cut anywhere it is an error: %s", err.text);
    refused("no end mark", "without the end mark", whole);
    file[3] ^= 1;
    refused("a wrong checksum", "byte 0: this is no header", len);
    memcpy(file, "\x1f\x8b", 2);
    refused("a compressed archive", "put 'gzip -dc' in front", len);
    static const char *const sizes[] = { "9", "77x", "-1" };
    for (size_t i = 0; i < 3; i++) {
        len = 0;
        seal(header("a.jpg", '0', sizes[i]));
        finish();
        refused("a size that is no number", "not a number", len);
    }
    static const uint8_t large[3][12] = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 0x80, 1 }, { 0x80, 0, 0, 0, 0x80 } };
    for (size_t i = 0; i < 3; i++) {
        uint8_t *h = (len = 0, header("a.jpg", '0', ""));
        memcpy(h + 124, large[i], 12);
        seal(h);
        finish();
        refused("a size that cannot be", "not a number", len);
    }
    len = 0;
    seal(header("a.jpg", '0', "77777777777"));
    finish();
    refused("a size that is a lie", "in the middle of a member", len);
    static const char *const pax[] = { "25 path=some/long/name.jp\n", "999999999999999999999 path=x\n", "0 path=x\n", "9 path:ab\n", "10 size=x\n", "28 size=9999999999999999999\n", "x", "5 a=b", "18446744073709551615 a=b\n" };
    for (size_t i = 0; i < sizeof pax / sizeof *pax; i++) {
        len = 0;
        add("x", 'x', pax[i]);
        add("a.jpg", '0', "hello");
        finish();
        refused("an extended header that is damaged", i == 4 || i == 5 ? "not a number" : "damaged", len);
    }
    len = 0;
    seal(header("x", 'x', "77777777777"));
    refused("an extended header of gigabytes", "claims 8589934591 bytes", len);
    len = 0;
    seal(header("a.jpg", 'S', "10"));
    finish();
    refused("a sparse member", "stored sparsely", len);
    len = 0;
    seal(header("a.jpg", 'M', "10"));
    finish();
    refused("a second volume", "another volume", len);
    refused("nothing that is an archive", "no header", (memset(file, 'x', 512), 512));
    ok(walk(0, &members, true) == 0 && !members, "an empty file has no members");
}

int main(void)
{
    good();
    bad();
    return done();
}
