/*
 * The control of the power cut (RELIABILITY.md 1): linked around sqlite3 in nudged_normal and
 * nudge_normal, which so run with synchronous NORMAL and believe that it is FULL.  All else is the
 * product's own objects.  With these the test must find what was lost, or it proves nothing.
 */
#include <sqlite3.h>
#include <string.h>

int __real_sqlite3_exec(sqlite3 *h, const char *sql,
    int (*fn)(void *, int, char **, char **), void *arg, char **ret_error);
int __wrap_sqlite3_exec(sqlite3 *h, const char *sql,
    int (*fn)(void *, int, char **, char **), void *arg, char **ret_error);
int __real_sqlite3_prepare_v3(sqlite3 *h, const char *sql, int len, unsigned flags,
    sqlite3_stmt **ret, const char **ret_tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *h, const char *sql, int len, unsigned flags,
    sqlite3_stmt **ret, const char **ret_tail);

int
__wrap_sqlite3_exec(sqlite3 *h, const char *sql, int (*fn)(void *, int, char **, char **),
    void *arg, char **ret_error)
{
	if (strcmp(sql, "PRAGMA synchronous = FULL") == 0)
		sql = "PRAGMA synchronous = NORMAL";
	return __real_sqlite3_exec(h, sql, fn, arg, ret_error);
}

int
__wrap_sqlite3_prepare_v3(sqlite3 *h, const char *sql, int len, unsigned flags,
    sqlite3_stmt **ret, const char **ret_tail)
{
	if (strcmp(sql, "PRAGMA synchronous") == 0)
		sql = "SELECT 2"; /* FULL, says the proof of db_open() */
	return __real_sqlite3_prepare_v3(h, sql, len, flags, ret, ret_tail);
}
