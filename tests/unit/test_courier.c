/* The courier: lanes whose servers are silent leave room for the others, and nothing goes in circles. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/courier/courier.h"
#include "deliver/outbox/outbox.h"
#include "loop/wires.h"
#include "store/db.h"

enum { LANES = 12, SILENT = 10, ROWS = 500, QUICK = 120, HELD = 64 };

/* A server that answers at once, until `answers` are used up; then it takes parcels and says nothing. */
struct fake {
	struct carrier c; /* first */
	struct carrier_host host;
	const struct wires *wires;
	struct wire *pump;
	struct parcel *held[HELD];
	int wanted, answers, given;
	int failures; /* how often it could not connect; negative: it can */
	bool slow;    /* it takes one parcel, and asks whether it may go when the test says so */
};
static struct db *db;
static struct wires wires;
static struct fake *fakes[LANES];
static char names[LANES][8];

static void
fake_done(struct fake *f, struct parcel *p, enum fate fate)
{
	struct outcome o = { .fate = fate, .reason = "as the test wants it" };

	f->host.done(f->host.courier, &f->c, p, &o);
}

static void
fake_pump(void *arg)
{
	struct fake *f = arg;
	struct parcel *p;

	if (f->failures >= 0 && f->wanted > 0) {
		f->failures++;
		f->host.connected(f->host.courier, &f->c,
		    &(struct outcome){ .fate = FATE_BACK, .reason = "no memory for the connection" });
		return;
	}
	if (f->slow) {
		if (f->c.active == 0 && f->wanted > 0 && (p = f->host.next(f->host.courier, &f->c)) != NULL)
			f->held[f->c.active++] = p;
		return;
	}
	while (f->c.active < f->wanted && (p = f->host.next(f->host.courier, &f->c)) != NULL) {
		ck_assert(f->host.may_go(f->host.courier, p));
		if (f->answers > 0) {
			f->answers--;
			f->given++;
			fake_done(f, p, FATE_DELIVERED);
		} else {
			f->held[f->c.active++] = p;
		}
	}
}

static void
fake_work(struct carrier *c, int parallel)
{
	struct fake *f = (struct fake *)c;

	f->wanted = parallel < HELD ? parallel : HELD;
	f->wires->arm(f->pump);
}

static void
fake_rest(struct carrier *c)
{
	((struct fake *)c)->wanted = 0;
}

static void
fake_close(struct carrier **c)
{
	struct fake *f = (struct fake *)*c;

	*c = NULL;
	while (f->c.active > 0)
		fake_done(f, f->held[--f->c.active], FATE_UNCERTAIN);
	f->wires->cut(&f->pump);
	free(f);
}

static struct carrier *
fake_new(struct courier *c, size_t i)
{
	struct fake *f = calloc(1, sizeof *f);

	ck_assert(f != NULL);
	f->c = (struct carrier){ .work = fake_work, .rest = fake_rest, .close = fake_close };
	f->host = courier_host(c);
	f->wires = &wires;
	f->pump = wires.rest(wires.loop, fake_pump, f);
	f->answers = i < SILENT ? QUICK : ROWS;
	f->failures = -1;
	fakes[i] = f;
	return &f->c;
}

static void
rows_make(struct instant now)
{
	int64_t n = 0;

	ck_assert_int_eq(db_begin(db), 0);
	for (size_t i = 0; i < LANES; i++)
		for (int k = 0; k < ROWS; k++) {
			char occurrence[32];
			struct delivery d = { .enrolment = 1, .person = 1, .run = 1, .channel = 1,
				.occurrence = occurrence, .destination = names[i], .created = now,
				.expires = instant_add(now, SPAN_HOURS(8)) };

			snprintf(occurrence, sizeof occurrence, "2026-01-06/%lld", (long long)n++);
			ck_assert_int_eq(db_run(db,
					     "INSERT INTO decision(enrolment, occurrence, at, verdict, message,"
					     " messenger, language, reasons, probability, number, rules)"
					     " VALUES(1, ?1, ?2, 0, 'm', 'hr', 'nl', '', 1, 1, '')",
					     "si", occurrence, now.us),
			    0);
			ck_assert_int_eq(outbox_add(db, &d), 0);
		}
	ck_assert_int_eq(db_commit(db), 0);
}

