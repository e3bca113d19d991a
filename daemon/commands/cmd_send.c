/*
 * test-send: one message to one address, past runs and outbox, by the very way it would go.
 *
 * Nothing is stored, and its links lead nowhere: it is for the person who sets up the servers.
 */
#include <jansson.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/sample.h"
#include "compose/chat_format.h"
#include "compose/compose.h"
#include "deliver/carrier.h"
#include "deliver/spool/spool.h"
#include "loop/wires.h"
#include "people/people.h"
#include "routes.h"
#include "rules/rulebase.h"

static const char usage[] =
    "usage: nudge test-send CAMPAIGN/MESSAGE --to ADDRESS [--channel email|chat|calendar]\n"
    "                       [--lang L] [--chat NAME]\n"
    "\n"
    "Sends one message now, by the servers of the configuration, and says what they answered.\n"
    "ADDRESS is an e-mail address, or for chat what the roster's chat column would hold.\n"
    "Without a server for the channel it becomes a file of the spool.  Nothing is stored.\n";

/* The courier's part, for one parcel. */
struct courier {
	struct parcel parcel;
	bool handed, ended;
	struct outcome outcome;
};

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	(void)from;
	if (c->handed)
		return NULL;
	c->handed = true;
	return &c->parcel;
}

static bool
may_go(struct courier *c, struct parcel *p)
{
	(void)c;
	(void)p;
	return true;
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *o)
{
	(void)from;
	(void)p;
	c->outcome = *o;
	c->ended = true;
}

static void
connected(struct courier *c, struct carrier *from, const struct outcome *o)
{
	(void)from;
	if (o == NULL)
		return;
	c->outcome = *o;
	c->ended = true;
}

static bool
has_ended(void *arg)
{
	const struct courier *c = arg;

	return c->ended;
}

/* What the service would do with it now. */
static const char *
next_step(enum fate fate)
{
	return fate == FATE_NEVER	? "would not be tried again"
	    : fate == FATE_OURS	     ? "our own fault"
	    : fate == FATE_UNCERTAIN ? "may have arrived"
				     : "would be tried again";
}

/* What the parcel came to; server: "relay.zorg.example:587: ", or nothing where there is but one. */
static int
tell(const struct courier *c, const char *server, const char *to)
{
	const struct outcome *o = &c->outcome;

	if (!c->ended) {
		fprintf(stderr, "nudge: %sno answer within a minute\n", server);
		return EXIT_CANNOT;
	}
	if (o->fate == FATE_DELIVERED) {
		printf("delivered to %s%s%.*s\n", to, server[0] != '\0' ? " by " : "",
		    (int)(server[0] != '\0' ? strlen(server) - 2 : 0), server);
		return EXIT_DONE;
	}
	fprintf(stderr, "nudge: %snot delivered (%s): %s%s%s\n", server, next_step(o->fate),
	    o->reason != NULL ? o->reason : "no reason was given", o->detail[0] != '\0' ? ": " : "",
	    o->detail);
	if (o->code >= 200) /* of SMTP or HTTP; below are libcurl's own */
		fprintf(stderr, "nudge: its code was %d\n", o->code);
	return EXIT_FINDINGS;
}

static int
carry(struct command *c, int channel, size_t nth, const char *chat, struct courier *one)
{
	struct carrier_host host = { one, next, may_go, done, connected };
	struct carrier *carrier = NULL;
	struct routes *routes = NULL;
	struct wires wires;
	int rc = wires_open(&wires);

	if (rc < 0)
		return EXIT_CANNOT;
	rc = routes_new(&c->settings, &wires, &routes);
	if (rc == 0)
		rc = routes_carrier(routes, channel, nth, chat, &host, &carrier);
	if (rc == 0) {
		carrier->work(carrier, 1);
		rc = wires_run(&wires, has_ended, one, SPAN_MINUTES(1));
		carrier->close(&carrier);
	}
	routes_free(&routes);
	wires_close(&wires);
	return rc < 0 ? EXIT_CANNOT : 0;
}

