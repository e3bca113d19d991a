/*
 * Iterator, EXDATE, RDATE and overrides by hand: libical's own expansion makes two days of a
 * one-day holiday and loses the rest (LIBRARIES.md).  An all-day DTEND is exclusive.
 */
#include "plan/holidays.h"

#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/rhythm.h"

enum { EVENTS_MAX = 5000, DAYS_MAX = 100000, LENGTH_MAX = 400 };

struct holidays {
	struct day from, to;
	size_t n, room;
	int32_t *days;
};

struct holidays *
holidays_new(struct day from, struct day to)
{
	struct holidays *h = calloc(1, sizeof *h);

	if (h == NULL)
		abort();
	h->from = from;
	h->to = to;
	return h;
}

void
holidays_free(struct holidays **h)
{
	if (*h != NULL)
		free((*h)->days);
	free(*h);
	*h = NULL;
}

static void
day_add_to(struct holidays *h, struct day d)
{
	if (d.n < h->from.n || d.n > h->to.n || h->n >= DAYS_MAX)
		return;
	if (h->n == h->room) {
		h->room = h->room == 0 ? 64 : h->room * 2;
		h->days = reallocarray(h->days, h->room, sizeof *h->days);
		if (h->days == NULL)
			abort();
	}
	h->days[h->n++] = d.n;
}

static int
day_compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

void
holidays_sort(struct holidays *h)
{
	if (h->n > 0)
		qsort(h->days, h->n, sizeof *h->days, day_compare);
}

bool
holidays_has(const struct holidays *h, struct day d)
{
	return h->n > 0 && bsearch(&d.n, h->days, h->n, sizeof *h->days, day_compare) != NULL;
}

/* Range-checked at once: libical itself goes on with a month 39. */
static bool
day_from(struct icaltimetype t, struct day *ret)
{
	if (icaltime_is_null_time(t) || t.year < YEAR_MIN || t.year > YEAR_MAX || t.month < 1 ||
	    t.month > 12 || t.day < 1 || t.day > month_length(t.year, t.month))
		return false;
	*ret = day_of(t.year, t.month, t.day);
	return true;
}

static bool
is_listed(icalcomponent *event, icalproperty_kind kind, struct day d)
{
	for (icalproperty *p = icalcomponent_get_first_property(event, kind); p != NULL;
	     p = icalcomponent_get_next_property(event, kind)) {
		struct day one;

		if (day_from(icalproperty_get_exdate(p), &one) && one.n == d.n)
			return true;
	}
	return false;
}

/* Another component with the same UID replaces this occurrence. */
static bool
is_overridden(icalcomponent *calendar, icalcomponent *event, struct day d)
{
	const char *uid = icalcomponent_get_uid(event);
	icalcompiter it = icalcomponent_begin_component(calendar, ICAL_VEVENT_COMPONENT);

	for (icalcomponent *e; uid != NULL && (e = icalcompiter_deref(&it)) != NULL;
	     icalcompiter_next(&it)) {
		const char *other = icalcomponent_get_uid(e);
		struct day at;

		if (e != event && other != NULL && strcmp(uid, other) == 0 &&
		    day_from(icalcomponent_get_recurrenceid(e), &at) && at.n == d.n)
			return true;
	}
	return false;
}

static void
stretch_add(struct holidays *h, struct day from, int length)
{
	for (int i = 0; i < length; i++)
		day_add_to(h, day_add(from, i));
}

static bool
recur_add(struct holidays *h, icalcomponent *calendar, icalcomponent *event, struct day start,
    int length, char *why, size_t room)
{
	icalproperty *p = icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
	struct icalrecurrencetype type = icalproperty_get_rrule(p);
	char *text = icalrecurrencetype_as_string_r(&type);
	struct rrule *r = text != NULL ? rrule_new(text, start, why, room) : NULL;
	struct civil c;

	icalmemory_free_buffer(text);
	if (r == NULL)
		return false;
	while (rrule_next(r, &c) == 0 && c.day.n <= h->to.n && h->n < DAYS_MAX)
		if (!is_listed(event, ICAL_EXDATE_PROPERTY, c.day) &&
		    !is_overridden(calendar, event, c.day))
			stretch_add(h, c.day, length);
	rrule_free(&r);
	return true;
}

static bool
event_add(struct holidays *h, icalcomponent *calendar, icalcomponent *event, char *why,
    size_t room)
{
	struct icaltimetype start = icalcomponent_get_dtstart(event);
	struct icaltimetype end = icalcomponent_get_dtend(event);
	struct day from, to;
	int length = 1;

	if (!day_from(start, &from)) {
		snprintf(why, room, "an event without a readable DTSTART");
		return false;
	}
	if (day_from(end, &to)) {
		bool at_midnight = end.is_date || (end.hour == 0 && end.minute == 0 && end.second == 0);

		length = to.n - from.n + !at_midnight;
	}
	if (length < 1)
		length = 1;
	if (length > LENGTH_MAX) {
		snprintf(why, room, "an event longer than %d days", LENGTH_MAX);
		return false;
	}
	for (icalproperty *p = icalcomponent_get_first_property(event, ICAL_RDATE_PROPERTY); p != NULL;
	     p = icalcomponent_get_next_property(event, ICAL_RDATE_PROPERTY))
		if (day_from(icalproperty_get_rdate(p).time, &to))
			stretch_add(h, to, length);
	if (icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY) != NULL)
		return recur_add(h, calendar, event, from, length, why, room);
	stretch_add(h, from, length);
	return true;
}

bool
holidays_add(struct holidays *h, const char *ics, char *why, size_t room)
{
	icalcomponent *calendar = icalparser_parse_string(ics);
	bool good = true;
	int n = 0;

	if (calendar == NULL || icalcomponent_isa(calendar) != ICAL_VCALENDAR_COMPONENT) {
		snprintf(why, room, "not an iCalendar file (BEGIN:VCALENDAR ... END:VCALENDAR)");
		if (calendar != NULL)
			icalcomponent_free(calendar);
		return false;
	}
	icalcompiter it = icalcomponent_begin_component(calendar, ICAL_VEVENT_COMPONENT);

	for (icalcomponent *e; good && (e = icalcompiter_deref(&it)) != NULL; icalcompiter_next(&it)) {
		if (++n > EVENTS_MAX) {
			snprintf(why, room, "more than %d events", EVENTS_MAX);
			good = false;
		} else
			good = event_add(h, calendar, e, why, room);
	}
	icalcomponent_free(calendar);
	return good;
}
