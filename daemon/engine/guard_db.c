/* The guard's memory: rows of meta, so that a restart or a restored backup finds them. */
#include "engine/guard.h"
#include "engine/parts.h"
#include "store/db.h"

int
guard_load(struct db *db, struct guard_memory *ret)
{
	struct guard_memory m = { 0 };
	int64_t suspect = 0;
	int rc = meta_get(db, "clock.wall", INT64_MIN, &m.wall.us);

	if (rc == 0)
		rc = meta_get(db, "clock.up", 0, &m.up.us);
	if (rc == 0)
		rc = meta_get(db, "clock.boot", 0, &m.boot);
	if (rc == 0)
		rc = meta_get(db, "clock.suspect", GUARD_RIGHT, &suspect);
	if (rc == 0)
		rc = meta_get(db, "clock.since", 0, &m.since.us);
	if (rc < 0)
		return rc;
	m.known = m.wall.us != INT64_MIN;
	/* What this program does not know is no reason to trust the clock. */
	m.suspect = suspect >= 0 && suspect < GUARD_VERDICTS ? (enum guard_verdict)suspect : GUARD_FAR;
	*ret = m;
	return 0;
}

int
guard_save(struct db *db, const struct guard_memory *m)
{
	int rc = meta_set(db, "clock.suspect", m->suspect);

	if (rc == 0)
		rc = meta_set(db, "clock.since", m->since.us);
	if (rc < 0 || !m->known)
		return rc;
	rc = meta_set(db, "clock.wall", m->wall.us);
	if (rc == 0)
		rc = meta_set(db, "clock.up", m->up.us);
	return rc == 0 ? meta_set(db, "clock.boot", m->boot) : rc;
}

int
guard_note(struct db *db, const char *what, struct instant at)
{
	return db_run(db,
	    "INSERT INTO audit(at, actor, action, subject, detail)"
	    " VALUES(?1, 'command', ?2, 'clock', '')",
	    "is", at.us, what);
}
