/*
 * wires.h - what a stage may ask of the loop, without knowing which loop: watch a descriptor, be
 * woken after a while, be called when the round's work is done.
 *
 * loop/wires.c makes them with sd-event.  A wire belongs to who asked for it and ends with cut();
 * after that its callback does not come any more.  Everything runs on one thread.
 */
#ifndef NUDGED_BASE_WIRES_H
#define NUDGED_BASE_WIRES_H
#include "base/when.h"

/*
 * WIRE_EDGE: tell once when something comes, not for as long as it is there; whoever asks for it
 * reads until nothing is left.  Where many descriptors are ready at once that saves looking at all
 * of them again for each.
 */
enum { WIRE_READ = 1, WIRE_WRITE = 2, WIRE_EDGE = 4 };
struct wire;
typedef void wire_fn(void *arg, int fd, unsigned events);
typedef void alarm_fn(void *arg);

struct wires {
	void *loop;
	/* Watch fd for WIRE_READ and WIRE_WRITE; events may be 0.  NULL: the loop has no memory. */
	struct wire *(*watch)(void *loop, int fd, unsigned events, wire_fn *fn, void *arg);
	void (*change)(struct wire *w, unsigned events);
	/* An alarm, off at first; set() arms it once, from now on, negative: off.  To 1 ms. */
	struct wire *(*alarm)(void *loop, alarm_fn *fn, void *arg);
	void (*set)(struct wire *w, struct span from_now);
	/* Off at first; after arm(), called once when no other event of the round is left. */
	struct wire *(*rest)(void *loop, alarm_fn *fn, void *arg);
	void (*arm)(struct wire *w);
	void (*cut)(struct wire **w);
};
#endif
