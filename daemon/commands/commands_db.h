/* commands_db.h - the SQL of the commands alone. */
#ifndef NUDGED_COMMANDS_COMMANDS_DB_H
#define NUDGED_COMMANDS_COMMANDS_DB_H
#include <stdint.h>

#include "base/when.h"

struct arena;
struct db;

/* Forget everything that happened; people, runs and approvals stay. */
int history_forget(struct db *db);

/* One decision as `nudge why` shows it; strings live during the call. */
struct told {
	struct instant at;
	int verdict, channel;
	const char *run, *occurrence, *message, *messenger, *reasons, *answer;
	int64_t delivery; /* 0: none */
	int delivery_state;
};
int decisions_of(struct db *db, int64_t person, int64_t delivery, int64_t max,
    void (*fn)(void *arg, const struct told *t), void *arg);
/* 1: no such delivery. */
int delivery_person(struct db *db, int64_t delivery, int64_t *ret_person);
int look_note(struct db *db, const char *action, const char *subject, struct instant now);

struct figures {
	int64_t people, runs, approved, enrolled, decisions, due;
	struct instant next;
};
int figures_count(struct db *db, struct figures *ret);

struct queued {
	int64_t row, attempts;
	const char *person, *run, *occurrence, *reason;
	int channel, state;
	struct instant created, expires;
};
int deliveries_each(struct db *db, int state, int64_t max,
    void (*fn)(void *arg, const struct queued *q), void *arg);
#endif
