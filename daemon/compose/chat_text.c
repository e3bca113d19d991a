/*
 * Formats whose message is one text, or nearly: Mattermost, Rocket.Chat, Discord, Matrix, Zulip,
 * ntfy, and the signed webhook, which says everything in fields of its own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/when.h"
#include "compose/chat_parts.h"
#include "people/person.h"
#include "rules/rulebase.h"

static struct slice
slice_text(const struct text *t)
{
	return (struct slice){ text_string(t), t->len };
}

/* Heading, body and foot as one marked text. */
static void
all_marked(const struct chat_parts *p, struct text *ret)
{
	if (p->title.len > 0) {
		text_putc(ret, MARK_STRONG);
		add_marked(ret, p->title.s, p->title.len);
		text_putc(ret, MARK_STRONG_END);
		text_puts(ret, "\n\n");
	}
	if (p->body.len > 0) {
		text_add(ret, p->body.s, p->body.len);
		text_puts(ret, "\n\n");
	}
	chat_foot(p, ret);
}

static void
all_rendered(const struct chat_parts *p, enum chat_dialect dialect, struct text *ret)
{
	SCOPED(text_deinit) struct text marked = { 0 };

	all_marked(p, &marked);
	marked_render(slice_text(&marked), dialect, ret);
}

/* Mattermost, Rocket.Chat: an address the roster has is passed on as it is; the server judges it. */
void
post_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text all = { 0 };

	all_rendered(p, p->row->dialect, &all);
	json_open(t, NULL, '{');
	json_text(t, "text", &all);
	if (p->letter->to->chat[0] != '\0')
		json_puts(t, "channel", p->letter->to->chat);
	text_puts(t, "}\n");
}

/* Discord: the small print in an embed, which has a limit of its own; nobody is ever called. */
void
content_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text marked = { 0 };
	SCOPED(text_deinit) struct text content = { 0 };
	SCOPED(text_deinit) struct text foot = { 0 };
	struct chat_parts small = *p;

	if (p->title.len > 0) {
		text_putc(&marked, MARK_STRONG);
		add_marked(&marked, p->title.s, p->title.len);
		text_putc(&marked, MARK_STRONG_END);
		text_puts(&marked, "\n\n");
	}
	text_add(&marked, text_string(&p->body), p->body.len);
	if (p->body.len > 0)
		text_puts(&marked, "\n\n");
	chat_answers(p, 0, &marked);
	marked_render(slice_text(&marked), p->row->dialect, &content);
	small.n_buttons = 0;
	text_clear(&marked);
	chat_foot(&small, &marked);
	marked_render(slice_text(&marked), p->row->dialect, &foot);
	json_open(t, NULL, '{');
	json_text(t, "content", &content);
	json_open(t, "embeds", '[');
	json_open(t, NULL, '{');
	json_text(t, "description", &foot);
	text_puts(t, "}],\"allowed_mentions\":{\"parse\":[]}}\n");
}

void
event_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text plain = { 0 };
	SCOPED(text_deinit) struct text html = { 0 };

	all_rendered(p, DIALECT_PLAIN, &plain);
	all_rendered(p, p->row->dialect, &html);
	json_open(t, NULL, '{');
	json_puts(t, "msgtype", "m.text");
	json_text(t, "body", &plain);
	json_puts(t, "format", "org.matrix.custom.html");
	json_text(t, "formatted_body", &html);
	text_puts(t, ",\"m.mentions\":{}}\n");
}

/* ---- Zulip ---- */

static void
form_put(struct text *t, const char *name, const char *s, size_t len)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	if (t->len > 0)
		text_putc(t, '&');
	text_puts(t, name);
	text_putc(t, '=');
	for (size_t i = 0; i < len; i++)
		if (s[i] != '\0' && strchr(safe, s[i]) != NULL)
			text_putc(t, s[i]);
		else if (s[i] == ' ')
			text_putc(t, '+');
		else
			text_addf(t, "%%%02X", (unsigned char)s[i]);
}

