/*
 * people.h - the roster: reading it from CSV, keeping it in the store, finding one person.
 */
#ifndef NUDGED_PEOPLE_PEOPLE_H
#define NUDGED_PEOPLE_PEOPLE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/when.h"
#include "people/person.h"

struct arena;
struct db;

/* ---- from the store; 0 or 1: no such person; *ret lives in mem ---- */
int person_load(struct db *db, struct arena *mem, int64_t row, struct person **ret);
int person_find(struct db *db, struct arena *mem, const char *id, struct person **ret);
int team_load(struct db *db, struct arena *mem, const char *id, struct team **ret);
/* Everyone in the order of the roster id; fn returns negative to end. */
int people_each(struct db *db, int (*fn)(void *arg, const struct person *p), void *arg);

/* ---- the roster as it was read ---- */
struct roster {
	size_t n_people, n_teams;
	struct person *people; /* row is 0 */
	struct team *teams;
	int errors;
};
/*
 * Read a roster, and teams (path may be NULL).  Every refusal is printed to `err` as
 * FILE:LINE:COLUMN: reason, all in one go, and counted.  zone_known judges a time zone's name.
 * Returns 0, or negative when a file cannot be read.
 */
int roster_read(struct arena *mem, const char *path, const char *teams_path,
    bool (*zone_known)(const char *), FILE *err, struct roster *ret);

struct roster_change {
	int64_t joined, changed, left, same, kept_out;
};
enum { ROSTER_REFUSED = 1 };
/*
 * Make the store's people those of the roster, in one transaction: joiners are added, movers
 * changed, leavers marked.  Differences go to `out` (NULL: none).  dry: change nothing.
 * ROSTER_REFUSED: it is empty or less than half of what there was, and `shrink` is not set.
 */
int roster_apply(struct db *db, const struct roster *r, struct instant now, bool dry, bool shrink,
    bool return_erased, FILE *out, struct roster_change *ret);

/* ---- privacy ---- */
/* Everything that is stored about a person, as one JSON object.  1: no such person. */
int person_export(struct db *db, const char *id, FILE *out);
#define PEOPLE_ERASED "people.erased" /* meta: one more with each erasure */
/*
 * Erase a person everywhere; a mark that cannot be turned back keeps them from returning.  first: what
 * others must do about it in the same transaction; NULL: nothing.  0; 1: no such person; negative.
 */
int person_forget(struct db *db, const char *id, struct instant now,
    int (*first)(void *arg, struct db *db, const struct person *p, struct instant now), void *arg);

/* One address (RELIABILITY.md 5.2) with its domain as an A-label; NULL and *why when refused. */
const char *address_parse(struct arena *mem, const char *s, const char **why);
#endif
