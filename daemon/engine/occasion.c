/*
 * One due row: gather what decide() needs, call it, record what it said and plan the next moment,
 * all in the caller's transaction.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/scope.h"
#include "base/text.h"
#include "engine/parts.h"
#include "people/people.h"
#include "settings.h"
#include "store/db.h"

enum { RIVALS = 16 };

/* What one occasion is made of. */
struct scene {
	const struct run *run;
	const struct campaign *campaign;
	struct enrolment n;
	struct person *p;
	struct plan plan;
	struct own_times own;
	struct history history;
	struct spending spending;
	struct rival rivals[RIVALS];
	struct occasion o;
	struct decision d;
	const char *occurrence;
	bool follow; /* a thanks: not of the rhythm */
	bool offer;  /* the talk offered after silence */
};

/* A hook reaches a person only where the chat that reaches persons is configured. */
static bool
chat_reaches(const struct engine *e)
{
	return engine_way(e, CHANNEL_CHAT) == WAY_SPOOL ||
	       settings_chat(e->o.settings, "people") != NULL;
}

unsigned
person_channels(const struct engine *e, const struct person *p)
{
	unsigned bits = 1u << CHANNEL_PRINT;

	if (p->email[0] != '\0')
		bits |= 1u << CHANNEL_EMAIL | 1u << CHANNEL_CALENDAR;
	if (p->chat[0] != '\0' && chat_reaches(e))
		bits |= 1u << CHANNEL_CHAT;
	return bits;
}

static unsigned
person_messengers(struct engine *e, const struct person *p)
{
	unsigned bits = 0;
	struct face face;

	for (size_t i = 0; i < e->rb->house.n_messengers; i++)
		if (messenger_face(e, &e->rb->house.messengers[i], p, 0, &face))
			bits |= 1u << i;
	return bits;
}

/* RELIABILITY.md 4: local date, source and index; a thanks is keyed by the answer it is for. */
static const char *
occurrence_key(struct engine *e, const struct scene *s, const struct due *d)
{
	char day[DAY_TEXT];

	day_format(d->wall.day, day);
	if (s->follow)
		return arena_printf(e->mem, "%s/t%" PRId64, day, -d->k);
	if (s->n.source != 0)
		return arena_printf(e->mem, "%s/e%" PRId64 ".%" PRId64, day, s->n.source, d->k);
	return arena_printf(e->mem, "%s/%" PRId64, day, d->k);
}

/* Messages whose live figures are hidden now: flags in the batch's memory. */
static int
figures_hide(struct engine *e, struct scene *s)
{
	const struct campaign *c = s->campaign;
	int *hidden = NULL;
	int64_t n, done, team_n, team_done, least = e->rb->house.smallest_group;

	for (size_t i = 0; i < c->n_messages; i++) {
		if (!compose_uses_figures(e->compose, &c->messages[i]))
			continue;
		if (hidden == NULL) {
			int rc = figures_load(e, s->run, s->p->team, &n, &done, &team_n, &team_done);

			if (rc < 0)
				return rc;
			hidden = arena_alloc(e->mem, c->n_messages, sizeof *hidden);
		}
		hidden[i] = done < least || n - done < least;
	}
	s->o.ask.hidden = hidden;
	return 0;
}

/* After so many messages without an answer the approach changes (campaign.yaml, unanswered). */
static void
unanswered_turn(struct scene *s, struct reasons *ret)
{
	const struct campaign *c = s->campaign;

	if (c->unanswered_after == 0 || s->n.unanswered < c->unanswered_after || s->follow)
		return;
	if (c->unanswered_then == FOLLOW_MESSAGE && !s->n.offered) {
		const struct message *m = campaign_message(c, c->unanswered_message);

		if (m != NULL) {
			s->offer = true;
			s->o.ask.only_message = m->index;
			reasons_add(ret, REASON_UNANSWERED_OFFER);
		}
	} else if (c->unanswered_then == FOLLOW_CHANGE)
		reasons_add(ret, REASON_UNANSWERED_CHANGE);
	else if (c->unanswered_then == FOLLOW_SLOW)
		s->n.slowed = true;
	else if (c->unanswered_then == FOLLOW_STOP)
		s->n.state = ENROLMENT_OVER;
}

