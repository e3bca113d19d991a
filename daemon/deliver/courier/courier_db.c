#include "deliver/courier/courier_db.h"

#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "store/db.h"

int
destination_save(struct db *db, const char *name, const struct destination *d, struct instant now)
{
	return db_run(db,
	    "INSERT INTO destination(name, circuit, parallel, failures, open_until, reason,"
	    " delivered, postponed, dead, uncertain, at)"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
	    " ON CONFLICT(name) DO UPDATE SET circuit = excluded.circuit,"
	    " parallel = excluded.parallel, failures = excluded.failures,"
	    " open_until = excluded.open_until, reason = excluded.reason,"
	    " delivered = excluded.delivered, postponed = excluded.postponed,"
	    " dead = excluded.dead, uncertain = excluded.uncertain, at = excluded.at",
	    "ssiiisiiiii", name, circuit_names[d->circuit], (int64_t)d->parallel, d->failures,
	    d->until.us, d->reason, d->delivered, d->postponed, d->dead, d->uncertain, now.us);
}

int
destinations_each(
    struct db *db, void (*fn)(void *arg, const struct destination_line *line), void *arg)
{
	SCOPED(arena_free) struct arena *mem = arena_new("destinations", 1 << 20);
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT name, circuit, parallel, failures, open_until, reason, delivered, postponed,"
	    " dead, uncertain, at FROM destination ORDER BY name",
	    "");

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW) {
		struct destination_line line = {
			.name = stmt_copy(s, 0, mem),
			.circuit = stmt_copy(s, 1, mem),
			.parallel = stmt_int(s, 2),
			.failures = stmt_int(s, 3),
			.until = { stmt_int(s, 4) },
			.reason = stmt_copy(s, 5, mem),
			.delivered = stmt_int(s, 6),
			.postponed = stmt_int(s, 7),
			.dead = stmt_int(s, 8),
			.uncertain = stmt_int(s, 9),
			.at = { stmt_int(s, 10) },
		};

		fn(arg, &line);
		arena_reset(mem);
	}
	return rc < 0 ? rc : 0;
}

static bool
is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

int
destinations_keep(struct db *db, const char *const *names)
{
	SCOPED(arena_free) struct arena *mem = arena_new("destinations", 1 << 20);
	SCOPED(stmt_done) struct stmt *s = NULL;
	const char *gone[256];
	size_t n = 0;
	int rc = db_query(db, &s, "SELECT name FROM destination", "");

	while (rc >= 0 && n < 256 && (rc = stmt_step(s)) == STMT_ROW)
		if (!is_among(stmt_text(s, 0), names))
			gone[n++] = stmt_copy(s, 0, mem);
	stmt_done(&s);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = db_run(db, "DELETE FROM destination WHERE name = ?1", "s", gone[i]);
	return rc < 0 ? rc : 0;
}
