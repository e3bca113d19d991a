/*
 * The SQLite driver.  WAL with synchronous FULL is asserted after it is set, since a file system
 * or an old file can silently say no: with NORMAL a power cut loses what was acknowledged.
 *
 * Prepared statements are kept by the address of their SQL text first and by its content second;
 * one that is in use is not handed out again.
 */
#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "store/schema.h"

enum { BUSY_MS = 10000, KEPT = 128, FOLDER_ROOM = 4000, SEEN = 256 };

struct stmt {
	sqlite3_stmt *q;
	struct db *db;
	const char *sql; /* as the caller wrote it: a literal */
	bool busy;
	bool kept;
};
struct db {
	sqlite3 *h;
	char folder[FOLDER_ROOM]; /* "" in memory */
	size_t n_kept;
	struct stmt kept[KEPT];
	struct stmt *seen[SEEN]; /* the kept one last used under a hash of the text's address */
	void (*on_commit)(void *);
	void *on_commit_arg;
	int64_t commits;
};

/* Also where it shows as an I/O error: the index of the log lies in memory that a full disk cannot give. */
static bool
disk_is_full(sqlite3 *h)
{
	int code = sqlite3_errcode(h) & 0xff;

	return code == SQLITE_FULL ||
	    ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && sqlite3_system_errno(h) == ENOSPC);
}

static int
failed(struct db *db, const char *what)
{
	bool full = disk_is_full(db->h);

	return FAIL(full ? -ENOSPC : -EIO, "%s: %s", what,
	    full ? "the disk is full" : sqlite3_errmsg(db->h));
}

int
db_script(struct db *db, const char *sql)
{
	if (sqlite3_exec(db->h, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(db, "script");
	return 0;
}

int
db_begin(struct db *db)
{
	assert(!db_in_transaction(db));
	return db_run(db, "BEGIN IMMEDIATE", "");
}

int
db_begin_read(struct db *db)
{
	assert(!db_in_transaction(db));
	return db_run(db, "BEGIN", "");
}

int
db_commit(struct db *db)
{
	int rc = db_run(db, "COMMIT", "");

	db->commits += rc == 0;
	if (rc == 0 && db->on_commit != NULL)
		db->on_commit(db->on_commit_arg);
	return rc;
}

int64_t
db_others(struct db *db)
{
	int64_t others = 0;

	db_int(db, &others, 0, "PRAGMA data_version", "");
	return others;
}

int64_t
db_version(struct db *db)
{
	return (db_others(db) << 40) + db->commits;
}

void
db_rollback(struct db *db)
{
	if (db_in_transaction(db))
		db_run(db, "ROLLBACK", "");
}

void
db_leave(struct db **db)
{
	if (*db != NULL)
		db_rollback(*db);
}

bool
db_in_transaction(const struct db *db)
{
	return !sqlite3_get_autocommit(db->h);
}

void
db_on_commit(struct db *db, void (*fn)(void *), void *arg)
{
	db->on_commit = fn;
	db->on_commit_arg = arg;
}

const char *
db_folder(const struct db *db)
{
	return db->folder[0] != '\0' ? db->folder : NULL;
}

int64_t
db_changes(struct db *db)
{
	return sqlite3_changes64(db->h);
}

int64_t
db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->h);
}

/* ---- statements ---- */

static struct stmt *
kept_find(struct db *db, const char *sql)
{
	/* Literals lie a few bytes apart, so the address alone spreads well. */
	struct stmt **seen = &db->seen[(uintptr_t)sql / 8 % SEEN];

	if (*seen != NULL && (*seen)->sql == sql && !(*seen)->busy)
		return *seen;
	for (size_t i = 0; i < db->n_kept; i++)
		if (db->kept[i].sql == sql && !db->kept[i].busy)
			return *seen = &db->kept[i];
	for (size_t i = 0; i < db->n_kept; i++)
		if (!db->kept[i].busy && strcmp(sqlite3_sql(db->kept[i].q), sql) == 0)
			return &db->kept[i];
	return NULL;
}

