/* parts: streams that follow each other, as one. */
#include "stage/parts.h"
#include <inttypes.h>

static const char *name_of(const gv_parts *p, size_t i)
{
    return p->path->n ? p->path->v[i] : "stdin";
}

static int open_at(gv_parts *p, gv_err *err)
{
    int r = gv_open_input(p->path->n ? p->path->v[p->at] : NULL, &p->now, err);
    if (r < 0)
        return r;
    p->low = p->high = -1;
    gv_kind kind = gv_reader_header(p->now)->kind;
    char wanted[128] = "";
    for (unsigned k = GV_SAMPLE; k <= GV_ERROR_RECORD; k <<= 1)
        if (p->kinds & k)
            snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s%s", *wanted ? " or " : "", gv_kind_name((gv_kind)k));
    return p->kinds & kind ? GV_OK : gv_fail(err, GV_EDATA, "stream '%s' holds %s records; %s records are wanted", name_of(p, p->at), gv_kind_name(kind), wanted);
}

/* All but how many they are. */
static int same_facts(const gv_parts *p, gv_err *err)
{
    const gv_record *h[2] = { gv_reader_header(p->first), gv_reader_header(p->now) };
    for (int side = 0; side < 2; side++)
        for (size_t k = 0; k < h[side]->n; k++) {
            const char *key = h[side]->field[k].key;
            const gv_item *other = gv_get(h[!side], key);
            if (strcmp(key, "count") && (!other || !gv_item_equal(&h[side]->field[k].value, other)))
                return gv_fail(err, GV_EDATA, "'%s' and '%s' differ in '%s': they are no parts of one stream", name_of(p, 0), name_of(p, p->at), key);
        }
    return h[0]->kind == h[1]->kind ? GV_OK : gv_fail(err, GV_EDATA, "'%s' holds %s records, '%s' %s records: they are no parts of one stream", name_of(p, 0), gv_kind_name(h[0]->kind), name_of(p, p->at), gv_kind_name(h[1]->kind));
}

/* The part that has ended came behind the one before it. */
static int follows(gv_parts *p, gv_err *err)
{
    if (p->path->n < 2 || p->low < 0 || (p->at > 0 && p->before < 0))
        return GV_OK;
    if (p->at == 0 && p->low != 0)
        return gv_fail(err, GV_EDATA, "'%s' begins with sample %" PRId64 ": the part before it is missing", name_of(p, 0), p->low);
    if (p->at > 0 && p->low != p->before + 1)
        return gv_fail(err, GV_EDATA, "'%s' begins with sample %" PRId64 ", but the last one of '%s' is %" PRId64 ": a part is missing, or their batches differ in size", name_of(p, p->at), p->low,
                       name_of(p, p->at - 1), p->before);
    return GV_OK;
}

int gv_parts_open(gv_parts *p, const gv_strs *path, unsigned kinds, gv_err *err)
{
    *p = (gv_parts){ .path = path, .kinds = kinds, .before = -1 };
    int r = open_at(p, err);
    p->first = p->now;
    return r;
}

const gv_record *gv_parts_header(const gv_parts *p)
{
    return gv_reader_header(p->first);
}

int gv_parts_next(gv_parts *p, gv_record *rec, gv_err *err)
{
    int r;
    while ((r = gv_next(p->now, rec, err)) == 0) {
        if (follows(p, err) < 0)
            return err->code;
        if (p->at + 1 >= p->path->n)
            return 0;
        if (p->now != p->first)
            gv_reader_close(p->now);
        p->now = NULL;
        p->before = p->high;
        p->at++;
        if ((r = open_at(p, err)) < 0 || (r = same_facts(p, err)) < 0)
            return r;
    }
    if (r < 0)
        return p->path->n > 1 ? gv_fail_in(err, "'%s'", name_of(p, p->at)) : r;
    int64_t index;
    if (gv_get_i64(rec, "index", &index) && index >= 0) {
        p->low = p->low < 0 || index < p->low ? index : p->low;
        p->high = index > p->high ? index : p->high;
    }
    return r;
}

int gv_parts_fail_in(const gv_parts *p, gv_err *err)
{
    uint64_t n = gv_reader_records(p->now);
    return p->path->n > 1 ? gv_fail_in(err, "record %" PRIu64 " of '%s'", n, name_of(p, p->at)) : gv_fail_in(err, "record %" PRIu64, n);
}

void gv_parts_close(gv_parts *p)
{
    if (p->now != p->first)
        gv_reader_close(p->now);
    gv_reader_close(p->first);
    p->now = p->first = NULL;
}
