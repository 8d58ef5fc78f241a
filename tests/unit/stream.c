/* stream: what is written is read back, and nothing broken passes for whole. */
#include "stream/stream.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static int bytes_fd(const void *p, size_t n)
{
    int fd = memfd_create("stream", 0);
    if (write(fd, p, n) != (ssize_t)n)
        return -1;
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static size_t slurp(int fd, char **out)
{
    size_t n = (size_t)lseek(fd, 0, SEEK_END);
    gv_err err = { 0 };
    *out = gv_alloc(n + 1, &err);
    return pread(fd, *out, n, 0) == (ssize_t)n ? n : 0;
}

/* Read all of it: the number of records, or the error's code with its text in err. */
static int count(const void *p, size_t n, gv_err *err)
{
    gv_reader *r;
    gv_record rec;
    memset(err, 0, sizeof *err);
    int k = 0, e = gv_reader_open(&r, bytes_fd(p, n), "test", err);
    if (e < 0)
        return e;
    while ((e = gv_next(r, &rec, err)) > 0)
        k++;
    int again = gv_next(r, &rec, NULL);
    gv_reader_close(r);
    if (e < 0 && again != e)
        return -100; /* it must stay failed */
    return e < 0 ? e : k;
}

enum { W = 7 };
static uint8_t pixels[W * W * 3];

/* Three tensor records and an error record between them. */
static size_t sample_stream(char **out)
{
    gv_err err = { 0 };
    gv_writer *w;
    gv_record rec;
    int fd = memfd_create("w", 0), keep = dup(fd);
    static double half[3] = { 0.5, 0.25, -1 };
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    if (gv_writer_open(&w, fd, "w", GV_TENSOR, &err) < 0)
        return 0;
    gv_pair opt[] = { { "seed", gv_item_i64(3) } };
    int e = gv_writer_fact(w, "num_classes", gv_item_i64(10), &err);
    e |= gv_writer_history(w, "glovita-test", "1", opt, 1, &err);
    e |= gv_writer_start(w, &err);
    for (int i = 0; i < 4; i++) {
        bool bad = i == 1;
        gv_record_init(&rec, bad ? GV_ERROR_RECORD : GV_TENSOR);
        e |= gv_set_i64(&rec, "epoch", 0, &err) | gv_set_i64(&rec, "pos", i, &err);
        e |= gv_set_text(&rec, "id", "cats/0001.png", &err);
        if (bad)
            e |= gv_set_text(&rec, "reason", "cut", &err);
        else {
            e |= gv_set_tensor(&rec, "x", GV_U8, (int64_t[]){ W, W, 3 }, 3, pixels, &err);
            e |= gv_set_tensor(&rec, "spacing", GV_F64T, (int64_t[]){ 3 }, 1, half, &err);
            e |= gv_set_i64(&rec, "y", i - 2, &err);
        }
        e |= gv_put(w, &rec, &err);
    }
    e |= gv_writer_close(&w, true, &err);
    size_t n = e ? 0 : slurp(keep, out);
    close(keep);
    return n;
}

static void test_golden(void)
{
    /* msgpack.packb({"kind": "tensor", "x": numpy.arange(6, dtype="<f4").reshape(2, 3)}, default=msgpack_numpy.encode) */
    static const unsigned char golden[] =
        "\x82\xa4kind\xa6tensor\xa1x\x85\xc4\x02nd\xc3\xc4\x04type\xa3<f4\xc4\x04kind\xc4\x00\xc4\x05shape\x92\x02\x03\xc4\x04""data\xc4\x18"
        "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40";
    float v[6] = { 0, 1, 2, 3, 4, 5 };
    gv_err err = { 0 };
    gv_writer *w;
    gv_record rec;
    int fd = memfd_create("w", 0), keep = dup(fd);
    ok(gv_writer_open(&w, fd, "w", GV_TENSOR, &err) == GV_OK && gv_writer_start(w, &err) == GV_OK, "a writer opens");
    off_t at = lseek(keep, 0, SEEK_END);
    gv_record_init(&rec, GV_TENSOR);
    ok(gv_set_tensor(&rec, "x", GV_F32T, (int64_t[]){ 2, 3 }, 2, v, &err) == GV_OK && gv_put(w, &rec, &err) == GV_OK && gv_writer_flush(w, &err) == GV_OK,
       "a record is put");
    char *p;
    size_t n = slurp(keep, &p);
    ok(n == (size_t)at + sizeof golden - 1 && !memcmp(p + at, golden, sizeof golden - 1), "its bytes are those of msgpack-numpy");
    ok(gv_writer_close(&w, true, &err) == GV_OK && !w, "closing is fine");
    gv_free(p);
    close(keep);
}

static void test_dtypes(void)
{
    gv_err err = { 0 };
    gv_writer *w;
    gv_reader *r;
    gv_record rec;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static uint8_t raw[8 * 40000];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(i * 31 + (i >> 8));
    for (int t = 0; t < GV_DTYPES; t++) {
        int fd = memfd_create("w", 0), keep = dup(fd), good = 1;
        /* texts of all lengths in front: tensors of all alignments */
        good &= gv_writer_open(&w, fd, "w", GV_FEATURE, &err) == GV_OK && gv_writer_start(w, &err) == GV_OK;
        for (int i = 0; i < 24 && good; i++) {
            int64_t n = i < 12 ? i : 40000 - i; /* copied ones and spliced ones */
            gv_record_init(&rec, GV_FEATURE);
            good &= gv_set_text(&rec, "id", &letters[i], &err) == GV_OK;
            good &= gv_set_tensor(&rec, "x", (gv_dtype)t, &n, 1, raw, &err) == GV_OK;
            good &= gv_set_tensor(&rec, "s", (gv_dtype)t, NULL, 0, raw, &err) == GV_OK;
            good &= gv_set_i64(&rec, "y", INT64_MIN + i, &err) == GV_OK && gv_set_f64(&rec, "f", 1.0 / (i + 1), &err) == GV_OK;
            good &= gv_put(w, &rec, &err) == GV_OK;
        }
        good &= gv_writer_close(&w, true, &err) == GV_OK;
        lseek(keep, 0, SEEK_SET);
        good &= gv_reader_open(&r, keep, "r", &err) == GV_OK;
        int k = 0, e = 0;
        for (; good && (e = gv_next(r, &rec, &err)) > 0; k++) {
            int64_t n = k < 12 ? k : 40000 - k, y;
            double f;
            const gv_tensor *x = gv_get_tensor(&rec, "x"), *s = gv_get_tensor(&rec, "s");
            size_t size = gv_dtype_of((gv_dtype)t)->size;
            good &= x && s && x->dtype == (gv_dtype)t && x->ndim == 1 && x->shape[0] == n && x->bytes == (size_t)n * size && !memcmp(x->data, raw, x->bytes);
            good &= s && s->ndim == 0 && s->bytes == size && !memcmp(s->data, raw, size);
            good &= x && (uintptr_t)x->data % size == 0 && (uintptr_t)s->data % size == 0;
            good &= !strcmp(gv_get_text(&rec, "id"), &letters[k]);
            good &= gv_get_i64(&rec, "y", &y) && y == INT64_MIN + k && gv_get_f64(&rec, "f", &f) && f == 1.0 / (k + 1);
        }
        ok(good && e == 0 && k == 24 && gv_reader_digest_checked(r), "%s comes back as it went, aligned (%s)", gv_dtype_of((gv_dtype)t)->name, err.text);
        gv_reader_close(r);
    }
}

static void test_cuts(const char *p, size_t n)
{
    gv_err err;
    size_t wrong = 0, unnamed = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += count(p, i, &err) != GV_EDATA;
        char want[64];
        snprintf(want, sizeof want, "byte %zu", i);
        unnamed += i > 0 && !strstr(err.text, want);
    }
    ok(!wrong, "cut at each of %zu bytes it is an error", n);
    ok(!unnamed, "and the message names the byte");
    int k = count(p, n, &err);
    ok(k == 4, "whole, it has 4 records (%d %s)", k, err.text);
    (void)count(p, n - 3, &err);
    ok(!strncmp(err.text, "stream 'test' is cut: it ends after record 4 at byte ", 52) && strstr(err.text, "without an end record"), "the message: %s", err.text);
    char *longer = gv_alloc(n + 1, &err);
    memcpy(longer, p, n);
    ok(count(longer, n + 1, &err) == GV_EDATA && strstr(err.text, "goes on after its end record"), "a byte after the end is an error");
    size_t passed = 0;
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < 8; b++) {
            memcpy(longer, p, n);
            longer[i] ^= (char)(1 << b);
            if (count(longer, n, &err) >= 0) {
                passed++;
                printf("# bit %d of byte %zu\n", b, i);
            }
        }
    ok(!passed, "each of %zu flipped bits is an error (%zu passed)", n * 8, passed);
    gv_free(longer);
}

