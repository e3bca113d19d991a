/*
 * A mail server to measure against: it takes every mail and keeps none, can be slow at the dot, far
 * away and picky, and counts.
 *
 *   bench_sink [-c] [-k K] PORT [DOT [NETWORK]]
 *
 *   -c       offers CHUNKING
 *   -k K     refuses every K-th recipient
 *   DOT      seconds before the answer to a final dot, for each mail by itself
 *   NETWORK  seconds that every byte takes, each way
 *
 * NETWORK is a delay line: what is read is looked at only so much later, what is written leaves only
 * so much later, in order and without a limit of throughput.  It prints `listening`, and at SIGTERM one line of JSON:
 * connections, peak (at the same time), mails, bytes of their bodies, refused, and turns: how often it answered after it
 * had heard something, which are the client's round trips.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"

enum { ROOM = 64 << 10, EVENTS = 64, BACKLOG = 1024 };

struct peer {
	int fd;
	enum { AT_COMMANDS, AT_BODY, AT_CHUNK, AT_DOT } at;
	struct text in, out;
	size_t looked;     /* of the body in `in`: no dot begins before here */
	uint64_t to_come;  /* of a chunk */
	bool last;         /* chunk */
	bool heard;        /* something since our last answer */
	unsigned recipients;
	size_t on_the_way; /* packets that name it */
	bool gone;
};

/* What arrives a fixed time after it was sent off, so that first in is first out. */
struct packet {
	struct packet *next;
	struct instant due;
	struct peer *peer;
	size_t len; /* 0: the end of the connection, or no bytes at all */
	char bytes[];
};
struct line {
	struct span takes;
	struct packet *first, *last;
	void (*arrive)(struct peer *p, const char *bytes, size_t len);
};

static struct {
	int epoll, listener, timer, signals;
	bool chunking;
	int64_t picky; /* 0: takes every recipient */
	int64_t connections, open, peak, mails, bytes, asked, refused, turns;
} sink;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- what takes time ---- */

static void peer_hear(struct peer *p, const char *bytes, size_t len);
static void peer_send(struct peer *p, const char *bytes, size_t len);
static void peer_answer_dot(struct peer *p, const char *bytes, size_t len);

static struct line inward = { .arrive = peer_hear }, outward = { .arrive = peer_send },
		   dots = { .arrive = peer_answer_dot };
static struct line *const lines[] = { &inward, &outward, &dots };

static void
line_send(struct line *l, struct peer *p, const char *bytes, size_t len)
{
	struct packet *k;

	if (l->takes.us == 0) {
		l->arrive(p, bytes, len);
		return;
	}
	k = malloc(sizeof *k + len);
	if (k == NULL)
		abort();
	*k = (struct packet){ .due = instant_add(clock_monotonic(), l->takes), .peer = p, .len = len };
	if (len > 0)
		memcpy(k->bytes, bytes, len);
	if (l->first == NULL)
		l->first = k;
	else
		l->last->next = k;
	l->last = k;
	p->on_the_way++;
}

static void
peer_forget(struct peer *p)
{
	if (!p->gone || p->on_the_way > 0)
		return;
	text_deinit(&p->in);
	text_deinit(&p->out);
	free(p);
}

static void
line_deliver(struct line *l, struct instant now)
{
	while (l->first != NULL && !instant_before(now, l->first->due)) {
		struct packet *k = l->first;

		l->first = k->next;
		k->peer->on_the_way--;
		if (!k->peer->gone)
			l->arrive(k->peer, k->bytes, k->len);
		else
			peer_forget(k->peer);
		free(k);
	}
}

