/* The tables of the three kinds of document: house.yaml, campaign.yaml, a message's front matter. */
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "rules/fields.h"

#define HOUSE(m) offsetof(struct house, m)
#define CAMPAIGN(m) offsetof(struct campaign, m)
#define MESSAGE(m) offsetof(struct message, m)
#define WORDS(list) .words = (list), .n_words = sizeof(list) / sizeof *(list)

/* ---- house.yaml ---- */

static void
languages_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct house *h = into;
	struct words w;

	(void)fd;
	if (!read_words(l, n, "a language such as nl", &w))
		return;
	if (w.n > LANGUAGES_MAX) {
		finding_add(l->f, "E011", n->place, "more than %d languages", LANGUAGES_MAX);
		return;
	}
	for (size_t i = 0; i < w.n; i++)
		h->languages[h->n_languages++] = w.v[i];
}

static const char *const froms[] = { "fixed", "team_manager", "ambassadors" };

static const struct field messenger_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct messenger, name), .help = "name as readers see it" },
	{ "reply_to", FIELD_TEXT, offsetof(struct messenger, reply_to),
	    .help = "address that reads answers" },
	{ "from", FIELD_CHOICE, offsetof(struct messenger, from), WORDS(froms),
	    .help = "team_manager or ambassadors: a person, found per reader" },
	{ 0 },
};

static void
messengers_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct house *h = into;

	(void)fd;
	if (n->kind != NODE_MAP || n->n > 32) {
		finding_add(l->f, "E003", n->place, "expected up to 32 messengers: hr: { name: Team HR }");
		return;
	}
	h->messengers = arena_alloc(l->mem, n->n + 1, sizeof *h->messengers);
	for (size_t i = 0; i < n->n; i++) {
		struct messenger *m = &h->messengers[h->n_messengers++];

		m->id = n->pairs[i].key;
		m->place = n->pairs[i].key_place;
		fields_read(l, messenger_fields, n->pairs[i].value, m);
		if (m->from == MESSENGER_FIXED && m->name == NULL)
			finding_add(l->f, "E003", m->place,
			    "messenger '%s' needs a name, or from: team_manager or ambassadors", m->id);
	}
}

static void
avoid_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct house *h = into;

	(void)fd;
	if (n->kind != NODE_MAP) {
		finding_add(l->f, "E003", n->place, "expected pairs: word to avoid: \"better word\"");
		return;
	}
	h->avoid = arena_alloc(l->mem, n->n + 1, sizeof *h->avoid);
	for (size_t i = 0; i < n->n; i++)
		if (read_text(l, n->pairs[i].value, "the better word", &h->avoid[h->n_avoid].better))
			h->avoid[h->n_avoid++].avoid = n->pairs[i].key;
}

static void
holidays_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct house *h = into;

	(void)fd;
	if (!read_words(l, n, "a file name", &h->holidays))
		return;
	h->holiday_places = arena_alloc(l->mem, h->holidays.n + 1, sizeof *h->holiday_places);
	for (size_t i = 0; i < h->holidays.n; i++)
		h->holiday_places[i] = n->kind == NODE_LIST ? n->pairs[i].value->place : n->place;
}

static const struct field rest_fields[] = {
	{ "quiet", FIELD_WINDOW, HOUSE(quiet), .help = "hours without messages, e.g. 18:00-08:00" },
	{ "days_off", FIELD_WEEKDAYS, HOUSE(days_off), .help = "weekdays without messages" },
	{ "holidays", FIELD_OWN, .own = holidays_own, .help = ".ics files of this rule base" },
	{ 0 },
};
static const struct field budget_fields[] = {
	{ "week", FIELD_INT, HOUSE(budget_week), .max = 1000, .help = "contacts in seven days" },
	{ "month", FIELD_INT, HOUSE(budget_month), .max = 5000, .help = "contacts in thirty days" },
	{ "gap", FIELD_SPAN, HOUSE(budget_gap), .help = "least time between two contacts" },
	{ 0 },
};
static const struct field privacy_fields[] = {
	{ "smallest_group", FIELD_INT, HOUSE(smallest_group), .min = 15, .max = 100000,
	    .help = "no figure about fewer people; 15 is the floor" },
	{ "keep_answers", FIELD_PERIOD, HOUSE(keep_answers), .help = "then only counts are left" },
	{ 0 },
};
static const struct field style_fields[] = {
	{ "level", FIELD_TEXT, HOUSE(level), .help = "reading level of the CEFR, e.g. B1" },
	{ "avoid", FIELD_OWN, .own = avoid_own, .help = "words to avoid with the better word" },
	{ 0 },
};

