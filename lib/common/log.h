/*
 * What a program says to people: `program: level: text` on stderr, one line an event.
 * Levels error, warning, info, debug; the default is info on a terminal, warning otherwise; --log=debug or
 * GLOVITA_LOG=debug,nn=info change it.
 */
#ifndef GV_COMMON_LOG_H
#define GV_COMMON_LOG_H

#include "common/compiler.h"
#include <stdbool.h>
#include <stddef.h>

typedef enum gv_level { GV_ERROR, GV_WARNING, GV_INFO, GV_DEBUG } gv_level;

void gv_log_init(const char *program, const char *spec); /* spec NULL: from the environment */
const char *gv_log_program(void);
int gv_log_on(gv_level level);
void gv_log(gv_level level, const char *fmt, ...) GV_PRINTF(2, 3);

/* Whether what goes to this descriptor is coloured: it is a terminal, other than TERM=dumb, and NO_COLOR is not set (no-color.org).
 * CLICOLOR_FORCE, other than 0, colours what is no terminal too. */
bool gv_colour(int fd);
/* A line "program: error: …" of n bytes with its level in red, a warning's in yellow; others as they are. Cut to size; returns its length. */
size_t gv_log_paint(char *out, size_t size, const char *line, size_t n);

#endif
