/* tar: the files of an archive as sample records that carry their bytes, so that a pipe is enough: nothing is unpacked.
 *
 * A sample is a file with one of the endings. Its class is the folder it lies in (the first below --below), or a number or class name
 * in the file of the same name that ends in .cls, as WebDataset packs them: then the files up to the first dot of their name are one
 * sample, and follow each other. What cannot be used (no label, a link, too large) goes on as an error record.
 * With --shuffle N, N samples wait in memory and each is drawn from (seed, epoch): an archive is sorted by class more often than not. */
#include "common/log.h"
#include "common/rng.h"
#include "data/tar.h"
#include "stage/stage.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct tar {
    gv_strs input;
    const char *below;
    int labels;
    gv_strs class_names, extensions;
    int64_t archives_per_epoch, shuffle;
};

enum { FOLDER, CLS, NONE };
static const char *const label_kinds[] = { "folder", "cls", "none", NULL };
static const gv_field fields[] = {
    GV_OPT_STRS(struct tar, input, NULL, "archives, one behind the other: paths, or -; None: stdin", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct tar, below, "take only what lies in this folder of the archive; None: all of it"),
    GV_ENUM(struct tar, labels, FOLDER, label_kinds, "where labels come from: the folder of a file, the .cls file beside it, or nowhere"),
    GV_STRS(struct tar, class_names, "", NULL, "class names in the order of their numbers; labels from folders need them"),
    GV_STRS(struct tar, extensions, "jpg jpeg png webp bmp gif tif tiff", NULL, "endings of the files that are samples, in any case"),
    GV_I64(struct tar, archives_per_epoch, 0, 0, INT64_MAX, "archive", "so many archives are an epoch; 0: all of them are one"),
    GV_I64(struct tar, shuffle, 0, 0, 1 << 20, "sample", "samples that wait in memory, to be drawn at random; 0: the archive's order"),
    GV_END
};

enum { MAX_SAMPLE = 512 << 20, MAX_LABEL = 4096 };

/* A sample that waits. */
struct one { gv_buf bytes, id; int64_t index, y; char reason[300]; bool file; };

struct run {
    gv_stage_ctx *st;
    const struct tar *o;
    int64_t classes, epoch, pos, index, archives, looked, inside, found; /* looked: at members; inside: of them below --below */
    char first[200];        /* name of the first member that is a file */
    struct one *pool, next; /* next: the sample that is being put together */
    bool open;              /* it has begun */
    int64_t held;
    gv_rng rng;
};

/* ---- samples to records ---- */

static int emit(struct run *r, struct one *s, gv_err *err)
{
    gv_record rec;
    gv_arena_reset(&r->st->scratch);
    gv_record_init(&rec, GV_SAMPLE);
    if (gv_set_i64(&rec, "epoch", r->epoch, err) < 0 || gv_set_i64(&rec, "pos", r->pos, err) < 0 || gv_set_i64(&rec, "index", s->index, err) < 0 ||
        gv_set_i64(&rec, "draw", 0, err) < 0 || gv_set_text(&rec, "id", s->id.data, err) < 0)
        return err->code;
    if (s->reason[0]) {
        gv_err why = { 0 };
        gv_fail(&why, GV_EDATA, "%s", s->reason);
        if (gv_record_to_error(&rec, "tar", &why, &r->st->scratch) < 0)
            return gv_fail(err, GV_ESYS, "%s", why.text);
    } else {
        gv_item bytes = { .type = GV_BIN, .text = { s->bytes.data ? s->bytes.data : "", s->bytes.len } };
        if (gv_set(&rec, "bytes", bytes, err) < 0 || (s->y >= 0 && gv_set_i64(&rec, "y", s->y, err) < 0))
            return err->code;
    }
    r->pos++;
    gv_stage_done(r->st, 1);
    return gv_put(r->st->out, &rec, err);
}

/* The sample in r->next is whole: it goes out, or to those that wait, of which another one goes. */
static int ready(struct run *r, gv_err *err)
{
    if (!r->open)
        return GV_OK;
    r->open = false;
    if (!r->next.file && !r->next.reason[0])
        snprintf(r->next.reason, sizeof r->next.reason, "there is a label in the archive, but no file it belongs to");
    r->found++;
    r->next.index = r->index++;
    if (!r->o->shuffle)
        return emit(r, &r->next, err);
    int64_t at = r->held < r->o->shuffle ? r->held++ : (int64_t)gv_rng_below(&r->rng, (uint64_t)r->held);
    struct one other = r->pool[at];
    r->pool[at] = r->next;
    r->next = other; /* its memory is used again */
    return other.id.len ? emit(r, &other, err) : GV_OK;
}

