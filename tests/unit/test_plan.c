/* Zones, rhythms, rest and budget at their edges. */
#include <check.h>
#include <libical/ical.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "people/person.h"
#include "plan/decide.h"
#include "plan/rest.h"
#include "plan/rhythm.h"
#include "plan/zone.h"

static struct civil
wall(const char *s)
{
	struct civil c;

	ck_assert_msg(civil_parse(s, &c), "%s", s);
	return c;
}

static const struct {
	const char *what, *zone, *local, *utc;
} clocks[] = {
	{ "an ordinary winter morning", "Europe/Amsterdam", "2026-01-05T09:30", "2026-01-05T08:30:00Z" },
	{ "a missing half past two is half past three", "Europe/Amsterdam", "2026-03-29T02:30",
	    "2026-03-29T01:30:00Z" },
	{ "a doubled half past two is the first", "Europe/Amsterdam", "2026-10-25T02:30",
	    "2026-10-25T00:30:00Z" },
	{ "a gap of half an hour", "Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z" },
	{ "a gap of two hours", "Antarctica/Troll", "2026-03-29T01:30", "2026-03-29T01:30:00Z" },
	{ "long after the file's last transition", "America/New_York", "2099-07-01T12:00",
	    "2099-07-01T16:00:00Z" },
};

START_TEST(wall_to_instant)
{
	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		char buf[INSTANT_TEXT];
		const struct zone *z = zone_find(clocks[i].zone);

		ck_assert_ptr_nonnull(z);
		ck_assert_msg(strcmp(instant_format(zone_instant(z, wall(clocks[i].local)), 0, buf),
				  clocks[i].utc) == 0, "%s: %s", clocks[i].what, buf);
	}
	ck_assert_ptr_null(zone_find("../etc/passwd"));
	ck_assert_ptr_null(zone_find("/etc/passwd"));
	ck_assert_ptr_null(zone_find(""));
	ck_assert_ptr_null(zone_find("Europe/Nowhere"));
}
END_TEST

static void
zone_copy(const char *from, const char *to)
{
	char bytes[8192];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n;

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	n = fread(bytes, 1, sizeof bytes, in);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
}

/* The running daemon sees a new zone file; one that is gone or broken changes nothing. */
START_TEST(zone_refreshed)
{
	char folder[] = "/tmp/nudged-zones-XXXXXX", path[64];
	struct instant t = { INT64_C(1772443800000000) }; /* 2026-03-02T09:30:00Z */
	const struct zone *z;
	uint64_t hash;
	FILE *broken;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/Here", folder);
	zone_copy("/usr/share/zoneinfo/Europe/Amsterdam", path);
	ck_assert_int_eq(setenv("TZDIR", folder, 1), 0);
	z = zone_find("Here");
	ck_assert_ptr_nonnull(z);
	hash = zone_hash(z);
	zones_refresh();
	ck_assert_uint_eq(zone_hash(z), hash);
	ck_assert_int_eq(zone_offset(z, t), 3600);
	zone_copy("/usr/share/zoneinfo/Europe/Moscow", path);
	ck_assert_int_eq(zone_offset(z, t), 3600);
	zones_refresh();
	ck_assert_int_eq(zone_offset(z, t), 3 * 3600);
	ck_assert_uint_ne(zone_hash(z), hash);
	ck_assert_ptr_eq(zone_find("Here"), z);
	broken = fopen(path, "wb");
	fclose(broken);
	zones_refresh();
	ck_assert_int_eq(zone_offset(z, t), 3 * 3600);
	unlink(path);
	zones_refresh();
	ck_assert_int_eq(zone_offset(z, t), 3 * 3600);
	rmdir(folder);
}
END_TEST

