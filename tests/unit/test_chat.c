/*
 * Chat formats: every limit kept, nothing of a person's ever markup, what must survive survives.
 *
 * The Markdown that comes out is read back by cmark: with a hostile name the document must have
 * exactly the shape it has with a harmless one.
 */
#include <check.h>
#include <cmark.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "compose/chat_marks.h"
#include "compose/compose.h"
#include "people/person.h"
#include "plan/zone.h"
#include "rules/findings.h"

static struct messenger who = { .id = "hr", .name = "Team HR", .reply_to = "hr@zorg.example" };
static struct answer answers[] = { { .id = "yes" }, { .id = "no" } };
static struct message message = { .id = "walk", .angle = -1 };
static struct campaign campaign = { .id = "bravo", .n_messages = 1, .messages = &message,
	.n_answers = 2, .answers = answers, .title = { .text = { "BRAVO-week" } },
	.hook = { .text = { "Good now, good later" } } };
static struct rulebase rb = { .house = { .n_languages = 1, .languages = { "nl" },
				  .n_messengers = 1, .messengers = &who },
	.n_campaigns = 1, .campaigns = &campaign };
static const struct house_style style = { .base_url = "https://n.example",
	.from = "n@n.example", .organisation = "Zorg & Co" };
static struct person person;
static struct token_key key;

static struct compose *
compile(const char *body)
{
	struct findings *f = findings_new("");
	struct compose *c;

	message.text[0] = (struct message_text){ body, "walk.nl.md", 1 };
	c = compose_new(&rb, &style, f);
	ck_assert_ptr_nonnull(c);
	findings_free(&f);
	return c;
}

static void
chat(const struct compose *c, const char *name, enum chat_format format, struct text *ret)
{
	struct letter l = { .campaign = &campaign, .message = &message, .messenger = &who,
		.messenger_name = name, .messenger_address = "hr@zorg.example", .to = &person,
		.zone = zone_find("Europe/Amsterdam"), .occurrence = "x/0", .number = 1,
		.sent = { INT64_C(1767700000000000) }, .expires = { INT64_C(1777700000000000) } };

	person = (struct person){ .id = "p", .name = name, .first_name = name,
		.email = "p@n.example", .language = "", .role = "", .time_zone = "", .team = name,
		.manager = "", .stage = "", .chat = "@p" };
	text_clear(ret);
	compose_chat(c, &key, &l, format, ret);
}

static void
setup(void)
{
	token_key_derive(1, &key);
}

/* ---- the JSON, and what a reader sees of it ---- */

static json_t *
parse(const struct text *t)
{
	json_error_t err;
	json_t *j = json_loadb(t->s, t->len, JSON_REJECT_DUPLICATES, &err);

	ck_assert_msg(j != NULL, "%s at %d: %.300s", err.text, err.position, t->s);
	return j;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10;
}

/* The value of a form's field. */
static void
form_field(const struct text *form, const char *name, struct text *ret)
{
	char start[32];
	const char *s;

	snprintf(start, sizeof start, "%s=", name);
	s = strstr(form->s, start);
	ck_assert_ptr_nonnull(s);
	for (s += strlen(start); *s != '\0' && *s != '&'; s++) {
		ck_assert_msg((unsigned char)*s > 0x20 && (unsigned char)*s < 0x7f, "%s", form->s);
		if (*s == '%') {
			text_putc(ret, (char)(hex(s[1]) * 16 + hex(s[2])));
			s += 2;
		} else
			text_putc(ret, *s == '+' ? ' ' : *s);
	}
}

/* The one text of a format that has one. */
static void
main_text(enum chat_format format, const struct text *body, struct text *ret)
{
	static const char *const keys[CHAT_FORMATS] = { [CHAT_MATTERMOST] = "text",
		[CHAT_ROCKETCHAT] = "text", [CHAT_DISCORD] = "content", [CHAT_MATRIX] = "formatted_body",
		[CHAT_NTFY] = "message" };
	json_t *j;

	if (format == CHAT_ZULIP) {
		form_field(body, "content", ret);
		return;
	}
	j = parse(body);
	if (format == CHAT_GENERIC)
		text_puts(ret, json_string_value(json_object_get(json_object_get(j, "data"), "text")));
	else if (keys[format] != NULL)
		text_puts(ret, json_string_value(json_object_get(j, keys[format])));
	json_decref(j);
}

