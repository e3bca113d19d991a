/* parse.h - numbers and enumerations from outside: all of the string, within bounds, or refused. */
#ifndef NUDGED_BASE_PARSE_H
#define NUDGED_BASE_PARSE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
bool parse_int(const char *s, int64_t min, int64_t max, int64_t *ret);
/* Decimal with a point; no exponent, no inf, no nan, no locale. */
bool parse_number(const char *s, double *ret);
/* Index of s in words, or -1. */
int parse_word(const char *s, const char *const *words, size_t n);
#endif
