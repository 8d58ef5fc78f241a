/* What the sinks that write a text file share: its place is --to, or RUN/log/NAME. */
#ifndef GV_TRACK_TEXTFILE_H
#define GV_TRACK_TEXTFILE_H

#include "track/track.h"

static inline void gv_track_textfile(gv_delivery *d, const char *name)
{
    if (d->to)
        snprintf(d->path, sizeof d->path, "%s", d->to);
    else
        snprintf(d->path, sizeof d->path, "%.4000s/log/%s", d->run->dir, name);
}

#endif
