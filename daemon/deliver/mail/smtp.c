#include "deliver/mail/smtp.h"

#include <assert.h>
#include <string.h>

enum {
	LINE_LONGEST = 998,
	EHLO_SECONDS = 300, /* RFC 5321 4.5.3.2: command, DATA, one block */
	DATA_SECONDS = 120,
	BLOCK_SECONDS = 180,
	QUIT_SECONDS = 5,
	OUT_KEPT = 32 << 10,
};

void
smtp_init(
    struct smtp *s, const struct smtp_host *host, const char *helo, struct span dot_wait)
{
	*s = (struct smtp){ .host = host, .helo = helo, .dot_wait = dot_wait };
}

void
smtp_deinit(struct smtp *s)
{
	assert(s->front.p == NULL && s->flying.p == NULL);
	text_deinit(&s->out);
}

/* What we say. */

static void
say(struct smtp *s, enum smtp_what what)
{
	assert(s->waiting < SMTP_EXPECT);
	s->expected[(s->first + s->waiting++) % SMTP_EXPECT] =
	    (struct smtp_expected){ what, s->left_total + s->out.len - s->left };
}

static void
say_plain(struct smtp *s, enum smtp_what what, const char *command)
{
	say(s, what);
	text_puts(&s->out, command);
}

void
smtp_begin(struct smtp *s)
{
	say(s, SMTP_EHLO);
	text_puts(&s->out, "EHLO ");
	text_puts(&s->out, s->helo);
	text_puts(&s->out, "\r\n");
}

void
smtp_quit(struct smtp *s)
{
	if (!smtp_is_idle(s))
		return;
	say_plain(s, SMTP_QUIT, "QUIT\r\n");
	s->state = SMTP_LEAVES;
}

struct slice
smtp_output(const struct smtp *s)
{
	return (struct slice){ text_string(&s->out) + s->left, s->out.len - s->left };
}

void
smtp_sent(struct smtp *s, size_t n)
{
	assert(n <= s->out.len - s->left);
	s->left += n;
	s->left_total += n;
	s->progress += n;
	if (s->left == s->out.len) {
		if (s->out.room > OUT_KEPT) /* a large mail does not stay in every connection */
			text_deinit(&s->out);
		text_clear(&s->out);
		s->left = 0;
	}
}

static bool
has_output(const struct smtp *s)
{
	return s->left < s->out.len;
}

bool
smtp_is_idle(const struct smtp *s)
{
	return s->state == SMTP_READY && s->waiting == 0 && !has_output(s) &&
	    !s->front.active;
}

/* Is it fit to be sent? */

static enum mail_flaw
address_judge(const char *a, bool *ret_utf8)
{
	size_t len = strlen(a), ats = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)a[i];

		if (c <= ' ' || c == 0x7f || strchr("<>\"\\", c) != NULL)
			return MAIL_ADDRESS;
		ats += c == '@';
		if (c >= 0x80)
			*ret_utf8 = true;
	}
	if (len > SMTP_ADDRESS_MAX || ats != 1 || !utf8_valid(a, len, NULL))
		return MAIL_ADDRESS;
	return MAIL_GOOD;
}

/* One line of the body, without its end. */
static enum mail_flaw
body_line_judge(const char *line, size_t len, struct smtp_mail *m)
{
	if (len > LINE_LONGEST)
		return MAIL_LONG_LINE;
	if (len > 0 && line[0] == '.')
		m->stuffed++;
	return memchr(line, '\r', len) != NULL ? MAIL_LINES : MAIL_GOOD;
}

/* By eight bytes, since this looks at every byte of every mail. */
static bool
has_8bit(const char *p, size_t len)
{
	uint64_t eight, high = 0;

	for (; len >= sizeof eight; p += sizeof eight, len -= sizeof eight) {
		memcpy(&eight, p, sizeof eight);
		high |= eight;
	}
	for (; len > 0; p++, len--)
		high |= (unsigned char)*p & 0x80u;
	return (high & UINT64_C(0x8080808080808080)) != 0;
}

