/* names: what the data set that is chosen knows by name, for completion: its policies, the keys of one, its files. */
#include "augment/augment.h"
#include "data/data.h"

/* "image_size=224 mean=0.5,0.5,0.5": its keys, and the defaults as help. */
static void add_keys(const char *keys, gv_words *out)
{
    while (keys && *keys) {
        char key[64], value[128];
        size_t n = strcspn(keys, "= "), v = keys[n] == '=' ? strcspn(keys + n + 1, " ") : 0;
        snprintf(key, sizeof key, "%.*s", (int)n, keys);
        snprintf(value, sizeof value, "default: %.*s", (int)v, keys + n + (keys[n] == '='));
        gv_words_add(out, key, value);
        keys += n + (keys[n] == '=') + v;
        keys += strspn(keys, " ");
    }
}

void gv_data_names(const gv_config *c, const char *path, gv_words *out)
{
    static const char *const leaves[] = { "test_policy", "train_policy", "test_kwargs", "train_kwargs" };
    const char *const prefix = "data.augmentation.";
    size_t leaf = 0, p = strlen(prefix);
    gv_data_names_below(c, path, out);
    while (leaf < GV_COUNT(leaves) && (strncmp(path, prefix, p) || strcmp(path + p, leaves[leaf])))
        leaf++;
    const gv_dataset *d = c->data.dataset ? gv_dataset_find(c->data.dataset->name) : NULL;
    const gv_content *content = d && d->content ? gv_content_find(d->content) : NULL;
    if (leaf == GV_COUNT(leaves) || (content && !content->policy_dims))
        return;
    gv_policy_request q = { .train = leaf % 2, .dataset = d ? d->name : NULL, .own = d ? d->policies : NULL, .spatial_dims = content ? content->policy_dims : 2 };
    gv_err ignored = { 0 };
    const char **names;
    if (leaf >= 2) {
        const char *chosen = q.train ? c->augmentation.train_policy : c->augmentation.test_policy;
        q.policy = chosen ? chosen : !d ? NULL : q.train ? d->train_policy : d->test_policy;
        const gv_policy *policy = q.policy ? gv_policy_find(&q) : NULL;
        add_keys(policy ? policy->keys : NULL, out);
        return;
    }
    int64_t n = gv_policy_names(&q, &names, c->arena, &ignored);
    for (int64_t i = 0; i < n; i++)
        gv_words_add(out, names[i], "");
}
