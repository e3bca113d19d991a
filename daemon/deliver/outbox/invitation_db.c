#include "deliver/outbox/invitation.h"

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/outbox/outbox.h"
#include "rules/vocabulary.h"
#include "store/db.h"

int
invitation_add(struct db *db, const struct invitation *i)
{
	return db_run(db,
	    "INSERT INTO invitation(enrolment, occurrence, person, run, starts_at, ends_at, zone,"
	    " decided_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	    "isiiiisi", i->enrolment, i->occurrence, i->person, i->run, i->starts.us, i->ends.us,
	    i->zone, i->decided.us);
}

/* ---- reading ---- */

#define INVITATION_SELECT                                                                      \
	"SELECT i.enrolment, i.occurrence, i.person, i.run, i.starts_at, i.ends_at, i.zone,"       \
	" i.decided_at, i.wish, i.address, c.message, c.messenger, c.language, c.number,"         \
	" coalesce((SELECT max(d.sequence) FROM delivery d WHERE d.enrolment = i.enrolment"        \
	" AND d.occurrence = i.occurrence AND d.channel = 2), 0),"                                 \
	" coalesce((SELECT min(d.row) FROM delivery d WHERE d.enrolment = i.enrolment"             \
	" AND d.occurrence = i.occurrence AND d.channel = 2), 0)"                                  \
	" FROM invitation i JOIN decision c ON c.enrolment = i.enrolment"                          \
	" AND c.occurrence = i.occurrence "
_Static_assert(CHANNEL_CALENDAR == 2, "the number stands in SQL");
_Static_assert(PARCEL_UPDATE == 1 && PARCEL_WITHDRAWAL == 2, "the numbers stand in SQL");

static struct invitation
invitation_read(struct stmt *s, struct arena *mem)
{
	return (struct invitation){
		.enrolment = stmt_int(s, 0),
		.occurrence = stmt_copy(s, 1, mem),
		.person = stmt_int(s, 2),
		.run = stmt_int(s, 3),
		.starts = { stmt_int(s, 4) },
		.ends = { stmt_int(s, 5) },
		.zone = stmt_copy(s, 6, mem),
		.decided = { stmt_int(s, 7) },
		.wish = (enum invitation_wish)stmt_int(s, 8),
		.address = stmt_copy(s, 9, mem),
		.message = stmt_copy(s, 10, mem),
		.messenger = stmt_copy(s, 11, mem),
		.language = stmt_copy(s, 12, mem),
		.number = stmt_int(s, 13),
		.sequence = stmt_int(s, 14),
		.delivery = stmt_int(s, 15),
	};
}

static int
rows_read(struct stmt *s, int rc, struct arena *mem, struct invitation *rows, size_t *ret_n)
{
	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] = invitation_read(s, mem);
	return rc;
}

int
invitation_find(struct db *db, struct arena *mem, int64_t enrolment, const char *occurrence,
    struct invitation *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, INVITATION_SELECT "WHERE i.enrolment = ?1 AND i.occurrence = ?2",
	    "is", enrolment, occurrence);

	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	if (rc == STMT_DONE)
		return 1;
	*ret = invitation_read(s, mem);
	return 0;
}

int
invitations_ahead(struct db *db, struct arena *mem, struct instant now, int64_t since,
    const struct invitation *after, size_t max, struct invitation **ret, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	struct invitation *rows = arena_alloc(mem, max, sizeof *rows);
	int rc = db_query(db, &s,
	    INVITATION_SELECT
	    "WHERE i.starts_at > ?1 AND i.wish < 2 AND (i.starts_at, i.enrolment, i.occurrence) >"
	    " (?2, ?3, ?4) AND EXISTS (SELECT 1 FROM person p WHERE p.row = i.person"
	    " AND p.changed_at > ?5) ORDER BY i.starts_at, i.enrolment, i.occurrence LIMIT ?6",
	    "iiisii", now.us, after != NULL ? after->starts.us : now.us,
	    after != NULL ? after->enrolment : INT64_C(0), after != NULL ? after->occurrence : "",
	    since, (int64_t)max);

	*ret = rows;
	return rows_read(s, rc, mem, rows, ret_n);
}