/* ---- hostile names ---- */

static const char *const pieces[] = { "<b>", "</a>", "<script>alert(1)</script>", "{{x}}", "**x**", "*x*",
	"_x_", "__x__", "~~x~~", "`x`", "``", "[a](http://x)", "![a](http://x)", "<http://x>", "<!channel>",
	"<@U123>", "<@&12>", "@here", "@everyone", "@all", "@**all**", "@*group*", "<users/all>", "# x",
	"> x", "- x", "1. x", "1) x", "+ x", "* x", "    x", "||x||", "$$x$$", "\\", "\\*x*", "&amp;",
	"&#64;here", "\"q\"", "O'Brien", ":smile:", "http://evil.example/x", "www.evil.example", "~x~",
	"<t:0:R>", "<time:now>", "#**general**", "#room", "-# x", "---", "===", "| a | b |", "[x]: y", "](",
	"\xf0\x9f\x98\x80", "Jos\xc3\xa9", "e\xcc\x81", "%0d%0a", "$(id)", "=HYPERLINK()", "=", ")" };
enum { PIECES = sizeof pieces / sizeof *pieces, NAMES = 1000 };

static const char *
hostile(int i, char *buf, size_t size)
{
	unsigned n = (unsigned)i;
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned k = 0; k < 1 + n % 4; k++) {
		n = n * 1103515245u + 12345u + k;
		len += (size_t)snprintf(buf + len, size - len, "%s%s", pieces[(n >> 8) % PIECES],
		    n & 1u << 30 ? " " : "");
	}
	return i < PIECES ? pieces[i] : buf;
}

