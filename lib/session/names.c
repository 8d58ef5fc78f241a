/* names: the models an encoder's type may name, for completion; behind a dot the weights that were published. And the keys of model_kwargs. */
#include "nn/models/models.h"
#include "session/session.h"

static void add_weights(const char *encoder, const char *arch, gv_words *out)
{
    gv_model_ref m;
    gv_err ignored = { 0 };
    if (gv_model_find_in(encoder, arch, &m, &ignored) < 0)
        return;
    for (size_t i = 0; i < m.family->cfg_count; i++) {
        const gv_pretrained_cfg *p = &m.family->cfgs[i];
        char name[256], help[64];
        if (strcmp(p->arch, arch) || !*p->tag)
            continue;
        snprintf(name, sizeof name, "%s.%s", arch, p->tag);
        snprintf(help, sizeof help, "weights, %d px, %d classes", p->input_size, p->num_classes);
        gv_words_add(out, name, help);
    }
}

void gv_session_names(const gv_config *c, const char *path, gv_words *out)
{
    const gv_encoder e = gv_config_encoder(c);
    const char *typed = gv_words_typed(out), *arch;
    size_t n = strcspn(typed, ".");
    for (const gv_field *f = gv_model_option_fields; !strcmp(path, "model.encoder.model_kwargs") && f->type != GV_TYPE_END; f++)
        gv_words_add(out, f->name, f->help);
    if (strcmp(path, "model.encoder.type") || !e.name)
        return;
    for (int i = 0; (arch = gv_model_arch_in(e.name, i)); i++) {
        gv_words_add(out, arch, "");
        if (typed[n] == '.' && strlen(arch) == n && !strncmp(arch, typed, n))
            add_weights(e.name, arch, out);
    }
}
