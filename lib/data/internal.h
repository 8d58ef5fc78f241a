/* What the files of lib/data share. Not for other folders. */
#ifndef GV_DATA_INTERNAL_H
#define GV_DATA_INTERNAL_H

#include "common/csv.h"
#include "data/data.h"
#include <sys/types.h>

/* ---- growing lists ---- */

/* Entries under construction: add, then move them into the arena. Start from {0}. */
typedef struct gv_listing { gv_buf v; } gv_listing;
int gv_listing_add(gv_listing *l, const gv_entry *e, gv_err *err) GV_MUST_USE;
int gv_listing_take(gv_listing *l, gv_arena *arena, gv_split *out, gv_err *err) GV_MUST_USE; /* empties l */

/* Texts to numbers, open addressing; the texts are borrowed. Start from {0}. */
typedef struct gv_textmap { struct gv_textmap_slot { const char *key; int64_t value; } *slot; size_t cap, n; } gv_textmap;
int gv_textmap_set(gv_textmap *m, const char *key, int64_t value, gv_err *err) GV_MUST_USE; /* replaces */
bool gv_textmap_get(const gv_textmap *m, const char *key, int64_t *value);
void gv_textmap_release(gv_textmap *m);

/* ---- programs ---- */

/* `sh -c command` with GLOVITA_DATA_ROOT, an empty stdin, and *out to read what it writes. */
int gv_shell_start(const char *command, const char *root, pid_t *pid, int *out, gv_err *err) GV_MUST_USE;
/* Wait for it, behind reading that ended with r (< 0: it is told to stop); its own failure is the cause of a cut stream. */
int gv_shell_end(pid_t pid, int r, gv_err *err) GV_MUST_USE;

/* ---- draws ---- */

/* NumPy's legacy RandomState(seed), so that fractions pick the samples the Python original picks. */
typedef struct gv_mt { uint32_t s[624]; int at; } gv_mt;
void gv_mt_init(gv_mt *m, uint32_t seed);
uint32_t gv_mt_u32(gv_mt *m);
void gv_mt_shuffle(gv_mt *m, int64_t *v, int64_t n);
void gv_mt_permutation(gv_mt *m, int64_t *p, int64_t n); /* of 0 … n-1 */

/* Keep a fraction of the training split (seed 42), stratified by class or plain. */
int gv_split_fraction(gv_data *d, double fraction, bool stratified, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Draw k folds of d->pool: d->fold_of. Stratified by class (or by decile of a regression), groups whole. Seed 42. */
int gv_folds_draw(gv_data *d, int k, bool stratified, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Make train and val from the pool and the drawn folds. */
int gv_folds_choose(gv_data *d, int fold, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* ---- files ---- */

/* root/name, root/sub/name, …: the first directory of `subs` (NULL-terminated, "" is the root itself) that holds all `names`
 * (NULL-terminated; each as it is or with ".gz"). Answers the directory relative to root, or NULL. */
const char *gv_find_layout(const char *root, const char *const *subs, const char *const *names);
/* A file of root/dir/name or, failing that, with ".gz": the path relative to root. NULL (err filled) when there is none. */
const char *gv_layout_path(const char *root, const char *dir, const char *name, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* data_root_dir, which must be a directory; NULL (GV_EUSAGE) otherwise. */
const char *gv_data_root(const gv_config *c, gv_err *err) GV_MUST_USE;
bool gv_is_dir(const char *path);
/* n entries "<name>/00000" …, rows of one container, added to the listing; labels are classes. */
int gv_listing_rows(gv_listing *l, const char *name, int64_t first_id, const char *path, int64_t first_row, const uint8_t *labels, int64_t n, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* How records name a file of its own path: below d->root where it lies there, absolute otherwise; without a root its folder becomes it. NULL: err. */
const char *gv_data_path_below(gv_data *d, const char *file, gv_arena *arena, gv_err *err);

#endif
