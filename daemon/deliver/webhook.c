/*
 * Chat over HTTPS: one request a delivery, as the row of its format says (compose/chat_format.h).
 *
 * When a request is really under way is known to one place, libcurl's callback right before it is
 * sent: there the peer's address is checked, the courier is asked whether it may still go, and a
 * second time is refused.  For libcurl repeats a request by itself when a connection it reused
 * turns out closed, and the server may have acted on the first: harmless with a key, else a doubt.
 *
 * What an answer means: its status first, for it says what the server did even when the rest of the
 * answer never came; then, where a format has them, the member that says it went well and the name
 * of the error.  The address is a secret and stands in nothing that leaves this file.
 *
 * A job is one delivery.  Jobs are kept with their handles for the next one.
 */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/scope.h"
#include "deliver/carriers.h"
#include "deliver/transport.h"

enum {
	ANSWER_BYTES = 64 << 10,
	REQUEST_SECONDS = 30,
	IDLE_SECONDS = 60,  /* a connection idle for longer may be dead without saying so */
	WAIT_LONGEST = 86400,
	SPARE_MOST = 64,
	PATH_TELLS = 6,     /* a last part of a path this long may be the secret */
};

struct hook;
struct job {
	struct hook *hook;
	struct job *next;
	struct parcel *parcel;
	CURL *easy;
	struct curl_slist *headers;
	struct transport_guard guard;
	struct text url, answer, header;
	bool stopped;    /* the courier said no */
	bool repeated;   /* libcurl wanted to send it a second time */
	bool plain;      /* http to a host outside the house */
	int requests;    /* that were about to be sent */
};
struct hook {
	struct carrier c; /* first */
	struct hook_options o;
	const struct chat_row *row;
	struct carrier_host host;
	struct transport *transport;
	struct job *jobs, *spare;
	struct instant used; /* last, on the clock that only goes on */
	int parallel, n_spare;
};

static void hook_pump(struct hook *h);

/* ---- errors by name ---- */

/* What a system's own words add to the status; any other word changes nothing. */
static const struct {
	enum chat_format format;
	const char *code;
	enum fate fate;
	enum trouble trouble;
	const char *reason;
} words[] = {
	{ CHAT_MATTERMOST, "web.incoming_webhook.user.app_error", FATE_NEVER, TROUBLE_NONE,
	    "the chat system knows no such person" },
	{ CHAT_MATTERMOST, "web.incoming_webhook.channel.app_error", FATE_NEVER, TROUBLE_NONE,
	    "the chat system knows no such channel" },
	{ CHAT_MATTERMOST, "web.incoming_webhook.invalid.app_error", FATE_NEVER, TROUBLE_REFUSED,
	    "the hook is gone" },
	{ CHAT_MATTERMOST, "web.incoming_webhook.disabled.app_error", FATE_BACK, TROUBLE_REFUSED,
	    "the chat system's hooks are switched off" },
	{ CHAT_ROCKETCHAT, "invalid-channel", FATE_NEVER, TROUBLE_NONE,
	    "the chat system knows no such person or channel" },
	{ CHAT_ROCKETCHAT, "error-invalid-room", FATE_NEVER, TROUBLE_NONE,
	    "the chat system knows no such person or channel" },
	{ CHAT_TEAMS, "WorkflowTriggerIsNotEnabled", FATE_BACK, TROUBLE_REFUSED,
	    "the workflow is switched off" },
	{ CHAT_TEAMS, "WorkflowNotFound", FATE_NEVER, TROUBLE_REFUSED, "the hook is gone" },
	{ CHAT_MATRIX, "M_LIMIT_EXCEEDED", FATE_AGAIN, TROUBLE_BUSY, "the server says we send too much" },
	{ CHAT_MATRIX, "M_FORBIDDEN", FATE_NEVER, TROUBLE_NONE, "we may not write in this room" },
	{ CHAT_MATRIX, "M_UNKNOWN_TOKEN", FATE_BACK, TROUBLE_REFUSED,
	    "the server does not accept our login" },
	{ CHAT_ZULIP, "RATE_LIMIT_HIT", FATE_AGAIN, TROUBLE_BUSY, "the server says we send too much" },
	{ CHAT_ZULIP, "STREAM_DOES_NOT_EXIST", FATE_NEVER, TROUBLE_NONE,
	    "the chat system knows no such channel" },
	{ CHAT_ZULIP, "BAD_REQUEST", FATE_NEVER, TROUBLE_NONE, "the chat system cannot reach this person" },
	{ CHAT_ZULIP, "INVALID_API_KEY", FATE_BACK, TROUBLE_REFUSED,
	    "the server does not accept our login" },
};

