/*
 * What a program says to people: `program: level: text` on stderr, one line an event.
 * Levels error, warning, info, debug; the default is info on a terminal, warning otherwise; --log=debug or
 * GLOVITA_LOG=debug,nn=info change it.
 */
#ifndef GV_COMMON_LOG_H
#define GV_COMMON_LOG_H

#include "common/compiler.h"

typedef enum gv_level { GV_ERROR, GV_WARNING, GV_INFO, GV_DEBUG } gv_level;

void gv_log_init(const char *program, const char *spec); /* spec NULL: from the environment */
const char *gv_log_program(void);
int gv_log_on(gv_level level);
void gv_log(gv_level level, const char *fmt, ...) GV_PRINTF(2, 3);

#endif
