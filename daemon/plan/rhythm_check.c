/* E012: a rhythm that never fires, or too often.  E013: a window without any minute. */
#include <stdio.h>
#include <string.h>

#include "people/person.h"
#include "plan/rest.h"
#include "plan/rhythm.h"
#include "rules/findings.h"

enum { LEAST_MINUTES = 15 };

static void
often_check(const struct campaign *c, struct findings *f)
{
	const struct rhythm *r = &c->rhythm;

	if (r->kind == RHYTHM_EVERY && r->every.unit == UNIT_MINUTE && r->every.count < LEAST_MINUTES)
		finding_add(f, "E012", r->place,
		    "more often than every 15 minutes; nobody can be spoken to so often: write for instance every: 1 week");
	if (r->then.count > 0 && r->then.unit == UNIT_MINUTE && r->then.count < LEAST_MINUTES)
		finding_add(f, "E012", r->place, "`then` is more often than every 15 minutes: write for instance then: every month");
	for (size_t i = 1; i < r->n_after; i++)
		if (civil_compare(period_add(r->after[i], 1, (struct civil){ { 0 }, 0 }),
			period_add(r->after[i - 1], 1, (struct civil){ { 0 }, 0 })) <= 0)
			finding_add(f, "E012", r->place, "the distances of `after` must grow");
}

static void
rule_check(const struct campaign *c, struct day start, struct findings *f)
{
	const struct rhythm *r = &c->rhythm;
	char reason[160];
	struct rrule *rule = rrule_new(r->rrule, start, reason, sizeof reason);

	if (rule == NULL)
		finding_add(f, "E012", r->place, "rrule: %s", reason);
	else if (reason[0] != '\0')
		finding_add(f, "E012", r->place,
		    "rrule: BYHOUR, BYMINUTE and BYSECOND have no place here: the time of day comes from "
		    "`at:`");
	else if (!rrule_may_fire(rule))
		finding_add(f, "E012", r->place, "this rhythm never fires: no day fits its rule; take out the part that contradicts the others");
	rrule_free(&rule);
}

/* Does it fire at all, from any common start? */
static void
fires_check(const struct campaign *c, struct findings *f)
{
	const struct rhythm *r = &c->rhythm;
	struct civil start = { day_of(2026, 1, 1), 0 };
	struct moment m;

	if (r->kind == RHYTHM_RRULE) {
		rule_check(c, start.day, f);
		return;
	}
	struct series *s = series_new(r, start);

	if (series_moment(s, 0, &m) != 0)
		finding_add(f, "E012", r->place, "this rhythm never fires: it has no first moment; write for instance every: 2 weeks");
	series_free(&s);
}

/* The weekdays the rhythm may fall on, as far as it says so. */
static uint8_t
possible_days(const struct rhythm *r)
{
	return r->on != 0 ? r->on : 0x7f;
}

static void
window_check(const struct rulebase *rb, const struct campaign *c, struct findings *f)
{
	const struct rhythm *r = &c->rhythm;
	struct house plain = rb->house;
	struct own_times own = { 0 };
	struct civil found;
	char free_hours[64] = "";

	plain.holidays.n = 0; /* those move from year to year; weekdays and hours do not */
	struct rest *rest = rest_new(&plain, day_of(2026, 1, 1), day_of(2026, 1, 31), NULL);

	for (int d = 0; d < 7; d++) {
		struct day day = day_add(day_of(2026, 1, 5), d); /* a Monday and on */
		struct moment m = { { day, r->at.from * 60 },
			civil_of_seconds(((int64_t)day.n + (r->at.to <= r->at.from)) * 86400 +
					 (int64_t)r->at.to * 60) };

		if (possible_days(r) & 1u << d && rest_place(rest, &own, &m, 0, &found, NULL)) {
			rest_free(&rest);
			return;
		}
	}
	rest_free(&rest);
	if (rb->house.quiet.from != rb->house.quiet.to)
		snprintf(free_hours, sizeof free_hours, " within %02d:%02d-%02d:%02d", rb->house.quiet.to / 60,
		    rb->house.quiet.to % 60, rb->house.quiet.from / 60, rb->house.quiet.from % 60);
	finding_add(f, "E013", r->at.from != r->at.to ? r->at.place : r->place,
	    "the rest rules of house.yaml (quiet hours, days off) leave no minute of this window: put it%s on a "
	    "day that is not off, or change those rules",
	    free_hours);
}

void
rhythm_check(const struct rulebase *rb, struct findings *f)
{
	for (size_t i = 0; i < rb->n_campaigns; i++) {
		if (rb->campaigns[i].flawed)
			continue;
		often_check(&rb->campaigns[i], f);
		fires_check(&rb->campaigns[i], f);
		if (!rb->house.flawed)
			window_check(rb, &rb->campaigns[i], f);
	}
}
