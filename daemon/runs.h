/*
 * runs.h - campaigns that HR scheduled: start, repeat, narrower audience, approval.
 *
 * A run sends only while its state is approved: every role of house.approvals signed the rule
 * version (its hash) that was in force.  Runs are few; the engine keeps all of them in memory and
 * reads them again at each tick.
 */
#ifndef NUDGED_RUNS_H
#define NUDGED_RUNS_H
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "plan/decide.h"
#include "rules/rulebase.h"

struct arena;
struct db;

struct run {
	int64_t row;
	const char *id, *campaign_id;
	const struct campaign *campaign; /* NULL: no longer in the rule base */
	struct day start;
	struct period every;             /* count 0: once */
	bool has_until;
	struct day until;                /* inclusive */
	struct cond audience;            /* COND_ALL */
	enum run_state state;
	int64_t enrolled_at;             /* people changed later than this are not yet looked at */
	const char *quarantine;          /* why it cannot be planned, or NULL */
};

enum { RUN_DONE = 0, RUN_UNKNOWN = 1, RUN_REFUSED = 2, RUN_EXISTS = 3 };

/* audience: JSON text {"key": ["value", ...]}; every: as written, "" for once. */
struct run_order {
	const char *campaign, *every, *audience;
	struct day start;
	bool has_until;
	struct day until;
};
/* *ret_id: CAMPAIGN-YYYY-MM-DD, -2, -3 ... when taken; lives in mem. */
int run_schedule(struct db *db, struct arena *mem, const struct run_order *order,
    struct instant now, const char **ret_id);
/* *ret_missing: roles that have not signed yet, in words; "" when the run is now approved. */
int run_approve(struct db *db, struct arena *mem, const struct rulebase *rb, const char *id,
    const char *role, struct instant now, const char **ret_missing);
/* pause, resume, cancel: RUN_REFUSED when its state does not allow it. */
int run_set_state(struct db *db, const char *id, enum run_state to, struct instant now);
/* As the store has it now: RUN_DONE, RUN_REFUSED. */
int run_is_approved(struct db *db, int64_t run);
int runs_load(struct db *db, struct arena *mem, const struct rulebase *rb, struct run **ret,
    size_t *ret_n);
/* How many are enrolled. */
int run_people(struct db *db, int64_t run, int64_t *ret);
int run_note_enrolled(struct db *db, int64_t run, int64_t changed_at);
/* Make the engine look at everybody once more. */
int runs_look_again(struct db *db);
int run_note_quarantine(struct db *db, int64_t run, const char *why);
/* "1 year", "every month", "2 weeks"; false when it is none. */
bool period_parse(const char *s, struct period *ret);
#endif
