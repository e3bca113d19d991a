/*
 * when.h - points in time, lengths of time and wall-clock times, as types that do not mix.
 *
 * struct instant is UTC, struct span a length, struct civil what a clock on a wall shows: no
 * zone, so only plan/zone.h turns it into an instant.  A calendar date alone is a struct day.
 * The compiler rejects milliseconds where microseconds were meant.  Arithmetic saturates.
 */
#ifndef NUDGED_BASE_WHEN_H
#define NUDGED_BASE_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instant {
	int64_t us; /* since 1970-01-01T00:00:00Z */
};
struct span {
	int64_t us; /* may be negative */
};
/* A date of the proleptic Gregorian calendar: days since 1970-01-01. */
struct day {
	int32_t n;
};
/* Wall-clock time without a zone, to the second. */
struct civil {
	struct day day;
	int32_t second; /* of the day, 0..86399 */
};

/* Years that a date from outside may have; anything else is refused where it is parsed. */
enum { YEAR_MIN = 1900, YEAR_MAX = 2200 };

#define INSTANT_NEVER ((struct instant){ INT64_MAX })
#define SPAN_OF(n, seconds) ((struct span){ INT64_C(1000000) * (n) * (seconds) })
#define SPAN_MINUTES(n) SPAN_OF((n), 60)
#define SPAN_HOURS(n) SPAN_OF((n), 3600)
#define SPAN_DAYS(n) SPAN_OF((n), 86400)
#define SPAN_WEEK SPAN_DAYS(7)

static inline struct instant
instant_seconds(int64_t s)
{
	int64_t us;

	if (__builtin_mul_overflow(s, INT64_C(1000000), &us))
		us = s < 0 ? INT64_MIN : INT64_MAX;
	return (struct instant){ us };
}

static inline struct instant
instant_add(struct instant t, struct span d)
{
	int64_t us;

	if (__builtin_add_overflow(t.us, d.us, &us))
		us = d.us < 0 ? INT64_MIN : INT64_MAX;
	return (struct instant){ us };
}

static inline struct instant
instant_sub(struct instant t, struct span d)
{
	int64_t us;

	if (__builtin_sub_overflow(t.us, d.us, &us))
		us = d.us < 0 ? INT64_MAX : INT64_MIN;
	return (struct instant){ us };
}

static inline struct span
instant_diff(struct instant a, struct instant b)
{
	int64_t us;

	if (__builtin_sub_overflow(a.us, b.us, &us))
		us = a.us < b.us ? INT64_MIN : INT64_MAX;
	return (struct span){ us };
}

static inline bool
instant_before(struct instant a, struct instant b)
{
	return a.us < b.us;
}

/* Seconds since the epoch, rounded down. */
static inline int64_t
instant_floor(struct instant t)
{
	return t.us / 1000000 - (t.us % 1000000 < 0);
}

static inline struct day
day_add(struct day d, int32_t n)
{
	return (struct day){ d.n + n };
}

static inline int
civil_compare(struct civil a, struct civil b)
{
	if (a.day.n != b.day.n)
		return a.day.n < b.day.n ? -1 : 1;
	return (a.second > b.second) - (a.second < b.second);
}

/* Seconds on the wall since 1970-01-01 00:00 there; the inverse of civil_of_seconds(). */
static inline int64_t
civil_seconds(struct civil c)
{
	return (int64_t)c.day.n * 86400 + c.second;
}

static inline struct civil
civil_of_seconds(int64_t s)
{
	int64_t n = s / 86400 - (s % 86400 < 0);

	return (struct civil){ { (int32_t)n }, (int32_t)(s - n * 86400) };
}

/* Monday = 0 ... Sunday = 6. */
static inline int
day_weekday(struct day d)
{
	int w = (d.n + 3) % 7;

	return w < 0 ? w + 7 : w;
}

/* month 1..12, mday 1..31; out-of-range days run on into the next month, as in mktime. */
struct day day_of(int year, int month, int mday);
void day_split(struct day d, int *ret_year, int *ret_month, int *ret_mday);
int month_length(int year, int month);
/* Add months; a day that the month lacks becomes its last (31 January + 1 month: 28 February). */
struct day day_add_months(struct day d, int months);

/* "2026-11-24"; true when it is a real date within YEAR_MIN..YEAR_MAX. */
bool day_parse(const char *s, struct day *ret);
/* "2026-11-24", "2026-11-24T09:30" or "...T09:30:15" (a blank for the T is fine). */
bool civil_parse(const char *s, struct civil *ret);
/* RFC 3339 with an offset or Z; fractions are read to the microsecond. */
bool instant_parse(const char *s, struct instant *ret);

enum { DAY_TEXT = 16, CIVIL_TEXT = 24, INSTANT_TEXT = 40 };
const char *day_format(struct day d, char buf[static DAY_TEXT]);
const char *civil_format(struct civil c, char buf[static CIVIL_TEXT]); /* 2026-11-24T09:30:00 */
/* RFC 3339 at an offset given in seconds east of UTC; "Z" for 0. */
const char *instant_format(struct instant t, int32_t offset, char buf[static INSTANT_TEXT]);

#endif
