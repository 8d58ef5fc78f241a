/* Memory that runs out at the n-th request while a network is built, planned and run: an error with a message, never a crash, never a step. */
#include "nn/nn.h"
#include "tests/unit/tap.h"
#include <sys/wait.h>
#include <unistd.h>

#define SHAPE(...) (int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / 8)

/* 0: it ran; 1: an error with a message; 2: an error without one. */
static int build_and_run(void)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    gv_graph *g = NULL;
    if (gv_arena_init(&a, "test", 8 << 20, &err) == GV_OK && (g = gv_graph_new(&a, GV_TRAIN, &err))) {
        gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(2, 6, 6, 2)), y = gv_input(g, "y", GV_CLASS_I64, SHAPE(2));
        gv_enter(g, "conv");
        x = gv_conv(g, x, gv_param(g, "weight", SHAPE(4, 2, 3, 3), "kaiming_normal_fan_out"), GV_NO_VAL, &(gv_window){ .dims = 2 });
        gv_leave(g);
        x = gv_relu(g, gv_batchnorm_train(g, x, gv_param(g, "bn.weight", SHAPE(4), "ones"), GV_NO_VAL, 1e-5).y);
        x = gv_reduce(g, GV_MEAN, x, 6, false, GV_CLASS_REAL);
        x = gv_matmul(g, x, gv_param(g, "fc.weight", SHAPE(3, 4), "kaiming_uniform_a5"), GV_NO_VAL, false, true, 1);
        gv_val loss = gv_cross_entropy(g, x, gv_one_hot(g, y, 3, 0));
        gv_output(g, "loss", loss);
        gv_plan_options o = { .backend = "reference", .threads = 1, .keep_grads = true, .grad_scale = 1 };
        static const float px[144];
        static const int64_t label[2] = { 0, 1 };
        gv_feed feeds[2] = { { "x", px, GV_F32T }, { "y", label, GV_I64T } };
        if (gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK && gv_store_open(&s, GV_FP32, &err) == GV_OK && gv_store_init(s, g, 1, &err) == GV_OK &&
            gv_plan_make(&p, g, s, &o, &err) == GV_OK && gv_plan_run(p, feeds, 2, 0, &err) == GV_OK)
            err.code = GV_OK;
    }
    gv_plan_close(p);
    gv_store_close(s);
    gv_arena_release(&a);
    return !err.code ? 0 : err.text[0] ? 1 : 2;
}

/* In a child, since a process reads GV_FAIL once. */
static int child(const char *kind, int n)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        char text[32];
        snprintf(text, sizeof text, "%s:%d+", kind, n);
        setenv("GV_FAIL", text, 1);
        _exit(build_and_run());
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

int main(void)
{
    static const char *const kinds[] = { "arena", "alloc" };
    for (int k = 0; k < 2; k++) {
        int n = 1, r = 1, bad = 0;
        for (; n < 2000 && r; n++) {
            r = child(kinds[k], n);
            bad += r > 1;
        }
        ok(!r && n > 4, "with enough of '%s' it runs (the %dth request is the first never made)", kinds[k], n - 1);
        ok(!bad, "each earlier lack of '%s' is an error with a message (%d were not)", kinds[k], bad);
    }
    return done();
}
