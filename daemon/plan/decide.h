/*
 * decide.h - what a person gets at one occurrence, and why: a pure function (DESIGN.md 5).
 *
 * Values in, values out: no store, no clock, no dice but those derived from `seed`.  The same
 * input gives the same decision, so a crash between two steps cannot change it.
 */
#ifndef NUDGED_PLAN_DECIDE_H
#define NUDGED_PLAN_DECIDE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "plan/rest.h"
#include "rules/rulebase.h"

struct person;
struct zone;

enum verdict { VERDICT_SEND, VERDICT_WAIT, VERDICT_SKIP, VERDICT_HELD, VERDICTS };
extern const char *const verdict_names[VERDICTS]; /* send wait skip held */

enum reason {
	REASON_SENT, REASON_QUIET, REASON_DAY_OFF, REASON_HOLIDAY, REASON_ABSENCE, REASON_OWN_TIMES,
	REASON_NO_ZONE, REASON_BUDGET_WEEK, REASON_BUDGET_MONTH, REASON_BUDGET_GAP, REASON_LATE,
	REASON_EXPIRED, REASON_NOT_APPROVED, REASON_PAUSED, REASON_CANCELLED, REASON_OVER,
	REASON_BEFORE_START, REASON_NOT_IN_AUDIENCE, REASON_STOPPED, REASON_DECLINED, REASON_DONE,
	REASON_HOLDOUT, REASON_RANDOM_HOLD, REASON_NO_MESSAGE, REASON_NO_CHANNEL, REASON_NO_LANGUAGE,
	REASON_FIGURES_HIDDEN, REASON_RELAXED_MESSENGER, REASON_RELAXED_CHANNEL, REASON_RELAXED_ANGLE,
	REASON_RELAXED_MESSAGE, REASON_VARIED_MESSAGE, REASON_VARIED_ANGLE, REASON_VARIED_CHANNEL,
	REASON_VARIED_MESSENGER, REASON_LOSS_AVOIDED, REASON_UNANSWERED_CHANGE,
	REASON_UNANSWERED_OFFER, REASON_THANKS, REASON_FOLLOW_UP, REASON_DOWNTIME, REASON_QUARANTINED,
	REASON_CLOCK_SUSPECT, REASON_ANSWERED_LATER, REASON_PRIORITY, REASON_MOVED_SLOT, REASON_RAMP, REASON_EVENT_MOVED,
	REASON_EVENT_NO_DAY, REASONS
};
extern const char *const reason_codes[REASONS]; /* as in config/words: "sent", "quiet-hours" ... */

enum { REASONS_MAX = 8 };
struct reasons {
	int n;
	enum reason v[REASONS_MAX];
};
void reasons_add(struct reasons *r, enum reason why); /* once each; the first 8 are kept */

/* One contact that was made: newest first in struct history. */
struct contact {
	int message;   /* index in the campaign; -1: a text that is no longer there */
	int angle, messenger; /* indexes in the house, -1 none */
	enum frame frame;
	enum channel channel;
	bool answered;
};
/* What this enrolment has had so far. */
enum { HISTORY_MAX = 64 };
struct history {
	int n;                     /* contacts listed, newest first, at most HISTORY_MAX */
	struct contact contact[HISTORY_MAX];
	int64_t total;             /* contacts ever: repeat number - 1 */
	int64_t unanswered;        /* in a row, newest back */
	bool ever_answered, done;
	enum frame last_frame;     /* of the person's newest contact in any campaign */
	const uint16_t *uses;      /* how often each message of the campaign was sent; n_messages */
};

/* Contacts of the person over all campaigns, newest first, no older than 31 days. */
enum { BUDGET_MAX = 64 };
struct spending {
	int n;
	struct instant at[BUDGET_MAX];
};

enum enrolment_state { ENROLMENT_ACTIVE, ENROLMENT_DONE, ENROLMENT_DECLINED, ENROLMENT_STOPPED,
	ENROLMENT_HELD, ENROLMENT_OVER, ENROLMENT_STATES };
extern const char *const enrolment_state_names[ENROLMENT_STATES];

/* ---- budget: first instant >= t at which one more contact is within it ---- */
/* REASON_SENT: within budget at t; else what stands in the way, and *ret_free when it no longer does. */
enum reason budget_judge(const struct house *h, const struct spending *s, struct instant t,
    struct instant *ret_free);

/* ---- vary: which message, channel, messenger ---- */
struct choice {
	int message, angle, messenger, language;
	enum channel channel;
	double probability; /* of this draw; 1 when nothing was left to chance */
};
struct ask {
	const struct rulebase *rb;
	const struct campaign *campaign;
	const struct person *person;
	const struct history *history;
	unsigned channels_ok;    /* bit per channel that reaches this person */
	unsigned messengers_ok;  /* bit per house messenger that exists for this person */
	const int *hidden;       /* messages whose live figures are hidden: n_messages flags, or NULL */
	const struct rest *rest; /* where an event may not fall; NULL: anywhere */
	const struct own_times *own;
	struct day today;        /* of the decision, where the person is */
	const double *weights;   /* learned weight per value of the learned axis, or NULL */
	uint64_t seed;           /* hash of (seed, run, person) */
	int64_t occurrence;
	int only_message;        /* >= 0: this follow-up text, from outside the pool */
};
/* The day of the message's event for this person, *ret_moved when not the written one; false: none. */
bool ask_event_day(const struct ask *a, const struct message *m, bool *ret_moved);
/* REASON_SENT: *ret is set and reasons tell the variation and relaxations; else why nothing. */
enum reason vary_choose(const struct ask *a, struct choice *ret, struct reasons *reasons);

/* ---- the whole occasion ---- */
enum run_state { RUN_SCHEDULED, RUN_APPROVED, RUN_PAUSED, RUN_CANCELLED, RUN_OVER, RUN_STATES };
extern const char *const run_state_names[RUN_STATES];

/* A higher-priority contact that stands in the plan of the same person. */
struct rival {
	struct instant at;
	int64_t priority;
};
struct occasion {
	struct ask ask;              /* campaign, person, history, what is possible */
	enum run_state run;
	bool in_audience;            /* campaign's and run's audience both hold */
	enum enrolment_state enrolment;
	bool stopped_all;            /* the person said stop to everything */
	const struct zone *zone;     /* NULL: unknown */
	const struct rest *rest;
	const struct own_times *own;
	struct moment moment;        /* in the person's wall time */
	struct civil place;          /* the person's place in it */
	struct instant now;
	bool has_next;
	struct civil next;           /* the next moment's beginning: nothing is sent at or after it */
	bool urgent;                 /* thanks: the person waits for it; budget does not hold it back */
	const struct spending *spending;
	size_t n_rivals;
	const struct rival *rivals;
	double hold;                 /* share held out of this run */
};
struct decision {
	enum verdict verdict;
	struct choice choice;        /* of VERDICT_SEND */
	unsigned channels;           /* bits: all channels it goes out through (together) */
	struct reasons reasons;
	struct instant until;        /* of VERDICT_WAIT: look again then */
	double probability;
};
void decide(const struct occasion *o, struct decision *ret);

/* The instant after which an occurrence that has not been sent never will be. */
struct instant occasion_deadline(const struct occasion *o);

#endif
