/*
 * engine.h - the tick: everything that is due at one instant.
 *
 * The engine has no clock and no timer.  engine_tick(engine, now) does what is due, in
 * transactions of about a thousand decisions, and tells the next instant at which anything will be
 * due.  The daemon sleeps until then; the simulator jumps there: the very same code.
 *
 * The engine owns nothing that a kill may lose: the database is the truth.
 */
#ifndef NUDGED_ENGINE_H
#define NUDGED_ENGINE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
#include "compose/token.h"

struct clock_reading;
struct compose;
struct db;
struct delivery;
struct package;
struct engine;
struct rulebase;
struct settings;

/* One decision, as it is told to who listens (simulate, plan): strings live during the call. */
struct decision_line {
	struct instant time;
	int32_t offset; /* of the person's zone at that time, seconds east */
	const char *person, *run, *campaign, *occurrence;
	int verdict; /* enum verdict */
	const char *message, *angle, *frame, *channel, *messenger, *language, *subject; /* NULL: absent */
	const char *const *reasons;
	int n_reasons;
	double probability;
	int64_t number; /* of this contact in the run, from 1 */
};
typedef void decision_fn(void *arg, const struct decision_line *line);

struct engine_options {
	struct db *db;
	const struct settings *settings; /* outlives the engine */
	struct token_key key;
	uint64_t seed;                   /* of every draw */
	decision_fn *on_decision;        /* may be NULL */
	void *arg;
	const char *spool;               /* folder of the spool channel; NULL: deliver nothing */
	bool durable;                    /* fsync what is spooled; off in simulations */
	bool networked;                  /* a courier takes what the settings send by a network */
	const char *lease;               /* of this process; NULL: the engine makes one, and recovers */
};

/* Takes over rb and compose (frees them at the swap or the end). */
int engine_new(const struct engine_options *o, struct rulebase *rb, struct compose *compose,
    struct engine **ret);
void engine_free(struct engine **e);

/* Swap to another rule base; the old one is freed.  Dues of changed rhythms are planned anew. */
int engine_swap(struct engine *e, struct rulebase *rb, struct compose *compose, struct instant now);
const struct rulebase *engine_rules(const struct engine *e);

/*
 * What the machine knows about the time, before a tick: a clock that cannot be right stops
 * everything until it is confirmed (engine/guard.h).  A virtual clock never calls this.
 * Negative: the database failed, and the last judgement stands.
 */
int engine_watch(struct engine *e, const struct clock_reading *r);

/*
 * Enrol who joined, decide what is due, deliver what waits.  *ret_next: the next instant at which
 * anything will be due (INSTANT_NEVER: nothing).  Returns 0, or negative when the database failed:
 * nothing of the failed batch happened, try again later.  While the clock is suspect nothing at
 * all happens but another look in a minute.
 */
int engine_tick(struct engine *e, struct instant now, struct instant *ret_next);

/* What a delivery says, in the bytes of its way: for the courier (deliver/courier/courier.h). */
int engine_pack(
    struct engine *e, const struct delivery *d, struct package *ret, const char **ret_why);

/* ---- what commands and pages tell the engine; each a transaction of its own ---- */
enum {
	ENGINE_DONE = 0,
	ENGINE_UNKNOWN = 1,  /* no such person, run, campaign or answer */
	ENGINE_REFUSED = 2,  /* it exists, but not so; engine_why() says why */
};
const char *engine_why(const struct engine *e);
int engine_event(struct engine *e, const char *person, const char *name, struct instant at);
/* occurrence NULL: the newest contact of the enrolment. */
int engine_answer(struct engine *e, const char *person, const char *run, const char *answer,
    struct instant at);
#endif
