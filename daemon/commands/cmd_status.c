/* status, queue: how things are. */
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "command.h"
#include "commands/commands_db.h"
#include "deliver/courier/courier_db.h"
#include "deliver/outbox/outbox.h"
#include "engine/guard.h"
#include "engine/purge.h"
#include "loop/doorbell.h"
#include "rules/vocabulary.h"
#include "store/db.h"

static int
deep(struct command *c)
{
	int64_t defects = 0, more = 0;

	if (db_verify(c->db) < 0) {
		printf("database: DAMAGED; restore a backup\n");
		return EXIT_FINDINGS;
	}
	if (outbox_check(c->db, &defects) < 0 || purge_check(c->db, &more) < 0)
		return EXIT_CANNOT;
	defects += more;
	printf("database sound, %lld invariants broken\n", (long long)defects);
	return defects > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

/* What the daemon found at its last look, and what this moment's look says. */
static int
clock_tell(struct command *c)
{
	struct guard_memory m;
	struct clock_reading r;
	enum guard_verdict v;
	char since[INSTANT_TEXT];

	if (guard_load(c->db, &m) < 0)
		return EXIT_CANNOT;
	clock_look(c->now, &r);
	v = guard_judge(&m, &r);
	if (v == GUARD_RIGHT) {
		printf("clock       right%s\n", r.synchronised ? ", says a time server" : "");
		return EXIT_DONE;
	}
	printf("clock       SUSPECT: it %s%s%s\n", guard_words[v],
	    m.suspect != GUARD_RIGHT ? "; noticed at " : "",
	    m.suspect != GUARD_RIGHT ? instant_format(m.since, 0, since) : "");
	printf("            Nobody gets a message and nothing expires or is deleted until %s.\n",
	    v == GUARD_BEFORE_BUILD ? "it is set"
				    : "a time server confirms it\n            or somebody says: nudge clock-ok");
	return EXIT_DONE;
}

/* What is told of the servers below is the last that a service knew. */
static void
service_tell(const struct command *c)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/doorbell", c->settings.state);
	printf("service     %s\n", doorbell_is_heard(path) ? "at work" : "not running: nothing is sent");
}

static void
print_server(void *arg, const struct destination_line *d)
{
	(void)arg;
	printf("server      %s is %s%s%s\n", d->name, d->circuit, d->reason[0] != '\0' ? ": " : "",
	    d->reason);
}

int
cmd_status(struct command *c, int argc, char **argv)
{
	bool help = false, is_deep = false;
	const struct option_slot slots[] = { { "--deep", NULL, &is_deep },
		{ "--help", NULL, &help }, { NULL, NULL, NULL } };
	int64_t counts[DELIVERY_STATES], total, purged;
	struct figures f;
	char next[INSTANT_TEXT];
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage("usage: nudge status [--deep]\n\n"
				     "How things are; --deep checks the database and every invariant.\n",
		    help);
	if ((rc = command_state(c)) != 0)
		return rc;
	if (figures_count(c->db, &f) < 0 || outbox_count(c->db, counts) < 0 ||
	    purge_count(c->db, &purged) < 0)
		return EXIT_CANNOT;
	printf("state       %s\n", c->settings.state);
	service_tell(c);
	if ((rc = clock_tell(c)) != 0)
		return rc;
	printf("people      %lld\n", (long long)f.people);
	printf("runs        %lld, %lld approved\n", (long long)f.runs, (long long)f.approved);
	printf("enrolments  %lld, %lld with a plan\n", (long long)f.enrolled, (long long)f.due);
	printf("decisions   %lld\n", (long long)f.decisions);
	total = purged;
	for (int i = 0; i < DELIVERY_STATES; i++)
		total += counts[i];
	printf("deliveries  %lld", (long long)total);
	for (int i = 0; i < DELIVERY_STATES; i++)
		if (counts[i] > 0)
			printf(", %lld %s", (long long)counts[i], delivery_state_names[i]);
	if (purged > 0)
		printf(", %lld older ones of which the count is left", (long long)purged);
	printf("\nnext        %s\n",
	    f.next.us == INT64_MAX ? "nothing is planned" : instant_format(f.next, 0, next));
	for (int i = 0; i < CHANNELS; i++)
		printf("%s%s by %s", i == 0 ? "channels    " : ", ", channel_names[i],
		    way_names[c->settings.ways[i]]);
	printf("\n");
	if (destinations_each(c->db, print_server, NULL) < 0)
		return EXIT_CANNOT;
	return is_deep ? deep(c) : EXIT_DONE;
}

