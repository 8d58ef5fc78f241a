/* gnuplot: scripts in, pictures out. No shell is involved, and no user text reaches gnuplot unquoted. */
#include "plot/internal.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int gv_gnuplot_quote(gv_buf *b, const char *s, size_t max, gv_err *err)
{
    int r = gv_buf_add(b, "'", 1, err);
    size_t n = 0;
    for (; r == GV_OK && *s; s++) {
        if (((unsigned char)*s & 0xc0) != 0x80 && max && ++n > max) { /* counts characters, not bytes */
            r = gv_buf_add(b, "…", 3, err);
            break;
        }
        if (*s == '\'')
            r = gv_buf_add(b, "''", 2, err);
        else
            r = gv_buf_add(b, (unsigned char)*s < 0x20 || *s == 0x7f ? " " : s, 1, err);
    }
    return r == GV_OK ? gv_buf_add(b, "'", 1, err) : r;
}

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static int begin_file(gv_buf *b, const gv_plot *p, char *part, gv_err *err)
{
    struct stat st;
    if (stat(p->to, &st) == 0 && !S_ISREG(st.st_mode))
        return gv_fail(err, GV_EUSAGE, "'%s' is no regular file", p->to);
    if ((size_t)snprintf(part, 4200, "%s.part-%ld", p->to, (long)getpid()) >= 4200) {
        part[0] = 0;
        return gv_fail(err, GV_EUSAGE, "the path of the picture is longer than 4199 bytes");
    }
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); /* says why, where gnuplot would not */
    if (fd < 0) {
        part[0] = 0;
        return gv_fail_sys(err, "cannot create '%s'", p->to);
    }
    close(fd);
    int r = gv_buf_printf(b, err, "set output ");
    r = r == GV_OK ? gv_gnuplot_quote(b, part, 0, err) : r;
    return r == GV_OK ? gv_buf_printf(b, err, "\n") : r;
}

int gv_gnuplot_begin(gv_buf *b, const gv_plot *p, int width, int height, char *part, gv_err *err)
{
    int r;
    part[0] = 0;
    if (!p->to) /* eight pixels of width and sixteen of height are a character */
        r = gv_buf_printf(b, err, "set terminal dumb noenhanced mono size %d,%d\n", width / 8, height / 16);
    else if (ends(p->to, ".png"))
        r = gv_buf_printf(b, err, "set terminal pngcairo noenhanced font 'DejaVu Sans,11' background '#ffffff' size %d,%d\n", width, height);
    else if (ends(p->to, ".svg"))
        r = gv_buf_printf(b, err, "set terminal svg noenhanced font 'DejaVu Sans,13' background '#ffffff' size %d,%d\n", width, height);
    else
        return gv_fail(err, GV_EUSAGE, "'%s' ends neither in .png nor in .svg", p->to);
    if (r == GV_OK && p->to)
        r = begin_file(b, p, part, err);
    return r == GV_OK ? gv_buf_printf(b, err, "set encoding utf8\nset datafile missing 'NaN'\n") : r;
}

/* It dies with its parent, however that dies. Returns errno. */
static int start(int script, int messages, pid_t *pid)
{
    static char *const argv[] = { "gnuplot", "--default-settings", NULL };
    int fault[2], e = 0;
    pid_t parent = getpid();
    if (pipe2(fault, O_CLOEXEC) < 0)
        return errno;
    *pid = fork();
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(script, STDIN_FILENO) >= 0 && dup2(messages, STDERR_FILENO) >= 0)
            execvp(argv[0], argv);
        e = errno;
        (void)!write(fault[1], &e, sizeof e);
        _exit(127);
    }
    if (*pid < 0)
        e = errno;
    close(fault[1]);
    if (read(fault[0], &e, sizeof e) == sizeof e) /* it could not be executed */
        waitpid(*pid, NULL, 0);
    close(fault[0]);
    return e;
}

/* The first line gnuplot complained with. */
static void complaint(int fd, char *text, size_t n)
{
    ssize_t k = pread(fd, text, n - 1, 0);
    text[k > 0 ? k : 0] = 0;
    char *p = text + strspn(text, " \t\n^");
    memmove(text, p, strlen(p) + 1);
    text[strcspn(text, "\n")] = 0;
}

int gv_gnuplot_run(const gv_buf *script, const gv_plot *p, const char *part, gv_err *err)
{
    int in = memfd_create("script", MFD_CLOEXEC), said = memfd_create("messages", MFD_CLOEXEC), status = 0, r = GV_OK, e;
    pid_t pid = 0;
    char text[500] = "";
    fflush(stdout);
    if (in < 0 || said < 0)
        r = gv_fail_sys(err, "cannot keep a gnuplot script");
    else
        r = gv_write_full(in, script->data, script->len, err);
    if (r == GV_OK) {
        lseek(in, 0, SEEK_SET);
        if ((e = start(in, said, &pid)) == ENOENT)
            r = gv_fail(err, GV_ESYS, "gnuplot is not installed, so there is no picture (Debian: apt install gnuplot-nox)");
        else if (e)
            r = gv_fail(err, GV_ESYS, "cannot start gnuplot: %s", strerror(e));
        else {
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
            complaint(said, text, sizeof text);
            if (WIFSIGNALED(status))
                r = gv_fail(err, GV_ESYS, "gnuplot was killed by signal %d", WTERMSIG(status));
            else if (status)
                r = gv_fail(err, GV_ESYS, "gnuplot failed: %s", *text ? text : "it does not say why");
        }
    }
    struct stat st;
    if (r == GV_OK && p->to && (stat(part, &st) < 0 || !st.st_size))
        r = gv_fail(err, GV_ESYS, "gnuplot wrote nothing to '%s': %s", p->to, text);
    if (r == GV_OK && p->to && rename(part, p->to) < 0)
        r = gv_fail_sys(err, "cannot rename '%s' to '%s'", part, p->to);
    if (r < 0 && part[0])
        unlink(part);
    if (in >= 0)
        close(in);
    if (said >= 0)
        close(said);
    /* Who interrupts a whole group of processes means this one as well, whose own signal may only be on its way. */
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGHUP))
        raise(WTERMSIG(status));
    return r;
}

void gv_plot_path(const char *path, const char *name, char *out)
{
    struct stat st;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    snprintf(out, 4200, "%s%s%s", path, dir ? "/" : "", dir ? name : "");
}

bool gv_plot_is_csv(const char *path)
{
    return ends(path, ".csv");
}
