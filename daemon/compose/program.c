#include "compose/program.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "compose/chat_marks.h"
#include "compose/parts.h"
#include "people/person.h"

enum { LINE = 76 };

void
program_literal(struct program *p, const char *s, size_t len)
{
	text_add(&p->pending, s, len);
}

void
program_puts(struct program *p, const char *s)
{
	program_literal(p, s, strlen(s));
}

static void
push(struct program *p, struct arena *mem, struct op op)
{
	if (p->n == p->room) {
		size_t room = p->room == 0 ? 16 : p->room * 2;
		struct op *more = arena_alloc(mem, room, sizeof *more);

		if (p->n > 0)
			memcpy(more, p->ops, p->n * sizeof *more);
		p->ops = more;
		p->room = room;
	}
	p->ops[p->n++] = op;
}

static void
flush(struct program *p, struct arena *mem)
{
	if (p->pending.len == 0)
		return;
	push(p, mem,
	    (struct op){ .kind = OP_LITERAL,
		.text = { arena_copyn(mem, p->pending.s, p->pending.len), p->pending.len } });
	text_clear(&p->pending);
}

void
program_op(struct program *p, struct arena *mem, struct op op)
{
	flush(p, mem);
	push(p, mem, op);
}

void
program_close(struct program *p, struct arena *mem, size_t at)
{
	flush(p, mem);
	p->ops[at].end = p->n;
}

void
program_end(struct program *p, struct arena *mem)
{
	flush(p, mem);
	text_deinit(&p->pending);
}

struct program
program_quoted(const struct program *p, struct arena *mem)
{
	struct program q = { .quoted = true };
	SCOPED(text_deinit) struct text t = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		struct op op = p->ops[i];

		if (op.kind == OP_LITERAL) {
			text_clear(&t);
			add_quoted(&t, op.text.s, op.text.len);
			op.text = (struct slice){ arena_copyn(mem, text_string(&t), t.len), t.len };
		}
		push(&q, mem, op);
	}
	return q;
}

/* ---- encodings ---- */

/* Bytes that go through as they are, as long as they last: most of any value. */
static const char *
copy_until(struct text *t, const char *s, const char *end, const bool stop[static 256])
{
	const char *from = s;

	while (s < end && !stop[(unsigned char)*s])
		s++;
	text_add(t, from, (size_t)(s - from));
	return s;
}

static void
put_entity(struct text *t, char c)
{
	switch (c) {
	case '&':
		text_put(t, SLICE("&amp;"));
		break;
	case '<':
		text_put(t, SLICE("&lt;"));
		break;
	case '>':
		text_put(t, SLICE("&gt;"));
		break;
	case '"':
		text_put(t, SLICE("&quot;"));
		break;
	default:
		text_put(t, SLICE("&#39;"));
	}
}

void
add_html(struct text *t, const char *s, size_t len)
{
	static const bool stop[256] = { ['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true,
		['\''] = true };

	for (const char *end = s + len; (s = copy_until(t, s, end, stop)) < end; s++)
		put_entity(t, *s);
}

/* Slack knows no backslash: & < > only, which also turns <!channel> and <@id> into text. */
void
add_chat(struct text *t, const char *s, size_t len)
{
	static const bool stop[256] = { ['&'] = true, ['<'] = true, ['>'] = true };

	for (const char *end = s + len; (s = copy_until(t, s, end, stop)) < end; s++)
		put_entity(t, *s);
}

void
add_json(struct text *t, const char *s, size_t len)
{
	for (const char *end = s + len; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			text_putc(t, '\\');
			text_putc(t, *s);
		} else if (c == '\n')
			text_add(t, "\\n", 2);
		else if (c < 0x20)
			text_addf(t, "\\u%04x", c);
		else
			text_putc(t, *s);
	}
}

/* Is the line over after s? */
static bool
line_ends(const char *s, const char *end)
{
	return s + 1 == end || s[1] == '\n' || (s[1] == '\r' && s + 2 < end && s[2] == '\n');
}

/* How many bytes from s stand for themselves, at most max. */
static size_t
plain_run(const char *s, const char *end, size_t max)
{
	size_t n = 0;

	for (; n < max && s + n < end; n++) {
		unsigned char c = (unsigned char)s[n];

		if ((c <= ' ' || c == '=' || c >= 0x7f) &&
		    ((c != ' ' && c != '\t') || line_ends(s + n, end)))
			break;
	}
	return n;
}

