/*
 * The carrier to a mail relay: connections that libcurl opens, encrypts and logs in, each with an
 * smtp session on it.
 *
 * Connections open as they find work: one, and two more for each that got a parcel right after it
 * was made, up to what work() allows.  So one mail costs one connection or two, and a campaign has
 * all of them after four rounds.
 *
 *   absent ──curl──▶ connecting ──▶ talking ──QUIT, idle, cut──▶ absent
 *
 * Silence is measured by one coarse alarm, that runs only while connections are open: no timer is
 * touched per mail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "deliver/bearer.h"
#include "deliver/carriers.h"
#include "deliver/smtp.h"
#include "deliver/transport.h"

enum {
	LINES_MAX = 64,
	READ_ROOM = 16384,
	/* One TLS record: what curl did not take whole, the server cannot have read (smtp.h). */
	RECORD = 16384,
	IDLE_SECONDS = 5,
	CONNECT_SECONDS_MAX = 30,
	DOT_SECONDS = 600,
};

struct line {
	struct relay *relay;
	CURL *easy;
	struct transport_guard guard;
	char error[CURL_ERROR_SIZE];
	bool talking;
	bool gone;    /* libcurl closed the socket under us */
	bool writing; /* the wire waits for WIRE_WRITE too */
	bool fresh;   /* made, and had no parcel yet */
	bool leaving; /* QUIT was said */
	unsigned token; /* the number of the access token it logged in with */
	int fd;
	struct wire *wire;
	struct smtp session;
	uint64_t seen; /* session.progress at `since` */
	struct instant since;
};

struct relay {
	struct carrier carrier; /* first */
	struct relay_options o;
	struct carrier_host host;
	struct smtp_host session_host;
	struct transport *transport;
	const struct wires *wires;
	struct bearer *bearer; /* NULL: the login is a secret */
	char *url;
	struct line *lines[LINES_MAX];
	int wanted;
	int serving; /* connections that did not say QUIT */
	bool hungry; /* parcels wait, as far as we know */
	bool ticking;
	int to_open; /* connections that the next pump may open */
	struct wire *tick, *pump;
	struct span period;
	char buf[READ_ROOM];
};

/* The session's questions go on to the courier. */

static struct parcel *
session_next(void *arg)
{
	struct relay *r = arg;
	struct parcel *p;

	if (!r->hungry)
		return NULL;
	if (r->serving > r->wanted) { /* fewer are allowed now: the pump ends idle ones */
		r->wires->arm(r->pump);
		return NULL;
	}
	p = r->host.next(r->host.courier, &r->carrier);
	if (p == NULL)
		r->hungry = false;
	return p;
}

static bool
session_may_go(void *arg, struct parcel *p)
{
	struct relay *r = arg;

	return r->host.may_go(r->host.courier, p);
}

static void
session_done(void *arg, struct parcel *p, const struct outcome *o)
{
	struct relay *r = arg;

	r->host.done(r->host.courier, &r->carrier, p, o);
}

/* A connection's life. */

static void
line_free(struct line *l)
{
	struct relay *r = l->relay;

	if (l->wire != NULL)
		r->wires->cut(&l->wire);
	if (l->easy != NULL) {
		transport_drop(r->transport, l->easy);
		curl_easy_cleanup(l->easy);
	}
	if (!l->leaving)
		r->serving--;
	if (l->talking)
		smtp_deinit(&l->session);
	for (int i = 0; i < LINES_MAX; i++)
		if (r->lines[i] == l)
			r->lines[i] = NULL;
	r->carrier.active--;
	free(l);
}

/* The session is over: every parcel of it has been told. */
static void
line_end(struct line *l)
{
	struct relay *r = l->relay;
	bool again = l->session.stale && r->wanted > 0;
	bool failed = l->session.failure.reason != NULL;
	struct outcome why = l->session.failure;

	line_free(l);
	if (failed)
		r->host.connected(r->host.courier, &r->carrier, &why);
	else if (again) { /* at once, if parcels wait: only the connection was at fault */
		r->to_open++;
		r->wires->arm(r->pump);
	}
}

static void
line_cut(struct line *l, bool timed_out)
{
	smtp_cut(&l->session, timed_out);
	line_end(l);
}

/* Send what is queued.  false: the line has ended. */
static bool
line_flush(struct line *l)
{
	struct relay *r = l->relay;
	struct slice out;
	bool blocked = false;

	while (!blocked && (out = smtp_output(&l->session)).len > 0) {
		size_t n = 0, piece = out.len;
		CURLcode rc;

		if (r->o.tls != TLS_NONE && piece > RECORD)
			piece = RECORD;
		rc = curl_easy_send(l->easy, out.s, piece, &n);
		if (rc == CURLE_AGAIN) {
			blocked = true;
		} else if (rc != CURLE_OK) {
			line_cut(l, false);
			return false;
		} else {
			smtp_sent(&l->session, n);
		}
	}
	if (blocked != l->writing) {
		l->writing = blocked;
		r->wires->change(l->wire, blocked ? WIRE_READ | WIRE_WRITE : WIRE_READ);
	}
	return true;
}

