#include <assert.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "deliver/courier/parts.h"
#include "store/db.h"

static size_t
slot_index(const struct courier *c, const struct slot *s)
{
	return (size_t)(s - c->slots);
}

void
slot_mark(struct courier *c, const struct slot *s, enum flight_mark m)
{
	if (c->o.flight != NULL)
		flight_put(c->o.flight, slot_index(c, s), s->parcel.row, m);
}

void
slot_free(struct courier *c, struct slot *s)
{
	slot_mark(c, s, FLIGHT_NONE); /* what befell it here must not speak for its next attempt */
	s->state = SLOT_FREE;
	s->next = c->free;
	c->free = slot_index(c, s);
}

static void
body_take(struct courier *c, struct text *ret)
{
	*ret = c->n_bodies > 0 ? c->bodies[--c->n_bodies] : (struct text){ 0 };
	text_clear(ret);
}

static void
body_give(struct courier *c, struct text *t)
{
	if (c->n_bodies < BODIES && t->room <= BODY_KEPT)
		c->bodies[c->n_bodies++] = *t;
	else
		text_deinit(t);
	*t = (struct text){ 0 };
}

/* The row outlives the claim's arena: its strings move into the slot's own text. */
static void
row_keep(struct courier *c, size_t i, const struct delivery *d)
{
	const char *parts[] = { d->occurrence, d->destination, d->receipt, d->message, d->messenger,
		d->language };
	const char **into[] = { &c->rows[i].occurrence, &c->rows[i].destination, &c->rows[i].receipt,
		&c->rows[i].message, &c->rows[i].messenger, &c->rows[i].language };
	size_t at[6];
	struct text *t = &c->strings[i];

	text_clear(t);
	for (size_t k = 0; k < 6; k++) {
		at[k] = t->len;
		text_add(t, parts[k], strlen(parts[k]) + 1);
	}
	c->rows[i] = *d;
	for (size_t k = 0; k < 6; k++)
		*into[k] = t->s + at[k];
}

void
slot_fill(struct courier *c, struct track *lane, const struct delivery *d)
{
	size_t i = c->free;
	struct slot *s = &c->slots[i];

	assert(i < SLOTS);
	c->free = s->next;
	row_keep(c, i, d);
	s->state = SLOT_READY;
	s->made = s->left = s->stopped = false;
	s->lane = lane;
	s->way = NULL;
	lane->n_held++;
	s->attempts = d->attempts;
	s->expires = d->expires;
	s->parcel = (struct parcel){ .row = d->row, .kind = d->kind, .created = d->created,
		.receipt = c->rows[i].receipt, .slot = s, .sender = s->package.sender,
		.recipient = s->package.recipient, .key = s->package.key };
	s->next = SLOTS;
	if (lane->n_ready++ == 0)
		lane->ready = i;
	else
		c->slots[lane->last].next = i;
	lane->last = i;
	c->n_ready++;
	slot_mark(c, s, FLIGHT_IN_HAND);
}

void
slot_done(struct courier *c, struct slot *s, const struct outcome *o)
{
	s->outcome = *o;
	s->state = SLOT_DONE;
	s->lane->n_held--;
	body_give(c, &s->package.body);
	s->parcel.body = (struct text){ 0 };
	if (c->n_done++ == 0)
		c->o.wires->set(c->settle, (struct span){ SETTLE_US });
}

struct slot *
ready_take(struct courier *c, struct track *lane)
{
	struct slot *s = &c->slots[lane->ready];

	lane->ready = s->next;
	lane->n_ready--;
	c->n_ready--;
	return s;
}

void
slots_release(struct courier *c)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (c->slots[i].state == SLOT_DONE) {
			c->n_done--;
			slot_free(c, &c->slots[i]);
		}
	c->o.wires->set(c->settle, (struct span){ -1 });
}

static bool
is_wanted(const struct slot *s, struct instant now)
{
	return !s->stopped && instant_before(now, s->expires);
}

/* As struct courier_calls says; marked, so that a crash in here is told from one while it waits. */
static int
slot_make(struct courier *c, struct slot *s, const char **ret_why)
{
	*ret_why = NULL;
	slot_mark(c, s, FLIGHT_BEGUN);
	if (s->made)
		return 0;
	body_take(c, &s->package.body);
	return c->o.calls.pack(c->o.calls.arg, &c->rows[slot_index(c, s)], &s->package, ret_why);
}

/* The next few in one look at the store; what goes wrong is told when it is that one's turn. */
static void
make_ahead(struct courier *c, const struct track *lane, struct instant now)
{
	SCOPED(db_leave) struct db *look = c->o.db;
	size_t i = lane->ready;

	if (db_begin_read(c->o.db) < 0)
		return;
	for (size_t n = 0; n < AHEAD && n < lane->n_ready; n++, i = c->slots[i].next) {
		struct slot *s = &c->slots[i];
		const char *why;

		if (s->made || !is_wanted(s, now))
			continue;
		s->made = slot_make(c, s, &why) == 0 && why == NULL;
		slot_mark(c, s, FLIGHT_IN_HAND);
		if (s->made)
			continue;
		body_give(c, &s->package.body);
		return;
	}
}

struct slot *
slot_pack(struct courier *c, struct track *lane, struct instant now)
{
	while (lane->n_ready > 0) {
		struct outcome o = { .fate = FATE_BACK };
		const char *why = NULL;
		struct slot *s;
		int rc = 0;

		if (!c->slots[lane->ready].made)
			make_ahead(c, lane, now);
		s = ready_take(c, lane);
		if (is_wanted(s, now)) {
			rc = slot_make(c, s, &why);
			if (rc == 0 && why == NULL)
				return s;
		}
		if (why != NULL)
			o = (struct outcome){ .fate = FATE_OURS, .reason = why };
		else if (rc < 0)
			o = (struct outcome){ .fate = FATE_AGAIN, .reason = "it could not be made now" };
		slot_done(c, s, &o);
	}
	return NULL;
}
