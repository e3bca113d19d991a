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

static const char *
face_name(struct command *c, struct arena *mem, const struct messenger *m, const struct person *p)
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

/* Slack's markup, whose & < > are escaped already, as HTML: links, lines, a bold first line. */
static const char *
chat_html(struct arena *mem, const char *s)
{
	SCOPED(text_deinit) struct text t = { 0 };

	if (*s == '*' && strstr(s, "*\n") != NULL) {
		const char *end = strstr(s, "*\n");

		text_puts(&t, "<b>");
		text_add(&t, s + 1, (size_t)(end - s - 1));
		text_puts(&t, "</b>");
		s = end + 1;
	}
	for (const char *bar, *end; *s != '\0'; s++) {
		if (*s == '<' && (bar = strchr(s, '|')) != NULL && (end = strchr(bar, '>')) != NULL) {
			text_puts(&t, "<u>");
			text_add(&t, bar + 1, (size_t)(end - bar - 1));
			text_puts(&t, "</u>");
			s = end;
		} else if (*s == '\n')
			text_puts(&t, "<br>");
		else if (*s == '"')
			text_puts(&t, "&quot;");
		else
			text_putc(&t, *s);
	}
	return arena_copyn(mem, text_string(&t), t.len);
}

static const char *
block_text(json_t *blocks, const char *type)
{
	json_t *block;
	size_t i;
	const char *s = NULL;

	json_array_foreach (blocks, i, block) {
		if (strcmp(json_string_value(json_object_get(block, "type")), type) != 0)
			continue;
		if (json_unpack(block, "{s:{s:s}}", "text", "text", &s) != 0)
			json_unpack(block, "{s:[{s:s}]}", "elements", "text", &s);
	}
	return s != NULL ? s : "";
}

static json_t *
chat_buttons(json_t *blocks)
{
	json_t *list = json_array(), *block, *button;
	size_t i, j;
	const char *label;

	json_array_foreach (blocks, i, block)
		if (strcmp(json_string_value(json_object_get(block, "type")), "actions") == 0)
			json_array_foreach (json_object_get(block, "elements"), j, button)
				if (json_unpack(button, "{s:{s:s}}", "text", "text", &label) == 0)
					json_array_append_new(list, json_string(label));
	return list;
}

static json_t *
chat_data(struct command *c, struct arena *mem, const struct token_key *key, const struct letter *l)
{
	SCOPED(text_deinit) struct text t = { 0 };
	json_t *chat, *blocks, *ret;

	compose_chat(c->compose, key, l, &t);
	chat = json_loadb(text_string(&t), t.len, 0, NULL);
	blocks = json_object_get(chat, "blocks");
	ret = json_pack("{s:s,s:s,s:o}", "text", chat_html(mem, block_text(blocks, "section")), "small",
	    chat_html(mem, block_text(blocks, "context")), "buttons", chat_buttons(blocks));
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
		.channel = k->channel, .messenger = who, .messenger_name = face_name(c, mem, who, k->person),
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
