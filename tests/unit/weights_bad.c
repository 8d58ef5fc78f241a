/* weights: cut, flipped and hostile files are refused by name, and no byte of them harms us. The corpus is made here. */
#include "tests/unit/tap.h"
#include "common/file.h"
#include "weights/weights.h"
#include "weights/zip_write.h"
#include <sys/mman.h>
#include <unistd.h>

static int fd; /* a file in memory, since there are thousands */
static char path[64], base[64];

/* The status of opening these bytes; err says why. */
static int open_bytes(const void *p, size_t n, gv_err *err)
{
    gv_weights *w;
    *err = (gv_err){ 0 };
    if (ftruncate(fd, 0) < 0 || pwrite(fd, p, n, 0) != (ssize_t)n)
        return GV_EINTERNAL;
    int r = gv_weights_open(&w, path, err);
    volatile unsigned char sum = 0; /* touch every byte of what was accepted */
    for (size_t i = 0; r == GV_OK && i < gv_weights_count(w); i++)
        for (size_t k = 0; k < gv_weights_at(w, i)->bytes; k++)
            sum += ((const unsigned char *)gv_weights_at(w, i)->data)[k];
    (void)sum;
    gv_weights_close(w);
    return r;
}

static void refuse(const void *p, size_t n, const char *word, const char *claim)
{
    gv_err err;
    int r = open_bytes(p, n, &err);
    if (!ok(r == GV_EDATA && strstr(err.text, word), "%s", claim))
        printf("# status %d, '%s'\n", r, err.text);
}

/* ---- every length, every byte ---- */

static void cut_and_flip(const char *file, int checked)
{
    gv_buf b = { 0 };
    gv_err err = { 0 };
    if (!ok(gv_file_read(file, 1 << 20, &b, &err) == GV_OK, "%s", file))
        return;
    size_t cut = 0, wrong = 0, accepted = 0;
    for (size_t n = 0; n < b.len; n++) {
        int r = open_bytes(b.data, n, &err);
        cut += r == GV_EDATA;
        wrong += r != GV_EDATA;
    }
    ok(cut == b.len && !wrong, "refused at every one of %zu lengths", b.len);
    wrong = 0;
    for (size_t i = 0; i < b.len; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            b.data[i] ^= (char)(1 << bit);
            int r = open_bytes(b.data, b.len, &err);
            accepted += r == GV_OK;
            wrong += r != GV_OK && r != GV_EDATA;
            b.data[i] ^= (char)(1 << bit);
        }
    ok(!wrong, "a flipped bit is refused or does no harm (%zu of %zu read)", accepted, 3 * b.len);
    if (checked)
        ok(accepted < 3 * b.len / 2, "most flipped bits are noticed");
    b.data[b.len - 1] ^= 0;
    gv_err more = { 0 };
    ok(gv_buf_add(&b, "x", 1, &more) == GV_OK && open_bytes(b.data, b.len, &err) == GV_EDATA, "and a byte too much is refused");
    gv_buf_release(&b);
}

/* ---- safetensors ---- */

static void header(const char *json, size_t data, const char *word)
{
    unsigned char b[4096] = { 0 };
    size_t n = strlen(json);
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(n >> 8 * i);
    memcpy(b + 8, json, n);
    gv_err err;
    if (!*word)
        ok(open_bytes(b, 8 + n + data, &err) == GV_OK, "read: %s %s", json, err.text);
    else
        refuse(b, 8 + n + data, word, json);
}

