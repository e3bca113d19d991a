#include "deliver/web/hook_answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"

enum {
	WAIT_LONGEST = 86400,
	PATH_TELLS = 6, /* a last part of a path this long may be the secret */
};

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
wait_of(const struct chat_row *row, const struct http *h, json_t *answer, struct instant now)
{
	json_t *v = row->wait_field != NULL ? member(answer, row->wait_field) : NULL;
	double us = 0, field = (double)http_wait(h, now).us;

	if (json_is_number(v))
		us = json_number_value(v) * (double)row->wait_unit_us;
	if (us < field)
		us = field;
	if (us > WAIT_LONGEST * 1e6)
		us = WAIT_LONGEST * 1e6;
	return (struct span){ us > 0 ? (int64_t)us : 0 };
}

/* ---- answers ---- */

/* The server's words, unless they repeat what may be the secret part of the address. */
static void
detail_put(const struct http *h, const char *target, struct outcome *o)
{
	const char *last = strrchr(target, '/');
	SCOPED(text_deinit) struct text secret = { 0 };

	if (last != NULL)
		text_add(&secret, last + 1, strcspn(last + 1, "?#"));
	if (secret.len >= PATH_TELLS && memmem(text_string(&h->body), h->body.len, secret.s, secret.len) != NULL)
		return;
	outcome_detail(o, text_string(&h->body), h->body.len);
}

static void
words_apply(const struct chat_row *row, json_t *answer, struct outcome *o)
{
	char buf[RECEIPT_TEXT];
	const char *code = member_word(answer, row->code_field, buf);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (&chat_rows[words[i].format] == row && strcmp(words[i].code, code) == 0) {
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

/* A good status is not all, where a format says in its answer whether it went well.  false: it did not. */
static bool
good_check(const struct chat_row *row, json_t *answer, struct outcome *o)
{
	char buf[RECEIPT_TEXT];

	o->reason = row->shown ? "the chat system shows it" : "the chat system has taken it";
	member_word(answer, row->receipt_field, o->receipt);
	if (row->ok_field == NULL || strcmp(member_word(answer, row->ok_field, buf), row->ok_value) == 0)
		return true;
	o->receipt[0] = '\0';
	if (buf[0] == '\0') {
		o->fate = row->keyed ? FATE_AGAIN : FATE_UNCERTAIN;
		o->reason = "the answer does not say whether it was taken";
		return true;
	}
	o->fate = FATE_OURS;
	o->reason = "the chat system did not take it";
	return false;
}

/* Is there anything in the body that we would look at? */
static bool
has_say(const struct chat_row *row, int status)
{
	if (status >= 200 && status <= 299)
		return row->ok_field != NULL || row->receipt_field != NULL;
	return row->code_field != NULL || row->wait_field != NULL;
}

void
hook_answer_judge(const struct http *h, enum chat_format format, const char *target, struct instant now,
    struct outcome *ret)
{
	const struct chat_row *row = &chat_rows[format];
	json_t *answer = has_say(row, h->status)
	    ? json_loadb(text_string(&h->body), h->body.len, JSON_REJECT_DUPLICATES, NULL)
	    : NULL;
	struct span wait = wait_of(row, h, answer, now);

	*ret = verdict_http(h->status, wait);
	if (ret->fate != FATE_DELIVERED || !good_check(row, answer, ret)) {
		words_apply(row, answer, ret);
		detail_put(h, target, ret);
	}
	if (ret->fate == FATE_AGAIN)
		ret->after = wait;
	json_decref(answer);
}
