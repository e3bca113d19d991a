/* Times, text, numbers, tokens and the store at their edges. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/dice.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/when.h"
#include "compose/token.h"
#include "store/db.h"

START_TEST(days_go_round)
{
	for (int32_t n = -20000; n < 80000; n += 7) {
		int year, month, mday;
		struct day d = { n };

		day_split(d, &year, &month, &mday);
		ck_assert_int_eq(day_of(year, month, mday).n, n);
	}
	ck_assert_int_eq(day_weekday(day_of(2026, 11, 24)), 1);
}
END_TEST

static const struct {
	const char *what, *text;
	bool good;
} dates[] = {
	{ "a leap day", "2028-02-29", true },
	{ "no leap day", "2026-02-29", false },
	{ "month 13", "2026-13-01", false },
	{ "month 39, which libical reads", "2026-39-01", false },
	{ "one digit", "2026-1-01", false },
	{ "something behind it", "2026-01-01x", false },
	{ "the year 1", "0001-01-01", false },
};

START_TEST(date_reading)
{
	struct day d;

	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
		ck_assert_msg(day_parse(dates[i].text, &d) == dates[i].good, "%s", dates[i].what);
}
END_TEST

static const struct {
	const char *what, *bytes;
	bool good;
} utf[] = {
	{ "plain", "abc", true },
	{ "four bytes", "\xf0\x9f\x98\x80", true },
	{ "an overlong slash", "\xc0\xaf", false },
	{ "a surrogate", "\xed\xa0\x80", false },
	{ "beyond the last", "\xf4\x90\x80\x80", false },
	{ "cut off", "\xe2\x82", false },
};

START_TEST(utf8)
{
	for (size_t i = 0; i < sizeof utf / sizeof *utf; i++)
		ck_assert_msg(utf8_valid(utf[i].bytes, strlen(utf[i].bytes), NULL) == utf[i].good, "%s",
		    utf[i].what);
	for (uint32_t c = 1; c < 0x110000; c += 97) {
		char buf[4];
		uint32_t back;
		size_t n;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = utf8_encode(c, buf);
		ck_assert_uint_eq(utf8_decode(buf, buf + n, &back), n);
		ck_assert_uint_eq(back, c);
	}
}
END_TEST

START_TEST(numbers)
{
	int64_t v;
	double d;

	ck_assert(parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
	ck_assert(!parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &v));
	ck_assert(!parse_int("", 0, 9, &v) && !parse_int("-", -9, 9, &v) && !parse_int("1 ", 0, 9, &v));
	ck_assert(parse_number("2.5", &d) && d == 2.5);
	ck_assert(!parse_number("1e9", &d) && !parse_number("2.", &d) && !parse_number("nan", &d));
}
END_TEST

START_TEST(numbers_written)
{
	const int64_t some[] = { 0, 7, 10, -1, 1234567890, INT64_MAX, INT64_MIN };
	char want[32];

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct text t = { 0 };

		text_add_int(&t, some[i]);
		snprintf(want, sizeof want, "%" PRId64, some[i]);
		ck_assert_str_eq(text_string(&t), want);
		text_deinit(&t);
	}
}
END_TEST

static const struct {
	const char *path;
	int flags, want; /* 0: it opens */
} beneaths[] = {
	{ "file", O_RDONLY, 0 },
	{ "folder/inner", O_RDONLY, 0 },
	{ "./folder//inner", O_RDONLY, 0 },
	{ "folder/../file", O_RDONLY, 0 },
	{ "folder", O_RDONLY | O_DIRECTORY, 0 },
	{ ".", O_RDONLY | O_DIRECTORY, 0 },
	{ "", O_RDONLY, -ENOENT },
	{ "absent", O_RDONLY, -ENOENT },
	{ "absent/inner", O_RDONLY, -ENOENT },
	{ "file/inner", O_RDONLY, -ENOTDIR },
	{ "file", O_RDONLY | O_DIRECTORY, -ENOTDIR },
	{ "link", O_RDONLY, -ELOOP },
	{ "link-to-folder", O_RDONLY | O_DIRECTORY, -ELOOP },
	{ "link-to-folder/inner", O_RDONLY, -ELOOP },
	{ "folder/up/file", O_RDONLY, -ELOOP },
	{ "..", O_RDONLY | O_DIRECTORY, -EXDEV },
	{ "../", O_RDONLY | O_DIRECTORY, -EXDEV },
	{ "folder/../../file", O_RDONLY, -EXDEV },
	{ "/etc/passwd", O_RDONLY, -EXDEV },
};

