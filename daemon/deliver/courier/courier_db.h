/* courier_db.h - what an operator sees of the destinations, kept in the store. */
#ifndef NUDGED_DELIVER_COURIER_DB_H
#define NUDGED_DELIVER_COURIER_DB_H
#include "deliver/courier/destination.h"

struct db;
/* Inside a transaction.  Here d->until is on the wall clock, as now is. */
int destination_save(
    struct db *db, const char *name, const struct destination *d, struct instant now);
struct destination_line {
	const char *name, *circuit, *reason;
	int64_t parallel, failures, delivered, postponed, dead, uncertain;
	struct instant until, at;
};
int destinations_each(
    struct db *db, void (*fn)(void *arg, const struct destination_line *line), void *arg);
/* Those the configuration no longer has leave the list; names ends with NULL. */
int destinations_keep(struct db *db, const char *const *names);
#endif
