/*
 * A message's Markdown into programs.
 *
 * Slots and sections leave the source before cmark sees it: each tag becomes two private-use
 * characters (a mark and its number), which Markdown passes through as text.  So a value is never
 * parsed, and an author's section may stand inside a line or around paragraphs.  Raw HTML is shown
 * as it was typed, pictures become links.
 */
#include <cmark.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/scope.h"
#include "compose/chat_marks.h"
#include "compose/parts.h"
#include "compose/template.h"
#include "compose/tokens.h"
#include "rules/findings.h"

enum { TAGS_MAX = 1000, MARK = 0xE000, OPENS_MAX = 128 };

/* One tag of the text; a section's end has a tag of its own. */
struct tag {
	enum { TAG_SLOT, TAG_OPEN, TAG_OPEN_NOT, TAG_CLOSE } kind;
	struct op op;
};
struct compiling {
	struct compose *c;
	const struct campaign *campaign;
	const struct message *message;
	int language;
	struct findings *f;
	struct compiled *ret;
	struct tag *tags;
	size_t n_tags;
	const char *more; /* where `<!-- more -->` stands in the marked text */
};
enum walk_kind { WALK_PLAIN, WALK_HTML, WALK_CHAT, WALK_SUBJECT, WALK_PAPER, WALK_CARD };
/* One walk over the document for one output. */
struct walk {
	struct compiling *w;
	struct program *p;
	enum walk_kind kind;
	size_t opens[OPENS_MAX], n_opens;
	int list_depth, item;
	bool past_more;
};

static struct place
tag_place(const struct compiling *w, int line, int column)
{
	const struct message_text *t = &w->message->text[w->language];

	return (struct place){ t->file, t->body_line + line - 1, column };
}

/* ---- names ---- */

static const struct {
	const char *name;
	enum slot_kind slot;
} fixed[] = {
	{ "hook", SLOT_HOOK },
	{ "title", SLOT_TITLE },
	{ "campaign.title", SLOT_TITLE },
	{ "campaign.hook", SLOT_HOOK },
	{ "campaign.done_percent", SLOT_DONE_PERCENT },
	{ "team.done", SLOT_TEAM_DONE },
	{ "team.name", SLOT_TEAM_NAME },
	{ "messenger.name", SLOT_MESSENGER },
	{ "organisation", SLOT_ORGANISATION },
};
static const char *const columns[] = { "first_name", "name", "email", "team", "language", "role",
	"id", "time_zone", "hire_date", "contract_hours", "manager", "stage", "chat" };

/* 1-based number of an answer: the campaign's own after the standing ones; 0 when unknown. */
static int
answer_number(const struct campaign *k, const char *name)
{
	int i = parse_word(name, standing_answers, STANDING_ANSWERS);

	if (i >= 0)
		return i + 1;
	for (size_t j = 0; j < k->n_answers; j++)
		if (strcmp(k->answers[j].id, name) == 0)
			return STANDING_ANSWERS + (int)j + 1;
	return 0;
}

static bool
cond_names(const struct cond *c, const char *name)
{
	if (c->field != NULL && strcmp(c->field, name) == 0)
		return true;
	for (size_t i = 0; i < c->n_kids; i++)
		if (cond_names(&c->kids[i], name))
			return true;
	return false;
}

/* A column is known when the design, the campaign's audience or its rhythm names it. */
static bool
is_column(const struct compiling *w, const char *name)
{
	const struct campaign *k = w->campaign;
	const struct words *known = &w->c->style.columns;

	return parse_word(name, columns, sizeof columns / sizeof *columns) >= 0 ||
	       parse_word(name, known->v, known->n) >= 0 || cond_names(&k->audience, name) ||
	       cond_names(&w->message->audience, name) ||
	       (k->rhythm.around != NULL && strcmp(k->rhythm.around, name) == 0);
}

static void
unknown(struct compiling *w, const char *name, int line, int column)
{
	const char *near[160];
	size_t n = 0;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		near[n++] = fixed[i].name;
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		near[n++] = columns[i];
	for (size_t i = 0; i < STANDING_ANSWERS; i++)
		near[n++] = arena_printf(w->c->mem, "answer.%s", standing_answers[i]);
	for (size_t i = 0; i < w->campaign->n_answers && n < 160; i++)
		near[n++] = arena_printf(w->c->mem, "answer.%s", w->campaign->answers[i].id);
	finding_word(w->f, "E006", tag_place(w, line, column), name, near, n,
	    "'%.60s' is no slot that can be filled", name);
}

