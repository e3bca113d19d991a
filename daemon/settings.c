#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "compose/chat_format.h"
#include "deliver/carriers.h"
#include "people/people.h"
#include "rules/fields.h"
#include "rules/findings.h"
#include "rules/yaml.h"

#define CONFIG_DEFAULT "/etc/nudged/nudged.yaml"

enum { MEMORY = 8 << 20, SECRET_BYTES = 16 << 10 };

const char *const way_names[WAYS] = { "spool", "smtp", "webhook", "caldav" };
static const char *const levels[] = { "error", "warning", "notice", "detail", "trace" };
static const char *const tls_names[] = { "starttls", "implicit", "none" };
static const char *const login_names[] = { "none", "plain", "login", "xoauth2" };
/* Which ways each channel knows. */
static const unsigned ways_of[CHANNELS] = {
	[CHANNEL_EMAIL] = 1u << WAY_SPOOL | 1u << WAY_SMTP,
	[CHANNEL_CHAT] = 1u << WAY_SPOOL | 1u << WAY_WEBHOOK,
	[CHANNEL_CALENDAR] = 1u << WAY_SPOOL | 1u << WAY_SMTP | 1u << WAY_CALDAV,
	[CHANNEL_PRINT] = 1u << WAY_SPOOL,
};

static bool
is_secret_name(const char *name)
{
	return name[0] != '.' && strchr(name, '/') == NULL;
}

static bool
is_there(const char *path)
{
	return access(path, R_OK) == 0;
}

static const char *
default_state(struct arena *mem)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0 || (xdg == NULL && home == NULL))
		return "/var/lib/nudged";
	return xdg != NULL ? arena_printf(mem, "%s/nudged", xdg)
			   : arena_printf(mem, "%s/.local/state/nudged", home);
}

static void
defaults(struct settings *s)
{
	s->state = default_state(s->mem);
	s->rules = is_there("rules/house.yaml") ? "rules" : "/etc/nudged/rules";
	s->base_url = "https://nudge.invalid";
	s->from = "nudge@nudge.invalid";
	s->organisation = "nudged";
	s->log_level = LOG_NOTICE;
	s->print_at = PRINT_AT_ONCE;
}

#define RELAY(m) offsetof(struct relay_settings, m)
#define TOKEN(m) offsetof(struct token_settings, m)
#define CHAT(m) offsetof(struct chat_settings, m)
#define DAV(m) offsetof(struct caldav_settings, m)
#define SETTING(m) offsetof(struct settings, m)
#define WORDS(list) .words = (list), .n_words = sizeof(list) / sizeof *(list)

static const struct field token_fields[] = {
	{ "url", FIELD_TEXT, TOKEN(url), .needed = true, .help = "of the token endpoint" },
	{ "client", FIELD_TEXT, TOKEN(client), .needed = true, .help = "who we are there" },
	{ "client_secret", FIELD_TEXT, TOKEN(client_secret), .help = "name of the secret" },
	{ "refresh", FIELD_TEXT, TOKEN(refresh), .help = "name of the refresh token's secret" },
	{ "scope", FIELD_TEXT, TOKEN(scope), .help = "what we ask for" },
	{ "ca", FIELD_TEXT, TOKEN(ca), .help = "file of certificates to trust" },
	{ 0 },
};

/* Where the value of a key stands; the mapping's own place when it is not there. */
static struct place
place_of(const struct node *map, const char *key)
{
	for (size_t i = 0; map->kind == NODE_MAP && i < map->n; i++)
		if (strcmp(map->pairs[i].key, key) == 0)
			return map->pairs[i].value->place;
	return map->place;
}

/* Who may be spoken to without TLS. */
enum plain { PLAIN_NEVER, PLAIN_INSIDE, PLAIN_MAY };

