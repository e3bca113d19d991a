/*
 * All SQL of the outbox.  A state changes in enter() and nowhere else: what may follow what stands
 * in `may_follow`, and every selection says from which state it takes its rows.
 */
#include "deliver/outbox/outbox.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "deliver/outbox/flight.h"
#include "plan/decide.h"
#include "store/db.h"

/* Of a leased row: is it in doubt when we die? */
enum phase { PHASE_NONE, PHASE_DOT, PHASE_KEYED };

const char *const delivery_state_names[DELIVERY_STATES] = {
	[DELIVERY_PENDING] = "pending",
	[DELIVERY_LEASED] = "leased",
	[DELIVERY_DELIVERED] = "delivered",
	[DELIVERY_UNCERTAIN] = "uncertain",
	[DELIVERY_EXPIRED] = "expired",
	[DELIVERY_CANCELLED] = "cancelled",
	[DELIVERY_DEAD] = "dead",
};

#define TO(state) (1u << (state))
static const unsigned may_follow[DELIVERY_STATES] = {
	[DELIVERY_PENDING] = TO(DELIVERY_LEASED) | TO(DELIVERY_EXPIRED) | TO(DELIVERY_CANCELLED) |
	    TO(DELIVERY_DEAD),
	[DELIVERY_LEASED] = TO(DELIVERY_PENDING) | TO(DELIVERY_DELIVERED) |
	    TO(DELIVERY_UNCERTAIN) | TO(DELIVERY_CANCELLED) | TO(DELIVERY_DEAD),
	[DELIVERY_DELIVERED] = TO(DELIVERY_CANCELLED), /* taken out of our own spool again */
	[DELIVERY_UNCERTAIN] = TO(DELIVERY_PENDING) | TO(DELIVERY_DELIVERED),
	[DELIVERY_DEAD] = TO(DELIVERY_PENDING),
};

/* Which rows enter a state, and the one state they come from; key is the row, run, person ... */
enum selection { THE_PENDING, THE_NEXT, THE_LEASED, THE_LEASED_BY, THE_DELIVERED, THE_SETTLED,
	PENDING_OF_ENROLMENT, PENDING_OF_RUN, PENDING_OF_PERSON, PENDING_OVER, SELECTIONS };
static const struct {
	enum delivery_state from;
	const char *sql;
} selections[SELECTIONS] = {
#define ENTER                                                                                  \
	"UPDATE delivery SET state = ?1, phase = ?2, reason = ?3,"                                 \
	" settled_at = CASE WHEN ?1 >= 2 THEN ?4 END, lease = ?5,"                                 \
	" next_at = CASE WHEN ?6 > 0 THEN ?6 ELSE next_at END, attempts = attempts + ?7,"          \
	" receipt = CASE WHEN ?8 <> '' THEN ?8 ELSE receipt END, halted = '',"           \
	" crashes = CASE WHEN ?1 >= 2 THEN 0 ELSE crashes END WHERE "
	[THE_PENDING] = { DELIVERY_PENDING, ENTER "row = ?9 AND state = 0" },
	/* To be leased: nothing that delivery_waiting is made of changes, or it were written too. */
	[THE_NEXT] = { DELIVERY_PENDING,
	    "UPDATE delivery SET state = ?1, phase = ?2, reason = ?3, lease = ?5, halted = ''"
	    " WHERE row = ?9 AND state = 0" },
	[THE_LEASED] = { DELIVERY_LEASED, ENTER "row = ?9 AND state = 1" },
	[THE_LEASED_BY] = { DELIVERY_LEASED, ENTER "row = ?9 AND state = 1 AND lease = ?10" },
	[THE_DELIVERED] = { DELIVERY_DELIVERED, ENTER "row = ?9 AND state = 2" },
	[THE_SETTLED] = { DELIVERY_DEAD, ENTER "row = ?9 AND (state = 6 OR state = 3)" },
	[PENDING_OF_ENROLMENT] = { DELIVERY_PENDING,
	    ENTER "enrolment = ?9 AND state = 0 AND kind = 0" },
	[PENDING_OF_RUN] = { DELIVERY_PENDING,
	    ENTER "settled_at IS NULL AND state = 0 AND kind = 0 AND run = ?9" },
	[PENDING_OF_PERSON] = { DELIVERY_PENDING, ENTER "person = ?9 AND state = 0 AND kind = 0" },
	[PENDING_OVER] = { DELIVERY_PENDING,
	    ENTER "settled_at IS NULL AND state = 0 AND expires_at <= ?9" },
};
struct change {
	enum delivery_state to;
	enum phase phase;
	const char *reason, *lease, *receipt; /* NULL: "" */
	struct instant at;                    /* now, or when it comes back; 0: as it is */
	int64_t attempts;                     /* how many more */
	const char *by;                       /* of THE_LEASED_BY */
};

