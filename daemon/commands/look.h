/* look.h - one message as its reader sees it, as data for a page. */
#ifndef NUDGED_COMMANDS_LOOK_H
#define NUDGED_COMMANDS_LOOK_H
#include <jansson.h>
#include <stdint.h>

#include "base/when.h"
#include "rules/rulebase.h"

struct arena;
struct command;
struct person;

struct look {
	const struct person *person;
	const struct campaign *campaign;
	const struct message *message;
	int language, messenger; /* index in the house's lists */
	enum channel channel;
	struct instant at;
	int64_t number;
};
/* The name of who speaks to this person: as engine/send.c resolves it. */
const char *look_face(
    struct command *c, struct arena *mem, const struct messenger *m, const struct person *p);
/*
 * Add to ret: "messenger", "subject", and one of
 *   "page":   an HTML page of its own (e-mail, print)
 *   "chat":   { "hook", "text" and "small" as HTML that is safe, "buttons": [label] }
 *   "invite": { "day", "clock", "place", "text" }
 */
void look_data(struct command *c, struct arena *mem, const struct look *k, json_t *ret);
#endif
