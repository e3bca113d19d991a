/*
 * RFC 5545 rules of day or coarser frequency, floating.
 *
 * One period of FREQ at a time: all its days, those that every BY part lets through, the times of
 * day, the places of BYSETPOS.  Equal to python3-dateutil and to libical's own vectors but for the
 * differences that tests/system/when_dateutil.py names.  Not libical's iterator: it ignores BYSETPOS
 * with DAILY and WEEKLY, goes wrong on week 53 and loses first weeks (3.0.16).  What the RFC forbids
 * or leaves open is refused, with the reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "plan/rhythm.h"
#include "plan/zone.h"

enum {
	RULE_LONGEST = 4000,
	PARTS_MAX = 16,
	NAME_ROOM = 16,
	YEAR_LAST = 9999,
	PERIOD_DAYS = 366,
	PLACES_MOST = 366 /* BYSETPOS, from each end */
};
enum frequency { DAILY, WEEKLY, MONTHLY, YEARLY };

static const char *const frequencies[] = { "DAILY", "WEEKLY", "MONTHLY", "YEARLY" };
static const char *const weekdays[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };

/* Numbers from -max to max: a bit each, so that one given twice counts once. */
enum { SET_WORDS = 6 };
struct set {
	uint64_t up[SET_WORDS], down[SET_WORDS]; /* n >= 0; n < 0 as -n */
	bool given;
};

/* Part of a rule that is a list of numbers. */
enum list {
	BYSECOND,
	BYMINUTE,
	BYHOUR,
	BYMONTHDAY,
	BYYEARDAY,
	BYWEEKNO,
	BYMONTH,
	BYSETPOS,
	LISTS
};
static const struct {
	const char *name;
	int min, max;
	bool negative;
} lists[] = {
	[BYSECOND] = { "BYSECOND", 0, 59, false },
	[BYMINUTE] = { "BYMINUTE", 0, 59, false },
	[BYHOUR] = { "BYHOUR", 0, 23, false },
	[BYMONTHDAY] = { "BYMONTHDAY", 1, 31, true },
	[BYYEARDAY] = { "BYYEARDAY", 1, 366, true },
	[BYWEEKNO] = { "BYWEEKNO", 1, 53, true },
	[BYMONTH] = { "BYMONTH", 1, 12, false },
	[BYSETPOS] = { "BYSETPOS", 1, PLACES_MOST, true },
};
_Static_assert(sizeof lists / sizeof *lists == LISTS, "a row for every list");
_Static_assert(SET_WORDS * 64 > 366, "a bit for every number of a list");

struct rrule {
	enum frequency freq;
	int interval, wkst;
	struct set list[LISTS];
	uint8_t plain;          /* BYDAY without a number: bit per weekday */
	struct set numbered[7]; /* BYDAY with one: per weekday */
	bool has_numbered;
	struct civil start, until;
	struct instant until_utc;
	const struct zone *zone; /* set: UNTIL is until_utc */
	bool has_until;
	int64_t left; /* of COUNT; -1 without */

	/* The times of day: hour-major, so that their number counts up with the clock. */
	int n_hours, n_minutes, n_seconds;
	uint8_t hours[24], minutes[60], seconds[60];

	/* The present period, and where it is: first day (DAILY, WEEKLY), month since year 0, year. */
	int64_t at;
	/* Place p is time p % times() of day p / times(). */
	int n_days;
	struct day days[PERIOD_DAYS];
	int n_places; /* BYSETPOS: those chosen, in order, in places[] */
	int64_t places[2 * PLACES_MOST];
	int64_t next, end;
};

static bool
refuse(char *reason, size_t room, const char *why)
{
	snprintf(reason, room, "%s", why);
	return false;
}

/* ---- from text ---- */

struct parts {
	size_t n;
	char name[PARTS_MAX][NAME_ROOM], value[PARTS_MAX][RULE_LONGEST];
};

static const char *
part(const struct parts *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->name[i], name) == 0)
			return p->value[i];
	return NULL;
}

static void
upper(char *ret, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
	ret[n] = '\0';
}

