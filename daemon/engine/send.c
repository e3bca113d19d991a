/*
 * From an outbox row to the bytes of its channel.
 *
 * A delivery that cannot be composed (its text left the rule base, the person is gone) is dead
 * with its reason and never in the way of its queue.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/spool/spool.h"
#include "engine/parts.h"
#include "people/people.h"
#include "settings.h"
#include "store/db.h"

/* Looked up once while the roster stays as it is: every decision asks whether its manager may speak. */
static const struct manager *
manager_find(struct engine *e, const char *id)
{
	struct manager **chain = &e->managers[hash_string(id) % MANAGER_CHAINS], *m = *chain;
	struct person *p = NULL;
	int rc;

	for (; m != NULL; m = m->next)
		if (strcmp(m->id, id) == 0)
			return m;
	rc = person_find(e->o.db, e->mem, id, &p);
	if (rc < 0)
		return NULL;
	m = arena_alloc(e->n_managers < MANAGERS_KEPT ? e->face_mem : e->mem, 1, sizeof *m);
	*m = (struct manager){ .id = id };
	if (rc == 0 && !p->left) {
		m->name = p->name;
		m->email = p->email;
	}
	if (e->n_managers >= MANAGERS_KEPT)
		return m;
	m->id = arena_copy(e->face_mem, id);
	if (m->name != NULL) {
		m->name = arena_copy(e->face_mem, m->name);
		m->email = arena_copy(e->face_mem, m->email);
	}
	m->next = *chain;
	*chain = m;
	e->n_managers++;
	return m;
}

static bool
manager_face(struct engine *e, const struct person *p, struct face *ret)
{
	const char *id = p->manager;
	struct team *t = NULL;
	const struct manager *m;

	if (id[0] == '\0' && team_load(e->o.db, e->mem, p->team, &t) == 0 && t->manager != NULL)
		id = t->manager;
	if (id[0] == '\0' || strcmp(id, p->id) == 0 || (m = manager_find(e, id)) == NULL ||
	    m->name == NULL)
		return false;
	*ret = (struct face){ m->name, m->email };
	return true;
}

static bool
ambassador_face(struct engine *e, const struct person *p, uint64_t draw, struct face *ret)
{
	size_t same = 0, other = 0, pick;

	for (size_t i = 0; i < e->n_ambassadors; i++) {
		if (e->ambassadors[i].row == p->row)
			continue;
		same += strcmp(e->ambassadors[i].team, p->team) == 0;
		other++;
	}
	if (other == 0)
		return false;
	pick = (size_t)(draw % (same > 0 ? same : other));
	for (size_t i = 0; i < e->n_ambassadors; i++) {
		const struct ambassador *a = &e->ambassadors[i];

		if (a->row == p->row || (same > 0 && strcmp(a->team, p->team) != 0))
			continue;
		if (pick-- == 0) {
			*ret = (struct face){ a->name, a->email };
			break;
		}
	}
	return true;
}

bool
messenger_face(struct engine *e, const struct messenger *m, const struct person *p, uint64_t draw,
    struct face *ret)
{
	switch (m->from) {
	case MESSENGER_MANAGER:
		return manager_face(e, p, ret);
	case MESSENGER_AMBASSADOR:
		return ambassador_face(e, p, draw, ret);
	case MESSENGER_FIXED:
	default:
		*ret = (struct face){ m->name != NULL ? m->name : m->id, m->reply_to };
		return true;
	}
}

/* Done per cent and done of the team, -1 when the group or its complement is too small. */
static void
letter_figures(struct engine *e, const struct run *run, const struct person *p, struct letter *l)
{
	int64_t n, done, team_n, team_done, least = e->rb->house.smallest_group;

	l->done_percent = -1;
	l->team_done = -1;
	if (!compose_uses_figures(e->compose, l->message) ||
	    figures_load(e, run, p->team, &n, &done, &team_n, &team_done) < 0)
		return;
	if (done >= least && n - done >= least)
		l->done_percent = (int)((done * 100 / n + 2) / 5 * 5);
	if (team_done >= least && team_n - team_done >= least)
		l->team_done = (team_done + 2) / 5 * 5;
}

/* The day that decide() found for the event, found again: the same unless roster or rules changed. */
bool
letter_event(struct engine *e, const struct letter *l, struct event_when *ret)
{
	const struct event_time *event = &l->message->event;
	struct civil start = { { 0 }, event->second };
	struct own_times own;

	own_times_of(l->to, &own);
	if (!event->set || l->zone == NULL ||
	    !rest_event_day(e->rest, &own, zone_civil(l->zone, l->sent).day, event, &start.day))
		return false;
	ret->starts = zone_instant(l->zone, start);
	ret->ends =
	    instant_add(ret->starts, event->length.us > 0 ? event->length : SPAN_MINUTES(30));
	return true;
}

static const char *
team_name(struct engine *e, const struct person *p)
{
	struct team *t;

	return p->team[0] != '\0' && team_load(e->o.db, e->mem, p->team, &t) == 0 ? t->name : NULL;
}

