/*
 * A mail (RFC 5322, 2045-2047).
 *
 * Every header goes through header_put(): UTF-8 in, controls out, encoded words where needed,
 * folded.  Boundaries hold "=_", which quoted-printable and base64 can never produce, so they need
 * not be searched for.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "compose/parts.h"
#include "people/person.h"
#include "plan/zone.h"

enum { WORD_BYTES = 42, HEADER_LINE = 76 };

static bool
is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] > 0x7e)
			return false;
	return memmem(s, len, "=?", 2) == NULL;
}

/* Encoded words (RFC 2047) of at most 75 bytes, cut between characters. */
static void
words_put(struct text *t, const char *s, size_t len)
{
	char word[80];
	bool first = true;

	while (len > 0) {
		size_t n = len < WORD_BYTES ? len : WORD_BYTES;

		while (n < len && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
		sodium_bin2base64(word, sizeof word, (const unsigned char *)s, n,
		    sodium_base64_VARIANT_ORIGINAL);
		text_addf(t, "%s=?utf-8?B?%s?=", first ? "" : "\r\n ", word);
		first = false;
		s += n;
		len -= n;
	}
}

/* Plain text folded at blanks. */
static void
folded_put(struct text *t, size_t column, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = 1;

		while (n < len && s[n] != ' ')
			n++;
		if (column + n > HEADER_LINE && s[0] == ' ') {
			text_puts(t, "\r\n");
			column = 0;
		}
		text_add(t, s, n);
		column += n;
		s += n;
		len -= n;
	}
}

static void
header_put(struct text *t, const char *name, const char *value)
{
	SCOPED(text_deinit) struct text shown = { 0 };

	text_add_display(&shown, value, strlen(value));
	text_addf(t, "%s: ", name);
	if (is_plain(text_string(&shown), shown.len) && shown.len < 900)
		folded_put(t, strlen(name) + 2, text_string(&shown), shown.len);
	else
		words_put(t, text_string(&shown), shown.len);
	text_puts(t, "\r\n");
}

/* "Name" <address>; the address was parsed by people/address.c or by the configuration. */
static void
mailbox_put(struct text *t, const char *header, const char *name, const char *address)
{
	SCOPED(text_deinit) struct text shown = { 0 };

	text_add_display(&shown, name, strlen(name));
	text_addf(t, "%s: ", header);
	if (shown.len > 0 && is_plain(shown.s, shown.len) && shown.len < 400) {
		text_putc(t, '"');
		for (size_t i = 0; i < shown.len; i++) {
			if (shown.s[i] == '"' || shown.s[i] == '\\')
				text_putc(t, '\\');
			text_putc(t, shown.s[i]);
		}
		text_puts(t, "\"\r\n ");
	} else if (shown.len > 0) {
		words_put(t, shown.s, shown.len);
		text_puts(t, "\r\n ");
	}
	text_putc(t, '<');
	for (const char *p = address; *p != '\0'; p++)
		if ((unsigned char)*p > 0x20 && *p != '<' && *p != '>' && *p != 0x7f)
			text_putc(t, *p);
	text_puts(t, ">\r\n");
}

static void
date_put(struct text *t, const struct letter *l)
{
	static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct civil c = zone_civil(l->zone, l->sent);
	int32_t offset = zone_offset(l->zone, l->sent), a = offset < 0 ? -offset : offset;
	int year, month, mday;

	day_split(c.day, &year, &month, &mday);
	text_addf(t, "Date: %s, %02d %s %04d %02d:%02d:%02d %c%02d%02d\r\n", days[day_weekday(c.day)],
	    mday, months[month - 1], year, c.second / 3600, c.second / 60 % 60, c.second % 60,
	    offset < 0 ? '-' : '+', a / 3600, a / 60 % 60);
}

static void
from_put(const struct running *r, struct text *t)
{
	const struct letter *l = r->letter;
	const struct compose *c = r->compose;
	bool named = l->messenger != NULL && l->messenger_name != NULL;
	SCOPED(text_deinit) struct text s = { 0 };

	text_puts(&s, named ? l->messenger_name : c->style.organisation);
	if (named && l->messenger->from == MESSENGER_FIXED && c->style.organisation[0] != '\0')
		text_addf(&s, " (%s)", c->style.organisation);
	mailbox_put(t, "From", text_string(&s), c->style.from);
	mailbox_put(t, "To", l->to->name, l->to->email);
	if (named && l->messenger_address != NULL && l->messenger_address[0] != '\0')
		mailbox_put(t, "Reply-To", l->messenger_name, l->messenger_address);
}

/* "Withdrawn: ..." and "Changed: ..." say at once why another mail about it comes. */
static void
subject_put(const struct running *r, struct text *t)
{
	const struct letter *l = r->letter;
	SCOPED(text_deinit) struct text s = { 0 };

	if (l->cancel || l->sequence > 0)
		text_addf(&s, "%s: ",
		    compose_words(r->compose, l->language, l->cancel ? "invite-withdrawn"
								      : "invite-changed"));
	invite_title(r->compose, r->key, l, &s);
	header_put(t, "Subject", text_string(&s));
}

