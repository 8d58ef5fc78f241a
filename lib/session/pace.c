/* pace: rates of passes, and the time that is left. */
#include "session/pace.h"

void gv_pace_begin(gv_pace *p, int pass, double now)
{
    p->pass = pass;
    p->began = now;
    p->seen = 0;
}

void gv_pace_add(gv_pace *p, int64_t samples)
{
    p->seen += samples;
}

void gv_pace_end(gv_pace *p, double now)
{
    if (p->began > 0 && now > p->began && p->seen > 0)
        p->rate[p->pass] = (double)p->seen / (now - p->began);
    p->began = 0;
}

double gv_pace_rate(const gv_pace *p, int pass, double now)
{
    double spent = now - p->began;
    if (p->began > 0 && p->pass == pass && p->seen > 0 && spent > 0 && (spent >= 1 || p->rate[pass] <= 0))
        return (double)p->seen / spent;
    return p->rate[pass];
}

double gv_pace_left(const gv_pace *p, int64_t train, int64_t val, double now)
{
    double t = gv_pace_rate(p, GV_PACE_TRAIN, now), v = gv_pace_rate(p, GV_PACE_VAL, now);
    if (v <= 0)
        v = 3 * t;
    if ((train > 0 && t <= 0) || (val > 0 && v <= 0))
        return -1;
    return (train > 0 ? (double)train / t : 0) + (val > 0 ? (double)val / v : 0);
}
