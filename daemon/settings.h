/*
 * settings.h - nudged.yaml and the command line: where things are, who sends, by which servers.
 *
 * Every key has a built-in default, so no file is needed.  Strings live in the settings' arena.
 * Secrets never stand in the file: it names them, and secret_load() reads them when they are used.
 */
#ifndef NUDGED_SETTINGS_H
#define NUDGED_SETTINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "rules/vocabulary.h"

struct arena;
struct text;

enum way { WAY_SPOOL, WAY_SMTP, WAY_WEBHOOK, WAY_CALDAV, WAYS };
extern const char *const way_names[WAYS];

enum { PRINT_AT_ONCE = -1 };
enum { RELAYS_MAX = 8, CHATS_MAX = 100 };
/* OAuth 2.0: where a relay's access token comes from. */
struct token_settings {
	const char *url;       /* NULL: nowhere */
	const char *client, *scope;
	const char *client_secret, *refresh; /* secrets' names */
	const char *ca;
};
struct relay_settings {
	const char *host;
	int64_t port, connections;
	int tls;               /* enum relay_tls */
	int login;             /* enum relay_login */
	const char *user, *password; /* password: a secret's name */
	struct token_settings token; /* instead of a password */
	const char *ca;
	int64_t dot_wait;      /* seconds */
};
struct chat_settings {
	const char *name;      /* "people" reaches persons; any other is a team's chat_url_ref */
	int format;            /* enum chat_format */
	const char *url, *secret; /* secrets' names */
	int64_t connections;
	bool inside;           /* may resolve to an address inside the house */
	const char *ca;
};
struct caldav_settings {
	const char *url, *user, *password, *ca;
	int64_t connections;
	bool inside;
};
struct settings {
	const char *config;       /* file that was read, or NULL */
	const char *state;        /* folder */
	const char *rules;        /* folder */
	const char *words;        /* folder with config/words */
	const char *base_url, *from, *organisation;
	const char *bounce;       /* address that bounces come back to; NULL: from */
	const char *helo;         /* NULL: the domain of `from` */
	const char *secrets;      /* folder; NULL: systemd's credentials, else /etc/nudged/secrets */
	const char *metrics;      /* file; NULL: STATE/metrics.prom */
	int ways[CHANNELS];       /* enum way */
	int print_at;             /* minute of the day at which sheets become files; PRINT_AT_ONCE */
	size_t n_relays, n_chats;
	struct relay_settings relays[RELAYS_MAX];
	struct chat_settings *chats;
	struct caldav_settings caldav; /* url NULL: none */
	enum log_level log_level;
	struct arena *mem;
};
/*
 * Any argument may be NULL; without config and state it is /etc/nudged/nudged.yaml, where there is one.
 * 0; 1: the file is wrong and everything that is was printed to stderr;
 * negative: unreadable.
 */
int settings_load(const char *config, const char *state, const char *rules, struct settings *ret);
void settings_deinit(struct settings *s);
/* The chat that reaches persons; NULL: none. */
const struct chat_settings *settings_chat(const struct settings *s, const char *name);

/*
 * Read a secret by its name, without the line end: a file of $CREDENTIALS_DIRECTORY, else of the
 * folder of secrets, 0600 or 0400 and of nobody else.  0; negative, with a line in the log that
 * names the secret and never shows it.
 */
int secret_load(const struct settings *s, const char *name, struct text *ret);
#endif
