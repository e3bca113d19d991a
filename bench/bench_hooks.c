/*
 * The two ends that hooks are measured between: a sink that takes requests, and a client of raw
 * sockets that writes the same bytes and only counts, as the bound that nobody passes.
 *
 *   bench_hooks sink             prints its port; answers every POST with 200 ok, until stdin ends
 *   bench_hooks client PORT CONNECTIONS REQUESTS BODYFILE     prints the seconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"

enum { ROOM = 64 << 10, CONNECTIONS = 256, EVENTS = 64 };
struct end {
	int fd;
	size_t have;
	char in[ROOM];
};
static struct end ends[CONNECTIONS];
static size_t n_ends;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
watch(int epoll, int fd, void *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll");
}

static void
no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* The length of a whole message at the beginning of s; 0: not all of it is there. */
static size_t
message_length(const char *s, size_t have)
{
	const char *blank = memmem(s, have, "\r\n\r\n", 4), *field;
	size_t head, body = 0;

	if (blank == NULL)
		return 0;
	head = (size_t)(blank + 4 - s);
	field = memmem(s, head, "ontent-", 7);
	while (field != NULL && strncasecmp(field, "ontent-length:", 14) != 0)
		field = memmem(field + 7, head - (size_t)(field + 7 - s), "ontent-", 7);
	for (const char *p = field != NULL ? field + 14 : "x"; *p == ' ' || (*p >= '0' && *p <= '9'); p++)
		body = *p == ' ' ? body : body * 10 + (size_t)(*p - '0');
	return have >= head + body ? head + body : 0;
}

/* false: the other end is gone. */
static bool
end_read(struct end *e)
{
	ssize_t n = read(e->fd, e->in + e->have, sizeof e->in - e->have);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	e->have += (size_t)n;
	return true;
}

static void
end_drop(struct end *e, size_t len)
{
	e->have -= len;
	memmove(e->in, e->in + len, e->have);
}

static void
put(int fd, const char *s, size_t len)
{
	if (write(fd, s, len) != (ssize_t)len)
		die("write");
}

static void
sink_serve(struct end *e)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	size_t len;

	if (!end_read(e)) {
		close(e->fd);
		e->fd = -1;
		return;
	}
	while ((len = message_length(e->in, e->have)) > 0) {
		end_drop(e, len);
		put(e->fd, ok, sizeof ok - 1);
	}
}

static struct end *
end_free(void)
{
	for (size_t i = 0; i < n_ends; i++)
		if (ends[i].fd < 0)
			return &ends[i];
	return n_ends < CONNECTIONS ? &ends[n_ends++] : NULL;
}

static int
sink(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event got[EVENTS];

	if (bind(listener, (struct sockaddr *)&at, len) != 0 || listen(listener, CONNECTIONS) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) != 0)
		die("listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	watch(epoll, listener, &listener);
	watch(epoll, STDIN_FILENO, NULL);
	for (;;) {
		int n = epoll_wait(epoll, got, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct end *e = got[i].data.ptr;

			if (e == NULL)
				return 0;
			if ((void *)e != &listener) {
				sink_serve(e);
				continue;
			}
			e = end_free();
			if (e == NULL)
				die("more connections than a bench has");
			e->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			e->have = 0;
			no_delay(e->fd);
			watch(epoll, e->fd, e);
		}
	}
}

static int
client(int port, int connections, int64_t requests, const char *path)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	struct text body = { 0 }, request = { 0 };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int64_t sent = 0, done = 0;
	struct epoll_event got[EVENTS];
	struct instant start;

	if (file_read(path, ROOM / 2, &body) != 0)
		return 1;
	text_addf(&request, "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: raw\r\nAccept: */*\r\n"
			    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    port, body.len);
	text_add(&request, text_string(&body), body.len);
	start = clock_monotonic();
	for (int i = 0; i < connections; i++) {
		ends[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(ends[i].fd, (struct sockaddr *)&at, sizeof at) != 0)
			die("connect");
		no_delay(ends[i].fd);
		watch(epoll, ends[i].fd, &ends[i]);
		put(ends[i].fd, request.s, request.len);
		sent++;
	}
	while (done < requests) {
		int n = epoll_wait(epoll, got, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct end *e = got[i].data.ptr;
			size_t len;

			if (!end_read(e))
				die("the sink closed");
			if ((len = message_length(e->in, e->have)) == 0)
				continue;
			end_drop(e, len);
			done++;
			if (sent < requests) {
				put(e->fd, request.s, request.len);
				sent++;
			}
		}
	}
	printf("%.6f %jd %jd\n", (double)instant_diff(clock_monotonic(), start).us / 1e6, (intmax_t)done,
	    (intmax_t)done);
	return 0;
}

int
main(int argc, char **argv)
{
	int64_t port, connections, requests;

	if (argc == 2 && strcmp(argv[1], "sink") == 0)
		return sink();
	if (argc == 6 && parse_int(argv[2], 1, 65535, &port) &&
	    parse_int(argv[3], 1, CONNECTIONS, &connections) &&
	    parse_int(argv[4], connections, 100000000, &requests))
		return client((int)port, (int)connections, requests, argv[5]);
	return 2;
}
