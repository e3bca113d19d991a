#include "routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "compose/chat_format.h"
#include "deliver/carriers.h"
#include "deliver/courier/courier.h"
#include "deliver/mail/bearer.h"
#include "deliver/net/transport.h"
#include "settings.h"

enum { NAMES_MAX = RELAYS_MAX + CHATS_MAX + 2, MEMORY = 1 << 20 };

/* What a carrier asks a secret with. */
struct asking {
	const struct settings *settings;
	const char *url, *secret, *refresh;
};
struct routes {
	const struct settings *s;
	struct transport *transport;
	struct arena *mem;
	const char *names[NAMES_MAX + 1];
	size_t n_names;
	struct bearer_turn turns[RELAYS_MAX]; /* of the refresh token that this relay is the first to name */
};

static int
ask_secret(void *arg, struct text *ret)
{
	const struct asking *a = arg;

	return secret_load(a->settings, a->secret, ret);
}

static int
ask_url(void *arg, struct text *ret)
{
	const struct asking *a = arg;

	return secret_load(a->settings, a->url, ret);
}

static int
ask_refresh(void *arg, struct text *ret)
{
	const struct asking *a = arg;

	return secret_load(a->settings, a->refresh, ret);
}

static struct asking *
asking_new(struct routes *r, const char *url, const char *secret)
{
	struct asking *a = ARENA_NEW(r->mem, struct asking);

	*a = (struct asking){ r->s, url, secret, NULL };
	return a;
}

/* Mail and calendar each have their connections to a relay, and relays may share a login. */
static struct bearer_turn *
turn_of(struct routes *r, const char *refresh)
{
	for (size_t i = 0; refresh != NULL && i < r->s->n_relays; i++) {
		const char *its = r->s->relays[i].token.refresh;

		if (its != NULL && strcmp(its, refresh) == 0)
			return &r->turns[i];
	}
	return NULL;
}

/* How the relay's access token is fetched; NULL: it needs none, or somebody else does it. */
static const struct bearer_options *
token_options(struct routes *r, const struct relay_settings *s)
{
	const struct token_settings *t = &s->token;
	struct asking *a;
	struct bearer_options *o;

	if (t->url == NULL)
		return NULL;
	a = asking_new(r, NULL, t->client_secret);
	a->refresh = t->refresh;
	o = ARENA_NEW(r->mem, struct bearer_options);
	*o = (struct bearer_options){ .url = t->url, .client = t->client, .scope = t->scope,
		.client_secret = t->client_secret != NULL ? ask_secret : NULL,
		.refresh = t->refresh != NULL ? ask_refresh : NULL, .arg = a,
		.turn = turn_of(r, t->refresh), .folder = r->s->state, .name = t->refresh, .ca_file = t->ca };
	return o;
}

static int
relay_make(struct routes *r, const struct relay_settings *s, const struct carrier_host *host,
    struct carrier **ret)
{
	const char *helo = r->s->helo != NULL ? r->s->helo : strchr(r->s->from, '@') + 1;
	struct relay_options o = { .host = s->host, .port = (int)s->port, .tls = (enum relay_tls)s->tls,
		.login = (enum relay_login)s->login, .user = s->user,
		.secret = s->password != NULL ? ask_secret : NULL,
		.secret_arg = asking_new(r, NULL, s->password), .token = token_options(r, s), .helo = helo, .ca_file = s->ca,
		.may_private = true, /* a relay stands in the configuration, and often in the house */
		.dot_wait = SPAN_OF(s->dot_wait, 1) };

	return relay_new(&o, host, r->transport, ret);
}

static int
hook_make(struct routes *r, const struct chat_settings *s, const struct carrier_host *host,
    struct carrier **ret)
{
	struct hook_options o = { .format = (enum chat_format)s->format, .url = ask_url,
		.secret = s->secret != NULL ? ask_secret : NULL,
		.secret_arg = asking_new(r, s->url, s->secret), .ca_file = s->ca,
		.may_private = s->inside };

	return hook_new(&o, host, r->transport, ret);
}

static int
dav_make(struct routes *r, const struct carrier_host *host, struct carrier **ret)
{
	const struct caldav_settings *s = &r->s->caldav;
	struct dav_options o = { .url = s->url, .user = s->user,
		.secret = s->password != NULL ? ask_secret : NULL,
		.secret_arg = asking_new(r, NULL, s->password), .ca_file = s->ca,
		.may_private = s->inside };

	return dav_new(&o, host, r->transport, ret);
}

