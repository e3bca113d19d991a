/*
 * csv.h - RFC 4180 with the two habits of spreadsheets: a BOM, and `;` for `,`.
 *
 * Pull parser over bytes in memory; fields live in the arena.  Limits: 64 MiB, 200 columns,
 * 4,096 bytes a field, 1,000,000 rows.
 */
#ifndef NUDGED_PEOPLE_CSV_H
#define NUDGED_PEOPLE_CSV_H
#include <stddef.h>

struct arena;
enum { CSV_BYTES = 64 << 20, CSV_COLUMNS = 200, CSV_FIELD = 4096, CSV_ROWS = 1000000 };
struct csv_field {
	const char *text;
	int line, column; /* where it begins; column in code points */
};
struct csv {
	struct arena *mem;
	const char *p, *end, *line_start;
	char separator;
	int line;
	size_t rows;
	/* of csv_next() */
	size_t n;
	struct csv_field field[CSV_COLUMNS];
	/* of CSV_BROKEN */
	int bad_line, bad_column;
	const char *why;
};
enum { CSV_END = 0, CSV_ROW = 1, CSV_BROKEN = 2 };
void csv_init(struct csv *c, struct arena *mem, const char *bytes, size_t len);
/* Blank lines are passed over.  After CSV_BROKEN nothing more is read. */
int csv_next(struct csv *c);
#endif
