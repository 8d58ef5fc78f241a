/* Config files, the typed list, stages and their transport options, --help, --version, --describe. */
#include "config/internal.h"
#include "data/generic.h"
#include "common/file.h"
#include "json/json.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <unistd.h>

static gv_arena arena;
static gv_config c;
static gv_err e;
static char path[64];

static int start(void)
{
    gv_config_release(&c);
    gv_arena_rewind(&arena, 0);
    e = (gv_err){ 0 };
    return gv_config_init(&c, &arena, &e);
}

static int parse(const char *program, char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    int r = start();
    return r == GV_OK ? gv_config_parse(&c, gv_command_find(program), argc, argv, &e) : r;
}
#define PARSE(program, ...) parse(program, (char *[]){ (char *)"p", __VA_ARGS__, NULL })

static bool put(const char *text)
{
    return gv_file_write(path, text, strlen(text), &e) == GV_OK;
}

static bool refused(const char *text, const char *part)
{
    bool good = put(text) && PARSE("train", (char *)"--config", path) == GV_EUSAGE && strstr(e.text, part) && strstr(e.text, path);
    printf("# %s\n", e.text);
    return good;
}

static void test_files(void)
{
    ok(put("{\"data\":{\"dataset\":\"cifar10\",\"data_root_dir\":\"d\",\"augmentation\":{\"image_size\":64}},\"training\":{\"epochs\":3}}") &&
       PARSE("train", (char *)"--training.epochs", (char *)"5", (char *)"--config", path) == GV_OK && c.training.epochs == 5 && c.augmentation.image_size == 64 && c.data.num_classes == 10, "the file first, then the command line (%s)", e.text);
    ok(gv_config_typed(&c, "data.augmentation.image_size") && gv_config_typed(&c, "data.dataset") && !gv_config_typed(&c, "data.num_classes"), "what a file without 'typed' holds is typed");
    json_t *j = gv_config_json(&c, &e), *k = NULL;
    ok(gv_json_write(path, j, &e) == GV_OK && PARSE("train", (char *)"--config", path) == GV_OK && (k = gv_config_json(&c, &e)) && json_equal(j, k), "a run's config.json reproduces its config (%s)", e.text);
    json_decref(k);
    ok(gv_config_typed(&c, "training.epochs") && !gv_config_typed(&c, "training.precision") && !gv_config_typed(&c, "logger.backend") && gv_config_check_built(&c, &e) == GV_OK, "and only what was typed counts as typed");
    ok(PARSE("train", (char *)"--config", path, (char *)"data:cifar100-config") == GV_OK && c.data.num_classes == 100 && !strcmp(c.data.data_root_dir, "d"), "another data set on the command line brings its own defaults");
    json_decref(j);
    ok(put("{\"data\":{\"split_source\":\"subdirs\"}}") && PARSE("train", (char *)"--config", path, (char *)"data:generic-image-dataset-config") == GV_OK && ((gv_generic_fields *)c.data.params)->split_source == GV_SPLITS_SUBDIRS, "a file may leave the choice to the command line (%s)", e.text);
    ok(put("{\"wandb\":{\"project\":\"x\"},\"data\":{\"dataset\":\"cifar10\",\"num_classes\":10,\"data_fraction\":null,\"task\":\"Classification\"},\"model\":{\"encoder\":{\"encoder_type\":\"timm\",\"model_kwargs\":{\"a\":1}}},\"optimizer\":{\"muon_ns_coefficients\":[3.4445,-4.775,2.0315],\"scheduler\":null},\"add_log\":{\"a\":{\"b\":1}}}") &&
       PARSE("train", (char *)"--config", path) == GV_OK && !strcmp(((struct gv_wandb_logger *)c.logger.params)->project, "x") && c.optimizer.scheduler == GV_SCHEDULER_NONE && json_object_get(json_object_get(c.add_log, "a"), "b"), "a file of the original, old key included (%s)", e.text);
    ok(refused("{\"training\":{\"sede\":4}}", "unknown field 'training.sede' (did you mean 'training.seed'?)"), "an unknown key is refused with its path");
    ok(refused("{\"trainin\":{\"seed\":4}}", "unknown field 'trainin' (did you mean 'training'?)"), "an unknown block");
    ok(refused("{\"training\":3}", "'training' is not an object"), "a block that is none");
    ok(refused("{\"training\":{\"epochs\":\"x\"}}", "'training.epochs' is \"x\"; a whole number"), "a wrong type");
    ok(refused("{\"training\":{\"epochs\":0}}", "range is 1 to"), "a wrong number");
    ok(refused("{\"data\":{\"dataset\":\"cifar12\"}}", "did you mean 'cifar10'"), "a wrong choice");
    ok(refused("{\"data\":{\"dataset\":\"cifar10\",\"strict\":true}}", "belongs to '--data.dataset generic_image_dataset'"), "a field of another variant");
    ok(refused("{\"typed\":[\"training.sede\"]}", "training.sede") && refused("{\"typed\":3}", "typed"), "a wrong typed list");
    ok(refused("[1]", "not a JSON object") && refused("{\"a\":", "line 1") && refused("{\"training\":{\"epochs\":1,\"epochs\":2}}", "duplicate"), "not an object, cut, a key twice");
    ok(put("{\"metrics\":[\"mse\"],\"exp_dir\":\"r\"}") && PARSE("infer", (char *)"--config", path) == GV_OK && !strcmp(((struct gv_infer_options *)c.own)->exp_dir, "r") && gv_config_typed(&c, "metrics"), "infer's own fields stand at the top (%s)", e.text);
}

