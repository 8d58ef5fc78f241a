/* video_picture: which files of a folder are frames, by their names. Apart from reading them, which links every format. */
#include "formats/video.h"
#include <string.h>
#include <strings.h>

bool gv_video_picture(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; *name != '.' && dot && i < GV_COUNT(ends); i++)
        if (!strcasecmp(dot, ends[i]))
            return true;
    return false;
}