static struct period three_days[] = { { 3, UNIT_DAY }, { 1, UNIT_WEEK } };
static int32_t days[] = { 0, -30, -7 };
static const struct {
	const char *what;
	struct rhythm r;
	const char *anchor;
	int64_t k;
	const char *want; /* NULL: over */
} moments[] = {
	{ "the first Thursday of a Tuesday-and-Thursday rhythm from a Wednesday",
	    { .kind = RHYTHM_EVERY, .every = { 2, UNIT_WEEK }, .on = 0x0a }, "2026-01-07", 0,
	    "2026-01-08T00:00:00" },
	{ "and two weeks on its Tuesday", { .kind = RHYTHM_EVERY, .every = { 2, UNIT_WEEK }, .on = 0x0a },
	    "2026-01-07", 1, "2026-01-20T00:00:00" },
	{ "every month from the 31st clamps and does not drift",
	    { .kind = RHYTHM_EVERY, .every = { 1, UNIT_MONTH } }, "2026-01-31", 2, "2026-03-31T00:00:00" },
	{ "so many times and no more", { .kind = RHYTHM_EVERY, .every = { 1, UNIT_DAY }, .times = 2 },
	    "2026-01-05", 2, NULL },
	{ "distances count from the start", { .kind = RHYTHM_AFTER, .n_after = 2, .after = three_days },
	    "2026-01-05", 1, "2026-01-12T00:00:00" },
	{ "and then nothing", { .kind = RHYTHM_AFTER, .n_after = 2, .after = three_days }, "2026-01-05", 2,
	    NULL },
	{ "and then every month", { .kind = RHYTHM_AFTER, .n_after = 2, .after = three_days,
	    .then = { 1, UNIT_MONTH } }, "2026-01-05", 3, "2026-03-12T00:00:00" },
	{ "around a date, in order", { .kind = RHYTHM_AROUND, .n_days = 3, .days = days }, "2026-05-31", 0,
	    "2026-05-01T00:00:00" },
	{ "29 February in a common year", { .kind = RHYTHM_AROUND, .n_days = 3, .days = days,
	    .yearly = true }, "2024-02-29", 5, "2025-02-28T00:00:00" },
	{ "the second Tuesday", { .kind = RHYTHM_RRULE, .rrule = "FREQ=MONTHLY;BYDAY=2TU" }, "2026-01-01",
	    1, "2026-02-10T00:00:00" },
};

START_TEST(rhythms)
{
	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		struct series *s = series_new(&moments[i].r, wall(moments[i].anchor));
		char buf[CIVIL_TEXT];
		struct moment m;
		int rc = series_moment(s, moments[i].k, &m);

		if (moments[i].want == NULL)
			ck_assert_msg(rc == RHYTHM_OVER, "%s", moments[i].what);
		else
			ck_assert_msg(rc == 0 && strcmp(civil_format(m.from, buf), moments[i].want) == 0,
			    "%s: %s", moments[i].what, rc == 0 ? buf : "over");
		series_free(&s);
	}
}
END_TEST

/*
 * Moments of `every`, against libical's floating iterator from the first of its days in the anchor's
 * week: from another day it may lose that week.
 */
static void
every_check(struct rhythm r, const char *rule, struct civil anchor, struct day dtstart)
{
	struct icaltimetype t = icaltime_null_time();
	struct icalrecurrencetype type = icalrecurrencetype_from_string(rule);
	icalrecur_iterator *it;
	struct series *s = series_new(&r, anchor);
	struct moment m;

	day_split(dtstart, &t.year, &t.month, &t.day);
	it = icalrecur_iterator_new(type, t);
	ck_assert_msg(it != NULL, "%s", rule);
	for (int64_t k = 0; k < 25;) {
		t = icalrecur_iterator_next(it);
		ck_assert_msg(!icaltime_is_null_time(t), "%s ends early", rule);
		struct day want = day_of(t.year, t.month, t.day);

		if (want.n < anchor.day.n)
			continue;
		ck_assert_int_eq(series_moment(s, k++, &m), 0);
		ck_assert_msg(m.from.day.n == want.n, "%s: moment %d is day %d, libical %d", rule,
		    (int)k - 1, m.from.day.n, want.n);
	}
	icalrecur_iterator_free(it);
	series_free(&s);
}