/* "a.b" in an object. */
static json_t *
member(json_t *j, const char *path)
{
	char name[32];
	size_t len = strcspn(path, ".");

	if (len >= sizeof name || !json_is_object(j))
		return NULL;
	memcpy(name, path, len);
	name[len] = '\0';
	j = json_object_get(j, name);
	return path[len] == '.' ? member(j, path + len + 1) : j;
}

/* A member's value as a word; "" when there is none. */
static const char *
member_word(json_t *j, const char *path, char buf[static RECEIPT_TEXT])
{
	json_t *v = path != NULL ? member(j, path) : NULL;

	buf[0] = '\0';
	if (json_is_string(v))
		snprintf(buf, RECEIPT_TEXT, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(buf, RECEIPT_TEXT, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, RECEIPT_TEXT, "%s", json_is_true(v) ? "true" : "false");
	for (char *s = buf; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			*s = '?';
	return buf;
}

/* How long the server asks us to wait: the header, or a member of its answer; nonsense is nothing. */
static struct span
wait_of(const struct job *j, json_t *answer)
{
	const struct chat_row *row = j->hook->row;
	json_t *v = row->wait_field != NULL ? member(answer, row->wait_field) : NULL;
	curl_off_t header = 0;
	double us = 0;

	curl_easy_getinfo(j->easy, CURLINFO_RETRY_AFTER, &header);
	if (json_is_number(v))
		us = json_number_value(v) * (double)row->wait_unit_us;
	if (header > 0 && us < (double)header * 1e6)
		us = (double)header * 1e6;
	if (us > WAIT_LONGEST * 1e6)
		us = WAIT_LONGEST * 1e6;
	return (struct span){ us > 0 ? (int64_t)us : 0 };
}

/* ---- answers ---- */

/* The server's words, unless they repeat what may be the secret part of the address. */
static void
detail_put(const struct job *j, struct outcome *o)
{
	const char *last = strrchr(text_string(&j->url), '/');
	SCOPED(text_deinit) struct text secret = { 0 };

	if (last != NULL)
		text_add(&secret, last + 1, strcspn(last + 1, "?#"));
	if (secret.len >= PATH_TELLS && strstr(text_string(&j->answer), secret.s) != NULL)
		return;
	outcome_detail(o, text_string(&j->answer), j->answer.len);
}

static void
words_apply(const struct job *j, json_t *answer, struct outcome *o)
{
	const struct chat_row *row = j->hook->row;
	char buf[RECEIPT_TEXT];
	const char *code = member_word(answer, row->code_field, buf);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].format == j->hook->o.format && strcmp(words[i].code, code) == 0) {
			o->fate = words[i].fate;
			o->trouble = words[i].trouble;
			o->reason = words[i].reason;
			return;
		}
	/* the hook itself, unless many share the address: then it was about this person */
	if (o->code == 404 || o->code == 410) {
		o->trouble = row->shared ? TROUBLE_NONE : TROUBLE_REFUSED;
		o->reason = row->shared ? "the chat system knows no such person or channel"
					: "the hook is gone";
	}
}