/* Kinds of nodes in order; code counts as text, text that follows text is one. */
static void
shape_of(const struct text *markdown, char *ret, size_t size, struct text *words)
{
	cmark_node *doc = cmark_parse_document(text_string(markdown), markdown->len, CMARK_OPT_DEFAULT);
	cmark_iter *it = cmark_iter_new(doc);
	cmark_event_type e;
	size_t n = 0;
	char last = '\0';

	while ((e = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(it);
		cmark_node_type type = cmark_node_get_type(node);
		bool text = type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE;
		int kind = 'A' + (int)type % 26 + (e == CMARK_EVENT_EXIT ? 32 : 0);
		char c = (char)(text ? 't' : kind);

		if (text)
			text_puts(words, cmark_node_get_literal(node));
		if (type == CMARK_NODE_LINK && e == CMARK_EVENT_ENTER)
			ck_assert_int_eq(strncmp(cmark_node_get_url(node), "https://", 8), 0);
		if (!(text && last == 't') && n + 1 < size)
			ret[n++] = c;
		last = c;
	}
	ret[n] = '\0';
	cmark_iter_free(it);
	cmark_node_free(doc);
}

static const char hostile_body[] =
    "# {{first_name}}, walk with us?\n\n{{first_name}}\n\nDear **{{first_name}}** of {{team.name}}, *come*!\n"
    "{{first_name}}\n\n- one {{first_name}}\n- {{first_name}}\n\n[Yes, {{first_name}}]({{answer.yes}})\n\n"
    "[No]({{answer.no}}) \xc2\xb7 [Later]({{answer.later}})\n\nSee [{{first_name}}](https://zorg.example/a_(b))\n";

START_TEST(a_name_is_never_markup)
{
	static const enum chat_format markdown[] = { CHAT_MATTERMOST, CHAT_DISCORD, CHAT_ZULIP };
	struct compose *c = compile(hostile_body);
	struct text out = { 0 }, text = { 0 }, words = { 0 };
	char want[CHAT_FORMATS][400], got[400], buf[200];

	for (size_t f = 0; f < 3; f++) {
		text_clear(&text);
		text_clear(&words);
		chat(c, "Sam", markdown[f], &out);
		main_text(markdown[f], &out, &text);
		shape_of(&text, want[markdown[f]], sizeof want[0], &words);
		ck_assert_uint_gt(strlen(want[markdown[f]]), 30);
	}
	for (int i = 0; i < NAMES; i++)
		for (size_t f = 0; f < 3; f++) {
			const char *name = hostile(i, buf, sizeof buf);

			text_clear(&text);
			text_clear(&words);
			chat(c, name, markdown[f], &out);
			main_text(markdown[f], &out, &text);
			shape_of(&text, got, sizeof got, &words);
			ck_assert_msg(strcmp(got, want[markdown[f]]) == 0, "%s: '%s'\n%s\n%s\n%s",
			    chat_format_names[markdown[f]], name, got, want[markdown[f]], text.s);
			while (*name == ' ')
				name++;
			if (strchr(name, '@') == NULL || markdown[f] != CHAT_MATTERMOST)
				ck_assert_msg(strstr(words.s, name) != NULL || strstr(name, "  ") != NULL ||
					(markdown[f] == CHAT_DISCORD && strpbrk(name, "[]") != NULL),
				    "%s: '%s' is not in\n%s", chat_format_names[markdown[f]], name, words.s);
		}
	text_deinit(&out);
	text_deinit(&text);
	text_deinit(&words);
	compose_free(&c);
}
END_TEST

/* Rocket.Chat's text has the same markup characters, whoever it is for. */
static void
markup_of(const struct text *t, struct text *ret)
{
	for (const char *s = t->s; *s != '\0'; s++)
		if (strchr("*_~`[]<>|@#$\\", *s) != NULL)
			text_putc(ret, *s);
}

START_TEST(a_name_in_rocketchat)
{
	struct compose *c = compile(hostile_body);
	struct text out = { 0 }, text = { 0 }, want = { 0 }, got = { 0 };
	char buf[200];

	chat(c, "Sam", CHAT_ROCKETCHAT, &out);
	main_text(CHAT_ROCKETCHAT, &out, &text);
	markup_of(&text, &want);
	ck_assert_uint_gt(want.len, 10);
	for (int i = 0; i < NAMES; i++) {
		text_clear(&text);
		text_clear(&got);
		chat(c, hostile(i, buf, sizeof buf), CHAT_ROCKETCHAT, &out);
		main_text(CHAT_ROCKETCHAT, &out, &text);
		markup_of(&text, &got);
		ck_assert_msg(strcmp(want.s, got.s) == 0, "%s\n%s\n%s", text.s, want.s, got.s);
	}
	text_deinit(&out);
	text_deinit(&text);
	text_deinit(&want);
	text_deinit(&got);
	compose_free(&c);
}
END_TEST

/* Only these say something to a parser of HTML. */
static size_t
tags_of(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '<' || *s == '>' || *s == '"';
	return n;
}

START_TEST(a_name_in_html)
{
	struct compose *c = compile(hostile_body);
	struct text out = { 0 }, text = { 0 };
	char buf[200];
	size_t want;

	chat(c, "Sam", CHAT_MATRIX, &out);
	main_text(CHAT_MATRIX, &out, &text);
	want = tags_of(text.s);
	for (int i = 0; i < NAMES; i++) {
		text_clear(&text);
		chat(c, hostile(i, buf, sizeof buf), CHAT_MATRIX, &out);
		main_text(CHAT_MATRIX, &out, &text);
		ck_assert_msg(tags_of(text.s) == want, "%s", text.s);
	}
	text_deinit(&out);
	text_deinit(&text);
	compose_free(&c);
}
END_TEST

/* Same objects and keys, whatever the name: it stands in plain fields only. */
static void
skeleton(const json_t *j, struct text *ret)
{
	const char *k;
	json_t *v;
	size_t i;

	if (json_is_object(j)) {
		text_putc(ret, '{');
		json_object_foreach((json_t *)(uintptr_t)j, k, v) {
			text_puts(ret, k);
			skeleton(v, ret);
		}
		text_putc(ret, '}');
	} else if (json_is_array(j)) {
		text_putc(ret, '[');
		json_array_foreach(j, i, v)
			skeleton(v, ret);
		text_putc(ret, ']');
	} else
		text_putc(ret, '.');
}

START_TEST(a_name_in_every_json)
{
	struct compose *c = compile(hostile_body);
	struct text out = { 0 }, want = { 0 }, got = { 0 };
	char buf[200];

	for (enum chat_format f = 0; f < CHAT_FORMATS; f++) {
		json_t *j;

		if (f == CHAT_ZULIP)
			continue;
		text_clear(&want);
		chat(c, "Sam", f, &out);
		j = parse(&out);
		skeleton(j, &want);
		json_decref(j);
		for (int i = 0; i < NAMES; i++) {
			text_clear(&got);
			chat(c, hostile(i, buf, sizeof buf), f, &out);
			ck_assert(utf8_valid(out.s, out.len, NULL));
			j = parse(&out);
			skeleton(j, &got);
			json_decref(j);
			ck_assert_msg(strcmp(want.s, got.s) == 0, "%s\n%s", chat_format_names[f], out.s);
		}
	}
	text_deinit(&out);
	text_deinit(&want);
	text_deinit(&got);
	compose_free(&c);
}
END_TEST

START_TEST(nobody_is_called)
{
	static const char *const calls[] = { "<!channel>", "<@U123>", "@here", "@everyone", "@all",
		"@**all**" };
	struct compose *c = compile(hostile_body);
	struct text out = { 0 }, text = { 0 };

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		for (enum chat_format f = 0; f < CHAT_FORMATS; f++) {
			text_clear(&text);
			chat(c, calls[i], f, &out);
			main_text(f, &out, &text);
			if (f == CHAT_SLACK)
				ck_assert_msg(strncmp(out.s, "{\"text\":\"<", 10) != 0 &&
					strstr(out.s, "\"mrkdwn\":false") != NULL &&
					strstr(out.s, "\"section\"") == NULL, "%s", out.s);
			else if (f == CHAT_DISCORD)
				ck_assert_ptr_nonnull(strstr(out.s, "\"allowed_mentions\":{\"parse\":[]}"));
			else if (f == CHAT_MATRIX)
				ck_assert_ptr_nonnull(strstr(out.s, "\"m.mentions\":{}"));
			else if (chat_rows[f].dialect >= DIALECT_BACKSLASH)
				ck_assert_msg(strstr(text.s, calls[i]) == NULL, "%s", text.s);
		}
	text_deinit(&out);
	text_deinit(&text);
	compose_free(&c);
}
END_TEST

/* ---- limits ---- */

static void
long_body(struct text *t, size_t sentences)
{
	text_puts(t, "# Walk?\n\n");
	for (size_t i = 0; i < sentences; i++)
		text_addf(t, "Sentence **%zu** is \"here\" (\xf0\x9f\x98\x80) and [linked %zu](https://zorg.example/%zu). ",
		    i, i, i);
	text_puts(t, "\n\n[Yes]({{answer.yes}})\n\n[No]({{answer.no}})\n");
}

START_TEST(long_texts_fit)
{
	static const size_t lengths[] = { 1, 10, 19, 20, 21, 22, 23, 40, 100, 400, 2000 };
	struct text body = { 0 }, out = { 0 }, text = { 0 };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct compose *c;

		text_clear(&body);
		long_body(&body, lengths[i]);
		c = compile(body.s);
		for (enum chat_format f = 0; f < CHAT_FORMATS; f++) {
			const struct chat_row *row = &chat_rows[f];
			char token[] = "https://n.example/";
			size_t links = 0, n;

			text_clear(&text);
			chat(c, "Sam", f, &out);
			main_text(f, &out, &text);
			n = chat_count(row->unit, text_string(&text), text.len);
			ck_assert_msg(n <= row->text_max, "%s: %zu of %zu", row->name, n, row->text_max);
			ck_assert_msg(row->payload_max == 0 || out.len <= row->payload_max, "%s: %zu bytes",
			    row->name, out.len);
			if (f == CHAT_ZULIP)
				strcpy(token, "n.example%2F");
			for (const char *s = out.s; (s = strstr(s, token)) != NULL; s++)
				links++;
			ck_assert_msg(links >= 4, "%s: answers, page and stop survive", row->name);
			ck_assert_msg(strstr(out.s, f == CHAT_ZULIP ? "Good+now" : "Good now") != NULL,
			    "%s: the hook survives", row->name);
			ck_assert_msg(strstr(out.s, f == CHAT_ZULIP ? "on+behalf+of" : "on behalf of") != NULL,
			    "%s: the small print survives", row->name);
			if (lengths[i] == 2000)
				ck_assert_msg(strstr(out.s, f == CHAT_ZULIP ? "%E2%80%A6" : "\xe2\x80\xa6") != NULL,
				    "%s: says that it goes on", row->name);
			ck_assert_msg(f == CHAT_ZULIP || utf8_valid(out.s, out.len, NULL), "%s", row->name);
		}
		compose_free(&c);
	}
	text_deinit(&body);
	text_deinit(&out);
	text_deinit(&text);
}
END_TEST