static int
pack(void *arg, const struct delivery *d, struct package *ret, const char **ret_why)
{
	(void)arg;
	(void)d;
	(void)ret_why;
	ret->sender[0] = ret->recipient[0] = ret->key[0] = '\0';
	text_puts(&ret->body, "x");
	return 0;
}

static bool
others_are_done(void *arg)
{
	(void)arg;
	for (size_t i = SILENT; i < LANES; i++)
		if (fakes[i]->given < ROWS)
			return false;
	return true;
}

static bool
silence_is_reached(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < SILENT; i++)
		if (fakes[i]->given < QUICK || fakes[i]->c.active < fakes[i]->wanted || fakes[i]->wanted == 0)
			return false;
	return true;
}

/*
 * Ten servers answer for a while, so that their lanes are trusted with many rows at once, and then go
 * silent with all of their connections.  The other two lanes begin after that.
 */
START_TEST(silent_lanes_leave_room)
{
	struct courier_options o = { .db = db, .wires = &wires, .lease = "boot/1.1", .seed = 1,
		.calls = { .pack = pack } };
	struct courier *c;
	struct instant now = clock_now();

	ck_assert_int_eq(courier_new(&o, &c), 0);
	for (size_t i = 0; i < LANES; i++) {
		snprintf(names[i], sizeof names[i], "l%zu", i);
		courier_destination(c, courier_lane(c, &(struct lane){ 1, names[i] }, false), names[i], 10,
		    (struct span){ 0 }, fake_new(c, i));
	}
	rows_make(now);
	ck_assert_int_eq(db_run(db, "UPDATE delivery SET next_at = next_at + 600000000 WHERE destination IN ('l10', 'l11')", ""), 0);
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, silence_is_reached, NULL, SPAN_OF(20, 1)), 0);
	ck_assert_int_eq(db_run(db, "UPDATE delivery SET next_at = next_at - 600000000 WHERE destination IN ('l10', 'l11')", ""), 0);
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, others_are_done, NULL, SPAN_OF(20, 1)), 0);
	courier_free(&c);
}
END_TEST

static bool
is_idle(void *arg)
{
	return fakes[0]->given == ROWS && courier_is_idle(arg);
}

