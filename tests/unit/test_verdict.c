/* What becomes of a delivery after each answer; a server's words; who stands inside the house. */
#include <check.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/net/transport.h"
#include "deliver/verdict.h"

static const struct {
	const char *what;
	enum smtp_stage stage;
	int code;
	const char *enhanced;
	enum fate fate;
	enum trouble trouble;
} smtp[] = {
	{ "taken", STAGE_DOT, 250, "2.0.0", FATE_DELIVERED, TROUBLE_NONE },
	{ "taken, by an old server", STAGE_DOT, 250, "", FATE_DELIVERED, TROUBLE_NONE },
	{ "taken, with an odd 2xx", STAGE_DOT, 251, "", FATE_DELIVERED, TROUBLE_NONE },
	{ "354 to the dot: it may have it", STAGE_DOT, 354, "", FATE_UNCERTAIN,
	    TROUBLE_DOWN },
	{ "421 in the greeting costs no attempt", STAGE_GREETING, 421, "", FATE_BACK,
	    TROUBLE_BUSY },
	{ "421 to MAIL is patience", STAGE_MAIL, 421, "4.3.2", FATE_AGAIN, TROUBLE_BUSY },
	{ "421 to the dot is a refusal, not a doubt", STAGE_DOT, 421, "", FATE_AGAIN,
	    TROUBLE_BUSY },
	{ "554 as greeting: no service for us", STAGE_GREETING, 554, "", FATE_BACK,
	    TROUBLE_REFUSED },
	{ "450 as greeting", STAGE_GREETING, 450, "", FATE_BACK, TROUBLE_BUSY },
	{ "EHLO refused", STAGE_EHLO, 550, "5.7.1", FATE_BACK, TROUBLE_REFUSED },
	{ "wrong password", STAGE_OTHER, 535, "5.7.8", FATE_BACK, TROUBLE_REFUSED },
	{ "logins cannot be checked just now", STAGE_OTHER, 454, "4.7.0", FATE_BACK,
	    TROUBLE_DOWN },
	{ "a login is wanted, said at MAIL", STAGE_MAIL, 530, "5.7.0", FATE_BACK,
	    TROUBLE_REFUSED },
	{ "a login is wanted, said at RCPT", STAGE_RCPT, 530, "5.7.1", FATE_BACK,
	    TROUBLE_REFUSED },
	{ "our sender's domain is refused: everybody's trouble", STAGE_MAIL, 550, "5.7.1",
	    FATE_OURS, TROUBLE_REFUSED },
	{ "our sender refused late, as Postfix does", STAGE_RCPT, 554, "5.1.8", FATE_OURS,
	    TROUBLE_REFUSED },
	{ "our sender cannot be read: this mail's fault", STAGE_MAIL, 501, "5.1.7",
	    FATE_OURS, TROUBLE_REFUSED },
	{ "parameters not known", STAGE_MAIL, 555, "", FATE_OURS, TROUBLE_NONE },
	{ "out of step: the session's fault, not the sender's", STAGE_MAIL, 503, "5.5.1",
	    FATE_AGAIN, TROUBLE_DOWN },
	{ "out of step at RCPT", STAGE_RCPT, 503, "", FATE_AGAIN, TROUBLE_DOWN },
	{ "4xx at MAIL", STAGE_MAIL, 451, "", FATE_AGAIN, TROUBLE_BUSY },
	{ "no room, said at MAIL", STAGE_MAIL, 452, "4.3.1", FATE_AGAIN, TROUBLE_BUSY },
	{ "too large, said at MAIL", STAGE_MAIL, 552, "", FATE_NEVER, TROUBLE_NONE },
	{ "too large, said at the dot", STAGE_DOT, 552, "5.3.4", FATE_NEVER, TROUBLE_NONE },
	{ "mailbox full as 552", STAGE_RCPT, 552, "5.2.2", FATE_AGAIN, TROUBLE_NONE },
	{ "mailbox full as 550", STAGE_RCPT, 550, "5.2.2", FATE_AGAIN, TROUBLE_NONE },
	{ "mailbox full as 452", STAGE_RCPT, 452, "4.2.2", FATE_AGAIN, TROUBLE_NONE },
	{ "mailbox full, said at the dot", STAGE_DOT, 552, "5.2.2", FATE_AGAIN,
	    TROUBLE_NONE },
	{ "552 at RCPT without more is 452", STAGE_RCPT, 552, "", FATE_AGAIN,
	    TROUBLE_NONE },
	{ "no such user", STAGE_RCPT, 550, "5.1.1", FATE_NEVER, TROUBLE_NONE },
	{ "no such user, without more", STAGE_RCPT, 550, "", FATE_NEVER, TROUBLE_NONE },
	{ "moved", STAGE_RCPT, 551, "", FATE_NEVER, TROUBLE_NONE },
	{ "no such name", STAGE_RCPT, 553, "", FATE_NEVER, TROUBLE_NONE },
	{ "no relaying", STAGE_RCPT, 554, "5.7.1", FATE_NEVER, TROUBLE_NONE },
	{ "address not read", STAGE_RCPT, 501, "5.1.3", FATE_NEVER, TROUBLE_NONE },
	{ "no such user, said at the dot", STAGE_DOT, 550, "5.1.1", FATE_NEVER,
	    TROUBLE_NONE },
	{ "greylisted", STAGE_RCPT, 451, "4.7.1", FATE_AGAIN, TROUBLE_NONE },
	{ "the class in the enhanced code is not believed", STAGE_RCPT, 451, "5.7.1",
	    FATE_AGAIN, TROUBLE_NONE },
	{ "too much of us", STAGE_RCPT, 450, "4.7.28", FATE_AGAIN, TROUBLE_BUSY },
	{ "the system takes nothing just now", STAGE_RCPT, 450, "4.3.2", FATE_AGAIN,
	    TROUBLE_BUSY },
	{ "temporary at RCPT", STAGE_RCPT, 450, "", FATE_AGAIN, TROUBLE_NONE },
	{ "temporary at DATA", STAGE_DATA, 451, "", FATE_AGAIN, TROUBLE_NONE },
	{ "refused at DATA", STAGE_DATA, 554, "", FATE_NEVER, TROUBLE_NONE },
	{ "temporary at the dot", STAGE_DOT, 451, "4.3.0", FATE_AGAIN, TROUBLE_NONE },
	{ "no room, said at the dot", STAGE_DOT, 452, "", FATE_AGAIN, TROUBLE_BUSY },
	{ "a text it cannot read", STAGE_DOT, 554, "5.6.0", FATE_OURS, TROUBLE_NONE },
	{ "a text its rules refuse", STAGE_DOT, 554, "5.7.1", FATE_OURS, TROUBLE_NONE },
	{ "refused at the dot", STAGE_DOT, 554, "", FATE_NEVER, TROUBLE_NONE },
	{ "no SMTPUTF8", STAGE_MAIL, 553, "5.6.7", FATE_NEVER, TROUBLE_NONE },
	{ "a positive answer where none fits", STAGE_MAIL, 354, "", FATE_AGAIN,
	    TROUBLE_DOWN },
	{ "a code of no class", STAGE_RCPT, 199, "", FATE_AGAIN, TROUBLE_DOWN },
	{ "a code of no class to the dot", STAGE_DOT, 600, "", FATE_UNCERTAIN,
	    TROUBLE_DOWN },
};

