/* The kernel of a binary op: GV_BINARY(name) names it, EXPR(a, b) is what it does. Included by types.h through the op's file. */
typedef struct F(GV_BINARY(args)) { gv_walk w; const T *a, *b; T *y; } F(GV_BINARY(args));

GV_HOT static void F(GV_BINARY(body))(void *p, int64_t begin, int64_t end)
{
    const F(GV_BINARY(args)) *o = p;
    int64_t inner = o->w.inner;
    for (int64_t at = begin; at < end;) {
        int64_t row = at / inner, skip = at % inner, n = gv_min64(inner - skip, end - at), pa, pb;
        gv_walk_row(&o->w, row, &pa, &pb);
        const T *a = o->a + pa + (o->w.ia ? skip : 0), *b = o->b + pb + (o->w.ib ? skip : 0);
        T *y = o->y + at;
        if (o->w.ia && o->w.ib) {
            for (int64_t k = 0, stop; k < n; k = stop) {
                stop = gv_min64(k + GV_PIECE, n);
                gv_ahead(a + k, GV_PIECE * sizeof *a);
                gv_ahead(b + k, GV_PIECE * sizeof *b);
                GV_IVDEP
                for (int64_t i = k; i < stop; i++)
                    y[i] = ST(EXPR(LD(a[i]), LD(b[i])));
            }
        } else if (o->w.ia) {
            A v = LD(b[0]);
            for (int64_t k = 0, stop; k < n; k = stop) {
                stop = gv_min64(k + GV_PIECE, n);
                gv_ahead(a + k, GV_PIECE * sizeof *a);
                GV_IVDEP
                for (int64_t i = k; i < stop; i++)
                    y[i] = ST(EXPR(LD(a[i]), v));
            }
        } else if (o->w.ib) {
            A v = LD(a[0]);
            GV_IVDEP
            for (int64_t i = 0; i < n; i++)
                y[i] = ST(EXPR(v, LD(b[i])));
        } else {
            T v = ST(EXPR(LD(a[0]), LD(b[0])));
            for (int64_t i = 0; i < n; i++)
                y[i] = v;
        }
        at += n;
    }
}

static int F(GV_BINARY(run))(const gv_call *c)
{
    int b = c->nin > 1; /* broadcast has one operand */
    F(GV_BINARY(args)) o = { .a = c->x[0], .b = c->x[b], .y = c->y[0] };
    gv_walk_make(&o.w, &c->out[0], &c->in[0], &c->in[b]);
    gv_parallel(c->out[0].count, GV_GRAIN, F(GV_BINARY(body)), &o);
    return GV_OK;
}
