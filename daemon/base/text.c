#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

bool
slice_is(struct slice a, const char *s)
{
	return strlen(s) == a.len && memcmp(a.s, s, a.len) == 0;
}

void
text_deinit(struct text *t)
{
	free(t->s);
	*t = (struct text){ 0 };
}

void
secret_deinit(struct text *t)
{
	if (t->s != NULL)
		explicit_bzero(t->s, t->room);
	text_deinit(t);
}

void
text_clear(struct text *t)
{
	t->len = 0;
	if (t->s != NULL)
		t->s[0] = '\0';
}

void
text_grow(struct text *t, size_t more)
{
	size_t need, room = t->room < 64 ? 64 : t->room;

	if (__builtin_add_overflow(t->len, more, &need) ||
	    __builtin_add_overflow(need, (size_t)1, &need) || need > SIZE_MAX / 2)
		abort();
	if (need <= t->room)
		return;
	while (room < need)
		room *= 2;
	t->s = realloc(t->s, room);
	if (t->s == NULL)
		abort();
	t->room = room;
	t->s[t->len] = '\0';
}

void
text_add_int(struct text *t, int64_t v)
{
	char digits[21], *p = digits + sizeof digits;
	uint64_t n = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	if (v < 0)
		*--p = '-';
	text_add(t, p, (size_t)(digits + sizeof digits - p));
}

void
text_vaddf(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	text_grow(t, 128);
	n = vsnprintf(t->s + t->len, t->room - t->len, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= t->room - t->len) {
		text_grow(t, (size_t)n);
		vsnprintf(t->s + t->len, t->room - t->len, fmt, again);
	}
	va_end(again);
	t->len += (size_t)n;
}

void
text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vaddf(t, fmt, ap);
	va_end(ap);
}

const char *
text_string(const struct text *t)
{
	return t->s != NULL ? t->s : "";
}

char *
arena_copyn(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1, 1);

	memcpy(p, s, len);
	return p;
}

char *
arena_copy(struct arena *a, const char *s)
{
	return arena_copyn(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1, 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

/* Least code point that may be written in n bytes: a shorter form exists for anything below. */
static const uint32_t utf8_least[] = { 0, 0, 0x80, 0x800, 0x10000 };

size_t
utf8_decode(const char *s, const char *end, uint32_t *ret)
{
	unsigned char b = (unsigned char)*s;
	size_t n = b < 0x80 ? 1 : b >> 5 == 6 ? 2 : b >> 4 == 14 ? 3 : b >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (n == 0 || (size_t)(end - s) < n)
		return 0;
	c = n == 1 ? b : b & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < utf8_least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

size_t
utf8_encode(uint32_t c, char out[static 4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : c | (n == 2 ? 0xc0u : n == 3 ? 0xe0u : 0xf0u));
	return n;
}

bool
utf8_valid(const char *s, size_t len, size_t *ret_bad)
{
	const char *p = s, *end = s + len;
	uint32_t c;

	while (p < end) {
		size_t n = utf8_decode(p, end, &c);

		if (n == 0 || c == 0) {
			if (ret_bad != NULL)
				*ret_bad = (size_t)(p - s);
			return false;
		}
		p += n;
	}
	return true;
}

size_t
utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static const struct {
	uint32_t first, last;
} unsafe[] = {
	{ 0x00, 0x1f },
	{ 0x7f, 0x9f },
	{ 0xad, 0xad },     /* soft hyphen */
	{ 0x061c, 0x061c }, /* Arabic letter mark */
	{ 0x115f, 0x1160 }, /* Hangul fillers */
	{ 0x180e, 0x180e },
	{ 0x200b, 0x200f }, /* zero-width, LRM, RLM */
	{ 0x2028, 0x202e }, /* line and paragraph separator, bidi embeddings */
	{ 0x2060, 0x2069 }, /* word joiner, invisible operators, bidi isolates */
	{ 0x206a, 0x206f },
	{ 0xfeff, 0xfeff },
	{ 0xfff9, 0xfffb },
	{ 0xe0000, 0xe007f }, /* tags */
};

bool
utf8_is_unsafe(uint32_t c)
{
	for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
		if (c >= unsafe[i].first && c <= unsafe[i].last)
			return true;
	return false;
}

void
text_add_percent(struct text *t, const char *s)
{
	for (; *s != '\0'; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		    strchr("-._~", *s) != NULL)
			text_putc(t, *s);
		else
			text_addf(t, "%%%02X", (unsigned char)*s);
}

void
text_add_display(struct text *t, const char *s, size_t len)
{
	const char *end = s + len;
	uint32_t c;
	size_t n;

	for (; s < end; s += n) {
		for (n = 0; s + n < end && s[n] >= ' ' && s[n] < 0x7f; n++)
			;
		if (n > 0) {
			text_add(t, s, n);
			continue;
		}
		n = utf8_decode(s, end, &c);
		if (n == 0) {
			text_puts(t, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '\t' || c == '\n' || c == '\r')
			text_putc(t, ' ');
		else if (!utf8_is_unsafe(c))
			text_add(t, s, n);
	}
}

enum { WORD_LONGEST = 63 };

/* Optimal string alignment distance: a swap of neighbours counts one. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_LONGEST + 1], la = strlen(a), lb = strlen(b);
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= lb; j++)
		last[j] = j;
	for (size_t i = 1; i <= la; i++) {
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t d = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < d)
				d = last[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < d)
				d = before[j - 2] + 1;
			row[j] = d;
		}
		size_t *spare = before;

		before = last;
		last = row;
		row = spare;
	}
	return last[lb];
}

const char *
nearest_word(const char *s, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t least = strlen(s) / 3 + 1;

	if (strlen(s) > WORD_LONGEST)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (words[i] == NULL || strlen(words[i]) > WORD_LONGEST)
			continue;
		d = distance(s, words[i]);
		if (d < least || (d == least && best == NULL)) {
			least = d;
			best = words[i];
		}
	}
	return best;
}