static bool
parts_split(const char *rule, struct parts *p, char *reason, size_t room)
{
	if (strncasecmp(rule, "RRULE:", 6) == 0)
		rule += 6;
	if (strlen(rule) >= RULE_LONGEST)
		return refuse(reason, room, "the rule is longer than 4000 characters");
	while (*rule != '\0') {
		size_t len = strcspn(rule, ";"), eq = strcspn(rule, "=");

		if (eq == 0 || eq >= len || eq >= NAME_ROOM || len - eq - 1 == 0 ||
		    p->n == PARTS_MAX)
			return refuse(
			    reason, room, "expected NAME=VALUE parts between semicolons");
		upper(p->name[p->n], rule, eq);
		upper(p->value[p->n], rule + eq + 1, len - eq - 1);
		if (part(p, p->name[p->n]) != NULL) {
			snprintf(reason, room, "%s stands twice", p->name[p->n]);
			return false;
		}
		p->n++;
		rule += len;
		if (*rule == ';')
			rule++;
	}
	return true;
}

/* Calls fn for each piece of a comma list; false when one is empty, too long or not liked. */
static bool
pieces(const char *s, bool (*fn)(struct rrule *r, int which, const char *one),
    struct rrule *r, int which)
{
	for (;;) {
		size_t len = strcspn(s, ",");
		char one[8];

		if (len == 0 || len >= sizeof one)
			return false;
		memcpy(one, s, len);
		one[len] = '\0';
		if (!fn(r, which, one))
			return false;
		if (s[len] == '\0')
			return true;
		s += len + 1;
	}
}

static bool
set_add(struct set *set, const char *text, int min, int max, bool negative)
{
	int64_t v;

	if (text[0] == '+' && text[1] != '-')
		text++;
	if (!parse_int(text, negative ? -max : min, max, &v) || (v == 0 && min > 0))
		return false;
	uint64_t *bits = v < 0 ? set->down : set->up;
	uint64_t n = (uint64_t)(v < 0 ? -v : v);

	set->given = true;
	bits[n / 64] |= UINT64_C(1) << n % 64;
	return true;
}

