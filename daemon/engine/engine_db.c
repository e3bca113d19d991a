#include "engine/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/scope.h"
#include "base/text.h"
#include "people/people.h"
#include "store/db.h"

/* ---- due ---- */

int
due_put(struct db *db, struct instant at, int64_t enrolment, int64_t k, struct civil wall,
    const char *follow)
{
	return db_run(db,
	    "INSERT INTO due(at, enrolment, k, wall, follow) VALUES(?1, ?2, ?3, ?4, ?5)"
	    " ON CONFLICT(at, enrolment, k) DO UPDATE SET wall = excluded.wall,"
	    " follow = excluded.follow",
	    "iiiis", at.us, enrolment, k, civil_seconds(wall), follow);
}

int
due_drop(struct db *db, int64_t enrolment)
{
	return db_run(db, "DELETE FROM due WHERE enrolment = ?1", "i", enrolment);
}

/* All but a thanks that waits. */
int
due_drop_moments(struct db *db, int64_t enrolment)
{
	return db_run(
	    db, "DELETE FROM due WHERE enrolment = ?1 AND follow = ''", "i", enrolment);
}

int
due_next(struct db *db, struct instant *ret)
{
	return db_int(db, &ret->us, INT64_MAX, "SELECT min(at) FROM due", "");
}

int
due_busiest_hour(struct db *db, int64_t *ret)
{
	return db_int(db, ret, 0,
	    "SELECT max(n) FROM (SELECT count(*) AS n FROM due GROUP BY at / 3600000000) AS hours", "");
}

/* More important campaigns first, so that they get the budget; then whose moment came first. */
static int
due_compare(const void *a, const void *b)
{
	const struct due *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->at.us != y->at.us)
		return x->at.us < y->at.us ? -1 : 1;
	return (x->enrolment > y->enrolment) - (x->enrolment < y->enrolment);
}

static int
due_read(struct engine *e, struct instant now, size_t max, struct due *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT d.at, d.enrolment, d.k, d.wall, d.follow, n.run FROM due d"
	    " JOIN enrolment n ON n.row = d.enrolment WHERE d.at <= ?1"
	    " ORDER BY d.at, d.enrolment, d.k LIMIT ?2",
	    "ii", now.us, (int64_t)max);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct due *d = &rows[(*ret_n)++];

		*d = (struct due){
			.at = { stmt_int(s, 0) },
			.enrolment = stmt_int(s, 1),
			.k = stmt_int(s, 2),
			.wall = civil_of_seconds(stmt_int(s, 3)),
			.follow = stmt_copy(s, 4, e->mem),
			.run = engine_run(e, stmt_int(s, 5)),
		};
		if (d->run != NULL && d->run->campaign != NULL)
			d->priority = d->run->campaign->priority;
	}
	return rc;
}

/* Take a range out of the queue; who is not finished is put back by its own handling. */
int
due_take(struct engine *e, struct instant now, size_t max, struct due **ret, size_t *ret_n)
{
	struct due *rows = arena_alloc(e->mem, max, sizeof *rows);
	size_t n = 0;
	int rc = due_read(e, now, max, rows, &n);

	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = db_run(e->o.db,
		    "DELETE FROM due WHERE at = ?1 AND enrolment = ?2 AND k = ?3", "iii",
		    rows[i].at.us, rows[i].enrolment, rows[i].k);
	if (rc < 0)
		return rc;
	qsort(rows, n, sizeof *rows, due_compare);
	*ret = rows;
	*ret_n = n;
	return 0;
}

/* ---- enrolments ---- */

#define ENROLMENT_COLUMNS                                                                      \
	"row, run, person, state, anchor, source, k, total, unanswered, answered, quiet_until,"  \
	" slowed, offered"

