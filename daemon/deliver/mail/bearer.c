#include "deliver/mail/bearer.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scope.h"
#include "deliver/net/transport.h"

enum {
	ANSWER_BYTES = 64 << 10,
	TOKEN_BYTES = 16 << 10,
	REQUEST_SECONDS = 30,
	LIFE_SECONDS = 300,  /* of a token whose server does not say (expires_in is only recommended) */
	LIFE_MOST = 86400,
	EARLY_SECONDS = 60,  /* a connection needs a moment to be made */
	PATH_ROOM = 4096,
};

struct bearer {
	struct bearer_options o;
	struct transport *transport;
	bearer_fn *ready;
	void *arg;
	CURL *easy; /* NULL: none is being fetched */
	struct transport_guard guard;
	char error[CURL_ERROR_SIZE];
	struct text answer;
	struct text token;      /* empty: none */
	struct text refresh;    /* the one that the request under way was made with */
	struct instant until;   /* on the clock that only goes on */
	unsigned number;        /* of the token */
	bool taken;             /* the mail server took it once */
	bool waits;             /* for its turn, before `next` */
	struct bearer *next;
};

/* ---- secrets do not stay in memory that is given back ---- */

static void
secret_wipe(struct text *t)
{
	if (t->s != NULL)
		explicit_bzero(t->s, t->room);
	text_clear(t);
}

/* VSCHAR (RFC 6749 A.12): neither a line end nor another header can hide in it. */
static bool
is_token(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f)
			return false;
	return n > 0 && n <= TOKEN_BYTES;
}

/* ---- the refresh token that replaced the secret's ---- */

static bool
kept_path(const struct bearer *b, char path[static PATH_ROOM])
{
	return snprintf(path, PATH_ROOM, "%s/refresh-%s", b->o.folder, b->o.name) < PATH_ROOM;
}

/* The secret's own, or its latest successor. */
static int
refresh_load(struct bearer *b)
{
	SCOPED(secret_deinit) struct text kept = { 0 };
	char path[PATH_ROOM];
	int rc;

	secret_wipe(&b->refresh);
	rc = b->o.refresh(b->o.arg, &b->refresh);
	if (rc != 0 || !kept_path(b, path) || file_read_quiet(path, 2 * TOKEN_BYTES + 2, &kept) != 0)
		return rc;
	/* two lines: the secret that it began with, and the present one */
	if (kept.len > b->refresh.len + 1 && kept.s[b->refresh.len] == '\n' &&
	    memcmp(kept.s, b->refresh.s, b->refresh.len) == 0) {
		SCOPED(secret_deinit) struct text next = { 0 };

		text_puts(&next, kept.s + b->refresh.len + 1);
		if (is_token(text_string(&next))) {
			secret_wipe(&b->refresh);
			text_add(&b->refresh, next.s, next.len);
		}
	}
	return 0;
}

static void
refresh_keep(struct bearer *b, const char *next)
{
	SCOPED(secret_deinit) struct text both = { 0 };
	char path[PATH_ROOM];

	if (strcmp(next, text_string(&b->refresh)) == 0 || !is_token(next) || !kept_path(b, path) ||
	    b->o.refresh(b->o.arg, &both) != 0)
		return;
	text_putc(&both, '\n');
	text_puts(&both, next);
	if (file_write(path, both.s, both.len, 1) < 0)
		log_say(LOG_ERROR,
		    "the new refresh token for %s cannot be kept: after the next start the old one is tried",
		    b->o.name);
}

/* ---- the answer ---- */

static const char *
member_text(json_t *answer, const char *name)
{
	const char *s = json_string_value(json_object_get(answer, name));

	return s != NULL ? s : "";
}

static struct span
life_of(json_t *answer)
{
	json_t *v = json_object_get(answer, "expires_in");
	double s = json_is_number(v) ? json_number_value(v) : LIFE_SECONDS;

	if (json_is_string(v)) /* some servers quote it */
		s = strtod(json_string_value(v), NULL);
	if (!(s > 0))
		s = LIFE_SECONDS;
	return SPAN_OF(s < LIFE_MOST ? (int64_t)s : LIFE_MOST, 1);
}

/* false: there is none in it. */
static bool
token_keep(struct bearer *b, json_t *answer)
{
	const char *token = member_text(answer, "access_token");
	struct span life = life_of(answer), early = SPAN_OF(EARLY_SECONDS, 1);

	if (!is_token(token))
		return false;
	if (early.us > life.us / 2)
		early.us = life.us / 2;
	secret_wipe(&b->token);
	text_puts(&b->token, token);
	b->until = instant_add(clock_monotonic(), (struct span){ life.us - early.us });
	b->number++;
	b->taken = false;
	if (b->o.refresh != NULL)
		refresh_keep(b, member_text(answer, "refresh_token"));
	return true;
}

