/* policy: finds a policy, merges what was asked for into its keys, and makes its steps. */
#include "augment/augment.h"
#include <inttypes.h>
#include <math.h>

static const gv_policy_set *const sets[] = {
#define GV_POLICIES(n) &gv_policies_##n,
#include "augment/policies.def"
#undef GV_POLICIES
};

enum { MAX_KEYS = 64, MAX_STEPS = 32, MAX_WORDS = 16 };

enum origin { DEFAULT, ENCODER, TYPED, DERIVED };

struct keys {
    size_t n;
    const char *key[MAX_KEYS], *value[MAX_KEYS];
    enum origin from[MAX_KEYS];
};

/* The next `name=value` of a blank-separated list: 1, or 0 at the end. */
static int next_pair(const char **s, const char **name, size_t *nlen, const char **value, size_t *vlen)
{
    const char *p = *s;
    while (*p == ' ')
        p++;
    if (!*p)
        return 0;
    *name = p;
    while (*p && *p != '=')
        p++;
    *nlen = (size_t)(p - *name);
    if (*p)
        p++;
    *value = p;
    while (*p && *p != ' ')
        p++;
    *vlen = (size_t)(p - *value);
    *s = p;
    return 1;
}

static bool has_key(const gv_policy *p, const char *key)
{
    const char *s = p->keys, *name, *value;
    size_t n, v;
    while (next_pair(&s, &name, &n, &value, &v))
        if (strlen(key) == n && !memcmp(key, name, n))
            return true;
    return false;
}

static bool names_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = words; s && (s = strstr(s, word)); s += n)
        if ((s == words || s[-1] == ' ') && (!s[n] || s[n] == ' '))
            return true;
    return false;
}

/* ---- finding ---- */

static bool set_applies(const gv_policy_set *s, const gv_policy_request *q)
{
    if (!s->datasets)
        return s->spatial_dims == (q->spatial_dims ? q->spatial_dims : 2);
    for (const char *const *d = s->datasets; q->dataset && *d; d++)
        if (!strcmp(*d, q->dataset))
            return true;
    return false;
}

