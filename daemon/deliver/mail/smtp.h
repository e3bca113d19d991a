/*
 * smtp.h - one ESMTP session after somebody else has connected, encrypted and logged in: bytes in,
 * bytes out, without I/O, clock or libcurl (RFC 5321, 2920 PIPELINING, 3030 CHUNKING, 1870 SIZE,
 * 6152 8BITMIME, 6531 SMTPUTF8).
 *
 *   smtp_begin ──▶ out: EHLO          smtp_input ◀── replies      smtp_cut: the connection ended
 *   smtp_turn  ──▶ out: the next flight, when all replies to the last one are there
 *   smtp_sent  ◀── so many bytes of out have left
 *
 * Flights.  With PIPELINING a mail costs one round trip: the end of one goes out together with the
 * envelope of the next, and no second body follows before the first is answered, so that never more
 * than one mail of a connection is in doubt:
 *
 *   C: MAIL1 RCPT1 DATA              S: 250 250 354
 *   C: body1 .  MAIL2 RCPT2 DATA     S: 250 250 250 354
 *   C: body2 .  ...
 *
 * With CHUNKING there is no DATA: BDAT LAST, body, RSET (after a refused BDAT the state is
 * indeterminate), MAIL, RCPT.  Without PIPELINING: command by command.
 *
 * A server that answers once too often is found out, at the latest by the 354 that does not fit, and
 * with BDAT when the answer is there before we speak again.
 *
 * `front` is the mail whose envelope is out, `flying` the one whose last bytes are queued or have
 * left.  Every parcel taken by next() is told by done() exactly once.
 */
#ifndef NUDGED_DELIVER_SMTP_H
#define NUDGED_DELIVER_SMTP_H
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "deliver/carrier.h"

enum {
	SMTP_LINE_MAX = 1024, /* of a reply; RFC 5321 4.5.3.1.5 says 512 */
	SMTP_LINES_MAX = 100, /* of one reply */
	SMTP_WORDS = 400,     /* of a refusal that are kept */
	SMTP_EXPECT = 8,
	SMTP_ADDRESS_MAX = 254,
};

/* Whom the session asks and tells; called from smtp_turn, smtp_input, smtp_cut, smtp_abandon. */
struct smtp_host {
	void *arg;
	struct parcel *(*next)(void *arg);
	bool (*may_go)(void *arg, struct parcel *p);
	void (*done)(void *arg, struct parcel *p, const struct outcome *o);
};

enum smtp_state {
	SMTP_GREETS, /* EHLO is out */
	SMTP_READY,  /* mails may go */
	SMTP_LEAVES, /* QUIT is out */
	SMTP_OVER,   /* close the connection; nothing more to send or read */
};

/* A command whose reply is awaited, and where in the stream of our bytes it begins. */
struct smtp_expected {
	enum smtp_what {
		SMTP_EHLO,
		SMTP_HELO,
		SMTP_MAIL,
		SMTP_RCPT,
		SMTP_DATA,
		SMTP_DOT,
		SMTP_LONE_DOT,
		SMTP_RSET,
		SMTP_QUIT
	} what;
	uint64_t at;
};

struct smtp_mail {
	struct parcel *p; /* NULL: none, or settled already */
	bool has_8bit, needs_utf8;
	bool closed_line; /* the body ends with CRLF */
	size_t stuffed;   /* lines that begin with a dot */
	bool mail_ok, rcpt_ok, data_open;
	bool active; /* the server has an envelope of it, settled or not */
};

struct smtp {
	const struct smtp_host *host;
	const char *helo;
	struct span dot_wait;
	enum smtp_state state;
	/* Its end came at no fault of a mail: a server may close what has been used or has idled. */
	bool stale;
	/* With SMTP_OVER, when it ended with nonsense or a refusal before any mail began. */
	struct outcome failure;
	/* What EHLO offered. */
	bool pipelining, chunking, takes_8bit, takes_utf8, takes_size;
	uint64_t size_limit; /* 0: none */
	struct smtp_mail front, flying;
	uint64_t
	    last_bytes_at; /* of flying: once more than this has left, the server may have it */
	bool needs_rset;
	/* Our bytes: out.s + left is what has not left yet. */
	struct text out;
	size_t left;
	uint64_t left_total;
	struct smtp_expected expected[SMTP_EXPECT];
	unsigned first, waiting;
	/* The reply that is being read. */
	char line[SMTP_LINE_MAX];
	size_t line_len;
	int code, lines;
	char
	    words[SMTP_WORDS]; /* of all its lines, when it is a refusal or answers a dot */
	size_t words_len;
	char enhanced[12];
	/* Counters. */
	uint64_t progress; /* grows with each reply and each byte that left */
	uint64_t mails;    /* taken by the server */
	uint64_t tries;    /* begun */
};

/* host and helo live as long as the session.  dot_wait also caps the other waits. */
void smtp_init(
    struct smtp *s, const struct smtp_host *host, const char *helo, struct span dot_wait);
void smtp_deinit(struct smtp *s);
void smtp_begin(struct smtp *s);
/* Bytes from the server, all that have come; then call smtp_turn(). */
void smtp_input(struct smtp *s, const char *bytes, size_t len);
/* Queue what can be said now; takes parcels.  Nothing while bytes or replies are outstanding. */
void smtp_turn(struct smtp *s);
/* What is to be sent; empty: nothing.  The bytes do not move before they are sent. */
struct slice smtp_output(const struct smtp *s);
void smtp_sent(struct smtp *s, size_t n);
/* The server closed, the connection broke, or the patience is over. */
void smtp_cut(struct smtp *s, bool timed_out);
/* We end it ourselves: what has not left goes back. */
void smtp_abandon(struct smtp *s);
/* QUIT; only when smtp_is_idle(). */
void smtp_quit(struct smtp *s);
bool smtp_is_idle(const struct smtp *s);
/* How long the present silence may last, counted from the last change of s->progress. */
struct span smtp_patience(const struct smtp *s);
/* Is this mail fit to be sent over this session? */
enum mail_flaw smtp_judge(
    const struct smtp *s, const struct parcel *p, struct smtp_mail *ret);
#endif