static int
enrolment_read(struct stmt *s, struct enrolment *ret)
{
	int rc = stmt_step(s);

	if (rc < 0)
		return rc;
	if (rc == STMT_DONE)
		return 1;
	*ret = (struct enrolment){
		.row = stmt_int(s, 0),
		.run_row = stmt_int(s, 1),
		.person = stmt_int(s, 2),
		.state = (enum enrolment_state)stmt_int(s, 3),
		.has_anchor = !stmt_is_null(s, 4),
		.anchor = civil_of_seconds(stmt_int(s, 4)),
		.source = stmt_int(s, 5),
		.k = stmt_int(s, 6),
		.total = stmt_int(s, 7),
		.unanswered = stmt_int(s, 8),
		.answered = stmt_int(s, 9) != 0,
		.quiet_until = { stmt_int(s, 10) },
		.slowed = stmt_int(s, 11) != 0,
		.offered = stmt_int(s, 12) != 0,
	};
	return 0;
}

int
enrolment_load(struct db *db, int64_t row, struct enrolment *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(
	    db, &s, "SELECT " ENROLMENT_COLUMNS " FROM enrolment WHERE row = ?1", "i", row);

	return rc < 0 ? rc : enrolment_read(s, ret);
}

int
enrolment_of(struct db *db, int64_t run, int64_t person, struct enrolment *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT " ENROLMENT_COLUMNS " FROM enrolment WHERE run = ?1 AND person = ?2", "ii", run,
	    person);

	return rc < 0 ? rc : enrolment_read(s, ret);
}

int
enrolment_add(struct db *db, struct enrolment *n)
{
	int rc = db_run(db,
	    "INSERT INTO enrolment(row, run, person, state)"
	    " VALUES(" NEXT_ROW("enrolment") ", ?1, ?2, ?3)",
	    "iii",
	    n->run_row, n->person, (int64_t)n->state);

	n->row = db_last_id(db);
	return rc < 0 ? rc : enrolment_save(db, n);
}

int
enrolment_save(struct db *db, const struct enrolment *n)
{
	return db_run(db,
	    "UPDATE enrolment SET state = ?2, anchor = CASE ?3 WHEN 1 THEN ?4 ELSE NULL END,"
	    " source = ?5, k = ?6, total = ?7, unanswered = ?8, answered = ?9, quiet_until = ?10,"
	    " slowed = ?11, offered = ?12 WHERE row = ?1",
	    "iiiiiiiiiiii", n->row, (int64_t)n->state, (int64_t)n->has_anchor,
	    civil_seconds(n->anchor), n->source, n->k, n->total, n->unanswered, (int64_t)n->answered,
	    n->quiet_until.us, (int64_t)n->slowed, (int64_t)n->offered);
}

/* ---- what the decision looks back on ---- */

static int
word_index(const struct words *w, const char *s)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->v[i], s) == 0)
			return (int)i;
	return -1;
}

int
history_load(struct engine *e, const struct enrolment *n, const struct campaign *c,
    struct history *ret, uint16_t *uses)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT message, angle, frame, channel, messenger, answer IS NOT NULL FROM decision"
	    " WHERE enrolment = ?1 AND verdict = 0 ORDER BY at DESC",
	    "i", n->row);

	*ret = (struct history){
		.total = n->total,
		.unanswered = n->unanswered,
		.ever_answered = n->answered,
		.done = n->state == ENROLMENT_DONE,
		.uses = uses,
	};
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		const struct message *m = campaign_message(c, stmt_text(s, 0));

		if (m != NULL && uses[m->index] < UINT16_MAX)
			uses[m->index]++;
		if (ret->n < HISTORY_MAX)
			ret->contact[ret->n++] = (struct contact){
				.message = m != NULL ? m->index : -1,
				.angle = word_index(&e->rb->house.angles, stmt_text(s, 1)),
				.frame = (enum frame)stmt_int(s, 2),
				.channel = (enum channel)stmt_int(s, 3),
				.messenger = house_messenger(&e->rb->house, stmt_text(s, 4)),
				.answered = stmt_int(s, 5) != 0,
			};
	}
	return rc < 0 ? rc : 0;
}

