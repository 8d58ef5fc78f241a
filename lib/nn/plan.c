/* plan: a graph made ready to run: rewritten, every node with its kernel, every value with its place. */
#include "nn/place.h"
#include "nn/profile.h"
#include "nn/rewrite.h"
#include "nn/tune.h"
#include "nn/ops/op.h"

enum { FOREVER = 1 << 30, GUARD = 64, GUARD_BYTE = 0xa5 };

typedef enum home_kind { HOME_ARENA, HOME_STORE, HOME_FEED } home_kind;

typedef struct value_home {
    gv_val root;       /* whose memory it uses: itself, the source of a view, or the input whose place it takes */
    size_t offset;     /* inside the root */
    home_kind kind;    /* of a root, as what follows */
    void *data;        /* STORE; FEED: what the last run gave */
    int first, last;   /* the list of execution */
    size_t bytes, place;
    bool used;
} value_home;

typedef struct step { int node; gv_call call; gv_kernel kernel; } step;

typedef struct feed_slot { gv_val value; const char *name; gv_dtype dtype; bool floating; const void *bound; size_t place; int64_t count; } feed_slot;

struct gv_plan {
    gv_graph *g;
    gv_store *store;
    gv_plan_options o;
    char backend_name[32];
    const gv_backend *backend;
    void *ctx;
    gv_arena memory;   /* what the plan itself is made of */
    value_home *home;
    step *steps;
    int nsteps;
    feed_slot *feeds;
    int nfeeds;
    gv_stored *outputs;
    size_t bytes, scratch_at, scratch_bytes;
    unsigned generation;
    bool bound;
    gv_run run;
    gv_profile_part *profile; /* NULL: nothing is timed */
};

static gv_dtype type_of(const gv_plan *p, gv_val v) { return gv_dtype_for(p->o.precision, p->g->value[v]->cls); }

/* The root of v; *offset is v's place inside it. */
static gv_val root_of(const gv_plan *p, gv_val v, size_t *offset)
{
    size_t at = 0;
    while (p->home[v].root != v) {
        at += p->home[v].offset;
        v = p->home[v].root;
    }
    if (offset)
        *offset = at;
    return v;
}

/* ---- kernels ---- */

static int choose(gv_plan *p, step *s, gv_err *err)
{
    const gv_op *op = gv_op_of(s->call.node->op);
    int r = GV_UNSUPPORTED;
    if (p->o.candidate && p->backend->candidate)
        r = p->backend->candidate(p->ctx, &s->call, p->o.candidate - 1, &s->kernel, err);
    else if (p->o.tuning)
        r = gv_tuning_choose(p->o.tuning, p->backend, p->ctx, &s->call, &s->kernel, err);
    if (r == GV_UNSUPPORTED || r == GV_NO_CANDIDATE)
        r = p->backend->compile(p->ctx, &s->call, &s->kernel, err);
    if (r < 0)
        return gv_fail_in(err, "module '%s', %s", s->call.node->path, op->name);
    if (r == GV_UNSUPPORTED) {
        gv_dtype t = s->call.nin ? s->call.in[0].dtype : s->call.out[0].dtype;
        s->kernel = (gv_kernel){ .name = "plain", .in_place = { op->flags & GV_OP_ELEMENTWISE ? GV_ANY_INPUT : 0 } };
        s->kernel.run = op->flags & GV_OP_ANY_TYPE ? op->plain_f32 : t == GV_F64T ? op->plain_f64 : t == GV_BF16 ? op->plain_bf16 : op->plain_f32;
        s->kernel.scratch_bytes = op->scratch ? op->scratch(&s->call) : 0;
    }
    if (s->kernel.scratch_bytes > p->scratch_bytes)
        p->scratch_bytes = s->kernel.scratch_bytes;
    return GV_OK;
}

static bool is_view(const gv_graph *g, const gv_node *n)
{
    if (gv_op_of(n->op)->flags & GV_OP_VIEW)
        return true;
    if (n->op != GV_OP_slice)
        return false;
    const gv_slice_attr *a = n->attr; /* one block: the axes before it are 1 */
    for (int i = 0; i < a->axis; i++)
        if (g->value[n->in[0]]->shape[i] != 1)
            return false;
    return true;
}