/* Say what can be said now.  false: the line has ended. */
static bool
line_turn(struct line *l)
{
	struct relay *r = l->relay;

	smtp_turn(&l->session);
	if (l->fresh && l->session.tries > 0) {
		l->fresh = false;
		r->to_open += 2;
		r->wires->arm(r->pump);
	}
	if (l->session.state == SMTP_OVER) {
		line_end(l);
		return false;
	}
	return line_flush(l);
}

/* Read all that is there.  false: the line has ended. */
static bool
line_read(struct line *l)
{
	struct relay *r = l->relay;

	for (;;) {
		bool greeting = l->session.state == SMTP_GREETS;
		size_t n = 0;
		CURLcode rc = curl_easy_recv(l->easy, r->buf, sizeof r->buf, &n);

		if (rc == CURLE_AGAIN)
			return true;
		if (rc != CURLE_OK || n == 0) {
			line_cut(l, false);
			return false;
		}
		smtp_input(&l->session, r->buf, n);
		if (greeting && l->session.state == SMTP_READY)
			r->host.connected(r->host.courier, &r->carrier, NULL);
		if (l->session.state == SMTP_OVER) {
			line_end(l);
			return false;
		}
		/* Plain: a short read has emptied the socket; TLS may hold more in its buffers. */
		if (r->o.tls == TLS_NONE && n < sizeof r->buf)
			return true;
	}
}

static void
on_wire(void *arg, int fd, unsigned events)
{
	struct line *l = arg;

	(void)fd;
	if ((events & WIRE_READ) && !line_read(l))
		return;
	if ((events & WIRE_WRITE) && !line_flush(l))
		return;
	line_turn(l);
}

static void
line_quit(struct line *l)
{
	l->leaving = true;
	l->relay->serving--;
	smtp_quit(&l->session);
	line_flush(l);
}

/* Connecting. */

/* curl closes a socket: before the descriptor can be somebody else's, our wire has to go. */
static int
close_socket(void *arg, curl_socket_t fd)
{
	struct line *l = arg;

	if (l->wire != NULL && fd == l->fd) {
		l->relay->wires->cut(&l->wire);
		l->gone = true;
		l->relay->wires->arm(l->relay->pump);
	}
	return close(fd);
}

static void
relay_start_tick(struct relay *r)
{
	if (r->ticking)
		return;
	r->ticking = true;
	r->wires->set(r->tick, r->period);
}

/* Why curl could not connect: the server's own code says more than curl's, where there is one. */
static struct outcome
failure_of(struct line *l, CURLcode result)
{
	struct outcome o = verdict_curl((int)result, false, false, l->guard.refused);
	long code = 0;

	curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &code);
	if (result == CURLE_WEIRD_SERVER_REPLY && code >= 400 && code <= 599)
		o = verdict_smtp(STAGE_GREETING, (int)code, "");
	else if ((result == CURLE_LOGIN_DENIED || result == CURLE_USE_SSL_FAILED) &&
	    code >= 400 && code <= 499)
		o = verdict_smtp(STAGE_OTHER, (int)code, "");
	outcome_detail(&o, l->error, strlen(l->error));
	return o;
}

/* An access token ends when its server says so, also before its time. */
static bool
token_ended(const struct line *l, CURLcode result)
{
	long code = 0;

	curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &code);
	return l->relay->bearer != NULL && result == CURLE_LOGIN_DENIED && code / 100 != 4 &&
	    bearer_refused(l->relay->bearer, l->token);
}

static void
line_failed(struct line *l, CURLcode result)
{
	struct relay *r = l->relay;
	struct outcome o = failure_of(l, result);
	bool again = token_ended(l, result);

	line_free(l);
	if (again) /* with another token */
		r->wires->arm(r->pump);
	else
		r->host.connected(r->host.courier, &r->carrier, &o);
}

static void
on_connected(void *arg, CURL *easy, CURLcode result)
{
	struct line *l = arg;
	struct relay *r = l->relay;
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (result == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD) {
		line_failed(l, result == CURLE_OK ? CURLE_COULDNT_CONNECT : result);
		return;
	}
	if (r->bearer != NULL)
		bearer_taken(r->bearer, l->token);
	l->fd = fd;
	l->wire = r->wires->watch(r->wires->loop, fd, WIRE_READ, on_wire, l);
	smtp_init(&l->session, &r->session_host, r->o.helo, r->o.dot_wait);
	l->talking = true;
	l->fresh = true;
	l->since = clock_monotonic();
	if (l->wire == NULL) {
		line_cut(l, false);
		return;
	}
	smtp_begin(&l->session);
	line_flush(l);
}

