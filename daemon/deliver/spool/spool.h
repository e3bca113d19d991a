/*
 * spool.h - the embedded channel: every delivery becomes a file.
 *
 *   SPOOL/DATE/dROW.{eml,ics,json}        DATE is the UTC day of the decision, so a repetition after
 *                                         a crash lands on the same name with the same bytes
 *   SPOOL/DATE/dROW.html                  the sheets that fell due together, by the first one's ROW
 *   SPOOL/print/DATE/NAME.html            those of a day, where paper has its hour; DATE of both as
 *                                         the house counts days
 *   SPOOL/print/draft                     the next of these, before it has a name
 *
 * Written by rename: a reader sees a whole file or none.  A file that has its name is never written
 * again, so it may be printed, moved or removed at any time; but for spool_erase().
 */
#ifndef NUDGED_DELIVER_SPOOL_H
#define NUDGED_DELIVER_SPOOL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
struct db;
struct text;
/* channel: enum channel.  0 or negative. */
int spool_write(const char *spool, int64_t delivery, int channel, struct instant created,
    const struct text *body, bool durable);

/* ---- files for the printer ---- */
enum { SPOOL_NAME = 64 };
/* "2026-11-25/d00000012.eml", below the spool. */
void spool_name(struct day day, int64_t delivery, int channel, char ret[static SPOOL_NAME]);
/* "print/2026-11-25/letters-001.html", below the spool; kind: "letters". */
void spool_print_name(struct day day, const char *kind, int64_t number, char ret[static SPOOL_NAME]);
bool spool_has(const char *spool, const char *name);
/* The whole file, but nobody sees it yet; on the disk when it returns (durable). */
int spool_draft(const char *spool, const struct text *body, bool durable);
/* Give the draft its name.  Without a draft it has it already: 0 too. */
int spool_publish(const char *spool, const char *name, bool durable);
/* Nobody will see it. */
int spool_draft_drop(const char *spool);

/* ---- taken out again ---- */
/*
 * What was written for a delivery.  name: of the file for the printer that its sheet is in, which
 * keeps the other sheets; "" for a file of its own.  1: removed, 0: it is not there, negative.
 */
int spool_remove(const char *spool, int64_t delivery, int channel, struct instant created,
    const char *name);
/*
 * A person is erased: what is in the spool for them goes, and their feed beside it.  Inside the
 * transaction, before their rows go.  An invitation that still lay there has reached nobody.
 */
int spool_erase(struct db *db, const char *spool, int64_t person, struct instant now);
/* A person's own calendar feed, STATE/feeds/NAME.ics, beside the spool. */
int spool_feed_write(const char *spool, const char *name, const struct text *body, bool durable);
/* 1: removed, 0: it is not there, negative. */
int spool_feed_remove(const char *spool, const char *name);
extern const char spool_erased[]; /* the reason that stands in a row */
#endif
