/* forward: run a checkpoint, or a pretrained encoder, on batches; one prediction or feature record for each sample. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "nn/profile.h"
#include "session/session.h"
#include "stage/stage.h"
#include <inttypes.h>

struct forward {
    const char *checkpoint;
    bool features, attention, profile, tune;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct forward, checkpoint, "weights of the whole network (.safetensors, .pt); without it the encoder's pretrained ones", .takes = GV_TAKES_CHECKPOINT),
    GV_BOOL(struct forward, features, false, "write the pooled features instead of predictions"),
    GV_BOOL(struct forward, attention, false, "with each prediction the attention of a bag's instances [branches,n], and their coords [n,2]"),
    GV_BOOL(struct forward, profile, false, "time every node of the network's graph and print a table at the end"),
    GV_BOOL(struct forward, tune, false, "measure which kernels are fastest on this machine first, and keep the answers for later runs"),
    GV_END,
};

static const char *const blocks[] = { "data.dataset", "data.task", "data.subtask", "data.num_classes", "model", "model.encoder", "model.head", "peft", "training.precision", "training.backend", "training.threads", "training.seed", NULL };

typedef struct state {
    gv_stage_ctx *st;
    const struct forward *o;
    gv_facts facts;
    gv_store *store;
    gv_plans plans;
    gv_tuning *tuning; /* measured kernels */
    int64_t piece; /* samples that go through the network at a time; 0: not decided */
} state;

static int prepare(void *arg, gv_network *net, gv_err *err)
{
    state *w = arg;
    gv_buf note = { 0 };
    int r;
    if (w->o->checkpoint && !w->o->features)
        r = gv_checkpoint_load(net, w->store, w->o->checkpoint, err);
    else if (w->o->checkpoint) /* features need no head: the file's is left out */
        r = gv_checkpoint_load_encoder(net, w->store, w->o->checkpoint, &note, err);
    else
        r = gv_network_init(net, w->store, w->st->config, w->st->config->training.seed, &note, err);
    if (r == GV_OK && note.len)
        gv_note(note.data);
    gv_buf_release(&note);
    return r;
}

static int keep_measured(void *arg, gv_err *err)
{
    return gv_tuned_save(((state *)arg)->tuning, err);
}

static int start(state *w, const gv_record *rec, gv_err *err)
{
    const gv_config *c = w->st->config;
    int r = gv_facts_read(&w->facts, gv_reader_header(w->st->in), &w->st->run, err);
    if (r == GV_OK && c->data.num_classes != GV_NONE_I64)
        w->facts.num_classes = c->data.num_classes; /* the network's, whatever the labels of this data */
    if (r == GV_OK && !w->o->features && w->facts.num_classes < 1)
        r = gv_fail(err, GV_EUSAGE, "neither the stream nor --data.num_classes tells the number of classes");
    if (r == GV_OK)
        r = gv_facts_from_batch(&w->facts, rec, err);
    gv_plan_options o = gv_session_plan_options(c);
    o.frozen = true;
    if (r == GV_OK)
        r = gv_store_open(&w->store, o.precision, err);
    if (r < 0)
        return r;
    gv_threads_set(o.threads);
    if ((r = gv_tuned_open(&w->tuning, &o, NULL, err)) < 0)
        return r;
    if (w->o->tune)
        gv_tuned_measure(w->tuning);
    gv_profile *profile = NULL;
    if (w->o->profile && (r = gv_profile_open(&profile, err)) < 0)
        return r;
    w->plans = (gv_plans){ .profile = profile, .c = c, .f = &w->facts, .store = w->store, .phase = GV_EVAL, .what = w->o->features ? GV_NET_FEATURES : 0, .options = o,
                           .tuning = w->tuning, .measured = keep_measured, .measured_arg = w };
    return GV_OK;
}

/* Row i of the batch's targets, under the same key. */
static int put_target(gv_record *out, const gv_tensor *y, int64_t i, gv_err *err)
{
    if (!y || y->ndim < 1)
        return GV_OK;
    if (y->ndim == 1 && y->dtype == GV_I64T)
        return gv_set_i64(out, "y", ((const int64_t *)y->data)[i], err);
    size_t row = y->bytes / (size_t)y->shape[0];
    return gv_set_tensor(out, "y", y->dtype, y->shape + 1, y->ndim - 1, (const char *)y->data + (size_t)i * row, err);
}

