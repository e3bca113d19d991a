/*
 * The carrier to a mail relay: connections that libcurl opens, encrypts and logs in (line.h), each
 * with an smtp session on it.
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

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/scope.h"
#include "deliver/carriers.h"
#include "deliver/mail/bearer.h"
#include "deliver/mail/smtp.h"
#include "deliver/net/line.h"

enum {
	CALLS_MAX = 64,
	READ_ROOM = 16384,
	IDLE_SECONDS = 5,
	CONNECT_SECONDS_MAX = 30,
	DOT_SECONDS = 600,
};

struct call {
	struct line line; /* first */
	struct relay *relay;
	char error[CURL_ERROR_SIZE];
	bool fresh;   /* made, and had no parcel yet */
	bool leaving; /* QUIT was said */
	unsigned token; /* the number of the access token it logged in with */
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
	struct call *calls[CALLS_MAX];
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
call_free(struct call *c)
{
	struct relay *r = c->relay;

	if (!c->leaving)
		r->serving--;
	if (c->line.open)
		smtp_deinit(&c->session);
	line_deinit(&c->line);
	for (int i = 0; i < CALLS_MAX; i++)
		if (r->calls[i] == c)
			r->calls[i] = NULL;
	r->carrier.active--;
	free(c);
}

/* The session is over: every parcel of it has been told. */
static void
call_end(struct call *c)
{
	struct relay *r = c->relay;
	bool again = c->session.stale && r->wanted > 0;
	bool failed = c->session.failure.reason != NULL;
	struct outcome why = c->session.failure;

	call_free(c);
	if (failed)
		r->host.connected(r->host.courier, &r->carrier, &why);
	else if (again) { /* at once, if parcels wait: only the connection was at fault */
		r->to_open++;
		r->wires->arm(r->pump);
	}
}

static void
call_cut(struct call *c, bool timed_out)
{
	smtp_cut(&c->session, timed_out);
	call_end(c);
}

/* Send what is queued.  false: the call has ended. */
static bool
call_flush(struct call *c)
{
	enum line_io io = LINE_MOVED;
	struct slice out;
	size_t n;

	while (io == LINE_MOVED && (out = smtp_output(&c->session)).len > 0) {
		io = line_send(&c->line, out.s, out.len, &n);
		smtp_sent(&c->session, n);
	}
	if (io == LINE_ENDED) {
		call_cut(c, false);
		return false;
	}
	line_watch_writing(&c->line, io == LINE_EMPTY);
	return true;
}

/* Say what can be said now.  false: the call has ended. */
static bool
call_turn(struct call *c)
{
	struct relay *r = c->relay;

	smtp_turn(&c->session);
	if (c->fresh && c->session.tries > 0) {
		c->fresh = false;
		r->to_open += 2;
		r->wires->arm(r->pump);
	}
	if (c->session.state == SMTP_OVER) {
		call_end(c);
		return false;
	}
	return call_flush(c);
}

/* Read all that is there.  false: the call has ended. */
static bool
call_read(struct call *c)
{
	struct relay *r = c->relay;

	for (;;) {
		bool greeting = c->session.state == SMTP_GREETS;
		size_t n;
		enum line_io io = line_recv(&c->line, r->buf, sizeof r->buf, &n);

		if (io == LINE_EMPTY)
			return true;
		if (io == LINE_ENDED) {
			call_cut(c, false);
			return false;
		}
		smtp_input(&c->session, r->buf, n);
		if (greeting && c->session.state == SMTP_READY)
			r->host.connected(r->host.courier, &r->carrier, NULL);
		if (c->session.state == SMTP_OVER) {
			call_end(c);
			return false;
		}
		/* Plain: a short read has emptied the socket; TLS may hold more in its buffers. */
		if (c->line.plain && n < sizeof r->buf)
			return true;
	}
}

static void
on_ready(struct line *l, unsigned events)
{
	struct call *c = (struct call *)l;

	if ((events & WIRE_READ) && !call_read(c))
		return;
	if ((events & WIRE_WRITE) && !call_flush(c))
		return;
	call_turn(c);
}