static bool
op_resolve(struct compiling *w, const struct token *k, struct op *ret)
{
	char name[128];

	snprintf(name, sizeof name, "%.*s", (int)k->name.len, k->name.s);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (strcmp(fixed[i].name, name) == 0) {
			ret->slot = fixed[i].slot;
			w->ret->figures |=
			    ret->slot == SLOT_DONE_PERCENT || ret->slot == SLOT_TEAM_DONE;
			return true;
		}
	if (strncmp(name, "answer.", 7) == 0) {
		ret->slot = SLOT_ANSWER;
		ret->answer = answer_number(w->campaign, name + 7);
		if (ret->answer > 0)
			return true;
	} else if (is_column(w, name)) {
		ret->slot = SLOT_COLUMN;
		ret->name = arena_copy(w->c->mem, name);
		return true;
	}
	unknown(w, name, k->line, k->column);
	return false;
}

/* ---- tags out of the source ---- */

static void
mark_put(struct compiling *w, struct text *out, struct tag tag)
{
	char utf[4];

	if (w->n_tags == TAGS_MAX)
		return;
	text_add(out, utf, utf8_encode(MARK, utf));
	text_add(out, utf, utf8_encode(MARK + 1 + (uint32_t)w->n_tags, utf));
	w->tags[w->n_tags++] = tag;
}

static void
tokens_mark(struct compiling *w, const struct template *t, size_t from, size_t to,
    struct text *out)
{
	for (size_t i = from; i < to; i++) {
		const struct token *k = &t->tokens[i];
		struct tag tag = { .op = { .kind = OP_SLOT } };

		if (k->kind == TOKEN_LITERAL) {
			text_put(out, k->text);
			continue;
		}
		if (k->kind == TOKEN_RAW || k->kind == TOKEN_PARTIAL) {
			finding_add(w->f, "E007", tag_place(w, k->line, k->column),
			    k->kind == TOKEN_RAW ? "raw slots ({{{ }}} or {{& }}) are refused: a person's data"
						   " is always escaped; write {{ }}"
						 : "partials ({{> }}) are not used in messages");
			continue;
		}
		/* An unknown name ends the load; going on as if it were an answer finds only new mistakes. */
		if (!op_resolve(w, k, &tag.op))
			tag.op.slot = SLOT_ANSWER;
		if (k->kind == TOKEN_SLOT) {
			mark_put(w, out, tag);
			continue;
		}
		tag.kind = k->kind == TOKEN_SECTION ? TAG_OPEN : TAG_OPEN_NOT;
		mark_put(w, out, tag);
		tokens_mark(w, t, i + 1, k->end, out);
		mark_put(w, out, (struct tag){ .kind = TAG_CLOSE });
		i = k->end - 1;
	}
}

/* ---- the walk ---- */

static void
lit(struct walk *k, const char *s)
{
	program_puts(k->p, s);
}

static bool
on_paper(const struct walk *k)
{
	return k->kind == WALK_PAPER || k->kind == WALK_CARD;
}

static enum escape
escape_of(const struct walk *k)
{
	return k->kind == WALK_HTML || on_paper(k) ? ESCAPE_HTML
	    : k->kind == WALK_CHAT		   ? ESCAPE_MARKED
						   : ESCAPE_NONE;
}

static void
text_literal(struct walk *k, const char *s, size_t len)
{
	SCOPED(text_deinit) struct text t = { 0 };

	if (k->kind == WALK_HTML || on_paper(k))
		add_html(&t, s, len);
	else if (k->kind == WALK_CHAT)
		add_marked(&t, s, len);
	else
		text_add(&t, s, len);
	program_literal(k->p, text_string(&t), t.len);
}

static void
tag_run(struct walk *k, const struct tag *tag)
{
	struct op op = tag->op;

	op.escape = escape_of(k);
	if (tag->kind == TAG_SLOT)
		program_op(k->p, k->w->c->mem, op);
	else if (tag->kind == TAG_CLOSE) {
		if (k->n_opens > 0)
			program_close(k->p, k->w->c->mem, k->opens[--k->n_opens]);
	} else if (k->n_opens < OPENS_MAX) {
		op.kind = tag->kind == TAG_OPEN ? OP_IF : OP_IF_NOT;
		program_op(k->p, k->w->c->mem, op);
		k->opens[k->n_opens++] = k->p->n - 1;
	}
}