START_TEST(plain_rhythms_agree_with_libical)
{
	static const char *const names[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };
	static const char *const units[UNITS] = { [UNIT_DAY] = "DAILY", [UNIT_MONTH] = "MONTHLY",
		[UNIT_YEAR] = "YEARLY" };
	char rule[80];

	for (int i = 0; i < 28; i++) { /* weekdays, month's ends and a leap day */
		struct civil anchor = { day_add(day_of(2024, 2, 20), i), 0 };
		struct day monday = day_add(anchor.day, -day_weekday(anchor.day));

		for (int count = 1; count <= 6; count++)
			for (unsigned on = 1; on < 128; on += 9) {
				int n = snprintf(rule, sizeof rule, "FREQ=WEEKLY;INTERVAL=%d;BYDAY=", count);

				for (int d = 0; d < 7; d++)
					if (on & 1u << d)
						n += snprintf(rule + n, sizeof rule - (size_t)n, "%s,", names[d]);
				rule[n - 1] = '\0';
				every_check((struct rhythm){ .kind = RHYTHM_EVERY, .on = (uint8_t)on,
						.every = { count, UNIT_WEEK } },
				    rule, anchor, day_add(monday, __builtin_ctz(on)));
			}
		for (int unit = 0; unit < UNITS; unit++) {
			int year, month, mday;

			/* From the 29th on months clamp where RFC 5545 leaves out. */
			day_split(anchor.day, &year, &month, &mday);
			if (units[unit] == NULL || mday > 28)
				continue;
			snprintf(rule, sizeof rule, "FREQ=%s;INTERVAL=%d", units[unit], i % 5 + 1);
			every_check((struct rhythm){ .kind = RHYTHM_EVERY,
					.every = { i % 5 + 1, (enum period_unit)unit } },
			    rule, anchor, anchor.day);
		}
	}
}
END_TEST

START_TEST(index_after_agrees_with_counting)
{
	struct rhythm r = { .kind = RHYTHM_EVERY, .every = { 3, UNIT_DAY }, .at = { 570, 690, { 0 } } };
	struct series *s = series_new(&r, wall("2026-01-05"));

	for (int day = 0; day < 400; day++) {
		struct civil c = { day_add(wall("2026-01-01").day, day), 10 * 3600 };
		int64_t k = series_index_after(s, c);
		struct moment m;

		ck_assert_int_eq(series_moment(s, k, &m), 0);
		ck_assert_int_lt(civil_compare(c, m.to), 0);
		if (k > 0) {
			ck_assert_int_eq(series_moment(s, k - 1, &m), 0);
			ck_assert_int_ge(civil_compare(c, m.to), 0);
		}
	}
	series_free(&s);
}
END_TEST

static struct attribute away[] = { { "absence_from", "2026-01-06" }, { "absence_until", "2026-01-07" } };
static struct attribute part[] = { { "work_days", "monday friday" }, { "work_hours", "10:00-14:00" } };
static struct attribute broken[] = { { "work_days", "someday" } };
static const struct {
	const char *what;
	struct attribute *attributes;
	size_t n;
	const char *from, *want;
	enum rest_reason why;
} rests[] = {
	{ "in the day nobody rests", NULL, 0, "2026-01-05T09:30", "2026-01-05T09:30:00", REST_NONE },
	{ "the night ends at eight", NULL, 0, "2026-01-05T22:00", "2026-01-06T08:00:00", REST_QUIET },
	{ "Friday night ends on Monday", NULL, 0, "2026-01-09T18:00", "2026-01-12T08:00:00", REST_QUIET },
	{ "a Saturday", NULL, 0, "2026-01-10T12:00", "2026-01-12T08:00:00", REST_DAY_OFF },
	{ "a holiday", NULL, 0, "2026-01-01T12:00", "2026-01-02T08:00:00", REST_HOLIDAY },
	{ "away for two days", away, 2, "2026-01-06T12:00", "2026-01-08T08:00:00", REST_ABSENCE },
	{ "own days and hours", part, 2, "2026-01-06T12:00", "2026-01-09T10:00:00", REST_OWN_TIMES },
	{ "columns nobody understands mean silence", broken, 1, "2026-01-05T12:00", NULL, REST_ABSENCE },
};

