/* merge: strands back into one stream, in order of (epoch, pos). */
#include "stream/stream.h"
#include <inttypes.h>

struct strand { gv_reader *r; gv_record head; int state; /* 1: head is read; 0: the stream has ended; -1: not looked at */ int64_t epoch, pos; };

struct gv_merge {
    int n, lent; /* lent: the strand whose head is out, or -1 */
    bool begun;
    int64_t epoch, pos; /* of the record wanted next */
    gv_err err;
    struct strand s[];
};

static int same_header(const gv_record *a, const gv_record *b, int i, int n, gv_err *err)
{
    if (a->kind != b->kind)
        return gv_fail(err, GV_EDATA, "strand 1 of %d holds %s records, strand %d %s records", n, gv_kind_name(a->kind), i + 1, gv_kind_name(b->kind));
    for (size_t k = 0; k < a->n || k < b->n; k++) {
        const char *key = k < a->n ? a->field[k].key : b->field[k].key;
        const gv_item *x = gv_get(a, key), *y = gv_get(b, key);
        if (!x || !y || !gv_item_equal(x, y))
            return gv_fail(err, GV_EDATA, "the headers of strands 1 and %d of %d differ in '%s': they do not come from one run", i + 1, n, key);
    }
    return GV_OK;
}

int gv_merge_open(gv_merge **out, gv_reader **r, int n, gv_err *err)
{
    *out = NULL;
    gv_merge *m = n > 0 ? gv_alloc(sizeof *m + (size_t)n * sizeof m->s[0], err) : NULL;
    int e = m ? GV_OK : n > 0 ? GV_ESYS : gv_fail(err, GV_EINTERNAL, "nothing to merge");
    for (int i = 1; e == GV_OK && i < n; i++)
        e = same_header(gv_reader_header(r[0]), gv_reader_header(r[i]), i, n, err);
    if (e < 0) {
        for (int i = 0; i < n; i++)
            gv_reader_close(r[i]);
        gv_free(m);
        return e;
    }
    m->n = n;
    m->lent = -1;
    for (int i = 0; i < n; i++) {
        m->s[i].r = r[i];
        m->s[i].state = -1;
    }
    *out = m;
    return GV_OK;
}

const gv_record *gv_merge_header(const gv_merge *m)
{
    return gv_reader_header(m->s[0].r);
}

/* Have the head of strand i ready. */
static int look(gv_merge *m, int i, gv_err *err)
{
    struct strand *s = &m->s[i];
    if (s->state >= 0)
        return GV_OK;
    int got = gv_next(s->r, &s->head, err);
    if (got < 0)
        return m->n > 1 ? gv_fail_in(err, "strand %d of %d", i + 1, m->n) : got;
    s->state = got;
    if (!got)
        return GV_OK;
    s->epoch = 0;
    (void)gv_get_i64(&s->head, "epoch", &s->epoch);
    if (m->n == 1 && !gv_get(&s->head, "pos")) /* one input of a foreign writer: in the order it comes */
        s->pos = m->pos;
    else if (!gv_get_i64(&s->head, "pos", &s->pos) || s->pos < 0 || s->epoch < 0)
        return gv_fail(err, GV_EDATA, "record %" PRIu64 " of strand %d has no 'pos', so its place is unknown", gv_reader_records(s->r), i + 1);
    return GV_OK;
}

/* All strands stand at the end of an epoch, or before the first record: find the earliest head. 0: all have ended. */
static int turn_epoch(gv_merge *m, gv_err *err)
{
    int first = -1;
    for (int i = 0; i < m->n; i++) {
        int e = look(m, i, err);
        if (e < 0)
            return e;
        struct strand *s = &m->s[i], *f = first < 0 ? NULL : &m->s[first];
        if (s->state && (!f || s->epoch < f->epoch || (s->epoch == f->epoch && s->pos < f->pos)))
            first = i;
    }
    if (first < 0)
        return 0;
    const struct strand *f = &m->s[first];
    if (m->begun && (f->epoch <= m->epoch || f->pos != 0)) {
        int t = (int)(m->pos % m->n);
        if (f->epoch == m->epoch)
            return gv_fail(err, GV_EDATA, "strand %d of %d %s where position %" PRId64 " of epoch %" PRId64 " is due, but strand %d goes on to %" PRId64, t + 1,
                           m->n, m->s[t].state ? "ends its epoch" : "ends", m->pos, m->epoch, first + 1, f->pos);
        return gv_fail(err, GV_EDATA, "epoch %" PRId64 " starts at position %" PRId64 " (strand %d of %d), not at 0", f->epoch, f->pos, first + 1, m->n);
    }
    m->begun = true;
    m->epoch = f->epoch;
    m->pos = f->pos;
    return 1;
}

static int next(gv_merge *m, gv_record *rec, gv_err *err)
{
    if (m->lent >= 0)
        m->s[m->lent].state = -1;
    m->lent = -1;
    int t = 0, e;
    if (m->n == 1) {
        struct strand *s = &m->s[0];
        if ((e = look(m, 0, err)) < 0 || !s->state)
            return e;
        if (m->begun && (s->epoch < m->epoch || (s->epoch == m->epoch && s->pos < m->pos)))
            return gv_fail(err, GV_EDATA, "record %" PRIu64 " goes back to position %" PRId64 " of epoch %" PRId64, gv_reader_records(s->r), s->pos, s->epoch);
        m->begun = true;
        m->epoch = s->epoch;
        m->pos = s->pos;
    } else {
        bool due = m->begun;
        if (due) {
            t = (int)(m->pos % m->n);
            if ((e = look(m, t, err)) < 0)
                return e;
            due = m->s[t].state && m->s[t].epoch == m->epoch;
        }
        if (!due && (e = turn_epoch(m, err)) <= 0)
            return e;
        t = (int)(m->pos % m->n);
        struct strand *s = &m->s[t];
        if ((e = look(m, t, err)) < 0)
            return e;
        if (!s->state || s->epoch != m->epoch || s->pos != m->pos)
            return gv_fail(err, GV_EDATA, "strand %d of %d has position %" PRId64 " of epoch %" PRId64 " where %" PRId64 " of epoch %" PRId64 " is due", t + 1, m->n,
                           s->pos, s->epoch, m->pos, m->epoch);
    }
    m->pos++;
    m->lent = t;
    rec->kind = m->s[t].head.kind;
    rec->n = m->s[t].head.n;
    memcpy(rec->field, m->s[t].head.field, rec->n * sizeof rec->field[0]);
    return 1;
}

int gv_merge_next(gv_merge *m, gv_record *rec, gv_err *err)
{
    if (m->err.code != GV_OK)
        return gv_fail(err, m->err.code, "%s", m->err.text);
    gv_err mine = { 0 };
    int e = next(m, rec, &mine);
    if (e >= 0)
        return e;
    if (mine.code != GV_ESAVED)
        m->err = mine;
    return gv_fail(err, mine.code, "%s", mine.text);
}

void gv_merge_tie(gv_merge *m, gv_writer *w)
{
    for (int i = 0; i < m->n; i++)
        gv_reader_tie(m->s[i].r, w);
}

void gv_merge_close(gv_merge *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n; i++)
        gv_reader_close(m->s[i].r);
    gv_free(m);
}
