/* What the files of lib/config share: blocks, unions, and how a path finds its row. */
#ifndef GV_CONFIG_INTERNAL_H
#define GV_CONFIG_INTERNAL_H

#include "config/config.h"

typedef struct gv_union {
    const char *field;   /* "dataset": the discriminator's name */
    const char *help;
    size_t chosen, params; /* offsets in the block's struct of the gv_variant pointer and of the params pointer */
    const gv_variant *const *variants; /* NULL-terminated */
    const char *def;     /* name of the default variant, or NULL: must be given */
} gv_union;

/* The choices of a field that have an implementation; a field without an entry is built whole. */
typedef struct gv_built {
    const char *field;
    const char *const *values; /* NULL-terminated */
} gv_built;

typedef struct gv_block {
    const char *path;  /* "data.augmentation"; "" is the root */
    const char *summary;
    size_t offset;     /* of the block's struct in gv_config */
    const gv_field *fields; /* common fields, or NULL */
    const gv_union *uni;    /* or NULL */
    const gv_built *built;  /* ends with a NULL field; or NULL */
} gv_block;

/* In the order of the dump and of --help; NULL-terminated. */
extern const gv_block *const gv_blocks[];
extern const gv_block gv_block_root, gv_block_data, gv_block_augmentation, gv_block_dataloading, gv_block_model, gv_block_encoder, gv_block_head,
    gv_block_peft, gv_block_optimizer, gv_block_training, gv_block_task, gv_block_logger;
extern const gv_variant *const gv_datasets[];
extern const char *const gv_metric_names[], *const gv_on_error_names[], *const gv_backend_names[], *const gv_backends_built[];

enum { GV_PATH_MAX = 256 };

/* A row found by its path. field NULL and uni set: the discriminator itself. */
typedef struct gv_slot {
    const gv_block *block;
    const gv_union *uni;       /* of the block: set for a discriminator and for a variant's own field */
    const gv_variant *variant; /* the variant that owns the field, NULL for common ones */
    const gv_field *field;
    void *params;             /* NULL when the variant is not the chosen one */
} gv_slot;

/* "data-x.y" -> "data_x.y"; false when too long. */
bool gv_path_normal(const char *path, size_t len, char out[GV_PATH_MAX]);
/* The full path of a row of a block. */
void gv_slot_path(const gv_block *b, const char *field, char out[GV_PATH_MAX]);
/* Among common fields, discriminators and the own fields of chosen variants; with any, of other variants too (params NULL). */
bool gv_slot_find(const gv_config *c, const char *path, bool any, gv_slot *s);
const gv_block *gv_block_find(const char *path, size_t len);
/* The block's struct, and the row's place in it. */
void *gv_block_params(const gv_config *c, const gv_block *b);
/* Does the command take the field (NULL: any of the block)? cmd NULL takes all. */
bool gv_takes(const gv_command *cmd, const gv_block *b, const char *field);

const gv_variant *gv_union_chosen(const gv_config *c, const gv_block *b);
void *gv_union_params(const gv_config *c, const gv_block *b);
const gv_variant *gv_union_find(const gv_union *u, const char *name);
/* Choose a variant; one that is chosen already keeps its fields. */
int gv_union_choose(gv_config *c, const gv_block *b, const gv_variant *v, gv_err *err) GV_MUST_USE;
/* The union's members as the choices of a row, so that messages, help and describe treat both alike. */
gv_field gv_union_row(const gv_union *u, const char **choices, size_t cap);
enum { GV_VARIANTS_MAX = 64 };

/* Set a row from words with every check; `shown` names it in messages. more: a list grows instead of being replaced. */
int gv_row_set(gv_config *c, const gv_field *f, void *params, const char *shown, const char *const *words, size_t n, bool more, gv_err *err) GV_MUST_USE;
/* Refuse a field of a variant that is not chosen. */
int gv_not_chosen(const gv_config *c, const gv_slot *s, const char *shown, gv_err *err);
int gv_config_mark(gv_config *c, const char *path, gv_err *err) GV_MUST_USE;
void gv_config_unmark(gv_config *c, const char *path);

/* ---- the command line (parse.c) ---- */

enum gv_item_kind { GV_ITEM_FIELD, GV_ITEM_OWN, GV_ITEM_DRIVER, GV_ITEM_FRONT, GV_ITEM_ADD_LOG, GV_ITEM_SUBCOMMAND };
typedef struct gv_item {
    enum gv_item_kind kind;
    const gv_field *field;  /* NULL for discriminators, add_log, subcommands */
    const gv_block *block;  /* FIELD, SUBCOMMAND */
    const char *path;       /* without dashes and "no_" */
    const char *const *words;
    size_t n;
} gv_item;

/* The option of the program that a word "--path" (up to len) names; path: without dashes, "no_" and '-'. False when there is none. */
bool gv_item_find(const gv_config *c, const gv_command *cmd, const char *word, size_t len, char path[GV_PATH_MAX], gv_item *it, bool *negated);
/* "data:cifar10-config" -> the block, and the variant or NULL when the block has none of that name. */
const gv_block *gv_subcommand_find(const gv_command *cmd, const char *word, const gv_variant **v);
bool gv_takes_many(const gv_field *f); /* a list or a dict */
/* Take what is understood of a line, whatever else is wrong with it: configuration file, choices of unions, fields of the root and those that name
 * folders or what the names of others depend on. The rest would show as defaults. */
int gv_config_parse_known(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err) GV_MUST_USE;

/* ---- completion ---- */

int gv_completion_answer(gv_config *c, const gv_command *cmd, int what, int argc, char **argv, gv_err *err) GV_MUST_USE;
/* The directories of runs, or their checkpoints, that a typed word may go on to (complete_runs.c). */
void gv_words_runs(gv_words *w, const char *exp_dir, gv_naming takes);
size_t gv_words_count(const gv_words *w);

/* "epochs to train (default: 20; the range is …)": help.c. */
int gv_row_text(gv_buf *out, const gv_field *f, const void *params, bool required, const gv_built *built, gv_err *err) GV_MUST_USE;

/* Options every program has. */
struct gv_front { const char *config, *log; };
extern const gv_field gv_front_fields[];
/* "unknown option '--training.sede' (did you mean …)"; option as typed, without its value. */
int gv_unknown_option(const gv_config *c, const char *program, const char *option, gv_err *err);
int gv_add_log_set(gv_config *c, const char *path, const char *value, gv_err *err) GV_MUST_USE;
/* Is this choice on the list of built ones? A field without a list is built whole. */
bool gv_choice_built(const gv_built *list, const char *field, const char *value);
/* Must the field be given: by the chosen variant, or as a discriminator without default. */
bool gv_slot_required(const gv_config *c, const gv_block *b, const char *field);
bool gv_in_list(const char *const *list, const char *word);
const char *gv_config_program(const gv_config *c, const gv_command *cmd);

#endif