void
add_quoted(struct text *t, const char *s, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *end = s + len;
	size_t column = 0, n;

	text_grow(t, len + len / 4 + 16);
	while (s < end) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n' || (c == '\r' && s + 1 < end && s[1] == '\n')) {
			text_put(t, SLICE("\r\n"));
			s += c == '\r' ? 2 : 1;
			column = 0;
			continue;
		}
		/* A lone dot at a line's start is safe too: SMTP stuffs it, this keeps it whole. */
		n = plain_run(s, end, LINE - 1 - column);
		if (n > 0) {
			text_add(t, s, n);
			column += n;
			s += n;
		} else if (column + (plain_run(s, end, 1) > 0 ? 1 : 3) > LINE - 1) {
			text_put(t, SLICE("=\r\n"));
			column = 0;
		} else {
			text_add(t, (char[]){ '=', hex[c >> 4], hex[c & 15] }, 3);
			column += 3;
			s++;
		}
	}
	if (column > 0)
		text_put(t, SLICE("=\r\n"));
}

void
add_base64(struct text *t, const void *p, size_t len)
{
	const unsigned char *b = p;
	char line[LINE + 1];

	for (size_t i = 0; i < len; i += 57) {
		size_t n = len - i < 57 ? len - i : 57;

		sodium_bin2base64(line, sizeof line, b + i, n, sodium_base64_VARIANT_ORIGINAL);
		text_puts(t, line);
		text_add(t, "\r\n", 2);
	}
}

/* ---- values ---- */

void
add_link(const struct running *r, const char *kind, int answer, struct text *ret)
{
	char token[TOKEN_TEXT];

	text_put(ret, r->compose->base_url);
	text_puts(ret, kind);
	text_add(ret, token_sheet_link(r->links, (uint8_t)answer, token), TOKEN_LINK);
}

static void
add_display(struct text *ret, const char *s)
{
	if (s != NULL)
		text_add_display(ret, s, strlen(s));
}

void
slot_value(const struct op *op, const struct running *r, struct text *ret)
{
	const struct letter *l = r->letter;
	int lang = l->language;

	switch (op->slot) {
	case SLOT_COLUMN:
		add_display(ret, person_get(l->to, op->name));
		break;
	case SLOT_TEAM_NAME:
		add_display(ret, l->to->team);
		break;
	case SLOT_ANSWER:
		add_link(r, "/a/", op->answer, ret);
		break;
	case SLOT_PAGE_LINK:
	case SLOT_STOP_LINK:
		add_link(r, op->slot == SLOT_STOP_LINK ? "/u/" : "/a/", 0, ret);
		break;
	case SLOT_TITLE:
		add_display(ret, wording_in(&l->campaign->title, lang));
		break;
	case SLOT_HOOK:
		add_display(ret, wording_in(&l->campaign->hook, lang));
		break;
	case SLOT_MESSENGER:
		add_display(ret, l->messenger_name);
		break;
	case SLOT_DONE_PERCENT:
		if (l->done_percent >= 0)
			text_addf(ret, "%d%%", l->done_percent);
		break;
	case SLOT_TEAM_DONE:
		if (l->team_done >= 0)
			text_addf(ret, "%" PRId64, l->team_done);
		break;
	case SLOT_NUMBER:
		text_add_int(ret, l->number);
		break;
	case SLOT_ORGANISATION:
		add_display(ret, r->compose->style.organisation);
		break;
	}
}

static void
slot_run(const struct program *p, const struct op *op, const struct running *r, struct text *ret,
    struct text *value, struct text *escaped)
{
	struct text *from = value;

	if (op->escape == ESCAPE_NONE && !p->quoted) {
		slot_value(op, r, ret);
		return;
	}
	text_clear(value);
	slot_value(op, r, value);
	if (op->escape != ESCAPE_NONE) {
		text_clear(escaped);
		if (op->escape == ESCAPE_HTML)
			add_html(escaped, text_string(value), value->len);
		else
			add_marked(escaped, text_string(value), value->len);
		from = escaped;
	}
	if (p->quoted)
		add_quoted(ret, text_string(from), from->len);
	else
		text_add(ret, text_string(from), from->len);
}

void
program_run(const struct program *p, const struct running *r, struct text *ret)
{
	SCOPED(text_deinit) struct text value = { 0 };
	SCOPED(text_deinit) struct text escaped = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct op *op = &p->ops[i];

		if (op->kind == OP_LITERAL)
			text_put(ret, op->text);
		else if (op->kind == OP_SLOT)
			slot_run(p, op, r, ret, &value, &escaped);
		else {
			text_clear(&value);
			slot_value(op, r, &value);
			if ((value.len > 0) != (op->kind == OP_IF))
				i = op->end - 1;
		}
	}
}