/* "#channel" is a channel, with the campaign's title as the topic; digits a user's number; else mail. */
static void
form_address(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text to = { 0 };
	const struct person *who = p->letter->to;
	const char *title = wording_in(&p->letter->campaign->title, p->letter->language);
	const char *chat = who->chat;

	if (chat[0] == '#') {
		struct slice topic = points_cut(slice_of(title != NULL ? title : ""), 60);

		form_put(t, "type", "stream", strlen("stream"));
		form_put(t, "to", chat + 1, strlen(chat + 1));
		form_put(t, "topic", topic.s, topic.len);
		return;
	}
	json_open(&to, NULL, '[');
	if (chat[0] != '\0' && strspn(chat, "0123456789") == strlen(chat) && strlen(chat) < 18)
		json_word(&to, NULL, chat);
	else
		json_puts(&to, NULL, strchr(chat, '@') > chat ? chat : who->email);
	json_close(&to, ']');
	form_put(t, "type", "direct", strlen("direct"));
	form_put(t, "to", to.s, to.len);
}

void
form_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text all = { 0 };

	all_rendered(p, p->row->dialect, &all);
	form_address(p, t);
	form_put(t, "content", text_string(&all), all.len);
}

/* ---- ntfy ---- */

void
notice_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text marked = { 0 };
	SCOPED(text_deinit) struct text message = { 0 };
	int n = p->n_buttons < p->row->buttons_max ? p->n_buttons : p->row->buttons_max;

	text_add(&marked, text_string(&p->body), p->body.len);
	if (p->body.len > 0)
		text_puts(&marked, "\n\n");
	chat_foot(p, &marked);
	marked_render(slice_text(&marked), p->row->dialect, &message);
	json_open(t, NULL, '{');
	json_puts(t, "topic", p->letter->to->chat);
	json_text(t, "title", &p->title);
	json_text(t, "message", &message);
	json_text(t, "click", &p->page);
	if (n > 0)
		json_open(t, "actions", '[');
	for (int i = 0; i < n; i++) {
		json_open(t, NULL, '{');
		json_puts(t, "action", "view");
		json_text(t, "label", &p->labels[i]);
		json_text(t, "url", &p->addresses[i]);
		json_close(t, '}');
	}
	text_puts(t, n > 0 ? "]}\n" : "}\n");
}

/* ---- our own ---- */

static void
own_answers(const struct chat_parts *p, struct text *t)
{
	json_open(t, "answers", '[');
	for (int i = 0; i < p->n_buttons; i++) {
		json_open(t, NULL, '{');
		json_text(t, "label", &p->labels[i]);
		json_text(t, "url", &p->addresses[i]);
		json_close(t, '}');
	}
	json_close(t, ']');
}

void
own_write(const struct chat_parts *p, struct text *t)
{
	SCOPED(text_deinit) struct text plain = { 0 };
	SCOPED(text_deinit) struct text html = { 0 };
	const struct letter *l = p->letter;
	char at[INSTANT_TEXT];

	marked_render(slice_text(&p->body), DIALECT_PLAIN, &plain);
	marked_render(slice_text(&p->body), DIALECT_HTML, &html);
	json_open(t, NULL, '{');
	json_puts(t, "type", "nudge.message");
	json_puts(t, "timestamp", instant_format(l->sent, 0, at));
	json_open(t, "data", '{');
	json_puts(t, "campaign", l->campaign->id);
	json_puts(t, "message", l->message->id);
	json_open(t, "to", '{');
	json_puts(t, "id", l->to->id);
	json_puts(t, "chat", l->to->chat);
	json_close(t, '}');
	json_text(t, "title", &p->title);
	json_text(t, "text", &plain);
	json_text(t, "html", &html);
	own_answers(p, t);
	json_text(t, "hook", &p->hook);
	json_text(t, "small_print", &p->small);
	json_text(t, "page_url", &p->page);
	json_text(t, "stop_url", &p->stop);
	text_puts(t, "}}\n");
}
