/* What the fields of an answer say about the connection and about when to come again. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "deliver/net/http.h"

enum { SECONDS_MOST = 86400 * 365 };

/* RFC 9110 5.6.2. */
bool
http_is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", s[i]) != NULL)
			return false;
	return len > 0;
}

/* RFC 9110 5.5: a field's value is one line. */
bool
http_is_value(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

/* Digits alone; saturates, since what is too large is too large. */
static bool
digits_read(const char *s, uint64_t most, uint64_t *ret)
{
	uint64_t n = 0;
	size_t len = strspn(s, "0123456789");

	if (len == 0 || s[len] != '\0')
		return false;
	for (; *s != '\0'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		n = n > (most - digit) / 10 ? most : n * 10 + digit;
	}
	*ret = n;
	return true;
}

/* The same length said twice is one; two different ones, or a list, are nonsense. */
static bool
length_read(struct http *h, const char *value)
{
	uint64_t n = 0;

	if (!digits_read(value, INT64_MAX, &n) || n == INT64_MAX || (h->has_length && n != h->owed))
		return false;
	h->has_length = true;
	h->owed = n;
	return true;
}

static bool
coding_read(struct http *h, const char *value)
{
	h->chunked = !h->has_coding && strcasecmp(value, "chunked") == 0;
	h->has_coding = true;
	return true;
}

/* The next word of a list; its parameter, if it has one, stands behind the '='. */
static bool
word_next(const char **at, struct slice *ret)
{
	const char *s = *at + strspn(*at, " \t,;");
	size_t len = strcspn(s, ",;"), whole = len;

	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	*at = s + whole;
	*ret = (struct slice){ s, len };
	return len > 0;
}

static bool
word_is(struct slice word, const char *s)
{
	return word.len == strlen(s) && strncasecmp(word.s, s, word.len) == 0;
}

static bool
connection_read(struct http *h, const char *value)
{
	struct slice word;

	while (word_next(&value, &word)) {
		h->closes = h->closes || word_is(word, "close");
		h->stays = h->stays || word_is(word, "keep-alive");
	}
	return true;
}

/* "timeout=5, max=100": no standard, but what servers say. */
static bool
keep_alive_read(struct http *h, const char *value)
{
	struct slice word;

	while (word_next(&value, &word)) {
		char digits[24];
		const char *equals = memchr(word.s, '=', word.len);
		uint64_t n;

		if (equals == NULL)
			continue;
		snprintf(digits, sizeof digits, "%.*s", (int)(word.len - (size_t)(equals + 1 - word.s)),
		    equals + 1);
		word.len = (size_t)(equals - word.s);
		if (!digits_read(digits, SECONDS_MOST, &n))
			continue;
		if (word_is(word, "timeout"))
			h->idle = SPAN_OF((int64_t)n, 1);
		if (n == 0) /* no more time, or no more requests */
			h->closes = true;
	}
	return true;
}

static bool
retry_read(struct http *h, const char *value)
{
	struct instant at;
	uint64_t n;

	if (digits_read(value, SECONDS_MOST, &n))
		h->retry_after = SPAN_OF((int64_t)n, 1);
	else if (http_date(value, &at))
		h->retry_at = at;
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct http *h, const char *value);
} known[] = {
	{ "Content-Length", length_read },
	{ "Transfer-Encoding", coding_read },
	{ "Connection", connection_read },
	{ "Keep-Alive", keep_alive_read },
	{ "Retry-After", retry_read },
};

/* "name: value"; a line that begins with a blank would go on with the one before: it has no name. */
bool
http_field_take(struct http *h, struct slice line)
{
	const char *colon = memchr(line.s, ':', line.len);
	char value[HTTP_LINE_MAX + 1];
	struct slice name = { line.s, colon != NULL ? (size_t)(colon - line.s) : 0 };
	const char *p = colon, *last = line.s + line.len;

	if (!http_is_token(name.s, name.len) || !http_is_value(p + 1, (size_t)(last - p - 1)))
		return false;
	for (p++; p < last && (*p == ' ' || *p == '\t'); p++)
		continue;
	while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	if (h->part != HTTP_FIELDS || h->code < 200)
		return true;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (word_is(name, known[i].name)) {
			memcpy(value, p, (size_t)(last - p));
			value[last - p] = '\0';
			return known[i].read(h, value);
		}
	return true;
}

bool
http_date(const char *s, struct instant *ret)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day = 0, year = 0, hour = 0, minute = 0, second = 0, n = 0;
	char month[4] = "";
	const char *found;

	sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute,
	    &second, &n);
	if (n == 0 &&
	    sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year, &hour,
		&minute, &second, &n) == 6)
		year += year < 70 ? 2000 : 1900;
	if (n == 0)
		sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &day, &hour, &minute,
		    &second, &year, &n);
	found = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (n == 0 || s[n] != '\0' || found == NULL || (found - months) % 3 != 0 || year < YEAR_MIN ||
	    year > YEAR_MAX || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
	    second > 60 || day < 1 || day > month_length(year, (int)(found - months) / 3 + 1))
		return false;
	*ret = instant_seconds(
	    (int64_t)day_of(year, (int)(found - months) / 3 + 1, day).n * 86400 + hour * 3600 +
	    minute * 60 + second);
	return true;
}

struct span
http_wait(const struct http *h, struct instant now)
{
	struct span until = h->retry_at.us != 0 ? instant_diff(h->retry_at, now) : (struct span){ 0 };

	return until.us > h->retry_after.us ? until : h->retry_after;
}
