/* Sums along a row in a fixed order that the compiler can vectorise: GV_LANES partial sums, added pairwise. Included by types.h through
 * an op's file; LANES(name) names the functions. */
enum { F(LANES(n)) = 32 };

#define GV_LANE_SUM(result, count, e) do { \
        A lane_[F(LANES(n))] = { 0 }; \
        int64_t i = 0, n_ = (count); \
        for (; i + F(LANES(n)) <= n_; i += F(LANES(n))) \
            for (int l_ = 0; l_ < F(LANES(n)); l_++) { int64_t at = i + l_; lane_[l_] += (e); } \
        for (; i < n_; i++) { int64_t at = i; lane_[i % F(LANES(n))] += (e); } \
        for (int h_ = F(LANES(n)) / 2; h_; h_ /= 2) \
            for (int l_ = 0; l_ < h_; l_++) lane_[l_] += lane_[l_ + h_]; \
        (result) = lane_[0]; \
    } while (0)