START_TEST(rest)
{
	static const char *bytes[] = { "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:a\n"
				       "DTSTART;VALUE=DATE:20250101\nDTEND;VALUE=DATE:20250102\n"
				       "RRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n" };
	const char *names[] = { "h.ics" };
	struct place places[1] = { { 0 } };
	struct house h = { .quiet = { 1080, 480, { 0 } }, .days_off = 0x60, .holidays = { 1, names },
		.holiday_bytes = bytes, .holiday_places = places };
	struct rest *r = rest_new(&h, wall("2020-01-01").day, wall("2040-01-01").day, NULL);

	for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
		struct person p = { .id = "p", .n_attributes = rests[i].n, .attributes = rests[i].attributes,
			.name = "", .email = "", .first_name = "", .language = "", .role = "", .time_zone = "",
			.team = "", .manager = "", .stage = "", .chat = "" };
		struct own_times own;
		struct civil c;
		char buf[CIVIL_TEXT] = "nothing";
		enum rest_reason why;
		bool found;

		own_times_of(&p, &own);
		found = rest_next(r, &own, wall(rests[i].from), wall("2026-06-01"), &c, &why);
		if (found)
			civil_format(c, buf);
		ck_assert_msg(why == rests[i].why, "%s: %s", rests[i].what, rest_reason_names[why]);
		ck_assert_msg(found == (rests[i].want != NULL) &&
			(!found || strcmp(buf, rests[i].want) == 0), "%s: %s", rests[i].what, buf);
	}
	rest_free(&r);
}
END_TEST

START_TEST(budget)
{
	struct house h = { .budget_week = 2, .budget_month = 3, .budget_gap = SPAN_HOURS(48) };
	struct instant noon = { INT64_C(1767268800000000) }, free;
	struct spending s = { .n = 0 };

	ck_assert_int_eq(budget_judge(&h, &s, noon, &free), REASON_SENT);
	s = (struct spending){ 1, { noon } };
	ck_assert_int_eq(budget_judge(&h, &s, noon, &free), REASON_BUDGET_GAP);
	ck_assert_int_eq(free.us, instant_add(noon, SPAN_HOURS(48)).us);
	ck_assert_int_eq(budget_judge(&h, &s, free, &free), REASON_SENT);
	s = (struct spending){ 2, { noon, instant_sub(noon, SPAN_DAYS(3)) } };
	ck_assert_int_eq(
	    budget_judge(&h, &s, instant_add(noon, SPAN_HOURS(50)), &free), REASON_BUDGET_WEEK);
	ck_assert_int_eq(free.us, instant_add(noon, SPAN_DAYS(4)).us);
	s = (struct spending){ 3, { noon, instant_sub(noon, SPAN_DAYS(8)), instant_sub(noon, SPAN_DAYS(20)) } };
	ck_assert_int_eq(
	    budget_judge(&h, &s, instant_add(noon, SPAN_DAYS(3)), &free), REASON_BUDGET_MONTH);
	ck_assert_int_eq(free.us, instant_add(noon, SPAN_DAYS(10)).us);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("plan");
	TCase *tc = tcase_create("plan");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, wall_to_instant);
	tcase_add_test(tc, zone_refreshed);
	tcase_add_test(tc, rhythms);
	tcase_add_test(tc, plain_rhythms_agree_with_libical);
	tcase_add_test(tc, index_after_agrees_with_counting);
	tcase_add_test(tc, rest);
	tcase_add_test(tc, budget);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
