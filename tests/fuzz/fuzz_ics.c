/* Holidays: hostile calendars end quickly and in bounds. */
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "plan/holidays.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 16 << 20);
	struct holidays *h = holidays_new(day_of(2020, 1, 1), day_of(2040, 1, 1));
	char why[160];

	holidays_add(h, arena_copyn(mem, (const char *)data, size), why, sizeof why);
	holidays_sort(h);
	holidays_has(h, day_of(2026, 12, 25));
	holidays_free(&h);
	arena_free(&mem);
	return 0;
}
