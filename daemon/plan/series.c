/*
 * The moments of one rhythm from one anchor.
 *
 * Everything but an RRULE is arithmetic: the k-th moment costs the same for every k, so nothing is
 * stored and a hire date of thirty years ago is as cheap as one of last week.  An RRULE is iterated
 * once and its days kept in an array that everyone with this anchor shares.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/rhythm.h"

enum { RULE_DAYS_MAX = 40000 };

struct series {
	const struct rhythm *r;
	struct civil anchor;
	int n_on, on[7]; /* EVERY in weeks: days after Monday */
	int first_on;    /* how many of them the anchor's week had before the anchor */
	int n_sorted;
	int32_t *sorted; /* AROUND: offsets in order */
	struct rrule *rule;
	size_t n_days, room;
	struct day *days;
	bool rule_over;
};

struct civil
period_add(struct period p, int64_t times, struct civil c)
{
	static const int64_t seconds[UNITS] = { 60, 3600, 86400, 604800, 0, 0 };
	int64_t n = p.count * times;

	if (n > 10000000)
		n = 10000000;
	if (p.unit == UNIT_MONTH || p.unit == UNIT_YEAR) {
		int64_t months = n * (p.unit == UNIT_YEAR ? 12 : 1);

		c.day = day_add_months(c.day, (int)(months > 12000 ? 12000 : months));
		return c;
	}
	return civil_of_seconds(civil_seconds(c) + n * seconds[p.unit]);
}

static int
int_compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

struct series *
series_new(const struct rhythm *r, struct civil anchor)
{
	struct series *s = calloc(1, sizeof *s);
	char reason[160];

	if (s == NULL)
		abort();
	s->r = r;
	s->anchor = anchor;
	for (int d = 0; d < 7; d++)
		if (r->on & 1u << d)
			s->on[s->n_on++] = d;
	if (s->n_on == 0)
		s->on[s->n_on++] = day_weekday(anchor.day);
	while (s->first_on < s->n_on && s->on[s->first_on] < day_weekday(anchor.day))
		s->first_on++;
	if (r->kind == RHYTHM_AROUND && r->n_days > 0) {
		s->sorted = malloc(r->n_days * sizeof *s->sorted);
		if (s->sorted == NULL)
			abort();
		memcpy(s->sorted, r->days, r->n_days * sizeof *s->sorted);
		qsort(s->sorted, r->n_days, sizeof *s->sorted, int_compare);
		for (size_t i = 0; i < r->n_days; i++)
			if (i == 0 || s->sorted[i] != s->sorted[s->n_sorted - 1])
				s->sorted[s->n_sorted++] = s->sorted[i];
	}
	if (r->kind == RHYTHM_RRULE)
		s->rule = rrule_new(r->rrule, anchor.day, reason, sizeof reason);
	return s;
}

void
series_free(struct series **sp)
{
	struct series *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	rrule_free(&s->rule);
	free(s->sorted);
	free(s->days);
	free(s);
}

/* The window of a day; without one the whole day, which the rest rules narrow. */
static struct moment
day_moment(const struct series *s, struct day d)
{
	const struct window *w = &s->r->at;
	struct moment m = { { d, 0 }, { day_add(d, 1), 0 } };

	if (w->from == w->to)
		return m;
	m.from.second = w->from * 60;
	m.to = civil_of_seconds(((int64_t)d.n + (w->to <= w->from)) * 86400 + (int64_t)w->to * 60);
	return m;
}

static bool
is_timed(const struct period *p)
{
	return p->unit == UNIT_MINUTE || p->unit == UNIT_HOUR;
}

static struct moment
exact(struct civil c)
{
	return (struct moment){ c, c };
}

