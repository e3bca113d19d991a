/* Calendar arithmetic by the days-from-civil method (years begin in March, so leap days come last). */
#include "base/when.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

struct day
day_of(int year, int month, int mday)
{
	int y = year - (month <= 2);
	int era = (y >= 0 ? y : y - 399) / 400;
	int yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + mday - 1;

	return (struct day){ era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468 };
}

void
day_split(struct day d, int *ret_year, int *ret_month, int *ret_mday)
{
	int z = d.n + 719468;
	int era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = z - era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*ret_mday = doy - (153 * mp + 2) / 5 + 1;
	*ret_month = mp < 10 ? mp + 3 : mp - 9;
	*ret_year = yoe + era * 400 + (*ret_month <= 2);
}

int
month_length(int year, int month)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : length[month - 1];
}

struct day
day_add_months(struct day d, int months)
{
	int year, month, mday, total;

	day_split(d, &year, &month, &mday);
	total = year * 12 + month - 1 + months;
	year = total / 12 - (total % 12 < 0);
	month = total - year * 12 + 1;
	if (mday > month_length(year, month))
		mday = month_length(year, month);
	return day_of(year, month, mday);
}

/* n digits at s as a number, or -1. */
static int
digits(const char *s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

static bool
day_read(const char *s, struct day *ret)
{
	int year = digits(s, 4), month, mday;

	if (year < YEAR_MIN || year > YEAR_MAX || s[4] != '-')
		return false;
	month = digits(s + 5, 2);
	if (month < 1 || month > 12 || s[7] != '-')
		return false;
	mday = digits(s + 8, 2);
	if (mday < 1 || mday > month_length(year, month))
		return false;
	*ret = day_of(year, month, mday);
	return true;
}

bool
day_parse(const char *s, struct day *ret)
{
	return day_read(s, ret) && s[10] == '\0';
}

/* Read "HH:MM" or "HH:MM:SS"; *ret_end is what follows. */
static bool
second_read(const char *s, int32_t *ret, const char **ret_end)
{
	int hour = digits(s, 2), minute, second = 0;

	if (hour < 0 || hour > 23 || s[2] != ':')
		return false;
	minute = digits(s + 3, 2);
	if (minute < 0 || minute > 59)
		return false;
	s += 5;
	if (*s == ':') {
		second = digits(s + 1, 2);
		if (second < 0 || second > 59)
			return false;
		s += 3;
	}
	*ret = hour * 3600 + minute * 60 + second;
	*ret_end = s;
	return true;
}

bool
civil_parse(const char *s, struct civil *ret)
{
	struct civil c = { { 0 }, 0 };
	const char *end;

	if (!day_read(s, &c.day))
		return false;
	if (s[10] != '\0') {
		if ((s[10] != 'T' && s[10] != ' ') || !second_read(s + 11, &c.second, &end) ||
		    *end != '\0')
			return false;
	}
	*ret = c;
	return true;
}

static bool
offset_read(const char *s, int64_t *ret)
{
	int hour, minute;

	if ((s[0] == 'Z' || s[0] == 'z') && s[1] == '\0') {
		*ret = 0;
		return true;
	}
	if (s[0] != '+' && s[0] != '-')
		return false;
	hour = digits(s + 1, 2);
	if (hour < 0 || hour > 23 || s[3] != ':')
		return false;
	minute = digits(s + 4, 2);
	if (minute < 0 || minute > 59 || s[6] != '\0')
		return false;
	*ret = (s[0] == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
	return true;
}

bool
instant_parse(const char *s, struct instant *ret)
{
	struct civil c;
	const char *end;
	int64_t offset, us = 0;

	if (!day_read(s, &c.day) || (s[10] != 'T' && s[10] != ' ' && s[10] != 't') ||
	    !second_read(s + 11, &c.second, &end))
		return false;
	if (*end == '.') {
		int64_t unit = 100000;

		if (!isdigit((unsigned char)*++end))
			return false;
		for (; isdigit((unsigned char)*end); end++, unit /= 10)
			us += (*end - '0') * unit;
	}
	if (!offset_read(end, &offset))
		return false;
	*ret = instant_seconds(civil_seconds(c) - offset);
	ret->us += us;
	return true;
}

const char *
day_format(struct day d, char buf[static DAY_TEXT])
{
	int year, month, mday;

	day_split(d, &year, &month, &mday);
	snprintf(buf, DAY_TEXT, "%04d-%02d-%02d", year % 10000, month % 100, mday % 100);
	return buf;
}

const char *
civil_format(struct civil c, char buf[static CIVIL_TEXT])
{
	char day[DAY_TEXT];
	unsigned s = (unsigned)c.second % 86400;

	snprintf(buf, CIVIL_TEXT, "%.10sT%02u:%02u:%02u", day_format(c.day, day), s / 3600,
	    s / 60 % 60, s % 60);
	return buf;
}

const char *
instant_format(struct instant t, int32_t offset, char buf[static INSTANT_TEXT])
{
	char civil[CIVIL_TEXT];
	unsigned off = (unsigned)(offset < 0 ? -offset : offset) / 60;

	civil_format(civil_of_seconds(instant_floor(t) + offset), civil);
	if (offset == 0)
		snprintf(buf, INSTANT_TEXT, "%sZ", civil);
	else
		snprintf(buf, INSTANT_TEXT, "%s%c%02u:%02u", civil, offset < 0 ? '-' : '+',
		    off / 60 % 100, off % 60);
	return buf;
}