/*
 * CRLF only: a bare CR or LF is read as the end of a line by some servers and not by others, and
 * "LF . LF" would let a text end its own mail and begin another.
 */
static enum mail_flaw
body_judge(const struct text *body, struct smtp_mail *m)
{
	const char *p = text_string(body), *end = p + body->len;

	if (memchr(p, '\0', body->len) != NULL)
		return MAIL_NUL;
	m->has_8bit = has_8bit(p, body->len);
	m->closed_line = body->len == 0;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf != NULL ? lf : end;
		enum mail_flaw flaw;

		if (lf != NULL && (lf == p || *--stop != '\r'))
			return MAIL_LINES;
		flaw = body_line_judge(p, (size_t)(stop - p), m);
		if (flaw != MAIL_GOOD)
			return flaw;
		m->closed_line = lf != NULL;
		p = lf != NULL ? lf + 1 : end;
	}
	return MAIL_GOOD;
}

static size_t
mail_size(const struct smtp_mail *m)
{
	return m->p->body.len + (m->closed_line ? 0 : 2);
}

enum mail_flaw
smtp_judge(const struct smtp *s, const struct parcel *p, struct smtp_mail *ret)
{
	enum mail_flaw flaw;

	*ret = (struct smtp_mail){ 0 };
	if (p->sender[0] != '\0') { /* "" is <>, the null sender */
		flaw = address_judge(p->sender, &ret->needs_utf8);
		if (flaw != MAIL_GOOD)
			return flaw;
	}
	flaw = address_judge(p->recipient, &ret->needs_utf8);
	if (flaw == MAIL_GOOD)
		flaw = body_judge(&p->body, ret);
	if (flaw != MAIL_GOOD)
		return flaw;
	if (ret->needs_utf8 && !(s->takes_utf8 && s->takes_8bit))
		return MAIL_UTF8;
	if (ret->has_8bit && !s->takes_8bit)
		return MAIL_8BIT;
	if (s->size_limit > 0 && p->body.len > s->size_limit)
		return MAIL_SIZE;
	return MAIL_GOOD;
}

/* Settling. */

static void
settle(struct smtp *s, struct smtp_mail *m, const struct outcome *o)
{
	struct parcel *p = m->p;

	if (p == NULL)
		return;
	m->p = NULL;
	if (o->fate == FATE_DELIVERED)
		s->mails++;
	s->host->done(s->host->arg, p, o);
}

static void
settle_by_reply(struct smtp *s, struct smtp_mail *m, enum smtp_stage stage)
{
	struct outcome o = verdict_smtp(stage, s->code, s->enhanced);

	outcome_detail(&o, s->words, s->words_len);
	settle(s, m, &o);
}

static bool
flying_left(const struct smtp *s)
{
	return s->left_total > s->last_bytes_at;
}

/*
 * The session is over.  flying: in doubt when its last bytes left.  front: goes back at no cost when
 * it only stood behind another, or when the server closed a connection that had been used before;
 * otherwise it was its turn, and `why` befell it.
 */
static void
end(struct smtp *s, struct outcome (*why)(bool dot_sent, bool timed_out), bool timed_out)
{
	bool behind = s->flying.active;
	bool used =
	    s->state == SMTP_READY && s->tries > 1 && !s->front.mail_ok && !timed_out;
	struct outcome o;

	s->state = SMTP_OVER;
	if (behind) {
		o = why(flying_left(s), timed_out);
		settle(s, &s->flying, &o);
	}
	s->stale = s->stale || (!behind && used);
	if (behind || used) {
		o = verdict_flaw(MAIL_GOOD);
		o.reason = "the server closed the connection before this mail began";
	} else {
		o = why(false, timed_out);
	}
	settle(s, &s->front, &o);
	s->flying = s->front = (struct smtp_mail){ 0 };
	s->waiting = 0;
	text_clear(&s->out);
	s->left = 0;
}

static struct outcome
why_garbage(bool dot_sent, bool timed_out)
{
	(void)timed_out;
	return verdict_garbage(dot_sent);
}

