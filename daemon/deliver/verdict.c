/*
 * The one table from what a server said to what becomes of a delivery, after the idea of Postfix'
 * smtp_trouble.c.  The first row that fits counts, so the special ones come first.
 *
 * Two questions are kept apart.  The fate is this delivery's.  The trouble is everybody's who
 * waits for the same destination: what would befall the next one just the same (login, certificate,
 * our sender's domain) opens the circuit, so that one delivery dies of it and not ten thousand.
 */
#include "deliver/verdict.h"

#include <curl/curl.h>
#include <string.h>

#include "base/text.h"

const char *const fate_names[FATES] = {
	[FATE_DELIVERED] = "delivered",
	[FATE_AGAIN] = "again",
	[FATE_NEVER] = "never",
	[FATE_OURS] = "ours",
	[FATE_UNCERTAIN] = "uncertain",
	[FATE_BACK] = "back",
};

static struct outcome
outcome_of(enum fate fate, enum trouble trouble, const char *reason, int code)
{
	return (struct outcome){
		.fate = fate, .trouble = trouble, .reason = reason, .code = code
	};
}

/* SMTP. */

#define AT(stage) (1u << (stage))
#define BEFORE_MAIL (AT(STAGE_GREETING) | AT(STAGE_EHLO) | AT(STAGE_OTHER))
#define ENVELOPE (AT(STAGE_MAIL) | AT(STAGE_RCPT) | AT(STAGE_DATA))
#define WITH_RCPT (AT(STAGE_RCPT) | AT(STAGE_DATA) | AT(STAGE_DOT))
#define IN_MAIL (ENVELOPE | AT(STAGE_DOT))
#define ANYWHERE (BEFORE_MAIL | IN_MAIL)

/*
 * detail: subject and detail of RFC 3463 without the class, which the code's first digit decides;
 * a trailing dot takes every detail of a subject; NULL: whatever it is.
 */
