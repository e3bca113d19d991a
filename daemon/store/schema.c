/*
 * Times are microseconds UTC, days are counted from 1970.  Tables that the engine walks in the
 * order of their key are clustered by it (WITHOUT ROWID, which PostgreSQL's driver leaves out).
 *
 *   run ── enrolment ── due            one row a person and run; one due row while it is active
 *              ├────── decision        keyed (enrolment, occurrence): decided once, for ever
 *              └────── delivery        the outbox; unique (enrolment, occurrence, channel)
 *   person ── contact                  what the budget counts
 *   batch                              files for the printer
 */
#include "store/schema.h"

const char *const schema_steps[SCHEMA_VERSION] = {
	"CREATE TABLE meta("
	" key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
	"CREATE TABLE team("
	" row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, manager TEXT,"
	" chat_format TEXT, chat_url_ref TEXT) STRICT;"
	"CREATE TABLE person("
	" row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
	" email TEXT NOT NULL, first_name TEXT NOT NULL, language TEXT NOT NULL,"
	" role TEXT NOT NULL, time_zone TEXT NOT NULL, team TEXT NOT NULL, manager TEXT NOT NULL,"
	" stage TEXT NOT NULL, chat TEXT NOT NULL, attributes TEXT NOT NULL,"
	" stopped_all INTEGER NOT NULL DEFAULT 0, left_at INTEGER, joined_at INTEGER NOT NULL,"
	" changed_at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX person_team ON person(team);"
	"CREATE INDEX person_changed ON person(changed_at);"
	"CREATE TABLE completion("
	" person INTEGER NOT NULL, campaign TEXT NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY(person, campaign)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE erased(mark TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE audit("
	" row INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,"
	" action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL) STRICT;"
	"CREATE TRIGGER audit_kept BEFORE UPDATE ON audit"
	" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;"
	"CREATE TABLE run("
	" row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, campaign TEXT NOT NULL,"
	" start_day INTEGER NOT NULL, every TEXT NOT NULL, until_day INTEGER,"
	" audience TEXT NOT NULL, state INTEGER NOT NULL, enrolled_at INTEGER,"
	" quarantine TEXT, created_at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE approval("
	" run INTEGER NOT NULL, role TEXT NOT NULL, rules TEXT NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY(run, role)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE enrolment("
	" row INTEGER PRIMARY KEY, run INTEGER NOT NULL, person INTEGER NOT NULL,"
	" state INTEGER NOT NULL, anchor INTEGER, source INTEGER NOT NULL DEFAULT 0,"
	" k INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,"
	" unanswered INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT NULL DEFAULT 0,"
	" quiet_until INTEGER NOT NULL DEFAULT 0, slowed INTEGER NOT NULL DEFAULT 0,"
	" offered INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE(run, person)) STRICT;"
	"CREATE INDEX enrolment_person ON enrolment(person);"
	"CREATE TABLE due("
	" at INTEGER NOT NULL, enrolment INTEGER NOT NULL, k INTEGER NOT NULL,"
	" wall INTEGER NOT NULL, follow TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY(at, enrolment, k)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX due_enrolment ON due(enrolment);"
	"CREATE TABLE decision("
	" enrolment INTEGER NOT NULL, occurrence TEXT NOT NULL, at INTEGER NOT NULL,"
	" verdict INTEGER NOT NULL, message TEXT, angle TEXT, frame INTEGER, channel INTEGER,"
	" messenger TEXT, language TEXT, reasons TEXT NOT NULL, probability REAL NOT NULL,"
	" number INTEGER NOT NULL, rules TEXT NOT NULL, answer TEXT,"
	" PRIMARY KEY(enrolment, occurrence)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE contact("
	" person INTEGER NOT NULL, at INTEGER NOT NULL, enrolment INTEGER NOT NULL,"
	" frame INTEGER NOT NULL, PRIMARY KEY(person, at, enrolment)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE delivery("
	" row INTEGER PRIMARY KEY, enrolment INTEGER NOT NULL, occurrence TEXT NOT NULL,"
	" channel INTEGER NOT NULL, person INTEGER NOT NULL, run INTEGER NOT NULL,"
	" state INTEGER NOT NULL, phase INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,"
	" next_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '',"
	" settled_at INTEGER, reason TEXT NOT NULL DEFAULT '',"
	" UNIQUE(enrolment, occurrence, channel)) STRICT;"
	"CREATE INDEX delivery_waiting ON delivery(next_at, row) WHERE state < 2;"
	"CREATE INDEX delivery_person ON delivery(person);"
	"CREATE TABLE answer("
	" row INTEGER PRIMARY KEY, person INTEGER NOT NULL, enrolment INTEGER NOT NULL,"
	" occurrence TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL,"
	" UNIQUE(enrolment, occurrence, answer)) STRICT;"
	"CREATE INDEX answer_person ON answer(person);"
	"CREATE TABLE event("
	" row INTEGER PRIMARY KEY, person INTEGER NOT NULL, name TEXT NOT NULL,"
	" at INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE(person, name, at)) STRICT;",
	/*
	 * Deliveries over the network.  An invitation has more than one: what was sent is changed or
	 * withdrawn under the same occurrence with the next sequence.
	 */
	"CREATE TABLE delivery_new("
	" row INTEGER PRIMARY KEY, enrolment INTEGER NOT NULL, occurrence TEXT NOT NULL,"
	" channel INTEGER NOT NULL, sequence INTEGER NOT NULL DEFAULT 0,"
	" kind INTEGER NOT NULL DEFAULT 0, destination TEXT NOT NULL DEFAULT '',"
	" person INTEGER NOT NULL, run INTEGER NOT NULL,"
	" state INTEGER NOT NULL, phase INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,"
	" next_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0,"
	" resent INTEGER NOT NULL DEFAULT 0, halted TEXT NOT NULL DEFAULT '',"
	" lease TEXT NOT NULL DEFAULT '', settled_at INTEGER, reason TEXT NOT NULL DEFAULT '',"
	" receipt TEXT NOT NULL DEFAULT '',"
	" UNIQUE(enrolment, occurrence, channel, sequence)) STRICT;"
	"INSERT INTO delivery_new(row, enrolment, occurrence, channel, person, run, state, phase,"
	" created_at, next_at, expires_at, attempts, lease, settled_at, reason)"
	" SELECT row, enrolment, occurrence, channel, person, run, state, phase, created_at,"
	" next_at, expires_at, attempts, lease, settled_at, reason FROM delivery;"
	"DROP TABLE delivery;"
	"ALTER TABLE delivery_new RENAME TO delivery;"
	"CREATE INDEX delivery_waiting ON delivery(channel, destination, next_at, row)"
	" WHERE state < 2;"
	"CREATE INDEX delivery_person ON delivery(person);"
	"CREATE TABLE destination("
	" name TEXT PRIMARY KEY, circuit TEXT NOT NULL, parallel INTEGER NOT NULL,"
	" failures INTEGER NOT NULL, open_until INTEGER NOT NULL, reason TEXT NOT NULL,"
	" delivered INTEGER NOT NULL DEFAULT 0, postponed INTEGER NOT NULL DEFAULT 0,"
	" dead INTEGER NOT NULL DEFAULT 0, uncertain INTEGER NOT NULL DEFAULT 0,"
	" at INTEGER NOT NULL) STRICT;",
	/* Every decision looks for more important messages of the same person: from the index alone. */
	"DROP INDEX enrolment_person;"
	"CREATE INDEX enrolment_person ON enrolment(person, state, run);",
	/* Of rows that were deleted for their age the counts; `rules` of such a decision is ''. */
	"CREATE TABLE purged("
	" run INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL,"
	" PRIMARY KEY(run, what)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX decision_unsent ON decision(at) WHERE verdict <> 0;",
	/*
	 * Invitations: when their event is, and what must follow (deliver/outbox/invitation.h).  A calendar's
	 * delivery that is settled makes the person's feed stale.
	 */
	"CREATE TABLE invitation("
	" enrolment INTEGER NOT NULL, occurrence TEXT NOT NULL, person INTEGER NOT NULL,"
	" run INTEGER NOT NULL, starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL,"
	" zone TEXT NOT NULL, decided_at INTEGER NOT NULL, wish INTEGER NOT NULL DEFAULT 0,"
	" todo INTEGER NOT NULL DEFAULT 0, address TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY(enrolment, occurrence)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX invitation_person ON invitation(person, starts_at);"
	"CREATE INDEX invitation_run ON invitation(run, starts_at);"
	"CREATE INDEX invitation_ahead ON invitation(starts_at, enrolment, occurrence);"
	"CREATE INDEX invitation_todo ON invitation(enrolment, occurrence) WHERE todo = 1;"
	"CREATE INDEX invitation_erased ON invitation(enrolment) WHERE address <> '';"
	"CREATE TABLE feed("
	" person INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '',"
	" stale INTEGER NOT NULL DEFAULT 1) STRICT;"
	"CREATE INDEX feed_stale ON feed(person) WHERE stale = 1;"
	"CREATE TABLE feed_gone(name TEXT PRIMARY KEY) STRICT;"
	"CREATE TRIGGER feed_settled AFTER UPDATE OF state ON delivery"
	" WHEN NEW.channel = 2 AND NEW.state >= 2 AND NEW.person > 0"
	" BEGIN INSERT INTO feed(person) VALUES(NEW.person)"
	" ON CONFLICT(person) DO UPDATE SET stale = 1; END;",
	/* Files for the printer, of nobody in particular; unpublished: whole, but still a draft. */
	"CREATE TABLE batch("
	" row INTEGER PRIMARY KEY, day INTEGER NOT NULL, paper INTEGER NOT NULL,"
	" number INTEGER NOT NULL, sheets INTEGER NOT NULL, at INTEGER NOT NULL,"
	" published INTEGER NOT NULL DEFAULT 0, UNIQUE(day, paper, number)) STRICT;",
	/*
	 * A condition on the state would have each lease take its row out of the index and put it back.
	 * Exactly the rows in the states under 2 have no time of settling (outbox_db.c's invariants).
	 */
	"DROP INDEX delivery_waiting;"
	"CREATE INDEX delivery_waiting ON delivery(channel, destination, next_at, row)"
	" WHERE settled_at IS NULL;",
};
