#include "deliver/courier/courier.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/courier/parts.h"
#include "store/db.h"

double
courier_draw(struct courier *c)
{
	return dice_unit(c->o.seed, "courier", (uint64_t)clock_monotonic().us, c->draws++);
}

bool
courier_may_send(const struct courier *c)
{
	return !c->closing && (c->o.calls.may_send == NULL || c->o.calls.may_send(c->o.calls.arg));
}

/* ---- what carriers ask ---- */

/* Somebody else committed: was any of ours stopped or erased?  Asked once a millisecond.  false: nobody knows. */
static bool
stops_look(struct courier *c)
{
	struct instant now = clock_monotonic();
	int64_t version, rows[SLOTS];
	bool stopped[SLOTS];
	size_t at[SLOTS], n = 0;

	if (instant_diff(now, c->looked).us < LOOK_US)
		return true;
	version = db_version(c->o.db);
	if (version == c->seen) {
		c->looked = now;
		return true;
	}
	for (size_t i = 0; i < SLOTS; i++)
		if ((c->slots[i].state == SLOT_READY || c->slots[i].state == SLOT_OUT) &&
		    !c->slots[i].left) {
			rows[n] = c->slots[i].parcel.row;
			at[n++] = i;
		}
	if (outbox_stopped(c->o.db, rows, stopped, n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		c->slots[at[i]].stopped |= stopped[i];
	c->seen = version;
	c->looked = now;
	return true;
}

/* Ring within so long, unless that is sooner already. */
static void
wake_within(struct courier *c, struct span wait)
{
	struct instant at = instant_add(clock_monotonic(), wait);

	if (!instant_before(at, c->wakes))
		return;
	c->wakes = at;
	c->o.wires->set(c->wake, wait);
}

/* A commit among the other events: busy connections leave no rest until they have used all up. */
static void
hurry(struct courier *c)
{
	if (!c->hurried)
		c->o.wires->set(c->soon, (struct span){ 0 });
	c->hurried = true;
}

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	struct way *w = from->destination;
	struct track *lane = w->lane;
	struct instant now = clock_monotonic();
	struct slot *s;

	if (!courier_may_send(c) || destination_allows(&w->destination, now) == 0)
		return NULL;
	if (lane->n_ready == 0 || !destination_take(&w->destination, now)) {
		w->hungry = true;
		if (lane->n_ready > 0) /* its pace */
			wake_within(c, instant_diff(w->destination.next, now));
		else if (!lane->dry)
			c->o.wires->arm(c->rest);
		return NULL;
	}
	s = slot_pack(c, lane, clock_now());
	if (lane->n_ready < lane->low && !lane->dry)
		hurry(c);
	if (s == NULL)
		return next(c, from);
	w->hungry = false;
	s->state = SLOT_OUT;
	s->way = w;
	c->n_out++;
	s->parcel.body = s->package.body;
	return &s->parcel;
}

static bool
may_go(struct courier *c, struct parcel *p)
{
	struct slot *s = p->slot;

	if (!stops_look(c) || s->stopped || !instant_before(clock_now(), s->expires))
		return false;
	s->left = true;
	slot_mark(c, s, FLIGHT_LEFT);
	return true;
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *told)
{
	struct slot *s = p->slot;
	struct way *w = from->destination;
	const struct outcome o = destination_weigh(&w->destination, told);
	enum circuit before = w->destination.circuit;

	assert(s->state == SLOT_OUT);
	if (o.fate == FATE_DELIVERED)
		slot_mark(c, s, FLIGHT_ACCEPTED);
	else if (o.fate != FATE_UNCERTAIN)
		slot_mark(c, s, FLIGHT_REFUSED);
	c->n_out--;
	destination_note(&w->destination, &o, !s->stopped, clock_monotonic(), courier_draw(c));
	if (o.trouble == TROUBLE_REFUSED && before == CIRCUIT_CLOSED)
		log_say(LOG_ERROR, "%s refuses us: %s; its messages wait until it lets us in", w->name,
		    o.reason);
	slot_done(c, s, &o);
	/* Not one commit for each: the next window's, or the alarm's. */
	if (c->n_done >= WINDOW_MOST || (c->n_out == 0 && c->n_ready == 0))
		c->o.wires->arm(c->rest);
}

static void
connected(struct courier *c, struct carrier *from, const struct outcome *told)
{
	struct way *w = from->destination;
	enum circuit before = w->destination.circuit;
	struct outcome o;

	if (told == NULL) {
		destination_up(&w->destination);
		return;
	}
	o = *told;
	if (o.trouble == TROUBLE_NONE) /* else it would be tried again at once, for ever */
		o.trouble = TROUBLE_DOWN;
	destination_note(&w->destination, &o, false, clock_monotonic(), courier_draw(c));
	if (w->destination.circuit == CIRCUIT_OPEN && before != CIRCUIT_OPEN)
		log_say(o.trouble == TROUBLE_REFUSED ? LOG_ERROR : LOG_WARNING,
		    "%s: %s%s%s%s; its messages wait, all others go on", w->name, o.reason,
		    o.detail[0] != '\0' ? " (" : "", o.detail, o.detail[0] != '\0' ? ")" : "");
	c->o.wires->arm(c->rest);
}

/* ---- who works when ---- */

static void
wake_at(struct instant *earliest, struct instant t)
{
	if (instant_before(t, *earliest))
		*earliest = t;
}

/* The first destination that is up gets the lane's work; the ones after it are its stand-ins. */
static void
lane_work(struct courier *c, struct track *lane, struct instant now)
{
	bool waits = lane->n_ready > 0 || !instant_before(now, lane->next), given = false;
	bool may_send = courier_may_send(c);

	for (size_t i = 0; i < lane->n_ways; i++) {
		struct way *w = &lane->ways[i];
		int allowed = may_send ? destination_allows(&w->destination, clock_monotonic()) : 0;

		if (!waits || allowed == 0 || given) {
			w->hungry = false;
			w->carrier->rest(w->carrier);
			continue;
		}
		given = true;
		w->carrier->work(w->carrier, allowed);
	}
	/* Nobody is up, or nothing may be sent: what was leased goes back to wait. */
	while (waits && !given && lane->n_ready > 0) {
		struct outcome o = { .fate = FATE_BACK, .reason = may_send ? "its server is down" : "" };

		slot_done(c, ready_take(c, lane), &o);
	}
}

/* When the courier next has something to do that no connection will tell it. */
static void
wake_arm(struct courier *c, struct instant now)
{
	struct instant mono = clock_monotonic(), at = INSTANT_NEVER;

	for (size_t i = 0; i < c->n_lanes; i++) {
		struct track *lane = &c->lanes[i];
		struct instant up = INSTANT_NEVER, due = mono;

		if (lane->next.us == INT64_MAX && lane->n_ready == 0)
			continue;
		for (size_t k = 0; k < lane->n_ways; k++)
			wake_at(&up, destination_wake(&lane->ways[k].destination));
		if (lane->n_ready == 0)
			due = instant_add(mono, instant_diff(lane->next, now));
		if (instant_before(up, due))
			up = due;
		/* Work that is due now and allowed now is told by the connections. */
		if (instant_before(mono, up))
			wake_at(&at, up);
		/* What waits may expire meanwhile. */
		wake_at(&at, instant_add(mono, SPAN_OF(SWEEP_S, 1)));
	}
	c->wakes = at;
	c->o.wires->set(c->wake,
	    at.us == INT64_MAX ? (struct span){ -1 } : instant_diff(at, mono));
}

static void
flush(struct courier *c)
{
	struct instant now = clock_now();

	if (c->settling)
		return;
	c->settling = true;
	c->hurried = false;
	if (window_commit(c, now) < 0) {
		log_say(LOG_ERROR, "deliveries cannot be recorded; nothing more leaves until they can");
		c->o.wires->set(c->settle, SPAN_OF(1, 1));
		c->settling = false;
		return;
	}
	c->settling = false;
	for (size_t i = 0; i < c->n_lanes; i++)
		lane_work(c, &c->lanes[i], now);
	wake_arm(c, now);
}

static void
on_rest(void *arg)
{
	flush(arg);
}

static void
on_settle(void *arg)
{
	flush(arg);
}

static int
sweep(struct courier *c, struct instant now)
{
	SCOPED(db_leave) struct db *tx = c->o.db;
	struct instant mono = clock_monotonic();
	int rc = 0;

	if (courier_may_send(c) &&
	    (c->swept.us == 0 || instant_diff(mono, c->swept).us >= SPAN_OF(SWEEP_S, 1).us)) {
		rc = db_begin(c->o.db);
		if (rc == 0)
			rc = outbox_expire(c->o.db, now);
		if (rc == 0)
			rc = db_commit(c->o.db);
		c->swept = mono;
	}
	for (size_t i = 0; rc == 0 && i < c->n_lanes; i++)
		rc = outbox_next(c->o.db, &c->lanes[i].key, &c->lanes[i].next);
	return rc;
}

void
courier_look(struct courier *c)
{
	struct instant now = clock_now();

	if (c->n_lanes == 0)
		return;
	if (sweep(c, now) < 0) {
		wake_within(c, SPAN_OF(SWEEP_S, 1));
		return;
	}
	for (size_t i = 0; i < c->n_lanes; i++) {
		c->lanes[i].dry = false;
		lane_work(c, &c->lanes[i], now);
	}
	wake_arm(c, now);
}

static void
on_wake(void *arg)
{
	struct courier *c = arg;

	c->wakes = INSTANT_NEVER;
	courier_look(c);
}

/* ---- beginning and end ---- */

struct carrier_host
courier_host(struct courier *c)
{
	return (struct carrier_host){ c, next, may_go, done, connected };
}

int
courier_new(const struct courier_options *o, struct courier **ret)
{
	struct courier *c = calloc(1, sizeof *c);

	if (c == NULL || (c->slots = calloc(SLOTS, sizeof *c->slots)) == NULL ||
	    (c->rows = calloc(SLOTS, sizeof *c->rows)) == NULL ||
	    (c->strings = calloc(SLOTS, sizeof *c->strings)) == NULL)
		abort();
	c->o = *o;
	c->mem = arena_new("courier", MEMORY);
	c->free = SLOTS;
	c->wakes = INSTANT_NEVER;
	for (size_t i = SLOTS; i-- > 0;)
		slot_free(c, &c->slots[i]);
	c->rest = o->wires->rest(o->wires->loop, on_rest, c);
	c->soon = o->wires->alarm(o->wires->loop, on_settle, c);
	c->settle = o->wires->alarm(o->wires->loop, on_settle, c);
	c->wake = o->wires->alarm(o->wires->loop, on_wake, c);
	if (c->rest == NULL || c->soon == NULL || c->settle == NULL || c->wake == NULL) {
		courier_free(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void
courier_free(struct courier **cp)
{
	struct courier *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	c->closing = true;
	for (size_t i = 0; i < c->n_lanes; i++) {
		struct track *lane = &c->lanes[i];

		for (size_t k = 0; k < lane->n_ways; k++)
			lane->ways[k].carrier->close(&lane->ways[k].carrier);
		while (lane->n_ready > 0)
			slot_done(c, ready_take(c, lane), &(struct outcome){ .fate = FATE_BACK });
	}
	if (c->n_done > 0 && window_commit(c, clock_now()) < 0)
		log_say(LOG_ERROR, "what was in hand could not be recorded; the next start looks at it");
	c->o.wires->cut(&c->rest);
	c->o.wires->cut(&c->soon);
	c->o.wires->cut(&c->settle);
	c->o.wires->cut(&c->wake);
	for (size_t i = 0; i < SLOTS; i++) {
		text_deinit(&c->slots[i].package.body);
		text_deinit(&c->strings[i]);
	}
	for (size_t i = 0; i < c->n_bodies; i++)
		text_deinit(&c->bodies[i]);
	arena_free(&c->mem);
	free(c->slots);
	free(c->rows);
	free(c->strings);
	free(c);
}

size_t
courier_lane(struct courier *c, const struct lane *key, bool keyed)
{
	assert(c->n_lanes < LANES_MAX);
	c->lanes[c->n_lanes] = (struct track){ .key = *key, .keyed = keyed, .next = INSTANT_NEVER };
	return c->n_lanes++;
}

void
courier_destination(struct courier *c, size_t lane, const char *name, int most, struct span pace,
    struct carrier *carrier)
{
	struct track *t = &c->lanes[lane];
	struct way *w = &t->ways[t->n_ways++];

	assert(t->n_ways <= DESTINATIONS_MAX);
	*w = (struct way){ .carrier = carrier, .name = name, .lane = t };
	destination_init(&w->destination, most, pace);
	carrier->destination = w;
}

void
courier_drain(struct courier *c)
{
	c->closing = true;
	for (size_t i = 0; i < c->n_lanes; i++)
		while (c->lanes[i].n_ready > 0)
			slot_done(c, ready_take(c, &c->lanes[i]), &(struct outcome){ .fate = FATE_BACK });
	if (c->n_done > 0)
		c->o.wires->arm(c->rest);
}

bool
courier_is_idle(const struct courier *c)
{
	return c->n_out == 0 && c->n_ready == 0 && c->n_done == 0;
}

void
courier_each(const struct courier *c,
    void (*fn)(void *arg, const char *name, const struct destination *d, int active), void *arg)
{
	for (size_t i = 0; i < c->n_lanes; i++)
		for (size_t k = 0; k < c->lanes[i].n_ways; k++) {
			const struct way *w = &c->lanes[i].ways[k];

			fn(arg, w->name, &w->destination, w->carrier->active);
		}
}
