/*
 * When a country changes its clock.
 *
 * A due row keeps the person's wall time beside the instant, and occasion_handle() computes the
 * instant again when the row is taken, so a moment that moved later is found in time.  One that
 * moved *earlier* would be taken too late.  So once a day, and at each start, the zones people live
 * in are compared with what was stored of them (a hash of the file); when one differs, the rows of
 * its people that come earlier now are put there.  What waits for a slot is decided anew.
 *
 * Done in batches and again from the start after a crash: twice changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/parts.h"
#include "store/db.h"

enum { ZONES_MOST = 1024 };

static int
rows_read(struct engine *e, const char *name, bool house, int64_t after, struct due *rows,
    size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT d.at, d.enrolment, d.k, d.wall FROM due d JOIN enrolment n ON n.row = d.enrolment"
	    " JOIN person p ON p.row = n.person WHERE d.enrolment > ?1 AND d.follow = ''"
	    " AND (p.time_zone = ?2 OR (?3 = 1 AND p.time_zone = '')) ORDER BY d.enrolment LIMIT ?4",
	    "isii", after, name, (int64_t)house, (int64_t)BATCH);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] = (struct due){ .at = { stmt_int(s, 0) },
			.enrolment = stmt_int(s, 1),
			.k = stmt_int(s, 2),
			.wall = civil_of_seconds(stmt_int(s, 3)) };
	return rc < 0 ? rc : 0;
}

/* Bring one row forward to where its wall time is now, at the earliest to this very moment. */
static int
row_move(struct engine *e, const struct zone *z, const struct due *d, struct instant now)
{
	struct instant at = zone_instant(z, d->wall);
	int rc;

	if (instant_before(at, now))
		at = now;
	if (!instant_before(at, d->at))
		return 0;
	rc = db_run(e->o.db, "DELETE FROM due WHERE at = ?1 AND enrolment = ?2 AND k = ?3", "iii",
	    d->at.us, d->enrolment, d->k);
	return rc < 0 ? rc : due_put(e->o.db, at, d->enrolment, d->k, d->wall, "");
}

static int
batch_move(struct engine *e, const struct zone *z, bool house, int64_t *after, struct instant now,
    size_t *ret_n)
{
	struct due *rows = arena_alloc(e->mem, BATCH, sizeof *rows);
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = rows_read(e, zone_name(z), house, *after, rows, ret_n);
	for (size_t i = 0; rc >= 0 && i < *ret_n; i++)
		rc = row_move(e, z, &rows[i], now);
	if (rc >= 0)
		rc = db_commit(e->o.db);
	if (rc >= 0 && *ret_n > 0)
		*after = rows[*ret_n - 1].enrolment;
	arena_reset(e->mem);
	return rc;
}

static int
hash_save(struct engine *e, const char *key, int64_t hash)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = meta_set(e->o.db, key, hash);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
zone_look(struct engine *e, const char *name, struct instant now)
{
	const struct zone *z = zone_find(name);
	bool house = strcmp(name, e->rb->house.time_zone) == 0;
	int64_t hash, stored, after = 0;
	size_t n = BATCH;
	char key[128];
	int rc;

	if (z == NULL)
		return 0;
	hash = (int64_t)(zone_hash(z) >> 1);
	snprintf(key, sizeof key, "zone.%s", name);
	rc = meta_get(e->o.db, key, -1, &stored);
	if (rc < 0 || hash == stored)
		return rc;
	if (stored != -1)
		log_say(LOG_NOTICE, "the rules of %s have changed; its people are planned again", name);
	while (rc == 0 && stored != -1 && n == BATCH)
		rc = batch_move(e, z, house, &after, now, &n);
	return rc == 0 ? hash_save(e, key, hash) : rc;
}

static int
names_read(struct engine *e, const char **names, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(e->o.db, &s,
	    "SELECT DISTINCT time_zone FROM person WHERE time_zone <> '' ORDER BY time_zone LIMIT ?1", "i",
	    (int64_t)ZONES_MOST);

	names[(*ret_n)++] = e->rb->house.time_zone;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		if (strcmp(stmt_text(s, 0), names[0]) != 0)
			names[(*ret_n)++] = stmt_copy(s, 0, e->tick_mem);
	return rc < 0 ? rc : 0;
}

int
zones_look(struct engine *e, struct instant now)
{
	const char **names;
	size_t n = 0;
	int rc;

	if (e->zones_at.us != 0 && !instant_before(now, e->zones_at) &&
	    instant_before(now, instant_add(e->zones_at, SPAN_HOURS(24))))
		return 0;
	zones_refresh();
	names = arena_alloc(e->tick_mem, ZONES_MOST + 1, sizeof *names);
	rc = names_read(e, names, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = zone_look(e, names[i], now);
	if (rc == 0)
		e->zones_at = now;
	return rc;
}
