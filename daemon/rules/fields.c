#include "rules/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/text.h"

static const char *const kind_names[] = { "a text", "a list", "a mapping" };

static void
wrong(struct loading *l, const struct node *n, const char *expected)
{
	if (n->kind == NODE_TEXT)
		finding_add(l->f, "E003", n->place, "expected %s, not '%.60s'", expected, n->text);
	else
		finding_add(l->f, "E003", n->place, "expected %s, not %s", expected, kind_names[n->kind]);
}

bool
read_text(struct loading *l, const struct node *n, const char *what, const char **ret)
{
	if (n->kind != NODE_TEXT || n->text[0] == '\0') {
		wrong(l, n, what);
		return false;
	}
	*ret = n->text;
	return true;
}

bool
read_words(struct loading *l, const struct node *n, const char *what, struct words *ret)
{
	size_t count = n->kind == NODE_LIST ? n->n : 1;
	bool good = true;

	if (n->kind == NODE_MAP) {
		wrong(l, n, "one word or a list of words");
		return false;
	}
	*ret = (struct words){ 0, arena_alloc(l->mem, count + 1, sizeof *ret->v) };
	for (size_t i = 0; i < count; i++) {
		const struct node *one = n->kind == NODE_LIST ? n->pairs[i].value : n;
		const char *word;

		if (read_text(l, one, what, &word))
			ret->v[ret->n++] = word;
		else
			good = false;
	}
	return good;
}

bool
minutes_parse(const char *s, size_t len, int *ret)
{
	char text[6];
	int64_t hour, minute;

	if (len != 5 || s[2] != ':')
		return false;
	memcpy(text, s, 5);
	text[2] = text[5] = '\0';
	if (!parse_int(text, 0, 24, &hour) || !parse_int(text + 3, 0, 59, &minute) ||
	    (hour == 24 && minute > 0))
		return false;
	*ret = (int)(hour * 60 + minute);
	return true;
}

static bool
period_text(const char *s, struct period *ret)
{
	char count[24], unit[24];
	int u, used = 0;
	int64_t n = 1;

	if (strncmp(s, "every ", 6) == 0)
		s += 6;
	if (sscanf(s, "%20[0-9] %20[a-z]%n", count, unit, &used) == 2 && s[used] == '\0') {
		if (!parse_int(count, 1, 100000, &n))
			return false;
	} else if (sscanf(s, "%20[a-z]%n", unit, &used) != 1 || s[used] != '\0')
		return false;
	if (strlen(unit) > 1 && unit[strlen(unit) - 1] == 's')
		unit[strlen(unit) - 1] = '\0';
	u = parse_word(unit, unit_names, UNITS);
	if (u < 0)
		return false;
	*ret = (struct period){ n, (enum period_unit)u };
	return true;
}

bool
read_period(struct loading *l, const struct node *n, struct period *ret)
{
	if (n->kind == NODE_TEXT && period_text(n->text, ret))
		return true;
	wrong(l, n, "a length of time such as '2 weeks', '48 hours' or 'every month'");
	return false;
}

struct span
period_span(struct period p)
{
	static const int64_t seconds[UNITS] = { 60, 3600, 86400, 604800, 30 * 86400, 365 * 86400 };

	return SPAN_OF(p.count, seconds[p.unit]);
}

bool
read_int(struct loading *l, const struct node *n, int64_t min, int64_t max, int64_t *ret)
{
	char expected[80];

	if (n->kind == NODE_TEXT && parse_int(n->text, min, max, ret))
		return true;
	snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min,
	    (long long)max);
	wrong(l, n, expected);
	return false;
}

bool
read_choice(struct loading *l, const struct node *n, const char *const *words, size_t n_words,
    int *ret)
{
	const char *word;
	int i;

	if (!read_text(l, n, "a word", &word))
		return false;
	i = parse_word(word, words, n_words);
	if (i < 0) {
		finding_word(l->f, "E004", n->place, word, words, n_words, "'%.60s' is not known here",
		    word);
		return false;
	}
	*ret = i;
	return true;
}

static bool
read_share(struct loading *l, const struct node *n, double *ret)
{
	char number[16];
	size_t len = n->kind == NODE_TEXT ? strlen(n->text) : 0;

	if (len > 1 && len < sizeof number && n->text[len - 1] == '%') {
		memcpy(number, n->text, len - 1);
		number[len - 1] = '\0';
		if (parse_number(number, ret) && *ret >= 0 && *ret <= 100) {
			*ret /= 100;
			return true;
		}
	}
	wrong(l, n, "a percentage such as 40%");
	return false;
}

static void
read_window(struct loading *l, const struct node *n, struct window *ret)
{
	struct window w = { .place = n->place };
	size_t len = n->kind == NODE_TEXT ? strlen(n->text) : 0;

	if (len == 11 && n->text[5] == '-' && minutes_parse(n->text, 5, &w.from) &&
	    minutes_parse(n->text + 6, 5, &w.to) && w.from != w.to)
		*ret = w;
	else if (len == 5 && minutes_parse(n->text, 5, &w.from)) {
		w.to = w.from + 1;
		*ret = w;
	} else
		wrong(l, n, "a window of the day such as 09:30-11:30");
}

