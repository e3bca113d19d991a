#include "commands/quarter.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/look.h"
#include "compose/compose.h"
#include "compose/template.h"
#include "engine.h"
#include "people/people.h"
#include "plan/decide.h"
#include "plan/zone.h"
#include "rules/rulebase.h"

enum { SHOWN = 3, FEW = 15, REASONS_HELD = 64, TEMPLATE_BYTES = 1 << 20 };

/* One sent message, or one answer. */
struct sent {
	char person[80], run[120], campaign[80], message[80], messenger[40], language[16], answer[80];
	char why[8][40];
	int n_why, channel;
	struct instant at;
	int64_t number;
};
struct counted {
	char code[40];
	int64_t n;
};
struct quarter {
	struct day first, last;
	size_t n, room;
	struct sent *sent;
	size_t n_answers, answers_room;
	struct sent *answers;
	int64_t *per_day;
	size_t n_held;
	struct counted held[REASONS_HELD]; /* what did not go, by its first reason */
};

struct quarter *
quarter_new(struct day first, struct day last)
{
	struct quarter *q = calloc(1, sizeof *q);

	if (q == NULL)
		abort();
	q->first = first;
	q->last = last;
	q->per_day = calloc((size_t)(last.n - first.n + 1), sizeof *q->per_day);
	if (q->per_day == NULL)
		abort();
	return q;
}

void
quarter_free(struct quarter **q)
{
	if (*q != NULL) {
		free((*q)->sent);
		free((*q)->answers);
		free((*q)->per_day);
	}
	free(*q);
	*q = NULL;
}

int64_t
quarter_sent(const struct quarter *q)
{
	return (int64_t)q->n;
}

static struct sent *
sent_add(struct sent **list, size_t *n, size_t *room)
{
	if (*n == *room) {
		*room = *room == 0 ? 256 : *room * 2;
		*list = reallocarray(*list, *room, sizeof **list);
		if (*list == NULL)
			abort();
	}
	memset(&(*list)[*n], 0, sizeof **list);
	return &(*list)[(*n)++];
}

static void
held_count(struct quarter *q, const char *code)
{
	for (size_t i = 0; i < q->n_held; i++)
		if (strcmp(q->held[i].code, code) == 0) {
			q->held[i].n++;
			return;
		}
	if (q->n_held == REASONS_HELD)
		return;
	snprintf(q->held[q->n_held].code, sizeof q->held[0].code, "%s", code);
	q->held[q->n_held++].n = 1;
}

void
quarter_decision(void *arg, const struct decision_line *l)
{
	struct quarter *q = arg;
	struct day day = civil_of_seconds(instant_floor(l->time) + l->offset).day;
	struct sent *s;

	if (l->verdict != VERDICT_SEND) {
		if (l->n_reasons > 0)
			held_count(q, l->reasons[0]);
		return;
	}
	if (day.n >= q->first.n && day.n <= q->last.n)
		q->per_day[day.n - q->first.n]++;
	s = sent_add(&q->sent, &q->n, &q->room);
	s->at = l->time;
	s->number = l->number;
	snprintf(s->person, sizeof s->person, "%s", l->person);
	snprintf(s->run, sizeof s->run, "%s", l->run);
	snprintf(s->campaign, sizeof s->campaign, "%s", l->campaign);
	snprintf(s->message, sizeof s->message, "%s", l->message);
	snprintf(s->messenger, sizeof s->messenger, "%s", l->messenger);
	snprintf(s->language, sizeof s->language, "%s", l->language);
	for (int ch = 0; ch < CHANNELS; ch++)
		if (strcmp(channel_names[ch], l->channel) == 0)
			s->channel = ch;
	for (int i = 0; i < l->n_reasons && s->n_why < 8; i++)
		snprintf(s->why[s->n_why++], sizeof s->why[0], "%s", l->reasons[i]);
}

void
quarter_answer(
    void *arg, const char *person, const char *run, const char *answer, struct instant at)
{
	struct quarter *q = arg;
	struct sent *s = sent_add(&q->answers, &q->n_answers, &q->answers_room);

	s->at = at;
	snprintf(s->person, sizeof s->person, "%s", person);
	snprintf(s->run, sizeof s->run, "%s", run);
	snprintf(s->answer, sizeof s->answer, "%s", answer);
}

