/* Signed names: what was made is read, and nothing else is. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/token.h"

static struct token_key key, other;
static const struct instant noon = { INT64_C(1767268800000000) }; /* 2026-01-01T12:00Z */

static void
setup(void)
{
	token_key_derive(1, &key);
	token_key_derive(2, &other);
}

static const struct {
	const char *what;
	struct token_claim claim;
	int64_t after; /* read so many seconds after noon */
	bool good;
} claims[] = {
	{ "a page with all answers", { 7, 0, { INT64_C(1767355200000000) } }, 0, true },
	{ "one answer", { 7, 9, { INT64_C(1767355200000000) } }, 0, true },
	{ "the largest delivery", { INT64_MAX, 255, { INT64_C(1767355200000000) } }, 0,
	    true },
	{ "a second before it is over", { 7, 0, { INT64_C(1767355200000000) } }, 86399,
	    true },
	{ "the second it is over", { 7, 0, { INT64_C(1767355200000000) } }, 86400, false },
	{ "never over", { 7, 0, { INT64_MAX } }, 86400 * 36500LL, true },
	{ "over since 1969", { 7, 0, { -1 } }, 0, false },
};

START_TEST(made_is_read)
{
	for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
		char buf[TOKEN_TEXT];
		struct token_claim got = { 0 };
		struct instant now = instant_add(noon, SPAN_OF(claims[i].after, 1));

		token_make(&key, &claims[i].claim, buf);
		ck_assert_msg(strlen(buf) == 43, "%s", claims[i].what);
		ck_assert_msg(
		    strspn(buf,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
			43,
		    "%s: fit for an address", claims[i].what);
		ck_assert_msg(token_read(&key, buf, now, &got) == claims[i].good, "%s",
		    claims[i].what);
		if (!claims[i].good)
			continue;
		ck_assert_msg(
		    got.delivery == claims[i].claim.delivery, "%s", claims[i].what);
		ck_assert_msg(got.answer == claims[i].claim.answer, "%s", claims[i].what);
		ck_assert_msg(
		    !token_read(&other, buf, now, &got), "%s: another key", claims[i].what);
	}
}
END_TEST

