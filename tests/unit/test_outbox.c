/* The outbox: who may follow whom, what a crash leaves, what a stop stops; and how gently servers are used. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "deliver/courier/destination.h"
#include "deliver/courier/retry.h"
#include "deliver/outbox/flight.h"
#include "deliver/outbox/invitation.h"
#include "deliver/outbox/outbox.h"
#include "store/db.h"

static const struct instant noon = { INT64_C(1767700800000000) };
static const struct lane mail = { 0, "" };
static struct db *db;
static struct arena *mem;

static void
setup(void)
{
	ck_assert_int_eq(db_open_memory(&db), 0);
	mem = arena_new("test", 1 << 20);
}

static void
teardown(void)
{
	db_close(&db);
	arena_free(&mem);
}

/* A decision to send and its delivery; returns the row. */
static int64_t
delivery_make(int64_t n, enum parcel_kind kind)
{
	char occurrence[32];

	snprintf(occurrence, sizeof occurrence, "2026-01-06/%d", (int)n);
	struct delivery d = { .enrolment = 1, .person = 1, .run = 1, .occurrence = occurrence,
		.destination = "", .kind = kind, .created = noon,
		.expires = instant_add(noon, SPAN_HOURS(8)) };

	ck_assert_int_eq(db_run(db,
			     "INSERT INTO decision(enrolment, occurrence, at, verdict, message, messenger,"
			     " language, reasons, probability, number, rules)"
			     " VALUES(1, ?1, ?2, 0, 'm', 'hr', 'nl', '', 1, 1, '')",
			     "si", occurrence, noon.us),
	    0);
	ck_assert_int_eq(outbox_add(db, &d), 0);
	return db_last_id(db);
}

static size_t
take(const char *lease, size_t max)
{
	struct delivery *rows;
	size_t n = 0;

	ck_assert_int_eq(db_begin(db), 0);
	ck_assert_int_eq(outbox_claim(db, mem, &mail, noon, lease, false, max, &rows, &n), 0);
	ck_assert_int_eq(db_commit(db), 0);
	return n;
}

static enum delivery_state
state_of(int64_t row)
{
	int64_t state = -1;

	ck_assert_int_eq(
	    db_int(db, &state, -1, "SELECT state FROM delivery WHERE row = ?1", "i", row), 0);
	return (enum delivery_state)state;
}

static int64_t
column_of(int64_t row, const char *sql)
{
	int64_t v = -1;

	ck_assert_int_eq(db_int(db, &v, -1, sql, "i", row), 0);
	return v;
}

static void
settle(int64_t row, enum fate fate)
{
	struct outcome o = { .fate = fate, .reason = "said so" };

	ck_assert_int_eq(
	    outbox_settle(db, row, "me", &o, noon, instant_add(noon, SPAN_MINUTES(1))), 0);
}

START_TEST(each_fate_has_its_state)
{
	static const struct {
		enum fate fate;
		enum delivery_state state;
		const char *sentence;
	} rows[] = {
		{ FATE_DELIVERED, DELIVERY_DELIVERED, "what the server took is delivered" },
		{ FATE_AGAIN, DELIVERY_PENDING, "what it put off waits again" },
		{ FATE_NEVER, DELIVERY_DEAD, "a mailbox that is not there is the end" },
		{ FATE_OURS, DELIVERY_DEAD, "a text that cannot be made is the end" },
		{ FATE_UNCERTAIN, DELIVERY_UNCERTAIN, "a nudge in doubt is held, not repeated" },
		{ FATE_BACK, DELIVERY_PENDING, "what was not begun goes back" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t row = delivery_make((int64_t)i, PARCEL_MESSAGE);

		ck_assert_uint_eq(take("me", 1), 1);
		ck_assert_int_eq(state_of(row), DELIVERY_LEASED);
		settle(row, rows[i].fate);
		ck_assert_msg(state_of(row) == rows[i].state, "%s", rows[i].sentence);
		ck_assert_msg(column_of(row, "SELECT attempts FROM delivery WHERE row = ?1") ==
				  (rows[i].fate != FATE_BACK),
		    "only what was tried costs an attempt (%s)", rows[i].sentence);
		/* out of the way of the next */
		ck_assert_int_eq(db_run(db, "DELETE FROM delivery WHERE row = ?1", "i", row), 0);
	}
}
END_TEST

START_TEST(eight_attempts_are_enough)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);

	for (int i = 1; i <= ATTEMPTS_MOST; i++) {
		ck_assert_int_eq(
		    db_run(db, "UPDATE delivery SET next_at = ?1", "i", noon.us), 0);
		ck_assert_uint_eq(take("me", 1), 1);
		settle(row, FATE_AGAIN);
		ck_assert_int_eq(state_of(row), i < ATTEMPTS_MOST ? DELIVERY_PENDING : DELIVERY_DEAD);
	}
}
END_TEST