/* A header and then these bytes. */
static int after_header(const char *body, size_t n, gv_err *err)
{
    static const char header[] = "\x84\xa4kind\xa6header\xa6""format\xaeglovita-stream\xa7version\x01\xa6stream\xa6tensor";
    char *all = gv_alloc(sizeof header + n, err);
    memcpy(all, header, sizeof header - 1);
    memcpy(all + sizeof header - 1, body, n);
    int r = count(all, sizeof header - 1 + n, err);
    gv_free(all);
    return r;
}
#define BODY(s) after_header(s, sizeof s - 1, &err)
#define END "\x83\xa4kind\xa3""end\xa5""count\x01\xa6""digest\xc0"

static void test_hostile(void)
{
    gv_err err;
    ok(BODY("\x82\xa4kind\xa6tensor\xa1y\x05" END) == 1, "a foreign end record without digest is enough (%s)", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1y\x05\x82\xa4kind\xa3""end\xa5""count\x02") == GV_EDATA && strstr(err.text, "counts 2 records; 1 came"), "a wrong count: %s",
       err.text);
    ok(BODY("\x83\xa4kind\xa6tensor\xa1y\x05\xa1y\x06" END) == GV_EDATA && strstr(err.text, "key 'y' occurs twice"), "a key twice: %s", err.text);
    ok(BODY("\x92\x01\x02" END) == GV_EDATA && strstr(err.text, "not a map"), "no map: %s", err.text);
    ok(BODY("\x81\xa1y\x05" END) == GV_EDATA && strstr(err.text, "no 'kind'"), "no kind: %s", err.text);
    ok(BODY("\x82\xa4kind\x05\xa1y\x05" END) == GV_EDATA, "a kind that is a number: %s", err.text);
    ok(BODY("\x82\xa4kind\xa5""batch\xa1y\x05" END) == GV_EDATA && strstr(err.text, "a batch record in a stream of tensor"), "another kind: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\x01\x05" END) == GV_EDATA, "a key that is a number: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xc6\xff\xff\xff\xff") == GV_EDATA, "a claimed bin of 4 GiB: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xdb\xff\xff\xff\xff") == GV_EDATA && strstr(err.text, "at most 16777216"), "a claimed text of 4 GiB: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xdd\xff\xff\xff\xff") == GV_EDATA && strstr(err.text, "4294967295 entries"), "a claimed array: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xdf\x7f\xff\xff\xff") == GV_EDATA, "a claimed map: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01" END) == GV_EDATA &&
           strstr(err.text, "nested"), "nested: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xd4\x01\x01" END) == GV_EDATA, "an extension: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xa2\x61\x00" END) == GV_EDATA && strstr(err.text, "NUL"), "a NUL in a text: %s", err.text);
