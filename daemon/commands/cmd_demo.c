/*
 * demo: the whole way in one command, for a newcomer.  Loads the demo organisation, schedules and
 * approves two runs, simulates the past quarter with answers and writes one page that shows it.
 * Everything it does it does through the same functions as the other commands; again is harmless.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/quarter.h"
#include "commands/simulation.h"
#include "compose/compose.h"
#include "compose/program.h"
#include "people/people.h"
#include "plan/decide.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "runs.h"
#include "store/db.h"

enum { QUARTER = 92 };

static bool
zone_known(const char *name)
{
	return zone_find(name) != NULL;
}

static int
people_ready(struct command *c, struct arena *mem)
{
	const char *folder = arena_printf(mem, "%s/../demo", c->settings.words);
	struct roster roster;
	struct roster_change change;
	int rc = roster_read(mem, arena_printf(mem, "%s/people.csv", folder),
	    arena_printf(mem, "%s/teams.csv", folder), zone_known, stderr, &roster);

	if (rc == 0 && roster.errors == 0)
		rc = roster_apply(c->db, &roster, c->now, false, false, false, NULL, &change);
	if (rc != 0 || roster.errors > 0) {
		fprintf(stderr, "nudge: the demo organisation cannot be loaded; is this state somebody"
				" else's? --state DIR names another folder\n");
		return EXIT_CANNOT;
	}
	printf("1. %zu people in %zu teams are on the roster\n", roster.n_people, roster.n_teams);
	return 0;
}

static int
run_ready(struct command *c, struct arena *mem, const char *campaign, struct day start)
{
	struct run_order o = { .campaign = campaign, .every = "13 weeks", .audience = "{}", .start = start };
	const char *id = NULL, *missing = "";
	struct run *runs;
	size_t n;
	int rc = runs_load(c->db, mem, c->rb, &runs, &n);

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (strcmp(runs[i].campaign_id, campaign) == 0)
			id = runs[i].id;
	if (rc == 0 && id == NULL)
		rc = run_schedule(c->db, mem, &o, c->now, &id);
	for (size_t i = 0; rc == 0 && i < c->rb->house.approvals.n; i++)
		rc = run_approve(c->db, mem, c->rb, id, c->rb->house.approvals.v[i], c->now, &missing);
	if (rc == 0)
		printf("   %s: scheduled and approved\n", id);
	return rc != 0 ? EXIT_CANNOT : 0;
}

static int
simulate(struct command *c, struct arena *mem, struct day first, struct quarter *q)
{
	struct simulation s = { .fresh = true, .seed = 1, .on_decision = quarter_decision,
		.on_answer = quarter_answer, .arg = q };
	const struct zone *z = zone_find(c->rb->house.time_zone);
	int rc;

	s.from = zone_instant(z, (struct civil){ first, 0 });
	s.to = c->now;
	s.answers = arena_printf(mem, "%s/../demo/answers.yaml", c->settings.words);
	token_key_derive(s.seed, &s.key);
	rc = simulation_run(c, &s);
	if (rc == 0)
		printf("3. the past quarter, simulated: %lld messages, %lld answers\n",
		    (long long)quarter_sent(q), (long long)s.answered);
	return rc;
}

static void
quarter_done(struct quarter **q)
{
	quarter_free(q);
}

/* Simulate on the rule base, which that uses up, then read it again for the page. */
static int
quarter_show(struct command *c, struct arena *mem, const char *page)
{
	struct day last = civil_of_seconds(instant_floor(c->now)).day, first = day_add(last, -QUARTER);
	SCOPED(quarter_done) struct quarter *q = quarter_new(first, last);
	int rc = run_ready(c, mem, "bravo-week", first);

	if (rc == 0)
		rc = run_ready(c, mem, "yearly-talk", first);
	if (rc == 0)
		rc = simulate(c, mem, first, q);
	if (rc == 0)
		rc = command_rules(c);
	return rc == 0 ? quarter_write(c, q, page) : rc;
}

struct somebody {
	char person[80], time[INSTANT_TEXT];
};

static void
somebody_note(void *arg, const struct decision_line *l)
{
	struct somebody *s = arg;

	if (l->verdict != VERDICT_SEND || s->person[0] != '\0')
		return;
	snprintf(s->person, sizeof s->person, "%s", l->person);
	instant_format(l->time, l->offset, s->time);
}

/* Whom the daemon writes to next: the same plan as nudge plan makes. */
static int
next_reader(struct command *c, struct somebody *ret)
{
	struct simulation s = { .from = c->now, .to = instant_add(c->now, SPAN_DAYS(7)),
		.on_decision = somebody_note, .arg = ret };
	int rc = command_rules(c);

	if (rc == 0)
		rc = token_key_load(c->settings.state, &s.key) < 0 ? EXIT_CANNOT : 0;
	s.seed = hash_bytes(s.key.secret, sizeof s.key.secret);
	return rc == 0 ? simulation_run(c, &s) : rc;
}

/* The options that lead to this state and these rules, as the newcomer gave them. */
static const char *
options_told(const struct command *c, struct arena *mem)
{
	if (c->settings.config != NULL)
		return arena_printf(mem, "--config %s", c->settings.config);
	return arena_printf(mem, "--state %s --rules %s", c->settings.state, c->settings.rules);
}

static void
next_steps(const struct command *c, struct arena *mem, const char *page, const struct somebody *who)
{
	const char *options = options_told(c, mem), *id = who->person[0] != '\0' ? who->person : "E0040";

	printf("4. %s shows it: open it in a browser\n\n", page);
	printf("nudged delivers what is due to %s/spool, a folder a day\n", c->settings.state);
	if (who->person[0] != '\0')
		printf("the next message is for %s, %.10s at %.5s\n", id, who->time, who->time + 11);
	printf("\nWorth typing next, in another terminal:\n");
	printf("  build/nudge %s check\n", options);
	printf("  build/nudge %s preview bravo-week/lunch-walk --as text\n", options);
	printf("  build/nudge %s plan --person %s\n", options, id);
	printf("  build/nudge %s why %s          # once it was sent\n", options, id);
	printf("  build/nudge %s status --deep\n", options);
}

int
cmd_demo(struct command *c, int argc, char **argv)
{
	SCOPED(arena_free) struct arena *mem = arena_new("demo", (size_t)256 << 20);
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct somebody who = { 0 };
	const char *page;
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage(
		    "usage: nudge demo\n\nThe demo organisation, from roster to messages.\n", help);
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0 ||
	    (rc = people_ready(c, mem)) != 0)
		return rc;
	printf("2. the rule base %.12s has %zu campaigns and no error\n", c->rb->hash,
	    c->rb->n_campaigns);
	page = arena_printf(mem, "%s/quarter.html", c->settings.state);
	rc = quarter_show(c, mem, page);
	if (rc == 0)
		rc = next_reader(c, &who);
	if (rc == 0)
		next_steps(c, mem, page, &who);
	return rc;
}