const struct field house_fields[] = {
	{ "languages", FIELD_OWN, .needed = true, .own = languages_own,
	    .help = "language tags; the first is the fallback" },
	{ "time_zone", FIELD_TEXT, HOUSE(time_zone), .needed = true,
	    .help = "an IANA zone such as Europe/Amsterdam" },
	{ "angles", FIELD_WORDS, HOUSE(angles), .needed = true, .help = "the angles of the house" },
	{ "messengers", FIELD_OWN, .needed = true, .own = messengers_own,
	    .help = "who speaks" },
	{ "rest", FIELD_MAP, .sub = rest_fields, .help = "when everybody is left alone" },
	{ "budget", FIELD_MAP, .sub = budget_fields, .help = "contacts a person, over all campaigns" },
	{ "privacy", FIELD_MAP, .sub = privacy_fields, .help = "groups and how long answers are kept" },
	{ "style", FIELD_MAP, .sub = style_fields, .help = "reading level and words to avoid" },
	{ "approvals", FIELD_WORDS, HOUSE(approvals),
	    .help = "roles that sign a run before it sends" },
	{ 0 },
};

/* ---- campaign.yaml ---- */

static const char *const behaviours[] = { "planned", "low-involvement", "automatic" };
static const char *const lacks[] = { "capability", "opportunity", "motivation" };
static const char *const learns[] = { "none", "angle", "message", "channel", "messenger" };
static const char *const units[] = { "person", "team" };

static void
behaviour_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;
	int i;

	(void)fd;
	if (read_choice(l, n, behaviours, 3, &i))
		c->aim.behaviour = behaviours[i];
}

static void
unit_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;
	int i;

	(void)fd;
	if (!read_choice(l, n, units, 2, &i))
		return;
	c->unit_team = i == 1;
	if (c->unit_team)
		finding_add(l->f, "E004", n->place,
		    "'team' is not in this version: messages go to single persons; write unit: person, or "
		    "leave it out");
}

static void
later_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	(void)into;
	finding_add(l->f, "E002", n->place, "'%s' is %s", fd->name, fd->help);
}

static void
audience_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;
	const struct pair *reason = node_find(n, "reason");

	(void)fd;
	read_cond(l, n, &c->audience);
	if (reason != NULL)
		read_text(l, reason->value, "a sentence", &c->audience_reason);
}

static void
channels_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;
	const struct pair *together = node_find(n, "together");
	int ch;

	(void)fd;
	if (n->kind != NODE_MAP) {
		unsigned bits = 0;
		struct words w;

		if (!read_words(l, n, "a channel", &w))
			return;
		for (size_t i = 0; i < w.n; i++)
			if (read_choice(l, n->kind == NODE_LIST ? n->pairs[i].value : n, channel_names,
				CHANNELS, &ch))
				bits |= 1u << ch;
		for (unsigned i = 0; i < CHANNELS; i++)
			c->weights[i] = bits & 1u << i ? 1 : 0;
		return;
	}
	if (together != NULL) {
		c->together = true;
		channels_own(l, fd, together->value, into);
	}
	for (size_t i = 0; i < n->n; i++) {
		int64_t weight;

		if (strcmp(n->pairs[i].key, "together") == 0)
			continue;
		ch = parse_word(n->pairs[i].key, channel_names, CHANNELS);
		if (ch < 0)
			finding_word(l->f, "E004", n->pairs[i].key_place, n->pairs[i].key, channel_names,
			    CHANNELS, "'%.40s' is not a channel", n->pairs[i].key);
		else if (read_int(l, n->pairs[i].value, 0, 100, &weight))
			c->weights[ch] = (unsigned)weight;
	}
}

static void
vary_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;
	size_t count = n->kind == NODE_LIST ? n->n : 1;

	(void)fd;
	for (size_t i = 0; i < count; i++) {
		const struct node *one = n->kind == NODE_LIST ? n->pairs[i].value : n;
		int axis;

		if (!read_choice(l, one, vary_names, VARY_AXES, &axis))
			continue;
		for (size_t j = 0; j < c->n_vary; j++)
			if (c->vary[j] == (enum vary_axis)axis)
				axis = -1;
		if (axis < 0)
			finding_add(l->f, "E005", one->place, "'%s' stands twice", one->text);
		else
			c->vary[c->n_vary++] = (enum vary_axis)axis;
	}
}

