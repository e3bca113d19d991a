/*
 * outbox.h - every delivery, from the decision that made it to what became of it.
 *
 *   pending ──claim──▶ leased ──settle──▶ delivered | uncertain | dead
 *      │  ▲               │
 *      │  └── back ───────┘
 *      └──▶ expired | cancelled
 *
 * A row is unique per (enrolment, occurrence, channel): the same delivery cannot be made twice.
 * Conservation: created = pending + leased + delivered + uncertain + expired + cancelled + dead.
 * Every state is entered by the functions below and by nothing else.
 */
#ifndef NUDGED_DELIVER_OUTBOX_H
#define NUDGED_DELIVER_OUTBOX_H
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

struct arena;
struct db;

enum delivery_state { DELIVERY_PENDING, DELIVERY_LEASED, DELIVERY_DELIVERED, DELIVERY_UNCERTAIN,
	DELIVERY_EXPIRED, DELIVERY_CANCELLED, DELIVERY_DEAD, DELIVERY_STATES };
extern const char *const delivery_state_names[DELIVERY_STATES];

struct delivery {
	int64_t row, enrolment, person, run;
	const char *occurrence;
	int channel;
	struct instant created, expires;
	int64_t attempts;
	/* of its decision */
	const char *message, *messenger, *language;
	int64_t number;
};

/* Inside the decision's transaction. */
int outbox_add(struct db *db, const struct delivery *d);
/*
 * Expire what is over, then lease up to max rows that may go now, oldest first; a transaction of
 * its own.  *ret_n rows in *ret, which live in mem.
 */
int outbox_claim(struct db *db, struct arena *mem, struct instant now, const char *lease,
    size_t max, struct delivery **ret, size_t *ret_n);
/* What became of a leased row; inside a transaction.  A row cancelled meanwhile stays so. */
int outbox_settle(struct db *db, int64_t row, enum delivery_state to, const char *reason,
    struct instant now);
/* A leased row goes back to wait until `at`. */
int outbox_retry(struct db *db, int64_t row, const char *reason, struct instant at);
/* Leases of a process that is gone; done once at the start. */
int outbox_recover(struct db *db, const char *lease);
/* Cancel what is pending: of an enrolment, of a person, or of a run.  Inside a transaction. */
int outbox_cancel_enrolment(struct db *db, int64_t enrolment, const char *reason,
    struct instant now);
int outbox_cancel_run(struct db *db, int64_t run, const char *reason, struct instant now);
int outbox_cancel_person(struct db *db, int64_t person, const char *reason, struct instant now);
/* The earliest moment a pending row wants attention; INSTANT_NEVER. */
int outbox_next(struct db *db, struct instant *ret);
/* Rows per state, and what does not add up, one sentence per defect into the log. */
int outbox_count(struct db *db, int64_t counts[DELIVERY_STATES]);
int outbox_check(struct db *db, int64_t *ret_defects);
#endif
