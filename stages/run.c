/* run: the driver. glovita-run COMMAND …, or one of its other names: glovita_train, glovita_infer, glovita_extract_features,
 * glovita_plot_umap. The work is in lib/run. */
#include "common/log.h"
#include "run/run.h"
#include <unistd.h>

static void usage(FILE *to)
{
    fprintf(to, "usage: glovita-run COMMAND [OPTIONS]\n\ncommands:\n");
    for (int i = 0; gv_commands[i]; i++)
        fprintf(to, "  %-18s %s\n", gv_commands[i]->name, gv_commands[i]->summary);
    fprintf(to, "\n'glovita-run COMMAND --help' shows a command's options; 'glovita_COMMAND' is the same as 'glovita-run COMMAND'.\n");
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    gv_log_init(name, NULL);
    const gv_command *cmd = gv_command_find(name);
    if (cmd)
        return gv_driver_main(cmd, argc, argv);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("glovita-run (GloViTa) %s\n", GV_VERSION);
        return fflush(stdout) ? 4 : 0;
    }
    cmd = gv_command_find(argv[1]);
    if (!cmd) {
        const char *names[16];
        size_t n = 0;
        for (; gv_commands[n] && n < 16; n++)
            names[n] = gv_commands[n]->name;
        const char *near = gv_nearest(argv[1], names, n);
        gv_log(GV_ERROR, "unknown command '%s'%s%s%s", argv[1], near ? " (did you mean '" : "", near ? near : "; see --help", near ? "'?)" : "");
        return 2;
    }
    gv_log_init(cmd->program, NULL);
    return gv_driver_main(cmd, argc - 1, argv + 1);
}