static bool
read_bits(struct loading *l, const struct node *n, const char *const *words, size_t n_words,
    unsigned *ret)
{
	struct words list;
	bool good = read_words(l, n, "a word", &list);
	unsigned bits = 0;

	if (!good)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const struct node *one = n->kind == NODE_LIST ? n->pairs[i].value : n;
		int bit;

		if (read_choice(l, one, words, n_words, &bit))
			bits |= 1u << bit;
		else
			good = false;
	}
	*ret = bits;
	return good;
}

static void
read_range(struct loading *l, const struct node *n, int64_t *min, int64_t *max)
{
	const struct pair *p;

	if (n->kind == NODE_TEXT) {
		if (read_int(l, n, 0, 1000000, min))
			*max = *min;
		return;
	}
	if (n->kind != NODE_MAP) {
		wrong(l, n, "a number, or { min: 2, max: 5 }");
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		static const char *const known[] = { "min", "max" };

		p = &n->pairs[i];
		if (strcmp(p->key, "min") == 0)
			read_int(l, p->value, 0, 1000000, min);
		else if (strcmp(p->key, "max") == 0)
			read_int(l, p->value, 0, 1000000, max);
		else
			finding_word(l->f, "E002", p->key_place, p->key, known, 2, "unknown key '%s'", p->key);
	}
}

static bool
read_flag(struct loading *l, const struct node *n, bool *ret)
{
	static const char *const words[] = { "false", "true", "no", "yes" };
	int i = n->kind == NODE_TEXT ? parse_word(n->text, words, 4) : -1;

	if (i < 0) {
		wrong(l, n, "true or false");
		return false;
	}
	*ret = i % 2 == 1;
	return true;
}

void
read_wording(struct loading *l, const struct node *n, struct wording *ret)
{
	const struct house *h = &l->rb->house;

	ret->place = n->place;
	if (n->kind == NODE_TEXT && n->text[0] != '\0') {
		ret->text[0] = n->text;
		return;
	}
	if (n->kind != NODE_MAP) {
		wrong(l, n, "a text, or one per language: { nl: ..., en: ... }");
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		int lang = house_language(h, n->pairs[i].key);

		if (lang < 0 && h->n_languages == 0)
			continue; /* house.yaml has said so */
		if (lang < 0)
			finding_word(l->f, "E004", n->pairs[i].key_place, n->pairs[i].key, h->languages,
			    h->n_languages, "'%.20s' is not a language of the house", n->pairs[i].key);
		else
			read_text(l, n->pairs[i].value, "a text", &ret->text[lang]);
	}
}

/* ---- conditions ---- */

static bool
bound_read(struct loading *l, const struct node *n, struct cond *c, double *ret)
{
	struct day day;

	if (n->kind == NODE_TEXT && day_parse(n->text, &day)) {
		c->is_date = true;
		*ret = day.n;
		return true;
	}
	if (n->kind == NODE_TEXT && parse_number(n->text, ret))
		return true;
	wrong(l, n, "a number or a date such as 2026-01-31");
	return false;
}

static void
range_cond(struct loading *l, const struct node *n, struct cond *c)
{
	static const char *const known[] = { "min", "max" };

	c->kind = COND_RANGE;
	for (size_t i = 0; i < n->n; i++) {
		const struct pair *p = &n->pairs[i];

		if (strcmp(p->key, "min") == 0)
			c->has_min = bound_read(l, p->value, c, &c->min);
		else if (strcmp(p->key, "max") == 0)
			c->has_max = bound_read(l, p->value, c, &c->max);
		else
			finding_word(
			    l->f, "E002", p->key_place, p->key, known, 2, "unknown key '%.60s'", p->key);
	}
}

void
read_cond(struct loading *l, const struct node *n, struct cond *ret)
{
	*ret = (struct cond){ .kind = COND_ALL, .place = n->place };
	if (n->kind != NODE_MAP) {
		wrong(l, n, "conditions such as { role: employee }");
		return;
	}
	ret->kids = arena_alloc(l->mem, n->n + 1, sizeof *ret->kids);
	for (size_t i = 0; i < n->n; i++) {
		const struct pair *p = &n->pairs[i];
		struct cond *c = &ret->kids[ret->n_kids];

		if (strcmp(p->key, "reason") == 0)
			continue; /* the author's, for readers and the works council */
		ret->n_kids++;
		if (strcmp(p->key, "not") == 0) {
			read_cond(l, p->value, c);
			c->kind = COND_NOT;
			continue;
		}
		*c = (struct cond){ .field = p->key, .place = p->key_place };
		if (p->value->kind == NODE_MAP)
			range_cond(l, p->value, c);
		else {
			c->kind = COND_ANY_OF;
			read_words(l, p->value, "a value", &c->values);
		}
	}
}

/* ---- one field ---- */

static void
read_periods(
    struct loading *l, const struct node *n, struct period **ret, size_t *ret_n)
{
	size_t count = n->kind == NODE_LIST ? n->n : 1;

