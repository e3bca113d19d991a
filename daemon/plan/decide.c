/*
 * The five questions of DESIGN.md 5, in order; the first that says no ends it.  Nothing here reads
 * a clock, a store or a file.
 */
#include "plan/decide.h"

#include <assert.h>

#include "base/dice.h"
#include "plan/zone.h"

const char *const verdict_names[VERDICTS] = { "send", "wait", "skip", "held" };
const char *const enrolment_state_names[ENROLMENT_STATES] = { "active", "done", "declined",
	"stopped", "held", "over" };
const char *const run_state_names[RUN_STATES] = { "scheduled", "approved", "paused", "cancelled",
	"over" };
const char *const reason_codes[REASONS] = {
	[REASON_SENT] = "sent",
	[REASON_QUIET] = "quiet-hours",
	[REASON_DAY_OFF] = "day-off",
	[REASON_HOLIDAY] = "holiday",
	[REASON_ABSENCE] = "absence",
	[REASON_OWN_TIMES] = "own-times",
	[REASON_NO_ZONE] = "no-zone",
	[REASON_BUDGET_WEEK] = "budget-week",
	[REASON_BUDGET_MONTH] = "budget-month",
	[REASON_BUDGET_GAP] = "budget-gap",
	[REASON_LATE] = "late",
	[REASON_EXPIRED] = "expired",
	[REASON_NOT_APPROVED] = "run-not-approved",
	[REASON_PAUSED] = "run-paused",
	[REASON_CANCELLED] = "run-cancelled",
	[REASON_OVER] = "run-over",
	[REASON_BEFORE_START] = "before-start",
	[REASON_NOT_IN_AUDIENCE] = "not-in-audience",
	[REASON_STOPPED] = "stopped",
	[REASON_DECLINED] = "declined",
	[REASON_DONE] = "done",
	[REASON_HOLDOUT] = "holdout",
	[REASON_RANDOM_HOLD] = "random-hold",
	[REASON_NO_MESSAGE] = "no-message",
	[REASON_NO_CHANNEL] = "no-channel",
	[REASON_NO_LANGUAGE] = "no-language",
	[REASON_FIGURES_HIDDEN] = "figures-hidden",
	[REASON_RELAXED_MESSENGER] = "relaxed-messenger",
	[REASON_RELAXED_CHANNEL] = "relaxed-channel",
	[REASON_RELAXED_ANGLE] = "relaxed-angle",
	[REASON_RELAXED_MESSAGE] = "relaxed-message",
	[REASON_VARIED_MESSAGE] = "varied-message",
	[REASON_VARIED_ANGLE] = "varied-angle",
	[REASON_VARIED_CHANNEL] = "varied-channel",
	[REASON_VARIED_MESSENGER] = "varied-messenger",
	[REASON_LOSS_AVOIDED] = "loss-frame-avoided",
	[REASON_UNANSWERED_CHANGE] = "unanswered-change",
	[REASON_UNANSWERED_OFFER] = "unanswered-offer",
	[REASON_THANKS] = "thanks",
	[REASON_FOLLOW_UP] = "follow-up",
	[REASON_DOWNTIME] = "downtime",
	[REASON_QUARANTINED] = "quarantined",
	[REASON_CLOCK_SUSPECT] = "clock-suspect",
	[REASON_ANSWERED_LATER] = "answered-later",
	[REASON_PRIORITY] = "priority",
	[REASON_MOVED_SLOT] = "moved-slot",
	[REASON_EVENT_MOVED] = "event-moved",
	[REASON_EVENT_NO_DAY] = "event-no-day",
	[REASON_RAMP] = "after-downtime",
};

void
reasons_add(struct reasons *r, enum reason why)
{
	for (int i = 0; i < r->n; i++)
		if (r->v[i] == why)
			return;
	if (r->n < REASONS_MAX)
		r->v[r->n++] = why;
}

