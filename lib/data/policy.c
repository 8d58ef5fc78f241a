#include "data/policy.h"
#include "data/data.h"

int gv_stage_policy(const gv_config *c, const gv_record *header, bool train, gv_pipeline **out, gv_arena *arena, gv_err *err)
{
    const struct gv_augmentation_config *a = &c->augmentation;
    const char *name = c->data.dataset ? c->data.dataset->name : gv_get_text(header, "data_set");
    const gv_dataset *set = name ? gv_dataset_find(name) : NULL;
    const char *policy[2] = { a->test_policy, a->train_policy };
    if (!policy[0] && set)
        policy[0] = set->test_policy;
    if (!policy[1] && set)
        policy[1] = set->train_policy;
    if (!policy[train])
        return gv_fail(err, GV_EUSAGE, "data.augmentation.%s_policy is not given%s", train ? "train" : "test", name ? "" : ", and neither is data.dataset, which has a default");
    const char *word = gv_get_text(header, "content");
    const gv_content *content = word ? gv_content_find(word) : set ? gv_content_find(set->content) : NULL;
    gv_policy_request q = {
        .spatial_dims = content ? content->policy_dims : 2, .dataset = name, .own = set ? set->policies : NULL, .train = train, .policy = policy[train], .other_policy = policy[!train], .image_size = a->image_size, .resize_size = a->resize_size,
        .crop_size = a->crop_size, .cutout_size = a->cutout_size, .patch_size = a->patch_size, .mean = a->mean, .std = a->std,
        .kwargs = train ? a->train_kwargs : a->test_kwargs, .channels = gv_config_encoder(c).input_channels,
    };
    (void)gv_get_i64(header, "native_size", &q.native_size);
    return gv_policy_resolve(&q, out, arena, err);
}