int
invitations_of(struct db *db, struct arena *mem, int64_t person, struct instant since,
    size_t max, struct invitation **ret, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	struct invitation *rows = arena_alloc(mem, max, sizeof *rows);
	int rc = db_query(db, &s,
	    INVITATION_SELECT
	    "WHERE i.person = ?1 AND i.ends_at > ?2 AND i.wish < 2 AND EXISTS (SELECT 1 FROM delivery"
	    " t WHERE t.enrolment = i.enrolment AND t.occurrence = i.occurrence AND t.channel = 2"
	    " AND (t.state = 2 OR t.state = 3))"
	    " ORDER BY i.starts_at DESC, i.enrolment, i.occurrence LIMIT ?3",
	    "iii", person, since.us, (int64_t)max);

	*ret = rows;
	return rows_read(s, rc, mem, rows, ret_n);
}

/* ---- causes ---- */

static const char *const withdraw[] = {
	[INVITATIONS_OF_ENROLMENT] = "UPDATE invitation SET wish = 2, todo = 1 WHERE enrolment = ?1"
				     " AND starts_at > ?2 AND wish < 2",
	[INVITATIONS_OF_RUN] = "UPDATE invitation SET wish = 2, todo = 1 WHERE run = ?1"
			       " AND starts_at > ?2 AND wish < 2",
	[INVITATIONS_OF_PERSON] = "UPDATE invitation SET wish = 2, todo = 1 WHERE person = ?1"
				  " AND starts_at > ?2 AND wish < 2",
};

int
invitations_withdraw(struct db *db, enum invitation_scope scope, int64_t key, struct instant now)
{
	bool waiting;
	int rc = db_run(db, withdraw[scope], "ii", key, now.us);

	if (rc < 0 || db_changes(db) == 0)
		return rc;
	rc = invitations_follow(db, now, &waiting);
	return rc < 0 ? rc : 0;
}

int
invitation_move(struct db *db, const struct invitation *i, struct instant now)
{
	bool waiting;
	int rc = db_run(db,
	    "UPDATE invitation SET wish = 1, todo = 1, starts_at = ?3, ends_at = ?4, zone = ?5"
	    " WHERE enrolment = ?1 AND occurrence = ?2 AND wish < 2",
	    "isiis", i->enrolment, i->occurrence, i->starts.us, i->ends.us, i->zone);

	if (rc == 0)
		rc = invitations_follow(db, now, &waiting);
	return rc < 0 ? rc : 0;
}

/*
 * In this order.  What a withdrawal still needs hangs on a number that nobody has: rows of the store
 * are used again, and the next person must not inherit it.
 */
static const char *const erasures[] = {
	"DELETE FROM invitation WHERE person = ?1 AND address = ''",
	"DELETE FROM due WHERE enrolment IN (SELECT row FROM enrolment WHERE person = ?1)",
	"DELETE FROM decision WHERE enrolment IN (SELECT row FROM enrolment WHERE person = ?1)"
	" AND NOT EXISTS (SELECT 1 FROM invitation i WHERE i.enrolment = decision.enrolment"
	" AND i.occurrence = decision.occurrence)",
	/* What was sent says whether there is anything to withdraw; what is being sent is asked to stop. */
	"UPDATE delivery SET person = -enrolment, reason = '',"
	" halted = CASE WHEN state = 1 AND kind < 2 THEN 'erased' ELSE halted END"
	" WHERE person = ?1 AND channel = 2 AND EXISTS (SELECT 1 FROM invitation i"
	" WHERE i.enrolment = delivery.enrolment AND i.occurrence = delivery.occurrence)",
	"UPDATE enrolment SET person = -row, total = (SELECT count(*) FROM decision c"
	" WHERE c.enrolment = enrolment.row AND c.verdict = 0) WHERE person = ?1 AND EXISTS (SELECT 1 FROM invitation i"
	" WHERE i.enrolment = enrolment.row)",
	"UPDATE invitation SET person = -enrolment WHERE person = ?1",
	("INSERT INTO feed_gone(name) SELECT name FROM feed WHERE person = ?1 AND name <> ''"
	" ON CONFLICT(name) DO NOTHING"),
	"DELETE FROM feed WHERE person = ?1",
};

int
invitations_erase(struct db *db, int64_t person, const char *address, struct instant now)
{
	int rc = invitations_withdraw(db, INVITATIONS_OF_PERSON, person, now);

	if (rc == 0)
		rc = db_run(db,
		    "UPDATE invitation SET address = ?2 WHERE person = ?1 AND (todo = 1 OR EXISTS"
		    " (SELECT 1 FROM delivery d WHERE d.enrolment = invitation.enrolment"
		    " AND d.occurrence = invitation.occurrence AND d.channel = 2 AND d.kind = 2"
		    " AND d.state < 2))",
		    "is", person, address);
	for (size_t i = 0; rc == 0 && i < sizeof erasures / sizeof *erasures; i++)
		rc = db_run(db, erasures[i], "i", person);
	return rc;
}