static int
enter(struct db *db, enum selection which, int64_t key, struct change c)
{
	assert(may_follow[selections[which].from] & TO(c.to));
	/* Without `by` the last argument is one too many, and not looked at. */
	return db_run(db, selections[which].sql, which == THE_LEASED_BY ? "iisisiisis" : "iisisiisi",
	    (int64_t)c.to, (int64_t)c.phase,
	    c.reason != NULL ? c.reason : "", c.at.us, c.lease != NULL ? c.lease : "",
	    c.to == DELIVERY_PENDING ? c.at.us : INT64_C(0), c.attempts,
	    c.receipt != NULL ? c.receipt : "", key, c.by);
}

int
outbox_add(struct db *db, const struct delivery *d)
{
	return db_run(db,
	    "INSERT INTO delivery(row, enrolment, occurrence, channel, sequence, kind, destination,"
	    " person, run, state, created_at, next_at, expires_at, receipt)"
	    " VALUES(" NEXT_ROW("delivery") ", ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?12, ?10, ?11)",
	    "isiiisiiiisi", d->enrolment, d->occurrence, (int64_t)d->channel, d->sequence,
	    (int64_t)d->kind, d->destination != NULL ? d->destination : "", d->person, d->run,
	    d->created.us, d->expires.us, d->receipt != NULL ? d->receipt : "",
	    d->due.us != 0 ? d->due.us : d->created.us);
}

int
outbox_expire(struct db *db, struct instant now)
{
	return enter(db, PENDING_OVER, now.us,
	    (struct change){ .to = DELIVERY_EXPIRED, .reason = "expired", .at = now });
}

#define CLAIM_SELECT                                                                           \
	"SELECT d.row, d.enrolment, d.person, d.run, d.occurrence, d.channel, d.created_at,"       \
	" d.expires_at, d.attempts, c.message, c.messenger, c.language, c.number,"                 \
	" d.destination, d.kind, d.sequence, d.receipt"                                            \
	" FROM delivery d JOIN decision c ON c.enrolment = d.enrolment"                            \
	" AND c.occurrence = d.occurrence "

static struct delivery
claimed_read(struct stmt *s, struct arena *mem)
{
	return (struct delivery){
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
		.destination = stmt_copy(s, 13, mem),
		.kind = (enum parcel_kind)stmt_int(s, 14),
		.sequence = stmt_int(s, 15),
		.receipt = stmt_copy(s, 16, mem),
	};
}

static int
lane_rows(struct db *db, struct arena *mem, const struct lane *lane, struct instant now,
    size_t max, struct delivery *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    CLAIM_SELECT "WHERE d.settled_at IS NULL AND d.state = 0 AND d.channel = ?1"
		" AND d.destination = ?2"
			 " AND d.next_at <= ?3 AND d.expires_at > ?3"
			 " ORDER BY d.next_at, d.row LIMIT ?4",
	    "isii", (int64_t)lane->channel, lane->destination, now.us, (int64_t)max);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] = claimed_read(s, mem);
	return rc;
}

static int
those_rows(struct db *db, struct arena *mem, const int64_t *which, size_t n, struct instant now,
    struct delivery *rows, size_t *ret_n)
{
	int rc = 0;

	*ret_n = 0;
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		SCOPED(stmt_done) struct stmt *s = NULL;

		rc = db_query(db, &s,
		    CLAIM_SELECT "WHERE d.row = ?1 AND d.state = 0 AND d.next_at <= ?2"
				 " AND d.expires_at > ?2",
		    "ii", which[i], now.us);
		if (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
			rows[(*ret_n)++] = claimed_read(s, mem);
	}
	return rc < 0 ? rc : 0;
}