int
spending_load(struct engine *e, int64_t person, struct instant now, struct spending *ret,
    enum frame *ret_last_frame)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	struct instant oldest = instant_sub(now, SPAN_DAYS(31));
	bool first = true;
	int rc = db_query(e->o.db, &s,
	    "SELECT at, frame FROM contact WHERE person = ?1 ORDER BY at DESC LIMIT ?2", "ii",
	    person, (int64_t)BUDGET_MAX);

	ret->n = 0;
	*ret_last_frame = FRAME_NONE;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct instant at = { stmt_int(s, 0) };

		if (first)
			*ret_last_frame = (enum frame)stmt_int(s, 1);
		first = false;
		if (instant_before(at, oldest))
			break;
		ret->at[ret->n++] = at;
	}
	return rc < 0 ? rc : 0;
}

/* Does any run go before this campaign?  Mostly none does, and the dearest query need not be asked. */
static bool
has_rivals(const struct engine *e, const struct campaign *c)
{
	for (size_t i = 0; i < e->n_runs; i++)
		if (e->runs[i].campaign != NULL && e->runs[i].state == RUN_APPROVED &&
		    e->runs[i].campaign->priority > c->priority)
			return true;
	return false;
}

int
rivals_load(struct engine *e, const struct campaign *c, const struct enrolment *n,
    struct instant from, struct instant to, struct rival *ret, size_t room, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc;

	*ret_n = 0;
	if (!has_rivals(e, c))
		return 0;
	rc = db_query(e->o.db, &s,
	    "SELECT d.at, n.run FROM enrolment n JOIN due d ON d.enrolment = n.row"
	    " WHERE n.person = ?1 AND n.row <> ?2 AND n.state = 0 AND d.at >= ?3 AND d.at <= ?4",
	    "iiii", n->person, n->row, from.us, to.us);
	while (rc >= 0 && *ret_n < room && (rc = stmt_step(s)) == STMT_ROW) {
		const struct run *run = engine_run(e, stmt_int(s, 1));

		if (run != NULL && run->campaign != NULL && run->state == RUN_APPROVED &&
		    run->campaign->priority > c->priority)
			ret[(*ret_n)++] = (struct rival){ .at = { stmt_int(s, 0) },
				.priority = run->campaign->priority };
	}
	return rc < 0 ? rc : 0;
}

/* ---- what it leaves behind ---- */

static const char *
reasons_text(struct engine *e, const struct reasons *r)
{
	const char *all = "";

	for (int i = 0; i < r->n; i++)
		all = i == 0 ? reason_codes[r->v[i]]
			     : arena_printf(e->mem, "%s %s", all, reason_codes[r->v[i]]);
	return all;
}

int
decision_save(struct engine *e, const struct enrolment *n, const char *occurrence,
    struct instant now, const struct decision *d, const struct campaign *c, int64_t number)
{
	const struct house *h = &e->rb->house;
	const struct message *m =
	    d->verdict == VERDICT_SEND ? &c->messages[d->choice.message] : NULL;

	/* A wait is not the last word: the final verdict replaces it, and nothing replaces that. */
	return db_run(e->o.db,
	    "INSERT INTO decision(enrolment, occurrence, at, verdict, message, angle, frame, channel,"
	    " messenger, language, reasons, probability, number, rules)"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
	    " ON CONFLICT(enrolment, occurrence) DO UPDATE SET at = excluded.at,"
	    " verdict = excluded.verdict, message = excluded.message, angle = excluded.angle,"
	    " frame = excluded.frame, channel = excluded.channel, messenger = excluded.messenger,"
	    " language = excluded.language, reasons = excluded.reasons,"
	    " probability = excluded.probability, number = excluded.number, rules = excluded.rules"
	    " WHERE decision.verdict = 1",
	    "isiissiisssdis", n->row, occurrence, now.us, (int64_t)d->verdict,
	    m != NULL ? m->id : NULL, m != NULL && m->angle >= 0 ? h->angles.v[m->angle] : NULL,
	    m != NULL ? (int64_t)m->frame : 0, m != NULL ? (int64_t)d->choice.channel : 0,
	    m != NULL ? h->messengers[d->choice.messenger].id : NULL,
	    m != NULL ? h->languages[d->choice.language] : NULL, reasons_text(e, &d->reasons),
	    d->probability, number, e->rb->hash);
}

