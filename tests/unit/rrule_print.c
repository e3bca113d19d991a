/*
 * Many rules at once, for tests/system/when_dateutil.py: a process for each would be too slow.
 *
 * Reads lines RULE START LIMIT (blanks between, START as 2026-01-05 or 2026-01-05T09:30:00) and answers
 * each with one line: the occurrences, "refused: reason", or nothing when there is none.  With the
 * argument "libical" they are those of libical's floating iterator, the oracle.
 */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "plan/rhythm.h"

enum { LINE_ROOM = 8192 };

static struct icaltimetype
time_of(struct civil c)
{
	struct icaltimetype t = icaltime_null_time();

	day_split(c.day, &t.year, &t.month, &t.day);
	t.hour = c.second / 3600;
	t.minute = c.second / 60 % 60;
	t.second = c.second % 60;
	return t;
}

static void
print_libical(const char *rule, struct civil start, int64_t limit)
{
	struct icalrecurrencetype type = icalrecurrencetype_from_string(rule);
	icalrecur_iterator *it = NULL;
	struct icaltimetype t;

	if (type.freq != ICAL_NO_RECURRENCE)
		it = icalrecur_iterator_new(type, time_of(start));
	if (it == NULL) {
		printf("refused: by libical");
		return;
	}
	for (int64_t i = 0; i < limit; i++) {
		t = icalrecur_iterator_next(it);
		if (icaltime_is_null_time(t))
			break;
		printf("%04d-%02d-%02dT%02d:%02d:%02d ", t.year, t.month, t.day, t.hour,
		    t.minute, t.second);
	}
	icalrecur_iterator_free(it);
}

static void
print_ours(const char *rule, struct civil start, bool is_date, int64_t limit)
{
	char reason[160], buf[CIVIL_TEXT];
	struct civil c;
	struct rrule *r = is_date
	    ? rrule_new(rule, start.day, reason, sizeof reason)
	    : rrule_new_timed(rule, start, NULL, reason, sizeof reason);

	if (r == NULL) {
		printf("refused: %s", reason);
		return;
	}
	for (int64_t i = 0; i < limit && rrule_next(r, &c) == 0; i++)
		printf("%s ", civil_format(c, buf));
	rrule_free(&r);
}

int
main(int argc, char **argv)
{
	bool libical = argc > 1 && strcmp(argv[1], "libical") == 0;
	static char line[LINE_ROOM];

	while (fgets(line, sizeof line, stdin) != NULL) {
		char *rule = line, *start = strchr(line, ' '), *limit;
		struct civil at;
		int64_t n;

		line[strcspn(line, "\n")] = '\0';
		if (start == NULL || (limit = strchr(start + 1, ' ')) == NULL)
			return 2;
		*start++ = '\0';
		*limit++ = '\0';
		if (!civil_parse(start, &at) || !parse_int(limit, 1, 100000, &n))
			return 2;
		if (libical)
			print_libical(rule, at, n);
		else
			print_ours(rule, at, strchr(start, 'T') == NULL, n);
		putchar('\n');
	}
	return 0;
}
