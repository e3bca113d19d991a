/*
 * What is old is deleted, and counts are left (RELIABILITY.md 6).
 *
 *   deliveries, skipped moments, events   after 90 days; of an invitation not before its event
 *   answers                               after privacy.keep_answers of house.yaml
 *   contacts                              with their delivery, but for each person's newest
 *
 * What decide() looks back on stays for ever: of a message that was sent the decision keeps its text,
 * angle, frame, channel and messenger, so that nobody gets the same text twice while another is left,
 * and loses reasons and rule version ('' marks it); of the contacts the newest stays, so that two
 * loss frames never follow each other; who is done stands in `completion` and in the enrolment.
 *
 * Rows are counted per run in `purged` in the very transaction that deletes them, so that created =
 * pending + leased + delivered + uncertain + expired + cancelled + dead + purged.  The newest row of
 * each table stays, since its number must never be given again: it stands in links and file names.
 *
 * At most once a day, in batches of 500, and never by a clock that is suspect (the tick does nothing
 * then).  Tables are walked from their oldest row, which needs no index by time; a row that was
 * added while the clock stood wrong is found late, never early.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/parts.h"
#include "rules/rulebase.h"
#include "store/db.h"

enum { PURGE_BATCH = 500 };
#define KEEP SPAN_DAYS(90)
#define PURGE_EVERY SPAN_HOURS(24)

/* One row that may be old; what a table lacks is 0 or "". */
struct old {
	int64_t row, run, person, enrolment, state, channel;
	const char *occurrence;
	struct instant at;
};
struct purge {
	struct engine *e;
	struct instant horizon, now;
	int64_t cursor, newest, n; /* last row looked at; the row that stays; rows deleted */
	bool over;                 /* the first row that is too young was seen */
};

static struct instant
answers_horizon(const struct engine *e, struct instant now)
{
	struct civil c = civil_of_seconds(instant_floor(now));

	return instant_seconds(civil_seconds(period_add(e->rb->house.keep_answers, -1, c)));
}

static int
count_add(struct db *db, int64_t run, const char *what)
{
	return db_run(db,
	    "INSERT INTO purged(run, what, n) VALUES(?1, ?2, 1)"
	    " ON CONFLICT(run, what) DO UPDATE SET n = purged.n + 1",
	    "is", run, what);
}

/* ---- the tables: how the next rows are read, and what happens to an old one ---- */

/* An event ahead may still move or be withdrawn, for which all that was told of it is needed. */
static int
is_ahead(const struct purge *p, const struct old *o, int64_t *ret)
{
	*ret = 0;
	return o->channel != CHANNEL_CALENDAR
	    ? 0
	    : db_int(p->e->o.db, ret, 0,
		  "SELECT 1 FROM invitation WHERE enrolment = ?1 AND occurrence = ?2"
		  " AND (starts_at > ?3 OR todo = 1 OR address <> '')",
		  "isi", o->enrolment, o->occurrence, p->now.us);
}

static int
delivery_purge(const struct purge *p, const struct old *o)
{
	struct db *db = p->e->o.db;
	int64_t ahead;
	int rc;

	if (o->state < DELIVERY_DELIVERED || o->state >= DELIVERY_STATES)
		return 0;
	rc = is_ahead(p, o, &ahead);
	if (rc < 0 || ahead)
		return rc;
	rc = count_add(db, o->run, delivery_state_names[o->state]);
	if (rc == 0)
		rc = db_run(db, "DELETE FROM delivery WHERE row = ?1", "i", o->row);
	if (rc == 0)
		rc = db_run(db, "DELETE FROM invitation WHERE enrolment = ?1 AND occurrence = ?2", "is",
		    o->enrolment, o->occurrence);
	if (rc == 0)
		rc = db_run(db,
		    "UPDATE decision SET reasons = '', rules = '' WHERE enrolment = ?1 AND occurrence = ?2",
		    "is", o->enrolment, o->occurrence);
	if (rc == 0)
		rc = db_run(db,
		    "DELETE FROM contact WHERE person = ?1 AND at <= ?2"
		    " AND at < (SELECT max(at) FROM contact WHERE person = ?1)",
		    "ii", o->person, o->at.us);
	return rc < 0 ? rc : 1;
}

static int
answer_purge(const struct purge *p, const struct old *o)
{
	struct db *db = p->e->o.db;
	int rc = count_add(db, o->run, "answers");

	if (rc == 0)
		rc = db_run(db, "DELETE FROM answer WHERE row = ?1", "i", o->row);
	/* That there was one stays: it is no secret and later texts may depend on it. */
	if (rc == 0)
		rc = db_run(db,
		    "UPDATE decision SET answer = '' WHERE enrolment = ?1 AND occurrence = ?2"
		    " AND answer IS NOT NULL AND NOT EXISTS"
		    " (SELECT 1 FROM answer WHERE enrolment = ?1 AND occurrence = ?2)",
		    "is", o->enrolment, o->occurrence);
	return rc < 0 ? rc : 1;
}

