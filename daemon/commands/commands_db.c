#include "commands/commands_db.h"

#include "base/scope.h"
#include "store/db.h"

int
history_forget(struct db *db)
{
	return db_script(db, "DELETE FROM due; DELETE FROM decision; DELETE FROM contact;"
			     "DELETE FROM delivery; DELETE FROM purged; DELETE FROM answer; DELETE FROM event;"
			     "DELETE FROM completion; DELETE FROM enrolment;"
			     "UPDATE run SET enrolled_at = NULL");
}

int
decisions_of(struct db *db, int64_t person, int64_t delivery, int64_t max,
    void (*fn)(void *arg, const struct told *t), void *arg)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT c.at, c.verdict, r.id, c.occurrence, c.message, c.messenger, c.reasons, c.answer,"
	    " c.channel, d.row, d.state FROM enrolment e JOIN run r ON r.row = e.run"
	    " JOIN decision c ON c.enrolment = e.row LEFT JOIN delivery d ON d.enrolment = e.row"
	    " AND d.occurrence = c.occurrence WHERE e.person = ?1 AND (?2 = 0 OR d.row = ?2)"
	    " ORDER BY c.at DESC LIMIT ?3",
	    "iii", person, delivery, max);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct told t = { .at = { stmt_int(s, 0) },
			.verdict = (int)stmt_int(s, 1),
			.run = stmt_text(s, 2),
			.occurrence = stmt_text(s, 3),
			.message = stmt_text(s, 4),
			.messenger = stmt_text(s, 5),
			.reasons = stmt_text(s, 6),
			.answer = stmt_text(s, 7),
			.channel = (int)stmt_int(s, 8),
			.delivery = stmt_int(s, 9),
			.delivery_state = (int)stmt_int(s, 10) };

		fn(arg, &t);
	}
	return rc < 0 ? rc : 0;
}

int
delivery_person(struct db *db, int64_t delivery, int64_t *ret_person)
{
	int rc = db_int(
	    db, ret_person, 0, "SELECT person FROM delivery WHERE row = ?1", "i", delivery);

	return rc < 0 ? rc : *ret_person == 0;
}

/* Every look of staff at one person is on record (RELIABILITY.md 6). */
int
look_note(struct db *db, const char *action, const char *subject, struct instant now)
{
	return db_run(db,
	    "INSERT INTO audit(at, actor, action, subject, detail) VALUES(?1, 'command', ?2, ?3, '')",
	    "iss", now.us, action, subject);
}

int
figures_count(struct db *db, struct figures *ret)
{
	static const char *const sql[] = {
		"SELECT count(*) FROM person WHERE left_at IS NULL",
		"SELECT count(*) FROM run",
		"SELECT count(*) FROM run WHERE state = 1",
		"SELECT count(*) FROM enrolment",
		"SELECT count(*) FROM decision",
		"SELECT count(*) FROM due",
	};
	int64_t *into[] = { &ret->people, &ret->runs, &ret->approved, &ret->enrolled,
		&ret->decisions, &ret->due };
	int rc = 0;

	for (int i = 0; rc == 0 && i < 6; i++)
		rc = db_int(db, into[i], 0, sql[i], "");
	return rc == 0 ? db_int(db, &ret->next.us, INT64_MAX, "SELECT min(at) FROM due", "") : rc;
}

int
deliveries_each(struct db *db, int state, int64_t max,
    void (*fn)(void *arg, const struct queued *q), void *arg)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT d.row, p.id, r.id, d.occurrence, d.channel, d.state, d.reason, d.created_at,"
	    " d.expires_at, d.attempts FROM delivery d JOIN person p ON p.row = d.person"
	    " JOIN run r ON r.row = d.run WHERE ?1 < 0 OR d.state = ?1 ORDER BY d.row DESC LIMIT ?2",
	    "ii", (int64_t)state, max);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct queued q = { .row = stmt_int(s, 0),
			.person = stmt_text(s, 1),
			.run = stmt_text(s, 2),
			.occurrence = stmt_text(s, 3),
			.channel = (int)stmt_int(s, 4),
			.state = (int)stmt_int(s, 5),
			.reason = stmt_text(s, 6),
			.created = { stmt_int(s, 7) },
			.expires = { stmt_int(s, 8) },
			.attempts = stmt_int(s, 9) };

		fn(arg, &q);
	}
	return rc < 0 ? rc : 0;
}