static const struct field answer_fields[] = {
	{ "is", FIELD_TEXT, offsetof(struct answer, is), .help = "the outcome it counts as" },
	{ "thanks", FIELD_TEXT, offsetof(struct answer, thanks), .help = "message sent in return" },
	{ "stage", FIELD_TEXT, offsetof(struct answer, stage), .help = "stage the person moves to" },
	{ "next", FIELD_PERIOD, offsetof(struct answer, next), .help = "nothing before this" },
	{ 0 },
};

static void
answers_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct campaign *c = into;

	(void)fd;
	if (n->kind != NODE_MAP || n->n > 200) {
		finding_add(l->f, "E003", n->place, "expected answers: yes: { is: signed_up }");
		return;
	}
	c->answers = arena_alloc(l->mem, n->n + 1, sizeof *c->answers);
	for (size_t i = 0; i < n->n; i++) {
		struct answer *a = &c->answers[c->n_answers++];

		a->id = n->pairs[i].key;
		a->place = n->pairs[i].key_place;
		fields_read(l, answer_fields, n->pairs[i].value, a);
		if (a->stage != NULL && parse_word(a->stage, stage_names, 5) < 0)
			finding_word(l->f, "E004", a->place, a->stage, stage_names, 5,
			    "'%.40s' is not a stage of change", a->stage);
	}
}

static void
then_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	static const char *const turns[] = { "change", "slow", "stop" };
	static const enum follow_up as[] = { FOLLOW_CHANGE, FOLLOW_SLOW, FOLLOW_STOP };
	struct campaign *c = into;
	const char *word;
	int i;

	(void)fd;
	if (!read_text(l, n, "a message, or change, slow or stop", &word))
		return;
	i = parse_word(word, turns, 3);
	c->unanswered_then = i >= 0 ? as[i] : FOLLOW_MESSAGE;
	c->unanswered_message = i >= 0 ? NULL : word;
}

#define RHYTHM(m) offsetof(struct campaign, rhythm.m)
static const struct field rhythm_fields[] = {
	{ "every", FIELD_PERIOD, RHYTHM(every), .help = "2 weeks" },
	{ "on", FIELD_WEEKDAYS, RHYTHM(on), .help = "weekdays" },
	{ "at", FIELD_WINDOW, RHYTHM(at), .help = "window of the day, spread over the people" },
	{ "times", FIELD_INT, RHYTHM(times), .min = 1, .max = 10000, .help = "how many moments" },
	{ "late", FIELD_SPAN, RHYTHM(late), .help = "a missed moment older than this is skipped" },
	{ "after", FIELD_PERIODS, RHYTHM(after), RHYTHM(n_after),
	    .help = "distances from the start" },
	{ "then", FIELD_PERIOD, RHYTHM(then), .help = "and after those, every ..." },
	{ "around", FIELD_TEXT, RHYTHM(around), .help = "a date column of the roster" },
	{ "days", FIELD_DAYS, RHYTHM(days), RHYTHM(n_days), .help = "days before (-) or after it" },
	{ "yearly", FIELD_BOOL, RHYTHM(yearly), .help = "again each year" },
	{ "on_event", FIELD_TEXT, RHYTHM(event), .help = "an event told by nudge event" },
	{ "rrule", FIELD_TEXT, RHYTHM(rrule), .help = "RFC 5545, FREQ=MONTHLY;BYDAY=2TU" },
	{ 0 },
};

static void
rhythm_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	static const struct {
		const char *key;
		enum rhythm_kind kind;
	} kinds[] = { { "every", RHYTHM_EVERY }, { "around", RHYTHM_AROUND },
		{ "on_event", RHYTHM_ON_EVENT }, { "rrule", RHYTHM_RRULE }, { "after", RHYTHM_AFTER } };
	struct campaign *c = into;
	const char *first = NULL;

	(void)fd;
	c->rhythm.place = n->place;
	fields_read(l, rhythm_fields, n, c);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct pair *p = node_find(n, kinds[i].key);

		if (p == NULL || (kinds[i].kind == RHYTHM_AFTER && first != NULL &&
				     c->rhythm.kind == RHYTHM_ON_EVENT))
			continue;
		if (first != NULL) {
			finding_add(l->f, "E003", p->key_place,
			    "a rhythm has one kind; '%s' does not go with '%s'", p->key, first);
			continue;
		}
		first = p->key;
		c->rhythm.kind = kinds[i].kind;
		c->rhythm.place = p->key_place;
	}
	if (first == NULL)
		finding_add(l->f, "E003", n->place,
		    "the rhythm needs one of every, after, around, on_event or rrule");
	if (c->rhythm.kind == RHYTHM_AROUND && c->rhythm.n_days == 0)
		finding_add(l->f, "E003", n->place, "around needs days: [-30, 0]");
	if (c->rhythm.kind == RHYTHM_ON_EVENT && c->rhythm.n_after == 0)
		finding_add(l->f, "E003", n->place, "on_event needs after: [5 minutes]");
}

