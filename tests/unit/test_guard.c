/* Can the clock be right, and how slowly does it go on after downtime. */
#include <check.h>
#include <stdlib.h>

#include "engine/parts.h"

enum { FIRST = 1, OTHER = 2 };
#define BUILT "2026-01-01T00:00:00Z"
#define NOON "2026-03-02T12:00:00Z"

static struct instant
at(const char *s)
{
	struct instant t;

	ck_assert_msg(instant_parse(s, &t), "%s", s);
	return t;
}

/* The memory is of noon, ten hours after the machine's first start. */
static const struct {
	const char *what, *now;
	int hours; /* that this start of the machine lasts */
	int boot;
	bool sync;
	enum guard_verdict suspect, want;
} looks[] = {
	{ "a minute later", "2026-03-02T12:01:00Z", 10, FIRST, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "a process that did not run for an hour", "2026-03-02T13:00:00Z", 11, FIRST, false,
	    GUARD_RIGHT, GUARD_RIGHT },
	{ "for a year, on a machine that went on or slept", "2027-03-02T12:00:00Z", 10 + 365 * 24, FIRST,
	    false, GUARD_RIGHT, GUARD_RIGHT },
	{ "a correction by 50 minutes", "2026-03-02T12:50:00Z", 10, FIRST, false, GUARD_RIGHT,
	    GUARD_RIGHT },
	{ "and back", "2026-03-02T11:10:00Z", 10, FIRST, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "a step of two hours forward", "2026-03-02T14:00:00Z", 10, FIRST, false, GUARD_RIGHT,
	    GUARD_FORWARD },
	{ "two hours back", "2026-03-02T10:00:00Z", 10, FIRST, false, GUARD_RIGHT, GUARD_BACK },
	{ "a step back that downtime hides: a day went by", "2026-03-02T13:00:00Z", 34, FIRST, false,
	    GUARD_RIGHT, GUARD_BACK },
	{ "to 2099", "2099-03-02T12:00:00Z", 10, FIRST, false, GUARD_RIGHT, GUARD_FORWARD },
	{ "to 1970", "1970-01-01T00:10:00Z", 10, FIRST, false, GUARD_RIGHT, GUARD_BEFORE_BUILD },
	{ "to 1970, and a time server says so", "1970-01-01T00:10:00Z", 10, FIRST, true, GUARD_RIGHT,
	    GUARD_BEFORE_BUILD },
	{ "two hours forward, confirmed", "2026-03-02T14:00:00Z", 10, FIRST, true, GUARD_RIGHT,
	    GUARD_RIGHT },
	{ "a month back, confirmed: the time before was wrong", "2026-02-02T14:00:00Z", 10, FIRST, true,
	    GUARD_FORWARD, GUARD_RIGHT },
	{ "suspect, and the step is taken back", "2026-03-02T15:00:00Z", 13, FIRST, false,
	    GUARD_FORWARD, GUARD_RIGHT },
	{ "suspect, and still off", "2026-03-02T19:00:00Z", 13, FIRST, false, GUARD_FORWARD,
	    GUARD_FORWARD },
	{ "a reboot", "2026-03-02T12:05:00Z", 0, OTHER, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "a machine off for a day", "2026-03-03T12:00:00Z", 0, OTHER, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "for a week", "2026-03-09T12:00:00Z", 1, OTHER, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "for a year", "2027-03-02T12:00:00Z", 1, OTHER, false, GUARD_RIGHT, GUARD_RIGHT },
	{ "for two, which nobody confirms", "2028-03-02T12:00:00Z", 1, OTHER, false, GUARD_RIGHT,
	    GUARD_FAR },
	{ "for two, confirmed", "2028-03-02T12:00:00Z", 1, OTHER, true, GUARD_RIGHT, GUARD_RIGHT },
	{ "started in 2099", "2099-03-02T12:00:00Z", 0, OTHER, false, GUARD_RIGHT, GUARD_FAR },
	{ "started half an hour early", "2026-03-02T11:30:00Z", 0, OTHER, false, GUARD_RIGHT,
	    GUARD_RIGHT },
	{ "started two hours early", "2026-03-02T10:00:00Z", 0, OTHER, false, GUARD_RIGHT, GUARD_BACK },
	{ "a reboot does not wash suspicion off", "2026-03-20T12:00:00Z", 0, OTHER, false, GUARD_FORWARD,
	    GUARD_FORWARD },
	{ "but a clock without battery that was set is judged anew", "2026-03-20T12:00:00Z", 0, OTHER,
	    false, GUARD_BEFORE_BUILD, GUARD_RIGHT },
	{ "the same name of a start, yet shorter up: another one", "2026-03-04T12:00:00Z", 2, FIRST, false,
	    GUARD_RIGHT, GUARD_RIGHT },
};

