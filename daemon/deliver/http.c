#include "deliver/http.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { OUT_KEPT = 32 << 10, SECONDS_MOST = 86400 * 365 };

void
http_deinit(struct http *h)
{
	text_deinit(&h->out);
	text_deinit(&h->body);
	text_deinit(&h->line);
}

/* ---- the request ---- */

bool
http_is_free(const struct http *h)
{
	return h->state == HTTP_FREE || (h->state == HTTP_ANSWERED && h->keeps);
}

/* RFC 9110 5.6.2. */
static bool
is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", s[i]) != NULL)
			return false;
	return len > 0;
}

/* Visible ASCII without blanks. */
static bool
is_visible(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return s[0] != '\0';
}

/* RFC 9110 5.5: a field's value is one line. */
static bool
is_value(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

static bool
request_is_sound(const struct http_request *r)
{
	size_t len = strlen(r->method) + strlen(r->target) + strlen(r->host);

	if (!is_token(r->method, strlen(r->method)) || r->target[0] != '/' || !is_visible(r->target) ||
	    !is_visible(r->host) || strpbrk(r->host, "/@?#\\") != NULL)
		return false;
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct http_field *f = &r->fields[i];

		if (!is_token(f->name, strlen(f->name)) || !is_value(f->value, strlen(f->value)))
			return false;
		len += strlen(f->name) + strlen(f->value);
	}
	return len <= HTTP_ASK_MAX;
}

static void
answer_reset(struct http *h)
{
	struct http old = *h;

	*h = (struct http){ .out = old.out, .body = old.body, .line = old.line };
	text_clear(&h->out);
	text_clear(&h->body);
	text_clear(&h->line);
}

bool
http_ask(struct http *h, const struct http_request *r)
{
	struct text *out = &h->out;

	assert(http_is_free(h));
	if (!request_is_sound(r))
		return false;
	answer_reset(h);
	h->state = HTTP_ASKED;
	text_puts(out, r->method);
	text_putc(out, ' ');
	text_puts(out, r->target);
	text_puts(out, " HTTP/1.1\r\nHost: ");
	text_puts(out, r->host);
	text_puts(out, "\r\nUser-Agent: nudged\r\nAccept: */*\r\n");
	for (size_t i = 0; i < r->n_fields; i++) {
		text_puts(out, r->fields[i].name);
		text_puts(out, ": ");
		text_puts(out, r->fields[i].value);
		text_puts(out, "\r\n");
	}
	text_puts(out, "Content-Length: ");
	text_add_int(out, (int64_t)r->body.len);
	text_puts(out, "\r\n\r\n");
	text_put(out, r->body);
	return true;
}

/* A server that has refused the request need not read the rest of it (RFC 9112 9.3). */
struct slice
http_output(const struct http *h)
{
	if (h->state != HTTP_ASKED || h->status != 0)
		return (struct slice){ "", 0 };
	return (struct slice){ text_string(&h->out) + h->left, h->out.len - h->left };
}

void
http_sent(struct http *h, size_t n)
{
	assert(n <= h->out.len - h->left);
	h->left += n;
}

bool
http_has_left(const struct http *h)
{
	return h->left > 0;
}

/* ---- ends ---- */

static void
end(struct http *h, enum http_state state)
{
	h->state = state;
	h->keeps = h->keeps && state == HTTP_ANSWERED;
	if (h->out.room > OUT_KEPT) { /* a large request does not stay in every connection */
		text_deinit(&h->out);
		h->left = h->left > 0; /* still known: something had left */
	}
}

static void
broke(struct http *h, enum http_break why)
{
	h->why = why;
	end(h, HTTP_BROKEN);
}

/* More than we read: with a status it is an answer all the same. */
static void
enough(struct http *h)
{
	h->keeps = false;
	if (h->status != 0)
		end(h, HTTP_ANSWERED);
	else
		broke(h, HTTP_NONSENSE);
}

void
http_cut(struct http *h, enum http_break why)
{
	h->keeps = false;
	if (h->state == HTTP_ASKED && h->part == HTTP_REST && why == HTTP_CUT)
		end(h, HTTP_ANSWERED);
	else if (h->state == HTTP_ASKED || h->state == HTTP_FREE)
		broke(h, why);
}

/* ---- fields ---- */

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
static void
length_read(struct http *h, const char *value)
{
	uint64_t n = 0;

	if (!digits_read(value, INT64_MAX, &n) || n == INT64_MAX || (h->has_length && n != h->owed)) {
		broke(h, HTTP_NONSENSE);
		return;
	}
	h->has_length = true;
	h->owed = n;
}

