/*
 * findings.h - everything that is wrong or unwise in a rule base, each with its place.
 *
 * Checks add findings and go on; the caller prints them all, sorted by file, line and column.
 * Text form: FILE:LINE:COL: error|warning[CODE]: TEXT, then the line and a caret under the column.
 */
#ifndef NUDGED_RULES_FINDINGS_H
#define NUDGED_RULES_FINDINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "rules/rulebase.h"

struct findings;
struct text;

struct findings *findings_new(const char *dir); /* dir: where the files are, to show their lines */
void findings_free(struct findings **f);
/* code "E004": the letter is the severity. */
void finding_add(struct findings *f, const char *code, struct place place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* As finding_add, with ": did you mean 'x'?" when one of the n words is near `word`. */
void finding_word(struct findings *f, const char *code, struct place place, const char *word,
    const char *const *words, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));
/* Their lines are not shown: a secret may stand in one, and what is printed goes into a log. */
void findings_hide_lines(struct findings *f);
size_t findings_errors(const struct findings *f);
size_t findings_warnings(const struct findings *f);
void findings_print_text(struct findings *f, FILE *out, bool colour);
void findings_print_json(struct findings *f, FILE *out); /* one JSON object a line */
#endif
