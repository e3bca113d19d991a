/*
 * Chat over HTTPS: one request a delivery, as the row of its format says (compose/chat_format.h),
 * over a few connections that libcurl opens and encrypts (line.h) and http.h speaks on.
 *
 *   absent ──libcurl──▶ connecting ──▶ idle ──a parcel──▶ asked ──its answer──▶ idle
 *                          └──▶ absent   └──▶ absent ◀──────┘     idle too long, closed, too many
 *
 * Connections open as they find work: one, and two more for each that got a parcel right after it
 * was made, up to what work() allows.  So one message costs one connection or two.
 *
 * Before a parcel is taken the connection is looked at: who closed it, or spoke unasked, gets
 * nothing more, and another is opened.  From the first byte that left on, an answer that does not
 * come is a doubt, unless the format has a key: a request is never repeated here (RFC 9110 9.2.2).
 *
 * Every new connection's address is checked before it is made.  The hook's address is a secret and
 * stands in nothing that leaves this file; libcurl gets to know the host only.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/scope.h"
#include "deliver/carriers.h"
#include "deliver/net/line.h"
#include "deliver/web/hook_answer.h"
#include "deliver/web/hook_request.h"

enum {
	CALLS_MOST = 64,
	REQUEST_SECONDS = 30,
	/* Many servers close after five seconds: what we ask just then is in doubt. */
	IDLE_SECONDS = 4,
	READ_ROOM = 16384,
};

struct hook;
struct call {
	struct line line; /* first */
	struct hook *hook;
	struct http http;
	struct parcel *parcel; /* whose answer is awaited; NULL: none */
	struct text target;
	struct instant since; /* asked, or idle, on the clock that only goes on */
	unsigned edition;     /* of the address it was made for */
	bool fresh;           /* made, and had no parcel yet */
	bool ended;           /* by the other end */
};
struct hook {
	struct carrier c; /* first */
	struct hook_options o;
	const struct chat_row *row;
	struct carrier_host host;
	struct transport *transport;
	const struct wires *wires;
	struct call *calls[CALLS_MOST];
	int wanted;
	bool hungry; /* parcels wait, as far as we know */
	bool ticking;
	int to_open; /* connections that the next pump may open */
	struct wire *tick, *pump;
	struct hook_keys keys;
	char buf[READ_ROOM];
};

/* ---- a connection's end ---- */

static void
call_free(struct call *c)
{
	struct hook *h = c->hook;

	line_deinit(&c->line);
	http_deinit(&c->http);
	text_deinit(&c->target);
	for (int i = 0; i < CALLS_MOST; i++)
		if (h->calls[i] == c)
			h->calls[i] = NULL;
	h->c.active--;
	free(c);
}

/* Without a parcel.  again: at no fault of the server, so another may be opened at once. */
static void
call_end(struct call *c, bool again)
{
	struct hook *h = c->hook;

	call_free(c);
	if (again && h->hungry) {
		h->to_open++;
		h->wires->arm(h->pump);
	}
}

static void
call_fail(struct call *c, CURLcode code)
{
	struct hook *h = c->hook;
	struct outcome o = verdict_curl((int)code, false, h->row->keyed, c->line.guard.refused);

	call_free(c);
	h->host.connected(h->host.courier, &h->c, &o);
}

/* ---- answers ---- */

static const CURLcode breaks[] = {
	[HTTP_NONSENSE] = CURLE_WEIRD_SERVER_REPLY,
	[HTTP_CUT] = CURLE_GOT_NOTHING,
	[HTTP_SILENCE] = CURLE_OPERATION_TIMEDOUT,
};

static void
call_settle(struct call *c, const struct outcome *o)
{
	struct hook *h = c->hook;
	struct parcel *p = c->parcel;

	c->parcel = NULL;
	h->host.done(h->host.courier, &h->c, p, o);
}

