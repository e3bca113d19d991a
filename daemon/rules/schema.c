#include "rules/schema.h"

#include "base/when.h"
#include "rules/fields.h"

static const char *const type_schema[] = {
	[FIELD_TEXT] = "\"type\": \"string\"",
	[FIELD_WORDING] = "\"type\": [\"string\", \"object\"], \"additionalProperties\": {\"type\": \"string\"}",
	[FIELD_WORDS] = "\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}",
	[FIELD_INT] = "\"type\": \"integer\"",
	[FIELD_SHARE] = "\"type\": \"string\", \"pattern\": \"^[0-9.]+%$\"",
	[FIELD_PERIOD] = "\"type\": \"string\", \"pattern\": \"^(every )?([0-9]+ )?(minute|hour|day|week|month|year)s?$\"",
	[FIELD_PERIODS] = "\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}",
	[FIELD_SPAN] = "\"type\": \"string\", \"pattern\": \"^([0-9]+ )?(minute|hour|day|week)s?$\"",
	[FIELD_WINDOW] = "\"type\": \"string\", \"pattern\": \"^[0-9]{2}:[0-9]{2}(-[0-9]{2}:[0-9]{2})?$\"",
	[FIELD_WEEKDAYS] = "",
	[FIELD_BOOL] = "\"type\": \"boolean\"",
	[FIELD_FLAG] = "\"type\": \"boolean\"",
	[FIELD_RANGE] = "\"type\": [\"integer\", \"object\"]",
	[FIELD_CHOICE] = "\"type\": \"string\"",
	[FIELD_BITS] = "",
	[FIELD_DAYS] = "\"type\": [\"integer\", \"array\"], \"items\": {\"type\": \"integer\"}",
	[FIELD_MAP] = "\"type\": \"object\"",
	[FIELD_COND] = "\"$ref\": \"#/$defs/conditions\"",
	[FIELD_OWN] = "",
};

static void
put_string(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', out);
		putc(*s, out);
	}
	putc('"', out);
}

static void
words_put(FILE *out, const char *const *words, size_t n)
{
	fputs("\"enum\": [", out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputs(", ", out);
		put_string(out, words[i]);
	}
	putc(']', out);
}

/* One of the words, or a list of them. */
static void
some_put(FILE *out, const char *const *words, size_t n)
{
	putc('{', out);
	words_put(out, words, n);
	fputs("}, {\"type\": \"array\", \"items\": {", out);
	words_put(out, words, n);
	fputs("}}", out);
}

/* Or each word with its weight, or together: some of them. */
static void
weighed_put(FILE *out, const struct field *fd)
{
	fputs(", {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {", out);
	for (size_t i = 0; i < fd->n_words; i++) {
		put_string(out, fd->words[i]);
		fputs(": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 100}, ", out);
	}
	fputs("\"together\": {\"anyOf\": [", out);
	some_put(out, fd->words, fd->n_words);
	fputs("]}}}", out);
}

static void
choices_put(FILE *out, const struct field *fd)
{
	bool days = fd->type == FIELD_WEEKDAYS;

	fputs(", \"anyOf\": [", out);
	some_put(out, days ? weekday_names : fd->words, days ? 7 : fd->n_words);
	if (fd->weighed)
		weighed_put(out, fd);
	putc(']', out);
}

static void table_put(FILE *out, const struct field *table, int depth);

static void
field_put(FILE *out, const struct field *fd, int depth)
{
	fprintf(out, "%*s", depth * 2, "");
	put_string(out, fd->name);
	if (fd->type == FIELD_OWN && fd->schema != NULL && fd->schema[0] == 'f') {
		fputs(": false", out);
		return;
	}
	fputs(": {\"description\": ", out);
	put_string(out, fd->help);
	if (fd->type == FIELD_OWN && fd->schema != NULL)
		fprintf(out, ", \"allOf\": [%s]", fd->schema);
	else if (type_schema[fd->type][0] != '\0')
		fprintf(out, ", %s", type_schema[fd->type]);
	if (fd->type == FIELD_BITS || fd->type == FIELD_WEEKDAYS ||
	    (fd->type == FIELD_OWN && fd->words != NULL))
		choices_put(out, fd);
	if (fd->type == FIELD_INT)
		fprintf(out, ", \"minimum\": %lld, \"maximum\": %lld", (long long)fd->min,
		    (long long)fd->max);
	if (fd->type == FIELD_CHOICE) {
		fputs(", ", out);
		words_put(out, fd->words, fd->n_words);
	}
	if (fd->each != NULL) {
		fputs(", \"type\": \"object\", \"additionalProperties\": {\"type\": \"object\", ", out);
		table_put(out, fd->each, depth + 1);
		putc('}', out);
	}
	if (fd->sub != NULL) {
		fputs(", \"type\": \"object\", ", out);
		table_put(out, fd->sub, depth + 1);
	}
	putc('}', out);
}

static void
table_put(FILE *out, const struct field *table, int depth)
{
	bool first = true;

	fputs("\"additionalProperties\": false, \"properties\": {\n", out);
	for (const struct field *fd = table; fd->name != NULL; fd++) {
		if (fd != table)
			fputs(",\n", out);
		field_put(out, fd, depth);
	}
	fputs("}, \"required\": [", out);
	for (const struct field *fd = table; fd->name != NULL; fd++)
		if (fd->needed) {
			if (!first)
				fputs(", ", out);
			put_string(out, fd->name);
			first = false;
		}
	putc(']', out);
}

void
rules_schema(FILE *out)
{
	fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	      "\"title\": \"nudged campaign\", \"type\": \"object\",\n"
	      "\"$defs\": {\"conditions\": {\"type\": \"object\"}},\n",
	    out);
	table_put(out, campaign_fields, 1);
	fputs("}\n", out);
}