/* 0; 1: an access token is on its way; negative: a secret cannot be read. */
static int
line_login(struct line *l)
{
	static const char *const names[] = {
		[LOGIN_PLAIN] = "AUTH=PLAIN",
		[LOGIN_LOGIN] = "AUTH=LOGIN",
		[LOGIN_XOAUTH2] = "AUTH=XOAUTH2",
	};
	const struct relay_options *o = &l->relay->o;
	struct text secret = { 0 };
	int rc;

	if (o->login == LOGIN_NONE)
		return 0;
	rc = l->relay->bearer != NULL ? bearer_get(l->relay->bearer, &secret, &l->token)
				      : o->secret(o->secret_arg, &secret);
	if (rc == 0) {
		curl_easy_setopt(l->easy, CURLOPT_USERNAME, o->user);
		curl_easy_setopt(l->easy,
		    o->login == LOGIN_XOAUTH2 ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
		    text_string(&secret));
		curl_easy_setopt(l->easy, CURLOPT_LOGIN_OPTIONS, names[o->login]);
		curl_easy_setopt(l->easy, CURLOPT_SASL_IR, 1L);
	}
	if (secret.s != NULL)
		explicit_bzero(secret.s, secret.room);
	text_deinit(&secret);
	return rc;
}

static void
line_prepare(struct line *l)
{
	const struct relay_options *o = &l->relay->o;
	int64_t wait = o->dot_wait.us / 1000;

	transport_prepare(l->easy, &l->guard, o->ca_file);
	if (wait < CONNECT_SECONDS_MAX * 1000)
		curl_easy_setopt(l->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)wait);
	curl_easy_setopt(l->easy, CURLOPT_URL, l->relay->url);
	curl_easy_setopt(l->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(l->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(l->easy, CURLOPT_USE_SSL,
	    o->tls == TLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(l->easy, CURLOPT_ERRORBUFFER, l->error);
	curl_easy_setopt(l->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(l->easy, CURLOPT_CLOSESOCKETDATA, l);
}

static void
connect_failed(struct relay *r, const char *reason)
{
	const struct outcome o = {
		.fate = FATE_BACK, .trouble = TROUBLE_REFUSED, .reason = reason
	};

	r->hungry = false;
	r->host.connected(r->host.courier, &r->carrier, &o);
}

static void
on_token(void *arg, const struct outcome *trouble)
{
	struct relay *r = arg;

	if (trouble == NULL) {
		r->wires->arm(r->pump);
		return;
	}
	r->hungry = false;
	r->host.connected(r->host.courier, &r->carrier, trouble);
}

/* One connection more.  false: it could not even be begun, or waits for an access token. */
static bool
line_open(struct relay *r)
{
	struct line *l = calloc(1, sizeof *l);
	int i = 0, rc;

	if (l == NULL)
		abort();
	while (r->lines[i] != NULL) /* wanted <= LINES_MAX */
		i++;
	r->lines[i] = l;
	r->carrier.active++;
	r->serving++;
	l->relay = r;
	l->fd = -1;
	l->guard.may_private = r->o.may_private;
	l->easy = curl_easy_init();
	if (l->easy == NULL)
		abort();
	line_prepare(l);
	rc = line_login(l);
	if (rc != 0) {
		line_free(l);
		if (rc < 0)
			connect_failed(r, "our login for this server cannot be read");
		return false;
	}
	if (transport_start(r->transport, l->easy, on_connected, l) < 0) {
		line_free(l);
		connect_failed(r, "the connection could not be begun");
		return false;
	}
	relay_start_tick(r);
	return true;
}

/* The relay as a whole. */

static int
connecting(const struct relay *r)
{
	int n = 0;

	for (int i = 0; i < LINES_MAX; i++)
		n += r->lines[i] != NULL && !r->lines[i]->talking;
	return n;
}

/* Outside of everybody's callbacks: hand parcels to idle lines, open new ones. */
static void
on_pump(void *arg)
{
	struct relay *r = arg;

	for (int i = 0; i < LINES_MAX; i++) {
		struct line *l = r->lines[i];

		if (l == NULL || !l->talking)
			continue;
		if (l->gone)
			line_cut(l, false);
		else if (r->serving > r->wanted && smtp_is_idle(&l->session))
			line_quit(l);
		else if (r->hungry && smtp_is_idle(&l->session))
			line_turn(l);
	}
	if (r->hungry && r->to_open == 0 && connecting(r) == 0)
		r->to_open = 1;
	while (r->hungry && r->to_open > 0 && r->serving < r->wanted &&
	    r->carrier.active < LINES_MAX) {
		r->to_open--;
		if (!line_open(r))
			break;
	}
	r->to_open = 0;
}

static void
on_tick(void *arg)
{
	struct relay *r = arg;
	struct instant now = clock_monotonic();

	for (int i = 0; i < LINES_MAX; i++) {
		struct line *l = r->lines[i];
		int64_t silent;

		if (l == NULL || !l->talking || l->gone)
			continue;
		if (l->session.progress != l->seen) {
			l->seen = l->session.progress;
			l->since = now;
			continue;
		}
		silent = instant_diff(now, l->since).us;
		if (!smtp_is_idle(&l->session)) {
			if (silent >= smtp_patience(&l->session).us)
				line_cut(l, true);
		} else if (silent >= SPAN_OF(IDLE_SECONDS, 1).us) {
			line_quit(l);
		}
	}
	r->ticking = r->carrier.active > 0;
	if (r->ticking)
		r->wires->set(r->tick, r->period);
}

static void
relay_work(struct carrier *c, int parallel)
{
	struct relay *r = (struct relay *)c;

	r->wanted = parallel < 0 ? 0 : parallel > LINES_MAX ? LINES_MAX : parallel;
	r->hungry = r->wanted > 0;
	r->wires->arm(r->pump);
}

static void
relay_rest(struct carrier *c)
{
	struct relay *r = (struct relay *)c;

	r->hungry = false; /* the tick ends what stays idle */
}

static void
relay_close(struct carrier **c)
{
	struct relay *r = (struct relay *)*c;

	*c = NULL;
	if (r == NULL)
		return;
	r->hungry = false;
	r->wanted = 0;
	for (int i = 0; i < LINES_MAX; i++) {
		struct line *l = r->lines[i];
		size_t n;

		if (l == NULL)
			continue;
		if (l->talking && !l->gone && smtp_is_idle(&l->session))
			curl_easy_send(l->easy, "QUIT\r\n", 6, &n); /* as a courtesy */
		if (l->talking)
			smtp_abandon(&l->session);
		line_free(l);
	}
	bearer_free(&r->bearer);
	r->wires->cut(&r->tick);
	r->wires->cut(&r->pump);
	free(r->url);
	free(r);
}

/* Letters, digits, dots, hyphens, colons: nothing that has a meaning in a URL or a command. */
static bool
is_host(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 253 &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") == n;
}

static char *
relay_url(const struct relay_options *o)
{
	bool v6 = strchr(o->host, ':') != NULL;
	char *url;

	if (asprintf(&url, "%s://%s%s%s:%d/%s", o->tls == TLS_IMPLICIT ? "smtps" : "smtp",
		v6 ? "[" : "", o->host, v6 ? "]" : "", o->port, o->helo) < 0)
		abort();
	return url;
}

int
relay_new(const struct relay_options *o, const struct carrier_host *host,
    struct transport *t, struct carrier **ret)
{
	struct relay *r;
	struct carrier *c;

	if (!is_host(o->host) || !is_host(o->helo) || o->port < 1 || o->port > 65535)
		return FAIL(-EINVAL, "the relay's host or our own name is not a name");
	r = calloc(1, sizeof *r);
	if (r == NULL)
		abort();
	r->carrier = (struct carrier){
		.work = relay_work, .rest = relay_rest, .close = relay_close
	};
	r->o = *o;
	if (r->o.dot_wait.us <= 0)
		r->o.dot_wait = SPAN_OF(DOT_SECONDS, 1);
	r->host = *host;
	r->session_host =
	    (struct smtp_host){ r, session_next, session_may_go, session_done };
	r->transport = t;
	r->wires = transport_wires(t);
	r->url = relay_url(o);
	r->period = SPAN_OF(1, 1);
	if (r->o.dot_wait.us / 4 < r->period.us)
		r->period.us = r->o.dot_wait.us / 4;
	r->tick = r->wires->alarm(r->wires->loop, on_tick, r);
	r->pump = r->wires->rest(r->wires->loop, on_pump, r);
	c = &r->carrier;
	if (r->tick == NULL || r->pump == NULL) {
		relay_close(&c);
		return FAIL(-ENOMEM, "no memory for a relay");
	}
	if (o->token != NULL && bearer_new(o->token, t, on_token, r, &r->bearer) < 0) {
		relay_close(&c);
		return -EINVAL;
	}
	*ret = &r->carrier;
	return 0;
}
