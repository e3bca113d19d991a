#include "commands/look.h"

#include <string.h>

#include "base/arena.h"
#include "base/dice.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "compose/compose.h"
#include "people/people.h"
#include "plan/zone.h"

/* ---- who speaks: as engine/send.c resolves it ---- */

struct finding_colleague {
	struct arena *mem;
	const struct person *reader;
	uint64_t best;
	const char *name;
	bool same_team;
};

static int
colleague_step(void *arg, const struct person *p)
{
	struct finding_colleague *f = arg;
	const char *yes = person_get(p, "ambassador");
	bool same = strcmp(p->team, f->reader->team) == 0;
	uint64_t draw = hash_string(p->id) ^ hash_string(f->reader->id);

	if (yes == NULL || strcmp(yes, "yes") != 0 || p->row == f->reader->row)
		return 0;
	if (f->name == NULL || (same && !f->same_team) || (same == f->same_team && draw < f->best)) {
		f->name = arena_copy(f->mem, p->name);
		f->same_team = same;
		f->best = draw;
	}
	return 0;
}

const char *
look_face(struct command *c, struct arena *mem, const struct messenger *m, const struct person *p)
{
	struct finding_colleague f = { .mem = mem, .reader = p };
	struct person *manager;
	struct team *t;
	const char *id = p->manager;

	if (m->from == MESSENGER_FIXED)
		return m->name != NULL ? m->name : m->id;
	if (m->from == MESSENGER_MANAGER) {
		if (id[0] == '\0' && team_load(c->db, mem, p->team, &t) == 0 && t->manager != NULL)
			id = t->manager;
		return person_find(c->db, mem, id, &manager) == 0 ? manager->name : m->id;
	}
	people_each(c->db, colleague_step, &f);
	return f.name != NULL ? f.name : m->id;
}

/* ---- chat ---- */

/* The links of a text in HTML, of which only that they are links should show here. */
static const char *
links_dulled(struct arena *mem, const char *s)
{
	SCOPED(text_deinit) struct text t = { 0 };

	while (*s != '\0')
		if (strncmp(s, "<a ", 3) == 0) {
			text_puts(&t, "<u>");
			s += strcspn(s, ">") + 1;
		} else if (strncmp(s, "</a>", 4) == 0) {
			text_puts(&t, "</u>");
			s += 4;
		} else
			text_putc(&t, *s++);
	return arena_copyn(mem, text_string(&t), t.len);
}

/* Google's cards are the format whose texts are HTML. */
static json_t *
chat_data(struct command *c, struct arena *mem, const struct token_key *key, const struct letter *l)
{
	SCOPED(text_deinit) struct text t = { 0 };
	json_t *chat, *cards, *widgets, *widget, *button, *buttons = json_array(), *ret;
	const char *text[2] = { "", "" }, *label;
	size_t i, j, n = 0;

	compose_chat(c->compose, key, l, CHAT_GOOGLE, &t);
	chat = json_loadb(text_string(&t), t.len, 0, NULL);
	cards = json_object_get(chat, "cardsV2");
	if (json_unpack(cards, "[{s:{s:[{s:o}]}}]", "card", "sections", "widgets", &widgets) != 0)
		widgets = NULL;
	json_array_foreach (widgets, i, widget) {
		if (n < 2 && json_unpack(widget, "{s:{s:s}}", "textParagraph", "text", &text[n]) == 0)
			n++;
		json_array_foreach (
		    json_object_get(json_object_get(widget, "buttonList"), "buttons"), j, button)
			if (json_unpack(button, "{s:s}", "text", &label) == 0)
				json_array_append_new(buttons, json_string(label));
	}
	/* a message may be nothing but its heading: then the small print is the only text */
	ret = json_pack("{s:s,s:s,s:o}", "text", links_dulled(mem, n == 2 ? text[0] : ""), "small",
	    links_dulled(mem, text[n > 0 ? n - 1 : 0]), "buttons", buttons);
	json_decref(chat);
	return ret;
}

/* ---- invite ---- */

static json_t *
invite_data(struct command *c, struct arena *mem, const struct token_key *key,
    const struct letter *l)
{
	SCOPED(text_deinit) struct text t = { 0 };
	const struct event_time *e = &l->message->event;
	struct civil sent = zone_civil(l->zone, l->sent);
	struct day day = day_add(sent.day, (int)e->days);
	int64_t end = e->second + e->length.us / 1000000;
	const char *body;
	const char *months = compose_words(c->compose, 0, "months");
	int year, month, mday;

	day_split(day, &year, &month, &mday);
	while (--month > 0 && strchr(months, ' ') != NULL)
		months = strchr(months, ' ') + 1;
	compose_plain(c->compose, key, l, &t);
	body = strstr(text_string(&t), "\n\n");
	return json_pack("{s:i,s:s,s:s,s:s,s:s}", "mday", mday, "month",
	    arena_copyn(mem, months, 3), "clock",
	    arena_printf(mem, "%02d:%02d\xe2\x80\x93%02d:%02d", e->second / 3600, e->second / 60 % 60,
		(int)(end / 3600 % 24), (int)(end / 60 % 60)),
	    "place", e->where != NULL ? e->where : "", "text", body != NULL ? body + 2 : "");
}

void
look_data(struct command *c, struct arena *mem, const struct look *k, json_t *ret)
{
	SCOPED(text_deinit) struct text t = { 0 };
	const struct messenger *who = &c->rb->house.messengers[k->messenger];
	struct token_key key;
	struct letter l = { .campaign = k->campaign, .message = k->message, .language = k->language,
		.channel = k->channel, .messenger = who, .messenger_name = look_face(c, mem, who, k->person),
		.to = k->person, .zone = zone_find(c->rb->house.time_zone), .occurrence = "demo/0",
		.number = k->number, .sent = k->at, .expires = instant_add(k->at, SPAN_DAYS(90)),
		.done_percent = -1, .team_done = -1 };

	token_key_derive(0, &key); /* links of the page lead nowhere */
	compose_subject(c->compose, &key, &l, &t);
	json_object_set_new(ret, "messenger", json_string(l.messenger_name));
	json_object_set_new(ret, "subject", json_stringn(text_string(&t), t.len));
	if (k->channel == CHANNEL_CHAT)
		json_object_set_new(ret, "chat", chat_data(c, mem, &key, &l));
	else if (k->channel == CHANNEL_CALENDAR)
		json_object_set_new(ret, "invite", invite_data(c, mem, &key, &l));
	else {
		text_clear(&t);
		compose_html(c->compose, &key, &l, &t);
		json_object_set_new(ret, "page", json_stringn(text_string(&t), t.len));
	}
}
