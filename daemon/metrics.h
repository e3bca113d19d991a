/*
 * metrics.h - figures for an operator in the text format of Prometheus (exposition format 0.0.4).
 *
 * Counts of the service itself, nothing about groups of people: no label ever names a person, team,
 * campaign or answer.
 */
#ifndef NUDGED_METRICS_H
#define NUDGED_METRICS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"

struct courier;
struct db;
struct figures_now {
	int64_t ticks, reloads_failed;
	const char *rules; /* hash */
	struct instant started, now;
};
/* Written by rename; courier may be NULL.  others: readable for others too (a collector). */
int metrics_write(const char *path, bool others, struct db *db, const struct courier *courier,
    const struct figures_now *f);
#endif
