/*
 * demo: the whole way in one command, for a newcomer.  Loads the demo organisation, schedules and
 * approves two runs, simulates the past quarter with answers and writes one page that shows it.
 * Everything it does it does through the same functions as the other commands; again is harmless.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/simulation.h"
#include "compose/compose.h"
#include "compose/program.h"
#include "people/people.h"
#include "plan/decide.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "runs.h"
#include "store/db.h"

enum { DAYS_MAX = 200, SHOWN = 3, CARDS = 60, QUARTER = 92 };

/* A sent message of one of the three people whose timeline is shown. */
struct card {
	char person[80], campaign[80], message[80], messenger[40], time[INSTANT_TEXT];
	struct instant sent;
	int language, channel;
	int64_t number;
};
struct demo {
	struct day first;
	int sends[DAYS_MAX];
	int64_t total, held, waits, skips;
	char shown[SHOWN][80];
	struct card cards[CARDS];
	int n_shown, n_cards;
	const struct rulebase *rb;
};

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
	struct run_order o = { .campaign = campaign, .every = "", .audience = "{}", .start = start };
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

static bool
is_shown(struct demo *d, const char *person)
{
	for (int i = 0; i < d->n_shown; i++)
		if (strcmp(d->shown[i], person) == 0)
			return true;
	if (d->n_shown == SHOWN)
		return false;
	snprintf(d->shown[d->n_shown++], sizeof d->shown[0], "%s", person);
	return true;
}

static void
collect(void *arg, const struct decision_line *l)
{
	struct demo *d = arg;
	int day = civil_of_seconds(instant_floor(l->time) + l->offset).day.n - d->first.n;
	struct card *k;

	d->held += l->verdict == VERDICT_HELD;
	d->waits += l->verdict == VERDICT_WAIT;
	d->skips += l->verdict == VERDICT_SKIP;
	if (l->verdict != VERDICT_SEND)
		return;
	d->total++;
	if (day >= 0 && day < DAYS_MAX)
		d->sends[day]++;
	if (d->n_cards == CARDS || !is_shown(d, l->person))
		return;
	k = &d->cards[d->n_cards++];
	*k = (struct card){ .sent = l->time, .language = house_language(&d->rb->house, l->language),
		.number = l->number };
	snprintf(k->person, sizeof k->person, "%s", l->person);
	snprintf(k->campaign, sizeof k->campaign, "%s", l->campaign);
	snprintf(k->message, sizeof k->message, "%s", l->message);
	snprintf(k->messenger, sizeof k->messenger, "%s", l->messenger);
	instant_format(l->time, l->offset, k->time);
	for (int ch = 0; ch < CHANNELS; ch++)
		if (strcmp(channel_names[ch], l->channel) == 0)
			k->channel = ch;
}

static void
page_calendar(const struct demo *d, struct text *t)
{
	int most = 1;

	for (int i = 0; i < QUARTER; i++)
		most = d->sends[i] > most ? d->sends[i] : most;
	text_puts(t, "<div class=\"cal\">");
	for (int w = 0; w < 7; w++)
		text_addf(t, "<b>%.2s</b>", weekday_names[w]);
	for (int i = 0; i < day_weekday(d->first); i++)
		text_puts(t, "<i></i>");
	for (int i = 0; i <= QUARTER; i++) {
		char day[DAY_TEXT];

		text_addf(t, "<div style=\"background:rgba(11,107,80,%.2f)\"><small>%s</small>%d</div>",
		    (double)d->sends[i] / most * 0.6, day_format(day_add(d->first, i), day) + 5,
		    d->sends[i]);
	}
	text_puts(t, "</div>\n");
}

/* The message as its reader sees it, in a frame of its own without any rights. */
static void
page_message(struct command *c, struct arena *mem, const struct card *k, struct text *t)
{
	SCOPED(text_deinit) struct text html = { 0 };
	const struct campaign *campaign = rulebase_campaign(c->rb, k->campaign);
	const struct message *m = campaign != NULL ? campaign_message(campaign, k->message) : NULL;
	struct person *p;
	struct token_key key;
	int ms = house_messenger(&c->rb->house, k->messenger);

	if (m == NULL || ms < 0 || person_find(c->db, mem, k->person, &p) != 0)
		return;
	token_key_derive(0, &key);
	const struct messenger *who = &c->rb->house.messengers[ms];
	struct letter l = { .campaign = campaign, .message = m, .language = k->language,
		.channel = (enum channel)k->channel, .messenger = who,
		.messenger_name = who->name != NULL ? who->name : k->messenger, .to = p,
		.zone = zone_find(c->rb->house.time_zone), .occurrence = "demo/0", .number = k->number,
		.sent = k->sent, .expires = instant_add(k->sent, SPAN_DAYS(90)), .done_percent = -1,
		.team_done = -1 };

	compose_html(c->compose, &key, &l, &html);
	text_addf(t, "<h3>%.16s &middot; %s &middot; %s</h3><iframe sandbox loading=\"lazy\" srcdoc=\"",
	    k->time, channel_names[k->channel], k->messenger);
	add_html(t, text_string(&html), html.len);
	text_puts(t, "\"></iframe>\n");
}

