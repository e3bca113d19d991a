#include "commands/sample.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "commands/look.h"
#include "plan/zone.h"
#include "rules/rulebase.h"

const struct person sample_person = { .id = "sam", .name = "Sam Voorbeeld",
	.email = "sam@voorbeeld.example", .first_name = "Sam", .language = "", .role = "employee",
	.time_zone = "", .team = "team", .manager = "", .stage = "", .chat = "@sam" };

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
language_pick(struct command *c, const struct sample_wish *w, struct letter *l)
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

int
sample_letter(struct command *c, struct arena *mem, char *path, const struct sample_wish *w,
    struct letter *l)
{
	int channel = w->channel != NULL ? parse_word(w->channel, channel_names, CHANNELS) : 0;
	int rc = message_pick(c, path, l);

	if (rc == 0)
		rc = language_pick(c, w, l);
	if (rc != 0)
		return rc;

	if (channel < 0) {
		fprintf(stderr, "nudge: --channel wants email, chat, calendar or print\n");
		return EXIT_USAGE;
	}
	l->channel = (enum channel)channel;
	if (w->as != NULL && strcmp(w->as, "ics") == 0)
		l->channel = CHANNEL_CALENDAR;
	if (w->as != NULL && strcmp(w->as, "card") == 0)
		l->channel = CHANNEL_PRINT;
	if (l->channel == CHANNEL_CALENDAR && !l->message->event.set) {
		fprintf(stderr, "nudge: %s is no invitation: its tags have no event\n", l->message->id);
		return EXIT_FINDINGS;
	}
	l->messenger = messenger_pick(c->rb, l->message);
	l->messenger_name = l->messenger->name != NULL ? l->messenger->name
	    : l->to->row != 0 ? look_face(c, mem, l->messenger, l->to)
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
	if (l->zone == NULL) {
		fprintf(stderr, "nudge: the person has no known time zone\n");
		return EXIT_FINDINGS;
	}
	return 0;
}
