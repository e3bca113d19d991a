/*
 * Rest is answered day by day: what is left of a day is at most three stretches, so a year of
 * absence costs 365 cheap steps and never half a million minutes.
 */
#include "plan/rest.h"

#include <stdlib.h>
#include <string.h>

#include "people/person.h"
#include "plan/holidays.h"
#include "base/text.h"
#include "rules/fields.h"
#include "rules/findings.h"

const char *const rest_reason_names[6] = { "", "quiet-hours", "day-off", "holiday", "absence",
	"own-times" };

enum { EVENT_MOVES = 14 }; /* days */

struct rest {
	struct window quiet;
	uint8_t days_off;
	struct holidays *holidays;
};

struct rest *
rest_new(const struct house *h, struct day from, struct day to, struct findings *f)
{
	struct rest *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	r->quiet = h->quiet;
	r->days_off = h->days_off;
	r->holidays = holidays_new(from, to);
	for (size_t i = 0; i < h->holidays.n; i++) {
		char why[160];

		if (h->holiday_bytes[i] != NULL &&
		    !holidays_add(r->holidays, h->holiday_bytes[i], why, sizeof why) && f != NULL)
			finding_add(f, "E001", h->holiday_places[i], "%s: %s", h->holidays.v[i], why);
	}
	holidays_sort(r->holidays);
	return r;
}

void
rest_free(struct rest **r)
{
	if (*r != NULL)
		holidays_free(&(*r)->holidays);
	free(*r);
	*r = NULL;
}

/* ---- the person's own columns ---- */

static bool
work_days_read(const char *s, uint8_t *ret)
{
	uint8_t bits = 0;

	while (*s != '\0') {
		size_t len;
		int day = -1;

		s += strspn(s, " ,;");
		len = strcspn(s, " ,;");
		if (len == 0)
			break;
		for (int d = 0; d < 7; d++) /* monday, or mon */
			if (len >= 3 && len <= strlen(weekday_names[d]) &&
			    strncmp(weekday_names[d], s, len) == 0)
				day = d;
		if (day < 0)
			return false;
		bits |= (uint8_t)(1u << day);
		s += len;
	}
	*ret = bits;
	return bits != 0;
}

void
own_times_of(const struct person *p, struct own_times *ret)
{
	const char *from = person_get(p, "absence_from"), *until = person_get(p, "absence_until");
	const char *days = person_get(p, "work_days"), *hours = person_get(p, "work_hours");
	struct own_times own = { 0 };

	if (from != NULL || until != NULL) {
		own.absent_set = true;
		own.absent_from = day_of(YEAR_MIN, 1, 1);
		own.absent_until = day_of(YEAR_MAX, 12, 31);
		own.broken |= from != NULL && !day_parse(from, &own.absent_from);
		own.broken |= until != NULL && !day_parse(until, &own.absent_until);
	}
	if (days != NULL)
		own.broken |= !work_days_read(days, &own.days);
	if (hours != NULL)
		own.broken |= strlen(hours) != 11 || hours[5] != '-' ||
			      !minutes_parse(hours, 5, &own.from) ||
			      !minutes_parse(hours + 6, 5, &own.to) || own.from >= own.to;
	*ret = own;
}

/* ---- one day ---- */

enum rest_reason
rest_day(const struct rest *r, const struct own_times *own, struct day d)
{
	if (own->broken ||
	    (own->absent_set && d.n >= own->absent_from.n && d.n <= own->absent_until.n))
		return REST_ABSENCE;
	if (own->days != 0 ? !(own->days & 1u << day_weekday(d))
			   : (r->days_off & 1u << day_weekday(d)) != 0)
		return own->days != 0 ? REST_OWN_TIMES : REST_DAY_OFF;
	return holidays_has(r->holidays, d) ? REST_HOLIDAY : REST_NONE;
}