static struct outcome
why_ours(bool dot_sent, bool timed_out)
{
	struct outcome o;

	if (dot_sent)
		return verdict_cut(true, timed_out);
	o = verdict_flaw(MAIL_GOOD);
	o.reason = "we closed the connection before the mail was complete";
	return o;
}

static void
end_garbage(struct smtp *s)
{
	if (s->tries == 0) { /* nobody else would hear of it */
		s->failure = verdict_garbage(false);
		s->failure.fate = FATE_BACK;
	}
	end(s, why_garbage, false);
}

void
smtp_cut(struct smtp *s, bool timed_out)
{
	if (s->state == SMTP_OVER)
		return;
	if (s->state == SMTP_GREETS) {
		s->failure = verdict_cut(false, timed_out);
		s->failure.fate = FATE_BACK;
	} else if (smtp_is_idle(s)) {
		s->stale = true;
	}
	end(s, verdict_cut, timed_out);
}

void
smtp_abandon(struct smtp *s)
{
	if (s->state != SMTP_OVER)
		end(s, why_ours, false);
}

/* Flights. */

/* The next parcel that is fit to be sent becomes front; the others are told why not. */
static bool
take(struct smtp *s)
{
	struct parcel *p;

	while ((p = s->host->next(s->host->arg)) != NULL) {
		enum mail_flaw flaw = smtp_judge(s, p, &s->front);
		struct outcome o;

		s->front.p = p;
		if (flaw == MAIL_GOOD) {
			s->front.active = true;
			s->tries++;
			return true;
		}
		o = verdict_flaw(flaw);
		settle(s, &s->front, &o);
	}
	s->front = (struct smtp_mail){ 0 };
	return false;
}

static void
say_rcpt(struct smtp *s)
{
	say(s, SMTP_RCPT);
	text_puts(&s->out, "RCPT TO:<");
	text_puts(&s->out, s->front.p->recipient);
	text_puts(&s->out, ">\r\n");
}

static void
say_number(struct text *t, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	text_add(t, digits + i, sizeof digits - i);
}

/* MAIL, and with PIPELINING all of the envelope. */
static void
say_envelope(struct smtp *s)
{
	const struct smtp_mail *m = &s->front;

	if (s->needs_rset) {
		s->needs_rset = false;
		say_plain(s, SMTP_RSET, "RSET\r\n");
		if (!s->pipelining)
			return;
	}
	say(s, SMTP_MAIL);
	text_puts(&s->out, "MAIL FROM:<");
	text_puts(&s->out, m->p->sender);
	text_putc(&s->out, '>');
	if (s->takes_size) {
		text_puts(&s->out, " SIZE=");
		say_number(&s->out, mail_size(m));
	}
	if (m->has_8bit || m->needs_utf8)
		text_puts(&s->out, " BODY=8BITMIME");
	if (m->needs_utf8)
		text_puts(&s->out, " SMTPUTF8");
	text_puts(&s->out, "\r\n");
	if (!s->pipelining)
		return;
	say_rcpt(s);
	if (!s->chunking)
		say_plain(s, SMTP_DATA, "DATA\r\n");
}

/* RFC 5321 4.5.2. */
static void
put_stuffed(struct text *out, const struct text *body)
{
	const char *p = text_string(body), *last = p + body->len;

	while (p < last) {
		const char *lf = memchr(p, '\n', (size_t)(last - p));
		const char *stop = lf != NULL ? lf + 1 : last;

		if (*p == '.')
			text_putc(out, '.');
		text_add(out, p, (size_t)(stop - p));
		p = stop;
	}
}