#define AIM(m) offsetof(struct campaign, aim.m)
static const struct field aim_fields[] = {
	{ "outcome", FIELD_TEXT, AIM(outcome), .help = "the answer or event that counts" },
	{ "within", FIELD_PERIOD, AIM(within), .help = "after a message" },
	{ "target", FIELD_SHARE, AIM(target), .help = "40%" },
	{ "behaviour", FIELD_OWN, .own = behaviour_own,
	    .schema = "{\"enum\": [\"planned\", \"low-involvement\", \"automatic\"]}",
	    .help = "kind of behaviour" },
	{ "lacks", FIELD_BITS, AIM(lacks), WORDS(lacks), .help = "what people lack (COM-B)" },
	{ 0 },
};
static const struct field unanswered_fields[] = {
	{ "after", FIELD_INT, CAMPAIGN(unanswered_after), .min = 1, .max = 100, .needed = true,
	    .help = "messages without an answer" },
	{ "then", FIELD_OWN, .needed = true, .own = then_own, .schema = "{\"type\": \"string\"}",
	    .help = "a message, or change, slow or stop" },
	{ 0 },
};
static const struct field trial_fields[] = {
	{ "holdout", FIELD_SHARE, CAMPAIGN(holdout), .help = "share that gets nothing, to compare" },
	{ "learn", FIELD_CHOICE, CAMPAIGN(learn), WORDS(learns), .help = "what is drawn by chance" },
	{ 0 },
};

const struct field campaign_fields[] = {
	{ "title", FIELD_WORDING, CAMPAIGN(title), .needed = true, .help = "its name for readers" },
	{ "hook", FIELD_WORDING, CAMPAIGN(hook), .help = "the slogan that always comes back" },
	{ "logo", FIELD_TEXT, CAMPAIGN(logo), .help = "a picture in the campaign's folder; PNG, as mail programs show no SVG" },
	{ "priority", FIELD_INT, CAMPAIGN(priority), .min = 1, .max = 9,
	    .help = "who yields when the budget is short" },
	{ "aim", FIELD_MAP, .sub = aim_fields, .help = "what it is for, and how one sees it" },
	{ "audience", FIELD_OWN, .own = audience_own,
	    .schema = "{\"$ref\": \"#/$defs/conditions\"}", .help = "all must hold" },
	{ "rhythm", FIELD_OWN, .own = rhythm_own, .sub = rhythm_fields, .help = "when" },
	{ "channels", FIELD_OWN, .needed = true, .own = channels_own,
	    .words = channel_names, .n_words = CHANNELS, .weighed = true,
	    .help = "channels with weights, or together: [email, chat]" },
	{ "vary", FIELD_OWN, .own = vary_own,
	    .words = vary_names, .n_words = VARY_AXES,
	    .help = "what differs from the last contact, most important first" },
	{ "answers", FIELD_OWN, .own = answers_own,
	    .each = answer_fields, .help = "the campaign's own answers" },
	{ "unanswered", FIELD_MAP, .sub = unanswered_fields, .help = "what silence leads to" },
	{ "trial", FIELD_MAP, .sub = trial_fields, .help = "how the product finds out whether it helps" },
	{ "unit", FIELD_OWN, .own = unit_own, .schema = "{\"enum\": [\"person\", \"team\"]}",
	    .help = "person or team" },
	{ "phases", FIELD_OWN, .own = later_own, .schema = "false",
	    .help = "not in this version: write a campaign for each phase and schedule one after the other" },
	{ "waves", FIELD_OWN, .own = later_own, .schema = "false",
	    .help = "not in this version: write a campaign for each wave, with its teams as the audience" },
	{ "ignore", FIELD_WORDS, CAMPAIGN(ignore), .help = "codes of checks that are silenced here" },
	{ 0 },
};

/* ---- front matter of a message ---- */

static void
angle_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct message *m = into;
	const struct words *angles = &l->rb->house.angles;
	const char *word;

	(void)fd;
	if (!read_text(l, n, "an angle", &word))
		return;
	m->angle = parse_word(word, angles->v, angles->n);
	if (m->angle < 0 && !(l->rb->house.flawed && angles->n == 0)) /* those errors come first */
		finding_word(l->f, "E009", n->place, word, angles->v, angles->n,
		    "'%.40s' is not an angle of house.yaml", word);
}