int
contact_add(
    struct db *db, int64_t person, struct instant at, int64_t enrolment, enum frame frame)
{
	return db_run(db,
	    "INSERT INTO contact(person, at, enrolment, frame) VALUES(?1, ?2, ?3, ?4)"
	    " ON CONFLICT(person, at, enrolment) DO NOTHING",
	    "iiii", person, at.us, enrolment, (int64_t)frame);
}

int
newest_contact(struct engine *e, int64_t enrolment, const char **ret_occurrence)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT occurrence FROM decision WHERE enrolment = ?1 AND verdict = 0"
	    " ORDER BY at DESC LIMIT 1",
	    "i", enrolment);

	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	*ret_occurrence = rc == STMT_ROW ? stmt_copy(s, 0, e->mem) : NULL;
	return 0;
}

/* ---- answers ---- */

int
answer_add(struct db *db, int64_t person, int64_t enrolment, const char *occurrence,
    const char *answer, struct instant at, int64_t *ret_row)
{
	int rc = db_try(db,
	    "INSERT INTO answer(person, enrolment, occurrence, answer, at)"
	    " VALUES(?1, ?2, ?3, ?4, ?5)",
	    "iissi", person, enrolment, occurrence, answer, at.us);

	if (rc != 0)
		return rc;
	*ret_row = db_last_id(db);
	return db_run(db,
	    "UPDATE decision SET answer = ?3 WHERE enrolment = ?1 AND occurrence = ?2", "iss",
	    enrolment, occurrence, answer);
}

int
event_add(struct db *db, int64_t person, const char *name, struct instant at, int64_t *ret_row)
{
	int rc = db_try(db, "INSERT INTO event(person, name, at) VALUES(?1, ?2, ?3)", "isi", person,
	    name, at.us);

	*ret_row = rc == 0 ? db_last_id(db) : 0;
	return rc;
}

int
completion_add(struct db *db, int64_t person, const char *campaign, struct instant at)
{
	return db_run(db,
	    "INSERT INTO completion(person, campaign, at) VALUES(?1, ?2, ?3)"
	    " ON CONFLICT(person, campaign) DO NOTHING",
	    "isi", person, campaign, at.us);
}

int
person_stage_set(struct db *db, int64_t person, const char *stage, struct instant at)
{
	/* Later than any change before, also after the clock was set back. */
	return db_run(db,
	    "UPDATE person SET stage = ?2, changed_at = (SELECT CASE WHEN max(changed_at) >= ?3"
	    " THEN max(changed_at) + 1 ELSE ?3 END FROM person) WHERE row = ?1",
	    "isi", person, stage, at.us);
}

_Static_assert(ENROLMENT_STOPPED == 3, "the number stands in SQL");

int
campaign_stopped(struct db *db, int64_t person, const char *campaign, bool *ret)
{
	int64_t stopped = 0;
	int rc = db_int(db, &stopped, 0,
	    "SELECT 1 FROM enrolment n JOIN run r ON r.row = n.run WHERE n.person = ?1 AND n.state = 3"
	    " AND r.campaign = ?2 LIMIT 1",
	    "is", person, campaign);

	*ret = stopped != 0;
	return rc;
}