#define S "\1"
#define E "\2"
static const struct {
	const char *what, *marked;
	enum chat_dialect dialect;
	enum chat_unit unit;
	size_t max;
	const char *want;
} cuts[] = {
	{ "all of it", "One. Two.", DIALECT_PLAIN, UNIT_BYTES, 9, "One. Two." },
	{ "a sentence", "One. Two.", DIALECT_PLAIN, UNIT_BYTES, 8, "One." },
	{ "a question", "One? Two three", DIALECT_PLAIN, UNIT_BYTES, 10, "One?" },
	{ "a paragraph", "One\n\nTwo three", DIALECT_PLAIN, UNIT_BYTES, 8, "One\n" },
	{ "a full stop inside a number ends nothing", "Cost 12.50 euro", DIALECT_PLAIN, UNIT_BYTES, 12,
	    "Cost 12.50" },
	{ "a word", "One two three", DIALECT_PLAIN, UNIT_BYTES, 12, "One two" },
	{ "a character", "Onetwothree", DIALECT_PLAIN, UNIT_BYTES, 5, "Onetw" },
	{ "not inside a character", "ab\xf0\x9f\x98\x80", DIALECT_PLAIN, UNIT_BYTES, 5, "ab" },
	{ "an emoji is one code point", "ab\xf0\x9f\x98\x80" "cd", DIALECT_PLAIN, UNIT_POINTS, 3,
	    "ab\xf0\x9f\x98\x80" },
	{ "and two in UTF-16", "ab\xf0\x9f\x98\x80" "cd", DIALECT_PLAIN, UNIT_UTF16, 3, "ab" },
	{ "an accent stays with its letter", "ae\xcc\x81x", DIALECT_PLAIN, UNIT_POINTS, 2, "a" },
	{ "a skin tone with its hand", "a\xf0\x9f\x91\x8b\xf0\x9f\x8f\xbdx", DIALECT_PLAIN, UNIT_POINTS, 2,
	    "a" },
	{ "the halves of a flag", "a\xf0\x9f\x87\xb3\xf0\x9f\x87\xb1x", DIALECT_PLAIN, UNIT_POINTS, 2, "a" },
	{ "both flags or one", "\xf0\x9f\x87\xb3\xf0\x9f\x87\xb1\xf0\x9f\x87\xa7\xf0\x9f\x87\xaa",
	    DIALECT_PLAIN, UNIT_POINTS, 3, "\xf0\x9f\x87\xb3\xf0\x9f\x87\xb1" },
	{ "not inside a pair", "One " S "two three" E " four", DIALECT_BACKSLASH, UNIT_BYTES, 12, "One" },
	{ "a pair that fits", "One " S "two" E " four five", DIALECT_BACKSLASH, UNIT_BYTES, 11,
	    "One " S "two" E },
	{ "a sentence in bold", S "One." E " Two three", DIALECT_BACKSLASH, UNIT_BYTES, 12, S "One." E },
	{ "not inside a link", "One \5https://x\6two\7 three", DIALECT_BACKSLASH, UNIT_BYTES, 14, "One" },
	{ "escapes count", "a* b", DIALECT_BACKSLASH, UNIT_BYTES, 3, "a*" },
	{ "a pair never closed", S "One", DIALECT_BACKSLASH, UNIT_BYTES, 6, "" },
	{ "nothing fits", "One", DIALECT_PLAIN, UNIT_BYTES, 0, "" },
};