/* Row i of `data` [.., branches, wide] without what stands behind the bag's n instances, as floats. */
static int put_attention(state *w, gv_record *out, const gv_record *rec, const gv_batch *b, int64_t i, int64_t row, const gv_stored *a, gv_err *err)
{
    const gv_tensor *mask = gv_get_tensor(rec, "mask"), *coords = gv_get_tensor(rec, "coords");
    int64_t branches = a->shape[1], wide = a->shape[2], have = b->x->shape[1], n = 0, shape[2] = { branches, 0 };
    for (int64_t k = 0; k < have; k++)
        n += mask ? ((const uint8_t *)mask->data)[i * have + k] != 0 : 1;
    float *v = gv_arena_alloc_dirty(&w->st->batch, (size_t)(branches * n) * sizeof *v + 1, err);
    if (!v)
        return GV_ESYS;
    size_t size = gv_dtype_of(a->dtype)->size;
    for (int64_t k = 0; k < branches; k++)
        gv_to_f32(a->dtype, (const char *)a->data + (size_t)((row * branches + k) * wide) * size, v + k * n, (size_t)n);
    shape[1] = n;
    int r = gv_set_tensor(out, "attention", GV_F32T, shape, 2, v, err);
    if (r == GV_OK && coords && coords->dtype == GV_I64T && coords->ndim == 3 && coords->shape[0] == b->n && coords->shape[1] == have && coords->shape[2] == 2)
        r = gv_set_tensor(out, "coords", GV_I64T, (int64_t[]){ n, 2 }, 2, (const int64_t *)coords->data + i * have * 2, err);
    return r;
}

/* The answer for a frame is a prediction of its own: its id is the video's with the frame's number behind it, so that clips that overlap
 * are averaged by frame. */
static const char *frame_id(state *w, const gv_record *rec, const char *id, int64_t i, int64_t k, gv_err *err)
{
    const gv_tensor *frames = gv_get_tensor(rec, "frames");
    int64_t t = w->facts.shape[0], number = k;
    if (frames && frames->dtype == GV_I64T && frames->ndim == 2 && frames->shape[1] == t && i < frames->shape[0])
        number = ((const int64_t *)frames->data)[i * t + k];
    return gv_arena_printf(&w->st->batch, err, "%s#%06" PRId64, id, number);
}

