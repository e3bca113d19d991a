/*
 * Dialogues, word for word, with the server's bytes cut at every place.
 *
 * A scene is a text: "C: " lines are what we must say in one flight, "S: " lines what the server
 * answers, "H: n" holds back the last n bytes of our flight (the network is full), and <eof>,
 * <silence>, <close> end the connection.  The fates are "row fate code, ..." in the order they came.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/mail/smtp.h"

enum { MAILS = 4 };

struct scene {
	const char *what, *dialogue, *fates;
	int mails;
	const char *recipients[MAILS]; /* NULL: rN@b.example */
	const char *sender, *body;
	int stopped; /* row + 1 that may not go */
	bool not_stale, stale;
};

#define EHLO "C: EHLO me.example\n"
#define OFFER "S: 250-there.example\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 SIZE 2000\n"
#define BARE "S: 250 there.example\n"
#define CHUNKS "S: 250-there.example\nS: 250-PIPELINING\nS: 250 CHUNKING\n"
#define MAIL0 "C: MAIL FROM:<s@a.example> SIZE=6\nC: RCPT TO:<r0@b.example>\nC: DATA\n"
#define MAIL1 "C: MAIL FROM:<s@a.example> SIZE=6\nC: RCPT TO:<r1@b.example>\nC: DATA\n"
#define MAIL2 "C: MAIL FROM:<s@a.example> SIZE=6\nC: RCPT TO:<r2@b.example>\nC: DATA\n"
#define TEXT "C: A: b\nC: .\n"
#define OK3 "S: 250 ok\nS: 250 ok\nS: 354 go\n"

