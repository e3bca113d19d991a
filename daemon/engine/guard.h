/*
 * guard.h - can the clock be right?  (RELIABILITY.md 4)
 *
 * A wrong clock is the one fault that would send a year of messages at once, or delete what must
 * be kept.  So the daemon tells before each tick what it knows about the time, and while that does
 * not fit together the clock is *suspect*: nothing is planned, decided, sent, expired or purged,
 * and answers are recorded at the last time that was known.  Nobody is told anything twice when it
 * is over: what was missed is treated as downtime.
 *
 *   the clock                                          judged
 *   before the program was built                       suspect, whoever confirms it
 *   confirmed by a time server                         right
 *   same start of the machine: against the time that   suspect when more than an hour off, either
 *     went by since the last look, sleep included        way; however long nothing ran
 *   another start: more than an hour before the last   suspect
 *   another start: up to 400 days after it             right: the machine was off
 *   another start: later than that                     suspect
 *   the very first look: 15 years after the build      suspect
 *
 * Suspect stays so, over restarts too, until a time server or `nudge clock-ok` confirms the time,
 * or it is again what it was before the step.  A clock that stood before the build had no time at
 * all (no battery): what it is set to then is judged as after a start.
 */
#ifndef NUDGED_ENGINE_GUARD_H
#define NUDGED_ENGINE_GUARD_H
#include <stdbool.h>

#include "base/clock.h"

struct db;
struct engine;

enum guard_verdict { GUARD_RIGHT, GUARD_BEFORE_BUILD, GUARD_BACK, GUARD_FORWARD, GUARD_FAR,
	GUARD_VERDICTS };
/* As a sentence's end: "was set back", NULL for right. */
extern const char *const guard_words[GUARD_VERDICTS];

/* The last look at which the clock was right, and since when it is not. */
struct guard_memory {
	bool known; /* there was one */
	struct instant wall;
	struct span up;
	int64_t boot;
	enum guard_verdict suspect;
	struct instant since; /* by the suspect clock */
};
enum guard_verdict guard_judge(const struct guard_memory *m, const struct clock_reading *r);
/* The best-known time: that of the reading, or, while it is suspect, the last right one. */
struct instant guard_time(const struct guard_memory *m, const struct clock_reading *r);

/* May anything be sent, expired or deleted?  Ask before each of them; true on a virtual clock. */
bool guard_may_send(const struct engine *e);

/* Somebody says that the clock is right.  GUARD_REFUSED: it is before the build. */
enum { GUARD_REFUSED = 1 };
int guard_confirm(struct db *db, const struct clock_reading *r);
int guard_load(struct db *db, struct guard_memory *ret);
/* Inside a transaction. */
int guard_save(struct db *db, const struct guard_memory *m);
int guard_note(struct db *db, const char *what, struct instant at);
#endif