/* A row that was put off comes back, perhaps in another entry: an old mark would speak for it too. */
START_TEST(what_is_settled_has_no_mark)
{
	char dir[] = "/tmp/nudged-flight-XXXXXX", path[64];
	struct courier_options o = { .db = db, .wires = &wires, .lease = "boot/1.1", .seed = 1,
		.calls = { .pack = pack } };
	struct courier *c;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(flight_open(dir, o.lease, &o.flight), 0);
	ck_assert_int_eq(courier_new(&o, &c), 0);
	for (size_t i = 0; i < LANES; i++)
		snprintf(names[i], sizeof names[i], "l%zu", i);
	courier_destination(c, courier_lane(c, &(struct lane){ 1, names[0] }, false), names[0], 10,
	    (struct span){ 0 }, fake_new(c, 0));
	fakes[0]->answers = ROWS;
	rows_make(clock_now());
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, is_idle, c, SPAN_OF(20, 1)), 0);
	for (int64_t row = 1; row <= (int64_t)LANES * ROWS; row++)
		ck_assert_int_eq(flight_find(o.flight, row), FLIGHT_NONE);
	courier_free(&c);
	flight_free(&o.flight);
	snprintf(path, sizeof path, "%s/flight", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

/* ---- what must not happen at full speed, and what a clock must not do ---- */

#define MOMENT ((struct span){ 250000 })

static bool may_send;
static int commits; /* that were begun, or looks whether anything may be sent */

static bool
may_send_now(void *arg)
{
	(void)arg;
	commits++;
	return may_send;
}

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

static struct courier *
paced_make(size_t n, int most, const struct span *pace)
{
	struct courier_options o = { .db = db, .wires = &wires, .lease = "boot/1.1", .seed = 1,
		.calls = { .pack = pack, .may_send = may_send_now } };
	struct courier *c;

	for (size_t i = 0; i < LANES; i++)
		snprintf(names[i], sizeof names[i], "l%zu", i);
	ck_assert_int_eq(courier_new(&o, &c), 0);
	for (size_t i = 0; i < n; i++)
		courier_destination(c, courier_lane(c, &(struct lane){ 1, names[i] }, false), names[i],
		    most, pace[i], fake_new(c, i));
	may_send = true;
	rows_make(clock_now());
	return c;
}

static struct courier *
lanes_make(size_t n, int most)
{
	return paced_make(n, most, (struct span[LANES]){ { 0 } });
}

static int64_t
rows_in(enum delivery_state state)
{
	int64_t n = -1;

	ck_assert_int_eq(
	    db_int(db, &n, -1, "SELECT count(*) FROM delivery WHERE state = ?1 AND destination = 'l0'", "i",
		(int64_t)state),
	    0);
	return n;
}

static bool
first_has_all(void *arg)
{
	return fakes[0]->given == *(int *)arg;
}

/* Nothing leaves, nothing expires, and nobody asks again and again (RELIABILITY.md 4). */
START_TEST(doubtful_clock_stops_all)
{
	struct courier *c = lanes_make(1, 10);
	int left = ROWS - 7;

	fakes[0]->answers = ROWS;
	ck_assert_int_eq(db_run(db, "UPDATE delivery SET expires_at = 1 WHERE destination = 'l0'"
				    " AND row IN (SELECT row FROM delivery WHERE destination = 'l0' LIMIT 7)", ""), 0);
	may_send = false;
	commits = 0;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	ck_assert_int_lt(commits, 20);
	ck_assert_int_eq(fakes[0]->given, 0);
	ck_assert_int_eq(rows_in(DELIVERY_PENDING), ROWS);
	may_send = true;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, first_has_all, &left, SPAN_OF(20, 1)), 0);
	ck_assert_int_eq(rows_in(DELIVERY_EXPIRED), 7);
	courier_free(&c);
}
END_TEST

static bool
first_is_held(void *arg)
{
	(void)arg;
	return fakes[0]->c.active == 1;
}

/* What was leased before the clock was doubted goes back to wait; what a server has stays there. */
START_TEST(doubtful_clock_takes_back)
{
	struct courier *c = lanes_make(1, 10);
	int64_t late = -1;

	fakes[0]->slow = true;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, first_is_held, NULL, MOMENT), 0);
	ck_assert_int_gt(rows_in(DELIVERY_LEASED), 1);
	may_send = false;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	ck_assert_int_eq(rows_in(DELIVERY_LEASED), 1);
	/* When it may be tried again is not counted by such a clock. */
	fakes[0]->c.active = 0;
	fake_done(fakes[0], fakes[0]->held[0], FATE_AGAIN);
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	ck_assert_int_eq(rows_in(DELIVERY_LEASED), 0);
	ck_assert_int_eq(db_int(db, &late, 0, "SELECT count(*) FROM delivery WHERE next_at > ?1", "i",
			     clock_now().us), 0);
	ck_assert_int_eq(late, 0);
	courier_free(&c);
}
END_TEST

/* Whatever the reason: the next attempt waits. */
START_TEST(failed_connection_waits)
{
	struct courier *c = lanes_make(1, 10);

	fakes[0]->failures = 0;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	ck_assert_int_ge(fakes[0]->failures, 1);
	ck_assert_int_lt(fakes[0]->failures, 20);
	courier_free(&c);
}
END_TEST