START_TEST(answers_of_smtp)
{
	for (size_t i = 0; i < sizeof smtp / sizeof *smtp; i++) {
		struct outcome o =
		    verdict_smtp(smtp[i].stage, smtp[i].code, smtp[i].enhanced);

		ck_assert_msg(
		    o.fate == smtp[i].fate, "%s: %s", smtp[i].what, fate_names[o.fate]);
		ck_assert_msg(o.trouble == smtp[i].trouble, "%s: trouble %d", smtp[i].what,
		    o.trouble);
		ck_assert_msg(
		    o.reason != NULL && o.reason[0] != '\0', "%s: a reason", smtp[i].what);
	}
}
END_TEST

/* Whatever the code: after the dot nothing is repeated in doubt, before it nothing is in doubt. */
START_TEST(every_code_of_smtp)
{
	for (int stage = STAGE_GREETING; stage <= STAGE_OTHER; stage++)
		for (int code = 0; code < 1000; code++) {
			struct outcome o = verdict_smtp((enum smtp_stage)stage, code, "");
			bool refused = code >= 400 && code <= 599;

			ck_assert(o.reason != NULL);
			ck_assert_msg(o.fate != FATE_DELIVERED ||
				(stage == STAGE_DOT && code / 100 == 2),
			    "%d %d", stage, code);
			ck_assert_msg((o.fate == FATE_UNCERTAIN) ==
				(stage == STAGE_DOT && !refused && code / 100 != 2),
			    "%d %d", stage, code);
			if (code / 100 == 4)
				ck_assert_msg(o.fate == FATE_AGAIN || o.fate == FATE_BACK,
				    "%d %d", stage, code);
		}
}
END_TEST

