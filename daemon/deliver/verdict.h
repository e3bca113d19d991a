/*
 * verdict.h - what an answer, or silence, of a server means for one delivery: one table.
 *
 *   delivered   the server has it
 *   again       not now: retried with back-off until it expires
 *   never       this delivery can never arrive (no such mailbox, hook gone): dead with its reason
 *   ours        our own fault (a text or request the server cannot read): dead, and an alarm
 *   uncertain   the server may have it: held, not repeated (RELIABILITY.md 2)
 *   back        nothing of it was sent: back to the queue, costs no attempt
 */
#ifndef NUDGED_DELIVER_VERDICT_H
#define NUDGED_DELIVER_VERDICT_H
#include <stdbool.h>

#include "base/when.h"

enum fate { FATE_DELIVERED, FATE_AGAIN, FATE_NEVER, FATE_OURS, FATE_UNCERTAIN, FATE_BACK, FATES };
extern const char *const fate_names[FATES];

/* What it says about the destination, whoever the message was for. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_BUSY,    /* it asks for patience (421, 429, 503): slower, until `after` */
	TROUBLE_DOWN,    /* no connection, or it broke: counts towards the circuit */
	TROUBLE_REFUSED, /* it does not let us in (AUTH, 401, certificate): circuit opens at once */
};
enum { DETAIL_TEXT = 120, RECEIPT_TEXT = 120 };
struct outcome {
	enum fate fate;
	enum trouble trouble;
	const char *reason;         /* static: a row of the table, for a person */
	bool perhaps_us;            /* strangers get the same answer: it may be about us, not about this one */
	int code;                   /* SMTP or HTTP code, or libcurl's; 0 none */
	struct span after;          /* Retry-After; 0: none was named */
	char detail[DETAIL_TEXT];   /* the server's words, controls and addresses taken out */
	char receipt[RECEIPT_TEXT]; /* what the server calls it (ETag, id); "" none */
};

/* Where in the dialogue a reply came. */
enum smtp_stage { STAGE_GREETING, STAGE_EHLO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_DOT,
	STAGE_OTHER };
/* code 200..599; enhanced "5.1.1" or "". */
struct outcome verdict_smtp(enum smtp_stage stage, int code, const char *enhanced);
/* The connection ended or went silent; dot_sent: after the last bytes had begun to leave. */
struct outcome verdict_cut(bool dot_sent, bool timed_out);
/* It said what no reply of SMTP is: overlong, without a code, unasked for. */
struct outcome verdict_garbage(bool dot_sent);
/* What we find ourselves before anything is sent. */
enum mail_flaw { MAIL_GOOD, MAIL_ADDRESS, MAIL_LINES, MAIL_LONG_LINE, MAIL_NUL, MAIL_SIZE,
	MAIL_UTF8, MAIL_8BIT, MAIL_FLAWS };
struct outcome verdict_flaw(enum mail_flaw flaw);
/*
 * A libcurl result of a connection or request.  sent: bytes of the request may have left; keyed:
 * repeating it is harmless (RELIABILITY.md 2.6), so doubt becomes `again`.
 */
struct outcome verdict_curl(int curl_code, bool sent, bool keyed, bool guard_refused);
/* An HTTP status; keyed as above (a 5xx of a hook without a key is still `again`: it refused). */
struct outcome verdict_http(int status, struct span retry_after);
/* Put a server's words into o->detail: one line, without controls, addresses and tokens. */
void outcome_detail(struct outcome *o, const char *s, size_t len);
#endif