static int make_steps(gv_plan *p, gv_err *err)
{
    gv_graph *g = p->g;
    p->steps = gv_arena_alloc(&p->memory, sizeof *p->steps * (size_t)(g->norder + 1), err);
    if (!p->steps)
        return GV_ESYS;
    for (int i = 0; i < g->norder; i++) {
        const gv_node *n = g->node[g->order[i]];
        if (is_view(g, n))
            continue;
        step *s = &p->steps[p->nsteps++];
        s->node = g->order[i];
        gv_call_describe(&s->call, g, n, &p->o);
        s->call.run = &p->run;
        int r = choose(p, s, err);
        if (r < 0)
            return r;
        s->call.self = s->kernel.self;
    }
    return GV_OK;
}

/* ---- places ---- */

static int find_stored(gv_plan *p, gv_val v, gv_err *err)
{
    const gv_value *o = p->g->value[v];
    gv_stored *t = gv_store_find(p->store, o->name);
    if (!t && strncmp(o->name, "grad.", 5))
        return gv_fail(err, GV_EINTERNAL, "tensor '%s' is not in the store (gv_store_init makes it)", o->name);
    t = gv_store_get(p->store, o->name, type_of(p, v), o->shape, o->ndim, err);
    if (!t)
        return GV_EUSAGE;
    p->home[v].data = t->data;
    return GV_OK;
}

static int find_homes(gv_plan *p, gv_err *err)
{
    gv_graph *g = p->g;
    p->home = gv_arena_alloc(&p->memory, sizeof *p->home * (size_t)(g->nvalue + 1), err);
    if (!p->home)
        return GV_ESYS;
    for (gv_val v = 0; v < g->nvalue; v++) {
        const gv_value *o = g->value[v];
        value_home *h = &p->home[v];
        h->root = v;
        h->first = FOREVER;
        h->last = -1;
        h->bytes = (size_t)gv_shape_count(o->shape, o->ndim) * gv_dtype_of(type_of(p, v))->size;
        h->kind = o->kind == GV_VALUE_NODE ? HOME_ARENA : o->kind == GV_VALUE_INPUT ? HOME_FEED : HOME_STORE;
    }
    for (int i = 0; i < g->norder; i++) { /* views, and what is used */
        const gv_node *n = g->node[g->order[i]];
        for (int k = 0; k < n->nin; k++)
            if (n->in[k] != GV_NO_VAL)
                p->home[n->in[k]].used = true;
        for (int k = 0; k < n->nout; k++) /* written straight to the store (fuse_grads.c) */
            p->home[n->out[k]].used |= p->home[n->out[k]].kind == HOME_STORE;
        if (!is_view(g, n))
            continue;
        value_home *h = &p->home[n->out[0]];
        h->root = n->in[0];
        if (n->op == GV_OP_slice) {
            const gv_slice_attr *a = n->attr;
            h->offset = (size_t)a->start * (h->bytes / (size_t)a->len);
        }
    }
    for (int i = 0; i < g->noutput; i++)
        p->home[g->output[i].value].used = true;
    for (gv_val v = 0; v < g->nvalue; v++)
        if (p->home[v].used && p->home[v].kind == HOME_STORE) {
            int r = find_stored(p, v, err);
            if (r < 0)
                return r;
        }
    return GV_OK;
}

static void find_lifetimes(gv_plan *p)
{
    for (int i = 0; i < p->nsteps; i++) {
        const gv_call *c = &p->steps[i].call;
        for (int k = 0; k < c->nin + c->nout; k++) {
            gv_val v = k < c->nin ? c->node->in[k] : c->node->out[k - c->nin];
            if (v == GV_NO_VAL)
                continue;
            value_home *h = &p->home[root_of(p, v, NULL)];
            h->first = i < h->first ? i : h->first;
            h->last = i > h->last ? i : h->last;
        }
    }
    for (int i = 0; i < p->g->noutput; i++)
        p->home[root_of(p, p->g->output[i].value, NULL)].last = FOREVER;
    for (int i = 0; i < p->nsteps; i++)
        for (int k = 0; k < p->steps[i].call.nout; k++) {
            const value_home *h = &p->home[root_of(p, p->steps[i].call.node->out[k], NULL)];
            if (h->kind == HOME_ARENA && h->last == i)
                p->steps[i].call.unread |= 1u << k;
        }
}

