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
#include "deliver/courier/courier_db.h"
#include "deliver/courier/retry.h"
#include "store/db.h"

enum { LANES_MAX = 128, DESTINATIONS_MAX = 8, WINDOW_MOST = 256, COMMITS = 12, SLOTS = FLIGHT_SLOTS,
	SETTLE_US = 50000, SWEEP_S = 60, LOOK_US = 1000, BODIES = 64, BODY_KEPT = 256 << 10, AHEAD = 8,
	MEMORY = 4 << 20 };
_Static_assert(SLOTS >= 2 * WINDOW_MOST, "a window fits beside what all other lanes may claim");
_Static_assert(SLOTS >= 4 * LANES_MAX, "every lane has a share");

enum slot_state {
	SLOT_FREE,
	SLOT_READY, /* leased, not handed out */
	SLOT_OUT,   /* in a carrier's hands */
	SLOT_DONE,  /* its outcome waits for the next commit */
};
struct slot {
	enum slot_state state;
	bool made;          /* package holds it */
	bool left, stopped; /* its last bytes left; it was stopped before that */
	struct parcel parcel;
	struct package package;
	struct outcome outcome;
	struct track *lane;
	struct way *way;    /* what tried it last */
	int64_t attempts;
	struct instant expires;
	size_t next;        /* of the free or ready list; SLOTS: none */
};
/* One destination of a lane. */
struct way {
	struct destination destination;
	struct carrier *carrier;
	const char *name;
	struct track *lane;
	bool hungry; /* its carrier asked and got nothing */
};
struct track {
	struct lane key;
	bool keyed;
	size_t n_ways;
	struct way ways[DESTINATIONS_MAX];
	size_t ready, last, n_ready; /* leased rows in order: first, last, how many */
	size_t n_held;               /* those, and what its carriers have */
	size_t window;               /* rows leased at once */
	size_t low;                  /* when fewer are ready, the next are leased */
	size_t filled;               /* ready ones after the last claim, which was ... */
	struct instant since;        /* ... then, monotonic */
	bool dry;                    /* nothing more waits than what was claimed */
	struct delivery *claimed;    /* in the commit that is being made */
	size_t n_claimed;
	struct instant next;         /* when a row of it wants attention */
};
struct courier {
	struct courier_options o;
	size_t n_lanes;
	struct track lanes[LANES_MAX];
	struct slot *slots;
	struct delivery *rows;       /* by slot; strings in its own text */
	struct text *strings;        /* by slot */
	size_t free, n_done, n_out, n_ready;
	struct wire *rest, *settle, *wake;
	struct text bodies[BODIES];  /* buffers to write into, when not in a parcel */
	size_t n_bodies;
	struct arena *mem;
	int64_t seen;                /* version of the database that `stopped` reflects */
	struct instant looked, swept; /* monotonic: last look for stops, last sweep */
	struct span commit_took;     /* smoothed */
	uint64_t draws;
	bool closing, settling;
};

static double
draw(struct courier *c)
{
	return dice_unit(c->o.seed, "courier", (uint64_t)clock_monotonic().us, c->draws++);
}

/* ---- slots ---- */

static size_t
slot_index(const struct courier *c, const struct slot *s)
{
	return (size_t)(s - c->slots);
}

static void
mark(struct courier *c, const struct slot *s, enum flight_mark m)
{
	if (c->o.flight != NULL)
		flight_put(c->o.flight, slot_index(c, s), s->parcel.row, m);
}

static void
slot_free(struct courier *c, struct slot *s)
{
	mark(c, s, FLIGHT_NONE); /* what befell it here must not speak for its next attempt */
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

static void
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
	mark(c, s, FLIGHT_IN_HAND);
}

static void
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

static struct slot *
ready_take(struct courier *c, struct track *lane)
{
	struct slot *s = &c->slots[lane->ready];

	lane->ready = s->next;
	lane->n_ready--;
	c->n_ready--;
	return s;
}

/* ---- the window ---- */

/*
 * Rows leased at once: as many as leave while COMMITS commits would take.  So a commit costs the
 * connections little of their time, and no more rows than that needs are in doubt after a power
 * cut.  The next are leased before the last of these are handed out, or the connections would wait,
 * and a mail whose envelope could not go with the one before costs a round trip more.
 */