static bool
all_are_silent(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LANES; i++)
		if (fakes[i]->answers > 0)
			return false;
	return true;
}

/* All rows that may be in hand are, at servers that say nothing: who asks for more waits. */
START_TEST(no_room_is_no_hurry)
{
	struct courier *c = lanes_make(LANES, HELD);

	for (size_t i = 0; i < LANES; i++)
		fakes[i]->answers = ROWS - 100;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, all_are_silent, NULL, SPAN_OF(20, 1)), 0);
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	commits = 0;
	ck_assert_int_eq(wires_run(&wires, never, NULL, MOMENT), 1);
	ck_assert_int_lt(commits, 20);
	courier_free(&c);
}
END_TEST

/* Whether it was stopped cannot be read: then it does not leave. */
START_TEST(unknown_stop_is_a_stop)
{
	struct courier *c = lanes_make(1, 1);
	struct fake *f = fakes[0];

	f->slow = true;
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, first_is_held, NULL, MOMENT), 0);
	ck_assert_int_eq(db_begin(db), 0);
	ck_assert_int_eq(db_run(db, "ALTER TABLE delivery RENAME TO away", ""), 0);
	ck_assert_int_eq(db_commit(db), 0);
	ck_assert(!f->host.may_go(f->host.courier, f->held[0]));
	ck_assert(!f->host.may_go(f->host.courier, f->held[0]));
	ck_assert_int_eq(db_run(db, "ALTER TABLE away RENAME TO delivery", ""), 0);
	ck_assert(f->host.may_go(f->host.courier, f->held[0]));
	courier_free(&c);
}
END_TEST

/* A server with a long pace asks to be called again later than one with a short pace. */
START_TEST(pace_is_ones_own)
{
	struct courier *c = paced_make(2, 1, (struct span[LANES]){ { 20000 }, SPAN_OF(30, 1) });

	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, never, NULL, (struct span){ 1000000 }), 1);
	ck_assert_int_eq(fakes[1]->given, 1);
	ck_assert_int_ge(fakes[0]->given, 10);
	ck_assert_int_le(fakes[0]->given, 51);
	courier_free(&c);
}
END_TEST

/* Also when it was in time when it was handed out. */
START_TEST(expired_in_hand_stays)
{
	struct courier *c = lanes_make(1, 1);
	struct fake *f = fakes[0];

	f->slow = true;
	ck_assert_int_eq(db_run(db, "UPDATE delivery SET expires_at = ?1", "i",
			     instant_add(clock_now(), SPAN_OF(1, 1)).us), 0);
	courier_look(c);
	ck_assert_int_eq(wires_run(&wires, first_is_held, NULL, MOMENT), 0);
	ck_assert_int_eq(wires_run(&wires, never, NULL, ((struct span){ 1100000 })), 1);
	ck_assert(!f->host.may_go(f->host.courier, f->held[0]));
	f->c.active = 0;
	fake_done(f, f->held[0], FATE_BACK);
	courier_free(&c);
}
END_TEST

static void
setup(void)
{
	ck_assert_int_eq(db_open_memory(&db), 0);
	ck_assert_int_eq(wires_open(&wires), 0);
}

static void
teardown(void)
{
	wires_close(&wires);
	db_close(&db);
}

int
main(void)
{
	Suite *s = suite_create("courier");
	TCase *t = tcase_create("lanes");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, silent_lanes_leave_room);
	tcase_add_test(t, what_is_settled_has_no_mark);
	tcase_add_test(t, doubtful_clock_stops_all);
	tcase_add_test(t, doubtful_clock_takes_back);
	tcase_add_test(t, failed_connection_waits);
	tcase_add_test(t, no_room_is_no_hurry);
	tcase_add_test(t, unknown_stop_is_a_stop);
	tcase_add_test(t, pace_is_ones_own);
	tcase_add_test(t, expired_in_hand_stays);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