static void
occasion_fill(struct engine *e, struct scene *s, const struct due *d, struct instant now)
{
	struct plan next;

	own_times_of(s->p, &s->own);
	s->o = (struct occasion){
		.ask = {
			.rb = e->rb,
			.campaign = s->campaign,
			.person = s->p,
			.history = &s->history,
			.channels_ok = person_channels(e, s->p),
			.messengers_ok = person_messengers(e, s->p),
			.seed = dice_bits(e->o.seed, "person", hash_string(s->run->id),
			    hash_string(s->p->id)),
			.occurrence = (int64_t)hash_string(s->occurrence),
			.rest = e->rest,
			.own = &s->own,
			.only_message = -1,
		},
		.run = s->run->state,
		.in_audience = run_has_person(s->run, s->p),
		.enrolment = s->n.state,
		.zone = person_zone(e, s->p),
		.rest = e->rest,
		.own = &s->own,
		.moment = s->plan.moment,
		.place = s->plan.place,
		.now = now,
		.spending = &s->spending,
		.rivals = s->rivals,
		.hold = s->campaign->holdout,
	};
	if (s->o.zone != NULL)
		s->o.ask.today = zone_civil(s->o.zone, now).day;
	if (!s->follow && s->o.zone != NULL &&
	    plan_moment(e, s->run, &s->n, s->p, s->o.zone, d->k + 1, &next) == 0) {
		s->o.has_next = true;
		s->o.next = next.moment.from;
	}
	if (s->follow) {
		const struct message *m = campaign_message(s->campaign, d->follow);

		s->o.urgent = true;
		s->o.ask.only_message = m != NULL ? m->index : -1;
		if (s->n.state == ENROLMENT_DONE)
			s->o.enrolment = ENROLMENT_ACTIVE;
	}
}

static int
look_back(struct engine *e, struct scene *s, struct instant now)
{
	const struct campaign *c = s->campaign;
	uint16_t *uses = arena_alloc(e->mem, c->n_messages + 1, sizeof *uses);
	enum frame last = FRAME_NONE;
	struct instant free;
	int rc = spending_load(e, s->n.person, now, &s->spending, &last);

	s->history.last_frame = last;
	if (rc < 0)
		return rc;
	/* Over budget it waits or is skipped, whatever came before and whoever comes next. */
	if (!s->follow && budget_judge(&e->rb->house, &s->spending, now, &free) != REASON_SENT)
		return 0;
	rc = history_load(e, &s->n, c, &s->history, uses);
	s->history.last_frame = last;
	if (rc == 0)
		rc = rivals_load(e, c, &s->n, now,
		    instant_add(now, e->rb->house.budget_gap), s->rivals, RIVALS, &s->o.n_rivals);
	return rc == 0 ? figures_hide(e, s) : rc;
}

static void
tell(struct engine *e, const struct scene *s, struct instant now)
{
	const char *reasons[REASONS_MAX];
	const struct house *h = &e->rb->house;
	SCOPED(text_deinit) struct text subject = { 0 };
	struct decision_line line = {
		.time = now,
		.offset = s->o.zone != NULL ? zone_offset(s->o.zone, now) : 0,
		.person = s->p->id,
		.run = s->run->id,
		.campaign = s->campaign->id,
		.occurrence = s->occurrence,
		.verdict = (int)s->d.verdict,
		.reasons = reasons,
		.n_reasons = s->d.reasons.n,
		.probability = s->d.probability,
		.number = s->n.total + 1,
	};

	if (e->o.on_decision == NULL)
		return;
	for (int i = 0; i < s->d.reasons.n; i++)
		reasons[i] = reason_codes[s->d.reasons.v[i]];
	if (s->d.verdict == VERDICT_SEND) {
		const struct message *m = &s->campaign->messages[s->d.choice.message];
		struct delivery row = { .enrolment = s->n.row,
			.occurrence = s->occurrence,
			.channel = (int)s->d.choice.channel,
			.created = now,
			.expires = now,
			.message = m->id,
			.messenger = h->messengers[s->d.choice.messenger].id,
			.language = h->languages[s->d.choice.language],
			.number = s->n.total + 1 };
		struct letter l = letter_of(e, s->run, s->p, &row);

		compose_subject(e->compose, &e->o.key, &l, &subject);
		line.message = m->id;
		line.angle = m->angle >= 0 ? h->angles.v[m->angle] : NULL;
		line.frame = m->frame != FRAME_NONE ? frame_names[m->frame] : NULL;
		line.channel = channel_names[s->d.choice.channel];
		line.messenger = row.messenger;
		line.language = row.language;
		line.subject = text_string(&subject);
	}
	e->o.on_decision(e->o.arg, &line);
}