static void
window_fit(const struct courier *c, struct track *lane)
{
	int64_t lasted = instant_diff(clock_monotonic(), lane->since).us;
	size_t parallel = 0, used = lane->filled - lane->n_ready;
	bool paced = false;

	for (size_t i = 0; i < lane->n_ways; i++) {
		parallel += (size_t)lane->ways[i].destination.parallel;
		paced |= lane->ways[i].destination.pace.us > 0;
	}
	if (lasted > 0)
		lane->window =
		    (lane->window + (size_t)(c->commit_took.us * COMMITS * (int64_t)used / lasted)) / 2;
	/* One for each connection, and twice what leaves while the commit is made. */
	lane->low = paced ? 0 : parallel + 2 * lane->window / COMMITS;
	if (lane->window < lane->low + parallel)
		lane->window = lane->low + parallel;
	if (lane->window > WINDOW_MOST)
		lane->window = WINDOW_MOST;
}

static bool
lane_hungry(const struct track *lane)
{
	for (size_t i = 0; i < lane->n_ways; i++)
		if (lane->ways[i].hungry)
			return true;
	return false;
}

/*
 * How many slots a lane may take in this commit, which frees those that are done.  Every lane has a
 * share that the others leave alone: servers that went silent with many rows in hand must not be in
 * the way of one that has work later.
 */
static size_t
slots_for(const struct courier *c, const struct track *lane)
{
	size_t share = SLOTS / 2 / c->n_lanes, taken = 0;

	for (size_t i = 0; i < c->n_lanes; i++) {
		const struct track *l = &c->lanes[i];
		size_t held = l->n_held + l->n_claimed;

		taken += l != lane && held < share ? share : held;
	}
	return taken < SLOTS ? SLOTS - taken : 0;
}

static int
lane_claim(struct courier *c, struct track *lane, struct instant now)
{
	size_t want, room;
	int rc;

	if (!lane_hungry(lane) && (lane->n_ready == 0 || lane->dry))
		return 0;
	window_fit(c, lane);
	want = lane->window > lane->n_ready ? lane->window - lane->n_ready : 0;
	room = slots_for(c, lane);
	if (want > room)
		want = room;
	if (want == 0)
		return 0;
	rc = outbox_claim(c->o.db, c->mem, &lane->key, now, c->o.lease, lane->keyed, want,
	    &lane->claimed, &lane->n_claimed);
	lane->dry = rc == 0 && lane->n_claimed < want;
	return rc;
}

/* ---- one commit: what became of those, and who is next ---- */

static struct instant
comes_back(struct courier *c, const struct slot *s, struct instant now)
{
	struct span wait = retry_span(s->attempts + 1, draw(c));

	if (s->outcome.after.us > wait.us)
		wait = s->outcome.after;
	return instant_add(now, wait);
}

static int
settle_slots(struct courier *c, struct instant now)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SLOTS; i++) {
		struct slot *s = &c->slots[i];

		if (s->state == SLOT_DONE)
			rc = outbox_settle(c->o.db, s->parcel.row, c->o.lease, &s->outcome, now,
			    comes_back(c, s, now));
	}
	return rc;
}

static int
ways_save(struct courier *c, struct instant now)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_lanes; i++)
		for (size_t k = 0; rc == 0 && k < c->lanes[i].n_ways; k++) {
			struct way *w = &c->lanes[i].ways[k];

			if (w->destination.changed)
				rc = destination_save(c->o.db, w->name, &w->destination, now);
			if (rc == 0)
				w->destination.changed = false;
		}
	return rc;
}

static void
slots_release(struct courier *c)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (c->slots[i].state == SLOT_DONE) {
			c->n_done--;
			slot_free(c, &c->slots[i]);
		}
	c->o.wires->set(c->settle, (struct span){ -1 });
}

