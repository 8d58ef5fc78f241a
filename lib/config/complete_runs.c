/* complete_runs: the runs a typed word may go on to. A run is a directory with config.json or metrics.jsonl; they are looked for below
 * exp_dir while nothing with a slash is typed, and below the directory that is typed otherwise. */
#include "config/internal.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 4, MOST_ENTRIES = 20000, MOST_LINES = 1 << 22 };

struct walk {
    gv_words *w;
    gv_naming takes;
    int left; /* entries that may still be looked at: a home directory is large */
};

static bool is_file(const char *dir, const char *name)
{
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The lines of metrics.jsonl: epochs done. -1: there is no such file. */
static int epochs(const char *dir)
{
    char path[4200], block[1 << 14];
    ssize_t got;
    int n = 0, read_in_all = 0;
    snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    while ((got = read(fd, block, sizeof block)) > 0 && (read_in_all += (int)got) < MOST_LINES)
        for (ssize_t i = 0; i < got; i++)
            n += block[i] == '\n';
    close(fd);
    return n;
}

static void add_checkpoints(gv_words *w, const char *shown, const char *dir)
{
    static const char *const names[] = { "best.safetensors", "last.safetensors", "best.pt", "last.pt" };
    char path[4200], name[64];
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        snprintf(name, sizeof name, "checkpoints/%s", names[i]);
        snprintf(path, sizeof path, "%s/%s", shown, name);
        if (is_file(dir, name))
            gv_words_add(w, path, "");
    }
}

static void add_run(struct walk *k, const char *shown, const char *dir)
{
    char help[64] = "";
    int n = epochs(dir);
    if (k->takes == GV_TAKES_CHECKPOINT) {
        add_checkpoints(k->w, shown, dir);
        return;
    }
    if (n >= 0)
        snprintf(help, sizeof help, "%d epoch%s", n, n == 1 ? "" : "s");
    gv_words_add(k->w, shown, help);
}

/* Could a path below `shown` begin as the typed word does? */
static bool on_the_way(const gv_words *w, const char *shown)
{
    const char *typed = gv_words_typed(w);
    size_t n = strlen(shown), m = strlen(typed);
    return !strncmp(shown, typed, n < m ? n : m) && (n >= m || typed[n] == '/');
}

/* The number of runs that lie in `dir` itself. */
static int walk(struct walk *k, const char *shown, const char *dir, int depth)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, NULL, alphasort), runs = 0;
    for (int i = 0; i < n; i++) {
        char path[4100], as[4100];
        struct stat st;
        const char *name = names[i]->d_name;
        int a = snprintf(path, sizeof path, "%s/%s", dir, name), b = snprintf(as, sizeof as, "%s%s%s", shown, *shown && shown[strlen(shown) - 1] != '/' ? "/" : "", name);
        if (*name != '.' && a < (int)sizeof path && b < (int)sizeof as && k->left-- > 0 && on_the_way(k->w, as) && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            if (is_file(path, "config.json") || is_file(path, "metrics.jsonl")) {
                add_run(k, as, path);
                runs++;
            } else if (depth > 1 && walk(k, as, path, depth - 1) > 1 && k->takes == GV_TAKES_RUNS)
                gv_words_add(k->w, as, "the folds of a run");
        }
        free(names[i]);
    }
    free(names);
    return runs;
}

void gv_words_runs(gv_words *w, const char *exp_dir, gv_naming takes)
{
    struct walk k = { .w = w, .takes = takes, .left = MOST_ENTRIES };
    const char *typed = gv_words_typed(w), *slash = strrchr(typed, '/');
    char shown[4096];
    if (!slash) {
        while (!strncmp(exp_dir, "./", 2))
            exp_dir += 2;
        snprintf(shown, sizeof shown, "%s", exp_dir);
        size_t n = strlen(shown);
        while (n > 1 && shown[n - 1] == '/')
            shown[--n] = 0;
        if (*shown && on_the_way(w, shown))
            walk(&k, shown, shown, DEPTH);
        return;
    }
    if (slash - typed + 1 >= (int)sizeof shown)
        return;
    snprintf(shown, sizeof shown, "%.*s", (int)(slash - typed + 1), typed);
    walk(&k, shown, shown, DEPTH);
}