static const struct scene scenes[] = {
	{ .what = "one mail: envelope in one flight, then the text",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: 250 2.0.0 queued\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "the next envelope goes out with the dot",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1
	    "S: 250 ok\n" OK3 TEXT MAIL2 "S: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 3,
	    .fates = "0 delivered 250, 1 delivered 250, 2 delivered 250" },
	{ .what = "without PIPELINING command by command, without SIZE no size",
	    .dialogue = EHLO BARE
	    "C: MAIL FROM:<s@a.example>\nS: 250 ok\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nC: DATA\n"
	    "S: 354 go\n" TEXT "S: 250 ok\nC: MAIL FROM:<s@a.example>\nS: 250 ok\n"
	    "C: RCPT TO:<r1@b.example>\nS: 550 5.1.1 no\nC: RSET\nS: 250 ok\n"
	    "C: MAIL FROM:<s@a.example>\nS: 250 ok\nC: RCPT TO:<r2@b.example>\nS: 250 ok\nC: DATA\n"
	    "S: 354 go\n" TEXT "S: 250 ok\n",
	    .mails = 3,
	    .fates = "0 delivered 250, 1 never 550, 2 delivered 250" },
	{ .what = "EHLO not known: HELO",
	    .dialogue = EHLO "S: 502 what\nC: HELO me.example\n" BARE
			     "C: MAIL FROM:<s@a.example>\nS: 451 later\n",
	    .mails = 1,
	    .fates = "0 again 451" },
	{ .what = "CHUNKING: the text without DATA, RSET before the next",
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nS: 250 ok\n"
	    "C: BDAT 6 LAST\nC: A: b\nC: RSET\nC: MAIL FROM:<s@a.example>\nC: RCPT TO:<r1@b.example>\n"
	    "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: A: b\nS: 250 ok\n",
	    .mails = 2,
	    .fates = "0 delivered 250, 1 delivered 250" },
	{ .what = "CHUNKING: dots are not doubled",
	    .body = ".a\r\n",
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nS: 250 ok\n"
	    "C: BDAT 4 LAST\nC: .a\nS: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "CHUNKING: a refused recipient gets no text",
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nS: 550 no\n"
	    "C: RSET\nC: MAIL FROM:<s@a.example>\nC: RCPT TO:<r1@b.example>\n"
	    "S: 250 ok\nS: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: A: b\nS: 250 ok\n",
	    .mails = 2,
	    .fates = "0 never 550, 1 delivered 250" },
	{ .what =
		"CHUNKING: BDAT not known after all: the text may be taken for commands, hang up",
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nS: 250 ok\n"
	    "C: BDAT 6 LAST\nC: A: b\nC: RSET\nC: MAIL FROM:<s@a.example>\nC: RCPT TO:<r1@b.example>\n"
	    "S: 500 what\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 ours 500, 1 back 0",
	    .stale = true },
	{ .what = "dots are doubled at the beginning of lines only",
	    .body = ".\r\na.b\r\n..\r\n\r\n",
	    .dialogue = EHLO OFFER
	    "C: MAIL FROM:<s@a.example> SIZE=14\nC: RCPT TO:<r0@b.example>\nC: DATA\n" OK3
	    "C: ..\nC: a.b\nC: ...\nC: \nC: .\nS: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "a last line without its end gets one",
	    .body = "A: b\r\nx",
	    .dialogue = EHLO OFFER
	    "C: MAIL FROM:<s@a.example> SIZE=9\nC: RCPT TO:<r0@b.example>\nC: DATA\n" OK3
	    "C: A: b\nC: x\nC: .\nS: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "an empty text",
	    .body = "",
	    .dialogue = EHLO OFFER
	    "C: MAIL FROM:<s@a.example> SIZE=0\nC: RCPT TO:<r0@b.example>\nC: DATA\n" OK3
	    "C: .\nS: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "8-bit text says so",
	    .body = "A: \xc3\xa9\r\n",
	    .dialogue = EHLO OFFER
	    "C: MAIL FROM:<s@a.example> SIZE=7 BODY=8BITMIME\nC: RCPT TO:<r0@b.example>\nC: DATA\n" OK3
	    "C: A: \xc3\xa9\nC: .\nS: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "the null sender",
	    .sender = "",
	    .dialogue = EHLO OFFER
	    "C: MAIL FROM:<> SIZE=6\nC: RCPT TO:<r0@b.example>\nC: DATA\n" OK3 TEXT
	    "S: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "SMTPUTF8 for the address that needs it, and only for that",
	    .recipients = { "j\xc3\xa9@b.example", NULL },
	    .dialogue = EHLO
	    "S: 250-x\nS: 250-PIPELINING\nS: 250-8bitmime\nS: 250 SmtpUtf8\n"
	    "C: MAIL FROM:<s@a.example> BODY=8BITMIME SMTPUTF8\nC: RCPT TO:<j\xc3\xa9@b.example>\nC: DATA\n" OK3
		TEXT
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r1@b.example>\nC: DATA\nS: 250 ok\n" OK3
		TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 delivered 250, 1 delivered 250" },
	{ .what = "without SMTPUTF8 the address is never sent",
	    .recipients = { "j\xc3\xa9@b.example", NULL },
	    .dialogue = EHLO OFFER MAIL1 OK3 TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 never 0, 1 delivered 250" },
	{ .what = "8-bit text where only 7 bits go is our fault",
	    .body = "A: \xc3\xa9\r\n",
	    .dialogue = EHLO "S: 250-x\nS: 250 PIPELINING\n",
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "larger than the limit: not sent at all",
	    .dialogue = EHLO "S: 250-x\nS: 250-PIPELINING\nS: 250 SIZE 5\n",
	    .mails = 2,
	    .fates = "0 never 0, 1 never 0" },
	{ .what = "SIZE 0 and SIZE alone are no limit",
	    .dialogue = EHLO
	    "S: 250-x\nS: 250-SIZE 0\nS: 250-PIPELINING\nS: 250 SIZE\n" MAIL0 OK3 TEXT
	    "S: 250 ok\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "words that only begin like an offer are none",
	    .dialogue = EHLO
	    "S: 250-x PIPELINING\nS: 250-PIPELININGS\nS: 250-SIZES 1\nS: 250 XCHUNKING\n"
	    "C: MAIL FROM:<s@a.example>\nS: 550 no\n",
	    .mails = 1,
	    .fates = "0 ours 550" },

	{ .what = "a refused recipient costs an RSET in the next flight",
	    .dialogue = EHLO OFFER MAIL0
	    "S: 250 ok\nS: 550 5.1.1 no such user\nS: 503 no recipients\nC: RSET\n" MAIL1
	    "S: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 never 550, 1 delivered 250" },
	{ .what = "354 after the refused recipient: a lone dot",
	    .dialogue = EHLO OFFER MAIL0
	    "S: 250 ok\nS: 450 later\nS: 354 go\nC: .\nC: RSET\n" MAIL1
	    "S: 554 no valid recipients\nS: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 again 450, 1 delivered 250" },
	{ .what = "a lone dot that is taken for a mail changes nothing",
	    .dialogue =
		EHLO OFFER MAIL0 "S: 250 ok\nS: 550 no\nS: 354 go\nC: .\nS: 250 queued\n",
	    .mails = 1,
	    .fates = "0 never 550" },
	{ .what = "a refused sender refuses all of its group",
	    .dialogue =
		EHLO OFFER MAIL0 "S: 451 later\nS: 503 no\nS: 503 no\nC: RSET\n" MAIL1
				 "S: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 again 451, 1 delivered 250" },
	{ .what =
		"sender refused, recipient and DATA taken: a dot would deliver nothing to somebody",
	    .dialogue = EHLO OFFER MAIL0 "S: 550 no\nS: 250 ok\nS: 354 go\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 ours 550",
	    .stale = true },
	{ .what = "DATA refused",
	    .dialogue =
		EHLO OFFER MAIL0 "S: 250 ok\nS: 250 ok\nS: 451 later\nC: RSET\n" MAIL1
				 "S: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 again 451, 1 delivered 250" },
	{ .what = "refused at the dot: the next envelope stands",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: 554 5.1.1 late\n" OK3 TEXT
							"S: 250 ok\n",
	    .mails = 2,
	    .fates = "0 never 554, 1 delivered 250" },
	{ .what = "the recipient behind the dot is refused",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1
	    "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 554 no\nC: RSET\n" MAIL2
	    "S: 250 ok\n" OK3 TEXT "S: 250 ok\n",
	    .mails = 3,
	    .fates = "0 delivered 250, 1 never 550, 2 delivered 250" },
	{ .what = "RSET refused: no common ground left",
	    .dialogue = EHLO OFFER MAIL0 "S: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\n" MAIL1
					 "S: 500 what\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 never 550, 1 back 0",
	    .stale = true },

	{ .what = "421 instead of the greeting's answer",
	    .dialogue = EHLO "S: 421 busy\nC: <over>\n",
	    .mails = 1,
	    .fates = "" },
	{ .what = "421 to the first MAIL",
	    .dialogue = EHLO OFFER MAIL0 "S: 421 busy\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 421",
	    .not_stale = true },
	{ .what = "421 to RCPT",
	    .dialogue = EHLO OFFER MAIL0 "S: 250 ok\nS: 421 busy\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 421" },
	{ .what = "421 to the dot is a no; the one behind goes back",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: 421 busy\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 again 421, 1 back 0" },
	{ .what = "421 to the next MAIL of a used connection",
	    .dialogue =
		EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: 250 ok\nS: 421 enough\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 delivered 250, 1 back 0",
	    .stale = true },
	{ .what = "421 while nothing is asked",
	    .mails = 1,
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: 250 ok\nS: 421 idle\nC: <over>\n",
	    .fates = "0 delivered 250" },
	{ .what = "closed after a mail: the next goes back",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: 250 ok\nS: <eof>\n",
	    .mails = 2,
	    .fates = "0 delivered 250, 1 back 0",
	    .stale = true },
	{ .what = "closed before the first mail was answered",
	    .dialogue = EHLO OFFER MAIL0 "S: <eof>\n",
	    .mails = 1,
	    .fates = "0 again 0",
	    .not_stale = true },
	{ .what = "closed after RCPT",
	    .dialogue = EHLO OFFER MAIL0 "S: 250 ok\nS: 250 ok\nS: <eof>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "closed in the middle of a reply",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: 250-o\nS: <eof>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "closed after the dot left: in doubt; the one behind goes back",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: <eof>\n",
	    .mails = 2,
	    .fates = "0 uncertain 0, 1 back 0",
	    .not_stale = true },
	{ .what = "silent after the dot",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: <silence>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "silent before the dot",
	    .dialogue = EHLO OFFER MAIL0 "S: <silence>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "we close after the dot",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: <close>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "we close before the dot",
	    .dialogue = EHLO OFFER MAIL0 "S: 250 ok\nS: <close>\n",
	    .mails = 1,
	    .fates = "0 back 0" },
	{ .what = "all but the dot left, and the connection broke: it has nothing",
	    .dialogue = EHLO OFFER MAIL0 OK3 "H: 3\n" TEXT "S: <eof>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "the dot itself left: in doubt",
	    .dialogue = EHLO OFFER MAIL0 OK3 "H: 2\n" TEXT "S: <eof>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "CHUNKING: all but the last byte left",
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\n"
	    "S: 250 ok\nS: 250 ok\nH: 1\nC: BDAT 6 LAST\nC: A: b\nS: <eof>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "CHUNKING: the last byte left",
	    .dialogue =
		EHLO CHUNKS "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\n"
			    "S: 250 ok\nS: 250 ok\nC: BDAT 6 LAST\nC: A: b\nS: <eof>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "refused while the text is still going out: believed, and the end",
	    .dialogue =
		EHLO OFFER MAIL0 OK3 "H: 5\n" TEXT "S: 552 5.3.4 too big\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 never 552",
	    .stale = true },
	{ .what = "taken before the dot left: not believed",
	    .dialogue = EHLO OFFER MAIL0 OK3 "H: 5\n" TEXT "S: 250 ok\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },

	{ .what = "stopped after DATA: hang up, since a dot would send it",
	    .stopped = 1,
	    .dialogue = EHLO OFFER MAIL0 OK3 "C: <over>\n",
	    .mails = 2,
	    .fates = "0 back 0",
	    .stale = true },
	{ .what = "CHUNKING: stopped before BDAT costs an RSET",
	    .stopped = 1,
	    .dialogue = EHLO CHUNKS
	    "C: MAIL FROM:<s@a.example>\nC: RCPT TO:<r0@b.example>\nS: 250 ok\nS: 250 ok\n"
	    "C: RSET\nC: MAIL FROM:<s@a.example>\nC: RCPT TO:<r1@b.example>\nS: 250 ok\nS: 250 ok\n"
	    "S: 250 ok\nC: BDAT 6 LAST\nC: A: b\nS: 250 ok\n",
	    .mails = 2,
	    .fates = "0 back 0, 1 delivered 250" },

	{ .what = "many lines in a reply",
	    .dialogue = EHLO OFFER MAIL0
	    "S: 250-a\nS: 250-b\nS: 250 c\nS: 250\nS: 354-x\nS: 354 go\n" TEXT
	    "S: 250-a\nS: 250 b\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "a refusal in many lines",
	    .dialogue = EHLO OFFER MAIL0
	    "S: 250 ok\nS: 550-5.2.2 full\nS: 550 5.2.2 really\nS: 503 no\n",
	    .mails = 1,
	    .fates = "0 again 550" },
	{ .what = "a reply whose lines disagree is none",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: 250-ok\nS: 550 no\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "words instead of a code",
	    .dialogue = EHLO OFFER MAIL0 "S: hello\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "words instead of a code after the dot",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: hello\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 uncertain 0" },
	{ .what = "a code of four digits",
	    .dialogue = EHLO OFFER MAIL0 "S: 2500 ok\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "an empty line",
	    .dialogue = EHLO OFFER MAIL0 "S: \nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "a code of no class",
	    .dialogue = EHLO OFFER MAIL0 "S: 150 wait\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "354 to MAIL",
	    .dialogue = EHLO OFFER MAIL0 "S: 354 go\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "250 to DATA",
	    .dialogue = EHLO OFFER MAIL0 "S: 250 ok\nS: 250 ok\nS: 250 ok\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 again 0" },
	{ .what = "354 to the dot: in doubt",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1 "S: 354 more\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 uncertain 354, 1 back 0" },
	{ .what = "an answer nobody asked for",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT "S: 250 ok\nS: 250 and more\nC: <over>\n",
	    .mails = 1,
	    .fates = "0 delivered 250" },
	{ .what = "an answer too many at the dot shifts the rest: seen at DATA",
	    .dialogue = EHLO OFFER MAIL0 OK3 TEXT MAIL1
	    "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: <over>\n",
	    .mails = 2,
	    .fates = "0 delivered 250, 1 again 0" },
	{ .what = "EHLO refused",
	    .dialogue = EHLO "S: 550 go away\nC: <over>\n",
	    .mails = 1,
	    .fates = "" },
	{ .what = "HELO refused",
	    .dialogue = EHLO "S: 500 what\nC: HELO me.example\nS: 550 no\nC: <over>\n",
	    .mails = 1,
	    .fates = "" },
	{ .what = "EHLO answered with garbage",
	    .dialogue = EHLO "S: hi\nC: <over>\n",
	    .mails = 1,
	    .fates = "" },

	{ .what = "an address with a line end never reaches the wire",
	    .recipients = { "a@b.example>\r\nRCPT TO:<x@y.example", "a@b.example\n",
		"a b@c.example", "a@b@c" },
	    .dialogue = EHLO OFFER,
	    .mails = 4,
	    .fates = "0 ours 0, 1 ours 0, 2 ours 0, 3 ours 0" },
	{ .what = "nor does one in brackets, without @, empty, or quoted",
	    .recipients = { "<a@b.example>", "ab", "", "\"a\"@b.example" },
	    .dialogue = EHLO OFFER,
	    .mails = 4,
	    .fates = "0 ours 0, 1 ours 0, 2 ours 0, 3 ours 0" },
	{ .what = "nor does broken UTF-8 or DEL",
	    .recipients = { "a\xff@b.example", "a\x7f@b.example", NULL },
	    .dialogue = EHLO OFFER MAIL2 OK3 TEXT "S: 250 ok\n",
	    .mails = 3,
	    .fates = "0 ours 0, 1 ours 0, 2 delivered 250" },
	{ .what = "a sender with a line end",
	    .sender = "a@b\r\nDATA\r\n",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "a bare LF",
	    .body = "A: b\n.\r\nMAIL",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "a bare LF first",
	    .body = "\nA: b\r\n",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "a bare CR",
	    .body = "A: b\r.\r\n",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "CR CR LF",
	    .body = "A: b\r\r\n",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
	{ .what = "a CR at the very end",
	    .body = "A: b\r\nx\r",
	    .dialogue = EHLO OFFER,
	    .mails = 1,
	    .fates = "0 ours 0" },
};

struct stage {
	struct smtp s;
	const struct scene *scene;
	struct parcel parcels[MAILS];
	char recipients[MAILS][32];
	int given, settled[MAILS];
	char fates[512];
};

static struct parcel *
next(void *arg)
{
	struct stage *st = arg;

	return st->given < st->scene->mails ? &st->parcels[st->given++] : NULL;
}

static bool
may_go(void *arg, struct parcel *p)
{
	struct stage *st = arg;

	return p->row + 1 != st->scene->stopped;
}

static void
done(void *arg, struct parcel *p, const struct outcome *o)
{
	struct stage *st = arg;
	size_t n = strlen(st->fates);

	st->settled[p->row]++;
	snprintf(st->fates + n, sizeof st->fates - n, "%s%d %s %d", n > 0 ? ", " : "",
	    (int)p->row, fate_names[o->fate], o->code);
	ck_assert_msg(o->reason != NULL, "%s: a reason", st->scene->what);
}

static void
stage_set(struct stage *st, const struct scene *scene, const struct smtp_host *host)
{
	const char *body = scene->body != NULL ? scene->body : "A: b\r\n";

	*st = (struct stage){ .scene = scene };
	for (int i = 0; i < scene->mails; i++) {
		struct parcel *p = &st->parcels[i];

		snprintf(st->recipients[i], sizeof *st->recipients, "r%d@b.example", i);
		p->row = i;
		p->sender = scene->sender != NULL ? scene->sender : "s@a.example";
		p->recipient =
		    scene->recipients[i] != NULL ? scene->recipients[i] : st->recipients[i];
		text_puts(&p->body, body);
	}
	smtp_init(&st->s, host, "me.example", SPAN_OF(600, 1));
	smtp_begin(&st->s);
}

/* The lines of one side from *at on, without their letters, with CRLF. */
static void
flight_read(const char **at, char side, struct text *ret)
{
	text_clear(ret);
	while ((*at)[0] == side && (*at)[1] == ':') {
		size_t n = strcspn(*at, "\n");

		text_add(ret, *at + 3, n - 3);
		text_puts(ret, "\r\n");
		*at += n + 1;
	}
}

/* Our flight must be these bytes; all but the last `hold` leave. */
static void
hear(struct stage *st, const struct text *want, size_t hold)
{
	struct slice out = smtp_output(&st->s);

	if (strcmp(text_string(want), "<over>\r\n") == 0) {
		ck_assert_msg(st->s.state == SMTP_OVER, "%s: not over, says %.*s",
		    st->scene->what, (int)out.len, out.s);
		return;
	}
	ck_assert_msg(
	    out.len == want->len && memcmp(out.s, text_string(want), out.len) == 0,
	    "%s: we said\n%.*s--- and not\n%s", st->scene->what, (int)out.len, out.s,
	    text_string(want));
	smtp_sent(&st->s, out.len - hold);
}

/* Feed the server's bytes in pieces: cut at `cut` (counted over the whole scene), or byte by byte. */
static void
tell(struct stage *st, const struct text *said, size_t *count, size_t cut)
{
	static const char *const ends[] = { "<eof>\r\n", "<silence>\r\n", "<close>\r\n" };
	size_t len = said->len, from = 0;
	int how = -1;

	for (int i = 0; i < 3; i++)
		if (len >= strlen(ends[i]) &&
		    strcmp(text_string(said) + len - strlen(ends[i]), ends[i]) == 0) {
			how = i;
			len -= strlen(ends[i]);
		}
	for (size_t i = 0; i < len; i++)
		if (cut == 0 || *count + i == cut) {
			smtp_input(&st->s, said->s + from, i - from);
			smtp_turn(&st->s);
			from = i;
		}
	*count += len;
	smtp_input(&st->s, text_string(said) + from, len - from);
	if (how == 0 || how == 1)
		smtp_cut(&st->s, how == 1);
	else if (how == 2)
		smtp_abandon(&st->s);
	smtp_turn(&st->s);
}

static size_t
play(const struct scene *scene, size_t cut)
{
	struct stage st;
	const struct smtp_host host = { &st, next, may_go, done };
	const char *at = scene->dialogue;
	struct text flight = { 0 };
	size_t count = 0, hold = 0;

	stage_set(&st, scene, &host);
	while (*at != '\0') {
		if (*at == 'H') {
			hold = (size_t)(at[3] - '0');
			at += 5;
		}
		flight_read(&at, 'C', &flight);
		hear(&st, &flight, hold);
		hold = 0;
		flight_read(&at, 'S', &flight);
		tell(&st, &flight, &count, cut);
	}
	ck_assert_msg(st.s.state == SMTP_OVER || smtp_output(&st.s).len == 0 ||
		strstr(scene->dialogue, "H:"),
	    "%s: says more: %s", scene->what, smtp_output(&st.s).s);
	ck_assert_msg(!scene->stale || st.s.stale, "%s: only the connection was at fault",
	    scene->what);
	ck_assert_msg(
	    !scene->not_stale || !st.s.stale, "%s: not only the connection", scene->what);
	smtp_abandon(&st.s);
	ck_assert_msg(strcmp(st.fates, scene->fates) == 0, "%s (cut at %zu): %s",
	    scene->what, cut, st.fates);
	for (int i = 0; i < scene->mails; i++) {
		ck_assert_msg(st.settled[i] == (i < st.given), "%s: row %d told %d times",
		    scene->what, i, st.settled[i]);
		text_deinit(&st.parcels[i].body);
	}
	smtp_deinit(&st.s);
	text_deinit(&flight);
	return count;
}

START_TEST(dialogues)
{
	const struct scene *scene = &scenes[_i];
	size_t all = play(scene, SIZE_MAX);

	play(scene, 0);
	for (size_t cut = 1; cut < all; cut++)
		play(scene, cut);
}
END_TEST

/* The network takes our bytes one by one; nothing changes but the time. */
START_TEST(slow_network)
{
	static const struct scene scene = { .what = "slow", .mails = 1 };
	struct stage st;
	const struct smtp_host host = { &st, next, may_go, done };
	static const char *const replies[] = { "250-x\r\n250 PIPELINING\r\n",
		"250 a\r\n250 b\r\n354 c\r\n", "250 d\r\n" };

	stage_set(&st, &scene, &host);
	for (int i = 0; i < 3; i++) {
		while (smtp_output(&st.s).len > 0) {
			smtp_sent(&st.s, 1);
			smtp_turn(&st.s);
		}
		smtp_input(&st.s, replies[i], strlen(replies[i]));
		smtp_turn(&st.s);
	}
	ck_assert_str_eq(st.fates, "0 delivered 250");
	ck_assert(smtp_is_idle(&st.s));
	smtp_quit(&st.s);
	ck_assert_str_eq(smtp_output(&st.s).s, "QUIT\r\n");
	smtp_sent(&st.s, 6);
	smtp_input(&st.s, "221 bye\r\n", 9);
	ck_assert_int_eq(st.s.state, SMTP_OVER);
	text_deinit(&st.parcels[0].body);
	smtp_deinit(&st.s);
}
END_TEST

/* A line of a reply up to the limit is read, one byte more ends it; the same for the lines. */
START_TEST(limits)
{
	static const struct scene scene = { .what = "limits", .mails = 0 };

	for (size_t n = SMTP_LINE_MAX - 5; n <= SMTP_LINE_MAX + 5; n++)
		for (int pieces = 1; pieces <= 2; pieces++) {
			struct stage st;
			const struct smtp_host host = { &st, next, may_go, done };
			struct text line = { 0 };

			stage_set(&st, &scene, &host);
			smtp_sent(&st.s, smtp_output(&st.s).len);
			text_puts(&line, "250 ");
			while (line.len < n)
				text_putc(&line, 'x');
			text_putc(&line, '\n');
			smtp_input(&st.s, line.s, pieces == 1 ? 0 : 7);
			smtp_input(&st.s, line.s + (pieces == 1 ? 0 : 7),
			    line.len - (pieces == 1 ? 0 : 7));
			ck_assert_msg(
			    st.s.state == (n <= SMTP_LINE_MAX ? SMTP_READY : SMTP_OVER),
			    "%zu", n);
			text_deinit(&line);
			smtp_abandon(&st.s);
			smtp_deinit(&st.s);
		}
	for (int n = SMTP_LINES_MAX - 2; n <= SMTP_LINES_MAX + 2; n++) {
		struct stage st;
		const struct smtp_host host = { &st, next, may_go, done };

		stage_set(&st, &scene, &host);
		smtp_sent(&st.s, smtp_output(&st.s).len);
		for (int i = 1; i < n; i++)
			smtp_input(&st.s, "250-x\r\n", 7);
		smtp_input(&st.s, "250 x\r\n", 7);
		ck_assert_msg(
		    st.s.state == (n <= SMTP_LINES_MAX ? SMTP_READY : SMTP_OVER), "%d", n);
		smtp_abandon(&st.s);
		smtp_deinit(&st.s);
	}
}
END_TEST

/* A line of 998 bytes is the longest; the reply's words are told. */
START_TEST(long_lines_and_sizes)
{
	struct smtp s;
	struct smtp_mail m;
	struct parcel p = { .sender = "s@a.example", .recipient = "r@b.example" };
	const struct smtp_host host = { 0 };

	smtp_init(&s, &host, "me.example", SPAN_OF(600, 1));
	for (size_t n = 990; n < 1010; n++) {
		text_clear(&p.body);
		for (size_t i = 0; i < n; i++)
			text_putc(&p.body, 'x');
		ck_assert_int_eq(
		    smtp_judge(&s, &p, &m), n <= 998 ? MAIL_GOOD : MAIL_LONG_LINE);
		text_puts(&p.body, "\r\ny\r\n");
		ck_assert_int_eq(
		    smtp_judge(&s, &p, &m), n <= 998 ? MAIL_GOOD : MAIL_LONG_LINE);
	}
	text_clear(&p.body);
	text_add(&p.body, "a\0b\r\n", 5);
	ck_assert_int_eq(smtp_judge(&s, &p, &m), MAIL_NUL);
	text_deinit(&p.body);
	smtp_deinit(&s);
}
END_TEST

START_TEST(patience)
{
	static const struct scene scene = { .what = "patience", .mails = 1 };
	struct stage st;
	const struct smtp_host host = { &st, next, may_go, done };
	const struct {
		int64_t before, after; /* seconds, with our bytes queued and sent */
		const char *reply;
	} steps[] = {
		{ 180, 300, "250 x\r\n" }, /* EHLO */
		{ 180, 300, "250 x\r\n" }, /* MAIL */
		{ 180, 300, "250 x\r\n" }, /* RCPT */
		{ 180, 120, "354 x\r\n" }, /* DATA */
		{ 180, 600, "250 x\r\n" }, /* the dot */
	};

	stage_set(&st, &scene, &host);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		smtp_turn(&st.s);
		ck_assert_int_eq(smtp_patience(&st.s).us, SPAN_OF(steps[i].before, 1).us);
		smtp_sent(&st.s, smtp_output(&st.s).len);
		ck_assert_int_eq(smtp_patience(&st.s).us, SPAN_OF(steps[i].after, 1).us);
		smtp_input(&st.s, steps[i].reply, strlen(steps[i].reply));
	}
	ck_assert_str_eq(st.fates, "0 delivered 250");
	smtp_quit(&st.s);
	smtp_sent(&st.s, smtp_output(&st.s).len);
	ck_assert_int_eq(smtp_patience(&st.s).us, SPAN_OF(5, 1).us);
	st.s.dot_wait = SPAN_OF(1, 1);
	ck_assert_int_eq(smtp_patience(&st.s).us, SPAN_OF(1, 1).us);
	smtp_abandon(&st.s);
	text_deinit(&st.parcels[0].body);
	smtp_deinit(&st.s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtp");
	TCase *t = tcase_create("smtp");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, dialogues, 0, (int)(sizeof scenes / sizeof *scenes));
	tcase_add_test(t, slow_network);
	tcase_add_test(t, limits);
	tcase_add_test(t, long_lines_and_sizes);
	tcase_add_test(t, patience);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
