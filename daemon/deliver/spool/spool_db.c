#include "base/arena.h"
#include "base/scope.h"
#include "deliver/outbox/outbox.h"
#include "deliver/spool/spool.h"
#include "rules/vocabulary.h"
#include "store/db.h"

const char spool_erased[] = "erased before it was taken";

struct written {
	int64_t row;
	int channel;
	enum delivery_state state;
	struct instant created;
	const char *name;
};

static int
written_next(struct db *db, struct arena *mem, int64_t person, struct written *w)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT row, channel, state, created_at, receipt FROM delivery"
	    " WHERE person = ?1 AND row > ?2 ORDER BY row LIMIT 1",
	    "ii", person, w->row);

	if (rc < 0 || (rc = stmt_step(s)) != STMT_ROW)
		return rc < 0 ? rc : 1;
	*w = (struct written){ .row = stmt_int(s, 0),
		.channel = (int)stmt_int(s, 1),
		.state = (enum delivery_state)stmt_int(s, 2),
		.created = { stmt_int(s, 3) },
		.name = stmt_copy(s, 4, mem) };
	return 0;
}

static int
feed_remove(struct db *db, const char *spool, int64_t person)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, "SELECT name FROM feed WHERE person = ?1 AND name <> ''", "i", person);

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rc = spool_feed_remove(spool, stmt_text(s, 0));
	return rc < 0 ? rc : 0;
}

int
spool_erase(struct db *db, const char *spool, int64_t person, struct instant now)
{
	SCOPED(arena_free) struct arena *mem = arena_new("erasure", 16 << 20);
	struct written w = { 0 };
	int rc = feed_remove(db, spool, person);

	while (rc >= 0 && (rc = written_next(db, mem, person, &w)) == 0) {
		rc = spool_remove(
		    spool, w.row, w.channel, w.created, w.channel == CHANNEL_PRINT ? w.name : "");
		if (rc > 0 && w.state == DELIVERY_DELIVERED && w.channel == CHANNEL_CALENDAR)
			rc = outbox_recall(db, w.row, spool_erased, now);
	}
	return rc < 0 ? rc : 0;
}
