/*
 * A simulated year: what deciding costs, and what the store adds to it.
 *
 *   bench_year STATE RULES FROM TO [statements]
 *
 * The year runs twice on a copy of STATE in memory.  First as it is, against the clock.  Then with
 * SQLite's calls under watch (the linker's --wrap): every statement with its values is noted.  A bare
 * program then does them once more, with prepared statements, the same values and transactions, and
 * nothing else: all of them, which is what the store costs, and the writes alone, which is the least
 * it could cost.  All times are of the processor, so that a busy machine does not show.
 * "statements" lists the dearest, by the wall clock.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "compose/compose.h"
#include "engine.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "settings.h"
#include "store/db.h"

enum { STATEMENTS = 256, VALUES = 40 };

struct value {
	int type; /* SQLITE_INTEGER ... */
	int64_t i;
	double d;
	const void *bytes;
	size_t len;
};
struct watched {
	sqlite3_stmt *q;
	char *sql;
	bool writes, running;
	int n;
	struct value v[VALUES];
	size_t at; /* its head on the tape */
	uint32_t steps;
	int64_t calls;
	double seconds;
};
static struct watched watched[STATEMENTS];
static size_t n_watched;
static bool watching;
static struct text tape; /* statements in order: a head and its values */
static int64_t decisions, writes, reads;

struct head {
	uint16_t id, values;
	uint32_t steps;
};

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the watch ---- */

int __real_sqlite3_step(sqlite3_stmt *q);
int __real_sqlite3_reset(sqlite3_stmt *q);
int __real_sqlite3_bind_int64(sqlite3_stmt *q, int i, sqlite3_int64 v);
int __real_sqlite3_bind_double(sqlite3_stmt *q, int i, double v);
int __real_sqlite3_bind_null(sqlite3_stmt *q, int i);
int __real_sqlite3_bind_text(sqlite3_stmt *q, int i, const char *s, int n, void (*fn)(void *));
int __wrap_sqlite3_step(sqlite3_stmt *q);
int __wrap_sqlite3_reset(sqlite3_stmt *q);
int __wrap_sqlite3_bind_int64(sqlite3_stmt *q, int i, sqlite3_int64 v);
int __wrap_sqlite3_bind_double(sqlite3_stmt *q, int i, double v);
int __wrap_sqlite3_bind_null(sqlite3_stmt *q, int i);
int __wrap_sqlite3_bind_text(sqlite3_stmt *q, int i, const char *s, int n, void (*fn)(void *));

static bool
is_write(sqlite3_stmt *q)
{
	const char *sql = sqlite3_sql(q);

	return !sqlite3_stmt_readonly(q) || strncmp(sql, "BEGIN", 5) == 0 ||
	       strncmp(sql, "COMMIT", 6) == 0 || strncmp(sql, "ROLLBACK", 8) == 0;
}

static struct watched *
watch_of(sqlite3_stmt *q)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].q == q)
			return &watched[i];
	if (n_watched == STATEMENTS)
		abort();
	watched[n_watched] = (struct watched){ .q = q, .writes = is_write(q), .sql = strdup(sqlite3_sql(q)) };
	return &watched[n_watched++];
}

static void
note(sqlite3_stmt *q, int i, struct value v)
{
	struct watched *w = watch_of(q);

	if (i > VALUES)
		abort();
	w->v[i - 1] = v;
	w->n = i > w->n ? i : w->n;
}

static void
record(struct watched *w)
{
	struct head h = { (uint16_t)(w - watched), (uint16_t)w->n, 0 };

	*(w->writes ? &writes : &reads) += 1;
	w->at = tape.len;
	w->steps = 0;
	text_add(&tape, (const char *)&h, sizeof h);
	for (int i = 0; i < w->n; i++) {
		const struct value *v = &w->v[i];
		uint32_t len = (uint32_t)v->len;

		text_putc(&tape, (char)v->type);
		if (v->type == SQLITE_INTEGER)
			text_add(&tape, (const char *)&v->i, sizeof v->i);
		else if (v->type == SQLITE_FLOAT)
			text_add(&tape, (const char *)&v->d, sizeof v->d);
		else if (v->type == SQLITE_TEXT) {
			text_add(&tape, (const char *)&len, sizeof len);
			text_add(&tape, v->bytes, len);
		}
	}
}

