/*
 * carrier.h - between the courier, who knows the outbox, and the carriers, who know a protocol.
 *
 *   courier                                   carrier (relay.c SMTP, webhook.c chat, caldav.c)
 *     work(n) "parcels wait; up to n at once" ──▶ opens what it needs
 *     next() ◀── "I am connected and can take one"
 *     may_go() ◀── "its last bytes leave now" (false: stopped meanwhile, drop it)
 *     done() ◀── what became of it
 *
 * A parcel that next() hands out is already recorded as `leased(dot)`: its last bytes may leave at
 * once.  The carrier owns it until done(), which it calls exactly once for each.  None of these
 * functions frees a carrier; none is called after close().
 */
#ifndef NUDGED_DELIVER_CARRIER_H
#define NUDGED_DELIVER_CARRIER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/when.h"
#include "deliver/verdict.h"

/* What a delivery is: a message, or what becomes of an invitation. */
enum parcel_kind { PARCEL_MESSAGE, PARCEL_UPDATE, PARCEL_WITHDRAWAL, PARCEL_KINDS };

/* One delivery on its way: bytes ready for its channel. */
struct parcel {
	int64_t row;
	enum parcel_kind kind;
	const char *sender;    /* mail: envelope sender (VERP) */
	const char *recipient; /* mail: address; chat: "@jan", room, topic; "" the hook's own */
	const char *key;       /* stable over attempts: Message-ID, UID, txnId, idempotency key */
	const char *receipt;   /* of the earlier delivery that this one changes; "" none */
	struct text body;      /* RFC 5322 with CRLF; JSON; iCalendar */
	struct instant created;
	struct slot *slot;     /* courier's own */
};

struct carrier;
struct courier;
/* What the courier offers; arg is the courier. */
struct carrier_host {
	struct courier *courier;
	/* The next parcel for this carrier, NULL: none now; work() will be called when there is. */
	struct parcel *(*next)(struct courier *c, struct carrier *from);
	/* Right before the first byte leaves that cannot be taken back.  false: do not send it, call
	 * done() with FATE_BACK (the courier knows that it was cancelled). */
	bool (*may_go)(struct courier *c, struct parcel *p);
	void (*done)(struct courier *c, struct carrier *from, struct parcel *p,
	    const struct outcome *o);
	/* A connection without a parcel: made (o NULL), or failed. */
	void (*connected)(struct courier *c, struct carrier *from, const struct outcome *o);
};

/* Embedded first in each carrier. */
struct carrier {
	/* Parcels wait: have up to `parallel` connections or requests at once, and call next(). */
	void (*work)(struct carrier *c, int parallel);
	/* Nothing waits: end idle connections politely (QUIT) after a while of its own. */
	void (*rest)(struct carrier *c);
	/* End at once.  Parcels in the carrier's hands are told by done(): FATE_BACK when not begun,
	 * FATE_UNCERTAIN when the last bytes left.  Frees the carrier. */
	void (*close)(struct carrier **c);
	int active;       /* connections or requests open now; the carrier keeps it true */
	void *destination; /* courier's own */
};
#endif
