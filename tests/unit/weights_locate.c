/* weights: where published weights are looked for, without a network. With arguments (REPOSITORY REVISION URL, "-" for none)
 * it prints what gv_weights_locate finds, for tests/cli/t51-fetch.sh. */
#include "tests/unit/tap.h"
#include "common/file.h"
#include "weights/weights.h"
#include <unistd.h>

static char dir[] = "/tmp/gv-locate-XXXXXX";
static gv_arena arena;

static const char *in(const char *sub)
{
    gv_err err = { 0 };
    const char *p = gv_arena_printf(&arena, &err, "%s/%s", dir, sub);
    return p ? p : "";
}

static void put(const char *sub, const char *text)
{
    gv_err err = { 0 };
    char *p = gv_arena_strdup(&arena, in(sub), &err), *slash = p ? strrchr(p, '/') : NULL;
    if (!slash)
        return;
    *slash = 0;
    int r = gv_mkdirs(p, &err);
    *slash = '/';
    if (r == GV_OK)
        r = gv_file_write(p, text, strlen(text), &err);
    if (r < 0)
        printf("# %s\n", err.text);
}

static int found(const gv_source *s, const char *sub, gv_err *err)
{
    const char *path;
    *err = (gv_err){ 0 };
    int r = gv_weights_locate(s, &arena, &path, err);
    if (r == GV_OK && strcmp(path, in(sub)))
        printf("# found '%s'\n", path);
    return r == GV_OK && !strcmp(path, in(sub));
}

#define SHA "0123456789abcdef0123456789abcdef01234567"

static void hub(void)
{
    gv_err err = { 0 };
    gv_source s = { .hf_repo = "timm/tiny.a1" };
    const char *path;
    setenv("HF_HUB_CACHE", in("hub"), 1);
    ok(gv_weights_locate(&s, &arena, &path, &err) == GV_EUSAGE && !path, "nothing there, no network allowed");
    ok(strstr(err.text, "https://huggingface.co/timm/tiny.a1/resolve/main/model.safetensors") && strstr(err.text, in("hub/models--timm--tiny.a1/snapshots/main/model.safetensors")) &&
       strstr(err.text, "mkdir -p") && strstr(err.text, "cp model.safetensors"), "the message has the address, the place and the command");
    put("hub/models--timm--tiny.a1/snapshots/main/model.safetensors", "x");
    ok(found(&s, "hub/models--timm--tiny.a1/snapshots/main/model.safetensors", &err), "a file put where the message said is found");
    unlink(in("hub/models--timm--tiny.a1/snapshots/main/model.safetensors"));
    put("hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", "x");
    ok(!found(&s, "", &err), "a snapshot that no reference names is not taken");
    put("hub/models--timm--tiny.a1/refs/main", SHA);
    ok(found(&s, "hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", &err), "refs/main leads to it");
    put("hub/models--timm--tiny.a1/blobs/b", "x");
    const char *link = in("hub/models--timm--tiny.a1/snapshots/" SHA "/model.safetensors");
    ok(symlink("../../blobs/b", link) == 0 && found(&s, "hub/models--timm--tiny.a1/snapshots/" SHA "/model.safetensors", &err), "safetensors comes first, through its link");
    unlink(in("hub/models--timm--tiny.a1/blobs/b"));
    ok(found(&s, "hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", &err), "a link to a blob that is gone does not count");
    put("hub/models--timm--tiny.a1/.no_exist/" SHA "/pytorch_model.bin", "");
    ok(!found(&s, "", &err), ".no_exist is believed");
    put("hub/models--timm--tiny.a1/.no_exist/" SHA "/model.safetensors", "");
    unlink(in("hub/models--timm--tiny.a1/.no_exist/" SHA "/pytorch_model.bin"));
    s.hf_revision = SHA;
    ok(found(&s, "hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", &err), "a commit is its own reference");
    s.hf_revision = "refs/pr/1";
    put("hub/models--timm--tiny.a1/refs/refs/pr/1", SHA "\n");
    ok(found(&s, "hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", &err), "so is a pull request's reference");
    s.hf_revision = "other";
    ok(!found(&s, "", &err), "another branch is not main");
    s.hf_revision = NULL;
    unsetenv("HF_HUB_CACHE");
    setenv("HF_HOME", in(""), 1);
    ok(found(&s, "/hub/models--timm--tiny.a1/snapshots/" SHA "/pytorch_model.bin", &err), "HF_HOME/hub");
    unsetenv("HF_HOME");
    setenv("XDG_CACHE_HOME", in("xdg"), 1);
    put("xdg/huggingface/hub/models--solo/snapshots/main/model.pth", "x");
    s.hf_repo = "solo";
    ok(found(&s, "xdg/huggingface/hub/models--solo/snapshots/main/model.pth", &err), "XDG_CACHE_HOME/huggingface/hub, a name without owner");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", in("home"), 1);
    put("home/.cache/huggingface/hub/models--solo/snapshots/main/model.pth", "x");
    ok(found(&s, "home/.cache/huggingface/hub/models--solo/snapshots/main/model.pth", &err), "~/.cache/huggingface/hub");
    setenv("HF_HOME", "~/.cache/huggingface", 1);
    ok(found(&s, "home/.cache/huggingface/hub/models--solo/snapshots/main/model.pth", &err), "a ~ in HF_HOME");
    setenv("HF_ENDPOINT", "http://mirror/", 1);
    s.hf_repo = "a/b";
    s.hf_revision = "refs/pr/2";
    ok(!found(&s, "", &err) && strstr(err.text, "http://mirror/a/b/resolve/refs%2Fpr%2F2/model.safetensors"), "HF_ENDPOINT is in the address");
    unsetenv("HF_ENDPOINT");
    static const char *const wrong[] = { "", "/", "a/", "/a", "a/b/c", "../x", "a/..", "a/.b", "a b/c", "a/b\n", "a//b", "a/b?c" };
    int bad = 0;
    for (size_t i = 0; i < GV_COUNT(wrong); i++) {
        s = (gv_source){ .hf_repo = wrong[i] };
        bad += found(&s, "", &err) || !strstr(err.text, "is not a repository's name");
        s = (gv_source){ .hf_repo = "a/b", .hf_revision = i == 4 ? "x/../y" : wrong[i] }; /* a/b/c may be a branch */
        bad += found(&s, "", &err) || !strstr(err.text, "is not a branch");
    }
    ok(!bad, "names that would climb out of the cache are refused");
}