static void
print(void *arg, const struct queued *q)
{
	char at[INSTANT_TEXT];

	(void)arg;
	printf("d%08lld  %-9s  %s  %-8s  %-10s  %s %s%s%s\n", (long long)q->row,
	    delivery_state_names[q->state], instant_format(q->created, 0, at),
	    channel_names[q->channel], q->person, q->run, q->occurrence, q->reason[0] ? "  " : "",
	    q->reason);
}

static void
print_destination(void *arg, const struct destination_line *d)
{
	char until[INSTANT_TEXT] = "";

	(void)arg;
	if (strcmp(d->circuit, "down") == 0 || strcmp(d->circuit, "resting") == 0)
		instant_format(d->until, 0, until);
	printf("%-40s  %-8s  %lld at once, %lld delivered, %lld postponed, %lld dead, %lld uncertain%s%s%s%s\n",
	    d->name, d->circuit, (long long)d->parallel, (long long)d->delivered,
	    (long long)d->postponed, (long long)d->dead, (long long)d->uncertain,
	    d->reason[0] != '\0' ? "; " : "", d->reason, until[0] != '\0' ? ", until " : "", until);
}

/* "d00000012" or "12" waits again. */
static int
requeue(struct command *c, const char *what)
{
	int64_t row;
	int rc;

	if (!parse_int(what + (what[0] == 'd'), 1, INT64_MAX, &row)) {
		fprintf(stderr, "nudge: --requeue wants a delivery such as d12, not '%.40s'\n", what);
		return EXIT_USAGE;
	}
	rc = outbox_requeue(c->db, row, c->now, instant_add(c->now, SPAN_HOURS(24)));
	if (rc == REQUEUE_NEITHER)
		fprintf(stderr, "nudge: d%08lld is neither dead nor uncertain\n", (long long)row);
	else if (rc == REQUEUE_BEGUN)
		fprintf(stderr, "nudge: d%08lld is of an invitation and its event has begun\n", (long long)row);
	else if (rc == REQUEUE_UNWANTED)
		fprintf(stderr, "nudge: d%08lld is not wanted any more: its person stopped, left, or the run is over\n",
		    (long long)row);
	else if (rc == 0) {
		command_ring(c);
		printf("d%08lld waits again, for a day at most\n", (long long)row);
	}
	return rc < 0 ? EXIT_CANNOT : rc > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

int
cmd_queue(struct command *c, int argc, char **argv)
{
	const char *state = NULL, *again = NULL;
	bool help = false;
	const struct option_slot slots[] = { { "--state", &state, NULL },
		{ "--requeue", &again, NULL }, { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int which = -1, rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (state != NULL)
		which = parse_word(state, delivery_state_names, DELIVERY_STATES);
	if (help || argc > 0 || (state != NULL && which < 0))
		return command_usage("usage: nudge queue [--state pending|leased|delivered|uncertain|expired|"
				     "cancelled|dead]\n"
				     "       nudge queue --requeue DELIVERY\n\n"
				     "The servers that messages go to, and the newest 200 deliveries.\n"
				     "--requeue: a dead or uncertain one waits again, which is recorded.\n",
		    help);
	if ((rc = command_state(c)) != 0)
		return rc;
	if (again != NULL)
		return requeue(c, again);
	if (state == NULL && destinations_each(c->db, print_destination, NULL) < 0)
		return EXIT_CANNOT;
	return deliveries_each(c->db, which, 200, print, NULL) < 0 ? EXIT_CANNOT : EXIT_DONE;
}
