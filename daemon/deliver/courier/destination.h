/*
 * destination.h - how gently one server is used: how many at once, how often, and when not at all.
 *
 *   closed ──as many failed connections in a row as are allowed at once──▶ open(until)
 *     ▲  │  └──────────────── it refuses us (AUTH, certificate, 401) ───────▲    │ until is over
 *     │  └─ busy (421, 429, 503): resting(until), one at a time after it        ▼
 *     └───────────────── one probe went well ◀────────────────────────── half-open (one probe)
 *
 * Starts with 2 at once; each success in a full window adds one, up to `most`; trouble halves.
 * Pure: values in, values out; the courier asks and tells.  Instants are of the clock that only goes on:
 * one that is set back must not keep a server shut for as long.
 */
#ifndef NUDGED_DELIVER_DESTINATION_H
#define NUDGED_DELIVER_DESTINATION_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
#include "deliver/verdict.h"

enum circuit { CIRCUIT_CLOSED, CIRCUIT_RESTING, CIRCUIT_OPEN, CIRCUIT_HALF, CIRCUITS };
extern const char *const circuit_names[CIRCUITS];

enum { PARALLEL_START = 2, PARALLEL_MOST = 10 };
struct destination {
	enum circuit circuit;
	struct instant until; /* open or resting: not before */
	int parallel, most;   /* at once: now, and at the very most; 1 <= parallel <= most */
	int64_t successes;    /* since parallel last grew */
	int64_t failures;     /* connections in a row that failed, or troubles of an open circuit */
	int64_t openings;     /* in a row without a success: how long it stays open */
	struct span pace;     /* between two; 0: no limit of its own */
	struct instant next;  /* pace: not before */
	const char *reason;   /* of its trouble; "" none */
	int64_t delivered, postponed, dead, uncertain; /* since the start */
	bool changed;         /* something of the above that an operator sees */
};

void destination_init(struct destination *d, int most, struct span pace);
/* How many may be at work now; 0: none before destination_wake(). */
int destination_allows(struct destination *d, struct instant now);
struct instant destination_wake(const struct destination *d);
/* Take one from the pace; false: not yet, destination_wake() tells when. */
bool destination_take(struct destination *d, struct instant now);
/* A connection was made. */
void destination_up(struct destination *d);
/*
 * What an outcome means here.  A server that has never taken anything and refuses a recipient by its
 * rules ("relay access denied") probably means us: a login that is missing, an address it does not
 * know.  Then one waits for somebody to mend it, and not ten thousand are dead of it.
 */
struct outcome destination_weigh(const struct destination *d, const struct outcome *o);
/* What became of a delivery, or of a connection; unit in [0, 1) is the draw of the back-off. */
void destination_note(struct destination *d, const struct outcome *o, bool of_parcel,
    struct instant now, double unit);
#endif
