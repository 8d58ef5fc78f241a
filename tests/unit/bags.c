/* bags: batches of bags in their buckets, and plans by length: more lengths than there are places for plans, the same logits whatever the bucket. */
#include "session/session.h"
#include "common/threads.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <string.h>

enum { D = 6, LONGEST = 200 };

static gv_arena scratch;

static void buckets(void)
{
    bool fits = true, grows = true;
    int64_t different = 0, last = 0;
    for (int64_t n = 1; n <= 4096; n++) {
        int64_t b = gv_bucket(n);
        fits &= b >= n && b * 4 <= n * 5 && gv_bucket(b) == b;
        grows &= b >= last;
        different += b != last;
        last = b;
    }
    ok(fits && grows, "a bucket holds its length, is at most a quarter longer, and is its own bucket");
    ok(different == 44 && gv_bucket(9) == 10 && gv_bucket(33) == 40, "4,096 lengths have 44 buckets (%d)", (int)different);
}

/* A batch of one bag of n instances, `padded` of them in the record. */
static int read_bag(gv_batch *b, gv_record *rec, const gv_facts *f, int64_t n, int64_t padded, uint8_t *mask, gv_err *err)
{
    static float x[LONGEST * D];
    for (int64_t i = 0; i < padded * D; i++)
        x[i] = i < n * D ? sinf((float)i) : 99;
    for (int64_t i = 0; i < padded; i++)
        mask[i] = i < n;
    gv_record_init(rec, GV_BATCH);
    int r = gv_set_tensor(rec, "x", GV_F32T, (int64_t[]){ 1, padded, D }, 3, x, err);
    if (r == GV_OK)
        r = gv_set_tensor(rec, "mask", GV_U8, (int64_t[]){ 1, padded }, 2, mask, err);
    return r == GV_OK ? gv_batch_read(b, rec, f, false, &scratch, err) : r;
}

static void records(const gv_facts *f)
{
    gv_record rec;
    gv_batch b;
    gv_err err = { 0 };
    uint8_t mask[LONGEST];
    ok(read_bag(&b, &rec, f, 9, 9, mask, &err) == GV_OK && b.length == 10 && b.feeds == 2 && ((const uint8_t *)b.feed[1].data)[8] == 1 && ((const uint8_t *)b.feed[1].data)[9] == 0 &&
       ((const float *)b.feed[0].data)[9 * D] == 0, "nine instances lie in a bucket of ten, zeros behind %s", err.text);
    ok(read_bag(&b, &rec, f, 0, 3, mask, &err) == GV_EDATA && strstr(err.text, "has no instance"), "a bag without instances is refused (%s)", err.text);
    gv_err_clear(&err);
    gv_record_init(&rec, GV_BATCH);
    static const float x[3 * D];
    ok(gv_set_tensor(&rec, "x", GV_F32T, (int64_t[]){ 1, 3, D }, 3, x, &err) == GV_OK && gv_batch_read(&b, &rec, f, false, &scratch, &err) == GV_OK && ((const uint8_t *)b.feed[1].data)[2] == 1,
       "without a mask all instances are there");
    ok(gv_set_tensor(&rec, "mask", GV_U8, (int64_t[]){ 1, 2 }, 2, x, &err) == GV_OK && gv_batch_read(&b, &rec, f, false, &scratch, &err) == GV_EDATA && strstr(err.text, "is not uint8 [1,3]"), "a mask of another length is refused (%s)", err.text);
}

static int prepare(void *arg, gv_network *net, gv_err *err)
{
    return gv_store_init(arg, net->graph, 7, err);
}

/* Each length once, and again when its plan was closed meanwhile. */
static void plans(const gv_config *c, const gv_facts *f)
{
    gv_err err = { 0 };
    gv_plan_options o = gv_session_plan_options(c);
    gv_plans p = { .c = c, .f = f, .phase = GV_EVAL, .options = o };
    float first[2] = { 0 }, again[2][40];
    const gv_network *stays = NULL;
    int r = gv_store_open(&p.store, o.precision, &err);
    double worst = 0;
    for (int round = 0; round < 2 && r == GV_OK; round++)
        for (int k = 0; k < 40 && r == GV_OK; k++) { /* the same nine instances in records of 9 to 165 */
            uint8_t mask[LONGEST];
            gv_record rec;
            gv_batch b;
            gv_network *net;
            gv_plan *plan;
            r = read_bag(&b, &rec, f, 9, 9 + 4 * k, mask, &err);
            if (r == GV_OK)
                r = gv_plans_for(&p, 1, b.length, p.n ? NULL : prepare, p.store, &net, &plan, &err);
            if (r == GV_OK)
                r = gv_plan_run(plan, b.feed, b.feeds, 0, &err);
            if (r < 0)
                break;
            const float *z = gv_plan_output(plan, "logits")->data;
            if (!round && !k)
                memcpy(first, z, sizeof first), stays = net;
            worst = fmax(worst, fmax(fabs((double)z[0] - (double)first[0]), fabs((double)z[1] - (double)first[1])));
            again[round][k] = z[0];
            gv_arena_reset(&scratch);
        }
    ok(r == GV_OK && worst < 1e-5, "more lengths than places: one bag has the same logits in every bucket (%.0e) %s", worst, err.text);
    ok(p.n == GV_PLANS && p.v[0].net == stays, "there are never more than %d plans, and the first stays", GV_PLANS);
    ok(!memcmp(again[0], again[1], sizeof again[0]), "a plan that is made again gives the same bytes");
    gv_plans_close(&p);
    gv_store_close(p.store);
}

int main(void)
{
    gv_err err = { 0 };
    gv_arena arena;
    gv_config c;
    if (gv_arena_init(&arena, "test", (size_t)1 << 30, &err) < 0 || gv_arena_init(&scratch, "scratch", 1 << 24, &err) < 0 || gv_config_init(&c, &arena, &err) < 0) {
        ok(0, "%s", err.text);
        return done();
    }
    static const char *const set[][2] = { { "data.dataset", "precomputed_features" }, { "model.encoder.encoder_type", "precomputed" }, { "model.head.head_type", "clam" }, { "model.head.size_arg", "tiny" },
                                          { "training.precision", "no" }, { "training.threads", "1" }, { "training.seed", "1" } };
    for (size_t i = 0; i < GV_COUNT(set); i++)
        if (gv_config_set(&c, set[i][0], &set[i][1], 1, true, &err) < 0)
            ok(0, "%s", err.text);
    gv_facts f = { .num_classes = 2, .dtype = GV_F32T, .ndim = 2, .shape = { 10, D }, .bags = true, .scale = 1 };
    gv_threads_set(1);
    buckets();
    records(&f);
    plans(&c, &f);
    gv_config_release(&c);
    gv_arena_release(&scratch);
    gv_arena_release(&arena);
    return done();
}
