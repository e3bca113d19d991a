/*
 * A letter as a chat message: the parts every format shows, cut to what the format's row allows,
 * then written in its shape.  When a text is too long only the body gives way: heading, answers,
 * hook and small print are always whole.
 */
#include <string.h>

#include "base/scope.h"
#include "compose/chat_parts.h"
#include "compose/parts.h"

/* Longer ones are not written by people who want to be read; cut so that every format has room. */
enum { HOOK_MAX = 150, SMALL_MAX = 800, BODY_LEAST = 40 };

static chat_writer *const writers[SHAPES] = {
	[SHAPE_BLOCKS] = blocks_write,
	[SHAPE_POST] = post_write,
	[SHAPE_CARD] = card_write,
	[SHAPE_CONTENT] = content_write,
	[SHAPE_CARDS_V2] = cards_v2_write,
	[SHAPE_EVENT] = event_write,
	[SHAPE_FORM] = form_write,
	[SHAPE_NOTICE] = notice_write,
	[SHAPE_OWN] = own_write,
};

/* ---- JSON ---- */

static void
key_put(struct text *t, const char *key)
{
	char last = t->len > 0 ? t->s[t->len - 1] : '{';

	if (last != '{' && last != '[')
		text_putc(t, ',');
	if (key != NULL) {
		text_putc(t, '"');
		text_puts(t, key);
		text_puts(t, "\":");
	}
}

void
json_open(struct text *t, const char *key, char bracket)
{
	if (key != NULL || t->len > 0)
		key_put(t, key);
	text_putc(t, bracket);
}

void
json_close(struct text *t, char bracket)
{
	text_putc(t, bracket);
}

void
json_word(struct text *t, const char *key, const char *word)
{
	key_put(t, key);
	text_puts(t, word);
}

void
json_put(struct text *t, const char *key, const char *s, size_t len)
{
	key_put(t, key);
	text_putc(t, '"');
	add_json(t, s, len);
	text_putc(t, '"');
}

void
json_puts(struct text *t, const char *key, const char *s)
{
	json_put(t, key, s, strlen(s));
}

void
json_text(struct text *t, const char *key, const struct text *s)
{
	json_put(t, key, text_string(s), s->len);
}

/* ---- parts ---- */

static struct slice
slice_text(const struct text *t)
{
	return (struct slice){ text_string(t), t->len };
}

/* At most max code points, with an ellipsis for the rest. */
static void
text_cut(struct text *t, size_t max)
{
	struct slice s = points_cut(slice_text(t), max);

	if (s.len == t->len)
		return;
	s = points_cut(s, max - 1);
	t->len = s.len;
	text_puts(t, "\xe2\x80\xa6");
}

static void
trim_end(struct text *t)
{
	while (t->len > 0 && (t->s[t->len - 1] == '\n' || t->s[t->len - 1] == ' '))
		t->s[--t->len] = '\0';
}

static void
parts_deinit(struct chat_parts *p)
{
	struct text *all[] = { &p->title, &p->body, &p->hook, &p->small, &p->page, &p->stop };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		text_deinit(all[i]);
	for (int i = 0; i < CHAT_BUTTONS; i++) {
		text_deinit(&p->labels[i]);
		text_deinit(&p->addresses[i]);
	}
}

static void
parts_fill(struct chat_parts *p, const struct running *r, const struct compiled *text)
{
	const struct letter *l = r->letter;
	const char *hook = wording_in(&l->campaign->hook, l->language);

	program_run(&text->subject, r, &p->title);
	text_cut(&p->title, p->row->title_max);
	program_run(&text->chat, r, &p->body);
	trim_end(&p->body);
	program_run(&text->chat_small, r, &p->small);
	trim_end(&p->small);
	text_cut(&p->small, SMALL_MAX);
	if (hook != NULL)
		text_add_display(&p->hook, hook, strlen(hook));
	text_cut(&p->hook, HOOK_MAX);
	add_link(r, "/a/", 0, &p->page);
	add_link(r, "/u/", 0, &p->stop);
	p->page_label = compose_words(r->compose, l->language, "small-answers");
	p->stop_label = compose_words(r->compose, l->language, "small-stop");
	p->more_label = compose_words(r->compose, l->language, "chat-more");
	p->n_buttons = text->n_buttons < CHAT_BUTTONS ? text->n_buttons : CHAT_BUTTONS;
	for (int i = 0; i < p->n_buttons; i++) {
		program_run(&text->labels[i], r, &p->labels[i]);
		text_cut(&p->labels[i], p->row->label_max);
		add_link(r, "/a/", text->buttons[i], &p->addresses[i]);
	}
}

