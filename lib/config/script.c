/* script: the completion scripts of the shells, as they lie in scripts/completion with the programs' names filled in. */
#include "config/internal.h"
#include "common/file.h"

static const char bash_script[] =
#include "bash.inc"
    ;
static const char zsh_script[] =
#include "zsh.inc"
    ;
static const char fish_script[] =
#include "fish.inc"
    ;
static const struct { const char *shell, *text; size_t len; } scripts[] = {
    { "bash", bash_script, sizeof bash_script - 1 }, { "zsh", zsh_script, sizeof zsh_script - 1 }, { "fish", fish_script, sizeof fish_script - 1 },
};

/* The option asked for at *at, and where its words begin. tyro's names are those of the Python GloViTa. */
static int find(int argc, char **argv, int *at, const char **value)
{
    static const struct { const char *name; int what; } names[] = { { "print_completion", 'p' }, { "tyro_print_completion", 'p' }, { "tyro_write_completion", 'w' } };
    for (*at = 1; *at < argc && strcmp(argv[*at], "--"); ++*at) {
        char path[GV_PATH_MAX];
        const char *word = argv[*at];
        size_t n = strcspn(word, "=");
        if (strncmp(word, "--", 2) || !gv_path_normal(word + 2, n - 2, path))
            continue;
        for (size_t i = 0; i < GV_COUNT(names); i++)
            if (!strcmp(path, names[i].name)) {
                *value = word[n] ? word + n + 1 : *at + 1 < argc ? argv[*at + 1] : NULL;
                *at += word[n] ? 1 : 2;
                return names[i].what;
            }
    }
    return 0;
}

int gv_completion_asked(int argc, char **argv)
{
    int at;
    const char *value;
    return argc > 2 && !strcmp(argv[1], "--complete") && !strcmp(argv[2], "--") ? 'c' : find(argc, argv, &at, &value);
}

int gv_completion_script(int argc, char **argv, gv_err *err)
{
    int at;
    const char *shell = NULL;
    int what = find(argc, argv, &at, &shell);
    for (size_t i = 0; shell && i < GV_COUNT(scripts); i++) {
        if (strcmp(scripts[i].shell, shell))
            continue;
        if (what == 'w' && at >= argc)
            return gv_fail(err, GV_EUSAGE, "'%s' wants a shell and the file to write", argv[at - 2]);
        if (what == 'w' && strcmp(argv[at], "-"))
            return gv_file_write(argv[at], scripts[i].text, scripts[i].len, err);
        return fwrite(scripts[i].text, 1, scripts[i].len, stdout) == scripts[i].len && !fflush(stdout) ? GV_OK : gv_fail_sys(err, "cannot write to stdout");
    }
    return shell ? gv_fail(err, GV_EUSAGE, "there is no completion for '%s'; there is one for bash, zsh and fish", shell)
                 : gv_fail(err, GV_EUSAGE, "completion of which shell? bash, zsh or fish is wanted");
}
