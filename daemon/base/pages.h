/*
 * pages.h - gives back the memory that only starting needed.
 *
 * Half of a small service's resident memory is what the dynamic linker read once: relocations and
 * symbol tables of some fifty libraries, and their start-up code.  Nothing asks for these pages
 * again, but they count until the machine is short of memory.
 */
#ifndef NUDGED_BASE_PAGES_H
#define NUDGED_BASE_PAGES_H
#include <stddef.h>
/*
 * Unmap the pages of programs and libraries that nobody can have written to.  They are still in the
 * files, so what is needed again is there again, for a soft page fault.  Returns how many bytes of
 * addresses that covered.
 */
size_t pages_give_back(void);
#endif