static enum reason
rest_as_reason(enum rest_reason why)
{
	static const enum reason as[] = {
		[REST_NONE] = REASON_LATE,
		[REST_QUIET] = REASON_QUIET,
		[REST_DAY_OFF] = REASON_DAY_OFF,
		[REST_HOLIDAY] = REASON_HOLIDAY,
		[REST_ABSENCE] = REASON_ABSENCE,
		[REST_OWN_TIMES] = REASON_OWN_TIMES,
	};

	return as[why];
}

/* 1. Who: REASON_SENT when this person may get anything from this run. */
static enum reason
may_receive(const struct occasion *o)
{
	static const enum reason by_run[RUN_STATES] = { REASON_NOT_APPROVED, REASON_SENT,
		REASON_PAUSED, REASON_CANCELLED, REASON_OVER };
	static const enum reason by_state[ENROLMENT_STATES] = { REASON_SENT, REASON_DONE,
		REASON_DECLINED, REASON_STOPPED, REASON_SENT, REASON_OVER };

	if (by_run[o->run] != REASON_SENT)
		return by_run[o->run];
	if (o->stopped_all)
		return REASON_STOPPED;
	if (by_state[o->enrolment] != REASON_SENT)
		return by_state[o->enrolment];
	if (!o->in_audience)
		return REASON_NOT_IN_AUDIENCE;
	return o->zone == NULL ? REASON_NO_ZONE : REASON_SENT;
}

static struct civil
deadline_wall(const struct occasion *o)
{
	int64_t late = o->ask.campaign->rhythm.late.us / 1000000;
	struct civil c = civil_of_seconds(civil_seconds(o->place) + late);

	return o->has_next && civil_compare(o->next, c) < 0 ? o->next : c;
}

struct instant
occasion_deadline(const struct occasion *o)
{
	return zone_instant(o->zone, deadline_wall(o));
}

/*
 * 2. The first slot at or after `from`: within the moment's window of the day, on this day or the
 * next ones, outside all rest, before `until`.
 */
static bool
slot_find(const struct occasion *o, struct civil from, struct civil until, struct civil *ret,
    enum rest_reason *ret_why)
{
	const struct moment *m = &o->moment;
	int64_t length = civil_seconds(m->to) - civil_seconds(m->from);

	*ret_why = REST_NONE;
	if (length <= 0 || length >= 86400)
		return rest_next(o->rest, o->own, from, until, ret, ret_why);
	/* The window may run over midnight: begin with yesterday's. */
	for (struct civil day = { day_add(from.day, -1), m->from.second };
	    civil_compare(day, until) < 0; day.day.n++) {
		struct civil end = civil_of_seconds(civil_seconds(day) + length);
		struct civil begin = civil_compare(day, from) < 0 ? from : day;
		enum rest_reason why = REST_NONE;

		if (civil_compare(until, end) < 0)
			end = until;
		if (civil_compare(begin, end) >= 0)
			continue;
		if (rest_next(o->rest, o->own, begin, end, ret, &why))
			return true;
		if (*ret_why == REST_NONE)
			*ret_why = why;
	}
	return false;
}

static void
skip(struct decision *d, enum reason why)
{
	d->verdict = VERDICT_SKIP;
	reasons_add(&d->reasons, why);
}

/* Wait for the first slot from a wall time on, or skip when there is none before the deadline. */
static void
wait_or_skip(const struct occasion *o, struct civil from, enum reason why, struct decision *d)
{
	enum rest_reason rest;
	struct civil slot;

	if (!slot_find(o, from, deadline_wall(o), &slot, &rest)) {
		skip(d, why);
		return;
	}
	d->until = zone_instant(o->zone, slot);
	/* Across a gap or fold a later wall time can be an earlier instant: never stand still. */
	if (!instant_before(o->now, d->until))
		d->until = instant_add(o->now, SPAN_MINUTES(1));
	d->verdict = VERDICT_WAIT;
	reasons_add(&d->reasons, why);
}