static int
lease_rows(struct db *db, const struct delivery *rows, size_t n, const char *lease, bool keyed)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = enter(db, THE_NEXT, rows[i].row,
		    (struct change){ .to = DELIVERY_LEASED, .phase = keyed ? PHASE_KEYED : PHASE_DOT,
			.lease = lease });
	return rc;
}

int
outbox_claim(struct db *db, struct arena *mem, const struct lane *lane, struct instant now,
    const char *lease, bool keyed, size_t max, struct delivery **ret, size_t *ret_n)
{
	int rc;

	*ret = arena_alloc(mem, max, sizeof **ret);
	rc = lane_rows(db, mem, lane, now, max, *ret, ret_n);
	return rc < 0 ? rc : lease_rows(db, *ret, *ret_n, lease, keyed);
}

int
outbox_claim_those(struct db *db, struct arena *mem, const int64_t *which, size_t n,
    struct instant now, const char *lease, struct delivery **ret, size_t *ret_n)
{
	int rc;

	*ret = arena_alloc(mem, n, sizeof **ret);
	rc = those_rows(db, mem, which, n, now, *ret, ret_n);
	return rc < 0 ? rc : lease_rows(db, *ret, *ret_n, lease, true);
}

/* ---- pausing ---- */

#define HELD "10000000000000000" /* microseconds: three centuries behind everything else */

/* A leased row that is asked to come back and wait. */
static const char paused[] = "paused";

int
outbox_hold(struct db *db)
{
	int rc = db_run(db,
	    "UPDATE delivery SET halted = ?1 WHERE settled_at IS NULL AND state = 1 AND kind = 0 AND halted = ''"
	    " AND run IN (SELECT row FROM run WHERE state = 2)",
	    "s", paused);

	return rc < 0 ? rc : db_run(db,
	    "UPDATE delivery SET next_at = next_at + " HELD " WHERE settled_at IS NULL AND state = 0 AND kind = 0"
	    " AND next_at < " HELD " AND run IN (SELECT row FROM run WHERE state = 2)",
	    "");
}

int
outbox_let_go(struct db *db, int64_t run)
{
	int rc = db_run(db,
	    "UPDATE delivery SET halted = '' WHERE settled_at IS NULL AND state = 1 AND run = ?1 AND halted = ?2",
	    "is", run, paused);

	return rc < 0 ? rc : db_run(db,
	    "UPDATE delivery SET next_at = next_at - " HELD " WHERE settled_at IS NULL AND state = 0 AND run = ?1"
	    " AND next_at >= " HELD,
	    "i", run);
}

/* One that comes back, perhaps while its run is paused. */
static int
enter_pending(struct db *db, enum selection which, int64_t row, struct change c)
{
	int rc;

	c.to = DELIVERY_PENDING;
	rc = enter(db, which, row, c);
	return rc < 0 ? rc : db_run(db,
	    "UPDATE delivery SET next_at = next_at + " HELD " WHERE row = ?1 AND state = 0 AND kind = 0"
	    " AND next_at < " HELD " AND run IN (SELECT row FROM run WHERE state = 2)",
	    "i", row);
}

static bool
is_cancelled(const char *halted)
{
	return halted[0] != '\0' && strcmp(halted, paused) != 0;
}

/* What the row itself says about its next state. */
struct standing {
	bool ours;
	const char *halted; /* why it was asked to stop, "" not */
	int64_t attempts, resent;
	enum parcel_kind kind;
};

static int
standing_load(struct db *db, int64_t row, const char *lease, char halted[static 40],
    struct standing *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT lease, halted, attempts, resent, kind FROM delivery WHERE row = ?1 AND state = 1",
	    "i", row);

	*ret = (struct standing){ .halted = halted };
	halted[0] = '\0';
	if (rc < 0 || (rc = stmt_step(s)) != STMT_ROW)
		return rc;
	ret->ours = strcmp(stmt_text(s, 0), lease) == 0;
	strncat(halted, stmt_text(s, 1), 39);
	ret->attempts = stmt_int(s, 2);
	ret->resent = stmt_int(s, 3);
	ret->kind = (enum parcel_kind)stmt_int(s, 4);
	return 0;
}

