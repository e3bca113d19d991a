/* simulate and plan: the same engine on a virtual clock. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/commands_db.h"
#include "commands/decision_json.h"
#include "commands/simulation.h"
#include "compose/compose.h"
#include "people/people.h"
#include "plan/decide.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "store/db.h"

struct printing {
	FILE *out;
	bool json;
	const char *person, *campaign;
	bool final_only;
	int64_t shown;
};

static void
print(void *arg, const struct decision_line *l)
{
	struct printing *p = arg;

	if ((p->person != NULL && strcmp(p->person, l->person) != 0) ||
	    (p->campaign != NULL && strcmp(p->campaign, l->campaign) != 0))
		return;
	if (p->final_only && l->verdict == VERDICT_WAIT)
		return;
	p->shown++;
	if (p->json)
		decision_print_json(p->out, l);
	else
		decision_print_text(p->out, l);
}

static bool
format_read(const char *format, bool *ret_json)
{
	*ret_json = strcmp(format, "json") == 0;
	if (*ret_json || strcmp(format, "text") == 0)
		return true;
	fprintf(stderr, "nudge: --format wants text or json\n");
	return false;
}

static bool
order_good(const struct simulation *s)
{
	if (!instant_before(s->to, s->from))
		return true;
	fprintf(stderr, "nudge: --to lies before --from\n");
	return false;
}

/* The person and the campaign whose plan is asked for exist. */
static int
names_good(struct command *c, const struct printing *p)
{
	SCOPED(arena_free) struct arena *mem = arena_new("names", 1 << 20);
	struct person *found;
	int rc = p->person != NULL ? person_find(c->db, mem, p->person, &found) : 0;

	if (rc < 0)
		return EXIT_CANNOT;
	if (rc > 0)
		fprintf(stderr, "nudge: there is no person '%s' (nudge people list)\n", p->person);
	if (rc > 0 || (p->campaign != NULL && command_campaign(c, p->campaign) == NULL))
		return EXIT_FINDINGS;
	return p->person == NULL || look_note(c->db, "plan", p->person, c->now) == 0 ? 0 : EXIT_CANNOT;
}

static const char simulate_usage[] =
    "usage: nudge simulate --from D --to D [--seed N] [--answers FILE] [--out DIR]\n"
    "                      [--format text|json]\n"
    "\n"
    "Run the approved runs over these days on a copy of the state, from the beginning, and\n"
    "tell every decision.  --out writes the messages to DIR/spool.\n"
    "A date alone after --to means the end of that day.\n";

int
cmd_simulate(struct command *c, int argc, char **argv)
{
	const char *from = NULL, *to = NULL, *seed = "1", *out = NULL, *format = "text";
	struct simulation s = { .fresh = true };
	struct printing p = { .out = stdout };
	bool help = false;
	const struct option_slot slots[] = { { "--from", &from, NULL }, { "--to", &to, NULL },
		{ "--seed", &seed, NULL }, { "--answers", &s.answers, NULL }, { "--out", &out, NULL },
		{ "--format", &format, NULL }, { "--help", NULL, &help }, { NULL, NULL, NULL } };
	char spool[4096];
	int64_t number;
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0 || from == NULL || to == NULL)
		return command_usage(simulate_usage, help);
	if (!format_read(format, &p.json))
		return EXIT_USAGE;
	if (!parse_int(seed, 0, INT64_MAX, &number)) {
		fprintf(stderr, "nudge: --seed wants a whole number\n");
		return EXIT_USAGE;
	}
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	if (!command_time(c, "--from", from, &s.from) || !command_end(c, "--to", to, &s.to) ||
	    !order_good(&s))
		return EXIT_USAGE;
	s.seed = (uint64_t)number;
	token_key_derive(s.seed, &s.key);
	if (out != NULL) {
		snprintf(spool, sizeof spool, "%s/spool", out);
		s.spool = spool;
	}
	s.on_decision = print;
	s.arg = &p;
	rc = simulation_run(c, &s);
	if (rc == 0 && !p.json)
		fprintf(stderr, "%lld decisions, %lld answers\n", (long long)s.decisions,
		    (long long)s.answered);
	return rc;
}

/* An empty answer leaves a reader in doubt: say what was looked for, and where to look next. */
static void
nothing_planned(const struct simulation *s, const struct zone *z, const struct printing *p)
{
	char from[INSTANT_TEXT], to[INSTANT_TEXT];

	fprintf(stderr, "Nothing goes out%s%s%s%s between %.10s and %.10s (nudge runs, nudge people show)\n",
	    p->person != NULL ? " to " : "", p->person != NULL ? p->person : "",
	    p->campaign != NULL ? " from " : "", p->campaign != NULL ? p->campaign : "",
	    instant_format(s->from, zone_offset(z, s->from), from),
	    instant_format(s->to, zone_offset(z, s->to), to));
}

static const char plan_usage[] =
    "usage: nudge plan [--from D] [--to D] [--person ID] [--campaign C] [--format text|json]\n"
    "\n"
    "What will go out, as things are now and if nobody answers; two weeks without --to.\n"
    "A date alone after --to means the end of that day.\n";

int
cmd_plan(struct command *c, int argc, char **argv)
{
	const char *from = NULL, *to = NULL, *format = "text";
	struct simulation s = { .fresh = false };
	struct printing p = { .out = stdout, .final_only = true };
	const struct zone *z;
	bool help = false;
	const struct option_slot slots[] = { { "--from", &from, NULL }, { "--to", &to, NULL },
		{ "--person", &p.person, NULL }, { "--campaign", &p.campaign, NULL },
		{ "--format", &format, NULL }, { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage(plan_usage, help);
	if (!format_read(format, &p.json))
		return EXIT_USAGE;
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	s.from = c->now;
	if (from != NULL && !command_time(c, "--from", from, &s.from))
		return EXIT_USAGE;
	s.to = instant_add(s.from, SPAN_DAYS(14));
	if (to != NULL && !command_end(c, "--to", to, &s.to))
		return EXIT_USAGE;
	if (!order_good(&s))
		return EXIT_USAGE;
	if ((rc = names_good(c, &p)) != 0)
		return rc;
	/* The daemon's own key and seed: the plan is what will be drawn. */
	if (token_key_load(c->settings.state, &s.key) < 0)
		return EXIT_CANNOT;
	s.seed = hash_bytes(s.key.secret, sizeof s.key.secret);
	s.on_decision = print;
	s.arg = &p;
	z = zone_find(c->rb->house.time_zone);
	rc = simulation_run(c, &s);
	if (rc == 0 && p.shown == 0 && !p.json)
		nothing_planned(&s, z, &p);
	return rc;
}