#define TENSOR(type, shape, data) "\x82\xa4kind\xa6tensor\xa1x\x85\xc4\x02nd\xc3\xc4\x04type" type "\xc4\x04kind\xc4\x00\xc4\x05shape" shape "\xc4\x04""data" data END
    ok(BODY(TENSOR("\xa3<f4", "\x91\x01", "\xc4\x04\1\2\3\4")) == 1, "a tensor by hand is read (%s)", err.text);
    ok(BODY(TENSOR("\xa3>f4", "\x91\x01", "\xc4\x04\1\2\3\4")) == GV_EDATA && strstr(err.text, "'>f4'"), "wrong endian: %s", err.text);
    ok(BODY(TENSOR("\xa3<f4", "\x91\xff", "\xc4\x04\1\2\3\4")) == GV_EDATA, "a negative size: %s", err.text);
    ok(BODY(TENSOR("\xa3<f4", "\x91\xcb\x7f\xf8\0\0\0\0\0\0", "\xc4\x04\1\2\3\4")) == GV_EDATA, "a size that is NaN: %s", err.text);
    ok(BODY(TENSOR("\xa3<f4", "\x91\x02", "\xc4\x04\1\2\3\4")) == GV_EDATA, "too little data: %s", err.text);
    ok(BODY(TENSOR("\xa3<f4", "\x92\xcf\x40\0\0\0\0\0\0\0\x04", "\xc4\x04\1\2\3\4")) == GV_EDATA, "a shape that overflows: %s", err.text);
    ok(BODY(TENSOR("\xa3<f4", "\x99\1\1\1\1\1\1\1\1\1", "\xc4\x04\1\2\3\4")) == GV_EDATA, "nine dimensions: %s", err.text);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\x83\xc4\x02nd\xc2\xc4\x04type\xa3<i8\xc4\x04""data\xc4\x08\x07\0\0\0\0\0\0\0" END) == 1, "a NumPy scalar (%s)", err.text);
    ok(BODY("\x81\xa4kind\xa6header" END) == GV_EDATA && strstr(err.text, "second header"), "a second header: %s", err.text);
    ok(count("{\"a\": 1}", 8, &err) == GV_EDATA && strstr(err.text, "not a glovita stream"), "JSON: %s", err.text);
    ok(count("", 0, &err) == GV_EDATA && strstr(err.text, "empty"), "nothing at all: %s", err.text);
    setenv("GLOVITA_MAX_RECORD", "1000", 1);
    ok(BODY("\x82\xa4kind\xa6tensor\xa1x\xc5\x10\0") == GV_EDATA && strstr(err.text, "at most 1000"), "the cap is settable: %s", err.text);
    unsetenv("GLOVITA_MAX_RECORD");
}