/* All of the body and its end; the front mail is flying from here on. */
static void
say_body(struct smtp *s)
{
	struct smtp_mail *m = &s->front;
	const struct text *body = &m->p->body;

	say(s, SMTP_DOT);
	if (s->chunking) {
		text_puts(&s->out, "BDAT ");
		say_number(&s->out, mail_size(m));
		text_puts(&s->out, " LAST\r\n");
	}
	text_grow(&s->out, body->len + m->stuffed + 512);
	if (s->chunking || m->stuffed == 0)
		text_add(&s->out, text_string(body), body->len);
	else
		put_stuffed(&s->out, body);
	if (!m->closed_line)
		text_puts(&s->out, "\r\n");
	if (!s->chunking)
		text_puts(&s->out, ".\r\n");
	/* The dot's first byte; with BDAT the body's last. */
	s->last_bytes_at = s->left_total + s->out.len - s->left - (s->chunking ? 1 : 3);
	s->needs_rset = s->chunking;
	s->flying = *m;
	s->front = (struct smtp_mail){ 0 };
}

/* The server waits for the body: now or never. */
static void
go(struct smtp *s)
{
	struct outcome o;

	if (s->host->may_go(s->host->arg, s->front.p)) {
		say_body(s);
		if (s->pipelining && take(s))
			say_envelope(s);
		return;
	}
	o = verdict_flaw(MAIL_GOOD);
	o.reason = "stopped before it was sent";
	settle(s, &s->front, &o);
	if (s->front
		.data_open) { /* the only way out of DATA without a mail is to hang up */
		end(s, why_ours, false);
		s->stale = true;
		return;
	}
	s->front = (struct smtp_mail){ 0 };
	s->needs_rset = true;
}

/*
 * The front mail was refused, and all of its group is answered.  A server that says 354 all the same
 * gets a lone dot: it has no recipient for it.  But one that refused the sender and then took the
 * recipient would deliver an empty mail: hang up.
 */
static void
after_refusal(struct smtp *s)
{
	struct smtp_mail was = s->front;

	s->front = (struct smtp_mail){ 0 };
	s->needs_rset = true;
	if (!was.data_open)
		return;
	if (was.rcpt_ok) {
		end(s, why_ours, false);
		s->stale = true;
		return;
	}
	say_plain(s, SMTP_LONE_DOT, ".\r\n");
}

/* Command by command: what follows what has been answered well. */
static void
step(struct smtp *s)
{
	const struct smtp_mail *m = &s->front;

	if (!m->mail_ok)
		say_envelope(s);
	else if (!m->rcpt_ok)
		say_rcpt(s);
	else if (s->chunking || m->data_open)
		go(s);
	else
		say_plain(s, SMTP_DATA, "DATA\r\n");
}

void
smtp_turn(struct smtp *s)
{
	/* Turns again after a cancelled mail only: one parcel each, so it ends. */
	while (s->state == SMTP_READY && s->waiting == 0 && !has_output(s)) {
		if (s->front.active && s->front.p == NULL) {
			after_refusal(s);
			if (s->state != SMTP_READY || (s->waiting > 0 && !s->pipelining))
				return;
			if (s->waiting > 0) {
				if (take(s))
					say_envelope(s);
				return;
			}
		} else if (s->front.active) {
			step(s);
		} else if (!take(s)) {
			return;
		} else {
			say_envelope(s);
		}
	}
}

/* What the server says. */

static void
offer(struct smtp *s, const char *line, size_t len)
{
	const struct {
		const char *word;
		bool *offered;
	} words[] = {
		{ "PIPELINING", &s->pipelining },
		{ "CHUNKING", &s->chunking },
		{ "8BITMIME", &s->takes_8bit },
		{ "SMTPUTF8", &s->takes_utf8 },
		{ "SIZE", &s->takes_size },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].word);
		const char *p = line + n, *last = line + len;

		if (len < n || strncasecmp(line, words[i].word, n) != 0 ||
		    (len > n && *p != ' '))
			continue;
		*words[i].offered = true;
		if (words[i].offered != &s->takes_size)
			continue;
		s->size_limit = 0;
		for (p += len > n; p < last && *p >= '0' && *p <= '9'; p++)
			if (s->size_limit <= UINT64_MAX / 10 - 1)
				s->size_limit = s->size_limit * 10 + (uint64_t)(*p - '0');
	}
}

