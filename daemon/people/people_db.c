/* The roster in the store.  Attributes are one JSON object per person, keys sorted. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/scope.h"
#include "base/text.h"
#include "people/people.h"
#include "store/db.h"

#define PERSON_COLUMNS                                                                         \
	"row, id, name, email, first_name, language, role, time_zone, team, manager, stage, chat,"  \
	" attributes, left_at"

static void
json_done(json_t **j)
{
	json_decref(*j);
}

/*
 * Our own compact output back into pairs: {"key":"value",...} with \" \\ and \uXXXX never needed
 * for keys.  jansson takes ten times as long, and this stands in the path of every decision.
 */
static void
attributes_read(const char *s, struct arena *mem, struct person *p)
{
	size_t n = 0;
	struct attribute *v;
	char *copy = arena_copy(mem, s), *w;

	for (const char *c = s; *c != '\0'; c++)
		n += *c == ':';
	v = arena_alloc(mem, n + 1, sizeof *v);
	p->attributes = v;
	for (char *c = copy; *c != '\0';) {
		char *part[2];

		for (int i = 0; i < 2; i++) {
			c = strchr(c, '"');
			if (c == NULL)
				return;
			part[i] = w = ++c;
			while (*c != '"' && *c != '\0') {
				if (*c == '\\' && c[1] != '\0')
					c++;
				*w++ = *c++;
			}
			if (*c == '\0')
				return;
			c++;
			*w = '\0';
		}
		v[p->n_attributes++] = (struct attribute){ part[0], part[1] };
	}
}

static int
done_read(struct db *db, struct arena *mem, struct person *p)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	size_t room = 0;
	int rc = db_query(
	    db, &s, "SELECT campaign FROM completion WHERE person = ?1", "i", p->row);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		if (p->n_done == room) {
			const char **more = arena_alloc(mem, room + 8, sizeof *more);

			if (room > 0)
				memcpy(more, p->done, room * sizeof *more);
			p->done = more;
			room += 8;
		}
		p->done[p->n_done++] = stmt_copy(s, 0, mem);
	}
	return rc < 0 ? rc : 0;
}

static struct person *
person_read(struct stmt *s, struct arena *mem)
{
	struct person *p = ARENA_NEW(mem, struct person);

	*p = (struct person){
		.row = stmt_int(s, 0),
		.id = stmt_copy(s, 1, mem),
		.name = stmt_copy(s, 2, mem),
		.email = stmt_copy(s, 3, mem),
		.first_name = stmt_copy(s, 4, mem),
		.language = stmt_copy(s, 5, mem),
		.role = stmt_copy(s, 6, mem),
		.time_zone = stmt_copy(s, 7, mem),
		.team = stmt_copy(s, 8, mem),
		.manager = stmt_copy(s, 9, mem),
		.stage = stmt_copy(s, 10, mem),
		.chat = stmt_copy(s, 11, mem),
		.left = !stmt_is_null(s, 13),
	};
	attributes_read(stmt_text(s, 12), mem, p);
	return p;
}

static int
one_read(struct db *db, struct arena *mem, struct stmt *s, struct person **ret)
{
	struct person *p;
	int rc = stmt_step(s);

	if (rc < 0)
		return rc;
	if (rc == STMT_DONE)
		return 1;
	p = person_read(s, mem);
	rc = done_read(db, mem, p);
	if (rc == 0)
		*ret = p;
	return rc;
}

int
person_load(struct db *db, struct arena *mem, int64_t row, struct person **ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(
	    db, &s, "SELECT " PERSON_COLUMNS " FROM person WHERE row = ?1", "i", row);

	return rc < 0 ? rc : one_read(db, mem, s, ret);
}

int
person_find(struct db *db, struct arena *mem, const char *id, struct person **ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc =
	    db_query(db, &s, "SELECT " PERSON_COLUMNS " FROM person WHERE id = ?1", "s", id);

	return rc < 0 ? rc : one_read(db, mem, s, ret);
}

