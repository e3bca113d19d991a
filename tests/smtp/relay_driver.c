/*
 * The carrier to a relay with a courier of thirty lines: N mails, one line for each on stdout when
 * it is settled: ROW FATE CODE REASON.  What comes back is tried again, fifty times at most; two
 * failed connections in a row end it.  On stderr: how long it took.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "deliver/carriers.h"
#include "deliver/net/transport.h"
#include "loop/wires.h"

enum { TRIES = 50, FAILURES = 2 };

struct courier {
	struct parcel *parcels;
	int64_t *queue; /* rows to hand out, a ring */
	int64_t head, tail, n, left;
	int *tries;
	int64_t stop_every;
	int parallel, failures, connections;
	bool quiet, over;
	struct carrier *carrier;
	char why[256];
};

static const char *secret_word = "";

static int
secret(void *arg, struct text *ret)
{
	(void)arg;
	text_puts(ret, secret_word);
	return 0;
}

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	(void)from;
	if (c->over || c->head == c->tail)
		return NULL;
	return &c->parcels[c->queue[c->head++ % (c->n + 1)]];
}

static bool
may_go(struct courier *c, struct parcel *p)
{
	return c->stop_every == 0 || p->row % c->stop_every != 0;
}

static void
settled(struct courier *c, const struct parcel *p, const struct outcome *o)
{
	c->left--;
	if (!c->quiet)
		printf("%" PRId64 " %s %d %s%s%s\n", p->row, fate_names[o->fate], o->code,
		    o->reason, o->detail[0] != '\0' ? ": " : "", o->detail);
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *o)
{
	if (o->fate != FATE_BACK || ++c->tries[p->row] >= TRIES || !may_go(c, p)) {
		settled(c, p, o);
	} else {
		c->queue[c->tail++ % (c->n + 1)] = p->row;
	}
	if (o->fate != FATE_DELIVERED && !c->over)
		from->work(from, c->parallel);
}

static void
connected(struct courier *c, struct carrier *from, const struct outcome *o)
{
	if (o == NULL) {
		c->failures = 0;
		c->connections++;
		return;
	}
	snprintf(c->why, sizeof c->why, "%d %s%s%s", o->code, o->reason,
	    o->detail[0] != '\0' ? ": " : "", o->detail);
	if (++c->failures >= FAILURES)
		c->over = true;
	from->work(from, c->over ? 0 : c->parallel);
}

static bool
is_over(void *arg)
{
	const struct courier *c = arg;

	return c->left == 0 || c->over;
}

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

/* No connection while parcels wait: the courier's part to see it. */
static void
nudge(void *arg)
{
	struct courier *c = arg;

	if (c->carrier->active == 0 && c->head != c->tail)
		c->carrier->work(c->carrier, c->parallel);
}

static void
parcels_make(struct courier *c, size_t size)
{
	char *texts = calloc((size_t)c->n, 128);

	c->parcels = calloc((size_t)c->n, sizeof *c->parcels);
	c->queue = calloc((size_t)c->n + 1, sizeof *c->queue);
	c->tries = calloc((size_t)c->n, sizeof *c->tries);
	if (texts == NULL || c->parcels == NULL || c->queue == NULL || c->tries == NULL)
		abort();
	for (int64_t i = 0; i < c->n; i++) {
		struct parcel *p = &c->parcels[i];
		char *sender = texts + i * 128, *recipient = sender + 64;

		snprintf(sender, 64, "bounce+%" PRIx64 ".00@sender.example", i);
		snprintf(recipient, 64, "r%" PRId64 "@rcpt.example", i);
		*p = (struct parcel){ .row = i, .sender = sender, .recipient = recipient };
		text_addf(&p->body,
		    "Subject: mail %" PRId64 "\r\nX-Row: %" PRId64 "\r\n\r\n", i, i);
		while (p->body.len < size)
			text_puts(&p->body,
			    p->body.len % 5 == 0
				? ".a line that begins with a dot\r\n"
				: "a line of the text that is about as long as lines are\r\n");
		c->queue[i] = i;
	}
	c->tail = c->left = c->n;
}

static int64_t
number(const char *s)
{
	int64_t n;

	if (!parse_int(s, 0, INT64_C(1) << 40, &n)) {
		fprintf(stderr, "not a number: %s\n", s);
		exit(2);
	}
	return n;
}

