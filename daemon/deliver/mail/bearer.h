/*
 * bearer.h - the access token of a login by OAuth 2.0: fetched when a connection wants one, kept
 * until shortly before it ends, fetched anew when the mail server does not take it any more.
 *
 * RFC 6749: section 6 with a refresh token, section 4.4 (client credentials) without; the client's
 * own secret goes in the body (2.3.1).  RFC 6750: what a token may hold.  A refresh token that the
 * server replaces is kept in the state folder, in `refresh-NAME`, beside the one it came from: a
 * new one in the secret is used at once.  One request at a time for each refresh token, over https
 * only.
 */
#ifndef NUDGED_DELIVER_BEARER_H
#define NUDGED_DELIVER_BEARER_H
#include <stdbool.h>

#include "base/text.h"
#include "deliver/verdict.h"

struct transport;
struct bearer;

/*
 * Whose turn it is, among those that use one refresh token: many a server that replaces it ends the
 * login altogether when two requests come with the same one.  All 0 at first; outlives them.
 */
struct bearer_turn {
	struct bearer *busy, *waiting;
};
struct bearer_options {
	const char *url;     /* of the token endpoint */
	const char *client;  /* client_id */
	const char *scope;   /* NULL: none */
	/* Read for each request.  0 or negative.  client_secret NULL: a client without one. */
	int (*client_secret)(void *arg, struct text *ret);
	int (*refresh)(void *arg, struct text *ret); /* NULL: client credentials */
	void *arg;
	struct bearer_turn *turn; /* NULL: nobody else uses the refresh token */
	const char *folder;  /* where a replaced refresh token is kept */
	const char *name;    /* of the refresh token's secret */
	const char *ca_file; /* NULL: the system's */
};
/* From the loop, once for each request to the token server.  trouble NULL: there is a token. */
typedef void bearer_fn(void *arg, const struct outcome *trouble);

int bearer_new(const struct bearer_options *o, struct transport *t, bearer_fn *ready, void *arg,
    struct bearer **ret);
void bearer_free(struct bearer **b);
/*
 * 0: a token is in ret, and its number in *ret_number.  1: one is being fetched, and ready() will tell
 * (once, however often it was asked for meanwhile).  Negative: our own secrets cannot be read.
 */
int bearer_get(struct bearer *b, struct text *ret, unsigned *ret_number);
/* The mail server took token `number`. */
void bearer_taken(struct bearer *b, unsigned number);
/* It did not.  true: it had been good until now, or is not the present one: ask again. */
bool bearer_refused(struct bearer *b, unsigned number);
#endif
