/* names: the policies of the data set that is chosen, for completion. */
#include "augment/augment.h"
#include "data/data.h"

void gv_data_names(const gv_config *c, const char *path, gv_words *out)
{
    bool train = !strcmp(path, "data.augmentation.train_policy");
    const gv_dataset *d = c->data.dataset ? gv_dataset_find(c->data.dataset->name) : NULL;
    const gv_content *content = d && d->content ? gv_content_find(d->content) : NULL;
    gv_policy_request q = { .train = train, .dataset = d ? d->name : NULL, .own = d ? d->policies : NULL, .spatial_dims = content ? content->policy_dims : 2 };
    const char **names;
    gv_err ignored = { 0 };
    if ((!train && strcmp(path, "data.augmentation.test_policy")) || (content && !content->policy_dims))
        return;
    int64_t n = gv_policy_names(&q, &names, c->arena, &ignored);
    for (int64_t i = 0; i < n; i++)
        gv_words_add(out, names[i], "");
}