/* An address on the web. */
static void
url_judge(struct loading *l, const char *key, const char *url, enum plain plain, struct place at)
{
	bool http = strncmp(url, "http://", 7) == 0;
	size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : http && plain == PLAIN_MAY ? 7 : 0;

	if (http && plain == PLAIN_INSIDE)
		finding_add(l->f, "E008", at,
		    "%s: expected https://; http:// is for a server inside the house, with inside: true", key);
	else if (scheme == 0)
		finding_add(l->f, "E008", at, "%s: expected https://", key);
	else if (url[scheme] == '\0' || url[scheme] == '/')
		finding_add(l->f, "E008", at, "%s: expected the name of a server after https://", key);
	for (const char *c = url; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f) {
			finding_add(l->f, "E008", at, "%s: a space cannot stand in an address: write %%20", key);
			return;
		}
}

/* A file in the folder of the secrets, and not the secret itself. */
static void
secret_judge(struct loading *l, const struct node *map, const char *key, const char *name)
{
	if (name != NULL && !is_secret_name(name))
		finding_add(l->f, "E004", place_of(map, key),
		    "%s: expected the name of a secret: a file in the folder `secrets` that holds it", key);
}

static void
ca_judge(struct loading *l, const struct node *map, const char *ca)
{
	if (ca != NULL && ca[0] != '/')
		finding_add(l->f, "E004", place_of(map, "ca"),
		    "ca: expected the full name of a file, such as /etc/ssl/house.pem");
}

static void
host_judge(struct loading *l, const char *key, const char *name, struct place at)
{
	const char *colon = strchr(name, ':');

	if (!relay_is_host(name))
		finding_add(l->f, "E008", at, "%s: expected a name such as relay.zorg.example", key);
	else if (colon != NULL && strchr(colon + 1, ':') == NULL)
		finding_add(l->f, "E008", at,
		    "%s: expected a name alone; its port is a key of its own: port: 587", key);
}

static void
token_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct token_settings *t = &((struct relay_settings *)into)->token;

	(void)fd;
	fields_read(l, token_fields, n, t);
	if (t->url != NULL)
		url_judge(l, "url", t->url, PLAIN_NEVER, place_of(n, "url"));
	secret_judge(l, n, "client_secret", t->client_secret);
	secret_judge(l, n, "refresh", t->refresh);
	ca_judge(l, n, t->ca);
	if (t->client_secret == NULL && t->refresh == NULL)
		finding_add(l->f, "E003", n->place,
		    "a token wants the name of a client_secret, of a refresh token, or of both");
}

static const struct field relay_fields[] = {
	{ "host", FIELD_TEXT, RELAY(host), .needed = true, .help = "name of the mail relay" },
	{ "port", FIELD_INT, RELAY(port), .min = 1, .max = 65535, .help = "587" },
	{ "tls", FIELD_CHOICE, RELAY(tls), WORDS(tls_names), .help = "how it is encrypted" },
	{ "login", FIELD_CHOICE, RELAY(login), WORDS(login_names), .help = "how we log in" },
	{ "user", FIELD_TEXT, RELAY(user), .help = "who we are there" },
	{ "password", FIELD_TEXT, RELAY(password), .help = "name of the secret" },
	{ "token", FIELD_OWN, .own = token_own, .help = "where an access token comes from" },
	{ "connections", FIELD_INT, RELAY(connections), .min = 1, .max = 64, .help = "at most" },
	{ "ca", FIELD_TEXT, RELAY(ca), .help = "file of certificates to trust" },
	{ "dot_wait", FIELD_INT, RELAY(dot_wait), .min = 1, .max = 3600,
	    .help = "seconds for the answer to a whole mail" },
	{ 0 },
};
static const struct field chat_fields[] = {
	{ "format", FIELD_CHOICE, CHAT(format), .needed = true, .words = chat_format_names,
	    .n_words = CHAT_FORMATS, .help = "which chat system" },
	{ "url", FIELD_TEXT, CHAT(url), .needed = true, .help = "name of the secret" },
	{ "secret", FIELD_TEXT, CHAT(secret), .help = "name of the token or signing key" },
	{ "connections", FIELD_INT, CHAT(connections), .min = 1, .max = 64, .help = "at most" },
	{ "inside", FIELD_BOOL, CHAT(inside), .help = "may be an address inside the house" },
	{ "ca", FIELD_TEXT, CHAT(ca), .help = "file of certificates to trust" },
	{ 0 },
};
static const struct field caldav_fields[] = {
	{ "url", FIELD_TEXT, DAV(url), .needed = true, .help = "of the calendars, with {person}" },
	{ "user", FIELD_TEXT, DAV(user), .help = "who we are there" },
	{ "password", FIELD_TEXT, DAV(password), .help = "name of the secret" },
	{ "connections", FIELD_INT, DAV(connections), .min = 1, .max = 64, .help = "at most" },
	{ "inside", FIELD_BOOL, DAV(inside), .help = "may be an address inside the house" },
	{ "ca", FIELD_TEXT, DAV(ca), .help = "file of certificates to trust" },
	{ 0 },
};