/* A good status is not all, where a format says in its answer whether it went well. */
static void
good_check(const struct job *j, json_t *answer, struct outcome *o)
{
	const struct chat_row *row = j->hook->row;
	char buf[RECEIPT_TEXT];

	o->reason = row->shown ? "the chat system shows it" : "the chat system has taken it";
	member_word(answer, row->receipt_field, o->receipt);
	if (row->ok_field == NULL || strcmp(member_word(answer, row->ok_field, buf), row->ok_value) == 0)
		return;
	o->receipt[0] = '\0';
	if (buf[0] == '\0') {
		o->fate = row->keyed ? FATE_AGAIN : FATE_UNCERTAIN;
		o->reason = "the answer does not say whether it was taken";
		return;
	}
	o->fate = FATE_OURS;
	o->reason = "the chat system did not take it";
	words_apply(j, answer, o);
	detail_put(j, o);
}

static void
answered(const struct job *j, int status, struct outcome *ret)
{
	json_t *answer = json_loadb(text_string(&j->answer), j->answer.len, 0, NULL);

	*ret = verdict_http(status, wait_of(j, answer));
	if (ret->fate == FATE_DELIVERED)
		good_check(j, answer, ret);
	else {
		words_apply(j, answer, ret);
		detail_put(j, ret);
	}
	if (ret->fate == FATE_AGAIN)
		ret->after = wait_of(j, answer);
	json_decref(answer);
}

static void
job_judge(struct job *j, CURLcode result, struct outcome *ret)
{
	bool keyed = j->hook->row->keyed;
	long status = 0;

	curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &status);
	if (j->stopped)
		*ret = (struct outcome){ .fate = FATE_BACK, .reason = "it was stopped" };
	else if (j->repeated)
		*ret = verdict_curl(CURLE_GOT_NOTHING, true, keyed, false);
	else if (j->plain)
		*ret = verdict_curl(CURLE_UNSUPPORTED_PROTOCOL, false, keyed, false);
	else if (status >= 200 && !j->guard.refused)
		answered(j, (int)status, ret); /* however the rest of it ended */
	else if (result == CURLE_UNSUPPORTED_PROTOCOL && j->requests > 0) /* of the answer, not ours */
		*ret = verdict_curl(CURLE_WEIRD_SERVER_REPLY, true, keyed, false);
	else
		*ret = verdict_curl((int)result, j->requests > 0, keyed, j->guard.refused);
}

/* ---- jobs ---- */

static void
job_free(struct job *j)
{
	curl_easy_cleanup(j->easy);
	curl_slist_free_all(j->headers);
	text_deinit(&j->url);
	text_deinit(&j->answer);
	text_deinit(&j->header);
	free(j);
}

static void
job_end(struct job *j, const struct outcome *o)
{
	struct hook *h = j->hook;
	struct parcel *p = j->parcel;
	struct job **at = &h->jobs;

	transport_drop(h->transport, j->easy);
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	h->c.active--;
	h->used = clock_monotonic();
	if (h->n_spare < SPARE_MOST) {
		j->next = h->spare;
		h->spare = j;
		h->n_spare++;
	} else
		job_free(j);
	h->host.done(h->host.courier, &h->c, p, o);
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct job *j = arg;

	if (j->answer.len + size * n > ANSWER_BYTES)
		return 0;
	text_add(&j->answer, p, size * n);
	return size * n;
}

/* Right before a request is sent, on whatever connection. */
static int
on_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct job *j = arg;
	const struct carrier_host *host = &j->hook->host;
	bool inside = peer == NULL || transport_is_inside(peer);

	(void)own;
	(void)peer_port;
	(void)own_port;
	j->guard.refused = inside && !j->guard.may_private;
	j->plain = !inside && strncmp(text_string(&j->url), "http:", 5) == 0;
	j->repeated = j->requests > 0 && !j->hook->row->keyed;
	if (j->guard.refused || j->plain || j->repeated)
		return CURL_PREREQFUNC_ABORT;
	j->stopped = !host->may_go(host->courier, j->parcel);
	if (j->stopped)
		return CURL_PREREQFUNC_ABORT;
	j->requests++;
	return CURL_PREREQFUNC_OK;
}