static void
call_quit(struct call *c)
{
	c->leaving = true;
	c->relay->serving--;
	smtp_quit(&c->session);
	call_flush(c);
}

/* Connecting. */

static void
on_lost(struct line *l)
{
	struct call *c = (struct call *)l;

	c->relay->wires->arm(c->relay->pump);
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
failure_of(struct call *c, CURLcode result)
{
	struct outcome o = verdict_curl((int)result, false, false, c->line.guard.refused);
	long code = 0;

	curl_easy_getinfo(c->line.easy, CURLINFO_RESPONSE_CODE, &code);
	if (result == CURLE_WEIRD_SERVER_REPLY && code >= 400 && code <= 599)
		o = verdict_smtp(STAGE_GREETING, (int)code, "");
	else if ((result == CURLE_LOGIN_DENIED || result == CURLE_USE_SSL_FAILED) &&
	    code >= 400 && code <= 499)
		o = verdict_smtp(STAGE_OTHER, (int)code, "");
	outcome_detail(&o, c->error, strlen(c->error));
	return o;
}

/* An access token ends when its server says so, also before its time. */
static bool
token_ended(const struct call *c, CURLcode result)
{
	long code = 0;

	curl_easy_getinfo(c->line.easy, CURLINFO_RESPONSE_CODE, &code);
	return c->relay->bearer != NULL && result == CURLE_LOGIN_DENIED && code / 100 != 4 &&
	    bearer_refused(c->relay->bearer, c->token);
}

static void
call_failed(struct call *c, CURLcode result)
{
	struct relay *r = c->relay;
	struct outcome o = failure_of(c, result);
	bool again = token_ended(c, result);

	call_free(c);
	if (again) /* with another token */
		r->wires->arm(r->pump);
	else
		r->host.connected(r->host.courier, &r->carrier, &o);
}

static void
on_opened(struct line *l, CURLcode result)
{
	struct call *c = (struct call *)l;
	struct relay *r = c->relay;

	if (result != CURLE_OK) {
		call_failed(c, result);
		return;
	}
	if (r->bearer != NULL)
		bearer_taken(r->bearer, c->token);
	smtp_init(&c->session, &r->session_host, r->o.helo, r->o.dot_wait);
	c->fresh = true;
	c->since = clock_monotonic();
	smtp_begin(&c->session);
	call_flush(c);
}

/* 0; 1: an access token is on its way; negative: a secret cannot be read. */
static int
call_login(struct call *c)
{
	static const char *const names[] = {
		[LOGIN_PLAIN] = "AUTH=PLAIN",
		[LOGIN_LOGIN] = "AUTH=LOGIN",
		[LOGIN_XOAUTH2] = "AUTH=XOAUTH2",
	};
	const struct relay_options *o = &c->relay->o;
	SCOPED(secret_deinit) struct text secret = { 0 };
	int rc;

	if (o->login == LOGIN_NONE)
		return 0;
	rc = c->relay->bearer != NULL ? bearer_get(c->relay->bearer, &secret, &c->token)
				      : o->secret(o->secret_arg, &secret);
	if (rc == 0) {
		curl_easy_setopt(c->line.easy, CURLOPT_USERNAME, o->user);
		curl_easy_setopt(c->line.easy,
		    o->login == LOGIN_XOAUTH2 ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
		    text_string(&secret));
		curl_easy_setopt(c->line.easy, CURLOPT_LOGIN_OPTIONS, names[o->login]);
		curl_easy_setopt(c->line.easy, CURLOPT_SASL_IR, 1L);
	}
	return rc;
}

static void
call_prepare(struct call *c)
{
	const struct relay_options *o = &c->relay->o;
	int64_t wait = o->dot_wait.us / 1000;

	c->line = (struct line){ .opened = on_opened, .ready = on_ready, .lost = on_lost };
	line_init(&c->line, c->relay->transport, c->relay->url, o->ca_file, o->may_private);
	c->line.plain = o->tls == TLS_NONE;
	if (wait < CONNECT_SECONDS_MAX * 1000)
		curl_easy_setopt(c->line.easy, CURLOPT_CONNECTTIMEOUT_MS, (long)wait);
	curl_easy_setopt(c->line.easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(c->line.easy, CURLOPT_USE_SSL,
	    o->tls == TLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(c->line.easy, CURLOPT_ERRORBUFFER, c->error);
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
call_open(struct relay *r)
{
	struct call *c = calloc(1, sizeof *c);
	int i = 0, rc;

	if (c == NULL)
		abort();
	while (r->calls[i] != NULL) /* wanted <= CALLS_MAX */
		i++;
	r->calls[i] = c;
	r->carrier.active++;
	r->serving++;
	c->relay = r;
	call_prepare(c);
	rc = call_login(c);
	if (rc != 0) {
		call_free(c);
		if (rc < 0)
			connect_failed(r, "our login for this server cannot be read");
		return false;
	}
	if (line_open(&c->line) < 0) {
		call_free(c);
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

	for (int i = 0; i < CALLS_MAX; i++)
		n += r->calls[i] != NULL && !r->calls[i]->line.open;
	return n;
}

/* Outside of everybody's callbacks: hand parcels to idle lines, open new ones. */
static void
on_pump(void *arg)
{
	struct relay *r = arg;

	for (int i = 0; i < CALLS_MAX; i++) {
		struct call *c = r->calls[i];

		if (c == NULL || !c->line.open)
			continue;
		if (c->line.gone)
			call_cut(c, false);
		else if (r->serving > r->wanted && smtp_is_idle(&c->session))
			call_quit(c);
		else if (r->hungry && smtp_is_idle(&c->session))
			call_turn(c);
	}
	if (r->hungry && r->to_open == 0 && connecting(r) == 0)
		r->to_open = 1;
	while (r->hungry && r->to_open > 0 && r->serving < r->wanted &&
	    r->carrier.active < CALLS_MAX) {
		r->to_open--;
		if (!call_open(r))
			break;
	}
	r->to_open = 0;
}

static void
on_tick(void *arg)
{
	struct relay *r = arg;
	struct instant now = clock_monotonic();

	for (int i = 0; i < CALLS_MAX; i++) {
		struct call *c = r->calls[i];
		int64_t silent;

		if (c == NULL || !c->line.open || c->line.gone)
			continue;
		if (c->session.progress != c->seen) {
			c->seen = c->session.progress;
			c->since = now;
			continue;
		}
		silent = instant_diff(now, c->since).us;
		if (!smtp_is_idle(&c->session)) {
			if (silent >= smtp_patience(&c->session).us)
				call_cut(c, true);
		} else if (silent >= SPAN_OF(IDLE_SECONDS, 1).us) {
			call_quit(c);
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

	r->wanted = parallel < 0 ? 0 : parallel > CALLS_MAX ? CALLS_MAX : parallel;
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
relay_close(struct carrier **cp)
{
	struct relay *r = (struct relay *)*cp;

	*cp = NULL;
	if (r == NULL)
		return;
	r->hungry = false;
	r->wanted = 0;
	for (int i = 0; i < CALLS_MAX; i++) {
		struct call *c = r->calls[i];
		size_t n;

		if (c == NULL)
			continue;
		if (c->line.open && !c->line.gone && smtp_is_idle(&c->session))
			line_send(&c->line, "QUIT\r\n", 6, &n); /* as a courtesy */
		if (c->line.open)
			smtp_abandon(&c->session);
		call_free(c);
	}
	bearer_free(&r->bearer);
	r->wires->cut(&r->tick);
	r->wires->cut(&r->pump);
	free(r->url);
	free(r);
}

bool
relay_is_host(const char *s)
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

	if (!relay_is_host(o->host) || !relay_is_host(o->helo) || o->port < 1 || o->port > 65535)
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
