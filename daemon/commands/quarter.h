/*
 * quarter.h - a simulated quarter as one page that stands alone.
 *
 * Collects what a simulation tells and writes a page from config/demo/quarter.LANGUAGE.mustache: a
 * calendar, what was held back and why, and for three people their timeline with each message as
 * it looks.  Everything on it comes from the decisions, the rule base and the roster.
 */
#ifndef NUDGED_COMMANDS_QUARTER_H
#define NUDGED_COMMANDS_QUARTER_H
#include <stdint.h>

#include "base/when.h"

struct command;
struct decision_line;
struct quarter;

struct quarter *quarter_new(struct day first, struct day last);
void quarter_free(struct quarter **q);
/* A decision_fn and an answer_fn: arg is the quarter. */
void quarter_decision(void *arg, const struct decision_line *l);
void quarter_answer(void *arg, const char *person, const char *run, const char *answer,
    struct instant at);
int64_t quarter_sent(const struct quarter *q);
/* Write the page with c's rule base, people and sentences.  An exit code. */
int quarter_write(struct command *c, const struct quarter *q, const char *path);
#endif
