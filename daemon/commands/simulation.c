#include "commands/simulation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "commands/commands_db.h"
#include "plan/decide.h"
#include "rules/fields.h"
#include "rules/findings.h"
#include "rules/yaml.h"
#include "store/db.h"

enum { RULES_MAX = 200 };

/* One line of the answers file. */
struct answering {
	struct words campaign, message, angle, frame, channel, messenger;
	int64_t repeat_min, repeat_max;
	const char *answer;
	double rate;
	struct span delay;
};
/* An answer somebody will give. */
struct coming {
	struct instant at;
	char person[80], run[120], answer[80];
};
struct acting {
	struct simulation *s;
	struct engine *engine;
	size_t n_rules;
	struct answering rules[RULES_MAX];
	size_t n, room;
	struct coming *coming; /* a heap by time, earliest first */
};

#define MATCH(m) offsetof(struct answering, m)
static const struct field when_fields[] = {
	{ "campaign", FIELD_WORDS, MATCH(campaign), .help = "" },
	{ "message", FIELD_WORDS, MATCH(message), .help = "" },
	{ "angle", FIELD_WORDS, MATCH(angle), .help = "" },
	{ "frame", FIELD_WORDS, MATCH(frame), .help = "" },
	{ "channel", FIELD_WORDS, MATCH(channel), .help = "" },
	{ "messenger", FIELD_WORDS, MATCH(messenger), .help = "" },
	{ "repeat", FIELD_RANGE, MATCH(repeat_min), MATCH(repeat_max), .help = "" },
	{ 0 },
};
static const struct field answering_fields[] = {
	{ "when", FIELD_MAP, .sub = when_fields, .help = "which messages" },
	{ "answer", FIELD_TEXT, MATCH(answer), .needed = true, .help = "what they answer" },
	{ "rate", FIELD_SHARE, MATCH(rate), .needed = true, .help = "12%" },
	{ "delay", FIELD_SPAN, MATCH(delay), .help = "2 hours" },
	{ 0 },
};

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

static int
answers_read(struct acting *a, struct arena *mem, const char *path)
{
	SCOPED(findings_done) struct findings *f = findings_new("");
	SCOPED(text_deinit) struct text bytes = { 0 };
	struct loading l = { .mem = mem, .f = f };
	const struct pair *list;
	struct node *root;

	if (file_read(path, YAML_BYTES, &bytes) != 0) {
		fprintf(stderr, "nudge: %s cannot be read\n", path);
		return EXIT_CANNOT;
	}
	root = yaml_read(mem, path, 1, arena_copyn(mem, bytes.s, bytes.len), bytes.len, f);
	list = node_find(root, "answers");
	if (root != NULL && (list == NULL || list->value->kind != NODE_LIST))
		finding_add(f, "E003", root->place, "expected answers: [{ when: ..., answer: yes, rate: 12%% }]");
	for (size_t i = 0; list != NULL && i < list->value->n && a->n_rules < RULES_MAX; i++) {
		struct answering *r = &a->rules[a->n_rules++];

		*r = (struct answering){ .repeat_min = -1, .repeat_max = -1 };
		fields_read(&l, answering_fields, list->value->pairs[i].value, r);
	}
	findings_print_text(f, stderr, false);
	return findings_errors(f) > 0 ? EXIT_FINDINGS : 0;
}

static void
heap_push(struct acting *a, const struct coming *c)
{
	size_t i = a->n++;

	if (a->n > a->room) {
		a->room = a->room == 0 ? 64 : a->room * 2;
		a->coming = reallocarray(a->coming, a->room, sizeof *a->coming);
		if (a->coming == NULL)
			abort();
	}
	for (; i > 0 && instant_before(c->at, a->coming[(i - 1) / 2].at); i = (i - 1) / 2)
		a->coming[i] = a->coming[(i - 1) / 2];
	a->coming[i] = *c;
}

static struct coming
heap_pop(struct acting *a)
{
	struct coming first = a->coming[0], last = a->coming[--a->n];
	size_t i = 0, kid;

	while ((kid = 2 * i + 1) < a->n) {
		if (kid + 1 < a->n && instant_before(a->coming[kid + 1].at, a->coming[kid].at))
			kid++;
		if (!instant_before(a->coming[kid].at, last.at))
			break;
		a->coming[i] = a->coming[kid];
		i = kid;
	}
	if (a->n > 0)
		a->coming[i] = last;
	return first;
}

