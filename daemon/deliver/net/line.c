#include "deliver/net/line.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One TLS record: what curl did not take whole, the server cannot have read. */
enum { RECORD = 16384 };

/* Before the descriptor can be somebody else's, our wire has to go. */
static int
close_socket(void *arg, curl_socket_t fd)
{
	struct line *l = arg;

	if (l->wire != NULL && fd == l->fd) {
		transport_wires(l->transport)->cut(&l->wire);
		l->gone = true;
		l->lost(l);
	}
	return close(fd);
}

void
line_init(struct line *l, struct transport *t, const char *url, const char *ca_file, bool may_private)
{
	l->transport = t;
	l->fd = -1;
	l->guard = (struct transport_guard){ .may_private = may_private };
	l->plain = strncmp(url, "http:", 5) == 0;
	l->easy = curl_easy_init();
	if (l->easy == NULL)
		abort();
	transport_prepare(l->easy, &l->guard, ca_file);
	curl_easy_setopt(l->easy, CURLOPT_URL, url);
	curl_easy_setopt(l->easy, CURLOPT_PROTOCOLS_STR, l->plain ? "http" : "https");
	curl_easy_setopt(l->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(l->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(l->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(l->easy, CURLOPT_CLOSESOCKETDATA, l);
}

static unsigned
read_events(const struct line *l)
{
	return WIRE_READ | (l->edge ? WIRE_EDGE : 0u);
}

static void
on_wire(void *arg, int fd, unsigned events)
{
	struct line *l = arg;

	(void)fd;
	l->ready(l, events);
}

static void
on_opened(void *arg, CURL *easy, CURLcode result)
{
	struct line *l = arg;
	const struct wires *w = transport_wires(l->transport);
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (result == CURLE_OK) {
		curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
		result = fd == CURL_SOCKET_BAD ? CURLE_COULDNT_CONNECT : CURLE_OK;
	}
	if (result == CURLE_OK) {
		l->fd = fd;
		l->wire = w->watch(w->loop, fd, read_events(l), on_wire, l);
		result = l->wire == NULL ? CURLE_OUT_OF_MEMORY : CURLE_OK;
	}
	l->open = result == CURLE_OK;
	l->opened(l, result);
}

int
line_open(struct line *l)
{
	return transport_start(l->transport, l->easy, on_opened, l);
}

void
line_deinit(struct line *l)
{
	if (l->wire != NULL)
		transport_wires(l->transport)->cut(&l->wire);
	if (l->easy != NULL) {
		transport_drop(l->transport, l->easy);
		curl_easy_cleanup(l->easy);
	}
	l->easy = NULL;
	l->open = false;
}

static enum line_io
io_of(CURLcode rc, size_t n)
{
	if (rc == CURLE_AGAIN)
		return LINE_EMPTY;
	return rc == CURLE_OK && n > 0 ? LINE_MOVED : LINE_ENDED;
}

enum line_io
line_recv(struct line *l, char *buf, size_t room, size_t *ret)
{
	CURLcode rc;

	*ret = 0;
	if (l->gone)
		return LINE_ENDED;
	rc = curl_easy_recv(l->easy, buf, room, ret);
	return io_of(rc, *ret);
}

enum line_io
line_send(struct line *l, const char *s, size_t len, size_t *ret)
{
	CURLcode rc;

	*ret = 0;
	if (l->gone)
		return LINE_ENDED;
	if (!l->plain && len > RECORD)
		len = RECORD;
	rc = curl_easy_send(l->easy, s, len, ret);
	return io_of(rc, *ret);
}

void
line_watch_writing(struct line *l, bool on)
{
	if (on == l->writing || l->wire == NULL)
		return;
	l->writing = on;
	transport_wires(l->transport)
	    ->change(l->wire, read_events(l) | (on ? WIRE_WRITE : 0u));
}

bool
line_is_inside(const struct line *l)
{
	char *peer = NULL;

	return curl_easy_getinfo(l->easy, CURLINFO_PRIMARY_IP, &peer) != CURLE_OK || peer == NULL ||
	    transport_is_inside(peer);
}