static int end_epoch(struct run *r, gv_err *err)
{
    if (ready(r, err) < 0)
        return err->code;
    while (r->held) {
        int64_t at = (int64_t)gv_rng_below(&r->rng, (uint64_t)r->held);
        struct one s = r->pool[at];
        r->pool[at] = r->pool[--r->held];
        r->pool[r->held] = s;
        if (emit(r, &s, err) < 0)
            return err->code;
        r->pool[r->held].id.len = 0;
    }
    r->epoch++;
    r->pos = r->index = 0;
    gv_rng_init(&r->rng, r->st->config->training.seed == GV_NONE_U64 ? 0 : r->st->config->training.seed, GV_RNG_SHUFFLE, (uint64_t)r->epoch, 0, 0);
    return GV_OK;
}

static int begin(struct run *r, const char *id, size_t n, gv_err *err)
{
    struct one *s = &r->next;
    s->id.len = s->bytes.len = 0;
    s->reason[0] = 0;
    s->y = -1;
    s->file = false;
    r->open = true;
    return gv_buf_add(&s->id, id, n, err) < 0 || gv_buf_add(&s->id, "", 1, err) < 0 ? GV_ESYS : GV_OK;
}

/* ---- members to samples ---- */

/* What follows the folder --below, or NULL. */
static const char *below(const struct tar *o, const char *name)
{
    if (!o->below)
        return name;
    const char *dir = o->below;
    while (dir[0] == '.' && dir[1] == '/')
        dir += 2;
    size_t n = strlen(dir);
    while (n && dir[n - 1] == '/')
        n--;
    return !n || !strcmp(dir, ".") ? name : !strncmp(name, dir, n) && name[n] == '/' ? name + n + 1 : NULL;
}

static bool is_sample(const struct tar *o, const char *ending)
{
    for (size_t i = 0; i < o->extensions.n; i++) {
        const char *e = o->extensions.v[i];
        if (!strcasecmp(e[0] == '.' ? e + 1 : e, ending))
            return true;
    }
    return false;
}

static int64_t class_of(const struct tar *o, const char *name, size_t n)
{
    for (size_t i = 0; i < o->class_names.n; i++)
        if (strlen(o->class_names.v[i]) == n && !memcmp(o->class_names.v[i], name, n))
            return (int64_t)i;
    return -1;
}

static void label_from_folder(struct run *r, const char *rest)
{
    struct one *s = &r->next;
    const char *slash = strchr(rest, '/');
    if (!slash)
        snprintf(s->reason, sizeof s->reason, "it lies in no class folder%s", r->o->below ? " below --below" : "");
    else if ((s->y = class_of(r->o, rest, (size_t)(slash - rest))) < 0)
        snprintf(s->reason, sizeof s->reason, "its folder '%.*s' is none of the class names (%.40s%s%.40s%s)", (int)(slash - rest < 100 ? slash - rest : 100), rest, r->o->class_names.v[0],
            r->o->class_names.n > 1 ? ", " : "", r->o->class_names.n > 1 ? r->o->class_names.v[1] : "", r->o->class_names.n > 2 ? ", …" : "");
}

static void label_from_text(struct run *r, gv_buf *b)
{
    struct one *s = &r->next;
    char *p = b->data, *end = p + b->len;
    while (p < end && strchr(" \t\r\n", *p))
        p++;
    while (end > p && strchr(" \t\r\n", end[-1]))
        end--;
    size_t n = (size_t)(end - p);
    char *after;
    s->y = class_of(r->o, p, n);
    if (s->y < 0 && n && *p >= '0' && *p <= '9') {
        int64_t v = strtoll(p, &after, 10);
        s->y = after == end && v < 1 << 24 && (!r->classes || v < r->classes) ? v : -1;
    }
    if (s->y < 0)
        snprintf(s->reason, sizeof s->reason, "its label '%.*s' is no class%s", (int)(n < 100 ? n : 100), p, r->classes ? "" : " name or number");
}

