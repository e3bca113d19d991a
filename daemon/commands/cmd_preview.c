/* preview: a message as a person gets it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/look.h"
#include "compose/compose.h"
#include "people/people.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "store/db.h"

static const char usage[] =
    "usage: nudge preview CAMPAIGN/MESSAGE [--person ID] [--lang L] [--channel C]\n"
    "                     [--as html|text|json|ics|eml|card] [--format slack|teams|...]\n"
    "\n"
    "A message as a person gets it; without --person as Sam, who is nobody.\n";

struct wish {
	const char *person, *lang, *channel, *as, *format;
};

static const struct person nobody = { .id = "sam", .name = "Sam Voorbeeld",
	.email = "sam@voorbeeld.example", .first_name = "Sam", .language = "", .role = "employee",
	.time_zone = "", .team = "team", .manager = "", .stage = "", .chat = "@sam" };

static int
person_pick(struct command *c, struct arena *mem, const char *id, const struct person **ret)
{
	struct person *p;
	int rc;

	*ret = &nobody;
	if (id == NULL)
		return 0;
	if ((rc = command_state(c)) != 0)
		return rc;
	rc = person_find(c->db, mem, id, &p);
	if (rc > 0)
		fprintf(stderr, "nudge: there is no person '%s' (nudge people list)\n", id);
	if (rc == 0)
		*ret = p;
	return rc < 0 ? EXIT_CANNOT : rc > 0 ? EXIT_FINDINGS : 0;
}

static int
message_pick(struct command *c, char *path, struct letter *l)
{
	char *slash = strchr(path, '/');

	if (slash == NULL) {
		fprintf(stderr, "nudge: expected CAMPAIGN/MESSAGE, for instance bravo-week/lunch-walk\n");
		return EXIT_USAGE;
	}
	*slash = '\0';
	l->campaign = command_campaign(c, path);
	if (l->campaign == NULL)
		return EXIT_FINDINGS;
	l->message = campaign_message(l->campaign, slash + 1);
	if (l->message == NULL) {
		fprintf(stderr, "nudge: %s has no message '%s'; it has", path, slash + 1);
		for (size_t i = 0; i < l->campaign->n_messages; i++)
			fprintf(stderr, " %s", l->campaign->messages[i].id);
		fputc('\n', stderr);
		return EXIT_FINDINGS;
	}
	return 0;
}

static int
language_pick(struct command *c, const struct wish *w, struct letter *l)
{
	const char *tag = w->lang != NULL ? w->lang : l->to->language;
	int lang = tag[0] != '\0' ? house_language(&c->rb->house, tag) : 0;

	if (lang < 0 && w->lang != NULL) {
		fprintf(stderr, "nudge: '%s' is not a language of the house\n", w->lang);
		return EXIT_FINDINGS;
	}
	l->language = lang >= 0 && l->message->text[lang].body != NULL ? lang : 0;
	return 0;
}

static const struct messenger *
messenger_pick(const struct rulebase *rb, const struct message *m)
{
	for (size_t i = 0; i < rb->house.n_messengers; i++)
		if (m->messenger_bits == 0 || m->messenger_bits & 1u << i)
			return &rb->house.messengers[i];
	return &rb->house.messengers[0];
}

/* As the chat system of --format gets it. */
static int
chat_print(struct command *c, const struct token_key *key, const struct letter *l, const char *format)
{
	SCOPED(text_deinit) struct text out = { 0 };
	int i = format != NULL ? parse_word(format, chat_format_names, CHAT_FORMATS) : CHAT_SLACK;

	if (i < 0) {
		fprintf(stderr, "nudge: --format wants one of");
		for (i = 0; i < CHAT_FORMATS; i++)
			fprintf(stderr, " %s", chat_format_names[i]);
		fputc('\n', stderr);
		return EXIT_USAGE;
	}
	compose_chat(c->compose, key, l, (enum chat_format)i, &out);
	fwrite(text_string(&out), 1, out.len, stdout);
	return EXIT_DONE;
}