START_TEST(a_withdrawal_in_doubt_is_sent_again_once)
{
	int64_t row = delivery_make(0, PARCEL_WITHDRAWAL);

	ck_assert_uint_eq(take("me", 1), 1);
	settle(row, FATE_UNCERTAIN);
	ck_assert_int_eq(state_of(row), DELIVERY_PENDING);
	ck_assert_int_eq(db_run(db, "UPDATE delivery SET next_at = ?1", "i", noon.us), 0);
	ck_assert_uint_eq(take("me", 1), 1);
	settle(row, FATE_UNCERTAIN);
	ck_assert_int_eq(state_of(row), DELIVERY_UNCERTAIN);
}
END_TEST

START_TEST(a_stop_reaches_what_is_in_hand)
{
	int64_t waiting = delivery_make(0, PARCEL_MESSAGE), leased, left;
	int64_t rows[2];
	bool stopped[2] = { false, false };

	ck_assert_int_eq(outbox_cancel_person(db, 1, "stopped", noon), 0);
	ck_assert_int_eq(state_of(waiting), DELIVERY_CANCELLED);
	leased = delivery_make(1, PARCEL_MESSAGE);
	left = delivery_make(2, PARCEL_MESSAGE);
	ck_assert_uint_eq(take("me", 2), 2);
	ck_assert_int_eq(outbox_cancel_person(db, 1, "stopped", noon), 0);
	ck_assert_int_eq(state_of(leased), DELIVERY_LEASED);
	rows[0] = leased;
	rows[1] = waiting;
	ck_assert_int_eq(outbox_stopped(db, rows, stopped, 2), 0);
	ck_assert(stopped[0] && stopped[1]);
	settle(leased, FATE_BACK);
	ck_assert_int_eq(state_of(leased), DELIVERY_CANCELLED);
	settle(left, FATE_DELIVERED);
	ck_assert_int_eq(state_of(left), DELIVERY_DELIVERED);
}
END_TEST

/* A person who left the roster is no text of ours that failed: nothing to be alarmed about. */
START_TEST(a_stop_is_no_fault_of_ours)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);

	ck_assert_uint_eq(take("me", 1), 1);
	ck_assert_int_eq(outbox_cancel_person(db, 1, "left", noon), 0);
	settle(row, FATE_OURS);
	ck_assert_int_eq(state_of(row), DELIVERY_CANCELLED);
}
END_TEST

/*
 * One person's calendar that moved, or one topic that is closed to us: the server's answer looks like
 * trouble of everybody.  The next probe must not be the same one again.
 */
START_TEST(a_refusal_lets_others_try)
{
	int64_t first = delivery_make(0, PARCEL_MESSAGE), second = delivery_make(1, PARCEL_MESSAGE);
	struct outcome o = { .fate = FATE_BACK, .trouble = TROUBLE_REFUSED, .reason = "moved" };

	ck_assert_uint_eq(take("me", 1), 1);
	ck_assert_int_eq(state_of(first), DELIVERY_LEASED);
	ck_assert_int_eq(outbox_settle(db, first, "me", &o, noon, instant_add(noon, SPAN_MINUTES(1))), 0);
	ck_assert_int_eq(state_of(first), DELIVERY_PENDING);
	ck_assert_int_eq(column_of(first, "SELECT attempts FROM delivery WHERE row = ?1"), 0);
	ck_assert_uint_eq(take("me", 1), 1);
	ck_assert_int_eq(state_of(second), DELIVERY_LEASED);
	/* what was not even begun keeps its turn */
	settle(second, FATE_BACK);
	ck_assert_uint_eq(take("me", 1), 1);
	ck_assert_int_eq(state_of(second), DELIVERY_LEASED);
}
END_TEST

