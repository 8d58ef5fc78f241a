/* source: what a run has to tell: its events, its pictures, what it leaves. */
#include "track/internal.h"
#include "common/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { STEP_MAX = 64 << 20, MAX_EPOCHS = 1 << 20, MAX_PICTURES = 1 << 16 };

int64_t gv_track_read_from(const char *path, int64_t from, size_t max, gv_buf *b, gv_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    int64_t r = fstat(fd, &st) < 0 ? gv_fail_sys(err, "cannot stat '%s'", path) : st.st_size;
    size_t n = r > from ? (size_t)(r - from) : 0;
    n = n > max ? max : n;
    if (r >= 0 && n && gv_buf_reserve(b, n, err) < 0)
        r = GV_ESYS;
    for (size_t got = 0; r >= 0 && got < n;) {
        ssize_t k = pread(fd, b->data + b->len, n - got, from + (int64_t)got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            r = gv_fail_sys(err, "cannot read '%s'", path);
        if (k <= 0)
            break; /* cut meanwhile */
        got += (size_t)k;
        b->len += (size_t)k;
    }
    if (b->data)
        b->data[b->len] = 0;
    close(fd);
    return r;
}

/* ---- events ---- */

static int keep_time(gv_track *t, int64_t epoch, double ts, gv_err *err)
{
    if (epoch < 0 || epoch >= MAX_EPOCHS)
        return GV_OK;
    if (epoch >= t->ntimes) {
        int64_t n = epoch + 1 < 256 ? 256 : 2 * (epoch + 1);
        double *more = gv_alloc((size_t)n * sizeof *more, err);
        if (!more)
            return GV_ESYS;
        for (int64_t i = 0; i < n; i++)
            more[i] = i < t->ntimes ? t->time[i] : NAN;
        gv_free(t->time);
        t->time = more;
        t->ntimes = n;
    }
    t->time[epoch] = ts;
    return GV_OK;
}

/* One event. The end of an epoch is told by {"ts": …, "event": "epoch", "text": "epoch 3/20 …"}. What is no JSON is passed over: events are
 * told, not promised. */
static int event(gv_track *t, const char *line, bool is_new, gv_err *err)
{
    if (!strstr(line, "\"text\":"))
        return GV_OK;
    json_t *j = json_loads(line, 0, NULL);
    const char *text = json_string_value(json_object_get(j, "text")), *kind = json_string_value(json_object_get(j, "event"));
    const char *stage = json_string_value(json_object_get(j, "stage"));
    double ts = json_is_number(json_object_get(j, "ts")) ? json_number_value(json_object_get(j, "ts")) : NAN;
    long long n;
    int r = GV_OK;
    if (text && kind && !strcmp(kind, "epoch") && sscanf(text, "epoch %lld/", &n) == 1 && !isnan(ts))
        r = keep_time(t, n - 1, ts, err);
    if (r == GV_OK && is_new && text && kind && t->d.sink->said) {
        char shown[4200];
        bool plain = !strcmp(kind, "epoch") || !strcmp(kind, "note");
        snprintf(shown, sizeof shown, "%s%s%s%s%s", plain ? "" : stage ? stage : "", plain ? "" : ": ", plain ? "" : kind, plain ? "" : ": ", text);
        r = t->d.sink->said(&t->d, ts, shown, err);
    }
    json_decref(j);
    return r;
}

int gv_track_events(gv_track *t, gv_track_done *done, gv_err *err)
{
    char path[4200];
    gv_buf b = { 0 };
    int r = GV_OK;
    snprintf(path, sizeof path, "%.4000s/events.jsonl", t->run.dir);
    for (bool more = true; more && r == GV_OK;) {
        b.len = 0;
        int64_t size = gv_track_read_from(path, t->events_at, STEP_MAX, &b, err);
        size_t taken = 0;
        r = size < 0 ? (int)size : GV_OK;
        if (r == GV_OK && size < t->events_at) /* somebody made it shorter: what follows is told from here on */
            t->events_at = done->said = size;
        for (char *nl; r == GV_OK && b.len && (nl = memchr(b.data + taken, '\n', b.len - taken)); taken = (size_t)(nl - b.data) + 1) {
            *nl = 0;
            r = event(t, b.data + taken, t->events_at + (int64_t)taken >= done->said, err);
        }
        t->events_at += (int64_t)taken;
        more = taken && b.len == STEP_MAX;
    }
    if (t->events_at > done->said)
        done->said = t->events_at;
    gv_buf_release(&b);
    return r;
}

/* ---- files ---- */

/* Whether the file is there and not delivered as it is now; its digest in hex. */
static bool is_new(gv_track *t, const char *name, const char *path, const json_t *files, char hex[20], double *time)
{
    struct stat st;
    char mark[64];
    gv_buf b = { 0 };
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *time = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
    snprintf(mark, sizeof mark, "%lld %lld.%09ld", (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    const char *seen = json_string_value(json_object_get(t->seen, name)), *was = json_string_value(json_object_get(files, name));
    if (seen && was && !strcmp(seen, mark))
        return false;
    XXH3_state_t *x = XXH3_createState();
    bool ok = x && XXH3_64bits_reset(x) == XXH_OK;
    for (int64_t at = 0; ok && at < st.st_size; at += (int64_t)b.len) {
        b.len = 0;
        ok = gv_track_read_from(path, at, 16 << 20, &b, &(gv_err){ 0 }) >= 0 && b.len && XXH3_64bits_update(x, b.data, b.len) == XXH_OK;
    }
    snprintf(hex, 20, "%016" PRIx64, ok ? (uint64_t)XXH3_64bits_digest(x) : 0);
    XXH3_freeState(x);
    gv_buf_release(&b);
    if (ok)
        json_object_set_new(t->seen, name, json_string(mark));
    return ok && !(was && !strcmp(was, hex));
}

static int delivered(json_t *files, const char *name, const char *hex, gv_err *err)
{
    return json_object_set_new(files, name, json_string(hex)) < 0 ? gv_fail(err, GV_ESYS, "cannot keep that '%s' was delivered (is its name UTF-8?)", name) : 1;
}

/* "val_confusion_matrix_epoch_0003.png" -> "val_ConfusionMatrix_normalized", 3. */
static bool epoch_picture(const char *name, char key[128], int64_t *step)
{
    static const struct { const char *in_file, *in_key; } kinds[] = {
        { "_confusion_matrix_absolute", "_ConfusionMatrix_absolute" },
        { "_confusion_matrix", "_ConfusionMatrix_normalized" },
        { "_predicted_against_true", "_PredictedAgainstTrue" },
    };
    const char *e = strstr(name, "_epoch_");
    char *end;
    if (!e || e - name > 100)
        return false;
    long long n = strtoll(e + 7, &end, 10);
    if (strcmp(end, ".png") || n < 0 || end == e + 7)
        return false;
    size_t whole = (size_t)(e - name);
    snprintf(key, 128, "%.*s", (int)whole, name);
    for (size_t i = 0; i < GV_COUNT(kinds); i++) {
        size_t k = strlen(kinds[i].in_file);
        if (whole > k && !strncmp(name + whole - k, kinds[i].in_file, k)) {
            snprintf(key, 128, "%.*s%s", (int)(whole - k), name, kinds[i].in_key);
            break;
        }
    }
    *step = n;
    return true;
}

/* "log/pictures/curve/loss.png" -> "curve/loss", of the last epoch. */
static bool last_picture(const char *name, char key[128])
{
    size_t n = strlen(name);
    if (n < 5 || n > 100 || strcmp(name + n - 4, ".png"))
        return false;
    snprintf(key, 128, "%.*s", (int)(n - 4), name);
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The pictures of one folder of the run; key_before stands before their keys. */
static int folder(gv_track *t, const char *dir, const char *key_before, bool of_epochs, int64_t lines, json_t *files, gv_err *err)
{
    char path[4600], name[400], key[128], whole[160], hex[20];
    struct dirent **v = NULL;
    snprintf(path, sizeof path, "%.4000s/%s", t->run.dir, dir);
    int n = scandir(path, &v, NULL, by_name), count = 0, r = GV_OK;
    for (int i = 0; i < n; i++) {
        gv_run_picture p = { .key = whole, .path = path, .step = lines > 0 ? lines - 1 : 0 };
        bool ok = r >= 0 && i < MAX_PICTURES && (of_epochs ? epoch_picture(v[i]->d_name, key, &p.step) : last_picture(v[i]->d_name, key));
        snprintf(whole, sizeof whole, "%s%s", key_before, ok ? key : "");
        snprintf(name, sizeof name, "%s/%.255s", dir, v[i]->d_name);
        snprintf(path, sizeof path, "%.4000s/%s", t->run.dir, name);
        if (ok && is_new(t, name, path, files, hex, &p.time)) {
            r = t->d.sink->picture(&t->d, &p, err);
            r = r < 0 ? r : delivered(files, name, hex, err);
            count += r >= 0;
        }
        free(v[i]);
    }
    free(v);
    return r < 0 ? r : count;
}

int gv_track_pictures(gv_track *t, int64_t lines, json_t *files, gv_err *err)
{
    static const struct { const char *dir, *key; bool of_epochs; } places[] = {
        { "plots", "", true }, { "log/pictures", "", false }, { "log/pictures/curve", "curve/", false },
    };
    int n = 0, r = GV_OK;
    for (size_t i = 0; t->d.sink->picture && r >= 0 && i < GV_COUNT(places); i++, n += r > 0 ? r : 0)
        r = folder(t, places[i].dir, places[i].key, places[i].of_epochs, lines, files, err);
    return r < 0 ? r : n;
}

int gv_track_artifacts(gv_track *t, bool all, json_t *files, gv_err *err)
{
    static const char *const names[] = { /* the first three from the start */
        "config.json", "resolved_config.json", "runtime_info.json", "pipeline.sh", "plan.json", "splits.json", "metrics.csv", "val_results.json", "curves.png",
        "checkpoints/best.safetensors", "checkpoints/best.pt",
    };
    char path[4300], hex[20];
    double time;
    int n = 0, r = GV_OK;
    for (size_t i = 0; t->d.sink->artifact && r >= 0 && i < (all ? GV_COUNT(names) : 3); i++) {
        snprintf(path, sizeof path, "%.4000s/%s", t->run.dir, names[i]);
        if (is_new(t, names[i], path, files, hex, &time)) {
            r = t->d.sink->artifact(&t->d, names[i], path, err);
            r = r < 0 ? r : delivered(files, names[i], hex, err);
            n += r >= 0;
        }
    }
    return r < 0 ? r : n;
}