/* ---- what follows ---- */

/* What was sent of an invitation, and what is on its way. */
struct sent {
	int64_t enrolment, person, run, sequence, leased, reached, update;
	const char *occurrence, *receipt, *destination;
	enum invitation_wish wish;
	struct instant starts;
};

static int
sent_next(struct db *db, struct arena *mem, struct sent *s)
{
	SCOPED(stmt_done) struct stmt *q = NULL;
	int rc = db_query(db, &q,
	    "SELECT i.enrolment, i.occurrence, i.person, i.run, i.wish, i.starts_at,"
	    " coalesce(max(d.sequence), 0), coalesce(sum(CASE d.state WHEN 1 THEN 1 ELSE 0 END), 0),"
	    " coalesce(sum(CASE WHEN d.kind < 2 AND (d.state = 2 OR d.state = 3) THEN 1 ELSE 0 END),"
	    " 0), coalesce(max(CASE WHEN d.kind = 1 AND d.state = 0 THEN d.row ELSE 0 END), 0),"
	    " coalesce(min(d.destination), '') FROM invitation i LEFT JOIN delivery d ON"
	    " d.enrolment = i.enrolment AND d.occurrence = i.occurrence AND d.channel = 2"
	    " WHERE i.todo = 1 AND (i.enrolment, i.occurrence) > (?1, ?2)"
	    " GROUP BY i.enrolment, i.occurrence ORDER BY i.enrolment, i.occurrence LIMIT 1",
	    "is", s->enrolment, s->occurrence);

	if (rc < 0 || (rc = stmt_step(q)) != STMT_ROW)
		return rc < 0 ? rc : 1;
	*s = (struct sent){
		.enrolment = stmt_int(q, 0),
		.occurrence = stmt_copy(q, 1, mem),
		.person = stmt_int(q, 2),
		.run = stmt_int(q, 3),
		.wish = (enum invitation_wish)stmt_int(q, 4),
		.starts = { stmt_int(q, 5) },
		.sequence = stmt_int(q, 6),
		.leased = stmt_int(q, 7),
		.reached = stmt_int(q, 8),
		.update = stmt_int(q, 9),
		.destination = stmt_copy(q, 10, mem),
	};
	return 0;
}

/* What the server calls it now: of the newest delivery that reached it. */
static int
receipt_find(struct db *db, struct arena *mem, struct sent *s)
{
	SCOPED(stmt_done) struct stmt *q = NULL;
	int rc = db_query(db, &q,
	    "SELECT receipt FROM delivery WHERE enrolment = ?1 AND occurrence = ?2 AND channel = 2"
	    " AND state = 2 ORDER BY sequence DESC LIMIT 1",
	    "is", s->enrolment, s->occurrence);

	if (rc < 0 || (rc = stmt_step(q)) < 0)
		return rc;
	s->receipt = rc == STMT_ROW ? stmt_copy(q, 0, mem) : "";
	return 0;
}

static int
follow_up(struct db *db, struct arena *mem, struct sent *s, struct instant now)
{
	int rc = receipt_find(db, mem, s);
	const struct delivery d = {
		.enrolment = s->enrolment,
		.occurrence = s->occurrence,
		.channel = CHANNEL_CALENDAR,
		.destination = s->destination,
		.kind = s->wish == INVITATION_WITHDRAWN ? PARCEL_WITHDRAWAL : PARCEL_UPDATE,
		.sequence = s->sequence + 1,
		.person = s->person,
		.run = s->run,
		.created = now,
		.expires = s->starts,
		.receipt = s->receipt,
	};

	return rc < 0 ? rc : outbox_add(db, &d);
}

/* Nothing follows what never left, nor when the event has begun. */
static int
follow_one(struct db *db, struct arena *mem, struct sent *s, struct instant now)
{
	bool ahead = instant_before(now, s->starts), changed = s->wish == INVITATION_CHANGED;
	int rc = 0;

	if (s->update > 0 && !changed)
		rc = outbox_cancel_one(db, s->update, "withdrawn", now);
	/* An update that still waits is composed when it leaves: it will tell the newest time. */
	if (rc == 0 && ahead && s->reached > 0 && !(changed && s->update > 0))
		rc = follow_up(db, mem, s, now);
	if (rc < 0)
		return rc;
	return db_run(db,
	    "UPDATE invitation SET todo = 0, wish = CASE wish WHEN 2 THEN 2 ELSE 0 END"
	    " WHERE enrolment = ?1 AND occurrence = ?2",
	    "is", s->enrolment, s->occurrence);
}