/* Whether output `slot` of step i may lie where input k lies: the input dies there, and no other input is another view of its bytes. */
static bool fits(const gv_plan *p, int i, int slot, int k)
{
    const step *s = &p->steps[i];
    const gv_node *n = s->call.node;
    const gv_desc *x = &s->call.in[k], *y = &s->call.out[slot];
    size_t offset;
    if (n->in[k] == GV_NO_VAL || !(s->kernel.in_place[slot] >> k & 1) || x->dtype != y->dtype || x->ndim != y->ndim)
        return false;
    gv_val root = root_of(p, n->in[k], &offset);
    const value_home *h = &p->home[root];
    if (h->kind != HOME_ARENA || h->last != i || offset || h->bytes != p->home[n->out[slot]].bytes)
        return false;
    for (int j = 0; j < n->nin; j++)
        if (j != k && n->in[j] != GV_NO_VAL && n->in[j] != n->in[k] && root_of(p, n->in[j], NULL) == root)
            return false;
    for (int d = 0; d < y->ndim; d++)
        if (x->shape[d] != y->shape[d])
            return false;
    return true;
}

/* Outputs take the places of inputs that die, where the kernel allows it. */
static void take_places(gv_plan *p)
{
    for (int i = 0; i < p->nsteps; i++) {
        const gv_node *n = p->steps[i].call.node;
        for (int slot = n->nout - 1; slot >= 0; slot--)
            for (int k = 0; k < n->nin; k++) {
                value_home *y = &p->home[n->out[slot]];
                if (y->kind != HOME_ARENA || y->last <= i || !fits(p, i, slot, k)) /* beside an output that nobody reads another could take the place as well */
                    continue;
                gv_val root = root_of(p, n->in[k], NULL);
                p->home[root].last = y->last;
                y->root = root;
                break;
            }
    }
}

static int place_all(gv_plan *p, gv_err *err)
{
    gv_graph *g = p->g;
    gv_interval *v = gv_arena_alloc(&p->memory, sizeof *v * (size_t)(g->nvalue + p->nfeeds + 1), err);
    int n = 0;
    if (!v)
        return GV_ESYS;
    for (gv_val i = 0; i < g->nvalue; i++) {
        const value_home *h = &p->home[i];
        if (h->root == i && h->kind == HOME_ARENA && h->last >= 0 && h->first != FOREVER)
            v[n++] = (gv_interval){ p->o.guard ? 0 : h->first, p->o.guard ? FOREVER : h->last, h->bytes, 0 };
    }
    int values = n;
    for (int i = 0; i < p->nfeeds; i++)
        if (p->feeds[i].floating)
            v[n++] = (gv_interval){ 0, FOREVER, p->home[p->feeds[i].value].bytes, 0 };
    int r = gv_place(v, n, p->o.guard ? GUARD : 0, &p->memory, &p->bytes, err);
    if (r < 0)
        return r;
    int at = 0;
    for (gv_val i = 0; i < g->nvalue; i++) {
        value_home *h = &p->home[i];
        if (h->root == i && h->kind == HOME_ARENA && h->last >= 0 && h->first != FOREVER)
            h->place = v[at++].offset;
    }
    for (int i = 0; i < p->nfeeds; i++)
        if (p->feeds[i].floating)
            p->feeds[i].place = v[values++].offset;
    p->scratch_at = p->bytes;
    if (__builtin_add_overflow(p->scratch_at, p->scratch_bytes + GUARD, &p->bytes))
        return gv_fail(err, GV_ESYS, "the plan needs more memory than can be counted");
    return GV_OK;
}

/* ---- making ---- */

