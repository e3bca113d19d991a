#include <string.h>

#include "base/parse.h"
#include "people/person.h"
#include "rules/rulebase.h"

static const struct {
	const char *column;
	size_t offset;
} columns[] = {
	{ "id", offsetof(struct person, id) },
	{ "name", offsetof(struct person, name) },
	{ "email", offsetof(struct person, email) },
	{ "first_name", offsetof(struct person, first_name) },
	{ "language", offsetof(struct person, language) },
	{ "role", offsetof(struct person, role) },
	{ "time_zone", offsetof(struct person, time_zone) },
	{ "team", offsetof(struct person, team) },
	{ "manager", offsetof(struct person, manager) },
	{ "stage", offsetof(struct person, stage) },
	{ "chat", offsetof(struct person, chat) },
};

const char *
person_get(const struct person *p, const char *column)
{
	const char *value = NULL;

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (strcmp(columns[i].column, column) == 0)
			value = *(const char *const *)(const void *)((const char *)p + columns[i].offset);
	for (size_t i = 0; value == NULL && i < p->n_attributes; i++)
		if (strcmp(p->attributes[i].key, column) == 0)
			value = p->attributes[i].value;
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool
any_of(const struct cond *c, const struct person *p)
{
	const char *value;

	if (strcmp(c->field, "done") == 0) {
		for (size_t i = 0; i < p->n_done; i++)
			if (parse_word(p->done[i], c->values.v, c->values.n) >= 0)
				return true;
		return false;
	}
	value = person_get(p, c->field);
	return value != NULL && parse_word(value, c->values.v, c->values.n) >= 0;
}

static bool
in_range(const struct cond *c, const struct person *p)
{
	const char *value = person_get(p, c->field);
	struct day day;
	double v;

	if (value == NULL)
		return false;
	if (c->is_date) {
		if (!day_parse(value, &day))
			return false;
		v = day.n;
	} else if (!parse_number(value, &v))
		return false;
	return (!c->has_min || v >= c->min) && (!c->has_max || v <= c->max);
}

bool
audience_matches(const struct cond *c, const struct person *p)
{
	switch (c->kind) {
	case COND_ALL:
		for (size_t i = 0; i < c->n_kids; i++)
			if (!audience_matches(&c->kids[i], p))
				return false;
		return true;
	case COND_NOT:
		for (size_t i = 0; i < c->n_kids; i++)
			if (audience_matches(&c->kids[i], p))
				return false;
		return true;
	case COND_ANY_OF:
		return any_of(c, p);
	case COND_RANGE:
	default:
		return in_range(c, p);
	}
}
