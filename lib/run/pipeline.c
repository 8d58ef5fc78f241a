/* pipeline: build the graph of stages and print it as bash. */
#include "run/pipeline.h"

void gv_pipe_init(gv_pipeline_plan *p, gv_arena *arena)
{
    memset(p, 0, sizeof *p);
    p->arena = arena;
}

void gv_pipe_release(gv_pipeline_plan *p)
{
    for (int i = 0; i < p->nodes; i++)
        gv_buf_release(&p->node[i].words);
    gv_buf_release(&p->before);
}

int gv_pipe_stage(gv_pipeline_plan *p, const char *stage, const char *label, gv_err *err)
{
    if (p->nodes == GV_PIPE_STAGES)
        return gv_fail(err, GV_EUSAGE, "the pipeline would have more than %d processes; lower dataloading.num_workers", GV_PIPE_STAGES);
    gv_pipe_node *n = &p->node[p->nodes];
    n->stage = stage;
    n->label = gv_arena_strdup(p->arena, label, err);
    if (!n->label)
        return GV_ESYS;
    return p->nodes++;
}

int gv_pipe_words(gv_pipeline_plan *p, int node, const char *words, gv_err *err)
{
    return gv_buf_add(&p->node[node].words, words, strlen(words), err);
}

int gv_pipe_option(gv_pipeline_plan *p, int node, const char *name, const char *value, gv_err *err)
{
    gv_buf *b = &p->node[node].words;
    int r = gv_buf_printf(b, err, " %s", name);
    if (r == GV_OK && value) {
        r = gv_buf_add(b, " ", 1, err);
        if (r == GV_OK)
            r = gv_shell_quote(b, value, err);
    }
    return r;
}

int gv_pipe_connect(gv_pipeline_plan *p, int from, int to, const char *option, gv_err *err)
{
    if (from >= to || p->edges == GV_PIPE_EDGES)
        return gv_fail(err, GV_EINTERNAL, "stage %d cannot feed stage %d", from, to);
    p->edge[p->edges++] = (gv_pipe_edge){ from, to, option };
    return GV_OK;
}

int gv_pipe_to_file(gv_pipeline_plan *p, int node, const char *path, gv_err *err)
{
    p->node[node].out_file = gv_arena_strdup(p->arena, path, err);
    return p->node[node].out_file ? GV_OK : GV_ESYS;
}

int gv_pipe_dir_before(gv_pipeline_plan *p, const char *path, gv_err *err)
{
    int r = gv_buf_printf(&p->before, err, "mkdir -p ");
    if (r == GV_OK)
        r = gv_shell_quote(&p->before, path, err);
    return r == GV_OK ? gv_buf_add(&p->before, "\n", 1, err) : r;
}

int gv_pipe_file_before(gv_pipeline_plan *p, const char *path, const char *text, gv_err *err)
{
    int r = gv_buf_printf(&p->before, err, "cat >");
    if (r == GV_OK)
        r = gv_shell_quote(&p->before, path, err);
    size_t n = strlen(text);
    return r == GV_OK ? gv_buf_printf(&p->before, err, " <<'END OF FILE'\n%s%sEND OF FILE\n", text, n && text[n - 1] == '\n' ? "" : "\n") : r;
}

static int stdin_of(const gv_pipeline_plan *p, int node)
{
    for (int e = 0; e < p->edges; e++)
        if (p->edge[e].to == node && !p->edge[e].option)
            return e;
    return -1;
}

static int stdout_of(const gv_pipeline_plan *p, int node)
{
    for (int e = 0; e < p->edges; e++)
        if (p->edge[e].from == node)
            return e;
    return -1;
}