/* "spool, smtp or caldav". */
static const char *
ways_text(struct arena *mem, int channel)
{
	const char *ret = "";

	for (int way = WAYS - 1; way >= 0; way--)
		if (ways_of[channel] & 1u << way) {
			bool last = ret[0] == '\0', next_to_last = strchr(ret, ' ') == NULL;

			ret = last ? way_names[way]
				   : arena_printf(mem, next_to_last ? "%s or %s" : "%s, %s", way_names[way], ret);
		}
	return ret;
}

static void
channels_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;

	(void)fd;
	for (size_t i = 0; n->kind == NODE_MAP && i < n->n; i++) {
		const struct pair *p = &n->pairs[i];
		int channel = parse_word(p->key, channel_names, CHANNELS), way;

		if (channel < 0)
			finding_word(l->f, "E002", p->key_place, p->key, channel_names, CHANNELS,
			    "unknown channel '%.40s'", p->key);
		else if (read_choice(l, p->value, way_names, WAYS, &way)) {
			if (ways_of[channel] & 1u << way)
				s->ways[channel] = way;
			else
				finding_add(l->f, "E004", p->value->place, "%s cannot go by %s; expected %s", p->key,
				    way_names[way], ways_text(l->mem, channel));
		}
	}
	if (n->kind != NODE_MAP)
		finding_add(l->f, "E003", n->place, "expected { email: smtp, chat: spool }");
}

/* What one key of a relay asks of another. */
static void
relay_judge(struct loading *l, const struct relay_settings *r, const struct node *n)
{
	struct place at = n->place;
	bool token = r->token.url != NULL;

	if (r->host != NULL)
		host_judge(l, "host", r->host, place_of(n, "host"));
	secret_judge(l, n, "password", r->password);
	ca_judge(l, n, r->ca);
	if (r->login == 0 && (r->user != NULL || r->password != NULL))
		finding_add(l->f, "E003", at, "a user or password without a login is never told: add login: plain");
	if (r->login != 0 && (r->user == NULL || (r->password == NULL && !token)))
		finding_add(l->f, "E003", at, "login wants a user and the name of a password");
	if (r->login != 0 && r->tls == 2)
		finding_add(l->f, "E004", at, "a login without TLS would show the password");
	if (token && r->login != LOGIN_XOAUTH2)
		finding_add(l->f, "E004", at, "token: only with login: xoauth2");
	if (token && r->password != NULL)
		finding_add(l->f, "E004", at, "an access token is fetched by `token`, or is the `password`: not both");
}

static void
relays_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;

	(void)fd;
	if (n->kind != NODE_LIST || n->n > RELAYS_MAX) {
		finding_add(l->f, "E003", n->place,
		    "expected a list of up to %d: - { host: relay.zorg.example }", RELAYS_MAX);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct relay_settings *r = &s->relays[s->n_relays++];

		*r = (struct relay_settings){ .connections = 10, .dot_wait = 600 };
		fields_read(l, relay_fields, n->pairs[i].value, r);
		if (r->port == 0)
			r->port = r->tls == 1 ? 465 : 587;
		relay_judge(l, r, n->pairs[i].value);
	}
}