static void
call_judge(struct call *c)
{
	struct hook *h = c->hook;
	bool left = http_has_left(&c->http);
	struct outcome o;

	if (c->http.status != 0)
		hook_answer_judge(
		    &c->http, h->o.format, text_string(&c->target), clock_now(), &o);
	else {
		o = verdict_curl((int)breaks[c->http.why], left, h->row->keyed, false);
		if (!left && !c->fresh) /* it had been used: a server may close it at any time */
			o.trouble = TROUBLE_NONE;
	}
	call_settle(c, &o);
}

/* ---- requests ---- */

/* Has it idled so long that the server may close it just now? */
static bool
call_is_old(const struct call *c, struct instant now)
{
	struct span limit = SPAN_OF(IDLE_SECONDS, 1);

	if (c->http.idle.us > 0 && c->http.idle.us / 2 < limit.us)
		limit.us = c->http.idle.us / 2;
	return instant_diff(now, c->since).us >= limit.us;
}

/* Nothing is there to be read while nothing is asked.  false: the call has ended. */
static bool
call_is_quiet(struct call *c)
{
	struct hook *h = c->hook;
	size_t n;
	enum line_io io = line_recv(&c->line, h->buf, sizeof h->buf, &n);

	if (io == LINE_EMPTY)
		return true;
	if (c->fresh && h->hungry) /* it did not even wait to be asked */
		call_fail(c, io == LINE_MOVED ? CURLE_WEIRD_SERVER_REPLY : CURLE_GOT_NOTHING);
	else
		call_end(c, true);
	return false;
}

/* Queue the request.  false: told, and not begun. */
static bool
call_ask(struct call *c, struct parcel *p)
{
	struct hook *h = c->hook;
	struct outcome back = { .fate = FATE_BACK, .reason = "it was stopped" };
	SCOPED(hook_request_deinit) struct hook_request r = { 0 };

	hook_request_make(&h->keys, p, &r);
	text_clear(&c->target);
	text_puts(&c->target, r.request.target);
	c->parcel = p;
	if (h->host.may_go(h->host.courier, p)) {
		if (http_ask(&c->http, &r.request))
			return true;
		back.trouble = TROUBLE_REFUSED;
		back.reason = "the address or secret of the hook cannot be used";
	}
	call_settle(c, &back);
	return false;
}

static void
call_read(struct call *c)
{
	struct hook *h = c->hook;
	enum line_io io;
	size_t n;

	while ((io = line_recv(&c->line, h->buf, sizeof h->buf, &n)) == LINE_MOVED) {
		http_input(&c->http, h->buf, n);
		if (c->http.state != HTTP_ASKED && !http_is_free(&c->http))
			return; /* whatever else comes */
		if (c->line.plain && c->http.state != HTTP_ASKED)
			return; /* call_is_quiet() looks for more */
	}
	if (io == LINE_ENDED) {
		c->ended = true;
		http_cut(&c->http, HTTP_CUT);
	}
}

static void
call_flush(struct call *c)
{
	enum line_io io = LINE_MOVED;
	struct slice out;
	size_t n;

	while (io == LINE_MOVED && (out = http_output(&c->http)).len > 0) {
		io = line_send(&c->line, out.s, out.len, &n);
		http_sent(&c->http, n);
	}
	if (io == LINE_ENDED) { /* it may have said why before it closed */
		call_read(c);
		c->ended = true;
		http_cut(&c->http, HTTP_CUT);
	}
	line_watch_writing(&c->line, io == LINE_EMPTY);
}

/* false: the courier was told why nothing can be asked. */
static bool
hook_is_usable(struct hook *h, struct instant now)
{
	if (hook_keys_look(&h->keys, now))
		return true;
	h->hungry = false;
	h->host.connected(h->host.courier, &h->c, &h->keys.fault);
	return false;
}

