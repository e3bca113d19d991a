/*
 * http.h - one HTTP/1.1 connection seen by its client, after somebody else has connected and
 * encrypted it: bytes in, bytes out, without I/O, clock or libcurl (RFC 9110, 9112).
 *
 *   http_ask   ──▶ out: one request        http_input ◀── bytes of the server
 *   http_sent  ◀── so many of them left    http_cut   ◀── the connection ended, or fell silent
 *
 *   FREE ──http_ask──▶ ASKED ──its answer──▶ ANSWERED ──http_ask, when it keeps──▶ ASKED
 *                        └──nonsense, cut, silence──▶ BROKEN
 *
 * One request at a time, so an answer can belong to no other: bytes that come before the first of
 * ours left are nonsense, bytes after an answer end the connection.  What could be read in two ways
 * is not read at all: no folded fields, no blank before a colon, one Content-Length, "chunked" as
 * the only coding.  The status is known as soon as its line is whole, and stays known when the rest
 * is nonsense or never comes: it says what the server did.
 *
 * A good status that comes before all of the request has left says nothing: it was not about this.
 */
#ifndef NUDGED_DELIVER_HTTP_H
#define NUDGED_DELIVER_HTTP_H
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/when.h"

enum {
	HTTP_LINE_MAX = 8 << 10,     /* a status line or a field */
	HTTP_HEAD_MAX = 32 << 10,    /* fields of an answer, those of interim ones and trailers too */
	HTTP_INTERIM_MAX = 8,        /* 1xx before the answer */
	HTTP_SIZE_MAX = 256,         /* the line before a chunk */
	HTTP_BODY_KEPT = 64 << 10,   /* then an answer is long enough */
	HTTP_ANSWER_MAX = 256 << 10, /* all of its bytes, framing too */
	HTTP_ASK_MAX = 16 << 10,     /* the head of a request */
};

enum http_state { HTTP_FREE, HTTP_ASKED, HTTP_ANSWERED, HTTP_BROKEN };
/* Why it is BROKEN. */
enum http_break {
	HTTP_NONSENSE, /* not HTTP/1, or more of it than we read */
	HTTP_CUT,      /* the connection ended */
	HTTP_SILENCE,  /* the patience of the caller ended */
};
/* What is being read. */
enum http_part {
	HTTP_STATUS,
	HTTP_FIELDS,
	HTTP_LENGTH, /* a body of known length */
	HTTP_REST,   /* a body to the end of the connection */
	HTTP_SIZE,
	HTTP_CHUNK,
	HTTP_CHUNK_END,
	HTTP_TRAILERS,
	HTTP_PARTS
};

struct http_field {
	const char *name, *value;
};
struct http_request {
	const char *method, *target, *host; /* target: path and query; host: as in the Host field */
	const struct http_field *fields;    /* besides Host, User-Agent, Accept, Content-Length */
	size_t n_fields;
	struct slice body;
};

struct http {
	enum http_state state;
	enum http_break why; /* when BROKEN */
	/* Our bytes: out.s + left is what has not left yet. */
	struct text out;
	size_t left;
	bool keeps; /* when ANSWERED: the connection may be asked again */
	/* The answer. */
	int status;              /* 200..599; 0: not known */
	struct text body;        /* its first HTTP_BODY_KEPT bytes */
	struct span idle;        /* Keep-Alive: how long the server keeps an idle connection; 0: unsaid */
	struct span retry_after; /* Retry-After in seconds; 0: none */
	struct instant retry_at; /* or as a date; 0: none */
	/* Where in the answer we are. */
	enum http_part part;
	int code, minor, interims;
	struct text line; /* the beginning of one */
	size_t head, total;
	uint64_t owed; /* bytes of the body or chunk that are still to come */
	bool has_length, has_coding, chunked, closes, stays;
};

void http_deinit(struct http *h);
/* Can http_ask() be called? */
bool http_is_free(const struct http *h);
/*
 * Queue a request; only when http_is_free().  false: a word of it could become something else on
 * the wire (a blank, a control, a line end), or it is too long; then nothing is queued.
 */
bool http_ask(struct http *h, const struct http_request *r);
/* What is to be sent; empty: nothing.  The bytes do not move before they are sent. */
struct slice http_output(const struct http *h);
void http_sent(struct http *h, size_t n);
/* May the server have any of the request? */
bool http_has_left(const struct http *h);
void http_input(struct http *h, const char *bytes, size_t len);
/* The connection ended (HTTP_CUT) or is given up; may be the end of an answer. */
void http_cut(struct http *h, enum http_break why);
/* How long the answer asks us to wait; 0: not at all, or nonsense. */
struct span http_wait(const struct http *h, struct instant now);

/* Of http_fields.c. */
bool http_is_token(const char *s, size_t len);
bool http_is_value(const char *s, size_t len);
/* A field of the answer, or of a trailer or interim answer, which say nothing to us.  false: it is none. */
bool http_field_take(struct http *h, struct slice line);
/* RFC 9110 5.6.7, all three forms. */
bool http_date(const char *s, struct instant *ret);
#endif