static void safetensors(void)
{
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "");
    header(" \t{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}   ", 8, "");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"new\":1}}", 8, "");
    header("{}", 0, "");
    header("{}", 1, "end at byte 0 of 1");
    header("[]", 0, "not a JSON object");
    header("{} {}", 0, "not JSON");
    header("{\"a\":1}", 0, "no dtype");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "duplicate");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "inside the one before");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "inside the one before");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]}}", 20, "behind a hole");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "behind a hole");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, "end at byte 8 of 12");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "claims bytes 0 to 8 of 4");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "needs 12 bytes");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "claims bytes");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2,-1],\"data_offsets\":[0,8]}}", 8, "is not a size");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "is not a size");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "overflows");
    header("{\"a\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,8]}}", 8, "overflows");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "9 dimensions");
    header("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8, "'F8_E4M3'");
    header("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "no shape");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, "data_offsets");
    header("{\"__metadata__\":{\"a\":1}}", 0, "is not a text");
    header("{\"__metadata__\":[]}", 0, "not an object");
    header("{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "not JSON");
    header("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "not JSON");
    refuse("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "at most 100000000", "a header longer than any");
    refuse("\x20\0\0\0\0\0\0\0{}", 10, "it is cut", "a header longer than the file");
}

/* ---- zip archives around a pickle of ours ---- */

static const float four[4] = { 1, 2, 3, 4 };

struct extra { const char *name; const void *p; size_t n; };

static gv_buf archive(const char *pickle, size_t n, const struct extra *x, size_t nx)
{
    gv_buf b = { 0 };
    gv_err err = { 0 };
    gv_out out;
    struct gv_zip_out z = { .out = &out };
    char to[80];
    snprintf(to, sizeof to, "%s.zip", base);
    int r = gv_out_open(&out, to, &err);
    r = r < 0 ? r : gv_zip_add(&z, "x/data.pkl", pickle, n, &err);
    for (size_t i = 0; i < nx && r == GV_OK; i++)
        r = gv_zip_add(&z, x[i].name, x[i].p, x[i].n, &err);
    r = r < 0 ? r : gv_zip_end(&z, &err);
    r = r < 0 ? r : gv_out_commit(&out, &err);
    r = r < 0 ? r : gv_file_read(to, 1 << 28, &b, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    gv_zip_out_release(&z);
    unlink(to);
    return b;
}

static const struct extra usual[] = { { "x/version", "3\n", 2 }, { "x/data/0", four, 16 } };

static void pickled(const char *p, size_t n, const char *word, const char *claim)
{
    gv_buf b = archive(p, n, usual, 2);
    gv_err err;
    if (*word)
        refuse(b.data, b.len, word, claim);
    else
        ok(open_bytes(b.data, b.len, &err) == GV_OK, "%s %s", claim, err.text);
    gv_buf_release(&b);
}

#define P(bytes, word, claim) pickled(bytes, sizeof bytes - 1, word, claim)
#define STORAGE "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"
#define TENSOR(offset, size, stride) "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE offset "(" size "t(" stride "t\x89" "ccollections\nOrderedDict\n)RtR"
#define DICT(value) "\x80\2}X\1\0\0\0w" value "s."

static void pickles(void)
{
    P(DICT(TENSOR("K\0", "K\4", "K\1")), "", "our own pickle is read");
    P(DICT(TENSOR("K\0", "K\2K\2", "K\0K\1")), "", "so is one with stride 0");
    P(DICT(TENSOR("K\4", "K\0", "K\1")), "", "and an empty tensor at the end");
    P(DICT(TENSOR("K\1", "K\4", "K\1")), "reaches outside", "a tensor behind its storage");
    P(DICT(TENSOR("K\0", "K\2K\2", "K\3K\1")), "reaches outside", "strides behind its storage");
    P(DICT(TENSOR("J\xff\xff\xff\xff", "K\4", "K\1")), "reaches outside", "an offset before it");
    P(DICT(TENSOR("K\0", "K\4", "J\xff\xff\xff\xff")), "reaches outside", "a stride backwards");
    P(DICT(TENSOR("K\0", "J\xff\xff\xff\xff", "K\1")), "reaches outside", "a negative size");
    P(DICT(TENSOR("\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f", "K\4", "K\1")), "reaches outside", "an offset that overflows");
    P(DICT(TENSOR("K\0", "K\2K\2", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7fK\1")), "reaches outside", "a stride that overflows");
    P(DICT(TENSOR("K\0", "J\0\0\0\x7fJ\0\0\0\x7fJ\0\0\0\x7f", "K\0K\0K\0")), "reaches outside", "a size that overflows");
    P(DICT(TENSOR("K\0", "J\0\0\0\x7f", "K\0")), "may unfold to", "a tensor that unfolds to gigabytes");
    P(DICT(TENSOR("K\0", "K\4", "")), "described wrongly", "as many strides as sizes");
    P(DICT(TENSOR("K\0", "K\1K\1K\1K\1K\1K\1K\1K\1K\1", "K\1K\1K\1K\1K\1K\1K\1K\1K\1")), "9 dimensions", "too many dimensions");
    P(DICT(TENSOR("N", "K\4", "K\1")), "described wrongly", "an offset that is no number");
    P(DICT("ctorch._utils\n_rebuild_tensor_v2\n(" "K\1K\1ttR"), "mark", "a mark that is not there");
    P(DICT("ctorch._utils\n_rebuild_tensor_v2\n(" "K\1tR"), "described wrongly", "too few arguments");
    P(DICT("ctorch._utils\n_rebuild_tensor_v2\nK\1R"), "without arguments", "arguments that are no tuple");
    P(DICT("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "1X\3\0\0\0cpuK\4tQ"), "'1' is missing", "a storage that is not there");
    P(DICT("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\5tQ"), "promised 20", "a storage that is too short");
    P(DICT("(X\7\0\0\0storagectorch\nDoubleStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"), "promised 32", "a storage of a wider type");
    P(DICT("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpu\x8a\10\0\0\0\0\0\0\0\x40tQ"), "claims", "a storage that overflows");
    P(DICT("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuJ\xff\xff\xff\xfftQ"), "claims", "a negative storage");
    P("\x80\2}(X\1\0\0\0a" STORAGE "X\1\0\0\0b(X\7\0\0\0storagectorch\nIntStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQu.", "in two ways", "one storage, two types");
    P(DICT("(X\6\0\0\0modulectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"), "not a storage", "something else outside");
    P(DICT("K\1Q"), "not a storage", "a number outside");
    P(DICT("]" ), "no tensors", "a dictionary without tensors names its keys");
    P("\x80\2].", "neither a dictionary", "a list at the root");
    P("\x80\2}(X\1\0\0\0w" TENSOR("K\0", "K\4", "K\1") "X\10\0\0\0module.w" TENSOR("K\0", "K\4", "K\1") "u.", "'w' occurs twice", "two keys, one name");
    P("\x80\2}(K\1" TENSOR("K\0", "K\4", "K\1") "u.", "key is not a text", "a number as a name");
    P("\x80\2}(X\3\0\0\0a\0b" TENSOR("K\0", "K\4", "K\1") "u.", "key is not a text", "a NUL in a name");
}

/* What attacks look like: each would run code where pickles are executed. */
static void attacks(void)
{
    static const char *const globals[] = {
        "os\nsystem", "posix\nsystem", "nt\nsystem", "subprocess\nPopen", "subprocess\ncall", "builtins\neval", "builtins\nexec", "__builtin__\neval",
        "builtins\ngetattr", "builtins\n__import__", "builtins\nopen", "builtins\nprint", "importlib\nimport_module", "runpy\n_run_code", "sys\nmodules",
        "pickle\nloads", "_pickle\nloads", "marshal\nloads", "types\nCodeType", "types\nFunctionType", "socket\nsocket", "webbrowser\nopen", "shutil\nrmtree",
        "code\nInteractiveInterpreter", "pty\nspawn", "timeit\ntimeit", "bdb\nBdb", "pdb\nrun", "asyncio.unix_events\n_UnixSubprocessTransport._start",
        "operator\nattrgetter", "operator\nmethodcaller", "functools\npartial", "ctypes\nCDLL", "torch\nload", "torch.hub\nload", "torch.jit\nload",
        "torch.storage\n_load_from_bytes", "torch._utils\n_rebuild_qtensor", "torch._utils\n_rebuild_sparse_tensor", "torch._C\n_nn.gelu",
        "torch.fx.experimental.symbolic_shapes\nShapeEnv.evaluate_guards_expression", "torch.utils.bottleneck.__main__\nrun_cprofile",
        "numpy.testing._private.utils\nrunstring", "numpy.core.multiarray\n_reconstruct", "numpy\nload", "argparse\nNamespace", "omegaconf.dictconfig\nDictConfig",
        "collections\nOrderedDict.update", "torch\nFloatStorage.x", "collections \nOrderedDict", "torch\n", "\nFloatStorage", "pip\nmain", "__main__\nModel",
    };
    for (size_t i = 0; i < GV_COUNT(globals); i++) {
        char p[300], dotted[200], claim[260];
        int n = snprintf(p, sizeof p, "\x80\2}X%c%c%c%cwc%s\n(X%c%c%c%cidtRs.", 1, 0, 0, 0, globals[i], 2, 0, 0, 0);
        snprintf(dotted, sizeof dotted, "'%s'", globals[i]);
        *strchr(dotted, '\n') = '.';
        snprintf(claim, sizeof claim, "refused by name: %s", dotted);
        pickled(p, (size_t)n, dotted, claim);
    }
    static const struct { const char *op; const char *what; } ops[] = {
        { "i", "INST" }, { "o", "OBJ" }, { "\x82\1", "EXT1" }, { "\x83\1\0", "EXT2" }, { "\x84\1\0\0\0", "EXT4" }, { "\x93", "STACK_GLOBAL" }, { "\x92", "NEWOBJ_EX" },
        { "0", "POP" }, { "1", "POP_MARK" }, { "2", "DUP" }, { "P", "PERSID" }, { "I", "INT" }, { "L", "LONG" }, { "F", "FLOAT" }, { "S", "STRING" }, { "V", "UNICODE" },
        { "T", "BINSTRING" }, { "B", "BINBYTES" }, { "C", "SHORT_BINBYTES" }, { "\x8b", "LONG4" }, { "\x8c", "SHORT_BINUNICODE" }, { "\x8d", "BINUNICODE8" },
        { "\x8e", "BINBYTES8" }, { "\x90", "ADDITEMS" }, { "\x91", "FROZENSET" }, { "\x94", "MEMOIZE" }, { "\x95", "FRAME" }, { "\x96", "BYTEARRAY8" },
        { "\x97", "NEXT_BUFFER" }, { "\x98", "READONLY_BUFFER" }, { "d", "DICT" }, { "l", "LIST" }, { "g", "GET" }, { "p", "PUT" }, { "\xff", "no instruction" },
    };
    for (size_t i = 0; i < GV_COUNT(ops); i++) {
        char p[64] = "\x80\2}(", word[40];
        memcpy(p + 4, ops[i].op, strlen(ops[i].op));
        snprintf(word, sizeof word, "instruction 0x%02x", (unsigned char)ops[i].op[0]);
        pickled(p, 40, word, ops[i].what);
    }
    P("\x80\2ctorch\nTensor\n)R.", "does not take", "a class is not called");
    P("\x80\2ctorch\nFloatStorage\nK\x7f\x85R.", "does not take", "nor is a storage");
    P("\x80\2ctorch\nTensor\n)\x81.", "makes an object", "nor an object made");
    P("\x80\2ctorch\nTensor\n}b.", "sets the state", "nor its state set");
    P(DICT(TENSOR("K\0", "K\4", "K\1") "}b"), "sets the state", "not even a tensor's");
    P(DICT("ccollections\nOrderedDict\nK\1\x85R"), "something else than pairs", "a dictionary of no pairs");
    P("\x80\2ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)NtR.", "does not take", "calls do not nest");
}

static void machine(void)
{
    P("", "ends inside", "an empty pickle");
    P("\x80\2", "ends inside", "a pickle without an end");
    P("\x80\2.", "0 values", "an empty stack at the end");
    P("\x80\2NN.", "2 values", "two values at the end");
    P("\x80\2(N.", "instead of one", "a mark at the end");
    P("\x80\2N.N", "follow the pickle", "bytes behind the end");
    P("\x80\1N.", "protocol 1", "another protocol");
    P("\x80\2R.", "stack is empty", "a call without a stack");
    P("\x80\2]N(a.", "stack is empty", "an item below the mark");
    P("\x80\2Nu.", "no mark", "items without a mark");
    P("\x80\2(u.", "stack is empty", "items of nothing");
    P("\x80\2N(u.", "not a dictionary", "items of None");
    P("\x80\2}(Nu.", "key without a value", "a key without a value");
    P("\x80\2N(Ne.", "not a list", "appending to None");
    P("\x80\2h\1.", "slot 1", "an empty slot of the memo");
    P("\x80\2Nr\xff\xff\xff\xff.", "slot 4294967295", "a slot far away");
    P("\x80\2q\0.", "stack is empty", "nothing to remember");
    P("\x80\2X\xff\xff\xff\xffx.", "ends inside", "a text longer than the pickle");
    P("\x80\2\x8a\11" "123456789.", "9 bytes", "an integer too long");
    P("\x80\2c.", "name without an end", "a name without an end");

    gv_buf b = { 0 };
    gv_err err = { 0 };
    int r = gv_buf_printf(&b, &err, "%c%c", 0x80, 2);
    for (int i = 0; i < 100000 && r == GV_OK; i++)
        r = gv_buf_add(&b, "(", 1, &err);
    r = r < 0 ? r : gv_buf_add(&b, ".", 1, &err);
    ok(r == GV_OK, "100,000 marks");
    pickled(b.data, b.len, "nested deeper", "are too many");
    /* a list of twelve times one list, of twelve times one list …: billions of values from a few hundred bytes */
    b.len = 0;
    static const char tensor[] = TENSOR("K\0", "K\4", "K\1");
    r = gv_buf_add(&b, "\x80\2}(X\1\0\0\0w", 10, &err);
    r = r < 0 ? r : gv_buf_add(&b, tensor, sizeof tensor - 1, &err);
    r = r < 0 ? r : gv_buf_add(&b, "X\1\0\0\0z](", 8, &err);
    for (int level = 1; level < 8 && r == GV_OK; level++) { /* each list is kept in the memo and stands in the one at the root */
        r = gv_buf_printf(&b, &err, "](");
        for (int i = 0; i < 12 && r == GV_OK; i++) {
            char get[2] = { 'h', (char)(level - 1) };
            r = level == 1 ? gv_buf_add(&b, "N", 1, &err) : gv_buf_add(&b, get, 2, &err);
        }
        char put[3] = { 'e', 'q', (char)level };
        r = r < 0 ? r : gv_buf_add(&b, put, 3, &err);
    }
    r = r < 0 ? r : gv_buf_add(&b, "eu.", 3, &err);
    ok(r == GV_OK, "a list of lists of lists …");
    pickled(b.data, b.len, "unfolds to more", "that unfolds to billions");
    gv_buf_release(&b);
}

/* ---- containers ---- */

static void edit(const char *find, size_t n, int which, size_t at, const char *bytes, size_t nbytes, const char *word, const char *claim)
{
    static const char good[] = DICT(TENSOR("K\0", "K\4", "K\1"));
    gv_buf b = archive(good, sizeof good - 1, usual, 2);
    char *p = b.data;
    for (int i = 0; p && i <= which; i++)
        p = memmem(p + (i > 0), b.len - (size_t)(p + (i > 0) - b.data), find, n);
    if (!ok(p != NULL, "found"))
        return;
    memcpy(p + at, bytes, nbytes);
    refuse(b.data, b.len, word, claim);
    gv_buf_release(&b);
}

static void containers(void)
{
    static const char good[] = DICT(TENSOR("K\0", "K\4", "K\1"));
    edit("PK\1\2", 4, 0, 8, "\1", 1, "encrypted", "an encrypted member");
    edit("PK\1\2", 4, 0, 10, "\x0c", 1, "method 12", "a member packed with bzip2");
    edit("PK\1\2", 4, 0, 46, "y/data.pkl", 10, "disagree", "a name that differs from the directory's");
    edit("PK\1\2", 4, 0, 46, "../a/b/c/d", 10, "plain", "a name that climbs");
    edit("PK\1\2", 4, 0, 46, "/ata/b/c/d", 10, "plain", "a name from the root");
    edit("PK\1\2", 4, 0, 48, "\0", 1, "plain", "a name with a NUL");
    edit("PK\1\2", 4, 2, 20, "\xf0\xff\xff\x00\xf0\xff\xff\x00", 8, "longer than the archive", "a member longer than the file");
    edit("PK\1\2", 4, 2, 20, "\x0c\0\0\0\x0c\0\0\0", 8, "disagree", "sizes that differ");
    edit("PK\1\2", 4, 2, 24, "\x0c", 1, "two sizes", "a stored member with two sizes");
    edit("PK\1\2", 4, 2, 42, "\0\0\0\0", 4, "disagree", "two entries, one member");
    edit("PK\1\2", 4, 2, 42, "\xff\xff\0\0", 4, "does not begin", "a member that is not there");
    edit("PK\1\2", 4, 2, 10, "\x08", 1, "disagree", "a method that differs");
    edit("PK\5\6", 4, 0, 8, "\2\0\2", 3, "longer than its entries", "fewer members than entries");
    edit("PK\5\6", 4, 0, 8, "\4\0\4", 3, "more members", "more members than entries");
    edit("PK\5\6", 4, 0, 8, "\xff\xff\xff\xff", 4, "more members", "many more");
    edit("PK\5\6", 4, 0, 12, "\1", 1, "does not end", "a directory of another length");
    edit("PK\5\6", 4, 0, 4, "\1", 1, "volumes", "several volumes");
    edit("PK\5\6", 4, 0, 20, "\1", 1, "comment", "a comment");
    edit("\x00\x00\x80\x3f", 4, 0, 3, "\x40", 1, "checksum", "a changed weight");

    struct extra x[] = { { "x/version", "3\n", 2 }, { "x/data/0", four, 16 }, { "x/data/0", four, 16 } };
    gv_buf b = archive(good, sizeof good - 1, x, 3);
    refuse(b.data, b.len, "occurs twice", "two members of one name");
    gv_buf_release(&b);
    x[2] = (struct extra){ "x/code/__torch__.py", "1", 1 };
    b = archive(good, sizeof good - 1, x, 3);
    refuse(b.data, b.len, "TorchScript", "a TorchScript archive is named");
    gv_buf_release(&b);
    x[2] = (struct extra){ "x/constants.pkl", "1", 1 };
    b = archive(good, sizeof good - 1, x, 3);
    refuse(b.data, b.len, "TorchScript", "by its constants too");
    gv_buf_release(&b);
    x[2] = (struct extra){ "x/byteorder", "middle", 6 };
    b = archive(good, sizeof good - 1, x, 3);
    refuse(b.data, b.len, "'middle'", "an unknown byte order");
    gv_buf_release(&b);
    static const char *const versions[] = { "", "0", "11", "-1", "3x", "999999999999999999999" };
    for (size_t i = 0; i < GV_COUNT(versions); i++) {
        x[0] = (struct extra){ "x/version", versions[i], strlen(versions[i]) };
        b = archive(good, sizeof good - 1, x, 2);
        refuse(b.data, b.len, "version", "a version that is not 1 to 10");
        gv_buf_release(&b);
    }
    b = archive(good, sizeof good - 1, x + 1, 1);
    refuse(b.data, b.len, "version", "no version");
    gv_buf_release(&b);
    refuse("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "neither", "an empty archive");

    char tar[600] = "model/data.pkl";
    memcpy(tar + 257, "ustar", 5);
    refuse(tar, sizeof tar, "tar archive", "tar is named");
    refuse("7z\xBC\xAF\x27\x1C\0\4zzzzzzzzzz", 18, "7z archive", "7z is named");
    refuse("\x1f\x8b\x08zzzzzzzzzzzzzz", 17, "gzip", "gzip is named");
    refuse("version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull", "a Git LFS pointer is named");
    refuse("<!DOCTYPE html><html>", 21, "HTML page", "a web page is named");
    refuse("\x89HDF\r\n\x1a\n0000", 12, "HDF5", "HDF5 is named");
    refuse("\x80\2}.", 4, "not one that torch.save wrote", "a bare pickle is named");
    refuse("hello world, this is text", 25, "neither safetensors", "text is refused");
    refuse("", 0, "empty", "an empty file");
    gv_err err = { 0 };
    gv_weights *w;
    ok(gv_weights_open(&w, "/nonexistent/file.pt", &err) == GV_ESYS && strstr(err.text, "'/nonexistent/file.pt'"), "a file that is not there is named");
    err = (gv_err){ 0 };
    ok(gv_weights_open(&w, "/tmp", &err) == GV_EDATA && strstr(err.text, "a folder"), "so is a folder");
}

int main(void)
{
    fd = memfd_create("weights", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(base, sizeof base, "%s/gv-bad-%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    safetensors();
    pickles();
    attacks();
    machine();
    containers();
    cut_and_flip("tests/fixtures/weights/types.safetensors", 0);
    cut_and_flip("tests/fixtures/weights/views.pt", 1);
    cut_and_flip("tests/fixtures/weights/types_deflated.pt", 1);
    cut_and_flip("tests/fixtures/weights/types_zip64.pt", 1);
    cut_and_flip("tests/fixtures/weights/views.pth", 0);
    close(fd);
    return done();
}
