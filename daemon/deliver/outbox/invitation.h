/*
 * invitation.h - an event that was told to a person, and what must follow when it no longer holds.
 *
 *   made ──▶ stands ──(the event moves)──▶ changed ──▶ stands      an update follows
 *               └──(run cancelled, stopped, left, erased)──▶ withdrawn     a withdrawal follows
 *
 * A cause marks the invitation in its own transaction; invitations_follow() then makes exactly one
 * delivery of it, in the same transaction when the fate of what was sent is known, else as soon as
 * it is.  Only what was delivered, or may have been, has a follow-up; only while the event lies
 * ahead.  What has not left yet is changed or cancelled where it waits.
 *
 * Times are those that were told last; they do not follow the rules and the roster by themselves.
 */
#ifndef NUDGED_DELIVER_INVITATION_H
#define NUDGED_DELIVER_INVITATION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

struct arena;
struct db;

enum invitation_wish { INVITATION_STANDS, INVITATION_CHANGED, INVITATION_WITHDRAWN };
struct invitation {
	int64_t enrolment, person, run;
	const char *occurrence;
	struct instant starts, ends;
	const char *zone;       /* in which it is told */
	struct instant decided; /* its day counts from here */
	enum invitation_wish wish;
	const char *address;    /* of a person who was erased, until the withdrawal is settled; "" */
	/* of its decision and its newest delivery */
	const char *message, *messenger, *language;
	int64_t number, sequence, delivery; /* delivery: the row of the invitation itself */
};

/* Inside the decision's transaction. */
int invitation_add(struct db *db, const struct invitation *i);
/* 0, or 1: there is none; lives in mem. */
int invitation_find(struct db *db, struct arena *mem, int64_t enrolment, const char *occurrence,
    struct invitation *ret);

/* ---- causes; inside their transaction ---- */
enum invitation_scope { INVITATIONS_OF_ENROLMENT, INVITATIONS_OF_RUN, INVITATIONS_OF_PERSON };
int invitations_withdraw(struct db *db, enum invitation_scope scope, int64_t key,
    struct instant now);
/* The event is now at i->starts in i->zone. */
int invitation_move(struct db *db, const struct invitation *i, struct instant now);
/*
 * Withdraw all of a person who is being erased.  What a withdrawal still needs stays until it is
 * settled, or until it is known that none is needed: the address, and nothing else about the person;
 * then invitations_follow() removes it.  What is being sent right now is asked to stop.
 */
int invitations_erase(struct db *db, int64_t person, const char *address, struct instant now);

/*
 * Make the follow-ups whose time has come.  *ret_waiting: some wait for the fate of what is just
 * being sent; call again soon.  Inside a transaction.  INVITATIONS_ERASED: the last trace of an
 * erased person went; scrub the file after the commit.
 */
enum { INVITATIONS_ERASED = 1 };
int invitations_follow(struct db *db, struct instant now, bool *ret_waiting);
/* Is there anything for invitations_follow()?  Cheap. */
int invitations_waiting(struct db *db, bool *ret);

/* Is anything about an invitation unsettled? */
int invitations_in_flight(struct db *db, bool *ret);

/*
 * Those that stand and lie ahead, of people changed after `since` (INT64_MIN: all), in the order of
 * (starts, enrolment, occurrence) after `after` (NULL: from the beginning).
 */
int invitations_ahead(struct db *db, struct arena *mem, struct instant now, int64_t since,
    const struct invitation *after, size_t max, struct invitation **ret, size_t *ret_n);

/* ---- feeds: who has a stale one ---- */
int feeds_stale(struct db *db, size_t max, int64_t *people, size_t *ret_n);
/* Its file is written.  1: nobody has this feed any more (erased meanwhile): take the file away. */
int feed_fresh(struct db *db, int64_t person, const char *name);
/* Files of people who were erased. */
int feeds_gone(struct db *db, struct arena *mem, size_t max, const char **names, size_t *ret_n);
int feed_removed(struct db *db, const char *name);
/* What a person's feed shows: told and not withdrawn, not over before `since`. */
int invitations_of(struct db *db, struct arena *mem, int64_t person, struct instant since,
    size_t max, struct invitation **ret, size_t *ret_n);
#endif
