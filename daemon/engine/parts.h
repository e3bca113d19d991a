/*
 * parts.h - what the engine's files share: the engine itself, and an enrolment as the store has it.
 *
 *   enrol.c     who is in which run; where the next moment lies
 *   occasion.c  gathers what decide() needs, calls it, records what it said
 *   answers.c   what people answered and what happened to them
 *   guard.c     can the clock be right
 *   purge_db.c  what is old is deleted and counted
 *   ramp.c      going on slowly after downtime
 *   send.c      from an outbox row to the bytes of a channel
 *   batch.c     files for the printer; batch_db.c their SQL
 *   withdraw.c  invitations whose event moved, or whose person left
 *   feed.c      a person's own calendar feed
 *   zones_db.c  when a country changes its clock
 *   engine_db.c all SQL of these; guard_db.c of the guard
 *
 * Lives within the engine: runs until somebody else wrote to the store, team facts until the next
 * tick; everything of one batch in `mem`, which is reset after it.
 */
#ifndef NUDGED_ENGINE_PARTS_H
#define NUDGED_ENGINE_PARTS_H

#include "compose/compose.h"
#include "deliver/courier/courier.h"
#include "deliver/outbox/invitation.h"
#include "deliver/outbox/outbox.h"
#include "engine.h"
#include "engine/guard.h"
#include "engine/purge.h"
#include "people/person.h"
#include "plan/decide.h"
#include "plan/rest.h"
#include "plan/rhythm.h"
#include "plan/zone.h"
#include "runs.h"

struct arena;

enum { SERIES_KEPT = 512, BATCH = 1000, SEND_BATCH = 256, MANAGER_CHAINS = 1024,
	MANAGERS_KEPT = 50000 };

struct series_slot {
	int campaign;
	int64_t anchor;
	struct series *series;
};
/* A colleague who said yes to being named as the sender. */
struct ambassador {
	int64_t row;
	const char *team, *name, *email;
};
/* A manager as the sender; name NULL: on no roster, or gone. */
struct manager {
	struct manager *next;
	const char *id, *name, *email;
};
struct team_face {
	const char *id, *manager_id, *manager_name, *manager_email;
	int64_t size, done; /* of nobody in particular: counts for live figures */
};
/* After downtime: how many may go, how many went. */
struct ramp {
	struct instant from; /* INSTANT_NEVER: there is none */
	int64_t rate;        /* of the plan's busiest hour */
	int64_t used;        /* decisions to send since */
	int64_t promised;    /* of them and of those that wait for their minute */
	bool changed;        /* must be saved with the batch */
};
struct engine {
	struct engine_options o;
	struct rulebase *rb;
	struct compose *compose;
	struct rest *rest;
	struct arena *mem;      /* of one batch */
	struct arena *tick_mem; /* of one tick */
	struct arena *run_mem;  /* runs, until they are loaded again */
	struct arena *face_mem; /* ambassadors and managers, until the roster changes */
	struct run *runs;
	size_t n_runs;
	int64_t runs_as_of;     /* db_others() when they were loaded */
	struct ambassador *ambassadors;
	size_t n_ambassadors;
	struct manager *managers[MANAGER_CHAINS]; /* by the hash of their id */
	size_t n_managers;
	int64_t faces_as_of;    /* newest people change that the faces reflect ... */
	int64_t faces_erased;   /* ... and how many erasures */
	struct series_slot series[SERIES_KEPT];
	char lease[LEASE_TEXT];
	char why[256];
	bool suspect;           /* the clock: engine_watch() */
	struct instant asked;   /* when the last tick wanted to be called again; 0: never ran */
	struct ramp ramp;
	struct instant zones_at; /* when the zones were last looked at; 0: never */
	struct instant purge_at; /* 0: not known yet */
	bool left_leased;       /* a spooled batch failed halfway */
	bool draft_ended;       /* no draft for the printer waits for its name */
	bool looked;            /* the two below are known */
	int64_t looked_rules, looked_people; /* what the invitations were last held against */
	size_t batch;           /* rows a transaction; 1 while a failing unit is being singled out */
};