static const struct {
	unsigned stages;
	int low, high;
	const char *detail;
	enum fate fate;
	enum trouble trouble;
	const char *reason;
} smtp_rows[] = {
	{ AT(STAGE_DOT), 200, 299, NULL, FATE_DELIVERED, TROUBLE_NONE,
	    "the server has taken it" },
	{ AT(STAGE_DOT), 300, 399, NULL, FATE_UNCERTAIN, TROUBLE_DOWN,
	    "the server answered the end of the mail with a question" },
	{ ANYWHERE, 200, 399, NULL, FATE_AGAIN, TROUBLE_DOWN,
	    "the server answered something that does not fit" },

	{ BEFORE_MAIL, 421, 421, NULL, FATE_BACK, TROUBLE_BUSY,
	    "the server closes the connection; it is busy or going down" },
	{ IN_MAIL, 421, 421, NULL, FATE_AGAIN, TROUBLE_BUSY,
	    "the server closes the connection; it is busy or going down" },
	{ BEFORE_MAIL, 530, 530, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server wants a login, or encryption first" },
	{ IN_MAIL, 530, 530, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server wants a login, or encryption first" },
	{ ANYWHERE, 534, 535, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server does not accept our login" },
	{ ANYWHERE, 538, 538, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server wants encryption before the login" },

	{ AT(STAGE_GREETING), 400, 499, NULL, FATE_BACK, TROUBLE_BUSY,
	    "the server asks to come back later" },
	{ AT(STAGE_GREETING), 500, 599, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server takes no mail from us" },
	{ AT(STAGE_EHLO), 400, 499, NULL, FATE_BACK, TROUBLE_BUSY,
	    "the server asks to come back later" },
	{ AT(STAGE_EHLO), 500, 599, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server does not like the name we greet it with" },
	{ AT(STAGE_OTHER), 454, 454, NULL, FATE_BACK, TROUBLE_DOWN,
	    "the server cannot encrypt or check logins at the moment" },
	{ AT(STAGE_OTHER), 400, 499, NULL, FATE_BACK, TROUBLE_BUSY,
	    "the server asks to come back later" },
	{ AT(STAGE_OTHER), 500, 599, NULL, FATE_BACK, TROUBLE_REFUSED,
	    "the server refuses the session" },

	/* A full mailbox is emptied; RFC 5321 4.5.3.1.10 reads 552 at RCPT as 452. */
	{ WITH_RCPT, 400, 599, ".2.2", FATE_AGAIN, TROUBLE_NONE, "the mailbox is full" },
	{ IN_MAIL, 500, 599, ".3.4", FATE_NEVER, TROUBLE_NONE,
	    "the mail is larger than the server takes" },
	{ AT(STAGE_MAIL), 552, 552, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the mail is larger than the server takes" },
	{ WITH_RCPT, 552, 552, NULL, FATE_AGAIN, TROUBLE_NONE, "the mailbox is full" },
	{ IN_MAIL, 400, 599, ".6.7", FATE_NEVER, TROUBLE_NONE,
	    "the server cannot take an address with letters beyond ASCII" },

	/* Of the server as a whole: slower, for everybody. */
	{ IN_MAIL, 400, 499, ".3.1", FATE_AGAIN, TROUBLE_BUSY,
	    "the server's disk is full" },
	{ IN_MAIL, 400, 499, ".3.2", FATE_AGAIN, TROUBLE_BUSY,
	    "the server takes no mail at the moment" },
	{ IN_MAIL, 400, 499, ".4.5", FATE_AGAIN, TROUBLE_BUSY, "the server is overloaded" },
	{ IN_MAIL, 400, 499, ".7.28", FATE_AGAIN, TROUBLE_BUSY,
	    "the server says we send too much" },
	{ AT(STAGE_MAIL) | AT(STAGE_DATA), 452, 452, NULL, FATE_AGAIN, TROUBLE_BUSY,
	    "the server has no room at the moment" },
	{ AT(STAGE_MAIL), 400, 499, NULL, FATE_AGAIN, TROUBLE_BUSY,
	    "the server takes nothing from our sender at the moment" },

	/* Of our sender; many servers judge it only at RCPT. */
	{ IN_MAIL, 500, 599, ".1.7", FATE_OURS, TROUBLE_REFUSED,
	    "the server refuses our sender address" },
	{ IN_MAIL, 500, 599, ".1.8", FATE_OURS, TROUBLE_REFUSED,
	    "the server refuses our sender address" },
	{ IN_MAIL, 500, 599, ".7.27", FATE_OURS, TROUBLE_REFUSED,
	    "the server refuses our sender address" },
	{ ENVELOPE, 503, 503, NULL, FATE_AGAIN, TROUBLE_DOWN,
	    "the server expected something else than a mail" },
	{ AT(STAGE_MAIL), 500, 504, NULL, FATE_OURS, TROUBLE_NONE,
	    "the server cannot read our sender address or its parameters" },
	{ AT(STAGE_MAIL), 555, 555, NULL, FATE_OURS, TROUBLE_NONE,
	    "the server cannot read our sender address or its parameters" },
	{ AT(STAGE_MAIL), 500, 599, NULL, FATE_OURS, TROUBLE_REFUSED,
	    "the server refuses our sender address" },

	/* Of this recipient. */
	{ WITH_RCPT, 400, 499, ".7.", FATE_AGAIN, TROUBLE_NONE,
	    "the server wants it later (greylisting, or a rule of its own)" },
	{ AT(STAGE_RCPT), 400, 499, NULL, FATE_AGAIN, TROUBLE_NONE,
	    "the server cannot take mail for this mailbox at the moment" },
	{ WITH_RCPT, 500, 599, ".1.1", FATE_NEVER, TROUBLE_NONE,
	    "there is no such mailbox" },
	{ WITH_RCPT, 500, 599, ".1.6", FATE_NEVER, TROUBLE_NONE, "the mailbox has moved" },
	{ WITH_RCPT, 500, 599, ".1.", FATE_NEVER, TROUBLE_NONE,
	    "there is no such address" },
	{ WITH_RCPT, 500, 599, ".2.1", FATE_NEVER, TROUBLE_NONE,
	    "the mailbox is switched off" },
	{ WITH_RCPT, 500, 599, ".4.", FATE_NEVER, TROUBLE_NONE,
	    "the server knows no way to this mailbox" },
	{ AT(STAGE_RCPT), 551, 551, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the mailbox has moved" },
	{ AT(STAGE_RCPT), 500, 504, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the server cannot read this address" },
	{ AT(STAGE_RCPT), 553, 553, NULL, FATE_NEVER, TROUBLE_NONE,
	    "there is no such address" },
	{ AT(STAGE_RCPT), 500, 599, ".7.", FATE_NEVER, TROUBLE_NONE,
	    "the server's rules do not let our mail to this mailbox" },
	{ AT(STAGE_RCPT), 500, 599, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the server has no mailbox for this address" },

	/* Of the text. */
	{ AT(STAGE_DATA), 400, 499, NULL, FATE_AGAIN, TROUBLE_NONE,
	    "the server takes no text at the moment" },
	{ AT(STAGE_DATA), 500, 599, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the server refuses the mail before it saw the text" },
	{ AT(STAGE_DOT), 452, 452, NULL, FATE_AGAIN, TROUBLE_BUSY,
	    "the server has no room at the moment" },
	{ AT(STAGE_DOT), 400, 499, NULL, FATE_AGAIN, TROUBLE_NONE,
	    "the server could not store it this time" },
	{ AT(STAGE_DOT), 500, 599, ".6.", FATE_OURS, TROUBLE_NONE,
	    "the server cannot read the text" },
	{ AT(STAGE_DOT), 500, 599, ".7.", FATE_OURS, TROUBLE_NONE,
	    "the server's rules refuse the text" },
	{ AT(STAGE_DOT), 500, 504, NULL, FATE_OURS, TROUBLE_NONE,
	    "the server cannot read the text" },
	{ AT(STAGE_DOT), 500, 599, NULL, FATE_NEVER, TROUBLE_NONE,
	    "the server refuses the mail" },
};

static bool
detail_fits(const char *want, const char *enhanced)
{
	const char *have = strchr(enhanced, '.');
	size_t len;

	if (want == NULL)
		return true;
	if (have == NULL)
		return false;
	len = strlen(want);
	return want[len - 1] == '.' ? strncmp(want, have, len) == 0
				    : strcmp(want, have) == 0;
}

struct outcome
verdict_smtp(enum smtp_stage stage, int code, const char *enhanced)
{
	struct outcome o = verdict_garbage(stage == STAGE_DOT);

	for (size_t i = 0; i < sizeof smtp_rows / sizeof *smtp_rows; i++)
		if ((smtp_rows[i].stages & AT(stage)) && code >= smtp_rows[i].low &&
		    code <= smtp_rows[i].high && detail_fits(smtp_rows[i].detail, enhanced)) {
			o = outcome_of(smtp_rows[i].fate, smtp_rows[i].trouble,
			    smtp_rows[i].reason, code);
			break;
		}
	o.perhaps_us = stage == STAGE_RCPT && o.fate == FATE_NEVER && detail_fits(".7.", enhanced);
	return o;
}

struct outcome
verdict_cut(bool dot_sent, bool timed_out)
{
	if (dot_sent)
		return outcome_of(FATE_UNCERTAIN, TROUBLE_DOWN,
		    timed_out
			? "no answer to the end of the mail; the server may have it"
			: "the connection ended before the answer; the server may have it",
		    0);
	return outcome_of(FATE_AGAIN, TROUBLE_DOWN,
	    timed_out ? "the server fell silent before the mail was complete"
		      : "the connection ended before the mail was complete",
	    0);
}

struct outcome
verdict_garbage(bool dot_sent)
{
	if (dot_sent)
		return outcome_of(FATE_UNCERTAIN, TROUBLE_DOWN,
		    "the answer to the end of the mail is not SMTP; the server may have it",
		    0);
	return outcome_of(
	    FATE_AGAIN, TROUBLE_DOWN, "the server answered something that is not SMTP", 0);
}

static const struct {
	enum fate fate;
	const char *reason;
} own_rows[MAIL_FLAWS] = {
	[MAIL_GOOD] = { FATE_BACK, "not begun" },
	[MAIL_ADDRESS] = { FATE_OURS,
	    "an address has a character that could become a command" },
	[MAIL_LINES] = { FATE_OURS,
	    "the text has a bare CR or LF, or no end of line at its end" },
	[MAIL_LONG_LINE] = { FATE_OURS, "the text has a line of more than 998 bytes" },
	[MAIL_NUL] = { FATE_OURS, "the text has a NUL byte" },
	[MAIL_SIZE] = { FATE_NEVER, "the mail is larger than the server takes" },
	[MAIL_UTF8] = { FATE_NEVER,
	    "the server cannot take an address with letters beyond ASCII" },
	[MAIL_8BIT] = { FATE_OURS, "the text has 8-bit bytes, and the server takes none" },
};

struct outcome
verdict_flaw(enum mail_flaw flaw)
{
	return outcome_of(own_rows[flaw].fate, TROUBLE_NONE, own_rows[flaw].reason, 0);
}

/* libcurl. */

/* never_sent: such a failure comes before the first byte of a request, whatever the caller counted. */
static const struct {
	int code;
	bool never_sent;
	enum trouble trouble;
	const char *reason;
} curl_rows[] = {
	{ CURLE_UNSUPPORTED_PROTOCOL, true, TROUBLE_REFUSED,
	    "the configured address must begin with https:// (with http:// only where `inside: true` says so)" },
	{ CURLE_URL_MALFORMAT, true, TROUBLE_REFUSED,
	    "the configured address cannot be read" },
	{ CURLE_COULDNT_RESOLVE_HOST, true, TROUBLE_DOWN,
	    "the server's name is not known at the moment" },
	{ CURLE_COULDNT_RESOLVE_PROXY, true, TROUBLE_DOWN,
	    "the server's name is not known at the moment" },
	{ CURLE_COULDNT_CONNECT, true, TROUBLE_DOWN, "the server cannot be reached" },
	{ CURLE_WEIRD_SERVER_REPLY, false, TROUBLE_DOWN,
	    "the server answered something that does not fit" },
	{ CURLE_REMOTE_ACCESS_DENIED, true, TROUBLE_REFUSED,
	    "the server does not let us in" },
	{ CURLE_LOGIN_DENIED, true, TROUBLE_REFUSED,
	    "the server does not accept our login" },
	{ CURLE_AUTH_ERROR, true, TROUBLE_REFUSED, "the server does not accept our login" },
	{ CURLE_USE_SSL_FAILED, true, TROUBLE_REFUSED,
	    "the server offers no encryption; nothing was sent" },
	{ CURLE_SSL_CONNECT_ERROR, true, TROUBLE_DOWN,
	    "the encryption could not be agreed on" },
	{ CURLE_PEER_FAILED_VERIFICATION, true, TROUBLE_REFUSED,
	    "the server's certificate is not valid for it; nothing was sent" },
	{ CURLE_SSL_CERTPROBLEM, true, TROUBLE_REFUSED,
	    "our own certificate cannot be used" },
	{ CURLE_SSL_CIPHER, true, TROUBLE_REFUSED,
	    "the server has no encryption that is good enough" },
	{ CURLE_SSL_CACERT_BADFILE, true, TROUBLE_REFUSED,
	    "the file of trusted certificates cannot be read" },
	{ CURLE_SSL_ISSUER_ERROR, true, TROUBLE_REFUSED,
	    "the server's certificate is not valid for it; nothing was sent" },
	{ CURLE_SSL_INVALIDCERTSTATUS, true, TROUBLE_REFUSED,
	    "the server's certificate is not valid for it; nothing was sent" },
	{ CURLE_OPERATION_TIMEDOUT, false, TROUBLE_DOWN,
	    "the server did not answer in time" },
	{ CURLE_GOT_NOTHING, false, TROUBLE_DOWN, "the server closed without an answer" },
	{ CURLE_SEND_ERROR, false, TROUBLE_DOWN, "the connection broke" },
	{ CURLE_RECV_ERROR, false, TROUBLE_DOWN, "the connection broke" },
	{ CURLE_PARTIAL_FILE, false, TROUBLE_DOWN, "the answer ended in the middle" },
	{ CURLE_HTTP2, false, TROUBLE_DOWN, "the connection broke" },
	{ CURLE_HTTP2_STREAM, false, TROUBLE_DOWN, "the connection broke" },
	{ CURLE_WRITE_ERROR, false, TROUBLE_NONE, "the answer is larger than we read" },
	{ CURLE_FILESIZE_EXCEEDED, false, TROUBLE_NONE,
	    "the answer is larger than we read" },
	{ CURLE_OUT_OF_MEMORY, false, TROUBLE_DOWN, "no memory for the connection" },
};

/* Nothing left: back, at no cost.  Something may have: harmless to repeat, or in doubt. */
static enum fate
fate_of_break(bool sent, bool keyed)
{
	if (!sent)
		return FATE_BACK;
	return keyed ? FATE_AGAIN : FATE_UNCERTAIN;
}

struct outcome
verdict_curl(int curl_code, bool sent, bool keyed, bool guard_refused)
{
	if (guard_refused)
		return outcome_of(FATE_BACK, TROUBLE_REFUSED,
		    "the server stands inside the house, and the configuration does not say `inside: true`",
		    curl_code);
	for (size_t i = 0; i < sizeof curl_rows / sizeof *curl_rows; i++)
		if (curl_rows[i].code == curl_code)
			return outcome_of(
			    fate_of_break(sent && !curl_rows[i].never_sent, keyed),
			    curl_rows[i].trouble, curl_rows[i].reason, curl_code);
	return outcome_of(
	    fate_of_break(sent, keyed), TROUBLE_DOWN, "the connection failed", curl_code);
}

/* HTTP. */

static const struct {
	int low, high;
	enum fate fate;
	enum trouble trouble;
	const char *reason;
} http_rows[] = {
	{ 200, 299, FATE_DELIVERED, TROUBLE_NONE, "the server has taken it" },
	{ 300, 399, FATE_BACK, TROUBLE_REFUSED,
	    "the address has moved; redirects are not followed" },
	{ 400, 400, FATE_OURS, TROUBLE_NONE, "the server cannot read the request" },
	{ 401, 401, FATE_BACK, TROUBLE_REFUSED, "the server does not accept our login" },
	{ 402, 403, FATE_BACK, TROUBLE_REFUSED, "the server does not let us in" },
	{ 404, 404, FATE_NEVER, TROUBLE_NONE, "there is no such address at the server" },
	{ 405, 406, FATE_OURS, TROUBLE_NONE, "the server does not know this request" },
	{ 407, 407, FATE_BACK, TROUBLE_REFUSED, "the server does not let us in" },
	{ 408, 408, FATE_AGAIN, TROUBLE_BUSY,
	    "the server waited too long for the request" },
	{ 409, 409, FATE_AGAIN, TROUBLE_NONE,
	    "something else changed it at the same time" },
	{ 410, 410, FATE_NEVER, TROUBLE_NONE, "the address is gone" },
	{ 411, 411, FATE_OURS, TROUBLE_NONE, "the server cannot read the request" },
	{ 412, 412, FATE_AGAIN, TROUBLE_NONE,
	    "something else changed it at the same time" },
	{ 413, 413, FATE_OURS, TROUBLE_NONE, "the text is larger than the server takes" },
	{ 414, 417, FATE_OURS, TROUBLE_NONE, "the server cannot read the request" },
	{ 422, 422, FATE_OURS, TROUBLE_NONE, "the server cannot read the text" },
	{ 423, 424, FATE_AGAIN, TROUBLE_NONE, "something else holds it at the moment" },
	{ 425, 425, FATE_AGAIN, TROUBLE_NONE, "the server wants it again" },
	{ 429, 429, FATE_AGAIN, TROUBLE_BUSY, "the server says we send too much" },
	{ 431, 431, FATE_OURS, TROUBLE_NONE, "the server cannot read the request" },
	{ 400, 499, FATE_NEVER, TROUBLE_NONE, "the server refuses the request" },
	{ 501, 501, FATE_OURS, TROUBLE_NONE, "the server does not know this request" },
	{ 502, 502, FATE_AGAIN, TROUBLE_DOWN,
	    "what stands behind the server does not answer" },
	{ 503, 503, FATE_AGAIN, TROUBLE_BUSY, "the server is overloaded or at rest" },
	{ 504, 504, FATE_AGAIN, TROUBLE_DOWN,
	    "what stands behind the server does not answer" },
	{ 507, 507, FATE_AGAIN, TROUBLE_BUSY, "the server's disk is full" },
	{ 500, 599, FATE_AGAIN, TROUBLE_NONE, "the server failed" },
};

struct outcome
verdict_http(int status, struct span retry_after)
{
	struct outcome o = outcome_of(FATE_AGAIN, TROUBLE_DOWN,
	    "the server answered something that does not fit", status);

	for (size_t i = 0; i < sizeof http_rows / sizeof *http_rows; i++)
		if (status >= http_rows[i].low && status <= http_rows[i].high) {
			o = outcome_of(http_rows[i].fate, http_rows[i].trouble,
			    http_rows[i].reason, status);
			break;
		}
	if (o.fate == FATE_AGAIN && retry_after.us > 0)
		o.after = retry_after;
	return o;
}

/* A server's words. */

enum { TOKEN_SHORTEST = 24 };

static bool
ends_word(char c)
{
	return (unsigned char)c <= ' ' || strchr("<>()[]{}\"',;|", c) != NULL;
}

static bool
is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    strchr("_-+=", c) != NULL;
}

/* A run that long is a key, a signature or an encoded address, not a word. */
static bool
has_token(const char *s, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		run = s[i] != '\0' && is_token_char(s[i]) ? run + 1 : 0;
		if (run >= TOKEN_SHORTEST)
			return true;
	}
	return false;
}

struct line {
	char *s;
	size_t len, room;
	bool blank; /* owes one before the next word */
	bool full;
};

static void
line_put(struct line *l, const char *s, size_t len)
{
	size_t need = len + (l->blank && l->len > 0);

	if (l->full || l->len + need >= l->room) {
		l->full = true; /* never half a character, nor what comes after a gap */
		return;
	}
	if (need > len)
		l->s[l->len++] = ' ';
	l->blank = false;
	memcpy(l->s + l->len, s, len);
	l->len += len;
	l->s[l->len] = '\0';
}

static void
line_put_word(struct line *l, const char *s, size_t len)
{
	if (memchr(s, '@', len) != NULL) {
		line_put(l, "[address]", 9);
		return;
	}
	if (has_token(s, len)) {
		line_put(l, "[token]", 7);
		return;
	}
	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = utf8_decode(s + i, s + len, &c);

		if (n == 0)
			line_put(l, "?", 1);
		else if (!utf8_is_unsafe(c))
			line_put(l, s + i, n);
		i += n == 0 ? 1 : n;
	}
}

void
outcome_detail(struct outcome *o, const char *s, size_t len)
{
	struct line l = { o->detail, 0, sizeof o->detail, false, false };
	size_t i = 0;

	o->detail[0] = '\0';
	while (i < len && !l.full) {
		size_t n = 0;

		while (i + n < len && !ends_word(s[i + n]))
			n++;
		if (n > 0) {
			line_put_word(&l, s + i, n);
		} else if ((unsigned char)s[i] <= ' ') {
			l.blank = true;
			n = 1;
		} else {
			line_put(&l, s + i, 1);
			n = 1;
		}
		i += n;
	}
}
