/*
 * Rows of a spreadsheet become people, or every reason why not is told, with its place.  Nothing
 * is guessed: a name with a line break, an address with two @ and an unknown manager are mistakes
 * of somebody who wants to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "people/csv.h"
#include "people/people.h"

enum { NAME_LONGEST = 200, ID_LONGEST = 64, ERRORS_TOLD = 200 };

/* What one reading carries along. */
struct reading {
	struct arena *mem;
	const char *path;
	FILE *err;
	struct roster *roster;
	bool (*zone_known)(const char *);
	size_t n_columns;
	const char *columns[CSV_COLUMNS];
	int *lines; /* of each person, for "already in line" */
	bool lost;  /* a row gave no id: who is nobody's manager cannot be told */
};

static void refuse(struct reading *r, int line, int column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void
refuse(struct reading *r, int line, int column, const char *fmt, ...)
{
	va_list ap;

	if (++r->roster->errors > ERRORS_TOLD)
		return;
	fprintf(r->err, "%s:%d:%d: ", r->path, line, column);
	va_start(ap, fmt);
	vfprintf(r->err, fmt, ap);
	va_end(ap);
	fputc('\n', r->err);
}

static bool
column_name_good(const char *s)
{
	if (s[0] < 'a' || s[0] > 'z' || strlen(s) > ID_LONGEST)
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_' || *s == '-'))
			return false;
	return true;
}

/* The header: known names once each, the needed ones there. */
/* A column may have any name; one that is nearly a known one is told, and taken as it stands. */
static void
column_near(struct reading *r, const struct csv_field *f)
{
	static const char *const known[] = { "id", "name", "first_name", "email", "team", "language",
		"role", "time_zone", "hire_date", "contract_hours", "manager", "stage", "chat",
		"absence_from", "absence_until", "work_days", "work_hours", "ambassador", "leave_hours" };
	const char *near = nearest_word(f->text, known, sizeof known / sizeof *known);

	if (near != NULL && strcmp(near, f->text) != 0)
		fprintf(r->err, "%s:%d:%d: note: '%.40s' becomes a column of its own: did you mean '%s'?\n",
		    r->path, f->line, f->column, f->text, near);
}

static bool
header_read(struct reading *r, struct csv *c, const char *const *needed, size_t n_needed)
{
	int before = r->roster->errors;
	int rc = csv_next(c);

	if (rc == CSV_BROKEN)
		refuse(r, c->bad_line, c->bad_column, "%s", c->why);
	else if (rc == CSV_END)
		refuse(r, 1, 1, "the file is empty; expected a header row: id,name,email,team");
	if (rc != CSV_ROW)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct csv_field *f = &c->field[i];

		if (!column_name_good(f->text))
			refuse(r, f->line, f->column,
			    "'%.40s' is no name for a column: lower-case letters, digits, _ and -", f->text);
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->field[j].text, f->text) == 0)
				refuse(r, f->line, f->column, "the column '%.40s' stands twice", f->text);
		r->columns[r->n_columns++] = f->text;
		column_near(r, f);
	}
	for (size_t i = 0; i < n_needed; i++) {
		bool found = false;

		for (size_t j = 0; j < r->n_columns; j++)
			found |= strcmp(r->columns[j], needed[i]) == 0;
		if (!found)
			refuse(r, 1, 1, "the column '%s' is missing", needed[i]);
	}
	return r->roster->errors == before;
}

static char *
trimmed(struct arena *mem, const char *s)
{
	size_t len;

	s += strspn(s, " ");
	len = strlen(s);
	while (len > 0 && s[len - 1] == ' ')
		len--;
	return arena_copyn(mem, s, len);
}

static bool
id_good(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > ID_LONGEST)
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') ||
			(*s >= '0' && *s <= '9') || strchr("._-", *s) != NULL))
			return false;
	return true;
}

/* No control character in any cell, in particular no line break. */
static bool
cell_good(struct reading *r, const struct csv_field *f, const char *column)
{
	const char *p = f->text, *end = p + strlen(p);
	uint32_t c;

	for (size_t n; p < end; p += n) {
		n = utf8_decode(p, end, &c);
		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029) {
			refuse(r, f->line, f->column,
			    "%s has a line break or another control character; remove it", column);
			return false;
		}
	}
	if (utf8_count(f->text, strlen(f->text)) > NAME_LONGEST * (strcmp(column, "name") ? 5 : 1)) {
		refuse(r, f->line, f->column, "%s is longer than %d characters", column,
		    NAME_LONGEST * (strcmp(column, "name") ? 5 : 1));
		return false;
	}
	return true;
}

static bool
is_date_column(const char *column)
{
	size_t len = strlen(column);

	return (len > 5 && strcmp(column + len - 5, "_date") == 0) ||
	       strcmp(column, "absence_from") == 0 || strcmp(column, "absence_until") == 0;
}

