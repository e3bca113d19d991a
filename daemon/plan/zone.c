/*
 * TZif (RFC 9636): the 64-bit block of a version 2+ file, then the POSIX footer for all times after
 * the last transition.  Everything read is checked against the file's size first; a file that does
 * not add up is no zone.
 */
#include "plan/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dice.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"

enum { ZONES_KEPT = 1024, ZONE_BYTES = 1 << 20, NAME_LONGEST = 64 };

/* When a footer's rule takes effect: Mm.w.d, Jn or n, at `second` of that day (may be negative). */
struct turn {
	char kind; /* 'M', 'J' or '0' */
	int month, week, day, second;
};
struct zone {
	char name[NAME_LONGEST + 1];
	size_t n;
	int64_t *at;      /* transition i begins at[i] ... */
	int32_t *offset;  /* ... with this offset; offset[-1] in `first` */
	int32_t first;
	bool dst;         /* the footer has two offsets */
	bool footer;
	int32_t std, summer; /* seconds east */
	struct turn to_summer, to_std;
	uint64_t hash;
	struct zone *next;
};

static struct zone *known; /* found once, kept for the life of the process */

/* ---- the footer: std offset [dst [offset] , start [/time] , end [/time]] ---- */

static bool
abbreviation(const char **s)
{
	const char *p = *s;

	if (*p == '<') {
		p = strchr(p, '>');
		if (p == NULL)
			return false;
		*s = p + 1;
		return true;
	}
	while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
		p++;
	if (p - *s < 3)
		return false;
	*s = p;
	return true;
}

static bool
number(const char **s, int max, int *ret)
{
	int v = 0;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++)
		if ((v = v * 10 + (**s - '0')) > max)
			return false;
	*ret = v;
	return true;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool
