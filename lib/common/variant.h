/* One member of a union of the configuration: a data set, an encoder, a head, a fine-tuning method, a logger. The unit that
 * implements it defines it; lib/config collects them through the unit's .def list. */
#ifndef GV_COMMON_VARIANT_H
#define GV_COMMON_VARIANT_H

#include "common/field.h"

typedef struct gv_variant {
    const char *name;            /* "cifar10": the discriminator's value */
    const char *class_name;      /* "Cifar10Config": gives the subcommand's name, "cifar10-config" */
    const char *summary;
    const gv_field *fields;      /* its own fields, or NULL */
    size_t params_size;          /* of the struct they lie in */
    const char *const *defaults; /* pairs "field","word" for fields common to the block, NULL-terminated, or NULL */
    const char *const *required; /* fields of the block that must be given, NULL-terminated, or NULL */
    /* Fields whose untouched defaults follow from other fields of it (a preset): pairs "field","word", NULL-terminated, or NULL; none: NULL. */
    const char *const *(*adapted)(const void *params);
    bool built;                  /* false: known to the schema, refused by name when typed */
} gv_variant;

#endif
