/* What the units for volumes share. They work on images too: an axis fewer. */
#ifndef GV_AUGMENT_VOLUMES_H
#define GV_AUGMENT_VOLUMES_H

#include "augment/augment.h"
#include "sample/volume.h"

/* One channel changed; what it draws comes from rng. */
typedef int gv_channel_change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err);

/* The sample as float32; with chance p each channel with chance p_channel through change. Draws: p, then for each channel its
 * chance followed by what change draws. */
int gv_augment_channels(gv_sample *x, double p, double p_channel, gv_channel_change *change, const void *params, gv_rng *rng, gv_arena *scratch, gv_err *err) GV_MUST_USE;

/* A factor around 1: half of the time from lo … 1, where lo is below, and else from max(lo, 1) … hi. Two numbers. */
double gv_rng_balanced(gv_rng *rng, double lo, double hi);

/* A bump for a volume: for each axis its centre, -0.5 … 1.5 sides, and its deviation, max(1, n/6) … n, uniform in the logarithm. */
void gv_draw_bump(const gv_volume *v, gv_rng *rng, gv_bump *b);

/* The axes whose side is the one that most axes share; their number, 0 where no two are alike. */
int gv_equal_axes(const gv_sample *x, int axis[GV_MAX_DIMS]);
/* A turn by quarters in the plane of axes a < b, as NumPy's rot90 turns, for gv_sample_reorder. */
void gv_quarter_turns(int axes, int quarters, int a, int b, int order[GV_MAX_DIMS], bool flip[GV_MAX_DIMS]);

/* Whether the slices of a volume of those sides are changed in their plane alone. */
enum { GV_DUMMY_2D_NEVER, GV_DUMMY_2D_ANISOTROPIC, GV_DUMMY_2D_ALWAYS };
extern const char *const gv_dummy_2d_names[];
bool gv_dummy_2d(int when, int axes, const int64_t *side);

#endif