static void torch_hub(void)
{
    gv_err err;
    gv_source s = { .url = "https://download.example.org/models/net-0676ba61.pth?x=1" };
    setenv("TORCH_HOME", in("torch"), 1);
    ok(!found(&s, "", &err) && strstr(err.text, in("torch/hub/checkpoints/net-0676ba61.pth")) && strstr(err.text, s.url), "not there: place and address are given");
    put("torch/hub/checkpoints/net-0676ba61.pth", "x");
    ok(found(&s, "torch/hub/checkpoints/net-0676ba61.pth", &err), "TORCH_HOME/hub/checkpoints");
    s.hf_repo = "not/there";
    ok(found(&s, "torch/hub/checkpoints/net-0676ba61.pth", &err), "looked for after the other cache");
    unsetenv("TORCH_HOME");
    put("home/.cache/torch/hub/checkpoints/net-0676ba61.pth", "x");
    ok(found(&s, "home/.cache/torch/hub/checkpoints/net-0676ba61.pth", &err), "~/.cache/torch/hub/checkpoints");
    s.url = "https://host/";
    ok(!found(&s, "", &err) && strstr(err.text, "name of a file"), "an address without a name");
}

static void given(void)
{
    gv_err err;
    put("mine/w.pt", "x");
    put("mine/model.pth", "x");
    gv_source s = { .path = in("mine/w.pt"), .hf_repo = "solo" };
    ok(found(&s, "mine/w.pt", &err), "an explicit file comes first");
    s.path = in("mine");
    ok(found(&s, "mine/model.pth", &err), "an explicit folder gives its usual file");
    s.path = in("home");
    ok(!found(&s, "", &err) && err.code == GV_EUSAGE && strstr(err.text, "holds no model.safetensors"), "a folder without one is refused");
    s.path = in("nowhere.pt");
    ok(!found(&s, "", &err) && err.code == GV_EUSAGE && strstr(err.text, in("nowhere.pt")), "a file that is not there is named, nothing else is tried");
    s = (gv_source){ 0 };
    ok(!found(&s, "", &err) && strstr(err.text, "no published weights"), "nothing to look for");
    setenv("HF_HUB_OFFLINE", "0", 1);
    ok(!gv_offline(), "HF_HUB_OFFLINE=0 is not offline");
    setenv("TRANSFORMERS_OFFLINE", "Yes", 1);
    ok(gv_offline(), "TRANSFORMERS_OFFLINE=Yes is");
}

static int show(char **v)
{
    gv_err err = { 0 };
    const char *path;
#define ARG(i) (strcmp(v[i], "-") ? v[i] : NULL)
    gv_source s = { .hf_repo = ARG(1), .hf_revision = ARG(2), .url = ARG(3) };
    int r = gv_weights_locate(&s, &arena, &path, &err);
    printf("%s\n", r == GV_OK ? path : err.text);
    return gv_exit_status(r);
}

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    if (gv_arena_init(&arena, "test", 1 << 20, &err) < 0)
        return 1;
    if (argc == 4)
        return show(argv);
    if (!mkdtemp(dir))
        return 1;
    static const char *const all[] = { "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TORCH_HOME", "HF_ENDPOINT", "TRANSFORMERS_OFFLINE" };
    for (size_t i = 0; i < GV_COUNT(all); i++)
        unsetenv(all[i]);
    setenv("HF_HUB_OFFLINE", "1", 1);
    hub();
    torch_hub();
    given();
    char rm[64];
    snprintf(rm, sizeof rm, "rm -rf %s", dir);
    ok(system(rm) == 0, "tidied");
    gv_arena_release(&arena);
    return done();
}