/* As the service does: the next relay where one could not even be spoken to. */
static int
carry_all(struct command *c, int channel, const char *chat, const struct parcel *p, const char *to)
{
	const struct settings *s = &c->settings;
	bool relays = s->ways[channel] == WAY_SMTP && s->n_relays > 1;
	int rc = 0;

	for (size_t nth = 0; nth < (relays ? s->n_relays : 1); nth++) {
		struct courier one = { .parcel = *p };
		char server[300] = "";

		if (relays)
			snprintf(server, sizeof server, "%.255s:%d: ", s->relays[nth].host,
			    (int)s->relays[nth].port);
		rc = carry(c, channel, nth, chat, &one);
		if (rc == 0)
			rc = tell(&one, server, to);
		if (rc == EXIT_DONE || one.handed)
			break;
	}
	return rc;
}

static int
spool(struct command *c, const struct letter *l, const struct text *body)
{
	char folder[4096];

	if (snprintf(folder, sizeof folder, "%s/spool/test", c->settings.state) >=
	    (int)sizeof folder)
		return EXIT_CANNOT;
	if (spool_write(folder, 0, (int)l->channel, l->sent, body, false) < 0)
		return EXIT_CANNOT;
	printf("%s goes by the spool: written below %s\n", channel_names[l->channel], folder);
	return EXIT_DONE;
}

/* What the channel's way carries. */
static void
body_make(struct command *c, const struct letter *l, enum chat_format format, struct text *ret)
{
	struct token_key key;

	token_key_derive(0, &key);
	if (l->channel == CHANNEL_CHAT)
		compose_chat(c->compose, &key, l, format, ret);
	else if (l->channel == CHANNEL_EMAIL || c->settings.ways[l->channel] == WAY_SMTP)
		compose_email(c->compose, &key, l, ret);
	else
		compose_invite(c->compose, &key, l, ret);
}

static int
send(struct command *c, const struct letter *l, const char *to, const char *chat)
{
	SCOPED(text_deinit) struct text body = { 0 };
	const struct chat_settings *s = settings_chat(&c->settings, chat);
	char key[TOKEN_ID_TEXT + 8], stamp[INSTANT_TEXT];
	struct parcel p;

	if (c->settings.ways[l->channel] == WAY_WEBHOOK && s == NULL) {
		fprintf(stderr, "nudge: there is no chat '%.60s' in the configuration\n", chat);
		return EXIT_FINDINGS;
	}
	body_make(c, l, s != NULL ? (enum chat_format)s->format : CHAT_SLACK, &body);
	if (c->settings.ways[l->channel] == WAY_SPOOL)
		return spool(c, l, &body);
	snprintf(key, sizeof key, "test-%s", instant_format(l->sent, 0, stamp));
	p = (struct parcel){ .kind = PARCEL_MESSAGE, .sender = c->settings.from,
		.recipient = to, .key = key, .receipt = "", .body = body, .created = l->sent };
	return carry_all(c, (int)l->channel, chat, &p, to);
}

/* The sample person, at that address. */
static int
addressee(struct arena *mem, int channel, const char *to, struct person *ret)
{
	const char *why;

	*ret = sample_person;
	if (channel == CHANNEL_CHAT) {
		ret->chat = to;
		return 0;
	}
	ret->email = address_parse(mem, to, &why);
	if (ret->email != NULL)
		return 0;
	fprintf(stderr, "nudge: --to '%.80s' is not an address: %s%s\n", to, why,
	    to[0] == '@' ? "; a name in the chat system wants --channel chat" : "");
	return EXIT_USAGE;
}

int
cmd_test_send(struct command *c, int argc, char **argv)
{
	SCOPED(arena_free) struct arena *mem = arena_new("test-send", 1 << 20);
	struct sample_wish w = { 0 };
	const char *to = NULL, *chat = "people";
	bool help = false;
	const struct option_slot slots[] = { { "--to", &to, NULL }, { "--channel", &w.channel, NULL },
		{ "--lang", &w.lang, NULL }, { "--chat", &chat, NULL }, { "--help", NULL, &help },
		{ NULL, NULL, NULL } };
	struct person person;
	struct letter l = { .to = &person };
	int rc, channel;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1 || to == NULL)
		return command_usage(usage, help);
	channel = w.channel != NULL ? parse_word(w.channel, channel_names, CHANNELS) : CHANNEL_EMAIL;
	if (channel == CHANNEL_PRINT)
		return command_usage(usage, false);
	rc = addressee(mem, channel, to, &person);
	if (rc == 0)
		rc = command_rules(c);
	if (rc == 0)
		rc = sample_letter(c, mem, argv[0], &w, &l);
	return rc != 0 ? rc : send(c, &l, person.email[0] != '\0' && channel != CHANNEL_CHAT
				? person.email : to, chat);
}
