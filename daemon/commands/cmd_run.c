/* schedule, approve, pause, resume, cancel, runs: what HR does with campaigns. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "people/people.h"
#include "runs.h"
#include "store/db.h"

enum { MEMORY = 16 << 20 };

static void
json_done(json_t **j)
{
	json_decref(*j);
}

/* "--audience team=a --audience team=b role=employee": values of one key are alternatives. */
static bool
audience_option(json_t *audience, const char *pair)
{
	const char *eq = strchr(pair, '=');
	char key[128];
	json_t *list;

	if (eq == NULL || eq == pair || eq[1] == '\0' || (size_t)(eq - pair) >= sizeof key) {
		fprintf(stderr, "nudge: --audience wants KEY=VALUE, for instance team=noord, not '%s'\n",
		    pair);
		return false;
	}
	memcpy(key, pair, (size_t)(eq - pair));
	key[eq - pair] = '\0';
	list = json_object_get(audience, key);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(audience, key, list);
	}
	return json_array_append_new(list, json_string(eq + 1)) == 0;
}

/* Take all --audience options, and their KEY=VALUE words, out of argv. */
static bool
audience_options(int *argc, char **argv, json_t *audience)
{
	int kept = 0;
	bool in = false;

	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "--audience") == 0) {
			in = true;
			continue;
		}
		if (in && argv[i][0] != '-' && (strchr(argv[i], '=') != NULL ||
						   strcmp(argv[i - 1], "--audience") == 0)) {
			if (!audience_option(audience, argv[i]))
				return false;
			continue;
		}
		in = false;
		argv[kept++] = argv[i];
	}
	*argc = kept;
	return true;
}

/* ---- whom it is for ---- */

struct counting {
	const struct run *run;
	const char *column;
	int64_t people, matching, having;
};

static int
count_step(void *arg, const struct person *p)
{
	struct counting *n = arg;

	n->people++;
	n->having += n->column != NULL && (person_get(p, n->column) != NULL || strcmp(n->column, "done") == 0);
	n->matching += n->run != NULL && n->run->campaign != NULL &&
		       audience_matches(&n->run->campaign->audience, p) &&
		       audience_matches(&n->run->audience, p);
	return 0;
}

/* A misspelled column would make a run for nobody. */
static bool
columns_known(struct command *c, json_t *audience)
{
	const char *column;
	json_t *values;
	bool good = true;

	json_object_foreach (audience, column, values) {
		struct counting n = { .column = column };

		if (people_each(c->db, count_step, &n) < 0 || n.people == 0 || n.having > 0)
			continue;
		fprintf(stderr, "nudge: nobody on the roster has a column '%s' (nudge people show ID)\n", column);
		good = false;
	}
	return good;
}

/* How many people it is for, beside the id that scripts read. */
static int
audience_tell(struct command *c, struct arena *mem, const char *id)
{
	struct run *runs;
	size_t n;

	if (runs_load(c->db, mem, c->rb, &runs, &n) < 0)
		return EXIT_CANNOT;
	for (size_t i = 0; i < n; i++) {
		struct counting k = { .run = &runs[i] };

		if (strcmp(runs[i].id, id) != 0)
			continue;
		if (people_each(c->db, count_step, &k) < 0)
			return EXIT_CANNOT;
		fprintf(stderr, "nudge: for %lld of %lld people; to sign: nudge approve %s --as ROLE\n",
		    (long long)k.matching, (long long)k.people, id);
	}
	return EXIT_DONE;
}

static const char schedule_usage[] =
    "usage: nudge schedule CAMPAIGN --start DATE [--every PERIOD] [--until DATE]\n"
    "                      [--audience KEY=VALUE ...]\n"
    "\n"
    "Plan a run of a campaign.  It sends nothing before all roles of house.yaml approved it.\n";

static bool
order_read(struct run_order *o, const char *start, const char *until)
{
	struct period period;

	if (start == NULL || !day_parse(start, &o->start)) {
		fprintf(stderr, "nudge: --start wants a date such as 2026-10-05%s%s\n",
		    start != NULL ? ", not " : "", start != NULL ? start : "");
		return false;
	}
	if (until != NULL && (!day_parse(until, &o->until) || o->until.n < o->start.n)) {
		fprintf(stderr, "nudge: --until wants a date not before the start, not %s\n", until);
		return false;
	}
	o->has_until = until != NULL;
	if (o->every[0] != '\0' && !period_parse(o->every, &period)) {
		fprintf(stderr, "nudge: --every wants a period such as '1 year', not '%s'\n", o->every);
		return false;
	}
	return true;
}

