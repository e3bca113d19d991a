/*
 * CalDAV (RFC 4791): one .ics per invitation in a person's calendar, put there, changed, taken out.
 *
 *   message      PUT If-None-Match: *          412 ▶ look
 *   update       PUT If-Match: ETag            412 ▶ look
 *   withdrawal   DELETE If-Match: ETag         412 ▶ look;  404 is done
 *
 * Every request may be repeated: the name of the object is made from its UID, so a second one finds
 * the first.  An answer that was lost shows as 412 at the next attempt; then we look what is there
 * (GET, UID and SEQUENCE) and conclude.  Who has no ETag (the first answer was lost for good, or
 * the server tells none) looks before changing.  An object of another UID is never touched.
 *
 * A job is one delivery; it owns its easy handle and lives until done().
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/parse.h"
#include "base/scope.h"
#include "deliver/carriers.h"
#include "deliver/net/transport.h"

enum { ANSWER_BYTES = 256 << 10, REQUEST_SECONDS = 60, LOOKS_MOST = 3, HTTP_PRECONDITION = 412 };

enum step { STEP_PUT, STEP_LOOK, STEP_DELETE };
struct dav;
struct job {
	struct dav *dav;
	struct job *next;
	struct parcel *parcel;
	CURL *easy;
	struct curl_slist *headers;
	struct transport_guard guard;
	enum step step;
	int looks;
	char match[RECEIPT_TEXT]; /* ETag of what is there as far as we know; "" none, or weak */
	bool is_there;            /* something of ours is there: change it, never put it anew */
	char etag[RECEIPT_TEXT];  /* of this answer */
	struct text answer;
};
struct dav {
	struct carrier c; /* first */
	struct dav_options o;
	struct carrier_host host;
	struct transport *transport;
	struct job *jobs;
	int parallel;
};

static void dav_pump(struct dav *d);
static void job_step(struct job *j, enum step step);

/* ---- what is there ---- */

/* The value of a property at the beginning of a line, unfolded; "" when there is none. */
static void
property_find(const struct text *ics, const char *name, struct text *ret)
{
	const char *p = text_string(ics), *end = p + ics->len;
	size_t len = strlen(name);

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl != NULL ? nl + 1 : end;

		if ((size_t)(end - p) > len && strncasecmp(p, name, len) == 0 &&
		    (p[len] == ':' || p[len] == ';')) {
			const char *colon = memchr(p, ':', (size_t)(next - p));

			for (p = colon != NULL ? colon + 1 : next; p < end; p++) {
				if (*p == '\r')
					continue;
				if (*p != '\n')
					text_putc(ret, *p);
				else if (p + 1 < end && (p[1] == ' ' || p[1] == '\t'))
					p++;
				else
					return;
			}
			return;
		}
		p = next;
	}
}

static int64_t
sequence_of(const struct text *ics)
{
	SCOPED(text_deinit) struct text s = { 0 };
	int64_t n = 0;

	property_find(ics, "SEQUENCE", &s);
	return parse_int(text_string(&s), 0, INT32_MAX, &n) ? n : 0;
}

static bool
is_ours(const struct job *j)
{
	SCOPED(text_deinit) struct text uid = { 0 };

	property_find(&j->answer, "UID", &uid);
	return strcmp(text_string(&uid), j->parcel->key) == 0;
}

/* ---- ends ---- */

static void
job_unlink(struct job *j)
{
	struct job **p = &j->dav->jobs;

	while (*p != j)
		p = &(*p)->next;
	*p = j->next;
	j->dav->c.active--;
}

static void
job_free(struct job *j)
{
	transport_drop(j->dav->transport, j->easy);
	curl_easy_cleanup(j->easy);
	curl_slist_free_all(j->headers);
	text_deinit(&j->answer);
	free(j);
}

static void
job_end(struct job *j, const struct outcome *o)
{
	struct dav *d = j->dav;
	struct parcel *p = j->parcel;

	job_unlink(j);
	job_free(j);
	d->host.done(d->host.courier, &d->c, p, o);
}