int
team_load(struct db *db, struct arena *mem, const char *id, struct team **ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	struct team *t;
	int rc = db_query(db, &s,
	    "SELECT row, id, name, manager, chat_format, chat_url_ref FROM team WHERE id = ?1", "s",
	    id);

	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	if (rc == STMT_DONE)
		return 1;
	t = ARENA_NEW(mem, struct team);
	*t = (struct team){
		.row = stmt_int(s, 0),
		.id = stmt_copy(s, 1, mem),
		.name = stmt_copy(s, 2, mem),
		.manager = stmt_is_null(s, 3) ? NULL : stmt_copy(s, 3, mem),
		.chat_format = stmt_is_null(s, 4) ? NULL : stmt_copy(s, 4, mem),
		.chat_url_ref = stmt_is_null(s, 5) ? NULL : stmt_copy(s, 5, mem),
	};
	*ret = t;
	return 0;
}

int
people_each(struct db *db, int (*fn)(void *arg, const struct person *p), void *arg)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	SCOPED(arena_free) struct arena *mem = arena_new("person", 1 << 20);
	int rc = db_query(db, &s,
	    "SELECT " PERSON_COLUMNS " FROM person WHERE left_at IS NULL ORDER BY id", "");

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct person *p = person_read(s, mem);

		rc = done_read(db, mem, p);
		if (rc == 0)
			rc = fn(arg, p);
		arena_reset(mem);
	}
	return rc < 0 ? rc : 0;
}

/* ---- import ---- */

static char *
attributes_text(const struct person *p)
{
	SCOPED(json_done) json_t *j = json_object();

	for (size_t i = 0; i < p->n_attributes; i++)
		json_object_set_new(j, p->attributes[i].key, json_string(p->attributes[i].value));
	return json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
}

/* Names of the columns in which two people differ, "" for none. */
static const char *
difference(struct arena *mem, const struct person *a, const struct person *b)
{
	static const char *const columns[] = { "name", "email", "first_name", "language", "role",
		"time_zone", "team", "manager", "chat" };
	const char *all = "";

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		const char *x = person_get(a, columns[i]), *y = person_get(b, columns[i]);

		if (strcmp(x != NULL ? x : "", y != NULL ? y : "") != 0)
			all = arena_printf(mem, "%s %s", all, columns[i]);
	}
	/* A stage that an answer moved is the person's own; the roster sets it only at first. */
	for (size_t i = 0; i < a->n_attributes; i++) {
		const char *y = person_get(b, a->attributes[i].key);

		if (y == NULL || strcmp(a->attributes[i].value, y) != 0)
			all = arena_printf(mem, "%s %s", all, a->attributes[i].key);
	}
	for (size_t i = 0; i < b->n_attributes; i++)
		if (person_get(a, b->attributes[i].key) == NULL)
			all = arena_printf(mem, "%s %s", all, b->attributes[i].key);
	return all;
}

static const char *
erased_mark(const char *id, char buf[static 65])
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const unsigned char *)"nudged erased person", 21);
	crypto_hash_sha256_update(&st, (const unsigned char *)id, strlen(id));
	crypto_hash_sha256_final(&st, digest);
	sodium_bin2hex(buf, 65, digest, sizeof digest);
	return buf;
}

struct applying {
	struct db *db;
	struct instant now;
	int64_t changed_at; /* stamp of this import */
	bool dry, return_erased;
	FILE *out;
	struct arena *mem;
	struct roster_change *change;
};

static int
person_insert(struct applying *a, const struct person *p)
{
	char mark[65];
	int64_t erased = 0;
	char *attributes;
	int rc = db_int(a->db, &erased, 0, "SELECT count(*) FROM erased WHERE mark = ?1", "s",
	    erased_mark(p->id, mark));

	if (rc < 0)
		return rc;
	if (erased && !a->return_erased) {
		a->change->kept_out++;
		if (a->out != NULL)
			fprintf(a->out, "! %s was erased and stays out (--return-erased takes them back)\n",
			    p->id);
		return 0;
	}
	a->change->joined++;
	if (a->out != NULL)
		fprintf(a->out, "+ %s %s\n", p->id, p->name);
	if (a->dry)
		return 0;
	attributes = attributes_text(p);
	rc = db_run(a->db,
	    "INSERT INTO person(id, name, email, first_name, language, role, time_zone, team, manager,"
	    " stage, chat, attributes, joined_at, changed_at)"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
	    "ssssssssssssii", p->id, p->name, p->email, p->first_name, p->language, p->role,
	    p->time_zone, p->team, p->manager, p->stage, p->chat, attributes, a->now.us,
	    a->changed_at);
	free(attributes);
	return rc;
}