/* The bytes of a member as the sample's file. */
static int take_file(struct run *r, gv_tar *t, const gv_tar_member *m, gv_err *err)
{
    struct one *s = &r->next;
    if (s->file)
        snprintf(s->reason, sizeof s->reason, "the archive has two files for it");
    s->file = true;
    if (m->type == '1' || m->type == '2')
        snprintf(s->reason, sizeof s->reason, "it is a link to '%.150s': archive the files themselves (tar --dereference --hard-dereference)", m->link);
    else if (m->sparse)
        snprintf(s->reason, sizeof s->reason, "it is stored sparsely: make the archive without --sparse");
    else if (m->size > MAX_SAMPLE)
        snprintf(s->reason, sizeof s->reason, "it has %" PRIu64 " bytes; at most %d are read", m->size, MAX_SAMPLE);
    return s->reason[0] ? GV_OK : gv_tar_read(t, &s->bytes, err);
}

static int take_label(struct run *r, gv_tar *t, const gv_tar_member *m, gv_err *err)
{
    gv_buf b = { 0 };
    int e = GV_OK;
    if (m->type != '0' || m->size > MAX_LABEL)
        snprintf(r->next.reason, sizeof r->next.reason, "its label '%.150s' is not a short text", m->name);
    else if ((e = gv_buf_add(&b, "", 0, err)) == GV_OK && (e = gv_tar_read(t, &b, err)) == GV_OK && (e = gv_buf_reserve(&b, 1, err)) == GV_OK)
        label_from_text(r, &b);
    gv_buf_release(&b);
    return e;
}

static int take(struct run *r, gv_tar *t, const gv_tar_member *m, gv_err *err)
{
    const char *rest = m->type == '0' || m->type == '1' || m->type == '2' ? below(r->o, m->name) : NULL;
    r->looked++;
    r->inside += rest && *rest;
    if (!r->first[0] && m->type == '0')
        snprintf(r->first, sizeof r->first, "%s", m->name);
    if (!rest || !*rest)
        return GV_OK;
    const char *base = strrchr(m->name, '/') ? strrchr(m->name, '/') + 1 : m->name;
    if (r->o->labels != CLS) {
        const char *dot = strrchr(base, '.');
        if (!dot || dot == base || !is_sample(r->o, dot + 1))
            return GV_OK;
        if (begin(r, m->name, strlen(m->name), err) < 0)
            return GV_ESYS;
        if (r->o->labels == FOLDER)
            label_from_folder(r, rest);
        if (take_file(r, t, m, err) < 0)
            return gv_fail_in(err, "'%s'", m->name);
        return ready(r, err);
    }
    const char *dot = strchr(base, '.');
    bool file = dot && is_sample(r->o, dot + 1), label = dot && !strcmp(dot, ".cls");
    if (!file && !label)
        return GV_OK;
    size_t n = (size_t)(dot - m->name);
    bool same = r->open && r->next.id.len == n + 1 && !memcmp(r->next.id.data, m->name, n);
    if (!same && (ready(r, err) < 0 || begin(r, m->name, n, err) < 0))
        return err->code;
    return (file ? take_file : take_label)(r, t, m, err) < 0 ? gv_fail_in(err, "'%s'", m->name) : GV_OK;
}

/* ---- archives ---- */

static int read_all(struct run *r, const char *path, gv_err *err)
{
    const char *name = strcmp(path, "-") ? path : "stdin";
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO), got;
    struct stat s;
    gv_tar *t;
    gv_tar_member m;
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        gv_fail_sys(err, "cannot open '%s'", name);
        return err->code = missing ? GV_EUSAGE : err->code;
    }
    if (isatty(fd) || (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode))) {
        got = isatty(fd);
        close(fd);
        return gv_fail(err, GV_EUSAGE, got ? "'%s' is a terminal, not an archive: name a file, or send one (tar c DIR | glovita-tar)" : "'%s' is a directory; an archive is wanted (tar c %s | glovita-tar)", name, name);
    }
    if (gv_tar_open(&t, fd, name, err) < 0)
        return err->code;
    while ((got = gv_tar_next(t, &m, err)) > 0) {
        if (got == GV_TAR_MEMBER)
            got = take(r, t, &m, err);
        else if (++r->archives == r->o->archives_per_epoch) {
            r->archives = 0;
            got = end_epoch(r, err);
        } else
            got = ready(r, err);
        if (got < 0)
            break;
    }
    gv_tar_close(t);
    return got;
}