/* Policy `resend` (RELIABILITY.md 2.2): what withdraws or changes an invitation, once. */
static int
doubt(struct db *db, int64_t row, const struct standing *st, const char *reason,
    struct instant now, struct instant at)
{
	int rc;

	if (st->kind == PARCEL_MESSAGE || st->resent > 0)
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_UNCERTAIN, .reason = reason, .at = now,
			.attempts = 1 });
	rc = db_run(db, "UPDATE delivery SET resent = 1 WHERE row = ?1", "i", row);
	return rc < 0 ? rc
		      : enter(db, THE_LEASED, row,
			    (struct change){ .to = DELIVERY_PENDING, .reason = reason, .at = at,
				.attempts = 1 });
}

int
outbox_settle(struct db *db, int64_t row, const char *lease, const struct outcome *o,
    struct instant now, struct instant at)
{
	char halted[40], reason[DETAIL_TEXT + 100];
	struct standing st;
	int rc;

	/* Nearly always, and whatever else the row says. */
	if (o->fate == FATE_DELIVERED)
		return enter(db, THE_LEASED_BY, row,
		    (struct change){ .to = DELIVERY_DELIVERED, .receipt = o->receipt, .at = now,
			.attempts = 1, .by = lease });
	rc = standing_load(db, row, lease, halted, &st);
	if (rc < 0 || !st.ours)
		return rc;
	snprintf(reason, sizeof reason, "%s%s%s", o->reason != NULL ? o->reason : "",
	    o->detail[0] != '\0' ? ": " : "", o->detail);
	if (is_cancelled(halted) && o->fate != FATE_UNCERTAIN && o->fate != FATE_NEVER)
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_CANCELLED, .reason = halted, .at = now });
	switch (o->fate) {
	case FATE_UNCERTAIN:
		return doubt(db, row, &st, reason, now, at);
	case FATE_BACK: /* keeps its turn; but what the server refused may be this one alone */
		return enter_pending(db, THE_LEASED, row,
		    (struct change){ .reason = reason,
			.at = o->trouble == TROUBLE_REFUSED ? at : (struct instant){ 0 } });
	case FATE_AGAIN:
		if (st.attempts + 1 < ATTEMPTS_MOST)
			return enter_pending(db, THE_LEASED, row,
			    (struct change){ .reason = reason, .at = at, .attempts = 1 });
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_DEAD, .reason = reason, .at = now,
			.attempts = 1 });
	case FATE_DELIVERED: /* above */
	case FATE_NEVER:
	case FATE_OURS:
	case FATES:
	default:
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_DEAD, .reason = reason, .at = now,
			.attempts = 1 });
	}
}

/* ---- after a failure, after a crash ---- */

int
outbox_release(struct db *db, int channel, const char *lease, struct instant now)
{
	int64_t row = 0;
	int rc = 0;

	while (rc == 0) {
		rc = db_int(db, &row, 0,
		    "SELECT row FROM delivery WHERE settled_at IS NULL AND state = 1 AND channel = ?1"
		    " AND lease = ?2 LIMIT 1",
		    "is", (int64_t)channel, lease);
		if (rc < 0 || row == 0)
			break;
		rc = outbox_settle(
		    db, row, lease, &(struct outcome){ .fate = FATE_BACK }, now, now);
	}
	return rc;
}

static int
recover_one(struct db *db, int64_t row, enum phase phase, int64_t crashes,
    const struct standing *st, enum flight_mark mark, struct instant now)
{
	bool left = phase == PHASE_DOT && mark != FLIGHT_IN_HAND && mark != FLIGHT_BEGUN &&
	    mark != FLIGHT_REFUSED;
	int rc;

	if (mark == FLIGHT_IN_HAND)
		crashes--; /* it waited for its turn, and is not to blame */
	rc = db_run(db, "UPDATE delivery SET crashes = ?2 WHERE row = ?1", "ii", row, crashes);

	if (rc < 0)
		return rc;
	if (mark == FLIGHT_ACCEPTED)
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_DELIVERED, .at = now, .attempts = 1 });
	if (left)
		return doubt(db, row, st, "the service ended while the server may have got it", now, now);
	if (crashes >= CRASHES_MOST)
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_DEAD, .at = now,
			.reason = "set aside: the service ended three times with it in hand" });
	if (is_cancelled(st->halted))
		return enter(db, THE_LEASED, row,
		    (struct change){ .to = DELIVERY_CANCELLED, .reason = st->halted, .at = now });
	return enter(db, THE_LEASED, row, (struct change){ .to = DELIVERY_PENDING });
}