static int
person_update(struct applying *a, const struct person *old, const struct person *p)
{
	const char *columns = difference(a->mem, p, old);
	char *attributes;
	int rc;

	if (columns[0] == '\0' && !old->left) {
		a->change->same++;
		return 0;
	}
	a->change->changed++;
	if (a->out != NULL)
		fprintf(a->out, "~ %s:%s%s\n", p->id, columns, old->left ? " (is back)" : "");
	if (a->dry)
		return 0;
	attributes = attributes_text(p);
	rc = db_run(a->db,
	    "UPDATE person SET name = ?2, email = ?3, first_name = ?4, language = ?5, role = ?6,"
	    " time_zone = ?7, team = ?8, manager = ?9, chat = ?10, attributes = ?11, left_at = NULL,"
	    " changed_at = ?12 WHERE row = ?1",
	    "issssssssssi", old->row, p->name, p->email, p->first_name, p->language, p->role,
	    p->time_zone, p->team, p->manager, p->chat, attributes, a->changed_at);
	free(attributes);
	return rc;
}

static int
teams_apply(struct applying *a, const struct roster *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && !a->dry && i < r->n_teams; i++) {
		const struct team *t = &r->teams[i];

		rc = db_run(a->db,
		    "INSERT INTO team(id, name, manager, chat_format, chat_url_ref)"
		    " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO UPDATE SET name = excluded.name,"
		    " manager = excluded.manager, chat_format = excluded.chat_format,"
		    " chat_url_ref = excluded.chat_url_ref",
		    "sssss", t->id, t->name, t->manager, t->chat_format, t->chat_url_ref);
	}
	for (size_t i = 0; rc == 0 && !a->dry && i < r->n_people; i++)
		if (r->people[i].team[0] != '\0')
			rc = db_run(a->db,
			    "INSERT INTO team(id, name) VALUES(?1, ?1) ON CONFLICT(id) DO NOTHING", "s",
			    r->people[i].team);
	return rc;
}

static int
id_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Who is in the store and not in the roster any more. */
static int
leavers_mark(struct applying *a, const struct roster *r)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	const char **ids = calloc(r->n_people + 1, sizeof *ids);
	int rc = db_query(
	    a->db, &s, "SELECT row, id FROM person WHERE left_at IS NULL ORDER BY row", "");

	if (ids == NULL)
		abort();
	for (size_t i = 0; i < r->n_people; i++)
		ids[i] = r->people[i].id;
	qsort(ids, r->n_people, sizeof *ids, id_compare);
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		const char *id = stmt_text(s, 1);

		if (bsearch(&id, ids, r->n_people, sizeof *ids, id_compare) != NULL)
			continue;
		a->change->left++;
		if (a->out != NULL)
			fprintf(a->out, "- %s\n", id);
		if (!a->dry)
			rc = db_run(a->db,
			    "UPDATE person SET left_at = ?2, changed_at = ?3 WHERE row = ?1", "iii",
			    stmt_int(s, 0), a->now.us, a->changed_at);
	}
	free(ids);
	return rc < 0 ? rc : 0;
}

static int
people_apply(struct applying *a, const struct roster *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->n_people; i++) {
		struct person *old;

		rc = person_find(a->db, a->mem, r->people[i].id, &old);
		if (rc > 0)
			rc = person_insert(a, &r->people[i]);
		else if (rc == 0)
			rc = person_update(a, old, &r->people[i]);
		arena_reset(a->mem);
	}
	return rc;
}

static int
import_note(struct applying *a)
{
	const struct roster_change *c = a->change;
	char detail[120];

	snprintf(detail, sizeof detail,
	    "%" PRId64 " joined, %" PRId64 " changed, %" PRId64 " left", c->joined, c->changed, c->left);
	return db_run(a->db,
	    "INSERT INTO audit(at, actor, action, subject, detail)"
	    " VALUES(?1, 'command', 'import', 'roster', ?2)",
	    "is", a->now.us, detail);
}

