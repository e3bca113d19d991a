/*
 * Letters and reminder cards, as a page made for paper.
 *
 * Lengths are millimetres, ink is black on white, every sheet begins a page.  A person answers on
 * paper through one code (QR) to their own page of answers, with the same address in letters beside
 * it.  Where a window envelope shows the address (ISO 269 DL, C5/6 with the window on the left,
 * 20 mm from the edge and 45 mm from the top, 85 mm x 45 mm: DIN 5008, form B), the block stands there
 * when the roster has one; else the name and the team, for who hands it out.
 *
 * A logo stands in a document once, however many sheets show it: in the text and not in the style,
 * since browsers do not print backgrounds.
 */
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "compose/parts.h"
#include "people/person.h"
#include "plan/zone.h"

/* Bytes of a sheet's text from which on it is set smaller. */
enum { CARD_LONG = 420, LETTER_LONG = 1900 };

const char *const paper_names[PAPERS] = { [PAPER_LETTER] = "letter", [PAPER_CARD] = "card" };

static const char style_both[] =
    "*{box-sizing:border-box}html{background:#fff;color:#000;-webkit-print-color-adjust:exact}"
    "body{margin:0;font-family:Helvetica,Arial,\"Liberation Sans\",sans-serif}"
    ".sheet{position:relative;display:flex;flex-direction:column;break-after:page}"
    ".sheet:last-child{break-after:auto}"
    ".top{display:flex;align-items:center;font-weight:bold}.top svg{flex:none}"
    ".logos{position:absolute;width:0;height:0}.for{margin-left:auto;padding-left:4mm;"
    "text-align:right;font-weight:normal}"
    "h1{font-weight:bold;line-height:1.2}h1,h2,p,ul,blockquote{margin:0 0 .75em}"
    "h2{font-size:1em}ul{padding-left:1.2em}li{margin:.15em 0}"
    "blockquote{border-left:.6mm solid #000;padding-left:3mm}hr{border:0;border-top:.2mm solid #000}"
    "p,li,h1,.answer{break-inside:avoid;overflow-wrap:break-word}"
    ".url{font-family:\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;overflow-wrap:anywhere}"
    ".answer{display:flex;margin-top:auto;border:.3mm solid #000;border-radius:2mm}"
    ".answer svg{flex:none;display:block}.answer div{min-width:0;align-self:center}"
    ".answer p{margin:0 0 .35em}.answer p:last-child{margin:0}.small{margin:0}"
    ".cover{font-size:11pt;line-height:1.4;padding:1em;border-bottom:.3mm dashed #000}"
    ".cover td{padding:0 2em 0 0}@media print{.cover{display:none}}";
static const char style_letter[] =
    "@page{size:210mm 297mm;margin:20mm 25mm 17mm}body{font-size:11pt;line-height:1.45}"
    ".sheet{min-height:259mm}.top{height:20mm;font-size:13pt}"
    ".top svg{width:16mm;height:16mm;margin-right:5mm}"
    ".to{margin:5mm 0 0 -5mm;padding-left:5mm;height:45mm;line-height:1.35}"
    ".date{margin:6mm 0 8mm}h1{font-size:17pt;margin-bottom:5mm}"
    ".answer{padding:4mm;margin-top:auto;font-size:10pt}.answer svg{width:32mm;height:32mm;"
    "margin-right:6mm}.answer .url{font-size:9pt}.small{margin-top:4mm;font-size:8pt;line-height:1.35}"
    ".long{font-size:10pt;line-height:1.35}.gap{flex:none;height:6mm}";
static const char style_card[] =
    "@page{size:105mm 148mm;margin:8mm}body{font-size:11pt;line-height:1.4}"
    ".sheet{min-height:131mm}.top{min-height:9mm;font-size:9pt;margin-bottom:3mm}"
    ".top svg{width:9mm;height:9mm;margin-right:3mm}.for{font-size:7pt;line-height:1.3}"
    "h1{font-size:15pt;margin-bottom:3mm}"
    ".answer{padding:2mm;font-size:7.5pt;line-height:1.25}.answer svg{width:24mm;height:24mm;"
    "margin-right:3mm}.answer .url{font-size:6.5pt}"
    ".small{margin-top:2mm;font-size:6pt;line-height:1.25}"
    ".long{font-size:8.5pt;line-height:1.3}.long h1{font-size:12pt}.gap{flex:none;height:2mm}";

