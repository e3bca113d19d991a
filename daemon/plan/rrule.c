/*
 * RFC 5545 rules of day or coarser frequency, floating.
 *
 * libical parses and iterates; WEEKLY is our own, since libical misses the first week of rules such
 * as WEEKLY;INTERVAL=3;BYDAY=SU from a Tuesday.  What else it gets wrong is refused, and so is what
 * it swallows without a word; each refusal says why.  The wall time of day never changes: BYHOUR and
 * finer are refused, a campaign has a window for that.
 */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "plan/rhythm.h"

enum { RULE_LONGEST = 500, PARTS_MAX = 16, HORIZON_YEARS = 400 };

struct rrule {
	struct icalrecurrencetype type;
	bool weekly;         /* ours: libical loses the first week of some of them */
	uint8_t days;
	unsigned months;     /* bit per BYMONTH; 0: all */
	int interval;
	struct day week, at; /* begin of the present week; the next day to look at */
	icalrecur_iterator *it;
	struct civil start, last, until;
	bool has_last, has_until;
	int64_t left; /* of COUNT; -1 without */
};

static bool
refuse(char *reason, size_t room, const char *why)
{
	snprintf(reason, room, "%s", why);
	return false;
}

/* Numbers of a list within -max..max without 0 (or 0..max when !negative), none twice. */
static bool
list_check(const char *value, int max, bool negative)
{
	int seen[1024];
	size_t n = 0;
	char one[16];

	while (*value != '\0') {
		size_t len = strcspn(value, ",");
		int64_t v;

		if (len == 0 || len >= sizeof one || n == 1024)
			return false;
		memcpy(one, value, len);
		one[len] = '\0';
		if (!parse_int(one[0] == '+' ? one + 1 : one, negative ? -max : 1, max, &v) || v == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (seen[i] == (int)v)
				return false;
		seen[n++] = (int)v;
		value += len;
		if (*value == ',' && *++value == '\0')
			return false;
	}
	return n > 0;
}

static bool
byday_check(const char *value, bool *ret_ordinal)
{
	static const char *const names[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };

	*ret_ordinal = false;
	while (*value != '\0') {
		size_t len = strcspn(value, ",");
		char number[8] = "";
		int64_t v;

		if (len < 2 || len > 6 || parse_word((char[]){ value[len - 2], value[len - 1], '\0' }, names, 7) < 0)
			return false;
		memcpy(number, value, len - 2);
		if (len > 2) {
			*ret_ordinal = true;
			if (!parse_int(number[0] == '+' ? number + 1 : number, -53, 53, &v) || v == 0)
				return false;
		}
		value += len;
		if (*value == ',' && *++value == '\0')
			return false;
	}
	return true;
}

struct parts {
	size_t n;
	char name[PARTS_MAX][16], value[PARTS_MAX][RULE_LONGEST];
};

static const char *
part(const struct parts *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->name[i], name) == 0)
			return p->value[i];
	return NULL;
}

static bool
parts_split(const char *rule, struct parts *p, char *reason, size_t room)
{
	if (strncasecmp(rule, "RRULE:", 6) == 0)
		rule += 6;
	if (strlen(rule) >= RULE_LONGEST)
		return refuse(reason, room, "the rule is longer than 500 characters");
	while (*rule != '\0') {
		size_t len = strcspn(rule, ";"), eq = strcspn(rule, "=");

		if (eq == 0 || eq >= len || eq >= 16 || len - eq - 1 == 0 || p->n == PARTS_MAX)
			return refuse(reason, room, "expected NAME=VALUE parts between semicolons");
		for (size_t i = 0; i < eq; i++)
			p->name[p->n][i] = (char)(rule[i] >= 'a' && rule[i] <= 'z' ? rule[i] - 32 : rule[i]);
		for (size_t i = eq + 1; i < len; i++)
			p->value[p->n][i - eq - 1] =
			    (char)(rule[i] >= 'a' && rule[i] <= 'z' ? rule[i] - 32 : rule[i]);
		if (part(p, p->name[p->n]) != NULL)
			return refuse(reason, room, "a part stands twice");
		p->n++;
		rule += len;
		if (*rule == ';')
			rule++;
	}
	return true;
}

static bool
lists_check(const struct parts *p, char *reason, size_t room)
{
	static const struct {
		const char *name;
		int max;
		bool negative;
	} lists[] = { { "BYMONTHDAY", 31, true }, { "BYYEARDAY", 366, true }, { "BYMONTH", 12, false },
		{ "BYSETPOS", 366, true }, { "BYWEEKNO", 53, true } };

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const char *value = part(p, lists[i].name);

		if (value != NULL && !list_check(value, lists[i].max, lists[i].negative)) {
			snprintf(reason, room, "%s wants different numbers up to %d", lists[i].name,
			    lists[i].max);
			return false;
		}
	}
	return true;
}