/* Let everything arrive that is due; the timer rings for the next. */
static void
lines_run(void)
{
	struct instant now = clock_monotonic(), next = INSTANT_NEVER;
	struct itimerspec at = { 0 };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		line_deliver(lines[i], now);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (lines[i]->first != NULL && instant_before(lines[i]->first->due, next))
			next = lines[i]->first->due;
	if (next.us == INT64_MAX)
		return;
	at.it_value.tv_sec = next.us / 1000000;
	at.it_value.tv_nsec = next.us % 1000000 * 1000;
	if (timerfd_settime(sink.timer, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		die("timer");
}

/* ---- one connection ---- */

static void
peer_end(struct peer *p)
{
	close(p->fd);
	sink.open--;
	p->gone = true;
	peer_forget(p);
}

static void
peer_send(struct peer *p, const char *bytes, size_t len)
{
	ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL);

	/* Who hangs up before the answer is found out by reading. */
	if (n != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
		die("send");
}

static void
greet(struct peer *p)
{
	text_puts(&p->out, "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n250-8BITMIME\r\n");
	if (sink.chunking)
		text_puts(&p->out, "250-CHUNKING\r\n");
	text_puts(&p->out, "250 SMTPUTF8\r\n");
}

static void
recipient(struct peer *p)
{
	if (sink.picky > 0 && ++sink.asked % sink.picky == 0) {
		sink.refused++;
		text_puts(&p->out, "550 5.1.1 no such mailbox\r\n");
		return;
	}
	p->recipients++;
	text_puts(&p->out, "250 2.1.5 Ok\r\n");
}

static void
body_begin(struct peer *p)
{
	if (p->recipients == 0) {
		text_puts(&p->out, "554 5.5.1 no valid recipients\r\n");
		return;
	}
	p->at = AT_BODY;
	p->looked = 0;
	text_puts(&p->out, "354 go ahead\r\n");
}

/* The mail is there; the dots' line sees to its answer, and nothing is read before. */
static void
mail_end(struct peer *p)
{
	p->at = AT_DOT;
	line_send(&dots, p, NULL, 0);
}

static void
chunk_end(struct peer *p)
{
	p->at = AT_COMMANDS;
	if (p->recipients == 0)
		text_puts(&p->out, "554 5.5.1 no valid recipients\r\n");
	else if (p->last)
		mail_end(p);
	else
		text_puts(&p->out, "250 2.0.0 Ok\r\n");
}

static void
chunk_begin(struct peer *p, const char *rest)
{
	char *end;

	p->to_come = strtoull(rest, &end, 10);
	p->last = strncasecmp(end, " LAST", 5) == 0;
	p->at = AT_CHUNK;
	if (p->to_come == 0)
		chunk_end(p);
}

static bool
is_verb(const char *line, const char *verb)
{
	return strncasecmp(line, verb, strlen(verb)) == 0;
}

static void
command(struct peer *p, const char *line)
{
	if (is_verb(line, "RCPT"))
		recipient(p);
	else if (is_verb(line, "DATA"))
		body_begin(p);
	else if (is_verb(line, "BDAT "))
		chunk_begin(p, line + 5);
	else if (is_verb(line, "EHLO"))
		greet(p);
	else if (is_verb(line, "QUIT"))
		text_puts(&p->out, "221 2.0.0 Bye\r\n");
	else if (is_verb(line, "MAIL") || is_verb(line, "RSET") || is_verb(line, "HELO") ||
	    is_verb(line, "NOOP"))
		text_puts(&p->out, "250 2.1.0 Ok\r\n");
	else
		text_puts(&p->out, "500 5.5.2 what?\r\n");
	if (is_verb(line, "MAIL") || is_verb(line, "RSET"))
		p->recipients = 0;
}

/* Each takes what it can from the beginning of s; 0: it needs more. */

static size_t
take_line(struct peer *p, char *s, size_t len)
{
	char *lf = memchr(s, '\n', len);

	if (lf == NULL)
		return 0;
	*lf = '\0';
	command(p, s);
	return (size_t)(lf + 1 - s);
}

static size_t
take_body(struct peer *p, const char *s, size_t len)
{
	const char *dot;

	if (p->looked == 0 && len >= 3 && memcmp(s, ".\r\n", 3) == 0)
		dot = s - 2;
	else
		dot = memmem(s + p->looked, len - p->looked, "\r\n.\r\n", 5);
	if (dot == NULL) {
		p->looked = len > 4 ? len - 4 : 0;
		return 0;
	}
	sink.bytes += dot + 2 - s;
	mail_end(p);
	return (size_t)(dot + 5 - s);
}

static size_t
take_chunk(struct peer *p, size_t len)
{
	size_t n = p->to_come < len ? (size_t)p->to_come : len;

	p->to_come -= n;
	sink.bytes += (int64_t)n;
	if (p->to_come == 0)
		chunk_end(p);
	return n;
}

static size_t
peer_take(struct peer *p, char *s, size_t len)
{
	if (p->at == AT_BODY)
		return take_body(p, s, len);
	return p->at == AT_CHUNK ? take_chunk(p, len) : take_line(p, s, len);
}

static void
peer_work(struct peer *p)
{
	size_t done = 0, n = 1;

	while (p->at != AT_DOT && done < p->in.len && n > 0) {
		n = peer_take(p, p->in.s + done, p->in.len - done);
		done += n;
	}
	p->in.len -= done;
	if (done > 0)
		memmove(p->in.s, p->in.s + done, p->in.len);
	if (p->out.len == 0)
		return;
	sink.turns += p->heard;
	p->heard = false;
	line_send(&outward, p, p->out.s, p->out.len);
	text_clear(&p->out);
}

static void
peer_answer_dot(struct peer *p, const char *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	sink.mails++;
	p->at = AT_COMMANDS;
	p->recipients = 0;
	text_puts(&p->out, "250 2.0.0 Ok: taken\r\n");
	if (dots.takes.us > 0)
		peer_work(p);
}

static void
peer_hear(struct peer *p, const char *bytes, size_t len)
{
	if (len == 0) {
		peer_end(p);
		return;
	}
	p->heard = true;
	text_add(&p->in, bytes, len);
	peer_work(p);
}

static void
peer_read(struct peer *p)
{
	static char buf[ROOM];
	ssize_t n = read(p->fd, buf, sizeof buf);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		n = 0;
		epoll_ctl(sink.epoll, EPOLL_CTL_DEL, p->fd, NULL);
	}
	line_send(&inward, p, buf, (size_t)n);
}

static void
watch(int fd, void *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll");
}

static void
peer_accept(void)
{
	struct peer *p = calloc(1, sizeof *p);
	int one = 1;

	if (p == NULL)
		abort();
	p->fd = accept4(sink.listener, NULL, NULL, SOCK_CLOEXEC);
	if (p->fd < 0)
		die("accept");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	sink.connections++;
	if (++sink.open > sink.peak)
		sink.peak = sink.open;
	watch(p->fd, p);
	text_puts(&p->out, "220 sink.example ESMTP\r\n");
	line_send(&outward, p, p->out.s, p->out.len);
	text_clear(&p->out);
}

/* ---- all of it ---- */

static void
begin(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	sigset_t set;
	int one = 1;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sink.signals = signalfd(-1, &set, SFD_CLOEXEC);
	sink.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	sink.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(sink.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (sink.signals < 0 || sink.timer < 0 || sink.epoll < 0 ||
	    bind(sink.listener, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(sink.listener, BACKLOG) != 0)
		die("listen");
	watch(sink.listener, &sink.listener);
	watch(sink.timer, &sink.timer);
	watch(sink.signals, &sink.signals);
	puts("listening");
	fflush(stdout);
}

static void
run(void)
{
	struct epoll_event got[EVENTS];
	uint64_t rang;

	for (;;) {
		int n = epoll_wait(sink.epoll, got, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			void *p = got[i].data.ptr;

			if (p == &sink.signals)
				return;
			if (p == &sink.listener)
				peer_accept();
			else if (p == &sink.timer)
				(void)!read(sink.timer, &rang, sizeof rang);
			else
				peer_read(p);
		}
		lines_run();
	}
}

static bool
seconds_read(const char *s, struct span *ret)
{
	double n;

	if (!parse_number(s, &n) || n < 0 || n > 600)
		return false;
	ret->us = (int64_t)(n * 1e6);
	return true;
}

int
main(int argc, char **argv)
{
	int64_t port;
	int o;

	while ((o = getopt(argc, argv, "ck:")) != -1) {
		if (o == 'c')
			sink.chunking = true;
		else if (o != 'k' || !parse_int(optarg, 1, 1000000, &sink.picky))
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 3 || !parse_int(argv[0], 1, 65535, &port) ||
	    (argc > 1 && !seconds_read(argv[1], &dots.takes)) ||
	    (argc > 2 && !seconds_read(argv[2], &inward.takes)))
		return 2;
	outward.takes = inward.takes;
	begin((int)port);
	run();
	printf("{\"connections\": %" PRId64 ", \"peak\": %" PRId64 ", \"mails\": %" PRId64
	       ", \"bytes\": %" PRId64
	       ", \"refused\": %" PRId64 ", \"turns\": %" PRId64 "}\n",
	    sink.connections, sink.peak, sink.mails, sink.bytes, sink.refused, sink.turns);
	return 0;
}
