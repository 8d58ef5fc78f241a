/* Random command lines and config files: always an answer, never a crash, and a refusal has its message. */
#include "config/internal.h"
#include "common/log.h"
#include "json/json.h"
#include "tests/unit/tap.h"
#include <unistd.h>

static gv_arena arena;
static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 16) % n);
}

static const char *const words[] = {
    "--training.epochs", "3", "--training.seed=-1", "--training.compile", "--training.no_compile", "data:cifar10-config", "data:generic-image-dataset-config", "--data.dataset",
    "cifar100", "mnist", "generic_image_dataset", "--data.split_source", "subdirs", "json", "--data.augmentation.train_kwargs", "p", "{\"a\":[1,{\"b\":null}]}", "[1", "\"",
    "--peft.method", "lora", "--peft.lora_rank", "--peft.lora_target_modules", "a", "b", "--task.metrics", "acc", "mse", "--add_log.a.b", "--add_log.a", "--add_log..", "null", "1e400",
    "--optimizer.lr", "nan", "inf", "-0", "1e-320", "99999999999999999999", "0x10", "1__0", "--", "-", "--=", "--.", "--a..b=", "", "None", "True", "--resume", "--dry_run", "--log", "debug",
    "--model.encoder.encoder_type", "primus", "--model.encoder.input_shape", "1", "2", "model.encoder:primus-encoder-config", "peft:", ":", "data:", "--data.task", "Regression",
    "--model.head.head_type", "regression", "--data.num_classes", "--logger.also", "wandb", "\xff\xfe", "--data.fold=\xc3", "--data.augmentation.mean", ".5", "--training.save_every", "5s",
};

static char *word(char buf[80])
{
    const char *w = words[draw(GV_COUNT(words))];
    size_t n = strlen(w);
    memcpy(buf, w, n + 1);
    if (n && draw(8) == 0)
        buf[draw((uint32_t)n)] = (char)(1 + draw(255));
    return buf;
}

static void try_line(size_t *accepted, size_t *bad)
{
    static char bufs[12][80];
    char *argv[13] = { (char *)"p" };
    int argc = 1 + (int)draw(11);
    gv_config c;
    gv_err e = { 0 };
    for (int i = 1; i < argc; i++)
        argv[i] = word(bufs[i]);
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-h"))
            return; /* an answer on stdout, not a parse */
    const gv_command *cmd = draw(4) ? gv_commands[draw(4)] : NULL;
    int r = gv_config_init(&c, &arena, &e);
    r = r == GV_OK ? gv_config_parse(&c, cmd, argc, argv, &e) : r;
    if (r == GV_OK) {
        ++*accepted;
        gv_buf b = { 0 };
        json_t *j = gv_config_json(&c, &e);
        int k = gv_config_check(&c, &e);
        int built = gv_config_check_built(&c, &e);
        *bad += (j == NULL && e.code != GV_EUSAGE) || (k && k != GV_EUSAGE) || (built && built != GV_EUSAGE) || gv_config_args(&c, NULL, &b, &e) != GV_OK;
        json_decref(j);
        gv_buf_release(&b);
    } else
        *bad += r != GV_EUSAGE || e.code != GV_EUSAGE || !*e.text;
    gv_config_release(&c);
    gv_arena_reset(&arena);
}

static void try_file(const char *whole, size_t n, size_t *accepted, size_t *bad)
{
    char *text = gv_arena_strndup(&arena, whole, n, NULL);
    gv_config c;
    gv_err e = { 0 };
    if (!text || gv_config_init(&c, &arena, &e) < 0) {
        ++*bad;
        return;
    }
    for (uint32_t i = 1 + draw(3); i--;)
        text[draw((uint32_t)n)] = draw(3) ? (char)(32 + draw(95)) : (char)draw(256);
    json_t *j = gv_json_parse(text, draw(10) ? n : draw((uint32_t)n), "fuzz", &e);
    if (j) {
        int r = gv_config_load_json(&c, j, "fuzz", &e);
        *accepted += r == GV_OK;
        *bad += r != GV_OK && (r != GV_EUSAGE || !*e.text);
    } else
        *bad += e.code != GV_EDATA;
    json_decref(j);
    gv_config_release(&c);
    gv_arena_reset(&arena);
}