static int
leased_next(struct db *db, int64_t after, const char *lease, struct arena *mem, int64_t *ret_row,
    enum phase *ret_phase, int64_t *ret_crashes, const char **ret_lease, struct standing *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT row, phase, crashes, lease, halted, attempts, resent, kind FROM delivery"
	    " WHERE settled_at IS NULL AND state = 1 AND lease <> ?1 AND row > ?2"
	    " ORDER BY row LIMIT 1",
	    "si", lease, after);

	if (rc < 0 || (rc = stmt_step(s)) != STMT_ROW)
		return rc < 0 ? rc : 1;
	*ret_row = stmt_int(s, 0);
	*ret_phase = (enum phase)stmt_int(s, 1);
	*ret_crashes = stmt_int(s, 2) + 1;
	*ret_lease = stmt_copy(s, 3, mem);
	*ret = (struct standing){ true, stmt_copy(s, 4, mem), stmt_int(s, 5), stmt_int(s, 6),
		(enum parcel_kind)stmt_int(s, 7) };
	return 0;
}

int
outbox_recover(struct db *db, const char *lease, const struct flight *before, struct instant now)
{
	SCOPED(db_leave) struct db *tx = db;
	SCOPED(arena_free) struct arena *mem = arena_new("recovery", 1 << 20);
	int64_t row = 0, crashes, n = 0;
	enum phase phase;
	const char *whose;
	struct standing st;
	int rc = db_begin(db);

	while (rc == 0 &&
	       (rc = leased_next(db, row, lease, mem, &row, &phase, &crashes, &whose, &st)) == 0) {
		enum flight_mark mark = FLIGHT_NONE;

		/* Without a mark of the very process that leased it, it may have left. */
		if (before != NULL && strcmp(whose, flight_lease(before)) == 0) {
			mark = flight_find(before, row);
			if (mark == FLIGHT_NONE) /* nothing left, yet it may have been begun */
				mark = FLIGHT_BEGUN;
		}
		rc = recover_one(db, row, phase, crashes, &st, mark, now);
		n++;
		arena_reset(mem);
	}
	if (n > 0)
		log_say(LOG_NOTICE, "%" PRId64 " deliveries were in hand when the service ended", n);
	if (rc >= 0)
		rc = outbox_hold(db);
	return rc < 0 ? rc : db_commit(db);
}

int
outbox_stopped(struct db *db, const int64_t *rows, bool *stopped, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t in_hand = 0;
		int rc = db_int(db, &in_hand, 0,
		    "SELECT count(*) FROM delivery WHERE row = ?1 AND state = 1 AND halted = ''", "i",
		    rows[i]);

		if (rc < 0)
			return rc;
		stopped[i] = in_hand == 0;
	}
	return 0;
}

_Static_assert(ENROLMENT_STOPPED == 3 && RUN_PAUSED == 2 && RUN_CANCELLED == 3 && RUN_OVER == 4,
    "the numbers stand in SQL");

/* Its person stopped or left, or its run was cancelled or is over. */
static int
is_unwanted(struct db *db, int64_t row, int64_t *ret)
{
	return db_int(db, ret, 0,
	    "SELECT 1 FROM delivery d LEFT JOIN enrolment n ON n.row = d.enrolment"
	    " LEFT JOIN run r ON r.row = d.run LEFT JOIN person p ON p.row = d.person"
	    " WHERE d.row = ?1 AND d.kind < 2 AND (d.state = 6 OR d.state = 3) AND (n.state = 3"
	    " OR r.state >= 3 OR p.left_at IS NOT NULL)",
	    "i", row);
}