START_TEST(cut_where_it_does_not_hurt)
{
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		size_t n = marked_cut(slice_of(cuts[i].marked), cuts[i].dialect, cuts[i].unit, cuts[i].max);

		ck_assert_msg(n == strlen(cuts[i].want) && strncmp(cuts[i].marked, cuts[i].want, n) == 0,
		    "%s: %zu '%.*s'", cuts[i].what, n, (int)n, cuts[i].marked);
	}
}
END_TEST

/* Whatever the text and limit: what is kept, rendered, is within it. */
START_TEST(cut_is_within)
{
	struct text marked = { 0 }, out = { 0 };

	text_puts(&marked, "Dear " S "*you*" E ", 1. @here \3not\4 \5https://x/(y)\6a [b]\7.\n- x\n\n<b> & co! ");
	text_grow(&marked, marked.len); /* so that it does not move while it is doubled */
	text_add(&marked, marked.s, marked.len);
	for (enum chat_dialect d = 0; d < DIALECTS; d++)
		for (enum chat_unit u = UNIT_BYTES; u <= UNIT_UTF16; u++)
			for (size_t max = 0; max < 300; max++) {
				size_t n = marked_cut((struct slice){ marked.s, marked.len }, d, u, max);

				text_clear(&out);
				marked_render((struct slice){ marked.s, n }, d, &out);
				ck_assert_uint_le(chat_count(u, text_string(&out), out.len), max);
			}
	text_deinit(&marked);
	text_deinit(&out);
}
END_TEST