struct enrolment {
	int64_t row, run_row, person;
	enum enrolment_state state;
	bool has_anchor;
	struct civil anchor;
	int64_t source; /* event row, 0: none */
	int64_t k, total, unanswered;
	bool answered, offered, slowed;
	struct instant quiet_until;
};
struct due {
	struct instant at;
	int64_t enrolment, k;
	struct civil wall;  /* the person's place in the moment */
	const char *follow; /* message id of a thanks, "" for the rhythm */
	int64_t priority;
	const struct run *run;
};

/* ---- engine.c ---- */
/* Load the runs; pointers to those of before are void. */
int engine_runs(struct engine *e);

/* ---- enrol.c ---- */
/* Look at everybody who changed since each approved run last looked. */
int enrol_all(struct engine *e, struct instant now);
struct series *engine_series(struct engine *e, const struct campaign *c, struct civil anchor);
/* Where the person's k-th moment lies; 0, RHYTHM_OVER. */
struct plan {
	int64_t k;
	struct moment moment;
	struct civil place;
	struct instant at;
};
int plan_moment(struct engine *e, const struct run *run, const struct enrolment *n,
    const struct person *p, const struct zone *z, int64_t k, struct plan *ret);
/* Write the due row of the first moment from k on that is not over by `now`; none when over. */
int plan_next(struct engine *e, const struct run *run, struct enrolment *n,
    const struct person *p, int64_t k, struct instant now);
int enrolment_begin(
    struct engine *e, const struct run *run, const struct person *p, struct enrolment *n);
const struct zone *person_zone(const struct engine *e, const struct person *p);
const struct run *engine_run(const struct engine *e, int64_t row);
bool run_has_person(const struct run *run, const struct person *p);

/* ---- occasion.c ---- */
/* Decide one due row and record it; inside a transaction. */
int occasion_handle(struct engine *e, const struct due *d, struct instant now);
unsigned person_channels(const struct engine *e, const struct person *p);

/* ---- zones_db.c ---- */
/* Have the rules of people's zones changed?  Once a day; transactions of its own. */
int zones_look(struct engine *e, struct instant now);

/* ---- ramp.c ---- */
/* At the beginning of a tick: has nobody been here for a while? */
int ramp_look(struct engine *e, struct instant now);
/* One more to send?  false: not before *ret_later. */
bool ramp_take(struct engine *e, struct instant now, struct instant *ret_later);
/* Inside the batch's transaction. */
int ramp_save(struct engine *e);
/* How many of a rate may have gone when `since` went by; never falls, INT64_MAX after an hour. */
int64_t ramp_allowed(int64_t rate, struct span since);

/* ---- send.c ---- */
struct face {
	const char *name, *address; /* address NULL: none */
};
/* Who speaks: the messenger's own name and address as this person sees them. */
bool messenger_face(struct engine *e, const struct messenger *m, const struct person *p,
    uint64_t draw, struct face *ret);
int faces_load(struct engine *e);
int send_waiting(struct engine *e, struct instant now);
/* When a row of the spool wants attention. */
int send_next(struct engine *e, struct instant *ret);
/* enum way of a channel, as far as this engine delivers. */
int engine_way(const struct engine *e, int channel);
/* Where on that way a channel's deliveries to persons wait: a chat's name; "" where there is one way only. */
const char *engine_destination(const struct engine *e, int channel);
/* When a message of now would have its event: for this person, by roster, rests and holidays. */
bool letter_event(struct engine *e, const struct letter *l, struct event_when *ret);
struct letter letter_of(struct engine *e, const struct run *run, const struct person *p,
    const struct delivery *d);
/* What a delivery says, and to whom; *ret_why is the reason when it can never be made. */
int delivery_open(struct engine *e, const struct delivery *d, struct letter *ret,
    const char **ret_why);
/* Who was erased while it was written leaves no trace in the spool; name as for spool_remove(). */
int erased_remove(struct engine *e, const struct delivery *d, const char *name,
    struct instant now);

/* ---- batch.c ---- */
/* When a sheet that is decided now is printed: the hour of printing of this or the next working day. */
struct instant batch_moment(const struct engine *e, struct instant now);
/* Files of the sheets whose moment has come. */
int batches_write(struct engine *e, struct instant now);

