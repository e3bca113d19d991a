/*
 * line.h - one connection that libcurl opens, checks and encrypts, and that is ours from then on
 * (CURLOPT_CONNECT_ONLY): watched by the loop, read and written by who owns it.
 *
 *   line_init ─▶ more options on line.easy ─▶ line_open ··▶ opened() ··▶ ready() ... ─▶ line_deinit
 *
 * What TLS has read ahead does not make a socket readable: read until LINE_EMPTY.
 */
#ifndef NUDGED_DELIVER_LINE_H
#define NUDGED_DELIVER_LINE_H
#include <stdbool.h>
#include <stddef.h>

#include "deliver/net/transport.h"

struct line {
	struct transport *transport;
	CURL *easy;
	struct transport_guard guard;
	struct wire *wire;
	int fd;
	bool open;    /* connected and encrypted */
	bool gone;    /* libcurl closed the socket under us: lost() was called */
	bool plain;   /* without TLS */
	bool edge;    /* ready() comes once for what came, so read until LINE_EMPTY; else while there is more */
	bool writing; /* the wire waits for WIRE_WRITE too */
	/* From the loop, never from within a function of this file.  All may call line_deinit(). */
	void (*opened)(struct line *l, CURLcode result); /* once; CURLE_OK: l->open */
	void (*ready)(struct line *l, unsigned events);
	/* From within libcurl: only note it. */
	void (*lost)(struct line *l);
};

/*
 * url: scheme, host and port; with http:// it stays plain.  The three callbacks are set by now.  For
 * another protocol than HTTP the owner sets CURLOPT_PROTOCOLS_STR, and plain.
 */
void line_init(struct line *l, struct transport *t, const char *url, const char *ca_file,
    bool may_private);
int line_open(struct line *l);
/* Closes; copes with one that was never opened. */
void line_deinit(struct line *l);

enum line_io {
	LINE_MOVED, /* *ret bytes, more than none */
	LINE_EMPTY, /* nothing to read, or no room to write, at the moment */
	LINE_ENDED, /* the other end closed, or it broke */
};
enum line_io line_recv(struct line *l, char *buf, size_t room, size_t *ret);
enum line_io line_send(struct line *l, const char *s, size_t len, size_t *ret);
/* Call ready() for WIRE_WRITE too, or not any more. */
void line_watch_writing(struct line *l, bool on);
/* Is the other end inside the house?  Only when open. */
bool line_is_inside(const struct line *l);
#endif