static int
commit_all(struct courier *c, struct instant now)
{
	SCOPED(db_leave) struct db *tx = c->o.db;
	bool may_send = !c->closing &&
	    (c->o.calls.may_send == NULL || c->o.calls.may_send(c->o.calls.arg));
	int rc = db_begin(c->o.db);

	if (rc == 0)
		rc = settle_slots(c, now);
	for (size_t i = 0; i < c->n_lanes; i++)
		c->lanes[i].n_claimed = 0;
	for (size_t i = 0; rc == 0 && may_send && i < c->n_lanes; i++)
		rc = lane_claim(c, &c->lanes[i], now);
	if (rc == 0)
		rc = ways_save(c, now);
	return rc == 0 ? db_commit(c->o.db) : rc;
}

static void
lane_fill(struct courier *c, struct track *lane)
{
	for (size_t k = 0; k < lane->n_claimed; k++)
		slot_fill(c, lane, &lane->claimed[k]);
	if (lane->n_claimed > 0) {
		lane->filled = lane->n_ready;
		lane->since = clock_monotonic();
	}
	lane->n_claimed = 0;
}

/* Only what the commit has leased comes into our hands. */
static int
commit(struct courier *c, struct instant now)
{
	struct instant start = clock_monotonic();
	int rc = commit_all(c, now);

	if (rc == 0) {
		c->seen++; /* our own commit says nothing new */
		if (c->n_done > 0 && c->o.calls.moved != NULL)
			c->o.calls.moved(c->o.calls.arg);
		slots_release(c);
	}
	for (size_t i = 0; rc == 0 && i < c->n_lanes; i++)
		lane_fill(c, &c->lanes[i]);
	for (size_t i = 0; rc == 0 && i < c->n_lanes; i++)
		if (c->lanes[i].dry)
			rc = outbox_next(c->o.db, &c->lanes[i].key, &c->lanes[i].next);
	arena_reset(c->mem);
	c->commit_took.us = (c->commit_took.us * 3 + instant_diff(clock_monotonic(), start).us) / 4;
	return rc;
}

static void lane_work(struct courier *c, struct track *lane, struct instant now);
static void wake_arm(struct courier *c, struct instant now);

