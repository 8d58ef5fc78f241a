/* main: of every stage. Options, streams, arenas, the last word and the exit status. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "stage/stage.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct common { const char *input, *output; };

static const gv_field input_field[] = {
    GV_OPT_STR(struct common, input, "stream to read: a path, - or fd:N; None: stdin", .takes = GV_TAKES_FILE),
};
static const gv_field output_field[] = {
    GV_OPT_STR(struct common, output, "stream to write: a path (it appears when it is whole), - or fd:N; None: stdout", .takes = GV_TAKES_FILE),
};

/* The stage's own fields and the common ones behind them, over one struct. */
static const gv_field *all_fields(const gv_stage *s, size_t common_at, gv_arena *a, gv_err *err)
{
    size_t n = 0;
    for (const gv_field *f = s->fields; f && f->type != GV_TYPE_END; f++)
        n++;
    gv_field *all = gv_arena_alloc(a, (n + 3) * sizeof *all, err);
    if (!all)
        return NULL;
    if (n)
        memcpy(all, s->fields, n * sizeof *all);
    if (s->reads && !s->manual_streams && !s->positional)
        all[n++] = input_field[0];
    if (s->writes && !s->manual_streams)
        all[n++] = output_field[0];
    for (size_t i = n; i-- && (all[i].help == input_field[0].help || all[i].help == output_field[0].help);)
        all[i].offset += common_at;
    all[n] = (gv_field)GV_END;
    return all;
}

static bool takes_value(const gv_field *f)
{
    return f ? f->type != GV_TYPE_BOOL || f->optional : false;
}

static bool is_list(const gv_field *f)
{
    return f && (f->type == GV_TYPE_STRS || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S || f->type == GV_TYPE_DICT);
}

/* Take the words that are no options, nor values of options, out of argv: files to work on. Behind "--" all are. */
static int take_positional(gv_stage_ctx *st, const gv_field *own, int *argc, char **argv)
{
    const char **args = gv_arena_alloc(&st->run, ((size_t)*argc + 1) * sizeof *args, NULL);
    if (!args)
        return -1;
    int kept = 1;
    bool options = true;
    for (int i = 1; i < *argc; i++) {
        char *w = argv[i];
        if (options && !strcmp(w, "--")) {
            options = false;
            continue;
        }
        if (!options || w[0] != '-' || !w[1]) {
            args[st->nargs++] = w;
            continue;
        }
        argv[kept++] = w;
        if (strncmp(w, "--", 2) || strchr(w, '='))
            continue;
        const gv_field *f = gv_field_find(own, w + 2, strlen(w + 2));
        bool value = takes_value(f) || !strcmp(w, "--config") || !strcmp(w, "--log");
        if (is_list(f))
            while (i + 1 < *argc && strncmp(argv[i + 1], "--", 2))
                argv[kept++] = argv[++i];
        else if (value && i + 1 < *argc)
            argv[kept++] = argv[++i];
    }
    *argc = kept;
    argv[kept] = NULL;
    st->args = args;
    return 0;
}

static const char *kinds_text(unsigned set, gv_arena *a)
{
    const char *text = NULL;
    for (unsigned k = GV_SAMPLE; k <= GV_ERROR_RECORD; k <<= 1)
        if (set & k)
            text = text ? gv_arena_printf(a, NULL, "%s, %s", text, gv_kind_name((gv_kind)k)) : gv_kind_name((gv_kind)k);
    return text;
}

static int open_in(gv_stage_ctx *st, const char *path, gv_err *err)
{
    int r = gv_open_input(path, &st->in, err);
    if (r < 0)
        return r;
    const gv_record *h = gv_reader_header(st->in);
    if (!(st->stage->reads & h->kind))
        return gv_fail(err, GV_EDATA, "stream '%s' holds %s records; glovita-%s reads %s", path ? path : "stdin", gv_kind_name(h->kind), st->stage->name,
                       kinds_text(st->stage->reads, &st->run));
    int64_t count;
    if (gv_get_i64(h, "count", &count) && count > 0)
        st->total = (uint64_t)count;
    return GV_OK;
}

/* Of the way samples take to the network; what trains or predicts is not to wait for them. */
static bool feeds(const gv_stage *s)
{
    return (s->writes & (GV_SAMPLE | GV_TENSOR | GV_BATCH)) != 0;
}

int gv_stage_output(gv_stage_ctx *st, gv_kind kind, gv_err *err)
{
    int r = gv_open_output(st->output, kind, &st->out, err);
    if (r == GV_OK && st->in) {
        gv_reader_tie(st->in, st->out);
        r = gv_writer_inherit(st->out, gv_reader_header(st->in), err);
    }
    return r;
}