/* The plan's rows are samples [first, first + n) of the batch. */
static int put_rows(state *w, const gv_record *rec, const gv_batch *b, int64_t first, int64_t n, const gv_plan *plan, gv_err *err)
{
    const char *key = w->o->features ? "x" : "logits";
    const gv_stored *v = gv_plan_output(plan, w->o->features ? "features" : "logits");
    gv_dtype t = v->dtype == GV_BF16 ? GV_F32T : v->dtype;
    const void *data = v->data;
    int64_t width = v->shape[v->ndim - 1], epoch = 0, each = w->facts.framewise && !w->o->features ? w->facts.shape[0] : 1; /* rows of a sample */
    if (t != v->dtype) {
        float *f = gv_arena_alloc_dirty(&w->st->batch, (size_t)(n * each * width) * sizeof *f, err);
        if (!f)
            return GV_ESYS;
        gv_to_f32(v->dtype, v->data, f, (size_t)(n * each * width));
        data = f;
    }
    const gv_tensor *index = gv_get_tensor(rec, "index");
    const gv_stored *attention = w->o->attention ? gv_plan_output(plan, "attention") : NULL;
    if (w->o->attention && (!attention || attention->ndim != 3 || !b->length))
        return gv_fail(err, GV_EUSAGE, "'--attention': the head '%s' gives no attention over the instances of a bag", w->st->config->model.head->name);
    bool has_epoch = gv_get_i64(rec, "epoch", &epoch);
    for (int64_t row = 0; row < n * each; row++) {
        int64_t i = first + row / each, k = row % each;
        gv_record out;
        gv_record_init(&out, w->o->features ? GV_FEATURE : GV_PREDICTION);
        int r = has_epoch ? gv_set_i64(&out, "epoch", epoch, err) : GV_OK;
        if (r == GV_OK && index && index->dtype == GV_I64T && index->shape[0] == b->n)
            r = gv_set_i64(&out, "index", ((const int64_t *)index->data)[i], err);
        if (r == GV_OK && b->ids && b->ids->type == GV_ARRAY && (int64_t)b->ids->array.n == b->n && b->ids->array.v[i].type == GV_TEXT) {
            const char *id = b->ids->array.v[i].text.s;
            if (each > 1 && !(id = frame_id(w, rec, id, i, k, err)))
                return GV_ESYS;
            r = gv_set_text(&out, "id", id, err);
        }
        if (r == GV_OK)
            r = each > 1 && b->labels ? gv_set_i64(&out, "y", b->labels[i * each + k], err) : put_target(&out, b->y, i, err);
        if (r == GV_OK)
            r = gv_set_tensor(&out, key, t, &width, 1, (const char *)data + (size_t)(row * width) * gv_dtype_of(t)->size, err);
        if (r == GV_OK && attention)
            r = put_attention(w, &out, rec, b, i, i - first, attention, err);
        if (r == GV_OK)
            r = gv_put(w->st->out, &out, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

/* How many samples of a batch go through the network at a time; not fewer than keep all threads busy. */
static int find_piece(state *w, int64_t n, int64_t length, gv_err *err)
{
    enum { EACH = 2 }; /* samples of a thread */
    gv_network *net;
    gv_plan *plan;
    int64_t few = EACH * w->plans.options.threads;
    w->piece = n;
    if (n < 2 * few)
        return GV_OK;
    int r = gv_plans_for(&w->plans, few, length, w->plans.n ? NULL : prepare, w, &net, &plan, err);
    if (r == GV_OK)
        w->piece = gv_plan_piece(plan, few, n);
    return r;
}

static int one(state *w, const gv_record *rec, gv_err *err)
{
    gv_batch b;
    gv_network *net;
    gv_plan *plan;
    int r = w->store ? GV_OK : start(w, rec, err);
    if (r == GV_OK)
        r = gv_batch_read(&b, rec, &w->facts, false, &w->st->batch, err);
    if (r == GV_OK && !w->piece)
        r = find_piece(w, b.n, b.length, err);
    for (int64_t at = 0, n; r == GV_OK && at < b.n; at += n) {
        n = w->piece < b.n - at ? w->piece : b.n - at;
        gv_feed feed[2] = { b.feed[0], b.feed[1] }; /* there is no loss */
        for (int i = 0; i < 1 + (b.length > 0); i++)
            feed[i].data = (const char *)feed[i].data + (size_t)at * b.row[i];
        r = gv_plans_for(&w->plans, n, b.length, w->plans.n ? NULL : prepare, w, &net, &plan, err);
        if (r == GV_OK)
            r = gv_plan_run(plan, feed, b.length ? 2 : 1, 0, err);
        if (r == GV_OK)
            r = put_rows(w, rec, &b, at, n, plan, err);
    }
    if (r == GV_OK)
        gv_stage_done(w->st, (uint64_t)b.n);
    return r;
}

static int show_profile(const gv_plans *p, gv_err *err)
{
    gv_buf text = { 0 };
    int r = gv_plans_profile_table(p, &text, err);
    if (r == GV_OK)
        fwrite(text.data, 1, text.len, stderr);
    gv_buf_release(&text);
    return r;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    state *w = gv_arena_alloc(&st->run, sizeof *w, err);
    if (!w)
        return GV_ESYS;
    w->st = st;
    w->o = st->params;
    int r = gv_config_check_built(st->config, err);
    if (r == GV_OK && w->o->checkpoint && !gv_file_exists(w->o->checkpoint))
        r = gv_fail(err, GV_EUSAGE, "'--checkpoint' is '%s', which does not exist", w->o->checkpoint);
    if (r == GV_OK)
        r = gv_stage_output(st, w->o->features ? GV_FEATURE : GV_PREDICTION, err);
    if (r == GV_OK)
        r = gv_stage_start(st, err);
    gv_record rec;
    while (r >= 0 && (r = gv_next(st->in, &rec, err)) > 0) {
        gv_arena_reset(&st->batch);
        if (rec.kind == GV_ERROR_RECORD)
            r = gv_put(st->out, &rec, err);
        else if ((r = one(w, &rec, err)) < 0)
            gv_fail_in(err, "record %" PRIu64, gv_reader_records(st->in) - 1);
    }
    if (r >= 0 && w->plans.profile)
        r = show_profile(&w->plans, err);
    gv_plans_close(&w->plans);
    gv_profile_close(w->plans.profile);
    gv_tuning_close(w->tuning);
    gv_store_close(w->store);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "forward", .summary = "run a network on batches: predictions or features",
    .reads = GV_BATCH, .writes = GV_PREDICTION | GV_FEATURE, .blocks = blocks, .fields = fields, .params_size = sizeof(struct forward), .names = gv_session_names, .run = run,
};