/* ---- stages ---- */

struct own { const char *shard; gv_strs input; bool once; };
static const gv_field own_fields[] = {
    GV_OPT_STR(struct own, shard, "which strand of how many"), GV_OPT_STRS(struct own, input, NULL, "files to read"), GV_BOOL(struct own, once, false, "one epoch"), GV_END
};
static const char *const blocks[] = { "data", "data.augmentation", "training.seed", NULL };
static struct own own;
static bool helped;

static int stage(char **argv)
{
    int argc = 0, r = start();
    while (argv[argc])
        argc++;
    c.summary = "change samples";
    c.reads = c.writes = "tensor";
    return r == GV_OK ? gv_config_parse_stage(&c, "glovita-augment", blocks, own_fields, &own, argc, argv, &helped, &e) : r;
}
#define STAGE(...) stage((char *[]){ (char *)"p", __VA_ARGS__, NULL })

/* The same with stdout in a file; its text. */
static char shown[200000];
static int stage_shown(char **argv)
{
    int keep = dup(1), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    fflush(stdout);
    dup2(fd, 1);
    int r = stage(argv);
    fflush(stdout);
    dup2(keep, 1);
    close(keep);
    ssize_t n = pread(fd, shown, sizeof shown - 1, 0);
    shown[n > 0 ? n : 0] = 0;
    close(fd);
    return r;
}
#define SHOWN(...) stage_shown((char *[]){ (char *)"p", __VA_ARGS__, NULL })