START_TEST(nobody_settles_what_is_not_his)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);

	ck_assert_uint_eq(take("another", 1), 1);
	settle(row, FATE_DELIVERED);
	ck_assert_int_eq(state_of(row), DELIVERY_LEASED);
}
END_TEST

START_TEST(expired_is_never_sent)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);

	ck_assert_int_eq(db_run(db, "UPDATE delivery SET expires_at = ?1", "i", noon.us), 0);
	ck_assert_uint_eq(take("me", 1), 0);
	ck_assert_int_eq(outbox_expire(db, noon), 0);
	ck_assert_int_eq(state_of(row), DELIVERY_EXPIRED);
}
END_TEST

START_TEST(lanes_do_not_mix)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);
	struct instant next;

	ck_assert_int_eq(db_run(db, "UPDATE delivery SET destination = 'other'", ""), 0);
	ck_assert_uint_eq(take("me", 1), 0);
	ck_assert_int_eq(outbox_next(db, &mail, &next), 0);
	ck_assert_int_eq(next.us, INT64_MAX);
	ck_assert_int_eq(outbox_next(db, &(struct lane){ 0, "other" }, &next), 0);
	ck_assert_int_eq(next.us, noon.us);
	ck_assert_int_eq(state_of(row), DELIVERY_PENDING);
}
END_TEST

START_TEST(a_requeue_is_on_record)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE), n = 0;

	ck_assert_int_eq(outbox_requeue(db, row, noon, noon), 1);
	ck_assert_uint_eq(take("me", 1), 1);
	settle(row, FATE_NEVER);
	ck_assert_int_eq(outbox_requeue(db, row, noon, instant_add(noon, SPAN_DAYS(1))), 0);
	ck_assert_int_eq(state_of(row), DELIVERY_PENDING);
	ck_assert_int_eq(
	    db_int(db, &n, 0, "SELECT count(*) FROM audit WHERE action = 'requeue'", ""), 0);
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(a_number_is_never_given_twice)
{
	int64_t first = delivery_make(0, PARCEL_MESSAGE), second = delivery_make(1, PARCEL_MESSAGE);

	ck_assert_int_eq(db_begin(db), 0);
	ck_assert_int_eq(db_floor_keep(db), 0);
	ck_assert_int_eq(db_run(db, "DELETE FROM delivery WHERE row >= ?1", "i", first), 0);
	ck_assert_int_eq(db_commit(db), 0);
	ck_assert_int_gt(delivery_make(2, PARCEL_MESSAGE), second);
	ck_assert_int_gt(delivery_make(3, PARCEL_MESSAGE), second + 1);
}
END_TEST

/* ---- after a crash ---- */

START_TEST(a_crash_without_evidence_leaves_doubt)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);

	ck_assert_uint_eq(take("before", 1), 1);
	ck_assert_int_eq(outbox_recover(db, "me", NULL, noon), 0);
	ck_assert_int_eq(state_of(row), DELIVERY_UNCERTAIN);
}
END_TEST

