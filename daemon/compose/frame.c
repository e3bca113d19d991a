/*
 * What stands around every text: the hook and logo above, the small print below (who, why you, why
 * now, what is stored, how to answer, how to stop).
 *
 * The page is built of tables and inline styles, because several mail programs know no more; the
 * style sheet only adds what those may ignore (dark mode, paper).  Nothing in it is loaded from
 * elsewhere.  The width stands as an attribute in a comment of its own for the word processor that
 * some mail programs show pages with: it knows no max-width.
 */
#include <string.h>

#include "base/text.h"
#include "compose/parts.h"

static void
slot(struct program *p, const struct small_print *s, enum slot_kind kind, enum escape escape)
{
	program_op(p, s->c->mem, (struct op){ .kind = OP_SLOT, .slot = kind, .escape = escape });
}

static void
words(struct program *p, const struct small_print *s, const char *key, enum escape escape)
{
	program_words(p, s->c, s->language, key, escape);
}

/* Why now: by what sets the moment of this message. */
static const char *
why_now(const struct small_print *s)
{
	const struct campaign *k = s->campaign;

	if (s->message->follow_up)
		return k->unanswered_message != NULL && strcmp(k->unanswered_message, s->message->id) == 0
		    ? "small-why-now-silence"
		    : "small-why-now-answer";
	if (k->rhythm.kind == RHYTHM_AROUND)
		return "small-why-now-date";
	return k->rhythm.kind == RHYTHM_ON_EVENT ? "small-why-now-event" : "small-why-now";
}

static void
reasons(struct program *p, const struct small_print *s, enum escape escape, const char *end)
{
	words(p, s, "small-who", escape);
	program_puts(p, " ");
	words(p, s, "small-why-you", escape);
	program_puts(p, " ");
	words(p, s, why_now(s), escape);
	program_puts(p, end);
	words(p, s, "small-stored", escape);
	program_puts(p, end);
}

void
small_print_plain(struct program *p, const struct small_print *s)
{
	program_puts(p, "--\n");
	slot(p, s, SLOT_HOOK, ESCAPE_NONE);
	program_puts(p, "\n");
	reasons(p, s, ESCAPE_NONE, "\n");
	words(p, s, "small-answers", ESCAPE_NONE);
	program_puts(p, ": ");
	slot(p, s, SLOT_PAGE_LINK, ESCAPE_NONE);
	program_puts(p, "\n");
	words(p, s, "small-stop", ESCAPE_NONE);
	program_puts(p, ": ");
	slot(p, s, SLOT_STOP_LINK, ESCAPE_NONE);
	program_puts(p, "\n");
}

void
small_print_paper(struct program *p, const struct small_print *s)
{
	reasons(p, s, ESCAPE_HTML, " ");
}

/* Without hook and links: each chat format has places of its own for those. */
void
small_print_chat(struct program *p, const struct small_print *s)
{
	reasons(p, s, ESCAPE_MARKED, "\n");
}

static const char page_style[] =
    "<style>:root{color-scheme:light dark}"
    "@media(prefers-color-scheme:dark){body,.o{background:#14201c!important}"
    ".i{background:#1d2b26!important;color:#e8efec!important}.h{color:#8fdcc2!important}"
    ".i a:not(.b){color:#8fdcc2!important}.s,.s a{color:#a9bab3!important}}"
    "@media(max-width:480px){.o>tbody>tr>td{padding:0!important}}"
    "@media print{@page{size:A4;margin:20mm}body,.o,.i{background:#fff!important;color:#000"
    "!important}.i a:after{content:\" (\" attr(href) \")\";font-weight:normal;word-break:break-all}}"
    "</style>";

void
frame_open(struct program *p, const struct small_print *s, const char *logo)
{
	program_puts(p, "<!DOCTYPE html>\n<html lang=\"");
	program_puts(p, s->c->rb->house.languages[s->language]);
	program_puts(p,
	    "\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\">"
	    "<meta name=\"color-scheme\" content=\"light dark\">"
	    "<meta name=\"supported-color-schemes\" content=\"light dark\"><title>");
	slot(p, s, SLOT_TITLE, ESCAPE_HTML);
	program_puts(p, "</title>");
	program_puts(p, page_style);
	program_puts(p,
	    "</head>\n<body style=\"margin:0;padding:0;background:#f2f5f4\">"
	    "<table role=\"presentation\" class=\"o\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\""
	    " border=\"0\" style=\"background:#f2f5f4\"><tr><td align=\"center\" style=\"padding:16px\">"
	    "<!--[if mso]><table role=\"presentation\" width=\"600\"><tr><td><![endif]-->"
	    "<table role=\"presentation\" class=\"i\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\""
	    " border=\"0\" style=\"max-width:600px;background:#ffffff;color:#1c2522;font-family:Arial,"
	    "Helvetica,sans-serif;font-size:16px;line-height:1.5;text-align:left\">\n"
	    "<tr><td class=\"h\" style=\"padding:20px 24px 0;color:#0b6b50;font-weight:bold\">");
	if (logo != NULL && s->campaign->logo_bytes != NULL) {
		program_puts(p, "<img src=\"");
		program_puts(p, logo);
		program_puts(p, "\" width=\"36\" height=\"36\" alt=\"\""
				" style=\"vertical-align:middle;margin-right:10px;border:0\">");
	}
	slot(p, s, SLOT_HOOK, ESCAPE_HTML);
	program_puts(p, "</td></tr>\n<tr><td style=\"padding:16px 24px 0\">\n");
}

static void
page_link(struct program *p, const struct small_print *s, const char *key, enum slot_kind kind)
{
	program_puts(p, "<a href=\"");
	slot(p, s, kind, ESCAPE_HTML);
	program_puts(p, "\" style=\"color:#5c6b66\">");
	words(p, s, key, ESCAPE_HTML);
	program_puts(p, "</a>");
}

void
frame_close(struct program *p, const struct small_print *s)
{
	program_puts(p, "</td></tr>\n<tr><td class=\"s\" style=\"padding:8px 24px 24px;font-size:13px;"
			"color:#5c6b66\">\n");
	reasons(p, s, ESCAPE_HTML, "<br>\n");
	page_link(p, s, "small-answers", SLOT_PAGE_LINK);
	program_puts(p, " &middot; ");
	page_link(p, s, "small-stop", SLOT_STOP_LINK);
	program_puts(p, "\n</td></tr></table><!--[if mso]></td></tr></table><![endif]-->"
			"</td></tr></table></body></html>\n");
}