static void test_stages(void)
{
    ok(STAGE((char *)"--shard", (char *)"0/4", (char *)"--input", (char *)"a", (char *)"b", (char *)"--training.seed=3", (char *)"--input=c", (char *)"--data.dataset", (char *)"cifar10") == GV_OK &&
       !helped && !strcmp(own.shard, "0/4") && own.input.n == 3 && !strcmp(own.input.v[2], "c") && c.training.seed == 3 && !own.once, "a stage: its blocks, one field of another, its own options; lists add up (%s)", e.text);
    ok(STAGE((char *)"--training.epochs", (char *)"3") == GV_EUSAGE && strstr(e.text, "glovita-augment does not take it"), "a field it does not take: %s", e.text);
    ok(STAGE((char *)"--training.sede", (char *)"3") == GV_EUSAGE && strstr(e.text, "unknown option '--training.sede' (did you mean '--training.seed'?)"), "a misspelt one: %s", e.text);
    ok(STAGE((char *)"--shrad", (char *)"3") == GV_EUSAGE && strstr(e.text, "did you mean '--shard'"), "a misspelt option of its own: %s", e.text);
    ok(STAGE((char *)"--add_log.a", (char *)"3") == GV_EUSAGE, "add_log is for runs");
    ok(put("{\"data\":{\"dataset\":\"cifar10\",\"data_root_dir\":\"d\"},\"logger\":{\"backend\":\"wandb\"},\"optimizer\":{\"name\":\"Muon\"},\"training\":{\"seed\":9}}") && STAGE((char *)"--config", path) == GV_OK && c.training.seed == 9 && gv_config_check_built(&c, &e) == GV_OK && gv_config_check(&c, &e) == GV_OK, "blocks it does not take are read over (%s)", e.text);
    ok(SHOWN((char *)"--version", (char *)"--nonsense") == GV_OK && helped && !strcmp(shown, "glovita-augment (GloViTa) " GV_VERSION "\n"), "--version: %s", shown);
    ok(SHOWN((char *)"--help") == GV_OK && helped && strstr(shown, "usage: glovita-augment [-h] [OPTIONS] [DATA]\n") && strstr(shown, "--shard {STR,None}") && strstr(shown, "--training.seed") && !strstr(shown, "--training.epochs") && strstr(shown, "reads tensor, writes tensor"), "--help names what it takes");
    ok(SHOWN((char *)"--data.dataset", (char *)"generic_image_dataset", (char *)"--help") == GV_OK && strstr(shown, "--data.strict, --data.no_strict") && strstr(shown, "(required"), "--help follows the choices");
    ok(SHOWN((char *)"--describe") == GV_OK && helped, "--describe");
    json_t *j = gv_json_parse(shown, strlen(shown), "describe", &e), *f = json_object_get(j, "fields");
    bool seed = false, strict = false, shard = false;
    for (size_t i = 0; i < json_array_size(f); i++) {
        const json_t *o = json_array_get(f, i);
        const char *name = json_string_value(json_object_get(o, "name"));
        seed = seed || (!strcmp(name, "training.seed") && !strcmp(json_string_value(json_object_get(o, "type")), "uint") && json_is_null(json_object_get(o, "default")));
        strict = strict || (!strcmp(name, "data.strict") && json_is_true(json_object_get(o, "default")) && !strcmp(json_string_value(json_object_get(o, "of")), "generic_image_dataset"));
        shard = shard || !strcmp(name, "shard");
    }
    ok(j && seed && strict && shard && !strcmp(json_string_value(json_object_get(j, "summary")), "change samples"), "is JSON with every field (%s)", e.text);
    json_decref(j);
    ok(start() == GV_OK && gv_config_set(&c, "data.dataset", (const char *const[]){ "cifar10" }, 1, true, &e) == GV_OK && gv_config_set(&c, "training.epochs", (const char *const[]){ "3" }, 1, true, &e) == GV_OK && gv_config_set(&c, "data.fold", (const char *const[]){ "-1" }, 1, true, &e) == GV_OK, "set by path (%s)", e.text);
    gv_buf b = { 0 };
    ok(gv_config_args(&c, blocks, &b, &e) == GV_OK && !strcmp(b.data, " --data.dataset cifar10 --data.fold=-1"), "args for a stage:%s", b.data ? b.data : "");
    gv_buf_release(&b);
}

static void test_driver_help(void)
{
    gv_buf b = { 0 };
    ok(start() == GV_OK && gv_config_help(&c, gv_command_find("glovita_train"), &b, &e) == GV_OK && strstr(b.data, "--resume [STR]") && strstr(b.data, "--add_log.NAME VALUE") && strstr(b.data, "data:chest-x-ray14-config") && strstr(b.data, "(default: model.encoder:timm-encoder-config)") && strstr(b.data, "not built yet: ") && strstr(b.data, "peft:lora-config") && strstr(b.data, "--training.compile, --training.no_compile"), "the help of train: groups, metavars, subcommands, what is not built");
    size_t longest = 0;
    for (const char *p = b.data; *p; p += strcspn(p, "\n") + 1)
        if (strncmp(p, "  --", 4) && strcspn(p, "\n") > longest)
            longest = strcspn(p, "\n");
    ok(longest <= 111, "its text is wrapped (%zu columns)", longest);
    gv_buf_release(&b);
    for (size_t i = 0; gv_commands[i]; i++) {
        ok(start() == GV_OK && gv_config_help(&c, gv_commands[i], &b, &e) == GV_OK && b.len > 200, "%s --help", gv_commands[i]->program);
        for (const gv_field *f = gv_commands[i]->fields; f && f->type != GV_TYPE_END; f++) {
            char option[GV_PATH_MAX];
            snprintf(option, sizeof option, "  --%s", f->name);
            if (!strstr(b.data, option))
                ok(0, "%s names %s", gv_commands[i]->program, option);
        }
        gv_buf_release(&b);
    }
}

int main(void)
{
    if (gv_arena_init(&arena, "run", 64 << 20, &e) < 0)
        return 1;
    snprintf(path, sizeof path, "/tmp/gv-config-%d.json", (int)getpid());
    test_files();
    test_stages();
    test_driver_help();
    unlink(path);
    gv_config_release(&c);
    gv_arena_release(&arena);
    return done();
}
