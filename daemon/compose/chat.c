/* The Slack-compatible shape: text for the notification, blocks for the message. */
#include <string.h>

#include "base/scope.h"
#include "compose/parts.h"

enum { SECTION_LONGEST = 2900, HEADER_LONGEST = 148, LABEL_LONGEST = 74 };

/* At most max code points, cut between characters, with an ellipsis. */
static void
add_json_cut(struct text *t, const char *s, size_t len, size_t max)
{
	const char *end = s + len, *p = s;
	size_t n = 0;
	uint32_t c;

	while (p < end && n < max) {
		size_t step = utf8_decode(p, end, &c);

		p += step > 0 ? step : 1;
		n++;
	}
	add_json(t, s, (size_t)(p - s));
	if (p < end)
		text_puts(t, "\xe2\x80\xa6");
}

/* Never in the middle of a link: back to the last line or sentence before the limit. */
static size_t
section_length(const char *s, size_t len)
{
	size_t cut = len;

	if (len <= SECTION_LONGEST)
		return len;
	for (cut = SECTION_LONGEST; cut > 0; cut--)
		if (s[cut] == '\n' || (s[cut] == ' ' && strchr(".!?", s[cut - 1]) != NULL))
			break;
	return cut > 0 ? cut : SECTION_LONGEST;
}

static void
buttons(struct text *t, const struct running *r, const struct compiled *text)
{
	SCOPED(text_deinit) struct text label = { 0 };
	SCOPED(text_deinit) struct text url = { 0 };

	if (text->n_buttons == 0)
		return;
	text_puts(t, ",{\"type\":\"actions\",\"elements\":[");
	for (int i = 0; i < text->n_buttons; i++) {
		text_clear(&label);
		text_clear(&url);
		program_run(&text->labels[i], r, &label);
		add_link(r, "/a/", text->buttons[i], &url);
		text_puts(t, i > 0 ? ",{\"type\":\"button\",\"text\":{\"type\":\"plain_text\",\"text\":\""
				   : "{\"type\":\"button\",\"text\":{\"type\":\"plain_text\",\"text\":\"");
		add_json_cut(t, text_string(&label), label.len, LABEL_LONGEST);
		text_puts(t, "\"},\"url\":\"");
		add_json(t, text_string(&url), url.len);
		text_puts(t, "\"}");
	}
	text_puts(t, "]}");
}

static void
small(struct text *t, const struct running *r, const struct compiled *text)
{
	SCOPED(text_deinit) struct text s = { 0 };

	program_run(&text->chat_small, r, &s);
	text_puts(t, ",{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\",\"text\":\"");
	add_json(t, text_string(&s), s.len);
	text_puts(t, "\"}]}");
}

void
compose_chat(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	const struct compiled *text = compiled_of(c, l->campaign, l->message->index, l->language);
	struct token_sheet links;
	struct running r = running_start(c, k, l, &links);
	SCOPED(text_deinit) struct text subject = { 0 };
	SCOPED(text_deinit) struct text body = { 0 };
	SCOPED(text_deinit) struct text escaped = { 0 };

	program_run(&text->subject, &r, &subject);
	program_run(&text->chat, &r, &body);
	while (body.len > 0 && body.s[body.len - 1] == '\n')
		body.len--;
	add_chat(&escaped, text_string(&subject), subject.len);
	text_puts(ret, "{\"text\":\"");
	add_json(ret, text_string(&escaped), escaped.len);
	text_puts(ret, "\",\"blocks\":[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":\"");
	add_json_cut(ret, text_string(&subject), subject.len, HEADER_LONGEST);
	text_puts(ret, "\"}},{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"");
	add_json(ret, text_string(&body), section_length(text_string(&body), body.len));
	text_puts(ret, "\"}}");
	buttons(ret, &r, text);
	small(ret, &r, text);
	text_puts(ret, "]}\n");
}