static const struct {
	const char *what, *marked;
	enum chat_dialect dialect;
	const char *want;
} renders[] = {
	{ "HTML", S "a<b" E "\n\5https://x/?a&b\6c\7", DIALECT_HTML,
	    "<b>a&lt;b</b><br><a href=\"https://x/?a&amp;b\">c</a>" },
	{ "Discord", S "a*b" E " \5https://x/(y)\6[c]\7", DIALECT_BACKSLASH,
	    "**a\\*b** [\xef\xbc\xbb" "c\xef\xbc\xbd](https://x/%28y%29)" },
	{ "prose stays as it is", "At 12:30, e.g. here: now. Well-known!", DIALECT_BACKSLASH,
	    "At 12\\:30, e\\.g. here: now. Well-known!" },
	{ "a list that is none", "- a\n1. b", DIALECT_BACKSLASH, "\\- a\n1\\. b" },
	{ "blanks at a line's start", "    a", DIALECT_ENTITY, "a" },
	{ "Mattermost", "@@all", DIALECT_CODED, "`@@`all" },
	{ "Zulip", "@**all**", DIALECT_ENTITY, "&#64;&#42;&#42;all&#42;&#42;" },
	{ "Rocket.Chat", "[a](b) `c`", DIALECT_TWINS,
	    "\xef\xbc\xbb" "a\xef\xbc\xbd(b) \xef\xbd\x80" "c\xef\xbd\x80" },
	{ "plain", S "a" E " \5https://x\6c\7", DIALECT_PLAIN, "a c: https://x" },
	{ "emphasis around nothing", "a" S E "\3\4b", DIALECT_BACKSLASH, "ab" },
	{ "emphasis around blanks", "a" S " x " E "b", DIALECT_BACKSLASH, "a**x** b" },
	{ "ends without a beginning", "a" E "\7 b\4", DIALECT_HTML, "a b" },
	{ "a beginning without an end", S "a\3b", DIALECT_HTML, "<b>a<i>b</i></b>" },
	{ "pairs that cross", S "a\3b" E "c\4d", DIALECT_HTML, "<b>a<i>b</i></b>cd" },
	{ "a link in a link", "\5x\6a\5y\6b\7c\7", DIALECT_HTML, "<a href=\"x\">a</a><a href=\"y\">b</a>c" },
	{ "a link without a label", "a\5https://x", DIALECT_HTML, "a" },
};

START_TEST(rendered)
{
	for (size_t i = 0; i < sizeof renders / sizeof *renders; i++) {
		SCOPED(text_deinit) struct text out = { 0 };

		marked_render(slice_of(renders[i].marked), renders[i].dialect, &out);
		ck_assert_msg(strcmp(text_string(&out), renders[i].want) == 0, "%s: %s", renders[i].what,
		    text_string(&out));
	}
}
END_TEST

/* ---- the rest ---- */