bool
rest_event_day(const struct rest *r, const struct own_times *own, struct day today,
    const struct event_time *e, struct day *ret)
{
	struct day first = day_add(today, (int32_t)e->days);

	for (int32_t i = 0; i <= EVENT_MOVES; i++)
		if (rest_day(r, own, day_add(first, i)) == REST_NONE) {
			*ret = day_add(first, i);
			return true;
		}
	return false;
}

static bool
in_window(int from, int to, int minute)
{
	return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

static enum rest_reason
minute_rest(const struct rest *r, const struct own_times *own, int minute)
{
	if (r->quiet.from != r->quiet.to && in_window(r->quiet.from, r->quiet.to, minute))
		return REST_QUIET;
	if (own->from != own->to && !in_window(own->from, own->to, minute))
		return REST_OWN_TIMES;
	return REST_NONE;
}

enum rest_reason
rest_at(const struct rest *r, const struct own_times *own, struct civil c)
{
	enum rest_reason why = rest_day(r, own, c.day);

	return why != REST_NONE ? why : minute_rest(r, own, c.second / 60);
}

/* The next minute of the day after `minute` at which an answer may change; 1440: none. */
static int
next_edge(const struct rest *r, const struct own_times *own, int minute)
{
	const int edges[] = { r->quiet.from, r->quiet.to, own->from, own->to };
	int next = 1440;

	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		if (edges[i] > minute && edges[i] < next)
			next = edges[i];
	return next;
}

struct stretch {
	struct civil from, to;
};

/* The first stretch without rest that begins at or after c and before until; cut to until. */
static bool
stretch_next(const struct rest *r, const struct own_times *own, struct civil c,
    struct civil until, struct stretch *ret)
{
	while (civil_compare(c, until) < 0) {
		int minute = c.second / 60, edge;

		if (rest_day(r, own, c.day) != REST_NONE) {
			c = (struct civil){ day_add(c.day, 1), 0 };
			continue;
		}
		edge = next_edge(r, own, minute);
		if (minute_rest(r, own, minute) == REST_NONE) {
			ret->from = c;
			ret->to = civil_of_seconds((int64_t)c.day.n * 86400 + (int64_t)edge * 60);
			if (civil_compare(until, ret->to) < 0)
				ret->to = until;
			return true;
		}
		c = civil_of_seconds((int64_t)c.day.n * 86400 + (int64_t)edge * 60);
	}
	return false;
}

static struct civil
to_minute(struct civil c)
{
	return civil_of_seconds(civil_seconds(c) + (60 - c.second % 60) % 60);
}

bool
rest_next(const struct rest *r, const struct own_times *own, struct civil from,
    struct civil until, struct civil *ret, enum rest_reason *ret_why)
{
	struct stretch s;

	if (ret_why != NULL)
		*ret_why = rest_at(r, own, from);
	/* Nobody's rest lasts longer than a year, unless it lasts for ever. */
	if (until.day.n - from.day.n > 800)
		until.day.n = from.day.n + 800;
	if (!stretch_next(r, own, to_minute(from), until, &s))
		return false;
	*ret = s.from;
	return true;
}

bool
rest_place(const struct rest *r, const struct own_times *own, const struct moment *m,
    double share, struct civil *ret, enum rest_reason *ret_why)
{
	struct stretch s;
	struct civil c = to_minute(m->from);
	int64_t minutes = 0, pick;

	if (ret_why != NULL)
		*ret_why = rest_at(r, own, m->from);
	while (stretch_next(r, own, c, m->to, &s)) {
		minutes += (civil_seconds(s.to) - civil_seconds(s.from) + 59) / 60;
		c = s.to;
	}
	if (minutes == 0)
		return false;
	pick = (int64_t)(share * (double)minutes);
	for (c = to_minute(m->from); stretch_next(r, own, c, m->to, &s); c = s.to) {
		int64_t n = (civil_seconds(s.to) - civil_seconds(s.from) + 59) / 60;

		if (pick < n) {
			*ret = civil_of_seconds(civil_seconds(s.from) + pick * 60);
			return true;
		}
		pick -= n;
	}
	return false;
}
