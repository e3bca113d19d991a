/*
 * hook_address.h - the address of a hook, taken apart: where libcurl connects to, and what a request
 * asks for.  The address is a secret: it stands in no error and no log.
 */
#ifndef NUDGED_DELIVER_HOOK_ADDRESS_H
#define NUDGED_DELIVER_HOOK_ADDRESS_H
#include "base/text.h"
#include "compose/chat_format.h"

enum address_flaw {
	ADDRESS_GOOD,
	ADDRESS_SCHEME, /* not https, nor http to a host that may be inside the house */
	ADDRESS_UNREADABLE,
};
struct hook_address {
	struct text origin; /* "https://host:port": all that libcurl gets to know */
	struct text host;   /* as in the Host field */
	struct text target; /* path and query with the places {to} and {key} */
	struct text user;   /* "name:password" that stood in the address; "" none */
};
void hook_address_deinit(struct hook_address *a);
/* What the format puts behind it is put there.  ret is as before unless ADDRESS_GOOD. */
enum address_flaw hook_address_read(const char *url, const struct chat_row *row, bool may_private,
    struct hook_address *ret);
/* The places of a target, each as one part of a path. */
void hook_target_put(const struct hook_address *a, const char *to, const char *key, struct text *ret);
#endif
