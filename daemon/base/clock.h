/* clock.h - the only place that reads a clock. */
#ifndef NUDGED_BASE_CLOCK_H
#define NUDGED_BASE_CLOCK_H
#include "base/when.h"
struct instant clock_now(void);     /* the wall clock, UTC */
struct instant clock_monotonic(void); /* only differences mean anything */
#endif
