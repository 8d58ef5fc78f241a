/* chain: primitives in order, their arguments bound to a node's tensors or to places in scratch. */
#include "nn/onednn/chain.h"
#include "nn/onednn/internal.h"

enum { MAX_PRIMS = 5, MAX_ARGS = 6, ALIGN = 64 };

struct prim {
    dnnl_primitive_t p;
    int n;
    dnnl_exec_arg_t args[MAX_ARGS + 1]; /* the last one may be the scratchpad */
    dn_place at[MAX_ARGS];
    void *set[MAX_ARGS + 1];            /* the pointer each memory object holds */
    dnnl_memory_t pad;
    bool once, copy;                    /* in the first run alone; not from a place to itself */
};

struct dn_chain {
    gv_onednn *ctx;
    int status, n;
    struct prim prims[MAX_PRIMS];
    size_t temps, pad; /* packed copies one behind the other, then one scratchpad that all share */
    char *own, *own_base; /* packed copies of constant weights: made when the chain is finished, filled in the first run */
    size_t owns;
    bool filled;
    char name[80];
};

int dn_status(dnnl_status_t s, const char *what, gv_err *err)
{
    switch (s) {
    case dnnl_success: return GV_OK;
    case dnnl_unimplemented: return GV_UNSUPPORTED;
    case dnnl_out_of_memory: return gv_fail(err, GV_ESYS, "out of memory while oneDNN makes %s", what);
    default: return gv_fail(err, GV_EINTERNAL, "oneDNN refuses to make %s (status %d)", what, (int)s);
    }
}

dnnl_data_type_t dn_type(gv_dtype t)
{
    return t == GV_F32T ? dnnl_f32 : t == GV_BF16 ? dnnl_bf16 : dnnl_data_type_undef;
}

dnnl_primitive_attr_t dn_attr(gv_err *err)
{
    dnnl_primitive_attr_t a = NULL;
    if (dnnl_primitive_attr_create(&a) == dnnl_success && dnnl_primitive_attr_set_scratchpad_mode(a, dnnl_scratchpad_mode_user) == dnnl_success)
        return a;
    if (a)
        dnnl_primitive_attr_destroy(a);
    gv_fail(err, GV_ESYS, "out of memory while oneDNN makes an attribute");
    return NULL;
}

dn_chain *dn_chain_new(gv_onednn *ctx, gv_err *err)
{
    dn_chain *k = gv_alloc(sizeof *k, err);
    if (k)
        k->ctx = ctx;
    return k;
}

static void note(dn_chain *k, int status)
{
    if (k->status == GV_OK)
        k->status = status;
}

static bool failed(const dn_chain *k)
{
    return !k || k->status != GV_OK;
}

