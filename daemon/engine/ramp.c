/*
 * Going on slowly after downtime (RELIABILITY.md 4).
 *
 * Downtime shows in the plan: a moment is a quarter of an hour late although no tick before asked
 * for this one.  Then, for an hour, decisions to send are let through by the minute: 10 % of the
 * hourly rate within the first quarter, half of it within the hour; so a fault that came with the
 * downtime can be seen and stopped while few have been reached.  The hourly rate is what the plan
 * itself holds for its busiest hour, missed or coming, and never less than 20.
 *
 * Who has to wait gets the first minute that is not yet promised and is decided again then, so
 * rest, budget and `late` hold as ever.  Thanks for an answer do not wait, and what was decided
 * before goes out at the courier's own pace.  The counts are rows of meta, saved with the batch.
 */
#include "base/scope.h"
#include "engine/parts.h"
#include "store/db.h"

enum { RAMP_MINUTES = 60, RATE_LEAST = 20 };
#define LATE_LEAST SPAN_MINUTES(15)

int64_t
ramp_allowed(int64_t rate, struct span since)
{
	int64_t minute = since.us / 60000000 + 1; /* the minute that runs counts whole */

	if (minute > RAMP_MINUTES)
		return INT64_MAX;
	/* In 450ths: 3 a minute make 10 % of a quarter, 4 more a minute half of an hour. */
	return (rate * (minute <= 15 ? 3 * minute : 45 + 4 * (minute - 15)) + 449) / 450;
}

static bool
is_running(const struct ramp *r, struct instant now)
{
	return r->from.us != INT64_MAX && !instant_before(now, r->from) &&
	       instant_before(now, instant_add(r->from, SPAN_MINUTES(RAMP_MINUTES)));
}

static int
ramp_begin(struct engine *e, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	struct ramp r = { .from = now, .changed = true };
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = due_busiest_hour(e->o.db, &r.rate);
	if (rc < 0)
		return rc;
	if (r.rate < RATE_LEAST)
		r.rate = RATE_LEAST;
	e->ramp = r;
	rc = ramp_save(e);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

int
ramp_save(struct engine *e)
{
	struct ramp *r = &e->ramp;
	int rc = 0;

	if (!r->changed)
		return 0;
	rc = meta_set(e->o.db, "ramp.from", r->from.us);
	if (rc == 0)
		rc = meta_set(e->o.db, "ramp.rate", r->rate);
	if (rc == 0)
		rc = meta_set(e->o.db, "ramp.used", r->used);
	if (rc == 0)
		rc = meta_set(e->o.db, "ramp.promised", r->promised);
	r->changed = rc < 0;
	return rc;
}

static int
ramp_load(struct engine *e)
{
	struct ramp r = { 0 };
	int rc = meta_get(e->o.db, "ramp.from", INT64_MAX, &r.from.us);

	if (rc == 0)
		rc = meta_get(e->o.db, "ramp.rate", RATE_LEAST, &r.rate);
	if (rc == 0)
		rc = meta_get(e->o.db, "ramp.used", 0, &r.used);
	if (rc == 0)
		rc = meta_get(e->o.db, "ramp.promised", 0, &r.promised);
	if (rc == 0)
		e->ramp = r;
	return rc;
}

int
ramp_look(struct engine *e, struct instant now)
{
	struct instant first, limit = instant_sub(now, LATE_LEAST);
	bool was_here = e->asked.us != 0 && !instant_before(e->asked, limit);
	int rc = e->asked.us == 0 ? ramp_load(e) : 0;

	if (rc == 0)
		rc = due_next(e->o.db, &first);
	/* One that runs goes on over a crash, with its rate: else the same tick would decide otherwise. */
	if (rc < 0 || was_here || is_running(&e->ramp, now) || !instant_before(first, limit))
		return rc;
	return ramp_begin(e, now);
}

bool
ramp_take(struct engine *e, struct instant now, struct instant *ret_later)
{
	struct ramp *r = &e->ramp;
	struct instant minute = r->from;

	if (!is_running(r, now))
		return true;
	r->changed = true;
	if (r->used < ramp_allowed(r->rate, instant_diff(now, r->from))) {
		r->used++;
		if (r->promised < r->used)
			r->promised = r->used;
		return true;
	}
	r->promised++;
	while (!instant_before(now, minute) ||
	       ramp_allowed(r->rate, instant_diff(minute, r->from)) < r->promised)
		minute = instant_add(minute, SPAN_MINUTES(1));
	*ret_later = minute;
	return false;
}
