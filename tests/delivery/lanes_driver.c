/*
 * The courier with many destinations: who waits for whom?
 *
 *   lanes_driver STATE CA SECONDS PER_SECOND < DESTINATIONS
 *
 * One destination a line: "smtp HOST PORT" or "hook HOST PORT".  Each has PER_SECOND deliveries
 * that become due evenly, the destinations shifted against each other, through a real outbox.  One
 * line on stdout for each that arrived: DESTINATION DUE LATE, in microseconds: when it was due after
 * the start, and how much later its verdict was there.  At the end: "stall N", the longest time the
 * loop did not come to an alarm of 10 ms.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/scope.h"
#include "deliver/carriers.h"
#include "deliver/courier/courier.h"
#include "deliver/net/transport.h"
#include "loop/wires.h"
#include "store/db.h"

enum { MOST = 100, TICK_US = 10000, LINGER_S = 5, LATER_US = 1500000 };

struct place {
	struct drive *drive;
	char kind[8], host[128], name[16];
	int64_t port;
};
struct drive {
	struct db *db;
	struct courier *courier;
	struct wires wires;
	struct transport *transport;
	struct carrier_host real; /* the courier's own */
	size_t n;
	struct place places[MOST];
	int64_t each, per_second, delivered; /* delivered: of all but the last */
	const char *ca;
	struct instant start, last, end; /* due first and last; when we give up */
	struct wire *tick;
	struct instant ticked;
	int64_t stall;
	bool over;
};
static struct drive d;

static int
url(void *arg, struct text *ret)
{
	const struct place *p = arg;

	text_addf(ret, "https://%s:%d/hook", p->host, (int)p->port);
	return 0;
}

static int
secret(void *arg, struct text *ret)
{
	(void)arg;
	text_puts(ret, "a signing key");
	return 0;
}

static struct instant
due_of(int64_t place, int64_t k)
{
	int64_t step = 1000000 / d.per_second;
	int64_t later = place == (int64_t)d.n - 1 ? LATER_US : 0;

	return instant_add(d.start, (struct span){ k * step + place * step / (int64_t)d.n + later });
}

/* Enrolment is the destination, occurrence the number of the delivery. */
static int
rows_make(void)
{
	SCOPED(db_leave) struct db *tx = d.db;
	int rc = db_begin(d.db);

	for (int64_t k = 0; k < d.each; k++)
		for (int64_t i = 0; rc == 0 && i < (int64_t)d.n; i++) {
			char occurrence[32];
			struct delivery row = { .enrolment = i + 1, .person = 1, .run = 1,
				.occurrence = occurrence, .destination = d.places[i].name,
				.created = due_of(i, k), .expires = instant_add(d.start, SPAN_HOURS(8)) };

			snprintf(occurrence, sizeof occurrence, "%" PRId64, k);
			rc = db_run(d.db,
			    "INSERT INTO decision(enrolment, occurrence, at, verdict, message, messenger,"
			    " language, reasons, probability, number, rules)"
			    " VALUES(?1, ?2, ?3, 0, 'm', 'hr', 'en', '', 1, 1, '')",
			    "isi", row.enrolment, occurrence, row.created.us);
			if (rc == 0)
				rc = outbox_add(d.db, &row);
		}
	return rc == 0 ? db_commit(d.db) : rc;
}

static int
pack(void *arg, const struct delivery *row, struct package *ret, const char **ret_why)
{
	struct place *p = &d.places[row->enrolment - 1];

	(void)arg;
	(void)ret_why;
	snprintf(ret->sender, sizeof ret->sender, "b@zorg.example");
	snprintf(ret->recipient, sizeof ret->recipient, "p%" PRId64 "@zorg.example", row->row);
	snprintf(ret->key, sizeof ret->key, "k%" PRId64, row->row);
	if (strcmp(p->kind, "smtp") == 0)
		text_addf(&ret->body, "Subject: %" PRId64 "\r\n\r\nhello\r\n", row->row);
	else
		text_addf(&ret->body, "{\"text\":\"%" PRId64 "\"}", row->row);
	return 0;
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *o)
{
	int64_t row = p->row - 1, place = row % (int64_t)d.n;
	struct instant due = due_of(place, row / (int64_t)d.n);

	if (o->fate == FATE_DELIVERED) {
		printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", place, instant_diff(due, d.start).us,
		    instant_diff(clock_now(), due).us);
		d.delivered += place < (int64_t)d.n - 1;
	}
	d.real.done(c, from, p, o);
}