static void
message_messengers_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct message *m = into;
	const struct house *h = &l->rb->house;
	const char *ids[32];

	(void)fd;
	for (size_t i = 0; i < h->n_messengers; i++)
		ids[i] = h->messengers[i].id;
	if (!read_words(l, n, "a messenger", &m->messengers))
		return;
	for (size_t i = 0; i < m->messengers.n; i++) {
		int k = house_messenger(h, m->messengers.v[i]);

		if (k < 0 && h->flawed && h->n_messengers == 0)
			continue; /* those errors come first */
		if (k < 0)
			finding_word(l->f, "E009",
			    n->kind == NODE_LIST ? n->pairs[i].value->place : n->place,
			    m->messengers.v[i], ids, h->n_messengers,
			    "'%.40s' is not a messenger of house.yaml", m->messengers.v[i]);
		else
			m->messenger_bits |= 1u << k;
	}
}

static void
start_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct message *m = into;
	const char *s, *day, *time;
	char count[8] = { 0 };
	int64_t days = 0;
	int minutes;

	(void)fd;
	if (!read_text(l, n, "a start such as '+2 days 12:30'", &s))
		return;
	time = strrchr(s, ' ');
	day = strstr(s, " day");
	if (s[0] != '+' || day == NULL || day - s - 1 > 4 || time == NULL || time < day ||
	    !minutes_parse(time + 1, strlen(time + 1), &minutes) || minutes >= 1440 ||
	    (memcpy(count, s + 1, (size_t)(day - s - 1)), !parse_int(count, 0, 365, &days))) {
		finding_add(l->f, "E003", n->place,
		    "expected a start such as '+2 days 12:30', not '%.60s'", s);
		return;
	}
	m->event.set = true;
	m->event.days = days;
	m->event.second = minutes * 60;
	m->event.place = n->place;
}

#define EVENT(m) offsetof(struct message, event.m)
static const struct field event_fields[] = {
	{ "start", FIELD_OWN, .needed = true, .own = start_own, .schema = "{\"type\": \"string\"}",
	    .help = "days after the message, and the time: +2 days 12:30" },
	{ "length", FIELD_SPAN, EVENT(length), .help = "30 minutes" },
	{ "place", FIELD_TEXT, EVENT(where), .help = "where" },
	{ "alarm", FIELD_SPAN, EVENT(alarm), .help = "before the start" },
	{ 0 },
};

#define WHEN(m) offsetof(struct message, when.m)
static const struct field when_fields[] = {
	{ "first", FIELD_FLAG, WHEN(first), .help = "only the first contact, or never it" },
	{ "repeat", FIELD_RANGE, WHEN(repeat_min), WHEN(repeat_max), .help = "number of this contact" },
	{ "unanswered", FIELD_RANGE, WHEN(unanswered_min), WHEN(unanswered_max),
	    .help = "messages in a row without an answer" },
	{ "answered", FIELD_FLAG, WHEN(answered), .help = "who ever answered" },
	{ "done", FIELD_FLAG, WHEN(done), .help = "who did it" },
	{ 0 },
};
static const char *const kinds[] = { "message", "story" };

static void
kind_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct message *m = into;
	int i;

	(void)fd;
	if (read_choice(l, n, kinds, 2, &i))
		m->story = i == 1;
}

const struct field message_fields[] = {
	{ "angle", FIELD_OWN, .own = angle_own, .help = "one of the house's angles" },
	{ "frame", FIELD_CHOICE, MESSAGE(frame), .words = frame_names, .n_words = FRAMES,
	    .help = "gain or loss" },
	{ "functions", FIELD_BITS, MESSAGE(functions), .words = function_names,
	    .n_words = BCW_FUNCTIONS, .help = "how it moves people (Michie 2011)" },
	{ "messengers", FIELD_OWN, .own = message_messengers_own, .help = "who may send it" },
	{ "channels", FIELD_BITS, MESSAGE(channels), .words = channel_names, .n_words = CHANNELS,
	    .help = "through which channels" },
	{ "for", FIELD_COND, MESSAGE(audience), .help = "about the person" },
	{ "when", FIELD_MAP, .sub = when_fields, .help = "about the moment" },
	{ "event", FIELD_MAP, .sub = event_fields, .help = "what it invites to" },
	{ "kind", FIELD_OWN, .own = kind_own, .help = "story: in people's own words" },
	{ "ignore", FIELD_WORDS, MESSAGE(ignore), .help = "codes of checks that are silenced here" },
	{ 0 },
};