/* ---- batch_db.c ---- */
struct sheet {
	int64_t row;
	enum paper paper;
};
struct batch {
	/* Of its day and paper, from 1; negative: at once, under the name of its first delivery. */
	int64_t row, number;
	struct day day;
	enum paper paper;
	size_t sheets;
};
int sheets_due(struct db *db, struct instant now, size_t max, struct sheet *rows, size_t *ret_n);
int batch_number(struct db *db, struct day day, enum paper paper, int64_t *ret);
int batch_add(struct db *db, const struct batch *b, struct instant now);
int batch_unpublished(struct db *db, struct batch *ret); /* 1: there is none */
int batch_published(struct db *db, int64_t row);

/* ---- withdraw.c ---- */
/* Note what the decision to invite promised; inside its transaction. */
int invitation_record(struct engine *e, const struct delivery *d, const struct letter *l);
/* Hold the invitations against changed rules and people, make what follows. */
int withdraw_look(struct engine *e, struct instant now);
/* When to look again at what waits for the fate of a delivery; INSTANT_NEVER. */
int withdraw_next(struct engine *e, struct instant now, struct instant *ret);
/* The letter of an invitation; *ret_why: it can never be made. */
int invitation_letter(struct engine *e, const struct delivery *d, struct letter *l,
    const char **ret_why);

/* ---- feed.c ---- */
/* Write the feeds that are stale. */
int feeds_write(struct engine *e, struct instant now);

/* ---- engine_db.c ---- */
int due_take(struct engine *e, struct instant now, size_t max, struct due **ret, size_t *ret_n);
int due_put(struct db *db, struct instant at, int64_t enrolment, int64_t k, struct civil wall,
    const char *follow);
int due_drop(struct db *db, int64_t enrolment);
int due_drop_moments(struct db *db, int64_t enrolment);
int due_next(struct db *db, struct instant *ret);
int due_busiest_hour(struct db *db, int64_t *ret);
int enrolment_load(struct db *db, int64_t row, struct enrolment *ret); /* 1: no such */
int enrolment_of(struct db *db, int64_t run, int64_t person, struct enrolment *ret);
int enrolment_save(struct db *db, const struct enrolment *n);
int enrolment_add(struct db *db, struct enrolment *n);
int history_load(struct engine *e, const struct enrolment *n, const struct campaign *c,
    struct history *ret, uint16_t *uses);
int spending_load(struct engine *e, int64_t person, struct instant now, struct spending *ret,
    enum frame *ret_last_frame);
int rivals_load(struct engine *e, const struct campaign *c, const struct enrolment *n,
    struct instant from, struct instant to, struct rival *ret, size_t room, size_t *ret_n);
int decision_save(struct engine *e, const struct enrolment *n, const char *occurrence,
    struct instant now, const struct decision *d, const struct campaign *c, int64_t number);
int contact_add(struct db *db, int64_t person, struct instant at, int64_t enrolment,
    enum frame frame);
int newest_contact(struct engine *e, int64_t enrolment, const char **ret_occurrence);
int answer_add(struct db *db, int64_t person, int64_t enrolment, const char *occurrence,
    const char *answer, struct instant at, int64_t *ret_row); /* DB_REFUSED: had it already */
int event_add(struct db *db, int64_t person, const char *name, struct instant at,
    int64_t *ret_row); /* DB_REFUSED: told already */
int completion_add(struct db *db, int64_t person, const char *campaign, struct instant at);
int person_stage_set(struct db *db, int64_t person, const char *stage, struct instant at);
/* Did they say stop to it, in whatever run? */
int campaign_stopped(struct db *db, int64_t person, const char *campaign, bool *ret);
int stop_campaign(struct engine *e, int64_t person, const char *campaign, struct instant now);
int figures_load(struct engine *e, const struct run *run, const char *team, int64_t *ret_n,
    int64_t *ret_done, int64_t *ret_team_n, int64_t *ret_team_done);
int people_changed(struct db *db, int64_t *ret); /* newest changed_at, INT64_MIN when nobody */
int people_since(struct engine *e, int64_t changed_after, int64_t after_row, size_t max,
    int64_t *rows, size_t *ret_n);
int meta_get(struct db *db, const char *key, int64_t otherwise, int64_t *ret);
int meta_set(struct db *db, const char *key, int64_t value);

#endif