/* A sheet of links gives what token_make() gives, in any order, and no two links share a MAC. */
START_TEST(sheet)
{
	static char all[256][TOKEN_TEXT];
	const struct instant then = { INT64_C(1767355200000000) };
	struct token_sheet s;
	struct token_claim got;

	token_sheet_start(&s, &key, 42, then);
	for (int i = 0; i < 256; i++) {
		char again[TOKEN_TEXT];
		const uint8_t answer = (uint8_t)(i * 37);

		token_sheet_link(&s, answer, all[answer]);
		token_make(&key, &(struct token_claim){ 42, answer, then }, again);
		ck_assert_str_eq(all[answer], again);
		ck_assert_uint_eq(strlen(again), TOKEN_LINK);
		ck_assert(token_read(&key, again, noon, &got));
		ck_assert_int_eq(got.answer, answer);
	}
	for (int i = 0; i < 256; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(all[i] + 22, all[j] + 22);
}
END_TEST

/* The MAC of one answer, delivery or expiry must not do for another. */
START_TEST(macs_are_not_moved)
{
	const struct instant then = { INT64_C(1767355200000000) },
			     later = { INT64_C(1767441600000000) };
	char good[TOKEN_TEXT], bad[TOKEN_TEXT];
	struct token_claim got;

	token_make(&key, &(struct token_claim){ 42, 3, then }, good);
	for (int i = 0; i < 256; i++) {
		struct token_claim c = { 42, (uint8_t)i, then };

		if (i == 3)
			continue;
		token_make(&key, &c, bad);
		memcpy(bad + 22, good + 22, strlen(good + 22));
		ck_assert_msg(!token_read(&key, bad, noon, &got), "answer %d", i);
	}
	token_make(&key, &(struct token_claim){ 43, 3, then }, bad);
	memcpy(bad + 22, good + 22, strlen(good + 22));
	ck_assert(!token_read(&key, bad, noon, &got));
	token_make(&key, &(struct token_claim){ 42, 3, later }, bad);
	memcpy(bad + 22, good + 22, strlen(good + 22));
	ck_assert(!token_read(&key, bad, noon, &got));
}
END_TEST

/* Links in mails already sent must stay good: the format of a version does not change. */
START_TEST(the_format_stays)
{
	static const struct {
		uint8_t answer;
		const char *text;
	} some[] = {
		{ 0, "AgAAAAAAAAAAKgAAaVZhwI2Cga_KTKPLNgBNJzdtAEI" },
		{ 3, "AgAAAAAAAAAAKgMAaVZhwLdVmuI3O6XEW4p-A8LQU8E" },
		{ 7, "AgAAAAAAAAAAKgcAaVZhwEOGB_6VgscYiYaxautj4EQ" },
		{ 200, "AgAAAAAAAAAAKsgAaVZhwGMC17BvsnCPQubr5XQ9Fxc" },
	};
	char buf[TOKEN_TEXT];

	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		ck_assert_str_eq(token_make(&key, &(struct token_claim){ 42, some[i].answer, noon }, buf),
		    some[i].text);
}
END_TEST

/* Every single changed, missing or added character. */
START_TEST(forged_is_refused)
{
	const struct token_claim c = { 42, 3, { INT64_C(1767355200000000) } };
	char good[TOKEN_TEXT], bad[TOKEN_TEXT + 1];
	struct token_claim got = { 0 };

	token_make(&key, &c, good);
	for (size_t i = 0; i < strlen(good); i++)
		for (const char *s = "AZaz09-_=+/ %\x80"; *s != '\0'; s++) {
			strncpy(bad, good, sizeof bad);
			if (bad[i] == *s)
				continue;
			bad[i] = *s;
			ck_assert_msg(
			    !token_read(&key, bad, noon, &got), "%zu to '%c'", i, *s);
		}
	for (size_t n = 0; n < strlen(good); n++) {
		snprintf(bad, sizeof bad, "%.*s", (int)n, good);
		ck_assert_msg(!token_read(&key, bad, noon, &got), "cut at %zu", n);
	}
	snprintf(bad, sizeof bad, "%sA", good);
	ck_assert(!token_read(&key, bad, noon, &got));
	ck_assert_int_eq(got.delivery, 0);
}
END_TEST

START_TEST(another_secret_with_the_same_id)
{
	const struct token_claim c = { 42, 3, { INT64_C(1767355200000000) } };
	struct token_key twin = other;
	struct token_claim got;
	char buf[TOKEN_TEXT];

	twin.id = key.id;
	ck_assert(!token_read(&twin, token_make(&key, &c, buf), noon, &got));
}
END_TEST

START_TEST(ids_are_stable_and_apart)
{
	char a[TOKEN_ID_TEXT], b[TOKEN_ID_TEXT];

	token_id(&key, "mail", 1, "2026-11-24/3", "email", a);
	ck_assert_uint_eq(strlen(a), 32);
	ck_assert_str_eq(a, token_id(&key, "mail", 1, "2026-11-24/3", "email", b));
	ck_assert_str_ne(a, token_id(&key, "uid", 1, "2026-11-24/3", "email", b));
	ck_assert_str_ne(a, token_id(&key, "mail", 2, "2026-11-24/3", "email", b));
	ck_assert_str_ne(a, token_id(&key, "mail", 1, "2026-11-24/4", "email", b));
	ck_assert_str_ne(a, token_id(&key, "mail", 1, "2026-11-24/3", "chat", b));
	ck_assert_str_ne(a, token_id(&other, "mail", 1, "2026-11-24/3", "email", b));
}
END_TEST

static const struct {
	const char *what, *s;
} verps[] = {
	{ "nothing", "" },
	{ "a dot", "." },
	{ "no MAC", "2a" },
	{ "an empty MAC", "2a." },
	{ "a MAC of zeros", "2a.000000000000000000000000" },
	{ "a number too long", "fffffffffffffffffffffffff.00" },
	{ "no number", ".000000000000000000000000" },
	{ "capitals", "2A.000000000000000000000000" },
};

START_TEST(verp)
{
	const int64_t some[] = { 0, 1, 42, INT64_MAX };
	char buf[TOKEN_TEXT], bad[TOKEN_TEXT + 1];
	int64_t got = -1;

	for (size_t i = 0; i < sizeof verps / sizeof *verps; i++)
		ck_assert_msg(
		    !token_verp_read(&key, verps[i].s, &got), "%s", verps[i].what);
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		token_verp(&key, some[i], buf);
		ck_assert_msg(
		    token_verp_read(&key, buf, &got) && got == some[i], "%s", buf);
		ck_assert(!token_verp_read(&other, buf, &got));
		snprintf(bad, sizeof bad, "0%s", buf);
		ck_assert_msg(!token_verp_read(&key, bad, &got), "a leading zero: %s", bad);
	}
}
END_TEST

START_TEST(key_file)
{
	char dir[] = "/tmp/nudged-token-XXXXXX", path[64];
	struct token_key a, b;
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/token.key", dir);
	ck_assert_int_eq(token_key_load(dir, &a), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(token_key_load(dir, &b), 0);
	ck_assert_mem_eq(a.secret, b.secret, TOKEN_KEY);
	ck_assert_int_eq(truncate(path, 31), 0);
	ck_assert_int_lt(token_key_load(dir, &b), 0);
	unlink(path);
	rmdir(dir);
	ck_assert_int_lt(token_key_load(dir, &b), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("token");
	TCase *t = tcase_create("token");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, made_is_read);
	tcase_add_test(t, sheet);
	tcase_add_test(t, macs_are_not_moved);
	tcase_add_test(t, the_format_stays);
	tcase_add_test(t, forged_is_refused);
	tcase_add_test(t, another_secret_with_the_same_id);
	tcase_add_test(t, ids_are_stable_and_apart);
	tcase_add_test(t, verp);
	tcase_add_test(t, key_file);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
