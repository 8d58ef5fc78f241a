/*
 * A pipeline: processes and the streams between them, as one value that can be printed as a bash text or run.
 *
 *   gv_pipe_init(&p, &arena);
 *   int i = gv_pipe_stage(&p, "index", &err);  gv_pipe_words(&p, i, " --split train", &err);
 *   int d = gv_pipe_stage(&p, "decode", &err);
 *   gv_pipe_connect(&p, i, d, NULL, &err);           // i's stdout is d's stdin
 *   gv_pipe_connect(&p, a, b, "--input", &err);      // a's stdout is named to b by an option
 *   gv_pipe_to_file(&p, e, "predictions.csv", &err);
 *   gv_pipe_print(&p, &text, &err);                  // stages, redirections and FIFOs alone
 *
 * Every stage has one stdout; a stage may have one stdin and any number of named inputs. No cycles: a stage connects only to
 * later ones. Words are shell words, quoted by gv_shell_quote.
 */
#ifndef GV_RUN_PIPELINE_H
#define GV_RUN_PIPELINE_H

#include "common/arena.h"
#include "common/field.h"

enum { GV_PIPE_STAGES = 256, GV_PIPE_EDGES = 512 };

typedef struct gv_pipe_node {
    const char *stage; /* "decode": the program is glovita-decode */
    const char *label; /* "train/decode 1": how messages and progress call it */
    gv_buf words;      /* " --a.b V …", shell-quoted */
    const char *out_file;
} gv_pipe_node;

typedef struct gv_pipe_edge { int from, to; const char *option; /* NULL: stdin */ } gv_pipe_edge;

typedef struct gv_pipeline_plan {
    gv_arena *arena;
    gv_pipe_node node[GV_PIPE_STAGES];
    gv_pipe_edge edge[GV_PIPE_EDGES];
    int nodes, edges;
    gv_buf before; /* bash lines before the stages: the run directory and its files */
} gv_pipeline_plan;

void gv_pipe_init(gv_pipeline_plan *p, gv_arena *arena);
void gv_pipe_release(gv_pipeline_plan *p);
int gv_pipe_stage(gv_pipeline_plan *p, const char *stage, const char *label, gv_err *err); /* its index, or < 0 */
int gv_pipe_words(gv_pipeline_plan *p, int node, const char *words, gv_err *err) GV_MUST_USE;    /* as they are */
int gv_pipe_option(gv_pipeline_plan *p, int node, const char *name, const char *value, gv_err *err) GV_MUST_USE; /* quoted; NULL: no value */
int gv_pipe_connect(gv_pipeline_plan *p, int from, int to, const char *option, gv_err *err) GV_MUST_USE;
int gv_pipe_to_file(gv_pipeline_plan *p, int node, const char *path, gv_err *err) GV_MUST_USE;
/* Before the stages, a file with this text appears in a directory (a here-document in print; written by the driver in a run). */
int gv_pipe_file_before(gv_pipeline_plan *p, const char *path, const char *text, gv_err *err) GV_MUST_USE;
int gv_pipe_dir_before(gv_pipeline_plan *p, const char *path, gv_err *err) GV_MUST_USE;
int gv_pipe_print(const gv_pipeline_plan *p, gv_buf *out, gv_err *err) GV_MUST_USE;
/* Split shell-quoted words into an argv in the arena (the inverse of gv_shell_quote). */
char **gv_shell_split(const char *words, int *argc, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
