/* run: the driver. glovita-run COMMAND …, or one of its other names: glovita_train, glovita_infer, glovita_extract_features,
 * glovita_plot_umap. The work is in lib/run. */
#include "common/file.h"
#include "common/log.h"
#include "run/run.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* What was printed must have arrived; a reader that has gone is no error. */
static int close_stdout(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno == EPIPE)
        return status;
    if (status) /* it has said why */
        return status;
    gv_log(GV_ERROR, "cannot write 'stdout': %s", strerror(errno));
    return 4;
}

/* Completion: of the commands, of the options of one, or the script that asks for them. */
static int complete(int argc, char **argv, int what)
{
    gv_err err = { 0 };
    const gv_command *cmd = what == 'c' && argc > 4 ? gv_command_find(argv[3]) : NULL;
    if (cmd) { /* the line without its name */
        argv[3] = argv[2];
        argv[2] = argv[1];
        argv[1] = argv[0];
        return gv_driver_main(cmd, argc - 1, argv + 1);
    }
    int r = what != 'c' ? gv_completion_script(argc, argv, &err) : gv_completion_commands(argc, argv, &err);
    if (r < 0)
        gv_log(GV_ERROR, "%s", err.text);
    return gv_exit_status(r);
}

/* The commands as JSON; each describes its own options. */
static void describe(void)
{
    printf("{\n  \"name\": \"glovita-run\",\n  \"version\": \"%s\",\n  \"summary\": \"plan a pipeline, run it, watch over it\",\n  \"commands\": [", GV_VERSION);
    for (int i = 0; gv_commands[i]; i++)
        printf("%s\n    { \"name\": \"%s\", \"program\": \"%s\", \"summary\": \"%s\", \"built\": %s }", i ? "," : "", gv_commands[i]->name, gv_commands[i]->program,
               gv_commands[i]->summary, gv_commands[i]->built ? "true" : "false");
    printf("\n  ]\n}\n");
}

static void usage(FILE *to)
{
    const char *on = gv_colour(fileno(to)) ? "\033[1m" : "", *off = *on ? "\033[0m" : "";
    fprintf(to, "%susage:%s glovita-run COMMAND [OPTIONS]\n\n%scommands:%s\n", on, off, on, off);
    for (int i = 0; gv_commands[i]; i++)
        fprintf(to, "  %-18s %s%s\n", gv_commands[i]->name, gv_commands[i]->summary, gv_commands[i]->built ? "" : " (not built yet)");
    fprintf(to, "\n%soptions:%s\n  -h, --help         show this text\n  --version          show the version\n  --describe         show the commands as JSON\n"
                "  --share            show the folder of the recipes and SLURM files\n"
                "  --print_completion SHELL\n                     print the script by which bash, zsh or fish complete what is typed\n"
                "\n'glovita-run COMMAND --help' shows a command's options; 'glovita_COMMAND' is the same as 'glovita-run COMMAND'.\n",
            on, off);
}

/* Where the files lie that are no programs: share/glovita where the program is installed, scripts/ in a source tree. */
static int share(void)
{
    static const char *const places[] = { "../share/glovita", "../scripts", "../../../scripts" }; /* the last: of another build */
    char path[4200], full[PATH_MAX];
    for (size_t i = 0; i < GV_COUNT(places); i++) {
        snprintf(path, sizeof path, "%s/%s/recipes/glovita.mk", gv_self_dir(), places[i]);
        if (!gv_file_exists(path))
            continue;
        snprintf(path, sizeof path, "%s/%s", gv_self_dir(), places[i]);
        puts(realpath(path, full) ? full : path);
        return 0;
    }
    gv_log(GV_ERROR, "there is no 'recipes/glovita.mk' in '%s/../share/glovita': 'make install' lays it there", gv_self_dir());
    return 2;
}

static int unknown(const char *word)
{
    static const char *const options[] = { "--help", "--version", "--describe", "--share", "--print_completion" };
    const char *names[16];
    size_t n = 0;
    bool option = word[0] == '-';
    for (; !option && gv_commands[n] && n < GV_COUNT(names); n++)
        names[n] = gv_commands[n]->name;
    const char *near = option ? gv_nearest(word, options, GV_COUNT(options)) : gv_nearest(word, names, n);
    gv_log(GV_ERROR, "unknown %s '%s'%s%s%s", option ? "option" : "command", word, near ? " (did you mean '" : "",
           near ? near : option ? "; options come behind the command: glovita-run COMMAND [OPTIONS]" : "; see --help", near ? "'?)" : "");
    return 2;
}

int main(int argc, char **argv)
{
    gv_hold_standard_fds();
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    gv_log_init(name, NULL);
    const gv_command *cmd = gv_command_find(name);
    if (cmd)
        return close_stdout(gv_driver_main(cmd, argc, argv));
    int what = gv_completion_asked(argc, argv);
    if (what && (what == 'c' || !gv_command_find(argv[1])))
        return close_stdout(complete(argc, argv, what));
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        usage(stdout);
    else if (!strcmp(argv[1], "--version"))
        printf("glovita-run (GloViTa) %s\n", GV_VERSION);
    else if (!strcmp(argv[1], "--describe"))
        describe();
    else if (!strcmp(argv[1], "--share"))
        return close_stdout(share());
    else if ((cmd = gv_command_find(argv[1]))) {
        gv_log_init(cmd->program, NULL);
        return close_stdout(gv_driver_main(cmd, argc - 1, argv + 1));
    } else
        return unknown(argv[1]);
    return close_stdout(0);
}
