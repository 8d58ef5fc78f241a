/* pass: the cheapest stage there can be: every record is read, checked and written as it came. For what a hop costs.
 *   build/gcc/tests/bench/pass <IN >OUT          passes on
 *   build/gcc/tests/bench/pass --count <IN       reads alone, and prints "N samples in M records" */
#include "common/threads.h"
#include "stream/stream.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    gv_reader *r;
    gv_writer *w = NULL;
    gv_record rec;
    int64_t samples = 0, records = 0;
    bool count = argc > 1 && !strcmp(argv[1], "--count");
    gv_stream_borrows(); /* as every stage does (lib/stage/main.c) */
    int got = gv_reader_open(&r, STDIN_FILENO, "stdin", &err);
    if (got == GV_OK && !count && (got = gv_writer_open(&w, STDOUT_FILENO, "stdout", gv_reader_header(r)->kind, &err)) == GV_OK)
        got = gv_writer_inherit(w, gv_reader_header(r), &err);
    if (got == GV_OK && w) { /* that too */
        gv_reader_tie(r, w);
        gv_threads_patient();
        got = gv_writer_start(w, &err);
    }
    while (got >= 0 && (got = gv_next(r, &rec, &err)) > 0) {
        const gv_tensor *x = gv_get_tensor(&rec, "x");
        records++;
        samples += x && rec.kind == GV_BATCH ? x->shape[0] : 1;
        if (w && gv_put(w, &rec, &err) < 0)
            got = err.code;
    }
    if (got == 0 && w && gv_writer_close(&w, true, &err) < 0)
        got = err.code;
    if (got < 0) {
        fprintf(stderr, "pass: error: %s\n", err.text);
        return 1;
    }
    if (count)
        printf("%" PRId64 " samples in %" PRId64 " records\n", samples, records);
    gv_reader_close(r);
    return 0;
}
