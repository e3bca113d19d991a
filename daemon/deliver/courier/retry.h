/*
 * retry.h - when to try again: base 60 s, factor 4, at most 1 h, full jitter, never under 30 s
 * (RELIABILITY.md 3).  Full jitter spreads those that failed together evenly over the whole span.
 */
#ifndef NUDGED_DELIVER_RETRY_H
#define NUDGED_DELIVER_RETRY_H
#include "base/when.h"
/* After the attempts-th failure (1 the first); unit in [0, 1) is the draw. */
struct span retry_span(int64_t attempts, double unit);
#endif
