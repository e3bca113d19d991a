#include "base/arena.h"
#include "base/clock.h"
#include "base/scope.h"
#include "deliver/courier/courier_db.h"
#include "deliver/courier/parts.h"
#include "deliver/courier/retry.h"
#include "store/db.h"

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
	lane->dry = want == 0 && lane->n_ready == 0;
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
	struct span wait = retry_span(s->attempts + 1, courier_draw(c));

	if (!c->closing && !courier_may_send(c))
		return (struct instant){ 0 }; /* as it was: nobody knows what time that would be */
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

/* *ret_moved: what is known of a server changed. */
static int
ways_save(struct courier *c, struct instant now, bool *ret_moved)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_lanes; i++)
		for (size_t k = 0; rc == 0 && k < c->lanes[i].n_ways; k++) {
			struct way *w = &c->lanes[i].ways[k];
			struct destination seen = w->destination;

			if (seen.until.us != 0) /* for a reader with a clock on the wall */
				seen.until = instant_add(now, instant_diff(seen.until, clock_monotonic()));
			*ret_moved |= seen.changed;
			if (seen.changed)
				rc = destination_save(c->o.db, w->name, &seen, now);
			if (rc == 0)
				w->destination.changed = false;
		}
	return rc;
}

static int
commit_all(struct courier *c, struct instant now, bool *ret_moved)
{
	SCOPED(db_leave) struct db *tx = c->o.db;
	bool may_send = courier_may_send(c);
	int rc = db_begin(c->o.db);

	if (rc == 0)
		rc = settle_slots(c, now);
	for (size_t i = 0; i < c->n_lanes; i++)
		c->lanes[i].n_claimed = 0;
	for (size_t i = 0; rc == 0 && may_send && i < c->n_lanes; i++)
		rc = lane_claim(c, &c->lanes[i], now);
	if (rc == 0)
		rc = ways_save(c, now, ret_moved);
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
int
window_commit(struct courier *c, struct instant now)
{
	struct instant start = clock_monotonic();
	bool moved = c->n_done > 0;
	int rc = commit_all(c, now, &moved);

	if (rc == 0) {
		c->seen++; /* our own commit says nothing new */
		if (moved && c->o.calls.moved != NULL)
			c->o.calls.moved(c->o.calls.arg);
		slots_release(c);
	}
	for (size_t i = 0; i < c->n_lanes; i++)
		if (rc == 0)
			lane_fill(c, &c->lanes[i]);
		else
			c->lanes[i].dry = false; /* what the claim that failed has seen still waits */
	for (size_t i = 0; rc == 0 && i < c->n_lanes; i++)
		if (c->lanes[i].dry)
			rc = outbox_next(c->o.db, &c->lanes[i].key, &c->lanes[i].next);
	arena_reset(c->mem);
	c->commit_took.us = (c->commit_took.us * 3 + instant_diff(clock_monotonic(), start).us) / 4;
	return rc;
}