static int
print(struct command *c, const struct letter *l, const char *as, const char *format)
{
	static const struct {
		const char *as;
		void (*fn)(const struct compose *, const struct token_key *, const struct letter *,
		    struct text *);
	} outputs[] = { { "text", compose_plain }, { "html", compose_html }, { "ics", compose_invite },
		{ "eml", compose_email }, { "card", compose_html } };
	SCOPED(text_deinit) struct text out = { 0 };
	struct token_key key;

	token_key_derive(0, &key); /* links of a preview lead nowhere */
	if (strcmp(as, "json") == 0)
		return chat_print(c, &key, l, format);
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		if (strcmp(outputs[i].as, as) == 0) {
			outputs[i].fn(c->compose, &key, l, &out);
			fwrite(text_string(&out), 1, out.len, stdout);
			return EXIT_DONE;
		}
	fprintf(stderr, "nudge: --as wants html, text, json, ics, eml or card\n");
	return EXIT_USAGE;
}

static int
letter_pick(struct command *c, struct arena *mem, const struct wish *w, struct letter *l)
{
	int channel = w->channel != NULL ? parse_word(w->channel, channel_names, CHANNELS) : 0;
	int rc = language_pick(c, w, l);

	if (channel < 0) {
		fprintf(stderr, "nudge: --channel wants email, chat, calendar or print\n");
		return EXIT_USAGE;
	}
	l->channel = (enum channel)channel;
	if (w->as != NULL && strcmp(w->as, "ics") == 0)
		l->channel = CHANNEL_CALENDAR;
	if (w->as != NULL && strcmp(w->as, "card") == 0)
		l->channel = CHANNEL_PRINT;
	if (rc == 0 && l->channel == CHANNEL_CALENDAR && !l->message->event.set) {
		fprintf(stderr, "nudge: %s is no invitation: its tags have no event\n", l->message->id);
		return EXIT_FINDINGS;
	}
	l->messenger = messenger_pick(c->rb, l->message);
	l->messenger_name = l->messenger->name != NULL ? l->messenger->name
	    : l->to != &nobody ? look_face(c, mem, l->messenger, l->to)
	    : compose_words(c->compose, l->language,
		  l->messenger->from == MESSENGER_MANAGER ? "someone-manager" : "someone-colleague");
	l->messenger_address = l->messenger->reply_to;
	l->zone = zone_find(l->to->time_zone[0] != '\0' ? l->to->time_zone : c->rb->house.time_zone);
	l->occurrence = "preview/0";
	l->number = w->as != NULL && strcmp(w->as, "card") == 0 ? 2 : 1; /* a reminder */
	l->times = l->campaign->rhythm.times;
	l->sent = c->now;
	l->expires = instant_add(c->now, SPAN_DAYS(90));
	l->done_percent = 60;
	l->team_done = 20;
	return rc;
}

int
cmd_preview(struct command *c, int argc, char **argv)
{
	static const char *const as_channel[CHANNELS] = { "text", "json", "ics", "html" };
	SCOPED(arena_free) struct arena *mem = arena_new("preview", 16 << 20);
	struct wish w = { 0 };
	bool help = false;
	const struct option_slot slots[] = { { "--person", &w.person, NULL },
		{ "--lang", &w.lang, NULL }, { "--channel", &w.channel, NULL }, { "--as", &w.as, NULL },
		{ "--format", &w.format, NULL },
		{ "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct letter l = { 0 };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1)
		return command_usage(usage, help);
	if ((rc = command_rules(c)) != 0 || (rc = person_pick(c, mem, w.person, &l.to)) != 0 ||
	    (rc = message_pick(c, argv[0], &l)) != 0 || (rc = letter_pick(c, mem, &w, &l)) != 0)
		return rc;
	if (l.zone == NULL) {
		fprintf(stderr, "nudge: the person has no known time zone\n");
		return EXIT_FINDINGS;
	}
	return print(c, &l, w.as != NULL ? w.as : as_channel[l.channel],
	    w.format);
}
