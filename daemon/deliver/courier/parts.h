/*
 * parts.h - the courier's own, for its files only.
 *
 *   courier.c   what carriers ask, who works when, beginning and end
 *   slots.c     the rows in our hands, and making them ready
 *   window.c    one commit: what became of some, and which are leased next
 */
#ifndef NUDGED_DELIVER_COURIER_PARTS_H
#define NUDGED_DELIVER_COURIER_PARTS_H
#include "base/text.h"
#include "deliver/courier/courier.h"

enum { LANES_MAX = 128, DESTINATIONS_MAX = 8, WINDOW_MOST = 256, COMMITS = 12, SLOTS = FLIGHT_SLOTS,
	SETTLE_US = 50000, SWEEP_S = 60, LOOK_US = 1000, BODIES = 64, BODY_KEPT = 256 << 10, AHEAD = 8,
	MEMORY = 4 << 20 };
_Static_assert(SLOTS >= 2 * WINDOW_MOST, "a window fits beside what all other lanes may claim");
_Static_assert(SLOTS >= 4 * LANES_MAX, "every lane has a share");

enum slot_state {
	SLOT_FREE,
	SLOT_READY, /* leased, not handed out */
	SLOT_OUT,   /* in a carrier's hands */
	SLOT_DONE,  /* its outcome waits for the next commit */
};
struct slot {
	enum slot_state state;
	bool made;          /* package holds it */
	bool left, stopped; /* its last bytes left; it was stopped before that */
	struct parcel parcel;
	struct package package;
	struct outcome outcome;
	struct track *lane;
	struct way *way;    /* what tried it last */
	int64_t attempts;
	struct instant expires;
	size_t next;        /* of the free or ready list; SLOTS: none */
};
/* One destination of a lane. */
struct way {
	struct destination destination;
	struct carrier *carrier;
	const char *name;
	struct track *lane;
	bool hungry; /* its carrier asked and got nothing */
};
struct track {
	struct lane key;
	bool keyed;
	size_t n_ways;
	struct way ways[DESTINATIONS_MAX];
	size_t ready, last, n_ready; /* leased rows in order: first, last, how many */
	size_t n_held;               /* those, and what its carriers have */
	size_t window;               /* rows leased at once */
	size_t low;                  /* when fewer are ready, the next are leased */
	size_t filled;               /* ready ones after the last claim, which was ... */
	struct instant since;        /* ... then, monotonic */
	bool dry;                    /* nothing more waits than what was claimed, or there is no room for it:
	                              * asking again before something is settled changes nothing */
	struct delivery *claimed;    /* in the commit that is being made */
	size_t n_claimed;
	struct instant next;         /* when a row of it wants attention */
};
struct courier {
	struct courier_options o;
	size_t n_lanes;
	struct track lanes[LANES_MAX];
	struct slot *slots;
	struct delivery *rows;       /* by slot; strings in its own text */
	struct text *strings;        /* by slot */
	size_t free, n_done, n_out, n_ready;
	struct wire *rest, *soon, *settle, *wake;
	struct text bodies[BODIES];  /* buffers to write into, when not in a parcel */
	size_t n_bodies;
	struct arena *mem;
	int64_t seen;                /* version of the database that `stopped` reflects */
	struct instant looked, swept; /* monotonic: last look for stops, last sweep */
	struct instant wakes;        /* monotonic: when `wake` rings; INSTANT_NEVER */
	struct span commit_took;     /* smoothed */
	uint64_t draws;
	bool closing, settling, hurried;
};

/* Nothing leaves, and nothing expires, while the clock is doubted or the courier ends. */
bool courier_may_send(const struct courier *c);
/* Uniform in [0, 1): the jitter of back-off. */
double courier_draw(struct courier *c);

/* ---- slots.c ---- */
void slot_mark(struct courier *c, const struct slot *s, enum flight_mark m);
void slot_free(struct courier *c, struct slot *s);
/* A row that the last commit leased comes in as the lane's last ready one. */
void slot_fill(struct courier *c, struct track *lane, const struct delivery *d);
/* The lane's next ready one, out of its list; there is one. */
struct slot *ready_take(struct courier *c, struct track *lane);
/* The same, made ready to be sent; those that cannot be made are dead on the way.  NULL: none. */
struct slot *slot_pack(struct courier *c, struct track *lane, struct instant now);
/* Its outcome waits for the next commit. */
void slot_done(struct courier *c, struct slot *s, const struct outcome *o);
/* Those whose outcome is committed. */
void slots_release(struct courier *c);

/* ---- window.c ---- */
/* Settle what is done, lease what is wanted next, in one commit; 0 or negative. */
int window_commit(struct courier *c, struct instant now);
#endif
