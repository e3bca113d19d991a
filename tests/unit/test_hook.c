/* Addresses of hooks taken apart, and what an answer means: without a server. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/web/hook_address.h"
#include "deliver/web/hook_answer.h"
#include "deliver/web/hook_request.h"

/* origin | host | target, with "to" = "a/b", "key" = "k?1", and the user when there is one. */
static const struct {
	enum chat_format format;
	bool inside;
	const char *url, *want;
} addresses[] = {
	{ CHAT_SLACK, false, "https://h.example/services/T0/B0", "https://h.example:443 h.example /services/T0/B0" },
	{ CHAT_SLACK, false, "https://H.Example:443/x", "https://H.Example:443 H.Example /x" },
	{ CHAT_SLACK, false, "https://h.example:8443/x?y=z#part", "https://h.example:8443 h.example:8443 /x?y=z" },
	{ CHAT_SLACK, false, "https://h.example", "https://h.example:443 h.example /" },
	{ CHAT_SLACK, false, "https://h.example?a=b", "https://h.example:443 h.example /?a=b" },
	{ CHAT_SLACK, false, "https://[2001:db8::1]:99/x", "https://[2001:db8::1]:99 [2001:db8::1]:99 /x" },
	{ CHAT_SLACK, false, "https://h.example/a/../b/./c", "https://h.example:443 h.example /b/c" },
	{ CHAT_SLACK, false, "https://h.example/\xc3\xa9", "https://h.example:443 h.example /%C3%A9" },
	{ CHAT_SLACK, false, "https://h.example/{to}?k={key}", "https://h.example:443 h.example /a%2Fb?k=k%3F1" },
	{ CHAT_SLACK, false, "https://jan:p%40ss@h.example/x", "https://h.example:443 h.example /x jan:p@ss" },
	{ CHAT_SLACK, true, "http://127.0.0.1:8080/x", "http://127.0.0.1:8080 127.0.0.1:8080 /x" },
	{ CHAT_SLACK, true, "http://h.example/x", "http://h.example:80 h.example /x" },
	{ CHAT_SLACK, false, "http://h.example/x", "scheme" },
	{ CHAT_SLACK, true, "ftp://h.example/x", "scheme" },
	{ CHAT_SLACK, true, "file:///etc/passwd", "scheme" },
	{ CHAT_SLACK, true, "gopher://h.example/x", "scheme" },
	{ CHAT_SLACK, true, "", "unreadable" },
	{ CHAT_SLACK, true, "h.example/x", "unreadable" },
	{ CHAT_SLACK, true, "https://", "unreadable" },
	{ CHAT_SLACK, true, "https://h.example/a b", "unreadable" },
	{ CHAT_SLACK, true, "https://h.example/a\r\nX: y", "unreadable" },
	{ CHAT_SLACK, true, "https://h.example\r\nX: y/a", "unreadable" },
	{ CHAT_SLACK, true, "https://h.example:99999/a", "unreadable" },
	{ CHAT_SLACK, true, "https://h{to}.example/a", "unreadable" },
	{ CHAT_DISCORD, false, "https://h.example/a", "https://h.example:443 h.example /a?wait=true" },
	{ CHAT_DISCORD, false, "https://h.example/a?b=c", "https://h.example:443 h.example /a?b=c&wait=true" },
	{ CHAT_DISCORD, false, "https://h.example/a?wait=true", "https://h.example:443 h.example /a?wait=true" },
	{ CHAT_MATRIX, false, "https://h.example/",
	    "https://h.example:443 h.example /_matrix/client/v3/rooms/a%2Fb/send/m.room.message/k%3F1" },
	{ CHAT_MATRIX, false, "https://h.example/own/{key}", "https://h.example:443 h.example /own/k%3F1" },
	{ CHAT_MATRIX, false, "https://h.example/own", "unreadable" },
	{ CHAT_ZULIP, false, "https://h.example", "https://h.example:443 h.example /api/v1/messages" },
};

START_TEST(parts)
{
	static const char *const flaws[] = { "", "scheme", "unreadable" };
	struct hook_address a = { 0 };
	struct text got = { 0 };
	enum address_flaw flaw = hook_address_read(addresses[_i].url, &chat_rows[addresses[_i].format],
	    addresses[_i].inside, &a);

	text_puts(&got, flaws[flaw]);
	if (flaw == ADDRESS_GOOD) {
		text_addf(&got, "%s %s ", text_string(&a.origin), text_string(&a.host));
		hook_target_put(&a, "a/b", "k?1", &got);
		text_addf(&got, "%s%s", a.user.len > 0 ? " " : "", text_string(&a.user));
	}
	ck_assert_msg(strcmp(text_string(&got), addresses[_i].want) == 0, "%s: %s", addresses[_i].url,
	    text_string(&got));
	text_deinit(&got);
	hook_address_deinit(&a);
}
END_TEST