static int
word(const char *s, const char *const *words, size_t n)
{
	int i = parse_word(s, words, n);

	if (i < 0) {
		fprintf(stderr, "not known: %s\n", s);
		exit(2);
	}
	return i;
}

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "host", required_argument, NULL, 'h' },
	{ "tls", required_argument, NULL, 't' },
	{ "ca", required_argument, NULL, 'c' },
	{ "login", required_argument, NULL, 'l' },
	{ "user", required_argument, NULL, 'u' },
	{ "secret", required_argument, NULL, 's' },
	{ "parallel", required_argument, NULL, 'n' },
	{ "count", required_argument, NULL, 'N' },
	{ "size", required_argument, NULL, 'z' },
	{ "dot-wait", required_argument, NULL, 'w' },
	{ "limit", required_argument, NULL, 'L' },
	{ "linger", required_argument, NULL, 'l' + 256 },
	{ "stop-every", required_argument, NULL, 'S' },
	{ "guarded", no_argument, NULL, 'g' },
	{ "quiet", no_argument, NULL, 'q' },
	{ NULL, 0, NULL, 0 },
};

struct wants {
	struct relay_options o;
	size_t size;
	struct span limit;
	struct span linger; /* stay idle at the end */
};

static void
wants_read(int argc, char **argv, struct wants *w, struct courier *c)
{
	static const char *const tls[] = { "starttls", "implicit", "none" };
	static const char *const logins[] = { "none", "plain", "login", "xoauth2" };
	int k;

	while ((k = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (k) {
		case 'p':
			w->o.port = (int)number(optarg);
			break;
		case 'h':
			w->o.host = optarg;
			break;
		case 't':
			w->o.tls = (enum relay_tls)word(optarg, tls, 3);
			break;
		case 'c':
			w->o.ca_file = optarg;
			break;
		case 'l':
			w->o.login = (enum relay_login)word(optarg, logins, 4);
			break;
		case 'u':
			w->o.user = optarg;
			break;
		case 's':
			secret_word = optarg;
			break;
		case 'n':
			c->parallel = (int)number(optarg);
			break;
		case 'N':
			c->n = number(optarg);
			break;
		case 'z':
			w->size = (size_t)number(optarg);
			break;
		case 'w':
			w->o.dot_wait = (struct span){ 1000 * number(optarg) };
			break;
		case 'L':
			w->limit = SPAN_OF(number(optarg), 1);
			break;
		case 'l' + 256:
			w->linger = SPAN_OF(number(optarg), 1);
			break;
		case 'S':
			c->stop_every = number(optarg);
			break;
		case 'g':
			w->o.may_private = false;
			break;
		case 'q':
			c->quiet = true;
			break;
		default:
			exit(2);
		}
}

static int
drive(const struct wants *w, struct courier *c)
{
	const struct carrier_host host = { c, next, may_go, done, connected };
	struct transport *transport = NULL;
	struct wires wires;
	struct instant start, end;
	int rc = 1;

	if (wires_open(&wires) < 0 || transport_new(&wires, &transport) < 0 ||
	    relay_new(&w->o, &host, transport, &c->carrier) < 0)
		return 1;
	start = clock_monotonic();
	end = instant_add(start, w->limit);
	c->carrier->work(c->carrier, c->parallel);
	while (rc == 1 && instant_before(clock_monotonic(), end)) {
		rc = wires_run(&wires, is_over, c, SPAN_OF(1, 1));
		nudge(c);
	}
	end = clock_monotonic();
	if (rc == 0 && w->linger.us > 0)
		wires_run(&wires, never, NULL, w->linger);
	c->over = true;
	c->carrier->close(&c->carrier);
	transport_free(&transport);
	wires_close(&wires);
	for (; c->head != c->tail; c->head++)
		if (!c->quiet)
			printf("%" PRId64 " back %s\n", c->queue[c->head % (c->n + 1)],
			    c->why);
	fflush(stdout);
	{
		struct rusage u;
		double s = (double)instant_diff(end, start).us / 1e6, cpu;

		getrusage(RUSAGE_SELF, &u);
		cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
		fprintf(stderr,
		    "%" PRId64
		    " mails, %.3f s, %.0f a second, %.1f us CPU each, %d connections, %ld KiB\n",
		    c->n, s, (double)c->n / s, cpu * 1e6 / (double)c->n, c->connections,
		    u.ru_maxrss);
	}
	return rc < 0 ? 1 : rc;
}

int
main(int argc, char **argv)
{
	struct courier c = { .parallel = 1, .n = 1 };
	struct wants w = { .o = { .host = "127.0.0.1",
			       .helo = "client.example",
			       .secret = secret,
			       .may_private = true,
			       .tls = TLS_NONE },
		.size = 1000,
		.limit = SPAN_OF(60, 1) };
	int rc;

	signal(SIGPIPE, SIG_IGN);
	log_open("relay_driver", LOG_WARNING);
	wants_read(argc, argv, &w, &c);
	parcels_make(&c, w.size);
	rc = drive(&w, &c);
	for (int64_t i = 0; i < c.n; i++)
		text_deinit(&c.parcels[i].body);
	free((char *)(uintptr_t)c.parcels[0].sender);
	free(c.parcels);
	free(c.queue);
	free(c.tries);
	return rc;
}