static int setup_arenas(gv_stage_ctx *st, gv_err *err)
{
#ifdef GV_SANITIZED
    const size_t gib = 64 << 20; /* poisoning costs an eighth of it */
#else
    const size_t gib = 1ull << 30;
#endif
    int r = gv_arena_init(&st->run, "run", gib, err);
    r = r < 0 ? r : gv_arena_init(&st->epoch, "epoch", gib, err);
    r = r < 0 ? r : gv_arena_init(&st->batch, "batch", 2 * gib, err);
    return r < 0 ? r : gv_arena_init(&st->scratch, "scratch", 2 * gib, err);
}

static int work(gv_stage_ctx *st, gv_config *config, int argc, char **argv, gv_err *err)
{
    const gv_stage *s = st->stage;
    size_t common_at = (s->params_size + 15) & ~(size_t)15;
    int r = setup_arenas(st, err);
    if (r < 0)
        return r;
    char *params = gv_arena_alloc(&st->run, common_at + sizeof(struct common), err);
    const gv_field *own = params ? all_fields(s, common_at, &st->run, err) : NULL;
    char *program = own ? gv_arena_printf(&st->run, err, "glovita-%s", s->name) : NULL;
    if (!program)
        return err->code;
    st->params = params;
    st->config = config;
    if (feeds(s))
        gv_threads_patient();
    gv_stream_borrows();
    if ((r = gv_config_init(config, &st->run, err)) < 0)
        return r;
    config->summary = s->summary;
    config->reads = kinds_text(s->reads, &st->run);
    config->writes = kinds_text(s->writes, &st->run);
    config->positional = s->positional;
    config->names = s->names;
    if (s->positional && !gv_completion_asked(argc, argv) && take_positional(st, own, &argc, argv) < 0)
        return gv_fail(err, GV_ESYS, "out of memory");
    static const char *const no_blocks[] = { NULL };
    bool helped = false;
    r = gv_config_parse_stage(config, program, s->blocks ? s->blocks : no_blocks, own, params, argc, argv, &helped, err);
    if (r < 0 || helped || config->helped)
        return r;
    if (config->log)
        gv_log_init(program, config->log);
    const struct common *c = (const struct common *)(params + common_at);
    st->output = c->output;
    gv_event("start", "\"version\":\"%s\"", GV_VERSION);
    if (!s->manual_streams && s->writes && !s->text_output && isatty(STDOUT_FILENO) && !c->output)
        return gv_fail(err, GV_EUSAGE, "'stdout' is a terminal, and records are no text: send them to a file or a program (glovita-cat shows them)");
    if (!s->manual_streams && s->reads && !s->positional && (r = open_in(st, c->input, err)) < 0)
        return r;
    bool one_kind = s->writes && !(s->writes & (s->writes - 1));
    if (!s->manual_streams && one_kind && !s->text_output && (r = gv_stage_output(st, (gv_kind)s->writes, err)) < 0)
        return r;
    r = s->run(st, err);
    if (st->done)
        gv_stage_done(st, 0);
    return r < 0 ? r : err->code;
}

/* What was printed must have arrived: a full disk is found here at the latest. */
static void close_stdout(gv_err *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout) && close(STDOUT_FILENO) == 0)
        return;
    if (errno == EBADF && !ferror(stdout)) /* was closed with the stream, or never open and never used */
        return;
    if (errno == EPIPE)
        gv_fail(err, GV_EPIPE, "the reader of 'stdout' has gone");
    else
        gv_fail_sys(err, "cannot write 'stdout'");
}

int main(int argc, char **argv)
{
    char program[64], text[3000];
    static gv_stage_ctx st;
    static gv_config config;
    gv_err err = { 0 }, closing = { 0 };
    gv_hold_standard_fds();
    st.stage = &gv_this_stage;
    snprintf(program, sizeof program, "glovita-%s", st.stage->name);
    gv_log_init(program, NULL);
    int r = work(&st, &config, argc, argv, &err);
    if (r < 0 && err.code == GV_OK)
        gv_fail(&err, r, "failed without a message");
    if (gv_writer_close(&st.out, err.code == GV_OK, &closing) < 0 && err.code == GV_OK)
        err = closing;
    gv_reader_close(st.in);
    close_stdout(&err);
    int status = gv_exit_status(err.code);
    if (err.code != GV_OK && err.code != GV_EPIPE) {
        gv_event("error", "\"status\":%d,\"text\":%s", status, gv_event_quote(text, sizeof text, err.text));
        if (err.code == GV_ESAVED)
            gv_log(GV_INFO, "%s", err.text);
        else
            gv_log(GV_ERROR, "%s", err.text);
    }
    gv_event("end", "\"status\":%d,\"done\":%llu", status, (unsigned long long)st.done);
    gv_config_release(&config);
    gv_arena_release(&st.run);
    gv_arena_release(&st.epoch);
    gv_arena_release(&st.batch);
    gv_arena_release(&st.scratch);
    return status;
}