int
cmd_schedule(struct command *c, int argc, char **argv)
{
	const char *start = NULL, *every = "", *until = NULL, *id;
	bool help = false;
	const struct option_slot slots[] = { { "--start", &start, NULL }, { "--every", &every, NULL },
		{ "--until", &until, NULL }, { "--help", NULL, &help }, { NULL, NULL, NULL } };
	SCOPED(json_done) json_t *audience = json_object();
	SCOPED(arena_free) struct arena *mem = arena_new("schedule", MEMORY);
	struct run_order o = { .every = "" };
	int rc;

	if (!audience_options(&argc, argv, audience) || !command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1)
		return command_usage(schedule_usage, help);
	o.campaign = argv[0];
	o.every = every;
	if (!order_read(&o, start, until))
		return EXIT_USAGE;
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	if (command_campaign(c, o.campaign) == NULL || !columns_known(c, audience))
		return EXIT_FINDINGS;
	char *json = json_dumps(audience, JSON_COMPACT | JSON_SORT_KEYS);

	o.audience = arena_copy(mem, json);
	free(json);
	rc = run_schedule(c->db, mem, &o, c->now, &id);
	if (rc < 0)
		return EXIT_CANNOT;
	printf("%s\n", id);
	fflush(stdout);
	command_ring(c);
	return audience_tell(c, mem, id);
}

static int
refused(int rc, const char *id, const char *what)
{
	if (rc == RUN_UNKNOWN)
		fprintf(stderr, "nudge: there is no run '%s' (nudge runs lists them)\n", id);
	else if (rc == RUN_REFUSED)
		fprintf(stderr, "nudge: the state of %s does not allow to %s it (nudge runs)\n", id, what);
	return rc < 0 ? EXIT_CANNOT : EXIT_FINDINGS;
}

int
cmd_approve(struct command *c, int argc, char **argv)
{
	const char *role = NULL, *missing = "";
	bool help = false, known = false;
	const struct option_slot slots[] = { { "--as", &role, NULL }, { "--help", NULL, &help },
		{ NULL, NULL, NULL } };
	SCOPED(arena_free) struct arena *mem = arena_new("approve", MEMORY);
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1 || role == NULL)
		return command_usage("usage: nudge approve RUN --as ROLE\n\n"
				     "Sign the rule version that is in force now for this run.\n",
		    help);
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	for (size_t i = 0; i < c->rb->house.approvals.n; i++)
		known |= strcmp(c->rb->house.approvals.v[i], role) == 0;
	if (!known) {
		fprintf(stderr, "nudge: '%s' is not among the approvals of house.yaml\n", role);
		return EXIT_FINDINGS;
	}
	rc = run_approve(c->db, mem, c->rb, argv[0], role, c->now, &missing);
	if (rc != 0)
		return refused(rc, argv[0], "approve");
	if (*missing != '\0')
		printf("%s: signed as %s; still to sign: %s\n", argv[0], role, missing);
	else
		printf("%s: approved; it sends from its start on\n", argv[0]);
	command_ring(c);
	return EXIT_DONE;
}

static int
set_state(struct command *c, int argc, char **argv, enum run_state to, const char *verb,
    const char *usage)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1)
		return command_usage(usage, help);
	if ((rc = command_state(c)) != 0)
		return rc;
	rc = run_set_state(c->db, argv[0], to, c->now);
	if (rc != 0)
		return refused(rc, argv[0], verb);
	printf("%s: %s\n", argv[0], run_state_names[to]);
	command_ring(c);
	return EXIT_DONE;
}

int
cmd_pause(struct command *c, int argc, char **argv)
{
	return set_state(c, argc, argv, RUN_PAUSED, "pause",
	    "usage: nudge pause RUN\n\nSend nothing more until nudge resume.\n");
}

int
cmd_resume(struct command *c, int argc, char **argv)
{
	return set_state(c, argc, argv, RUN_APPROVED, "resume",
	    "usage: nudge resume RUN\n\nGo on with a paused run; what was missed is not sent.\n");
}

int
cmd_cancel(struct command *c, int argc, char **argv)
{
	return set_state(c, argc, argv, RUN_CANCELLED, "cancel",
	    "usage: nudge cancel RUN\n\nEnd a run for good; what waits in the outbox is not sent.\n");
}

static int
print_run(struct command *c, const struct run *r)
{
	char start[DAY_TEXT];
	int64_t people = 0;
	int rc = run_people(c->db, r->row, &people);

	if (rc < 0)
		return rc;
	printf("%-28s %-16s from %s  %-9s  %6lld people%s%s\n", r->id, r->campaign_id,
	    day_format(r->start, start), run_state_names[r->state], (long long)people,
	    r->campaign == NULL && c->rb != NULL ? "  (not in the rule base)" : "",
	    r->quarantine != NULL ? "  QUARANTINED" : "");
	return 0;
}

int
cmd_runs(struct command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	SCOPED(arena_free) struct arena *mem = arena_new("runs", MEMORY);
	struct run *runs;
	size_t n;
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 0)
		return command_usage("usage: nudge runs\n\nAll runs with their state.\n", help);
	if ((rc = command_state(c)) != 0)
		return rc;
	rc = runs_load(c->db, mem, c->rb, &runs, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = print_run(c, &runs[i]);
	if (rc == 0 && n == 0)
		fprintf(stderr, "No runs yet.  nudge schedule CAMPAIGN --start DATE plans one.\n");
	return rc < 0 ? EXIT_CANNOT : EXIT_DONE;
}