static bool
frequency_check(const struct parts *p, char *reason, size_t room)
{
	static const char *const good[] = { "DAILY", "WEEKLY", "MONTHLY", "YEARLY" };
	static const char *const fine[] = { "SECONDLY", "MINUTELY", "HOURLY" };
	const char *freq = part(p, "FREQ"), *byday = part(p, "BYDAY");
	bool ordinal = false, few;

	if (freq == NULL)
		return refuse(reason, room, "FREQ is missing");
	if (parse_word(freq, fine, 3) >= 0)
		return refuse(reason, room, "finer than daily: nobody is nudged by the hour");
	if (parse_word(freq, good, 4) < 0)
		return refuse(reason, room, "FREQ wants DAILY, WEEKLY, MONTHLY or YEARLY");
	few = freq[0] == 'D' || freq[0] == 'W';
	if (byday != NULL && !byday_check(byday, &ordinal))
		return refuse(reason, room, "BYDAY wants weekdays such as MO or 2TU");
	if (ordinal && few)
		return refuse(reason, room, "BYDAY with a number goes with MONTHLY or YEARLY only");
	if (ordinal && part(p, "BYWEEKNO") != NULL)
		return refuse(reason, room, "BYDAY with a number does not go with BYWEEKNO");
	if (part(p, "BYSETPOS") != NULL && few)
		return refuse(reason, room,
		    "BYSETPOS with DAILY or WEEKLY is not computed reliably; write the days with BYDAY");
	if (part(p, "BYWEEKNO") != NULL)
		return refuse(reason, room,
		    "BYWEEKNO is not computed reliably; write the days with BYMONTH and BYDAY");
	if (part(p, "BYMONTHDAY") != NULL && freq[0] == 'W')
		return refuse(reason, room, "BYMONTHDAY does not go with WEEKLY");
	if (part(p, "BYYEARDAY") != NULL && freq[0] != 'Y')
		return refuse(reason, room, "BYYEARDAY goes with YEARLY only");
	return true;
}

static bool
rule_check(const struct parts *p, char *reason, size_t room)
{
	static const char *const known[] = { "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY",
		"BYMONTHDAY", "BYYEARDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "WKST" };
	static const char *const days[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };
	int64_t v;

	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->name[i], "BYHOUR") == 0 || strcmp(p->name[i], "BYMINUTE") == 0 ||
		    strcmp(p->name[i], "BYSECOND") == 0)
			return refuse(reason, room, "the time of day comes from `at:`, not from the rule");
		if (parse_word(p->name[i], known, sizeof known / sizeof *known) < 0)
			return refuse(reason, room, "an unknown part of a rule");
	}
	if (part(p, "COUNT") != NULL && part(p, "UNTIL") != NULL)
		return refuse(reason, room, "COUNT and UNTIL exclude each other");
	if (part(p, "COUNT") != NULL && !parse_int(part(p, "COUNT"), 1, 100000, &v))
		return refuse(reason, room, "COUNT wants a number from 1 to 100000");
	if (part(p, "INTERVAL") != NULL && !parse_int(part(p, "INTERVAL"), 1, 10000, &v))
		return refuse(reason, room, "INTERVAL wants a number from 1 to 10000");
	if (part(p, "WKST") != NULL && parse_word(part(p, "WKST"), days, 7) < 0)
		return refuse(reason, room, "WKST wants a weekday");
	if (part(p, "BYSETPOS") != NULL && part(p, "BYDAY") == NULL &&
	    part(p, "BYMONTHDAY") == NULL && part(p, "BYYEARDAY") == NULL && part(p, "BYMONTH") == NULL)
		return refuse(reason, room, "BYSETPOS needs another BY part");
	return lists_check(p, reason, room) && frequency_check(p, reason, room);
}

/* "20261224" is the end of that day; "20261224T120000" and the same with Z wall times. */
static bool
until_read(const char *s, struct civil *ret)
{
	char iso[CIVIL_TEXT];
	size_t len = strlen(s);

	if (len == 8)
		snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT23:59:59", s, s + 4, s + 6);
	else if ((len == 15 || (len == 16 && s[15] == 'Z')) && s[8] == 'T')
		snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s", s, s + 4, s + 6, s + 9, s + 11,
		    s + 13);
	else
		return false;
	return civil_parse(iso, ret);
}

static struct icaltimetype
time_of(struct civil c)
{
	struct icaltimetype t = icaltime_null_time();

	day_split(c.day, &t.year, &t.month, &t.day);
	t.hour = c.second / 3600;
	t.minute = c.second / 60 % 60;
	t.second = c.second % 60;
	return t;
}

/* Without COUNT and UNTIL, which are ours: libical compares them in ways of its own. */
static void
rule_text(const struct parts *p, char *ret, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n && n < room; i++)
		if (strcmp(p->name[i], "COUNT") != 0 && strcmp(p->name[i], "UNTIL") != 0)
			n += (size_t)snprintf(ret + n, room - n, "%s%s=%s", n > 0 ? ";" : "", p->name[i],
			    p->value[i]);
}