/* Text with marks in it: literals and operations. */
static void
marked(struct walk *k, const char *s)
{
	const char *end = s + strlen(s), *from = s;
	uint32_t c;

	while (s < end) {
		size_t n = utf8_decode(s, end, &c);

		if (c != MARK || n == 0) {
			s += n > 0 ? n : 1;
			continue;
		}
		text_literal(k, from, (size_t)(s - from));
		s += n;
		n = s < end ? utf8_decode(s, end, &c) : 0;
		if (n > 0 && c > MARK && c - MARK - 1 < k->w->n_tags)
			tag_run(k, &k->w->tags[c - MARK - 1]);
		s += n;
		from = s;
	}
	text_literal(k, from, (size_t)(s - from));
}

/* The tag that a link's address consists of, or NULL. */
static const struct tag *
link_tag(const struct compiling *w, const char *url)
{
	const char *end = url + strlen(url);
	uint32_t a = 0, b = 0;
	size_t n = utf8_decode(url, end, &a);

	if (n == 0 || a != MARK || url + n >= end)
		return NULL;
	size_t m = utf8_decode(url + n, end, &b);

	return m > 0 && url + n + m == end && b > MARK && b - MARK - 1 < w->n_tags
	    ? &w->tags[b - MARK - 1]
	    : NULL;
}

/* "https://name@host" leads to the host, and looks as if it led to the name (RFC 3986 7.6). */
static bool
has_userinfo(const char *authority)
{
	return memchr(authority, '@', strcspn(authority, "/?#")) != NULL;
}

static void
link_check(struct compiling *w, const char *url, int line, int column)
{
	static const char *const good[] = { "https://", "mailto:", "tel:" };
	const struct tag *tag = link_tag(w, url);

	if (tag != NULL && tag->op.slot == SLOT_ANSWER)
		return;
	for (size_t i = 0; i < 3; i++)
		if (strncmp(url, good[i], strlen(good[i])) == 0 && strchr(url, '\xee') == NULL &&
		    (i != 0 || !has_userinfo(url + strlen(good[0]))))
			return;
	finding_add(w->f, "E008", tag_place(w, line, column),
	    "a link leads to https:, mailto:, tel: or an answer such as {{answer.yes}}, not to '%.60s'",
	    tag != NULL ? "a slot" : url);
}

static bool
in_tight_item(cmark_node *n)
{
	cmark_node *item = cmark_node_parent(n);

	return item != NULL && cmark_node_get_type(item) == CMARK_NODE_ITEM;
}

/* A paragraph that is one link: the ask, shown as a button. */
static bool
has_button(cmark_node *paragraph)
{
	cmark_node *link = cmark_node_first_child(paragraph);

	return link != NULL && cmark_node_get_type(link) == CMARK_NODE_LINK &&
	       cmark_node_next(link) == NULL;
}

static bool
is_button(cmark_node *link)
{
	cmark_node *p = cmark_node_parent(link);

	return p != NULL && cmark_node_get_type(p) == CMARK_NODE_PARAGRAPH && has_button(p) &&
	       !in_tight_item(p);
}

static void
link_address(struct walk *k, const char *url)
{
	const struct tag *tag = link_tag(k->w, url);

	if (tag != NULL)
		tag_run(k, tag);
	else
		text_literal(k, url, strlen(url));
}

static void
link_html(struct walk *k, cmark_node *n, bool enter)
{
	if (!enter) {
		lit(k, "</a>");
		return;
	}
	lit(k, "<a href=\"");
	link_address(k, cmark_node_get_url(n));
	lit(k, is_button(n)
		? "\" class=\"b\" style=\"display:inline-block;padding:12px 20px;color:#ffffff;"
		  "text-decoration:none;font-weight:bold\">"
		: "\" style=\"color:#0b6b50\">");
}

/* Nobody clicks on paper: answers are gathered at the foot, other addresses stand in the text. */
static void
link_paper(struct walk *k, cmark_node *n, bool enter)
{
	const char *url = cmark_node_get_url(n);

	if (enter || link_tag(k->w, url) != NULL)
		return;
	lit(k, " (<span class=\"url\">");
	text_literal(k, url, strlen(url));
	lit(k, "</span>)");
}

static void
link_walk(struct walk *k, cmark_node *n, bool enter)
{
	const char *url = cmark_node_get_url(n);

	if (k->kind == WALK_SUBJECT)
		return;
	if (k->kind == WALK_HTML)
		link_html(k, n, enter);
	else if (on_paper(k))
		link_paper(k, n, enter);
	else if (k->kind == WALK_CHAT && enter) {
		lit(k, (char[]){ MARK_LINK, '\0' });
		link_address(k, url);
		lit(k, (char[]){ MARK_LABEL, '\0' });
	} else if (k->kind == WALK_CHAT)
		lit(k, (char[]){ MARK_LINK_END, '\0' });
	else if (!enter) {
		lit(k, ": ");
		link_address(k, url);
	}
}

