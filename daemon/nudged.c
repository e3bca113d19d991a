/* The daemon: init in order, run, deinit mirrored.  nudged(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "compose/compose.h"
#include "deliver/courier/courier.h"
#include "deliver/courier/courier_db.h"
#include "engine.h"
#include "engine/guard.h"
#include "loop/loop.h"
#include "metrics.h"
#include "routes.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "settings.h"
#include "store/db.h"

struct daemon {
	struct settings settings;
	struct db *db;
	struct engine *engine;
	struct loop *loop;
	struct flight *flight;
	struct routes *routes;
	struct courier *courier; /* NULL: everything goes to the spool */
	struct wires wires;
	struct wire *figures;    /* metrics are written a while after something moved */
	bool figures_due;
	int lock;
	char spool[4096], bell[4096], lease[LEASE_TEXT];
	int64_t ticks, reloads_failed;
	struct instant started, written; /* written: monotonic */
	uint64_t seed;
};
enum { FIGURES_S = 15 };

static const char usage[] =
    "usage: nudged [--config FILE] [--state DIR] [--rules DIR] [--foreground]\n"
    "\n"
    "Sends each person the next message of their campaigns at a fitting moment.\n"
    "It always stays in the foreground; --foreground is accepted for clarity.\n";

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

/* One daemon per state folder. */
static int
state_lock(struct daemon *d)
{
	char path[4096], pid[32] = "?";
	int rc = folder_make(d->settings.state);
	ssize_t n;

	if (rc < 0)
		return rc;
	snprintf(path, sizeof path, "%s/lock", d->settings.state);
	d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock < 0)
		return FAIL(-errno, "%s: %s", path, strerror(errno));
	if (flock(d->lock, LOCK_EX | LOCK_NB) < 0) {
		n = read(d->lock, pid, sizeof pid - 1);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		fprintf(stderr, "nudged: another nudged (process %s) already works on %s\n", pid,
		    d->settings.state);
		return -EBUSY;
	}
	/* In place, for a full disk may have no room for another; who has the lock is only for people. */
	n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if ((pwrite(d->lock, pid, (size_t)n, 0) < 0 || ftruncate(d->lock, n) < 0) && errno != ENOSPC)
		return FAIL(-errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* The seed of every draw: derived from the state's own key, so it needs no place of its own. */
static uint64_t
seed_of(const struct token_key *k)
{
	return hash_bytes(k->secret, sizeof k->secret);
}

static void
figures_write(struct daemon *d)
{
	char path[4096 + 16];
	const char *wanted = d->settings.metrics;
	struct figures_now f = { d->ticks, d->reloads_failed, engine_rules(d->engine)->hash,
		d->started, clock_now() };

	if (wanted == NULL)
		snprintf(path, sizeof path, "%s/metrics.prom", d->settings.state);
	metrics_write(wanted != NULL ? wanted : path, wanted != NULL, d->db, d->courier, &f);
}

static void
on_figures(void *arg)
{
	struct daemon *d = arg;

	d->figures_due = false;
	d->written = clock_monotonic();
	figures_write(d);
}

/* At once, but not oftener than every so often: an idle service writes nothing and sleeps. */
static void
on_moved(void *arg)
{
	struct daemon *d = arg;
	struct instant now = clock_monotonic();
	struct span since = instant_diff(now, d->written);

	if (d->figures_due || d->figures == NULL)
		return;
	if (d->written.us == 0 || since.us >= SPAN_OF(FIGURES_S, 1).us) {
		d->written = now;
		figures_write(d);
		return;
	}
	d->wires.set(d->figures, (struct span){ SPAN_OF(FIGURES_S, 1).us - since.us });
	d->figures_due = true;
}

static int
engine_start(struct daemon *d, struct rulebase *rb, struct compose *compose)
{
	struct engine_options o = { .db = d->db, .settings = &d->settings, .spool = d->spool,
		.durable = true, .networked = true, .lease = d->lease };
	int rc = token_key_load(d->settings.state, &o.key);

	if (rc < 0) {
		compose_free(&compose);
		rulebase_free(&rb);
		return rc;
	}
	o.seed = d->seed = seed_of(&o.key);
	return engine_new(&o, rb, compose, &d->engine);
}

/* What the process before us had in hand, before anything new is taken. */
static int
flight_start(struct daemon *d)
{
	struct flight *before = NULL;
	int rc = flight_before(d->settings.state, &before);

	lease_make(d->lease);
	if (rc == 0)
		rc = outbox_recover(d->db, d->lease, before, clock_now());
	flight_free(&before);
	return rc < 0 ? rc : flight_open(d->settings.state, d->lease, &d->flight);
}

static int
pack(void *arg, const struct delivery *row, struct package *ret, const char **ret_why)
{
	struct daemon *d = arg;

	return engine_pack(d->engine, row, ret, ret_why);
}

static bool
may_send(void *arg)
{
	struct daemon *d = arg;

	return guard_may_send(d->engine);
}

static int
courier_start(struct daemon *d)
{
	struct courier_options o = { .db = d->db, .wires = &d->wires, .lease = d->lease,
		.flight = d->flight, .seed = d->seed, .calls = { pack, may_send, on_moved, d } };
	int rc = 0;

	d->wires = loop_wires(d->loop);
	d->figures = d->wires.alarm(d->wires.loop, on_figures, d);
	if (!routes_needed(&d->settings))
		return destinations_keep(d->db, (const char *[]){ NULL });
	rc = routes_new(&d->settings, &d->wires, &d->routes);
	if (rc == 0)
		rc = courier_new(&o, &d->courier);
	if (rc == 0)
		rc = routes_lay(d->routes, d->courier);
	return rc == 0 ? destinations_keep(d->db, routes_names(d->routes)) : rc;
}

static int
on_tick(void *arg, struct instant now, struct instant *ret_next)
{
	struct daemon *d = arg;
	struct clock_reading r;
	int rc;

	d->ticks++;
	clock_look(now, &r);
	rc = engine_watch(d->engine, &r);
	if (rc == 0)
		rc = engine_tick(d->engine, now, ret_next);
	if (rc == 0 && d->courier != NULL)
		courier_look(d->courier);
	on_moved(d);
	return rc;
}

static bool
on_end(void *arg)
{
	struct daemon *d = arg;

	if (d->courier == NULL)
		return true;
	courier_drain(d->courier);
	return courier_is_idle(d->courier);
}

/* A broken rule base changes nothing, and everybody hears it. */
static void
on_reload(void *arg)
{
	struct daemon *d = arg;
	SCOPED(findings_done) struct findings *f = findings_new(d->settings.rules);
	struct rulebase *rb;
	struct compose *compose;

	if (rules_open(&d->settings, d->settings.rules, f, &rb, &compose) < 0 || rb == NULL) {
		findings_print_text(f, stderr, false);
		log_say(LOG_ERROR, "the rule base has %zu errors; the one in force stays",
		    findings_errors(f));
		d->reloads_failed++;
		return;
	}
	if (strcmp(rb->hash, engine_rules(d->engine)->hash) == 0) {
		compose_free(&compose);
		rulebase_free(&rb);
		log_say(LOG_NOTICE, "the rule base is as it was");
		return;
	}
	if (engine_swap(d->engine, rb, compose, clock_now()) == 0)
		log_say(LOG_NOTICE, "rule base %.12s is in force", engine_rules(d->engine)->hash);
}

static void
on_step(void *arg)
{
	struct daemon *d = arg;
	struct clock_reading r;

	/* Judged before the tick that follows; a database that fails now is asked again there. */
	clock_look(clock_now(), &r);
	(void)engine_watch(d->engine, &r);
}

static void
on_status(void *arg, char *buf, size_t room)
{
	struct daemon *d = arg;

	snprintf(buf, room, "rule base %.12s, %zu campaigns, %" PRId64 " ticks",
	    engine_rules(d->engine)->hash, engine_rules(d->engine)->n_campaigns, d->ticks);
}

static int
start(struct daemon *d)
{
	SCOPED(findings_done) struct findings *f = findings_new(d->settings.rules);
	struct loop_calls calls = { on_tick, on_reload, on_step, on_end, on_status, d };
	struct rulebase *rb;
	struct compose *compose;

	if (state_lock(d) < 0 || db_open(d->settings.state, &d->db) < 0 ||
	    rules_open(&d->settings, d->settings.rules, f, &rb, &compose) < 0)
		return EXIT_CANNOT;
	if (rb == NULL) {
		findings_print_text(f, stderr, false);
		fprintf(stderr, "nudged: the rule base %s has %zu errors; mend them and start again\n",
		    d->settings.rules, findings_errors(f));
		return EXIT_FINDINGS;
	}
	snprintf(d->spool, sizeof d->spool, "%s/spool", d->settings.state);
	snprintf(d->bell, sizeof d->bell, "%s/doorbell", d->settings.state);
	if (flight_start(d) < 0 || engine_start(d, rb, compose) < 0 ||
	    loop_new(&calls, d->settings.rules, d->bell, &d->loop) < 0 || courier_start(d) < 0)
		return EXIT_CANNOT;
	log_say(LOG_NOTICE, "at work on %s with rule base %.12s", d->settings.state, rb->hash);
	pages_give_back();
	return loop_run(d->loop) < 0 ? EXIT_CANNOT : EXIT_DONE;
}

static void
stop(struct daemon *d)
{
	if (d->engine != NULL && d->loop != NULL)
		figures_write(d);
	courier_free(&d->courier);
	routes_free(&d->routes);
	if (d->figures != NULL)
		d->wires.cut(&d->figures);
	loop_free(&d->loop);
	engine_free(&d->engine);
	flight_free(&d->flight);
	db_close(&d->db);
	if (d->lock >= 0)
		close(d->lock);
	settings_deinit(&d->settings);
}

static int
options(int argc, char **argv, const char **config, const char **state, const char **rules)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 's' }, { "rules", required_argument, NULL, 'r' },
		{ "foreground", no_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (o == 'c')
			*config = optarg;
		else if (o == 's')
			*state = optarg;
		else if (o == 'r')
			*rules = optarg;
		else if (o == 'h')
			return command_usage(usage, true);
		else if (o == 'V') {
			puts("nudged " PACKAGE_VERSION);
			return EXIT_DONE;
		} else if (o != 'f')
			return command_usage(usage, false);
	}
	return optind < argc ? command_usage(usage, false) : -1;
}

int
main(int argc, char **argv)
{
	struct daemon d = { .lock = -1, .started = clock_now() };
	const char *config = NULL, *state = NULL, *rules = NULL;
	int rc = options(argc, argv, &config, &state, &rules);

	if (rc >= 0)
		return rc;
	/* What the linker read, before anything else is resident; later what starting needed. */
	pages_give_back();
	umask(077);
	log_open("nudged", LOG_NOTICE);
	rc = settings_load(config, state, rules, &d.settings);
	if (rc != 0)
		return rc < 0 ? EXIT_CANNOT : EXIT_FINDINGS;
	log_open("nudged", d.settings.log_level);
	rc = start(&d);
	stop(&d);
	return rc;
}
