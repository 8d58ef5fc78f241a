/* series_decode: a series of any format on the list. */
#include "formats/series.h"

int gv_series_decode(gv_bytes b, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    static const gv_series_options plain;
    o = o ? o : &plain;
    if (!b.n)
        return gv_fail(err, GV_EDATA, "the file is empty");
    const gv_format *f = gv_format_sniff(b.p, b.n);
    if (!f)
        return gv_fail(err, GV_EDATA, "the first bytes are those of no known format of series (csv, tsv, npy, hdf5, wav, flac)");
    if (!f->series)
        return gv_fail(err, GV_EDATA, "a %s file holds no series", f->name);
    gv_series s = { .format = f->name };
    int r = f->series(b.p, b.n, o, &s, arena, err);
    if (r == GV_OK)
        r = gv_series_fill(&s.x, o->missing, err);
    if (r == GV_OK)
        *out = s;
    return r;
}
