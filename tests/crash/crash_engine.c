/*
 * The engine on a real state folder and a virtual clock, with a death at a chosen commit.
 *
 *   crash_engine STATE RULES CRASH_AT STEP ...
 *
 *   FROM TO              run this stretch of time
 *   clock=UP,BOOT,SYNC   from now on the guard watches: the machine was started as BOOT, is up for UP
 *                        seconds when the next stretch begins, and SYNC tells whether a time
 *                        server confirms its clock; "built" is 2026-01-01
 *   ok                   nudge clock-ok, at the last moment of the stretch before
 *   answer=PERSON,RUN,A   what somebody answered at the end of the stretch before
 *   event=PERSON,NAME     what happened to them then
 *   forget=PERSON         somebody is erased then, by another process
 *   restart              another process on the same state
 *
 * With DURABLE in the environment files are on the disk before the store says so, as in the daemon.
 *
 * With AMID=N,RUN,STATE in the environment another process says pause or cancel of a run right after
 * the n-th commit, in the middle of whatever goes on.
 *
 * Jumps between the stretches (downtime, or a clock set back), prints every decision as a JSON
 * line, and on stderr after each stretch whether the clock was right.    CRASH_AT n: the process dies right after its n-th
 * commit, without any clean-up, with exit code 9; 0: it does not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "commands/decision_json.h"
#include "compose/compose.h"
#include "engine.h"
#include "engine/guard.h"
#include "people/people.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "runs.h"
#include "settings.h"
#include "store/db.h"

static int64_t commits, crash_at, amid_at;
static const char *folder;
static char amid_run[120], amid_state[20];

/* By a connection of their own, as another process would. */
static int
others(int (*act)(struct db *db, const char *what), const char *what)
{
	struct db *db;
	int rc = db_open(folder, &db);

	if (rc < 0)
		return rc;
	rc = act(db, what);
	db_close(&db);
	return rc;
}

static int
run_change(struct db *db, const char *run)
{
	return run_set_state(
	    db, run, strcmp(amid_state, "pause") == 0 ? RUN_PAUSED : RUN_CANCELLED, (struct instant){ 1 });
}

static int
forget(struct db *db, const char *person)
{
	return person_forget(db, person, (struct instant){ 1 }, NULL, NULL);
}

static void
on_commit(void *arg)
{
	(void)arg;
	if (++commits == crash_at)
		_exit(9);
	if (commits == amid_at && others(run_change, amid_run) != 0)
		_exit(8);
}

static void
on_decision(void *arg, const struct decision_line *l)
{
	(void)arg;
	decision_print_json(stdout, l);
}

static struct clock_reading machine;
static bool watched;
static struct instant told;

static int
look(struct engine *e, struct instant now)
{
	if (!watched)
		return 0;
	if (machine.wall.us != 0) /* within a stretch time goes by evenly */
		machine.up.us += now.us - machine.wall.us;
	machine.wall = now;
	return engine_watch(e, &machine);
}

static int
clock_set(const char *s)
{
	int64_t up, boot;
	int sync;

	if (sscanf(s, "%" SCNd64 ",%" SCNd64 ",%d", &up, &boot, &sync) != 3)
		return 2;
	watched = true;
	machine = (struct clock_reading){ .up = SPAN_OF(up, 1), .boot = boot, .synchronised = sync != 0 };
	return !instant_parse("2026-01-01T00:00:00Z", &machine.built);
}

static int
stretch(struct engine *e, const char *from, const char *to)
{
	struct instant now, end, next;

	if (!instant_parse(from, &now) || !instant_parse(to, &end))
		return 2;
	told = end;
	while (!instant_before(end, now)) {
		if (look(e, now) < 0 || engine_tick(e, now, &next) < 0)
			return 3;
		if (next.us == INT64_MAX)
			break;
		now = instant_before(now, next) ? next : instant_add(now, SPAN_MINUTES(1));
	}
	fprintf(stderr, "%s\n", guard_may_send(e) ? "right" : "suspect");
	return 0;
}

struct machine {
	struct engine_options o;
	struct settings settings;
	struct engine *engine;
	const char *rules;
};

static int
process_start(struct machine *m)
{
	struct findings *f = findings_new(m->rules);
	struct rulebase *rb;
	struct compose *compose;
	int rc = rules_open(&m->settings, m->rules, f, &rb, &compose);

	findings_free(&f);
	engine_free(&m->engine);
	return rc < 0 || rb == NULL ? -1 : engine_new(&m->o, rb, compose, &m->engine);
}

static int
step(struct machine *m, char **argv, int *i)
{
	const char *s = argv[(*i)++];

	if (strncmp(s, "clock=", 6) == 0)
		return clock_set(s + 6);
	char person[80], run[120], answer[80];

	if (sscanf(s, "answer=%79[^,],%119[^,],%79s", person, run, answer) == 3)
		return engine_answer(m->engine, person, run, answer, told);
	if (sscanf(s, "event=%79[^,],%119s", person, run) == 2)
		return engine_event(m->engine, person, run, told);
	if (strncmp(s, "forget=", 7) == 0)
		return others(forget, s + 7);
	if (strcmp(s, "ok") == 0)
		return guard_confirm(m->o.db, &machine);
	if (strcmp(s, "restart") == 0)
		return process_start(m);
	return argv[*i] == NULL ? 2 : stretch(m->engine, s, argv[(*i)++]);
}

int
main(int argc, char **argv)
{
	struct machine m = { .o = { .on_decision = on_decision, .seed = 42 } };
	char spool[4096];
	int rc = 0, i = 4;

	if (argc < 5 || !parse_int(argv[3], 0, INT64_MAX, &crash_at))
		return 2;
	log_open("crash_engine", LOG_ERROR);
	folder = argv[1];
	if (getenv("AMID") != NULL &&
	    sscanf(getenv("AMID"), "%" SCNd64 ",%119[^,],%19s", &amid_at, amid_run, amid_state) != 3)
		return 2;
	if (settings_load(getenv("CONFIG"), argv[1], argv[2], &m.settings) != 0 ||
	    db_open(m.settings.state, &m.o.db) < 0)
		return 3;
	snprintf(spool, sizeof spool, "%s/spool", argv[1]);
	m.rules = argv[2];
	m.o.settings = &m.settings;
	m.o.spool = spool;
	m.o.durable = getenv("DURABLE") != NULL;
	token_key_derive(42, &m.o.key);
	db_on_commit(m.o.db, on_commit, NULL);
	if (process_start(&m) < 0)
		return 3;
	while (rc == 0 && i < argc)
		rc = step(&m, argv, &i);
	fprintf(stderr, "%lld commits\n", (long long)commits);
	engine_free(&m.engine);
	db_close(&m.o.db);
	settings_deinit(&m.settings);
	return rc < 0 ? 3 : rc;
}
