/* limits: what a header may claim. Apart from the table of formats, so that who reads one of them need not link all. */
#include "formats/format.h"
#include <inttypes.h>

/* "512 x 512 x 300 x 1". */
static const char *shape_text(const gv_sample *s, char to[GV_MAX_DIMS * 24])
{
    size_t at = 0;
    for (int i = 0; i < s->ndim; i++)
        at += (size_t)snprintf(to + at, 24, "%s%" PRId64, i ? " x " : "", s->shape[i]);
    return to;
}

int gv_shape_check(const gv_sample *s, size_t max_output, gv_err *err)
{
    char text[GV_MAX_DIMS * 24] = "";
    int64_t c = s->shape[s->ndim - 1], most = s->ndim > 3 ? GV_MAX_SIDE : GV_MAX_CHANNELS; /* the channels of a volume may be times */
    for (int i = 0; i < s->ndim - 1; i++)
        if (s->shape[i] < 1 || s->shape[i] > GV_MAX_SIDE)
            return gv_fail(err, GV_EDATA, "the header claims a side of %" PRId64 "; 1 to %d are read", s->shape[i], GV_MAX_SIDE);
    if (c < 1 || c > most)
        return gv_fail(err, GV_EDATA, "the header claims %" PRId64 " samples per pixel; 1 to %" PRId64 " are read", c, most);
    size_t bytes = gv_sample_bytes(s);
    if (!bytes || bytes > max_output)
        return gv_fail(err, GV_EDATA, "the header claims %s values of %zu bytes; at most %zu MiB are decoded", shape_text(s, text), gv_dtype_of(s->dtype)->size, max_output >> 20);
    return GV_OK;
}