static int
event_purge(const struct purge *p, const struct old *o)
{
	struct db *db = p->e->o.db;
	int rc = count_add(db, 0, "events");

	if (rc == 0)
		rc = db_run(db, "DELETE FROM event WHERE row = ?1", "i", o->row);
	return rc < 0 ? rc : 1;
}

static const struct table {
	const char *newest, *next, *oldest;
	int (*purge)(const struct purge *p, const struct old *o);
	bool answers; /* has a horizon of its own */
} tables[] = {
	{ "SELECT max(row) FROM delivery",
	    "SELECT row, run, person, enrolment, state, occurrence, created_at, channel FROM delivery"
	    " WHERE row > ?1 ORDER BY row LIMIT ?2",
	    "SELECT created_at FROM delivery WHERE row < (SELECT max(row) FROM delivery)"
	    " ORDER BY row LIMIT 1",
	    delivery_purge, false },
	{ "SELECT max(row) FROM answer",
	    "SELECT a.row, n.run, a.person, a.enrolment, 0, a.occurrence, a.at, -1 FROM answer a"
	    " JOIN enrolment n ON n.row = a.enrolment WHERE a.row > ?1 ORDER BY a.row LIMIT ?2",
	    "SELECT at FROM answer WHERE row < (SELECT max(row) FROM answer) ORDER BY row LIMIT 1",
	    answer_purge, true },
	{ "SELECT max(row) FROM event",
	    "SELECT row, 0, person, 0, 0, '', at, -1 FROM event WHERE row > ?1 ORDER BY row LIMIT ?2",
	    "SELECT at FROM event WHERE row < (SELECT max(row) FROM event) ORDER BY row LIMIT 1",
	    event_purge, false },
};

static int
rows_read(struct purge *p, const struct table *t, struct old *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(p->e->o.db, &s, t->next, "ii", p->cursor, (int64_t)PURGE_BATCH);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] = (struct old){ .row = stmt_int(s, 0),
			.run = stmt_int(s, 1),
			.person = stmt_int(s, 2),
			.enrolment = stmt_int(s, 3),
			.state = stmt_int(s, 4),
			.occurrence = stmt_copy(s, 5, p->e->mem),
			.at = { stmt_int(s, 6) },
			.channel = stmt_int(s, 7) };
	return rc < 0 ? rc : 0;
}

static int
table_batch(struct purge *p, const struct table *t)
{
	struct old *rows = arena_alloc(p->e->mem, PURGE_BATCH, sizeof *rows);
	SCOPED(db_leave) struct db *tx = p->e->o.db;
	int64_t deleted = 0;
	size_t n = 0;
	int rc = db_begin(p->e->o.db);

	if (rc == 0)
		rc = rows_read(p, t, rows, &n);
	for (size_t i = 0; rc >= 0 && i < n && !p->over; i++) {
		p->over = !instant_before(rows[i].at, p->horizon) || rows[i].row >= p->newest;
		if (!p->over && (rc = t->purge(p, &rows[i])) > 0)
			deleted++;
	}
	if (rc >= 0)
		rc = db_commit(p->e->o.db);
	if (rc < 0)
		return rc;
	p->n += deleted;
	p->over |= n < PURGE_BATCH;
	p->cursor = n > 0 ? rows[n - 1].row : p->cursor;
	return 0;
}

static int
table_purge(struct engine *e, const struct table *t, struct instant horizon, struct instant now,
    int64_t *n)
{
	struct purge p = { .e = e, .horizon = horizon, .now = now };
	int rc = db_int(e->o.db, &p.newest, 0, t->newest, "");

	while (rc == 0 && !p.over) {
		rc = table_batch(&p, t);
		arena_reset(e->mem);
	}
	*n += p.n;
	return rc;
}

/* ---- moments at which nothing was sent: these have an index by time ---- */

static int
moments_batch(struct engine *e, struct instant horizon, size_t *ret_n)
{
	struct old *rows = arena_alloc(e->mem, PURGE_BATCH, sizeof *rows);
	SCOPED(db_leave) struct db *tx = e->o.db;
	SCOPED(stmt_done) struct stmt *s = NULL;
	size_t n = 0;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = db_query(e->o.db, &s,
		    "SELECT c.enrolment, c.occurrence, c.verdict, n.run FROM decision c"
		    " JOIN enrolment n ON n.row = c.enrolment WHERE c.verdict <> 0 AND c.at < ?1"
		    " ORDER BY c.at LIMIT ?2",
		    "ii", horizon.us, (int64_t)PURGE_BATCH);
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[n++] = (struct old){ .enrolment = stmt_int(s, 0),
			.occurrence = stmt_copy(s, 1, e->mem),
			.state = stmt_int(s, 2),
			.run = stmt_int(s, 3) };
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		rc = count_add(e->o.db, rows[i].run, verdict_names[rows[i].state % VERDICTS]);
		if (rc == 0)
			rc = db_run(e->o.db,
			    "DELETE FROM decision WHERE enrolment = ?1 AND occurrence = ?2", "is",
			    rows[i].enrolment, rows[i].occurrence);
	}
	if (rc >= 0)
		rc = db_commit(e->o.db);
	*ret_n = n;
	return rc < 0 ? rc : 0;
}

