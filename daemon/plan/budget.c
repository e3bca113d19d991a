/*
 * The windows slide over what was really sent: "two on Sunday night, two on Monday morning" would
 * obey calendar weeks and defeat their purpose.  Contacts that lie in the future after the clock
 * was set back still count, so an error is always on the side of sending less.
 */
#include "plan/decide.h"

/* When the n-th newest contact inside the window has left it. */
static bool
window_full(const struct spending *s, int64_t limit, struct span window, struct instant t,
    struct instant *ret_free)
{
	if (limit <= 0 || s->n < limit)
		return false;
	*ret_free = instant_add(s->at[limit - 1], window);
	return instant_before(t, *ret_free);
}

enum reason
budget_judge(const struct house *h, const struct spending *s, struct instant t,
    struct instant *ret_free)
{
	enum reason why = REASON_SENT;
	struct instant latest = t, free;

	if (window_full(s, 1, h->budget_gap, t, &free) && instant_before(latest, free)) {
		latest = free;
		why = REASON_BUDGET_GAP;
	}
	if (window_full(s, h->budget_week, SPAN_WEEK, t, &free) && instant_before(latest, free)) {
		latest = free;
		why = REASON_BUDGET_WEEK;
	}
	if (window_full(s, h->budget_month, SPAN_DAYS(30), t, &free) &&
	    instant_before(latest, free)) {
		latest = free;
		why = REASON_BUDGET_MONTH;
	}
	*ret_free = latest;
	return why;
}