static void
job_finish(struct job *j, enum fate fate, const char *reason, int code)
{
	struct outcome o = { .fate = fate, .reason = reason, .code = code };

	if (fate == FATE_DELIVERED)
		snprintf(o.receipt, sizeof o.receipt, "%s", j->etag);
	job_end(j, &o);
}

/* ---- requests ---- */

/* A strong ETag (RFC 9110 8.8.3) of printable characters; others cannot be sent back. */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct job *j = arg;
	size_t len = size * n, at = 5;

	if (len <= at || strncasecmp(line, "ETag:", at) != 0)
		return len;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (len > at && (unsigned char)line[len - 1] <= ' ')
		len--;
	j->etag[0] = '\0';
	if (len - at < 2 || len - at >= sizeof j->etag || line[at] != '"' || line[len - 1] != '"')
		return size * n;
	for (size_t i = at; i < len; i++)
		if ((unsigned char)line[i] < 0x21 || (unsigned char)line[i] > 0x7e)
			return size * n;
	memcpy(j->etag, line + at, len - at);
	j->etag[len - at] = '\0';
	return size * n;
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

/* COLLECTION/UID.ics; the @ of a UID is spelled differently by different servers, so it is a -. */
static void
url_put(const struct job *j, struct text *ret)
{
	const char *s = j->dav->o.url, *slot;

	while ((slot = strstr(s, "{person}")) != NULL) {
		text_add(ret, s, (size_t)(slot - s));
		text_add_percent(ret, j->parcel->recipient);
		s = slot + strlen("{person}");
	}
	text_puts(ret, s);
	if (ret->len > 0 && ret->s[ret->len - 1] != '/')
		text_putc(ret, '/');
	for (s = j->parcel->key; *s != '\0'; s++)
		text_putc(ret,
		    (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			    (*s >= '0' && *s <= '9') || *s == '.' || *s == '-'
			? *s
			: '-');
	text_puts(ret, ".ics");
}

static void
header_add(struct job *j, const char *line)
{
	struct curl_slist *more = curl_slist_append(j->headers, line);

	if (more == NULL)
		abort();
	j->headers = more;
}

/* What must be true of the object there, so that a repetition or a stranger's change shows. */
static void
headers_set(struct job *j)
{
	char line[RECEIPT_TEXT + 16];

	curl_slist_free_all(j->headers);
	j->headers = NULL;
	if (j->step == STEP_PUT) {
		header_add(j, "Content-Type: text/calendar; charset=utf-8");
		header_add(j, "Expect:");
	}
	if (j->step == STEP_LOOK)
		header_add(j, "Accept: text/calendar");
	else if (j->match[0] != '\0') {
		snprintf(line, sizeof line, "If-Match: %s", j->match);
		header_add(j, line);
	} else
		header_add(j, j->is_there ? "If-Match: *" : "If-None-Match: *");
	curl_easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->headers);
}

static void
method_set(struct job *j)
{
	if (j->step == STEP_DELETE)
		curl_easy_setopt(j->easy, CURLOPT_CUSTOMREQUEST, "DELETE");
	if (j->step != STEP_PUT)
		return;
	curl_easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->parcel->body.len);
	curl_easy_setopt(j->easy, CURLOPT_POSTFIELDS, text_string(&j->parcel->body));
	curl_easy_setopt(j->easy, CURLOPT_CUSTOMREQUEST, "PUT");
}