enum paper
compose_paper(const struct letter *l)
{
	return l->number > 1 ? PAPER_CARD : PAPER_LETTER;
}

static void
code_free(QRcode **q)
{
	QRcode_free(*q);
}

/* Each run of black modules is one rectangle; four modules of white around (ISO/IEC 18004). */
static void
code_put(struct text *t, const char *url)
{
	SCOPED(code_free) QRcode *q = QRcode_encodeString8bit(url, 0, QR_ECLEVEL_M);
	int n = q != NULL ? q->width : 0;

	if (n == 0) /* no memory, or an address of over 2,000 bytes: it still stands in letters */
		return;
	text_addf(t, "<svg viewBox=\"-4 -4 %d %d\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">"
		     "<path d=\"",
	    n + 8, n + 8);
	for (int y = 0; y < n; y++)
		for (int x = 0, end; x < n; x = end + 1) {
			for (end = x; end < n && (q->data[y * n + end] & 1); end++)
				;
			if (end > x)
				text_addf(t, "M%d %dh%dv1h-%dz", x, y, end - x, end - x);
		}
	text_puts(t, "\"/></svg>");
}

static void
words_put(struct text *t, const struct running *r, const char *key)
{
	const char *s = compose_words(r->compose, r->letter->language, key);

	add_html(t, s, strlen(s));
}

static void
line_put(struct text *t, const char *s, const char *end)
{
	SCOPED(text_deinit) struct text shown = { 0 };

	if (s == NULL || s[0] == '\0')
		return;
	text_add_display(&shown, s, strlen(s));
	add_html(t, text_string(&shown), shown.len);
	text_puts(t, end);
}

static void
top_put(struct text *t, const struct running *r, enum paper paper)
{
	const struct letter *l = r->letter;

	text_puts(t, "<div class=\"top\">");
	if (r->compose->logo_data[l->campaign->index] != NULL)
		text_addf(t, "<svg aria-hidden=\"true\"><use href=\"#logo%d\"/></svg>",
		    (int)l->campaign->index);
	text_puts(t, "<span>");
	line_put(t, wording_in(&l->campaign->hook, l->language), "");
	text_puts(t, "</span>");
	if (paper == PAPER_CARD) {
		text_puts(t, "<span class=\"for\">");
		line_put(t, l->to->name, "<br>");
		line_put(t, l->team, "");
		text_puts(t, "</span>");
	}
	text_puts(t, "</div>\n");
}

static bool
has_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

/* The block in the window: where this person lives, or else in which team they work; the date. */
static void
address_put(struct text *t, const struct letter *l)
{
	const char *street = person_get(l->to, "address"), *city = person_get(l->to, "city");
	char day[DAY_TEXT];

	text_puts(t, "<div class=\"to\">");
	line_put(t, l->to->name, "<br>\n");
	if (has_text(street) && has_text(city)) {
		line_put(t, street, "<br>\n");
		line_put(t, person_get(l->to, "postcode"), "&ensp;");
		line_put(t, city, "");
	} else
		line_put(t, l->team, "");
	text_puts(t, "</div>\n");
	text_addf(t, "<p class=\"date\">%s</p>\n",
	    day_format(zone_civil(l->zone, l->sent).day, day));
}

static void
answer_put(struct text *t, const struct running *r)
{
	SCOPED(text_deinit) struct text url = { 0 };

	add_link(r, "/a/", 0, &url);
	text_puts(t, "<div class=\"gap\"></div><div class=\"answer\">");
	code_put(t, text_string(&url));
	text_puts(t, "<div><p><strong>");
	words_put(t, r, "small-answers");
	text_puts(t, "</strong></p><p>");
	words_put(t, r, "print-scan");
	text_puts(t, "</p><p class=\"url\">");
	add_html(t, text_string(&url), url.len);
	text_puts(t, "</p></div></div>\n");
}

