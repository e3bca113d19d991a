/*
 * outbox.h - every delivery, from the decision that made it to what became of it.
 *
 *              ┌────────────── again, back ──────────────┐
 *              ▼                                         │
 *   created ─▶ pending ──claim──▶ leased(dot) ──settle──▶ delivered ──(out of the spool again)─▶ cancelled
 *                 │                    │                 uncertain ──(policy resend, once)─▶ pending
 *                 ├──▶ expired         │                 dead ──requeue by hand─▶ pending
 *                 └──▶ cancelled ◀─────┘ (stopped before its last bytes left)
 *
 * A row is unique per (enrolment, occurrence, channel, sequence): the same delivery cannot be made
 * twice.  Conservation: created = pending + leased + delivered + uncertain + expired + cancelled +
 * dead.  Every state is entered by one function of outbox_db.c and by nothing else.
 *
 * A row is claimed only when its last bytes may leave at once, so `leased` says what
 * RELIABILITY.md 2 calls leased(dot); while a connection is being made nothing is leased at all,
 * which is why there is no leased(connecting).
 */
#ifndef NUDGED_DELIVER_OUTBOX_H
#define NUDGED_DELIVER_OUTBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "deliver/carrier.h"

struct arena;
struct db;
struct flight;

enum delivery_state { DELIVERY_PENDING, DELIVERY_LEASED, DELIVERY_DELIVERED, DELIVERY_UNCERTAIN,
	DELIVERY_EXPIRED, DELIVERY_CANCELLED, DELIVERY_DEAD, DELIVERY_STATES };
extern const char *const delivery_state_names[DELIVERY_STATES];

struct delivery {
	int64_t row, enrolment, person, run;
	const char *occurrence;
	int channel;
	const char *destination; /* of its channel: a chat's name in the configuration; "" the only one */
	enum parcel_kind kind;
	int64_t sequence;        /* of an invitation: 0, then one more for each change */
	struct instant created, expires;
	struct instant due;      /* not before; 0: at once */
	int64_t attempts;
	const char *receipt;     /* what the server calls the invitation that this one changes */
	/* of its decision */
	const char *message, *messenger, *language;
	int64_t number;
};
/* Deliveries that queue up behind each other and behind nobody else. */
struct lane {
	int channel;
	const char *destination;
};

/* Inside the decision's transaction. */
int outbox_add(struct db *db, const struct delivery *d);
/* Expire what is over, of every lane; inside a transaction. */
int outbox_expire(struct db *db, struct instant now);
/*
 * Lease up to max rows of a lane that may go now, oldest first; inside a transaction.  keyed: a
 * repetition is harmless (RELIABILITY.md 2.6).  *ret_n rows in *ret, which live in mem.
 */
int outbox_claim(struct db *db, struct arena *mem, const struct lane *lane, struct instant now,
    const char *lease, bool keyed, size_t max, struct delivery **ret, size_t *ret_n);
/* The same of these rows, in their order; who is gone, stopped or over meanwhile is left out. */
int outbox_claim_those(struct db *db, struct arena *mem, const int64_t *rows, size_t n,
    struct instant now, const char *lease, struct delivery **ret, size_t *ret_n);
/*
 * What became of a leased row; inside a transaction.  `again` comes back at `at`, and is dead after
 * ATTEMPTS_MOST; `back` keeps its turn, at `at` when the server refused us.  Who was stopped meanwhile
 * and did not leave is cancelled, unless the server said that they can never be reached.  A row that
 * is gone (erased) or not leased by us stays as it is.
 */
enum { ATTEMPTS_MOST = 8, CRASHES_MOST = 3 };
int outbox_settle(struct db *db, int64_t row, const char *lease, const struct outcome *o,
    struct instant now, struct instant at);
/*
 * What we ourselves leased of a channel that nobody else carries goes back, after a failure halfway;
 * inside a transaction.
 */
int outbox_release(struct db *db, int channel, const char *lease, struct instant now);
/*
 * Rows that a process which is gone had leased; once at the start, before anything is sent.
 * before: what its flight recorder says, NULL when it cannot be trusted (another boot).
 */
int outbox_recover(struct db *db, const char *lease, const struct flight *before,
    struct instant now);
/* Of the n leased rows, those that were stopped since: stopped[i] is set. */
int outbox_stopped(struct db *db, const int64_t *rows, bool *stopped, size_t n);
/*
 * A dead or uncertain row waits again, because somebody said so; recorded.  A withdrawal always may;
 * anything else only while it may be sent at all: stop means stop.
 */
enum { REQUEUE_NEITHER = 1, REQUEUE_UNWANTED = 2, REQUEUE_BEGUN = 3 }; /* BEGUN: its event has */
int outbox_requeue(struct db *db, int64_t row, struct instant now, struct instant expires);
/*
 * Cancel what has not left: of an enrolment, of a person, or of a run.  Inside a transaction.  What
 * is leased is asked to stop and is cancelled unless its last bytes left.  What changes or withdraws
 * an invitation is not cancelled by these: deliver/outbox/invitation.h decides about that.
 */
int outbox_cancel_enrolment(struct db *db, int64_t enrolment, const char *reason,
    struct instant now);
int outbox_cancel_run(struct db *db, int64_t run, const char *reason, struct instant now);
int outbox_cancel_person(struct db *db, int64_t person, const char *reason, struct instant now);
int outbox_cancel_one(struct db *db, int64_t row, const char *reason, struct instant now);
/* It was delivered into our own spool and taken out again: cancelled.  Inside a transaction. */
int outbox_recall(struct db *db, int64_t row, const char *reason, struct instant now);
/* Is it of somebody who was erased, and not what withdraws an invitation of theirs? */
int outbox_erased(struct db *db, int64_t row, bool *ret);
/*
 * A paused run sends nothing that has not left: its rows keep their moment, but behind all others, until
 * the run goes on.  They expire as ever; withdrawals go on.  hold: of every run that is paused.
 */
int outbox_hold(struct db *db);
int outbox_let_go(struct db *db, int64_t run);
/* All that wait in a channel wait for this destination now; inside a transaction. */
int outbox_redirect(struct db *db, int channel, const char *destination);
/* The earliest moment a pending row of a lane wants attention; INSTANT_NEVER. */
int outbox_next(struct db *db, const struct lane *lane, struct instant *ret);
/* Rows per state, and what does not add up, one sentence per defect into the log. */
int outbox_count(struct db *db, int64_t counts[DELIVERY_STATES]);
int outbox_check(struct db *db, int64_t *ret_defects);
#endif
