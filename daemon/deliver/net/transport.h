/*
 * transport.h - libcurl's multi interface as a guest of our loop: who connects, encrypts,
 * authenticates.
 *
 * One multi handle for all destinations.  Easy handles are reaped outside curl's callbacks.  A
 * handle stays in the multi until transport_drop(), also after its callback: a CONNECT_ONLY
 * connection lives on there.  CURLOPT_PRIVATE belongs to the transport.  Nothing here may be called
 * from within a callback of curl; from a transfer_fn everything may.
 */
#ifndef NUDGED_DELIVER_TRANSPORT_H
#define NUDGED_DELIVER_TRANSPORT_H
#include <curl/curl.h>
#include <stdbool.h>

#include "base/when.h"
#include "base/wires.h"

struct transport;
typedef void transfer_fn(void *arg, CURL *easy, CURLcode result);

int transport_new(const struct wires *w, struct transport **ret);
/* Handles that were not dropped are dropped without their callbacks. */
void transport_free(struct transport **t);
/* done comes once, from the loop, never from within this call. */
int transport_start(struct transport *t, CURL *easy, transfer_fn *done, void *arg);
/* Out of the multi; the callback will not come any more.  The caller still owns easy. */
void transport_drop(struct transport *t, CURL *easy);
const struct wires *transport_wires(const struct transport *t);

/*
 * What every handle of ours has: no signals, no proxy or netrc from the environment, no redirects,
 * connect timeout, the CA file (NULL: the system's), and the guard against addresses inside the
 * house: both callbacks, since libcurl asks the one for new and the other for reused connections.
 * Loopback, private, link-local, multicast, unspecified and IPv4-mapped forms of these are refused
 * unless may_private.  guard lives as long as the handle.
 */
struct transport_guard {
	bool may_private; /* the configuration names this host as one inside the house */
	bool refused;     /* it was the guard that refused, so this can be told */
};
void transport_prepare(CURL *easy, struct transport_guard *guard, const char *ca_file);
/* Is this numeric address ("127.0.0.1", "::ffff:10.0.0.1", "fe80::1%2") one inside the house? */
bool transport_is_inside(const char *address);
#endif
