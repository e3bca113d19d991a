/*
 * person.h - one person of the roster as the stages see them.
 *
 * Lives in the arena it was loaded into.  Columns of the roster that the engine itself needs have
 * a field; all columns, these too, are found by name with person_get().
 */
#ifndef NUDGED_PEOPLE_PERSON_H
#define NUDGED_PEOPLE_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

struct arena;
struct cond;

struct attribute {
	const char *key, *value;
};
struct team {
	int64_t row;
	const char *id, *name, *manager; /* manager: a person's id, or NULL */
	const char *chat_format, *chat_url_ref;
};
struct person {
	int64_t row;    /* key in the store; stable over imports */
	const char *id; /* of the roster */
	const char *name, *email, *first_name, *language, *role, *time_zone, *team, *manager, *stage,
	    *chat;      /* "" when empty; team: its id */
	size_t n_attributes;
	const struct attribute *attributes; /* the other columns; absence_from, hire_date ... */
	size_t n_done;
	const char **done; /* ids of campaigns this person completed */
	bool left;         /* no longer on the roster */
};

/* The value of a column, or NULL when there is no such column or it is empty. */
const char *person_get(const struct person *p, const char *column);

/* Does the condition hold?  A missing value matches nothing, so `not` of it holds. */
bool audience_matches(const struct cond *c, const struct person *p);

#endif
