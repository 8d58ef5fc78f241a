/* The command line: the original's example commands, both styles, any order, words of every type. */
#include "config/internal.h"
#include "data/generic.h"
#include "json/json.h"
#include "tests/unit/tap.h"

static gv_arena arena;
static gv_config c;
static gv_err e;

/* A line of words, split at blanks, quotes kept together, parsed as `program`. */
static int parse(const char *program, const char *line)
{
    static char text[4096];
    static char *argv[128];
    int argc = 0;
    gv_config_release(&c);
    gv_arena_reset(&arena);
    e = (gv_err){ 0 };
    snprintf(text, sizeof text, "%s", line);
    argv[argc++] = "program";
    for (char *p = text; *p && argc < 127;) {
        char quote = *p == '\'' || *p == '"' ? *p : ' ';
        p += quote != ' ';
        argv[argc++] = p;
        while (*p && *p != quote)
            p++;
        if (*p)
            *p++ = 0;
        p += strspn(p, " ");
    }
    if (gv_config_init(&c, &arena, &e) < 0)
        return e.code;
    return gv_config_parse(&c, gv_command_find(program), argc, argv, &e);
}

static bool fails(const char *line, const char *part)
{
    bool good = parse("train", line) == GV_EUSAGE && strstr(e.text, part);
    if (!good)
        printf("# %s -> %s\n", line, e.text);
    return good;
}

static bool json_is(const char *path, const char *want)
{
    gv_buf b = { 0 };
    json_t *root = gv_config_json(&c, &e), *j = root;
    char part[64];
    for (const char *p = path; j && *p;) {
        size_t n = strcspn(p, "/");
        snprintf(part, sizeof part, "%.*s", (int)n, p);
        j = json_object_get(j, part);
        p += n + (p[n] == '/');
    }
    bool same = j && gv_json_text(j, &b, &e) == GV_OK && !strcmp(b.data, want);
    if (!same)
        printf("# %s is %s, wanted %s (%s)\n", path, b.data ? b.data : "-", want, e.text);
    gv_buf_release(&b);
    json_decref(root);
    return same;
}

#define CIFAR "--data.dataset cifar10 --data.data_root_dir ./data --model.encoder.encoder_type timm --model.encoder.type resnet50.a1_in1k --model.encoder.no_pretrained --model.head.head_type classification "

static void test_examples(void)
{
    static const struct { const char *line; bool runs; } lines[] = {
        { CIFAR "--peft.method full_finetuning --dataloading.batch_size 128", true },
        { "--dataloading.batch_size 128 data:cifar10-config --data.data_root_dir ./data model.encoder:timm-encoder-config --model.encoder.type resnet50.a1_in1k --model.encoder.no_pretrained model.head:classification-head-config peft:full-finetuning-config", true },
        { CIFAR "--training.epochs 2 --dataloading.batch_size 128", true },
        { CIFAR "--training.epochs 50 --optimizer.lr 3e-4 --data.augmentation.image_size 224", true },
        { CIFAR "--add_log.comment \"scratch baseline\" --add_log.dataset_alias CIFAR10_small --add_log.notes.phase warmup", true },
        { "--data.dataset chestxray14 --data.data_root_dir /data/ChestXray14 --data.augmentation.train_policy default_2d_4 --data.augmentation.test_policy shared_default_2d", false },
        { "--data.dataset cifar10 --data.data_root_dir ./data --model.encoder.encoder_type timm --model.encoder.type resnet50.a1_in1k --model.head.head_type classification logger:mlflow-logger-config", true },
        { CIFAR "--training.best_checkpoint_metric F1", true },
        { "--data.dataset generic_image_dataset --data.data_root_dir /data/MyDataset --data.num_classes 2 --data.split_source subdirs --data.label_source folder --model.encoder.encoder_type timm --model.encoder.type resnet50.a1_in1k --model.head.head_type classification", true },
        { "--data.dataset generic_image_dataset --data.data_root_dir /data/MyDataset --data.task Regression --data.subtask regression --data.num_classes 1", true },
    };
    for (size_t i = 0; i < GV_COUNT(lines); i++) {
        int r = parse("train", lines[i].line);
        ok(r == GV_OK && gv_config_check(&c, &e) == GV_OK, "example %zu parses (%s)", i + 1, e.text);
        ok((gv_config_check_built(&c, &e) == GV_OK) == lines[i].runs, "and %s: %s", lines[i].runs ? "runs" : "names what is missing", e.text);
    }
    parse("train", lines[0].line);
    json_t *a = gv_config_json(&c, &e), *b;
    json_object_del(a, "typed");
    parse("train", lines[1].line);
    b = gv_config_json(&c, &e);
    json_object_del(b, "typed");
    ok(a && json_equal(a, b), "both styles give the same config");
    json_decref(a);
    json_decref(b);
    parse("train", lines[4].line);
    ok(json_is("add_log", "{\"comment\":\"scratch baseline\",\"dataset_alias\":\"CIFAR10_small\",\"notes\":{\"phase\":\"warmup\"}}"), "add_log nests");
}