int
__wrap_sqlite3_bind_int64(sqlite3_stmt *q, int i, sqlite3_int64 v)
{
	if (watching)
		note(q, i, (struct value){ .type = SQLITE_INTEGER, .i = v });
	return __real_sqlite3_bind_int64(q, i, v);
}

int
__wrap_sqlite3_bind_double(sqlite3_stmt *q, int i, double v)
{
	if (watching)
		note(q, i, (struct value){ .type = SQLITE_FLOAT, .d = v });
	return __real_sqlite3_bind_double(q, i, v);
}

int
__wrap_sqlite3_bind_null(sqlite3_stmt *q, int i)
{
	if (watching)
		note(q, i, (struct value){ .type = SQLITE_NULL });
	return __real_sqlite3_bind_null(q, i);
}

int
__wrap_sqlite3_bind_text(sqlite3_stmt *q, int i, const char *s, int n, void (*fn)(void *))
{
	/* Valid until the step: the callers' own strings. */
	if (watching)
		note(q, i, (struct value){ .type = SQLITE_TEXT, .bytes = s, .len = n < 0 ? strlen(s) : (size_t)n });
	return __real_sqlite3_bind_text(q, i, s, n, fn);
}

int
__wrap_sqlite3_step(sqlite3_stmt *q)
{
	struct watched *w;
	double start;
	int rc;

	if (!watching)
		return __real_sqlite3_step(q);
	w = watch_of(q);
	if (strcmp(w->sql, sqlite3_sql(q)) != 0)
		abort(); /* another statement at the same address */
	if (!w->running)
		record(w);
	w->steps++;
	w->calls += !w->running;
	w->running = true;
	start = wall();
	rc = __real_sqlite3_step(q);
	w->seconds += wall() - start;
	return rc;
}

int
__wrap_sqlite3_reset(sqlite3_stmt *q)
{
	struct watched *w;
	double start;
	int rc;

	if (!watching)
		return __real_sqlite3_reset(q);
	w = watch_of(q);
	if (w->running)
		memcpy(tape.s + w->at + offsetof(struct head, steps), &w->steps, sizeof w->steps);
	w->running = false;
	start = wall();
	rc = __real_sqlite3_reset(q);
	w->seconds += wall() - start;
	return rc;
}

/* ---- the bare program ---- */

/* Bind the value at p (q NULL: pass it over); what follows it. */
static const char *
replay_value(sqlite3_stmt *q, int i, const char *p)
{
	int type = *p++;
	int64_t number;
	double real;
	uint32_t len;

	switch (type) {
	case SQLITE_INTEGER:
		memcpy(&number, p, sizeof number);
		if (q != NULL)
			__real_sqlite3_bind_int64(q, i, number);
		return p + sizeof number;
	case SQLITE_FLOAT:
		memcpy(&real, p, sizeof real);
		if (q != NULL)
			__real_sqlite3_bind_double(q, i, real);
		return p + sizeof real;
	case SQLITE_TEXT:
		memcpy(&len, p, sizeof len);
		p += sizeof len;
		if (q != NULL)
			__real_sqlite3_bind_text(q, i, p, (int)len, SQLITE_STATIC);
		return p + len;
	default:
		if (q != NULL)
			__real_sqlite3_bind_null(q, i);
		return p;
	}
}

static int
replay_one(sqlite3_stmt **q, const char *p, bool all, const char **ret)
{
	struct head h;
	bool wanted;

	memcpy(&h, p, sizeof h);
	p += sizeof h;
	wanted = all || watched[h.id].writes;
	for (int i = 1; i <= h.values; i++)
		p = replay_value(wanted ? q[h.id] : NULL, i, p);
	*ret = p;
	if (!wanted)
		return SQLITE_OK;
	for (uint32_t i = 0; i < h.steps; i++)
		__real_sqlite3_step(q[h.id]);
	return __real_sqlite3_reset(q[h.id]);
}