/* Set a column of a person; unknown ones become attributes. */
static void
person_set(struct reading *r, struct person *p, struct attribute *attributes, const char *column,
    const struct csv_field *f)
{
	char *value = trimmed(r->mem, f->text);
	const char *why = NULL;
	struct day day;

	if (strcmp(column, "id") == 0) {
		p->id = value;
		if (!id_good(value))
			refuse(r, f->line, f->column,
			    "an id has 1 to 64 letters, digits, dots, - and _, not '%.70s'", value);
		r->lost |= !id_good(value);
	} else if (strcmp(column, "name") == 0) {
		p->name = value;
		if (value[0] == '\0')
			refuse(r, f->line, f->column, "the name is empty");
	} else if (strcmp(column, "email") == 0) {
		p->email = value[0] == '\0' ? value : address_parse(r->mem, value, &why);
		if (p->email == NULL) {
			refuse(r, f->line, f->column, "the e-mail address is refused: %s", why);
			p->email = "";
		}
	} else if (strcmp(column, "time_zone") == 0) {
		p->time_zone = value;
		if (value[0] != '\0' && !r->zone_known(value))
			refuse(r, f->line, f->column,
			    "'%.40s' is not a time zone such as Europe/Amsterdam", value);
	} else if (strcmp(column, "first_name") == 0)
		p->first_name = value;
	else if (strcmp(column, "language") == 0)
		p->language = value;
	else if (strcmp(column, "role") == 0)
		p->role = value;
	else if (strcmp(column, "team") == 0)
		p->team = value;
	else if (strcmp(column, "manager") == 0)
		p->manager = value;
	else if (strcmp(column, "stage") == 0)
		p->stage = value;
	else if (strcmp(column, "chat") == 0)
		p->chat = value;
	else {
		if (is_date_column(column) && value[0] != '\0' && !day_parse(value, &day))
			refuse(r, f->line, f->column, "%s wants a date such as 2026-10-05, not '%.40s'",
			    column, value);
		if (value[0] != '\0')
			attributes[p->n_attributes++] = (struct attribute){ column, value };
	}
}

static int
attribute_compare(const void *a, const void *b)
{
	return strcmp(((const struct attribute *)a)->key, ((const struct attribute *)b)->key);
}