/* The wall time from which an instant is over, to the minute, never before it. */
static struct civil
wall_after(const struct zone *z, struct instant t)
{
	struct civil c = zone_civil(z, instant_add(t, SPAN_OF(59, 1)));

	return civil_of_seconds(civil_seconds(c) - c.second % 60);
}

/* 2. When: true when now is a fitting moment. */
static bool
moment_judge(const struct occasion *o, struct decision *d)
{
	struct civil now = zone_civil(o->zone, o->now), slot;
	enum rest_reason why = REST_NONE;

	now.second -= now.second % 60; /* rest is to the minute: a late wake-up is still in its slot */
	if (civil_compare(deadline_wall(o), now) < 0) {
		skip(d, REASON_LATE);
		return false;
	}
	if (civil_compare(now, deadline_wall(o)) == 0 ||
	    !slot_find(o, now, deadline_wall(o), &slot, &why)) {
		skip(d, rest_as_reason(why));
		return false;
	}
	if (civil_compare(slot, now) <= 0)
		return true;
	wait_or_skip(o, slot, rest_as_reason(rest_at(o->rest, o->own, now)), d);
	if (d->verdict == VERDICT_WAIT && d->reasons.v[0] == REASON_LATE)
		d->reasons.v[0] = REASON_MOVED_SLOT;
	return false;
}

/* 3. Budget, and the more important message that is about to come. */
static bool
budget_allows(const struct occasion *o, struct decision *d)
{
	const struct house *h = &o->ask.rb->house;
	struct instant free;
	enum reason why;

	if (o->urgent)
		return true;
	why = budget_judge(h, o->spending, o->now, &free);
	if (why != REASON_SENT) {
		wait_or_skip(o, wall_after(o->zone, free), why, d);
		return false;
	}
	for (size_t i = 0; i < o->n_rivals; i++) {
		struct instant end = instant_add(o->rivals[i].at, h->budget_gap);

		if (o->rivals[i].priority <= o->ask.campaign->priority ||
		    instant_before(instant_add(o->now, h->budget_gap), o->rivals[i].at))
			continue;
		wait_or_skip(o, wall_after(o->zone, end), REASON_PRIORITY, d);
		return false;
	}
	return true;
}

static void
choose(const struct occasion *o, struct decision *d)
{
	const struct campaign *c = o->ask.campaign;
	const struct message *m;
	bool has_day, moved = false;
	enum reason why = vary_choose(&o->ask, &d->choice, &d->reasons);

	if (why != REASON_SENT) {
		skip(d, why);
		return;
	}
	d->verdict = VERDICT_SEND;
	d->probability = d->choice.probability;
	d->channels = 1u << d->choice.channel;
	m = &c->messages[d->choice.message];
	has_day = ask_event_day(&o->ask, m, &moved);
	for (unsigned ch = 0; c->together && ch < CHANNELS; ch++)
		if (c->weights[ch] > 0 && (m->channels == 0 || m->channels & 1u << ch) &&
		    o->ask.channels_ok & 1u << ch && (ch != CHANNEL_CALENDAR || has_day))
			d->channels |= 1u << ch;
	if (moved && d->channels & 1u << CHANNEL_CALENDAR)
		reasons_add(&d->reasons, REASON_EVENT_MOVED);
}

void
decide(const struct occasion *o, struct decision *ret)
{
	struct decision d = { .probability = 1 };
	enum reason why = may_receive(o);

	if (why != REASON_SENT)
		skip(&d, why);
	else if (moment_judge(o, &d)) {
		if (o->enrolment == ENROLMENT_HELD) {
			d.verdict = VERDICT_HELD;
			d.probability = o->hold;
			reasons_add(&d.reasons, REASON_HOLDOUT);
		} else if (budget_allows(o, &d))
			choose(o, &d);
	}
	*ret = d;
}