static void
chat_judge(struct loading *l, const struct chat_settings *c, const struct node *n)
{
	/* Zulip's may stand in its address, ntfy has topics for everybody, the others have the address alone. */
	bool wanted = c->url != NULL && (c->format == CHAT_MATRIX || c->format == CHAT_GENERIC);

	secret_judge(l, n, "url", c->url);
	secret_judge(l, n, "secret", c->secret);
	ca_judge(l, n, c->ca);
	if (wanted && c->secret == NULL)
		finding_add(l->f, "E003", n->place, "%s: expected a secret: the name of its %s",
		    chat_format_names[c->format], c->format == CHAT_MATRIX ? "access token" : "signing key");
}

static void
chats_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;

	(void)fd;
	if (n->kind != NODE_MAP || n->n > CHATS_MAX) {
		finding_add(l->f, "E003", n->place,
		    "expected up to %d chats: people: { format: mattermost, url: SECRET }", CHATS_MAX);
		return;
	}
	s->chats = arena_alloc(l->mem, n->n + 1, sizeof *s->chats);
	for (size_t i = 0; i < n->n; i++) {
		struct chat_settings *c = &s->chats[s->n_chats++];

		*c = (struct chat_settings){ .name = n->pairs[i].key, .connections = 4 };
		fields_read(l, chat_fields, n->pairs[i].value, c);
		chat_judge(l, c, n->pairs[i].value);
	}
}

/* {person} in it, and no other word in braces. */
static void
slots_judge(struct loading *l, const char *url, struct place at)
{
	bool person = false, other = false;

	for (const char *s = url; (s = strchr(s, '{')) != NULL; s++) {
		if (strncmp(s, "{person}", strlen("{person}")) == 0)
			person = true;
		else {
			other = true;
			finding_add(l->f, "E008", at, "url: '%.*s}' is not known here; known: {person}",
			    (int)strcspn(s, "}"), s);
		}
	}
	if (!person && !other)
		finding_add(l->f, "E008", at,
		    "url: expected {person} where the person's address goes; else all share one calendar");
}

static void
caldav_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;

	(void)fd;
	s->caldav.connections = 4;
	fields_read(l, caldav_fields, n, &s->caldav);
	if (s->caldav.url != NULL) {
		url_judge(l, "url", s->caldav.url, s->caldav.inside ? PLAIN_MAY : PLAIN_INSIDE,
		    place_of(n, "url"));
		slots_judge(l, s->caldav.url, place_of(n, "url"));
	}
	secret_judge(l, n, "password", s->caldav.password);
	ca_judge(l, n, s->caldav.ca);
}

static void
helo_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;

	(void)fd;
	if (read_text(l, n, "a name", &s->helo))
		host_judge(l, "helo", s->helo, n->place);
}

static void
https_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;
	const char *url;

	(void)fd;
	if (!read_text(l, n, "an address", &url))
		return;
	url_judge(l, "base_url", url, PLAIN_NEVER, n->place);
	if (url[0] != '\0' && url[strlen(url) - 1] == '/')
		finding_add(l->f, "E008", n->place, "base_url: expected no slash at the end: links add their own");
	s->base_url = url;
}

static void
address_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	const char *address, *why;

	if (!read_text(l, n, "an address", &address))
		return;
	address = address_parse(l->mem, address, &why);
	if (address == NULL)
		finding_add(l->f, "E003", n->place, "expected one bare address: %s", why);
	else
		*(const char **)(void *)((char *)into + fd->offset) = address;
}

