/*
 * A template is a flat list of tokens; a section's token knows the index of its end, so rendering
 * is a loop with one recursion per section.  Partials are compiled when they are met, indented as
 * their tag was, to a depth of 64.
 */
#include "compose/template.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "compose/tokens.h"

enum {
	DEPTH_MAX = 64,
	SECTIONS_MAX = 128,
	TOKENS_MAX = 100 * 1000,
	OUTPUT_MAX = 64 << 20,
	STEPS_MAX = 20 * 1000 * 1000,
	PARTIALS_MAX = 100 * 1000
};

struct scanner {
	struct arena *mem;
	const char *s, *p, *end;
	char open[16], close[16];
	struct template *t;
	size_t room;
	size_t stack[SECTIONS_MAX], depth;
	/* Up to where lines and columns are counted; tags come in order, so each byte is counted once. */
	const char *seen, *line_start;
	int line, column;
	bool alone; /* the tag at hand stands alone on its line */
	struct template_error *err;
};

static void
place(struct scanner *sc, const char *at, int *ret_line, int *ret_column)
{
	for (; sc->seen < at; sc->seen++)
		if (*sc->seen == '\n') {
			sc->line++;
			sc->line_start = sc->seen + 1;
			sc->column = 1;
		} else
			sc->column += ((unsigned char)*sc->seen & 0xc0) != 0x80;
	*ret_line = sc->line;
	*ret_column = at == sc->seen ? sc->column
	    : at < sc->line_start
	    ? 1
	    : (int)utf8_count(sc->line_start, (size_t)(at - sc->line_start)) + 1;
}