static int
place_lay(struct place *p)
{
	struct carrier_host host = d.real;
	struct carrier *carrier;
	int rc;

	host.done = done;
	if (strcmp(p->kind, "smtp") == 0) {
		struct relay_options o = { .host = p->host, .port = (int)p->port, .tls = TLS_NONE,
			.helo = "client.example", .may_private = true, .dot_wait = SPAN_OF(600, 1) };

		rc = relay_new(&o, &host, d.transport, &carrier);
	} else {
		struct hook_options o = { .format = CHAT_GENERIC, .url = url, .secret = secret,
			.secret_arg = p, .ca_file = d.ca, .may_private = true };

		rc = hook_new(&o, &host, d.transport, &carrier);
	}
	if (rc == 0)
		courier_destination(d.courier,
		    courier_lane(d.courier, &(struct lane){ 0, p->name }, false), p->name, 10,
		    (struct span){ 0 }, carrier);
	return rc;
}

static void
on_tick(void *arg)
{
	struct instant now = clock_monotonic();
	int64_t late = instant_diff(now, d.ticked).us - TICK_US;

	(void)arg; /* also called at the end, so that a pause without an end counts */
	if (late > d.stall)
		d.stall = late;
	d.ticked = now;
	d.wires.set(d.tick, (struct span){ TICK_US });
}

/* All of the others' have arrived, or nothing more will. */
static bool
is_over(void *arg)
{
	(void)arg;
	return instant_before(d.end, clock_now()) ||
	       (d.delivered == d.each * (int64_t)(d.n - 1) && instant_before(d.last, clock_now()));
}

static void
places_read(void)
{
	char line[400];

	while (d.n < MOST && fgets(line, sizeof line, stdin) != NULL) {
		struct place *p = &d.places[d.n];
		char port[16];

		if (sscanf(line, "%7s %127s %15s", p->kind, p->host, port) != 3 ||
		    !parse_int(port, 1, 65535, &p->port))
			exit(2);
		snprintf(p->name, sizeof p->name, "d%02zu", d.n++);
	}
}

int
main(int argc, char **argv)
{
	struct courier_options o = { .lease = "lanes/1.1", .calls = { .pack = pack } };
	int64_t seconds;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	log_open("lanes_driver", LOG_ERROR);
	if (argc != 5 || !parse_int(argv[3], 1, 600, &seconds) ||
	    !parse_int(argv[4], 1, 100, &d.per_second))
		return 2;
	places_read();
	d.ca = argv[2];
	d.each = seconds * d.per_second;
	d.start = instant_add(clock_now(), SPAN_OF(1, 1));
	d.last = instant_add(d.start, SPAN_OF(seconds, 1));
	d.end = instant_add(d.last, SPAN_OF(LINGER_S, 1));
	if (db_open(argv[1], &d.db) < 0 || rows_make() < 0 || wires_open(&d.wires) < 0 ||
	    transport_new(&d.wires, &d.transport) < 0)
		return 3;
	o.db = d.db;
	o.wires = &d.wires;
	if (courier_new(&o, &d.courier) < 0)
		return 3;
	d.real = courier_host(d.courier);
	for (size_t i = 0; i < d.n; i++)
		if (place_lay(&d.places[i]) < 0)
			return 4;
	d.tick = d.wires.alarm(d.wires.loop, on_tick, NULL);
	d.ticked = clock_monotonic();
	d.wires.set(d.tick, (struct span){ TICK_US });
	courier_look(d.courier);
	do
		rc = wires_run(&d.wires, is_over, NULL, SPAN_OF(1, 1));
	while (rc == 1);
	on_tick(NULL);
	d.wires.cut(&d.tick);
	courier_free(&d.courier);
	transport_free(&d.transport);
	wires_close(&d.wires);
	db_close(&d.db);
	printf("stall %" PRId64 "\n", d.stall);
	return rc;
}