/* A statement of this text that nobody uses: a kept one, or prepared now and kept if there is room. */
static int
stmt_take(struct db *db, const char *sql, struct stmt **ret)
{
	struct stmt *s = kept_find(db, sql);
	sqlite3_stmt *q;

	if (s != NULL) {
		s->busy = true;
		*ret = s;
		return 0;
	}
	if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK)
		return failed(db, sql);
	if (db->n_kept < KEPT)
		s = &db->kept[db->n_kept++];
	else if ((s = calloc(1, sizeof *s)) == NULL)
		abort();
	*s = (struct stmt){
		.q = q, .db = db, .sql = sql, .busy = true, .kept = s >= db->kept && s < db->kept + KEPT
	};
	*ret = s;
	return 0;
}

void
stmt_done(struct stmt **sp)
{
	struct stmt *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	sqlite3_reset(s->q);
	s->busy = false;
	if (!s->kept) {
		sqlite3_finalize(s->q);
		free(s);
	}
}

static int
bind_all(struct stmt *s, const char *fmt, va_list ap, sqlite3_destructor_type copy)
{
	int rc = SQLITE_OK, i = 1;

	for (; *fmt != '\0' && rc == SQLITE_OK; fmt++, i++) {
		const char *text;
		const void *blob;

		switch (*fmt) {
		case 'i':
			rc = sqlite3_bind_int64(s->q, i, va_arg(ap, int64_t));
			break;
		case 'd':
			rc = sqlite3_bind_double(s->q, i, va_arg(ap, double));
			break;
		case 's':
			text = va_arg(ap, const char *);
			rc = text == NULL ? sqlite3_bind_null(s->q, i)
					  : sqlite3_bind_text(s->q, i, text, -1, copy);
			break;
		case 'b':
			blob = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(
			    s->q, i, blob, va_arg(ap, size_t), copy);
			break;
		default:
			abort();
		}
	}
	/* All of them, so that none is left over from the last call. */
	assert(rc != SQLITE_OK || i - 1 == sqlite3_bind_parameter_count(s->q));
	return rc == SQLITE_OK ? 0 : failed(s->db, "bind");
}

static int
query_va(struct db *db, struct stmt **ret, const char *sql, const char *fmt, va_list ap,
    sqlite3_destructor_type copy)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = stmt_take(db, sql, &s);

	if (rc == 0)
		rc = bind_all(s, fmt, ap, copy);
	if (rc < 0)
		return rc;
	*ret = s;
	s = NULL;
	return 0;
}

int
db_query(struct db *db, struct stmt **ret, const char *sql, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = query_va(db, ret, sql, fmt, ap, SQLITE_TRANSIENT);
	va_end(ap);
	return rc;
}

static int
run_va(struct db *db, const char *sql, const char *fmt, va_list ap, bool may_refuse)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	/* It runs to its end in here, while the caller's strings live: no copies. */
	int rc = query_va(db, &s, sql, fmt, ap, SQLITE_STATIC);

	if (rc < 0)
		return rc;
	while ((rc = sqlite3_step(s->q)) == SQLITE_ROW)
		;
	if (rc == SQLITE_DONE)
		return 0;
	if (may_refuse && (rc & 0xff) == SQLITE_CONSTRAINT)
		return DB_REFUSED;
	return failed(db, sql);
}

int
db_run(struct db *db, const char *sql, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = run_va(db, sql, fmt, ap, false);
	va_end(ap);
	return rc;
}

int
db_try(struct db *db, const char *sql, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = run_va(db, sql, fmt, ap, true);
	va_end(ap);
	return rc;
}

int
db_int(struct db *db, int64_t *ret, int64_t otherwise, const char *sql, const char *fmt, ...)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = query_va(db, &s, sql, fmt, ap, SQLITE_STATIC);
	va_end(ap);
	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	*ret = rc == STMT_ROW && !stmt_is_null(s, 0) ? stmt_int(s, 0) : otherwise;
	return 0;
}

int
stmt_step(struct stmt *s)
{
	int rc = sqlite3_step(s->q);

	if (rc == SQLITE_ROW)
		return STMT_ROW;
	if (rc == SQLITE_DONE)
		return STMT_DONE;
	return failed(s->db, s->sql);
}

int64_t
stmt_int(struct stmt *s, int column)
{
	return sqlite3_column_int64(s->q, column);
}

double
stmt_double(struct stmt *s, int column)
{
	return sqlite3_column_double(s->q, column);
}

bool
stmt_is_null(struct stmt *s, int column)
{
	return sqlite3_column_type(s->q, column) == SQLITE_NULL;
}

