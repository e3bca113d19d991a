/* purge.h - old rows are deleted and counted; purge_db.c says which and what stays. */
#ifndef NUDGED_ENGINE_PURGE_H
#define NUDGED_ENGINE_PURGE_H
#include <stdint.h>

#include "base/when.h"

struct db;
struct engine;

/* At most once a day; *ret_next: when to come again.  Transactions of its own. */
int purge_old(struct engine *e, struct instant now, struct instant *ret_next);
/* Deliveries of which only the count is left. */
int purge_count(struct db *db, int64_t *ret);
/* What does not add up, one sentence per defect into the log. */
int purge_check(struct db *db, int64_t *ret_defects);
#endif