/*
 * The earliest of the next occurrence, the end of that local day and 24 h; an invitation's at the
 * beginning of its event.
 */
static struct instant
delivery_expiry(const struct scene *s, struct instant now)
{
	struct civil c = zone_civil(s->o.zone, now);
	struct instant end = zone_instant(s->o.zone, (struct civil){ day_add(c.day, 1), 0 });

	if (s->o.has_next) {
		struct instant next = zone_instant(s->o.zone, s->o.next);

		if (instant_before(next, end))
			end = next;
	}
	return end;
}

/*
 * Where paper has its hour, a sheet waits for the next batch and at most a day longer; one that the
 * next message would overtake before that does not wait.
 */
static void
sheet_times(struct engine *e, const struct scene *s, struct instant now, struct delivery *d)
{
	struct instant next =
	    s->o.has_next ? zone_instant(s->o.zone, s->o.next) : INSTANT_NEVER;
	struct instant at, end;

	if (e->o.settings->print_at == PRINT_AT_ONCE)
		return;
	at = batch_moment(e, now);
	end = instant_add(at, SPAN_HOURS(24));
	if (!instant_before(at, next))
		return;
	d->due = at;
	d->expires = instant_before(next, end) ? next : end;
}

static int
invite_record(struct engine *e, const struct scene *s, const struct delivery *row)
{
	struct letter l = letter_of(e, s->run, s->p, row);

	return invitation_record(e, row, &l);
}

static int
send_record(struct engine *e, struct scene *s, struct instant now)
{
	const struct message *m = &s->campaign->messages[s->d.choice.message];
	struct delivery row = {
		.enrolment = s->n.row,
		.person = s->n.person,
		.run = s->run->row,
		.occurrence = s->occurrence,
		.created = now,
		.expires = delivery_expiry(s, now),
		.message = m->id,
		.messenger = e->rb->house.messengers[s->d.choice.messenger].id,
		.language = e->rb->house.languages[s->d.choice.language],
		.number = s->n.total + 1,
	};
	int rc = 0;

	for (unsigned ch = 0; rc == 0 && ch < CHANNELS; ch++)
		if (s->d.channels & 1u << ch) {
			struct delivery d = row;

			d.channel = (int)ch;
			d.destination = engine_destination(e, (int)ch);
			if (ch == CHANNEL_PRINT)
				sheet_times(e, s, now, &d);
			rc = outbox_add(e->o.db, &d);
			if (rc == 0 && ch == CHANNEL_CALENDAR)
				rc = invite_record(e, s, &d);
		}
	if (rc == 0)
		rc = contact_add(e->o.db, s->n.person, now, s->n.row, m->frame);
	s->n.total++;
	if (!s->follow)
		s->n.unanswered++;
	if (s->offer) {
		s->n.offered = true;
		s->n.unanswered = 0;
	}
	return rc;
}

static int
record(struct engine *e, struct scene *s, const struct due *d, struct instant now)
{
	int rc = decision_save(e, &s->n, s->occurrence, now, &s->d, s->campaign, s->n.total + 1);

	tell(e, s, now);
	if (rc == 0 && s->d.verdict == VERDICT_SEND)
		rc = send_record(e, s, now);
	if (rc < 0)
		return rc;
	if (s->d.verdict == VERDICT_WAIT) {
		rc = due_put(e->o.db, s->d.until, s->n.row, d->k, d->wall, d->follow);
		return rc < 0 ? rc : enrolment_save(e->o.db, &s->n);
	}
	if (s->follow)
		return enrolment_save(e->o.db, &s->n);
	/* Who slowed down hears every other moment only. */
	return plan_next(e, s->run, &s->n, s->p, d->k + 1 + s->n.slowed, now);
}

/* The newest moment that has come: what lies between was missed while nothing ran. */
static int64_t
newest_due(struct engine *e, const struct scene *s, const struct due *d, const struct zone *z,
    struct instant now)
{
	struct plan later;
	int64_t k = d->k;

	while (plan_moment(e, s->run, &s->n, s->p, z, k + 1, &later) == 0 &&
	       !instant_before(now, later.at))
		k++;
	return k;
}

