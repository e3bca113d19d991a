/*
 * zone.h - the wall clock of a place: the system's TZif files (RFC 9636) with their POSIX footer.
 *
 * The only code that turns wall-clock time into UTC and back.
 *   a missing local time  uses the offset before the gap   (02:30 -> 03:30)
 *   a doubled local time  is the first of the two          (RFC 5545 3.3.5)
 * Zones are loaded once and shared for the life of the process; only zones_refresh() changes them.
 */
#ifndef NUDGED_PLAN_ZONE_H
#define NUDGED_PLAN_ZONE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

struct zone;
struct text;

/* NULL when the name is unknown, unsafe (.., absolute) or its file is broken; never logs. */
const struct zone *zone_find(const char *name);
/* Read every known zone again; what is gone or broken stays.  Between two units of work. */
void zones_refresh(void);
uint64_t zone_hash(const struct zone *z); /* of its file */
const char *zone_name(const struct zone *z);
struct instant zone_instant(const struct zone *z, struct civil c);
struct civil zone_civil(const struct zone *z, struct instant t);
int32_t zone_offset(const struct zone *z, struct instant t); /* seconds east of UTC */
/* A VTIMEZONE (RFC 5545 3.6.5) good for `years` years from `from`; CRLF lines. */
void zone_vtimezone(const struct zone *z, struct instant from, int years, struct text *ret);
#endif
