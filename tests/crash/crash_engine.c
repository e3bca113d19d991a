/*
 * The engine on a real state folder and a virtual clock, with a death at a chosen commit.
 *
 *   crash_engine STATE RULES CRASH_AT FROM TO [FROM TO ...]
 *
 * Runs through each stretch of time in turn, jumping between them (downtime, or a clock set back),
 * and prints every decision as a JSON line.  CRASH_AT n: the process dies right after its n-th
 * commit, without any clean-up, with exit code 9; 0: it does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "commands/decision_json.h"
#include "compose/compose.h"
#include "engine.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "settings.h"
#include "store/db.h"

static int64_t commits, crash_at;

static void
on_commit(void *arg)
{
	(void)arg;
	if (++commits == crash_at)
		_exit(9);
}

static void
on_decision(void *arg, const struct decision_line *l)
{
	(void)arg;
	decision_print_json(stdout, l);
}

static int
stretch(struct engine *e, const char *from, const char *to)
{
	struct instant now, end, next;

	if (!instant_parse(from, &now) || !instant_parse(to, &end))
		return 2;
	while (!instant_before(end, now)) {
		if (engine_tick(e, now, &next) < 0)
			return 3;
		if (next.us == INT64_MAX)
			break;
		now = instant_before(now, next) ? next : instant_add(now, SPAN_MINUTES(1));
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct settings settings;
	struct engine_options o = { .on_decision = on_decision, .seed = 42 };
	struct findings *f;
	struct rulebase *rb;
	struct compose *compose;
	struct engine *e;
	char spool[4096];
	int rc = 0;

	if (argc < 6 || !parse_int(argv[3], 0, INT64_MAX, &crash_at))
		return 2;
	log_open("crash_engine", LOG_ERROR);
	if (settings_load(NULL, argv[1], argv[2], &settings) != 0 ||
	    db_open(settings.state, &o.db) < 0)
		return 3;
	f = findings_new(argv[2]);
	if (rules_open(&settings, argv[2], f, &rb, &compose) < 0 || rb == NULL)
		return 3;
	snprintf(spool, sizeof spool, "%s/spool", argv[1]);
	o.settings = &settings;
	o.spool = spool;
	token_key_derive(42, &o.key);
	db_on_commit(o.db, on_commit, NULL);
	if (engine_new(&o, rb, compose, &e) < 0)
		return 3;
	for (int i = 4; rc == 0 && i + 1 < argc; i += 2)
		rc = stretch(e, argv[i], argv[i + 1]);
	fprintf(stderr, "%lld commits\n", (long long)commits);
	engine_free(&e);
	findings_free(&f);
	db_close(&o.db);
	settings_deinit(&settings);
	return rc;
}