static void
minute_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	const char *text;
	int minute;

	if (!read_text(l, n, "an hour such as 16:00", &text))
		return;
	if (!minutes_parse(text, strlen(text), &minute) || minute >= 24 * 60)
		finding_add(l->f, "E003", n->place, "expected an hour such as 16:00");
	else
		*(int *)(void *)((char *)into + fd->offset) = minute;
}

static void
level_own(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct settings *s = into;
	int level;

	(void)fd;
	if (read_choice(l, n, levels, sizeof levels / sizeof *levels, &level))
		s->log_level = (enum log_level)(LOG_ERROR + level);
}

static const struct field settings_fields[] = {
	{ "state", FIELD_TEXT, SETTING(state), .help = "folder of the state" },
	{ "rules", FIELD_TEXT, SETTING(rules), .help = "folder of the rule base" },
	{ "words", FIELD_TEXT, SETTING(words), .help = "folder of the program's sentences" },
	{ "base_url", FIELD_OWN, .own = https_own, .help = "where answer links lead" },
	{ "from", FIELD_OWN, SETTING(from), .own = address_own, .help = "the sender" },
	{ "bounce", FIELD_OWN, SETTING(bounce), .own = address_own, .help = "where bounces go" },
	{ "organisation", FIELD_TEXT, SETTING(organisation), .help = "its name" },
	{ "helo", FIELD_OWN, .own = helo_own, .help = "our name before mail servers" },
	{ "secrets", FIELD_TEXT, SETTING(secrets), .help = "folder of the secrets" },
	{ "metrics", FIELD_TEXT, SETTING(metrics), .help = "file for Prometheus" },
	{ "channels", FIELD_OWN, .own = channels_own, .help = "which way each goes" },
	{ "print_at", FIELD_OWN, SETTING(print_at), .own = minute_own, .help = "when paper is made" },
	{ "relays", FIELD_OWN, .own = relays_own, .help = "mail servers" },
	{ "chats", FIELD_OWN, .own = chats_own, .help = "chat systems" },
	{ "caldav", FIELD_OWN, .own = caldav_own, .help = "calendar server" },
	{ "log_level", FIELD_OWN, .own = level_own, .help = "how much is logged" },
	{ 0 },
};

/* What one key asks of another. */
static void
settings_judge(const struct settings *s, struct place at, struct findings *f)
{
	if ((s->ways[CHANNEL_EMAIL] == WAY_SMTP || s->ways[CHANNEL_CALENDAR] == WAY_SMTP) &&
	    s->n_relays == 0)
		finding_add(f, "E003", at, "channels go by smtp, but there is no relay: relays: [{ host: ... }]");
	if (s->ways[CHANNEL_CHAT] == WAY_WEBHOOK && s->n_chats == 0)
		finding_add(f, "E003", at,
		    "chat goes by webhook, but there is no chat: chats: { people: { format: ..., url: ... } }");
	else if (s->ways[CHANNEL_CHAT] == WAY_WEBHOOK && settings_chat(s, "people") == NULL)
		finding_add(f, "E003", at,
		    "chat goes by webhook, but of `chats` none is called `people`: nobody would be reached by chat");
	if (s->ways[CHANNEL_CALENDAR] == WAY_CALDAV && s->caldav.url == NULL)
		finding_add(f, "E003", at, "calendar goes by caldav, but there is no caldav: { url: ... }");
}

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

static int
file_apply(struct settings *s, const char *path)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	SCOPED(findings_done) struct findings *f = findings_new("");
	struct loading l = { .mem = s->mem, .f = f };
	struct node *root;
	int rc = file_read(path, YAML_BYTES, &bytes);

	if (rc != 0)
		return FAIL(rc < 0 ? rc : -EFBIG, "the configuration %s cannot be read: %s", path,
		    strerror(rc < 0 ? -rc : EFBIG));
	root = yaml_read(s->mem, path, 1, arena_copyn(s->mem, bytes.s, bytes.len), bytes.len, f);
	if (root != NULL && root->kind != NODE_MAP)
		finding_add(f, "E003", root->place, "expected keys with values");
	else if (root != NULL)
		fields_read(&l, settings_fields, root, s);
	if (root != NULL && findings_errors(f) == 0)
		settings_judge(s, root->place, f);
	/* Whoever types sees what they wrote; a log must not keep a password that was put in a wrong place. */
	if (!isatty(STDERR_FILENO))
		findings_hide_lines(f);
	findings_print_text(f, stderr, false);
	return findings_errors(f) > 0;
}

