/* wires.h - base/wires.h made with sd-event: for the daemon's loop, and a small loop of its own. */
#ifndef NUDGED_LOOP_WIRES_H
#define NUDGED_LOOP_WIRES_H
#include <stdbool.h>

#include "base/wires.h"

struct sd_event;
/* Wires on an event loop that lives longer than they do. */
struct wires wires_of(struct sd_event *event);

/* A loop of its own, for a command or a test that sends and then ends. */
int wires_open(struct wires *ret);
/* Turn until done(arg) or `limit` is over; 0, 1: the time was over, negative: the loop broke. */
int wires_run(const struct wires *w, bool (*done)(void *arg), void *arg, struct span limit);
void wires_close(struct wires *w);
#endif