/* ---- figures ---- */

static int
by_person_and_time(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;
	int order = strcmp(x->person, y->person);

	return order != 0 ? order : (x->at.us > y->at.us) - (x->at.us < y->at.us);
}

/* One person's messages: a stretch of the list sorted by person. */
struct stretch {
	size_t from, n;
	int score;
};

/* How much a timeline shows: channels, messengers, campaigns, answers. */
static int
timeline_score(const struct quarter *q, const struct sent *sorted, const struct stretch *s)
{
	unsigned channels = 0, messengers = 0;
	int answers = 0;

	for (size_t i = s->from; i < s->from + s->n; i++) {
		channels |= 1u << sorted[i].channel;
		messengers |= 1u << hash_string(sorted[i].messenger) % 32;
	}
	for (size_t i = 0; i < q->n_answers; i++)
		answers += strcmp(q->answers[i].person, sorted[s->from].person) == 0;
	return 5 * __builtin_popcount(channels) + 2 * __builtin_popcount(messengers) +
	       (answers > 0 ? 4 : 0) + (s->n >= 4 && s->n <= 7 ? 3 : 0) +
	       (strcmp(sorted[s->from].campaign, sorted[s->from + s->n - 1].campaign) != 0 ? 2 : 0);
}

static int
by_score(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return x->score != y->score ? (x->score < y->score ? 1 : -1)
				    : (x->from > y->from) - (x->from < y->from);
}

static bool
is_thanks(const struct sent *s)
{
	for (int i = 0; i < s->n_why; i++)
		if (strcmp(s->why[i], reason_codes[REASON_THANKS]) == 0)
			return true;
	return false;
}

/* The most messages that one person got within seven days, without the thanks for answers. */
static int64_t
busiest_week(const struct sent *sorted, size_t n)
{
	int64_t most = 0, now = 0;

	for (size_t from = 0, i = 0; i < n; i++) {
		now += !is_thanks(&sorted[i]);
		while (strcmp(sorted[from].person, sorted[i].person) != 0 ||
		       !instant_before(sorted[i].at, instant_add(sorted[from].at, SPAN_WEEK)))
			now -= !is_thanks(&sorted[from++]);
		most = now > most ? now : most;
	}
	return most;
}

static size_t
stretches_of(const struct quarter *q, const struct sent *sorted, struct stretch *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++) {
		if (i == 0 || strcmp(sorted[i].person, sorted[i - 1].person) != 0)
			ret[n++] = (struct stretch){ .from = i };
		ret[n - 1].n++;
	}
	for (size_t i = 0; i < n; i++)
		ret[i].score = timeline_score(q, sorted, &ret[i]);
	return n;
}

/* ---- the page's data ---- */

static const char *
words(struct command *c, const char *key)
{
	return compose_words(c->compose, 0, key);
}

/* The sentence for a word of the rule base, such as an angle; the word itself when there is none. */
static const char *
word_for(struct command *c, struct arena *mem, const char *kind, const char *word)
{
	const char *key = arena_printf(mem, "%s-%s", kind, word), *s = words(c, key);

	return strcmp(s, key) == 0 ? word : s;
}

/* The i-th word of a sentence of config/words: names of days and months. */
static const char *
nth_word(struct command *c, struct arena *mem, const char *key, int i)
{
	const char *s = words(c, key);

	while (i-- > 0 && strchr(s, ' ') != NULL)
		s = strchr(s, ' ') + 1;
	return arena_copyn(mem, s, strcspn(s, " "));
}

static const char *
day_words(struct command *c, struct arena *mem, struct day d)
{
	int year, month, mday;

	day_split(d, &year, &month, &mday);
	return arena_printf(mem, "%s %d %s", nth_word(c, mem, "weekdays", day_weekday(d)), mday,
	    nth_word(c, mem, "months", month - 1));
}

/* No figure that points at few people (RELIABILITY.md 6). */
static json_t *
guarded(struct arena *mem, int64_t n)
{
	return json_string(
	    n < FEW ? arena_printf(mem, "< %d", FEW) : arena_printf(mem, "%lld", (long long)n));
}