/* Bits of a BYDAY or BYMONTH list. */
static unsigned
list_bits(const char *value, bool days)
{
	static const char *const names[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };
	unsigned bits = 0;

	while (value != NULL && *value != '\0') {
		size_t len = strcspn(value, ",");
		char one[8];
		int64_t v = 0;

		snprintf(one, sizeof one, "%.*s", (int)len, value);
		if (days)
			bits |= 1u << parse_word(one, names, 7);
		else if (parse_int(one, 1, 12, &v))
			bits |= 1u << v;
		value += len + (value[len] == ',');
	}
	return bits;
}

static void
weekly_init(struct rrule *r, const struct parts *p)
{
	int64_t interval = 1;
	unsigned first = list_bits(part(p, "WKST"), true);
	int wkst = first == 0 ? 0 : __builtin_ctz(first);

	if (part(p, "INTERVAL") != NULL)
		parse_int(part(p, "INTERVAL"), 1, 10000, &interval);
	r->weekly = true;
	r->interval = (int)interval;
	r->days = (uint8_t)list_bits(part(p, "BYDAY"), true);
	if (r->days == 0)
		r->days = (uint8_t)(1u << day_weekday(r->start.day));
	r->months = list_bits(part(p, "BYMONTH"), false);
	r->week = day_add(r->start.day, -((day_weekday(r->start.day) - wkst + 7) % 7));
	r->at = r->start.day;
}

static bool
weekly_next(struct rrule *r, struct civil *ret)
{
	for (;;) {
		int year, month, mday;
		struct day d = r->at;

		if (d.n >= r->week.n + 7) {
			r->week = day_add(r->week, 7 * r->interval);
			r->at = r->week;
			continue;
		}
		r->at = day_add(d, 1);
		day_split(d, &year, &month, &mday);
		if (year > YEAR_MAX + HORIZON_YEARS)
			return false;
		if (r->days & 1u << day_weekday(d) && (r->months == 0 || r->months & 1u << month)) {
			*ret = (struct civil){ d, r->start.second };
			return true;
		}
	}
}

struct rrule *
rrule_new(const char *rule, struct civil start, char *reason, size_t room)
{
	struct parts *p = calloc(1, sizeof *p);
	struct rrule *r = calloc(1, sizeof *r);
	char text[RULE_LONGEST + 16] = "";
	int64_t count = -1;
	bool good;

	if (p == NULL || r == NULL)
		abort();
	r->start = start;
	good = parts_split(rule, p, reason, room) && rule_check(p, reason, room);
	if (good && part(p, "UNTIL") != NULL) {
		r->has_until = until_read(part(p, "UNTIL"), &r->until);
		good = r->has_until || refuse(reason, room, "UNTIL wants 20261231 or 20261231T170000");
	}
	if (good && part(p, "COUNT") != NULL)
		parse_int(part(p, "COUNT"), 1, 100000, &count);
	r->left = count;
	if (good) {
		rule_text(p, text, sizeof text);
		r->type = icalrecurrencetype_from_string(text);
		if (r->type.freq == ICAL_NO_RECURRENCE)
			good = refuse(reason, room, "not a rule of RFC 5545");
		else if (r->type.freq == ICAL_WEEKLY_RECURRENCE)
			weekly_init(r, p);
		else /* NULL: libical sees that no day can ever fit */
			r->it = icalrecur_iterator_new(r->type, time_of(start));
	}
	free(p);
	if (!good)
		rrule_free(&r);
	return r;
}

void
rrule_free(struct rrule **r)
{
	if (*r != NULL && (*r)->it != NULL)
		icalrecur_iterator_free((*r)->it);
	free(*r);
	*r = NULL;
}

int
rrule_next(struct rrule *r, struct civil *ret)
{
	struct icaltimetype t;
	struct civil c;

	if (r->left == 0 || (!r->weekly && r->it == NULL))
		return RHYTHM_OVER;
	if (r->weekly) {
		if (!weekly_next(r, &c))
			return RHYTHM_OVER;
	} else do {
		t = icalrecur_iterator_next(r->it);
		if (icaltime_is_null_time(t) || t.year > YEAR_MAX + HORIZON_YEARS)
			return RHYTHM_OVER;
		c = (struct civil){ day_of(t.year, t.month, t.day),
			t.hour * 3600 + t.minute * 60 + t.second };
	} while (civil_compare(c, r->start) < 0 ||
		 (r->has_last && civil_compare(c, r->last) <= 0)); /* it repeats itself at times */
	if (r->has_until && civil_compare(r->until, c) < 0) {
		r->left = 0;
		return RHYTHM_OVER;
	}
	r->last = c;
	r->has_last = true;
	r->left -= r->left > 0;
	*ret = c;
	return 0;
}
