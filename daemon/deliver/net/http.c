#include "deliver/net/http.h"

#include <assert.h>
#include <string.h>

enum { OUT_KEPT = 32 << 10 };

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

/* Visible ASCII without blanks. */
static bool
is_visible(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return false;
	return s[0] != '\0';
}

static bool
request_is_sound(const struct http_request *r)
{
	size_t len = strlen(r->method) + strlen(r->target) + strlen(r->host);

	if (!http_is_token(r->method, strlen(r->method)) || r->target[0] != '/' || !is_visible(r->target) ||
	    !is_visible(r->host) || strpbrk(r->host, "/@?#\\") != NULL)
		return false;
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct http_field *f = &r->fields[i];

		if (!http_is_token(f->name, strlen(f->name)) || !http_is_value(f->value, strlen(f->value)))
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
	if (i == 0 || !http_is_value(line.s, line.len)) {
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
		else if (!http_field_take(h, line))
			broke(h, HTTP_NONSENSE);
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
		else if (!http_field_take(h, line))
			broke(h, HTTP_NONSENSE);
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
