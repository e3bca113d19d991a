/*
 * text.h - a growing string, and the few questions we ask of bytes from outside.
 *
 * struct text owns its bytes, is always NUL-terminated, and aborts when memory is out: every size
 * that a peer controls has been limited before it gets here.
 */
#ifndef NUDGED_BASE_TEXT_H
#define NUDGED_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct text {
	char *s; /* NULL until the first byte; text_string() is never NULL */
	size_t len, room;
};
/* Bytes that somebody else owns; not NUL-terminated. */
struct slice {
	const char *s;
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

static inline struct slice
slice_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}
bool slice_is(struct slice a, const char *s);

void text_deinit(struct text *t);
/* Of a secret: its bytes do not stay in memory that is given back. */
void secret_deinit(struct text *t);
void text_clear(struct text *t); /* empty, keeps the room */
void text_grow(struct text *t, size_t more);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_int(struct text *t, int64_t v);
void text_vaddf(struct text *t, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
const char *text_string(const struct text *t);

static inline void
text_add(struct text *t, const char *s, size_t len)
{
	if (len >= t->room - t->len)
		text_grow(t, len);
	if (len > 0)
		memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}
static inline void
text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}
static inline void
text_putc(struct text *t, char c)
{
	if (t->len + 1 >= t->room)
		text_grow(t, 1);
	t->s[t->len++] = c;
	t->s[t->len] = '\0';
}
static inline void
text_put(struct text *t, struct slice s)
{
	text_add(t, s.s, s.len);
}

/* Copies that live in an arena. */
char *arena_copy(struct arena *a, const char *s);
char *arena_copyn(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Well-formed UTF-8 (RFC 3629) without NUL.  On failure *ret_bad (may be NULL) is the offset. */
bool utf8_valid(const char *s, size_t len, size_t *ret_bad);
/* Decode one code point at s < end; returns its length in bytes (1..4), 0 when malformed. */
size_t utf8_decode(const char *s, const char *end, uint32_t *ret);
size_t utf8_encode(uint32_t c, char out[static 4]);
size_t utf8_count(const char *s, size_t len);
/*
 * What must never be displayed as it stands (RELIABILITY.md 5.4): bidi controls, zero-width
 * characters, BOM, C0 and C1 controls, U+2028/2029.
 */
bool utf8_is_unsafe(uint32_t c);
/* Append s without the characters of utf8_is_unsafe(); TAB, CR and LF become one blank. */
void text_add_display(struct text *t, const char *s, size_t len);
/* Append s as one part of an address: all but RFC 3986's unreserved characters percent-encoded. */
void text_add_percent(struct text *t, const char *s);
/* The nearest of the n words to s, or NULL when none is near enough to suggest (edit distance). */
const char *nearest_word(const char *s, const char *const *words, size_t n);

#endif