/* A chain is what bash joins with |: from a stage without stdin to one whose stdout is a FIFO, a file or nothing. */
static int print_chain(const gv_pipeline_plan *p, int first, bool last, gv_buf *out, gv_err *err)
{
    int r = GV_OK;
    for (int n = first; r == GV_OK;) {
        const gv_pipe_node *s = &p->node[n];
        r = gv_buf_printf(out, err, "glovita-%s%s", s->stage, s->words.data ? s->words.data : "");
        for (int e = 0; e < p->edges && r == GV_OK; e++)
            if (p->edge[e].to == n && p->edge[e].option)
                r = gv_buf_printf(out, err, " %s \"$fifos/%d\"", p->edge[e].option, e);
        int e = stdout_of(p, n);
        if (r < 0)
            break;
        if (e >= 0 && !p->edge[e].option) {
            r = gv_buf_printf(out, err, " |\n  ");
            n = p->edge[e].to;
            continue;
        }
        if (e >= 0)
            r = gv_buf_printf(out, err, " >\"$fifos/%d\"", e);
        else if (s->out_file) {
            r = gv_buf_printf(out, err, " >");
            if (r == GV_OK)
                r = gv_shell_quote(out, s->out_file, err);
        }
        break;
    }
    if (r == GV_OK)
        r = gv_buf_printf(out, err, last ? " || failed $?\n" : " &\n");
    return r;
}

int gv_pipe_print(const gv_pipeline_plan *p, gv_buf *out, gv_err *err)
{
    bool fifos = false;
    for (int e = 0; e < p->edges; e++)
        fifos |= p->edge[e].option != NULL;
    int r = gv_buf_printf(out, err, "#!/bin/bash\nset -eu -o pipefail\n%s", p->before.data ? p->before.data : "");
    if (r == GV_OK && fifos)
        r = gv_buf_printf(out, err, "fifos=$(mktemp -d)\ntrap 'kill $(jobs -p) 2>/dev/null || :; rm -rf \"$fifos\"' EXIT\ntrap 'exit 143' TERM INT HUP\n");
    for (int e = 0; e < p->edges && r == GV_OK; e++)
        if (p->edge[e].option)
            r = gv_buf_printf(out, err, "mkfifo \"$fifos/%d\"\n", e);
    /* A stage whose reader has all it needs (an early stop, a trial of the validation) dies of SIGPIPE: that is no failure. */
    if (r == GV_OK)
        r = gv_buf_printf(out, err, "failed() { [ \"$1\" -eq 141 ] || exit \"$1\"; }\n");
    int last = -1, chains = 0;
    for (int n = 0; n < p->nodes; n++)
        if (stdin_of(p, n) < 0) {
            chains++;
            int end = n, e;
            while ((e = stdout_of(p, end)) >= 0 && !p->edge[e].option)
                end = p->edge[e].to;
            if (stdout_of(p, end) < 0)
                last = n; /* the chain with the end of the flow runs in the foreground */
        }
    for (int n = 0; n < p->nodes && r == GV_OK; n++)
        if (stdin_of(p, n) < 0 && n != last)
            r = print_chain(p, n, false, out, err);
    if (r == GV_OK && last >= 0)
        r = print_chain(p, last, true, out, err);
    if (r == GV_OK && chains > 1)
        r = gv_buf_printf(out, err, "for job in $(jobs -p); do wait \"$job\" || failed $?; done\n");
    return r;
}

char **gv_shell_split(const char *s, int *argc, gv_arena *arena, gv_err *err)
{
    size_t room = strlen(s) / 2 + 2;
    char **argv = gv_arena_alloc(arena, room * sizeof *argv, err);
    char *to = gv_arena_alloc(arena, strlen(s) + 2, err);
    if (!argv || !to)
        return NULL;
    *argc = 0;
    for (;;) {
        while (*s == ' ')
            s++;
        if (!*s)
            break;
        argv[(*argc)++] = to;
        for (bool quoted = false; *s && (quoted || *s != ' '); s++) {
            if (*s == '\'')
                quoted = !quoted;
            else if (*s == '\\' && !quoted && s[1])
                *to++ = *++s;
            else
                *to++ = *s;
        }
        *to++ = 0;
    }
    argv[*argc] = NULL;
    return argv;
}