static bool wrong(struct scanner *sc, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool
wrong(struct scanner *sc, const char *at, const char *fmt, ...)
{
	va_list ap;

	place(sc, at, &sc->err->line, &sc->err->column);
	va_start(ap, fmt);
	vsnprintf(sc->err->what, sizeof sc->err->what, fmt, ap);
	va_end(ap);
	return false;
}

static struct token *
add(struct scanner *sc, enum token_kind kind, const char *at)
{
	struct token *k;

	if (sc->t->n == sc->room) {
		size_t room = sc->room == 0 ? 16 : sc->room * 2;
		struct token *more = arena_alloc(sc->mem, room, sizeof *more);

		if (sc->t->n > 0)
			memcpy(more, sc->t->tokens, sc->t->n * sizeof *more);
		sc->t->tokens = more;
		sc->room = room;
	}
	k = &sc->t->tokens[sc->t->n++];
	*k = (struct token){ .kind = kind };
	place(sc, at, &k->line, &k->column);
	return k;
}

static void
literal(struct scanner *sc, const char *from, const char *to)
{
	if (to > from) {
		struct token *k = add(sc, TOKEN_LITERAL, from);

		k->text = (struct slice){ from, (size_t)(to - from) };
	}
}

/* Only blanks between the line's begin and `at`: where they begin, else NULL. */
static const char *
line_blank_before(const struct scanner *sc, const char *at)
{
	const char *p = at;

	while (p > sc->s && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == sc->s || p[-1] == '\n' ? p : NULL;
}

/* Only blanks up to the line's end: what follows it, else NULL. */
static const char *
line_blank_after(const struct scanner *sc, const char *p)
{
	while (p < sc->end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == sc->end)
		return p;
	if (*p == '\r' && p + 1 < sc->end && p[1] == '\n')
		return p + 2;
	return *p == '\n' ? p + 1 : NULL;
}

static bool
delimiters_set(struct scanner *sc, struct slice body, const char *at)
{
	char text[40];
	char extra;

	if (body.len < 3 || body.len >= sizeof text || body.s[body.len - 1] != '=')
		return wrong(sc, at, "expected {{=%s}}", "<% %>=");
	memcpy(text, body.s, body.len - 1);
	text[body.len - 1] = '\0';
	if (sscanf(text, " %15s %15s %c", sc->open, sc->close, &extra) != 2)
		return wrong(sc, at, "expected two delimiters, as in {{=%s}}", "<% %>=");
	return true;
}

static struct slice
trim(const char *from, const char *to)
{
	while (from < to && strchr(" \t\r\n", *from) != NULL)
		from++;
	while (to > from && strchr(" \t\r\n", to[-1]) != NULL)
		to--;
	return (struct slice){ from, (size_t)(to - from) };
}

static bool
section_close(struct scanner *sc, struct slice name, const char *at)
{
	struct token *opened;

	if (sc->depth == 0)
		return wrong(sc, at, "{{/%.*s}} closes nothing", (int)name.len, name.s);
	opened = &sc->t->tokens[sc->stack[sc->depth - 1]];
	if (opened->name.len != name.len || memcmp(opened->name.s, name.s, name.len) != 0)
		return wrong(sc, at, "{{/%.*s}} stands where {{/%.*s}} is expected",
		    (int)name.len, name.s, (int)opened->name.len, opened->name.s);
	opened->end = sc->t->n;
	opened->end_alone = sc->alone;
	sc->depth--;
	return true;
}

/* One tag between its delimiters. */
static bool
tag_add(
    struct scanner *sc, char sigil, struct slice name, const char *at, struct slice indent)
{
	struct token *k;

	if (sigil == '!')
		return true;
	if (sigil == '=')
		return delimiters_set(sc, name, at);
	if (sc->t->n >= TOKENS_MAX)
		return wrong(
		    sc, at, "more than %d tags and texts between them", TOKENS_MAX);
	if (name.len == 0)
		return wrong(sc, at, "an empty tag; write a name between the braces");
	if (memchr(name.s, ' ', name.len) != NULL || memchr(name.s, '\n', name.len) != NULL)
		return wrong(sc, at, "a name has no blanks: '%.*s'", (int)name.len, name.s);
	if (sigil == '/')
		return section_close(sc, name, at);
	k = add(sc,
	    sigil == '#'       ? TOKEN_SECTION
		: sigil == '^' ? TOKEN_INVERTED
		: sigil == '>' ? TOKEN_PARTIAL
		: sigil != 0   ? TOKEN_RAW
			       : TOKEN_SLOT,
	    at);
	k->name = name;
	k->text = indent;
	k->alone = sc->alone;
	if (sigil == '#' || sigil == '^') {
		if (sc->depth == SECTIONS_MAX)
			return wrong(
			    sc, at, "sections nested deeper than %d", SECTIONS_MAX);
		sc->stack[sc->depth++] = sc->t->n - 1;
	}
	return true;
}

static bool
tag_read(struct scanner *sc, const char *literal_from, const char *tag)
{
	size_t open = strlen(sc->open);
	const char *p = tag + open, *close, *after, *before, *rest;
	char sigil = 0, closing[20];
	struct slice name, indent = { "", 0 };

	while (p < sc->end && (*p == ' ' || *p == '\t' || *p == '\n'))
		p++;
	if (p < sc->end && strchr("#^/>!=&{", *p) != NULL)
		sigil = *p++;
	snprintf(closing, sizeof closing, "%s%s", sigil == '{' ? "}" : "", sc->close);
	close = memmem(p, (size_t)(sc->end - p), closing, strlen(closing));
	if (close == NULL)
		return wrong(sc, tag, "this tag is never closed; expected %s", closing);
	after = close + strlen(closing);
	name = trim(p, close);
	before = strchr("#^/>!=", sigil) != NULL && sigil != 0 ? line_blank_before(sc, tag)
							       : NULL;
	rest = before != NULL ? line_blank_after(sc, after) : NULL;
	sc->alone = rest != NULL;
	if (rest != NULL) { /* alone on its line: the line goes with it */
		if (before < literal_from)
			before = literal_from;
		literal(sc, literal_from, before);
		indent = (struct slice){ before, (size_t)(tag - before) };
		sc->p = rest;
	} else {
		literal(sc, literal_from, tag);
		sc->p = after;
	}
	return tag_add(sc, sigil, name, tag, indent);
}

struct template *
template_compile(
    struct arena *mem, const char *source, size_t len, struct template_error *err)
{
	struct scanner sc = { .mem = mem,
		.s = source,
		.p = source,
		.end = source + len,
		.open = "{{",
		.close = "}}",
		.t = ARENA_NEW(mem, struct template),
		.seen = source,
		.line_start = source,
		.line = 1,
		.column = 1,
		.err = err };

	for (;;) {
		const char *from = sc.p;
		const char *tag =
		    memmem(from, (size_t)(sc.end - from), sc.open, strlen(sc.open));

		if (tag == NULL) {
			literal(&sc, from, sc.end);
			break;
		}
		if (!tag_read(&sc, from, tag))
			return NULL;
	}
	if (sc.depth > 0) {
		const struct token *k = &sc.t->tokens[sc.stack[sc.depth - 1]];

		err->line = k->line;
		err->column = k->column;
		snprintf(err->what, sizeof err->what,
		    "the section '%.*s' is never closed; expected {{/%.*s}}",
		    (int)k->name.len, k->name.s, (int)k->name.len, k->name.s);
		return NULL;
	}
	return sc.t;
}

void
template_names(const struct template *t,
    void (*fn)(void *arg, const char *name, bool section, int line, int column), void *arg)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct token *k = &t->tokens[i];
		char name[256];

		if (k->kind == TOKEN_LITERAL || k->kind == TOKEN_PARTIAL)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)k->name.len, k->name.s);
		fn(arg, name, k->kind == TOKEN_SECTION || k->kind == TOKEN_INVERTED,
		    k->line, k->column);
	}
}