static void
coding_read(struct http *h, const char *value)
{
	h->chunked = !h->has_coding && strcasecmp(value, "chunked") == 0;
	h->has_coding = true;
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

static void
connection_read(struct http *h, const char *value)
{
	struct slice word;

	while (word_next(&value, &word)) {
		h->closes = h->closes || word_is(word, "close");
		h->stays = h->stays || word_is(word, "keep-alive");
	}
}

/* "timeout=5, max=100": no standard, but what servers say. */
static void
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
}

static void
retry_read(struct http *h, const char *value)
{
	struct instant at;
	uint64_t n;

	if (digits_read(value, SECONDS_MOST, &n))
		h->retry_after = SPAN_OF((int64_t)n, 1);
	else if (http_date(value, &at))
		h->retry_at = at;
}

static const struct {
	const char *name;
	void (*read)(struct http *h, const char *value);
} known[] = {
	{ "Content-Length", length_read },
	{ "Transfer-Encoding", coding_read },
	{ "Connection", connection_read },
	{ "Keep-Alive", keep_alive_read },
	{ "Retry-After", retry_read },
};

/* "name: value"; a line that begins with a blank would go on with the one before: it has no name. */
static void
field_read(struct http *h, struct slice line)
{
	const char *colon = memchr(line.s, ':', line.len);
	char value[HTTP_LINE_MAX + 1];
	struct slice name = { line.s, colon != NULL ? (size_t)(colon - line.s) : 0 };
	const char *p = colon, *last = line.s + line.len;

	if (!is_token(name.s, name.len) || !is_value(p + 1, (size_t)(last - p - 1))) {
		broke(h, HTTP_NONSENSE);
		return;
	}
	for (p++; p < last && (*p == ' ' || *p == '\t'); p++)
		continue;
	while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	if (h->part != HTTP_FIELDS || h->code < 200)
		return;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (word_is(name, known[i].name)) {
			memcpy(value, p, (size_t)(last - p));
			value[last - p] = '\0';
			known[i].read(h, value);
			return;
		}
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

/* ---- lines ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112 4; 101 is the answer to a question that we never ask. */
static void
status_read(struct http *h, struct slice line)
{
	const char *s = line.s;
	bool sent = h->left == h->out.len;

	if (line.len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || !is_digit(s[7]) || s[8] != ' ' ||
	    s[9] < '1' || s[9] > '5' || !is_digit(s[10]) || !is_digit(s[11]) ||
	    (line.len > 12 && s[12] != ' ')) {
		broke(h, HTTP_NONSENSE);
		return;
	}
	h->minor = s[7] - '0';
	h->code = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	if (h->code == 101 || (h->code >= 200 && h->code < 300 && !sent)) {
		broke(h, HTTP_NONSENSE);
		return;
	}
	h->part = HTTP_FIELDS;
	if (h->code >= 200) {
		h->status = h->code;
		h->keeps = sent;
	}
}

/* How the body is framed: RFC 9112 6.3. */
static void
fields_end(struct http *h)
{
	if (h->code < 200) {
		if (++h->interims > HTTP_INTERIM_MAX)
			broke(h, HTTP_NONSENSE);
		h->part = HTTP_STATUS;
		return;
	}
	h->keeps = h->keeps && !h->closes && (h->minor > 0 || h->stays);
	if (h->status == 204 || h->status == 304)
		end(h, HTTP_ANSWERED);
	else if (h->has_coding && (!h->chunked || h->minor == 0))
		broke(h, HTTP_NONSENSE);
	else if (h->chunked) {
		h->keeps = h->keeps && !h->has_length; /* two ways to read it: no third answer after it */
		h->part = HTTP_SIZE;
	} else if (h->has_length && h->owed == 0)
		end(h, HTTP_ANSWERED);
	else if (h->has_length)
		h->part = HTTP_LENGTH;
	else {
		h->keeps = false;
		h->part = HTTP_REST;
	}
}

/* Up to fifteen digits, so it cannot overflow; extensions are skipped. */
static void
size_read(struct http *h, struct slice line)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < line.len && i < 15; i++) {
		const char *digits = "0123456789abcdef";
		const char *d = strchr(digits, line.s[i] | (line.s[i] >= 'A' ? 0x20 : 0));

		if (line.s[i] == '\0' || d == NULL)
			break;
		n = n * 16 + (uint64_t)(d - digits);
	}
	if (i == 0 || !is_value(line.s, line.len)) {
		broke(h, HTTP_NONSENSE);
		return;
	}
	for (; i < line.len && (line.s[i] == ' ' || line.s[i] == '\t'); i++)
		continue;
	if (i < line.len && line.s[i] != ';') {
		broke(h, HTTP_NONSENSE);
		return;
	}
	h->owed = n;
	h->part = n > 0 ? HTTP_CHUNK : HTTP_TRAILERS;
}

