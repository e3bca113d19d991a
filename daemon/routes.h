/*
 * routes.h - from the settings to carriers: which servers each channel's deliveries go to.
 *
 * The daemon gives the carriers to a courier; test-send uses one alone.
 */
#ifndef NUDGED_ROUTES_H
#define NUDGED_ROUTES_H
#include <stdbool.h>
#include <stddef.h>

#include "base/when.h"
#include "deliver/carrier.h"

struct courier;
struct routes;
struct settings;
struct wires;

/* Is any channel delivered over a network? */
bool routes_needed(const struct settings *s);
/* Opens nothing yet.  settings and wires outlive the routes. */
int routes_new(const struct settings *s, const struct wires *w, struct routes **ret);
/* After the courier: its carriers live on the transport. */
void routes_free(struct routes **r);
/* Give the courier a lane for each channel and chat of the settings, with its destinations. */
int routes_lay(struct routes *r, struct courier *c);
/* One carrier of a channel alone; nth: of its relays, from 0; chat: its name in the settings.
 * 1: there is none, or it goes by the spool. */
int routes_carrier(struct routes *r, int channel, size_t nth, const char *chat,
    const struct carrier_host *host, struct carrier **ret);
/* The names of all destinations, NULL at the end; live as long as the routes. */
const char *const *routes_names(const struct routes *r);
#endif
