/*
 * rhythm.h - on which local days a campaign's moments fall.
 *
 * Computed once per campaign and anchor date, without a zone, and shared by everyone who starts on
 * that date: a series.  A person's zone and place in the window come afterwards (plan/rest.h).
 * RRULEs (RFC 5545 3.3.10) are our own, of day or coarser frequency; SECONDLY, MINUTELY, HOURLY, RSCALE
 * and what the RFC forbids are refused with a reason.
 */
#ifndef NUDGED_PLAN_RHYTHM_H
#define NUDGED_PLAN_RHYTHM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "rules/rulebase.h"

struct findings;

/* One local moment: a day with a window on it, or (timed) exactly `from` on the wall. */
struct moment {
	struct civil from;
	struct civil to; /* exclusive; == from when it is one moment and not a window */
};

enum {
	RHYTHM_OVER = 1,    /* there is no k-th moment */
	RHYTHM_NO_ANCHOR,   /* the person lacks the date that `around` names */
};

struct series;
/*
 * The series of a rhythm from an anchor: the run's start (every, after, rrule), the person's date
 * (around), or the local time of the event (on_event).  Owned by the caller.
 */
struct series *series_new(const struct rhythm *r, struct civil anchor);
void series_free(struct series **s);
/* The k-th moment, 0-based, strictly increasing in k.  0, RHYTHM_OVER.  Amortised O(1). */
int series_moment(struct series *s, int64_t k, struct moment *ret);
/* The least k whose moment ends after c, or -1 when over. */
int64_t series_index_after(struct series *s, struct civil c);

/* ---- RRULE alone: series, holidays, `nudge when` and tests ---- */
struct rrule;
struct zone;
/*
 * From a date: days at 00:00.  BYHOUR, BYMINUTE and BYSECOND are ignored, as the RFC demands, and
 * reason[] then holds a sentence that says so; else it is "".  NULL: refused, and reason[] says why.
 * A start that the rule does not name is no occurrence.  UNTIL as a date means the end of that day.
 */
struct rrule *rrule_new(const char *rule, struct day start, char *reason, size_t room);
/*
 * From a wall time: those parts expand; what they leave out is the start's.  UNTIL in UTC is compared
 * in `zone` (which outlives the rule); with zone NULL it is read as wall time, as rrule_new() does.
 */
struct rrule *rrule_new_timed(
    const char *rule, struct civil start, const struct zone *zone, char *reason, size_t room);
void rrule_free(struct rrule **r);
/*
 * 0 or RHYTHM_OVER, strictly later each time.  It ends with the year 9999, and as soon as it is certain
 * that no other day fits: the calendar repeats every 400 years (some ms at worst).
 */
int rrule_next(struct rrule *r, struct civil *ret);
/* Whether any day fits from this start on or, for an INTERVAL, from a later one.  Uses the rule up. */
bool rrule_may_fire(struct rrule *r);

/* E012 and E013 of LINT.md for every campaign. */
void rhythm_check(const struct rulebase *rb, struct findings *f);
/* The length of a calendar period from a day on; minutes and hours are exact spans. */
struct civil period_add(struct period p, int64_t times, struct civil c);
#endif
