/*
 * Invitations whose event no longer holds: it moved (rules, zone, days off), or its person left.
 *
 * They are held against the rules and the people only when one of these changed; how far was looked
 * stands in the store, so that a change made while nothing ran is not missed.  A cancelled run, a
 * stop and an erasure mark their invitations themselves.  deliver/outbox/invitation.h says what follows.
 */
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/scope.h"
#include "base/text.h"
#include "engine/parts.h"
#include "people/people.h"
#include "settings.h"
#include "store/db.h"

enum { LOOK_BATCH = 256, OCCURRENCE_TEXT = 128, LOOK_SECONDS = 30 };

int
invitation_record(struct engine *e, const struct delivery *d, const struct letter *l)
{
	struct event_when when = compose_event(l);
	const struct invitation i = {
		.enrolment = d->enrolment,
		.person = d->person,
		.run = d->run,
		.occurrence = d->occurrence,
		.starts = when.starts,
		.ends = when.ends,
		.zone = zone_name(l->zone),
		.decided = d->created,
	};

	return invitation_add(e->o.db, &i);
}

/* ---- what a delivery about an invitation says ---- */

static void
event_told(struct engine *e, const struct invitation *i, struct letter *l)
{
	struct event_when *when = arena_alloc(e->mem, 1, sizeof *when);
	const struct zone *z = zone_find(i->zone);

	*when = (struct event_when){ i->starts, i->ends };
	l->event = when;
	l->decided = i->decided;
	if (z != NULL)
		l->zone = z;
}

/* Someone of whom only the address is left. */
static struct person *
erased_person(struct engine *e, const struct invitation *i)
{
	struct person *p = arena_alloc(e->mem, 1, sizeof *p);

	*p = (struct person){ .row = i->person, .id = "", .name = "", .email = i->address,
		.first_name = "", .language = "", .role = "", .time_zone = "", .team = "",
		.manager = "", .stage = "", .chat = "" };
	return p;
}

/* A withdrawal can be made when everything but the invitation itself is gone. */
static int
withdrawal_letter(struct engine *e, const struct delivery *d, const struct invitation *i,
    struct letter *l, const char **ret_why)
{
	const struct run *run = engine_run(e, d->run);
	struct person *p = NULL;
	int rc = i->address[0] != '\0' ? 1 : person_load(e->o.db, e->mem, d->person, &p);

	if (rc < 0)
		return rc;
	if (rc > 0)
		p = erased_person(e, i);
	if (p->email[0] == '\0') {
		*ret_why = "the person has no address";
		return 0;
	}
	if (run != NULL && run->campaign != NULL)
		*l = letter_of(e, run, p, d);
	else
		*l = (struct letter){ .language = house_language(&e->rb->house, d->language),
			.channel = CHANNEL_CALENDAR, .to = p, .delivery = d->row,
			.enrolment = d->enrolment, .occurrence = d->occurrence, .sent = d->created,
			.sequence = (int)d->sequence, .cancel = true };
	if (l->language < 0)
		l->language = 0;
	if (rc > 0 || (l->message != NULL && l->message->text[l->language].body == NULL))
		l->message = NULL; /* its title may greet somebody by name */
	l->zone = zone_find("UTC");
	event_told(e, i, l);
	return 0;
}

int
invitation_letter(
    struct engine *e, const struct delivery *d, struct letter *l, const char **ret_why)
{
	struct invitation i;
	int rc = invitation_find(e->o.db, e->mem, d->enrolment, d->occurrence, &i);

	if (rc < 0)
		return rc;
	if (rc > 0) {
		*ret_why = "the invitation is not on record";
		return 0;
	}
	if (d->kind == PARCEL_WITHDRAWAL)
		return withdrawal_letter(e, d, &i, l, ret_why);
	event_told(e, &i, l);
	return 0;
}

/* ---- what no longer holds ---- */

