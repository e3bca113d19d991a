#include "deliver/courier/destination.h"

#include "deliver/courier/retry.h"

const char *const circuit_names[CIRCUITS] = {
	[CIRCUIT_CLOSED] = "up",
	[CIRCUIT_RESTING] = "resting",
	[CIRCUIT_OPEN] = "down",
	[CIRCUIT_HALF] = "trying",
};

void
destination_init(struct destination *d, int most, struct span pace)
{
	*d = (struct destination){ .most = most < 1 ? 1 : most, .pace = pace, .reason = "" };
	d->parallel = d->most < PARALLEL_START ? d->most : PARALLEL_START;
}

static void
circuit_enter(struct destination *d, enum circuit to)
{
	d->changed |= d->circuit != to;
	d->circuit = to;
}

int
destination_allows(struct destination *d, struct instant now)
{
	if (d->circuit == CIRCUIT_CLOSED)
		return d->parallel;
	if (d->circuit == CIRCUIT_HALF)
		return 1;
	if (instant_before(now, d->until))
		return 0;
	if (d->circuit == CIRCUIT_OPEN) {
		circuit_enter(d, CIRCUIT_HALF);
		return 1;
	}
	circuit_enter(d, CIRCUIT_CLOSED);
	return d->parallel;
}

struct instant
destination_wake(const struct destination *d)
{
	if (d->circuit == CIRCUIT_OPEN || d->circuit == CIRCUIT_RESTING)
		return instant_before(d->until, d->next) ? d->next : d->until;
	return d->next;
}

bool
destination_take(struct destination *d, struct instant now)
{
	if (d->pace.us == 0)
		return true;
	if (instant_before(now, d->next))
		return false;
	d->next = instant_add(now, d->pace);
	return true;
}

void
destination_up(struct destination *d)
{
	d->failures = 0;
}

static void
went_well(struct destination *d)
{
	d->failures = 0;
	d->openings = 0;
	d->reason = "";
	if (d->circuit != CIRCUIT_CLOSED)
		circuit_enter(d, CIRCUIT_CLOSED);
	/* Additive increase: one more after a full round of what is allowed now. */
	if (d->parallel < d->most && ++d->successes >= d->parallel) {
		d->successes = 0;
		d->parallel++;
	}
}

static void
halve(struct destination *d)
{
	d->parallel = d->parallel > 1 ? d->parallel / 2 : 1;
	d->successes = 0;
}

static void
open_until(struct destination *d, struct span named, struct instant now, double unit)
{
	struct span wait = retry_span(++d->openings, unit);

	if (named.us > wait.us)
		wait = named;
	d->until = instant_add(now, wait);
	d->parallel = d->most < PARALLEL_START ? d->most : PARALLEL_START;
	circuit_enter(d, CIRCUIT_OPEN);
	d->changed = true;
}

static void
trouble_note(struct destination *d, const struct outcome *o, struct instant now, double unit)
{
	int64_t allowed = d->parallel;

	d->reason = o->reason != NULL ? o->reason : "";
	d->changed = true;
	switch (o->trouble) {
	case TROUBLE_BUSY:
		halve(d);
		if (d->circuit == CIRCUIT_OPEN)
			break;
		d->until = instant_add(now, o->after.us > 0 ? o->after : retry_span(1, unit));
		circuit_enter(d, CIRCUIT_RESTING);
		break;
	case TROUBLE_DOWN:
		/* Already open: those that were on their way when it opened say nothing new. */
		if (d->circuit == CIRCUIT_OPEN)
			break;
		d->failures++;
		halve(d);
		if (d->circuit == CIRCUIT_HALF || d->failures >= allowed)
			open_until(d, o->after, now, unit);
		break;
	case TROUBLE_REFUSED:
		if (d->circuit != CIRCUIT_OPEN)
			open_until(d, o->after, now, unit);
		break;
	case TROUBLE_NONE:
	default:
		break;
	}
}

struct outcome
destination_weigh(const struct destination *d, const struct outcome *o)
{
	struct outcome ret = *o;

	if (o->perhaps_us && d->delivered == 0) {
		ret.fate = FATE_AGAIN;
		ret.trouble = TROUBLE_REFUSED;
		ret.reason = "the server relays nothing for us; does it want a login?";
	}
	return ret;
}

void
destination_note(struct destination *d, const struct outcome *o, bool of_parcel,
    struct instant now, double unit)
{
	if (of_parcel) {
		d->changed = true;
		d->delivered += o->fate == FATE_DELIVERED;
		d->postponed += o->fate == FATE_AGAIN;
		d->dead += o->fate == FATE_NEVER || o->fate == FATE_OURS;
		d->uncertain += o->fate == FATE_UNCERTAIN;
	}
	if (o->trouble != TROUBLE_NONE)
		trouble_note(d, o, now, unit);
	else if (of_parcel && o->fate != FATE_BACK && o->fate != FATE_UNCERTAIN)
		went_well(d); /* it answered, whatever it thinks of this one mail */
}
