/* torch_tree: from the values of a pickle to named tensors and texts. */
#include "weights/pickle.h"

enum { DEPTH_MOST = 8, STEPS_MOST = 1 << 18, NAME_MOST = 1024, TEXT_MOST = 65536 };

struct walk {
    gv_weights *w;
    const struct gv_pickle *k;
    int big;
    size_t steps;
};

/* ---- one tensor ---- */

static int is_contiguous(const gv_pk_tensor *t)
{
    int64_t want = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] > 1 && t->stride[i] != want)
            return 0;
        want *= t->shape[i];
    }
    return 1;
}

static void copy_element(unsigned char *to, const unsigned char *from, size_t size, int swap)
{
    if (!swap)
        memcpy(to, from, size);
    else
        for (size_t i = 0; i < size; i++)
            to[i] = from[size - 1 - i];
}

/* Walk the elements in C order; at[] counts, from follows the strides. */
static void gather(unsigned char *to, const unsigned char *from, const gv_pk_tensor *t, int64_t count, int swap)
{
    size_t size = t->type->size;
    int64_t at[GV_MAX_DIMS] = { 0 }, place = 0;
    for (int64_t i = 0; i < count; i++, to += size) {
        copy_element(to, from + (size_t)place * size, size, swap);
        for (int d = t->ndim - 1; d >= 0; d--) {
            place += t->stride[d];
            if (++at[d] < t->shape[d])
                break;
            place -= at[d] * t->stride[d];
            at[d] = 0;
        }
    }
}

static int add_tensor(struct walk *k, const char *name, const gv_pk_tensor *t, gv_err *err)
{
    gv_named n = { .name = name, .ndim = t->ndim };
    if (t->type->dtype < 0)
        return gv_fail(err, GV_EDATA, "the tensor '%s' has type '%s', which is not read: convert it to float32 or bfloat16 first", name, t->type->name);
    if (strlen(name) > NAME_MOST)
        return gv_fail(err, GV_EDATA, "a tensor's name is longer than %d bytes: '%.60s…'", NAME_MOST, name);
    n.dtype = (gv_dtype)t->type->dtype;
    memcpy(n.shape, t->shape, sizeof n.shape);
    int64_t count = gv_shape_count(t->shape, t->ndim);
    if (count < 0 || gv_mul_size((size_t)count, t->type->size, &n.bytes) < 0)
        return gv_fail(err, GV_EDATA, "the shape of the tensor '%s' overflows", name);
    const gv_pk_storage *s = (const gv_pk_storage *)k->k->storages.data + t->storage;
    const unsigned char *from = s->data + (size_t)t->offset * t->type->size;
    int swap = k->big && t->type->size > 1;
    if (is_contiguous(t) && !swap && (uintptr_t)from % t->type->size == 0)
        n.data = from;
    else {
        void *copy = gv_weights_copy_space(k->w, n.bytes, name, err);
        if (!copy)
            return GV_EDATA;
        gather(copy, from, t, count, swap);
        n.data = copy;
    }
    return gv_weights_add(k->w, &n, err);
}

/* ---- texts and what lies below the root ---- */

static int add_scalar(struct walk *k, const char *name, const gv_pk_value *v, gv_err *err)
{
    char number[64];
    switch (v->kind) {
    case GV_PK_NONE: return gv_weights_add_meta(k->w, name, "None", err);
    case GV_PK_BOOL: return gv_weights_add_meta(k->w, name, v->i ? "True" : "False", err);
    case GV_PK_TEXT: return v->text.n > TEXT_MOST ? GV_OK : gv_weights_add_meta(k->w, name, v->text.s, err);
    case GV_PK_INT: snprintf(number, sizeof number, "%lld", (long long)v->i); break;
    case GV_PK_FLOAT: snprintf(number, sizeof number, "%.17g", v->f); break;
    default: return GV_OK;
    }
    return gv_weights_add_meta(k->w, name, number, err);
}

