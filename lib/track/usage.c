/* usage: processor and memory of the machine, and memory of a run's processes, from /proc. */
#include "track/track.h"
#include <dirent.h>
#include <time.h>
#include <unistd.h>

/* The text of a file of /proc; "" where it cannot be read. */
static const char *text_of(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    out[n] = 0;
    return out;
}

static void processor(gv_usage *u, gv_usage_before *was)
{
    char text[1024];
    unsigned long long v[8] = { 0 }, all = 0;
    sscanf(text_of("/proc/stat", text, sizeof text), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
    for (int i = 0; i < 8; i++)
        all += v[i];
    unsigned long long busy = all - v[3] - v[4]; /* but for idle and waiting for a disk */
    if (was->all && all > was->all)
        u->cpu_percent = 100.0 * (double)(busy - was->busy) / (double)(all - was->all);
    *was = (gv_usage_before){ .busy = busy, .all = all };
}

static void memory(gv_usage *u)
{
    char text[4096];
    unsigned long long total = 0, available = 0;
    const char *s = strstr(text_of("/proc/meminfo", text, sizeof text), "MemTotal:");
    if (s)
        sscanf(s, "MemTotal: %llu", &total);
    if ((s = strstr(text, "MemAvailable:")))
        sscanf(s, "MemAvailable: %llu", &available);
    if (total >= available && total) {
        u->memory_mb = (double)(total - available) / 1024;
        u->memory_percent = 100.0 * (double)(total - available) / (double)total;
    }
}

/* Resident pages of a process; its parent in *parent. 0: it is no more. */
static unsigned long pages(long pid, long *parent)
{
    char path[64], text[1024];
    unsigned long rss = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *s = strrchr(text_of(path, text, sizeof text), ')'); /* a name may hold anything */
    *parent = 0;
    if (!s || sscanf(s + 1, " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u %lu", parent, &rss) < 2)
        return 0;
    return rss;
}

/* The driver and its children: stages have none of their own. */
static double resident(long driver)
{
    DIR *d = opendir("/proc");
    unsigned long n = 0;
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        char *end;
        long pid = strtol(e->d_name, &end, 10), parent;
        if (pid <= 0 || *end)
            continue;
        unsigned long p = pages(pid, &parent);
        n += pid == driver || parent == driver ? p : 0;
    }
    if (d)
        closedir(d);
    return (double)n * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

void gv_usage_now(gv_usage *u, gv_usage_before *before, int pid)
{
    struct timespec t;
    *u = (gv_usage){ 0 };
    clock_gettime(CLOCK_REALTIME, &t);
    u->time = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    processor(u, before);
    memory(u);
    if (pid > 0)
        u->run_mb = resident(pid);
}