/* Marks around inline and block nodes per output (enter, leave of each); chat: enum mark. */
_Static_assert(MARK_STRONG == 1 && MARK_EMPHASIS == 3, "as written in the table");
static const struct {
	cmark_node_type type;
	const char *html[2], *chat[2], *plain[2], *paper[2];
} around[] = {
	{ CMARK_NODE_PARAGRAPH,
	    { "<p style=\"margin:0 0 16px\">", "</p>\n" }, { "", "\n\n" }, { "", "\n\n" },
	    { "<p>", "</p>\n" } },
	{ CMARK_NODE_STRONG, { "<strong>", "</strong>" }, { "\1", "\2" }, { "", "" },
	    { "<strong>", "</strong>" } },
	{ CMARK_NODE_EMPH, { "<em>", "</em>" }, { "\3", "\4" }, { "", "" },
	    { "<em>", "</em>" } },
	{ CMARK_NODE_BLOCK_QUOTE,
	    { "<blockquote style=\"margin:0 0 16px;padding:0 0 0 12px;border-left:3px solid "
	      "#c9d6d2\">\n", "</blockquote>\n" }, { "", "" }, { "", "" },
	    { "<blockquote>\n", "</blockquote>\n" } },
	{ CMARK_NODE_LIST, { "<ul style=\"margin:0 0 16px;padding:0 0 0 20px\">\n", "</ul>\n" },
	    { "", "" }, { "", "" }, { "<ul>\n", "</ul>\n" } },
	{ CMARK_NODE_HEADING,
	    { "<p style=\"margin:0 0 16px;font-size:20px;font-weight:bold\">", "</p>\n" },
	    { "\1", "\2\n\n" }, { "", "\n\n" }, { "<h2>", "</h2>\n" } },
	{ CMARK_NODE_ITEM, { "<li>", "</li>\n" }, { "\xe2\x80\xa2 ", "" }, { "- ", "" },
	    { "<li>", "</li>\n" } },
};

static void
node_around(struct walk *k, cmark_node *n, bool enter)
{
	if (k->kind == WALK_SUBJECT)
		return;
	if (cmark_node_get_type(n) == CMARK_NODE_PARAGRAPH && in_tight_item(n)) {
		if (k->kind != WALK_HTML && !on_paper(k) && !enter)
			lit(k, cmark_node_next(cmark_node_parent(n)) == NULL ? "\n\n" : "\n");
		return;
	}
	/* A cell with a colour: the word processor behind some mail programs pads no link. */
	if (k->kind == WALK_HTML && cmark_node_get_type(n) == CMARK_NODE_PARAGRAPH && has_button(n)) {
		lit(k, enter ? "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\""
			       " border=\"0\" style=\"margin:0 0 16px\"><tr><td bgcolor=\"#0b6b50\" style=\""
			       "border-radius:6px;background:#0b6b50;mso-padding-alt:12px 20px\">"
			     : "</td></tr></table>\n");
		return;
	}
	for (size_t i = 0; i < sizeof around / sizeof *around; i++)
		if (around[i].type == cmark_node_get_type(n))
			lit(k, k->kind == WALK_HTML   ? around[i].html[!enter]
			       : on_paper(k)          ? around[i].paper[!enter]
			       : k->kind == WALK_CHAT ? around[i].chat[!enter]
						      : around[i].plain[!enter]);
}

static void
node_walk(struct walk *k, cmark_node *n, bool enter)
{
	const char *literal = cmark_node_get_literal(n);

	switch (cmark_node_get_type(n)) {
	case CMARK_NODE_TEXT:
	case CMARK_NODE_HTML_INLINE:
	case CMARK_NODE_CODE:
	case CMARK_NODE_CODE_BLOCK:
	case CMARK_NODE_HTML_BLOCK:
		if (enter)
			marked(k, literal);
		break;
	case CMARK_NODE_SOFTBREAK:
		lit(k, k->kind == WALK_SUBJECT ? " " : "\n");
		break;
	case CMARK_NODE_LINEBREAK:
		lit(k, k->kind == WALK_HTML || on_paper(k) ? "<br>\n" : k->kind == WALK_SUBJECT ? " " : "\n");
		break;
	case CMARK_NODE_LINK:
	case CMARK_NODE_IMAGE:
		link_walk(k, n, enter);
		break;
	case CMARK_NODE_THEMATIC_BREAK:
		if (enter)
			lit(k, k->kind == WALK_HTML || on_paper(k) ? "<hr>\n" : "---\n\n");
		break;
	default:
		node_around(k, n, enter);
	}
}