/* When the event of an invitation begins; INT64_MAX: it is none. */
static int
event_begins(struct db *db, int64_t row, int64_t *ret)
{
	return db_int(db, ret, INT64_MAX,
	    "SELECT i.starts_at FROM delivery d JOIN invitation i ON i.enrolment = d.enrolment"
	    " AND i.occurrence = d.occurrence WHERE d.row = ?1 AND d.channel = 2"
	    " AND (d.state = 6 OR d.state = 3)",
	    "i", row);
}

int
outbox_requeue(struct db *db, int64_t row, struct instant now, struct instant expires)
{
	SCOPED(db_leave) struct db *tx = db;
	char subject[32];
	int64_t unwanted = 0, begins = INT64_MAX;
	int rc = db_begin(db);

	if (rc == 0)
		rc = is_unwanted(db, row, &unwanted);
	if (rc == 0 && unwanted)
		return REQUEUE_UNWANTED;
	if (rc == 0)
		rc = event_begins(db, row, &begins);
	if (rc == 0 && begins <= now.us)
		return REQUEUE_BEGUN;
	if (rc == 0)
		rc = enter(db, THE_SETTLED, row,
		    (struct change){ .to = DELIVERY_PENDING, .reason = "requeued", .at = now });
	if (rc < 0)
		return rc;
	if (db_changes(db) == 0)
		return REQUEUE_NEITHER;
	rc = outbox_hold(db);
	if (rc == 0)
		rc = db_run(db,
		    "UPDATE delivery SET attempts = 0, crashes = 0, expires_at ="
		    " CASE WHEN expires_at < ?2 OR ?3 = 1 THEN ?2 ELSE expires_at END WHERE row = ?1",
		    "iii", row, begins < expires.us ? begins : expires.us, (int64_t)(begins < INT64_MAX));
	snprintf(subject, sizeof subject, "d%08" PRId64, row);
	if (rc == 0)
		rc = db_run(db,
		    "INSERT INTO audit(at, actor, action, subject, detail)"
		    " VALUES(?1, 'command', 'requeue', ?2, '')",
		    "is", now.us, subject);
	return rc == 0 ? db_commit(db) : rc;
}

/* ---- cancelling ---- */

static int
cancel(struct db *db, enum selection which, const char *halt, int64_t key, const char *reason,
    struct instant now)
{
	int rc = enter(db, which, key,
	    (struct change){ .to = DELIVERY_CANCELLED, .reason = reason, .at = now });

	return rc < 0 ? rc : db_run(db, halt, "is", key, reason);
}

int
outbox_cancel_enrolment(struct db *db, int64_t enrolment, const char *reason, struct instant now)
{
	return cancel(db, PENDING_OF_ENROLMENT,
	    "UPDATE delivery SET halted = ?2 WHERE enrolment = ?1 AND state = 1 AND kind = 0",
	    enrolment, reason, now);
}

int
outbox_cancel_run(struct db *db, int64_t run, const char *reason, struct instant now)
{
	return cancel(db, PENDING_OF_RUN,
	    "UPDATE delivery SET halted = ?2 WHERE settled_at IS NULL AND state = 1 AND kind = 0"
	    " AND run = ?1",
	    run, reason, now);
}

int
outbox_cancel_person(struct db *db, int64_t person, const char *reason, struct instant now)
{
	return cancel(db, PENDING_OF_PERSON,
	    "UPDATE delivery SET halted = ?2 WHERE person = ?1 AND state = 1 AND kind = 0", person,
	    reason, now);
}

int
outbox_cancel_one(struct db *db, int64_t row, const char *reason, struct instant now)
{
	return cancel(db, THE_PENDING, "UPDATE delivery SET halted = ?2 WHERE row = ?1 AND state = 1",
	    row, reason, now);
}

int
outbox_recall(struct db *db, int64_t row, const char *reason, struct instant now)
{
	return enter(db, THE_DELIVERED, row,
	    (struct change){ .to = DELIVERY_CANCELLED, .reason = reason, .at = now });
}

int
outbox_erased(struct db *db, int64_t row, bool *ret)
{
	int64_t n = 0;
	int rc = db_int(db, &n, 0,
	    "SELECT count(*) FROM delivery WHERE row = ?1 AND (person >= 0 OR kind = 2)", "i", row);

	*ret = n == 0;
	return rc;
}

