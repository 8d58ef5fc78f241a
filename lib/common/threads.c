/* threads: a small pool; workers sleep on a condition, wake for a job, take their pieces of it and help with the others'. */
#include "common/threads.h"
#include <pthread.h>
#include <sched.h>

enum { SPIN = 2000, PIECES = 8 /* of a thread */, LONG = 4096 /* items, from which a piece begins at a multiple of 64: in a line of its own */ };

typedef struct job { gv_body *body; void *arg; int64_t n, pieces; gv_shares shares; } job;

static struct {
    int n, started;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint job;     /* counts jobs; a worker runs when it changes */
    atomic_int left;     /* workers still at it */
    job *todo;
    unsigned born[GV_MAX_THREADS]; /* the job that was the last one when a worker began */
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
    return n < 1 ? 1 : n > GV_MAX_THREADS ? GV_MAX_THREADS : n;
}

void gv_shares_begin(gv_shares *s, int64_t n, int64_t parts)
{
    s->parts = parts;
    for (int64_t i = 0; i < parts; i++)
        atomic_init(&s->left[i], (unsigned long long)(n * i / parts) << 32 | (unsigned long long)(n * (i + 1) / parts));
}

bool gv_shares_take(gv_shares *s, int64_t part, int64_t least, int64_t *at, int64_t *to)
{
    for (int64_t i = 0; i < s->parts; i++) {
        atomic_ullong *of = &s->left[(part + i) % s->parts];
        unsigned long long v = atomic_load(of);
        for (int64_t first, end; (first = (int64_t)(v >> 32)) < (end = (int64_t)(v & UINT32_MAX));) {
            int64_t some = (end - first) / 4, n = some > least ? some : least < end - first ? least : end - first;
            unsigned long long rest = i ? v - (unsigned long long)n : v + ((unsigned long long)n << 32);
            if (!atomic_compare_exchange_weak(of, &v, rest))
                continue;
            *at = i ? end - n : first;
            *to = *at + n;
            return true;
        }
    }
    return false;
}

static _Thread_local int64_t slot;

int64_t gv_slot(void)
{
    return slot;
}

static int64_t piece_at(const job *j, int64_t i)
{
    int64_t at = j->n * i / j->pieces;
    return j->n / j->pieces < LONG || i == j->pieces ? at : at & ~(int64_t)63;
}

static void part(void *p, int i)
{
    job *j = p;
    slot = i;
    for (int64_t at, end; gv_shares_take(&j->shares, i, 1, &at, &end);)
        for (; at < end; at++)
            j->body(j->arg, piece_at(j, at), piece_at(j, at + 1));
    slot = 0;
}

static void *worker(void *p)
{
    int me = (int)(intptr_t)p;
    unsigned seen = pool.born[me];
    for (;;) {
        for (int i = 0; i < SPIN && atomic_load(&pool.job) == seen; i++)
            ;
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.job) == seen)
            pthread_cond_wait(&pool.wake, &pool.lock);
        seen = atomic_load(&pool.job);
        pthread_mutex_unlock(&pool.lock);
        if (me < pool.todo->shares.parts)
            part(pool.todo, me);
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
    pool.n = n > 0 ? (n > GV_MAX_THREADS ? GV_MAX_THREADS : n) : gv_threads_available();
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
        pool.born[i] = atomic_load(&pool.job);
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

void gv_threads_lend(void (*run)(int n, void (*fn)(void *arg, int i), void *arg))
{
    lent = run;
}

void gv_parallel(int64_t n, int64_t grain, gv_body *body, void *arg)
{
    gv_parallel_slots(gv_threads(), n, grain, body, arg);
}

void gv_parallel_slots(int64_t slots, int64_t n, int64_t grain, gv_body *body, void *arg)
{
    int64_t most = grain > 0 ? (n + grain - 1) / grain : n, parts = most;
    if (parts > gv_threads())
        parts = pool.n;
    if (parts > slots)
        parts = slots;
    if (parts <= 1) {
        if (n > 0)
            body(arg, 0, n);
        return;
    }
    job j = { .body = body, .arg = arg, .n = n, .pieces = most < parts * PIECES ? most : parts * PIECES };
    gv_shares_begin(&j.shares, j.pieces, parts);
    if (lent) {
        lent((int)parts, part, &j);
        return;
    }
    if (pool.started < pool.n)
        start();
    if (pool.started < parts) { /* fewer threads than wished: the same pieces, here */
        part(&j, 0);
        return;
    }
    pthread_mutex_lock(&pool.lock);
    pool.todo = &j;
    atomic_store(&pool.left, pool.started - 1);
    atomic_fetch_add(&pool.job, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    part(&j, 0);
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