/* A bad address leaves the one before it as it was. */
START_TEST(kept)
{
	struct hook_address a = { 0 };

	ck_assert(hook_address_read("https://h.example/x", &chat_rows[CHAT_SLACK], false, &a) == ADDRESS_GOOD);
	ck_assert(hook_address_read("http://i.example/y", &chat_rows[CHAT_SLACK], false, &a) == ADDRESS_SCHEME);
	ck_assert_str_eq(text_string(&a.origin), "https://h.example:443");
	ck_assert_str_eq(text_string(&a.target), "/x");
	hook_address_deinit(&a);
}
END_TEST

struct place {
	const char *url, *secret;
	int url_rc, secret_rc;
};

static int
url_of(void *arg, struct text *ret)
{
	const struct place *p = arg;

	text_puts(ret, p->url);
	return p->url_rc;
}

static int
secret_of(void *arg, struct text *ret)
{
	const struct place *p = arg;

	text_puts(ret, p->secret);
	return p->secret_rc;
}

/* Secrets that cannot be used are told so, and used once they can be; a new host is another edition. */
START_TEST(keys)
{
	struct place p = { "https://h.example/x\n", "key\r\n", 0, 0 };
	const struct hook_options o = { .format = CHAT_GENERIC, .url = url_of, .secret = secret_of,
		.secret_arg = &p };
	struct hook_keys k = { .options = &o, .row = &chat_rows[CHAT_GENERIC] };
	struct instant now = instant_seconds(1000);
	unsigned edition;

	ck_assert(hook_keys_look(&k, now));
	ck_assert_str_eq(text_string(&k.secret), "key");
	edition = k.edition;
	p.secret = "";
	ck_assert(hook_keys_look(&k, now)); /* not looked at again yet */
	now = instant_add(now, SPAN_OF(1, 1));
	ck_assert(!hook_keys_look(&k, now));
	ck_assert(k.fault.fate == FATE_BACK && k.fault.trouble == TROUBLE_REFUSED);
	p.secret = "whsec_*"; /* looked at each time while they cannot be used */
	ck_assert(!hook_keys_look(&k, now));
	p.secret = "whsec_c2VjcmV0";
	ck_assert(hook_keys_look(&k, now));
	ck_assert_uint_eq(k.edition, edition);
	now = instant_add(now, SPAN_OF(1, 1));
	p.url = "https://h.example/y"; /* the same host */
	ck_assert(hook_keys_look(&k, now));
	ck_assert_uint_eq(k.edition, edition);
	now = instant_add(now, SPAN_OF(1, 1));
	p.url = "ftp://h.example/y";
	ck_assert(!hook_keys_look(&k, now));
	p.url = "https://i.example/y";
	ck_assert(hook_keys_look(&k, now));
	ck_assert_uint_eq(k.edition, edition + 1);
	p.url_rc = -5;
	now = instant_add(now, SPAN_OF(1, 1));
	ck_assert(!hook_keys_look(&k, now));
	p.url_rc = 0;
	p.secret_rc = -5;
	ck_assert(!hook_keys_look(&k, now));
	hook_keys_deinit(&k);
}
END_TEST

/* A word of the server that repeats the secret part of the address is not kept. */
START_TEST(secrets_in_answers)
{
	struct http h = { .status = 400 };
	struct outcome o;

	text_puts(&h.body, "no hook T0SECRET99 here");
	hook_answer_judge(&h, CHAT_SLACK, "/services/T0SECRET99?x=y", instant_seconds(0), &o);
	ck_assert(o.fate == FATE_OURS && o.detail[0] == '\0');
	hook_answer_judge(&h, CHAT_SLACK, "/services/other-one", instant_seconds(0), &o);
	ck_assert_str_eq(o.detail, "no hook T0SECRET99 here");
	http_deinit(&h);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hook");
	TCase *t = tcase_create("hook");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, parts, 0, (int)(sizeof addresses / sizeof *addresses));
	tcase_add_test(t, kept);
	tcase_add_test(t, keys);
	tcase_add_test(t, secrets_in_answers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
