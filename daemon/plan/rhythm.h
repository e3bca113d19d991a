/*
 * rhythm.h - on which local days a campaign's moments fall.
 *
 * Computed once per campaign and anchor date, without a zone, and shared by everyone who starts on
 * that date: a series.  A person's zone and place in the window come afterwards (plan/rest.h).
 * RRULEs are iterated by libical floating; what it gets wrong is refused with a reason
 * (LIBRARIES.md): SECONDLY, MINUTELY, HOURLY, BYSETPOS with WEEKLY or DAILY, BYWEEKNO.
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

/* ---- RRULE alone, for `nudge when` and tests ---- */
struct rrule;
/* NULL and a reason in English in *ret_why (static or in reason[]) when refused. */
struct rrule *rrule_new(const char *rule, struct civil start, char *reason, size_t room);
void rrule_free(struct rrule **r);
/* 0 or RHYTHM_OVER (also past the horizon, 400 years, or when it fires too rarely to be found). */
int rrule_next(struct rrule *r, struct civil *ret);

/* E012 and E013 of LINT.md for every campaign. */
void rhythm_check(const struct rulebase *rb, struct findings *f);
/* The length of a calendar period from a day on; minutes and hours are exact spans. */
struct civil period_add(struct period p, int64_t times, struct civil c);
#endif