static const struct {
	const char *what;
	int code;
	bool sent, keyed, guard;
	enum fate fate;
	enum trouble trouble;
} curls[] = {
	{ "no such name", CURLE_COULDNT_RESOLVE_HOST, false, false, false, FATE_BACK,
	    TROUBLE_DOWN },
	{ "refused", CURLE_COULDNT_CONNECT, false, false, false, FATE_BACK, TROUBLE_DOWN },
	{ "inside the house", CURLE_COULDNT_CONNECT, false, false, true, FATE_BACK,
	    TROUBLE_REFUSED },
	{ "a bad certificate comes before any request", CURLE_PEER_FAILED_VERIFICATION,
	    true, false, false, FATE_BACK, TROUBLE_REFUSED },
	{ "STARTTLS stripped", CURLE_USE_SSL_FAILED, false, false, false, FATE_BACK,
	    TROUBLE_REFUSED },
	{ "login refused", CURLE_LOGIN_DENIED, false, false, false, FATE_BACK,
	    TROUBLE_REFUSED },
	{ "silence before anything was sent", CURLE_OPERATION_TIMEDOUT, false, false, false,
	    FATE_BACK, TROUBLE_DOWN },
	{ "silence after a request", CURLE_OPERATION_TIMEDOUT, true, false, false,
	    FATE_UNCERTAIN, TROUBLE_DOWN },
	{ "silence after a keyed request", CURLE_OPERATION_TIMEDOUT, true, true, false,
	    FATE_AGAIN, TROUBLE_DOWN },
	{ "broken in the middle", CURLE_RECV_ERROR, true, false, false, FATE_UNCERTAIN,
	    TROUBLE_DOWN },
	{ "an answer too large to read: it has the request", CURLE_WRITE_ERROR, true, false,
	    false, FATE_UNCERTAIN, TROUBLE_NONE },
	{ "a result without a row", CURLE_TELNET_OPTION_SYNTAX, true, true, false,
	    FATE_AGAIN, TROUBLE_DOWN },
};

START_TEST(results_of_curl)
{
	for (size_t i = 0; i < sizeof curls / sizeof *curls; i++) {
		struct outcome o = verdict_curl(
		    curls[i].code, curls[i].sent, curls[i].keyed, curls[i].guard);

		ck_assert_msg(
		    o.fate == curls[i].fate, "%s: %s", curls[i].what, fate_names[o.fate]);
		ck_assert_msg(o.trouble == curls[i].trouble, "%s", curls[i].what);
		ck_assert_msg(
		    o.code == curls[i].code && o.reason != NULL, "%s", curls[i].what);
	}
}
END_TEST

START_TEST(cuts)
{
	ck_assert_int_eq(verdict_cut(false, false).fate, FATE_AGAIN);
	ck_assert_int_eq(verdict_cut(false, true).fate, FATE_AGAIN);
	ck_assert_int_eq(verdict_cut(true, false).fate, FATE_UNCERTAIN);
	ck_assert_int_eq(verdict_cut(true, true).fate, FATE_UNCERTAIN);
	ck_assert_int_eq(verdict_garbage(false).fate, FATE_AGAIN);
	ck_assert_int_eq(verdict_garbage(true).fate, FATE_UNCERTAIN);
	for (int i = 0; i < MAIL_FLAWS; i++)
		ck_assert(verdict_flaw((enum mail_flaw)i).reason != NULL);
}
END_TEST

