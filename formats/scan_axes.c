/* scan_axes: what readers of volumes share. Apart from the choice among them, which links all of them. */
#include "formats/scan.h"

void gv_swap_bytes(void *data, size_t n, size_t size)
{
    uint8_t *p = data;
    if (size == 2)
        for (size_t i = 0; i < n; i++, p += 2) {
            uint8_t t = p[0];
            p[0] = p[1];
            p[1] = t;
        }
    else if (size > 2)
        for (size_t i = 0; i < n; i++, p += size)
            for (size_t k = 0; k < size / 2; k++) {
                uint8_t t = p[k];
                p[k] = p[size - 1 - k];
                p[size - 1 - k] = t;
            }
}

int gv_scan_axes(gv_sample *s, const char *what, gv_err *err)
{
    if (s->ndim == 3)
        s->shape[s->ndim++] = 1;
    if (s->ndim != 4)
        return gv_fail(err, GV_EDATA, "%s has %d axes; a volume has 3 or 4 ([D,H,W] or [D,H,W,C])", what, s->ndim);
    return GV_OK;
}

void gv_scan_space(gv_scan *v, const double spacing[3])
{
    for (int k = 0; k < 3; k++) {
        v->spacing[k] = spacing[k];
        for (int i = 0; i < 3; i++)
            v->affine[i][k] = i == 2 - k ? spacing[k] : 0;
    }
    v->placed = true;
}
