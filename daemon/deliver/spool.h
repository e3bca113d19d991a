/*
 * spool.h - the embedded channel: every delivery becomes a file.
 *
 * SPOOL/DATE/dROW.{eml,ics,json,html}; DATE is the UTC day of the decision, so a repetition after
 * a crash lands on the same name with the same bytes.  Written by rename: a reader sees a whole
 * file or none.
 */
#ifndef NUDGED_DELIVER_SPOOL_H
#define NUDGED_DELIVER_SPOOL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
struct text;
/* channel: enum channel.  0 or negative. */
int spool_write(const char *spool, int64_t delivery, int channel, struct instant created,
    const struct text *body, bool durable);
#endif