/* Any line has a completion, if an empty one: lines with a tab, or ":file", ":dir". */
static void try_completion(size_t *words_made, size_t *bad)
{
    static char bufs[12][80];
    char *argv[15] = { (char *)"p", (char *)"--complete", (char *)"--" }, line[4096];
    int argc = 3 + (int)draw(11);
    gv_config c;
    gv_err e = { 0 };
    for (int i = 3; i < argc; i++)
        argv[i] = word(bufs[i - 3]);
    if (argc > 3 && draw(2))
        argv[argc - 1][draw((uint32_t)strlen(argv[argc - 1]) + 1)] = 0; /* a word that is begun */
    const gv_command *cmd = draw(4) ? gv_commands[draw(4)] : NULL;
    rewind(stdout);
    *bad += ftruncate(1, 0) || gv_config_init(&c, &arena, &e) < 0 || gv_config_parse(&c, cmd, argc, argv, &e) != GV_OK || !c.helped;
    rewind(stdout);
    FILE *said = fdopen(dup(1), "r");
    while (said && fgets(line, sizeof line, said)) {
        *bad += line[0] == ':' ? strncmp(line, ":help\t", 6) && strcmp(line, ":file\n") && strcmp(line, ":dir\n") : !strchr(line, '\t');
        ++*words_made;
    }
    if (said)
        fclose(said);
    gv_config_release(&c);
    gv_arena_reset(&arena);
}

static void test_completion(size_t lines)
{
    char path[] = "/tmp/glovita-fuzz.XXXXXX";
    size_t made = 0, bad = 0;
    fflush(stdout);
    int keep = dup(1), fd = mkstemp(path);
    ok(keep >= 0 && fd >= 0 && !unlink(path), "a file for what is said");
    dup2(fd, 1);
    for (size_t i = 0; i < lines; i++)
        try_completion(&made, &bad);
    fflush(stdout);
    dup2(keep, 1);
    close(keep);
    close(fd);
    clearerr(stdout);
    ok(!bad && made > lines, "%zu random lines have completions, %zu in all", lines, made);
}

int main(int argc, char **argv)
{
    gv_err e = { 0 };
    gv_log_init("config_fuzz", "error");
    size_t lines = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, accepted = 0, bad = 0;
    if (gv_arena_init(&arena, "run", 16 << 20, &e) < 0)
        return 1;
    for (size_t i = 0; i < lines; i++)
        try_line(&accepted, &bad);
    ok(!bad && accepted > lines / 100 && accepted < lines, "%zu random lines: %zu accepted, the rest refused with a message", lines, accepted);

    gv_config c;
    gv_buf text = { 0 };
    const char *generic = "generic_image_dataset";
    json_t *j = NULL;
    if (gv_config_init(&c, &arena, &e) == GV_OK && gv_config_set(&c, "data.dataset", &generic, 1, true, &e) == GV_OK)
        j = gv_config_json(&c, &e);
    bool written = j && gv_json_text(j, &text, &e) == GV_OK;
    ok(written && text.len > 1000, "a whole config as text (%zu bytes)", text.len);
    json_decref(j);
    gv_config_release(&c);
    gv_arena_reset(&arena);
    accepted = bad = 0;
    for (size_t i = 0; i < lines / 4 && text.len; i++)
        try_file(text.data, text.len, &accepted, &bad);
    ok(!bad && accepted > 0, "%zu damaged files: %zu still valid, the rest refused with a message", lines / 4, accepted);
    gv_buf_release(&text);
    test_completion(lines / 10);
    gv_arena_release(&arena);
    return done();
}
