/*
 * courier.h - takes deliveries from the outbox to the carriers, and their verdicts back.
 *
 * Deliveries wait in lanes, each with its destinations in order of preference, so one dead server
 * holds up nobody else.  Two things are grouped, for one commit costs a disk its patience:
 *
 *   - what will leave next: a window of rows is leased in one commit, then handed out one by one to
 *     the connections that can take one; it is filled again before it is empty, and as small as
 *     keeps commits a small part of the time (from twice the connections to WINDOW_MOST); the
 *     flight recorder tells after a crash which of it left;
 *   - what became of them: settled together with the next window, at the latest SETTLE_US later.
 *
 * One thread.  Rows live by the wall clock, servers by the one that only goes on.
 */
#ifndef NUDGED_DELIVER_COURIER_H
#define NUDGED_DELIVER_COURIER_H
#include <stdbool.h>
#include <stddef.h>

#include "base/wires.h"
#include "deliver/carrier.h"
#include "deliver/courier/destination.h"
#include "deliver/outbox/flight.h"
#include "deliver/outbox/outbox.h"

struct courier;

enum { ADDRESS_ROOM = 330, KEY_ROOM = 330 };
/* What a delivery is packed into; sender, recipient and key are NUL-terminated. */
struct package {
	char sender[ADDRESS_ROOM], recipient[ADDRESS_ROOM], key[KEY_ROOM];
	struct text body;
};
struct courier_calls {
	/* 0; *ret_why not NULL: it can never be made, with that reason.  Negative: not now. */
	int (*pack)(void *arg, const struct delivery *d, struct package *ret, const char **ret_why);
	/* May anything be sent, or expire (the clock is trusted)?  Asked for each parcel.  May be NULL: yes. */
	bool (*may_send)(void *arg);
	/* Something was settled, or a server went down or came back.  May be NULL. */
	void (*moved)(void *arg);
	void *arg;
};
struct courier_options {
	struct db *db;
	const struct wires *wires;
	const char *lease;
	struct flight *flight; /* NULL: without a recorder */
	uint64_t seed;         /* of the jitter */
	struct courier_calls calls;
};
int courier_new(const struct courier_options *o, struct courier **ret);
/* Ends every connection, settles what is in hand. */
void courier_free(struct courier **c);
/* For the constructors of carriers. */
struct carrier_host courier_host(struct courier *c);
/* A lane, once; keyed: a repetition is harmless.  Returns its index.  destination outlives us. */
size_t courier_lane(struct courier *c, const struct lane *lane, bool keyed);
/* The next destination of a lane; takes over the carrier.  name is shown and never a secret. */
void courier_destination(struct courier *c, size_t lane, const char *name, int most,
    struct span pace, struct carrier *carrier);
/* There may be new work, or it may be allowed again: look.  Called after every tick. */
void courier_look(struct courier *c);
/* Take nothing new; what is in hand goes on. */
void courier_drain(struct courier *c);
/* Nothing in hand and nothing unsettled. */
bool courier_is_idle(const struct courier *c);
/* Each destination, for the metrics. */
void courier_each(const struct courier *c,
    void (*fn)(void *arg, const char *name, const struct destination *d, int active), void *arg);
#endif
