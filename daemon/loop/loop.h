/*
 * loop.h - sd-event, the only room that knows it: one wake-up at a time, signals, rule files,
 * doorbell, watchdog.
 *
 * Idle means asleep: one absolute timer for the next due moment, and no other wake-up but the
 * watchdog's when systemd asked for one.
 */
#ifndef NUDGED_LOOP_LOOP_H
#define NUDGED_LOOP_LOOP_H
#include <stdbool.h>

#include "base/when.h"
#include "base/wires.h"

struct loop;
struct loop_calls {
	/* Do what is due; *ret_next: when to call again.  Negative: retried with back-off 1 s..60 s. */
	int (*tick)(void *arg, struct instant now, struct instant *ret_next);
	/* SIGHUP, `nudge reload`, or rule files settled for 2 s after a change. */
	void (*reload)(void *arg);
	/* The clock was set: before the next tick. */
	void (*clock_stepped)(void *arg);
	/* The end was asked for: take nothing new; true once nothing is in hand.  Asked 50 times a
	 * second for at most 20 s, or until it is asked for again. */
	bool (*may_end)(void *arg);
	/* A short sentence for `systemctl status`, into buf. */
	void (*status)(void *arg, char *buf, size_t room);
	void *arg;
};
/* watch: folder tree of rule files (inotify); doorbell: path of a Unix datagram socket. */
int loop_new(const struct loop_calls *calls, const char *watch, const char *doorbell,
    struct loop **ret);
void loop_free(struct loop **l);
/* Until SIGTERM or SIGINT; 0, or negative when the loop itself broke. */
int loop_run(struct loop *l);
/* For what talks over the network; its wires end before the loop. */
struct wires loop_wires(const struct loop *l);

#endif