static const struct {
	const char *what;
	int status;
	int after; /* seconds */
	enum fate fate;
	enum trouble trouble;
	int want_after;
} https[] = {
	{ "taken", 200, 0, FATE_DELIVERED, TROUBLE_NONE, 0 },
	{ "made", 201, 0, FATE_DELIVERED, TROUBLE_NONE, 0 },
	{ "accepted; a Retry-After means nothing here", 202, 9, FATE_DELIVERED,
	    TROUBLE_NONE, 0 },
	{ "nothing to say", 204, 0, FATE_DELIVERED, TROUBLE_NONE, 0 },
	{ "moved: not followed", 307, 0, FATE_BACK, TROUBLE_REFUSED, 0 },
	{ "our JSON is wrong", 400, 0, FATE_OURS, TROUBLE_NONE, 0 },
	{ "token refused", 401, 0, FATE_BACK, TROUBLE_REFUSED, 0 },
	{ "not ours to use", 403, 0, FATE_BACK, TROUBLE_REFUSED, 0 },
	{ "no such hook", 404, 0, FATE_NEVER, TROUBLE_NONE, 0 },
	{ "hook gone", 410, 0, FATE_NEVER, TROUBLE_NONE, 0 },
	{ "If-Match failed: look again", 412, 0, FATE_AGAIN, TROUBLE_NONE, 0 },
	{ "too large", 413, 0, FATE_OURS, TROUBLE_NONE, 0 },
	{ "cannot be processed", 422, 0, FATE_OURS, TROUBLE_NONE, 0 },
	{ "too many, with a time", 429, 30, FATE_AGAIN, TROUBLE_BUSY, 30 },
	{ "too many, without", 429, 0, FATE_AGAIN, TROUBLE_BUSY, 0 },
	{ "a teapot", 418, 0, FATE_NEVER, TROUBLE_NONE, 0 },
	{ "failed", 500, 0, FATE_AGAIN, TROUBLE_NONE, 0 },
	{ "bad gateway", 502, 0, FATE_AGAIN, TROUBLE_DOWN, 0 },
	{ "overloaded", 503, 5, FATE_AGAIN, TROUBLE_BUSY, 5 },
	{ "an interim answer as the last", 100, 0, FATE_AGAIN, TROUBLE_DOWN, 0 },
	{ "no status", 0, 0, FATE_AGAIN, TROUBLE_DOWN, 0 },
};

START_TEST(statuses_of_http)
{
	for (size_t i = 0; i < sizeof https / sizeof *https; i++) {
		struct outcome o =
		    verdict_http(https[i].status, SPAN_OF(https[i].after, 1));

		ck_assert_msg(
		    o.fate == https[i].fate, "%s: %s", https[i].what, fate_names[o.fate]);
		ck_assert_msg(o.trouble == https[i].trouble, "%s", https[i].what);
		ck_assert_msg(
		    o.after.us == SPAN_OF(https[i].want_after, 1).us, "%s", https[i].what);
		ck_assert_msg(o.reason != NULL, "%s", https[i].what);
	}
}
END_TEST

static const struct {
	const char *what, *said, *want;
} details[] = {
	{ "plain words stay", "5.1.1 User unknown", "5.1.1 User unknown" },
	{ "an address in brackets goes", "<jan@zorg.example>: no such user",
	    "<[address]>: no such user" },
	{ "a bare address goes, with what hangs on it", "no jan@zorg.example here",
	    "no [address] here" },
	{ "our VERP sender goes", "bounce+1f.00ff@zorg.example refused",
	    "[address] refused" },
	{ "a long token goes", "ref aGVsbG8gd29ybGQgaGVsbG8gd29y done",
	    "ref [token] done" },
	{ "a short queue id stays", "queued as 4XyZ12abC", "queued as 4XyZ12abC" },
	{ "controls and line ends become one blank", "a\r\n\tb\x01 c", "a b c" },
	{ "blanks around are dropped", "  a b  ", "a b" },
	{ "escape sequences lose their teeth", "a\x1b[31mb", "a [31mb" },
	{ "letters beyond ASCII stay", "bo\xc3\xaete pleine", "bo\xc3\xaete pleine" },
	{ "broken UTF-8 becomes a question mark",
	    "a\xff"
	    "b",
	    "a?b" },
	{ "bidi controls go",
	    "a\xe2\x80\xae"
	    "b",
	    "ab" },
	{ "nothing stays nothing", "", "" },
	{ "DEL goes", "x\x7f", "x" },
};