int
roster_apply(struct db *db, const struct roster *r, struct instant now, bool dry, bool shrink,
    bool return_erased, FILE *out, struct roster_change *ret)
{
	SCOPED(db_leave) struct db *tx = db;
	SCOPED(arena_free) struct arena *mem = arena_new("import", 16 << 20);
	struct applying a = { .db = db, .now = now, .dry = dry, .return_erased = return_erased,
		.out = out, .mem = mem, .change = ret };
	int64_t there = 0;
	int rc = db_begin(db);

	*ret = (struct roster_change){ 0 };
	if (rc == 0)
		rc = db_int(db, &there, 0, "SELECT count(*) FROM person WHERE left_at IS NULL", "");
	/* Later than any change before, also after the clock was set back: runs look by it. */
	if (rc == 0)
		rc = db_int(db, &a.changed_at, 0,
		    "SELECT CASE WHEN max(changed_at) >= ?1 THEN max(changed_at) + 1 ELSE ?1 END"
		    " FROM person",
		    "i", now.us);
	if (rc < 0)
		return rc;
	if (!shrink && (r->n_people == 0 || (int64_t)r->n_people * 2 < there))
		return ROSTER_REFUSED;
	rc = people_apply(&a, r);
	if (rc == 0)
		rc = leavers_mark(&a, r);
	if (rc == 0)
		rc = teams_apply(&a, r);
	if (rc < 0 || dry)
		return rc;
	rc = import_note(&a);
	return rc == 0 ? db_commit(db) : rc;
}

/* ---- export and erasure ---- */

/* Notes of the log about one person: who looked at them. */
#define ABOUT_PERSON                                                                           \
	"subject = (SELECT id FROM person WHERE row = ?1)"                                        \
	" AND action IN ('why', 'show', 'export', 'plan', 'preview')"

static const struct {
	const char *name, *sql;
	const char *columns;
} kept[] = {
	{ "record", "SELECT joined_at, left_at, changed_at, stopped_all FROM person WHERE row = ?1",
	    "joined_at left_at changed_at stopped_all" },
	{ "enrolments",
	    "SELECT r.id, e.state, e.anchor, e.k, e.total, e.unanswered, e.answered, e.quiet_until,"
	    " e.slowed, e.offered FROM enrolment e JOIN run r ON r.row = e.run WHERE e.person = ?1",
	    "run state anchor k contacts unanswered answered quiet_until slowed offered" },
	{ "planned",
	    "SELECT r.id, u.at, u.k, u.follow FROM due u JOIN enrolment e ON e.row = u.enrolment"
	    " JOIN run r ON r.row = e.run WHERE e.person = ?1",
	    "run at k follow" },
	{ "decisions",
	    "SELECT d.occurrence, d.at, d.verdict, d.message, d.angle, d.frame, d.channel, d.messenger,"
	    " d.language, d.number, d.probability, d.reasons, d.answer, d.rules FROM decision d"
	    " JOIN enrolment e ON e.row = d.enrolment WHERE e.person = ?1",
	    "occurrence at verdict message angle frame channel messenger language number probability"
	    " reasons answer rules" },
	{ "deliveries",
	    "SELECT row, occurrence, channel, state, created_at, settled_at, attempts, reason, receipt"
	    " FROM delivery WHERE person = ?1",
	    "delivery occurrence channel state created_at settled_at attempts reason receipt" },
	{ "invitations",
	    "SELECT r.id, i.occurrence, i.starts_at, i.ends_at, i.zone, i.decided_at, i.wish"
	    " FROM invitation i JOIN run r ON r.row = i.run WHERE i.person = ?1",
	    "run occurrence starts_at ends_at zone decided_at wish" },
	{ "feed", "SELECT name, stale FROM feed WHERE person = ?1", "name stale" },
	{ "answers", "SELECT answer, at, occurrence FROM answer WHERE person = ?1",
	    "answer at occurrence" },
	{ "contacts", "SELECT at, frame FROM contact WHERE person = ?1", "at frame" },
	{ "events", "SELECT name, at FROM event WHERE person = ?1", "name at" },
	{ "looks",
	    "SELECT at, actor, action FROM audit WHERE " ABOUT_PERSON " ORDER BY row", "at actor action" },
	{ "done", "SELECT campaign, at FROM completion WHERE person = ?1", "campaign at" },
};

