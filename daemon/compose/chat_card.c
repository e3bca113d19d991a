/*
 * Formats with structure: Slack's blocks, the Adaptive Card of Teams, Google's cards.
 *
 * Slack and Teams get runs: every piece of text stands in a field that knows no markup, its style
 * beside it.  That is why Slack's body is rich_text and not a mrkdwn section, in which nothing
 * would keep a name like *x* from being bold.
 */
#include <string.h>

#include "base/scope.h"
#include "compose/chat_parts.h"
#include "compose/program.h"
#include "rules/rulebase.h"

static struct slice
slice_text(const struct text *t)
{
	return (struct slice){ text_string(t), t->len };
}

static int
real_buttons(const struct chat_parts *p)
{
	return p->n_buttons < p->row->buttons_max ? p->n_buttons : p->row->buttons_max;
}

/* ---- Slack ---- */

static void
plain_text(struct text *t, const char *key, const char *s, size_t len)
{
	json_open(t, key, '{');
	json_puts(t, "type", "plain_text");
	json_put(t, "text", s, len);
	json_close(t, '}');
}

static void
rich_run(void *arg, const struct run *run)
{
	struct text *t = arg;

	json_open(t, NULL, '{');
	json_puts(t, "type", run->address.len > 0 ? "link" : "text");
	if (run->address.len > 0)
		json_put(t, "url", run->address.s, run->address.len);
	json_put(t, "text", run->text.s, run->text.len);
	if (run->strong || run->emphasis) {
		json_open(t, "style", '{');
		if (run->strong)
			json_word(t, "bold", "true");
		if (run->emphasis)
			json_word(t, "italic", "true");
		json_close(t, '}');
	}
	json_close(t, '}');
}

static void
rich_text(struct text *t, struct slice marked)
{
	if (marked.len == 0)
		return;
	json_open(t, NULL, '{');
	json_puts(t, "type", "rich_text");
	json_open(t, "elements", '[');
	json_open(t, NULL, '{');
	json_puts(t, "type", "rich_text_section");
	json_open(t, "elements", '[');
	marked_runs(marked, rich_run, t);
	text_puts(t, "]}]}");
}

static void
slack_buttons(const struct chat_parts *p, struct text *t)
{
	if (real_buttons(p) == 0)
		return;
	json_open(t, NULL, '{');
	json_puts(t, "type", "actions");
	json_open(t, "elements", '[');
	for (int i = 0; i < real_buttons(p); i++) {
		json_open(t, NULL, '{');
		json_puts(t, "type", "button");
		plain_text(t, "text", text_string(&p->labels[i]), p->labels[i].len);
		json_text(t, "url", &p->addresses[i]);
		json_close(t, '}');
	}
	text_puts(t, "]}");
}

static void
slack_link(struct text *t, const struct text *address, const char *label)
{
	text_putc(t, '<');
	add_chat(t, text_string(address), address->len);
	text_putc(t, '|');
	add_chat(t, label, strlen(label));
	text_putc(t, '>');
}

static void
slack_small(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text links = { 0 };

	slack_link(&links, &p->page, p->page_label);
	text_puts(&links, " \xc2\xb7 ");
	slack_link(&links, &p->stop, p->stop_label);
	json_open(t, NULL, '{');
	json_puts(t, "type", "context");
	json_open(t, "elements", '[');
	if (p->hook.len > 0)
		plain_text(t, NULL, p->hook.s, p->hook.len);
	plain_text(t, NULL, text_string(&p->small), p->small.len);
	json_open(t, NULL, '{');
	json_puts(t, "type", "mrkdwn");
	json_text(t, "text", &links);
	json_word(t, "verbatim", "true");
	text_puts(t, "}]}");
}

/* text is what a notification shows. */
void
blocks_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text escaped = { 0 };

	add_chat(&escaped, text_string(&p->title), p->title.len);
	json_open(t, NULL, '{');
	json_text(t, "text", &escaped);
	json_word(t, "mrkdwn", "false");
	json_open(t, "blocks", '[');
	if (p->title.len > 0) {
		json_open(t, NULL, '{');
		json_puts(t, "type", "header");
		plain_text(t, "text", p->title.s, p->title.len);
		json_close(t, '}');
	}
	rich_text(t, slice_text(&p->body));
	slack_buttons(p, t);
	slack_small(p, t);
	text_puts(t, "]}\n");
}

/* ---- Teams ---- */

/* A RichTextBlock a line, so that nothing depends on what a renderer does with a line feed. */
struct lines {
	struct text *t;
	bool open, small, gap;
};

static void
line_open(struct lines *k)
{
	if (k->open)
		return;
	json_open(k->t, NULL, '{');
	json_puts(k->t, "type", "RichTextBlock");
	json_puts(k->t, "spacing", k->gap ? "Medium" : "None");
	json_open(k->t, "inlines", '[');
	k->open = true;
	k->gap = false;
}

static void
line_close(struct lines *k)
{
	if (k->open)
		text_puts(k->t, "]}");
	else
		k->gap = true; /* an empty line: a paragraph begins */
	k->open = false;
}