const char *
stmt_text(struct stmt *s, int column)
{
	const unsigned char *t = sqlite3_column_text(s->q, column);

	return t != NULL ? (const char *)t : "";
}

const char *
stmt_copy(struct stmt *s, int column, struct arena *mem)
{
	return arena_copy(mem, stmt_text(s, column));
}

/* ---- opening ---- */

static int
migrate(struct db *db)
{
	SCOPED(db_leave) struct db *tx = db;
	int64_t version;
	char set[64];
	int rc = db_begin(db);

	if (rc == 0)
		rc = db_int(db, &version, 0, "PRAGMA user_version", "");
	if (rc < 0)
		return rc;
	if (version > SCHEMA_VERSION)
		return FAIL(-ENOTSUP,
		    "the database has schema %d, newer than this program's %d: use the newer nudged",
		    (int)version, SCHEMA_VERSION);
	for (int64_t v = version; v < SCHEMA_VERSION; v++) {
		snprintf(set, sizeof set, "PRAGMA user_version = %d", (int)v + 1);
		rc = db_script(db, schema_steps[v]);
		if (rc == 0)
			rc = db_script(db, set);
		if (rc < 0)
			return rc;
	}
	rc = db_commit(db);
	tx = NULL;
	return rc;
}

/* ---- what must hold ---- */

int
db_invariants(struct db *db, const struct invariant *list, size_t n, int64_t *ret_defects)
{
	for (size_t i = 0; i < n; i++) {
		int64_t broken = 0;
		int rc = db_int(db, &broken, 0, list[i].sql, "");

		if (rc < 0)
			return rc;
		if (broken > 0)
			FAIL(-EIO, "%" PRId64 " %s", broken, list[i].what);
		*ret_defects += broken > 0;
	}
	return 0;
}

/* ---- row numbers that are never given twice ---- */

int
db_floor_keep(struct db *db)
{
#define FLOOR(table)                                                                           \
	"INSERT INTO meta(key, value) SELECT 'floor " table "', CAST(" NEXT_ROW(table)             \
	" - 1 AS TEXT) WHERE true ON CONFLICT(key) DO UPDATE SET value = excluded.value"
	int rc = db_run(db, FLOOR("delivery"), "");

	return rc == 0 ? db_run(db, FLOOR("enrolment"), "") : rc;
}

/* ---- the reserve ---- */

enum { RESERVE_BYTES = 1 << 20, RESERVE_STEP = 64 << 10 };

static bool
reserve_path(const struct db *db, char *buf, size_t room)
{
	return db->folder[0] != '\0' &&
	       snprintf(buf, room, "%s/reserve", db->folder) < (int)room;
}

/* As much of it as there is room for: on a full disk what opening the database left of it. */
static void
reserve_keep(const struct db *db)
{
	char path[FOLDER_ROOM + 16];
	struct stat st;
	off_t size = RESERVE_BYTES;
	int fd;

	if (!reserve_path(db, path, sizeof path))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		while (size > st.st_size && posix_fallocate(fd, 0, size) != 0)
			size -= RESERVE_STEP;
	if (size <= 0)
		unlink(path);
	close(fd);
}

bool
db_reserve_use(struct db *db)
{
	char path[FOLDER_ROOM + 16];

	return reserve_path(db, path, sizeof path) && unlink(path) == 0;
}

/* WAL and FULL, and proof that they took. */
static int
make_durable(struct db *db)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int64_t synchronous = -1;
	int rc = db_query(db, &s, "PRAGMA journal_mode = WAL", "");

	if (rc == 0 && (rc = stmt_step(s)) >= 0 && strcmp(stmt_text(s, 0), "wal") != 0)
		return FAIL(-EIO, "this file system does not let SQLite use a write-ahead log");
	if (rc >= 0)
		rc = db_script(db, "PRAGMA synchronous = FULL");
	if (rc == 0)
		rc = db_int(db, &synchronous, -1, "PRAGMA synchronous", "");
	if (rc == 0 && synchronous != 2)
		return FAIL(-EIO, "synchronous is %d, not FULL", (int)synchronous);
	return rc;
}