static bool
is_more(cmark_node *n)
{
	const char *s = cmark_node_get_type(n) == CMARK_NODE_HTML_BLOCK ? cmark_node_get_literal(n)
									 : NULL;

	return s != NULL && strstr(s, "<!--") != NULL && strstr(s, "more") != NULL;
}

/* Text that says nothing: what stands between two answers in a row of them. */
static bool
is_between(const char *s)
{
	const char *end = s + strlen(s);
	uint32_t c;

	for (size_t n; s < end; s += n) {
		n = utf8_decode(s, end, &c);
		if (n == 0 || (c != 0xb7 && (c >= 0x80 || strchr(" \t|/,.-", (int)c) == NULL)))
			return false;
	}
	return true;
}

/* Is it one of the answers that chats and paper show below the text? */
static bool
is_answer(const struct walk *k, cmark_node *n)
{
	const struct tag *tag =
	    cmark_node_get_type(n) == CMARK_NODE_LINK ? link_tag(k->w, cmark_node_get_url(n)) : NULL;

	if (tag == NULL || tag->op.slot != SLOT_ANSWER)
		return false;
	for (int i = 0; i < k->w->ret->n_buttons; i++)
		if (k->w->ret->buttons[i] == tag->op.answer)
			return true;
	return false;
}

/* A paragraph of answers and nothing else; in chats and on paper they stand at the foot. */
static bool
is_answers(const struct walk *k, cmark_node *paragraph)
{
	bool any = false;

	if (cmark_node_get_type(paragraph) != CMARK_NODE_PARAGRAPH)
		return false;
	for (cmark_node *n = cmark_node_first_child(paragraph); n != NULL; n = cmark_node_next(n)) {
		bool link = is_answer(k, n);
		bool text = cmark_node_get_type(n) == CMARK_NODE_TEXT &&
		    is_between(cmark_node_get_literal(n));

		if (!link && !text && cmark_node_get_type(n) != CMARK_NODE_SOFTBREAK)
			return false;
		any = any || link;
	}
	return any;
}

/* Walk the blocks from `from` on; chat and card end at <!-- more -->. */
static void
walk_blocks(struct compiling *w, cmark_node *from, enum walk_kind kind, struct program *p)
{
	struct walk k = { .w = w, .p = p, .kind = kind };

	for (cmark_node *b = from; b != NULL; b = cmark_node_next(b)) {
		if (is_more(b)) {
			if (kind == WALK_CHAT || kind == WALK_CARD)
				break;
			continue;
		}
		if ((on_paper(&k) || kind == WALK_CHAT) && is_answers(&k, b))
			continue;
		cmark_iter *it = cmark_iter_new(b);
		cmark_event_type e;

		while ((e = cmark_iter_next(it)) != CMARK_EVENT_DONE)
			node_walk(&k, cmark_iter_get_node(it), e == CMARK_EVENT_ENTER);
		cmark_iter_free(it);
	}
	while (k.n_opens > 0)
		program_close(p, w->c->mem, k.opens[--k.n_opens]);
}

