/* event, answer, why: what happened to a person, and why they got what they got. */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/dice.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/commands_db.h"
#include "compose/compose.h"
#include "deliver/outbox/outbox.h"
#include "engine.h"
#include "engine/guard.h"
#include "people/people.h"
#include "plan/decide.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "store/db.h"

/* An engine on the real state that only takes what is told; it delivers nothing. */
static int
engine_borrow(struct command *c, struct engine **ret)
{
	struct engine_options o = { .settings = &c->settings };
	int rc;

	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	if (token_key_load(c->settings.state, &o.key) < 0)
		return EXIT_CANNOT;
	o.db = c->db;
	o.seed = hash_bytes(o.key.secret, sizeof o.key.secret);
	rc = engine_new(&o, c->rb, c->compose, ret);
	c->rb = NULL;
	c->compose = NULL;
	return rc < 0 ? EXIT_CANNOT : 0;
}

/* While the clock is suspect, what people tell is recorded at the last time that was right. */
static int
told_when(struct command *c, struct instant *ret)
{
	struct guard_memory m;
	struct clock_reading r;
	int rc = guard_load(c->db, &m);

	clock_look(c->now, &r);
	if (rc == 0)
		*ret = guard_time(&m, &r);
	return rc < 0 ? EXIT_CANNOT : 0;
}

static int
told(struct command *c, struct engine *e, int rc)
{
	if (rc == ENGINE_UNKNOWN || rc == ENGINE_REFUSED)
		fprintf(stderr, "nudge: %s\n", engine_why(e));
	else if (rc == ENGINE_DONE)
		command_ring(c);
	return rc < 0 ? EXIT_CANNOT : rc > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

static void
engine_done(struct engine **e)
{
	engine_free(e);
}

/* An event that no campaign knows is kept all the same, but the teller should hear of it. */
static void
event_known(const struct rulebase *rb, const char *name)
{
	const char *names[200], *near;
	size_t n = 0;

	for (size_t i = 0; i < rb->n_campaigns && n + 2 < sizeof names / sizeof *names; i++) {
		const struct campaign *k = &rb->campaigns[i];

		if (k->rhythm.kind == RHYTHM_ON_EVENT)
			names[n++] = k->rhythm.event;
		if (k->aim.outcome != NULL)
			names[n++] = k->aim.outcome;
	}
	if (parse_word(name, names, n) >= 0)
		return;
	near = nearest_word(name, names, n);
	fprintf(stderr, "nudge: note: no campaign waits for the event '%.60s'%s%s%s\n", name,
	    near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

int
cmd_event(struct command *c, int argc, char **argv)
{
	SCOPED(engine_done) struct engine *e = NULL;
	const char *at = NULL;
	bool help = false;
	const struct option_slot slots[] = { { "--at", &at, NULL }, { "--help", NULL, &help },
		{ NULL, NULL, NULL } };
	struct instant t = c->now;
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 2)
		return command_usage("usage: nudge event PERSON NAME [--at TIME]\n\n"
				     "Tell that something happened, e.g. questionnaire.finished.\n",
		    help);
	if ((rc = command_rules(c)) != 0)
		return rc;
	if (at != NULL && !command_time(c, "--at", at, &t))
		return EXIT_USAGE;
	event_known(c->rb, argv[1]);
	if ((rc = engine_borrow(c, &e)) != 0 || (at == NULL && (rc = told_when(c, &t)) != 0))
		return rc;
	return told(c, e, engine_event(e, argv[0], argv[1], t));
}

int
cmd_answer(struct command *c, int argc, char **argv)
{
	SCOPED(engine_done) struct engine *e = NULL;
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct instant t;
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 3)
		return command_usage("usage: nudge answer PERSON RUN ANSWER\n\n"
				     "done, later, not-for-me, stop, plan, talk, or one of the campaign's own.\n",
		    help);
	if ((rc = engine_borrow(c, &e)) != 0 || (rc = told_when(c, &t)) != 0)
		return rc;
	return told(c, e, engine_answer(e, argv[0], argv[1], argv[2], t));
}

/* ---- why ---- */

struct telling {
	const struct compose *compose;
	const struct zone *zone;
	int language, n;
};

static void
tell(void *arg, const struct told *t)
{
	struct telling *k = arg;
	char time[INSTANT_TEXT], code[40];
	const char *p = t->reasons;

	k->n++;
	printf("%.16s  %s  %s", instant_format(t->at, zone_offset(k->zone, t->at), time), t->run,
	    verdict_names[t->verdict]);
	if (t->message[0] != '\0')
		printf("  %s (%s, %s)", t->message, channel_names[t->channel], t->messenger);
	if (t->delivery != 0)
		printf("  d%lld %s", (long long)t->delivery, delivery_state_names[t->delivery_state]);
	if (t->answer[0] != '\0')
		printf("  -> %s", t->answer);
	putchar('\n');
	if (t->verdict == VERDICT_SEND)
		printf("    %s\n", compose_words(k->compose, k->language, "sent"));
	while (*p != '\0') {
		size_t len = strcspn(p, " ");

		snprintf(code, sizeof code, "%.*s", (int)len, p);
		printf("    %s\n", compose_words(k->compose, k->language, code));
		p += len + (p[len] == ' ');
	}
}

static int
why(struct command *c, const char *what)
{
	SCOPED(arena_free) struct arena *mem = arena_new("why", 4 << 20);
	struct telling k = { .compose = c->compose };
	int64_t delivery = 0, row;
	struct person *p = NULL;
	int rc = person_find(c->db, mem, what, &p);

	if (rc > 0 && what[0] == 'd' && parse_int(what + 1, 1, INT64_MAX, &delivery)) {
		rc = delivery_person(c->db, delivery, &row);
		if (rc == 0)
			rc = person_load(c->db, mem, row, &p);
	}
	if (rc > 0)
		fprintf(stderr, "nudge: '%s' is neither a person nor a delivery (d123)\n", what);
	if (rc != 0)
		return rc < 0 ? EXIT_CANNOT : EXIT_FINDINGS;
	k.zone = zone_find(p->time_zone[0] != '\0' ? p->time_zone : c->rb->house.time_zone);
	if (k.zone == NULL)
		k.zone = zone_find("UTC");
	k.language = p->language[0] != '\0' ? house_language(&c->rb->house, p->language) : 0;
	rc = look_note(c->db, "why", p->id, c->now);
	if (rc == 0)
		rc = decisions_of(c->db, p->row, delivery, 50, tell, &k);
	if (rc == 0 && k.n == 0)
		printf("Nothing was decided for %s yet; nudge plan --person %s shows what will be.\n",
		    p->id, p->id);
	return rc < 0 ? EXIT_CANNOT : EXIT_DONE;
}

int
cmd_why(struct command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1)
		return command_usage("usage: nudge why PERSON|DELIVERY\n\n"
				     "What was decided for a person and why, newest first, in the person's"
				     " language.\nThe look itself is put on record.\n",
		    help);
	if ((rc = command_rules(c)) != 0 || (rc = command_state(c)) != 0)
		return rc;
	return why(c, argv[0]);
}
