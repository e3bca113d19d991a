/*
 * Answers as bytes, and what is left of them: whole, cut after every byte, split at every byte, one
 * byte at a time.
 *
 * What became of an answer is "STATE STATUS [keeps] |BODY": asked (more must come), answered, or
 * nonsense, cut, silence when it broke.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/net/http.h"

struct row {
	const char *what, *bytes, *want;
	const char *closed; /* what the end of the connection makes of it; NULL: as it was */
};

#define OK "HTTP/1.1 200 OK\r\n"
#define TWO "Content-Length: 2\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct row rows[] = {
	/* as it should be */
	{ "a length", OK TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "no reason", "HTTP/1.1 200\r\n" TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "an empty reason", "HTTP/1.1 200 \r\n" TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "a later minor version", "HTTP/1.7 200 OK\r\n" TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "no body", OK "Content-Length: 0\r\n\r\n", "answered 200 keeps |", NULL },
	{ "204 has none", "HTTP/1.1 204 No\r\n\r\n", "answered 204 keeps |", NULL },
	{ "204 has none, whatever it says", "HTTP/1.1 204 No\r\n" TWO "\r\nok", "answered 204 |", NULL },
	{ "304 has none", "HTTP/1.1 304 No\r\n" TWO "\r\n", "answered 304 keeps |", NULL },
	{ "to the end", OK "\r\nok", "asked 200 |ok", "answered 200 |ok" },
	{ "chunks", OK CHUNKED "\r\n2\r\nok\r\n1;a=\"b\"\r\n!\r\n0\r\n\r\n", "answered 200 keeps |ok!", NULL },
	{ "chunks with blanks", OK CHUNKED "\r\n002 \r\nok\r\n0\t;x\r\n\r\n", "answered 200 keeps |ok", NULL },
	{ "a chunk of ten", OK CHUNKED "\r\na\r\n0123456789\r\n0\r\n\r\n", "answered 200 keeps |0123456789", NULL },
	{ "trailers", OK CHUNKED "\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n", "answered 200 keeps |", NULL },
	{ "names in any case", OK "cOnTeNt-lEnGtH:2\t \r\n\r\nok", "answered 200 keeps |ok", NULL },
	{ "coding in any case", OK "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "answered 200 keeps |", NULL },
	{ "bare line ends", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "answered 200 keeps |ok", NULL },
	{ "an empty value", OK "X:\r\n" TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "letters beyond ASCII", OK "X: \xc3\xa9\r\n" TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "a refusal", "HTTP/1.1 404 No\r\n" TWO "\r\nno", "answered 404 keeps |no", NULL },
	{ "packed though not asked", OK "Content-Encoding: gzip\r\n" TWO "\r\n\x1f\x8b",
	    "answered 200 keeps |\x1f\x8b", NULL },
	/* interim answers */
	{ "100 before it", "HTTP/1.1 100 Continue\r\n\r\n" OK TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "103 with fields that are not its own",
	    "HTTP/1.1 103 Early\r\nContent-Length: 7\r\nConnection: close\r\n\r\n" OK TWO "\r\nok",
	    "answered 200 keeps |ok", NULL },
	{ "only 100", "HTTP/1.1 100 Continue\r\n\r\n", "asked 0 |", "cut 0 |" },
	{ "101: we never asked for another protocol", "HTTP/1.1 101 Switching\r\n\r\n", "nonsense 0 |", NULL },
	/* does the connection go on? */
	{ "it closes", OK TWO "Connection: close\r\n\r\nok", "answered 200 |ok", NULL },
	{ "it closes, in a list", OK TWO "Connection: x, Close ,y\r\n\r\nok", "answered 200 |ok", NULL },
	{ "a word that only looks so", OK TWO "Connection: closer\r\n\r\nok", "answered 200 keeps |ok", NULL },
	{ "1.0 closes", "HTTP/1.0 200 OK\r\n" TWO "\r\nok", "answered 200 |ok", NULL },
	{ "1.0 that stays", "HTTP/1.0 200 OK\r\n" TWO "Connection: keep-alive\r\n\r\nok",
	    "answered 200 keeps |ok", NULL },
	{ "stays and closes", "HTTP/1.0 200 OK\r\n" TWO "Connection: keep-alive, close\r\n\r\nok",
	    "answered 200 |ok", NULL },
	{ "no more requests", OK TWO "Keep-Alive: timeout=5, max=0\r\n\r\nok", "answered 200 |ok", NULL },
	{ "more than the answer", OK TWO "\r\nokHTTP", "answered 200 |ok", NULL },
	{ "another answer behind it", OK TWO "\r\nok" OK TWO "\r\nno", "answered 200 |ok", NULL },
	/* two ways to read it */
	{ "a length twice, the same", OK TWO TWO "\r\nok", "answered 200 keeps |ok", NULL },
	{ "two lengths", OK TWO "Content-Length: 3\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a list of lengths", OK "Content-Length: 2, 2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a negative length", OK "Content-Length: -2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a length with a plus", OK "Content-Length: +2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a length in hex", OK "Content-Length: 0x2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "an empty length", OK "Content-Length: \r\n\r\nok", "nonsense 200 |", NULL },
	{ "a length that overflows", OK "Content-Length: 18446744073709551618\r\n\r\nok", "nonsense 200 |", NULL },
	{ "the largest length", OK "Content-Length: 9223372036854775807\r\n\r\nok", "nonsense 200 |", NULL },
	{ "length and chunks", OK TWO CHUNKED "\r\n1\r\nx\r\n0\r\n\r\n", "answered 200 |x", NULL },
	{ "chunks and length", OK CHUNKED TWO "\r\n1\r\nx\r\n0\r\n\r\n", "answered 200 |x", NULL },
	{ "chunked twice", OK CHUNKED CHUNKED "\r\n0\r\n\r\n", "nonsense 200 |", NULL },
	{ "another coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "nonsense 200 |", NULL },
	{ "a coding nobody knows", OK "Transfer-Encoding: xchunked\r\n" TWO "\r\nok", "nonsense 200 |", NULL },
	{ "chunks of a 1.0 server", "HTTP/1.0 200 OK\r\n" CHUNKED "\r\n0\r\n\r\n", "nonsense 200 |", NULL },
	{ "a blank before the colon", OK "Content-Length : 2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a folded field", OK "X: a\r\n b\r\n" TWO "\r\nok", "nonsense 200 |", NULL },
	{ "a folded first field", OK " X: a\r\n" TWO "\r\nok", "nonsense 200 |", NULL },
	{ "a field without a colon", OK "Content-Length 2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a field without a name", OK ": 2\r\n\r\nok", "nonsense 200 |", NULL },
	{ "a bare CR in a field", OK "X: a\rContent-Length: 9\r\n" TWO "\r\nok", "nonsense 200 |", NULL },
	{ "a field with a control", OK "X: \x01\r\n" TWO "\r\nok", "nonsense 200 |", NULL },
	{ "a CR too many", OK TWO "\r\r\nok", "nonsense 200 |", NULL },
	{ "an interim field without a colon", "HTTP/1.1 103 x\r\nlink\r\n\r\n" OK TWO "\r\nok", "nonsense 0 |", NULL },
	/* chunks */
	{ "a size that is none", OK CHUNKED "\r\nx\r\nok\r\n0\r\n\r\n", "nonsense 200 |", NULL },
	{ "an empty size", OK CHUNKED "\r\n\r\nok\r\n", "nonsense 200 |", NULL },
	{ "a negative size", OK CHUNKED "\r\n-1\r\nok\r\n", "nonsense 200 |", NULL },
	{ "a size that overflows", OK CHUNKED "\r\n10000000000000002\r\nok\r\n", "nonsense 200 |", NULL },
	{ "a size in two words", OK CHUNKED "\r\n2 2\r\nok\r\n", "nonsense 200 |", NULL },
	{ "a size with 0x", OK CHUNKED "\r\n0x2\r\nok\r\n", "nonsense 200 |", NULL },
	{ "a size with a bare line end", OK CHUNKED "\r\n2\nok\r\n0\r\n\r\n", "nonsense 200 |", NULL },
	{ "a chunk longer than it says", OK CHUNKED "\r\n1\r\nok\r\n0\r\n\r\n", "nonsense 200 |o", NULL },
	{ "a chunk with a bare line end", OK CHUNKED "\r\n2\r\nok\n0\r\n\r\n", "nonsense 200 |ok", NULL },
	{ "a trailer without a colon", OK CHUNKED "\r\n0\r\nx\r\n\r\n", "nonsense 200 |", NULL },
	/* no answer at all */
	{ "nothing", "", "asked 0 |", "cut 0 |" },
	{ "half a status", "HTTP/1.1 20", "asked 0 |", "cut 0 |" },
	{ "a status without its line end", "HTTP/1.1 200 OK", "asked 0 |", "cut 0 |" },
	{ "no fields yet", OK, "asked 200 |", "cut 200 |" },
	{ "half a body", OK TWO "\r\no", "asked 200 |o", "cut 200 |o" },
	{ "half a chunk", OK CHUNKED "\r\n2\r\no", "asked 200 |o", "cut 200 |o" },
	{ "SSH", "SSH-2.0-OpenSSH_9.2\r\n", "nonsense 0 |", NULL },
	{ "SMTP", "220 mx.example ESMTP\r\n", "nonsense 0 |", NULL },
	{ "HTTP/0.9", "<html>ok</html>\n", "nonsense 0 |", NULL },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "nonsense 0 |", NULL },
	{ "HTTP/2 by its version", "HTTP/2 200\r\n\r\n", "nonsense 0 |", NULL },
	{ "HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "a line end first", "\r\n" OK TWO "\r\nok", "nonsense 0 |", NULL },
	{ "in small letters", "http/1.1 200 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "a status of no class", "HTTP/1.1 600 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "status 099", "HTTP/1.1 099 OK\r\n\r\n", "nonsense 0 |", NULL },
	{ "two blanks", "HTTP/1.1  200 OK\r\n\r\n", "nonsense 0 |", NULL },
};

static const struct http_request plain = { .method = "POST", .target = "/x", .host = "h.example",
	.body = { "{}", 2 } };

static void
ask(struct http *h)
{
	*h = (struct http){ 0 };
	ck_assert(http_ask(h, &plain));
	http_sent(h, http_output(h).len);
}

static const char *
became(const struct http *h, char buf[static 200])
{
	static const char *const why[] = { "nonsense", "cut", "silence" };

	snprintf(buf, 200, "%s %d %s|%s",
	    h->state == HTTP_ASKED          ? "asked"
		: h->state == HTTP_ANSWERED ? "answered"
					    : why[h->why],
	    h->status, h->state == HTTP_ANSWERED && h->keeps ? "keeps " : "", text_string(&h->body));
	return buf;
}

START_TEST(answers)
{
	const struct row *row = &rows[_i];
	size_t len = strlen(row->bytes);
	char buf[200];
	struct http h;

	for (size_t at = 0; at <= len; at++) {
		ask(&h);
		http_input(&h, row->bytes, at);
		http_input(&h, row->bytes + at, len - at);
		ck_assert_msg(strcmp(became(&h, buf), row->want) == 0, "%s, split at %zu: %s, not %s",
		    row->what, at, buf, row->want);
		ck_assert(http_is_free(&h) == (strstr(row->want, "keeps") != NULL));
		if (at == 0) {
			const char *want = row->closed != NULL ? row->closed : row->want;
			char kept[200] = "";

			http_cut(&h, HTTP_CUT);
			for (const char *s = want, *k = strstr(want, "keeps "); *s != '\0'; s++)
				if (k == NULL || s < k || s >= k + 6)
					kept[strlen(kept)] = *s;
			ck_assert_msg(strcmp(became(&h, buf), kept) == 0, "%s, closed: %s, not %s",
			    row->what, buf, kept);
			ck_assert(!http_is_free(&h));
		}
		http_deinit(&h);
	}
	ask(&h);
	for (size_t i = 0; i < len; i++)
		http_input(&h, row->bytes + i, 1);
	ck_assert_msg(strcmp(became(&h, buf), row->want) == 0, "%s, by bytes: %s", row->what, buf);
	http_deinit(&h);
}
END_TEST

/* Where the line of the answer's own status ends, in what has one. */
static size_t
status_end(const char *bytes)
{
	const char *s = bytes;

	while (strncmp(s + strlen("HTTP/1.1 "), "1", 1) == 0)
		s = strstr(s + 1, "HTTP/1.");
	return (size_t)(strchr(s, '\n') - bytes);
}

/* Whatever is missing: the status is known from its line end on, and never another than it says. */
START_TEST(cut)
{
	const struct row *row = &rows[_i];
	size_t len = strlen(row->bytes);

	for (size_t at = 0; at <= len; at++)
		for (enum http_break why = HTTP_CUT; why <= HTTP_SILENCE; why++) {
			struct http whole, h;

			ask(&whole);
			http_input(&whole, row->bytes, len);
			ask(&h);
			http_input(&h, row->bytes, at);
			http_cut(&h, why);
			ck_assert(h.state == HTTP_ANSWERED || h.state == HTTP_BROKEN);
			ck_assert(!http_is_free(&h) && http_output(&h).len == 0);
			ck_assert(h.status == 0 || h.status == whole.status);
			if (whole.status != 0)
				ck_assert((h.status != 0) == (at > status_end(row->bytes)));
			http_deinit(&h);
			http_deinit(&whole);
		}
}
END_TEST

/* A request word for word; the connection is used again for as long as it keeps. */
START_TEST(requests)
{
	const struct http_field fields[] = { { "Content-Type", "a/b" }, { "X", "y\tz \xc3\xa9" } };
	const struct http_request r = { .method = "PUT", .target = "/a?b", .host = "h:81",
		.fields = fields, .n_fields = 2, .body = { "a\0b", 3 } };
	static const char want[] = "PUT /a?b HTTP/1.1\r\nHost: h:81\r\nUser-Agent: nudged\r\nAccept: */*\r\n"
				   "Content-Type: a/b\r\nX: y\tz \xc3\xa9\r\nContent-Length: 3\r\n\r\na\0b";
	struct http h = { 0 };

	ck_assert(http_is_free(&h));
	for (int i = 0; i < 3; i++) {
		struct slice out;

		ck_assert(http_ask(&h, &r));
		ck_assert(!http_is_free(&h) && !http_has_left(&h));
		out = http_output(&h);
		ck_assert_uint_eq(out.len, sizeof want - 1);
		ck_assert_mem_eq(out.s, want, out.len);
		for (size_t n = 0; n < out.len; n++) {
			ck_assert(http_output(&h).s == out.s + n);
			http_sent(&h, 1);
			ck_assert(http_has_left(&h));
		}
		ck_assert_uint_eq(http_output(&h).len, 0);
		http_input(&h, OK TWO "Retry-After: 3\r\n\r\nok", strlen(OK TWO "Retry-After: 3\r\n\r\nok"));
		ck_assert(http_is_free(&h) && h.status == 200);
	}
	ck_assert(http_ask(&h, &plain));
	ck_assert(h.status == 0 && h.body.len == 0 && h.retry_after.us == 0);
	http_deinit(&h);
}
END_TEST

/* Nothing in a request can end its line, begin another, or be a second request. */
START_TEST(injection)
{
	struct http h = { 0 };

	for (int c = 0; c < 256; c++) {
		char word[] = { '/', 'a', (char)c, 'b', '\0' };
		struct http_field f = { "A", word };
		struct http_request r = plain;
		bool control = (c < ' ' && c != '\t') || c == 0x7f;

		if (c == 0)
			continue;
		r.target = word;
		ck_assert(!(control || c == ' ' || c == '\t' || c >= 0x80) || !http_ask(&h, &r));
		r.target = "/";
		r.host = word + 1;
		ck_assert(!(control || strchr(" \t/@?#\\", c) != NULL || c >= 0x80) || !http_ask(&h, &r));
		r.host = "h";
		r.method = word + 1;
		ck_assert(!(control || strchr(" \t:/()<>@,;\"", c) != NULL || c >= 0x80) || !http_ask(&h, &r));
		r.method = "POST";
		r.fields = &f;
		r.n_fields = 1;
		ck_assert_msg(http_ask(&h, &r) == !control, "value with %d", c);
		http_deinit(&h);
		h = (struct http){ 0 };
		f = (struct http_field){ word + 1, "v" };
		ck_assert(!(control || strchr(" \t:/", c) != NULL || c >= 0x80) || !http_ask(&h, &r));
		http_deinit(&h);
		h = (struct http){ 0 };
	}
	struct http_request empty = plain;

	empty.target = "";
	ck_assert(!http_ask(&h, &empty));
	empty.target = "x";
	ck_assert(!http_ask(&h, &empty));
	empty.target = "/";
	empty.host = "";
	ck_assert(!http_ask(&h, &empty));
	ck_assert(http_is_free(&h));
	http_deinit(&h);
}
END_TEST

static void
feed_many(struct http *h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		http_input(h, s, strlen(s));
}

static void
feed_line(struct http *h, size_t len)
{
	char *line = malloc(len + 3);

	memset(line, 'x', len);
	memcpy(line, "X: ", 3);
	memcpy(line + len, "\r\n", 3);
	http_input(h, line, len + 2);
	free(line);
}

START_TEST(limits)
{
	char buf[200], *long_target = calloc(1, HTTP_ASK_MAX + 2);
	struct http_request r = plain;
	struct http h;

	ask(&h); /* one field: longest, and one more */
	http_input(&h, OK, strlen(OK));
	feed_line(&h, HTTP_LINE_MAX - 1);
	ck_assert_str_eq(became(&h, buf), "asked 200 |");
	feed_line(&h, HTTP_LINE_MAX);
	ck_assert_str_eq(became(&h, buf), "nonsense 200 |");
	http_deinit(&h);
	ask(&h); /* all fields */
	http_input(&h, OK, strlen(OK));
	for (int i = 0; i < 5; i++)
		feed_line(&h, HTTP_LINE_MAX - 1);
	ck_assert_str_eq(became(&h, buf), "nonsense 200 |");
	http_deinit(&h);
	ask(&h); /* a line that never ends is not kept for ever */
	feed_many(&h, "xxxxxxxxxx", HTTP_LINE_MAX);
	ck_assert_str_eq(became(&h, buf), "nonsense 0 |");
	ck_assert_uint_le(h.line.room, 2 * HTTP_LINE_MAX);
	http_deinit(&h);
	ask(&h); /* interim answers */
	feed_many(&h, "HTTP/1.1 100 x\r\n\r\n", HTTP_INTERIM_MAX);
	ck_assert_str_eq(became(&h, buf), "asked 0 |");
	feed_many(&h, "HTTP/1.1 100 x\r\n\r\n", 1);
	ck_assert_str_eq(became(&h, buf), "nonsense 0 |");
	http_deinit(&h);
	ask(&h); /* a chunk's extension */
	http_input(&h, OK CHUNKED "\r\n0;", strlen(OK CHUNKED "\r\n0;"));
	feed_many(&h, "x", HTTP_SIZE_MAX);
	ck_assert_str_eq(became(&h, buf), "nonsense 200 |");
	http_deinit(&h);
	memset(long_target, '/', HTTP_ASK_MAX + 1);
	r.target = long_target;
	h = (struct http){ 0 };
	ck_assert(!http_ask(&h, &r));
	long_target[HTTP_ASK_MAX - 100] = '\0';
	ck_assert(http_ask(&h, &r));
	http_deinit(&h);
	free(long_target);
}
END_TEST

/* Bodies: 64 KiB are kept, then it is an answer that is not read any further. */
START_TEST(bodies)
{
	static const char *const heads[] = { OK "\r\n", OK "Content-Length: 99999999\r\n\r\n",
		OK CHUNKED "\r\n5f5e0ff\r\n" };
	struct http h;

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		ask(&h);
		http_input(&h, heads[i], strlen(heads[i]));
		feed_many(&h, "0123456789abcdef", HTTP_BODY_KEPT / 16);
		ck_assert(h.state == HTTP_ASKED && h.body.len == HTTP_BODY_KEPT);
		http_input(&h, "x", 1);
		ck_assert(h.state == HTTP_ANSWERED && h.status == 200 && !h.keeps);
		ck_assert(h.body.len == HTTP_BODY_KEPT);
		http_deinit(&h);
	}
	ask(&h); /* little body in much framing */
	http_input(&h, OK CHUNKED "\r\n", strlen(OK CHUNKED "\r\n"));
	feed_many(&h, "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nx\r\n", 2000);
	ck_assert(h.state == HTTP_BROKEN && h.status == 200 && h.body.len < 2000);
	http_deinit(&h);
}
END_TEST

/* Before the question, and before its end. */
START_TEST(early)
{
	static const char good[] = OK TWO "\r\nok";
	static const char refusal[] = "HTTP/1.1 413 Large\r\n" TWO "\r\nno";
	char buf[200];
	struct http h = { 0 };

	http_input(&h, good, sizeof good - 1); /* nobody asked */
	ck_assert_str_eq(became(&h, buf), "nonsense 0 |");
	ck_assert(!http_is_free(&h));
	http_deinit(&h);
	h = (struct http){ 0 };
	http_cut(&h, HTTP_CUT);
	ck_assert(!http_is_free(&h));
	http_deinit(&h);

	h = (struct http){ 0 };
	ck_assert(http_ask(&h, &plain));
	http_input(&h, refusal, sizeof refusal - 1); /* nothing has left */
	ck_assert_str_eq(became(&h, buf), "nonsense 0 |");
	ck_assert(!http_has_left(&h));
	http_deinit(&h);

	h = (struct http){ 0 };
	ck_assert(http_ask(&h, &plain));
	http_sent(&h, 5);
	http_input(&h, good, sizeof good - 1); /* it cannot have what has not left */
	ck_assert_str_eq(became(&h, buf), "nonsense 0 |");
	ck_assert(http_has_left(&h));
	http_deinit(&h);

	h = (struct http){ 0 };
	ck_assert(http_ask(&h, &plain));
	http_sent(&h, 5);
	http_input(&h, refusal, 24); /* a refusal may come before the end; the rest stays here */
	ck_assert_int_eq(h.status, 413);
	ck_assert_uint_eq(http_output(&h).len, 0);
	http_input(&h, refusal + 24, sizeof refusal - 1 - 24);
	ck_assert_str_eq(became(&h, buf), "answered 413 |no");
	http_deinit(&h);

	ask(&h);
	http_input(&h, good, sizeof good - 1);
	ck_assert(http_is_free(&h));
	http_input(&h, "x", 1); /* unasked, later */
	ck_assert(!http_is_free(&h));
	http_deinit(&h);
}
END_TEST

static int64_t
wait_for(const char *fields, int64_t now)
{
	struct http h;
	int64_t us;

	ask(&h);
	http_input(&h, OK, strlen(OK));
	http_input(&h, fields, strlen(fields));
	us = http_wait(&h, instant_seconds(now)).us;
	ck_assert(us % 1000000 == 0);
	http_deinit(&h);
	return us / 1000000;
}

START_TEST(waits)
{
	const struct {
		const char *fields;
		int64_t want;
	} waiting[] = {
		{ "Retry-After: 7\r\n", 7 },
		{ "Retry-After:  120 \r\n", 120 },
		{ "Retry-After: 99999999999999999999999\r\n", 86400 * 365 },
		{ "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37 },
		{ "Retry-After: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 37 },
		{ "Retry-After: Sun Nov  6 08:49:37 1994\r\n", 37 },
		{ "Retry-After: Sun, 06 Nov 1994 08:48:37 GMT\r\n", 0 },
		{ "Retry-After: -5\r\n", 0 },
		{ "Retry-After: 1.5\r\n", 0 },
		{ "Retry-After: soon\r\n", 0 },
		{ "Retry-After: \r\n", 0 },
		{ "Retry-After: Sun, 32 Nov 1994 08:49:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 31 Nov 1994 08:49:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 06 Abc 1994 08:49:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 06 anF 1994 08:49:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 06 Nov 1994 24:49:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 06 Nov 1994 08:60:37 GMT\r\n", 0 },
		{ "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT x\r\n", 0 },
		{ "Retry-After: Sun, 06 Nov 1994 08:49:37 CET\r\n", 0 },
		{ "X: 3\r\n", 0 },
	};
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };

	for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
		ck_assert_msg(wait_for(waiting[i].fields, 784111740) == waiting[i].want, "%s: %jd",
		    waiting[i].fields, (intmax_t)wait_for(waiting[i].fields, 784111740));
	for (int m = 1; m <= 12; m++) {
		char date[40];
		struct instant at;

		snprintf(date, sizeof date, "Mon, 28 %s 2027 00:00:01 GMT", months[m - 1]);
		ck_assert(http_date(date, &at));
		ck_assert_int_eq(at.us, instant_seconds((int64_t)day_of(2027, m, 28).n * 86400 + 1).us);
	}
}
END_TEST

START_TEST(keep_alive)
{
	const struct {
		const char *value;
		int64_t idle;
	} said[] = { { "timeout=5", 5 }, { "timeout=5, max=100", 5 }, { "max=3,TIMEOUT=60", 60 }, { "x", 0 },
		{ "timeout", 0 }, { "timeout=x", 0 }, { "timeout=-1", 0 }, { "=", 0 }, { ",,;", 0 },
		{ "timeout=99999999999999999999999999999999", 86400 * 365 } };

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		char head[200];
		struct http h;

		ask(&h);
		snprintf(head, sizeof head, OK TWO "Keep-Alive: %s\r\n\r\nok", said[i].value);
		http_input(&h, head, strlen(head));
		ck_assert_msg(h.idle.us == SPAN_OF(said[i].idle, 1).us, "%s", said[i].value);
		ck_assert(http_is_free(&h));
		http_deinit(&h);
	}
}
END_TEST

/* A large request does not stay in every connection, but that it left is still known. */
START_TEST(large)
{
	struct text body = { 0 };
	struct http_request r = plain;
	struct http h = { 0 };

	for (int i = 0; i < 50000; i++)
		text_putc(&body, 'x');
	r.body = (struct slice){ body.s, body.len };
	ck_assert(http_ask(&h, &r));
	http_sent(&h, http_output(&h).len);
	http_input(&h, OK TWO "\r\nok", strlen(OK TWO "\r\nok"));
	ck_assert(http_is_free(&h) && h.out.room == 0 && http_has_left(&h));
	ck_assert(http_ask(&h, &plain) && !http_has_left(&h));
	text_deinit(&body);
	http_deinit(&h);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, answers, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_loop_test(t, cut, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(t, requests);
	tcase_add_test(t, injection);
	tcase_add_test(t, limits);
	tcase_add_test(t, bodies);
	tcase_add_test(t, early);
	tcase_add_test(t, waits);
	tcase_add_test(t, keep_alive);
	tcase_add_test(t, large);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
