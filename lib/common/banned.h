/* Functions this project does not call. Included by the compiler before every file (-include), so a use does not compile. */
#ifndef GV_COMMON_BANNED_H
#define GV_COMMON_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef GV_WANTS_MSGPACK
#include <msgpack.h> /* inline functions that allocate */
#endif
#if defined(__x86_64__)
#include <mm_malloc.h> /* calls malloc; must be read before the poison */
#endif
#undef sprintf /* macros where clang reads the fortified headers */
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof
#ifndef GV_MAY_MALLOC /* lib/common owns memory: gv_alloc, gv_buf and arenas */
#pragma GCC poison malloc calloc realloc
#endif
#endif