static int
look_at(struct engine *e, const struct invitation *i, struct instant now)
{
	const struct run *run = engine_run(e, i->run);
	const struct delivery d = { .row = i->delivery, .enrolment = i->enrolment,
		.person = i->person, .run = i->run, .occurrence = i->occurrence,
		.channel = CHANNEL_CALENDAR, .created = i->decided, .message = i->message,
		.messenger = i->messenger, .language = i->language, .number = i->number };
	struct invitation moved = *i;
	struct event_when when;
	struct letter l;
	struct person *p;
	int rc = person_load(e->o.db, e->mem, i->person, &p);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (p->left)
		return invitations_withdraw(e->o.db, INVITATIONS_OF_PERSON, i->person, now);
	if (run == NULL || run->campaign == NULL)
		return 0;
	l = letter_of(e, run, p, &d);
	/* Text, zone or free day are gone: what was told stands. */
	if (l.message == NULL || l.zone == NULL || (l.message->event.set && l.event == NULL))
		return 0;
	when = compose_event(&l);
	if ((when.starts.us == i->starts.us && when.ends.us == i->ends.us) ||
	    !instant_before(now, when.starts))
		return 0;
	moved.starts = when.starts;
	moved.ends = when.ends;
	moved.zone = zone_name(l.zone);
	return invitation_move(e->o.db, &moved, now);
}

/*
 * By pages of the order that moving an event changes: one that moves to later is looked at again,
 * and then is where it belongs.
 */
static int
look_through(struct engine *e, struct instant now, int64_t since)
{
	char occurrence[OCCURRENCE_TEXT];
	struct invitation *rows, after = { .occurrence = occurrence };
	size_t n = LOOK_BATCH;
	bool first = true;
	int rc = 0;

	while (rc == 0 && n == LOOK_BATCH) {
		arena_reset(e->mem);
		rc = invitations_ahead(
		    e->o.db, e->mem, now, since, first ? NULL : &after, LOOK_BATCH, &rows, &n);
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = look_at(e, &rows[i], now);
		if (rc == 0 && n > 0) {
			after = rows[n - 1];
			size_t len = strlen(after.occurrence);

			memcpy(occurrence, after.occurrence,
			    len < sizeof occurrence ? len + 1 : sizeof occurrence);
			occurrence[sizeof occurrence - 1] = '\0';
			after.occurrence = occurrence;
			first = false;
		}
	}
	arena_reset(e->mem);
	return rc;
}

static int
changes_look(struct engine *e, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int64_t rules = (int64_t)(hash_string(e->rb->hash) >> 2), people = 0;
	int rc = people_changed(e->o.db, &people);

	if (rc == 0 && !e->looked) {
		rc = meta_get(e->o.db, "invitations_rules", -1, &e->looked_rules);
		if (rc == 0)
			rc = meta_get(e->o.db, "invitations_people", INT64_MIN, &e->looked_people);
		e->looked = rc == 0;
	}
	if (rc < 0 || (rules == e->looked_rules && people <= e->looked_people))
		return rc;
	rc = db_begin(e->o.db);
	if (rc == 0)
		rc = people_changed(e->o.db, &people);
	if (rc == 0)
		rc = look_through(
		    e, now, rules == e->looked_rules ? e->looked_people : INT64_MIN);
	if (rc == 0)
		rc = meta_set(e->o.db, "invitations_rules", rules);
	if (rc == 0)
		rc = meta_set(e->o.db, "invitations_people", people);
	if (rc == 0)
		rc = db_commit(e->o.db);
	if (rc == 0) {
		e->looked_rules = rules;
		e->looked_people = people;
	}
	return rc;
}

int
withdraw_look(struct engine *e, struct instant now)
{
	bool waiting = false;
	int rc = changes_look(e, now);

	if (rc == 0)
		rc = invitations_waiting(e->o.db, &waiting);
	if (rc < 0 || !waiting)
		return rc;

	SCOPED(db_leave) struct db *tx = e->o.db;

	rc = db_begin(e->o.db);
	if (rc == 0)
		rc = invitations_follow(e->o.db, now, &waiting);
	if (rc < 0)
		return rc;
	bool erased = rc == INVITATIONS_ERASED;

	rc = db_commit(e->o.db);
	return rc == 0 && erased ? db_scrub(e->o.db) : rc;
}

int
withdraw_next(struct engine *e, struct instant now, struct instant *ret)
{
	bool waiting = false;
	int rc = invitations_waiting(e->o.db, &waiting);

	/* The courier settles between ticks; what follows from it (feeds too) is made in a tick. */
	if (rc == 0 && !waiting && engine_way(e, CHANNEL_CALENDAR) != WAY_SPOOL)
		rc = invitations_in_flight(e->o.db, &waiting);
	*ret = waiting ? instant_add(now, SPAN_OF(LOOK_SECONDS, 1)) : INSTANT_NEVER;
	return rc;
}
