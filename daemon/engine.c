/*
 * The tick.  In order: who joined, what is due, what waits in the outbox.
 *
 * A batch of due rows is one transaction.  When a unit in it fails, the batch is rolled back and
 * taken again one row at a time, so that the failing one can be put aside for an hour with one line
 * in the log while all others go on.
 */
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "deliver/outbox/flight.h"
#include "deliver/outbox/outbox.h"
#include "engine/parts.h"
#include "settings.h"
#include "store/db.h"

enum { TICK_MEMORY = 64 << 20 };

/* Holidays further away than this cannot matter to a decision made now. */
static int
rest_renew(struct engine *e)
{
	rest_free(&e->rest);
	e->rest = rest_new(
	    &e->rb->house, day_of(YEAR_MIN, 1, 1), day_of(YEAR_MAX, 12, 31), NULL);
	return e->rest != NULL ? 0 : FAIL(-EINVAL, "the holidays cannot be read");
}

/* What waited when the configuration sent its channel another way would wait there until it expires. */
static int
redirect(struct engine *e)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	for (int channel = 0; rc == 0 && channel < CHANNELS; channel++)
		rc = outbox_redirect(e->o.db, channel, engine_destination(e, channel));
	return rc == 0 ? db_commit(e->o.db) : rc;
}

int
engine_new(const struct engine_options *o, struct rulebase *rb, struct compose *compose,
    struct engine **ret)
{
	struct engine *e = calloc(1, sizeof *e);
	int rc;

	if (e == NULL)
		abort();
	e->o = *o;
	e->rb = rb;
	e->compose = compose;
	e->batch = BATCH;
	e->faces_as_of = INT64_MIN;
	e->ramp.from = INSTANT_NEVER;
	e->mem = arena_new("batch", TICK_MEMORY);
	e->tick_mem = arena_new("tick", TICK_MEMORY);
	e->run_mem = arena_new("runs", TICK_MEMORY);
	e->face_mem = arena_new("faces", TICK_MEMORY);
	if (o->lease != NULL)
		snprintf(e->lease, sizeof e->lease, "%s", o->lease);
	else
		lease_make(e->lease);
	rc = rest_renew(e);
	if (rc == 0 && o->spool != NULL && o->lease == NULL)
		rc = outbox_recover(o->db, e->lease, NULL, (struct instant){ 0 });
	if (rc == 0 && o->networked)
		rc = redirect(e);
	if (rc < 0) {
		engine_free(&e);
		return rc;
	}
	*ret = e;
	return 0;
}

static void
series_forget(struct engine *e)
{
	for (size_t i = 0; i < SERIES_KEPT; i++)
		series_free(&e->series[i].series);
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	series_forget(e);
	rest_free(&e->rest);
	compose_free(&e->compose);
	rulebase_free(&e->rb);
	arena_free(&e->mem);
	arena_free(&e->tick_mem);
	arena_free(&e->run_mem);
	arena_free(&e->face_mem);
	free(e);
}

int
engine_way(const struct engine *e, int channel)
{
	return e->o.networked ? e->o.settings->ways[channel] : WAY_SPOOL;
}

const char *
engine_destination(const struct engine *e, int channel)
{
	return channel == CHANNEL_CHAT && engine_way(e, channel) != WAY_SPOOL ? "people" : "";
}

const struct rulebase *
engine_rules(const struct engine *e)
{
	return e->rb;
}

int
engine_swap(
    struct engine *e, struct rulebase *rb, struct compose *compose, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc;

	series_forget(e);
	compose_free(&e->compose);
	rulebase_free(&e->rb);
	e->rb = rb;
	e->compose = compose;
	e->runs = NULL;
	e->n_runs = 0;
	rc = rest_renew(e);
	/* Audiences and rhythms may be others: look at everybody once more. */
	if (rc == 0)
		rc = db_begin(e->o.db);
	if (rc == 0)
		rc = runs_look_again(e->o.db);
	(void)now;
	return rc == 0 ? db_commit(e->o.db) : rc;
}

int
engine_runs(struct engine *e)
{
	arena_reset(e->run_mem);
	e->runs_as_of = db_others(e->o.db);
	return runs_load(e->o.db, e->run_mem, e->rb, &e->runs, &e->n_runs);
}

