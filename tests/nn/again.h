/* For tests of kernels for several instruction sets: the test itself once more, with fewer of them. */
#ifndef GV_TESTS_NN_AGAIN_H
#define GV_TESTS_NN_AGAIN_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* `program isa`, in a process whose oneDNN, and so our own kernels, use no more than this instruction set ("DEFAULT": what there is). Did all its claims
 * hold? They are shown, but are none of ours. */
static inline bool again_with(const char *program, const char *isa)
{
    char command[4600], line[400];
    if (!strcmp(isa, "DEFAULT"))
        snprintf(command, sizeof command, "'%s' %s", program, isa);
    else
        snprintf(command, sizeof command, "ONEDNN_MAX_CPU_ISA=%s DNNL_MAX_CPU_ISA=%s '%s' %s", isa, isa, program, isa);
    fflush(stdout);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f))
        printf("# %s", line);
    return f && pclose(f) == 0;
}

#endif
