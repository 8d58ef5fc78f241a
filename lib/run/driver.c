/* driver: what all commands do first and last: parse, check, dispatch, answer with a status. */
#include "common/log.h"
#include "run/run.h"
#include <signal.h>

static int dispatch(const gv_command *cmd, gv_config *c, int argc, char **argv, gv_err *err)
{
    static const struct { const char *name; int (*run)(gv_config *, int, char **, gv_err *); } table[] = {
        { "train", gv_driver_train }, { "infer", gv_driver_infer }, { "extract_features", gv_driver_extract },
    };
    for (size_t i = 0; i < GV_COUNT(table); i++)
        if (!strcmp(table[i].name, cmd->name))
            return table[i].run(c, argc, argv, err);
    gv_fail(err, GV_EUSAGE, "'%s' is not built yet; its options are checked and shown by --help", cmd->program);
    return gv_exit_status(GV_EUSAGE);
}

int gv_driver_main(const gv_command *cmd, int argc, char **argv)
{
    gv_err err = { 0 };
    gv_arena arena;
    gv_config c;
    int status = 0;
    if (gv_arena_init(&arena, "run", (size_t)8 << 30, &err) == GV_OK && gv_config_init(&c, &arena, &err) == GV_OK) {
        if (gv_config_parse(&c, cmd, argc, argv, &err) == GV_OK && !c.helped)
            status = dispatch(cmd, &c, argc, argv, &err);
        gv_config_release(&c);
    }
    if (err.code != GV_OK) {
        gv_log(GV_ERROR, "%s", err.text);
        if (!status)
            status = gv_exit_status(err.code);
    }
    gv_arena_release(&arena);
    return status;
}