START_TEST(words_of_a_server)
{
	struct outcome o;
	char longest[4000];

	for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
		outcome_detail(&o, details[i].said, strlen(details[i].said));
		ck_assert_msg(strcmp(o.detail, details[i].want) == 0, "%s: %s",
		    details[i].what, o.detail);
	}
	outcome_detail(&o, "a\0b", 3);
	ck_assert_str_eq(o.detail, "a b");
	for (size_t i = 0; i < sizeof longest;
	     i++) /* cut between characters, at any length */
		longest[i] = "\xc3\xa9 "[i % 3];
	for (size_t n = 0; n < 300; n++) {
		outcome_detail(&o, longest, n - n % 3);
		ck_assert(strlen(o.detail) < DETAIL_TEXT);
		ck_assert_uint_ne(
		    (unsigned char)
			o.detail[strlen(o.detail) > 0 ? strlen(o.detail) - 1 : 0],
		    0xc3);
	}
}
END_TEST

static const struct {
	const char *address;
	bool inside;
} addresses[] = {
	{ "127.0.0.1", true },
	{ "127.255.255.255", true },
	{ "126.255.255.255", false },
	{ "128.0.0.0", false },
	{ "10.0.0.1", true },
	{ "11.0.0.0", false },
	{ "172.15.255.255", false },
	{ "172.16.0.0", true },
	{ "172.31.255.255", true },
	{ "172.32.0.0", false },
	{ "192.168.1.1", true },
	{ "192.169.0.0", false },
	{ "100.63.255.255", false },
	{ "100.64.0.1", true },
	{ "169.254.169.254", true },
	{ "0.0.0.0", true },
	{ "224.0.0.1", true },
	{ "255.255.255.255", true },
	{ "93.184.216.34", false },
	{ "::", true },
	{ "::1", true },
	{ "::2", true }, /* IPv4-compatible 0.0.0.2 */
	{ "::ffff:10.0.0.1", true },
	{ "::ffff:a00:1", true },
	{ "::ffff:93.184.216.34", false },
	{ "64:ff9b::7f00:1", true },
	{ "64:ff9b::5db8:d822", false },
	{ "2002:7f00:1::1", true },
	{ "2002:5db8:d822::1", false },
	{ "2001:0:1::1", true }, /* Teredo */
	{ "fe80::1%2", true },
	{ "fe80::1%eth0", true },
	{ "febf::1", true },
	{ "fec0::1", true },
	{ "fd00::1", true },
	{ "ff02::1", true },
	{ "2606:2800:220:1::1", false },
	{ "localhost", true }, /* a name is not an address */
	{ "127.1", true },     /* nor is this */
	{ "0x7f.0.0.1", true },
	{ "", true },
	{ "93.184.216.34.5", true },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", true },
};

START_TEST(inside_the_house)
{
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
		ck_assert_msg(
		    transport_is_inside(addresses[i].address) == addresses[i].inside, "%s",
		    addresses[i].address);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("verdict");
	TCase *t = tcase_create("verdict");
	SRunner *r;
	int failed;

	tcase_add_test(t, answers_of_smtp);
	tcase_add_test(t, every_code_of_smtp);
	tcase_add_test(t, results_of_curl);
	tcase_add_test(t, cuts);
	tcase_add_test(t, statuses_of_http);
	tcase_add_test(t, words_of_a_server);
	tcase_add_test(t, inside_the_house);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
