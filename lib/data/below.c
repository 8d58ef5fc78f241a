/* below: the files and folders under the data root that a field may name ("data.split_file"), for completion. */
#include "data/data.h"
#include <dirent.h>
#include <sys/stat.h>

enum { MOST = 5000 }; /* a folder of samples may hold a million */

void gv_data_names_below(const gv_config *c, const char *path, gv_words *out)
{
    const char *typed = gv_words_typed(out), *slash = strrchr(typed, '/'), *root = c->data.data_root_dir;
    char dir[4096], word[4096];
    int n = slash ? (int)(slash - typed) + 1 : 0, left = MOST;
    if (strncmp(path, "data.", 5) || strchr(path + 5, '.') || !root || *typed == '/' || snprintf(dir, sizeof dir, "%s/%.*s", root, n, typed) >= (int)sizeof dir)
        return;
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && left-- > 0 && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || snprintf(word, sizeof word, "%.*s%s%s", n, typed, e->d_name, S_ISDIR(st.st_mode) ? "/" : "") >= (int)sizeof word)
            continue;
        gv_words_add(out, word, "");
    }
    if (d)
        closedir(d);
}