static int
rows_export(struct db *db, int64_t row, size_t which, json_t *into)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	json_t *list = json_array();
	int rc = db_query(db, &s, kept[which].sql, "i", row);

	json_object_set_new(into, kept[which].name, list);
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		json_t *one = json_object();
		const char *p = kept[which].columns;

		for (int i = 0; *p != '\0'; i++) {
			size_t len = strcspn(p, " ");
			char name[32];

			snprintf(name, sizeof name, "%.*s", (int)len, p);
			json_object_set_new(one, name,
			    stmt_is_null(s, i) ? json_null() : json_string(stmt_text(s, i)));
			p += len + (p[len] == ' ');
		}
		json_array_append_new(list, one);
	}
	return rc < 0 ? rc : 0;
}

int
person_export(struct db *db, const char *id, FILE *out)
{
	SCOPED(json_done) json_t *j = json_object();
	SCOPED(arena_free) struct arena *mem = arena_new("export", 16 << 20);
	static const char *const columns[] = { "id", "name", "email", "first_name", "language", "role",
		"time_zone", "team", "manager", "stage", "chat" };
	struct person *p;
	int rc = person_find(db, mem, id, &p);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (person_get(p, columns[i]) != NULL)
			json_object_set_new(j, columns[i], json_string(person_get(p, columns[i])));
	for (size_t i = 0; i < p->n_attributes; i++)
		json_object_set_new(j, p->attributes[i].key, json_string(p->attributes[i].value));
	for (size_t i = 0; rc == 0 && i < sizeof kept / sizeof *kept; i++)
		rc = rows_export(db, p->row, i, j);
	if (rc == 0) {
		json_dumpf(j, out, JSON_INDENT(2));
		fputc('\n', out);
	}
	return rc;
}

static const char *const erasures[] = {
	"DELETE FROM due WHERE enrolment IN (SELECT row FROM enrolment WHERE person = ?1)",
	"DELETE FROM decision WHERE enrolment IN (SELECT row FROM enrolment WHERE person = ?1)",
	"DELETE FROM delivery WHERE person = ?1",
	"DELETE FROM answer WHERE person = ?1",
	"DELETE FROM contact WHERE person = ?1",
	"DELETE FROM event WHERE person = ?1",
	"DELETE FROM completion WHERE person = ?1",
	"DELETE FROM enrolment WHERE person = ?1",
	"DELETE FROM audit WHERE " ABOUT_PERSON,
	"DELETE FROM person WHERE row = ?1",
};

int
person_forget(struct db *db, const char *id, struct instant now,
    int (*first)(void *arg, struct db *db, const struct person *p, struct instant now), void *arg)
{
	SCOPED(db_leave) struct db *tx = db;
	SCOPED(arena_free) struct arena *mem = arena_new("forget", 16 << 20);
	struct person *p;
	char mark[65];
	int rc = db_begin(db);

	if (rc == 0)
		rc = person_find(db, mem, id, &p);
	if (rc != 0)
		return rc;
	if (first != NULL)
		rc = first(arg, db, p, now);
	/* Links that were sent must never become somebody else's. */
	if (rc == 0)
		rc = db_floor_keep(db);
	for (size_t i = 0; rc == 0 && i < sizeof erasures / sizeof *erasures; i++)
		rc = db_run(db, erasures[i], "i", p->row);
	/* Who keeps names in memory looks at this. */
	if (rc == 0)
		rc = db_run(db,
		    "INSERT INTO meta(key, value) VALUES(?1, '1') ON CONFLICT(key) DO UPDATE"
		    " SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)",
		    "s", PEOPLE_ERASED);
	/* Colleagues must not be left pointing at somebody who is not there. */
	if (rc == 0)
		rc = db_run(db, "UPDATE person SET manager = '' WHERE manager = ?1", "s", id);
	if (rc == 0)
		rc = db_run(db, "UPDATE team SET manager = NULL WHERE manager = ?1", "s", id);
	if (rc == 0)
		rc = db_run(db,
		    "INSERT INTO erased(mark, at) VALUES(?1, ?2) ON CONFLICT(mark) DO NOTHING", "si",
		    erased_mark(id, mark), now.us);
	if (rc == 0)
		rc = db_run(db,
		    "INSERT INTO audit(at, actor, action, subject, detail)"
		    " VALUES(?1, 'command', 'forget', 'a person', '')",
		    "i", now.us);
	if (rc == 0)
		rc = db_commit(db);
	return rc == 0 ? db_scrub(db) : rc;
}
