/* shown: a reader's side of the desk. */
#include "stream/shown.h"
#include "stream/lend.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DESKS = 64 }; /* each keeps two descriptors open */

void gv_shown_open(gv_shown *s, int fd, bool wanted)
{
    static atomic_int desks;
    void *p;
    s->desk_fd = s->null = -1;
    if (!wanted || atomic_fetch_add(&desks, 1) >= DESKS || (s->null = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0 || (s->desk_fd = gv_desk_file(sizeof *s->desk, &p)) < 0)
        return;
    if (gv_lend_allow(fd, s->desk_fd))
        s->desk = p;
    else
        munmap(p, sizeof *s->desk);
}

void gv_shown_close(gv_shown *s)
{
    for (int i = 0; i < s->nmaps; i++)
        munmap(s->map[i].p, s->map[i].size);
    if (s->desk)
        munmap(s->desk, sizeof *s->desk);
    if (s->desk_fd >= 0)
        close(s->desk_fd);
    if (s->null >= 0)
        close(s->null);
}

const char *gv_shown_see(gv_shown *s, const gv_piece *p)
{
    size_t n = (size_t)(p->end - p->begin);
    int k = 0;
    while (k < s->nmaps && (s->map[k].file != p->file || s->map[k].pid != p->pid))
        k++;
    if (k == s->nmaps) {
        if (s->nmaps == GV_SHOWN_MAPS || !(s->map[k].p = gv_desk_map(p->pid, p->fd, false, n, &s->map[k].size, &s->map[k].file)))
            return NULL;
        s->map[k].pid = p->pid;
        s->nmaps++;
    }
    bool there = s->map[k].file == p->file && n <= s->map[k].size && p->at <= s->map[k].size - n;
    return there && s->nholes < GV_SHOWN_HOLES ? s->map[k].p + p->at : NULL;
}

void gv_shown_add(gv_shown *s, const gv_piece *p, const char *data, size_t at)
{
    s->hole[s->nholes].at = at;
    s->hole[s->nholes].bytes = (size_t)(p->end - p->begin);
    s->hole[s->nholes].data = data;
    s->hole[s->nholes].piece = *p;
    s->hole[s->nholes++].used = false;
}

/* The bytes of a tensor at `place`, of the buffer, are to be looked at elsewhere: let the object point there. */
static bool point(const msgpack_object *map, const char *place, size_t bytes, const char *data)
{
    for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
        const msgpack_object *v = &map->via.map.ptr[i].val;
        for (uint32_t k = 0; v->type == MSGPACK_OBJECT_MAP && k < v->via.map.size; k++) {
            msgpack_object *d = &v->via.map.ptr[k].val;
            if (d->type == MSGPACK_OBJECT_BIN && d->via.bin.ptr == place && d->via.bin.size == bytes) {
                d->via.bin.ptr = data;
                return true;
            }
        }
    }
    return false;
}

void gv_shown_settle(gv_shown *s, char *p, const msgpack_object *map)
{
    for (int i = 0; i < s->nholes; i++) {
        s->hole[i].used = (uintptr_t)s->hole[i].data % 8 == 0 && point(map, p + s->hole[i].at, s->hole[i].bytes, s->hole[i].data);
        if (s->hole[i].used)
            s->bytes += s->hole[i].bytes;
        else
            memcpy(p + s->hole[i].at, s->hole[i].data, s->hole[i].bytes);
    }
}

void gv_shown_hash(const gv_shown *s, gv_hash *h, const char *p, size_t n)
{
    size_t at = 0;
    for (int i = 0; i < s->nholes; at = s->hole[i].at + s->hole[i].bytes, i++) {
        gv_hash_add(h, p + at, s->hole[i].at - at);
        gv_hash_add(h, s->hole[i].data, s->hole[i].bytes);
    }
    gv_hash_add(h, p + at, n - at);
}

void gv_shown_read(gv_shown *s, uint64_t at)
{
    if (s->desk && !s->nholes && !s->npassed)
        atomic_store_explicit(&s->desk->released, at, memory_order_release);
}

void gv_shown_release(gv_shown *s, uint64_t offset, const gv_writer *w)
{
    uint64_t taken;
    s->nholes = 0;
    if (!s->desk)
        return;
    if (s->npassed && w && gv_writer_taken(w, &taken)) {
        int n = 0;
        while (n < s->npassed && s->passed[n].until <= taken)
            n++;
        s->npassed -= n;
        memmove(s->passed, s->passed + n, (size_t)s->npassed * sizeof *s->passed);
    }
    atomic_store_explicit(&s->desk->released, s->npassed ? s->passed[0].from : offset, memory_order_release);
}

bool gv_shown_piece(const gv_shown *s, const void *p, size_t n, gv_piece *piece)
{
    for (int i = 0; i < s->nholes; i++)
        if (s->hole[i].used && s->hole[i].data == p && s->hole[i].bytes == n && s->npassed < GV_SHOWN_PASSED) {
            *piece = s->hole[i].piece;
            return true;
        }
    return false;
}

void gv_shown_passed(gv_shown *s, uint64_t offset, uint64_t until)
{
    if (!s->npassed || s->passed[s->npassed - 1].from != offset) /* a record may be passed on twice */
        s->passed[s->npassed++].from = offset;
    s->passed[s->npassed - 1].until = until;
}
