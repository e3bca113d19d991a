/* Mustache beyond the official suite (tests/system/mustache.py): errors with places, limits, order. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "compose/template.h"

static struct arena *mem;

static void
setup(void)
{
	mem = arena_new("test", 64 << 20);
}

static void
teardown(void)
{
	arena_free(&mem);
}

static const struct {
	const char *what, *source;
	int line, column;
	const char *says;
} broken[] = {
	{ "a tag never closed", "one\ntwo {{name", 2, 5, "never closed" },
	{ "a triple never closed", "{{{name}}", 1, 1, "}}}" },
	{ "a section never closed", "a\n\n  {{#team}}b", 3, 3, "{{/team}}" },
	{ "the inner of two never closed", "{{#a}}{{#b}}", 1, 7, "{{/b}}" },
	{ "a close without an open", "x {{/team}}", 1, 3, "closes nothing" },
	{ "closes that cross", "{{#a}}{{#b}}{{/a}}{{/b}}", 1, 13, "{{/b}}" },
	{ "an empty tag", "{{ }}", 1, 1, "empty" },
	{ "a name with a blank", "{{first name}}", 1, 1, "blanks" },
	{ "delimiters of one part", "{{=<%=}}", 1, 1, "two delimiters" },
	{ "delimiters without their end", "{{=<% %>}}", 1, 1, "{{=" },
	{ "columns count characters, not bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80{{x",
	    1, 4, "never closed" },
};

START_TEST(errors_have_places)
{
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct template_error err = { 0 };

		ck_assert_msg(template_compile(mem, broken[i].source,
				  strlen(broken[i].source), &err) == NULL,
		    "%s", broken[i].what);
		ck_assert_msg(err.line == broken[i].line && err.column == broken[i].column,
		    "%s: %d:%d", broken[i].what, err.line, err.column);
		ck_assert_msg(strstr(err.what, broken[i].says) != NULL, "%s: %s",
		    broken[i].what, err.what);
	}
}
END_TEST

static const char *
partial(void *arg, const char *name)
{
	return strcmp(name, "self") == 0     ? "x{{>self}}"
	    : strcmp(name, "twice") == 0     ? "{{>twice}}{{>twice}}"
	    : strcmp(name, "ends") == 0      ? "{{v}}{{#kid}}>{{>ends}}{{/kid}}"
	    : strcmp(name, "broken") == 0    ? "{{#a}}"
	    : strcmp(name, "two-lines") == 0 ? "a\nb\n"
					     : arg;
}

static const struct {
	const char *what, *source, *data, *want; /* NULL: refused */
} rendered[] = {
	{ "a value is escaped", "{{v}}", "{\"v\":\"<&\\\">\"}", "&lt;&amp;&quot;&gt;" },
	{ "three braces are raw", "{{{v}}}", "{\"v\":\"<b>\"}", "<b>" },
	{ "a value is not a template", "{{v}}", "{\"v\":\"{{v}}\"}", "{{v}}" },
	{ "a list of lists", "{{#v}}{{#.}}{{.}}{{/.}};{{/v}}", "{\"v\":[[1,2],[3]]}",
	    "12;3;" },
	{ "numbers as they were", "{{v}} {{w}}", "{\"v\":1.1,\"w\":-3}", "1.1 -3" },
	{ "a zero is a value, as the suite has it not", "{{#v}}yes{{/v}}", "{\"v\":0}",
	    "yes" },
	{ "an unknown partial is nothing", "[{{>none}}]", "{}", "[]" },
	{ "a partial's indentation on every line", "  {{>two-lines}}\nc", "{}",
	    "  a\n  b\nc" },
	{ "recursion over data ends with it", "{{>ends}}",
	    "{\"v\":1,\"kid\":{\"v\":2,\"kid\":false}}", "1>2" },
	{ "recursion without end is refused", "{{>self}}", "{}", NULL },
	{ "so is recursion that doubles", "{{>twice}}", "{}", NULL },
	{ "a broken partial is refused", "{{>broken}}", "{}", NULL },
};

START_TEST(renders)
{
	for (size_t i = 0; i < sizeof rendered / sizeof *rendered; i++) {
		struct template_error err;
		struct template *t = template_compile(
		    mem, rendered[i].source, strlen(rendered[i].source), &err);
		json_t *data = json_loads(rendered[i].data, 0, NULL);
		struct text out = { 0 };
		int rc;

		ck_assert_msg(
		    t != NULL && data != NULL, "%s: %s", rendered[i].what, err.what);
		rc = template_render_json(t, data, partial, NULL, &out);
		ck_assert_msg(
		    (rc == 0) == (rendered[i].want != NULL), "%s", rendered[i].what);
		if (rc == 0)
			ck_assert_msg(strcmp(text_string(&out), rendered[i].want) == 0,
			    "%s: '%s'", rendered[i].what, text_string(&out));
		json_decref(data);
		text_deinit(&out);
	}
}
END_TEST

static void
collect(void *arg, const char *name, bool section, int line, int column)
{
	text_addf(arg, "%s%s %d:%d;", section ? "#" : "", name, line, column);
}

START_TEST(names_with_places)
{
	static const char source[] =
	    "Hi {{name}}\n{{#team}}\n  {{^x.y}}{{! no }}{{/x.y}}\n{{/team}}{{>p}}";
	struct template_error err;
	struct template *t = template_compile(mem, source, sizeof source - 1, &err);
	struct text out = { 0 };

	ck_assert_ptr_nonnull(t);
	template_names(t, collect, &out);
	ck_assert_str_eq(text_string(&out), "name 1:4;#team 2:1;#x.y 3:3;");
	text_deinit(&out);
}
END_TEST

/* A megabyte of tags compiles in linear time (the test's own time limit is the judge). */
START_TEST(large)
{
	struct text s = { 0 };
	struct template_error err;

	while (s.len < 1 << 20)
		text_puts(&s, "a long enough text {{a}}\n");
	ck_assert_ptr_nonnull(template_compile(mem, s.s, s.len, &err));
	text_deinit(&s);
	while (s.len < 1 << 20)
		text_puts(&s, "{{a}}");
	ck_assert_ptr_null(template_compile(mem, s.s, s.len, &err));
	ck_assert_ptr_nonnull(strstr(err.what, "more than"));
	text_deinit(&s);
	for (int i = 0; i < 1000; i++)
		text_puts(&s, "{{#a}}");
	ck_assert_ptr_null(template_compile(mem, s.s, s.len, &err));
	ck_assert_ptr_nonnull(strstr(err.what, "deeper"));
	text_deinit(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("template");
	TCase *t = tcase_create("template");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, errors_have_places);
	tcase_add_test(t, renders);
	tcase_add_test(t, names_with_places);
	tcase_add_test(t, large);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