START_TEST(judge)
{
	struct guard_memory m = { true, at(NOON), SPAN_HOURS(10), FIRST, looks[_i].suspect, { 0 } };
	struct clock_reading r = { at(looks[_i].now), SPAN_HOURS(looks[_i].hours), looks[_i].boot,
		looks[_i].sync, at(BUILT) };

	ck_assert_msg(guard_judge(&m, &r) == looks[_i].want, "%s: %d", looks[_i].what,
	    (int)guard_judge(&m, &r));
}
END_TEST

START_TEST(first_look)
{
	struct guard_memory nothing = { 0 };
	struct clock_reading r = { at(NOON), { 0 }, FIRST, false, at(BUILT) };

	ck_assert_int_eq(guard_judge(&nothing, &r), GUARD_RIGHT);
	r.wall = at("2025-12-31T01:00:00Z"); /* a builder's clock may be ahead by a day */
	ck_assert_int_eq(guard_judge(&nothing, &r), GUARD_RIGHT);
	r.wall = at("2025-12-30T23:00:00Z");
	ck_assert_int_eq(guard_judge(&nothing, &r), GUARD_BEFORE_BUILD);
	r.wall = at("2099-01-01T00:00:00Z");
	ck_assert_int_eq(guard_judge(&nothing, &r), GUARD_FAR);
}
END_TEST

START_TEST(known_time)
{
	struct guard_memory m = { true, at(NOON), SPAN_HOURS(10), FIRST, GUARD_RIGHT, { 0 } };
	struct clock_reading r = { at("2026-03-02T12:30:00Z"), SPAN_HOURS(10), FIRST, false, at(BUILT) };

	ck_assert_int_eq(guard_time(&m, &r).us, r.wall.us);
	/* Suspect: the time that went by since the last right one counts, or that one itself. */
	r = (struct clock_reading){ at("2099-01-01T00:00:00Z"), SPAN_HOURS(13), FIRST, false, at(BUILT) };
	ck_assert_int_eq(guard_time(&m, &r).us, at("2026-03-02T15:00:00Z").us);
	r.boot = OTHER;
	ck_assert_int_eq(guard_time(&m, &r).us, m.wall.us);
}
END_TEST

static const struct {
	const char *what;
	int64_t rate, seconds, want;
} ramps[] = {
	{ "one at once", 100, 0, 1 },
	{ "a tenth of the rate within the first quarter", 1000, 14 * 60 + 59, 100 },
	{ "half of it within the hour", 1000, 59 * 60 + 59, 500 },
	{ "and evenly between", 900, 30 * 60, 218 },
	{ "a small organisation is not stopped", 20, 14 * 60, 2 },
	{ "after the hour everything", 20, 3600, INT64_MAX },
};

START_TEST(ramp)
{
	int64_t n = ramp_allowed(ramps[_i].rate, SPAN_OF(ramps[_i].seconds, 1));

	ck_assert_msg(n == ramps[_i].want, "%s: %lld", ramps[_i].what, (long long)n);
}
END_TEST

START_TEST(ramp_never_falls)
{
	for (int64_t rate = 1; rate < 5000; rate += 7)
		for (int minute = 1, last = 0; minute < 60; minute++) {
			int64_t n = ramp_allowed(rate, SPAN_MINUTES(minute));

			ck_assert_msg(n >= last, "%lld at minute %d", (long long)rate, minute);
			last = (int)n;
		}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("guard");
	TCase *t = tcase_create("guard");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, judge, 0, (int)(sizeof looks / sizeof *looks));
	tcase_add_test(t, first_look);
	tcase_add_test(t, known_time);
	tcase_add_loop_test(t, ramp, 0, (int)(sizeof ramps / sizeof *ramps));
	tcase_add_test(t, ramp_never_falls);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