/* Whose withdrawal is settled, one way or another, is forgotten altogether. */
static int
erased_clean(struct db *db, int64_t *ret_n)
{
	static const char *const last[] = {
		"DELETE FROM delivery WHERE person < 0 AND (enrolment, occurrence) IN"
		" (SELECT enrolment, occurrence FROM invitation WHERE address = '-')",
		"DELETE FROM decision WHERE (enrolment, occurrence) IN (SELECT enrolment, occurrence"
		" FROM invitation WHERE address = '-')",
		"DELETE FROM invitation WHERE address = '-'",
		"DELETE FROM enrolment WHERE person = -row AND NOT EXISTS (SELECT 1 FROM invitation i"
		" WHERE i.enrolment = enrolment.row)",
		"UPDATE enrolment SET total = (SELECT count(*) FROM decision c"
		" WHERE c.enrolment = enrolment.row AND c.verdict = 0) WHERE person = -row",
	};
	int rc = db_run(db,
	    "UPDATE invitation SET address = '-' WHERE address <> '' AND todo = 0 AND NOT EXISTS (SELECT 1 FROM"
	    " delivery d WHERE d.enrolment = invitation.enrolment"
	    " AND d.occurrence = invitation.occurrence AND d.state < 2)",
	    "");

	*ret_n = rc == 0 ? db_changes(db) : 0;
	for (size_t i = 0; rc == 0 && *ret_n > 0 && i < sizeof last / sizeof *last; i++)
		rc = db_run(db, last[i], "");
	return rc;
}

int
invitations_follow(struct db *db, struct instant now, bool *ret_waiting)
{
	SCOPED(arena_free) struct arena *mem = arena_new("invitations", 64 << 20);
	struct sent s = { .enrolment = 0, .occurrence = "" };
	int64_t erased = 0;
	int rc;

	*ret_waiting = false;
	while ((rc = sent_next(db, mem, &s)) == 0) {
		if (s.leased > 0)
			*ret_waiting = true;
		else if ((rc = follow_one(db, mem, &s, now)) < 0)
			return rc;
	}
	if (rc < 0 || (rc = erased_clean(db, &erased)) < 0)
		return rc;
	return erased > 0 ? INVITATIONS_ERASED : 0;
}

int
invitations_waiting(struct db *db, bool *ret)
{
	int64_t n = 0;
	int rc = db_int(db, &n, 0,
	    "SELECT (SELECT count(*) FROM (SELECT 1 FROM invitation WHERE todo = 1 LIMIT 1) AS a)"
	    " + (SELECT count(*) FROM (SELECT 1 FROM invitation WHERE address <> '' LIMIT 1) AS b)",
	    "");

	*ret = n > 0;
	return rc;
}

int
invitations_in_flight(struct db *db, bool *ret)
{
	int64_t n = 0;
	int rc = db_int(db, &n, 0,
	    "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE settled_at IS NULL AND channel = 2"
	    " LIMIT 1)"
	    " AS f",
	    "");

	*ret = n > 0;
	return rc;
}

/* ---- feeds ---- */

int
feeds_stale(struct db *db, size_t max, int64_t *people, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT person FROM feed WHERE stale = 1 ORDER BY person LIMIT ?1", "i", (int64_t)max);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		people[(*ret_n)++] = stmt_int(s, 0);
	return rc;
}

int
feed_fresh(struct db *db, int64_t person, const char *name)
{
	int rc = db_run(
	    db, "UPDATE feed SET stale = 0, name = ?2 WHERE person = ?1", "is", person, name);

	return rc == 0 && db_changes(db) == 0 ? 1 : rc;
}

int
feeds_gone(struct db *db, struct arena *mem, size_t max, const char **names, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, "SELECT name FROM feed_gone LIMIT ?1", "i", (int64_t)max);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		names[(*ret_n)++] = stmt_copy(s, 0, mem);
	return rc;
}

int
feed_removed(struct db *db, const char *name)
{
	return db_run(db, "DELETE FROM feed_gone WHERE name = ?1", "s", name);
}
