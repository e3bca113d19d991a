#include "deliver/web/hook_request.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/scope.h"

/* ---- secrets ---- */

/* A file of secrets ends with a line end. */
static void
trim(struct text *t)
{
	while (t->len > 0 && (unsigned char)t->s[t->len - 1] <= ' ')
		t->s[--t->len] = '\0';
}

void
hook_keys_deinit(struct hook_keys *k)
{
	secret_deinit(&k->url);
	secret_deinit(&k->secret);
	secret_deinit(&k->login);
	hook_address_deinit(&k->address);
}

static void
url_use(struct hook_keys *k, struct text *url)
{
	SCOPED(text_deinit) struct text origin = { 0 };
	enum address_flaw flaw;

	if (k->url.s != NULL && strcmp(text_string(url), text_string(&k->url)) == 0)
		return;
	secret_deinit(&k->url);
	text_puts(&origin, text_string(&k->address.origin));
	flaw = hook_address_read(text_string(url), k->row, k->options->may_private, &k->address);
	if (flaw != ADDRESS_GOOD) {
		k->fault = verdict_curl(
		    flaw == ADDRESS_SCHEME ? CURLE_UNSUPPORTED_PROTOCOL : CURLE_URL_MALFORMAT, false,
		    k->row->keyed, false);
		return;
	}
	k->edition += strcmp(text_string(&origin), text_string(&k->address.origin)) != 0;
	k->url = *url;
	*url = (struct text){ 0 };
}

/* The Authorization field.  false: the secret cannot be used. */
static bool
login_use(struct hook_keys *k)
{
	SCOPED(text_deinit) struct text signature = { 0 };
	const struct text nothing = { 0 };

	secret_deinit(&k->login);
	if (k->row->auth == AUTH_BEARER && k->secret.len > 0) {
		text_puts(&k->login, "Bearer ");
		text_puts(&k->login, text_string(&k->secret));
	} else if (k->row->auth == AUTH_BASIC)
		chat_basic(&k->secret, &k->login);
	else if (k->address.user.len > 0)
		chat_basic(&k->address.user, &k->login);
	return k->row->auth != AUTH_SIGNED ||
	    (k->secret.len > 0 && chat_sign(text_string(&k->secret), "", 0, &nothing, &signature));
}

static void
secrets_read(struct hook_keys *k)
{
	const struct hook_options *o = k->options;
	struct text url = { 0 };
	int rc = o->url(o->secret_arg, &url);

	k->fault = (struct outcome){ 0 };
	secret_deinit(&k->secret);
	if (rc == 0 && k->row->auth != AUTH_URL && o->secret != NULL)
		rc = o->secret(o->secret_arg, &k->secret);
	trim(&url);
	trim(&k->secret);
	if (rc == 0)
		url_use(k, &url);
	if (rc < 0 || (k->fault.reason == NULL && !login_use(k)))
		k->fault = (struct outcome){ .fate = FATE_BACK, .trouble = TROUBLE_REFUSED,
			.reason = "the address or secret of the hook cannot be used" };
	secret_deinit(&url);
}

bool
hook_keys_look(struct hook_keys *k, struct instant now)
{
	if (k->looked.us == 0 || k->fault.reason != NULL ||
	    instant_diff(now, k->looked).us >= SPAN_OF(1, 1).us) {
		k->looked = now;
		secrets_read(k);
	}
	return k->fault.reason == NULL;
}

/* ---- the request ---- */

static void
field_add(struct hook_request *r, const char *name, const char *value)
{
	r->fields[r->request.n_fields++] = (struct http_field){ name, value };
}

void
hook_request_make(const struct hook_keys *k, const struct parcel *p, struct hook_request *ret)
{
	int64_t now = instant_floor(clock_now());

	*ret = (struct hook_request){ .request = { .method = k->row->method,
					  .host = text_string(&k->address.host),
					  .fields = ret->fields,
					  .body = { text_string(&p->body), p->body.len } } };
	hook_target_put(&k->address, p->recipient, p->key, &ret->target);
	ret->request.target = text_string(&ret->target);
	field_add(ret, "Content-Type", k->row->content_type);
	if (k->login.len > 0)
		field_add(ret, "Authorization", text_string(&k->login));
	if (k->row->auth != AUTH_SIGNED)
		return;
	snprintf(ret->at, sizeof ret->at, "%" PRId64, now);
	chat_sign(text_string(&k->secret), p->key, now, &p->body, &ret->signature);
	field_add(ret, "webhook-id", p->key);
	field_add(ret, "webhook-timestamp", ret->at);
	field_add(ret, "webhook-signature", text_string(&ret->signature));
}

void
hook_request_deinit(struct hook_request *r)
{
	text_deinit(&r->target);
	text_deinit(&r->signature);
}
