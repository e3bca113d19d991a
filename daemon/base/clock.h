/* clock.h - the only place that reads a clock. */
#ifndef NUDGED_BASE_CLOCK_H
#define NUDGED_BASE_CLOCK_H
#include <stdbool.h>

#include "base/when.h"
struct instant clock_now(void);     /* the wall clock, UTC */
struct instant clock_monotonic(void); /* only differences mean anything */

/* Names this start of the machine; "" where /proc hides it. */
enum { BOOT_TEXT = 37 };
void clock_boot(char buf[static BOOT_TEXT]);

/* All that this machine knows about the time; engine/guard.h judges it. */
struct clock_reading {
	struct instant wall;
	struct span up;       /* since the machine started; goes on while it sleeps */
	int64_t boot;         /* which start of the machine; of the process where that is hidden */
	bool synchronised;    /* the kernel says that a time server disciplines the clock */
	struct instant built; /* when this program was built */
};
/* `wall` is the caller's reading, so that a unit of work has one. */
void clock_look(struct instant wall, struct clock_reading *ret);
#endif