/* Strand i of n: epochs of `len` positions from (epoch, pos) on. */
static gv_reader *strand(int i, int n, int epochs, int len, int from, int drop)
{
    gv_err err = { 0 };
    gv_writer *w;
    gv_reader *r = NULL;
    gv_record rec;
    int fd = memfd_create("w", 0), keep = dup(fd), e = gv_writer_open(&w, fd, "w", GV_SAMPLE, &err) | gv_writer_start(w, &err);
    for (int k = 0; k < epochs; k++)
        for (int p = k ? 0 : from; p < len; p++)
            if (p % n == i && !(k == 1 && p == drop)) {
                gv_record_init(&rec, GV_SAMPLE);
                e |= gv_set_i64(&rec, "epoch", k, &err) | gv_set_i64(&rec, "pos", p, &err) | gv_put(w, &rec, &err);
            }
    e |= gv_writer_close(&w, true, &err);
    lseek(keep, 0, SEEK_SET);
    if (e || gv_reader_open(&r, keep, "strand", &err) < 0)
        return NULL;
    return r;
}

static int merged(int n, int epochs, int len, int from, int drop, gv_err *err)
{
    gv_reader *r[8];
    gv_merge *m;
    gv_record rec;
    memset(err, 0, sizeof *err);
    for (int i = 0; i < n; i++)
        r[i] = strand(i, n, epochs, len, from, drop);
    if (gv_merge_open(&m, r, n, err) < 0)
        return -50;
    int e, k = 0, p = from, epoch = 0;
    while ((e = gv_merge_next(m, &rec, err)) > 0) {
        int64_t x = -1, y = -1;
        (void)gv_get_i64(&rec, "epoch", &x);
        (void)gv_get_i64(&rec, "pos", &y);
        if (x != epoch || y != p)
            e = -60;
        if (++p == len) {
            p = 0;
            epoch++;
        }
        k++;
    }
    gv_merge_close(m);
    return e < 0 ? e : k;
}