static void
line_read(struct http *h, struct slice line)
{
	switch (h->part) {
	case HTTP_STATUS:
		status_read(h, line);
		break;
	case HTTP_FIELDS:
		if (line.len == 0)
			fields_end(h);
		else
			field_read(h, line);
		break;
	case HTTP_SIZE:
		size_read(h, line);
		break;
	case HTTP_CHUNK_END:
		h->part = HTTP_SIZE;
		break;
	case HTTP_TRAILERS:
		if (line.len == 0)
			end(h, HTTP_ANSWERED);
		else
			field_read(h, line);
		break;
	case HTTP_LENGTH:
	case HTTP_REST:
	case HTTP_CHUNK:
	case HTTP_PARTS:
	default:
		assert(false);
	}
}

/* How long a line may be here, its CR included; chunks are framed to the byte. */
static const struct {
	size_t longest;
	bool strict; /* a bare LF ends no line (RFC 9112 2.2 lets us take one elsewhere) */
} lines[HTTP_PARTS] = {
	[HTTP_STATUS] = { HTTP_LINE_MAX, false },
	[HTTP_FIELDS] = { HTTP_LINE_MAX, false },
	[HTTP_SIZE] = { HTTP_SIZE_MAX, true },
	[HTTP_CHUNK_END] = { 1, true },
	[HTTP_TRAILERS] = { HTTP_LINE_MAX, true },
};

/* Bytes of a line; returns how many. */
static size_t
line_take(struct http *h, const char *s, size_t len)
{
	const char *lf = memchr(s, '\n', len);
	size_t n = lf != NULL ? (size_t)(lf - s) : len;
	struct slice line = { s, n };
	bool cr;

	h->head += n;
	if (h->line.len + n > lines[h->part].longest || h->head > HTTP_HEAD_MAX) {
		broke(h, HTTP_NONSENSE);
		return n;
	}
	if (lf == NULL || h->line.len > 0) {
		text_add(&h->line, s, n);
		line = (struct slice){ text_string(&h->line), h->line.len };
	}
	if (lf == NULL)
		return n;
	cr = line.len > 0 && line.s[line.len - 1] == '\r';
	line.len -= cr;
	if (!cr && lines[h->part].strict)
		broke(h, HTTP_NONSENSE);
	else
		line_read(h, line);
	text_clear(&h->line);
	return n + 1;
}

/* ---- bodies ---- */

static size_t
body_take(struct http *h, const char *s, size_t len)
{
	size_t n = h->part != HTTP_REST && len > h->owed ? (size_t)h->owed : len;
	size_t room = HTTP_BODY_KEPT - h->body.len;

	text_add(&h->body, s, n < room ? n : room);
	if (n > room) {
		enough(h);
		return n;
	}
	if (h->part == HTTP_REST)
		return n;
	h->owed -= n;
	if (h->owed == 0 && h->part == HTTP_CHUNK)
		h->part = HTTP_CHUNK_END;
	else if (h->owed == 0)
		end(h, HTTP_ANSWERED);
	return n;
}

static bool
is_of_body(enum http_part part)
{
	return part == HTTP_LENGTH || part == HTTP_REST || part == HTTP_CHUNK;
}

void
http_input(struct http *h, const char *bytes, size_t len)
{
	if (len > 0 && (h->state == HTTP_FREE || (h->state == HTTP_ASKED && !http_has_left(h))))
		broke(h, HTTP_NONSENSE); /* an answer before the question */
	h->total += len;
	while (len > 0 && h->state == HTTP_ASKED) {
		size_t n = is_of_body(h->part) ? body_take(h, bytes, len) : line_take(h, bytes, len);

		bytes += n;
		len -= n;
	}
	if (len > 0) /* more than an answer, or to nothing */
		h->keeps = false;
	if (h->state == HTTP_ASKED && h->total > HTTP_ANSWER_MAX)
		enough(h);
}