static int
open_path(const char *path, struct db **ret)
{
	struct db *db = calloc(1, sizeof *db);

	if (db == NULL)
		abort();
	if (sqlite3_open_v2(path, &db->h,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		failed(db, path);
		db_close(&db);
		return -EIO;
	}
	sqlite3_extended_result_codes(db->h, 1);
	sqlite3_busy_timeout(db->h, BUSY_MS);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	*ret = db;
	return 0;
}

static int
folder_check(const char *dir)
{
	struct stat st;
	int rc = folder_make(dir);

	if (rc < 0)
		return rc;
	if (stat(dir, &st) < 0)
		return FAIL(-errno, "%s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid()) {
		const struct passwd *owner = getpwuid(st.st_uid);

		return FAIL(-EPERM, "%s belongs to %s, who alone may work on it: sudo -u %s nudge ...", dir,
		    owner != NULL ? owner->pw_name : "somebody else",
		    owner != NULL ? owner->pw_name : "USER");
	}
	if ((st.st_mode & 077) != 0)
		return FAIL(-EPERM, "%s: others may look into it (chmod 0700): it holds what people answered",
		    dir);
	return 0;
}

/* Made by us before SQLite sees it, so that the umask has no say; the log files take its mode. */
static int
file_check(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return FAIL(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || (st.st_mode & 077) != 0)
		rc = FAIL(-EPERM, "%s: others may read it (chmod 0600)", path);
	close(fd);
	return rc;
}

/* As far as a full disk may be in the way. */
static int
open_in(const char *dir, const char *path, struct db **ret)
{
	struct db *db = NULL;
	int rc = open_path(path, &db);

	if (rc < 0)
		return rc;
	snprintf(db->folder, sizeof db->folder, "%s", dir);
	rc = make_durable(db);
	if (rc == 0)
		rc = db_script(db, "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;"
				   "PRAGMA cache_size = -6144; PRAGMA temp_store = MEMORY");
	if (rc == 0)
		rc = migrate(db);
	if (rc < 0)
		db_close(&db);
	else
		*ret = db;
	return rc;
}

/* On a full disk not even the log's index can be made: some of the reserve goes into it. */
int
db_open(const char *dir, struct db **ret)
{
	char path[FOLDER_ROOM + 16], reserve[FOLDER_ROOM + 16];
	struct db *db = NULL;
	int rc;

	if (strlen(dir) >= FOLDER_ROOM)
		return FAIL(-ENAMETOOLONG, "state folder name of %zu bytes", strlen(dir));
	snprintf(path, sizeof path, "%s/nudged.db", dir);
	snprintf(reserve, sizeof reserve, "%s/reserve", dir);
	rc = folder_check(dir);
	if (rc == 0)
		rc = file_check(path);
	if (rc == 0)
		rc = open_in(dir, path, &db);
	if (rc == -ENOSPC && unlink(reserve) == 0) {
		log_say(LOG_WARNING, "the disk is full; %s gives what opening needs", reserve);
		rc = open_in(dir, path, &db);
	}
	if (rc < 0)
		return rc;
	reserve_keep(db);
	*ret = db;
	return 0;
}

int
db_open_memory(struct db **ret)
{
	struct db *db = NULL;
	int rc = open_path(":memory:", &db);

	if (rc == 0)
		rc = migrate(db);
	if (rc < 0) {
		db_close(&db);
		return rc;
	}
	*ret = db;
	return 0;
}

void
db_close(struct db **dbp)
{
	struct db *db = *dbp;

	*dbp = NULL;
	if (db == NULL)
		return;
	for (size_t i = 0; i < db->n_kept; i++)
		sqlite3_finalize(db->kept[i].q);
	sqlite3_close_v2(db->h);
	free(db);
}

int
db_copy(struct db *from, struct db *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to->h, "main", from->h, "main");

	if (b == NULL)
		return failed(to, "copy");
	sqlite3_backup_step(b, -1);
	if (sqlite3_backup_finish(b) != SQLITE_OK)
		return failed(to, "copy");
	return 0;
}

int
db_scrub(struct db *db)
{
	if (db_folder(db) == NULL)
		return 0;
	return db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)", "");
}

int
db_verify(struct db *db)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, "PRAGMA integrity_check(20)", ""), bad = 0;

	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		if (strcmp(stmt_text(s, 0), "ok") != 0) {
			FAIL(-EIO, "database: %s", stmt_text(s, 0));
			bad = -EIO;
		}
	return rc < 0 ? rc : bad;
}
