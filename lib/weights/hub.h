/* Inside lib/weights: places and names of the Hugging Face cache, for those who look (hub.c) and those who fetch (hub_fetch.c). */
#ifndef GV_WEIGHTS_HUB_H
#define GV_WEIGHTS_HUB_H

#include "common/arena.h"

const char *gv_hub_env(const char *name);
const char *gv_hub_folder(const char *v, gv_arena *a, gv_err *err);
const char *gv_hub_home(gv_arena *a, gv_err *err);
int gv_hub_plain(const char *s, int slashes);
int gv_hub_names(const char *repo, const char *revision, gv_err *err);
const char *gv_hub_repo_dir(const char *repo, gv_arena *a, gv_err *err);

#endif
