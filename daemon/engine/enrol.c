/*
 * Who is in which run, and where the next moment lies.
 *
 * Enrolment is driven by change: a run remembers up to which change of the roster it has looked,
 * so a quiet day costs one query.  A joiner starts in the middle of the rhythm, a mover's plan is
 * made again in the new zone, a leaver's plan and waiting deliveries are gone.
 */
#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "engine/parts.h"
#include "people/people.h"
#include "store/db.h"

const struct run *
engine_run(const struct engine *e, int64_t row)
{
	for (size_t i = 0; i < e->n_runs; i++)
		if (e->runs[i].row == row)
			return &e->runs[i];
	return NULL;
}

const struct zone *
person_zone(const struct engine *e, const struct person *p)
{
	return zone_find(p->time_zone[0] != '\0' ? p->time_zone : e->rb->house.time_zone);
}

bool
run_has_person(const struct run *run, const struct person *p)
{
	return !p->left && audience_matches(&run->campaign->audience, p) &&
	       audience_matches(&run->audience, p);
}

/* Shared by everyone with the same anchor; a small cache, since most runs have one anchor. */
struct series *
engine_series(struct engine *e, const struct campaign *c, struct civil anchor)
{
	int64_t key = civil_seconds(anchor);
	size_t i = (size_t)(dice_bits((uint64_t)c->index, "series", (uint64_t)key, 0) % SERIES_KEPT);
	struct series_slot *slot = &e->series[i];

	if (slot->series == NULL || slot->campaign != c->index || slot->anchor != key) {
		series_free(&slot->series);
		*slot = (struct series_slot){ c->index, key, series_new(&c->rhythm, anchor) };
	}
	return slot->series;
}

static uint64_t
person_seed(const struct engine *e, const struct run *run, const struct person *p)
{
	return dice_bits(e->o.seed, "person", hash_string(run->id), hash_string(p->id));
}

/*
 * The person's stable place in the k-th moment; where the rest rules leave nothing of it, its
 * beginning, and decide() then looks for a slot or skips with the reason.
 */
int
plan_moment(struct engine *e, const struct run *run, const struct enrolment *n,
    const struct person *p, const struct zone *z, int64_t k, struct plan *ret)
{
	struct series *s = engine_series(e, run->campaign, n->anchor);
	struct own_times own;
	struct plan plan = { .k = k };
	int rc = series_moment(s, k, &plan.moment);

	if (rc != 0)
		return rc;
	if (run->has_until && plan.moment.from.day.n > run->until.n)
		return RHYTHM_OVER;
	own_times_of(p, &own);
	if (civil_compare(plan.moment.from, plan.moment.to) == 0 ||
	    !rest_place(e->rest, &own, &plan.moment,
		dice_unit(person_seed(e, run, p), "place", 0, 0), &plan.place, NULL))
		plan.place = plan.moment.from;
	plan.at = zone_instant(z, plan.place);
	*ret = plan;
	return 0;
}

/* The date a rhythm counts from for this person; false: there is none (yet). */
static bool
anchor_find(const struct run *run, const struct person *p, struct civil *ret)
{
	const struct rhythm *r = &run->campaign->rhythm;
	const char *date;

	if (r->kind == RHYTHM_ON_EVENT)
		return false;
	*ret = (struct civil){ run->start, 0 };
	if (r->kind != RHYTHM_AROUND)
		return true;
	date = person_get(p, r->around);
	return date != NULL && civil_parse(date, ret);
}

/* The run begins again: --every. */
static bool
anchor_next(const struct run *run, struct civil anchor, struct civil *ret)
{
	struct civil next;

	if (run->every.count == 0)
		return false;
	next = period_add(run->every, 1, anchor);
	if (civil_compare(next, anchor) <= 0 || (run->has_until && next.day.n > run->until.n))
		return false;
	*ret = next;
	return true;
}

int
plan_next(struct engine *e, const struct run *run, struct enrolment *n, const struct person *p,
    int64_t k, struct instant now)
{
	const struct zone *z = person_zone(e, p);
	struct instant earliest = instant_before(now, n->quiet_until) ? n->quiet_until : now;
	struct plan plan;
	int rc;

	if (!n->has_anchor || z == NULL)
		return enrolment_save(e->o.db, n);
	for (;;) {
		rc = plan_moment(e, run, n, p, z, k, &plan);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			if (!anchor_next(run, n->anchor, &n->anchor))
				break;
			k = 0;
			continue;
		}
		/* A moment of before the run's own start is nobody's, e.g. of an old personal date. */
		if (!instant_before(plan.at, earliest) && plan.moment.from.day.n >= run->start.n) {
			n->k = k;
			rc = due_put(e->o.db, plan.at, n->row, k, plan.place, "");
			return rc < 0 ? rc : enrolment_save(e->o.db, n);
		}
		int64_t later = series_index_after(engine_series(e, run->campaign, n->anchor),
		    zone_civil(z, earliest));

		k = later > k ? later : k + 1;
	}
	/* Over: what comes back in another cycle keeps its state; the others end here. */
	if (n->state == ENROLMENT_ACTIVE || n->state == ENROLMENT_HELD)
		n->state = ENROLMENT_OVER;
	return enrolment_save(e->o.db, n);
}

