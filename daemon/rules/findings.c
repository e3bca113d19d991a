#include "rules/findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { FINDINGS_MAX = 2000, LINE_SHOWN = 110, LINE_BYTES = 4 << 20 };

struct finding {
	const char *code, *text;
	struct place place;
	size_t order;
};
struct findings {
	struct arena *mem;
	const char *dir;
	size_t n, room, errors, warnings;
	struct finding *v;
	bool hides_lines;
};

struct findings *
findings_new(const char *dir)
{
	struct findings *f = calloc(1, sizeof *f);

	if (f == NULL)
		abort();
	f->mem = arena_new("findings", 64 << 20);
	f->dir = arena_copy(f->mem, dir);
	return f;
}

void
findings_free(struct findings **fp)
{
	struct findings *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	arena_free(&f->mem);
	free(f->v);
	free(f);
}

static bool
same_place(struct place a, struct place b)
{
	return a.line == b.line && a.column == b.column &&
	       strcmp(a.file ? a.file : "", b.file ? b.file : "") == 0;
}

static void
add(struct findings *f, const char *code, struct place place, const char *text)
{
	bool error = code[0] == 'E';

	for (size_t i = 0; i < f->n; i++)
		if (same_place(f->v[i].place, place) && strcmp(f->v[i].code, code) == 0 &&
		    strcmp(f->v[i].text, text) == 0)
			return;
	f->errors += error;
	f->warnings += !error;
	if (f->n >= FINDINGS_MAX)
		return; /* counted, not kept: nobody reads the two thousand and first */
	if (f->n == f->room) {
		f->room = f->room == 0 ? 32 : f->room * 2;
		f->v = reallocarray(f->v, f->room, sizeof *f->v);
		if (f->v == NULL)
			abort();
	}
	f->v[f->n] = (struct finding){ .code = arena_copy(f->mem, code),
		.text = arena_copy(f->mem, text), .place = place, .order = f->n };
	f->v[f->n].place.file = arena_copy(f->mem, place.file != NULL ? place.file : "");
	f->n++;
}

void
finding_add(struct findings *f, const char *code, struct place place, const char *fmt, ...)
{
	SCOPED(text_deinit) struct text t = { 0 };
	va_list ap;

	va_start(ap, fmt);
	text_vaddf(&t, fmt, ap);
	va_end(ap);
	add(f, code, place, text_string(&t));
}

enum { KNOWN_TOLD = 40 };

void
finding_word(struct findings *f, const char *code, struct place place, const char *word,
    const char *const *words, size_t n, const char *fmt, ...)
{
	SCOPED(text_deinit) struct text t = { 0 };
	const char *near = nearest_word(word, words, n);
	va_list ap;

	va_start(ap, fmt);
	text_vaddf(&t, fmt, ap);
	va_end(ap);
	if (near != NULL)
		text_addf(&t, ": did you mean '%s'?", near);
	else if (n > 0 && n <= KNOWN_TOLD) {
		const char *between = "; known: ";

		for (size_t i = 0; i < n; i++) {
			if (words[i][0] == '\0') /* "none", which nobody writes */
				continue;
			text_addf(&t, "%s%s", between, words[i]);
			between = ", ";
		}
	}
	add(f, code, place, text_string(&t));
}

size_t
findings_errors(const struct findings *f)
{
	return f->errors;
}

size_t
findings_warnings(const struct findings *f)
{
	return f->warnings;
}

static int
finding_compare(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int c = strcmp(x->place.file, y->place.file);

	if (c != 0)
		return c;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static void
path_of(const struct findings *f, const struct finding *g, struct text *ret)
{
	size_t n = strlen(f->dir);

	text_clear(ret);
	while (n > 1 && f->dir[n - 1] == '/')
		n--;
	if (n > 0 && g->place.file[0] != '/') {
		text_add(ret, f->dir, n);
		text_putc(ret, '/');
	}
	text_puts(ret, g->place.file);
}

/* The line itself and a caret under the column, both cut to what a terminal shows. */
static void
print_line(const char *source, const struct finding *g, FILE *out)
{
	const char *p = source, *end;
	uint32_t c;
	int shown = 0;

	for (int line = 1; line < g->place.line && p != NULL; line++) {
		p = strchr(p, '\n');
		p = p != NULL ? p + 1 : NULL;
	}
	if (p == NULL || *p == '\0')
		return;
	fputs("  ", out);
	for (end = p + strlen(p); p < end && *p != '\n' && *p != '\r' && shown < LINE_SHOWN; shown++) {
		size_t n = utf8_decode(p, end, &c);

		if (n == 0 || utf8_is_unsafe(c))
			putc(n != 0 && c == '\t' ? ' ' : '?', out);
		else
			fwrite(p, 1, n, out);
		p += n > 0 ? n : 1;
	}
	putc('\n', out);
	if (g->place.column <= LINE_SHOWN)
		fprintf(out, "  %*s^\n", g->place.column - 1, "");
}

void
findings_hide_lines(struct findings *f)
{
	f->hides_lines = true;
}

void
findings_print_text(struct findings *f, FILE *out, bool colour)
{
	SCOPED(text_deinit) struct text path = { 0 };
	SCOPED(text_deinit) struct text last = { 0 };
	SCOPED(text_deinit) struct text source = { 0 };

	if (f->n > 1)
		qsort(f->v, f->n, sizeof *f->v, finding_compare);
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *g = &f->v[i];
		bool error = g->code[0] == 'E';

		path_of(f, g, &path);
		fprintf(out, "%s:%d:%d: %s%s[%s]%s: %s\n", text_string(&path), g->place.line,
		    g->place.column, colour ? (error ? "\033[31m" : "\033[33m") : "",
		    error ? "error" : "warning", g->code, colour ? "\033[0m" : "", g->text);
		if (strcmp(text_string(&path), text_string(&last)) != 0) {
			text_clear(&last);
			text_puts(&last, text_string(&path));
			text_clear(&source);
			if (file_read(text_string(&path), LINE_BYTES, &source) != 0)
				text_clear(&source);
		}
		if (source.len > 0 && !f->hides_lines)
			print_line(text_string(&source), g, out);
	}
}

static void
json_string(FILE *out, const char *s)
{
	const char *end = s + strlen(s);

	putc('"', out);
	for (; s < end; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(out, "\\u%04x", (unsigned char)*s);
		else
			putc(*s, out);
	}
	putc('"', out);
}

void
findings_print_json(struct findings *f, FILE *out)
{
	SCOPED(text_deinit) struct text path = { 0 };

	if (f->n > 1)
		qsort(f->v, f->n, sizeof *f->v, finding_compare);
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *g = &f->v[i];

		path_of(f, g, &path);
		fputs("{\"file\":", out);
		json_string(out, text_string(&path));
		fprintf(out, ",\"line\":%d,\"column\":%d,\"severity\":\"%s\",\"code\":\"%s\",\"text\":",
		    g->place.line, g->place.column, g->code[0] == 'E' ? "error" : "warning", g->code);
		json_string(out, g->text);
		fputs("}\n", out);
	}
}