static int find_feeds(gv_plan *p, gv_err *err)
{
    gv_graph *g = p->g;
    p->feeds = gv_arena_alloc(&p->memory, sizeof *p->feeds * (size_t)(g->nvalue + 1), err);
    p->outputs = gv_arena_alloc(&p->memory, sizeof *p->outputs * (size_t)(g->noutput + 1), err);
    if (!p->feeds || !p->outputs)
        return GV_ESYS;
    for (gv_val v = 0; v < g->nvalue; v++)
        if (p->home[v].kind == HOME_FEED && p->home[v].used)
            p->feeds[p->nfeeds++] = (feed_slot){ .value = v, .name = g->value[v]->name, .dtype = type_of(p, v),
                                                 .floating = g->value[v]->cls == GV_CLASS_REAL || g->value[v]->cls == GV_CLASS_STAT,
                                                 .count = gv_shape_count(g->value[v]->shape, g->value[v]->ndim) };
    for (int i = 0; i < g->noutput; i++) {
        gv_val v = g->output[i].value;
        p->outputs[i] = (gv_stored){ .name = g->output[i].name, .dtype = type_of(p, v), .ndim = g->value[v]->ndim, .bytes = p->home[v].bytes };
        memcpy(p->outputs[i].shape, g->value[v]->shape, sizeof p->outputs[i].shape);
    }
    return GV_OK;
}

int gv_plan_make(gv_plan **out, gv_graph *g, gv_store *s, const gv_plan_options *o, gv_err *err)
{
    *out = NULL;
    if (g->err.code)
        return gv_fail(err, g->err.code, "%s", g->err.text);
    const gv_backend *b = gv_backend_find(o->backend ? o->backend : "reference");
    if (!b)
        return gv_fail(err, GV_EUSAGE, "this program has no backend '%s'", o->backend);
    if (gv_dtype_for(o->precision, GV_CLASS_STAT) != gv_store_stat_type(s))
        return gv_fail(err, GV_EINTERNAL, "the plan and its store differ in precision");
    if (o->precision == GV_MIXED_BF16 && !b->has_bf16())
        return gv_fail(err, GV_EUSAGE, "this processor does not multiply bf16 (backend '%s'); use precision no", b->name);
    gv_plan *p = gv_alloc(sizeof *p, err);
    if (!p)
        return GV_ESYS;
    p->g = g;
    p->store = s;
    p->o = *o;
    p->backend = b;
    p->run.seed = o->seed;
    if (o->threads > 0)
        gv_threads_set(o->threads);
    p->run.threads = gv_threads();
    int r = gv_arena_init(&p->memory, "plan's own", (size_t)256 << 20, err);
    if (r == GV_OK)
        r = b->open(&p->ctx, p->run.threads, err);
    gv_rewrite_ctx c = { g, s, &p->o, b, p->ctx };
    if (r == GV_OK)
        r = gv_rewrite_all(&c, err);
    if (r == GV_OK)
        r = make_steps(p, err);
    if (r == GV_OK)
        r = find_homes(p, err);
    if (r == GV_OK)
        r = find_feeds(p, err);
    if (r == GV_OK) {
        find_lifetimes(p);
        if (!p->o.guard)
            take_places(p);
        r = place_all(p, err);
    }
    if (r == GV_OK && (r = gv_store_workspace(s, p->bytes, err)) < 0)
        gv_fail_in(err, "the plan's buffers");
    p->o.tuning = NULL; /* the caller's */
    p->o.backend = b->name;
    if (r < 0) {
        gv_plan_close(p);
        return r;
    }
    *out = p;
    return GV_OK;
}

void gv_plan_close(gv_plan *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->nsteps; i++)
        if (p->steps[i].kernel.release)
            p->steps[i].kernel.release(p->steps[i].kernel.self);
    if (p->ctx)
        p->backend->close(p->ctx);
    gv_arena_release(&p->memory);
    gv_free(p);
}

/* ---- running ---- */

static void *pointer(const gv_plan *p, char *base, gv_val v)
{
    size_t offset;
    const value_home *h = &p->home[root_of(p, v, &offset)];
    char *at = h->kind == HOME_ARENA ? base + h->place : h->data;
    return at ? at + offset : NULL;
}

static void bind(gv_plan *p, char *base)
{
    for (int i = 0; i < p->nsteps; i++) {
        gv_call *c = &p->steps[i].call;
        for (int k = 0; k < c->nin; k++)
            c->x[k] = c->node->in[k] == GV_NO_VAL ? NULL : pointer(p, base, c->node->in[k]);
        for (int k = 0; k < c->nout; k++)
            c->y[k] = pointer(p, base, c->node->out[k]);
        c->scratch = p->steps[i].kernel.scratch_bytes ? base + p->scratch_at : NULL;
    }
    for (int i = 0; i < p->g->noutput; i++)
        p->outputs[i].data = pointer(p, base, p->g->output[i].value);
}