/* One name for each mail; what follows an invitation points back to it. */
static void
ids_put(const struct running *r, struct text *t)
{
	const struct letter *l = r->letter;
	const char *channel = channel_names[l->channel];
	char id[TOKEN_ID_TEXT], purpose[24] = "mail";

	if (l->sequence > 0)
		snprintf(purpose, sizeof purpose, "mail.%d", l->sequence);
	text_addf(t, "Message-ID: <%s@%s>\r\n",
	    token_id(r->key, purpose, l->enrolment, l->occurrence, channel, id), r->compose->domain);
	if (l->sequence > 0) {
		token_id(r->key, "mail", l->enrolment, l->occurrence, channel, id);
		text_addf(t, "In-Reply-To: <%s@%s>\r\nReferences: <%s@%s>\r\n", id,
		    r->compose->domain, id, r->compose->domain);
	}
}

static void
headers_put(const struct running *r, struct text *t)
{
	from_put(r, t);
	subject_put(r, t);
	date_put(t, r->letter);
	ids_put(r, t);
	text_puts(t, "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n");
	if (r->letter->cancel) /* the last word about it: there is nothing left to unsubscribe from */
		return;
	text_puts(t, "List-Unsubscribe:\r\n <");
	add_link(r, "/u/", 0, t);
	text_puts(t, ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
}

/* What a person reads who sees the mail of a withdrawal, and not only the calendar. */
static void
withdrawal_put(const struct running *r, struct text *t)
{
	const struct letter *l = r->letter;
	const char *body = compose_words(r->compose, l->language, "invite-withdrawn-body");
	struct civil when = zone_civil(l->zone, compose_event(l).starts);
	SCOPED(text_deinit) struct text title = { 0 };
	SCOPED(text_deinit) struct text part = { 0 };
	char at[CIVIL_TEXT];

	civil_format(when, at);
	invite_title(r->compose, r->key, l, &title);
	text_addf(&part, "%s\r\n%.10s %.5s\r\n\r\n%s\r\n\r\n%s\r\n", text_string(&title), at, at + 11,
	    body, r->compose->style.organisation);
	text_puts(t, "Content-Type: multipart/alternative; boundary=\"=_a\"\r\n\r\n--=_a\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	add_quoted(t, text_string(&part), part.len);
	text_clear(&part);
	text_puts(&part, "<!DOCTYPE html>\r\n<html><head><meta charset=\"utf-8\"></head>"
			 "<body style=\"font-family:Arial,Helvetica,sans-serif\">\r\n<p><b>");
	add_html(&part, text_string(&title), title.len);
	text_addf(&part, "</b><br>%.10s %.5s</p>\r\n<p>", at, at + 11);
	add_html(&part, body, strlen(body));
	text_puts(&part, "</p>\r\n<p>");
	add_html(&part, r->compose->style.organisation, strlen(r->compose->style.organisation));
	text_puts(&part, "</p></body></html>\r\n");
	text_puts(t, "\r\n--=_a\r\nContent-Type: text/html; charset=utf-8\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	add_quoted(t, text_string(&part), part.len);
	text_puts(t, "\r\n");
}

static void
alternative_put(const struct running *r, const struct compiled *text, struct text *t)
{
	const struct slice *logo = &r->compose->logo_part[r->letter->campaign->index];

	text_puts(t, "Content-Type: multipart/alternative; boundary=\"=_a\"\r\n\r\n--=_a\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	program_run(&text->plain_quoted, r, t);
	text_puts(t, "\r\n--=_a\r\n");
	if (logo->len > 0)
		text_puts(t, "Content-Type: multipart/related; boundary=\"=_r\"; type=\"text/html\"\r\n\r\n"
			     "--=_r\r\n");
	text_puts(t, "Content-Type: text/html; charset=utf-8\r\n"
		     "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	program_run(&text->html_quoted, r, t);
	if (logo->len > 0) {
		text_puts(t, "\r\n--=_r\r\n");
		text_put(t, *logo);
		text_puts(t, "--=_r--\r\n");
	}
	text_puts(t, "\r\n");
}

/* multipart/mixed: the texts with the object beside them, and the object again as a file. */
static void
invitation_put(const struct running *r, struct text *ret)
{
	const struct letter *l = r->letter;
	SCOPED(text_deinit) struct text ics = { 0 };

	invite_write(r->compose, r->key, l, l->cancel ? INVITE_CANCEL : INVITE_REQUEST, &ics);
	text_puts(ret, "Content-Type: multipart/mixed; boundary=\"=_m\"\r\n\r\n--=_m\r\n");
	if (l->cancel)
		withdrawal_put(r, ret);
	else
		alternative_put(
		    r, compiled_of(r->compose, l->campaign, l->message->index, l->language), ret);
	text_addf(ret, "--=_a\r\nContent-Type: text/calendar; charset=utf-8; method=%s\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\n",
	    l->cancel ? "CANCEL" : "REQUEST");
	add_base64(ret, text_string(&ics), ics.len);
	text_puts(ret, "--=_a--\r\n\r\n--=_m\r\nContent-Type: application/ics; name=\"invite.ics\"\r\n"
		       "Content-Disposition: attachment; filename=\"invite.ics\"\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\n");
	add_base64(ret, text_string(&ics), ics.len);
	text_puts(ret, "--=_m--\r\n");
}

void
compose_email(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	struct token_sheet links;
	struct running r = running_start(c, k, l, &links);

	headers_put(&r, ret);
	if (l->channel == CHANNEL_CALENDAR) {
		invitation_put(&r, ret);
		return;
	}
	alternative_put(&r, compiled_of(c, l->campaign, l->message->index, l->language), ret);
	text_puts(ret, "--=_a--\r\n");
}