struct letter
letter_of(struct engine *e, const struct run *run, const struct person *p,
    const struct delivery *d)
{
	const struct house *h = &e->rb->house;
	int ms = house_messenger(h, d->messenger);
	struct face face = { "", NULL };
	struct letter l = {
		.campaign = run->campaign,
		.message = campaign_message(run->campaign, d->message),
		.language = house_language(h, d->language),
		.channel = (enum channel)d->channel,
		.messenger = ms >= 0 ? &h->messengers[ms] : NULL,
		.to = p,
		.zone = person_zone(e, p),
		.delivery = d->row,
		.enrolment = d->enrolment,
		.occurrence = d->occurrence,
		.number = d->number,
		.times = run->campaign->rhythm.times,
		.sent = d->created,
		.sequence = (int)d->sequence,
		.cancel = d->kind == PARCEL_WITHDRAWAL,
		.expires = instant_add(d->created, SPAN_DAYS(90)),
	};

	if (d->channel == CHANNEL_PRINT)
		l.team = team_name(e, p);
	if (l.messenger != NULL)
		messenger_face(e, l.messenger, p,
		    dice_bits(e->o.seed, "face", (uint64_t)d->enrolment, hash_string(d->occurrence)),
		    &face);
	l.messenger_name = face.name;
	l.messenger_address = face.address;
	if (l.message != NULL) {
		letter_figures(e, run, p, &l);
		struct event_when *when = arena_alloc(e->mem, 1, sizeof *when);

		l.event = letter_event(e, &l, when) ? when : NULL;
	}
	return l;
}

static void
compose_for(
    struct engine *e, const struct letter *l, enum chat_format format, struct text *ret)
{
	switch (l->channel) {
	case CHANNEL_EMAIL:
		compose_email(e->compose, &e->o.key, l, ret);
		break;
	case CHANNEL_CHAT:
		compose_chat(e->compose, &e->o.key, l, format, ret);
		break;
	case CHANNEL_CALENDAR:
		compose_invite(e->compose, &e->o.key, l, ret);
		break;
	case CHANNEL_PRINT:
	case CHANNELS:
	default:
		compose_html(e->compose, &e->o.key, l, ret);
		break;
	}
}

int
delivery_open(struct engine *e, const struct delivery *d, struct letter *ret, const char **ret_why)
{
	const struct run *run = engine_run(e, d->run);
	struct person *p;
	int rc;

	*ret_why = NULL;
	if (d->kind == PARCEL_WITHDRAWAL)
		return invitation_letter(e, d, ret, ret_why);
	rc = person_load(e->o.db, e->mem, d->person, &p);
	if (rc < 0)
		return rc;
	if (rc > 0 || p->left)
		*ret_why = "the person is no longer on the roster";
	else if (run == NULL || run->campaign == NULL)
		*ret_why = "the campaign left the rule base";
	if (*ret_why != NULL)
		return 0;
	*ret = letter_of(e, run, p, d);
	if (ret->message == NULL || ret->messenger == NULL || ret->language < 0)
		*ret_why = "the text left the rule base";
	return *ret_why == NULL && d->channel == CHANNEL_CALENDAR ? invitation_letter(e, d, ret, ret_why)
								  : 0;
}

static int
send_one(struct engine *e, const struct delivery *d, const char **ret_why)
{
	SCOPED(text_deinit) struct text body = { 0 };
	struct letter l;
	int rc = delivery_open(e, d, &l, ret_why);

	if (rc < 0 || *ret_why != NULL)
		return rc;
	compose_for(e, &l, CHAT_SLACK, &body);
	return spool_write(e->o.spool, d->row, d->channel, d->created, &body, e->o.durable);
}

/* The address bounces of this delivery come back to: local+TOKEN@domain. */
static void
sender_put(const struct engine *e, const struct delivery *d, char *ret)
{
	const char *base = e->o.settings->bounce != NULL ? e->o.settings->bounce
							 : e->o.settings->from;
	const char *at = strchr(base, '@');
	char token[TOKEN_TEXT];

	snprintf(ret, ADDRESS_ROOM, "%.*s+%s%s", (int)(at - base), base,
	    token_verp(&e->o.key, d->row, token), at);
}

static enum chat_format
chat_format_of(const struct engine *e, const struct delivery *d)
{
	const struct chat_settings *s =
	    d->channel == CHANNEL_CHAT ? settings_chat(e->o.settings, d->destination) : NULL;

	return s != NULL ? (enum chat_format)s->format : CHAT_SLACK;
}

static void
pack_body(struct engine *e, const struct delivery *d, const struct letter *l, struct text *ret)
{
	int way = engine_way(e, d->channel);

	if (d->channel == CHANNEL_CALENDAR && way == WAY_SMTP)
		compose_email(e->compose, &e->o.key, l, ret);
	else if (d->channel == CHANNEL_CALENDAR && way == WAY_CALDAV && !l->cancel)
		compose_stored(e->compose, &e->o.key, l, ret);
	else
		compose_for(e, l, chat_format_of(e, d), ret);
}