/* Take a parcel that waits and ask.  false: none is under way here, or the call has ended. */
static bool
call_take(struct call *c)
{
	struct hook *h = c->hook;
	struct instant now = clock_monotonic();
	struct parcel *p;

	if (!h->hungry) {
		call_is_quiet(c);
		return false;
	}
	if (!hook_is_usable(h, now))
		return false;
	if (c->edition != h->keys.edition || h->c.active > h->wanted) {
		h->wires->arm(h->pump); /* it ends there */
		return false;
	}
	if (call_is_old(c, now)) {
		call_end(c, true);
		return false;
	}
	if (!call_is_quiet(c))
		return false;
	do {
		p = h->host.next(h->host.courier, &h->c);
		h->hungry = p != NULL;
	} while (p != NULL && !call_ask(c, p));
	if (p == NULL)
		return false;
	c->since = now;
	if (c->fresh) {
		h->to_open += 2;
		h->wires->arm(h->pump);
	}
	call_flush(c);
	return true;
}

/* After anything that happened to it. */
static void
call_go_on(struct call *c)
{
	struct hook *h = c->hook;

	while (c->http.state != HTTP_ASKED) {
		if (c->parcel != NULL) {
			call_judge(c);
			c->fresh = false;
			c->since = clock_monotonic();
		}
		if (c->ended || !http_is_free(&c->http)) {
			if (c->fresh && h->hungry)
				call_fail(c, c->ended ? CURLE_GOT_NOTHING : CURLE_WEIRD_SERVER_REPLY);
			else
				call_end(c, true);
			return;
		}
		if (!call_take(c))
			return;
	}
}

/* ---- what the loop tells ---- */

static void
on_ready(struct line *l, unsigned events)
{
	struct call *c = (struct call *)l;

	if (events & WIRE_READ)
		call_read(c);
	if (http_output(&c->http).len > 0)
		call_flush(c);
	call_go_on(c);
}

static void
on_lost(struct line *l)
{
	struct call *c = (struct call *)l;

	c->hook->wires->arm(c->hook->pump);
}

static void
on_opened(struct line *l, CURLcode result)
{
	struct call *c = (struct call *)l;

	if (result == CURLE_OK && l->plain && !line_is_inside(l))
		result = CURLE_UNSUPPORTED_PROTOCOL;
	if (result != CURLE_OK) {
		call_fail(c, result);
		return;
	}
	/* Not told as connected(): a front door that opens says little of the hook behind it. */
	c->fresh = true;
	c->since = clock_monotonic();
	call_go_on(c);
}

/* ---- the carrier ---- */

/* One connection more.  false: it could not even be begun. */
static bool
call_open(struct hook *h)
{
	struct call *c = calloc(1, sizeof *c);
	int i = 0;

	if (c == NULL)
		abort();
	while (h->calls[i] != NULL) /* wanted <= CALLS_MOST */
		i++;
	h->calls[i] = c;
	h->c.active++;
	c->hook = h;
	c->edition = h->keys.edition;
	c->line = (struct line){ .opened = on_opened, .ready = on_ready, .lost = on_lost,
		.edge = true };
	line_init(&c->line, h->transport, text_string(&h->keys.address.origin), h->o.ca_file,
	    h->o.may_private);
	if (line_open(&c->line) < 0) {
		call_fail(c, CURLE_OUT_OF_MEMORY);
		return false;
	}
	if (!h->ticking) {
		h->ticking = true;
		h->wires->set(h->tick, SPAN_OF(1, 1));
	}
	return true;
}

static void
call_pump(struct call *c)
{
	struct hook *h = c->hook;

	if (c->line.gone) {
		c->ended = true;
		http_cut(&c->http, HTTP_CUT);
		call_go_on(c);
	} else if (c->parcel == NULL && (c->edition != h->keys.edition || h->c.active > h->wanted))
		call_end(c, c->edition != h->keys.edition);
	else if (c->parcel == NULL)
		call_go_on(c);
}

