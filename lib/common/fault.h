/* Faults on request, for tests: GV_FAIL=arena:3 makes the third call of gv_fault("arena") answer 1; GV_FAIL=io:7+ makes
 * the seventh and all after it fail. Without the variable every call answers 0. */
#ifndef GV_COMMON_FAULT_H
#define GV_COMMON_FAULT_H
int gv_fault(const char *kind);
#endif