START_TEST(rows_are_whole)
{
	for (enum chat_format f = 0; f < CHAT_FORMATS; f++) {
		const struct chat_row *r = &chat_rows[f];

		ck_assert_ptr_nonnull(chat_format_names[f]);
		ck_assert_ptr_nonnull(r->name);
		ck_assert_ptr_nonnull(r->method);
		ck_assert_ptr_nonnull(r->content_type);
		ck_assert_uint_gt(r->text_max, 1500);
		ck_assert_uint_gt(r->title_max, 50);
		ck_assert_uint_gt(r->label_max, 50);
		ck_assert_msg((r->ok_field == NULL) == (r->ok_value == NULL), "%s", r->name);
		ck_assert_msg((r->wait_field == NULL) == (r->wait_unit_us == 0), "%s", r->name);
	}
}
END_TEST

/* The example of the specification, and its secret without the prefix. */
START_TEST(signature)
{
	struct text body = { 0 }, out = { 0 };

	text_puts(&body, "{\"test\": 2432232314}");
	ck_assert(chat_sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
	    1614265330, &body, &out));
	ck_assert_str_eq(out.s, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	text_clear(&out);
	ck_assert(!chat_sign("whsec_!!", "m", 1, &body, &out));
	ck_assert_uint_eq(out.len, 0);
	ck_assert(chat_sign("any words", "m", 1, &body, &out));
	ck_assert_uint_eq(out.len, 3 + 44);
	text_deinit(&body);
	text_deinit(&out);
}
END_TEST

START_TEST(answers_are_buttons_or_links_once)
{
	struct compose *c = compile("# Walk?\n\nCome.\n\n[Yes]({{answer.yes}})\n\n"
				    "[No]({{answer.no}}) \xc2\xb7 [Later]({{answer.later}})\n");
	struct text out = { 0 };

	for (enum chat_format f = 0; f < CHAT_FORMATS; f++) {
		size_t n = 0;

		chat(c, "Sam", f, &out);
		for (const char *s = out.s; (s = strstr(s, "Later")) != NULL; s++)
			n++;
		/* Matrix says everything twice: plain and formatted */
		ck_assert_msg(n == (f == CHAT_MATRIX ? 2 : 1), "%s: %zu times", chat_format_names[f], n);
	}
	text_deinit(&out);
	compose_free(&c);
}
END_TEST

static const struct {
	const char *what, *chat, *want;
} addresses[] = {
	{ "nothing: by mail address", "", "type=direct&to=%5B%22p%40n.example%22%5D&" },
	{ "a number", "17", "type=direct&to=%5B17%5D&" },
	{ "a mail address", "q@n.example", "type=direct&to=%5B%22q%40n.example%22%5D&" },
	{ "a name that Zulip cannot look up", "@q", "type=direct&to=%5B%22p%40n.example%22%5D&" },
	{ "a channel", "#walks", "type=stream&to=walks&topic=BRAVO-week&" },
};

START_TEST(zulip_addresses)
{
	struct compose *c = compile("# Walk?\n\nCome.\n");

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		SCOPED(text_deinit) struct text out = { 0 };
		struct letter l = { .campaign = &campaign, .message = &message, .messenger = &who,
			.messenger_name = "HR", .to = &person, .occurrence = "x/0", .number = 1 };

		person = (struct person){ .id = "p", .email = "p@n.example", .team = "",
			.chat = addresses[i].chat };
		compose_chat(c, &key, &l, CHAT_ZULIP, &out);
		ck_assert_msg(strncmp(out.s, addresses[i].want, strlen(addresses[i].want)) == 0, "%s: %s",
		    addresses[i].what, out.s);
	}
	compose_free(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("chat");
	TCase *t = tcase_create("chat");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, rows_are_whole);
	tcase_add_test(t, signature);
	tcase_add_test(t, rendered);
	tcase_add_test(t, cut_where_it_does_not_hurt);
	tcase_add_test(t, cut_is_within);
	tcase_add_test(t, answers_are_buttons_or_links_once);
	tcase_add_test(t, zulip_addresses);
	tcase_add_test(t, nobody_is_called);
	tcase_add_test(t, a_name_is_never_markup);
	tcase_add_test(t, a_name_in_rocketchat);
	tcase_add_test(t, a_name_in_html);
	tcase_add_test(t, a_name_in_every_json);
	tcase_add_test(t, long_texts_fit);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
