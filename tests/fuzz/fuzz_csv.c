/* The CSV parser: every byte string ends in a row, an end or a place. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "people/csv.h"
#include "people/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 256 << 20);
	struct csv *c = arena_alloc(mem, 1, sizeof *c);
	const char *why;
	int rc;

	csv_init(c, mem, (const char *)data, size);
	while ((rc = csv_next(c)) == CSV_ROW)
		for (size_t i = 0; i < c->n; i++)
			if (address_parse(mem, c->field[i].text, &why) == NULL && why == NULL)
				abort();
	if (rc == CSV_BROKEN && (c->bad_line < 1 || c->bad_column < 1 || c->why == NULL))
		abort();
	arena_free(&mem);
	return 0;
}