static struct job *
job_new(struct hook *h)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL || (j->easy = curl_easy_init()) == NULL)
		abort();
	j->hook = h;
	j->guard.may_private = h->o.may_private;
	transport_prepare(j->easy, &j->guard, h->o.ca_file);
	curl_easy_setopt(j->easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(j->easy, CURLOPT_PREREQDATA, j);
	curl_easy_setopt(j->easy, CURLOPT_PROTOCOLS_STR, h->o.may_private ? "http,https" : "https");
	curl_easy_setopt(j->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(j->easy, CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
	curl_easy_setopt(j->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(j->easy, CURLOPT_WRITEDATA, j);
	curl_easy_setopt(j->easy, CURLOPT_USERAGENT, "nudged");
	if (strcmp(h->row->method, "POST") != 0)
		curl_easy_setopt(j->easy, CURLOPT_CUSTOMREQUEST, h->row->method);
	return j;
}

/* ---- the request ---- */

static void
percent_put(struct text *t, const char *s)
{
	for (; *s != '\0'; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		    strchr("-._~", *s) != NULL)
			text_putc(t, *s);
		else
			text_addf(t, "%%%02X", (unsigned char)*s);
}

/* The places of an address: {to} and {key}. */
static void
places_fill(struct text *ret, const char *s, const struct parcel *p)
{
	while (*s != '\0')
		if (strncmp(s, "{to}", 4) == 0) {
			percent_put(ret, p->recipient);
			s += 4;
		} else if (strncmp(s, "{key}", 5) == 0) {
			percent_put(ret, p->key);
			s += 5;
		} else
			text_putc(ret, *s++);
}

/* A file of secrets ends with a line end. */
static void
trim(struct text *t)
{
	while (t->len > 0 && (unsigned char)t->s[t->len - 1] <= ' ')
		t->s[--t->len] = '\0';
}

/* More than a host: then the address is whole as it stands. */
static bool
has_path(const char *url)
{
	const char *host = strstr(url, "://"), *slash = host != NULL ? strchr(host + 3, '/') : NULL;

	return slash != NULL && slash[1] != '\0';
}

static int
url_set(struct job *j)
{
	const struct hook *h = j->hook;
	SCOPED(text_deinit) struct text url = { 0 };
	int rc = h->o.url(h->o.secret_arg, &url);

	if (rc < 0)
		return rc;
	trim(&url);
	if (h->row->path != NULL && !has_path(text_string(&url))) {
		if (url.len > 0 && url.s[url.len - 1] == '/')
			url.s[--url.len] = '\0';
		text_puts(&url, h->row->path);
	} else if (h->row->path != NULL && h->row->keyed && strstr(text_string(&url), "{key}") == NULL)
		return -EINVAL; /* what makes repeats harmless would be missing */
	if (h->row->query != NULL && strstr(text_string(&url), h->row->query) == NULL) {
		text_putc(&url, strchr(text_string(&url), '?') != NULL ? '&' : '?');
		text_puts(&url, h->row->query);
	}
	text_clear(&j->url);
	places_fill(&j->url, text_string(&url), j->parcel);
	return curl_easy_setopt(j->easy, CURLOPT_URL, text_string(&j->url)) == CURLE_OK ? 0 : -EINVAL;
}

/* false: it holds what cannot stand in a header. */
static bool
header_add(struct job *j, const char *name, const char *value)
{
	struct curl_slist *more;

	for (const char *s = value; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	text_clear(&j->header);
	text_puts(&j->header, name);
	text_puts(&j->header, ": ");
	text_puts(&j->header, value);
	more = curl_slist_append(j->headers, text_string(&j->header));
	if (more == NULL)
		abort();
	j->headers = more;
	return true;
}

static bool
signature_add(struct job *j, const char *secret)
{
	SCOPED(text_deinit) struct text signature = { 0 };
	int64_t now = instant_floor(clock_now());
	char at[24];

	snprintf(at, sizeof at, "%lld", (long long)now);
	return chat_sign(secret, j->parcel->key, now, &j->parcel->body, &signature) &&
	       header_add(j, "webhook-id", j->parcel->key) && header_add(j, "webhook-timestamp", at) &&
	       header_add(j, "webhook-signature", text_string(&signature));
}

static bool
login_set(struct job *j, struct text *secret)
{
	SCOPED(text_deinit) struct text value = { 0 };

	switch (j->hook->row->auth) {
	case AUTH_BEARER:
		text_puts(&value, "Bearer ");
		text_puts(&value, text_string(secret));
		return secret->len == 0 || header_add(j, "Authorization", text_string(&value));
	case AUTH_BASIC:
		curl_easy_setopt(j->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		return curl_easy_setopt(j->easy, CURLOPT_USERPWD, text_string(secret)) == CURLE_OK;
	case AUTH_SIGNED:
		return secret->len > 0 && signature_add(j, text_string(secret));
	case AUTH_URL:
	default:
		return true;
	}
}

/* 0; negative: what the configuration says cannot be used. */
static int
request_set(struct job *j)
{
	const struct hook *h = j->hook;
	const struct parcel *p = j->parcel;
	SCOPED(text_deinit) struct text secret = { 0 };
	int rc = url_set(j);

	if (rc == 0 && h->row->auth != AUTH_URL && h->o.secret != NULL)
		rc = h->o.secret(h->o.secret_arg, &secret);
	if (rc < 0)
		return rc;
	trim(&secret);
	curl_slist_free_all(j->headers);
	j->headers = NULL;
	header_add(j, "Content-Type", h->row->content_type);
	j->headers = curl_slist_append(j->headers, "Expect:");
	if (!login_set(j, &secret))
		return -EINVAL;
	curl_easy_setopt(j->easy, CURLOPT_FRESH_CONNECT,
	    instant_diff(clock_monotonic(), h->used).us > INT64_C(1000000) * IDLE_SECONDS ? 1L : 0L);
	curl_easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->headers);
	curl_easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
	curl_easy_setopt(j->easy, CURLOPT_POSTFIELDS, text_string(&p->body));
	return 0;
}

static void
on_done(void *arg, CURL *easy, CURLcode result)
{
	struct job *j = arg;
	struct hook *h = j->hook;
	struct outcome o;

	(void)easy;
	job_judge(j, result, &o);
	job_end(j, &o);
	hook_pump(h);
}

static void
job_begin(struct hook *h, struct parcel *p)
{
	const struct outcome back = { .fate = FATE_BACK, .trouble = TROUBLE_REFUSED,
		.reason = "the address or secret of the hook cannot be used" };
	struct job *j = h->spare;

	if (j != NULL) {
		h->spare = j->next;
		h->n_spare--;
	} else
		j = job_new(h);
	j->parcel = p;
	j->guard.refused = j->stopped = j->repeated = j->plain = false;
	j->requests = 0;
	text_clear(&j->answer);
	j->next = h->jobs;
	h->jobs = j;
	h->c.active++;
	if (request_set(j) < 0 || transport_start(h->transport, j->easy, on_done, j) < 0)
		job_end(j, &back);
}

/* ---- the carrier ---- */

static void
hook_pump(struct hook *h)
{
	struct parcel *p;

	while (h->c.active < h->parallel && (p = h->host.next(h->host.courier, &h->c)) != NULL)
		job_begin(h, p);
}

static void
hook_work(struct carrier *c, int parallel)
{
	struct hook *h = (struct hook *)c;

	h->parallel = parallel;
	hook_pump(h);
}

/* Idle connections are libcurl's own; it ends them by age. */
static void
hook_rest(struct carrier *c)
{
	((struct hook *)c)->parallel = 0;
}

/* What a server may have is in doubt, unless doing it again is harmless. */
static void
hook_close(struct carrier **cp)
{
	struct hook *h = (struct hook *)*cp;

	*cp = NULL;
	h->parallel = 0;
	while (h->jobs != NULL) {
		bool doubt = h->jobs->requests > 0 && !h->row->keyed;

		job_end(h->jobs, &(struct outcome){ .fate = doubt ? FATE_UNCERTAIN : FATE_BACK,
				     .reason = doubt ? "nudged ended before the answer came"
						     : "nudged ended" });
	}
	for (struct job *j; (j = h->spare) != NULL;) {
		h->spare = j->next;
		job_free(j);
	}
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
	h->host = *host;
	h->transport = t;
	*ret = &h->c;
	return 0;
}
