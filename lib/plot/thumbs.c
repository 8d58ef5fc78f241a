/* thumbs: small pictures of the points, many to a JPEG file. */
#include "plot/points.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>

enum { QUALITY = 85 };

int gv_thumbs_init(gv_thumbs *t, int64_t n, gv_err *err)
{
    *t = (gv_thumbs){ .room = n / GV_THUMBS_PER_SHEET + 1 };
    t->place = gv_alloc((size_t)n * sizeof *t->place + 8, err);
    t->sheet = gv_alloc((size_t)t->room * sizeof *t->sheet, err);
    if (!t->place || !t->sheet)
        return GV_ESYS;
    memset(t->place, 0xff, (size_t)n * sizeof *t->place);
    return GV_OK;
}

void gv_thumbs_release(gv_thumbs *t)
{
    for (int64_t s = 0; s < t->sheets; s++)
        gv_buf_release(&t->sheet[s]);
    gv_buf_release(&t->pixels);
    gv_free(t->place);
    gv_free(t->sheet);
    *t = (gv_thumbs){ 0 };
}

struct failed { struct jpeg_error_mgr base; jmp_buf out; char text[JMSG_LENGTH_MAX]; };

static void fail(j_common_ptr c)
{
    struct failed *f = (struct failed *)c->err;
    c->err->format_message(c, f->text);
    longjmp(f->out, 1);
}

static int compress(const gv_buf *pixels, int side, int rows, gv_buf *to, gv_err *err)
{
    struct jpeg_compress_struct c;
    struct failed f;
    unsigned char *data = NULL; /* the library allocates it */
    unsigned long bytes = 0;
    c.err = jpeg_std_error(&f.base);
    f.base.error_exit = fail;
    jpeg_create_compress(&c);
    if (setjmp(f.out)) {
        jpeg_destroy_compress(&c);
        return gv_fail(err, GV_ESYS, "cannot compress pictures: %s", f.text);
    }
    jpeg_mem_dest(&c, &data, &bytes);
    c.image_width = (JDIMENSION)(side * GV_THUMBS_PER_ROW);
    c.image_height = (JDIMENSION)rows;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, QUALITY, TRUE);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < rows; y++) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels->data + (size_t)y * c.image_width * 3);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    int r = gv_buf_add(to, data, bytes, err);
    gv_free(data);
    return r;
}

int gv_thumbs_finish(gv_thumbs *t, gv_err *err)
{
    int64_t in_sheet = t->count - t->sheets * GV_THUMBS_PER_SHEET;
    if (in_sheet <= 0)
        return GV_OK;
    int rows = (int)((in_sheet + GV_THUMBS_PER_ROW - 1) / GV_THUMBS_PER_ROW) * t->side;
    int r = compress(&t->pixels, t->side, rows, &t->sheet[t->sheets], err);
    t->sheets++;
    return r;
}

int gv_thumbs_add(gv_thumbs *t, int64_t i, const uint8_t *pixels, int64_t h, int64_t w, int64_t c, gv_err *err)
{
    size_t width = (size_t)t->side * GV_THUMBS_PER_ROW * 3, all = width * (size_t)t->side * GV_THUMBS_PER_ROW;
    int64_t at = t->count % GV_THUMBS_PER_SHEET, side = t->side;
    if (t->count / GV_THUMBS_PER_SHEET >= t->room)
        return gv_fail(err, GV_EINTERNAL, "more pictures than points");
    if (!at) {
        if (!t->pixels.data && gv_buf_reserve(&t->pixels, all, err) < 0)
            return GV_ESYS;
        memset(t->pixels.data, 0xff, all);
    }
    char *to = t->pixels.data + (size_t)(at / GV_THUMBS_PER_ROW * side + (side - h) / 2) * width + (size_t)(at % GV_THUMBS_PER_ROW * side + (side - w) / 2) * 3;
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            for (int64_t k = 0; k < 3; k++)
                to[(size_t)y * width + (size_t)(x * 3 + k)] = (char)pixels[(y * w + x) * c + (c == 3 ? k : 0)];
    t->place[i] = (int32_t)t->count++;
    return t->count % GV_THUMBS_PER_SHEET ? GV_OK : gv_thumbs_finish(t, err);
}
