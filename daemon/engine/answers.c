/*
 * What people answered and what happened to them.
 *
 * An answer is committed before anyone is told "done", twice the same answer changes nothing, and
 * stop is stop at once, also for what already waits in the outbox.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "engine/parts.h"
#include "people/people.h"
#include "store/db.h"

enum { ANSWERS_NEAR = 64 };

const char *
engine_why(const struct engine *e)
{
	return e->why;
}

static int refuse(struct engine *e, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int
refuse(struct engine *e, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->why, sizeof e->why, fmt, ap);
	va_end(ap);
	return rc;
}

/* The effect of an outcome on the enrolment. */
static int
outcome_apply(struct engine *e, const struct run *run, struct enrolment *n, const char *outcome,
    struct instant at)
{
	const char *aim = run->campaign->aim.outcome;
	int rc = 0;

	if (strcmp(outcome, "done") == 0 || (aim != NULL && strcmp(outcome, aim) == 0)) {
		n->state = ENROLMENT_DONE;
		rc = completion_add(e->o.db, n->person, run->campaign_id, at);
	} else if (strcmp(outcome, "declined") == 0)
		n->state = ENROLMENT_DECLINED;
	return rc;
}

static int
standing_apply(struct engine *e, const struct run *run, struct enrolment *n, int answer,
    struct instant at)
{
	switch (answer) {
	case ANSWER_DONE:
		return outcome_apply(e, run, n, "done", at);
	case ANSWER_NOT_FOR_ME:
		return outcome_apply(e, run, n, "declined", at);
	case ANSWER_LATER:
		n->quiet_until = instant_add(at, SPAN_WEEK);
		return 0;
	case ANSWER_STOP:
		n->state = ENROLMENT_STOPPED;
		return stop_campaign(e, n->person, run->campaign_id, at);
	case ANSWER_PLAN:
	case ANSWER_TALK:
	default:
		return 0;
	}
}

static int
own_apply(struct engine *e, const struct run *run, struct enrolment *n, const struct answer *a,
    const struct person *p, struct instant at, int64_t row)
{
	const struct zone *z = person_zone(e, p);
	int rc = 0;

	if (a->is != NULL)
		rc = outcome_apply(e, run, n, a->is, at);
	if (rc == 0 && a->stage != NULL)
		rc = person_stage_set(e->o.db, n->person, a->stage, at);
	if (a->next.count > 0 && z != NULL)
		n->quiet_until = zone_instant(z, period_add(a->next, 1, zone_civil(z, at)));
	if (rc == 0 && a->thanks != NULL && n->state != ENROLMENT_STOPPED && z != NULL &&
	    run->state != RUN_CANCELLED)
		/* Negative k: never that of a moment, so that both can wait in the queue. */
		rc = due_put(e->o.db, at, n->row, -row, zone_civil(z, at), a->thanks);
	return rc;
}

/* The plan after an answer: nobody who is done or declined hears more in this cycle. */
static int
plan_again(struct engine *e, const struct run *run, struct enrolment *n, const struct person *p,
    struct instant at)
{
	int rc = due_drop_moments(e->o.db, n->row);

	if (rc < 0)
		return rc;
	if (run->state == RUN_CANCELLED || run->state == RUN_OVER)
		return enrolment_save(e->o.db, n);
	if (n->state == ENROLMENT_ACTIVE)
		return plan_next(e, run, n, p, n->k, at);
	rc = outbox_cancel_enrolment(e->o.db, n->row, "answered", at);
	if (rc < 0)
		return rc;
	if ((n->state == ENROLMENT_DONE || n->state == ENROLMENT_DECLINED) && run->every.count > 0) {
		struct civil next = period_add(run->every, 1, n->anchor);

		if (!run->has_until || next.day.n <= run->until.n) {
			n->anchor = next;
			return plan_next(e, run, n, p, 0, at);
		}
	}
	return enrolment_save(e->o.db, n);
}

static int
answer_apply(struct engine *e, const struct run *run, struct enrolment *n, const struct person *p,
    const char *answer, int64_t row, struct instant at)
{
	int standing = parse_word(answer, standing_answers, STANDING_ANSWERS);
	const struct answer *own = campaign_answer(run->campaign, answer);
	int rc;

	n->unanswered = 0;
	n->answered = true;
	rc = own != NULL ? own_apply(e, run, n, own, p, at, row)
			 : standing_apply(e, run, n, standing, at);
	if (rc < 0)
		return rc;
	if (n->state == ENROLMENT_STOPPED)
		return enrolment_save(e->o.db, n);
	return plan_again(e, run, n, p, at);
}

static const struct run *
run_named(const struct engine *e, const char *id)
{
	for (size_t i = 0; i < e->n_runs; i++)
		if (strcmp(e->runs[i].id, id) == 0)
			return &e->runs[i];
	return NULL;
}

static int
answer_take(struct engine *e, const struct run *run, const struct person *p, const char *answer,
    struct instant at)
{
	struct enrolment n;
	const char *occurrence = NULL;
	int64_t row = 0;
	int rc = enrolment_of(e->o.db, run->row, p->row, &n);