static int
every_moment(const struct series *s, int64_t k, struct moment *ret)
{
	const struct period *p = &s->r->every;

	if (is_timed(p)) {
		*ret = exact(period_add(*p, k, s->anchor));
		return 0;
	}
	if (p->unit == UNIT_WEEK) {
		int64_t i = k + s->first_on, week = i / s->n_on * p->count;
		struct day monday = day_add(s->anchor.day, -day_weekday(s->anchor.day));

		if (week > 40000)
			return RHYTHM_OVER;
		*ret = day_moment(s, day_add(monday, (int32_t)(week * 7) + s->on[i % s->n_on]));
		return 0;
	}
	*ret = day_moment(s, period_add(*p, k, s->anchor).day);
	/* Months and years with `on`: the first such weekday from that day on. */
	if (s->r->on != 0)
		while (!(s->r->on & 1u << day_weekday(ret->from.day)))
			*ret = day_moment(s, day_add(ret->from.day, 1));
	return 0;
}

static int
after_moment(const struct series *s, int64_t k, struct moment *ret)
{
	const struct rhythm *r = s->r;
	struct period p;
	struct civil c;

	if (k < (int64_t)r->n_after) {
		p = r->after[k];
		c = period_add(p, 1, s->anchor);
	} else {
		if (r->then.count == 0)
			return RHYTHM_OVER;
		p = r->then;
		c = r->n_after > 0 ? period_add(r->after[r->n_after - 1], 1, s->anchor) : s->anchor;
		c = period_add(p, k - (int64_t)r->n_after + 1, c);
	}
	*ret = is_timed(&p) ? exact(c) : day_moment(s, c.day);
	return 0;
}

static int
around_moment(const struct series *s, int64_t k, struct moment *ret)
{
	int64_t year = s->n_sorted > 0 ? k / s->n_sorted : INT64_MAX;
	struct day d = s->anchor.day;

	if (year > (s->r->yearly ? 300 : 0))
		return RHYTHM_OVER;
	d = day_add_months(d, (int)year * 12);
	*ret = day_moment(s, day_add(d, s->sorted[k % s->n_sorted]));
	return 0;
}

static int
rule_moment(struct series *s, int64_t k, struct moment *ret)
{
	struct civil c;

	while ((int64_t)s->n_days <= k) {
		if (s->rule_over || s->rule == NULL || s->n_days >= RULE_DAYS_MAX ||
		    rrule_next(s->rule, &c) != 0) {
			s->rule_over = true;
			return RHYTHM_OVER;
		}
		if (s->n_days == s->room) {
			s->room = s->room == 0 ? 32 : s->room * 2;
			s->days = reallocarray(s->days, s->room, sizeof *s->days);
			if (s->days == NULL)
				abort();
		}
		s->days[s->n_days++] = c.day;
	}
	*ret = day_moment(s, s->days[k]);
	return 0;
}

int
series_moment(struct series *s, int64_t k, struct moment *ret)
{
	if (k < 0 || (s->r->times > 0 && k >= s->r->times))
		return RHYTHM_OVER;
	switch (s->r->kind) {
	case RHYTHM_EVERY:
		return every_moment(s, k, ret);
	case RHYTHM_AFTER:
	case RHYTHM_ON_EVENT:
		return after_moment(s, k, ret);
	case RHYTHM_AROUND:
		return s->n_sorted > 0 ? around_moment(s, k, ret) : RHYTHM_OVER;
	case RHYTHM_RRULE:
	default:
		return rule_moment(s, k, ret);
	}
}

static bool
ends_after(struct series *s, int64_t k, struct civil c)
{
	struct moment m;

	return series_moment(s, k, &m) != 0 || civil_compare(c, m.to) < 0 ||
	       (civil_compare(m.from, m.to) == 0 && civil_compare(c, m.to) == 0);
}

int64_t
series_index_after(struct series *s, struct civil c)
{
	struct moment m;
	int64_t low = 0, high = 1;

	/* Moments only move forward, so gallop, then halve. */
	while (!ends_after(s, high, c)) {
		low = high;
		high *= 2;
	}
	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (ends_after(s, mid, c))
			high = mid;
		else
			low = mid + 1;
	}
	return series_moment(s, low, &m) == 0 ? low : -1;
}