/* Everything below `name`, with dots; tensors only where asked for. What is nested deeper than any optimizer's state is left. */
static int flatten(struct walk *k, const char *name, const gv_pk_value *v, int depth, int tensors, gv_err *err)
{
    if (++k->steps > STEPS_MOST)
        return gv_fail(err, GV_EDATA, "the pickle unfolds to more than %d values", STEPS_MOST);
    if (v->kind == GV_PK_TENSOR)
        return tensors ? add_tensor(k, name, v->tensor, err) : GV_OK;
    int dict = v->kind == GV_PK_DICT;
    if (!dict && v->kind != GV_PK_LIST && v->kind != GV_PK_TUPLE)
        return add_scalar(k, name, v, err);
    int r = GV_OK;
    for (size_t i = 0; i < v->list.n && depth < DEPTH_MOST && r == GV_OK; i += dict ? 2 : 1) {
        const gv_pk_value *key = dict ? v->list.v[i] : NULL;
        char sub[NAME_MOST + 64];
        int n;
        if (!key)
            n = snprintf(sub, sizeof sub, "%s.%zu", name, i);
        else if (key->kind == GV_PK_TEXT && strlen(key->text.s) == key->text.n)
            n = snprintf(sub, sizeof sub, "%s.%s", name, key->text.s);
        else if (key->kind == GV_PK_INT)
            n = snprintf(sub, sizeof sub, "%s.%lld", name, (long long)key->i);
        else
            continue;
        if (n > NAME_MOST)
            return gv_fail(err, GV_EDATA, "a name is longer than %d bytes: '%.60s…'", NAME_MOST, sub);
        r = flatten(k, sub, v->list.v[dict ? i + 1 : i], depth + 1, tensors, err);
    }
    return r;
}

/* ---- the model ---- */

static const char *stripped(const char *name)
{
    static const char *const prefix[] = { "module.", "_orig_mod." }; /* DataParallel's and torch.compile's */
    for (size_t i = 0; i < GV_COUNT(prefix); i++)
        if (!strncmp(name, prefix[i], strlen(prefix[i]))) {
            name += strlen(prefix[i]);
            i = (size_t)-1;
        }
    return name;
}

static int add_model(struct walk *k, const gv_pk_value *dict, gv_err *err)
{
    for (size_t i = 0; i + 1 < dict->list.n; i += 2) {
        const gv_pk_value *key = dict->list.v[i], *v = dict->list.v[i + 1];
        if (v->kind != GV_PK_TENSOR)
            continue;
        if (key->kind != GV_PK_TEXT || strlen(key->text.s) != key->text.n)
            return gv_fail(err, GV_EDATA, "a tensor's key is not a text");
        int r = add_tensor(k, stripped(key->text.s), v->tensor, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

static int no_tensors(const gv_pk_value *root, const char *in, gv_err *err)
{
    char keys[300] = "";
    size_t n = 0;
    for (size_t i = 0; i + 1 < root->list.n && n < 200; i += 2)
        if (root->list.v[i]->kind == GV_PK_TEXT)
            n += (size_t)snprintf(keys + n, sizeof keys - n, "%s%.40s", n ? ", " : "", root->list.v[i]->text.s);
    return gv_fail(err, GV_EDATA, "there are no tensors in %s; the keys at the root are: %s", in, n ? keys : "none");
}

int gv_torch_expose(gv_weights *w, const struct gv_pickle *pk, const gv_pk_value *root, int big, gv_err *err)
{
    static const char *const inner[] = { "state_dict_ema", "model_ema", "state_dict", "model_state", "model", "network_weights" };
    struct walk k = { .w = w, .k = pk, .big = big };
    int r;
    if (root->kind == GV_PK_TENSOR) {
        r = add_tensor(&k, "tensor", root->tensor, err);
        w->nmodel = 1;
        return r;
    }
    if (root->kind != GV_PK_DICT)
        return gv_fail(err, GV_EDATA, "it holds neither a dictionary nor a tensor");
    const gv_pk_value *model = root;
    const char *in = "the dictionary";
    for (size_t i = 0; i < GV_COUNT(inner) && model == root; i++) {
        const gv_pk_value *v = gv_pk_get(root, inner[i]);
        if (v && v->kind == GV_PK_DICT) {
            model = v;
            in = inner[i];
        }
    }
    if ((r = add_model(&k, model, err)) < 0)
        return r;
    w->nmodel = w->tensors.len / sizeof(gv_named);
    if (!w->nmodel)
        return no_tensors(root, in, err);
    for (size_t i = 0; i + 1 < root->list.n && r == GV_OK; i += 2) {
        const gv_pk_value *key = root->list.v[i], *v = root->list.v[i + 1];
        if (key->kind == GV_PK_TEXT && strlen(key->text.s) == key->text.n && key->text.n <= NAME_MOST && v != model && v->kind != GV_PK_TENSOR)
            r = flatten(&k, key->text.s, v, 0, !strcmp(key->text.s, "optimizer"), err);
    }
    return r;
}