static const char *
name_keep(struct routes *r, const char *name)
{
	r->names[r->n_names++] = name;
	return name;
}

static int
lay_relays(struct routes *r, struct courier *c, int channel)
{
	struct carrier_host host = courier_host(c);
	size_t lane = courier_lane(c, &(struct lane){ channel, "" }, false);

	for (size_t i = 0; i < r->s->n_relays; i++) {
		const struct relay_settings *s = &r->s->relays[i];
		struct carrier *carrier;
		int rc = relay_make(r, s, &host, &carrier);

		if (rc < 0)
			return rc;
		courier_destination(c, lane,
		    name_keep(r, arena_printf(r->mem, "%s %s:%d", channel_names[channel], s->host,
				     (int)s->port)),
		    (int)s->connections, (struct span){ 0 }, carrier);
	}
	return 0;
}

static int
lay_chats(struct routes *r, struct courier *c)
{
	struct carrier_host host = courier_host(c);

	for (size_t i = 0; i < r->s->n_chats; i++) {
		const struct chat_settings *s = &r->s->chats[i];
		const struct chat_row *row = &chat_rows[s->format];
		size_t lane = courier_lane(c, &(struct lane){ CHANNEL_CHAT, s->name }, row->keyed);
		struct carrier *carrier;
		int rc = hook_make(r, s, &host, &carrier);

		if (rc < 0)
			return rc;
		courier_destination(c, lane,
		    name_keep(r, arena_printf(r->mem, "chat %s (%s)", s->name, row->name)),
		    (int)s->connections,
		    (struct span){ row->per_minute > 0 ? SPAN_MINUTES(1).us / row->per_minute : 0 },
		    carrier);
	}
	return 0;
}

static int
lay_caldav(struct routes *r, struct courier *c)
{
	struct carrier_host host = courier_host(c);
	size_t lane = courier_lane(c, &(struct lane){ CHANNEL_CALENDAR, "" }, true);
	struct carrier *carrier;
	int rc = dav_make(r, &host, &carrier);

	if (rc == 0)
		courier_destination(c, lane, name_keep(r, "calendar caldav"),
		    (int)r->s->caldav.connections, (struct span){ 0 }, carrier);
	return rc;
}

int
routes_lay(struct routes *r, struct courier *c)
{
	int rc = 0;

	for (int channel = 0; rc == 0 && channel < CHANNELS; channel++)
		switch (r->s->ways[channel]) {
		case WAY_SMTP:
			rc = lay_relays(r, c, channel);
			break;
		case WAY_WEBHOOK:
			rc = lay_chats(r, c);
			break;
		case WAY_CALDAV:
			rc = lay_caldav(r, c);
			break;
		case WAY_SPOOL:
		default:
			break;
		}
	return rc;
}

int
routes_carrier(struct routes *r, int channel, size_t nth, const char *chat,
    const struct carrier_host *host, struct carrier **ret)
{
	const struct chat_settings *s;

	switch (r->s->ways[channel]) {
	case WAY_SMTP:
		return nth < r->s->n_relays ? relay_make(r, &r->s->relays[nth], host, ret) : 1;
	case WAY_WEBHOOK:
		s = settings_chat(r->s, chat);
		return s != NULL ? hook_make(r, s, host, ret) : 1;
	case WAY_CALDAV:
		return dav_make(r, host, ret);
	case WAY_SPOOL:
	default:
		return 1;
	}
}

const char *const *
routes_names(const struct routes *r)
{
	return r->names;
}

bool
routes_needed(const struct settings *s)
{
	for (int channel = 0; channel < CHANNELS; channel++)
		if (s->ways[channel] != WAY_SPOOL)
			return true;
	return false;
}

int
routes_new(const struct settings *s, const struct wires *w, struct routes **ret)
{
	struct routes *r = calloc(1, sizeof *r);
	int rc;

	if (r == NULL)
		abort();
	r->s = s;
	r->mem = arena_new("routes", MEMORY);
	rc = transport_new(w, &r->transport);
	if (rc < 0)
		routes_free(&r);
	else
		*ret = r;
	return rc;
}

void
routes_free(struct routes **rp)
{
	struct routes *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	if (r->transport != NULL)
		transport_free(&r->transport);
	arena_free(&r->mem);
	free(r);
}