static bool
fits(const struct words *w, const char *value)
{
	return w->n == 0 || (value != NULL && parse_word(value, w->v, w->n) >= 0);
}

static bool
rule_fits(const struct answering *r, const struct decision_line *l)
{
	return fits(&r->campaign, l->campaign) && fits(&r->message, l->message) &&
	       fits(&r->angle, l->angle) && fits(&r->frame, l->frame) &&
	       fits(&r->channel, l->channel) && fits(&r->messenger, l->messenger) &&
	       (r->repeat_min < 0 || l->number >= r->repeat_min) &&
	       (r->repeat_max < 0 || l->number <= r->repeat_max);
}

static void
on_decision(void *arg, const struct decision_line *l)
{
	struct acting *a = arg;

	a->s->decisions++;
	if (a->s->on_decision != NULL)
		a->s->on_decision(a->s->arg, l);
	if (l->verdict != VERDICT_SEND)
		return;
	for (size_t i = 0; i < a->n_rules; i++) {
		const struct answering *r = &a->rules[i];
		struct coming c = { .at = instant_add(l->time, r->delay) };

		if (!rule_fits(r, l))
			continue;
		if (dice_unit(a->s->seed, "answer", hash_string(l->person) ^ hash_string(l->run),
			hash_string(l->occurrence)) < r->rate) {
			snprintf(c.person, sizeof c.person, "%s", l->person);
			snprintf(c.run, sizeof c.run, "%s", l->run);
			snprintf(c.answer, sizeof c.answer, "%s", r->answer);
			heap_push(a, &c);
		}
		return; /* the first match wins */
	}
}

static void
progress(const struct simulation *s, struct instant now, int *last)
{
	int percent = (int)((double)(now.us - s->from.us) * 100 / (double)(s->to.us - s->from.us + 1));

	if (percent == *last || !isatty(STDERR_FILENO))
		return;
	*last = percent;
	fprintf(stderr, "\r  [%-40.*s] %3d %%", percent * 40 / 100,
	    "########################################", percent);
}

/* The next answer; one that comes too late, after a stop for instance, counts for nothing. */
static int
answer_give(struct acting *a)
{
	struct coming c = heap_pop(a);
	int rc = engine_answer(a->engine, c.person, c.run, c.answer, c.at);

	if (rc == ENGINE_DONE) {
		a->s->answered++;
		if (a->s->on_answer != NULL)
			a->s->on_answer(a->s->arg, c.person, c.run, c.answer, c.at);
	}
	return rc;
}

static int
act(struct acting *a)
{
	struct simulation *s = a->s;
	struct instant now = s->from, next;
	int percent = -1;

	while (!instant_before(s->to, now)) {
		while (a->n > 0 && !instant_before(now, a->coming[0].at)) {
			if (answer_give(a) < 0)
				return EXIT_CANNOT;
		}
		if (engine_tick(a->engine, now, &next) < 0)
			return EXIT_CANNOT;
		progress(s, now, &percent);
		if (a->n > 0 && instant_before(a->coming[0].at, next))
			next = a->coming[0].at;
		if (next.us == INT64_MAX)
			break;
		now = instant_before(now, next) ? next : instant_add(now, SPAN_MINUTES(1));
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%60s\r", "");
	return EXIT_DONE;
}

int
simulation_run(struct command *c, struct simulation *s)
{
	SCOPED(arena_free) struct arena *mem = arena_new("simulation", 64 << 20);
	struct acting *a = calloc(1, sizeof *a);
	struct engine_options o = { .settings = &c->settings, .key = s->key, .seed = s->seed,
		.on_decision = on_decision, .arg = a, .spool = s->spool };
	struct db *copy = NULL;
	int rc;

	if (a == NULL)
		abort();
	a->s = s;
	rc = s->answers != NULL ? answers_read(a, mem, s->answers) : 0;
	if (rc == 0 && (db_open_memory(&copy) < 0 || db_copy(c->db, copy) < 0 ||
			   (s->fresh && history_forget(copy) < 0)))
		rc = EXIT_CANNOT;
	o.db = copy;
	if (rc == 0) {
		rc = engine_new(&o, c->rb, c->compose, &a->engine) < 0 ? EXIT_CANNOT : 0;
		c->rb = NULL;
		c->compose = NULL;
	}
	if (rc == 0)
		rc = act(a);
	engine_free(&a->engine);
	db_close(&copy);
	free(a->coming);
	free(a);
	return rc;
}