static void
touch(const char *dir, const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

/* The kernel's way and our own agree. */
START_TEST(files_beneath)
{
	char dir[] = "/tmp/nudged-beneath-XXXXXX";
	static const char *const made[] = { "folder/up", "folder/inner", "link", "link-to-folder",
		"file" };
	int root;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	root = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(mkdirat(root, "folder", 0700), 0);
	touch(dir, "file");
	touch(dir, "folder/inner");
	ck_assert_int_eq(symlinkat("file", root, "link"), 0);
	ck_assert_int_eq(symlinkat("folder", root, "link-to-folder"), 0);
	ck_assert_int_eq(symlinkat("..", root, "folder/up"), 0);
	for (size_t i = 0; i < sizeof beneaths / sizeof *beneaths; i++) {
		int a = open_beneath(root, beneaths[i].path, beneaths[i].flags);
		int b = open_beneath_stepwise(root, beneaths[i].path, beneaths[i].flags);

		ck_assert_msg(beneaths[i].want == 0 ? a >= 0 : a == beneaths[i].want,
		    "'%s' by the kernel: %d", beneaths[i].path, a);
		ck_assert_msg(beneaths[i].want == 0 ? b >= 0 : b == beneaths[i].want,
		    "'%s' by steps: %d", beneaths[i].path, b);
		ck_assert(a < 0 || close(a) == 0);
		ck_assert(b < 0 || close(b) == 0);
	}
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		ck_assert_int_eq(unlinkat(root, made[i], 0), 0);
	ck_assert_int_eq(unlinkat(root, "folder", AT_REMOVEDIR), 0);
	close(root);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(near_words)
{
	static const char *const words[] = { "rhythm", "channels", "audience" };

	ck_assert_str_eq(nearest_word("rythm", words, 3), "rhythm");
	ck_assert_str_eq(nearest_word("chanels", words, 3), "channels");
	ck_assert_ptr_null(nearest_word("zzzz", words, 3));
}
END_TEST

START_TEST(draws_are_even_and_stable)
{
	int count[10] = { 0 };

	for (uint64_t i = 0; i < 100000; i++)
		count[dice_below(1, "test", i, 0, 10)]++;
	for (int i = 0; i < 10; i++)
		ck_assert_int_lt(abs(count[i] - 10000), 500);
	ck_assert(dice_bits(1, "a", 2, 3) == dice_bits(1, "a", 2, 3));
	ck_assert(dice_bits(1, "a", 2, 3) != dice_bits(1, "b", 2, 3));
}
END_TEST

START_TEST(tokens)
{
	struct token_key key, other;
	struct token_claim claim = { 123456, 3, { INT64_C(1800000000000000) } }, back;
	struct instant before = { INT64_C(1700000000000000) };
	char token[TOKEN_TEXT];

	token_key_derive(1, &key);
	token_key_derive(2, &other);
	token_make(&key, &claim, token);
	ck_assert(token_read(&key, token, before, &back));
	ck_assert(back.delivery == 123456 && back.answer == 3);
	ck_assert(!token_read(&other, token, before, &back));
	ck_assert(!token_read(&key, token, claim.expires, &back));
	for (size_t i = 0; token[i] != '\0'; i++) { /* every changed character is noticed */
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		ck_assert_msg(!token_read(&key, token, before, &back), "character %zu", i);
		token[i] = was;
	}
	int64_t delivery;

	token_verp(&key, 77, token);
	ck_assert(token_verp_read(&key, token, &delivery) && delivery == 77);
	token[0] = '3';
	ck_assert(!token_verp_read(&key, token, &delivery));
}
END_TEST

START_TEST(store)
{
	struct db *db = NULL;
	struct stmt *a = NULL, *b = NULL;
	int64_t n;

	ck_assert_int_eq(db_open_memory(&db), 0);
	ck_assert_int_eq(db_begin(db), 0);
	ck_assert_int_eq(db_run(db, "INSERT INTO meta(key, value) VALUES(?1, ?2)", "ss", "a", "1"), 0);
	ck_assert_int_eq(
	    db_try(db, "INSERT INTO meta(key, value) VALUES(?1, ?2)", "ss", "a", "2"), DB_REFUSED);
	db_rollback(db);
	ck_assert_int_eq(db_int(db, &n, -1, "SELECT count(*) FROM meta", ""), 0);
	ck_assert_int_eq(n, 0);
	/* Two statements with one text do not disturb each other. */
	ck_assert_int_eq(db_query(db, &a, "SELECT 1 UNION SELECT 2", ""), 0);
	ck_assert_int_eq(stmt_step(a), STMT_ROW);
	ck_assert_int_eq(db_query(db, &b, "SELECT 1 UNION SELECT 2", ""), 0);
	ck_assert_int_eq(stmt_step(b), STMT_ROW);
	ck_assert_int_eq(stmt_int(b, 0), 1);
	ck_assert_int_eq(stmt_step(a), STMT_ROW);
	ck_assert_int_eq(stmt_int(a, 0), 2);
	stmt_done(&a);
	stmt_done(&b);
	ck_assert_int_lt(db_run(db, "SELECT nonsense", ""), 0);
	db_close(&db);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("base");
	TCase *tc = tcase_create("base");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, days_go_round);
	tcase_add_test(tc, date_reading);
	tcase_add_test(tc, utf8);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, numbers_written);
	tcase_add_test(tc, files_beneath);
	tcase_add_test(tc, near_words);
	tcase_add_test(tc, draws_are_even_and_stable);
	tcase_add_test(tc, tokens);
	tcase_add_test(tc, store);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