	*ret = arena_alloc(l->mem, count + 1, sizeof **ret);
	*ret_n = 0;
	for (size_t i = 0; i < count; i++)
		if (read_period(l, n->kind == NODE_LIST ? n->pairs[i].value : n, &(*ret)[*ret_n]))
			(*ret_n)++;
}

static void
read_days(struct loading *l, const struct node *n, int32_t **ret, size_t *ret_n)
{
	size_t count = n->kind == NODE_LIST ? n->n : 1;

	*ret = arena_alloc(l->mem, count + 1, sizeof **ret);
	*ret_n = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t v;

		if (read_int(l, n->kind == NODE_LIST ? n->pairs[i].value : n, -3660, 3660, &v))
			(*ret)[(*ret_n)++] = (int32_t)v;
	}
}

#define AT(type, off) ((type *)(void *)((char *)into + (off)))

static void
field_read(struct loading *l, const struct field *fd, const struct node *n, void *into)
{
	struct period period;
	unsigned bits;
	bool flag;

	switch (fd->type) {
	case FIELD_TEXT:
		read_text(l, n, "a text", AT(const char *, fd->offset));
		break;
	case FIELD_WORDING:
		read_wording(l, n, AT(struct wording, fd->offset));
		break;
	case FIELD_WORDS:
		read_words(l, n, "a word", AT(struct words, fd->offset));
		break;
	case FIELD_INT:
		read_int(l, n, fd->min, fd->max, AT(int64_t, fd->offset));
		break;
	case FIELD_SHARE:
		read_share(l, n, AT(double, fd->offset));
		break;
	case FIELD_PERIOD:
		read_period(l, n, AT(struct period, fd->offset));
		break;
	case FIELD_PERIODS:
		read_periods(l, n, AT(struct period *, fd->offset), AT(size_t, fd->offset2));
		break;
	case FIELD_SPAN:
		if (read_period(l, n, &period))
			*AT(struct span, fd->offset) = period_span(period);
		break;
	case FIELD_WINDOW:
		read_window(l, n, AT(struct window, fd->offset));
		break;
	case FIELD_WEEKDAYS:
		if (read_bits(l, n, weekday_names, 7, &bits))
			*AT(uint8_t, fd->offset) = (uint8_t)bits;
		break;
	case FIELD_BOOL:
		read_flag(l, n, AT(bool, fd->offset));
		break;
	case FIELD_FLAG:
		if (read_flag(l, n, &flag))
			*AT(int, fd->offset) = flag;
		break;
	case FIELD_RANGE:
		read_range(l, n, AT(int64_t, fd->offset), AT(int64_t, fd->offset2));
		break;
	case FIELD_CHOICE:
		read_choice(l, n, fd->words, fd->n_words, AT(int, fd->offset));
		break;
	case FIELD_BITS:
		read_bits(l, n, fd->words, fd->n_words, AT(unsigned, fd->offset));
		break;
	case FIELD_DAYS:
		read_days(l, n, AT(int32_t *, fd->offset), AT(size_t, fd->offset2));
		break;
	case FIELD_MAP:
		if (n->kind != NODE_MAP)
			wrong(l, n, "a mapping");
		else
			fields_read(l, fd->sub, n, into);
		break;
	case FIELD_COND:
		read_cond(l, n, AT(struct cond, fd->offset));
		break;
	case FIELD_OWN:
		fd->own(l, fd, n, into);
		break;
	}
}

static void
unknown_key(struct loading *l, const struct field *table, const struct pair *p)
{
	static const char *const secrets[] = { "password", "token", "secret", "api_key", "webhook" };
	const char *names[64];
	size_t n = 0;

	if (l->rb != NULL && parse_word(p->key, secrets, 5) >= 0) {
		finding_add(l->f, "E002", p->key_place,
		    "'%s': a secret has no place in a rule file, since those are shared and versioned;"
		    " keep it in the configuration or a systemd credential",
		    p->key);
		return;
	}
	for (const struct field *fd = table; fd->name != NULL && n < 64; fd++)
		names[n++] = fd->name;
	finding_word(
	    l->f, "E002", p->key_place, p->key, names, n, "unknown key '%.60s'", p->key);
}

void
fields_read(struct loading *l, const struct field *table, const struct node *map, void *into)
{
	if (map->kind != NODE_MAP) {
		wrong(l, map, "keys with values");
		return;
	}
	/* In the table's order, so that `languages` is known before the first text is read. */
	for (const struct field *fd = table; fd->name != NULL; fd++) {
		const struct pair *p = node_find(map, fd->name);

		if (p != NULL)
			field_read(l, fd, p->value, into);
		else if (fd->needed)
			finding_add(l->f, "E003", map->place, "the key '%s' is missing: %s", fd->name, fd->help);
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct field *fd = table;

		while (fd->name != NULL && strcmp(fd->name, map->pairs[i].key) != 0)
			fd++;
		if (fd->name == NULL)
			unknown_key(l, table, &map->pairs[i]);
	}
}