static void
sheet_open(struct text *t, const struct running *r, enum paper paper, size_t body)
{
	bool is_long = body > (paper == PAPER_CARD ? CARD_LONG : LETTER_LONG);

	/* The id is how a sheet is found that must be taken out again (deliver/spool/spool.h). */
	text_addf(t, "<section class=\"sheet%s\" id=\"d%08lld\" lang=\"%s\">\n", is_long ? " long" : "",
	    (long long)r->letter->delivery, r->compose->rb->house.languages[r->letter->language]);
}

void
compose_print_sheet(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum paper paper, struct text *ret)
{
	const struct compiled *text = compiled_of(c, l->campaign, l->message->index, l->language);
	struct token_sheet links;
	struct running r = running_start(c, k, l, &links);
	SCOPED(text_deinit) struct text body = { 0 };
	SCOPED(text_deinit) struct text title = { 0 };

	program_run(paper == PAPER_CARD ? &text->card : &text->paper, &r, &body);
	program_run(&text->subject, &r, &title);
	sheet_open(ret, &r, paper, body.len);
	top_put(ret, &r, paper);
	if (paper == PAPER_LETTER)
		address_put(ret, l);
	text_puts(ret, "<h1>");
	add_html(ret, text_string(&title), title.len);
	text_puts(ret, "</h1>\n");
	text_add(ret, text_string(&body), body.len);
	answer_put(ret, &r);
	text_puts(ret, "<p class=\"small\">");
	program_run(&text->paper_small, &r, ret);
	text_puts(ret, "</p>\n</section>\n");
}

void
compose_print_open(const struct compose *c, enum paper paper, struct text *ret)
{
	text_addf(ret, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><title>",
	    c->rb->house.languages[0]);
	line_put(ret, c->style.organisation, "</title><style>");
	text_puts(ret, style_both);
	text_puts(ret, paper == PAPER_CARD ? style_card : style_letter);
	text_puts(ret, "</style></head>\n<body>\n");
}

void
compose_print_logo(const struct compose *c, const struct campaign *k, struct text *ret)
{
	const char *logo = c->logo_data[k->index];

	if (logo != NULL)
		text_addf(ret, "<svg class=\"logos\" aria-hidden=\"true\"><symbol id=\"logo%d\">"
			       "<image href=\"%s\" width=\"100%%\" height=\"100%%\"/></symbol></svg>\n",
		    (int)k->index, logo);
}

static void
cover_words(const struct compose *c, const char *key, struct text *ret)
{
	const char *s = compose_words(c, 0, key);

	add_html(ret, s, strlen(s));
}

void
compose_print_cover(const struct compose *c, const struct cover *cover, struct text *ret)
{
	char day[DAY_TEXT];

	text_puts(ret, "<div class=\"cover\"><p><strong>");
	cover_words(c, cover->paper == PAPER_CARD ? "print-cards" : "print-letters", ret);
	text_addf(ret, ", %s", day_format(cover->day, day));
	if (cover->number > 0)
		text_addf(ret, " (%lld)", (long long)cover->number);
	text_addf(ret, ": %zu ", cover->sheets);
	cover_words(c, "print-sheets", ret);
	text_puts(ret, "</strong></p>\n<p>");
	cover_words(c, "print-how", ret);
	text_puts(ret, "</p>\n<table>\n");
	for (size_t i = 0; i < cover->n_teams; i++) {
		text_puts(ret, "<tr><td>");
		if (cover->teams[i].name[0] == '\0')
			cover_words(c, "print-no-team", ret);
		line_put(ret, cover->teams[i].name, "");
		text_addf(ret, "</td><td>%zu</td></tr>\n", cover->teams[i].sheets);
	}
	text_puts(ret, "</table></div>\n");
}

void
compose_print_close(struct text *ret)
{
	text_puts(ret, "</body></html>\n");
}
