#include "compose/chat_marks.h"

#include <string.h>

#include "base/scope.h"
#include "compose/program.h"

enum { OPEN_MAX = 8 };

static const struct {
	const char *strong[2], *emphasis[2];
	/* Around a label; where the address stands is up to link_open() and link_close(). */
	const char *link[2];
} dialects[DIALECTS] = {
	[DIALECT_PLAIN] = { { "", "" }, { "", "" }, { "", ": " } },
	[DIALECT_RUNS] = { { "", "" }, { "", "" }, { "", "" } },
	[DIALECT_HTML] = { { "<b>", "</b>" }, { "<i>", "</i>" }, { "<a href=\"", "</a>" } },
	[DIALECT_BACKSLASH] = { { "**", "**" }, { "*", "*" }, { "[", "](" } },
	[DIALECT_CODED] = { { "**", "**" }, { "*", "*" }, { "[", "](" } },
	[DIALECT_ENTITY] = { { "**", "**" }, { "*", "*" }, { "[", "](" } },
	[DIALECT_TWINS] = { { "*", "*" }, { "_", "_" }, { "[", "](" } },
};

struct renderer {
	enum chat_dialect dialect;
	struct text *out;
	enum mark open[OPEN_MAX];
	int n_open;
	struct slice address; /* of the open link */
	bool in_code;         /* CODED: a code span stands open */
	bool line_start;      /* nothing since the last line end */
	bool just_open;       /* emphasis began, and nothing is in it yet */
	bool line_number;     /* nothing but digits since then: "1." would be a list */
};

void
add_marked(struct text *t, const char *s, size_t len)
{
	for (const char *end = s + len; s < end; s++)
		if ((unsigned char)*s >= 0x20 || *s == '\n')
			text_putc(t, *s);
		else if (*s == '\t')
			text_putc(t, ' ');
}

void
add_marked_link(struct text *t, struct slice address, struct slice label)
{
	text_putc(t, MARK_LINK);
	add_marked(t, address.s, address.len);
	text_putc(t, MARK_LABEL);
	add_marked(t, label.s, label.len);
	text_putc(t, MARK_LINK_END);
}

size_t
chat_count(enum chat_unit unit, const char *s, size_t len)
{
	size_t n = 0;

	if (unit == UNIT_BYTES)
		return len;
	/* every character but continuation bytes; those of four bytes are two in UTF-16 */
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		n += (c & 0xc0) != 0x80;
		n += unit == UNIT_UTF16 && c >= 0xf0;
	}
	return n;
}

/* ---- one character, so that it is text ---- */