/* ---- rendering JSON ---- */

struct stack {
	const struct stack *up;
	json_t *value;
};
struct render {
	template_partial_fn *partial;
	void *arg;
	struct text *out;
	int depth;
	int64_t steps, partials; /* so that a partial that calls itself twice ends */
};

static json_t *
dotted(json_t *v, const char *name, size_t len)
{
	while (len > 0 && v != NULL) {
		const char *dot = memchr(name, '.', len);
		size_t n = dot != NULL ? (size_t)(dot - name) : len;
		char key[256];

		if (n >= sizeof key || !json_is_object(v))
			return NULL;
		memcpy(key, name, n);
		key[n] = '\0';
		v = json_object_get(v, key);
		name += n + (dot != NULL);
		len -= n + (dot != NULL);
	}
	return v;
}

/* The first part is searched up the stack, the rest must be inside what it found. */
static json_t *
lookup(const struct stack *s, struct slice name)
{
	const char *dot = memchr(name.s, '.', name.len);
	size_t first = dot != NULL ? (size_t)(dot - name.s) : name.len;

	if (slice_is(name, "."))
		return s->value;
	for (; s != NULL; s = s->up) {
		json_t *v = dotted(s->value, name.s, first);

		if (v != NULL)
			return dot != NULL ? dotted(v, dot + 1, name.len - first - 1) : v;
	}
	return NULL;
}

static bool
is_true(const json_t *v)
{
	return v != NULL && !json_is_null(v) && !json_is_false(v) &&
	    !(json_is_array(v) && json_array_size(v) == 0);
}

static void
put_escaped(struct text *out, const char *s)
{
	for (; *s != '\0'; s++)
		switch (*s) {
		case '&':
			text_puts(out, "&amp;");
			break;
		case '<':
			text_puts(out, "&lt;");
			break;
		case '>':
			text_puts(out, "&gt;");
			break;
		case '"':
			text_puts(out, "&quot;");
			break;
		default:
			text_putc(out, *s);
		}
}