enum { BUILD_DEPTH = 3 };

/* The sentences of a clone whose program is run from a build folder in it; NULL: not there. */
static const char *
words_of_clone(const struct settings *s)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	exe[n > 0 ? n : 0] = '\0';
	for (int up = 0; up <= BUILD_DEPTH && strrchr(exe, '/') != NULL; up++) {
		const char *words;

		*strrchr(exe, '/') = '\0';
		words = arena_printf(s->mem, "%s/config/words", exe);
		if (is_there(words))
			return words;
	}
	return NULL;
}

/* Where the sentences are: beside the rules or program in a checkout, else where they were installed. */
static const char *
words_find(const struct settings *s)
{
	const char *beside = arena_printf(s->mem, "%s/../config/words", s->rules);

	if (is_there(beside))
		return beside;
	beside = words_of_clone(s);
	return beside != NULL ? beside : NUDGED_DATADIR "/words";
}

int
settings_load(
    const char *config, const char *state, const char *rules, struct settings *ret)
{
	int rc = 0;

	/* Who names a state of their own, such as a trial or a test, does not want the machine's servers. */
	if (config == NULL && state == NULL && is_there(CONFIG_DEFAULT))
		config = CONFIG_DEFAULT;
	*ret = (struct settings){ .config = config, .mem = arena_new("settings", MEMORY) };
	defaults(ret);
	if (config != NULL)
		rc = file_apply(ret, config);
	if (state != NULL)
		ret->state = state;
	if (rules != NULL)
		ret->rules = rules;
	if (ret->words == NULL)
		ret->words = words_find(ret);
	if (rc != 0)
		settings_deinit(ret);
	return rc;
}

void
settings_deinit(struct settings *s)
{
	arena_free(&s->mem);
}

const struct chat_settings *
settings_chat(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_chats; i++)
		if (strcmp(s->chats[i].name, name) == 0)
			return &s->chats[i];
	return NULL;
}

/* ours: a file of ours alone; a secret that others can read is none. */
static int
secret_read(const char *path, const char *name, bool ours, struct text *ret)
{
	struct stat st;
	int rc;

	if (stat(path, &st) < 0)
		return FAIL(-errno, "the secret '%s' cannot be read: %s: %s", name, path, strerror(errno));
	if (ours && (st.st_mode & (S_IRWXG | S_IRWXO)))
		return FAIL(-EPERM, "the secret '%s' can be read by others: chmod 600 %s", name, path);
	rc = file_read(path, SECRET_BYTES, ret);
	if (rc != 0)
		return rc < 0 ? rc : -EFBIG;
	while (ret->len > 0 && strchr("\r\n", ret->s[ret->len - 1]) != NULL)
		ret->s[--ret->len] = '\0';
	if (ret->len == 0 || memchr(ret->s, '\n', ret->len) != NULL)
		return FAIL(-EINVAL, "the secret '%s' is not one line: %s", name, path);
	return 0;
}

int
secret_load(const struct settings *s, const char *name, struct text *ret)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	const char *folder = s->secrets != NULL ? s->secrets
	    : credentials != NULL		    ? credentials
						    : "/etc/nudged/secrets";
	char path[4096];

	if (!is_secret_name(name) ||
	    snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
		return FAIL(-EINVAL, "'%.60s' is not the name of a secret", name);
	text_clear(ret);
	/* systemd may keep a credential as root's, with an entry for us that looks like one for the group */
	return secret_read(path, name, folder != credentials, ret);
}