static bool
set_has(const uint64_t *bits, int n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static bool
list_piece(struct rrule *r, int which, const char *one)
{
	return set_add(&r->list[which], one, lists[which].min, lists[which].max,
	    lists[which].negative);
}

static bool
byday_piece(struct rrule *r, int which, const char *one)
{
	size_t len = strlen(one);
	int weekday = len < 2 ? -1 : parse_word(one + len - 2, weekdays, 7);
	char number[8];

	(void)which;
	if (weekday < 0)
		return false;
	if (len == 2) {
		r->plain |= (uint8_t)(1u << weekday);
		return true;
	}
	snprintf(number, sizeof number, "%.*s", (int)len - 2, one);
	r->has_numbered = true;
	return set_add(&r->numbered[weekday], number, 1, 53, true);
}

static bool
lists_read(struct rrule *r, const struct parts *p, char *reason, size_t room)
{
	const char *byday = part(p, "BYDAY");

	for (int i = 0; i < LISTS; i++) {
		const char *value = part(p, lists[i].name);

		if (value != NULL && !pieces(value, list_piece, r, i)) {
			snprintf(reason, room, "%s wants numbers from %d to %d%s",
			    lists[i].name, lists[i].min, lists[i].max,
			    lists[i].negative
				? ", or the same negative to count from the end"
				: "");
			return false;
		}
	}
	if (byday != NULL && !pieces(byday, byday_piece, r, 0))
		return refuse(reason, room, "BYDAY wants weekdays such as MO, 2TU or -1FR");
	return true;
}

/* Every part has a name we know; what we know but do not do says why. */
static bool
names_check(const struct parts *p, char *reason, size_t room)
{
	static const char *const known[] = { "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY",
		"WKST", "BYSECOND", "BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYYEARDAY",
		"BYWEEKNO", "BYMONTH", "BYSETPOS" };

	for (size_t i = 0; i < p->n; i++) {
		const char *name = p->name[i];

		if (strcmp(name, "RSCALE") == 0 || strcmp(name, "SKIP") == 0) {
			snprintf(reason, room,
			    "%s (RFC 7529) is not computed: dates are of the Gregorian calendar and one "
			    "that does not exist is left out",
			    name);
			return false;
		}
		if (parse_word(name, known, sizeof known / sizeof *known) < 0) {
			snprintf(
			    reason, room, "%s is not a part of a rule in RFC 5545", name);
			return false;
		}
	}
	return true;
}

static bool
frequency_read(struct rrule *r, const struct parts *p, char *reason, size_t room)
{
	static const char *const fine[] = { "SECONDLY", "MINUTELY", "HOURLY" };
	const char *freq = part(p, "FREQ");
	int found;

	if (freq == NULL)
		return refuse(reason, room, "FREQ is missing");
	if (parse_word(freq, fine, 3) >= 0) {
		snprintf(reason, room,
		    "FREQ=%s is finer than daily: nobody is nudged by the hour", freq);
		return false;
	}
	found = parse_word(freq, frequencies, 4);
	if (found < 0)
		return refuse(reason, room, "FREQ wants DAILY, WEEKLY, MONTHLY or YEARLY");
	r->freq = (enum frequency)found;
	return true;
}

/* RFC 5545 3.3.10: what goes with what. */
static bool
together_check(const struct rrule *r, char *reason, size_t room)
{
	bool any = r->plain != 0 || r->has_numbered;

	for (int i = 0; i < BYSETPOS; i++)
		any = any || r->list[i].given;
	if (r->has_numbered && r->freq < MONTHLY)
		return refuse(
		    reason, room, "BYDAY with a number goes with MONTHLY or YEARLY only");
	if (r->has_numbered && r->list[BYWEEKNO].given)
		return refuse(
		    reason, room, "BYDAY with a number does not go with BYWEEKNO");
	if (r->list[BYMONTHDAY].given && r->freq == WEEKLY)
		return refuse(reason, room, "BYMONTHDAY does not go with WEEKLY");
	if (r->list[BYYEARDAY].given && r->freq != YEARLY)
		return refuse(reason, room, "BYYEARDAY goes with YEARLY only");
	if (r->list[BYWEEKNO].given && r->freq != YEARLY)
		return refuse(reason, room, "BYWEEKNO goes with YEARLY only");
	if (r->list[BYSETPOS].given && !any)
		return refuse(
		    reason, room, "BYSETPOS needs another BY part to choose from");
	return true;
}

/* Four or two digits, whose value is within min..max; else -1. */
static int
digits(const char *s, size_t n, int min, int max)
{
	char text[8];
	int64_t v;

	snprintf(text, sizeof text, "%.*s", (int)n, s);
	return strlen(text) == n && text[0] != '-' && parse_int(text, min, max, &v) ? (int)v
										    : -1;
}

/* "20261224" is the end of that day; "20261224T120000" a wall time; with Z UTC, if there is a zone. */
static bool
until_read(struct rrule *r, const char *s)
{
	size_t len = strlen(s);
	bool utc = len == 16 && s[15] == 'Z', is_day = len == 8;
	int year, month, mday, hour = 23, minute = 59, second = 59;

	if (!is_day && ((len != 15 && !utc) || s[8] != 'T'))
		return false;
	year = digits(s, 4, 1, YEAR_LAST);
	month = digits(s + 4, 2, 1, 12);
	mday = year < 0 || month < 0 ? -1 : digits(s + 6, 2, 1, month_length(year, month));
	if (!is_day) {
		hour = digits(s + 9, 2, 0, 23);
		minute = digits(s + 11, 2, 0, 59);
		second = digits(s + 13, 2, 0, 59);
	}
	if (mday < 0 || hour < 0 || minute < 0 || second < 0)
		return false;
	r->has_until = true;
	r->until =
	    (struct civil){ day_of(year, month, mday), hour * 3600 + minute * 60 + second };
	r->until_utc = instant_seconds(civil_seconds(r->until));
	if (!utc)
		r->zone = NULL;
	return true;
}

static bool
scalars_read(struct rrule *r, const struct parts *p, char *reason, size_t room)
{
	const char *count = part(p, "COUNT"), *interval = part(p, "INTERVAL"),
		   *wkst = part(p, "WKST"), *until = part(p, "UNTIL");
	int64_t every = 1;

	if (count != NULL && until != NULL)
		return refuse(reason, room, "COUNT and UNTIL exclude each other");
	if (count != NULL && !parse_int(count, 1, 100000, &r->left))
		return refuse(reason, room, "COUNT wants a number from 1 to 100000");
	if (interval != NULL && !parse_int(interval, 1, 10000, &every))
		return refuse(reason, room, "INTERVAL wants a number from 1 to 10000");
	r->interval = (int)every;
	r->wkst = wkst == NULL ? 0 : parse_word(wkst, weekdays, 7);
	if (r->wkst < 0)
		return refuse(reason, room, "WKST wants a weekday such as MO");
	if (until != NULL && !until_read(r, until))
		return refuse(reason, room,
		    "UNTIL wants a date such as 20261231, 20261231T170000 or 20261231T160000Z");
	return true;
}

static bool
rule_read(struct rrule *r, const struct parts *p, char *reason, size_t room)
{
	return names_check(p, reason, room) && frequency_read(r, p, reason, room) &&
	    scalars_read(r, p, reason, room) && lists_read(r, p, reason, room) &&
	    together_check(r, reason, room);
}

/* ---- what the rule leaves to its start (RFC 5545 3.3.10) ---- */

static void
set_only(struct set *set, int n)
{
	*set = (struct set){ .given = true };
	set->up[n / 64] |= UINT64_C(1) << n % 64;
}

/* A day that the rule does not name is the start's: its weekday, its day of the month, its date. */
static void
day_from_start(struct rrule *r)
{
	bool any_day = r->plain != 0 || r->has_numbered || r->list[BYMONTHDAY].given ||
	    r->list[BYYEARDAY].given;
	int year, month, mday;

	if (any_day || r->freq == DAILY)
		return;
	day_split(r->start.day, &year, &month, &mday);
	if (r->freq == WEEKLY || r->list[BYWEEKNO].given) {
		r->plain = (uint8_t)(1u << day_weekday(r->start.day));
		return;
	}
	set_only(&r->list[BYMONTHDAY], mday);
	if (r->freq == YEARLY && !r->list[BYMONTH].given)
		set_only(&r->list[BYMONTH], month);
}

static int
set_list(const struct set *set, int max, uint8_t *ret)
{
	int n = 0;

	for (int i = 0; i <= max; i++)
		if (set_has(set->up, i))
			ret[n++] = (uint8_t)i;
	return n;
}

static void
times_from_start(struct rrule *r, bool is_date)
{
	const int part_of_start[] = { [BYSECOND] = r->start.second % 60,
		[BYMINUTE] = r->start.second / 60 % 60,
		[BYHOUR] = r->start.second / 3600 };

	for (int i = BYSECOND; i <= BYHOUR; i++)
		if (is_date || !r->list[i].given)
			set_only(&r->list[i], part_of_start[i]);
	r->n_hours = set_list(&r->list[BYHOUR], 23, r->hours);
	r->n_minutes = set_list(&r->list[BYMINUTE], 59, r->minutes);
	r->n_seconds = set_list(&r->list[BYSECOND], 59, r->seconds);
}

static void
first_period(struct rrule *r)
{
	int year, month, mday;

	day_split(r->start.day, &year, &month, &mday);
	switch (r->freq) {
	case DAILY:
		r->at = r->start.day.n;
		break;
	case WEEKLY:
		r->at = r->start.day.n - (day_weekday(r->start.day) - r->wkst + 7) % 7;
		break;
	case MONTHLY:
		r->at = year * 12 + month - 1;
		break;
	case YEARLY:
	default:
		r->at = year;
	}
}

/* ---- one period ---- */

/* What the BY parts ask of a day. */
struct date {
	int weekday, month, mday, month_days, yday /* 1.. */, year, year_days;
	struct day day, new_year;
};

static void
date_of(struct day d, struct date *ret)
{
	*ret = (struct date){ .day = d, .weekday = day_weekday(d) };
	day_split(d, &ret->year, &ret->month, &ret->mday);
	ret->month_days = month_length(ret->year, ret->month);
	ret->new_year = day_of(ret->year, 1, 1);
	ret->yday = d.n - ret->new_year.n + 1;
	ret->year_days = 337 + month_length(ret->year, 2);
}

/* The week belongs to the year that has its fourth day (four days or more of it). */
static bool
weekno_fits(const struct rrule *r, const struct date *d)
{
	struct day fourth = day_add(d->day, 3 - (d->weekday - r->wkst + 7) % 7);
	struct date f;
	int number, weeks;

	date_of(fourth, &f);
	number = (f.yday - 1) / 7 + 1;
	weeks = number + (f.year_days - f.yday) / 7;
	return set_has(r->list[BYWEEKNO].up, number) ||
	    set_has(r->list[BYWEEKNO].down, weeks + 1 - number);
}

/* Numbers count within the month, unless it is YEARLY without BYMONTH. */
static bool
byday_fits(const struct rrule *r, const struct date *d)
{
	const struct set *numbers = &r->numbered[d->weekday];
	bool monthly = r->freq == MONTHLY || r->list[BYMONTH].given;
	int nth = monthly ? d->mday : d->yday,
	    length = monthly ? d->month_days : d->year_days;

	return (r->plain >> d->weekday & 1) || set_has(numbers->up, (nth - 1) / 7 + 1) ||
	    set_has(numbers->down, (length - nth) / 7 + 1);
}

static bool
list_fits(const struct set *set, int n, int length)
{
	return !set->given || set_has(set->up, n) || set_has(set->down, length + 1 - n);
}

static bool
day_fits(const struct rrule *r, struct day day)
{
	struct date d;

	date_of(day, &d);
	return list_fits(&r->list[BYMONTH], d.month, 12) &&
	    list_fits(&r->list[BYMONTHDAY], d.mday, d.month_days) &&
	    list_fits(&r->list[BYYEARDAY], d.yday, d.year_days) &&
	    ((r->plain == 0 && !r->has_numbered) || byday_fits(r, &d)) &&
	    (!r->list[BYWEEKNO].given || weekno_fits(r, &d));
}

/* The days of the present period; false past the last year. */
static bool
period_bounds(const struct rrule *r, struct day *ret_first, int *ret_length)
{
	int year = (int)r->at, month;

	switch (r->freq) {
	case DAILY:
	case WEEKLY:
		*ret_first = (struct day){ (int32_t)r->at };
		*ret_length = r->freq == DAILY ? 1 : 7;
		return r->at + *ret_length <= day_of(YEAR_LAST + 1, 1, 1).n;
	case MONTHLY:
		year = (int)(r->at / 12);
		month = (int)(r->at % 12) + 1;
		*ret_first = day_of(year, month, 1);
		*ret_length = month_length(year, month);
		return year <= YEAR_LAST;
	case YEARLY:
	default:
		*ret_first = day_of(year, 1, 1);
		*ret_length = 337 + month_length(year, 2);
		return year <= YEAR_LAST;
	}
}

static int64_t
times(const struct rrule *r)
{
	return (int64_t)r->n_hours * r->n_minutes * r->n_seconds;
}

static struct civil
place_civil(const struct rrule *r, int64_t place)
{
	int64_t t = place % times(r);
	int second = r->seconds[t % r->n_seconds],
	    minute = r->minutes[t / r->n_seconds % r->n_minutes],
	    hour = r->hours[t / r->n_seconds / r->n_minutes];

	return (
	    struct civil){ r->days[place / times(r)], hour * 3600 + minute * 60 + second };
}

/* BYSETPOS chooses among all places of the period, also those before the start. */
static void
places_choose(struct rrule *r)
{
	const struct set *set = &r->list[BYSETPOS];
	int64_t all = r->n_days * times(r);

	r->n_places = 0;
	for (int64_t i = 0; i < all; i++) {
		if (i == PLACES_MOST && i < all - PLACES_MOST)
			i = all - PLACES_MOST; /* those between have no number */
		if ((i < PLACES_MOST && set_has(set->up, (int)i + 1)) ||
		    (all - i <= PLACES_MOST && set_has(set->down, (int)(all - i))))
			r->places[r->n_places++] = i;
	}
	r->next = 0;
	r->end = r->n_places;
}

static bool
period_fill(struct rrule *r)
{
	struct day first;
	int length;

	if (!period_bounds(r, &first, &length))
		return false;
	r->n_days = 0;
	for (int i = 0; i < length; i++)
		if (day_fits(r, day_add(first, i)))
			r->days[r->n_days++] = day_add(first, i);
	if (r->list[BYSETPOS].given) {
		places_choose(r);
		return true;
	}
	r->next = 0;
	while (r->next < r->n_days && r->days[r->next].n < r->start.day.n)
		r->next++;
	r->next *= times(r);
	r->end = r->n_days * times(r);
	return true;
}

/*
 * The next place of any period, in order.  The Gregorian calendar repeats itself, weekdays too,
 * every 400 years: when so many periods in a row were empty, all others are.
 */
static bool
place_next(struct rrule *r, struct civil *ret)
{
	static const int cycle[] = {
		[DAILY] = 146097, [WEEKLY] = 20871, [MONTHLY] = 4800, [YEARLY] = 400
	};

	for (int empty = 0; r->next == r->end; empty++) {
		if (empty > cycle[r->freq])
			return false;
		r->at += r->interval * (r->freq == WEEKLY ? 7 : 1);
		if (!period_fill(r))
			return false;
	}
	*ret = place_civil(r, r->list[BYSETPOS].given ? r->places[r->next] : r->next);
	r->next++;
	return true;
}

static bool
is_past_until(const struct rrule *r, struct civil c)
{
	if (!r->has_until)
		return false;
	if (r->zone != NULL)
		return instant_before(r->until_utc, zone_instant(r->zone, c));
	return civil_compare(r->until, c) < 0;
}

int
rrule_next(struct rrule *r, struct civil *ret)
{
	struct civil c;

	do
		if (r->left == 0 || !place_next(r, &c) || is_past_until(r, c)) {
			r->left = 0;
			return RHYTHM_OVER;
		}
	while (civil_compare(c, r->start) < 0);
	r->left -= r->left > 0;
	*ret = c;
	return 0;
}

bool
rrule_may_fire(struct rrule *r)
{
	struct civil c;

	r->interval = 1;
	return rrule_next(r, &c) == 0;
}

static struct rrule *
rule_new(const char *rule, struct civil start, bool is_date, const struct zone *zone,
    char *reason, size_t room)
{
	struct parts *p = calloc(1, sizeof *p);
	struct rrule *r = calloc(1, sizeof *r);
	bool timed;

	if (p == NULL || r == NULL)
		abort();
	r->start = start;
	r->zone = zone;
	r->left = -1;
	if (!parts_split(rule, p, reason, room) || !rule_read(r, p, reason, room)) {
		free(p);
		rrule_free(&r);
		return NULL;
	}
	free(p);
	timed = r->list[BYHOUR].given || r->list[BYMINUTE].given || r->list[BYSECOND].given;
	snprintf(reason, room, "%s",
	    timed && is_date
		? "BYHOUR, BYMINUTE and BYSECOND are ignored: the start is a date without a time"
		: "");
	day_from_start(r);
	times_from_start(r, is_date);
	first_period(r);
	if (!period_fill(r))
		r->left = 0;
	return r;
}

struct rrule *
rrule_new(const char *rule, struct day start, char *reason, size_t room)
{
	return rule_new(rule, (struct civil){ start, 0 }, true, NULL, reason, room);
}

struct rrule *
rrule_new_timed(const char *rule, struct civil start, const struct zone *zone, char *reason,
    size_t room)
{
	return rule_new(rule, start, false, zone, reason, room);
}

void
rrule_free(struct rrule **r)
{
	free(*r);
	*r = NULL;
}