static int
leave(struct engine *e, struct enrolment *n, struct instant now)
{
	int rc = due_drop(e->o.db, n->row);

	if (rc == 0)
		rc = outbox_cancel_enrolment(e->o.db, n->row, "left", now);
	return rc;
}

/* Someone already enrolled changed: plan again, since zone, times or dates may be others. */
static int
enrolment_renew(
    struct engine *e, const struct run *run, struct enrolment *n, const struct person *p,
    struct instant now)
{
	struct civil anchor;
	int rc = due_drop(e->o.db, n->row);

	if (rc < 0 || n->state == ENROLMENT_STOPPED)
		return rc;
	if (anchor_find(run, p, &anchor) && run->campaign->rhythm.kind == RHYTHM_AROUND) {
		n->has_anchor = true;
		n->anchor = anchor;
	}
	if (n->state != ENROLMENT_ACTIVE && n->state != ENROLMENT_HELD)
		return 0;
	return plan_next(e, run, n, p, n->k, now);
}

/*
 * Into a run for the first time: who said stop to this campaign in another of its runs stays out of
 * all; who is in the group without messages is, however they came in.
 */
int
enrolment_begin(
    struct engine *e, const struct run *run, const struct person *p, struct enrolment *n)
{
	bool stopped;
	int rc = campaign_stopped(e->o.db, p->row, run->campaign_id, &stopped);

	if (stopped)
		n->state = ENROLMENT_STOPPED;
	else if (dice_unit(person_seed(e, run, p), "holdout", 0, 0) < run->campaign->holdout)
		n->state = ENROLMENT_HELD;
	return rc < 0 ? rc : enrolment_add(e->o.db, n);
}

static int
enrol_person(struct engine *e, const struct run *run, int64_t row, struct instant now)
{
	struct person *p;
	struct enrolment n = { .run_row = run->row, .person = row };
	int rc = person_load(e->o.db, e->mem, row, &p), there;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	there = enrolment_of(e->o.db, run->row, row, &n);
	if (there < 0)
		return there;
	if (p->left)
		return there == 0 ? leave(e, &n, now) : 0;
	if (there == 0)
		return enrolment_renew(e, run, &n, p, now);
	if (!run_has_person(run, p))
		return 0;
	n = (struct enrolment){ .run_row = run->row, .person = row };
	n.has_anchor = anchor_find(run, p, &n.anchor);
	rc = enrolment_begin(e, run, p, &n);
	return rc < 0 || n.state == ENROLMENT_STOPPED ? rc : plan_next(e, run, &n, p, 0, now);
}

/* One transaction of people; *after moves on.  RUN_REFUSED: the run was paused or cancelled meanwhile. */
static int
enrol_batch(struct engine *e, const struct run *run, int64_t changed_after, int64_t *after,
    struct instant now, size_t *ret_n)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int64_t *rows = arena_alloc(e->mem, BATCH, sizeof *rows);
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = run_is_approved(e->o.db, run->row);
	if (rc == 0)
		rc = people_since(e, changed_after, *after, BATCH, rows, ret_n);
	if (rc == RUN_REFUSED)
		return rc;
	for (size_t i = 0; rc >= 0 && i < *ret_n; i++)
		rc = enrol_person(e, run, rows[i], now);
	if (rc >= 0)
		rc = db_commit(e->o.db);
	if (rc >= 0 && *ret_n > 0)
		*after = rows[*ret_n - 1];
	arena_reset(e->mem);
	return rc < 0 ? rc : 0;
}

static int
enrol_run(struct engine *e, struct run *run, int64_t changed, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int64_t after = 0;
	size_t n;
	int rc;

	do {
		rc = enrol_batch(e, run, run->enrolled_at, &after, now, &n);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	} while (n == BATCH);
	rc = db_begin(e->o.db);
	if (rc == 0)
		rc = run_note_enrolled(e->o.db, run->row, changed);
	if (rc == 0)
		rc = db_commit(e->o.db);
	if (rc == 0)
		run->enrolled_at = changed;
	return rc;
}

int
enrol_all(struct engine *e, struct instant now)
{
	int64_t changed;
	int rc = people_changed(e->o.db, &changed);

	for (size_t i = 0; rc == 0 && i < e->n_runs; i++) {
		struct run *run = &e->runs[i];

		if (run->state != RUN_APPROVED || run->campaign == NULL || changed <= run->enrolled_at)
			continue;
		rc = enrol_run(e, run, changed, now);
	}
	return rc;
}