/* An answer that repeats one of our secrets is not shown. */
static bool
shows_secret(struct bearer *b, const char *words)
{
	SCOPED(secret_deinit) struct text secret = { 0 };

	if (b->refresh.len > 0 && strstr(words, b->refresh.s) != NULL)
		return true;
	return b->o.client_secret != NULL && b->o.client_secret(b->o.arg, &secret) == 0 &&
	    strstr(words, text_string(&secret)) != NULL;
}

/* The server's own words (RFC 6749 5.2). */
static void
detail_put(struct bearer *b, struct outcome *o, json_t *answer)
{
	SCOPED(text_deinit) struct text words = { 0 };

	text_puts(&words, member_text(answer, "error"));
	if (words.len > 0)
		text_puts(&words, ": ");
	text_puts(&words, member_text(answer, "error_description"));
	if (shows_secret(b, text_string(&words)))
		words.s[strcspn(words.s, ":")] = '\0';
	outcome_detail(o, text_string(&words), strlen(text_string(&words)));
}

static struct outcome
refusal(struct bearer *b, long status, json_t *answer)
{
	struct outcome o = { .fate = FATE_BACK, .code = (int)status };
	curl_off_t after = 0;

	curl_easy_getinfo(b->easy, CURLINFO_RETRY_AFTER, &after);
	if (status == 429 || status >= 500) {
		o.trouble = TROUBLE_BUSY;
		o.reason = "the token server is busy";
		o.after = SPAN_OF(after > 0 && after < LIFE_MOST ? after : 0, 1);
	} else if (status >= 400) {
		o.trouble = TROUBLE_REFUSED;
		o.reason = "the token server does not accept our login";
	} else {
		o.trouble = TROUBLE_DOWN;
		o.reason = "the token server's answer holds no token";
	}
	detail_put(b, &o, answer);
	return o;
}

static struct outcome
unreached(const struct bearer *b, CURLcode result)
{
	struct outcome o = verdict_curl((int)result, false, true, b->guard.refused);

	o.fate = FATE_BACK;
	if (o.trouble == TROUBLE_NONE)
		o.trouble = TROUBLE_DOWN;
	o.reason = o.trouble == TROUBLE_REFUSED ? "the token server's certificate is not good"
						: "the token server cannot be reached";
	outcome_detail(&o, b->error, strlen(b->error));
	return o;
}

static void turn_end(struct bearer *b);

static void
fetch_end(struct bearer *b)
{
	transport_drop(b->transport, b->easy);
	curl_easy_cleanup(b->easy);
	b->easy = NULL;
	secret_wipe(&b->answer);
	secret_wipe(&b->refresh);
	turn_end(b);
}

static void
on_answer(void *arg, CURL *easy, CURLcode result)
{
	struct bearer *b = arg;
	json_t *answer = NULL;
	struct outcome o;
	long status = 0;
	bool good = false;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK) {
		answer = json_loadb(text_string(&b->answer), b->answer.len, 0, NULL);
		good = status == 200 && token_keep(b, answer);
		o = refusal(b, status, answer);
		json_decref(answer);
	} else
		o = unreached(b, result);
	fetch_end(b);
	b->ready(b->arg, good ? NULL : &o);
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct bearer *b = arg;

	if (b->answer.len + size * n > ANSWER_BYTES)
		return 0;
	text_add(&b->answer, p, size * n);
	return size * n;
}

/* ---- the request ---- */

/* application/x-www-form-urlencoded. */
static void
form_put(struct text *form, const char *name, const char *value)
{
	if (form->len > 0)
		text_putc(form, '&');
	text_puts(form, name);
	text_putc(form, '=');
	text_add_percent(form, value);
}

static int
form_make(struct bearer *b, struct text *form)
{
	SCOPED(secret_deinit) struct text secret = { 0 };
	int rc = b->o.refresh != NULL ? refresh_load(b) : 0;

	if (rc == 0 && b->o.client_secret != NULL)
		rc = b->o.client_secret(b->o.arg, &secret);
	if (rc != 0)
		return rc;
	form_put(form, "grant_type", b->o.refresh != NULL ? "refresh_token" : "client_credentials");
	if (b->o.refresh != NULL)
		form_put(form, "refresh_token", text_string(&b->refresh));
	form_put(form, "client_id", b->o.client);
	if (b->o.client_secret != NULL)
		form_put(form, "client_secret", text_string(&secret));
	if (b->o.scope != NULL)
		form_put(form, "scope", b->o.scope);
	return 0;
}

