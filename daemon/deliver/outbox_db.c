#include "deliver/outbox.h"

#include <errno.h>
#include <inttypes.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/scope.h"
#include "store/db.h"

const char *const delivery_state_names[DELIVERY_STATES] = {
	[DELIVERY_PENDING] = "pending",
	[DELIVERY_LEASED] = "leased",
	[DELIVERY_DELIVERED] = "delivered",
	[DELIVERY_UNCERTAIN] = "uncertain",
	[DELIVERY_EXPIRED] = "expired",
	[DELIVERY_CANCELLED] = "cancelled",
	[DELIVERY_DEAD] = "dead",
};

int
outbox_add(struct db *db, const struct delivery *d)
{
	return db_run(db,
	    "INSERT INTO delivery(enrolment, occurrence, channel, person, run, state, created_at,"
	    " next_at, expires_at) VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, ?7)",
	    "isiiiii", d->enrolment, d->occurrence, (int64_t)d->channel, d->person, d->run,
	    d->created.us, d->expires.us);
}

static int
expire(struct db *db, struct instant now)
{
	return db_run(db,
	    "UPDATE delivery SET state = 4, settled_at = ?1, reason = 'expired'"
	    " WHERE state < 2 AND state = 0 AND next_at <= ?1 AND expires_at <= ?1",
	    "i", now.us);
}

static int
claim_rows(struct db *db, struct arena *mem, struct instant now, size_t max,
    struct delivery *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	size_t n = 0;
	int rc = db_query(db, &s,
	    "SELECT d.row, d.enrolment, d.person, d.run, d.occurrence, d.channel, d.created_at,"
	    " d.expires_at, d.attempts, c.message, c.messenger, c.language, c.number"
	    " FROM delivery d JOIN decision c ON c.enrolment = d.enrolment"
	    " AND c.occurrence = d.occurrence"
	    " WHERE d.state < 2 AND d.state = 0 AND d.next_at <= ?1"
	    " ORDER BY d.next_at, d.row LIMIT ?2",
	    "ii", now.us, (int64_t)max);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[n++] = (struct delivery){
			.row = stmt_int(s, 0),
			.enrolment = stmt_int(s, 1),
			.person = stmt_int(s, 2),
			.run = stmt_int(s, 3),
			.occurrence = stmt_copy(s, 4, mem),
			.channel = (int)stmt_int(s, 5),
			.created = { stmt_int(s, 6) },
			.expires = { stmt_int(s, 7) },
			.attempts = stmt_int(s, 8),
			.message = stmt_copy(s, 9, mem),
			.messenger = stmt_copy(s, 10, mem),
			.language = stmt_copy(s, 11, mem),
			.number = stmt_int(s, 12),
		};
	*ret_n = n;
	return rc;
}

int
outbox_claim(struct db *db, struct arena *mem, struct instant now, const char *lease, size_t max,
    struct delivery **ret, size_t *ret_n)
{
	struct delivery *rows = arena_alloc(mem, max, sizeof *rows);
	SCOPED(db_leave) struct db *tx = db;
	size_t n = 0;
	int rc = db_begin(db);

	if (rc == 0)
		rc = expire(db, now);
	if (rc == 0)
		rc = claim_rows(db, mem, now, max, rows, &n);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = db_run(db,
		    "UPDATE delivery SET state = 1, lease = ?2, attempts = attempts + 1"
		    " WHERE row = ?1",
		    "is", rows[i].row, lease);
	if (rc >= 0)
		rc = db_commit(db);
	if (rc < 0)
		return rc;
	*ret = rows;
	*ret_n = n;
	return 0;
}

int
outbox_settle(
    struct db *db, int64_t row, enum delivery_state to, const char *reason, struct instant now)
{
	return db_run(db,
	    "UPDATE delivery SET state = ?2, reason = ?3, settled_at = ?4, lease = ''"
	    " WHERE row = ?1 AND state = 1",
	    "iisi", row, (int64_t)to, reason, now.us);
}

int
outbox_retry(struct db *db, int64_t row, const char *reason, struct instant at)
{
	return db_run(db,
	    "UPDATE delivery SET state = 0, reason = ?2, next_at = ?3, lease = ''"
	    " WHERE row = ?1 AND state = 1",
	    "isi", row, reason, at.us);
}