static int start(struct run *r, gv_err *err)
{
    const struct tar *o = r->o;
    gv_stage_ctx *st = r->st;
    int64_t given = st->config->data.num_classes;
    r->classes = o->class_names.n ? (int64_t)o->class_names.n : given == GV_NONE_I64 ? 0 : given;
    if (o->labels == FOLDER && !o->class_names.n)
        return gv_fail(err, GV_EUSAGE, "'--class_names' is not given: an archive cannot be looked through before it is read, so the names of its class folders are wanted in their order (or '--labels cls', '--labels none')");
    if (o->class_names.n && given != GV_NONE_I64 && given != r->classes)
        return gv_fail(err, GV_EUSAGE, "data.num_classes is %" PRId64 ", but '--class_names' has %zu", given, o->class_names.n);
    if (o->shuffle && !(r->pool = gv_alloc((size_t)o->shuffle * sizeof *r->pool, err)))
        return GV_ESYS;
    r->epoch = -1;
    if (end_epoch(r, err) < 0 || gv_writer_fact(st->out, "data_set", gv_item_text("tar"), err) < 0 || gv_writer_fact(st->out, "content", gv_item_text("image"), err) < 0 || gv_writer_fact(st->out, "shuffle", gv_item_bool(o->shuffle > 0), err) < 0)
        return err->code;
    if (o->labels != NONE && (gv_writer_fact(st->out, "task", gv_item_text("multiclass"), err) < 0 || (r->classes && gv_writer_fact(st->out, "num_classes", gv_item_i64(r->classes), err) < 0)))
        return err->code;
    if (o->labels != NONE && o->class_names.n) {
        gv_item names = gv_item_texts(o->class_names.v, o->class_names.n, &st->run, err);
        if (names.type == GV_NIL || gv_writer_fact(st->out, "class_names", names, err) < 0)
            return err->code;
    }
    /* The history: the options that change what is listed. Which archives are read is not told, as data roots are not. */
    gv_pair opt[4];
    size_t n = 0;
    if (o->below)
        opt[n++] = (gv_pair){ "below", gv_item_text(o->below) };
    opt[n++] = (gv_pair){ "labels", gv_item_text(label_kinds[o->labels]) };
    if (o->shuffle) {
        opt[n++] = (gv_pair){ "shuffle", gv_item_i64(o->shuffle) };
        opt[n++] = (gv_pair){ "training.seed", gv_item_i64(st->config->training.seed == GV_NONE_U64 ? 0 : (int64_t)st->config->training.seed) };
    }
    int e = gv_writer_history(st->out, "glovita-tar", GV_VERSION, opt, n, err);
    return e == GV_OK ? gv_writer_start(st->out, err) : e;
}

static void release(struct one *s)
{
    gv_buf_release(&s->bytes);
    gv_buf_release(&s->id);
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    struct run r = { .st = st, .o = st->params };
    int e = start(&r, err);
    for (size_t i = 0; e == GV_OK && (i < r.o->input.n || (!i && !r.o->input.n)); i++)
        e = read_all(&r, r.o->input.n ? r.o->input.v[i] : "-", err);
    if (e == GV_OK && (r.pos || r.open || r.held))
        e = end_epoch(&r, err);
    if (e == GV_OK && !r.found)
        e = !r.first[0] ? gv_fail(err, GV_EDATA, "no sample is in it: it has %" PRId64 " members, and no file", r.looked) :
            r.inside ? gv_fail(err, GV_EDATA, "no sample is in it: of %" PRId64 " members none ends as '--extensions' says; the first file is '%s'", r.inside, r.first) :
            gv_fail(err, GV_EDATA, "no sample is in it: of %" PRId64 " members none lies below '%s' (--below); the first file is '%s'", r.looked, r.o->below, r.first);
    for (int64_t i = 0; r.pool && i < r.o->shuffle; i++)
        release(&r.pool[i]);
    release(&r.next);
    gv_free(r.pool);
    return e;
}

static const char *const blocks[] = { "data.num_classes", "training.seed", NULL };

const gv_stage gv_this_stage = {
    .name = "tar", .summary = "list the files of a tar archive, with their bytes, as samples",
    .writes = GV_SAMPLE, .blocks = blocks, .fields = fields, .params_size = sizeof(struct tar), .run = run,
};