static int
page_write(struct command *c, struct arena *mem, const struct demo *d, const char *path)
{
	SCOPED(text_deinit) struct text t = { 0 };

	text_puts(&t,
	    "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>nudged: a quarter"
	    "</title><meta name=\"viewport\" content=\"width=device-width\"><style>body{font:16px/1.5 "
	    "sans-serif;max-width:960px;margin:24px auto;padding:0 16px;color:#1c2522}.cal{display:grid;"
	    "grid-template-columns:repeat(7,1fr);gap:4px}.cal div{border:1px solid #c9d6d2;padding:6px;"
	    "min-height:44px}small{display:block;color:#5c6b66}iframe{width:100%;height:420px;border:1px "
	    "solid #c9d6d2}details{margin:8px 0}</style></head><body><h1>A quarter of nudges</h1>\n");
	text_addf(&t, "<p>%lld messages went out. %lld times somebody was in the comparison group, %lld "
		      "times a message waited for a fitting moment, and %lld times none was sent.</p>\n",
	    (long long)d->total, (long long)d->held, (long long)d->waits, (long long)d->skips);
	page_calendar(d, &t);
	for (int i = 0; i < d->n_shown; i++) {
		text_addf(&t, "<h2>What %s received</h2>\n", d->shown[i]);
		for (int k = 0; k < d->n_cards; k++)
			if (strcmp(d->cards[k].person, d->shown[i]) == 0)
				page_message(c, mem, &d->cards[k], &t);
	}
	text_puts(&t, "</body></html>\n");
	return file_write(path, text_string(&t), t.len, 0) < 0 ? EXIT_CANNOT : 0;
}

static int
simulate(struct command *c, struct arena *mem, struct demo *d)
{
	struct simulation s = { .fresh = true, .seed = 1, .on_decision = collect, .arg = d };
	const struct zone *z = zone_find(c->rb->house.time_zone);
	int rc;

	s.from = zone_instant(z, (struct civil){ d->first, 0 });
	s.to = c->now;
	s.answers = arena_printf(mem, "%s/../demo/answers.yaml", c->settings.words);
	token_key_derive(s.seed, &s.key);
	d->rb = c->rb;
	rc = simulation_run(c, &s);
	if (rc == 0)
		printf("3. the past quarter, simulated: %lld messages, %lld answers\n", (long long)d->total,
		    (long long)s.answered);
	return rc;
}

static void
next_steps(const struct command *c, const char *page)
{
	printf("4. %s shows it: a calendar, and what three people received\n\n", page);
	printf("The spool of the real-time daemon is %s/spool\n\nWorth typing next:\n", c->settings.state);
	static const char *const tries[] = { "check", "plan --person E0001",
		"preview bravo-week/lunch-walk", "why E0001", "status --deep" };

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		printf("  build/nudge --state %s --rules %s %s\n", c->settings.state, c->settings.rules,
		    tries[i]);
}

int
cmd_demo(struct command *c, int argc, char **argv)
{
	SCOPED(arena_free) struct arena *mem = arena_new("demo", (size_t)256 << 20);
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct demo *d;
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
	d = calloc(1, sizeof *d);
	if (d == NULL)
		abort();
	d->first = day_add(civil_of_seconds(instant_floor(c->now)).day, -QUARTER);
	printf("2. the rule base %.12s has %zu campaigns and no error\n", c->rb->hash,
	    c->rb->n_campaigns);
	rc = run_ready(c, mem, "bravo-week", d->first);
	if (rc == 0)
		rc = run_ready(c, mem, "yearly-talk", d->first);
	if (rc == 0)
		rc = simulate(c, mem, d);
	page = arena_printf(mem, "%s/quarter.html", c->settings.state);
	if (rc == 0 && (rc = command_rules(c)) == 0)
		rc = page_write(c, mem, d, page);
	if (rc == 0)
		next_steps(c, page);
	free(d);
	return rc;
}
