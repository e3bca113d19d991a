/*
 * A person's own calendar feed: STATE/feeds/NAME.ics (beside the spool, which holds deliveries and
 * nothing else), what they are invited to from 30 days ago on.
 *
 * NAME is an HMAC of the person, so it cannot be guessed and is the same for ever; whoever serves
 * the folder over HTTPS needs no list of people.  A feed is written anew, whole, when a delivery of
 * one of its invitations is settled, and taken away when the person leaves or is erased.  The same
 * invitations give the same bytes.
 */
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/spool/spool.h"
#include "engine/parts.h"
#include "people/people.h"
#include "store/db.h"

enum { FEED_BATCH = 64, FEED_EVENTS = 400, FEED_DAYS = 30 };

static void
event_put(struct engine *e, const struct person *p, const struct invitation *i, struct text *ret)
{
	const struct run *run = engine_run(e, i->run);
	const struct delivery d = { .row = i->delivery, .enrolment = i->enrolment,
		.person = i->person, .run = i->run, .occurrence = i->occurrence,
		.channel = CHANNEL_CALENDAR, .sequence = i->sequence, .created = i->decided,
		.message = i->message, .messenger = i->messenger, .language = i->language,
		.number = i->number };
	struct event_when when = { i->starts, i->ends };
	struct letter l = { .language = house_language(&e->rb->house, i->language),
		.channel = CHANNEL_CALENDAR, .to = p, .enrolment = i->enrolment,
		.occurrence = i->occurrence, .sent = i->decided, .sequence = (int)i->sequence };

	if (run != NULL && run->campaign != NULL)
		l = letter_of(e, run, p, &d);
	if (l.language < 0)
		l.language = 0;
	if (l.message != NULL && (l.messenger == NULL || l.message->text[l.language].body == NULL))
		l.message = NULL;
	l.event = &when;
	compose_feed_event(e->compose, &e->o.key, &l, ret);
}

static int
feed_remove(struct engine *e, const char *name)
{
	int rc = spool_feed_remove(e->o.spool, name);

	return rc < 0 ? rc : 0;
}

static int
feed_write(struct engine *e, const struct person *p, const char *name, struct instant now)
{
	SCOPED(text_deinit) struct text ics = { 0 };
	struct invitation *rows;
	size_t n;
	int rc = invitations_of(e->o.db, e->mem, p->row, instant_sub(now, SPAN_DAYS(FEED_DAYS)),
	    FEED_EVENTS, &rows, &n);

	if (rc < 0)
		return rc;
	compose_feed_open(e->compose, &ics);
	while (n > 0) /* newest first in the store, so that the oldest are those left out */
		event_put(e, p, &rows[--n], &ics);
	compose_feed_close(&ics);
	return spool_feed_write(e->o.spool, name, &ics, e->o.durable);
}

static int
feed_renew(struct engine *e, int64_t person, struct instant now, char name[static TOKEN_ID_TEXT])
{
	struct person *p;
	int rc = person_load(e->o.db, e->mem, person, &p);

	name[0] = '\0';
	if (rc != 0)
		return rc < 0 ? rc : 0;
	token_id(&e->o.key, "feed", p->row, p->id, "calendar", name);
	return p->left ? feed_remove(e, name) : feed_write(e, p, name, now);
}

static int
gone_remove(struct engine *e)
{
	const char *names[FEED_BATCH];
	size_t n = 0;
	int rc = feeds_gone(e->o.db, e->mem, FEED_BATCH, names, &n);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = feed_remove(e, names[i]);
		if (rc == 0)
			rc = feed_removed(e->o.db, names[i]);
	}
	return rc;
}

/* The files first, then the record that they are fresh: a crash between repeats the files. */
static int
batch_write(struct engine *e, const int64_t *people, size_t n, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	char names[FEED_BATCH][TOKEN_ID_TEXT];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = feed_renew(e, people[i], now, names[i]);
	if (rc == 0)
		rc = db_begin(e->o.db);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = feed_fresh(e->o.db, people[i], names[i]);
		if (rc > 0)
			rc = names[i][0] != '\0' ? feed_remove(e, names[i]) : 0;
	}
	return rc == 0 ? db_commit(e->o.db) : rc;
}

int
feeds_write(struct engine *e, struct instant now)
{
	int64_t people[FEED_BATCH];
	size_t n = FEED_BATCH;
	int rc = 0;

	if (e->o.spool == NULL)
		return 0;
	rc = gone_remove(e);
	while (rc == 0 && n == FEED_BATCH) {
		rc = feeds_stale(e->o.db, FEED_BATCH, people, &n);
		if (rc < 0 || n == 0)
			return rc;
		rc = batch_write(e, people, n, now);
		arena_reset(e->mem);
	}
	return rc;
}