static double
replay(const char *state, bool all)
{
	sqlite3_stmt *q[STATEMENTS] = { 0 };
	sqlite3 *from, *to;
	sqlite3_backup *b;
	char path[4096];
	double took;

	snprintf(path, sizeof path, "%s/nudged.db", state);
	if (sqlite3_open(path, &from) != SQLITE_OK || sqlite3_open(":memory:", &to) != SQLITE_OK)
		abort();
	b = sqlite3_backup_init(to, "main", from, "main");
	sqlite3_backup_step(b, -1);
	sqlite3_backup_finish(b);
	sqlite3_close(from);
	for (size_t i = 0; i < n_watched; i++)
		if (sqlite3_prepare_v2(to, watched[i].sql, -1, &q[i], NULL) != SQLITE_OK)
			abort();
	took = seconds();
	for (const char *p = tape.s; p < tape.s + tape.len;)
		if (replay_one(q, p, all, &p) != SQLITE_OK)
			fprintf(stderr, "bare program: %s\n", sqlite3_errmsg(to));
	took = seconds() - took;
	for (size_t i = 0; i < n_watched; i++)
		sqlite3_finalize(q[i]);
	sqlite3_close(to);
	return took;
}

/* ---- the year ---- */

static void
on_decision(void *arg, const struct decision_line *l)
{
	(void)arg;
	(void)l;
	decisions++;
}

static double
year(const struct settings *settings, struct instant now, struct instant to, bool watch)
{
	struct engine_options o = { .settings = settings, .on_decision = on_decision, .seed = 1 };
	struct findings *f = findings_new(settings->rules);
	struct db *start;
	struct rulebase *rb;
	struct compose *compose;
	struct engine *e;
	struct instant next;
	double took;

	token_key_derive(1, &o.key);
	if (db_open(settings->state, &start) < 0 || db_open_memory(&o.db) < 0 ||
	    db_copy(start, o.db) < 0 || rules_open(settings, settings->rules, f, &rb, &compose) < 0 ||
	    rb == NULL || engine_new(&o, rb, compose, &e) < 0)
		exit(1);
	db_close(&start);
	watching = watch;
	took = seconds();
	while (!instant_before(to, now)) {
		if (engine_tick(e, now, &next) < 0)
			exit(1);
		if (next.us == INT64_MAX)
			break;
		now = instant_before(now, next) ? next : instant_add(now, SPAN_MINUTES(1));
	}
	took = seconds() - took;
	watching = false;
	engine_free(&e);
	findings_free(&f);
	db_close(&o.db);
	return took;
}

static int
dearer(const void *a, const void *b)
{
	const struct watched *x = a, *y = b;

	return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void
list(void)
{
	qsort(watched, n_watched, sizeof *watched, dearer);
	for (size_t i = 0; i < n_watched && i < 25; i++)
		printf("  %6.2f s %9" PRId64 " x %5.1f us %s %.90s\n", watched[i].seconds, watched[i].calls,
		    watched[i].seconds * 1e6 / (double)watched[i].calls, watched[i].writes ? "W" : "R",
		    watched[i].sql);
}

int
main(int argc, char **argv)
{
	struct settings settings;
	struct instant from, to;
	double clean, store, bare, n;

	if (argc < 5 || settings_load(NULL, argv[1], argv[2], &settings) != 0 ||
	    !instant_parse(argv[3], &from) || !instant_parse(argv[4], &to))
		return 2;
	log_open("bench_year", LOG_ERROR);
	clean = year(&settings, from, to, false);
	n = (double)decisions;
	year(&settings, from, to, true);
	store = replay(settings.state, true);
	bare = replay(settings.state, false);
	printf("%.0f decisions in %.2f s: %.0f a second with the store, %.0f without it\n", n, clean,
	    n / clean, n / (clean - store));
	printf("the store: %.2f s (%.1f writes, %.1f reads a decision); the bare program's writes: %.2f s;"
	       " the store works at %.0f %% of it (at least 60 %%)\n",
	    store, (double)writes / n, (double)reads / n, bare, 100 * bare / store);
	if (argc > 5)
		list();
	for (size_t i = 0; i < n_watched; i++)
		free(watched[i].sql);
	text_deinit(&tape);
	settings_deinit(&settings);
	return 0;
}