/* Around every output of a step, in guarded plans. */
static void guard_set(const gv_plan *p, const step *s)
{
    for (int k = 0; k < s->call.nout; k++) {
        const value_home *h = &p->home[root_of(p, s->call.node->out[k], NULL)];
        char *y = s->call.y[k];
        if (h->kind != HOME_ARENA)
            continue;
        memset(y - GUARD, GUARD_BYTE, GUARD);
        memset(y + h->bytes, GUARD_BYTE, GUARD);
    }
}

static int guard_check(const gv_plan *p, const step *s, gv_err *err)
{
    for (int k = 0; k < s->call.nout; k++) {
        const value_home *h = &p->home[root_of(p, s->call.node->out[k], NULL)];
        const unsigned char *y = s->call.y[k];
        for (int i = 0; i < GUARD && h->kind == HOME_ARENA; i++)
            if (y[i - GUARD] != GUARD_BYTE || y[h->bytes + (size_t)i] != GUARD_BYTE)
                return gv_fail(err, GV_EINTERNAL, "module '%s', %s (kernel '%s'): it wrote outside output %d", s->call.node->path, gv_op_of(s->call.node->op)->name, s->kernel.name, k);
    }
    return GV_OK;
}

static int take_feeds(gv_plan *p, char *base, const gv_feed *feeds, int n, gv_err *err)
{
    for (int i = 0; i < p->nfeeds; i++) {
        feed_slot *s = &p->feeds[i];
        const gv_feed *f = NULL;
        for (int k = 0; k < n && !f; k++)
            f = strcmp(feeds[k].name, s->name) ? NULL : &feeds[k];
        if (!f || !f->data)
            return gv_fail(err, GV_EINTERNAL, "input '%s' was not fed", s->name);
        const void *data = f->data;
        if (f->dtype != s->dtype) {
            bool from = f->dtype == GV_F32T || f->dtype == GV_F64T || f->dtype == GV_BF16 || f->dtype == GV_F16;
            if (!s->floating || !from)
                return gv_fail(err, GV_EDATA, "input '%s' is %s; %s is wanted", s->name, gv_dtype_of(f->dtype)->name, gv_dtype_of(s->dtype)->name);
            double block[512];
            size_t sf = gv_dtype_of(f->dtype)->size, st = gv_dtype_of(s->dtype)->size;
            for (int64_t at = 0; at < s->count; at += 512) {
                size_t m = (size_t)gv_min64(512, s->count - at);
                gv_to_f64(f->dtype, (const char *)f->data + (size_t)at * sf, block, m);
                gv_from_f64(s->dtype, block, base + s->place + (size_t)at * st, m);
            }
            data = base + s->place;
        }
        if (data != s->bound) {
            s->bound = data;
            p->home[s->value].data = (void *)(uintptr_t)data;
            p->bound = false;
        }
    }
    return GV_OK;
}

int gv_plan_run(gv_plan *p, const gv_feed *feeds, int n, uint64_t step_number, gv_err *err)
{
    unsigned generation;
    char *base = gv_store_workspace_at(p->store, &generation);
    int r = take_feeds(p, base, feeds, n, err);
    if (r < 0)
        return r;
    if (!p->bound || generation != p->generation) {
        bind(p, base);
        p->generation = generation;
        p->bound = true;
    }
    p->run.step = step_number;
    if (p->profile)
        gv_profile_run(p->profile);
    for (int i = 0; i < p->nsteps; i++) {
        const step *s = &p->steps[i];
        if (p->o.guard)
            guard_set(p, s);
        double began = p->profile ? gv_profile_now() : 0;
        r = s->kernel.run(&s->call);
        if (p->profile)
            gv_profile_add(p->profile, i, began);
        if (r < 0)
            return gv_fail(err, r, "module '%s', %s: %s", s->call.node->path, gv_op_of(s->call.node->op)->name,
                           r == GV_EDATA ? "an index in its input is out of range" : "the kernel failed");
        if (p->o.guard && (r = guard_check(p, s, err)) < 0)
            return r;
    }
    return GV_OK;
}