START_TEST(the_recorder_tells_what_left)
{
	static const struct {
		enum flight_mark mark;
		enum delivery_state state;
		const char *sentence;
	} rows[] = {
		{ FLIGHT_NONE, DELIVERY_PENDING, "leased, but not yet in hand" },
		{ FLIGHT_IN_HAND, DELIVERY_PENDING, "in hand, not begun" },
		{ FLIGHT_LEFT, DELIVERY_UNCERTAIN, "its last bytes left" },
		{ FLIGHT_ACCEPTED, DELIVERY_DELIVERED, "the server said so" },
		{ FLIGHT_REFUSED, DELIVERY_PENDING, "the server did not take it" },
		{ FLIGHT_BEGUN, DELIVERY_PENDING, "begun, nothing left" },
	};
	enum { N = sizeof rows / sizeof *rows };
	char dir[] = "/tmp/nudged-flight-XXXXXX", lease[LEASE_TEXT], path[64];
	struct flight *f, *before;
	int64_t row[N];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	lease_make(lease);
	for (int i = 0; i < N; i++)
		row[i] = delivery_make(i, PARCEL_MESSAGE);
	ck_assert_uint_eq(take(lease, N), N);
	ck_assert_int_eq(flight_open(dir, lease, &f), 0);
	for (size_t i = 1; i < N; i++)
		flight_put(f, i, row[i], rows[i].mark);
	flight_free(&f);
	ck_assert_int_eq(flight_before(dir, &before), 0);
	ck_assert_ptr_nonnull(before);
	ck_assert_int_eq(outbox_recover(db, "me", before, noon), 0);
	flight_free(&before);
	for (int i = 0; i < N; i++)
		ck_assert_msg(state_of(row[i]) == rows[i].state, "%s", rows[i].sentence);
	snprintf(path, sizeof path, "%s/flight", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

/* Take row, die with this mark (none: -1) in the recorder, start again. */
static void
die_with(const char *dir, int64_t row, int mark)
{
	char lease[LEASE_TEXT];
	struct flight *f, *before;

	lease_make(lease);
	ck_assert_uint_eq(take(lease, 1), 1);
	ck_assert_int_eq(flight_open(dir, lease, &f), 0);
	if (mark >= 0)
		flight_put(f, 0, row, (enum flight_mark)mark);
	flight_free(&f);
	ck_assert_int_eq(flight_before(dir, &before), 0);
	ck_assert_int_eq(outbox_recover(db, "me", before, noon), 0);
	flight_free(&before);
}

START_TEST(three_crashes_in_a_row_set_it_aside)
{
	static const struct {
		int mark;
		enum delivery_state state;
		const char *sentence;
	} rows[] = {
		{ -1, DELIVERY_DEAD, "a channel without a recorder" },
		{ FLIGHT_BEGUN, DELIVERY_DEAD, "it was being made, or sent" },
		{ FLIGHT_REFUSED, DELIVERY_DEAD, "it had been dealt with" },
		{ FLIGHT_IN_HAND, DELIVERY_PENDING, "it waited for its turn, and is not to blame" },
	};

	for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
		int64_t row = delivery_make(i, PARCEL_MESSAGE);
		char dir[] = "/tmp/nudged-flight-XXXXXX", path[64];

		ck_assert_ptr_nonnull(mkdtemp(dir));
		for (int k = 1; k <= CRASHES_MOST; k++) {
			die_with(dir, row, rows[i].mark);
			ck_assert_int_eq(
			    state_of(row), k < CRASHES_MOST ? DELIVERY_PENDING : rows[i].state);
		}
		snprintf(path, sizeof path, "%s/flight", dir);
		unlink(path);
		rmdir(dir);
		ck_assert_int_eq(outbox_cancel_one(db, row, "over", noon), 0);
	}
}
END_TEST

START_TEST(what_left_in_the_third_crash_is_in_doubt)
{
	int64_t row = delivery_make(0, PARCEL_MESSAGE);
	char dir[] = "/tmp/nudged-flight-XXXXXX", path[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	die_with(dir, row, FLIGHT_BEGUN);
	die_with(dir, row, FLIGHT_BEGUN);
	die_with(dir, row, FLIGHT_LEFT);
	ck_assert_int_eq(state_of(row), DELIVERY_UNCERTAIN);
	snprintf(path, sizeof path, "%s/flight", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(an_entry_that_was_cleared_does_not_speak)
{
	char dir[] = "/tmp/nudged-flight-XXXXXX", path[64];
	struct flight *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(flight_open(dir, "me", &f), 0);
	flight_put(f, 3, 7, FLIGHT_REFUSED);
	flight_put(f, 3, 7, FLIGHT_NONE);
	flight_put(f, 9, 7, FLIGHT_LEFT);
	ck_assert_int_eq(flight_find(f, 7), FLIGHT_LEFT);
	flight_free(&f);
	snprintf(path, sizeof path, "%s/flight", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(a_recorder_of_another_boot_is_not_believed)
{
	char dir[] = "/tmp/nudged-flight-XXXXXX", path[64];
	struct flight *f, *before;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(flight_open(dir, "00000000-0000-0000-0000-000000000000/1.1", &f), 0);
	flight_free(&f);
	ck_assert_int_eq(flight_before(dir, &before), 0);
	ck_assert_ptr_null(before);
	snprintf(path, sizeof path, "%s/flight", dir);
	ck_assert_int_eq(truncate(path, 10), 0);
	ck_assert_int_eq(flight_before(dir, &before), 0);
	ck_assert_ptr_null(before);
	unlink(path);
	rmdir(dir);
}
END_TEST

/* ---- gently ---- */

START_TEST(waits_grow_and_are_spread)
{
	ck_assert_int_eq(retry_span(1, 0.0).us, 30000000);
	ck_assert_int_eq(retry_span(1, 0.999).us, 59940000);
	ck_assert_int_eq(retry_span(2, 0.5).us, 120000000);
	ck_assert_int_eq(retry_span(3, 0.5).us, 480000000);
	ck_assert_int_eq(retry_span(4, 0.5).us, 1800000000);
	ck_assert_int_eq(retry_span(400, 0.5).us, 1800000000);
}
END_TEST

static struct outcome
with(enum fate fate, enum trouble trouble)
{
	return (struct outcome){ .fate = fate, .trouble = trouble, .reason = "said so" };
}

START_TEST(a_good_server_gets_more_at_once)
{
	struct destination d;
	struct outcome ok = with(FATE_DELIVERED, TROUBLE_NONE);

	destination_init(&d, 10, (struct span){ 0 });
	ck_assert_int_eq(destination_allows(&d, noon), 2);
	for (int i = 0; i < 100; i++)
		destination_note(&d, &ok, true, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, noon), 10);
	ck_assert_int_eq(d.delivered, 100);
}
END_TEST

START_TEST(a_dead_server_is_left_alone_and_probed)
{
	struct destination d;
	struct outcome down = with(FATE_BACK, TROUBLE_DOWN), ok = with(FATE_DELIVERED, TROUBLE_NONE);
	struct instant later;

	destination_init(&d, 10, (struct span){ 0 });
	destination_note(&d, &down, false, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, noon), 1);
	destination_note(&d, &down, false, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, noon), 0);
	later = destination_wake(&d);
	ck_assert(instant_before(noon, later));
	ck_assert_int_eq(destination_allows(&d, later), 1);
	ck_assert_int_eq(d.circuit, CIRCUIT_HALF);
	destination_note(&d, &down, false, later, 0.99);
	ck_assert_int_eq(d.circuit, CIRCUIT_OPEN);
	ck_assert_int_gt(instant_diff(d.until, later).us, SPAN_MINUTES(3).us);
	later = d.until;
	ck_assert_int_eq(destination_allows(&d, later), 1);
	destination_note(&d, &ok, true, later, 0.5);
	ck_assert_int_eq(d.circuit, CIRCUIT_CLOSED);
}
END_TEST

START_TEST(who_does_not_let_us_in_is_left_alone_at_once)
{
	struct destination d;
	struct outcome refused = with(FATE_BACK, TROUBLE_REFUSED);

	destination_init(&d, 10, (struct span){ 0 });
	destination_note(&d, &refused, false, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, noon), 0);
}
END_TEST

/* Relay access denied, to everybody: one waits, and one is dead only once another was taken. */
START_TEST(a_server_that_has_taken_nothing_may_mean_us)
{
	struct destination d;
	struct outcome ok = with(FATE_DELIVERED, TROUBLE_NONE), o;
	const struct outcome rules = verdict_smtp(STAGE_RCPT, 554, "5.7.1"),
			     nobody = verdict_smtp(STAGE_RCPT, 550, "5.1.1");

	destination_init(&d, 10, (struct span){ 0 });
	o = destination_weigh(&d, &rules);
	ck_assert_int_eq(o.fate, FATE_AGAIN);
	destination_note(&d, &o, true, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, noon), 0);
	ck_assert_int_eq(destination_weigh(&d, &nobody).fate, FATE_NEVER);
	destination_note(&d, &ok, true, instant_add(noon, SPAN_HOURS(2)), 0.5);
	ck_assert_int_eq(destination_weigh(&d, &rules).fate, FATE_NEVER);
}
END_TEST

START_TEST(patience_is_given_when_asked_for)
{
	struct destination d;
	struct outcome busy = with(FATE_AGAIN, TROUBLE_BUSY);

	busy.after = SPAN_MINUTES(7);
	destination_init(&d, 10, (struct span){ 0 });
	destination_note(&d, &busy, true, noon, 0.5);
	ck_assert_int_eq(destination_allows(&d, instant_add(noon, SPAN_MINUTES(6))), 0);
	ck_assert_int_eq(destination_allows(&d, instant_add(noon, SPAN_MINUTES(7))), 1);
}
END_TEST

START_TEST(a_pace_is_kept)
{
	struct destination d;

	destination_init(&d, 10, SPAN_OF(1, 1));
	ck_assert(destination_take(&d, noon));
	ck_assert(!destination_take(&d, noon));
	ck_assert(destination_take(&d, instant_add(noon, SPAN_OF(1, 1))));
}
END_TEST

START_TEST(a_refused_person_says_nothing_of_the_server)
{
	struct destination d;
	struct outcome never = with(FATE_NEVER, TROUBLE_NONE);

	destination_init(&d, 10, (struct span){ 0 });
	for (int i = 0; i < 50; i++)
		destination_note(&d, &never, true, noon, 0.5);
	ck_assert_int_eq(d.circuit, CIRCUIT_CLOSED);
	ck_assert_int_eq(d.dead, 50);
}
END_TEST

/* Erased between the writing of their calendar and the note of it: who wrote hears of it. */
START_TEST(feed_of_nobody_is_told)
{
	ck_assert_int_eq(db_run(db, "INSERT INTO feed(person, stale, name) VALUES(7, 1, '')", ""), 0);
	ck_assert_int_eq(feed_fresh(db, 7, "abc"), 0);
	ck_assert_int_eq(db_run(db, "DELETE FROM feed", ""), 0);
	ck_assert_int_eq(feed_fresh(db, 7, "abc"), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbox");
	TCase *t = tcase_create("outbox"), *g = tcase_create("gently");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_fate_has_its_state);
	tcase_add_test(t, eight_attempts_are_enough);
	tcase_add_test(t, a_withdrawal_in_doubt_is_sent_again_once);
	tcase_add_test(t, a_stop_reaches_what_is_in_hand);
	tcase_add_test(t, a_stop_is_no_fault_of_ours);
	tcase_add_test(t, a_refusal_lets_others_try);
	tcase_add_test(t, nobody_settles_what_is_not_his);
	tcase_add_test(t, expired_is_never_sent);
	tcase_add_test(t, lanes_do_not_mix);
	tcase_add_test(t, a_requeue_is_on_record);
	tcase_add_test(t, a_number_is_never_given_twice);
	tcase_add_test(t, a_crash_without_evidence_leaves_doubt);
	tcase_add_test(t, the_recorder_tells_what_left);
	tcase_add_test(t, three_crashes_in_a_row_set_it_aside);
	tcase_add_test(t, what_left_in_the_third_crash_is_in_doubt);
	tcase_add_test(t, an_entry_that_was_cleared_does_not_speak);
	tcase_add_test(t, a_recorder_of_another_boot_is_not_believed);
	tcase_add_test(g, waits_grow_and_are_spread);
	tcase_add_test(g, a_good_server_gets_more_at_once);
	tcase_add_test(g, a_dead_server_is_left_alone_and_probed);
	tcase_add_test(g, who_does_not_let_us_in_is_left_alone_at_once);
	tcase_add_test(g, a_server_that_has_taken_nothing_may_mean_us);
	tcase_add_test(g, patience_is_given_when_asked_for);
	tcase_add_test(g, a_pace_is_kept);
	tcase_add_test(g, a_refused_person_says_nothing_of_the_server);
	tcase_add_test(t, feed_of_nobody_is_told);
	suite_add_tcase(s, t);
	suite_add_tcase(s, g);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