static void
links_collect(struct compiling *w, cmark_node *document)
{
	cmark_iter *it = cmark_iter_new(document);
	cmark_event_type e;

	while ((e = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
		cmark_node *n = cmark_iter_get_node(it);
		const struct tag *tag;

		if (e != CMARK_EVENT_ENTER || (cmark_node_get_type(n) != CMARK_NODE_LINK &&
						  cmark_node_get_type(n) != CMARK_NODE_IMAGE))
			continue;
		link_check(w, cmark_node_get_url(n), cmark_node_get_start_line(n),
		    cmark_node_get_start_column(n) > 0 ? cmark_node_get_start_column(n) : 1);
		tag = link_tag(w, cmark_node_get_url(n));
		if (tag != NULL && tag->op.slot == SLOT_ANSWER && w->ret->n_buttons < 5) {
			int i = w->ret->n_buttons++;
			struct walk k = { .w = w, .p = &w->ret->labels[i], .kind = WALK_SUBJECT };

			w->ret->buttons[i] = tag->op.answer;
			for (cmark_node *c = cmark_node_first_child(n); c != NULL; c = cmark_node_next(c))
				node_walk(&k, c, true);
			program_end(k.p, w->c->mem);
		}
	}
	cmark_iter_free(it);
}

/* The heading alone, and what follows it. */
static cmark_node *
subject_build(struct compiling *w, cmark_node *document, struct program *p)
{
	cmark_node *first = cmark_node_first_child(document);
	struct walk k = { .w = w, .p = p, .kind = WALK_SUBJECT };

	if (first == NULL || cmark_node_get_type(first) != CMARK_NODE_HEADING) {
		finding_add(w->f, "E007", tag_place(w, 1, 1),
		    "a message begins with a heading, its subject: # Question or promise");
		program_end(p, w->c->mem);
		return first;
	}
	cmark_iter *it = cmark_iter_new(first);
	cmark_event_type e;

	while ((e = cmark_iter_next(it)) != CMARK_EVENT_DONE)
		if (cmark_iter_get_node(it) != first)
			node_walk(&k, cmark_iter_get_node(it), e == CMARK_EVENT_ENTER);
	cmark_iter_free(it);
	program_end(p, w->c->mem);
	return cmark_node_next(first);
}

static void
html_build(struct compiling *w, cmark_node *document, const char *logo, struct program *p)
{
	struct small_print small = { w->c, w->campaign, w->message, w->language };

	frame_open(p, &small, logo);
	walk_blocks(w, cmark_node_first_child(document), WALK_HTML, p);
	frame_close(p, &small);
	program_end(p, w->c->mem);
}

static void
programs_build(struct compiling *w, cmark_node *document)
{
	struct compiled *r = w->ret;
	cmark_node *body = subject_build(w, document, &r->subject);
	struct small_print small = { w->c, w->campaign, w->message, w->language };

	struct program mail = { 0 };

	links_collect(w, document);
	walk_blocks(w, cmark_node_first_child(document), WALK_PLAIN, &r->plain);
	small_print_plain(&r->plain, &small);
	program_end(&r->plain, w->c->mem);
	html_build(w, document, "cid:logo", &mail);
	html_build(w, document, w->c->logo_data[w->campaign->index], &r->html);
	walk_blocks(w, body, WALK_CHAT, &r->chat);
	program_end(&r->chat, w->c->mem);
	small_print_chat(&r->chat_small, &small);
	program_end(&r->chat_small, w->c->mem);
	walk_blocks(w, body, WALK_PAPER, &r->paper);
	program_end(&r->paper, w->c->mem);
	walk_blocks(w, body, WALK_CARD, &r->card);
	program_end(&r->card, w->c->mem);
	small_print_paper(&r->paper_small, &small);
	program_end(&r->paper_small, w->c->mem);
	r->plain_quoted = program_quoted(&r->plain, w->c->mem);
	r->html_quoted = program_quoted(&mail, w->c->mem);
	r->there = true;
}

/* Private-use characters of the author's own would be taken for marks. */
static bool
private_use(struct compiling *w, const char *s)
{
	const char *end = s + strlen(s);
	uint32_t c;

	for (size_t n; s < end; s += n) {
		n = utf8_decode(s, end, &c);
		if (n == 0)
			return true;
		if (c >= MARK && c <= 0xf8ff) {
			finding_add(w->f, "E007", tag_place(w, 1, 1),
			    "the text holds a private-use character (U+%04X); remove it", (unsigned)c);
			return true;
		}
	}
	return false;
}

void
text_compile(struct compose *c, const struct campaign *k, const struct message *m, int language,
    struct findings *f, struct compiled *ret)
{
	struct compiling w = { .c = c, .campaign = k, .message = m, .language = language, .f = f,
		.ret = ret };
	SCOPED(text_deinit) struct text out = { 0 };
	SCOPED(arena_free) struct arena *mem = arena_new("text", 64 << 20);
	const char *body = m->text[language].body;
	struct template_error err;
	struct template *t;
	cmark_node *document;

	if (private_use(&w, body))
		return;
	t = template_compile(mem, body, strlen(body), &err);
	if (t == NULL) {
		finding_add(f, "E007", tag_place(&w, err.line, err.column), "%s", err.what);
		return;
	}
	w.tags = arena_alloc(mem, TAGS_MAX, sizeof *w.tags);
	tokens_mark(&w, t, 0, t->n, &out);
	document = cmark_parse_document(text_string(&out), out.len, CMARK_OPT_DEFAULT);
	programs_build(&w, document);
	cmark_node_free(document);
}