/* Stop means this campaign, in every run of it; later ones ask campaign_stopped(). */
int
stop_campaign(struct engine *e, int64_t person, const char *campaign, struct instant now)
{
	for (size_t i = 0; i < e->n_runs; i++) {
		struct enrolment n;
		int rc;

		if (strcmp(e->runs[i].campaign_id, campaign) != 0)
			continue;
		rc = enrolment_of(e->o.db, e->runs[i].row, person, &n);
		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		n.state = ENROLMENT_STOPPED;
		rc = enrolment_save(e->o.db, &n);
		if (rc == 0)
			rc = due_drop(e->o.db, n.row);
		if (rc == 0)
			rc = outbox_cancel_enrolment(e->o.db, n.row, "stopped", now);
		if (rc == 0)
			rc = invitations_withdraw(e->o.db, INVITATIONS_OF_ENROLMENT, n.row, now);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
figures_load(struct engine *e, const struct run *run, const char *team, int64_t *ret_n,
    int64_t *ret_done, int64_t *ret_team_n, int64_t *ret_team_done)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT count(*), sum(CASE n.state WHEN 1 THEN 1 ELSE 0 END),"
	    " sum(CASE p.team WHEN ?2 THEN 1 ELSE 0 END),"
	    " sum(CASE WHEN p.team = ?2 AND n.state = 1 THEN 1 ELSE 0 END)"
	    " FROM enrolment n JOIN person p ON p.row = n.person WHERE n.run = ?1",
	    "is", run->row, team);

	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	*ret_n = stmt_int(s, 0);
	*ret_done = stmt_int(s, 1);
	*ret_team_n = stmt_int(s, 2);
	*ret_team_done = stmt_int(s, 3);
	return 0;
}

/* ---- people ---- */

int
people_changed(struct db *db, int64_t *ret)
{
	return db_int(db, ret, INT64_MIN, "SELECT max(changed_at) FROM person", "");
}

int
people_since(struct engine *e, int64_t changed_after, int64_t after_row, size_t max,
    int64_t *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT row FROM person WHERE row > ?1 AND changed_at > ?2 ORDER BY row LIMIT ?3", "iii",
	    after_row, changed_after, (int64_t)max);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] = stmt_int(s, 0);
	return rc < 0 ? rc : 0;
}

int
faces_load(struct engine *e)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int64_t n = 0, changed, erased = 0;
	int rc = people_changed(e->o.db, &changed);

	if (rc == 0)
		rc = meta_get(e->o.db, PEOPLE_ERASED, 0, &erased);
	if (rc < 0 || (changed == e->faces_as_of && erased == e->faces_erased && e->ambassadors != NULL))
		return rc;
	arena_reset(e->face_mem);
	memset(e->managers, 0, sizeof e->managers);
	e->n_managers = 0;
	e->faces_as_of = changed;
	e->faces_erased = erased;
	rc = db_int(e->o.db, &n, 0,
	    "SELECT count(*) FROM person WHERE left_at IS NULL"
	    " AND attributes LIKE '%\"ambassador\":%'",
	    "");

	if (rc < 0)
		return rc;
	e->ambassadors = arena_alloc(e->face_mem, (size_t)n + 1, sizeof *e->ambassadors);
	e->n_ambassadors = 0;
	rc = db_query(e->o.db, &s,
	    "SELECT row, team, name, email, attributes FROM person WHERE left_at IS NULL"
	    " AND attributes LIKE '%\"ambassador\":%' ORDER BY row LIMIT ?1",
	    "i", n);
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		const char *a = strstr(stmt_text(s, 4), "\"ambassador\":");

		if (strncmp(a + 13, "\"yes\"", 5) != 0 && strncmp(a + 13, "\"ja\"", 4) != 0)
			continue;
		e->ambassadors[e->n_ambassadors++] = (struct ambassador){
			.row = stmt_int(s, 0),
			.team = stmt_copy(s, 1, e->face_mem),
			.name = stmt_copy(s, 2, e->face_mem),
			.email = stmt_copy(s, 3, e->face_mem),
		};
	}
	return rc < 0 ? rc : 0;
}

/* ---- meta ---- */

int
meta_get(struct db *db, const char *key, int64_t otherwise, int64_t *ret)
{
	return db_int(
	    db, ret, otherwise, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1", "s", key);
}

int
meta_set(struct db *db, const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, value);
	return db_run(db,
	    "INSERT INTO meta(key, value) VALUES(?1, ?2)"
	    " ON CONFLICT(key) DO UPDATE SET value = excluded.value",
	    "ss", key, text);
}
