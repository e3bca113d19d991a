/*
 * Calendar objects (RFC 5545) in their four forms: an iMIP request and its cancellation (RFC 6047),
 * an object at rest on a calendar server (RFC 4791), a published feed (RFC 5546).
 *
 * Written by us: libical lets a CRLF through in ATTENDEE and its VTIMEZONE carries a vendor prefix
 * and the nineteenth century.  A cancellation needs no text of the rule base, so that it can still
 * be made when the campaign it belongs to is gone.
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

static bool
is_utc(const struct zone *z)
{
	return strcmp(zone_name(z), "UTC") == 0 || strcmp(zone_name(z), "Etc/UTC") == 0;
}

static void
time_line(struct text *ret, const char *name, const struct zone *z, struct civil c)
{
	char s[CIVIL_TEXT];
	const char *zone = zone_name(z);
	bool utc = is_utc(z);

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

/* "+2 days 12:30" counts from the decision, also when the invitation is sent anew later. */
static struct civil
event_start(const struct letter *l)
{
	struct civil c = zone_civil(l->zone, l->decided.us != 0 ? l->decided : l->sent);
	const struct event_time *e = &l->message->event;

	return e->set ? (struct civil){ day_add(c.day, (int32_t)e->days), e->second }
		      : (struct civil){ day_add(c.day, 1), 9 * 3600 };
}

struct event_when
compose_event(const struct letter *l)
{
	struct instant starts;

	if (l->event != NULL)
		return *l->event;
	starts = zone_instant(l->zone, event_start(l));
	return (struct event_when){ starts,
		instant_add(starts,
		    l->message->event.length.us > 0 ? l->message->event.length : SPAN_MINUTES(30)) };
}

void
compose_uid(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret)
{
	char id[TOKEN_ID_TEXT];

	text_addf(ret, "%s@%s", token_id(k, "uid", l->enrolment, l->occurrence, "calendar", id),
	    c->domain);
}

void
invite_title(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret)
{
	const char *title =
	    l->campaign != NULL ? wording_in(&l->campaign->title, l->language) : NULL;

	if (l->message != NULL)
		compose_subject(c, k, l, ret);
	else
		text_puts(ret, title != NULL ? title : c->style.organisation);
}

static void
times_write(const struct letter *l, enum invite_form form, struct text *ret)
{
	struct event_when w = compose_event(l);

	stamp_line(ret, "DTSTAMP", l->sent);
	if (form == INVITE_PUBLISH) { /* many events, maybe of several zones: UTC needs no VTIMEZONE */
		stamp_line(ret, "DTSTART", w.starts);
		stamp_line(ret, "DTEND", w.ends);
		return;
	}
	time_line(ret, "DTSTART", l->zone, zone_civil(l->zone, w.starts));
	time_line(ret, "DTEND", l->zone, zone_civil(l->zone, w.ends));
}

static void
text_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum invite_form form, struct text *ret)
{
	SCOPED(text_deinit) struct text title = { 0 };
	SCOPED(text_deinit) struct text plain = { 0 };

	invite_title(c, k, l, &title);
	text_line(ret, "SUMMARY", text_string(&title), title.len);
	if (form == INVITE_CANCEL || l->message == NULL)
		return;
	compose_plain(c, k, l, &plain);
	text_line(ret, "DESCRIPTION", text_string(&plain), plain.len);
	if (l->message->event.where != NULL)
		text_line(ret, "LOCATION", l->message->event.where, strlen(l->message->event.where));
}

/*
 * Whose event it is.  What lies on a server must not make that server write mails of its own
 * (RFC 6638 7.1); a published event has no attendees (RFC 5546 3.2.1).
 */
static void
people_write(
    const struct compose *c, const struct letter *l, enum invite_form form, struct text *ret)
{
	bool stored = form == INVITE_STORED;

	person_line(ret, stored ? "ORGANIZER;SCHEDULE-AGENT=CLIENT" : "ORGANIZER",
	    c->style.organisation, c->style.from);
	if (form == INVITE_CANCEL)
		person_line(ret, "ATTENDEE", l->to->name, l->to->email);
	else if (form != INVITE_PUBLISH)
		person_line(ret,
		    stored ? "ATTENDEE;SCHEDULE-AGENT=CLIENT;ROLE=REQ-PARTICIPANT;"
			     "PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
			   : "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE",
		    l->to->name, l->to->email);
}

static void
alarm_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret)
{
	SCOPED(text_deinit) struct text title = { 0 };

	if (l->message == NULL || l->message->event.alarm.us <= 0)
		return;
	text_addf(ret, "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT%dM\r\n",
	    (int)(l->message->event.alarm.us / 60000000));
	invite_title(c, k, l, &title);
	text_line(ret, "DESCRIPTION", text_string(&title), title.len);
	text_puts(ret, "END:VALARM\r\n");
}

static void
event_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum invite_form form, struct text *ret)
{
	text_puts(ret, "BEGIN:VEVENT\r\nUID:");
	compose_uid(c, k, l, ret);
	text_addf(ret, "\r\nSEQUENCE:%d\r\n", l->sequence);
	times_write(l, form, ret);
	text_write(c, k, l, form, ret);
	people_write(c, l, form, ret);
	text_addf(ret, "STATUS:%s\r\nTRANSP:OPAQUE\r\n",
	    form == INVITE_CANCEL ? "CANCELLED" : "CONFIRMED");
	if (form != INVITE_CANCEL)
		alarm_write(c, k, l, ret);
	text_puts(ret, "END:VEVENT\r\n");
}

static const char calendar_top[] = "BEGIN:VCALENDAR\r\nPRODID:-//nudged//nudged//EN\r\n"
				   "VERSION:2.0\r\nCALSCALE:GREGORIAN\r\n";

void
invite_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum invite_form form, struct text *ret)
{
	text_puts(ret, calendar_top);
	if (form == INVITE_REQUEST)
		text_puts(ret, "METHOD:REQUEST\r\n");
	else if (form == INVITE_CANCEL)
		text_puts(ret, "METHOD:CANCEL\r\n");
	if (!is_utc(l->zone))
		zone_vtimezone(l->zone, compose_event(l).starts, 1, ret);
	event_write(c, k, l, form, ret);
	text_puts(ret, "END:VCALENDAR\r\n");
}

void
compose_invite(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	invite_write(c, k, l, l->cancel ? INVITE_CANCEL : INVITE_REQUEST, ret);
}

void
compose_stored(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	invite_write(c, k, l, INVITE_STORED, ret);
}

void
compose_feed_open(const struct compose *c, struct text *ret)
{
	const char *name = c->style.organisation;

	text_puts(ret, calendar_top);
	text_puts(ret, "METHOD:PUBLISH\r\n");
	text_line(ret, "X-WR-CALNAME", name, strlen(name));
}

void
compose_feed_event(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	event_write(c, k, l, INVITE_PUBLISH, ret);
}

void
compose_feed_close(struct text *ret)
{
	text_puts(ret, "END:VCALENDAR\r\n");
}
