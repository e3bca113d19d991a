#include "people/csv.h"

#include <string.h>

#include "base/arena.h"
#include "base/text.h"

static int
broken(struct csv *c, const char *at, const char *why)
{
	c->bad_line = c->line;
	c->bad_column = (int)utf8_count(c->line_start, (size_t)(at - c->line_start)) + 1;
	c->why = why;
	c->p = c->end;
	return CSV_BROKEN;
}

void
csv_init(struct csv *c, struct arena *mem, const char *bytes, size_t len)
{
	size_t commas = 0, semicolons = 0;

	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	*c = (struct csv){ .mem = mem, .p = bytes, .end = bytes + len, .line_start = bytes,
		.line = 1 };
	for (const char *p = bytes; p < c->end && *p != '\n'; p++) {
		commas += *p == ',';
		semicolons += *p == ';';
	}
	c->separator = semicolons > commas ? ';' : ',';
}

static void
line_end(struct csv *c)
{
	if (c->p < c->end && *c->p == '\r')
		c->p++;
	if (c->p < c->end && *c->p == '\n')
		c->p++;
	c->line++;
	c->line_start = c->p;
}

static int
quoted(struct csv *c, char *buf, size_t *ret_len)
{
	const char *open = c->p++;
	size_t n = 0;

	for (;; c->p++) {
		if (c->p >= c->end)
			return broken(c, open, "this quote is never closed");
		if (*c->p == '"') {
			if (c->p + 1 >= c->end || c->p[1] != '"')
				break;
			c->p++;
		}
		if (n >= CSV_FIELD)
			return broken(c, c->p, "a field longer than 4,096 bytes");
		buf[n++] = *c->p;
		if (*c->p == '\n') {
			c->line++;
			c->line_start = c->p + 1;
			open = c->line_start; /* columns can only be told of the present line */
		}
	}
	c->p++;
	*ret_len = n;
	if (c->p < c->end && *c->p != c->separator && *c->p != '\n' && *c->p != '\r')
		return broken(c, c->p, "text after a closing quote; double a quote that belongs inside");
	return CSV_ROW;
}

static int
bare(struct csv *c, char *buf, size_t *ret_len)
{
	size_t n = 0;

	for (; c->p < c->end && *c->p != c->separator && *c->p != '\n'; c->p++) {
		if (*c->p == '\r' && (c->p + 1 == c->end || c->p[1] == '\n'))
			break;
		if (*c->p == '"')
			return broken(c, c->p, "a quote inside a field that does not begin with one");
		if (n >= CSV_FIELD)
			return broken(c, c->p, "a field longer than 4,096 bytes");
		buf[n++] = *c->p;
	}
	*ret_len = n;
	return CSV_ROW;
}

int
csv_next(struct csv *c)
{
	char buf[CSV_FIELD];

	while (c->p < c->end && (*c->p == '\n' || *c->p == '\r'))
		line_end(c);
	if (c->p >= c->end)
		return CSV_END;
	if (++c->rows > CSV_ROWS)
		return broken(c, c->p, "more than 1,000,000 rows");
	for (c->n = 0;; c->p++) {
		struct csv_field *f;
		size_t len = 0;
		int rc;

		if (c->n == CSV_COLUMNS)
			return broken(c, c->p, "more than 200 columns");
		f = &c->field[c->n++];
		f->line = c->line;
		f->column = (int)utf8_count(c->line_start, (size_t)(c->p - c->line_start)) + 1;
		rc = c->p < c->end && *c->p == '"' ? quoted(c, buf, &len) : bare(c, buf, &len);
		if (rc != CSV_ROW)
			return rc;
		f->text = arena_copyn(c->mem, buf, len);
		if (memchr(buf, '\0', len) != NULL || !utf8_valid(buf, len, NULL)) {
			c->bad_line = f->line;
			c->bad_column = f->column;
			c->why = "not UTF-8 text; save the file as UTF-8";
			c->p = c->end;
			return CSV_BROKEN;
		}
		if (c->p >= c->end || *c->p != c->separator)
			break;
	}
	if (c->p < c->end)
		line_end(c);
	return CSV_ROW;
}
