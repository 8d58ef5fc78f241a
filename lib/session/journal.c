/* journal: metrics.jsonl, metrics.csv and what the pictures are drawn from. */
#include "session/journal.h"
#include "common/file.h"
#include "json/json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

int gv_journal_put(gv_journal *j, int64_t at, const char *line, gv_err *err)
{
    if (!*j->dir)
        return GV_OK;
    char path[4200];
    snprintf(path, sizeof path, "%s/metrics.jsonl", j->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    int r = GV_OK;
    off_t have = lseek(fd, 0, SEEK_END);
    if (have < at)
        r = gv_fail(err, GV_EDATA, "'%s' has %lld bytes, the run's state says %" PRId64 ": lines were removed from it", path, (long long)have, at);
    else if (ftruncate(fd, at) < 0 || lseek(fd, at, SEEK_SET) < 0)
        r = gv_fail_sys(err, "cannot cut '%s'", path);
    if (r == GV_OK && line)
        r = gv_write_full(fd, line, strlen(line), err);
    if (r == GV_OK && fdatasync(fd) < 0 && errno != EINVAL)
        r = gv_fail_sys(err, "cannot sync '%s'", path);
    if (close(fd) < 0 && r == GV_OK)
        r = gv_fail_sys(err, "cannot close '%s'", path);
    j->bytes = at + (line ? (int64_t)strlen(line) : 0);
    if (r < 0)
        return gv_fail_in(err, "'%s'", path);
    return gv_journal_csv(j->dir, err);
}

int gv_journal_open(gv_journal *j, const char *dir, bool resume, const gv_train_state *t, gv_err *err)
{
    memset(j, 0, sizeof *j);
    if (!dir)
        return GV_OK;
    snprintf(j->dir, sizeof j->dir, "%s", dir);
    if (resume && t->line)
        return gv_journal_put(j, t->metrics_bytes, t->line, err);
    return gv_journal_put(j, 0, NULL, err); /* before the first epoch's end there are no lines */
}

/* metrics.csv: the keys of the first line, one row a line. */
int gv_journal_csv(const char *dir, gv_err *err)
{
    char path[4200];
    gv_buf in = { 0 }, out = { 0 };
    snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    int r = gv_file_read(path, (size_t)256 << 20, &in, err);
    json_t *keys = NULL;
    for (char *line = in.data; r == GV_OK && line && *line;) {
        char *nl = strchr(line, '\n');
        size_t n = nl ? (size_t)(nl - line) : strlen(line);
        json_t *j = gv_json_parse(line, n, path, err);
        if (!j) {
            r = err->code;
            break;
        }
        const char *key;
        json_t *v;
        int k = 0;
        if (!keys) {
            keys = json_incref(j);
            json_object_foreach(j, key, v)
                if (r == GV_OK)
                    r = gv_buf_printf(&out, err, "%s%s", k++ ? "," : "", key);
            r = r == GV_OK ? gv_buf_add(&out, "\n", 1, err) : r;
        }
        k = 0;
        json_object_foreach(keys, key, v) {
            const json_t *x = json_object_get(j, key);
            if (r == GV_OK && k++)
                r = gv_buf_add(&out, ",", 1, err);
            if (r == GV_OK && x && !json_is_null(x))
                r = gv_json_text(x, &out, err);
        }
        if (r == GV_OK)
            r = gv_buf_add(&out, "\n", 1, err);
        json_decref(j);
        line = nl ? nl + 1 : NULL;
    }
    json_decref(keys);
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    if (r == GV_OK)
        r = gv_file_write(path, out.data ? out.data : "", out.len, err);
    gv_buf_release(&in);
    gv_buf_release(&out);
    return r;
}

int gv_journal_results(const gv_journal *j, const gv_buf *json, gv_err *err)
{
    if (!*j->dir || !json->len)
        return GV_OK;
    char path[4200];
    snprintf(path, sizeof path, "%s/val_results.json", j->dir);
    return gv_file_write(path, json->data, json->len, err);
}

int gv_journal_to_draw(const gv_journal *j, const char *name, int64_t epoch, const gv_buf *json, gv_err *err)
{
    if (!*j->dir || !json->len)
        return GV_OK;
    char path[4300];
    snprintf(path, sizeof path, "%s/plots", j->dir);
    int r = gv_mkdirs(path, err);
    snprintf(path, sizeof path, "%s/plots/%s_epoch_%04" PRId64 ".json", j->dir, name, epoch);
    return r == GV_OK ? gv_file_write(path, json->data, json->len, err) : r;
}

/* ---- an epoch's line ---- */

typedef struct adding { gv_epoch_line *l; const char *prefix; } adding;

static void add_value(void *arg, const char *key, double value, bool higher)
{
    (void)higher;
    adding *a = arg;
    if (a->l->n == GV_LINE_VALUES)
        return;
    snprintf(a->l->v[a->l->n].key, sizeof a->l->v[0].key, "%s%s", a->prefix, key);
    a->l->v[a->l->n++].value = value;
}

int gv_epoch_line_values(gv_epoch_line *l, const char *prefix, const gv_scores *s, gv_err *err)
{
    adding a = { l, prefix };
    return gv_scores_values(s, add_value, &a, err);
}

double gv_epoch_line_find(const gv_epoch_line *l, const char *key)
{
    if (!strcmp(key, "val_loss"))
        return l->val_loss;
    if (!strcmp(key, "train_loss"))
        return l->train_loss;
    for (int i = 0; i < l->n; i++)
        if (!strcmp(l->v[i].key, key))
            return l->v[i].value;
    return NAN;
}

static void put_real(json_t *j, const char *key, double v)
{
    json_object_set_new(j, key, isfinite(v) ? json_real(v) : json_null());
}

char *gv_epoch_line_json(const gv_epoch_line *l, gv_err *err)
{
    json_t *j = json_object();
    json_object_set_new(j, "epoch", json_integer(l->epoch));
    json_object_set_new(j, "step", json_integer(l->step));
    put_real(j, "lr", l->lr);
    put_real(j, "train_loss", l->train_loss);
    put_real(j, "val_loss", l->val_loss);
    for (int i = 0; i < l->n; i++)
        put_real(j, l->v[i].key, l->v[i].value);
    gv_buf b = { 0 };
    int r = gv_json_text(j, &b, err);
    json_decref(j);
    char *s = r == GV_OK ? gv_alloc(b.len + 2, err) : NULL;
    if (s) {
        memcpy(s, b.data, b.len);
        s[b.len] = '\n';
    }
    gv_buf_release(&b);
    return s;
}

int gv_epoch_line_text(const gv_epoch_line *l, int64_t epochs, double seconds, bool best, gv_buf *out, gv_err *err)
{
    int r = gv_buf_printf(out, err, "epoch %" PRId64 "/%" PRId64 "  train_loss %.4f", l->epoch + 1, epochs, l->train_loss);
    if (r == GV_OK && isfinite(l->val_loss))
        r = gv_buf_printf(out, err, "  val_loss %.4f", l->val_loss);
    for (int i = 0; i < l->n && r == GV_OK; i++)
        if (!strstr(l->v[i].key, "_class_"))
            r = gv_buf_printf(out, err, "  %s %.4f", l->v[i].key, l->v[i].value);
    return r == GV_OK ? gv_buf_printf(out, err, "  lr %.3g  %.1fs%s", l->lr, seconds, best ? "  best" : "") : r;
}