static int
tick_start(struct engine *e)
{
	arena_reset(e->mem);
	arena_reset(e->tick_mem);
	int rc = engine_runs(e);

	return rc == 0 ? faces_load(e) : rc;
}

/* Put a unit that cannot be decided aside, so that it stops nobody else. */
static int
set_aside(struct engine *e, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	struct due *rows;
	size_t n = 0;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = due_take(e, now, 1, &rows, &n);
	if (rc == 0 && n == 1) {
		log_say(LOG_ERROR,
		    "enrolment %" PRId64 " cannot be decided; looked at again in an hour",
		    rows[0].enrolment);
		rc = due_put(e->o.db, instant_add(now, SPAN_HOURS(1)), rows[0].enrolment, rows[0].k,
		    rows[0].wall, rows[0].follow);
	}
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
decide_batch(struct engine *e, struct instant now, size_t *ret_n)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	struct ramp before = e->ramp;
	struct due *rows;
	int rc = db_begin(e->o.db);

	*ret_n = 0;
	/* A tick may be long: a pause in the middle of it holds what is not decided yet. */
	if (rc == 0 && db_others(e->o.db) != e->runs_as_of)
		rc = engine_runs(e);
	if (rc == 0)
		rc = due_take(e, now, e->batch, &rows, ret_n);
	for (size_t i = 0; rc == 0 && i < *ret_n; i++)
		rc = occasion_handle(e, &rows[i], now);
	if (rc == 0)
		rc = ramp_save(e);
	if (rc == 0)
		rc = db_commit(e->o.db);
	if (rc < 0)
		e->ramp = before;
	return rc;
}

static int
decide_due(struct engine *e, struct instant now)
{
	size_t n = 0, singled = 0;
	struct instant first;
	int rc;

	do {
		/* Asked first, since a transaction of nothing waits for the write lock too. */
		rc = due_next(e->o.db, &first);
		if (rc < 0 || instant_before(now, first))
			break;
		rc = decide_batch(e, now, &n);
		arena_reset(e->mem);
		if (rc < 0 && e->batch > 1) {
			e->batch = 1;
			singled = BATCH;
			rc = 0;
			n = 1;
			continue;
		}
		if (rc < 0) {
			rc = set_aside(e, now);
			arena_reset(e->mem);
			n = 1;
		}
		if (singled > 0 && --singled == 0)
			e->batch = BATCH;
		/* Until nothing is left: missed moments that collapsed are due again at once. */
	} while (rc == 0 && n > 0);
	e->batch = BATCH;
	return rc;
}

static struct instant
earliest(struct instant a, struct instant b)
{
	return instant_before(a, b) ? a : b;
}

int
engine_tick(struct engine *e, struct instant now, struct instant *ret_next)
{
	struct instant decision = INSTANT_NEVER, delivery = INSTANT_NEVER, purge = INSTANT_NEVER;
	struct instant follow = INSTANT_NEVER;
	int rc;

	/* Even planning would be wrong: from 2099 on nobody has a moment any more. */
	if (!guard_may_send(e)) {
		*ret_next = instant_add(now, SPAN_MINUTES(1));
		return 0;
	}
	rc = tick_start(e);
	if (rc == 0)
		rc = ramp_look(e, now);
	if (rc == 0)
		rc = zones_look(e, now);
	if (rc == 0)
		rc = enrol_all(e, now);
	if (rc == 0)
		rc = decide_due(e, now);
	if (rc == 0)
		rc = withdraw_look(e, now);
	if (rc == 0)
		rc = send_waiting(e, now);
	if (rc == 0)
		rc = feeds_write(e, now);
	if (rc == 0)
		rc = purge_old(e, now, &purge);
	if (rc == 0)
		rc = due_next(e->o.db, &decision);
	if (rc == 0)
		rc = send_next(e, &delivery);
	if (rc == 0)
		rc = withdraw_next(e, now, &follow);
	if (rc == 0)
		e->asked = earliest(earliest(decision, delivery), earliest(follow, purge));
	if (rc == 0)
		*ret_next = e->asked;
	return rc;
}
