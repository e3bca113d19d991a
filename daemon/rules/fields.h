/*
 * fields.h - one table per kind of document, from which the loader, its errors and the JSON Schema
 * come, so that they cannot differ.
 */
#ifndef NUDGED_RULES_FIELDS_H
#define NUDGED_RULES_FIELDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/findings.h"
#include "rules/yaml.h"

enum field_type {
	FIELD_TEXT,     /* const char * */
	FIELD_WORDING,  /* struct wording: one text, or one per language */
	FIELD_WORDS,    /* struct words: one or a list */
	FIELD_INT,      /* int64_t within min..max */
	FIELD_SHARE,    /* double 0..1, written 40% */
	FIELD_PERIOD,   /* struct period: "2 weeks", "every month" */
	FIELD_PERIODS,  /* struct period * and size_t count: the field's `offset2` */
	FIELD_SPAN,     /* struct span: minutes to weeks */
	FIELD_WINDOW,   /* struct window: 09:30-11:30 */
	FIELD_WEEKDAYS, /* uint8_t bits */
	FIELD_BOOL,     /* bool: true or false */
	FIELD_FLAG,     /* int: 1 or 0; absent stays -1 */
	FIELD_RANGE,    /* two int64_t: min at offset, max at offset2; a number is both */
	FIELD_CHOICE,   /* int (an enum), one of words */
	FIELD_BITS,     /* unsigned, bit per word */
	FIELD_DAYS,     /* int32_t * and size_t count at offset2 */
	FIELD_MAP,      /* a nested mapping with the table `sub` on the same struct */
	FIELD_COND,     /* struct cond */
	FIELD_OWN,      /* read by `own` */
};
struct loading;
struct field {
	const char *name;
	enum field_type type;
	size_t offset, offset2;
	bool needed;
	int64_t min, max;
	const char *const *words;
	size_t n_words;
	const struct field *sub; /* ends with a NULL name */
	void (*own)(struct loading *l, const struct field *field, const struct node *n, void *into);
	const char *schema;      /* of FIELD_OWN: a JSON Schema fragment */
	const struct field *each; /* of FIELD_OWN: a mapping whose values have this table */
	bool weighed;            /* of FIELD_OWN: one of words, a list of them, or each with a number */
	const char *help;
};
/* What a load carries along. */
struct loading {
	struct arena *mem;
	struct findings *f;
	struct rulebase *rb;
	struct campaign *campaign; /* while one is read */
	int root;                  /* descriptor of the rule base's folder */
	void *hash;                /* crypto_generichash-like state of load.c */
	size_t n_files;
};

void fields_read(
    struct loading *l, const struct field *table, const struct node *map, void *into);
/* Readers for one value, for FIELD_OWN; false when it was wrong, which has been said. */
bool read_text(struct loading *l, const struct node *n, const char *what, const char **ret);
bool read_words(struct loading *l, const struct node *n, const char *what, struct words *ret);
bool read_period(struct loading *l, const struct node *n, struct period *ret);
bool read_int(struct loading *l, const struct node *n, int64_t min, int64_t max, int64_t *ret);
bool read_choice(struct loading *l, const struct node *n, const char *const *words, size_t n_words,
    int *ret);
void read_cond(struct loading *l, const struct node *n, struct cond *ret);
void read_wording(struct loading *l, const struct node *n, struct wording *ret);
/* Minutes of "09:30"; false when it is none. */
bool minutes_parse(const char *s, size_t len, int *ret);
struct span period_span(struct period p);

extern const struct field house_fields[], campaign_fields[], message_fields[];
#endif