static void
card_run(struct lines *k, const struct run *run, struct slice s)
{
	if (s.len == 0)
		return;
	line_open(k);
	json_open(k->t, NULL, '{');
	json_puts(k->t, "type", "TextRun");
	json_put(k->t, "text", s.s, s.len);
	if (run->strong)
		json_puts(k->t, "weight", "Bolder");
	if (run->emphasis)
		json_word(k->t, "italic", "true");
	if (k->small) {
		json_puts(k->t, "size", "Small");
		json_word(k->t, "isSubtle", "true");
	}
	if (run->address.len > 0) {
		json_open(k->t, "selectAction", '{');
		json_puts(k->t, "type", "Action.OpenUrl");
		json_put(k->t, "url", run->address.s, run->address.len);
		json_close(k->t, '}');
	}
	json_close(k->t, '}');
}

static void
card_lines(void *arg, const struct run *run)
{
	struct lines *k = arg;
	struct slice s = run->text;
	const char *lf;

	while ((lf = memchr(s.s, '\n', s.len)) != NULL) {
		card_run(k, run, (struct slice){ s.s, (size_t)(lf - s.s) });
		line_close(k);
		s.len -= (size_t)(lf + 1 - s.s);
		s.s = lf + 1;
	}
	card_run(k, run, s);
}

static void
card_text(struct text *t, struct slice marked, bool small)
{
	struct lines k = { .t = t, .small = small, .gap = true };

	marked_runs(marked, card_lines, &k);
	if (k.open)
		line_close(&k);
}

static void
card_heading(const struct chat_parts *p, struct text *t)
{
	if (p->title.len == 0)
		return;
	json_open(t, NULL, '{');
	json_puts(t, "type", "RichTextBlock");
	json_open(t, "inlines", '[');
	json_open(t, NULL, '{');
	json_puts(t, "type", "TextRun");
	json_text(t, "text", &p->title);
	json_puts(t, "weight", "Bolder");
	json_puts(t, "size", "Large");
	text_puts(t, "}]}");
}

static void
card_actions(const struct chat_parts *p, struct text *t)
{
	if (real_buttons(p) == 0)
		return;
	json_open(t, NULL, '{');
	json_puts(t, "type", "ActionSet");
	json_open(t, "actions", '[');
	for (int i = 0; i < real_buttons(p); i++) {
		json_open(t, NULL, '{');
		json_puts(t, "type", "Action.OpenUrl");
		json_text(t, "title", &p->labels[i]);
		json_text(t, "url", &p->addresses[i]);
		json_close(t, '}');
	}
	text_puts(t, "]}");
}

/* An ActionSet and not the card's own actions: those stand below the small print. */
void
card_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text foot = { 0 };

	chat_foot(p, &foot);
	text_puts(t, "{\"type\":\"message\",\"attachments\":[{\"contentType\":"
		     "\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,\"content\":{"
		     "\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
		     "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"msteams\":{\"width\":\"Full\"},"
		     "\"body\":[");
	card_heading(p, t);
	card_text(t, slice_text(&p->body), false);
	card_actions(p, t);
	card_text(t, slice_text(&foot), true);
	text_puts(t, "]}}]}\n");
}

/* ---- Google Chat ---- */

static void
paragraph(const struct chat_parts *p, struct text *t, struct slice marked)
{
	SCOPED(text_deinit) struct text html = { 0 };

	if (marked.len == 0)
		return;
	marked_render(marked, p->row->dialect, &html);
	json_open(t, NULL, '{');
	json_open(t, "textParagraph", '{');
	json_text(t, "text", &html);
	text_puts(t, "}}");
}

static void
google_buttons(const struct chat_parts *p, struct text *t)
{
	if (real_buttons(p) == 0)
		return;
	json_open(t, NULL, '{');
	json_open(t, "buttonList", '{');
	json_open(t, "buttons", '[');
	for (int i = 0; i < real_buttons(p); i++) {
		json_open(t, NULL, '{');
		json_text(t, "text", &p->labels[i]);
		json_open(t, "onClick", '{');
		json_open(t, "openLink", '{');
		json_text(t, "url", &p->addresses[i]);
		text_puts(t, "}}}");
	}
	text_puts(t, "]}}");
}

void
cards_v2_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text foot = { 0 };

	chat_foot(p, &foot);
	json_open(t, NULL, '{');
	json_text(t, "fallbackText", &p->title);
	json_open(t, "cardsV2", '[');
	json_open(t, NULL, '{');
	json_puts(t, "cardId", "nudge");
	json_open(t, "card", '{');
	json_open(t, "header", '{');
	json_text(t, "title", &p->title);
	json_close(t, '}');
	json_open(t, "sections", '[');
	json_open(t, NULL, '{');
	json_open(t, "widgets", '[');
	paragraph(p, t, slice_text(&p->body));
	google_buttons(p, t);
	paragraph(p, t, slice_text(&foot));
	text_puts(t, "]}]}}]}\n");
}
