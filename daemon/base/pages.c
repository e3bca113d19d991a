#include "base/pages.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Only segments that are not writable: of those a private mapping holds the file's own bytes.  What
 * the linker wrote to and protected afterwards (RELRO) is in writable ones, so it stays.
 */
static int
give_back(struct dl_phdr_info *object, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t *total = arg;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t from, to;

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
			continue;
		/* Whole pages of it, so that no neighbour's are touched. */
		from = (object->dlpi_addr + segment->p_vaddr + page - 1) / page * page;
		to = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) / page * page;
		if (from >= to)
			continue;
		/* The kernel refuses its own (the vdso): nothing lost. */
		if (madvise((void *)from, to - from, MADV_DONTNEED) == 0)
			*total += to - from;
	}
	return 0;
}

size_t
pages_give_back(void)
{
	size_t total = 0;

	dl_iterate_phdr(give_back, &total);
	return total;
}