dn_place dn_chain_temp(dn_chain *k, size_t bytes)
{
    dn_place p = { DN_AT_SCRATCH, 0 };
    if (failed(k))
        return p;
    p.at = k->temps;
    k->temps += (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    return p;
}

static int memory(dn_chain *k, dnnl_memory_t *m, dn_cmd md, gv_err *err)
{
    return dn_status(dnnl_memory_create(m, md, k->ctx->engine, DNNL_MEMORY_NONE), "a memory object", err);
}

void dn_chain_prim(dn_chain *k, dnnl_primitive_desc_t pd, gv_err *err)
{
    if (failed(k))
        return;
    if (k->n == MAX_PRIMS) {
        note(k, gv_fail(err, GV_EINTERNAL, "a oneDNN kernel of more than %d primitives", MAX_PRIMS));
        return;
    }
    struct prim *q = &k->prims[k->n++];
    note(k, dn_status(dnnl_primitive_create(&q->p, pd), "a primitive", err));
    dn_cmd pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = pad ? dnnl_memory_desc_get_size(pad) : 0;
    if (k->status == GV_OK && bytes) {
        note(k, memory(k, &q->pad, pad, err));
        if (bytes > k->pad)
            k->pad = bytes;
    }
}

void dn_chain_arg(dn_chain *k, int arg, dn_cmd md, dn_place p, gv_err *err)
{
    if (failed(k))
        return;
    struct prim *q = &k->prims[k->n ? k->n - 1 : 0];
    if (!k->n || q->n == MAX_ARGS) {
        note(k, gv_fail(err, GV_EINTERNAL, "a oneDNN primitive with more than %d arguments", MAX_ARGS));
        return;
    }
    q->at[q->n] = p;
    q->args[q->n].arg = arg;
    note(k, memory(k, &q->args[q->n].memory, md, err));
    q->n++;
}

void dn_chain_reorder(dn_chain *k, dn_place src, dn_cmd src_md, dn_place dst, dn_cmd dst_md, gv_err *err)
{
    dnnl_primitive_desc_t pd = NULL;
    if (failed(k))
        return;
    dnnl_primitive_attr_t attr = dn_attr(err);
    if (!attr) {
        note(k, GV_ESYS);
        return;
    }
    note(k, dn_status(dnnl_reorder_primitive_desc_create(&pd, src_md, k->ctx->engine, dst_md, k->ctx->engine, attr), "a reorder", err));
    dnnl_primitive_attr_destroy(attr);
    dn_chain_prim(k, pd, err);
    dn_chain_arg(k, DNNL_ARG_FROM, src_md, src, err);
    dn_chain_arg(k, DNNL_ARG_TO, dst_md, dst, err);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
}

dn_place dn_chain_pack(dn_chain *k, dn_place src, dn_cmd src_md, dn_cmd wanted, gv_err *err)
{
    if (failed(k) || dnnl_memory_desc_equal(src_md, wanted))
        return src;
    dn_place p = dn_chain_temp(k, dnnl_memory_desc_get_size(wanted));
    dn_chain_reorder(k, src, src_md, p, wanted, err);
    return p;
}

dn_place dn_chain_pack_weight(dn_chain *k, const gv_call *c, size_t i, dn_cmd plain, dn_cmd wanted, gv_err *err)
{
    if (failed(k) || !c->in[i].constant || dnnl_memory_desc_equal(plain, wanted))
        return dn_chain_pack(k, DN_IN(i), plain, wanted, err);
    dn_place p = { DN_AT_OWN, k->owns };
    k->owns += (dnnl_memory_desc_get_size(wanted) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    dn_chain_reorder(k, DN_IN(i), plain, p, wanted, err);
    if (!failed(k))
        k->prims[k->n - 1].once = true;
    return p;
}

void dn_chain_copy(dn_chain *k, dn_place src, dn_place dst, dn_cmd md, gv_err *err)
{
    dn_chain_reorder(k, src, md, dst, md, err);
    if (!failed(k))
        k->prims[k->n - 1].copy = true;
}

void dn_chain_name(dn_chain *k, dnnl_primitive_desc_t pd)
{
    const char *s = NULL;
    if (!failed(k) && dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &s) == dnnl_success && s)
        snprintf(k->name, sizeof k->name, "%s", s);
}

static void drop(dn_chain *k)
{
    for (int i = 0; i < k->n; i++) {
        struct prim *q = &k->prims[i];
        for (int j = 0; j < q->n; j++)
            if (q->args[j].memory)
                dnnl_memory_destroy(q->args[j].memory);
        if (q->pad)
            dnnl_memory_destroy(q->pad);
        if (q->p)
            dnnl_primitive_destroy(q->p);
    }
    gv_free(k->own_base);
    gv_free(k);
}

static void release(void *self)
{
    drop(self);
}

static void *place_of(const dn_chain *k, const gv_call *c, const dn_place *p)
{
    switch (p->where) {
    case DN_AT_IN: return c->x[p->at];
    case DN_AT_OUT: return c->y[p->at];
    case DN_AT_OWN: return k->own + p->at;
    default: return (char *)c->scratch + p->at;
    }
}

static int run(const gv_call *c)
{
    dn_chain *k = c->self;
    if (k->ctx->set_threads)
        k->ctx->set_threads(k->ctx->threads); /* a setting of the calling thread, and primitives are made for a fixed number */
    for (int i = 0; i < k->n; i++) {
        struct prim *q = &k->prims[i];
        int n = q->n + (q->pad != NULL);
        if ((q->once && k->filled) || (q->copy && place_of(k, c, &q->at[0]) == place_of(k, c, &q->at[1])))
            continue;
        for (int j = 0; j < n; j++) {
            void *at = j == q->n ? (char *)c->scratch + k->temps : place_of(k, c, &q->at[j]);
            if (at == q->set[j])
                continue; /* setting it would also clear the padding of a packed copy again */
            if (dnnl_memory_set_data_handle(q->args[j].memory, at) != dnnl_success)
                return GV_EINTERNAL;
            q->set[j] = at;
        }
        if (dnnl_primitive_execute(q->p, k->ctx->stream, n, q->args) != dnnl_success)
            return GV_EINTERNAL;
    }
    k->filled = true;
    return dnnl_stream_wait(k->ctx->stream) == dnnl_success ? GV_OK : GV_EINTERNAL;
}

int dn_chain_finish(dn_chain *k, gv_kernel *kernel, gv_err *err)
{
    if (!k)
        return GV_ESYS;
    int status = k->status;
    if (status == GV_OK && !k->n)
        status = gv_fail(err, GV_EINTERNAL, "a oneDNN kernel without primitives");
    if (status == GV_OK && k->owns) {
        k->own_base = gv_alloc(k->owns + ALIGN, err);
        k->own = (char *)(((uintptr_t)k->own_base + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
        status = k->own_base ? GV_OK : GV_ESYS;
    }
    if (status != GV_OK) {
        drop(k);
        return status;
    }
    for (int i = 0; i < k->n; i++) {
        struct prim *q = &k->prims[i];
        if (q->pad)
            q->args[q->n] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, q->pad };
    }
    *kernel = (gv_kernel){ .name = k->name, .run = run, .release = release, .self = k, .scratch_bytes = k->temps + k->pad };
    return GV_OK;
}
