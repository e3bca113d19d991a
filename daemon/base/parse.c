#include "base/parse.h"

#include <string.h>

bool
parse_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool minus = *s == '-';
	int64_t v = 0;

	s += minus;
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, INT64_C(10), &v) ||
		    __builtin_sub_overflow(v, (int64_t)(*s - '0'), &v))
			return false;
	}
	/* Gathered as a negative number, whose range is the larger one. */
	if (!minus && __builtin_sub_overflow(INT64_C(0), v, &v))
		return false;
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

bool
parse_number(const char *s, double *ret)
{
	double v = 0, unit = 1;
	bool minus = *s == '-', point = false;
	int n = 0;

	s += minus;
	for (; *s != '\0'; s++) {
		if (*s == '.' && !point && n > 0) {
			point = true;
			continue;
		}
		if (*s < '0' || *s > '9' || ++n > 15)
			return false;
		v = v * 10 + (*s - '0');
		unit *= point ? 10 : 1;
	}
	if (n == 0 || s[-1] == '.')
		return false;
	*ret = (minus ? -v : v) / unit;
	return true;
}

int
parse_word(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] != NULL && strcmp(s, words[i]) == 0)
			return (int)i;
	return -1;
}
