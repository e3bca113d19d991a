/*
 * An iMIP object (RFC 5545, 6047), written by us: libical lets a CRLF through in ATTENDEE and its
 * VTIMEZONE carries a vendor prefix and the nineteenth century.
 */
#include <string.h>

#include "base/scope.h"
#include "compose/parts.h"
#include "people/person.h"
#include "plan/zone.h"

enum { FOLD = 75 };

/* One content line, folded at 75 octets between characters. */
static void
line_put(struct text *ret, const struct text *line)
{
	size_t at = 0, room = FOLD;

	while (line->len - at > room) {
		size_t n = room;

		while (((unsigned char)line->s[at + n] & 0xc0) == 0x80)
			n--;
		text_add(ret, line->s + at, n);
		text_puts(ret, "\r\n ");
		at += n;
		room = FOLD - 1;
	}
	text_add(ret, text_string(line) + at, line->len - at);
	text_puts(ret, "\r\n");
}

static void
text_escaped(struct text *t, const char *s, size_t len)
{
	for (const char *end = s + len; s < end; s++) {
		if (*s == '\\' || *s == ';' || *s == ',')
			text_putc(t, '\\');
		if (*s == '\n')
			text_puts(t, "\\n");
		else if ((unsigned char)*s >= 0x20 || *s == '\t')
			text_putc(t, *s);
	}
}

static void
text_line(struct text *ret, const char *name, const char *value, size_t len)
{
	SCOPED(text_deinit) struct text line = { 0 };

	text_addf(&line, "%s:", name);
	text_escaped(&line, value, len);
	line_put(ret, &line);
}

/* CN without what would end it: quotes, carets, controls. */
static void
person_line(struct text *ret, const char *head, const char *name, const char *address)
{
	SCOPED(text_deinit) struct text line = { 0 };
	SCOPED(text_deinit) struct text shown = { 0 };

	text_add_display(&shown, name, strlen(name));
	text_addf(&line, "%s;CN=\"", head);
	for (size_t i = 0; i < shown.len; i++)
		if (shown.s[i] != '"' && shown.s[i] != '^')
			text_putc(&line, shown.s[i]);
	text_addf(&line, "\":mailto:%s", address);
	line_put(ret, &line);
}

static void
time_line(struct text *ret, const char *name, const struct zone *z, struct civil c)
{
	char s[CIVIL_TEXT];
	const char *zone = zone_name(z);
	bool utc = strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0;

	civil_format(c, s);
	text_addf(ret, "%s%s%s:%.4s%.2s%.2sT%.2s%.2s%.2s%s\r\n", name, utc ? "" : ";TZID=",
	    utc ? "" : zone, s, s + 5, s + 8, s + 11, s + 14, s + 17, utc ? "Z" : "");
}

static void
stamp_line(struct text *ret, const char *name, struct instant t)
{
	char s[CIVIL_TEXT];

	civil_format(civil_of_seconds(instant_floor(t)), s);
	text_addf(ret, "%s:%.4s%.2s%.2sT%.2s%.2s%.2sZ\r\n", name, s, s + 5, s + 8, s + 11, s + 14,
	    s + 17);
}

static struct civil
event_start(const struct letter *l)
{
	struct civil c = zone_civil(l->zone, l->sent);
	const struct event_time *e = &l->message->event;

	return e->set ? (struct civil){ day_add(c.day, (int32_t)e->days), e->second }
		      : (struct civil){ day_add(c.day, 1), 9 * 3600 };
}

static void
event_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret)
{
	SCOPED(text_deinit) struct text subject = { 0 };
	SCOPED(text_deinit) struct text plain = { 0 };
	const struct event_time *e = &l->message->event;
	struct civil start = event_start(l);
	struct instant end = instant_add(zone_instant(l->zone, start),
	    e->length.us > 0 ? e->length : SPAN_MINUTES(30));
	char uid[TOKEN_ID_TEXT];

	compose_subject(c, k, l, &subject);
	compose_plain(c, k, l, &plain);
	text_addf(ret, "BEGIN:VEVENT\r\nUID:%s@%s\r\nSEQUENCE:%d\r\n",
	    token_id(k, "uid", l->enrolment, l->occurrence, "calendar", uid), c->domain,
	    l->sequence + l->cancel);
	stamp_line(ret, "DTSTAMP", l->sent);
	time_line(ret, "DTSTART", l->zone, start);
	time_line(ret, "DTEND", l->zone, zone_civil(l->zone, end));
	text_line(ret, "SUMMARY", text_string(&subject), subject.len);
	text_line(ret, "DESCRIPTION", text_string(&plain), plain.len);
	if (e->where != NULL)
		text_line(ret, "LOCATION", e->where, strlen(e->where));
	person_line(ret, "ORGANIZER", c->style.organisation, c->style.from);
	person_line(ret, "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE",
	    l->to->name, l->to->email);
	text_addf(ret, "STATUS:%s\r\nTRANSP:OPAQUE\r\n", l->cancel ? "CANCELLED" : "CONFIRMED");
	if (e->alarm.us > 0 && !l->cancel) {
		text_addf(ret, "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT%dM\r\n",
		    (int)(e->alarm.us / 60000000));
		text_line(ret, "DESCRIPTION", text_string(&subject), subject.len);
		text_puts(ret, "END:VALARM\r\n");
	}
	text_puts(ret, "END:VEVENT\r\n");
}

void
invite_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret)
{
	const char *zone = zone_name(l->zone);

	text_addf(ret, "BEGIN:VCALENDAR\r\nPRODID:-//nudged//nudged//EN\r\nVERSION:2.0\r\n"
		       "CALSCALE:GREGORIAN\r\nMETHOD:%s\r\n",
	    l->cancel ? "CANCEL" : "REQUEST");
	if (strcmp(zone, "UTC") != 0 && strcmp(zone, "Etc/UTC") != 0)
		zone_vtimezone(l->zone, l->sent, 1, ret);
	event_write(c, k, l, ret);
	text_puts(ret, "END:VCALENDAR\r\n");
}