static void
flush(struct courier *c)
{
	struct instant now = clock_now();

	if (c->settling)
		return;
	c->settling = true;
	if (commit(c, now) < 0) {
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

/* ---- what carriers ask ---- */

/* Somebody else committed: was any of ours stopped or erased?  Asked once a millisecond. */
static void
stops_look(struct courier *c)
{
	struct instant now = clock_monotonic();
	int64_t version, rows[SLOTS];
	bool stopped[SLOTS];
	size_t at[SLOTS], n = 0;

	if (instant_diff(now, c->looked).us < LOOK_US)
		return;
	c->looked = now;
	version = db_version(c->o.db);
	if (version == c->seen)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		if ((c->slots[i].state == SLOT_READY || c->slots[i].state == SLOT_OUT) &&
		    !c->slots[i].left) {
			rows[n] = c->slots[i].parcel.row;
			at[n++] = i;
		}
	if (outbox_stopped(c->o.db, rows, stopped, n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		c->slots[at[i]].stopped |= stopped[i];
	c->seen = version;
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
	mark(c, s, FLIGHT_BEGUN);
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
		mark(c, s, FLIGHT_IN_HAND);
		if (s->made)
			continue;
		body_give(c, &s->package.body);
		return;
	}
}

/* Pack the next ready one; those that cannot be made are dead on the way. */
static struct slot *
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

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	struct way *w = from->destination;
	struct track *lane = w->lane;
	struct instant now = clock_now();
	struct slot *s;

	if (c->closing || destination_allows(&w->destination, now) == 0)
		return NULL;
	if (lane->n_ready == 0 || !destination_take(&w->destination, now)) {
		w->hungry = true;
		if (lane->n_ready > 0) /* its pace */
			c->o.wires->set(c->wake, instant_diff(w->destination.next, now));
		else if (!lane->dry)
			c->o.wires->arm(c->rest);
		return NULL;
	}
	s = slot_pack(c, lane, now);
	if (lane->n_ready < lane->low && !lane->dry)
		c->o.wires->arm(c->rest);
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

	stops_look(c);
	if (s->stopped)
		return false;
	s->left = true;
	mark(c, s, FLIGHT_LEFT);
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
		mark(c, s, FLIGHT_ACCEPTED);
	else if (o.fate != FATE_UNCERTAIN)
		mark(c, s, FLIGHT_REFUSED);
	c->n_out--;
	destination_note(&w->destination, &o, !s->stopped, clock_now(), draw(c));
	if (o.trouble == TROUBLE_REFUSED && before == CIRCUIT_CLOSED)
		log_say(LOG_ERROR, "%s refuses us: %s; its messages wait until it lets us in", w->name,
		    o.reason);
	slot_done(c, s, &o);
	/* Not one commit for each: the next window's, or the alarm's. */
	if (c->n_done >= WINDOW_MOST || (c->n_out == 0 && c->n_ready == 0))
		c->o.wires->arm(c->rest);
}

static void
connected(struct courier *c, struct carrier *from, const struct outcome *o)
{
	struct way *w = from->destination;
	enum circuit before = w->destination.circuit;

	if (o == NULL) {
		destination_up(&w->destination);
		return;
	}
	destination_note(&w->destination, o, false, clock_now(), draw(c));
	if (w->destination.circuit == CIRCUIT_OPEN && before != CIRCUIT_OPEN)
		log_say(o->trouble == TROUBLE_REFUSED ? LOG_ERROR : LOG_WARNING,
		    "%s: %s%s%s%s; its messages wait, all others go on", w->name, o->reason,
		    o->detail[0] != '\0' ? " (" : "", o->detail, o->detail[0] != '\0' ? ")" : "");
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

	for (size_t i = 0; i < lane->n_ways; i++) {
		struct way *w = &lane->ways[i];
		int allowed = c->closing ? 0 : destination_allows(&w->destination, now);

		if (!waits || allowed == 0 || given) {
			w->hungry = false;
			w->carrier->rest(w->carrier);
			continue;
		}
		given = true;
		w->carrier->work(w->carrier, allowed);
	}
	/* Nobody is up: what was leased goes back to wait. */
	while (waits && !given && lane->n_ready > 0) {
		struct outcome o = { .fate = FATE_BACK, .reason = "its server is down" };

		slot_done(c, ready_take(c, lane), &o);
	}
}

/* When the courier next has something to do that no connection will tell it. */
static void
wake_arm(struct courier *c, struct instant now)
{
	struct instant at = INSTANT_NEVER;

	for (size_t i = 0; i < c->n_lanes; i++) {
		struct track *lane = &c->lanes[i];
		struct instant up = INSTANT_NEVER;

		if (lane->next.us == INT64_MAX && lane->n_ready == 0)
			continue;
		for (size_t k = 0; k < lane->n_ways; k++)
			wake_at(&up, destination_wake(&lane->ways[k].destination));
		if (instant_before(up, lane->next))
			up = lane->next;
		/* Work that is due now and allowed now is told by the connections. */
		if (instant_before(now, up))
			wake_at(&at, up);
		/* What waits may expire meanwhile. */
		wake_at(&at, instant_add(now, SPAN_OF(SWEEP_S, 1)));
	}
	c->o.wires->set(c->wake,
	    at.us == INT64_MAX ? (struct span){ -1 } : instant_diff(at, now));
}

static int
sweep(struct courier *c, struct instant now)
{
	SCOPED(db_leave) struct db *tx = c->o.db;
	struct instant mono = clock_monotonic();
	int rc = 0;

	if (c->swept.us == 0 || instant_diff(mono, c->swept).us >= SPAN_OF(SWEEP_S, 1).us) {
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
		c->o.wires->set(c->wake, SPAN_OF(SWEEP_S, 1));
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
	courier_look(arg);
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
	for (size_t i = SLOTS; i-- > 0;)
		slot_free(c, &c->slots[i]);
	c->rest = o->wires->rest(o->wires->loop, on_rest, c);
	c->settle = o->wires->alarm(o->wires->loop, on_settle, c);
	c->wake = o->wires->alarm(o->wires->loop, on_wake, c);
	if (c->rest == NULL || c->settle == NULL || c->wake == NULL) {
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
	if (c->n_done > 0 && commit(c, clock_now()) < 0)
		log_say(LOG_ERROR, "what was in hand could not be recorded; the next start looks at it");
	c->o.wires->cut(&c->rest);
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