static int
request_send(struct bearer *b)
{
	SCOPED(secret_deinit) struct text form = { 0 };
	int rc = form_make(b, &form);

	if (rc < 0) {
		turn_end(b);
		return rc;
	}
	b->easy = curl_easy_init();
	if (b->easy == NULL)
		abort();
	b->guard = (struct transport_guard){ .may_private = true }; /* the configuration names it */
	b->error[0] = '\0';
	transport_prepare(b->easy, &b->guard, b->o.ca_file);
	curl_easy_setopt(b->easy, CURLOPT_URL, b->o.url);
	curl_easy_setopt(b->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(b->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(b->easy, CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
	curl_easy_setopt(b->easy, CURLOPT_USERAGENT, "nudged");
	curl_easy_setopt(b->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(b->easy, CURLOPT_WRITEDATA, b);
	curl_easy_setopt(b->easy, CURLOPT_ERRORBUFFER, b->error);
	curl_easy_setopt(b->easy, CURLOPT_POSTFIELDSIZE, (long)form.len);
	curl_easy_setopt(b->easy, CURLOPT_COPYPOSTFIELDS, text_string(&form));
	rc = transport_start(b->transport, b->easy, on_answer, b);
	if (rc < 0)
		fetch_end(b);
	return rc;
}

/* ---- one after the other ---- */

/* 0: it is being fetched, or will be. */
static int
fetch(struct bearer *b)
{
	struct bearer_turn *t = b->o.turn;
	struct bearer **last;

	if (t == NULL || t->busy == NULL) {
		if (t != NULL)
			t->busy = b;
		return request_send(b);
	}
	for (last = &t->waiting; *last != NULL; last = &(*last)->next)
		continue;
	*last = b;
	b->next = NULL;
	b->waits = true;
	return 0;
}

static void
turn_end(struct bearer *b)
{
	static const struct outcome unread = { .fate = FATE_BACK, .trouble = TROUBLE_REFUSED,
		.reason = "our login for the token server cannot be read" };
	struct bearer_turn *t = b->o.turn;
	struct bearer *next;

	if (t == NULL || t->busy != b)
		return;
	t->busy = NULL;
	while (t->busy == NULL && (next = t->waiting) != NULL) {
		t->waiting = next->next;
		next->waits = false;
		if (fetch(next) < 0)
			next->ready(next->arg, &unread);
	}
}

static void
turn_leave(struct bearer *b)
{
	struct bearer **p = &b->o.turn->waiting;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	b->waits = false;
}

/* ---- the token ---- */

int
bearer_get(struct bearer *b, struct text *ret, unsigned *ret_number)
{
	int rc;

	if (b->token.len > 0 && instant_before(clock_monotonic(), b->until)) {
		text_clear(ret);
		text_add(ret, b->token.s, b->token.len);
		*ret_number = b->number;
		return 0;
	}
	rc = b->easy != NULL || b->waits ? 0 : fetch(b);
	return rc < 0 ? rc : 1;
}

void
bearer_taken(struct bearer *b, unsigned number)
{
	if (number == b->number)
		b->taken = true;
}

bool
bearer_refused(struct bearer *b, unsigned number)
{
	/* Gone: another connection that used it was refused before this one. */
	bool gone = number != b->number || b->token.len == 0, again = gone || b->taken;

	if (!gone) {
		secret_wipe(&b->token);
		b->taken = false;
	}
	return again;
}

int
bearer_new(const struct bearer_options *o, struct transport *t, bearer_fn *ready, void *arg,
    struct bearer **ret)
{
	struct bearer *b;

	if (strncmp(o->url, "https://", 8) != 0)
		return FAIL(-EINVAL, "a token is fetched over https only, not from %.60s", o->url);
	b = calloc(1, sizeof *b);
	if (b == NULL)
		abort();
	b->o = *o;
	b->transport = t;
	b->ready = ready;
	b->arg = arg;
	*ret = b;
	return 0;
}

void
bearer_free(struct bearer **bp)
{
	struct bearer *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	if (b->waits)
		turn_leave(b);
	if (b->easy != NULL)
		fetch_end(b);
	secret_deinit(&b->answer);
	secret_deinit(&b->token);
	secret_deinit(&b->refresh);
	free(b);
}