static void
person_read(struct reading *r, const struct csv *c, struct person *p)
{
	struct attribute *attributes = arena_alloc(r->mem, r->n_columns + 1, sizeof *attributes);

	*p = (struct person){ .id = "", .name = "", .email = "", .first_name = "", .language = "",
		.role = "", .time_zone = "", .team = "", .manager = "", .stage = "", .chat = "" };
	if (c->n != r->n_columns) {
		refuse(r, c->field[0].line, c->field[0].column,
		    "%zu cells, but the header has %zu columns", c->n, r->n_columns);
		r->lost = true;
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (cell_good(r, &c->field[i], r->columns[i]))
			person_set(r, p, attributes, r->columns[i], &c->field[i]);
	if (p->first_name[0] == '\0')
		p->first_name = arena_copyn(r->mem, p->name, strcspn(p->name, " "));
	qsort(attributes, p->n_attributes, sizeof *attributes, attribute_compare);
	p->attributes = attributes;
}

struct by_id {
	const char *key;
	size_t i;
};

static int
by_id_compare(const void *a, const void *b)
{
	const struct by_id *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c != 0 ? c : (x->i > y->i) - (x->i < y->i);
}

static void
twice_check(struct reading *r, bool email)
{
	struct roster *ro = r->roster;
	struct by_id *v = calloc(ro->n_people + 1, sizeof *v);
	size_t n = 0;

	if (v == NULL)
		abort();
	for (size_t i = 0; i < ro->n_people; i++) {
		v[n] = (struct by_id){ email ? ro->people[i].email : ro->people[i].id, i };
		n += v[n].key[0] != '\0';
	}
	qsort(v, n, sizeof *v, by_id_compare);
	for (size_t i = 1; i < n; i++)
		if (strcmp(v[i].key, v[i - 1].key) == 0)
			refuse(r, r->lines[v[i].i], 1, "this %s is already in line %d%s",
			    email ? "e-mail address" : "id", r->lines[v[i - 1].i],
			    email ? "; answers are personal, so is an address" : "");
	free(v);
}

static bool
person_exists(const struct roster *ro, const struct by_id *sorted, const char *id)
{
	struct by_id key = { id, 0 };
	size_t low = 0, high = ro->n_people;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(sorted[mid].key, key.key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < ro->n_people && strcmp(sorted[low].key, id) == 0;
}

static void
managers_check(struct reading *r)
{
	struct roster *ro = r->roster;
	struct by_id *v = calloc(ro->n_people + 1, sizeof *v);

	if (v == NULL)
		abort();
	for (size_t i = 0; i < ro->n_people; i++)
		v[i] = (struct by_id){ ro->people[i].id, i };
	qsort(v, ro->n_people, sizeof *v, by_id_compare);
	for (size_t i = 0; i < ro->n_people; i++)
		if (ro->people[i].manager[0] != '\0' && !person_exists(ro, v, ro->people[i].manager))
			refuse(r, r->lines[i], 1, "the manager '%.64s' is nobody's id in this roster",
			    ro->people[i].manager);
	for (size_t i = 0; i < ro->n_teams; i++)
		if (ro->teams[i].manager != NULL && !person_exists(ro, v, ro->teams[i].manager))
			refuse(r, r->lines[0], 1, "team %s: the manager '%.64s' is nobody's id in the roster",
			    ro->teams[i].id, ro->teams[i].manager);
	free(v);
}

static int
bytes_read(struct reading *r, struct text *ret)
{
	int rc = file_read(r->path, CSV_BYTES, ret);

	if (rc == -ENOENT)
		return FAIL(rc, "%s does not exist", r->path);
	if (rc == FILE_TOO_LARGE)
		return FAIL(-EFBIG, "%s is larger than 64 MiB", r->path);
	return rc;
}

static int
teams_read(struct reading *r, struct text *bytes)
{
	static const char *const needed[] = { "team", "name" };
	struct roster *ro = r->roster;
	struct csv *c = arena_alloc(r->mem, 1, sizeof *c);
	int rc = bytes_read(r, bytes);
	size_t room = 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < bytes->len; i++)
		room += bytes->s[i] == '\n';
	ro->teams = arena_alloc(r->mem, room + 2, sizeof *ro->teams);
	csv_init(c, r->mem, text_string(bytes), bytes->len);
	if (!header_read(r, c, needed, 2))
		return 0;
	while ((rc = csv_next(c)) == CSV_ROW) {
		struct team *t = &ro->teams[ro->n_teams++];

		for (size_t i = 0; i < c->n && i < r->n_columns; i++) {
			const char *value = trimmed(r->mem, c->field[i].text);
			const char *column = r->columns[i];

			if (!cell_good(r, &c->field[i], column) || value[0] == '\0')
				continue;
			if (strcmp(column, "team") == 0)
				t->id = value;
			else if (strcmp(column, "name") == 0)
				t->name = value;
			else if (strcmp(column, "manager") == 0)
				t->manager = value;
			else if (strcmp(column, "chat_format") == 0)
				t->chat_format = value;
			else if (strcmp(column, "chat_url_ref") == 0)
				t->chat_url_ref = value;
			else
				refuse(r, 1, 1, "'%s' is not a column of teams", column);
		}
		if (t->id == NULL || !id_good(t->id) || t->name == NULL)
			refuse(r, c->field[0].line, 1, "a team needs an id (letters, digits, . _ -) and a name");
	}
	if (rc == CSV_BROKEN)
		refuse(r, c->bad_line, c->bad_column, "%s", c->why);
	return 0;
}

static int
people_read(struct reading *r, struct text *bytes)
{
	static const char *const needed[] = { "id", "name", "email", "team" };
	struct roster *ro = r->roster;
	struct csv *c = arena_alloc(r->mem, 1, sizeof *c);
	int rc = bytes_read(r, bytes);
	size_t room = 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < bytes->len; i++)
		room += bytes->s[i] == '\n';
	ro->people = arena_alloc(r->mem, room + 2, sizeof *ro->people);
	r->lines = arena_alloc(r->mem, room + 2, sizeof *r->lines);
	csv_init(c, r->mem, text_string(bytes), bytes->len);
	if (!header_read(r, c, needed, 4))
		return 0;
	while ((rc = csv_next(c)) == CSV_ROW) {
		r->lines[ro->n_people] = c->field[0].line;
		person_read(r, c, &ro->people[ro->n_people++]);
	}
	r->lost |= rc == CSV_BROKEN;
	if (rc == CSV_BROKEN)
		refuse(r, c->bad_line, c->bad_column, "%s", c->why);
	return 0;
}

int
roster_read(struct arena *mem, const char *path, const char *teams_path,
    bool (*zone_known)(const char *), FILE *err, struct roster *ret)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	SCOPED(text_deinit) struct text teams = { 0 };
	struct reading r = { .mem = mem, .err = err, .roster = ret, .zone_known = zone_known };
	struct reading t = r;
	int rc;

	*ret = (struct roster){ 0 };
	r.path = path;
	t.path = teams_path;
	rc = people_read(&r, &bytes);
	if (rc == 0 && teams_path != NULL)
		rc = teams_read(&t, &teams);
	if (rc < 0)
		return rc;
	twice_check(&r, false);
	twice_check(&r, true);
	if (!r.lost)
		managers_check(&r);
	if (ret->errors > ERRORS_TOLD)
		fprintf(err, "... and %d more\n", ret->errors - ERRORS_TOLD);
	return 0;
}
