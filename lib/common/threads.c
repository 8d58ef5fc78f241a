/* threads: a small pool; workers sleep on a condition, wake for a job, take their fixed part of it. */
#include "common/threads.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MAX_THREADS = 256, SPIN = 2000 };

static struct {
    int n, started;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint job;     /* counts jobs; a worker runs when it changes */
    atomic_int left;     /* workers still at it */
    gv_body *body;
    void *arg;
    int64_t total, parts;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

static void (*lent)(int n, void (*fn)(void *arg, int i), void *arg);

static int quota_cores(void) /* cgroup v2, then v1; 0 when there is no limit */
{
    double quota = 0, period = 0;
    char word[64] = "";
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f) {
        if (fscanf(f, "%63s %lf", word, &period) == 2 && strcmp(word, "max"))
            quota = strtod(word, NULL);
        fclose(f);
    } else if ((f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re"))) {
        FILE *p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
        if (fscanf(f, "%lf", &quota) != 1 || !p || fscanf(p, "%lf", &period) != 1)
            quota = 0;
        if (p)
            fclose(p);
        fclose(f);
    }
    return quota > 0 && period > 0 ? (int)(quota / period + 0.999) : 0;
}

int gv_threads_available(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    int quota = quota_cores();
    if (quota > 0 && quota < n)
        n = quota;
    const char *const names[] = { "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS" };
    for (int i = 0; i < 2; i++) {
        const char *s = getenv(names[i]);
        long v = s ? strtol(s, NULL, 10) : 0;
        if (v > 0 && v < n)
            n = (int)v;
    }
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

static void part(int i)
{
    int64_t a = pool.total * i / pool.parts, b = pool.total * (i + 1) / pool.parts;
    if (a < b)
        pool.body(pool.arg, a, b);
}

static void *worker(void *p)
{
    int me = (int)(intptr_t)p;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < SPIN && atomic_load(&pool.job) == seen; i++)
            ;
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.job) == seen)
            pthread_cond_wait(&pool.wake, &pool.lock);
        seen = atomic_load(&pool.job);
        pthread_mutex_unlock(&pool.lock);
        if (me < pool.parts)
            part(me);
        if (atomic_fetch_sub(&pool.left, 1) == 1) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.done);
            pthread_mutex_unlock(&pool.lock);
        }
    }
    return NULL;
}

void gv_threads_set(int n)
{
    pool.n = n > 0 ? (n > MAX_THREADS ? MAX_THREADS : n) : gv_threads_available();
}

int gv_threads(void)
{
    if (!pool.n)
        gv_threads_set(0);
    return pool.n;
}

static void start(void)
{
    for (int i = pool.started ? pool.started : 1; i < pool.n; i++) {
        pthread_t t;
        pthread_attr_t a;
        pthread_attr_init(&a);
        pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
        int r = pthread_create(&t, &a, worker, (void *)(intptr_t)i);
        pthread_attr_destroy(&a);
        if (r)
            break;
        pool.started = i + 1;
    }
    if (!pool.started)
        pool.started = 1;
}

struct parts {
    gv_body *body;
    void *arg;
    int64_t total, n;
};

static void lent_part(void *p, int i)
{
    const struct parts *q = p;
    int64_t a = q->total * i / q->n, b = q->total * (i + 1) / q->n;
    if (a < b)
        q->body(q->arg, a, b);
}

void gv_threads_lend(void (*run)(int n, void (*fn)(void *arg, int i), void *arg))
{
    lent = run;
}

void gv_parallel(int64_t n, int64_t grain, gv_body *body, void *arg)
{
    int64_t parts = grain > 0 ? (n + grain - 1) / grain : n;
    if (parts > gv_threads())
        parts = pool.n;
    if (parts <= 1) {
        if (n > 0)
            body(arg, 0, n);
        return;
    }
    if (lent) {
        struct parts q = { body, arg, n, parts };
        lent((int)parts, lent_part, &q);
        return;
    }
    if (pool.started < pool.n)
        start();
    if (pool.started < parts) { /* fewer threads than wished: the same parts, in order */
        for (int64_t i = 0; i < parts; i++)
            body(arg, n * i / parts, n * (i + 1) / parts);
        return;
    }
    pthread_mutex_lock(&pool.lock);
    pool.body = body;
    pool.arg = arg;
    pool.total = n;
    pool.parts = parts;
    atomic_store(&pool.left, pool.started - 1);
    atomic_fetch_add(&pool.job, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    part(0);
    for (int i = 0; i < SPIN && atomic_load(&pool.left); i++)
        ;
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.left))
        pthread_cond_wait(&pool.done, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

void gv_threads_patient(void)
{
    struct sched_param p = { 0 };
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &p); /* refused: as before */
}
