/* fetch: the process that downloads. It alone speaks to the network; the others start it and wait.
 *
 *   glovita-fetch URL FILE                     the file appears whole or not at all
 *   glovita-fetch --hub timm/resnet18.a1_in1k  into the Hugging Face cache; prints the path
 */
#include "weights/fetch.h"
#include "weights/weights.h"
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

static volatile int stop;

static void on_signal(int s)
{
    (void)s;
    stop = 1;
}

static const char help[] =
    "Usage: glovita-fetch [--sha256 DIGEST] URL FILE\n"
    "       glovita-fetch --hub REPOSITORY [--revision NAME] [--sha256 DIGEST]\n"
    "Fetch a file over HTTP or HTTPS and check it before it appears under its name.\n"
    "\n"
    "  --sha256 DIGEST    what the file's SHA-256 digest must begin with (8 to 64 hex digits)\n"
    "  --hub REPOSITORY   fetch the weights of a repository ('timm/resnet18.a1_in1k') into the\n"
    "                     Hugging Face cache and print their path\n"
    "  --revision NAME    its branch, tag or commit (default: main)\n"
    "  --progress FD      show progress on this descriptor (default: stderr, if it is a terminal)\n"
    "  --help             show this text\n"
    "  --version          show the version\n"
    "\n"
    "Environment: HF_HUB_CACHE HF_HOME HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH XDG_CACHE_HOME http_proxy\n"
    "https_proxy no_proxy. HF_HUB_OFFLINE=1 forbids --hub. The token goes to the endpoint alone.\n"
    "GLOVITA_FETCH_TOKEN is the token for URL; it goes to the URL's own host alone.\n"
    "Exit status: 0 fetched; 2 usage; 3 refused, cut or another digest; 4 network or disk; 75 stopped.\n";

static int fetch_file(const char *url, const char *dest, const char *sha256, int progress, gv_err *err)
{
    const char *token = getenv("GLOVITA_FETCH_TOKEN"), *slash = strrchr(dest, '/');
    gv_get g = { .url = url, .token = token && *token ? token : NULL, .sha256 = sha256, .label = slash ? slash + 1 : dest, .progress = progress, .stop = &stop };
    gv_out out = { .fd = -1 };
    int r = gv_out_open(&out, dest, err);
    if (r == GV_OK)
        r = gv_http_get(&g, &out, err);
    if (r == GV_OK)
        r = gv_out_commit(&out, err);
    gv_out_abort(&out);
    return r;
}

static int fetch_hub(const char *repo, const char *revision, const char *sha256, int progress, gv_err *err)
{
    gv_arena a = { 0 };
    const char *path;
    if (gv_offline())
        return gv_fail(err, GV_EUSAGE, "HF_HUB_OFFLINE forbids to fetch '%s'", repo);
    int r = gv_arena_init(&a, "fetch", 1 << 20, err);
    if (r == GV_OK)
        r = gv_hub_fetch(repo, revision, sha256, progress, &stop, &a, &path, err);
    if (r == GV_OK && (printf("%s\n", path) < 0 || fflush(stdout)))
        r = gv_fail_sys(err, "cannot write to stdout");
    gv_arena_release(&a);
    return r;
}

static int run(int argc, char **argv, gv_err *err)
{
    static const struct option options[] = {
        { "sha256", required_argument, NULL, 's' }, { "hub", required_argument, NULL, 'u' },  { "revision", required_argument, NULL, 'r' },
        { "progress", required_argument, NULL, 'p' }, { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'v' }, { 0 },
    };
    const char *sha256 = NULL, *hub = NULL, *revision = "main";
    int c, progress = isatty(2) ? 2 : -1;
    char *end;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1)
        switch (c) {
        case 's': sha256 = optarg; break;
        case 'u': hub = optarg; break;
        case 'r': revision = optarg; break;
        case 'p':
            progress = (int)strtol(optarg, &end, 10);
            if (!*optarg || *end || progress < -1)
                return gv_fail(err, GV_EUSAGE, "'--progress' is '%s', not a descriptor", optarg);
            break;
        case 'h': return fputs(help, stdout) < 0 || fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : GV_OK;
        case 'v': return puts("glovita-fetch " GV_VERSION) < 0 || fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : GV_OK;
        case ':': return gv_fail(err, GV_EUSAGE, "'%s' needs a value", argv[optind - 1]);
        default: return gv_fail(err, GV_EUSAGE, "unknown option '%s' (--help lists them)", argv[optind - 1]);
        }
    if (sha256 && !gv_is_digest(sha256))
        return gv_fail(err, GV_EUSAGE, "'--sha256' is '%s'; it takes 8 to 64 hexadecimal digits", sha256);
    if (argc - optind != (hub ? 0 : 2))
        return gv_fail(err, GV_EUSAGE, hub ? "'--hub' takes no address (--help shows how)" : "an address and a file are wanted (--help shows how)");
    struct sigaction on = { .sa_handler = on_signal };
    sigaction(SIGTERM, &on, NULL);
    sigaction(SIGINT, &on, NULL);
    return hub ? fetch_hub(hub, revision, sha256, progress, err) : fetch_file(argv[optind], argv[optind + 1], sha256, progress, err);
}

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    int r = run(argc, argv, &err);
    if (r < 0)
        fprintf(stderr, "glovita-fetch: error: %s\n", err.text);
    return gv_exit_status(r);
}