static void test_merge(void)
{
    gv_err err;
    for (int n = 1; n <= 5; n++)
        for (int len = n > 2 ? 2 : 1; len < 13; len += 3)
            ok(merged(n, 3, len, 0, -1, &err) == 3 * len, "%d strands, epochs of %d: in order (%s)", n, len, err.text);
    ok(merged(3, 2, 10, 7, -1, &err) == 13, "from the middle of an epoch (%s)", err.text);
    ok(merged(3, 2, 10, 0, 4, &err) == GV_EDATA && strstr(err.text, "strand 2 of 3"), "a missing record is noticed: %s", err.text);
    ok(merged(3, 2, 10, 0, 8, &err) == GV_EDATA, "also near an epoch's end: %s", err.text);
}

static void test_full_and_gone(void)
{
    gv_err err = { 0 };
    gv_writer *w;
    int p[2];
    signal(SIGPIPE, SIG_IGN);
    ok(pipe(p) == 0 && gv_writer_open(&w, p[1], "w", GV_TENSOR, &err) == GV_OK && gv_writer_start(w, &err) == GV_OK, "a pipe");
    close(p[0]);
    ok(gv_writer_close(&w, true, &err) == GV_EPIPE, "a reader that has gone is GV_EPIPE");
    gv_err_clear(&err);
    int full = open("/dev/full", O_WRONLY);
    ok(gv_writer_open(&w, full, "stdout", GV_TENSOR, &err) == GV_OK && gv_writer_start(w, &err) == GV_ESYS && strstr(err.text, "No space"), "a full disk: %s", err.text);
    gv_err_clear(&err);
    ok(gv_writer_close(&w, false, &err) == GV_ESYS, "and closing still says so");
}

static void test_errors_and_copies(void)
{
    gv_err err = { 0 };
    gv_arena a, b;
    gv_record rec, copy;
    ok(gv_arena_init(&a, "a", 1 << 20, &err) == GV_OK && gv_arena_init(&b, "b", 1 << 20, &err) == GV_OK, "arenas");
    gv_record_init(&rec, GV_TENSOR);
    int e = gv_set_i64(&rec, "index", 7, &err) | gv_set_text(&rec, "id", "a", &err) | gv_set_text(&rec, "path", "b", &err);
    e |= gv_set_tensor(&rec, "x", GV_U8, (int64_t[]){ 3 }, 1, "abc", &err);
    e |= gv_record_copy(&copy, &rec, &b, &err);
    ok(!e && copy.n == 4 && gv_item_equal(gv_get(&copy, "x"), gv_get(&rec, "x")) && gv_get_tensor(&copy, "x")->data != gv_get_tensor(&rec, "x")->data,
       "a copy has bytes of its own");
    gv_fail(&err, GV_EDATA, "no such file");
    ok(gv_record_to_error(&rec, "decode", &err, &a) == GV_OK && err.code == GV_OK, "a failed record becomes an error record");
    int64_t i;
    ok(rec.kind == GV_ERROR_RECORD && rec.n == 5 && !gv_get(&rec, "x") && gv_get_i64(&rec, "index", &i) && i == 7 &&
           !strcmp(gv_get_text(&rec, "reason"), "no such file") && !strcmp(gv_get_text(&rec, "stage"), "decode"), "with id, stage and reason, without data");
    for (int k = 0; k < GV_MAX_FIELDS; k++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", k);
        e = gv_set_i64(&rec, gv_arena_strdup(&a, name, &err), k, &err);
    }
    ok(e == GV_EDATA && rec.n == GV_MAX_FIELDS, "a record holds %d fields and not more", GV_MAX_FIELDS);
    gv_arena_release(&a);
    gv_arena_release(&b);
}

int main(void)
{
    char *p = NULL;
    size_t n = sample_stream(&p);
    ok(n > 300, "a stream of %zu bytes is written", n);
    test_golden();
    test_dtypes();
    test_cuts(p, n);
    test_hostile();
    test_merge();
    test_full_and_gone();
    test_errors_and_copies();
    gv_free(p);
    return done();
}
