/*
 * carriers.h - the three ways over the network, and what the configuration says of each.
 *
 * Options are copied shallowly; their strings outlive the carrier (they are the settings').
 * A constructor opens nothing: the first work() does.
 */
#ifndef NUDGED_DELIVER_CARRIERS_H
#define NUDGED_DELIVER_CARRIERS_H
#include <stdbool.h>

#include "compose/chat_format.h"
#include "deliver/carrier.h"

struct transport;
struct bearer_options;

enum relay_tls { TLS_STARTTLS, TLS_IMPLICIT, TLS_NONE };
enum relay_login { LOGIN_NONE, LOGIN_PLAIN, LOGIN_LOGIN, LOGIN_XOAUTH2 };
struct relay_options {
	const char *host;
	int port;
	enum relay_tls tls;
	enum relay_login login;
	const char *user;     /* NULL without login */
	/* The present password, or an access token that somebody else refreshes: read anew for each
	 * connection.  0 or negative.  Not asked where there is `token`. */
	int (*secret)(void *arg, struct text *ret);
	void *secret_arg;
	const struct bearer_options *token; /* LOGIN_XOAUTH2: fetch it ourselves; NULL: secret */
	const char *helo;     /* our name in EHLO */
	const char *ca_file;  /* NULL: the system's */
	bool may_private;     /* the host may be inside the house */
	struct span dot_wait; /* for the reply to the dot; 600 s (RFC 5321 4.5.3.2.6) */
};
/* Letters, digits, dots, hyphens, colons: nothing that has a meaning in a URL or a command. */
bool relay_is_host(const char *s);
int relay_new(const struct relay_options *o, const struct carrier_host *host, struct transport *t,
    struct carrier **ret);

struct hook_options {
	enum chat_format format;
	/* The URL is a secret: never logged, never in an error. */
	int (*url)(void *arg, struct text *ret);
	/* Token or signing key, for formats that have one; NULL: none. */
	int (*secret)(void *arg, struct text *ret);
	void *secret_arg;
	const char *ca_file;
	bool may_private;
};
int hook_new(const struct hook_options *o, const struct carrier_host *host, struct transport *t,
    struct carrier **ret);

struct dav_options {
	const char *url;      /* of the collection, https, with {person} where the id or address goes */
	const char *user;
	int (*secret)(void *arg, struct text *ret);
	void *secret_arg;
	const char *ca_file;
	bool may_private;
};
int dav_new(const struct dav_options *o, const struct carrier_host *host, struct transport *t,
    struct carrier **ret);
#endif
