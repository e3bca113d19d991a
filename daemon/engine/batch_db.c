/* All SQL of the files for the printer. */
#include "base/scope.h"
#include "engine/parts.h"
#include "rules/vocabulary.h"
#include "store/db.h"

_Static_assert(CHANNEL_PRINT == 3, "the number stands in SQL");

/* As they are handed out: letters before cards, then by team, then by name. */
int
sheets_due(struct db *db, struct instant now, size_t max, struct sheet *rows, size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT d.row, CASE WHEN c.number > 1 THEN 1 ELSE 0 END AS paper FROM delivery d"
	    " JOIN decision c ON c.enrolment = d.enrolment AND c.occurrence = d.occurrence"
	    " LEFT JOIN person p ON p.row = d.person LEFT JOIN team t ON t.id = p.team"
	    " WHERE d.settled_at IS NULL AND d.state = 0 AND d.channel = 3 AND d.destination = ''"
	    " AND d.next_at <= ?1 AND d.expires_at > ?1"
	    " ORDER BY paper, lower(coalesce(t.name, p.team)), coalesce(t.name, p.team),"
	    " lower(p.name), p.name, d.row LIMIT ?2",
	    "ii", now.us, (int64_t)max);

	*ret_n = 0;
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		rows[(*ret_n)++] =
		    (struct sheet){ stmt_int(s, 0), stmt_int(s, 1) != 0 ? PAPER_CARD : PAPER_LETTER };
	return rc < 0 ? rc : 0;
}

int
batch_number(struct db *db, struct day day, enum paper paper, int64_t *ret)
{
	return db_int(db, ret, 1,
	    "SELECT max(max(number), 0) + 1 FROM batch WHERE day = ?1 AND paper = ?2", "ii", (int64_t)day.n,
	    (int64_t)paper);
}

int
batch_add(struct db *db, const struct batch *b, struct instant now)
{
	return db_run(db, "INSERT INTO batch(day, paper, number, sheets, at) VALUES(?1, ?2, ?3, ?4, ?5)",
	    "iiiii", (int64_t)b->day.n, (int64_t)b->paper, b->number, (int64_t)b->sheets, now.us);
}

int
batch_unpublished(struct db *db, struct batch *ret)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s,
	    "SELECT row, day, paper, number, sheets FROM batch WHERE published = 0 ORDER BY row DESC"
	    " LIMIT 1",
	    "");

	if (rc < 0 || (rc = stmt_step(s)) != STMT_ROW)
		return rc < 0 ? rc : 1;
	*ret = (struct batch){ .row = stmt_int(s, 0), .day = { (int32_t)stmt_int(s, 1) },
		.paper = (enum paper)stmt_int(s, 2), .number = stmt_int(s, 3),
		.sheets = (size_t)stmt_int(s, 4) };
	return 0;
}

int
batch_published(struct db *db, int64_t row)
{
	return db_run(db, "UPDATE batch SET published = 1 WHERE row = ?1", "i", row);
}
