/* fetch: the process that downloads. It alone speaks to the network; other programs start it and wait.
 *
 *   glovita-fetch URL FILE                     the file appears whole or not at all
 *   glovita-fetch --hub timm/resnet18.a1_in1k  into the Hugging Face cache; prints the path
 */
#include "stage/stage.h"
#include "weights/fetch.h"
#include "weights/weights.h"
#include <signal.h>
#include <unistd.h>

struct fetch {
    const char *sha256, *hub, *revision;
    int64_t progress;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct fetch, sha256, "what the file's SHA-256 digest must begin with, 8 to 64 hex digits"),
    GV_OPT_STR(struct fetch, hub, "fetch the weights of this repository ('timm/resnet18.a1_in1k') into the Hugging Face cache and print their path"),
    GV_STR(struct fetch, revision, "main", "branch, tag or commit of the repository"),
    GV_OPT_I64(struct fetch, progress, 0, 1 << 20, "", "show progress on this descriptor; None: stderr, if it is a terminal"),
    GV_END
};

static volatile int stop;

static void on_signal(int s)
{
    (void)s;
    stop = 1;
}

static int fetch_file(const char *url, const char *dest, const struct fetch *o, int progress, gv_err *err)
{
    const char *token = getenv("GLOVITA_FETCH_TOKEN"), *slash = strrchr(dest, '/'); /* not an option: all can see those */
    gv_transfer g = { .url = url, .token = token && *token ? token : NULL, .sha256 = o->sha256, .label = slash ? slash + 1 : dest, .progress = progress, .stop = &stop };
    gv_out out = { .fd = -1 };
    int r = gv_out_open(&out, dest, err);
    if (r == GV_OK)
        r = gv_http_get(&g, &out, err);
    if (r == GV_OK)
        r = gv_out_commit(&out, err);
    gv_out_abort(&out);
    return r;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct fetch *o = st->params;
    int progress = o->progress != GV_NONE_I64 ? (int)o->progress : isatty(2) ? 2 : -1;
    const char *path;
    if (o->sha256 && !gv_is_digest(o->sha256))
        return gv_fail(err, GV_EUSAGE, "'--sha256' is '%s'; it takes 8 to 64 hexadecimal digits", o->sha256);
    if (st->nargs != (o->hub ? 0 : 2))
        return gv_fail(err, GV_EUSAGE, o->hub ? "'--hub' takes no address and no file" : "an address and a file are wanted, or '--hub REPOSITORY'");
    if (o->hub && gv_offline())
        return gv_fail(err, GV_EUSAGE, "HF_HUB_OFFLINE forbids to fetch '%s'", o->hub);
    struct sigaction on = { .sa_handler = on_signal };
    sigaction(SIGTERM, &on, NULL);
    sigaction(SIGINT, &on, NULL);
    if (!o->hub)
        return fetch_file(st->args[0], st->args[1], o, progress, err);
    int r = gv_hub_fetch(o->hub, o->revision, o->sha256, progress, &stop, &st->run, &path, err);
    if (r == GV_OK)
        printf("%s\n", path);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "fetch", .summary = "download a file, or published weights into the cache",
    .text_output = true, .manual_streams = true, .positional = "[URL FILE]",
    .fields = fields, .params_size = sizeof(struct fetch),
    .run = run,
};