static bool
in_set(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static void
code_end(struct renderer *r)
{
	if (r->in_code)
		text_putc(r->out, '`');
	r->in_code = false;
}

static void
code_put(struct renderer *r, char c)
{
	if (!r->in_code)
		text_putc(r->out, '`');
	r->in_code = true;
	text_putc(r->out, c);
}

/*
 * Could this character be markup where it stands, in any Markdown?  Some matter only at a line's
 * start (lists, underlines of headings), or before something (an emoji's colon, a domain's dot,
 * an entity's ampersand): prose keeps its commas and full stops as they are.
 */
static bool
is_markup(const struct renderer *r, char c, char next)
{
	bool before = next != '\0' && next != ' ' && next != '\n';

	if (in_set(c, "\\`*_[]<>#|~@$"))
		return true;
	if (in_set(c, ":&"))
		return before;
	if (c == '.')
		return before || r->line_number;
	return in_set(c, "-+=)") && (r->line_start || r->line_number);
}

/*
 * Rocket.Chat: its emphasis and links look through code spans, and it knows no entities, so what
 * could be markup becomes its full-width twin (U+FF01 on for ! on), which looks the same and is none.
 * It links domains whatever one does; a link that shows where it leads deceives nobody.
 */
static void
twin_add(struct text *out, char c)
{
	char twin[4];

	text_add(out, twin, utf8_encode(0xff01 + (uint32_t)(c - '!'), twin));
}

static void
twin_put(struct renderer *r, const char *s, size_t n, char next)
{
	bool dot = *s == '.' && !r->line_number;

	if (n == 1 && *s != '&' && !dot && is_markup(r, *s, next))
		twin_add(r->out, *s);
	else
		text_add(r->out, s, n);
}

static bool
in_link(const struct renderer *r)
{
	for (int i = 0; i < r->n_open; i++)
		if (r->open[i] == MARK_LINK)
			return true;
	return false;
}

static void
backslash_put(struct renderer *r, const char *s, size_t n, char next)
{
	if (n == 1 && is_markup(r, *s, next))
		text_putc(r->out, '\\');
	text_add(r->out, s, n);
}

static void
entity_put(struct renderer *r, const char *s, size_t n, char next)
{
	if (n == 1 && is_markup(r, *s, next))
		text_addf(r->out, "&#%d;", *s);
	else
		text_add(r->out, s, n);
}

static void
character_put(struct renderer *r, const char *s, size_t n, char next)
{
	/* four blanks would begin a block of code, and ** before one begins nothing */
	if (r->dialect >= DIALECT_BACKSLASH && (r->line_start || r->just_open) && *s == ' ')
		return;
	r->just_open = false;
	switch (r->dialect) {
	case DIALECT_HTML:
		if (*s == '\n')
			text_puts(r->out, "<br>");
		else
			add_html(r->out, s, n);
		break;
	case DIALECT_CODED:
		if (*s == '@') {
			code_put(r, '@');
			break;
		}
		code_end(r);
		backslash_put(r, s, n, next);
		break;
	case DIALECT_BACKSLASH:
		/* Discord finds the end of a label across escapes, even far behind its link */
		if (in_set(*s, "[]") || (in_link(r) && in_set(*s, "()")))
			twin_add(r->out, *s);
		else
			backslash_put(r, s, n, next);
		break;
	case DIALECT_ENTITY:
		entity_put(r, s, n, next);
		break;
	case DIALECT_TWINS:
		twin_put(r, s, n, next);
		break;
	case DIALECT_PLAIN:
	case DIALECT_RUNS:
	case DIALECTS:
	default:
		text_add(r->out, s, n);
	}
	r->line_number = (r->line_start || r->line_number) && *s >= '0' && *s <= '9';
	r->line_start = *s == '\n';
}

/* ---- marks ---- */

/* An address in parentheses: what could end it is percent-encoded. */
static void
address_put(struct renderer *r)
{
	if (r->dialect == DIALECT_HTML) {
		add_html(r->out, r->address.s, r->address.len);
		return;
	}
	for (size_t i = 0; i < r->address.len; i++) {
		char c = r->address.s[i];

		if (r->dialect != DIALECT_PLAIN && in_set(c, "()<>[]\\`*~| \""))
			text_addf(r->out, "%%%02X", (unsigned)c);
		else
			text_putc(r->out, c);
	}
}

static void
mark_open(struct renderer *r, enum mark m)
{
	code_end(r);
	r->line_start = r->line_start && dialects[r->dialect].strong[0][0] == '\0';
	if (r->n_open == OPEN_MAX)
		return;
	r->open[r->n_open++] = m;
	r->just_open = m != MARK_LINK;
	if (m == MARK_STRONG)
		text_puts(r->out, dialects[r->dialect].strong[0]);
	else if (m == MARK_EMPHASIS)
		text_puts(r->out, dialects[r->dialect].emphasis[0]);
	else {
		text_puts(r->out, dialects[r->dialect].link[0]);
		if (r->dialect == DIALECT_HTML) {
			address_put(r);
			text_puts(r->out, "\">");
		}
	}
}

/* Around nothing it is nothing; blanks before its end go behind it, or it would not end there. */
static void
emphasis_close(struct renderer *r, const char *const marks[2])
{
	size_t blanks = 0;

	if (marks[0][0] == '\0')
		return;
	if (r->just_open) {
		r->out->len -= strlen(marks[0]);
		r->out->s[r->out->len] = '\0';
		r->just_open = false;
		return;
	}
	while (r->dialect >= DIALECT_BACKSLASH && r->out->s[r->out->len - 1 - blanks] == ' ')
		blanks++;
	r->out->len -= blanks;
	text_puts(r->out, marks[1]);
	while (blanks-- > 0)
		text_putc(r->out, ' ');
}

static void
innermost_close(struct renderer *r)
{
	enum mark m = r->open[--r->n_open];

	code_end(r);
	if (m == MARK_STRONG)
		emphasis_close(r, dialects[r->dialect].strong);
	else if (m == MARK_EMPHASIS)
		emphasis_close(r, dialects[r->dialect].emphasis);
	else {
		text_puts(r->out, dialects[r->dialect].link[1]);
		if (r->dialect != DIALECT_HTML && r->dialect != DIALECT_RUNS)
			address_put(r);
		if (r->dialect != DIALECT_HTML && r->dialect != DIALECT_RUNS &&
		    r->dialect != DIALECT_PLAIN)
			text_putc(r->out, ')');
	}
}

static void
mark_close(struct renderer *r, enum mark m)
{
	for (int i = r->n_open - 1; i >= 0; i--)
		if (r->open[i] == m) {
			while (r->n_open > i)
				innermost_close(r);
			return;
		}
}

/* One step: a character, a mark, or a link's address; returns where the next begins. */
static const char *
step(struct renderer *r, const char *s, const char *end)
{
	const char *label;
	uint32_t c;
	size_t n;

	switch (*s) {
	case MARK_STRONG:
	case MARK_EMPHASIS:
		mark_open(r, (enum mark)*s);
		return s + 1;
	case MARK_STRONG_END:
	case MARK_EMPHASIS_END:
		mark_close(r, (enum mark)(*s - 1));
		return s + 1;
	case MARK_LINK:
		mark_close(r, MARK_LINK);
		label = memchr(s, MARK_LABEL, (size_t)(end - s));
		if (label == NULL)
			return end;
		r->address = (struct slice){ s + 1, (size_t)(label - s - 1) };
		mark_open(r, MARK_LINK);
		return label + 1;
	case MARK_LINK_END:
		mark_close(r, MARK_LINK);
		return s + 1;
	default:
		n = utf8_decode(s, end, &c);
		n = n > 0 ? n : 1;
		character_put(r, s, n, s + n < end ? s[n] : '\0');
		return s + n;
	}
}

void
marked_render(struct slice marked, enum chat_dialect dialect, struct text *ret)
{
	struct renderer r = { .dialect = dialect, .out = ret, .line_start = true };

	for (const char *s = marked.s, *end = s + marked.len; s < end;)
		s = step(&r, s, end);
	while (r.n_open > 0)
		innermost_close(&r);
	code_end(&r);
}

/* ---- where it may be cut ---- */

static bool
is_flag_half(const char *s, const char *end)
{
	uint32_t c;

	return s < end && utf8_decode(s, end, &c) > 0 && c >= 0x1f1e6 && c <= 0x1f1ff;
}

/*
 * Does what stands at s belong to the character before: an accent, variation selector, skin tone,
 * something joined, the second half of a flag?
 */
static bool
is_joined(const char *start, const char *s, const char *end)
{
	size_t halves = 0;
	uint32_t c;

	if (s >= end || utf8_decode(s, end, &c) == 0)
		return false;
	if (s - start >= 3 && memcmp(s - 3, "\xe2\x80\x8d", 3) == 0)
		return true;
	if (is_flag_half(s, end))
		for (const char *p = s; p - start >= 4 && is_flag_half(p - 4, end); p -= 4)
			halves++;
	return halves % 2 == 1 || (c >= 0x300 && c <= 0x36f) || (c >= 0x1ab0 && c <= 0x1aff) ||
	       (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0x200d ||
	       (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0xe0020 && c <= 0xe007f);
}

struct cuts {
	size_t sentence, word, character;
};

/* What a cut after s would be. */
static void
cut_note(struct cuts *c, const char *start, const char *s, const char *end)
{
	size_t at = (size_t)(s - start);
	bool gap = s == end || *s == ' ' || *s == '\n';
	const char *last = s;

	if (is_joined(start, s, end))
		return;
	c->character = at;
	if (gap)
		c->word = at;
	while (last > start && (unsigned char)last[-1] <= MARK_LINK_END)
		last--;
	if (gap && last > start && (in_set(last[-1], ".!?") || (s < end && *s == '\n')))
		c->sentence = at;
}

size_t
marked_cut(struct slice marked, enum chat_dialect dialect, enum chat_unit unit, size_t max)
{
	SCOPED(text_deinit) struct text out = { 0 };
	struct renderer r = { .dialect = dialect, .out = &out, .line_start = true };
	struct cuts cuts = { 0 };
	const char *s = marked.s, *end = s + marked.len;
	size_t used = 0, seen = 0;

	while (s < end) {
		s = step(&r, s, end);
		if (out.len < seen)
			used = seen = 0; /* emphasis around nothing was taken back */
		used += chat_count(unit, text_string(&out) + seen, out.len - seen);
		seen = out.len;
		if (used + r.in_code > max)
			break;
		if (r.n_open == 0)
			cut_note(&cuts, marked.s, s, end);
	}
	if (s == end) {
		while (r.n_open > 0)
			innermost_close(&r);
		code_end(&r);
		if (chat_count(unit, text_string(&out), out.len) <= max)
			return marked.len;
	}
	/* a sentence, unless that would throw most of what fits away */
	if (cuts.sentence * 4 >= cuts.character)
		return cuts.sentence;
	return cuts.word * 2 >= cuts.character ? cuts.word : cuts.character;
}

/* ---- runs ---- */

void
marked_runs(struct slice marked, void (*fn)(void *arg, const struct run *run), void *arg)
{
	struct run run = { 0 };
	const char *s = marked.s, *end = s + marked.len, *from = s;

	for (; s <= end; s++) {
		if (s < end && ((unsigned char)*s >= 0x20 || *s == '\n'))
			continue;
		run.text = (struct slice){ from, (size_t)(s - from) };
		if (run.text.len > 0)
			fn(arg, &run);
		if (s == end)
			break;
		if (*s == MARK_STRONG || *s == MARK_STRONG_END)
			run.strong = *s == MARK_STRONG;
		else if (*s == MARK_EMPHASIS || *s == MARK_EMPHASIS_END)
			run.emphasis = *s == MARK_EMPHASIS;
		else if (*s == MARK_LINK_END)
			run.address = (struct slice){ NULL, 0 };
		else if (*s == MARK_LINK) {
			const char *label = memchr(s, MARK_LABEL, (size_t)(end - s));

			if (label == NULL)
				return;
			run.address = (struct slice){ s + 1, (size_t)(label - s - 1) };
			s = label;
		}
		from = s + 1;
	}
}

struct slice
points_cut(struct slice s, size_t max)
{
	const char *p = s.s, *end = s.s + s.len, *good = p;
	uint32_t c;

	for (size_t n = 0; p < end && n < max; n++) {
		size_t step_len = utf8_decode(p, end, &c);

		p += step_len > 0 ? step_len : 1;
		if (!is_joined(s.s, p, end))
			good = p;
	}
	return p == end ? s : (struct slice){ s.s, (size_t)(good - s.s) };
}