static void test_words(void)
{
    ok(parse("train", "") == GV_OK && !c.data.dataset && !strcmp(c.model.encoder->name, "timm") && !strcmp(gv_config_encoder(&c).type, "vit_base_patch16_224"), "nothing typed: the defaults");
    ok(parse("train", "--data.split-source subdirs --data.images_dir=x data:generic_image_dataset_config") == GV_OK && ((gv_generic_fields *)c.data.params)->split_source == GV_SPLITS_SUBDIRS && !strcmp(((gv_generic_fields *)c.data.params)->dir, "x"), "options stand before their discriminator; - and _ are alike (%s)", e.text);
    ok(parse("train", "--training.no-compile --training.compile --dataloading.no_shuffle_train") == GV_OK && c.training.compile && !c.dataloading.shuffle_train, "booleans, the last one wins");
    ok(parse("train", "--training.compile=false --training.epochs 3 --training.epochs=1_000") == GV_OK && !c.training.compile && c.training.epochs == 1000, "a boolean with =, an int as Python reads it");
    ok(parse("train", "--task.metrics acc auroc f1 data:cifar10-config --data.augmentation.mean 0.5 .25 1e-1") == GV_OK && c.task.metrics.n == 3 && c.augmentation.mean.n == 3 && c.augmentation.mean.v[2] == 0.1 && !strcmp(c.data.dataset->name, "cifar10"), "lists go on to the next option or subcommand");
    ok(parse("train", "--data.augmentation.train_kwargs p 0.5 name x on True list [1,2]") == GV_OK && json_is("data/augmentation/train_kwargs", "{\"p\":0.5,\"name\":\"x\",\"on\":true,\"list\":[1,2]}"), "a dict of pairs (%s)", e.text);
    ok(parse("train", "--data.augmentation.train_kwargs '{\"p\": 0.5, \"q\": {\"r\": null}}'") == GV_OK && json_is("data/augmentation/train_kwargs", "{\"p\":0.5,\"q\":{\"r\":null}}"), "a dict as JSON (%s)", e.text);
    ok(parse("train", "--optimizer.scheduler None --training.gradient_clip_val None --training.seed 18446744073709551614") == GV_OK && c.optimizer.scheduler == GV_SCHEDULER_NONE && isnan(c.training.gradient_clip_val) && c.training.seed == UINT64_MAX - 1, "None, and a seed of 64 bits");
    ok(parse("train", "data:cifar100-config") == GV_OK && c.data.num_classes == 100 && !strcmp(c.augmentation.train_policy, "randaugment") && !gv_config_typed(&c, "data.num_classes") && gv_config_typed(&c, "data.dataset"), "a data set brings its defaults, untyped");
    ok(parse("train", "--data.augmentation.train_policy baseline data:cifar10-config data:chest-x-ray14-config") == GV_OK && !strcmp(c.augmentation.train_policy, "baseline") && c.data.num_classes == 14 && c.data.subtask == GV_SUBTASK_MULTILABEL, "the last choice wins, and a typed field stays");
    ok(parse("train", "data:p-cam-config model.head:framewise-decoder1-d-head-config peft:fac-t-config logger:no-logger-config") == GV_OK && !strcmp(c.peft.method->name, "fact") && !strcmp(c.logger.backend->name, "none") && !strcmp(c.model.head->name, "framewise_decoder_1d"), "the surprising names");
    ok(parse("train", "--resume") == GV_OK && c.driver.resume.v && !c.driver.resume.n, "a bare --resume");
    ok(parse("train", "--resume experiments/a/0 --dry_run --no_progress") == GV_OK && c.driver.resume.n == 1 && !strcmp(c.driver.resume.v[0], "experiments/a/0") && c.driver.dry_run && !c.driver.progress, "--resume DIR, and the driver's other options");
    ok(parse("train", "--training.write_gradients=--x") == GV_OK && !strcmp(c.training.write_gradients, "--x"), "a value that begins with -- stands behind =");
    ok(parse("train", "--peft.lora_rank 4 --peft.method lora --peft.lora_target_modules --peft.use_dora") == GV_OK && json_is("peft/lora_target_modules", "[]") && json_is("peft/lora_rank", "4"), "an empty list");
    ok(parse("train", "--add-log.a 1 --add_log.a.b=TRUE --add_log.a.c none --add_log.l '[1, \"x\"]' --add_log.s 1.5x --add_log.a 2") == GV_OK && json_is("add_log", "{\"a\":{\"value\":2,\"b\":true,\"c\":null},\"l\":[1,\"x\"],\"s\":\"1.5x\"}"), "add_log: types, and a scalar that gets a child");
    ok(parse("infer", "--exp_dir run --metrics auroc --checkpoint best --data.data_root_dir d --compute_precision bf16") == GV_OK && !strcmp(((struct gv_infer_options *)c.own)->exp_dir, "run") && ((struct gv_infer_options *)c.own)->checkpoint == GV_LOAD_BEST && gv_config_typed(&c, "metrics") && gv_config_check(&c, &e) == GV_OK, "infer has its own fields, and needs no data block (%s)", e.text);
    ok(parse("extract_features", "--method avg --split val --precision 32 --model.encoder.type resnet18") == GV_OK && ((struct gv_extract_options *)c.own)->precision == 1, "extract_features too");
    ok(parse("plot_umap", "--h5-path x.h5") == GV_OK && gv_config_check(&c, &e) == GV_OK && gv_config_check_built(&c, &e) == GV_OK, "plot_umap parses and is built: %s", e.text);
    ok(parse("plot_umap", "") == GV_OK && gv_config_check(&c, &e) == GV_EUSAGE && strstr(e.text, "--h5_path"), "its file is required: %s", e.text);
}

