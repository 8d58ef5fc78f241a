/* curve: a and b of 1 / (1 + a x^(2b)), least squares against the wished curve on 300 points (Levenberg and Marquardt). */
#include "umap/umap.h"
#include <math.h>

enum { POINTS = 300, ROUNDS = 200 };

static double wished(double x, double min_dist, double spread)
{
    return x < min_dist ? 1 : exp(-(x - min_dist) / spread);
}

static double squares(double a, double b, double min_dist, double spread)
{
    double sum = 0;
    for (int i = 0; i < POINTS; i++) {
        double x = 3 * spread * i / (POINTS - 1), e = 1 / (1 + a * pow(x, 2 * b)) - wished(x, min_dist, spread);
        sum += e * e;
    }
    return sum;
}

void gv_umap_curve(double min_dist, double spread, double *a, double *b)
{
    double damping = 1e-3, best;
    *a = *b = 1;
    best = squares(*a, *b, min_dist, spread);
    for (int round = 0; round < ROUNDS && damping < 1e12; round++) {
        double haa = 0, hab = 0, hbb = 0, ga = 0, gb = 0;
        for (int i = 1; i < POINTS; i++) { /* at 0 the curve is 1 whatever a and b */
            double x = 3 * spread * i / (POINTS - 1), p = pow(x, 2 * *b), f = 1 / (1 + *a * p), e = f - wished(x, min_dist, spread);
            double da = -f * f * p, db = -f * f * *a * p * 2 * log(x);
            haa += da * da, hab += da * db, hbb += db * db, ga += da * e, gb += db * e;
        }
        double aa = haa * (1 + damping), bb = hbb * (1 + damping), det = aa * bb - hab * hab;
        double na = *a - (bb * ga - hab * gb) / det, nb = *b - (aa * gb - hab * ga) / det;
        double now = na > 0 && nb > 0 ? squares(na, nb, min_dist, spread) : INFINITY;
        if (now <= best) {
            bool still = fabs(na - *a) < 1e-12 * na && fabs(nb - *b) < 1e-12 * nb;
            *a = na, *b = nb, best = now, damping /= 10;
            if (still)
                break;
        } else
            damping *= 10;
    }
}