int
outbox_redirect(struct db *db, int channel, const char *destination)
{
	return db_run(db,
	    "UPDATE delivery SET destination = ?2 WHERE settled_at IS NULL AND state = 0 AND channel = ?1"
	    " AND destination <> ?2",
	    "is", (int64_t)channel, destination);
}

int
outbox_next(struct db *db, const struct lane *lane, struct instant *ret)
{
	return db_int(db, &ret->us, INT64_MAX,
	    "SELECT next_at FROM delivery WHERE settled_at IS NULL AND state = 0 AND channel = ?1"
	    " AND destination = ?2 AND next_at < " HELD " ORDER BY next_at LIMIT 1",
	    "is", (int64_t)lane->channel, lane->destination);
}

/* Sums and not groups: those would be sorted, with memory for each row of the outbox. */
int
outbox_count(struct db *db, int64_t counts[DELIVERY_STATES])
{
	SCOPED(stmt_done) struct stmt *s = NULL;
#define COUNT(n) ", sum(CASE WHEN state = " #n " THEN 1 ELSE 0 END)"
	int rc = db_query(db, &s,
	    "SELECT count(*)" COUNT(0) COUNT(1) COUNT(2) COUNT(3) COUNT(4) COUNT(5) COUNT(6)
	    " FROM delivery",
	    "");
	int64_t unknown;

	_Static_assert(DELIVERY_STATES == 7, "each state is counted");
	if (rc < 0 || (rc = stmt_step(s)) != STMT_ROW)
		return rc;
	unknown = stmt_int(s, 0);
	for (int i = 0; i < DELIVERY_STATES; i++) {
		counts[i] = stmt_int(s, i + 1); /* NULL of an empty table is 0 */
		unknown -= counts[i];
	}
	return unknown == 0 ? 0
			    : FAIL(-EIO, "%" PRId64 " deliveries are in an unknown state", unknown);
}

static const struct invariant invariants[] = {
	{ "deliveries without a decision that says send",
	    "SELECT count(*) FROM delivery d LEFT JOIN decision c ON c.enrolment = d.enrolment"
	    " AND c.occurrence = d.occurrence WHERE c.verdict IS NULL OR c.verdict <> 0" },
	{ "decisions to send without a delivery",
	    "SELECT count(*) FROM decision c WHERE c.verdict = 0 AND c.rules <> '' AND NOT EXISTS"
	    " (SELECT 1 FROM delivery d WHERE d.enrolment = c.enrolment AND d.occurrence = c.occurrence)" },
	{ "decisions to send that the budget did not count",
	    "SELECT count(*) FROM decision c JOIN enrolment e ON e.row = c.enrolment"
	    " WHERE c.verdict = 0 AND c.rules <> '' AND e.person > 0 AND NOT EXISTS (SELECT 1 FROM"
	    " contact t WHERE t.person = e.person AND t.at = c.at AND t.enrolment = e.row)" },
	{ "active enrolments of approved runs with two plans",
	    "SELECT count(*) FROM (SELECT enrolment FROM due WHERE follow = ''"
	    " GROUP BY enrolment HAVING count(*) > 1) AS twice" },
	{ "deliveries in an unknown state",
	    "SELECT count(*) FROM delivery WHERE state NOT BETWEEN 0 AND 6" },
	{ "settled deliveries without a time",
	    "SELECT count(*) FROM delivery WHERE state >= 2 AND settled_at IS NULL" },
	{ "waiting deliveries with a time of settling, or a lease",
	    "SELECT count(*) FROM delivery WHERE state = 0 AND (settled_at IS NOT NULL"
	    " OR lease <> '' OR phase <> 0)" },
	{ "leased deliveries of nobody",
	    "SELECT count(*) FROM delivery WHERE state = 1 AND (lease = '' OR phase = 0)" },
	{ "leased deliveries with a time of settling",
	    "SELECT count(*) FROM delivery WHERE state = 1 AND settled_at IS NOT NULL" },
	{ "deliveries tried more often than is allowed",
	    "SELECT count(*) FROM delivery WHERE attempts > 8" },
};

int
outbox_check(struct db *db, int64_t *ret_defects)
{
	*ret_defects = 0;
	return db_invariants(
	    db, invariants, sizeof invariants / sizeof *invariants, ret_defects);
}
