/*
 * flight.h - which of the leased deliveries have really begun to leave: a flight recorder.
 *
 * The outbox records `leased` for a group of deliveries in one commit before the first of them
 * leaves.  After a crash all of the group would be in doubt, although most were not begun.  So the
 * courier also writes a mark for each into STATE/flight, a small file mapped into memory: a store
 * before the send, no system call.  What was stored survives the death of the process, since the
 * page belongs to the kernel; it need not survive a power cut, so after another boot the file is
 * not believed and the whole group is in doubt.  What nobody here sees is a disk that was taken
 * away and mounted again within one boot: then remove STATE/flight before the start.
 *
 *   FLIGHT_IN_HAND ──▶ FLIGHT_BEGUN ──▶ FLIGHT_LEFT ──▶ FLIGHT_ACCEPTED | FLIGHT_REFUSED
 *   (repeat)          (repeat)         (in doubt)      (delivered)       (repeat)
 *
 * What was only in hand, waiting for its turn, cannot be why the process died.  FLIGHT_NONE in an
 * entry: it says nothing of its row any more.
 *
 * Layout: a page with magic, boot id and lease, then FLIGHT_SLOTS entries of (row, mark).
 */
#ifndef NUDGED_DELIVER_FLIGHT_H
#define NUDGED_DELIVER_FLIGHT_H
#include <stddef.h>
#include <stdint.h>

struct flight;
/* The numbers are in the file. */
enum flight_mark {
	FLIGHT_NONE,
	FLIGHT_IN_HAND,
	FLIGHT_LEFT,
	FLIGHT_ACCEPTED,
	FLIGHT_REFUSED,
	FLIGHT_BEGUN
};
enum { FLIGHT_SLOTS = 512, LEASE_TEXT = 80 };

/* "BOOT/PID.TIME": names this process in this boot. */
const char *lease_make(char buf[static LEASE_TEXT]);

/* Open DIR/flight for our lease.  Read what the one before left with flight_before() first. */
int flight_open(const char *dir, const char *lease, struct flight **ret);
/* What the process before left, when it died in this very boot; else *ret is NULL.  0, negative. */
int flight_before(const char *dir, struct flight **ret);
void flight_free(struct flight **f);
const char *flight_lease(const struct flight *f);
/* slot < FLIGHT_SLOTS.  In the order row before mark, so that a crash between says nothing wrong. */
void flight_put(struct flight *f, size_t slot, int64_t row, enum flight_mark mark);
enum flight_mark flight_find(const struct flight *f, int64_t row);
#endif