/* "5.1.1" at the head of a reply's text (RFC 3463), else "". */
static void
enhanced_read(struct smtp *s)
{
	const char *p = s->words;
	size_t n = strspn(p, "0123456789."), dots = 0;

	s->enhanced[0] = '\0';
	for (size_t i = 0; i < n; i++)
		dots += p[i] == '.';
	if (n < 5 || n >= sizeof s->enhanced || dots != 2 || p[1] != '.' ||
	    p[n - 1] == '.' || (p[n] != ' ' && p[n] != '\0'))
		return;
	memcpy(s->enhanced, p, n);
	s->enhanced[n] = '\0';
}

static void
greeted(struct smtp *s, enum smtp_what what)
{
	if (s->code / 100 == 2) {
		s->state = SMTP_READY;
		return;
	}
	if (what == SMTP_EHLO && s->code >= 500 && s->code < 505) { /* an old one: HELO */
		say(s, SMTP_HELO);
		text_puts(&s->out, "HELO ");
		text_puts(&s->out, s->helo);
		text_puts(&s->out, "\r\n");
		return;
	}
	s->failure = verdict_smtp(STAGE_EHLO, s->code, s->enhanced);
	outcome_detail(&s->failure, s->words, s->words_len);
	end(s, why_ours, false);
}

static void
answered_envelope(struct smtp *s, enum smtp_what what)
{
	struct smtp_mail *m = &s->front;
	bool good = s->code / 100 == (what == SMTP_DATA ? 3 : 2);

	if (!good && s->code < 400) {
		end_garbage(s);
		return;
	}
	if (good && what == SMTP_MAIL)
		m->mail_ok = true;
	else if (good && what == SMTP_RCPT)
		m->rcpt_ok = true;
	else if (good)
		m->data_open = true;
	else
		settle_by_reply(s, m,
		    what == SMTP_MAIL       ? STAGE_MAIL
			: what == SMTP_RCPT ? STAGE_RCPT
					    : STAGE_DATA);
}

static void
answered_dot(struct smtp *s)
{
	struct smtp_mail *m = &s->flying;
	bool early = !flying_left(s);

	if (s->code < 400 && early) { /* it cannot have what has not left */
		end_garbage(s);
		return;
	}
	if (s->code / 100 == 3) {
		settle_by_reply(s, m, STAGE_DOT);
		end_garbage(s);
		return;
	}
	settle_by_reply(s, m, STAGE_DOT);
	*m = (struct smtp_mail){ 0 };
	/* Refused while we still talk, or it took the text for commands: nothing fits any more. */
	if (early || (s->chunking && s->code >= 500 && s->code <= 503)) {
		end(s, why_ours, false);
		s->stale = true;
	}
}

/* 421: whatever was asked, the server closes. */
static void
closing(struct smtp *s, enum smtp_what what)
{
	bool used = s->tries > 1 && what == SMTP_MAIL;

	if (s->state == SMTP_GREETS) {
		s->failure = verdict_smtp(STAGE_EHLO, s->code, s->enhanced);
		outcome_detail(&s->failure, s->words, s->words_len);
	} else if (what == SMTP_DOT) {
		settle_by_reply(s, &s->flying, STAGE_DOT);
	} else if (!used && what != SMTP_RSET && what != SMTP_LONE_DOT) {
		settle_by_reply(s, &s->front,
		    what == SMTP_RCPT       ? STAGE_RCPT
			: what == SMTP_DATA ? STAGE_DATA
					    : STAGE_MAIL);
	}
	end(s, why_ours, false);
	s->stale = s->stale || what == SMTP_RSET || what == SMTP_LONE_DOT;
}

