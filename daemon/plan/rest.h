/*
 * rest.h - when a person is left alone, and the next slot when they are not.
 *
 * Rest = quiet hours (may run over midnight) + days off + holidays + the person's absence
 * (columns absence_from / absence_until, dates, both inclusive) + the person's own times (columns
 * work_days "monday tuesday", work_hours "09:00-17:00": only then).  All in the person's zone.
 * Columns that do not parse make the person rest always (reason REST_ABSENCE): err on silence.
 */
#ifndef NUDGED_PLAN_REST_H
#define NUDGED_PLAN_REST_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
#include "plan/rhythm.h"

struct arena;
struct event_time;
struct findings;
struct house;
struct person;
struct rest; /* compiled from a house: quiet, days off, a sorted set of holidays */
struct zone;

enum rest_reason { REST_NONE, REST_QUIET, REST_DAY_OFF, REST_HOLIDAY, REST_ABSENCE, REST_OWN_TIMES };
extern const char *const rest_reason_names[6]; /* "" quiet-hours day-off holiday absence own-times */

/* Holidays from the house's .ics bytes (all-day or timed, RRULE, EXDATE, RDATE, overrides);
 * what is wrong in them goes to f (may be NULL).  Covers from..to. */
struct rest *rest_new(const struct house *h, struct day from, struct day to, struct findings *f);
void rest_free(struct rest **r);

/* What a person's own columns add; parsed once per person. */
struct own_times {
	bool broken;
	bool absent_set;
	struct day absent_from, absent_until;
	uint8_t days;      /* 0: all */
	int from, to;      /* minutes; equal: all day */
};
void own_times_of(const struct person *p, struct own_times *ret);

/* Why the person is left alone on a whole day, whatever the hour; REST_NONE. */
enum rest_reason rest_day(const struct rest *r, const struct own_times *own, struct day d);
/*
 * The day of an event that is told on `today`: the one that was written, or, when that is rest, the
 * first free one of the 14 days after it.  false: there is none.
 */
bool rest_event_day(const struct rest *r, const struct own_times *own, struct day today,
    const struct event_time *e, struct day *ret);
/* Is the person at rest at this wall time?  Why? */
enum rest_reason rest_at(const struct rest *r, const struct own_times *own, struct civil c);
/*
 * The first wall time t with from <= t < until at which the person is not at rest, to the minute;
 * false when there is none, and *ret_why (may be NULL) is what stood in the way at `from`.
 */
bool rest_next(const struct rest *r, const struct own_times *own, struct civil from,
    struct civil until, struct civil *ret, enum rest_reason *ret_why);
/*
 * A person's stable place in a moment's window: `share` in [0,1) of the minutes of [from, to) that
 * are not rest.  false when none is left.
 */
bool rest_place(const struct rest *r, const struct own_times *own, const struct moment *m,
    double share, struct civil *ret, enum rest_reason *ret_why);
#endif