/* Who we are; the password is read anew, since somebody may have changed it. */
static int
login_set(struct job *j)
{
	const struct dav_options *o = &j->dav->o;
	SCOPED(secret_deinit) struct text secret = { 0 };
	int rc;

	if (o->user == NULL)
		return 0;
	rc = o->secret != NULL ? o->secret(o->secret_arg, &secret) : 0;
	if (rc < 0)
		return rc;
	curl_easy_setopt(j->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	curl_easy_setopt(j->easy, CURLOPT_USERNAME, o->user);
	curl_easy_setopt(j->easy, CURLOPT_PASSWORD, text_string(&secret));
	return 0;
}

static int
request_prepare(struct job *j)
{
	SCOPED(text_deinit) struct text url = { 0 };

	curl_easy_reset(j->easy);
	transport_prepare(j->easy, &j->guard, j->dav->o.ca_file);
	url_put(j, &url);
	curl_easy_setopt(j->easy, CURLOPT_PROTOCOLS_STR,
	    j->dav->o.may_private ? "https,http" : "https");
	curl_easy_setopt(j->easy, CURLOPT_URL, text_string(&url));
	curl_easy_setopt(j->easy, CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
	curl_easy_setopt(j->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(j->easy, CURLOPT_HEADERDATA, j);
	curl_easy_setopt(j->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(j->easy, CURLOPT_WRITEDATA, j);
	method_set(j);
	headers_set(j);
	return login_set(j);
}

/* ---- answers ---- */

/* What stands in the calendar, and so what is left to do. */
static void
looked(struct job *j, int status)
{
	bool withdraw = j->parcel->kind == PARCEL_WITHDRAWAL;
	int64_t there, mine;

	if (status == 404 || status == 410) {
		if (withdraw)
			job_finish(j, FATE_DELIVERED, "it is no longer in the calendar", status);
		else if (j->parcel->kind == PARCEL_UPDATE && j->parcel->receipt[0] != '\0')
			job_finish(j, FATE_NEVER, "the person took it out of the calendar", status);
		else {
			j->is_there = false;
			j->match[0] = '\0';
			job_step(j, STEP_PUT);
		}
		return;
	}
	if (!is_ours(j)) {
		job_finish(j, FATE_NEVER, "another event stands in its place", status);
		return;
	}
	j->is_there = true;
	memcpy(j->match, j->etag, sizeof j->match);
	there = sequence_of(&j->answer);
	mine = sequence_of(&j->parcel->body);
	if (withdraw)
		job_step(j, STEP_DELETE);
	else if (there == mine)
		job_finish(j, FATE_DELIVERED, "the server had it already", status);
	else if (there > mine)
		job_finish(j, FATE_DELIVERED, "the server has a newer one", status);
	else
		job_step(j, STEP_PUT);
}

/* Refusals that concern this person's calendar and not the server (RFC 4918 11, RFC 4791 5.3.2). */
static const struct {
	int status;
	enum fate fate;
	const char *reason;
} refusals[] = {
	{ 403, FATE_NEVER, "we may not write into this person's calendar" },
	{ 404, FATE_NEVER, "this person's calendar is not there" },
	{ 409, FATE_NEVER, "this person's calendar is not there" },
	{ 410, FATE_NEVER, "this person's calendar is not there" },
	{ 413, FATE_OURS, "the event is larger than the server takes" },
	{ 415, FATE_OURS, "the server cannot read the event" },
	{ 422, FATE_OURS, "the server cannot read the event" },
	{ 423, FATE_AGAIN, "the event is locked by somebody" },
	{ 507, FATE_AGAIN, "this person's calendar is full" },
};

static void
refused(struct job *j, int status)
{
	struct outcome o;
	curl_off_t after = 0;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (refusals[i].status == status) {
			o = (struct outcome){ .fate = refusals[i].fate, .reason = refusals[i].reason,
				.code = status };
			outcome_detail(&o, text_string(&j->answer), j->answer.len);
			job_end(j, &o);
			return;
		}
	curl_easy_getinfo(j->easy, CURLINFO_RETRY_AFTER, &after);
	o = verdict_http(status, SPAN_OF(after < 86400 ? after : 86400, 1));
	if (o.fate == FATE_DELIVERED) /* a 2xx that is not an answer to this request */
		o = (struct outcome){ .fate = FATE_AGAIN, .reason = "an answer that does not fit",
			.code = status };
	outcome_detail(&o, text_string(&j->answer), j->answer.len);
	job_end(j, &o);
}

static void
answered(struct job *j, int status)
{
	bool good = status == 200 || status == 201 || status == 204;

	if (j->step == STEP_LOOK && (status == 200 || status == 404 || status == 410))
		looked(j, status);
	else if (j->step == STEP_DELETE && (good || status == 202))
		job_finish(j, FATE_DELIVERED, "taken out of the calendar", status);
	else if (j->step == STEP_DELETE && (status == 404 || status == 410))
		job_finish(j, FATE_DELIVERED, "it is no longer in the calendar", status);
	else if (j->step == STEP_PUT && good)
		job_finish(j, FATE_DELIVERED, "in the calendar", status);
	else if (j->step != STEP_LOOK && status == HTTP_PRECONDITION && j->looks < LOOKS_MOST)
		job_step(j, STEP_LOOK);
	else
		refused(j, status);
}

static void
on_done(void *arg, CURL *easy, CURLcode result)
{
	struct job *j = arg;
	struct dav *d = j->dav;
	struct outcome o;
	long status = 0, sent = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
	transport_drop(d->transport, easy);
	if (result == CURLE_OK)
		answered(j, (int)status);
	else {
		o = verdict_curl((int)result, sent > 0, true, j->guard.refused);
		job_end(j, &o);
	}
	dav_pump(d);
}

/* The next request of this delivery; what it may no longer do is told to the courier. */
static void
job_step(struct job *j, enum step step)
{
	const struct carrier_host *host = &j->dav->host;
	struct outcome back = { .fate = FATE_BACK, .reason = "it was stopped" };

	j->step = step;
	j->looks += step == STEP_LOOK;
	j->etag[0] = '\0';
	text_clear(&j->answer);
	if (step != STEP_LOOK && !host->may_go(host->courier, j->parcel)) {
		job_end(j, &back);
		return;
	}
	back.reason = "the calendar's password cannot be read";
	back.trouble = TROUBLE_REFUSED;
	if (request_prepare(j) < 0 || transport_start(j->dav->transport, j->easy, on_done, j) < 0)
		job_end(j, &back);
}

static void
job_begin(struct dav *d, struct parcel *p)
{
	struct job *j = calloc(1, sizeof *j);
	enum step step = p->kind == PARCEL_WITHDRAWAL ? STEP_DELETE : STEP_PUT;

	if (j == NULL || (j->easy = curl_easy_init()) == NULL)
		abort();
	j->dav = d;
	j->parcel = p;
	j->guard.may_private = d->o.may_private;
	j->next = d->jobs;
	d->jobs = j;
	d->c.active++;
	if (p->kind != PARCEL_MESSAGE) {
		j->is_there = true;
		if (snprintf(j->match, sizeof j->match, "%s", p->receipt) == 0)
			step = STEP_LOOK;
	}
	job_step(j, step);
}

/* ---- the carrier ---- */

static void
dav_pump(struct dav *d)
{
	struct parcel *p;

	while (d->c.active < d->parallel &&
	       (p = d->host.next(d->host.courier, &d->c)) != NULL)
		job_begin(d, p);
}

static void
dav_work(struct carrier *c, int parallel)
{
	struct dav *d = (struct dav *)c;

	d->parallel = parallel;
	dav_pump(d);
}

/* Idle connections are curl's own; it ends them by age. */
static void
dav_rest(struct carrier *c)
{
	((struct dav *)c)->parallel = 0;
}

/* What is under way goes back: doing it again is harmless. */
static void
dav_close(struct carrier **cp)
{
	struct dav *d = (struct dav *)*cp;
	const struct outcome back = { .fate = FATE_BACK, .reason = "nudged ended" };

	*cp = NULL;
	d->parallel = 0;
	while (d->jobs != NULL)
		job_end(d->jobs, &back);
	free(d);
}

int
dav_new(const struct dav_options *o, const struct carrier_host *host, struct transport *t,
    struct carrier **ret)
{
	struct dav *d;

	if (strncmp(o->url, "https://", 8) != 0 && !o->may_private)
		return FAIL(-EINVAL, "a calendar's address begins with https://");
	d = calloc(1, sizeof *d);
	if (d == NULL)
		abort();
	d->c = (struct carrier){ .work = dav_work, .rest = dav_rest, .close = dav_close };
	d->o = *o;
	d->host = *host;
	d->transport = t;
	*ret = &d->c;
	return 0;
}
