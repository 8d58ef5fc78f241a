/* One micro kernel: ROWS points of one panel against all 32 of another. Included for each instruction set with NAME, FN (its attribute), V, LANES,
 * ROWS, ZERO, LOAD, STORE, SPREAD (a word to all lanes), MULADD defined; c is overwritten, or added to when `more`. */
FN static void NAME(const uint32_t *restrict a, const uint32_t *restrict b, int64_t depth, bool more, float *restrict c)
{
    enum { VS = GV_PANEL / LANES };
    V s[ROWS][VS];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VS; v++)
            s[r][v] = more ? LOAD(c + r * GV_BLOCK + v * LANES) : ZERO;
    for (int64_t k = 0; k < depth; k++) {
        V x[VS];
#pragma GCC unroll 4
        for (int v = 0; v < VS; v++)
            x[v] = LOAD((const float *)(const void *)(b + k * GV_PANEL + v * LANES));
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            V w = SPREAD(a + k * GV_PANEL + r);
#pragma GCC unroll 4
            for (int v = 0; v < VS; v++)
                s[r][v] = MULADD(w, x[v], s[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VS; v++)
            STORE(c + r * GV_BLOCK + v * LANES, s[r][v]);
}
#undef NAME
#undef FN
#undef V
#undef LANES
#undef ROWS
#undef ZERO
#undef LOAD
#undef STORE
#undef SPREAD
#undef MULADD
