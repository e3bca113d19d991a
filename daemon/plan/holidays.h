/* holidays.h - the days of .ics files, as a sorted set.  libical stays behind this door. */
#ifndef NUDGED_PLAN_HOLIDAYS_H
#define NUDGED_PLAN_HOLIDAYS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/when.h"
struct holidays;
struct holidays *holidays_new(struct day from, struct day to);
void holidays_free(struct holidays **h);
/* All days that the events of a calendar touch; false and the reason when it is none. */
bool holidays_add(struct holidays *h, const char *ics, char *why, size_t room);
void holidays_sort(struct holidays *h);
bool holidays_has(const struct holidays *h, struct day d);
#endif