void
chat_answers(const struct chat_parts *p, int from, struct text *ret)
{
	for (int i = from; i < p->n_buttons; i++) {
		if (i > from)
			text_puts(ret, p->row->dialect == DIALECT_PLAIN ? "\n" : " \xc2\xb7 ");
		add_marked_link(ret, slice_text(&p->addresses[i]), slice_text(&p->labels[i]));
	}
}

void
chat_foot(const struct chat_parts *p, struct text *ret)
{
	const char *between = p->row->dialect == DIALECT_PLAIN ? "\n" : " \xc2\xb7 ";

	if (p->n_buttons > p->row->buttons_max) {
		chat_answers(p, p->row->buttons_max, ret);
		text_puts(ret, "\n\n");
	}
	if (p->hook.len > 0) {
		text_putc(ret, MARK_EMPHASIS);
		add_marked(ret, p->hook.s, p->hook.len);
		text_putc(ret, MARK_EMPHASIS_END);
		text_putc(ret, '\n');
	}
	add_marked(ret, text_string(&p->small), p->small.len);
	text_putc(ret, '\n');
	add_marked_link(ret, slice_text(&p->page), slice_of(p->page_label));
	text_puts(ret, between);
	add_marked_link(ret, slice_text(&p->stop), slice_of(p->stop_label));
}

/* ---- fitting ---- */

static size_t
rendered(const struct chat_row *row, const struct text *marked)
{
	SCOPED(text_deinit) struct text out = { 0 };

	marked_render(slice_text(marked), row->dialect, &out);
	return chat_count(row->unit, text_string(&out), out.len);
}

/* What stands around the body in the same text, in the row's unit. */
static size_t
around_body(const struct chat_parts *p)
{
	SCOPED(text_deinit) struct text t = { 0 };
	enum chat_shape shape = p->row->shape;

	if (shape == SHAPE_BLOCKS || shape == SHAPE_CARD || shape == SHAPE_OWN ||
	    shape == SHAPE_CARDS_V2)
		return 0;
	if (shape != SHAPE_NOTICE)
		add_marked(&t, text_string(&p->title), p->title.len);
	if (shape == SHAPE_CONTENT)
		chat_answers(p, 0, &t);
	else
		chat_foot(p, &t);
	return rendered(p->row, &t) + 32; /* emphasis of the heading, blank lines */
}

/* The body in at most max units: as it is, or cut, with an ellipsis and the way to the rest. */
static void
body_shorten(struct chat_parts *p, size_t max)
{
	SCOPED(text_deinit) struct text tail = { 0 };
	size_t len;

	if (marked_cut(slice_text(&p->body), p->row->dialect, p->row->unit, max) == p->body.len)
		return;
	text_puts(&tail, "\xe2\x80\xa6 ");
	add_marked_link(&tail, slice_text(&p->page), slice_of(p->more_label));
	len = rendered(p->row, &tail) + 1;
	len = marked_cut(slice_text(&p->body), p->row->dialect, p->row->unit, max > len ? max - len : 0);
	p->body.len = len;
	trim_end(&p->body);
	if (p->body.len > 0 && strchr(".!?", p->body.s[p->body.len - 1]) != NULL)
		text_putc(&p->body, ' ');
	text_add(&p->body, tail.s, tail.len);
}

/*
 * The text has its limit, and then the whole payload may have one in bytes, of which escapes and
 * structure take a share nobody knows before it is written: so the body gives way until it fits.
 */
static void
write_fitting(struct chat_parts *p, struct text *ret)
{
	SCOPED(text_deinit) struct text whole = { 0 };
	size_t around = around_body(p), start = ret->len;
	size_t max = p->row->text_max > around ? p->row->text_max - around : 0;

	text_add(&whole, text_string(&p->body), p->body.len);
	for (;; max = max / 4 * 3) {
		text_clear(&p->body);
		text_add(&p->body, text_string(&whole), whole.len);
		body_shorten(p, max);
		writers[p->row->shape](p, ret);
		if (p->row->payload_max == 0 || ret->len - start <= p->row->payload_max ||
		    max < BODY_LEAST)
			return;
		ret->len = start;
	}
}

void
compose_chat(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum chat_format format, struct text *ret)
{
	SCOPED(parts_deinit) struct chat_parts p = { .letter = l, .row = &chat_rows[format] };
	SCOPED(text_deinit) struct text out = { 0 };
	const struct compiled *text = compiled_of(c, l->campaign, l->message->index, l->language);
	struct token_sheet links;
	struct running r = running_start(c, k, l, &links);

	parts_fill(&p, &r, text);
	write_fitting(&p, &out);
	text_add(ret, out.s, out.len);
}