int
outbox_recover(struct db *db, const char *lease)
{
	SCOPED(db_leave) struct db *tx = db;
	int rc = db_begin(db);

	/* The spool writes by rename under a name that does not change: repeating it is harmless. */
	if (rc == 0)
		rc = db_run(db,
		    "UPDATE delivery SET state = 0, lease = '' WHERE state < 2 AND state = 1"
		    " AND lease <> ?1",
		    "s", lease);
	return rc == 0 ? db_commit(db) : rc;
}

int
outbox_cancel_enrolment(
    struct db *db, int64_t enrolment, const char *reason, struct instant now)
{
	return db_run(db,
	    "UPDATE delivery SET state = 5, reason = ?2, settled_at = ?3"
	    " WHERE enrolment = ?1 AND state = 0",
	    "isi", enrolment, reason, now.us);
}

int
outbox_cancel_run(struct db *db, int64_t run, const char *reason, struct instant now)
{
	return db_run(db,
	    "UPDATE delivery SET state = 5, reason = ?2, settled_at = ?3"
	    " WHERE state < 2 AND state = 0 AND run = ?1",
	    "isi", run, reason, now.us);
}

int
outbox_cancel_person(struct db *db, int64_t person, const char *reason, struct instant now)
{
	return db_run(db,
	    "UPDATE delivery SET state = 5, reason = ?2, settled_at = ?3"
	    " WHERE person = ?1 AND state = 0",
	    "isi", person, reason, now.us);
}

int
outbox_next(struct db *db, struct instant *ret)
{
	return db_int(db, &ret->us, INT64_MAX,
	    "SELECT min(next_at) FROM delivery WHERE state < 2 AND state = 0", "");
}

int
outbox_count(struct db *db, int64_t counts[DELIVERY_STATES])
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, "SELECT state, count(*) FROM delivery GROUP BY state", "");

	for (int i = 0; i < DELIVERY_STATES; i++)
		counts[i] = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		int64_t state = stmt_int(s, 0);

		if (state < 0 || state >= DELIVERY_STATES)
			return FAIL(-EIO, "a delivery is in the unknown state %" PRId64, state);
		counts[state] = stmt_int(s, 1);
	}
	return rc;
}

static const struct {
	const char *what, *sql;
} invariants[] = {
	{ "deliveries without a decision that says send",
	    "SELECT count(*) FROM delivery d LEFT JOIN decision c ON c.enrolment = d.enrolment"
	    " AND c.occurrence = d.occurrence WHERE c.verdict IS NULL OR c.verdict <> 0" },
	{ "decisions to send without a delivery",
	    "SELECT count(*) FROM decision c WHERE c.verdict = 0 AND NOT EXISTS (SELECT 1 FROM"
	    " delivery d WHERE d.enrolment = c.enrolment AND d.occurrence = c.occurrence)" },
	{ "decisions to send that the budget did not count",
	    "SELECT count(*) FROM decision c JOIN enrolment e ON e.row = c.enrolment"
	    " WHERE c.verdict = 0 AND NOT EXISTS (SELECT 1 FROM contact t WHERE"
	    " t.person = e.person AND t.at = c.at AND t.enrolment = e.row)" },
	{ "active enrolments of approved runs with two plans",
	    "SELECT count(*) FROM (SELECT enrolment FROM due WHERE follow = ''"
	    " GROUP BY enrolment HAVING count(*) > 1) AS twice" },
	{ "deliveries in an unknown state",
	    "SELECT count(*) FROM delivery WHERE state NOT BETWEEN 0 AND 6" },
	{ "settled deliveries without a time",
	    "SELECT count(*) FROM delivery WHERE state >= 2 AND settled_at IS NULL" },
};

int
outbox_check(struct db *db, int64_t *ret_defects)
{
	*ret_defects = 0;
	for (size_t i = 0; i < sizeof invariants / sizeof *invariants; i++) {
		int64_t n = 0;
		int rc = db_int(db, &n, 0, invariants[i].sql, "");

		if (rc < 0)
			return rc;
		if (n > 0)
			FAIL(-EIO, "%" PRId64 " %s", n, invariants[i].what);
		*ret_defects += n > 0;
	}
	return 0;
}
