/* driver: what all commands do first and last: parse, check, dispatch, answer with a status. */
#include "common/file.h"
#include "common/log.h"
#include "run/runs.h"
#include "session/session.h"
#include "run/spawn.h"
#include <libgen.h>
#include <signal.h>

static int dispatch(const gv_command *cmd, gv_config *c, int argc, char **argv, gv_err *err)
{
    static const struct { const char *name; int (*run)(gv_config *, int, char **, gv_err *); } table[] = {
        { "train", gv_driver_train }, { "infer", gv_driver_infer }, { "extract_features", gv_driver_extract }, { "plot_umap", gv_driver_umap },
    };
    if (!c->driver.dry_run && !c->driver.print_pipeline)
        gv_pipe_catch_early();
    for (size_t i = 0; i < GV_COUNT(table); i++)
        if (!strcmp(table[i].name, cmd->name))
            return table[i].run(c, argc, argv, err);
    gv_fail(err, GV_EUSAGE, "'%s' is not built yet; its options are checked and shown by --help", cmd->program);
    return gv_exit_status(GV_EUSAGE);
}

/* The value of a command's own option, before anything is parsed; the last one wins. */
static const char *early_value(int argc, char **argv, const char *name)
{
    const char *found = NULL;
    size_t n = strlen(name);
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        if (strncmp(argv[i], "--", 2))
            continue;
        for (; k < n && (argv[i][k + 2] == name[k] || (argv[i][k + 2] == '-' && name[k] == '_')); k++)
            ;
        if (k == n && argv[i][n + 2] == '=')
            found = argv[i] + n + 3;
        else if (k == n && !argv[i][n + 2] && i + 1 < argc)
            found = argv[i + 1];
    }
    return found;
}

/* A run's configuration comes first, so that fields of its data set and encoder can be given. What is wrong with the run is told
 * later, where it is read again. */
static void preload(gv_config *c, const gv_command *cmd, int argc, char **argv)
{
    gv_err quiet = { 0 };
    const char *exp_dir = !strcmp(cmd->name, "infer") ? early_value(argc, argv, "exp_dir") : NULL;
    const char *checkpoint = !strcmp(cmd->name, "extract_features") ? early_value(argc, argv, "checkpoint_path") : NULL;
    const char *features = !strcmp(cmd->name, "plot_umap") ? early_value(argc, argv, "h5_path") : NULL;
    const char *dir = NULL;
    if (features)
        gv_umap_preload(c, features);
    gv_found_run *runs;
    size_t n;
    if (exp_dir && (gv_runs_find(exp_dir, NULL, "last", &runs, &n, c->arena, &quiet) == GV_OK || (gv_err_clear(&quiet), gv_runs_find(exp_dir, NULL, "best", &runs, &n, c->arena, &quiet) == GV_OK)))
        dir = runs[0].dir;
    char *path = checkpoint ? gv_arena_strdup(c->arena, checkpoint, &quiet) : NULL;
    if (path)
        dir = dirname(dirname(path));
    if (!dir)
        return;
    gv_config tried; /* half of a broken file is not wanted */
    path = gv_arena_printf(c->arena, &quiet, "%s/config.json", dir);
    if (!path || !gv_file_exists(path) || gv_config_init(&tried, c->arena, &quiet) < 0)
        return;
    bool fine = gv_config_load(&tried, path, &quiet) == GV_OK;
    gv_config_release(fine ? c : &tried);
    if (fine)
        *c = tried;
}

static void names(const gv_config *c, const char *path, gv_words *out)
{
    gv_session_names(c, path, out);
    gv_data_names(c, path, out);
}

int gv_driver_main(const gv_command *cmd, int argc, char **argv)
{
    gv_err err = { 0 };
    gv_arena arena;
    gv_config c;
    int status = 0;
    if (gv_arena_init(&arena, "run", (size_t)8 << 30, &err) == GV_OK && gv_config_init(&c, &arena, &err) == GV_OK) {
        preload(&c, cmd, argc, argv);
        c.names = names;
        if (gv_config_parse(&c, cmd, argc, argv, &err) == GV_OK && !c.helped)
            status = dispatch(cmd, &c, argc, argv, &err);
        gv_config_release(&c);
    }
    if (err.code == GV_ESAVED) { /* asked for, so no error; train has said how to go on */
        fprintf(stderr, "%s\nstopped      give the same command again\n", err.text);
        status = gv_exit_status(err.code);
    } else if (err.code != GV_OK) {
        gv_log(GV_ERROR, "%s", err.text);
        if (!status)
            status = gv_exit_status(err.code);
    }
    gv_arena_release(&arena);
    return status;
}