int gv_plan_profile(gv_plan *p, gv_profile *q, gv_err *err)
{
    p->profile = q ? gv_profile_part_new(q, p->nsteps, err) : NULL;
    for (int i = 0; p->profile && i < p->nsteps; i++)
        gv_profile_node(p->profile, i, &p->steps[i].call, p->steps[i].kernel.name);
    return q && !p->profile ? GV_ESYS : GV_OK;
}

const gv_stored *gv_plan_output(const gv_plan *p, const char *name)
{
    for (int i = 0; i < p->g->noutput; i++)
        if (!strcmp(p->outputs[i].name, name))
            return &p->outputs[i];
    return NULL;
}

size_t gv_plan_bytes(const gv_plan *p) { return p->bytes; }
int gv_plan_nodes(const gv_plan *p) { return p->nsteps; }

int64_t gv_plan_piece(const gv_plan *p, int64_t few, int64_t n)
{
    if (!p->backend->piece_bytes)
        return n;
    int64_t most = p->backend->piece_bytes() / (int64_t)(p->bytes / (size_t)few + 1), piece = most < n ? most : n;
    if (most < few)
        return n;
    while (n % piece && piece > few)
        piece--;
    return piece;
}

static int add_desc(gv_buf *j, const gv_desc *d, gv_err *err)
{
    if (d->ndim < 0)
        return gv_buf_printf(j, err, "null");
    int r = gv_buf_printf(j, err, "\"%s[", gv_dtype_of(d->dtype)->name);
    for (int i = 0; i < d->ndim && r == GV_OK; i++)
        r = gv_buf_printf(j, err, "%s%" PRId64, i ? "," : "", d->shape[i]);
    return r < 0 ? r : gv_buf_printf(j, err, "]\"");
}

/* The end of the object: the lines of the table, which hold no character that JSON quotes but the tab. */
static int add_measured(gv_buf *json, const gv_tuning *t, gv_err *err)
{
    gv_buf text = { 0 };
    int r = t && gv_tuning_count(t) ? gv_tuning_text(t, &text, err) : GV_OK;
    for (const char *p = text.data; p && *p && r == GV_OK;) {
        size_t n = strcspn(p, "\n"), key = strcspn(p, "\t\n");
        r = gv_buf_printf(json, err, "%s\n\"%.*s%s%.*s\"", p == text.data ? ",\"measured\":[" : ",", (int)key, p, key < n ? "\\t" : "", key < n ? (int)(n - key - 1) : 0, p + key + 1);
        p += n + 1;
    }
    r = r < 0 ? r : gv_buf_printf(json, err, "%s}\n", text.len ? "]" : "");
    gv_buf_release(&text);
    return r;
}

int gv_plan_describe(const gv_plan *p, const gv_tuning *t, gv_buf *json, gv_err *err)
{
    static const char *const precision[] = { "no", "bf16", "fp64" };
    int r = gv_buf_printf(json, err, "{\"backend\":\"%s\",\"precision\":\"%s\",\"threads\":%d,\"bytes\":%zu,\"nodes\":[", p->backend->name,
                          precision[p->o.precision], p->run.threads, p->bytes);
    for (int i = 0; i < p->nsteps && r == GV_OK; i++) {
        const gv_call *c = &p->steps[i].call;
        r = gv_buf_printf(json, err, "%s\n{\"path\":\"%s\",\"op\":\"%s\",\"kernel\":\"%s\",\"in\":[", i ? "," : "", c->node->path, gv_op_of(c->node->op)->name, p->steps[i].kernel.name);
        for (int k = 0; k < c->nin && r == GV_OK; k++) {
            r = k ? gv_buf_printf(json, err, ",") : GV_OK;
            r = r < 0 ? r : add_desc(json, &c->in[k], err);
        }
        r = r < 0 ? r : gv_buf_printf(json, err, "],\"out\":[");
        for (int k = 0; k < c->nout && r == GV_OK; k++) {
            r = k ? gv_buf_printf(json, err, ",") : GV_OK;
            r = r < 0 ? r : add_desc(json, &c->out[k], err);
        }
        r = r < 0 ? r : gv_buf_printf(json, err, "]}");
    }
    r = r < 0 ? r : gv_buf_printf(json, err, "]");
    return r < 0 ? r : add_measured(json, t, err);
}