static void test_refusals(void)
{
    ok(fails("--training.sede=4", "unknown option '--training.sede' (did you mean '--training.seed'?)"), "a misspelt option");
    ok(fails("--training.seed=-4", "'--training.seed' is -4; the range is 0 to 18446744073709551614"), "a range");
    ok(fails("--lr 1", "did you mean '--optimizer.lr'"), "a bare leaf is sent to its block");
    ok(fails("--training.epoch 3", "did you mean '--training.epochs'"), "no abbreviations");
    ok(fails("--training.compile True", "unexpected argument 'True' ('--training.compile' takes no value"), "a boolean takes no word");
    ok(fails("--training.no_compile=true", "'--training.no_compile' takes no value"), "nor does its opposite");
    ok(fails("--training.no_epochs", "unknown option '--training.no_epochs'"), "only booleans have one");
    ok(fails("--training.epochs", "'--training.epochs' wants a value"), "a missing value at the end");
    ok(fails("--training.epochs --training.compile", "an option follows"), "and before an option");
    ok(fails("--data.data_root_dir data:cifar10-config", "'--data.data_root_dir' wants a value"), "and before a subcommand");
    ok(fails("--training.epochs 1.5", "a whole number is wanted"), "a wrong type");
    ok(fails("--optimizer.lr 0", "'--optimizer.lr' is 0; it must be above 0"), "an open range");
    ok(fails("--model.head.dropout 1", "the range is 0 to below 1"), "open above");
    ok(fails("data:cifar11-config", "unknown subcommand 'data:cifar11-config' (did you mean 'data:cifar10-config'?)"), "a misspelt subcommand");
    ok(fails("--data.dataset cifar11", "did you mean 'cifar10'"), "a misspelt choice");
    ok(fails("cifar10", "unexpected argument 'cifar10'") && fails("-x", "two dashes") && fails("-- x", "unexpected argument 'x'"), "stray words");
    ok(fails("--data.dataset cifar10 --data.split_source subdirs", "'--data.split_source' belongs to '--data.dataset generic_image_dataset', and 'cifar10' is chosen"), "a field of another variant");
    ok(fails("--data.augmentation.train_kwargs p", "pairs") && fails("--data.augmentation.train_kwargs p [1", "not JSON") && fails("--data.augmentation.train_kwargs '{\"a\":1'", "JSON"), "a broken dict");
    ok(fails("--resume a b", "takes at most 1 value"), "two directories");
    ok(fails("--add_log.a", "wants a value") && fails("--add_log. 3", "wants a name"), "add_log without value or name");
    ok(fails("--log loud", "'--log' is 'loud'") && fails("--config /nonexistent.json", "/nonexistent.json"), "front options");
    ok(fails("--exp_dirr x", "did you mean '--exp_dir'"), "a root field");
    ok(parse("infer", "--training.epochs 3") == GV_EUSAGE && strstr(e.text, "glovita_infer does not take it"), "an option of another command: %s", e.text);
}

static bool refused_by(int (*check)(const gv_config *, gv_err *), const char *line, const char *part)
{
    bool good = parse("train", line) == GV_OK && check(&c, &e) == GV_EUSAGE && strstr(e.text, part);
    printf("# %s -> %s\n", line, e.text);
    return good;
}