static json_t *
calendar_data(struct command *c, struct arena *mem, const struct quarter *q)
{
	json_t *weeks = json_array(), *days = NULL;
	int64_t most = 1;
	int shown = 0;

	for (int32_t i = 0; i <= q->last.n - q->first.n; i++)
		most = q->per_day[i] > most ? q->per_day[i] : most;
	for (int32_t n = q->first.n - day_weekday(q->first); n <= q->last.n; n++) {
		struct day d = { n };
		bool inside = n >= q->first.n;
		int64_t sends = inside ? q->per_day[n - q->first.n] : 0;
		int year, month, mday;

		day_split(d, &year, &month, &mday);
		if (day_weekday(d) == 0) {
			days = json_array();
			json_array_append_new(weeks,
			    json_pack("{s:o,s:s}", "days", days, "month",
				month == shown ? "" : arena_printf(mem, "%.3s", nth_word(c, mem, "months", month - 1))));
			shown = month;
		}
		json_array_append_new(days,
		    json_pack("{s:b,s:i,s:b,s:b,s:I,s:s,s:s}", "inside", inside, "day", mday, "off",
			(c->rb->house.days_off & 1u << day_weekday(d)) != 0, "some", sends > 0, "sends",
			(json_int_t)sends, "name", day_words(c, mem, d), "shade",
			arena_printf(mem, "%.2f", sends == 0 ? 0.0 : 0.10 + 0.50 * (double)sends / (double)most)));
	}
	return weeks;
}

static int
by_count(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->code, y->code);
}

static json_t *
held_data(struct command *c, struct arena *mem, const struct quarter *q)
{
	struct counted *sorted = arena_alloc(mem, q->n_held + 1, sizeof *sorted);
	json_t *list = json_array();

	if (q->n_held > 0)
		memcpy(sorted, q->held, q->n_held * sizeof *sorted);
	qsort(sorted, q->n_held, sizeof *sorted, by_count);
	for (size_t i = 0; i < q->n_held; i++)
		json_array_append_new(list,
		    json_pack("{s:s,s:o}", "why", words(c, sorted[i].code), "n", guarded(mem, sorted[i].n)));
	return list;
}

/* The answer that came after this message, and not after the next one of the same run. */
static const struct sent *
answer_to(const struct quarter *q, const struct sent *s, const struct sent *end)
{
	const struct sent *next = s + 1, *found = NULL;

	while (next < end && strcmp(next->run, s->run) != 0)
		next++;
	for (size_t i = 0; i < q->n_answers; i++) {
		const struct sent *a = &q->answers[i];

		if (strcmp(a->person, s->person) == 0 && strcmp(a->run, s->run) == 0 &&
		    instant_before(s->at, a->at) && (next == end || !instant_before(next->at, a->at)))
			found = a;
	}
	return found;
}

static json_t *
message_data(struct command *c, struct arena *mem, const struct quarter *q, const struct person *p,
    const struct sent *s, const struct sent *end)
{
	const struct campaign *k = rulebase_campaign(c->rb, s->campaign);
	const struct sent *a = answer_to(q, s, end);
	struct look look = { .person = p, .campaign = k, .message = campaign_message(k, s->message),
		.language = house_language(&c->rb->house, s->language), .channel = (enum channel)s->channel,
		.messenger = house_messenger(&c->rb->house, s->messenger), .at = s->at, .number = s->number };
	struct civil local = zone_civil(zone_find(c->rb->house.time_zone), s->at);
	json_t *why = json_array(), *item;

	for (int i = 0; i < s->n_why; i++)
		json_array_append_new(why, json_string(words(c, s->why[i])));
	item = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:b,s:s}", "date", day_words(c, mem, local.day),
	    "time", arena_printf(mem, "%02d:%02d", local.second / 3600, local.second / 60 % 60), "channel",
	    word_for(c, mem, "channel", channel_names[s->channel]), "campaign",
	    wording_in(&k->title, 0), "angle",
	    look.message->angle >= 0
		? word_for(c, mem, "angle", c->rb->house.angles.v[look.message->angle])
		: "",
	    "why", why, "answered", a != NULL, "answer",
	    a != NULL ? word_for(c, mem, "answer", a->answer) : "");
	look_data(c, mem, &look, item);
	return item;
}

