/* fault: the n-th call of a kind fails when GV_FAIL says so. */
#include "common/fault.h"

int gv_fault(const char *kind)
{
    static const char *want = "";
    static long nth, count;
    static int forever;
    if (want && !*want) {
        want = getenv("GV_FAIL");
        const char *colon = want ? strchr(want, ':') : NULL;
        if (!colon)
            want = NULL;
        else {
            nth = strtol(colon + 1, NULL, 10);
            forever = want[strlen(want) - 1] == '+';
        }
    }
    if (!want)
        return 0;
    size_t n = strlen(kind);
    if (strncmp(want, kind, n) || want[n] != ':')
        return 0;
    count++;
    return count == nth || (forever && count > nth);
}
