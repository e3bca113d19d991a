/*
 * hook_request.h - what is asked of a hook: its secrets, and a request made with them.
 *
 * The secrets are looked at again once a second, since somebody may change the files they stand in;
 * they stand in nothing that is logged or told.
 */
#ifndef NUDGED_DELIVER_HOOK_REQUEST_H
#define NUDGED_DELIVER_HOOK_REQUEST_H
#include "deliver/carriers.h"
#include "deliver/web/hook_address.h"
#include "deliver/net/http.h"

struct hook_keys {
	const struct hook_options *options; /* these two are set by the owner */
	const struct chat_row *row;
	struct instant looked; /* on the clock that only goes on; 0: not yet */
	struct text url, secret, login;
	struct hook_address address;
	unsigned edition;     /* grows when the host changes */
	struct outcome fault; /* why they cannot be used; reason NULL: they can */
};
/* false: see keys->fault. */
bool hook_keys_look(struct hook_keys *k, struct instant now);
void hook_keys_deinit(struct hook_keys *k);

enum { HOOK_FIELDS = 5 };
struct hook_request {
	struct http_request request; /* points to what stands below, into keys and parcel */
	struct http_field fields[HOOK_FIELDS];
	struct text target, signature;
	char at[24];
};
/* keys can be used; keys and p outlive ret, which does not move. */
void hook_request_make(
    const struct hook_keys *k, const struct parcel *p, struct hook_request *ret);
void hook_request_deinit(struct hook_request *r);
#endif