static void
answered(struct smtp *s)
{
	struct smtp_expected e;

	s->progress++;
	if (s->waiting == 0) { /* nobody asked: it says good-bye, or lost the thread */
		if (s->code == 421 && smtp_is_idle(s))
			smtp_cut(s, false);
		else if (s->code == 421)
			closing(s, s->front.data_open ? SMTP_DATA : SMTP_RCPT);
		else
			end_garbage(s);
		return;
	}
	e = s->expected[s->first];
	s->first = (s->first + 1) % SMTP_EXPECT;
	s->waiting--;
	if (e.what == SMTP_QUIT) {
		end(s, why_ours, false);
	} else if (s->code == 421) {
		closing(s, e.what);
	} else if (s->left_total <= e.at) { /* an answer before the question */
		end_garbage(s);
	} else if (e.what == SMTP_EHLO || e.what == SMTP_HELO) {
		greeted(s, e.what);
	} else if (e.what == SMTP_DOT) {
		answered_dot(s);
	} else if (e.what == SMTP_RSET) {
		if (s->code / 100 != 2)
			end_garbage(s);
	} else if (e.what != SMTP_LONE_DOT) {
		answered_envelope(s, e.what);
	}
}

/* A line of a reply: its code, and whether more lines follow.  false: it is none. */
static bool
line_read(struct smtp *s, const char *line, size_t len, bool *ret_more)
{
	int code = 0;

	if (len < 3 || (len > 3 && line[3] != ' ' && line[3] != '-'))
		return false;
	for (int i = 0; i < 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		code = code * 10 + (line[i] - '0');
	}
	if (code < 200 || code > 599 || (s->lines > 0 && code != s->code) ||
	    ++s->lines > SMTP_LINES_MAX)
		return false;
	s->code = code;
	*ret_more = len > 3 && line[3] == '-';
	return true;
}

/* Keep the words of a refusal, and of the answer to a dot (the server's name for the mail). */
static void
words_keep(struct smtp *s, const char *text, size_t len)
{
	size_t room = sizeof s->words - 1 - s->words_len;

	if (s->words_len > 0 && room > 1) {
		s->words[s->words_len++] = ' ';
		room--;
	}
	if (len > room)
		len = room;
	memcpy(s->words + s->words_len, text, len);
	s->words_len += len;
	s->words[s->words_len] = '\0';
}

static void
line_take(struct smtp *s, const char *line, size_t len)
{
	bool more;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (!line_read(s, line, len, &more)) {
		end_garbage(s);
		return;
	}
	if (s->lines == 1) {
		s->words_len = 0;
		s->words[0] = '\0';
		s->enhanced[0] = '\0';
	}
	if (len > 4 && (s->code >= 400 || s->expected[s->first].what == SMTP_DOT))
		words_keep(s, line + 4, len - 4);
	if (len > 4 && s->lines > 1 && s->code == 250 && s->state == SMTP_GREETS)
		offer(s, line + 4, len - 4);
	if (more)
		return;
	if (s->code >= 400)
		enhanced_read(s);
	s->lines = 0;
	answered(s);
}

void
smtp_input(struct smtp *s, const char *bytes, size_t len)
{
	const char *last = bytes + len;

	while (bytes < last && s->state != SMTP_OVER) {
		const char *lf = memchr(bytes, '\n', (size_t)(last - bytes));
		size_t n = (size_t)((lf != NULL ? lf : last) - bytes);

		if (s->line_len + n > SMTP_LINE_MAX) {
			end_garbage(s);
			return;
		}
		if (lf != NULL && s->line_len == 0) {
			line_take(s, bytes, n);
		} else {
			memcpy(s->line + s->line_len, bytes, n);
			s->line_len += n;
			if (lf != NULL) {
				size_t whole = s->line_len;

				s->line_len = 0;
				line_take(s, s->line, whole);
			}
		}
		bytes += n + (lf != NULL);
	}
}

struct span
smtp_patience(const struct smtp *s)
{
	struct span wait = SPAN_OF(EHLO_SECONDS, 1);

	if (has_output(s))
		wait = SPAN_OF(BLOCK_SECONDS, 1);
	else if (s->waiting > 0 && s->expected[s->first].what == SMTP_DOT)
		wait = s->dot_wait;
	else if (s->waiting > 0 && s->expected[s->first].what == SMTP_DATA)
		wait = SPAN_OF(DATA_SECONDS, 1);
	else if (s->state == SMTP_LEAVES)
		wait = SPAN_OF(QUIT_SECONDS, 1);
	return wait.us > s->dot_wait.us ? s->dot_wait : wait;
}