static int
moments_purge(struct engine *e, struct instant horizon, int64_t *ret_n)
{
	size_t n;
	int rc;

	do {
		rc = moments_batch(e, horizon, &n);
		arena_reset(e->mem);
		*ret_n += (int64_t)n;
	} while (rc == 0 && n == PURGE_BATCH);
	return rc;
}

/* ---- when ---- */

static int
next_find(struct engine *e, struct instant *ret)
{
	struct instant next = INSTANT_NEVER, last;
	int64_t open = 0;
	int rc = meta_get(e->o.db, "purge.open", 0, &open);

	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++) {
		struct instant at;
		struct civil c;

		rc = db_int(e->o.db, &at.us, INT64_MAX, tables[i].oldest, "");
		if (rc < 0 || at.us == INT64_MAX)
			continue;
		c = period_add(e->rb->house.keep_answers, 1, civil_of_seconds(instant_floor(at)));
		at = tables[i].answers ? instant_seconds(civil_seconds(c) + 1) : instant_add(at, KEEP);
		if (instant_before(at, next))
			next = at;
	}
	if (rc == 0)
		rc = db_int(e->o.db, &last.us, INT64_MAX,
		    "SELECT min(at) FROM decision WHERE verdict <> 0", "");
	if (rc == 0 && last.us != INT64_MAX && instant_before(instant_add(last, KEEP), next))
		next = instant_add(last, KEEP);
	if (rc == 0)
		rc = meta_get(e->o.db, "purge.at", INT64_MIN, &last.us);
	if (rc == 0 && last.us != INT64_MIN && instant_before(next, instant_add(last, PURGE_EVERY)))
		next = instant_add(last, PURGE_EVERY);
	if (rc == 0)
		*ret = open ? last : next;
	return rc;
}

/* An open pass that died is taken up at once and ends as it would have. */
static int
purge_note(struct engine *e, struct instant now, bool open)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = meta_set(e->o.db, "purge.at", now.us);
	if (rc == 0)
		rc = meta_set(e->o.db, "purge.open", open);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
pass(struct engine *e, struct instant now)
{
	struct instant horizon = instant_sub(now, KEEP);
	int64_t n = 0;
	int rc = purge_note(e, now, true);

	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++)
		rc = table_purge(
		    e, &tables[i], tables[i].answers ? answers_horizon(e, now) : horizon, now, &n);
	if (rc == 0)
		rc = moments_purge(e, horizon, &n);
	if (rc == 0)
		rc = purge_note(e, now, false);
	if (n > 0)
		log_say(LOG_DETAIL, "%" PRId64 " old rows are deleted, their counts are kept", n);
	return rc;
}

int
purge_old(struct engine *e, struct instant now, struct instant *ret_next)
{
	int rc = 0;

	/* Where nothing is delivered (plans) nothing is ever settled: every pass would walk all rows. */
	if (e->o.spool == NULL) {
		*ret_next = INSTANT_NEVER;
		return 0;
	}
	if (e->purge_at.us == 0 || e->purge_at.us == INT64_MAX)
		rc = next_find(e, &e->purge_at);
	if (rc == 0 && !instant_before(now, e->purge_at)) {
		rc = pass(e, now);
		if (rc == 0)
			rc = next_find(e, &e->purge_at);
	}
	if (rc == 0)
		*ret_next = e->purge_at;
	return rc;
}

/* ---- invariants ---- */

static const struct invariant invariants[] = {
	{ "enrolments whose number of contacts is not that of their decisions",
	    "SELECT count(*) FROM enrolment n WHERE n.total <> (SELECT count(*) FROM decision c"
	    " WHERE c.enrolment = n.row AND c.verdict = 0)" },
	{ "runs with fewer purged deliveries than decisions that lost theirs",
	    "SELECT count(*) FROM (SELECT n.run AS run, count(*) AS lost FROM decision c"
	    " JOIN enrolment n ON n.row = c.enrolment WHERE c.verdict = 0 AND c.rules = ''"
	    " GROUP BY n.run) AS slim WHERE slim.lost > (SELECT coalesce(sum(p.n), 0) FROM purged p"
	    " WHERE p.run = slim.run AND p.what IN ('delivered', 'uncertain', 'expired', 'cancelled',"
	    " 'dead'))" },
};

int
purge_check(struct db *db, int64_t *ret_defects)
{
	*ret_defects = 0;
	return db_invariants(
	    db, invariants, sizeof invariants / sizeof *invariants, ret_defects);
}

int
purge_count(struct db *db, int64_t *ret)
{
	return db_int(db, ret, 0,
	    "SELECT coalesce(sum(n), 0) FROM purged WHERE what IN ('delivered', 'uncertain', 'expired',"
	    " 'cancelled', 'dead')",
	    "");
}