/* Outside of everybody's callbacks: hand parcels to idle connections, open new ones. */
static void
on_pump(void *arg)
{
	struct hook *h = arg;
	int connecting = 0;

	for (int i = 0; i < CALLS_MOST; i++)
		if (h->calls[i] != NULL && h->calls[i]->line.open)
			call_pump(h->calls[i]);
	for (int i = 0; i < CALLS_MOST; i++)
		connecting += h->calls[i] != NULL && !h->calls[i]->line.open;
	if (h->to_open == 0 && connecting == 0)
		h->to_open = 1;
	while (h->hungry && h->to_open > 0 && h->c.active < h->wanted &&
	    hook_is_usable(h, clock_monotonic())) {
		h->to_open--;
		if (!call_open(h))
			break;
	}
	h->to_open = 0;
}

static void
on_tick(void *arg)
{
	struct hook *h = arg;
	struct instant now = clock_monotonic();

	for (int i = 0; i < CALLS_MOST; i++) {
		struct call *c = h->calls[i];
		int64_t silent;

		if (c == NULL || !c->line.open || c->line.gone)
			continue;
		silent = instant_diff(now, c->since).us;
		if (c->parcel != NULL && silent >= SPAN_OF(REQUEST_SECONDS, 1).us) {
			http_cut(&c->http, HTTP_SILENCE);
			c->ended = true;
			call_go_on(c);
		} else if (c->parcel == NULL && silent >= SPAN_OF(IDLE_SECONDS, 1).us)
			call_end(c, true);
	}
	h->ticking = h->c.active > 0;
	if (h->ticking)
		h->wires->set(h->tick, SPAN_OF(1, 1));
}

static void
hook_work(struct carrier *c, int parallel)
{
	struct hook *h = (struct hook *)c;

	h->wanted = parallel < 0 ? 0 : parallel > CALLS_MOST ? CALLS_MOST : parallel;
	h->hungry = h->wanted > 0;
	h->wires->arm(h->pump);
}

/* The tick ends what stays idle. */
static void
hook_rest(struct carrier *c)
{
	((struct hook *)c)->hungry = false;
}

/* What a server may have is in doubt, unless doing it again is harmless. */
static void
hook_close(struct carrier **cp)
{
	struct hook *h = (struct hook *)*cp;

	*cp = NULL;
	h->hungry = false;
	h->wanted = 0;
	for (int i = 0; i < CALLS_MOST; i++) {
		struct call *c = h->calls[i];
		bool doubt;

		if (c == NULL)
			continue;
		doubt = http_has_left(&c->http) && !h->row->keyed;
		if (c->parcel != NULL)
			call_settle(c, &(struct outcome){ .fate = doubt ? FATE_UNCERTAIN : FATE_BACK,
				.reason = doubt ? "nudged ended before the answer came"
						: "nudged ended" });
		call_free(c);
	}
	h->wires->cut(&h->tick);
	h->wires->cut(&h->pump);
	hook_keys_deinit(&h->keys);
	free(h);
}

int
hook_new(const struct hook_options *o, const struct carrier_host *host, struct transport *t,
    struct carrier **ret)
{
	struct hook *h;

	if (o->url == NULL || o->format >= CHAT_FORMATS)
		return FAIL(-EINVAL, "a hook needs an address and a known format");
	if (chat_rows[o->format].auth == AUTH_SIGNED && o->secret == NULL)
		return FAIL(-EINVAL, "a signed webhook needs a signing key");
	h = calloc(1, sizeof *h);
	if (h == NULL)
		abort();
	h->c = (struct carrier){ .work = hook_work, .rest = hook_rest, .close = hook_close };
	h->o = *o;
	h->row = &chat_rows[o->format];
	h->keys = (struct hook_keys){ .options = &h->o, .row = h->row };
	h->host = *host;
	h->transport = t;
	h->wires = transport_wires(t);
	h->tick = h->wires->alarm(h->wires->loop, on_tick, h);
	h->pump = h->wires->rest(h->wires->loop, on_pump, h);
	if (h->tick == NULL || h->pump == NULL) {
		struct carrier *c = &h->c;

		hook_close(&c);
		return FAIL(-ENOMEM, "no memory for a hook");
	}
	*ret = &h->c;
	return 0;
}