static json_t *
people_data(struct command *c, struct arena *mem, const struct quarter *q,
    const struct sent *sorted, const struct stretch *best, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n && i < SHOWN; i++) {
		const struct sent *from = &sorted[best[i].from], *end = from + best[i].n;
		json_t *messages = json_array();
		struct person *p;

		if (person_find(c->db, mem, from->person, &p) != 0)
			continue;
		for (const struct sent *s = from; s < end; s++)
			json_array_append_new(messages, message_data(c, mem, q, p, s, end));
		json_array_append_new(list,
		    json_pack("{s:s,s:s,s:s,s:I,s:o}", "name", p->name, "id", p->id, "team", p->team, "n",
			(json_int_t)best[i].n, "messages", messages));
	}
	return list;
}

static json_t *
page_data(struct command *c, struct arena *mem, const struct quarter *q)
{
	struct sent *sorted = arena_alloc(mem, q->n + 1, sizeof *sorted);
	struct stretch *people = arena_alloc(mem, q->n + 1, sizeof *people);
	const struct house *h = &c->rb->house;
	size_t n;
	json_t *days = json_array();
	int year, month, mday;

	if (q->n > 0)
		memcpy(sorted, q->sent, q->n * sizeof *sorted);
	qsort(sorted, q->n, sizeof *sorted, by_person_and_time);
	n = stretches_of(q, sorted, people);
	qsort(people, n, sizeof *people, by_score);
	for (int i = 0; i < 7; i++)
		json_array_append_new(days, json_string(arena_printf(mem, "%.2s", nth_word(c, mem, "weekdays", i))));
	day_split(q->last, &year, &month, &mday);
	return json_pack("{s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o}", "organisation",
	    c->settings.organisation, "from", day_words(c, mem, q->first), "until",
	    day_words(c, mem, q->last), "year", year, "sent", (json_int_t)q->n, "reached", (json_int_t)n,
	    "answered", (json_int_t)q->n_answers, "busiest", (json_int_t)busiest_week(sorted, q->n), "week",
	    (json_int_t)h->budget_week, "month", (json_int_t)h->budget_month, "weekdays", days, "weeks",
	    calendar_data(c, mem, q), "held", held_data(c, mem, q), "people",
	    people_data(c, mem, q, sorted, people, n));
}

/* The parts of the page that all languages share lie beside it; they stay in the arena. */
struct partials {
	struct arena *mem;
	const char *folder;
};

static const char *
partial_read(void *arg, const char *name)
{
	const struct partials *p = arg;
	SCOPED(text_deinit) struct text t = { 0 };

	if (strchr(name, '/') != NULL ||
	    file_read(arena_printf(p->mem, "%s/%s.mustache", p->folder, name), TEMPLATE_BYTES, &t) != 0)
		return NULL;
	return arena_copyn(p->mem, text_string(&t), t.len);
}

int
quarter_write(struct command *c, const struct quarter *q, const char *path)
{
	SCOPED(arena_free) struct arena *mem = arena_new("quarter", 256 << 20);
	SCOPED(text_deinit) struct text source = { 0 };
	SCOPED(text_deinit) struct text out = { 0 };
	struct template_error err;
	struct template *t;
	json_t *data;
	struct partials p = { mem, arena_printf(mem, "%s/../demo", c->settings.words) };
	const char *from =
	    arena_printf(mem, "%s/quarter.%s.mustache", p.folder, c->rb->house.languages[0]);
	int rc;

	if (file_read_quiet(from, TEMPLATE_BYTES, &source) != 0) {
		from = arena_printf(mem, "%s/quarter.en.mustache", p.folder);
		if (file_read(from, TEMPLATE_BYTES, &source) != 0)
			return EXIT_CANNOT;
	}
	t = template_compile(mem, text_string(&source), source.len, &err);
	if (t == NULL) {
		fprintf(stderr, "%s:%d:%d: error[E007]: %s\n", from, err.line, err.column, err.what);
		return EXIT_CANNOT;
	}
	data = page_data(c, mem, q);
	rc = template_render_json(t, data, partial_read, &p, &out);
	json_decref(data);
	return rc < 0 || file_write(path, text_string(&out), out.len, 0) < 0 ? EXIT_CANNOT : EXIT_DONE;
}