hms(const char **s, int *ret)
{
	int sign = 1, h, m = 0, sec = 0;

	if (**s == '+' || **s == '-')
		sign = *(*s)++ == '-' ? -1 : 1;
	if (!number(s, 167, &h))
		return false;
	if (**s == ':' && ((*s)++, !number(s, 59, &m)))
		return false;
	if (**s == ':' && ((*s)++, !number(s, 59, &sec)))
		return false;
	*ret = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool
turn_read(const char **s, struct turn *ret)
{
	struct turn t = { .second = 2 * 3600 };

	if (*(*s)++ != ',')
		return false;
	if (**s == 'M') {
		t.kind = *(*s)++;
		if (!number(s, 12, &t.month) || t.month < 1 || *(*s)++ != '.' ||
		    !number(s, 5, &t.week) || t.week < 1 || *(*s)++ != '.' || !number(s, 6, &t.day))
			return false;
	} else if (**s == 'J') {
		t.kind = *(*s)++;
		if (!number(s, 365, &t.day) || t.day < 1)
			return false;
	} else {
		t.kind = '0';
		if (!number(s, 365, &t.day))
			return false;
	}
	if (**s == '/' && ((*s)++, !hms(s, &t.second)))
		return false;
	*ret = t;
	return true;
}

static bool
footer_read(const char *s, struct zone *z)
{
	int offset;

	if (!abbreviation(&s) || !hms(&s, &offset))
		return false;
	z->std = z->summer = -offset;
	z->footer = true;
	if (*s == '\0')
		return true;
	if (!abbreviation(&s))
		return false;
	z->summer = z->std + 3600;
	if (*s != ',') {
		if (!hms(&s, &offset))
			return false;
		z->summer = -offset;
	}
	z->dst = turn_read(&s, &z->to_summer) && turn_read(&s, &z->to_std) && *s == '\0';
	return z->dst;
}

/* The UTC second at which a turn of a year happens, given the offset before it. */
static int64_t
turn_at(const struct turn *t, int year, int32_t offset)
{
	struct day d;

	if (t->kind == 'M') {
		struct day first = day_of(year, t->month, 1);
		int mday = 1 + (t->day - (day_weekday(first) + 1) % 7 + 7) % 7 + (t->week - 1) * 7;

		if (mday > month_length(year, t->month))
			mday -= 7;
		d = day_of(year, t->month, mday);
	} else {
		/* J counts 1..365 and never 29 February; n counts 0..365 with it. */
		int n = t->kind == 'J' ? t->day - 1 : t->day;

		if (t->kind == 'J' && month_length(year, 2) == 29 && n >= 59)
			n++;
		d = day_add(day_of(year, 1, 1), n);
	}
	return (int64_t)d.n * 86400 + t->second - offset;
}

static int32_t
footer_offset(const struct zone *z, int64_t t)
{
	int year, month, mday;
	int64_t on, off;

	if (!z->dst)
		return z->std;
	day_split(civil_of_seconds(t + z->std).day, &year, &month, &mday);
	on = turn_at(&z->to_summer, year, z->std);
	off = turn_at(&z->to_std, year, z->summer);
	if (on < off)
		return t >= on && t < off ? z->summer : z->std;
	return t >= off && t < on ? z->std : z->summer;
}

/* ---- the file ---- */

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
be64(const unsigned char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct tzif_head {
	uint32_t isut, isstd, leap, times, types, chars;
};

static bool
head_read(const unsigned char *p, size_t len, struct tzif_head *ret)
{
	if (len < 44 || memcmp(p, "TZif", 4) != 0)
		return false;
	*ret = (struct tzif_head){ be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32),
		be32(p + 36), be32(p + 40) };
	return ret->isut < 10000 && ret->isstd < 10000 && ret->leap < 10000 && ret->times < 100000 &&
	       ret->types > 0 && ret->types < 256 && ret->chars < 10000;
}

static size_t
body_size(const struct tzif_head *h, size_t time)
{
	return h->times * (time + 1) + h->types * 6 + h->chars + h->leap * (time + 4) + h->isstd +
	       h->isut;
}

static bool
body_read(const unsigned char *p, const struct tzif_head *h, struct zone *z)
{
	const unsigned char *index = p + h->times * 8, *types = index + h->times;

	z->n = h->times;
	z->at = calloc(h->times + 1, sizeof *z->at);
	z->offset = calloc(h->times + 1, sizeof *z->offset);
	if (z->at == NULL || z->offset == NULL)
		abort();
	z->first = (int32_t)be32(types);
	for (uint32_t i = 0; i < h->types; i++) {
		int32_t offset = (int32_t)be32(types + i * 6);

		if (offset < -90000 || offset > 94000)
			return false;
	}
	for (uint32_t i = 0; i < h->times; i++) {
		if (index[i] >= h->types)
			return false;
		z->at[i] = be64(p + i * 8);
		z->offset[i] = (int32_t)be32(types + index[i] * 6);
		if (i > 0 && z->at[i] <= z->at[i - 1])
			return false;
	}
	return true;
}

static bool
tzif_read(const unsigned char *p, size_t len, struct zone *z)
{
	struct tzif_head h;
	char footer[80];
	size_t skip, n;

	if (!head_read(p, len, &h) || p[4] < '2')
		return false;
	skip = 44 + body_size(&h, 4);
	if (skip > len || !head_read(p + skip, len - skip, &h))
		return false;
	p += skip + 44;
	len -= skip + 44;
	n = body_size(&h, 8);
	if (n > len || !body_read(p, &h, z))
		return false;
	p += n;
	len -= n;
	if (len < 2 || p[0] != '\n' || p[len - 1] != '\n' || len - 2 >= sizeof footer)
		return false;
	memcpy(footer, p + 1, len - 2);
	footer[len - 2] = '\0';
	return footer[0] == '\0' || footer_read(footer, z);
}

static bool
name_safe(const char *name)
{
	if (name[0] == '\0' || name[0] == '/' || strlen(name) > NAME_LONGEST ||
	    strstr(name, "..") != NULL)
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (strchr("/_+-", *p) == NULL &&
		    !((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')))
			return false;
	return true;
}

static void
zone_discard(struct zone *z)
{
	free(z->at);
	free(z->offset);
	free(z);
}

static struct zone *
zone_read(const char *name)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	const char *folder = getenv("TZDIR");
	char path[4096];
	struct zone *z;

	if (!name_safe(name))
		return NULL;
	snprintf(path, sizeof path, "%s/%s",
	    folder != NULL && folder[0] == '/' ? folder : "/usr/share/zoneinfo", name);
	if (file_read_quiet(path, ZONE_BYTES, &bytes) != 0)
		return NULL;
	z = calloc(1, sizeof *z);
	if (z == NULL)
		abort();
	snprintf(z->name, sizeof z->name, "%s", name);
	z->hash = hash_bytes(text_string(&bytes), bytes.len);
	if (!tzif_read((const unsigned char *)text_string(&bytes), bytes.len, z)) {
		zone_discard(z);
		return NULL;
	}
	return z;
}

const struct zone *
zone_find(const char *name)
{
	struct zone *z;
	int n = 0;

	for (struct zone *k = known; k != NULL; k = k->next, n++)
		if (strcmp(k->name, name) == 0)
			return k;
	z = n < ZONES_KEPT ? zone_read(name) : NULL;
	if (z == NULL)
		return NULL;
	z->next = known;
	known = z;
	return z;
}

void
zones_refresh(void)
{
	for (struct zone *k = known; k != NULL; k = k->next) {
		struct zone *fresh = zone_read(k->name), old = *k;

		if (fresh == NULL)
			continue;
		*k = *fresh;
		k->next = old.next;
		*fresh = old;
		zone_discard(fresh);
	}
}

uint64_t
zone_hash(const struct zone *z)
{
	return z->hash;
}

const char *
zone_name(const struct zone *z)
{
	return z->name;
}

static int32_t
offset_at(const struct zone *z, int64_t t)
{
	size_t low = 0, high = z->n;

	if (z->n == 0 || t >= z->at[z->n - 1])
		return z->footer ? footer_offset(z, t) : z->n > 0 ? z->offset[z->n - 1] : z->first;
	while (low < high) { /* the first transition after t */
		size_t mid = (low + high) / 2;

		if (z->at[mid] <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? z->first : z->offset[low - 1];
}

int32_t
zone_offset(const struct zone *z, struct instant t)
{
	return offset_at(z, instant_floor(t));
}

struct civil
zone_civil(const struct zone *z, struct instant t)
{
	int64_t s = instant_floor(t);

	return civil_of_seconds(s + offset_at(z, s));
}

/*
 *   wall time is      offsets a day before and after     answer
 *   ordinary          equal, or only one of them fits    the one that fits
 *   doubled           both fit                           the earlier instant: the offset before
 *   missing           none fits                          the offset before the gap
 */
struct instant
zone_instant(const struct zone *z, struct civil c)
{
	int64_t wall = civil_seconds(c);
	int32_t before = offset_at(z, wall - 86400 - 50000);
	int32_t last = INT32_MIN;
	int64_t best = INT64_MAX;

	/* The common case: nothing changes within a day and a half. */
	if (offset_at(z, wall + 86400 + 50000) == before && offset_at(z, wall - before) == before)
		return instant_seconds(wall - before);
	/* Two transitions can lie close together: try every offset that is in force around here. */
	for (int64_t t = wall - 86400 - 50000; t <= wall + 86400 + 50000; t += 10800) {
		int32_t offset = offset_at(z, t);

		if (offset == last)
			continue;
		last = offset;
		if (offset_at(z, wall - offset) == offset && wall - offset < best)
			best = wall - offset;
	}
	if (best != INT64_MAX)
		return instant_seconds(best);
	/* Missing: the offset in force just before the gap, found from below. */
	for (int64_t t = wall - 86400 - 50000; t <= wall + 86400; t += 900) {
		int32_t offset = offset_at(z, t);

		if (t + offset > wall)
			break;
		before = offset;
	}
	return instant_seconds(wall - before);
}

/* ---- VTIMEZONE ---- */

static void
add_offset(struct text *t, const char *name, int32_t offset)
{
	unsigned a = (unsigned)(offset < 0 ? -offset : offset);

	text_addf(t, "%s:%c%02u%02u", name, offset < 0 ? '-' : '+', a / 3600, a / 60 % 60);
	if (a % 60 != 0)
		text_addf(t, "%02u", a % 60);
	text_puts(t, "\r\n");
}

static void
add_local(struct text *t, const char *name, int64_t wall)
{
	char s[CIVIL_TEXT];

	civil_format(civil_of_seconds(wall), s);
	text_addf(t, "%s:%.4s%.2s%.2sT%.2s%.2s%.2s\r\n", name, s, s + 5, s + 8, s + 11, s + 14, s + 17);
}

static void
add_component(struct text *t, bool summer, int64_t at, int32_t from, int32_t to)
{
	const char *kind = summer ? "DAYLIGHT" : "STANDARD";

	text_addf(t, "BEGIN:%s\r\n", kind);
	add_local(t, "DTSTART", at + from);
	add_offset(t, "TZOFFSETFROM", from);
	add_offset(t, "TZOFFSETTO", to);
	text_addf(t, "END:%s\r\n", kind);
}

/* Explicit components: right for every zone, also for those whose rules no RRULE can say. */
void
zone_vtimezone(const struct zone *z, struct instant from, int years, struct text *ret)
{
	int64_t t = instant_floor(from) - 366 * 86400, end = t + (int64_t)(years + 1) * 366 * 86400;
	int32_t offset = offset_at(z, t);

	text_addf(ret, "BEGIN:VTIMEZONE\r\nTZID:%s\r\n", z->name);
	add_component(ret, false, t - t % 86400, offset, offset);
	while (t < end) {
		int64_t step = t + 86400;
		int32_t next = offset_at(z, step);

		if (next != offset) { /* narrow the change down to its second */
			int64_t low = t, high = step;

			while (high - low > 1) {
				int64_t mid = low + (high - low) / 2;

				if (offset_at(z, mid) == offset)
					low = mid;
				else
					high = mid;
			}
			add_component(ret, next > offset, high, offset, next);
			offset = next;
		}
		t = step;
	}
	text_puts(ret, "END:VTIMEZONE\r\n");
}