	/* Nobody has to be written to before they may say stop. */
	if (rc > 0 && strcmp(answer, standing_answers[ANSWER_STOP]) == 0 && run_has_person(run, p)) {
		n = (struct enrolment){ .run_row = run->row, .person = p->row };
		rc = enrolment_add(e->o.db, &n);
	}
	if (rc > 0)
		return refuse(e, ENGINE_UNKNOWN, "%s is not in the run %s", p->id, run->id);
	if (rc == 0)
		rc = newest_contact(e, n.row, &occurrence);
	if (rc == 0)
		rc = answer_add(e->o.db, p->row, n.row, occurrence != NULL ? occurrence : "",
		    answer, at, &row);
	if (rc == DB_REFUSED)
		return ENGINE_DONE; /* the same answer again changes nothing */
	return rc == 0 ? answer_apply(e, run, &n, p, answer, row, at) : rc;
}

static int
answer_unknown(struct engine *e, const struct run *run, const char *answer)
{
	const struct campaign *k = run->campaign;
	const char *words[STANDING_ANSWERS + ANSWERS_NEAR], *near;
	size_t n = 0;

	for (; n < STANDING_ANSWERS; n++)
		words[n] = standing_answers[n];
	for (size_t i = 0; i < k->n_answers && i < ANSWERS_NEAR; i++)
		words[n++] = k->answers[i].id;
	near = nearest_word(answer, words, n);
	return refuse(e, ENGINE_UNKNOWN, "'%.60s' is not an answer of %.60s%s%s%s", answer,
	    run->campaign_id, near != NULL ? ": did you mean '" : "", near != NULL ? near : "",
	    near != NULL ? "'?" : "");
}

static int
answer_once(struct engine *e, const char *person, const char *run_id, const char *answer,
    struct instant at)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	const struct run *run;
	struct person *p;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = engine_runs(e);
	if (rc < 0)
		return rc;
	run = run_named(e, run_id);
	if (run == NULL || run->campaign == NULL)
		return refuse(e, ENGINE_UNKNOWN, "there is no run '%s' (nudge runs lists them)", run_id);
	if (parse_word(answer, standing_answers, STANDING_ANSWERS) < 0 &&
	    campaign_answer(run->campaign, answer) == NULL)
		return answer_unknown(e, run, answer);
	rc = person_find(e->o.db, e->mem, person, &p);
	if (rc > 0)
		return refuse(e, ENGINE_UNKNOWN, "there is no person '%s' on the roster", person);
	if (rc == 0)
		rc = answer_take(e, run, p, answer, at);
	if (rc == 0)
		rc = db_commit(e->o.db);
	arena_reset(e->mem);
	return rc;
}

/* Stop is recorded also on a full disk, from the reserve (RELIABILITY.md 7, F16). */
int
engine_answer(struct engine *e, const char *person, const char *run_id, const char *answer,
    struct instant at)
{
	int rc = answer_once(e, person, run_id, answer, at);

	if (rc == -ENOSPC && strcmp(answer, standing_answers[ANSWER_STOP]) == 0 &&
	    db_reserve_use(e->o.db))
		rc = answer_once(e, person, run_id, answer, at);
	return rc;
}

/* A new event begins its series again, with its own occurrence keys. */
static int
event_start(struct engine *e, const struct run *run, const struct person *p, int64_t row,
    struct instant at)
{
	const struct zone *z = person_zone(e, p);
	struct enrolment n = { .run_row = run->row, .person = p->row };
	int rc = enrolment_of(e->o.db, run->row, p->row, &n);

	if (rc < 0 || z == NULL)
		return rc < 0 ? rc : 0;
	if (rc > 0) {
		if (!run_has_person(run, p))
			return 0;
		n = (struct enrolment){ .run_row = run->row, .person = p->row };
		rc = enrolment_begin(e, run, p, &n);
	}
	if (rc < 0 || n.state == ENROLMENT_STOPPED)
		return rc;
	if (n.state == ENROLMENT_OVER)
		n.state = ENROLMENT_ACTIVE;
	n.has_anchor = true;
	n.anchor = zone_civil(z, at);
	n.source = row;
	rc = due_drop(e->o.db, n.row);
	return rc < 0 ? rc : plan_next(e, run, &n, p, 0, at);
}

int
engine_event(struct engine *e, const char *person, const char *name, struct instant at)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	struct person *p;
	int64_t row = 0;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = engine_runs(e);
	if (rc == 0)
		rc = person_find(e->o.db, e->mem, person, &p);
	if (rc > 0)
		return refuse(e, ENGINE_UNKNOWN, "there is no person '%s' on the roster", person);
	if (rc == 0)
		rc = event_add(e->o.db, p->row, name, at, &row);
	if (rc == DB_REFUSED)
		return ENGINE_DONE;

	for (size_t i = 0; rc == 0 && i < e->n_runs; i++) {
		const struct run *run = &e->runs[i];

		if (run->campaign != NULL && run->state == RUN_APPROVED &&
		    run->campaign->rhythm.kind == RHYTHM_ON_EVENT &&
		    strcmp(run->campaign->rhythm.event, name) == 0)
			rc = event_start(e, run, p, row, at);
	}
	if (rc == 0)
		rc = db_commit(e->o.db);
	arena_reset(e->mem);
	return rc;
}
