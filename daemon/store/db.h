/*
 * db.h - the only door to a database.
 *
 * SQLite now, PostgreSQL later: nothing above knows which.  SQL is written in the dialect both
 * read, with ?1 parameters.  A connection belongs to one thread.  WAL with synchronous FULL,
 * asserted at every open; files 0600 in a 0700 folder, refused otherwise.
 *
 * Statements are prepared once per connection and kept (the text of the SQL is the key), so a call
 * costs a hash look-up.  A statement is used until stmt_done(); two at once with the same text are
 * two statements.
 */
#ifndef NUDGED_STORE_DB_H
#define NUDGED_STORE_DB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct stmt;

/* Open DIR/nudged.db, make it if it is not there, migrate to the newest schema. */
int db_open(const char *dir, struct db **ret);
/* A database in memory with the newest schema: simulations, tests. */
int db_open_memory(struct db **ret);
void db_close(struct db **db);
/* Copy everything from one open database into another, fresh one. */
int db_copy(struct db *from, struct db *to);

int db_begin(struct db *db); /* takes the write lock at once; waits up to 10 s for it */
/*
 * For several reads, which otherwise cost locks each: all see one state, and db_version() nothing
 * new, until db_rollback().
 */
int db_begin_read(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db); /* nothing to do outside a transaction */
bool db_in_transaction(const struct db *db);
/* Roll back unless committed: SCOPED(db_leave) struct db *tx = db; after db_begin. */
void db_leave(struct db **db);

/* Run several statements without parameters (schema). */
int db_script(struct db *db, const char *sql);

/*
 * fmt has a letter a parameter: i int64_t, s const char * (NULL: SQL NULL), d double,
 * b const void * + size_t.
 */
int db_query(struct db *db, struct stmt **ret, const char *sql, const char *fmt, ...);
/* Run to the end, rows ignored.  Returns 0 or negative. */
int db_run(struct db *db, const char *sql, const char *fmt, ...);
/* As db_run; a broken UNIQUE or CHECK is the outcome DB_REFUSED and not an error. */
enum { DB_REFUSED = 1 };
int db_try(struct db *db, const char *sql, const char *fmt, ...);
/* First column of the first row; `otherwise` when there is none. */
int db_int(struct db *db, int64_t *ret, int64_t otherwise, const char *sql, const char *fmt, ...);
int64_t db_changes(struct db *db); /* rows of the last statement */
int64_t db_last_id(struct db *db);

enum { STMT_DONE = 0, STMT_ROW = 1 };
int stmt_step(struct stmt *s); /* STMT_ROW, STMT_DONE, negative */
int64_t stmt_int(struct stmt *s, int column);
double stmt_double(struct stmt *s, int column);
bool stmt_is_null(struct stmt *s, int column);
const char *stmt_text(struct stmt *s, int column); /* "" for NULL; until the next step */
const char *stmt_copy(struct stmt *s, int column, struct arena *mem);
void stmt_done(struct stmt **s); /* gives it back; for SCOPED */

/* Fold the log into the file and empty it, so that erased bytes are gone from both. */
int db_scrub(struct db *db);
/* Where this state lives; NULL for memory. */
const char *db_folder(const struct db *db);
/*
 * SQL of the next row number of a table, never one that was given before: erasure may take the
 * newest rows away, and their numbers live on in links and calendar objects that were sent.
 * db_floor_keep() remembers the highest number before rows are deleted; inside a transaction.
 */
#define NEXT_ROW(table)                                                                        \
	"(SELECT CASE WHEN f.v >= t.v THEN f.v ELSE t.v END + 1 FROM"                              \
	" (SELECT coalesce(max(row), 0) AS v FROM " table ") AS t,"                                \
	" (SELECT coalesce(max(CAST(value AS INTEGER)), 0) AS v FROM meta"                         \
	" WHERE key = 'floor " table "') AS f)"
int db_floor_keep(struct db *db);
/*
 * A full disk is -ENOSPC.  STATE/reserve holds a little room that only stops may use: give it up
 * and try once more.  False: it is used up already.  The next open makes it again, as large as there
 * is room for; and takes a little of it itself when it cannot be done without.
 */
bool db_reserve_use(struct db *db);
/* Another number after every commit: one more for each of ours, much more for anybody else's. */
int64_t db_version(struct db *db);
/* Another number after anybody else's commit. */
int64_t db_others(struct db *db);
/* Called after each commit (crash tests); NULL for none. */
void db_on_commit(struct db *db, void (*fn)(void *), void *arg);
/* What must be 0 in a sound store: how many rows break it.  In what: the words behind the number. */
struct invariant {
	const char *what, *sql;
};
/* Ask them all, one sentence a defect into the log; *ret_defects gains how many are broken. */
int db_invariants(struct db *db, const struct invariant *list, size_t n, int64_t *ret_defects);
/* Integrity of the file as the engine sees it, one sentence per defect into log; 0 when sound. */
int db_verify(struct db *db);
#endif
