/* Rules: whatever the text, it is refused with a reason, or its moments go up from the start and end. */
#include <assert.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "plan/rhythm.h"
#include "plan/zone.h"

enum { MOMENTS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct rrule *r, const char *reason, struct civil start)
{
	struct civil last = start, c;

	assert(r != NULL || reason[0] != '\0');
	for (int i = 0; r != NULL && i < MOMENTS && rrule_next(r, &c) == 0; i++) {
		assert(civil_compare(last, c) < (i > 0 ? 0 : 1));
		assert(c.second >= 0 && c.second < 86400);
		last = c;
	}
	rrule_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 1 << 20);
	struct civil start = { day_of(2024, 2, 29), 34200 };
	const char *rule;
	char reason[160];

	if (size > 8192)
		size = 8192;
	rule = arena_copyn(mem, (const char *)data, size);
	walk(rrule_new_timed(rule, start, zone_find("Africa/Casablanca"), reason, sizeof reason), reason,
	    start);
	start.second = 0;
	walk(rrule_new(rule, start.day, reason, sizeof reason), reason, start);
	arena_free(&mem);
	return 0;
}