/* Visits the policies in order: own, those of the data set, shared ones. A name seen earlier hides later ones. */
static const gv_policy *find(const gv_policy_request *q, const char *name)
{
    for (const gv_policy *p = q->own; p && p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    for (int shared = 0; shared < 2; shared++) /* own ones hide shared ones */
        for (size_t i = 0; i < GV_COUNT(sets); i++)
            if (set_applies(sets[i], q) && (sets[i]->datasets == NULL) == shared)
                for (const gv_policy *p = sets[i]->policies; p->name; p++)
                    if (!strcmp(p->name, name))
                        return p;
    return NULL;
}

const gv_policy *gv_policy_find(const gv_policy_request *q)
{
    return find(q, q->policy);
}

static void add_names(const gv_policy *p, const char **names, size_t *n, size_t max)
{
    for (; p && p->name && *n < max; p++) {
        bool seen = false;
        for (size_t i = 0; i < *n; i++)
            seen = seen || !strcmp(names[i], p->name);
        if (!seen)
            names[(*n)++] = p->name;
    }
}

int64_t gv_policy_names(const gv_policy_request *q, const char ***names, gv_arena *arena, gv_err *err)
{
    enum { MAX = 256 };
    const char **v = gv_arena_alloc(arena, MAX * sizeof *v, err);
    size_t n = 0;
    if (!v)
        return GV_ESYS;
    add_names(q->own, v, &n, MAX);
    for (int shared = 0; shared < 2; shared++)
        for (size_t i = 0; i < GV_COUNT(sets); i++)
            if (set_applies(sets[i], q) && (sets[i]->datasets == NULL) == shared)
                add_names(sets[i]->policies, v, &n, MAX);
    *names = v;
    return (int64_t)n;
}

static int unknown_policy(const gv_policy_request *q, const char *name, gv_arena *arena, gv_err *err)
{
    const char **names;
    int64_t n = gv_policy_names(q, &names, arena, err);
    if (n < 0)
        return (int)n;
    gv_buf list = { 0 };
    for (int64_t i = 0; i < n; i++)
        if (gv_buf_printf(&list, err, "%s%s", i ? ", " : "", names[i]) < 0)
            break;
    const char *near = gv_nearest(name, names, (size_t)n);
    gv_fail(err, GV_EUSAGE, "data set '%s' has no %s policy '%s'%s%s%s; it has %s", q->dataset ? q->dataset : "?", q->train ? "train" : "test", name,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", list.data ? list.data : "none");
    gv_buf_release(&list);
    return GV_EUSAGE;
}

/* ---- merging ---- */

static int key_index(const struct keys *k, const char *key)
{
    for (size_t i = 0; i < k->n; i++)
        if (!strcmp(k->key[i], key))
            return (int)i;
    return -1;
}

static const char *value_of(const struct keys *k, const char *key)
{
    int i = key_index(k, key);
    return i < 0 ? NULL : k->value[i];
}

static int64_t size_of(const struct keys *k, const char *key)
{
    const char *v = value_of(k, key);
    return v ? strtoll(v, NULL, 10) : 0;
}

static int unused(const gv_policy *p, const char *what, const char *key, gv_err *err)
{
    const char *names[MAX_KEYS], *s = p->keys, *name, *value;
    char text[MAX_KEYS][48], list[1000] = "";
    size_t n = 0, nl, vl, len = 0;
    while (n < MAX_KEYS && next_pair(&s, &name, &nl, &value, &vl)) {
        snprintf(text[n], sizeof text[n], "%.*s", (int)nl, name);
        names[n] = text[n];
        int w = snprintf(list + len, sizeof list - len, "%s%s", n ? ", " : "", text[n]);
        len = w > 0 && len + (size_t)w < sizeof list ? len + (size_t)w : len;
        n++;
    }
    const char *near = gv_nearest(key, names, n);
    return gv_fail(err, GV_EUSAGE, "%s'%s' is not used by policy '%s'%s%s%s; it uses %s", what, key, p->name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", list);
}

struct merge { const gv_policy_request *q; const gv_policy *policy; struct keys k; gv_arena *arena; gv_err *err; };

/* Set a key that may not be there: typed fields the policy does not use are errors, the encoder's are not. */
static int set(struct merge *m, const char *key, const char *value, enum origin from)
{
    int i = key_index(&m->k, key);
    if (!value)
        return GV_ESYS;
    if (i < 0) {
        const gv_policy *other = m->q->other_policy ? find(m->q, m->q->other_policy) : NULL;
        return from == ENCODER || (other && has_key(other, key)) ? GV_OK : unused(m->policy, "", key, m->err);
    }
    m->k.value[i] = value;
    m->k.from[i] = from;
    return GV_OK;
}

static int set_size(struct merge *m, const char *key, int64_t v, enum origin from)
{
    if (v == 0 || v == GV_NONE_I64)
        return GV_OK;
    if (v < 0 || v > GV_MAX_SIDE)
        return gv_fail(m->err, GV_EUSAGE, "'%s' is %" PRId64 "; the range is 1 to %d", key, v, GV_MAX_SIDE);
    return set(m, key, gv_arena_printf(m->arena, m->err, "%" PRId64, v), from);
}

/* A patch, one number an axis; a single one counts for all. */
static int set_patch(struct merge *m, const gv_ints *v, enum origin from)
{
    size_t axes = m->q->spatial_dims ? (size_t)m->q->spatial_dims : 2, len = 0;
    char text[24 * GV_MAX_DIMS] = "";
    if (!v->v || !v->n)
        return GV_OK;
    if (v->n != 1 && v->n != axes)
        return gv_fail(m->err, GV_EUSAGE, "'patch_size' has %zu numbers; the samples have %zu spatial axes (give as many, or one for all)", v->n, axes);
    for (size_t i = 0; i < axes && i < GV_MAX_DIMS; i++) {
        int64_t n = v->v[v->n == 1 ? 0 : i];
        if (n < 1 || n > GV_MAX_SIDE)
            return gv_fail(m->err, GV_EUSAGE, "'patch_size' is %" PRId64 "; the range is 1 to %d", n, GV_MAX_SIDE);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%" PRId64, i ? "," : "", n);
    }
    return set(m, "patch_size", gv_arena_strdup(m->arena, text, m->err), from);
}

static int set_list(struct merge *m, const char *key, const gv_f64s *v, enum origin from)
{
    if (!v->v || !v->n)
        return GV_OK;
    gv_buf b = { 0 };
    int r = GV_OK;
    for (size_t i = 0; i < v->n && r == GV_OK; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.15g", v->v[i]); /* 0.485 stays 0.485; the value itself must come back */
        if (strtod(text, NULL) != v->v[i])
            snprintf(text, sizeof text, "%.17g", v->v[i]);
        r = gv_buf_printf(&b, m->err, "%s%s", i ? "," : "", text);
    }
    const char *text = r == GV_OK ? gv_arena_strdup(m->arena, b.data, m->err) : NULL;
    gv_buf_release(&b);
    return set(m, key, text, from);
}

/* A JSON value as the text of a key: "bicubic" without quotes, [1, 2] as 1,2. */
static const char *plain(const char *json, gv_arena *arena, gv_err *err)
{
    char *s = gv_arena_strdup(arena, json, err), *to = s;
    for (const char *p = s; p && *p; p++)
        if (!strchr("\"[] \t\n", *p))
            *to++ = *p;
    if (s)
        *to = 0;
    return s;
}

static int start(struct merge *m)
{
    const char *s = m->policy->keys, *name, *value;
    size_t n, v;
    while (next_pair(&s, &name, &n, &value, &v)) {
        struct keys *k = &m->k;
        if (k->n == MAX_KEYS)
            return gv_fail(m->err, GV_EINTERNAL, "policy '%s' has more than %d keys", m->policy->name, MAX_KEYS);
        k->key[k->n] = gv_arena_strndup(m->arena, name, n, m->err);
        k->value[k->n] = gv_arena_strndup(m->arena, value, v, m->err);
        if (!k->key[k->n] || !k->value[k->n])
            return GV_ESYS;
        k->from[k->n++] = DEFAULT;
    }
    return GV_OK;
}

static int merge(struct merge *m)
{
    const gv_policy_request *q = m->q;
    const char *own = value_of(&m->k, "interpolation"), *enc = q->encoder.interpolation;
    int r;
    if ((r = set_size(m, "image_size", q->encoder.image_size, ENCODER)) < 0 || (r = set_size(m, "resize_size", q->encoder.resize_size, ENCODER)) < 0 ||
        (r = set_patch(m, &q->encoder.patch_size, ENCODER)) < 0 || (r = set_list(m, "mean", &q->encoder.mean, ENCODER)) < 0 || (r = set_list(m, "std", &q->encoder.std, ENCODER)) < 0)
        return r;
    if (enc && own && !(!strcmp(enc, "bilinear") && !strcmp(own, "linear")) && (r = set(m, "interpolation", enc, ENCODER)) < 0)
        return r;
    if ((r = set_size(m, "image_size", q->image_size, TYPED)) < 0 || (r = set_size(m, "resize_size", q->resize_size, TYPED)) < 0 ||
        (r = set_size(m, "crop_size", q->crop_size, TYPED)) < 0 || (r = set_size(m, "cutout_size", q->cutout_size, TYPED)) < 0 ||
        (r = set_patch(m, &q->patch_size, TYPED)) < 0 ||
        (r = set_list(m, "mean", &q->mean, TYPED)) < 0 || (r = set_list(m, "std", &q->std, TYPED)) < 0)
        return r;
    for (size_t i = 0; i < q->kwargs.n; i++) {
        if (!has_key(m->policy, q->kwargs.key[i]))
            return unused(m->policy, q->train ? "train_kwargs: " : "test_kwargs: ", q->kwargs.key[i], m->err);
        if ((r = set(m, q->kwargs.key[i], plain(q->kwargs.json[i], m->arena, m->err), TYPED)) < 0)
            return r;
    }
    return GV_OK;
}

/* Sizes that follow from others. *resize_first: images of a fixed size smaller than image_size are resized before all. */
static int derive(struct merge *m, bool *resize_first)
{
    struct keys *k = &m->k;
    int64_t image = size_of(k, "image_size"), shorter = size_of(k, "resize_size"), native = m->q->native_size;
    *resize_first = m->policy->native && native > 0 && image > native;
    for (size_t i = 0; i < k->n && *resize_first; i++)
        if (k->from[i] == DEFAULT && names_word(m->policy->pixels, k->key[i])) {
            int64_t v = (int64_t)rint((double)strtoll(k->value[i], NULL, 10) * (double)image / (double)native);
            if (!(k->value[i] = gv_arena_printf(m->arena, m->err, "%" PRId64, v)))
                return GV_ESYS;
            k->from[i] = DERIVED;
        }
    int64_t crop = size_of(k, "crop_size") > 0 ? size_of(k, "crop_size") : image;
    if (!shorter || shorter >= crop)
        return GV_OK;
    int at = key_index(k, "resize_size");
    if (k->from[at] == TYPED)
        return gv_fail(m->err, GV_EUSAGE, "policy '%s' cannot crop %" PRId64 " pixels from a side of %" PRId64 " (raise resize_size or lower %s)", m->policy->name,
                       crop, shorter, crop == image ? "image_size" : "crop_size");
    /* Keep the share of the picture that the policy, or the encoder, sees. */
    double share = 256.0 / 224.0;
    if (k->from[at] == ENCODER && m->q->encoder.image_size > 0 && shorter >= m->q->encoder.image_size)
        share = (double)shorter / (double)m->q->encoder.image_size;
    k->value[at] = gv_arena_printf(m->arena, m->err, "%" PRId64, (int64_t)rint((double)crop * share));
    k->from[at] = DERIVED;
    return k->value[at] ? GV_OK : GV_ESYS;
}

/* ---- making steps ---- */

static int set_param(struct merge *m, const gv_augment *u, void *params, const char *name, size_t n, const char *value)
{
    const gv_field *f = gv_field_find(u->fields, name, n);
    const char *shown = value, *word = value;
    if (!f)
        return gv_fail(m->err, GV_EINTERNAL, "policy '%s': unit '%s' has no parameter '%.*s'", m->policy->name, u->name, (int)n, name);
    if (*value == '$') {
        shown = value + 1;
        word = value_of(&m->k, shown);
        if (!word)
            return gv_fail(m->err, GV_EINTERNAL, "policy '%s' has no key '%s'", m->policy->name, shown);
    } else
        shown = f->name;
    /* A list's words stand apart by commas. */
    bool list = f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S || f->type == GV_TYPE_STRS;
    const char *words[MAX_WORDS] = { word };
    size_t many = 1;
    for (const char *at = word; list && (at = strchr(at, ',')) != NULL; at++) {
        if (many == MAX_WORDS)
            return gv_fail(m->err, GV_EUSAGE, "policy '%s': '%s' has more than %d values", m->policy->name, shown, MAX_WORDS);
        if (!(words[many - 1] = gv_arena_strndup(m->arena, words[many - 1], (size_t)(at - words[many - 1]), m->err)))
            return GV_ESYS;
        words[many++] = at + 1;
    }
    if (gv_field_set(f, params, shown, words, many, m->arena, m->err) < 0)
        return gv_fail_in(m->err, "policy '%s'", m->policy->name);
    return GV_OK;
}

static int make_step(struct merge *m, const char *unit, const char *params, gv_step *s)
{
    const gv_augment *u = gv_augment_find(unit);
    const char *name, *value;
    size_t n, v;
    if (!u)
        return gv_fail(m->err, GV_EINTERNAL, "policy '%s' names an unknown unit '%s'", m->policy->name, unit);
    void *p = gv_arena_alloc(m->arena, u->params_size, m->err);
    if (!p || gv_fields_default(u->fields, p, m->arena, m->err) < 0)
        return GV_ESYS;
    while (next_pair(&params, &name, &n, &value, &v)) {
        char *text = gv_arena_strndup(m->arena, value, v, m->err);
        int r = text ? set_param(m, u, p, name, n, text) : GV_ESYS;
        if (r < 0)
            return r;
    }
    *s = (gv_step){ u, p };
    return GV_OK;
}

static int make_steps(struct merge *m, bool resize_first, gv_pipeline *p)
{
    gv_step steps[MAX_STEPS];
    size_t n = 0;
    int r = GV_OK;
    if (resize_first)
        r = make_step(m, "resize", "size=$image_size interpolation=$interpolation", &steps[n++]);
    for (const gv_policy_step *s = m->policy->steps; s->unit && r == GV_OK; s++) {
        if (n == MAX_STEPS)
            return gv_fail(m->err, GV_EINTERNAL, "policy '%s' has more than %d steps", m->policy->name, MAX_STEPS);
        r = make_step(m, s->unit, s->params, &steps[n++]);
    }
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        int64_t of = 0;
        if (steps[i].unit->choose && (steps[i].unit->choose(steps[i].params, NULL, &of), of > (int64_t)(n - 1 - i)))
            r = gv_fail(m->err, GV_EINTERNAL, "policy '%s' has too few steps behind '%s'", m->policy->name, steps[i].unit->name);
    }
    if (r < 0)
        return r;
    p->steps = gv_arena_alloc(m->arena, n * sizeof *steps, m->err);
    if (!p->steps)
        return GV_ESYS;
    memcpy(p->steps, steps, n * sizeof *steps);
    p->n = n;
    return GV_OK;
}

/* "0.1,0.2,0.3" as `channels` numbers: one is repeated, several become their mean for one channel, and repeat for more. */
static int numbers(struct merge *m, const char *key, gv_f64s *out)
{
    double v[GV_MAX_CHANNELS], sum = 0;
    size_t n = 0;
    const char *s = value_of(&m->k, key);
    while (s && *s && n < GV_MAX_CHANNELS) {
        char *end;
        double d = strtod(s, &end);
        if (end == s || (*end && *end != ',') || !isfinite(d) || (!strcmp(key, "std") && d <= 0))
            return gv_fail(m->err, GV_EUSAGE, "'%s' is '%s'; numbers%s are wanted", key, value_of(&m->k, key), strcmp(key, "std") ? "" : " above 0");
        v[n++] = d;
        sum += d;
        s = *end ? end + 1 : end;
    }
    int64_t c = m->q->channels > 0 ? m->q->channels : (int64_t)n;
    if (!n || c > GV_MAX_CHANNELS)
        return n ? gv_fail(m->err, GV_EUSAGE, "%" PRId64 " channels are too many; at most %d", c, GV_MAX_CHANNELS) : GV_OK;
    *out = (gv_f64s){ (size_t)c, gv_arena_alloc(m->arena, (size_t)c * sizeof *out->v, m->err) };
    if (!out->v)
        return GV_ESYS;
    for (int64_t i = 0; i < c; i++)
        out->v[i] = c == 1 && n > 1 ? sum / (double)n : v[(size_t)i % n];
    return GV_OK;
}

/* The sides of what comes out, where the policy says. */
static int sides(struct merge *m, gv_pipeline *p)
{
    const char *patch = value_of(&m->k, "patch_size"), *s = patch;
    int axes = m->q->spatial_dims ? m->q->spatial_dims : 2, n = 0;
    char *end = NULL;
    if (!patch) {
        p->axes = p->image_size > 0 ? 2 : 0;
        p->side[0] = p->side[1] = p->image_size;
        return GV_OK;
    }
    for (; n < axes && (!end || *end == ','); s = end + 1) {
        p->side[n] = strtoll(s, &end, 10);
        if (end == s || p->side[n] < 1 || p->side[n] > GV_MAX_SIDE)
            break;
        n++;
    }
    if (!end || *end || (n != 1 && n != axes))
        return gv_fail(m->err, GV_EUSAGE, "'patch_size' is '%s'; %d numbers from 1 to %d, or one for all, are wanted", patch, axes, GV_MAX_SIDE);
    for (; n < axes; n++)
        p->side[n] = p->side[0];
    p->axes = axes;
    return GV_OK;
}

static int report(struct merge *m, gv_pipeline *p)
{
    size_t n = m->k.n;
    p->policy = m->policy;
    p->keys = n;
    p->key = gv_arena_alloc(m->arena, n * sizeof *p->key, m->err);
    p->value = p->key ? gv_arena_alloc(m->arena, n * sizeof *p->value, m->err) : NULL;
    if (!p->value)
        return GV_ESYS;
    memcpy(p->key, m->k.key, n * sizeof *p->key);
    memcpy(p->value, m->k.value, n * sizeof *p->value);
    p->image_size = size_of(&m->k, "image_size");
    p->resize_size = size_of(&m->k, "resize_size");
    p->crop_size = size_of(&m->k, "crop_size");
    p->interpolation = value_of(&m->k, "interpolation");
    int r = sides(m, p);
    if (r < 0 || (r = numbers(m, "mean", &p->mean)) < 0)
        return r;
    return numbers(m, "std", &p->std);
}

int gv_policy_resolve(const gv_policy_request *q, gv_pipeline **out, gv_arena *arena, gv_err *err)
{
    const char *name = q->policy ? q->policy : "default";
    struct merge m = { .q = q, .policy = find(q, name), .arena = arena, .err = err };
    if (!m.policy)
        return unknown_policy(q, name, arena, err);
    gv_pipeline *p = gv_arena_alloc(arena, sizeof *p, err);
    bool resize_first = false;
    int r = p ? start(&m) : GV_ESYS;
    if (r < 0 || (r = merge(&m)) < 0 || (r = derive(&m, &resize_first)) < 0 || (r = make_steps(&m, resize_first, p)) < 0 || (r = report(&m, p)) < 0)
        return r;
    *out = p;
    return GV_OK;
}