/* An invitation is one thing however often it changes; all else is a thing of its own. */
static void
pack_key(struct engine *e, const struct delivery *d, const struct letter *l, char *ret)
{
	SCOPED(text_deinit) struct text uid = { 0 };
	char id[TOKEN_ID_TEXT];

	ret[0] = '\0';
	if (d->channel == CHANNEL_EMAIL) /* only its header needs one, and has it */
		return;
	if (d->channel == CHANNEL_CALENDAR)
		compose_uid(e->compose, &e->o.key, l, &uid);
	else
		text_puts(&uid, token_id(&e->o.key, "mail", d->enrolment, d->occurrence,
				    channel_names[d->channel], id));
	snprintf(ret, KEY_ROOM, "%s", text_string(&uid));
}

int
engine_pack(
    struct engine *e, const struct delivery *d, struct package *ret, const char **ret_why)
{
	struct letter l;
	int rc = delivery_open(e, d, &l, ret_why);

	if (rc < 0 || *ret_why != NULL) {
		arena_reset(e->mem);
		return rc;
	}
	pack_body(e, d, &l, &ret->body);
	sender_put(e, d, ret->sender);
	snprintf(ret->recipient, sizeof ret->recipient, "%s",
	    d->channel == CHANNEL_CHAT ? l.to->chat : l.to->email);
	pack_key(e, d, &l, ret->key);
	arena_reset(e->mem);
	return 0;
}

int
erased_remove(struct engine *e, const struct delivery *d, const char *name, struct instant now)
{
	bool erased;
	int rc = outbox_erased(e->o.db, d->row, &erased);

	if (rc == 0 && erased)
		rc = spool_remove(e->o.spool, d->row, d->channel, d->created, name);
	return rc > 0 ? outbox_recall(e->o.db, d->row, spool_erased, now) : rc;
}

static int
settle_all(struct engine *e, const struct delivery *rows, const char **why, size_t n,
    struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = outbox_settle(e->o.db, rows[i].row, e->lease,
		    &(struct outcome){ .fate = why[i] == NULL ? FATE_DELIVERED : FATE_OURS,
			.reason = why[i] },
		    now, now);
		if (rc == 0)
			rc = erased_remove(e, &rows[i], "", now);
	}
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
claim(struct engine *e, const struct lane *lane, struct instant now, struct delivery **ret,
    size_t *ret_n)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = outbox_expire(e->o.db, now);
	if (rc == 0)
		rc = outbox_claim(
		    e->o.db, e->mem, lane, now, e->lease, true, SEND_BATCH, ret, ret_n);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
send_batch(struct engine *e, const struct lane *lane, struct instant now, size_t *ret_n)
{
	struct delivery *rows;
	const char **why;
	struct instant next;
	int rc = outbox_next(e->o.db, lane, &next);

	*ret_n = 0;
	if (rc < 0 || instant_before(now, next))
		return rc;
	rc = claim(e, lane, now, &rows, ret_n);
	if (rc < 0 || *ret_n == 0)
		return rc;
	why = arena_alloc(e->mem, *ret_n, sizeof *why);
	for (size_t i = 0; rc == 0 && i < *ret_n; i++)
		rc = send_one(e, &rows[i], &why[i]);
	return rc == 0 ? settle_all(e, rows, why, *ret_n, now) : rc;
}

/* What a tick that failed halfway had in hand waits again. */
static int
take_back(struct engine *e, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	for (int channel = 0; rc == 0 && channel < CHANNELS; channel++)
		if (engine_way(e, channel) == WAY_SPOOL)
			rc = outbox_release(e->o.db, channel, e->lease, now);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

/* Without a spool nothing is delivered at all: plans, benches. */
int
send_waiting(struct engine *e, struct instant now)
{
	int rc = e->o.spool != NULL && e->left_leased ? take_back(e, now) : 0;

	for (int channel = 0; rc == 0 && e->o.spool != NULL && channel < CHANNELS; channel++) {
		struct lane lane = { channel, "" };
		size_t n = SEND_BATCH;

		if (engine_way(e, channel) != WAY_SPOOL)
			continue;
		if (channel == CHANNEL_PRINT) {
			rc = batches_write(e, now);
			continue;
		}
		while (rc == 0 && n == SEND_BATCH) {
			rc = send_batch(e, &lane, now, &n);
			arena_reset(e->mem);
		}
	}
	e->left_leased = rc < 0;
	return rc;
}

int
send_next(struct engine *e, struct instant *ret)
{
	int rc = 0;

	*ret = INSTANT_NEVER;
	for (int channel = 0; rc == 0 && e->o.spool != NULL && channel < CHANNELS; channel++) {
		struct lane lane = { channel, "" };
		struct instant next;

		if (engine_way(e, channel) != WAY_SPOOL)
			continue;
		rc = outbox_next(e->o.db, &lane, &next);
		if (rc == 0 && instant_before(next, *ret))
			*ret = next;
	}
	return rc;
}