static void
put_value(struct text *out, const json_t *v, bool raw)
{
	char number[40];

	if (json_is_string(v)) {
		if (raw)
			text_puts(out, json_string_value(v));
		else
			put_escaped(out, json_string_value(v));
	} else if (json_is_integer(v))
		text_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v)) {
		/* The shortest that reads back as the same number. */
		for (int digits = 1; digits <= 17; digits++) {
			snprintf(number, sizeof number, "%.*g", digits, json_real_value(v));
			if (strtod(number, NULL) == json_real_value(v))
				break;
		}
		text_puts(out, number);
	} else if (json_is_boolean(v))
		text_puts(out, json_is_true(v) ? "true" : "false");
}

static int render(struct render *r, const struct template *t, size_t from, size_t to,
    const struct stack *s);

static int
section_render(
    struct render *r, const struct template *t, size_t i, const struct stack *s, json_t *v)
{
	const struct token *k = &t->tokens[i];
	struct stack inner = { s, v };
	json_t *one;
	size_t n;
	int rc = 0;

	if (!json_is_array(v))
		return render(r, t, i + 1, k->end, &inner);
	json_array_foreach(v, n, one)
	{
		inner.value = one;
		if ((rc = render(r, t, i + 1, k->end, &inner)) < 0)
			return rc;
	}
	return rc;
}

/* A partial's lines are indented as its tag was; not after the last one. */
static void
indented(struct text *out, const char *source, struct slice indent)
{
	while (*source != '\0') {
		const char *end = strchr(source, '\n');
		size_t len = end != NULL ? (size_t)(end - source) + 1 : strlen(source);

		text_put(out, indent);
		text_add(out, source, len);
		source += len;
	}
}

static int
partial_render(struct render *r, const struct token *k, const struct stack *s)
{
	SCOPED(text_deinit) struct text source = { 0 };
	SCOPED(arena_free) struct arena *mem = NULL;
	struct template_error err;
	struct template *t;
	char name[256];
	const char *found;
	int rc;

	snprintf(name, sizeof name, "%.*s", (int)k->name.len, k->name.s);
	found = r->partial != NULL ? r->partial(r->arg, name) : NULL;
	if (found == NULL)
		return 0;
	if (r->depth >= DEPTH_MAX || ++r->partials > PARTIALS_MAX)
		return -1;
	indented(&source, found, k->text);
	mem = arena_new("partial", 64 << 20);
	t = template_compile(mem, text_string(&source), source.len, &err);
	if (t == NULL)
		return -1;
	r->depth++;
	rc = render(r, t, 0, t->n, s);
	r->depth--;
	return rc;
}

static int
render(struct render *r, const struct template *t, size_t from, size_t to,
    const struct stack *s)
{
	int rc = 0;

	for (size_t i = from; i < to && rc == 0; i++) {
		const struct token *k = &t->tokens[i];
		json_t *v;

		if (r->out->len > OUTPUT_MAX || ++r->steps > STEPS_MAX)
			return -1;
		switch (k->kind) {
		case TOKEN_LITERAL:
			text_put(r->out, k->text);
			break;
		case TOKEN_SLOT:
		case TOKEN_RAW:
			put_value(r->out, lookup(s, k->name), k->kind == TOKEN_RAW);
			break;
		case TOKEN_PARTIAL:
			rc = partial_render(r, k, s);
			break;
		case TOKEN_SECTION:
			v = lookup(s, k->name);
			if (is_true(v))
				rc = section_render(r, t, i, s, v);
			i = k->end - 1;
			break;
		case TOKEN_INVERTED:
			if (!is_true(lookup(s, k->name)))
				rc = render(r, t, i + 1, k->end, s);
			i = k->end - 1;
			break;
		}
	}
	return rc;
}

int
template_render_json(const struct template *t, json_t *data, template_partial_fn *partial,
    void *arg, struct text *ret)
{
	struct render r = { .partial = partial, .arg = arg, .out = ret };
	struct stack s = { NULL, data };

	return render(&r, t, 0, t->n, &s);
}
