#include "engine/guard.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/scope.h"
#include "engine/parts.h"
#include "store/db.h"

/* A look is remembered this often: it costs a write that must reach the disk. */
#define REMEMBER_EVERY SPAN_MINUTES(10)
#define STEP SPAN_HOURS(1)
#define OFF_LONGEST SPAN_DAYS(400)
#define BUILD_LASTS SPAN_DAYS(15 * 366)

const char *const guard_words[GUARD_VERDICTS] = {
	[GUARD_RIGHT] = NULL,
	[GUARD_BEFORE_BUILD] = "stands before the day this program was built",
	[GUARD_BACK] = "was set back",
	[GUARD_FORWARD] = "was set forward",
	[GUARD_FAR] = "is far ahead of the last known time",
};

static bool
is_same_start(const struct guard_memory *m, const struct clock_reading *r)
{
	return m->known && m->boot == r->boot && m->up.us <= r->up.us;
}

/* How far the wall clock moved beyond the time that went by. */
static struct span
step_of(const struct guard_memory *m, const struct clock_reading *r)
{
	return instant_diff(instant_sub(r->wall, r->up), instant_sub(m->wall, m->up));
}

static enum guard_verdict
start_judge(const struct guard_memory *m, const struct clock_reading *r)
{
	if (!m->known)
		return instant_before(instant_add(r->built, BUILD_LASTS), r->wall) ? GUARD_FAR
										: GUARD_RIGHT;
	if (m->suspect != GUARD_RIGHT && m->suspect != GUARD_BEFORE_BUILD)
		return m->suspect;
	if (instant_before(r->wall, instant_sub(m->wall, STEP)))
		return GUARD_BACK;
	return instant_before(instant_add(m->wall, OFF_LONGEST), r->wall) ? GUARD_FAR : GUARD_RIGHT;
}

enum guard_verdict
guard_judge(const struct guard_memory *m, const struct clock_reading *r)
{
	struct span step;

	/* A day's grace: whoever built it may have had a clock of their own. */
	if (instant_before(r->wall, instant_sub(r->built, SPAN_DAYS(1))))
		return GUARD_BEFORE_BUILD;
	if (r->synchronised)
		return GUARD_RIGHT;
	if (!is_same_start(m, r))
		return start_judge(m, r);
	step = step_of(m, r);
	if (step.us > STEP.us)
		return GUARD_FORWARD;
	return step.us < -STEP.us ? GUARD_BACK : GUARD_RIGHT;
}

struct instant
guard_time(const struct guard_memory *m, const struct clock_reading *r)
{
	if (!m->known || guard_judge(m, r) == GUARD_RIGHT)
		return r->wall;
	if (!is_same_start(m, r))
		return m->wall;
	return instant_add(m->wall, (struct span){ r->up.us - m->up.us });
}

bool
guard_may_send(const struct engine *e)
{
	return !e->suspect;
}

static int
remember(struct engine *e, const struct guard_memory *m)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = guard_save(e->o.db, m);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

/* Said once: what is wrong, what it means for people, what ends it. */
static int
suspect_begin(struct engine *e, struct guard_memory *m, const struct clock_reading *r,
    enum guard_verdict v)
{
	char now[INSTANT_TEXT], last[INSTANT_TEXT];

	instant_format(r->wall, 0, now);
	log_say(LOG_ERROR,
	    "the clock %s: it says %s, the last time that was right is %s. Nobody gets a message and"
	    " nothing expires or is deleted until %s",
	    guard_words[v], now, m->known ? instant_format(m->wall, 0, last) : "not known",
	    v == GUARD_BEFORE_BUILD ? "it is set" : "a time server confirms it or 'nudge clock-ok' does");
	m->suspect = v;
	m->since = r->wall;
	return remember(e, m);
}

static void
suspect_end(const struct guard_memory *m, const struct clock_reading *r)
{
	char now[INSTANT_TEXT];

	if (m->suspect != GUARD_RIGHT)
		log_say(LOG_NOTICE, "the clock is right again, %s: %s; messages go on", r->synchronised
			? "says a time server" : "as far as can be seen",
		    instant_format(r->wall, 0, now));
	else if (is_same_start(m, r) && llabs(step_of(m, r).us) > STEP.us)
		log_say(LOG_WARNING,
		    "the clock was set by %+" PRId64 " minutes and a time server confirms it",
		    step_of(m, r).us / 60000000);
}

int
engine_watch(struct engine *e, const struct clock_reading *r)
{
	struct guard_memory m;
	int rc = guard_load(e->o.db, &m);
	enum guard_verdict v;
	bool same;

	if (rc < 0)
		return rc;
	v = guard_judge(&m, r);
	e->suspect = v != GUARD_RIGHT;
	if (e->suspect)
		return m.suspect == GUARD_RIGHT ? suspect_begin(e, &m, r, v) : 0;
	suspect_end(&m, r);
	same = is_same_start(&m, r) && llabs(step_of(&m, r).us) < SPAN_MINUTES(1).us;
	if (same && m.suspect == GUARD_RIGHT && r->up.us - m.up.us < REMEMBER_EVERY.us)
		return 0;
	m = (struct guard_memory){ true, r->wall, r->up, r->boot, GUARD_RIGHT, { 0 } };
	return remember(e, &m);
}

int
guard_confirm(struct db *db, const struct clock_reading *r)
{
	SCOPED(db_leave) struct db *tx = db;
	struct guard_memory m = { true, r->wall, r->up, r->boot, GUARD_RIGHT, { 0 } };
	int rc;

	if (guard_judge(&m, r) == GUARD_BEFORE_BUILD)
		return GUARD_REFUSED;
	rc = db_begin(db);
	if (rc == 0)
		rc = guard_save(db, &m);
	if (rc == 0)
		rc = guard_note(db, "clock-ok", r->wall);
	return rc == 0 ? db_commit(db) : rc;
}