/* Missed moments collapse to the newest; the older one is told as skipped, never piled up. */
static int
collapse(struct engine *e, struct scene *s, const struct due *d, int64_t newest,
    struct instant now)
{
	struct plan plan;
	int rc;

	s->d = (struct decision){ .verdict = VERDICT_SKIP, .probability = 1 };
	reasons_add(&s->d.reasons, REASON_DOWNTIME);
	rc = decision_save(e, &s->n, s->occurrence, now, &s->d, s->campaign, s->n.total + 1);
	tell(e, s, now);
	if (rc == 0)
		rc = plan_moment(e, s->run, &s->n, s->p, s->o.zone, newest, &plan);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	s->n.k = newest;
	rc = due_put(e->o.db, plan.at, s->n.row, newest, plan.place, "");
	return rc < 0 ? rc : enrolment_save(e->o.db, &s->n);
	(void)d;
}

/* A later cycle of a repeated run begins afresh for who was done or declined in an earlier one. */
static void
cycle_begin(struct scene *s, const struct due *d)
{
	if (d->k != 0 || s->follow || s->n.anchor.day.n == s->run->start.n)
		return;
	if (s->n.state == ENROLMENT_DONE || s->n.state == ENROLMENT_DECLINED) {
		s->n.state = ENROLMENT_ACTIVE;
		s->n.unanswered = 0;
		s->n.offered = false;
	}
}

int
occasion_handle(struct engine *e, const struct due *d, struct instant now)
{
	struct scene s = { .run = d->run, .follow = d->follow[0] != '\0' };
	struct reasons turn = { 0 };
	int rc;

	/* A run whose campaign left the rule base rests: its queue is planned again when it is back. */
	if (d->run == NULL || d->run->campaign == NULL)
		return due_put(
		    e->o.db, instant_add(now, SPAN_HOURS(24)), d->enrolment, d->k, d->wall, d->follow);
	s.campaign = d->run->campaign;
	rc = enrolment_load(e->o.db, d->enrolment, &s.n);
	if (rc == 0)
		rc = person_load(e->o.db, e->mem, s.n.person, &s.p);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (d->run->state == RUN_PAUSED || d->run->state == RUN_SCHEDULED)
		return due_put(
		    e->o.db, instant_add(now, SPAN_HOURS(1)), d->enrolment, d->k, d->wall, d->follow);
	const struct zone *z = person_zone(e, s.p);

	if (z == NULL)
		return due_put(
		    e->o.db, instant_add(now, SPAN_HOURS(24)), d->enrolment, d->k, d->wall, d->follow);
	cycle_begin(&s, d);
	s.occurrence = occurrence_key(e, &s, d);
	s.plan = (struct plan){ .k = d->k, .moment = { d->wall, d->wall }, .place = d->wall };
	if (!s.follow && (rc = plan_moment(e, d->run, &s.n, s.p, z, d->k, &s.plan)) < 0)
		return rc;
	occasion_fill(e, &s, d, now);
	/* The zone's rules or the person's moved the moment: it has not come yet. */
	if (!s.follow && instant_before(instant_add(now, SPAN_MINUTES(1)), s.plan.at))
		return due_put(e->o.db, s.plan.at, d->enrolment, d->k, s.plan.place, "");
	if (!s.follow) {
		int64_t newest = newest_due(e, &s, d, z, now);

		if (newest > d->k)
			return collapse(e, &s, d, newest, now);
	}
	rc = look_back(e, &s, now);
	if (rc < 0)
		return rc;
	unanswered_turn(&s, &turn);
	s.o.enrolment = s.n.state == ENROLMENT_DONE && s.follow ? ENROLMENT_ACTIVE : s.n.state;
	if (s.follow)
		reasons_add(&turn, REASON_THANKS);
	decide(&s.o, &s.d);
	for (int i = 0; i < turn.n && s.d.verdict == VERDICT_SEND; i++)
		reasons_add(&s.d.reasons, turn.v[i]);
	if (s.d.verdict == VERDICT_SEND && !s.follow && !ramp_take(e, now, &s.d.until)) {
		s.d.verdict = VERDICT_WAIT;
		s.d.reasons = (struct reasons){ 0 };
		reasons_add(&s.d.reasons, REASON_RAMP);
	}
	return record(e, &s, d, now);
}