static void test_checks(void)
{
#define GENERIC "--data.dataset generic_image_dataset --data.data_root_dir d "
    ok(refused_by(gv_config_check, "", "'--data.dataset' is required"), "no data set");
    ok(refused_by(gv_config_check, "--data.dataset cifar10", "'--data.data_root_dir' is required"), "no folder");
    ok(refused_by(gv_config_check, GENERIC, "'--data.num_classes' is required"), "no number of classes");
    ok(refused_by(gv_config_check, GENERIC "--data.num_classes 2 --data.task Regression --model.head.head_type regression --model.head.out_dim 3", "'--model.head.out_dim' is not '--data.num_classes' (2)"), "a head of another width");
    ok(refused_by(gv_config_check, GENERIC "--data.num_classes 2 --data.task Classification --data.subtask regression", "goes with"), "a subtask of another task");
    ok(refused_by(gv_config_check, GENERIC "--data.num_classes 2 --model.head.head_type regression", "does not go with"), "a head of another task");
    ok(refused_by(gv_config_check, GENERIC "--data.task Regression --task.metrics acc", "'acc', which is not defined"), "a metric of another task");
    ok(refused_by(gv_config_check, "--data.dataset cifar10 --data.data_root_dir d --training.save_every 5m", "save_every"), "save_every");
    ok(refused_by(gv_config_check, "--data.dataset cifar10 --data.data_root_dir d --optimizer.muon_ns_coefficients 1 2", "3 are wanted"), "a list of fixed length");
    ok(refused_by(gv_config_check, "--data.dataset cifar10 --data.data_root_dir d --training.precision fp64 --training.backend onednn", "reference"), "double on oneDNN");
    ok(refused_by(gv_config_check_built, "--optimizer.name Muon", "'--optimizer.name' is 'Muon', which is not built yet; built are SGD, Adam, AdamW"), "an optimizer that is not built");
    ok(refused_by(gv_config_check_built, "peft:ada-lora-config", "'--peft.method' is 'adalora'"), "a method that is not built");
    ok(parse("train", "data:cifar10-config --data.data_root_dir d --logger.backend tensorboard --logger.also csv jsonl") == GV_OK && gv_config_check_built(&c, &e) == GV_OK && c.logger.also.n == 2, "trackers are those of the list (%s)", e.text);
    ok(refused_by(gv_config_check_built, "--training.precision fp16", "built are no, bf16, fp64"), "a precision");
    ok(parse("train", "data:cifar10-config --data.data_root_dir d") == GV_OK && !strcmp(c.logger.backend->name, "wandb") && gv_config_check_built(&c, &e) == GV_OK && gv_config_check(&c, &e) == GV_OK, "an untouched default never stops a run (%s)", e.text);
    ok(parse("train", GENERIC "--data.task Regression") == GV_OK && c.data.subtask == GV_SUBTASK_REGRESSION && c.data.num_classes == 1 && !strcmp(c.model.head->name, "regression") && c.task.metrics.n == 2 && !strcmp(c.task.metrics.v[0], "mse") && gv_config_check(&c, &e) == GV_OK, "regression brings what goes with it (%s)", e.text);
    ok(parse("train", "--data.dataset precomputed_features --data.num_classes 2 --data.train_features_file a --data.val_features_file b") == GV_OK && !strcmp(c.model.encoder->name, "precomputed") && gv_config_check(&c, &e) == GV_OK, "stored features bring their encoder (%s)", e.text);
    int64_t steps;
    double seconds;
    ok(gv_save_every("5", &steps, &seconds, NULL) == GV_OK && steps == 5 && seconds == 0 && gv_save_every("0.5s", &steps, &seconds, NULL) == GV_OK && steps == 0 && seconds == 0.5, "save_every reads steps and seconds");
    ok(gv_save_every("0", &steps, &seconds, NULL) == GV_EUSAGE && gv_save_every("-1", &steps, &seconds, NULL) == GV_EUSAGE && gv_save_every("1.5", &steps, &seconds, NULL) == GV_EUSAGE && gv_save_every("s", &steps, &seconds, NULL) == GV_EUSAGE, "and refuses the rest");
}

int main(void)
{
    if (gv_arena_init(&arena, "run", 64 << 20, &e) < 0)
        return 1;
    char name[64];
    gv_subcommand_name("FramewiseDecoder1DHeadConfig", name);
    ok(!strcmp(name, "framewise-decoder1-d-head-config"), "tyro's rule for class names");
    test_examples();
    test_words();
    test_refusals();
    test_checks();
    gv_config_release(&c);
    gv_arena_release(&arena);
    return done();
}
